"""A cashier's morning in a real browser: with the network, without it, and with an answer that is lost on the way."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.core.signing import dumps
from playwright.sync_api import Browser, Route, expect
from psycopg import Connection

from palier.members import card, refs
from palier.site import clock, database
from palier.staff import signing_in
from tests.api.shop import Shop
from tests.api.test_live import Served, serving
from tests.web import browser
from tests.web.staff import PASSWORD, staff
from tests.web.test_journeys import Visitor

pytestmark = pytest.mark.skipif(browser.found() is None, reason="no Chromium is installed")
PICTURES = os.environ.get("PALIER_TILL_PICTURES")
"""Where pictures of each step go, for whoever wants to look at them."""


@pytest.fixture(scope="module")
def opened() -> Iterator[Browser]:
    with browser.chromium() as made:
        yield made


@pytest.fixture
def served(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setenv("PALIER_DEMO", "true")  # the owner's browser signs in without a second factor
    with serving(shop) as found:
        yield found


class Cashier(Visitor):
    """A tablet's browser. While the network is cut, what cannot be loaded is no fault."""

    met_away = False
    """Whether the database was away: each thread that served before finds its connection gone once, and says 503."""

    def step(self, name: str) -> None:
        self.faults = [fault for fault in self.faults if "ERR_" not in fault and "not loaded" not in fault]
        self.faults = [fault for fault in self.faults if "status of 4" not in fault]
        if self.met_away:
            self.faults = [fault for fault in self.faults if "status of 503" not in fault]
        if PICTURES:
            self.page.screenshot(path=Path(PICTURES) / f"{name}.png", full_page=True)
        self.look()

    def scan(self, text: str) -> None:
        """A reader types quicker than anybody, and ends with the key Enter; quicker than this machine is at times."""
        self.page.evaluate(
            """(text) => {
                const field = document.activeElement;
                for (const key of [...text, "Enter"]) {
                    const more = { key, bubbles: true, cancelable: true };
                    const typed = field.dispatchEvent(new KeyboardEvent("keydown", more));
                    if (typed && key.length === 1 && field instanceof HTMLInputElement) {
                        field.value += key;
                    }
                }
            }""",
            text,
        )


@contextmanager
def database_away(connection: Connection) -> Iterator[None]:
    """What is served has no connection to the database within this block, and gets none."""
    (name,) = connection.execute("select quote_ident(current_database())").fetchone() or ("",)
    connection.execute(f"alter database {name} connection limit 0")
    connection.execute(
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
        " where datname = current_database() and usename = 'palier_app'"
    )
    try:
        yield
    finally:
        connection.execute(f"alter database {name} connection limit -1")


class Owner(Visitor):
    """The browser of somebody who runs the program: the console's pages of tills, each looked at."""

    def __init__(self, opened: Browser, served: Served, shop: Shop, language: str, scheme: Any) -> None:
        super().__init__(opened, served, language, 768, color_scheme=scheme)
        account = staff("owner", shop.program_id)
        self.page.goto(f"/console/demo-sign-in?as={dumps(account.email, salt='demo console')}")

    def at(self, path: str) -> None:
        self.page.goto(f"/console/club/{path}")
        self.look()

    def code(self) -> str:
        """The code of a new till, from the empty page on."""
        self.at("tills")
        self.page.locator("main .button.primary").click()
        self.look()
        self.page.locator("#name").fill("Front")
        self.page.locator("#location").fill("Lyon")
        self.page.keyboard.press("Enter")
        shown = self.page.locator(".desk-code").inner_text()
        self.look()
        return shown

    def end(self) -> None:
        self.at("tills")
        self.at("tills/1")
        self.page.locator("a.danger").click()
        self.look()
        self.page.locator("button.danger").click()
        self.page.wait_for_url("**/tills")


@pytest.mark.parametrize(
    ("language", "width", "scheme"), browser.looks(("fr", 1024, "light"), ("en", 390, "dark"))
)
def test_a_morning_at_the_till(
    opened: Browser,
    served: Served,
    shop: Shop,
    superuser_connection: Connection,
    language: str,
    width: int,
    scheme: Any,
) -> None:
    french = language == "fr"

    def said(english: str, french_words: str) -> re.Pattern[str]:
        return re.compile(french_words if french else english)

    ann = staff("cashier", shop.program_id, email="ann@shop.example")
    with database.connect() as connection:
        signing_in.set_password(connection, ann, PASSWORD, now=clock.now())
        connection.commit()
    ref = shop.post("/members", {"identities": {"card": "28012801"}}).json["member"]
    shop.sale(ref, "100.00")
    till = Cashier(opened, served, language, width, color_scheme=scheme)
    owner = Owner(opened, served, shop, language, scheme)
    expect.set_options(timeout=15_000)
    page, name = till.page, f"{language}-{width}-{scheme}"
    # The tablet's clock is an hour behind: what is dated is dated by the server's.
    till.context.add_init_script("const own = Date.now; Date.now = () => own() - 3600e3;")

    # A tablet becomes a till, and Ann begins her shift with a PIN of her own.
    page.goto("/till/club/")
    till.step(f"{name}-1-enrol")
    # What stands in the console's picture is the address with the code behind it.
    shown = owner.code()
    page.goto(f"/till/club/enrol-till#{shown}")
    expect(page.locator("#code")).to_have_value(shown)
    assert shown not in page.url
    # The code is good once, and two taps are one.
    page.locator("[data-enrol] button[type=submit]").dblclick()
    page.wait_for_url("**/sign-in")
    till.step(f"{name}-2-sign-in")
    page.locator("#email").fill("ann@shop.example")
    page.locator("#password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/pin")
    page.locator("#pin").fill("2580")
    page.keyboard.press("Enter")
    page.wait_for_url("**/till/club/")
    till.step(f"{name}-3-empty")

    # A scan from anywhere finds the member; the amount tells what it earns as it is typed.
    page.locator("#main").focus()
    till.scan("28012801")
    expect(page.locator(".till-balance").first).to_contain_text("100")
    page.locator("#amount").press_sequentially("42.10", delay=60)
    expect(page.locator("#earns")).to_contain_text("42")
    till.step(f"{name}-4-basket")

    # What is credited is what was shown: an amount that was just typed over it is looked at first.
    page.locator("#amount").fill("12.5")
    page.locator("[data-credit] .till-big").click()
    expect(page.locator("#earns")).to_contain_text("12")
    expect(page.locator(".till-title")).to_have_count(0)
    assert shop.wallet(ref)["spendable"] == "100.00"
    page.locator("#amount").fill("-5")
    expect(page.locator("[data-credit]")).to_have_count(0)
    page.locator("#amount").fill("42.10")
    expect(page.locator("#earns")).to_contain_text("42")

    # Esc closes what is open, and leaves the customer.
    page.locator('[data-key="v"]').click()
    expect(page.locator("#voucher")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#amount")).to_have_value("42.10")
    expect(page.locator(".till-balance").first).to_contain_text("100")
    page.locator("#amount").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".till-action .till-big")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".till-title")).to_contain_text("42")
    till.step(f"{name}-5-credited")
    page.locator(".till-paper > summary").click()
    expect(page.locator(".receipt-text").first).to_contain_text(
        said("Not a proof of payment", "Ne vaut pas preuve")
    )
    till.step(f"{name}-6-receipt")
    assert shop.wallet(ref)["spendable"] == "142.10"

    # Undone by one key and a look at what it takes.
    page.locator("#main").focus()
    page.keyboard.press("u")
    expect(page.locator(".till-effect")).to_contain_text(said("Takes back", "Reprend"))
    till.step(f"{name}-7-undo")
    page.locator("[data-enter]").last.press("Enter")
    expect(page.locator(".till-title")).to_contain_text("42")
    assert shop.wallet(ref)["spendable"] == "100.00"

    # Nobody is guessed at; the customer is enrolled in one field.
    till.scan("99999999")
    expect(page.locator(".notice.warn")).to_be_visible()
    till.step(f"{name}-8-unknown")
    page.locator('[data-key="n"]').click()
    till.step(f"{name}-9-enrol-member")
    page.locator("#contact").fill("new@example.org")
    page.keyboard.press("Enter")
    expect(page.locator(".till-title")).to_be_visible()
    page.locator(".till-paper > summary").click()
    till.step(f"{name}-10-enrolled")

    # The answer to a sale is lost on the way: it is kept, asked for again, and counted once.
    page.keyboard.press("Escape")
    till.scan("28012801")
    expect(page.locator(".till-balance").first).to_contain_text("100")
    page.locator("#amount").press_sequentially("10", delay=60)
    page.keyboard.press("Enter")
    expect(page.locator("[data-credit] .till-big")).to_be_focused()

    def lose(route: Route) -> None:
        route.fetch()
        route.abort()

    page.route("**/credit", lose, times=1)
    page.route("**/journal", lambda route: route.abort(), times=1)
    page.keyboard.press("Enter")
    expect(page.locator("#strip")).to_be_visible()
    page.locator("#strip-send").click()
    expect(page.locator("#who")).to_be_visible(timeout=15_000)
    assert shop.wallet(ref)["spendable"] == "110.00"

    # The network goes: sales are kept, also when the page is loaded anew.
    page.wait_for_function("navigator.serviceWorker.controller !== null")
    till.context.set_offline(True)
    expect(page.locator("#offline-card")).to_be_visible()
    for number in range(3):
        till.scan("28012801")
        page.locator("#offline-amount").press_sequentially(f"{number + 1}", delay=60)
        page.locator(".till-offline .till-big").dblclick()
        expect(page.locator("#strip-text")).to_contain_text(str(number + 1))
    till.step(f"{name}-11-offline")
    page.locator("#offline-card").fill("zoe@example.org")
    page.locator("#offline-amount").fill("5")
    page.keyboard.press("Enter")
    expect(page.locator(".till-offline .notice.bad")).to_be_visible()
    # Nothing can be locked now: the till goes on, where the browser's own error stood, and says under whose name.
    page.locator("#lock-form button").click()
    page.wait_for_url("**/till/club/lock")
    expect(page.locator("#strip-text")).to_contain_text("3")
    page.goto("/till/club/")
    expect(page.locator(".till-under")).to_contain_text(
        said("A cashier opened this till last", "A cashier a ouvert cette caisse en dernier")
    )
    expect(page.locator("#strip-text")).to_contain_text("3")
    page.locator("#offline-card").fill(card.code("club", refs.decode(ref), clock.now()))
    page.locator("#offline-amount").fill("4")
    page.keyboard.press("Enter")
    expect(page.locator("#strip-text")).to_contain_text("4")
    page.locator("#offline-card").fill("no-such-card")
    page.locator("#offline-amount").fill("6")
    page.keyboard.press("Enter")
    expect(page.locator("#strip-text")).to_contain_text("5")
    kept = page.evaluate(
        """async () => {
            const opened = indexedDB.open("palier-till");
            await new Promise((done) => { opened.onsuccess = done; });
            const all = opened.result.transaction("entries").objectStore("entries").getAll();
            await new Promise((done) => { all.onsuccess = done; });
            return JSON.stringify(all.result.map((row) => [Object.keys(row), new TextDecoder().decode(row.sealed)]));
        }"""
    )
    assert "28012801" not in kept
    assert "no-such-card" not in kept

    # The network comes back before the database does: what the server answers then is no till, and nothing is lost.
    with database_away(superuser_connection):
        till.context.set_offline(False)
        page.reload()
        expect(page.locator("#offline-card")).to_be_visible()
        expect(page.locator("#strip-text")).to_contain_text("5")

    # It comes back: each is credited once; what cannot be is shown with what to do.
    page.locator("#strip-send").click()
    expect(page.locator("#conflicts li")).to_have_count(1, timeout=20_000)
    expect(page.locator("#conflicts .said")).to_contain_text(
        said("No member has this card", "Aucun membre n’a cette carte")
    )
    expect(page.locator("#conflicts .what")).to_contain_text("no-such-card")
    expect(page.locator("#conflicts .what")).to_contain_text(said("€6.00", "6,00\u00a0€"))
    page.wait_for_url("**/till/club/")
    expect(page.locator("#who")).to_be_visible()
    # The browser has told of each 503.
    till.faults.clear()
    till.met_away = True
    till.step(f"{name}-12-back")
    assert shop.wallet(ref)["spendable"] == "120.00"
    owner.at("tills/review")
    assert owner.page.locator("tbody tr").count() == 1
    expect(owner.page.locator("tbody tr")).to_contain_text("A cashier")
    shop.enrol("no-such-card")
    page.locator("#conflicts .again").click()
    expect(page.locator("#conflicts li")).to_have_count(0)
    assert shop.wallet(shop.get("/members?card=no-such-card").json["member"])["spendable"] == "6.00"

    # Locked by a key, and opened by the PIN.
    page.locator("#main").focus()
    page.keyboard.press("l")
    page.wait_for_url("**/unlock")
    till.step(f"{name}-13-locked")
    page.locator("#pin").fill("2580")
    page.keyboard.press("Enter")
    page.wait_for_url("**/till/club/")

    # Ended from afar: the next call is the last.
    owner.end()
    page.reload()
    expect(page.locator("h1")).to_contain_text(said("was ended", "a été arrêtée"))
    till.step(f"{name}-14-ended")
