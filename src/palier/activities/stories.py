"""Story files played in memory: the tables of a page, each on a program of its own beginning."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from palier.activities import wire
from palier.engine.facts import Fact
from palier.engine.plan import Timeline
from palier.engine.program import Program
from palier.engine.refusals import Refusal
from palier.engine.rehearsal import Rehearsal
from palier.engine.story import Outcome, Part, StoryError, parts, play


class Played(Struct, frozen=True):
    """One table of a story file as it came out; line numbers are those of the file."""

    part: Part
    outcomes: tuple[Outcome, ...]

    @property
    def ok(self) -> bool:
        """Whether every line came out as it says."""
        return all(outcome.ok for outcome in self.outcomes)


def read_activity(activity: dict[str, Any], timeline: Timeline, program_key: str, now: int) -> Fact | Refusal:
    """The fact that an activity in its sent form states, read as the API reads it."""
    read = wire.from_mapping(activity)
    if isinstance(read, Refusal):
        return read
    found = wire.to_fact(read, timeline, program_key, now=now)
    return found if isinstance(found, Refusal) else found.fact


def play_text(text: str, program: Program, language: str = "en") -> list[Played]:
    """Plays every table of a file in memory. Raises StoryError, with the line of the file, for one it cannot read."""
    found = []
    for part in parts(text):
        try:
            outcomes = play(part.text, Rehearsal(program, read_activity), language)
        except StoryError as error:
            raise StoryError(part.first + error.number, error.message, error.remedy) from None
        found.append(Played(part, tuple(outcomes)))
    return found
