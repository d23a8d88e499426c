"""What lies on the desk while a draft is written: its form, its text, and what is to be said of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from palier.engine.describe import Page, Part, describe
from palier.engine.lint import Finding, lint
from palier.engine.program import Program
from palier.programs import files
from palier.programs.files import Document, DocumentProblem
from palier.programs.plan import Change, difference
from palier.programs.source import Source
from palier.web.console.studio.forms import Builder, Entry, Node, at, id_of, parts_of

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
MEANINGS: Final = {
    "cash": gettext_lazy("Points that are money must count the program's money."),
    "choice": gettext_lazy("This value is none of those that can be chosen here."),
    "condition": gettext_lazy("This condition cannot be judged, or can never hold."),
    "contradiction": gettext_lazy("Two settings contradict each other."),
    "date": gettext_lazy("This date cannot be read."),
    "duplicate_key": gettext_lazy("Two parts have the same key."),
    "format": gettext_lazy("This text has not the form that is asked for here."),
    "icon": gettext_lazy("This is no name of a drawing."),
    "missing": gettext_lazy("A setting is missing here."),
    "missing_text": gettext_lazy("A text is missing in one of the languages."),
    "no_effect": gettext_lazy("This setting changes nothing here."),
    "one_effect": gettext_lazy("A rule has exactly one effect."),
    "order": gettext_lazy("These entries must rise, or follow each other in time."),
    "range": gettext_lazy("This number is outside what is allowed here."),
    "reserved_name": gettext_lazy("This name belongs to something that every program has."),
    "rounding": gettext_lazy("The rounding will not do what it seems to say."),
    "size": gettext_lazy("There are too few entries here, or too many."),
    "tiers": gettext_lazy("The tiers do not hold together."),
    "time": gettext_lazy("This time of day cannot be read."),
    "too_large": gettext_lazy("This amount is too large."),
    "too_long": gettext_lazy("This text is too long."),
    "too_many": gettext_lazy("There are too many entries here."),
    "too_many_decimals": gettext_lazy("This amount has too many decimals."),
    "type": gettext_lazy("Something else is expected here."),
    "unknown_currency": gettext_lazy("There is no such currency of money."),
    "unknown_key": gettext_lazy("There is no such setting here."),
    "unknown_reference": gettext_lazy("This names something that is declared nowhere."),
    "unknown_time_zone": gettext_lazy("There is no such time zone."),
    "unreadable": gettext_lazy("The text cannot be read."),
    "zero": gettext_lazy("0 has no effect here."),
}
"""Code of a problem -> what it says in a few words. Every code has one (a test holds it)."""


@dataclass(frozen=True, slots=True)
class Said:
    """A problem or finding ready to be read: where it is, what it says, and what to do.

    `detail` is the same told exactly, in English, where the reader's language has only the short form.
    """

    severity: str
    text: str
    remedy: str
    path: str
    part: str
    field: str
    line: int
    detail: str = ""


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
    document = files.read(raw, "yaml")
    readable = isinstance(source, Source) and isinstance(source.data, dict)
    data: dict[str, Any] | None = source.data if isinstance(source, Source) and readable else None
    problems = [_problem(problem, language) for problem in document.problems[:MOST_PROBLEMS]]
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


def _problem(problem: DocumentProblem, language: str) -> Said:
    remedy = f"{problem.remedy[:1].upper()}{problem.remedy[1:]}"
    remedy = remedy if remedy.endswith(("?", ".")) else f"{remedy}."
    message = f"{problem.message[:1].upper()}{problem.message[1:]}."
    told, detail = (
        (message, "")
        if language != "fr"
        else (str(MEANINGS.get(problem.code, message)), f"{message} {remedy}")
    )
    return Said(
        problem.severity,
        told,
        remedy if language != "fr" else "",
        problem.path,
        _part_of(problem.path),
        id_of(problem.path),
        problem.line,
        detail,
    )


def _finding(finding: Finding, language: str, places: Source) -> Said:
    reason, remedy = finding.said(language)
    line = places.place(finding.path).line if finding.path else 0
    return Said(
        finding.severity,
        f"{reason[:1].upper()}{reason[1:]}.",
        f"{remedy[:1].upper()}{remedy[1:]}.",
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


__all__ = ["MEANINGS", "Desk", "Said", "count_words", "open_desk", "sentences_of"]
