"""The commands on the catalogue, as a person runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from palier.programs import gallery
from tests.commands import said as palier

ENTRY = gallery.find("grocery")


@pytest.fixture
def file(tmp_path: Path, database: str) -> Path:
    """The grocery's rewards, its program published."""
    assert ENTRY is not None
    assert ENTRY.rewards is not None
    assert palier("apply", str(ENTRY.document), "--yes")[0] == 0
    path = tmp_path / "rewards.yaml"
    path.write_text(ENTRY.rewards.read_text(encoding="utf-8"), encoding="utf-8")
    return path


def test_from_file_to_catalogue_and_back(file: Path, tmp_path: Path) -> None:
    code, out, _ = palier("rewards", "plan", str(file))
    assert code == 0
    assert out.startswith('+ The reward "A cup of coffee" (coffee_cup) is new.\n')
    assert out.endswith("This would write 35 of 35 rewards.\n")
    assert palier("rewards", "list", "grocery")[1].startswith(
        "There is no such reward"
    )  # a plan writes nothing

    assert palier("rewards", "apply", str(file), "-y")[1].endswith("Wrote 35 of 35 rewards of grocery.\n")
    for option in ((), ("--json",)):
        again = tmp_path / ("again.json" if option else "again.yaml")
        again.write_text(palier("rewards", "export", "grocery", *option)[1], encoding="utf-8")
        for command in ("plan", "apply"):
            code, out, _ = palier("rewards", command, str(again))
            assert (code, out) == (0, "No change: the catalogue of grocery says the same.\n")

    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace('- points: {stars: "150"}', '- points: {stars: "120"}'), encoding="utf-8")
    code, out, _ = palier("rewards", "plan", str(file), "--language", "fr")
    assert out.splitlines() == [
        "~ Récompense coffee_cup, prix, standard, points, stars : 150 devient 120.",
        "This would write 1 of 35 rewards.",
    ]
    assert palier("rewards", "apply", str(file), "-y", "--reason", "autumn prices")[0] == 0
    told = palier("rewards", "history", "grocery", "coffee_cup")[1].splitlines()
    assert told[2].startswith("Version 2, from ")
    assert told[2].endswith(": autumn prices")
    assert told[3] == "  ~ Reward coffee_cup, price, standard, points, stars: 150 becomes 120."

    rows = json.loads(
        palier("rewards", "list", "grocery", "--words", "café", "--language", "fr", "--json")[1]
    )
    assert [(row["reward"], row["prices"]) for row in rows] == [
        ("surprise_bag", "260 étoiles"), ("breakfast_for_two", "550 étoiles"), ("coffee_cup", "120 étoiles"),
    ]  # fmt: skip


def test_what_a_file_leaves_out_is_retired_when_asked(file: Path) -> None:
    assert palier("rewards", "apply", str(file), "-y")[0] == 0
    text = file.read_text(encoding="utf-8")
    start = text.index("  - key: knife_sharpening")
    file.write_text(text[:start] + text[text.index("  - key: priority_checkout") :], encoding="utf-8")
    assert "No change" in palier("rewards", "plan", str(file))[1]
    out = palier("rewards", "plan", str(file), "--retire")[1]
    assert out.startswith("~ Reward knife_sharpening, state: live becomes retired.\n")
    assert palier("rewards", "apply", str(file), "--retire", "-y")[0] == 0
    assert "knife_sharpening" not in palier("rewards", "export", "grocery")[1]
    assert "knife_sharpening" in palier("rewards", "export", "grocery", "--retired")[1]


def test_problems_name_their_line(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace('{stars: "450"}', '{star: "450"}', 1), encoding="utf-8")
    for command in ("validate", "plan", "apply"):
        code, out, error = palier("rewards", command, str(file))
        assert (code, out) == (2, "")
        line = 1 + file.read_text(encoding="utf-8").splitlines().index('      - points: {star: "450"}')
        assert error == (
            f'{file}:{line}: rewards[10].prices[0].points.star: there is no point currency "star". '
            'Did you mean "stars"?\n'
        )
    assert palier("rewards", "plan", str(file.with_name("none.yaml")))[0] == 2
    assert palier("rewards", "plan", str(file.parent))[0] == 2
    file.write_text("rewards: []\n", encoding="utf-8")
    code, _, error = palier("rewards", "plan", str(file))
    assert code == 2
    assert error.endswith("does not name its program; write program: and its key at the top.\n")


def test_a_suppliers_catalogue_is_loaded(file: Path, tmp_path: Path) -> None:
    def item(number: int, **changes: object) -> str:
        return json.dumps(
            {
                "key": f"item-{number}", "name": {"en": f"Thing {number}"}, "gives": {"kind": "gift_card"},
                "supplier": {"key": "sample", "sku": f"S{number}"}, "prices": [{"points": {"stars": "100"}}],
                **changes,
            }
        )  # fmt: skip

    lines = tmp_path / "items.jsonl"
    lines.write_text(
        "\n".join([item(1), "", item(2), "{not json", item(3, stock=-1), item(1)]), encoding="utf-8"
    )
    code, out, error = palier("rewards", "load", "grocery", str(lines))
    assert (code, out) == (0, "5 rewards of items.jsonl: 2 new, 0 changed, 0 as they were, 3 refused.\n")
    assert f'{lines}:4: the line: expected a mapping, got the text "{{not json"' in error
    assert f"{lines}:5: item-3, stock: -1 is below 0; write 0 or more." in error
    again = json.loads(palier("rewards", "load", "grocery", str(lines), "--json")[1])
    assert again == {"sent": 5, "new": 0, "changed": 0, "same": 2, "refused": 3}
    exported = tmp_path / "again.jsonl"
    exported.write_text(palier("rewards", "export", "grocery", "--lines")[1], encoding="utf-8")
    assert json.loads(palier("rewards", "load", "grocery", str(exported), "--json")[1])["same"] == 2


def test_the_schema_describes_every_setting() -> None:
    schema = json.loads(palier("rewards", "schema")[1])
    assert schema["title"] == "Palier catalogue of rewards"
    for name in ("Reward", "Price", "PercentOff", "Mystery", "Limits", "GivingBack"):
        for setting, told in schema["$defs"][name]["properties"].items():
            assert setting == "kind" or told.get("description"), (name, setting)


def test_the_demo_stocks_an_empty_catalogue_once(file: Path) -> None:
    from palier.activities.runtime import runtime
    from palier.cli.demo import history
    from palier.rewards import catalogue
    from palier.site import clock
    from palier.site import database as platform

    with platform.connect("app") as connection:
        found = runtime(connection, "grocery")
        assert found is not None
        for _ in range(2):
            history.stock(connection, found, now=clock.now())
            kept = list(catalogue.latest(connection, found.program_id))
            assert len(kept) == 35
            assert {item.version for item in kept} == {1}
