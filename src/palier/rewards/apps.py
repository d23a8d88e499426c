from django.apps import AppConfig


class RewardsConfig(AppConfig):
    name = "palier.rewards"
    label = "rewards"
