"""Whether the platform can serve: asked by load balancers, the `palier health` command and people."""

import logging
import threading
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

import palier
from palier.site import database, disk, embedded
from palier.site.environment import environment
from palier.site.refusal import Refused

logger = logging.getLogger(__name__)

PATIENCE_S: Final = 2


@dataclass(frozen=True, slots=True)
class Health:
    """`database` is ok or a reason; `unsafe` names settings that may lose data, accepted by the operator.

    A disk that is nearly full (`disk_state`) is a finding, no failure: what is there is still served.
    """

    version: str
    database: str
    unsafe: list[str]
    accepted_data_loss: bool
    disk_state: disk.State = "unknown"
    disk_free_mb: int | None = None

    @property
    def ok(self) -> bool:
        return self.database == "ok" and (not self.unsafe or self.accepted_data_loss)

    @property
    def findings(self) -> list[str]:
        """What an operator should look after, in sentences."""
        settings = environment()
        if self.disk_state == "full":
            return [
                f"{self.disk_free_mb} MB are free in {settings.directory}, below PALIER_DISK_FLOOR_MB "
                f"({settings.disk_floor_mb}): writes are refused until there is more"
            ]
        if self.disk_state == "low":
            return [
                f"{self.disk_free_mb} MB are free in {settings.directory}; writes are refused below "
                f"{settings.disk_floor_mb} (PALIER_DISK_FLOOR_MB)"
            ]
        return []

    def document(self) -> dict[str, Any]:
        return {
            "status": ("degraded" if self.findings else "ok") if self.ok else "failing",
            "version": self.version,
            "database": self.database,
            "unsafe_settings": self.unsafe,
            "accepted_data_loss": self.accepted_data_loss,
            "disk": self.disk_state,
            "disk_free_mb": self.disk_free_mb,
            "findings": self.findings,
        }


class _Asked:
    """One question to the database, in a thread of its own: one that hangs may never answer, whoever waits."""

    def __init__(self) -> None:
        self.unsafe: list[str] | None = None
        self._thread = threading.Thread(target=self._ask, name="health", daemon=True)
        self._thread.start()

    def _ask(self) -> None:
        try:
            with psycopg.connect(
                database.dsn("app"), autocommit=True, connect_timeout=PATIENCE_S
            ) as connection:
                connection.execute(f"set statement_timeout = '{PATIENCE_S}s'")
                self.unsafe = database.unsafe_settings(connection)
        except (psycopg.Error, Refused) as error:
            # The reason stays in the logs: it may name hosts and users.
            logger.warning(
                "The database cannot be reached: %s",
                embedded.reason(error) if isinstance(error, psycopg.Error) else error,
            )

    @property
    def waits(self) -> bool:
        return self._thread.is_alive()

    def answer(self) -> list[str] | None:
        """The unsafe settings; None where the database does not answer, or not in time."""
        self._thread.join(PATIENCE_S)
        if self.waits:
            logger.warning("The database cannot be reached: no answer within %s seconds", PATIENCE_S)
        return self.unsafe


_asking = threading.Lock()
_latest: _Asked | None = None


def _asked() -> _Asked:
    """A new question, or the one that hangs: those who ask often do not add to what waits."""
    global _latest
    with _asking:
        if _latest is None or not _latest.waits:
            _latest = _Asked()
        return _latest


def health() -> Health:
    """Ask the database now, over a connection of its own with a short patience."""
    accepted = environment().data_loss_accepted
    free = disk.free_bytes()
    room = (disk.state(), free // disk.MEGABYTE if free is not None else None)
    unsafe = _asked().answer()
    if unsafe is None:
        return Health(palier.__version__, "unreachable", [], accepted, *room)
    return Health(palier.__version__, "ok", unsafe, accepted, *room)


@csrf_exempt
@require_safe
def health_view(request: HttpRequest) -> JsonResponse:
    """GET /health: 200 when requests can be served (reads, at least), else 503."""
    state = health()
    return JsonResponse(
        state.document(), status=200 if state.ok else 503, headers={"Cache-Control": "no-store"}
    )
