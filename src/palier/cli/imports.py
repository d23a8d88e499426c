"""Commands that bring history in from files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer

from palier.cli.counting import counted

if TYPE_CHECKING:
    from palier.activities.import_files import Refusals
    from palier.activities.imports import ImportSummary

# Defaults of options must be evaluated where typer reads them, so they stand here.
_FILE: Final = typer.Argument(help="A CSV, XLSX or Parquet file.", show_default=False)
_PROGRAM: Final = typer.Option(
    None, "--program", help="Key of the program; needed where there are several.", show_default=False
)
_MAP: Final = typer.Option(
    None, "--map", help="FIELD=COLUMN, such as id=Ticket; repeat it.", show_default=False
)
_MAPPING: Final = typer.Option(
    None, "--mapping", help="A YAML file that says how columns are read.", show_default=False
)
_REFUSED: Final = typer.Option(
    None,
    "--refused",
    help="Where refused lines go, with their reasons [default: FILE.refused.csv].",
    show_default=False,
)


def register(app: typer.Typer) -> None:
    imports = typer.Typer(help="Bring history in from files.", no_args_is_help=True)
    imports.command("activities")(activities)
    # A command of its own name needs a group with more than one member, or this callback.
    imports.callback()(lambda: None)
    app.add_typer(imports, name="import")


def activities(
    file: Path = _FILE,
    program: str | None = _PROGRAM,
    map: list[str] | None = _MAP,
    mapping: Path | None = _MAPPING,
    refused: Path | None = _REFUSED,
    enrol: bool = typer.Option(False, "--enrol", help="Enrol members that are not known yet."),
    again: bool = typer.Option(
        False, "--again", help="Look at every line of a file that was imported whole."
    ),
    workers: int = typer.Option(0, min=0, max=64, help="Processes; 0 for one per core."),
    json: bool = typer.Option(False, "--json", help="Print the summary as JSON."),
) -> int:
    """Import activities. A killed import goes on where it was; importing a file again changes nothing.

    A file that was imported whole, by the same mapping, is not read again (--again does it all the same).
    """
    from palier.cli.members import program_of
    from palier.cli.session import open_database
    from palier.connectors.files import FileProblem, load_mapping, mapping_from_options
    from palier.engine.payment_cards import holds_number
    from palier.engine.sentences import sentence, whole
    from palier.site import clock, database
    from palier.site.refusal import Refused

    if not file.name:
        raise Refused(sentence("%(file)s is a folder; name the file in it.", file=file))
    if holds_number(file.name):
        raise Refused(sentence("The file's name holds the number of a payment card; rename the file."))
    target = refused or file.with_name(f"{file.stem}.refused.csv")
    try:
        chosen = mapping_from_options(map or [], load_mapping(mapping) if mapping is not None else None)
        with open_database(with_django=False), database.connect() as connection:
            from palier.activities.import_files import all_cores, import_path
            from palier.activities.imports import ImportFailed
            from palier.site.ids import take_node

            found = program_of(connection, program)
            take_node(connection)
            connection.commit()
            bar = _bar(quiet=json)
            task = bar.add_task(file.name, total=None)

            def moved(done: int, total: int) -> None:
                # The bar is drawn once there is something to tell: a file that is refused at once shows none.
                bar.start()
                bar.update(task, completed=done, total=total)

            try:
                summary, writer = import_path(
                    connection,
                    found,
                    file,
                    chosen,
                    clock=clock.now,
                    refused=target,
                    enrol=enrol,
                    again=again,
                    workers=workers or all_cores(),
                    on_moved=moved,
                )
            except ImportFailed as failed:
                raise Refused(whole(failed)) from None
            finally:
                if bar.live.is_started:
                    bar.stop()
    except FileProblem as problem:
        raise Refused(problem.said) from None
    _print_json(summary, writer) if json else _print_text(file, summary, writer)
    return 0


def _activities(count: int) -> str:
    return counted(count, "activity", "activities")


def _bar(*, quiet: bool) -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("Importing {task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True, quiet=quiet),
    )


def _print_json(summary: ImportSummary, writer: Refusals) -> None:
    import msgspec

    told = msgspec.to_builtins(summary)
    told["seconds"] = round(summary.seconds, 3)
    told["refused_file"] = str(writer.path) if writer.lines else None
    print(msgspec.json.format(msgspec.json.encode(told)).decode())


def _print_text(file: Path, summary: ImportSummary, writer: Refusals) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    if summary.unchanged:
        console.print(
            f"Nothing to do: {file.name} was imported before, {_activities(summary.resumed)} in all. "
            "`--again` looks at every line.",
            soft_wrap=True,
        )
        return
    if summary.resumed:
        came = (
            f"{_activities(summary.resumed - summary.refused_before)} came with an earlier run of this file"
        )
        refused = (
            f", which refused {counted(summary.refused_before, 'more')}" if summary.refused_before else ""
        )
        console.print(f"{came}{refused}.", soft_wrap=True)
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column()
    table.add_column(justify="right", style="bold")
    for label, count in (
        ("applied", summary.applied),
        ("duplicate", summary.duplicate),
        ("refused", summary.refused),
        ("parked", summary.parked),
    ):
        table.add_row(label, f"{count:,}")
    console.print(table)
    rate = round(summary.sent / max(summary.seconds, 0.001))
    text = f"{_activities(summary.sent)} of {file.name} in {summary.seconds:.1f} s, {rate:,} a second."
    if summary.enrolled:
        text += f" {counted(summary.enrolled, 'member')} enrolled."
    if summary.sent and summary.duplicate == summary.sent:
        text = f"Nothing new: {_activities(summary.sent)} of {file.name}, all here already."
    elif not summary.sent and summary.resumed:
        text = f"Nothing was left to do of {file.name}."
    console.print(text, soft_wrap=True)
    if summary.parked:
        console.print("Parked returns wait for their sales and are applied when these come.", soft_wrap=True)
    if writer.lines:
        console.print(
            f"Refused lines are in {writer.path}; correct them there and import that file.", soft_wrap=True
        )
