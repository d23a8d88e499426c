"""What is handed over: the text of a receipt in forty columns, for any printer, with no word of how it was paid."""

from __future__ import annotations

import textwrap
from datetime import date

from django.utils.translation import gettext as _
from django.utils.translation import override

from palier.activities.queries import Wallets
from palier.engine.clock import LocalClock
from palier.engine.words import ProgramWords
from palier.web.portal import telling

WIDTH = 40


def receipt(
    words: ProgramWords,
    *,
    number: str,
    at: int,
    place: str,
    amount: int | None,
    brought: dict[str, int],
    wallets: Wallets,
) -> str:
    """A receipt in the language of `words`: what it brought, what there is now, what expires next.

    `brought` in minor units of points by currency (negative where points were taken); `amount` in minor units of
    money, negative for a return.
    """
    with override(words.language):
        clock: LocalClock = words.clock
        day, minute = clock.local(at)
        when = f"{date.fromordinal(day).isoformat()} {minute // 60:02d}:{minute % 60:02d}"
        rows = [_centred(words.text(words.program.name)), _centred(place), "", _row(when, number)]
        if amount is not None:
            rows.append(_row(_("Purchase") if amount >= 0 else _("Return"), words.money(amount)))
        rows.append("-" * WIDTH)
        for key, minor in brought.items():
            sign = "+" if minor > 0 else ""
            rows.append(_row(_("Earned") if minor >= 0 else _("Taken back"), sign + words.points(minor, key)))
        for key, wallet in wallets.wallets.items():
            if key in brought or wallet.spendable:
                rows.append(_row(_("You have"), words.points(wallet.spendable, key)))
                if wallet.pending:
                    rows.append(_row(_("On the way"), words.points(wallet.pending, key)))
                expiry = telling.balance(words, wallets, key).expiry
                if expiry:
                    rows += textwrap.wrap(_plain(expiry), WIDTH, initial_indent="  ", subsequent_indent="  ")
        rows += ["-" * WIDTH, *textwrap.wrap(_("Not a proof of payment."), WIDTH)]
        return "\n".join(row.rstrip() for row in rows)


def _plain(text: str) -> str:
    """Spaces as any printer knows them."""
    return text.replace("\u00a0", " ").replace("\u202f", " ").replace("\u2212", "-")


def _centred(text: str) -> str:
    return "\n".join(line.center(WIDTH) for line in textwrap.wrap(_plain(text), WIDTH))


def _row(left: str, right: str) -> str:
    """Two words at the ends of a line, or on two lines where they do not fit."""
    left, right = _plain(left), _plain(right)
    if len(left) + 1 + len(right) > WIDTH:
        return f"{left}\n{right:>{WIDTH}}"
    return f"{left}{right:>{WIDTH - len(left)}}"
