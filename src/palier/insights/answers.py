"""Figures as plain data, the same for the API and the command: amounts as decimal text, shares in percent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from palier.activities.answers import points_text
from palier.engine.amounts import from_minor
from palier.engine.clock import moment
from palier.engine.plan import Plan
from palier.insights.breakage import Breakage
from palier.insights.queries import Cohort, Compared, CurrencyInsight, Insights, day_of


def plain(plan: Plan, found: Insights, cohorts: Sequence[Cohort]) -> dict[str, Any]:
    """The figures of a period beside those of the period before (`before` null where it was not all counted)."""

    def pair(figure: Compared, say: Callable[[int], Any] = int) -> dict[str, Any]:
        return {"now": say(figure.now), "before": say(figure.before) if found.comparable else None}

    def money(minor: int) -> str:
        return from_minor(minor, plan.exponent)

    return {
        "from": day_of(found.period.first).isoformat(),
        "through": day_of(found.period.last).isoformat(),
        "counted_at": moment(found.counted_at).isoformat() if found.counted_at else None,
        "counting": found.counting,
        "members": pair(found.members),
        "joined": pair(found.joined),
        "active_30_days": pair(found.active_30),
        "active_90_days": pair(found.active_90),
        "sales": pair(found.sales),
        "money": plan.program.currency,
        "spend": pair(found.spend, money),
        "currencies": [_currency(plan, item, pair, money) for item in found.currencies],
        "tiers": [{"tier": key, "members": pair(figure)} for key, figure in found.tiers.items()],
        "tier_moves": [
            {"from": before, "to": after, "members": pair(figure)}
            for (before, after), figure in sorted(found.moves.items())
        ],
        "first_reward": {
            "members": found.rewarded.members,
            "median_days": found.rewarded.median_days,
            "within_days": [
                {"days": days, "members": members} for days, members in found.rewarded.within.items()
            ],
        },
        "cohorts": [
            {"joined": item.month, "members": item.size, "active": list(item.active)} for item in cohorts
        ],
        "rules": [
            {
                "rule": item.rule,
                "currency": item.currency,
                "times": pair(item.fired),
                "points": pair(item.brought, _points(plan, item.currency)),
                "members": item.members,
            }
            for item in found.rules
        ],
        "rewards": [
            {"reward": key, "ordered": pair(figure)} for key, figure in sorted(found.ordered.items())
        ],
    }


def _points(plan: Plan, currency: str) -> Callable[[int], str]:
    return lambda minor: points_text(minor, plan, currency)


def _currency(
    plan: Plan, item: CurrencyInsight, pair: Callable[..., dict[str, Any]], money: Callable[[int], str]
) -> dict[str, Any]:
    say = _points(plan, item.currency)
    flows = {
        "issued": item.issued,
        "taken_back": item.taken_back,
        "redeemed": item.redeemed,
        "expired": item.expired,
        "adjusted": item.adjusted,
        "outstanding": item.outstanding,
        "pending": item.pending,
        "held": item.held,
        "debt": item.debt,
    }
    return {
        "currency": item.currency,
        **{name: pair(figure, say) for name, figure in flows.items()},
        "liability": pair(item.liability, money),
        "breakage": _breakage(item.breakage, say),
    }


def _breakage(found: Breakage, say: Callable[[int], str]) -> dict[str, Any]:
    known = found.answer == "estimated"
    return {
        "answer": found.answer,
        "months": found.months,
        "share_percent": from_minor(found.share, 2) if known else None,
        "low_percent": from_minor(found.low, 2) if known else None,
        "high_percent": from_minor(found.high, 2) if known else None,
        "points": say(found.points) if known else None,
    }


__all__ = ["plain"]
