"""What every operation has in common: who calls, on which connection, and answering writes once."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import msgspec
from django.http import HttpRequest, HttpResponse
from ninja.security import HttpBearer

from palier.activities import batch
from palier.activities.answers import Result, points_text
from palier.activities.operations import NotDone, known_member
from palier.activities.runtime import Runtime, runtime
from palier.api.bodies import is_text
from palier.api.limits import allow
from palier.api.problems import Problem, no_such_address, of_refusal, refuse_when_full
from palier.engine.clock import moment
from palier.engine.payment_cards import holds_number
from palier.engine.state import NEVER
from palier.members.queries import heirs
from palier.programs.telling import StillWritten, tell
from palier.site import clock
from palier.staff.approvals import Person
from palier.staff.operations import Answer, InFlight, KeyReused, once
from palier.staff.queries import Key, authenticate, cached
from palier.staff.session import AnyConnection, Unavailable, session

COST: Final = 20.0
"""What a call costs of its key's bucket; a request on the fast path costs one."""

encode = msgspec.json.Encoder().encode


class ApiKey(HttpBearer):
    """A key as `Authorization: Bearer pk_...`, with the right that the operation asks for.

    For the key of a partner, only operations with `partners` exist: they answer it with what is its own.
    """

    def __init__(self, right: str, *, partners: bool = False) -> None:
        super().__init__()
        self.right = right
        self.partners = partners

    def __call__(self, request: HttpRequest) -> Key:
        header = request.headers.get("Authorization", "")
        key = cached(header)
        if key is None:
            with session() as connection:
                key = authenticate(connection, header)
        if key is None:
            raise Problem(
                401, "unauthorized", "The call bears no valid API key.",
                field="Authorization", remedy="send it as 'Authorization: Bearer pk_...'",
            )  # fmt: skip
        wait_s = allow(key.prefix, COST)
        if wait_s is not None:
            raise Problem(
                429, "too_many_requests", "This key calls too fast; wait before the next call.",
                retry_after_s=wait_s,
            )  # fmt: skip
        if key.partner and not self.partners:
            raise no_such_address()
        if self.right not in key.rights:
            raise Problem(
                403, "forbidden", f"This key lacks the right {self.right}.",
                remedy="ask for a key with this right",
            )  # fmt: skip
        return key

    def authenticate(self, request: HttpRequest, token: str) -> Key:
        raise NotImplementedError("the header is read as a whole")


@dataclass(frozen=True, slots=True)
class Call:
    """One call: its connection, the key that calls, the key's program, and the server's instant."""

    connection: AnyConnection
    key: Key
    runtime: Runtime
    now: int

    @property
    def source(self) -> str:
        """The source of commands that name none."""
        return f"{self.key.partner or 'api'}:{self.key.prefix}"

    @property
    def person(self) -> Person:
        """Who calls, as a second person must not be: the key, and whose it is by its name."""
        return Person(f"key:{self.key.prefix}", self.key.name, "integration")

    def member(self, ref: str, field: str = "member") -> int:
        """The member of a reference in the key's program; the uniform 404 problem otherwise."""
        try:
            return known_member(self.connection, self.runtime, ref, field)
        except NotDone as refused:
            raise of_refusal(refused.refusal) from None

    def acting(self, ref: str, field: str = "member") -> int:
        """The member on whom a write to this reference acts; the uniform 404 problem otherwise."""
        member_id = self.member(ref, field)
        heir = heirs(self.connection, self.key.program_id, [member_id]).get(member_id)
        return heir.member_id if heir is not None else member_id

    def tell(self, at: int) -> int:
        """Sees to it that what was recorded by an instant is all there, before what is read of it; the instant."""
        try:
            return tell(self.connection, self.key.program_id, min(at, self.now))
        except StillWritten as refused:
            raise Problem(503, "try_again", str(refused), retry_after_s=1) from None

    def points(self, currency: str, minor: int) -> str:
        """Points as decimal text at the currency's scale."""
        return points_text(minor, self.runtime.latest, currency)


@contextmanager
def call(request: HttpRequest, *, snapshot: bool = False) -> Iterator[Call]:
    """The call that a request makes; `snapshot` reads everything as of one instant of the database."""
    key: Key = request.auth  # type: ignore[attr-defined]
    with session(snapshot=snapshot) as connection:
        found = runtime(connection, key.program)
        if found is None:
            raise Problem(404, "unknown_program", "The program of this key is not published.")
        yield Call(connection, key, found, clock.now())


def answer(content: Any, status: int = 200) -> HttpResponse:
    """A JSON answer."""
    return HttpResponse(encode(content), status=status, content_type="application/json")


Act = Callable[[Call, str], Answer]


def write(request: HttpRequest, name: str, key: str | None, act: Act) -> HttpResponse:
    """Runs a write in one transaction and answers it; with an Idempotency-Key, once for all its repetitions.

    `act` takes the call and an id for the command it makes: it follows from the key, so that a repetition
    makes the same command. What it refuses by raising leaves nothing behind and is not replayed.
    """
    refuse_when_full()
    if key is not None and holds_number(key, "id"):
        raise Problem(
            422, "payment_card_number", "The Idempotency-Key holds the number of a payment card.",
            field="Idempotency-Key", remedy="use a key of your own, such as a UUID",
        )  # fmt: skip
    with call(request) as made:
        identifier = f"{name}:{key}" if key is not None else f"{name}-{secrets.token_hex(12)}"

        def run() -> Answer:
            return act(made, identifier)

        def whole() -> Answer:
            if key is None:
                return run()
            content = b"\n".join(
                (str(request.method).encode(), request.get_full_path().encode(), request.body)
            )
            return once(made.connection, key, made.key.prefix, content, run, now=made.now)

        try:
            given = batch.attempt(made.connection, whole)
        except InFlight:
            raise Problem(
                409, "in_flight", "A call with this Idempotency-Key is being worked on.",
                field="Idempotency-Key", remedy="repeat the call for its answer", retry_after_s=1,
            ) from None  # fmt: skip
        except KeyReused:
            raise Problem(
                422, "idempotency_key_reused", "This Idempotency-Key was used with another request.",
                field="Idempotency-Key", remedy="use a new key for a new request",
            ) from None  # fmt: skip
        except NotDone as refused:
            raise of_refusal(refused.refusal) from None
        except batch.Conflict as conflict:
            raise Unavailable("conflict") from conflict
    refused_status = 400
    kind = "application/json" if given.status < refused_status else "application/problem+json"
    response = HttpResponse(given.body, status=given.status, content_type=kind)
    if given.replayed:
        response["Idempotency-Replayed"] = "true"
    return response


def refusal_of(result: Result) -> Answer | None:
    """The answer to a command that was refused; None where it was applied.

    A refusal that settles the command's id for good is an answer like any other, kept and repeated. Any
    other is raised (NotDone), which takes everything back: the sender can repair the call and repeat it.
    """
    refusal = result.refusal
    if refusal is None:
        return None
    if not refusal.code.claims:
        raise NotDone(refusal)
    problem = of_refusal(refusal)
    return Answer(problem.status, encode(problem.document()), result.status == "duplicate")


@lru_cache(maxsize=8192)
def written(at: int) -> str | None:
    """An instant as ISO 8601 in UTC; None for one that does not come."""
    if at >= NEVER:
        return None
    return moment(at).isoformat().replace("+00:00", "Z")


def text_only(value: str) -> str:
    """A text of a path or query that can be stored; ValueError otherwise."""
    if not is_text(value):
        raise ValueError("it is not Unicode text, or holds a character that nobody sees")
    return value
