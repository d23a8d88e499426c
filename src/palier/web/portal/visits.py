"""Who visits the portal: the program of the address, the member of the session, his language, one connection."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any, Final

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import get_language

from palier.activities.runtime import Runtime, runtime
from palier.engine.program import Program
from palier.engine.words import ProgramWords
from palier.members import queries as members
from palier.members import refs
from palier.members.queries import MemberView
from palier.site import clock
from palier.staff.session import AnyConnection, session

SIGNED_IN: Final = "members"
"""Where a session keeps the member's reference, by program."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One request: its program and connection, the server's instant, and the member who is signed in, if one is."""

    request: HttpRequest
    connection: AnyConnection
    runtime: Runtime
    member: MemberView | None
    now: int
    language: str

    @property
    def program(self) -> Program:
        return self.runtime.latest.program

    @property
    def words(self) -> ProgramWords:
        return ProgramWords(self.program, self.language)

    @property
    def member_id(self) -> int:
        """The id of the member who is signed in."""
        assert self.member is not None
        return refs.decode(self.member.ref)

    def page(self, template: str, content: dict[str, Any], status: int = 200) -> HttpResponse:
        """A page with what every page of the portal needs."""
        shown = {
            "program": self.program,
            "program_key": self.runtime.key,
            "program_name": self.words.text(self.program.name),
            "member": self.member,
            "version": self.runtime.latest.version,
            **content,
        }
        response = render(self.request, template, shown, status=status)
        # What a member sees is his alone, also on a shared computer after he has left.
        response["Cache-Control"] = "private, no-store"
        return response

    def go(self, name: str) -> HttpResponse:
        """On to another page of the portal."""
        return HttpResponseRedirect(reverse(f"portal:{name}", args=[self.runtime.key]))


def language_of(request: HttpRequest) -> str:
    """ "fr" or "en", as the person chose or the browser asks."""
    return "fr" if (get_language() or "en").startswith("fr") else "en"


@contextmanager
def visit(request: HttpRequest, program: str, *, snapshot: bool = False) -> Iterator[Visit]:
    """The visit that a request makes. Http404 where no such program is published."""
    with session(snapshot=snapshot) as connection:
        found = runtime(connection, program)
        if found is None:
            raise Http404
        member = _member(request, connection, found)
        yield Visit(request, connection, found, member, clock.now(), language_of(request))


def _member(request: HttpRequest, connection: AnyConnection, found: Runtime) -> MemberView | None:
    """The member of the session; one that was merged is whom he was merged into, one erased is nobody."""
    signed_in = request.session.get(SIGNED_IN)
    ref = signed_in.get(found.key) if isinstance(signed_in, dict) else None
    for _ in range(2):
        if not isinstance(ref, str):
            return None
        try:
            member_id = refs.decode(ref)
        except ValueError:
            return None
        view = members.read(connection, found.program_id, member_id)
        if view is None or view.status == "erased":
            return None
        if view.merged_into is None:
            return view
        ref = view.merged_into
    return None


def sign_in(request: HttpRequest, program: str, ref: str) -> None:
    """Begins a session of this member, under a new session id."""
    held = request.session.get(SIGNED_IN)
    request.session.cycle_key()
    request.session[SIGNED_IN] = {**(held if isinstance(held, dict) else {}), program: ref}


def sign_out(request: HttpRequest) -> None:
    request.session.flush()


Page = Callable[..., HttpResponse]
"""A page: takes the visit, and what else its address names."""


def of_member(page: Page) -> Callable[..., HttpResponse]:
    """A page for the member who is signed in; others are led to the door and come back after it."""

    @wraps(page)
    def shown(request: HttpRequest, program: str, **values: Any) -> HttpResponse:
        with visit(request, program, snapshot=request.method == "GET") as made:
            if made.member is None:
                return made.go("door")
            return page(made, **values)

    return shown


def of_anyone(page: Page) -> Callable[..., HttpResponse]:
    """A page for everyone."""

    @wraps(page)
    def shown(request: HttpRequest, program: str, **values: Any) -> HttpResponse:
        with visit(request, program) as made:
            return page(made, **values)

    return shown
