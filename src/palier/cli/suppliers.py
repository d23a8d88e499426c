"""Commands on suppliers: who fulfils from outside, what waits for them, and what they say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer

from palier.cli.counting import counted
from palier.cli.session import tell

if TYPE_CHECKING:
    from palier.activities.runtime import Runtime
    from palier.rewards.suppliers import Configured

_PROGRAM: Final = typer.Argument(help="Key of the program.", show_default=False)
_SUPPLIER: Final = typer.Argument(help="Key of the supplier.", show_default=False)
_FILE: Final = typer.Argument(help="The supplier's document, YAML or JSON.", show_default=False)
_REASON: Final = typer.Option(..., "--reason", help="Why, for the audit log.", show_default=False)
_JSON: Final = typer.Option(False, "--json", help="Print it as JSON.")
_KEPT: Final = typer.Option(
    None, "--file", help="Keeps the orders in this file, so that a restart knows them.", show_default=False
)


def register(app: typer.Typer) -> None:
    suppliers = typer.Typer(help="Suppliers of rewards.", no_args_is_help=True)
    suppliers.command("apply")(apply)
    suppliers.command("list")(list_suppliers)
    suppliers.command("secret")(secret)
    suppliers.command("pause")(pause)
    suppliers.command("resume")(resume)
    suppliers.command("catalogue")(catalogue)
    suppliers.command("balance")(balance)
    suppliers.command("dead")(dead)
    suppliers.command("retry")(retry)
    suppliers.command("settle")(settle)
    suppliers.command("reconcile")(reconcile)
    suppliers.command("sample")(sample)
    app.add_typer(suppliers, name="suppliers")


@contextmanager
def _opened(program: str) -> Iterator[tuple[Any, Runtime]]:
    from palier.cli.members import program_of
    from palier.cli.session import open_database
    from palier.site import database

    with open_database(), database.connect() as connection:
        found = program_of(connection, program)
        connection.commit()
        yield connection, found


def _actor() -> str:
    from palier.cli.approvals import person

    return person().actor


def _printed(found: object) -> None:
    from json import dumps

    print(dumps(found, indent=2, ensure_ascii=False))


def _money(amount: Any) -> str | None:
    from palier.engine.amounts import from_minor
    from palier.engine.currencies import exponent

    return f"{from_minor(amount.minor, exponent(amount.currency))} {amount.currency}" if amount else None


def _written(at: int) -> str | None:
    from palier.engine.clock import moment

    return moment(at).isoformat(timespec="seconds").replace("+00:00", "Z") if at else None


def apply(program: str = _PROGRAM, file: Path = _FILE) -> int:
    """Set a supplier up by its document, or change it. Orders under way go on by the new one."""
    with _opened(program) as (connection, runtime):
        from palier.rewards import suppliers
        from palier.site import clock

        document = suppliers.read(file)
        changed = suppliers.put(connection, runtime.program_id, document, by=_actor(), now=clock.now())
        connection.commit()
        found = suppliers.needed(connection, runtime.program_id, document.key)
        missing = suppliers.missing_secrets(found)
    if changed:
        tell("%(key)s is set up.", key=document.key)
    else:
        tell("%(key)s is set up like this already.", key=document.key)
    if missing:
        print(
            f"It still needs the secret {', '.join(missing)}: `palier suppliers secret {program} {document.key}`."
        )
    return 0


def secret(
    program: str = _PROGRAM,
    supplier: str = _SUPPLIER,
    name: str = typer.Argument(help="Name of the secret, such as TOKEN.", show_default=False),
) -> int:
    """Keep a secret of a supplier, encrypted. It is read from standard input, or asked for; empty forgets it."""
    import sys

    value = (
        typer.prompt(name, hide_input=True, default="", show_default=False)
        if sys.stdin.isatty()
        else sys.stdin.readline()
    )
    with _opened(program) as (connection, runtime):
        from palier.rewards import suppliers
        from palier.site import clock

        suppliers.set_secret(
            connection, runtime.program_id, supplier, name, value.strip(), by=_actor(), now=clock.now()
        )
        connection.commit()
    if value.strip():
        tell("%(name)s of %(supplier)s is kept.", name=name, supplier=supplier)
    else:
        tell("%(name)s of %(supplier)s is forgotten.", name=name, supplier=supplier)
    return 0


def list_suppliers(program: str = _PROGRAM, json: bool = _JSON) -> int:
    """List the suppliers of a program, what waits for each, and how each is doing."""
    with _opened(program) as (connection, runtime):
        from palier.rewards import dispatch, suppliers
        from palier.site import clock

        now = clock.now()
        rows: list[dict[str, Any]] = []
        for found in suppliers.listed(connection, runtime.program_id):
            health = suppliers.health(connection, found.program_id, found.key)
            counts = dispatch.counts(connection, found.program_id, found.key)
            rows.append(
                {
                    "key": found.key,
                    "name": {"en": found.document.name.en, "fr": found.document.name.fr},
                    "base_url": found.document.base_url,
                    "state": "paused"
                    if found.paused
                    else ("resting" if health.rests_until > now else "active"),
                    "failures": health.failures,
                    "rests_until": _written(health.rests_until),
                    "reason": health.reason,
                    "balance": _money(health.balance),
                    "balance_at": _written(health.balance_at),
                    "missing_secrets": suppliers.missing_secrets(found),
                    "messages": counts,
                }
            )
    if json:
        _printed(rows)
        return 0
    if not rows:
        tell("There is no supplier yet; set one up with `palier suppliers apply PROGRAM FILE`.")
    for row in rows:
        told = (
            ", ".join(f"{count} {state}" for state, count in sorted(row["messages"].items())) or "no messages"
        )
        print(f"{row['key']}  {row['state']}  {row['base_url']}  {told}")
        if row["reason"]:
            print(f"  {row['failures']} failures, the last: {row['reason']}")
        if row["missing_secrets"]:
            print(f"  needs the secret {', '.join(row['missing_secrets'])}")
    return 0


def pause(program: str = _PROGRAM, supplier: str = _SUPPLIER, reason: str = _REASON) -> int:
    """Ask a supplier nothing more; orders wait."""
    return _pause(program, supplier, reason, True)


def resume(program: str = _PROGRAM, supplier: str = _SUPPLIER, reason: str = _REASON) -> int:
    """Ask a supplier again."""
    return _pause(program, supplier, reason, False)


def _pause(program: str, supplier: str, reason: str, paused: bool) -> int:
    with _opened(program) as (connection, runtime):
        from palier.rewards import suppliers
        from palier.site import clock

        changed = suppliers.pause(
            connection, runtime.program_id, supplier, paused, by=_actor(), now=clock.now(), reason=reason
        )
        connection.commit()
    state = "paused" if paused else "asked"
    print(f"{supplier} is {state}{'' if changed else ' already'}.")
    return 0


def _reached(connection: Any, runtime: Runtime, supplier: str) -> tuple[Configured, Any]:
    from palier.rewards import suppliers

    found = suppliers.needed(connection, runtime.program_id, supplier)
    connection.commit()
    return found, suppliers.reached(found)


def catalogue(
    program: str = _PROGRAM,
    supplier: str = _SUPPLIER,
    take: bool = typer.Option(False, "--take", help="Take the articles into the program's catalogue."),
    json: bool = _JSON,
) -> int:
    """Show what a supplier sells, with its price in points and its margin; with --take, as rewards of the program."""
    with _opened(program) as (connection, runtime):
        from palier.rewards import assortment
        from palier.site import clock

        found, reached = _reached(connection, runtime, supplier)
        if take:
            left_out: list[str] = []
            loaded = assortment.take_in(
                connection,
                runtime,
                found.document,
                reached,
                by=_actor(),
                now=clock.now,
                on_left_out=lambda offer: left_out.append(f"{offer.article.sku}: {offer.why_not}"),
                on_refused=lambda no: left_out.append(f"{no.key}: {no.path}: {no.message}; {no.remedy}"),
            )
            for line in left_out:
                tell("left out: %(line)s", line=line)
            print(
                f"{loaded.new} new, {loaded.changed} changed, {loaded.same} as before, {len(left_out)} left out."
            )
            return 1 if loaded.refused else 0
        offers = [
            assortment.offered(article, found.document, runtime.latest)
            for article in assortment.articles(reached)
        ]
    rows = [
        {
            "sku": offer.article.sku,
            "name": {"en": offer.article.name_en, "fr": offer.article.name_fr},
            "cost": _money(offer.article.cost),
            "value": _money(offer.article.value),
            "margin_percent": offer.margin_percent,
            "points": offer.points or None,
            "why_not": offer.why_not or None,
        }
        for offer in offers
    ]
    if json:
        _printed(rows)
        return 0
    for offer in offers:
        article = offer.article
        margin = f"{offer.margin_percent} %" if offer.margin_percent is not None else "unknown"
        told = offer.why_not or f"{offer.points} points"
        cost, value = _money(article.cost) or "unknown", _money(article.value) or "unknown"
        print(f"{article.sku}  {article.name_en}  cost {cost}  value {value}  margin {margin}  {told}")
    print(f"{counted(len(rows), 'article')}; --take makes rewards of what is offered.")
    return 0


def balance(program: str = _PROGRAM, supplier: str = _SUPPLIER, json: bool = _JSON) -> int:
    """Ask a supplier what is left of the money paid ahead; exit with 1 where that is low, or not told."""
    with _opened(program) as (connection, runtime):
        from palier.connectors.suppliers.contract import Money
        from palier.rewards import suppliers
        from palier.site import clock

        found, reached = _reached(connection, runtime, supplier)
        answer = reached.balance()
        if isinstance(answer, Money):
            suppliers.note_balance(connection, found.program_id, found.key, answer, now=clock.now())
            connection.commit()
    if not isinstance(answer, Money):
        tell("%(supplier)s does not tell its balance: %(reason)s.", supplier=supplier, reason=answer.reason)
        return 1
    low = suppliers.is_low(found.document, answer)
    if json:
        _printed({"supplier": supplier, "balance": _money(answer), "low": low})
    else:
        print(f"{_money(answer)}{', which is low: pay more ahead' if low else ''}")
    return 1 if low else 0


def dead(program: str = _PROGRAM, json: bool = _JSON) -> int:
    """List dead letters: orders whose supplier gave no answer that decides; exit with 1 where there are any."""
    with _opened(program) as (connection, runtime):
        from palier.rewards import dispatch
        from palier.rewards.order_store import order_ref

        found = dispatch.dead(connection, runtime.program_id)
    rows = [
        {
            "number": each.dispatch_id,
            "order": order_ref(each.member_id, each.order_id),
            "supplier": each.supplier,
            "request_id": dispatch.request_id(each.order_id, each.part),
            "attempts": each.attempts,
            "reason": each.reason,
            "created_at": _written(each.created_at),
        }
        for each in found
    ]
    if json:
        _printed(rows)
    else:
        for row in rows:
            print(
                f"{row['number']}  {row['order']}  {row['supplier']}  {row['attempts']} attempts  {row['reason']}"
            )
        print(
            f"{len(rows)} dead letters."
            + (
                " `palier suppliers retry` sends one again, `palier suppliers settle` settles its order."
                if rows
                else ""
            )
        )
    return 1 if rows else 0


def retry(
    program: str = _PROGRAM,
    number: int = typer.Argument(help="Number of the dead letter, as `dead` lists it.", show_default=False),
    reason: str = _REASON,
) -> int:
    """Send a dead letter again, under its own request id, from the first attempt on."""
    with _opened(program) as (connection, runtime):
        from palier.engine.sentences import sentence
        from palier.rewards import dispatch
        from palier.site import clock
        from palier.site.refusal import Refused
        from palier.staff.operations import write_log

        known = {each.dispatch_id for each in dispatch.dead(connection, runtime.program_id)}
        now = clock.now()
        if number not in known or not dispatch.revive(connection, number, now=now):
            raise Refused(
                sentence(
                    "%(number)s is no dead letter of %(program)s; `palier suppliers dead` lists them.",
                    number=number,
                    program=program,
                )
            )
        write_log(
            connection, _actor(), "operator", "dispatch.retry", f"dispatch:{number}", at=now, reason=reason
        )
        connection.commit()
    tell("%(number)s is sent again by the worker.", number=number)
    return 0


def settle(
    program: str = _PROGRAM,
    number: int = typer.Argument(help="Number of the dead letter, as `dead` lists it.", show_default=False),
    delivered: bool = typer.Option(
        ..., "--delivered/--failed", help="What the supplier says became of it.", show_default=False
    ),
    reason: str = _REASON,
) -> int:
    """Settle the order of a dead letter by what the supplier told you: points are spent, or given back."""
    with _opened(program) as (connection, runtime):
        from palier.activities import batch
        from palier.engine.sentences import sentence
        from palier.rewards import dispatch, orders
        from palier.rewards.refusals import OrderRefused
        from palier.site import clock
        from palier.site.refusal import Refused
        from palier.staff.operations import write_log

        known = {each.dispatch_id: each for each in dispatch.dead(connection, runtime.program_id)}
        connection.commit()
        if number not in known:
            raise Refused(
                sentence(
                    "%(number)s is no dead letter of %(program)s; `palier suppliers dead` lists them.",
                    number=number,
                    program=program,
                )
            )
        letter, now, by = known[number], clock.now(), _actor()

        def once() -> str:
            if delivered:
                given = {"supplier": letter.supplier, "reference": letter.reference}
                placed = orders.fulfil(
                    connection, runtime, letter.member_id, letter.order_id,
                    by="supplier", given=given, actor=by, now=now, reason=reason,
                )  # fmt: skip
            else:
                placed = orders.fail(
                    connection, runtime, letter.member_id, letter.order_id, actor=by, now=now, reason=reason
                )
            write_log(
                connection, by, "operator", "dispatch.settle", f"dispatch:{number}", at=now, reason=reason
            )
            return placed.order.state

        try:
            state = batch.attempt(connection, once)
        except OrderRefused as refused:
            raise Refused(
                sentence(
                    "The order cannot be settled: %(why)s; %(remedy)s.",
                    why=refused.message,
                    remedy=refused.remedy,
                )
            ) from None
    print(f"The order of {number} is {state}.")
    return 0


def reconcile(
    program: str = _PROGRAM,
    supplier: str = _SUPPLIER,
    days: int = typer.Option(30, "--days", min=0, help="Also what was settled in the last days."),
    repair: bool = typer.Option(True, help="Repair what is certain."),
    json: bool = _JSON,
) -> int:
    """Compare orders with what their supplier says, repair what is certain; exit with 1 where something is left."""
    with _opened(program) as (connection, runtime):
        from msgspec import to_builtins

        from palier.engine.clock import DAY
        from palier.rewards import reconciling
        from palier.rewards.fulfilment import StoredOrders
        from palier.site import clock

        found, reached = _reached(connection, runtime, supplier)
        done = reconciling.reconcile(
            connection,
            found,
            reached,
            StoredOrders(),
            since=clock.now() - days * DAY,
            now=clock.now,
            repair=repair,
        )
    if json:
        _printed(to_builtins(done))
    else:
        for each in done.differences:
            told = "repaired" if each.repaired else each.remedy
            print(f"{each.dispatch_id}  {each.request_id}  here {each.ours}, there {each.theirs}: {told}")
        print(
            f"{done.compared} compared: {done.agreed} agree, {len(done.differences)} differ, "
            f"{len(done.differences) - len(done.open)} repaired, {done.unanswered} not answered."
        )
    return 1 if done.open or done.unanswered else 0


def sample(
    port: int = typer.Option(
        8190, "--port", min=0, max=65535, help="Port on the loopback; 0 takes a free one."
    ),
    callback: str = typer.Option(
        "", "--callback", help="Address that is told when an order moves.", show_default=False
    ),
    file: Path | None = _KEPT,
    document: bool = typer.Option(False, "--document", help="Print the sample's document instead, and end."),
) -> int:
    """Run a supplier to try things with, on this machine's loopback only, until Ctrl-C."""
    from palier.connectors.suppliers.sample import BEHAVIOURS, DOCUMENT, TOKEN, Sample, SampleServer
    from palier.engine.sentences import sentence
    from palier.site.refusal import Refused

    if document:
        print(DOCUMENT.read_text(), end="")
        return 0
    try:
        server = SampleServer(Sample(callback=callback or None, file=file), port)
    except OSError as error:
        raise Refused(
            sentence(
                "Port %(port)s cannot be used (%(why)s); choose another with --port.",
                port=port,
                why=error,
            )
        ) from None
    bound = server.server_address[1]
    print(f"The sample supplier answers at http://127.0.0.1:{bound}/v1 with the token {TOKEN}.", flush=True)
    print(f"POST /sample/behaviour makes it misbehave: {', '.join(BEHAVIOURS)}.", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        return 0
    finally:
        server.server_close()
    return 0
