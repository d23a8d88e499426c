from django.apps import AppConfig


class ProgramsConfig(AppConfig):
    name = "palier.programs"
    label = "programs"
