"""The till as its forms answer: who works at it, what is shown of whom, what is credited, given and taken back."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from typing import Any

import pytest
from django.test import Client

from palier.activities import batch
from palier.activities.runtime import runtime
from palier.engine.clock import MINUTE
from palier.members import card, refs
from palier.rewards import orders
from palier.rewards.orders import Wanted
from palier.site import clock, database
from palier.staff import accounts, factors, signing_in
from palier.tills import devices, sales, shifts
from palier.vouchers.queries import code_of
from palier.web.till.visits import COOKIE
from tests.api.shop import Shop
from tests.tills.counter import Counter
from tests.web.staff import PASSWORD, staff

PIN = "2580"
CASHIER = "ann@shop.example"


@pytest.fixture(autouse=True)
def cashier(shop: Shop) -> accounts.Account:
    """A cashier with a password and a PIN."""
    account = staff("cashier", shop.program_id, email=CASHIER)
    with database.connect() as connection:
        signing_in.set_password(connection, account, PASSWORD, now=clock.now())
        factors.set_pin(connection, account, PIN, now=clock.now())
        connection.commit()
    return account


class Tablet(Client):
    """A tablet's browser; answers are text."""

    def __init__(self, shop: Shop, language: str = "en", **more: Any) -> None:
        super().__init__(SERVER_NAME="localhost", HTTP_ACCEPT_LANGUAGE=language, **more)
        self.shop = shop

    def at(self, name: str = "", **form: str) -> str:
        """The page after a form, followed to its end."""
        path = f"/till/{self.shop.key}/{name}"
        answer = self.post(path, form, follow=True) if form or name else self.get(path, follow=True)
        self.status = answer.status_code
        self.where = answer.request["PATH_INFO"]
        return re.sub(r"\s+", " ", answer.content.decode().replace("\u00a0", " ").replace("\u202f", " "))

    def enrolled(self) -> Tablet:
        with database.connect() as connection:
            expected = devices.expect(
                connection, self.shop.program_id, name="Front", location="Lyon", by="test", role="owner",
                now=clock.now(),
            )  # fmt: skip
            connection.commit()
        self.at("enrol-till", code=expected.code, public_key="")
        assert self.where.endswith("/sign-in")
        return self

    def working(self) -> Tablet:
        self.enrolled()
        self.at("sign-in", email=CASHIER, password=PASSWORD)
        assert self.where == f"/till/{self.shop.key}/", self.where
        return self


@pytest.fixture
def till(shop: Shop) -> Tablet:
    return Tablet(shop).working()


def test_only_a_tablet_that_was_taken_in_is_a_till(shop: Shop) -> None:
    stranger = Tablet(shop)
    assert "Make this tablet a till" in stranger.at()
    assert "No till is expected" in stranger.at("enrol-till", code="AAAAA-AAAAA", public_key="")
    assert "could not make a key" in stranger.at("enrol-till", code="x", public_key=b64encode(b"no").decode())
    for name in ("find", "credit", "give", "take-back", "enrol", "lock"):
        stranger.at(name, who="2801")
        assert stranger.where.endswith("/enrol-till"), name
    assert stranger.get("/till/nowhere/").status_code == 404
    tablet = Tablet(shop).enrolled()
    held = tablet.cookies["till"]
    assert (held["httponly"], held["samesite"], held["path"]) == (True, "Strict", "/till/club/")
    assert "Who works here?" in tablet.at()
    assert "do not belong together" in tablet.at("sign-in", email=CASHIER, password="wrong")
    marketer = staff("marketer", shop.program_id, email="m@shop.example")
    with database.connect() as connection:
        signing_in.set_password(connection, marketer, PASSWORD, now=clock.now())
        connection.commit()
    # Who has no right at tills is answered as if the password were wrong.
    assert "do not belong together" in tablet.at("sign-in", email="m@shop.example", password=PASSWORD)


def test_a_revoked_till_is_refused_at_its_next_call(shop: Shop, till: Tablet) -> None:
    assert "The member" in till.at()
    with database.connect() as connection:
        (device,) = devices.devices(connection, shop.program_id)
        devices.revoke(
            connection, shop.program_id, device.device_id, by="test", role="owner", now=clock.now()
        )
        connection.commit()
    till.at()
    assert till.status == 401
    for name in ("find", "journal"):
        till.at(name, who="2801")
        assert till.status == 401, name
    assert "This till was ended" in till.at()


def test_a_rest_asks_for_the_pin_and_five_wrong_ones_for_the_password(
    shop: Shop, till: Tablet, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = shop.enrol()
    till.at("find", who="2801")
    later = clock.now() + shifts.IDLE + MINUTE
    monkeypatch.setattr(clock, "now", lambda: later)
    assert "PIN" in till.at()
    assert till.where.endswith("/unlock")
    till.at("credit", once="x")
    assert till.where.endswith("/unlock")
    assert "not the PIN" in till.at("unlock", pin="0000")
    # What lay on the counter lies there still.
    assert "Within reach" in till.at("unlock", pin=PIN) or "stars" in till.at()
    till.at("lock", x="1")
    assert till.where.endswith("/unlock")
    said = [till.at("unlock", pin="0000") for _ in range(factors.PIN_TRIES)]
    assert "sign in with your password" in said[-1]
    till.at("unlock", pin=PIN)
    assert till.where.endswith("/sign-in")
    till.at()
    assert till.where.endswith("/sign-in")
    assert shop.wallet(member)["spendable"] == "0.00"


def test_the_first_sign_in_chooses_a_pin_and_a_colleague_takes_over_by_his(shop: Shop, till: Tablet) -> None:
    bob = staff("cashier", shop.program_id, email="bob@shop.example")
    with database.connect() as connection:
        signing_in.set_password(connection, bob, PASSWORD, now=clock.now())
        connection.commit()
    shop.enrol()
    till.at("find", who="2801")
    till.at("lock", x="1")
    assert "Choose a PIN" in till.at("sign-in", email="bob@shop.example", password=PASSWORD)
    assert "neither alike nor in a row" in till.at("pin", pin="1234")
    page = till.at("pin", pin="7391")
    assert till.where == "/till/club/"
    # The other's customer is not his.
    assert "Scan, card, phone or e-mail" in page
    till.at("lock", x="1")
    with database.connect() as connection:
        (device,) = devices.devices(connection, shop.program_id)
        open_shifts = shifts.at_device(connection, device, now=clock.now())
    assert {item.name for item in open_shifts} == {"A cashier"}
    ann = next(item for item in open_shifts if item.account_id != bob.account_id)
    assert "not the PIN" in till.at("unlock", shift=ann.ref, pin="7391")
    till.at("unlock", shift=ann.ref, pin=PIN)
    assert till.where == "/till/club/"
    # What the tablet keeps without the network it keeps under the name of whoever opened it last.
    assert f'data-shift="{ann.ref}"' in till.at()
    left = till.at("leave", x="1")
    assert "Who works here?" in left
    assert "data-nobody" in left


def test_a_sale_from_scan_to_receipt_and_undone(shop: Shop, till: Tablet) -> None:
    ref = shop.post("/members", {"identities": {"card": "2801", "email": "zoe@example.org"}}).json["member"]
    assert "Find the member to see" in till.at("amount", amount="42,10")
    page = till.at("find", who="2801")
    assert "Earns 42.10 stars" in page
    assert "zoe@" not in page.lower()
    once = re.search(r'name="once" value="([^"]+)"', page)
    assert once is not None
    page = till.at("credit", once=once[1])
    assert "+42.10 stars" in page
    assert "The member now has 42.10 stars" in page
    assert "Not a proof of payment." in page
    assert "Ne vaut pas preuve de paiement." in page
    number = re.search(r"1-F[0-9A-Z]{8}", page)
    assert number is not None
    # The same form sent again credits nothing.
    till.at("credit", once=once[1])
    assert shop.wallet(ref)["spendable"] == "42.10"
    page = till.at("return", sale="last")
    assert "Takes back €42.10" in page
    assert "42.10 stars → <strong>0.00 stars" in page or "→ <strong>0 stars" in page
    assert shop.wallet(ref)["spendable"] == "42.10"
    assert "were taken back" in till.at("take-back", x="1")
    assert shop.wallet(ref)["spendable"] == "0.00"
    assert "taken back already" in till.at("return", sale=number[0])


def test_a_part_comes_back_by_the_number_of_the_receipt(shop: Shop, till: Tablet) -> None:
    ref = shop.enrol()
    till.at("find", who="2801")
    page = till.at("line", amount="30", category="bread")
    page = till.at("line", amount="12.50", category="")
    once = re.findall(r'name="once" value="([^"]+)"', page)[0]
    assert "Earns 42.50 stars" in page
    number = re.findall(r"1-F[0-9A-Z]{8}", till.at("credit", once=once))[0]
    spend = {"member": ref, "currency": "stars", "points": "40"}
    assert shop.post("/redemptions", spend).status == 201
    page = till.at("return", sale=number.lower(), back="10")
    assert "Takes back €10" in page
    assert "were spent already" in page
    till.at("take-back", x="1")
    assert shop.wallet(ref)["debt"] in ("7.50", "7.5")
    assert "No sale has this number" in till.at("return", sale="9-1")
    for text in ("", "1-", "--", "1-f' or 1=1", "x" * 200):
        till.at("return", sale=text)
        assert till.status == 200


def test_only_the_first_name_tier_and_balance_are_shown(shop: Shop, till: Tablet) -> None:
    page = till.at("join", x="1")
    page = till.at("enrol", contact="+33 6 12 34 56 78", first_name="Zoé Dupont")
    assert "Welcome!" in page
    till.at("clear", x="1")
    page = till.at("find", who="+33612345678")
    assert "Zoé" in page
    for hidden in ("Dupont", "12 34 56", "612345678"):
        assert hidden not in page
    known, unknown = (
        till.post("/till/club/find", {"who": "+33612345679"}),
        till.post("/till/club/find", {"who": "9"}),
    )
    strip = lambda answer: re.sub(r'(value|server-ms)="[^"]*"', "", answer.content.decode())  # noqa: E731
    assert (known.status_code, strip(known)) == (unknown.status_code, strip(unknown)) == (404, strip(known))
    assert "Nobody is found by this" in known.content.decode()


def test_enrolling_takes_one_field_and_prints_a_card(shop: Shop, till: Tablet) -> None:
    page = till.at("enrol", contact="", first_name="")
    number = re.search(r"P-[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}", page)
    assert number is not None
    assert "<svg" in page
    till.at("clear", x="1")
    assert "Within reach" in till.at("find", who=number[0]) or till.status == 200
    assert "Already a member" in till.at("enrol", contact=number[0])
    for wrong in ("a@", "@b", "4111 1111 1111 1111"):
        assert "Write an e-mail address" in till.at("enrol", contact=wrong), wrong
    shop.post("/members", {"identities": {"email": "here@example.org"}})
    assert "Already a member" in till.at("enrol", contact="Here@example.org")


def test_nobody_serves_himself(shop: Shop, till: Tablet) -> None:
    shop.post("/members", {"identities": {"email": CASHIER, "card": "77"}})
    till.at("leave", x="1")
    till.at("sign-in", email=CASHIER, password=PASSWORD)
    page = till.at("find", who="77")
    assert "This is your own account" in page
    page = till.at("amount", amount="10")
    assert 'name="once"' not in page
    assert "own account" in till.at("credit", once="x") or till.status == 200


def test_lookups_end_for_a_shift(shop: Shop, till: Tablet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shifts, "BROWSED", 3)
    shop.enrol()
    for _ in range(3):
        till.at("find", who="2801")
        assert till.status == 200
    assert "as many members as it may" in till.at("find", who="2801")
    # A sale gives its lookup back.
    page = till.at("amount", amount="5")
    till.at("credit", once=re.findall(r'name="once" value="([^"]+)"', page)[0])
    till.at("find", who="2801")
    assert till.status == 200


def test_the_counter_is_kept_nowhere_and_may_use_the_camera(shop: Shop, till: Tablet) -> None:
    shop.enrol()
    till.at("find", who="2801")
    answer = till.get("/till/club/")
    assert answer["Permissions-Policy"].startswith("camera=(self)")
    assert answer["Cache-Control"] == "private, no-store"
    assert "style=" not in answer.content.decode()


@pytest.mark.parametrize("language", ["fr", "en"])
def test_all_pages_speak_both_languages(shop: Shop, language: str) -> None:
    tablet = Tablet(shop, language).working()
    page = tablet.at("join", x="1")
    assert ("Prénom" in page) == (language == "fr")
    page = tablet.at("voucher", voucher="")
    assert ("Son code, sur le bon" in page) == (language == "fr")
    for name in ("shell", "sw.js", "manifest.webmanifest"):
        answer = tablet.get(f"/till/club/{name}")
        assert answer.status_code == 200
        assert answer["X-Till"]
    # The shell is kept for months: no instant stands in it, by which sales would be dated.
    assert 'data-server-ms=""' in tablet.get("/till/club/shell").content.decode()
    assert ("Sans réseau" in tablet.get("/till/club/shell").content.decode()) == (language == "fr")


def test_what_the_device_signed_is_credited_once_however_it_comes(
    shop: Shop, cashier: accounts.Account
) -> None:
    """By the form with the network, and again by the journal: one sale, one answer each, one number."""
    ref = shop.enrol()
    counter = Counter(shop)
    till = Tablet(shop)
    till.cookies["till"] = counter.token
    till.at("sign-in", email=CASHIER, password=PASSWORD)
    till.at("find", who="2801")
    page = till.at("amount", amount="12.5")
    told = re.search(r'id="entry" type="application/json">(.*?)</script>', page)
    assert told is not None
    sent = counter.entry(**json.loads(told[1]))
    form = {"entry": sent.text, "signature": sent.signature, "once": "x"}
    answer = till.post("/till/club/credit", form, headers={"X-Requested-With": "till"})
    assert (answer.status_code, answer["X-Till"]) == (200, "applied 1")
    assert "+12.50" in answer.content.decode()
    answer = till.post("/till/club/credit", form, headers={"X-Requested-With": "till"})
    assert (answer.status_code, answer["X-Till"]) == (200, "duplicate 1")
    kept = json.dumps({"entries": [{"text": sent.text, "signature": sent.signature}]})
    answer = till.post("/till/club/journal", kept, content_type="application/json")
    assert answer.json()["results"] == [{"number": "1", "status": "duplicate", "code": "", "said": ""}]
    wrong = json.dumps({"entries": [{"text": sent.text, "signature": "AAAA"}]})
    (result,) = till.post("/till/club/journal", wrong, content_type="application/json").json()["results"]
    assert (result["status"], result["code"]) == ("refused", "wrong_signature")
    assert "not as this till signed it" in result["said"]
    assert shop.wallet(ref)["spendable"] == "12.50"


def test_a_reward_needs_the_members_own_code_and_is_given_once(shop: Shop, till: Tablet) -> None:
    """The card's usual code only earns; another's, an old one and a used one are refused, and nothing is taken."""
    coffee = {
        "key": "coffee", "name": {"en": "A coffee", "fr": "Un café"}, "gives": {"kind": "product", "sku": "coffee"},
        "prices": [{"points": {"stars": "50"}}],
    }  # fmt: skip
    # The till collects no money: of its prices the one in points alone is paid, though the other comes first.
    mixed = {"key": "mixed", "points": {"stars": "10"}, "money": {"amount": "3.00", "currency": "EUR"}}
    fiver = {
        "key": "fiver", "name": {"en": "Five off", "fr": "Cinq de moins"},
        "gives": {"kind": "amount_off", "amount": "5.00"}, "prices": [mixed, {"points": {"stars": "40"}}],
    }  # fmt: skip
    for reward in (coffee, fiver):
        assert shop.call("PUT", f"/rewards/{reward['key']}", reward).status in (200, 201)
    ref, other = shop.enrol(), shop.enrol("other")
    shop.sale(ref, "100.00")
    shop.sale(other, "100.00")
    till.at("find", who="2801")
    page = till.at("amount", amount="20")
    assert "A coffee" in page
    assert "€5.00 off" in page
    page = till.at("reward", reward="fiver")
    assert "Takes €5.00 off this basket." in page
    now = clock.now()
    for code in (
        card.code("club", refs.decode(ref), now),
        card.code("club", refs.decode(other), now, "use"),
        card.code("club", refs.decode(ref), now - 3 * card.LASTS, "use"),
        "2801",
    ):
        assert "not the member&#x27;s code for using points" in till.at("give", code=code), code
    assert shop.wallet(ref)["spendable"] == "100.00"
    right = card.code("club", refs.decode(ref), clock.now(), "use")
    page = till.at("give", code=right)
    assert "Take €5.00 off in the register." in page
    assert "40.00 stars used." in page
    assert shop.wallet(ref)["spendable"] == "60.00"
    till.at("reward", reward="coffee")
    assert "used already" in till.at("give", code=right)
    assert shop.wallet(ref)["spendable"] == "60.00"


FIVER = {
    "key": "fiver", "name": {"en": "Five off", "fr": "Cinq de moins"},
    "gives": {"kind": "amount_off", "amount": "5.00"}, "prices": [{"points": {"stars": "40"}}],
}  # fmt: skip


def test_a_voucher_is_looked_at_before_it_is_used_once(shop: Shop, till: Tablet) -> None:
    assert shop.call("PUT", "/rewards/fiver", FIVER).status in (200, 201)
    ref = shop.enrol()
    shop.sale(ref, "100.00")
    with database.connect() as connection:
        program = runtime(connection, "club")
        assert program is not None
        placed = batch.attempt(
            connection,
            lambda: orders.place(
                connection, program, member_id=refs.decode(ref), wanted=Wanted("fiver"), source="test", id="1",
                confirm=True, actor="test", now=clock.now(),
            ),
        )  # fmt: skip
        found = code_of(
            connection, shop.program_id, str(placed.items[0].details["voucher"]), member_id=refs.decode(ref)
        )
        connection.rollback()
    assert found is not None
    till.at("amount", amount="3")
    page = till.at("voucher", voucher=found.code)
    assert "Five off" in page
    assert "Takes €3.00 off this basket." in page
    till.at("close", x="1")
    assert "Five off" in till.at("voucher", voucher=found.code)
    assert "The voucher is used." in till.at("use-voucher", x="1")
    assert "used already" in till.at("voucher", voucher=found.code)
    assert "no voucher&#x27;s code" in till.at("voucher", voucher="nonsense")


def test_what_was_taken_back_is_what_was_shown(shop: Shop, till: Tablet) -> None:
    """Another sale became the last, or another till took a part back, after the page was shown: it is shown anew."""
    ref = shop.enrol()
    shop.enrol("2802")

    def sell(card: str, amount: str) -> str:
        till.at("find", who=card)
        once = re.findall(r'name="once" value="([^"]+)"', till.at("amount", amount=amount))[0]
        return re.findall(r"1-F[0-9A-Z]{8}", till.at("credit", once=once))[0]

    first = sell("2801", "42.10")
    seen = re.findall(r'name="seen" value="([^"]+)"', till.at("return", sale="last"))[0]
    assert seen == f"{first} 4210"
    with database.connect("app") as connection:
        # In another window of the same tablet a sale is credited meanwhile.
        found = runtime(connection, shop.key)
        assert found is not None
        device = devices.devices(connection, shop.program_id)[0]
        shift = shifts.at_device(connection, device, now=clock.now())[0]
        other = refs.decode(shop.get("/members?card=2802").json["member"])
        shifts.log_lookup(connection, shift, "card", other, now=clock.now())
        connection.commit()
        sales.credit(
            connection, found, device, shift, other, sales.Basket("5.00"), once="FOTHER", now=clock.now()
        )
    page = till.at("take-back", seen=seen)
    assert "The sale has changed meanwhile" in page
    assert "Takes back €5" in page
    assert shop.wallet(ref)["spendable"] == "42.10"
    till.at("return", sale=first)
    assert "were taken back" in till.at("take-back", seen=seen)
    assert shop.wallet(ref)["spendable"] == "0.00"


def test_what_is_no_amount_is_said_and_stays_to_be_mended(shop: Shop, till: Tablet) -> None:
    """Nothing is cut to fit, nothing that was typed is lost, and nothing is offered for what is none."""
    ref = shop.enrol()
    till.at("find", who="2801")
    for wrong in ("1000000000", "1" * 40, "-5", "\uff11\uff12", "1.000,50", "10.000", "1.500", "1e3", "abc"):
        till.at("amount", amount="42.10")
        page = till.at("amount", amount=wrong)
        assert till.status == 422
        assert "The amount is not one" in page, wrong
        assert f'name="amount" inputmode="decimal" autocomplete="off" value="{wrong}"' in page, wrong
        assert "data-credit" not in page, wrong
    till.at("amount", amount="42.10")
    page = till.at("line", amount="x1", category="bread")
    assert 'value="x1"' in page
    assert "Earns 42.10 stars" in till.at("line", drop="7"), "a line that is gone already changes nothing"
    assert "Earns 12.50 stars" in till.at("amount", amount="12,5")
    assert shop.wallet(ref)["spendable"] == "0.00"


def test_a_part_that_is_none_takes_nothing_back(shop: Shop, till: Tablet) -> None:
    shop.enrol()
    till.at("find", who="2801")
    once = re.findall(r'name="once" value="([^"]+)"', till.at("amount", amount="42.10"))[0]
    number = re.findall(r"1-F[0-9A-Z]{8}", till.at("credit", once=once))[0]
    for wrong in ("abc", "-5", "0", "\uff11\uff12", "99999", "42.11"):
        page = till.at("return", sale=number, back=wrong)
        assert (
            "The amount is not one" in page or "At most \u20ac42.10 of this sale can be taken back." in page
        ), wrong
        assert re.search(rf'value="{re.escape(wrong)}(\.00)?" autofocus aria-invalid="true"', page), wrong
        # Enter is with the field, not with what takes the whole sale back.
        assert "data-enter autofocus" not in page
    page = till.at("return", sale=number, back="10")
    assert "Takes back \u20ac10.00" in page
    assert "At most \u20ac42.10." in page
    assert "data-enter autofocus" in page


def test_points_are_not_used_for_nothing_off(shop: Shop, till: Tablet) -> None:
    """What takes something off a basket waits for the basket, on the page and behind it."""
    assert shop.call("PUT", "/rewards/fiver", FIVER).status in (200, 201)
    ref = shop.enrol()
    shop.sale(ref, "100.00")
    page = till.at("find", who="2801")
    assert "Type the amount first" in page
    till.at("reward", reward="fiver")
    page = till.at("give", code=card.code("club", refs.decode(ref), clock.now(), "use"))
    assert "This reward takes nothing off this basket. No points were used" in page
    assert shop.wallet(ref)["spendable"] == "100.00"
    till.at("amount", amount="20")
    till.at("reward", reward="fiver")
    # The code was not used up by what was refused.
    assert "Take \u20ac5.00 off" in till.at(
        "give", code=card.code("club", refs.decode(ref), clock.now(), "use")
    )
    assert shop.wallet(ref)["spendable"] == "60.00"
    assert "cannot be had here now" in till.at("reward", reward="nothing")


def test_all_within_reach_is_there_the_rest_a_fold_away(shop: Shop, till: Tablet) -> None:
    for number in range(11):
        reward = {
            "key": f"r{number:02}", "name": {"en": f"Thing {number:02}", "fr": "Chose"},
            "gives": {"kind": "product", "sku": "x"}, "prices": [{"points": {"stars": f"{10 + number}"}}],
        }  # fmt: skip
        assert shop.call("PUT", f"/rewards/{reward['key']}", reward).status in (200, 201)
    ref = shop.enrol()
    shop.sale(ref, "100.00")
    page = till.at("find", who="2801")
    seen, fold = page.split("More rewards")
    assert (seen.count("Thing "), fold.count("Thing ")) == (8, 3)
    for number in (0, 10):
        assert f"Thing {number:02}" in till.at("reward", reward=f"r{number:02}")
        till.at("close", x="1")


def test_a_printed_card_is_found_however_it_is_typed(shop: Shop, till: Tablet) -> None:
    number = re.findall(
        r"P-[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}", till.at("enrol", contact="", first_name="Zoe")
    )[0]
    bare = number.replace("-", "")
    wide = "".join(chr(ord(letter) + 0xFEE0) for letter in number)
    for typed in (number.lower(), bare, bare.lower(), number.replace("-", " "), wide):
        till.at("clear", x="1")
        assert "Zoe" in till.at("find", who=typed), typed
        assert "Already a member" in till.at("enrol", contact=typed), typed


def test_a_receipt_says_what_the_ledger_has(shop: Shop, till: Tablet) -> None:
    """The amount of the receipt is that of the sale that was signed, whatever was typed since in another window."""
    counter = Counter(shop)
    shop.enrol()
    till.cookies[COOKIE] = counter.token
    till.at("sign-in", email=CASHIER, password=PASSWORD)
    till.at("amount", amount="10.00")
    till.at("find", who="2801")
    sent = counter.entry("42.10")
    page = till.at("credit", entry=sent.text, signature=sent.signature)
    assert "+42.10 stars" in page
    assert "42.10" in page.partition("Not a proof of payment.")[0].partition("€")[2][:10]
    assert "€10.00" not in page


def test_who_looked_up_too_many_enrols_nobody(
    shop: Shop, till: Tablet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shifts, "BROWSED", 0)
    till.at("enrol", contact="new@example.org")
    assert till.status == 422
    assert shop.get("/members?email=new@example.org").status == 404
