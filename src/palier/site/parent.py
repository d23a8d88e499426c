"""A child process must not outlive the one that started it, even one that was killed."""

import ctypes
import os
import signal
import sys
import threading
import time

# Set for the processes of `palier serve`; one that a person started is left alone when its shell ends.
SUPERVISED = "PALIER_SUPERVISED"

_PR_SET_PDEATHSIG = 1


def end_with_supervisor() -> None:
    """End with `palier serve`, if that is what started this process."""
    if SUPERVISED in os.environ:
        end_with_parent()


def end_with_parent(number: int = signal.SIGTERM) -> None:
    """Have signal `number` sent to this process when its parent ends. Call from the main thread, early."""
    original = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)
        if os.getppid() == original:
            return
        # The parent ended between the two calls.
        os.kill(os.getpid(), number)
        return

    def watch() -> None:
        while os.getppid() == original:
            time.sleep(0.5)
        os.kill(os.getpid(), number)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def stop_event() -> threading.Event:
    """An event that SIGTERM, SIGINT or the parent's end sets, for a process that ends after its turn."""
    event = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: event.set())
    return event
