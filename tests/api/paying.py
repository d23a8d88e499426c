"""A program that pays out: members with money and accounts, and batches in every state."""

from __future__ import annotations

from typing import Any

from palier.activities import batch
from palier.activities.runtime import runtime
from palier.members import refs
from palier.payouts import accounts, operations
from palier.site import clock, database
from palier.staff import approvals
from palier.staff.approvals import Person
from tests.api.shop import Shop

_NAME = {"one": "euro", "other": "euros"}
CASH: dict[str, Any] = {
    "key": "cash", "name": {"en": _NAME, "fr": _NAME}, "kind": "cash", "scale": 2, "value": "1",
    "pay_out_from": "10",
}  # fmt: skip
IBAN = "DE89370400440532013000"
SECOND = Person("cli:zoe", "zoe", "operator")


class Paying:
    """Pay-outs of a shop: one asked for, and one in each of an approved, a written and a sent batch."""

    def __init__(self, shop: Shop, member: str) -> None:
        self.shop = shop
        with database.connect("app") as connection:
            accounts.set_payer(
                connection, shop.program_id, name="Club SAS", iban="FR1420041010050500013M02606", bic="",
                by=SECOND, now=clock.now(),
            )  # fmt: skip
            connection.commit()
        self.batches: dict[str, str] = {}
        self.payouts: dict[str, str] = {}
        for state in ("sent", "written", "approved"):
            self.payouts[state] = self.asked(shop.enrol(f"payee-{state}"))
            self.batches[state] = self.batch(state)
        self.payouts["asked"] = self.asked(member)

    def asked(self, member: str) -> str:
        """A pay-out of ten euros that a member with twenty asked for."""
        gift = {"member": member, "currency": "cash", "points": "20", "reason": "test"}
        assert self.shop.post("/adjustments", gift).status == 201
        account = {"iban": IBAN, "holder": "Ann"}
        assert self.shop.call("PUT", f"/members/{member}/bank-account", account).status == 200
        made = self.shop.post("/payouts", {"member": member, "currency": "cash", "points": "10"})
        assert made.status == 201, made.content
        found: str = made.json["payout"]
        return found

    def batch(self, state: str) -> str:
        """What is asked for, in a batch of this state."""
        made = self.shop.post("/payout-batches", {"method": "sepa"})
        assert made.status == 201, made.content
        batch_id, approval_id = (
            refs.decode_as("pb", made.json["batch"]),
            refs.decode_as("ap", made.json["approval"]),
        )
        assert batch_id is not None
        assert approval_id is not None
        now = clock.now()
        with database.connect("app") as connection:
            program = runtime(connection, self.shop.key)
            assert program is not None
            program_id = program.program_id
            batch.attempt(
                connection,
                lambda: approvals.decide(
                    connection, program_id, approval_id, approve=True, by=SECOND, decision="", now=now
                ),
            )
            if state != "approved":
                batch.attempt(
                    connection,
                    lambda: operations.write_file(connection, program, batch_id, by=SECOND, now=now),
                )
        if state == "sent":
            assert self.shop.post(f"/payout-batches/{made.json['batch']}/sent").status == 200
        found: str = made.json["batch"]
        return found

    def path(self, path: str) -> str:
        """The address of an operation, with what is in the state that it asks for."""
        payout = "written" if path.endswith("/returned") else "asked"
        states = {"stop": "approved", "sent": "written", "paid": "sent"}
        found = self.batches[states.get(path.rpartition("/")[2], "sent")]
        return path.replace("{payout}", self.payouts[payout]).replace("{batch}", found)
