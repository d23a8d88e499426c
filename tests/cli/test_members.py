"""Members, imports and backtests from the command line, as a person runs them."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from palier.programs import files, gallery
from tests.activities.program import BEGINNING, Connection, program, published
from tests.activities.test_imports import sale
from tests.commands import said as palier

CSV = """ticket,date,total,card
t1,2026-03-02 10:00,42.10,c1
t2,2026-03-03 10:00,"9.99",c2
t3,2026-03-04 10:00,99.00,c1
t4,yesterday,5.00,c1
t5,2026-03-05 10:00,1.234,c1
"""
MAPPED = ["--map", "id=ticket", "--map", "amount=total", "--map", "member.card=card"]


@pytest.fixture
def shop(connection: Connection) -> None:
    published(connection, program(effective_from="2020-01-01T00:00:00+00:00"), now=BEGINNING)


@pytest.fixture
def till(tmp_path: Path) -> list[str | Path]:
    file, mapping = tmp_path / "till.csv", tmp_path / "map.yaml"
    file.write_text(CSV)
    mapping.write_text("constants: {source: till}\n")
    return ["import", "activities", file, "--mapping", mapping, *MAPPED, "--workers", "1"]


def test_from_a_file_to_an_explanation(shop: None, till: list[str | Path], tmp_path: Path) -> None:
    code, out, error = palier(*till, "--enrol")
    assert code == 0, error
    rows = [line.split() for line in out.splitlines()[:4]]
    assert rows == [["applied", "3"], ["duplicate", "0"], ["refused", "2"], ["parked", "0"]]
    assert "2 members enrolled." in out
    refused = tmp_path / "till.refused.csv"
    assert str(refused) in out.replace("\n", "")
    lines = refused.read_text(encoding="utf-8-sig").splitlines()
    assert lines[0] == "refused_line,refused_code,refused_reason,ticket,date,total,card"
    assert lines[1].startswith("5,bad_instant,")
    assert lines[2].startswith("6,invalid_amount,")
    assert lines[2].endswith("t5,2026-03-05 10:00,1.234,c1")

    again = json.loads(palier(*till, "--enrol", "--json")[1])
    assert [again[name] for name in ("sent", "applied", "duplicate", "refused", "parked")] == [5, 0, 3, 2, 0]

    refused.write_text(
        refused.read_text(encoding="utf-8").replace("yesterday", "2026-03-04 11:00").replace("1.234", "1.23")
    )
    code, out, error = palier("import", "activities", refused, *till[3:])
    assert code == 0, error
    assert out.splitlines()[0].split() == ["applied", "2"]
    code, out, _ = palier("import", "activities", refused, *till[3:])
    assert "Nothing to do: till.refused.csv was imported before, 2 activities in all." in out
    code, out, _ = palier("import", "activities", refused, *till[3:], "--again")
    assert "Nothing new: 2 activities of till.refused.csv, all here already." in out

    code, out, _ = palier("members", "find", "card:c1")
    ref = out.split()[0]
    assert ref.startswith("m_")
    assert " active  since 2026-03-02" in out

    wallet = json.loads(palier("wallet", ref, "--json")[1])["wallets"][0]
    assert (wallet["currency"], wallet["spendable"]) == ("stars", "147")
    earlier = json.loads(palier("wallet", ref, "--as-of", "2026-03-03", "--json")[1])
    assert earlier["wallets"][0]["spendable"] == "42"
    assert (
        json.loads(palier("wallet", ref, "--known-at", "2026-03-03", "--json")[1])["wallets"][0]["spendable"]
        == "0"
    )

    code, out, _ = palier("explain", ref, "till", "t1")
    assert code == 0
    assert "purchase  till t1  +42" in out
    assert "€42.10 × 1\u00a0star = 42" in out
    code, out, _ = palier("explain", ref, "till", "t1", "--language", "fr")
    assert "achat  till t1  +42" in out
    assert "42,10\u00a0€ × 1\u00a0étoile = 42" in out
    told = json.loads(palier("history", ref, "--json")[1])
    assert {row["id"] for row in told} == {"t1", "t3", "t4", "t5"}
    assert {row["id"]: row["points"]["stars"] for row in told}["t3"] == "99"
    assert "147" in palier("explain", ref)[1]

    # Nobody seals or counts meanwhile: the figures are whole all the same.
    stars = json.loads(palier("insights", "shop", "--json")[1])["currencies"][0]
    assert (stars["outstanding"]["now"], stars["liability"]["now"]) == ("156", "0.00")


def test_what_is_not_there_is_said_with_a_remedy(shop: None) -> None:
    assert palier("wallet", "card:nobody") == (
        2,
        "",
        "shop has no member card:nobody; `palier members list` shows those there are, "
        "`palier members enrol KIND:VALUE` makes one.\n",
    )
    assert palier("wallet", "m_1")[2].startswith("shop has no member m_1;")
    assert palier("wallet", "shoe:1")[2].startswith("'shoe' is not a kind of identity;")
    assert palier("members", "enrol", "c1")[2] == "'c1' is no identity; write KIND:VALUE, such as card:123.\n"
    out = palier("members", "enrol", "card:c1", "--json")[1]
    ref = json.loads(out)[0]["member"]
    assert palier("members", "enrol", "card:c1")[1].startswith("Enrolled before.\n" + ref)
    assert palier("explain", ref, "till")[2].startswith("Name the activity by its source and its id")
    assert palier("explain", ref, "till", "none")[2].startswith("The member has no activity till none;")
    for instant in ("soon", "0001-01-01", "9999-12-31", "0001-01-01T00:00:00+14:00"):
        assert palier("wallet", ref, "--as-of", instant)[2].startswith(f"'{instant}' is no instant;")
    assert palier("wallet", ref, "--as-of", "9998-12-31T23:59:59-12:00")[0] == 0
    assert palier("wallet", ref, "--program", "other")[2].startswith('There is no program "other";')


def test_what_is_refused_speaks_the_language_of_the_command(
    shop: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ("wallet", "card:nobody", "--program", "other")
    english = 'There is no program "other"; `palier programs` lists those there are.\n'
    french = "Il n\u2019y a pas de programme «\u00a0other\u00a0»"
    assert palier(*asked)[2] == english
    assert palier(*asked, "--language", "fr")[2].startswith(french)
    monkeypatch.setenv("LC_ALL", "fr_FR.UTF-8")
    assert palier(*asked)[2].startswith(french)
    assert palier(*asked, "--language=en")[2] == english
    # What the library of the command line says, too, and a command that has no --language.
    assert palier("wallet", "--nope")[2] == (
        "Il n\u2019y a pas ici d\u2019option --nope. Voyez `palier wallet --help`.\n"
    )
    assert palier("orders", "list", "--program", "other")[2].startswith(french)
    # What is printed follows the terminal as well.
    assert palier("members", "enrol", "card:1")[0] == 0
    assert "à dépenser" in palier("wallet", "card:1")[1]


def test_files_that_cannot_be_imported(shop: None, tmp_path: Path) -> None:
    none = tmp_path / "none.csv"
    assert palier("import", "activities", none)[::2] == (
        2,
        f"{none} cannot be read: No such file or directory. Check the path and the permissions.\n",
    )
    file = tmp_path / "odd.csv"
    file.write_text("a,b\n1,2\n")
    code, out, error = palier("import", "activities", file)
    assert (code, out) == (2, "")
    assert "no column for source, id, occurred_at, member" in error


def test_a_backtest_of_the_present_program_equals_the_ledger(
    shop: None, till: list[str | Path], tmp_path: Path
) -> None:
    assert palier(*till, "--enrol")[0] == 0
    code, out, error = palier("backtest", "shop", "--history", "live", "--workers", "1")
    assert code == 0, error
    assert "Equal to the ledger to the last unit: 2\u00a0members" in out
    cut = palier("backtest", "shop", "--history", "live", "--workers", "1", "--until", "2020-01-02")[1]
    assert "Equal to the ledger" not in cut
    assert "0\u00a0activities" in cut
    document = tmp_path / "richer.yaml"
    richer = program(effective_from="2020-01-01T00:00:00+00:00")
    document.write_text(files.write(richer).replace('points: "1"', 'points: "2"'))
    told = json.loads(
        palier("backtest", document, "--history", "live", "--workers", "1", "--threshold", "200", "--json")[1]
    )
    assert told["changes"] | {"largest": 0} == {"compared": 2, "better": 2, "worse": 0, "largest": 0}
    assert sorted(change["points"] for change in told["changes"]["largest"]) == ["10", "141"]
    assert told["threshold"]["members"] == 1


def test_a_backtest_of_a_file_needs_no_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PALIER_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    document, history = tmp_path / "shop.yaml", tmp_path / "history.csv"
    document.write_text(files.write(program()))
    rows = [sale(number, number % 3, 1000) for number in range(9)]
    history.write_text(
        "source,id,occurred_at,amount,card\n"
        + "".join(
            f"{row['source']},{row['id']},{row['occurred_at']},{row['amount']},{row['member']['card']}\n"
            for row in rows
        )
    )
    code, out, error = palier("backtest", document, "--history", history, "--workers", "1", "--json")
    assert code == 0, error
    told = json.loads(out)
    assert (told["members"], told["activities"], told["spend"]) == (3, 9, "90.00")
    assert told["currencies"]["stars"]["issued"] == "90"
    code, out, _ = palier("backtest", document, "--history", history, "--against", document, "--workers", "1")
    assert "Against the other program: 0\u00a0members better off, 0 worse, 3 the same." in out


def test_a_backtest_tells_what_mechanics_and_rules_brought(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PALIER_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    history = tmp_path / "history.csv"
    rows = [f"till,s{n},2026-03-0{n % 5 + 2}T10:00:00+01:00,60.00,c{n % 2}" for n in range(8)]
    history.write_text("\n".join(["source,id,occurred_at,amount,card", *rows]))
    entry = gallery.find("goal_journey")
    assert entry is not None
    arguments = ("backtest", entry.document, "--history", history, "--workers", "1", "--by-rule")
    code, out, error = palier(*arguments, "--json")
    assert code == 0, error
    told = json.loads(out)
    trail = told["mechanics"]["goals"]["trail"]
    assert [step["members"] for step in trail] == [2, 2, 2, 2, 0]
    assert told["mechanics"]["granted"]["goal:trail"]["worth"] == "138.00"
    assert told["rules"] == {}
    code, out, _ = palier(*arguments)
    assert code == 0
    for words in ("Tea trail", "150: The tea house", "100 %", "Given by mechanics", "2 tins", "Logbook"):
        assert words in out.replace("\u00a0", " ")
    entry = gallery.find("simple_points")
    assert entry is not None
    code, out, _ = palier("backtest", entry.document, "--history", history, "--workers", "1", "--by-rule")
    assert code == 0
    assert "480 points" in out.replace("\u00a0", " ")


def test_a_backtest_speaks_french(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PALIER_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    history = tmp_path / "history.csv"
    rows = [
        "s1,2026-03-02T10:00:00+01:00,60.00,c1",
        "s2,2026-03-09T10:00:00+01:00,60.00,c1",
        "s2,2026-03-09T10:00:00+01:00,60.00,c1",
        "s3,2026-03-10T10:00:00+01:00,1060.00,c1",
        "s4,2026-03-02T10:00:00+01:00,60.00,c2",
        "s5,2026-03-03T10:00:00+01:00,2060.00,c2",
    ]
    history.write_text("source,id,occurred_at,amount,card\n" + "".join(f"till,{row}\n" for row in rows))
    entries = [gallery.find(key) for key in ("grocery", "simple_points")]
    documents = [entry.document for entry in entries if entry is not None]
    more = (
        "--against",
        documents[1],
        "--history",
        history,
        "--workers",
        "1",
        "--by-rule",
        "--threshold",
        "100",
    )

    def told(*language: str) -> list[str]:
        code, out, error = palier("backtest", documents[0], *more, *language)
        assert code == 0, error
        return [" ".join(line.split()) for line in out.splitlines()]

    french, english = told("--language", "fr"), told()
    assert french[0].startswith("Étoiles fraîches : 5 activités de 2 membres en ")
    for row in (
        "1 ligne de côté, que l'entrée refuserait.",
        "Achats 3 300,00 $",
        "Étoiles en attente 0",
        "Retour effectif 0,76 % coût sur achats",
        "Niveau Vert 0 celui du début",
        "Niveau Argent 2 atteint par 2",
        "Niveau Or 0 atteint par 0",
        "Ont atteint 100 étoiles 100 % 2 membres",
        "un quart d'entre eux 1 jour après la première activité",
        "neuf sur dix 7 jours après la première activité",
        "750 : Le verger 2 100 %",
        "2 à 3 semaines 1",
        "Le parcours de l'année 350 étoiles 3,50 $",
        "Règles émis moins repris ; valeur",
        "Par rapport à l'autre programme : gain pour 2 membres, perte pour 2, rien de changé pour 0.",
    ):
        assert row in french
    for row in (
        "1 row passed over, which the intake would refuse.",
        "Tier Green 0 where members begin",
        "Tier Silver 2 2 reached it",
        "by a quarter of them 1 day after the first activity",
        "The year's path 350 stars $3.50",
    ):
        assert row in english
    # Nothing but the program's own keys of members is the same in both.
    assert [row for row in french if row in english and not row.startswith("card:")] == []


def test_what_members_are_after_and_those_who_run_the_program(connection: Connection) -> None:
    text = {"en": "Card", "fr": "Carte"}
    published(
        connection,
        program(
            effective_from="2020-01-01T00:00:00+00:00",
            goals=[
                {"key": "card", "name": text, "steps": [{"at": "3", "name": text}]},
                {"key": "month", "name": text, "window": {"kind": "each", "period": "month"}},
            ],
            streaks=[{"key": "flame", "name": {"en": "Flame", "fr": "Flamme"}, "on": ["sale"]}],
            leaderboards=[{"key": "top", "name": text, "goal": "month",
                           "prizes": [{"through": 1, "grants": [{"currency": "stars", "points": "5"}]}]}],
            campaigns=[{"key": "spring", "name": {"en": "Spring", "fr": "Printemps"}, "budget": {"points": "9"},
                        "rules": [{"key": "more", "name": text, "on": "sale", "currency": "stars",
                                   "fixed": "2"}]}],
        ),
        now=BEGINNING,
    )  # fmt: skip
    connection.rollback()
    palier("members", "enrol", "card:c1")
    code, out, error = palier("members", "progress", "card:c1")
    assert code == 0, error
    assert "Card" in out
    assert "0 / 3" in out
    assert "not begun" in out
    code, out, _ = palier("members", "progress", "card:c1", "--language", "fr", "--json")
    assert json.loads(out)["goals"][0]["next"] == {"at": "3", "missing": "3"}
    assert palier("campaigns", "list", "shop")[1].splitlines() == [
        "spring  running    Spring  0 of 9\u00a0stars used"
    ]
    code, out, error = palier("campaigns", "pause", "shop", "spring", "--reason", "a wrong price")
    assert (code, out) == (0, "spring is paused: version 2 of shop says so from now on.\n"), error
    assert palier("campaigns", "pause", "shop", "spring")[1] == "No change: spring was paused already.\n"
    assert palier("campaigns", "pause", "shop", "none")[0] == 2
    assert (
        palier("leaderboards", "show", "shop", "top", "--period", "2026-03")[1]
        == "Card  2026-03\nNobody yet.\n"
    )
    assert palier("leaderboards", "rebuild", "shop")[1] == "1 member, 1 goal by which they are ranked.\n"
    code, out, error = palier("leaderboards", "award", "shop", "top", "--period", "2026-03")
    assert (code, out) == (0, "0 prizes of top, 2026-03, given.\n"), error
    assert "given before" in palier("leaderboards", "award", "shop", "top", "--period", "2026-03")[1]
    code, _, error = palier("dividend", "shop", "club", "--year", "2025", "--rate", "0.1")
    assert (code, error) == (2, "There was no membership 'club' at the end of 2025.\n")
    assert palier("programs", "keep-value", "shop")[1] == "Nothing is to be made up for.\n"
    assert palier("programs")[1].startswith("shop  version 2")


def test_a_referral_and_a_merge_from_the_command_line(shop: None) -> None:
    def told(*words: str, code: int = 0) -> str:
        status, out, error = palier("members", *words)
        assert status == code, (out, error)
        return out + error

    told("enrol", "email:ann@example.org")
    referral = told("referral-code", "email:ann@example.org").split()[0]
    assert told("referral-code", "email:ann@example.org").split()[0] == referral
    # This program rewards no referral, so that none is recorded.
    assert "No referral is recorded" in told("enrol", "card:2", "--referred-by", referral.lower())
    assert "Nobody has" in told("enrol", "card:3", "--referred-by", "22222222", code=2)
    assert "belongs to the one who joins" in told(
        "enrol", "email:ann+1@example.org", "--referred-by", referral, code=2
    )
    # Who is not there is refused before anything is asked.
    assert "nobody answered" in told(
        "merge", "card:2", "--into", "email:ann@example.org", "--reason", "twins", code=2
    )
    assert "nobody answered" not in told("merge", "card:2", "--into", "card:9", "--reason", "twins", code=2)
    merge = ("merge", "card:2", "--into", "email:ann@example.org", "--reason", "enrolled twice", "--yes")
    gone = told("merge", "card:2", *merge[2:]).split()[0]
    found = json.loads(told("find", gone, "--json"))
    assert "merged" in json.dumps(found)
    # The card is the other member's now, and a member is not merged into itself.
    assert "not merged into itself" in told(*merge, code=2)
    assert "undone" not in told("unmerge", gone, "--reason", "twins")
    assert "not merged into another" in told("unmerge", gone, "--reason", "twins", code=2)


def test_what_is_listed_adds_up_to_what_is_there(connection: Connection, tmp_path: Path) -> None:
    expiry = {"kind": "end_of_month", "after_months": 6, "grace_days": 7}
    stars = msgspec.to_builtins(program().point_currencies[0]) | {"expiry": expiry}
    published(
        connection, program(point_currencies=[stars], effective_from="2020-01-01T00:00:00+00:00"), BEGINNING
    )
    amounts = [1, 2, 30, 40, 50, 60, 70, 1234]
    days = ["2025-09-01", "2025-10-01", "2025-11-01", "2025-12-01", "2026-01-01", "2026-02-01", "2026-03-01"]
    rows = [
        f"till,s{number},{day}T10:00:00+01:00,{amount}.00,c1"
        for number, (day, amount) in enumerate(zip([*days, "2026-04-03"], amounts, strict=True))
    ]
    file = tmp_path / "till.csv"
    file.write_text("\n".join(["source,id,occurred_at,amount,card", *rows]))
    code, out, error = palier("import", "activities", file, "--enrol", "--workers", "1")
    assert code == 0, error
    assert "8 activities of till.csv" in out
    assert "1 member enrolled." in out

    def told(as_of: str, *more: str) -> list[str]:
        code, out, error = palier("wallet", "card:c1", "--as-of", as_of, *more)
        assert code == 0, error
        return [" ".join(line.split()) for line in out.splitlines()[1:-1]]

    assert told("2026-03-31") == [
        "253 stars to spend",
        "1 good through 31 March 2026",
        "2 good through 30 April 2026",
        "30 good through 31 May 2026",
        "40 good through 30 June 2026",
        "50 good through 31 July 2026",
        "60 good through 31 August 2026",
        "70 good through 30 September 2026",
    ]
    # The end of March has passed, its week of grace has not; and the eighth end is told with the seventh.
    assert told("2026-04-05") == [
        "1,487 stars to spend",
        "1 in the grace, to spend through 7 April 2026",
        "2 good through 30 April 2026",
        "30 good through 31 May 2026",
        "40 good through 30 June 2026",
        "50 good through 31 July 2026",
        "60 good through 31 August 2026",
        "1,304 in 2 more lots, the last good through 31 October 2026",
    ]
    french = told("2026-04-05", "--language", "fr")
    assert french[:3] == [
        "1 487 étoiles à dépenser",
        "1 dans le délai de grâce, utilisable jusqu'au 7 avril 2026",
        "2 valables jusqu'au 30 avril 2026",
    ]
    assert french[-1] == "1 304 dans 2 autres lots, le dernier valable jusqu'au 31 octobre 2026"
    assert told("2026-03-31", "--language", "fr")[1] == "1 valable jusqu'au 31 mars 2026"


def test_what_members_do_is_told_in_words(connection: Connection, tmp_path: Path) -> None:
    review = {"key": "review", "name": {"en": "A review", "fr": "Un avis"}}
    flame = {"key": "flame", "name": {"en": "Flame", "fr": "Flamme"}, "on": ["sale"]}
    beginning = "2020-01-01T00:00:00+00:00"
    published(
        connection, program(effective_from=beginning, activity_types=[review], streaks=[flame]), BEGINNING
    )
    rows = [
        "s1,sale,2026-03-02,9.00",
        "s2,sale,2026-03-10,9.00",
        "r1,review,2026-03-11,",
        "v1,visit,2026-03-12,",
    ]
    file = tmp_path / "till.csv"
    file.write_text("source,id,type,occurred_at,amount,card\n" + "".join(f"till,{row},c1\n" for row in rows))
    code, out, error = palier("import", "activities", file, "--enrol", "--workers", "1")
    assert (code, "4 activities" in out) == (0, True), out + error

    def kinds(*more: str) -> list[str]:
        out = palier("history", "card:c1", *more)[1].replace("\u00a0", " ")
        return [line[18:].split("  ")[0].strip() for line in out.splitlines() if line[:2] == "20"]

    assert kinds() == ["streak ended", "visit", "A review", "purchase", "streak ended", "purchase"]
    assert kinds("--language", "fr") == [
        "fin de série",
        "passage",
        "Un avis",
        "achat",
        "fin de série",
        "achat",
    ]
    said = palier("explain", "card:c1", "--language", "fr")[1]
    assert [word for word in ("streak_lapsed", "sale", "review", "visit") if f" {word} " in said] == []
