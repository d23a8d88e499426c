"""Letters to members: where they go, and whether this installation can send any."""

from __future__ import annotations

from django.core.mail import EmailMessage
from django.utils.translation import gettext as _

from palier.members.signing import kind_of
from palier.site.environment import environment


class NotSent(Exception):
    """The letter could not be handed over; the same may be tried again."""


def can_send(contact: str) -> bool:
    """Whether a letter can reach this contact: e-mail where a mail server is configured; no phones yet."""
    return kind_of(contact) == "email" and environment().email_url is not None


def send_code(contact: str, code: str, program: str) -> None:
    """Sends the code that signs in. Raises NotSent where the mail server does not take it."""
    letter = EmailMessage(
        _("%(code)s is your code for %(program)s") % {"code": code, "program": program},
        _(
            "Your code is %(code)s. It is good for ten minutes.\n\n"
            "You did not ask for it? Then somebody mistyped an address: do nothing, and do not pass it on."
        )
        % {"code": code},
        to=[contact],
    )
    try:
        letter.send()
    except OSError as error:
        raise NotSent(type(error).__name__) from error
