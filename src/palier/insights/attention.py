"""What waits for a person: faults of the ledger, approvals, dead letters, what runs low, refused lines, open cases.

Each is a count that an index answers, so that the list costs the first page of the console little.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from msgspec import Struct
from psycopg import Connection

from palier.activities.campaigns import campaigns
from palier.activities.runtime import Runtime
from palier.care import cases
from palier.engine.clock import DAY, moment
from palier.ledger.verify import last_proof
from palier.rewards import suppliers
from palier.vouchers import pools

Kind = Literal[
    "approvals",
    "orders_stuck",
    "pool_low",
    "balance_low",
    "supplier_paused",
    "import_refused",
    "import_failed",
    "cases",
    "budget",
    "clock",
    "ledger",
    "till_sales",
]

NEARLY: Final = 9_000
"""From this share of its budget on, in basis points, a campaign is told."""
_RECENT: Final = 7 * DAY

COUNTS: Final = """
-- insights.attention
select (select count(*) from approval where program_id = %(program)s and state = 'asked' and expires_at > %(now)s),
       (select count(*) from dispatch where program_id = %(program)s and state = 'dead'),
       (select stopped_at is not null from clock),
       (select count(*) from till_entry
        where program_id = %(program)s and state in ('refused', 'kept') and sealed is not null)
"""

IMPORTS: Final = """
-- insights.attention_imports
select name, refused_lines, state from import_file
where program_id = %(program)s and created_at >= %(since)s and (refused_lines > 0 or state = 'failed')
order by created_at desc limit 5
"""


class Matter(Struct, frozen=True):
    """Something that waits for a person: its kind, how many, of what (a name), and how far (basis points)."""

    kind: Kind
    count: int = 1
    name: str = ""
    share: int = 0


def attention(connection: Connection[Any], runtime: Runtime, *, now: int) -> list[Matter]:
    """What waits for a person in a program, the most urgent kinds first. Reads only."""
    program = runtime.program_id
    parameters = {"program": program, "now": moment(now), "since": moment(now - _RECENT)}
    row = connection.execute(COUNTS, parameters).fetchone()
    assert row is not None
    approvals, dead, stopped, till_sales = row
    found = []
    if stopped:
        found.append(Matter("clock"))
    proof = last_proof(connection, program)
    if proof is not None and proof.violations:
        found.append(Matter("ledger", proof.violations, proof.invariant))
    if dead:
        found.append(Matter("orders_stuck", dead))
    if approvals:
        found.append(Matter("approvals", approvals))
    if till_sales:
        found.append(Matter("till_sales", till_sales))
    if waiting := cases.counts(connection, program)["open"]:
        found.append(Matter("cases", waiting))
    for campaign in campaigns(connection, runtime, now=now):
        budget = campaign.budget
        if budget is not None and budget.limit and campaign.state == "running":
            share = budget.used * 10_000 // budget.limit
            if share >= NEARLY:
                found.append(Matter("budget", name=campaign.key, share=share))
    for supplier in suppliers.listed(connection, program):
        if supplier.paused:
            found.append(Matter("supplier_paused", name=supplier.key))
        balance = suppliers.health(connection, program, supplier.key).balance
        if balance is not None and suppliers.is_low(supplier.document, balance):
            found.append(Matter("balance_low", name=supplier.key))
    found += [
        Matter("pool_low", pool.free, pool.key)
        for pool in pools.list_pools(connection, program, now=now)
        if pool.state != "stocked"
    ]
    for name, refused, state in connection.execute(IMPORTS, parameters):
        found.append(Matter("import_failed" if state == "failed" else "import_refused", refused, name))
    return found


__all__ = ["Kind", "Matter", "attention"]
