"""The fast path of reads against the slow one, byte for byte, and what it leaves to the slow one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.wsgi import get_wsgi_application

from palier.activities import queries as standings
from palier.api import limits, reads
from palier.engine.clock import DAY, HOUR, moment
from palier.site import clock, database
from palier.site.bridge import Bridge
from palier.staff import session
from palier.staff.operations import revoke_key
from palier.staff.queries import authenticate, forget_keys
from tests.api.shop import Shop, document

TOLD = ("wallets", "expiry", "progress")


class Asked:
    """A request as the server tells of it."""

    http_version = "1.1"
    server = "127.0.0.1:8000"
    client = "127.0.0.1:5000"
    scheme = "http"
    authority = None

    def __init__(
        self, path: str, headers: dict[str, str], *, method: str = "GET", query_string: str = ""
    ) -> None:
        self.path = path
        self.method = method
        self.query_string = query_string
        self.headers = {"host": "localhost", **headers}


class Answer:
    """Takes one answer, and counts how often one was given."""

    def __init__(self) -> None:
        self.given: list[tuple[int, dict[str, str], bytes]] = []

    async def __call__(self) -> bytes:
        return b""

    def __aiter__(self) -> Any:
        raise AssertionError("nobody sent a body")

    def response_empty(self, status: int, headers: list[tuple[str, str]]) -> None:
        self.given.append((status, dict(headers), b""))

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.given.append((status, dict(headers), body))

    def response_stream(self, status: int, headers: list[tuple[str, str]]) -> Any:
        raise AssertionError("nothing is streamed here")


class Desk:
    """Both paths in one process, at one instant."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.slow_answers = 0
        self.bridge = Bridge(get_wsgi_application(), threads=1, waiting=100, deadline_s=20)

    def asked(self, path: str, **options: Any) -> Asked:
        headers = {"authorization": f"Bearer {options.pop('token', self.shop.token)}"}
        return Asked(path, {**headers, **options.pop("headers", {})}, **options)

    def both(self, *asked: Asked, learn: bool = True) -> list[tuple[Any, Any, bool]]:
        """The fast and the slow answer to each, all asked at once, and whether the fast one came fast."""
        teacher = self.shop.enrol("teacher")

        async def run() -> list[tuple[Any, Any, bool]]:
            slow_of: set[int] = set()

            async def slow(scope: Any, protocol: Any) -> None:
                slow_of.add(id(scope))
                await self.bridge.handle(scope, protocol)

            fast = reads.Reads(asyncio.get_running_loop(), slow)
            if learn:
                await asyncio.to_thread(lambda: [authenticated(scope) for scope in (*asked, self.asked(""))])
            for scope in asked if learn else ():
                if fast._heads.find(fast._heads.key(scope)) is None:  # type: ignore[arg-type]
                    first = self.asked(f"/v1/members/{teacher}/wallets")
                    first.headers = {**scope.headers, "authorization": f"Bearer {self.shop.token}"}
                    assert await fast.handle(first, Answer())  # type: ignore[arg-type]
                    assert id(first) in slow_of

            async def one(scope: Asked) -> tuple[Any, Any, bool]:
                given, reference = Answer(), Answer()
                if not await fast.handle(scope, given):
                    assert given.given == []
                    await slow(scope, given)
                await self.bridge.handle(scope, reference)
                assert (len(given.given), len(reference.given)) == (1, 1)
                return given.given[0], reference.given[0], id(scope) not in slow_of

            found = await asyncio.gather(*(one(scope) for scope in asked))
            await fast._forget_connection()
            return list(found)

        return asyncio.run(run())


def authenticated(scope: Asked) -> None:
    """Has the key of a request read, as a first call by it does."""
    with database.connect("app", autocommit=True) as connection:
        authenticate(connection, scope.headers["authorization"])


@pytest.fixture
def desk(database: str) -> Iterator[Desk]:
    """A shop with pending points, holds, debts and points that expire, and a clock that stands still."""
    forget_keys()
    session.close()
    limits._buckets.clear()
    data = document()
    data["point_currencies"][0]["expiry"] = {"kind": "rolling", "days": 30, "grace_days": 3}
    made = Desk(Shop(data=data))
    yield made
    made.bridge.close()
    session.close()


@pytest.fixture
def stand_still(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    def at(instant: int) -> None:
        monkeypatch.setattr(clock, "now", lambda: instant)

    return at


def members(shop: Shop) -> dict[str, str]:
    """One member of each kind, by what is particular about him."""
    found = {name: shop.enrol(name) for name in ("nothing", "points", "pending", "held", "owing", "gold")}
    shop.sale(found["points"], "42.10")
    shop.sale(found["pending"], "150.00")
    shop.sale(found["held"], "80.00")
    hold = {"member": found["held"], "currency": "stars", "points": "20.00", "capture": False,
            "hold_minutes": 60}  # fmt: skip
    assert shop.post("/redemptions", hold).status == 201
    sale = shop.sale(found["owing"], "50.00")
    spend = {"member": found["owing"], "currency": "stars", "points": "40.00"}
    assert shop.post("/redemptions", spend).status == 201
    back = {"source": "till", "id": "back", "type": "return", "occurred_at": moment(clock.now()).isoformat(),
            "whole": True, "sale": {"source": "till", "id": sale["id"]}}  # fmt: skip
    assert shop.post("/activities", back).status == 200
    shop.sale(found["gold"], "150.00")
    shop.sale(found["gold"], "150.00")
    return found


@pytest.mark.parametrize(
    "later", [0, 2 * HOUR, 3 * DAY, 31 * DAY, 34 * DAY, 400 * DAY], ids=lambda later: f"{later // HOUR}h"
)
def test_the_same_bytes_by_both_paths(desk: Desk, stand_still: Callable[[int], None], later: int) -> None:
    """Also of what is due and not done: nobody did the due work of these members."""
    found = members(desk.shop)
    stand_still(clock.now() + later)
    forget_keys()
    asked = [desk.asked(f"/v1/members/{ref}/{told}") for ref in found.values() for told in TOLD]
    answers = desk.both(*asked)
    assert [fast for fast, _, _ in answers] == [slow for _, slow, _ in answers]
    assert all(quick for _, _, quick in answers)
    assert {status for (status, _, _), _, _ in answers} == {200}
    bodies = {body for (_, _, body), _, _ in answers}
    assert len(bodies) == len(answers)
    if later == 0:
        text = b"".join(bodies)
        for part in (b'"held":"20.00"', b'"debt":"40.00"', b'"pending":"1"', b'"tier":"gold"'):
            assert part in text


def test_who_is_nobody_here(desk: Desk, stand_still: Callable[[int], None]) -> None:
    own = desk.shop.enrol("own")
    erased = desk.shop.enrol("erased")
    with database.connect("owner") as connection:
        connection.execute("update member set status = 'erased' where member_id ="
                           " (select max(member_id) from member)")  # fmt: skip
        erased_id = connection.execute("select member_id from member where status = 'erased'").fetchone()
        assert erased_id is not None
        connection.commit()
    other = Shop("other", document("other"))
    foreign = other.enrol("foreign")
    stand_still(clock.now())
    asked = [
        desk.asked(f"/v1/members/{ref}/wallets") for ref in ("m_0000000000000", foreign, own, own.upper())
    ]
    answers = desk.both(*asked)
    assert [fast for fast, _, _ in answers] == [slow for _, slow, _ in answers]
    assert [fast[0] for fast, _, _ in answers[:2]] == [404, 404]
    assert all(quick for _, _, quick in answers)
    answers = desk.both(desk.asked(f"/v1/members/{erased}/wallets"), learn=False)
    assert answers[0][0][0] == answers[0][1][0]


def test_what_is_left_to_the_slow_path(desk: Desk, stand_still: Callable[[int], None]) -> None:
    """No key, a wrong one, one without the right, a query, a cookie, another address: one way to refuse."""
    ref = desk.shop.enrol("own")
    weak = desk.shop.new_key(["activities:write"]).token
    path = f"/v1/members/{ref}/wallets"
    stand_still(clock.now())
    asked = [
        desk.asked(path, token="none"),
        desk.asked(path, token=weak),
        desk.asked(path, query_string="as_of=2030-01-01T00:00:00Z"),
        desk.asked(path, query_string="wrong=1"),
        desk.asked(path, headers={"cookie": "a=b"}),
        desk.asked(f"/v1/members/{ref}"),
        desk.asked("/v1/members/nobody/wallets"),
        desk.asked(f"{path}/"),
    ]
    answers = desk.both(*asked)
    assert [fast for fast, _, _ in answers] == [slow for _, slow, _ in answers]
    assert not any(quick for _, _, quick in answers)
    assert [fast[0] for fast, _, _ in answers] == [401, 403, 200, 422, 200, 200, 404, 404]


def test_a_revoked_key_stops_within_seconds(desk: Desk) -> None:
    path = f"/v1/members/{desk.shop.enrol('own')}/wallets"
    key = desk.shop.new_key()
    assert desk.both(desk.asked(path, token=key.token))[0][0][0] == 200
    with database.connect("app") as connection:
        revoke_key(connection, key.prefix, now=clock.now())
        connection.commit()
    forget_keys()
    assert desk.both(desk.asked(path, token=key.token))[0][0][0] == 401


def test_headers_follow_what_they_depend_on(desk: Desk, stand_still: Callable[[int], None]) -> None:
    path = f"/v1/members/{desk.shop.enrol('own')}/wallets"
    stand_still(clock.now())
    for language in ("fr", "en", "fr"):
        asked = [desk.asked(path, headers={"accept-language": language}) for _ in range(2)]
        for fast, slow, _ in desk.both(*asked):
            assert fast == slow
            assert fast[1]["content-language"] == language


def test_a_call_costs_what_it_costs_on_the_slow_path(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, stand_still: Callable[[int], None]
) -> None:
    path = f"/v1/members/{desk.shop.enrol('own')}/wallets"
    stand_still(clock.now())
    taken: list[float] = []

    def allow(prefix: str, cost: float = 1.0) -> float | None:
        taken.append(cost)
        return None

    monkeypatch.setattr(reads, "allow", allow)
    desk.both(desk.asked(path))
    assert taken == [reads.COST]
    monkeypatch.undo()
    limits._buckets[desk.shop.token[3:15]] = (0.0, float(2**40))
    stand_still(clock.now())
    ((fast, slow, quick),) = desk.both(desk.asked(path), learn=False)
    assert (fast[0], slow[0], quick) == (429, 429, False)


def test_a_new_version_is_told_by(desk: Desk, stand_still: Callable[[int], None]) -> None:
    """What this process has not compiled yet is left to the slow path, which compiles it."""
    ref = desk.shop.enrol("own")
    assert desk.both(desk.asked(f"/v1/members/{ref}/wallets"))[0][2]
    data = document()
    del data["effective_from"]
    data["point_currencies"][0]["expiry"] = {"kind": "rolling", "days": 30, "grace_days": 3}
    data["point_currencies"].append({**data["point_currencies"][1], "key": "tokens"})
    Shop(data=data)
    ((fast, slow, _),) = desk.both(desk.asked(f"/v1/members/{ref}/wallets"))
    assert b'"tokens"' in fast[2]
    assert b'"tokens"' in slow[2]


def test_a_defect_is_left_to_the_slow_path(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, stand_still: Callable[[int], None]
) -> None:
    path = f"/v1/members/{desk.shop.enrol('own')}/wallets"
    stand_still(clock.now())

    async def lost(*_: Any) -> Any:
        raise OSError("the database went away")

    monkeypatch.setattr(standings, "standings", lost)
    ((fast, slow, quick),) = desk.both(desk.asked(path))
    assert fast == slow
    assert (fast[0], quick) == (200, False)
