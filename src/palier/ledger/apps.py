from django.apps import AppConfig


class LedgerConfig(AppConfig):
    name = "palier.ledger"
    label = "ledger"
