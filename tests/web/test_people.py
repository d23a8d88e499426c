"""Members and what staff do for them: who sees what, what is asked before it is done, and that it is done once."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core.signing import dumps
from django.test import Client
from django.urls import reverse

from palier.activities import uploads
from palier.care import cases
from palier.engine.phrases import date_words
from palier.members import lookups, refs
from palier.programs import telling
from palier.programs.queries import SHARE_JUDGING
from palier.site import clock, database
from palier.site.environment import environment
from palier.staff.roles import ROLES, Role, rights_of
from palier.web.console.people import orders as people_orders
from palier.web.console.people import urls
from tests.api.paying import CASH, IBAN, Paying
from tests.api.shop import Shop, document, here, now_text
from tests.api.test_partners import Town, month
from tests.web.staff import staff, staff_client

ADJUSTMENTS = {
    "reasons": [
        {"key": "goodwill", "name": {"en": "A gesture", "fr": "Un geste"}, "direction": "give"},
        {"key": "mistake", "name": {"en": "A mistake", "fr": "Une erreur"}},
    ],
    "limits": [{"currency": "stars", "at_once": "400", "day": "500", "approval_above": "100"}],
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


# --- looking ----------------------------------------------------------------------------------------------


def test_a_member_is_found_by_what_is_shown_and_by_nothing_else(shop: Shop) -> None:
    """Any identity, whole; a reference; never a part. Each look is logged, without what was typed."""
    ref = enrolled(shop, "Ada@Example.org")
    client = staff_client("support", shop.program_id)
    for given in ("ada@example.org", ref, f" {ref.upper()} "):
        found = client.post(f"/console/{shop.key}/members", {"what": given})
        assert (found.status_code, found["Location"]) == (302, f"/console/{shop.key}/members/{ref}"), given
    for given in ("ada", "example.org", ref[:-1], "m_0000000000000", "4111 1111 1111 1111", "é" * 300):
        assert client.post(f"/console/{shop.key}/members", {"what": given}).status_code == 404, given
    assert client.post(f"/console/{shop.key}/members", {"what": " "}).status_code == 422
    with database.connect("owner") as connection:
        rows = connection.execute(
            "select actor, action, object, reason from audit_log where action like 'member.%' order by seq"
        ).fetchall()
    assert {(row[1], row[2]) for row in rows} == {("member.find", ref), ("member.find", "nobody")}
    assert all(row[0].startswith("staff:") for row in rows)
    assert "example" not in str(rows).lower()
    assert not any("ada" in str(row[3]).lower() for row in rows)


def test_nobody_leafs_through_members(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookups, "MOST_AN_HOUR", 3)
    members = [enrolled(shop, f"{n}@example.org") for n in range(4)]
    client = staff_client("support", shop.program_id)
    for ref in members[:3]:
        page(client, shop, f"members/{ref}")
        page(client, shop, f"members/{ref}/history")
    text = page(client, shop, f"members/{members[3]}", 429)
    assert "What happened" not in text
    assert "In 60 minutes" in text
    assert client.post(f"/console/{shop.key}/members", {"what": "3@example.org"}).status_code == 429
    page(client, shop, f"members/{members[0]}")


def test_a_member_as_staff_see_him(club: Shop) -> None:
    """What he has, what happened with its arithmetic, what expires; as of a day before it, nothing. Names are text."""
    hostile = "<img src=x onerror=alert(1)>"
    attributes = {"first_name": {"type": "text"}}
    shop = Shop("named", document("named", member_attributes=attributes))
    ref = enrolled(shop, attributes={"first_name": hostile})
    shop.sale(ref, "150.00")
    client = staff_client("support", shop.program_id)
    text = page(client, shop, f"members/{ref}")
    assert "150" in text
    assert re.search(r"€150(\.00)? × 1 star = 150", text)
    assert "Purchase of €150" in text
    assert hostile not in text
    assert "&lt;img src=x" in text
    assert "e-mail ••••" in text
    assert "a@example.org" not in text
    before = page(client, shop, f"members/{ref}?as_of=2021-05-01")
    assert "At the end of 1 May 2021" in before
    assert "150" not in re.sub(r"(?s)What happened.*", "", before).partition("What the member has")[2]
    assert page(client, shop, f"members/{ref}?as_of=2021-13-99")
    french = staff_client("support", shop.program_id, language="fr")
    assert "Ce qu’a le membre" in page(french, shop, f"members/{ref}")


def test_what_has_no_steps_is_not_told_as_reached(club: Shop) -> None:
    """A goal that only counts for a leaderboard has nothing to reach."""
    spent = {"key": "month", "name": {"en": "Spent in the month", "fr": "Dépensé ce mois"}, "measure": "spend",
             "window": {"kind": "each", "period": "month"}}  # fmt: skip
    shop = Shop("ranked", document("ranked", goals=[spent]))
    ref = enrolled(shop)
    shop.sale(ref, "20.00")
    text = page(staff_client("support", shop.program_id), shop, f"members/{ref}")
    assert "Purchase of €20" in text
    assert "Well done" not in text


def _taken(sent: Any) -> str:
    """A file that was sent in parts."""
    return b"".join(sent.streaming_content).decode()


def test_a_sheet_is_as_long_as_its_table(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read in parts, each line once, in the order of the page."""
    monkeypatch.setattr("palier.web.console.people.members.PART", 4)
    ref = enrolled(shop)
    for number in range(7):
        shop.sale(ref, f"{number + 1}.00")
    sent = staff_client("support", shop.program_id).get(f"/console/{shop.key}/members/{ref}/history.csv")
    rows = [row.split(",") for row in _taken(sent).splitlines()[1:]]
    assert [row[7] for row in rows if row[2] == "sale"] == [f"{n}.00" for n in range(7, 0, -1)]


def test_sheets_hold_no_formula(shop: Shop) -> None:
    """What a spreadsheet would run is text in what is taken along; numbers stay numbers."""
    ref = enrolled(shop)
    body = {"source": "=cmd|' /C calc'!A0", "id": "+1+1", "type": "sale", "occurred_at": now_text(), "member": ref,
            "amount": "10.00"}  # fmt: skip
    assert shop.post("/activities", body).status == 200
    sent = staff_client("support", shop.program_id).get(f"/console/{shop.key}/members/{ref}/history.csv")
    assert sent["Content-Disposition"] == f'attachment; filename="{shop.key}-{ref}-history.csv"'
    rows = _taken(sent).removeprefix("\ufeff").splitlines()
    assert any("'=cmd" in row and ",'+1+1," in row and ",10.00," in row for row in rows), rows
    assert not any(cell[:1] in "=+@\t" for row in rows for cell in row.split(",") if cell)


# --- acting -----------------------------------------------------------------------------------------------


def test_points_by_hand_within_and_beyond_what_one_may(club: Shop) -> None:
    """Rehearsed to the unit, asked once, done once however often it is sent; beyond the limit a second approves."""
    ref = enrolled(club)
    club.sale(ref, "20.00")
    client = staff_client("support", club.program_id)
    path = f"members/{ref}/adjust"
    # The reason is part of the line that the member finds in his history.
    assert "The member reads it in his history" in page(client, club, path)
    form = {"currency": "stars", "points": "80", "way": "give", "code": "goodwill", "reason": "late parcel"}
    text, sure = asked(client, club, path, form)
    assert "20.00 stars → 100.00 stars" in text
    assert club.wallet(ref)["spendable"] == "20.00"
    for _ in range(2):
        done = client.post(f"/console/{club.key}/{path}", sure)
        assert done.status_code == 302
    assert club.wallet(ref)["spendable"] == "100.00"
    again = page(client, club, f"members/{ref}")
    assert "late parcel" in again

    text, sure = asked(client, club, path, {**form, "points": "101"})
    assert "more than one person may do alone" in text
    client.post(f"/console/{club.key}/{path}", sure)
    assert club.wallet(ref)["spendable"] == "100.00"
    assert "Waits for a second person: +101.00 stars" in page(client, club, f"members/{ref}")

    for wrong, said in (
        ({"points": "401"}, "more than one person may move"),
        ({"points": "x"}, "no amount"),
        ({"way": "take"}, "Choose one of the reasons"),
        ({"way": "take", "code": "mistake", "currency": "gifts", "points": "5"}, "too few points"),
        # What no second person could say yes to is not asked.
        ({"way": "take", "code": "mistake", "points": "101"}, "too few points"),
        ({"points": "1,00,0"}, "no amount"),
        ({"reason": ""}, "Write why"),
        ({"reason": "4111 1111 1111 1111"}, "payment card"),
        ({"currency": "<b>"}, "no such points"),
    ):
        found = client.post(f"/console/{club.key}/{path}", {**form, **wrong})
        assert found.status_code == 422, wrong
        assert said in found.content.decode(), wrong
    assert club.wallet(ref)["spendable"] == "100.00"


def test_freezing_says_what_cannot_be_spent(shop: Shop) -> None:
    ref = enrolled(shop)
    shop.sale(ref, "20.00")
    client = staff_client("support", shop.program_id)
    text, _ = asked(client, shop, f"members/{ref}/freeze", {"reason": "card lost"})
    assert "Cannot be spent meanwhile: 20.00 stars" in text
    _, sure = asked(client, shop, f"members/{ref}/freeze", {"reason": "card lost"})
    for said in ("The member is frozen.", "The member is frozen already."):
        done = client.post(f"/console/{shop.key}/members/{ref}/freeze", sure, follow=True)
        assert said in done.content.decode()
    refused = shop.post("/redemptions", {"member": ref, "currency": "stars", "points": "1"})
    assert refused.json["code"] == "member_not_active"
    shop.sale(ref, "5.00")
    assert "active again" in yes(client, shop, f"members/{ref}/freeze", {"reason": "found"})
    assert shop.wallet(ref)["spendable"] == "25.00"


def test_two_members_become_one_and_two_again(shop: Shop) -> None:
    """The preview adds up; the yes does what it said; undone, both stand as before."""
    stays, gone = enrolled(shop), enrolled(shop, "b@example.org")
    shop.sale(stays, "30.00")
    shop.sale(gone, "12.00")
    client = staff_client("support", shop.program_id)
    form = {"other": "b@example.org", "reason": "one person"}
    text, _ = asked(client, shop, f"members/{stays}/merge", form)
    assert "30.00 stars + 12.00 stars = 42.00 stars" in text
    assert shop.wallet(gone)["spendable"] == "12.00"
    text = yes(client, shop, f"members/{stays}/merge", form)
    assert gone in text
    assert shop.wallet(stays)["spendable"] == "42.00"
    assert stays in page(client, shop, f"members/{gone}")
    text, _ = asked(client, shop, f"members/{gone}/unmerge", {"reason": "two persons"})
    assert "42.00 stars → 30.00 stars" in text
    yes(client, shop, f"members/{gone}/unmerge", {"reason": "two persons"})
    assert (shop.wallet(stays)["spendable"], shop.wallet(gone)["spendable"]) == ("30.00", "12.00")
    same = client.post(f"/console/{shop.key}/members/{stays}/merge", {"other": stays, "reason": "x"})
    assert same.status_code == 422


def test_points_go_from_one_to_another_and_persons_come_and_leave(shop: Shop) -> None:
    one, other = enrolled(shop), enrolled(shop, "b@example.org")
    shop.sale(one, "30.00")
    client = staff_client("support", shop.program_id)
    form = {"other": other, "currency": "stars", "points": "12.50", "reason": "asked"}
    text, _ = asked(client, shop, f"members/{one}/transfer", form)
    assert "30.00 stars → 17.50 stars" in text
    yes(client, shop, f"members/{one}/transfer", form)
    assert (shop.wallet(one)["spendable"], shop.wallet(other)["spendable"]) == ("17.50", "12.50")
    person = {"way": "add", "kind": "card", "value": "77", "reason": "family"}
    yes(client, shop, f"members/{one}/persons", person)
    assert shop.get("/members?card=77").json["member"] == one
    yes(client, shop, f"members/{one}/persons", {**person, "way": "leave"})
    assert shop.get("/members?card=77").json["member"] != one


def test_who_asks_to_be_forgotten_is(shop: Shop) -> None:
    ref = enrolled(shop)
    shop.sale(ref, "30.00")
    client = staff_client("support", shop.program_id)
    text, _ = asked(client, shop, f"members/{ref}/erase", {"reason": "asked by letter"})
    assert "Points that lapse: 30.00 stars" in text
    assert shop.get("/members?email=a@example.org").status == 200
    yes(client, shop, f"members/{ref}/erase", {"reason": "asked by letter"})
    assert shop.get("/members?email=a@example.org").status == 404
    page(client, shop, f"members/{ref}", 404)


def test_programs_do_not_see_each_other(shop: Shop) -> None:
    """References of another program find nothing, on every page and in every act."""
    other = Shop("other", document("other"))
    theirs = enrolled(other)
    mine = enrolled(shop)
    other.sale(theirs, "10.00")
    client = staff_client("owner", shop.program_id)
    for path in ("", "/history", "/adjust", "/history.csv", "/export.json"):
        page(client, shop, f"members/{theirs}{path}", 404)
    for path in ("adjust", "freeze", "merge", "transfer", "persons", "erase", "sessions", "case", "unmerge"):
        answer = client.post(f"/console/{shop.key}/members/{theirs}/{path}", {"reason": "x", "sure": "yes"})
        assert answer.status_code == 404, path
    found = client.post(
        f"/console/{shop.key}/members/{mine}/merge", {"other": theirs, "reason": "x", "sure": "yes"}
    )
    assert found.status_code == 422
    assert other.wallet(theirs)["spendable"] == "10.00"
    with database.connect("app") as connection:
        from palier.activities.runtime import runtime

        program = runtime(connection, "other")
        assert program is not None
        upload = uploads.begin(connection, program, "a.csv", 5, by=staff("owner").person, now=clock.now())
    for path in ("", "/progress", "/refused.csv"):
        page(client, shop, f"imports/{upload.upload_id}{path}", 404)
    for path in ("piece?at=0", "step/start", "step/discard", "look"):
        assert client.post(f"/console/{shop.key}/imports/{upload.upload_id}/{path}").status_code == 404


def test_forms_from_elsewhere_are_refused(shop: Shop) -> None:
    ref = enrolled(shop)
    signed = staff_client("owner", shop.program_id)
    strict = Client(SERVER_NAME="localhost", enforce_csrf_checks=True)
    strict.cookies = signed.cookies
    for path in (f"members/{ref}/freeze", "members", "imports/begin", "payouts/propose"):
        assert strict.post(f"/console/{shop.key}/{path}", {"reason": "x", "sure": "yes"}).status_code == 403


# --- cases ------------------------------------------------------------------------------------------------


def test_a_case_of_a_member_who_was_merged_is_the_others(shop: Shop) -> None:
    """The preview says that it comes along; list, page and the answer's message are of the member who stays."""
    stays, gone = enrolled(shop), enrolled(shop, "b@example.org")
    client = staff_client("support", shop.program_id)
    form = {"text": "Where are my stars?", "once": "m" * 24}
    opened = client.post(f"/console/{shop.key}/members/{gone}/case", form)["Location"]
    form = {"other": "b@example.org", "reason": "one person"}
    text, _ = asked(client, shop, f"members/{stays}/merge", form)
    assert f"1 case that waits is shown with {stays}." in text
    yes(client, shop, f"members/{stays}/merge", form)
    listed = page(client, shop, "cases")
    assert f'<td class="ref">{stays}</td>' in listed
    assert f'<td class="ref">{gone}</td>' not in listed
    text = client.get(opened).content.decode()
    assert f"Said as {gone}, who was merged into {stays} since." in text
    client.post(f"{opened}/answer", {"text": "Here.", "once": "n" * 24})
    with database.connect("app") as connection:
        own = refs.decode(stays)
        found = cases.of_member(connection, shop.program_id, own)
        assert [case.state for case in found] == ["answered"]
        assert cases.read_own(connection, shop.program_id, own, found[0].case_id) == found[0]
        told = connection.execute("select member_id from member_message where kind = 'case_answered'")
        assert told.fetchall() == [(own,)]


@pytest.mark.usefixtures("any_year")
def test_a_case_is_answered_beside_its_line(shop: Shop) -> None:
    """Opened about a line, seen with its arithmetic, answered once, closed; what was written is text."""
    ref = enrolled(shop)
    shop.sale(ref, "42.00")
    client = staff_client("support", shop.program_id)
    text = page(client, shop, f"members/{ref}")
    line = re.search(r'name="line" value="(\d+)"', text)
    assert line is not None
    form = {"line": line[1], "text": "<script>alert(1)</script> too few", "once": "o" * 24}
    opened = client.post(f"/console/{shop.key}/members/{ref}/case", form)
    assert client.post(f"/console/{shop.key}/members/{ref}/case", form)["Location"] == opened["Location"]
    listed = page(client, shop, "cases")
    assert "1 member waits" in listed
    text = client.get(opened["Location"]).content.decode()
    assert "<script>alert" not in text
    assert "Purchase of €42" in text.replace("\u00a0", " ")
    answer = f"{opened['Location']}/answer"
    assert client.post(answer, {"text": ""}).status_code == 302
    assert (
        client.post(answer, {"text": "It counted 42.", "close": "yes", "once": "p" * 24}).status_code == 302
    )
    text = client.get(opened["Location"]).content.decode()
    assert "It counted 42." in text
    assert 'name="text"' not in text
    assert "0 members wait" in page(client, shop, "cases")
    assert staff_client("accountant", shop.program_id).get(opened["Location"]).status_code == 404


# --- imports ----------------------------------------------------------------------------------------------


def worked(shop: Shop) -> None:
    """What the worker does with files, until none waits."""
    with database.connect("app") as connection:
        while (upload := uploads.take_next(connection, now=clock.now())) is not None:
            uploads.run(connection, upload, clock=clock.now)


def test_a_file_comes_in_through_the_pages(shop: Shop) -> None:
    """Begun, sent in pieces, read as the form says, imported by the worker; refused lines come back harmless."""
    client = staff_client("marketer", shop.program_id)
    rows = ["Ticket;Quand;Client;Total", "T1;2026-03-01 10:00;k1;5,00", "=T2;never;k2;5,00"]
    body = "\n".join([*rows, ""]).encode()
    begun = client.post(
        f"/console/{shop.key}/imports/begin", {"name": "<b>mars.csv", "length": str(len(body))}
    ).json()
    for at in range(0, len(body), 20):
        sent = client.post(
            f"{begun['piece']}?at={at}", body[at : at + 20], content_type="application/octet-stream"
        )
        assert sent.status_code == 200
    assert client.post(f"{begun['piece']}?at=0", b"x" * 20, content_type="text/plain").status_code == 422
    text = client.get(begun["then"]).content.decode()
    assert "<b>mars" not in text
    assert "No column for source, occurred_at" in text
    assert (
        "Map a column to source, occurred_at, or set one source for the whole file (constants: {source: till}"
        in text
    )
    assert "--map" not in text
    form = {
        "column_0": "Ticket", "field_0": "id", "column_1": "Quand", "field_1": "occurred_at",
        "column_2": "Client", "field_2": "member.external_id", "column_3": "Total", "field_3": "amount",
        "same_source": "till", "decimal": ",", "enrol": "yes",
    }  # fmt: skip
    looked = client.post(f"{begun['then']}/look", form).content.decode()
    assert "1 taken" in looked
    assert "Line 3" in looked
    written = client.post(
        f"{begun['then']}/look", {**form, "date_format": "%Y-%m-%d %H:%M"}
    ).content.decode()  # fmt: skip
    assert "is no date and time in the form %Y-%m-%d %H:%M" in written
    assert "does not match" not in written
    french = staff_client("marketer", shop.program_id, language="fr").get(begun["then"]).content.decode()
    for word in (
        "membre : numéro de client",
        "ligne : référence de l’article",
        "toutes les lignes (JSON)",
        ">retour<",
    ):
        assert word in french.replace("\u00a0", " ").replace("\u202f", " "), word
    # Nothing is kept by looking; a form that cannot be read is not started.
    assert client.post(f"{begun['then']}/step/start", {**form, "same_source": ""}).status_code == 422
    assert shop.get("/members?external_id=k1").status == 404
    assert client.post(f"{begun['then']}/step/start", form).status_code == 302
    assert "data-open" in client.get(f"{begun['then']}/progress").content.decode()
    worked(shop)
    text = client.get(begun["then"]).content.decode()
    assert "data-open" not in text
    assert shop.get("/members?external_id=k1").status == 200
    refused = client.get(f"{begun['then']}/refused.csv")
    assert refused["Content-Disposition"] == 'attachment; filename="-b-mars.refused.csv"'
    assert "'=T2" in refused.content.decode()
    # The same file once more is nothing to do.
    again = client.post(f"/console/{shop.key}/imports/begin", {"file": _file("again.csv", body)})
    assert client.post(f"{again['Location']}/step/start", form).status_code == 302
    worked(shop)
    assert "1" in client.get(again["Location"]).content.decode()
    assert client.post(f"{again['Location']}/step/discard").status_code == 302
    for name, length in (("a.csv", "0"), ("a.csv", str(uploads.MOST_BYTES + 1)), ("a.csv", "9" * 30)):
        found = client.post(f"/console/{shop.key}/imports/begin", {"name": name, "length": length})
        assert found.status_code == 422


def _file(name: str, body: bytes) -> Any:
    from django.core.files.uploadedfile import SimpleUploadedFile

    return SimpleUploadedFile(name, body)


# --- orders and money -------------------------------------------------------------------------------------

MUG = {
    "key": "mug",
    "name": {"en": "A <b>mug", "fr": "Une tasse"},
    "gives": {"kind": "merchandise"},
    "prices": [{"points": {"stars": "20"}}],
    "stock": 5,
}
ADDRESS = {"name": "Ada", "lines": ["1 rue X"], "postcode": "75001", "city": "Paris", "country": "FR"}


def test_what_was_picked_is_named_and_has_its_address(shop: Shop) -> None:
    card = {"key": "card", "name": {"en": "A card"}, "gives": {"kind": "service"}, "prices": []}
    among = [{"reward": "card"}, {"reward": "mug"}]
    either = {
        **MUG,
        "key": "either",
        "name": {"en": "A present"},
        "gives": {"kind": "choice", "rewards": among},
    }
    for reward in (MUG, card, either):
        assert shop.call("PUT", f"/rewards/{reward['key']}", reward).status in (200, 201)
    ref = enrolled(shop)
    shop.sale(ref, "100.00")
    order = shop.post("/orders", {"member": ref, "reward": "either"}).json["order"]
    refused = shop.post(f"/orders/{order}/choose", {"reward": "mug"})
    assert (refused.status, refused.json["code"]) == (422, "address_needed")
    chosen = shop.post(f"/orders/{order}/choose", {"reward": "mug", "address": ADDRESS})
    assert chosen.status == 200, chosen.json
    client = staff_client("support", shop.program_id)
    text = page(client, shop, f"orders/{order}")
    assert "1. A present" in text
    assert "1. A &lt;b&gt;mug" in text
    shown = client.post(f"/console/{shop.key}/orders/{order}/address")
    assert "1 rue X" in shown.content.decode()


def test_an_order_is_handed_out_or_given_back(shop: Shop) -> None:
    """Waits for staff, its address is shown on asking and logged, sent, refunded in figures; another is cancelled."""
    found = shop.call("PUT", "/rewards/mug", MUG)
    assert found.status in (200, 201), found.json
    ref = enrolled(shop)
    shop.sale(ref, "100.00")
    body = {"member": ref, "reward": "mug", "quantity": 2, "address": ADDRESS}
    orders = [shop.post("/orders", body).json["order"] for _ in range(2)]
    client = staff_client("support", shop.program_id)
    listed = page(client, shop, "orders")
    assert listed.count("A &lt;b&gt;mug") == 2
    assert "A <b>mug" not in listed
    text = page(client, shop, f"orders/{orders[0]}")
    assert "1 rue X" not in text
    shown = client.post(f"/console/{shop.key}/orders/{orders[0]}/address")
    assert "1 rue X" in shown.content.decode()
    step = f"/console/{shop.key}/orders/{orders[0]}/step"
    assert (
        client.post(f"{step}/ship", {"state": "shipped", "carrier": "Post", "tracking": "T1"}).status_code
        == 302
    )
    assert "Post T1" in page(client, shop, f"orders/{orders[0]}")
    assert shop.get(f"/orders/{orders[0]}").json["state"] == "done"
    text, _ = asked(
        client,
        shop,
        f"orders/{orders[0]}/step/refund",
        {"reason": "broken", "units": "1", "also_used": "yes"},
    )
    assert "The member has back: 20.00 stars." in text
    assert "Units taken back: 1 of 2." in text
    assert shop.wallet(ref)["spendable"] == "20.00"
    for wrong in ("abc", "-1", "1,5", "\uff11", "0"):
        refused = client.post(
            f"{step}/refund", {"reason": "broken", "units": wrong, "also_used": "yes"}, follow=True
        )
        assert "Write how many units" in refused.content.decode(), wrong
    partly = {"reason": "broken", "units": "1", "also_used": "yes"}
    _, sure = asked(client, shop, f"orders/{orders[0]}/step/refund", partly)
    for said in ("partly refunded", "moved on meanwhile"):
        done = client.post(f"{step}/refund", sure, follow=True)
        assert said in done.content.decode(), said
        assert shop.wallet(ref)["spendable"] == "40.00"
    assert shop.wallet(ref)["spendable"] == "40.00"
    text = yes(client, shop, f"orders/{orders[1]}/step/cancel", {"reason": "changed his mind"})
    assert "cancelled" in text
    assert shop.wallet(ref)["spendable"] == "80.00"
    assert (
        client.post(f"/console/{shop.key}/orders/{orders[1]}/step/cancel", {"reason": "x"}).status_code == 302
    )
    assert "moved on meanwhile" in page(client, shop, f"orders/{orders[1]}")
    assert orders[1] in _taken(client.get(f"/console/{shop.key}/orders/sheet.csv?state=cancelled"))
    assert "mug" in page(client, shop, "orders/stock")
    with database.connect("owner") as connection:
        rows = connection.execute("select actor from audit_log where action = 'order.address'").fetchall()
    assert len(rows) == 1
    found = client.post(f"/console/{shop.key}/members", {"what": orders[0]})
    assert found["Location"] == f"/console/{shop.key}/orders/{orders[0]}"


def test_stock_is_told_by_names_a_page_at_a_time(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reward, form, date and period as people read them; what its document has no more by its key."""
    monkeypatch.setattr(people_orders, "ROWS", 2)
    mug = {
        **{name: value for name, value in MUG.items() if name != "stock"},
        "limits": {"per_period": {"n": 4, "period": "month"}},
        "variants": [{"key": "xl", "name": {"en": "Large", "fr": "Grande"}, "stock": 2}],
    }
    put = shop.call("PUT", "/rewards/mug", mug)
    assert put.status in (200, 201), put.content
    begins = here(40)
    tour = {
        "key": "tour",
        "name": {"en": "Tour", "fr": "Visite"},
        "gives": {"kind": "experience"},
        "prices": [{"points": {"stars": "5"}}],
        "slots": [{"key": "one", "starts_at": begins.replace(hour=9, minute=5).isoformat(),
                   "ends_at": begins.replace(hour=10).isoformat(), "capacity": 3}],
    }  # fmt: skip
    put = shop.call("PUT", "/rewards/tour", tour)
    assert put.status in (200, 201), put.content
    ref = enrolled(shop)
    shop.sale(ref, "100.00")
    bought = {"member": ref, "reward": "mug", "variant": "xl", "address": ADDRESS}
    assert shop.post("/orders", bought).status == 201
    assert shop.post("/orders", {"member": ref, "reward": "tour", "slot": "one"}).status == 201
    client = staff_client("owner", shop.program_id)
    first = page(client, shop, "orders/stock")
    rows = re.findall(
        r'<th scope="row"><a href="([^"]+)">([^<]+)</a>(?: <span class="quiet small">([^<]+))?', first
    )
    month = date_words(f"{here():%Y-%m-01}", "en")
    assert rows == [
        (f"/console/{shop.key}/rewards/mug", "A &lt;b&gt;mug", part) for part in (f"since {month}", "Large")
    ]
    (following,) = re.findall(r'href="(\?after=[^"]+)"', first)
    second = client.get(f"/console/{shop.key}/orders/stock{following}").content.decode()
    assert f"{date_words(f'{begins:%Y-%m-%d}', 'en')}, 09:05" in second
    assert "A &lt;b&gt;mug" not in second
    other = {"key": "xs", "name": {"en": "Small", "fr": "Petite"}, "stock": 2}
    assert shop.call("PUT", "/rewards/mug", {**mug, "variants": [other]}).status == 201
    assert ">xl<" in page(client, shop, "orders/stock")


def test_money_is_paid_by_two(shop: Shop) -> None:
    """Collected by one, approved by another, written once with the same bytes ever after, sent, paid, returned."""
    written = document()
    written["point_currencies"].append(CASH)
    del written["effective_from"]
    assert shop.post("/programs/club/publish", written).status == 201
    paying = Paying(shop, shop.enrol())
    first = staff_client("accountant", shop.program_id)
    second = staff_client("accountant", shop.program_id, email="second@example.org")
    listed = page(first, shop, "payouts")
    assert "€10.00" in listed
    assert IBAN not in listed
    text, sure = asked(first, shop, "payouts/propose", {"method": "sepa"})
    assert "1 pay-out, €10.00 in all, from the account of Club SAS." in text
    batch = first.post(f"/console/{shop.key}/payouts/propose", sure)["Location"].removeprefix(
        f"/console/{shop.key}/"
    )
    assert "another person approves it" in page(first, shop, batch)
    refused = first.post(f"/console/{shop.key}/{batch}/step/approve", {"sure": "yes"}, follow=True)
    assert "cannot approve it" in refused.content.decode()
    assert "file" in yes(second, shop, f"{batch}/step/approve", {})
    files = {first.post(f"/console/{shop.key}/{batch}/file").content for _ in range(2)}
    assert len(files) == 1
    assert IBAN.encode() in files.pop()
    assert "with the bank" in yes(first, shop, f"{batch}/step/sent", {})
    text = yes(second, shop, f"{batch}/step/paid", {})
    assert ">paid<" in text
    payout = paying.payouts["asked"]
    text, _ = asked(first, shop, f"payouts/{payout}/step/returned", {"reason": "AC04"})
    assert "€10.00 is in the member" in text
    assert "came back" in yes(first, shop, f"payouts/{payout}/step/returned", {"reason": "AC04"})
    # Of what the bank was given, the batch says how much it sent back.
    assert re.search("came back from the bank</dt>\\s*<dd>1 pay-out, €10.00<", page(first, shop, batch))
    assert paying.payouts["sent"] in _taken(first.get(f"/console/{shop.key}/payouts/sheet.csv?state=sent"))
    assert (
        staff_client("support", shop.program_id).get(f"/console/{shop.key}/payouts/{payout}").status_code
        == 404
    )


def test_partners_see_their_own_side_alone(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator sees all statements and lines; a partner's person his own, whatever he asks for."""
    town = Town()
    assert town.sold("grocer", town.ours, "receipt-of-the-grocer").status == 200
    period = month()
    operator = staff_client("accountant", town.program_id)
    text = page(operator, town, f"settlements?period={period}")
    assert "receipt-of-the-grocer" in text
    # What each line is, how much, and at which price, as the reader writes it.
    french = page(
        staff_client("accountant", town.program_id, language="fr"), town, f"settlements?period={period}"
    )
    for words, read in (
        (text, ("issued", "400", "0.011", "\u22124.40")),
        (french, ("émis", "0,011", "\u22124,40")),
    ):
        lines = words[words.index('id="lines"') :]
        assert all(f">{said}<" in lines for said in read), lines
    for kind, name in (("statement.pdf", b"%PDF"), ("lines.csv", b"\xef\xbb\xbfline,partner")):
        sent = operator.get(f"/console/{town.key}/settlements/{kind}?period={period}&partner=grocer")
        assert sent.content.startswith(name)
    monkeypatch.setattr(telling, "WAIT_S", 0.05)
    operator.raise_request_exception = False
    with database.connect("app") as writing:
        writing.execute(SHARE_JUDGING, {"program": town.program_id})
        assert operator.get(f"/console/{town.key}/settlements?period={period}").status_code == 503
    operator.raise_request_exception = True
    assert operator.get(f"/console/{town.key}/settlements?period=2026-13").status_code == 404
    assert operator.get(f"/console/{town.key}/settlements?partner=nobody").status_code == 404
    far = 2**63 - 1
    for place in (f"{far}.1.1.1", f"1.{far}.1.1"):
        found = operator.get(f"/console/{town.key}/settlements?period={period}&after={place}")
        assert found.status_code == 404
    for name in ("orders", "cases", "payouts", "members", "imports"):
        for place in (f"{far}.{far}", f"{far}"):
            assert operator.get(f"/console/{town.key}/{name}?after={place}").status_code in (200, 403, 404), (
                name
            )
    for own, seen in (("grocer", True), ("chemist", False)):
        person = staff_client("partner", town.program_id, partner=own, email=f"{own}@example.org")
        text = page(person, town, f"settlements?period={period}")
        assert ("receipt-of-the-grocer" in text) is seen
        for path in ("settlements", "settlements/lines.csv", "settlements/statement.pdf"):
            other = "chemist" if seen else "grocer"
            assert (
                person.get(f"/console/{town.key}/{path}?period={period}&partner={other}").status_code == 404
            )


def test_staff_hand_out_all_that_the_members_own_pages_do(
    club: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asks at the counter gets the same file as who takes it himself."""
    monkeypatch.setattr(environment(), "demo", True)
    member = enrolled(club)
    club.sale(member, "12.00")
    own = Client(SERVER_NAME="localhost")
    own.get(f"/portal/house/demo?as={dumps(member, salt='demo house')}")
    mine = own.get("/portal/house/me/data/export").json()
    found = (
        staff_client("support", club.program_id).get(f"/console/house/members/{member}/export.json").json()
    )
    assert set(found) == set(mine)
    assert {"consents", "orders", "messages", "terms"} <= set(found)
    assert found["history"] == mine["history"]


def test_a_place_beyond_all_time_is_the_last_page(shop: Shop) -> None:
    client = staff_client("support", shop.program_id)
    assert client.get("/console/club/cases", {"after": f"{2**63 - 1}.{2**63 - 1}"}).status_code == 200
