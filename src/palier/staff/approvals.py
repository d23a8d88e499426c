"""Four eyes: what one person asks and a second decides, whatever it is.

Who acts is known by an API key or by an account on the server, never by what a text says; a key made for the same
person (its name) is that person. The room whose act it is registers what is to be done when it is approved or
refused: in the transaction of the decision, so that there is no decision without its effect.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct
from psycopg import Connection

from palier.engine.clock import instant, moment
from palier.site.ids import new_id
from palier.staff.operations import write_log

State = Literal["asked", "approved", "refused", "expired"]
Role = Literal["integration", "operator", "staff", "worker", "member"]


class Person(Struct, frozen=True):
    """Who acts: `actor` as in the audit log (key:PREFIX, cli:USER, staff:ID), and the name of the key or account."""

    actor: str
    name: str
    role: Role


WORKER: Final = Person("worker", "worker", "worker")


class Approval(Struct, frozen=True):
    """A request that a second person decides. `payload` is what was asked, as people may read it."""

    approval_id: int
    program_id: int
    kind: str
    object: str
    payload: dict[str, Any]
    reason: str
    asked_by: str
    asked_name: str
    asked_at: int
    expires_at: int
    state: State
    decided_by: str
    decided_at: int
    decision: str

    def standing(self, now: int) -> State:
        """Its state at an instant: whatever nobody has decided in time is expired."""
        return "expired" if self.state == "asked" and self.expires_at <= now else self.state


class NotDecided(Exception):
    """A decision was not taken: `code` is unknown_approval, same_person or approval_decided, or what an act says."""

    def __init__(self, code: str, message: str, remedy: str) -> None:
        super().__init__(message)
        self.code = code
        self.remedy = remedy


Act = Callable[[Connection[Any], Approval, int], None]


class Kind(Struct, frozen=True):
    """What follows a decision on one kind of request, in its transaction. `refused` also when its time is over."""

    approved: Act
    refused: Act


_kinds: dict[str, Kind] = {}


def register(kind: str, *, approved: Act, refused: Act) -> None:
    """Says what is done with requests of a kind once they are decided. An act that raises undoes the decision."""
    _kinds[kind] = Kind(approved, refused)


_COLUMNS: Final = (
    "approval_id, program_id, kind, object, payload::text, reason, asked_by, asked_name, asked_at, expires_at, "
    "state, decided_by, decided_at, decision"
)

ASK: Final = f"""
-- approvals.ask
insert into approval (approval_id, program_id, kind, object, request, payload, reason, asked_by, asked_name,
                      asked_at, expires_at, state, decided_by, decided_name, decided_at, decision)
values (%(approval)s, %(program)s, %(kind)s, %(object)s, %(request)s, %(payload)s::json, %(reason)s, %(by)s,
        %(name)s, %(now)s, %(until)s, 'asked', '', '', null, '')
on conflict (program_id, kind, request) do nothing
returning {_COLUMNS}
"""

# The second person is not the first: by key and by name, in the statement that decides.
DECIDE: Final = f"""
-- approvals.decide
update approval set state = %(state)s, decided_by = %(by)s, decided_name = %(name)s, decided_at = %(now)s,
                    decision = %(decision)s
where approval_id = %(approval)s and program_id = %(program)s and state = 'asked' and expires_at > %(now)s
  and (%(state)s <> 'approved' or (asked_by <> %(by)s and lower(asked_name) <> lower(%(name)s)))
returning {_COLUMNS}
"""

EXPIRE: Final = f"""
-- approvals.expire
update approval set state = 'expired', decided_by = 'worker', decided_name = 'worker', decided_at = %(now)s
where approval_id = %(approval)s and program_id = %(program)s and state = 'asked' and expires_at <= %(now)s
returning {_COLUMNS}
"""


def _approval(row: Sequence[Any]) -> Approval:
    return Approval(
        row[0],
        row[1],
        row[2],
        row[3],
        msgspec.json.decode(row[4]),
        row[5],
        row[6],
        row[7],
        instant(row[8]),
        instant(row[9]),
        row[10],
        row[11],
        instant(row[12]) if row[12] is not None else 0,
        row[13],
    )


def ask(
    connection: Connection[Any],
    program_id: int,
    *,
    kind: str,
    object: str,
    request: str,
    payload: dict[str, Any],
    reason: str,
    by: Person,
    now: int,
    expires_at: int,
) -> Approval:
    """Asks for a decision, or finds the request that was made under this name before. Does not commit.

    `request` names it for ever within its program and kind. Instants are microseconds UTC.
    """
    row = connection.execute(
        ASK,
        {
            "approval": new_id(),
            "program": program_id,
            "kind": kind,
            "object": object,
            "request": request,
            "payload": msgspec.json.encode(payload).decode(),
            "reason": reason,
            "by": by.actor,
            "name": by.name,
            "now": moment(now),
            "until": moment(expires_at),
        },
    ).fetchone()
    if row is None:
        known = find(connection, program_id, kind, request)
        assert known is not None, "a request that is there already is read after its insertion was refused"
        return known
    write_log(connection, by.actor, by.role, f"{kind}.ask", object, at=now, reason=reason)
    return _approval(row)


def find(connection: Connection[Any], program_id: int, kind: str, request: str) -> Approval | None:
    """The request made under this name; None where there is none."""
    row = connection.execute(
        f"-- approvals.find\nselect {_COLUMNS} from approval where program_id = %s and kind = %s and request = %s",
        (program_id, kind, request),
    ).fetchone()
    return _approval(row) if row is not None else None


def read(connection: Connection[Any], program_id: int, approval_id: int) -> Approval | None:
    """One request of a program; None where there is none."""
    row = connection.execute(
        f"-- approvals.read\nselect {_COLUMNS} from approval where program_id = %s and approval_id = %s",
        (program_id, approval_id),
    ).fetchone()
    return _approval(row) if row is not None else None


def listed(
    connection: Connection[Any],
    program_id: int,
    *,
    now: int,
    state: State | None = None,
    kind: str | None = None,
    object: str | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[Approval]:
    """Requests of a program, or about one object, the latest first, before one of them (keyset paging)."""
    rows = connection.execute(
        f"""
        -- approvals.list
        select {_COLUMNS} from approval
        where program_id = %(program)s and (%(kind)s::text is null or kind = %(kind)s)
          and (%(object)s::text is null or object = %(object)s)
          and (%(state)s::text is null or %(state)s = case when state = 'asked' and expires_at <= %(now)s
               then 'expired' else state end)
          and (%(before)s::bigint is null or approval_id < %(before)s)
        order by approval_id desc limit %(limit)s
        """,
        {
            "program": program_id,
            "state": state,
            "kind": kind,
            "object": object,
            "before": before,
            "limit": limit,
            "now": moment(now),
        },
    ).fetchall()
    return [_approval(row) for row in rows]


def decide(
    connection: Connection[Any],
    program_id: int,
    approval_id: int,
    *,
    approve: bool,
    by: Person,
    decision: str,
    now: int,
) -> Approval:
    """Approves or refuses a request, and does what follows from it. Does not commit.

    One decision is the first and only one. Raises NotDecided: there is no such request; it is decided or its time
    is over; who asked would approve himself (he may refuse, and so take it back). What the act raises undoes all.
    """
    row = connection.execute(
        DECIDE,
        {
            "approval": approval_id,
            "program": program_id,
            "state": "approved" if approve else "refused",
            "by": by.actor,
            "name": by.name,
            "now": moment(now),
            "decision": decision,
        },
    ).fetchone()
    if row is None:
        raise _why_not(connection, program_id, approval_id, now)
    found = _approval(row)
    kind = _kinds[found.kind]
    (kind.approved if approve else kind.refused)(connection, found, now)
    verb = "approve" if approve else "refuse"
    write_log(connection, by.actor, by.role, f"{found.kind}.{verb}", found.object, at=now, reason=decision)
    return found


def _why_not(connection: Connection[Any], program_id: int, approval_id: int, now: int) -> NotDecided:
    known = read(connection, program_id, approval_id)
    if known is None:
        return NotDecided(
            "unknown_approval", "There is no such approval in this program.", "see those that are asked for"
        )
    standing = known.standing(now)
    if standing != "asked":
        return NotDecided(
            "approval_decided", f"This is {standing} already.", "read it for who decided it and when"
        )
    return NotDecided(
        "same_person",
        "Who asked for it cannot approve it.",
        "let a second person approve it with a key or account of his own",
    )


def expire(connection: Connection[Any], program_id: int, *, now: int) -> int:
    """Ends the requests of a program that nobody has decided in time; how many. Commits each."""
    due = connection.execute(
        """
        -- approvals.due
        select approval_id from approval
        where program_id = %s and state = 'asked' and expires_at <= %s order by approval_id
        """,
        (program_id, moment(now)),
    ).fetchall()
    ended = 0
    for (approval_id,) in due:
        row = connection.execute(
            EXPIRE, {"approval": approval_id, "program": program_id, "now": moment(now)}
        ).fetchone()
        if row is not None:
            found = _approval(row)
            _kinds[found.kind].refused(connection, found, now)
            write_log(connection, WORKER.actor, WORKER.role, f"{found.kind}.expire", found.object, at=now)
            ended += 1
        connection.commit()
    return ended


# --- what one person has done by hand ---------------------------------------------------------------------

TAKE_ROOM: Final = """
-- approvals.take_room
insert into agent_day (agent, program_id, currency, day, used)
values (%(agent)s, %(program)s, %(currency)s, %(day)s, %(points)s)
on conflict (agent, program_id, currency, day) do update set used = agent_day.used + excluded.used
where agent_day.used + excluded.used <= %(most)s
returning used
"""


def take_room(
    connection: Connection[Any],
    program_id: int,
    *,
    agent: str,
    currency: str,
    day: str,
    points: int,
    most: int | None,
) -> bool:
    """Counts points (minor units, > 0) that a person moved by hand on a local day; False beyond the most.

    One statement on one row, so that calls at the same moment never take more together. Does not commit.
    """
    room = most if most is not None else 2**62
    if points > room:
        return False
    row = connection.execute(
        TAKE_ROOM,
        {
            "agent": agent,
            "program": program_id,
            "currency": currency,
            "day": day,
            "points": points,
            "most": room,
        },
    ).fetchone()
    return row is not None
