"""Rewards and vouchers at a till: what a member could have now, what it takes off the basket, ordered and used.

Nothing of a member's is used on the word of somebody else: he shows a code that he asked for on his own phone, good
for half a minute and for one act. A voucher is its own proof.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct
from psycopg import Connection

from palier.activities.runtime import Runtime
from palier.engine.amounts import to_minor
from palier.engine.baskets import Basket as Priced
from palier.engine.baskets import Item as PricedItem
from palier.engine.baskets import Total, calculate
from palier.engine.facts import Line
from palier.members import card
from palier.rewards import baskets, browsing, catalogue, handing_out, orders
from palier.rewards.browsing import Filters
from palier.rewards.catalogue import Asked, MemberStanding
from palier.rewards.document import AmountOff, PercentOff, Product, Reward, Service
from palier.rewards.orders import Wanted
from palier.tills import journal, lookups, shifts
from palier.tills.devices import Device
from palier.tills.refusals import TillRefusal, TillRefused
from palier.tills.sales import Basket
from palier.tills.shifts import Shift
from palier.vouchers import guesses
from palier.vouchers import operations as vouchers
from palier.vouchers import queries as voucher_queries
from palier.vouchers.operations import Presented, Standing

MOST: Final = 60
"""Rewards within reach that are looked at."""
AT_THE_TILL: Final = (PercentOff, AmountOff, Product, Service)
"""What of all that rewards give is had where one stands."""
OFF: Final = (PercentOff, AmountOff)
"""What is had from a basket alone."""
_NO_BASKET: Final = ("type the amount first", "tapez d'abord le montant")


class Choice(Struct, frozen=True):
    """A reward that the member could have now. `off`: what it takes off this basket, in minor units of money; None
    where it takes nothing off a basket. `why`: what keeps it from this basket, as (English, French)."""

    reward: Reward
    asked: Asked
    off: int | None = None
    why: tuple[str, str] | None = None


class Given(Struct, frozen=True):
    """A reward that was ordered and used at once, and what it takes off in the register."""

    reward: Reward
    order_ref: str
    points: dict[str, int]
    off: int | None
    replayed: bool = False


class Shown(Struct, frozen=True):
    """A voucher that was shown: what it is, and what it takes off this basket."""

    standing: Standing
    name: tuple[str, str] | None
    off: int | None
    why: tuple[str, str] | None


def priced(runtime: Runtime, basket: Basket | None) -> Priced | None:
    """A basket as offers are judged on; None where there is none yet."""
    if basket is None:
        return None
    exponent = runtime.latest.exponent
    lines = basket.lines or (journal.EntryLine(basket.amount),)
    items = tuple(
        PricedItem(Line(line.category, "", line.quantity, to_minor(line.amount, exponent), "product"), (0, 1))
        for line in lines
    )
    return Priced(items, runtime.latest.program.currency, True)


def choices(
    connection: Connection[Any], runtime: Runtime, member_id: int, basket: Basket | None, *, now: int
) -> list[Choice]:
    """What the member could have at the till now, what takes most off this basket first. Writes nothing."""
    member = catalogue.standing(connection, runtime, member_id, now=now)
    if member is None or member.status != "active":
        return []
    page = browsing.browse(connection, runtime, Filters(reachable=True), now=now, limit=MOST, member=member)
    counted = priced(runtime, basket)
    found: list[Choice] = []
    for line in page.lines:
        reward = line.terms.reward
        asked = line.offer.in_points
        if asked is None or asked.missing or reward.variants or reward.slots:
            continue
        if not isinstance(reward.gives, AT_THE_TILL):
            continue
        # Judged by a standing of its own: a choice lowers what is left for those after it.
        alone = msgspec.structs.replace(member, spendable=dict(member.spendable))
        found.append(_choice(runtime, reward, asked, counted, alone, now))
    found.sort(key=lambda choice: (choice.why is not None, -(choice.off or 0)))
    return found


def _choice(
    runtime: Runtime,
    reward: Reward,
    asked: Asked,
    basket: Priced | None,
    member: MemberStanding,
    now: int,
) -> Choice:
    if basket is None or isinstance(reward.gives, Service):
        return Choice(reward, asked, why=_NO_BASKET if isinstance(reward.gives, OFF) else None)
    offer = baskets.of_known(runtime, "reward", reward, member, now=now).offer
    off, why = _off(calculate(basket, [offer], None))
    # A product that no line of the basket is told to be is handed over beside it.
    return Choice(reward, asked, off, None if isinstance(reward.gives, Product) else why)


def _off(total: Total) -> tuple[int | None, tuple[str, str] | None]:
    if total.applied:
        return total.off, None
    passed = next(iter((*total.inapplicable, *total.skipped)), None)
    return None, (passed.reason.said("en"), passed.reason.said("fr")) if passed is not None else None


def give(
    connection: Connection[Any],
    runtime: Runtime,
    device: Device,
    shift: Shift,
    member_id: int,
    reward_key: str,
    code: str,
    basket: Basket | None,
    *,
    once: str,
    now: int,
) -> Given:
    """Orders a reward with the member's code, and uses at once what came of it. Does not commit: inside `attempt`.

    Refused (TillRefused): own_account; code_needed for a code that is not the member's own, not one by which he lets
    his points be used, or over; code_used; nothing_off. Refused (OrderRefused) as orders are.
    """
    if member_id == shift.own_member_id:
        raise TillRefused(TillRefusal.OWN_ACCOUNT)
    shown = card.shown(runtime.key, code, now)
    if shown is None or shown.purpose != "use" or shown.member_id != member_id:
        raise TillRefused(TillRefusal.CODE_NEEDED)
    act = f"O{once}"
    off = _off_now(connection, runtime, member_id, reward_key, priced(runtime, basket), now)
    used = lookups.claim_code(
        connection, runtime.program_id, shown, device_id=device.device_id, act=act, now=now
    )
    if used != (device.device_id, act):
        raise TillRefused(TillRefusal.CODE_USED)
    placed = orders.place(
        connection,
        runtime,
        member_id=member_id,
        wanted=Wanted(
            reward_key,
            channel=journal.CHANNEL,
            location=device.location,
            points_alone=True,
        ),
        source=device.source,
        id=act,
        confirm=True,
        actor=shift.actor,
        now=now,
    )
    terms = catalogue.terms(connection, runtime.program_id, reward_key, now)
    assert terms is not None
    if not placed.replayed:
        if off is None and isinstance(terms.reward.gives, OFF):
            # Points for nothing: the basket is not there yet, or the reward does not fit it.
            raise TillRefused(TillRefusal.NOTHING_OFF)
        for item in placed.items:
            if item.kind == "voucher":
                _use_held(connection, runtime, device, shift, member_id, item.details, act, now)
            elif item.kind in handing_out.USED:
                handing_out.use(connection, runtime, member_id, item.item_id, uses=1, now=now)
        journal.record(connection, device, shift, act, "reward", member_id, 0, at=now, now=now)
        shifts.followed(connection, shift)
    return Given(
        terms.reward,
        placed.order.ref,
        {paid.currency: paid.points for paid in placed.order.points},
        off,
        placed.replayed,
    )


def _off_now(
    connection: Connection[Any],
    runtime: Runtime,
    member_id: int,
    reward_key: str,
    basket: Priced | None,
    now: int,
) -> int | None:
    """What a reward takes off a basket, before its points are spent; None where it takes off nothing."""
    member = catalogue.standing(connection, runtime, member_id, now=now)
    if basket is None or member is None:
        return None
    offer = baskets.of_reward(connection, runtime, "reward", reward_key, member, now=now).offer
    return _off(calculate(basket, [offer], None))[0]


def _use_held(
    connection: Connection[Any],
    runtime: Runtime,
    device: Device,
    shift: Shift,
    member_id: int,
    details: dict[str, Any],
    act: str,
    now: int,
) -> None:
    """Uses the voucher that an order has just issued: it is had here and now."""
    code = voucher_queries.code_of(
        connection, runtime.program_id, str(details["voucher"]), member_id=member_id
    )
    if code is None:
        return
    vouchers.use(
        connection,
        runtime.program_id,
        Presented(code.code, member_id),
        source=device.source,
        id=act,
        channel=journal.CHANNEL,
        location=device.location,
        actor=shift.actor,
        now=now,
    )


# --- vouchers ---------------------------------------------------------------------------------------------


def _caller(runtime: Runtime, device: Device) -> guesses.Caller:
    return guesses.Caller(runtime.program_id, device.ref, device.ref)


def show_voucher(
    connection: Connection[Any],
    runtime: Runtime,
    device: Device,
    code: str,
    member_id: int | None,
    basket: Basket | None,
    *,
    now: int,
) -> Shown:
    """A voucher that is shown, and what it takes off the basket. Raises VoucherRefused, Throttled. Writes nothing."""
    presented = Presented(code, member_id)
    standing = guesses.guarded(
        connection,
        _caller(runtime, device),
        code,
        lambda: vouchers.check(connection, runtime.program_id, presented, now=now),
        now=now,
    )
    offer = baskets.of_voucher(connection, runtime, "voucher", standing, before=0, now=now)
    counted = priced(runtime, basket)
    off, why = _off(calculate(counted, [offer], None)) if counted is not None else (None, None)
    return Shown(standing, offer.name, off, why)


def use_voucher(
    connection: Connection[Any],
    runtime: Runtime,
    device: Device,
    shift: Shift,
    code: str,
    member_id: int | None,
    *,
    once: str,
    now: int,
) -> vouchers.Use:
    """Uses a voucher once. Does not commit: inside `attempt`. Raises VoucherRefused.

    `once` names the use for ever: sent again it is answered, not made again.
    """
    used = vouchers.use(
        connection,
        runtime.program_id,
        Presented(code, member_id),
        source=device.source,
        id=f"V{once}",
        channel=journal.CHANNEL,
        location=device.location,
        actor=shift.actor,
        now=now,
    )
    if not used.replayed:
        journal.record(connection, device, shift, f"V{once}", "voucher", member_id or 0, 0, at=now, now=now)
    return used
