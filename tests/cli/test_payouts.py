"""Pay-outs from the command line: what is counted is said as one says it."""

from __future__ import annotations

from palier.payouts import accounts
from palier.site import clock
from tests.activities.program import Connection
from tests.commands import said as palier
from tests.payouts.shop import ANN, PAYER, Desk


def test_one_pay_out_is_one(connection: Connection) -> None:
    desk = Desk(connection)
    desk.member(euros=10)
    desk.do(
        lambda: accounts.set_payer(
            connection, desk.program_id, name="Palier", iban=PAYER, bic="", by=ANN, now=clock.now()
        )
    )
    assert (
        palier("payouts", "ask", "shop", "--currency", "cash")[1]
        == "1 pay-out asked for, 10.00 EUR in all.\n"
    )
    code, out, error = palier("payouts", "propose", "shop")
    assert (code, error) == (0, "")
    assert out.splitlines()[0].endswith(": 1 pay-out, 10.00 EUR.")
