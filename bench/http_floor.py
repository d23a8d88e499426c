"""The floors of HTTP (F5, F7): a bare RSGI application. No product code.

POST /decode  decodes the JSON of one activity and replies
POST /commit  the same, then one durable transaction per request, in three statements
"""

from __future__ import annotations

import os
from typing import Any

import msgspec
from psycopg_pool import AsyncConnectionPool

CONNECTIONS = 16


class Line(msgspec.Struct):
    """A basket line."""

    amount: str
    category: str = ""
    quantity: int = 0


class Sale(msgspec.Struct):
    """As much of an activity as has to be read."""

    source: str
    id: str
    type: str
    member: dict[str, str]
    occurred_at: str
    amount: str
    currency: str
    lines: list[Line] = []


class Answer(msgspec.Struct):
    """What is replied."""

    status: str
    id: str


_decode = msgspec.json.Decoder(Sale).decode
_encode = msgspec.json.Encoder().encode
_HEADERS = [("content-type", "application/json")]


class Application:
    """The RSGI application."""

    def __init__(self) -> None:
        self.pool: AsyncConnectionPool[Any] | None = None

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        sale = _decode(await protocol())
        status = "applied"
        if scope.path == "/commit":
            status = await self.commit(sale)
        protocol.response_bytes(200, _HEADERS, _encode(Answer(status, sale.id)))

    async def commit(self, sale: Sale) -> str:
        """Claim, entry and balance in one transaction of its own."""
        if self.pool is None:
            pool: AsyncConnectionPool[Any] = AsyncConnectionPool(
                os.environ["BENCH_DSN"], min_size=CONNECTIONS, max_size=CONNECTIONS, open=False
            )
            self.pool = pool
            await pool.open(wait=True)
        member = int(sale.member["external_id"].rpartition("-")[2])
        cents = int(sale.amount.replace(".", ""))
        async with self.pool.connection() as connection, connection.transaction():
            claim = await connection.execute(
                "insert into claim (external_id, source) values (%s, %s) on conflict do nothing",
                (sale.id, sale.source),
            )
            if not claim.rowcount:
                return "duplicate"
            await connection.execute(
                "insert into entry (member_id, external_id, amount) values (%s, %s, %s)",
                (member, sale.id, cents),
            )
            await connection.execute(
                "update balance set posted = posted + %s where member_id = %s", (cents, member)
            )
        return "applied"


app = Application()
