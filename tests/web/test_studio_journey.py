"""A marketer in a real browser, in both languages: form and text follow each other, a backtest, and publishing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from palier.jobs.backtests import play_next
from palier.site import database
from tests.api.shop import Shop
from tests.api.test_live import Served, serving
from tests.web import browser
from tests.web.staff import staff_client
from tests.web.test_journeys import Visitor

pytestmark = pytest.mark.skipif(browser.found() is None, reason="no Chromium is installed")


@pytest.fixture(scope="module")
def opened() -> Iterator[Browser]:
    with browser.chromium() as made:
        yield made


@pytest.fixture
def served(shop: Shop) -> Iterator[Served]:
    with serving(shop) as found:
        yield found


@pytest.mark.parametrize(
    ("language", "width", "scheme"), browser.looks(("en", 768, "dark"), ("fr", 1440, "light"))
)
def test_a_marketer_changes_a_rule_tries_it_and_publishes(
    opened: Browser, served: Served, shop: Shop, language: str, width: int, scheme: Any
) -> None:
    shop.sale(shop.enrol(), "120.00")
    # The browser's driver runs a loop in this thread, which Django refuses.
    with ThreadPoolExecutor(1) as aside:
        client = aside.submit(staff_client, "marketer", shop.program_id, language=language).result()
    visitor = Visitor(opened, served, language, width, color_scheme=scheme)
    address = f"http://127.0.0.1:{served.port}"
    visitor.context.add_cookies(
        [{"name": name, "value": kept.value, "url": address} for name, kept in client.cookies.items()]
    )
    page, french = visitor.page, language == "fr"

    def word(english: str, other: str) -> str:
        return other if french else english

    page.goto("/console/club/studio/")
    visitor.look()
    page.get_by_label(word("Name of the new draft", "Nom du nouveau brouillon")).fill("Summer")
    page.get_by_role("button", name=word("Begin a draft", "Commencer un brouillon")).click()
    visitor.look()
    page.get_by_role("link", name="Base", exact=True).click()
    visitor.look()
    # Typed in the form: the sentence and the text follow, and what is being typed in keeps the focus.
    points = page.locator('[name="rules[0].per_spend.points"]')
    points.fill("3")
    expect(page.locator("#yaml")).to_have_value(containing('points: "3"'))
    expect(page.locator(".studio-said")).to_contain_text("3 stars")
    assert page.evaluate("document.activeElement.name") == "rules[0].per_spend.points"
    # Typed in the text: the form follows; unreadable, it says where, and keeps what was typed.
    text = page.locator("#yaml")
    good = text.input_value()
    text.fill(good.replace('points: "3"', 'points: "2"'))
    expect(points).to_have_value("2")
    text.fill(good + "rules: [")
    expect(page.locator(".studio-panel .studio-problem.is-error")).to_contain_text(word("line", "ligne"))
    assert text.input_value() == good + "rules: ["
    visitor.look()
    text.fill(good.replace('points: "3"', 'points: "2"'))
    expect(points).to_have_value("2")
    expect(page.locator("#studio-findings .is-warning").first).to_be_visible()
    # Undone and done again.
    page.get_by_role("button", name=word("Undo", "Annuler")).click()
    expect(text).to_have_value(good + "rules: [")
    page.get_by_role("button", name=word("Redo", "Rétablir")).click()
    expect(points).to_have_value("2")
    # A condition is built, with its sentence.
    page.get_by_role("button", name="Condition", exact=True).click()
    expect(page.locator(".studio-said")).to_contain_text(word("Monday", "lundi"))
    visitor.look()
    desk = page.url
    page.get_by_role("link", name=word("Play it over your history", "Simuler sur votre historique")).click()
    visitor.look()
    page.get_by_role("button", name=word("Play it", "Simuler"), exact=True).click()
    with database.connect("app") as connection:
        play_next(connection)
    expect(page.locator("svg.chart").first).to_be_visible(timeout=15_000)
    visitor.look()
    page.locator("main summary").first.click()
    expect(page.locator("table").first).to_be_visible()
    page.goto(desk)
    page.get_by_role("link", name=word("Publish…", "Publier…")).click()
    visitor.look()
    page.get_by_role("checkbox").check()
    page.get_by_role("button", name=word("Publish", "Publier"), exact=True).click()
    expect(page.locator(".notice.good")).to_contain_text("2")
    visitor.look()
    page.goto("/console/club/studio/versions/1")
    visitor.look()


def containing(text: str) -> Any:
    """A pattern for values that hold this text."""
    return re.compile(re.escape(text))
