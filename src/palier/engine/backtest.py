"""Histories played in memory: what a program would have issued, cost and brought to whom.

The engine is the one that decides live; nothing is written. A history played by the versions that judged it
live gives what stands in the ledger, to the last unit; by another document it tells what would have been.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Final

import msgspec
from msgspec import Struct

from palier.engine import straight
from palier.engine.brought import ByRule, Mechanics, RuleTotals, merge_rules
from palier.engine.clock import DAY
from palier.engine.decide import Fold
from palier.engine.decisions import ISSUANCE, REDEMPTION, WALLET, Message, issues, plain_account
from palier.engine.facts import FRIEND_CONVERTED, MADE_SOURCE, RETURN, SALE, Fact, Inputs, Known
from palier.engine.history import in_fold_order
from palier.engine.observe import Looked, Seen, Watch
from palier.engine.plan import Plan, Timeline
from palier.engine.refusals import Refusal
from palier.engine.state import NEVER

RELAYED_TYPES: Final = frozenset({"friend_joined", FRIEND_CONVERTED, "pair_act", RETURN})
Moved = dict[tuple[str, str, str, str], int]
"""(currency, kind, debit, credit) -> points moved in minor units, corrections taken off."""

ROUNDS: Final = 6
"""How often facts are carried between members before what they bring about must have settled."""
KEPT: Final = 50
"""Members whose difference is told in full; of all others only the number is kept."""


class Standing(Struct):
    """Where a member stands: what moved, the wallets as (posted, pending, held, debt), the tier.

    `settled_at` is the instant up to which due work has acted.
    """

    moved: Moved = {}
    wallets: dict[str, tuple[int, int, int, int]] = {}
    tier: str = ""
    settled_at: int = 0

    def earned(self, currency: str) -> int:
        """Points issued less those taken back."""
        total = 0
        for (name, _, debit, credit), amount in self.moved.items():
            if name == currency:
                total += amount * (issues(debit) - issues(credit))
        return total


class History(Struct):
    """One member's facts, in any order, and where the ledger has him (None: nothing to compare with)."""

    member: str
    knowns: list[Known]
    ledger: Standing | None = None


class Threshold(Struct, frozen=True):
    """A reward's price: spendable points of a currency, in minor units."""

    currency: str
    points: int


class CurrencyTotals(Struct):
    """One point currency over all members, in minor units.

    issued + adjusted + received = reversed + redeemed + expired + spendable + held + pending - debt, where
    `received` is what transfers between members brought less what they took.
    """

    issued: int = 0
    reversed: int = 0
    redeemed: int = 0
    expired: int = 0
    adjusted: int = 0
    received: int = 0
    spendable: int = 0
    pending: int = 0
    held: int = 0
    debt: int = 0

    @property
    def outstanding(self) -> int:
        """What members may still spend: the liability, in points."""
        return self.spendable + self.held + self.pending


class Difference(Struct, frozen=True):
    """One thing in which a member stands otherwise: `expected` by the ledger, `found` when played."""

    member: str
    what: str
    expected: str
    found: str


class Change(Struct, frozen=True):
    """What a member would have earned more (or less, negative) by this program than by the other."""

    member: str
    currency: str
    points: int


class Totals(Struct):
    """A whole backtest, or the part of it that one process did; parts add up by `merge`.

    `spend` is money of sales less returns, in minor units. `reached`: tier -> members who stood
    on it or above it at some time, so that whoever falls to a tier is not told to have reached it by that; `tiers`: at
    the end. `waits`: whole days from a member's first activity to the threshold, one entry
    for each member who reached it. `differences` and `changes` hold the first and largest; the counts are
    of all members. `mechanics` are those of all members; `rules`, where it was asked for, what each rule brought.
    """

    members: int = 0
    activities: int = 0
    passed_over: int = 0
    decisions: int = 0
    spend: int = 0
    currencies: dict[str, CurrencyTotals] = {}
    tiers: dict[str, int] = {}
    reached: dict[str, int] = {}
    waits: list[int] = []
    compared: int = 0
    differing: int = 0
    differences: list[Difference] = []
    better: int = 0
    worse: int = 0
    changes: list[Change] = []
    seen: Seen | None = None
    mechanics: Mechanics = msgspec.field(default_factory=Mechanics)
    rules: dict[str, RuleTotals] = {}

    def merge(self, other: Totals) -> None:
        """Adds another part; parts must be of different members."""
        for name in ("members", "activities", "passed_over", "decisions", "spend", "compared", "differing"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        if other.seen is not None:
            self.seen = self.seen or Seen()
            self.seen.merge(other.seen)
        self.better += other.better
        self.worse += other.worse
        self.mechanics.merge(other.mechanics)
        merge_rules(self.rules, other.rules)
        for key, part in other.currencies.items():
            mine = self.currencies.setdefault(key, CurrencyTotals())
            for name in CurrencyTotals.__struct_fields__:
                setattr(mine, name, getattr(mine, name) + getattr(part, name))
        for mine_by, theirs in ((self.tiers, other.tiers), (self.reached, other.reached)):
            for tier, count in theirs.items():
                mine_by[tier] = mine_by.get(tier, 0) + count
        self.waits = sorted([*self.waits, *other.waits])
        self.differences = sorted([*self.differences, *other.differences], key=lambda item: item.member)[
            :KEPT
        ]
        self.changes = _largest([*self.changes, *other.changes])


class Played(Struct):
    """One member's history as it came out: standing as of the ledger's settling, and at the end."""

    settled: Standing
    end: Standing
    decisions: int
    passed_over: int
    spend: int
    reached: list[str]
    waited: int
    mechanics: Mechanics
    rules: dict[str, RuleTotals]


def play(
    timeline: Timeline,
    knowns: Sequence[Known],
    *,
    until: int,
    settled_at: int | None = None,
    threshold: Threshold | None = None,
    watch: Watch | None = None,
    by_rule: bool = False,
) -> Played:
    """Plays one member's facts, then the due work up to `until`; `watch` looks on, `by_rule` adds up each rule.

    `settled_at` asks for the standing as of that instant too (instead of at the end), for comparing with a
    ledger whose due work has run so far. Facts that no version judges are passed over.
    """
    fold = Fold(timeline, keep_records=True)
    state = fold.state
    moved: Moved = {}
    silent: dict[str, int] = {}
    tiers: set[str] = set()
    mechanics = Mechanics()
    rules = ByRule()
    decisions = passed = spend = 0
    spendable, waited, first_at = 0, -1, 0
    limit = threshold.points if threshold is not None else NEVER
    awaited = threshold.currency if threshold is not None else ""

    def take() -> None:
        nonlocal decisions, spendable, waited
        for decision in fold.decisions:
            decisions += 1
            for kind, debit, credit, currency, _, amount, _ in decision.transfers:
                key = (currency, kind, debit, credit)
                moved[key] = moved.get(key, 0) + amount
                if currency == awaited:
                    spendable += amount * ((credit == WALLET) - (debit == WALLET))
            if spendable >= limit and waited < 0:
                waited = max(0, decision.at - first_at) // DAY
            tiers.add(decision.tier)
            if watch is not None:
                watch.decision(decision)
            mechanics.note(decision, timeline)
        fold.decisions.clear()

    back: dict[tuple[str, str], int] = {}
    ordered = in_fold_order(knowns)
    # What a return names leaves a record, which only a decision with its trace does.
    named = {(known.fact.sale.source, known.fact.sale.id) for known in ordered if known.fact.sale is not None}
    rest = iter(ordered)
    known = next(rest, None)
    while known is not None:
        fact = known.fact
        at = fact.at
        if fold.is_due(at):
            fold.advance(at)
            take()
        plan, _, end = timeline.span(at)
        # Who watches sees decisions, which the function written out for sums does not make.
        told = watch is not None or by_rule
        tally = straight.silent(plan, fact.type) if plan is not None and not told else None
        if plan is not None and tally is not None:
            function, currency = tally
            before = state.tier.key
            most = NEVER
            if waited < 0:
                most = limit - spendable if currency == awaited or spendable >= limit else NEVER
            known, number, points, money, reached_at = function(fold, known, rest, end, named, most)
            if number:
                first_at = first_at or at
                decisions += number
                spend += money if fact.type == SALE else 0
                silent[currency] = silent.get(currency, 0) + points
                if currency == awaited:
                    spendable += points
                if reached_at:
                    waited = max(0, reached_at - first_at) // DAY
                if number > 1:
                    tiers.add(before or plan.levels[0])
                tiers.add(state.tier.key)
                continue
        assert known is not None
        answer = fold.decide(known)
        known = next(rest, None)
        if isinstance(answer, Refusal):
            passed += 1
            continue
        first_at = first_at or at
        returned = 0
        if fact.type == SALE:
            spend += fact.amount
        elif fact.type == RETURN and fact.sale is not None:
            key = (fact.sale.source, fact.sale.id)
            returned = answer.trace.returned - back.get(key, 0)
            spend -= returned
            back[key] = answer.trace.returned
        if watch is not None:
            watch.activity(fact, answer, returned)
        if by_rule:
            rules.note(fact, answer)
        take()
    for currency, points in silent.items():
        if points:
            earned = (currency, "earn", ISSUANCE, WALLET)
            moved[earned] = moved.get(earned, 0) + points
    fold.advance(until if settled_at is None else settled_at)
    take()
    settled = _standing(fold, moved)
    if settled_at is not None and until > settled_at:
        settled = Standing(dict(moved), settled.wallets, settled.tier, settled.settled_at)
        fold.advance(until)
        take()
    last = _standing(fold, moved)
    reached = _reached(timeline.at(until), tiers)
    return Played(settled, last, decisions, passed, spend, reached, waited, mechanics, rules.totals)


def _reached(plan: Plan | None, held: set[str]) -> list[str]:
    """The tiers up to the highest of those held; one that the ladder no longer has stays as it is."""
    levels = plan.levels if plan is not None else []
    highest = max((levels.index(tier) for tier in held if tier in levels), default=-1)
    return sorted({*held, *levels[: highest + 1]})


class Wishes(Struct):
    """What a member's history would draw on and bring about if every shared limit were whole.

    `uses`: (instant, source, id, limit, amount), in fold order; an amount below 0 is given back. `messages`: facts
    for other members. `limits`: every limit it may draw on -> the whole of it.
    """

    uses: list[tuple[int, str, str, str, int]] = []
    limits: dict[str, int] = {}
    messages: list[Message] = []


def wishes(timeline: Timeline, knowns: Sequence[Known], *, until: int) -> Wishes:
    """Plays a member's facts with every limit whole, for what they ask of others and of what all share."""
    found = Wishes()
    fold = Fold(timeline, keep_records=True)
    for known in in_fold_order(allotted(timeline, knowns, None)):
        found.limits.update(known.inputs.allotted)
        fold.decide(known)
    fold.advance(until)
    for decision in fold.decisions:
        uses = decision.freed.items() if decision.type == RETURN else decision.trace.budgets.items()
        sign = -1 if decision.type == RETURN else 1
        for key, amount in uses:
            if amount:
                found.uses.append((decision.at, decision.source, decision.id, key, sign * amount))
        found.messages += decision.messages
    return found


Shares = dict[tuple[str, str], dict[str, int]]
"""(source, id) -> what an activity may use of each shared limit."""


def allotted(timeline: Timeline, knowns: Sequence[Known], shares: Shares | None) -> list[Known]:
    """The facts with what each may use of shared limits: what `shares` says, or (None) the whole of each."""
    given = []
    for known in knowns:
        fact = known.fact
        plan = timeline.at(fact.at)
        if plan is None or not plan.shares or not (limits := plan.shared_limits(fact)):
            given.append(known)
            continue
        room = limits if shares is None else shares.get((fact.source, fact.id), {})
        given.append(Known(fact, msgspec.structs.replace(known.inputs, allotted=room), known.activity_id))
    return given


def share_out(wished: Sequence[Wishes]) -> list[Shares]:
    """What each history may use of the limits that all share, given in order of time, then of source and id."""
    events = sorted(
        (at, source, identifier, key, amount, number)
        for number, part in enumerate(wished)
        for at, source, identifier, key, amount in part.uses
    )
    left: dict[str, int] = {}
    for part in wished:
        left.update(part.limits)
    shares: list[Shares] = [{} for _ in wished]
    for _, source, identifier, key, amount, number in events:
        given = min(amount, left.get(key, 0))
        left[key] = left.get(key, 0) - given
        if given > 0:
            shares[number].setdefault((source, identifier), {})[key] = given
    return shares


def relayed(messages: Sequence[Message]) -> dict[str, list[Fact]]:
    """Facts by the member they are for, each once."""
    found: dict[str, dict[str, Fact]] = {}
    for message in messages:
        found.setdefault(message.member, {})[message.fact.id] = message.fact
    return {member: [facts[key] for key in sorted(facts)] for member, facts in sorted(found.items())}


def is_relayed(fact: Fact) -> bool:
    """Whether a fact was brought about by another member's activity under the program that judged it live."""
    return fact.source == MADE_SOURCE and fact.type in RELAYED_TYPES


class Carried(Struct, frozen=True):
    """What comes from other members: facts by the member they are for, and what may be used of shared limits."""

    facts: dict[str, list[Fact]] = {}
    shares: Shares = {}


def prepared(
    timeline: Timeline, member: str, knowns: Sequence[Known], carried: Carried | None
) -> Sequence[Known]:
    """A member's facts for a program that did not judge them live: those of other members are its own making.

    `carried` None: nothing of the program concerns several members.
    """
    if carried is None:
        return knowns
    own = [known for known in knowns if not is_relayed(known.fact)]
    own += [Known(fact) for fact in carried.facts.get(member, [])]
    return allotted(timeline, own, carried.shares)


def asked(
    timeline: Timeline,
    histories: Iterable[History],
    facts: dict[str, list[Fact]],
    *,
    until: int,
    cut: bool = False,
) -> Wishes:
    """What histories together draw on and bring about for others, given what others bring about for them."""
    found = Wishes()
    for history in ended(histories, until) if cut else histories:
        own = prepared(timeline, history.member, history.knowns, Carried(facts))
        part = wishes(timeline, own, until=until)
        found.uses += part.uses
        found.limits.update(part.limits)
        found.messages += part.messages
    return found


def ended(histories: Iterable[History], until: int) -> Iterator[History]:
    """Histories without what happened after an instant, those that have nothing before it left out.

    The ledger has what came later, and is nothing to compare them with.
    """
    for history in histories:
        knowns = [known for known in history.knowns if known.fact.at <= until]
        if knowns:
            yield History(history.member, knowns)


def judged_anew(known: Known, member: dict[str, str | int | bool]) -> Known:
    """A fact for another program to judge at its own instant, by what is known of the member.

    What was drawn for it and the zone it was told in stay. Without recorded bytes a stand-in is drawn from its
    id: over many activities the prizes come out at their odds, for one of them it says nothing.
    """
    fact, old = known.fact, known.inputs
    draw = old.draw or sha256(f"stand-in:{fact.source}:{fact.id}".encode()).hexdigest()
    inputs = Inputs(member={**member, **old.member}, segments=old.segments, zone=old.zone, draw=draw)
    return Known(fact, inputs, known.activity_id)


def _standing(fold: Fold, moved: Moved) -> Standing:
    state = fold.state
    wallets = {}
    for currency, wallet in state.wallets.items():
        held = sum(lot.held for lot in wallet.lots)
        pending = sum(entry.amount for entry in wallet.pending)
        wallets[currency] = (wallet.spendable + held, pending, held, wallet.debt)
    return Standing(moved, wallets, state.tier.key, max(state.latest, state.due_done))


def backtest(
    timeline: Timeline,
    histories: Iterable[History],
    *,
    until: int,
    threshold: Threshold | None = None,
    against: Timeline | None = None,
    cut: bool = False,
    exact: bool = False,
    looked: Looked | None = None,
    carried: Carried | None = None,
    carried_against: Carried | None = None,
    by_rule: bool = False,
) -> Totals:
    """Plays histories and adds them up.

    `cut` leaves out what happened after `until`. With `looked`, what members met is seen too; with `by_rule`, what
    rules brought.

    `carried` is what comes from other members (see `asked` and `share_out`), `carried_against` the same by the
    program compared with.

    Members are compared with their ledger, or with the same history played by `against`: `exact` compares
    everything to the last unit (`differences`); else what each would have earned (`changes`).
    """
    totals = Totals(seen=Seen() if looked is not None else None)
    for history in ended(histories, until) if cut else histories:
        settled_at = history.ledger.settled_at if history.ledger is not None and exact else None
        watch = None
        if looked is not None and totals.seen is not None:
            watch = Watch(totals.seen, looked, until)
        knowns = prepared(timeline, history.member, history.knowns, carried)
        played = play(
            timeline,
            knowns,
            until=until,
            settled_at=settled_at,
            threshold=threshold,
            watch=watch,
            by_rule=by_rule,
        )
        if watch is not None:
            watch.finish(played.end.tier)
        other = history.ledger
        if against is not None:
            knowns = prepared(against, history.member, history.knowns, carried_against)
            other = play(against, knowns, until=until).end
        _count(totals, history, played)
        if other is None:
            continue
        totals.compared += 1
        if exact:
            found = _differences(history.member, other, played.settled)
            if found:
                totals.differing += 1
                if len(totals.differences) < KEPT:
                    totals.differences += found
        else:
            _compare(totals, history.member, other, played.end)
    totals.waits.sort()
    if totals.seen is not None:
        totals.seen.waits.sort()
    totals.changes = _largest(totals.changes)
    return totals


def _count(totals: Totals, history: History, played: Played) -> None:
    totals.members += 1
    totals.activities += len(history.knowns) - played.passed_over
    totals.passed_over += played.passed_over
    totals.decisions += played.decisions
    totals.spend += played.spend
    totals.mechanics.merge(played.mechanics)
    merge_rules(totals.rules, played.rules)
    if played.waited >= 0:
        totals.waits.append(played.waited)
    tier = played.end.tier
    if tier:
        totals.tiers[tier] = totals.tiers.get(tier, 0) + 1
    for key in played.reached:
        if key:
            totals.reached[key] = totals.reached.get(key, 0) + 1
    for (currency, _, debit, credit), amount in played.end.moved.items():
        mine = totals.currencies.get(currency)
        if mine is None:
            mine = totals.currencies[currency] = CurrencyTotals()
        debit, credit = plain_account(debit), plain_account(credit)
        mine.issued += amount * (debit == ISSUANCE)
        mine.reversed += amount * (credit == ISSUANCE)
        mine.redeemed += amount * ((credit == REDEMPTION) - (debit == REDEMPTION))
        mine.expired += amount * ((credit == "breakage") - (debit == "breakage"))
        mine.adjusted += amount * ((debit == "adjustment") - (credit == "adjustment"))
        mine.received += amount * ((debit == "in_transit") - (credit == "in_transit"))
    for currency, (posted, pending, held, debt) in played.end.wallets.items():
        mine = totals.currencies.setdefault(currency, CurrencyTotals())
        mine.spendable += posted - held
        mine.pending += pending
        mine.held += held
        mine.debt += debt


def _differences(member: str, expected: Standing, found: Standing) -> list[Difference]:
    """Everything in which two standings differ; movements of nothing count as none."""
    differences = []
    for key in sorted(expected.moved.keys() | found.moved.keys()):
        before, after = expected.moved.get(key, 0), found.moved.get(key, 0)
        if before != after:
            currency, kind, debit, credit = key
            what = f"{currency} {kind} {debit} to {credit}"
            differences.append(Difference(member, what, str(before), str(after)))
    nothing = (0, 0, 0, 0)
    for currency in sorted(expected.wallets.keys() | found.wallets.keys()):
        pairs = zip(
            ("posted", "pending", "held", "debt"),
            expected.wallets.get(currency, nothing),
            found.wallets.get(currency, nothing),
            strict=True,
        )
        differences += [
            Difference(member, f"{currency} {name}", str(before), str(after))
            for name, before, after in pairs
            if before != after
        ]
    if expected.tier != found.tier:
        differences.append(Difference(member, "tier", expected.tier, found.tier))
    return differences


def _compare(totals: Totals, member: str, other: Standing, mine: Standing) -> None:
    currencies = {key[0] for key in other.moved} | {key[0] for key in mine.moved}
    changes = [Change(member, key, mine.earned(key) - other.earned(key)) for key in sorted(currencies)]
    changes = [change for change in changes if change.points]
    if changes:
        totals.differing += 1
        totals.better += any(change.points > 0 for change in changes)
        totals.worse += any(change.points < 0 for change in changes)
        totals.changes += changes
        if len(totals.changes) > 20 * KEPT:
            totals.changes = _largest(totals.changes)


def _largest(changes: list[Change]) -> list[Change]:
    return sorted(changes, key=lambda item: (-abs(item.points), item.member, item.currency))[:KEPT]


def percentile(waits: Sequence[int], percent: int) -> int | None:
    """The least of sorted values that at least `percent` of them do not exceed (nearest rank)."""
    if not waits:
        return None
    return waits[max(0, -(-len(waits) * percent // 100) - 1)]


__all__ = [
    "Carried",
    "Change",
    "CurrencyTotals",
    "Difference",
    "History",
    "Moved",
    "Played",
    "Standing",
    "Threshold",
    "Totals",
    "Wishes",
    "asked",
    "backtest",
    "percentile",
    "play",
]
