from django.apps import AppConfig


class TillsConfig(AppConfig):
    name = "palier.tills"
    label = "tills"
