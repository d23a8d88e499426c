"""What is said where no page answers: to people as a page in their language, to systems as a problem document."""

from __future__ import annotations

import json
import re

import psycopg
import pytest
from django.db import OperationalError
from django.test import Client

from palier.site import database
from palier.site.middleware import OneLine
from palier.staff import session
from palier.staff.session import Unavailable
from palier.web.portal import views, visits
from tests.api.shop import Shop
from tests.web.staff import staff_client

BROWSER = {"HTTP_ACCEPT": "text/html,application/xhtml+xml", "SERVER_NAME": "localhost"}


@pytest.mark.parametrize(
    ("path", "french", "back"),
    [
        ("/nowhere", "Il n’y a rien ici", "/"),
        ("/portal/club/nowhere", "Il n’y a rien ici", "/portal/club/"),
        ("/console/club/nowhere/", "Il n’y a rien ici", "/console/"),
        ("/portal/club/rewards?q=%00", "Ceci est illisible", "/portal/club/"),
        ("/portal/club/door?from=%00", "Ceci est illisible", "/portal/club/"),
    ],
)
def test_a_person_is_answered_with_a_page(shop: Shop, path: str, french: str, back: str) -> None:
    answer = Client(**BROWSER, HTTP_ACCEPT_LANGUAGE="fr").get(path)
    text = answer.content.decode()
    assert answer.status_code == (400 if "%00" in path else 404)
    assert f"<h1>{french}</h1>" in text
    assert '<html lang="fr">' in text
    assert f'href="{back}"' in text
    assert "no-store" in answer.headers["Cache-Control"]
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("path", "back"),
    [
        ("/till/club/find", "/till/club/"),
        ("/portal/club/goals/walk/join", "/portal/club/"),
        ("/console/club/studio/begin", "/console/"),
    ],
)
def test_what_answers_a_form_is_never_a_blank_page(shop: Shop, path: str, back: str) -> None:
    """A page stays under its form's address: another language, the address bar and a bookmark open it by that."""
    answer = Client(**BROWSER, HTTP_ACCEPT_LANGUAGE="fr").get(path)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    text = answer.content.decode()
    assert "<h1>Cette page répond à un formulaire</h1>" in text
    assert f'href="{back}"' in text
    assert Client(SERVER_NAME="localhost", HTTP_ACCEPT="application/json").get(path).content == b""
    assert Client(**BROWSER).options(path).content == b""


def test_a_script_is_answered_with_a_problem(shop: Shop) -> None:
    answer = Client(SERVER_NAME="localhost", HTTP_ACCEPT="application/json").get("/portal/club/nowhere")
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/problem+json")
    assert answer.json()["code"] == "unknown_address"


def test_a_form_without_its_token_says_what_to_do(shop: Shop) -> None:
    answer = Client(**BROWSER, enforce_csrf_checks=True).post("/console/sign-in", {"email": "a@example.org"})
    assert answer.status_code == 403
    assert "load the page again" in answer.content.decode()


def test_too_much_is_413_and_never_a_bare_400(shop: Shop) -> None:
    client = Client(**BROWSER)
    for data in ({"email": "x" * (2 * 1024 * 1024 + 10)}, {f"field{number}": "1" for number in range(1100)}):
        answer = client.post("/console/sign-in", data)
        assert answer.status_code == 413
        assert "2 MiB" in answer.content.decode()


def test_a_name_that_is_not_served_says_where_names_are_set(shop: Shop) -> None:
    answer = Client(**{**BROWSER, "SERVER_NAME": "evil.example"}).get("/")
    assert answer.status_code == 400
    assert "PALIER_ALLOWED_HOSTS" in answer.content.decode()
    assert "evil.example" not in answer.content.decode()


@pytest.mark.parametrize("kind", ["urlencoded", "multipart"])
def test_a_nul_in_a_form_changes_nothing(shop: Shop, kind: str) -> None:
    client = Client(**BROWSER)
    if kind == "urlencoded":
        answer = client.post(
            "/portal/club/door", "contact=a%00b", content_type="application/x-www-form-urlencoded"
        )
    else:
        answer = client.post("/portal/club/door", {"contact": "a\0b"})
    assert answer.status_code == 400
    assert "<h1>This cannot be read</h1>" in answer.content.decode()


def test_a_form_is_read_without_what_nobody_sees(shop: Shop) -> None:
    """It comes along with what is pasted; whoever pastes it could not find what to take out."""
    console = staff_client("owner", shop.program_id)
    begun = console.post(
        "/console/club/studio/begin", {"name": "Sum\x1b[2Jmer\u202e \u2066sale", "start": "version:1"}
    )
    page = console.get(begun["Location"]).content.decode()
    assert "Sum[2Jmer sale" in page
    assert not {"\x1b", "\u202e", "\u2066"} & set(page)
    made = console.post(
        "/console/club/keys/new", {"name": "\u202atill\u202c", "right": "members:read", "once": "1"}
    )
    assert made.status_code == 200, "a name that was copied with its marks is no wrong name"


def test_a_form_where_another_body_is_read_is_no_defect(shop: Shop) -> None:
    client = Client(**BROWSER)
    assert client.post("/portal/club/door/passkey/begin").status_code == 200
    assert client.post("/portal/club/door/passkey", {"a": "b"}).status_code == 400


def test_a_defect_is_a_page_too_and_tells_nothing(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_arguments: object, **_named: object) -> None:
        raise ZeroDivisionError("secret of the house")

    monkeypatch.setattr(views, "describe", broken)
    answer = Client(**BROWSER, raise_request_exception=False).get("/portal/club/program")
    assert answer.status_code == 500
    assert "secret of the house" not in answer.content.decode()
    assert re.search(r"<h1>Something went wrong on our side</h1>", answer.content.decode())
    raw = Client(SERVER_NAME="localhost", raise_request_exception=False).get("/portal/club/program")
    assert json.loads(raw.content)["code"] == "defect"


@pytest.mark.parametrize(
    "path",
    [
        "/", "/portal/club/", "/portal/club/door", "/console/club/", "/console/sign-in", "/till/club/",
        "/widget/club/sample", f"/pictures/club/{'0' * 64}-480.webp",
    ],
)  # fmt: skip
def test_a_database_that_is_away_is_503(shop: Shop, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads learns that it will pass, whoever calls when to call again; it is no defect."""
    browser = Client(**BROWSER, HTTP_ACCEPT_LANGUAGE="fr", raise_request_exception=False)
    script = Client(SERVER_NAME="localhost", raise_request_exception=False)

    def refused(*_: object, **__: object) -> None:
        raise psycopg.OperationalError("connection refused")

    session.close()
    monkeypatch.setattr(database, "connect", refused)
    page = browser.get(path)
    assert (page.status_code, page.headers["Retry-After"]) == (503, "1")
    assert "<h1>Pas de réponse pour le moment</h1>" in page.content.decode()
    told = script.get(path)
    assert (told.status_code, told.headers["Retry-After"]) == (503, "1")
    assert (told.headers["Content-Type"], told.json()["code"]) == ("application/problem+json", "unavailable")


def test_what_is_nobodys_defect_is_one_line_of_the_log(
    shop: Shop, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(visits, "session", broken)
    caplog.handler.addFilter(OneLine())
    for error, said in (
        (Unavailable("AdminShutdown"), "Service Unavailable: /portal/club/: AdminShutdown"),
        (
            OperationalError("connection is bad\nis it running?"),
            "Service Unavailable: /portal/club/: connection is bad",
        ),
        (KeyError("wrong"), "Internal Server Error: /portal/club/\nTraceback"),
    ):
        caplog.clear()
        Client(**BROWSER, raise_request_exception=False).get("/portal/club/")
        (line,) = [one for one in caplog.text.split("ERROR ") if one.strip()]
        assert said in line
        assert ("Traceback" in line) == isinstance(error, KeyError)
    caplog.clear()
    Client(**{**BROWSER, "SERVER_NAME": "evil.example"}).get("/")
    assert "evil.example" in caplog.text
    monkeypatch.undo()
    Client(**BROWSER).get("/portal/club/door?from=%00")
    assert "the address holds a NUL" in caplog.text
    assert "Traceback" not in caplog.text
