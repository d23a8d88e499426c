"""All foreign keys of the member group, here and nowhere else.

Spreading the tables over machines needs them dropped and added again: migrate this one file back, spread,
migrate forward. Not deferrable, and `member_id` stands on both sides of each.
"""

from django.db import migrations

FOREIGN_KEYS = {
    "activity_of_member": "alter table activity add constraint activity_of_member "
    "foreign key (member_id) references member (member_id)",
    "transfer_of_activity": "alter table transfer add constraint transfer_of_activity "
    "foreign key (member_id, activity_id) references activity (member_id, activity_id)",
}


class Migration(migrations.Migration):
    dependencies = [
        ("members", "0001_member_tables"),
        ("ledger", "0001_member_tables"),
        ("activities", "0001_member_tables"),
        ("activities", "0003_queue_tables"),
    ]

    operations = [
        migrations.RunSQL(add, f"alter table {name.split('_of_')[0]} drop constraint {name}")
        for name, add in FOREIGN_KEYS.items()
    ]
