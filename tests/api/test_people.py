"""Referral codes, pairs, merges and households."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.shop import Shop, document

PAIRS = {
    "key": "duo",
    "name": {"en": "Duo", "fr": "Duo"},
    "of": "pair",
    "zone": "program",
    "on": ["sale"],
}
REFERRAL = {
    "referrer": [{"currency": "stars", "points": "100"}],
    "friend": [{"currency": "stars", "points": "50"}],
}


@pytest.fixture
def club(database: str) -> Shop:
    return Shop("club", {**document("club"), "streaks": [PAIRS], "referral": REFERRAL})


def enrol(club: Shop, code: str | None = None, **identities: str) -> Any:
    body: dict[str, Any] = {"identities": identities}
    if code is not None:
        body["referred_by"] = code
    return club.post("/members", body)


def test_a_code_brings_a_friend_and_ones_own_is_refused(club: Shop) -> None:
    who = enrol(club, email="ann@example.org").json["member"]
    made = club.post(f"/members/{who}/referral-code")
    again = club.post(f"/members/{who}/referral-code")
    assert (made.status, again.status, made.json) == (201, 200, again.json)
    code = made.json["code"]
    assert made.json["link"] == f"/join/club/{code}"
    friend = enrol(club, code.lower(), email="bob@example.org")
    assert (friend.status, friend.json["referral"]) == (201, {"status": "recorded", "why": None})
    doubtful = enrol(club, code, email="bob+1@example.org")
    assert doubtful.json["referral"] == {"status": "not_recorded", "why": "mailbox_known"}
    enrol(club, code, email="ann+1@example.org").problem(422, "self_referral", "referred_by")
    enrol(club, "2222222X", card="7").problem(422, "unknown_referral_code", "referred_by")
    club.get("/members?card=7").problem(404, "unknown_member")
    own = club.post(f"/members/{friend.json['member']}/referral-code").json["code"]
    enrol(club, own, email="ann@example.org").problem(422, "referral_ring", "referred_by")
    assert "referral" not in enrol(club, card="8").json


def test_pairs_begin_and_end(club: Shop) -> None:
    one, other = club.enrol("1"), club.enrol("2")
    body = {"streak": "duo", "with": other}
    made = club.post(f"/members/{one}/pairs", body, idempotency="p")
    assert (made.status, made.json) == (
        201, {"member": one, "with": other, "streak": "duo", "status": "paired"},
    )  # fmt: skip
    assert club.post(f"/members/{one}/pairs", body, idempotency="p").json == made.json
    club.post(f"/members/{one}/pairs", body).problem(422, "already_paired")
    club.post(f"/members/{one}/pairs", {**body, "with": one}).problem(422, "same_member")
    club.post(f"/members/{one}/pairs", {**body, "streak": "solo"}).problem(422, "unknown_streak")
    assert club.call("DELETE", f"/members/{other}/pairs", {"streak": "duo", "with": one}).json["status"] == (
        "ended"
    )
    club.call("DELETE", f"/members/{one}/pairs", body).problem(422, "not_paired")


def test_a_merge_moves_everything_and_is_undone(club: Shop) -> None:
    one, other = club.enrol("1"), club.enrol("2")
    club.sale(one, "10.00")
    club.sale(other, "20.00")
    body = {"from": other, "reason": "enrolled twice"}
    weak = club.new_key(["members:read", "members:write", "points:write"]).token
    club.post(f"/members/{one}/merge", body, token=weak).problem(403, "forbidden")
    before = {who: club.wallet(who)["spendable"] for who in (one, other)}
    made = club.post(f"/members/{one}/merge", body)
    assert (made.status, made.json["member"], made.json["merged"], made.json["status"]) == (
        201, one, other, "merged",
    )  # fmt: skip
    assert club.post(f"/members/{one}/merge", body).status == 200
    read = club.get(f"/members/{other}").json
    assert (read["status"], read["merged_into"]) == ("merged", one)
    assert club.get("/members?card=2").json["member"] == one
    assert [float(club.wallet(who)["spendable"]) for who in (one, other)] == [
        sum(float(points) for points in before.values()), 0,
    ]  # fmt: skip
    club.call("PATCH", f"/members/{other}", {"status": "frozen"}).problem(422, "member_merged")
    redeemed = club.post("/redemptions", {"member": other, "currency": "stars", "points": "5"})
    assert (redeemed.status, redeemed.json["member"]) == (201, one)
    history = club.get(f"/members/{one}/history").json["lines"]
    assert any(line["type"] == "merge_in" for line in history)
    undone = club.post(f"/members/{other}/unmerge", {"reason": "twins"})
    assert (undone.status, undone.json["status"]) == (200, "undone")
    assert club.wallet(other)["spendable"] == before[other]
    assert club.get(f"/members/{other}").json["status"] == "active"
    club.post(f"/members/{other}/unmerge", {"reason": "twins"}).problem(422, "not_merged")
    club.post(f"/members/{one}/merge", {"from": one, "reason": "x"}).problem(422, "same_member")
    number = "4111 1111 1111 1111"
    club.post(f"/members/{one}/merge", {"from": other, "reason": number}).problem(422, "payment_card_number")


def test_a_household_takes_persons_in_and_lets_them_go(club: Shop) -> None:
    home, other = club.enrol("1"), club.enrol("2")
    club.sale(other, "20.00")
    body = {"identities": {"card": "2", "email": "kid@example.org"}, "reason": "family"}
    joined = club.post(f"/members/{home}/persons", body)
    assert (joined.status, joined.json) == (200, {"member": home, "identities": 1, "merged": [other]})
    left = club.post(f"/members/{home}/persons/leave", {**body, "reason": "moved out"})
    assert left.status == 201
    assert left.json["member"] not in (home, other)
    assert club.get("/members?card=2").json["member"] == left.json["member"]
    assert club.wallet(left.json["member"])["spendable"] == club.wallet(other)["spendable"]
    last = {"identities": {"card": "1"}, "reason": "all"}
    club.post(f"/members/{home}/persons/leave", last).problem(422, "same_member", "identities")
    bad = {"identities": {"email": "nobody"}, "reason": "x"}
    club.post(f"/members/{home}/persons", bad).problem(422, "invalid_identity")
