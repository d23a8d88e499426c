"""A small published program, its members, and lines for them: what tests of the batch stand on."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import msgspec
import psycopg

from palier.activities.runtime import Runtime, runtime
from palier.activities.wire import Read
from palier.engine.facts import Fact, encode_fact
from palier.engine.program import Program
from palier.members.operations import NewMember, enrol
from palier.programs.operations import publish

Connection = psycopg.Connection[tuple[Any, ...]]

BEGINNING = 1_400_000_000_000_000
NOW = 1_800_000_000_000_000


def program(**settings: Any) -> Program:
    """Stars, one a euro, released at once, without tiers: whatever a test needs beside is given."""
    document = {
        "palier": 1,
        "key": "shop",
        "name": {"en": "Shop", "fr": "Boutique"},
        "time_zone": "Europe/Paris",
        "currency": "EUR",
        "point_currencies": [
            {
                "key": "stars",
                "name": {
                    "en": {"one": "star", "other": "stars"},
                    "fr": {"one": "étoile", "other": "étoiles"},
                },
            }
        ],
        "rules": [
            {
                "key": "base",
                "name": {"en": "One star a euro", "fr": "Une étoile par euro"},
                "on": "sale",
                "currency": "stars",
                "per_spend": {"points": "1", "every": "1"},
            }
        ],
    }  # fmt: skip
    return msgspec.convert({**document, **settings}, Program)


def published(connection: Connection, document: Program, now: int = BEGINNING) -> Runtime:
    """The program, published and ready."""
    publish(connection, document, now=now, published_by="test")
    connection.commit()
    found = runtime(connection, document.key)
    assert found is not None
    connection.rollback()
    return found


def member(connection: Connection, program_id: int, card: str) -> int:
    """A new member with a card."""
    answer = enrol(connection, program_id, [NewMember({"card": card})], now=BEGINNING)[0]
    connection.commit()
    assert answer.created, answer
    return answer.member_id


def line(fact: Fact, card: str) -> Read:
    """A fact as a line that was read."""
    payload = encode_fact(fact)
    return Read(fact, {"card": card}, payload, sha256(payload).digest())
