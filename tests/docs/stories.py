"""Worked examples of the documentation, played through the real intake on a database.

A story is a fenced block named `story`. Lines `setting: value` before `---` change the example program; then
each line is one thing that happens, in the order in which the platform hears of it:

    2026-03-01 10:00  sale s1 42.90                     -> spendable 42

Times are local to the program's zone (an offset after the time settles the doubled hour). The server's clock
stands at the latest time told so far, so a line with an earlier time is one that arrives late. What follows
`->` is read back after the line: spendable, pending, held, owed, expired and tier of member A (`B 30` is
what member B can spend), what the decision `earned`, or how the line was answered: `refused CODE`,
`duplicate`, `parked`, `warning`.
"""

from __future__ import annotations

import copy
import re
from datetime import UTC, datetime
from typing import Any

import msgspec

from palier.activities import batch, due, operations, queries, wire
from palier.activities.answers import Result, body
from palier.activities.runtime import Runtime, runtime
from palier.engine.clock import instant
from palier.engine.program import Program
from palier.engine.refusals import Refusal
from palier.members.operations import NewMember, enrol
from palier.programs.operations import publish
from palier.programs.source import read_yaml
from tests.activities.program import BEGINNING, Connection

_LINE = re.compile(
    r"^(?P<at>\d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d)?(?:[+-]\d\d:\d\d)?)\s+(?P<what>.*?)\s+->\s+(?P<then>.*)$"
)


# A story in French says the same with these words, and a decimal comma.
FRENCH = {
    "achat": "sale", "retour": "return", "visite": "visit", "de": "of", "entier": "whole", "ligne": "line",
    "utiliser": "redeem", "réserver": "hold", "encaisser": "capture", "libérer": "release", "plus-tard": "look",
    "ajuster": "adjust", "donner": "transfer", "à": "to", "disponible": "spendable", "attente": "pending",
    "réservé": "held", "dû": "owed", "expiré": "expired", "niveau": "tier", "gagné": "earned",
    "refusé": "refused", "doublon": "duplicate", "parqué": "parked",
}  # fmt: skip


def in_english(text: str) -> str:
    """A French story in the words that are played; its settings stay."""
    head, mark, lines = text.rpartition("---\n")
    lines = re.sub(r"(?<=\d),(?=\d\d\b)", ".", lines)
    words = re.split(r"(\s+|(?<=\w),)", lines)
    return head + mark + "".join(FRENCH.get(word, word) for word in words)


class Story:
    """One story: its program, its members A and B, and what is known so far."""

    def __init__(self, connection: Connection, document: dict[str, Any], number: int) -> None:
        self.connection = connection
        self.document = {**copy.deepcopy(document), "key": f"story{number}"}
        self.card = f"story{number}"
        self.now = 0
        self.answer: Result | Refusal | None = None
        self.members: dict[str, int] = {}

    def play(self, text: str) -> int:
        """Plays a story and checks what it says; the number of lines played."""
        head, _, lines = text.rpartition("---\n")
        for name, change in (read_yaml(head.encode()).data if head else {}).items():
            self.set(name, change)
        self.publish(BEGINNING)
        for name in "AB":
            found = enrol(
                self.connection,
                self.runtime.program_id,
                [NewMember({"card": self.card + name})],
                now=BEGINNING,
            )
            self.members[name] = found[0].member_id
        self.connection.commit()
        played = 0
        for line in filter(str.strip, lines.splitlines()):
            found_line = _LINE.match(line)
            assert found_line is not None, f"not a line of a story: {line!r}"
            self.happen(found_line["at"], found_line["what"].split())
            for expected in found_line["then"].split(","):
                told = self.told(expected.split())
                assert told == expected.strip(), f"{line}\n  expected {expected.strip()!r}, found {told!r}"
            played += 1
        return played

    # --- the program ----------------------------------------------------------------------------------

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

    def publish(self, at: int) -> None:
        document = msgspec.convert(self.document, Program)
        publish(self.connection, document, now=at, published_by="story")
        self.connection.commit()

    @property
    def runtime(self) -> Runtime:
        found = runtime(self.connection, self.document["key"])
        assert found is not None
        return found

    # --- what happens ---------------------------------------------------------------------------------

    def at(self, text: str) -> int:
        moment = datetime.fromisoformat(text)
        zone = self.runtime.latest.clock.zone
        return instant(moment if moment.tzinfo is not None else moment.replace(tzinfo=zone))

    def happen(self, when: str, words: list[str]) -> None:
        at = self.at(when)
        self.now = max(self.now, at)
        verb, *rest = words
        if verb == "publish":
            for name, change in read_yaml(" ".join(rest).encode()).data.items():
                self.set(name, change)
            self.publish(at)
        elif verb in ("redeem", "hold", "capture", "release", "adjust", "transfer"):
            self.answer = self.command(verb, rest)
        elif verb != "look":
            self.send(verb, rest, at)

    def send(self, kind: str, words: list[str], at: int) -> None:
        identifier, *rest = words
        activity: dict[str, Any] = {
            "source": "till",
            "id": identifier,
            "type": kind,
            "occurred_at": datetime.fromtimestamp(at / 1e6, self.runtime.latest.clock.zone).isoformat(),
            "member": {"card": self.card + "A"},
        }
        while rest:
            word = rest.pop(0)
            if word == "of":
                activity["sale"] = {"source": "till", "id": rest.pop(0)}
            elif word == "whole":
                activity["whole"] = True
            elif word == "line":
                activity.setdefault("returned", []).append({"line": int(rest.pop(0)), "amount": rest.pop(0)})
            elif word.startswith("lines="):
                activity["lines"] = [_line(item) for item in word.removeprefix("lines=").split("+")]
            elif word.startswith("paid="):
                activity["tenders"] = [_tender(item) for item in word.removeprefix("paid=").split("+")]
            elif word.startswith("dated="):
                moment = self.at(word.removeprefix("dated="))
                activity["occurred_at"] = datetime.fromtimestamp(moment / 1e6, UTC).isoformat()
            elif "=" in word:
                name, _, value = word.partition("=")
                activity[name] = value
            else:
                activity["amount"] = word
        read = wire.from_mapping(activity)
        line = read if isinstance(read, Refusal) else self.read(read)
        (self.answer,) = batch.apply(self.connection, self.runtime, [line], now=self.now)

    def read(self, activity: wire.WireActivity) -> wire.Read | Refusal:
        found = self.runtime
        return wire.to_fact(activity, found.timeline, found.key, now=self.now)

    def command(self, verb: str, words: list[str]) -> Result | Refusal:
        identifier, *rest = words
        common: dict[str, Any] = {"source": "till", "id": identifier, "now": self.now}
        if verb in ("redeem", "hold", "adjust"):
            common |= {"member_id": self.members["A"], "currency": "stars"}

        def act() -> Result:
            if verb == "redeem":
                return operations.redeem(self.connection, self.runtime, points=int(rest[0]), **common)
            if verb == "hold":
                minutes = int(rest[2]) if len(rest) > 1 else None
                return operations.hold(
                    self.connection, self.runtime, points=int(rest[0]), minutes=minutes, **common
                )
            if verb == "adjust":
                return operations.adjust(
                    self.connection, self.runtime, points=int(rest[0]), reason=rest[1], actor="desk", **common
                )
            if verb == "transfer":
                return operations.transfer(
                    self.connection,
                    self.runtime,
                    sender_id=self.members["A"],
                    receiver_id=self.members[rest[2]],
                    currency="stars",
                    points=int(rest[0]),
                    **common,
                )
            held = self.held(rest[1])
            if verb == "release":
                return operations.release(self.connection, self.runtime, held, **common)
            points = int(rest[2]) if len(rest) > 2 else None
            return operations.capture(self.connection, self.runtime, held, points=points, **common)

        try:
            return batch.attempt(self.connection, act)
        except operations.NotDone as refused:
            return refused.refusal

    def held(self, identifier: str) -> queries.Redemption:
        row = self.connection.execute(
            "select activity_id from activity where member_id = %s and source = 'till' and external_id = %s",
            (self.members["A"], identifier),
        ).fetchone()
        assert row is not None
        found = queries.redemption(
            self.connection, self.runtime.program_id, self.members["A"], row[0], now=self.now
        )
        assert found is not None
        return found

    # --- what is read back ----------------------------------------------------------------------------

    def told(self, words: list[str]) -> str:
        """What stands, in the words in which it was expected."""
        name = words[0]
        if name in ("refused", "duplicate", "parked", "applied"):
            return self.answered()
        if name == "warning":
            assert isinstance(self.answer, Result)
            return "warning" if "warning" in body(self.answer, self.runtime.latest) else "no warning"
        if name == "earned":
            assert isinstance(self.answer, Result)
            trace = self.answer.trace
            return f"earned {sum(item.earned for item in trace.rules) if trace is not None else 0}"
        if name == "tier":
            standing = queries.standing(self.connection, self.runtime, self.members["A"], now=self.now)
            self.connection.rollback()
            assert standing is not None
            return f"tier {standing.tier}"
        if name == "expired":
            self.advance()
            row = self.connection.execute(
                "select coalesce(sum(expired), 0) from lot where member_id = %s", (self.members["A"],)
            ).fetchone()
            assert row is not None
            return f"expired {row[0]}"
        as_of = known_at = None
        if "on" in words:
            as_of = self.at(f"{words[words.index('on') + 1]} 23:59")
        if "known" in words:
            known_at = self.at(f"{words[words.index('known') + 1]} 23:59")
        member = name if name in self.members else "A"
        found = queries.wallets(
            self.connection, self.runtime, self.members[member], as_of=as_of, known_at=known_at, now=self.now
        )
        self.connection.rollback()
        assert found is not None
        wallet = found.wallets["stars"]
        amounts = {
            "spendable": wallet.spendable,
            "pending": wallet.pending,
            "held": wallet.held,
            "owed": wallet.debt,
            member: wallet.spendable,
        }
        return " ".join([name, str(amounts[name]), *words[2:]])

    def answered(self) -> str:
        if isinstance(self.answer, Refusal):
            return f"refused {self.answer.code.value}"
        assert self.answer is not None
        refusal = self.answer.refusal
        return self.answer.status if refusal is None else f"refused {refusal.code.value}"

    def advance(self) -> None:
        due.advance(self.connection, self.runtime, [self.members["A"]], self.now, now=self.now)


def _line(text: str) -> dict[str, Any]:
    category, _, amount = text.partition(":")
    kind = category if category in ("gift_card", "shipping") else "product"
    return {"category": category, "amount": amount, "kind": kind}


def _tender(text: str) -> dict[str, Any]:
    kind, _, amount = text.partition(":")
    amount, _, redemption = amount.partition("@")
    tender: dict[str, Any] = {"kind": kind, "amount": amount}
    if redemption:
        tender["redemption"] = {"source": "till", "id": redemption}
    return tender
