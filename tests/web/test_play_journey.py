"""A member plays, saves, asks and goes offline, in a real browser, in both languages, and axe looks at each page."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.signing import dumps
from playwright.sync_api import Browser

from tests.api.shop import Shop
from tests.api.test_live import Served, serving
from tests.web import browser
from tests.web.arcade import MUG, arcade, said
from tests.web.test_journeys import Visitor, opened

__all__ = ["opened"]

pytestmark = pytest.mark.skipif(browser.found() is None, reason="no Chromium is installed")
PICTURES = os.environ.get("PALIER_PICTURES")
"""A folder for pictures of the pages, to look at; none are taken without it."""


@pytest.fixture
def own(shop: Shop) -> Shop:
    made = Shop("arcade", arcade(member_attributes={"first_name": {"type": "text"}}))
    made.call("PUT", "/rewards/mug", MUG)
    made.call("PUT", "/surveys/visit", {
        "key": "visit", "name": said("Your last visit", "Votre dernière visite"), "activity": "asked",
        "intro": said("Two questions, five stars.", "Deux questions, cinq étoiles."),
        "questions": [
            {"key": "again", "kind": "nps", "text": said("Would you recommend us?", "Nous recommanderiez-vous ?")},
            {"key": "why", "kind": "text", "text": said("Why?", "Pourquoi ?")},
        ],
    })  # fmt: skip
    return made


@pytest.fixture
def served(own: Shop, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setenv("PALIER_DEMO", "true")
    with serving(own) as found:
        yield found


def lively(own: Shop) -> str:
    """A member who has done a little of everything, among others."""
    ref = str(
        own.post("/members", {"identities": {"card": "me"}, "attributes": {"first_name": "Camille"}}).json[
            "member"
        ]
    )
    for number in range(6):
        other = own.enrol(f"other-{number}")
        own.sale(other, f"{100 - 13 * number}.00", id=f"other-{number}")
    for number in range(7):
        own.sale(ref, "11.50", id=f"mine-{number}")
    own.post("/activities", {"source": "till", "id": "v", "type": "visit", "member": ref,
                             "occurred_at": own_now()})  # fmt: skip
    return ref


def own_now() -> str:
    from tests.api.shop import now_text

    return now_text()


@pytest.mark.parametrize(
    ("language", "width", "scheme"), browser.looks(("en", 1440, "dark"), ("fr", 390, "light"))
)
def test_a_member_plays_saves_asks_and_goes_offline(
    opened: Browser, served: Served, own: Shop, language: str, width: int, scheme: Any
) -> None:
    ref = lively(own)
    visitor = Visitor(opened, served, language, width, color_scheme=scheme, reduced_motion="reduce")
    page, french = visitor.page, language == "fr"

    def look(name: str) -> None:
        visitor.look()
        if PICTURES:
            path = Path(PICTURES) / f"{name}-{language}-{width}-{scheme}.png"
            page.screenshot(path=path, full_page=True)

    def press(french_name: str, english_name: str) -> None:
        page.get_by_role("button", name=french_name if french else english_name, exact=True).first.click()

    page.goto(f"/portal/arcade/demo?as={dumps(ref, salt='demo arcade')}")
    look("home")
    page.goto("/portal/arcade/goals")
    look("goals")
    press("Participer", "Take part")
    look("goals-joined")
    page.goto("/portal/arcade/games/wheel")
    look("game")
    page.locator("form .button.primary").click()
    page.wait_for_url("**/plays/**")
    look("played")
    page.goto("/portal/arcade/games/ticket")
    press("Jouer", "Play")
    page.wait_for_url("**/plays/**")
    look("scratched")
    page.goto("/portal/arcade/quizzes/coffee")
    look("quiz")
    page.goto("/portal/arcade/rankings")
    look("rankings")
    page.goto("/portal/arcade/friends")
    look("friends")
    page.goto("/portal/arcade/earn?amount=45")
    look("earn")
    page.goto("/portal/arcade/rewards/mug")
    look("reward")
    press("Économiser pour cela", "Save for it")
    page.wait_for_url("**/portal/arcade/")
    look("home-saving")
    page.goto("/portal/arcade/survey/visit")
    look("survey")
    page.locator(".point", has_text="10").click()
    press("Envoyer mes réponses", "Send my answers")
    look("home-answered")
    page.goto("/portal/arcade/history")
    page.locator("summary").first.click()
    look("history")
    page.get_by_role(
        "link", name="Un problème avec cette ligne ?" if french else "Something wrong with this line?"
    ).first.click()
    look("ask")
    page.locator("textarea").fill("Je n'étais pas là ce jour-là.")
    press("Envoyer au magasin", "Send to the shop")
    look("case")
    page.goto("/portal/arcade/questions")
    look("cases")
    # The network is gone: the balance as it was, and the card; nothing else.
    page.goto("/portal/arcade/")
    number = page.locator(".number").inner_text().split()[0]
    page.evaluate("navigator.serviceWorker.ready")
    page.wait_for_function("localStorage.getItem('palier arcade') !== null")
    page.wait_for_function("navigator.serviceWorker.controller !== null")
    kept = page.evaluate("localStorage.getItem('palier arcade')")
    assert set(page.evaluate("Object.keys(JSON.parse(localStorage.getItem('palier arcade')))")) == {
        "name", "number", "unit", "at", "language", "card", "qr"
    }  # fmt: skip
    assert "Camille" in kept
    visitor.context.set_offline(True)
    page.goto("/portal/arcade/history")
    assert page.locator("[data-kept=number]").inner_text() == number
    assert page.locator("[data-kept=card]").inner_text() == ref
    assert page.locator("html").get_attribute("lang") == language
    # What could not be loaded without a network is no fault.
    visitor.faults.clear()
    look("offline")
    visitor.context.set_offline(False)
    page.goto("/portal/arcade/me")
    page.locator('form[action="/portal/arcade/leave"] button').click()
    page.wait_for_url("**/door")
    assert page.evaluate("localStorage.getItem('palier arcade')") is None
    stored = page.evaluate(
        "(async () => { const found = []; for (const name of await caches.keys())"
        " for (const asked of await (await caches.open(name)).keys()) found.push(new URL(asked.url).pathname);"
        " return found; })()"
    )
    assert stored
    assert not [
        path
        for path in stored
        if not path.startswith(("/static/", "/portal/arcade/offline", "/portal/arcade/brand", "/-/"))
    ]
