"""Decisions told as arithmetic one could do by hand, in English and French; and why a rule brought nothing.

Every number in a sentence is one of the trace, of the transfers, or of the program: "€42.10 × 1 star = 42 ·
Gold × 1.5 = 63 · daily cap 60 → 60". A fraction of a point is dropped unless the words say otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence

from palier.engine.explain.nearly import why_not
from palier.engine.explain.teller import Teller
from palier.engine.explain.telling import Step, Told, Words, net
from palier.engine.plan import Plan
from palier.engine.words import NO_BREAK


def sentence(told: Told, plan: Plan, language: str) -> str:
    """The whole explanation in one line, in "en" or "fr". `plan` is the version that the trace names."""
    return in_one_line(lines(told, plan, language), language)


def in_one_line(steps: Sequence[Step], language: str) -> str:
    """The steps of an explanation as one sentence."""
    if len(steps) == 1:
        return steps[0].text
    joint = f"{NO_BREAK}: " if language == "fr" else ": "
    gap = f"{NO_BREAK}; " if language == "fr" else "; "
    return gap.join(f"{step.title}{joint}{step.text}" if step.title else step.text for step in steps)


def lines(told: Told, plan: Plan, language: str) -> list[Step]:
    """One step for each rule that earned and each thing that moved; never empty."""
    return Teller(told, plan, language).steps()


__all__ = ["Step", "Told", "Words", "in_one_line", "lines", "net", "sentence", "why_not"]
