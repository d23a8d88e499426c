"""A published program, a member of it, and what vouchers of it are issued and used with."""

from __future__ import annotations

from typing import Any

import pytest

from palier.activities.runtime import Runtime
from palier.engine.clock import DAY
from palier.site import clock
from palier.vouchers import operations
from palier.vouchers.operations import Issued, Presented
from tests.activities.program import Connection, member, program, published

EFFECT = {"kind": "amount_off", "amount": "5.00"}


class Desk:
    """Issues and uses vouchers of one program at the server's instant, on the test's connection."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.runtime: Runtime = published(connection, program())
        self.program_id = self.runtime.program_id
        self.now = clock.now()

    def member(self, card: str = "ann") -> int:
        return member(self.connection, self.program_id, card)

    def issue(self, **settings: Any) -> Issued:
        given = {"member_id": None, "effect": EFFECT, "origin": "test", "now": self.now, **settings}
        made = operations.issue(self.connection, self.program_id, **given)
        self.connection.commit()
        return made

    def use(self, code: str, id: str, **settings: Any) -> operations.Use:
        """A use at till 3, committed."""
        shown = Presented(code, settings.pop("member_id", None), settings.pop("pin", ""))
        given = {"source": "till-3", "now": self.now, **settings}
        try:
            made = operations.use(self.connection, self.program_id, shown, id=id, **given)
        except BaseException:
            self.connection.rollback()
            raise
        self.connection.commit()
        return made

    def later(self, days: int) -> int:
        return self.now + days * DAY


@pytest.fixture
def desk(connection: Connection) -> Desk:
    return Desk(connection)
