"""What one order, one member and all members may have of a reward, and what an order takes of stock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal

from msgspec import Struct
from psycopg import Connection

from palier.activities.runtime import Runtime
from palier.engine.clock import LocalClock, moment
from palier.engine.plan import Plan
from palier.rewards import kinds, stock
from palier.rewards.document import Mystery, PerPeriod, Reward
from palier.rewards.kinds import Leaf
from palier.rewards.kinds.sets import needs_of
from palier.rewards.order_store import Order
from palier.rewards.refusals import OrderRefusal, OrderRefused
from palier.rewards.states import COUNTED
from palier.rewards.stock import Need

_PERIODS: Final = ("day", "week", "month", "year")

COUNT: Final = """
-- orders.count_of_member
select o.reward_key, sum(o.quantity - o.refunded_units * o.quantity / o.units)::bigint,
       coalesce(sum(o.quantity - o.refunded_units * o.quantity / o.units)
                filter (where o.created_at >= w.since), 0)::bigint
from (select unnest(%(rewards)s::text[]) as reward_key, unnest(%(since)s::timestamptz[]) as since) w
join reward_order o on o.member_id = %(member)s and o.reward_key = w.reward_key
where o.state = any(%(states)s::text[])
group by o.reward_key
"""


class Beyond(Struct, frozen=True):
    """A limit that an order would go beyond: at most so many of the reward in an order, by a member, or in a period."""

    most: int
    of: Literal["order", "member", "day", "week", "month", "year"]


def beyond(
    connection: Connection[Any],
    runtime: Runtime,
    member_id: int,
    reward: Reward,
    now: int,
    *,
    quantity: int = 1,
) -> Beyond | None:
    """The limit that so many more of a reward would go beyond for one member; None where none does."""
    return beyond_each(connection, runtime, member_id, [reward], now, quantity=quantity).get(reward.key)


def beyond_each(
    connection: Connection[Any],
    runtime: Runtime,
    member_id: int,
    rewards: Sequence[Reward],
    now: int,
    *,
    quantity: int = 1,
) -> dict[str, Beyond]:
    """The same of several rewards at once, by key; those of which no limit says anything are left out."""
    limited = [item for item in rewards if item.limits.per_member or item.limits.per_member_period]
    had: dict[str, tuple[int, int]] = {}
    if limited:
        periods = [item.limits.per_member_period for item in limited]
        rows = connection.execute(
            COUNT,
            {
                "member": member_id,
                "rewards": [item.key for item in limited],
                "since": [
                    moment(period_start(runtime.latest, period, now) if period is not None else 0)
                    for period in periods
                ],
                "states": sorted(COUNTED),
            },
        )
        had = {key: (ever, lately) for key, ever, lately in rows}
    found = {}
    for item in rewards:
        limits, (ever, lately) = item.limits, had.get(item.key, (0, 0))
        period = limits.per_member_period
        if limits.per_order is not None and quantity > limits.per_order:
            found[item.key] = Beyond(limits.per_order, "order")
        elif limits.per_member is not None and ever + quantity > limits.per_member:
            found[item.key] = Beyond(limits.per_member, "member")
        elif period is not None and lately + quantity > period.n:
            found[item.key] = Beyond(period.n, period.period)
    return found


def refuse_beyond(
    connection: Connection[Any], runtime: Runtime, order: Order, reward: Reward, now: int
) -> None:
    """Refuses an order beyond what one member may have. The member is locked, so that nothing is counted twice."""
    found = beyond(connection, runtime, order.member_id, reward, now, quantity=order.quantity)
    if found is None:
        return
    if found.of == "order":
        raise _beyond(f"an order of it is for at most {found.most}")
    if found.of == "member":
        raise _beyond(f"a member may have {found.most} of it")
    raise _beyond(f"a member may have {found.most} of it in a {found.of}")


def _beyond(message: str) -> OrderRefused:
    return OrderRefused(
        OrderRefusal.LIMIT_REACHED,
        message,
        field="quantity",
        remedy="wait for the next period, or order less",
    )


def period_start(plan: Plan, period: PerPeriod, now: int) -> int:
    """The first instant of the period in which an instant lies, in the program's zone."""
    clock = plan.clock
    return _begin(clock, period.period, clock.periods(clock.local(now)[0])[_PERIODS.index(period.period)])


def period_begin(clock: LocalClock, key: str) -> int:
    """The first instant of the period whose row of stock has this key."""
    kind, _, number = key.partition(":")
    return _begin(clock, kind, int(number))


def _begin(clock: LocalClock, kind: str, number: int) -> int:
    if kind == "day":
        return clock.start_of_day(number)
    if kind == "week":
        return clock.start_of_day(number * 7 + 1)
    if kind == "month":
        return clock.start_of_month(number)
    return clock.start_of_month(number * 12)


def needs(
    runtime: Runtime, reward: Reward, leaves: Iterable[Leaf], quantity: int, now: int
) -> dict[str, Need]:
    """What an order takes of stock: of the reward, its form, its parts, and of what all members may have."""
    found = needs_of(leaves, quantity)
    period = reward.limits.per_period
    if period is not None:
        clock = runtime.at(now).clock
        number = clock.periods(clock.local(now)[0])[_PERIODS.index(period.period)]
        found[stock.of_period(reward.key, period.period, number)] = Need(quantity, None, period.n, "period")
    return found


def none_left(need: Need) -> OrderRefused:
    """The refusal of what a row of stock has too few of."""
    if need.what == "period":
        return _beyond(f"all {need.limit} of this period are taken")
    return OrderRefused(
        OrderRefusal.OUT_OF_STOCK,
        {"slot": "no place is left", "variant": "none of this variant is left"}.get(
            need.what, "none of it is left"
        ),
        field={"slot": "slot", "variant": "variant"}.get(need.what, "reward"),
        remedy="choose another, or try again later",
    )


def lock_chances(
    connection: Connection[Any], runtime: Runtime, leaves: Iterable[Leaf], needs: Mapping[str, Need], now: int
) -> None:
    """Locks what a draw may take together with what the order takes, so that rows are locked in one order."""
    chances: dict[str, int | None] = {}
    for leaf in leaves:
        if isinstance(leaf.reward.gives, Mystery):
            chances |= kinds.chances(connection, runtime.program_id, leaf, at=now)
    if chances:
        totals = {key: need.total for key, need in needs.items()}
        stock.lock(connection, runtime.program_id, {**chances, **totals})
