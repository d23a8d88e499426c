"""Draws: each field has its weight's share of a million draws, and a biased wheel is seen to be one."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any

from palier.activities.draws import drawn
from palier.engine.compiled import CompiledGame
from palier.engine.facts import Fact
from palier.engine.plan import Plan
from tests.model.cases import named, program_of

DRAWS = 1_000_000
WEIGHTS = (1, 2, 7, 40, 150, 300, 500)
CRITICAL = 22.458
"""The chi-square distribution with 6 degrees of freedom exceeds it once in a thousand times."""


def wheel(weights: tuple[int, ...] = WEIGHTS) -> CompiledGame:
    prizes: list[dict[str, Any]] = [
        named(f"p{number}", weight=weight, grants=[{"currency": "points", "points": "1"}])
        for number, weight in enumerate(weights)
    ]
    return Plan(program_of({"games": [named("wheel", prizes=prizes)]}), 1).games["wheel"]


def chi_square(field: Callable[[str], int], draws: int) -> float:
    """How far the fields drawn with recorded bytes are from their weights; the bytes are always the same."""
    seed = sha256(b"a month's seed").digest()
    counts = [0] * len(WEIGHTS)
    for number in range(draws):
        counts[field(f"2026-03:{sha256(seed + number.to_bytes(4, 'big')).hexdigest()}")] += 1
    total = sum(WEIGHTS)
    statistic = 0.0
    for count, weight in zip(counts, WEIGHTS, strict=True):
        expected = draws * weight / total
        statistic += (count - expected) ** 2 / expected
    return statistic


def test_a_million_draws_have_the_weights_of_the_fields() -> None:
    assert chi_square(wheel().field, DRAWS) < CRITICAL


def test_a_bias_is_seen() -> None:
    """One draw in fifty turned from the last field to the first but one, and bytes cut to too few."""
    honest = wheel()

    def turned(told: str) -> int:
        found = honest.field(told)
        return (
            len(WEIGHTS) - 2
            if found == len(WEIGHTS) - 1 and told.endswith(("00", "01", "02", "03", "04"))
            else found
        )

    def cut(told: str) -> int:
        # One byte for a sum of 1000: whole fields are never met.
        number = sha256(f"{told}:wheel".encode()).digest()[0] * 1000 >> 8
        return next(place for place, limit in enumerate(honest.cumulative) if number < limit)

    assert chi_square(turned, DRAWS // 5) > CRITICAL
    assert chi_square(cut, DRAWS // 5) > CRITICAL


def test_bytes_at_both_ends_draw_the_first_and_the_last_field() -> None:
    game = wheel((1, 1))
    assert {game.field(f"x{number}") for number in range(64)} == {0, 1}
    alone = wheel((5,))
    assert {alone.field(f"x{number}") for number in range(64)} == {0}


def test_the_seed_that_is_revealed_draws_the_recorded_bytes_again() -> None:
    """Exact values: HMAC-SHA256 of "source NUL id" under the seed, as anyone can compute them."""
    seed = bytes(range(32))
    play = Fact("app", "p1", "play", 0)
    told = drawn("2026-03", seed, play)
    assert told == "2026-03:4e23228445154359159fb5b05acd428e1591e4c13b7a6a71fa123037d2be151d"
    assert drawn("2026-03", seed, play) == told
    assert drawn("2026-03", seed, Fact("app", "p2", "play", 0)) != told
    assert drawn("2026-03", bytes(32), play) != told
