"""Who looks at pages: browsers of members, of staff and of a till, and a crawl over the links that each is shown."""

from __future__ import annotations

import re
from collections import defaultdict, deque
from html import unescape
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urljoin, urlsplit

from django.conf import settings as django_settings
from django.core.signing import dumps
from django.db import connections
from django.test import Client
from django.urls import Resolver404, resolve

from palier.cli.session import set_up_django
from palier.members import refs
from palier.site import clock, database
from palier.site.environment import environment
from palier.staff import accounts, admission, factors
from palier.tills import devices
from palier.web.portal.visits import SIGNED_IN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from palier.activities.runtime import Runtime

PAGES = {"home": "", "history": "history", "rewards": "rewards", "card": "card"}
"""The pages of the portal that are measured over HTTP, below the portal's address."""
OWNER = "owner@example.org"
CASHIER = "cashier@example.org"
PIN = "2580"
_LINK = re.compile(rb'\shref="([^"#]+)')
_MOST_VISITED = 600
_FEW = 3


class Found(NamedTuple):
    """A page that was reached: whose browser, the name of its address, and the address."""

    browser: Client
    name: str
    path: str


def path(page: str) -> str:
    """The address of a page of the benches' program."""
    return f"/portal/bench/{PAGES[page]}"


# --- browsers -------------------------------------------------------------------------------------------


def browser(language: str = "en") -> Client:
    """A browser in which nobody is signed in."""
    return Client(SERVER_NAME="localhost", HTTP_ACCEPT_LANGUAGE=language)


def member_browser(program: str, member_id: int) -> Client:
    """A browser in which that member is signed in, by a demonstration's way in: PALIER_DEMO must be set."""
    made = browser()
    signature = dumps(refs.encode(member_id), salt=f"demo {program}")
    answer = made.get(f"/portal/{program}/demo", {"as": signature})
    if answer.status_code != 302 or SIGNED_IN not in made.session:
        raise SystemExit(f"A member could not be signed in: {answer.status_code}")
    return made


def owner_browser() -> Client:
    """A browser in which an owner of all programs is signed in; his account is made where there is none."""
    with database.connect() as connection:
        _account(connection, OWNER, accounts.Grant(None, "owner"))
    made = browser()
    if made.get("/console/demo-sign-in", {"as": dumps(OWNER, salt="demo console")}).status_code != 302:
        raise SystemExit("The owner could not be signed in; is PALIER_DEMO set?")
    return made


def till_browser(program: Runtime) -> Client:
    """A tablet that is taken in as a till, with its cashier at work."""
    with database.connect() as connection:
        _account(connection, CASHIER, accounts.Grant(program.program_id, "cashier"))
        expected = devices.expect(
            connection,
            program.program_id,
            name="Bench",
            location="1",
            by="bench",
            role="staff",
            now=clock.now(),
        )
        connection.commit()
    made = browser()
    as_demo = dumps(CASHIER, salt=f"demo till {program.key}")
    made.post(f"/till/{program.key}/enrol-till", {"code": expected.code, "public_key": "", "as": as_demo})
    if made.get(f"/till/{program.key}/").status_code != 200:
        raise SystemExit("The till could not be opened; is PALIER_DEMO set?")
    return made


def _account(connection: Any, email: str, grant: accounts.Grant) -> None:
    if accounts.find(connection, email) is not None:
        return
    account, _ = admission.invite(
        connection, email=email, name=email.partition("@")[0], grants=[grant], now=clock.now(), actor="bench"
    )
    factors.set_pin(connection, account, PIN, now=clock.now())
    connection.commit()


def sign_in(members: Sequence[int]) -> list[str]:
    """Begins a session for each member of the benches' program; the headers that bring them back."""
    set_up_django()
    settings = environment()
    demo, settings.demo = settings.demo, True
    try:
        browsers = [member_browser("bench", member) for member in members]
    finally:
        settings.demo = demo
        connections.close_all()
    name = django_settings.SESSION_COOKIE_NAME
    return [f"Cookie: {name}={browser.cookies[name].value}\r\n" for browser in browsers]


# --- the crawl ------------------------------------------------------------------------------------------


def crawl(visitor: Client, starts: Sequence[str], spaces: Sequence[str], few: int = _FEW) -> list[Found]:
    """The pages that links lead to from `starts`, within some names of addresses ("portal"): `few` of each name.

    Links are followed as a person does: by GET. Answers other than a page or a file are left out.
    """
    waiting = deque(starts)
    seen = set(starts)
    taken: dict[str, list[str]] = defaultdict(list)
    visited = 0
    while waiting and visited < _MOST_VISITED:
        address = waiting.popleft()
        try:
            match = resolve(urlsplit(address).path)
        except Resolver404:
            continue
        name = match.view_name
        if name.partition(":")[0] not in spaces or len(taken[name]) >= few:
            continue
        visited += 1
        answer = visitor.get(address)
        if answer.status_code == 302:
            links = [answer["Location"]]
        elif answer.status_code == 200:
            taken[name].append(address)
            body = b"" if answer.streaming else answer.content
            links = [unescape(link.decode()) for link in _LINK.findall(body)]
        else:
            continue
        for link in links:
            whole = urljoin(address, link)
            if whole.startswith("/") and whole not in seen:
                seen.add(whole)
                waiting.append(whole)
    return [Found(visitor, name, address) for name, addresses in taken.items() for address in addresses]
