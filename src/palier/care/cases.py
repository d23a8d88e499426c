"""Cases: what a member says is wrong, tied to a line of his account, and what the shop answers."""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec
from msgspec import Struct
from psycopg import Connection

from palier.activities import operations as commands
from palier.activities.runtime import Runtime
from palier.care.refusals import CareRefusal, CareRefused
from palier.engine import payment_cards
from palier.engine.characters import readable
from palier.engine.clock import instant, moment
from palier.members import queries as members
from palier.members import refs
from palier.privacy import messages as messages_to
from palier.site.ids import new_id
from palier.staff.approvals import Person
from palier.staff.operations import write_log

# ruff: noqa: S608 -- statements are put together from the constants of this room alone

LONGEST_TEXT: Final = 2_000
MOST_OPEN: Final = 5
"""Cases of one member that are not closed."""
MOST_MESSAGES: Final = 50
"""Messages of one case."""

State = Literal["open", "answered", "closed"]


class Case(Struct, frozen=True):
    """A case as it stands. `activity_id`: the line it is about (0: none). Instants are microseconds UTC.

    `unread`: the shop has said something since the member last looked.
    """

    member_id: int
    case_id: int
    program_id: int
    activity_id: int
    state: State
    opened_at: int
    changed_at: int
    unread: bool

    @property
    def ref(self) -> str:
        """The public id: the member's reference, a point, and the case's id in the same alphabet."""
        return f"{refs.encode(self.member_id)}.{refs.encode(self.case_id).removeprefix('m_')}"

    @property
    def own(self) -> str:
        """The part of its public id by which the member's own pages name it."""
        return refs.encode(self.case_id).removeprefix("m_")


class Said(Struct, frozen=True):
    """One message of a case."""

    author: Literal["member", "shop"]
    actor: str
    text: str
    at: int


def decode_case_ref(ref: str) -> tuple[int, int] | None:
    """(member id, case id) of a public id; None for text that cannot be one."""
    member, _, case = ref.partition(".")
    try:
        return refs.decode(member), refs.decode(f"m_{case}")
    except ValueError:
        return None


def decode_own(text: str) -> int | None:
    """The case id of what a member's own pages name it by; None for text that cannot be one."""
    try:
        return refs.decode(f"m_{text}")
    except ValueError:
        return None


# --- reading ----------------------------------------------------------------------------------------------

_COLUMNS: Final = (
    "c.member_id, c.case_id, c.program_id, c.activity_id, c.state, c.opened_at, c.changed_at, c.seen_at"
)

READ: Final = f"""
-- care.case
select {_COLUMNS} from support_case c
where c.member_id = %(member)s and c.case_id = %(case)s and c.program_id = %(program)s
"""

OF_MEMBER: Final = f"""
-- care.cases_of_member
select {_COLUMNS} from support_case c
where c.member_id = any(%(members)s) and c.program_id = %(program)s
  and (%(before)s::bigint is null or c.case_id < %(before)s)
order by c.case_id desc
limit %(limit)s
"""

WAITING: Final = f"""
-- care.cases
-- all members: cases of a program in a state, those that wait longest first, by an index of states
select {_COLUMNS} from support_case c
where c.program_id = %(program)s and c.state = %(state)s
  and (c.changed_at, c.case_id) > (%(at)s, %(case)s)
order by c.changed_at, c.case_id
limit %(limit)s
"""

WAITS_ALREADY: Final = f"""
-- care.waits_already
select {_COLUMNS} from support_case c join case_message m using (member_id, case_id)
where c.member_id = %(member)s and c.program_id = %(program)s and c.state = 'open'
  and c.activity_id is not distinct from %(line)s
group by c.member_id, c.case_id
having count(*) = 1 and min(m.text) = %(text)s
order by c.case_id
limit 1
"""

COUNTS: Final = """
-- care.case_counts
-- all members: how many cases stand in each state, by an index of states
select state, count(*) from support_case where program_id = %s and state <> 'closed' group by state
"""

MESSAGES: Final = """
-- care.messages
select author, actor, text, at from case_message
where member_id = %s and case_id = %s order by at, message_id
"""


def _case(row: tuple[Any, ...]) -> Case:
    member_id, case_id, program_id, activity_id, state, opened, changed, seen = row
    return Case(
        member_id,
        case_id,
        program_id,
        activity_id or 0,
        state,
        instant(opened),
        instant(changed),
        seen < changed,
    )


def read(connection: Connection[Any], program_id: int, member_id: int, case_id: int) -> Case | None:
    """One case of a member of this program; None where there is none."""
    row = connection.execute(READ, {"member": member_id, "case": case_id, "program": program_id}).fetchone()
    return _case(row) if row is not None else None


def read_own(connection: Connection[Any], program_id: int, member_id: int, case_id: int) -> Case | None:
    """A case of a member, or of one that was merged into him; None where there is none."""
    found = read(connection, program_id, member_id, case_id)
    for merged in members.merged_into(connection, program_id, member_id) if found is None else ():
        found = found or read(connection, program_id, merged, case_id)
    return found


def not_closed(connection: Connection[Any], program_id: int, member_id: int) -> int:
    """How many cases of a member, and of those merged into him, wait for somebody."""
    return sum(case.state != "closed" for case in of_member(connection, program_id, member_id))


def of_member(
    connection: Connection[Any],
    program_id: int,
    member_id: int,
    *,
    before: int | None = None,
    limit: int = 50,
) -> list[Case]:
    """A page of a member's cases, the latest first."""
    parameters = {
        "members": [member_id, *members.merged_into(connection, program_id, member_id)],
        "program": program_id,
        "before": before,
        "limit": limit,
    }
    return [_case(row) for row in connection.execute(OF_MEMBER, parameters)]


def in_state(
    connection: Connection[Any], program_id: int, state: State, *, after: tuple[int, int] = (0, 0), limit: int
) -> list[Case]:
    """A page of a program's cases in a state, those that wait longest first; `after` is (changed_at, case id)."""
    parameters = {
        "program": program_id,
        "state": state,
        "at": moment(after[0]),
        "case": after[1],
        "limit": limit,
    }
    return [_case(row) for row in connection.execute(WAITING, parameters)]


def counts(connection: Connection[Any], program_id: int) -> dict[str, int]:
    """How many cases are open and how many are answered."""
    return {"open": 0, "answered": 0, **dict(connection.execute(COUNTS, (program_id,)).fetchall())}


def messages(connection: Connection[Any], case: Case) -> list[Said]:
    """What was said in a case, the first first."""
    rows = connection.execute(MESSAGES, (case.member_id, case.case_id))
    return [Said(author, actor, text, instant(at)) for author, actor, text, at in rows]


def line_named(
    connection: Connection[Any], program_id: int, member_id: int, source: str, identifier: str
) -> int:
    """The line of a member's history with this source and id. Refused (unknown_line) where there is none."""
    row = connection.execute(
        """
        -- care.line_named
        select c.activity_id from activity_claim c
        where c.external_id = %s and c.source = %s and c.program_id = %s and c.member_id = %s
          and c.activity_id is not null
        """,
        (identifier, source, program_id, member_id),
    ).fetchone()
    if row is None:
        raise _no_line()
    return int(row[0])


def line_of(connection: Connection[Any], case: Case) -> tuple[str, str] | None:
    """Source and id of the line that a case is about; None where it is about none."""
    if not case.activity_id:
        return None
    row = connection.execute(
        "-- care.line_of\nselect source, coalesce(external_id, '') from activity"
        " where member_id = %s and activity_id = %s",
        (case.member_id, case.activity_id),
    ).fetchone()
    return (row[0], row[1]) if row is not None else None


def _no_line() -> CareRefused:
    return CareRefused(
        CareRefusal.UNKNOWN_LINE,
        "there is no such line in this member's history",
        field="activity",
        remedy="name a line of this member, or none",
    )


# --- writing ----------------------------------------------------------------------------------------------


def clean_text(text: str, field: str = "text", most: int = LONGEST_TEXT) -> str:
    """What somebody wrote: what can be read of it, without spaces around it. Refused: nothing, too much, and numbers
    of payment cards."""
    said = "\n".join(line.rstrip() for line in readable(text.replace("\v", "\n")).strip().splitlines())
    if not said or len(said) > most:
        raise CareRefused(
            CareRefusal.INVALID_TEXT,
            f"the text has 1 to {most} characters",
            field=field,
            remedy="say in a few sentences what is wrong",
        )
    if payment_cards.holds_number(said, "text"):
        raise CareRefused(
            CareRefusal.PAYMENT_CARD_NUMBER,
            "the text holds the number of a payment card, which is not stored here",
            field=field,
            remedy="leave the number out; the shop never needs it",
        )
    return said


def open_case(
    connection: Connection[Any],
    runtime: Runtime,
    *,
    member_id: int,
    text: str,
    once: str,
    activity_id: int | None = None,
    by: Person | None = None,
    now: int,
) -> Case:
    """Opens a case of a member, about a line of his account where one is named. Does not commit.

    `by` is who opens it for him, None where he does. The same `once` again gives the case it opened, and so do the
    same words about the same line while no more was said: a browser that goes back shows the form with its words and
    another `once`. Refused: unknown_line, invalid_text, payment_card_number, and too_many_cases while five are not
    closed.
    """
    said = clean_text(text)
    commands.lock_member(connection, member_id)
    before = connection.execute(
        "-- care.opened\nselect case_id from case_message where member_id = %s and once = %s",
        (member_id, once),
    ).fetchone()
    if before is not None:
        known = read(connection, runtime.program_id, member_id, before[0])
        assert known is not None
        return known
    if activity_id is not None and not _has_line(connection, runtime.program_id, member_id, activity_id):
        raise _no_line()
    waiting = connection.execute(
        WAITS_ALREADY,
        {"member": member_id, "program": runtime.program_id, "line": activity_id, "text": said},
    ).fetchone()
    if waiting is not None:
        return _case(waiting)
    row = connection.execute(
        "-- care.not_closed\n"
        "select count(*) from support_case where member_id = %s and program_id = %s and state <> 'closed'",
        (member_id, runtime.program_id),
    ).fetchone()
    if row is not None and row[0] >= MOST_OPEN:
        raise CareRefused(
            CareRefusal.TOO_MANY_CASES,
            f"{MOST_OPEN} cases of this member are not closed yet",
            remedy="add to one of them, or close it",
        )
    found = Case(member_id, new_id(), runtime.program_id, activity_id or 0, "open", now, now, False)
    connection.execute(
        """
        -- care.open
        insert into support_case
          (member_id, case_id, program_id, activity_id, state, opened_at, changed_at, seen_at)
        values (%s, %s, %s, %s, 'open', %s, %s, %s)
        """,
        (member_id, found.case_id, runtime.program_id, activity_id, moment(now), moment(now), moment(now)),
    )
    _say(connection, found, "member", by.actor if by is not None else "member", said, once, now)
    if by is not None:
        write_log(connection, by.actor, by.role, "case.open", found.ref, at=now)
    return found


def _has_line(connection: Connection[Any], program_id: int, member_id: int, activity_id: int) -> bool:
    return (
        connection.execute(
            "-- care.line\nselect 1 from activity where member_id = %s and activity_id = %s and program_id = %s",
            (member_id, activity_id, program_id),
        ).fetchone()
        is not None
    )


def answer(
    connection: Connection[Any],
    case: Case,
    *,
    text: str,
    once: str,
    by: Person,
    now: int,
    close: bool = False,
) -> Case:
    """The shop answers a case; with `close` that is the end of it. Does not commit. Refused once it is closed."""
    found = _add(connection, case, "shop", by.actor, text, once, "closed" if close else "answered", now)
    messages_to.tell(
        connection,
        case.program_id,
        heir_of(connection, case),
        "case_answered",
        {"case": case.own},
        once=f"case:{once}",
        now=now,
    )
    write_log(connection, by.actor, by.role, "case.answer", case.ref, at=now)
    return found


def heir_of(connection: Connection[Any], case: Case) -> int:
    """Whose case it is now: the member who opened it, or the one he was merged into."""
    heir = members.heirs(connection, case.program_id, [case.member_id]).get(case.member_id)
    return heir.member_id if heir is not None else case.member_id


def follow_up(connection: Connection[Any], case: Case, *, text: str, once: str, now: int) -> Case:
    """The member says more: it is the shop's turn again. Does not commit. Refused once the case is closed."""
    return _add(connection, case, "member", "member", text, once, "open", now)


def _add(
    connection: Connection[Any],
    case: Case,
    author: Literal["member", "shop"],
    actor: str,
    text: str,
    once: str,
    state: State,
    now: int,
) -> Case:
    said = clean_text(text)
    held = _locked(connection, case)
    again = connection.execute(
        "-- care.said\nselect case_id from case_message where member_id = %s and once = %s",
        (case.member_id, once),
    ).fetchone()
    if again is not None and again[0] == case.case_id:
        return held
    count = connection.execute(
        "-- care.message_count\nselect count(*) from case_message where member_id = %s and case_id = %s",
        (case.member_id, case.case_id),
    ).fetchone()
    if held.state == "closed" or (count is not None and count[0] >= MOST_MESSAGES):
        raise CareRefused(
            CareRefusal.CASE_CLOSED, "this case is closed", remedy="open another one about the same line"
        )
    _say(connection, held, author, actor, said, once, now)
    return _move(connection, held, state, now, seen=author == "member")


def close(connection: Connection[Any], case: Case, *, by: Person | None = None, now: int) -> Case:
    """Closes a case; one that is closed stays as it is. Does not commit. `by` is None where the member does it."""
    held = _locked(connection, case)
    if held.state == "closed":
        return held
    found = _move(connection, held, "closed", now, seen=by is None)
    if by is not None:
        write_log(connection, by.actor, by.role, "case.close", case.ref, at=now)
    return found


def seen(connection: Connection[Any], case: Case, *, now: int) -> None:
    """Notes that the member has looked at what the shop said. Does not commit."""
    connection.execute(
        "-- care.seen\nupdate support_case set seen_at = %s where member_id = %s and case_id = %s",
        (moment(max(now, case.changed_at)), case.member_id, case.case_id),
    )


def _locked(connection: Connection[Any], case: Case) -> Case:
    commands.lock_member(connection, case.member_id)
    found = read(connection, case.program_id, case.member_id, case.case_id)
    if found is None:
        raise CareRefused(CareRefusal.UNKNOWN_CASE, "there is no such case", remedy="check its id")
    return found


def _say(
    connection: Connection[Any], case: Case, author: str, actor: str, text: str, once: str, now: int
) -> None:
    connection.execute(
        """
        -- care.say
        insert into case_message (member_id, message_id, case_id, author, actor, once, text, at)
        values (%s, %s, %s, %s, %s, %s, %s, %s)
        """,
        (case.member_id, new_id(), case.case_id, author, actor, once, text, moment(now)),
    )


def _move(connection: Connection[Any], case: Case, state: State, now: int, *, seen: bool) -> Case:
    connection.execute(
        """
        -- care.move
        update support_case
        set state = %s, changed_at = %s, seen_at = case when %s then %s else seen_at end
        where member_id = %s and case_id = %s
        """,
        (state, moment(now), seen, moment(now), case.member_id, case.case_id),
    )
    return msgspec.structs.replace(case, state=state, changed_at=now, unread=not seen)
