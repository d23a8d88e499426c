"""The web process: Granian around `palier.site.rsgi`, and the writers of the intake beside it."""

import contextlib
import logging
import os
import signal
import socket
import threading
import time
from importlib import import_module

from palier.site import parent
from palier.site.environment import environment

DRAIN_S = 15
_PAUSE_S = 0.2
"""Before a writer that ended is made again."""

logger = logging.getLogger(__name__)


def run(host: str, port: int) -> None:
    """Serve on `host`:`port` until SIGTERM; requests under way are finished first, for 15 s at most."""
    from granian import Granian
    from granian.constants import HTTPModes, Interfaces
    from granian.log import LogLevels

    parent.end_with_supervisor()
    _load()
    settings = environment()
    writers = _Writers()
    writers.start()
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
    writers.stop()


class _Writers:
    """Keeps the writers, forked from here: what is imported once serves them all."""

    def __init__(self) -> None:
        from palier.api import frames

        self._listeners = frames.listen()
        self._places = [frames.address(number) for number in range(len(self._listeners))]
        self._pids: list[int] = []
        self._keepers: list[threading.Thread] = []
        self._stopping = False

    def start(self) -> None:
        """Forks them, before this process has other threads; each is waited for in one, and forked again there."""
        self._pids = [_fork(listener) for listener in self._listeners]
        for number in range(len(self._pids)):
            keeper = threading.Thread(target=self._keep, args=(number,), name=f"writer-{number}", daemon=True)
            keeper.start()
            self._keepers.append(keeper)

    def stop(self) -> None:
        """Ends them once the web processes, which are gone, have brought all."""
        self._stopping = True
        for pid in self._pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        for keeper in self._keepers:
            keeper.join(DRAIN_S)
        for place in self._places:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(place)

    def _keep(self, number: int) -> None:
        # A writer is told of the end of the thread that forked it as of its parent's: this one lives as long.
        while True:
            _, status = os.waitpid(self._pids[number], 0)
            if self._stopping:
                return
            logger.warning("writer %s ended (%s)", number, os.waitstatus_to_exitcode(status))
            time.sleep(_PAUSE_S)
            self._pids[number] = _fork(self._listeners[number])


def _fork(listener: socket.socket) -> int:
    pid = os.fork()
    if not pid:
        _write(listener)
    return pid


def _write(listener: socket.socket) -> None:
    """A writer's whole life; does not return."""
    code = 1
    try:
        from palier.api.writers import run

        stop = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: stop.set())
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        parent.end_with_parent()
        run(listener, stop)
        code = 0
    except BaseException:
        logger.critical("a writer failed", exc_info=True)
    finally:
        os._exit(code)


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
