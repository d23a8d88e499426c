"""What a command needs around it: the database up, Django set up, everything let go at the end."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import typer

if TYPE_CHECKING:
    from palier.engine.sentences import Saying, Value

Language = Literal["en", "fr"]


def set_up_django() -> None:
    """Load Django and the rooms. Costs a quarter of a second: only for commands that use them."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "palier.site.settings")
    django.setup()


def of_terminal() -> Language:
    """The language of the terminal, by its locale: French where that is French, else English."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if found := os.environ.get(name):
            return "fr" if found.lower().startswith("fr") else "en"
    return "en"


LANGUAGE: Final = typer.Option(
    ...,
    "--language",
    help="Language of what is printed.",
    default_factory=of_terminal,
    show_default="that of the terminal",
)
"""The option --language of a command; what is refused speaks it too."""


def spoken(words: Sequence[str]) -> Language:
    """The language of a command of these words: what --language says, else that of the terminal."""
    for word, following in zip(words, [*words[1:], ""], strict=False):
        name, _, value = word.partition("=")
        if name == "--language" and (value or following) in ("en", "fr"):
            return "fr" if (value or following) == "fr" else "en"
    return of_terminal()


def in_command(told: "Value") -> str:
    """A sentence in the language of this command."""
    return said(told, spoken(sys.argv[1:]))


def tell(text: str, /, **values: object) -> None:
    """Prints a sentence in the language of this command: its English text, and what stands in its places."""
    from palier.engine.sentences import sentence

    print(in_command(sentence(text, **values)))


def said(why: "Value", language: str) -> str:
    """A sentence of the rooms or the engine, or a part of one, in "en" or "fr"."""
    from palier.engine.sentences import in_words

    return in_words(why, language, _french() if language == "fr" else None)


@cache
def _french() -> "Saying":
    """The French of sentences, by the catalogue that the pages have too."""
    from gettext import GNUTranslations

    import palier

    folder = Path(palier.__file__).parent / "web" / "refusals" / "locale"
    with (folder / "fr" / "LC_MESSAGES" / "django.mo").open("rb") as file:
        return GNUTranslations(file).gettext


def show_once(text: str) -> None:
    """Writes what is shown this once, before what it opens is committed: what nobody got does not exist."""
    from palier.engine.sentences import sentence
    from palier.site.refusal import Refused

    if sys.stdout is None:
        raise Refused(
            sentence(
                "Nothing was made: what it prints is shown this once, and its output is closed. Run it "
                "where the output can be read."
            )
        )
    print(text, flush=True)


@contextmanager
def open_database(*, role: Literal["app", "owner"] = "app", with_django: bool = True) -> Iterator[None]:
    """The database runs inside this block; an embedded server that nobody else uses is stopped at its end.

    Refuses a database that cannot be reached, that has unsafe settings, or that goes away meanwhile.
    """
    import psycopg

    from palier.engine.sentences import sentence
    from palier.site import database, embedded
    from palier.site.refusal import Refused

    try:
        if database.is_embedded():
            embedded.ensure_running()
        try:
            database.refuse_unsafe(role)
        except psycopg.OperationalError as error:
            reason = embedded.reason(error)
            if f'role "{database.ROLES["app"]}"' in reason:
                raise Refused(sentence("The database is not prepared yet; run `palier migrate`.")) from None
            raise Refused(sentence("The database cannot be reached: %(reason)s", reason=reason)) from None
        if with_django:
            set_up_django()
        try:
            yield
        except psycopg.errors.UndefinedTable:
            raise Refused(
                sentence(
                    "The database has not all tables of this release; run `palier migrate` (on the embedded "
                    "database `palier serve` does it by itself)."
                )
            ) from None
        except Exception as error:
            lost = database.lost(error)
            if lost is None:
                raise
            reason = embedded.reason(lost)
            raise Refused(
                sentence("The database went away: %(reason)s. Run the command again.", reason=reason)
            ) from None
    finally:
        if "django.db" in sys.modules:
            sys.modules["django.db"].connections.close_all()
        if database.is_embedded():
            embedded.release()
