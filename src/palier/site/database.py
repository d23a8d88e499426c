"""Connections to the database, and the refusal to work on one that may lose what was acknowledged."""

from contextlib import suppress
from typing import Any, Final, Literal

import psycopg
from psycopg import sql
from psycopg._preparing import PrepareManager
from psycopg.conninfo import conninfo_to_dict, make_conninfo, timeout_from_conninfo

from palier.engine.sentences import sentence
from palier.site import arrays, embedded
from palier.site.environment import derived_key, environment
from palier.site.refusal import Refused

Role = Literal["app", "owner", "auditor"]

ROLES: Final[dict[Role, str]] = {"app": "palier_app", "owner": "palier_owner", "auditor": "auditor"}
OLDEST_SERVER: Final = 150_000


def is_embedded() -> bool:
    """Whether the database is the one that comes with the platform."""
    return environment().database_url is None


def dsn(role: Role = "app") -> str:
    """Connection string of `role`: `app` at run time, `owner` for migrations, `auditor` to read.

    The embedded server knows the three as its own users. With PALIER_DATABASE_URL the owner is the user of
    that address, and the others are roles this user takes on at connection. Unless the address says otherwise its
    queries are not compiled (`jit`), as on the embedded server: that costs more than it saves.
    """
    settings = environment()
    if settings.database_url is None:
        address = embedded.dsn(settings.directory, settings.database_name, ROLES[role])
        before, after = "", "-c TimeZone=UTC"
    else:
        address = settings.database_url
        before = "-c jit=off"
        after = "-c TimeZone=UTC" if role == "owner" else f"-c TimeZone=UTC -c role={ROLES[role]}"
    try:
        parts = conninfo_to_dict(address)
        # The driver would look at it when it connects.
        timeout_from_conninfo(parts)
        given = str(parts.get("options", ""))
    except psycopg.ProgrammingError:
        # The address itself is not repeated: it holds a password.
        raise Refused(
            sentence(
                "PALIER_DATABASE_URL is not a PostgreSQL address; write "
                "postgresql://user:password@host/database."
            )
        ) from None
    return make_conninfo(address, options=" ".join(filter(None, (before, given, after))))


def connect(role: Role = "app", *, autocommit: bool = False) -> psycopg.Connection[tuple[Any, ...]]:
    """A connection as `role`, in UTC. The embedded server must run (`embedded.ensure_running()`).

    It sends `arrays.Instants` and `arrays.Documents` as what they are.
    """
    opened = psycopg.connect(dsn(role), autocommit=autocommit, application_name="palier")
    opened._prepared = _OwnStatements()
    arrays.know(opened)
    return opened


class _OwnStatements(PrepareManager):
    """What the driver has prepared on a connection: where it gives that up, what others prepared stays.

    After a ROLLBACK it would tell the server to forget all that is prepared, also by `exchange`.
    """

    def clear(self) -> bool:
        self._counts.clear()
        self._to_flush.extend(self._names.values())
        self._names.clear()
        return bool(self._to_flush)


def refresh_statistics() -> None:
    """After much came in: the planner learns of it now rather than when autovacuum next looks."""
    with connect("owner", autocommit=True) as connection:
        connection.execute("analyze")


AsyncConnection = psycopg.AsyncConnection[tuple[Any, ...]]


async def connect_async(statement_timeout_s: int) -> AsyncConnection:
    """A connection as `app`, in UTC, for an event loop; each statement is a transaction of its own.

    It is for reading by keys: plans are made once for any keys, not anew for a few.
    """
    opened = await psycopg.AsyncConnection.connect(dsn("app"), autocommit=True, application_name="palier")
    arrays.know(opened)
    await opened.execute("set plan_cache_mode = force_generic_plan")
    await opened.execute(f"set statement_timeout = '{int(statement_timeout_s)}s'".encode())
    return opened


def unsafe_settings(connection: psycopg.Connection[Any]) -> list[str]:
    """What this connection's server may lose or falsify by its settings: one sentence each, none if safe."""
    names = (
        "fsync",
        "full_page_writes",
        "synchronous_commit",
        "data_checksums",
        "server_encoding",
        "TimeZone",
        "server_version_num",
        "server_version",
    )
    row = connection.execute("select " + ", ".join(f"current_setting('{name}')" for name in names)).fetchone()
    assert row is not None
    values = dict(zip(names, row, strict=True))
    found = [
        f"{name} is {values[name]} and must be on"
        for name in ("fsync", "full_page_writes", "data_checksums")
        if values[name] != "on"
    ]
    if values["synchronous_commit"] == "off":
        found.append("synchronous_commit is off and must be on")
    if values["server_encoding"] != "UTF8":
        found.append(f"the database's encoding is {values['server_encoding']} and must be UTF8")
    if values["TimeZone"] not in ("UTC", "Etc/UTC"):
        found.append(f"the session's TimeZone is {values['TimeZone']} and must be UTC")
    if int(values["server_version_num"]) < OLDEST_SERVER:
        found.append(f"PostgreSQL is {values['server_version']} and must be 15 or newer")
    return found


def lost(error: Exception) -> psycopg.OperationalError | None:
    """The error of the driver, where this one means that the connection or the server ended; None for any other."""
    found = error.__cause__ if isinstance(error.__cause__, psycopg.OperationalError) else error
    if not isinstance(found, psycopg.OperationalError):
        return None
    # Without a code the server did not say it: the connection broke. 08: so it says; 57P: it stops or starts.
    return found if found.sqlstate is None or found.sqlstate.startswith(("08", "57P")) else None


def refuse_unsafe(role: Role = "app") -> list[str]:
    """Refuse a database with unsafe settings, naming all of them; else an empty list.

    With PALIER_ACCEPT_DATA_LOSS=yes-i-understand they are returned instead, and /health shows them.
    """
    with connect(role, autocommit=True) as connection:
        found = unsafe_settings(connection)
    if found and not environment().data_loss_accepted:
        raise Refused(
            sentence(
                "The database may lose acknowledged data: %(names)s. Correct the server's settings.",
                names="; ".join(found),
            )
        )
    return found


def prepare() -> None:
    """Everything that migrations expect to find: roles and the sequence of node numbers. Safe to repeat."""
    with connect("owner", autocommit=True) as connection:
        if not is_embedded():
            _prepare_roles(connection)
        connection.execute("create sequence if not exists node_number minvalue 0 maxvalue 4095 cycle")
        connection.execute("grant usage on sequence node_number to palier_app")
        connection.execute("grant usage on schema public to palier_app, auditor")


def hold_to_secret(*, note: bool) -> None:
    """Refuse to go on where the identities of this database are hashed by another secret than the one at hand.

    By another one no member would be found, and all would be enrolled again. With `note` a database that does not say
    yet which it is learns it, while nobody is enrolled: later it might be another one that is at hand.
    """
    mark = f"identities by {derived_key('mark', 'identity')[:8].hex()}"
    with connect("owner", autocommit=True) as connection:
        row = connection.execute("select obj_description(to_regclass('node_number'), 'pg_class')").fetchone()
        known = row[0] if row is not None else None
        if known is None and note and not _anybody(connection):
            # Who does not own the sequence leaves it unsaid.
            with suppress(psycopg.errors.InsufficientPrivilege):
                connection.execute(sql.SQL("comment on sequence node_number is {}").format(sql.Literal(mark)))
        if known not in (None, mark):
            raise Refused(
                sentence(
                    "The members of this database were enrolled by another secret: put %(path)s of its backup back, "
                    "or set PALIER_IDENTITY_SECRET to what it was. By a new one nobody would be found.",
                    path=environment().directory / "secrets" / "identity",
                )
            )


def _anybody(connection: psycopg.Connection[Any]) -> bool:
    """Whether somebody is enrolled; nobody is before the tables are there."""
    there = connection.execute("select to_regclass('identity')").fetchone()
    if there is None or there[0] is None:
        return False
    return connection.execute("select 1 from identity limit 1").fetchone() is not None


def _prepare_roles(connection: psycopg.Connection[Any]) -> None:
    try:
        embedded.ensure_roles(connection, login=False)
        connection.execute("grant palier_app, auditor to current_user")
    except psycopg.errors.InsufficientPrivilege as error:
        raise Refused(
            sentence(
                "The user of PALIER_DATABASE_URL may not make the roles palier_app and auditor "
                "(%(message_primary)s); let an administrator create them and grant them to this "
                "user.",
                message_primary=error.diag.message_primary,
            )
        ) from None
