"""Commands for those who run a program: campaigns, rankings and their prizes, the yearly dividend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import typer

from palier.cli.counting import counted
from palier.cli.session import LANGUAGE, Language, tell

if TYPE_CHECKING:
    from palier.activities.runtime import Runtime

_PROGRAM: Final = typer.Argument(help="Key of the program.", show_default=False)
_JSON: Final = typer.Option(False, "--json", help="Print it as JSON.")
_REASON: Final = typer.Option("", "--reason", help="Why, for the audit log.")


def register(app: typer.Typer) -> None:
    campaigns = typer.Typer(help="Campaigns: how they stand, and pausing them at once.", no_args_is_help=True)
    campaigns.command("list")(list_campaigns)
    campaigns.command("pause")(pause)
    campaigns.command("resume")(resume)
    app.add_typer(campaigns, name="campaigns")
    boards = typer.Typer(help="Leaderboards: ranks, prizes.", no_args_is_help=True)
    boards.command("show")(show_board)
    boards.command("award")(award)
    boards.command("rebuild")(rebuild)
    app.add_typer(boards, name="leaderboards")
    app.command()(dividend)


def _actor() -> str:
    from getpass import getuser

    return f"cli:{getuser()}"


def _said(language: str, english: str, french: str) -> str:
    return french if language == "fr" else english


# --- campaigns --------------------------------------------------------------------------------------------

_STATES: Final = {
    "planned": ("planned", "prévue"),
    "running": ("running", "en cours"),
    "paused": ("paused", "en pause"),
    "ended": ("ended", "terminée"),
}


def list_campaigns(program: str = _PROGRAM, language: Language = LANGUAGE, json: bool = _JSON) -> int:
    """List the campaigns of the version in force: their state, and what of their budgets is left."""
    from palier.activities.campaigns import campaigns
    from palier.cli.members import program_of
    from palier.cli.session import open_database
    from palier.engine.explain import Words
    from palier.engine.state import NEVER
    from palier.site import clock, database

    with open_database(), database.connect() as connection:
        found = program_of(connection, program)
        now = clock.now()
        told = campaigns(connection, found, now=now)
    plan = found.timeline.at(now) or found.latest
    words = Words(plan, language)
    if json:
        from json import dumps

        rows = [
            {
                "campaign": item.key,
                "state": item.state,
                "budget": None
                if item.budget is None
                else {
                    "currency": item.budget.currency,
                    "points": _points(found, item.budget.currency, item.budget.limit),
                    "used": _points(found, item.budget.currency, item.budget.used),
                    "left": _points(found, item.budget.currency, item.budget.left),
                },
            }
            for item in told
        ]
        print(dumps(rows))
        return 0
    if not told:
        print(_said(language, "No campaign.", "Aucune campagne."))
    width = max((len(item.key) for item in told), default=0)
    for item in told:
        line = f"{item.key:<{width}}  {_said(language, *_STATES[item.state]):<9}  {words.text(item.name)}"
        if item.ends_at < NEVER:
            line += f"  {words.good_through(item.ends_at, several=False)}"
        if item.budget is not None:
            used = words.number(item.budget.used, item.budget.currency)
            limit = words.points(item.budget.limit, item.budget.currency)
            line += "  " + _said(language, f"{used} of {limit} used", f"{used} sur {limit} utilisés")
        print(line)
    return 0


def _points(program: Runtime, currency: str, minor: int) -> str:
    from palier.activities.answers import points_text

    return points_text(minor, program.latest, currency)


def pause(
    program: str = _PROGRAM,
    campaign: str = typer.Argument(help="Key of the campaign.", show_default=False),
    reason: str = _REASON,
) -> int:
    """Let a campaign stand still from now on: publishes a version that says so, in force at once."""
    return _set_paused(program, campaign, reason, paused=True)


def resume(
    program: str = _PROGRAM,
    campaign: str = typer.Argument(help="Key of the campaign.", show_default=False),
    reason: str = _REASON,
) -> int:
    """Let a paused campaign act again from now on."""
    return _set_paused(program, campaign, reason, paused=False)


def _set_paused(program: str, campaign: str, reason: str, *, paused: bool) -> int:
    from palier.cli.session import open_database
    from palier.engine.sentences import sentence
    from palier.programs.operations import pause_campaign
    from palier.site import clock, database
    from palier.staff.operations import write_log

    with open_database(with_django=False), database.connect() as connection:
        now = clock.now()
        version = pause_campaign(connection, program, campaign, paused=paused, now=now, by=_actor())
        if version.is_new:
            action = "campaign.pause" if paused else "campaign.resume"
            place = f"program:{program}:{version.version}:{campaign}"
            write_log(connection, _actor(), "operator", action, place, at=now, reason=reason)
        connection.commit()
    state = sentence("paused") if paused else sentence("running")
    if version.is_new:
        tell(
            "%(campaign)s is %(state)s: version %(version)s of %(program)s says so from now on.",
            campaign=campaign,
            state=state,
            version=version.version,
            program=program,
        )
    else:
        tell("No change: %(campaign)s was %(state)s already.", campaign=campaign, state=state)
    return 0


# --- leaderboards -----------------------------------------------------------------------------------------


def show_board(
    program: str = _PROGRAM,
    key: str = typer.Argument(help="Key of the leaderboard.", show_default=False),
    period: str = typer.Option(
        None, "--period", help="Such as 2026-03 or 2026-W10; the present one by default.", show_default=False
    ),
    language: Language = LANGUAGE,
) -> int:
    """Show a leaderboard as members see it, under pseudonyms."""
    from palier.activities import rankings
    from palier.activities.pursuits import decimals_of
    from palier.cli.members import program_of
    from palier.cli.session import open_database
    from palier.engine.amounts import from_minor
    from palier.engine.explain import Words
    from palier.engine.sentences import sentence
    from palier.site import clock, database
    from palier.site.refusal import Refused

    with open_database(), database.connect() as connection:
        found = program_of(connection, program)
        try:
            told = rankings.ranking(connection, found, key, period, now=clock.now())
        except ValueError as error:
            raise Refused(
                sentence(
                    "%(period)r is no period of %(key)s: %(error)s.", period=period[:40], key=key, error=error
                )
            ) from None
        if told is None:
            raise Refused(sentence("There is no leaderboard %(key)r in the version in force.", key=key[:60]))
    plan = found.timeline.at(clock.now()) or found.latest
    print(f"{Words(plan, language).text(told.board.name)}  {told.period.name}")
    decimals = decimals_of(plan, plan.goals[told.board.goal])
    for place in told.places:
        name = rankings.pseudonym(found.program_id, place.member_id)
        print(f"{place.rank:>5}  {name}  {from_minor(place.value, decimals):>12}")
    if not told.places:
        print(_said(language, "Nobody yet.", "Personne encore."))
    return 0


def award(
    program: str = _PROGRAM,
    key: str = typer.Argument(help="Key of the leaderboard.", show_default=False),
    period: str = typer.Option(
        ..., "--period", help="A period that has ended, such as 2026-03.", show_default=False
    ),
    dry_run: bool = typer.Option(False, "--dry-run", help="Show who would win; write nothing."),
) -> int:
    """Give the prizes of a period that has ended, once. The worker does so a day after its end."""
    from palier.activities import rankings
    from palier.cli.members import program_of
    from palier.cli.session import open_database
    from palier.members import refs
    from palier.site import clock, database, ids
    from palier.staff.operations import write_log

    with open_database(), database.connect() as connection:
        ids.take_node(connection)
        connection.commit()
        found = program_of(connection, program)
        now = clock.now()
        done = rankings.award(connection, found, key, period, by=_actor(), now=now, dry_run=dry_run)
        if not dry_run and not done.before:
            place = f"{program}:{key}:{done.period.name}"
            write_log(connection, _actor(), "operator", "leaderboard.award", place, at=now)
            connection.commit()
    if done.before:
        tell("The prizes of %(name)s were given before; nothing was given now.", name=done.period.name)
        return 0
    for place_won in done.places:
        print(f"{place_won.rank:>5}  {refs.encode(place_won.member_id)}")
    verb = "would be given" if dry_run else "given"
    print(f"{counted(len(done.places), 'prize')} of {key}, {done.period.name}, {verb}.")
    return 0


def rebuild(program: str = _PROGRAM) -> int:
    """Make the ranks of all members anew from the engine's state."""
    from palier.activities import rankings
    from palier.cli.members import program_of
    from palier.cli.session import open_database
    from palier.site import clock, database

    with open_database(), database.connect() as connection:
        found = program_of(connection, program)
        done = rankings.rebuild(connection, found, by=_actor(), now=clock.now())
    print(f"{counted(done, 'member')}, {counted(len(found.ranked), 'goal')} by which they are ranked.")
    return 0


# --- the dividend -----------------------------------------------------------------------------------------


def dividend(
    program: str = _PROGRAM,
    membership: str = typer.Argument(help="Key of the membership.", show_default=False),
    year: int = typer.Option(..., "--year", help="The year that has ended.", show_default=False),
    rate: str = typer.Option(
        ..., "--rate", help="The share of eligible spend, such as 0.10.", show_default=False
    ),
    dry_run: bool = typer.Option(False, "--dry-run", help="Show the sums; write nothing."),
    yes: bool = typer.Option(False, "--yes", "-y", help="Pay without asking."),
) -> int:
    """Pay the members of a membership at the end of a year a share of what they bought, after showing the sums."""
    from palier.activities import dividends
    from palier.cli.members import program_of
    from palier.cli.session import open_database
    from palier.engine.explain import Words
    from palier.site import clock, database, ids
    from palier.staff.operations import write_log

    with open_database(), database.connect() as connection:
        ids.take_node(connection)
        connection.commit()
        found = program_of(connection, program)
        now = clock.now()
        wanted = dividends.decided(found, membership, year, rate, now)
        words = Words(found.latest, "en")
        sums = dividends.run(connection, found, wanted, by=_actor(), now=now, dry_run=True)
        points = words.points(sums.points, wanted.currency)
        print(
            f"{membership}, {year}, at {rate}: {sums.paid} of {counted(sums.members, 'member')}, "
            f"on {words.money(sums.spend)}, {points} in all."
        )
        if dry_run or not sums.paid:
            return 0
        if not yes:
            typer.confirm("Pay it?", abort=True)
        place = f"{program}:{membership}:{year}"
        write_log(connection, _actor(), "operator", "dividend.pay", place, at=now, reason=rate)
        connection.commit()
        done = dividends.run(connection, found, wanted, by=_actor(), now=now)
    print(f"Paid to {counted(done.given, 'member')}; {done.paid_before} had it before.")
    return 0
