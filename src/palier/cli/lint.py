"""What may make a program fail: its complexity, and findings from its document and a history."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer

from palier.cli.session import LANGUAGE, Language

if TYPE_CHECKING:
    from palier.engine.lint import Finding, Report
    from palier.engine.program import Program
    from palier.programs.source import Place

_PROGRAM: Final = typer.Argument(
    help="A program document, or the key of a published program.", show_default=False
)
_MAP: Final = typer.Option(
    None, "--map", help="FIELD=COLUMN, such as id=Ticket; repeat it.", show_default=False
)
_MAPPING: Final = typer.Option(
    None, "--mapping", help="A YAML file that says how columns are read.", show_default=False
)
_LIVE: Final = "live"


def register(app: typer.Typer) -> None:
    app.command()(lint)


def lint(
    program: str = _PROGRAM,
    history: str = typer.Option(
        None, "--history", help="A file of activities, or `live`.", show_default=False
    ),
    reward: str = typer.Option(
        None, "--reward", help="Price of the first reward, such as stars:50.", show_default=False
    ),
    map: list[str] | None = _MAP,
    mapping: Path | None = _MAPPING,
    workers: int = typer.Option(0, "--workers", min=0, max=64, help="Processes; 0 for one per core."),
    json: bool = typer.Option(False, "--json", help="Print everything as JSON, in both languages."),
    language: Language = LANGUAGE,
) -> int:
    """Say what may make a program fail, with the figure that shows it and a remedy. Writes nothing.

    Without a history only the document is looked at, and a file needs no database. Exit 1 where a finding is an
    error, for which `palier apply` would refuse the document.
    """
    from palier.cli.backtest import _is_file

    places: dict[str, Place] = {}
    since = None
    if _is_file(program):
        read = _read(Path(program))
        if read is None:
            return 2
        document, places = read
    else:
        document, since = _published(program)
    report = _report(document, program, history, reward, map, mapping, workers, since)
    if json:
        _print_json(report, places)
    else:
        print_report(report, program if places else "", places, language)
    return 1 if report.count("error") else 0


def _read(path: Path) -> tuple[Program, dict[str, Place]] | None:
    """The document of a file with the places of its parts; None where it has errors, which are printed."""
    from palier.cli.programs import read_document
    from palier.programs import files

    program = read_document(path)
    return None if program is None else (program, files.read(path).places)


def _published(key: str) -> tuple[Program, int]:
    """The latest version of a published program, and since when it stands."""
    from palier.cli.members import program_of
    from palier.cli.session import open_database
    from palier.programs.queries import list_versions

    with open_database(with_django=False):
        from palier.site import database

        with database.connect() as connection:
            document = program_of(connection, key).latest.document
            return document, list_versions(connection, key)[-1].published_at


def _report(
    document: Program,
    named: str,
    history: str | None,
    reward: str | None,
    map: list[str] | None,
    mapping: Path | None,
    workers: int,
    since: int | None,
) -> Report:
    import os

    import msgspec

    from palier.cli.backtest import _order, _over_file, _over_live, _threshold
    from palier.cli.session import open_database
    from palier.engine.lint import lint as look
    from palier.engine.lint import looked
    from palier.site import clock

    now = clock.now()
    totals = None
    wanted = looked(document, _threshold(reward, document))
    count = workers or os.cpu_count() or 1
    if history is not None and history != _LIVE and since is None:
        order = msgspec.structs.replace(_order(None, named, None, None, None), looked=wanted)
        totals = _over_file(order, history, map, mapping, now, count)
    elif history is not None:
        with open_database(with_django=False):
            from palier.site import database

            with database.connect() as connection:
                order = _order(connection, named, None, None, None)
                order = msgspec.structs.replace(order, looked=wanted)
                if history == _LIVE:
                    _, totals = _over_live(connection, named, order, now, count)
                else:
                    totals = _over_file(order, history, map, mapping, now, count)
    return look(document, now=now, since=since, history=totals)


# --- printing -----------------------------------------------------------------------------------------


_FRENCH: Final = {
    "error": "erreur",
    "warning": "avertissement",
    "notice": "remarque",
}
LEVELS_FR: Final = {"simple": "simple", "moderate": "moyenne", "complex": "élevée"}


def sentence(finding: Finding, file: str, places: dict[str, Place], language: str = "en") -> str:
    """A finding on one line, with its line in the file where there is one."""
    where = f"{file}:{_line(finding.path, places)}: " if file else ""
    path = f"{finding.path}: " if finding.path else ""
    reason, remedy = finding.said(language)
    severity = _FRENCH[finding.severity] if language == "fr" else finding.severity
    remedy = f"{remedy[:1].upper()}{remedy[1:]}"
    return f"{where}{severity}: {finding.code} {finding.name}: {path}{reason}. {remedy}."


def _line(path: str, places: dict[str, Place]) -> int:
    from palier.programs.source import Source

    return Source(None, places).place(path).line


def print_report(report: Report, file: str, places: dict[str, Place], language: str = "en") -> None:
    """Everything, for people to read."""
    from palier.engine.lint import PARTS_FR

    score = report.complexity
    french = language == "fr"
    if french:
        print(f"{report.program} : complexité {score.score}, {LEVELS_FR[score.level]}.")
    else:
        print(f"{report.program}: complexity {score.score}, {score.level}.")
    for part in score.parts:
        if part.points:
            name = PARTS_FR[part.name] if french else part.name
            each = f"{part.weight} chacun" if french else f"{part.weight} each"
            beyond = f" {'au-delà de' if french else 'beyond'} {part.free}" if part.free else ""
            print(f"  {name:<11} {part.points:>3}  {part.count}{beyond}, {each}")
    for shown in report.shown:
        print(f"  {shown.name}: {shown.value}")
    for finding in report.findings:
        print(sentence(finding, file, places, language))
    print(summary(report, language))


def summary(report: Report, language: str = "en") -> str:
    """How many findings there are, in a sentence."""
    french = language == "fr"
    told = []
    for severity in ("error", "warning", "notice"):
        count = report.count(severity)
        word = _FRENCH[severity] if french else severity
        if count:
            told.append(f"{count} {word}{'' if count == 1 else 's'}")
    if french:
        return f"Trouvé : {', '.join(told) if told else 'rien'} ; docs/guides/lint.md en dit le sens."
    return f"{', '.join(told) if told else 'Nothing'} found; docs/guides/lint.md tells what each means."


def _print_json(report: Report, places: dict[str, Place]) -> None:
    from json import dumps

    score = report.complexity
    findings: list[dict[str, Any]] = []
    for finding in report.findings:
        told: dict[str, Any] = {name: getattr(finding, name) for name in finding.__struct_fields__}
        if places:
            told["line"] = _line(finding.path, places)
        findings.append(told)
    print(
        dumps(
            {
                "program": report.program,
                "complexity": {
                    "score": score.score,
                    "level": score.level,
                    "parts": {
                        part.name: {
                            "count": part.count,
                            "free": part.free,
                            "weight": part.weight,
                            "points": part.points,
                        }
                        for part in score.parts
                    },
                },
                "shown": {shown.name: shown.value for shown in report.shown},
                "findings": findings,
            },
            indent=2,
            ensure_ascii=False,
        )
    )
