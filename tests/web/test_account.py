"""The account's pages: what one allows, accepted, is told, may take along, and how one leaves; nobody else's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest
from django.core.signing import dumps
from django.test import Client

from palier.members import operations as membership
from palier.members import refs, sessions
from palier.privacy import consents, messages
from palier.programs.operations import publish
from palier.site import clock, database
from palier.site.environment import environment
from palier.staff import throttle
from palier.web.portal.account import hub
from tests.api.shop import Shop, document, program_of

PAGES = ("me", "me/messages", "me/consents", "me/terms", "me/settings", "me/devices", "me/data", "me/erase")


@pytest.fixture
def club(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """The club, with sign-in by the links of a demonstration."""
    monkeypatch.setattr(environment(), "demo", True)
    return shop


def visitor(
    ref: str, language: str = "en", agent: str = "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"
) -> Client:
    client = Client(SERVER_NAME="localhost", headers={"accept-language": language, "user-agent": agent})
    assert client.get(f"/portal/club/demo?as={dumps(ref, salt='demo club')}").status_code == 302
    return client


def text(client: Client, page: str) -> str:
    answer = client.get(f"/portal/club/{page}")
    assert answer.status_code == 200, (page, answer.status_code)
    return re.sub(r"\s+", " ", answer.content.decode())


def joined(contact: str, path: str = "") -> Client:
    """Somebody who comes by a link, asks for a code and joins."""
    client = Client(SERVER_NAME="localhost")
    client.get(f"/portal/club/door{path}")
    assert client.post("/portal/club/door", {"contact": contact}).status_code == 302
    code = re.search(r"\b\d{6}\b", text(client, "code"))
    assert code is not None
    assert client.post("/portal/club/code", {"code": code[0]}).status_code == 302
    return client


@pytest.mark.parametrize("language", ["en", "fr"])
def test_every_page_of_the_account(club: Shop, language: str) -> None:
    ref = club.enrol()
    club.sale(ref, "12.00")
    client = visitor(ref, language)
    for page in PAGES:
        assert "</html>" in text(client, page)
    stranger = Client(SERVER_NAME="localhost")
    for page in (*PAGES, "me/data/export"):
        assert stranger.get(f"/portal/club/{page}")["Location"] == "/portal/club/door"
    for page in ("me/consents", "me/erase", "me/erase/undo", "me/messages/read", "me/devices", "me/passkeys"):
        assert (
            stranger.post(f"/portal/club/{page}", {"answer": "give"})["Location"]
            == "/portal/club/door?not-done"
        )


def test_one_allows_and_withdraws_by_the_same_touch(club: Shop) -> None:
    """Nothing is allowed by joining; each change is a row with the words that were shown; the sender asks the last."""
    client = joined("ann@example.org")
    ref = club.get("/members?email=ann@example.org").json["member"]
    page = text(client, "me/consents")
    assert "allowed since" not in page
    assert page.count('value="give"') == 5
    key = "marketing_own.email."
    for answer, holds in (("give", True), ("give", True), ("withdraw", False), ("give", True)):
        assert client.post("/portal/club/me/consents", {"question": key, "answer": answer}).status_code == 302
        with database.connect("app") as connection:
            assert (
                consents.allowed(connection, club.program_id, refs.decode(ref), "marketing_own", "email")
                is holds
            )
            assert not consents.allowed(connection, club.program_id, refs.decode(ref), "marketing_own", "sms")
    client.post("/portal/club/me/consents", {"question": "marketing_partner.email.nobody", "answer": "give"})
    with database.connect("app") as connection:
        rows = consents.history(connection, club.program_id, refs.decode(ref))
        assert [row.state for row in rows] == ["given", "withdrawn", "given"]
        assert {row.body for row in rows} == {"Club may tell me by e-mail about its own offers and news."}
        audited = connection.execute(
            "select state, purpose, channel from audit.consent order by at"
        ).fetchall()
        assert audited[-1] == ("given", "marketing_own", "email")
    assert "allowed since" in text(client, "me/consents")


def test_joining_accepts_the_terms_and_says_by_which_link(club: Shop) -> None:
    client = joined("ann@example.org", "?c=spring-2026")
    member_id = refs.decode(club.get("/members?email=ann@example.org").json["member"])
    with database.connect("app") as connection:
        row = connection.execute("select via, campaign from member_origin").fetchone()
        assert row == ("portal", "spring-2026")
        kept = connection.execute(
            "select kind, version, language from terms_acceptance where member_id = %s", (member_id,)
        ).fetchall()
        assert kept == [("accepted", 1, "en")]
        assert connection.execute("select count(*) from consent").fetchone() == (0,)
    assert "Welcome to Club." in text(client, "me/messages")
    page = text(Client(SERVER_NAME="localhost"), "door")
    assert "version 1" in page
    joined("bob@example.org", "?c=%3Cscript%3E")
    with database.connect("app") as connection:
        assert connection.execute("select campaign from member_origin order by at").fetchall()[-1] == ("",)


def test_a_change_of_the_program_is_told_and_noted(club: Shop) -> None:
    client = joined("ann@example.org")
    assert "Nothing has changed" in text(client, "me/terms")
    changed = document()
    changed["rules"][0]["per_spend"]["points"] = "2"
    del changed["effective_from"]
    with database.connect("app") as connection:
        publish(connection, program_of(changed), now=clock.now(), published_by="test")
        connection.commit()
    page = text(client, "me/terms")
    assert "Until then" in page
    assert "2 stars" in page.replace("\u00a0", " ")
    assert "The program changes." in text(client, "me/messages")
    assert text(client, "me/messages").count("The program changes.") == 1
    client.post("/portal/club/me/terms", {"version": "1"})
    assert "Until then" in text(client, "me/terms"), "an old page takes note of nothing"
    client.post("/portal/club/me/terms", {"version": "2"})
    page = text(client, "me/terms")
    assert "Nothing has changed" in page
    assert "Version 2, read on" in page
    fresh = joined("bob@example.org")
    assert "Nothing has changed" in text(fresh, "me/terms")


@pytest.mark.usefixtures("any_year")
def test_messages_wait_until_they_are_read(club: Shop) -> None:
    ref, other = club.enrol(), club.enrol("other")
    with database.connect("app") as connection:
        for number, who in enumerate((ref, ref, other)):
            messages.tell(
                connection, club.program_id, refs.decode(who), "reward_ready", {"reward": f"<b>mug {number}"},
                once=f"order:{number}", now=clock.now(),
            )  # fmt: skip
        again = messages.tell(
            connection, club.program_id, refs.decode(ref), "reward_ready", {}, once="order:0", now=clock.now()
        )
        connection.commit()
    assert not again
    client = visitor(ref)
    assert re.search(r'class="unread">.*?2</span>', text(client, ""))
    page = text(client, "me/messages")
    assert "&lt;b&gt;mug 0 is ready for you." in page
    assert "mug 2" not in page
    through = re.search(r'name="through" value="(\d+)"', page)
    assert through is not None
    client.post("/portal/club/me/messages/read", {"through": through[1]})
    assert 'class="unread"' not in text(client, "")
    assert 'class="unread"' in text(visitor(other), ""), "others' messages stay unread"


def test_leaving_is_as_easy_as_joining(club: Shop) -> None:
    ref = club.enrol()
    club.sale(ref, "42.10")
    client = visitor(ref)
    page = text(client, "me/erase")
    assert "42.10" in page
    assert "checked" not in page
    assert client.post("/portal/club/me/erase", {"when": "now"}).status_code == 422
    assert client.post("/portal/club/me/erase", {"when": "later", "sure": "yes"}).status_code == 302
    assert "You asked to be erased." in text(client, "me")
    assert client.post("/portal/club/me/erase/undo").status_code == 302
    assert "You asked to be erased. It" not in text(client, "me")
    answer = client.post("/portal/club/me/erase", {"when": "now", "sure": "yes"})
    assert answer["Location"] == "/portal/club/erased"
    assert "You are forgotten" in text(client, "erased")
    assert client.get("/portal/club/").status_code == 302
    assert club.get(f"/members/{ref}").status == 404


@pytest.mark.usefixtures("any_year")
def test_sessions_are_listed_ended_and_end_of_themselves(club: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    ref, other = club.enrol(), club.enrol("other")
    phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Safari/605"
    first, second, stranger = visitor(ref), visitor(ref, agent=phone), visitor(other)
    before = second.session.session_key
    page = text(first, "me/devices")
    assert "Firefox, Linux" in page
    assert "Safari, iPhone" in page
    theirs = re.search(r'name="session" value="(\d+)"', page)
    assert theirs is not None
    stranger.post("/portal/club/me/devices", {"session": theirs[1]})
    assert second.get("/portal/club/").status_code == 200, "nobody ends another's session"
    first.post("/portal/club/me/devices", {"session": theirs[1]})
    assert second.get("/portal/club/").status_code == 302
    assert first.get("/portal/club/").status_code == 200
    second.get(f"/portal/club/demo?as={dumps(ref, salt='demo club')}")
    assert second.session.session_key != before, "a new session id at each sign-in"
    first.post("/portal/club/me/devices", {"session": "others"})
    assert (first.get("/portal/club/").status_code, second.get("/portal/club/").status_code) == (200, 302)
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + sessions.IDLE - 60_000_000)
    assert first.get("/portal/club/").status_code == 200
    monkeypatch.setattr(clock, "now", lambda: now + 2 * sessions.IDLE - 120_000_000)
    assert first.get("/portal/club/").status_code == 200, "used meanwhile"
    monkeypatch.setattr(clock, "now", lambda: now + 3 * sessions.IDLE)
    assert first.get("/portal/club/").status_code == 302
    with database.connect("app") as connection:
        assert sessions.drop_old(connection, now=now + 4 * sessions.IDLE) > 0
        connection.commit()


def test_all_that_is_known_goes_along(club: Shop) -> None:
    """Every part is there with its content, products too, and nothing of anybody else."""
    client = joined("ann@example.org", "?c=spring")
    ref = club.get("/members?email=ann@example.org").json["member"]
    other = club.enrol("other")
    told = {
        "source": "till", "id": "s1", "type": "sale", "occurred_at": clock_text(), "member": ref, "amount": "120.00",
        "location": "paris", "lines": [{"amount": "120.00", "sku": "3560070000012", "category": "wine"}],
    }  # fmt: skip
    assert club.post("/activities", told).status == 200
    club.sale(other, "77.77")
    client.post("/portal/club/me/consents", {"question": "profiling_offers..", "answer": "give"})
    found = client.get("/portal/club/me/data/export").json()
    assert found["format"] == "palier-member 1"
    assert found["member"]["ref"] == ref
    assert found["member"]["came_by"] == {"door": "portal", "campaign": "spring"}
    assert found["identities"] == ["email"]
    (sale,) = [line for line in found["history"] if line["type"] == "sale"]
    assert sale["products"] == [
        {"product": "3560070000012", "category": "wine", "quantity": 0, "amount": "120.00"}
    ]
    assert (sale["location"], sale["amount"]) == ("paris", "120.00")
    assert found["consents"][0]["body"].startswith("Club may choose offers")
    assert found["terms"][0]["version"] == 1
    assert found["messages"][0]["kind"] == "welcome"
    assert len(found["sessions"]) == 1
    wallets = {wallet["currency"]: wallet for wallet in found["wallets"]}
    assert wallets["stars"]["spendable"] == "120.00"
    assert "77.77" not in str(found)
    with database.connect("app") as connection:
        tables = connection.execute(
            "select table_name::text from information_schema.columns where column_name = 'member_id'"
            " and table_schema = 'public'"
        ).fetchall()
    assert {name for (name,) in tables} <= EXPORTED | NOT_EXPORTED.keys(), (
        "say where the export has it, or why not"
    )


EXPORTED = {
    "member", "identity", "activity", "transfer", "wallet", "lot", "hold", "progress", "reward_order", "order_event",
    "reward_item", "order_address", "bank_account", "payout", "voucher", "consent", "terms_acceptance",
    "member_message", "erasure_request", "member_session", "passkey", "member_origin", "support_case", "case_message",
    "survey_answer", "wish",
}  # fmt: skip
"""Tables of members of which the export tells."""
NOT_EXPORTED = {
    "member_merge": "told by the facts of the merge in the history",
    "ranking_name": "the number of the made-up name that rankings show",
    "goal_progress": "a copy of the standing for rankings",
    "activity_claim": "ids of what the history tells",
    "relay": "not yet decided: another's activity",
    "order_claim": "ids of orders",
    "payout_event": "steps of pay-outs, by staff",
    "dispatch": "messages to suppliers: no personal value",
    "insight_member": "figures counted from the history",
    "card_code_use": "numbers of card codes that were shown",
    "till_lookup": "what staff looked at: in the log of looks",
    "till_entry": "sales on their way to the history",
    "till_basket": "sales on their way to the history",
}
"""Tables that name a member and are left out, each with the reason."""


def clock_text() -> str:
    from tests.api.shop import now_text

    return now_text()


def test_settings_are_ones_own(club: Shop) -> None:
    """Language at once; a birthday once, and only where the program keeps it."""
    born = document(birth_date="born")
    del born["effective_from"]
    with database.connect("app") as connection:
        publish(connection, program_of(born), now=clock.now(), published_by="test")
        connection.commit()
    ref = club.enrol()
    client = visitor(ref)
    assert (
        client.post("/portal/club/me/settings", {"language": "fr", "born": "2999-01-01"}).status_code == 422
    )
    assert (
        client.post("/portal/club/me/settings", {"language": "fr", "born": "1990-05-06"}).status_code == 302
    )
    assert "Réglages" in text(client, "me/settings")
    client.post("/portal/club/me/settings", {"language": "fr", "born": "1991-01-01"})
    known = club.get(f"/members/{ref}").json
    assert known["attributes"]["born"] == "1990-05-06"
    assert known["locale"] == "fr"


class Gateway(BaseHTTPRequestHandler):
    taken: list[bytes] = []
    status = 200

    def do_POST(self) -> None:
        self.taken.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Gateway]]:
    server = HTTPServer(("127.0.0.1", 0), Gateway)
    Gateway.taken, Gateway.status = [], 200
    thread = Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setattr(environment(), "sms_url", f"http://user:pass@127.0.0.1:{server.server_port}/send")
    yield Gateway
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_phone_is_a_door_too(shop: Shop, gateway: type[Gateway]) -> None:
    """The code goes by the gateway; known and unknown numbers are answered alike; a gateway that fails is said so."""
    shop.post("/members", {"identities": {"phone": "+33612345678"}})
    client = Client(SERVER_NAME="localhost")
    assert client.post("/portal/club/door", {"contact": "+33 6 12 34 56 78"}).status_code == 302
    sent: dict[str, Any] = __import__("json").loads(gateway.taken[-1])
    assert sent["to"] == "+33612345678"
    code = re.search(r"\d{6}", sent["text"])
    assert code is not None
    assert client.post("/portal/club/code", {"code": code[0]}).status_code == 302
    assert "Welcome" not in text(client, "")
    gateway.status = 500
    throttle._seen.clear()
    assert (
        Client(SERVER_NAME="localhost").post("/portal/club/door", {"contact": "+33699999999"}).status_code
        == 503
    )


def test_a_friends_link_leads_to_the_door(club: Shop) -> None:
    ref = club.enrol()
    code = club.post(f"/members/{ref}/referral-code").json
    client = Client(SERVER_NAME="localhost")
    answer = client.get(code["link"])
    assert answer["Location"] == f"/portal/club/door?from={code['code']}"
    assert "A friend invited you." in client.get(answer["Location"]).content.decode()
    assert client.get("/join/club/%22%3E%3Cscript%3E")["Location"].startswith("/portal/club/door?from=%22")


def test_what_is_no_passkey_opens_nothing(club: Shop) -> None:
    client = Client(SERVER_NAME="localhost")
    for body in (b"", b"[]", b"{}", b'{"id":"x"}', b"x" * 30_000, b"[" * 20_000, b'{"id":"\xff"}'):
        asked = client.post("/portal/club/door/passkey/begin")
        assert asked.json()["publicKey"]["challenge"]
        assert (
            client.post("/portal/club/door/passkey", body, content_type="application/json").status_code == 422
        )
    assert client.post("/portal/club/door/passkey", b"{}", content_type="application/json").status_code == 422
    member = visitor(club.enrol())
    member.post("/portal/club/me/passkeys/begin")
    assert member.post("/portal/club/me/passkeys", b"{}", content_type="application/json").status_code == 422


def test_whoever_was_merged_is_signed_out_with_the_one_he_became(club: Shop) -> None:
    """A session that began as somebody who was merged since is listed, and ended with all others."""
    stays, goes = club.enrol("1"), club.enrol("2")
    phone, thief = visitor(stays), visitor(goes, agent="Mozilla/5.0 (iPhone) Safari/605")
    merged = club.post(f"/members/{stays}/merge", {"from": goes, "reason": "one person"})
    assert merged.status in (200, 201), merged.json
    assert "Safari, iPhone" in text(thief, "me/devices")
    assert "Safari, iPhone" in text(phone, "me/devices")
    phone.post("/portal/club/me/devices", {"session": "others"})
    assert thief.get("/portal/club/")["Location"] == "/portal/club/door"
    assert phone.get("/portal/club/").status_code == 200
    # And his own sign-out ends his session here, not in his browser alone.
    again = visitor(goes)
    kept = again.cookies["sessionid"].value
    again.post("/portal/club/leave")
    with database.connect("app") as connection:
        assert len(sessions.listed(connection, club.program_id, refs.decode(stays), now=clock.now())) == 1
    assert kept


def test_a_form_outlives_its_session(club: Shop) -> None:
    """Kept for whoever wrote it, sent by him alone; anybody else who signs in does not see it."""
    ref, other = club.enrol("1"), club.enrol("2")
    page = {"HTTP_ACCEPT": "text/html"}
    written = {"text": "Where <are> my stars?", "once": "a" * 12, "line": ""}
    for who, to in ((other, "/portal/club/"), (ref, "/portal/club/again")):
        client = visitor(ref)
        visitor(ref).post("/portal/club/me/devices", {"session": "others"})
        answer = client.post("/portal/club/questions/new", written, **page)
        assert answer["Location"] == "/portal/club/door"
        assert "What you wrote is kept: sign in, then send it." in text(client, "door")
        assert client.get("/portal/club/again")["Location"] == "/portal/club/door"
        assert client.get(f"/portal/club/demo?as={dumps(who, salt='demo club')}")["Location"] == to
        assert club.get("/cases").json["cases"] == []
    shown = text(client, "again")
    assert 'action="/portal/club/questions/new"' in shown
    assert 'name="text" value="Where &lt;are&gt; my stars?"' in shown
    assert client.get("/portal/club/again")["Location"] == "/portal/club/", "shown once"
    sent = client.post("/portal/club/questions/new", written, **page)
    assert sent["Location"].startswith("/portal/club/questions/")
    # Signed out in another tab, nobody knows whose it is: it is told that nothing was done.
    client.post("/portal/club/leave")
    lost = client.post("/portal/club/questions/new", {**written, "text": "Mine?"}, **page)
    assert lost["Location"] == "/portal/club/door?not-done"
    assert "nothing was done. Sign in, then write it once more." in text(client, "door?not-done")
    assert "nothing was done" not in text(client, "door")
    # Nothing is stored for those who never signed in.
    stranger = Client(SERVER_NAME="localhost")
    stranger.post("/portal/club/questions/new", written, **page)
    assert "sessionid" not in stranger.cookies
    assert len(club.get("/cases").json["cases"]) == 1


def test_two_birthdays_sent_at_once_are_one(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment(), "demo", True)
    data = document(
        "born", member_attributes={"born": {"type": "date"}, "note": {"type": "text"}}, birth_date="born"
    )
    own = Shop("born", data)
    ref = own.enrol()
    client = Client(SERVER_NAME="localhost")
    assert client.get(f"/portal/born/demo?as={dumps(ref, salt='demo born')}").status_code == 302
    lock = hub.activities.lock_member

    def meanwhile(connection: Any, member_id: int) -> None:
        lock(connection, member_id)
        # What another form and somebody of the staff wrote after this page had looked.
        membership.set_attributes(
            connection, own.program_id, member_id, {"born": "1980-01-02", "note": "kept"}
        )

    monkeypatch.setattr(hub.activities, "lock_member", meanwhile)
    client.post("/portal/born/me/settings", {"born": "1990-05-05"})
    assert own.get(f"/members/{ref}").json["attributes"] == {"born": "1980-01-02", "note": "kept"}
