"""A stage in memory for stories: members, their facts in the order of arrival, and nothing written.

What comes in order is decided on the standing; what comes late has the history folded anew, as the intake does
it. How an activity is sent is not the engine's to know: the reader of it is handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from palier.engine.amounts import AmountError, to_minor
from palier.engine.clock import MINUTE
from palier.engine.decide import Fold
from palier.engine.decisions import Decision, key_of
from palier.engine.facts import NO_INPUTS, RETURN, SALE, Fact, Inputs, Known, Reference
from palier.engine.history import fold, in_fold_order, inputs_of_late
from palier.engine.plan import Plan, Timeline
from palier.engine.program import Program
from palier.engine.refusals import Refusal, RefusalCode
from palier.engine.state import NEVER
from palier.engine.story import BEGINNING, SOURCE, Answer, Command, Purse, Standing
from palier.engine.trace import Trace

Reader = Callable[[dict[str, Any], Timeline, str, int], Fact | Refusal]
"""Reads an activity as it is sent: (activity, timeline, program key, the server's instant)."""
Writer = Callable[[str], Program]
"""The program that a `publish` line makes of its text."""


class _Claim(Struct, frozen=True):
    """What became of an id: whose it was, its content, and how it was answered."""

    member: str
    content: object
    answer: Answer


class _Member:
    """One member: all facts with the instants at which they became known, and the fold of them."""

    def __init__(self, timeline: Timeline) -> None:
        self.engine = Fold(timeline, keep_records=True)
        self.known: list[tuple[Known, int]] = []


class Rehearsal:
    """A stage (see palier.engine.story.Stage) that plays on the engine alone."""

    def __init__(self, program: Program, reader: Reader, writer: Writer | None = None) -> None:
        self.reader = reader
        self.writer = writer
        self.key = program.key
        self.versions: list[tuple[int, int, Plan]] = [(BEGINNING, NEVER, Plan(program, 1))]
        self.published = [BEGINNING]
        self.members: dict[str, _Member] = {}
        self.claims: dict[tuple[str, str], _Claim] = {}
        self.parked: dict[tuple[str, str], list[Fact]] = {}
        self.paid: dict[tuple[str, str], tuple[str, str]] = {}

    @property
    def timeline(self) -> Timeline:
        """Which version judges which instant."""
        return Timeline(self.versions)

    @property
    def plan(self) -> Plan:
        """The version that was published last."""
        return self.versions[-1][2]

    def enrol(self, members: Sequence[str]) -> None:
        """Makes the members; nothing has happened to them yet."""
        for name in members:
            self.members[name] = _Member(self.timeline)

    def publish(self, text: str, now: int) -> None:
        """Publishes the version that the writer makes of the text; it judges from `now` on."""
        assert self.writer is not None, "this stage was given no writer of programs"
        self.versions.append((now, NEVER, Plan(self.writer(text), len(self.versions) + 1)))
        self.published.append(now)
        for member in self.members.values():
            member.engine.timeline = self.timeline

    # --- activities -----------------------------------------------------------------------------------

    def send(self, member: str, activity: dict[str, Any], now: int) -> Answer:
        """Reads one activity and decides it; an id that was sent before is answered again, or refused."""
        fact = self.reader(activity, self.timeline, self.key, now)
        if isinstance(fact, Refusal):
            return _refused(fact)
        return self._apply(member, fact, fact, now)

    def _apply(self, member: str, fact: Fact, content: object, now: int) -> Answer:
        refusal = self._resolve(member, fact)
        if refusal is not None:
            return _refused(refusal)
        key = (fact.source, fact.id)
        claim = self.claims.get(key)
        if claim is not None:
            if (claim.member, claim.content) != (member, content):
                return _refused(_CONTENT_DIFFERS)
            return replace(claim.answer, status="duplicate")
        if fact.sale is not None and not self._stands(fact.sale):
            self.parked.setdefault((fact.sale.source, fact.sale.id), []).append(fact)
            answer = Answer("parked")
        else:
            for tender in fact.tenders:
                if tender.redemption is not None:
                    self.paid[(tender.redemption.source, tender.redemption.id)] = key
            waiting = self.parked.pop(key, []) if fact.type == SALE else []
            answer = self._decide(member, fact, waiting, now)
        if answer.status != "refused" or RefusalCode(answer.code).claims:
            self.claims[key] = _Claim(member, content, answer)
        return answer

    def _stands(self, reference: Reference) -> bool:
        claim = self.claims.get((reference.source, reference.id))
        return claim is not None and claim.answer.status == "applied"

    def _resolve(self, member: str, fact: Fact) -> Refusal | None:
        """Why what a fact names cannot be built upon."""
        named = fact.sale or fact.hold
        for tender in fact.tenders:
            named = named or tender.redemption
        if named is None:
            return None
        paying = fact.type == SALE
        if not self._stands(named):
            if paying:
                return Refusal(
                    RefusalCode.UNKNOWN_REDEMPTION, "the redemption that a tender names is not known"
                )
            return (
                Refusal(RefusalCode.UNKNOWN_HOLD, "the hold is not known") if fact.hold is not None else None
            )
        if self.claims[(named.source, named.id)].member != member:
            code = RefusalCode.UNKNOWN_REDEMPTION if paying else RefusalCode.UNKNOWN_SALE
            return Refusal(code, "it belongs to another member")
        if paying and self.paid.get((named.source, named.id), (fact.source, fact.id)) != (
            fact.source,
            fact.id,
        ):
            return Refusal(RefusalCode.REDEMPTION_ALREADY_USED, "the redemption has paid another sale")
        return None

    def _decide(
        self, member: str, fact: Fact, waiting: Sequence[Fact], now: int, live: bool = False
    ) -> Answer:
        mine = self.members[member]
        facts = [known.fact for known in in_fold_order(Known(item) for item in (fact, *waiting))]
        if self._in_order(mine.engine, facts):
            decided: Decision | Refusal | None = None
            for item in facts:
                known = Known(item, self._inputs(item))
                answer = mine.engine.decide(known, live=live or (item.type == RETURN and item is fact))
                if not isinstance(answer, Refusal):
                    mine.known.append((known, now))
                if item is fact:
                    decided = answer
        else:
            decided = self._decide_anew(mine, facts, fact, now)
        assert decided is not None
        if isinstance(decided, Refusal):
            return _refused(decided)
        return _applied(decided.trace)

    def _in_order(self, engine: Fold, facts: Sequence[Fact]) -> bool:
        """Whether facts, in fold order, come after all that was decided. A return of a sale beside it does."""
        beside = {key_of(fact.source, fact.id) for fact in facts}
        first = facts[0]
        if first.at < engine.state.due_done:
            return False
        return all(
            engine.position(fact) > engine.state.last
            or (fact.sale is not None and key_of(fact.sale.source, fact.sale.id) in beside)
            for fact in facts
        )

    def _decide_anew(
        self, mine: _Member, facts: Sequence[Fact], wanted: Fact, now: int
    ) -> Decision | Refusal | None:
        state = mine.engine.state
        timeline = self.timeline
        for item in facts:
            knowns = [known for known, _ in mine.known]
            inputs = inputs_of_late(timeline, knowns, item, state, self._inputs(item))
            mine.known.append((Known(item, inputs), now))
        engine = fold(timeline, [known for known, _ in mine.known])
        engine.advance(state.due_done)
        mine.engine = engine
        for decision in engine.decisions:
            if (decision.source, decision.id) == (wanted.source, wanted.id):
                return decision
        return Refusal(RefusalCode.RETURN_DOES_NOT_FIT, "it does not fit its sale")

    def _inputs(self, fact: Fact) -> Inputs:
        """What is recorded beside a fact."""
        return NO_INPUTS

    # --- commands -------------------------------------------------------------------------------------

    def command(self, member: str, command: Command, now: int) -> Answer:
        """Decides one command on what is then known."""
        verb = command.verb
        fact = Fact(SOURCE, command.id, verb, 0, currency=command.currency)
        try:
            if verb in ("capture", "release"):
                fact = replace(fact, hold=Reference(SOURCE, command.hold))
                if command.points and self._stands(Reference(SOURCE, command.hold)):
                    held = self.claims[(SOURCE, command.hold)].content
                    assert isinstance(held, Fact)
                    fact = replace(fact, points=self._points(held.currency, command.points))
            else:
                signed = verb == "adjust"
                fact = replace(fact, points=self._points(command.currency, command.points, signed=signed))
        except AmountError as error:
            return _refused(Refusal(RefusalCode.INVALID_AMOUNT, str(error), "points"))
        if verb == "adjust":
            fact = replace(fact, reason=command.reason, actor="desk")
        state = self.members[member].engine.state
        if verb == "hold" and command.minutes is not None:
            until = max(now, state.latest, state.due_done) + command.minutes * MINUTE
            return self._ask(member, replace(fact, hold_until=until), fact, now)
        if verb == "transfer":
            return self._transfer(member, command.other, fact, now)
        return self._ask(member, fact, fact, now)

    def _points(self, currency: str, text: str, *, signed: bool = False) -> int:
        negative = signed and text.startswith("-")
        minor = to_minor(
            text[1:] if negative or text.startswith("+") else text, self.plan.currencies[currency].scale
        )
        if not minor:
            raise AmountError("zero points change nothing")
        return -minor if negative else minor

    def _ask(self, member: str, fact: Fact, content: Fact, now: int) -> Answer:
        refusal = self._resolve(member, fact)
        if refusal is not None:
            return _refused(refusal)
        key = (fact.source, fact.id)
        claim = self.claims.get(key)
        if claim is not None:
            if (claim.member, claim.content) != (member, content):
                return _refused(_CONTENT_DIFFERS)
            return replace(claim.answer, status="duplicate")
        state = self.members[member].engine.state
        # Two commands of one instant would act in the order of their ids: each acts after what was decided.
        dated = replace(fact, at=max(now, state.latest + 1, state.due_done))
        answer = self._decide(member, dated, (), now, live=True)
        if answer.status != "refused" or RefusalCode(answer.code).claims:
            self.claims[key] = _Claim(member, content, answer)
        return answer

    def _transfer(self, sender: str, receiver: str, fact: Fact, now: int) -> Answer:
        declared = self.plan.program.point_currencies
        if not any(item.key == fact.currency and item.transferable for item in declared):
            return _refused(
                Refusal(RefusalCode.NOT_TRANSFERABLE, "these points cannot be transferred between members")
            )
        if sender == receiver:
            return _refused(Refusal(RefusalCode.SAME_MEMBER, "sender and receiver are the same member"))
        mine = self.members[sender].engine
        trial = Fold(self.timeline, deepcopy(mine.state))
        trial.advance(max(now, mine.state.latest, mine.state.due_done))
        moved = trial.choose(fact.currency, fact.points)
        out = replace(fact, type="transfer_out", moved=moved, other_member=receiver)
        answer = self._ask(sender, out, replace(fact, other_member=receiver), now)
        if answer.status == "applied":
            into = replace(fact, id=f"{fact.id}:in", type="transfer_in", moved=moved, other_member=sender)
            self._ask(receiver, into, into, now)
        return answer

    # --- what is read back ----------------------------------------------------------------------------

    def standing(
        self, member: str, now: int, *, as_of: int | None = None, known_at: int | None = None
    ) -> Standing:
        """Where a member stands, as if all due work had been done."""
        mine = self.members[member]
        at = max(now, mine.engine.state.latest, mine.engine.state.due_done) if as_of is None else as_of
        if as_of is None and known_at is None:
            engine = Fold(self.timeline, deepcopy(mine.engine.state))
            engine.decisions = list(mine.engine.decisions)
        else:
            known_by = now if known_at is None else known_at
            spans = [
                span for span, known in zip(self.versions, self.published, strict=True) if known <= known_by
            ]
            knowns = [known for known, recorded in mine.known if recorded <= known_by]
            engine = fold(Timeline(spans), knowns, until=at)
        engine.advance(at)
        return standing_of(engine, self.plan)


def standing_of(engine: Fold, plan: Plan) -> Standing:
    """What can be read back of a fold whose due work is done."""
    expired: dict[str, int] = {}
    for decision in engine.decisions:
        for kind, _, _, currency, _, amount, _ in decision.transfers:
            if kind in ("expire", "unexpire"):
                expired[currency] = expired.get(currency, 0) + (amount if kind == "expire" else -amount)
    purses = {currency: Purse() for currency in plan.currencies}
    for currency, wallet in engine.state.wallets.items():
        purses[currency] = Purse(
            wallet.spendable,
            sum(entry.amount for entry in wallet.pending),
            sum(lot.held for lot in wallet.lots),
            wallet.debt,
            expired.get(currency, 0),
            tuple(
                (wallet.idle_at if lot.idle else lot.expires_at, lot.remaining)
                for lot in wallet.lots
                if lot.remaining
            ),
            tuple((entry.release_at, entry.amount) for entry in wallet.pending),
        )
    return Standing(purses, engine.state.tier.key or plan.levels[0])


def _applied(trace: Trace) -> Answer:
    earned: dict[str, int] = {}
    for item in trace.rules:
        earned[item.currency] = earned.get(item.currency, 0) + item.earned
    return Answer("applied", earned=earned, warning=bool(trace.cut))


def _refused(refusal: Refusal) -> Answer:
    return Answer("refused", refusal.code.value, refusal.message)


_CONTENT_DIFFERS = Refusal(RefusalCode.CONTENT_DIFFERS, "this id was used before, with other content", "id")

__all__ = ["Reader", "Rehearsal", "Writer", "standing_of"]
