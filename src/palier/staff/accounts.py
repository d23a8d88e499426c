"""Accounts of the staff: who a person is, and what he may do where.

How a person comes to have one is `admission`, how he signs in `signing_in`, by what else he proves himself `factors`.
Nothing here commits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

from msgspec import Struct
from psycopg import Connection

from palier.engine.clock import instant, moment
from palier.engine.sentences import sentence
from palier.site.refusal import Refused
from palier.staff.approvals import Person
from palier.staff.operations import write_log
from palier.staff.roles import ROLES, Role, rights_of

Language = Literal["en", "fr"]

_EVERY_PROGRAM: Final = 0


class Grant(Struct, frozen=True):
    """A role in one program (`program_id`), or in all of them (None); `partner` for the role partner alone."""

    program_id: int | None
    role: Role
    partner: str = ""


class Account(Struct, frozen=True):
    """A person of the staff. Instants are microseconds UTC."""

    account_id: int
    email: str
    name: str
    language: Language
    grants: tuple[Grant, ...]
    has_password: bool
    has_second_factor: bool
    has_pin: bool
    recovery_codes: int
    created_at: int
    closed_at: int | None

    @property
    def actor(self) -> str:
        """Who he is in the audit log."""
        return f"staff:{self.account_id}"

    @property
    def person(self) -> Person:
        """Who he is where a second person decides: his address is his alone."""
        return Person(self.actor, self.email, "staff")

    def grants_in(self, program_id: int | None) -> tuple[Grant, ...]:
        """His grants that hold in a program; with None, those that hold in all."""
        return tuple(grant for grant in self.grants if grant.program_id in (None, program_id))

    def rights_in(self, program_id: int | None) -> frozenset[str]:
        """What he may do in a program; with None, what he may do in every one."""
        found: frozenset[str] = frozenset()
        for grant in self.grants_in(program_id):
            found |= rights_of(grant.role)
        return found

    def partner_in(self, program_id: int) -> str:
        """The one partner whose own alone exists for him in a program; "" where he has another role there."""
        grants = self.grants_in(program_id)
        if not grants or any(grant.role != "partner" for grant in grants):
            return ""
        return grants[0].partner


COLUMNS: Final = """
a.account_id, a.email, a.name, a.language, a.password <> '', a.second_factor is not null, a.pin <> '',
cardinality(a.recovery), a.created_at, a.closed_at,
coalesce((select json_agg(json_build_array(g.program_id, g.role, g.partner) order by g.program_id, g.role)
          from staff_grant g where g.account_id = a.account_id), '[]'::json)
"""
"""What `account_of` reads, of `staff_account a`."""


def account_of(row: Sequence[Any]) -> Account:
    """The account of a row that begins with COLUMNS."""
    return Account(
        row[0],
        row[1],
        row[2],
        row[3],
        tuple(Grant(program or None, role, partner) for program, role, partner in row[10]),
        row[4],
        row[5],
        row[6],
        row[7],
        instant(row[8]),
        instant(row[9]) if row[9] is not None else None,
    )


# --- who there is ---------------------------------------------------------------------------------------


def listed(connection: Connection[Any], program_id: int | None = None) -> list[Account]:
    """All accounts, or those that work in one program, by name; closed ones last."""
    rows = connection.execute(
        f"""
        -- staff.list_accounts
        select {COLUMNS} from staff_account a
        where %(program)s::bigint is null or exists (
          select 1 from staff_grant g where g.account_id = a.account_id and g.program_id in (0, %(program)s))
        order by a.closed_at is not null, lower(a.name), a.account_id
        """,
        {"program": program_id},
    ).fetchall()
    return [account_of(row) for row in rows]


def read(connection: Connection[Any], account_id: int) -> Account | None:
    """One account; None where there is none."""
    row = connection.execute(
        f"-- staff.read_account\nselect {COLUMNS} from staff_account a where a.account_id = %s",
        (account_id,),
    ).fetchone()
    return account_of(row) if row is not None else None


def find(connection: Connection[Any], email: str) -> Account | None:
    """The account of an address; None where there is none."""
    row = connection.execute(
        f"-- staff.find_account\nselect {COLUMNS} from staff_account a where a.email = %s",
        (plain_address(email),),
    ).fetchone()
    return account_of(row) if row is not None else None


def is_empty(connection: Connection[Any]) -> bool:
    """Whether nobody has an account yet, so that the first one may be made."""
    row = connection.execute(
        "-- staff.any_account\nselect not exists (select 1 from staff_account)"
    ).fetchone()
    return row is not None and bool(row[0])


def plain_address(email: str) -> str:
    """An e-mail address as it is kept and looked for."""
    return email.strip().casefold()[:254]


# --- what he may do -------------------------------------------------------------------------------------


def give(connection: Connection[Any], account_id: int, grant: Grant, *, now: int, actor: str) -> None:
    """Gives a role. Refuses an unknown role, a partner's role without its partner, and the reverse."""
    if grant.role not in ROLES:
        raise Refused(
            sentence("%(role)r is no role; choose among %(names)s.", role=grant.role, names=", ".join(ROLES))
        )
    if (grant.role == "partner") != bool(grant.partner):
        raise Refused(
            sentence("The role partner, and it alone, names the partner whose statements the person sees.")
        )
    if grant.role == "partner" and grant.program_id is None:
        raise Refused(sentence("A partner belongs to one program; name it."))
    connection.execute(
        """
        -- staff.give_role
        insert into staff_grant (account_id, program_id, role, partner, granted_at, granted_by)
        values (%s, %s, %s, %s, %s, %s)
        on conflict (account_id, program_id, role) do update set partner = excluded.partner
        """,
        (account_id, grant.program_id or _EVERY_PROGRAM, grant.role, grant.partner, moment(now), actor),
    )
    where = grant.program_id if grant.program_id is not None else "all"
    write_staff_log(
        connection,
        actor,
        "staff.give",
        f"staff:{account_id}",
        at=now,
        reason=f"{grant.role} in {where}",
    )


def take_back(connection: Connection[Any], account_id: int, grant: Grant, *, now: int, actor: str) -> bool:
    """Takes a role back; False where the person has it not. Refuses to leave all programs without an owner."""
    if grant.role == "owner" and grant.program_id is None:
        refuse_last_owner(connection, account_id)
    gone = connection.execute(
        "-- staff.take_role\n"
        "delete from staff_grant where account_id = %s and program_id = %s and role = %s returning 1",
        (account_id, grant.program_id or _EVERY_PROGRAM, grant.role),
    ).fetchone()
    if gone is None:
        return False
    where = grant.program_id if grant.program_id is not None else "all"
    write_staff_log(
        connection,
        actor,
        "staff.take",
        f"staff:{account_id}",
        at=now,
        reason=f"{grant.role} in {where}",
    )
    return True


def refuse_last_owner(connection: Connection[Any], account_id: int) -> None:
    """Refuses what would leave all programs without an owner.

    Owners of all programs are locked, so that the last two cannot leave at the same moment.
    """
    owners = connection.execute(
        """
        -- staff.lock_owners
        select a.account_id from staff_account a join staff_grant g on g.account_id = a.account_id
        where g.program_id = 0 and g.role = 'owner' and a.closed_at is null
        order by a.account_id for update of a
        """
    ).fetchall()
    if [row[0] for row in owners] == [account_id]:
        raise Refused(sentence("This is the last owner of all programs; make another person owner first."))


def prefer_language(connection: Connection[Any], account_id: int, language: Language) -> None:
    """Keeps the language in which the person reads."""
    connection.execute(
        "-- staff.prefer_language\nupdate staff_account set language = %s where account_id = %s",
        (language, account_id),
    )


def write_staff_log(
    connection: Connection[Any], actor: str, action: str, object: str, *, at: int, reason: str = ""
) -> None:
    """Writes to the audit log what concerns an account; `actor` is of the staff, or the operator."""
    role = "staff" if actor.startswith("staff:") else "operator"
    write_log(connection, actor, role, action, object, at=at, reason=reason)
