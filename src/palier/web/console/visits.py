"""Who visits the console: the account of the session, the program of the address, what he may do there.

A page says the right it asks for. Whoever lacks it, and whoever asks for a program in which he does not work, is
answered as if there were no such page; whoever is not signed in is led to the door and comes back after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any, Final, Literal
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _

from palier.activities.runtime import Runtime, runtime
from palier.engine.clock import MINUTE
from palier.engine.program import Program
from palier.engine.words import ProgramWords
from palier.programs.queries import list_programs
from palier.site import clock
from palier.site.environment import environment
from palier.staff import signing_in
from palier.staff.accounts import Account
from palier.staff.approvals import Person
from palier.staff.session import AnyConnection, session
from palier.web.console.rail import RAIL, Entry
from palier.web.portal.visits import language_of

SESSION: Final = "staff"
"""Where a browser's session keeps the id of the staff's session."""
NEXT: Final = "next"
SURE_FOR: Final = 10 * MINUTE
"""How long after password or second factor were shown dangerous acts need no new proof."""
Kind = Literal["good", "warn", "bad"]


@dataclass(frozen=True, slots=True)
class StaffVisit:
    """One request of a person of the staff: who, where, what he may do there, the server's instant, one connection.

    `found` is the program of the address; None on pages outside any program, where `rights` are those that hold in
    all of them.
    """

    request: HttpRequest
    connection: AnyConnection
    account: Account
    session_id: int
    found: Runtime | None
    rights: frozenset[str]
    now: int
    language: str
    proved_at: int = 0
    """When this person last showed his second factor in this session."""

    @property
    def sure(self) -> bool:
        """Whether he proved himself so lately that something dangerous may be done."""
        if environment().demo and not self.account.has_password:
            return True  # the demonstration's own people have nothing to show
        return self.now - self.proved_at <= SURE_FOR

    @property
    def runtime(self) -> Runtime:
        """The program of the address."""
        assert self.found is not None, "a page outside programs has none"
        return self.found

    @property
    def program_id(self) -> int:
        return self.runtime.program_id

    @property
    def program(self) -> Program:
        """The latest version as it was written: not with the rules of its campaigns among its own, as it judges."""
        return self.runtime.latest.document

    @property
    def words(self) -> ProgramWords:
        return ProgramWords(self.runtime.latest.program, self.language)

    @property
    def person(self) -> Person:
        """Who acts, for what a second person may have to decide, and for the audit log."""
        return self.account.person

    def may(self, right: str) -> bool:
        """Whether this person may do that in this program."""
        return right in self.rights

    def page(self, template: str, content: dict[str, Any] | None = None, status: int = 200) -> HttpResponse:
        """A page with what every page of the console needs."""
        shown: dict[str, Any] = {
            "account": self.account,
            "rights": self.rights,
            "now": self.now,
            "rail": self._rail(),
            **self._place(),
            **(content or {}),
        }
        response = render(self.request, template, shown, status=status)
        response["Cache-Control"] = "private, no-store"
        return response

    def go(self, name: str, *args: Any) -> HttpResponse:
        """On to another page of the console, by the name of its address (`studio:draft`); in the program, if one."""
        place = [self.runtime.key] if self.found is not None else []
        return HttpResponseRedirect(reverse(f"console:{name}", args=[*place, *args]))

    def say(self, text: str, kind: Kind = "good") -> None:
        """Something that the next page says once."""
        messages.add_message(self.request, _LEVELS[kind], text)

    def _place(self) -> dict[str, Any]:
        if self.found is None:
            return {"program": None, "program_key": ""}
        return {
            "program": self.program,
            "program_key": self.runtime.key,
            "program_name": self.words.text(self.program.name),
            "version": self.runtime.latest.version,
        }

    def _rail(self) -> list[dict[str, Any]]:
        """What of the rail this person may open, with the page that is open now."""
        if self.found is None:
            return []
        shown = [
            [
                (entry, _address(entry.url, self.runtime.key))
                for entry in group.entries
                if self._may_open(entry)
            ]
            for group in RAIL
        ]
        under = [url for entries in shown for _, url in entries if _is_under(self.request.path, url)]
        here = max(under, key=len, default="")
        return [
            {
                "label": group.label,
                "entries": [
                    {"label": entry.label, "icon": entry.icon, "url": url, "here": url == here}
                    for entry, url in entries
                ],
            }
            for group, entries in zip(RAIL, shown, strict=True)
            if entries
        ]

    def _may_open(self, entry: Entry) -> bool:
        held = self.account.rights_in(None) if entry.everywhere else self.rights
        return entry.right is None or entry.right in held


def _address(name: str, program: str) -> str:
    """The address of a page of the rail; some are outside programs."""
    try:
        return reverse(name, args=[program])
    except NoReverseMatch:
        return reverse(name)


def _is_under(path: str, url: str) -> bool:
    return path == url or path.startswith(url if url.endswith("/") else url + "/")


_LEVELS: Final[dict[Kind, int]] = {"good": messages.SUCCESS, "warn": messages.WARNING, "bad": messages.ERROR}


@contextmanager
def visiting(
    request: HttpRequest, program: str | None, *, snapshot: bool = False
) -> Iterator[StaffVisit | Literal["stranger", "unproved"]]:
    """The visit that a request makes, or why it is none: nobody is signed in, or the second factor is not shown.

    Http404 where there is no such program, or the person has no role in it.
    """
    now = clock.now()
    with session() as connection:
        session_id = request.session.get(SESSION)
        known = signing_in.signed_in(connection, session_id, now=now) if isinstance(session_id, int) else None
        connection.rollback()
        if known is None or known[1].face != "console":
            yield "stranger"
            return
        account, held = known
        if held.proved_at is None:
            yield "unproved"
            return
        found = None
        if program is not None:
            found = runtime(connection, program)
            if found is None or not account.grants_in(found.program_id):
                raise Http404
            connection.rollback()
        rights = account.rights_in(found.program_id if found is not None else None)
        with session(snapshot=snapshot) as reading:
            yield StaffVisit(
                request, reading, account, held.session_id, found, rights, now, language_of(request),
                held.proved_at,
            )  # fmt: skip


Page = Callable[..., HttpResponseBase]
"""A page: takes the visit, and what else its address names."""


def of_staff(
    right: str | None, *, program: bool = True, everywhere: bool = False, sure: bool = False
) -> Callable[[Page], Page]:
    """A page for those who have a right (None: any role) in the program of the address; see the module.

    With `program=False` the page is outside any program, and the right must hold in all of them; with `everywhere` it
    must too, though the page is in one. `sure`: password and second factor are asked for again where they were shown
    longer than SURE_FOR ago.
    """

    def wrapped(page: Page) -> Page:
        @wraps(page)
        def shown(request: HttpRequest, *args: Any, **values: Any) -> HttpResponseBase:
            key = values.pop("program", None) if program else None
            with visiting(request, key, snapshot=request.method == "GET") as made:
                if made == "stranger":
                    return to_the_door(request)
                if made == "unproved":
                    return HttpResponseRedirect(reverse("console:second"))
                held = made.account.rights_in(None) if everywhere else made.rights
                if right is not None and right not in held:
                    raise Http404
                if sure and not made.sure:
                    return ask_again(made)
                return page(made, *args, **values)

        shown.right = right  # type: ignore[attr-defined]
        shown.outside = not program  # type: ignore[attr-defined]
        shown.everywhere = everywhere or not program  # type: ignore[attr-defined]
        return shown

    return wrapped


SECRETS: Final = frozenset({"password", "pin", "code"})
"""A form that holds one of these is written anew after a proof: what it holds goes into no page."""


def ask_again(made: StaffVisit) -> HttpResponse:
    """On to a new proof. A form that was being sent is carried along by the page that asks; nothing of it is done."""
    request = made.request
    if request.method == "POST" and not SECRETS & request.POST.keys():
        sent = [(name, text) for name, texts in request.POST.lists() for text in texts]
        content = {
            "next": request.get_full_path(),
            "sent": urlencode([(name, text) for name, text in sent if name != "csrfmiddlewaretoken"]),
            "waits": True,
        }
        return made.page("console/desk/prove_again.html", content, status=403)
    if request.method == "POST":
        made.say(_("Nothing was done yet. Show who you are, then write it once more."), "warn")
    asked = urlencode({NEXT: request.get_full_path()})
    return HttpResponseRedirect(f"{reverse('console:prove-again')}?{asked}")


def to_the_door(request: HttpRequest) -> HttpResponse:
    """On to the sign-in, which leads back; what was sent is not sent again."""
    back = request.get_full_path() if request.method == "GET" else ""
    return HttpResponseRedirect(
        f"{reverse('console:sign-in')}{'?' + urlencode({NEXT: back}) if back else ''}"
    )


def programs_of(connection: AnyConnection, account: Account) -> list[str]:
    """The keys of the programs in which a person works, by name of key."""
    found = []
    for one in list_programs(connection):
        known = runtime(connection, one.key)
        if known is not None and account.grants_in(known.program_id):
            found.append(one.key)
    return found
