"""Reads of the ledger's rows: what they add up to at an instant, and the transfers of decisions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from psycopg import Connection

from palier.engine.clock import instant, moment
from palier.engine.state import NEVER


class LotHolding(Struct):
    """What of one lot is spendable and held; its fate. Instants are microseconds UTC (NEVER: no end)."""

    lot_id: int
    expires_at: int
    funder: str
    first_earned: int
    remaining: int = 0
    held: int = 0


class Holding(Struct):
    """The sums of one wallet in minor units. Spendable is what the lots still hold apart from `held`."""

    currency: str
    spendable: int = 0
    pending: int = 0
    held: int = 0
    debt: int = 0
    lots: list[LotHolding] = []


class TransferView(Struct, frozen=True):
    """One row of the ledger."""

    transfer_id: int
    activity_id: int
    kind: str
    debit: str
    credit: str
    currency: str
    lot_id: int
    amount: int
    effective_at: int
    recorded_at: int
    corrects_id: int


def holdings(connection: Connection[Any], member_id: int, *, as_of: int, known_at: int) -> dict[str, Holding]:
    """A member's wallets as the ledger's rows have them, by currency.

    Counted are the rows that took effect by `as_of` and were recorded by `known_at` (microseconds UTC). Due
    work that nobody has posted yet is not in it.
    """
    rows = connection.execute(
        """
        -- ledger.holdings
        select leg.account, t.currency, coalesce(t.lot_id, 0), sum(leg.sign * t.amount)::bigint
        from transfer t
        cross join lateral (values (t.debit, -1), (t.credit, 1)) as leg (account, sign)
        where t.member_id = %s and t.effective_at <= %s and t.recorded_at <= %s
          and leg.account in ('wallet', 'pending', 'hold', 'debt')
        group by leg.account, t.currency, coalesce(t.lot_id, 0)
        """,
        (member_id, moment(as_of), moment(known_at)),
    ).fetchall()
    found: dict[str, Holding] = {}
    parts: dict[int, LotHolding] = {}
    for account, currency, lot_id, amount in rows:
        holding = found.setdefault(currency, Holding(currency))
        if account == "pending":
            holding.pending += amount
        elif account == "debt":
            holding.debt -= amount
        elif amount:
            lot = parts.get(lot_id)
            if lot is None:
                lot = parts[lot_id] = LotHolding(lot_id, NEVER, "", 0)
                holding.lots.append(lot)
            if account == "wallet":
                lot.remaining += amount
                holding.spendable += amount
            else:
                lot.held += amount
                holding.held += amount
    _fates(connection, member_id, parts)
    for holding in found.values():
        holding.lots.sort(key=lambda lot: (lot.expires_at, lot.first_earned, lot.funder))
    return found


def _fates(connection: Connection[Any], member_id: int, lots: dict[int, LotHolding]) -> None:
    if not lots:
        return
    rows = connection.execute(
        """
        -- ledger.fates
        select lot_id, expires_at, funder, first_earned_at from lot where member_id = %s and lot_id = any(%s)
        """,
        (member_id, sorted(lots)),
    ).fetchall()
    for lot_id, expires, funder, first in rows:
        lot = lots[lot_id]
        lot.expires_at = instant(expires) if expires is not None else NEVER
        lot.funder, lot.first_earned = funder, instant(first)


def transfers_of(
    connection: Connection[Any], member_id: int, activity_ids: Sequence[int]
) -> dict[int, list[TransferView]]:
    """The transfers of some of a member's decisions, in the order of their ids."""
    found: dict[int, list[TransferView]] = {}
    if not activity_ids:
        return found
    rows = connection.execute(
        """
        -- ledger.transfers_of
        select transfer_id, activity_id, kind, debit, credit, currency, lot_id, amount, effective_at,
               recorded_at, corrects_id
        from transfer where member_id = %s and activity_id = any(%s) order by transfer_id
        """,
        (member_id, sorted(activity_ids)),
    ).fetchall()
    for row in rows:
        (
            transfer_id,
            activity_id,
            kind,
            debit,
            credit,
            currency,
            lot,
            amount,
            effective,
            recorded,
            corrects,
        ) = row
        view = TransferView(
            transfer_id,
            activity_id,
            kind,
            debit,
            credit,
            currency,
            lot or 0,
            amount,
            instant(effective),
            instant(recorded),
            corrects or 0,
        )
        found.setdefault(view.activity_id, []).append(view)
    return found


def changes(transfers: Sequence[TransferView]) -> dict[str, tuple[int, int]]:
    """By currency: what transfers changed in all that the member has, and in what can be spent.

    All that the member has is wallet, pending and held points less what is owed; minor units, signed.
    """
    found: dict[str, tuple[int, int]] = {}
    for transfer in transfers:
        total, spendable = found.get(transfer.currency, (0, 0))
        for account, sign in ((transfer.debit, -1), (transfer.credit, 1)):
            if account in ("wallet", "pending", "hold", "debt"):
                total += sign * transfer.amount
            if account == "wallet":
                spendable += sign * transfer.amount
        found[transfer.currency] = (total, spendable)
    return found
