"""`palier keys` as a person runs it."""

from __future__ import annotations

import json
import subprocess

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
