"""A draft beside the program in force, both played over the live history: what it would have cost and brought.

What comes out is small, whatever the size of the history: sums, shares and the members who change most. It is kept as
JSON with the run that asked for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from msgspec import Struct
from psycopg import Connection

from palier.activities.backtest import Order, judges_by, live
from palier.activities.runtime import Runtime
from palier.engine.backtest import Change, CurrencyTotals, Threshold, Totals, percentile
from palier.engine.lint import Finding, lint, looked
from palier.engine.plan import Plan
from palier.engine.program import Program

RANKS: Final = (10, 25, 50, 75, 90)
"""Shares of those who reached it, in percent, by which days to the first reward are told."""


class Outcome(Struct, frozen=True):
    """What one document would have made of the history. Money and points in minor units.

    `cost`: worth of what was redeemed and of what may still be; `liability`: of the latter. `reached`: tier ->
    members who held it at some time. `steps`: goal -> step (from 1) -> members who reached it. `first_reward`: members
    who could have had it; `days`: rank in percent -> days from their first activity within which so many of them could.
    """

    cost: int
    liability: int
    currencies: dict[str, CurrencyTotals]
    reached: dict[str, int]
    steps: dict[str, dict[int, int]]
    first_reward: int
    days: dict[int, int]


class Comparison(Struct, frozen=True):
    """A draft beside the program in force. `better` and `worse` are members who would have earned more, and less.

    `spend` is money of sales less returns; `until` the instant at which it ends; `changes` those of the members who
    change most; `findings` what the linter says of the draft with this history.
    """

    members: int
    activities: int
    passed_over: int
    until: int
    spend: int
    draft: Outcome
    current: Outcome
    better: int
    worse: int
    changes: tuple[Change, ...]
    threshold: Threshold | None
    findings: tuple[Finding, ...]


def compare(
    connection: Connection[Any],
    program: Runtime,
    draft: Program,
    *,
    threshold: Threshold | None,
    now: int,
    workers: int,
    told: Callable[[int, int], None] | None = None,
) -> Comparison:
    """Plays the history up to `now` through the draft and through the latest version; nothing is written.

    Both judge all of it, whenever they took effect. `threshold` is the price of the first reward; without it, what the
    linter takes for one. `told` is called with (parts done, parts in all). Ends the connection's transaction.
    """
    # As it is written: judging by it puts its campaigns' rules among the others.
    present = program.latest.document
    if threshold is None:
        found = looked(draft)
        threshold = Threshold(found.currency, found.price) if found.price else None
    ours, theirs = judges_by(draft), judges_by(present)

    def half(number: int) -> Callable[[int, int], None]:
        def noted(done: int, parts: int) -> None:
            if told is not None:
                # The first half plays both programs, the second one of them.
                told(2 * done if number == 0 else 2 * parts + done, 3 * parts)

        return noted

    order = Order(ours, now, threshold, against=theirs, looked=looked(draft, threshold))
    played = live(connection, program, order, workers=workers, told=half(0))
    known = {currency.key for currency in present.point_currencies}
    shared = threshold if threshold is not None and threshold.currency in known else None
    other = live(connection, program, Order(theirs, now, shared), workers=workers, told=half(1))
    report = lint(draft, now=now, before=present, history=played)
    return Comparison(
        played.members,
        played.activities,
        played.passed_over,
        now,
        played.spend,
        _outcome(ours.latest, played),
        _outcome(theirs.latest, other),
        played.better,
        played.worse,
        tuple(played.changes[:20]),
        threshold,
        report.findings,
    )


def _outcome(plan: Plan, totals: Totals) -> Outcome:
    cost = liability = 0
    for key, item in totals.currencies.items():
        liability += plan.worth(key, item.outstanding)
        cost += plan.worth(key, item.redeemed + item.outstanding)
    days = {rank: percentile(totals.waits, rank) for rank in RANKS}
    return Outcome(
        cost,
        liability,
        totals.currencies,
        totals.reached,
        totals.mechanics.steps,
        len(totals.waits),
        {rank: found for rank, found in days.items() if found is not None},
    )


__all__ = ["RANKS", "Comparison", "Outcome", "compare"]
