"""Sales and redemptions as later returns need them, from stored rows; those of merged members too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from psycopg import Connection

from palier.activities import store
from palier.engine.clock import instant
from palier.engine.decisions import (
    Inherited,
    RedemptionRecord,
    SaleRecord,
    key_of,
    paid_with,
    renamed,
    used_with,
)
from palier.engine.facts import COMMANDS, RETURN, Reference
from palier.engine.history import in_fold_order
from palier.engine.plan import Timeline
from palier.engine.state import NEVER, Lot, lot_id
from palier.engine.trace import Trace
from palier.members import refs


def records_of(
    stored: list[store.StoredActivity], sales: set[int], timeline: Timeline
) -> tuple[dict[str, SaleRecord], dict[str, RedemptionRecord]]:
    """Sale and redemption records of one member from stored rows: those of the sales with these ids."""
    latest: dict[int, Trace] = {}
    for item in stored:
        if item.corrects_id:
            latest[item.corrects_id] = item.trace
    records: dict[str, SaleRecord] = {}
    by_id: dict[int, SaleRecord] = {}
    redemptions: dict[str, RedemptionRecord] = {}
    for item in stored:
        if item.corrects_id:
            continue
        fact, trace = item.known.fact, latest.get(item.activity_id, item.trace)
        if item.activity_id in sales and item.type not in COMMANDS and item.type != RETURN:
            at = item.known.inputs.acts_at or fact.at
            record = SaleRecord(fact, item.known.inputs, trace, (at, 0, fact.source, fact.id))
            records[key_of(fact.source, fact.id)] = by_id[item.activity_id] = record
        elif item.type in ("redeem", "capture"):
            named = fact.hold if fact.hold is not None else Reference(fact.source, fact.id)
            redemptions[key_of(named.source, named.id)] = RedemptionRecord(
                fact.currency, paid_with(trace), fact.at, used_with(fact.partner)
            )
    for item in stored:
        undoes = item.known.fact.undoes
        # One that is not there was made by a member who was merged into this one.
        spent = redemptions.get(key_of(undoes.source, undoes.id)) if undoes is not None else None
        if item.type == "refund" and spent is not None:
            spent.refunded += item.known.fact.points
    returns = [item for item in stored if item.type == RETURN and item.sale_id in by_id]
    order = {item.activity_id: item for item in returns}
    for known in in_fold_order(item.known for item in returns):
        item = order[known.activity_id]
        by_id[item.sale_id].replay(known.fact, latest.get(item.activity_id, item.trace))
    return records, redemptions


def inherited_of(
    connection: Connection[Any], timeline: Timeline, history: Sequence[store.StoredActivity]
) -> dict[str, Inherited]:
    """What members leave that were merged into the one with this history, by `key_of` each merge that stands.

    A merged member is not decided again, so that what it leaves does not change.
    """
    found = {}
    for merge, _ in _merges(history):
        stored, lots = _left(connection, timeline, refs.decode(merge.known.fact.other_member))
        every = {item.activity_id for item in stored}
        sales, redemptions = records_of(stored, every, timeline)
        found[key_of(merge.source, merge.id)] = Inherited(sales, redemptions, lots)
    return found


def _merges(history: Sequence[store.StoredActivity]) -> list[tuple[store.StoredActivity, Trace]]:
    """The merges of a history that were not undone, each with the trace that stands."""
    undone = {
        key_of(item.known.fact.merge.source, item.known.fact.merge.id)
        for item in history
        if item.known.fact.merge is not None
    }
    traces = {item.corrects_id: item.trace for item in history if item.corrects_id}
    return [
        (item, traces.get(item.activity_id, item.trace))
        for item in history
        if item.type == "merge_in" and key_of(item.source, item.id) not in undone
    ]


def _left(
    connection: Connection[Any], timeline: Timeline, member_id: int
) -> tuple[list[store.StoredActivity], list[tuple[str, Lot]]]:
    """The decisions of a merged member and the fates of its lots, with those of members merged into it before."""
    stored = store.activities(connection.execute(store.LOAD_HISTORY, {"members": [member_id]}))
    lots = []
    rows = connection.execute(store.LOAD_FATES, {"member": member_id}).fetchall()
    for identifier, currency, expires, funder, first in rows:
        ends = instant(expires) if expires is not None else NEVER
        lapses = (timeline.at(instant(first)) or timeline.spans[-1][2]).lapses(currency, ends)
        lots.append((currency, Lot(identifier, ends, lapses, funder, instant(first))))
    for merge, trace in _merges(stored):
        theirs, theirs_lots = _left(connection, timeline, refs.decode(merge.known.fact.other_member))
        names = dict(trace.renamed)
        for currency, lot in theirs_lots:
            lot.id = names.setdefault(lot.id, lot_id(currency, lot.expires_at, lot.funder, False))
            lots.append((currency, lot))
        stored = [_renamed(item, names) for item in theirs] + stored
    return stored, lots


def _renamed(item: store.StoredActivity, names: dict[int, int]) -> store.StoredActivity:
    trace = msgspec.structs.replace(
        item.trace,
        rules=renamed(item.trace.rules, names),
        grants=renamed(item.trace.grants, names),
        taken=[(names.get(lot, lot), amount) for lot, amount in item.trace.taken],
    )
    return msgspec.structs.replace(item, trace=trace)
