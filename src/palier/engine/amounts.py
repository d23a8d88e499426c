"""Exact amounts: decimal text to minor units and back, explicit rounding, exact shares.

Every amount is an integer in minor units. Nothing here uses binary fractions; every division names its
rounding.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from palier.engine.sentences import sentence

MAXIMUM_MINOR = 10**13
"""The largest amount accepted from outside, in minor units."""

_DECIMAL = re.compile(r"([0-9]{1,20})(?:\.([0-9]{1,20}))?", re.ASCII)


class AmountError(ValueError):
    """An amount that cannot be taken; the text says why."""


def to_minor(text: str, decimals: int) -> int:
    """Minor units of a plain ASCII decimal ("42.10" with 2 decimals is 4210).

    Refuses (AmountError) signs, exponents, separators, other scripts' digits, more decimals than
    `decimals` unless they are zeros, and more than `MAXIMUM_MINOR`.
    """
    found = _DECIMAL.fullmatch(text)
    if found is None:
        raise AmountError(sentence('%(given)r is not a plain decimal such as "42.10"', given=text[:40]))
    whole, fraction = found.group(1), found.group(2) or ""
    if len(fraction) > decimals:
        if fraction[decimals:].strip("0"):
            raise AmountError(
                sentence("%(given)s has more than %(decimals)s decimals", given=text, decimals=decimals)
            )
        fraction = fraction[:decimals]
    minor = int(whole + fraction.ljust(decimals, "0"))
    if minor > MAXIMUM_MINOR:
        raise AmountError(
            sentence(
                "%(given)s is beyond the largest amount, %(maximum_minor)s",
                given=text,
                maximum_minor=from_minor(MAXIMUM_MINOR, decimals),
            )
        )
    return minor


def from_minor(minor: int, decimals: int) -> str:
    """The decimal text of an amount, at its full scale: 4210 with 2 decimals is "42.10"."""
    if not decimals:
        return str(minor)
    sign = "-" if minor < 0 else ""
    digits = str(abs(minor)).rjust(decimals + 1, "0")
    return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}"


def ratio(text: str) -> tuple[int, int]:
    """A decimal text as an exact fraction in lowest powers of ten: "1.50" is (15, 10)."""
    whole, _, fraction = text.partition(".")
    fraction = fraction.rstrip("0")
    return int(whole + fraction), 10 ** len(fraction)


def divide(numerator: int, denominator: int, mode: str) -> int:
    """numerator / denominator as an integer, rounded by `mode`; denominator > 0.

    floor and ceiling round toward minus and plus infinity; half_up rounds halves away from zero;
    half_even rounds halves to the even neighbour.
    """
    if mode == "floor":
        return numerator // denominator
    if mode == "ceiling":
        return -(-numerator // denominator)
    quotient, rest = divmod(numerator, denominator)
    twice = 2 * rest
    if twice > denominator:
        return quotient + 1
    if twice < denominator:
        return quotient
    if mode == "half_up":
        return quotient + (1 if numerator >= 0 else 0)
    return quotient + (quotient & 1)


def shares(total: int, weights: Sequence[int]) -> list[int]:
    """`total` split exactly in proportion to `weights` (>= 0) by largest remainder, ties to the first.

    The sum of the result is `total` whenever some weight is positive; else all shares are 0.
    """
    whole = sum(weights)
    if whole <= 0:
        return [0] * len(weights)
    result = []
    rests = []
    left = total
    for index, weight in enumerate(weights):
        share, rest = divmod(total * weight, whole)
        result.append(share)
        left -= share
        rests.append((-rest, index))
    if left:
        rests.sort()
        for _, index in rests[:left]:
            result[index] += 1
    return result
