"""What members of the demo do besides shopping, by a rule that follows from their numbers alone.

The history has baskets and paper coupons, nothing else. So that a program is seen at work, one household in eight
(those whose number divides by eight) uses what it earns. Its baskets are imported fortnight by fortnight, and at the
end of every second one, by the platform's own operations and as of that evening, it does what its number says (k is
the number over eight):

- k = 0 (mod 3), payers: all whole 500 stars that it has are paid at the till, 2,500 at most;
- k = 1 (mod 6), choosers: every second time it takes its favourite reward of the catalogue, where it has the stars;
  every second one of them uses what it took a moment later;
- k = 2 (mod 3), savers: in the last twelve weeks it takes, once, the dearest thing to hold that it can have;
  what staff hands out is handed out after two weeks, so that the last orders wait;
- k = 3 (mod 6) turns the wheel in the last sixteen weeks, where it has a turn, and answers the quiz once.

Households whose first basket comes after the program was extended join with a code of one that is in the gold tier.
Nothing here is a real person's doing, and no row is written by hand.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

import psycopg

from palier.activities import batch, doing, enrolment
from palier.activities import operations as commands
from palier.activities.imports import import_rows
from palier.activities.runtime import Runtime
from palier.connectors import complete_journey
from palier.engine.clock import DAY, MINUTE, SECOND, instant, moment
from palier.engine.state import decode_state
from palier.members import queries as members
from palier.members.operations import NewMember
from palier.rewards import handing_out, orders
from palier.rewards.addresses import Address
from palier.rewards.refusals import OrderRefused
from palier.vouchers import operations as vouchers
from palier.vouchers.refusals import VoucherRefused

SOURCE: Final = "demo"
ONE_IN: Final = 8
SPAN: Final = 14 * DAY
SPANS: Final = 26
LAST_TWELVE_WEEKS: Final = SPANS - 6
LAST_SIXTEEN_WEEKS: Final = SPANS - 8
FAVOURITES: Final = (
    ("coffee_cup", None, 150), ("fruit_basket", None, 650), ("dollars_off", "five", 500),
    ("fresh_bread", None, 350), ("salad_lunch", None, 750), ("surprise_bag", None, 260),
    ("produce_tenth", None, 200), ("bouquet", None, 950), ("breakfast_for_two", None, 550),
    ("knife_sharpening", None, 450), ("salmon_dinner", None, 1500), ("priority_checkout", None, 900),
)  # fmt: skip
"""What choosers like: a reward, its variant, and its price in stars."""
THINGS: Final = (
    ("iron_pan", None, 4200), ("bookshop_card", "twenty_five", 2450), ("apron", "medium", 1900),
    ("steel_bottle", None, 1900), ("bookshop_card", "ten", 1000), ("tote_bag", None, 450),
)  # fmt: skip
"""What savers save for, the dearest first."""
ANSWERS: Final = ("2,1,2", "2,1,1", "2,2,2", "1,1,2")


def number_of(household: str) -> int:
    """The number in a household's name."""
    return int(household.rpartition("-")[2])


def who_acts(baskets: complete_journey.Baskets, extended: int) -> set[str]:
    """The households of the rule: every eighth, and those that come after the program was extended."""
    later = written(extended)
    return {
        name for name, first in baskets.firsts().items() if number_of(name) % ONE_IN == 0 or first >= later
    }


class Year:
    """The year of the households that act: their baskets, and what they do."""

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        program: Runtime,
        baskets: complete_journey.Baskets,
        active: set[str],
        *,
        ended: int,
        extended: int,
    ) -> None:
        self.connection, self.program, self.baskets = connection, program, baskets
        self.ended, self.extended = ended, extended
        self.names = sorted(active, key=number_of)
        self.hashes = {name: members.hashed("external_id", name) for name in self.names}
        self.firsts = baskets.firsts()
        self.ids: dict[str, int] = {}
        self.orders: list[tuple[int, int, int]] = []
        self.sent = self.applied = self.duplicate = self.refused = 0
        self.import_seconds = 0.0

    def lived(self) -> Iterator[int]:
        """Lives span after span; how many baskets are behind. Spans that an earlier run finished are passed over."""
        ends = [self.ended - (SPANS - 1 - span) * SPAN for span in range(SPANS)]
        begins = [ends[0] - 2 * SPAN, *ends[:-1]]
        begun = self._begun([written(each) for each in ends])
        for span, (start, end) in enumerate(zip(begins, ends, strict=True)):
            self._welcome(start, end)
            self._import(start, end)
            yield self.sent
            if begun[span]:
                continue
            self._act(span, end)
            self.connection.commit()

    def _begun(self, ends: list[str]) -> list[bool]:
        """For each span, whether an earlier run has gone on to what comes after it."""
        following = self.baskets.first_ids(ends)
        rows = self.connection.execute(
            "-- demo.claimed\nselect external_id from activity_claim"
            " where external_id = any(%s) and source = %s and program_id = %s",
            ([each for each in following if each], complete_journey.SOURCE, self.program.program_id),
        ).fetchall()
        self.connection.rollback()
        known = {row[0] for row in rows}
        return [each in known for each in following]

    def _import(self, start: int, end: int) -> None:
        began = time.monotonic()
        summary = import_rows(
            self.connection,
            self.program,
            complete_journey.reader(baskets=self.baskets.between(written(start), written(end))),
            clock=lambda: end,
            enrol_unknown=True,
        )
        self.import_seconds += time.monotonic() - began
        self.sent += summary.sent
        self.applied += summary.applied
        self.duplicate += summary.duplicate
        self.refused += summary.refused
        found = members.find_hashes(self.connection, self.program.program_id, self.hashes.values())
        self.ids = {name: found[value] for name, value in self.hashes.items() if value in found}
        self.connection.rollback()

    # --- friends ----------------------------------------------------------------------------------------------

    def _welcome(self, start: int, end: int) -> None:
        """Enrols who comes in this span with a friend's code."""
        come = [name for name in self.names if max(start, self.extended) <= _read(self.firsts[name]) < end]
        gold = self._gold() if come else []
        for place, name in enumerate(sorted(come, key=self.firsts.__getitem__)):
            at = _read(self.firsts[name]) - MINUTE
            if not gold or name in self.ids:
                continue
            friend = gold[place % min(3, len(gold))]
            code, _, _ = enrolment.referral_code(self.connection, self.program, friend, now=at)
            new = NewMember({"external_id": name}, enrolled_at=at)
            enrolment.enrol(self.connection, self.program, new, code, now=at)
        self.connection.commit()

    def _gold(self) -> list[int]:
        """Members in the gold tier, by the number of their household."""
        rows = self.connection.execute(
            "-- demo.states\nselect member_id, state from progress where member_id = any(%s)",
            (list(self.ids.values()),),
        ).fetchall()
        states = {member_id: decode_state(state) for member_id, state in rows}
        return [
            self.ids[name]
            for name in self.names
            if name in self.ids and states[self.ids[name]].tier.key == "gold"
        ]

    # --- what they do -----------------------------------------------------------------------------------------

    def _act(self, span: int, end: int) -> None:
        turn = [
            (number_of(name) // ONE_IN, self.ids[name])
            for name in self.names
            if name in self.ids
            and number_of(name) % ONE_IN == 0
            and number_of(name) // ONE_IN % 2 == span % 2
        ]
        has = self._has([member_id for _, member_id in turn])
        for place, (k, member_id) in enumerate(turn):
            at = end + (place + 1) * 10 * SECOND
            stars = has.get((member_id, "stars"), 0)
            with self._allowed():
                if k % 3 == 0:
                    self._pay(k, member_id, span, stars, at)
                elif k % 6 == 1 and span // 2 % 2 == k // 6 % 2:
                    self._choose(k, member_id, span, stars, at)
                elif k % 3 == 2 and span >= LAST_TWELVE_WEEKS:
                    self._keep(k, member_id, span, stars, at)
            if k % 6 == 3 and span >= LAST_SIXTEEN_WEEKS:
                if has.get((member_id, "turn"), 0):
                    self._do(k, member_id, "play", {"game": "market_wheel"}, f"wheel:{k}:{span}", at)
                if span >= SPANS - 2:
                    answers = {"quiz": "seasons", "answers": ANSWERS[k // 6 % len(ANSWERS)]}
                    self._do(k, member_id, "quiz", answers, f"quiz:{k}", at + SECOND)
        self._hand_out(span, end)

    def _has(self, member_ids: list[int]) -> dict[tuple[int, str], int]:
        rows = self.connection.execute(
            "-- demo.wallets\nselect member_id, currency, posted - held from wallet where member_id = any(%s)",
            (member_ids,),
        ).fetchall()
        return {(member_id, currency): amount for member_id, currency, amount in rows}

    @contextmanager
    def _allowed(self) -> Iterator[None]:
        """What is done within is left where the platform says no: nothing of it is kept then."""
        try:
            with self.connection.transaction():
                yield
        except (OrderRefused, VoucherRefused, commands.NotDone, batch.Conflict):
            pass

    def _pay(self, k: int, member_id: int, span: int, stars: int, at: int) -> None:
        points = min(stars // 500 * 500, 2500)
        if points:
            commands.redeem(
                self.connection,
                self.program,
                member_id=member_id,
                currency="stars",
                points=points,
                source=SOURCE,
                id=f"paid:{k}:{span}",
                now=at,
            )

    def _choose(self, k: int, member_id: int, span: int, stars: int, at: int) -> None:
        reward, variant, price = FAVOURITES[k // 6 % len(FAVOURITES)]
        if stars < price:
            return
        placed = self._order(member_id, orders.Wanted(reward, variant=variant), f"chosen:{k}:{span}", at)
        if k // 6 % 4 < 2:
            for item in placed.items:
                self._use(member_id, item.kind, item.item_id, at + MINUTE)

    def _keep(self, k: int, member_id: int, span: int, stars: int, at: int) -> None:
        found = next((thing for thing in THINGS if thing[2] <= stars), None)
        if found is None or any(member_id == owner for owner, _, _ in self.orders):
            return
        reward, variant, _ = found
        address = Address(f"Household {ONE_IN * k} (demo)", ("1 Example Street",), "00000", "Example", "US")
        placed = self._order(
            member_id, orders.Wanted(reward, variant=variant, address=address), f"kept:{k}", at
        )
        self.orders.append((member_id, placed.order.order_id, span))

    def _order(self, member_id: int, wanted: orders.Wanted, id: str, at: int) -> orders.Placed:
        return orders.place(
            self.connection,
            self.program,
            member_id=member_id,
            wanted=wanted,
            source=SOURCE,
            id=id,
            confirm=True,
            actor="demo",
            now=at,
        )

    def _use(self, member_id: int, kind: str, item_id: int, at: int) -> None:
        if kind in handing_out.USED:
            handing_out.use(self.connection, self.program, member_id, item_id, uses=1, now=at)
        elif kind == "voucher":
            told = handing_out.reveal(self.connection, self.program, member_id, item_id, actor="demo", now=at)
            vouchers.use(
                self.connection,
                self.program.program_id,
                vouchers.Presented(told["code"], member_id),
                source=SOURCE,
                id=f"used:{item_id}",
                channel="store",
                now=at,
            )

    def _do(self, k: int, member_id: int, kind: str, attributes: dict[str, Any], id: str, at: int) -> None:
        doing.act(self.connection, self.program, member_id, kind, attributes, id=f"{SOURCE}:{id}", now=at)

    def _hand_out(self, span: int, end: int) -> None:
        """Staff hands out what was ordered two weeks ago."""
        for member_id, order_id, ordered in self.orders:
            if span - ordered == 1:
                with self._allowed():
                    orders.fulfil(
                        self.connection,
                        self.program,
                        member_id,
                        order_id,
                        by="staff",
                        given={},
                        actor="demo",
                        now=end + 60 * MINUTE,
                    )


def written(at: int) -> str:
    """An instant as the baskets are dated."""
    return f"{moment(at):%Y-%m-%dT%H:%M:%SZ}"


def _read(text: str) -> int:
    return instant(datetime.fromisoformat(text))


__all__ = ["Year", "number_of", "who_acts", "written"]
