"""A member's whole history: folding it anew, judging what came too late, and what a new fold changes.

A late activity, a return of long ago or a repaired rule all come down to the same thing: fold the known facts
again in their order, compare with what was posted, and post the difference as corrections.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from msgspec import Struct

from palier.engine.decide import Fold
from palier.engine.decisions import Decision, Inherited, Position, Transfer, behind, key_of
from palier.engine.facts import COMMANDS, NO_INPUTS, RETURN, Fact, Inputs, Judgement, Known
from palier.engine.goals import day_room
from palier.engine.plan import PERIODS, Timeline
from palier.engine.rating import recorded
from palier.engine.refusals import Refusal
from palier.engine.state import MemberState
from palier.engine.trace import Trace


def in_fold_order(knowns: Iterable[Known]) -> list[Known]:
    """The facts in the order in which they act: by (instant, rank, source, id), a return behind its sale.

    A merge that was undone is left out: it never was.
    """
    knowns = list(knowns)
    undone = {
        (known.fact.merge.source, known.fact.merge.id) for known in knowns if known.fact.merge is not None
    }
    if undone:
        knowns = [known for known in knowns if (known.fact.source, known.fact.id) not in undone]
    if _ordered(knowns):
        return knowns
    own: dict[str, Position] = {}
    returns = []
    placed: list[tuple[Position, Known]] = []
    for known in knowns:
        fact = known.fact
        at = known.inputs.acts_at or fact.at
        position: Position = (at, 1 if fact.type in COMMANDS else 0, fact.source, fact.id)
        if fact.type == RETURN:
            returns.append((position, known))
        else:
            own[key_of(fact.source, fact.id)] = position
            placed.append((position, known))
    for position, known in returns:
        sale = known.fact.sale
        assert sale is not None
        anchor = own.get(key_of(sale.source, sale.id))
        if anchor is not None:
            position = behind(anchor, position)
        placed.append((position, known))
    placed.sort(key=lambda item: item[0])
    return [known for _, known in placed]


def _ordered(knowns: Sequence[Known]) -> bool:
    """Whether each fact acts after the one before it, and no return is of a sale after it."""
    last = -1
    named: set[tuple[str, str]] = set()
    for known in knowns:
        fact = known.fact
        at = known.inputs.acts_at or fact.at
        if at <= last:
            return False
        last = at
        if fact.type == RETURN:
            if fact.sale is not None:
                named.add((fact.sale.source, fact.sale.id))
        elif named and (fact.source, fact.id) in named:
            return False
    return True


def fold(
    timeline: Timeline,
    knowns: Iterable[Known],
    *,
    until: int | None = None,
    inherited: Mapping[str, Inherited] | None = None,
) -> Fold:
    """The fold of a member's facts from the beginning; facts after `until` are left out.

    `inherited`: what members that were merged into this one leave for later returns, by `key_of` the merge.

    A fact that can no longer be decided (its program version was withdrawn, say) is passed over: it keeps
    its place in the history and moves nothing.
    """
    result = Fold(timeline, keep_records=True)
    result.inherited = inherited or {}
    for known in in_fold_order(knowns):
        if until is not None and (known.inputs.acts_at or known.fact.at) > until:
            break
        result.decide(known)
    return result


def judge_late(
    timeline: Timeline,
    knowns: Iterable[Known],
    fact: Fact,
    acts_at: int,
    inputs: Inputs,
    inherited: Mapping[str, Inherited] | None = None,
) -> Inputs:
    """What is recorded with an activity that comes beyond the late window.

    It acts at `acts_at`, after all that was decided, but is judged as of its own instant: by the version, the
    tier, the memberships, the room under caps, the carried remainder and the ordinals that it would have met
    then. Room taken by other activities of earlier instants that came too late counts as taken, and they count
    for the ordinals.
    """
    knowns = list(knowns)
    earlier = [known for known in knowns if known.fact.type == RETURN or not known.inputs.judgement]
    own = (fact.at, 0, fact.source, fact.id)
    before = Fold(timeline, keep_records=True)
    before.inherited = inherited or {}
    for known in in_fold_order(earlier):
        if before.position(known.fact, known.inputs)[:4] > own:
            break
        sale = known.fact.sale
        if (
            known.fact.type == RETURN
            and sale is not None
            and key_of(sale.source, sale.id) not in before.sales
        ):
            continue
        before.decide(known)
    before.advance(fact.at)
    plan = timeline.at(fact.at)
    if plan is None:
        return inputs
    apart = [known for known in knowns if known.inputs.judgement is not None and known.fact.at <= fact.at]
    if apart:
        decisions = fold(timeline, knowns, inherited=inherited).decisions
        traces = {key_of(decision.source, decision.id): decision.trace for decision in decisions}
        for known in sorted(apart, key=lambda known: known.fact.at):
            trace = traces.get(key_of(known.fact.source, known.fact.id))
            if trace is not None:
                before.take_room(known.fact, trace)
    state = before.state
    rules = plan.activities.get(fact.type)
    day, _ = plan.clock.local(fact.at)
    rooms: dict[str, int] = {}
    carry: dict[str, tuple[int, int]] = {}
    nth: dict[str, int] = {}
    if rules is not None:
        rooms = before.rooms_at(plan, rules, day)
        carry = before.carried_by(rules)
        for window in rules.nth:
            counter = state.nth.get(f"{fact.type}:{window}")
            number = before.period_at(plan, PERIODS[window], day)
            nth[window] = (counter[1] if counter is not None and counter[0] == number else 0) + 1
        for goal in rules.goals:
            if goal.most_per_day >= 0:
                rooms[day_room(goal)] = before.goal_room(goal, day)
        for name in rules.counts_of:
            counter = state.nth.get(name)
            number = before.period_at(plan, PERIODS[name.rpartition(":")[2]], day)
            nth[name] = counter[1] if counter is not None and counter[0] == number else 0
    held = tuple(sorted(key for key, until in state.memberships.items() if until > fact.at))
    judgement = Judgement(plan.version, state.tier.key or plan.levels[0], rooms, carry, nth, held)
    return msgspec.structs.replace(inputs, acts_at=acts_at, judgement=judgement)


def inputs_of_late(
    timeline: Timeline,
    knowns: Iterable[Known],
    fact: Fact,
    state: MemberState,
    inputs: Inputs,
    inherited: Mapping[str, Inherited] | None = None,
) -> Inputs:
    """What is recorded with an activity that comes late: within the program's late window, what it is anyway.

    Beyond it, it acts after all that was decided. One that names a sale acts on it as it stands; any other is
    judged as of its own instant (see `judge_late`).
    """
    plan = timeline.at(fact.at)
    if plan is None or plan.clock.add_days(fact.at, plan.late_window) >= state.latest:
        return inputs
    # After all that was decided: at the instant of the last activity, its id would say which acts first.
    acts_at = max(state.latest + 1, state.due_done)
    if fact.type == RETURN:
        return msgspec.structs.replace(inputs, acts_at=acts_at)
    return judge_late(timeline, knowns, fact, acts_at, inputs, inherited)


class Posted(Struct, frozen=True):
    """What stands in the ledger of one decision: its activity, and its transfers not yet corrected."""

    activity_id: int
    source: str
    id: str
    type: str
    transfers: tuple[tuple[int, Transfer], ...]
    trace: Trace | None = None


class Correction(Struct, frozen=True):
    """What must be posted so that one decision stands as the new fold has it.

    `decision` is None when the new fold does not have it at all. `undo` names the transfers to reverse, `post`
    the ones to add. `activity_id` is 0 for a decision that was never posted. `allotted` replaces what the activity
    may use of the limits that all members share; None: nothing of it was or is used.
    """

    activity_id: int
    decision: Decision | None
    undo: tuple[tuple[int, Transfer], ...]
    post: tuple[Transfer, ...]
    allotted: dict[str, int] | None = None


def differences(posted: Sequence[Posted], decisions: Sequence[Decision]) -> list[Correction]:
    """The corrections that turn what is posted into the new decisions, in the order of the new fold.

    Transfers that are the same in both stay. A decision whose transfers stay but whose trace changed (another
    limit, another tier) is corrected too, so that its explanation is true.
    """
    standing = {key_of(item.source, item.id): item for item in posted}
    corrections: list[Correction] = []
    seen = set()
    for decision in decisions:
        key = key_of(decision.source, decision.id)
        seen.add(key)
        old = standing.get(key)
        if old is None:
            corrections.append(Correction(0, decision, (), tuple(decision.transfers)))
            continue
        wanted = Counter(decision.transfers)
        undo = []
        for row in old.transfers:
            if wanted[row[1]] > 0:
                wanted[row[1]] -= 1
            else:
                undo.append(row)
        post = []
        for transfer in decision.transfers:
            if wanted[transfer] > 0:
                wanted[transfer] -= 1
                post.append(transfer)
        if undo or post or (old.trace is not None and old.trace != decision.trace):
            corrections.append(
                Correction(
                    old.activity_id, decision, tuple(undo), tuple(post), _allotted(old.trace, decision)
                )
            )
    for key, old in standing.items():
        if key not in seen and old.transfers:
            corrections.append(Correction(old.activity_id, None, old.transfers, ()))
    return corrections


def _allotted(before: Trace | None, decision: Decision) -> dict[str, int] | None:
    """What a corrected activity may use from now on of shared limits: what it uses now, as the rest is free."""
    if decision.type == RETURN or before is None:
        return None
    now = recorded(decision.trace)
    return now if now or recorded(before) else None


def shared_uses(decisions: Iterable[Decision]) -> Counter[str]:
    """What decisions of a member use of the limits that all share, less what his returns gave back."""
    used: Counter[str] = Counter()
    for decision in decisions:
        if decision.type == RETURN:
            used.subtract(decision.freed)
        else:
            used.update(decision.trace.budgets)
    return used


def shared_uses_posted(posted: Sequence[Posted], knowns: Iterable[Known]) -> dict[str, dict[str, int]]:
    """What each activity of a member uses of the limits that all share by what stands in the ledger, by `key_of`.

    The last return of an activity tells what is left of its use.
    """
    traces = {key_of(item.source, item.id): item.trace for item in posted}
    left: dict[str, dict[str, int]] = {}
    for known in in_fold_order(knowns):
        fact = known.fact
        own = key_of(fact.source, fact.id)
        trace = traces.get(own)
        if trace is not None:
            sale = fact.sale if fact.type == RETURN else None
            left[key_of(sale.source, sale.id) if sale is not None else own] = trace.budgets
    return left


def points_of(decisions: Iterable[Decision | Refusal]) -> dict[str, int]:
    """Points earned by currency over decisions (before any return): what their rules brought."""
    earned: dict[str, int] = {}
    for decision in decisions:
        if isinstance(decision, Decision):
            for item in decision.trace.rules:
                earned[item.currency] = earned.get(item.currency, 0) + item.earned
    return earned


__all__ = [
    "NO_INPUTS",
    "Correction",
    "Posted",
    "differences",
    "fold",
    "in_fold_order",
    "inputs_of_late",
    "judge_late",
    "points_of",
    "shared_uses",
    "shared_uses_posted",
]
