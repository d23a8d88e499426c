"""Points that one member gives to another: by a code, seen first, once, and without a word about who is whom."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from palier.members import refs
from palier.site import clock, database
from palier.staff import throttle
from palier.web.portal.play import giving
from tests.api.shop import Shop
from tests.web.arcade import arcade, signed_in
from tests.web.test_play import page, post, stars, text_of


@pytest.fixture
def own(shop: Shop) -> Shop:
    return Shop("arcade", arcade())


@pytest.fixture
def ref(own: Shop) -> str:
    made = own.enrol()
    own.sale(made, "60.00")
    return made


@pytest.fixture
def client(own: Shop, ref: str, monkeypatch: pytest.MonkeyPatch) -> Client:
    return signed_in(own, ref, monkeypatch)


def code_of(client: Client) -> str:
    found = re.search(r'shown-code">([^<]+)<', page(client, "give"))
    assert found is not None
    return found[1]


def form(client: Client, to: str, points: str, **more: str) -> dict[str, str]:
    once = re.search(r'name="once" value="([^"]+)"', page(client, "give"))
    assert once is not None
    return {"once": once[1], "to": to, "points": points, "currency": "stars", **more}


def said(answer: Any) -> str:
    return text_of(answer.content.decode().replace("\u00a0", " "))


def test_points_are_given_once_after_they_were_seen(
    own: Shop, ref: str, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    friend = own.enrol("friend")
    theirs = signed_in(own, friend, monkeypatch)
    code = code_of(theirs)
    asked = form(client, code.lower().replace(" ", "-"), "20")
    shown = post(client, "give", asked)
    assert f"The member with the code {code} gets 20 stars, at once." in said(shown)
    assert "You will have 50 stars left." in said(shown)
    assert "It cannot be undone" in said(shown)
    assert (stars(own, ref), stars(own, friend)) == ("70", "0")
    changed = post(client, "give", {**asked, "back": "yes"})
    assert 'name="points" value="20"' in changed.content.decode()
    for _ in range(2):
        done = post(client, "give", {**asked, "sure": "yes"})
        assert (done.status_code, done["Location"]) == (302, "/portal/arcade/")
    assert (stars(own, ref), stars(own, friend)) == ("50", "20")
    assert "Given: 20 stars." in text_of(page(client))
    # A form that was used and goes out again with other points gives nothing.
    again = post(client, "give", {**asked, "points": "30", "sure": "yes"})
    assert again.status_code == 422
    assert "This form was used already. Nothing more was given" in said(again)
    assert (stars(own, ref), stars(own, friend)) == ("50", "20")
    assert "You gave 20 stars to another member" in text_of(page(client, "me/messages"))
    assert "Another member gave you 20 stars." in text_of(page(theirs, "me/messages"))
    assert re.search(r"Given to another member .* \u221220 stars", text_of(page(client, "history")))
    assert re.search(r"Given by another member .* \+20 stars", text_of(page(theirs, "history")))
    assert friend not in page(client, "history")
    assert ref not in page(theirs, "history")
    assert "Un autre membre vous a donné 20 stars." in text_of(page(theirs, "me/messages", language="fr"))


def test_a_code_tells_nothing_of_who_has_it(
    own: Shop, ref: str, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    frozen, erased = own.enrol("frozen"), own.enrol("erased")
    codes = [code_of(signed_in(own, one, monkeypatch)) for one in (frozen, erased)]
    assert own.call("PATCH", f"/members/{frozen}", {"status": "frozen"}).status == 200
    assert own.post(f"/members/{erased}/erasure", {"wait_days": 0}).status == 200
    assert "This is your own code" in said(post(client, "give", form(client, code_of(client), "20")))
    answers = set()
    for code in [*codes, "2222 2222", "not a code", "friend@example.org"]:
        for sure in ("", "yes"):
            found = post(client, "give", form(client, code, "20", sure=sure))
            assert found.status_code == 422, code
            answers.add(re.sub(r'value="[^"]*"', "", found.content.decode()).replace(code, ""))
    assert len(answers) == 1
    assert "Nobody can be given anything under this code" in text_of(answers.pop())
    assert stars(own, ref) == "70"


def test_who_tries_many_codes_waits(own: Shop, ref: str, client: Client) -> None:
    asked = form(client, "2222 2222", "20")
    for _ in range(giving.WRONG_CODES):
        assert post(client, "give", asked).status_code == 422
    found = post(client, "give", asked)
    assert found.status_code == 429
    assert "Too many wrong codes. Nothing was given" in said(found)
    with database.connect() as connection:
        scope = f"give {own.program_id} {refs.decode(ref)}"
        assert throttle.counted(connection, scope, now=clock.now()) == giving.WRONG_CODES


@pytest.mark.parametrize(
    ("points", "why"),
    [
        ("71", "You have 70 stars to give"),
        ("0", "Write how many"),
        ("-5", "Write how many"),
        ("1.000", "Write how many"),
        ("1.5", "Write how many"),
        ("", "Write how many"),
    ],
)
def test_what_is_no_number_to_give_is_said_and_stays(
    own: Shop, ref: str, client: Client, monkeypatch: pytest.MonkeyPatch, points: str, why: str
) -> None:
    code = code_of(signed_in(own, own.enrol("friend"), monkeypatch))
    for sure in ("", "yes"):
        found = post(client, "give", form(client, code, points, sure=sure))
        assert found.status_code == 422
        assert why in said(found)
        assert f'name="points" value="{points}"' in found.content.decode()
        assert code in found.content.decode()
    assert stars(own, ref) == "70"


def test_there_is_no_page_where_points_stay_with_their_member(
    own: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds = arcade()["point_currencies"]
    made = Shop("kept", arcade("kept", point_currencies=[{**kind, "transferable": False} for kind in kinds]))
    client = signed_in(made, made.enrol(), monkeypatch)
    assert client.get("/portal/kept/give").status_code == 404
    assert "/give" not in client.get("/portal/kept/me").content.decode()
