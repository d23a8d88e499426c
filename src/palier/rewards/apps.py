from django.apps import AppConfig


class RewardsConfig(AppConfig):
    name = "palier.rewards"
    label = "rewards"

    def ready(self) -> None:
        # Orders and stock are part of every verification as soon as the room is there.
        from palier.rewards import proof  # noqa: F401
