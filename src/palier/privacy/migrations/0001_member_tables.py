"""Consents, terms, messages and requests to be erased."""

from django.db import migrations, models

import palier.staff.columns
from palier.staff.guards import append_only, grants

CONSENT = """
select audit.member_ref(c.member_id) as member_ref, c.purpose, c.channel, c.recipient, c.state, c.at, c.proof
from consent c
"""


class Migration(migrations.Migration):
    initial = True

    dependencies = [("staff", "0001_roles"), ("activities", "0006_audit_schema")]

    operations = [
        migrations.CreateModel(
            name="ConsentText",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "program_id", "sha256", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("program_id", models.BigIntegerField()),
                ("sha256", models.BinaryField()),
                ("text_id", models.TextField()),
                ("language", models.TextField()),
                ("body", models.TextField()),
                ("first_shown_at", models.DateTimeField()),
            ],
            options={
                "db_table": "consent_text",
            },
        ),
        migrations.CreateModel(
            name="Consent",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "member_id",
                        "consent_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("member_id", models.BigIntegerField()),
                ("consent_id", models.BigIntegerField()),
                ("program_id", models.BigIntegerField()),
                ("purpose", models.TextField()),
                ("channel", models.TextField()),
                ("recipient", models.TextField()),
                ("state", models.TextField()),
                ("basis", models.TextField()),
                ("text_id", models.TextField()),
                ("language", models.TextField()),
                ("text_sha256", models.BinaryField()),
                ("via", models.TextField()),
                ("actor", models.TextField()),
                ("at", models.DateTimeField()),
                ("proof", models.TextField()),
            ],
            options={
                "db_table": "consent",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ("given", "withdrawn"))), name="consent_state_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("basis__in", ("consent", "contract", "legitimate_interest", "legal_duty"))
                        ),
                        name="consent_basis_known",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ErasureRequest",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "member_id",
                        "request_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("member_id", models.BigIntegerField()),
                ("request_id", models.BigIntegerField()),
                ("program_id", models.BigIntegerField()),
                ("via", models.TextField()),
                ("actor", models.TextField()),
                ("asked_at", models.DateTimeField()),
                ("due_at", models.DateTimeField()),
                ("waits_for", models.TextField()),
                ("undone_at", models.DateTimeField(null=True)),
                ("done_at", models.DateTimeField(null=True)),
                ("settled", palier.staff.columns.StoredJson(null=True)),
            ],
            options={
                "db_table": "erasure_request",
                "indexes": [
                    models.Index(
                        condition=models.Q(("done_at__isnull", True), ("undone_at__isnull", True)),
                        fields=["due_at"],
                        name="erasure_request_due",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("done_at__isnull", True), ("undone_at__isnull", True)),
                        fields=("member_id",),
                        name="erasure_request_one_open",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("done_at__isnull", True), ("undone_at__isnull", True), _connector="OR"
                        ),
                        name="erasure_request_one_end",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="MemberMessage",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "member_id",
                        "message_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("member_id", models.BigIntegerField()),
                ("message_id", models.BigIntegerField()),
                ("program_id", models.BigIntegerField()),
                ("kind", models.TextField()),
                ("facts", palier.staff.columns.StoredJson()),
                ("once", models.TextField(null=True)),
                ("told_at", models.DateTimeField()),
                ("read_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "member_message",
                "constraints": [
                    models.UniqueConstraint(fields=("member_id", "once"), name="member_message_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="TermsAcceptance",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "member_id",
                        "acceptance_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("member_id", models.BigIntegerField()),
                ("acceptance_id", models.BigIntegerField()),
                ("program_id", models.BigIntegerField()),
                ("kind", models.TextField()),
                ("version", models.IntegerField()),
                ("document_sha256", models.TextField()),
                ("language", models.TextField()),
                ("sha256", models.BinaryField()),
                ("via", models.TextField()),
                ("at", models.DateTimeField()),
            ],
            options={
                "db_table": "terms_acceptance",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ("accepted", "acknowledged"))),
                        name="terms_acceptance_kind_known",
                    )
                ],
            },
        ),
        grants(
            app={
                "consent_text": "SELECT, INSERT",
                "consent": "SELECT, INSERT",
                "terms_acceptance": "SELECT, INSERT",
                "member_message": "SELECT, INSERT, UPDATE (read_at), DELETE",
                "erasure_request": "SELECT, INSERT, UPDATE (waits_for, undone_at, done_at, settled)",
            },
            auditor=["consent_text", "consent", "terms_acceptance", "erasure_request"],
        ),
        *append_only("consent"),
        *append_only("terms_acceptance"),
        migrations.RunSQL(f"create view audit.consent as {CONSENT}", "drop view audit.consent"),
        migrations.RunSQL("grant select on audit.consent to palier_app, auditor", migrations.RunSQL.noop),
    ]
