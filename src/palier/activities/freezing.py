"""Freezing a member: he goes on earning and cannot spend, until he is unfrozen. The ledger does not change."""

from __future__ import annotations

from typing import Any

from psycopg import Connection

from palier.activities.operations import NotDone, lock_member, refuse_card_numbers, unknown_member
from palier.activities.runtime import Runtime
from palier.engine.refusals import Refusal, RefusalCode
from palier.engine.sentences import sentence
from palier.members import operations as enrolment
from palier.members import queries as members
from palier.staff.approvals import Person
from palier.staff.operations import write_log


def refuse_merged(view: members.MemberView) -> None:
    """Refuses (NotDone) to change a member that was merged into another."""
    if view.merged_into is not None:
        raise NotDone(
            Refusal(
                RefusalCode.MEMBER_MERGED,
                sentence("the member was merged into %(merged_into)s", merged_into=view.merged_into),
                "member",
                sentence("name the member that it was merged into"),
            )
        )


def set_frozen(
    connection: Connection[Any],
    runtime: Runtime,
    member_id: int,
    frozen: bool,
    *,
    reason: str,
    by: Person,
    now: int,
) -> bool:
    """Freezes or unfreezes a member; False where he was so already. Logged. Does not commit.

    Refused (NotDone): unknown_member, also for one that was erased; member_merged.
    """
    lock_member(connection, member_id)
    view = members.read(connection, runtime.program_id, member_id)
    if view is None or view.status == "erased":
        raise NotDone(unknown_member("member"))
    refuse_merged(view)
    refuse_card_numbers(reason, by.actor)
    status = "frozen" if frozen else "active"
    if view.status == status:
        return False
    enrolment.set_status(connection, runtime.program_id, member_id, status)
    action = "member.freeze" if frozen else "member.unfreeze"
    write_log(connection, by.actor, by.role, action, view.ref, at=now, reason=reason)
    return True
