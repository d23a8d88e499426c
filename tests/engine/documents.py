"""A small valid program document to change in tests, and a context for conditions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from palier.engine.conditions import Value
from palier.engine.facts import Line, Tender
from palier.engine.program import Program


def text(word: str) -> dict[str, str]:
    return {"en": word, "fr": word}


def plain() -> dict[str, Any]:
    """A fresh document as plain data, without problems."""
    noun = {"one": "star", "other": "stars"}
    return {
        "palier": 1,
        "key": "club",
        "name": text("Club"),
        "time_zone": "Europe/Paris",
        "currency": "EUR",
        "point_currencies": [
            {"key": "stars", "name": {"en": noun, "fr": noun}},
            {"key": "cash", "name": {"en": noun, "fr": noun}, "scale": 2},
        ],
        "member_attributes": {"age": {"type": "integer"}, "vip": {"type": "boolean"}},
        "activity_types": [
            {
                "key": "review",
                "name": text("Review"),
                "attributes": {
                    "rating": {"type": "integer"},
                    "score": {"type": "decimal", "decimals": 1},
                    "kind_of": {"type": "text", "choices": ["long", "short"]},
                    "written": {"type": "date"},
                },
            }
        ],
        "rules": [
            {
                "key": "base",
                "name": text("Base"),
                "on": "sale",
                "currency": "stars",
                "per_spend": {"points": "1"},
            },
            {
                "key": "bonus",
                "name": text("Bonus"),
                "on": "sale",
                "currency": "stars",
                "fixed": "5",
                "group": "extra",
            },
        ],
        "groups": [{"key": "extra", "stacking": "best"}],
        "tiers": {
            "tiers": [
                {"key": "green", "name": {"en": "Green", "fr": "Vert"}},
                {
                    "key": "gold",
                    "name": {"en": "Gold", "fr": "Or"},
                    "qualify": {"all": [{"metric": "spend", "at_least": "100"}]},
                },
            ],
            "window": {"kind": "rolling", "days": 365},
        },
    }


def program(data: dict[str, Any] | None = None) -> Program:
    return msgspec.convert(data if data is not None else plain(), Program)


class Context:
    """What a condition reads, settable."""

    def __init__(self, **values: Any) -> None:
        self.amount = 0
        self.quantity = 0
        self.lines: Sequence[Line] = ()
        self.channel: str | None = None
        self.location: str | None = None
        self.partner: str | None = None
        self.tenders: Sequence[Tender] = ()
        self.tier = 0
        self.segments: frozenset[str] = frozenset()
        self.weekday = 0
        self.minute = 0
        self.day = 1
        self.nth: Callable[[str], int] = lambda per: 1
        self.member: Mapping[str, Value] = {}
        self.attributes: Mapping[str, Value] = {}
        for name, value in values.items():
            setattr(self, name, value)


def full() -> dict[str, Any]:
    """A fresh document with every mechanic in it, without problems."""
    data = plain()
    noun = {"one": "unit", "other": "units"}
    name = {"en": noun, "fr": noun}
    data["effective_from"] = "2026-03-01T00:00:00+01:00"
    data["point_currencies"] += [
        {"key": "euros", "name": name, "kind": "cash", "scale": 2, "value": "1", "pay_out_from": "10.00"},
        {"key": "freezes", "name": name, "kind": "token", "icon": "snow"},
        {"key": "coffees", "name": name, "kind": "reward", "icon": "cup"},
        {"key": "explorer", "name": name, "kind": "badge"},
    ]
    data["point_currencies"][0]["value"] = "0.01"
    data["activity_types"] += [
        {"key": "rent", "name": text("Rent"), "money": True},
        {"key": "review_removed", "name": text("Removed"), "withdraws": "review"},
    ]
    data["rules"].append(
        {
            "key": "with_partner",
            "name": text("Partner"),
            "on": "sale",
            "currency": "stars",
            "when": {"field": "partner", "is": "bakery"},
            "fixed": "3",
            "funded_by": "partner",
        }
    )
    data["tiers"]["tiers"][1]["grants"] = [{"currency": "coffees"}]
    data["adjustments"] = {
        "reasons": [{"key": "goodwill", "name": text("Goodwill"), "direction": "give"}],
        "limits": [
            {"currency": "stars", "approval_above": "100", "at_once": "500", "day": "1000"},
            {"currency": "euros", "approval_above": "20.00", "at_once": "50.00", "day": "100.00"},
        ],
        "approval_days": 3,
    }
    data["campaigns"] = [
        {
            "key": "happy_hour",
            "name": text("Happy hour"),
            "active_from": "2026-03-01",
            "active_until": "2026-06-30",
            "audience": {"any": [{"field": "tier", "is": "gold"}, {"field": "member.age", "at_least": 65}]},
            "calendar": {"weekdays": ["monday"], "from": "17:00", "until": "19:00"},
            "budget": {"money": "500.00"},
            "rules": [{**_bonus("evening"), "multiply": "2"}],
            "exclusive": "evenings",
        },
        {
            "key": "first_of_month",
            "name": text("First"),
            "calendar": {"days_of_month": [1]},
            "budget": {"points": "10000"},
            "rules": [{**_bonus("first"), "fixed": "10"}],
            "exclusive": "evenings",
        },
    ]
    data["goals"] = [
        _goal("ten_coffees", kind="stamp_card", measure="units", repeat=True, head_start="2", surplus="reset")
        | {
            "lines": {"field": "category", "is": "coffee"},
            "free_unit": "cheapest",
            "most_per_day": 4,
            "steps": [_step("10", "coffees")],
        },
        _goal("journey", measure="spend", window={"kind": "each", "period": "year"})
        | {"base": {"tax": "out"}, "steps": [_step("50.00", "stars"), _step("120.50", "coffees")]},
        _goal("collector", measure="points", currency="stars", steps=[_step("500", "explorer")]),
        _goal("round_trip", measure="distinct", distinct="partner", steps=[_step("2", "explorer")]),
        _goal(
            "spring",
            kind="challenge",
            on=["sale", "visit"],
            opt_in=True,
            window={"kind": "from_start", "days": 30},
            steps=[_step("3", "stars")],
        ),
        _goal(
            "dates",
            window={"kind": "dates", "from": "2026-04-01", "until": "2026-04-30"},
            steps=[_step("3", "stars")],
        ),
        _goal("eligible", measure="spend", on=["sale", "rent"], window={"kind": "each", "period": "year"}),
    ]
    data["streaks"] = [
        {
            "key": "daily",
            "name": text("Daily"),
            "on": ["visit"],
            "freeze": "freezes",
            "repeat": True,
            "steps": [
                {"at": 3, "grants": [{"currency": "stars", "points": "1"}]},
                {"at": 7, "grants": [{"currency": "freezes"}]},
            ],
        },
        {"key": "together", "name": text("Together"), "of": "pair", "zone": "program"},
    ]
    data["games"] = [
        {
            "key": "wheel",
            "name": text("Wheel"),
            "prizes": [
                {
                    "key": "ten",
                    "name": text("Ten"),
                    "weight": 1,
                    "stock": 5,
                    "grants": [{"currency": "stars", "points": "10"}],
                },
                {"key": "blank", "name": text("Nothing"), "weight": 9},
            ],
            "price": {"currency": "stars", "points": "2"},
            "limits": {"day": 1, "month": 10},
            "budget": {"money": "100"},
            "active_until": "2026-12-31",
        },
        {
            "key": "surprise",
            "name": text("Surprise"),
            "kind": "surprise",
            "on": ["sale"],
            "when": {"field": "amount", "at_least": "5.00"},
            "cool_down_days": 30,
            "prizes": [
                {"key": "coffee", "name": text("Coffee"), "weight": 1, "grants": [{"currency": "coffees"}]}
            ],
        },
    ]
    data["quizzes"] = [
        {
            "key": "beans",
            "name": text("Beans"),
            "questions": [
                {"text": text("Q"), "answers": [{"text": text("A"), "right": True}, {"text": text("B")}]}
            ],
            "steps": [_step("1", "stars")],
        }
    ]
    data["referral"] = {
        "on": ["sale"],
        "when": {"field": "amount", "at_least": "10.00"},
        "within_days": 30,
        "referrer": [{"currency": "stars", "points": "50"}],
        "friend": [{"currency": "coffees"}],
    }
    data["memberships"] = [
        {
            "key": "coop",
            "name": text("Co-op"),
            "fee": "20.00",
            "months": 12,
            "grants": [{"currency": "coffees", "points": "2"}],
            "benefits": [text("Events")],
            "dividend": {"goal": "eligible", "currency": "euros", "least": "50.00"},
        }
    ]
    data["partners"] = [
        {
            "key": "bakery",
            "name": text("Bakery"),
            "currency": "stars",
            "agreements": [
                {"from": "2026-01-01", "issue_price": "0.012", "burn_price": "0.01"},
                {"from": "2026-07-01", "issue_price": "0.011", "most_points_month": "9000", "prepaid": "90"},
            ],
            "benefits": [text("Bread")],
        },
        {"key": "books", "name": text("Books"), "currency": "stars", "agreements": [{"from": "2026-01-01"}]},
    ]
    data["leaderboards"] = [
        {
            "key": "best_of_year",
            "name": text("Best"),
            "goal": "journey",
            "prizes": [
                {"through": 1, "grants": [{"currency": "stars", "points": "100"}]},
                {"through": 3, "grants": [{"currency": "stars", "points": "50"}]},
            ],
        }
    ]
    data["notice"] = {"announced_on": "2026-02-01", "text": text("Soon"), "keep_value": ["stars"]}
    return data


def _bonus(key: str) -> dict[str, Any]:
    return {"key": key, "name": text(key), "on": "sale", "currency": "stars"}


def _goal(key: str, **settings: Any) -> dict[str, Any]:
    return {"key": key, "name": text(key), **settings}


def _step(at: str, currency: str) -> dict[str, Any]:
    return {"at": at, "name": text(at), "grants": [{"currency": currency}]}
