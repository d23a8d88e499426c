"""A cursor is of one list: of another member, filter, program or partner it is none, and nothing is left out."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.shop import Shop, document
from tests.api.test_partners import OURS, Town, month

FREE = {"prices": [{"points": {"stars": "1"}}], "gives": {"kind": "service"}}


def next_of(shop: Shop, path: str, token: str | None = None) -> str:
    """Where the first page of a list ends."""
    return str(shop.get(f"{path}{'&' if '?' in path else '?'}limit=1", token=token).json["next"])


def none(shop: Shop, path: str, cursor: str, token: str | None = None) -> None:
    refused = shop.get(f"{path}{'&' if '?' in path else '?'}cursor={cursor}", token=token)
    found = refused.problem(422, "malformed", "cursor")
    assert "keep the other parameters" in found["remedy"]


@pytest.fixture
def busy(shop: Shop) -> dict[str, Any]:
    """Two members with sales and orders; the first has two of each."""
    members = [shop.enrol(), shop.enrol("other")]
    assert shop.call("PUT", "/rewards/right", {"key": "right", "name": {"en": "R"}, **FREE}).status == 201
    assert shop.call("PUT", "/rewards/other", {"key": "other", "name": {"en": "O"}, **FREE}).status == 201
    for member in (*members, members[0]):
        shop.sale(member, "10.00")
        made = shop.post("/orders", {"member": member, "reward": "right", "confirm": False})
        assert made.status == 201, made.content
    return {"first": members[0], "other": members[1]}


def test_a_cursor_is_of_one_list(shop: Shop, busy: dict[str, Any]) -> None:
    first, other = busy["first"], busy["other"]
    cursor = next_of(shop, f"/members/{first}/history")
    none(shop, f"/members/{other}/history", cursor)
    none(shop, f"/members/{first}/orders", cursor)
    orders = next_of(shop, f"/members/{first}/orders")
    none(shop, f"/members/{first}/orders?state=done", orders)
    none(shop, f"/members/{first}/history", orders)
    waiting = next_of(shop, "/orders?state=reserved")
    none(shop, "/orders?state=fulfilling", waiting)
    none(shop, "/cases", waiting)
    shelf = next_of(shop, "/rewards")
    for filtered in ("/rewards?sort=ending", "/rewards?q=right", f"/rewards?member={first}"):
        none(shop, filtered, shelf)


def test_a_page_may_be_of_any_length(shop: Shop, busy: dict[str, Any]) -> None:
    path = f"/members/{busy['first']}/orders?state=reserved"
    rest = shop.get(f"{path}&cursor={next_of(shop, path)}&limit=7")
    assert (rest.status, len(rest.json["orders"]), rest.json["next"]) == (200, 1, None)


def test_a_cursor_of_another_program_is_none(shop: Shop, busy: dict[str, Any]) -> None:
    other = Shop("other", document("other"))
    cursor = next_of(shop, "/orders?state=reserved")
    none(other, "/orders?state=reserved", cursor)
    again = shop.get(f"/orders?state=reserved&cursor={cursor}", token=shop.new_key().token)
    assert (again.status, len(again.json["orders"])) == (200, 2)


def test_a_cursor_of_the_operator_is_none_of_a_partner(scene: Any) -> None:
    town = scene(Town)
    for number in range(3):
        assert town.sold(OURS, town.ours, f"s{number}").status == 200
    path = f"/settlements?period={month()}"
    cursor = next_of(town, path)
    none(town, path, cursor, town.ours)
    none(town, f"{path}&partner={OURS}", cursor)
    own = next_of(town, path, town.ours)
    assert town.get(f"{path}&cursor={own}", token=town.ours).status == 200
