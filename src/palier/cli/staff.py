"""Commands on the people of the staff: invite, list, give and take roles, close, help who lost a phone or password."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

from palier.cli.session import tell

if TYPE_CHECKING:
    from psycopg import Connection

    from palier.staff.accounts import Account, Grant

_EMAIL = typer.Argument(help="The person's e-mail address.", show_default=False)
_ROLE = typer.Option(
    ..., "--role", help="owner, marketer, analyst, support, cashier, partner, accountant.", show_default=False
)
_PROGRAM = typer.Option(
    None, "--program", help="The program it is for; all of them without.", show_default=False
)
_PARTNER = typer.Option("", "--partner", help="For the role partner: which one.", show_default=False)


def register(app: typer.Typer) -> None:
    staff = typer.Typer(help="People of the staff: invite, list, roles, close.", no_args_is_help=True)
    staff.command("invite")(invite)
    staff.command("list")(list_staff)
    staff.command("give")(give)
    staff.command("take")(take)
    staff.command("close")(close)
    staff.command("reopen")(reopen)
    staff.command("link")(link)
    staff.command("forget-second-factor")(forget_second_factor)
    staff.command("set-up-code")(set_up_code)
    app.add_typer(staff, name="staff")


def invite(
    email: str = _EMAIL,
    name: str = typer.Option(..., "--name", help="Name, as colleagues know it.", show_default=False),
    role: str = _ROLE,
    program: str = _PROGRAM,
    partner: str = _PARTNER,
    language: str = typer.Option("en", "--language", help="en or fr."),
    json: bool = typer.Option(False, "--json", help="Print it as JSON."),
) -> int:
    """Make an account and print the path of the link by which the person sets a password; shown this once."""
    from palier.engine.sentences import sentence
    from palier.site.refusal import Refused
    from palier.staff import admission

    if language not in ("en", "fr"):
        raise Refused(
            sentence("%(language)r is no language of the pages; write en or fr.", language=language[:20])
        )
    with _database() as (connection, actor, now):
        account, token = admission.invite(
            connection,
            email=email,
            name=name,
            grants=[_grant(connection, role, program, partner)],
            language=language,  # type: ignore[arg-type]
            now=now,
            actor=actor,
        )
        _print_link(account, token, json)
        connection.commit()
    return 0


def list_staff(
    program: str = typer.Option(
        None, "--program", help="Only who works in this program.", show_default=False
    ),
    json: bool = typer.Option(False, "--json", help="Print the list as JSON."),
) -> int:
    """List the people of the staff with their roles."""
    from palier.programs.queries import identified, list_programs
    from palier.staff import accounts

    with _database() as (connection, _, _now):
        keys = {}
        for one in list_programs(connection):
            keys[one.program_id] = one.key
        found = accounts.listed(connection, identified(connection, program) if program is not None else None)

    def roles(account: Account) -> list[str]:
        return [
            f"{grant.role}{f' ({grant.partner})' if grant.partner else ''} in "
            f"{keys.get(grant.program_id, '?') if grant.program_id is not None else 'all programs'}"
            for grant in account.grants
        ]

    if json:
        from json import dumps

        print(
            dumps(
                [
                    {
                        "email": account.email,
                        "name": account.name,
                        "roles": roles(account),
                        "second_factor": account.has_second_factor,
                        "closed": account.closed_at is not None,
                    }
                    for account in found
                ]
            )
        )
        return 0
    if not found:
        tell("Nobody yet; make the first account: palier staff invite EMAIL --name NAME --role owner")
    for account in found:
        state = "closed" if account.closed_at is not None else "" if account.has_password else "invited"
        print(
            "  ".join(
                part for part in (account.email, account.name, ", ".join(roles(account)), state) if part
            )
        )
    return 0


def give(email: str = _EMAIL, role: str = _ROLE, program: str = _PROGRAM, partner: str = _PARTNER) -> int:
    """Give a person a role."""
    from palier.staff import accounts

    with _database() as (connection, actor, now):
        account = _account(connection, email)
        accounts.give(
            connection, account.account_id, _grant(connection, role, program, partner), now=now, actor=actor
        )
        connection.commit()
    tell("%(email)s is %(role)s now.", email=account.email, role=role)
    return 0


def take(email: str = _EMAIL, role: str = _ROLE, program: str = _PROGRAM) -> int:
    """Take a role back."""
    from palier.engine.sentences import sentence
    from palier.programs.queries import identified
    from palier.site.refusal import Refused
    from palier.staff import accounts

    with _database() as (connection, actor, now):
        account = _account(connection, email)
        grant = accounts.Grant(identified(connection, program) if program is not None else None, _role(role))
        if not accounts.take_back(connection, account.account_id, grant, now=now, actor=actor):
            raise Refused(
                sentence(
                    "%(email)s is not %(role)s there; `palier staff list` shows who is what.",
                    email=account.email,
                    role=role,
                )
            )
        connection.commit()
    tell("%(email)s is no longer %(role)s.", email=account.email, role=role)
    return 0


def close(email: str = _EMAIL) -> int:
    """Close an account and end its sessions."""
    from palier.staff import admission

    with _database() as (connection, actor, now):
        account = _account(connection, email)
        done = admission.close(connection, account.account_id, now=now, actor=actor)
        connection.commit()
    if done:
        tell("Closed %(email)s.", email=account.email)
    else:
        tell("%(email)s was closed already.", email=account.email)
    return 0


def reopen(email: str = _EMAIL) -> int:
    """Open a closed account again."""
    from palier.staff import admission

    with _database() as (connection, actor, now):
        account = _account(connection, email)
        done = admission.reopen(connection, account.account_id, now=now, actor=actor)
        connection.commit()
    if done:
        tell("Opened %(email)s.", email=account.email)
    else:
        tell("%(email)s is open.", email=account.email)
    return 0


def link(email: str = _EMAIL, json: bool = typer.Option(False, "--json", help="Print it as JSON.")) -> int:
    """Make a new link for who has lost the first one or forgotten the password; it ends the older link."""
    from palier.staff import admission

    with _database() as (connection, _, now):
        account = _account(connection, email)
        token = admission.reinvite(connection, account.account_id, now=now)
        _print_link(account, token, json)
        connection.commit()
    return 0


def forget_second_factor(email: str = _EMAIL) -> int:
    """Forget a lost authenticator; the person sets up another at the next sign-in."""
    from palier.staff import factors

    with _database() as (connection, actor, now):
        account = _account(connection, email)
        factors.forget_second_factor(connection, account.account_id, now=now, actor=actor)
        connection.commit()
    tell("%(email)s sets up an authenticator at the next sign-in.", email=account.email)
    return 0


def set_up_code() -> int:
    """Print the code by which the first owner is made in the browser, while nobody has an account."""
    from palier.engine.sentences import sentence
    from palier.site.refusal import Refused
    from palier.staff import accounts, admission

    with _database() as (connection, _, _now):
        if not accounts.is_empty(connection):
            raise Refused(sentence("There is an account already; `palier staff invite` makes others."))
    print(admission.set_up_code())
    return 0


@contextmanager
def _database() -> Iterator[tuple[Connection[Any], str, int]]:
    """A connection, who acts, and now."""
    from getpass import getuser

    from palier.cli.session import open_database
    from palier.site import clock, database

    with open_database(), database.connect() as connection:
        yield connection, f"cli:{getuser()}", clock.now()


def _print_link(account: Account, token: str, json: bool) -> None:
    from json import dumps

    from palier.cli.session import in_command, show_once
    from palier.engine.sentences import sentence

    path = f"/console/welcome-to/{token}"
    told = sentence(
        "%(email)s sets a password under this path of your site, within seven days:", email=account.email
    )
    show_once(dumps({"email": account.email, "path": path}) if json else f"{in_command(told)}\n{path}")


def _account(connection: Connection[Any], email: str) -> Account:
    from palier.engine.sentences import sentence
    from palier.site.refusal import Refused
    from palier.staff import accounts

    found = accounts.find(connection, email)
    if found is None:
        raise Refused(
            sentence("%(email)s has no account; `palier staff list` shows who has.", email=email[:80])
        )
    return found


def _role(role: str) -> Any:
    from palier.engine.sentences import sentence
    from palier.site.refusal import Refused
    from palier.staff.roles import ROLES

    if role not in ROLES:
        raise Refused(
            sentence('"%(role)s" is no role; choose among %(names)s.', role=role[:40], names=", ".join(ROLES))
        )
    return role


def _grant(connection: Connection[Any], role: str, program: str | None, partner: str) -> Grant:
    from palier.programs.queries import identified
    from palier.staff.accounts import Grant

    return Grant(identified(connection, program) if program is not None else None, _role(role), partner)
