"""One sale sent under two ids counts once, where the program says what names a sale."""

from __future__ import annotations

import threading
from typing import Any

import msgspec
import psycopg
import pytest

from palier.activities import batch, wire
from palier.activities.answers import Result
from palier.activities.runtime import Runtime
from palier.engine.check import check
from palier.engine.refusals import Refusal, RefusalCode
from palier.site import database
from tests.activities.program import NOW, Connection, member, program, published

KEY = ["location", "date", "ticket_number"]


@pytest.fixture
def shop(connection: Connection) -> Runtime:
    found = published(connection, program(sale_key=KEY))
    for card in ("c1", "c2"):
        member(connection, found.program_id, card)
    return found


def sale(id: str, **changes: Any) -> dict[str, Any]:
    return {
        "source": "till",
        "id": id,
        "type": "sale",
        "member": {"card": "c1"},
        "occurred_at": "2026-03-01T10:00:00+01:00",
        "amount": "10.00",
        "location": "lyon",
        "ticket_number": "3-0047",
        **changes,
    }


def a_return(id: str, of: str) -> dict[str, Any]:
    return {
        "source": "till", "id": id, "type": "return", "occurred_at": "2026-03-02T10:00:00+01:00",
        "sale": {"source": "till", "id": of}, "whole": True,
    }  # fmt: skip


def send(connection: Connection, shop: Runtime, *rows: dict[str, Any]) -> list[Result]:
    lines: list[wire.Read | Refusal] = []
    for item in wire.split(msgspec.json.encode(list(rows))):
        lines.append(
            item if isinstance(item, Refusal) else wire.to_fact(item, shop.timeline, shop.key, now=NOW)
        )
    return batch.apply(connection, shop, lines, now=NOW)


def told(results: list[Result]) -> list[str]:
    return [result.refusal.code.value if result.refusal else result.status for result in results]


def points(connection: Connection) -> int:
    row = connection.execute("select coalesce(sum(posted), 0) from wallet").fetchone()
    connection.rollback()
    assert row is not None
    return int(row[0])


def test_a_ticket_under_two_ids_counts_once(connection: Connection, shop: Runtime) -> None:
    assert told(send(connection, shop, sale("a"))) == ["applied"]
    (second,) = send(connection, shop, sale("b"))
    assert second.refusal is not None
    assert (second.refusal.code, second.refusal.field) == (RefusalCode.SALE_KNOWN, "ticket_number")
    assert "till sent it as a" in second.refusal.message
    # Under another source, for another member and by another amount it is still that ticket.
    other = sale(
        "c", source="app", member={"card": "c2"}, amount="12.00", occurred_at="2026-03-01T23:00:00+01:00"
    )
    assert told(send(connection, shop, other)) == ["sale_known"]
    assert points(connection) == 10
    # Each id has its own answer for ever.
    again = send(connection, shop, sale("a"), sale("b"), sale("b", amount="11.00"))
    assert [result.status for result in again] == ["duplicate", "duplicate", "refused"]
    assert told(again)[1:] == ["sale_known", "content_differs"]
    assert points(connection) == 10


def test_in_one_batch_the_first_line_counts(connection: Connection, shop: Runtime) -> None:
    results = send(connection, shop, sale("b"), sale("a"), sale("b"), sale("c", ticket_number="3-0048"))
    assert told(results) == ["applied", "sale_known", "duplicate", "applied"]
    assert points(connection) == 20


def test_other_tickets_days_and_shops_are_other_sales(connection: Connection, shop: Runtime) -> None:
    rows = [
        sale("a"),
        sale("b", ticket_number="3-0048"),
        sale("c", location="nice"),
        sale("d", occurred_at="2026-03-02T00:30:00+01:00"),
        # Without all of its key a sale is known by its id alone.
        sale("e", ticket_number=None),
        sale("f", ticket_number=None),
        sale("g", location=None),
        sale("h", location=None),
    ]
    assert told(send(connection, shop, *rows)) == ["applied"] * 8
    # The day is the program's: 00:30 in Paris is the day before in UTC.
    assert told(send(connection, shop, sale("i", occurred_at="2026-03-01T23:30:00Z"))) == ["sale_known"]


def test_values_do_not_run_into_each_other(connection: Connection, shop: Runtime) -> None:
    rows = [sale("a", location="ab", ticket_number="c"), sale("b", location="a", ticket_number="bc")]
    assert told(send(connection, shop, *rows)) == ["applied", "applied"]


def test_a_refused_line_takes_no_ticket(connection: Connection, shop: Runtime) -> None:
    assert told(send(connection, shop, sale("a"), sale("a", ticket_number="9"))) == [
        "applied",
        "content_differs",
    ]
    assert told(send(connection, shop, sale("a", ticket_number="9"))) == ["content_differs"]
    assert told(send(connection, shop, sale("b", ticket_number="9"))) == ["applied"]


def test_a_return_of_the_second_waits(connection: Connection, shop: Runtime) -> None:
    assert told(send(connection, shop, sale("a"))) == ["applied"]
    assert told(send(connection, shop, sale("b"), a_return("r", "b"))) == ["sale_known", "parked"]
    assert told(send(connection, shop, a_return("r", "b"))) == ["duplicate"]
    assert points(connection) == 10
    assert told(send(connection, shop, a_return("s", "a"))) == ["applied"]
    assert points(connection) == 0


def test_programs_without_a_key_look_at_ids_alone(connection: Connection) -> None:
    plain = published(connection, program())
    member(connection, plain.program_id, "c1")
    assert told(send(connection, plain, sale("a"), sale("b"))) == ["applied", "applied"]
    row = connection.execute("select count(*) from sale_key").fetchone()
    connection.rollback()
    assert row == (0,)


def test_senders_at_once_have_one_counted(connection: Connection, shop: Runtime) -> None:
    ready, answers = threading.Barrier(4), []

    def one(number: int) -> None:
        with database.connect("app") as own:
            ready.wait(20)
            answers.append(
                told(send(own, shop, sale(f"s{number}"), sale(f"t{number}", ticket_number="2")))[0]
            )

    threads = [threading.Thread(target=one, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(answers) == ["applied", "sale_known", "sale_known", "sale_known"]
    assert points(connection) == 20


def test_the_table_takes_a_key_once(connection: Connection, shop: Runtime) -> None:
    send(connection, shop, sale("a"))
    with pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute(
            "insert into sale_key select key_hash, program_id, 'z', source, claimed_at from sale_key"
        )
    connection.rollback()


def test_what_cannot_name_a_sale_is_refused() -> None:
    for key, code in ((["location"], "contradiction"), (["ticket_number", "ticket_number"], "duplicate_key")):
        found = check(program(sale_key=key, effective_from="2020-01-01T00:00:00Z"))
        assert [(item.path, item.code) for item in found if item.severity == "error"] == [("sale_key", code)]


def test_only_sales_have_tickets(connection: Connection, shop: Runtime) -> None:
    visit = {**sale("v"), "type": "visit"}
    del visit["amount"]
    assert told(send(connection, shop, visit)) == ["malformed"]
