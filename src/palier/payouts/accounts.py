"""Bank accounts of members, and the account from which a program pays."""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct
from psycopg import Connection

from palier.engine.clock import instant, moment
from palier.engine.payment_cards import holds_number
from palier.members import refs
from palier.payouts.refusals import PayoutRefusal, PayoutRefused
from palier.payouts.vault import Destination, seal, unseal
from palier.staff.approvals import Person
from palier.staff.operations import write_log

LONGEST_HOLDER: Final = 70


class Account(Struct, frozen=True):
    """What is shown of a bank account: its country and the last four characters of its IBAN."""

    member_id: int
    last4: str
    country: str
    set_at: int
    set_by: str


class PayerAccount(Struct, frozen=True):
    """The account from which a program pays."""

    name: str
    iban: str
    bic: str


def about_member(member_id: int) -> str:
    """What the sealed details of a member's account are bound to."""
    return f"bank account of {refs.encode(member_id)}"


def checked_iban(text: str) -> tuple[str, str]:
    """(IBAN without spaces, country) of what was written. Refuses one whose form or check digits are wrong."""
    from schwifty import IBAN
    from schwifty.exceptions import SchwiftyException

    try:
        found = IBAN(text, validate_bban=True)
    except SchwiftyException:
        # What was written is not repeated: it may be somebody's account with a digit wrong.
        raise PayoutRefused(
            PayoutRefusal.INVALID_IBAN,
            "this is no IBAN: its length, its characters or its check digits are wrong",
            field="iban",
            remedy="copy it from a bank statement",
        ) from None
    return str(found.compact), str(found.country_code)


def in_sepa(country: str) -> bool:
    """Whether accounts of a country are reached by SEPA credit transfers."""
    from schwifty import registry

    return bool(registry.get_iban_spec(country).in_sepa_zone)


def checked_holder(text: str) -> str:
    """The name of an account's holder, trimmed. Refuses one that a bank cannot print."""
    from palier.connectors.bank_files import sepa_text

    name = " ".join(text.split())
    if not sepa_text(name, LONGEST_HOLDER) or len(name) > LONGEST_HOLDER or holds_number(name):
        raise PayoutRefused(
            PayoutRefusal.INVALID_HOLDER,
            f"the holder's name is 1 to {LONGEST_HOLDER} characters, with a letter among them",
            field="holder",
            remedy="write the name as it stands on the account",
        )
    return name


def set_account(
    connection: Connection[Any],
    program_id: int,
    member_id: int,
    *,
    iban: str,
    holder: str,
    by: Person,
    now: int,
) -> Account:
    """Keeps where a member wants money to go, in place of what was known. Does not commit.

    Pay-outs that are collected already go where the member wanted then. Refuses what is no IBAN, and a name that
    banks do not take.
    """
    compact, country = checked_iban(iban)
    destination = Destination(compact, checked_holder(holder))
    connection.execute(
        """
        -- payouts.set_account
        insert into bank_account (member_id, program_id, sealed, last4, country, set_at, set_by)
        values (%s, %s, %s, %s, %s, %s, %s)
        on conflict (member_id) do update
        set sealed = excluded.sealed, last4 = excluded.last4, country = excluded.country,
            set_at = excluded.set_at, set_by = excluded.set_by
        """,
        (
            member_id,
            program_id,
            seal(destination, about_member(member_id)),
            compact[-4:],
            country,
            moment(now),
            by.actor,
        ),
    )
    write_log(connection, by.actor, by.role, "bank_account.set", refs.encode(member_id), at=now)
    return Account(member_id, compact[-4:], country, now, by.actor)


def read_account(connection: Connection[Any], program_id: int, member_id: int) -> Account | None:
    """What is shown of a member's account; None where there is none."""
    row = connection.execute(
        """
        -- payouts.read_account
        select last4, country, set_at, set_by from bank_account where member_id = %s and program_id = %s
        """,
        (member_id, program_id),
    ).fetchone()
    return Account(member_id, row[0], row[1], instant(row[2]), row[3]) if row is not None else None


def remove_account(
    connection: Connection[Any], program_id: int, member_id: int, *, by: Person, now: int
) -> bool:
    """Forgets a member's account; False where there is none. Does not commit."""
    row = connection.execute(
        "-- payouts.remove_account\n"
        "delete from bank_account where member_id = %s and program_id = %s returning member_id",
        (member_id, program_id),
    ).fetchone()
    if row is None:
        return False
    write_log(connection, by.actor, by.role, "bank_account.remove", refs.encode(member_id), at=now)
    return True


def destinations(
    connection: Connection[Any], program_id: int, member_ids: list[int]
) -> dict[int, tuple[Destination, str, str]]:
    """Member -> (where money goes, last four characters, country), for those that have an account."""
    rows = connection.execute(
        """
        -- payouts.destinations
        select member_id, sealed, last4, country from bank_account
        where member_id = any(%s) and program_id = %s
        """,
        (member_ids, program_id),
    ).fetchall()
    return {row[0]: (unseal(bytes(row[1]), about_member(row[0])), row[2], row[3]) for row in rows}


def forget_members(connection: Connection[Any], program_id: int) -> int:
    """Removes accounts of members who are erased or merged, and where their settled pay-outs went; how many.

    Does not commit.
    """
    accounts = connection.execute(
        """
        -- payouts.forget_accounts
        -- all members: accounts whose member is gone, which are few
        delete from bank_account b using member m
        where m.member_id = b.member_id and m.status in ('erased', 'merged') and b.program_id = %s
        """,
        (program_id,),
    ).rowcount
    sealed = connection.execute(
        """
        -- payouts.forget_destinations
        -- all members: pay-outs whose member is gone, which are few
        update payout p set sealed = null
        from member m
        where m.member_id = p.member_id and m.status = 'erased' and p.program_id = %s and p.sealed is not null
          and p.state in ('paid', 'returned', 'refused')
        """,
        (program_id,),
    ).rowcount
    return accounts + sealed


# --- from where -------------------------------------------------------------------------------------------


def set_payer(
    connection: Connection[Any], program_id: int, *, name: str, iban: str, bic: str, by: Person, now: int
) -> PayerAccount:
    """Sets the account from which a program pays. Batches that are made already keep theirs. Does not commit."""
    from schwifty import BIC
    from schwifty.exceptions import SchwiftyException

    compact, _ = checked_iban(iban)
    holder = checked_holder(name)
    try:
        code = str(BIC(bic).compact) if bic else ""
    except SchwiftyException:
        raise PayoutRefused(
            PayoutRefusal.INVALID_IBAN,
            "this is no BIC",
            field="bic",
            remedy="leave it out: an IBAN is enough",
        ) from None
    connection.execute(
        """
        -- payouts.set_payer
        insert into payer (program_id, name, iban, bic, changed_at, changed_by)
        values (%s, %s, %s, %s, %s, %s)
        on conflict (program_id) do update
        set name = excluded.name, iban = excluded.iban, bic = excluded.bic, changed_at = excluded.changed_at,
            changed_by = excluded.changed_by
        """,
        (program_id, holder, compact, code, moment(now), by.actor),
    )
    write_log(
        connection, by.actor, by.role, "payer.set", f"program:{program_id}", at=now,
        reason=f"account that ends in {compact[-4:]}",
    )  # fmt: skip
    return PayerAccount(holder, compact, code)


def read_payer(connection: Connection[Any], program_id: int) -> PayerAccount | None:
    """The account from which a program pays; None where none is set."""
    row = connection.execute(
        "-- payouts.read_payer\nselect name, iban, bic from payer where program_id = %s", (program_id,)
    ).fetchone()
    return PayerAccount(*row) if row is not None else None
