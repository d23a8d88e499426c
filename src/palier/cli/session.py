"""What a command needs around it: the database up, Django set up, everything let go at the end."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


def set_up_django() -> None:
    """Load Django and the rooms. Costs a quarter of a second: only for commands that use them."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "palier.site.settings")
    django.setup()


@contextmanager
def open_database(*, safe: bool = True, with_django: bool = True) -> Iterator[None]:
    """The database runs inside this block; a server that nobody else uses is stopped at its end.

    Refuses a database with unsafe settings unless `safe` is False.
    """
    import psycopg

    from palier.site import database, embedded
    from palier.site.refusal import Refused

    if database.is_embedded():
        embedded.ensure_running()
    try:
        try:
            if safe:
                database.refuse_unsafe()
        except psycopg.OperationalError as error:
            reason = str(error).strip().splitlines()[-1]
            raise Refused(f"The database cannot be reached: {reason}") from None
        if with_django:
            set_up_django()
        yield
    finally:
        if with_django:
            from django.db import connections

            connections.close_all()
        if database.is_embedded():
            embedded.release()
