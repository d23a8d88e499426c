"""What a command needs around it: the database up, Django set up, everything let go at the end."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from palier.engine.sentences import Value


def set_up_django() -> None:
    """Load Django and the rooms. Costs a quarter of a second: only for commands that use them."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "palier.site.settings")
    django.setup()


def said(why: "Value", language: str) -> str:
    """A sentence of the rooms or the engine, or a part of one, in "en" or "fr"."""
    if language == "en":
        return str(why)
    # The French of sentences is in the catalogue of the pages, which only Django reads.
    set_up_django()
    from django.utils.translation import override

    from palier.web.refusals import part

    with override(language):
        return part(why)


@contextmanager
def refusing_in(language: str) -> Iterator[None]:
    """What is refused inside this block is said in this language."""
    from palier.engine.sentences import reason_of
    from palier.site.refusal import Refused

    try:
        yield
    except Refused as refused:
        raise Refused(said(reason_of(refused), language)) from None


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
