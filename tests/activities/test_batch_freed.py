"""A batch that is done leaves nothing to the collector of cycles: its pauses would be those of callers."""

from __future__ import annotations

import gc

from palier.activities import batch
from palier.engine.facts import Fact
from tests.activities.program import NOW, Connection, line, member, program, published


def test_a_batch_is_freed_as_soon_as_it_is_answered(connection: Connection) -> None:
    runtime = published(connection, program())
    member(connection, runtime.program_id, "card")

    def apply(name: str) -> None:
        sale = Fact("till", name, "sale", NOW - 1_000_000, 1_000)
        told: list[int] = []
        batch.apply(
            connection, runtime, [line(sale, "card")], now=NOW, meanwhile=lambda made: told.append(len(made))
        )
        assert told == [1]

    apply("first")  # What is made once and kept.
    gc.collect()
    gc.disable()
    try:
        apply("second")
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        left = [found for found in gc.garbage if type(found).__module__.startswith("palier.")]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert left == []
