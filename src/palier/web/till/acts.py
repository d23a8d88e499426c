"""What the counter's forms have in common: they change what lies there, and the counter is shown again."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from palier.activities import queries
from palier.activities.operations import NotDone
from palier.engine.words import ProgramWords
from palier.rewards.refusals import OrderRefused
from palier.staff.throttle import Throttled
from palier.tills.refusals import TillRefused
from palier.vouchers.refusals import VoucherRefused
from palier.web.portal import telling
from palier.web.till import receipts, words
from palier.web.till.counter import shown
from palier.web.till.visits import (
    SWAPPED,
    TillVisit,
    of_shift,
)

Act = Callable[[TillVisit], HttpResponse | None]


def acts(act: Act) -> Callable[..., HttpResponse]:
    """A form of the counter: it changes what lies there, and the counter is shown again."""

    @require_POST
    @of_shift
    @wraps(act)
    def done(made: TillVisit) -> HttpResponse:
        try:
            answered = act(made)
        except TillRefused as refused:
            made.connection.rollback()
            return shown(made, error=words.refused(refused.code), status=422)
        except NotDone as refused:
            made.connection.rollback()
            return shown(made, error=words.refused(refused.refusal.code), status=422)
        except OrderRefused as refused:
            made.connection.rollback()
            return shown(made, error=words.order_refused(refused.code), status=422)
        except VoucherRefused as refused:
            made.connection.rollback()
            return shown(made, error=words.voucher_refused(refused.code), status=422)
        except Throttled as throttled:
            made.connection.rollback()
            return shown(made, error=words.too_often(throttled.wait_s), status=429)
        made.connection.rollback()
        if answered is not None:
            return answered
        if made.request.headers.get("X-Requested-With") == SWAPPED:
            return shown(made, fresh=bool(made.counter.done.get("fresh")))
        made.keep()
        return made.go("counter")

    return done


def said_balance(made: TillVisit, wallets: queries.Wallets) -> str:
    """What the member has now, in a sentence; "" where there is nothing to say."""
    shown_ = [
        made.words.points(wallets.wallets[key].spendable, key)
        for number, key in enumerate(telling.currencies_of(made.runtime.latest, "points", "cash"))
        if key in wallets.wallets and (not number or wallets.wallets[key].spendable)
    ]
    return _("The member now has %(points)s.") % {"points": _(" and ").join(shown_)} if shown_ else ""


def receipts_of(
    made: TillVisit, number: str, money: int | None, brought: dict[str, int], wallets: queries.Wallets
) -> list[dict[str, str]]:
    """The receipt in each of the program's languages, the page's own first."""
    spoken = [made.language, *(item for item in ("fr", "en") if item != made.language)]
    return [
        {
            "language": language,
            "name": {"fr": "Français", "en": "English"}[language],
            "text": receipts.receipt(
                ProgramWords(made.program, language),
                number=number,
                at=made.now,
                place=f"{made.device.name}, {made.device.location}",
                amount=money,
                brought=brought,
                wallets=wallets,
            ),
        }
        for language in spoken
    ]
