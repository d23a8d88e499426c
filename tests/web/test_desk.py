"""The desk: people and roles, keys, approvals, the log, one's own account; what each refuses, and to whom."""

from __future__ import annotations

import csv
import html
import io
import re
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client

from palier.engine.clock import MINUTE, SECOND
from palier.site import clock, database
from palier.staff import accounts, admission, approvals, signing_in
from palier.staff.accounts import Account, Grant
from palier.staff.operations import create_key, write_log
from palier.staff.queries import RIGHTS, list_keys
from palier.staff.roles import ROLES
from palier.web.console import views, visits
from palier.web.console.desk import log, telling
from tests.api.shop import Shop, document
from tests.web.staff import PASSWORD, staff, staff_client
from tests.web.test_console_door import code


def account(email: str) -> Account:
    with database.connect() as connection:
        found = accounts.find(connection, email)
    assert found is not None
    return found


def text(found: Any) -> str:
    return str(found.content.decode())


def invite(client: Client, **form: str) -> Any:
    return client.post("/console/club/staff/invite", {"role": "cashier", "language": "fr", **form})


# --- people -----------------------------------------------------------------------------------------------


def test_a_person_is_invited_by_a_link_shown_once(shop: Shop) -> None:
    owner = staff_client("owner", shop.program_id)
    shown = invite(owner, email="new@example.org", name="<b>New</b>")
    link = re.search(r"http://localhost(/console/welcome-to/[\w-]+)", text(shown))
    assert link is not None
    assert "<b>New" not in text(shown)
    assert shown["Cache-Control"] == "private, no-store"
    assert "welcome-to" not in text(owner.get("/console/club/staff"))
    made = account("new@example.org")
    assert made.grants == (Grant(shop.program_id, "cashier"),)
    assert made.language == "fr"
    newcomer = Client(SERVER_NAME="localhost")
    assert newcomer.post(link[1], {"password": PASSWORD}).status_code == 302

    again = invite(owner, email="NEW@example.org", name="New", role="support")
    assert again.status_code == 302, "who has an account is given the role"
    assert {grant.role for grant in account("new@example.org").grants} == {"cashier", "support"}


@pytest.mark.parametrize(
    "form",
    [{"email": "nothing", "name": "A"}, {"email": "a@example.org", "name": " "},
     {"email": "a@example.org", "name": "A", "role": "king"},
     {"email": "a@example.org", "name": "A", "role": "partner", "partner": "nobody"},
     {"email": "a@example.org", "name": "A", "scope": "all"}],
)  # fmt: skip
def test_an_invitation_that_cannot_be_made_says_why(shop: Shop, form: dict[str, str]) -> None:
    found = invite(staff_client("owner", shop.program_id), **form)
    assert found.status_code == 422
    assert 'role="alert"' in text(found)
    with database.connect() as connection:
        assert accounts.find(connection, "a@example.org") is None


def test_the_owner_of_one_program_rules_over_nobody_elsewhere(shop: Shop) -> None:
    """Neither a role in all programs, nor a link for somebody with more rights, nor his phone, nor his account."""
    other = Shop("other", document("other"))
    client = staff_client("owner", shop.program_id)
    chief, both = staff("owner"), staff("support", shop.program_id)
    with database.connect() as connection:
        accounts.give(
            connection, both.account_id, Grant(other.program_id, "support"), now=clock.now(), actor="test"
        )
        connection.commit()
    stranger = staff("support", other.program_id)
    for one in (chief, both):
        for act in ("link", "forget", "close", "reopen"):
            path = f"/console/club/staff/{one.account_id}/{act}"
            assert client.get(path).status_code == client.post(path).status_code == 404, (one.email, act)
    path = f"/console/club/staff/{chief.account_id}/take"
    assert client.post(path, {"role": "owner", "scope": "all"}).status_code == 404
    give = f"/console/club/staff/{both.account_id}/give"
    assert client.post(give, {"role": "owner", "scope": "all"}).status_code == 422
    assert client.get(f"/console/club/staff/{stranger.account_id}").status_code == 404
    assert stranger.email not in text(client.get("/console/club/staff"))
    assert client.post(give, {"role": "analyst"}).status_code == 302
    assert Grant(shop.program_id, "analyst") in account(both.email).grants
    taken = client.post(f"/console/club/staff/{both.account_id}/take", {"role": "support", "scope": "here"})
    assert taken.status_code == 302
    assert Grant(shop.program_id, "support") not in account(both.email).grants
    assert Grant(other.program_id, "support") in account(both.email).grants


def test_the_last_owner_stays_and_others_are_closed(shop: Shop) -> None:
    client = staff_client("owner")
    chief, helper = staff("owner"), staff("support", shop.program_id)
    helping = staff_client("support", shop.program_id)
    assert helping.get("/console/club/").status_code == 200
    close = f"/console/club/staff/{helper.account_id}/close"
    assert "1 session ends" in text(client.get(close))
    assert client.post(close).status_code == 302
    assert helping.get("/console/club/").status_code == 302, "sessions end with the account"
    refused = client.post(f"/console/club/staff/{chief.account_id}/close")
    assert refused.status_code == 422
    assert "last owner" in text(refused)
    take = {"role": "owner", "scope": "all"}
    assert client.post(f"/console/club/staff/{chief.account_id}/take", take).status_code == 422
    assert client.post(f"/console/club/staff/{helper.account_id}/reopen").status_code == 302
    assert account(helper.email).closed_at is None


# --- proving oneself again --------------------------------------------------------------------------------


def owner_with_factor(shop: Shop) -> tuple[Client, Account, str, list[str]]:
    """An owner who signed in by the door: browser, account, secret, recovery codes."""
    with database.connect() as connection:
        made, token = admission.invite(
            connection, email="ada@example.org", name="Ada", grants=[Grant(None, "owner")], now=clock.now(),
            actor="test",
        )  # fmt: skip
        connection.commit()
    client = Client(SERVER_NAME="localhost", HTTP_ACCEPT_LANGUAGE="en")
    client.post(f"/console/welcome-to/{token}", {"password": PASSWORD})
    found = re.search(r'class="secret">([A-Z2-7 ]+)<', text(client.get("/console/second-step")))
    assert found is not None
    shown = client.post("/console/second-step", {"code": code(found[1])})
    return client, made, found[1], re.findall(r"<code>([A-Z2-7-]{19})</code>", text(shown))


def test_dangerous_acts_ask_again_who_one_is(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    client, _, _, codes = owner_with_factor(shop)
    assert client.get("/console/club/keys/new").status_code == 200, "just proved"
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + visits.SURE_FOR + MINUTE)
    for path in ("/console/club/keys/new", "/console/club/staff/invite", "/console/own-account/password"):
        for found in (client.get(path), client.post(path, {"name": "x", "password": "members:read"})):
            assert found.status_code == 302
            assert found["Location"].startswith("/console/prove-again?next=%2Fconsole%2F"), path
    assert list_keys_of() == []
    # What was sent is not done, and not silently forgotten.
    assert "then write it once more" in text(client.get("/console/prove-again?next=/console/club/keys/new"))
    ask = {"next": "/console/club/keys/new", "password": PASSWORD, "code": codes[0]}
    assert client.post("/console/prove-again", {**ask, "password": "wrong one entirely"}).status_code == 422
    assert client.post("/console/prove-again", {**ask, "code": "000000"}).status_code == 422
    before = client.session.session_key
    assert client.post("/console/prove-again", ask)["Location"] == "/console/club/keys/new"
    assert client.session.session_key != before
    assert client.get("/console/club/keys/new").status_code == 200
    assert client.post("/console/prove-again", ask).status_code == 422, "a recovery code is taken once"
    evil = client.post("/console/prove-again", {**ask, "code": codes[1], "next": "https://evil.example/"})
    assert evil["Location"] == "/console/"


def test_a_form_is_sent_after_the_proof_as_it_was_written(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, _, _, codes = owner_with_factor(shop)
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + visits.SURE_FOR + MINUTE)
    form = {"name": "till & <3>", "right": ["members:read", "activities:write"], "days": "30", "once": "1"}
    asked = client.post("/console/club/keys/new", form)
    assert asked.status_code == 403
    assert "Nothing was done yet; what you wrote is kept." in text(asked)
    proof = {**hidden(asked), "password": PASSWORD, "code": codes[0]}
    wrong = client.post("/console/prove-again", {**proof, "password": "wrong one entirely"})
    assert hidden(wrong)["sent"] == proof["sent"], "still kept after a wrong password"
    proved = client.post("/console/prove-again", proof)
    assert 'action="/console/club/keys/new"' in text(proved)
    assert list_keys_of() == []
    assert client.post("/console/club/keys/new", fields(proved)).status_code == 200
    (key,) = list_keys_of()
    assert (key.name, sorted(key.rights)) == ("till & <3>", ["activities:write", "members:read"])
    # Another site cannot put words into the page: only the form of the page that asked brings them.
    planted = client.get("/console/prove-again?next=/console/club/keys/new&sent=name%3Devil")
    assert "sent" not in hidden(planted)


def fields(page: Any) -> dict[str, list[str]]:
    """The hidden fields of the page's last form, all values of each."""
    found: dict[str, list[str]] = {}
    last = text(page).rpartition("<form")[2]
    for name, value in re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', last):
        found.setdefault(name, []).append(html.unescape(value))
    return found


def hidden(page: Any) -> dict[str, str]:
    return {name: values[0] for name, values in fields(page).items()}


def list_keys_of() -> list[Any]:
    with database.connect() as connection:
        return [key for key in list_keys(connection, "club") if key.name != "test"]


def test_proving_again_is_throttled(shop: Shop) -> None:
    client, *_ = owner_with_factor(shop)
    ask = {"next": "/console/", "password": "not it at all", "code": "000000"}
    statuses = [
        client.post("/console/prove-again", ask).status_code for _ in range(signing_in.TRIES_PER_ACCOUNT + 1)
    ]
    assert statuses == [422] * signing_in.TRIES_PER_ACCOUNT + [429]


# --- keys -------------------------------------------------------------------------------------------------


def test_many_keys_are_told_by_pages(shop: Shop) -> None:
    client = staff_client("owner", shop.program_id)
    with database.connect() as connection:
        for number in range(60):
            create_key(connection, shop.program_id, name=f"n{number:02}", rights=["members:read"], now=number)
    page, seen = "/console/club/keys", []
    while page:
        shown = text(client.get(page))
        seen.append(re.findall(r'<th scope="row">(\w+)', shown))
        later = re.search(r'href="(\?after=\w+)"', shown)
        page = f"/console/club/keys{later[1]}" if later else ""
    assert [len(names) for names in seen] == [50, 11]
    assert [name for names in seen for name in names] == [
        "test",
        *(f"n{number:02}" for number in reversed(range(60))),
    ]
    assert 'href="/console/club/keys?"' in shown
    assert (
        re.findall(r"<th scope=.row.>(\w+)", text(client.get("/console/club/keys?after=nobody")))[0] == "test"
    )


def test_a_key_is_shown_once_and_works_until_it_is_revoked(shop: Shop) -> None:
    client = staff_client("owner", shop.program_id)
    form = {"name": "till <3>", "right": ["members:read", "activities:write"], "days": "90", "partner": ""}
    once = re.search(r'name="once" value="(\w+)"', text(client.get("/console/club/keys/new")))
    assert once is not None
    form["once"] = once[1]
    made = client.post("/console/club/keys/new", form)
    token = re.search(r"pk_\w+", text(made))
    assert token is not None
    ref = shop.enrol()
    assert shop.get(f"/members/{ref}", token=token[0]).status == 200
    shop.post("/redemptions", {"member": ref, "currency": "stars", "points": "1"}, token=token[0]).problem(
        403, "forbidden"
    )
    # Loaded anew, the page makes no second key.
    again = client.post("/console/club/keys/new", form, follow=True)
    assert "This key was made already" in text(again)
    page = text(client.get("/console/club/keys"))
    assert token[0] not in page
    with database.connect() as connection:
        assert [key.name for key in list_keys(connection, "club")].count("till <3>") == 1
    assert "till &lt;3&gt;" in page
    prefix = token[0].split("_")[1]
    other = Shop("other", document("other"))
    elsewhere = staff_client("owner", other.program_id)
    assert elsewhere.post(f"/console/other/keys/{prefix}/revoke").status_code == 404
    assert client.get(f"/console/club/keys/{prefix}/revoke").status_code == 200
    assert client.post(f"/console/club/keys/{prefix}/revoke").status_code == 302
    shop.get(f"/members/{ref}", token=token[0]).problem(401, "unauthorized")
    for bad in ({"name": ""}, {"right": []}, {"partner": "nobody"}, {"name": "4111 1111 1111 1111"}):
        assert client.post("/console/club/keys/new", {**form, "once": "", **bad}).status_code == 422, bad


@pytest.mark.guard
def test_every_right_of_a_key_and_every_role_is_said_in_words() -> None:
    assert tuple(telling.RIGHTS) == RIGHTS
    assert tuple(telling.ROLES) == ROLES


# --- approvals --------------------------------------------------------------------------------------------


def asked(shop: Shop, by: Account) -> int:
    with database.connect() as connection:
        found = approvals.ask(
            connection, shop.program_id, kind="adjustment", object="member:x", request=str(clock.now()),
            payload={"program": "club", "member": "m_x", "points": "60", "changes": ["It <rains>"]},
            reason="sorry",
            by=by.person, now=clock.now(), expires_at=clock.now() + MINUTE,
        )  # fmt: skip
        connection.commit()
    return found.approval_id


def test_who_asked_cannot_approve_and_a_reason_is_asked_for(shop: Shop) -> None:
    first = staff("accountant", shop.program_id)
    one = asked(shop, first)
    own, second = staff_client("accountant", shop.program_id), staff_client("owner", shop.program_id)
    path = f"/console/club/approvals/{one}"
    assert "Approve and do it" not in text(own.get(path))
    assert "cannot approve" in text(own.post(path, {"decision": "approve", "reason": "mine"}))
    assert second.post(path, {"decision": "refuse", "reason": " "}).status_code == 422
    assert second.post(path, {"decision": "refuse", "reason": "4111 1111 1111 1111"}).status_code == 422
    assert "60" in text(second.get("/console/club/approvals"))
    assert "It &lt;rains&gt;" in text(second.get(path))
    assert second.post(path, {"decision": "refuse", "reason": "too much"}).status_code == 302
    assert "too much" in text(own.get(path))
    assert "decided meanwhile" in text(own.post(path, {"decision": "refuse", "reason": "late"}))
    other = Shop("other", document("other"))
    elsewhere = staff_client("owner", other.program_id)
    assert elsewhere.get(f"/console/other/approvals/{one}").status_code == 404


# --- the log ----------------------------------------------------------------------------------------------


def test_the_log_is_filtered_paged_and_taken_out_without_formulas(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.connect() as connection:
        for number in range(60):
            write_log(
                connection, "key:abc", "integration", "member.look", f"member:m{number % 2}", at=clock.now(),
                reason="=HYPERLINK(1)" if number == 7 else f"n{number}",
            )  # fmt: skip
        connection.commit()
    client = staff_client("owner")
    page = text(client.get("/console/club/log?actor=key:abc"))
    assert page.count("<code>member.look</code>") == 50
    local = datetime.fromtimestamp(clock.now() / 1e6, ZoneInfo("Europe/Paris"))
    assert any(
        f"{at:%H:%M}" in page for at in (local, local - timedelta(minutes=1), local - timedelta(minutes=2))
    )
    assert "n59" in page
    assert "n9<" not in page
    following = re.search(r"before=(\d+)", page)
    assert following is not None
    rest = text(client.get(f"/console/club/log?actor=key:abc&before={following[1]}"))
    assert rest.count("<code>member.look</code>") == 10
    assert (
        text(client.get("/console/club/log?action=member.&object=member:m1")).count("<code>member.look") == 30
    )
    assert "Nothing like this" in text(client.get("/console/club/log?until=2001-01-01"))
    for nonsense in (
        "before=x",
        "before=99999999999999999999",
        "from=nonsense",
        "from=9999-12-31&until=9999-12-31",
    ):
        assert client.get(f"/console/club/log?{nonsense}").status_code == 200, nonsense
    assert client.get("/console/club/log.csv").status_code == 405
    monkeypatch.setattr(log, "PART", 7)
    taken = client.post("/console/club/log.csv", {"actor": "key:abc"})
    content = taken.getvalue()
    assert content.startswith(b"\xef\xbb\xbfnumber,")
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
    assert len(rows) == 61
    assert [row[6] for row in rows if "HYPERLINK" in row[6]] == ["'=HYPERLINK(1)"]
    assert "log.export" in text(client.get("/console/club/log?action=log."))
    assert staff_client("owner", shop.program_id).get("/console/club/log").status_code == 404, (
        "it is one for all"
    )


# --- one's own --------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("any_year")
def test_ones_own_sessions_are_seen_and_ended(shop: Shop) -> None:
    here, there = staff_client("support", shop.program_id), staff_client("support", shop.program_id)
    stranger = staff_client("cashier", shop.program_id)
    page = text(here.get("/console/own-account"))
    assert page.count('name="session"') == 2, "the other one, and all others"
    number = re.search(r'name="session" value="(\d+)"', page)
    assert number is not None
    stranger.post("/console/own-account/end-sessions", {"session": number[1]})
    assert there.get("/console/club/").status_code == 200, "only one's own"
    assert here.post("/console/own-account/end-sessions", {"session": number[1]}).status_code == 302
    assert there.get("/console/club/").status_code == 302
    again = staff_client("support", shop.program_id)
    here.post("/console/own-account/end-sessions", {"session": "others"})
    assert again.get("/console/club/").status_code == 302
    assert here.get("/console/club/").status_code == 200
    for nonsense in ("", "x", "9" * 30):
        assert here.post("/console/own-account/end-sessions", {"session": nonsense}).status_code == 302


def test_ones_own_language_password_pin_and_factor(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    client, made, secret, codes = owner_with_factor(shop)
    saved = client.post("/console/own-account", {"language": "fr"}, follow=True)
    assert 'lang="fr"' in text(saved)
    assert account(made.email).language == "fr"
    for bad in ("1234", "1111", "12", "12345678901", "abcd"):
        assert client.post("/console/own-account/pin", {"pin": bad}).status_code == 422, bad
    assert client.post("/console/own-account/pin", {"pin": "2580"}).status_code == 302
    assert account(made.email).has_pin
    fresh = re.findall(
        r"<code>([A-Z2-7-]{19})</code>", text(client.post("/console/own-account/recovery-codes"))
    )
    assert len(fresh) == 10
    assert not set(fresh) & set(codes)

    page = text(client.get("/console/own-account/authenticator"))
    other = re.search(r'class="secret">([A-Z2-7 ]+)<', page)
    assert other is not None
    assert other[1] != secret
    assert client.post("/console/own-account/authenticator", {"code": "000000"}).status_code == 422
    confirmed = client.post("/console/own-account/authenticator", {"code": code(other[1])})
    assert len(re.findall(r"<code>[A-Z2-7-]{19}</code>", text(confirmed))) == 10

    assert client.post("/console/own-account/password", {"password": "short"}).status_code == 422
    gone = client.post("/console/own-account/password", {"password": "a sentence that is new to me"})
    assert gone["Location"] == "/console/sign-in"
    assert client.get("/console/club/").status_code == 302
    now = clock.now() // (30 * SECOND) * 30 * SECOND + 31 * SECOND
    monkeypatch.setattr(clock, "now", lambda: now)
    signing = Client(SERVER_NAME="localhost")
    form = {"email": made.email, "password": "a sentence that is new to me"}
    assert signing.post("/console/sign-in", form).status_code == 302
    assert signing.post("/console/second-step", {"code": code(secret)}).status_code == 422, "the old phone"
    assert signing.post("/console/second-step", {"code": code(other[1])}).status_code == 302


def test_nobody_keeps_a_person_out_by_trying(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries from elsewhere close the door to strangers, not to the browser in which the person signed in before."""
    monkeypatch.setattr(signing_in, "TRIES_PER_ACCOUNT", 2)
    home, owner, _secret, codes = owner_with_factor(shop)
    home.post("/console/sign-out")
    form = {"email": owner.email, "password": PASSWORD}
    assert home.post("/console/sign-in", form).status_code == 302
    assert home.post("/console/second-step", {"code": codes[0]}).status_code == 302
    home.post("/console/sign-out")
    stranger = Client(SERVER_NAME="localhost")
    wrong = {"email": owner.email, "password": "not the password at all"}
    answers = [stranger.post("/console/sign-in", wrong).status_code for _ in range(3)]
    assert answers[-1] == 429
    assert stranger.post("/console/sign-in", form).status_code == 429
    assert home.post("/console/sign-in", form).status_code == 302
    # What another account's browser keeps is worth nothing here, and a known one has its own limit.
    stranger.cookies[views.KNOWN] = signing_in.known_browser("else@example.org")
    assert stranger.post("/console/sign-in", form).status_code == 429
    answers = [home.post("/console/sign-in", wrong).status_code for _ in range(3)]
    assert answers[-1] == 429


def test_a_link_serves_once_also_at_the_same_moment(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    link = re.search(
        r"http://localhost(/console/welcome-to/[\w-]+)",
        text(invite(staff_client("owner", shop.program_id), email="new@example.org", name="New")),
    )
    assert link is not None
    token = link[1].rpartition("/")[2]
    with database.connect() as one, database.connect() as other:
        # The second has looked at the link before the first uses it.
        found = admission.invited(other, token, now=clock.now())
        other.rollback()
        monkeypatch.setattr(admission, "invited", lambda *_a, **_n: found)
        admission.accept(one, token, PASSWORD, now=clock.now())
        one.commit()
        with pytest.raises(signing_in.NotSignedIn):
            admission.accept(other, token, "another sentence of somebody", now=clock.now())


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31", "2026-02-30"])
def test_a_day_that_nothing_was_logged_on_is_no_defect(shop: Shop, day: str) -> None:
    owner = staff_client("owner")
    assert owner.get("/console/club/log", {"from": day, "until": day}).status_code == 200
