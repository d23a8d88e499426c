"""What people do, in a real browser, in both languages, on a phone and at a desk; and what axe says of each page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.core.signing import dumps
from playwright.sync_api import Browser, Page, Request

from tests.api.shop import Shop
from tests.api.test_live import Served, serving
from tests.web import browser
from tests.web.test_rewards import COFFEE, put

pytestmark = pytest.mark.skipif(browser.found() is None, reason="no Chromium is installed")

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"], "resultTypes": ["violations"]}
"""What axe looks for, and tells of: what passes is not said."""


@pytest.fixture(scope="module")
def opened() -> Iterator[Browser]:
    with browser.chromium() as made:
        yield made


@pytest.fixture
def served(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setenv("PALIER_DEMO", "true")
    with serving(shop) as found:
        yield found


class Visitor:
    """One browser window; what it was refused or could not load is remembered."""

    def __init__(self, opened: Browser, served: Served, language: str, width: int, **more: Any) -> None:
        self.context = opened.new_context(
            viewport={"width": width, "height": 844}, locale=language, base_url=f"http://127.0.0.1:{served.port}",
            **more,
        )  # fmt: skip
        self.page: Page = self.context.new_page()
        self.faults: list[str] = []
        self.page.on("console", lambda said: self.faults.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("requestfailed", self._failed)

    def _failed(self, asked: Request) -> None:
        # What the browser itself gives up, because it goes on to another page, is no fault.
        if asked.failure != "net::ERR_ABORTED":
            self.faults.append(f"not loaded: {asked.url}")

    def look(self) -> None:
        """No fault of accessibility, nothing wider than the screen, nothing refused by the browser."""
        found = Axe().run(self.page, options=RULES)
        assert not found.response["violations"], found.generate_report()
        wide = self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert wide <= 0, f"{self.page.url} is {wide} px wider than the screen"
        assert not self.faults, (self.page.url, self.faults)


@pytest.mark.parametrize(
    ("language", "width", "scheme"), [("fr", 390, "light"), ("en", 390, "dark"), ("en", 1440, "light")]
)
def test_a_member_joins_earns_and_looks(
    opened: Browser, served: Served, shop: Shop, language: str, width: int, scheme: Any
) -> None:
    visitor = Visitor(opened, served, language, width, color_scheme=scheme)
    page, french = visitor.page, language == "fr"
    page.goto("/portal/club/")
    visitor.look()
    page.get_by_label("Votre adresse de courriel" if french else "Your e-mail address").fill(
        "new@example.org"
    )
    page.keyboard.press("Enter")
    page.wait_for_url("**/portal/club/code")
    visitor.look()
    shown = page.get_by_role("status").inner_text()
    page.get_by_label("Six chiffres" if french else "Six digits").fill("".join(filter(str.isdigit, shown)))
    page.keyboard.press("Enter")
    page.wait_for_url("**/portal/club/")
    visitor.look()
    ref = shop.get("/members?email=new@example.org").json["member"]
    shop.sale(ref, "150.00")
    page.reload()
    assert "150" in page.locator(".number").inner_text()
    for name in (
        ("Récompenses", "Historique", re.compile("^Moi"))
        if french
        else ("Rewards", "History", re.compile("^Me"))
    ):
        page.get_by_role("navigation").get_by_role("link", name=name, exact=True).click()
        visitor.look()
    page.goto("/portal/club/card")
    visitor.look()
    page.goto("/portal/club/history")
    page.locator("summary").first.click()
    assert page.locator(".opened").first.is_visible()
    visitor.look()
    page.goto("/portal/club/goals")
    visitor.look()
    page.goto("/portal/club/program")
    visitor.look()
    page.get_by_role("button", name="English" if french else "Français").click()
    assert page.locator("html").get_attribute("lang") == ("en" if french else "fr")


@pytest.mark.parametrize(
    ("language", "width", "scheme"),
    [("fr", 390, "dark"), ("en", 390, "light"), ("en", 1440, "dark"), ("fr", 1440, "light")],
)
def test_what_is_picked_and_sent_asks_where_to(
    opened: Browser, served: Served, shop: Shop, language: str, width: int, scheme: Any
) -> None:
    put(shop, COFFEE)
    lamp = {"en": "A reading lamp", "fr": "Une lampe de lecture"}
    put(shop, {**COFFEE, "key": "lamp", "name": lamp, "gives": {"kind": "merchandise"}})
    among = [{"reward": "coffee", "quantity": 2}, {"reward": "lamp"}]
    either = {"en": "A small present", "fr": "Un petit cadeau"}
    put(
        shop,
        {**COFFEE, "key": "either", "name": either, "gives": {"kind": "choice", "rewards": among, "pick": 2}},
    )
    ref = shop.enrol()
    shop.sale(ref, "80.00")
    visitor = Visitor(opened, served, language, width, color_scheme=scheme)
    page = visitor.page
    page.goto(f"/portal/club/demo?as={dumps(ref, salt='demo club')}")
    page.goto("/portal/club/rewards/either")
    page.get_by_role("button", name=re.compile("^(Use|Utiliser) ")).click()
    page.get_by_label(re.compile(lamp[language])).wait_for()
    visitor.look()
    page.get_by_label(re.compile(lamp[language])).check()
    for name, value in {"name": "Ada", "street": "Rue Haute 1", "postcode": "1000", "country": "BE"}.items():
        page.locator(f"[name={name}]").fill(value)
    page.get_by_role("button", name=re.compile("^(Choose it|Choisir)")).click()
    page.get_by_role("alert").wait_for()
    assert page.locator("[name=street]").input_value() == "Rue Haute 1"
    visitor.faults.clear()  # The browser names the answer 422 a fault.
    visitor.look()
    page.locator("[name=city]").fill("Bruxelles")
    page.get_by_role("button", name=re.compile("^(Choose it|Choisir)")).click()
    page.get_by_role("heading", name=lamp[language]).wait_for()
    assert page.locator("[name=street]").count() == 0
    visitor.look()


def test_the_portal_works_without_script(opened: Browser, served: Served, shop: Shop) -> None:
    ref = shop.enrol()
    shop.sale(ref, "12.00")
    visitor = Visitor(opened, served, "en", 390, java_script_enabled=False)
    visitor.page.goto(f"/portal/club/demo?as={dumps(ref, salt='demo club')}")
    assert "12" in visitor.page.locator(".number").inner_text()
    visitor.page.get_by_role("link", name="History", exact=True).click()
    visitor.page.locator("summary").first.click()
    assert visitor.page.locator(".opened").first.is_visible()


def test_the_card_renews_itself(opened: Browser, served: Served, shop: Shop) -> None:
    """Just after its half minute the page shows another code, without being loaded anew."""
    ref = shop.enrol()
    visitor = Visitor(opened, served, "en", 390)
    visitor.page.clock.install()
    visitor.page.goto(f"/portal/club/demo?as={dumps(ref, salt='demo club')}")
    visitor.page.goto("/portal/club/card")
    visitor.page.evaluate("document.querySelector('#card').dataset.mark = 'kept'")
    first = visitor.page.locator("#card svg").inner_html()
    with visitor.page.expect_response("**/portal/club/card"):
        visitor.page.clock.run_for(31_000)
    assert visitor.page.locator("#card").get_attribute("data-mark") == "kept"
    assert first


def test_a_visit_leaves_nothing_but_what_it_needs(opened: Browser, served: Served, shop: Shop) -> None:
    """Cookies of the session, the forms and the language, each closed to scripts or to other sites; no other host."""
    ref = shop.enrol()
    visitor = Visitor(opened, served, "en", 390)
    hosts = set()
    visitor.page.on("request", lambda asked: hosts.add(asked.url.split("/")[2]))
    visitor.page.goto(f"/portal/club/demo?as={dumps(ref, salt='demo club')}")
    visitor.page.goto("/portal/club/me")
    assert {cookie["name"] for cookie in visitor.context.cookies()} == {"sessionid", "csrftoken"}
    assert all(cookie["sameSite"] == "Lax" for cookie in visitor.context.cookies())
    assert hosts == {f"127.0.0.1:{served.port}"}
