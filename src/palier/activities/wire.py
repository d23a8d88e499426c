"""Activities as they are sent: one JSON form for the API and for imports, read into facts.

Reading refuses with a code, the field and the remedy; it never guesses. Amounts are taken from the text of
the JSON itself, string or number, so none passes through a binary fraction.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import date, datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from palier.engine import payment_cards
from palier.engine.amounts import MAXIMUM_MINOR, AmountError, from_minor, to_minor
from palier.engine.characters import unseen
from palier.engine.clock import instant
from palier.engine.facts import (
    COMMANDS,
    DERIVED,
    FEE,
    MADE,
    OWN_SOURCE,
    RETURN,
    SALE,
    VISIT,
    Fact,
    Line,
    Reference,
    ReturnedLine,
    Tender,
    encode_fact,
)
from palier.engine.plan import Plan, Timeline
from palier.engine.program import Attribute
from palier.engine.refusals import Refusal, RefusalCode
from palier.engine.sentences import NOTHING, Sentence, changed, sentence

MAX_LINES: Final = 1000
"""The most activities in one request."""
MAX_BYTES: Final = 2_000_000
"""The most bytes in one request body; a body must be smaller than 2 MB."""
MAX_ITEMS: Final = 2000
"""The most lines in one basket."""
RESERVED: Final = (f"{OWN_SOURCE}:", "api:")
"""How sources begin that nobody sends activities under: the platform's own, and those of what API keys redeem."""
LONGEST_TEXT: Final = 200
FUTURE_ALLOWED: Final = 5 * 60 * 1_000_000
EARLIEST: Final = 0

Amount = msgspec.Raw
ABSENT: Final = msgspec.Raw()
"""An amount that was not sent. (A union of Raw and None is not understood by msgspec.)"""


class WireReference(Struct, forbid_unknown_fields=True, omit_defaults=True):
    source: str
    id: str


class WireLine(Struct, forbid_unknown_fields=True, omit_defaults=True):
    amount: Amount
    category: str = ""
    sku: str = ""
    quantity: int = 0
    kind: Literal["product", "shipping", "gift_card"] = "product"


class WireTender(Struct, forbid_unknown_fields=True, omit_defaults=True):
    kind: str
    amount: Amount
    redemption: WireReference | None = None


class WireReturnedLine(Struct, forbid_unknown_fields=True, omit_defaults=True):
    line: int
    amount: Amount = ABSENT
    quantity: int = 0


class WireActivity(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """One activity as sent. `line` of a returned line counts from 1, as people count."""

    source: str
    id: str
    type: str
    occurred_at: str
    member: str | dict[str, str] | None = None
    amount: Amount = ABSENT
    currency: str | None = None
    tax: Amount = ABSENT
    shipping: Amount = ABSENT
    discount: Amount = ABSENT
    lines: list[WireLine] = []
    tenders: list[WireTender] = []
    channel: str | None = None
    location: str | None = None
    partner: str | None = None
    ticket_number: str | None = None
    attributes: dict[str, str | int | bool | float | None] = {}
    sale: WireReference | None = None
    returned: list[WireReturnedLine] = []
    whole: bool = False
    program: str | None = None


class Read(Struct):
    """One line read: its fact with the stored bytes and their hash, and how its member is named."""

    fact: Fact
    member: str | dict[str, str] | None
    payload: bytes
    sha256: bytes


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is no number")


_one = msgspec.json.Decoder(WireActivity).decode
_many = msgspec.json.Decoder(list[WireActivity]).decode
_raws = msgspec.json.Decoder(list[msgspec.Raw]).decode
_lines_in = msgspec.json.Decoder(list[WireLine]).decode
_encode = msgspec.json.Encoder().encode
_HALF = re.compile(rb"\\u[dD][89a-fA-F]").search
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_item = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=_no_constant).raw_decode
_SPACED = re.compile(rb'"[ \t\r\n]+:').search
_PLAIN = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,20})?", re.ASCII).fullmatch
_MONEY = ("amount", "tax", "shipping", "discount")
_KINDS = ("product", "shipping", "gift_card")
_AMOUNT = re.compile(rb'\s*("?)([0-9]{1,20}(?:\.[0-9]{1,20})?)\1\s*')
_USUAL = {number: re.compile(rb'("?)([0-9]{1,9})\.([0-9]{%d})\1' % number) for number in range(1, 5)}
_SHORT: Final = 18
"""Longer amounts are not worth remembering."""
_REMEMBERED: Final = 1 << 15
"""The most of a kind that is remembered."""
_ERROR_PLACE = re.compile(r"^(.*?)(?: - at `\$(.*)`)?$", re.DOTALL)
_LACKING = re.compile(r"Object missing required field `(\w+)`")
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)


class BodyError(ValueError):
    """A body that is not a JSON object or array of at most MAX_LINES objects; the text says so."""


class LineRefused(Exception):
    """A line that cannot be taken; `refusal` says why."""

    def __init__(
        self, code: RefusalCode, said: Sentence, field: str = "", advice: Sentence = NOTHING
    ) -> None:
        # Messages quote what was sent; the number of a payment card is never among it.
        masked = payment_cards.masked
        self.refusal = Refusal(code, changed(said, masked), masked(field), changed(advice, masked))


def split(body: bytes) -> list[WireActivity | Refusal]:
    """The activities of a body: one object, or an array of up to MAX_LINES of them.

    A line that cannot be read is a refusal of its own and leaves its neighbours alone. Raises BodyError where
    the body as a whole is not of this form.
    """
    start = body.lstrip()[:1]
    if start == b"{":
        return [_read_one(body)]
    if start != b"[":
        raise BodyError("the body must be a JSON object, or an array of them")
    lines: list[WireActivity | Refusal] | None = None
    with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        read = _many(body)
        if _names_once(body, read):
            lines = list(read)
    if lines is None:
        raws = _apart(body)
        _refuse_number(len(raws))
        lines = [_read_line(raw) for raw in raws]
    _refuse_number(len(lines))
    return lines


def _refuse_number(lines: int) -> None:
    if lines > MAX_LINES:
        raise BodyError(f"{lines} activities in one request; send at most {MAX_LINES}")
    if not lines:
        raise BodyError("the array is empty; send at least one activity")


def _apart(body: bytes) -> list[bytes]:
    """The items of an array, each to be read on its own."""
    try:
        return [bytes(raw) for raw in _decode_raws(body)]
    except BodyError:
        if not _HALF(body):
            raise
        return _cut(body)


def _cut(body: bytes) -> list[bytes]:
    """The items of an array in which a text holds half of a character, as when a sender cut it in the midst.

    The grammar of JSON has such escapes, and the usual reader takes none of the array.
    """
    whole: list[bytes] = []
    try:
        text = body.decode()
        place = text.index("[") + 1
        while True:
            start = _past_space(text, place)
            place = _past_space(text, _item(text, start)[1])
            whole.append(text[start:place].encode())
            if text[place : place + 1] != "," or len(whole) > MAX_LINES:
                break
            place += 1
        if len(whole) <= MAX_LINES and text[place:].strip(" \t\r\n") != "]":
            raise ValueError("the array has no end, or something stands behind it")
    except (ValueError, RecursionError) as error:
        raise BodyError(f"the body is not JSON: {error}") from None
    return whole


def _past_space(text: str, place: int) -> int:
    found = _SPACE.match(text, place)
    assert found is not None
    return found.end()


def _read_line(raw: bytes) -> WireActivity | Refusal:
    try:
        return _read_one(raw)
    except BodyError:
        if not _HALF(raw):
            raise
        return Refusal(
            RefusalCode.MALFORMED,
            sentence("%(field)s is not valid Unicode text", field="activity"),
            "",
            sentence("send UTF-8"),
        )


def _decode_raws(body: bytes) -> list[msgspec.Raw]:
    try:
        return _raws(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BodyError(f"the body is not JSON: {error}") from None


def _names_once(body: bytes, read: WireActivity | list[WireActivity] | list[WireLine]) -> bool:
    """Whether no object of a body has a name twice, of which the reader keeps the last. False: it may have.

    What was read is written again, and as many names must stand in it as in the body. Names are told by the colon
    behind them, so that a body with an escape, or a space before a colon, is left to `_twice`.
    """
    return b"\\" not in body and _SPACED(body) is None and body.count(b'":') == _encode(read).count(b'":')


def _twice(raw: bytes) -> str:
    """A name that an object of this JSON has twice; "" where none has."""
    found: list[str] = []

    def seen(pairs: list[tuple[str, Any]]) -> None:
        names = [name for name, _ in pairs]
        found.extend(name for place, name in enumerate(names) if name in names[:place])

    with suppress(json.JSONDecodeError):  # An amount that is none: it is refused where it is read.
        json.loads(raw, object_pairs_hook=seen, parse_int=str, parse_float=str)
    return found[0] if found else ""


def _read_one(raw: bytes) -> WireActivity | Refusal:
    try:
        read = _one(raw)
        name = "" if _names_once(raw, read) else _twice(raw)
        if name:
            return Refusal(
                RefusalCode.MALFORMED,
                sentence('"%(name)s" stands twice', name=payment_cards.masked(name)),
                payment_cards.masked(name),
                sentence("send each name once"),
            )
        return read
    except msgspec.ValidationError as error:
        found = _ERROR_PLACE.match(str(error))
        message, place = (found.group(1), found.group(2) or "") if found else (str(error), "")
        lacking = _LACKING.fullmatch(message)
        if lacking is not None:
            field = f"{place}.{lacking[1]}".lstrip(".")
            return Refusal(
                RefusalCode.MALFORMED,
                sentence("%(field)s is missing", field=field),
                field,
                sentence("send it; see the form of an activity in the API reference"),
            )
        unknown = _UNKNOWN.fullmatch(message)
        if unknown is not None:
            place = f"{place}.{unknown[1][:60]}"
        return Refusal(
            RefusalCode.MALFORMED,
            sentence("%(error)s", error=payment_cards.masked(message)),
            payment_cards.masked(place.lstrip(".")),
            sentence("see the form of an activity in the API reference"),
        )
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BodyError(f"the body is not JSON: {error}") from None


def from_mapping(row: dict[str, Any]) -> WireActivity | Refusal:
    """An activity from plain data with text amounts, such as a row of a file."""
    return _read_one(msgspec.json.encode(row))


def of_row(row: dict[str, Any]) -> WireActivity | None:
    """The same in a quarter of the time for rows in their usual form; None where `from_mapping` must judge.

    `lines` may be msgspec.Raw, JSON as it stands in a cell. The row is used up.
    """
    try:
        for field in _MONEY:
            if field in row:
                row[field] = _plain_amount(row[field])
        lines = row.get("lines")
        if lines is not None:
            row["lines"] = _usual_lines(lines)
        if "sale" in row:
            row["sale"] = WireReference(**row["sale"])
        if "tenders" in row:
            row["tenders"] = [_usual_tender(**tender) for tender in row["tenders"]]
        if "attributes" in row and not all(type(value) in _SCALARS for value in row["attributes"].values()):
            return None
        if "returned" in row or type(row.get("whole", False)) is not bool:
            return None
        return WireActivity(**row)
    except (KeyError, TypeError, ValueError, RecursionError):
        return None


_SCALARS = frozenset({str, int, bool})


def _usual_tender(kind: str, amount: str) -> WireTender:
    return WireTender(kind, _plain_amount(amount))


def _plain_amount(text: str) -> Amount:
    if _PLAIN(text) is None:
        raise ValueError("no plain decimal")
    return msgspec.Raw(f'"{text}"')


def _usual_lines(lines: Any) -> list[WireLine]:
    if isinstance(lines, msgspec.Raw):
        text = bytes(lines)
        if b"null" in text:
            raise ValueError("what is null is as if it were not there")
        read = _lines_in(text)
        if not _names_once(text, read):
            raise ValueError("a name may stand there twice")
        return read
    found = []
    for line in lines:
        kind, quantity = line.get("kind", "product"), line.get("quantity", 0)
        if kind not in _KINDS or type(quantity) is not int:
            raise ValueError("not what a line may hold")
        made = WireLine(
            _plain_amount(line["amount"]), line.get("category", ""), line.get("sku", ""), quantity, kind
        )
        found.append(made)
    return found


def to_fact(wire: WireActivity, timeline: Timeline, program_key: str, *, now: int) -> Read | Refusal:
    """The fact that an activity states, judged by the version in force at its instant; or why it is refused.

    `now` is the server's instant: activities more than five minutes ahead of it are refused.
    """
    try:
        fact = _fact(wire, timeline, program_key, now)
    except LineRefused as refused:
        return refused.refusal
    payload = encode_fact(fact)
    return Read(fact, wire.member, payload, sha256(payload).digest())


def sent_as(wire: WireActivity) -> tuple[str, str]:
    """Source and id of a line that was refused, as they may be told: without the number of a payment card."""
    return payment_cards.masked(wire.source, "id"), payment_cards.masked(wire.id, "id")


def refuse_card_number(value: str, field: str, holds: payment_cards.Holds = "text") -> None:
    """Raises LineRefused, naming the field, where a text holds the number of a payment card."""
    if payment_cards.holds_number(value, holds):
        raise LineRefused(
            RefusalCode.PAYMENT_CARD_NUMBER,
            sentence("%(field)s holds the number of a payment card, which is not stored here", field=field),
            field,
            sentence("send the payment provider's token or an id of your own instead"),
        )


def _text(value: str | None, field: str, code: RefusalCode = RefusalCode.MALFORMED) -> str | None:
    if value is None:
        return None
    if not value.isprintable() and (character := unseen(value)):
        raise _not_allowed(character, code, field)
    if not value or len(value) > LONGEST_TEXT:
        raise LineRefused(
            code,
            sentence(
                "%(field)s must be 1 to %(longest_text)s characters", field=field, longest_text=LONGEST_TEXT
            ),
            field,
            sentence("shorten or fill it"),
        )
    if len(value) >= payment_cards.SHORTEST:
        refuse_card_number(value, field, "id")
    if value.isascii():
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        raise LineRefused(
            code, sentence("%(field)s is not valid Unicode text", field=field), field, sentence("send UTF-8")
        ) from None
    return value


def _not_allowed(character: str, code: RefusalCode, field: str) -> LineRefused:
    message = sentence(
        "%(field)s holds a character that is not allowed, %(character)s", field=field, character=character
    )
    return LineRefused(code, message, field, sentence("remove it"))


_names: Final[set[str]] = set()
"""Names of sources, shops and channels that were found sound: they come again with every activity."""


def _name(value: str | None, field: str) -> str | None:
    """`_text` for what few different texts are sent as."""
    if value is None or value in _names:
        return value
    _text(value, field)
    if len(_names) < _REMEMBERED:
        _names.add(value)
    return value


@lru_cache(maxsize=_REMEMBERED)
def _goods_sound(category: str, sku: str) -> bool:
    """Whether nothing is to be refused about a line's category and product code."""
    return (
        len(category) <= LONGEST_TEXT
        and len(sku) <= LONGEST_TEXT
        and not unseen(category + sku)
        and not payment_cards.holds_number(category, "product")
        and not payment_cards.holds_number(sku, "product")
    )


def _unsound_goods(line: WireLine, field: str) -> LineRefused:
    for name, text in (("category", line.category), ("sku", line.sku)):
        if character := unseen(text):
            return _not_allowed(character, RefusalCode.INVALID_LINES, f"{field}.{name}")
    if max(len(line.category), len(line.sku)) <= LONGEST_TEXT:
        refuse_card_number(line.sku, f"{field}.sku", "product")
        refuse_card_number(line.category, f"{field}.category", "product")
    return LineRefused(
        RefusalCode.INVALID_LINES,
        sentence("category and sku are at most %(longest_text)s characters", longest_text=LONGEST_TEXT),
        field,
        sentence("shorten them"),
    )


def _instant_of(text: str) -> int:
    try:
        found = datetime.fromisoformat(text) if text.isascii() else None
    except ValueError:
        found = None
    if found is None or found.tzinfo is None or len(text) > 40:
        raise LineRefused(
            RefusalCode.INVALID_INSTANT,
            sentence("occurred_at must be an ISO 8601 instant with its offset"),
            "occurred_at",
            sentence("write it as 2026-03-01T10:00:00+01:00"),
        )
    try:
        at = instant(found)
    except OverflowError:
        at = -1
    if at < EARLIEST:
        raise LineRefused(
            RefusalCode.INVALID_INSTANT,
            sentence("occurred_at is before 1970"),
            "occurred_at",
            sentence("check the year"),
        )
    return at


def _sent(raw: Amount) -> bool:
    return raw is not ABSENT and bytes(raw) not in (b"", b"null")


@lru_cache(maxsize=_REMEMBERED)
def _usual_amount(text: bytes, decimals: int) -> int | None:
    """An amount in the form that nearly all have, with exactly so many decimals, far below the largest."""
    usual = _USUAL.get(decimals)
    found = usual.fullmatch(text) if usual is not None else None
    return int(found[2] + found[3]) if found is not None else None


def _money(raw: Amount, field: str, decimals: int) -> int:
    if raw is ABSENT:
        return 0
    text = bytes(raw)
    if len(text) < _SHORT:
        # Prices come again and again.
        known = _usual_amount(text, decimals)
        if known is not None:
            return known
    if text in (b"", b"null"):
        return 0
    found = _AMOUNT.fullmatch(text)
    try:
        if found is None:
            shown = text[:40].decode("utf-8", "replace")
            raise AmountError(sentence('%(shown)s is not a plain decimal such as "42.10"', shown=shown))
        return to_minor(found.group(2).decode(), decimals)
    except AmountError as error:
        raise LineRefused(
            RefusalCode.INVALID_AMOUNT,
            sentence("%(field)s: %(error)s", field=field, error=error),
            field,
            sentence(
                "send digits with at most %(decimals)s decimals, at most %(maximum_minor)s",
                decimals=decimals,
                maximum_minor=from_minor(MAXIMUM_MINOR, decimals),
            ),
        ) from None


def _needed(raw: Amount, field: str, decimals: int) -> int:
    """An amount that may not be left out: null, which stands for what is not there, is refused."""
    if not _sent(raw):
        raise LineRefused(
            RefusalCode.INVALID_AMOUNT,
            sentence("%(field)s is missing", field=field),
            field,
            sentence("send it; see the form of an activity in the API reference"),
        )
    return _money(raw, field, decimals)


def _fact(wire: WireActivity, timeline: Timeline, program_key: str, now: int) -> Fact:
    if wire.program is not None and wire.program != program_key:
        raise LineRefused(
            RefusalCode.OTHER_PROGRAM,
            sentence("this key is for the program %(program_key)s", program_key=program_key),
            "program",
            sentence("use that program's own key"),
        )
    source, identifier = _name(wire.source, "source"), _text(wire.id, "id")
    assert source is not None
    assert identifier is not None
    if source == OWN_SOURCE or source.startswith(RESERVED):
        raise LineRefused(
            RefusalCode.RESERVED_SOURCE,
            sentence("this source is the platform's own"),
            "source",
            sentence("name the system that sends, such as till-3"),
        )
    if wire.sale is not None and (wire.sale.source, wire.sale.id) == (source, identifier):
        raise LineRefused(
            RefusalCode.MALFORMED,
            sentence("it names itself as its sale"),
            "sale",
            sentence("name the sale that it belongs to"),
        )
    at = _instant_of(wire.occurred_at)
    if at > now + FUTURE_ALLOWED:
        raise LineRefused(
            RefusalCode.IN_THE_FUTURE,
            sentence("occurred_at is more than 5 minutes ahead of the server's clock"),
            "occurred_at",
            sentence("check the sender's clock and offset, then send it again"),
        )
    plan = timeline.at(at)
    if plan is None:
        raise LineRefused(
            RefusalCode.BEFORE_PROGRAM,
            sentence("the program had not begun at this instant"),
            "occurred_at",
            sentence("send activities dated after the first version takes effect"),
        )
    kind = wire.type
    if kind != RETURN and (kind not in plan.activities or kind in MADE):
        if kind in COMMANDS or kind in DERIVED:
            remedy = sentence("redemptions, adjustments and transfers have their own endpoints")
        elif kind in MADE:
            remedy = sentence("the platform makes these itself, when a member joins, pairs or has a birthday")
        else:
            remedy = sentence(
                "use one of: %(names)s", names=", ".join([*sorted(plan.activities.keys() - MADE), RETURN])
            )
        raise LineRefused(
            RefusalCode.UNKNOWN_TYPE,
            sentence("the program has no activity type %(kind)r", kind=kind[:60]),
            "type",
            remedy,
        )
    if wire.currency is not None and wire.currency != plan.program.currency:
        raise LineRefused(
            RefusalCode.WRONG_CURRENCY,
            sentence(
                "currency is %(currency)r; the program counts in %(currency_2)s",
                currency=wire.currency[:20],
                currency_2=plan.program.currency,
            ),
            "currency",
            sentence("convert the amount, or leave the currency out"),
        )
    channel, location = _name(wire.channel, "channel"), _name(wire.location, "location")
    partner = _name(wire.partner, "partner")
    ticket = _text(wire.ticket_number, "ticket_number")
    if ticket is not None and kind != SALE:
        raise LineRefused(
            RefusalCode.MALFORMED,
            sentence("only a sale has a ticket number"),
            "ticket_number",
            sentence("leave it out"),
        )
    if kind == RETURN:
        return _return(wire, plan, source, identifier, at, channel, location, partner)
    declared = plan.declared.get(kind)
    if declared is not None and declared.withdraws is not None:
        if wire.sale is None:
            raise LineRefused(
                RefusalCode.MALFORMED,
                sentence("it takes back a %(withdraws)s", withdraws=declared.withdraws),
                "sale",
                sentence("name what it takes back"),
            )
        return Fact(
            source,
            identifier,
            RETURN,
            at,
            channel=channel,
            location=location,
            partner=partner,
            attributes=attributes_of(wire.attributes, declared.attributes),
            sale=_reference(wire.sale, "sale"),
            whole=True,
            reason=kind,
        )
    if wire.returned or wire.whole:
        raise LineRefused(
            RefusalCode.INVALID_LINES,
            sentence("returned and whole belong to a return"),
            "returned",
            sentence("leave them out"),
        )
    exponent = plan.exponent
    amount = _money(wire.amount, "amount", exponent)
    if kind == SALE and not _sent(wire.amount):
        raise LineRefused(
            RefusalCode.INVALID_AMOUNT,
            sentence("a sale needs its amount"),
            "amount",
            sentence("send the total paid"),
        )
    if _sent(wire.amount) and (kind == VISIT or (declared is not None and not declared.money)):
        raise LineRefused(
            RefusalCode.INVALID_AMOUNT,
            sentence("a %(kind)s has no amount", kind=kind),
            "amount",
            sentence("send a sale instead"),
        )
    tax = _money(wire.tax, "tax", exponent)
    shipping = _money(wire.shipping, "shipping", exponent)
    if tax > amount or shipping > amount:
        field = "tax" if tax > amount else "shipping"
        raise LineRefused(
            RefusalCode.INVALID_AMOUNT,
            sentence("%(field)s is more than the amount it is a part of", field=field),
            field,
            sentence("amount is all that was paid, tax and shipping inside"),
        )
    lines = _lines(wire.lines, exponent)
    carried = 0
    for line in lines:
        if line.kind == "shipping":
            carried += line.amount
    if shipping and any(line.kind == "shipping" for line in lines):
        raise LineRefused(
            RefusalCode.INVALID_LINES,
            sentence("shipping is told both as a field and as a line"),
            "shipping",
            sentence("keep one of the two"),
        )
    if carried > amount:
        raise LineRefused(
            RefusalCode.INVALID_LINES,
            sentence("shipping lines are more than the amount"),
            "lines",
            sentence("check the amounts"),
        )
    sale = wire.sale
    if sale is not None and not timeline.releases(kind, at):
        raise LineRefused(
            RefusalCode.MALFORMED,
            sentence("only returns and activities that release pending points name a sale"),
            "sale",
            sentence("leave it out"),
        )
    if kind in plan.releasing and sale is None:
        raise LineRefused(
            RefusalCode.MALFORMED,
            sentence("this activity releases the points of a sale"),
            "sale",
            sentence("name the sale"),
        )
    attributes = attributes_of(wire.attributes, declared.attributes if declared is not None else {})
    if kind == FEE:
        asked = plan.memberships[str(attributes["membership"])].fee
        if amount < asked:
            raise LineRefused(
                RefusalCode.INVALID_AMOUNT,
                sentence("the fee is %(asked)s", asked=from_minor(asked, exponent)),
                "amount",
                sentence("send what was paid, at least the fee"),
            )
    return Fact(
        source,
        identifier,
        kind,
        at,
        amount,
        tax,
        shipping,
        _money(wire.discount, "discount", exponent),
        lines,
        _tenders(wire.tenders, amount, exponent),
        channel,
        location,
        partner,
        attributes,
        _reference(sale, "sale") if sale is not None else None,
        ticket_number=ticket,
    )


def _reference(wire: WireReference, field: str) -> Reference:
    source, identifier = _text(wire.source, f"{field}.source"), _text(wire.id, f"{field}.id")
    assert source is not None
    assert identifier is not None
    return Reference(source, identifier)


def _lines(wires: Sequence[WireLine], exponent: int) -> tuple[Line, ...]:
    if not wires:
        return ()
    if len(wires) > MAX_ITEMS:
        raise LineRefused(
            RefusalCode.INVALID_LINES,
            sentence("more than %(max_items)s lines", max_items=MAX_ITEMS),
            "lines",
            sentence("add up lines of one category"),
        )
    lines = []
    for number, wire in enumerate(wires):
        if not 0 <= wire.quantity <= 10**9:
            raise LineRefused(
                RefusalCode.INVALID_LINES,
                sentence("quantity must be a whole number from 0 to 1000000000"),
                f"lines[{number}].quantity",
                sentence("send 0 for goods sold by weight"),
            )
        if not _goods_sound(wire.category, wire.sku):
            raise _unsound_goods(wire, f"lines[{number}]")
        text = bytes(wire.amount)
        amount = _usual_amount(text, exponent) if len(text) < _SHORT else None
        if amount is None:
            amount = _needed(wire.amount, f"lines[{number}].amount", exponent)
        lines.append(Line(wire.category, wire.sku, wire.quantity, amount, wire.kind))
    return tuple(lines)


def _tenders(wires: Sequence[WireTender], amount: int, exponent: int) -> tuple[Tender, ...]:
    if not wires:
        return ()
    tenders = []
    named = 0
    for number, wire in enumerate(wires):
        kind = _text(wire.kind, f"tenders[{number}].kind", RefusalCode.INVALID_TENDERS)
        assert kind is not None
        redemption = None
        if wire.redemption is not None:
            if kind != "points":
                raise LineRefused(
                    RefusalCode.INVALID_TENDERS,
                    sentence("only a points tender names a redemption"),
                    f"tenders[{number}].redemption",
                    sentence("leave it out"),
                )
            redemption = _reference(wire.redemption, f"tenders[{number}].redemption")
            named += 1
        tenders.append(Tender(kind, _needed(wire.amount, f"tenders[{number}].amount", exponent), redemption))
    if named > 1 or len(tenders) > 20:
        raise LineRefused(
            RefusalCode.INVALID_TENDERS,
            sentence("too many tenders"),
            "tenders",
            sentence("at most 20, one of them by redemption"),
        )
    if sum(tender.amount for tender in tenders) != amount:
        raise LineRefused(
            RefusalCode.INVALID_TENDERS,
            sentence("the tenders do not add up to the amount"),
            "tenders",
            sentence("check the amounts"),
        )
    return tuple(tenders)


def attributes_of(
    given: dict[str, str | int | bool | float | None], declared: dict[str, Attribute]
) -> dict[str, str | int | bool]:
    """Declared attributes as the engine takes them; raises LineRefused naming the one that does not fit."""
    if not given and not declared:
        return {}
    result: dict[str, str | int | bool] = {}
    for name, value in given.items():
        attribute = declared.get(name)
        if attribute is None:
            known = ", ".join(declared) or "none"
            raise LineRefused(
                RefusalCode.INVALID_ATTRIBUTE,
                sentence("%(name)r is not declared", name=name[:60]),
                f"attributes.{name[:60]}",
                sentence("declared for this type: %(known)s", known=known),
            )
        if value is not None:
            holds: payment_cards.Holds = "product" if attribute.product_code else "text"
            refuse_card_number(str(value), f"attributes.{name}", holds)
            result[name] = attribute_value(name, value, attribute)
    for name, attribute in declared.items():
        if attribute.required and name not in result:
            raise LineRefused(
                RefusalCode.INVALID_ATTRIBUTE,
                sentence("%(name)s is required", name=name),
                f"attributes.{name}",
                sentence("send it"),
            )
    return result


def attribute_value(name: str, value: str | int | bool | float, attribute: Attribute) -> str | int | bool:
    """A declared attribute's value as the engine takes it; raises LineRefused where it does not fit."""
    kind = attribute.type
    problem = sentence("%(name)s must be of type %(kind)s", name=name, kind=kind)
    if kind == "boolean" and isinstance(value, bool):
        return value
    if kind == "integer" and isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 53:
        return value
    if kind == "decimal" and not isinstance(value, bool | float):
        try:
            return to_minor(str(value), attribute.decimals)
        except AmountError as error:
            problem = sentence("%(name)s: %(error)s", name=name, error=error)
    elif kind == "decimal":
        problem = sentence('%(name)s must be a decimal in quotes, such as "1.50"', name=name)
    if kind == "text" and isinstance(value, str):
        if character := unseen(value):
            problem = sentence(
                "%(field)s holds a character that is not allowed, %(character)s",
                field=name,
                character=character,
            )
        elif len(value) <= LONGEST_TEXT:
            if attribute.choices is None or value in attribute.choices:
                return value
            problem = sentence(
                "%(name)s must be one of %(names)s", name=name, names=", ".join(attribute.choices)
            )
        else:
            problem = sentence(
                "%(name)s is at most %(longest_text)s characters", name=name, longest_text=LONGEST_TEXT
            )
    if kind == "date" and isinstance(value, str):
        try:
            return date.fromisoformat(value).toordinal()
        except ValueError:
            problem = sentence("%(name)s must be a date such as 2026-03-01", name=name)
    raise LineRefused(
        RefusalCode.INVALID_ATTRIBUTE, problem, f"attributes.{name}", sentence("correct the value")
    )


def _return(
    wire: WireActivity,
    plan: Plan,
    source: str,
    identifier: str,
    at: int,
    channel: str | None,
    location: str | None,
    partner: str | None,
) -> Fact:
    if wire.sale is None:
        raise LineRefused(
            RefusalCode.MALFORMED,
            sentence("a return names its sale"),
            "sale",
            sentence("send sale.source and sale.id"),
        )
    if wire.lines or wire.tenders or wire.attributes:
        raise LineRefused(
            RefusalCode.INVALID_LINES,
            sentence("a return has no lines, tenders or attributes of its own"),
            "lines",
            sentence("name what comes back in returned"),
        )
    amount = _money(wire.amount, "amount", plan.exponent)
    if wire.whole + bool(wire.returned) + _sent(wire.amount) == 0 or (
        wire.whole and (wire.returned or _sent(wire.amount))
    ):
        raise LineRefused(
            RefusalCode.INVALID_LINES,
            sentence("a return says what comes back: returned lines, an amount, or the whole"),
            "returned",
            sentence("send returned, amount, or whole: true"),
        )
    returned = []
    if len(wire.returned) > MAX_ITEMS:
        raise LineRefused(
            RefusalCode.INVALID_LINES,
            sentence("more than %(max_items)s lines", max_items=MAX_ITEMS),
            "returned",
            sentence("split the return"),
        )
    for number, item in enumerate(wire.returned):
        if not 1 <= item.line <= MAX_ITEMS or not 0 <= item.quantity <= 10**9:
            raise LineRefused(
                RefusalCode.INVALID_LINES,
                sentence("line counts from 1, quantity from 0"),
                f"returned[{number}]",
                sentence("check the line's number"),
            )
        if not _sent(item.amount) and not item.quantity:
            raise LineRefused(
                RefusalCode.INVALID_LINES,
                sentence("a returned line needs an amount or a quantity"),
                f"returned[{number}]",
                sentence("send one of them"),
            )
        money = _money(item.amount, f"returned[{number}].amount", plan.exponent)
        returned.append(ReturnedLine(item.line - 1, money, item.quantity))
    return Fact(
        source,
        identifier,
        RETURN,
        at,
        amount,
        channel=channel,
        location=location,
        partner=partner,
        sale=_reference(wire.sale, "sale"),
        returned=tuple(returned),
        whole=wire.whole,
    )
