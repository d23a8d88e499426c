"""Rules for tables that may one day be spread over machines, each with a violation that is caught."""

from pathlib import Path

import pytest

import palier
from tests.ledger import catalogue, sql_lint
from tests.ledger.rows import Connection

pytestmark = pytest.mark.guard

SOURCE = Path(palier.__file__).parent


def test_the_catalogue_keeps_the_rules(superuser_connection: Connection) -> None:
    assert catalogue.problems(superuser_connection) == []


BROKEN = {
    "placement: table stray": "create table stray (id bigint)",
    "keys: one_amount of transfer lacks member_id": "create unique index one_amount on transfer (amount)",
    "keys: lot_pkey of lot does not begin": "alter table lot drop constraint lot_pkey, "
    "add constraint lot_pkey primary key (lot_id, member_id)",
    "keys: apart of hold lacks": "alter table hold add constraint apart exclude using btree (hold_id with =)",
    "ids: transfer.transfer_id": "create sequence s; alter table transfer alter transfer_id set "
    "default nextval('s')",
    "ids: lot.lot_id": "alter table lot alter lot_id add generated always as identity",
    "ids: identity.created_at": "alter table identity alter created_at set default now()",
    "foreign keys: late from wallet": "alter table wallet add constraint late foreign key (member_id) "
    "references member deferrable initially deferred",
    "foreign keys: half from transfer to activity lacks member_id": "alter table activity add "
    "constraint one unique "
    "(activity_id); alter table transfer add constraint half foreign key (activity_id) "
    "references activity (activity_id)",
    "foreign keys: crossing from activity_claim": "alter table activity_claim add constraint crossing "
    "foreign key (member_id) references member",
    "foreign keys: queue_cross from block": "alter table block add owner bigint; alter table "
    "block add constraint "
    "queue_cross foreign key (owner) references member",
    "foreign keys: nulling from wallet": "alter table wallet add constraint nulling foreign key (member_id) "
    "references member on delete set null",
    "checks: wallet_extra_check": "alter table wallet add column extra integer check (extra >= 0)",
    "triggers: t: a config table": "create trigger t before update on program for each row "
    "execute function palier_refuse_change()",
    "triggers: clever of wallet runs": "create function clever() returns trigger language plpgsql as "
    "'begin return new; end'; create trigger clever before update on wallet for each row "
    "execute function clever()",
    "append-only: all_in_one of transfer": "create trigger all_in_one before update or delete "
    "or truncate on transfer "
    "for each statement execute function palier_refuse_change()",
    "append-only: transfer has no row trigger": "drop trigger transfer_no_change on transfer",
    "append-only: activity has no row trigger": "alter table activity disable trigger activity_no_change",
    "append-only: block has no trigger that refuses TRUNCATE": "drop trigger block_no_truncate on block",
    "append-only: palier_app has": "grant update on transfer to palier_app",
    "append-only: palier_app has ['SELECT', 'INSERT', 'UPDATE'] on activity": "grant update "
    "(tier) on activity to palier_app",
}


@pytest.mark.parametrize("problem", BROKEN)
def test_a_broken_rule_of_the_catalogue_is_found(superuser_connection: Connection, problem: str) -> None:
    with superuser_connection.transaction(force_rollback=True):
        superuser_connection.execute(BROKEN[problem])
        assert any(found.startswith(problem) for found in catalogue.problems(superuser_connection))


def test_every_statement_keeps_the_rules() -> None:
    found = list(sql_lint.statements(SOURCE))
    assert len(found) > 30
    assert [problem for statement in found for problem in sql_lint.problems(statement)] == []


BAD_SQL = {
    "without `member_id": [
        "select amount from transfer where transfer_id = %s",
        "update wallet w set posted = u.p from unnest(%s::bigint[]) u(p) where w.member_id = u.p",
        "select * from unnest(%s) u join lot l on l.member_id = u.member_id",
        "delete from hold where hold_id = %s",
        "with x as (select 1) select * from x, activity a where a.type = 'sale'",
        "select sum(amount) from audit.posting",
        "truncate wallet",
        "insert into transfer select * from transfer where amount > %s",
        "select 1 from lot -- all members:",
    ],
    "no MERGE": ["merge into wallet w using unnest(%s) u on w.member_id = any(%s) when matched then delete"],
    "no ctid": ["delete from lot where member_id = %s and ctid in (select 1)", "select xmin from block"],
    "no RETURNING old": ["update wallet set posted = 1 where member_id = %s returning old.posted"],
    "no LATERAL": [
        "select * from unnest(%s) u cross join lateral (select * from lot where member_id = "
        "any(%s) limit 1) l"
    ],
    "no ROLLUP": ["select currency, sum(posted) from wallet where member_id = %s group by rollup (currency)"],
    "no recursive": ["with recursive x as (select 1) select * from x"],
    "not a constraint": ["insert into wallet values (%s) on conflict on constraint wallet_pkey do nothing"],
    "name the columns of ON CONFLICT": ["insert into wallet values (%s) on conflict do nothing"],
    "no partial index": ["insert into lot values (%s) on conflict (member_id) where held > 0 do nothing"],
    "no clock": [
        "insert into block (sealed_at) values (now())",
        "update wallet set posted = 1, at = current_timestamp where member_id = %s",
    ],
    "no randomness": ["insert into lot (lot_id) values (random())"],
    "no sequence": ["insert into lot (lot_id) values (nextval('s'))"],
}


@pytest.mark.parametrize(
    ("remedy", "sql"), [(remedy, sql) for remedy, all_ in BAD_SQL.items() for sql in all_]
)
def test_a_bad_statement_is_found(remedy: str, sql: str) -> None:
    (statement,) = sql_lint.statements_of(f"SQL = {sql!r}", "planted.py")
    assert any(remedy in problem for problem in sql_lint.problems(statement))


@pytest.mark.parametrize(
    "sql",
    [
        "select amount from transfer where member_id = %s",
        "select l.lot_id from lot l where l.member_id = any(%(members)s)",
        "select 1 from lot l where l.member_id = any(%(members)b) for no key update",
        "insert into lot (member_id) select m from unnest(%s::bigint[]) as u (m) on conflict "
        "(member_id, lot_id) do nothing",
        "-- all members: liability is a sum over all\nselect sum(remaining) from lot",
        "select status from activity_claim where external_id = any(%s)",
        "select queue_id from seal_queue order by queue_id",
    ],
)
def test_a_good_statement_is_left_alone(sql: str) -> None:
    (statement,) = sql_lint.statements_of(f"SQL = {sql!r}", "planted.py")
    assert sql_lint.problems(statement) == []


def test_docstrings_and_words_are_no_statements() -> None:
    source = '"""Select from transfer what you like."""\nTEXT = "selected from lot"\n'
    assert list(sql_lint.statements_of(source, "planted.py")) == []


def test_formatted_statements_are_read() -> None:
    (statement,) = sql_lint.statements_of('SQL = f"select {x} from lot where {y}"', "planted.py")
    assert len(sql_lint.problems(statement)) == 1


def test_sql_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "x.sql").write_text("select 1;\n-- comment\nselect * from lot;\n")
    assert [len(sql_lint.problems(found)) for found in sql_lint.statements(tmp_path)] == [0, 1]
