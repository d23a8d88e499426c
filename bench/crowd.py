"""A crowd of members for pages: few that are played through the product's own operations, the others their doubles.

Each has a card, an e-mail address, a phone and an external id, five sales over the last months, goals, a streak and a
place in a ranking; one in twenty has ordered something, one in a hundred has asked a question.
"""

from __future__ import annotations

from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Any

import msgspec

from bench import data, instance, shelves
from palier.activities.runtime import Runtime
from palier.care import cases
from palier.engine.clock import moment
from palier.engine.program import Program
from palier.insights import operations as insights
from palier.ledger.seal import seal
from palier.members.operations import NewMember, enrol
from palier.members.queries import find
from palier.rewards import operations as catalogue
from palier.rewards import orders
from palier.site import clock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from palier.site import embedded

PLAYED = 1_000
"""Members that are played; the others are doubles of them."""
_SHELVED = 500
_ORDERS_ONE_IN = 20
_ASKS_ONE_IN = 100
_SALES = 5
_EVERY_DAYS = 30
KINDS = ("external_id", "card", "phone", "email")
TABLES = (
    *instance.KEPT, "goal_progress", "insight_member", "member_session", "member_message", "reward_order",
    "order_event", "reward_item", "support_case", "case_message",
)  # fmt: skip


def program() -> Program:
    """The benches' program with twenty rules, goals, a streak, and a ranking by what is spent in a year."""
    made = msgspec.to_builtins(instance.program_with_mechanics())
    ranking = {
        "key": "best", "name": {"en": "Best of the year", "fr": "Les meilleurs de l'année"}, "goal": "trail",
        "shown": 50,
    }  # fmt: skip
    return msgspec.convert({**made, "leaderboards": [ranking]}, Program)


def identities(number: int) -> dict[str, str]:
    """What finds the member of that number."""
    return {kind: identity(kind, number) for kind in KINDS}


def identity(kind: str, number: int) -> str:
    """What of one kind finds the member of that number."""
    if kind == "external_id":
        return data.member(number)
    if kind == "card":
        return f"C{number:08d}"
    return f"+3361{number:07d}" if kind == "phone" else f"member-{number}@example.org"


def populate(server: embedded.Server, members: int) -> None:
    """Makes a crowd of so many (a multiple of PLAYED) in the database that is worked on, which has no member yet."""
    with instance.Desk() as desk:
        now = clock.now()
        new = [NewMember(identities(number), enrolled_at=now) for number in range(PLAYED)]
        enrol(desk.connection, desk.program.program_id, new, now=now)
        desk.connection.commit()
        _play(desk, desk.program)
    instance.keep(server, TABLES)
    with instance.doubled(server, PLAYED, range(1, members // PLAYED), TABLES, KINDS, identity):
        pass
    instance.settle(server)


def _play(desk: instance.Desk, found: Runtime) -> None:
    (currency,) = found.latest.currencies
    treat = {
        "key": "treat", "name": {"en": "A treat", "fr": "Une douceur"}, "state": "live", "gives": {"kind": "service"},
        "prices": [{"points": {currency: "1"}}],
    }  # fmt: skip
    shelved: Iterator[dict[str, Any]] = chain(shelves.items(_SHELVED, currency), [treat])
    catalogue.load(desk.connection, found, enumerate(shelved, 1), by="bench", reason="bench", now=clock.now)
    for number in range(_SALES):
        sales = data.sales(
            PLAYED, members=PLAYED, seed=number, lines=2, step_ms=50, prefix=f"c{number}",
            start=instance.recently(2 + _EVERY_DAYS * (_SALES - 1 - number)),
        )  # fmt: skip
        each = [{**sale, "member": {"external_id": data.member(member)}} for member, sale in enumerate(sales)]
        desk.apply([msgspec.json.encode(each)], history=True)
    for number in range(0, PLAYED, _ORDERS_ONE_IN):
        member = find(desk.connection, found.program_id, {"external_id": data.member(number)})
        assert member is not None
        orders.place(
            desk.connection, found, member_id=member, wanted=orders.Wanted("treat"), source="bench",
            id=f"o{number}", confirm=True, actor="bench", now=clock.now(),
        )  # fmt: skip
        if number % _ASKS_ONE_IN == 0:
            cases.open_case(
                desk.connection, found, member_id=member, text="Where are my points?", once=f"q{number:012}",
                now=clock.now(),
            )  # fmt: skip
        desk.connection.commit()
    while seal(desk.connection, now=moment(clock.now())):
        desk.connection.commit()
    desk.connection.commit()
    insights.count_all(desk.connection, found, now=clock.now())


@contextmanager
def there(server: embedded.Server, members: int) -> Iterator[None]:
    """A crowd of so many to work on for the length of a block; kept for the next time, made where there is none."""
    with instance.standing(
        server, f"bench_crowd_{members}", program(), lambda: populate(server, members), "crowd.py", "data.py"
    ):
        yield
