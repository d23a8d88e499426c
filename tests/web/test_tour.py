"""Every page of the faces, walked in a real browser by its links, and nothing wrong with any.

Which pages there are is asked of the URL resolver: what is neither walked nor named here with its reason fails. In
one run every page is opened once, French on a light phone and English on a dark desk by turns, and looked at again
in the other colours and the other width. `make tour` opens each page in both languages, and keeps pictures.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import pytest
from django.core.signing import dumps
from django.test import Client

from tests.api.shop import Shop
from tests.api.test_live import serving
from tests.web import browser, tour
from tests.web.addresses import addresses
from tests.web.everything import KEY, Everything
from tests.web.staff import staff, staff_client
from tests.web.tour import ACTS, STARTS, Eyes, Look, Tongues, Tour, Way

pytestmark = pytest.mark.skipif(browser.found() is None, reason="no Chromium is installed")

LOOKS = {
    Look("fr", "light", 390): Look("fr", "dark", 1440),
    Look("en", "dark", 1440): Look("en", "light", 390),
}
"""How pages are looked at, and how once more."""
ELSEWHERE = {
    "join": "leads a friend on to the door",
    "till:second": "a second factor at a till: test_till",
    "till:pin": "choosing the first PIN: test_till_journey",
    "till:sign-in": "a tablet before a shift: test_till_journey",
    "console:second": "the first authenticator: test_setting_up",
    "console:set-up": "leads to where the first set-up stopped",
    "portal:again": "after a form whose session had ended: test_account",
    "portal:show": "leads to its order, where a form shows the code: test_rewards",
    "console:set-up-first": "an empty installation alone: test_setting_up",
    "console:set-up-activity": "after the first member: test_setting_up",
    "console:desk:till-review": "linked while a sale waits, which a tablet kept: test_till_journey",
    "console:set-up-done": "after the first purchase: test_setting_up",
    "console:prove-again": "asked before what needs a new proof: test_desk",
    "console:people:import-progress": "a part of the page of an import, taken by its script",
}
"""Pages that the tour does not open, and who does, or why nobody."""
WHOLE = os.environ.get("PALIER_TOUR")
"""A folder for pictures of every page in each look; without it there is one look for each page, and no picture."""


def pages(client: Client) -> set[str]:
    """The names of all addresses that answer a browser with a page, as far as one can be asked."""
    found = set()
    for one in addresses():
        if one.name.startswith(tour.FACES) and one.name not in tour.FILES:
            answer = client.get(one.path.replace("/club", f"/{KEY}"))
            page = answer.status_code != 200 or answer.headers["Content-Type"].startswith("text/html")
            if answer.status_code != 405 and page:
                found.add(one.name)
    return found


@pytest.fixture
def everything(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Everything:
    monkeypatch.setenv("PALIER_DEMO", "true")
    return Everything()


def way_of(everything: Everything) -> Way:
    cashier = staff("cashier", everything.shop.program_id)
    return Way(
        KEY,
        dumps(everything.member, salt=f"demo {KEY}"),
        dumps("owner-all@example.org", salt="demo console"),
        dumps(cashier.email, salt=f"demo till {KEY}"),
        everything.member,
        "2801",
    )


def seen(tours: list[Tour], way: Way, welcome: str, asked: set[str]) -> Iterator[tuple[str, Eyes]]:
    """Every page, open: those that links lead to, then those that forms do."""
    turn = cycle(tours)
    starts = [start.format(key=way.key, ref=way.ref) for start in (*STARTS, welcome)]

    def skipped(name: str) -> bool:
        return name not in asked or name in ELSEWHERE

    if WHOLE:
        for one in tours:
            yield from ((name, eyes) for name, _, eyes in tour.walk(starts, one.of, skipped, {}))
            yield from ((act.name, one.acted(act)) for act in ACTS)
    else:
        yield from (
            (name, eyes) for name, _, eyes in tour.walk(starts, lambda name: next(turn).of(name), skipped, {})
        )
        yield from ((act.name, tours[act.who == "cashier"].acted(act)) for act in ACTS)


@pytest.mark.slow
def test_nothing_is_wrong_with_any_page(everything: Everything) -> None:
    asked, way = pages(staff_client("owner")), way_of(everything)
    tongues = Tongues([everything.program])
    wrong: list[str] = []
    walked: set[str] = set()
    with serving(everything.shop) as served, browser.chromium() as opened:
        tours = [Tour(opened, f"http://127.0.0.1:{served.port}", way, look) for look in LOOKS]
        for name, eyes in seen(tours, way, everything.welcome, asked):
            walked.add(name)
            if WHOLE:
                eyes.picture(Path(WHOLE), name, LOOKS[eyes.look])
            wrong += [f"{name} {eyes.look}: {one}" for one in eyes.wrong(tongues, LOOKS[eyes.look])]
        for one in tours:
            one.close()
    assert wrong == []
    assert not walked & set(ELSEWHERE), "walked after all: take it from the list"
    missing = asked - walked - set(ELSEWHERE)
    assert not missing, "link to these pages, begin the tour at them, or name them with the reason"
