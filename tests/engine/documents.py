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
