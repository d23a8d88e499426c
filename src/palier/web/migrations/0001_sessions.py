"""What the run-time role may do with sessions of people's browsers."""

from django.db import migrations

from palier.staff.guards import grants


class Migration(migrations.Migration):
    dependencies = [("sessions", "0001_initial"), ("staff", "0001_roles")]

    operations = [grants({"django_session": "select, insert, update, delete"})]
