"""Subscriptions: something that comes n times. Each delivery is an item, planned for its day."""

from __future__ import annotations

from palier.engine.clock import LocalClock
from palier.rewards.document import Subscription
from palier.rewards.kinds.contract import Leaf, Work, makes
from palier.rewards.order_store import NewItem

DELIVERY = "delivery"


@makes(Subscription)
def delivery(work: Work, leaf: Leaf, unit: int) -> list[NewItem]:
    """The units of a subscription are its deliveries: one each, the first at once, the others later by period.

    As a part of another reward, all deliveries come with one unit.
    """
    gives = leaf.reward.gives
    assert isinstance(gives, Subscription)
    numbers = range(gives.deliveries)
    if work.order.kind == "subscription":
        numbers = range((unit - 1) % gives.deliveries, (unit - 1) % gives.deliveries + 1)
    found = []
    for number in numbers:
        details: dict[str, object] = {"number": number + 1, "of": gives.deliveries}
        if gives.reward is not None:
            details["reward"] = gives.reward
        due = after(work.clock, work.now, gives.every, number)
        found.append(NewItem(unit, leaf.reward.key, DELIVERY, "planned", None, due, 0, details))
    return found


def after(clock: LocalClock, at: int, every: str, periods: int) -> int:
    """The same local clock time so many days, weeks, months or years later; the last day of a shorter month."""
    if every in ("day", "week"):
        return clock.add_days(at, periods * (7 if every == "week" else 1))
    day, _ = clock.local(at)
    months = periods * (12 if every == "year" else 1)
    return clock.add_days(at, _same_day(day, months) - day)


def _same_day(day: int, months: int) -> int:
    from calendar import monthrange
    from datetime import date

    found = date.fromordinal(day)
    number = found.year * 12 + found.month - 1 + months
    year, month = number // 12, number % 12 + 1
    return date(year, month, min(found.day, monthrange(year, month)[1])).toordinal()
