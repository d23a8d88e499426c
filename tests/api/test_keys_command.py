"""`palier keys` as a person runs it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from palier.staff import queries
from tests import commands
from tests.api.shop import Shop


def palier(*words: str) -> subprocess.CompletedProcess[str]:
    return commands.palier("keys", *words)


def test_a_key_from_its_making_to_its_end(shop: Shop) -> None:
    made = palier("create", "club", "--name", "till", "--right", "members:read", "--days", "30")
    assert made.returncode == 0, made.stderr
    token = made.stdout.strip()
    assert shop.get("/members?card=1", token=token).json["code"] == "unknown_member"
    shop.get("/programs", token=token).problem(403, "forbidden")
    listed = palier("list", "--program", "club")
    assert "till" in listed.stdout
    assert token not in listed.stdout
    rows = json.loads(palier("list", "--json").stdout)
    assert [row["rights"] for row in rows if row["name"] == "till"] == [["members:read"]]
    assert palier("revoke", token).returncode == 0
    queries.forget_keys()
    shop.get("/members?card=1", token=token).problem(401, "unauthorized")
    again = palier("revoke", token)
    assert (again.returncode, again.stdout) == (2, "")
    assert "ended already" in again.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("create", "none", "--name", "x", "--right", "all"), "no program"),
        (("create", "club", "--name", "x", "--right", "everything"), "is not a right"),
        (("create", "club", "--right", "all"), "--name"),
        (("revoke", "nothing"), "no such key"),
    ],
)
def test_refusals(shop: Shop, words: tuple[str, ...], said: str) -> None:
    done = palier(*words)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_key_that_nobody_got_does_not_exist(shop: Shop) -> None:
    """It was made, and lived with all its rights, although its output was full or closed."""

    def made() -> int:
        return len(json.loads(palier("list", "--json").stdout))

    before = made()
    for output, said in (
        (">/dev/full", "What was to be written is not whole: the disk is full. Make room, run it again.\n"),
        (
            ">&-",
            "Nothing was made: what it prints is shown this once, and its output is closed. Run it where the "
            "output can be read.\n",
        ),
    ):
        words = f'"{sys.executable}" -m palier keys create club --name lost --right all {output}'
        done = subprocess.run(["sh", "-c", words], capture_output=True, text=True, check=False, timeout=60)
        assert (done.returncode, done.stdout, done.stderr) == (2, "", said)
        assert made() == before


def test_keys_are_told_of_in_french(shop: Shop) -> None:
    made = palier("create", "club", "--name", "till", "--right", "members:read").stdout.strip()
    done = commands.palier("keys", "revoke", made, LC_ALL="fr_FR.UTF-8")
    assert (done.returncode, done.stdout) == (0, f"{made.split('_')[1]} est révoquée.\n")
