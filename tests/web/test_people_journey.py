"""A day of somebody in support, in a real browser, in both languages: find, explain, adjust, answer; and axe."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.signing import dumps
from playwright.sync_api import Browser

from tests.api.shop import Shop, document
from tests.api.test_live import Served, serving
from tests.web import browser
from tests.web.staff import staff
from tests.web.test_journeys import Visitor
from tests.web.test_people import ADJUSTMENTS, enrolled

pytestmark = pytest.mark.skipif(browser.found() is None, reason="no Chromium is installed")


@pytest.fixture
def opened() -> Iterator[Browser]:
    with browser.chromium() as made:
        yield made


@pytest.fixture
def served(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setenv("PALIER_DEMO", "true")
    with serving(shop) as found:
        yield found


LOOKS: list[tuple[str, int, Any]] = [("fr", 1440, "light"), ("en", 768, "dark")]


def test_somebody_in_support_helps_a_member(opened: Browser, served: Served, shop: Shop) -> None:
    """Found by an e-mail, a line explained, points beyond what one may asked of a second person, a case answered."""
    club = Shop("house", document("house", adjustments=ADJUSTMENTS))
    account = staff("support", club.program_id)
    for number, (language, width, scheme) in enumerate(LOOKS):
        ref = enrolled(club, f"{number}@example.org")
        club.sale(ref, "150.00")
        visitor = Visitor(opened, served, language, width, color_scheme=scheme)
        page, french = visitor.page, language == "fr"
        said = {True: 0, False: 1}[french]

        def words(*both: Any, place: int = said) -> Any:
            return both[place]

        page.goto(f"/console/demo-sign-in?as={dumps(account.email, salt='demo console')}")
        page.get_by_role("link", name=words("Membres", "Members"), exact=True).click()
        visitor.look()
        page.keyboard.type(f"{number}@example.org")
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/members/{ref}")
        visitor.look()
        line = page.locator("details.receipt", has_text=words("Achat", "Purchase"))
        line.locator("summary").click()
        assert "× 1 star = 150" in line.inner_text().replace("\u00a0", " ")
        line.get_by_role("textbox").fill("Two stars are missing")
        line.get_by_role("button").click()
        page.wait_for_url("**/cases/*")
        visitor.look()
        page.get_by_role("textbox").fill("It is a star for each euro: 150.")
        page.get_by_role("button", name=words("Répondre et clore", "Answer and close")).click()
        page.get_by_text(words("La demande est close.", "The case is closed.")).wait_for()
        visitor.look()
        page.goto(f"/console/house/members/{ref}/adjust")
        visitor.look()
        page.get_by_label(words("Combien", "How many")).fill("120")
        page.get_by_label(words("Pourquoi", "Why")).fill("late parcel")
        page.keyboard.press("Enter")
        page.get_by_role("heading", name=words("Voici ce qui va se passer", "This will happen")).wait_for()
        visitor.look()
        page.get_by_role(
            "button", name=words("Demander à une seconde personne", "Ask a second person")
        ).click()
        page.wait_for_url(f"**/members/{ref}")
        visitor.look()
        assert club.wallet(ref)["spendable"] == "150.00"
        for path in (
            "orders",
            "orders/stock",
            f"members/{ref}/merge",
            f"members/{ref}/persons",
            "cases?state=closed",
        ):
            page.goto(f"/console/house/{path}")
            visitor.look()
        # The column is put away by keyboard, and stays so; the others stay.
        column = words("ouverte", "opened")
        page.get_by_text(words("Colonnes", "Columns"), exact=True).focus()
        page.keyboard.press("Enter")
        page.get_by_role("checkbox", name=column).press("Space")
        visitor.look()
        page.reload()
        assert [title for title in page.get_by_role("columnheader").all_inner_texts() if title] == words(
            ["attend depuis", "membre", "à propos de", "état"], ["waits since", "member", "about", "state"]
        )
        assert page.get_by_role("row").last.get_by_role("cell").count() == 3
        visitor.context.close()


def test_a_file_is_brought_by_script(opened: Browser, served: Served, shop: Shop, tmp_path: Any) -> None:
    """Sent in pieces, judged again as a column is chosen, without a page of its own."""
    account = staff("marketer", shop.program_id)
    file = tmp_path / "march.csv"
    rows = "".join(f"T{number},2026-03-01T10:00:00Z,customer-{number:020},5.00\n" for number in range(1, 4))
    file.write_text(f"id,date,customer,total\n{rows}")
    visitor = Visitor(opened, served, "en", 1440)
    page = visitor.page
    page.goto(f"/console/demo-sign-in?as={dumps(account.email, salt='demo console')}")
    page.goto(f"/console/{shop.key}/imports")
    visitor.look()
    page.get_by_label("File").set_input_files(file)
    page.get_by_role("button", name="Bring it").click()
    page.wait_for_url("**/imports/*")
    visitor.look()
    # On a phone too, what a column is can be read: the table scrolls, its choices are not squeezed.
    page.set_viewport_size({"width": 390, "height": 844})
    for place in range(4):
        box = page.locator(f"select[name=field_{place}]").bounding_box()
        assert box is not None
        assert box["width"] >= 11 * 16
    visitor.look()
    page.set_viewport_size({"width": 1440, "height": 844})
    page.get_by_label("Source, where no column says it").fill("till")
    page.get_by_text("3 taken").wait_for()
    visitor.look()
    page.get_by_role("button", name="Import the file").click()
    page.get_by_text("waits for its turn").wait_for()
    visitor.look()
