"""What lies on the desk while a draft is written: its form, its text, and what is to be said of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.utils.translation import gettext as _

from palier.engine.describe import Page, Part, describe
from palier.engine.describe.page import typeset
from palier.engine.lint import Finding, lint
from palier.engine.program import Program
from palier.programs import files
from palier.programs.files import Document, DocumentProblem
from palier.programs.plan import Change, difference
from palier.programs.source import Source
from palier.web.console.studio.forms import Builder, Entry, Node, at, id_of, parts_of
from palier.web.refusals import told

MOST_PROBLEMS: Final = 30
"""Problems that are shown at a time."""
_SAID_IN: Final = {
    "point_currencies": "get",
    "rules": "earn",
    "groups": "earn",
    "tiers": "levels",
    "campaigns": "campaigns",
    "goals": "goals",
    "streaks": "streaks",
    "games": "games",
    "quizzes": "quizzes",
    "referral": "friend",
    "memberships": "membership",
    "partners": "partners",
    "leaderboards": "rankings",
    "notice": "changes",
}
"""Part of a document -> section of the plain words that tells of it."""


@dataclass(frozen=True, slots=True)
class Said:
    """A problem or finding ready to be read: where it is, what it says, and what to do."""

    severity: str
    text: str
    remedy: str
    path: str
    part: str
    field: str
    line: int


@dataclass(frozen=True, slots=True)
class Desk:
    """A draft opened at one of its parts."""

    text: str
    document: Document
    data: dict[str, Any] | None
    part: str
    outline: list[Entry]
    form: Node | None
    problems: list[Said]
    findings: list[Said]
    score: int
    words: Page | None
    sentences: list[Part]
    changes: list[Change]
    numbers: str

    @property
    def program(self) -> Program | None:
        return self.document.program

    @property
    def errors(self) -> int:
        """How many problems keep it from being published."""
        return len(self.document.errors)


def open_desk(
    text: str, *, part: str, language: str, words_in: str, published: Program, now: int, program_label: str
) -> Desk:
    """The desk of a text, opened at a part (the path of one that is not there opens the program itself)."""
    raw = text.encode("utf-8", "replace")
    source = files.source_of(raw, "yaml")
    document = files.read(raw, "yaml", now=now)
    readable = isinstance(source, Source) and isinstance(source.data, dict)
    data: dict[str, Any] | None = source.data if isinstance(source, Source) and readable else None
    problems = [_problem(problem) for problem in document.problems[:MOST_PROBLEMS]]
    form: Node | None = None
    outline: list[Entry] = []
    if data is not None:
        by_path: dict[str, list[str]] = {}
        for problem in problems:
            by_path.setdefault(problem.path, []).append(problem.text)
        builder = Builder(data, language, by_path)
        form = builder.part(part)
        if form is None:
            part, form = "", builder.part("")
        outline = builder.outline(part, program_label)
    program = document.program
    findings: list[Said] = []
    score = 0
    words = None
    sentences: list[Part] = []
    changes: list[Change] = []
    if program is not None:
        report = lint(program, now=now, before=published)
        places = Source(None, document.places)
        findings = [
            _finding(item, language, places) for item in report.findings if item.name != "never_played"
        ]
        score = report.complexity.score
        words = describe(program, words_in)
        sentences = sentences_of(words, data or {}, part, words_in)
        changes = difference(published, program)
    numbers = "\n".join(map(str, range(1, text.count("\n") + 2)))
    return Desk(
        text,
        document,
        data,
        part,
        outline,
        form,
        problems,
        findings,
        score,
        words,
        sentences,
        changes,
        numbers,
    )


def _part_of(path: str) -> str:
    """The part of a document that the form opens for a path."""
    names = parts_of(path)
    if (names and names[0] in _SAID_IN) or names[:1] in (["activity_types"], ["adjustments"]):
        if len(names) > 1 and isinstance(names[1], int):
            return f"{names[0]}[{names[1]}]"
        return str(names[0])
    return ""


def _problem(problem: DocumentProblem) -> Said:
    return Said(
        problem.severity,
        told(problem.said),
        told(problem.advice),
        problem.path,
        _part_of(problem.path),
        id_of(problem.path),
        problem.line,
    )


def _finding(finding: Finding, language: str, places: Source) -> Said:
    reason, remedy = finding.said(language)
    line = places.place(finding.path).line if finding.path else 0
    return Said(
        finding.severity,
        told(typeset(reason, language)),
        told(typeset(remedy, language)),
        finding.path,
        _part_of(finding.path),
        id_of(finding.path),
        line,
    )


def sentences_of(page: Page, data: dict[str, Any], part: str, language: str) -> list[Part]:
    """What members will read of one part of the document: its own lines where they are told apart."""
    names = parts_of(part)
    if not names:
        return [Part(page.title, page.intro)] if page.intro else []
    section = next((item for item in page.sections if item.key == _SAID_IN.get(str(names[0]))), None)
    if section is None:
        return []
    value = at(data, part)
    name = value.get("name") if isinstance(value, dict) else None
    called = (name.get(language) or name.get("en") or "") if isinstance(name, dict) else ""
    if isinstance(called, str) and called:
        own = [item for item in section.parts if _plain(item.title) == _plain(called)]
        if own:
            return own
    if names[0] == "point_currencies" and len(names) > 1 and isinstance(names[1], int):
        return section.parts[names[1] : names[1] + 1]
    return section.parts[:12]


def _plain(text: str) -> str:
    return " ".join(text.replace("\u00a0", " ").replace("\u202f", " ").replace("\u2019", "'").split()).lower()


def count_words(count: int) -> str:
    """How many problems keep a draft from being published, in words; empty where none does."""
    return "" if not count else _("%(count)d to mend") % {"count": count}


__all__ = ["Desk", "Said", "count_words", "open_desk", "sentences_of"]
