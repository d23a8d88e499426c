"""A courier in a process of its own that is killed (SIGKILL) at a named step; run by test_fulfilment.py.

Arguments: the step, the id of the program, the instant.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

STEPS = (
    "before sending",
    "after sending",
    "before recording",
    "after recording, before the commit",
    "after the commit",
)


def die(*_: object, **__: object) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


def main(step: str, program_id: int, now: int) -> None:
    import django

    django.setup()
    from palier.rewards import dispatch, forwarding, suppliers
    from palier.rewards.fulfilment import StoredOrders
    from palier.site import database

    ask, record, settle = forwarding.ask, dispatch.record, forwarding.settle

    def asked(*arguments: Any) -> Any:
        found = ask(*arguments)
        die()
        return found

    def recorded(*arguments: Any, **named: Any) -> bool:
        found = record(*arguments, **named)
        die()
        return found

    def settled(*arguments: Any, **named: Any) -> Any:
        found = settle(*arguments, **named)
        die()
        return found

    if step == "before sending":
        forwarding.ask = die
    elif step == "after sending":
        forwarding.ask = asked
    elif step == "before recording":
        dispatch.record = die
    elif step == "after recording, before the commit":
        dispatch.record = recorded
    elif step == "after the commit":
        forwarding.settle = settled
    with database.connect("app") as connection:
        found = suppliers.needed(connection, program_id, "sample")
    forwarding.Courier(found, lambda: database.connect("app"), StoredOrders(), now=lambda: now).run()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
