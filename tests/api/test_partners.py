"""The key of one partner, as its holder would try to use it: for its own, and for nothing else."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from palier.api.reference import schema
from palier.connectors import files
from palier.connectors.bank_files import plain_cell
from palier.programs import gallery, telling
from palier.programs.queries import SHARE_JUDGING
from palier.site import database
from palier.staff.queries import RIGHTS
from palier.web.console.board import answers
from tests.api.shop import Answered, Shop, here, now_text
from tests.api.test_live import Served, served  # noqa: F401 (a fixture)
from tests.commands import palier

OURS, THEIRS = "grocer", "chemist"
ALLOWED = {
    "send_activities", "find_member", "read_member", "create_redemption", "read_redemption",
    "capture_redemption", "release_redemption", "refund_redemption", "read_settlements",
    "read_settlement_statement", "read_settlement_lines",
    "check_voucher", "use_voucher", "release_voucher", "draw_voucher",
}  # fmt: skip
OPERATIONS = [
    (method.upper(), path, operation["operationId"])
    for path, methods in schema()["paths"].items()
    for method, operation in methods.items()
]


class Town(Shop):
    """The gallery's coalition, a key of the program, and a key of each of two partners."""

    def __init__(self) -> None:
        entry = next(item for item in gallery.entries() if item.key == "coalition")
        data = msgspec.to_builtins(entry.program())
        data["effective_from"] = "2020-01-01T00:00:00+01:00"
        for partner in data["partners"]:
            partner["agreements"][0]["from"] = "2020-01-01"
        super().__init__("coalition", data)
        self.ours = self.new_key(partner=OURS).token
        self.theirs = self.new_key(partner=THEIRS).token
        self.member = self.enrol()

    def sold(self, own: str, token: str, identifier: str, **more: Any) -> Answered:
        return self.post("/activities", line(own, identifier, self.member, **more), token=token)


def line(own: str, identifier: str, member: str, **more: Any) -> dict[str, Any]:
    """A sale under a partner's own source, which names it."""
    return {
        "source": own, "id": identifier, "type": "sale", "occurred_at": now_text(), "member": member,
        "amount": "400.00", "partner": own, **more,
    }  # fmt: skip


@pytest.fixture
def shop(scene: Callable[[Callable[[], Town]], Town]) -> Town:
    return scene(Town)


def month() -> str:
    return f"{here():%Y-%m}"


def pages(town: Shop, token: str, query: str = "") -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The statements of this month, and all lines, two at a time."""
    first: dict[str, Any] = {}
    lines: list[dict[str, Any]] = []
    cursor = ""
    while True:
        found = town.get(f"/settlements?period={month()}&limit=2{query}{cursor}", token=token)
        assert found.status == 200, found.content
        first = first or found.json
        assert (found.json["statements"] is None) == bool(cursor)
        assert found.json["known_at"] == first["known_at"]
        lines += found.json["lines"]
        if found.json["next"] is None:
            return first, lines
        cursor = f"&cursor={found.json['next']}"


def test_a_partner_at_its_own_till(shop: Town) -> None:
    """Sells, finds the member, redeems, holds, captures, takes back, and reads its statement."""
    ours = shop.ours
    answered = shop.sold(OURS, ours, "s1").json
    assert answered["points"] == {"tokens": "400"}
    assert "tier" not in answered
    assert shop.get("/members?card=2801", token=ours).json == {"member": shop.member, "status": "active"}
    assert shop.get(f"/members/{shop.member}", token=ours).json == {"member": shop.member, "status": "active"}
    spend = {"member": shop.member, "currency": "tokens", "points": "100"}
    made = shop.post("/redemptions", spend, token=ours)
    assert (made.status, made.json["partner"], made.json["source"][:7]) == (201, OURS, "grocer:")
    held = shop.post("/redemptions", {**spend, "capture": False}, token=ours).json
    assert shop.get(f"/redemptions/{held['redemption']}", token=ours).json == held
    assert shop.post(f"/redemptions/{held['redemption']}/capture", {"points": "40"}, token=ours).status == 200
    back = {"source": "grocer:till-2", "id": "r1", "type": "return", "occurred_at": now_text(),
            "sale": {"source": OURS, "id": "s1"}, "amount": "100.00", "partner": OURS}  # fmt: skip
    assert shop.post("/activities", back, token=ours).json["status"] == "applied"
    first, lines = pages(shop, ours)
    assert [item["kind"] for item in lines] == ["issued", "used", "used", "reversed"]
    statement = first["statements"][0]
    shown = [statement[name] for name in ("issued", "reversed", "used", "given_back", "owed", "owing", "net")]
    assert shown == ["400", "100", "140", "0", "3.30", "1.26", "2.04"]
    assert (first["side"], first["clearing"], len(first["statements"])) == ("partner", None, 1)


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS, ids=[item[2] for item in OPERATIONS])
def test_what_is_not_for_partners_does_not_exist(shop: Town, method: str, path: str, operation: str) -> None:
    """Every operation of the reference: on the list, or answered as an address at which there is nothing."""
    names = {"{ref}": shop.member, "{program}": "coalition", "{version}": "1", "{source}": OURS, "{id}": "s1",
             "{redemption}": f"{shop.member}.{shop.member[2:]}"}  # fmt: skip
    address = path.removeprefix("/v1")
    for name, value in names.items():
        address = address.replace(name, value)
    nothing = shop.get("/nothing-here", token=shop.ours)
    assert nothing.status == 404
    for body in (None, {}, {"member": shop.member, "currency": "tokens", "points": "1", "to": shop.member}):
        found = shop.call(method, address, body, token=shop.ours)
        if operation in ALLOWED:
            assert found.content != nothing.content
        else:
            assert (found.status, found.content) == (nothing.status, nothing.content)


def test_every_right_and_none_hides_the_same(shop: Town) -> None:
    """What does not exist for a partner does not exist by any right; of the rest, rights say as always."""
    for right in RIGHTS:
        token = shop.new_key([right], partner=OURS).token
        shop.get("/programs", token=token).problem(404, "unknown_address")
        found = shop.get(f"/settlements?period={month()}", token=token)
        assert found.status == (200 if right == "settlements:read" else 403)


def test_nobody_sends_for_another_partner(shop: Town) -> None:
    ours = shop.ours
    shop.sold(OURS, ours, "s1", partner=THEIRS).problem(422, "unknown_partner", "partner")
    unnamed = {name: value for name, value in line(OURS, "s1", shop.member).items() if name != "partner"}
    shop.post("/activities", unnamed, token=ours).problem(422, "unknown_partner", "partner")
    for source in (THEIRS, f"{THEIRS}:till", "till", "grocery", "grocer2", "GROCER", "api:x", "palier"):
        found = shop.sold(OURS, ours, "s1", source=source)
        found.problem(422, "reserved_source", "source")
    for kind in ("opt_in", "fee", "play", "joined", "redeem"):
        assert shop.sold(OURS, ours, "s1", type=kind).json["code"] == "unknown_type"
    many = [line(OURS, "m1", shop.member), line(THEIRS, "m2", shop.member), line(OURS, "m3", shop.member)]
    told = shop.post("/activities", many, token=ours).json["results"]
    assert [item["status"] for item in told] == ["applied", "refused", "applied"]


def test_ids_of_another_partner_cannot_be_taken_nor_found_out(shop: Town) -> None:
    """Returns, tenders and redemptions of another partner: known and unknown ones are answered alike."""
    assert shop.sold(THEIRS, shop.theirs, "known").status == 200
    spend = {"member": shop.member, "currency": "tokens", "points": "10"}
    theirs = shop.post("/redemptions", {**spend, "capture": False}, token=shop.theirs).json
    desk = shop.post("/redemptions", {**spend, "capture": False}).json
    back = {"source": OURS, "type": "return", "occurred_at": now_text(), "whole": True, "partner": OURS}
    answers = [
        shop.post(
            "/activities", {**back, "id": "r", "sale": {"source": THEIRS, "id": identifier}}, token=shop.ours
        ).content
        for identifier in ("known", "unknown")
    ]
    assert answers[0].replace(b"unknown", b"known") == answers[1].replace(b"unknown", b"known")
    assert json.loads(answers[0])["code"] == "reserved_source"
    for redemption in (theirs, {"source": THEIRS, "id": "none"}):
        named = {"source": redemption["source"], "id": redemption["id"]}
        tenders = [{"kind": "points", "amount": "400.00", "redemption": named}]
        found = shop.sold(OURS, shop.ours, "paid", tenders=tenders)
        found.problem(422, "reserved_source", "tenders[0].redemption.source")
    absent = f"{shop.member}.{shop.member[2:]}"
    for ref in (theirs["redemption"], desk["redemption"], absent):
        for method, path in (("GET", ""), ("POST", "/capture"), ("POST", "/release"), ("POST", "/refund")):
            body = None if method == "GET" else {}
            found = shop.call(method, f"/redemptions/{ref}{path}", body, token=shop.ours)
            found.problem(404, "unknown_redemption")
    assert shop.get(f"/redemptions/{theirs['redemption']}").json["status"] == "open"


def test_nobody_redeems_at_another_partner(shop: Town) -> None:
    assert shop.sold(OURS, shop.ours, "s1").status == 200
    spend = {"member": shop.member, "currency": "tokens", "points": "10"}
    answers = [
        shop.post("/redemptions", {**spend, "partner": name}, token=shop.ours) for name in (THEIRS, "florist")
    ]
    for found in answers:
        found.problem(404, "unknown_partner", "partner")
    assert answers[0].content == answers[1].content
    shop.post("/redemptions", {**spend, "source": THEIRS}, token=shop.ours).problem(422, "reserved_source")
    shop.post("/redemptions", {**spend, "partner": "florist"}).problem(404, "unknown_partner", "partner")
    assert shop.post("/redemptions", {**spend, "partner": THEIRS}).json["partner"] == THEIRS
    assert shop.get(f"/settlements?period={month()}", token=shop.ours).json["statements"][0]["used"] == "0"


def test_a_partner_reads_its_own_statement_and_no_other(shop: Town) -> None:
    shop.sold(OURS, shop.ours, "s1")
    shop.sold(THEIRS, shop.theirs, "s2", amount="250.00")
    spend = {"member": shop.member, "currency": "tokens", "points": "700"}
    assert shop.post("/redemptions", spend, token=shop.ours).status == 201
    for name in (THEIRS, "florist"):
        found = shop.get(f"/settlements?period={month()}&partner={name}", token=shop.ours)
        found.problem(404, "unknown_partner")
    ours, own = pages(shop, shop.ours)
    assert {item["partner"] for item in [*own, *ours["statements"]]} == {OURS}
    assert THEIRS not in json.dumps([ours, own])
    theirs, other = pages(shop, shop.theirs)
    before = shop.get(f"/settlements?period={month()}&known_at=1970-01-01T00:00:00Z", token=shop.ours).json
    assert (before["known_at"], before["lines"]) == ("1970-01-01T00:00:00Z", [])
    operator, all_lines = pages(shop, shop.token)
    assert operator["statements"] == sorted(
        ours["statements"] + theirs["statements"], key=lambda item: item["partner"]
    )
    nets = [int(item["net"].replace(".", "")) for item in operator["statements"]]
    assert int(operator["clearing"].replace(".", "")) == -sum(nets)
    mirrored = {item["line"]: item for item in all_lines}
    assert len(mirrored) == len(own) + len(other)
    for item in own + other:
        mine = dict(mirrored[item["line"]])
        assert mine.pop("amount") == _negative(item["amount"])
        assert (mine.pop("funder"), item["funder"]) in {
            (OURS, OURS),
            (THEIRS, THEIRS),
            (THEIRS, ""),
            ("", ""),
        }
        assert mine == {name: value for name, value in item.items() if name not in ("amount", "funder")}
    # The operator reads a partner's side byte for byte as the partner does.
    _, as_partner = pages(shop, shop.token, f"&partner={OURS}")
    assert as_partner == own


def _negative(text: str) -> str:
    return text.removeprefix("-") if text.startswith("-") or not text.strip("0.") else f"-{text}"


def test_cursors_and_periods_that_are_none(shop: Town) -> None:
    for query in (
        "?period=2026-13",
        "?period=march",
        "",
        "?period=2026-03&cursor=abc",
        "?period=2026-03&x=1",
    ):
        shop.get(f"/settlements{query}", token=shop.ours).problem(422, "malformed")
    empty = shop.get("/settlements?period=1990-01", token=shop.ours).json
    assert (empty["statements"], empty["lines"], empty["next"]) == ([], [], None)


def test_the_fast_paths_hold_partners_apart_too(shop: Town, served: Served) -> None:  # noqa: F811
    """The intake and the reads of the event loop, which do not pass through the operations."""
    ours = shop.ours
    good = line(OURS, "f1", shop.member)
    bad = line(THEIRS, "f2", shop.member)
    foreign = line(OURS, "f3", shop.member, source="till")
    status, _, told = served.call("POST", "/v1/activities", [good, bad, foreign], token=ours)
    assert status == 200
    assert [item.get("code", item["status"]) for item in told["results"]] == [
        "applied", "reserved_source", "reserved_source",
    ]  # fmt: skip
    assert "tier" not in told["results"][0]
    assert served.call("POST", "/v1/activities", bad, token=ours)[2]["code"] == "reserved_source"
    for tail in ("wallets", "expiry", "progress", "history"):
        for _ in range(3):
            status, _, found = served.call("GET", f"/v1/members/{shop.member}/{tail}", token=ours)
            assert (status, found["code"]) == (404, "unknown_address")
            assert served.call("GET", f"/v1/members/{shop.member}/{tail}")[0] == 200


# --- the command ------------------------------------------------------------------------------------------


def test_the_command_says_what_the_api_says(shop: Town) -> None:
    shop.sold(OURS, shop.ours, "=cmd|' /C calc'!A0")
    shop.sold(THEIRS, shop.theirs, "s2", amount="250.00")
    told = palier("settlement", "coalition", "--month", month(), "--format", "json")
    assert told.returncode == 0, told.stderr
    found = json.loads(told.stdout)
    operator, lines = pages(shop, shop.token)
    assert (found["statements"], found["clearing"], found["lines"]) == (
        operator["statements"], operator["clearing"], lines,
    )  # fmt: skip
    shown = palier("settlement", "coalition", "--month", month(), "--partner", OURS, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(shown.stdout)))
    assert [(row["id"], row["amount"], row["money"]) for row in rows] == [
        ("'=cmd|' /C calc'!A0", "4.40", "EUR")
    ]
    table = palier("settlement", "coalition", "--month", month(), "--language", "fr").stdout
    assert "grocer paie" in table
    assert "4,40 EUR" in table
    assert "L'opérateur reçoit en tout : 10,40 EUR" in table
    narrow = palier("settlement", "coalition", "--month", month(), COLUMNS="46").stdout
    assert "…" not in narrow
    assert found["statements"][0]["days"][0]["day"] in narrow
    for words, said in (
        (("--month", "2026-13"), "is no month"),
        (("--month", "2026-03", "--partner", "florist"), "its partners: chemist, grocer, station"),
    ):
        refused = palier("settlement", "coalition", *words)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert said in refused.stderr


def test_a_key_of_a_partner_is_made_for_a_partner_that_there_is(shop: Town) -> None:
    words = ("keys", "create", "coalition", "--name", "till", "--right", "all", "--partner")
    made = palier(*words, OURS)
    assert made.returncode == 0, made.stderr
    token = made.stdout.strip()
    assert shop.get(f"/settlements?period={month()}", token=token).status == 200
    shop.get("/programs", token=token).problem(404, "unknown_address")
    refused = palier(*words, "florist")
    assert refused.returncode == 2
    assert "has no partner" in refused.stderr
    assert "coalition/grocer" in palier("keys", "list").stdout


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"])
def test_no_text_is_taken_for_a_formula(start: str) -> None:
    """Nor in the file of a statement, nor in that of an import's refused lines, nor in that of a page's table."""
    for written in (plain_cell, files._safe, answers._safe):
        assert written(f"{start}A1+1") == f"'{start}A1+1"
        assert written(f"x{start}") == f"x{start}"


def test_a_partner_takes_the_vouchers_that_name_it(shop: Town) -> None:
    def issue(**settings: Any) -> dict[str, Any]:
        body = {"effect": {}, "member": shop.member, "origin": "campaign:secret", **settings}
        found: dict[str, Any] = shop.post("/vouchers", body).json
        return found

    ours, everybodys = issue(partner=OURS, max_uses=2), issue()
    body = {"code": ours["code"], "source": OURS, "id": "u1"}
    shown = shop.post("/vouchers/check", {"code": ours["code"]}, token=shop.ours)
    assert (shown.status, shown.json["uses_left"]) == (200, 2)
    assert (shown.json["member"], shown.json["origin"]) == (None, None)
    unknown = shop.post("/vouchers/check", {"code": everybodys["code"]}, token=shop.ours)
    unknown.problem(404, "unknown_voucher", "code")
    foreign = shop.post("/vouchers/use", {**body, "source": THEIRS}, token=shop.theirs)
    assert (foreign.status, foreign.content) == (404, unknown.content)
    shop.post("/vouchers/use", {**body, "source": THEIRS}, token=shop.ours).problem(422, "reserved_source")
    assert shop.post("/vouchers/use", body, token=shop.ours).status == 201
    given = {"voucher": ours["voucher"], "source": OURS, "id": "u1"}
    for voucher in (ours["voucher"], everybodys["voucher"], "v_none"):
        sent = {**given, "voucher": voucher, "source": THEIRS}
        shop.post("/vouchers/release", sent, token=shop.theirs).problem(404, "unknown_voucher", "voucher")
    assert shop.post("/vouchers/release", given, token=shop.ours).json["uses_left"] == 2
    for path in (f"/vouchers/{ours['voucher']}", "/pools"):
        shop.get(path, token=shop.ours).problem(404, "unknown_address")


def test_a_statement_that_would_lack_what_is_being_written_is_not_given(
    shop: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling, "WAIT_S", 0.05)
    shop.sold(OURS, shop.ours, "s1")
    first, lines = pages(shop, shop.ours)
    with database.connect("app") as writing:
        writing.execute(SHARE_JUDGING, {"program": shop.program_id})
        for path in ("/settlements", "/settlements/statement", "/settlements/lines"):
            problem = shop.get(f"{path}?period={month()}", token=shop.ours).problem(503, "try_again")
            assert "ask again in a moment" in problem["detail"]
        now = f"known_at={now_text()}"
        shop.get(f"/members/{shop.member}/wallets?{now}").problem(503, "try_again")
        # What was told is told again, and what is asked of no instant waits for nothing.
        again = pages(shop, shop.ours, f"&known_at={first['known_at']}")
        assert again == (first, lines)
        assert shop.get(f"/members/{shop.member}/wallets").status == 200
    assert pages(shop, shop.ours)[1] == lines
