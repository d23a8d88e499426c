"""The shape of a page that answers a question: a sentence with its number, one chart, tables, what it all means.

A table is also given as CSV (`?csv=KEY`), in which nothing can run as a formula.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Self

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from palier.connectors.rows import DANGEROUS, MARK
from palier.engine.amounts import from_minor
from palier.engine.amounts import shares as split
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


class Said(str):
    """A figure as it is read, which keeps what it says: its plain number ("-1234.50") and what it counts ("EUR")."""

    __slots__ = ("number", "unit")
    number: str
    unit: str

    def __new__(cls, text: str, number: str, unit: str = "") -> Self:
        made = super().__new__(cls, text)
        made.number, made.unit = number, unit
        return made


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
        self.plan = made.runtime.at(made.now)

    def count(self, number: int) -> str:
        """A plain number."""
        text = localized(str(abs(number)), self.language)
        return Said(f"\u2212{text}" if number < 0 else text, str(number))

    def share(self, part: int, whole: int) -> str:
        """A part of a whole in percent, with one decimal."""
        return self.percent(part * 10_000 // whole) if whole > 0 else NONE

    def shares(self, parts: Sequence[int]) -> list[str]:
        """Parts of their sum in percent, with one decimal each: together they are 100.0%."""
        if sum(parts) <= 0:
            return [NONE for _part in parts]
        return [self.percent(10 * tenths) for tenths in split(1_000, parts)]

    def percent(self, basis_points: int) -> Said:
        """Basis points as percent: "12.3%", "12,3 %"."""
        tenths = (abs(basis_points) + 5) // 10
        text = localized(from_minor(tenths, 1), self.language)
        sign = "\u2212" if basis_points < 0 and tenths else ""
        number = from_minor(-tenths if sign else tenths, 1)
        return Said(f"{sign}{text}{NO_BREAK}%" if self.language == "fr" else f"{sign}{text}%", number, "%")

    def change(self, figure: Compared, comparable: bool) -> str:
        """By how much a figure grew: "+12.3%"."""
        if not comparable or figure.change is None:
            return NONE
        text = self.percent(figure.change)
        # What rounds to nothing has no sign.
        return Said(f"+{text}", text.number, text.unit) if figure.change >= 5 else text

    def points(self, minor: int, currency: str) -> str:
        """Points with their name."""
        return self._of_points(self.words.points(minor, currency), minor, currency)

    def number(self, minor: int, currency: str) -> str:
        """Points without their name."""
        return self._of_points(self.words.number(minor, currency), minor, currency)

    def decimal(self, text: str) -> str:
        """A decimal number of a document."""
        return Said(self.words.decimal(text), text)

    def _of_points(self, text: str, minor: int, currency: str) -> str:
        found = self.words.units.get(currency)
        number = from_minor(minor, found.scale if found is not None else 0)
        return Said(text, number, self.words.noun(currency, False))

    def worth(self, currency: str, points: int) -> int:
        """What points are worth in minor units of money; below 0 as above."""
        value = self.plan.worth(currency, abs(points))
        return -value if points < 0 else value

    def money(self, minor: int) -> str:
        return Said(
            self.words.money(minor), from_minor(minor, self.plan.exponent), self.plan.program.currency
        )

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

    def days(self, number: int) -> str:
        return ngettext("%(count)s day", "%(count)s days", number) % {"count": self.count(number)}

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
    days = {str(days): days for days in queries.DAYS}.get(asked, queries.DAYS[0])
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
    """A table as a file for spreadsheets: numbers are plain numbers, and what they count stands once in the head.

    Where the figures of a column count different things, a column beside it says what. Every row says what it is of,
    also where the page names it once for several rows.
    """
    head: list[str] = []
    columns: list[list[str]] = []
    for place, column in enumerate(table.columns):
        texts = [row[place].text for row in table.rows]
        if not place:
            for number in range(1, len(texts)):
                texts[number] = texts[number] or texts[number - 1]
        units = [text.unit if isinstance(text, Said) else "" for text in texts]
        known = {text.unit for text in texts if isinstance(text, Said)}
        one = known.pop() if len(known) == 1 else ""
        head += [f"{column.name} ({one})" if one else column.name]
        columns.append([text.number if isinstance(text, Said) else _safe(text) for text in texts])
        if known:
            head += [_("%(column)s, unit") % {"column": column.name}]
            columns.append([_safe(unit) for unit in units])
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow([_safe(name) for name in head])
    writer.writerows(zip(*columns, strict=True))
    response = HttpResponse(MARK + written.getvalue(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{program}-{table.key}.csv"'
    response["Cache-Control"] = "private, no-store"
    return response


def _safe(text: str) -> str:
    if text == NONE:
        return ""
    plain = text.replace(NO_BREAK, " ").replace("\u202f", " ").replace("\u2212", "-")
    return f"'{plain}" if plain.startswith(DANGEROUS) else plain


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
    "Said",
    "Table",
    "Telling",
    "as_csv",
    "nothing_yet",
    "period_asked",
    "points_of",
    "shown",
]
