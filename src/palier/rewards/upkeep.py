"""What time and others bring about for orders: ends of reservations, places that are freed, deliveries, draws.

Whether or not it has run makes no difference to what a member may do: an order whose time is over is expired, and his
own next order ends it. Each step is a transaction of its own under its member's lock, and harmless when it is repeated.
"""

from __future__ import annotations

import logging
from typing import Any, Final

from psycopg import Connection

from palier.activities import batch, draws
from palier.activities.runtime import Runtime
from palier.engine.clock import moment
from palier.rewards import (
    catalogue,
    kinds,
    order_limits,
    order_queries,
    order_store,
    orders,
    stock,
    sweepstakes,
)
from palier.rewards.document import Part, Sweepstake
from palier.rewards.kinds import Work
from palier.rewards.kinds.contract import part_of
from palier.rewards.kinds.sets import needs_of
from palier.rewards.order_store import Item
from palier.rewards.refusals import OrderRefused
from palier.rewards.states import FULFILLED

logger = logging.getLogger(__name__)

CHUNK: Final = 200
ACTOR: Final = "worker"

DELIVERIES: Final = """
-- orders.deliveries_due
-- all members: deliveries whose day has come, by an index of them
select member_id, order_id, item_id from reward_item
where program_id = %(program)s and kind = 'delivery' and state = 'planned' and valid_from <= %(now)s
order by valid_from, member_id, item_id
limit %(limit)s
"""

UNDECIDED: Final = """
-- sweepstakes.undecided
select d.reward_key, d.draw_at from sweepstake_draw d
where d.program_id = %(program)s and d.drawn_at is not null
  and exists (
    -- all members: a winner whose prize was not given yet, by an index of open entries
    select from reward_item i
    where i.program_id = d.program_id and i.reward_key = d.reward_key and i.kind = 'entry' and i.state = 'open'
      and i.valid_until = d.draw_at
  )
order by d.draw_at, d.reward_key
"""

MYSTERIES: Final = """
-- orders.mysteries
select exists (
  select from reward_listing
  where program_id = %(program)s and labels && array['k:mystery', 'k:sweepstake']
)
"""


def expire_due(connection: Connection[Any], runtime: Runtime, *, now: int) -> int:
    """Ends reservations and waits whose time is over; how many. Commits each."""
    ended = 0
    for member_id, order_id in order_queries.due(connection, runtime.program_id, now=now, limit=CHUNK):
        connection.rollback()
        ended += batch.attempt(
            connection,
            lambda member=member_id, order=order_id: orders.expire(  # type: ignore[misc]
                connection, runtime, member, order, actor=ACTOR, now=now
            ),
        )
    connection.rollback()
    return ended


def move_lines(connection: Connection[Any], runtime: Runtime, *, now: int) -> int:
    """Gives places that were freed to whoever stands in front of their lines; how many orders went on. Commits each."""
    moved = 0
    for line in order_queries.lines_with_room(connection, runtime.program_id):
        while True:
            front = order_queries.in_front(connection, runtime.program_id, line)
            connection.rollback()
            if front is None:
                break
            member_id, order_id = front
            state = batch.attempt(
                connection,
                lambda member=member_id, order=order_id: orders.move_up(  # type: ignore[misc]
                    connection, runtime, member, order, actor=ACTOR, now=now
                ),
            )
            if state == "waiting":
                break
            moved += 1
    connection.rollback()
    return moved


# --- deliveries -----------------------------------------------------------------------------------------------


def deliver(connection: Connection[Any], runtime: Runtime, *, now: int) -> int:
    """Deliveries whose day has come are made, by the system where a reward comes, else prepared by staff. Commits each.

    How many. One that cannot be made (nothing is left) is for staff too, and says why.
    """
    parameters = {"program": runtime.program_id, "now": moment(now), "limit": CHUNK}
    rows = connection.execute(DELIVERIES, parameters).fetchall()
    connection.rollback()
    for member_id, order_id, item_id in rows:
        batch.attempt(
            connection,
            lambda found=(member_id, order_id, item_id): _deliver(  # type: ignore[misc]
                connection, runtime, *found, now=now
            ),
        )
    return len(rows)


def _deliver(
    connection: Connection[Any], runtime: Runtime, member_id: int, order_id: int, item_id: int, *, now: int
) -> None:
    runtime, _ = orders.locked(connection, runtime, member_id)
    order = orders.find(connection, runtime, member_id, order_id)
    held = order_store.items(connection, member_id, [order_id])[order_id]
    item = next(item for item in held if item.item_id == item_id)
    if item.state != "planned" or order.state not in FULFILLED:
        return
    item.state = "preparing"
    reward = item.details.get("reward")
    if reward is not None:
        try:
            _hand_out(Work(connection, runtime, order, ACTOR, now), item, Part(str(reward)))
            item.state = "delivered"
        except OrderRefused as refused:
            item.details["not_made"] = refused.message
    order_store.save_item(connection, member_id, item)


def _hand_out(work: Work, item: Item, part: Part) -> None:
    """What comes with an item: its stock is taken, and the member holds it. Refused where none is left."""
    order, connection = work.order, work.connection
    with connection.transaction():
        leaf = part_of(connection, order.program_id, part.reward, part.variant, 1, at=work.now)
        leaves = kinds.expand(connection, order.program_id, leaf, at=work.now)
        needs = needs_of(leaves, 1)
        lacking = stock.reserve(connection, order.program_id, needs)
        if lacking is not None:
            raise order_limits.none_left(needs[lacking])
        taken = {key: need.units for key, need in needs.items()}
        stock.sell(connection, order.program_id, taken)
        made = [one for each in leaves for one in kinds.make(work, each, item.unit)]
        for key, units in taken.items():
            order.stock_sold[key] = order.stock_sold.get(key, 0) + units
        order_store.add_items(connection, order, made)
        order_store.save(connection, order)


# --- draws ----------------------------------------------------------------------------------------------------


def commit_to_draws(connection: Connection[Any], runtime: Runtime, *, now: int) -> bool:
    """Fixes the seeds of this month and the next where rewards are drawn; whether any are. Commits."""
    row = connection.execute(MYSTERIES, {"program": runtime.program_id}).fetchone()
    found = row is not None and bool(row[0])
    if found:
        draws.commit_to(connection, runtime.program_id, runtime.at(now).clock, now)
        connection.commit()
    connection.rollback()
    return found


def prizes_of(
    connection: Connection[Any], runtime: Runtime, reward: str, draw_at: int, *, at: int
) -> list[Part]:
    """The prizes of a sweepstake, the first first, one for each winner."""
    terms = catalogue.terms(connection, runtime.program_id, reward, at)
    if terms is None or not isinstance(terms.reward.gives, Sweepstake):
        return []
    return [part for part in terms.reward.gives.prizes for _ in range(part.quantity)]


def draw_sweepstakes(connection: Connection[Any], runtime: Runtime, *, now: int) -> int:
    """Draws sweepstakes that have closed, and gives prizes that were not given yet; how many were drawn. Commits each.

    Who won is written down first; then each winner is given his prize under his own lock.
    """
    drawn = 0
    for reward, at in sweepstakes.due(connection, runtime.program_id, now=now):
        prizes = prizes_of(connection, runtime, reward, at, at=at)
        connection.rollback()
        won = batch.attempt(
            connection,
            lambda name=reward, when=at, given=prizes: sweepstakes.draw(  # type: ignore[misc]
                connection, runtime.program_id, name, when, len(given), now=now
            ),
        )
        drawn += won is not None
    rows = connection.execute(UNDECIDED, {"program": runtime.program_id}).fetchall()
    connection.rollback()
    for reward, at in {(row[0], row[1]) for row in rows}:
        _give_prizes(connection, runtime, reward, at, now=now)
    return drawn


def _give_prizes(connection: Connection[Any], runtime: Runtime, reward: str, at: Any, *, now: int) -> None:
    for draw in sweepstakes.read(connection, runtime.program_id, reward):
        if moment(draw.draw_at) != at:
            continue
        prizes = prizes_of(connection, runtime, reward, draw.draw_at, at=draw.draw_at)
        connection.rollback()
        for winner in draw.winners:
            batch.attempt(
                connection,
                lambda one=winner, part=prizes[winner.prize - 1]: _give_prize(  # type: ignore[misc]
                    connection, runtime, one, part, now=now
                ),
            )


def _give_prize(
    connection: Connection[Any], runtime: Runtime, winner: sweepstakes.Winner, prize: Part, *, now: int
) -> None:
    runtime, _ = orders.locked(connection, runtime, winner.member_id)
    order = orders.find(connection, runtime, winner.member_id, winner.order_id)
    held = order_store.items(connection, winner.member_id, [winner.order_id])[winner.order_id]
    item = next(item for item in held if item.item_id == winner.item_id)
    if item.state != "open":
        return
    item.state = "won"
    item.details |= {"prize": winner.prize, "won": prize.reward}
    try:
        _hand_out(Work(connection, runtime, order, ACTOR, now), item, prize)
    except OrderRefused as refused:
        # Whoever won keeps what he won: staff finds it among what could not be made.
        item.details["not_made"] = refused.message
        logger.warning("prize %s of an order could not be given: %s", prize.reward, refused.message)
    order_store.save_item(connection, winner.member_id, item)
