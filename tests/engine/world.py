"""Several members of one program, what they share and what they tell each other, all in memory.

Shared limits are given and taken as the intake does under its locks: what is left when an activity is first
decided is allotted, what it used is recorded with it, and what a return frees is free for others.
"""

from __future__ import annotations

from palier.engine.decide import Fold
from palier.engine.decisions import Decision, Message, key_of
from palier.engine.facts import Fact, Inputs, Known
from palier.engine.history import fold
from palier.engine.plan import Plan, Timeline
from palier.engine.program import Program
from palier.engine.rating import recorded
from palier.engine.refusals import Refusal
from palier.engine.state import NEVER, encode_state
from palier.engine.trace import encode_trace


class World:
    """Members by name, each with his facts so far, as they were recorded."""

    def __init__(self, program: Program) -> None:
        self.plan = Plan(program, 1)
        self.line = Timeline([(0, NEVER, self.plan)])
        self.members: dict[str, Fold] = {}
        self.recorded: dict[str, list[Known]] = {}
        self.used: dict[str, int] = {}
        self.limits: dict[str, int] = {}
        self.queue: list[Message] = []

    def member(self, name: str) -> Fold:
        if name not in self.members:
            self.members[name] = Fold(self.line, keep_records=True)
            self.recorded[name] = []
        return self.members[name]

    def rooms(self, fact: Fact) -> dict[str, int]:
        limits = self.plan.shared_limits(fact)
        self.limits.update(limits)
        return {key: limit - self.used.get(key, 0) for key, limit in limits.items()}

    def tell(self, name: str, fact: Fact, inputs: Inputs, *, live: bool = False) -> Decision | Refusal:
        """One fact of one member, later than all of his; what it tells others waits in the queue."""
        engine = self.member(name)
        rooms = self.rooms(fact)
        assert all(room >= 0 for room in rooms.values())
        given = Inputs(inputs.acts_at, None, inputs.member, inputs.segments, inputs.zone, inputs.draw, rooms)
        answer = engine.decide(Known(fact, given), live=live)
        if isinstance(answer, Refusal):
            return answer
        for key, amount in answer.trace.budgets.items() if fact.sale is None else ():
            self.used[key] = self.used.get(key, 0) + amount
        for key, amount in answer.freed.items():
            self.used[key] -= amount
        budgets = recorded(answer.trace) if fact.sale is None else {}
        kept = Inputs(inputs.acts_at, None, inputs.member, inputs.segments, inputs.zone, inputs.draw, budgets)
        self.recorded[name].append(Known(fact, kept))
        self.queue += answer.messages
        return answer

    def deliver(self) -> None:
        """Gives each waiting fact to its member; one that came late has his history folded anew."""
        while self.queue:
            message = self.queue.pop(0)
            engine = self.member(message.member)
            known = Known(message.fact)
            self.recorded[message.member].append(known)
            if engine.in_order(engine.position(message.fact)):
                answer = engine.decide(known)
                assert isinstance(answer, Decision)
                self.queue += answer.messages
            else:
                self.members[message.member] = self.folded(message.member)

    def folded(self, name: str) -> Fold:
        return fold(self.line, self.recorded[name])

    def replayed_otherwise(self, name: str) -> list[object]:
        """Where what was recorded of a member does not give the same decisions and state again, to the byte."""
        again, engine = self.folded(name), self.members[name]
        until = max(engine.state.due_done, again.state.due_done)
        for each in (again, engine):
            each.advance(until)
        ours = {key_of(item.source, item.id): encode_trace(item.trace) for item in engine.decisions}
        theirs = {key_of(item.source, item.id): encode_trace(item.trace) for item in again.decisions}
        found: list[object] = [
            (ours.get(key), theirs.get(key))
            for key in ours.keys() | theirs.keys()
            if ours.get(key) != theirs.get(key)
        ]
        if encode_state(engine.state) != encode_state(again.state):
            found.append((engine.state, again.state))
        return found
