"""The first set-up: who may begin it, and the way from an empty installation to a member with points."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from django.test import Client
from playwright.sync_api import Browser

from palier.activities.previews import yearly
from palier.programs import gallery
from palier.site import clock
from palier.site import database as place
from palier.staff import accounts, admission, session, signing_in, throttle
from palier.staff.signing_in import NotSignedIn
from palier.web.console.desk import setting_up
from tests.api.shop import Shop
from tests.api.test_live import serving
from tests.web import browser, messages
from tests.web.staff import PASSWORD, staff_client
from tests.web.test_console_door import code
from tests.web.test_journeys import Visitor

FORM = {"name": "Ada", "email": "ada@example.org", "password": PASSWORD}


@pytest.fixture
def empty(database: str) -> Iterator[None]:
    """An installation in which nothing is."""
    session.close()
    throttle._seen.clear()
    yield
    session.close()


def client_of(language: str = "en") -> Client:
    return Client(SERVER_NAME="localhost", HTTP_ACCEPT_LANGUAGE=language)


def test_only_who_reads_the_server_becomes_the_owner(empty: None) -> None:
    client = client_of()
    assert client.get("/")["Location"] == "/console/set-up"
    assert client.get("/console/set-up")["Location"] == "/console/set-up/first"
    for wrong in ("", "AAAA-BBBB-CCCC", admission.set_up_code()[:-1]):
        refused = client.post("/console/set-up/first", {**FORM, "code": wrong})
        assert (refused.status_code, SESSION_KEY in client.session) == (422, False), wrong
    right = admission.set_up_code().lower().replace("-", " ")
    for bad in ({"email": "x"}, {"name": " "}, {"password": "short"}):
        assert client.post("/console/set-up/first", {**FORM, "code": right, **bad}).status_code == 422, bad
    with place.connect() as connection:
        assert accounts.is_empty(connection), "what was refused left nothing"
    assert client.post("/console/set-up/first", {**FORM, "code": right})["Location"] == "/console/second-step"
    late = client_of().post("/console/set-up/first", {**FORM, "email": "eve@example.org", "code": right})
    assert late["Location"].startswith("/console/sign-in"), "the code opens nothing any more"
    assert client_of().get("/console/set-up")["Location"].startswith("/console/sign-in")


SESSION_KEY = "staff"


def test_who_may_begin_a_program_is_not_sent_to_an_owner(empty: None) -> None:
    """The owner of an empty installation is told what to do; who has no role is told who can help."""
    owner = staff_client("owner").get("/console/").content.decode()
    assert "Take one of the gallery to begin with" in owner
    assert "An owner can give you one" not in owner
    cashier = staff_client("cashier").get("/console/").content.decode()
    assert "An owner can give you one" in cashier


def test_the_owner_has_one_name_in_french() -> None:
    """The role is "Responsable" where roles are given, and so wherever somebody is sent to that person."""
    said = [
        text
        for area in messages.areas()
        for message in messages.catalogue(area)
        for text in ([message.string] if isinstance(message.string, str) else message.string)
    ]
    assert [text for text in said if "propriétaire" in text.lower()] == []
    assert any("Une personne responsable peut vous en donner un." in text for text in said)


def test_an_empty_address_is_asked_for(empty: None) -> None:
    """What is not there is not quoted, and the step says "courriel" as all pages do."""
    french = client_of("fr")
    sent = {**FORM, "email": " ", "code": admission.set_up_code()}
    page = french.post("/console/set-up/first", sent).content.decode()
    assert "Écrivez une adresse de courriel, par exemple nom@example.org." in page
    assert "e-mail" not in page
    assert "n’est pas une adresse" not in page


def test_the_first_purchase_is_one_however_often_it_is_sent(empty: None) -> None:
    """Pressed twice at the same moment, sent again from the page before, or with another amount."""
    client = client_of()
    client.post("/console/set-up/first", {**FORM, "code": admission.set_up_code()})
    secret = re.search(r'class="secret">([A-Z2-7 ]+)<', client.get("/console/second-step").content.decode())
    assert secret is not None
    client.post("/console/second-step", {"code": code(secret[1])})
    names = {"name_en": "Mine", "name_fr": "Le mien", "key": "mine"}
    assert client.post("/console/set-up/gallery/cafe_stars", names).status_code == 302
    assert client.post("/console/set-up/member", {"email": "ada@example.org"}).status_code == 302
    for nothing in ("0", "-1", "", "x"):
        refused = client.post("/console/set-up/activity", {"kind": "sale", "amount": nothing})
        assert refused.status_code == 422, nothing
        assert "Write an amount, such as 25 or 24.90." in refused.content.decode()
    found = setting_up._first_program

    def sent(amount: str) -> str:
        return client.post("/console/set-up/activity", {"kind": "sale", "amount": amount})["Location"]

    with pytest.MonkeyPatch.context() as patch:
        # Each finds the step as it was before the other was done.
        patch.setattr(setting_up, "_stands", lambda made: ("activity", found(made.connection)))
        assert [sent(amount) for amount in ("20", "20", "30")] == ["/console/set-up/done"] * 3
    assert sent("40") == "/console/set-up", "what is done is not done again"
    with place.connect() as connection:
        sales = connection.execute("select count(*) from activity where type = 'sale'").fetchone()
    assert sales == (1,)


def test_guessing_the_code_is_throttled(empty: None) -> None:
    client = client_of()
    for _ in range(signing_in.TRIES_PER_ACCOUNT):
        assert client.post("/console/set-up/first", {**FORM, "code": "AAAA-AAAA-AAAA"}).status_code == 422
    refused = client.post("/console/set-up/first", {**FORM, "code": admission.set_up_code()})
    assert refused.status_code == 429


def test_of_two_at_the_same_moment_one_becomes_the_owner(empty: None) -> None:
    made: list[str] = []

    def begin(number: int) -> None:
        with place.connect() as connection:
            try:
                admission.make_first(
                    connection, code=admission.set_up_code(), email=f"a{number}@example.org", name="A",
                    password=PASSWORD, language="en", address="", now=clock.now(),
                )  # fmt: skip
                made.append("made")
            except NotSignedIn:
                made.append("refused")

    threads = [threading.Thread(target=begin, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == ["made", "refused", "refused", "refused"]


def test_others_are_not_led_through_it(shop: Shop) -> None:
    """Who owns one program sets up no other, and nobody opens the pages of a member that he did not make here."""
    client = staff_client("owner", shop.program_id)
    for path in ("gallery", "gallery/cafe_stars", "member", "activity", "done"):
        assert client.get(f"/console/set-up/{path}").status_code == 404, path
    everywhere = staff_client("owner")
    shop.enrol()
    assert everywhere.post("/console/set-up/as-member").status_code == 404
    assert everywhere.get("/console/set-up/gallery/nothing").status_code == 404


@pytest.mark.parametrize("entry", gallery.entries(), ids=lambda entry: entry.key)
def test_every_program_of_the_gallery_is_simulated_for_a_year(entry: gallery.Entry) -> None:
    year = yearly(entry.program(), 2500, 4, now=1_767_225_600_000_000)
    assert (year.sales, year.spent) == (48, 120_000)
    assert all(points > 0 for points in year.points.values())
    if entry.key == "simple_points":
        assert year.points, "purchases bring something here"


def test_what_is_written_wrongly_is_said_and_publishes_nothing(shop: Shop) -> None:
    client = staff_client("owner")
    form = {"name_en": "My club", "name_fr": "Mon club", "key": "mine"}
    for bad in ({"name_fr": ""}, {"key": "Not A Key"}, {"key": "club"}, {"key": "x\nkey: y"}):
        refused = client.post("/console/set-up/gallery/cafe_stars", {**form, **bad})
        assert refused.status_code == 422, bad
    amount = "Write what a purchase comes to: more than nothing, and €10,000,000.00 at most."
    times = "Write how often a month: from 1 to 30 times."
    wrong = {
        "amount=x": amount,
        "amount=-1": amount,
        "amount=99999999999": amount,
        "times=0": times,
        "times=99": times,
    }
    for query, said in wrong.items():
        page = client.get(f"/console/set-up/gallery/cafe_stars?{query}").content.decode()
        assert said in page, query
    names = {"name_en": '"]<b>: *x', "name_fr": "L'été #1"}
    assert client.post("/console/set-up/gallery/cafe_stars", {**form, **names}).status_code == 302
    assert "&lt;b&gt;: *x" in client.get("/").content.decode()


@pytest.mark.skipif(browser.found() is None, reason="no Chromium is installed")
@pytest.mark.parametrize(
    ("language", "width", "scheme"), browser.looks(("en", 1440, "light"), ("fr", 768, "dark"))
)
def test_a_new_owner_goes_from_nothing_to_a_member_with_points(
    empty: None, opened: Browser, language: str, width: int, scheme: Any
) -> None:
    french = language == "fr"

    def say(english: str, said: str) -> str:
        return said if french else english

    with serving(cast(Shop, SimpleNamespace(token=""))) as served:
        visitor = Visitor(opened, served, language, width, color_scheme=scheme)
        page = visitor.page
        page.goto("/")
        visitor.look()
        page.get_by_label(say("Set-up code", "Code d’installation")).fill(admission.set_up_code())
        page.get_by_label(say("Your name", "Votre nom")).fill("Ada")
        page.locator("#email").fill("ada@example.org")
        page.locator("#password").fill(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url("**/console/second-step")
        visitor.look()
        page.locator("#code").fill(code(page.locator(".secret").inner_text()))
        page.keyboard.press("Enter")
        page.locator(".recovery").wait_for()
        visitor.look()
        page.locator("a.button.primary").click()
        page.wait_for_url("**/console/set-up/gallery")
        visitor.look()
        page.locator("a[href$='/cafe_stars']").click()
        page.locator("#amount").fill("30")
        page.get_by_role("button", name=say("Reckon", "Calculer")).click()
        assert "48" in page.locator("#year").inner_text()
        visitor.look()
        page.locator("#name_en").fill("Harbour Stars")
        page.locator("#name_fr").fill("Les étoiles du port")
        page.locator("input[name=key]").fill("harbour")
        page.get_by_role("button", name=say("Publish it", "Le publier")).click()
        page.wait_for_url("**/console/set-up/member*")
        visitor.look()

        # Left here, it goes on here.
        page.goto("/console/set-up")
        page.wait_for_url("**/console/set-up/member")
        page.get_by_role("button", name=say("Enrol", "Inscrire")).click()
        page.wait_for_url("**/console/set-up/activity")
        visitor.look()
        page.locator("#amount").fill("24,90" if french else "24.90")
        page.get_by_role("button", name=say("Send it", "L’envoyer")).click()
        page.wait_for_url("**/console/set-up/done")
        assert re.search(say("24.stars", "24.étoiles"), page.locator("main").inner_text())
        visitor.look()
        for path in ("staff", "staff/invite", "keys", "keys/new", "approvals", "log"):
            page.goto(f"/console/harbour/{path}")
            visitor.look()
        for path in ("own-account", "own-account/authenticator", "own-account/pin"):
            page.goto(f"/console/{path}")
            visitor.look()
        page.goto("/")
        visitor.look()
        page.goto("/console/set-up/done")
        page.get_by_role("button", name=say("Open the member's page", "Ouvrir la page du membre")).click()
        page.wait_for_url("**/portal/harbour/")
        assert "24" in page.locator(".number").inner_text()


@pytest.fixture(scope="module")
def opened() -> Iterator[Browser]:
    with browser.chromium() as made:
        yield made
