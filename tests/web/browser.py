"""A real Chromium for tests: found on the machine, started once for a session, closed to the outside."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def looks(first: tuple[str, int, str], *others: tuple[str, int, str]) -> list[tuple[str, int, str]]:
    """How a long journey is gone: language, width and colours. The first in every run, all of them by `make tour`."""
    return [first, *others] if os.environ.get("PALIER_TOUR") else [first]


def found() -> str | None:
    """The browser's program; None where there is none (`make test` installs Debian's)."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser that speaks to nobody but the page's own server."""
    program = found()
    assert program is not None
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as driver:
        # The driver keeps an event loop in this thread; what a test asks of the database meanwhile is not part of it.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        opened = driver.chromium.launch(
            executable_path=program,
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-background-networking",
                "--disable-dev-shm-usage",
            ],
        )
        yield opened
        opened.close()
