"""Letters to members: where they go, and whether this installation can send any."""

from __future__ import annotations

from django.core.mail import EmailMessage
from django.utils.translation import gettext as _

from palier.connectors import sms
from palier.members.queries import normalized
from palier.members.signing import kind_of
from palier.site.environment import environment


class NotSent(Exception):
    """The letter could not be handed over; the same may be tried again."""


def can_send(contact: str) -> bool:
    """Whether a code can reach this contact: e-mail by the mail server, phones by the gateway, where configured."""
    settings = environment()
    return (settings.email_url if kind_of(contact) == "email" else settings.sms_url) is not None


def send_code(contact: str, code: str, program: str) -> None:
    """Sends the code that signs in. Raises NotSent where the mail server or the gateway does not take it."""
    gateway = environment().sms_url
    if kind_of(contact) == "phone" and gateway is not None:
        text = _("%(code)s is your code for %(program)s") % {"code": code, "program": program}
        try:
            sms.send(gateway, normalized("phone", contact), text)
        except sms.NotSent as error:
            raise NotSent(str(error)) from error
        return
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
