"""Reads: wallets at any instant as known at any other, expiry, tier, history, activities, members."""

from __future__ import annotations

import random
from itertools import count
from typing import Any

import pytest
from psycopg import Connection

from palier.activities import batch
from palier.activities.due import advance_all
from palier.activities.queries import wallets
from palier.activities.runtime import runtime
from palier.engine.clock import DAY, HOUR, instant, moment
from palier.ledger.queries import holdings
from palier.site import clock, database
from tests.api.shop import Shop, document, member_id, now_text


def test_a_sale_is_in_the_wallet(shop: Shop, member: str) -> None:
    answer = shop.sale(member, "42.10")
    assert answer["status"] == "applied"
    assert answer["points"] == {"stars": "42.10"} or answer["points"] == {"stars": "42.00"}, answer
    wallet = shop.wallet(member)
    assert wallet["spendable"] == answer["points"]["stars"] == wallet["posted"]
    assert (wallet["pending"], wallet["held"], wallet["debt"]) == ("0.00", "0.00", "0.00")
    assert len(wallet["lots"]) == 1
    assert shop.wallet(member, "gifts")["lots"] == []


def test_pending_points_are_released_when_asked_ahead(shop: Shop, member: str) -> None:
    shop.sale(member, "150")
    assert (shop.wallet(member, "gifts")["pending"], shop.wallet(member, "gifts")["spendable"]) == ("1", "0")
    ahead = shop.wallet(member, "gifts", f"?as_of={now_text(3).replace('+', '%2B')}")
    assert (ahead["pending"], ahead["spendable"]) == ("0", "1")
    progress = shop.get(f"/members/{member}/progress").json
    assert [(w["currency"], w["points"]) for w in progress["waiting"]] == [("gifts", "1")]


def test_points_ahead_have_expired(shop: Shop, member: str) -> None:
    shop.sale(member, "10")
    found = shop.get(f"/members/{member}/expiry").json["expiries"]
    assert [(line["currency"], line["spendable"]) for line in found] == [("stars", "10.00")]
    end = found[0]["expires_at"]
    just_before = moment(instant(_read(end)) - 1).isoformat().replace("+00:00", "Z")
    assert shop.wallet(member, query=f"?as_of={just_before}")["spendable"] == "10.00"
    assert shop.wallet(member, query=f"?as_of={end}")["spendable"] == "0.00"
    assert shop.wallet(member, query="?as_of=9999-12-31T23:59:60.5-23:59")["spendable"] == "0.00"
    assert shop.wallet(member, query="?as_of=0000-01-01T00:00:00Z")["spendable"] == "0.00"


def _read(text: str) -> Any:
    from datetime import datetime

    return datetime.fromisoformat(text)


def test_the_two_axes(shop: Shop, member: str) -> None:
    """A late sale: it had happened, and it was not known."""
    shop.sale(member, "10", at=now_text(-10))
    known = now_text().replace("+", "%2B")
    shop.sale(member, "5", at=now_text(-5))
    before_late, after_late = now_text(-6).replace("+", "%2B"), now_text(-4).replace("+", "%2B")
    assert shop.wallet(member)["spendable"] == "15.00"
    assert shop.wallet(member, query=f"?as_of={before_late}")["spendable"] == "10.00"
    assert shop.wallet(member, query=f"?as_of={after_late}")["spendable"] == "15.00"
    assert shop.wallet(member, query=f"?known_at={known}")["spendable"] == "10.00"
    assert shop.wallet(member, query=f"?as_of={after_late}&known_at={known}")["spendable"] == "10.00"
    long_ago = now_text(-20).replace("+", "%2B")
    assert shop.wallet(member, query=f"?known_at={long_ago}")["spendable"] == "0.00"
    # What a client writes without escaping is understood.
    assert shop.wallet(member, query=f"?as_of={now_text(-6)}")["spendable"] == "10.00"


def test_reads_do_not_wait_for_the_worker(shop: Shop, member: str) -> None:
    """Whether due work was posted or not, and when it was recorded, changes no read."""
    shop.sale(member, "150", at=now_text(-500))
    shop.sale(member, "20", at=now_text(-400))
    instants = [now_text(days).replace("+", "%2B") for days in (-499, -450, -399, -130, -100, -30, 0, 30)]
    queries = ["", *(f"?as_of={at}" for at in instants)]
    known = now_text().replace("+", "%2B")
    queries += [f"{query or '?'}{'&' if query else ''}known_at={known}" for query in queries]
    before = [_amounts(shop, member, query) for query in queries]
    with database.connect("app") as connection:
        found = runtime(connection, "club")
        assert found is not None
        made = advance_all(connection, found, clock.now(), now=clock.now())
    assert made
    assert [_amounts(shop, member, query) for query in queries] == before
    assert shop.wallet(member)["spendable"] == "0.00"


def _amounts(shop: Shop, member: str, query: str) -> list[Any]:
    found = shop.get(f"/members/{member}/wallets{query}").json["wallets"]
    return [{name: wallet[name] for name in ("spendable", "pending", "held", "debt")} for wallet in found]


def test_rows_state_and_replay_agree(shop: Shop, connection: Connection[Any]) -> None:
    """The ledger's rows, the stored state carried on, and the facts folded anew tell the same at any instant."""
    chance = random.Random(7)
    ref = shop.enrol("random")
    for number in range(30):
        days = -600 + number * 20 + chance.randrange(10)
        shop.sale(ref, f"{chance.randrange(1, 300)}.{chance.randrange(100):02}", at=now_text(days))
        if number % 7 == 3:
            shop.post("/activities", _return(f"sale-{shop.sent - 1}", now_text(days + 1)))
    shop.post("/redemptions", {"member": ref, "currency": "stars", "points": "7.5"})
    program = runtime(connection, "club")
    assert program is not None
    identifier, now = member_id(ref), clock.now()
    advance_all(connection, program, now, now=now)
    for _ in range(60):
        at = now - chance.randrange(700 * DAY)
        rows = holdings(connection, identifier, as_of=at, known_at=now)
        by_rows = wallets(connection, program, identifier, as_of=at, now=now)
        by_replay = wallets(connection, program, identifier, as_of=at, known_at=now - HOUR, now=now)
        assert by_rows is not None
        assert by_replay is not None
        for currency, wallet in by_rows.wallets.items():
            held = rows.get(currency)
            assert wallet.spendable == (held.spendable if held is not None else 0)
            assert sum(lot.spendable for lot in wallet.lots) == wallet.spendable
        # Nothing was known an hour ago: the whole history was sent just now.
        assert all(wallet.spendable == 0 for wallet in by_replay.wallets.values())
    connection.rollback()
    last = connection.execute("select max(recorded_at) from activity").fetchone()
    assert last is not None
    connection.execute("select 1")
    known = instant(last[0])
    for _ in range(40):
        at = now - chance.randrange(700 * DAY)
        by_rows = wallets(connection, program, identifier, as_of=at, now=now)
        assert by_rows is not None
        from palier.activities import queries

        state = queries._replayed(connection, program, identifier, at, known)
        replayed = queries._of_state(program, state)
        for currency, wallet in by_rows.wallets.items():
            other = replayed[currency]
            assert (wallet.spendable, wallet.pending, wallet.held, wallet.debt) == (
                other.spendable, other.pending, other.held, other.debt,
            ), (currency, moment(at))  # fmt: skip
            assert [(lot.expires_at, lot.spendable) for lot in wallet.lots] == [
                (lot.expires_at, lot.spendable) for lot in other.lots
            ]


def _return(sale: str, at: str) -> dict[str, Any]:
    return {
        "source": "till",
        "id": f"{sale}-back",
        "type": "return",
        "occurred_at": at,
        "sale": {"source": "till", "id": sale},
        "whole": True,
    }


def test_progress_tells_what_is_missing(shop: Shop, member: str) -> None:
    fresh = shop.get(f"/members/{member}/progress").json
    assert (fresh["tier"], fresh["spend"], fresh["visits"]) == ("green", "0.00", 0)
    shop.sale(member, "150")
    progress = shop.get(f"/members/{member}/progress").json
    assert progress["next"]["tier"] == "gold"
    assert [(t["metric"], t["missing"]) for t in progress["next"]["thresholds"]] == [
        ("spend", "50.00"),
        ("visits", "1"),
    ]
    shop.sale(member, "50")
    progress = shop.get(f"/members/{member}/progress").json
    assert (progress["tier"], progress["next"], progress["spend"]) == ("gold", None, "200.00")


def test_a_rolling_window_leaves(shop: Shop, member: str) -> None:
    shop.sale(member, "150", at=now_text(-400))
    shop.sale(member, "70", at=now_text(-10))
    assert shop.get(f"/members/{member}/progress").json["spend"] == "70.00"


def test_history_in_pages(shop: Shop, member: str) -> None:
    for number in range(7):
        shop.sale(member, "10", at=now_text(-20 + number))
    shop.post("/activities", _return("sale-3", now_text()))
    seen, cursor = [], ""
    while True:
        page = shop.get(f"/members/{member}/history?limit=3{cursor}").json
        seen += [line["id"] for line in page["lines"]]
        assert len(page["lines"]) <= 3
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert seen == ["sale-3-back", *(f"sale-{number}" for number in range(7, 0, -1))]
    first = shop.get(f"/members/{member}/history?limit=1").json["lines"][0]
    assert (first["type"], first["points"], first["spendable"]) == (
        "return", {"stars": "-10.00"}, {"stars": "-10.00"},
    )  # fmt: skip
    line = shop.get(f"/members/{member}/history").json["lines"][1]
    assert set(line["sentence"]) == {"en", "fr"}
    assert "10" in line["sentence"]["fr"]
    assert line["trace"]["rules"][0] == {
        "rule": "base", "currency": "stars", "base": "10.00", "raw": "10.00", "multiplied": "10.00",
        "earned": "10.00", "pending": False, "limit": None,
    }  # fmt: skip


@pytest.mark.parametrize("cursor", ["x", "0000000000000", "zzzzzzzzzzzzz00000000", "%00", "é" * 3])
def test_a_cursor_is_checked(shop: Shop, member: str, cursor: str) -> None:
    shop.get(f"/members/{member}/history?cursor={cursor}").problem(422, "malformed", "cursor")


def test_corrections_are_shown_as_such(shop: Shop, member: str) -> None:
    """A late sale of before lifts the tier earlier; here it re-decides a capped rule."""
    data = document("capped")
    data["rules"][0]["caps"] = {"month": "25"}
    other = Shop("capped", data)
    ref = other.enrol()
    at = now_text().replace("T", "T")
    other.sale(ref, "20", at=at, id="second")
    early = moment(instant(_read(at)) - 1_000_000).isoformat()
    other.sale(ref, "10", at=early, id="first")
    assert other.wallet(ref)["spendable"] == "25.00"
    lines = other.get(f"/members/{ref}/history").json["lines"]
    corrections = [line for line in lines if line["type"] == "correction"]
    assert [line["corrects"] for line in corrections] == [{"source": "till", "id": "second"}]
    found = other.get("/activities/till/second").json
    assert found["decision"]["points"] == {"stars": "20.00"}
    assert [line["points"] for line in found["corrections"]] == [{"stars": "-5.00"}]
    assert any(transfer["correction"] for transfer in found["corrections"][0]["transfers"])


def test_an_activity_by_its_id(shop: Shop, member: str) -> None:
    shop.sale(member, "10", id="a/b c?d#é%2F")
    by_path = shop.get("/activities/till/a%2Fb%20c%3Fd%23%C3%A9%252F").json
    by_query = shop.get("/activities?source=till&id=a%2Fb%20c%3Fd%23%C3%A9%252F").json
    assert by_path == by_query
    assert (by_path["status"], by_path["member"]) == ("applied", member)
    transfer = by_path["decision"]["transfers"][0]
    assert (transfer["kind"], transfer["debit"], transfer["credit"]) == ("earn", "issuance", "wallet")
    shop.get("/activities/till/never").problem(404, "unknown_activity")
    parked = shop.post("/activities", _return("not-yet", now_text())).json
    assert parked["status"] == "parked"
    found = shop.get("/activities/till/not-yet-back").json
    assert (found["status"], found["sale"]) == ("parked", {"source": "till", "id": "not-yet"})
    shop.post(
        "/redemptions", {"member": member, "currency": "stars", "points": "99", "source": "s", "id": "r"}
    )
    refused = shop.get("/activities/s/r").json
    assert (refused["status"], refused["code"]) == ("refused", "insufficient_points")


def test_an_activity_being_applied(shop: Shop, member: str, connection: Connection[Any]) -> None:
    """A claim that has not committed: neither known nor unknown."""
    connection.execute(
        "insert into activity_claim (external_id, source, program_id, payload_sha256, status, claimed_at)"
        " values ('x', 'till', %s, '', 'parked', now())",
        (shop.program_id,),
    )
    found = shop.get("/activities/till/x")
    found.problem(409, "in_progress")
    assert found.headers["Retry-After"] == "1"
    connection.rollback()
    shop.get("/activities/till/x").problem(404, "unknown_activity")
    shop.get("/activities/till/x").problem(404, "unknown_activity")


def test_members_are_found_by_any_identity(shop: Shop) -> None:
    made = shop.post(
        "/members",
        {
            "identities": {"card": "77", "email": "Ann@Example.org", "phone": "+33 6 12 34 56 78"},
            "attributes": {"age": 41, "height": "1.72", "born": "1984-05-06", "vip": True},
            "locale": "fr",
            "time_zone": "Europe/Paris",
        },
    )
    assert made.status == 201, made.content
    ref = made.json["member"]
    assert made.json["attributes"] == {"age": 41, "height": "1.72", "born": "1984-05-06", "vip": True}
    for query in ("card=77", "email=ann%40example.org", "phone=%2B33612345678", "phone=0033612345678"):
        assert shop.get(f"/members?{query}").json["member"] == ref
    assert shop.get(f"/members/{ref}").json == shop.get(f"/members/{ref.upper()}").json == made.json
    again = shop.post("/members", {"identities": {"card": "77"}, "attributes": {"age": 3}})
    assert (again.status, again.json) == (200, made.json)
    shop.post("/members", {"identities": {"card": "77", "email": "new@example.org"}}).problem(
        422, "identities_differ", "identities"
    )


def test_members_are_changed(shop: Shop, member: str) -> None:
    changed = shop.call("PATCH", f"/members/{member}", {"attributes": {"age": 20, "height": 1.80}})
    assert changed.json["attributes"] == {"age": 20, "height": "1.80"}
    changed = shop.call("PATCH", f"/members/{member}", {"attributes": {"age": None, "born": "2000-02-29"}})
    assert changed.json["attributes"] == {"height": "1.80", "born": "2000-02-29"}
    shop.call("PATCH", f"/members/{member}", {"attributes": {"shoe": 1}}).problem(422, "invalid_attribute")
    shop.sale(member, "10")
    assert shop.call("PATCH", f"/members/{member}", {"status": "frozen"}).json["status"] == "frozen"
    body = {"member": member, "currency": "stars", "points": "1"}
    shop.post("/redemptions", body).problem(422, "member_not_active")
    shop.call("PATCH", f"/members/{member}", {"status": "active"})
    assert shop.post("/redemptions", body).status == 201


def test_dry_run_writes_nothing(shop: Shop, member: str) -> None:
    body = {
        "source": "till", "id": "1", "type": "sale", "occurred_at": now_text(), "member": member, "amount": "10",
    }  # fmt: skip
    tried = shop.post("/activities?dry_run=true", body).json
    shop.get("/activities/till/1").problem(404, "unknown_activity")
    assert shop.wallet(member)["spendable"] == "0.00"
    assert shop.post("/activities", body).json == tried


def test_batch_conflicts_are_told_as_unavailable(
    shop: Shop, member: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def conflict(*_: Any, **__: Any) -> None:
        raise batch.Conflict("planted")

    monkeypatch.setattr(batch, "command", conflict)
    found = shop.post("/redemptions", {"member": member, "currency": "stars", "points": "1"})
    found.problem(503, "unavailable")
    assert found.headers["Retry-After"] == "1"


@pytest.mark.parametrize(
    "path", ["", "/wallets", "/expiry", "/history", "/progress", "/rewards", "/benefits"]
)
def test_a_reference_is_told_as_it_is_however_it_was_written(shop: Shop, path: str) -> None:
    """o is read as 0, and l as 1: of those who join, one has such a reference soon."""
    member = next(ref for ref in (shop.enrol(str(number)) for number in count()) if {"0", "1"} & set(ref))
    written = member.replace("0", "o").replace("1", "l").upper()
    found = shop.get(f"/members/{written}{path}")
    assert (found.status, found.json["member"]) == (200, member)
