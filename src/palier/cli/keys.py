"""Commands on API keys: make one, list them, end one."""

from typing import Final

import typer

from palier.cli.session import tell

_EVERYTHING: Final = "all"

_RIGHT: Final = typer.Option(
    ..., "--right", help="What it may do; repeat it, or say `all`.", show_default=False
)


def register(app: typer.Typer) -> None:
    keys = typer.Typer(help="API keys: create, list, revoke.", no_args_is_help=True)
    keys.command("create")(create)
    keys.command("list")(list_keys)
    keys.command("revoke")(revoke)
    keys.command("end-page-tokens")(end_page_tokens)
    app.add_typer(keys, name="keys")


def create(
    program: str = typer.Argument(help="Key of the program it is for.", show_default=False),
    name: str = typer.Option(..., "--name", help="Who will use it, such as `till-3`.", show_default=False),
    right: list[str] = _RIGHT,
    partner: str = typer.Option(
        "",
        "--partner",
        help="The one partner for whom it is: it sends, redeems and reads that partner's own, and nothing else.",
        show_default=False,
    ),
    days: int = typer.Option(0, "--days", min=0, help="Days until it ends; 0 for no end."),
    json: bool = typer.Option(False, "--json", help="Print it as JSON."),
) -> int:
    """Make a key and print it. It is shown this once: only its hash is kept."""
    from getpass import getuser
    from json import dumps

    from palier.activities.runtime import runtime
    from palier.cli.session import open_database, show_once
    from palier.engine.clock import DAY
    from palier.engine.sentences import sentence
    from palier.programs.queries import identified
    from palier.site import clock, database
    from palier.site.refusal import Refused
    from palier.staff.operations import create_key
    from palier.staff.queries import PARTNER_RIGHTS, RIGHTS

    with open_database(with_django=False), database.connect() as connection:
        program_id = identified(connection, program)
        found = runtime(connection, program)
        if partner and (found is None or partner not in found.latest.partners):
            known = ", ".join(found.latest.partners) if found is not None else ""
            raise Refused(
                sentence(
                    '%(program)s has no partner "%(partner)s"; its partners: %(names)s.',
                    program=program,
                    partner=partner[:60],
                    names=known or sentence("none yet"),
                )
            )
        if partner and right == [_EVERYTHING]:
            right = list(PARTNER_RIGHTS)
        now = clock.now()
        made = create_key(
            connection,
            program_id,
            name=name,
            rights=RIGHTS if right == [_EVERYTHING] else right,
            now=now,
            expires_at=now + days * DAY if days else None,
            actor=f"cli:{getuser()}",
            partner=partner,
        )
        show_once(dumps({"prefix": made.prefix, "key": made.token}) if json else made.token)
        connection.commit()
    return 0


def list_keys(
    program: str = typer.Option(None, "--program", help="Only those of this program.", show_default=False),
    json: bool = typer.Option(False, "--json", help="Print the list as JSON."),
) -> int:
    """List the keys with what they may do. Secrets are not kept, so none is shown."""
    from palier.cli.session import open_database
    from palier.engine.clock import moment
    from palier.site import database
    from palier.staff import queries

    with open_database(with_django=False), database.connect() as connection:
        found = queries.list_keys(connection, program)

    def written(at: int | None) -> str | None:
        return None if at is None else moment(at).isoformat(timespec="seconds").replace("+00:00", "Z")

    if json:
        from json import dumps

        rows = [
            {
                "prefix": key.prefix,
                "program": key.program,
                "partner": key.partner or None,
                "name": key.name,
                "rights": list(key.rights),
                "created_at": written(key.created_at),
                "expires_at": written(key.expires_at),
                "revoked_at": written(key.revoked_at),
            }
            for key in found
        ]
        print(dumps(rows))
        return 0
    if not found:
        tell("There is no key yet; make one with `palier keys create PROGRAM --name NAME --right RIGHT`.")
    for key in found:
        end = "no end" if key.expires_at is None else f"until {written(key.expires_at)}"
        if key.revoked_at is not None:
            end = f"revoked {written(key.revoked_at)}"
        whose = f"{key.program}/{key.partner}" if key.partner else key.program
        print(f"pk_{key.prefix}_…  {whose}  {key.name}  {end}  {' '.join(key.rights)}")
    return 0


def revoke(prefix: str = typer.Argument(help="Its prefix, or the whole key.", show_default=False)) -> int:
    """End a key. Every process stops taking it within ten seconds."""
    from getpass import getuser

    from palier.cli.session import open_database
    from palier.engine.sentences import sentence
    from palier.site import clock, database
    from palier.site.refusal import Refused
    from palier.staff.operations import revoke_key

    plain = prefix.split("_")[1] if prefix.startswith("pk_") else prefix
    with open_database(with_django=False), database.connect() as connection:
        done = revoke_key(connection, plain, now=clock.now(), actor=f"cli:{getuser()}")
        connection.commit()
    if not done:
        raise Refused(
            sentence("There is no such key, or it has ended already; `palier keys list` shows them.")
        )
    tell("Revoked %(key)s.", key=plain)
    return 0


def end_page_tokens(
    program: str = typer.Argument(help="Key of the program.", show_default=False),
) -> int:
    """End every page token of a program's widget that is out; shops' pages show members again with new ones."""
    from getpass import getuser

    from palier.cli.session import open_database
    from palier.members import page_tokens
    from palier.programs.queries import identified
    from palier.site import clock, database

    with open_database(with_django=False), database.connect() as connection:
        program_id = identified(connection, program)
        page_tokens.end_all(connection, program_id, by=f"cli:{getuser()}", role="operator", now=clock.now())
        connection.commit()
    tell("Ended. Pages of shops show members again once they hold new tokens.")
    return 0
