"""Reads the database's own catalogue and says where a table breaks the rules of its placement."""

from typing import Any

import psycopg
from django.apps import apps
from django.db import models

Connection = psycopg.Connection[tuple[Any, ...]]

APPEND_ONLY = (
    "transfer", "activity", "block", "audit_log", "voucher_use", "order_event", "payout_event", "consent",
    "terms_acceptance",
)  # fmt: skip
FRAMEWORK = ("django_", "auth_", "procrastinate_")

KEYS = """
select c.relname, i.relname, x.indisprimary,
       array(select a.attname::text from unnest(x.indkey::int2[]) with ordinality k (number, place)
             join pg_attribute a on a.attrelid = c.oid and a.attnum = k.number order by k.place)
from pg_index x join pg_class c on c.oid = x.indrelid join pg_class i on i.oid = x.indexrelid
where c.relnamespace = 'public'::regnamespace and (x.indisunique or x.indisexclusion)
"""

DEFAULTS = """
select c.relname, a.attname, a.attidentity <> '' or d.oid is not null
from pg_attribute a join pg_class c on c.oid = a.attrelid
left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum and a.attgenerated = ''
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and a.attnum > 0
"""

FOREIGN_KEYS = """
select c.conname, f.relname, t.relname, c.condeferrable, c.confdeltype in ('n',
       'd') or c.confupdtype in ('n', 'd'),
       array(select a.attname::text || '=' || b.attname::text
             from unnest(c.conkey, c.confkey) as k (near, far)
             join pg_attribute a on a.attrelid = c.conrelid and a.attnum = k.near
             join pg_attribute b on b.attrelid = c.confrelid and b.attnum = k.far)
from pg_constraint c join pg_class f on f.oid = c.conrelid join pg_class t on t.oid = c.confrelid
where c.contype = 'f' and c.connamespace = 'public'::regnamespace
"""

CHECKS = """
select r.relname, c.conname from pg_constraint c join pg_class r on r.oid = c.conrelid
where c.contype = 'c' and c.connamespace = 'public'::regnamespace
"""

TRIGGERS = """
select c.relname, t.tgname, t.tgtype, p.proname, t.tgenabled <> 'D'
from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_proc p on p.oid = t.tgfoid
where not t.tgisinternal and c.relnamespace = 'public'::regnamespace
"""

RIGHTS = """
select c.relname, array(
  select right_name from unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER',
         'REFERENCES'])
    as right_name
  where has_table_privilege('palier_app', c.oid, right_name)
     or (right_name in ('UPDATE', 'REFERENCES') and has_any_column_privilege('palier_app', c.oid,
            right_name)))
from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
"""

ROW, DELETE, UPDATE, TRUNCATE = 1, 8, 16, 32


def placements() -> dict[str, str]:
    """Table -> declared placement, for the platform's own tables."""
    return {
        model._meta.db_table: model.placement  # type: ignore[attr-defined]
        for model in apps.get_models()
        if hasattr(model, "placement")
    }


def problems(connection: Connection) -> list[str]:
    """What the catalogue holds against the rules, each with the rule's short name and a remedy."""
    placed = placements()
    found: list[str] = []

    def say(rule: str, text: str) -> None:
        found.append(f"{rule}: {text}")

    for table, rights in connection.execute(RIGHTS):
        if table not in placed and not table.startswith(FRAMEWORK):
            say(
                "placement",
                f"table {table} declares none; set `placement` in its model, under the table's reason",
            )
        if table in APPEND_ONLY and set(rights) != {"SELECT", "INSERT"}:
            say("append-only", f"palier_app has {rights} on {table}; revoke all but SELECT and INSERT")

    for table, index, primary, columns in connection.execute(KEYS):
        if placed.get(table) == "member":
            if "member_id" not in columns:
                say(
                    "keys",
                    f"{index} of {table} lacks member_id; a unique key over all members is a key table",
                )
            elif primary and columns[0] != "member_id":
                say("keys", f"{index} of {table} does not begin with member_id; put it first")

    for table, column, has_default in connection.execute(DEFAULTS):
        if placed.get(table) in ("member", "key") and has_default:
            say("ids", f"{table}.{column} is filled by the database; pass the value instead")

    for name, table, target, deferrable, nulling, pairs in connection.execute(FOREIGN_KEYS):
        if table not in placed:
            continue
        where = f"{name} from {table} to {target}"
        if deferrable:
            say(
                "foreign keys",
                f"{where} is deferrable; a violation at commit has no name, so write it by RunSQL",
            )
        if nulling:
            say("foreign keys", f"{where} sets null or default; remove that action")
        if placed[table] == "member" and placed.get(target) == "member":
            if "member_id=member_id" not in pairs:
                say("foreign keys", f"{where} lacks member_id on both sides; add it")
        elif not (placed[table] in ("member", "queue", "config") and placed.get(target) == "config"):
            say("foreign keys", f"{where} crosses placements; drop it and let verification look")

    for table, name in connection.execute(CHECKS):
        if table in placed and (name.endswith("_check") or name[:-1].endswith("_check")):
            say(
                "checks", f"{name} of {table} has a name made by the database; name it, apart from ADD COLUMN"
            )

    guards: dict[str, list[int]] = {}
    for table, name, kind, function, enabled in connection.execute(TRIGGERS):
        if table not in placed:
            continue
        if placed[table] == "config":
            say(
                "triggers",
                f"{name}: a config table is copied to every machine and takes no trigger; use grants",
            )
        if placed[table] in ("member", "key") and function != "palier_refuse_change":
            say(
                "triggers",
                f"{name} of {table} runs {function}; triggers only refuse, logic stands in the engine",
            )
        if kind & TRUNCATE and kind & (UPDATE | DELETE):
            say("append-only", f"{name} of {table} lists TRUNCATE beside others; make two triggers")
        elif enabled and function == "palier_refuse_change":
            guards.setdefault(table, []).append(kind)
    for table in APPEND_ONLY:
        kinds = guards.get(table, [])
        if not any(kind & ROW and kind & UPDATE and kind & DELETE for kind in kinds):
            say(
                "append-only",
                f"{table} has no row trigger that refuses UPDATE and DELETE; call append_only()",
            )
        if not any(kind & TRUNCATE for kind in kinds):
            say("append-only", f"{table} has no trigger that refuses TRUNCATE; call append_only()")

    for model in apps.get_models():
        if getattr(model, "placement", None) == "member":
            for field in model._meta.local_fields:
                where = f"{model._meta.db_table}.{field.name}"
                if isinstance(
                    field,
                    models.PositiveIntegerField
                    | models.PositiveBigIntegerField
                    | models.PositiveSmallIntegerField,
                ):
                    say(
                        "checks", f"{where} makes an inline check; use BigIntegerField and a named constraint"
                    )
                if isinstance(field, models.ForeignKey):
                    say("foreign keys", f"{where} is a ForeignKey; use BigIntegerField and RunSQL")
                if field.unique and not field.primary_key:
                    say("keys", f"{where} is unique alone; use a constraint with member_id")
    return found
