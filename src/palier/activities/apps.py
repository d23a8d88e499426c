from django.apps import AppConfig


class ActivitiesConfig(AppConfig):
    name = "palier.activities"
    label = "activities"
