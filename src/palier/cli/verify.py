"""Commands that prove the ledger: recompute everything from its rows, and seal what was committed."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from palier.cli.counting import counted
from palier.cli.session import tell

if TYPE_CHECKING:
    from palier.ledger.verify import Report


def register(app: typer.Typer) -> None:
    app.command()(verify)
    app.command()(seal)


_KNOWN_HEADS = typer.Option(
    None,
    "--head",
    help="File of exported heads that the chains must still hold [default: the worker's, where there is one].",
    show_default=False,
)
_NEW_HEADS = typer.Option(
    None, "--head", help="Append the chain's heads to this file, outside the database.", show_default=False
)


def verify(
    program: str = typer.Option(None, help="Key of the only program to verify.", show_default=False),
    head: Path | None = _KNOWN_HEADS,
    json: bool = typer.Option(False, "--json", help="Print everything as JSON."),
) -> int:
    """Recompute every invariant of the ledger from its rows; exit with 1 and name the first one broken."""
    from palier.cli.session import open_database
    from palier.engine.sentences import sentence
    from palier.site.environment import environment
    from palier.site.refusal import Refused

    if head is None:
        own = environment().directory / "heads.jsonl"
        head = own if own.is_file() else None
    elif not head.is_file():
        raise Refused(sentence("There is no file %(head)s; `palier seal --head FILE` writes one.", head=head))
    with open_database():
        import psycopg

        from palier.ledger.verify import keep, report
        from palier.site import clock, database

        with database.connect("auditor") as connection:
            try:
                found = report(connection, program, head)
            except ValueError as error:
                raise Refused(str(error)) from None
        try:
            with database.connect() as connection:
                keep(connection, program, found, now=clock.now())
        except psycopg.Error as error:
            # Also what can only be read is proved, such as a copy that follows; the console then does not know of it.
            typer.echo(f"The result was not kept for the console: {str(error).splitlines()[0]}", err=True)
    _print_json(found) if json else _print_text(found, head)
    return 1 if found.violations else 0


def _print_text(found: "Report", head: Path | None) -> None:
    counts = ", ".join(f"{count} {table}" for table, count in found.rows.items())
    rate = round(sum(found.rows.values()) / max(found.seconds, 0.001))
    print(f"{len(found.invariants)} invariants over {counts}: {found.seconds:.1f} s, {rate} rows/s.")
    if head is not None:
        tell("Compared with the heads in %(head)s.", head=head)
    if not found.violations:
        tell("All hold.")
        return
    first = found.violations[0]
    tell(
        "Broken: %(invariant)s at %(place)s: expected %(expected)s, found %(found)s.",
        invariant=first.invariant,
        place=first.place,
        expected=first.expected,
        found=first.found,
    )
    if len(found.violations) > 1:
        names = sorted({violation.invariant for violation in found.violations})
        tell(
            "%(count)s violations in all, of %(names)s; --json lists them.",
            count=len(found.violations),
            names=", ".join(names),
        )


def _print_json(found: "Report") -> None:
    from json import dumps

    print(
        dumps(
            {
                "violations": [violation._asdict() for violation in found.violations],
                "invariants": found.invariants,
                "rows": found.rows,
                "seconds": round(found.seconds, 3),
            },
            indent=2,
        )
    )


def seal(
    head: Path = _NEW_HEADS,
) -> None:
    """Seal what was committed since the last time; the worker does the same every few seconds."""
    from datetime import UTC, datetime

    from palier.cli.session import open_database
    from palier.engine.sentences import reason_of, sentence
    from palier.site.refusal import Refused

    with open_database():
        from palier.ledger.seal import LedgerChanged, export_head
        from palier.ledger.seal import seal as seal_queued
        from palier.site import database

        sealed = 0
        with database.connect(autocommit=True) as connection:
            try:
                while count := seal_queued(connection, now=datetime.now(UTC)):
                    sealed += count
                added = export_head(connection, head) if head is not None else []
            except (LedgerChanged, ValueError) as error:
                raise Refused(reason_of(error)) from None
            except OSError as error:
                raise Refused(
                    sentence("%(path)s cannot be written (%(why)s); name another file.", path=head, why=error)
                ) from None
    print(f"{counted(sealed, 'transfer')} sealed.")
    if head is not None:
        print(f"{counted(len(added), 'head')} added to {head}.")
