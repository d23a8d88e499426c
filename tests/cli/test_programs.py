"""The commands on program documents, as a person runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from palier.programs import files
from tests.commands import said as palier
from tests.engine.documents import plain, program


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "club.yaml"
    path.write_text(files.write(program()), encoding="utf-8")
    return path


def test_from_file_to_database_and_back(database: str, file: Path, tmp_path: Path) -> None:
    assert palier("validate", str(file)) == (0, f"{file} is a valid program: club, 2 rules.\n", "")

    code, out, _ = palier("plan", str(file))
    assert code == 0
    assert out.startswith('+ The program "Club" (club) is new.\n')
    assert "This would be version 1 of club" in out
    assert palier("programs")[1].startswith("There is no program yet")  # a plan writes nothing

    assert "Published version 1 of club" in palier("apply", str(file), "--yes")[1]
    exported = tmp_path / "again.yaml"
    exported.write_text(palier("export", "club")[1], encoding="utf-8")
    assert palier("apply", str(exported))[1] == "No change: version 1 of club says the same.\n"
    assert palier("plan", str(exported))[1] == "No change: version 1 of club says the same.\n"

    mistyped = tmp_path / "mistyped.yaml"
    mistyped.write_text(file.read_text(encoding="utf-8").replace("key: club", "key: clbu"), encoding="utf-8")
    likeness = "No program has the key clbu yet; did you mean club, which is published?"
    assert likeness in palier("plan", str(mistyped))[1].splitlines()

    file.write_text(file.read_text(encoding="utf-8").replace('fixed: "5"', 'fixed: "7"'), encoding="utf-8")
    code, out, _ = palier("plan", str(file), "--language", "fr")
    assert out.startswith("~ Règle bonus, bonus : 5 devient 7.\n")
    assert "Published version 2" in palier("apply", str(file), "-y")[1]
    assert 'fixed: "5"' in palier("export", "club", "--version", "1")[1]
    assert json.loads(palier("export", "club", "--json")[1])["rules"][1]["fixed"] == "7"
    assert [row["version"] for row in json.loads(palier("programs", "--json")[1])] == [2]

    code, out, error = palier("export", "other")
    assert (code, out) == (2, "")
    assert error == 'There is no program "other"; `palier programs` lists those there are.\n'


def test_a_plan_tells_what_apply_would_refuse(database: str, tmp_path: Path) -> None:
    """As after the demo: the gallery's file begins in the past, and the program has gone on since."""
    begun = "2016-12-31T00:00:00-05:00"
    file = tmp_path / "club.yaml"
    old, new = plain(), plain()
    new["rules"][1]["fixed"] = "7"
    for data in ({**old, "effective_from": begun}, new):
        file.write_text(files.write(program(data)), encoding="utf-8")
        assert "Published version" in palier("apply", str(file), "--yes")[1]

    file.write_text(files.write(program({**old, "effective_from": begun})), encoding="utf-8")
    code, out, error = palier("plan", str(file))
    assert (code, error) == (0, "")
    assert "~ Rule bonus, bonus: 7 becomes 5.\n" in out
    assert out.endswith(
        f"`palier apply` would refuse it: effective_from {begun} is past, and what happened since was judged by "
        "version 2; leave effective_from out to start now, or publish, then rerate.\n"
    )
    code, out, error = palier("apply", str(file), "--yes")
    assert (code, "Published" in out) == (2, False)
    assert "leave effective_from out" in error

    # What was exported, with a line changed, can be applied.
    again = palier("export", "club")[1].replace('fixed: "7"', 'fixed: "8"')
    file.write_text(again, encoding="utf-8")
    code, out, _ = palier("plan", str(file))
    assert (code, out.splitlines()[0]) == (0, "~ Rule bonus, bonus: 7 becomes 8.")
    assert "This would be version 3 of club" in out


def test_problems_name_their_line(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    file.write_text(
        text.replace('fixed: "5"', "fixed: 5").replace("on: sale", "onn: sale", 1), encoding="utf-8"
    )
    line = 1 + text[: text.index('fixed: "5"')].count("\n")
    code, out, error = palier("validate", str(file))
    assert (code, out) == (2, "")
    assert (
        f'{file}:{line}: rules[1].fixed: expected a text, got the number 5. Write "5" in quotes.\n' in error
    )
    assert 'rules[0].onn: "onn" is no setting here. Did you mean "on"?.' not in error
    assert 'rules[0].onn: "onn" is no setting here. Did you mean "on"?\n' in error


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    code, _, error = palier("validate", str(tmp_path / "none.yaml"))
    assert code == 2
    assert error == f"{tmp_path / 'none.yaml'} cannot be read: No such file or directory; check the name.\n"


def test_the_schema_is_json() -> None:
    assert json.loads(palier("schema")[1])["title"] == "Palier program document"


def test_a_program_is_told_in_plain_words(file: Path) -> None:
    code, out, error = palier("describe", str(file))
    assert code == 0
    assert out.startswith("Club\n====\n\nWhat you get\n")
    assert "You get 5\u00a0stars each time you buy." in out
    assert error.startswith("Readability: Flesch-Kincaid grade ")
    code, out, error = palier("describe", str(file), "--language", "fr", "--format", "markdown")
    assert (code, out.splitlines()[2]) == (0, "## Ce que vous recevez")
    assert error.startswith("Lisibilité\u00a0: Kandel-Moles ")
    page = json.loads(palier("describe", str(file), "--format", "json")[1])
    assert page["page"]["sections"][0]["key"] == "get"
    assert page["readability"]["age"] <= 10


def test_a_word_that_is_not_utf_8_is_refused(database: str) -> None:
    for command in ("export", "describe", "lint"):
        assert palier(command, "caf\udce9") == (2, "", "'caf\\udce9' is not UTF-8; write it in UTF-8.\n")


def test_what_cannot_be_told_is_refused(tmp_path: Path, database: str, file: Path) -> None:
    code, out, error = palier("describe", str(tmp_path / "none.yaml"))
    assert (code, out) == (2, "")
    assert "cannot be read" in error
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("palier: 1\n")
    code, out, error = palier("describe", str(wrong))
    assert (code, out) == (2, "")
    assert f"{wrong}:" in error
    code, out, error = palier("describe", "other")
    assert (code, out) == (2, "")
    assert error == 'There is no program "other" and no such file; `palier programs` lists those there are.\n'
    palier("apply", str(file), "--yes")
    assert palier("describe", "club")[1] == palier("describe", str(file))[1]


def test_a_plan_tells_what_begins_anew(database: str, file: Path) -> None:
    """`palier lint FILE` knows no version before: what only that shows is told by the plan, one by one."""
    assert palier("apply", file, "-y")[0] == 0
    text = file.read_text(encoding="utf-8")
    file.write_text(
        text.replace("on: sale\n", "on: sale\n    when: {field: nth, per: lifetime, is: 1}\n", 1),
        encoding="utf-8",
    )
    code, out, error = palier("plan", file)
    assert (code, error) == (0, "")
    told = [line for line in out.splitlines() if "counts_anew" in line]
    line = next(
        n for n, written in enumerate(file.read_text(encoding="utf-8").splitlines(), 1) if "nth" in written
    )
    assert len(told) == 1
    assert told[0].startswith(f"{file}:{line}: warning: FM-11 counts_anew: rules[0].when: ")
    assert (
        "counts purchases for life, and only from this version on: it begins at the first for those who"
        in told[0]
    )
    assert (
        "compte les achats à vie, et seulement à partir de cette version"
        in palier("plan", file, "--language", "fr")[1]
    )
    assert "counts_anew" not in palier("lint", file)[1]
    assert palier("apply", file, "-y")[0] == 0


def test_a_plan_tells_which_versions_never_begin(database: str, file: Path) -> None:
    """The last version that is published judges from its start on, whatever was published to begin later."""
    assert palier("apply", file, "-y")[0] == 0
    text = file.read_text(encoding="utf-8")

    def later(year: int, bonus: int) -> str:
        begins = f'effective_from: "{year}-01-01T00:00:00+00:00"\n'
        file.write_text(text.replace('fixed: "5"', f'fixed: "{bonus}"') + begins, encoding="utf-8")
        code, out, error = palier("plan", file)
        assert (code, error) == (0, "")
        return out

    assert "never begins" not in later(2101, 6)
    assert palier("apply", file, "-y")[0] == 0
    assert "never begins" not in later(2103, 7)
    assert palier("apply", file, "-y")[0] == 0
    assert [line for line in later(2102, 8).splitlines() if "never begins" in line] == [
        "- Version 3, published to begin at 2103-01-01T00:00:00Z, never begins."
    ]
    file.write_text(text, encoding="utf-8")
    told = palier("apply", file, "-y", "--language", "fr")[1].splitlines()
    assert [line for line in told if "ne commence jamais" in line] == [
        "- La version 2, publiée pour commencer à 2101-01-01T00:00:00Z, ne commence jamais.",
        "- La version 3, publiée pour commencer à 2103-01-01T00:00:00Z, ne commence jamais.",
    ]
    assert "never begins" not in later(2101, 6)


def test_what_asks_where_nobody_answers_says_so(database: str, file: Path) -> None:
    code, out, error = palier("apply", file)
    assert code == 2
    assert "The program" in out
    assert error.endswith("It was not done: nobody answered. Where nobody can be asked, add --yes.\n")
    assert "no program" in palier("export", "club")[2]


def test_plan_and_apply_speak_french(database: str, file: Path, tmp_path: Path) -> None:
    def french(*words: str | Path) -> tuple[int, str, str]:
        code, out, error = palier(*words, "--language", "fr")
        return code, out.replace("\u00a0", " "), error.replace("\u00a0", " ").replace("\u202f", " ")

    assert "Ce serait la version 1 de club, à partir du " in french("plan", file)[1]
    assert "Version 1 de club publiée, à partir du " in french("apply", file, "-y")[1]
    unchanged = (0, "Aucun changement : la version 1 de club dit la même chose.\n", "")
    assert french("plan", file) == french("apply", file) == unchanged

    text = file.read_text(encoding="utf-8")
    changed = text.replace('fixed: "5"', 'fixed: "7"')
    file.write_text(f'{changed}effective_from: "2020-01-01T00:00:00+00:00"\n', encoding="utf-8")
    past = (
        "effective_from 2020-01-01T00:00:00+00:00 est passé, et ce qui a eu lieu depuis a été jugé par la "
        "version 1 ; laissez effective_from de côté pour commencer maintenant, ou publiez, puis faites rejuger.\n"
    )
    code, out, error = french("plan", file)
    assert (code, error) == (0, "")
    assert out.replace("\u202f", " ").endswith(f"`palier apply` le refuserait : {past}")
    code, _, error = french("apply", file, "-y")
    assert (code, error) == (2, past)
    assert "is past" in palier("plan", file)[1]
    assert "is past" in palier("apply", file, "-y")[2]

    file.write_text(
        text.replace('fixed: "5"', "fixed: 5").replace("on: sale", "onn: sale", 1), encoding="utf-8"
    )
    code, out, error = french("plan", file)
    assert (code, out) == (2, "")
    assert f"{file}:43: rules[1].fixed : attendu : un texte ; trouvé : le nombre 5. Écrivez " in error
    none = tmp_path / "none.yaml"
    assert french("plan", none)[2].startswith(
        f"{none} ne peut pas être lu : aucun fichier ni dossier de ce nom ; vérifiez"
    )
