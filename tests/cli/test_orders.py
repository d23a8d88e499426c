"""Orders from the command line, as staff runs them."""

from __future__ import annotations

import json
import time

import pytest

from tests.activities.program import NOW, Connection, program
from tests.commands import palier as command
from tests.rewards.ordering import ADDRESS, Shelf, reward


@pytest.fixture
def shelf(connection: Connection) -> Shelf:
    made = Shelf(connection, program(effective_from="2020-01-01T00:00:00+00:00"))
    made.put(reward("sent", gives={"kind": "merchandise"}, stock=3))
    made.member()
    return made


def palier(*words: str) -> tuple[int, str, str]:
    """A command at the instant of these orders: exit code, standard output, standard error."""
    done = command(*words, PALIER_CLOCK_OFFSET_S=str(NOW // 1_000_000 - int(time.time())))
    return done.returncode, done.stdout, done.stderr


def test_staff_hands_out_and_takes_back(shelf: Shelf) -> None:
    orders = [shelf.place("sent", confirm=True, address=ADDRESS).order.ref for _ in range(3)]
    code, out, error = palier("orders", "list", "--json")
    assert code == 0, error
    assert [order["order"] for order in json.loads(out)] == orders
    assert palier("orders", "ship", orders[0], "--carrier", "Post")[1] == f"{orders[0]} is done.\n"
    assert palier("orders", "fulfil", orders[1])[0] == 0
    assert palier("orders", "fail", orders[2], "--reason", "broken")[0] == 0
    assert palier("orders", "refund", orders[0], "--reason", "lost", "--also-used")[0] == 0
    code, _, error = palier("orders", "refund", orders[0], "--reason", "again")
    assert (code, error) == (2, "The order is refunded; read the order to see where it stands.\n")
    code, out, _ = palier("orders", "show", orders[2])
    assert "failed  by cli:" in out
    assert out.rstrip().endswith(": broken")
    assert palier("orders", "stock")[1] == "sent: 2 of 3 left, 0 held, 1 handed out\n"
    assert palier("orders", "show", "m_x")[0] == 2
