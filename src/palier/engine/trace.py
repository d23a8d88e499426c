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


class Trace(Struct, omit_defaults=True):
    """How a decision came out.

    `version` and `tier` judged it; `tier_after` when it changed the tier. `rooms` (cap -> points still free
    before), `carry` (rule -> remainder brought in, `carry_out` what was left) and `nth` (counter -> ordinal)
    are what the activity saw, frozen with it. `taken`: (lot, amount) spent, in order; `restored`: (lot, amount)
    given back. `owed` became debt, `written_off` was let go. `returned` is the money given back so far of the
    sale, `cut` what a return asked beyond what was left. `late` marks an activity judged apart because it came
    too late. `after`: currency -> points that could be spent when it was first decided. `holds`: (hold, state,
    points captured) it made or ended. `memberships` are those that ran when it was judged.
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


encode_trace = msgspec.json.Encoder(order="deterministic").encode
decode_trace = msgspec.json.Decoder(Trace).decode
