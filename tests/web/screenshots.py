"""Pictures of every page of the portal over the demo's data: phone and desk, light and dark, both languages.

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

from playwright.sync_api import Browser

from tests.web.browser import chromium

PROGRAM = "grocery"
FOLDER = Path("build/screenshots")
PAGES = {
    "door": "door", "home": "", "rewards": "rewards", "reward": "rewards/coffee_cup", "mine": "mine",
    "history": "history", "goals": "goals", "card": "card", "program": "program", "me": "me",
}  # fmt: skip
LOOKS = [("light", 390, "fr"), ("dark", 390, "en"), ("light", 1440, "en"), ("dark", 1440, "fr")]


def member(tier: str) -> str:
    """The way in of a member of a tier, as `palier demo` prints it."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "palier.site.settings")
    django.setup()
    from palier.cli import demo
    from palier.cli.session import open_database

    with open_database():
        return next(visitor.signature for visitor in demo._visitors() if visitor.tier == tier)


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


def take(browser: Browser, address: str, signature: str, folder: Path) -> None:
    """Every page, by the looks."""
    for scheme, width, language in LOOKS:
        context = browser.new_context(
            viewport={"width": width, "height": 844 if width < 800 else 900},
            color_scheme=scheme,
            locale=language,
        )
        page = context.new_page()
        root = f"{address}/portal/{PROGRAM}"
        for name, path in PAGES.items():
            page.goto(f"{root}/{path}")
            if name == "door":
                picture = folder / f"{name}-{scheme}-{width}-{language}.png"
                page.screenshot(path=picture)
                page.goto(f"{root}/demo?as={signature}")
                continue
            if name == "history":
                page.locator("summary").first.click()
            page.screenshot(path=folder / f"{name}-{scheme}-{width}-{language}.png")
        context.close()


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    signature = member("silver")
    with served() as address, chromium() as browser:
        take(browser, address, signature, folder)
    print(f"{len(list(folder.glob('*.png')))} pictures in {folder}")


if __name__ == "__main__":
    main()
