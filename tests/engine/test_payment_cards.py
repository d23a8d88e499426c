"""Numbers of payment cards are recognized; what only looks a little like them is not."""

from __future__ import annotations

import random
import uuid

import pytest

from palier.engine.payment_cards import MASK, Holds, holds_number, masked

# First digits and lengths of numbers that are issued today, or were (Visa of 13 digits).
ISSUED = [
    ("4", 16), ("4", 19), ("4", 13), ("51", 16), ("55", 16), ("2221", 16), ("2720", 16), ("34", 15), ("37", 15),
    ("300", 14), ("305", 14), ("3095", 14), ("36", 14), ("38", 14), ("39", 14), ("3528", 16), ("3589", 16),
    ("6011", 16), ("644", 16), ("65", 16), ("62", 16), ("62", 19), ("2200", 16), ("5018", 18), ("6759", 16),
    ("1800", 15), ("2131", 15),
]  # fmt: skip


def check_digit(digits: str) -> str:
    """The last digit that makes the Luhn sum a multiple of ten, by the definition."""
    total = 0
    for place, digit in enumerate(reversed(digits + "0")):
        doubled = int(digit) * (2 if place % 2 else 1)
        total += doubled - 9 if doubled > 9 else doubled
    return str(-total % 10)


def card_number(rng: random.Random, begins: str, length: int) -> str:
    body = begins + "".join(rng.choices("0123456789", k=length - 1 - len(begins)))
    return body + check_digit(body)


def card_numbers(count: int, seed: int = 1) -> list[str]:
    rng = random.Random(seed)
    return [card_number(rng, *ISSUED[index % len(ISSUED)]) for index in range(count)]


def gtin(digits: str) -> str:
    total = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(digits)))
    return digits + str(-total % 10)


def test_a_thousand_numbers_are_found_in_any_text() -> None:
    for number in card_numbers(1000):
        for text in (number, f"card {number}, exp 12/29", f"PAN{number}x", f"a-{number}", f"({number})"):
            assert holds_number(text), text
            assert number not in masked(text)
            assert MASK in masked(text)


@pytest.mark.parametrize("gap", [" ", "-", ".", "\u00a0"])
def test_numbers_in_groups_are_found(gap: str) -> None:
    groups = {16: (4, 4, 4, 4), 15: (4, 6, 5), 14: (4, 6, 4), 19: (4, 4, 4, 4, 3)}
    for number in card_numbers(300, seed=2):
        sizes = groups.get(len(number))
        if sizes is None:
            continue
        rest, parts = number, []
        for size in sizes:
            parts.append(rest[:size])
            rest = rest[size:]
        written = gap.join(parts)
        assert holds_number(written), written
        assert holds_number(f"card {written} 123"), written
        if len(number) < 19:  # the first 16 digits of a longer one may be a number by chance
            assert not holds_number(written[:-1] + str((int(number[-1]) + 1) % 10)), "the check digit counts"


def test_a_wrong_check_digit_or_an_unknown_issuer_is_no_card() -> None:
    for number in card_numbers(200, seed=3):
        assert not holds_number(number[:-1] + str((int(number[-1]) + 1) % 10))
    rng = random.Random(4)
    for begins, length in (
        ("9", 16),
        ("7", 16),
        ("1", 16),
        ("4", 15),
        ("34", 16),
        ("5018", 12),
        ("6340", 18),
    ):
        assert not holds_number(card_number(rng, begins, length))


def test_numbers_inside_longer_ones_are_left_alone() -> None:
    assert holds_number("4111111111111111")
    assert not holds_number("41111111111111110000")
    assert not holds_number("4111 1111 1111 11112")


@pytest.mark.parametrize("holds", ["id", "product"])
def test_product_codes_are_no_cards_where_they_belong(holds: Holds) -> None:
    rng = random.Random(5)
    for _ in range(3000):
        assert not holds_number(gtin("4" + "".join(rng.choices("0123456789", k=11))), holds)
    for _ in range(3000):
        code = gtin(rng.choice(["36", "38", "304"]).ljust(4, "1") + "".join(rng.choices("0123456789", k=9)))
        assert not holds_number(code, "product")


def test_ids_and_phone_numbers_are_no_cards() -> None:
    rng = random.Random(6)
    for number in range(3000):
        texts = [
            str(uuid.UUID(int=rng.getrandbits(128), version=4)),
            rng.getrandbits(128).to_bytes(16, "big").hex(),
            f"4-2026{number % 12 + 1:02}01-{number:07}",
            f"till-3/{1_700_000_000_000_000 + number * 997}",
            f"2026030110{number % 60:02}{number % 60:02}",
            str(1_700_000_000_000 + number),
            f"+49 151 {10_000_000 + number}",
            f"+49151{10_000_000 + number}",
        ]
        for text in texts:
            assert not holds_number(text), text
        assert not holds_number(str(4_900_000_000_000 + number), "id")
        assert not holds_number(f"49151{10_000_000 + number}", "phone")


def test_a_letter_inside_makes_a_number_ones_own() -> None:
    assert holds_number("4111111111111111", "id")
    assert not holds_number("41111111a11111111", "id")


def test_masking_keeps_the_rest() -> None:
    two = "from 4111111111111111 to 5555 5555 5555 4444, order 17"
    assert masked(two) == f"from {MASK} to {MASK}, order 17"
    assert masked("nothing 1234567890123 here") == "nothing 1234567890123 here"
