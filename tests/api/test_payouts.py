"""Pay-outs as an integration sees them: accounts without their numbers, states, and no way round them."""

from __future__ import annotations

import pytest

from palier.activities.queries import redemption_ref
from palier.payouts import queries
from palier.site import database
from tests.api.paying import CASH, IBAN, Paying
from tests.api.shop import Shop, document


@pytest.fixture
def paying(shop: Shop) -> Paying:
    """The club, once it pays out."""
    written = document()
    written["point_currencies"].append(CASH)
    del written["effective_from"]
    assert shop.post("/programs/club/publish", written).status == 201
    return Paying(shop, shop.enrol())


def test_a_payout_step_by_step(paying: Paying) -> None:
    shop = paying.shop
    for state, before in (
        ("asked", "asked"),
        ("approved", "approved"),
        ("written", "in_file"),
        ("sent", "sent"),
    ):
        found = shop.get(f"/payouts/{paying.payouts[state]}").json
        assert (found["state"], found["amount"], found["to"]) == (before, "10.00", "DE … 3000")
        assert found["steps"][-1]["state"] == before
    listed = shop.get("/payouts?state=asked").json["payouts"]
    assert [item["payout"] for item in listed] == [paying.payouts["asked"]]
    sent = shop.get(f"/payout-batches/{paying.batches['sent']}").json
    assert (sent["state"], sent["total"], sent["payouts"]) == ("sent", "10.00", 1)
    assert len(sent["sha256"]) == 64
    inside = shop.get(f"/payouts?batch={paying.batches['sent']}").json["payouts"]
    assert [item["payout"] for item in inside] == [paying.payouts["sent"]]
    assert len(shop.get("/payout-batches").json["batches"]) == 3
    again = shop.post(f"/payouts/{paying.payouts['sent']}/returned", {"reason": "AC04"}, idempotency="r")
    assert (again.status, again.json["state"], again.json["reason"]) == (200, "returned", "AC04")
    member = again.json["member"]
    assert shop.wallet(member, "cash")["spendable"] == "20.00"
    shop.post(f"/payouts/{paying.payouts['sent']}/returned").problem(409, "payout_not_open")
    shop.post(f"/payouts/{paying.payouts['approved']}/cancel").problem(409, "payout_not_open")
    assert shop.post(f"/payout-batches/{paying.batches['approved']}/stop").json["state"] == "refused"
    assert shop.post(f"/payouts/{paying.payouts['approved']}/cancel").json["state"] == "refused"


def test_no_answer_tells_the_account(paying: Paying) -> None:
    shop = paying.shop
    for path in ("/payouts", "/payout-batches", "/approvals", f"/payouts/{paying.payouts['asked']}"):
        content = shop.get(path).content
        assert IBAN.encode() not in content, path
    member = shop.get(f"/payouts/{paying.payouts['asked']}").json["member"]
    found = shop.get(f"/members/{member}/bank-account")
    assert found.json == {"member": member, "country": "DE", "last4": "3000", "set_at": found.json["set_at"]}
    wrong = shop.call("PUT", f"/members/{member}/bank-account", {"iban": IBAN[:-1] + "1", "holder": "A"})
    wrong.problem(422, "invalid_iban", "iban")
    assert IBAN[:10].encode() not in wrong.content
    assert shop.call("DELETE", f"/members/{member}/bank-account").json["removed"] is True
    shop.get(f"/members/{member}/bank-account").problem(404, "unknown_bank_account")


def test_what_is_held_for_the_bank_is_nobody_elses(paying: Paying) -> None:
    """A pay-out's hold is a redemption that no other call captures, releases or refunds."""
    shop = paying.shop
    for state in ("asked", "sent"):
        ids = queries.decode_payout_ref(paying.payouts[state])
        assert ids is not None
        with database.connect("app") as connection:
            found = queries.read(connection, shop.program_id, *ids)
        assert found is not None
        assert found.hold_activity_id is not None
        ref = redemption_ref(found.member_id, found.hold_activity_id)
        for verb in ("capture", "release", "refund"):
            shop.post(f"/redemptions/{ref}/{verb}", {}).problem(422, "reserved_source", "redemption")


def test_what_is_refused(paying: Paying) -> None:
    shop = paying.shop
    member = shop.enrol("poor")
    body = {"member": member, "currency": "cash", "points": "5"}
    shop.post("/payouts", body).problem(422, "no_bank_account", "member")
    shop.call("PUT", f"/members/{member}/bank-account", {"iban": IBAN, "holder": "Ann"})
    shop.post("/payouts", body).problem(422, "below_threshold", "points")
    shop.post("/payouts", {**body, "points": "10"}).problem(422, "insufficient_points", "points")
    shop.post("/payouts", {**body, "currency": "stars"}).problem(422, "not_cash", "currency")
    shop.post("/payouts", {**body, "source": "palier:payouts"}).problem(422, "reserved_source", "source")
    shop.get("/payouts/x.y").problem(404, "unknown_payout")
    shop.get("/payout-batches/pb_0000000000000").problem(404, "unknown_batch")
    shop.post("/payout-batches/pb_0000000000000/sent").problem(404, "unknown_batch")
    shop.post("/payout-batches", {"method": "csv"}).problem(422, "nothing_to_pay")
    shop.post(f"/payout-batches/{paying.batches['approved']}/sent").problem(409, "batch_not_open")
