"""A stage in memory for stories: members, their facts in the order of arrival, and nothing written.

What comes in order is decided on the standing; what comes late has the history folded anew, as the intake does
it. How an activity is sent is not the engine's to know: the reader of it is handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from datetime import date, datetime
from itertools import count
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from palier.engine.amounts import AmountError, from_minor, ratio, to_minor
from palier.engine.clock import HOUR, MINUTE, instant
from palier.engine.compiled import PERIOD, START, CompiledGoal, period_number
from palier.engine.decide import Fold
from palier.engine.decisions import Decision, key_of
from palier.engine.facts import LEFT, MADE_SOURCE, PLAYED, RETURN, SALE, Fact, Inputs, Known, Reference
from palier.engine.history import fold, in_fold_order, inputs_of_late
from palier.engine.instants import ends_at
from palier.engine.plan import Plan, Timeline
from palier.engine.program import Program
from palier.engine.rating import recorded
from palier.engine.refusals import Refusal, RefusalCode
from palier.engine.sentences import sentence
from palier.engine.state import NEVER, GoalState, MemberState
from palier.engine.story import BEGINNING, SOURCE, Answer, Command, Made, Purse, Standing
from palier.engine.streaks import deadline
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
    """One member: all facts with the instants at which they became known, the fold of them, and what is known."""

    def __init__(self, timeline: Timeline) -> None:
        self.engine = Fold(timeline, keep_records=True)
        # A fact that comes again has other inputs from then on: the later one counts.
        self.known: list[tuple[Known, int]] = []
        self.attributes: dict[str, str | int | bool] = {}
        self.zone = ""

    def knowns(self, by: int = NEVER) -> list[Known]:
        """The facts known by an instant, each with what was recorded beside it last."""
        found = {
            key_of(known.fact.source, known.fact.id): known
            for known, recorded in self.known
            if recorded <= by
        }
        return list(found.values())


class Rehearsal:
    """A stage (see palier.engine.story.Stage) that plays on the engine alone."""

    def __init__(self, program: Program, reader: Reader, writer: Writer | None = None) -> None:
        self.reader = reader
        self.writer = writer
        self.key = program.key
        begins = program.effective_from
        start = instant(datetime.fromisoformat(begins)) if begins is not None else BEGINNING
        self.versions: list[tuple[int, int, Plan]] = [(start, NEVER, Plan(program, 1))]
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

    def send(self, member: str, activity: dict[str, Any], now: int, drawing: str = "") -> Answer:
        """Reads one activity and decides it; an id that was sent before is answered again, or refused."""
        fact = self.reader(activity, self.timeline, self.key, now)
        if isinstance(fact, Refusal):
            return _refused(fact)
        return self._apply(member, fact, fact, now, drawing)

    def made(self, member: str, made: Made, now: int) -> Answer | None:
        """What the platform makes of what happens to a member, as a fact of its own."""
        mine = self.members[member]
        for name, value in made.known.items():
            if name == "zone":
                mine.zone = value
            else:
                mine.attributes[name] = self._attribute(name, value)
        if made.kind == "is":
            return None
        if made.kind == "dividend":
            return self._dividend(member, made, now)
        facts = facts_made(self.plan, made, now, member)
        if made.kind in ("birthday", "anniversary"):
            # It comes once a year, however often the date is changed.
            for name, fact in facts:
                if (fact.source, fact.id) not in self.claims:
                    self._apply(name, fact, fact, now)
            return None
        answers = [self._apply(name, fact, fact, now) for name, fact in facts]
        return answers[0]

    def _attribute(self, name: str, value: str) -> str | int | bool:
        declared = self.plan.program.member_attributes[name]
        if declared.type == "integer":
            return int(value)
        if declared.type == "date":
            return date.fromisoformat(value).toordinal()
        return value in ("yes", "oui") if declared.type == "boolean" else value

    def _dividend(self, member: str, made: Made, now: int) -> Answer:
        """A member's share of what he bought in a year, where he was a member at its end."""
        mine = self.members[member]
        standing = Fold(self.timeline, deepcopy(mine.engine.state))
        fact = dividend(self.plan, standing.state, made.subject, made.year, made.rate)
        if fact is None:
            return Answer("applied")
        fact = replace(fact, id=f"{fact.id}:{member}")
        return self._ask(member, fact, fact, now)

    def _apply(self, member: str, fact: Fact, content: object, now: int, drawing: str = "") -> Answer:
        refusal = self._resolve(member, fact)
        if refusal is not None:
            return _refused(refusal)
        key = (fact.source, fact.id)
        claim = self.claims.get(key)
        if claim is not None:
            if (claim.member, claim.content) != (member, content):
                return _refused(_CONTENT_DIFFERS)
            return replace(claim.answer, status="duplicate")
        played = fact.type in PLAYED
        if played:
            fact = self._dated(member, fact, now)
        if fact.sale is not None and not self._stands(fact.sale):
            self.parked.setdefault((fact.sale.source, fact.sale.id), []).append(fact)
            answer = Answer("parked")
        else:
            for tender in fact.tenders:
                if tender.redemption is not None:
                    self.paid[(tender.redemption.source, tender.redemption.id)] = key
            waiting = self.parked.pop(key, []) if fact.type == SALE else []
            answer = self._decide(member, fact, waiting, now, live=played, drawing=drawing)
        if answer.status != "refused" or RefusalCode(answer.code).claims:
            self.claims[key] = _Claim(member, content, answer)
        return answer

    def _stands(self, reference: Reference) -> bool:
        claim = self.claims.get((reference.source, reference.id))
        return claim is not None and claim.answer.status == "applied"

    def _resolve(self, member: str, fact: Fact) -> Refusal | None:
        """Why what a fact names cannot be built upon."""
        named = fact.sale or fact.hold or fact.undoes
        for tender in fact.tenders:
            named = named or tender.redemption
        if named is None:
            return None
        paying = fact.type == SALE
        spent = paying or fact.undoes is not None
        if not self._stands(named):
            if fact.type == "revoke_tier":
                return Refusal(RefusalCode.TIER_NOT_GIVEN, sentence("no tier was given so"), "tier")
            if spent:
                return Refusal(
                    RefusalCode.UNKNOWN_REDEMPTION, sentence("the redemption that it names is not known")
                )
            return (
                Refusal(RefusalCode.UNKNOWN_HOLD, sentence("the hold is not known"))
                if fact.hold is not None
                else None
            )
        if self.claims[(named.source, named.id)].member != member:
            code = RefusalCode.UNKNOWN_REDEMPTION if spent else RefusalCode.UNKNOWN_SALE
            return Refusal(code, sentence("it belongs to another member"))
        if paying and self.paid.get((named.source, named.id), (fact.source, fact.id)) != (
            fact.source,
            fact.id,
        ):
            return Refusal(
                RefusalCode.REDEMPTION_ALREADY_USED, sentence("the redemption has paid another sale")
            )
        return None

    def _decide(
        self,
        member: str,
        fact: Fact,
        waiting: Sequence[Fact],
        now: int,
        *,
        live: bool = False,
        drawing: str = "",
    ) -> Answer:
        mine = self.members[member]
        facts = [known.fact for known in in_fold_order(Known(item) for item in (fact, *waiting))]
        decided: Decision | Refusal | None = None
        told: list[Decision] = []
        if self._in_order(mine.engine, facts):
            for item in facts:
                inputs = self._inputs(mine, item, drawing)
                asked = live or (item.type == RETURN and item is fact)
                answer = mine.engine.decide(Known(item, inputs), live=asked)
                if isinstance(answer, Decision):
                    mine.known.append((Known(item, _used(inputs, answer)), now))
                    told.append(answer)
                if item is fact:
                    decided = answer
        else:
            decided = self._decide_anew(mine, facts, fact, now, drawing)
            told = mine.engine.decisions
        assert decided is not None
        for message in [message for decision in told for message in decision.messages]:
            self._apply(message.member, message.fact, message.fact, now)
        if isinstance(decided, Refusal):
            return _refused(decided)
        return _applied(decided.trace, self.plan)

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
        self, mine: _Member, facts: Sequence[Fact], wanted: Fact, now: int, drawing: str
    ) -> Decision | Refusal | None:
        state = mine.engine.state
        timeline = self.timeline
        for item in facts:
            knowns = mine.knowns()
            inputs = inputs_of_late(timeline, knowns, item, state, self._inputs(mine, item, drawing))
            mine.known.append((Known(item, inputs), now))
        engine = fold(timeline, mine.knowns())
        engine.advance(state.due_done)
        mine.engine = engine
        by_id = {key_of(decision.source, decision.id): decision for decision in engine.decisions}
        for known in mine.knowns():
            key = key_of(known.fact.source, known.fact.id)
            if key in by_id and (used := _used(known.inputs, by_id[key])) != known.inputs:
                mine.known.append((Known(known.fact, used), now))
        refusal = Refusal(RefusalCode.RETURN_DOES_NOT_FIT, sentence("it does not fit its sale"))
        return by_id.get(key_of(wanted.source, wanted.id), refusal)

    def _inputs(self, mine: _Member, fact: Fact, drawing: str) -> Inputs:
        """What is recorded beside a fact: what is known of the member, what chance brings, what is left to share."""
        plan = self.timeline.at(fact.at) or self.plan
        seen = {name: mine.attributes[name] for name in plan.member_fields if name in mine.attributes}
        limits = plan.shared_limits(fact)
        allotted = {}
        if limits:
            used = self._shared()
            allotted = {key: max(0, limit - used.get(key, 0)) for key, limit in limits.items()}
        drawn = draw(plan, fact, drawing) if drawing else ""
        zone = mine.zone if plan.zoned else ""
        return Inputs(member=seen, zone=zone, draw=drawn, allotted=allotted)

    def _shared(self) -> dict[str, int]:
        """What all members together use of the limits that they share; what came back is free again."""
        used: dict[str, int] = {}
        for member in self.members.values():
            sales = {key_of(k.fact.source, k.fact.id): k.fact.sale for k, _ in member.known}
            latest: dict[str, dict[str, int]] = {}
            for decision in member.engine.decisions:
                key = key_of(decision.source, decision.id)
                sale = sales.get(key) if decision.type == RETURN else None
                latest[key_of(sale.source, sale.id) if sale is not None else key] = decision.trace.budgets
            for budgets in latest.values():
                for key, amount in budgets.items():
                    used[key] = used.get(key, 0) + amount
        return used

    # --- commands -------------------------------------------------------------------------------------

    def command(self, member: str, command: Command, now: int) -> Answer:
        """Decides one command on what is then known."""
        verb = command.verb
        fact = Fact(SOURCE, command.id, verb, 0, currency=command.currency)
        try:
            if verb in ("capture", "release"):
                fact = replace(fact, hold=Reference(SOURCE, command.hold))
                if self._stands(Reference(SOURCE, command.hold)):
                    held = self.claims[(SOURCE, command.hold)].content
                    assert isinstance(held, Fact)
                    fact = replace(fact, partner=held.partner)
                    if command.points:
                        fact = replace(fact, points=self._points(held.currency, command.points))
            elif verb == "grant_tier":
                until = ends_at(command.until, self.plan.clock)
                fact = replace(fact, attributes={"tier": command.tier, "until": until})
            elif verb == "revoke_tier":
                fact = replace(fact, undoes=Reference(SOURCE, command.hold))
            elif verb == "refund":
                return self._refund(member, command, fact, now)
            elif verb == "leave":
                fact = replace(fact, source=MADE_SOURCE, id=f"left:{member}", type=LEFT)
            else:
                signed = verb == "adjust"
                fact = replace(fact, points=self._points(command.currency, command.points, signed=signed))
        except AmountError as error:
            return _refused(Refusal(RefusalCode.INVALID_AMOUNT, sentence("%(error)s", error=error), "points"))
        if verb == "adjust":
            fact = replace(fact, reason=command.reason, actor="desk")
        if command.partner is not None:
            fact = replace(fact, partner=command.partner)
        state = self.members[member].engine.state
        if verb == "hold" and command.minutes is not None:
            until = max(now, state.latest, state.due_done) + command.minutes * MINUTE
            return self._ask(member, replace(fact, hold_until=until), fact, now)
        if verb == "transfer":
            return self._transfer(member, command.other, fact, now)
        return self._ask(member, fact, fact, now)

    def _refund(self, member: str, command: Command, fact: Fact, now: int) -> Answer:
        """Gives points of a redemption back: so many, or all that is left."""
        named = Reference(SOURCE, command.hold)
        fact = replace(fact, undoes=named)
        if not self._stands(named):
            return self._ask(member, fact, fact, now)
        redeemed = self.claims[(SOURCE, command.hold)].content
        assert isinstance(redeemed, Fact)
        fact = replace(fact, currency=redeemed.currency)
        if command.points:
            fact = replace(fact, points=self._points(redeemed.currency, command.points))
            return self._ask(member, fact, fact, now)
        spent = self.members[member].engine.redemptions.get(key_of(SOURCE, command.hold))
        left = spent.points - spent.given(0) if spent is not None else 0
        return self._ask(member, replace(fact, points=left or redeemed.points), fact, now)

    def _points(self, currency: str, text: str, *, signed: bool = False) -> int:
        negative = signed and text.startswith("-")
        minor = to_minor(
            text[1:] if negative or text.startswith("+") else text, self.plan.currencies[currency].scale
        )
        if not minor:
            raise AmountError(sentence("zero points change nothing"))
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
        answer = self._decide(member, self._dated(member, fact, now), (), now, live=True)
        if answer.status != "refused" or RefusalCode(answer.code).claims:
            self.claims[key] = _Claim(member, content, answer)
        return answer

    def _dated(self, member: str, fact: Fact, now: int) -> Fact:
        """A command or a play carries the server's instant, and acts after what was decided.

        Two of one instant would act in the order of their ids.
        """
        state = self.members[member].engine.state
        return replace(fact, at=max(now, state.latest + 1, state.due_done))

    def _transfer(self, sender: str, receiver: str, fact: Fact, now: int) -> Answer:
        declared = self.plan.program.point_currencies
        if not any(item.key == fact.currency and item.transferable for item in declared):
            return _refused(
                Refusal(
                    RefusalCode.NOT_TRANSFERABLE,
                    sentence("these points cannot be transferred between members"),
                )
            )
        if sender == receiver:
            return _refused(
                Refusal(RefusalCode.SAME_MEMBER, sentence("sender and receiver are the same member"))
            )
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
            knowns = mine.knowns(known_by)
            engine = fold(Timeline(spans), knowns, until=at)
        engine.advance(at)
        return standing_of(engine, self.plan, at)


def standing_of(engine: Fold, plan: Plan, now: int | None = None) -> Standing:
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
    at = max(engine.state.latest, engine.state.due_done) if now is None else now
    return Standing(purses, engine.state.tier.key or plan.levels[0], marks(plan, engine.state, at))


def marks(plan: Plan, state: MemberState, at: int) -> dict[str, str]:
    """Where a member stands in goals, streaks, memberships and with what he saves for (see Standing.marks)."""
    found = {
        f"goal {goal.key}": _goal_mark(plan, goal, state.goals.get(goal.key), at)
        for goal in plan.goals.values()
    }
    for streak in plan.program.streaks:
        runs = [run for name, run in state.streaks.items() if name.partition(":")[0] == streak.key]
        compiled = plan.streaks[streak.key]
        found[f"streak {streak.key}"] = str(max((run.length for run in runs), default=0))
        if any(0 <= deadline(plan, compiled, run) - at <= streak.at_risk_hours * HOUR for run in runs):
            found[f"streak {streak.key}"] += " at-risk"
    for key in plan.memberships:
        until = state.memberships.get(key, 0)
        last = date.fromordinal(plan.clock.local(until - 1)[0]).isoformat() if until < NEVER else "for-life"
        found[f"membership {key}"] = last if until > at else "none"
    if state.saving is not None:
        currency, points, _ = state.saving
        scale = plan.currencies[currency].scale
        wallet = state.wallets.get(currency)
        has = min(points, wallet.spendable if wallet is not None else 0)
        found["saving"] = f"{_plain(has, scale)}/{_plain(points, scale)}"
    return found


def _goal_mark(plan: Plan, goal: CompiledGoal, known: GoalState | None, at: int) -> str:
    """The position in the present round, of its length: "7/10"; without steps, what was counted."""
    position = goal.head_start
    if known is not None:
        number = known.window.number
        day = plan.clock.local(at)[0]
        over = goal.window == PERIOD and number != period_number(plan.clock, goal.period, day)
        over = over or (goal.window == START and at >= plan.clock.add_days(known.began, goal.days))
        position = goal.head_start if over else known.window.position
    places = 0
    if goal.measure == "spend":
        places = plan.exponent
    elif goal.measure == "points":
        places = plan.currencies[goal.currency].scale
    if not goal.last:
        return _plain(position, places)
    full = bool(goal.most_rounds) and position >= goal.most_rounds * goal.last
    here = position % goal.last if goal.repeat and not full else min(position, goal.last)
    return f"{_plain(here, places)}/{_plain(goal.last, places)}"


def _plain(minor: int, places: int) -> str:
    """An amount without decimals that are zeros all."""
    whole, _, fraction = from_minor(minor, places).partition(".")
    return f"{whole}.{fraction}" if fraction.strip("0") else whole


def facts_made(plan: Plan, made: Made, now: int, member: str) -> list[tuple[str, Fact]]:
    """The facts that the platform makes of what happens: (whose it is, the fact). The caller's first."""
    if made.kind == "pairs":
        pair = "-".join(sorted((member, made.other)))
        attributes: dict[str, str | int | bool] = {"streak": made.subject, "pair": pair}
        return [
            (own, Fact(MADE_SOURCE, f"paired:{made.subject}:{pair}:{own}", "paired", now,
                       attributes=attributes, other_member=other))
            for own, other in ((member, made.other), (made.other, member))
        ]  # fmt: skip
    if made.kind == "joins":
        return [(member, Fact(MADE_SOURCE, f"joined:{member}", "joined", now, other_member=made.other))]
    day, _ = plan.clock.local(now)
    identifier = f"{made.kind}:{date.fromordinal(day).year}:{member}"
    return [(member, Fact(MADE_SOURCE, identifier, made.kind, plan.clock.start_of_day(day)))]


def dividend(plan: Plan, state: MemberState, membership: str, year: int, rate: str) -> Fact | None:
    """A member's dividend of a year at a rate such as "0.10", rounded down; None where none is due."""
    found = next((item for item in plan.program.memberships if item.key == membership), None)
    share = found.dividend if found is not None else None
    goal = state.goals.get(share.goal) if share is not None else None
    ends = plan.clock.start_of_month(12 * year + 12)
    if share is None or goal is None or state.memberships.get(membership, 0) < ends:
        return None
    window = next((item for item in (goal.window, *goal.closed) if item.number == year), None)
    least = to_minor(share.least, plan.exponent) if share.least is not None else 0
    if window is None or window.position < least:
        return None
    currency = next(item for item in plan.program.point_currencies if item.key == share.currency)
    part, whole = ratio(rate)
    value, per = ratio(currency.value or "1")
    points = window.position * part * per * 10**currency.scale // (whole * value * 10**plan.exponent)
    if not points:
        return None
    return Fact(
        MADE_SOURCE, f"dividend:{membership}:{year}", "dividend", 0, points=points, currency=currency.key
    )


def _used(inputs: Inputs, decision: Decision) -> Inputs:
    """The inputs as they are recorded: of what all share, what was used."""
    return replace(inputs, allotted=recorded(decision.trace)) if inputs.allotted else inputs


def draw(plan: Plan, fact: Fact, prize: str) -> str:
    """Bytes that draw a prize of the game that a fact plays, or of a surprise that comes with it."""
    games = list(plan.activities[fact.type].games)
    if fact.type == "play":
        games = [game for game in plan.games.values() if game.key == fact.attributes.get("game")]
    for game in games:
        keys = [key for key, _, _ in game.prizes]
        if prize in keys:
            return next(text for n in count() if game.prizes[game.field(text := f"{n:064x}")][0] == prize)
    raise AmountError(sentence("no game draws %(prize)r here", prize=prize))


def _applied(trace: Trace, plan: Plan) -> Answer:
    earned: dict[str, int] = {}
    for item in trace.rules:
        earned[item.currency] = earned.get(item.currency, 0) + item.earned
    return Answer("applied", earned=earned, warning=bool(trace.cut), won=won(plan, trace), score=trace.score)


def won(plan: Plan, trace: Trace) -> str:
    """The prize that a decision's last draw gave, "" for a blank."""
    if not trace.draws:
        return ""
    game, _, prize = trace.draws[-1]
    return prize if any(key == prize and given for key, given, _ in plan.games[game].prizes) else ""


def _refused(refusal: Refusal) -> Answer:
    return Answer("refused", refusal.code.value, refusal.message)


_CONTENT_DIFFERS = Refusal(
    RefusalCode.CONTENT_DIFFERS, sentence("this id was used before, with other content"), "id"
)

__all__ = ["Reader", "Rehearsal", "Writer", "standing_of"]
