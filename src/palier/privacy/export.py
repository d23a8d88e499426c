"""Export: all that is known of a member, for himself, in a form that machines read too.

Each part has a name and a list or object; parts are only ever added. Amounts are decimals as text, instants ISO 8601 in
UTC. What is stored as a keyed hash is told by its kind: nobody, the platform included, can read it back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec
from psycopg import Connection

from palier.activities import queries
from palier.activities.answers import points_text
from palier.activities.runtime import Runtime
from palier.activities.telling import Story, tell
from palier.engine.amounts import from_minor
from palier.engine.clock import moment
from palier.engine.currencies import exponent
from palier.engine.state import NEVER
from palier.members import operations as membership
from palier.members import passkeys, sessions
from palier.members import queries as members
from palier.payouts import accounts
from palier.privacy import consents, erasure, messages, terms
from palier.privacy.pages import whole
from palier.rewards import addresses, order_queries, order_store
from palier.vouchers import queries as vouchers

FORMAT: Final = "palier-member 1"
_PAGE: Final = 500

ORIGIN: Final = """
-- privacy.origin
select via, campaign, at from member_origin where member_id = %(member)s and program_id = %(program)s
"""

Part = Callable[[Connection[Any], Runtime, int, str], Any]
_parts: dict[str, Part] = {}


def register_part(name: str, read: Part) -> None:
    """Adds what a room above knows of members to their export: `read(connection, runtime, member id, language)`."""
    _parts[name] = read


def at(instant: int) -> str | None:
    """An instant in microseconds as ISO 8601; None for one that never came or does not come."""
    return moment(instant).isoformat().replace("+00:00", "Z") if 0 < instant < NEVER else None


def everything(
    connection: Connection[Any], runtime: Runtime, member_id: int, language: str, *, now: int
) -> dict[str, Any]:
    """All parts, in one snapshot where the connection has one. The member is one of the program."""
    program_id = runtime.program_id
    view = members.read(connection, program_id, member_id)
    assert view is not None
    wallets = queries.wallets(connection, runtime, member_id, now=now)
    standing = queries.standing(connection, runtime, member_id, now=now)
    origin = connection.execute(ORIGIN, {"member": member_id, "program": program_id}).fetchone()
    asked = erasure.request_of(connection, program_id, member_id)
    account = accounts.read_account(connection, program_id, member_id)

    def points(minor: int, currency: str) -> str:
        return points_text(minor, runtime.latest, currency)

    content = {
        "format": FORMAT,
        "made_at": at(now),
        "program": {"key": runtime.key, "version": runtime.latest.version},
        "member": {
            "ref": view.ref,
            "status": view.status,
            "enrolled_at": at(view.enrolled_at),
            "language": view.locale,
            "time_zone": view.time_zone,
            "shown_in_rankings": view.ranked,
            "attributes": dict(view.attributes),
            "came_by": {"door": origin[0], "campaign": origin[1] or None} if origin is not None else None,
            "tier": standing.tier if standing is not None else None,
        },
        "identities": sorted(
            kind for _, kind in membership.identities_of(connection, program_id, [member_id])
        ),
        "wallets": [
            {
                "currency": key,
                "spendable": points(wallet.spendable, key),
                "pending": points(wallet.pending, key),
                "held": points(wallet.held, key),
                "owed": points(wallet.debt, key),
                "lots": [
                    {"points": points(lot.spendable, key), "expires_at": at(lot.expires_at)}
                    for lot in wallet.lots
                    if lot.spendable
                ],
            }
            for key, wallet in (wallets.wallets.items() if wallets is not None else ())
        ],
        "history": _history(connection, runtime, member_id, language),
        "orders": _orders(connection, program_id, member_id),
        "vouchers": [
            {
                "voucher": found.voucher_ref,
                "state": found.state,
                "uses": found.uses,
                "of": found.max_uses,
                "issued_at": at(found.issued_at),
                "expires_at": at(found.expires_at or 0),
            }
            for found in vouchers.of_member(connection, program_id, member_id)
        ],
        "bank_account": {"country": account.country, "ends_in": account.last4, "set_at": at(account.set_at)}
        if account is not None
        else None,
        "payouts": [
            {
                "payout": found.ref,
                "amount": from_minor(found.amount, exponent(found.money)),
                "money": found.money,
                "state": found.state,
                "asked_at": at(found.asked_at),
            }
            for found in erasure.payouts_of(connection, program_id, member_id)
        ],
        "consents": [
            {**msgspec.structs.asdict(found), "at": at(found.at)}
            for found in consents.history(connection, program_id, member_id)
        ],
        "terms": [
            {**msgspec.structs.asdict(found), "at": at(found.at)}
            for found in terms.listed(connection, program_id, member_id)
        ],
        "messages": [
            {
                "kind": found.kind,
                "facts": found.facts,
                "told_at": at(found.told_at),
                "read_at": at(found.read_at),
            }
            for found in whole(
                lambda before, limit: messages.listed(
                    connection, program_id, member_id, before=before, limit=limit
                ),
                lambda message: message.message_id,
            )
        ],
        "sessions": [
            {
                "device": found.device,
                "way": found.way,
                "since": at(found.started_at),
                "seen": at(found.seen_at),
            }
            for found in sessions.listed(connection, program_id, member_id, now=now)
        ],
        "passkeys": [
            {"device": found.device, "added_at": at(found.added_at), "used_at": at(found.used_at)}
            for found in passkeys.listed(connection, program_id, member_id)
        ],
        "erasure": {"asked_at": at(asked.asked_at), "due_at": at(asked.due_at)}
        if asked is not None
        else None,
    }
    content.update({name: read(connection, runtime, member_id, language) for name, read in _parts.items()})
    return content


def _history(
    connection: Connection[Any], runtime: Runtime, member_id: int, language: str
) -> list[dict[str, Any]]:
    """Every decision with its sentence, its arithmetic, and what was sent for it: products and amounts too."""
    found: list[dict[str, Any]] = []
    before: int | None = None
    while True:
        lines = queries.history(connection, runtime.program_id, member_id, before=before, limit=_PAGE)
        found += [_told(story, language) for story in tell(connection, runtime, member_id, lines)]
        if len(lines) < _PAGE:
            return found
        before = lines[-1].activity_id


def _told(story: Story, language: str) -> dict[str, Any]:
    fact, line = story.fact, story.line
    money = exponent(story.plan.program.currency)
    said = story.said(language)
    told: dict[str, Any] = {
        "at": at(line.acts_at),
        "type": line.type,
        "source": line.source,
        "id": line.id,
        "program_version": line.version,
        "said": said.sentence,
        "steps": [step.text for step in said.steps],
    }
    if fact is not None:
        told |= {
            "amount": from_minor(fact.amount, money) if fact.amount else None,
            "channel": fact.channel,
            "location": fact.location,
            "partner": fact.partner,
            "attributes": dict(fact.attributes),
            "products": [
                {
                    "product": item.sku, "category": item.category, "quantity": item.quantity,
                    "amount": _money(item.amount, money),
                }
                for item in fact.lines
            ],
        }  # fmt: skip
    return told


def _money(minor: int, decimals: int) -> str:
    return from_minor(minor, decimals) if minor >= 0 else f"-{from_minor(-minor, decimals)}"


def _orders(connection: Connection[Any], program_id: int, member_id: int) -> list[dict[str, Any]]:
    found = erasure.orders_of(connection, program_id, member_id)
    orders = [order.order_id for order in found]
    held = order_store.items(connection, member_id, orders)
    sent_to = addresses.read_all(connection, member_id, orders)
    steps = order_queries.events_of(connection, member_id, orders)
    told = []
    for order in found:
        address = sent_to.get(order.order_id)
        told.append(
            {
                "order": order.ref,
                "reward": order.reward,
                "variant": order.variant,
                "slot": order.slot,
                "quantity": order.quantity,
                "state": order.state,
                "channel": order.channel,
                "location": order.location,
                "created_at": at(order.created_at),
                "done_at": at(order.done_at),
                "address": msgspec.structs.asdict(address) if address is not None else None,
                "steps": [
                    {"state": step.state, "at": at(step.at), "reason": step.reason}
                    for step in steps.get(order.order_id, [])
                ],
                "items": [
                    {"kind": item.kind, "state": item.state, "uses_left": item.uses_left}
                    for item in held.get(order.order_id, [])
                ],
            }
        )
    return told
