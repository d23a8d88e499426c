"""Statements as papers and CSV: the figures of the ledger, on both sides, in both languages."""

from __future__ import annotations

import csv
import io
import random
from fractions import Fraction
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from palier.activities import settlements, statements
from palier.activities.statements import Language, Sheet
from palier.connectors.papers import pdf
from palier.connectors.rows import MARK
from palier.engine.clock import moment
from palier.engine.program import Program
from tests.activities.program import NOW, Connection, published
from tests.activities.test_settlements import Town, _live, at, coalition

MONTH = "2026-03"


def sheet(
    town: Town, partner: str | None, language: Language = "en", month: str = MONTH, **more: Any
) -> Sheet:
    question = town.question(month, partner, **more)
    settled = settlements.settle(town.connection, town.runtime, question)
    lines = (line for _, line in settlements.lines(town.connection, town.runtime, question))
    return statements.sheet(town.runtime, settled, lines, language)


def table(town: Town, partner: str | None) -> dict[str, dict[str, str]]:
    """The CSV of one side: line -> its cells."""
    question = town.question(MONTH, partner)
    rows = (
        settlements.line_shown(town.runtime, line, operator=partner is None)
        for _, line in settlements.lines(town.connection, town.runtime, question)
    )
    to = io.StringIO(newline="")
    statements.write_csv(rows, "EUR", to)
    return {
        row["line"]: row for row in csv.DictReader(io.StringIO(to.getvalue().removeprefix(MARK), newline=""))
    }


@pytest.fixture
def town(connection: Connection) -> Town:
    made = Town(connection)
    _live(made, random.Random(3))
    return made


def test_both_sides_are_nothing_line_by_line(town: Town) -> None:
    """Each line of the operator's CSV is on one partner's, with the opposite sign; so are the papers' sums."""
    operator = table(town, None)
    sides = {key: table(town, key) for key in settlements.known_partners(town.runtime)}
    theirs = {line: row for side in sides.values() for line, row in side.items()}
    assert len(operator) > 40
    assert sum(len(side) for side in sides.values()) == len(theirs) == len(operator)
    for line, row in operator.items():
        assert Fraction(row["amount"]) + Fraction(theirs[line]["amount"]) == 0, line
        assert {key: row[key] for key in ("points", "price", "day")} == {
            key: theirs[line][key] for key in ("points", "price", "day")
        }
    question = town.question(MONTH)
    settled = settlements.settle(town.connection, town.runtime, question)
    content = sheet(town, None).content
    assert content["partners_total"][-1] == "€0.00"
    for statement in settled.statements:
        mine = sheet(town, statement.partner).content
        assert mine["amount"] == f"€{abs(statement.net) // 100}.{abs(statement.net) % 100:02}"
        assert mine["lines"] == [] or len(mine["lines"]) == statement.lines
        exact = sum((Fraction(row["amount"]) for row in sides[statement.partner].values()), Fraction(0))
        assert abs(exact * 100 - (statement.owed - statement.owing)) < 2


def test_a_paper_says_what_the_statement_says(town: Town) -> None:
    question = town.question(MONTH, "bakery")
    (statement,) = settlements.settle(town.connection, town.runtime, question).statements
    told = settlements.statement_shown(town.runtime, statement)
    for language in ("en", "fr"):
        content = sheet(town, "bakery", language).content  # type: ignore[arg-type]

        def plain(text: str, language: str = language) -> Fraction:
            kept = "".join(sign for sign in text.replace("−", "-") if sign in "0123456789.,-")
            return Fraction(kept.replace(",", "." if language == "fr" else ""))

        assert plain(content["summary_total"][-1]) == abs(Fraction(told["net"]))
        assert [plain(cell) for cell in content["days_total"][5:]] == [
            Fraction(told["owed"]), Fraction(told["owing"]),
        ]  # fmt: skip
        for row, day in zip(content["days"], told["days"], strict=True):
            assert plain(row[5] or "0") == Fraction(day["owed"])
            assert plain(row[1] or "0") == Fraction(day["issued"])
        assert sum(plain(row[6]) for row in content["lines"]) == sum(
            Fraction(day["owed"]) - Fraction(day["owing"]) for day in told["days"]
        )
    assert sheet(town, "bakery", "fr").content["facts"][1] == ["Période", "Mars 2026"]


def test_a_partner_whose_points_became_others_pays_for_both(connection: Connection) -> None:
    """In the month of the change its paper adds up each kind of points by itself, and the money of both."""
    town = Town(connection)
    town.sale("100", "bakery", 10_000, at("2026-03-02T10:00"))
    changed = msgspec.to_builtins(coalition())
    changed["partners"][0]["currency"] = changed["rules"][0]["currency"] = "stars"
    star = {"one": "star", "other": "stars"}
    changed["point_currencies"][1]["name"] = {"en": star, "fr": star}
    town.runtime = published(connection, msgspec.convert(changed, Program), at("2026-03-20T00:00"))
    town.sale("100", "bakery", 7_000, at("2026-03-22T10:00"))
    question = town.question(MONTH, "bakery")
    settled = settlements.settle(town.connection, town.runtime, question)
    nets = [(found.currency, found.net) for found in settled.statements]
    assert nets == [("stars", 88), ("tokens", 110)]
    content = sheet(town, "bakery").content
    assert content["amount"] == content["summary_total"][2] == "€1.98"
    assert [row[0] for row in content["summary"] if row[0] in ("stars", "tokens")] == ["stars", "tokens"]
    assert content["days_total"] is None
    assert [(row[0], row[1], row[5]) for row in content["days"]] == [
        ("stars", "", ""), ("2026-03-22", "70", "0.875"), ("total", "70", "0.88"),
        ("tokens", "", ""), ("2026-03-02", "100.0", "1.10"), ("total", "100.0", "1.10"),
    ]  # fmt: skip
    assert sheet(town, None).content["partners_total"][-1] == "€0.00"
    assert sheet(town, "bakery").pdf().startswith(b"%PDF-")


def test_the_same_statement_is_the_same_bytes(town: Town) -> None:
    known = at("2026-07-01T00:00")
    first = sheet(town, "bakery", known_at=known)
    assert first.pdf() == sheet(town, "bakery", known_at=known).pdf()
    assert first.pdf().startswith(b"%PDF-")
    assert (first.name, len(first.pictures())) == ("shop-2026-03-bakery", 2)
    assert first.pdf() != sheet(town, "bakery", "fr", known_at=known).pdf()


def test_many_lines_are_left_to_the_csv(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statements, "MOST_LINES", 3)
    content = sheet(town, "bakery").content
    assert content["lines"] == []
    count = len(table(town, "bakery"))
    assert any(f"The {count} lines are in the CSV" in note for note in content["notes"])
    assert sheet(town, "bakery").pdf()


def test_a_month_of_nothing(connection: Connection) -> None:
    town = Town(connection)
    for partner in (None, "bakery"):
        made = sheet(town, partner)
        assert made.content["amount"] == "€0.00"
        assert made.pdf().startswith(b"%PDF-")


def test_no_text_is_read_as_markup(connection: Connection) -> None:
    """A name that would be code of the template is a name."""
    evil = '#panic("x") *a* $x$ <b> \\ // `c` "'
    document = msgspec.structs.replace(coalition(), name=type(coalition().name)(en=evil, fr=evil))
    town = Town(connection, document)
    town.sale("100", "bakery", 10_000, at("2026-03-02T10:00"))
    made = sheet(town, "bakery")
    assert made.content["program"] == evil.replace("'", "’")
    assert made.pdf().startswith(b"%PDF-")


def test_a_broken_template_or_text_is_told() -> None:
    with pytest.raises(Exception, match="lead"):
        pdf("statement", {"language": "en", "title": "", "program": "", "foot": "", "page_of": "", "kind": "",
                          "facts": []}, made_at=moment(NOW))  # fmt: skip


def test_what_is_published_later_changes_no_paper_of_before(connection: Connection) -> None:
    """Another zone, other names: the month ends where it ended, and its statement is the same file."""
    town = Town(connection)
    # 23:30 and 00:30 in Paris: the last sale of March, and the first of April.
    last, first = at("2026-03-31T22:30"), at("2026-03-31T23:30")
    town.sale("100", "bakery", 2_000, last)
    town.sale("100", "bakery", 3_000, first)
    closed = at("2026-04-05T10:00")
    papers = {
        (month, partner): sheet(town, partner, month=month, known_at=closed)
        for month in ("2026-03", "2026-04")
        for partner in ("bakery", None)
    }
    changed = msgspec.to_builtins(coalition())
    changed |= {"name": {"en": "Another", "fr": "Autre"}, "time_zone": "America/New_York"}
    changed["partners"][0]["name"] = {"en": "The old mill", "fr": "Le vieux moulin"}
    town.runtime = published(connection, msgspec.convert(changed, Program), at("2026-06-01T00:00"))
    for (month, partner), paper in papers.items():
        again = sheet(town, partner, month=month, known_at=closed)
        assert again == paper
        assert again.content["amount"] == {"2026-03": "€0.25", "2026-04": "€0.38"}[month]
    # Each month begins where the one before ends, also where the zone changes.
    months = [settlements.month(town.runtime, f"2026-{number:02}") for number in range(1, 13)]
    assert all(one.ends == other.starts for one, other in pairwise(months))
