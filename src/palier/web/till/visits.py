"""Who stands at a till: the device by its own secret, the person by his shift, and what lies on the counter.

What lies on the counter (the member who was found, the basket, the last result) is kept on the server for the
browser's session, so that every page works by forms alone; a script makes it quick, and keeps sales while the network
is away.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from secrets import choice
from typing import Any, Final

import msgspec
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from msgspec import Struct

from palier.activities.runtime import Runtime, runtime
from palier.engine.program import Program
from palier.engine.words import ProgramWords
from palier.members import refs
from palier.site import clock
from palier.site.environment import environment
from palier.staff import signing_in
from palier.staff.accounts import Account
from palier.staff.session import AnyConnection, session
from palier.tills import devices, shifts
from palier.tills.devices import Device
from palier.tills.journal import EntryLine
from palier.tills.refusals import TillRefusal, TillRefused
from palier.tills.sales import Basket
from palier.tills.shifts import Shift
from palier.web.portal.visits import language_of
from palier.web.ui import pictures

COOKIE: Final = "till"
COOKIE_LASTS: Final = 400 * 24 * 3600
"""As long as browsers keep one at all; a device works until it is revoked."""
SHIFT: Final = "till_shift"
COUNTER: Final = "till_counter"
RIGHT: Final = "till:use"
SWAPPED: Final = "till"
"""What a script says it is (X-Requested-With) that puts the answer into the page itself."""


class Counter(Struct, omit_defaults=True):
    """What lies on the counter. `panel` is what is open beside the basket; `once` names what is done next."""

    member: int = 0
    amount: str = ""
    lines: list[EntryLine] = []
    ticket: str = ""
    panel: str = ""
    reward: str = ""
    voucher: str = ""
    sale: str = ""
    back: str = ""
    unknown: str = ""
    once: str = ""
    done: dict[str, Any] = {}

    @property
    def basket(self) -> Basket | None:
        """What is bought; None while there is no amount."""
        return Basket(self.amount, tuple(self.lines), self.ticket or None) if self.amount else None

    def close(self) -> None:
        """Closes what is open beside the basket."""
        self.panel = self.reward = self.voucher = self.sale = self.back = self.unknown = ""

    def clear(self) -> None:
        """The next customer; what was done last stays to be read."""
        self.close()
        self.member, self.amount, self.lines, self.ticket = 0, "", [], ""
        self.once = new_once()


def new_once() -> str:
    """A name for something that is done once: thirty random bits at a device are plenty for one shift."""
    return "".join(choice(refs.ALPHABET) for _ in range(8)).upper()


@dataclass(slots=True)
class TillVisit:
    """One request at a till: its device, whose shift it is, the program, the server's instant, one connection."""

    request: HttpRequest
    connection: AnyConnection
    runtime: Runtime
    device: Device
    now: int
    language: str
    shift: Shift | None = None
    account: Account | None = None
    counter: Counter = field(default_factory=Counter)

    @property
    def program(self) -> Program:
        return self.runtime.latest.program

    @property
    def words(self) -> ProgramWords:
        return ProgramWords(self.program, self.language)

    @property
    def worker(self) -> Shift:
        """Whose shift it is, on pages that ask for one."""
        assert self.shift is not None
        return self.shift

    def keep(self) -> None:
        """Keeps what lies on the counter."""
        self.request.session[COUNTER] = {
            "device": self.device.device_id,
            "shift": self.shift.shift_id if self.shift is not None else 0,
            **msgspec.to_builtins(self.counter),
        }

    def page(self, template: str, content: dict[str, Any] | None = None, status: int = 200) -> HttpResponse:
        """A page with what every page of a till needs."""
        shown: dict[str, Any] = {
            "device": self.device,
            "shift": self.shift,
            "key_hash": _fingerprint(self.device.public_key),
            # The tablet learns by how much its clock is off; what it keeps for later must not hold an old instant.
            "server_ms": self.now // 1000,
            **place(self.request, self.connection, self.runtime, self.words),
            **(content or {}),
        }
        return finished(render(self.request, template, shown, status=status))

    def go(self, name: str) -> HttpResponse:
        """On to another page of the till."""
        return finished(HttpResponseRedirect(reverse(f"till:{name}", args=[self.runtime.key])))


def place(
    request: HttpRequest, connection: AnyConnection, found: Runtime, words: ProgramWords
) -> dict[str, Any]:
    """What every page of a till says of where it is."""
    return {
        "program": found.latest.program,
        "program_key": found.key,
        "program_name": words.text(found.latest.program.name),
        "brand_logo": pictures.logo(connection, found, words),
        "version": found.latest.version,
        "currency": found.latest.program.currency,
        "exponent": found.latest.exponent,
        "demo": environment().demo,
    }


def finished(response: HttpResponse) -> HttpResponse:
    """Every answer of a till says that it is one, is kept nowhere, and may use the tablet's camera."""
    response["X-Till"] = response.get("X-Till", "page")
    response["Cache-Control"] = "private, no-store"
    response["Permissions-Policy"] = "camera=(self), geolocation=(), microphone=(), payment=(), usb=()"
    return response


def _fingerprint(public_key: bytes) -> str:
    from hashlib import sha256

    return sha256(public_key).hexdigest() if public_key else ""


Page = Callable[..., HttpResponse]


def of_anyone(page: Page) -> Callable[..., HttpResponse]:
    """A page for a tablet that is no till yet: it takes the request, the connection, the program and the instant."""

    @wraps(page)
    def shown(request: HttpRequest, program: str, **values: Any) -> HttpResponse:
        with session() as connection:
            found = runtime(connection, program)
            if found is None:
                raise Http404
            connection.rollback()
            return page(request, connection, found, clock.now(), **values)

    return shown


def of_device(page: Page, *, revoked_too: bool = False) -> Callable[..., HttpResponse]:
    """A page for an enrolled device; others are asked to enrol, and one that was revoked is refused (401).

    With `revoked_too` the page itself answers a revoked device.
    """

    @wraps(page)
    def shown(request: HttpRequest, program: str, **values: Any) -> HttpResponse:
        with session() as connection:
            found = runtime(connection, program)
            if found is None:
                raise Http404
            now = clock.now()
            language = language_of(request)
            try:
                device = devices.known(
                    connection, found.program_id, request.COOKIES.get(COOKIE, "")[:200], now=now
                )
            except TillRefused:
                connection.rollback()
                return finished(HttpResponseRedirect(reverse("till:enrol", args=[program])))
            connection.rollback()
            made = TillVisit(request, connection, found, device, now, language)
            if device.state == "revoked" and not revoked_too:
                request.session.pop(SHIFT, None)
                request.session.pop(COUNTER, None)
                return made.page("till/revoked.html", status=401)
            return page(made, **values)

    return shown


def of_shift(page: Page) -> Callable[..., HttpResponse]:
    """A page for whoever works at the device: signed in, not locked, and still with the right to."""

    @of_device
    @wraps(page)
    def shown(made: TillVisit, **values: Any) -> HttpResponse:
        refused = enter(made)
        if refused is TillRefusal.LOCKED:
            return made.go("unlock")
        if refused is not None:
            return made.go("sign-in")
        shifts.touch(made.connection, made.worker, now=made.now)
        return page(made, **values)

    return shown


def enter(made: TillVisit, *, locked_too: bool = False) -> TillRefusal | None:
    """Finds whose shift it is, and what lies on his counter; why not, otherwise."""
    request = made.request
    shift_id = request.session.get(SHIFT)
    shift = shifts.read(made.connection, made.device, shift_id) if isinstance(shift_id, int) else None
    known = (
        signing_in.signed_in(made.connection, shift.session_id, now=made.now)
        if shift is not None and shift.open_at(made.now)
        else None
    )
    made.connection.rollback()
    if (
        shift is None
        or known is None
        or known[0].account_id != shift.account_id
        or RIGHT not in known[0].rights_in(made.runtime.program_id)
    ):
        return TillRefusal.NO_SHIFT
    made.shift, made.account = shift, known[0]
    held = request.session.get(COUNTER)
    if isinstance(held, dict) and (held.get("device"), held.get("shift")) == (
        made.device.device_id,
        shift.shift_id,
    ):
        try:
            made.counter = msgspec.convert(
                {key: value for key, value in held.items() if key not in ("device", "shift")}, Counter
            )
        except msgspec.ValidationError:
            made.counter = Counter()
    if not made.counter.once:
        made.counter.once = new_once()
        made.keep()
    if shift.locked_at(made.now) and not locked_too:
        return TillRefusal.LOCKED
    return None
