"""The demo: a year of a grocery's history, imported, lived through, verified, summed up and served.

`history` is what was bought, `year` what members do besides, `desk` what waits for staff, `doors` the ways in.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import typer

if TYPE_CHECKING:
    import psycopg

    from palier.activities.figures import Figures
    from palier.activities.runtime import Runtime

PROGRAM: Final = "grocery"
BASKETS: Final = 155_848


def register(app: typer.Typer) -> None:
    app.command()(demo)


def demo(
    serve: bool = typer.Option(True, help="Serve when the history is there; --no-serve ends instead."),
    json: bool = typer.Option(False, "--json", help="Print the summary as JSON."),
    host: str = typer.Option("127.0.0.1", help="Address to serve on."),
    port: int = typer.Option(8000, min=1, max=65535, help="Port to serve on."),
    original_dates: bool = typer.Option(
        False, "--original-dates", help="Keep the dates of 2017 instead of moving the year up to now."
    ),
) -> int:
    """Import a year of a grocery's history, verify it, sum it up, and serve it. A second run starts at once."""
    from palier.cli.session import open_database
    from palier.site.supervisor import Supervisor, refuse_taken_port

    if serve:
        # Said now rather than after a minute's import.
        refuse_taken_port(host, port)
    with open_database(role="owner"):
        from palier.site.migration import migrate

        migrate()
        with open_database():
            summary, violations, key = _prepare(quiet=json, weeks=0 if original_dates else None)
            from palier.cli.demo import doors

            visitors = doors.visitors() if serve and not json else []
            owner = doors.owner()
            cashier = doors.cashier() if serve and not json else ""
    if json:
        import msgspec

        print(msgspec.json.format(msgspec.json.encode(summary)).decode())
    else:
        from palier.cli.demo.summary import show

        show(summary, key, f"http://{host}:{port}" if serve else "", visitors, owner, cashier)
    if violations:
        return 1
    if serve:
        os.environ["PALIER_DEMO"] = "true"
        Supervisor(
            host,
            port,
            on_ready=lambda address: print(f"Palier serves on {address} (Ctrl-C stops it).", flush=True),
        ).run()
    return 0


def _prepare(*, quiet: bool, weeks: int | None) -> tuple[dict[str, Any], int, str]:
    import msgspec

    from palier.activities.figures import figures
    from palier.activities.runtime import runtime
    from palier.cli.demo import desk, doors, history, pictures
    from palier.insights import operations as insights
    from palier.site import clock, database, ids

    with database.connect() as connection:
        ids.take_node(connection)
        connection.commit()
        program = runtime(connection, PROGRAM)
        begun = history.weeks_moved(connection, program) if program is not None else None
        # An import that was cut off goes on with the dates it began with: its ids are claimed with them.
        moved = begun if begun is not None else weeks if weeks is not None else history.weeks_to_now()
        if program is None:
            history.publish_both(connection, moved)
            program = runtime(connection, PROGRAM)
            assert program is not None
        history.stock(connection, program, now=min(history.opened_at(moved), clock.now()))
        import_summary: dict[str, Any] = {}
        violations = 0
        if not history.is_imported(connection, program):
            import_summary = history.import_year(connection, program, quiet=quiet, weeks=moved)
            database.refresh_statistics()
            _do_due_work(connection, program, quiet)
        redeemed = history.redeem_coupons(connection, program, quiet=quiet, weeks=moved)
        pictures.dress(connection, program)
        program = runtime(connection, PROGRAM) or program
        desk.lay_out(connection, program, now=clock.now())
        insights.count_all(connection, program, now=clock.now())
        if import_summary:
            violations = _verify(connection, import_summary)
        key = doors.key(connection, program.program_id)
        found: Figures = figures(connection, program)
        connection.rollback()
        summary = {
            **msgspec.to_builtins(found),
            "baskets": BASKETS,
            "import": import_summary or None,
            "redemptions": redeemed,
            "verified": (violations == 0) if import_summary else None,
            "now": datetime.fromtimestamp(clock.now() // 1_000_000).astimezone().isoformat(),
        }
        return summary, violations, key


def _do_due_work(connection: psycopg.Connection[Any], program: Runtime, quiet: bool) -> None:
    from rich.console import Console

    from palier.activities import due, rankings
    from palier.ledger import seal
    from palier.site import clock

    now = clock.now()
    with Console(stderr=True, quiet=quiet).status("Expiring and releasing what was due"):
        due.advance_all(connection, program, now, now=now)
        due.confirm_clock(connection, now)
        connection.commit()
        rankings.complete(connection, program, now=now)
        rankings.award_ended(connection, program, now=now)
        while seal.seal(connection, now=datetime.now(UTC)):
            connection.commit()
        connection.commit()


def _verify(connection: psycopg.Connection[Any], into: dict[str, Any]) -> int:
    from palier.ledger.verify import report

    found = report(connection, PROGRAM)
    connection.rollback()
    into["invariants"] = len(found.invariants)
    into["verify_seconds"] = round(found.seconds, 1)
    into["violations"] = [violation._asdict() for violation in found.violations[:5]]
    return len(found.violations)
