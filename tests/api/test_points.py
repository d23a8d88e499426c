"""Commands on points: redeeming, holding, adjusting, transferring, and calls that are repeated."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from palier.engine.clock import DAY
from palier.site import clock, database
from palier.staff import session
from palier.staff.operations import ANSWERS_KEPT_FOR, drop_old_answers
from tests.api.shop import Answered, Shop, document, now_text

BAD_POINTS: list[object] = [
    *("0", "0.00", "-1", "+1", "1e3", "1,5", " 1", "1.", ".5", "١٢", "１２", "NaN", "Infinity", "", "9" * 21),
    *(True, None, [], {}, -5, 10**20, 1e300, "10000000000000.01"),
]


@pytest.fixture
def rich(shop: Shop, member: str) -> str:
    """A member with 100 stars."""
    shop.sale(member, "100")
    return member


def _spend(member: str, points: object = "30", **more: object) -> dict[str, object]:
    return {"member": member, "currency": "stars", "points": points, **more}


def test_points_are_redeemed_at_once(shop: Shop, rich: str) -> None:
    made = shop.post("/redemptions", _spend(rich, "30.5"))
    assert made.status == 201
    assert (made.json["points"], made.json["status"], made.json["captured"]) == ("30.50", "captured", "30.50")
    assert shop.get(f"/redemptions/{made.json['redemption']}").json == made.json
    assert shop.wallet(rich)["spendable"] == "69.50"


@pytest.mark.parametrize("points", [12, 12.5, "12.50", "12.500000"])
def test_numbers_are_read_exactly(shop: Shop, rich: str, points: object) -> None:
    made = shop.post("/redemptions", _spend(rich, points))
    assert made.json["points"] == ("12.00" if points == 12 else "12.50")


def test_a_number_never_becomes_a_binary_fraction(shop: Shop, rich: str) -> None:
    """0.1 + 0.2, and a number with more digits than a binary fraction holds."""
    raw = f'{{"member": "{rich}", "currency": "stars", "points": 9.1000000}}'.encode()
    shop.post("/redemptions", raw=raw).problem(422, "malformed", "points")
    raw = f'{{"member": "{rich}", "currency": "stars", "points": 9.100000}}'.encode()
    assert shop.post("/redemptions", raw=raw).json["points"] == "9.10"
    raw = f'{{"member": "{rich}", "currency": "stars", "points": 9.109999}}'.encode()
    shop.post("/redemptions", raw=raw).problem(422, "invalid_amount", "points")


@pytest.mark.parametrize("points", BAD_POINTS)
def test_bad_points(shop: Shop, rich: str, points: object) -> None:
    found = shop.post("/redemptions", _spend(rich, points))
    assert found.status in (400, 422), found.content
    assert found.json["code"] in ("malformed", "invalid_amount")
    assert shop.wallet(rich)["spendable"] == "100.00"


def test_a_hold_is_captured(shop: Shop, rich: str) -> None:
    made = shop.post("/redemptions", _spend(rich, capture=False, hold_minutes=5)).json
    assert (made["status"], made["captured"]) == ("open", "0.00")
    wallet = shop.wallet(rich)
    assert (wallet["spendable"], wallet["held"], wallet["posted"]) == ("70.00", "30.00", "100.00")
    path = f"/redemptions/{made['redemption']}"
    shop.post(f"{path}/capture", {"points": "30.01"}).problem(422, "insufficient_points", "points")
    done = shop.post(f"{path}/capture", {"points": "20"}).json
    assert (done["status"], done["captured"]) == ("captured", "20.00")
    assert shop.wallet(rich)["spendable"] == "80.00"
    shop.post(f"{path}/capture", {}).problem(422, "hold_closed", "hold")
    shop.post(f"{path}/release", {}).problem(422, "hold_closed", "hold")


def test_a_hold_is_released_or_expires(shop: Shop, rich: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = shop.post("/redemptions", _spend(rich, capture=False)).json
    assert shop.post(f"/redemptions/{made['redemption']}/release").json["status"] == "released"
    made = shop.post("/redemptions", _spend(rich, capture=False, hold_minutes=1)).json
    monkeypatch.setattr(clock, "offset", lambda: 61_000_000)
    assert shop.get(f"/redemptions/{made['redemption']}").json["status"] == "expired"
    assert shop.wallet(rich)["spendable"] == "100.00"
    shop.post(f"/redemptions/{made['redemption']}/capture", {}).problem(422, "hold_closed")
    assert shop.get(f"/redemptions/{made['redemption']}").json["status"] == "expired"


def test_a_redemption_that_is_no_hold_cannot_be_captured(shop: Shop, rich: str) -> None:
    made = shop.post("/redemptions", _spend(rich)).json
    shop.post(f"/redemptions/{made['redemption']}/capture", {}).problem(422, "hold_closed")


def test_part_payment_in_points_comes_back(shop: Shop, rich: str) -> None:
    redeemed = shop.post("/redemptions", _spend(rich, "40")).json
    sale = {
        "source": "till",
        "id": "paid",
        "type": "sale",
        "occurred_at": now_text(),
        "member": rich,
        "amount": "10",
        "tenders": [
            {
                "kind": "points",
                "amount": "10",
                "redemption": {"source": redeemed["source"], "id": redeemed["id"]},
            }
        ],
    }
    assert shop.post("/activities", sale).status == 200
    back = {"source": "till", "id": "back", "type": "return", "occurred_at": now_text(),
            "sale": {"source": "till", "id": "paid"}, "whole": True}  # fmt: skip
    assert shop.post("/activities", back).status == 200
    assert shop.wallet(rich)["spendable"] == "100.00"


def test_points_are_refunded_in_parts(shop: Shop, rich: str) -> None:
    made = shop.post("/redemptions", _spend(rich, "30.5")).json
    assert made["refunded"] == "0.00"
    path = f"/redemptions/{made['redemption']}"
    part = shop.post(f"{path}/refund", {"points": "10.25", "reason": "one of two was sold out"})
    assert (part.status, part.json["refunded"], part.json["status"]) == (200, "10.25", "captured")
    assert shop.wallet(rich)["spendable"] == "79.75"
    shop.post(f"{path}/refund", {"points": "20.26"}).problem(422, "refund_does_not_fit", "points")
    rest = shop.post(f"{path}/refund", {}, idempotency="rest")
    assert rest.json["refunded"] == "30.50"
    again = shop.post(f"{path}/refund", {}, idempotency="rest")
    assert (again.status, again.json) == (200, rest.json)
    shop.post(f"{path}/refund", {}).problem(422, "refund_does_not_fit", "points")
    assert shop.wallet(rich)["spendable"] == "100.00"
    assert shop.get(path).json == rest.json


def test_a_hold_is_refunded_once_it_is_captured(shop: Shop, rich: str) -> None:
    made = shop.post("/redemptions", _spend(rich, capture=False)).json
    path = f"/redemptions/{made['redemption']}"
    shop.post(f"{path}/refund", {}).problem(422, "refund_does_not_fit", "redemption")
    shop.post(f"{path}/capture", {"points": "20"})
    shop.post(f"{path}/refund", {"points": "20.01"}).problem(422, "refund_does_not_fit", "points")
    assert shop.post(f"{path}/refund", {"points": "5"}).json["refunded"] == "5.00"
    assert shop.post(f"{path}/refund", {}).json["refunded"] == "20.00"
    assert shop.wallet(rich)["spendable"] == "100.00"


def test_what_paid_a_sale_is_not_refunded(shop: Shop, rich: str) -> None:
    redeemed = shop.post("/redemptions", _spend(rich, "40")).json
    named = {"source": redeemed["source"], "id": redeemed["id"]}
    sale = {"source": "till", "id": "paid", "type": "sale", "occurred_at": now_text(), "member": rich,
            "amount": "10", "tenders": [{"kind": "points", "amount": "10", "redemption": named}]}  # fmt: skip
    assert shop.post("/activities", sale).status == 200
    path = f"/redemptions/{redeemed['redemption']}/refund"
    shop.post(path, {}).problem(422, "redemption_already_used", "redemption")
    assert shop.wallet(rich)["spendable"] == "60.00"


def test_refunds_of_one_redemption_at_once_give_it_back_once(shop: Shop, rich: str) -> None:
    """Twenty ask for a part that fits three times; each under an id of its own."""
    made = shop.post("/redemptions", _spend(rich, "30")).json
    path = f"/redemptions/{made['redemption']}/refund"
    with ThreadPoolExecutor(8) as pool:
        statuses = Counter(
            found.status for found in pool.map(lambda _: shop.post(path, {"points": "9"}), range(20))
        )
    assert statuses == {200: 3, 422: 17}
    assert shop.wallet(rich)["spendable"] == "97.00"


def test_adjustments(shop: Shop, rich: str) -> None:
    made = shop.post("/adjustments", {**_spend(rich, "12.5"), "reason": "late parcel", "actor": "ann"})
    assert (made.status, made.json["points"], made.json["spendable"]) == (201, "12.50", "112.50")
    taken = shop.post("/adjustments", {**_spend(rich, "-112.5"), "reason": "error"})
    assert (taken.json["spendable"], taken.json["actor"][:4]) == ("0.00", "key:")
    shop.post("/adjustments", {**_spend(rich, "-0.01"), "reason": "error"}).problem(
        422, "insufficient_points"
    )
    shop.post("/adjustments", _spend(rich, "1")).problem(422, "malformed", "reason")
    shop.post("/adjustments", {**_spend(rich, "-0"), "reason": "x"}).problem(422, "invalid_amount")
    line = shop.get(f"/members/{rich}/history").json["lines"][1]
    assert (line["type"], line["trace"]["reason"]) == ("adjust", "late parcel")
    with database.connect("auditor") as connection:
        rows = connection.execute("select action, object from audit.log order by seq").fetchall()
    assert rows[-2:] == [("points.adjust", rich)] * 2


def test_transfers(shop: Shop, rich: str) -> None:
    other = shop.enrol("other")
    body = {"from": rich, "to": other, "currency": "stars", "points": "60"}
    made = shop.post("/transfers", body)
    assert (made.status, made.json["spendable"]) == (201, "40.00")
    mine, theirs = shop.wallet(rich), shop.wallet(other)
    assert (mine["spendable"], theirs["spendable"]) == ("40.00", "60.00")
    assert theirs["lots"][0]["expires_at"] == mine["lots"][0]["expires_at"]
    shop.post("/transfers", body).problem(422, "insufficient_points", "points")
    shop.post("/transfers", {**body, "to": rich}).problem(422, "same_member", "to")
    shop.post("/transfers", {**body, "to": "m_0000000000000"}).problem(404, "unknown_member", "to")
    shop.post("/transfers", {**body, "currency": "gifts", "points": "1"}).problem(422, "not_transferable")
    shop.call("PATCH", f"/members/{other}", {"status": "frozen"})
    shop.post("/transfers", {**body, "points": "1"}).problem(422, "member_not_active", "to")
    assert shop.wallet(rich)["spendable"] == "40.00"
    with database.connect("auditor") as connection:
        row = connection.execute(
            "select coalesce(sum(amount), 0) from audit.posting where account = 'in_transit'"
        ).fetchone()
    assert row == (0,)


THREADS = 25
"""As many at once as the database has connections to spare."""


def _together(count: int, work: Callable[[int], Answered]) -> list[Answered]:
    """The same work many times over from threads that begin at once, each on a connection of its own."""
    threads = min(count, THREADS)
    gate = threading.Barrier(threads)

    def one(first: int) -> list[Answered]:
        try:
            gate.wait()
            return [work(number) for number in range(first, count, threads)]
        finally:
            session.close()

    with ThreadPoolExecutor(threads) as pool:
        return [answer for answers in pool.map(one, range(threads)) for answer in answers]


def test_transfers_to_and_fro_at_once(shop: Shop, rich: str) -> None:
    other = shop.enrol("other")
    shop.sale(other, "100")

    def work(number: int) -> Answered:
        pair = (rich, other) if number % 2 else (other, rich)
        body = {"from": pair[0], "to": pair[1], "currency": "stars", "points": "7"}
        return shop.post("/transfers", body)

    for _ in range(3):
        answers = _together(16, work)
        assert {answer.status for answer in answers} <= {201, 422}, [a.content for a in answers]
    total = sum(float(shop.wallet(ref)["spendable"]) for ref in (rich, other))
    assert total == 200


def test_no_more_is_spent_than_there_is(shop: Shop, rich: str) -> None:
    answers = _together(50, lambda _: shop.post("/redemptions", _spend(rich, "30")))
    statuses = Counter(answer.status for answer in answers)
    assert statuses == {201: 3, 422: 47}
    assert shop.wallet(rich)["spendable"] == "10.00"


# --- repeated calls ---------------------------------------------------------------------------------------


def test_a_repeated_call_gets_the_same_answer(shop: Shop, rich: str) -> None:
    first = shop.post("/redemptions", _spend(rich), idempotency="k1")
    again = shop.post("/redemptions", _spend(rich), idempotency="k1")
    assert (first.status, first.content) == (again.status, again.content)
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert shop.wallet(rich)["spendable"] == "70.00"
    other = shop.post("/redemptions", _spend(rich, "31"), idempotency="k1")
    other.problem(422, "idempotency_key_reused", "Idempotency-Key")
    assert shop.wallet(rich)["spendable"] == "70.00"


def test_definite_refusals_are_repeated_and_others_are_not(shop: Shop, member: str) -> None:
    poor = shop.post("/redemptions", _spend(member), idempotency="k1")
    poor.problem(422, "insufficient_points")
    unknown = shop.post("/redemptions", _spend("m_0000000000000"), idempotency="k2")
    unknown.problem(404, "unknown_member")
    shop.sale(member, "100")
    again = shop.post("/redemptions", _spend(member), idempotency="k1")
    assert (again.status, again.content, again.kind) == (poor.status, poor.content, poor.kind)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert shop.post("/redemptions", _spend(member), idempotency="k3").status == 201
    with database.connect("app") as connection:
        rows = connection.execute("select key from idempotency_key order by key").fetchall()
    assert rows == [("k1",), ("k3",)]


def test_a_key_is_of_one_caller_and_call(shop: Shop, rich: str) -> None:
    token = shop.new_key().token
    bodies = [
        shop.post("/redemptions", _spend(rich), idempotency="same", token=t) for t in (shop.token, token)
    ]
    assert [body.status for body in bodies] == [201, 201]
    assert bodies[0].json["redemption"] != bodies[1].json["redemption"]
    adjusted = shop.post("/adjustments", {**_spend(rich, "1"), "reason": "x"}, idempotency="same")
    adjusted.problem(422, "idempotency_key_reused", "Idempotency-Key")
    held = shop.post("/redemptions", {**_spend(rich, "1"), "capture": False}).json["redemption"]
    shop.post(f"/redemptions/{held}/release", idempotency="same").problem(422, "idempotency_key_reused")
    assert shop.wallet(rich)["spendable"] == "39.00"


@pytest.mark.parametrize("key", ["", "é", "x" * 256])
def test_bad_idempotency_keys(shop: Shop, rich: str, key: str) -> None:
    shop.post("/redemptions", _spend(rich), idempotency=key).problem(422, "malformed", "Idempotency-Key")


def test_a_hundred_identical_calls(shop: Shop, rich: str) -> None:
    answers = _together(100, lambda _: shop.post("/redemptions", _spend(rich), idempotency="hundred"))
    statuses = Counter(answer.status for answer in answers)
    assert set(statuses) <= {201, 409}, statuses
    made = [answer for answer in answers if answer.status == 201]
    assert len({answer.content for answer in made}) == 1
    assert sum("Idempotency-Replayed" not in answer.headers for answer in made) == 1
    for answer in answers:
        if answer.status == 409:
            answer.problem(409, "in_flight", "Idempotency-Key")
            assert answer.headers["Retry-After"] == "1"
    assert shop.wallet(rich)["spendable"] == "70.00"
    last = shop.post("/redemptions", _spend(rich), idempotency="hundred")
    assert last.content == made[0].content


def test_a_hundred_identical_commands_by_their_own_id(shop: Shop, rich: str) -> None:
    answers = _together(100, lambda _: shop.post("/redemptions", _spend(rich, source="pos", id="1")))
    assert Counter(answer.status for answer in answers) == {201: 100}
    assert len({answer.content for answer in answers}) == 1
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1
    assert shop.wallet(rich)["spendable"] == "70.00"
    shop.post("/redemptions", _spend(rich, "1", source="pos", id="1")).problem(422, "content_differs", "id")


def test_holds_and_transfers_by_their_own_id(shop: Shop, rich: str) -> None:
    other = shop.enrol("other")
    for path, body in (
        ("/redemptions", _spend(rich, capture=False, hold_minutes=9, id="h")),
        ("/transfers", {"from": rich, "to": other, "currency": "stars", "points": "50", "id": "t"}),
        ("/adjustments", {**_spend(rich, "3"), "reason": "x", "id": "a"}),
    ):
        first, again = shop.post(path, body), shop.post(path, body)
        assert (first.status, first.content) == (201, again.content)
        assert again.status == 201
    assert shop.wallet(rich)["spendable"] == "23.00"
    assert shop.wallet(other)["spendable"] == "50.00"


def test_an_effect_and_its_answer_are_one(shop: Shop, rich: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails after the effect and before the commit leaves neither."""
    from palier.api import points

    def fail(*_: Any, **__: Any) -> Any:
        raise psycopg.OperationalError("planted")

    with monkeypatch.context() as patch:
        patch.setattr(points, "_redeemed", fail)
        found = shop.post("/redemptions", _spend(rich), idempotency="k")
        found.problem(503, "unavailable")
        assert found.headers["Retry-After"] == "1"
    assert shop.wallet(rich)["spendable"] == "100.00"
    assert shop.post("/redemptions", _spend(rich), idempotency="k").status == 201


def test_a_defect_says_nothing_of_the_inside(shop: Shop, rich: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from palier.api import points

    def fail(*_: Any, **__: Any) -> Any:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(points, "_redeemed", fail)
    found = shop.post("/redemptions", _spend(rich), idempotency="k")
    found.problem(500, "defect")
    assert b"secret" not in found.content
    assert shop.wallet(rich)["spendable"] == "100.00"


def test_answers_are_forgotten_after_a_month(shop: Shop, rich: str) -> None:
    shop.post("/redemptions", _spend(rich), idempotency="k")
    with database.connect("app") as connection:
        assert drop_old_answers(connection, now=clock.now() + ANSWERS_KEPT_FOR - DAY) == 0
        assert drop_old_answers(connection, now=clock.now() + ANSWERS_KEPT_FOR + DAY) == 1
        connection.commit()
    # The command's own id does not lapse: the same call is still not applied twice.
    again = shop.post("/redemptions", _spend(rich), idempotency="k")
    assert (again.status, again.headers["Idempotency-Replayed"]) == (201, "true")
    assert shop.wallet(rich)["spendable"] == "70.00"


@pytest.mark.parametrize("source", ["palier", "palier:x", "api:somebodyelse"])
def test_reserved_sources(shop: Shop, rich: str, source: str) -> None:
    shop.post("/redemptions", _spend(rich, source=source)).problem(422, "reserved_source", "source")


def test_refusals_of_what_is_named(shop: Shop, rich: str) -> None:
    shop.post("/redemptions", _spend("nobody")).problem(404, "unknown_member", "member")
    shop.post("/redemptions", {**_spend(rich), "currency": "moons"}).problem(
        404, "unknown_point_currency", "currency"
    )
    shop.post("/redemptions", _spend(rich, hold_minutes=5)).problem(422, "malformed", "hold_minutes")
    shop.get("/redemptions/nothing").problem(404, "unknown_redemption")
    shop.post("/redemptions/m_0000000000000.0000000000000/capture", {}).problem(404, "unknown_redemption")
    shop.post("/redemptions", {**_spend(rich), "extra": 1}).problem(422, "malformed", "extra")


def test_another_programs_member_does_not_exist(shop: Shop, rich: str) -> None:
    other = Shop("other", document("other"))
    known, unknown = other.get(f"/members/{rich}"), other.get("/members/m_0000000000000")
    known.problem(404, "unknown_member")
    assert known.content == unknown.content


def test_a_line_that_brings_more_points_than_can_be_kept_is_refused_and_no_other(database: str) -> None:
    changes = document()
    changes["point_currencies"][0]["scale"] = 6
    changes["rules"][0]["per_spend"] = {"points": "1000000", "every": "1.00"}
    shop = Shop("vast", {**changes, "key": "vast"})
    ref, other = shop.enrol(), shop.enrol("other")
    lines = [
        {"source": "till", "id": f"{number}", "type": "sale", "occurred_at": now_text(), "member": member,
         "amount": amount}
        for number, (member, amount) in enumerate(
            [(ref, "1.00"), (ref, "99999999999.99"), (ref, "2.00"), (other, "99999999999.99"), (other, "3.00")]
        )
    ]  # fmt: skip
    for path, again in (
        ("/activities?dry_run=true", "applied"),
        ("/activities", "applied"),
        ("/activities", "duplicate"),
    ):
        told = shop.post(path, lines).json["results"]
        assert [item["status"] for item in told] == [again, "refused", again, "refused", again]
        assert [(item["id"], item["code"], item["field"]) for item in told if "code" in item] == [
            ("1", "invalid_amount", "amount"), ("3", "invalid_amount", "amount"),
        ]  # fmt: skip
    assert [shop.wallet(each)["spendable"] for each in (ref, other)] == ["3000000.000000", "3000000.000000"]


def test_a_wallet_holds_so_much_and_what_would_bring_more_is_refused(database: str) -> None:
    """By many sales as by one, and by what staff give."""
    changes = document()
    changes["point_currencies"][0]["scale"] = 6
    changes["rules"][0]["per_spend"] = {"points": "1000000", "every": "1.00"}
    shop = Shop("vast", {**changes, "key": "vast"})
    ref, other = shop.enrol(), shop.enrol("other")

    def sale(number: str, member: str, amount: str) -> dict[str, str]:
        return {"source": "till", "id": number, "type": "sale", "occurred_at": now_text(), "member": member,
                "amount": amount}  # fmt: skip

    sales = [sale("1", ref, "600"), sale("2", ref, "300"), sale("3", ref, "200"), sale("4", other, "1000.01")]
    told = shop.post("/activities", sales).json["results"]
    assert [(item["status"], item.get("code")) for item in told] == [
        ("applied", None), ("applied", None), ("refused", "invalid_amount"), ("refused", "invalid_amount"),
    ]  # fmt: skip
    told = shop.post("/activities", [sale("5", ref, "100"), sale("6", ref, "2")]).json["results"]
    assert [item["status"] for item in told] == ["applied", "refused"]
    gift = {"member": ref, "currency": "stars", "points": "2000000", "reason": "gift"}
    shop.post("/adjustments", gift).problem(422, "invalid_amount", "amount")
    assert shop.wallet(ref)["spendable"] == "1000000000.000000"
