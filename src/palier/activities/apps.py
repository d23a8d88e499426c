from django.apps import AppConfig


class ActivitiesConfig(AppConfig):
    name = "palier.activities"
    label = "activities"

    def ready(self) -> None:
        # The engine's state is part of every verification as soon as the room is there.
        from palier.activities import proof, rankings  # noqa: F401
