"""Commands on pictures: the logo of a program, the picture of a reward, and taking one away for good."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer

from palier.cli.counting import counted
from palier.cli.session import tell

if TYPE_CHECKING:
    from palier.activities.runtime import Runtime
    from palier.connectors.pictures import Use
    from palier.engine.document import Picture

_PROGRAM: Final = typer.Argument(help="Key of the program.", show_default=False)
_FILE: Final = typer.Argument(None, help="PNG, JPEG or WebP, at most 2 MB.", show_default=False)
_ALT_EN: Final = typer.Option("", "--alt-en", help="What it shows, in English.", show_default=False)
_ALT_FR: Final = typer.Option("", "--alt-fr", help="What it shows, in French.", show_default=False)
_REMOVE: Final = typer.Option(False, "--remove", help="Take it away.")
_REASON: Final = typer.Option("", "--reason", help="Why, for the version and the audit log.")


def _actor() -> str:
    from getpass import getuser

    return f"cli:{getuser()}"


def reward_picture(
    program: str = _PROGRAM,
    reward: str = typer.Argument(help="Key of the reward.", show_default=False),
    file: Path = _FILE,
    alt_en: str = _ALT_EN,
    alt_fr: str = _ALT_FR,
    remove: bool = _REMOVE,
    reason: str = _REASON,
) -> int:
    """Give a reward its picture, or take it away: a version of the reward that holds at once."""
    from palier.cli.members import program_of
    from palier.cli.session import open_database
    from palier.engine.sentences import sentence
    from palier.rewards.operations import NotTaken
    from palier.rewards.picturing import set_picture
    from palier.rewards.refusals import OrderRefused
    from palier.site import clock, database, ids
    from palier.site.refusal import Refused

    _one_of(file, remove)
    if file is not None and not (alt_en.strip() or alt_fr.strip()):
        raise Refused(sentence("What the picture shows is not said; add --alt-en and --alt-fr."))
    with open_database(with_django=False), database.connect() as connection:
        runtime = program_of(connection, program)
        ids.take_node(connection)
        now = clock.now()
        picture = None if file is None else _kept(connection, runtime, file, "reward", alt_en, alt_fr, now)
        try:
            found = set_picture(
                connection, runtime, reward, picture, by=_actor(), reason=reason or "picture", now=now
            )
        except OrderRefused:
            raise Refused(
                sentence(
                    '%(program)s has no reward "%(reward)s"; `palier rewards list %(program)s` lists some.',
                    program=program,
                    reward=reward[:80],
                )
            ) from None
        except NotTaken as refused:
            raise Refused(sentence("Nothing was written: %(why)s.", why=refused)) from None
        connection.commit()
    if not found.is_new:
        tell("No change: version %(number)s of %(key)s says the same.", number=found.number, key=found.key)
    elif picture is None:
        tell("Version %(number)s of %(key)s has no picture.", number=found.number, key=found.key)
    else:
        tell(
            "Version %(number)s of %(key)s shows %(source)s",
            number=found.number,
            key=found.key,
            source=picture.source,
        )
    return 0


def logo(
    program: str = _PROGRAM,
    file: Path = _FILE,
    alt_en: str = _ALT_EN,
    alt_fr: str = _ALT_FR,
    says_name: bool = typer.Option(
        False, "--says-name", help="The name can be read in it, and is not written beside it."
    ),
    remove: bool = _REMOVE,
    reason: str = _REASON,
) -> int:
    """Give a program its logo, or take it away: what is in force is published with it, from now on."""
    from palier.cli.members import program_of
    from palier.cli.session import open_database
    from palier.programs.branding import set_logo
    from palier.site import clock, database, ids

    _one_of(file, remove)
    with open_database(with_django=False), database.connect() as connection:
        runtime = program_of(connection, program)
        ids.take_node(connection)
        now = clock.now()
        picture = None if file is None else _kept(connection, runtime, file, "logo", alt_en, alt_fr, now)
        found = set_logo(
            connection,
            program,
            picture,
            says_name=says_name,
            by=_actor(),
            role="operator",
            now=now,
            reason=reason,
        )
        connection.commit()
    if not found.is_new:
        tell(
            "No change: version %(version)s of %(program)s says the same.",
            version=found.version,
            program=program,
        )
    elif picture is None:
        tell("Version %(version)s of %(program)s has no logo.", version=found.version, program=program)
    else:
        tell(
            "Version %(version)s of %(program)s shows %(source)s",
            version=found.version,
            program=program,
            source=picture.source,
        )
    return 0


def forget_picture(
    program: str = _PROGRAM,
    address: str = typer.Argument(help="Its address, /pictures/…, as documents name it.", show_default=False),
    reason: str = typer.Option(..., "--reason", help="Why, for the audit log.", show_default=False),
    yes: bool = typer.Option(False, "--yes", "-y", help="Do it without asking."),
) -> int:
    """Take a picture away for good, such as one that must not be shown. Pages draw something in its place."""
    from palier.cli.members import program_of
    from palier.cli.session import open_database
    from palier.programs import pictures
    from palier.site import clock, database

    if not yes:
        typer.confirm("It cannot be brought back but from its file. Take it away?", abort=True)
    with open_database(with_django=False), database.connect() as connection:
        runtime = program_of(connection, program)
        gone = pictures.forget(
            connection,
            runtime.program_id,
            program,
            address,
            by=_actor(),
            reason=reason[:500],
            now=clock.now(),
        )
        connection.commit()
    tell("It is taken away.") if gone else tell("There is no such picture, so nothing was changed.")
    return 0


def tell_missing(connection: Any, runtime: Runtime, named: Iterable[Picture | None]) -> None:
    """Warns of pictures that documents name and this installation does not have: pages draw something instead."""
    import sys

    from palier.programs import pictures

    wanted = [item for item in named if item is not None and item.source.startswith("/")]
    missing = {item.source for item in wanted} - set(
        pictures.known(connection, runtime.program_id, runtime.key, wanted)
    )
    for source in sorted(missing)[:3]:
        print(f"warning: the picture {source} is not stored here, so a drawing stands in.", file=sys.stderr)
    if missing:
        print(
            f"{counted(len(missing), 'picture')} to upload: `palier rewards picture`, `palier programs logo`.",
            file=sys.stderr,
        )


def _one_of(file: Path | None, remove: bool) -> None:
    from palier.engine.sentences import sentence
    from palier.site.refusal import Refused

    if (file is None) != remove:
        raise Refused(sentence("Name the file of the picture, or write --remove to take it away."))


def _kept(
    connection: Any, runtime: Runtime, file: Path, use: Use, alt_en: str, alt_fr: str, now: int
) -> Picture:
    """The file as a stored picture; it is written in the open transaction."""
    from palier.connectors.pictures import MOST_BYTES, NotAPicture
    from palier.engine.document import Picture, Text
    from palier.engine.sentences import sentence
    from palier.programs import pictures
    from palier.site.refusal import Refused

    try:
        with file.open("rb") as source:
            raw = source.read(MOST_BYTES + 1)
    except IsADirectoryError:
        raise Refused(sentence("%(file)s is a folder; name the picture in it.", file=file)) from None
    except OSError as error:
        raise Refused(
            sentence("%(file)s cannot be read: %(why)s; check the name.", file=file, why=error)
        ) from None
    try:
        kept = pictures.keep(
            connection,
            runtime.program_id,
            runtime.key,
            raw,
            use=use,
            by=_actor(),
            role="operator",
            now=now,
            declared=file.name,
        )
    except NotAPicture as refused:
        raise Refused(sentence("%(file)s: %(why)s Nothing was changed.", file=file, why=refused)) from None
    return Picture(kept.source, Text(alt_en.strip(), alt_fr.strip()))
