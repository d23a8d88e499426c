"""The catalogue over HTTP: browsing, as anyone or as a member, and writing it."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from palier.api.reference import schema
from palier.site import database
from tests.api.shop import Answered, Shop, document, now_text


def mug(key: str = "mug", **changes: Any) -> dict[str, Any]:
    return {
        "key": key,
        "name": {"en": "Mug", "fr": "Tasse"},
        "gives": {"kind": "merchandise"},
        "prices": [{"points": {"stars": "500"}}],
        **changes,
    }


@pytest.fixture
def stocked(shop: Shop) -> Shop:
    """A mug, coffee at two prices, and a concert for gold."""
    for item in (
        mug(cost={"amount": "2.00", "currency": "EUR"}, supplier={"key": "potter", "sku": "M-1"}),
        mug(
            "coffee", name={"en": "Coffee", "fr": "Café"}, category="food/coffee", tags=["coffee"],
            gives={"kind": "product", "category": "COFFEE"},
            prices=[{"points": {"stars": "150"}},
                    {"key": "mixed", "points": {"stars": "50"}, "money": {"amount": "1.00", "currency": "EUR"}}],
        ),
        mug(
            "concert", name={"en": "Concert", "fr": "Concert"}, audience={"tiers": ["gold"]},
            gives={"kind": "experience"},
            slots=[{"key": "may", "starts_at": "2037-05-01T18:00:00Z", "ends_at": "2037-05-01T20:00:00Z",
                    "capacity": 9}],
        ),
    ):  # fmt: skip
        put = shop.call("PUT", f"/rewards/{item['key']}", item)
        assert put.status == 201, put.content
    return shop


def keys(found: Answered) -> list[str]:
    assert found.status == 200, found.content
    return [item["reward"] for item in found.json["rewards"]]


def test_the_catalogue_is_browsed(stocked: Shop) -> None:
    assert keys(stocked.get("/rewards")) == ["concert", "coffee", "mug"]
    assert keys(stocked.get(f"/rewards?q={quote('CAFÉ')}&lang=fr")) == ["coffee"]
    assert keys(stocked.get("/rewards?category=food")) == ["coffee"]
    assert keys(stocked.get("/rewards?kind=experience")) == ["concert"]
    assert keys(stocked.get("/rewards?tag=coffee,home")) == []
    assert keys(stocked.get("/rewards?supplier=potter")) == ["mug"]
    assert keys(stocked.get("/rewards?currency=stars&max_points=100")) == ["coffee"]
    assert keys(stocked.get("/rewards?currency=stars&sort=price")) == ["coffee", "mug", "concert"]
    (line,) = stocked.get("/rewards?q=caf&lang=fr").json["rewards"]
    assert line == {
        "reward": "coffee", "kind": "product", "version": 1, "state": "live", "name": "Café", "summary": None,
        "picture": None, "category": "food/coffee", "tags": ["coffee"],
        "prices": [
            {"key": "standard", "points": {"stars": "150.00"}, "money": None, "tiers": None},
            {"key": "mixed", "points": {"stars": "50.00"}, "money": {"amount": "1.00", "currency": "EUR"},
             "tiers": None},
        ],
        "list_price": None, "partner": None, "new": True, "ending": False, "visible_until": None,
    }  # fmt: skip


def test_pages_follow_each_other(stocked: Shop) -> None:
    found, cursor = [], ""
    while True:
        page = stocked.get(f"/rewards?limit=1{cursor}").json
        found += [item["reward"] for item in page["rewards"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert found == ["concert", "coffee", "mug"]
    stocked.get(f"/rewards?limit=1{cursor}&sort=ending").problem(422, "malformed", "cursor")
    stocked.get("/rewards?cursor=nonsense").problem(422, "malformed", "cursor")


def test_a_member_learns_what_is_missing(stocked: Shop) -> None:
    member = stocked.enrol()
    stocked.sale(member, "120.00")
    lines = stocked.get(f"/rewards?member={member}&lang=fr").json["rewards"]
    assert [(line["reward"], line["offer"]["reachable"]) for line in lines] == [
        ("coffee", True),
        ("mug", False),
    ]
    assert lines[1]["offer"]["reasons"] == [{"code": "too_few_points", "text": "il manque 380 stars"}]
    assert lines[0]["prices"][0] == {
        "key": "standard", "points": {"stars": "150.00"}, "money": None, "tiers": None,
        "allowed": True, "missing": {"stars": "30.00"},
    }  # fmt: skip
    assert keys(stocked.get(f"/rewards?member={member}&reachable=true")) == ["coffee"]

    without = stocked.new_key(["rewards:read"]).token
    stocked.get(f"/rewards?member={member}", token=without).problem(403, "forbidden", "member")
    assert keys(stocked.get("/rewards", token=without)) == ["concert", "coffee", "mug"]
    stocked.get("/rewards?member=m_0000000000000").problem(404, "unknown_member")


def test_a_reward_is_read_without_what_is_internal(stocked: Shop) -> None:
    found = stocked.get("/rewards/concert?lang=fr").json
    assert found["slots"][0]["capacity"] == 9
    assert found["gives"] == {"kind": "experience"}
    internal = stocked.get("/rewards/mug")
    for word in (b"potter", b"M-1", b"cost", b"supplier"):
        assert word not in internal.content
    stocked.call("PUT", "/rewards/hidden", mug("hidden", state="draft"))
    stocked.get("/rewards/hidden").problem(404, "unknown_reward")
    stocked.get("/rewards/none").problem(404, "unknown_reward")


def test_what_is_changed_live_is_a_version(stocked: Shop) -> None:
    path = "/rewards/mug"
    found = stocked.call(
        "PATCH", f"{path}?reason=sale", {"prices": [{"points": {"stars": "400"}}], "cost": None}
    )
    assert (found.status, found.json["version"]) == (201, 2)
    assert {finding["code"] for finding in found.json["findings"]} >= {"no_picture", "cost_unknown"}
    later = stocked.call("PATCH", path, {"state": "paused", "effective_from": now_text(1)})
    assert (later.status, later.json["version"]) == (201, 3)
    assert stocked.get(path).json["version"] == 2
    # What holds now is changed, not what will: the pause stays dated.
    again = stocked.call("PATCH", path, {"stock": 7})
    assert (again.status, stocked.get(path).json["state"]) == (201, "live")
    versions = stocked.get(f"{path}/versions").json["versions"]
    assert [version["version"] for version in versions] == [1, 2, 3, 4]
    assert versions[1]["reason"] == "sale"
    assert versions[1]["made_by"].startswith("key:")
    assert [change["path"] for change in versions[1]["changes"]] == ["prices.standard.points.stars", "cost"]
    assert versions[1]["changes"][0]["en"] == "Reward mug, price, standard, points, stars: 500 becomes 400"
    assert (
        versions[1]["changes"][0]["fr"] == "Récompense mug, prix, standard, points, stars : 500 devient 400"
    )
    assert stocked.call("PATCH", path, {"stock": 7}).status == 200
    stocked.call("PATCH", path, {"key": "cup"}).problem(422, "invalid_reward")
    stocked.call("PATCH", path, {}).problem(422, "invalid_reward")
    stocked.call("PATCH", "/rewards/none", {"stock": 7}).problem(404, "unknown_reward")


def test_one_key_writes_once(stocked: Shop) -> None:
    first = stocked.call("PATCH", "/rewards/mug", {"stock": 7}, idempotency="a")
    again = stocked.call("PATCH", "/rewards/mug", {"stock": 7}, idempotency="a")
    assert (first.status, again.status, again.content == first.content) == (201, 201, True)
    assert again.headers["Idempotency-Replayed"] == "true"
    stocked.call("PATCH", "/rewards/mug", {"stock": 8}, idempotency="a").problem(
        422, "idempotency_key_reused"
    )


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (mug(prices=[{"points": {"star": "1"}}]), "prices[0].points.star"),
        (mug(prices=[{"points": {"stars": 5.5}}]), "prices[0].points.stars"),
        (mug(colour="red"), "colour"),
        (mug(gives={"kind": "percent_off", "percent": "200"}), "gives.percent"),
        (mug(name={}), "name"),
        (mug(category="food\n"), "category"),
        ([], ""),
        ({}, ""),
    ],
)
def test_a_document_with_errors_is_refused_with_places(shop: Shop, body: Any, field: str) -> None:
    problem = shop.call("PUT", "/rewards/mug", body).problem(422, "invalid_reward")
    assert field in {item["field"] for item in problem["errors"]}
    with database.connect("app") as connection:
        assert connection.execute("select count(*) from reward").fetchone() == (0,)


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b" ", 400),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b'{"key": "mug", "key": "mug"}', 400),
        (b'{"name": {"en": "\\ud800"}}', 400),
        (b"[" * 9000, 400),
        (b'{"a":' * 500 + b"1" + b"}" * 500, 400),
        (b"null", 422),
        (b"3", 422),
    ],
)
@pytest.mark.parametrize(("method", "path"), [("PUT", "/rewards/mug"), ("POST", "/rewards:import")])
def test_bodies_that_are_none(shop: Shop, method: str, path: str, raw: bytes, status: int) -> None:
    found = shop.call(method, path, raw=raw)
    assert (found.status, found.kind) == (status, "application/problem+json"), found.content


def test_many_are_written_and_those_with_errors_told(shop: Shop) -> None:
    sent = [
        mug("a"), mug("b"), mug("a"), mug("c", stock=-1), mug("d", partner="x"),
        mug("e", gives={"kind": "bundle", "rewards": [{"reward": "a"}, {"reward": "b"}]}),
        mug("f", gives={"kind": "bundle", "rewards": [{"reward": "a"}, {"reward": "d"}]}), 7,
    ]  # fmt: skip
    found = shop.post("/rewards:import", {"rewards": sent}).json
    counts = {name: found[name] for name in ("sent", "new", "changed", "same", "refused")}
    assert counts == {"sent": 8, "new": 3, "changed": 0, "same": 0, "refused": 5}
    told = {(item["line"], item["reward"], item["field"]) for item in found["problems"]}
    assert told == {
        (3, "a", "key"), (4, "c", "stock"), (5, "d", "partner"), (7, "f", "gives.rewards[1].reward"), (8, "", ""),
    }  # fmt: skip
    again = shop.post("/rewards:import", {"rewards": [mug("a"), mug("b", stock=2)]}).json
    assert (again["same"], again["changed"], again["new"]) == (1, 1, 0)
    shop.post("/rewards:import", {"rewards": [mug()] * 1001}).problem(422, "malformed", "rewards")
    shop.post("/rewards:import", {"items": []}).problem(422, "malformed", "body")


def test_queries_that_cannot_be_meant(stocked: Shop) -> None:
    for query, field in (
        ("sort=price", "sort"), ("reachable=true", "reachable"), ("max_points=5", "max_points"),
        ("country=fr", "country"), ("currency=stars&max_points=-1", "max_points"), ("limit=0", "limit"),
        ("currency=stars&max_points=1.001", "max_points"), ("q=", "q"), ("colour=red", "colour"),
    ):  # fmt: skip
        stocked.get(f"/rewards?{query}").problem(
            422, "invalid_amount" if "1.001" in query else "malformed", field
        )
    stocked.get("/rewards?currency=moons").problem(404, "unknown_point_currency", "currency")
    for hostile in ("%00", "'; drop table reward --", "a:*|b&!(", "\\", "%F0%9F%98%80", "日本", "' or 1=1"):
        quoted = hostile if hostile.startswith("%") else quote(hostile)
        found = stocked.get(f"/rewards?q={quoted}")
        assert found.status == (422 if hostile == "%00" else 200), hostile


def test_what_suits_a_member_has_its_reason(shop: Shop) -> None:
    written = document(
        "tastes",
        member_attributes={"interests": {"type": "text"}, "likes_tea": {"type": "boolean"}},
    )
    tastes = Shop("tastes", written)
    for key, tags in (
        ("plain", []),
        ("beans", ["coffee"]),
        ("leaves", ["likes_tea"]),
        ("flowers", ["floral"]),
    ):
        assert tastes.call("PUT", f"/rewards/{key}", mug(key, tags=tags)).status == 201
    member = tastes.post(
        "/members", {"identities": {"card": "7"}, "attributes": {"interests": "Jazz, Coffee"}}
    ).json["member"]
    line = {"amount": "450.00", "category": "FLORAL"}
    body = {
        "source": "till", "id": "s", "type": "sale", "occurred_at": now_text(), "member": member,
        "amount": "450.00", "lines": [line],
    }  # fmt: skip
    assert tastes.post("/activities", body).json["status"] == "applied"
    found = tastes.get(f"/members/{member}/rewards?lang=en").json["rewards"]
    assert [(item["reward"], item["because"]["code"], item["because"]["text"]) for item in found] == [
        ("beans", "interest", "you like coffee"),
        ("flowers", "bought", "you often buy floral"),
        ("plain", "nearly", "only 50 stars more"),
        ("leaves", "nearly", "only 50 stars more"),
    ]
    assert (
        tastes.get(f"/members/{member}/rewards?lang=fr").json["rewards"][0]["because"]["text"]
        == "vous aimez : coffee"
    )
    shop.get(f"/members/{member}/rewards").problem(404, "unknown_member")


def test_the_catalogue_is_described(shop: Shop) -> None:
    paths = schema()["paths"]
    assert {
        "/v1/rewards",
        "/v1/rewards/{reward}",
        "/v1/rewards:import",
        "/v1/members/{ref}/rewards",
    } <= paths.keys()
