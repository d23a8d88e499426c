"""The one application behind the one port: activities to the fast intake, what is read most to the fast reads,
all else to Django."""

import asyncio
import gc
import logging
import os
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Final

from palier.site import ids, parent
from palier.site.bridge import Bridge, HttpProtocol, Scope
from palier.site.environment import environment

logger = logging.getLogger(__name__)

HEALTH_THREADS: Final = 2


class Application:
    """RSGI application; Granian calls `__rsgi_init__` once in each web process before the first request."""

    def __init__(self) -> None:
        self._bridge: Bridge | None = None
        self._health: Bridge | None = None
        self._intake: ModuleType | None = None
        self._reads: ModuleType | None = None

    def load(self) -> None:
        """Import the intake and the fast reads, when this installation has them."""
        if self._intake is None and find_spec("palier.api.intake") is not None:
            self._intake = import_module("palier.api.intake")
        if self._reads is None and find_spec("palier.api.reads") is not None:
            self._reads = import_module("palier.api.reads")

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        import django
        from django.core.wsgi import get_wsgi_application

        parent.end_with_parent()
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "palier.site.settings")
        django.setup(set_prefix=False)
        settings = environment()
        django_application = get_wsgi_application()
        waiting, deadline_s = settings.web_queue, settings.web_deadline_s
        self._bridge = Bridge(django_application, settings.web_threads, waiting, deadline_s)
        # Of its own: whether the platform can serve is told also while all others wait for the database.
        self._health = Bridge(django_application, HEALTH_THREADS, waiting, deadline_s)
        self._take_node()
        self.load()
        if self._intake is not None and hasattr(self._intake, "start"):
            self._intake.start(loop)
        if self._reads is not None:
            self._reads.start(loop, self._bridge.handle)
        # What is loaded now stays: the collector need not look at it again.
        gc.collect()
        gc.freeze()

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._intake is not None and hasattr(self._intake, "stop"):
            self._intake.stop()
        for bridge in (self._bridge, self._health):
            if bridge is not None:
                bridge.close()

    async def __rsgi__(self, scope: Scope, protocol: HttpProtocol) -> None:
        if self._intake is not None and scope.path == "/v1/activities" and scope.method == "POST":
            await self._intake.handle(scope, protocol)
            return
        if (
            self._reads is not None
            and self._reads.is_read(scope)
            and await self._reads.handle(scope, protocol)
        ):
            return
        bridge = self._health if scope.path == "/health" else self._bridge
        assert bridge is not None
        await bridge.handle(scope, protocol)

    def _take_node(self) -> None:
        import psycopg

        from palier.site import database

        try:
            with database.connect("app") as connection:
                ids.take_node(connection)
        except psycopg.Error:
            # The database may come later; until then the node number is the random one.
            logger.warning("no node number from the database; a random one is used")


application = Application()
