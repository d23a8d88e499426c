"""This room's part of a member's erasure and of the export of his data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from psycopg import Connection

from palier.activities.runtime import Runtime
from palier.care import operations
from palier.engine.clock import instant
from palier.members import refs
from palier.privacy import erasure, export

CASES: Final = """
-- care.export_messages
select m.case_id, m.author, m.text, m.at from case_message m where m.member_id = %(member)s order by m.at
"""

ANSWERS: Final = """
-- care.export_answers
select a.survey, a.version, a.state, a.answers::text, a.at from survey_answer a
where a.member_id = %(member)s and a.program_id = %(program)s order by a.at
"""

WISH: Final = """
-- care.export_wish
select w.reward, w.since from wish w where w.member_id = %(member)s and w.program_id = %(program)s
"""


@erasure.register_forgetter
def forget(connection: Connection[Any], program_id: int, member_ids: Sequence[int]) -> int:
    """Deletes cases, answers and wishes of members who are erased; how many rows."""
    return sum(sum(operations.forget(connection, member_id).values()) for member_id in member_ids)


def told(connection: Connection[Any], runtime: Runtime, member_id: int, language: str) -> dict[str, Any]:
    """What a member asked and answered, and what he saves for."""
    named = {"member": member_id, "program": runtime.program_id}
    wish = connection.execute(WISH, named).fetchone()
    return {
        "messages": [
            {"case": refs.encode_as("ca", case), "from": author, "text": text, "at": export.at(instant(at))}
            for case, author, text, at in connection.execute(CASES, named).fetchall()
        ],
        "surveys": [
            {
                "survey": key, "version": version, "state": state,
                "answers": msgspec.json.decode(answers) if answers else None, "at": export.at(instant(at)),
            }
            for key, version, state, answers, at in connection.execute(ANSWERS, named).fetchall()
        ],
        "saves_for": {"reward": wish[0], "since": export.at(instant(wish[1]))} if wish is not None else None,
    }  # fmt: skip


export.register_part("care", told)
