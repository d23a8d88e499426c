"""The one way in: a batch of activities or commands, in one transaction and six steps.

lock (what judges, then members, in one order), claim (ids, exactly once), load (all that deciding needs), decide,
write (set-based), announce (to the sealer). A request is a batch of one, an import a batch of thousands.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from typing import Any, TypeVar

import msgspec
import psycopg
from psycopg import Connection

from palier.activities import draws, relay, store, tickets
from palier.activities.answers import Result
from palier.activities.records import inherited_of, records_of
from palier.activities.runtime import Runtime, current, recorded_from, share
from palier.activities.sharing import Rooms
from palier.activities.wire import Read
from palier.activities.writing import Item, TooMany, Work, Writer, write
from palier.engine.clock import DAY, instant, moment
from palier.engine.decide import Fold
from palier.engine.decisions import Decision, Inherited, Message, RedemptionRecord, SaleRecord, behind, key_of
from palier.engine.facts import (
    COMMANDS,
    MADE_SOURCE,
    OWN_SOURCE,
    PLAYED,
    RETURN,
    SALE,
    UNMERGED,
    VISIT,
    Fact,
    Known,
    Reference,
    decode_fact,
    encode_fact,
)
from palier.engine.history import (
    Correction,
    Posted,
    differences,
    fold,
    in_fold_order,
    inputs_of_late,
    shared_uses,
    shared_uses_posted,
)
from palier.engine.payment_cards import masked
from palier.engine.rating import recorded
from palier.engine.refusals import Refusal, RefusalCode
from palier.engine.sentences import Sentence, changed, sentence
from palier.engine.state import NEVER, Lot, MemberState, decode_state, lots_given
from palier.engine.trace import decode_trace
from palier.members import queries as members
from palier.members import refs
from palier.site.arrays import Documents
from palier.site.exchange import Answer, Exchange, exchange
from palier.site.ids import new_id, new_ids, stay_ahead

_NEVER_RETURNED = COMMANDS | {RETURN, VISIT}
"""What no return names, so that nothing waits for it."""
_LOOKED_UP = {RETURN, "refund"}
"""What is decided on records of what it names."""
_AT_ONCE = 64
"""Members whose lines are decided and then laid out for writing before others' are: their standings, once used,
make room for the next in the processor's nearest memory."""
_FEW = 200
"""Up to so many lines, an exchange less is worth that the batch begins again where one of them cannot be applied."""
PARKED_FOR = 400 * DAY
"""How long a return waits for its sale before it is reported as overdue."""
ATTEMPTS = 5

Lanes = Callable[[Sequence[int]], list[list[int]]]
_Records = tuple[dict[str, SaleRecord], dict[str, RedemptionRecord], dict[str, list[Lot]]]
"""Sales, redemptions, and lots by currency."""
Done = TypeVar("Done")
Beyond = dict[int, Refusal]
"""Why lines are refused that would bring more points than can be kept, by their place among the lines."""
Tell = Callable[[int, Result], bytes]
"""What is said of an applied line: its place among the lines, and its result with the trace."""


def one_lane(member_ids: Sequence[int]) -> list[list[int]]:
    """The members that the database keeps together: on one PostgreSQL, all of them."""
    return [list(member_ids)]


lanes: Lanes = one_lane
"""The one function that differs by database engine: members grouped by where they live, in lane order."""


_STANDINGS = {"frozen": sentence("frozen"), "erased": sentence("erased"), "merged": sentence("merged")}
"""What a member is told to be who is not active."""


class Conflict(Exception):
    """The batch met another writer in a way that a fresh attempt resolves."""


class _TooSoon(Exception):
    """Ids were claimed for lines that are refused, or are another member's."""


def attempt(connection: Connection[Any], operation: Callable[[], Done]) -> Done:
    """Runs an operation and commits it, the whole again on a serialization failure, deadlock or conflict.

    Everything is decided anew each time, with jitter between, at most ATTEMPTS times; then the last error is
    raised. Nothing of a failed attempt stays.
    """
    return _tried(connection, operation, connection.commit)


def rehearse(connection: Connection[Any], operation: Callable[[], Done]) -> Done:
    """Runs an operation as `attempt` does and takes it back: what it would come to now. Nothing stays."""
    return _tried(connection, operation, connection.rollback)


def _tried(connection: Connection[Any], operation: Callable[[], Done], end: Callable[[], None]) -> Done:
    for tried in range(1, ATTEMPTS + 1):
        try:
            answer = operation()
            end()
            return answer
        except (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected, Conflict):
            connection.rollback()
            if tried == ATTEMPTS:
                raise
            time.sleep(random.uniform(0.001, 0.01) * 2**tried)  # noqa: S311 (jitter, no secret)
        except BaseException:
            if not connection.closed:
                connection.rollback()
            raise
    raise AssertionError("unreachable")


def apply(
    connection: Connection[Any],
    runtime: Runtime,
    lines: Sequence[Read | Refusal],
    *,
    now: int,
    history: bool = False,
    dry_run: bool = False,
    known_members: Sequence[int] | None = None,
    sent: Sequence[tuple[str, str]] | None = None,
    tell: Tell | None = None,
    meanwhile: Callable[[list[Result]], None] | None = None,
) -> list[Result]:
    """Applies lines in one transaction of the caller's connection and commits it; one result per line.

    `now` is the server's instant in microseconds. `history` imports old activities: the late window is
    without limit. `dry_run` decides the same and writes nothing. `known_members` gives the member of each
    line where the caller has looked it up already (0: not known); `sent` the ids of lines that were refused
    before they became facts. The four kinds of outcome add up to the lines sent; sending the same lines again
    changes nothing. `tell` makes of a line's place and result, once it is decided, what is kept in place of its trace:
    a trace is many small things, and those of a large batch are far from the processor when it ends. Lines that are
    sent twice keep theirs. `meanwhile` is called with the results while the database writes and commits, mostly, not
    always, and again with each attempt: what it makes of the list that is returned is what counts.
    """
    given = (connection, runtime, lines, now, history, known_members, sent)
    ending = None if dry_run else meanwhile or _nothing

    def once(beyond: Beyond) -> list[Result]:
        try:
            return _apply(*given, tell=tell, meanwhile=ending, beyond=beyond, at_once=len(lines) <= _FEW)
        except _TooSoon:
            connection.rollback()
            return _apply(*given, tell=tell, meanwhile=ending, beyond=beyond)

    tried = rehearse if dry_run else attempt
    return _apart_from_vast(lambda beyond: tried(connection, lambda: once(beyond)))


def _apart_from_vast(operation: Callable[[Beyond], list[Result]]) -> list[Result]:
    """Applies lines; those that bring more points than can be kept are refused, the others decided anew without them.

    Such lines are rare: nothing is kept at hand for them.
    """
    beyond: Beyond = {}
    while True:
        try:
            return operation(beyond)
        except TooMany as found:
            new = {index: found.refusal for index in found.lines if index not in beyond}
            if not new:
                raise
            beyond |= new


def _nothing(_: list[Result]) -> None:
    """What is done meanwhile where nothing is."""


def apply_within(
    connection: Connection[Any],
    runtime: Runtime,
    lines: Sequence[Read | Refusal],
    *,
    now: int,
    known_members: Sequence[int] | None = None,
) -> list[Result]:
    """As `apply`, in a transaction that the caller has begun and commits."""

    def once(beyond: Beyond) -> list[Result]:
        connection.execute("savepoint lines")
        try:
            results = _apply(connection, runtime, lines, now, False, known_members, None, beyond=beyond)
        except TooMany:
            connection.execute("rollback to savepoint lines")
            raise
        connection.execute("release savepoint lines")
        return results

    return _apart_from_vast(once)


def _apply(
    connection: Connection[Any],
    runtime: Runtime,
    lines: Sequence[Read | Refusal],
    now: int,
    history: bool,
    known_members: Sequence[int] | None,
    sent: Sequence[tuple[str, str]] | None,
    *,
    tell: Tell | None = None,
    meanwhile: Callable[[list[Result]], None] | None = None,
    beyond: Beyond,
    at_once: bool = False,
) -> list[Result]:
    batch = _Batch(connection, runtime, now, history)
    batch.tell, batch.at_once = tell, at_once
    made: list[Result] = []

    def results() -> list[Result]:
        made[:] = [batch.results[index] for index in range(len(lines))]
        return made

    if meanwhile is not None:
        batch.at_the_end = lambda: meanwhile(results())
    for index, line in enumerate(lines):
        if isinstance(line, Refusal):
            source, identifier = sent[index] if sent is not None else ("", "")
            batch.results[index] = Result(source, identifier, "refused", refusal=line)
        elif index in beyond:
            batch.refuse((index, line.fact), beyond[index])
    reads = [
        (index, line)
        for index, line in enumerate(lines)
        if isinstance(line, Read) and index not in batch.results
    ]
    try:
        batch.find_members(reads, known_members)
        batch.run()
        return made or results()
    finally:
        # It holds the batch, and the batch holds it: all of it would wait to be found by the collector.
        batch.at_the_end = None


def command(connection: Connection[Any], runtime: Runtime, items: list[Item], *, now: int) -> list[Result]:
    """Applies commands (facts made by the platform's own operations) to members already known.

    Does not commit: the caller's operation may have more to write in the same transaction.
    """
    batch = _Batch(connection, runtime, now, False)
    batch.items = items
    batch.run()
    return [batch.results[item.index] for item in items]


def settle_parked(
    connection: Connection[Any], runtime: Runtime, items: list[Item], *, now: int, history: bool
) -> int:
    """Applies returns that were parked and whose sale is known by now; how many. Does not commit.

    `history`: they came with an import, and are never too late.

    Whoever takes a return's waiting row away settles it: another worker that found it too waits, and skips it.
    """
    batch = _Batch(connection, runtime, now, history)
    batch.items = items
    batch.look()
    taken = set(batch.unpark(items))
    batch.items = [item for item in items if (item.fact.id, item.fact.source) in taken]
    batch.decide_and_write()
    return len(batch.items)


def decide_again(
    connection: Connection[Any], runtime: Runtime, works: list[Work], *, now: int, promised: Mapping[str, int]
) -> dict[str, int]:
    """Folds the whole history of members anew by the runtime's timeline; `works` take the differences.

    What they use less of shared limits is free again, and what they tell other members is sent. `promised` is what a
    preview has used of these limits before. Returns what is used now (or, below 0, freed). Does not commit.
    """
    batch = _Batch(connection, runtime, now, True)
    batch.rooms.promised = promised
    batch.decide_anew([(work, []) for work in works])
    used = dict(batch.rooms.moved)
    batch.share()
    return used


def command_item(index: int, fact: Fact, member_id: int) -> Item:
    """A command's line. Its instant is set when it is decided, so the same command sent again is the same."""
    payload = encode_fact(fact)
    return Item(index, fact, payload, sha256(payload).digest(), member_id, live=True)


class _Batch:
    """The six steps over one batch. Results are by the line's index."""

    def __init__(self, connection: Connection[Any], runtime: Runtime, now: int, history: bool) -> None:
        self.connection = connection
        self.runtime = runtime
        self.timeline = runtime.timeline
        self.now = now
        self.history = history
        self.tell: Tell | None = None
        self.results: dict[int, Result] = {}
        self.items: list[Item] = []
        self.facts_written: dict[int, Item] = {}
        self.doubles: list[tuple[Item, Item]] = []
        self.doubled: set[int] = set()
        self.unparked: list[Item] = []
        self.states: dict[int, bytes] = {}
        self.standing: dict[int, tuple[str, str, str | None]] = {}
        self.rooms = Rooms(connection, runtime.program_id)
        self.messages: list[Message] = []
        self.seed: tuple[str, bytes] | None = None
        self.waiting: list[tuple[Any, ...]] = []
        self.judges = False
        """Whether what judges is settled until the transaction ends."""
        self.claiming: list[Item] = []
        self.claimed: Answer | None = None
        self.at_once = False
        """Whether ids may be claimed before it is certain that all lines can be: whoever asked begins again."""
        self.at_the_end: Callable[[], None] | None = None
        """Where the batch is the whole transaction, which its last write commits: what is done meanwhile."""
        self.parameters: dict[str, Any] = {"program": runtime.program_id, "now": moment(now)}

    @contextmanager
    def beginning(self) -> Iterator[Exchange]:
        """An exchange that also settles what judges until the transaction ends, where that is not settled yet."""
        head = None
        with exchange(self.connection) as server:
            if not self.judges:
                head = share(server, self.runtime.program_id)
            yield server
        if head is not None:
            self.judges = True
            self.runtime = current(self.connection, self.runtime, head)
            self.timeline = self.runtime.timeline
            self.now = recorded_from(head, self.now)
            self.parameters["now"] = moment(self.now)

    def owners(self, hashes: Iterable[bytes]) -> dict[bytes, int]:
        """The members of identities, by hash."""
        wanted = sorted(set(hashes))
        if not wanted:
            return {}
        with self.beginning() as server:
            found = server.ask(members.FIND_HASHES, {**self.parameters, "hashes": wanted})
        return dict(found.rows)

    # --- who ------------------------------------------------------------------------------------------

    def refuse(self, item: Item | tuple[int, Fact], refusal: Refusal) -> None:
        index, fact = (item.index, item.fact) if isinstance(item, Item) else item
        self.results[index] = Result(fact.source, fact.id, "refused", refusal=refusal)

    def find_members(self, reads: list[tuple[int, Read]], known: Sequence[int] | None) -> None:
        """Makes items of lines: who the member is, by identity, by reference, or by the sale of a return."""
        wanted: dict[int, list[bytes]] = {}
        for index, read in reads:
            if isinstance(read.member, dict) and not (known is not None and known[index]):
                try:
                    wanted[index] = [members.hashed(kind, value) for kind, value in read.member.items()]
                except members.PaymentCardNumber as error:
                    self.refuse((index, read.fact), _payment_card(error))
                except members.IdentityError as error:
                    self.refuse((index, read.fact), _unknown_member(sentence("%(error)s", error=error)))
        found = self.owners(value_hash for hashes in wanted.values() for value_hash in hashes)
        for index, read in reads:
            if index in self.results:
                continue
            member_id = known[index] if known is not None else 0
            if member_id:
                pass
            elif isinstance(read.member, dict):
                owners = {found.get(value_hash, 0) for value_hash in wanted[index]}
                member_id = owners.pop() if len(owners) == 1 else 0
                if not member_id:
                    self.refuse(
                        (index, read.fact),
                        _unknown_member(sentence("no member of the program has this identity")),
                    )
                    continue
            elif isinstance(read.member, str):
                try:
                    member_id = refs.decode(read.member)
                except ValueError as error:
                    self.refuse((index, read.fact), _unknown_member(sentence("%(error)s", error=error)))
                    continue
            elif read.fact.type != RETURN and not (read.fact.sale is not None):
                self.refuse(
                    (index, read.fact), _unknown_member(sentence("the activity does not say whose it is"))
                )
                continue
            live = read.fact.type in PLAYED and not self.history
            self.items.append(Item(index, read.fact, read.payload, read.sha256, member_id, live=live))

    # --- the steps ------------------------------------------------------------------------------------

    def run(self) -> None:
        self._settle_doubles()
        self._check_references()
        self.look()
        self._check_standing()
        self._claim()
        self._claim_sales()
        self._unpark()
        self.decide_and_write()

    def decide_and_write(self) -> None:
        """The last four steps, for lines whose ids are claimed."""
        by_member: dict[int, list[Item]] = {}
        for item in self.items:
            by_member.setdefault(item.member_id, []).append(item)
        for lane in lanes(sorted(by_member)):
            self._lane(sorted(lane), by_member)
        self._settle_claims()

    def _settle_doubles(self) -> None:
        """The same id twice in a batch: the first counts, the other is its duplicate, or differs from it."""
        first: dict[tuple[str, str], Item] = {}
        kept = []
        for item in self.items:
            key = (item.fact.source, item.fact.id)
            earlier = first.setdefault(key, item)
            if earlier is item:
                kept.append(item)
            elif earlier.sha256 != item.sha256 or _of_others(item, earlier.member_id):
                self.refuse(item, _content_differs())
            else:
                self.doubles.append((item, earlier))
                self.doubled.add(earlier.index)
        self.items = kept

    def _check_references(self) -> None:
        """Sales and redemptions that lines name: whose they are, and whether they are known at all."""
        self.own = own = {(item.fact.source, item.fact.id): item for item in self.items}
        named: dict[int, Reference] = {}
        for item in self.items:
            reference = _names(item.fact)
            if reference is not None:
                named[item.index] = reference
        self.named_claims: dict[tuple[str, str], tuple[int, int, str]] = {}
        self.parking: set[int] = set()
        if not named:
            return
        rows = self.connection.execute(
            store.FIND_CLAIMS,
            {**self.parameters, "ids": sorted({reference.id for reference in named.values()})},
        )
        for external_id, source, member_id, activity_id, _, status, _ in rows:
            self.named_claims[(source, external_id)] = (member_id or 0, activity_id or 0, status)
        kept = []
        used: set[int] = set()
        for item in self.items:
            reference = named.get(item.index)
            if reference is None:
                kept.append(item)
                continue
            refusal = self._resolve(item, reference, own, used)
            if refusal is None:
                kept.append(item)
            else:
                self.refuse(item, refusal)
        self.items = kept

    def _resolve(
        self, item: Item, reference: Reference, own: dict[tuple[str, str], Item], used: set[int]
    ) -> Refusal | None:
        key = (reference.source, reference.id)
        member_id, activity_id, status = self.named_claims.get(key, (0, 0, ""))
        beside = own.get(key)
        if status != "applied" and beside is not None and beside is not item:
            member_id, activity_id = beside.member_id, -1
            status = "applied"
        redemption = item.fact.type == SALE
        if status != "applied":
            if redemption:
                return Refusal(
                    RefusalCode.UNKNOWN_REDEMPTION,
                    sentence("the redemption that a tender names is not known"),
                    "tenders",
                    sentence("redeem first, then send the sale"),
                )
            if item.fact.undoes is not None:
                return _nothing_to_undo(item.fact)
            if item.fact.hold is not None:
                return Refusal(
                    RefusalCode.UNKNOWN_HOLD,
                    sentence("the hold is not known"),
                    "hold",
                    sentence("check its id"),
                )
            self.parking.add(item.index)
            return None
        if item.member_id and member_id and item.member_id != member_id:
            heirs = self._heirs([item.member_id, member_id])
            mine, theirs = heirs.get(item.member_id), heirs.get(member_id)
            if (mine.member_id if mine else item.member_id) == (theirs.member_id if theirs else member_id):
                # It was a member's that is merged into this one: what is done to it is done here.
                item.sale_id = max(activity_id, 0)
                self._act_after(item, theirs)
                return self._paid_already(item, member_id, activity_id, used) if redemption else None
            if item.fact.undoes is not None:
                return _nothing_to_undo(item.fact)
            return Refusal(
                RefusalCode.UNKNOWN_REDEMPTION if redemption else RefusalCode.UNKNOWN_SALE,
                sentence("it belongs to another member"),
                "tenders" if redemption else "sale",
                sentence("check the id, or leave the member out"),
            )
        if not item.member_id:
            item.member_id = member_id
        item.sale_id = max(activity_id, 0)
        return self._paid_already(item, member_id, activity_id, used) if redemption else None

    def _paid_already(self, item: Item, member_id: int, activity_id: int, used: set[int]) -> Refusal | None:
        """Refuses a sale whose redemption has paid another one."""
        taken = activity_id in used or (
            activity_id > 0
            and self.connection.execute(
                "select 1 from activity a where a.member_id = any(%s) and a.sale_id = %s and a.type = 'sale'"
                " and a.external_id <> %s",
                (sorted({member_id, item.member_id}), activity_id, item.fact.id),
            ).fetchone()
            is not None
        )
        if taken:
            return _already_used()
        used.add(activity_id)
        return None

    def _heirs(self, member_ids: Sequence[int]) -> dict[int, members.Heir]:
        """Into whom members were merged, for those that were."""
        return members.heirs(self.connection, self.runtime.program_id, member_ids)

    def _act_after(self, item: Item, heir: members.Heir | None) -> None:
        """What names something that a merge brought acts after the merge, where it now is."""
        if heir is not None and item.fact.sale is not None and item.fact.at <= heir.merged_at:
            item.inputs = msgspec.structs.replace(item.inputs, acts_at=heir.merged_at + 1)

    def look(self) -> None:
        """Locks the members of all lines and reads what stands; lines of merged members go to who took over."""
        while True:
            self._look()
            merged = sorted(
                member_id for member_id, standing in self.standing.items() if standing[0] == "merged"
            )
            waiting = [item for item in self.items if item.member_id in merged]
            if not waiting:
                return
            if self.claimed is not None:
                raise _TooSoon
            heirs = self._heirs(merged)
            for item in waiting:
                heir = heirs.get(item.member_id)
                if heir is None:
                    raise Conflict("a merge was undone meanwhile")
                self._act_after(item, heir)
                item.member_id = heir.member_id

    def _look(self) -> None:
        """Locks the members of all lines, lane by lane, and reads what stands under the lock; one exchange.

        The ids of lines that say whose they are may be claimed in the same.
        """
        wanted = sorted({item.member_id for item in self.items if item.member_id})
        sales = sorted({item.fact.id for item in self.items if item.fact.type not in _NEVER_RETURNED})
        with self.beginning() as server:
            locked = [
                server.ask(store.LOCK, {"members": sorted(lane)})
                for lane in (lanes(wanted) if wanted else ())
            ]
            standing = waiting = None
            if wanted:
                standing = server.ask(store.STANDING, {**self.parameters, "members": wanted})
            if sales:
                waiting = server.ask(store.FIND_PARKED, {**self.parameters, "ids": sales})
            if self.at_once and self.items and all(item.member_id for item in self.items):
                self._ask_claims(server)
        for states in locked:
            self.states.update(states.rows)
        if standing is not None:
            self.standing = {
                member_id: (status, fields, zone) for member_id, status, fields, zone in standing.rows
            }
        if waiting is not None:
            self.waiting = waiting.rows

    def _check_standing(self) -> None:
        """Members must be of this program and active; what rules ask of them is recorded with each line."""
        kept = []
        for item in self.items:
            if not item.member_id and item.index in self.parking:
                kept.append(item)
                continue
            standing = self.standing.get(item.member_id)
            if standing is None:
                self.refuse(item, _unknown_member(sentence("no member of the program has this reference")))
            elif standing[0] == "erased" or (standing[0] != "active" and item.live):
                self.refuse(
                    item,
                    Refusal(
                        RefusalCode.MEMBER_NOT_ACTIVE,
                        sentence(
                            "the member is %(standing)s", standing=_STANDINGS.get(standing[0], standing[0])
                        ),
                        "member",
                        sentence("nothing can be spent until the member is active again"),
                    ),
                )
            else:
                self._record_inputs(item, standing[1], standing[2])
                kept.append(item)
        if self.claimed is not None and len(kept) < len(self.items):
            raise _TooSoon
        self.items = kept

    def _record_inputs(self, item: Item, attributes: str, zone: str | None) -> None:
        plan = self.timeline.at(item.fact.at)
        if plan is None:
            return
        if plan.member_fields and attributes != "{}":
            values = msgspec.json.decode(attributes)
            seen = {name: values[name] for name in plan.member_fields if name in values}
            if seen:
                item.inputs = msgspec.structs.replace(item.inputs, member=seen)
        if plan.zoned and zone:
            item.inputs = msgspec.structs.replace(item.inputs, zone=zone)
        if plan.games and plan.draws(item.fact):
            if self.seed is None:
                self.seed = draws.seed_of(self.connection, self.runtime.program_id, plan.clock, self.now)
            item.inputs = msgspec.structs.replace(item.inputs, draw=draws.drawn(*self.seed, item.fact))

    def _hold_rooms(self, items: Sequence[Item]) -> None:
        """Locks the shared limits that lines may draw on, after their members."""
        keys: set[str] = set()
        for item in items:
            plan = self.timeline.at(item.fact.at)
            if plan is not None and plan.shares:
                keys.update(plan.shared_limits(item.fact))
        if keys:
            self.rooms.hold(keys)

    def allot(self, item: Item, pool: Mapping[str, int] | None = None) -> None:
        """Gives a line what is left of the shared limits that it may draw on; of those in `pool`, what that says."""
        plan = self.timeline.at(item.fact.at)
        if plan is not None and plan.shares:
            limits = plan.shared_limits(item.fact)
            if limits:
                left = self.rooms.left(limits)
                if pool:
                    left = {name: pool.get(name, room) for name, room in left.items()}
                item.inputs = msgspec.structs.replace(item.inputs, allotted=left)

    def _ask_claims(self, server: Exchange) -> None:
        for item, identifier in zip(self.items, new_ids(len(self.items)), strict=True):
            item.activity_id = identifier
        rows = self.claiming = sorted(self.items, key=lambda item: (item.fact.id, item.fact.source))
        self.claimed = server.ask(
            store.CLAIM,
            {
                **self.parameters,
                "ids": [item.fact.id for item in rows],
                "sources": [item.fact.source for item in rows],
                "members": [item.member_id for item in rows],
                "activities": [item.activity_id for item in rows],
                "hashes": [item.sha256 for item in rows],
                "statuses": ["parked" if item.index in self.parking else "applied" for item in rows],
            },
        )

    def _claim(self) -> None:
        """Takes the ids. Lines that lose were applied before: the same content is answered again."""
        if not self.items:
            return
        if self.claimed is None:
            with exchange(self.connection) as server:
                self._ask_claims(server)
        rows, won = self.claiming, self.claimed
        assert won is not None
        if won.count < len(rows):
            winners = {row[0] for row in won.rows}
            losers = [item for item in rows if item.activity_id not in winners]
            self._answer_again(losers)
            self.items = [item for item in self.items if item.activity_id in winners]
        for item in self.items:
            reference = _names(item.fact)
            beside = self.own.get((reference.source, reference.id)) if reference is not None else None
            if beside is not None and not item.sale_id:
                item.sale_id = beside.activity_id
        self._park([item for item in self.items if item.index in self.parking])
        self.items = [item for item in self.items if item.index not in self.parking]

    def _claim_sales(self) -> None:
        """Sales that state a ticket which is known already are refused; what returns them waits."""
        known = tickets.claim(self.connection, self.parameters, self.items, self.timeline)
        if not known:
            return
        lost = {sale.item.index for sale in known}
        names = {(sale.item.fact.source, sale.item.fact.id) for sale in known}
        waiting = [
            item
            for item in self.items
            if item.fact.sale is not None and (item.fact.sale.source, item.fact.sale.id) in names
        ]
        for sale in known:
            self.refuse(sale.item, sale.refusal)
        for item in waiting:
            item.sale_id = 0
        self._park(waiting)
        self._settle(
            [(sale.item, "refused", RefusalCode.SALE_KNOWN.value) for sale in known]
            + [(item, "parked", "") for item in waiting]
        )
        lost.update(item.index for item in waiting)
        self.items = [item for item in self.items if item.index not in lost]

    def _answer_again(self, losers: list[Item]) -> None:
        rows = self.connection.execute(
            store.FIND_CLAIMS, {**self.parameters, "ids": [item.fact.id for item in losers]}
        ).fetchall()
        claims = {(row[1], row[0]): row for row in rows}
        strange = {
            row[2] for item in losers if (row := claims.get((item.fact.source, item.fact.id))) is not None
            and _of_others(item, row[2])
        }  # fmt: skip
        heirs = self._heirs(sorted(strange)) if strange else {}
        decided: dict[int, tuple[Item, int]] = {}
        for item in losers:
            claim = claims.get((item.fact.source, item.fact.id))
            if claim is None:
                raise Conflict("a claim was lost to a transaction that has not committed")
            _, _, member_id, activity_id, stored_hash, status, code = claim
            heir = heirs.get(member_id)
            same = heir is not None and heir.member_id == item.member_id
            if bytes(stored_hash) != item.sha256 or (_of_others(item, member_id) and not same):
                self.refuse(item, _content_differs())
            elif status == "applied":
                decided[activity_id] = (item, member_id)
            else:
                refusal = None
                if status == "refused":
                    refusal = Refusal(RefusalCode(code), sentence("it was refused when it was first sent"))
                self.results[item.index] = Result(
                    item.fact.source, item.fact.id, "duplicate", replayed=status, refusal=refusal
                )
        if decided:
            self._answer_decided(decided)

    def _answer_decided(self, decided: dict[int, tuple[Item, int]]) -> None:
        rows = self.connection.execute(
            """
            -- activities.stored_results
            select a.activity_id, a.member_id, a.version, a.tier, a.trace::text
            from activity a where a.member_id = any(%s) and a.activity_id = any(%s)
            """,
            (sorted({member_id for _, member_id in decided.values()}), sorted(decided)),
        ).fetchall()
        for activity_id, member_id, version, tier, trace in rows:
            item, _ = decided.pop(activity_id)
            self.results[item.index] = Result(
                item.fact.source,
                item.fact.id,
                "duplicate",
                member_id,
                activity_id,
                version,
                tier or "",
                decode_trace(trace),
                replayed="applied",
            )
        if decided:
            raise Conflict("a claim is seen before its activity")

    def _park(self, items: list[Item]) -> None:
        if not items:
            return
        self.connection.execute(
            store.PARK,
            {
                **self.parameters,
                "deadline": moment(self.now + PARKED_FOR),
                "history": self.history,
                "sale_ids": [_sale(item).id for item in items],
                "sale_sources": [_sale(item).source for item in items],
                "ids": [item.fact.id for item in items],
                "sources": [item.fact.source for item in items],
                "activities": [item.activity_id for item in items],
                "payloads": Documents(item.payload for item in items),
            },
        )
        for item in items:
            self.results[item.index] = Result(item.fact.source, item.fact.id, "parked", item.member_id)

    def _unpark(self) -> None:
        """Returns that waited for the sales of this batch join it."""
        sales = {
            (item.fact.source, item.fact.id): item
            for item in self.items
            if item.fact.type not in _NEVER_RETURNED
        }
        for sale_id, sale_source, external_id, source, activity_id, payload in self.waiting:
            sale = sales.get((sale_source, sale_id))
            if sale is None:
                continue
            fact = decode_fact(payload)
            item = Item(
                -1 - len(self.unparked), fact, payload.encode(), b"", sale.member_id, activity_id,
                sale_id=sale.activity_id, unparked=True,
            )  # fmt: skip
            self.unparked.append(item)
            self.items.append(item)
            assert (external_id, source) == (fact.id, fact.source)

    def unpark(self, items: list[Item]) -> list[tuple[str, str]]:
        """Takes the waiting rows of returns away; (id, source) of those that were still there."""
        return self.connection.execute(
            store.UNPARK,
            {
                **self.parameters,
                "sale_ids": [_sale(item).id for item in items],
                "ids": [item.fact.id for item in items],
                "sources": [item.fact.source for item in items],
            },
        ).fetchall()

    def _lane(self, lane: list[int], by_member: dict[int, list[Item]]) -> None:
        self._refuse_paid_twice([item for member_id in lane for item in by_member[member_id]])
        lines: list[tuple[int, list[Item]]] = []
        opened: dict[int, Work] = {}
        for member_id in lane:
            items = [item for item in by_member[member_id] if item.index not in self.results]
            if not items or member_id not in self.states:
                continue
            for item in items:
                if item.live or item.fact.type in _LOOKED_UP:
                    if member_id not in opened:
                        opened[member_id] = self._open(member_id)
                    if item.live:
                        self._date(item, opened[member_id].state)
            lines.append((member_id, items))
        self._hold_rooms([item for _, items in lines for item in items])
        records = self._load_records(
            [(opened[member_id], items) for member_id, items in lines if member_id in opened]
        )
        writer = Writer(self.runtime, self.facts_written, self.now)
        late: list[tuple[Work, list[Item]]] = []
        for start in range(0, len(lines), _AT_ONCE):
            decided = []
            for member_id, items in lines[start : start + _AT_ONCE]:
                looked_up = member_id in opened
                work = opened.pop(member_id) if looked_up else self._open(member_id)
                if len(items) > 1:
                    order = {id(item.fact): item for item in items}
                    facts = in_fold_order(Known(item.fact, item.inputs) for item in items)
                    items = [order[id(known.fact)] for known in facts]
                if self._decide_in_order(work, items, records if looked_up else None):
                    decided.append(work)
                else:
                    late.append((work, items))
            writer.take(decided)
        if late:
            self._decide_late(late)
            writer.take(work for work, _ in late)
        self._write(writer)

    def _decide_late(self, late: list[tuple[Work, list[Item]]]) -> None:
        """Folds members' histories anew with what comes late; what is played beside it is judged live, after it."""
        apart = [(work, _apart(items)) for work, items in late]
        self.decide_anew([(work, known) for work, (known, _) in apart])
        for work, (_, played) in apart:
            for item in played:
                self._date(item, work.state)
            if played and not self._decide_in_order(work, played, None):
                raise AssertionError("what is dated now comes last")

    def _open(self, member_id: int) -> Work:
        return Work(member_id, decode_state(self.states.pop(member_id)))

    def _refuse_paid_twice(self, items: list[Item]) -> None:
        """Sales that name a redemption which paid another sale meanwhile: certain only under the lock."""
        paid = [item for item in items if item.fact.type == SALE and item.sale_id]
        if not paid:
            return
        rows = self.connection.execute(
            store.PAID_SALES,
            {
                "members": sorted({item.member_id for item in paid}),
                "redemptions": sorted({item.sale_id for item in paid}),
            },
        )
        taken = {(member_id, redemption_id) for member_id, redemption_id in rows}
        for item in paid:
            if (item.member_id, item.sale_id) in taken:
                self.refuse(item, _already_used())

    def _date(self, item: Item, state: MemberState) -> None:
        """A command carries the server's instant, and always acts after what was decided.

        Two of one instant would act in the order of their ids, and the second would be decided as one that
        was granted already.
        """
        at = max(self.now, item.not_before, state.latest + 1, state.due_done)
        item.fact = msgspec.structs.replace(item.fact, at=at)
        plan = self.timeline.at(at)
        if item.fact.type == "hold" and not item.fact.hold_until and plan is not None:
            # It ends as it was granted, whichever version judges its instant later.
            until = at + plan.hold_minutes * 60_000_000
            item.fact = msgspec.structs.replace(item.fact, hold_until=until)
        item.payload = encode_fact(item.fact)

    # --- deciding in order ----------------------------------------------------------------------------

    def _decide_in_order(self, work: Work, items: list[Item], records: Mapping[int, _Records] | None) -> bool:
        """Decides a member's lines where they come after all that was decided; whether they do.

        `records` of what they name; None where nothing is to be looked up for them.
        """
        engine = Fold(self.timeline, work.state)
        if records is not None:
            engine.keep_records = len(items) > 1 and any(item.fact.type == RETURN for item in items)
            found = records.get(work.member_id)
            if work.state.took_over and any(item.fact.type == "refund" for item in items):
                found = self._all_records(work.member_id, work.state.due_done)
            if found is not None:
                engine.sales, engine.redemptions, closed = found
                for currency, lots in closed.items():
                    wallet = work.state.wallets.get(currency)
                    if wallet is not None:
                        present = {lot.id for lot in wallet.lots}
                        wallet.closed = {lot.id: lot for lot in lots if lot.id not in present}
        if not _in_order(engine, items) or _looks_back(work.state, items):
            return False
        answers: list[tuple[Item, Decision | Refusal]] = []
        for item in items:
            self.allot(item)
            known = Known(item.fact, item.inputs, item.activity_id)
            live = item.live or (item.fact.type == RETURN and not self.history and not item.unparked)
            answer = engine.decide(known, live=live)
            if isinstance(answer, Decision) and (answer.trace.budgets or answer.freed):
                # The member's next line finds what this one has left.
                self.rooms.use(shared_uses([answer]))
            answers.append((item, answer))
        self._take_decisions(work, engine, answers)
        return True

    def _take_decisions(
        self, work: Work, engine: Fold, answers: list[tuple[Item, Decision | Refusal]]
    ) -> None:
        given: dict[int, int] = {}
        for item, answer in answers:
            if isinstance(answer, Refusal):
                self.results[item.index] = Result(
                    item.fact.source, item.fact.id, "refused", work.member_id, refusal=answer
                )
                continue
            given[id(answer)] = item.activity_id
            self.applied(work, item, answer)
            self.messages += self._numbered(work, item, answer.messages)
        fresh = [decision for decision in engine.decisions if id(decision) not in given]
        ids = iter(new_ids(len(fresh))) if fresh else iter(())
        for decision in engine.decisions:
            identifier = given.get(id(decision))
            work.decisions.append((identifier if identifier is not None else next(ids), decision))

    def _numbered(self, work: Work, item: Item, messages: Sequence[Message]) -> Sequence[Message]:
        """What a new decision tells; what it takes back of its sale may have been told more than once."""
        if not messages or item.fact.type != RETURN or not item.sale_id:
            return messages
        return relay.Tellings(self._stored([work.member_id], [item.sale_id])).numbered(messages)

    def applied(self, work: Work, item: Item, decision: Decision) -> None:
        trace = decision.trace
        if item.inputs.allotted:
            item.inputs = msgspec.structs.replace(item.inputs, allotted=recorded(trace))
        trace.after = {key: wallet.spendable for key, wallet in work.state.wallets.items()}
        result = Result(
            item.fact.source,
            item.fact.id,
            "applied",
            work.member_id,
            item.activity_id,
            decision.version,
            decision.tier,
            trace,
        )
        if self.tell is not None and not item.unparked and item.index not in self.doubled:
            said = self.tell(item.index, result)
            result = Result(
                result.source,
                result.id,
                result.status,
                result.member_id,
                result.activity_id,
                result.version,
                result.tier,
                said=said,
            )
        self.results[item.index] = result
        self.facts_written[item.activity_id] = item

    def _load_records(self, works: list[tuple[Work, list[Item]]]) -> dict[int, _Records]:
        """The sales that returns name, with what has come back of them, their lots, and what paid them.

        Also the redemptions that refunds name, with what was given back of them, and the sales that they paid.
        """
        wanted: dict[int, set[int]] = {}
        paid_by: set[int] = set()
        for work, items in works:
            for item in items:
                if item.fact.type == RETURN and item.sale_id:
                    wanted.setdefault(work.member_id, set()).add(item.sale_id)
                elif item.fact.type == "refund":
                    wanted.setdefault(work.member_id, set())
                    paid_by.add(item.sale_id)
        if not wanted:
            return {}
        member_ids = sorted(wanted)
        sale_ids = sorted({sale for sales in wanted.values() for sale in sales})
        stored = self._stored(member_ids, sale_ids) if sale_ids else []
        refunded = set(paid_by)
        paid_by.update(item.sale_id for item in stored if item.type == SALE and item.sale_id)
        for _, items in works:
            paid_by.update(item.sale_id for item in items if item.fact.type == SALE and item.sale_id)
        if paid_by:
            stored += self._stored(member_ids, sorted(paid_by))
        for found in stored:
            if found.type == SALE and found.sale_id in refunded and not found.corrects_id:
                wanted[found.member_id].add(found.activity_id)
        result: dict[int, _Records] = {}
        lots: set[int] = set()
        given = {work.member_id: lots_given(work.state) for work, _ in works if work.member_id in wanted}
        for member_id in member_ids:
            mine = {item.activity_id: item for item in stored if item.member_id == member_id}
            records, redemptions = records_of(list(mine.values()), wanted[member_id], self.timeline)
            for record in records.values():
                lots.update(rule.lot for rule in [*record.trace.rules, *record.results] if rule.lot)
                lots.update(grant.lot for grant in record.trace.grants)
            lots.update(given.get(member_id, ()))
            for redemption in redemptions.values():
                lots.update(lot for lot, _ in redemption.taken if lot)
            result[member_id] = (records, redemptions, {})
        rows = self.connection.execute(
            store.LOAD_LOTS, {"members": member_ids, "lots": sorted(lots)}
        ).fetchall()
        unlike = {row[0] for row in rows if row[3] is not None and self.runtime.grace(row[2]) is None}
        ends = {member_id: self._lapses(member_id) for member_id in unlike}
        plan = self.runtime.latest
        for member_id, lot_id, currency, expires, funder, first, *amounts in rows:
            expires_at = instant(expires) if expires is not None else NEVER
            grace = self.runtime.grace(currency)
            if expires is None:
                lapses_at = NEVER
            elif grace is None:
                lapses_at = ends[member_id].get(lot_id, expires_at)
            else:
                lapses_at = plan.lapse(expires_at, grace)
            lot = Lot(lot_id, expires_at, lapses_at, funder, instant(first), *amounts)
            if member_id in result:
                result[member_id][2].setdefault(currency, []).append(lot)
        return result

    def _lapses(self, member_id: int) -> dict[int, int]:
        """When each lot of a member lapses, whichever version or rule gave it its grace: by folding all again."""
        _, _, lots = self._all_records(member_id, 0)
        return {lot.id: lot.lapses_at for kept in lots.values() for lot in kept}

    def _all_records(self, member_id: int, until: int) -> _Records:
        """As `_load_records`, of all that a member did or took over from others: by folding it again.

        With the due work up to an instant, that of the state beside which they stand.
        """
        rows = self.connection.execute(store.LOAD_HISTORY, {"members": [member_id]})
        history = store.activities(rows)
        engine = fold(
            self.timeline,
            [item.known for item in history if item.source != OWN_SOURCE],
            inherited=inherited_of(self.connection, self.timeline, history),
        )
        engine.advance(until)
        lots = {
            currency: [*wallet.lots, *wallet.closed.values()]
            for currency, wallet in engine.state.wallets.items()
        }
        return engine.sales, engine.redemptions, lots

    def _stored(self, member_ids: list[int], sale_ids: list[int]) -> list[store.StoredActivity]:
        rows = self.connection.execute(store.LOAD_SALES, {"members": member_ids, "sales": sale_ids})
        return store.activities(rows)

    # --- deciding anew --------------------------------------------------------------------------------

    def decide_anew(self, works: list[tuple[Work, list[Item]]]) -> None:
        """Members for whom something comes late: their whole history is folded again with it."""
        member_ids = sorted(work.member_id for work, _ in works)
        histories: dict[int, list[store.StoredActivity]] = {member_id: [] for member_id in member_ids}
        for item in store.activities(self.connection.execute(store.LOAD_HISTORY, {"members": member_ids})):
            histories[item.member_id].append(item)
        # The last correction of a decision is the one that counts, so that the new ones must come last.
        stay_ahead(max((history[-1].activity_id for history in histories.values() if history), default=0))
        transfers: dict[int, list[tuple[Any, ...]]] = {member_id: [] for member_id in member_ids}
        for row in self.connection.execute(store.LOAD_TRANSFERS, {"members": member_ids}):
            transfers[row[0]].append(row)
        for work, items in works:
            history = histories[work.member_id]
            inherited = inherited_of(self.connection, self.timeline, history)
            refold(self, work, history, transfers[work.member_id], items, inherited)

    # --- writing --------------------------------------------------------------------------------------

    def share(self) -> None:
        """Writes what decisions use of the limits that all share, and sends what they tell other members."""
        self.rooms.write()
        relay.send(self.connection, self.runtime.program_id, self.messages, self.now)
        self.messages = []

    def _write(self, writer: Writer) -> None:
        self.share()
        writer.write(self.connection, self.at_the_end if self._is_last() else None)

    def _is_last(self) -> bool:
        """Whether nothing is to be written after the decisions: one lane, and no claim came out otherwise."""
        return (
            not self.unparked
            and not self.doubles
            and all(self.results[item.index].status == "applied" for item in self.items)
            and len(lanes([item.member_id for item in self.items])) == 1
        )

    def _settle_claims(self) -> None:
        """Claims whose line was refused in deciding, or that waited and are now settled, say so."""
        changed: list[tuple[Item, str, str]] = []
        for item in self.items:
            result = self.results.get(item.index)
            if result is not None and result.status == "refused" and result.refusal is not None:
                changed.append((item, "refused", result.refusal.code.value))
            elif item.unparked:
                changed.append((item, "applied", ""))
        if changed:
            self._settle(changed)
        if self.unparked:
            self.unpark(self.unparked)
        for item, earlier in self.doubles:
            result = self.results[earlier.index]
            self.results[item.index] = msgspec.structs.replace(
                result, status="duplicate", replayed=result.replayed or result.status
            )

    def _settle(self, changed: list[tuple[Item, str, str]]) -> None:
        """Writes what claimed ids came to: (line, status, refusal code)."""
        changed.sort(key=lambda row: (row[0].fact.id, row[0].fact.source))
        self.connection.execute(
            store.SETTLE_CLAIMS,
            {
                **self.parameters,
                "ids": [item.fact.id for item, _, _ in changed],
                "sources": [item.fact.source for item, _, _ in changed],
                "statuses": [status for _, status, _ in changed],
                "codes": [code for _, _, code in changed],
                "members": [item.member_id for item, _, _ in changed],
            },
        )


def _in_order(engine: Fold, items: Sequence[Item]) -> bool:
    """Whether lines of one member, in fold order, all come after what was decided and after each other."""
    last = engine.state.last
    if not items[0].fact.at >= engine.state.due_done:
        return False
    own: dict[str, Any] = {}
    for item in items:
        fact = item.fact
        position = engine.position(fact, item.inputs)
        sale = fact.sale
        if fact.type == RETURN and sale is not None:
            anchor = own.get(key_of(sale.source, sale.id))
            if anchor is not None:
                position = behind(anchor, position)
        else:
            own[key_of(fact.source, fact.id)] = position
        if position <= last:
            return False
        last = position
    return True


def _apart(items: list[Item]) -> tuple[list[Item], list[Item]]:
    """Lines that are facts already, and those that are judged as they come; together where there is but one kind."""
    facts = [item for item in items if not item.live]
    return (facts, [item for item in items if item.live]) if facts else (items, [])


def _looks_back(state: MemberState, items: Sequence[Item]) -> bool:
    """Whether lines need the whole history: a merge undone, or a return to a member that took others over."""
    return any(
        item.fact.type == UNMERGED or (item.fact.type == RETURN and bool(state.took_over)) for item in items
    )


def _sale(item: Item) -> Reference:
    assert item.fact.sale is not None
    return item.fact.sale


def _names(fact: Fact) -> Reference | None:
    """The other activity that a line builds on: a return's sale, a hold, what is undone, what paid a sale."""
    if fact.sale is not None:
        return fact.sale
    if fact.hold is not None:
        return fact.hold
    if fact.undoes is not None:
        return fact.undoes
    for tender in fact.tenders:
        if tender.redemption is not None:
            return tender.redemption
    return None


def _of_others(item: Item, member_id: int | None) -> bool:
    """Whether an id was used for another member: whose it is belongs to the content, where it was told."""
    return bool(item.member_id and member_id and item.member_id != member_id)


def _nothing_to_undo(fact: Fact) -> Refusal:
    if fact.type == "revoke_tier":
        return Refusal(
            RefusalCode.TIER_NOT_GIVEN,
            sentence("no tier was given so"),
            "tier",
            sentence("check the source and id"),
        )
    return Refusal(
        RefusalCode.UNKNOWN_REDEMPTION,
        sentence("the redemption is not known"),
        "redemption",
        sentence("check its id"),
    )


def _unknown_member(message: Sentence) -> Refusal:
    return Refusal(
        RefusalCode.UNKNOWN_MEMBER,
        changed(message, masked),
        "member",
        sentence("enrol the member first, or check the identity"),
    )


def _payment_card(error: members.PaymentCardNumber) -> Refusal:
    return Refusal(
        RefusalCode.PAYMENT_CARD_NUMBER,
        sentence("%(error)s", error=error),
        "member",
        sentence("send another identity of the member"),
    )


def _already_used() -> Refusal:
    return Refusal(
        RefusalCode.REDEMPTION_ALREADY_USED,
        sentence("the redemption has paid another sale"),
        "tenders",
        sentence("name the redemption of this sale"),
    )


def _content_differs() -> Refusal:
    return Refusal(
        RefusalCode.CONTENT_DIFFERS,
        sentence("this id was used before, with other content"),
        "id",
        sentence("send a correction as a return or an adjustment, or use a new id"),
    )


def refold(
    batch: _Batch,
    work: Work,
    history: list[store.StoredActivity],
    transfer_rows: list[tuple[Any, ...]],
    items: list[Item],
    inherited: Mapping[str, Inherited],
) -> None:
    """Folds a member's history again with new lines, and takes the differences as corrections."""
    timeline = batch.timeline
    knowns = [item.known for item in history if item.source != OWN_SOURCE]
    standing = store.posted(history, transfer_rows)
    used = shared_uses_posted(standing, knowns)
    shares = _shares_anew(batch, standing, knowns, used)
    pool = {name: room for share in shares.values() for name, room in share.items()}
    for item in items:
        if not batch.history and not item.live:
            item.inputs = inputs_of_late(timeline, knowns, item.fact, work.state, item.inputs, inherited)
        batch.allot(item, pool)
        knowns.append(Known(item.fact, item.inputs, item.activity_id))
        if item.inputs.allotted:
            shares[key_of(item.fact.source, item.fact.id)] = item.inputs.allotted
    engine = _within_rooms(batch, knowns, shares, inherited)
    engine.advance(work.state.due_done)
    work.state = engine.state
    new = {key_of(item.fact.source, item.fact.id): item for item in items}
    decided = set()
    tellings, messages = relay.Tellings(history), []
    moved = shared_uses(engine.decisions)
    inheritance = {key: record.budgets for each in inherited.values() for key, record in each.sales.items()}
    for key, amounts in used.items():
        moved.subtract(amounts)
        moved.update(inheritance.get(key, {}))
    batch.rooms.use(moved)
    for correction in differences(standing, engine.decisions):
        decision = correction.decision
        key = key_of(decision.source, decision.id) if decision is not None else ""
        sent = new.get(key)
        if sent is not None and decision is not None and correction.activity_id == 0:
            decided.add(sent.index)
            batch.applied(work, sent, decision)
            messages += decision.messages
            work.decisions.append((sent.activity_id, decision))
        elif correction.activity_id == 0 and decision is not None:
            work.decisions.append((new_id(), decision))
        else:
            work.corrections.append((new_id(), correction))
            messages += _told_anew(standing, correction)
    batch.messages += tellings.numbered(messages)
    for item in items:
        if item.index not in decided:
            refusal = Refusal(
                RefusalCode.RETURN_DOES_NOT_FIT,
                sentence("it does not fit its sale"),
                "returned",
                sentence("check the lines of the sale"),
            )
            batch.results[item.index] = Result(
                item.fact.source, item.fact.id, "refused", work.member_id, refusal=refusal
            )


__all__ = ["Item", "Work", "apply", "attempt", "command", "command_item", "lanes", "write"]


def _shares_anew(
    batch: _Batch, standing: Sequence[Posted], knowns: list[Known], used: Mapping[str, Mapping[str, int]]
) -> dict[str, dict[str, int]]:
    """Gives activities that another version judges now what they use of shared limits, and what is left of them.

    Where the new version has a smaller limit than is used, that is less than they use.
    """
    versions = {
        key_of(item.source, item.id): item.trace.version for item in standing if item.trace is not None
    }
    found: list[tuple[int, str, dict[str, int]]] = []
    for number, known in enumerate(knowns):
        fact = known.fact
        plan = batch.timeline.at(fact.at)
        key = key_of(fact.source, fact.id)
        if plan is None or not plan.shares or known.inputs.judgement is not None or fact.type == RETURN:
            continue
        limits = plan.shared_limits(fact)
        if limits and versions.get(key, plan.version) != plan.version:
            found.append((number, key, limits))
    if not found:
        return {}
    whole = {name: limit for _, _, limits in found for name, limit in limits.items()}
    batch.rooms.hold(whole)
    pool = batch.rooms.balance(whole)
    for _, key, limits in found:
        for name in limits:
            pool[name] += used.get(key, {}).get(name, 0)
    shares = {}
    for number, key, limits in found:
        known = knowns[number]
        shares[key] = {name: max(0, pool[name]) for name in limits}
        inputs = msgspec.structs.replace(known.inputs, allotted=shares[key])
        knowns[number] = Known(known.fact, inputs, known.activity_id)
    return shares


def _within_rooms(
    batch: _Batch,
    knowns: list[Known],
    shares: Mapping[str, Mapping[str, int]],
    inherited: Mapping[str, Inherited],
) -> Fold:
    """A fold in which several activities, each of which may use the whole of some rooms, share them in their order.

    Whoever used more than those before it left is given just that and decided anew, until all stay within.
    """
    number_of = {key_of(known.fact.source, known.fact.id): number for number, known in enumerate(knowns)}
    while True:
        engine = fold(batch.timeline, knowns, inherited=inherited)
        left: dict[str, int] = {}
        within = True
        for decision in engine.decisions:
            key = key_of(decision.source, decision.id)
            share = shares.get(key)
            if share is None:
                continue
            room = {name: left.setdefault(name, amount) for name, amount in share.items()}
            used = decision.trace.budgets
            if any(amount > room.get(name, 0) for name, amount in used.items()):
                within = False
                known = knowns[number_of[key]]
                inputs = msgspec.structs.replace(known.inputs, allotted=room)
                knowns[number_of[key]] = Known(known.fact, inputs, known.activity_id)
            for name, amount in used.items():
                left[name] = max(0, room.get(name, 0) - amount)
        if within:
            return engine


def _told_anew(standing: Sequence[Posted], correction: Correction) -> list[Message]:
    """What a corrected decision tells other members beyond what it told, and what it takes back."""
    decision = correction.decision
    before = next((item.trace for item in standing if item.activity_id == correction.activity_id), None)
    told = set(before.told) if before is not None else set()
    now = set(decision.trace.told) if decision is not None else set()
    messages = [
        message
        for message in (decision.messages if decision is not None else ())
        if (message.member, message.fact.id) not in told
    ]
    for member, identifier in sorted(told - now):
        if not identifier.startswith("undone:"):
            at = decision.at if decision is not None else 0
            named = Reference(MADE_SOURCE, identifier)
            fact = Fact(
                MADE_SOURCE,
                f"undone:{correction.activity_id}:{identifier}",
                RETURN,
                at,
                sale=named,
                whole=True,
            )
            messages.append(Message(member, fact))
    return messages
