"""Erasure: the one way in which rows that never change lose what would tell who a member was.

Rows of decisions keep their amounts, accounts and order; they lose what was bought, where, what was known of the
member, and words that people typed. Only the function below can do it, only for members who are erased, and it can
put nothing in.
"""

from django.db import migrations

REFUSE_CHANGE = """
create or replace function palier_refuse_change() returns trigger language plpgsql as $$
begin
  if tg_op = 'UPDATE' and current_setting('palier.forgetting', true) = 'on'
     and current_user = (select pg_get_userbyid(c.relowner) from pg_class c where c.oid = tg_relid) then
    return new;
  end if;
  raise exception '% is append-only: % is refused', tg_table_name, tg_op
    using errcode = '42501', hint = 'Record a correction that names the row instead.';
end
$$
"""

REFUSE_CHANGE_BEFORE = """
create or replace function palier_refuse_change() returns trigger language plpgsql as $$
begin
  raise exception '% is append-only: % is refused', tg_table_name, tg_op
    using errcode = '42501', hint = 'Record a correction that names the row instead.';
end
$$
"""

# What the platform itself put into a fact's attributes stays: the count of what each agent gave rests on it.
FORGET = """
create function palier_forget_words(of_program bigint, gone bigint[]) returns bigint
language plpgsql security definer set search_path = public, pg_temp as $$
declare changed bigint;
begin
  if exists (
    select 1 from unnest(gone) as g (member_id)
    left join member m on m.member_id = g.member_id and m.program_id = of_program
    where m.status is distinct from 'erased'
  ) then
    raise exception 'only what erased members left behind can be forgotten' using errcode = '42501';
  end if;
  perform set_config('palier.forgetting', 'on', true);
  update activity a set
    payload = (case when a.type in ('adjust', 'grant_tier', 'dividend', 'prize') or a.source like 'palier%'
                    then a.payload::jsonb else a.payload::jsonb - 'attributes' end
               - array['lines', 'returned', 'channel', 'location', 'reason', 'actor', 'ticket_number'])::json,
    inputs = (a.inputs::jsonb - array['member', 'segments', 'zone'])::json,
    trace = (a.trace::jsonb - array['reason', 'goals'])::json
  where a.member_id = any(gone) and a.program_id = of_program;
  get diagnostics changed = row_count;
  update order_event e set reason = '',
    actor = case when e.actor ~ '^(member|worker|palier|key:.*|staff:.*)$' then e.actor else '' end
  where e.member_id = any(gone) and e.program_id = of_program;
  update payout_event e set reason = '',
    actor = case when e.actor ~ '^(member|worker|palier|key:.*|staff:.*)$' then e.actor else '' end
  where e.member_id = any(gone);
  update voucher_use u set location = '',
    actor = case when u.actor ~ '^(member|worker|palier|key:.*|staff:.*)$' then u.actor else '' end
  from voucher v
  where v.member_id = any(gone) and v.program_id = of_program
    and u.code_hash = v.code_hash and u.program_id = v.program_id;
  update reward_order o set location = null,
    details = (o.details::jsonb - array['staff', 'supplier'])::json
  where o.member_id = any(gone) and o.program_id = of_program;
  update reward_item i set details = (i.details::jsonb - array['carrier', 'tracking'])::json
  where i.member_id = any(gone) and i.program_id = of_program;
  update dispatch d set units = null, reason = ''
  where d.member_id = any(gone) and d.program_id = of_program;
  update payout p set reason = '', asked_by = case when p.asked_by ~ '^(member|worker|palier|key:.*|staff:.*)$'
    then p.asked_by else '' end
  where p.member_id = any(gone) and p.program_id = of_program;
  update member_merge g set identities = '{}', reason = '', actor = ''
  where (g.member_id = any(gone) or g.into_id = any(gone)) and g.program_id = of_program;
  update approval p set reason = '', payload = (p.payload::jsonb - array['reason', 'actor'])::json
  where p.program_id = of_program
    and p.object = any(select audit.member_ref(g) from unnest(gone) as t (g));
  perform set_config('palier.forgetting', 'off', true);
  return changed;
end
$$
"""


class Migration(migrations.Migration):
    dependencies = [
        ("privacy", "0001_member_tables"),
        ("activities", "0011_rankings_and_awards"),
        ("rewards", "0004_dispatch"),
        ("vouchers", "0001_key_tables"),
        ("payouts", "0001_member_tables"),
        ("members", "0004_member_merge"),
        ("staff", "0006_approvals"),
    ]

    operations = [
        migrations.RunSQL(REFUSE_CHANGE, REFUSE_CHANGE_BEFORE),
        migrations.RunSQL(FORGET, "drop function palier_forget_words(bigint, bigint[])"),
        migrations.RunSQL(
            "revoke all on function palier_forget_words(bigint, bigint[]) from public;\n"
            "grant execute on function palier_forget_words(bigint, bigint[]) to palier_app",
            migrations.RunSQL.noop,
        ),
    ]
