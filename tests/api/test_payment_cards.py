"""Numbers of payment cards are refused by every way in: named by field, never repeated, never stored."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from palier.activities.imports import RefusedLine, import_rows, rows_of
from palier.activities.runtime import runtime
from palier.connectors.files import RefusedRow, write_refused
from palier.site import clock, database
from palier.site.refusal import Refused
from palier.staff.operations import create_key
from palier.staff.queries import RIGHTS
from tests.api.shop import Shop, document, now_text
from tests.engine.test_payment_cards import card_number, card_numbers

PAN = "4111111111111111"
EAN = "4006381333931"


@pytest.fixture
def club(shop: Shop) -> Shop:
    """A program whose activities and members have texts to fill in."""
    text = {"type": "text"}
    data = document(
        "texts",
        member_attributes={"nickname": text, "points_before": {"type": "integer"}},
        activity_types=[
            {
                "key": "review",
                "name": {"en": "Review", "fr": "Avis"},
                "attributes": {
                    "note": text,
                    "stars": {"type": "integer"},
                    "worth": {"type": "decimal"},
                    "ean": {"type": "text", "product_code": True},
                },
            }
        ],
    )
    return Shop("texts", data)


def every_text() -> list[str]:
    """All that the database holds, each table as text; what has just been rolled back too is not there."""
    with database.connect("owner") as connection:
        tables = [
            row[0]
            for row in connection.execute(
                "select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace"
                " where c.relkind = 'r' and n.nspname = 'public'"
            )
        ]
        return [row[0] for table in tables for row in connection.execute(f"select t::text from {table} t")]


def nothing_stored(*numbers: str) -> None:
    stored = "\n".join(every_text())
    assert "texts" in stored, "what is searched must be what is stored"
    assert [number for number in numbers if number in stored] == []


def review(**changes: Any) -> dict[str, Any]:
    return {
        "source": "shop",
        "id": "r-1",
        "type": "review",
        "occurred_at": now_text(),
        "member": {"card": "2801"},
        **changes,
    }


def sale(**changes: Any) -> dict[str, Any]:
    return {**review(), "type": "sale", "amount": "1.00", **changes}


def with_line(name: str, value: str) -> dict[str, Any]:
    return sale(lines=[{"amount": "1.00", name: value}])


ACTIVITIES: list[tuple[Callable[[str], dict[str, Any]], str]] = [
    (lambda pan: review(id=pan), "id"),
    (lambda pan: review(id=f"order {pan}"), "id"),
    (lambda pan: review(source=pan), "source"),
    (lambda pan: review(channel=pan), "channel"),
    (lambda pan: review(location=pan), "location"),
    (lambda pan: review(partner=pan), "partner"),
    (lambda pan: review(attributes={"note": f"paid with {pan}"}), "attributes.note"),
    (lambda pan: review(attributes={"ean": pan}), "attributes.ean"),
    (lambda pan: review(attributes={"stars": int(pan)}), "attributes.stars"),
    (lambda pan: review(attributes={"worth": f"{pan}.00"}), "attributes.worth"),
    (lambda pan: review(member={"card": pan}), "member"),
    (lambda pan: review(member={"external_id": pan}), "member"),
    (lambda pan: with_line("sku", pan), "lines[0].sku"),
    (lambda pan: with_line("category", pan), "lines[0].category"),
    (lambda pan: sale(tenders=[{"kind": pan, "amount": "1.00"}]), "tenders[0].kind"),
    (
        lambda pan: {**review(type="return", whole=True), "sale": {"source": "shop", "id": pan}},
        "sale.id",
    ),
]


@pytest.mark.parametrize(("made", "field"), ACTIVITIES, ids=[field for _, field in ACTIVITIES])
def test_an_activity_that_holds_one_is_refused(
    club: Shop, made: Callable[[str], dict[str, Any]], field: str
) -> None:
    club.enrol()
    for pan in (PAN, "5555555555554444", "378282246310005"):
        found = club.post("/activities", made(pan))
        found.problem(422, "payment_card_number", field)
        assert found.json["remedy"]
        assert pan not in found.content.decode()
        several = club.post("/activities", [made(pan)])
        assert several.json["counts"]["refused"] == 1
        assert pan not in several.content.decode()
        nothing_stored(pan)


def test_names_and_odd_values_are_not_repeated_either(club: Shop) -> None:
    club.enrol()
    bodies = [
        review(attributes={PAN: "x"}),
        review(type=PAN),
        review(occurred_at=PAN),
        {**review(), PAN: 1},
        review(member=PAN),
        sale(amount=PAN + ".123"),
        sale(currency=PAN),
    ]
    for body in bodies:
        for sent in (body, [body]):
            found = club.post("/activities", sent)
            assert PAN not in found.content.decode(), found.content
    nothing_stored(PAN)


def test_commands_that_hold_one_are_refused(club: Shop) -> None:
    ref = club.enrol()
    points = {"member": ref, "currency": "stars", "points": "1.00"}
    for body, field in [
        ({**points, "reason": f"card {PAN} was charged twice"}, "reason"),
        ({**points, "reason": "gift", "actor": PAN}, "actor"),
        ({**points, "reason": "gift", "id": PAN, "source": "desk"}, "id"),
        ({**points, "reason": "gift", "id": "1", "source": PAN}, "source"),
    ]:
        found = club.post("/adjustments", body)
        found.problem(422, "payment_card_number", field)
        assert PAN not in found.content.decode()
    club.post("/redemptions", {**points, "source": "desk", "id": PAN}).problem(
        422, "payment_card_number", "id"
    )
    for path, body in (
        ("/adjustments", {**points, "reason": "gift"}),
        ("/members", {"identities": {"card": "1"}}),
    ):
        found = club.post(path, body, idempotency=PAN)
        found.problem(422, "payment_card_number", "Idempotency-Key")
    assert club.post("/adjustments", {**points, "reason": "gift"}, idempotency="a key").status == 201
    nothing_stored(PAN)


def test_members_that_hold_one_are_refused(club: Shop) -> None:
    for identities in ({"card": PAN}, {"external_id": PAN}, {"email": f"{PAN}@example.org"}):
        kind = next(iter(identities))
        found = club.post("/members", {"identities": identities})
        found.problem(422, "payment_card_number", f"identities.{kind}")
        assert PAN not in found.content.decode()
    one = {"card": "1"}
    for attributes, field in (
        ({"nickname": PAN}, "nickname"),
        ({"points_before": int(PAN)}, "points_before"),
    ):
        body = {"identities": one, "attributes": attributes}
        club.post("/members", body).problem(422, "payment_card_number", f"attributes.{field}")
    ref = club.enrol()
    found = club.call("PATCH", f"/members/{ref}", {"attributes": {"nickname": PAN}})
    found.problem(422, "payment_card_number", "attributes.nickname")
    unknown = club.post("/members", {"identities": one, "attributes": {PAN: "x"}})
    assert PAN not in unknown.content.decode()
    nothing_stored(PAN)


def test_names_of_keys(club: Shop) -> None:
    with database.connect("app") as connection, pytest.raises(Refused, match="payment card") as refused:
        create_key(connection, club.program_id, name=f"till {PAN}", rights=RIGHTS, now=clock.now())
    assert PAN not in str(refused.value)


def test_product_codes_phones_and_ordinary_ids_are_taken(club: Shop) -> None:
    club.enrol()
    rng = random.Random(7)
    bodies = []
    for number in range(200):
        code = card_number(rng, "4", 13)  # would be a card's of 13 digits, and is an order number or EAN here
        bodies.append(
            sale(id=f"{code}", location=code, lines=[{"amount": "1.00", "sku": code, "category": code}])
        )
        bodies.append(review(id=f"ean-{number}", attributes={"ean": code}))
    found = club.post("/activities", bodies)
    assert found.json["counts"] == {"applied": 400, "duplicate": 0, "refused": 0, "parked": 0}
    assert club.post("/members", {"identities": {"phone": "4915112345675"}}).status == 201
    assert club.post("/members", {"identities": {"phone": "+4915112345675"}}).status in (200, 201)


def test_a_thousand_numbers_sent_in_every_way_leave_none_behind(club: Shop, tmp_path: Path) -> None:
    ref = club.enrol()
    pans = [number for number in card_numbers(1500, seed=8) if len(number) > 14][:1000]
    assert len(pans) == 1000
    bodies = [ACTIVITIES[index % len(ACTIVITIES)][0](pan) for index, pan in enumerate(pans) if len(pan) < 16]
    bodies += [
        ACTIVITIES[index % 8][0](pan) for index, pan in enumerate(pans) if len(pan) >= 16
    ]  # longer ones than 16 are no integers
    refused = 0
    for start in range(0, len(bodies), 500):
        found = club.post("/activities", bodies[start : start + 500])
        refused += found.json["counts"]["refused"]
        assert not [pan for pan in pans if pan in found.content.decode()]
    assert refused == 1000
    told: list[RefusedLine] = []
    with database.connect("app") as connection:
        program = runtime(connection, "texts")
        assert program is not None
        summary = import_rows(
            connection,
            program,
            rows_of([bodies]),
            clock=clock.now,
            enrol_unknown=True,
            on_refused=told.extend,
        )
    assert (summary.refused, summary.sent) == (1000, 1000)
    path = tmp_path / "refused.csv"
    rows = [
        RefusedRow(line.row.line, line.code, line.reason, ([json.dumps(line.row.activity)],)) for line in told
    ]
    write_refused(path, ["content"], rows)
    kept = path.read_text(encoding="utf-8")
    assert kept.count("payment_card_number") == 1000
    assert not [pan for pan in pans if pan in kept]
    for pan in pans[:100]:
        body = {"member": ref, "currency": "stars", "points": "1.00", "reason": pan}
        club.post("/adjustments", body).problem(422, "payment_card_number", "reason")
    nothing_stored(*pans)
