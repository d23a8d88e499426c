"""Commands on tills: list them, expect one, revoke one, and review what was kept."""

import typer

from palier.cli.session import tell

_PROGRAM = typer.Argument(help="Key of the program.", show_default=False)
_TILL = typer.Argument(help="Its number or reference, as `palier tills list` shows them.", show_default=False)


def register(app: typer.Typer) -> None:
    tills = typer.Typer(help="Tills: list, enrol, revoke, and review what they kept.", no_args_is_help=True)
    tills.command("list")(list_tills)
    tills.command("enrol")(enrol)
    tills.command("revoke")(revoke)
    tills.command("review")(review)
    app.add_typer(tills, name="tills")


def list_tills(
    program: str = _PROGRAM, json: bool = typer.Option(False, "--json", help="Print it as JSON.")
) -> int:
    """List the program's tills, those that were revoked too."""
    from palier.cli.session import open_database
    from palier.engine.clock import moment
    from palier.programs.queries import identified
    from palier.site import clock, database
    from palier.tills.queries import standings

    with open_database(with_django=False), database.connect() as connection:
        standing = standings(connection, identified(connection, program), now=clock.now())
    found = [one.device for one in standing]
    waiting = {one.device.ref: one.to_review for one in standing}

    def written(at: int) -> str | None:
        return moment(at).isoformat(timespec="seconds").replace("+00:00", "Z") if at else None

    if json:
        from json import dumps

        print(
            dumps(
                [
                    {
                        "till": device.ref,
                        "number": device.number,
                        "name": device.name,
                        "location": device.location,
                        "state": device.state,
                        "signs": device.signs,
                        "created_at": written(device.created_at),
                        "enrolled_at": written(device.enrolled_at),
                        "seen_at": written(device.seen_at),
                        "revoked_at": written(device.revoked_at),
                        "to_review": waiting[device.ref],
                    }
                    for device in found
                ]
            )
        )
        return 0
    if not found:
        tell(
            "There is no till yet; make a code for one with `palier tills enrol %(program)s`.",
            program=program,
        )
    for device in found:
        seen = f"seen {written(device.seen_at)}" if device.seen_at else "never seen"
        kept = f"  {waiting[device.ref]} to review" if waiting[device.ref] else ""
        print(
            f"{device.number}  {device.ref}  {device.name}, {device.location}  {device.state}  {seen}{kept}"
        )
    return 0


def enrol(
    program: str = _PROGRAM,
    name: str = typer.Option("Till", "--name", help="What staff call it."),
    location: str = typer.Option(
        "shop", "--location", help="Where it stands, as sales name the place.", show_default=True
    ),
) -> int:
    """Expect a tablet and print the code to type on it, once, within half an hour."""
    from getpass import getuser

    from palier.cli.session import open_database, show_once
    from palier.programs.queries import identified
    from palier.site import clock, database
    from palier.tills import devices

    with open_database(with_django=False), database.connect() as connection:
        expected = devices.expect(
            connection,
            identified(connection, program),
            name=name,
            location=location,
            by=f"cli:{getuser()}",
            role="operator",
            now=clock.now(),
        )
        show_once(expected.code)
        connection.commit()
    tell("Open /till/%(program)s/ on the tablet and type it there within half an hour.", program=program)
    return 0


def revoke(program: str = _PROGRAM, till: str = _TILL) -> int:
    """End a till. Its next call is refused; what it kept meanwhile waits for `palier tills review`."""
    from getpass import getuser

    from palier.cli.session import open_database
    from palier.engine.sentences import sentence
    from palier.programs.queries import identified
    from palier.site import clock, database
    from palier.site.refusal import Refused
    from palier.tills import devices

    with open_database(with_django=False), database.connect() as connection:
        program_id = identified(connection, program)
        found = devices.find(connection, program_id, till)
        done = found is not None and devices.revoke(
            connection, program_id, found.device_id, by=f"cli:{getuser()}", role="operator", now=clock.now()
        )
        connection.commit()
    if not done or found is None:
        raise Refused(
            sentence(
                "There is no such till, or it has ended already; `palier tills list %(program)s` shows them.",
                program=program,
            )
        )
    tell("Revoked till %(number)s, %(name)s.", number=found.number, name=found.name)
    return 0


def review(
    program: str = _PROGRAM,
    till: str = _TILL,
    apply: bool = typer.Option(
        False, "--apply", help="Apply them: each once, as sales of their own instants."
    ),
    drop: str = typer.Option(
        "", "--drop", help="Set them aside for good, for this reason.", show_default=False
    ),
    entry: list[str] = typer.Option([], "--entry", help="Only this one; repeat it.", show_default=False),
) -> int:
    """Show the sales of a till that were refused, or that came after it was revoked; apply them, or drop them."""
    from getpass import getuser

    from palier.activities.runtime import runtime
    from palier.cli.session import open_database
    from palier.engine.amounts import from_minor
    from palier.engine.clock import moment
    from palier.engine.sentences import sentence
    from palier.programs.queries import identified
    from palier.site import clock, database
    from palier.site.refusal import Refused
    from palier.tills import devices, journal

    if apply and drop:
        raise Refused(sentence("Either --apply or --drop; say which entries by --entry."))
    with open_database(with_django=False), database.connect() as connection:
        program_id = identified(connection, program)
        found = devices.find(connection, program_id, till)
        judging = runtime(connection, program)
        if found is None or judging is None:
            raise Refused(
                sentence(
                    "There is no such till; `palier tills list %(program)s` shows them.", program=program
                )
            )
        waiting = journal.to_review(connection, program_id, found.device_id)
        kept = [item for item in waiting if not entry or item.number in entry]
        numbers = [item.number for item in kept]
        if apply:
            by = f"cli:{getuser()}"
            for taken in journal.apply_kept(
                connection, judging, found, numbers, by=by, role="operator", now=clock.now()
            ):
                print(f"{taken.number}  {taken.status}  {taken.code}".rstrip())
            return 0
        if drop:
            gone = journal.drop_kept(
                connection,
                found,
                numbers,
                by=f"cli:{getuser()}",
                role="operator",
                reason=drop,
                now=clock.now(),
            )
            connection.commit()
            tell("Dropped %(gone)s.", gone=gone)
            return 0
        for item in kept:
            when = moment(item.at).isoformat(timespec="seconds").replace("+00:00", "Z")
            amount = from_minor(item.amount, judging.latest.exponent)
            print(f"{item.number}  {when}  {amount}  {item.state}  {item.code}")
        if not kept:
            tell("Nothing waits for a review.")
    return 0
