"""What came out of a backtest, as sentences and charts: cost, who wins or loses, who reaches what, how soon."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from palier.activities.comparison import RANKS, Comparison, Outcome
from palier.engine.amounts import from_minor
from palier.engine.currencies import localized
from palier.engine.program import Program
from palier.engine.words import ProgramWords
from palier.web.ui.chart import Bar, Chart, across, bars


def _count(value: int, language: str) -> str:
    text = localized(str(abs(value)), language)
    return f"\u2212{text}" if value < 0 else text


def percent(part: int, whole: int, language: str) -> str:
    """A share with two decimals, rounded down: "1,04 %"."""
    hundredths = part * 10_000 // whole if whole > 0 else 0
    text = localized(from_minor(abs(hundredths), 2), language)
    return f"{text}\u202f%" if language == "fr" else f"{text}%"


def in_short(found: Comparison, words: ProgramWords) -> list[str]:
    """What changes, in figures: for whoever is about to publish."""
    cost = found.draft.cost - found.current.cost
    told = [
        _("Over your history it would have cost %(more)s more.") % {"more": words.money(cost)}
        if cost > 0
        else _("Over your history it would have cost %(less)s less.") % {"less": words.money(-cost)}
        if cost < 0
        else _("Over your history it would have cost the same.")
    ]
    told.append(_better(found, words.language))
    told.append(_worse(found, words.language))
    return told


def _better(found: Comparison, language: str) -> str:
    return ngettext(
        "%(count)s member would have earned more.", "%(count)s members would have earned more.", found.better
    ) % {"count": _count(found.better, language)}


def _worse(found: Comparison, language: str) -> str:
    return ngettext(
        "%(count)s member would have earned less.", "%(count)s members would have earned less.", found.worse
    ) % {"count": _count(found.worse, language)}


def shown(found: Comparison, published: Program, draft: Program, language: str) -> dict[str, Any]:
    """Everything that the page of a run shows."""
    words, own = ProgramWords(published, language), ProgramWords(draft, language)
    charts = [_cost(found, words), _who(found, language)]
    charts += [
        chart for chart in (_tiers(found, own), *_steps(found, own), _waits(found, own)) if chart is not None
    ]
    return {
        "sentence": in_short(found, words)[0],
        "short": in_short(found, words)[1:],
        "members": _count(found.members, language),
        "activities": _count(found.activities, language),
        "empty": found.members == 0,
        "rates": (
            percent(found.draft.cost, found.spend, language),
            percent(found.current.cost, found.spend, language),
        ),
        "charts": charts,
        "changes": [
            (item.member, own.points(item.points, item.currency), item.points < 0)
            for item in found.changes[:10]
        ],
    }


def _head(first: str) -> tuple[str, str, str]:
    return first, _("Draft"), _("Published")


def _source() -> str:
    return _(
        "Both programs played over your own history, every activity judged by each, whenever it happened."
    )


def _cost(found: Comparison, words: ProgramWords) -> Chart:
    rows = [
        Bar(_("Cost in all"), found.draft.cost, found.current.cost),
        Bar(_("Already used"), _used(found.draft), _used(found.current)),
        Bar(_("Still to be used"), found.draft.liability, found.current.liability),
    ]
    return across(
        rows,
        title=_("What does it cost?"),
        described=_("Draft %(draft)s, published %(published)s.")
        % {"draft": words.money(found.draft.cost), "published": words.money(found.current.cost)},
        said=words.money,
        head=_head(_("Worth of points")),
        source=_source(),
    )


def _used(outcome: Outcome) -> int:
    return outcome.cost - outcome.liability


def _who(found: Comparison, language: str) -> Chart:
    same = max(0, found.members - found.better - found.worse)
    return across(
        [Bar(_("Earn more"), found.better), Bar(_("Earn the same"), same), Bar(_("Earn less"), found.worse)],
        title=_("Who wins, who loses?"),
        described=f"{_better(found, language)} {_worse(found, language)}",
        said=lambda value: _count(value, language),
        head=(_("With the draft, members"), _("Members")),
        source=_("Points earned by the draft less points earned by the published version. A member with several "
                 "kinds of points may be in both."),
    )  # fmt: skip


def _tiers(found: Comparison, words: ProgramWords) -> Chart | None:
    if words.program.tiers is None:
        return None
    rows = [
        Bar(
            words.tier(tier.key), found.draft.reached.get(tier.key, 0), found.current.reached.get(tier.key, 0)
        )
        for tier in words.program.tiers.tiers
    ]
    top = rows[-1]
    return across(
        rows,
        title=_("Who reaches which tier?"),
        described=_("%(tier)s: %(draft)s with the draft, %(published)s as published.")
        % {
            "tier": top.label,
            "draft": _count(top.value, words.language),
            "published": _count(top.beside or 0, words.language),
        },
        said=lambda value: _count(value, words.language),
        head=_head(_("Tier")),
        source=_("Members who stood on the tier or above it at some time."),
    )


def _steps(found: Comparison, words: ProgramWords) -> list[Chart]:
    charts = []
    for goal in words.program.goals[:6]:
        if not goal.steps:
            continue
        mine, other = found.draft.steps.get(goal.key, {}), found.current.steps.get(goal.key, {})
        rows = [
            Bar(words.text(step.name), mine.get(number, 0), other.get(number, 0))
            for number, step in enumerate(goal.steps, 1)
        ]
        last = rows[-1]
        charts.append(
            across(
                rows,
                title=words.text(goal.name),
                described=_("%(step)s: reached by %(draft)s with the draft, by %(published)s as published.")
                % {
                    "step": last.label,
                    "draft": _count(last.value, words.language),
                    "published": _count(last.beside or 0, words.language),
                },
                said=lambda value: _count(value, words.language),
                head=_head(_("Step")),
                source=_("Members who reached the step in some round."),
            )
        )
    return charts


def _waits(found: Comparison, words: ProgramWords) -> Chart | None:
    threshold = found.threshold
    if threshold is None or not found.draft.days:
        return None
    goal = words.points(threshold.points, threshold.currency)
    half = found.draft.days.get(50, 0)
    rows = [
        Bar(
            percent(rank, 100, words.language).replace(".00", "").replace(",00", ""),
            days,
            found.current.days.get(rank),
        )
        for rank in RANKS
        if (days := found.draft.days.get(rank)) is not None
    ]
    return bars(
        rows,
        title=_("How long until the first reward?"),
        described=ngettext(
            "Half of those who reach %(goal)s have it within %(days)s day; %(share)s of all members reach it.",
            "Half of those who reach %(goal)s have it within %(days)s days; %(share)s of all members reach it.",
            half,
        )
        % {
            "goal": goal,
            "days": _count(half, words.language),
            "share": percent(found.draft.first_reward, found.members, words.language),
        },
        said=lambda value: _count(value, words.language),
        head=_head(_("Share of those who reach it")),
        source=_("Days from a member's first activity until %(goal)s could be spent.") % {"goal": goal},
    )


__all__ = ["in_short", "percent", "shown"]
