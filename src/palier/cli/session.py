"""What a command needs around it: the database up, Django set up, everything let go at the end."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal


def set_up_django() -> None:
    """Load Django and the rooms. Costs a quarter of a second: only for commands that use them."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "palier.site.settings")
    django.setup()


@contextmanager
def open_database(*, role: Literal["app", "owner"] = "app", with_django: bool = True) -> Iterator[None]:
    """The database runs inside this block; an embedded server that nobody else uses is stopped at its end.

    Refuses a database that cannot be reached, and, as `app`, one with unsafe settings.
    """
    import psycopg

    from palier.site import database, embedded
    from palier.site.refusal import Refused

    if database.is_embedded():
        embedded.ensure_running()
    try:
        try:
            if role == "app":
                database.refuse_unsafe()
            else:
                database.connect("owner").close()
        except psycopg.OperationalError as error:
            reason = str(error).strip().splitlines()[-1]
            raise Refused(f"The database cannot be reached: {reason}") from None
        if with_django:
            set_up_django()
        try:
            yield
        except psycopg.errors.UndefinedTable:
            raise Refused(
                "The database has not all tables of this release; run `palier migrate` (on the embedded database "
                "`palier serve` does it by itself)."
            ) from None
    finally:
        if "django.db" in sys.modules:
            sys.modules["django.db"].connections.close_all()
        if database.is_embedded():
            embedded.release()
