"""Why a rule brought nothing, and the smallest change that would have earned."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Final

import msgspec

from palier.engine.amounts import shares, to_minor
from palier.engine.conditions import Miss, near_miss
from palier.engine.explain.teller import Teller
from palier.engine.explain.telling import Told
from palier.engine.facts import NO_INPUTS, RETURN, SALE, Fact, Inputs, Line
from palier.engine.phrases import explain, explain_miss, ordinal
from palier.engine.plan import ActivityPlan, CompiledRule, Plan
from palier.engine.rating import Basket, rate
from palier.engine.trace import Trace
from palier.engine.words import NO_BREAK

_NEAR_TIMES: Final = 2
"""How many times short of a counted one still counts as nearly."""


class _Seen:
    """What conditions read of a fact, as it was when it was decided."""

    def __init__(self, plan: Plan, fact: Fact, trace: Trace, inputs: Inputs, basket: Basket) -> None:
        day, minute = plan.clock.local(fact.at)
        self.amount = basket.amount
        self.attributes = fact.attributes
        self.channel = fact.channel
        self.day = day
        self.lines = basket.lines
        self.location = fact.location
        self.member = inputs.member
        self.minute = minute
        self.nth: Callable[[str], int] = lambda per: trace.nth.get(per, 0)
        self.partner = fact.partner
        self.quantity = sum(line.quantity for line in basket.lines if line.kind != "shipping")
        self.segments = frozenset(inputs.segments)
        self.memberships = frozenset(trace.memberships)
        self.tenders = basket.tenders
        self.tier = plan.ladder.index.get(trace.tier, 0) if plan.ladder is not None else 0
        self.weekday = (day - 1) % 7


def why_not(plan: Plan, fact: Fact, trace: Trace, language: str, inputs: Inputs = NO_INPUTS) -> list[str]:
    """Rules of the fact's type that brought nothing but nearly did, nearest first.

    One comparison failed: the sentence tells the smallest change of it that would have earned, and how much
    (what that rule alone would have brought, under the caps as they stood). `plan` is the version that the
    trace names. Goals for which it nearly counted come last. Empty for returns and commands.
    """
    rules = plan.activities.get(fact.type)
    if rules is None or fact.type == RETURN or (fact.type == SALE and not fact.amount):
        return []
    teller = Teller(Told(fact.type, trace, fact.at, (), fact), plan, language)
    brought = {result.rule for result in trace.rules if result.base or result.earned}
    found = []
    for rule in rules.rules:
        if rule.key in brought:
            continue
        told = _nearly(teller, rules, rule, fact, trace, inputs)
        if told is not None:
            found.append(told)
    found.sort(key=lambda item: item[0])
    return [text for _, text in found] + _goals_missed(teller, rules, fact, trace, inputs)


def _goals_missed(teller: Teller, rules: ActivityPlan, fact: Fact, trace: Trace, inputs: Inputs) -> list[str]:
    """Goals for which the activity would have counted but for one comparison, or for taking part."""
    basket = Basket(fact)
    seen = _Seen(teller.plan, fact, trace, inputs, basket)
    counted = {item.goal for item in trace.goals}
    found = []
    for goal in rules.goals:
        if goal.key in counted or (basket.nothing and fact.type == SALE):
            continue
        misses = near_miss(goal.when, seen, teller.program, fact.type)
        title = teller.named(teller.program.goals, goal.key) + teller.colon()
        if len(misses) == 1:
            reason = explain_miss(misses[0], teller.program, teller.language)
            found.append(title + teller.say(f"would have counted ({reason})", f"aurait compté ({reason})"))
        elif not misses and goal.opt_in and goal.measure == "activities":
            found.append(title + teller.say("counts for those who take part", "compte pour qui y participe"))
    return found


def _nearly(
    teller: Teller, rules: ActivityPlan, rule: CompiledRule, fact: Fact, trace: Trace, inputs: Inputs
) -> tuple[int, str] | None:
    """How far (per mille, for ordering) the rule was from matching, and the sentence; None: not near."""
    plan = teller.plan
    written = teller.document(rule.key)
    if not rule.active_from <= fact.at < rule.active_until:
        return None
    basket = Basket(fact)
    seen = _Seen(plan, fact, trace, inputs, basket)
    misses = near_miss(written.when, seen, plan.program, fact.type)
    joint = f"{NO_BREAK}: " if teller.fr else ": "
    title = teller.name(rule.key) + joint
    if not misses:
        # It matched, and no line of the basket counts for it; or another rule of its group brought more.
        counting = [line for line in basket.lines if rule.lines is None or rule.lines(line)]
        if written.per_unit is not None and counting and not any(line.quantity for line in counting):
            text = teller.say(
                "the lines that count state no quantity",
                "les lignes qui comptent n'indiquent pas de quantité",
            )
            return 2000, title + text
        if written.lines is None or (rule.group in plan.best and any(map(rule.lines or bool, basket.lines))):
            return None
        needed = explain(written.lines, plan.program, teller.language)
        text = teller.say(
            f"no line of the basket counts ({needed})", f"aucune ligne du panier ne compte ({needed})"
        )
        return 2000, title + text
    if len(misses) > 1:
        return None
    miss = misses[0]
    change = _change(teller, miss, fact)
    if change is None:
        return None
    distance, words, changed = change
    points = _would_earn(plan, rules, rule, changed, trace, inputs)
    if points <= 0:
        return None
    earned = teller.points(points, rule.currency)
    return distance, title + words.format(earned)


def _change(teller: Teller, miss: Miss, fact: Fact) -> tuple[int, str, Fact] | None:
    """The smallest change that meets a failed comparison: (distance, phrase with room for points, fact)."""
    say, plan = teller.say, teller.plan
    if miss.field == "amount" and not isinstance(miss.wanted, tuple):
        wanted = to_minor(str(miss.wanted), plan.exponent)
        wanted += {"above": 1, "below": -1}.get(miss.op, 0)
        more = wanted - fact.amount
        if miss.op not in ("at_least", "above", "at_most", "below", "is") or abs(more) > max(fact.amount, 1):
            return None
        said = teller.money(abs(more))
        verb = "auraient" if abs(more) >= 2 * 10**plan.exponent else "aurait"
        words = (
            say(f"{said} more would have earned {{}}", f"{said} de plus {verb} rapporté {{}}")
            if more > 0
            else say(f"{said} less would have earned {{}}", f"{said} de moins {verb} rapporté {{}}")
        )
        return abs(more) * 1000 // max(fact.amount, 1), words, _with_amount(fact, more)
    if (
        miss.field in ("quantity", "lines")
        and miss.op in ("at_least", "above")
        and isinstance(miss.found, int)
    ):
        count = int(str(miss.wanted)) + (miss.op == "above") - miss.found
        if count > max(miss.found, 1):
            return None
        noun = (say("item", "article") if miss.field == "quantity" else say("line", "ligne")) + (
            "s" if count > 1 else ""
        )
        verb = "auraient" if count > 1 else "aurait"
        words = say(
            f"{count} more {noun} would have earned {{}}", f"{count} {noun} de plus {verb} rapporté {{}}"
        )
        return 500, words, fact
    if miss.field == "nth":
        return _later(teller, miss, fact)
    reason = explain_miss(miss, plan.program, teller.language)
    return 1000, say(f"would have earned {{}} ({reason})", f"aurait rapporté {{}} ({reason})"), fact


def _with_amount(fact: Fact, more: int) -> Fact:
    """The same basket with so much more, or less, of something that no rule asks for by name."""
    if not fact.lines:
        return msgspec.structs.replace(fact, amount=fact.amount + more)
    if more > 0:
        return msgspec.structs.replace(
            fact, amount=fact.amount + more, lines=(*fact.lines, Line(amount=more))
        )
    held = shares(fact.amount + more, [line.amount for line in fact.lines])
    cut = tuple(
        msgspec.structs.replace(line, amount=part) for line, part in zip(fact.lines, held, strict=True)
    )
    return msgspec.structs.replace(fact, amount=fact.amount + more, lines=cut)


def _later(teller: Teller, miss: Miss, fact: Fact) -> tuple[int, str, Fact] | None:
    """A count that is reached a little later: "the 10th time would have earned .. (this was the 9th)"."""
    if not isinstance(miss.found, int) or isinstance(miss.wanted, tuple):
        return None
    wanted = int(str(miss.wanted))
    if miss.op == "every":
        wanted = -(-(miss.found + 1) // wanted) * wanted
    elif miss.op == "above":
        wanted += 1
    elif miss.op not in ("at_least", "is"):
        return None
    if not 0 < wanted - miss.found <= _NEAR_TIMES:
        return None
    then, now = ordinal(wanted, teller.language), ordinal(miss.found, teller.language)
    words = teller.say(
        f"the {then} time would have earned {{}} (this was the {now})",
        f"la {then} fois aurait rapporté {{}} (c'était la {now})",
    )
    return 500 + wanted - miss.found, words, fact


def _would_earn(
    plan: Plan, rules: ActivityPlan, rule: CompiledRule, fact: Fact, trace: Trace, inputs: Inputs
) -> int:
    """What the rule alone would have brought had it matched, in points minor units."""
    met = copy.copy(rule)
    met.match = None
    others = [met if item is rule else item for item in rules.rules]
    assumed = ActivityPlan(others, plan, counts=rules.counts)
    basket = Basket(fact)
    seen = _Seen(plan, fact, trace, inputs, basket)

    rated = rate(plan, assumed, seen, basket, fact.at, seen.tier, trace.rooms, trace.carry)
    return sum(result.earned for result in rated.results if result.rule == rule.key)
