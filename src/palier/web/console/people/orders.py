"""Orders: what waits for somebody, one order with its steps, stock, and what suppliers left unanswered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from palier.engine.amounts import from_minor
from palier.engine.clock import moment
from palier.engine.currencies import money
from palier.engine.plan import Plan
from palier.members import refs
from palier.rewards import (
    addresses,
    catalogue,
    dispatch,
    handing_out,
    order_queries,
    order_store,
    orders,
    stock,
    suppliers,
)
from palier.rewards.dispatch import Sight
from palier.rewards.order_store import Item, Order, Paid
from palier.rewards.orders import Placed
from palier.rewards.states import FULFILLED
from palier.staff.operations import write_log
from palier.web.console.people.acts import (
    REFUSED,
    NotSaid,
    address,
    ask,
    done,
    reason,
    rehearsed,
    sure,
    text,
    why_not,
)
from palier.web.console.people.lists import ROWS, Row, after, moment_words, pages, step_row
from palier.web.console.people.sheets import PART, Rows, sheet
from palier.web.console.stock_words import part_words
from palier.web.console.visits import StaffVisit, of_staff

WAITING: Final = ("fulfilling", "reserved", "waiting")
"""States of orders that wait for somebody, the first first."""
ENDED: Final = ("done", "partly_refunded", "refunded", "failed", "cancelled", "released", "expired")
"""States of orders that are settled, the latest first."""


def points_text(plan: Plan, minor: int, currency: str) -> str:
    """Points as decimal text at their scale, for machines."""
    found = plan.currencies.get(currency)
    return from_minor(minor, found.scale if found is not None else 0)


def instant_text(at: int) -> str:
    """An instant as ISO 8601 in UTC, for machines."""
    return moment(at).isoformat().replace("+00:00", "Z")


def state_words(state: str) -> str:
    """How an order stands, for staff."""
    return {
        "fulfilling": _("to be handed out"),
        "reserved": _("reserved"),
        "waiting": _("in line"),
        "done": _("handed out"),
        "partly_refunded": _("partly refunded"),
        "refunded": _("refunded"),
        "failed": _("could not be fulfilled"),
        "cancelled": _("cancelled"),
        "released": _("let go"),
        "expired": _("lapsed"),
    }.get(state, state)


_KINDS: Final = {
    "fulfilling": "accent", "reserved": "accent", "waiting": "warn", "done": "good", "failed": "bad",
}  # fmt: skip


def row(made: StaffVisit, order: Order, names: dict[str, str] | None = None) -> Row:
    """An order in a list."""
    state = order.state_at(made.now)
    return {
        "ref": order.ref,
        "member": refs.encode(order.member_id),
        "reward": (names or {}).get(order.reward, order.reward),
        "quantity": order.quantity,
        "state": state_words(state),
        "kind": _KINDS.get(state, ""),
        "price": ", ".join(made.words.points(paid.points, paid.currency) for paid in order.points),
        "when": moment_words(made, order.created_at),
        "waits": waits_words(order),
    }


def waits_words(order: Order) -> str:
    """For whom an order waits."""
    said = {"staff": _("staff"), "supplier": _("the supplier")}
    return ", ".join(said.get(who, who) for who in order.details.get("awaits", ()))


def _names(made: StaffVisit, found: Sequence[Order], items: Sequence[Item] = ()) -> dict[str, str]:
    """The names of the rewards of a page of orders, and of what came of them beside."""
    documents = order_queries.rewards_of(made.connection, made.program_id, found)
    beside = sorted({item.reward for item in items} - documents.keys())
    if beside:
        latest = catalogue.latest(made.connection, made.program_id, beside)
        documents |= {terms.reward.key: terms.reward for terms in latest}
    return {key: made.words.text(reward.name) for key, reward in documents.items()}


def rows(made: StaffVisit, found: Sequence[Order]) -> list[Row]:
    """Orders in a list, by the names of their rewards."""
    names = _names(made, found)
    return [row(made, order, names) for order in found]


def _variant(made: StaffVisit, order: Order) -> str:
    """The name of the form that was ordered; its key where its reward has it no more."""
    document = catalogue.document(made.connection, made.program_id, order.reward_id, order.version)
    return next(
        (made.words.text(one.name) for one in document.variants if one.key == order.variant),
        order.variant or "",
    )


# --- lists ------------------------------------------------------------------------------------------------


def _state(made: StaffVisit) -> str:
    given = made.request.GET.get("state", "")
    return given if given in (*WAITING, *ENDED) else WAITING[0]


@require_GET
@of_staff("orders:write")
def listed(made: StaffVisit) -> HttpResponse:
    """Orders of one state: what waits, the first made first; what is settled, the latest first."""
    state = _state(made)
    found = _of_state(made, state, after(made, 2), ROWS + 1)
    shown = found[:ROWS]
    last = shown[-1] if len(found) > ROWS else None
    return made.page(
        "console/people/orders.html",
        {
            "state": state,
            "waits": state in WAITING,
            "waiting_states": [(key, state_words(key)) for key in WAITING],
            "ended_states": [(key, state_words(key)) for key in ENDED],
            "orders": rows(made, shown),
            "pages": pages(made, (last.order_id, last.member_id) if last is not None else None, state=state),
            "dead": len(dispatch.dead(made.connection, made.program_id)),
        },
    )


def _of_state(made: StaffVisit, state: str, key: tuple[int, ...] | None, limit: int) -> list[Order]:
    if state in WAITING:
        place = (key[0], key[1]) if key is not None else (0, 0)
        return order_queries.open_orders(made.connection, made.program_id, state, after=place, limit=limit)
    before = (key[0], key[1]) if key is not None else (2**63 - 1, 2**63 - 1)
    return order_queries.of_state(made.connection, made.program_id, state, before=before, limit=limit)


@require_GET
@of_staff("orders:write")
def sheet_of(made: StaffVisit) -> HttpResponseBase:
    """The orders of one state as CSV, in the order of the list."""
    state = _state(made)
    plan = made.runtime.latest

    def part(made: StaffVisit, place: tuple[int, ...] | None) -> tuple[Rows, tuple[int, ...] | None]:
        found = _of_state(made, state, place, PART)
        rows: Rows = []
        for order in found:
            paid_in: list[Paid | None] = [*order.points] or [None]
            for paid in paid_in:
                rows.append(
                    [
                        order.ref,
                        refs.encode(order.member_id),
                        order.reward,
                        order.version,
                        order.quantity,
                        order.state_at(made.now),
                        instant_text(order.created_at),
                        instant_text(order.done_at) if order.done_at else "",
                        paid.currency if paid is not None else "",
                        points_text(plan, paid.points, paid.currency) if paid is not None else "",
                        points_text(plan, paid.refunded, paid.currency) if paid is not None else "",
                        order.partner or "",
                        order.channel or "",
                        order.location or "",
                    ]
                )
        return rows, (found[-1].order_id, found[-1].member_id) if len(found) == PART else None

    header = (
        "order", "member", "reward", "reward_version", "quantity", "state", "created_at", "done_at", "currency",
        "points", "refunded", "partner", "channel", "location",
    )  # fmt: skip
    return sheet(made, f"{made.runtime.key}-orders-{state}", header, part)


@require_GET
@of_staff("orders:write")
def stock_levels(made: StaffVisit) -> HttpResponse:
    """What there is of rewards, their forms and dates: held, handed out, left."""
    behind = made.request.GET.get("after", "")[:200]
    found = stock.of_program(made.connection, made.program_id, after=behind, limit=ROWS + 1)
    shown = found[:ROWS]
    parts = [stock.part_of(level.key) for level in shown]
    keys = sorted({part.reward for part in parts})
    rewards = {one.reward.key: one.reward for one in catalogue.latest(made.connection, made.program_id, keys)}
    levels = []
    for level, part in zip(shown, parts, strict=True):
        reward = rewards.get(part.reward)
        levels.append(
            {
                "name": made.words.text(reward.name) if reward is not None else part.reward,
                "key": part.reward,
                "part": part_words(part, reward, made.words),
                "total": level.total,
                "held": level.held,
                "sold": level.sold,
                "left": level.remaining,
                "waiting": level.waiting,
                "low": level.remaining is not None and level.remaining <= 0,
            }
        )
    more = (shown[-1].key,) if len(found) > ROWS else None
    return made.page(
        "console/people/stock.html",
        {"levels": levels, "pages": pages(made, more), "may_read": made.may("rewards:read")},
    )


# --- one order --------------------------------------------------------------------------------------------


def _find(made: StaffVisit, ref: str) -> Order:
    ids = order_store.decode_order_ref(ref)
    found = order_store.read(made.connection, made.program_id, *ids) if ids is not None else None
    if found is None:
        raise Http404
    return found


@require_GET
@of_staff("orders:write")
def order(made: StaffVisit, ref: str) -> HttpResponse:
    """One order: what was agreed, where it stands, what the member holds, what was done."""
    found = _find(made, ref)
    items = orders.held(made.connection, made.runtime, found, now=made.now)
    sent = dispatch.of_orders(made.connection, [found.order_id]).get(found.order_id, [])
    events = order_queries.events(made.connection, found.member_id, found.order_id)
    state = found.state_at(made.now)
    left = found.units - found.refunded_units
    awaits = found.details.get("awaits", ())
    names = _names(made, [found], items)
    return made.page(
        "console/people/order.html",
        {
            "order": {
                **row(made, found, names),
                "kind_of": found.kind,
                "version": found.version,
                "variant": _variant(made, found),
                "slot": found.slot or "",
                "units": found.units,
                "left": left,
                "refunded": found.refunded_units,
                "money": money(found.price.money, found.price.money_currency, made.language)
                if found.price.money_currency
                else "",
                "until": moment_words(made, found.expires_at) if found.expires_at else "",
                "source": found.source,
                "own": found.id,
                "sent": addresses.there(made.connection, found),
            },
            "items": [_item(made, item, names) for item in items],
            "events": [
                step_row(made, state_words(event.state), event.at, event.actor, event.reason)
                for event in events
            ],
            "sent": [_sight(made, each) for each in sent],
            "steps": {
                "confirm": state == "reserved",
                "release": state in ("reserved", "waiting"),
                "fulfil": state == "fulfilling" and "staff" in awaits,
                "fail": state in ("reserved", "fulfilling"),
                "cancel": state in ("fulfilling", *FULFILLED),
                "refund": state in FULFILLED and left > 0,
                "ship": any(item.kind in ("goods", "delivery") for item in items)
                or (state == "fulfilling" and "staff" in awaits),
            },
            "may_look": made.may("members:read"),
        },
    )


def _item(made: StaffVisit, item: Item, names: dict[str, str]) -> Row:
    state = item.state_at(made.now)
    return {
        "unit": item.unit,
        "reward": names.get(item.reward, item.reward),
        "kind": item.kind,
        "state": item_words(state),
        "uses": item.uses_left if state != "used" else None,
        "until": made.words.day(item.valid_until - 1) if item.valid_until and state != "used" else "",
        "carrier": str(item.details.get("carrier", "")),
        "tracking": str(item.details.get("tracking", "")),
    }


def item_words(state: str) -> str:
    """How something that a member holds stands, for staff."""
    return {
        "open": _("ready"),
        "planned": _("planned"),
        "revealed": _("code shown"),
        "used": _("used"),
        "expired": _("lapsed"),
        "void": _("taken back"),
        "preparing": _("being prepared"),
        "shipped": _("sent"),
        "handed_out": _("handed out"),
        "delivered": _("delivered"),
        "returned": _("came back"),
        "chosen": _("chosen"),
    }.get(state, state.replace("_", " "))


def _sight(made: StaffVisit, each: Sight) -> Row:
    return {
        "number": each.dispatch_id,
        "supplier": each.supplier,
        "state": sight_words(each.state),
        "dead": each.state == "dead",
        "attempts": each.attempts,
        "reference": each.reference,
        "reason": each.reason,
        "when": moment_words(made, each.created_at),
        "next": moment_words(made, each.next_at) if each.next_at else "",
        "order": order_store.order_ref(each.member_id, each.order_id) if each.member_id else "",
    }


def sight_words(state: str) -> str:
    """How far a message to a supplier is."""
    return {
        "queued": _("waits to be sent"),
        "sent": _("being sent"),
        "unknown": _("no clear answer yet"),
        "accepted": _("accepted"),
        "delivered": _("delivered"),
        "declined": _("declined"),
        "cancelled": _("called off"),
        "dead": _("needs a person"),
    }.get(state, state)


@require_POST
@of_staff("orders:write")
def address_of(made: StaffVisit, ref: str) -> HttpResponse:
    """Where an order is sent, for whoever sends it. That it was read is logged."""
    found = _find(made, ref)
    to = addresses.read(made.connection, found.member_id, found.order_id)
    if to is None:
        raise Http404
    write_log(made.connection, made.person.actor, made.person.role, "order.address", found.ref, at=made.now)
    made.connection.commit()
    return made.page("console/people/address.html", {"ref": found.ref, "to": to})


# --- its steps --------------------------------------------------------------------------------------------

Step = Callable[[StaffVisit, Order, str], Placed]


def _confirm(made: StaffVisit, found: Order, why: str) -> Placed:
    return orders.confirm(
        made.connection, made.runtime, found.member_id, found.order_id, actor=made.person.actor, now=made.now
    )


def _release(made: StaffVisit, found: Order, why: str) -> Placed:
    return orders.release(
        made.connection, made.runtime, found.member_id, found.order_id,
        actor=made.person.actor, now=made.now, reason=why,
    )  # fmt: skip


def _fulfil(made: StaffVisit, found: Order, why: str) -> Placed:
    return orders.fulfil(
        made.connection, made.runtime, found.member_id, found.order_id, by="staff", given={},
        actor=made.person.actor, now=made.now, reason=why,
    )  # fmt: skip


def _fail(made: StaffVisit, found: Order, why: str) -> Placed:
    return orders.fail(
        made.connection, made.runtime, found.member_id, found.order_id,
        actor=made.person.actor, now=made.now, reason=why,
    )  # fmt: skip


def _cancel(made: StaffVisit, found: Order, why: str) -> Placed:
    return orders.cancel(
        made.connection, made.runtime, found.member_id, found.order_id,
        actor=made.person.actor, now=made.now, reason=why,
    )  # fmt: skip


def _refund(made: StaffVisit, found: Order, why: str) -> Placed:
    given = text(made, "units", 6)
    if given and not (given.isascii() and given.isdigit() and int(given)):
        raise NotSaid(_("Write how many units, such as 1, or nothing for all that are left."))
    placed = orders.refund(
        made.connection, made.runtime, found.member_id, found.order_id,
        units=int(given) if given else None,
        also_used=made.request.POST.get("also_used") == "yes",
        restock=made.request.POST.get("restock") != "no",
        actor=made.person.actor, now=made.now, reason=why,
    )  # fmt: skip
    seen = made.request.POST.get("seen")
    if seen is not None and given and placed.order.refunded_units - int(given) != int(seen):
        # Sent twice, or by two: what was agreed to is what was shown. All of it is taken back.
        raise NotSaid(_("The order has moved on meanwhile. See where it stands now."))
    write_log(
        made.connection,
        made.person.actor,
        made.person.role,
        "order.refund",
        found.ref,
        at=made.now,
        reason=why,
    )
    return placed


def _ship(made: StaffVisit, found: Order, why: str) -> Placed:
    state = made.request.POST.get("state", "")
    if state not in ("shipped", "handed_out", "delivered", "returned"):
        raise NotSaid(_("Choose how far it has come."))
    return handing_out.ship(
        made.connection, made.runtime, found.member_id, found.order_id, state=state,
        carrier=text(made, "carrier", 100), tracking=text(made, "tracking", 100), items=None,
        actor=made.person.actor, now=made.now,
    )  # fmt: skip


STEPS: Final[dict[str, Step]] = {
    "confirm": _confirm, "release": _release, "fulfil": _fulfil, "fail": _fail, "cancel": _cancel,
    "refund": _refund, "ship": _ship,
}  # fmt: skip
ASKED: Final = frozenset({"fail", "cancel", "refund", "release"})
"""Steps that give points back: they are rehearsed and asked once."""


@require_POST
@of_staff("orders:write")
def step(made: StaffVisit, ref: str, step: str) -> HttpResponse:
    """Moves an order on; what gives points back says so in figures first."""
    act = STEPS.get(step)
    if act is None:
        raise Http404
    found = _find(made, ref)
    made.connection.rollback()
    try:
        why = reason(made) if step in ASKED else text(made, "reason")
        if step in ASKED and not sure(made):
            return _ask(made, found, step, why, rehearsed(made, lambda: act(made, _find(made, ref), why)))
        placed = done(made, lambda: act(made, _find(made, ref), why))
    except (NotSaid, *REFUSED) as refused:
        made.say(why_not(refused), "bad")
        return made.go("people:order", found.ref)
    made.say(_("The order is now: %(state)s.") % {"state": state_words(placed.order.state_at(made.now))})
    return made.go("people:order", found.ref)


def _ask(made: StaffVisit, found: Order, name: str, why: str, placed: Placed) -> HttpResponse:
    words = made.words
    back = [
        words.points(
            now.refunded - before.refunded or (now.points if now.state == "free" else 0), now.currency
        )
        for before, now in zip(found.points, placed.order.points, strict=True)
        if now.refunded != before.refunded or (now.state == "free" and before.state != "free")
    ]
    units = placed.order.refunded_units - found.refunded_units
    titles = {
        "fail": _("Cannot be fulfilled"), "cancel": _("Cancel the order"), "refund": _("Refund units"),
        "release": _("Let the order go"),
    }  # fmt: skip
    will = [
        _("The member has back: %(points)s.") % {"points": ", ".join(back)}
        if back
        else _("No points come back: none were taken, or the supplier is asked first.")
    ]
    if units:
        will.append(_("Units taken back: %(units)d of %(all)d.") % {"units": units, "all": found.units})
    will.append(_("The order is then: %(state)s.") % {"state": state_words(placed.order.state_at(made.now))})
    return ask(
        made,
        title=titles[name],
        will=will,
        button=titles[name],
        back=address(made, "order", found.ref),
        danger=True,
        note=why,
        fields=("reason", "units", "also_used", "restock"),
        more={"seen": str(found.refunded_units)},
    )


# --- suppliers --------------------------------------------------------------------------------------------


@require_GET
@of_staff("orders:write")
def suppliers_seen(made: StaffVisit) -> HttpResponse:
    """How suppliers are doing, and the messages that wait for a person."""
    found = suppliers.listed(made.connection, made.program_id)
    rows = []
    for item in found:
        health = suppliers.health(made.connection, made.program_id, item.key)
        counts = dispatch.counts(made.connection, made.program_id, item.key)
        rows.append(
            {
                "key": item.key,
                "paused": item.paused,
                "failures": health.failures,
                "reason": health.reason,
                "counts": [(sight_words(state), count) for state, count in sorted(counts.items())],
            }
        )
    letters = [_sight(made, each) for each in dispatch.dead(made.connection, made.program_id)]
    return made.page("console/people/suppliers.html", {"suppliers": rows, "letters": letters})


def _letter(made: StaffVisit, number: int) -> Sight:
    for each in dispatch.dead(made.connection, made.program_id):
        if each.dispatch_id == number:
            return each
    raise Http404


@require_http_methods(["POST"])
@of_staff("orders:write")
def letter(made: StaffVisit, number: int) -> HttpResponse:
    """A message that nobody answered: sent again, or its order settled by what the supplier told."""
    each = _letter(made, number)
    way = made.request.POST.get("way", "")
    made.connection.rollback()
    person = made.person

    def again() -> str:
        dispatch.revive(made.connection, number, now=made.now)
        write_log(
            made.connection, person.actor, person.role, "dispatch.retry", f"dispatch:{number}", at=made.now,
            reason=why,
        )  # fmt: skip
        return _("The message is sent again, under the same name.")

    def settle() -> str:
        if way == "delivered":
            placed = orders.fulfil(
                made.connection, made.runtime, each.member_id, each.order_id, by="supplier",
                given={"supplier": each.supplier, "reference": each.reference}, actor=person.actor, now=made.now,
                reason=why,
            )  # fmt: skip
        else:
            placed = orders.fail(
                made.connection, made.runtime, each.member_id, each.order_id, actor=person.actor, now=made.now,
                reason=why,
            )  # fmt: skip
        write_log(
            made.connection, person.actor, person.role, "dispatch.settle", f"dispatch:{number}", at=made.now,
            reason=why,
        )  # fmt: skip
        return _("The order is now: %(state)s.") % {"state": state_words(placed.order.state)}

    try:
        why = reason(made)
        if way == "retry":
            made.say(done(made, again))
        elif way not in ("delivered", "failed"):
            raise NotSaid(_("Choose what became of it."))
        elif not sure(made):
            said = rehearsed(made, settle)
            title = _("It was delivered") if way == "delivered" else _("It was not delivered")
            will = [
                _("The points of the order are spent: the member holds what was delivered.")
                if way == "delivered"
                else _("The member has the points back, with the day on which they expire."),
                said,
                _("The supplier is asked nothing more about it."),
            ]
            return ask(
                made, title=title, will=will, button=title, back=address(made, "suppliers"), danger=True, note=why,
                fields=("way", "reason"),
            )  # fmt: skip
        else:
            made.say(done(made, settle))
    except (NotSaid, *REFUSED) as refused:
        made.say(why_not(refused), "bad")
    return made.go("people:suppliers")
