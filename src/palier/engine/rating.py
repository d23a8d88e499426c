"""Rating: what an activity earns by the rules of one version, given what it saw.

The same function rates a sale when it comes and again on what is kept of it after a return; then the room
under caps, the carried remainder and the ordinals that the sale saw are given back to it, frozen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from palier.engine.amounts import divide, shares
from palier.engine.facts import Fact, Line, ReturnedLine, Tender
from palier.engine.plan import FIXED, MULTIPLY, PER_SPEND, ActivityPlan, CapSet, CompiledRule, Plan
from palier.engine.program import Base
from palier.engine.trace import RuleTrace

Rooms = Callable[[str, int, int], int]
"""(cap key, period kind, limit) -> points still free."""
Carry = Callable[[str, int], tuple[int, int]]
"""(rule key, denominator) -> the remainder carried in, over that denominator."""

_PLAIN_BASE = Base()


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
            self.shipping = fact.shipping
            self.goods = fact.amount - fact.shipping
            self.held = [self.goods, self.shipping]
            self.ordinary = True
            return
        weights = [0 if line.kind == "shipping" else line.amount for line in lines]
        carriers = [line.amount if line.kind == "shipping" else 0 for line in lines]
        carried = sum(carriers)
        self.shipping = fact.shipping or carried
        self.goods = fact.amount - self.shipping
        weight = sum(weights)
        held = weights if weight == self.goods else shares(self.goods, weights)
        if carried:
            held = [a + b for a, b in zip(held, shares(self.shipping, carriers), strict=True)]
        self.held = [*held, 0 if weight else self.goods, 0 if carried else self.shipping]
        self.ordinary = all(line.kind == "product" for line in lines)

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
        if setting is _PLAIN_BASE and chosen is None and self.ordinary:
            return self.goods
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
        if setting.points_part == "in" or all(tender.kind != "points" for tender in self.tenders):
            return base
        parts = shares(base, [tender.amount for tender in self.tenders])
        return sum(part for tender, part in zip(self.tenders, parts, strict=True) if tender.kind != "points")

    def _goods(self, setting: Base, chosen: Callable[[Line], bool] | None) -> int:
        if not self.lines:
            return self.goods if chosen is None else 0
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


class Rated:
    """What rating gave: the rules that matched, and the room and remainders they saw."""

    __slots__ = ("carry", "carry_out", "results", "rooms")

    def __init__(self) -> None:
        self.results: list[RuleTrace] = []
        self.rooms: dict[str, int] = {}
        self.carry: dict[str, tuple[int, int]] = {}
        self.carry_out: dict[str, tuple[int, int]] = {}


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
    context: object,
    basket: Basket,
    at: int,
    level: int,
    rooms: Rooms,
    carry: Carry,
) -> Rated:
    """What an activity earns: each matching rule's points before and after caps, in document order.

    Phases: eligibility (conditions), earning (base x rate, rounding, tier multiplier, multiply rules), groups
    that keep the best, then caps: the rule's, its group's, the member's, each taking room in document order.
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
    if len(matched) < len(rules.rules) and (rules.capped or rules.carries):
        _see_rest(plan, rules, rated, rooms, carry)
    if rules.capped and results:
        if plan.best and _best_of_groups(plan, matched, results):
            _see_rest(plan, rules, rated, rooms, carry)
        _apply_caps(plan, matched, rated, rooms)
    return rated


def _see_rest(plan: Plan, rules: ActivityPlan, rated: Rated, rooms: Rooms, carry: Carry) -> None:
    """Notes the room and remainders of rules that bring nothing now, but may on what is kept after a return."""
    for rule in rules.rules:
        for caps in plan.caps_of(rule):
            for cap in caps.periods:
                if cap.key not in rated.rooms:
                    rated.rooms[cap.key] = rooms(cap.key, cap.period, cap.limit)
        if rule.carry and rule.key not in rated.carry:
            rated.carry[rule.key] = carry(rule.key, rule.denominator)


def _carried(rule: CompiledRule, numerator: int, rated: Rated, carry: Carry) -> int:
    """Points of a rule that carries its remainder: what was brought is added, what is left is taken along.

    A negative remainder (left by a return) is worked off before anything is earned again.
    """
    brought, _ = rated.carry[rule.key] = carry(rule.key, rule.denominator)
    whole = numerator + brought
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


def _best_of_groups(plan: Plan, matched: list[CompiledRule], results: list[RuleTrace]) -> bool:
    """In each best-of group, all but the rule that brings most (the first of equals) are left out: if any."""
    winner: dict[str, int] = {}
    for index, rule in enumerate(matched):
        group = rule.group
        if group in plan.best:
            assert group is not None
            if group not in winner or results[index].multiplied > results[winner[group]].multiplied:
                winner[group] = index
    losers = {
        index for index, rule in enumerate(matched) if rule.group in plan.best and winner[rule.group] != index  # type: ignore[index]
    }
    if losers:
        matched[:] = [rule for index, rule in enumerate(matched) if index not in losers]
        results[:] = [result for index, result in enumerate(results) if index not in losers]
    return bool(losers)


def _apply_caps(plan: Plan, matched: Sequence[CompiledRule], rated: Rated, rooms: Rooms) -> None:
    within: dict[str, int] = {}
    for rule, result in zip(matched, rated.results, strict=True):
        if rule.caps is not None:
            _limit(rule.caps, result, rated, rooms, within)
    if plan.group_caps:
        for rule, result in zip(matched, rated.results, strict=True):
            caps = plan.group_caps.get(rule.group) if rule.group is not None else None
            if caps is not None:
                _limit(caps, result, rated, rooms, within)
    if plan.member_caps:
        for result in rated.results:
            caps = plan.member_caps.get(result.currency)
            if caps is not None:
                _limit(caps, result, rated, rooms, within)


def _limit(caps: CapSet, result: RuleTrace, rated: Rated, rooms: Rooms, within: dict[str, int]) -> None:
    """Cuts a result to the room left under a set of caps, and takes that room."""
    earned = result.earned
    used = within.get(caps.name, 0)
    if caps.activity is not None and earned > caps.activity - used:
        earned = caps.activity - used
        result.limit = f"{caps.name}:activity"
    for cap in caps.periods:
        seen = rated.rooms.get(cap.key)
        if seen is None:
            seen = rated.rooms[cap.key] = rooms(cap.key, cap.period, cap.limit)
        room = seen - used
        if earned > room:
            earned = max(room, 0)
            result.limit = cap.key
    result.earned = earned
    within[caps.name] = used + earned


def usage(plan: Plan, results: Sequence[RuleTrace]) -> dict[str, tuple[int, int]]:
    """What results take of each cap's room: cap key -> (period kind, points)."""
    used: dict[str, tuple[int, int]] = {}
    for result in results:
        if not result.earned:
            continue
        rule = plan.rules.get(result.rule)
        if rule is None:
            continue
        for caps in plan.caps_of(rule):
            for cap in caps.periods:
                used[cap.key] = (cap.period, used.get(cap.key, (0, 0))[1] + result.earned)
    return used
