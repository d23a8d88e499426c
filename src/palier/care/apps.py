from django.apps import AppConfig


class CareConfig(AppConfig):
    name = "palier.care"
    label = "care"
