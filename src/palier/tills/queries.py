"""How a program's tills stand: who works at them, what waits for a review."""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from psycopg import Connection

from palier.engine.clock import instant, moment
from palier.tills import devices
from palier.tills.devices import Device
from palier.tills.shifts import IDLE, LONGEST


class Worker(Struct, frozen=True):
    """Somebody with an open shift at a till. `locked`: the till asks for his PIN now."""

    name: str
    locked: bool


class Standing(Struct, frozen=True):
    """One device, how long its code is still good (0: it has none), who works at it, and how much waits there.

    `to_review` counts entries that were refused, or came after the device was ended; `amount` is their sum in minor
    units. What a tablet keeps while it has no network is not known here before it comes back.
    """

    device: Device
    code_ends_at: int
    workers: tuple[Worker, ...]
    to_review: int
    amount: int


def standings(connection: Connection[Any], program_id: int, *, now: int) -> list[Standing]:
    """All devices of a program by their numbers, those that were ended too, each as it stands."""
    found = devices.devices(connection, program_id)
    numbers = [device.device_id for device in found]
    waiting = {
        row[0]: row[1:]
        for row in connection.execute(
            """
            -- tills.count_to_review
            select device_id, count(*), coalesce(sum(amount), 0)::bigint from till_entry
            where program_id = %s and state in ('refused', 'kept') and sealed is not null group by device_id
            """,
            (program_id,),
        ).fetchall()
    }
    codes = {
        row[0]: instant(row[1])
        for row in connection.execute(
            """
            -- tills.codes_that_wait
            select device_id, code_ends_at from till_device
            where program_id = %s and state = 'expected' and code_ends_at is not null
            """,
            (program_id,),
        ).fetchall()
    }
    workers: dict[int, list[Worker]] = {}
    for device_id, name, locked, used_at in connection.execute(
        """
        -- tills.workers
        select t.device_id, t.name, t.locked, t.used_at
        from till_shift t
        where t.device_id = any(%s) and t.ended_at is null and t.began_at > %s
          and not exists (select from staff_session s where s.session_id = t.session_id and s.ended_at is not null)
        order by t.shift_id
        """,
        (numbers, moment(now - LONGEST)),
    ):
        workers.setdefault(device_id, []).append(Worker(name, locked or now - instant(used_at) >= IDLE))
    return [
        Standing(
            device,
            codes.get(device.device_id, 0),
            tuple(workers.get(device.device_id, ())),
            *waiting.get(device.device_id, (0, 0)),
        )
        for device in found
    ]
