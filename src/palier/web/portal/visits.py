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
from palier.members import refs, sessions
from palier.members.queries import MemberView
from palier.members.sessions import Live, Way
from palier.privacy import messages
from palier.site import clock
from palier.staff.session import AnyConnection, session
from palier.web.portal import keeping
from palier.web.ui import pictures

SIGNED_IN: Final = "members"
"""Where the browser's session keeps who is signed in, by program: reference, number of the session, its secret."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One request: its program and connection, the server's instant, and the member who is signed in, if one is."""

    request: HttpRequest
    connection: AnyConnection
    runtime: Runtime
    member: MemberView | None
    now: int
    language: str
    session: Live | None = None

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

    def act_id(self, once: str) -> str:
        """The permanent id of an act of this member, by its form's own id.

        Not with the bare number of the member: some have the digits of a payment card, and no such id is taken.
        """
        assert self.member is not None
        return f"{self.member.ref}-{once}"

    def page(self, template: str, content: dict[str, Any], status: int = 200) -> HttpResponse:
        """A page with what every page of the portal needs.

        `again` in its content is where the page is found anew, where that is not the address that was asked for.
        """
        shown = {
            "program": self.program,
            "program_key": self.runtime.key,
            "program_name": self.words.text(self.program.name),
            "brand_logo": pictures.logo(self.connection, self.runtime, self.words),
            "member": self.member,
            "version": self.runtime.latest.version,
            "unread": self._unread(),
            "again": self.request.get_full_path(),
            **content,
        }
        response = render(self.request, template, shown, status=status)
        # What a member sees is his alone, also on a shared computer after he has left.
        response["Cache-Control"] = "private, no-store"
        return response

    def _unread(self) -> int:
        """Messages that wait, for the badge of the bar; 0 where nobody is signed in."""
        if self.member is None:
            return 0
        return messages.unread(self.connection, self.runtime.program_id, self.member_id)

    def go(self, name: str, **named: str) -> HttpResponse:
        """On to another page of the portal."""
        return HttpResponseRedirect(reverse(f"portal:{name}", kwargs={"program": self.runtime.key, **named}))


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
        now = clock.now()
        live, member = _member(request, connection, found, now)
        yield Visit(request, connection, found, member, now, language_of(request), live)


def _member(
    request: HttpRequest, connection: AnyConnection, found: Runtime, now: int
) -> tuple[Live | None, MemberView | None]:
    """The member of a session that goes on; one that was merged is whom he was merged into, one erased is nobody."""
    signed_in = request.session.get(SIGNED_IN)
    held = signed_in.get(found.key) if isinstance(signed_in, dict) else None
    if not isinstance(held, list) or len(held) != 3:
        return None, None
    ref, number, secret = held
    live = sessions.see(connection, found.program_id, refs.decode(ref), number, secret, now=now)
    member = _standing(connection, found, ref) if live is not None else None
    return (live, member) if member is not None else (None, None)


def _standing(connection: AnyConnection, found: Runtime, ref: str) -> MemberView | None:
    for _ in range(2):
        member_id = refs.decode(ref)
        view = members.read(connection, found.program_id, member_id)
        if view is None or view.status == "erased":
            return None
        if view.merged_into is None:
            return view
        ref = view.merged_into
    return None


def sign_in(made: Visit, ref: str, way: Way, came_by: bytes | None = None) -> None:
    """Begins a session of this member, under a new session id. Commits."""
    request = made.request
    begun = sessions.begin(
        made.connection,
        made.runtime.program_id,
        refs.decode(ref),
        way=way,
        device=sessions.device_of(request.headers.get("User-Agent", "")),
        came_by=came_by,
        now=made.now,
    )
    made.connection.commit()
    held = request.session.get(SIGNED_IN)
    request.session.cycle_key()
    request.session.set_expiry(sessions.LONGEST // 1_000_000)
    entry = [ref, begun.session_id, begun.secret]
    request.session[SIGNED_IN] = {**(held if isinstance(held, dict) else {}), made.runtime.key: entry}


def go_on(made: Visit, ref: str) -> HttpResponse:
    """Where somebody goes who has signed in: to the form that he sent too late, else home."""
    waiting = keeping.read(made.request, made.runtime.key, ref) is not None
    return made.go("again" if waiting else "home")


def sign_out(made: Visit) -> None:
    """Ends the session on this device, for every program it is signed in to."""
    if made.session is not None:
        sessions.end(
            made.connection,
            made.runtime.program_id,
            made.member_id,
            session_id=made.session.session_id,
            now=made.now,
        )
        made.connection.commit()
    made.request.session.flush()


def _was_signed_in(made: Visit) -> str:
    """Whose session ended in this browser; empty where there was none."""
    held = made.request.session.get(SIGNED_IN)
    entry = held.get(made.runtime.key) if isinstance(held, dict) else None
    return str(entry[0]) if isinstance(entry, list) and len(entry) == 3 else ""


Page = Callable[..., HttpResponse]
"""A page: takes the visit, and what else its address names."""


def of_member(page: Page) -> Callable[..., HttpResponse]:
    """A page for the member who is signed in; others are led to the door. A form waits until they have signed in."""

    @wraps(page)
    def shown(request: HttpRequest, program: str, **values: Any) -> HttpResponse:
        with visit(request, program, snapshot=request.method == "GET") as made:
            if made.member is None:
                away = made.go("door")
                if request.method == "POST" and not keeping.keep(
                    request, made.runtime.key, _was_signed_in(made)
                ):
                    away["Location"] += "?not-done"
                return away
            return page(made, **values)

    return shown


def of_anyone(page: Page) -> Callable[..., HttpResponse]:
    """A page for everyone."""

    @wraps(page)
    def shown(request: HttpRequest, program: str, **values: Any) -> HttpResponse:
        with visit(request, program) as made:
            return page(made, **values)

    return shown
