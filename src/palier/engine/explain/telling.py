"""What is told, and what every teller knows: the decision, its trace, its transfers, and the program's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Self

from msgspec import Struct
from msgspec.structs import replace

from palier.engine import program as doc
from palier.engine.decisions import Transfer
from palier.engine.facts import Fact
from palier.engine.plan import Plan
from palier.engine.trace import Trace
from palier.engine.words import ProgramWords


class Told(Struct, frozen=True):
    """What is told of one decision: its type, trace and transfers, and where known its fact.

    `expiries`: lot -> the instant at which it expires (NEVER: without end). A correction has the type and the
    instant of the decision it replaces in `corrected_type` and `corrected_at`; `withdrawn` where it replaces
    it by nothing. `draw`: the bytes drawn for it, in hexadecimal. `acting`: the version in force when it acted,
    where another one judged it: tiers are reached and lost, and steps stand or fall, by that. `sale`: of a return,
    what it names.
    """

    type: str
    trace: Trace
    at: int = 0
    transfers: Sequence[Transfer] = ()
    fact: Fact | None = None
    expiries: Mapping[int, int] = {}
    corrected_type: str = ""
    corrected_at: int = 0
    withdrawn: bool = False
    draw: str = ""
    acting: Plan | None = None
    sale: Fact | None = None


class Step(Struct, frozen=True):
    """One line of an explanation: what acted (a rule's name, or empty), the arithmetic, what it moved.

    `points` are minor units of `currency`: positive into the member's wallet or pending points, negative out.
    """

    title: str
    text: str
    points: int = 0
    currency: str = ""


def net(told: Told) -> dict[str, int]:
    """By currency, what a decision changes of the member's points, pending and held ones too, less what is owed.

    Over all decisions of a member they add up to what he has.
    """
    sums: dict[str, int] = {}
    own = ("wallet", "pending", "hold", "debt")
    for _, debit, credit, currency, _, amount, _ in told.transfers:
        sums[currency] = sums.get(currency, 0) + amount * ((credit in own) - (debit in own))
    return sums


class Words(ProgramWords):
    """The words of the version of a program that a plan was compiled from."""

    def __init__(self, plan: Plan, language: str) -> None:
        super().__init__(plan.program, language, plan.clock)
        self.plan = plan


class Telling(Words):
    """One decision and the sums of its transfers."""

    def __init__(self, told: Told, plan: Plan, language: str) -> None:
        super().__init__(plan, language)
        self.told = told
        self.trace = told.trace

    @property
    def acting(self) -> Self:
        """The same told in the words of the version in force when it acted."""
        told = self.told
        if told.acting is None:
            return self
        return type(self)(replace(told, acting=None), told.acting, self.language)

    def moved_by(self, kind: str, debit: str = "", credit: str = "") -> dict[str, int]:
        sums: dict[str, int] = {}
        for name, source, target, currency, _, amount, _ in self.told.transfers:
            if name == kind and debit in ("", source) and credit in ("", target):
                sums[currency] = sums.get(currency, 0) + amount
        return sums

    def name(self, key: str) -> str:
        written = next((rule for rule in self.plan.program.rules if rule.key == key), None)
        return key if written is None else self.text(written.name) or key

    def document(self, key: str) -> doc.Rule:
        return next(rule for rule in self.plan.program.rules if rule.key == key)

    def currency(self) -> str:
        fact = self.told.fact
        if fact is not None and fact.currency:
            return fact.currency
        return self.told.transfers[0][3] if self.told.transfers else next(iter(self.plan.currencies))
