"""The ways into the demo's pages: three members of different standing, the console's owner, the till, the API's key."""

from __future__ import annotations

import os
from typing import Any, Final, NamedTuple

import psycopg
from django.core.signing import dumps

from palier.cli.demo import PROGRAM
from palier.engine.clock import DAY
from palier.engine.state import MemberState, decode_state
from palier.members import operations, queries, refs
from palier.programs.queries import find
from palier.site import clock, database
from palier.site.environment import environment
from palier.staff import accounts, admission, factors
from palier.staff.operations import create_key
from palier.staff.queries import RIGHTS, authenticate
from palier.staff.roles import Role

KEY_FILE: Final = "demo-key"
OWNER: Final = "owner@example.org"
SUPPORT: Final = "support@example.org"
CASHIER: Final = "cashier@example.org"
PIN: Final = "2580"
CARDS: Final = {"new": "2800011", "middle": "2800012", "top": "2800013"}
"""Cards of the members whose pages are shown, by their standing."""


class Visitor(NamedTuple):
    """A member whose pages the demo shows: his standing (a key of CARDS), his tier, what lets him in, and his card."""

    standing: str
    tier: str
    signature: str
    card: str


def members_shown(connection: psycopg.Connection[Any], program_id: int) -> dict[str, int]:
    """The three members by their standing: found by their cards, or chosen and given these cards. Commits."""
    hashes = {standing: queries.hashed("card", card) for standing, card in CARDS.items()}
    known = queries.find_hashes(connection, program_id, hashes.values())
    found = {standing: known[value] for standing, value in hashes.items() if value in known}
    if len(found) < len(CARDS):
        for standing, member_id in _chosen(connection, program_id).items():
            if standing not in found and operations.add_identity(
                connection, program_id, member_id, "card", CARDS[standing], now=clock.now()
            ):
                found[standing] = member_id
    connection.commit()
    return found


def _chosen(connection: psycopg.Connection[Any], program_id: int) -> dict[str, int]:
    """Who joined last; of the silver and the gold tier, who has the most to show."""
    rows = connection.execute(
        """
        -- demo.some_members
        -- all members: those of the demo, for links into its pages
        select m.member_id, m.enrolled_at, p.state,
          (select count(*) from reward_order o where o.member_id = m.member_id and o.state = 'fulfilling')
        from member m join progress p on p.member_id = m.member_id
        where m.program_id = %s order by m.enrolled_at desc, m.member_id
        """,
        (program_id,),
    ).fetchall()
    states = [(member_id, decode_state(state), waiting) for member_id, _, state, waiting in rows]
    if not states:
        return {}
    chosen = {"new": states[0][0]}
    for standing, tier in (("middle", "silver"), ("top", "gold")):
        held = [(_to_show(state) + 3 * waiting, member_id) for member_id, state, waiting in states[1:]
                if state.tier.key == tier]  # fmt: skip
        if held:
            chosen[standing] = max(held)[1]
    return chosen


def _to_show(state: MemberState) -> int:
    """How much there is to see of a member: kinds of points in hand, games played, quizzes, a run of weeks, friends."""
    in_hand = sum(1 for wallet in state.wallets.values() if any(lot.remaining for lot in wallet.lots))
    recent = clock.now() - state.latest < 14 * DAY
    runs = sum(min(streak.length, 8) for streak in state.streaks.values())
    return 2 * in_hand + runs + 4 * len(state.quizzes) + 4 * recent


def visitors() -> list[Visitor]:
    """The three members, each with the signature by which the portal of a demonstration lets in."""
    with database.connect() as connection:
        program_id = find(connection, PROGRAM)
        assert program_id is not None
        shown = members_shown(connection, program_id)
        rows = connection.execute(
            "-- demo.tiers\nselect member_id, state from progress where member_id = any(%s)",
            (list(shown.values()),),
        ).fetchall()
        tiers = {member_id: decode_state(state).tier.key for member_id, state in rows}
    return [
        Visitor(
            standing,
            tiers[member_id],
            dumps(refs.encode(member_id), salt=f"demo {PROGRAM}"),
            CARDS[standing],
        )
        for standing, member_id in sorted(shown.items(), key=lambda item: list(CARDS).index(item[0]))
    ]


def account_of(
    connection: psycopg.Connection[Any], email: str, name: str, role: Role, program_id: int | None
) -> accounts.Account:
    """The account of one of the demo's staff, made where it is not there; its role holds in one program, or in all."""
    account = accounts.find(connection, email)
    if account is None:
        account, _ = admission.invite(
            connection,
            email=email,
            name=name,
            grants=[accounts.Grant(program_id, role)],
            now=clock.now(),
            actor="demo",
        )
    return account


def owner() -> str:
    """The way into the console of a demonstration, as its owner, whose account is made with it."""

    with database.connect() as connection:
        account_of(connection, OWNER, "Demo owner", "owner", None)
        connection.commit()
    return dumps(OWNER, salt="demo console")


def cashier() -> str:
    """The way to the till of a demonstration, with its cashier, whose account and PIN are made with it."""

    with database.connect() as connection:
        new = accounts.find(connection, CASHIER) is None
        account = account_of(connection, CASHIER, "Demo cashier", "cashier", find(connection, PROGRAM))
        if new:
            factors.set_pin(connection, account, PIN, now=clock.now())
        connection.commit()
    return dumps(CASHIER, salt=f"demo till {PROGRAM}")


def key(connection: psycopg.Connection[Any], program_id: int) -> str:
    """The demo's API key, kept in the data directory: the demo's alone, a real key is shown only once."""

    path = environment().directory / "secrets" / KEY_FILE
    if path.exists():
        token = path.read_text().strip()
        if authenticate(connection, f"Bearer {token}") is not None:
            return token
    made = create_key(connection, program_id, name="demo", rights=RIGHTS, now=clock.now(), actor="demo")
    connection.commit()
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(made.token)
    return made.token
