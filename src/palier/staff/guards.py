"""Migration operations that every room's tables share: roles, grants, and the refusal of changes.

The first guard of an append-only table is what the run-time role may not do; the triggers are the second,
for whoever connects with more rights. Two triggers, apart: a trigger that also lists TRUNCATE is put on the
empty shell only when a table is spread over several machines, and would let UPDATE and DELETE through.
"""

from collections.abc import Mapping, Sequence

from django.db import migrations

ROLES = """
do $$
declare wanted text;
begin
  foreach wanted in array array['palier_owner', 'palier_app', 'auditor'] loop
    if not exists (select from pg_roles where rolname = wanted) then
      begin
        execute format('create role %I nologin', wanted);
      exception when duplicate_object or unique_violation then
        null;  -- another database of the same server is being set up at this moment
      end;
    end if;
  end loop;
end
$$;
"""

REFUSE_CHANGE = """
create or replace function palier_refuse_change() returns trigger language plpgsql as $$
begin
  raise exception '% is append-only: % is refused', tg_table_name, tg_op
    using errcode = '42501', hint = 'Record a correction that names the row instead.';
end
$$;
"""


def create_roles() -> list[migrations.RunSQL]:
    """Create the roles that are missing and the function that refuses changes.

    Roles belong to the server, so going back leaves them.
    """
    return [
        migrations.RunSQL(ROLES, migrations.RunSQL.noop),
        migrations.RunSQL("grant usage on schema public to palier_app, auditor", migrations.RunSQL.noop),
        migrations.RunSQL("grant select on django_migrations to palier_app, auditor", migrations.RunSQL.noop),
        migrations.RunSQL(REFUSE_CHANGE, "drop function palier_refuse_change()"),
    ]


def grants(app: Mapping[str, str], auditor: Sequence[str] = ()) -> migrations.RunSQL:
    """Grant `app` (table -> rights) to the run-time role and SELECT on `auditor`'s tables to the auditor.

    An auditor's entry may name columns: `member (member_id, status)`.
    """
    statements = [f"grant {rights} on {table} to palier_app" for table, rights in app.items()]
    for entry in auditor:
        table, _, columns = entry.partition(" ")
        statements.append(f"grant select {columns} on {table} to auditor")
    return migrations.RunSQL(";\n".join(statements), migrations.RunSQL.noop)


def append_only(table: str) -> list[migrations.RunSQL]:
    """Refuse UPDATE, DELETE and TRUNCATE on `table`, whoever asks."""
    return [
        migrations.RunSQL(
            f"create trigger {table}_no_change before update or delete on {table} "
            "for each row execute function palier_refuse_change()",
            f"drop trigger {table}_no_change on {table}",
        ),
        migrations.RunSQL(
            f"create trigger {table}_no_truncate before truncate on {table} "
            "for each statement execute function palier_refuse_change()",
            f"drop trigger {table}_no_truncate on {table}",
        ),
    ]
