"""The widget on a shop's page: who may ask, what is told, and what a page token shows and does not."""

from __future__ import annotations

import functools
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.test import Client
from playwright.sync_api import expect

from palier.engine.clock import MINUTE
from palier.members import page_tokens, refs
from palier.site import clock, database
from palier.staff.log import LogFilter, logged
from palier.web.widget import rates, views
from tests.api.shop import Shop, document
from tests.api.test_live import serving
from tests.web import browser
from tests.web.staff import staff_client

ORIGIN = "https://shop.example.org"
NASTY = "<img src=x onerror=alert(1)>&\"'"


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    views._kept.clear()
    rates.forget()


def widget_document(*origins: str) -> dict[str, Any]:
    return document(
        "shown",
        name={"en": f"Club {NASTY}", "fr": f"Club {NASTY}"},
        widget={"origins": [ORIGIN, *origins], "invitation": {"en": f"Join {NASTY}", "fr": f"Venez {NASTY}"}},
    )


@pytest.fixture
def shown(shop: Shop) -> Shop:
    """A program that a shop's pages may show."""
    return Shop("shown", widget_document())


def ask(
    shown: Shop, content: dict[str, Any] | bytes, origin: str | None = ORIGIN, program: str = "shown"
) -> Any:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    headers = {"Origin": origin} if origin is not None else {}
    return Client(SERVER_NAME="localhost").post(
        f"/widget/{program}/show",
        body,
        content_type="text/plain",
        headers=headers,  # type: ignore[arg-type]
    )


def test_only_pages_that_the_program_names_are_answered(shown: Shop) -> None:
    answered = ask(shown, {"prices": [{"amount": "49.90"}]})
    assert answered.status_code == 200
    assert answered["Access-Control-Allow-Origin"] == ORIGIN
    assert "Access-Control-Allow-Credentials" not in answered
    assert "Origin" in answered["Vary"]
    assert not answered.cookies
    content = answered.json()
    assert content["prices"] == ["brings members 49.90\u00a0stars"]
    assert (content["member"], content["token"]) == (None, "none")
    assert content["invitation"] == f"Join {NASTY}", "texts are told as they are; the script writes no markup"

    for origin in (None, "null", "https://shop.example.org.evil.example", "http://shop.example.org", "*"):
        refused = ask(shown, {}, origin)
        assert refused.status_code == 403, origin
        assert "Access-Control-Allow-Origin" not in refused
        assert set(refused.json()) == {"problem"}
    assert ask(shown, {}, program="club").status_code == 404, "a program without a widget has none"
    assert ask(shown, {}, program="nothing").status_code == 404
    assert Client(SERVER_NAME="localhost").get("/widget/club/widget.js").status_code == 404
    assert Client(SERVER_NAME="localhost").get("/widget/shown/sample").status_code == 404, (
        "the sample is of the demonstration"
    )
    script = Client(SERVER_NAME="localhost").get("/widget/shown/widget.js")
    assert script["Content-Type"].startswith("text/javascript")
    assert len(script.content) < 15_000
    assert not script.cookies


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b'{"prices": 1}', b'{"more": 1}', b'{"language": "de"}', b'{"token": 1}', b"\xff",
     b'{"token": "\xff"}',
     json.dumps({"prices": [{"amount": "1"}] * 61}).encode(), b'{"token": "' + b"x" * 40_000 + b'"}'],
)  # fmt: skip
def test_a_question_that_is_not_understood_says_so(shown: Shop, content: bytes) -> None:
    answered = ask(shown, content)
    assert answered.status_code == 422
    assert "not understood" in answered.json()["problem"]


def test_prices_are_decided_for_the_member_of_the_token_in_his_language(shown: Shop) -> None:
    ref = shown.enrol("2803")
    shown.sale(ref, "150.00")
    made = shown.post(f"/members/{ref}/page-token", {"minutes": 5})
    assert made.status == 201, made.json
    prices = [{"amount": "120", "quantity": 2, "sku": "mug"}, {"amount": "0"}, {"amount": "x"}]
    content = ask(shown, {"language": "fr", "token": made.json["token"], "prices": prices}).json()
    assert content["token"] == "accepted"
    assert content["member"]["number"] == "150,00"
    assert content["member"]["tier"] == "Vert"
    assert "Or" in content["member"]["next"]
    assert content["prices"] == ["vous rapporte 120,00\u00a0stars et 1\u00a0gift", "", ""]
    assert set(content["member"]) == {"number", "unit", "note", "tier", "next"}, "nothing of the person"


def test_all_page_tokens_of_a_program_are_ended_at_once(shown: Shop) -> None:
    """Those of another program stay; what is made afterwards is good."""
    ref = shown.enrol("2805")
    old = shown.post(f"/members/{ref}/page-token", {}).json["token"]
    other = Shop("elsewhere", document("elsewhere", widget={"origins": [ORIGIN]}))
    theirs = other.post(f"/members/{other.enrol('2805')}/page-token", {}).json["token"]
    owner = staff_client("owner", shown.program_id)
    assert "Pages of 1 site" in owner.get("/console/shown/keys/page-tokens").content.decode()
    assert ask(shown, {"token": old}).json()["token"] == "accepted"
    for _ in range(2):
        assert owner.post("/console/shown/keys/page-tokens").status_code == 302
    assert ask(shown, {"token": old}).json()["token"] == "refused"
    new = shown.post(f"/members/{ref}/page-token", {}).json["token"]
    assert ask(shown, {"token": new}).json()["token"] == "accepted"
    assert ask(other, {"token": theirs}, program="elsewhere").json()["token"] == "accepted"
    with database.connect() as connection:
        logged_ = logged(connection, LogFilter(action="widget.end_tokens"))
    assert [row.reason for row in logged_] == ["generation 2", "generation 1"]
    plain = Shop("plain", document("plain"))
    assert staff_client("owner", plain.program_id).get("/console/plain/keys/page-tokens").status_code == 404


def test_one_address_asks_so_often_and_no_more(shown: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "MOST", 3)
    answers = [ask(shown, {}) for _ in range(4)]
    assert [found.status_code for found in answers] == [200, 200, 200, 429]
    assert 1 <= int(answers[3]["Retry-After"]) <= rates.WINDOW_S
    assert answers[3]["Access-Control-Allow-Origin"] == "*"
    assert "shown" not in answers[3].content.decode()
    assert rates.wait("192.0.2.7") == 0, "others go on"


def test_a_page_token_is_good_for_its_program_its_member_and_its_minutes(shown: Shop) -> None:
    ref = shown.enrol("2804")
    member_id, now = refs.decode(ref), clock.now()
    good = page_tokens.make("shown", 0, member_id, now + MINUTE)
    read = functools.partial(page_tokens.read, "shown", 0)
    assert read(good, now) == member_id
    assert read(good, now + MINUTE) == "expired"
    assert page_tokens.read("club", 0, good, now) == "refused"
    body, _, signature = good.rpartition(".")
    later = body.rpartition(".")[0] + f".{(now + 60 * MINUTE) // 1_000_000:x}"
    forged = [
        f"{later}.{signature}",
        good[:-1],
        good + "0",
        "",
        "pt1",
        "pt1..",
        "é" * 20,
        "x" * 5000,
        body + ".",
    ]
    for token in forged:
        assert read(token, now) == "refused", token
        if len(token) <= 200 and token:
            told = ask(shown, {"token": token}).json()
            assert (told["member"], told["token"]) == (None, "refused")
    assert ask(shown, {"token": page_tokens.make("shown", 0, member_id, now)}).json()["token"] == "expired"
    nobody = page_tokens.make("shown", 0, 12345, now + MINUTE)
    assert ask(shown, {"token": nobody}).json()["token"] == "refused"
    shown.post(f"/members/{ref}/page-token", {"minutes": 61}).problem(422, "malformed")
    lesser = shown.new_key(["activities:write"]).token
    shown.post(f"/members/{ref}/page-token", {}, token=lesser).problem(403, "forbidden")
    club = Shop("club2", document("club2"))
    club.post(f"/members/{ref}/page-token", {}).problem(404, "unknown_member")


# --- in a browser ------------------------------------------------------------------------------------------


@contextmanager
def a_shop(page: str, port_of_palier: int) -> Iterator[int]:
    """A page of a shop on an origin of its own, with a strict policy that names Palier and nobody else."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            own = f"http://127.0.0.1:{port_of_palier}"
            self.send_header(
                "Content-Security-Policy",
                f"default-src 'none'; script-src {own}; connect-src {own}; img-src data:",
            )
            self.end_headers()
            self.wfile.write((page if self.path == "/" else "").encode())

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.skipif(browser.found() is None, reason="no Chromium is installed")
def test_a_page_of_a_shop_shows_the_widget_and_another_does_not(shop: Shop) -> None:
    page_text = """<!DOCTYPE html><html lang="fr"><head><title>Boutique</title><link rel="icon" href="data:,"></head>
      <body><main><h1>Boutique</h1>
      <p>49,90 € <palier-points id="one" amount="49.90"></palier-points></p>
      <p>2 € <palier-points id="two" amount="2"></palier-points></p><palier-balance></palier-balance></main>
      <script src="{palier}/widget/shown/widget.js" data-member="{token}" data-banner data-popup
              data-popup-after="1" async></script></body></html>"""
    with serving(shop) as palier, browser.chromium() as opened:
        text = page_text.format(palier=f"http://127.0.0.1:{palier.port}", token="")
        with a_shop(text, palier.port) as named, a_shop(text, palier.port) as other:
            # The ports are known only now.
            shown = Shop("shown", widget_document(f"http://127.0.0.1:{named}"))
            context = opened.new_context(locale="en")
            page = context.new_page()
            asked: list[str] = []
            faults: list[str] = []
            page.on("request", lambda request: asked.append(request.url))
            page.on("pageerror", lambda error: faults.append(str(error)))
            page.on("console", lambda said: faults.append(said.text))
            page.on("dialog", lambda dialog: faults.append(dialog.message))
            page.goto(f"http://127.0.0.1:{named}/")
            expect(page.locator("#one")).to_contain_text("rapporte 49,90\u00a0stars aux membres")
            expect(page.locator("palier-balance")).to_contain_text(NASTY)
            banner, popup = page.locator("[kind=banner] section"), page.locator("[kind=popup] section")
            expect(banner).to_be_visible()
            expect(popup).to_be_visible()
            assert not Axe().run(page).response["violations"]
            assert not faults, faults
            assert {url.split("/")[2] for url in asked if not url.startswith("data:")} == {
                f"127.0.0.1:{palier.port}",
                f"127.0.0.1:{named}",
            }, "nobody else was asked"
            assert sum(url.endswith("/show") for url in asked) <= 2, (
                "one question for all, one more for the pop-up"
            )
            assert not context.cookies()
            page.locator("#two").evaluate("element => element.setAttribute('amount', '3')")
            expect(page.locator("#two")).to_contain_text("3,00")
            popup.get_by_role("button", name="Fermer").press("Escape")
            expect(popup).to_have_count(0)
            banner.get_by_role("button", name="Fermer").click()
            page.reload()
            expect(page.locator("#one")).to_contain_text("49,90")
            page.wait_for_timeout(1300)
            assert banner.count() == popup.count() == 0, "not again so soon"

            stranger = opened.new_context().new_page()
            said: list[str] = []
            stranger.on("console", lambda message: said.append(message.text))
            stranger.goto(f"http://127.0.0.1:{other}/")
            stranger.wait_for_timeout(800)
            assert stranger.locator("#one").inner_text() == ""
            assert stranger.locator("section").count() == 0
            assert any("CORS" in text for text in said), said

            ref = shown.enrol("2805")
            shown.sale(ref, "1234.00")
            token = shown.post(f"/members/{ref}/page-token", {}).json["token"]
            page.evaluate("token => { document.querySelector('script').dataset.member = token }", token)
            page.locator("#two").evaluate("element => element.setAttribute('amount', '4')")
            expect(page.locator("palier-balance")).to_contain_text("1\u202f234,00")
            expect(page.locator("#two")).to_contain_text("vous rapporte")
