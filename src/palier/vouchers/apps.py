from django.apps import AppConfig


class VouchersConfig(AppConfig):
    name = "palier.vouchers"
    label = "vouchers"
