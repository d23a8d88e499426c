"""Adjustments within limits and approvals by a second person, as integrations and staff see them."""

from __future__ import annotations

from typing import Any

import pytest

from palier.engine.clock import DAY
from palier.site import clock
from palier.staff import queries, session
from tests.api.shop import Shop, document

HAND: dict[str, Any] = {
    "reasons": [{"key": "goodwill", "name": {"en": "Goodwill", "fr": "Geste commercial"}}],
    "limits": [{"currency": "stars", "approval_above": "10.00", "at_once": "20.00"}],
}


@pytest.fixture
def desk(shop: Shop) -> Shop:
    """The club, whose staff give up to 10.00 stars alone and 20.00 at once."""
    made = document(adjustments=HAND)
    del made["effective_from"]
    assert shop.post("/programs/club/publish", made).status == 201
    return shop


def key_of(shop: Shop, name: str) -> str:
    return shop.new_key(name=name).token


def body(member: str, points: str, **more: Any) -> dict[str, Any]:
    return {
        "member": member, "currency": "stars", "points": points, "reason": "broken cup",
        "reason_code": "goodwill", **more,
    }  # fmt: skip


def test_above_the_limit_by_two_keys(desk: Shop) -> None:
    member = desk.enrol()
    ann, ben = key_of(desk, "ann"), key_of(desk, "ben")
    done = desk.post("/adjustments", body(member, "10.00"), token=ann)
    assert (done.status, done.json["spendable"], done.json["reason_code"]) == (201, "10.00", "goodwill")
    asked = desk.post("/adjustments", body(member, "10.01", id="big"), token=ann, idempotency="k1")
    assert (asked.status, asked.json["state"], asked.json["kind"]) == (202, "asked", "adjustment")
    assert asked.json["details"]["points"] == "10.01"
    assert asked.json["asked_name"] == "ann"
    ref = asked.json["approval"]
    again = desk.post("/adjustments", body(member, "10.01", id="big"), token=ann, idempotency="k1")
    assert (again.content, again.headers["Idempotency-Replayed"]) == (asked.content, "true")
    assert desk.wallet(member)["spendable"] == "10.00"
    desk.post(f"/approvals/{ref}/approve", {}, token=ann).problem(403, "same_person")
    desk.post(f"/approvals/{ref}/approve", {}, token=key_of(desk, "ANN")).problem(403, "same_person")
    waiting = desk.get("/approvals?state=asked", token=ben).json["approvals"]
    assert [item["approval"] for item in waiting] == [ref]
    found = desk.post(f"/approvals/{ref}/approve", {"reason": "seen"}, token=ben, idempotency="k2")
    assert (found.status, found.json["state"], found.json["decision"]) == (200, "approved", "seen")
    assert desk.post(
        f"/approvals/{ref}/approve", {"reason": "seen"}, token=ben, idempotency="k2"
    ).content == (found.content)
    assert desk.wallet(member)["spendable"] == "20.01"
    desk.post(f"/approvals/{ref}/refuse", token=ben).problem(409, "approval_decided")
    assert desk.get(f"/approvals/{ref}", token=ben).json["decided_by"].startswith("key:")
    assert desk.get("/approvals?state=asked", token=ben).json["approvals"] == []
    known = desk.post("/adjustments", body(member, "10.01", id="big"), token=ann)
    assert (known.status, known.json["points"]) == (201, "10.01")


def test_what_is_refused(desk: Shop) -> None:
    member = desk.enrol()
    desk.post("/adjustments", body(member, "20.01")).problem(422, "cap_reached", "points")
    desk.post("/adjustments", body(member, "1", reason_code="gift")).problem(
        422, "unknown_reason", "reason_code"
    )
    desk.get("/approvals/ap_0000000000000").problem(404, "unknown_approval")
    desk.get("/approvals/x").problem(404, "unknown_approval")
    desk.post("/approvals/ap_0000000000000/approve").problem(404, "unknown_approval")
    asked = desk.post("/adjustments", body(member, "15")).json["approval"]
    desk.post(f"/approvals/{asked}/refuse", {"reason": "4111 1111 1111 1111"}).problem(
        422, "payment_card_number", "reason"
    )
    desk.get("/approvals?cursor=x").problem(422, "malformed", "cursor")


def test_its_time_is_over(desk: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = desk.post("/adjustments", body(desk.enrol(), "15")).json["approval"]
    ben = key_of(desk, "ben")
    monkeypatch.setattr(clock, "offset", lambda: 7 * DAY + 1)
    queries.forget_keys()
    session.close()
    assert desk.get(f"/approvals/{asked}").json["state"] == "expired"
    assert [item["state"] for item in desk.get("/approvals?state=expired").json["approvals"]] == ["expired"]
    desk.post(f"/approvals/{asked}/approve", token=ben).problem(409, "approval_decided")


def test_pages(desk: Shop) -> None:
    member = desk.enrol()
    made = [desk.post("/adjustments", body(member, "15", id=f"a{n}")).json["approval"] for n in range(5)]
    seen, cursor = [], ""
    for _ in range(3):
        page = desk.get(f"/approvals?limit=2{cursor}").json
        seen += [item["approval"] for item in page["approvals"]]
        cursor = f"&cursor={page['next']}"
    assert (seen, page["next"]) == (made[::-1], None)


def test_the_history_names_the_reason(desk: Shop) -> None:
    member = desk.enrol()
    desk.post("/adjustments", body(member, "5"))
    told = desk.get(f"/members/{member}/history").json["lines"][0]["sentence"]
    assert "Goodwill" in told["en"]
    assert "Geste commercial" in told["fr"]
