"""Every decision of every story of the gallery can be told, in both languages, without a key or a slip."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from palier.activities.stories import read_activity
from palier.engine.decide import Fold
from palier.engine.decisions import Decision
from palier.engine.explain import Told, sentence, why_not
from palier.engine.facts import NO_INPUTS, Inputs
from palier.engine.history import in_fold_order
from palier.engine.plan import Plan
from palier.engine.rehearsal import Rehearsal
from palier.engine.story import parts, play
from palier.programs import gallery
from palier.programs.gallery import Entry
from tests.engine.test_describe import FALSE_FRENCH, spaced

PAGES = [(entry, path) for entry in gallery.entries() for path in entry.stories if path.name == "story.md"]


def decisions(entry: Entry, path: Path) -> Iterator[tuple[Told, Plan, Inputs]]:
    """What was decided for every member of a page's stories, due work too, ready to be told."""
    for part in parts(path.read_text(encoding="utf-8")):
        stage = Rehearsal(entry.program(), read_activity)
        play(part.text, stage, "en")
        for member in stage.members.values():
            fold = Fold(stage.timeline, keep_records=True)
            for known in in_fold_order([fact for fact, _ in member.known]):
                before = len(fold.decisions)
                answer = fold.decide(known, live=False)
                made = [(decision, None) for decision in fold.decisions[before:] if decision is not answer]
                for decision, own in [*made, *([(answer, known)] if isinstance(answer, Decision) else [])]:
                    inputs = own.inputs if own is not None else NO_INPUTS
                    fact = own.fact if own is not None else None
                    plan = stage.timeline.plan_of(decision.trace.version)
                    assert plan is not None
                    lots = {
                        lot.id: lot.expires_at for held in fold.state.wallets.values() for lot in held.lots
                    }
                    told = Told(
                        decision.type,
                        decision.trace,
                        decision.at,
                        decision.transfers,
                        fact,
                        lots,
                        draw=inputs.draw,
                    )
                    yield told, plan, inputs


@pytest.mark.parametrize(("entry", "path"), PAGES, ids=lambda value: getattr(value, "key", ""))
def test_every_decision_is_told(entry: Entry, path: Path) -> None:
    count = 0
    for told, plan, inputs in decisions(entry, path):
        for language in ("en", "fr"):
            texts = [sentence(told, plan, language)]
            if told.fact is not None:
                texts += why_not(plan, told.fact, told.trace, language, inputs)
            for text in map(spaced, texts):
                assert text
                assert re.findall(r"[a-z]+_[a-z]+|[{}]|None|  ", text) == [], text
                if language == "fr":
                    assert FALSE_FRENCH.search(text) is None, text
        count += 1
    assert count > 5
