"""Vouchers and pools held against the rows that they are counted from: a part of `palier verify`."""

# ruff: noqa: S608 -- statements are put together from the constants of this file alone

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from psycopg import Connection

from palier.ledger.invariants import BROKEN
from palier.ledger.verify import MOST_PER_INVARIANT, Violation, register_state_check

_HERE: Final = "(%(program_id)s::bigint is null or {}.program_id = %(program_id)s)"

INVARIANTS: Final[dict[str, str]] = {
    "voucher.uses": """
select 'voucher ' || encode(coalesce(v.code_hash, u.code_hash), 'hex'), coalesce(u.uses, 0),
       coalesce(v.uses::text, 'no voucher')
from voucher v
full join (
  select code_hash, program_id, sum(case kind when 'use' then 1 else -1 end) as uses
  from voucher_use group by code_hash, program_id
) u on u.code_hash = v.code_hash and u.program_id = v.program_id
where coalesce(u.uses, 0) is distinct from v.uses
  and (%(program_id)s::bigint is null or coalesce(v.program_id, u.program_id) = %(program_id)s)
""",
    "voucher.within_max_uses": f"""
select 'voucher ' || encode(v.code_hash, 'hex'), 'at most ' || v.max_uses, v.uses
from voucher v where (v.uses > v.max_uses or v.uses < 0) and {_HERE.format("v")}
""",
    "voucher.state": f"""
select 'voucher ' || encode(v.code_hash, 'hex'), case when v.uses = v.max_uses then 'used' else 'active' end,
       v.state
from voucher v
where (v.state = 'used') <> (v.uses = v.max_uses) and (v.state in ('active', 'used')) and {_HERE.format("v")}
""",
    "voucher.release_of_a_use": f"""
select 'voucher ' || encode(r.code_hash, 'hex') || ' ' || r.source || ' ' || r.external_id, 'a use', 'none'
from voucher_use r
where r.kind = 'release' and {_HERE.format("r")}
  and not exists (select 1 from voucher_use u where u.code_hash = r.code_hash and u.program_id = r.program_id
                  and u.external_id = r.external_id and u.source = r.source and u.kind = 'use')
""",
    "pool.imported": f"""
select 'pool ' || p.key, count(c.code_id), p.imported
from code_pool p left join pool_code c on c.pool_id = p.pool_id
where {_HERE.format("p")} group by p.pool_id, p.key, p.imported having count(c.code_id) <> p.imported
""",
    "pool.code_of_a_pool": f"""
select 'code ' || c.code_id, 'a pool of its program', 'none'
from pool_code c left join code_pool p on p.pool_id = c.pool_id and p.program_id = c.program_id
where p.pool_id is null and {_HERE.format("c")}
""",
    "pool.code_state": f"""
select 'code ' || c.code_id,
       case when c.revealed_at is not null then 'revealed' when c.order_ref is not null then 'taken' else 'free' end,
       c.state
from pool_code c
where ((c.revealed_at is not null) <> (c.state = 'revealed')
       or (c.order_ref is not null) <> (c.state in ('taken', 'revealed')))
  and {_HERE.format("c")}
""",
}
"""Each statement returns (place, expected, found) for what breaks it."""


@register_state_check
def vouchers_and_pools(connection: Connection[Any], program: str | None) -> Iterator[Violation]:
    """Uses are what their rows come to and no more than allowed; every code of a pool stands where it says."""
    row = None
    if program is not None:
        row = connection.execute("select program_id from program where key = %s", (program,)).fetchone()
    parameters = {"program_id": row[0] if row is not None else None, "most": MOST_PER_INVARIANT}
    for invariant, query in INVARIANTS.items():
        for found in connection.execute(BROKEN.format(invariant=query), parameters).fetchall():
            yield Violation(invariant, *found)
