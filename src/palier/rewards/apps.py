from django.apps import AppConfig


class RewardsConfig(AppConfig):
    name = "palier.rewards"
    label = "rewards"

    def ready(self) -> None:
        # Orders and stock are part of every verification, and suppliers are reached, as soon as the room is there.
        from palier.rewards import dispatch_proof, fulfilment, proof  # noqa: F401
