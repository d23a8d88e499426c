"""Commands on the gallery and on stories: play a story, list the gallery, begin a program from one of it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import typer

from palier.cli.session import LANGUAGE, Language, tell

if TYPE_CHECKING:
    from palier.activities.stories import Played
    from palier.engine.program import Program
    from palier.programs.gallery import Entry


def register(app: typer.Typer) -> None:
    app.command()(story)
    app.command()(gallery)
    app.command()(new)


def story(
    file: Path = typer.Argument(
        help="A story: a Markdown page with tables, or one table.", show_default=False
    ),
    program: Path | None = typer.Option(
        None, "--program", help="The program it is played on; program.yaml beside the story by default."
    ),
    language: Literal["en", "fr"] | None = typer.Option(
        None, "--language", help="Language of the story; story.fr.md is in French by default."
    ),
    json: bool = typer.Option(False, "--json", help="Print what came out as JSON."),
) -> int:
    """Play a story in memory, line by line, and compare. Exits with 1 where something is not as told."""
    played = _play(_text(file), _program(program or file.parent / "program.yaml"), file, language)
    if json:
        _print_json({"story": str(file), "ok": all(part.ok for part in played), "parts": _plain(played)})
    else:
        for part in played:
            _show(part)
        _sum_up([(str(file), part) for part in played])
    return 0 if all(part.ok for part in played) else 1


def gallery(
    run: bool = typer.Option(False, "--run", help="Play the stories of every program."),
    language: Language = LANGUAGE,
    json: bool = typer.Option(False, "--json", help="Print the list, or what came out, as JSON."),
) -> int:
    """List the programs that come with Palier, each with its purpose; with --run, play all their stories."""
    from palier.engine.sentences import sentence
    from palier.programs import gallery as programs
    from palier.site.refusal import Refused

    entries = programs.entries()
    if not entries:
        raise Refused(sentence("The gallery is not installed; install the package again."))
    if run:
        return _run(entries, json)
    rows = [(entry.key, *_described(entry.program(), language)) for entry in entries]
    if json:
        _print_json([{"program": key, "name": name, "description": text} for key, name, text in rows])
        return 0
    width = max(len(key) for key, _, _ in rows)
    for key, name, text in rows:
        print(f"{key:<{width}}  {name}: {text}")
    tell("\nBegin with one of them: palier new --from KEY")
    return 0


def new(
    source: str = typer.Option(..., "--from", metavar="KEY", help="Key of a program of the gallery."),
    key: str | None = typer.Option(None, "--key", help="Key of your program; my_KEY by default."),
    output: Path | None = typer.Option(None, "--output", help="The file to write; NEWKEY.yaml by default."),
) -> int:
    """Write a program of your own that begins as one of the gallery. Nothing is overwritten."""
    from palier.engine.sentences import sentence
    from palier.programs import files
    from palier.programs import gallery as programs
    from palier.site.refusal import Refused

    entry = programs.find(source)
    if entry is None:
        raise Refused(
            sentence(
                'The gallery has no program "%(source)s"; `palier gallery` lists those it has.', source=source
            )
        )
    key = key or f"my_{source}"
    output = output or Path(f"{key}.yaml")
    text = programs.with_key(entry.document.read_text(encoding="utf-8"), key)
    problems = files.read(text.encode()).errors
    if problems:
        raise Refused(sentence("--key %(key)s does not fit: %(problems)s.", key=key, problems=problems[0]))
    try:
        with output.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise Refused(
            sentence("%(output)s is there already; name another file with --output.", output=output)
        ) from None
    except OSError as error:
        raise Refused(
            sentence(
                "%(output)s cannot be written: %(why)s; name another.",
                output=output,
                why=error,
            )
        ) from None
    tell(
        "Wrote %(output)s: the program %(key)s. Change it, then publish it with: palier apply %(output)s",
        output=output,
        key=key,
    )
    return 0


def _text(file: Path) -> str:
    from palier.engine.sentences import sentence
    from palier.site.refusal import Refused

    try:
        return file.read_text(encoding="utf-8")
    except IsADirectoryError:
        raise Refused(sentence("%(file)s is a folder; name the story in it.", file=file)) from None
    except OSError as error:
        raise Refused(
            sentence("%(file)s cannot be read: %(why)s; check the name.", file=file, why=error)
        ) from None
    except UnicodeDecodeError:
        raise Refused(sentence("%(file)s is not UTF-8; save it as UTF-8.", file=file)) from None


def _program(path: Path) -> "Program":
    from palier.engine.sentences import sentence
    from palier.programs import files
    from palier.site.refusal import Refused

    try:
        document = files.read(path)
    except OSError as error:
        raise Refused(
            sentence(
                "%(path)s cannot be read: %(why)s; name it with --program.",
                path=path,
                why=error,
            )
        ) from None
    if document.program is None:
        raise Refused(
            sentence(
                "%(path)s:%(line)s: %(errors)s.",
                path=path,
                line=document.errors[0].line,
                errors=document.errors[0],
            )
        )
    return document.program


def _play(text: str, program: "Program", file: Path, language: str | None = None) -> "list[Played]":
    from palier.activities.stories import play_text
    from palier.engine.story import StoryError
    from palier.programs.gallery import language_of
    from palier.site.refusal import Refused

    try:
        return play_text(text, program, language or language_of(file))
    except StoryError as error:
        raise Refused(
            f"{file}:{error.number}: {error.message}. {error.remedy[:1].upper()}{error.remedy[1:]}."
        ) from None


def _run(entries: "list[Entry]", json: bool) -> int:
    played = []
    for entry in entries:
        for path in entry.stories:
            played += [(entry, path, part) for part in _play(_text(path), entry.program(), path)]
    if json:
        _print_json(
            [
                {"program": entry.key, "story": path.name, "ok": part.ok, **_plain([part])[0]}
                for entry, path, part in played
            ]
        )
    else:
        for entry, path, part in played:
            if not part.ok:
                print(f"{entry.key}/{path.name}")
                _show(part)
        _sum_up([(entry.key, part) for entry, _, part in played])
    return 0 if all(part.ok for _, _, part in played) else 1


def _described(program: "Program", language: str) -> tuple[str, str]:
    name = program.name.fr if language == "fr" else program.name.en
    text = program.description
    told = "" if text is None else text.fr if language == "fr" else text.en
    return name, told


def _plain(played: "list[Played]") -> list[dict[str, Any]]:
    return [
        {
            "title": part.part.title,
            "lines": [
                {
                    "line": part.part.first + outcome.line.number,
                    "text": outcome.line.text,
                    "ok": outcome.ok,
                    "checks": [
                        {"expected": check.expected, "found": check.found, "ok": check.ok}
                        for check in outcome.checks
                    ],
                }
                for outcome in part.outcomes
            ],
        }
        for part in played
    ]


def _show(part: "Played") -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=part.part.title or None, title_justify="left", box=None, pad_edge=False)
    for name in ("", "When", "What happens", "What comes of it"):
        table.add_column(name, overflow="fold")
    for outcome in part.outcomes:
        line = outcome.line
        what, _, _ = line.text.removeprefix(line.at).partition("->")
        said = [
            escape(check.expected)
            if check.ok
            else f"[red]{escape(check.expected)}[/] (found: {escape(check.found)})"
            for check in outcome.checks
        ]
        mark = "[green]✓[/]" if outcome.ok else "[red]✗[/]"
        number = f"line {part.part.first + line.number}: " if not outcome.ok else ""
        table.add_row(mark, line.at, escape(" ".join(what.split())), number + ", ".join(said))
    console = Console(highlight=False)
    console.print(table)
    console.print()


def _sum_up(played: "list[tuple[str, Played]]") -> None:
    lines = sum(len(part.outcomes) for _, part in played)
    wrong = sum(not outcome.ok for _, part in played for outcome in part.outcomes)
    told = f"{wrong} of {lines} lines are not as told" if wrong else f"all {lines} lines as told"
    print(f"{len(played)} stor{'y' if len(played) == 1 else 'ies'}, {told}.")


def _print_json(data: Any) -> None:
    from json import dumps

    print(dumps(data, ensure_ascii=False, indent=2))
