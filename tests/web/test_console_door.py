"""The console's door: who gets in, how, and that nothing opens before the second factor."""

from __future__ import annotations

import re
from typing import Any

import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from django.core.signing import dumps
from django.test import Client

from palier.site import clock, database
from palier.site.environment import environment
from palier.staff import accounts, admission, signing_in
from palier.staff.accounts import Grant
from palier.web.console import urls
from tests.api.shop import Shop
from tests.web.staff import PASSWORD, staff, staff_client


def browser(language: str = "en") -> Client:
    return Client(SERVER_NAME="localhost", HTTP_ACCEPT_LANGUAGE=language)


def invited(name: str = "Ada", email: str = "ada@example.org") -> str:
    with database.connect() as connection:
        _, token = admission.invite(
            connection, email=email, name=name, grants=[Grant(None, "owner")], now=clock.now(), actor="test"
        )
        connection.commit()
    return token


def code(secret: str) -> str:
    from base64 import b32decode

    plain = secret.replace(" ", "")
    return TOTP(b32decode(plain), 6, SHA1(), 30).generate(clock.now() // 1_000_000).decode()


@pytest.mark.parametrize("language", ["en", "fr"])
def test_from_the_link_to_the_program(shop: Shop, language: str) -> None:
    client = browser(language)
    token = invited()
    assert client.get(f"/console/{shop.key}/").url.startswith("/console/sign-in?next=")  # type: ignore[attr-defined]
    page = client.get(f"/console/welcome-to/{token}")
    assert ("Bienvenue, Ada" if language == "fr" else "Welcome, Ada") in page.content.decode()
    assert client.post(f"/console/welcome-to/{token}", {"password": "short"}).status_code == 422
    assert client.post(f"/console/welcome-to/{token}", {"password": PASSWORD}).url == "/console/second-step"  # type: ignore[attr-defined]
    assert client.get(f"/console/welcome-to/{token}").status_code == 404

    page = client.get("/console/second-step")
    secret = re.search(r'class="secret">([A-Z2-7 ]+)<', page.content.decode())
    assert secret is not None
    # Nothing opens before the second factor is shown.
    assert client.get(f"/console/{shop.key}/").url == "/console/second-step"  # type: ignore[attr-defined]
    assert client.post("/console/second-step", {"code": "000000"}).status_code == 422
    shown = client.post("/console/second-step", {"code": code(secret[1])})
    assert len(re.findall(r"<code>([A-Z2-7-]{19})</code>", shown.content.decode())) == 10
    assert client.get("/console/").url == f"/console/{shop.key}/"  # type: ignore[attr-defined]
    assert client.get(f"/console/{shop.key}/").status_code == 200

    assert client.post("/console/sign-out").status_code == 302
    assert client.get(f"/console/{shop.key}/").status_code == 302


def test_wrong_and_unknown_are_one_answer(shop: Shop) -> None:
    token = invited()
    client = browser()
    client.post(f"/console/welcome-to/{token}", {"password": PASSWORD})
    answers = {
        re.sub(r'value="[^"]*"|csrfmiddlewaretoken.*', "", found.content.decode())
        for found in (
            browser().post("/console/sign-in", {"email": email, "password": "wrong, and long enough"})
            for email in ("ada@example.org", "nobody@example.org")
        )
    }
    assert len(answers) == 1


def test_a_session_gets_a_new_id_at_each_step_and_ends_in_the_database(shop: Shop) -> None:
    token = invited()
    client = browser()
    client.get("/console/sign-in")
    client.post(f"/console/welcome-to/{token}", {"password": PASSWORD})
    first = client.session.session_key
    page = client.get("/console/second-step")
    secret = re.search(r'class="secret">([A-Z2-7 ]+)<', page.content.decode())
    assert secret is not None
    client.post("/console/second-step", {"code": code(secret[1])})
    assert client.session.session_key != first
    with database.connect() as connection:
        account = accounts.find(connection, "ada@example.org")
        assert account is not None
        signing_in.end_sessions(connection, account.account_id, now=clock.now())
        connection.commit()
    assert client.get(f"/console/{shop.key}/").url.startswith("/console/sign-in")  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example/console/", "/portal/club/", "javascript:1"]
)
def test_nobody_is_led_away_after_signing_in(shop: Shop, target: str) -> None:
    token = invited()
    browser().post(f"/console/welcome-to/{token}", {"password": PASSWORD})
    client = browser()
    client.post("/console/sign-in", {"email": "ada@example.org", "password": PASSWORD, "next": target})
    assert client.session["next"] == "/console/"


def test_a_program_in_which_one_has_no_role_does_not_exist(shop: Shop) -> None:
    client = staff_client("owner", shop.program_id + 1)
    assert client.get(f"/console/{shop.key}/").status_code == 404
    assert client.get("/console/nothing/").status_code == 404
    assert shop.key not in client.get("/console/").content.decode()
    assert staff_client("cashier", shop.program_id).get(f"/console/{shop.key}/").status_code == 200


def test_the_link_of_a_demonstration_is_one_of_a_demonstration(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = staff("owner")
    link = f"/console/demo-sign-in?as={dumps(account.email, salt='demo console')}"
    assert browser().get(link).status_code == 404
    monkeypatch.setattr(environment(), "demo", True)
    client = browser()
    assert client.get(link).url == "/console/"  # type: ignore[attr-defined]
    assert client.get(f"/console/{shop.key}/").status_code == 200
    assert browser().get("/console/demo-sign-in?as=x").status_code == 404


def test_forms_from_elsewhere_are_refused(shop: Shop) -> None:
    client = Client(SERVER_NAME="localhost", enforce_csrf_checks=True)
    for path in ("/console/sign-in", "/console/second-step", "/console/sign-out"):
        assert client.post(path, {}).status_code == 403


@pytest.mark.guard
def test_pages_outside_programs_have_a_hyphen() -> None:
    """The key of a program has none, so that no program hides a page."""
    for pattern in urls.urlpatterns:
        route: Any = pattern.pattern
        assert str(route) == "" or str(route).startswith("<str:program>/") or "-" in str(route).split("/")[0]
