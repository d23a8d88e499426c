"""Reads of a member's standing: wallets at any instant as known at any other, expiry, tier, history.

Every read behaves as if due work (releases, expiry, falls of tier) had run, whether or not it has.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

import psycopg
from msgspec import Struct
from psycopg import Connection

from palier.activities import store
from palier.activities.pursuits import Pursuits, pursuits
from palier.activities.records import inherited_of
from palier.activities.runtime import Runtime
from palier.engine.amounts import to_minor
from palier.engine.clock import DAY, instant, moment
from palier.engine.decide import Fold
from palier.engine.facts import MADE_SOURCE, OWN_SOURCE, decode_fact
from palier.engine.history import fold
from palier.engine.plan import Plan, Timeline
from palier.engine.program import Threshold
from palier.engine.refusals import RefusalCode
from palier.engine.state import NEVER, MemberState, TierState, WalletState, decode_state, unpack
from palier.engine.trace import Trace, decode_trace
from palier.ledger.queries import Holding, TransferView, holdings, transfers_of
from palier.members import queries as members
from palier.members import refs
from palier.programs import queries as programs
from palier.site.arrays import Numbers

HORIZON: Final = 20 * 366 * DAY
"""How far ahead of now a standing is told; what is asked beyond is answered as of this."""
IN_FLIGHT_WAIT_MS: Final = 100
"""How long a read waits to learn whether an id it does not find is being applied at this moment."""


def any_activity(connection: Connection[Any], program_id: int) -> bool:
    """Whether anything was ever sent to a program, beside what the platform makes itself."""
    row = connection.execute(
        """
        -- activities.any
        -- all members: the first row found is enough; asked while a program is being set up
        select exists (select 1 from activity where program_id = %s and source <> all(%s))
        """,
        (program_id, [OWN_SOURCE, MADE_SOURCE]),
    ).fetchone()
    return row is not None and bool(row[0])


# --- wallets ----------------------------------------------------------------------------------------------


class Lot(Struct, frozen=True):
    """What a wallet holds with one fate. `spendable_until` is the end of the grace after `expires_at`.

    A `moving` lot's expiry moves with the member's activity. Instants are microseconds UTC; NEVER is no end.
    """

    expires_at: int
    spendable_until: int
    funder: str
    first_earned: int
    spendable: int
    held: int
    moving: bool = False


class Pending(Struct, frozen=True):
    """Points that wait: for the instant `release_at`, or for an activity of type `until` naming the sale."""

    source: str
    id: str
    points: int
    release_at: int
    until: str
    expires_at: int
    spendable_until: int


class Wallet(Struct, frozen=True):
    """One point currency of one member, in minor units. `posted` is spendable and held together."""

    currency: str
    spendable: int
    pending: int
    held: int
    debt: int
    lots: tuple[Lot, ...] = ()
    waiting: tuple[Pending, ...] = ()

    @property
    def posted(self) -> int:
        return self.spendable + self.held


NOTHING: Final = Wallet("", 0, 0, 0, 0)


class Wallets(Struct, frozen=True):
    """A member's wallets by currency, at `as_of` and as known at `known_at`."""

    as_of: int
    known_at: int
    wallets: dict[str, Wallet]


def wallets(
    connection: Connection[Any],
    runtime: Runtime,
    member_id: int,
    *,
    as_of: int | None = None,
    known_at: int | None = None,
    now: int,
) -> Wallets | None:
    """What a member had, has or will have; None for an unknown member. Instants are microseconds UTC.

    `as_of` (default: now) may lie ahead, as far as HORIZON: what is held now is carried forward, with what expires
    and is released until then. `known_at` (default: all that is known) leaves out what was recorded later.
    """
    found = _state(connection, runtime, member_id)
    if found is None:
        return None
    state, decided_at = found
    latest = max(state.latest, state.due_done)
    at = min(as_of, now + HORIZON) if as_of is not None else max(now, latest)
    known = min(known_at, now) if known_at is not None else now
    if known_at is not None and known < decided_at:
        told = _of_state(runtime, _replayed(connection, runtime, member_id, at, known))
    elif at >= latest:
        told = _of_state(runtime, carried(runtime, state, at))
    elif any(plan.idle for _, _, plan in runtime.timeline.spans):
        # A lot's row tells when it expires by all activity until today, not by what there was until then.
        told = _of_state(runtime, _replayed(connection, runtime, member_id, at, max(known, decided_at)))
    else:
        told = _of_rows(runtime, holdings(connection, member_id, as_of=at, known_at=max(known, decided_at)))
    return Wallets(at, known, told)


def wallets_now(runtime: Runtime, state: MemberState, *, now: int) -> Wallets:
    """What a member has now, by the state that is stored of him; it is carried forward in place."""
    at = max(now, state.latest, state.due_done)
    return Wallets(at, now, _of_state(runtime, carried(runtime, state, at)))


def carried(runtime: Runtime, state: MemberState, at: int) -> MemberState:
    """A state with the due work until an instant done, in place; the instant is not before what was decided."""
    fold = Fold(runtime.timeline, state)
    if fold.is_due(at):
        fold.advance(at)
    return state


STANDINGS: Final = f"""
-- activities.standings
with head as ({programs.TIMELINE_HEAD})
select h.program_id, h.entry, h.recorded_at, h.sha256, p.member_id, p.state, m.status
from head h
left join (progress p join member m on m.member_id = p.member_id)
  on p.member_id = any(%(members)s::bigint[]) and p.program_id = h.program_id
"""


async def standings(
    connection: psycopg.AsyncConnection[Any], key: str, member_ids: Sequence[int]
) -> tuple[tuple[Any, ...] | None, dict[int, tuple[bytes, str]]]:
    """Stored states of members of a program by one statement: (head of its timeline, id -> (state, status)).

    The head is that of `programs.queries.TIMELINE_HEAD`, None where there is no such program. Who is not a
    member of it is left out.
    """
    cursor = connection.cursor(binary=True)
    await cursor.execute(STANDINGS, {"key": key, "members": Numbers(member_ids)})
    rows = await cursor.fetchall()
    if not rows:
        return None, {}
    return rows[0][:4], {row[4]: (row[5], row[6]) for row in rows if row[4] is not None}


def _state(connection: Connection[Any], runtime: Runtime, member_id: int) -> tuple[MemberState, int] | None:
    row = connection.execute(
        """
        -- activities.state
        select state, decided_at from progress where member_id = %s and program_id = %s
        """,
        (member_id, runtime.program_id),
    ).fetchone()
    return (decode_state(row[0]), instant(row[1])) if row is not None else None


def state_now(connection: Connection[Any], runtime: Runtime, member_id: int, *, now: int) -> MemberState:
    """The state of a member with what is due done; an empty one for an unknown member."""
    found = _state(connection, runtime, member_id)
    state = found[0] if found is not None else MemberState()
    return carried(runtime, state, max(now, state.latest, state.due_done))


def state_then(
    connection: Connection[Any], runtime: Runtime, member_id: int, at: int, known: int
) -> MemberState:
    """The state of a member as of an instant, by what had been recorded until `known`; folded anew."""
    return _replayed(connection, runtime, member_id, at, known)


def _replayed(
    connection: Connection[Any], runtime: Runtime, member_id: int, at: int, known: int
) -> MemberState:
    """The fold of the facts recorded by an instant, by the versions that judged as of then."""
    rows = connection.execute(
        """
        -- activities.facts_known
        select a.member_id, a.activity_id, a.source, a.external_id, a.type, a.payload::text, a.inputs::text,
               a.trace::text, a.corrects_id, a.sale_id, a.transfer_count
        from activity a where a.member_id = %s and a.recorded_at <= %s
          and (a.source <> %s or (a.corrects_id is not null and a.inputs is not null))
        order by a.activity_id
        """,
        (member_id, moment(known), OWN_SOURCE),
    )
    history = store.activities(rows)
    knowns = [item.known for item in history if item.source != OWN_SOURCE]
    judged = zip(runtime.stored.entries, runtime.timeline.spans, strict=True)
    timeline = Timeline([span for entry, span in judged if entry.recorded_at <= known])
    engine = fold(timeline, knowns, until=at, inherited=inherited_of(connection, runtime.timeline, history))
    engine.advance(at)
    return engine.state


def _of_state(runtime: Runtime, state: MemberState) -> dict[str, Wallet]:
    held = state.wallets
    found = {key: NOTHING if key in held else Wallet(key, 0, 0, 0, 0) for key in runtime.latest.currencies}
    for currency, wallet in held.items():
        lots = tuple(_lot(wallet, lot) for lot in wallet.lots if lot.remaining or lot.held)
        waiting = tuple(
            Pending(
                entry.source,
                entry.id,
                entry.amount,
                entry.release_at,
                entry.until,
                wallet.idle_at if entry.idle else entry.expires_at,
                wallet.idle_lapses_at if entry.idle else entry.lapses_at,
            )
            for entry in wallet.pending
        )
        found[currency] = Wallet(
            currency,
            wallet.spendable,
            sum(entry.points for entry in waiting),
            sum(lot.held for lot in lots),
            wallet.debt,
            lots,
            waiting,
        )
    return found


def _lot(wallet: WalletState, lot: Any) -> Lot:
    expires, lapses = (wallet.idle_at, wallet.idle_lapses_at) if lot.idle else (lot.expires_at, lot.lapses_at)
    return Lot(expires, lapses, lot.funder, lot.first_earned, lot.remaining, lot.held, lot.idle)


def _of_rows(runtime: Runtime, rows: dict[str, Holding]) -> dict[str, Wallet]:
    found = {key: Wallet(key, 0, 0, 0, 0) for key in runtime.latest.currencies}
    for currency, holding in rows.items():
        found[currency] = Wallet(
            currency,
            holding.spendable,
            holding.pending,
            holding.held,
            holding.debt,
            tuple(
                Lot(
                    lot.expires_at,
                    runtime.at(lot.first_earned).lapses(currency, lot.expires_at),
                    lot.funder,
                    lot.first_earned,
                    lot.remaining,
                    lot.held,
                )
                for lot in holding.lots
                if lot.remaining or lot.held
            ),
        )
    return found


class Expiry(Struct, frozen=True):
    """Points that expire at one instant unless they are used: spendable now, held, and pending until then."""

    currency: str
    expires_at: int
    spendable_until: int
    spendable: int
    held: int
    pending: int
    moving: bool


def expiries(found: Wallets) -> list[Expiry]:
    """What of these wallets expires when, soonest first; what never expires is left out."""
    sums: dict[tuple[int, str, int, bool], list[int]] = {}
    for wallet in found.wallets.values():
        for lot in wallet.lots:
            if lot.expires_at < NEVER:
                entry = sums.setdefault(
                    (lot.spendable_until, wallet.currency, lot.expires_at, lot.moving), [0, 0, 0]
                )
                entry[0] += lot.spendable
                entry[1] += lot.held
        for waiting in wallet.waiting:
            if waiting.expires_at < NEVER:
                key = (waiting.spendable_until, wallet.currency, waiting.expires_at, False)
                sums.setdefault(key, [0, 0, 0])[2] += waiting.points
    return [
        Expiry(currency, expires, until, spendable, held, pending, moving)
        for (until, currency, expires, moving), (spendable, held, pending) in sorted(sums.items())
    ]


# --- progress ---------------------------------------------------------------------------------------------


class Missing(Struct, frozen=True):
    """One threshold of the next tier: what is needed and what is there, in minor units or counts."""

    metric: Literal["spend", "points", "visits"]
    at_least: int
    current: int

    @property
    def missing(self) -> int:
        return max(0, self.at_least - self.current)


class NextTier(Struct, frozen=True):
    """The tier above the one held; `needs` says whether all or any of the thresholds grant it."""

    key: str
    needs: Literal["all", "any"]
    thresholds: tuple[Missing, ...]


class Standing(Struct, frozen=True):
    """Where a member stands in the tiers. Metrics are [spend, points, visits] in the window.

    `held_until` is the end of a grace in which a tier no longer deserved is kept (0: none), `given_until` that of a
    tier that was given (0: the tier is the member's own).
    `period_ends_at` is the end of a calendar window (NEVER otherwise).
    """

    as_of: int
    tier: str
    spend: int
    points: int
    visits: int
    held_until: int
    period_ends_at: int
    next: NextTier | None
    waiting: tuple[tuple[str, Pending], ...]
    pursuits: Pursuits = Pursuits()
    given_until: int = 0


def standing(
    connection: Connection[Any],
    runtime: Runtime,
    member_id: int,
    *,
    as_of: int | None = None,
    known_at: int | None = None,
    now: int,
) -> Standing | None:
    """Tier, metrics, what is missing for the next, and what waits to be released; None: unknown member.

    The instants are those of `wallets`: `as_of` when it stood so, `known_at` by what had been recorded then.
    """
    found = _state(connection, runtime, member_id)
    if found is None:
        return None
    state, decided_at = found
    latest = max(state.latest, state.due_done)
    at = min(as_of, now + HORIZON) if as_of is not None else max(now, latest)
    known = min(known_at, now) if known_at is not None else now
    unknown_yet = known_at is not None and known < decided_at
    if at < latest or unknown_yet:
        until = known if unknown_yet else max(known, decided_at)
        return _standing(runtime, _replayed(connection, runtime, member_id, at, until), at)
    return _standing(runtime, carried(runtime, state, at), at)


def standing_now(runtime: Runtime, state: MemberState, *, now: int) -> Standing:
    """Where a member stands in the tiers now, by the state stored of him; it is carried forward in place."""
    at = max(now, state.latest, state.due_done)
    return _standing(runtime, carried(runtime, state, at), at)


def _standing(runtime: Runtime, state: MemberState, at: int) -> Standing:
    plan = runtime.timeline.at(at) or runtime.latest
    tier = state.tier
    spend, points, visits = _metrics(plan, tier, at)
    ladder = plan.ladder
    told = _of_state(runtime, state)
    return Standing(
        at,
        tier.key or plan.levels[0],
        spend,
        points,
        visits,
        tier.held_until,
        plan.period_start(plan.period_number(at) + 1)
        if ladder is not None and ladder.kind == "calendar"
        else NEVER,
        _next_tier(plan, tier.key, {"spend": spend, "points": points, "visits": visits}),
        tuple((wallet.currency, entry) for wallet in told.values() for entry in wallet.waiting),
        pursuits(plan, state, at),
        max((until for key, until in tier.given.values() if key == tier.key), default=0)
        if tier.own not in ("", tier.key)
        else 0,
    )


def _metrics(plan: Plan, tier: TierState, at: int) -> tuple[int, int, int]:
    """The metrics that count at an instant: what has left the window is not in them."""
    ladder = plan.ladder
    if ladder is None:
        return 0, 0, 0
    spend, points, visits = tier.current
    if ladder.kind == "rolling":
        unpack(tier, at)
        for leaves, spent, earned, visited in tier.entries:
            if leaves <= at:
                spend, points, visits = spend - spent, points - earned, visits - visited
    elif ladder.kind == "calendar" and tier.period < plan.period_number(at):
        return 0, 0, 0
    return spend, points, visits


def _next_tier(plan: Plan, key: str, current: dict[str, int]) -> NextTier | None:
    ladder = plan.program.tiers
    if ladder is None:
        return None
    keys = [tier.key for tier in ladder.tiers]
    number = keys.index(key) + 1 if key in keys else 1
    if number >= len(keys):
        return None
    qualify = ladder.tiers[number].qualify
    if qualify is None:
        return None
    thresholds = qualify.all if qualify.all is not None else qualify.any or []
    return NextTier(
        keys[number],
        "all" if qualify.all is not None else "any",
        tuple(Missing(item.metric, _least(plan, item), current[item.metric]) for item in thresholds),
    )


def metric_decimals(plan: Plan, metric: str) -> int:
    """The decimals of a tier metric: those of money, of the points that count, or none for visits."""
    if metric == "spend":
        return plan.exponent
    ladder = plan.ladder
    found = plan.currencies.get(ladder.points_currency) if metric == "points" and ladder is not None else None
    return found.scale if found is not None else 0


def _least(plan: Plan, threshold: Threshold) -> int:
    return to_minor(threshold.at_least, metric_decimals(plan, threshold.metric))


# --- history ----------------------------------------------------------------------------------------------


class Line(Struct, frozen=True):
    """One decision of a member's history. Instants are microseconds UTC.

    `corrects` names the decision that a correction changed; `sale_id` is the platform's id of the sale that a
    return names.
    """

    member_id: int
    activity_id: int
    type: str
    source: str
    id: str
    occurred_at: int
    acts_at: int
    recorded_at: int
    version: int
    tier: str
    trace: Trace
    corrects: tuple[str, str] | None
    transfers: tuple[TransferView, ...]


_HISTORY: Final = """
-- activities.history
select a.activity_id, a.type, a.source, a.external_id, a.occurred_at, a.acts_at, a.recorded_at, a.version,
       a.tier, a.trace::text, a.corrects_id
from activity a
where a.member_id = %(member)s and a.program_id = %(program)s
  and (%(before)s::bigint is null or (a.acts_at, a.activity_id) < (
    select b.acts_at, b.activity_id from activity b where b.member_id = %(member)s and b.activity_id = %(before)s))
order by a.acts_at desc, a.activity_id desc limit %(limit)s
"""

_READ: Final = """
-- activities.read
select a.activity_id, a.type, a.source, a.external_id, a.occurred_at, a.acts_at, a.recorded_at, a.version,
       a.tier, a.trace::text, a.corrects_id
from activity a
where a.member_id = %s and (a.activity_id = %s or a.corrects_id = %s)
order by a.activity_id
"""


def history(
    connection: Connection[Any], program_id: int, member_id: int, *, before: int | None, limit: int
) -> list[Line]:
    """A page of a member's decisions, the latest in time first, from just before the decision `before` on."""
    parameters = {"member": member_id, "program": program_id, "before": before, "limit": limit}
    rows = connection.execute(_HISTORY, parameters).fetchall()
    return _lines(connection, member_id, rows)


def _lines(connection: Connection[Any], member_id: int, rows: Sequence[tuple[Any, ...]]) -> list[Line]:
    moved = transfers_of(connection, member_id, [row[0] for row in rows])
    named = sorted({row[10] for row in rows if row[10] is not None})
    corrected: dict[int, tuple[str, str]] = {}
    if named:
        found = connection.execute(
            """
            -- activities.corrected
            select activity_id, source, external_id
            from activity where member_id = %s and activity_id = any(%s)
            """,
            (member_id, named),
        ).fetchall()
        corrected = {row[0]: (row[1], row[2] or "") for row in found}
    return [
        Line(
            member_id,
            row[0],
            row[1],
            row[2],
            row[3] or "",
            instant(row[4]),
            instant(row[5]),
            instant(row[6]),
            row[7],
            row[8] or "",
            decode_trace(row[9]),
            corrected.get(row[10]),
            tuple(moved.get(row[0], ())),
        )
        for row in rows
    ]


class Found(Struct, frozen=True):
    """What is known of one id: `line` and its `corrections` where it was applied, `code` where refused."""

    source: str
    id: str
    status: Literal["applied", "parked", "refused", "in_progress"]
    line: Line | None = None
    corrections: tuple[Line, ...] = ()
    code: RefusalCode | None = None
    received_at: int = 0
    sale: tuple[str, str] | None = None
    deadline_at: int = 0


def named_lines(
    connection: Connection[Any], program_id: int, member_id: int, activity_ids: Sequence[int]
) -> list[Line]:
    """These decisions of a member, the latest first; what is not his is left out."""
    if not activity_ids:
        return []
    rows = connection.execute(
        """
        -- activities.named_lines
        select a.activity_id, a.type, a.source, a.external_id, a.occurred_at, a.acts_at, a.recorded_at,
               a.version, a.tier, a.trace::text, a.corrects_id
        from activity a where a.member_id = %s and a.program_id = %s and a.activity_id = any(%s)
        order by a.acts_at desc, a.activity_id desc
        """,
        (member_id, program_id, list(activity_ids)),
    ).fetchall()
    return _lines(connection, member_id, rows)


def of_type(
    connection: Connection[Any], program_id: int, member_id: int, kind: str, *, limit: int
) -> list[Line]:
    """A member's latest decisions of one activity type."""
    rows = connection.execute(
        """
        -- activities.of_type
        select a.activity_id, a.type, a.source, a.external_id, a.occurred_at, a.acts_at, a.recorded_at,
               a.version, a.tier, a.trace::text, a.corrects_id
        from activity a where a.member_id = %s and a.program_id = %s and a.type = %s
        order by a.acts_at desc, a.activity_id desc limit %s
        """,
        (member_id, program_id, kind, limit),
    ).fetchall()
    return _lines(connection, member_id, rows)


def count_of(
    connection: Connection[Any], program_id: int, member_id: int, kinds: Sequence[str]
) -> dict[str, int]:
    """How many decisions of each of these types a member has that no correction withdrew."""
    rows = connection.execute(
        """
        -- activities.count_of
        select a.type, count(*) from activity a
        where a.member_id = %s and a.program_id = %s and a.type = any(%s) and a.corrects_id is null
        group by a.type
        """,
        (member_id, program_id, list(kinds)),
    ).fetchall()
    return dict(rows)


def find_activity(connection: Connection[Any], program_id: int, source: str, identifier: str) -> Found | None:
    """One activity or command by its permanent id; None where the id was never used in this program."""
    row = connection.execute(
        """
        -- activities.find_claim
        select member_id, activity_id, status, code, claimed_at
        from activity_claim where external_id = %s and source = %s and program_id = %s
        """,
        (identifier, source, program_id),
    ).fetchone()
    if row is None:
        return (
            Found(source, identifier, "in_progress")
            if _in_flight(connection, program_id, source, identifier)
            else None
        )
    member_id, activity_id, status, code, claimed = row
    if status == "refused":
        return Found(source, identifier, "refused", code=RefusalCode(code), received_at=instant(claimed))
    if status == "parked":
        return _parked(connection, program_id, source, identifier, instant(claimed))
    rows = connection.execute(_READ, (member_id, activity_id, activity_id)).fetchall()
    lines = _lines(connection, member_id, rows)
    own = [line for line in lines if line.activity_id == activity_id]
    if not own:
        # On several machines the claim may be seen a moment before the decision.
        return Found(source, identifier, "in_progress")
    corrections = tuple(line for line in lines if line.activity_id != activity_id)
    return Found(source, identifier, "applied", own[0], corrections, received_at=instant(claimed))


def _parked(
    connection: Connection[Any], program_id: int, source: str, identifier: str, claimed: int
) -> Found:
    row = connection.execute(
        """
        -- activities.find_parked_one
        -- by its own id, not its sale's: few returns are parked at a time
        select sale_source, sale_external_id, deadline_at
        from parked_activity where external_id = %s and source = %s and program_id = %s
        """,
        (identifier, source, program_id),
    ).fetchone()
    if row is None:
        return Found(source, identifier, "parked", received_at=claimed)
    return Found(
        source, identifier, "parked", received_at=claimed, sale=(row[0], row[1]), deadline_at=instant(row[2])
    )


def _in_flight(connection: Connection[Any], program_id: int, source: str, identifier: str) -> bool:
    """Whether a transaction that has not committed holds this id: the same insert would wait for it."""
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(f"set local lock_timeout = '{IN_FLIGHT_WAIT_MS}ms'")
            connection.execute(
                """
                -- activities.probe_claim
                insert into activity_claim
                  (external_id, source, program_id, payload_sha256, status, claimed_at)
                values (%s, %s, %s, '', 'parked', %s)
                on conflict (external_id, source, program_id) do nothing
                """,
                (identifier, source, program_id, moment(0)),
            )
    except psycopg.errors.LockNotAvailable:
        return True
    return False


def sold_and_returned(connection: Connection[Any], member_id: int, activity_id: int) -> tuple[int, int]:
    """What a sale of a member came to, and how much of it was returned so far, in minor units of money."""
    row = connection.execute(
        """
        -- activities.sold_and_returned
        select coalesce((a.payload ->> 'amount')::bigint, 0), coalesce((
          select max((r.trace ->> 'returned')::bigint) from activity r
          where r.member_id = %(member)s and r.sale_id = %(sale)s and r.type = 'return'), 0)
        from activity a where a.member_id = %(member)s and a.activity_id = %(sale)s
        """,
        {"member": member_id, "sale": activity_id},
    ).fetchone()
    return (int(row[0]), int(row[1])) if row is not None else (0, 0)


# --- redemptions ------------------------------------------------------------------------------------------


class Redemption(Struct, frozen=True):
    """Points redeemed or held: `points` asked for, `captured` spent so far, `refunded` given back of that by refunds.

    `expires_at` 0: not a hold.
    """

    member_id: int
    activity_id: int
    source: str
    id: str
    currency: str
    points: int
    captured: int
    status: Literal["open", "captured", "released", "expired"]
    created_at: int
    expires_at: int
    partner: str | None = None
    refunded: int = 0

    @property
    def ref(self) -> str:
        """The public id: the member's reference, a point, and the activity's id in the same alphabet."""
        return redemption_ref(self.member_id, self.activity_id)


def redemption_ref(member_id: int, activity_id: int) -> str:
    """The public id of a redemption."""
    return f"{refs.encode(member_id)}.{refs.encode(activity_id).removeprefix('m_')}"


def decode_redemption_ref(ref: str) -> tuple[int, int] | None:
    """(member id, activity id) of a public id; None for text that cannot be one."""
    member, _, activity = ref.partition(".")
    try:
        return refs.decode(member), refs.decode(f"m_{activity}")
    except ValueError:
        return None


def redemption(
    connection: Connection[Any], program_id: int, member_id: int, activity_id: int, *, now: int
) -> Redemption | None:
    """One redemption of a member of this program; None where there is none."""
    row = connection.execute(
        """
        -- activities.redemption
        select a.source, a.external_id, a.type, a.payload::text, h.captured, h.state, h.expires_at
        from activity a
        left join hold h on h.member_id = a.member_id and h.hold_id = a.activity_id
        where a.member_id = %s and a.activity_id = %s and a.program_id = %s and a.type in ('redeem', 'hold')
        """,
        (member_id, activity_id, program_id),
    ).fetchone()
    if row is None:
        return None
    source, identifier, kind, payload, captured, state, expires = row
    fact = decode_fact(payload)
    status: Literal["open", "captured", "released", "expired"]
    if kind == "redeem":
        status, captured, until = "captured", fact.points, 0
    else:
        until = instant(expires)
        status = "expired" if state == "open" and until <= now else state
    return Redemption(
        member_id,
        activity_id,
        source,
        identifier,
        fact.currency,
        fact.points,
        captured,
        status,
        fact.at,
        until,
        fact.partner,
        refunded(connection, program_id, member_id, activity_id),
    )


def refunded(connection: Connection[Any], program_id: int, member_id: int, activity_id: int) -> int:
    """What refunds gave back of a redemption, in minor points, to its member or whoever took that one over.

    What returns of a sale gave back is not counted.
    """
    row = connection.execute(
        """
        -- activities.refunded
        select coalesce(sum((a.payload ->> 'points')::bigint), 0)::bigint from activity a
        where a.member_id = any(%s) and a.sale_id = %s and a.type = 'refund'
        """,
        ([member_id, *members.successors(connection, program_id, member_id)], activity_id),
    ).fetchone()
    assert row is not None
    return int(row[0])
