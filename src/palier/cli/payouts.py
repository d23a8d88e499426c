"""Commands on pay-outs: ask, propose, write the file for the bank, and tell what the bank did."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

import typer

from palier.cli.counting import counted
from palier.cli.session import tell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from palier.activities.runtime import Runtime
    from palier.payouts.queries import Batch
    from palier.staff.session import AnyConnection

_PROGRAM: Final = typer.Argument(help="Key of the program.", show_default=False)
_BATCH: Final = typer.Argument(help="The batch, such as pb_00q5d2m8x4k7s.", show_default=False)
_REASON: Final = typer.Option("", "--reason", help="Why, for the audit log.")
_JSON: Final = typer.Option(False, "--json", help="Print it as JSON.")
_FOLDER: Final = typer.Option(
    Path("."), "--folder", help="Where the file is put, readable by this user only.", show_default=False
)

Answer = TypeVar("Answer")


def register(app: typer.Typer) -> None:
    payouts = typer.Typer(help="Pay-outs to bank accounts.", no_args_is_help=True)
    payouts.command("payer")(payer)
    payouts.command("ask")(ask)
    payouts.command("propose")(propose)
    payouts.command("approve")(approve)
    payouts.command("stop")(stop)
    payouts.command("file")(file)
    payouts.command("sent")(sent)
    payouts.command("paid")(paid)
    payouts.command("returned")(returned)
    payouts.command("list")(list_payouts)
    app.add_typer(payouts, name="payouts")
    app.command()(donations)


def payer(
    program: str = _PROGRAM,
    name: str = typer.Option(..., "--name", help="The name on the account.", show_default=False),
    iban: str = typer.Option(..., "--iban", help="Its IBAN.", show_default=False),
    bic: str = typer.Option("", "--bic", help="Its BIC, where the bank asks for it.", show_default=False),
) -> int:
    """Set the account from which a program pays. Batches that are made already keep theirs."""
    from palier.cli.approvals import person
    from palier.payouts import accounts
    from palier.site import clock

    with _opened(program) as (connection, found):
        made = _attempt(
            connection,
            lambda: accounts.set_payer(
                connection, found.program_id, name=name, iban=iban, bic=bic, by=person(), now=clock.now()
            ),
        )
        tell(
            "%(program)s pays from the account of %(name)s that ends in %(end)s.",
            program=program,
            name=made.name,
            end=made.iban[-4:],
        )
    return 0


def ask(
    program: str = _PROGRAM,
    currency: str = typer.Option(..., "--currency", help="The cash currency.", show_default=False),
) -> int:
    """Ask for everyone who has a bank account and at least what is paid out."""
    from palier.cli.approvals import person
    from palier.payouts import operations
    from palier.site import clock

    with _opened(program) as (connection, found):
        count, total = _attempt(
            connection,
            lambda: operations.ask_for_all(connection, found, currency, by=person(), now=clock.now()),
            alone=True,
        )
        print(f"{counted(count, 'pay-out')} asked for, {_money(found, total)} in all.")
    return 0


def propose(
    program: str = _PROGRAM,
    method: Literal["sepa", "csv"] = typer.Option(
        "sepa", "--method", help="sepa: what SEPA reaches; csv: the rest."
    ),
    reason: str = _REASON,
    json: bool = _JSON,
) -> int:
    """Collect what is asked for into a batch, and ask a second person to approve it."""
    from palier.cli.approvals import person
    from palier.members import refs
    from palier.payouts import operations
    from palier.site import clock
    from palier.staff import approvals

    with _opened(program) as (connection, found):
        made = _attempt(
            connection,
            lambda: operations.propose(
                connection, found, method=method, by=person(), reason=reason, now=clock.now()
            ),
        )
        asked = approvals.find(connection, found.program_id, operations.KIND, made.ref)
        assert asked is not None
        approval = refs.encode_as("ap", asked.approval_id)
        if json:
            _print({**_batch(found, made), "approval": approval})
        else:
            print(f"{made.ref}: {counted(made.payouts, 'pay-out')}, {_money(found, made.total)}.")
            tell("A second person: palier payouts approve %(program)s %(ref)s", program=program, ref=made.ref)
    return 0


def approve(program: str = _PROGRAM, batch: str = _BATCH, reason: str = _REASON) -> int:
    """Approve a batch as the second person. Who proposed it cannot."""
    from palier.cli.approvals import person
    from palier.engine.sentences import Begun, sentence
    from palier.payouts import operations
    from palier.site import clock
    from palier.site.refusal import Refused
    from palier.staff import approvals
    from palier.staff.approvals import NotDecided

    with _opened(program) as (connection, found):
        asked = approvals.find(connection, found.program_id, operations.KIND, batch.lower())
        if asked is None:
            raise Refused(
                sentence(
                    "%(batch)r is no batch of %(program)s; `palier payouts list %(program)s "
                    "--batches` shows them.",
                    batch=batch[:40],
                    program=program,
                )
            )
        try:
            _attempt(
                connection,
                lambda: approvals.decide(
                    connection, found.program_id, asked.approval_id, approve=True, by=person(),
                    decision=reason, now=clock.now(),
                ),
            )  # fmt: skip
        except NotDecided as error:
            raise Refused(
                sentence("%(error)s %(remedy)s.", error=error, remedy=Begun(error.remedy))
            ) from None
        print(
            f"Approved: {counted(asked.payload['payouts'], 'pay-out')}, "
            f"{asked.payload['total']} {asked.payload['money']}."
        )
        tell("Write it: palier payouts file %(program)s %(batch)s", program=program, batch=batch.lower())
    return 0


def stop(program: str = _PROGRAM, batch: str = _BATCH, reason: str = _REASON) -> int:
    """Take back a batch that is approved and not written."""
    from palier.cli.approvals import person
    from palier.payouts import operations
    from palier.site import clock

    with _opened(program) as (connection, found):
        _attempt(
            connection,
            lambda: operations.stop(
                connection, found.program_id, _batch_id(batch), reason=reason, by=person(), now=clock.now()
            ),
        )
        tell("Stopped %(batch)s; its pay-outs wait for another.", batch=batch)
    return 0


def file(
    program: str = _PROGRAM,
    batch: str = _BATCH,
    folder: Path = _FOLDER,
    execution_on: str = typer.Option(
        None, "--execution-on", help="Day on which banks settle, YYYY-MM-DD; the next one by default.",
        show_default=False,
    ),
) -> int:  # fmt: skip
    """Write the file of an approved batch. Written again, it is the same file: nothing is paid twice by it."""
    from datetime import date

    from palier.cli.approvals import person
    from palier.engine.sentences import sentence
    from palier.payouts import operations
    from palier.payouts.keeping import keep
    from palier.site import clock
    from palier.site.refusal import Refused

    try:
        day = date.fromisoformat(execution_on) if execution_on else None
    except ValueError:
        raise Refused(
            sentence("%(execution_on)r is no day; write it like 2026-03-02.", execution_on=execution_on[:20])
        ) from None
    if not folder.is_dir():
        raise Refused(sentence("There is no folder %(folder)s; make it first.", folder=folder))
    with _opened(program) as (connection, found):
        made = _attempt(
            connection,
            lambda: operations.write_file(
                connection, found, _batch_id(batch), by=person(), now=clock.now(), execution_on=day
            ),
        )
        path = _attempt(connection, lambda: keep(folder, made), alone=True)
        print(
            f"{path}: {counted(made.batch.payouts, 'pay-out')}, {_money(found, made.batch.total)}, "
            f"on {made.batch.execution_on}{', as before' if made.again else ''}."
        )
    return 0


def sent(program: str = _PROGRAM, batch: str = _BATCH, reason: str = _REASON) -> int:
    """Tell that the bank has the file."""
    return _tell(program, batch, reason, "sent")


def paid(program: str = _PROGRAM, batch: str = _BATCH, reason: str = _REASON) -> int:
    """Tell that the bank has paid all of a batch that did not come back."""
    return _tell(program, batch, reason, "paid")


def _tell(program: str, batch: str, reason: str, what: Literal["sent", "paid"]) -> int:
    from palier.cli.approvals import person
    from palier.payouts import operations
    from palier.site import clock

    act = operations.sent if what == "sent" else operations.paid
    with _opened(program) as (connection, found):
        made = _attempt(
            connection,
            lambda: act(
                connection, found.program_id, _batch_id(batch), reason=reason, by=person(), now=clock.now()
            ),
        )
        print(f"{made.ref} is {made.state}.")
    return 0


def returned(
    program: str = _PROGRAM,
    payout: str = typer.Argument(
        help="The pay-out, or its reference on the bank's list.", show_default=False
    ),
    reason: str = typer.Option(..., "--reason", help="The bank's reason, such as AC04.", show_default=False),
) -> int:
    """Tell that the bank sent a payment back: it is in the wallet again."""
    from palier.cli.approvals import person
    from palier.engine.sentences import sentence
    from palier.payouts import operations, queries
    from palier.site import clock
    from palier.site.refusal import Refused

    with _opened(program) as (connection, found):
        ids = queries.decode_payout_ref(payout)
        known = queries.read(connection, found.program_id, *ids) if ids is not None else None
        if known is None:
            known = queries.by_reference(connection, found.program_id, payout)
        if known is None:
            raise Refused(
                sentence(
                    "%(payout)r is no pay-out of %(program)s; `palier payouts list %(program)s` shows them.",
                    payout=payout[:60],
                    program=program,
                )
            )
        made = _attempt(
            connection,
            lambda: operations.returned(
                connection, found, known, reason=reason, by=person(), now=clock.now()
            ),
        )
        tell(
            "%(reference)s: %(money)s is in the wallet again.",
            reference=made.reference,
            money=_money(found, made.amount),
        )
    return 0


def list_payouts(
    program: str = _PROGRAM,
    state: Literal["asked", "approved", "in_file", "sent", "paid", "returned", "refused"] = typer.Option(
        None, "--state", help="Only those of this state.", show_default=False
    ),
    batches: bool = typer.Option(False, "--batches", help="The batches in place of the pay-outs."),
    limit: int = typer.Option(50, "--limit", min=1, max=1000, help="The latest so many."),
    json: bool = _JSON,
) -> int:
    """List pay-outs or batches, the latest first."""
    from palier.members import refs
    from palier.payouts import queries

    with _opened(program) as (connection, found):
        if batches:
            rows = [
                _batch(found, item) for item in queries.batches(connection, found.program_id, limit=limit)
            ]
        else:
            rows = [
                {
                    "payout": item.ref,
                    "reference": item.reference,
                    "state": item.state,
                    "amount": _money(found, item.amount),
                    "to": f"{item.country} … {item.last4}",
                    "batch": refs.encode_as("pb", item.batch_id) if item.batch_id is not None else "",
                    "reason": item.reason,
                }
                for item in queries.listed(connection, found.program_id, state=state, limit=limit)
            ]
        if json:
            _print(rows)
        elif not rows:
            tell("There is none.")
        else:
            for row in rows:
                print("  ".join(str(value) for value in row.values() if value not in ("", None)))
    return 0


def donations(
    program: str = _PROGRAM,
    period: str = typer.Option(
        ..., "--period", help="A year, 2026, or a month, 2026-03.", show_default=False
    ),
    json: bool = _JSON,
) -> int:
    """Show what members gave from their points, by campaign and beneficiary."""
    from palier.payouts import donations as given

    with _opened(program) as (connection, found):
        rows = [
            {
                "campaign": total.campaign,
                "beneficiary": total.beneficiary.en or total.beneficiary.fr,
                "donations": total.donations,
                "amount": _money(found, total.amount),
            }
            for total in given.totals(connection, found, period)
        ]
    if json:
        _print(rows)
    elif not rows:
        tell("Nothing was given in %(period)s.", period=period)
    else:
        for row in rows:
            print("  ".join(str(value) for value in row.values() if value != ""))
    return 0


# --- what all of them need --------------------------------------------------------------------------------


@contextmanager
def _opened(program: str) -> Iterator[tuple[AnyConnection, Runtime]]:
    from palier.cli.members import program_of
    from palier.cli.session import open_database
    from palier.site import database

    with open_database(), database.connect() as connection:
        yield connection, program_of(connection, program)


def _attempt(connection: AnyConnection, act: Callable[[], Answer], *, alone: bool = False) -> Answer:
    """Runs an act in one transaction (`alone`: it has its own) and tells what it refuses in a sentence."""
    from palier.activities import batch
    from palier.activities.operations import NotDone
    from palier.engine.sentences import whole
    from palier.payouts.refusals import PayoutRefused
    from palier.site.refusal import Refused

    try:
        return act() if alone else batch.attempt(connection, act)
    except PayoutRefused as error:
        raise Refused(whole(error.message, error.remedy)) from None
    except NotDone as error:
        raise Refused(whole(error.refusal.said, error.refusal.advice)) from None


def _batch_id(ref: str) -> int:
    from palier.engine.sentences import sentence
    from palier.members import refs
    from palier.site.refusal import Refused

    found = refs.decode_as("pb", ref)
    if found is None:
        raise Refused(
            sentence("%(ref)r is no batch; `palier payouts list PROGRAM --batches` shows them.", ref=ref[:40])
        )
    return found


def _batch(program: Runtime, found: Batch) -> dict[str, Any]:
    return {
        "batch": found.ref,
        "state": found.state,
        "method": found.method,
        "payouts": found.payouts,
        "total": _money(program, found.total),
        "execution_on": found.execution_on.isoformat() if found.execution_on is not None else None,
        "created_by": found.created_by,
    }


def _money(program: Runtime, minor: int) -> str:
    from palier.engine.amounts import from_minor

    return f"{from_minor(minor, program.latest.exponent)} {program.latest.program.currency}"


def _print(content: Any) -> None:
    from json import dumps

    print(dumps(content, ensure_ascii=False, indent=2))
