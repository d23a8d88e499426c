"""A program that pays cash back, members with money in their wallets and accounts, and two persons of staff."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from palier.activities import batch
from palier.activities.runtime import Runtime
from palier.engine.facts import Fact
from palier.engine.program import Program
from palier.members import refs
from palier.payouts import accounts, operations, queries
from palier.payouts.operations import Method, Written
from palier.payouts.queries import Batch, Payout
from palier.staff import approvals
from palier.staff.approvals import Approval, Person
from tests.activities.program import NOW, Connection, line, member, program, published

ANN = Person("key:aaaaaaaaaaaa", "ann", "integration")
BEN = Person("key:bbbbbbbbbbbb", "ben", "integration")
PAYER = "FR1420041010050500013M02606"
IBANS = (
    "DE89370400440532013000", "FR7630006000011234567890189", "NL91ABNA0417164300", "ES9121000418450200051332",
    "BE68539007547034", "IT60X0542811101000000123456",
)  # fmt: skip
OUTSIDE = "TR330006100519786457841326"
"""An account that SEPA does not reach."""

Answer = TypeVar("Answer")


def cashback(**settings: Any) -> Program:
    """One euro back for each ten, paid out from ten euros on."""
    noun = {"one": "euro back", "other": "euros back"}
    cash = {
        "key": "cash", "name": {"en": noun, "fr": noun}, "kind": "cash", "scale": 2, "value": "1",
        "pay_out_from": "10", "expiry": {"kind": "rolling", "days": 700},
    }  # fmt: skip
    made = msgspec.to_builtins(program())
    rule = {**made["rules"][0], "currency": "cash", "per_spend": {"points": "0.1", "every": "1"}}
    return msgspec.convert(
        {**made, "point_currencies": [*made["point_currencies"], cash], "rules": [rule], **settings}, Program
    )


class Desk:
    """The published program and what staff do with it, each in a transaction of its own."""

    def __init__(self, connection: Connection, document: Program | None = None) -> None:
        self.connection = connection
        self.runtime: Runtime = published(connection, document or cashback())
        self.members: list[int] = []
        self.do(
            lambda: accounts.set_payer(
                connection,
                self.program_id,
                name="Palier Test SAS",
                iban=PAYER,
                bic="PSSTFRPP",
                by=ANN,
                now=NOW,
            )
        )

    @property
    def program_id(self) -> int:
        return self.runtime.program_id

    def do(self, act: Callable[[], Answer], connection: Connection | None = None) -> Answer:
        return batch.attempt(connection or self.connection, act)

    def member(self, euros: int = 0, iban: str | None = None, holder: str = "Zoë Lefèvre & Cie") -> int:
        """A member who spent ten times these euros, with an account."""
        number = len(self.members)
        card = f"c{number}"
        who = member(self.connection, self.program_id, card)
        self.members.append(who)
        if euros:
            sale = Fact("till", f"s{number}", "sale", NOW - 1, euros * 1000)
            assert (
                batch.apply(self.connection, self.runtime, [line(sale, card)], now=NOW)[0].status == "applied"
            )
        if iban != "":
            self.account(who, iban or IBANS[number % len(IBANS)], holder)
        return who

    def account(self, who: int, iban: str, holder: str = "Zoë Lefèvre") -> None:
        self.do(
            lambda: accounts.set_account(
                self.connection, self.program_id, who, iban=iban, holder=holder, by=ANN, now=NOW
            )
        )

    def ask(
        self, who: int, cents: int | None = None, id: str = "", connection: Connection | None = None,
        now: int = NOW,
    ) -> Payout:  # fmt: skip
        inner = connection or self.connection
        return self.do(
            lambda: operations.ask(
                inner, self.runtime, member_id=who, currency="cash", points=cents, source="app",
                id=id or f"p-{refs.encode(who)}", by=ANN, now=now,
            ),
            inner,
        )  # fmt: skip

    def propose(
        self, method: Method = "sepa", connection: Connection | None = None, most: int = 1000, now: int = NOW
    ) -> Batch:
        inner = connection or self.connection
        return self.do(
            lambda: operations.propose(
                inner, self.runtime, method=method, by=ANN, reason="monthly", now=now, most=most
            ),
            inner,
        )

    def decide(self, found: Batch, by: Person = BEN, *, approve: bool = True, now: int = NOW) -> Approval:
        asked = approvals.find(self.connection, self.program_id, operations.KIND, found.ref)
        assert asked is not None
        return self.do(
            lambda: approvals.decide(
                self.connection, self.program_id, asked.approval_id, approve=approve, by=by, decision="ok",
                now=now,
            )
        )  # fmt: skip

    def file(self, found: Batch, connection: Connection | None = None, **more: Any) -> Written:
        inner = connection or self.connection
        given = {"by": BEN, "now": NOW, **more}
        return self.do(lambda: operations.write_file(inner, self.runtime, found.batch_id, **given), inner)

    def sent(self, found: Batch) -> Batch:
        return self.do(
            lambda: operations.sent(
                self.connection, self.program_id, found.batch_id, reason="", by=BEN, now=NOW
            )
        )

    def paid(self, found: Batch) -> Batch:
        return self.do(
            lambda: operations.paid(
                self.connection, self.program_id, found.batch_id, reason="", by=BEN, now=NOW
            )
        )

    def returned(self, payout: Payout, connection: Connection | None = None) -> Payout:
        inner = connection or self.connection
        found = queries.again(inner, payout)
        assert found is not None
        return self.do(
            lambda: operations.returned(inner, self.runtime, found, reason="AC04", by=BEN, now=NOW), inner
        )

    def cancel(self, payout: Payout, connection: Connection | None = None) -> Payout:
        inner = connection or self.connection
        return self.do(
            lambda: operations.cancel(inner, self.runtime, payout, reason="not wanted", by=BEN, now=NOW),
            inner,
        )

    def states(self) -> list[str]:
        """The states of all pay-outs, in the order in which they were asked for."""
        rows = self.connection.execute("select state from payout order by payout_id").fetchall()
        self.connection.rollback()
        return [row[0] for row in rows]

    def wallet(self, who: int) -> tuple[int, int]:
        """(posted, held) of a member's cash, in cents."""
        row = self.connection.execute(
            "select posted, held from wallet where member_id = %s and currency = 'cash'", (who,)
        ).fetchone()
        self.connection.rollback()
        assert row is not None
        return row[0], row[1]

    def spent(self) -> int:
        """What the ledger says was taken from wallets for good, less what was given back, in cents."""
        row = self.connection.execute(
            "select coalesce(sum(case when credit = 'redemption' then amount when debit = 'redemption'"
            " then -amount else 0 end), 0) from transfer"
        ).fetchone()
        self.connection.rollback()
        assert row is not None
        return int(row[0])
