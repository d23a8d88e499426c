"""Orders of rewards: reserved, confirmed, handed out, taken back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final

import msgspec
from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from palier.activities import batch
from palier.activities.queries import redemption_ref
from palier.api.calls import ApiKey, Call, answer, call, encode, write, written
from palier.api.cursors import read_cursor, write_cursor
from palier.api.order_schemas import (
    AddressAnswer,
    DeliveryAddress,
    Failure,
    Fulfilment,
    ItemAnswer,
    ItemRef,
    NewChoice,
    NewOrder,
    NewRefund,
    NewUse,
    OpenState,
    OrderAnswer,
    OrderRef,
    OrdersAnswer,
    SecretAnswer,
    Shipping,
    State,
    SweepstakesAnswer,
    Why,
)
from palier.api.points import name_of
from palier.api.problems import not_found
from palier.api.schemas import PAGE, Cursor, IdempotencyKey, Limit, Ref, problems
from palier.engine.amounts import from_minor
from palier.engine.currencies import exponent
from palier.members import refs
from palier.rewards import addresses, dispatch, handing_out, order_queries, order_store, orders, sweepstakes
from palier.rewards.order_store import Item, Order, decode_order_ref, order_ref
from palier.rewards.orders import Placed, Wanted
from palier.rewards.refusals import OrderRefusal, OrderRefused
from palier.staff.operations import Answer, write_log
from palier.staff.session import Unavailable

router = Router(tags=["Orders"])
READ: Final = ApiKey("members:read")
WRITE: Final = ApiKey("orders:write")
CHANGED: Final[dict[Any, Any]] = {200: OrderAnswer, **problems(404, 409, 413, 415)}


class OrderViews:
    """Writes orders of one program in the words of the API."""

    def __init__(self, made: Call) -> None:
        self.made = made

    def order(
        self,
        order: Order,
        items: Sequence[Item],
        *,
        events: Sequence[order_queries.Event] | None = None,
        sent: Sequence[dispatch.Sight] | None = None,
    ) -> dict[str, Any]:
        """An order as it stands."""
        made, price = self.made, order.price
        found: dict[str, Any] = {
            "order": order.ref,
            "member": refs.encode(order.member_id),
            "reward": order.reward,
            "reward_version": order.version,
            "kind": order.kind,
            "state": order.state_at(made.now),
            "quantity": order.quantity,
            "units": order.units,
            "refunded_units": order.refunded_units,
            "price": {
                "price": price.key,
                "points": {key: made.points(key, points) for key, points in price.points.items()},
                "money": self._money(price.money, price.money_currency) if price.money_currency else None,
            },
            "points": [
                {
                    "redemption": redemption_ref(order.member_id, paid.activity_id),
                    "currency": paid.currency,
                    "points": made.points(paid.currency, paid.points),
                    "status": paid.state,
                    "refunded": made.points(paid.currency, paid.refunded),
                }
                for paid in order.points
            ],
            "variant": order.variant,
            "slot": order.slot,
            "partner": order.partner,
            "channel": order.channel,
            "location": order.location,
            "waits_for": order.details.get("awaits", []),
            "draw": {"bytes": order.details["draw"], "fields": order.details["drawn"]}
            if "draw" in order.details
            else None,
            "created_at": written(order.created_at),
            "expires_at": written(order.expires_at) if order.expires_at else None,
            "done_at": written(order.done_at) if order.done_at else None,
            "source": order.source,
            "id": order.id,
            "items": [self.item(order.member_id, item) for item in items],
        }
        if events is not None:
            found["events"] = [
                {
                    "state": event.state,
                    "at": written(event.at),
                    "actor": event.actor,
                    "reason": event.reason,
                    "units": event.units,
                }
                for event in events
            ]
        if sent is not None:
            found["dispatches"] = [
                {
                    "part": each.part,
                    "supplier": each.supplier,
                    "state": each.state,
                    "attempts": each.attempts,
                    "reference": each.reference,
                    "reason": each.reason,
                    "created_at": written(each.created_at),
                    "next_at": written(each.next_at) if each.next_at else None,
                    "done_at": written(each.done_at) if each.done_at else None,
                }
                for each in sent
            ]
        return found

    def item(self, member_id: int, item: Item) -> dict[str, Any]:
        """Something that a member holds."""
        details = {key: value for key, value in item.details.items() if key not in ("uses", "currency")}
        for key in ("amount", "worth"):
            if key in details:
                details[key] = self._money(details[key], item.details["currency"])
        return {
            "item": order_ref(member_id, item.item_id),
            "unit": item.unit,
            "reward": item.reward,
            "kind": item.kind,
            "state": item.state_at(self.made.now),
            "uses_left": item.uses_left,
            "valid_from": written(item.valid_from) if item.valid_from else None,
            "valid_until": written(item.valid_until) if item.valid_until else None,
            "details": details,
        }

    def _money(self, minor: int, currency: str) -> dict[str, str]:
        return {"amount": from_minor(minor, exponent(currency)), "currency": currency}

    def placed(self, placed: Placed) -> dict[str, Any]:
        """An order after a step."""
        items = (
            placed.items
            or order_store.items(self.made.connection, placed.order.member_id, [placed.order.order_id])[
                placed.order.order_id
            ]
        )
        return self.order(placed.order, items)


def _actor(made: Call) -> str:
    return made.person.actor


def _address(given: DeliveryAddress | None) -> addresses.Address | None:
    if given is None:
        return None
    return addresses.Address(
        given.name, tuple(given.lines), given.postcode, given.city, given.country, given.phone
    )


@router.post(
    "/orders",
    auth=WRITE,
    operation_id="create_order",
    summary="Order a reward",
    response={201: OrderAnswer, **problems(404, 409, 413, 415)},
)
def create_order(
    request: HttpRequest, body: NewOrder, idempotency_key: IdempotencyKey = None
) -> HttpResponse:
    """Orders a reward of the catalogue for a member.

    What the system hands out is `done` at once; what staff or a supplier hands out is `fulfilling` until they have,
    its points held. With `confirm`: false it is `reserved` for a time, and then confirmed, released, or over. A full
    date is waited for with `wait`. A refusal leaves nothing behind, so the same id may be sent again.
    """

    def act(made: Call, identifier: str) -> Answer:
        member_id = made.member(body.member)
        source, own = name_of(made, body.source, body.id, identifier)
        wanted = Wanted(
            body.reward,
            body.quantity,
            body.price,
            body.variant,
            body.slot,
            _address(body.address),
            body.wait,
            body.channel,
            body.location,
        )
        placed = orders.place(
            made.connection,
            made.runtime,
            member_id=member_id,
            wanted=wanted,
            source=source,
            id=own,
            confirm=body.confirm,
            actor=_actor(made),
            now=made.now,
        )
        return Answer(201, encode(OrderViews(made).placed(placed)), placed.replayed)

    return write(request, "order", idempotency_key, act)


def _ids(made: Call, ref: str, what: str = "order") -> tuple[int, int]:
    found = decode_order_ref(ref)
    if found is None:
        raise not_found(what)
    return found


@router.get(
    "/orders/{order}",
    auth=READ,
    operation_id="read_order",
    summary="Read an order",
    response={200: OrderAnswer, **problems(404)},
)
def read_order(request: HttpRequest, order: OrderRef) -> HttpResponse:
    """An order as it stands, with its history, and what suppliers were told of it.

    One whose time is over is expired, also before that is posted.
    """
    with call(request, snapshot=True) as made:
        found = _find(made, order)
        items = orders.held(made.connection, made.runtime, found, now=made.now)
        told = order_queries.events(made.connection, found.member_id, found.order_id)
        sent = dispatch.of_orders(made.connection, [found.order_id]).get(found.order_id)
        return answer(OrderViews(made).order(found, items, events=told, sent=sent or []))


def _find(made: Call, ref: str) -> Order:
    member_id, order_id = _ids(made, ref)
    found = order_store.read(made.connection, made.key.program_id, member_id, order_id)
    if found is None:
        raise not_found("order")
    return found


@router.get(
    "/members/{ref}/orders",
    auth=READ,
    operation_id="list_member_orders",
    summary="List a member's orders",
    response={200: OrdersAnswer, **problems(404)},
)
def list_member_orders(
    request: HttpRequest,
    ref: Ref,
    state: Annotated[State | None, Query(description="Only orders that were stored in this state.")] = None,
    cursor: Cursor = None,
    limit: Limit = PAGE,
) -> HttpResponse:
    """The orders of a member, the latest first."""
    after = read_cursor(request, cursor, 1)
    before = after[0] if after is not None else None
    with call(request, snapshot=True) as made:
        member_id = made.member(ref)
        found = order_queries.of_member(
            made.connection, made.key.program_id, member_id, before=before, limit=limit + 1, state=state
        )
        more = found[limit:]
        found = found[:limit]
        return answer(
            {
                "orders": _with_items(made, found),
                "next": write_cursor(request, found[-1].order_id) if more else None,
            }
        )


def _with_items(made: Call, found: Sequence[Order]) -> list[dict[str, Any]]:
    views = OrderViews(made)
    by_member: dict[int, list[int]] = {}
    for order in found:
        by_member.setdefault(order.member_id, []).append(order.order_id)
    items = {
        (member_id, order_id): held
        for member_id, order_ids in by_member.items()
        for order_id, held in order_store.items(made.connection, member_id, order_ids).items()
    }
    return [views.order(order, items[(order.member_id, order.order_id)]) for order in found]


@router.get(
    "/orders",
    auth=WRITE,
    operation_id="list_open_orders",
    summary="List orders that wait for somebody",
    response={200: OrdersAnswer, **problems()},
)
def list_open_orders(
    request: HttpRequest, state: OpenState = "fulfilling", cursor: Cursor = None, limit: Limit = PAGE
) -> HttpResponse:
    """Orders of all members that are being fulfilled, are reserved, or wait: the first made first."""
    after = read_cursor(request, cursor, 2) or (0, 0)
    with call(request, snapshot=True) as made:
        found = order_queries.open_orders(
            made.connection, made.key.program_id, state, after=(after[0], after[1]), limit=limit + 1
        )
        more = found[limit:]
        found = found[:limit]
        following = write_cursor(request, found[-1].order_id, found[-1].member_id) if more else None
        return answer({"orders": _with_items(made, found), "next": following})


Step = Callable[[Call, int, int], Placed]


def _step(request: HttpRequest, name: str, ref: str, key: str | None, step: Step) -> HttpResponse:
    """Runs a step of an order."""

    def act(made: Call, identifier: str) -> Answer:
        member_id, order_id = _ids(made, ref)
        return Answer(200, encode(OrderViews(made).placed(step(made, member_id, order_id))))

    return write(request, name, key, act)


@router.post(
    "/orders/{order}/confirm",
    auth=WRITE,
    operation_id="confirm_order",
    summary="Confirm a reserved order",
    response=CHANGED,
)
def confirm_order(
    request: HttpRequest, order: OrderRef, body: Why | None = None, idempotency_key: IdempotencyKey = None
) -> HttpResponse:
    """The member wants it for certain: points are spent and it is handed out, or whoever hands it out is asked."""
    return _step(
        request,
        "order-confirm",
        order,
        idempotency_key,
        lambda made, member_id, order_id: orders.confirm(
            made.connection, made.runtime, member_id, order_id, actor=_actor(made), now=made.now
        ),
    )


@router.post(
    "/orders/{order}/release",
    auth=WRITE,
    operation_id="release_order",
    summary="Let a reserved order go",
    response=CHANGED,
)
def release_order(
    request: HttpRequest, order: OrderRef, body: Why | None = None, idempotency_key: IdempotencyKey = None
) -> HttpResponse:
    """Frees the points and the stock of an order that was not confirmed, or ends its wait."""
    return _step(
        request,
        "order-release",
        order,
        idempotency_key,
        lambda made, member_id, order_id: orders.release(
            made.connection,
            made.runtime,
            member_id,
            order_id,
            actor=_actor(made),
            now=made.now,
            reason=_why(body),
        ),
    )


def _why(body: Why | Fulfilment | None) -> str:
    return (body.reason if body is not None else None) or ""


@router.post(
    "/orders/{order}/cancel",
    auth=WRITE,
    operation_id="cancel_order",
    summary="Cancel an order",
    response=CHANGED,
)
def cancel_order(
    request: HttpRequest, order: OrderRef, body: Why | None = None, idempotency_key: IdempotencyKey = None
) -> HttpResponse:
    """The member no longer wants it, as far as the reward allows: its points come back to where they were.

    An order that is only reserved is released. One that a supplier was asked for is called off there; until the
    supplier has answered it stays as it is.
    """
    return _step(
        request,
        "order-cancel",
        order,
        idempotency_key,
        lambda made, member_id, order_id: orders.cancel(
            made.connection,
            made.runtime,
            member_id,
            order_id,
            actor=_actor(made),
            now=made.now,
            reason=_why(body),
        ),
    )


@router.post(
    "/orders/{order}/refund",
    auth=WRITE,
    operation_id="refund_order",
    summary="Refund units of an order",
    response=CHANGED,
)
def refund_order(
    request: HttpRequest, order: OrderRef, body: NewRefund, idempotency_key: IdempotencyKey = None
) -> HttpResponse:
    """Takes units back and gives their share of the points back, each unit once; all shares add up to the price."""

    def step(made: Call, member_id: int, order_id: int) -> Placed:
        placed = orders.refund(
            made.connection,
            made.runtime,
            member_id,
            order_id,
            units=body.units,
            also_used=body.also_used,
            restock=body.restock,
            actor=_actor(made),
            now=made.now,
            reason=body.reason,
        )
        write_log(
            made.connection, _actor(made), made.person.role, "order.refund", placed.order.ref, at=made.now,
            reason=body.reason,
        )  # fmt: skip
        return placed

    return _step(request, "order-refund", order, idempotency_key, step)


@router.post(
    "/orders/{order}/fulfil",
    auth=WRITE,
    operation_id="fulfil_order",
    summary="Say that staff has handed an order out",
    response=CHANGED,
)
def fulfil_order(
    request: HttpRequest,
    order: OrderRef,
    body: Fulfilment | None = None,
    idempotency_key: IdempotencyKey = None,
) -> HttpResponse:
    """Staff has done its part; with the last part the points are spent and the order is done."""
    return _step(
        request,
        "order-fulfil",
        order,
        idempotency_key,
        lambda made, member_id, order_id: orders.fulfil(
            made.connection,
            made.runtime,
            member_id,
            order_id,
            by="staff",
            given={},
            actor=_actor(made),
            now=made.now,
            reason=_why(body),
        ),
    )


@router.post(
    "/orders/{order}/fail",
    auth=WRITE,
    operation_id="fail_order",
    summary="Say that an order cannot be fulfilled",
    response=CHANGED,
)
def fail_order(
    request: HttpRequest, order: OrderRef, body: Failure, idempotency_key: IdempotencyKey = None
) -> HttpResponse:
    """The member has the same points back, with the end they had, and the stock is free again."""
    return _step(
        request,
        "order-fail",
        order,
        idempotency_key,
        lambda made, member_id, order_id: orders.fail(
            made.connection,
            made.runtime,
            member_id,
            order_id,
            actor=_actor(made),
            now=made.now,
            reason=body.reason,
        ),
    )


@router.post(
    "/orders/{order}/ship",
    auth=WRITE,
    operation_id="ship_order",
    summary="Tell how far what is sent has come",
    response=CHANGED,
)
def ship_order(
    request: HttpRequest, order: OrderRef, body: Shipping, idempotency_key: IdempotencyKey = None
) -> HttpResponse:
    """Goods and deliveries of an order are shipped, handed out, delivered, or came back.

    An order that waits for staff is fulfilled by it.
    """

    def step(made: Call, member_id: int, order_id: int) -> Placed:
        wanted = None
        if body.items is not None:
            found = [_ids(made, ref, "item") for ref in body.items]
            if any(owner != member_id for owner, _ in found):
                raise not_found("item")
            wanted = [item_id for _, item_id in found]
        return handing_out.ship(
            made.connection,
            made.runtime,
            member_id,
            order_id,
            state=body.state,
            carrier=body.carrier or "",
            tracking=body.tracking or "",
            items=wanted,
            actor=_actor(made),
            now=made.now,
        )

    return _step(request, "order-ship", order, idempotency_key, step)


@router.post(
    "/orders/{order}/choose",
    auth=WRITE,
    operation_id="choose_reward",
    summary="Pick a reward of a choice",
    response=CHANGED,
)
def choose_reward(
    request: HttpRequest, order: OrderRef, body: NewChoice, idempotency_key: IdempotencyKey = None
) -> HttpResponse:
    """The member picks one of the rewards of a choice, while there is one to pick and time for it."""

    def step(made: Call, member_id: int, order_id: int) -> Placed:
        item = None
        if body.item is not None:
            owner, item = _ids(made, body.item, "item")
            if owner != member_id:
                raise not_found("item")
        return handing_out.choose(
            made.connection,
            made.runtime,
            member_id,
            order_id,
            item_id=item,
            reward=body.reward,
            variant=body.variant,
            address=_address(body.address),
            actor=_actor(made),
            now=made.now,
        )

    return _step(request, "order-choose", order, idempotency_key, step)


@router.get(
    "/orders/{order}/address",
    auth=WRITE,
    operation_id="read_order_address",
    summary="Read where an order is sent",
    response={200: AddressAnswer, **problems(404)},
)
def read_order_address(request: HttpRequest, order: OrderRef) -> HttpResponse:
    """Where an order is sent, for whoever sends it. That it was read is logged."""
    with call(request) as made:
        found = _find(made, order)
        address = addresses.read(made.connection, found.member_id, found.order_id)
        if address is None:
            raise not_found("delivery_address")
        write_log(made.connection, _actor(made), made.person.role, "order.address", found.ref, at=made.now)
        made.connection.commit()
        return answer({"order": found.ref, **msgspec.structs.asdict(address)})


@router.post(
    "/items/{item}/use",
    auth=WRITE,
    operation_id="use_item",
    summary="Use something that a member holds",
    response={200: ItemAnswer, **problems(404, 409, 413, 415)},
)
def use_item(
    request: HttpRequest, item: ItemRef, body: NewUse | None = None, idempotency_key: IdempotencyKey = None
) -> HttpResponse:
    """A service, a right or a place is used: it has so many uses less. One without a count is only looked at."""

    def act(made: Call, identifier: str) -> Answer:
        member_id, item_id = _ids(made, item, "item")
        used = handing_out.use(
            made.connection,
            made.runtime,
            member_id,
            item_id,
            uses=body.uses if body is not None else 1,
            now=made.now,
        )
        return Answer(200, encode(OrderViews(made).item(member_id, used)))

    return write(request, "item-use", idempotency_key, act)


@router.post(
    "/items/{item}/reveal",
    auth=WRITE,
    operation_id="reveal_item",
    summary="Show the code of something that a member holds",
    response={200: SecretAnswer, **problems(404, 409)},
)
def reveal_item(request: HttpRequest, item: ItemRef) -> HttpResponse:
    """The code of a voucher or a gift card, to be shown to its member alone; no other answer has it.

    A supplier's code counts as used once it was shown: the order cannot be cancelled any more.
    """
    with call(request) as made:
        member_id, item_id = _ids(made, item, "item")
        try:
            told = batch.attempt(
                made.connection,
                lambda: handing_out.reveal(
                    made.connection, made.runtime, member_id, item_id, actor=_actor(made), now=made.now
                ),
            )
        except OrderRefused as refused:
            # What is unknown is told alike, whether it is the order or the member.
            if refused.code == OrderRefusal.UNKNOWN_ORDER:
                raise not_found("item") from None
            raise
        except batch.Conflict as conflict:
            raise Unavailable("conflict") from conflict
        return answer({"item": item, **told})


@router.get(
    "/sweepstakes",
    auth=READ,
    operation_id="list_sweepstakes",
    summary="List draws of sweepstakes",
    response={200: SweepstakesAnswer, **problems()},
)
def list_sweepstakes(request: HttpRequest) -> HttpResponse:
    """Every sweepstake with an entry: when it is drawn, what was committed to, and who won.

    Anyone who has the seed, once its month has passed, can draw again and compare.
    """
    with call(request, snapshot=True) as made:
        found = sweepstakes.read(made.connection, made.key.program_id)
        return answer(
            {
                "sweepstakes": [
                    {
                        "reward": draw.reward,
                        "draw_at": written(draw.draw_at),
                        "period": draw.period,
                        "commitment": draw.commitment,
                        "drawn": draw.drawn or None,
                        "entries": draw.entries if draw.drawn_at else None,
                        "entries_sha256": draw.entries_sha256 or None,
                        "winners": [
                            {
                                "prize": winner.prize,
                                "order": order_ref(winner.member_id, winner.order_id),
                                "item": order_ref(winner.member_id, winner.item_id),
                            }
                            for winner in draw.winners
                        ],
                        "drawn_at": written(draw.drawn_at) if draw.drawn_at else None,
                    }
                    for draw in found
                ]
            }
        )
