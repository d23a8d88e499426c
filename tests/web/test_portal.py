"""The portal as its forms and addresses answer: who gets in, what is shown to whom, what is refused."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core import mail
from django.core.signing import dumps
from django.test import Client

from palier.members import card, refs, signing
from palier.site import clock, database
from palier.site.environment import environment
from palier.staff import throttle
from tests.api.shop import Shop, document


@pytest.fixture
def letters(monkeypatch: pytest.MonkeyPatch, settings_mail: None) -> list[Any]:
    """A mail server is configured; what is sent can be read."""
    monkeypatch.setattr(environment(), "email_url", "smtp://localhost")
    return mail.outbox


@pytest.fixture
def settings_mail() -> Any:
    from django.test.utils import override_settings

    mail.outbox = []
    with override_settings(EMAIL_BACKEND="django.core.mail.backends.locmem.EmailBackend"):
        yield


def browser(**more: Any) -> Client:
    return Client(SERVER_NAME="localhost", **more)


def ask(client: Client, contact: str, program: str = "club") -> Any:
    return client.post(f"/portal/{program}/door", {"contact": contact})


def code_of(letters: list[Any]) -> str:
    found = re.search(r"\b(\d{6})\b", letters[-1].body)
    assert found is not None
    return found[1]


def enter(client: Client, code: str, program: str = "club") -> Any:
    return client.post(f"/portal/{program}/code", {"code": code})


def signed_in(shop: Shop, letters: list[Any], contact: str = "a@example.org") -> Client:
    client = browser()
    assert ask(client, contact).status_code == 302
    assert enter(client, code_of(letters)).url == f"/portal/{shop.key}/"
    return client


def test_one_field_joins_and_signs_in(shop: Shop, letters: list[Any]) -> None:
    """Who is new is enrolled by the proof of the address; who was enrolled by the till finds his own points."""
    ref = shop.post("/members", {"identities": {"email": "till@example.org"}}).json["member"]
    shop.sale(ref, "42.10")
    client = signed_in(shop, letters, "Till@Example.org")
    page = client.get("/portal/club/").content.decode()
    assert "42.10" in page
    assert "Welcome" not in page
    fresh = signed_in(shop, letters, "new@example.org")
    assert "Welcome" in fresh.get("/portal/club/").content.decode()
    assert "Welcome" not in fresh.get("/portal/club/").content.decode()
    assert shop.get("/members?email=new@example.org").status == 200


def test_a_code_serves_once_and_only_its_own_address(shop: Shop, letters: list[Any]) -> None:
    client = browser()
    ask(client, "a@example.org")
    code = code_of(letters)
    other = browser()
    ask(other, "b@example.org")
    assert enter(other, code if code_of(letters) != code else "000000").status_code == 422
    asked = client.session["contact"]
    assert "example.org" not in str(asked), "a browser's session holds no address that can be read"
    assert enter(client, code).status_code == 302
    again = browser()
    session = again.session
    session["contact"] = asked
    session.save()
    assert enter(again, code).status_code == 422


def test_five_wrong_codes_end_it(shop: Shop, letters: list[Any]) -> None:
    client = browser()
    ask(client, "a@example.org")
    code = code_of(letters)
    wrong = f"{(int(code) + 1) % 10**6:06d}"
    for _ in range(signing.TRIES):
        assert enter(client, wrong).status_code == 422
    assert enter(client, code).status_code == 422


def test_a_code_is_good_for_ten_minutes(shop: Shop) -> None:
    with database.connect("app") as connection:
        now = clock.now()
        code = signing.ask(connection, shop.program_id, "a@example.org", "x", now=now)
        late = now + signing.LASTS
        assert not signing.prove(connection, shop.program_id, "a@example.org", code, now=late)
        code = signing.ask(connection, shop.program_id, "a@example.org", "x", now=now)
        assert signing.prove(connection, shop.program_id, "a@example.org", code, now=late - 1)


def test_who_is_a_member_does_not_show(shop: Shop, letters: list[Any]) -> None:
    """Known and unknown addresses are answered alike, to the byte of the page after."""
    shop.post("/members", {"identities": {"email": "known@example.org"}})
    pages = []
    for contact in ("known@example.org", "khown@example.org"):
        client = browser()
        answer = ask(client, contact)
        page = client.get(answer.url).content.decode()
        page = re.sub(r'value="[A-Za-z0-9]{64}"', "", page)
        pages.append((answer.status_code, answer.url, page))
    assert pages[0] == pages[1]


def test_codes_cannot_be_asked_for_without_end(shop: Shop, letters: list[Any]) -> None:
    client = browser()
    for _ in range(signing.PER_CONTACT):
        assert ask(client, "a@example.org").status_code == 302
    refused = ask(client, "a@example.org")
    assert refused.status_code == 429
    assert len(letters) == signing.PER_CONTACT
    assert "Too many codes" in refused.content.decode()


def test_strangers_do_not_use_up_a_members_codes(shop: Shop) -> None:
    with database.connect("app") as connection:

        def asked(address: str) -> None:
            signing.ask(connection, shop.program_id, "a@example.org", address, now=clock.now())

        for number in range(signing.PER_CONTACT_ANYWHERE - 1):
            asked(f"stranger {number // signing.PER_CONTACT}")
        with pytest.raises(throttle.Throttled):
            asked("stranger 0")
        asked("the member's")
        with pytest.raises(throttle.Throttled):
            asked("nobody has asked from here")


@pytest.mark.parametrize(
    "contact", ["", "nobody", "a@", "@b.org", "a b@example.org", "x" * 300 + "@example.org"]
)
def test_what_is_no_address_is_said_so(shop: Shop, letters: list[Any], contact: str) -> None:
    refused = ask(browser(), contact)
    assert refused.status_code == 422
    assert not letters


def test_pages_of_members_are_for_members(shop: Shop) -> None:
    client = browser()
    for page in ("", "history", "goals", "card", "me", "me/data/export"):
        answer = client.get(f"/portal/club/{page}")
        assert (answer.status_code, answer["Location"]) == (302, "/portal/club/door")
    for page in ("door", "program", "brand.css", "manifest.webmanifest"):
        assert client.get(f"/portal/club/{page}").status_code == 200
    assert client.get("/portal/nowhere/door").status_code == 404
    assert client.get(f"/portal/club/demo?as={dumps('m_x', salt='demo club')}").status_code == 404


def test_a_session_is_good_for_its_program_alone(shop: Shop, letters: list[Any]) -> None:
    Shop("other", document("other"))
    client = signed_in(shop, letters)
    assert client.get("/portal/club/").status_code == 200
    assert client.get("/portal/other/")["Location"] == "/portal/other/door"
    client.post("/portal/club/leave")
    assert client.get("/portal/club/").status_code == 302


def test_forms_need_their_token(shop: Shop) -> None:
    client = browser(enforce_csrf_checks=True)
    assert ask(client, "a@example.org").status_code == 403
    assert client.post("/portal/club/leave").status_code == 403


def test_a_line_opens_to_its_arithmetic_in_both_languages(shop: Shop, letters: list[Any]) -> None:
    ref = shop.post("/members", {"identities": {"email": "a@example.org"}}).json["member"]
    shop.sale(ref, "150.00")
    client = signed_in(shop, letters)
    english = client.get("/portal/club/history", headers={"accept-language": "en"}).content.decode()
    assert "Purchase of €150" in english
    assert re.search(r"€150(\.00)? × 1 star = 150", english.replace("\u00a0", " ")), english[3000:]
    french = client.get("/portal/club/history", headers={"accept-language": "fr"}).content.decode()
    assert "Achat de 150" in french
    assert "Historique" in french


def test_what_a_member_may_take_along_is_his_own(shop: Shop, letters: list[Any]) -> None:
    ref = shop.post("/members", {"identities": {"email": "a@example.org"}}).json["member"]
    other = shop.enrol()
    shop.sale(ref, "10.00")
    shop.sale(other, "99.00")
    answer = signed_in(shop, letters).get("/portal/club/me/data/export")
    assert answer["Cache-Control"] == "private, no-store"
    found = answer.json()
    assert found["member"]["ref"] == ref
    assert len(found["history"]) == 1
    assert other not in answer.content.decode()


def test_names_of_people_are_text(shop: Shop, letters: list[Any]) -> None:
    """What a program or a person calls things is never markup."""
    Shop("odd", document("odd", name={"en": "<b>&'\"", "fr": "<b>&'\""}))
    page = browser().get("/portal/odd/door").content.decode()
    assert "<b>" not in page
    assert "&lt;b&gt;" in page


def test_a_card_is_good_for_a_moment(shop: Shop) -> None:
    ref = shop.enrol()
    member_id, now = refs.decode(ref), clock.now()
    text = card.code("club", member_id, now)
    assert card.read("club", text, now) == member_id
    assert card.read("club", text.lower(), now + card.LASTS) == member_id
    assert card.read("club", text, now + 2 * card.LASTS) is None
    assert card.read("club", text, now - card.LASTS) is None
    assert card.read("other", text, now) is None
    parts = text.split(".")
    for place, wrong in ((1, refs.encode(member_id + 1).upper()), (2, "0"), (3, "0" * 16)):
        assert card.read("club", ".".join([*parts[:place], wrong, *parts[place + 1 :]]), now) is None
    for hostile in ("", "PAL1", "PAL1...", "PAL1.M_X.ZZ.00", "é" * 50):
        assert card.read("club", hostile, now) is None


def test_a_merged_member_finds_himself_where_he_is(shop: Shop, letters: list[Any]) -> None:
    ref = shop.post("/members", {"identities": {"email": "a@example.org"}}).json["member"]
    client = signed_in(shop, letters)
    kept = shop.enrol()
    shop.sale(kept, "7.00")
    merged = shop.post(f"/members/{kept}/merge", {"from": ref, "reason": "one person"})
    assert merged.status == 201, merged.json
    assert "7.00" in client.get("/portal/club/").content.decode()
