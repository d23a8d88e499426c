"""Bad input: each a clear refusal, nothing written, never a defect."""

from __future__ import annotations

import gzip
import json
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client

from palier.activities import wire
from palier.site import database
from tests.api.shop import Shop, document, now_text

BODIES: list[tuple[bytes, int]] = [
    (b"", 422),
    (b"{", 400),
    (b"[1]", 422),
    (b"null", 422),
    (b'"x"', 422),
    (b"\xff\xfe{}", 400),
    (b'{"member": "\\ud800"}', 400),
    (b'{"member": "a\\u0000b"}', 422),
    (b'{"a": 1, "a": 2}', 400),
    (b'{"points": NaN}', 400),
    (b'{"points": -Infinity}', 400),
    (b'{"points": 1e400}', 422),
    (b'{"points": ' + b"9" * 5000 + b"}", 400),
    (b'{"a":' * 3000 + b"1" + b"}" * 3000, 400),
    (b"[" * 100_000, 400),
    (b'{"member": {"card": "x"}}', 422),
]


@pytest.mark.parametrize(("body", "status"), BODIES, ids=range(len(BODIES)))
@pytest.mark.parametrize("path", ["/redemptions", "/adjustments", "/transfers", "/members"])
def test_bodies_that_are_none(shop: Shop, path: str, body: bytes, status: int) -> None:
    found = shop.post(path, raw=body)
    assert (found.status, found.kind) == (status, "application/problem+json"), found.content
    assert found.json["detail"]


def test_a_body_of_two_megabytes(shop: Shop) -> None:
    for size in (2_000_000, 2 * 1024 * 1024 + 10):
        for path in ("/redemptions", "/activities", "/programs/club/publish"):
            found = shop.post(path, raw=b'{"a": "' + b"x" * (size - 9) + b'"}')
            found.problem(413, "body_too_large")


def test_other_media_types(shop: Shop) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        for path in ("/redemptions", "/activities"):
            shop.post(path, raw=b"{}", kind=kind).problem(415, "unsupported_media_type", "Content-Type")
    raw = b'{"identities": {"card": "1"}}'
    packed = gzip.compress(raw)
    for path in ("/members", "/activities", "/programs/club/validate"):
        found = shop.post(path, raw=packed, encoding="gzip")
        found.problem(415, "unsupported_media_type", "Content-Encoding")
    assert shop.post("/members", raw=raw.replace(b"1", b"2"), encoding="identity").status == 201
    assert shop.post("/members", raw=raw, kind="application/json; charset=utf-8").status == 201


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"amount": "1e3"}, "invalid_amount", "amount"),
        ({"amount": "-1"}, "invalid_amount", "amount"),
        ({"amount": "１２"}, "invalid_amount", "amount"),
        ({"amount": "1.001"}, "invalid_amount", "amount"),
        ({"amount": "1000000000000000"}, "invalid_amount", "amount"),
        ({"amount": 1e300}, "invalid_amount", "amount"),
        ({"lines": [{"amount": None}]}, "invalid_amount", "lines[0].amount"),
        ({"tenders": [{"kind": "card", "amount": None}]}, "invalid_amount", "tenders[0].amount"),
        ({"lines": [{"amount": "1", "price": "1"}]}, "malformed", "lines[0].price"),
        ({"currency": "USD"}, "wrong_currency", "currency"),
        ({"type": "review"}, "unknown_type", "type"),
        ({"type": "redeem"}, "unknown_type", "type"),
        ({"occurred_at": "2099-01-01T00:00:00Z"}, "in_the_future", "occurred_at"),
        ({"occurred_at": "2010-01-01T00:00:00Z"}, "before_program", "occurred_at"),
        ({"occurred_at": "yesterday"}, "invalid_instant", "occurred_at"),
        ({"member": "m_0000000000000"}, "unknown_member", "member"),
        ({"member": {"card": "nobody"}}, "unknown_member", "member"),
        ({"source": "palier"}, "reserved_source", "source"),
        ({"source": "palier:x"}, "reserved_source", "source"),
        ({"source": "api:AbCdEfGhIjKl"}, "reserved_source", "source"),
        ({"program": "other"}, "other_program", "program"),
        ({"type": "return", "sale": {"source": "till", "id": "1"}, "whole": True}, "malformed", "sale"),
        ({"extra": 1}, "malformed", "extra"),
        ({"id": ""}, "malformed", "id"),
        ({"id": "a\0b"}, "malformed", "id"),
        ({"id": "a\x1b[2Jb"}, "malformed", "id"),
        ({"channel": "a\u202eb"}, "malformed", "channel"),
        ({"location": "a\x9b"}, "malformed", "location"),
        ({"lines": [{"sku": "a"}]}, "malformed", "lines[0].amount"),
        ({"lines": [{"sku": "a\0", "amount": "10"}]}, "invalid_lines", "lines[0].sku"),
    ],
)
def test_activities_that_are_refused(
    shop: Shop, member: str, change: dict[str, Any], code: str, field: str | None
) -> None:
    sale = {"source": "till", "id": "1", "type": "sale", "occurred_at": now_text(), "member": member,
            "amount": "10"}  # fmt: skip
    shop.post("/activities", {**sale, **change}).problem(422, code, field)
    many = shop.post("/activities", [{**sale, **change}, {**sale, "id": "2"}]).json
    assert many["counts"] == {"applied": 1, "duplicate": 0, "refused": 1, "parked": 0}
    assert (many["results"][0]["code"], many["results"][1]["status"]) == (code, "applied")
    with database.connect("app") as connection:
        assert connection.execute("select count(*) from activity_claim").fetchone() == (1,)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ('"amount": "10", "amount": "11"', "amount"),
        ('"amount":"10","amount":"10"', "amount"),
        ('"amount":"10","amount" :"11"', "amount"),
        ('"amount":"10","am\\u006funt":"11"', "amount"),
        ('"amount":"10","id":":1","id":"1"', "id"),
        ('"amount":"10","channel":null,"channel":"web"', "channel"),
        ('"amount":"10","member":{"card":"1","card":"2"}', "card"),
        ('"amount":"10","lines":[{"amount":"4"},{"amount":"6","sku":"a","sku":"b"}]', "sku"),
        ('"amount":"10","tenders":[{"kind":"card","kind":"cash","amount":"10"}]', "kind"),
        ('"amount":"10","attributes":{"x":1,"x":2}', "x"),
    ],
)
def test_a_name_given_twice_is_refused(shop: Shop, member: str, written: str, name: str) -> None:
    """It would be the last of them that counts: whose purchase it is, and what it comes to."""
    head = f'{{"source":"till","id":"1","type":"sale","occurred_at":"{now_text()}"'
    if '"member"' not in written:
        head += f',"member":"{member}"'
    body = f"{head},{written}}}".encode()
    found = shop.post("/activities", raw=body)
    found.problem(422, "malformed", name)
    assert f'"{name}" stands twice' in found.json["detail"]
    other = json.dumps({"source": "till", "id": "2", "type": "sale", "occurred_at": now_text(),
                        "member": member, "amount": 1}).encode()  # fmt: skip
    many = shop.post("/activities", raw=b"[" + body + b"," + other + b"]").json
    assert [item["status"] for item in many["results"]] == ["refused", "applied"]


@pytest.mark.parametrize(
    ("written", "same"),
    [
        ('"ticket_number" : ":1"', {"ticket_number": ":1"}),
        ('"ticket_number": "\\":\\""', {"ticket_number": '":"'}),
        ('"channel": null, "lines": [], "attributes": {}', {}),
        ('"lines": [{"amount": 4, "sku": "a"}, {"sku": "b", "amount": "6.0"}]', None),
    ],
)
def test_a_name_given_once_is_not_refused(
    shop: Shop, member: str, written: str, same: dict[str, Any] | None
) -> None:
    sale = {
        "source": "till",
        "id": "1",
        "type": "sale",
        "occurred_at": now_text(),
        "member": member,
        "amount": "10",
    }
    raw = json.dumps(sale)[:-1].encode() + b", " + written.encode() + b"}"
    assert shop.post("/activities", raw=raw).json["status"] == "applied"
    if same is not None:
        assert shop.post("/activities", {**sale, **same}).json["status"] == "duplicate"


@pytest.mark.parametrize("character", ["\0", "\x1b", "\x07", "\x85", "\u202e", "\u2066"])
def test_no_text_holds_what_nobody_sees(shop: Shop, member: str, character: str) -> None:
    """A terminal would obey it, a log be written by it, a sentence be turned round."""
    spend = {"member": member, "currency": "stars", "points": "1", "reason": f"a{character}b"}
    told = shop.post("/adjustments", spend).problem(422, "malformed", "reason")
    assert told["detail"] == f"A text holds a character that is not allowed, U+{ord(character):04X}."
    mug = {"key": "mug", "name": {"en": f"a{character}b"}, "gives": {"kind": "service"}}
    told = shop.call("PUT", "/rewards/mug", mug).problem(422, "invalid_reward")
    assert told["errors"][0]["field"] == "name.en"
    shop.get(f"/activities/till/{quote(character)}").problem(422, "malformed")
    assert shop.post("/adjustments", {**spend, "reason": "Désolé\n\t(« ça »\u202f!) 👩‍🍳"}).status == 201


def test_what_is_wrong_with_an_activity_is_said_as_it_is(shop: Shop, member: str) -> None:
    sale = {"source": "till", "id": "1", "type": "sale", "occurred_at": now_text(), "member": member,
            "amount": "10"}  # fmt: skip
    told = shop.post("/activities", {**sale, "id": "a\0b"}).problem(422, "malformed", "id")
    assert (told["detail"], told["remedy"]) == (
        "id holds a character that is not allowed, U+0000",
        "remove it",
    )
    del sale["id"]
    told = shop.post("/activities", sale).problem(422, "malformed", "id")
    assert told["detail"] == "id is missing"


def test_arrays_of_activities(shop: Shop, member: str) -> None:
    sale = {"source": "till", "id": "1", "type": "sale", "occurred_at": now_text(), "member": member,
            "amount": "10"}  # fmt: skip
    shop.post("/activities", []).problem(400, "invalid_body")
    shop.post("/activities", [sale] * 1001).problem(400, "invalid_body")
    twice = shop.post("/activities", [sale, sale, {**sale, "amount": "11"}]).json
    assert twice["counts"] == {"applied": 1, "duplicate": 1, "refused": 1, "parked": 0}
    first, double, _ = twice["results"]
    assert (first["status"], first["points"]) == ("applied", {"stars": "10.00"})
    assert double == {**first, "status": "duplicate"}
    again = shop.post("/activities", [sale]).json["results"][0]
    assert again == {**double, "spendable": again["spendable"]}
    shop.post("/activities", {**sale, "amount": "12"}).problem(422, "content_differs", "id")
    # One of an array is told as one by itself.
    alone = shop.post("/activities", {**sale, "id": "alone"}).json
    (one,) = shop.post("/activities", [{**sale, "id": "one"}]).json["results"]
    told = {"id": "one", "spendable": {"stars": "30.00"}}
    assert one == {**alone, **told}
    thousand = [{**sale, "id": f"n{number}"} for number in range(1000)]
    assert shop.post("/activities", thousand).json["counts"]["applied"] == 1000


def test_another_programs_member_is_unknown(shop: Shop, member: str) -> None:
    other = Shop("other", document("other"))
    sale = {"source": "till", "id": "1", "type": "sale", "occurred_at": now_text(), "member": member,
            "amount": "10"}  # fmt: skip
    known = other.post("/activities", sale)
    unknown = other.post("/activities", {**sale, "member": "m_0000000000000"})
    known.problem(422, "unknown_member")
    assert known.content == unknown.content


QUERIES = [
    ("/members/{ref}/wallets?as_off=1", "as_off"),
    ("/members/{ref}/wallets?as_of=2026-01-01", "as_of"),
    ("/members/{ref}/wallets?as_of=2026-02-30T00:00:00Z", "as_of"),
    ("/members/{ref}/wallets?as_of=2026-01-01T25:00:00Z", "as_of"),
    ("/members/{ref}/wallets?as_of=2026-01-01T00:00:00", "as_of"),
    ("/members/{ref}/wallets?as_of=2026-01-01T00:00:00Z&as_of=2026-01-02T00:00:00Z", "as_of"),
    ("/members/{ref}/wallets?known_at=%00", "known_at"),
    ("/members/{ref}/history?limit=0", "limit"),
    ("/members/{ref}/history?limit=201", "limit"),
    ("/members/{ref}/history?limit=ten", "limit"),
    ("/members?card=%00", "card"),
    ("/members?email=no-address", "identities.email"),
    ("/members?phone=x", "identities.phone"),
    ("/members", "query"),
    ("/members?card=1&email=a@b", "query"),
    ("/members?card=" + "x" * 201, "card"),
    ("/activities?source=till", "id"),
    ("/activities/till/%00", "id"),
    ("/programs/club/versions/0", "version"),
    ("/programs/club/versions/99999999999", "version"),
    ("/programs?page=2", "page"),
]


@pytest.mark.parametrize(("path", "field"), QUERIES, ids=[q[0][:60] for q in QUERIES])
def test_bad_queries(shop: Shop, member: str, path: str, field: str) -> None:
    found = shop.get(path.replace("{ref}", member))
    assert found.status == 422, found.content
    assert found.json["field"] == field
    assert found.kind == "application/problem+json"


@pytest.mark.parametrize(
    "change",
    [
        {"identities": {}},
        {"identities": {"tattoo": "x"}},
        {"identities": {"card": ""}},
        {"identities": {"card": "x" * 201}},
        {"identities": {"card": 5}},
        {"identities": {"email": "none"}},
        {"locale": "english"},
        {"time_zone": "Mars/Olympus"},
        {"time_zone": "../../etc/passwd"},
        {"attributes": {"age": "old"}},
        {"attributes": {"age": 1.5}},
        {"attributes": {"age": [1]}},
        {"attributes": {"height": "1.999"}},
        {"attributes": {"born": "2023-02-30"}},
        {"attributes": {"nose": 1}},
        {"attributes": {f"a{number}": 1 for number in range(101)}},
        {"status": "active"},
    ],
)
def test_bad_members(shop: Shop, change: dict[str, Any]) -> None:
    found = shop.post("/members", {"identities": {"card": "1"}, **change})
    assert (found.status, found.kind) == (422, "application/problem+json"), found.content
    shop.get("/members?card=1").problem(404, "unknown_member")


def test_addresses_and_methods(shop: Shop) -> None:
    for path in (
        "/",
        "/nothing",
        "/members/",
        "/redemptions",
        "/members/x/y/z",
        "/openapi.yaml",
        "//members",
    ):
        found = shop.get(path)
        assert found.status in (404, 405), (path, found.content)
        assert found.kind == "application/problem+json"
    found = shop.call("DELETE", "/members")
    found.problem(405, "method_not_allowed")
    assert set(found.headers["Allow"].split(", ")) == {"GET", "HEAD", "POST"}


def test_head_is_answered_what_get_is(shop: Shop, member: str) -> None:
    for path in (
        f"/members/{member}",
        f"/members/{member}/wallets",
        "/members/m_0000000000000",
        "/approvals",
    ):
        got, head = shop.get(path), shop.call("HEAD", path)
        assert (head.status, head.kind, head.content) == (got.status, got.kind, b""), path
    refused = shop.call("HEAD", "/redemptions")
    assert (refused.status, refused.headers["Allow"]) == (405, "POST")


@pytest.mark.parametrize("path", ["/v1/openapi.json", "/v1/docs", "/v1/docs.css", "/health"])
def test_what_is_only_read_is_asked_for_no_form(shop: Shop, path: str) -> None:
    client = Client(SERVER_NAME="localhost", enforce_csrf_checks=True)
    for method in ("POST", "PUT", "PATCH", "DELETE", "TRACE", "OPTIONS"):
        found = client.generic(method, path)
        assert (found.status_code, found.headers["Allow"]) == (405, "GET, HEAD"), method
        if path != "/health":
            assert found.json()["code"] == "method_not_allowed"
    assert client.head(path).status_code == client.get(path).status_code == 200


def test_a_body_that_is_late_is_described(shop: Shop) -> None:
    for path, operations in shop.get("/openapi.json", token="").json["paths"].items():
        for method, told in operations.items():
            assert "requestBody" not in told or "408" in told["responses"], (method, path)


def test_the_reference_shows_code_as_code(shop: Shop) -> None:
    page = shop.client.get("/v1/docs").content.decode()
    assert "`" not in page
    assert "<code>remedy</code> what to do" in page
    assert page.index('id="create_member"') < page.index('id="find_member"'), "making comes before finding"


def test_the_reference_is_open_and_needs_nothing_from_elsewhere(shop: Shop) -> None:
    found = shop.get("/openapi.json", token="")
    assert found.json["openapi"].startswith("3.1")
    page = shop.get("/docs", token="")
    assert page.status == 200
    text = page.content.decode()
    assert "//" not in text.replace("https://", "").replace("<!--", "") or "src=" not in text
    assert "<script" not in text
    assert "http://" not in text
    for operation in found.json["paths"].values():
        for told in operation.values():
            assert f'id="{told["operationId"]}"' in text
    assert shop.get("/docs.css", token="").kind.startswith("text/css")
    assert json.dumps(found.json).count('"additionalProperties": false') > 8


@pytest.mark.parametrize("reason", [" ", "\t\n", "\u00a0\u2003"])
def test_blanks_are_no_reason(shop: Shop, member: str, reason: str) -> None:
    gift = {"member": member, "currency": "stars", "points": "5"}
    found = shop.post("/adjustments", {**gift, "reason": reason}).problem(422, "malformed", "reason")
    assert found["detail"] == "reason: say why in words; blanks alone say nothing."
    assert shop.wallet(member)["spendable"] == "0.00"
    assert shop.post("/adjustments", {**gift, "reason": " sorry "}).status == 201


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["/nowhere", "/activities/", "//activities", "/activities/till/a%0Ab/"])
def test_other_addresses_by_any_method(shop: Shop, method: str, path: str) -> None:
    """A client of the API, which knows of no forms, learns that the address is wrong, also behind a slash too many."""
    shop.client.handler.enforce_csrf_checks = True
    shop.call(method, path, {}).problem(404, "unknown_address")


@pytest.mark.parametrize("kind", ["card", "email", "external_id"])
def test_one_accent_written_in_two_ways_is_one_identity(shop: Shop, kind: str) -> None:
    """é as one character, or as e and its accent: systems differ, and a second member would be enrolled."""
    one, other = "ren\u00e9@example.org", "rene\u0301@example.org"
    made = shop.post("/members", {"identities": {kind: one}})
    again = shop.post("/members", {"identities": {kind: other}})
    assert (made.status, again.status, again.json["member"]) == (201, 200, made.json["member"])
    found = shop.get(f"/members?{kind}=rene%CC%81%40example.org")
    assert (found.status, found.json["member"]) == (200, made.json["member"])


@pytest.mark.parametrize("half", [r"\ud83d", r"x\uDE00y", r"\ud83d\ud83d\ude00"])
def test_half_a_character_spoils_its_own_line_alone(shop: Shop, member: str, half: str) -> None:
    """Senders cut texts in the midst of an emoji, and a till would send the same array again for ever."""
    sale = '{"source": "till", "id": "%s", "type": "sale", "member": "%s", "occurred_at": "%s", "amount": "1.00"}'
    good, bad, best = (sale % (name, member, now_text()) for name in ("a", half, r"\ud83d\ude00 b"))
    found = shop.post("/activities", raw=f" [ {good} , {bad},17, {best} ] ".encode())
    assert (found.status, found.json["counts"]) == (
        200, {"applied": 2, "duplicate": 0, "refused": 2, "parked": 0}
    )  # fmt: skip
    told = [(line["id"], line["status"]) for line in found.json["results"]]
    assert told == [("a", "applied"), ("", "refused"), ("", "refused"), ("\U0001f600 b", "applied")]
    refused = found.json["results"][1]
    assert (refused["code"], refused["message"]) == ("malformed", "activity is not valid Unicode text")
    assert shop.wallet(member)["spendable"] == "2.00"
    for broken in (f"[{bad}", f"[{bad}]]", f"[{bad} {good}]", f"[{bad}, NaN]", f"[{bad},]", bad):
        shop.post("/activities", raw=broken.encode()).problem(400, "invalid_body")
    shop.post("/activities", raw=f"[{','.join([bad] * 1001)}]".encode()).problem(400, "invalid_body")


def test_of_too_many_lines_none_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer reads for all callers: 2 MB of `1,1,1` would keep it for seconds."""

    def read(raw: bytes) -> Any:
        raise AssertionError("a line was read")

    monkeypatch.setattr(wire, "_read_one", read)
    for body in (b"[" + b"1," * 1000 + b"1]", rb'["\ud800"' + b",1" * 1000 + b"]"):
        with pytest.raises(wire.BodyError, match="1001 activities"):
            wire.split(body)
