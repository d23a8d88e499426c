"""What begins anew with a version: what its difference to the version before says to nobody who does not know it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from palier.engine.complexity import all_rules
from palier.engine.conditions import counted_activities, counting_windows
from palier.engine.document import Condition
from palier.engine.mechanics import Game, Goal, Streak
from palier.engine.phrases import activities
from palier.engine.plan import Plan
from palier.engine.program import Caps, Program, Text

Said = tuple[str, str]
"""The same in English and in French."""
Beginning = tuple[str, str, Said, Said]
"""A finding's name, its path, the reason and the remedy."""

_PERIODS: Final = {
    "week": ("by week", "par semaine"),
    "month": ("by month", "par mois"),
    "year": ("by year", "par an"),
    "lifetime": ("for life", "à vie"),
}
"""Periods in which something is counted for longer than the day on which a version begins."""
_MEANT: Final = (
    "tell it where the change is announced, or leave out members of before by a condition",
    "le dire en annonçant le changement, ou écarter par une condition ceux qui étaient déjà membres",
)
_ROOM: Final = (
    "let the version begin as the period does, or take it into account",
    "faire commencer la version avec la période, ou en tenir compte",
)


def beginnings(before: Program, after: Program) -> Iterator[Beginning]:
    """What members did under the version before, and this one does not know."""
    if before.time_zone != after.time_zone:
        reason = (
            f"days begin and end by {after.time_zone} and no longer by {before.time_zone}: what is limited or counted "
            "by day, week, month or year may begin again or last longer as the version begins",
            f"les jours commencent et finissent à l'heure de {after.time_zone} et non plus de {before.time_zone} : ce "
            "qui est limité ou compté par jour, semaine, mois ou an peut recommencer ou durer davantage au début de la "
            "version",
        )
        yield "zone_moves", "time_zone", reason, _ROOM
    yield from _counting(before, after)
    yield from _caps(before, after)


def _counting(before: Program, after: Program) -> Iterator[Beginning]:
    known = {
        (kind, window) for kind, activity in Plan(before, 1).activities.items() for window in activity.nth
    }
    for path, name, on, when in _askers(after):
        asked = {(kind, window) for kind in on for window in counting_windows(when)} | counted_activities(
            when
        )
        for kind, window in sorted(asked - known):
            if window in _PERIODS:
                own, own_fr = (activities(None, kind, after, language) for language in ("en", "fr"))
                period, period_fr = _PERIODS[window]
                reason = (
                    f'"{name.en or name.fr}" counts {own} {period}, and only from this version on: it begins at the '
                    "first for those who are members already, too",
                    f"« {name.fr or name.en} » compte les {own_fr} {period_fr}, et seulement à partir de cette "
                    "version : pour ceux qui sont déjà membres aussi, on repart du premier",
                )
                yield "counts_anew", path, reason, _MEANT


def _askers(program: Program) -> Iterator[tuple[str, Text, Sequence[str], Condition | None]]:
    """All that has a condition on activities: its path, its name, the activity types, the condition."""
    for index, rule in enumerate(program.rules):
        yield f"rules[{index}].when", rule.name, [rule.on], rule.when
    for number, campaign in enumerate(program.campaigns):
        for index, rule in enumerate(campaign.rules):
            yield f"campaigns[{number}].rules[{index}].when", rule.name, [rule.on], rule.when
    kinds: tuple[tuple[str, Sequence[Goal | Streak | Game]], ...] = (
        ("goals", program.goals),
        ("streaks", program.streaks),
        ("games", program.games),
    )
    for kind, parts in kinds:
        for index, part in enumerate(parts):
            yield f"{kind}[{index}].when", part.name, part.on, part.when
    if program.referral is not None:
        yield "referral.when", program.name, program.referral.on, program.referral.when


def _caps(before: Program, after: Program) -> Iterator[Beginning]:
    """Caps by period that are new on what could be earned before."""
    rules = {rule.key: rule for rule in all_rules(before)}
    old = {("rule", rule.key): rule.caps for rule in rules.values()}
    old |= {("group", group.key): group.caps for group in before.groups}
    old |= {("member", cap.currency): cap.caps for cap in before.caps}
    found = [
        (f"rules[{index}].caps", ("rule", rule.key), rule.caps)
        for index, rule in enumerate(after.rules)
        if rule.key in rules
    ]
    found += [
        (f"groups[{index}].caps", ("group", group.key), group.caps)
        for index, group in enumerate(after.groups)
        if any(rule.group == group.key and rule.key in rules for rule in all_rules(after))
    ]
    currencies = {currency.key for currency in before.point_currencies}
    found += [
        (f"caps[{index}].caps", ("member", cap.currency), cap.caps)
        for index, cap in enumerate(after.caps)
        if cap.currency in currencies
    ]
    for path, key, caps in found:
        for period in _PERIODS:
            if _limit(caps, period) is not None and _limit(old.get(key), period) is None:
                english, french = _PERIODS[period]
                reason = (
                    f"the cap {english} has all its room as the version begins: what was earned before is not counted",
                    f"le plafond {french} a toute sa place au début de la version : ce qui a été gagné avant n'est pas "
                    "compté",
                )
                yield "cap_anew", f"{path}.{period}", reason, _ROOM


def _limit(caps: Caps | None, period: str) -> str | None:
    found: str | None = getattr(caps, period, None)
    return found


__all__ = ["Beginning", "beginnings"]
