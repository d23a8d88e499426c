"""A form that came after its session had ended: kept, encrypted, until the same member has signed in again.

Nothing of it is done by itself: it is shown to whoever wrote it, to be sent. Anybody else who signs in ends it.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

import msgspec
from django.http import HttpRequest
from msgspec import Struct

from palier.site.ciphers import Unreadable, decrypted, encrypted

KEPT: Final = "form"
"""Where a browser's session keeps it, by program."""
LARGEST: Final = 16_384
"""Characters of a form, as it is sent."""


class Form(Struct, frozen=True):
    """Where a form was sent, by which member, and its fields, encoded."""

    member: str
    path: str
    sent: str

    @property
    def fields(self) -> list[tuple[str, str]]:
        return parse_qsl(self.sent, keep_blank_values=True)


def keep(request: HttpRequest, program: str, member: str) -> bool:
    """Keeps the form of a page, if it can be; `member` is whose session it was, empty where nobody knows.

    What comes without a session makes none: nothing is stored for those who only try.
    """
    if not member or request.FILES or "text/html" not in request.headers.get("Accept", ""):
        return False
    sent = [(name, text) for name, texts in request.POST.lists() for text in texts]
    form = Form(
        member,
        request.get_full_path(),
        urlencode([(name, text) for name, text in sent if name != "csrfmiddlewaretoken"]),
    )
    if len(form.sent) > LARGEST:
        return False
    request.session[KEPT] = {program: encrypted(KEPT, msgspec.json.encode(form), program.encode()).hex()}
    return True


def waits(request: HttpRequest, program: str) -> bool:
    """Whether a form is kept until somebody has signed in."""
    held = request.session.get(KEPT)
    return isinstance(held, dict) and program in held


def read(request: HttpRequest, program: str, member: str) -> Form | None:
    """The form that this member sent; one of anybody else is forgotten."""
    held: Any = request.session.get(KEPT)
    try:
        text = decrypted(KEPT, bytes.fromhex(held[program]), program.encode())
        form = msgspec.json.decode(text, type=Form)
    except (KeyError, TypeError, ValueError, Unreadable):
        form = None
    if form is None or form.member != member:
        request.session.pop(KEPT, None)
        return None
    return form


def take(request: HttpRequest, program: str, member: str) -> Form | None:
    """The same, and forgotten: from then on the page that shows it has it."""
    form = read(request, program, member)
    request.session.pop(KEPT, None)
    return form
