from django.apps import AppConfig


class ActivitiesConfig(AppConfig):
    name = "palier.activities"
    label = "activities"

    def ready(self) -> None:
        # Their proofs are part of every verification as soon as the room is there.
        from palier.activities import adjustments, proof, rankings  # noqa: F401
