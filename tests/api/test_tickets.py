"""Baskets that registers announce: taken up by the till at their place, credited once, without a word of payment."""

from __future__ import annotations

import pytest

from palier.api.reference import schema as described
from palier.engine.clock import HOUR
from palier.site import clock, database
from palier.tills import baskets, sales
from palier.tills.sales import Basket
from tests.api.shop import Shop
from tests.tills.counter import Counter

TICKET = {
    "ticket": "R1-0042",
    "location": "Lyon",
    "lines": [{"amount": "12.50", "category": "bread"}, {"amount": "3"}],
}


def test_a_ticket_waits_is_credited_once_and_says_so(shop: Shop, member: str) -> None:
    found = shop.post("/tickets", TICKET)
    assert (found.status, found.json["amount"], found.json["state"]) == (200, "15.50", "open")
    assert shop.post("/tickets", {**TICKET, "lines": [{"amount": "20.00"}]}).json["amount"] == "20.00"
    till = Counter(shop)
    customer = till.find("2801")
    assert customer is not None
    with database.connect("app") as connection:
        program = till.program(connection)
        (waiting,) = baskets.waiting(connection, shop.program_id, "Lyon", now=clock.now())
        basket = Basket("20.00", waiting.lines, waiting.ticket)
        for status in ("applied", "duplicate"):
            taken = sales.credit(
                connection,
                program,
                till.device,
                till.shift,
                customer.member_id,
                basket,
                once="FA1",
                now=clock.now(),
            )
            assert taken.status == status
            sales.follow(connection, till.device, till.shift, [taken], basket.ticket, now=clock.now())
        assert not baskets.waiting(connection, shop.program_id, "Lyon", now=clock.now())
    query = "?ticket=R1-0042&location=Lyon"
    assert shop.get(f"/tickets{query}").json["state"] == "done"
    shop.post("/tickets", TICKET).problem(409, "ticket_done", "ticket")
    shop.call("DELETE", f"/tickets{query}").problem(409, "ticket_done")
    assert shop.wallet(member)["spendable"] == "20.00"


def test_tickets_are_withdrawn_end_and_stay_in_their_program(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = "?ticket=R1-0042&location=Lyon"
    shop.get(f"/tickets{query}").problem(404, "unknown_ticket")
    shop.call("DELETE", f"/tickets{query}").problem(404, "unknown_ticket")
    shop.post("/tickets", TICKET)
    assert Shop("other", {**_other()}).get(f"/tickets{query}").status == 404
    for _ in range(2):
        assert shop.call("DELETE", f"/tickets{query}").json["state"] == "withdrawn"
    shop.post("/tickets", TICKET)
    later = clock.now() + baskets.LASTS + HOUR
    monkeypatch.setattr(clock, "now", lambda: later)
    assert shop.get(f"/tickets{query}").json["state"] == "over"


def _other() -> dict[str, object]:
    from tests.api.shop import document as program

    return program("other")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"lines": []}, "lines"),
        ({"lines": [{"amount": "1.234"}]}, "lines[0].amount"),
        ({"lines": [{"amount": "-1"}]}, "lines.0.amount"),
        ({"tenders": [{"kind": "cash", "amount": "1"}]}, "tenders"),
        ({"ticket": "4111111111111111"}, "ticket"),
        ({"ticket": ""}, "ticket"),
    ],
)
def test_what_is_no_basket_is_refused_at_its_place(shop: Shop, change: dict[str, object], field: str) -> None:
    refused = shop.post("/tickets", {**TICKET, **change})
    assert refused.status == 422
    assert refused.json["field"].startswith(field.split("[")[0]), refused.json


def test_no_form_of_a_ticket_has_a_field_for_payments() -> None:
    schemas = described()["components"]["schemas"]
    named = {name: form for name, form in schemas.items() if name.startswith(("NewTicket", "Ticket"))}
    assert len(named) >= 4
    words = ("pay", "paid", "tender", "cash", "change", "cheque", "card")
    for name, form in named.items():
        for field in form["properties"]:
            assert not any(word in field for word in words), f"{name}.{field}"
