"""A member's account in a real browser: a passkey made and used, every page looked at by axe, on a phone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.api.shop import Shop
from tests.api.test_live import Served
from tests.web import browser
from tests.web.test_journeys import Visitor, opened, served

__all__ = ["opened", "served"]

pytestmark = pytest.mark.skipif(browser.found() is None, reason="no Chromium is installed")

PAGES = ("me", "me/messages", "me/consents", "me/terms", "me/settings", "me/devices", "me/data", "me/erase")


def test_a_passkey_signs_in(opened: Browser, served: Served, shop: Shop) -> None:
    visitor = Visitor(opened, served, "fr", 390, color_scheme=os.environ.get("PALIER_TEST_SCHEME", "light"))
    page = visitor.page
    # A passkey is for a host's name: an address of numbers has none.
    root = f"http://localhost:{served.port}/portal/club"
    devtools = visitor.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    devtools.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
                "isUserVerified": True, "automaticPresenceSimulation": True,
            }
        },
    )  # fmt: skip
    page.goto(f"{root}/door")
    visitor.look()
    page.get_by_label("Votre adresse de courriel").fill("passkey@example.org")
    page.get_by_role("button", name="code").click()
    page.wait_for_url("**/code")
    shown = page.get_by_role("status").inner_text()
    page.get_by_label("Six chiffres").fill("".join(filter(str.isdigit, shown)))
    page.keyboard.press("Enter")
    page.wait_for_url("**/portal/club/")
    page.wait_for_load_state("networkidle")
    page.goto(f"{root}/me/devices")
    # Two taps are one: the device would keep the key of a question that was put aside for the second.
    page.get_by_role("button", name="Ajouter une clé d’accès").dblclick()
    page.get_by_text("Votre clé d’accès est enregistrée").wait_for()
    folder = os.environ.get("PALIER_TEST_PICTURES")
    for name in PAGES:
        page.goto(f"{root}/{name}")
        page.wait_for_load_state("networkidle")
        visitor.look()
        if folder:
            page.screenshot(path=Path(folder) / f"{name.replace('/', '-')}.png", full_page=True)
    page.goto(f"{root}/me")
    page.get_by_role("button", name="Se déconnecter").click()
    page.wait_for_url("**/door")
    if folder:
        page.screenshot(path=Path(folder) / "door.png", full_page=True)
    page.get_by_role("button", name="Utiliser ma clé d’accès").click()
    page.wait_for_url("**/portal/club/")
    page.wait_for_load_state("networkidle")
    assert page.get_by_role("navigation").get_by_role("link", name="Moi").is_visible()
    page.goto(f"{root}/me/erase")
    page.get_by_label("Maintenant").check()
    page.get_by_label("J’en suis sûr").check()
    page.get_by_role("button", name="M’effacer").click()
    page.wait_for_url("**/erased")
    visitor.look()
    assert shop.get("/members?email=passkey@example.org").status == 404
