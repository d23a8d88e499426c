"""A program ready to decide: its timeline compiled, kept for as long as no newer version judges."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from psycopg import Connection

from palier.engine.plan import Plan, Timeline, with_campaigns
from palier.engine.program import ExpiryNever, Program
from palier.programs import queries as programs
from palier.programs.telling import dated
from palier.site.exchange import Answer, Exchange, exchange


class Runtime:
    """One program as the activities room needs it: its id, its key, and the compiled timeline."""

    __slots__ = ("_graces", "key", "program_id", "ranked", "stored", "timeline")

    def __init__(self, stored: programs.Timeline) -> None:
        self.program_id = stored.program_id
        self.key = stored.key
        self.stored = stored
        plans = {number: Plan(document, number) for number, document in stored.documents.items()}
        self.timeline = Timeline([(e.from_at, e.until_at, plans[e.version]) for e in stored.entries])
        self._graces = _graces(list(stored.documents.values()))
        # Goals by which any version ranks members: where each stands is kept apart.
        self.ranked = sorted({board.goal for plan in plans.values() for board in plan.program.leaderboards})
        for plan in plans.values():
            for key in self.ranked:
                if key in plan.goals:
                    plan.goals[key].measures = True

    def judged_by(self, version: int, from_at: int, until_at: int) -> Runtime:
        """The same program if `version` judged the instants from `from_at` until before `until_at`."""
        other = object.__new__(Runtime)
        other.program_id, other.key, other.stored = self.program_id, self.key, self.stored
        other.ranked, other._graces = self.ranked, self._graces
        plan = self.timeline.plan_of(version)
        assert plan is not None
        other.timeline = Timeline([*self.timeline.spans, (from_at, until_at, plan)])
        return other

    def grace(self, currency: str) -> int | None:
        """The days of grace of a point currency; None where versions or rules differ, so that its lots do."""
        found = self._graces.get(currency, {0})
        return next(iter(found)) if len(found) == 1 else None

    def at(self, instant: int) -> Plan:
        """The version that judges an instant; before the program began, the one published last."""
        return self.timeline.at(instant) or self.latest

    @property
    def latest(self) -> Plan:
        """The version that was published last, for what is asked of no instant in particular. It may be one to come."""
        number = max(self.stored.documents)
        plan = self.timeline.plan_of(number)
        assert plan is not None
        return plan


def _graces(documents: Sequence[Program]) -> dict[str, set[int]]:
    """All days of grace that points of a currency were ever given."""
    found: dict[str, set[int]] = {}
    for document in documents:
        given = [(currency.key, currency.expiry) for currency in document.point_currencies]
        given += [
            (rule.currency, rule.expiry) for rule in with_campaigns(document).rules if rule.expiry is not None
        ]
        for key, expiry in given:
            if not isinstance(expiry, ExpiryNever):
                found.setdefault(key, set()).add(expiry.grace_days)
    return found


_lock = threading.Lock()
_compiled: dict[str, Runtime] = {}


def share(server: Exchange, program_id: int) -> Answer:
    """Holds what judges this program as it is to the end of the transaction; the answer is for `current`.

    Two statements: the second reads as of after the wait of the first.
    """
    server.ask(programs.SHARE_JUDGING, {"program": program_id})
    return server.ask(programs.HEAD, {"program": program_id})


def current(connection: Connection[Any], known: Runtime, head: Answer) -> Runtime:
    """`known` while nothing was published since, else the program as it judges now."""
    if programs.is_head(known.stored, next(iter(head.rows), None)):
        return known
    return runtime(connection, known.key) or known


def recorded_from(head: Answer, now: int) -> int:
    """The instant at which a transaction that began at `now` records what it decides."""
    row = next(iter(head.rows), None)
    return dated(row[2], now) if row is not None else now


def settled(connection: Connection[Any], known: Runtime) -> Runtime:
    """The program as it judges until the transaction ends: whoever publishes or rates again waits for it."""
    return settled_from(connection, known, 0)[0]


def settled_from(connection: Connection[Any], known: Runtime, now: int) -> tuple[Runtime, int]:
    """As `settled`, with the instant at which a transaction that began at `now` records what it writes itself."""
    with exchange(connection) as server:
        head = share(server, known.program_id)
    return current(connection, known, head), recorded_from(head, now)


def last_known(key: str) -> Runtime | None:
    """The program as this process compiled it last: what applies a batch by it looks whether it still judges."""
    with _lock:
        return _compiled.get(key)


def runtime(connection: Connection[Any], key: str) -> Runtime | None:
    """The program with this key, compiled; None where there is none. One small query when nothing changed."""
    stored = programs.timeline(connection, key)
    if stored is None:
        return None
    known = _known(key, stored)
    if known is not None:
        return known
    made = Runtime(stored)
    with _lock:
        _compiled[key] = made
    return made


def _known(key: str, stored: programs.Timeline) -> Runtime | None:
    with _lock:
        known = _compiled.get(key)
    return known if known is not None and known.stored is stored else None


def known_runtime(key: str, head: tuple[Any, ...]) -> Runtime | None:
    """The program with this key if this process has compiled what judges as of `head`; asks no database.

    `head` is what `programs.queries.TIMELINE_HEAD` reads.
    """
    stored = programs.cached_timeline(head)
    return _known(key, stored) if stored is not None else None
