from django.apps import AppConfig


class MembersConfig(AppConfig):
    name = "palier.members"
    label = "members"
