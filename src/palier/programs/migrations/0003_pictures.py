"""Pictures of programs and rewards."""

from django.db import migrations, models

from palier.staff.guards import grants

# Bytes that are compressed already are not tried again; the name is what the bytes say, whoever writes them.
STORED = """
alter table picture alter column small set storage external, alter column medium set storage external,
  alter column large set storage external, alter column icon set storage external,
  add constraint picture_named_by_its_bytes
    check (sha256 = encode(sha256(small || medium || large || icon), 'hex'))
"""


class Migration(migrations.Migration):
    dependencies = [
        ("programs", "0002_drafts"),
    ]

    operations = [
        migrations.CreateModel(
            name="Picture",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "program_id", "sha256", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("program_id", models.BigIntegerField()),
                ("sha256", models.TextField()),
                ("width", models.IntegerField()),
                ("height", models.IntegerField()),
                ("small", models.BinaryField()),
                ("medium", models.BinaryField()),
                ("large", models.BinaryField()),
                ("icon", models.BinaryField()),
                ("made_at", models.DateTimeField()),
                ("made_by", models.TextField()),
            ],
            options={
                "db_table": "picture",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("width__gt", 0), ("height__gt", 0)), name="picture_has_points"
                    )
                ],
            },
        ),
        migrations.RunSQL(STORED, migrations.RunSQL.noop),
        grants(
            # Never changed. One that must not be seen any more (a right of somebody, a mistake) is taken away whole.
            app={"picture": "SELECT, INSERT, DELETE"},
            auditor=["picture (program_id, sha256, width, height, made_at, made_by)"],
        ),
    ]
