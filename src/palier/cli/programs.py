"""Commands on program documents: check a file, see what it would change, publish it, write it out again."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from palier.cli.counting import counted
from palier.cli.pictures import forget_picture, logo
from palier.cli.session import LANGUAGE, Language, tell

if TYPE_CHECKING:
    from palier.engine.program import Program
    from palier.programs.files import DocumentProblem
    from palier.programs.plan import Change
    from palier.programs.queries import Version


def register(app: typer.Typer) -> None:
    app.command()(validate)
    app.command()(plan)
    app.command()(apply)
    app.command()(export)
    app.command()(schema)
    group = typer.Typer(
        help="List the programs with their latest version; logo; keep the value of points.",
        invoke_without_command=True,
    )
    group.callback()(programs)
    group.command("keep-value")(keep_value)
    group.command("logo")(logo)
    group.command("forget-picture")(forget_picture)
    app.add_typer(group, name="programs")


_FILE = typer.Argument(help="A program document, YAML or JSON.", show_default=False)


def validate(file: Path = _FILE, language: Language = LANGUAGE) -> int:
    """Check a program document; every problem is named with its line and a remedy. Needs no database."""
    program = read_document(file, language)
    if program is None:
        return 2
    rules = len(program.rules)
    print(f"{file} is a valid program: {program.key}, {rules} rule{'' if rules == 1 else 's'}.")
    return 0


def plan(
    file: Path = _FILE,
    language: Language = LANGUAGE,
) -> int:
    """Show what publishing a document would change, and whether it would be refused. Writes nothing."""
    from palier.cli.session import open_database, said
    from palier.engine.sentences import reason_of
    from palier.programs.operations import publish
    from palier.programs.plan import planned
    from palier.site.refusal import Refused

    program = read_document(file, language, now=_now())
    if program is None:
        return 2
    with open_database(with_django=False):
        from palier.site import database

        # Published and taken back: what would be refused is told here already.
        with database.connect() as connection, connection.transaction(force_rollback=True):
            changes = planned(connection, program, now=_now())
            _print_changes(changes, language)
            _print_likeness(connection, program, language)
            poor = _lint(connection, program, file, language) if changes else False
            second = _asks_second(connection, program)
            try:
                version = publish(connection, program, now=_now(), published_by="plan", approved=True)
            except Refused as refused:
                why = said(reason_of(refused), language)
                print(
                    _said(
                        language,
                        f"`palier apply` would refuse it: {why}",
                        f"`palier apply` le refuserait : {why}",
                    )
                )
                return 2 if poor else 0
    if not version.is_new:
        print(_unchanged(version, language))
        return 0
    if poor:
        return 2
    if second:
        print(
            _said(
                language,
                "A second person approves it before it is published: publish it from the studio of the console.",
                "Une deuxième personne l'approuve avant la publication : publiez depuis le studio de la console.",
            )
        )
    number, key, start = version.version, version.key, _written(version.effective_from)
    print(
        _said(
            language,
            f"This would be version {number} of {key}, from {start}.",
            f"Ce serait la version {number} de {key}, à partir du {start}.",
        )
    )
    return 0


def apply(
    file: Path = _FILE,
    yes: bool = typer.Option(False, "--yes", "-y", help="Publish without asking."),
    alone: str = typer.Option(
        "",
        "--alone",
        metavar="REASON",
        help="Publish without the second person that the program asks for; the reason goes to the audit log.",
        show_default=False,
    ),
    language: Language = LANGUAGE,
) -> int:
    """Publish a document as the next version of its program. A published version never changes.

    Where the version before asks for a second person (approval_to_publish), it is refused: the studio of the console
    asks that person. Whoever runs the server may publish all the same with --alone, which is logged.
    """
    from getpass import getuser

    from palier.cli.session import open_database
    from palier.programs.operations import publish
    from palier.programs.plan import planned
    from palier.staff.operations import write_log

    program = read_document(file, language, now=_now())
    if program is None:
        return 2
    with open_database(with_django=False):
        from palier.site import database

        with database.connect() as connection:
            changes = planned(connection, program, now=_now())
            _print_changes(changes, language)
            _print_likeness(connection, program, language)
            refused = _lint(connection, program, file, language) if changes else False
            connection.rollback()  # nothing stays open while a person reads
            if refused:
                return 2
            if changes and not yes:
                asked = _said(
                    language,
                    f"Publish {counted(len(changes), 'change')}?",
                    f"Publier {counted(len(changes), 'changement')} ?",
                )
                typer.confirm(asked, abort=True)
            actor, now, reason = f"cli:{getuser()}", _now(), alone.strip()[:500]
            override = bool(reason) and _asks_second(connection, program)
            version = publish(connection, program, now=now, published_by=actor, approved=override)
            if version.is_new:
                act = "program.publish_alone" if override else "program.publish"
                made = f"program:{version.key}:{version.version}"
                write_log(connection, actor, "operator", act, made, at=now, reason=reason if override else "")
            connection.commit()
    if not version.is_new:
        print(_unchanged(version, language))
        return 0
    number, key, start = version.version, version.key, _written(version.effective_from)
    print(
        _said(
            language,
            f"Published version {number} of {key}, from {start}.",
            f"Version {number} de {key} publiée, à partir du {start}.",
        )
    )
    return 0


def export(
    program: str = typer.Argument(help="Key of the program.", show_default=False),
    version: int = typer.Option(0, "--version", min=0, help="Which version; the latest by default."),
    json: bool = typer.Option(False, "--json", help="Write JSON instead of YAML."),
) -> int:
    """Write a published document to standard output. Applying it again is no change."""
    from palier.cli.session import open_database
    from palier.engine.sentences import sentence
    from palier.programs import files, queries
    from palier.site.refusal import Refused

    with open_database(with_django=False):
        from palier.site import database

        with database.connect() as connection:
            found = queries.document(connection, program, version or None)
    if found is None:
        if not version:
            raise queries.no_program(program)
        raise Refused(
            sentence(
                'There is no version %(version)s of "%(key)s"; `palier programs` lists those there are.',
                version=version,
                key=program[:60],
            )
        )
    print(files.write_json(found) if json else files.write(found), end="")
    return 0


def schema() -> int:
    """Print the JSON Schema of program documents, for editors."""
    from json import dumps

    from palier.engine.program import json_schema

    print(dumps(json_schema(), indent=2, ensure_ascii=False))
    return 0


def programs(
    context: typer.Context,
    json: bool = typer.Option(False, "--json", help="Print the list as JSON."),
) -> int:
    """List the programs with their latest version."""
    if context.invoked_subcommand is not None:
        return 0
    from palier.cli.session import open_database
    from palier.programs import queries

    with open_database(with_django=False):
        from palier.site import database

        with database.connect() as connection:
            found = queries.list_programs(connection)
    if json:
        from json import dumps

        rows = [
            {
                "program": version.key,
                "version": version.version,
                "effective_from": _written(version.effective_from),
                "sha256": version.sha256,
            }
            for version in found
        ]
        print(dumps(rows))
        return 0
    if not found:
        tell("There is no program yet; publish one with `palier apply FILE`.")
    width = max((len(version.key) for version in found), default=0)
    for version in found:
        start = _written(version.effective_from)
        print(f"{version.key:<{width}}  version {version.version}  from {start}  {version.sha256[:12]}")
    return 0


def keep_value(
    program: str = typer.Argument(help="Key of the program.", show_default=False),
    dry_run: bool = typer.Option(False, "--dry-run", help="Show what would be given; write nothing."),
) -> int:
    """Give members the points that make up for a lower value, where a version's notice says so; once.

    The worker does so as soon as such a version takes effect.
    """
    from getpass import getuser

    from palier.activities.answers import points_text
    from palier.activities.devaluation import keep_values
    from palier.cli.members import program_of
    from palier.cli.session import open_database
    from palier.site import clock, database, ids

    with open_database(), database.connect() as connection:
        ids.take_node(connection)
        connection.commit()
        found = program_of(connection, program)
        done = keep_values(connection, found, by=f"cli:{getuser()}", now=clock.now(), dry_run=dry_run)
    for kept in done:
        item = kept.lowered
        points = points_text(kept.points, found.latest, item.currency)
        print(
            f"Version {item.version}, {item.currency} {item.old_value} to {item.new_value}: {points} "
            f"{'would be given' if dry_run else 'given'} to {counted(kept.members, 'member')}."
        )
    if not done:
        tell("Nothing is to be made up for.")
    return 0


def read_document(file: Path, language: str = "en", *, now: int | None = None) -> "Program | None":
    """The document of a file; its problems are printed, and it is None where one is an error.

    `now`: where it is about to be published, which tells what is past by then.
    """
    import sys

    from palier.engine.sentences import sentence
    from palier.programs import files
    from palier.site.refusal import Refused

    try:
        document = files.read(file, now=now)
    except IsADirectoryError:
        raise Refused(sentence("%(file)s is a folder; name the document in it.", file=file)) from None
    except OSError as error:
        raise Refused(
            sentence("%(file)s cannot be read: %(why)s; check the name.", file=file, why=error)
        ) from None
    for problem in document.problems:
        label = "" if problem.severity == "error" else _said(language, "warning: ", "avertissement : ")
        print(f"{file}:{problem.line}: {label}{_problem(problem, language)}", file=sys.stderr)
    return document.program


def _problem(problem: "DocumentProblem", language: str) -> str:
    """What is wrong with a part of a document, and what to do, as sentences."""
    from palier.cli.session import said

    where = f"{problem.path}{_said(language, ': ', ' : ')}" if problem.path else ""
    advice = said(problem.advice, language)
    text = f"{where}{said(problem.said, language)}. {advice[:1].upper()}{advice[1:]}"
    return text if text.endswith("?") else f"{text}."


def _lint(connection: Any, program: "Program", file: Path, language: str) -> bool:
    """Prints what makes members worse off or the program fail; whether it is to be refused for it.

    What only the version before shows, no `palier lint` of the file would tell: it is told here, one by one.
    """
    import sys

    from palier.cli.lint import LEVELS_FR, sentence
    from palier.engine.lint import BETWEEN_VERSIONS, lint
    from palier.engine.words import ProgramWords
    from palier.programs import files, queries

    before = queries.document(connection, program.key)
    report = lint(program, now=_now(), before=before)
    told = [item for item in report.findings if item.severity == "error" or item.name in BETWEEN_VERSIONS]
    places = files.read(file).places if told else {}
    for finding in told:
        stream = sys.stderr if finding.severity == "error" else sys.stdout
        print(sentence(finding, str(file), places, language), file=stream)
    others = [item.severity for item in report.findings if item not in told]
    words = ProgramWords(program, language)
    warnings = words.counted_noun(
        others.count("warning"), (("warning", "warnings"), ("avertissement", "avertissements"))
    )
    notices = words.counted_noun(others.count("notice"), (("notice", "notices"), ("remarque", "remarques")))
    score = report.complexity
    print(
        words.say(
            f"Complexity {score.score} ({score.level}); {warnings} and {notices} of what makes programs fail: "
            f"`palier lint {file}` tells them.",
            f"Complexité {score.score} ({LEVELS_FR[score.level]}) ; {warnings} et {notices} sur ce qui fait échouer "
            f"un programme : `palier lint {file} --language fr` les dit.",
        )
    )
    return report.count("error") > 0


def _asks_second(connection: Any, program: "Program") -> bool:
    """Whether the latest version asks for a second person before the next one."""
    from palier.programs import queries

    before = queries.document(connection, program.key)
    return before is not None and before.approval_to_publish


def _print_likeness(connection: Any, program: "Program", language: str) -> None:
    """Says which published program has nearly this key: a mistyped one would begin another program."""
    from palier.engine.conditions import nearest
    from palier.programs import queries

    if queries.find(connection, program.key) is not None:
        return
    near = nearest(program.key, [version.key for version in queries.list_programs(connection)])
    if near is not None:
        print(
            _said(
                language,
                f"No program has the key {program.key} yet; did you mean {near}, which is published?",
                f"Aucun programme n'a encore la clé {program.key} ; vouliez-vous dire {near}, qui est publié ?",
            )
        )


def _print_changes(changes: "list[Change]", language: str) -> None:
    signs = {"added": "+", "removed": "-", "changed": "~", "moved": ">"}
    for change in changes:
        sentence = change.sentence_fr if language == "fr" else change.sentence_en
        print(f"{signs[change.kind]} {sentence}.")


def _said(language: str, english: str, french: str) -> str:
    return french if language == "fr" else english


def _unchanged(version: "Version", language: str) -> str:
    number, key = version.version, version.key
    return _said(
        language,
        f"No change: version {number} of {key} says the same.",
        f"Aucun changement : la version {number} de {key} dit la même chose.",
    )


def _now() -> int:
    from time import time_ns

    return time_ns() // 1000


def _written(at: int) -> str:
    from palier.engine.clock import moment

    return moment(at).isoformat(timespec="seconds").replace("+00:00", "Z")
