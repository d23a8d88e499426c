"""A published program, its keys, and a client that speaks the API as an integration does."""

from __future__ import annotations

import json
from collections.abc import Sequence
from copy import copy
from datetime import datetime
from typing import Any, Self
from zoneinfo import ZoneInfo

from django.http import HttpResponse
from django.test import Client

from palier.engine.clock import DAY, moment
from palier.engine.program import Program
from palier.members import operations as members
from palier.members import refs
from palier.programs import files
from palier.programs.operations import publish
from palier.site import clock, database
from palier.staff.operations import NewKey, create_key
from palier.staff.queries import RIGHTS
from tests.api.described import differences

CARD = "2801"


def document(key: str = "club", **changes: Any) -> dict[str, Any]:
    """One star for each euro with two decimals, gone a year after the month; gifts wait two days."""
    star = {"one": "star", "other": "stars"}
    gift = {"one": "gift", "other": "gifts"}
    return {
        "palier": 1,
        "key": key,
        "name": {"en": "Club", "fr": "Club"},
        "time_zone": "Europe/Paris",
        "currency": "EUR",
        "effective_from": "2020-01-01T00:00:00+01:00",
        "point_currencies": [
            {
                "key": "stars",
                "name": {"en": star, "fr": star},
                "scale": 2,
                "expiry": {"kind": "end_of_month", "after_months": 12},
                "transferable": True,
            },
            {
                "key": "gifts",
                "name": {"en": gift, "fr": gift},
                "pending": {"kind": "days", "days": 2},
                "taking_back": "debt",
            },
        ],
        "member_attributes": {
            "age": {"type": "integer"},
            "height": {"type": "decimal", "decimals": 2},
            "born": {"type": "date"},
            "vip": {"type": "boolean"},
        },
        "rules": [
            {
                "key": "base",
                "name": {"en": "Base", "fr": "Base"},
                "on": "sale",
                "currency": "stars",
                "per_spend": {"points": "1", "every": "1.00"},
            },
            {
                "key": "gift",
                "name": {"en": "Gift", "fr": "Cadeau"},
                "on": "sale",
                "currency": "gifts",
                "when": {"field": "amount", "at_least": "100.00"},
                "fixed": "1",
            },
        ],
        "tiers": {
            "tiers": [
                {"key": "green", "name": {"en": "Green", "fr": "Vert"}},
                {
                    "key": "gold",
                    "name": {"en": "Gold", "fr": "Or"},
                    "qualify": {
                        "all": [
                            {"metric": "spend", "at_least": "200.00"},
                            {"metric": "visits", "at_least": "2"},
                        ]
                    },
                },
            ],
            "window": {"kind": "rolling", "days": 365},
        },
        **changes,
    }


def program_of(data: dict[str, Any]) -> Program:
    read = files.from_builtins(data)
    assert read.program is not None, read.problems
    return read.program


class Answered:
    """An answer: its status, JSON and headers."""

    def __init__(self, response: HttpResponse) -> None:
        self.status = response.status_code
        self.headers = response.headers
        self.content = response.content
        self.kind = response.headers.get("Content-Type", "")

    @property
    def json(self) -> Any:
        return json.loads(self.content)

    def problem(self, status: int, code: str, field: str | None = None) -> dict[str, Any]:
        """The problem document, checked to be this one and complete."""
        found: dict[str, Any] = self.json
        assert (self.status, found.get("code")) == (status, code), (self.status, found)
        assert self.kind == "application/problem+json"
        assert found["status"] == status
        assert found["type"] == f"urn:palier:problem:{code}"
        assert found["title"]
        assert found["detail"]
        if field is not None:
            assert found.get("field") == field, found
        return found


class Shop:
    """One program with a key that may do all, as seen through the public surface."""

    def __init__(self, key: str = "club", data: dict[str, Any] | None = None) -> None:
        self.client = Client(SERVER_NAME="localhost")
        self.key = key
        with database.connect("app") as connection:
            version = publish(
                connection, program_of(data or document(key)), now=clock.now(), published_by="test"
            )
            self.program_id = version.program_id
            connection.commit()
        self.token = self.new_key().token
        self.sent = 0

    def __deepcopy__(self, known: dict[int, Any]) -> Self:
        """The same shop, seen by a client of its own."""
        made = known[id(self)] = copy(self)
        made.client = Client(SERVER_NAME="localhost")
        return made

    def new_key(
        self,
        rights: Sequence[str] = RIGHTS,
        expires_at: int | None = None,
        partner: str = "",
        name: str = "test",
    ) -> NewKey:
        with database.connect("app") as connection:
            made = create_key(
                connection,
                self.program_id,
                name=name,
                rights=rights,
                now=clock.now(),
                expires_at=expires_at,
                partner=partner,
            )
            connection.commit()
        return made

    def enrol(self, card: str = CARD) -> str:
        """A member's reference."""
        with database.connect("app") as connection:
            found = members.enrol(
                connection, self.program_id, [members.NewMember({"card": card})], now=clock.now()
            )
            connection.commit()
        return found[0].ref

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        idempotency: str | None = None,
        raw: bytes | None = None,
        kind: str = "application/json",
        encoding: str = "",
    ) -> Answered:
        headers: dict[str, str] = {"Content-Encoding": encoding} if encoding else {}
        given = self.token if token is None else token
        if given:
            headers["Authorization"] = f"Bearer {given}"
        if idempotency is not None:
            headers["Idempotency-Key"] = idempotency
        content = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        found = Answered(
            self.client.generic(method, f"/v1{path}", content, content_type=kind, headers=headers)  # type: ignore[arg-type]
        )
        differing = differences(method, f"/v1{path}", found.status, found.kind, found.content)
        assert not differing, (method, path, differing, found.content)
        return found

    def get(self, path: str, **options: Any) -> Answered:
        return self.call("GET", path, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> Answered:
        return self.call("POST", path, body, **options)

    def sale(
        self, member: str, amount: str, *, at: str | None = None, id: str | None = None
    ) -> dict[str, Any]:
        """A sale of a member, sent."""
        self.sent += 1
        body = {
            "source": "till",
            "id": id or f"sale-{self.sent}",
            "type": "sale",
            "occurred_at": at or now_text(),
            "member": member,
            "amount": amount,
        }
        found = self.post("/activities", body)
        assert found.status == 200, found.content
        answer: dict[str, Any] = found.json
        return answer

    def wallet(self, member: str, currency: str = "stars", query: str = "") -> dict[str, Any]:
        found = self.get(f"/members/{member}/wallets{query}")
        assert found.status == 200, found.content
        wallet: dict[str, Any] = next(w for w in found.json["wallets"] if w["currency"] == currency)
        return wallet


def here(days: int = 0) -> datetime:
    """The server's instant, some days from now, on a wall in Paris, where its programs are."""
    return moment(clock.now() + days * DAY).astimezone(ZoneInfo("Europe/Paris"))


def now_text(days: int = 0) -> str:
    """The server's instant, some days from now."""
    return moment(clock.now() + days * DAY).isoformat()


def member_id(ref: str) -> int:
    return refs.decode(ref)
