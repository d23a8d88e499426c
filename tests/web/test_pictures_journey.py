"""Pictures in a real browser: a large photo goes through as it is, members see it, and every page stays accessible."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from django.core.signing import dumps
from PIL import Image
from playwright.sync_api import Browser

from palier.cli.demo import pictures as demo_pictures
from tests.api.shop import Shop
from tests.api.test_live import Served, serving
from tests.connectors.drawings import file
from tests.web import browser
from tests.web.staff import staff
from tests.web.test_journeys import Visitor
from tests.web.test_rewards import put

pytestmark = pytest.mark.skipif(browser.found() is None, reason="no Chromium is installed")
WITHOUT = ("a_surprise", "a_long_name")


class Shown(NamedTuple):
    """The served shop, a member of it, and the address of who keeps its pictures."""

    web: Served
    ref: str
    marketer: str


@pytest.fixture
def opened() -> Iterator[Browser]:
    with browser.chromium() as made:
        yield made


@pytest.fixture
def served(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shown]:
    """A catalogue with pictures and without; all is made before a browser runs in this thread."""
    monkeypatch.setenv("PALIER_DEMO", "true")
    for number, key in enumerate([*list(demo_pictures.SHEETS)[:6], *WITHOUT]):
        name = (
            key.replace("_", " ").capitalize()
            if key != "a_long_name"
            else "A reward with quite a long name, indeed"
        )
        put(shop, {
            "key": key, "name": {"en": name, "fr": name}, "gives": {"kind": "product", "sku": key},
            "summary": {"en": "Once, at the counter.", "fr": "Une fois, au comptoir."},
            "prices": [{"points": {"stars": str(40 + 20 * number)}}],
        })  # fmt: skip
        if key not in WITHOUT:
            ground, en, fr, shapes = demo_pictures.SHEETS[key]
            found = shop.call(
                "PUT", f"/rewards/{key}/picture?alt_en={en}&alt_fr={fr}",
                raw=demo_pictures.sheet(ground, shapes), kind="image/png",
            )  # fmt: skip
            assert found.status == 201, found.content
    ref = shop.enrol()
    shop.sale(ref, "120.00")
    with serving(shop) as found_served:
        yield Shown(found_served, ref, staff("marketer", shop.program_id).email)


@pytest.mark.parametrize(
    ("language", "width", "scheme"), browser.looks(("fr", 390, "light"), ("en", 1440, "dark"))
)
def test_from_the_marketers_phone_to_the_members(
    served: Shown, opened: Browser, tmp_path: Path, language: str, width: int, scheme: Any
) -> None:
    """A photo of several megabytes is made smaller by the page; logo and picture are seen at once."""
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(file("JPEG", Image.effect_noise((3600, 2400), 90).convert("RGB"), quality=80))
    assert photo.stat().st_size > 2_500_000
    logo = tmp_path / "logo.png"
    logo.write_bytes(demo_pictures.sheet(None, demo_pictures.LOGO))
    marketer = Visitor(opened, served.web, language, max(width, 768), color_scheme=scheme)
    marketer.page.goto(f"/console/demo-sign-in?as={dumps(served.marketer, salt='demo console')}")
    page = marketer.page

    page.goto("/console/club/brand")
    marketer.look()
    page.set_input_files("#picture", logo)
    page.fill("#alt-en", "Stairs with a leaf")
    page.fill("#alt-fr", "Un escalier et une feuille")
    page.locator("form[data-picture] button[type=submit]").click()
    page.wait_for_selector(".brand-sample .logo img")
    marketer.look()

    page.goto("/console/club/rewards/a_surprise/picture")
    marketer.look()
    page.set_input_files("#picture", photo)
    page.wait_for_selector("#picture-said:not(:empty)")
    assert page.evaluate("document.querySelector('#picture').files[0].size") < 2_000_000
    assert page.locator("canvas.picture-preview").is_visible()
    marketer.look()
    page.fill("#alt-en", "A noisy field")
    page.fill("#alt-fr", "Un champ de bruit")
    page.locator("form[data-picture] button[type=submit]").click()
    page.wait_for_selector(".picture-now img")
    marketer.look()
    for path in ("/console/club/rewards", "/console/club/rewards/a_surprise"):
        page.goto(path)
        marketer.look()

    member = Visitor(opened, served.web, language, width, color_scheme=scheme)
    page = member.page
    page.goto("/portal/club/door")
    member.look()
    page.goto(f"/portal/club/demo?as={dumps(served.ref, salt='demo club')}")
    for path in ("", "card", "rewards", "rewards/a_surprise", "rewards/coffee_cup", "rewards/a_long_name"):
        page.goto(f"/portal/club/{path}")
        page.wait_for_load_state("networkidle")
        member.look()
    page.goto("/portal/club/rewards")
    broken = page.evaluate("[...document.images].filter((one) => one.complete && !one.naturalWidth).length")
    assert broken == 0
    assert page.locator("main .picture img").count() == 7
    assert page.locator("main .picture.none").count() == 1
