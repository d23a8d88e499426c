"""The tills in the console: the first steps, a code shown once, names, the end, and sales that wait for somebody."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from palier.engine.clock import DAY
from palier.site import clock, database
from palier.staff import accounts
from palier.staff.log import LogFilter, Logged, logged
from palier.tills import devices, journal
from tests.api.shop import Shop
from tests.tills.counter import Counter
from tests.web.staff import PASSWORD, staff, staff_client
from tests.web.statements import counted
from tests.web.test_till import CASHIER, PIN, Tablet, cashier

__all__ = ["cashier"]


@pytest.fixture
def owner(shop: Shop) -> Client:
    return staff_client("owner", shop.program_id)


def page(client: Client, path: str, form: dict[str, Any] | None = None) -> str:
    """What a page says after a form, followed to its end."""
    at = f"/console/club/{path}"
    found = client.get(at) if form is None else client.post(at, form, follow=True)
    said = found.content.decode().replace("\u00a0", " ").replace("\u202f", " ")
    return re.sub(r"\s+", " ", re.sub(r"<svg.*?</svg>", "", said, flags=re.DOTALL))


def log(action: str) -> list[Logged]:
    with database.connect() as connection:
        return logged(connection, LogFilter(action=action))


def test_a_code_that_is_loaded_anew_is_of_the_same_till(shop: Shop, owner: Client) -> None:
    once = re.search(r'name="once" value="([0-9a-f]+)"', page(owner, "tills/new"))
    assert once is not None
    form = {"name": "Front", "location": "Lyon", "once": once[1]}
    codes = [re.findall(r"[0-9A-Z]{5}-[0-9A-Z]{5}", page(owner, "tills/new", form))[0] for _ in range(3)]
    assert len(set(codes)) == 3, "each is shown once"
    assert len(re.findall(">Front<", page(owner, "tills"))) == 1
    tablet = Tablet(shop)
    assert "No till is expected" in tablet.at("enrol-till", code=codes[0], public_key="")
    tablet.at("enrol-till", code=codes[2], public_key="")
    assert tablet.where.endswith("/sign-in")
    assert "needs no code any more" in page(owner, "tills/new", form), "its tablet has come"
    assert len(re.findall(">Front<", page(owner, "tills"))) == 1


def test_from_nothing_to_a_cashier_at_work(shop: Shop, owner: Client) -> None:
    """The empty page says the steps; the code is shown once, makes one tablet a till, and who works there is seen."""
    empty = page(owner, "tills")
    assert "No till yet" in empty
    assert "2 people may work at a till." in empty
    shown = page(owner, "tills/new", {"name": "Front", "location": "Lyon"})
    code = re.search(r"[0-9A-Z]{5}-[0-9A-Z]{5}", shown)
    assert code is not None
    assert "http://localhost/till/club/enrol-till" in shown
    assert "30 minutes" in shown
    assert code[0] not in page(owner, "tills") + page(owner, "tills/1")
    assert "waits for its tablet" in page(owner, "tills")
    again = page(owner, "tills/1/code", {})
    newer = re.search(r"[0-9A-Z]{5}-[0-9A-Z]{5}", again)
    assert newer is not None
    tablet = Tablet(shop)
    assert "No till is expected" in tablet.at("enrol-till", code=code[0], public_key="")
    tablet.at("enrol-till", code=newer[0], public_key="")
    assert tablet.where.endswith("/sign-in")
    assert "No shift is open" in page(owner, "tills/1")
    assert "Nobody works at a till now." in page(owner, "tills")
    tablet.at("sign-in", email=CASHIER, password=PASSWORD)
    listed = page(owner, "tills")
    assert "Somebody works at 1 till now." in listed
    assert "A cashier" in listed
    assert "just now" in listed
    assert "needs no code any more" in page(owner, "tills/1/code", {})
    tablet.at("lock", x="1")
    assert "locked" in page(owner, "tills/1")
    assert [row.actor for row in log("till.expect")] == [staff("owner", shop.program_id).actor] * 2


def test_names_are_changed_and_bad_ones_change_nothing(shop: Shop, owner: Client) -> None:
    Counter(shop)
    assert "Saved." in page(owner, "tills/1", {"name": "<i>Terrace</i>", "location": "Nice"})
    listed = page(owner, "tills")
    assert "&lt;i&gt;Terrace" in listed
    assert "Nice" in listed
    for form in ({"name": " ", "location": "Nice"}, {"name": "A", "location": "x" * 61}):
        assert "Nothing was changed" in page(owner, "tills/1", form)
        assert "Nothing was changed" in page(owner, "tills/new", form)
    with database.connect() as connection:
        found = devices.devices(connection, shop.program_id)
    assert [(device.name, device.location) for device in found] == [("<i>Terrace</i>", "Nice")]
    assert [row.reason for row in log("till.rename")] == ["Front, Lyon -> <i>Terrace</i>, Nice"]


def test_the_end_of_a_till_is_said_in_figures_and_holds_at_once(shop: Shop, owner: Client) -> None:
    tablet = Tablet(shop).working()
    assert "1 open shift ends" in page(owner, "tills/1/end")
    assert "is ended" in page(owner, "tills/1/end", {})
    tablet.at()
    assert tablet.status == 401
    assert "ended" in page(owner, "tills")
    assert "End this till" not in page(owner, "tills/1")
    assert owner.get("/console/club/tills/1/end").status_code == 404
    assert len(log("till.revoke")) == 1


def test_sales_that_wait_are_explained_then_credited_or_set_aside(shop: Shop, owner: Client) -> None:
    assert "Nothing waits" in page(owner, "tills/review")
    till = Counter(shop)
    member = shop.enrol()
    assert shop.wallet(member)["spendable"] == "0.00"
    late, foreign = (
        till.entry("12.50", at=clock.now() - 15 * DAY),
        till.entry("7.00", member={"card": "99123"}),
    )
    code = {item.number: item.code for item in till.send(late, foreign)}
    assert code == {"1": "entry_too_old", "2": "unknown_member"}
    shown = page(owner, "tills/review")
    assert "2 sales of €19.50 together wait." in shown
    assert "came more than two weeks after the sale" in shown
    assert "card ending in 9123" in shown
    assert "Give the card to its member first" in shown
    assert "Ann" in shown
    assert "2 sales of tills wait" in page(owner, "tills")
    assert "Choose at least one sale" in page(owner, "tills/review", {"act": "credit"})
    assert "Choose at least one sale" in page(owner, "tills/review", {"act": "credit", "sale": "9-9"})
    said = page(owner, "tills/review", {"act": "credit", "sale": ["1-1", "1-2"]})
    assert "1 sale was credited." in said
    assert "1 sale could not be credited" in said
    assert shop.wallet(member)["spendable"] == "12.50"
    assert till.send(late)[0].status == "duplicate"
    asked = page(owner, "tills/review", {"act": "ask", "sale": "1-2"})
    assert "Set 1 sale aside?" in asked
    assert "It is worth €7.00." in asked
    for reason in ("", "paid by 4111 1111 1111 1111"):
        page(owner, "tills/review", {"act": "drop", "sale": "1-2", "reason": reason})
        assert log("till.drop_kept") == []
    assert "1 sale was set aside." in page(
        owner, "tills/review", {"act": "drop", "sale": "1-2", "reason": "a stranger's card"}
    )
    assert "Nothing waits" in page(owner, "tills/review")
    # Once the reason is gone the tablet still cannot have it credited.
    shop.enrol("99123")
    assert [(item.status, item.code) for item in till.send(foreign)] == [("refused", "set_aside")]
    assert [row.reason for row in log("till.drop_kept")] == ["1: a stranger's card"]
    with database.connect() as connection:
        assert journal.to_review(connection, shop.program_id) == []


def test_a_forgotten_pin_is_chosen_anew_by_the_person_alone(shop: Shop, owner: Client) -> None:
    tablet = Tablet(shop).working()
    with database.connect() as connection:
        person = accounts.find(connection, CASHIER)
    assert person is not None
    at = f"staff/{person.account_id}"
    assert "Has a PIN" in page(owner, at)
    assert "1 session at a till ends now" in page(owner, f"{at}/pin")
    page(owner, f"{at}/pin", {})
    assert "No PIN for the till yet" in page(owner, at)
    tablet.at("unlock", pin=PIN)
    assert tablet.where.endswith("/sign-in")
    assert "Choose a PIN" in tablet.at("sign-in", email=CASHIER, password=PASSWORD)
    assert [row.object for row in log("staff.forget_pin")] == [person.actor]
    stranger = staff_client("owner", shop.program_id, email="second@example.org")
    assert stranger.get(f"/console/club/staff/{staff('owner').account_id}/pin").status_code == 404


def test_the_list_asks_as_much_for_one_till_as_for_many(shop: Shop, owner: Client) -> None:
    def asked() -> int:
        with counted() as sent:
            assert owner.get("/console/club/tills").status_code == 200
        return len(sent)

    Counter(shop)
    asked()  # what the process keeps of the program is read once
    first = asked()
    Counter(shop, "Second").send(Counter(shop, "Third").entry("1.00"))
    assert first == asked() > 0
