"""Pictures of the faces over the demo's data: phone and desk, light and dark, both languages.

`make screenshots` runs it after `palier demo --no-serve`; they are for looking at, and the best stand in the README.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

from playwright.sync_api import Browser, Page

from tests.web.browser import chromium

Scheme = Literal["light", "dark"]
PROGRAM = "grocery"
FOLDER = Path("build/screenshots")
PAGES = {
    "door": "door", "home": "", "rewards": "rewards", "reward": "rewards/coffee_cup", "mine": "mine",
    "history": "history", "goals": "goals", "card": "card", "program": "program", "me": "me",
    "earn": "earn", "messages": "me/messages", "consents": "me/consents", "terms": "me/terms", "devices": "me/devices",
    "erase": "me/erase",
}  # fmt: skip
CONSOLE = {
    "overview": "", "cost": "cost", "leaving": "leaving", "rules": "rules", "catalogue": "rewards",
    "members": "members", "orders": "orders", "imports": "imports", "studio": "studio/", "staff": "staff",
    "keys": "keys", "log": "log",
}  # fmt: skip
LOOKS: list[tuple[Scheme, int, str]] = [
    ("light", 390, "fr"),
    ("dark", 390, "en"),
    ("light", 1440, "en"),
    ("dark", 1440, "fr"),
]
WIDE: list[tuple[Scheme, int, str]] = [("light", 1440, "en"), ("dark", 768, "fr")]
TABLETS: list[tuple[Scheme, int, str]] = [("light", 1024, "fr"), ("dark", 390, "en")]


class Ways(NamedTuple):
    """Signatures by which a demonstration lets in: a member, the console's owner, the till's cashier; and a card."""

    member: str
    owner: str
    cashier: str
    card: str


def ways(standing: str) -> Ways:
    """The ways in, as `palier demo` prints them."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "palier.site.settings")
    django.setup()
    from palier.cli.demo import doors
    from palier.cli.session import open_database

    with open_database():
        visitor = next(visitor for visitor in doors.visitors() if visitor.standing == standing)
        return Ways(visitor.signature, doors.owner(), doors.cashier(), visitor.card)


@contextmanager
def served() -> Iterator[str]:
    """The demonstration on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "palier", "serve", "--port", str(port)],
        env={**os.environ, "PALIER_DEMO": "true"},
    )
    try:
        address = f"http://127.0.0.1:{port}"
        for _ in range(240):
            try:
                urllib.request.urlopen(f"{address}/health", timeout=1)
                break
            except OSError:
                time.sleep(0.5)
        yield address
    finally:
        process.terminate()
        process.wait(60)


@contextmanager
def look(browser: Browser, scheme: Scheme, width: int, language: str) -> Iterator[Page]:
    """A fresh browser that looks so."""
    context = browser.new_context(
        viewport={"width": width, "height": 844 if width < 700 else 900}, color_scheme=scheme, locale=language
    )
    yield context.new_page()
    context.close()


def take_portal(browser: Browser, address: str, signature: str, folder: Path) -> None:
    """Every page of a member, by the looks."""
    root = f"{address}/portal/{PROGRAM}"
    for scheme, width, language in LOOKS:
        with look(browser, scheme, width, language) as page:
            for name, path in PAGES.items():
                page.goto(f"{root}/{path}")
                if name == "history":
                    page.locator("summary").first.click()
                page.screenshot(path=folder / f"{name}-{scheme}-{width}-{language}.png")
                if name == "door":
                    page.goto(f"{root}/demo?as={signature}")


def take_console(browser: Browser, address: str, signature: str, folder: Path) -> None:
    """Pages of the console, as its owner sees them."""
    for scheme, width, language in WIDE:
        with look(browser, scheme, width, language) as page:
            page.goto(f"{address}/console/demo-sign-in?as={signature}")
            for name, path in CONSOLE.items():
                page.goto(f"{address}/console/{PROGRAM}/{path}")
                page.screenshot(path=folder / f"console-{name}-{scheme}-{width}-{language}.png")


def take_till(browser: Browser, address: str, signature: str, card: str, folder: Path) -> None:
    """A sale at the till: the member found, what the basket brings, what was credited."""
    for scheme, width, language in TABLETS:
        with look(browser, scheme, width, language) as page:

            def picture(name: str, of: Page = page, suffix: str = f"{scheme}-{width}-{language}") -> None:
                of.wait_for_load_state("networkidle")
                of.screenshot(path=folder / f"till-{name}-{suffix}.png")

            page.goto(f"{address}/till/{PROGRAM}/demo?as={signature}")
            page.locator("button.primary").first.click()
            page.locator("#who").fill(card)
            page.keyboard.press("Enter")
            page.locator("#amount").fill("42.10")
            page.keyboard.press("Enter")
            page.locator(".till-big:not([disabled])").first.wait_for()
            picture("basket")
            page.locator(".till-big").first.click()
            page.locator(".till-band").first.wait_for()
            picture("done")


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    found = ways("middle")
    with served() as address, chromium() as browser:
        take_portal(browser, address, found.member, folder)
        take_console(browser, address, found.owner, folder)
        take_till(browser, address, found.cashier, found.card, folder)
    print(f"{len(list(folder.glob('*.png')))} pictures in {folder}")


if __name__ == "__main__":
    main()
