"""The three roles, and the refusal of a database that would lose what it acknowledged."""

import threading
from typing import Any

import psycopg
import pytest
from psycopg.adapt import PyFormat

from palier.site import database as platform
from palier.site import embedded
from palier.site.arrays import Documents, Instants
from palier.site.environment import environment
from palier.site.refusal import Refused

ROLES: list[tuple[platform.Role, str]] = [
    ("app", "palier_app"),
    ("owner", "palier_owner"),
    ("auditor", "auditor"),
]


@pytest.mark.parametrize(("role", "user"), ROLES)
def test_each_role_connects_as_itself_in_utc(database: str, role: platform.Role, user: str) -> None:
    with platform.connect(role) as connection:
        row = connection.execute("select current_user, current_setting('TimeZone')").fetchone()
    assert row == (user, "UTC")


def test_each_connection_sends_instants_and_documents_as_what_they_are(database: str) -> None:
    """Whatever was read before it was made: `palier demo` connects first and learns of arrays later."""
    with platform.connect() as connection:
        for value, kind in ((Instants([0]), "timestamp with time zone[]"), (Documents([b"{}"]), "json[]")):
            row = connection.execute("select pg_typeof(%b)::text", [value]).fetchone()
            assert row == (kind,)
            # Not because every connection of this process happens to know.
            assert type(value) not in psycopg.adapters._dumpers[PyFormat.BINARY]


def test_the_runtime_role_makes_no_tables(connection: psycopg.Connection[Any]) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("create table intruder (id int)")


@pytest.mark.parametrize("role", ["palier_owner", "palier_app", "auditor"])
def test_no_role_is_superuser(superuser_connection: psycopg.Connection[Any], role: str) -> None:
    row = superuser_connection.execute(
        "select rolsuper or rolcreaterole or rolcreatedb or rolbypassrls from pg_roles where rolname = %s",
        [role],
    ).fetchone()
    assert row == (False,)


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """As an operator who accepted nothing."""
    monkeypatch.setattr(environment(), "accept_data_loss", None)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("synchronous_commit=off", "synchronous_commit is off"),
        ("TimeZone=Europe/Paris", "TimeZone is Europe/Paris"),
    ],
)
def test_settings_of_a_session_are_refused(database: str, setting: str, said: str) -> None:
    address = psycopg.conninfo.make_conninfo(platform.dsn("app"), options=f"-c {setting}")
    with psycopg.connect(address) as connection:
        assert any(said in sentence for sentence in platform.unsafe_settings(connection))


def test_fsync_off_is_refused_and_named(database: str, strict: None) -> None:
    with pytest.raises(Refused, match="fsync is off and must be on"):
        platform.refuse_unsafe()


def test_missing_tables_name_their_remedy(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from palier.cli.session import open_database

    monkeypatch.setattr(platform, "is_embedded", lambda: False)
    with (
        pytest.raises(Refused, match="palier migrate"),
        open_database(with_django=False),
        platform.connect("app") as connection,
    ):
        connection.execute("select 1 from there_is_no_such_table")


def test_the_override_lets_it_start_and_is_shown(database: str) -> None:
    from palier.site.health import health

    assert platform.refuse_unsafe() == ["fsync is off and must be on"]
    state = health()
    assert state.ok
    assert state.document()["accepted_data_loss"] is True
    assert state.document()["unsafe_settings"] == ["fsync is off and must be on"]


@pytest.mark.parametrize("almost", ["yes", "true", "1", "YES-I-UNDERSTAND", ""])
def test_only_the_exact_override_counts(database: str, monkeypatch: pytest.MonkeyPatch, almost: str) -> None:
    monkeypatch.setattr(environment(), "accept_data_loss", almost)
    with pytest.raises(Refused):
        platform.refuse_unsafe()


def test_another_encoding_is_refused(server: embedded.Server) -> None:
    name = f"latin_{environment().database_name}"
    with psycopg.connect(server.dsn("postgres"), autocommit=True) as maker:
        maker.execute(f"drop database if exists {name}")
        maker.execute(
            f"create database {name} template template0 encoding 'LATIN1' locale_provider libc locale 'C'"
        )
        try:
            with psycopg.connect(server.dsn(name), options="-c TimeZone=UTC") as connection:
                assert "the database's encoding is LATIN1 and must be UTF8" in platform.unsafe_settings(
                    connection
                )
        finally:
            maker.execute(f"drop database {name} with (force)")


def test_an_external_address_takes_on_the_roles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        environment(), "database_url", "postgresql://someone:word@db.example/shop?options=-c%20work_mem%3D8MB"
    )
    app = psycopg.conninfo.conninfo_to_dict(platform.dsn("app"))
    assert app["options"] == "-c jit=off -c work_mem=8MB -c TimeZone=UTC -c role=palier_app"
    assert "role=" not in str(psycopg.conninfo.conninfo_to_dict(platform.dsn("owner"))["options"])


def test_a_bad_address_is_refused_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment(), "database_url", "mysql//someone:hunter2")
    with pytest.raises(Refused) as refusal:
        platform.dsn()
    assert "hunter2" not in str(refusal.value)


def test_an_external_database_is_prepared(server: embedded.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The embedded server plays an external one: another user owns the database, the roles are taken on."""
    name = f"external_{environment().database_name}"
    with psycopg.connect(server.dsn("postgres"), autocommit=True) as maker:
        maker.execute(f"drop database if exists {name} with (force)")
        maker.execute(f"create database {name} template template0")
        try:
            address = f"postgresql://postgres@/{name}?host={embedded.socket_directory(server.directory)}"
            monkeypatch.setattr(environment(), "database_url", address)
            platform.prepare()
            platform.prepare()
            with platform.connect("app") as connection:
                assert connection.execute("select current_user").fetchone() == ("palier_app",)
            platform.hold_to_secret(note=False)
            with platform.connect("owner", autocommit=True) as owner:
                owner.execute("create table identity as select 1 as member_id")
                # Somebody is enrolled, by whichever secret.
                platform.hold_to_secret(note=True)
                owner.execute("delete from identity")
            with monkeypatch.context() as elsewhere:
                elsewhere.setattr(platform, "derived_key", lambda *_: b"one of which nothing was noted")
                platform.hold_to_secret(note=False)
            platform.hold_to_secret(note=True)
            platform.hold_to_secret(note=True)
            monkeypatch.setattr(platform, "derived_key", lambda *_: b"another one")
            for note in (False, True):
                with pytest.raises(Refused, match="enrolled by another secret"):
                    platform.hold_to_secret(note=note)
        finally:
            maker.execute(f"drop database {name} with (force)")


def test_health_asks_a_database_that_hangs_once(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from palier.site import health

    again, asked = threading.Event(), []

    def hang(connection: Any) -> list[str]:
        asked.append(connection)
        again.wait(20)
        return []

    monkeypatch.setattr(health, "PATIENCE_S", 1)
    monkeypatch.setattr(health.database, "unsafe_settings", hang)
    assert [health.health().database for _ in range(2)] == ["unreachable", "unreachable"]
    assert len(asked) == 1
    again.set()
    assert health.health().database == "ok"
