"""Where members stand in the goals that rank them, copied from the engine's state for the order of an index."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from palier.engine.state import MemberState, Window
from palier.site.arrays import Instants
from palier.site.exchange import Exchange

MOVE: Final = """
-- rankings.move
insert into goal_progress (member_id, goal, number, program_id, value, reached_at)
select m, g, n, %(program)s, v, r
from unnest(%(members)s::bigint[], %(goals)s::text[], %(numbers)s::bigint[], %(values)s::bigint[],
            %(reached)s::timestamptz[]) as t(m, g, n, v, r)
order by m, g, n
on conflict (member_id, goal, number) do update set value = excluded.value, reached_at = excluded.reached_at
"""

FORGET: Final = """
-- rankings.forget
delete from goal_progress where member_id = any(%(members)s) and goal = any(%(goals)s) and number >= 0
"""


def standings(state: MemberState, goals: Iterable[str]) -> Iterator[tuple[str, Window]]:
    """The windows of a member's goals by which members are ranked, as far as anything counted in them."""
    for key in goals:
        goal = state.goals.get(key)
        if goal is not None:
            for window in (*goal.closed, goal.window):
                if window.counted_at:
                    yield key, window


class Copies:
    """Collects where members stand after a batch, and writes it."""

    def __init__(self, goals: Sequence[str]) -> None:
        self.goals = list(goals)
        self.rows: list[tuple[int, str, int, int, int]] = []
        self.anew: list[int] = []

    def take(
        self, member_id: int, state: MemberState, moved: set[tuple[str, int]], *, anew: bool = False
    ) -> None:
        """Notes the windows that moved; `anew`: all of them, and that others are gone."""
        if anew:
            self.anew.append(member_id)
        for key, window in standings(state, self.goals):
            if anew or (key, window.number) in moved:
                self.rows.append((member_id, key, window.number, window.position, window.counted_at))

    def write(self, server: Exchange, program_id: int) -> None:
        """Asks for what was noted to be written."""
        if self.anew:
            server.ask(FORGET, {"members": self.anew, "goals": self.goals})
        if self.rows:
            members, goals, numbers, values, reached = map(list, zip(*self.rows, strict=True))
            server.ask(
                MOVE,
                {
                    "program": program_id,
                    "members": members,
                    "goals": goals,
                    "numbers": numbers,
                    "values": values,
                    "reached": Instants(reached),
                },
            )
