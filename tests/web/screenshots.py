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
from typing import NamedTuple

from django.core.signing import loads
from playwright.sync_api import Browser
from playwright.sync_api import TimeoutError as NotSeen

from tests.web.browser import chromium
from tests.web.tour import ACTS, FILES, STARTS, Look, Tour, Way, walk

PROGRAM = "grocery"
FOLDER = Path("build/screenshots")
LOOKS = {
    Look("fr", "light", 390): Look("fr", "dark", 1440),
    Look("en", "dark", 390): Look("en", "light", 1440),
}
"""In which looks each page is taken: those of one language from one visit."""


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


def take(browser: Browser, address: str, way: Way, folder: Path) -> None:
    """Every page of the faces that links lead to, and those that forms do, as far as the demo's data go."""
    for look, other in LOOKS.items():
        tour = Tour(browser, address, way, look)
        starts = [start.format(key=way.key, ref=way.ref) for start in STARTS]
        for name, _, eyes in walk(starts, tour.of, FILES.__contains__, {}):
            for opened in eyes.page.locator("details.receipt summary").all()[:1]:
                opened.click()
            eyes.picture(folder, name, other)
        for act in ACTS:
            try:
                tour.acted(act).picture(folder, act.name, other)
            except NotSeen as error:
                print(f"{act.name} in {look}: not there ({str(error).splitlines()[0]})")
        tour.close()


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    found = ways("middle")
    ref = loads(found.member, salt=f"demo {PROGRAM}")
    way = Way(PROGRAM, found.member, found.owner, found.cashier, ref, found.card)
    with served() as address, chromium() as browser:
        take(browser, address, way, folder)
    print(f"{len(list(folder.glob('*.png')))} pictures in {folder}")


if __name__ == "__main__":
    main()
