"""The worker process: runs what is due, at its own pace, apart from requests."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Final

from palier.site import disk

logger = logging.getLogger(__name__)

LONGEST_PAUSE_S: Final = 60.0


@dataclass(slots=True)
class PeriodicTask:
    """Work repeated every `every_s` seconds. A failure is logged and followed by a longer pause, never by the end."""

    name: str
    every_s: float
    work: Callable[[], None]
    due: float = 0.0
    failures: int = field(default=0)


TASKS: Final[list[PeriodicTask]] = []


def periodic(every_s: float) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Register a function to be called every `every_s` seconds, counted from its end, in the worker."""

    def register(work: Callable[[], None]) -> Callable[[], None]:
        TASKS.append(PeriodicTask(name=f"{work.__module__}.{work.__qualname__}", every_s=every_s, work=work))
        return work

    return register


def run(stop_event: threading.Event) -> None:
    """Call each registered task when it is due, one after the other, until `stop_event` is set."""
    import_module("palier.jobs.tasks")
    waiting = False
    while not stop_event.is_set():
        if disk.full():
            if not waiting:
                logger.warning("the disk is nearly full: due work and sealing wait until there is room")
            waiting = True
            stop_event.wait(1.0)
            continue
        waiting = False
        now = time.monotonic()
        for task in TASKS:
            if task.due <= now and not stop_event.is_set():
                _call(task)
        wake = min((task.due for task in TASKS), default=time.monotonic() + 1)
        stop_event.wait(max(0.0, min(wake - time.monotonic(), 1.0)))


def _call(task: PeriodicTask) -> None:
    try:
        task.work()
    except Exception:
        task.failures += 1
        pause_s = min(task.every_s * 2**task.failures, LONGEST_PAUSE_S)
        logger.exception("%s failed; tried again in %.0f s", task.name, pause_s)
    else:
        task.failures = 0
        pause_s = task.every_s
    task.due = time.monotonic() + pause_s
