from django.apps import AppConfig


class StaffConfig(AppConfig):
    name = "palier.staff"
    label = "staff"
