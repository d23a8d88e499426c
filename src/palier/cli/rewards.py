"""Commands on the catalogue of rewards: check a file, see what it would change, write it, write it out, list, load."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer

from palier.cli.counting import counted
from palier.cli.pictures import reward_picture, tell_missing
from palier.cli.session import LANGUAGE, Language, tell

if TYPE_CHECKING:
    from palier.activities.runtime import Runtime
    from palier.rewards.document import Reward
    from palier.rewards.files import ReadCatalogue

_FILE: Final = typer.Argument(help="A file of rewards, YAML or JSON.", show_default=False)
_PROGRAM: Final = typer.Argument(help="Key of the program.", show_default=False)
_RETIRE: Final = typer.Option(
    False, "--retire", help="Also retire rewards that the file does not have; not those of suppliers."
)
_REASON: Final = typer.Option("", "--reason", help="Why, for the versions and the audit log.")
_SIGNS: Final = {"added": "+", "removed": "-", "changed": "~"}
_TOLD: Final = 20


def register(app: typer.Typer) -> None:
    group = typer.Typer(
        help="The catalogue: plan, apply, export, list, load, pictures.", no_args_is_help=True
    )
    group.command("validate")(validate)
    group.command("plan")(plan)
    group.command("apply")(apply)
    group.command("export")(export)
    group.command("list")(list_rewards)
    group.command("history")(history)
    group.command("load")(load)
    group.command("picture")(reward_picture)
    group.command("schema")(schema)
    app.add_typer(group, name="rewards")


def validate(
    file: Path = _FILE,
    program: Path = typer.Option(
        None, "--program", help="The program's document; by default the one published.", show_default=False
    ),
) -> int:
    """Check a file of rewards: every problem with its line and remedy, and what keeps a reward from being a good one.

    With --program it needs no database.
    """
    from palier.engine.plan import Plan

    if program is not None:
        from palier.cli.programs import read_document

        document = read_document(program)
        if document is None:
            return 2
        found = _read(file, document)
        return _told(found, file, Plan(document, 1))
    with _opened(file) as (connection, runtime):
        found = _read(file, runtime.latest.document, connection, runtime)
        return _told(found, file, runtime.latest)


def _told(found: ReadCatalogue, file: Path, plan: Any) -> int:
    import sys

    from palier.rewards.quality import quality

    if found.errors:
        return 2
    findings = 0
    for reward in found.rewards:
        for finding in quality(reward, plan):
            findings += 1
            print(
                f"{file}: {reward.key}, {finding.path}: {finding.message}; {finding.remedy}.", file=sys.stderr
            )
    print(
        f"{file} is a valid catalogue of {found.program}: {counted(len(found.rewards), 'reward')}, "
        f"{counted(findings, 'finding')}."
    )
    return 0


def plan(file: Path = _FILE, language: Language = LANGUAGE, retire: bool = _RETIRE) -> int:
    """Show what writing a file of rewards would change. Writes nothing."""
    with _opened(file) as (connection, runtime):
        wanted = _wanted(connection, runtime, file, retire)
        if wanted is None:
            return 2
        changed = _print_changes(connection, runtime, wanted, language)
        # Written and taken back: what would be refused is refused here already.
        with connection.transaction(force_rollback=True):
            _write(connection, runtime, wanted, "plan", "")
    if not changed:
        tell("No change: the catalogue of %(key)s says the same.", key=runtime.key)
    else:
        print(f"This would write {changed} of {counted(len(wanted), 'reward')}.")
    return 0


def apply(
    file: Path = _FILE,
    yes: bool = typer.Option(False, "--yes", "-y", help="Write without asking."),
    language: Language = LANGUAGE,
    retire: bool = _RETIRE,
    reason: str = _REASON,
) -> int:
    """Write the rewards of a file: new ones, and those that differ as their next version. All of them, or none."""
    from getpass import getuser

    with _opened(file) as (connection, runtime):
        wanted = _wanted(connection, runtime, file, retire)
        if wanted is None:
            return 2
        changed = _print_changes(connection, runtime, wanted, language)
        connection.rollback()  # nothing stays open while a person reads
        if not changed:
            tell("No change: the catalogue of %(key)s says the same.", key=runtime.key)
            return 0
        if not yes:
            typer.confirm(f"Write {counted(changed, 'reward')}?", abort=True)
        done = _write(connection, runtime, wanted, f"cli:{getuser()}", reason)
        connection.commit()
    print(f"Wrote {done} of {counted(len(wanted), 'reward')} of {runtime.key}.")
    return 0


def export(
    program: str = _PROGRAM,
    json: bool = typer.Option(False, "--json", help="Write JSON instead of YAML."),
    lines: bool = typer.Option(False, "--lines", help="Write one JSON document a line, as `load` reads it."),
    retired: bool = typer.Option(False, "--retired", help="Retired ones too."),
) -> int:
    """Write the latest versions of a program's rewards to standard output. Applying them again is no change."""
    from palier.cli.members import program_of
    from palier.cli.session import open_database
    from palier.rewards import catalogue, files
    from palier.rewards.document import canonical, parts_of
    from palier.site import database

    with open_database(with_django=False), database.connect() as connection:
        runtime = program_of(connection, program)
        found = [
            item.reward
            for item in catalogue.latest(connection, runtime.program_id)
            if retired or item.reward.state != "retired"
        ]
    # What is made of others stands behind them, as a reader would write it.
    found.sort(key=lambda reward: bool(parts_of(reward)))
    if lines:
        for reward in found:
            print(canonical(reward).decode())
        return 0
    print(files.write_json(program, found) if json else files.write(program, found), end="")
    return 0


def list_rewards(
    program: str = _PROGRAM,
    words: str = typer.Option("", "--words", help="Only those with these words.", show_default=False),
    kind: str = typer.Option(None, "--kind", help="Only of this kind.", show_default=False),
    category: str = typer.Option(None, "--category", help="Only of this category.", show_default=False),
    limit: int = typer.Option(50, "--limit", min=1, max=10_000, help="At most so many."),
    language: Language = LANGUAGE,
    json: bool = typer.Option(False, "--json", help="Print the list as JSON."),
) -> int:
    """List what can be seen now, the newest first."""
    from palier.cli.members import program_of
    from palier.cli.session import open_database
    from palier.rewards import operations
    from palier.rewards.browsing import Filters, begun, browse
    from palier.rewards.catalogue import points_words, price_points
    from palier.site import clock, database

    with open_database(with_django=False), database.connect() as connection:
        runtime = program_of(connection, program)
        now = clock.now()
        if begun(connection, runtime.program_id, now=now):
            operations.take_effect(connection, runtime, now=now)
            connection.commit()
        filters = Filters(kind=kind, category=category, words=words, language=language)
        page = browse(connection, runtime, filters, now=now, limit=limit)
    rows = []
    for line in page.lines:
        reward = line.terms.reward
        prices = [
            " + ".join(
                [
                    *(
                        points_words(runtime.latest, key, minor, language)
                        for key, minor in price_points(runtime.latest, price).items()
                    ),
                    *([f"{price.money.amount} {price.money.currency}"] if price.money is not None else []),
                ]
            )
            for price in reward.prices
        ]
        name = (reward.name.fr or reward.name.en) if language == "fr" else (reward.name.en or reward.name.fr)
        rows.append((reward.key, reward.kind, name, " / ".join(prices), reward.state, line.terms.version))
    if json:
        from json import dumps

        names = ("reward", "kind", "name", "prices", "state", "version")
        print(dumps([dict(zip(names, row, strict=True)) for row in rows], ensure_ascii=False))
        return 0
    if not rows:
        tell("There is no such reward in the catalogue of %(program)s.", program=program)
        return 0
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in ("reward", "kind", "name", "price", "state", "version"):
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    console = Console(highlight=False)
    console.print(table)
    if page.next is not None:
        console.print(f"And more: these are the first {len(rows)}; --limit shows more, --words fewer.")
    return 0


def history(
    program: str = _PROGRAM,
    reward: str = typer.Argument(help="Key of the reward.", show_default=False),
    language: Language = LANGUAGE,
) -> int:
    """Tell every version of a reward: since when, by whom, why, and what it changed."""
    from palier.cli.members import program_of
    from palier.cli.programs import _written
    from palier.cli.session import open_database
    from palier.engine.sentences import sentence
    from palier.rewards import catalogue
    from palier.rewards.changes import difference
    from palier.site import database
    from palier.site.refusal import Refused

    with open_database(with_django=False), database.connect() as connection:
        runtime = program_of(connection, program)
        found = catalogue.versions(connection, runtime.program_id, reward)
    if not found:
        raise Refused(
            sentence(
                '%(program)s has no reward "%(reward)s"; `palier rewards list %(program)s` lists some.',
                program=program,
                reward=reward[:80],
            )
        )
    before: Reward | None = None
    for version in found:
        why = f": {version.reason}" if version.reason else ""
        print(f"Version {version.number}, from {_written(version.valid_from)}, by {version.made_by}{why}")
        for change in difference(before, version.reward):
            print(f"  {_SIGNS[change.kind]} {change.said(language)}.")
        before = version.reward
    return 0


def load(
    program: str = _PROGRAM,
    file: Path = typer.Argument(help="One reward a line, each a JSON document.", show_default=False),
    reason: str = _REASON,
    json: bool = typer.Option(False, "--json", help="Print the counts as JSON."),
) -> int:
    """Write many rewards, such as the catalogue of a supplier. Sent again, it changes nothing; cut off, send it again.

    Lines with errors are told, and the others taken.
    """
    import sys
    from getpass import getuser

    import msgspec
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from palier.cli.members import program_of
    from palier.cli.session import open_database
    from palier.rewards import operations
    from palier.site import clock, database, ids

    size = max(_size(file), 1)
    told = 0

    def refused(item: operations.Refusal) -> None:
        nonlocal told
        told += 1
        if told <= _TOLD:
            where = (
                f"{item.key}, {item.path}" if item.key and item.path else item.key or item.path or "the line"
            )
            print(f"{file}:{item.line}: {where}: {item.message}; {item.remedy}.", file=sys.stderr)

    with open_database(with_django=False), database.connect() as connection, file.open("rb") as source:
        runtime = program_of(connection, program)
        ids.take_node(connection)
        connection.commit()
        console = Console(stderr=True, quiet=json)
        with Progress(
            TextColumn("Loading {task.description}"), BarColumn(), TimeElapsedColumn(), console=console
        ) as bar:
            task = bar.add_task(file.name, total=size)
            done = operations.load(
                connection,
                runtime,
                _lines(source),
                by=f"cli:{getuser()}",
                reason=reason,
                now=clock.now,
                on_refused=refused,
                on_progress=lambda _: bar.update(task, completed=source.tell()),
            )
        if done.new + done.changed >= operations.LOADED_AT_ONCE:
            database.refresh_statistics()
    if told > _TOLD:
        print(f"{told - _TOLD} more lines were refused.", file=sys.stderr)
    if json:
        print(msgspec.json.encode(done).decode())
    else:
        print(
            f"{counted(done.sent, 'reward')} of {file.name}: {done.new:,} new, {done.changed:,} changed, "
            f"{done.same:,} as they were, {done.refused:,} refused."
        )
    return 0


def schema() -> int:
    """Print the JSON Schema of files of rewards, for editors."""
    from json import dumps

    from palier.rewards.document import json_schema

    print(dumps(json_schema(), indent=2, ensure_ascii=False))
    return 0


# --- what they share --------------------------------------------------------------------------------------


def _size(file: Path) -> int:
    from palier.engine.sentences import sentence
    from palier.site.refusal import Refused

    try:
        if file.is_dir():
            raise Refused(sentence("%(file)s is a folder; name the file in it.", file=file))
        return file.stat().st_size
    except OSError as error:
        raise Refused(
            sentence("%(file)s cannot be read: %(why)s; check the name.", file=file, why=error)
        ) from None


def _lines(source: Any) -> Iterator[tuple[int, Any]]:
    """The number and value of each line that is not empty; of one that is no JSON, its text, which is no reward."""
    import msgspec

    decode = msgspec.json.Decoder().decode
    for number, raw in enumerate(iter(source.readline, b""), 1):
        if not raw.strip():
            continue
        try:
            yield number, decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            yield number, raw[:80].decode(errors="replace").strip()


@contextmanager
def _opened(file: Path) -> Iterator[tuple[Any, Runtime]]:
    """The database and the program that a file of rewards names, inside the block."""
    from palier.cli.members import program_of
    from palier.cli.session import open_database
    from palier.engine.sentences import sentence
    from palier.rewards import files
    from palier.site import database
    from palier.site.refusal import Refused

    _size(file)
    key = files.program_of(file)
    if key is None:
        _print_problems(files.read(file, None), file)
        raise Refused(
            sentence("%(file)s does not name its program; write program: and its key at the top.", file=file)
        )
    with open_database(with_django=False), database.connect() as connection:
        yield connection, program_of(connection, key)


def _print_problems(found: ReadCatalogue, file: Path) -> None:
    import sys

    for problem in found.problems:
        label = "" if problem.severity == "error" else "warning: "
        sentence = f"{file}:{problem.line}: {label}{problem}"
        print(sentence if sentence.endswith("?") else f"{sentence}.", file=sys.stderr)


def _read(file: Path, document: Any, connection: Any = None, runtime: Any = None) -> ReadCatalogue:
    """The rewards of a file; its problems are printed."""
    from palier.rewards import catalogue, files

    known = catalogue.known(connection, runtime.program_id) if connection is not None else lambda key: None
    found = files.read(file, document, known)
    _print_problems(found, file)
    return found


def _wanted(connection: Any, runtime: Runtime, file: Path, retire: bool) -> list[Reward] | None:
    """The rewards to be written; None where the file has errors, which are printed."""
    from msgspec.structs import replace

    from palier.rewards import catalogue

    found = _read(file, runtime.latest.document, connection, runtime)
    if found.errors:
        return None
    wanted = list(found.rewards)
    if retire:
        kept = {reward.key for reward in wanted}
        wanted += [
            replace(item.reward, state="retired", effective_from=None)
            for item in catalogue.latest(connection, runtime.program_id)
            if item.reward.key not in kept and item.reward.supplier is None and item.reward.state != "retired"
        ]
    tell_missing(connection, runtime, [reward.picture for reward in wanted])
    return wanted


def _print_changes(connection: Any, runtime: Runtime, wanted: Sequence[Reward], language: str) -> int:
    """Prints what differs from the latest versions; of how many rewards."""
    from palier.rewards import catalogue
    from palier.rewards.changes import difference

    keys = [reward.key for reward in wanted]
    latest = {item.reward.key: item.reward for item in catalogue.latest(connection, runtime.program_id, keys)}
    changed = 0
    for reward in wanted:
        changes = difference(latest.get(reward.key), reward)
        changed += bool(changes)
        for change in changes:
            print(f"{_SIGNS[change.kind]} {change.said(language)}.")
    return changed


def _write(connection: Any, runtime: Runtime, wanted: Sequence[Reward], by: str, reason: str) -> int:
    """Writes all of them in the open transaction, or refuses; how many were new or changed."""
    from palier.engine.sentences import sentence
    from palier.rewards import operations
    from palier.site import clock
    from palier.site.refusal import Refused

    now = clock.now()
    answers = operations.write(connection, runtime, wanted, by=by, reason=reason, now=now)
    done = operations.Loaded(sent=len(wanted))
    for answer in answers:
        if isinstance(answer, operations.NotTaken):
            raise Refused(sentence("Nothing was written: %(why)s.", why=answer))
        if answer.is_new:
            done.new += answer.number == 1
            done.changed += answer.number > 1
    operations.log_load(connection, runtime, done, by=by, reason=reason, now=now)
    return done.new + done.changed
