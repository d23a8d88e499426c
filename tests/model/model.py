"""The small model: what one member's end state must be, computed the slow and plain way.

It is written from the meaning of the words alone and shares nothing with the engine but the types of the
program document, so that a fault has to be made twice to go unseen. Everything is recomputed from the first
fact each time; state is plain lists and dicts; amounts are ints in minor units and exact fractions.

`fold(program, facts).end(as_of)` is the whole interface. A fact is a dict:

    type        "sale", "return", "visit", a custom type, or a command: "redeem", "hold", "capture",
                "release", "refund", "adjust", "grant_tier", "revoke_tier", "left" (the last fact of a member)
    source, id  who says it, and its name there
    at          instant, microseconds since 1970 UTC
    amount, tax, shipping, discount            minor units of the program's money
    lines       [{"category", "sku", "quantity", "amount", "kind"}]
    tenders     [{"kind", "amount", "redemption": {"source", "id"}}]
    sale        {"source", "id"}: the sale a return or a release activity names
    points, currency                           minor points, for redeem, hold, adjust (signed), capture (part),
                                               refund
    hold        {"source", "id"}: the hold a capture or release names
    undoes      {"source", "id"}: the redemption, or the captured hold, that a refund names; the given tier
                that a revoke_tier names
    attributes  {"tier", "until"} of a grant_tier

A return has `lines` ([{"line": index, "amount": minor}]), or `amount`, or `"whole": True`. A hold may have
its own `hold_until`; an activity may carry what was known of its member: `member` (attributes), `segments`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from palier.engine import program as document

Fact = dict[str, Any]
Ref = tuple[str, str]

COMMANDS = ("redeem", "hold", "capture", "release", "refund", "adjust", "grant_tier", "revoke_tier", "left")
FUNDER = ""
EXPONENTS = {"JPY": 0, "KRW": 0, "XPF": 0, "TND": 3, "BHD": 3, "KWD": 3}
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
PERIODS = ("day", "week", "month", "year", "lifetime")


# --- the local calendar -----------------------------------------------------------------------------

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def local(at: int, zone: ZoneInfo) -> datetime:
    """The clock on the wall at an instant."""
    return (EPOCH + at * MICROSECOND).astimezone(zone)


def instant(wall: datetime, zone: ZoneInfo) -> int:
    """The instant of a wall clock time: the first of two; one that is skipped counts by the offset before."""
    return (wall.replace(tzinfo=zone, fold=0).astimezone(UTC) - EPOCH) // MICROSECOND


def add_days(at: int, days: int, zone: ZoneInfo) -> int:
    """The same clock time, `days` local days later."""
    if days == 0:
        return at
    return instant(local(at, zone).replace(tzinfo=None) + timedelta(days=days), zone)


def day_start(day: date, zone: ZoneInfo) -> int:
    return instant(datetime.combine(day, time()), zone)


def month_start(year: int, month: int, zone: ZoneInfo) -> int:
    """First instant of a month, where month may run past 12."""
    return day_start(date(year + (month - 1) // 12, (month - 1) % 12 + 1, 1), zone)


def period_of(at: int, per: str, zone: ZoneInfo) -> str:
    """The name of the local period an instant is in."""
    day = local(at, zone).date()
    if per == "day":
        return day.isoformat()
    if per == "week":
        return (day - timedelta(days=day.weekday())).isoformat()
    if per == "month":
        return f"{day.year}-{day.month:02}"
    if per == "quarter":
        return f"{day.year}q{(day.month - 1) // 3}"
    if per == "year":
        return f"{day.year}"
    return "life"


def period_starts(at: int, per: str, zone: ZoneInfo) -> tuple[int, int, int]:
    """Starts of the period before, of the present one and of the next (month, quarter, year)."""
    day = local(at, zone).date()
    length = {"month": 1, "quarter": 3, "year": 12}[per]
    first = (day.month - 1) // length * length + 1
    months = (day.year - 1) * 12 + first
    return tuple(month_start(1, months + step * length, zone) for step in (-1, 0, 1))  # type: ignore[return-value]


# --- numbers ----------------------------------------------------------------------------------------


def rounded(value: Fraction, mode: str) -> int:
    floor = value.numerator // value.denominator
    rest = value - floor
    if mode == "floor" or rest == 0:
        return floor
    if mode == "ceiling":
        return floor + 1
    if rest != Fraction(1, 2):
        return floor + (rest > Fraction(1, 2))
    if mode == "half_up":
        return floor + 1
    return floor + floor % 2


def shares(total: int, weights: list[int]) -> list[int]:
    """`total` split in proportion to `weights`: largest remainder, ties to the first. No weight, no share."""
    whole = sum(weights)
    if whole == 0:
        return [0 for _ in weights]
    parts = [total * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: (-(total * weights[i] % whole), i))
    for i in by_remainder[: total - sum(parts)]:
        parts[i] += 1
    return parts


def ref(value: dict[str, str]) -> Ref:
    return value["source"], value["id"]


# --- what comes out ---------------------------------------------------------------------------------


@dataclass
class CurrencyEnd:
    """One wallet. `lots`: (expires_at, funder) -> the columns of the lot."""

    lots: dict[tuple[int | None, str], dict[str, int]] = field(default_factory=dict)
    pending: int = 0
    debt: int = 0
    posted: int = 0
    held: int = 0


@dataclass
class End:
    """What is so at an instant, due work of that instant included.

    `metrics` is one dict {"spend", "points", "visits"} for a rolling or lifetime window, and two (this
    period, the last) for a calendar window. `earned`: what each activity brings, after its returns.
    """

    currencies: dict[str, CurrencyEnd]
    tier: str | None
    tier_until: int | None
    tier_history: list[tuple[int, str]]
    metrics: list[dict[str, int]]
    earned: dict[Ref, dict[str, int]]


class MemberEnd:
    """The fold of one member's facts, to be read at any instant."""

    def __init__(self, program: document.Program, facts: list[Fact]) -> None:
        self.program = program
        self.facts = in_order(facts)

    def end(self, as_of: int | None = None) -> End:
        """The state at `as_of` (by default, the last fact's instant), from the facts that act until then."""
        if as_of is None:
            as_of = max((acts_at for acts_at, _ in self.facts), default=0)
        member = Member(self.program)
        for acts_at, fact in self.facts:
            if acts_at <= as_of:
                member.act(acts_at, fact)
        member.run_due(as_of)
        return member.end()


def fold(program: document.Program, facts: list[Fact]) -> MemberEnd:
    """What a set of facts comes to, whatever their order in the list; a repeated fact counts once."""
    return MemberEnd(program, facts)


def in_order(facts: list[Fact]) -> list[tuple[int, Fact]]:
    """(instant at which it acts, fact), in the order of the fold."""
    known = {ref(fact): fact for fact in reversed(facts)}
    positions: list[tuple[tuple[Any, ...], tuple[Any, ...], Fact]] = []
    for fact in known.values():
        rank = 1 if fact["type"] in COMMANDS else 0
        own = (fact["at"], rank, *ref(fact))
        if fact["type"] != "return":
            positions.append((own, (), fact))
            continue
        sale = known.get(ref(fact["sale"]))
        if sale is None or sale["type"] != "sale":
            continue  # parked: nothing happens until the sale is known
        if fact["at"] <= sale["at"]:
            positions.append(((sale["at"], 0, *ref(sale)), own, fact))
        else:
            positions.append((own, (), fact))
    positions.sort(key=lambda position: position[:2])
    return [(position[0][0], position[2]) for position in positions]


# --- the sale and what is kept of it ----------------------------------------------------------------


def kept_of(sale: Fact, returns: list[Fact]) -> Fact:
    """The sale as if only what was not returned had been bought. Depends on the set of returns only.

    Lines of goods bear the goods, lines of shipping the shipping, each by largest remainder; what no line
    bears stands apart. `paid_back` is the money that came back; `amount` is 0 once no goods are kept.
    """
    amount = sale.get("amount", 0)
    lines = [dict(line) for line in sale.get("lines") or []]
    of_shipping = [line.get("kind", "product") == "shipping" for line in lines]
    goods_weights = [0 if ships else line["amount"] for line, ships in zip(lines, of_shipping, strict=True)]
    shipping_weights = [
        line["amount"] if ships else 0 for line, ships in zip(lines, of_shipping, strict=True)
    ]
    shipping = min(sale.get("shipping", 0) or sum(shipping_weights), amount)
    goods = amount - shipping
    full = [
        sum(pair)
        for pair in zip(shares(goods, goods_weights), shares(shipping, shipping_weights), strict=True)
    ]
    full += [0 if sum(goods_weights) else goods, 0 if sum(shipping_weights) else shipping]
    holds = list(full)
    taken = [0] * len(lines)
    units = [0] * len(lines)
    by_amount = 0
    for each in returns:
        if each.get("whole"):
            by_amount += amount
        for line in each.get("lines") or []:
            taken[line["line"]] += line.get("amount", 0)
            units[line["line"]] += line.get("quantity", 0)
        by_amount += each.get("amount", 0)
    for i, line in enumerate(lines):
        count = line.get("quantity", 1)
        by_units = share(full[i], min(units[i], count), count)
        holds[i] -= min(taken[i] + by_units, holds[i])
    spread = shares(min(by_amount, sum(holds)), holds)
    holds = [held - part for held, part in zip(holds, spread, strict=True)]

    result = dict(sale)
    kept = sum(holds)
    result["paid_back"] = amount - kept
    kept_shipping = holds[-1] + sum(held for held, ships in zip(holds, of_shipping, strict=False) if ships)
    nothing = kept == 0 or (goods > 0 and kept == kept_shipping)  # shipping alone is no purchase
    for i, line in enumerate(lines):
        count = line.get("quantity", 1)
        if full[i] > 0:
            line["quantity"] = rounded(Fraction(count * holds[i], full[i]), "half_up")
            line["gone"] = nothing or holds[i] == 0
        else:
            line["quantity"] = max(0, count - units[i])
            line["gone"] = nothing or (count > 0 and line["quantity"] == 0)
        line["amount"] = 0 if nothing else holds[i]
    result["amount"] = 0 if nothing else kept
    result["lines"] = lines
    tenders = [dict(tender) for tender in sale.get("tenders") or []]
    paid = [tender["amount"] for tender in tenders]
    for tender, part in zip(tenders, shares(result["amount"], paid), strict=True):
        tender["amount"] = part
    result["tenders"] = tenders
    result["shipping"] = 0 if nothing else kept_shipping
    for name in ("tax", "discount"):
        result[name] = share(sale.get(name, 0), result["amount"], amount)
    return result


def share(value: int, part: int, whole: int) -> int:
    """value x part / whole, floor; nothing of nothing."""
    return value * part // whole if whole else 0


def is_goods(line: dict[str, Any]) -> bool:
    return bool(line.get("kind", "product") != "shipping" and not line.get("gone"))


@dataclass
class Part:
    """A part of a base: one line, the goods without lines, or the shipping. `tenders`: (kind, amount)."""

    amount: int
    tenders: list[tuple[str | None, int]]


# --- the member -------------------------------------------------------------------------------------


class Member:
    """Everything about one member while his facts act one after the other."""

    def __init__(self, program: document.Program) -> None:
        self.program = program
        self.zone = ZoneInfo(program.time_zone)
        self.now = 0
        self.exponent = EXPONENTS.get(program.currency, 2)
        self.currencies = {currency.key: currency for currency in program.point_currencies}
        self.lots: list[dict[str, Any]] = []
        self.debt = dict.fromkeys(self.currencies, 0)
        self.sales: dict[Ref, dict[str, Any]] = {}  # every activity that can earn, not sales alone
        self.former: dict[
            Ref, dict[str, Any]
        ] = {}  # those of a member who has left: told, and counted by nothing
        self.holds: dict[Ref, dict[str, Any]] = {}
        self.redemptions: dict[Ref, dict[str, Any]] = {}
        self.used: dict[tuple[str, str, str, str], int] = {}
        self.carry: dict[str, Fraction] = {}
        self.settling = True
        self.tier = 0  # the one earned
        self.given: dict[Ref, tuple[int, int]] = {}
        self.shown = 0  # the one held: earned or given
        self.tier_until: int | None = None
        self.landed_until: int | None = None
        self.tier_history: list[tuple[int, str]] = []
        self.tier_clock: int | None = None

    # -- one fact --

    def act(self, at: int, fact: Fact) -> None:
        self.run_due(at)
        kind = fact["type"]
        if kind == "return":
            self.take_return(fact)
        elif kind == "redeem":
            taken, lacking = self.take(fact["currency"], fact["points"], "redeemed")
            self.owe(fact["currency"], lacking)
            self.redeemed([ref(fact)], fact["currency"], fact["points"], taken, lacking)
        elif kind == "adjust":
            if fact["points"] > 0:
                lot = self.lot(fact["currency"], self.currencies[fact["currency"]].expiry, at)
                self.credit(lot, fact["points"], at)
            else:
                _, lacking = self.take(fact["currency"], -fact["points"], "redeemed")
                self.owe(fact["currency"], lacking)
        elif kind == "hold":
            taken, lacking = self.take(fact["currency"], fact["points"], "held")
            ends = fact.get("hold_until") or at + self.program.hold_minutes * 60_000_000
            self.holds[ref(fact)] = {
                "currency": fact["currency"],
                "points": fact["points"],
                "taken": taken,
                "lacking": lacking,
                "ends": ends,
                "open": True,
            }
        elif kind in ("capture", "release"):
            hold = self.holds.get(ref(fact["hold"]))
            if hold is not None and hold["open"]:
                captured = fact.get("points", hold["points"]) if kind == "capture" else 0
                self.close_hold(hold, captured, [ref(fact), ref(fact["hold"])])
        elif kind == "grant_tier":
            keys = [tier.key for tier in self.program.tiers.tiers] if self.program.tiers else []
            if fact["attributes"]["tier"] in keys:
                self.given[ref(fact)] = (keys.index(fact["attributes"]["tier"]), fact["attributes"]["until"])
            self.show_tier()
        elif kind == "revoke_tier":
            self.given.pop(ref(fact["undoes"]), None)
            self.show_tier()
        elif kind == "left":
            self.leave()
        elif kind == "refund":
            redemption = self.redemptions.get(ref(fact["undoes"]))
            if redemption is not None:
                redemption["asked_back"] += fact["points"]
                self.give_back(redemption)
        else:
            self.take_activity(fact)
        if kind not in COMMANDS:
            self.review_tier("return" if kind == "return" else "activity")

    def leave(self) -> None:
        """What is held is freed and what waits comes, in that order; all that can be spent lapses. Debt stays owed.

        Nothing that he did counts any more: no tier, no room, no remainder, no ordinal.
        """
        for hold in self.holds.values():
            if hold["open"]:
                self.close_hold(hold, 0, [])
        with self.together():
            for sale in self.sales.values():
                for portion in sale["portions"]:
                    self.release_portion(sale, portion)
        for lot in self.lots:
            lot["expired"] += lot["remaining"]
            lot["remaining"] = 0
        self.former.update(self.sales)
        self.sales, self.holds, self.redemptions = {}, {}, {}
        self.used, self.carry, self.given = {}, {}, {}
        self.tier = self.shown = 0
        self.tier_until = self.landed_until = None

    # -- due work --

    def run_due(self, until: int) -> None:
        """Everything due until an instant, that instant included, each at its own time."""
        while True:
            due = [at for at in self.due_instants() if at <= until]
            if not due:
                break
            self.now = max(self.now, min(due))
            self.act_due()
        self.now = max(self.now, until)
        self.tier_clock = self.now

    def due_instants(self) -> list[int]:
        due = [hold["ends"] for hold in self.holds.values() if hold["open"]]
        for sale in self.sales.values():
            due += [p["due"] for p in sale["portions"] if p["pending"] and p["due"] is not None]
        for lot in self.lots:
            ends = self.lapses(lot)
            if lot["remaining"] and ends is not None:
                due.append(ends)
        ladder = self.program.tiers
        if ladder is not None and self.tier_clock is not None:
            tier_due = [until for _, until in self.given.values()]
            if self.tier_until is not None:
                tier_due.append(self.tier_until)
            if isinstance(ladder.window, document.WindowRolling):
                tier_due += [
                    add_days(sale["at"], ladder.window.days, self.zone) for sale in self.sales.values()
                ]
            if isinstance(ladder.window, document.WindowCalendar):
                tier_due.append(period_starts(self.tier_clock, ladder.window.period, self.zone)[2])
            due += [at for at in tier_due if at > self.tier_clock]
        return due

    def act_due(self) -> None:
        for hold in list(self.holds.values()):
            if hold["open"] and hold["ends"] <= self.now:
                self.close_hold(hold, 0, [])
        with self.together():
            for sale in list(self.sales.values()):
                for portion in sale["portions"]:
                    if portion["due"] is not None and portion["due"] <= self.now:
                        self.release_portion(sale, portion)
        for lot in self.lots:
            self.expire_if_lapsed(lot)
        self.review_tier("due")
        self.tier_clock = self.now

    def release_portion(self, sale: dict[str, Any], portion: dict[str, Any]) -> None:
        points, portion["pending"], portion["released"] = portion["pending"], 0, True
        self.credit(portion["lot"], points, sale["at"])

    # -- lots --

    def lot(self, currency: str, expiry: document.Expiry, at: int) -> dict[str, Any]:
        """The lot that points earned at an instant belong to."""
        wall = local(at, self.zone)
        if isinstance(expiry, document.ExpiryNever):
            return self.lot_ending(currency, None, 0)
        if isinstance(expiry, document.ExpiryInactivity):
            for lot in self.lots:
                if lot["idle"] == expiry and lot["currency"] == currency and self.now < lot["expires_at"]:
                    return lot
            lot = self.new_lot(currency, add_days(at, expiry.days, self.zone), expiry.grace_days)
            lot["idle"] = expiry
            return lot
        if isinstance(expiry, document.ExpiryRolling):
            ends = add_days(at, expiry.days, self.zone)
        elif isinstance(expiry, document.ExpiryEndOfMonth):
            ends = month_start(wall.year, wall.month + expiry.after_months + 1, self.zone)
        elif isinstance(expiry, document.ExpiryEndOfYear):
            ends = month_start(wall.year + expiry.after_years + 1, 1, self.zone)
        else:
            ends = day_start(date.fromisoformat(expiry.date) + timedelta(days=1), self.zone)
        return self.lot_ending(currency, ends, expiry.grace_days)

    def lot_ending(self, currency: str, expires_at: int | None, grace_days: int) -> dict[str, Any]:
        for lot in self.lots:
            if lot["currency"] == currency and lot["expires_at"] == expires_at and lot["idle"] is None:
                return lot
        return self.new_lot(currency, expires_at, grace_days)

    def new_lot(self, currency: str, expires_at: int | None, grace_days: int) -> dict[str, Any]:
        lot: dict[str, Any] = {
            "currency": currency,
            "expires_at": expires_at,
            "grace": grace_days,
            "idle": None,
            "funder": FUNDER,
            "first_earned": None,
            "earned": 0,
            "redeemed": 0,
            "expired": 0,
            "reversed": 0,
            "held": 0,
            "remaining": 0,
        }
        self.lots.append(lot)
        return lot

    def lapses(self, lot: dict[str, Any]) -> int | None:
        """The first instant at which the lot cannot be spent any more."""
        if lot["expires_at"] is None:
            return None
        return add_days(lot["expires_at"], lot["grace"], self.zone)

    def lapsed(self, lot: dict[str, Any]) -> bool:
        ends = self.lapses(lot)
        return ends is not None and ends <= self.now

    def expire_if_lapsed(self, lot: dict[str, Any]) -> None:
        if self.lapsed(lot):
            lot["expired"] += lot["remaining"]
            lot["remaining"] = 0

    def spendable(self, currency: str) -> list[dict[str, Any]]:
        lots = [
            lot
            for lot in self.lots
            if lot["currency"] == currency and lot["remaining"] and not self.lapsed(lot)
        ]
        return sorted(
            lots,
            key=lambda lot: (
                lot["expires_at"] is None,
                lot["expires_at"] or 0,
                lot["first_earned"],
                lot["funder"],
            ),
        )

    def take(self, currency: str, points: int, column: str) -> tuple[list[list[Any]], int]:
        """Points out of the spendable lots in spending order: [[lot, points]], and what was lacking."""
        taken = []
        for lot in self.spendable(currency):
            part = min(points, lot["remaining"])
            if part:
                lot["remaining"] -= part
                lot[column] += part
                taken.append([lot, part])
                points -= part
        return taken, points

    def credit(self, lot: dict[str, Any], points: int, earned_at: int) -> None:
        if points == 0:
            return
        lot["earned"] += points
        lot["remaining"] += points
        lot["first_earned"] = min(
            earned_at, lot["first_earned"] if lot["first_earned"] is not None else earned_at
        )
        self.put_back(lot)

    def put_back(self, lot: dict[str, Any]) -> None:
        """After anything came into a lot: a lapsed lot keeps nothing, and what can be spent pays debt."""
        self.expire_if_lapsed(lot)
        self.settle(lot["currency"])

    def owe(self, currency: str, points: int) -> None:
        if self.currencies[currency].taking_back != "write_off":
            self.debt[currency] += points
        self.settle(currency)

    @contextmanager
    def together(self) -> Iterator[None]:
        """What comes meanwhile is all there before any of it pays a debt."""
        self.settling = False
        yield
        self.settling = True
        for key in self.currencies:
            self.settle(key)

    def settle(self, currency: str) -> None:
        if not self.settling:
            return
        _, self.debt[currency] = self.take(currency, self.debt[currency], "reversed")

    # -- holds and redemptions --

    def close_hold(self, hold: dict[str, Any], captured: int, names: list[Ref]) -> None:
        """Take the captured part for good, what the hold lacked last; the rest goes back to its lots."""
        hold["open"] = False
        left = captured
        used = []
        freed = []
        for lot, points in hold["taken"]:
            part = min(left, points)
            left -= part
            lot["held"] -= points
            lot["redeemed"] += part
            lot["remaining"] += points - part
            if part:
                used.append([lot, part])
            freed.append(lot)
        for lot in freed:
            self.expire_if_lapsed(lot)
        lacking = min(left, hold["lacking"])
        self.owe(hold["currency"], lacking)
        if captured:
            self.redeemed(names, hold["currency"], captured, used, lacking)

    def redeemed(
        self, names: list[Ref], currency: str, points: int, taken: list[list[Any]], lacking: int
    ) -> None:
        redemption = {
            "currency": currency,
            "points": points,
            "taken": taken,
            "lacking": lacking,
            "back": 0,
            "returned": 0,
            "asked_back": 0,
        }
        for name in names:
            self.redemptions[name] = redemption
        for sale in self.sales.values():
            self.give_back_points(sale)

    def give_back_points(self, sale: dict[str, Any]) -> None:
        """Points that paid for what has been returned, cumulative floor."""
        fact, kept = sale["fact"], sale["kept"]
        for tender in fact.get("tenders") or []:
            name = tender.get("redemption")
            redemption = self.redemptions.get(ref(name)) if name else None
            if redemption is None or fact.get("amount", 0) == 0:
                continue
            back = share(redemption["points"], kept["paid_back"], fact["amount"])
            redemption["returned"] = max(back, redemption["returned"])
            self.give_back(redemption)

    def give_back(self, redemption: dict[str, Any]) -> None:
        """What returns and refunds call for, in all never more than was spent; the last taken first."""
        back = min(redemption["points"], redemption["returned"] + redemption["asked_back"])
        points = back - redemption["back"]
        if points <= 0:
            return
        redemption["back"] = back
        currency = self.currencies[redemption["currency"]]
        day_end = local(self.now, self.zone).date() + timedelta(days=1 + (currency.return_grace_days or 0))
        fresh = day_start(day_end, self.zone)

        part = min(points, redemption["lacking"])
        redemption["lacking"] -= part
        points -= part
        if currency.taking_back != "write_off":
            owed = min(part, self.debt[currency.key])
            self.debt[currency.key] -= owed
            if part > owed:  # repaid since, from no lot in particular: granted as of now
                self.credit(self.lot(currency.key, currency.expiry, self.now), part - owed, self.now)
        for entry in reversed(redemption["taken"]):
            lot, part = entry[0], min(points, entry[1])
            if part == 0:
                continue
            entry[1] -= part
            points -= part
            own = lot["expires_at"]
            if currency.return_grace_days is not None and own is not None and fresh > own:
                other = self.lot_ending(currency.key, fresh, currency_grace(currency))
                self.credit(other, part, lot["first_earned"])
            else:
                lot["redeemed"] -= part
                lot["remaining"] += part
                self.put_back(lot)

    # -- activities --

    def take_activity(self, fact: Fact) -> None:
        at = self.now
        ladder = self.program.tiers
        sale: dict[str, Any] = {
            "fact": fact,
            "at": at,
            "returns": [],
            "portions": [],
            "lots": {},
            "tier": ladder.tiers[self.shown].key if ladder else None,
            "nth": {per: self.count_before(fact["type"], per) + 1 for per in PERIODS},
            "rooms": self.rooms_seen(at),
            "carry_in": dict(self.carry),
        }
        sale["kept"] = kept_of(fact, [])
        sale["points"], sale["carry_out"] = self.rate(sale)
        self.carry.update(sale["carry_out"])
        self.count_used(sale, [0] * len(self.program.rules), sale["points"])
        sale["metrics"] = self.metrics_of(sale)
        self.sales[ref(fact)] = sale
        for currency in {r.currency for r, n in zip(self.program.rules, sale["points"], strict=True) if n}:
            for lot in self.lots:  # an earning activity keeps all that is not past its day alive
                if lot["idle"] and lot["currency"] == currency and at < lot["expires_at"]:
                    lot["expires_at"] = add_days(at, lot["idle"].days, self.zone)
        with self.together():
            for index, points in enumerate(sale["points"]):
                if points:
                    self.bring(sale, index, points)
        if isinstance(fact.get("sale"), dict):
            self.release_sale(fact)

    def bring(self, sale: dict[str, Any], index: int, points: int) -> None:
        """Points of one rule to their lot, at once or as pending."""
        rule = self.program.rules[index]
        lot = self.lot_of(sale, index)
        pending = rule.pending or self.currencies[rule.currency].pending
        portion = next((p for p in sale["portions"] if p["rule"] == index), None)
        if pending is None or (portion is not None and portion["released"]):
            self.credit(lot, points, sale["at"])
            return
        due = (
            add_days(sale["at"], pending.days, self.zone)
            if isinstance(pending, document.PendingDays)
            else None
        )
        if due is not None and due <= self.now:
            self.credit(lot, points, sale["at"])
            return
        if portion is None:
            activity = pending.activity if isinstance(pending, document.PendingUntilActivity) else None
            if activity is not None and activity in sale.get("released_by", ()):
                self.credit(lot, points, sale["at"])
                return
            portion = {
                "rule": index,
                "lot": lot,
                "pending": 0,
                "due": due,
                "activity": activity,
                "released": False,
            }
            sale["portions"].append(portion)
            # what waits for the same, for one lot, comes together, in the order of the first rule that brought it
            first: dict[tuple[Any, ...], int] = {}
            for p in sorted(sale["portions"], key=lambda p: p["rule"]):
                first.setdefault((id(p["lot"]), p["due"], p["activity"]), p["rule"])
            sale["portions"].sort(key=lambda p: (first[id(p["lot"]), p["due"], p["activity"]], p["rule"]))
        portion["pending"] += points

    def lot_of(self, sale: dict[str, Any], index: int) -> dict[str, Any]:
        if index not in sale["lots"]:
            rule = self.program.rules[index]
            expiry = rule.expiry or self.currencies[rule.currency].expiry
            sale["lots"][index] = self.lot(rule.currency, expiry, sale["at"])
        lot: dict[str, Any] = sale["lots"][index]
        return lot

    def release_sale(self, fact: Fact) -> None:
        sale = self.sales.get(ref(fact["sale"]))
        if sale is None:
            return
        sale.setdefault("released_by", set()).add(fact["type"])
        with self.together():
            for portion in sale["portions"]:
                if portion["activity"] == fact["type"]:
                    self.release_portion(sale, portion)

    def take_return(self, fact: Fact) -> None:
        sale = self.sales[ref(fact["sale"])]
        sale["returns"].append(fact)
        sale["kept"] = kept_of(sale["fact"], sale["returns"])
        before, carry_before = sale["points"], sale["carry_out"]
        sale["points"], sale["carry_out"] = self.rate(sale)
        for key, carry in sale["carry_out"].items():
            self.carry[key] = self.carry[key] + carry - carry_before[key]
        self.count_used(sale, before, sale["points"])
        sale["metrics"] = self.metrics_of(sale)

        by_lot: list[tuple[dict[str, Any], list[int]]] = []
        for index in range(len(before)):
            if before[index] != sale["points"][index]:
                lot = self.lot_of(sale, index)
                for known, indices in by_lot:
                    if known is lot:
                        indices.append(index)
                        break
                else:
                    by_lot.append((lot, [index]))
        changes = [
            (lot, indices, sum(sale["points"][i] - before[i] for i in indices)) for lot, indices in by_lot
        ]
        for lot, _, change in changes:
            if change < 0:
                self.take_back(
                    sale, lot, -change, [n - m for n, m in zip(before, sale["points"], strict=True)]
                )
        for _, indices, change in changes:
            if change > 0:
                gaining = next(i for i in indices if sale["points"][i] > before[i])
                self.bring(sale, gaining, change)
        self.give_back_points(sale)

    def wait_of(self, sale: dict[str, Any], index: int) -> tuple[int | None, str | None]:
        """What the points of a rule wait for: an instant, or an activity."""
        pending = (
            self.program.rules[index].pending or self.currencies[self.program.rules[index].currency].pending
        )
        if isinstance(pending, document.PendingDays):
            return add_days(sale["at"], pending.days, self.zone), None
        return None, pending.activity if pending is not None else None

    def take_back(self, sale: dict[str, Any], lot: dict[str, Any], points: int, falls: list[int]) -> None:
        mine = [portion for portion in sale["portions"] if portion["lot"] is lot]
        own: dict[Any, int] = {}  # of what waits for the same, as much as its own rules fall by goes first
        for index, fall in enumerate(falls):
            if sale["lots"].get(index) is lot:
                wait = self.wait_of(sale, index)
                own[wait] = own.get(wait, 0) + fall
        for portion in mine:
            wait = (portion["due"], portion["activity"])
            part = max(0, min(points, portion["pending"], own[wait]))
            own[wait] -= part
            portion["pending"] -= part
            points -= part
        for portion in mine:
            part = min(points, portion["pending"])
            portion["pending"] -= part
            points -= part
        part = min(points, lot["remaining"])
        lot["remaining"] -= part
        lot["reversed"] += part
        points -= part
        part = min(points, lot["expired"])
        lot["expired"] -= part
        lot["reversed"] += part
        points -= part
        self.owe(lot["currency"], points)

    def count_before(self, kind: str, per: str) -> int:
        period = period_of(self.now, per, self.zone)
        return sum(
            1
            for sale in self.sales.values()
            if sale["fact"]["type"] == kind
            and period_of(sale["at"], per, self.zone) == period
            and (kind != "sale" or sale["kept"]["amount"] > 0)
        )

    # -- caps --

    def cap_owners(self) -> list[tuple[str, str, document.Caps, int, list[int]]]:
        """(kind, key, caps, points scale, the rules under it in document order), in the order they cut."""
        program = self.program
        owners = []
        for index, rule in enumerate(program.rules):
            if rule.caps:
                owners.append(("rule", rule.key, rule.caps, self.currencies[rule.currency].scale, [index]))
        for group in program.groups:
            inside = [i for i, rule in enumerate(program.rules) if rule.group == group.key]
            if group.caps and inside:
                scale = self.currencies[program.rules[inside[0]].currency].scale
                owners.append(("group", group.key, group.caps, scale, inside))
        for position, cap in enumerate(program.caps):
            inside = [i for i, rule in enumerate(program.rules) if rule.currency == cap.currency]
            owners.append(("member", str(position), cap.caps, self.currencies[cap.currency].scale, inside))
        return owners

    def rooms_seen(self, at: int) -> dict[tuple[str, str, str], int]:
        rooms = {}
        for kind, key, caps, scale, _ in self.cap_owners():
            for per in PERIODS:
                limit = getattr(caps, per)
                if limit is not None:
                    used = self.used.get((kind, key, per, period_of(at, per, self.zone)), 0)
                    rooms[kind, key, per] = max(0, minor(limit, scale) - used)
        return rooms

    def count_used(self, sale: dict[str, Any], before: list[int], after: list[int]) -> None:
        for kind, key, caps, _, inside in self.cap_owners():
            for per in PERIODS:
                if getattr(caps, per) is not None:
                    place = kind, key, per, period_of(sale["at"], per, self.zone)
                    change = sum(after[i] - before[i] for i in inside)
                    self.used[place] = self.used.get(place, 0) + change

    # -- rating --

    def rate(self, sale: dict[str, Any]) -> tuple[list[int], dict[str, Fraction]]:
        """What each rule brings for what is kept of the sale, and the remainder it leaves to carry."""
        rules = self.program.rules
        kept = sale["kept"]
        results = [0] * len(rules)
        carry_in = {
            rule.key: sale["carry_in"].get(rule.key, Fraction(0))
            for rule in rules
            if rule.rounding.per == "carry"
        }
        carry_out = dict(carry_in)
        if kept["type"] == "sale" and kept["amount"] == 0:
            return results, carry_out

        matching = [self.matches(rule, sale) for rule in rules]
        for index, rule in enumerate(rules):
            if not matching[index] or rule.multiply is not None:
                continue
            scale = self.currencies[rule.currency].scale
            mode = rule.rounding.mode
            if rule.fixed is not None:
                results[index] = rounded(exact(rule.fixed, scale), mode)
                continue
            raw = self.raw_by_line(rule, kept, sale)
            if rule.rounding.per == "line":
                points = sum(rounded(each, mode) for each in raw)
            elif rule.rounding.per == "carry":
                whole = sum(raw, Fraction(0)) + carry_in[rule.key]
                points = max(0, rounded(whole, "floor"))
                carry_out[rule.key] = whole - points
            else:
                points = rounded(sum(raw, Fraction(0)), mode)
            if rule.tier_multipliers and sale["tier"] in rule.tier_multipliers:
                points = rounded(points * exact(rule.tier_multipliers[sale["tier"]], 0), mode)
            results[index] = points
        for index, rule in enumerate(rules):
            if matching[index] and rule.multiply is not None:
                earlier = [
                    i
                    for i in range(index)
                    if rules[i].currency == rule.currency
                    and (rules[i].per_spend is not None or rules[i].per_unit is not None)
                ]
                best = {group.key for group in self.program.groups if group.stacking == "best"}
                so_far = sum(results[i] for i in earlier if rules[i].group not in best)
                for key in best:  # of rules of which only the best counts, the best is multiplied
                    so_far += max((results[i] for i in earlier if rules[i].group == key), default=0)
                results[index] = max(0, rounded(so_far * (exact(rule.multiply, 0) - 1), rule.rounding.mode))

        owners = self.cap_owners()
        for kind in ("rule", "group", "member"):
            if kind == "group":
                self.keep_best(results)
            for owner in owners:
                if owner[0] == kind:
                    self.cut(results, owner, sale)
        return results, carry_out

    def keep_best(self, results: list[int]) -> None:
        for group in self.program.groups:
            inside = [i for i, rule in enumerate(self.program.rules) if rule.group == group.key]
            if group.stacking == "best" and inside:
                best = max(inside, key=lambda i: (results[i], -i))
                for i in inside:
                    if i != best:
                        results[i] = 0

    def cut(
        self, results: list[int], owner: tuple[str, str, document.Caps, int, list[int]], sale: dict[str, Any]
    ) -> None:
        kind, key, caps, scale, inside = owner
        limits = [sale["rooms"][kind, key, per] for per in PERIODS if getattr(caps, per) is not None]
        if caps.activity is not None:
            limits.append(minor(caps.activity, scale))
        if not limits:
            return
        room = min(limits)
        for i in inside:
            results[i] = min(results[i], room)
            room -= results[i]

    def raw_by_line(self, rule: document.Rule, kept: Fact, sale: dict[str, Any]) -> list[Fraction]:
        """Exact points before rounding, one entry per part of the base."""
        scale = self.currencies[rule.currency].scale
        if rule.per_unit is not None:
            return [  # units are counted, not money: the base has no say, the rule's lines alone
                line.get("quantity", 1) * exact(rule.per_unit, scale)
                for line in kept["lines"]
                if is_goods(line) and (rule.lines is None or self.holds_true(rule.lines, sale, line))
            ]
        assert rule.per_spend is not None
        every = exact(rule.per_spend.every, self.exponent)
        raw = []
        for part in self.base_parts(kept, rule.base, rule.lines, sale, by_line=rule.rounding.per == "line"):
            points = Fraction(0)
            for kind, amount in part.tenders:
                if kind == "points" and rule.base.points_part == "out":
                    continue
                rate = (rule.tenders or {}).get(kind or "", rule.per_spend.points)
                points += amount * exact(rate, scale) / every
            raw.append(points)
        return raw

    def eligible_lines(
        self, kept: Fact, base: document.Base, lines: document.Condition | None, sale: dict[str, Any]
    ) -> list[dict[str, Any]]:
        return [
            line
            for line in kept["lines"]
            if is_goods(line)
            and (line.get("kind", "product") != "gift_card" or base.gift_cards == "in")
            and (lines is None or self.holds_true(lines, sale, line))
        ]

    def base_parts(
        self,
        kept: Fact,
        base: document.Base,
        lines: document.Condition | None,
        sale: dict[str, Any],
        by_line: bool,
    ) -> list[Part]:
        """The counted amount, split over tenders: as a whole, or line by line."""
        amount = kept["amount"]
        shipping = kept["shipping"]
        goods = amount - shipping

        all_goods = [line for line in kept["lines"] if is_goods(line)]
        allotted = shares(goods, [line["amount"] for line in all_goods])
        eligible = self.eligible_lines(kept, base, lines, sale)
        pieces = [
            (part, part)
            for line, part in zip(all_goods, allotted, strict=True)
            if any(line is each for each in eligible)
        ]
        if sum(line["amount"] for line in all_goods) == 0:
            pieces = [(goods, goods)] if lines is None else []
        if not kept["lines"] and lines is not None:
            # A sale told without lines is one line of which nothing but the amount is known.
            whole = {"category": "", "sku": "", "quantity": 0, "amount": goods, "kind": "product"}
            pieces = [(goods, goods)] if self.holds_true(lines, sale, whole) else []
        if base.shipping == "in" and lines is None:
            pieces.append((shipping, 0))
        if not by_line or not kept["lines"]:  # without lines, a sale is rounded as a whole
            pieces = [(sum(part for part, _ in pieces), sum(part for _, part in pieces))]

        parts = []
        for part, of_goods in pieces:
            counted = part
            if base.tax == "out":
                counted -= share(kept["tax"], part, amount)
            if base.discounts == "ignored":
                counted += share(kept["discount"], of_goods, goods)
            tenders = kept["tenders"]
            paid = [tender["amount"] for tender in tenders]
            if sum(paid):
                split = shares(counted, paid)
                parts.append(Part(counted, [(t["kind"], s) for t, s in zip(tenders, split, strict=True)]))
            else:
                parts.append(Part(counted, [(None, counted)]))
        return parts

    # -- conditions --

    def matches(self, rule: document.Rule, sale: dict[str, Any]) -> bool:
        if rule.on != sale["fact"]["type"]:
            return False
        if rule.active_from is not None and sale["at"] < self.instant_of(rule.active_from):
            return False
        if rule.active_until is not None and sale["at"] >= self.instant_of(rule.active_until, days=1):
            return False
        return rule.when is None or self.holds_true(rule.when, sale, None)

    def instant_of(self, text: str, days: int = 0) -> int:
        """An instant as written; a date is its start, or its end with `days=1` (the date is included)."""
        if len(text) == 10:
            return day_start(date.fromisoformat(text) + timedelta(days=days), self.zone)
        return (datetime.fromisoformat(text) - EPOCH) // MICROSECOND

    def holds_true(
        self, condition: document.Condition, sale: dict[str, Any], line: dict[str, Any] | None
    ) -> bool:
        if condition.all is not None:
            return all(self.holds_true(each, sale, line) for each in condition.all)
        if condition.any is not None:
            return any(self.holds_true(each, sale, line) for each in condition.any)
        if condition.not_ is not None:
            return not self.holds_true(condition.not_, sale, line)
        name = condition.field
        assert name is not None
        values = self.values_of(name, condition, sale, line)

        def operand(value: Any) -> Any:
            return self.operand(name, value)

        if condition.is_ is not None and operand(condition.is_) not in values:
            return False
        if condition.is_not is not None and operand(condition.is_not) in values:
            return False
        if condition.in_ is not None and not any(operand(each) in values for each in condition.in_):
            return False
        if condition.not_in is not None and any(operand(each) in values for each in condition.not_in):
            return False
        if condition.at_least is not None and not any(v >= operand(condition.at_least) for v in values):
            return False
        if condition.at_most is not None and not any(v <= operand(condition.at_most) for v in values):
            return False
        if condition.above is not None and not any(v > operand(condition.above) for v in values):
            return False
        if condition.below is not None and not any(v < operand(condition.below) for v in values):
            return False
        if condition.every is not None and not any(v % condition.every == 0 for v in values):
            return False
        if condition.from_ is None and condition.until is None:
            return True
        start = None if condition.from_ is None else operand(condition.from_)
        end = None if condition.until is None else operand(condition.until)
        value = values[0]
        if name == "date":
            return (start is None or start <= value) and (end is None or value <= end)
        if start is not None and end is not None and start > end:  # over midnight
            return bool(value >= start or value < end)
        return (start is None or start <= value) and (end is None or value < end)

    def values_of(
        self, name: str, condition: document.Condition, sale: dict[str, Any], line: dict[str, Any] | None
    ) -> list[Any]:
        """The values a field has: none if unknown, several for what a sale has several of."""
        if line is not None:
            value = {"kind": "product", "quantity": 1, **line}.get(name)
            return [] if value is None else [value]
        kept = sale["kept"]
        wall = local(sale["at"], self.zone)
        goods = [each for each in kept["lines"] if is_goods(each)]
        if name == "amount":
            return [kept["amount"]]
        if name == "quantity":
            return [sum(each.get("quantity", 1) for each in goods)]
        if name == "lines":
            return [len(goods)]
        if name in ("category", "sku"):
            return [each[name] for each in goods if each.get(name) is not None]
        if name == "tender":
            return [each["kind"] for each in sale["fact"].get("tenders") or []]
        if name == "tier":
            return [] if sale["tier"] is None else [sale["tier"]]
        if name == "segment":
            return list(kept.get("segments") or [])
        if name == "weekday":
            return [wall.weekday()]
        if name == "time":
            return [wall.hour * 60 + wall.minute]
        if name == "date":
            return [wall.date().isoformat()]
        if name == "nth":
            return [sale["nth"][condition.per or "lifetime"]]
        if name in ("channel", "location", "partner"):
            return [] if kept.get(name) is None else [kept[name]]
        if name.startswith("member."):
            value = (kept.get("member") or {}).get(name.removeprefix("member."))
        else:
            value = (kept.get("attributes") or {}).get(name)
        return [] if value is None else [self.operand(name, value)]

    def operand(self, name: str, value: Any) -> Any:
        if name == "amount":
            return exact(str(value), self.exponent)
        if name == "weekday":
            return WEEKDAYS.index(value)
        if name == "time":
            hours, minutes = value.split(":")
            return int(hours) * 60 + int(minutes)
        attribute = self.attribute(name)
        if attribute == "decimal":
            return Fraction(str(value))
        if attribute == "integer" or name in ("nth", "quantity", "lines"):
            return int(value)
        return value

    def attribute(self, name: str) -> str | None:
        if name.startswith("member."):
            declared = self.program.member_attributes.get(name.removeprefix("member."))
            return declared.type if declared else None
        for kind in self.program.activity_types:
            if name in kind.attributes:
                return kind.attributes[name].type
        return None

    # -- tiers --

    def metrics_of(self, sale: dict[str, Any]) -> dict[str, int]:
        ladder = self.program.tiers
        if ladder is None:
            return {"spend": 0, "points": 0, "visits": 0}
        kept = sale["kept"]
        counted = kept["type"] in ladder.counts
        spend = 0
        if counted and kept["amount"] > 0:
            for part in self.base_parts(kept, ladder.spend_base, None, sale, by_line=False):
                for kind, amount in part.tenders:
                    if kind != "points" or ladder.spend_base.points_part == "in":
                        spend += amount
        points = sum(
            points
            for rule, points in zip(self.program.rules, sale["points"], strict=True)
            if rule.currency == ladder.points_currency
        )
        visits = int(counted and (kept["amount"] > 0 or kept["type"] != "sale"))
        return {"spend": spend, "points": points, "visits": visits}

    def windows(self) -> list[dict[str, int]]:
        """The totals a tier may be qualified by: one window, or this period and the one before."""
        ladder = self.program.tiers
        if ladder is None:
            return []
        if isinstance(ladder.window, document.WindowLifetime):
            return [self.total(list(self.sales.values()))]
        if isinstance(ladder.window, document.WindowRolling):
            days = ladder.window.days
            inside = [s for s in self.sales.values() if self.now < add_days(s["at"], days, self.zone)]
            return [self.total(inside)]
        before, start, _ = period_starts(self.now, ladder.window.period, self.zone)
        return [
            self.total([s for s in self.sales.values() if start <= s["at"]]),
            self.total([s for s in self.sales.values() if before <= s["at"] < start]),
        ]

    def total(self, sales: list[dict[str, Any]]) -> dict[str, int]:
        return {name: sum(sale["metrics"][name] for sale in sales) for name in ("spend", "points", "visits")}

    def qualified_tier(self) -> int:
        ladder = self.program.tiers
        assert ladder is not None
        windows = self.windows()
        for index in range(len(ladder.tiers) - 1, 0, -1):
            tier = ladder.tiers[index]
            asked = (tier.keep or tier.qualify) if index <= self.tier else tier.qualify
            if asked is not None and any(self.qualifies(asked, totals) for totals in windows):
                return index
        return 0

    def qualifies(self, asked: document.Qualify, totals: dict[str, int]) -> bool:
        ladder = self.program.tiers
        assert ladder is not None

        def reached(threshold: document.Threshold) -> bool:
            decimals = 0
            if threshold.metric == "spend":
                decimals = self.exponent
            elif threshold.metric == "points":
                decimals = self.currencies[ladder.points_currency or ""].scale
            return totals[threshold.metric] >= exact(threshold.at_least, decimals)

        if asked.all is not None:
            return all(reached(threshold) for threshold in asked.all)
        return any(reached(threshold) for threshold in asked.any or [])

    def review_tier(self, cause: str) -> None:
        """`cause`: "activity", "return", or "due" (something left the window, or a term has come)."""
        ladder = self.program.tiers
        if ladder is None:
            return
        best = self.qualified_tier()
        if best > self.tier:
            self.tier, self.tier_until, self.landed_until = best, None, None
        elif best == self.tier:
            self.tier_until = None  # deserved again: what comes of a later loss starts anew
        elif self.tier_until is None:
            terms = []
            if self.landed_until is not None and self.landed_until > self.now:
                terms.append(self.landed_until)
            if cause != "return" and ladder.grace_days:
                terms.append(add_days(self.now, ladder.grace_days, self.zone))
            if terms:
                self.tier_until = max(terms)
            elif cause == "return":
                self.tier, self.landed_until = best, None
            else:
                self.fall(best)
        elif cause == "due" and self.now >= self.tier_until:
            self.fall(best)
        self.show_tier()

    def show_tier(self) -> None:
        """The member holds what he earned, or the highest tier that was given to him and is not over."""
        ladder = self.program.tiers
        if ladder is None:
            return
        shown = max([self.tier, *(index for index, until in self.given.values() if self.now < until)])
        if shown != self.shown:
            self.shown = shown
            self.tier_history.append((self.now, ladder.tiers[shown].key))

    def fall(self, best: int) -> None:
        ladder = self.program.tiers
        assert ladder is not None
        self.tier_until = self.landed_until = None
        if not ladder.soft_landing:
            self.tier = best
            return
        self.tier -= 1
        if self.tier == 0:
            return
        if isinstance(ladder.window, document.WindowRolling):
            self.landed_until = add_days(self.now, ladder.window.days, self.zone)
        elif isinstance(ladder.window, document.WindowCalendar):
            self.landed_until = period_starts(self.now, ladder.window.period, self.zone)[2]
        if best < self.tier:
            self.tier_until = self.landed_until

    # -- the answer --

    def end(self) -> End:
        currencies = {}
        columns = ("earned", "redeemed", "expired", "reversed", "held", "remaining")
        for key in self.currencies:
            wallet = CurrencyEnd(debt=self.debt[key])
            for lot in self.lots:
                if lot["currency"] != key or lot["earned"] == 0:
                    continue
                place = lot["expires_at"], lot["funder"]
                row = wallet.lots.setdefault(
                    place, {**dict.fromkeys(columns, 0), "first_earned": lot["first_earned"]}
                )
                for column in columns:
                    row[column] += lot[column]
                row["first_earned"] = min(row["first_earned"], lot["first_earned"])
                wallet.posted += lot["remaining"] + lot["held"]
                wallet.held += lot["held"]
            currencies[key] = wallet
        earned = {}
        for name, sale in {**self.former, **self.sales}.items():
            earned[name] = dict.fromkeys(self.currencies, 0)
            for rule, points in zip(self.program.rules, sale["points"], strict=True):
                earned[name][rule.currency] += points
            for portion in sale["portions"]:
                currencies[portion["lot"]["currency"]].pending += portion["pending"]
        ladder = self.program.tiers
        return End(
            currencies=currencies,
            tier=ladder.tiers[self.shown].key if ladder else None,
            tier_until=self.tier_until,
            tier_history=self.tier_history,
            metrics=self.windows(),
            earned=earned,
        )


def exact(text: str, decimals: int) -> Fraction:
    """A decimal string in minor units, exactly."""
    return Fraction(text) * Fraction(10**decimals)


def minor(text: str, decimals: int) -> int:
    return rounded(exact(text, decimals), "floor")


def currency_grace(currency: document.PointCurrency) -> int:
    return int(getattr(currency.expiry, "grace_days", 0))
