"""The worker process: runs what is due, at its own pace, apart from requests.

Tasks of one line run one after the other; each line is a thread, so that none waits for another that has much
to do (sealing never comes to an end while activities come in faster than they are sealed).
"""

import gc
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
    line: str = "care"
    due: float = 0.0
    failures: int = field(default=0)


TASKS: Final[list[PeriodicTask]] = []
_ending = threading.Event()


def ending() -> bool:
    """Whether the worker is to end: work that takes long looks now and then, and leaves the rest to the next one."""
    return _ending.is_set()


def periodic(every_s: float, line: str = "care") -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Register a function to be called every `every_s` seconds, counted from its end, in the worker."""

    def register(work: Callable[[], None]) -> Callable[[], None]:
        name = f"{work.__module__}.{work.__qualname__}"
        TASKS.append(PeriodicTask(name=name, every_s=every_s, work=work, line=line))
        return work

    return register


def run(stop_event: threading.Event) -> None:
    """Call each registered task when it is due, until `stop_event` is set; those of one line in turn."""
    import_module("palier.jobs.tasks")
    # What is loaded now stays.
    gc.freeze()
    lines: dict[str, list[PeriodicTask]] = {}
    for task in TASKS:
        lines.setdefault(task.line, []).append(task)
    threads = [
        threading.Thread(target=_run_line, args=(tasks, stop_event), name=line, daemon=True)
        for line, tasks in lines.items()
    ]
    for thread in threads:
        thread.start()
    stop_event.wait()
    _ending.set()
    for thread in threads:
        thread.join()
    # Whoever runs in this process afterwards is not ending.
    _ending.clear()


def _run_line(tasks: list[PeriodicTask], stop_event: threading.Event) -> None:
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
        for task in tasks:
            if task.due <= now and not stop_event.is_set():
                _call(task)
        wake = min(task.due for task in tasks)
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
