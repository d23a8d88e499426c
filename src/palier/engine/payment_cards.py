"""Numbers of payment cards: where one would be stored, the text that holds it is refused.

A number is taken for a payment card's when it has 13 to 19 digits, stands alone or in the groups in which cards
print it, begins as a known issuer's numbers of this length do, and its check digit is right (ISO/IEC 7812-1,
annex B). Ranges are the issuers' published ones; what only chance would tell from a loyalty card, an order
number or a product code (Maestro outside its main prefixes) is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, Literal

SHORTEST: Final = 13
MASK: Final = "[payment card number]"

Holds = Literal["text", "id", "product", "phone"]
"""What a field is for. `text`: anything. `id`: ids and codes of systems, where 13 digits are an order number or
an EAN (no card has had 13 for decades). `product`: product codes, where 13 and 14 digits are a GTIN. `phone`:
at most 15 digits are a phone number."""

_LENGTHS: Final[dict[Holds, frozenset[int]]] = {
    "text": frozenset(range(13, 20)),
    "id": frozenset(range(14, 20)),
    "product": frozenset(range(15, 20)),
    "phone": frozenset(range(16, 20)),
}

# First digits (from, to) of equal length, and the lengths of numbers that begin so.
_ISSUERS: Final[tuple[tuple[str, str, tuple[int, ...]], ...]] = (
    ("4", "4", (13, 16, 19)),  # Visa
    ("51", "55", (16,)),  # Mastercard
    ("2221", "2720", (16,)),
    ("34", "34", (15,)),  # American Express
    ("37", "37", (15,)),
    ("300", "305", (14, 16)),  # Diners Club
    ("3095", "3095", (14, 16)),
    ("36", "36", (14, 16)),
    ("38", "39", (14, 16)),
    ("3528", "3589", (16, 17, 18, 19)),  # JCB
    ("1800", "1800", (15,)),
    ("2131", "2131", (15,)),
    ("6011", "6011", (16, 19)),  # Discover
    ("644", "659", (16, 19)),
    ("62", "62", (16, 17, 18, 19)),  # UnionPay
    ("2200", "2204", (16, 17, 18, 19)),  # Mir
    ("5018", "5018", (13, 14, 15, 16, 17, 18, 19)),  # Maestro
    ("5020", "5020", (13, 14, 15, 16, 17, 18, 19)),
    ("5038", "5038", (13, 14, 15, 16, 17, 18, 19)),
    ("5893", "5893", (13, 14, 15, 16, 17, 18, 19)),
    ("6304", "6304", (13, 14, 15, 16, 17, 18, 19)),
    ("6759", "6759", (13, 14, 15, 16, 17, 18, 19)),
    ("6761", "6763", (13, 14, 15, 16, 17, 18, 19)),
    ("508", "508", (16,)),  # RuPay
    ("6069", "6084", (16,)),
    ("506", "507", (16,)),  # Verve, Elo
    ("509", "509", (16,)),
)

_BY_PREFIX: Final[dict[str, frozenset[int]]] = {
    f"{prefix:04}": frozenset(lengths)
    for first, last, lengths in _ISSUERS
    for prefix in range(int(first.ljust(4, "0")), int(last.ljust(4, "9")) + 1)
}

_GAP = r"[ .\-\u00a0\u202f]"
# A number in one run, or in the groups that cards print; also inside a longer series of groups.
_NUMBER = re.compile(
    rf"(?<![0-9])(?=([0-9]{{13,19}}(?![0-9]))"
    rf"|([0-9]{{4}}({_GAP})[0-9]{{4}}\3[0-9]{{4}}\3[0-9]{{4}}(?![0-9]))(\3[0-9]{{3}}(?![0-9]))?"
    rf"|([0-9]{{4}}({_GAP})[0-9]{{6}}\6[0-9]{{4,5}}(?![0-9])))"
)
# What nearly every text lacks, found in one quick pass.
_MAYBE = re.compile(rf"[1-6][0-9]{{3}}(?:[0-9]{{9}}|{_GAP}[0-9]{{4}})")
# Ids made of hexadecimal digits hold runs of decimal ones by chance.
_HEXADECIMAL = re.compile(
    r"(?<![0-9A-Za-z])(?:(?=[0-9]*[A-Fa-f])[0-9A-Fa-f]{24,}"
    r"|[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12})(?![0-9A-Za-z])"
)
_DOUBLED: Final = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def holds_number(text: str, holds: Holds = "text") -> bool:
    """Whether a text holds the number of a payment card; `holds` says what the field is for."""
    if len(text) < SHORTEST:
        return False
    if text.isascii() and text.isdigit():
        return _is_number(text, _LENGTHS[holds])
    return _MAYBE.search(text) is not None and next(_places(text, holds), None) is not None


def masked(text: str, holds: Holds = "text") -> str:
    """The text without the numbers of payment cards, for messages that quote what was sent."""
    if len(text) < SHORTEST or _MAYBE.search(text) is None:
        return text
    kept, end = [], 0
    for first, last in _places(text, holds):
        if first >= end:
            kept += [text[end:first], MASK]
        elif last <= end:
            continue
        end = last
    return "".join([*kept, text[end:]]) if end else text


def _places(text: str, holds: Holds) -> Iterator[tuple[int, int]]:
    lengths = _LENGTHS[holds]
    ids = [found.span() for found in _HEXADECIMAL.finditer(text)] if len(text) >= 24 else []
    for found in _NUMBER.finditer(text):
        run, fours, _, rest, other, _ = found.groups()
        first = found.start()
        if any(begin <= first < end for begin, end in ids):
            continue
        if run is not None and len(run) <= 15 and first > 0 and text[first - 1] == "+":
            continue
        for written in (run, fours and rest and fours + rest, fours, other):
            if written and _is_number(re.sub(r"[^0-9]", "", written), lengths):
                yield first, first + len(written)
                break


def _is_number(digits: str, lengths: frozenset[int]) -> bool:
    length = len(digits)
    return length in lengths and length in _BY_PREFIX.get(digits[:4], ()) and _checks(digits)


def _checks(digits: str) -> bool:
    """The Luhn formula: from the right, every second digit doubled, the sum of all digits a multiple of ten."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = ord(digit) - 48
        total += _DOUBLED[value] if place % 2 else value
    return total % 10 == 0
