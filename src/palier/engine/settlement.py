"""Settlement of a coalition: what partners owe for points earned with them, and are owed for points used with them.

Everything follows from the ledger. Each row on an account of a partner is one line, priced by the agreement in
force when the points were earned or used: what takes back or gives back has the price of what it undoes, so an
undone line costs nothing whenever it is undone.

Rounding: a line's amount is exact (points times price, in units of 10^-12 of the program's money), and so are the
sums of days. A statement rounds once for each of its three parts (owed for points earned, of that paid ahead, owed
to the partner for points used), halves away from zero; what is to be paid is the difference of the rounded parts.
The operator's side is the same lines with the opposite sign: rounding is symmetric, so both sides are equal to the
last minor unit, and all statements of a period together with the operator's are nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

import msgspec
from msgspec import Struct

from palier.engine.amounts import divide, from_minor
from palier.engine.compiled import PRICE_DECIMALS, Terms
from palier.engine.plan import Timeline

EXACT: Final = 12
"""Decimals of an exact amount: those of a price and those of the finest point currency."""
_POINT_DECIMALS: Final = EXACT - PRICE_DECIMALS

Kind = Literal["issued", "reversed", "used", "given_back"]
KINDS: Final[tuple[Kind, ...]] = ("issued", "reversed", "used", "given_back")


class Entry(Struct, frozen=True):
    """One row of the ledger on an account of a partner.

    `id` names the row, the same on every side. `points` (minor units, more than 0) belong to `currency`; `funder`
    issued them ("": the program). `at` is when the row took effect, `recorded_at` when it was written. `source` and
    `activity` name what moved the points; `correction` tells a row that undoes one of the same decision.
    """

    id: str
    partner: str
    kind: Kind
    points: int
    currency: str
    funder: str
    at: int
    recorded_at: int
    source: str
    activity: str
    correction: bool


class Line(Struct, frozen=True):
    """An entry with its price (10^-6 of the money for a whole point) and exact amount (10^-12 of the money).

    The amount is what the one whose side it is owes (below 0: is owed). `agreement` is the first date of the
    agreement, "" where none was ever in force; `paid_ahead` tells that its advance pays.
    """

    entry: Entry
    day: int
    agreement: str
    price: int
    amount: int
    paid_ahead: bool


class Sums(Struct):
    """Points by kind (minor units), and the exact amounts owed by the partner for points earned, and to it."""

    issued: int = 0
    reversed: int = 0
    used: int = 0
    given_back: int = 0
    earned_amount: int = 0
    ahead_amount: int = 0
    used_amount: int = 0

    def add(self, line: Line) -> None:
        """Adds a line of the partner's side."""
        kind = line.entry.kind
        setattr(self, kind, getattr(self, kind) + line.entry.points)
        if kind in ("issued", "reversed"):
            self.earned_amount += line.amount
            if line.paid_ahead:
                self.ahead_amount += line.amount
        else:
            self.used_amount -= line.amount


class Statement(Struct):
    """What one partner owes and is owed for the lines of a period, in one point currency.

    `owed` for points earned with it, `paid_ahead` of that out of its advance, `owing` to it for points used with
    it: money minor units. `net` = owed - paid_ahead - owing is what it pays; below 0, what it is paid. `expired`
    are points that it funded and nobody used: they stay paid for by it.
    """

    partner: str
    currency: str
    scale: int
    sums: Sums
    days: dict[int, Sums]
    expired: int = 0
    lines: int = 0
    unpriced: int = 0
    owed: int = 0
    paid_ahead: int = 0
    owing: int = 0

    @property
    def net(self) -> int:
        """What the partner pays, in minor units of the money."""
        return self.owed - self.paid_ahead - self.owing


def place(debit: str, credit: str) -> tuple[str, Kind] | None:
    """The partner and the kind of a ledger row's line; None for a row on no account of a partner."""
    partner, used = _partner(debit)
    if partner:
        return partner, "given_back" if used else "issued"
    partner, used = _partner(credit)
    if partner:
        return partner, "used" if used else "reversed"
    return None


def _partner(account: str) -> tuple[str, bool]:
    """The partner of an account ("" for any other account), and whether used points go there."""
    prefix, _, rest = account.partition(":")
    partner, _, used = rest.partition(":")
    return (partner, bool(used)) if prefix == "partner" else ("", False)


def terms(timeline: Timeline, partner: str, judged: Iterable[tuple[int, int]]) -> Terms | None:
    """The agreement by which a line is priced: of the first of these (version, instant) that has one in force."""
    for version, at in judged:
        plan = timeline.plan_of(version)
        found = plan.partners.get(partner) if plan is not None else None
        if found is not None and (agreement := found.terms(at)) is not None:
            return agreement
    return None


def priced(entry: Entry, agreement: Terms | None, scale: int, day: int) -> Line:
    """The line of an entry, on its partner's side; `scale` is that of its currency, `day` its local day."""
    if agreement is None:
        return Line(entry, day, "", 0, 0, False)
    earned = entry.kind in ("issued", "reversed")
    price = agreement.issue_price if earned else agreement.burn_price
    amount = entry.points * price * 10 ** (_POINT_DECIMALS - scale)
    sign = 1 if entry.kind in ("issued", "given_back") else -1
    return Line(entry, day, agreement.from_, price, sign * amount, earned and agreement.prepaid > 0)


def mirrored(line: Line) -> Line:
    """The same line on the operator's side, or back on the partner's."""
    return msgspec.structs.replace(line, amount=-line.amount)


def statements(
    lines: Iterable[Line], exponent: int, scales: dict[str, int], expired: dict[tuple[str, str], int]
) -> list[Statement]:
    """The statements of lines of the partners' sides, by partner and currency; the money has `exponent` decimals.

    `expired`: points that expired in the period, by (funder, currency).
    """
    found: dict[tuple[str, str], Statement] = {}

    def of(partner: str, currency: str) -> Statement:
        key = (partner, currency)
        if key not in found:
            found[key] = Statement(partner, currency, scales.get(currency, 0), Sums(), {})
        return found[key]

    for line in lines:
        statement = of(line.entry.partner, line.entry.currency)
        statement.lines += 1
        statement.unpriced += not line.agreement
        statement.sums.add(line)
        statement.days.setdefault(line.day, Sums()).add(line)
    for (funder, currency), points in expired.items():
        if funder:
            of(funder, currency).expired = points
    for statement in found.values():
        statement.owed = rounded(statement.sums.earned_amount, exponent)
        statement.paid_ahead = rounded(statement.sums.ahead_amount, exponent)
        statement.owing = rounded(statement.sums.used_amount, exponent)
        statement.days = dict(sorted(statement.days.items()))
    return [found[key] for key in sorted(found)]


def clearing(given: Iterable[Statement]) -> int:
    """What the operator pays in all for these statements; with their nets it adds up to nothing."""
    return -sum(statement.net for statement in given)


def rounded(amount: int, exponent: int) -> int:
    """An exact amount in minor units of a money of `exponent` decimals, halves away from zero."""
    whole = divide(abs(amount), 10 ** (EXACT - exponent), "half_up")
    return whole if amount >= 0 else -whole


def exact_text(amount: int, exponent: int) -> str:
    """An exact amount as decimal text: all its digits, and never fewer than the money's decimals."""
    text = from_minor(amount, EXACT)
    kept = text.rstrip("0")
    least = len(text) - EXACT + exponent
    return text[: max(len(kept), least)] if exponent else kept.rstrip(".") or "0"


def price_text(price: int) -> str:
    """The price of a whole point as decimal text."""
    return from_minor(price, PRICE_DECIMALS).rstrip("0").rstrip(".")
