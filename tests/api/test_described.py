"""The API's own description is true. `Shop.call` compares every answer with it; here is that it sees what differs."""

from __future__ import annotations

import json

from palier.api.reference import schema
from tests.api.described import differences
from tests.api.shop import Shop

JSON = "application/json"


def test_what_differs_is_seen(shop: Shop, member: str) -> None:
    path = f"/v1/members/{member}/progress"
    found = shop.get(f"/members/{member}/progress")
    assert differences("GET", path, 200, JSON, found.content) == []
    told = found.json
    del told["tier"]
    assert differences("GET", path, 200, JSON, json.dumps(told).encode()) == [
        ': "tier" is a required property'
    ]
    assert differences("GET", path, 200, "text/csv", b"") == ["text/csv is not among ['application/json']"]
    assert differences("GET", path, 201, JSON, found.content) == ["status 201 is not described"]
    assert differences("GET", "/v1/nowhere", 200, JSON, b"{}") == []


def test_files_are_described_by_their_own_types() -> None:
    for path, kind in (
        ("/v1/settlements/lines", "text/csv"),
        ("/v1/settlements/statement", "application/pdf"),
        ("/v1/orders/{order}/receipt", "application/pdf"),
    ):
        assert list(schema()["paths"][path]["get"]["responses"]["200"]["content"]) == [kind]


def test_no_two_forms_are_told_by_one_name(shop: Shop) -> None:
    """What an order costs and what a reward costs are two forms, as are findings of rewards and of programs."""
    forms = schema()["components"]["schemas"]
    assert set(forms["OrderPrice"]["required"]) == {"price", "points", "money"}
    assert set(forms["PriceAnswer"]["required"]) == {"key", "points", "money", "tiers"}
    assert set(forms["RewardFinding"]["required"]) == {"code", "path", "message", "remedy"}
    assert set(forms["FindingAnswer"]["required"]) == {"code", "name", "severity", "path", "reason", "remedy"}
