"""Traces: what a decision was made of, enough to recompute its amounts and to say them in words."""

from __future__ import annotations

import msgspec
from msgspec import Struct


class RuleTrace(Struct, array_like=True, gc=False):
    """One rule that earned: base x rate rounded is `raw`; x tier multiplier is `multiplied`; after caps, `earned`.

    `base` is money minor units (per_spend), units (per_unit) or points (multiply). `lot` is where the points
    went; `pending` says that they wait. `limit` names the cap that cut, if one did.
    """

    rule: str
    currency: str
    base: int
    raw: int
    multiplied: int
    earned: int
    lot: int = 0
    pending: bool = False
    limit: str = ""


class GrantTrace(Struct, array_like=True, gc=False):
    """Units that a mechanic gave (`points` > 0) or that were taken back (< 0).

    `cause` names the mechanic: "goal:KEY:STEP" (steps count from 1 over all rounds), "streak:KEY:LENGTH" (of a
    pair "streak:KEY:PAIR:LENGTH"), "tier:KEY", "game:KEY:PRIZE", "quiz:KEY:STEP", "membership:KEY", "referral",
    "prize:KEY:RANK". `worth` is the most that a free unit is worth, in money minor units.
    """

    cause: str
    currency: str
    points: int
    lot: int = 0
    pending: bool = False
    worth: int = 0


class GoalTrace(Struct, array_like=True, gc=False):
    """What an activity counted for a goal, in minor units of its measure.

    `window` is the number of the window it counted in; `before` and `after` the member's position; `room` what
    the day's cap left (-1: none); `keys` the distinct values it brought. With a return it says what still counts.
    """

    goal: str
    window: int
    counted: int
    before: int
    after: int
    room: int = -1
    keys: list[str] = []


class StreakTrace(Struct, array_like=True, gc=False):
    """What an activity did for a streak: the local period it counted in, and the length before and after."""

    streak: str
    period: int
    before: int
    after: int


class Trace(Struct, omit_defaults=True):
    """How a decision came out.

    `version` and `tier` judged it; `tier_after` when it changed the tier. `rooms` (cap -> points still free
    before), `carry` (rule -> remainder brought in, `carry_out` what was left) and `nth` (counter -> ordinal)
    are what the activity saw, frozen with it. `taken`: (lot, amount) spent, in order; `restored`: (lot, amount)
    given back. `owed` became debt, `written_off` was let go. `returned` is the money given back so far of the
    sale, `cut` what a return asked beyond what was left. `late` marks an activity judged apart because it came
    too late. `after`: currency -> points that could be spent when it was first decided. `holds`: (hold, state,
    points captured) it made or ended. `memberships` are those that ran when it was judged. `goals`,
    `streaks` and `grants` are what mechanics made of it; `budgets`: shared limit -> what it used of it;
    `chosen`: rule taken of a group that keeps the best -> what shared limits left of it; `draws`: (game, field from
    0, prize, or "" where it was sold out); `membership`: (key, end before, end after) of a fee; `score` that of a
    quiz; `told`: (member, id) of the facts that it brought about for others. `renamed`: (lot, lot) where a merge
    put points of one lot of the other member.
    """

    version: int
    tier: str = ""
    tier_after: str = ""
    rules: list[RuleTrace] = []
    rooms: dict[str, int] = {}
    carry: dict[str, tuple[int, int]] = {}
    carry_out: dict[str, tuple[int, int]] = {}
    nth: dict[str, int] = {}
    taken: list[tuple[int, int]] = []
    restored: list[tuple[int, int]] = []
    owed: int = 0
    written_off: int = 0
    returned: int = 0
    cut: int = 0
    late: bool = False
    reason: str = ""
    after: dict[str, int] = {}
    holds: list[tuple[int, str, int]] = []
    memberships: list[str] = []
    goals: list[GoalTrace] = []
    streaks: list[StreakTrace] = []
    grants: list[GrantTrace] = []
    budgets: dict[str, int] = {}
    chosen: dict[str, int] = {}
    draws: list[tuple[str, int, str]] = []
    membership: tuple[str, int, int] | None = None
    score: int = -1
    told: list[tuple[str, str]] = []
    renamed: list[tuple[int, int]] = []


encode_trace = msgspec.json.Encoder(order="deterministic").encode
decode_trace = msgspec.json.Decoder(Trace).decode
