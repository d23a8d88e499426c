"""Erasure: nothing that says who a member was is left in any table, and everything that was counted still adds up."""

from __future__ import annotations

import base64
import re
import zlib
from typing import Any

import psycopg
import pytest
from django.core.signing import dumps
from django.test import Client

from palier.activities import batch
from palier.activities.operations import NotDone
from palier.activities.runtime import Runtime, runtime
from palier.jobs import tasks
from palier.ledger import seal
from palier.members import refs, signing
from palier.privacy import erasure, export, messages, pages
from palier.site import clock, database
from palier.site.environment import environment
from palier.staff.approvals import Person
from tests.api.paying import CASH
from tests.api.shop import Shop, document, now_text

CANARY = "kanari"
"""In everything that is known of the member, and in nothing else."""
BY = Person("cli:ann", "ann", "operator")
Connection = psycopg.Connection[tuple[Any, ...]]
MUG = {
    "key": "mug", "name": {"en": "Mug"}, "gives": {"kind": "merchandise"}, "prices": [{"points": {"stars": "1"}}],
}  # fmt: skip
COFFEE = {
    "key": "coffee", "name": {"en": "A coffee"}, "gives": {"kind": "product", "sku": "coffee"},
    "prices": [{"points": {"stars": "2"}}],
}  # fmt: skip


def telling() -> dict[str, Any]:
    """A program that asks members for their name, and judges by it."""
    written = document("bakery")
    written["point_currencies"][0]["value"] = "0.01"
    written["point_currencies"].append(CASH)
    written["member_attributes"]["first_name"] = {"type": "text"}
    written["activity_types"] = [
        {"key": "review", "name": {"en": "Review", "fr": "Avis"}, "attributes": {"words": {"type": "text"}}}
    ]
    written["rules"] += [
        {
            "key": "named", "name": {"en": "N", "fr": "N"}, "on": "sale", "currency": "stars",
            "when": {"not": {"field": "member.first_name", "is": "nobody"}}, "fixed": "1",
        },
        {
            "key": "review", "name": {"en": "R", "fr": "R"}, "on": "review", "currency": "stars",
            "when": {"not": {"field": "words", "is": "none"}}, "fixed": "1",
        },
    ]  # fmt: skip
    return written


@pytest.fixture
def known(shop: Shop) -> tuple[Shop, str]:
    """A member of whom everything is known that can be."""
    own = Shop("bakery", telling())
    own.call("PUT", "/rewards/mug", MUG)
    own.call("PUT", "/rewards/coffee", COFFEE)
    identities = {
        "email": f"{CANARY}@example.org", "phone": "+33698765432", "card": f"{CANARY}-card",
        "external_id": f"{CANARY}-crm",
    }  # fmt: skip
    made = own.post(
        "/members",
        {"identities": identities, "attributes": {"first_name": f"{CANARY}-first"}, "locale": "fr"},
        idempotency="enrol",
    )
    assert made.status == 201, made.json
    ref: str = made.json["member"]
    for number, sent in enumerate(
        (
            {
                "type": "sale", "amount": "120.00", "location": f"{CANARY}-shop", "channel": "store",
                "lines": [{"amount": "120.00", "sku": f"{CANARY}-sku", "category": f"{CANARY}-shelf"}],
            },
            {"type": "review", "attributes": {"words": f"{CANARY}-words"}},
        )
    ):  # fmt: skip
        told = {"source": "till", "id": f"t{number}", "occurred_at": now_text(), "member": ref, **sent}
        answer = own.post("/activities", told)
        assert answer.status == 200, answer.json
        assert answer.json["status"] == "applied", answer.json
    gift = {
        "member": ref, "currency": "cash", "points": "20", "reason": f"{CANARY}-reason", "actor": f"{CANARY}-actor",
    }  # fmt: skip
    assert own.post("/adjustments", gift, idempotency="gift").status == 201
    assert (
        own.call(
            "PUT",
            f"/members/{ref}/bank-account",
            {"iban": "DE89370400440532013000", "holder": f"{CANARY} holder"},
        ).status
        == 200
    )
    address = {
        "name": f"{CANARY} name", "lines": [f"1 {CANARY} street"], "postcode": "75001", "city": CANARY, "country": "FR",
    }  # fmt: skip
    sent = own.post(
        "/orders",
        {"member": ref, "reward": "mug", "confirm": True, "address": address, "location": f"{CANARY}-desk"},
    )
    assert sent.status == 201, sent.json
    shipped = {"state": "shipped", "carrier": CANARY, "tracking": f"{CANARY}-tracking"}
    done = own.post(f"/orders/{sent.json['order']}/ship", shipped)
    assert done.status == 200, done.json
    assert (
        own.post("/orders", {"member": ref, "reward": "coffee", "confirm": True}, idempotency="o").status
        == 201
    )
    held = {"member": ref, "currency": "stars", "points": "5", "capture": False}
    assert own.post("/redemptions", held, idempotency="hold").status == 201
    other = own.post("/members", {"identities": {"card": f"{CANARY}-double"}}).json["member"]
    merged = own.post(f"/members/{ref}/merge", {"from": other, "reason": "one person"})
    assert merged.status == 201, merged.json
    with database.connect("app") as connection:
        signing.ask(connection, own.program_id, identities["email"], "::1", now=clock.now())
        messages.tell(
            connection, own.program_id, refs.decode(ref), "reward_ready", {"reward": CANARY}, now=clock.now()
        )
        connection.commit()
    return own, ref


def program(connection: Connection) -> Runtime:
    found = runtime(connection, "bakery")
    assert found is not None
    return found


def erase(connection: Connection, ref: str) -> erasure.Settled:
    found = program(connection)
    return batch.attempt(
        connection,
        lambda: erasure.carry_out(connection, found, refs.decode(ref), via="cli", by=BY, now=clock.now()),
    )


def left(superuser: Connection) -> dict[str, list[str]]:
    """Table -> rows that hold a canary, in clear, in bytes, or in a browser's session."""
    tables = superuser.execute(
        "select tablename::text from pg_tables where schemaname = 'public' order by 1"
    ).fetchall()
    marks = [CANARY, CANARY.encode().hex(), "698765432", base64.b64encode(CANARY.encode()).decode()[:6]]
    found: dict[str, list[str]] = {}
    for (table,) in tables:
        for (row,) in superuser.execute(f'select t::text from "{table}" t'):  # type: ignore[call-overload]
            if any(mark in row for mark in marks):
                found.setdefault(table, []).append(row)
    for (data,) in superuser.execute("select session_data from django_session"):
        packed, compressed = data.split(":")[0], data.startswith(".")
        raw = base64.urlsafe_b64decode(packed.lstrip(".") + "===")
        if CANARY in (zlib.decompress(raw) if compressed else raw).decode():
            found.setdefault("django_session", []).append(data)
    return found


def test_nothing_that_says_who_it_was_is_left(
    known: tuple[Shop, str], superuser_connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Canaries in everything known of the member: none in any table, the chain and every sum as before."""
    monkeypatch.setattr(environment(), "demo", True)
    shop, ref = known
    browser = Client(SERVER_NAME="localhost")
    browser.post("/portal/bakery/door", {"contact": f"{CANARY}@example.org"})
    signed = Client(SERVER_NAME="localhost", headers={"user-agent": f"Firefox/1 Linux {CANARY}"})
    signed.get(f"/portal/bakery/demo?as={dumps(ref, salt='demo bakery')}")
    assert signed.get("/portal/bakery/").status_code == 200
    before = left(superuser_connection)
    assert {
        "member",
        "activity",
        "idempotency_key",
        "member_message",
        "reward_order",
        "reward_item",
    } <= before.keys()
    hashes = superuser_connection.execute(
        "select encode(value_hash, 'hex') from identity where member_id = %s", (refs.decode(ref),)
    ).fetchall()
    with database.connect("app") as connection:
        while seal.seal(connection, now=tasks.datetime.now(tasks.UTC)):
            connection.commit()
        settled = erase(connection, ref)
    assert settled.members == 2
    assert settled.identities >= 5
    assert settled.lapsed["stars"] == 12_000 + 200 - 300  # the purchase, two rules, less mug and coffee
    assert settled.lapsed["gifts"] == 1, "what was on the way lapses too"
    assert (settled.addresses, settled.messages) == (1, 1)
    after = left(superuser_connection)
    assert not after, after
    for (value_hash,) in hashes:
        for table in ("identity", "sign_in_code", "throttle", "member_merge", "member_session"):
            rows = superuser_connection.execute(f"select t::text from {table} t").fetchall()
            assert not [row for row in rows if value_hash in row[0]], table
    assert signed.get("/portal/bakery/").status_code == 302
    assert shop.get(f"/members/{ref}").status == 404
    assert shop.get(f"/members?email={CANARY}@example.org").status == 404
    shop.post("/members", {"identities": {"card": "x"}}, idempotency="enrol").problem(
        422, "idempotency_key_reused"
    )
    again = {"identities": {"email": f"{CANARY}@example.org"}}
    assert shop.post("/members", again).status == 201, "who comes back begins anew"
    log = superuser_connection.execute(
        "select actor, action, object from audit_log order by seq desc limit 1"
    ).fetchone()
    assert log == ("cli:ann", "member.erase", ref)
    with database.connect("app") as connection:
        while seal.seal(connection, now=tasks.datetime.now(tasks.UTC)):
            connection.commit()


def test_the_same_call_is_not_done_again(known: tuple[Shop, str]) -> None:
    shop, ref = known
    body = {"member": ref, "currency": "stars", "points": "5", "capture": False}
    with database.connect("app") as connection:
        erase(connection, ref)
    shop.post("/redemptions", body, idempotency="hold").problem(410, "forgotten")


def test_only_the_erased_lose_their_words(
    known: tuple[Shop, str], connection: Connection, owner_connection: Connection
) -> None:
    """The one function that may change what never changes refuses everybody else, and lets nothing else through."""
    shop, ref = known
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("select palier_forget_words(%s, %s)", (shop.program_id, [refs.decode(ref)]))
    connection.rollback()
    connection.execute("select set_config('palier.forgetting', 'on', true)")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("update activity set payload = '{}' where member_id = %s", (refs.decode(ref),))
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        owner_connection.execute(
            "update activity set payload = '{}' where member_id = %s", (refs.decode(ref),)
        )


def test_what_is_under_way_comes_first(known: tuple[Shop, str], superuser_connection: Connection) -> None:
    """An order on its way and money at the bank must arrive; a frozen member is looked into by a person."""
    shop, ref = known
    shop.call("PATCH", f"/members/{ref}", {"status": "frozen"})
    shop.post(f"/members/{ref}/erasure", {}).problem(409, "member_not_active")
    shop.call("PATCH", f"/members/{ref}", {"status": "active"})
    address = {"name": "N", "lines": ["1"], "postcode": "1", "city": "P", "country": "FR"}
    order = shop.post("/orders", {"member": ref, "reward": "mug", "confirm": True, "address": address}).json[
        "order"
    ]
    shop.post(f"/members/{ref}/erasure", {}).problem(409, "orders_under_way")
    assert shop.post(f"/orders/{order}/ship", {"state": "shipped"}).status == 200
    reserved = shop.post("/orders", {"member": ref, "reward": "coffee", "confirm": False}).json["order"]
    payout = shop.post("/payouts", {"member": ref, "currency": "cash", "points": "10"})
    assert payout.status == 201, payout.json
    done = shop.post(f"/members/{ref}/erasure", {})
    assert done.status == 200, done.json
    assert done.json["settled"]["orders"] == 1
    assert done.json["settled"]["lapsed"]["cash"] == "20.00"
    states = superuser_connection.execute(
        "select (select state from reward_order where order_id = (select max(order_id) from reward_order)),"
        " (select state from payout)"
    ).fetchone()
    assert states == ("released", "refused"), reserved


def test_what_is_old_is_let_go_and_told_too(
    known: tuple[Shop, str], monkeypatch: pytest.MonkeyPatch, superuser_connection: Connection
) -> None:
    """However much there is of a member: lists are read to their end, here by pages of one."""
    monkeypatch.setattr(pages, "PAGE", 1)
    shop, ref = known
    address = {"name": "N", "lines": ["1"], "postcode": "1", "city": "P", "country": "FR"}
    mug = {"member": ref, "reward": "mug", "confirm": True, "address": address}
    order = shop.post("/orders", mug).json["order"]
    for _ in range(2):
        assert shop.post("/orders", {"member": ref, "reward": "coffee", "confirm": False}).status == 201
    shop.post(f"/members/{ref}/erasure", {}).problem(409, "orders_under_way")
    assert shop.post(f"/orders/{order}/ship", {"state": "shipped"}).status == 200
    with database.connect("app") as connection:
        found = runtime(connection, "bakery")
        assert found is not None
        told = export.everything(connection, found, refs.decode(ref), "en", now=clock.now())
    made = superuser_connection.execute("select count(*) from reward_order").fetchone()
    assert made == (len(told["orders"]),)
    assert shop.post(f"/members/{ref}/erasure", {}).json["settled"]["orders"] == 2
    states = superuser_connection.execute(
        "select state from reward_order order by order_id desc limit 2"
    ).fetchall()
    assert states == [("released",), ("released",)]


def test_asked_for_undone_and_carried_out_when_it_is_due(
    known: tuple[Shop, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop, ref = known
    first = shop.post(f"/members/{ref}/erasure", {"wait_days": 30}).json
    assert shop.post(f"/members/{ref}/erasure", {"wait_days": 3}).json["due_at"] == first["due_at"]
    assert shop.call("DELETE", f"/members/{ref}/erasure").json["status"] == "undone"
    shop.call("DELETE", f"/members/{ref}/erasure").problem(404, "unknown_erasure")
    shop.post(f"/members/{ref}/erasure", {"wait_days": 30})
    tasks.erase_members()
    assert shop.get(f"/members/{ref}").status == 200
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + 30 * 86_400_000_000)
    tasks.erase_members()
    assert shop.get(f"/members/{ref}").status == 404
    (receipt,) = [
        found
        for found in erasure.read_receipts(environment().directory / "erasures.jsonl")
        if found.member == ref
    ]
    assert (receipt.program, receipt.via, receipt.settled.members) == ("bakery", "api", 2)
    tasks.erase_members()
    kept = environment().directory / "erasures.jsonl"
    assert kept.stat().st_mode & 0o077 == 0
    whole = kept.read_bytes()
    kept.write_bytes(whole[:-30])
    tasks.erase_members()
    assert kept.read_bytes() == whole
    assert re.match(r"m_\w{13}$", receipt.member)


def test_others_of_a_household_keep_what_they_share(known: tuple[Shop, str]) -> None:
    """One person is forgotten: his identity finds nobody, the household's points and other identities stay."""
    shop, ref = known
    before = shop.wallet(ref)["spendable"]
    with database.connect("app") as connection:
        found = program(connection)
        from palier.members.queries import hashed

        own = hashed("email", f"{CANARY}@example.org")
        assert batch.attempt(
            connection,
            lambda: erasure.forget_person(connection, found, refs.decode(ref), own, by=BY, now=clock.now()),
        )
        assert not batch.attempt(
            connection,
            lambda: erasure.forget_person(connection, found, refs.decode(ref), own, by=BY, now=clock.now()),
        )
    assert shop.get(f"/members?email={CANARY}@example.org").status == 404
    assert shop.get(f"/members?card={CANARY}-card").json["member"] == ref
    assert shop.wallet(ref)["spendable"] == before


def test_nobody_is_erased_twice_or_by_a_stranger(known: tuple[Shop, str]) -> None:
    shop, ref = known
    other = Shop("other", document("other"))
    other.post(f"/members/{ref}/erasure", {}).problem(404, "unknown_member")
    assert shop.post(f"/members/{ref}/erasure", {}).status == 200
    shop.post(f"/members/{ref}/erasure", {}).problem(404, "unknown_member")
    with database.connect("app") as connection, pytest.raises(NotDone):
        erase(connection, ref)
