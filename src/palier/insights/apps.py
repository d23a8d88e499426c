from django.apps import AppConfig


class InsightsConfig(AppConfig):
    name = "palier.insights"
    label = "insights"

    def ready(self) -> None:
        # Its proof is there as soon as the room is.
        from palier.insights import proof  # noqa: F401
