from django.apps import AppConfig


class CareConfig(AppConfig):
    name = "palier.care"
    label = "care"

    def ready(self) -> None:
        # What is forgotten of a member, and told to him, is there as soon as the room is.
        from palier.care import privacy  # noqa: F401
