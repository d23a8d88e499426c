"""Commands that put things right: judging the past again, and trusting a clock that jumped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from palier.cli.counting import counted
from palier.cli.session import tell

if TYPE_CHECKING:
    from palier.activities.rerate import Rerated


def register(app: typer.Typer) -> None:
    app.command()(rerate)
    clock = typer.Typer(help="The server's clock: what the worker thinks of it.", no_args_is_help=True)
    clock.command("status")(clock_status)
    clock.command("confirm")(clock_confirm)
    app.add_typer(clock, name="clock")


def rerate(
    program: str = typer.Argument(help="Key of the program.", show_default=False),
    from_instant: str = typer.Option(
        ...,
        "--from",
        help="Judge again what happened from this instant on (with its offset).",
        show_default=False,
    ),
    version: int = typer.Option(
        0, "--version", min=0, help="Judge it by this version; 0 for the version in force at each instant."
    ),
    reason: str = typer.Option("a rule was wrong", "--reason", help="Why, for the audit log."),
    yes: bool = typer.Option(False, "--yes", "-y", help="Post without asking."),
) -> int:
    """Judge the past again and post the differences as corrections, after showing them."""
    from rich.console import Console

    from palier.activities import rerate as operation
    from palier.activities.answers import NotDone
    from palier.cli.members import program_of
    from palier.cli.session import open_database
    from palier.engine.instants import parse_instant
    from palier.engine.sentences import sentence, whole
    from palier.programs.operations import rerate_judging
    from palier.site import clock, database, ids
    from palier.site.refusal import Refused
    from palier.staff.operations import write_log

    try:
        from_at = parse_instant(from_instant)
    except ValueError:
        raise Refused(
            sentence(
                "%(from_instant)r is no instant; write --from 2026-03-01T00:00:00+01:00.",
                from_instant=from_instant[:40],
            )
        ) from None
    console = Console()
    with open_database(), database.connect() as connection:
        ids.take_node(connection)
        connection.commit()
        found = program_of(connection, program)
        now = clock.now()
        planned = found
        if version:
            if found.timeline.plan_of(version) is None:
                raise Refused(
                    sentence(
                        "%(program)s has no version %(version)s; `palier programs` lists the latest.",
                        program=program,
                        version=version,
                    )
                )
            planned = found.judged_by(version, from_at, now)
        with console.status("Judging again, in memory"):
            try:
                total = operation.rerate(connection, planned, from_at, now=now, post=False)
            except NotDone as vast:
                raise Refused(whole(vast.refusal.said, vast.refusal.advice)) from None
        _show(console, planned.latest.currencies.keys(), total, planned)
        if not total.changed:
            console.print("Nothing changes.")
            return 0
        if not yes and not typer.confirm(f"Post these corrections for {counted(total.changed, 'member')}?"):
            raise Refused(sentence("Nothing was posted."))
        if version:
            rerate_judging(
                connection, program, from_at=from_at, until_at=now, version=version, now=now, reason=reason
            )
            connection.commit()
        write_log(connection, "cli", "operator", "program.rerate", program, at=now, reason=reason)
        connection.commit()
        judged = program_of(connection, program)
        with console.status("Posting the differences"):
            posted = operation.rerate(connection, judged, from_at, now=now, post=True)
        console.print(
            f"Posted {counted(posted.corrections, 'correction')} for {counted(posted.changed, 'member')}."
        )
    return 0


def _show(console: object, currencies: object, total: Rerated, planned: object) -> None:
    from rich.console import Console
    from rich.table import Table

    from palier.activities.answers import points_text
    from palier.activities.runtime import Runtime

    assert isinstance(console, Console)
    assert isinstance(planned, Runtime)
    plan = planned.latest
    console.print(
        f"{counted(total.members, 'member')} looked at, {total.changed} changed, "
        f"{counted(total.corrections, 'correction')}."
    )
    for currency, points in sorted(total.points.items()):
        console.print(f"  {currency}: {points_text(points, plan, currency)} in all")
    if not total.differences:
        return
    table = Table("Member", "Corrections", "Points", "Tier")
    for item in total.differences[:20]:
        points_change = ", ".join(
            f"{points_text(value, plan, key)} {key}" for key, value in item.points.items()
        )
        tier = (
            item.tier_before
            if item.tier_before == item.tier_after
            else f"{item.tier_before} -> {item.tier_after}"
        )
        table.add_row(item.ref, str(item.corrections), points_change or "0", tier)
    console.print(table)


def clock_status() -> int:
    """Say whether due work runs, or waits because the clock jumped; exit with 1 when it waits."""
    from palier.cli.session import open_database
    from palier.engine.clock import moment
    from palier.site import clock, database

    with open_database(with_django=False), database.connect() as connection:
        row = connection.execute("select last_seen_at, stopped_at from clock").fetchone()
    tell("The server's clock: %(at)s", at=moment(clock.now()).isoformat(timespec="seconds"))
    if row is None:
        tell("The worker has not run yet.")
        return 0
    tell("Last seen by the worker: %(at)s", at=row[0].isoformat(timespec="seconds"))
    if row[1] is not None:
        print(
            f"Due work waits since {row[1].isoformat(timespec='seconds')}: the clock jumped. If it is right now,"
        )
        tell("run: palier clock confirm")
        return 1
    tell("Due work runs.")
    return 0


def clock_confirm() -> int:
    """Confirm that the server's clock is right after a jump; due work goes on."""
    from palier.activities.due import confirm_clock
    from palier.cli.session import open_database
    from palier.engine.clock import moment
    from palier.site import clock, database
    from palier.staff.operations import write_log

    with open_database(), database.connect() as connection:
        now = clock.now()
        confirm_clock(connection, now)
        write_log(connection, "cli", "operator", "clock.confirm", "clock", at=now)
        connection.commit()
    tell("Confirmed %(at)s; due work goes on.", at=moment(now).isoformat(timespec="seconds"))
    return 0
