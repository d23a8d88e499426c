"""Commands on orders of rewards: what waits for staff, one order, handing out, failing, taking back, the stock."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Literal

import typer

from palier.cli.session import tell

if TYPE_CHECKING:
    from palier.activities.runtime import Runtime
    from palier.rewards.order_store import Order
    from palier.rewards.orders import Placed

_PROGRAM: Final = typer.Option(
    None, "--program", help="Key of the program; needed where there are several.", show_default=False
)
_ORDER: Final = typer.Argument(help="An order's reference, m_... with a point.", show_default=False)
_REASON: Final = typer.Option("", "--reason", help="Why, for the order's history.")
_WHY: Final = typer.Option(..., "--reason", help="Why, for the order's history.", show_default=False)
_JSON: Final = typer.Option(False, "--json", help="Print it as JSON.")
Act = Callable[[Any, "Runtime", int, int, str, int], "Placed"]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Orders of rewards: what waits, handing out, taking back.", no_args_is_help=True)
    group.command("list")(list_orders)
    group.command("show")(show)
    group.command("fulfil")(fulfil)
    group.command("ship")(ship)
    group.command("fail")(fail)
    group.command("refund")(refund)
    group.command("stock")(stock)
    app.add_typer(group, name="orders")


def list_orders(
    program: str = _PROGRAM,
    state: Literal["fulfilling", "reserved", "waiting"] = typer.Option(
        "fulfilling", "--state", help="Which open orders."
    ),
    limit: int = typer.Option(50, "--limit", min=1, max=1000, help="How many, the first made first."),
    json: bool = _JSON,
) -> int:
    """List open orders of all members: being fulfilled, reserved, or waiting."""
    from palier.cli.members import program_of
    from palier.cli.session import open_database
    from palier.rewards import order_queries
    from palier.site import clock, database

    with open_database(), database.connect() as connection:
        found = program_of(connection, program)
        now = clock.now()
        orders = order_queries.open_orders(connection, found.program_id, state, after=(0, 0), limit=limit)
    if json:
        _print_json([_shown(order, now) for order in orders])
        return 0
    if not orders:
        tell("There is none.")
    for order in orders:
        waits = ", ".join(order.details.get("awaits", ()))
        form = "".join(f" {name}" for name in (order.variant, order.slot) if name)
        told = f", waits for {waits}" if waits else ""
        print(f"{order.ref}  {order.quantity} {order.reward}{form}  {order.state_at(now)}{told}")
        print(f"  since {_written(order.created_at)}")
    return 0


def show(order: str = _ORDER, program: str = _PROGRAM, json: bool = _JSON) -> int:
    """One order: its price, what the member holds from it, and every step with who and why."""
    from palier.cli.members import program_of
    from palier.cli.session import open_database
    from palier.rewards import order_queries, order_store, orders
    from palier.site import clock, database

    with open_database(), database.connect() as connection:
        runtime = program_of(connection, program)
        now = clock.now()
        found = _find(connection, runtime, order)
        items = orders.held(connection, runtime, found, now=now)
        steps = order_queries.events(connection, found.member_id, found.order_id)
    if json:
        told = _shown(found, now)
        told["items"] = [
            {
                "item": order_store.order_ref(found.member_id, item.item_id), "unit": item.unit,
                "reward": item.reward, "kind": item.kind, "state": item.state_at(now),
                "uses_left": item.uses_left, "details": item.details,
            }
            for item in items
        ]  # fmt: skip
        told["steps"] = [
            {"state": step.state, "at": _written(step.at), "actor": step.actor, "reason": step.reason}
            for step in steps
        ]
        _print_json(told)
        return 0
    print(f"{found.ref}: {found.quantity} {found.reward} (version {found.version}), {found.state_at(now)}")
    for item in items:
        uses = f", {item.uses_left} uses left" if item.uses_left is not None else ""
        print(f"  unit {item.unit}: {item.kind} of {item.reward}, {item.state_at(now)}{uses}")
    for step in steps:
        why = f": {step.reason}" if step.reason else ""
        print(f"  {_written(step.at)}  {step.state}  by {step.actor}{why}")
    return 0


def fulfil(order: str = _ORDER, program: str = _PROGRAM, reason: str = _REASON, json: bool = _JSON) -> int:
    """Say that staff has handed out its part: with the last part the points are spent and the order is done."""

    def act(connection: Any, runtime: Runtime, member_id: int, order_id: int, actor: str, now: int) -> Placed:
        from palier.rewards import orders

        return orders.fulfil(
            connection,
            runtime,
            member_id,
            order_id,
            by="staff",
            given={},
            actor=actor,
            now=now,
            reason=reason,
        )

    return _step(order, program, "order.fulfil", reason, json, act)


def ship(
    order: str = _ORDER,
    program: str = _PROGRAM,
    state: Literal["shipped", "handed_out", "delivered", "returned"] = typer.Option(
        "shipped", "--state", help="How far it has come."
    ),
    carrier: str = typer.Option("", "--carrier", help="Who carries it."),
    tracking: str = typer.Option("", "--tracking", help="Its number there."),
    json: bool = _JSON,
) -> int:
    """Tell how far goods and deliveries have come; an order that waits for staff is fulfilled by it."""

    def act(connection: Any, runtime: Runtime, member_id: int, order_id: int, actor: str, now: int) -> Placed:
        from palier.rewards import handing_out

        return handing_out.ship(
            connection, runtime, member_id, order_id, state=state, carrier=carrier, tracking=tracking,
            items=None, actor=actor, now=now,
        )  # fmt: skip

    return _step(order, program, "order.ship", state, json, act)


def fail(order: str = _ORDER, program: str = _PROGRAM, reason: str = _WHY, json: bool = _JSON) -> int:
    """Say that an order cannot be fulfilled: the member has the same points back, with the end they had."""

    def act(connection: Any, runtime: Runtime, member_id: int, order_id: int, actor: str, now: int) -> Placed:
        from palier.rewards import orders

        return orders.fail(connection, runtime, member_id, order_id, actor=actor, now=now, reason=reason)

    return _step(order, program, "order.fail", reason, json, act)


def refund(
    order: str = _ORDER,
    program: str = _PROGRAM,
    units: int = typer.Option(
        None, "--units", min=1, help="How many units; all by default.", show_default=False
    ),
    also_used: bool = typer.Option(False, "--also-used", help="Also units of which something was used."),
    restock: bool = typer.Option(True, "--restock/--no-restock", help="Whether they can be had again."),
    reason: str = _WHY,
    json: bool = _JSON,
) -> int:
    """Take units back, and give their share of the points back to where they came from."""

    def act(connection: Any, runtime: Runtime, member_id: int, order_id: int, actor: str, now: int) -> Placed:
        from palier.rewards import orders

        return orders.refund(
            connection, runtime, member_id, order_id, units=units, also_used=also_used, restock=restock,
            actor=actor, now=now, reason=reason,
        )  # fmt: skip

    return _step(order, program, "order.refund", reason, json, act)


def stock(
    reward: str = typer.Argument(None, help="Only rows of this reward.", show_default=False),
    program: str = _PROGRAM,
    json: bool = _JSON,
) -> int:
    """What is left of rewards that are counted: in all, held by open orders, handed out, members in line."""
    from palier.cli.members import program_of
    from palier.cli.session import open_database
    from palier.rewards import stock as counts
    from palier.site import database

    with open_database(), database.connect() as connection:
        found = program_of(connection, program)
        levels = (
            counts.with_parts(connection, found.program_id, reward)
            if reward
            else counts.of_program(connection, found.program_id)
        )
    if json:
        shown = [
            {
                "reward": level.key,
                "initial": level.total,
                "held": level.held,
                "sold": level.sold,
                "remaining": level.remaining,
                "waiting": level.waiting,
            }
            for level in levels
        ]
        _print_json(shown)
        return 0
    if not levels:
        tell("Nothing that is counted was ordered yet.")
    for level in levels:
        left = f"{level.remaining} of {level.total} left" if level.total is not None else "without end"
        line = f", {level.waiting} in line" if level.waiting else ""
        print(f"{level.key}: {left}, {level.held} held, {level.sold} handed out{line}")
    return 0


# --- what they share ------------------------------------------------------------------------------------------


def _find(connection: Any, runtime: Runtime, ref: str) -> Order:
    from palier.engine.sentences import sentence
    from palier.rewards import order_store
    from palier.site.refusal import Refused

    ids = order_store.decode_order_ref(ref)
    found = order_store.read(connection, runtime.program_id, *ids) if ids is not None else None
    if found is None:
        raise Refused(
            sentence(
                "%(key)s has no order %(ref)s; `palier orders list` shows those that are open.",
                key=runtime.key,
                ref=ref[:40],
            )
        )
    return found


def _step(ref: str, program: str, action: str, reason: str, json: bool, act: Act) -> int:
    from palier.activities import batch
    from palier.cli.approvals import person
    from palier.cli.members import program_of
    from palier.cli.session import open_database
    from palier.engine.sentences import whole
    from palier.rewards.refusals import OrderRefused
    from palier.site import clock, database
    from palier.site.refusal import Refused
    from palier.staff.operations import write_log

    by = person()
    with open_database(), database.connect() as connection:
        runtime = program_of(connection, program)
        now = clock.now()
        found = _find(connection, runtime, ref)

        def once() -> Placed:
            placed = act(connection, runtime, found.member_id, found.order_id, by.actor, now)
            write_log(connection, by.actor, by.role, action, placed.order.ref, at=now, reason=reason)
            return placed

        try:
            placed = batch.attempt(connection, once)
        except OrderRefused as refused:
            raise Refused(whole(refused.message, refused.remedy)) from None
    if json:
        _print_json(_shown(placed.order, now))
    else:
        print(f"{placed.order.ref} is {placed.order.state_at(now).replace('_', ' ')}.")
    return 0


def _shown(order: Order, now: int) -> dict[str, Any]:
    from palier.members import refs

    return {
        "order": order.ref,
        "member": refs.encode(order.member_id),
        "reward": order.reward,
        "quantity": order.quantity,
        "units": order.units,
        "refunded_units": order.refunded_units,
        "state": order.state_at(now),
        "variant": order.variant,
        "slot": order.slot,
        "waits_for": order.details.get("awaits", []),
        "created_at": _written(order.created_at),
        "expires_at": _written(order.expires_at) if order.expires_at else None,
    }


def _written(at: int) -> str:
    from palier.engine.clock import moment

    return moment(at).isoformat(timespec="seconds").replace("+00:00", "Z")


def _print_json(told: object) -> None:
    from json import dumps

    print(dumps(told, ensure_ascii=False, indent=2))
