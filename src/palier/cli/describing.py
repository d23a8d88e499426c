"""`palier describe`: a program in plain words."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from palier.cli.session import LANGUAGE, Language

if TYPE_CHECKING:
    from palier.engine.program import Program
    from palier.engine.readability import Readability


def register(app: typer.Typer) -> None:
    app.command()(describe)


def describe(
    program: str = typer.Argument(
        help="A program document, or the key of a published program.", show_default=False
    ),
    language: Language = LANGUAGE,
    format: Literal["text", "markdown", "json"] = typer.Option("text", "--format", help="How it is written."),
) -> int:
    """Tell a whole program in plain words, and how easily they are read. A file needs no database."""
    import sys

    from palier.engine.describe import describe as page_of
    from palier.engine.describe import markdown, plain_text, readability

    document = _document(program)
    if document is None:
        return 2
    page = page_of(document, language)
    measured = readability(page)
    if format == "json":
        import msgspec

        print(msgspec.json.encode({"page": page, "readability": measured}).decode())
        return 0
    print(markdown(page) if format == "markdown" else plain_text(page), end="")
    # The measure is about the page, not of it: it goes to the other stream.
    print(measure_in_words(measured, language), file=sys.stderr)
    return 0


def measure_in_words(measured: Readability, language: str) -> str:
    """The measure in a sentence: "Readability: Flesch-Kincaid grade 2.94, for readers from 7 years; ..."."""
    from palier.engine.currencies import localized

    sign = "-" if measured.hundredths < 0 else ""
    figure = sign + "{}.{:02d}".format(*divmod(abs(measured.hundredths), 100))
    length = "{}.{}".format(*divmod(measured.words * 10 // max(measured.sentences, 1), 10))
    figure, length, words = (localized(text, language) for text in (figure, length, str(measured.words)))
    named = {
        ("flesch_kincaid", "en"): f"Flesch-Kincaid grade {figure}",
        ("kandel_moles", "en"): f"Kandel-Moles {figure} of 100",
        ("flesch_kincaid", "fr"): f"niveau Flesch-Kincaid {figure}",
        ("kandel_moles", "fr"): f"Kandel-Moles {figure} sur 100",
    }[measured.formula, language]
    if language == "fr":
        return (
            f"Lisibilité\u00a0: {named}, lisible à partir de {measured.age}\u00a0ans\u202f; {words}\u00a0mots, "
            f"{length} par phrase."
        )
    return f"Readability: {named}, for readers from {measured.age} years; {words} words, {length} a sentence."


def _document(program: str) -> Program | None:
    """The document of a file, else that of a published program; None where problems were printed."""
    path = Path(program)
    if path.is_file() or path.suffix in (".yaml", ".yml", ".json"):
        from palier.cli.programs import read_document

        return read_document(path)
    from palier.cli.session import open_database
    from palier.engine.sentences import sentence
    from palier.programs import queries
    from palier.site.refusal import Refused

    with open_database(with_django=False):
        from palier.site import database

        with database.connect() as connection:
            found = queries.document(connection, program)
    if found is None:
        raise Refused(
            sentence(
                'There is no program "%(program)s" and no such file; `palier programs` lists '
                "those there are.",
                program=program[:60],
            )
        )
    return found
