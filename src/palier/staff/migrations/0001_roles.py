"""Roles, and the function by which append-only tables refuse changes."""

from django.db import migrations

from palier.staff.guards import create_roles


class Migration(migrations.Migration):
    initial = True

    operations = [*create_roles()]
