"""Baskets and benefits over HTTP: what a till asks before and while something is used."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from palier.site import database as platform_database
from palier.vouchers import codes
from tests.api.shop import Shop, document, now_text
from tests.api.test_access import _rows

TEN_PERCENT = {"kind": "percent_off", "percent": "10"}


def club() -> Shop:
    """A star is worth a cent; a coffee is a unit; gold has a lounge, and friends a workshop."""
    data = document("club")
    data["point_currencies"][0]["value"] = "0.01"
    coffee = {"one": "coffee", "other": "coffees"}
    data["point_currencies"].append(
        {"key": "coffee", "name": {"en": coffee, "fr": {"one": "café", "other": "cafés"}}, "kind": "reward"}
    )
    data["tiers"]["tiers"][0]["benefits"] = [{"en": "Free water", "fr": "De l'eau"}]
    data["memberships"] = [
        {
            "key": "friends", "name": {"en": "Friends", "fr": "Amis"}, "fee": "10", "months": 12,
            "benefits": [{"en": "A workshop", "fr": "Un atelier"}],
        }
    ]  # fmt: skip
    return Shop("club", data)


@pytest.fixture
def shop(database: str) -> Shop:
    return club()


@pytest.fixture
def member(shop: Shop) -> str:
    ref = shop.enrol()
    shop.sale(ref, "100")
    return ref


def put(shop: Shop, key: str, gives: dict[str, Any], **more: Any) -> None:
    made = {"key": key, "name": {"en": key.title(), "fr": f"{key.title()} fr"}, "gives": gives, **more}
    assert shop.call("PUT", f"/rewards/{key}", made).status == 201


def voucher(shop: Shop, gives: dict[str, Any], **more: Any) -> dict[str, Any]:
    effect = {"gives": gives, **more.pop("effect", {})}
    made = shop.post("/vouchers", {"effect": effect, **more})
    assert made.status == 201, made.content
    found: dict[str, Any] = made.json
    return found


def ask(shop: Shop, *lines: dict[str, Any], **more: Any) -> dict[str, Any]:
    answered = shop.post("/baskets/calculate", {"lines": list(lines), **more})
    assert answered.status == 200, answered.content
    found: dict[str, Any] = answered.json
    return found


def test_a_basket_without_anything_is_what_it_is(shop: Shop) -> None:
    found = ask(shop, {"amount": "10.00", "tax_rate": "20"}, {"amount": 5, "tax_rate": "5.5"})
    assert (found["gross"], found["off"], found["to_pay"]) == ("15.00", "0.00", "15.00")
    assert found["taxes"] == [{"rate": "20", "tax": "1.67"}, {"rate": "5.5", "tax": "0.26"}]
    assert (found["member"], found["points"], found["earns"]) == (None, None, None)


def test_vouchers_are_told_on_three_lists_and_not_used(shop: Shop, member: str) -> None:
    group = {"effect": {"stacking": {"group": "welcome"}}}
    good = voucher(shop, TEN_PERCENT, **group)
    less = voucher(shop, {"kind": "amount_off", "amount": "1"}, **group)
    high = voucher(shop, {"kind": "amount_off", "amount": "5", "minimum_basket": "50.01"})
    other = voucher(shop, {"kind": "service"})
    rows = _rows()
    shown = [{"code": each["code"]} for each in (less, good, high, other)]
    found = ask(shop, {"amount": "50.00"}, member=member, vouchers=[*shown, {"code": "nonsense"}])
    (applied,) = found["applicable"]
    assert (applied["offer"], applied["voucher"], applied["amount"]) == (
        "vouchers[1]",
        good["voucher"],
        "5.00",
    )
    assert [(item["offer"], item["code"]) for item in found["skipped"]] == [("vouchers[0]", "stacking_group")]
    assert [(item["offer"], item["code"]) for item in found["inapplicable"]] == [
        ("vouchers[2]", "below_minimum"),
        ("vouchers[3]", "not_for_baskets"),
        ("vouchers[4]", "mistyped_code"),
    ]
    assert found["to_pay"] == "45.00"
    assert _rows() == rows
    for each in (good, less):
        assert shop.post("/vouchers/check", {"code": each["code"]}).json["uses_left"] == 1


def test_a_code_that_is_shown_twice_needs_two_uses(shop: Shop) -> None:
    once = voucher(shop, {"kind": "amount_off", "amount": "1"})
    twice = voucher(shop, {"kind": "product", "sku": "tea"}, max_uses=2)
    shown = [{"code": once["code"]}] * 2 + [{"code": twice["code"]}] * 3
    found = ask(shop, {"amount": "9.00", "quantity": 3, "sku": "tea"}, vouchers=shown)
    assert [item["amount"] for item in found["applicable"]] == ["1.00", "2.67", "2.67"]
    assert {item["offer"]: item["code"] for item in found["inapplicable"]} == {
        "vouchers[1]": "voucher_used_up", "vouchers[4]": "voucher_used_up",
    }  # fmt: skip


def test_unknown_codes_are_told_alike_and_counted(shop: Shop) -> None:
    """Calculating is no way around the limit of failed tries: one actor has twenty in ten minutes."""
    seen = []
    for _ in range(21):
        shown = [{"code": codes.grouped(codes.new_code())}]
        basket = {"lines": [{"amount": "1"}], "vouchers": shown, "actor": "till"}
        seen.append(shop.post("/baskets/calculate", basket))
    assert {each.json["inapplicable"][0]["code"] for each in seen[:20]} == {"unknown_voucher"}
    seen[20].problem(429, "too_many_tries")


def test_rewards_and_points_share_what_the_member_has(shop: Shop, member: str) -> None:
    """100 stars: a voucher of 5.00 for 60 of them leaves 40 to pay with."""
    put(shop, "five", {"kind": "amount_off", "amount": "5"}, prices=[{"points": {"stars": "60"}}])
    put(shop, "mug", {"kind": "merchandise"}, prices=[{"points": {"stars": "1"}}])
    found = ask(
        shop, {"amount": "20.00"}, member=member, rewards=["five", "five", "mug", "none"],
        points={"currency": "stars"}, language="fr",
    )  # fmt: skip
    (applied,) = found["applicable"]
    assert (applied["reward"], applied["name"], applied["amount"]) == ("five", "Five fr", "5.00")
    assert {item["offer"]: item["code"] for item in found["inapplicable"]} == {
        "rewards[1]": "too_few_points", "rewards[2]": "not_for_baskets", "rewards[3]": "unknown_reward",
    }  # fmt: skip
    assert found["price"] == {"stars": "60.00"}
    assert found["points"] == {"currency": "stars", "points": "40.00", "worth": "0.40"}
    assert (found["paid"], found["to_pay"]) == ("0.40", "14.60")


def test_points_pay_all_of_it_to_exactly_nothing_and_no_more(shop: Shop, member: str) -> None:
    shop.sale(member, "268.28")
    line = {"amount": "2.6828", "tax_rate": "20"}
    shop.post("/baskets/calculate", {"lines": [line]}).problem(422, "invalid_amount", "lines[0]")
    found = ask(
        shop, {"amount": "2.68", "tax_rate": "20"}, member=member,
        points={"currency": "stars", "points": "300"},
    )  # fmt: skip
    assert (found["points"]["points"], found["paid"], found["to_pay"]) == ("268.00", "2.68", "0.00")
    assert found["lines"][0]["tax_to_pay"] == "0.00"
    shop.post(
        "/baskets/calculate",
        {"lines": [{"amount": "1"}], "member": member, "points": {"currency": "gifts"}},
    ).problem(422, "points_pay_nothing", "points.currency")
    shop.post("/baskets/calculate", {"lines": [{"amount": "1"}], "points": {"currency": "stars"}}).problem(
        422, "malformed", "points"
    )


def test_what_it_would_earn_is_what_the_sale_then_earns(shop: Shop, member: str) -> None:
    """Of 150.00 with 10 % off: 135 stars, less what points pay; and nothing is written by asking."""
    code = voucher(shop, TEN_PERCENT)["code"]
    before = _rows()
    found = ask(shop, {"amount": "150.00"}, member=member, vouchers=[{"code": code}])
    assert found["earns"] == {"points": {"stars": "135.00", "gifts": "1"}, "tier_reached": "gold"}
    assert _rows() == before
    assert shop.sale(member, found["to_pay"])["points"] == found["earns"]["points"]
    paying = ask(shop, {"amount": "10.00"}, member=member, points={"currency": "stars", "points": "100"})
    assert (paying["paid"], paying["earns"]["points"]["stars"]) == ("1.00", "9.00")


def test_a_tier_is_given_and_taken_back(shop: Shop, member: str) -> None:
    gold = {"tier": "gold", "until": now_text(5), "reason": "a long wait"}
    made = shop.post(f"/members/{member}/tier", gold, idempotency="gift")
    assert (made.status, made.json["tier"]) == (201, "gold")
    assert made.json["given_until"]
    assert shop.post(f"/members/{member}/tier", gold, idempotency="gift").json == made.json
    progress = shop.get(f"/members/{member}/progress").json
    assert (progress["tier"], progress["given_until"]) == ("gold", made.json["given_until"])
    shop.post(f"/members/{member}/tier", {**gold, "tier": "iron"}).problem(422, "unknown_tier", "tier")
    past = {**gold, "until": now_text(-1)}
    shop.post(f"/members/{member}/tier", past).problem(422, "invalid_instant", "until")
    named = {"source": made.json["source"], "id": made.json["id"], "reason": "a mistake"}
    taken = shop.post(f"/members/{member}/tier/revoke", named)
    assert (taken.status, taken.json["tier"], taken.json["given_until"]) == (200, "green", None)
    shop.post(f"/members/{member}/tier/revoke", named).problem(422, "tier_not_given", "tier")


# --- benefits -----------------------------------------------------------------------------------------------


def benefits(shop: Shop, member: str) -> dict[str, dict[str, Any]]:
    found = shop.get(f"/members/{member}/benefits?language=fr")
    assert found.status == 200, found.content
    return {item["benefit"]: item for item in found.json["benefits"]}


def test_benefits_by_tier_membership_units_and_orders(shop: Shop, member: str) -> None:
    fee = {"source": "till", "id": "fee", "type": "fee", "occurred_at": now_text(), "member": member,
           "amount": "10", "attributes": {"membership": "friends"}}  # fmt: skip
    assert shop.post("/activities", fee).status == 200
    shop.post("/adjustments", {"member": member, "currency": "coffee", "points": "3", "reason": "gift"})
    put(shop, "spa", {"kind": "service", "uses": 2, "valid_days": 30}, prices=[{"points": {"stars": "10"}}])
    assert shop.post("/orders", {"member": member, "reward": "spa"}).status == 201
    found = benefits(shop, member)
    assert found["tier:green"]["texts"] == ["De l'eau"]
    assert (found["membership:friends"]["texts"], found["membership:friends"]["usable"]) == (
        ["Un atelier"],
        False,
    )
    assert (found["units:coffee"]["name"], found["units:coffee"]["uses_left"]) == ("café", 3)
    spa = next(item for item in found.values() if item["from"] == "order")
    assert (spa["key"], spa["name"], spa["uses_left"], spa["usable"]) == ("spa", "Spa fr", 2, True)
    assert spa["until"]
    for ref, left in (("units:coffee", [2, 1, 0]), (spa["benefit"], [1, 0])):
        for uses_left in left:
            used = shop.post(f"/members/{member}/benefits/{ref}/use", {})
            assert (used.status, used.json["uses_left"]) == (200, uses_left)
        assert shop.post(f"/members/{member}/benefits/{ref}/use", {}).status == 422
    assert set(benefits(shop, member)) == {"tier:green", "membership:friends"}
    for ref in ("tier:green", "units:stars", "units:none", "item:nonsense", "x"):
        shop.post(f"/members/{member}/benefits/{ref}/use", {}).problem(404, "unknown_benefit")


def test_a_use_is_counted_once_for_its_key_and_never_beyond(shop: Shop, member: str) -> None:
    """Twenty tills at once, on five units; then one of them repeats its call."""
    shop.post("/adjustments", {"member": member, "currency": "coffee", "points": "5", "reason": "gift"})
    path = f"/members/{member}/benefits/units:coffee/use"
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: (n, shop.post(path, {}, idempotency=f"till-{n}")), range(20)))
    assert Counter(found.status for _, found in answers) == {200: 5, 422: 15}
    for number, first in answers:
        again = shop.post(path, {}, idempotency=f"till-{number}")
        assert (again.status, again.json) == (first.status, first.json)
    with platform_database.connect("app") as connection:
        row = connection.execute(
            "select count(*) from activity where type = 'redeem' and payload->>'currency' = 'coffee'"
        ).fetchone()
    assert row == (5,)
