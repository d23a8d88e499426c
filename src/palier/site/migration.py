"""Migrations, run as the owner of the tables; at run time the platform is a role that cannot change them."""

import io
from typing import Any

from django.core.management import call_command
from django.db import connections
from django.db.migrations.executor import MigrationExecutor
from psycopg.conninfo import conninfo_to_dict

from palier.site import database

# Two processes that start together must not both migrate.
_ADVISORY_KEY = 7_020_501


def migrate() -> int:
    """Apply the missing migrations; returns how many there were. Safe to repeat and to run twice at once."""
    database.prepare()
    if database.is_embedded():
        # Whoever migrates a database of his own may do so where its secret is not.
        database.hold_to_secret(note=True)
    with database.connect("owner", autocommit=True) as guard, _AsOwner() as alias:
        guard.execute("select pg_advisory_lock(%s)", [_ADVISORY_KEY])
        count = len(pending(alias))
        if count:
            call_command("migrate", database=alias, verbosity=0, interactive=False, stdout=io.StringIO())
    return count


def missing() -> list[str]:
    """Migrations that the database lacks, as `room.name`; also of a database that has no roles yet."""
    with _AsOwner() as alias:
        return pending(alias)


def pending(alias: str = "default") -> list[str]:
    """Migrations that the database lacks, as `room.name`, asked over the connection as it is."""
    executor = MigrationExecutor(connections[alias])
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]


class _AsOwner:
    """The connection `default` as the owner, for the length of a block.

    Migrations that use the default connection without saying so must not run as the wrong role; so the
    default is exchanged rather than a second one added.
    """

    def __enter__(self) -> str:
        wrapper = connections["default"]
        wrapper.close()
        parts = conninfo_to_dict(database.dsn("owner"))
        self._kept: dict[str, Any] = dict(wrapper.settings_dict)
        wrapper.settings_dict.update(
            USER=parts.get("user", ""),
            OPTIONS={**self._kept["OPTIONS"], "options": parts["options"]},
        )
        return "default"

    def __exit__(self, *_: object) -> None:
        wrapper = connections["default"]
        wrapper.close()
        wrapper.settings_dict.update(self._kept)
