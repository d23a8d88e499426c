"""Ids are used once: what is known is answered again or refused, whatever comes beside it."""

from __future__ import annotations

import threading
from typing import Any

import msgspec
import pytest

from palier.activities import batch, wire
from palier.activities.answers import Result
from palier.engine.facts import Fact
from palier.engine.refusals import Refusal, RefusalCode
from palier.ledger.verify import verify
from palier.site import database
from palier.site.exchange import Exchange
from tests.activities.program import NOW, Connection, line, member, program, published

WHEEL = {
    "key": "wheel",
    "name": {"en": "Wheel", "fr": "Roue"},
    "price": {"currency": "stars", "points": "4"},
    "prizes": [
        {
            "key": "none",
            "name": {"en": "Nothing", "fr": "Rien"},
            "weight": 1,
            "grants": [{"currency": "stars", "points": "1"}],
        }
    ],
}


class Shop:
    """A program with three members."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.runtime = published(connection, program(games=[WHEEL]))
        self.members = {
            card: member(connection, self.runtime.program_id, card) for card in ("c1", "c2", "c3")
        }

    def send(self, *rows: dict[str, Any], connection: Connection | None = None) -> list[Result]:
        lines: list[wire.Read | Refusal] = []
        for item in wire.split(msgspec.json.encode(list(rows))):
            assert not isinstance(item, Refusal), item
            lines.append(wire.to_fact(item, self.runtime.timeline, self.runtime.key, now=NOW))
        return batch.apply(connection or self.connection, self.runtime, lines, now=NOW)

    def stars(self) -> dict[str, int]:
        """What each card has, of those that have any; the ledger is sound."""
        assert verify(self.connection, self.runtime.key) == []
        rows = dict(self.connection.execute("select member_id, posted from wallet").fetchall())
        self.connection.rollback()
        return {card: rows[number] for card, number in self.members.items() if number in rows}

    def claims(self) -> dict[str, tuple[str, str | None]]:
        rows = self.connection.execute("select external_id, status, code from activity_claim").fetchall()
        self.connection.rollback()
        return {identifier: (status, code) for identifier, status, code in rows}


@pytest.fixture
def shop(connection: Connection) -> Shop:
    return Shop(connection)


def sale(id: str, card: str = "c1", day: int = 1, amount: str = "10.00") -> dict[str, Any]:
    return {
        "source": "till",
        "id": id,
        "type": "sale",
        "member": {"card": card},
        "occurred_at": f"2026-03-{day:02}T10:00:00+01:00",
        "amount": amount,
    }


def play(id: str, card: str = "c1") -> dict[str, Any]:
    return {
        "source": "app",
        "id": id,
        "type": "play",
        "member": {"card": card},
        "occurred_at": "2026-03-20T10:00:00+01:00",
        "attributes": {"game": "wheel"},
    }


def came_to(results: list[Result]) -> list[tuple[str, str]]:
    """Status of each line, with what it was before or why it is refused."""
    return [
        (result.status, result.refusal.code.value if result.refusal is not None else result.replayed or "")
        for result in results
    ]


def test_what_was_applied_is_answered_again_beside_what_is_new(shop: Shop) -> None:
    (before,) = shop.send(sale("a", day=5))
    again, new, later = shop.send(sale("a", day=5), sale("b", "c2"), sale("c", day=6))
    assert came_to([again, new, later]) == [("duplicate", "applied"), ("applied", ""), ("applied", "")]
    assert (again.activity_id, again.trace) == (before.activity_id, before.trace)
    assert shop.stars() == {"c1": 20, "c2": 10}


def test_all_was_applied(shop: Shop) -> None:
    rows = [sale("a", day=5), sale("b", "c2", day=5), sale("c", day=6)]
    shop.send(*rows)
    for _ in range(2):
        assert came_to(shop.send(*rows)) == [("duplicate", "applied")] * 3
    assert shop.stars() == {"c1": 20, "c2": 10}


def test_what_comes_late_is_applied_beside_what_is_new(shop: Shop) -> None:
    shop.send(sale("a", day=5))
    assert came_to(shop.send(sale("b", day=2), sale("c", "c2"))) == [("applied", ""), ("applied", "")]
    assert shop.claims() == dict.fromkeys("abc", ("applied", None))
    assert shop.stars() == {"c1": 20, "c2": 10}


def test_an_id_used_for_something_else_beside_what_comes_late(shop: Shop) -> None:
    shop.send(sale("a", "c1", day=5), sale("z", "c2", day=9))
    results = shop.send(sale("a", "c1", day=7), sale("b", "c2", day=2))
    assert came_to(results) == [("refused", RefusalCode.CONTENT_DIFFERS.value), ("applied", "")]
    assert shop.stars() == {"c1": 10, "c2": 20}


@pytest.mark.parametrize("changes", [{"day": 7}, {"card": "c2", "day": 7}, {"amount": "11.00"}])
def test_an_id_used_for_something_else_is_refused_and_nothing_else_is_lost(
    shop: Shop, changes: dict[str, Any]
) -> None:
    shop.send(sale("a", day=5))
    results = shop.send(sale("b", "c3", day=9), sale("a", **{"day": 5, **changes}), sale("c", day=9))
    code = RefusalCode.CONTENT_DIFFERS.value
    assert came_to(results) == [("applied", ""), ("refused", code), ("applied", "")]
    assert shop.claims() == dict.fromkeys("abc", ("applied", None))
    assert shop.stars() == {"c1": 20, "c3": 10}


def test_what_was_refused_stays_refused(shop: Shop) -> None:
    poor = RefusalCode.INSUFFICIENT_POINTS.value
    results = shop.send(play("a"), sale("b", "c2"))
    assert came_to(results) == [("refused", poor), ("applied", "")]
    assert shop.claims() == {"a": ("refused", poor), "b": ("applied", None)}
    shop.send(sale("c"))
    assert came_to(shop.send(play("a"), sale("d"))) == [("duplicate", poor), ("applied", "")]
    assert shop.stars() == {"c1": 20, "c2": 10}


def test_a_play_sent_again_takes_nothing(shop: Shop) -> None:
    shop.send(sale("a"))
    assert came_to(shop.send(play("b"))) == [("applied", "")]
    assert came_to(shop.send(play("b"), sale("c", "c2"))) == [
        ("duplicate", "applied"),
        ("applied", ""),
    ]
    assert shop.stars() == {"c1": 7, "c2": 10}


def test_one_id_for_two_members_at_once_is_the_first_ones(shop: Shop) -> None:
    """Neither waits for the other's member: the second learns of it from the id."""
    rounds = 12
    cards = ("c1", "c2")
    gates = [threading.Barrier(2, timeout=20) for _ in range(rounds)]
    found: dict[str, list[tuple[str, str]]] = {card: [] for card in cards}

    def send(card: str) -> None:
        with database.connect("app") as connection:
            for number, gate in enumerate(gates):
                rows = [sale(f"{card}-{number}-{n}", card, day=number + 1) for n in range(20)]
                gate.wait()
                found[card].append(
                    came_to(
                        shop.send(*rows, sale(f"both-{number}", card, day=number + 1), connection=connection)
                    )[-1]
                )

    threads = [threading.Thread(target=send, args=(card,)) for card in cards]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    refused = ("refused", RefusalCode.CONTENT_DIFFERS.value)
    assert [sorted(pair) for pair in zip(*found.values(), strict=True)] == [
        [("applied", ""), refused]
    ] * rounds
    assert sum(shop.stars().values()) == rounds * (2 * 20 + 1) * 10


def test_who_cannot_be_applied_leaves_no_id_behind(shop: Shop) -> None:
    """Ids are claimed together with the lock of members, before it is known how these stand."""
    shop.send(sale("a", day=5), sale("b", "c2", day=5))
    shop.connection.execute("update member set status = 'frozen' where member_id = %s", [shop.members["c2"]])
    shop.connection.commit()
    rows = [play("p1"), play("p2", "c2"), sale("c", "c3", day=6)]
    refused = ("refused", RefusalCode.MEMBER_NOT_ACTIVE.value)
    assert came_to(shop.send(*rows)) == [("applied", ""), refused, ("applied", "")]
    assert came_to(shop.send(*rows)) == [("duplicate", "applied"), refused, ("duplicate", "applied")]
    assert set(shop.claims()) == {"a", "b", "p1", "c"}
    shop.connection.execute("update member set status = 'active' where member_id = %s", [shop.members["c2"]])
    shop.connection.commit()
    assert came_to(shop.send(*rows)) == [("duplicate", "applied"), ("applied", ""), ("duplicate", "applied")]
    assert shop.stars() == {"c1": 7, "c2": 7, "c3": 10}


@pytest.mark.parametrize(("known", "exchanges"), [(False, 3), (True, 2)])
def test_a_sale_asks_the_database_few_times(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, known: bool, exchanges: int
) -> None:
    """Whose it is; the lock with the claim of its id; the decision with the commit."""
    shop.send(sale("a"))
    asked: list[Exchange] = []
    receive = Exchange.receive
    monkeypatch.setattr(Exchange, "receive", lambda self: (asked.append(self), receive(self))[1])
    [item] = wire.split(msgspec.json.encode(sale("b", day=2)))
    assert not isinstance(item, Refusal)
    read = wire.to_fact(item, shop.runtime.timeline, shop.runtime.key, now=NOW)
    owners = [shop.members["c1"]] if known else None
    [result] = batch.apply(shop.connection, shop.runtime, [read], now=NOW, known_members=owners)
    assert result.status == "applied"
    assert len(asked) == exchanges
    assert shop.stars() == {"c1": 20}


def test_a_line_that_brings_too_much_is_refused_within_a_callers_transaction_too(
    connection: Connection,
) -> None:
    """As a till's journal or a page sends it: what the caller and the other lines wrote stays."""
    rule = {**msgspec.to_builtins(program().rules[0]), "per_spend": {"points": "1000000", "every": "0.01"}}
    runtime = published(connection, program(rules=[rule]))
    who = member(connection, runtime.program_id, "c1")
    connection.execute("create temporary table written (n int) on commit drop")
    connection.execute("insert into written values (1)")
    lines = [
        line(Fact("till", f"s{number}", "sale", NOW, amount), "c1")
        for number, amount in enumerate((1, 10**10, 2))
    ]
    results = batch.apply_within(connection, runtime, lines, now=NOW)
    assert [result.status for result in results] == ["applied", "refused", "applied"]
    assert connection.execute("select n from written").fetchall() == [(1,)]
    connection.commit()
    assert connection.execute("select posted from wallet where member_id = %s", (who,)).fetchone() == (
        3_000_000,
    )


def test_all_that_bring_too_much_are_found_at_once(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many: what is decided anew for each of them would hold up all others."""
    rule = {**msgspec.to_builtins(program().rules[0]), "per_spend": {"points": "1000000", "every": "0.01"}}
    runtime = published(connection, program(rules=[rule]))
    for card in ("c1", "c2"):
        member(connection, runtime.program_id, card)
    # In millions of points: a bound of 10^9, alone or together.
    amounts = [("c1", 6 * 10**8), ("c1", 10**10), ("c1", 3 * 10**8), ("c2", 10**10), ("c1", 10**8)]
    amounts += [("c1", 10**8), ("c1", 5 * 10**7), ("c2", 9 * 10**8), ("c2", 2 * 10**8), ("c2", 1)]
    lines = [
        line(Fact("till", f"s{number}", "sale", NOW + number, amount), card)
        for number, (card, amount) in enumerate(amounts)
    ]
    tried: list[object] = []
    apply = batch._apply
    monkeypatch.setattr(batch, "_apply", lambda *a, **k: (tried.append(k), apply(*a, **k))[1])
    results = batch.apply(connection, runtime, lines, now=NOW + 100)
    applied = [number for number, result in enumerate(results) if result.status == "applied"]
    assert applied == [0, 2, 4, 7, 9]
    assert len(tried) == 2
    assert verify(connection, runtime.key) == []


def test_what_becomes_too_much_by_another_line_is_refused_with_that(connection: Connection) -> None:
    """A small sale that comes late makes the great one count: it is what is sent, so it is refused."""
    rule = {
        **msgspec.to_builtins(program().rules[0]),
        "per_spend": {"points": "1000000", "every": "0.01"},
        "when": {"field": "nth", "per": "lifetime", "is": 2},
    }
    runtime = published(connection, program(rules=[rule]))
    who = member(connection, runtime.program_id, "c1")
    great, late = Fact("till", "great", "sale", NOW, 10**10), Fact("till", "late", "sale", NOW - 1, 1)
    came = [came_to(batch.apply(connection, runtime, [line(fact, "c1")], now=NOW)) for fact in (great, late)]
    assert came == [[("applied", "")], [("refused", RefusalCode.INVALID_AMOUNT.value)]]
    assert connection.execute("select count(*) from wallet where member_id = %s", (who,)).fetchone() == (0,)
    assert verify(connection, runtime.key) == []
