"""Vouchers and pools over HTTP: what a till sends, what it learns, and how little a guess is told."""

from __future__ import annotations

import time
from typing import Any

import pytest

from palier.site import database
from palier.vouchers import codes, guesses
from tests.api.shop import CARD, Answered, Shop, document, now_text

EFFECT = {"kind": "amount_off", "amount": "5.00", "lines": [{"sku": "A"}]}


def issue(shop: Shop, **settings: Any) -> dict[str, Any]:
    found = shop.post("/vouchers", {"effect": EFFECT, **settings})
    assert found.status == 201, found.content
    made: dict[str, Any] = found.json
    return made


def use(shop: Shop, code: str, id: str | None = None, **more: Any) -> Answered:
    body = {"code": code, **({"source": "till-3", "id": id} if id else {}), **more}
    return shop.post("/vouchers/use", body)


def test_from_issue_to_use_and_back(shop: Shop, member: str) -> None:
    made = issue(shop, member=member, max_uses=2, expires_at=now_text(30))
    assert (made["member"], made["state"], made["uses_left"]) == (member, "active", 2)
    checked = shop.post("/vouchers/check", {"code": made["code"].lower().replace("-", " ")})
    assert (checked.status, checked.json["effect"], checked.json["uses"]) == (200, EFFECT, 0)
    first = use(shop, made["code"], "t1", location="paris")
    assert (first.status, first.json["uses_left"], first.json["effect"]) == (201, 1, EFFECT)
    again = use(shop, made["code"], "t1", location="paris")
    assert (again.status, again.headers["Idempotency-Replayed"]) == (201, "true")
    assert again.content == first.content
    use(shop, made["code"], "t1", location="lyon").problem(422, "content_differs", "id")
    assert use(shop, made["code"], "t2").json["uses_left"] == 0
    use(shop, made["code"], "t3").problem(422, "voucher_used_up", "code")
    given = {"voucher": made["voucher"], "source": "till-3", "id": "t1"}
    back = shop.post("/vouchers/release", given)
    assert (back.status, back.json["uses_left"]) == (200, 1)
    assert back.json["released_at"]
    assert shop.post("/vouchers/release", given).headers["Idempotency-Replayed"] == "true"
    use(shop, made["code"], "t1", location="paris").problem(422, "use_released", "id")
    shown = shop.get(f"/vouchers/{made['voucher']}").json
    assert (shown["uses"], shown["state"]) == (1, "active")
    assert "code" not in shown
    assert shop.post(f"/vouchers/{made['voucher']}/cancel", {"reason": "lost"}).json["state"] == "cancelled"
    use(shop, made["code"], "t4").problem(422, "voucher_cancelled", "code")


def test_an_idempotency_key_names_a_use(shop: Shop) -> None:
    made = issue(shop, max_uses=3)
    body = {"code": made["code"]}
    first = shop.post("/vouchers/use", body, idempotency="k1")
    again = shop.post("/vouchers/use", body, idempotency="k1")
    assert (again.status, again.content) == (first.status, first.content)
    assert shop.post("/vouchers/use", body, idempotency="k2").json["uses_left"] == 1


def test_an_issue_repeated_shows_the_same_code_which_no_table_holds(shop: Shop) -> None:
    body = {"effect": EFFECT, "proof": "pin"}
    first = shop.post("/vouchers", body, idempotency="k1")
    again = shop.post("/vouchers", body, idempotency="k1")
    assert first.content == again.content
    assert again.headers["Idempotency-Replayed"] == "true"
    code, pin = first.json["code"], first.json["pin"]
    assert len(pin) == codes.PIN_DIGITS
    with database.connect("owner") as connection:
        tables = [
            row[0]
            for row in connection.execute(
                "select table_name from information_schema.tables where table_schema = 'public'"
                " and table_type = 'BASE TABLE'"
            )
        ]
        assert "idempotency_key" in tables
        for table in tables:
            for (text,) in connection.execute(f"select t::text from {table} t"):
                assert code not in text, table
                assert codes.read(code) not in text, table


def test_second_proofs(shop: Shop, member: str) -> None:
    bound = issue(shop, member=member, proof="member")["code"]
    for shown in (None, shop.enrol("other"), "m_0000000000000", "card:0000", "card", "nonsense:1"):
        body = {"code": bound, **({"member": shown} if shown else {})}
        shop.post("/vouchers/check", body).problem(404, "unknown_voucher", "code")
        if shown in ("m_0000000000000", "card:0000"):
            guesses_forgotten(shop)
    assert shop.post("/vouchers/check", {"code": bound, "member": f"card:{CARD}"}).status == 200
    assert use(shop, bound, "t1", member=member).status == 201
    pinned = issue(shop, proof="pin")
    shop.post("/vouchers/check", {"code": pinned["code"]}).problem(404, "unknown_voucher", "code")
    assert use(shop, pinned["code"], "t1", pin=pinned["pin"]).status == 201


def guesses_forgotten(shop: Shop) -> None:
    with database.connect("app") as connection:
        guesses.open_again(connection, shop.program_id)
        connection.commit()


def test_guesses_are_answered_alike_and_then_not_at_all(shop: Shop, member: str) -> None:
    """Z2 and Z3 over HTTP: status, headers, body and length are one; time is close; then 429."""
    other = Shop("other", document("other"))
    shown = [
        {"code": codes.new_code()},
        {"code": codes.new_code(codes.PROVEN)},
        {"code": codes.new_code(codes.PROVEN), "pin": "123456"},
        {"code": issue(shop, member=member, proof="member")["code"]},
        {"code": issue(shop, proof="pin")["code"], "pin": "0"},
        {"code": issue(other)["code"]},
    ]
    answers = [shop.post("/vouchers/check", body) for body in shown]
    answers += [shop.post("/vouchers/use", body) for body in shown]
    assert {(found.status, found.content) for found in answers} == {(404, answers[0].content)}
    assert len({repr(sorted(found.headers.items())) for found in answers}) == 1
    guesses_forgotten(shop)
    made = issue(shop, max_uses=500)
    tries = [
        shop.post("/vouchers/check", {"code": codes.new_code(codes.PROVEN), "actor": "till-9"})
        for _ in range(guesses.PER_ACTOR + 30)
    ]
    assert [found.status for found in tries] == [404] * guesses.PER_ACTOR + [429] * 30
    tries[-1].problem(429, "too_many_tries")
    assert 1 <= int(tries[-1].headers["Retry-After"]) <= 600
    # That till waits even with a right code; the others, and another key, go on.
    body = {"code": made["code"]}
    shop.post("/vouchers/check", {**body, "actor": "till-9"}).problem(429, "too_many_tries")
    assert shop.post("/vouchers/check", {**body, "actor": "till-1"}).status == 200
    assert shop.post("/vouchers/use", body, token=shop.new_key().token).status == 201


def test_mistyped_codes_are_told_and_count_nowhere(shop: Shop) -> None:
    made = issue(shop)["code"]
    wrong = made[:-1] + ("0" if made[-1] != "0" else "1")
    for _ in range(guesses.PER_ACTOR + 3):
        shop.post("/vouchers/check", {"code": wrong}).problem(422, "mistyped_code", "code")
    assert shop.post("/vouchers/check", {"code": made}).status == 200


def test_a_wrong_code_takes_as_long_as_a_wrong_pin(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PER_CODE", "PER_ACTOR", "PER_KEY", "PER_PROGRAM"):
        monkeypatch.setattr(guesses, name, 100_000)
    made = issue(shop, proof="pin")["code"]
    samples: dict[str, list[float]] = {"unknown": [], "pin": []}
    for _ in range(100):
        for name, code in (("unknown", codes.new_code(codes.PROVEN)), ("pin", made)):
            started = time.perf_counter()
            assert shop.post("/vouchers/check", {"code": code, "pin": "0"}).status == 404
            samples[name].append(time.perf_counter() - started)
    middle = {name: sorted(found)[50] for name, found in samples.items()}
    assert abs(middle["unknown"] - middle["pin"]) < 0.25 * max(middle.values()), middle


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        ({"effect": {"amount": 5.5}}, 422, "malformed", "effect"),
        ({"effect": {}, "max_uses": 0}, 422, "malformed", "max_uses"),
        ({"effect": {}, "expires_at": "2020-01-01T00:00:00Z"}, 422, "invalid_voucher", "expires_at"),
        ({"effect": {}, "proof": "member"}, 422, "invalid_voucher", "member"),
        ({"effect": {}, "member": "m_0000000000000"}, 404, "unknown_member", "member"),
        ({"effect": {}, "partner": "nobody"}, 404, "unknown_partner", "partner"),
        ({"effect": {"x": "y" * 9000}}, 422, "invalid_voucher", "effect"),
        ({"effect": {}, "origin": "4111 1111 1111 1111"}, 422, "payment_card_number", "origin"),
        ({"effect": []}, 422, "malformed", "effect"),
        ({}, 422, "malformed", "effect"),
    ],
)
def test_bad_vouchers(shop: Shop, body: dict[str, Any], status: int, code: str, field: str) -> None:
    shop.post("/vouchers", body).problem(status, code, field)


def test_pictures(shop: Shop) -> None:
    code = issue(shop)["code"]
    for form, kind in (("svg", "image/svg+xml"), ("png", "image/png")):
        for picture in ("qr", "code128", "pdf417"):
            found = shop.post("/vouchers/picture", {"text": code, "kind": picture, "form": form})
            assert (found.status, found.kind) == (200, kind)
            assert len(found.content) > 100
    shop.post("/vouchers/picture", {"text": "123", "kind": "ean13"}).problem(422, "invalid_voucher", "text")


def test_pools(shop: Shop) -> None:
    assert shop.get("/pools").json == {"pools": []}
    made = shop.call("PUT", "/pools/cinema-20", {"name": "Cinema, 20 €", "low_at": 2})
    assert (made.status, made.json["state"]) == (200, "empty")
    given = {
        "codes": [
            {"code": "A-1", "pin": "11"},
            {"code": "a-1"},
            {"code": "B-2"},
            {"code": "C", "url": "ftp:x"},
        ]
    }
    dry = shop.post("/pools/cinema-20/codes", {**given, "dry_run": True}).json
    done = shop.post("/pools/cinema-20/codes", given).json
    assert {**dry, "dry_run": False} == done
    assert (done["lines"], done["added"]) == (4, 2)
    assert done["duplicates"] == [{"line": 2, "reason": "the same code stands on line 1"}]
    assert done["refused"] == [{"line": 4, "reason": "the address does not begin with https://"}]
    found = shop.get("/pools").json["pools"]
    assert [(pool["pool"], pool["free"], pool["state"]) for pool in found] == [("cinema-20", 2, "low")]
    assert b"A-1" not in shop.get("/pools").content
    shop.post("/pools/none/codes", given).problem(404, "unknown_pool", "pool")
    shop.call("PUT", "/pools/NONE", {"name": "x", "low_at": 1}).problem(422, "invalid_pool", "key")


def test_sources_of_others_are_refused(shop: Shop) -> None:
    made = issue(shop)
    for source in ("palier", "palier:x", "api:other"):
        body = {"code": made["code"], "source": source, "id": "1"}
        shop.post("/vouchers/use", body).problem(422, "reserved_source", "source")
    assert use(shop, made["code"], "1").status == 201
