from django.apps import AppConfig


class PayoutsConfig(AppConfig):
    name = "palier.payouts"
    label = "payouts"

    def ready(self) -> None:
        # Its proof, and what follows an approval, are there as soon as the room is.
        from palier.payouts import operations, orders, proof  # noqa: F401
