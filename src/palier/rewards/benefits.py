"""Benefits: what a member is entitled to by tier, by membership, by units of services earned, and from orders.

What is counted is counted where it stands already: units of a service are a wallet of the ledger, and a use redeems
them; rights from orders have their uses beside them. Tiers and memberships entitle for as long as they are held.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from msgspec import Struct
from psycopg import Connection

from palier.activities import operations
from palier.activities.operations import NotDone
from palier.activities.queries import Standing, Wallet
from palier.activities.runtime import Runtime
from palier.engine.clock import instant
from palier.engine.document import Text
from palier.engine.refusals import Refusal, RefusalCode
from palier.engine.sentences import sentence
from palier.engine.state import NEVER
from palier.rewards import catalogue, handing_out
from palier.rewards.order_store import decode_order_ref, order_ref

Where = Literal["tier", "membership", "units", "order"]

OPEN_RIGHTS: Final = """
-- benefits.open_rights
select item_id, reward_key, uses_left, valid_from, valid_until
from reward_item
where member_id = %(member)s and program_id = %(program)s and kind = any(%(kinds)s) and state = 'open'
order by item_id
"""


class Benefit(Struct, frozen=True):
    """One entitlement. `uses_left` None: not counted. Instants are microseconds UTC; `until` NEVER without end."""

    ref: str
    where: Where
    key: str
    name: Text
    texts: tuple[Text, ...] = ()
    uses_left: int | None = None
    since: int = 0
    until: int = NEVER

    @property
    def usable(self) -> bool:
        """Whether a use of it is counted here."""
        return self.where in ("units", "order")


def of_member(
    connection: Connection[Any],
    runtime: Runtime,
    member_id: int,
    standing: Standing,
    wallets: Mapping[str, Wallet],
    *,
    now: int,
) -> list[Benefit]:
    """What a member is entitled to now, by his standing and wallets of now: tier, memberships, units, orders."""
    program = runtime.latest.program
    found = []
    for tier in program.tiers.tiers if program.tiers is not None else []:
        if tier.key == standing.tier and tier.benefits:
            until = standing.given_until or standing.held_until or NEVER
            found.append(
                Benefit(f"tier:{tier.key}", "tier", tier.key, tier.name, tuple(tier.benefits), until=until)
            )
    for membership in standing.pursuits.memberships:
        if membership.state == "active":
            found.append(
                Benefit(
                    f"membership:{membership.key}", "membership", membership.key, membership.name,
                    membership.benefits, until=membership.ends_at,
                )
            )  # fmt: skip
    for currency in program.point_currencies:
        wallet = wallets.get(currency.key)
        units = wallet.spendable // 10**currency.scale if wallet is not None else 0
        if currency.kind == "reward" and units:
            name = Text(
                en=currency.name.en.one if currency.name.en is not None else "",
                fr=currency.name.fr.one if currency.name.fr is not None else "",
            )
            found.append(Benefit(f"units:{currency.key}", "units", currency.key, name, uses_left=units))
    rows = connection.execute(
        OPEN_RIGHTS,
        {"member": member_id, "program": runtime.program_id, "kinds": sorted(handing_out.USED)},
    ).fetchall()
    for item_id, reward_key, uses_left, starts, ends in rows:
        until = instant(ends) if ends is not None else NEVER
        if until <= now:
            continue
        terms = catalogue.terms(connection, runtime.program_id, reward_key, now)
        found.append(
            Benefit(
                f"item:{order_ref(member_id, item_id)}",
                "order",
                reward_key,
                terms.reward.name if terms is not None else Text(en=reward_key, fr=reward_key),
                uses_left=uses_left,
                since=instant(starts) if starts is not None else 0,
                until=until,
            )
        )
    return found


def use(
    connection: Connection[Any],
    runtime: Runtime,
    member_id: int,
    benefit: str,
    *,
    uses: int,
    source: str,
    id: str,
    now: int,
) -> int | None:
    """Uses a benefit so many times under the member's lock; how many uses are left, None where they are not counted.

    Units are redeemed under this source and id. Raises LookupError for what is no benefit of the member or is not
    used here, NotDone or OrderRefused where there are fewer uses left. Does not commit.
    """
    where, _, key = benefit.partition(":")
    if where == "item":
        ids = decode_order_ref(key)
        if ids is None or ids[0] != member_id:
            raise LookupError(benefit)
        return handing_out.use(connection, runtime, member_id, ids[1], uses=uses, now=now).uses_left
    declared = next(
        (
            item
            for item in runtime.latest.program.point_currencies
            if where == "units" and item.key == key and item.kind == "reward"
        ),
        None,
    )
    if declared is None:
        raise LookupError(benefit)
    unit = 10**declared.scale
    result = operations.redeem(
        connection,
        runtime,
        member_id=member_id,
        currency=key,
        points=uses * unit,
        source=source,
        id=id,
        now=now,
    )
    if result.refusal is not None:
        raise NotDone(result.refusal)
    if result.trace is None:
        raise NotDone(
            Refusal(
                RefusalCode.CONTENT_DIFFERS,
                sentence("this id was used before"),
                "id",
                sentence("use a new Idempotency-Key"),
            )
        )
    left: int = result.trace.after.get(key, 0) // unit
    return left
