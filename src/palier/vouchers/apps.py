from django.apps import AppConfig


class VouchersConfig(AppConfig):
    name = "palier.vouchers"
    label = "vouchers"

    def ready(self) -> None:
        # Vouchers and pools are part of every verification as soon as the room is there.
        from palier.vouchers import proof  # noqa: F401
