"""Acts of staff: rehearsed, said in figures, asked once, done, and what is said where they are refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from secrets import token_hex
from typing import Any, Final, TypeVar

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from palier.activities import batch
from palier.activities.answers import Result
from palier.activities.operations import NotDone
from palier.engine.payment_cards import holds_number
from palier.engine.refusals import RefusalCode
from palier.members import queries as members
from palier.payouts.refusals import PayoutRefusal, PayoutRefused
from palier.rewards.refusals import OrderRefusal, OrderRefused
from palier.web.console.visits import StaffVisit
from palier.web.refusals import told

SOURCE: Final = "palier:console"
"""The source of commands that staff give here; nobody outside can use it."""
REFUSED: Final = (NotDone, OrderRefused, PayoutRefused, members.IdentityError)
"""What rooms raise where they say no."""

Answer = TypeVar("Answer")


def address(made: StaffVisit, name: str, *parts: object) -> str:
    """The address of a page of this area, in this program."""
    return reverse(f"console:people:{name}", args=[made.runtime.key, *parts])


def done(made: StaffVisit, act: Callable[[], Answer]) -> Answer:
    """Does an act and commits it."""
    return batch.attempt(made.connection, act)


def rehearsed(made: StaffVisit, act: Callable[[], Answer]) -> Answer:
    """What an act would come to, to the unit; nothing of it stays."""
    return batch.rehearse(made.connection, act)


def once(made: StaffVisit) -> str:
    """The name of the act that a form makes: sent twice, it is done once."""
    given = made.request.POST.get("once", "")
    return given if given.isascii() and given.isalnum() and len(given) == 24 else token_hex(12)


def applied(result: Result) -> Result:
    """The result of a command; raises NotDone where it was refused for good."""
    if result.refusal is not None:
        raise NotDone(result.refusal)
    return result


def text(made: StaffVisit, name: str, most: int = 500) -> str:
    """A line of text of the form, without what cannot be printed."""
    given = made.request.POST.get(name, "").strip()[:most]
    return "".join(character for character in given if character.isprintable())


def reason(made: StaffVisit) -> str:
    """Why it is done. Raises NotSaid without one, or where it holds the number of a payment card."""
    given = text(made, "reason")
    if not given:
        raise NotSaid(_("Write why. It stays in the log, and with what was changed."))
    if holds_number(given):
        raise NotSaid(_("The text holds the number of a payment card. Leave it out."))
    return given


class NotSaid(Exception):
    """Something of a form is missing, or is no such thing; the text says what, in the reader's language."""


def ask(
    made: StaffVisit,
    *,
    title: str,
    will: Sequence[str],
    button: str,
    back: str,
    danger: bool = False,
    note: str = "",
    fields: Sequence[str] = (),
    more: Mapping[str, str] | None = None,
) -> HttpResponse:
    """Says what will happen, in figures, and asks once; the form comes back with `sure`.

    `fields` come back as they were posted, `more` as it is given: what was true when it was asked.
    """
    kept = [(name, value) for name in fields for value in made.request.POST.getlist(name)]
    kept += (more or {}).items()
    content: dict[str, Any] = {
        "title": title,
        "will": list(will),
        "button": button,
        "back": back,
        "danger": danger,
        "note": note,
        "fields": [*kept, ("once", once(made)), ("sure", "yes")],
    }
    return made.page("console/people/ask.html", content)


def sure(made: StaffVisit) -> bool:
    """Whether the person has been asked and says yes."""
    return made.request.POST.get("sure") == "yes"


# --- why not ----------------------------------------------------------------------------------------------


def why_not(refused: Exception) -> str:
    """Why a room said no and what to do, in the reader's language."""
    if isinstance(refused, NotSaid):
        return str(refused)
    if isinstance(refused, NotDone):
        return _command_words(refused.refusal.code) or told(refused.refusal.whole)
    if isinstance(refused, OrderRefused):
        return _order_words(refused.code)
    if isinstance(refused, PayoutRefused):
        return _payout_words(refused.code)
    return _("This is no card, e-mail, phone or id. Check it and write it again.")


def _command_words(code: RefusalCode) -> str:
    return {
        RefusalCode.UNKNOWN_MEMBER: _("There is no such member. Check the reference; nothing was changed."),
        RefusalCode.MEMBER_NOT_ACTIVE: _(
            "The member is frozen or gone. Unfreeze first; nothing was changed."
        ),
        RefusalCode.MEMBER_MERGED: _("The member was merged into another. Do it there; nothing was changed."),
        RefusalCode.NOT_MERGED: _(
            "This merge cannot be undone: it is too old, or something was done since with what moved. "
            "Put right what was given by mistake by an adjustment."
        ),
        RefusalCode.HOLDS_OPEN: _(
            "The member has points set aside, for an order or a pay-out. Finish or cancel that first."
        ),
        RefusalCode.SAME_MEMBER: _("Both are the same member, or nobody would be left. Name another."),
        RefusalCode.INVALID_AMOUNT: _("This is no amount of these points. Write a number such as 12 or -12."),
        RefusalCode.UNKNOWN_POINT_CURRENCY: _("The program has no such points. Choose from the list."),
        RefusalCode.UNKNOWN_REASON: _("Choose one of the reasons; some only give, some only take."),
        RefusalCode.NOT_TRANSFERABLE: _("These points cannot go from one member to another."),
        RefusalCode.CAP_REACHED: _(
            "This is more than one person may move by hand, at once or today. "
            "Ask for less, or let somebody else do it."
        ),
        RefusalCode.INSUFFICIENT_POINTS: _("The member has too few points for it. Nothing was changed."),
        RefusalCode.CONTENT_DIFFERS: _("This form was sent before with other figures. Begin again."),
        RefusalCode.PAYMENT_CARD_NUMBER: _("The text holds the number of a payment card. Leave it out."),
        RefusalCode.LIMIT_REACHED: _("A limit of the program is reached. Nothing was changed."),
        RefusalCode.REFUND_DOES_NOT_FIT: _("More than was spent cannot be given back. Nothing was changed."),
    }.get(code, "")


def _order_words(code: OrderRefusal) -> str:
    return {
        OrderRefusal.ORDER_NOT_OPEN: _("The order has moved on meanwhile. See where it stands now."),
        OrderRefusal.NOT_CANCELLABLE: _(
            "Its terms do not let it be cancelled any more. A refund may still be possible."
        ),
        OrderRefusal.NOT_REFUNDABLE: _(
            "So much of it cannot be refunded: its time is over, or it was used. "
            "Take fewer units, or adjust the points."
        ),
        OrderRefusal.NOT_FULFILLED_HERE: _("The order waits for its supplier, not for staff."),
        OrderRefusal.ITEM_NOT_USABLE: _("Nothing of the order can become that now."),
        OrderRefusal.MEMBER_NOT_ACTIVE: _(
            "The member is frozen or gone. Unfreeze first; nothing was changed."
        ),
        OrderRefusal.INSUFFICIENT_POINTS: _("The member has too few points for it. Nothing was changed."),
        OrderRefusal.OUT_OF_STOCK: _("None is left. Nothing was changed."),
        OrderRefusal.UNKNOWN_ORDER: _("There is no such order. Check the reference."),
    }.get(code, _("It could not be done. Nothing was changed."))


def _payout_words(code: PayoutRefusal) -> str:
    return {
        PayoutRefusal.NO_PAYER: _(
            "The program has no account to pay from. An owner sets it with: palier payouts payer"
        ),
        PayoutRefusal.NOTHING_TO_PAY: _("Nothing waits that could be paid this way."),
        PayoutRefusal.BATCH_NOT_OPEN: _("The batch has moved on meanwhile. See where it stands now."),
        PayoutRefusal.PAYOUT_NOT_OPEN: _("The pay-out has moved on meanwhile. See where it stands now."),
        PayoutRefusal.NO_TARGET_DAY: _("Banks do not settle on this day. Choose another."),
        PayoutRefusal.FILE_REFUSED: _(
            "The file cannot be made from what is stored. Keep the one that was written; run palier verify."
        ),
    }.get(code, _("It could not be done. Nothing was changed."))
