"""Stories played through the real intake on a database, beside the same on the engine alone.

The grammar is palier.engine.story's, and so is the comparison; here stands the stage on which a line goes through
the batch and the operations, and is read back from the queries. In the documentation, lines `setting: value`
before `---` change the example program.
"""

from __future__ import annotations

import copy
from hashlib import sha256
from typing import Any
from unittest import mock

import msgspec
from msgspec.structs import replace

from palier.activities import batch, delivery, due, occasions, operations, queries, wire
from palier.activities.answers import Result, body
from palier.activities.runtime import Runtime, runtime
from palier.activities.stories import read_activity
from palier.activities.wire import Read
from palier.engine.facts import Reference, encode_fact
from palier.engine.instants import ends_at
from palier.engine.plan import Plan
from palier.engine.program import Program
from palier.engine.refusals import Refusal, RefusalCode
from palier.engine.rehearsal import Rehearsal, dividend, draw, facts_made, marks, won
from palier.engine.sentences import sentence
from palier.engine.state import decode_state
from palier.engine.story import BEGINNING, SOURCE, Answer, Command, Made, Outcome, Purse, Standing, play
from palier.engine.trace import Trace
from palier.members import refs
from palier.members.operations import NewMember, enrol, set_attributes
from palier.programs.operations import publish
from palier.programs.source import read_yaml
from tests.activities.program import Connection


class Example:
    """The example program of the documentation, as the settings of a story change it."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = copy.deepcopy(document)

    def change(self, text: str) -> Program:
        """The program with the settings of the text (YAML)."""
        for name, change in (read_yaml(text.encode()).data if text else {}).items():
            self.set(name, change)
        return msgspec.convert(self.document, Program)

    def set(self, name: str, change: Any) -> None:
        if name == "points":
            self.document["point_currencies"][0].update(change)
        elif name == "rule":
            rule = self.document["rules"][0]
            if {"fixed", "per_unit", "multiply"} & change.keys():
                rule.pop("per_spend")
            rule.update(change)
        elif name == "rules":
            for number, rule in enumerate(change):
                named = {"key": f"rule{number}", "name": {"en": "Rule", "fr": "Règle"}, "on": "sale"}
                self.document["rules"].append({**named, "currency": "stars", **rule})
        elif name == "tiers":
            steps = [
                {"key": key, "name": {"en": key, "fr": key}, **({"qualify": qualify} if qualify else {})}
                for key, qualify in change.pop("steps").items()
            ]
            self.document["tiers"] = {"tiers": steps, **change}
        else:
            self.document[name] = change


class Played:
    """A story of the documentation, played on the database and in memory."""

    def __init__(self, connection: Connection, document: dict[str, Any], number: int) -> None:
        self.connection = connection
        self.document = {**document, "key": f"story{number}"}

    def play(self, text: str, language: str = "en") -> list[Outcome]:
        """Plays it twice; fails where a line does not come out as it says. The outcomes on the database."""
        head, _, lines = text.rpartition("---\n")
        outcomes = []
        for in_memory in (True, False):
            example = Example(self.document)
            program = example.change(head)
            stage = (
                Rehearsal(program, read_activity, example.change)
                if in_memory
                else DatabaseStage(self.connection, program, example)
            )
            outcomes = play(lines, stage, language)
            wrong = [str(outcome) for outcome in outcomes if not outcome.ok]
            assert not wrong, "\n".join([f"in {'memory' if in_memory else 'the database'}:", *wrong])
        return outcomes


class DatabaseStage:
    """A stage (see palier.engine.story.Stage) on a database: what a running platform does."""

    def __init__(self, connection: Connection, program: Program, example: Example | None = None) -> None:
        self.connection = connection
        self.key = program.key
        self.example = example
        self.members: dict[str, int] = {}
        self._publish(program, BEGINNING)

    @property
    def runtime(self) -> Runtime:
        found = runtime(self.connection, self.key)
        assert found is not None
        return found

    @property
    def plan(self) -> Plan:
        return self.runtime.latest

    def enrol(self, members: Any) -> None:
        new = [NewMember({"card": f"{self.key}-{name}"}) for name in members]
        for name, found in zip(
            members, enrol(self.connection, self.runtime.program_id, new, now=BEGINNING), strict=True
        ):
            self.members[name] = found.member_id
        self.connection.commit()

    def publish(self, text: str, now: int) -> None:
        assert self.example is not None
        self._publish(self.example.change(text), now)

    def _publish(self, program: Program, now: int) -> None:
        publish(self.connection, program, now=now, published_by="story")
        self.connection.commit()

    # --- what happens ---------------------------------------------------------------------------------

    def made(self, member: str, made: Made, now: int) -> Answer | None:
        if made.known:
            self.know(member, made)
        if made.kind == "is":
            return None
        answer = self._made(member, made, now)
        self.deliver(now)
        return answer

    def know(self, member: str, made: Made) -> None:
        """What becomes known of a member: his attributes, and his time zone."""
        row = self.connection.execute(
            "select attributes from member where member_id = %s", (self.members[member],)
        ).fetchone()
        assert row is not None
        given = {name: value for name, value in made.known.items() if name != "zone"}
        attributes = {**row[0], **operations.member_attributes(self.runtime, given)}
        set_attributes(self.connection, self.runtime.program_id, self.members[member], attributes)
        if "zone" in made.known:
            self.connection.execute(
                "update member set time_zone = %s where member_id = %s",
                (made.known["zone"], self.members[member]),
            )
        self.connection.commit()

    def _made(self, member: str, made: Made, now: int) -> Answer | None:
        identifier = self.members[member]
        other = self.members.get(made.other, 0)
        if made.kind == "joins":
            joined = occasions.Joined(identifier, now, other)
            results = occasions.join(self.connection, self.runtime, [joined], now=now)
            self.connection.commit()
            return self.answered(results[0]) if results else Answer("applied")
        if made.kind in ("birthday", "anniversary"):
            day = self.plan.clock.local(now)[0]
            occasions.keep(self.connection, self.runtime, day, now=now)
            return None
        if made.kind == "dividend":
            row = self.connection.execute(
                "select state from progress where member_id = %s", (identifier,)
            ).fetchone()
            assert row is not None
            fact = dividend(self.plan, decode_state(row[0]), made.subject, made.year, made.rate)
            self.connection.rollback()
            if fact is None:
                return Answer("applied")
            item = batch.command_item(0, replace(fact, id=f"{fact.id}:{member}"), identifier)
            return self.answered(
                batch.attempt(
                    self.connection,
                    lambda: batch.command(self.connection, self.runtime, [item], now=now)[0],
                )
            )
        facts = facts_made(self.plan, made, now, member)
        reads = []
        for _, fact in facts:
            own = replace(fact, other_member=refs.encode(self.members[fact.other_member]))
            payload = encode_fact(own)
            reads.append(Read(own, None, payload, sha256(payload).digest()))
        owners = [self.members[name] for name, _ in facts]
        results = batch.apply_within(self.connection, self.runtime, reads, now=now, known_members=owners)
        self.connection.commit()
        return self.answered(results[0])

    def deliver(self, now: int) -> None:
        """What the worker does between two lines: facts reach the members whom they concern."""
        while delivery.deliver(self.connection, self.runtime, now=now):
            pass

    def send(self, member: str, activity: dict[str, Any], now: int, drawing: str) -> Answer:
        read = wire.from_mapping({**activity, "member": {"card": f"{self.key}-{member}"}})
        timeline = self.runtime.timeline
        line = read if isinstance(read, Refusal) else wire.to_fact(read, timeline, self.key, now=now)
        drawn = ""
        if drawing and isinstance(line, Read):
            drawn = draw(self.plan, line.fact, drawing)
        with mock.patch.object(batch.draws, "drawn", return_value=drawn):
            (answer,) = batch.apply(self.connection, self.runtime, [line], now=now)
        self.deliver(now)
        return self.answered(answer)

    def answered(self, result: Result) -> Answer:
        if result.refusal is not None and result.status == "refused":
            return Answer("refused", result.refusal.code.value, result.refusal.message)
        earned: dict[str, int] = {}
        for item in result.trace.rules if result.trace is not None else []:
            earned[item.currency] = earned.get(item.currency, 0) + item.earned
        trace = result.trace or Trace(0)
        warning = "warning" in body(result, self.plan)
        return Answer(
            result.status, earned=earned, warning=warning, won=won(self.plan, trace), score=trace.score
        )

    def command(self, member: str, command: Command, now: int) -> Answer:
        try:
            return self.answered(batch.attempt(self.connection, lambda: self._command(member, command, now)))
        except operations.NotDone as refused:
            return Answer("refused", refused.refusal.code.value, refused.refusal.message)

    def _command(self, member: str, command: Command, now: int) -> Result:
        verb = command.verb
        common: dict[str, Any] = {"source": SOURCE, "id": command.id, "now": now}
        if verb in ("capture", "release", "refund"):
            held = self.held(
                member,
                command.hold,
                RefusalCode.UNKNOWN_HOLD if verb != "refund" else RefusalCode.UNKNOWN_REDEMPTION,
            )
            if verb == "release":
                return operations.release(self.connection, self.runtime, held, **common)
            points = None
            if command.points:
                points = operations.points_minor(self.runtime, held.currency, command.points)
            closing = operations.refund if verb == "refund" else operations.capture
            return closing(self.connection, self.runtime, held, points=points, **common)
        if verb == "grant_tier":
            until = ends_at(command.until, self.plan.clock)
            common |= {"member_id": self.members[member], "tier": command.tier, "until": until}
            return operations.grant_tier(self.connection, self.runtime, **common)
        if verb == "revoke_tier":
            common |= {"member_id": self.members[member], "given": Reference(SOURCE, command.hold)}
            return operations.revoke_tier(self.connection, self.runtime, **common)
        if verb == "leave":
            leaving = self.members[member]
            return operations.leave(self.connection, self.runtime, member_id=leaving, reason="", now=now)
        points = operations.points_minor(
            self.runtime, command.currency, command.points.lstrip("+"), signed=verb == "adjust"
        )
        common |= {"currency": command.currency, "points": points}
        if verb == "transfer":
            ids = {"sender_id": self.members[member], "receiver_id": self.members[command.other]}
            return operations.transfer(self.connection, self.runtime, **ids, **common)
        common["member_id"] = self.members[member]
        if verb in ("redeem", "hold"):
            common["partner"] = command.partner
        if verb == "redeem":
            return operations.redeem(self.connection, self.runtime, **common)
        if verb == "hold":
            return operations.hold(self.connection, self.runtime, minutes=command.minutes, **common)
        return operations.adjust(self.connection, self.runtime, reason=command.reason, actor="desk", **common)

    def held(self, member: str, identifier: str, unknown: RefusalCode) -> queries.Redemption:
        row = self.connection.execute(
            "select activity_id from activity where member_id = %s and source = %s and external_id = %s",
            (self.members[member], SOURCE, identifier),
        ).fetchone()
        found = None
        if row is not None:
            found = queries.redemption(
                self.connection, self.runtime.program_id, self.members[member], row[0], now=BEGINNING
            )
        if found is None:
            raise operations.NotDone(Refusal(unknown, sentence("the redemption is not known")))
        return found

    # --- what is read back ----------------------------------------------------------------------------

    def standing(
        self, member: str, now: int, *, as_of: int | None = None, known_at: int | None = None
    ) -> Standing:
        identifier = self.members[member]
        expired: dict[str, int] = {}
        if as_of is None and known_at is None:
            due.advance(self.connection, self.runtime, [identifier], now, now=now)
            rows = self.connection.execute(
                "select currency, sum(expired) from lot where member_id = %s group by 1", (identifier,)
            ).fetchall()
            expired = {currency: int(points) for currency, points in rows}
        found = queries.wallets(
            self.connection, self.runtime, identifier, as_of=as_of, known_at=known_at, now=now
        )
        standing = queries.standing(self.connection, self.runtime, identifier, now=now)
        row = self.connection.execute(
            "select state from progress where member_id = %s", (identifier,)
        ).fetchone()
        self.connection.rollback()
        assert row is not None
        state = decode_state(row[0])
        assert found is not None
        assert standing is not None
        purses = {
            key: Purse(
                wallet.spendable,
                wallet.pending,
                wallet.held,
                wallet.debt,
                expired.get(key, 0),
                tuple((lot.expires_at, lot.spendable) for lot in wallet.lots if lot.spendable),
                tuple((entry.release_at, entry.points) for entry in wallet.waiting),
            )
            for key, wallet in found.wallets.items()
        }
        at = max(now, state.latest, state.due_done)
        return Standing(purses, standing.tier, marks(self.plan, state, at))


__all__ = ["DatabaseStage", "Example", "Played"]
