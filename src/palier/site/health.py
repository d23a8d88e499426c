"""Whether the platform can serve: asked by load balancers, the `palier health` command and people."""

from dataclasses import dataclass
from typing import Any

import psycopg
from django.http import HttpRequest, JsonResponse

import palier
from palier.site import database
from palier.site.environment import environment
from palier.site.refusal import Refused


@dataclass(frozen=True, slots=True)
class Health:
    """`database` is ok or a reason; `unsafe` names settings that may lose data, accepted by the operator."""

    version: str
    database: str
    unsafe: list[str]
    accepted_data_loss: bool

    @property
    def ok(self) -> bool:
        return self.database == "ok" and (not self.unsafe or self.accepted_data_loss)

    def document(self) -> dict[str, Any]:
        return {
            "status": "ok" if self.ok else "failing",
            "version": self.version,
            "database": self.database,
            "unsafe_settings": self.unsafe,
            "accepted_data_loss": self.accepted_data_loss,
        }


def health() -> Health:
    """Ask the database now, over a connection of its own with a short patience."""
    accepted = environment().data_loss_accepted
    try:
        with psycopg.connect(database.dsn("app"), autocommit=True, connect_timeout=2) as connection:
            connection.execute("set statement_timeout = '2s'")
            return Health(palier.__version__, "ok", database.unsafe_settings(connection), accepted)
    except (psycopg.Error, Refused):
        # The reason stays in the logs: it may name hosts and users.
        return Health(palier.__version__, "unreachable", [], accepted)


def health_view(request: HttpRequest) -> JsonResponse:
    """GET /health: 200 when requests can be served, else 503."""
    state = health()
    return JsonResponse(
        state.document(), status=200 if state.ok else 503, headers={"Cache-Control": "no-store"}
    )
