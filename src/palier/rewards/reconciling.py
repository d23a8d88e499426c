"""Comparing what was sent to a supplier with what it says of it, and repairing what is certain.

Certain is what the supplier says of an order that is still under way here. What was settled here is only reported,
since points were spent or given back: except that an order which was given up here and is still to come there is
called off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any, Final, Literal

from msgspec import Struct
from psycopg import Connection

from palier.connectors.suppliers.contract import Absent, Declined, Standing, Supplier, Unanswered
from palier.connectors.suppliers.mapping import SupplierDocument
from palier.engine.clock import SECOND
from palier.rewards import dispatch, forwarding
from palier.rewards.dispatch import Compared, Orders
from palier.rewards.suppliers import Configured

_CHUNK: Final = 200


class Difference(Struct, frozen=True):
    """One order about which both sides do not agree, and what to do where it was not repaired."""

    dispatch_id: int
    request_id: str
    ours: str
    theirs: str
    repaired: bool
    remedy: str


class Reconciled(Struct):
    """What a comparison came to: compared = agreed + differences + unanswered."""

    compared: int = 0
    agreed: int = 0
    unanswered: int = 0
    differences: list[Difference] = []

    @property
    def open(self) -> list[Difference]:
        """What was not repaired."""
        return [found for found in self.differences if not found.repaired]


def reconcile(
    connection: Connection[Any],
    configured: Configured,
    supplier: Supplier,
    orders: Orders,
    *,
    since: int,
    now: Callable[[], int],
    repair: bool = True,
) -> Reconciled:
    """Asks a supplier about all that is under way or dead, and all that was settled since an instant. Commits.

    Without `repair` nothing is changed. Run twice, or while messages are sent, it does no harm: each repair takes
    its message first, as whoever sends does.
    """
    found = Reconciled()
    for each in _compared(connection, configured, since, now):
        found.compared += 1
        answer = supplier.status(each.request_id, each.reference)
        if not isinstance(answer, (Standing, Absent)):
            found.unanswered += 1
            continue
        difference = _difference(connection, configured, supplier, orders, each, answer, now, repair)
        if difference is None:
            found.agreed += 1
        else:
            found.differences.append(difference)
    return found


def _compared(
    connection: Connection[Any], configured: Configured, since: int, now: Callable[[], int]
) -> Iterator[Compared]:
    after = 0
    while True:
        rows = dispatch.to_compare(
            connection,
            configured.program_id,
            configured.key,
            since=since,
            after=after,
            now=now(),
            limit=_CHUNK,
        )
        connection.commit()
        if not rows:
            return
        yield from rows
        after = rows[-1].dispatch_id


def _difference(
    connection: Connection[Any],
    configured: Configured,
    supplier: Supplier,
    orders: Orders,
    each: Compared,
    answer: Standing | Absent,
    now: Callable[[], int],
    repair: bool,
) -> Difference | None:
    theirs = answer.state if isinstance(answer, Standing) else "absent"
    document = configured.document

    def differs(remedy: str, *, repaired: bool = False) -> Difference:
        return Difference(each.dispatch_id, each.request_id, each.state, theirs, repaired, remedy)

    if each.state == theirs:
        costs = isinstance(answer, Standing) and answer.cost is not None and each.cost is not None
        if costs and isinstance(answer, Standing) and answer.cost != each.cost:
            return differs("it takes another price than it told; settle that with the supplier")
        return None
    if each.state in ("delivered", "refused", "cancelled"):
        return _settled_here(supplier, each, answer, differs, repair)
    if theirs == "absent":
        if each.state == "accepted":
            return differs(
                "it took the order and does not know it any more; ask it, then `palier suppliers settle`"
            )
        if each.state == "dead" and now() >= each.sent_at + document.settles_s * SECOND:
            return differs(
                "it never had the order: send it again with `palier suppliers retry`, or settle it"
            )
        return None
    if theirs == "accepted" and each.state in ("queued", "sent", "unknown"):
        # Under way on both sides, and it is asked after anyway.
        return None
    assert isinstance(answer, Standing)
    if not repair:
        return differs("run it without --no-repair")
    done = not each.is_taken and _repaired(connection, each, answer, document, orders, now)
    return differs("" if done else "it is being sent at this moment; compare again", repaired=done)


def _settled_here(
    supplier: Supplier,
    each: Compared,
    answer: Standing | Absent,
    differs: Callable[..., Difference],
    repair: bool,
) -> Difference | None:
    theirs = answer.state if isinstance(answer, Standing) else "absent"
    given_up = each.state in ("refused", "cancelled")
    if given_up and theirs in ("absent", "refused", "cancelled"):
        return None
    if given_up and theirs == "accepted" and repair:
        called_off: Standing | Absent | Unanswered = supplier.cancel(each.request_id, each.reference)
        if isinstance(called_off, Absent) or (
            isinstance(called_off, Standing) and called_off.state == "cancelled"
        ):
            return differs("", repaired=True)
        why = f" ({called_off.code})" if isinstance(called_off, Declined) else ""
        return differs(
            f"it delivers what was given up and cannot be called off{why}; settle it with the supplier"
        )
    if given_up:
        return differs(
            "it delivers what was given up here, and the member has the points back; settle it there"
        )
    return differs("it was delivered here; ask the supplier, and refund the order if it never came")


def _repaired(
    connection: Connection[Any],
    each: Compared,
    answer: Standing,
    document: SupplierDocument,
    orders: Orders,
    now: Callable[[], int],
) -> bool:
    at = now()
    taken = dispatch.claim_one(connection, each.dispatch_id, now=at, lease_s=forwarding.lease_s(document))
    if taken is None:
        return False
    question: Literal["status"] = "status"
    asked = forwarding.Asked(taken, question, answer)
    chance = Random()  # noqa: S311 (jitter, no secret)
    step = forwarding.settle(connection, asked, document, orders, claimed_at=at, now=at, chance=chance)
    return step is not None
