"""Decisions of a member told in words: stored rows brought together with the sentences of the engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct
from psycopg import Connection

from palier.activities.queries import Line
from palier.activities.runtime import Runtime
from palier.engine import explain
from palier.engine.clock import instant
from palier.engine.explain import Step, Told
from palier.engine.facts import NO_INPUTS, OWN_SOURCE, Fact, Inputs, decode_fact, decode_inputs
from palier.engine.plan import Plan
from palier.engine.state import NEVER


class Said(Struct, frozen=True):
    """A decision in words: its steps, the same in one line, and by how much it changed what the member has.

    `moved` is in minor units by currency, pending and held points among them, less what is owed.
    """

    steps: list[Step]
    sentence: str
    moved: dict[str, int]


class Story(Struct, frozen=True):
    """One decision, ready to be told: its row, what the sentences need, and the version that judged it."""

    line: Line
    told: Told
    plan: Plan
    fact: Fact | None
    inputs: Inputs

    def sentence(self, language: str) -> str:
        """The decision in one line."""
        return explain.sentence(self.told, self.plan, language)

    def steps(self, language: str) -> list[Step]:
        """One line for each rule that earned and each thing that moved."""
        return explain.lines(self.told, self.plan, language)

    def said(self, language: str) -> Said:
        """Steps and sentence at once: working them out is most of what a long history costs."""
        steps = self.steps(language)
        return Said(steps, explain.in_one_line(steps, language), explain.net(self.told))

    def why_not(self, language: str) -> list[str]:
        """Rules that brought nothing but nearly did."""
        if self.fact is None:
            return []
        return explain.why_not(self.plan, self.fact, self.told.trace, language, self.inputs)


def tell(connection: Connection[Any], runtime: Runtime, member_id: int, lines: Sequence[Line]) -> list[Story]:
    """Lines of one member's history as stories, in the same order."""
    if not lines:
        return []
    rows = connection.execute(
        """
        -- activities.told
        select a.activity_id, a.payload::text, a.inputs::text, o.type, o.acts_at, o.payload::text, o.source,
               s.payload::text
        from activity a
        left join activity o on o.member_id = a.member_id and o.activity_id = a.corrects_id
        left join activity s on s.member_id = a.member_id and s.activity_id = coalesce(a.sale_id, o.sale_id)
        where a.member_id = %s and a.activity_id = any(%s)
        """,
        (member_id, [line.activity_id for line in lines]),
    ).fetchall()
    stored = {row[0]: row[1:] for row in rows}
    lots = connection.execute(
        "-- activities.lot_ends\nselect lot_id, expires_at from lot where member_id = %s", (member_id,)
    ).fetchall()
    ends = {lot_id: instant(at) if at is not None else NEVER for lot_id, at in lots}
    stories = []
    for line in lines:
        payload, inputs, old_type, old_at, old_payload, old_source, sale = stored[line.activity_id]
        fact: Fact | None = None
        told = Told(
            line.type,
            line.trace,
            line.acts_at,
            [
                (t.kind, t.debit, t.credit, t.currency, t.lot_id, t.amount, t.effective_at)
                for t in line.transfers
            ],
            None,
            ends,
        )
        if line.source != OWN_SOURCE:
            fact = decode_fact(payload)
            told = msgspec.structs.replace(told, fact=fact, at=fact.at)
        elif line.type == "correction":
            told = msgspec.structs.replace(
                told,
                fact=decode_fact(old_payload) if old_payload and old_source != OWN_SOURCE else None,
                corrected_type=old_type or "",
                corrected_at=instant(old_at) if old_at is not None else 0,
                withdrawn=not line.version,
            )
        plan = runtime.timeline.plan_of(line.trace.version) or runtime.latest
        known = decode_inputs(inputs) if inputs else NO_INPUTS
        acting = runtime.timeline.at(line.acts_at)
        told = msgspec.structs.replace(
            told,
            draw=known.draw,
            acting=acting if acting is not plan else None,
            sale=decode_fact(sale) if sale else None,
        )
        stories.append(Story(line, told, plan, fact, known))
    return stories
