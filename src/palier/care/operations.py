"""What becomes of a member's cases, answers and wish when he is erased."""

from __future__ import annotations

from typing import Any, Final

from psycopg import Connection

_TABLES: Final = ("case_message", "support_case", "survey_answer", "wish")


def forget(connection: Connection[Any], member_id: int) -> dict[str, int]:
    """Deletes all that the room keeps of a member; how many rows of each table. Does not commit.

    Answers to surveys go too: free text may say who wrote it.
    """
    return {
        table: connection.execute(
            f"-- care.forget\ndelete from {table} where member_id = %s",
            (member_id,),
        ).rowcount
        for table in _TABLES
    }
