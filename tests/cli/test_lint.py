"""`palier lint`, and what `plan` and `apply` say of it, as a person runs them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from palier.programs import files
from palier.site import database as site_database
from tests.commands import said as palier
from tests.engine.documents import program
from tests.engine.test_lint import sound

ROOT = Path(__file__).parents[2]
GROCERY = ROOT / "gallery" / "grocery" / "program.yaml"


def written(path: Path, **changes: Any) -> Path:
    path.write_text(files.write(program(sound() | changes)), encoding="utf-8")
    return path


def test_a_file_needs_no_database() -> None:
    code, out, error = palier("lint", str(GROCERY))
    assert (code, error) == (0, "")
    assert out.startswith("grocery: complexity ")
    line = next(line for line in out.splitlines() if "many_sums" in line)
    place, _, rest = line.partition(": warning: FM-02 many_sums: rules: ")
    assert rest
    number = int(place.rpartition(":")[2])
    assert GROCERY.read_text(encoding="utf-8").splitlines()[number - 1].startswith("rules:")


def test_it_is_told_in_french(tmp_path: Path) -> None:
    expiry = {"kind": "rolling", "days": 30}
    currencies = [{**sound()["point_currencies"][0], "expiry": expiry}, *sound()["point_currencies"][1:]]
    made = written(tmp_path / "club.yaml", point_currencies=currencies)
    code, out, error = palier("lint", str(made), "--language", "fr")
    assert (code, error) == (0, "")
    assert out.startswith("club : complexité ")
    assert (
        "avertissement: FM-15 short_life: point_currencies[0].expiry: ce qui est gagné peut ne durer que 30"
        in out
    )
    assert "Le faire durer 90 jours ou plus." in out
    assert "found" not in out


def test_as_json_everything_is_there(tmp_path: Path) -> None:
    code, out, _ = palier("lint", str(written(tmp_path / "club.yaml")), "--json")
    told = json.loads(out)
    assert code == 0
    assert told["complexity"]["level"] == "simple"
    assert told["complexity"]["score"] == sum(part["points"] for part in told["complexity"]["parts"].values())
    assert [finding["name"] for finding in told["findings"]] == ["never_played"]
    assert told["findings"][0]["line"] == 1


def test_a_file_is_played(tmp_path: Path) -> None:
    history = tmp_path / "sales.csv"
    rows = [f"t{number},till,card:1,2026-01-{number:02d}T10:00:00+01:00,30.00" for number in range(1, 12)]
    history.write_text("\n".join(["id,source,member,occurred_at,amount", *rows, ""]), encoding="utf-8")
    document = written(tmp_path / "club.yaml")
    code, out, error = palier("lint", str(document), "--history", str(history), "--json", "--workers", "1")
    assert (code, error) == (0, "")
    told = json.loads(out)
    assert told["shown"]["activities"] == "11"
    assert told["shown"]["effective return"] == "5.45 %"  # 330 stars of 0.05, and 30 of the goal, of 330.00
    assert told["shown"]["reached cups, step 2"] == "100 %"
    assert "too_easy" in {finding["name"] for finding in told["findings"]}


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "club.yaml"
    path.write_text("palier: 1\n", encoding="utf-8")
    code, out, error = palier("lint", str(path))
    assert (code, out) == (2, "")
    assert f"{path}:1: key is missing" in error


def test_plan_and_apply_tell_and_refuse(database: str, tmp_path: Path) -> None:
    path = written(tmp_path / "club.yaml")
    code, out, _ = palier("apply", str(path), "--yes")
    assert code == 0
    assert "Complexity " in out
    assert "palier lint" in out
    code, out, _ = palier("lint", "club", "--history", "live", "--json", "--workers", "1")
    assert code == 0
    assert json.loads(out)["shown"]["members"] == "0"

    cut = sound()["point_currencies"]
    cut[0]["value"] = "0.04"
    written(path, point_currencies=cut)
    for command in (("plan", str(path)), ("apply", str(path), "--yes")):
        code, out, error = palier(*command)
        assert code == 2
        assert "error: FM-15 value_cut: point_currencies[0].value: stars fall from 0.05 to 0.04." in error
        assert "version 2" not in out
    assert json.loads(palier("programs", "--json")[1])[0]["version"] == 1


def test_apply_asks_for_the_second_person_and_logs_who_goes_alone(database: str, tmp_path: Path) -> None:
    path = written(tmp_path / "club.yaml", approval_to_publish=True)
    assert palier("apply", str(path), "--yes")[0] == 0
    written(path, approval_to_publish=False)
    code, out, _ = palier("plan", str(path))
    assert code == 0
    assert "A second person approves it" in out
    code, out, error = palier("apply", str(path), "--yes")
    assert (code, "Published" in out) == (2, False)
    assert "palier apply --alone REASON" in error
    assert json.loads(palier("programs", "--json")[1])[0]["version"] == 1
    code, out, _ = palier("apply", str(path), "--yes", "--alone", "the shop is on fire")
    assert (code, "Published version 2" in out) == (0, True)
    with site_database.connect() as connection:
        logged = connection.execute(
            "select action, object, reason from audit_log where action like 'program.%' order by seq"
        ).fetchall()
    assert logged == [
        ("program.publish", "program:club:1", ""),
        ("program.publish_alone", "program:club:2", "the shop is on fire"),
    ]


@pytest.mark.parametrize("reward", ["cups:1", "stars:40"])
def test_the_first_reward_can_be_named(tmp_path: Path, reward: str) -> None:
    code, _, error = palier("lint", str(written(tmp_path / "club.yaml")), "--reward", reward)
    assert (code, error) == (0, "")


def test_a_reward_that_is_not_there_is_refused(tmp_path: Path) -> None:
    code, _, error = palier("lint", str(written(tmp_path / "club.yaml")), "--reward", "coins:1")
    assert code == 2
    assert "stars, cups" in error


def test_plan_counts_what_lint_finds(database: str, tmp_path: Path) -> None:
    path = written(tmp_path / "club.yaml")
    assert "; 0\u00a0warnings and 1\u00a0notice of what makes programs fail: " in palier("plan", path)[1]
    french = palier("plan", path, "--language", "fr")[1]
    assert " (simple) ; 0\u00a0avertissement et 1\u00a0remarque sur ce qui fait échouer" in french
    assert f"`palier lint {path} --language fr` les dit." in french
