from django.apps import AppConfig


class PayoutsConfig(AppConfig):
    name = "palier.payouts"
    label = "payouts"
