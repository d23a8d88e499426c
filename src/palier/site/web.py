"""The web process: Granian around `palier.site.rsgi`."""

import os
from importlib import import_module

from palier.site import parent
from palier.site.environment import environment

DRAIN_S = 15


def run(host: str, port: int) -> None:
    """Serve on `host`:`port` until SIGTERM; requests under way are finished first, for 15 s at most."""
    from granian import Granian
    from granian.constants import HTTPModes, Interfaces
    from granian.log import LogLevels

    parent.end_with_supervisor()
    _load()
    settings = environment()
    Granian(
        "palier.site.rsgi:application",
        address=host,
        port=port,
        interface=Interfaces.RSGI,
        http=HTTPModes.auto,
        websockets=False,
        workers=settings.web_processes or _processes(),
        respawn_failed_workers=True,
        respawn_interval=0.5,
        workers_kill_timeout=DRAIN_S,
        log_level=LogLevels.warning,
        backlog=2048,
    ).serve()


def _load() -> None:
    """Import everything once, here: a broken module ends this process at once, with its reason, and web
    processes forked later, also in place of one that died, have it all already."""
    import django
    from django.urls import get_resolver

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "palier.site.settings")
    django.setup(set_prefix=False)
    _ = get_resolver().url_patterns
    import_module("palier.site.rsgi").application.load()


def _processes() -> int:
    """One for up to three cores: database and worker need theirs, and groups grow with callers."""
    return max(1, min(4, (os.cpu_count() or 1) // 2))
