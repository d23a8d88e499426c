"""The shape of a page that answers a question: a sentence with its number, one chart, tables, what it all means.

A table is also given as CSV (`?csv=KEY`), in which nothing can run as a formula.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from palier.connectors.rows import DANGEROUS
from palier.engine.amounts import from_minor
from palier.engine.currencies import localized
from palier.engine.phrases import MONTHS
from palier.engine.words import NO_BREAK, ProgramWords
from palier.insights import queries
from palier.insights.queries import Compared, Period
from palier.web.console.visits import StaffVisit
from palier.web.ui.chart import Chart
from palier.web.ui.pictures import Shown

NONE: Final = "–"
"""In a cell: there is none, or nothing to compare with."""


@dataclass(frozen=True, slots=True)
class Cell:
    """What stands in a cell: its text, where it leads, a word of state (`chip`: good, warn, bad, accent, plain).

    With a `symbol` a picture stands before it, or that drawing where there is none.
    """

    text: str
    url: str = ""
    chip: str = ""
    note: str = ""
    symbol: str = ""
    picture: Shown | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """A column by its name; figures stand right."""

    name: str
    figure: bool = True


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its key (for CSV), caption, columns and rows; the first cell of a row names it."""

    key: str
    caption: str
    columns: tuple[Column, ...]
    rows: Sequence[Sequence[Cell]]
    note: str = ""

    @property
    def lines(self) -> list[list[tuple[Cell, Column]]]:
        """Each row's cells with their columns."""
        return [list(zip(row, self.columns, strict=True)) for row in self.rows]


@dataclass(slots=True)
class Answer:
    """A page: its question, the answer in one sentence, and what shows it.

    `empty` (icon, title, text) stands in place of all where there is nothing to tell yet, with `step` (label,
    address) the first thing to do, and `act` what is done from here. `means` says what figures are: (name, meaning).
    """

    question: str
    sentence: str = ""
    more: str = ""
    charts: list[Chart] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    means: list[tuple[str, str]] = field(default_factory=list)
    empty: tuple[str, str, str] | None = None
    step: tuple[str, str] | None = None
    act: tuple[str, str] | None = None


class Telling:
    """Numbers, shares, money and days as this person reads them."""

    def __init__(self, made: StaffVisit) -> None:
        self.language = made.language
        self.words: ProgramWords = made.words
        self.key = made.runtime.key
        self.plan = made.runtime.latest

    def count(self, number: int) -> str:
        """A plain number."""
        text = localized(str(abs(number)), self.language)
        return f"\u2212{text}" if number < 0 else text

    def share(self, part: int, whole: int) -> str:
        """A part of a whole in percent, with one decimal."""
        return self.percent(part * 10_000 // whole) if whole > 0 else NONE

    def percent(self, basis_points: int) -> str:
        """Basis points as percent: "12.3%", "12,3 %"."""
        tenths = (abs(basis_points) + 5) // 10
        text = localized(from_minor(tenths, 1), self.language)
        sign = "\u2212" if basis_points < 0 and tenths else ""
        return f"{sign}{text}{NO_BREAK}%" if self.language == "fr" else f"{sign}{text}%"

    def change(self, figure: Compared, comparable: bool) -> str:
        """By how much a figure grew: "+12.3%"."""
        if not comparable or figure.change is None:
            return NONE
        text = self.percent(figure.change)
        # What rounds to nothing has no sign.
        return f"+{text}" if figure.change >= 5 else text

    def points(self, minor: int, currency: str) -> str:
        """Points with their name."""
        return self.words.points(minor, currency)

    def worth(self, currency: str, points: int) -> int:
        """What points are worth in minor units of money; below 0 as above."""
        value = self.plan.worth(currency, abs(points))
        return -value if points < 0 else value

    def money(self, minor: int) -> str:
        text = self.words.money(abs(minor))
        return f"\u2212{text}" if minor < 0 else text

    def day(self, day: int) -> str:
        """A day in short: "3 Mar", "3 mars"."""
        at = queries.day_of(day)
        return f"{at.day}{NO_BREAK}{self._month(at.month)}"

    def month(self, name: str) -> str:
        """A month written 2026-03: "Mar 2026", "mars 2026"."""
        year, _, number = name.partition("-")
        return f"{self._month(int(number))}{NO_BREAK}{year}"

    def _month(self, number: int) -> str:
        name = MONTHS[self.language if self.language in MONTHS else "en"][number - 1]
        return name[:3] if self.language != "fr" else _SHORT_FR[number - 1]

    def members(self, number: int) -> str:
        return ngettext("%(count)s member", "%(count)s members", number) % {"count": self.count(number)}

    def address(self, name: str, *args: str) -> str:
        """The address of a page of this program."""
        return reverse(f"console:{name}", args=[self.key, *args])


_SHORT_FR: Final = (
    "janv.", "févr.", "mars", "avril", "mai", "juin", "juil.", "août", "sept.", "oct.", "nov.", "déc.",
)  # fmt: skip


def period_asked(made: StaffVisit) -> Period:
    """The period that the address asks for by `days`; a month where it asks for none that there is."""
    asked = made.request.GET.get("days", "")
    days = (
        int(asked) if asked.isascii() and asked.isdigit() and int(asked) in queries.DAYS else queries.DAYS[0]
    )
    return queries.period_of(made.runtime, days, now=made.now)


def points_of(period: Period, most: int = 53) -> list[int]:
    """Days of a period at which a line is drawn: the last always, the others evenly before it."""
    step = -(-period.days // most)
    return list(range(period.last, period.first - 1, -step))[::-1]


def shown(
    made: StaffVisit,
    answer: Answer,
    period: Period | None = None,
    *,
    template: str = "console/board/answer.html",
    content: Mapping[str, object] | None = None,
    status: int = 200,
) -> HttpResponse:
    """The page, or one of its tables as CSV where the address asks for it."""
    asked = made.request.GET.get("csv")
    if asked is not None:
        for table in answer.tables:
            if table.key == asked:
                return as_csv(made.runtime.key, table)
    content = {"answer": answer, "period": None, **(content or {})}
    if period is not None:
        content["period"] = period
        content["choices"] = [
            {
                "days": days,
                "here": days == period.days,
                "label": ngettext("%(days)d day", "%(days)d days", days) % {"days": days},
            }
            for days in queries.DAYS
        ]
    return made.page(template, content, status)


def as_csv(program: str, table: Table) -> HttpResponse:
    """A table as a file for spreadsheets."""
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(_safe(column.name for column in table.columns))
    for row in table.rows:
        writer.writerow(_safe(cell.text for cell in row))
    response = HttpResponse("\ufeff" + written.getvalue(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{program}-{table.key}.csv"'
    response["Cache-Control"] = "private, no-store"
    return response


def _safe(texts: Iterable[str]) -> list[str]:
    plain = (text.replace(NO_BREAK, " ").replace("\u202f", " ").replace("\u2212", "-") for text in texts)
    return [f"'{text}" if text.startswith(DANGEROUS) and not _is_number(text) else text for text in plain]


def _is_number(text: str) -> bool:
    """Whether a text that begins with a sign is a number or a share, which a spreadsheet may read as such."""
    bare = text[1:].replace(" ", "").replace(",", "").replace(".", "").removesuffix("%")
    return text[0] in "+-" and bare.isascii() and bare.isdigit()


def nothing_yet(made: StaffVisit, question: str) -> Answer:
    """The page of a program of which nothing has been counted: the first step, for whoever can take it."""
    return Answer(
        question,
        empty=(
            "footprints",
            _("Nothing has happened yet"),
            _("As soon as the first member joins and the first sale is sent, the answer stands here."),
        ),
    )


__all__ = [
    "NONE",
    "Answer",
    "Cell",
    "Column",
    "Table",
    "Telling",
    "as_csv",
    "nothing_yet",
    "period_asked",
    "points_of",
    "shown",
]
