"""Rating: what an activity earns by the rules of one version, given what it saw.

The same function rates a sale when it comes and again on what is kept of it after a return; then the room
under caps, the carried remainder and the ordinals that the sale saw are given back to it, frozen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from palier.engine.amounts import divide, shares
from palier.engine.conditions import Context
from palier.engine.facts import Fact, Line, ReturnedLine, Tender
from palier.engine.plan import (
    FIXED,
    MULTIPLY,
    PER_SPEND,
    PLAIN_BASE,
    ActivityPlan,
    CapSet,
    CompiledRule,
    Plan,
)
from palier.engine.program import Base
from palier.engine.trace import RuleTrace, Trace

CUT = "cut by "
"""Before the name of a shared limit, in what is recorded with an activity: this one was short."""
CHOSEN = "chosen "
"""Before the key of a rule, in what is recorded with an activity: it was taken of its group, with this much."""
Rooms = Mapping[str, int]
"""Cap key -> points still free before the activity."""
Carry = Mapping[str, tuple[int, int]]
"""Rule key -> the remainder carried in, and what it is over."""


class Basket:
    """The money of a sale, shared out exactly.

    `held` has one amount per line, then the part of the goods that no line bears, then the shipping that no
    line bears; their sum is `amount`. Lines of kind shipping bear the shipping, all others the goods.
    """

    __slots__ = (
        "amount",
        "discount",
        "goods",
        "held",
        "lines",
        "nothing",
        "ordinary",
        "shipping",
        "tax",
        "tenders",
    )

    def __init__(self, fact: Fact) -> None:
        lines = fact.lines
        self.amount = fact.amount
        self.tax = fact.tax
        self.discount = fact.discount
        self.lines: Sequence[Line] = lines
        self.tenders: Sequence[Tender] = fact.tenders
        self.nothing = not fact.amount
        if not lines:
            self.shipping = min(fact.shipping, fact.amount)
            self.goods = fact.amount - self.shipping
            self.held = [self.goods, self.shipping]
            self.ordinary = True
            return
        held = []
        total = 0
        for line in lines:
            if line.kind != "product":
                self._share_mixed(fact)
                return
            held.append(line.amount)
            total += line.amount
        self.ordinary = True
        self.shipping = fact.shipping
        self.goods = goods = fact.amount - fact.shipping
        if total != goods:
            held = shares(goods, held)
        held.append(0 if total else goods)
        held.append(fact.shipping)
        self.held = held

    def _share_mixed(self, fact: Fact) -> None:
        """Shares out a basket that has gift cards or shipping among its lines."""
        lines = fact.lines
        weights = [0 if line.kind == "shipping" else line.amount for line in lines]
        carriers = [line.amount if line.kind == "shipping" else 0 for line in lines]
        carried = sum(carriers)
        # Lines may be told before a discount on the basket: shipping is never more than was paid.
        self.shipping = min(fact.shipping or carried, fact.amount)
        self.goods = fact.amount - self.shipping
        weight = sum(weights)
        held = weights if weight == self.goods else shares(self.goods, weights)
        if carried:
            held = [a + b for a, b in zip(held, shares(self.shipping, carriers), strict=True)]
        self.held = [*held, 0 if weight else self.goods, 0 if carried else self.shipping]
        self.ordinary = False

    def kept(self, returned: Sequence[ReturnedLine], amount: int) -> Basket:
        """What is left after giving back some lines and, spread over what these still hold, an amount.

        Depends only on the sums of what is returned, so order and splitting do not matter. Returning more
        of a line, or of the whole, than there is returns what there is. Lines that came back altogether are
        no lines of what is kept; and when all goods came back, `nothing` is kept, whatever shipping stays paid.
        """
        money: dict[int, int] = {}
        units: dict[int, int] = {}
        for item in returned:
            money[item.line] = money.get(item.line, 0) + item.amount
            units[item.line] = units.get(item.line, 0) + item.quantity
        held = list(self.held)
        for index in money:
            line = self.lines[index]
            back = money[index]
            if units[index] and line.quantity:
                back += held[index] * min(units[index], line.quantity) // line.quantity
            held[index] -= min(back, held[index])
        left = sum(held)
        spread = min(amount, left)
        if spread:
            held = [a - b for a, b in zip(held, shares(spread, held), strict=True)]
        kept = object.__new__(Basket)
        kept.amount = whole = sum(held)
        kept.shipping = held[-1] + sum(
            part for part, line in zip(held, self.lines, strict=False) if line.kind == "shipping"
        )
        kept.goods = whole - kept.shipping
        kept.nothing = not whole or (self.goods > 0 and not kept.goods)
        kept.tax = self.tax * whole // self.amount if self.amount else 0
        kept.discount = self.discount * whole // self.amount if self.amount else 0
        kept.ordinary = self.ordinary
        lines: list[Line] = []
        parts: list[int] = []
        for index, line in enumerate(self.lines):
            part, full = held[index], self.held[index]
            if full:
                quantity = divide(line.quantity * part, full, "half_up")
                if not part:
                    continue
            else:
                quantity = max(0, line.quantity - units.get(index, 0))
                if line.quantity and not quantity:
                    continue
            lines.append(Line(line.category, line.sku, quantity, part, line.kind))
            parts.append(part)
        kept.lines = lines
        kept.held = [*parts, *held[-2:]]
        kept.tenders = [
            Tender(tender.kind, part, tender.redemption)
            for tender, part in zip(
                self.tenders, shares(whole, [tender.amount for tender in self.tenders]), strict=True
            )
        ]
        return kept

    def base(self, setting: Base, chosen: Callable[[Line], bool] | None = None) -> int:
        """The money that counts by a base setting, over the lines that `chosen` picks (default: all)."""
        if setting is PLAIN_BASE and self.ordinary:
            if chosen is None:
                return self.goods
            if not self.lines:
                return self._goods(setting, chosen)
            part = 0
            for line, amount in zip(self.lines, self.held):  # noqa: B905 (two more amounts than lines)
                if chosen(line):
                    part += amount
            return part
        part = self._goods(setting, chosen)
        base = part
        if setting.shipping == "in" and chosen is None:
            base += self.shipping
        return self._adjusted(base, part, setting)

    def spend(self, setting: Base) -> int:
        """The money that counts as spend: the base, without its share that points paid unless it counts."""
        if self.nothing:
            return 0
        base = self.base(setting)
        if not self.tenders or setting.points_part == "in":
            return base
        if all(tender.kind != "points" for tender in self.tenders):
            return base
        parts = shares(base, [tender.amount for tender in self.tenders])
        return sum(part for tender, part in zip(self.tenders, parts, strict=True) if tender.kind != "points")

    def _goods(self, setting: Base, chosen: Callable[[Line], bool] | None) -> int:
        if not self.lines:
            # A sale told without lines is one line of which nothing but the amount is known.
            return self.goods if chosen is None or chosen(Line(amount=self.goods)) else 0
        gift = setting.gift_cards == "in"
        part = 0 if chosen is not None else self.held[-2]
        for line, amount in zip(self.lines, self.held, strict=False):
            if line.kind == "shipping" or (line.kind == "gift_card" and not gift):
                continue
            if chosen is None or chosen(line):
                part += amount
        return part

    def _adjusted(self, base: int, part: int, setting: Base) -> int:
        adjusted = base
        if setting.tax == "out" and self.amount:
            adjusted -= self.tax * base // self.amount
        if setting.discounts == "ignored" and self.goods:
            adjusted += self.discount * part // self.goods
        return adjusted

    def line_bases(self, setting: Base, chosen: Callable[[Line], bool] | None) -> list[int]:
        """The base of each line that counts, for rounding by line; of the whole where there are no lines."""
        if not self.lines:
            return [self.base(setting, chosen)]
        gift = setting.gift_cards == "in"
        bases = [
            self._adjusted(amount, amount, setting)
            for line, amount in zip(self.lines, self.held, strict=False)
            if line.kind != "shipping"
            and (gift or line.kind != "gift_card")
            and (chosen is None or chosen(line))
        ]
        if setting.shipping == "in" and chosen is None and self.shipping:
            bases.append(self._adjusted(self.shipping, 0, setting))
        return bases


class Shared(NamedTuple):
    """The activity, and what it may use of the limits that all members share."""

    fact: Fact
    allotted: Mapping[str, int]


class Rated:
    """What rating gave: the rules that matched, the remainders they left, and rules chosen within shared limits."""

    __slots__ = ("carry_out", "chosen", "results")

    def __init__(self) -> None:
        self.results: list[RuleTrace] = []
        self.carry_out: dict[str, tuple[int, int]] = {}
        self.chosen: dict[str, int] = {}


def _spend_points(rule: CompiledRule, basket: Basket, base: int) -> int:
    """The numerator of a per-spend rule's points on a base: tender shares times their rates."""
    tenders = basket.tenders
    if not tenders:
        return base * rule.numerator
    rates = rule.tender_rates or {}
    points_in = rule.base.points_part == "in"
    total = 0
    for tender, part in zip(tenders, shares(base, [tender.amount for tender in tenders]), strict=True):
        if tender.kind == "points" and not points_in:
            continue
        total += part * rates.get(tender.kind, rule.numerator)
    return total


def rate(
    plan: Plan,
    rules: ActivityPlan,
    context: Context,
    basket: Basket,
    at: int,
    level: int,
    rooms: Rooms,
    carry: Carry,
    shared: Shared | None = None,
) -> Rated:
    """What an activity earns: each matching rule's points before and after caps, in document order.

    Phases: eligibility (conditions), earning (base x rate, rounding, tier multiplier, multiply rules), the caps
    of rules, groups that keep the best, then the caps of groups and of the member; caps that several rules share
    give their room in document order.
    `rooms` has the room under each cap of `rules` and `carry` the remainder of each rule that carries one; what
    is missing in them counts as untouched. With `shared`, a rule of a group that keeps the best stands there with
    what the limits that all members share leave of it.
    """
    rated = Rated()
    results = rated.results
    matched: list[CompiledRule] = []
    always = rules.always
    for rule in rules.rules:
        if not always and not rule.active_from <= at < rule.active_until:
            continue
        match = rule.match
        if match is not None and not match(context):
            continue
        kind = rule.kind
        if kind == PER_SPEND:
            if rule.per_line:
                raw = 0
                base = 0
                for part in basket.line_bases(rule.base, rule.lines):
                    base += part
                    raw += divide(_spend_points(rule, basket, part), rule.denominator, rule.mode)
            else:
                base = basket.base(rule.base, rule.lines)
                numerator = _spend_points(rule, basket, base) if basket.tenders else base * rule.numerator
                if rule.carry:
                    raw = _carried(rule, numerator, rated, carry)
                elif rule.mode == "floor":
                    raw = numerator // rule.denominator
                else:
                    raw = divide(numerator, rule.denominator, rule.mode)
            multiplied = raw
        elif kind == FIXED:
            base, raw = 1, rule.numerator
            multiplied = raw
        elif kind == MULTIPLY:
            base = _multipliable(matched, results, rule.currency, plan)
            raw = multiplied = divide(base * rule.numerator, rule.denominator, rule.mode)
        else:
            units = [
                line.quantity
                for line in basket.lines
                if line.kind != "shipping" and (rule.lines is None or rule.lines(line))
            ]
            base = sum(units)
            if rule.per_line:
                raw = sum(divide(each * rule.numerator, rule.denominator, rule.mode) for each in units)
            elif rule.carry:
                raw = _carried(rule, base * rule.numerator, rated, carry)
            else:
                raw = divide(base * rule.numerator, rule.denominator, rule.mode)
            multiplied = raw
        if rule.multipliers is not None and kind not in (FIXED, MULTIPLY):
            multiplier = rule.multipliers[level]
            if multiplier is not None:
                multiplied = divide(raw * multiplier[0], multiplier[1], rule.mode)
        matched.append(rule)
        results.append(RuleTrace(rule.key, rule.currency, base, raw, multiplied, multiplied))
    limit(plan, rules, matched, results, rooms, shared, rated.chosen)
    return rated


def limit(
    plan: Plan,
    rules: ActivityPlan,
    matched: list[CompiledRule],
    results: list[RuleTrace],
    rooms: Rooms,
    shared: Shared | None = None,
    chosen: dict[str, int] | None = None,
) -> None:
    """The last phases: caps of rules, groups that keep the best, caps of groups and of the member."""
    if rules.capped and results:
        cut = rules.activity_capped or not _fits(matched, results, rooms)
        if cut and plan.rule_caps:
            _apply_rule_caps(matched, results, rooms)
        if plan.best:
            _best_of_groups(plan, matched, results, shared, chosen)
        if cut:
            _apply_shared_caps(plan, matched, results, rooms)


def _fits(matched: Sequence[CompiledRule], results: Sequence[RuleTrace], rooms: Rooms) -> bool:
    """Whether all that the rules bring is within the room of every cap, so that nothing need be cut."""
    needed: dict[str, int] = {}
    for rule, result in zip(matched, results, strict=True):
        earned = result.earned
        if earned:
            for key, _ in rule.cap_keys:
                whole = needed[key] = needed.get(key, 0) + earned
                if key not in rooms or whole > rooms[key]:
                    return False
    return True


def scaled(carry: tuple[int, int] | None, denominator: int) -> tuple[int, int]:
    """A carried remainder over another denominator, rounded down; nothing carried is 0."""
    if carry is None:
        return 0, denominator
    numerator, over = carry
    return (numerator if over == denominator else numerator * denominator // over), denominator


def _carried(rule: CompiledRule, numerator: int, rated: Rated, carry: Carry) -> int:
    """Points of a rule that carries its remainder: what was brought is added, what is left is taken along.

    A negative remainder (left by a return) is worked off before anything is earned again.
    """
    whole = numerator + scaled(carry.get(rule.key), rule.denominator)[0]
    points = max(0, whole // rule.denominator)
    rated.carry_out[rule.key] = (whole - points * rule.denominator, rule.denominator)
    return points


def _multipliable(
    matched: Sequence[CompiledRule], results: Sequence[RuleTrace], currency: str, plan: Plan
) -> int:
    """What the per-spend and per-unit rules so far brought, of each best-of group only the best."""
    total = 0
    best: dict[str, int] = {}
    for rule, result in zip(matched, results, strict=True):
        if rule.currency != currency or rule.kind in (FIXED, MULTIPLY):
            continue
        if rule.group in plan.best:
            assert rule.group is not None
            best[rule.group] = max(best.get(rule.group, 0), result.multiplied)
        else:
            total += result.multiplied
    return total + sum(best.values())


def _best_of_groups(
    plan: Plan,
    matched: list[CompiledRule],
    results: list[RuleTrace],
    shared: Shared | None,
    chosen: dict[str, int] | None,
) -> None:
    """In each best-of group, all but the rule that brings most (the first of equals) are left out.

    Where limits that all members share stand above rules of a group, what they leave is what a rule brings, and
    the one taken is noted in `chosen` with that: so it is taken again when nothing is left for it any more.
    """
    winner: dict[str, int] = {}
    value = [_value(plan, rule, result, shared) for rule, result in zip(matched, results, strict=True)]
    limited: set[str] = set()
    for index, rule in enumerate(matched):
        group = rule.group
        if group in plan.best:
            assert group is not None
            if shared is not None and (rule.budget or plan.funder(rule, shared.fact)):
                limited.add(group)
            if group not in winner or value[index] > value[winner[group]]:
                winner[group] = index
    if chosen is not None:
        chosen.update((matched[winner[group]].key, value[winner[group]][0]) for group in sorted(limited))
    losers = {
        index
        for index, rule in enumerate(matched)
        if rule.group is not None and rule.group in plan.best and winner[rule.group] != index
    }
    if losers:
        matched[:] = [rule for index, rule in enumerate(matched) if index not in losers]
        results[:] = [result for index, result in enumerate(results) if index not in losers]


def _value(plan: Plan, rule: CompiledRule, result: RuleTrace, shared: Shared | None) -> tuple[int, int]:
    """What a rule brings within the limits that all members share; of equals, what it would without them."""
    earned = result.earned
    if shared is None:
        return earned, earned
    allotted = shared.allotted
    room = allotted.get(CHOSEN + rule.key)
    if room is None:
        keys = [*([rule.budget] if rule.budget else [])]
        if plan.funder(rule, shared.fact):
            keys += plan.partner_rooms(shared.fact)
        room = min((allotted.get(key, 0) for key in keys), default=earned)
    return min(earned, room), earned


def _apply_rule_caps(matched: Sequence[CompiledRule], results: Sequence[RuleTrace], rooms: Rooms) -> None:
    for rule, result in zip(matched, results, strict=True):
        if rule.caps is not None:
            # A rule earns once an activity: nothing of its room is used before.
            _limit(rule.caps, result, rooms, 0)


def _apply_shared_caps(
    plan: Plan, matched: Sequence[CompiledRule], results: Sequence[RuleTrace], rooms: Rooms
) -> None:
    if plan.group_caps:
        within: dict[str, int] = {}
        for rule, result in zip(matched, results, strict=True):
            caps = plan.group_caps.get(rule.group) if rule.group is not None else None
            if caps is not None:
                _limit(caps, result, rooms, within.get(caps.name, 0))
                within[caps.name] = within.get(caps.name, 0) + result.earned
    if plan.member_caps:
        taken: dict[str, int] = {}
        for result in results:
            caps = plan.member_caps.get(result.currency)
            if caps is not None and result.earned:
                used = taken.get(caps.name, 0)
                _limit(caps, result, rooms, used)
                taken[caps.name] = used + result.earned


def _limit(caps: CapSet, result: RuleTrace, rooms: Rooms, used: int) -> None:
    """Cuts a result to the room left under a set of caps, of which this activity has `used` some already."""
    earned = result.earned
    if caps.activity is not None and earned > caps.activity - used:
        earned = caps.activity - used
        result.limit = f"{caps.name}:activity"
    for cap in caps.periods:
        room = rooms.get(cap.key, cap.limit) - used
        if earned > room:
            earned = max(room, 0)
            result.limit = cap.key
    result.earned = earned


def within_limits(
    plan: Plan, fact: Fact, results: Sequence[RuleTrace], allotted: Mapping[str, int]
) -> dict[str, int]:
    """Cuts results to what is allotted of the limits that all members share; what they use of each.

    Campaign budgets come first, then what the partner that the activity names may still issue.
    """
    used: dict[str, int] = {}
    rooms = plan.partner_rooms(fact) if fact.partner in plan.partners else {}
    for result in results:
        rule = plan.rules[result.rule]
        keys = [*([rule.budget] if rule.budget else []), *(rooms if plan.funder(rule, fact) else ())]
        short = ""
        for key in keys:
            room = allotted.get(key, 0) - used.get(key, 0)
            if result.earned > room:
                result.earned = max(room, 0)
                short = key
        if short:
            told = [key for key in keys if CUT + key in allotted]
            result.limit = told[-1] if told else short
        for key in keys:
            if result.earned:
                used[key] = used.get(key, 0) + result.earned
    return used


def recorded(trace: Trace) -> dict[str, int]:
    """What is recorded of shared limits with an activity: what it used of each, which of them cut it, and which
    rules were chosen by what they left.

    Where several limits stand above a rule, what was used of them is the same; only the first time tells which
    one was short.
    """
    cuts = {CUT + item.limit: 0 for item in trace.rules if item.limit.startswith(("campaign:", "partner:"))}
    return {**trace.budgets, **cuts, **marked(trace.chosen)}


def marked(chosen: Mapping[str, int]) -> dict[str, int]:
    """Rules that were chosen of their groups, as they are recorded: with what the limits then left of them."""
    return {CHOSEN + rule: value for rule, value in chosen.items()}


def usage(plan: Plan, results: Sequence[RuleTrace]) -> dict[str, tuple[int, int]]:
    """What results take of each cap's room: cap key -> (period kind, points)."""
    used: dict[str, tuple[int, int]] = {}
    for result in results:
        if not result.earned:
            continue
        rule = plan.rules.get(result.rule)
        if rule is None:
            continue
        for key, period in rule.cap_keys:
            used[key] = (period, used.get(key, (0, 0))[1] + result.earned)
    return used
