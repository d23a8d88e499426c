"""The audit view names the partner of both of its accounts: whence its points come, and where they are used."""

from django.db import migrations

POSTING = """
create or replace view audit.posting as
select sealed.first_seq + leg.place as seq, t.transfer_id, t.activity_id, p.key as program, t.currency,
       leg.account, t.kind, audit.member_ref(t.member_id) as member_ref,
       case when leg.account like 'partner:%' then {partner} end as partner,
       audit.member_ref(t.member_id) || '.' || t.lot_id as lot_id, leg.sign * t.amount as amount,
       t.effective_at, t.recorded_at, t.version as program_version
from transfer t
cross join lateral (values (0, t.debit, -1), (1, t.credit, 1)) as leg (place, account, sign)
left join (
  select b.program_id, row.member_id, row.transfer_id, b.first_seq + 2 * (row.place - 1) as first_seq
  from block b
  cross join lateral unnest(b.member_ids, b.transfer_ids) with ordinality
    as row (member_id, transfer_id, place)
) sealed on sealed.member_id = t.member_id and sealed.transfer_id = t.transfer_id
  and sealed.program_id = t.program_id
left join program p on p.program_id = t.program_id
"""


class Migration(migrations.Migration):
    dependencies = [("activities", "0009_mechanics"), ("ledger", "0004_transfer_settled")]

    operations = [
        migrations.RunSQL(
            POSTING.replace("{partner}", "split_part(leg.account, ':', 2)"),
            POSTING.replace("{partner}", "substr(leg.account, 9)"),
        ),
    ]
