"""Catalogues as files: read with the place of every problem, written so that people can read them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from palier.engine.conditions import Problem
from palier.engine.program import Program
from palier.engine.sentences import sentence
from palier.programs import files
from palier.programs.files import DocumentProblem, placed, source_of
from palier.programs.source import MAX_BYTES
from palier.programs.structure import convert, faults
from palier.rewards.check import Known, check
from palier.rewards.document import Catalogue, Reward


class ReadCatalogue(Struct, frozen=True):
    """What was read: the rewards (none where there is an error), their program's key, and all problems."""

    program: str
    rewards: tuple[Reward, ...]
    problems: tuple[DocumentProblem, ...]

    @property
    def errors(self) -> tuple[DocumentProblem, ...]:
        """The problems that keep the rewards from being written."""
        return tuple(problem for problem in self.problems if problem.severity == "error")


def program_of(path: Path) -> str | None:
    """The key of the program that a file of rewards names; None where it names none that can be read."""
    found = source_of(_raw(path), _format(path))
    if isinstance(found, DocumentProblem) or not isinstance(found.data, dict):
        return None
    key = found.data.get("program")
    return key if isinstance(key, str) else None


def read(path: Path, program: Program | None, known: Known = lambda key: None) -> ReadCatalogue:
    """The rewards of a file, YAML or JSON, checked against their program.

    Without a program, which is then not there, only their form is checked. Nothing is raised for bad content.
    Raises OSError where the file cannot be opened.
    """
    found = source_of(_raw(path), _format(path))
    if isinstance(found, DocumentProblem):
        return ReadCatalogue("", (), (found,))
    wrong = faults(found.data, Catalogue)
    if wrong:
        return ReadCatalogue("", (), tuple(placed(problem, found) for problem in wrong))
    catalogue = convert(found.data, Catalogue)
    first: dict[str, int] = {}
    by_key: dict[str, Reward] = {}
    problems = []
    for index, reward in enumerate(catalogue.rewards):
        if reward.key in first:
            message = sentence(
                'the key "%(key)s" is already that of rewards[%(first)s]',
                key=reward.key,
                first=first[reward.key],
            )
            problems.append(
                placed(
                    Problem(
                        f"rewards[{index}].key",
                        message,
                        sentence("give it a key of its own"),
                        "duplicate_key",
                    ),
                    found,
                )
            )
        first.setdefault(reward.key, index)
        by_key.setdefault(reward.key, reward)

    def here(key: str) -> Reward | None:
        return by_key.get(key) or known(key)

    if program is not None:
        for index, reward in enumerate(catalogue.rewards):
            for problem in check(reward, program, here):
                where = f"rewards[{index}].{problem.path}" if problem.path else f"rewards[{index}]"
                problems.append(placed(replace(problem, path=where), found))
    taken = () if any(problem.severity == "error" for problem in problems) else tuple(catalogue.rewards)
    return ReadCatalogue(catalogue.program, taken, tuple(problems))


class ReadReward(Struct, frozen=True):
    """One reward as it was read from a text; None where there is an error."""

    reward: Reward | None
    problems: tuple[DocumentProblem, ...]


def read_one(raw: bytes, program: Program, known: Known = lambda key: None) -> ReadReward:
    """The document of one reward, in YAML, checked against its program. Nothing is raised for bad content."""
    found = source_of(raw, "yaml")
    if isinstance(found, DocumentProblem):
        return ReadReward(None, (found,))
    wrong = faults(found.data, Reward)
    if wrong:
        return ReadReward(None, tuple(placed(problem, found) for problem in wrong))
    reward = convert(found.data, Reward)
    problems = tuple(placed(problem, found) for problem in check(reward, program, known))
    return ReadReward(None if any(item.severity == "error" for item in problems) else reward, problems)


def write_one(reward: Reward) -> str:
    """One reward as YAML, defaults left out. `read_one` gives it back."""
    return files.write(reward)


def write(program: str, rewards: Sequence[Reward]) -> str:
    """Rewards as YAML, in the order given, defaults left out. `read` gives them back."""
    return files.write(Catalogue(1, program, list(rewards)))


def write_json(program: str, rewards: Sequence[Reward]) -> str:
    """Rewards as indented JSON, in the order given, defaults left out."""
    return files.write_json(Catalogue(1, program, list(rewards)))


def _raw(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def _format(path: Path) -> files.Format:
    return "json" if path.suffix.lower() == ".json" else "yaml"
