"""Members and what staff do for them: who sees what, what is asked before it is done, and that it is done once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.test import Client
from django.urls import reverse

from palier.staff.roles import ROLES, Role, rights_of
from palier.web.console.people import urls
from tests.api.shop import Shop, document
from tests.web.staff import staff_client

ADJUSTMENTS = {
    "reasons": [
        {"key": "goodwill", "name": {"en": "A gesture", "fr": "Un geste"}, "direction": "give"},
        {"key": "mistake", "name": {"en": "A mistake", "fr": "Une erreur"}},
    ],
    "limits": [{"currency": "stars", "at_once": "1000", "day": "500", "approval_above": "100"}],
}


@pytest.fixture
def club(shop: Shop) -> Shop:
    """The shop's program with reasons and limits for what is done by hand, as another program."""
    return Shop("house", document("house", adjustments=ADJUSTMENTS))


def enrolled(shop: Shop, email: str = "a@example.org", **more: Any) -> str:
    found = shop.post("/members", {"identities": {"email": email}, **more})
    assert found.status == 201, found.content
    return str(found.json["member"])


def page(client: Client, shop: Shop, path: str, status: int = 200) -> str:
    found = client.get(f"/console/{shop.key}/{path}")
    assert found.status_code == status, (path, found.status_code)
    return found.content.decode().replace("\u00a0", " ").replace("\u202f", " ")


def hidden(text: str) -> dict[str, list[str]]:
    """The fields that a page's question brings along."""
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', text):
        if name not in ("csrfmiddlewaretoken", "next"):
            found.setdefault(name, []).append(value)
    return found


def asked(client: Client, shop: Shop, path: str, form: dict[str, Any]) -> tuple[str, dict[str, list[str]]]:
    """What a form is answered with: the question, and what its yes sends."""
    found = client.post(f"/console/{shop.key}/{path}", form)
    text = found.content.decode().replace("\u00a0", " ").replace("\u202f", " ")
    assert found.status_code == 200, (found.status_code, text[-3000:])
    assert "This will happen" in text, text[-3000:]
    return text, hidden(text)


def yes(client: Client, shop: Shop, path: str, form: dict[str, Any]) -> str:
    """Sends a form, says yes to what it asks, and reads the page after it."""
    _, sure = asked(client, shop, path, form)
    done = client.post(f"/console/{shop.key}/{path}", sure, follow=True)
    assert done.status_code == 200
    return done.content.decode().replace("\u00a0", " ").replace("\u202f", " ")


@contextmanager
def counted() -> Iterator[list[str]]:
    """The statements that are sent to the database meanwhile."""
    sent: list[str] = []
    whole = psycopg.Cursor.execute

    def execute(self: Any, query: Any, *args: Any, **more: Any) -> Any:
        sent.append(str(query))
        return whole(self, query, *args, **more)

    psycopg.Cursor.execute = execute  # type: ignore[method-assign,assignment]
    try:
        yield sent
    finally:
        psycopg.Cursor.execute = whole  # type: ignore[method-assign]


# --- who gets in ------------------------------------------------------------------------------------------


def addresses(shop: Shop, member: str) -> list[tuple[str, str]]:
    """Every address of the area, with the right it asks for; parts that name something name nothing."""
    found = []
    for pattern in urls.urlpatterns:
        values: dict[str, Any] = {"program": shop.key}
        for name, converter in pattern.pattern.converters.items():
            values[name] = 1 if type(converter).__name__ == "IntConverter" else "nothing"
        if str(pattern.pattern).startswith("members/<str:ref>"):
            values["ref"] = member
        callback: Any = pattern.callback
        while not hasattr(callback, "right"):
            callback = callback.__wrapped__
        found.append((reverse(f"console:people:{pattern.name}", kwargs=values), callback.right))
    return found


@pytest.mark.parametrize("role", ROLES)
def test_each_role_opens_what_it_may_and_nothing_else(shop: Shop, role: Role) -> None:
    """What one may not open is answered as what is not there, whatever the method."""
    Shop("other", document("other"))
    member = shop.enrol()
    client = staff_client(role, shop.program_id, partner="nobody" if role == "partner" else "")
    for address, right in addresses(shop, member):
        for answer in (client.get(address), client.post(address)):
            if right not in rights_of(role):
                assert answer.status_code in (404, 405), address
            else:
                assert answer.status_code in (200, 302, 404, 405, 422), (address, answer.status_code)
        elsewhere = address.replace(f"/console/{shop.key}/", "/console/other/")
        assert client.get(elsewhere).status_code in (404, 405)
    shown = client.get(f"/console/{shop.key}/").content.decode()
    for name, right in (
        ("members", "members:read"),
        ("payouts", "payouts:write"),
        ("imports", "imports:write"),
    ):
        assert (f"/console/{shop.key}/{name}" in shown) is (right in rights_of(role))


def test_smoke(shop: Shop) -> None:
    ref = shop.enrol()
    shop.sale(ref, "42.10")
    client = staff_client("owner", shop.program_id)
    for path in (
        "members",
        f"members/{ref}",
        f"members/{ref}/history",
        f"members/{ref}/adjust",
        f"members/{ref}/transfer",
        f"members/{ref}/merge",
        f"members/{ref}/persons",
        "orders",
        "orders?state=done",
        "orders/stock",
        "orders/suppliers",
        "payouts",
        "payouts?state=all",
        "settlements",
        "imports",
        "cases",
        f"members/{ref}/history.csv",
        f"members/{ref}/export.json",
        "orders/sheet.csv",
        "payouts/sheet.csv",
    ):
        page(client, shop, path)
