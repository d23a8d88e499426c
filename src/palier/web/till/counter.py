"""The counter as it is shown: a member on the left, a basket on the right, one big action below."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec
import segno
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from palier.activities.operations import NotDone
from palier.engine.amounts import AmountError, from_minor, to_minor
from palier.engine.program import Program
from palier.staff.throttle import Throttled
from palier.tills import baskets, lookups, redeeming, sales
from palier.tills.lookups import Customer
from palier.tills.redeeming import Choice
from palier.tills.refusals import TillRefusal, TillRefused
from palier.tills.sales import Basket
from palier.vouchers.refusals import VoucherRefused
from palier.web.numbers import typed
from palier.web.portal import telling
from palier.web.till import words
from palier.web.till.visits import (
    TillVisit,
    of_shift,
)
from palier.web.ui import pictures
from palier.web.ui.pictures import Shown

_AMOUNT: Final = re.compile(r"[0-9]{0,9}([.][0-9]*)?", re.ASCII)
"""An amount as it is typed: less than a thousand millions, as without the network."""
SEEN: Final = 8
"""Rewards within reach that are seen at once; the others are a fold away."""
QUICK: Final = 9
"""Categories offered as keys."""


# --- the page -------------------------------------------------------------------------------------------


@require_GET
@of_shift
def counter(made: TillVisit) -> HttpResponse:
    """The page of the till, as things lie on the counter."""
    return shown(made)


def shown(
    made: TillVisit,
    *,
    error: str = "",
    status: int = 200,
    fresh: bool = False,
    typed: Mapping[str, str] | None = None,
) -> HttpResponse:
    """The counter, with what went wrong. `fresh`: what was done has just been done, and is heard.

    `typed` is what stands in fields (amount, line, back) and was not taken: it is there to be mended.
    """
    held, connection, runtime, now = made.counter, made.connection, made.runtime, made.now
    customer = (
        lookups.customer(connection, runtime, held.member, made.worker, now=now) if held.member else None
    )
    connection.rollback()
    if customer is None and held.member:
        held.member = 0
    basket = held.basket
    content: dict[str, Any] = {
        "counter": held,
        "customer": _customer(made, customer) if customer is not None else None,
        "total": made.words.money(minor_of(made, held.amount)) if held.amount else "",
        "lines": [
            {
                "number": number,
                "category": _category(made.program, line.category, made.language),
                "amount": made.words.money(minor_of(made, line.amount)),
            }
            for number, line in enumerate(held.lines)
        ],
        "categories": categories(made.program, made.language),
        "error": error,
        "typed": {name: text[:40] for name, text in (typed or {}).items()},
        "fresh": fresh,
        "done": _done(made),
        "undo": bool(held.done.get("undo")),
        "offline_words": [(str(code), words.refused(code)) for code in words.OFFLINE_CODES],
    }
    if customer is not None and not customer.own:
        choices = redeeming.choices(connection, runtime, customer.member_id, basket, now=now)
        drawn = pictures.of_rewards(connection, runtime, [item.reward for item in choices], made.words)
        told = [_choice(made, item, drawn) for item in choices]
        content["choices"], content["more_choices"] = told[:SEEN], told[SEEN:]
        connection.rollback()
    if customer is not None and basket is not None and not customer.own and customer.active:
        content |= _earning(made, customer, basket)
    if not held.panel and basket is None:
        waiting = baskets.waiting(connection, runtime.program_id, made.device.location, now=now)
        connection.rollback()
        content["tickets"] = [
            {"ticket": item.ticket, "amount": made.words.money(item.amount)} for item in waiting
        ]
    if held.panel:
        content |= _panel(made, customer, content)
    content["action"] = _action(content, customer, basket)
    made.keep()
    return made.page("till/counter.html", content, status)


def _action(content: dict[str, Any], customer: Customer | None, basket: Basket | None) -> str:
    """The one big action below: what comes next."""
    if content.get("earns") is not None:
        return "credit"
    if customer is None:
        return "find"
    return "amount" if basket is None else "none"


def _done(made: TillVisit) -> dict[str, Any]:
    """What was done last, with the drawings of what is handed over."""
    told = made.counter.done
    if not told.get("join"):
        return told
    drawn = {"join_qr": _qr(_portal(made.request, made.runtime.key))}
    return {**told, **drawn, "card_qr": _qr(told["card"]) if told.get("card") else ""}


def _customer(made: TillVisit, customer: Customer) -> dict[str, Any]:
    words_ = made.words
    balances = [
        telling.balance(words_, customer.wallets, key)
        for key in telling.currencies_of(made.runtime.latest, "points", "cash")
        if key in customer.wallets.wallets
    ]
    # What he has none of is not worth the eye of whoever serves, but the first.
    balances = [item for number, item in enumerate(balances) if not number or not item.empty]
    more = [
        words_.points(customer.wallets.wallets[key].spendable, key)
        for key in telling.currencies_of(made.runtime.latest, "reward", "token")
        if key in customer.wallets.wallets and customer.wallets.wallets[key].spendable
    ]
    return {
        "ref": customer.ref,
        "name": customer.first_name,
        "tier": words_.tier(customer.tier) if made.program.tiers is not None else "",
        "balances": balances,
        "more": more,
        "active": customer.active,
        "own": customer.own,
    }


def _earning(made: TillVisit, customer: Customer, basket: Basket) -> dict[str, Any]:
    try:
        found = sales.earning(
            made.connection, made.runtime, made.device, customer.member_id, basket, now=made.now
        )
    except NotDone as refused:
        return {"earns": None, "why": words.refused(refused.refusal.code)}
    return {
        "earns": [made.words.points(minor, key) for key, minor in found.points.items()],
        "rises": made.words.tier(found.tier_reached) if found.tier_reached else "",
        "entry": {
            "member": {"ref": customer.ref},
            "amount": basket.amount,
            "lines": msgspec.to_builtins(list(basket.lines)),
            "ticket": basket.ticket,
            "shift": made.worker.ref,
        },
    }


def _choice(made: TillVisit, item: Choice, drawn: Mapping[str, Shown]) -> dict[str, Any]:
    price = ", ".join(made.words.points(minor, key) for key, minor in item.asked.points.items())
    return {
        "key": item.reward.key,
        "name": made.words.text(item.reward.name),
        "picture": drawn.get(item.reward.key),
        "symbol": pictures.drawing_for(item.reward),
        "price": price or _("free"),
        "off": made.words.money(item.off) if item.off is not None else "",
        "why": _sentence(item.why[made.language == "fr"]) if item.why is not None else "",
    }


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _panel(made: TillVisit, customer: Customer | None, content: dict[str, Any]) -> dict[str, Any]:
    """What is open beside the basket."""
    held = made.counter
    if held.panel == "reward":
        told = [*content.get("choices", []), *content.get("more_choices", [])]
        found = next((item for item in told if item["key"] == held.reward), None)
        if found is None:
            held.close()
            return {"error": _("This reward cannot be had here now. Nothing was used.")}
        return {"chosen": found}
    if held.panel == "voucher" and held.voucher:
        return voucher_looked_at(made, customer)
    if held.panel == "return" and held.sale:
        return _return(made, content)
    if held.panel == "join":
        return {
            "join_qr": _qr(_portal(made.request, made.runtime.key)),
            "terms_version": made.runtime.latest.version,
        }
    return {}


def voucher_looked_at(made: TillVisit, customer: Customer | None) -> dict[str, Any]:
    """The voucher that is read, as it would be used; or why it cannot be."""
    held = made.counter
    try:
        found = redeeming.show_voucher(
            made.connection,
            made.runtime,
            made.device,
            held.voucher,
            customer.member_id if customer is not None else None,
            held.basket,
            now=made.now,
        )
    except VoucherRefused as refused:
        held.voucher = ""
        return {"panel_error": words.voucher_refused(refused.code)}
    except Throttled as throttled:
        held.voucher = ""
        return {"panel_error": words.too_often(throttled.wait_s)}
    finally:
        made.connection.rollback()
    fr = made.language == "fr"
    return {
        "shown_voucher": {
            "name": found.name[fr] if found.name is not None else _("Voucher"),
            "off": made.words.money(found.off) if found.off is not None else "",
            "why": _sentence(found.why[fr]) if found.why is not None else "",
            "uses": found.standing.uses_left,
        }
    }


def _return(made: TillVisit, content: dict[str, Any]) -> dict[str, Any]:
    held, words_ = made.counter, made.words
    try:
        sale = (
            sales.last_sale(made.connection, made.runtime, made.device, made.worker)
            if held.sale == sales.LAST
            else sales.find_sale(made.connection, made.runtime, made.device, held.sale, now=made.now)
        )
        if sale.member_id == made.worker.own_member_id:
            raise TillRefused(TillRefusal.OWN_ACCOUNT)
        amount = minor_of(made, held.back) if held.back else None
        if amount is not None and amount > sale.left:
            content["typed"] = {"back": held.back}
            content["error"] = _("At most %(money)s of this sale can be taken back.") % {
                "money": words_.money(sale.left)
            }
            held.back, amount = "", None
        effect = sales.effect(made.connection, made.runtime, made.device, sale, amount, now=made.now)
    except TillRefused as refused:
        held.sale = held.back = ""
        return {"panel_error": words.refused(refused.code)}
    except NotDone as refused:
        held.back = ""
        return {"panel_error": words.refused(refused.refusal.code)}
    finally:
        made.connection.rollback()
    return {
        "found_sale": {
            "number": sale.number,
            "day": words_.day(sale.at),
            "amount": words_.money(sale.amount),
            "returned": words_.money(sale.returned) if sale.returned else "",
            "back": words_.money(effect.money),
            "seen": f"{sale.number} {effect.money}",
            "left": words_.money(sale.left),
            "undo": held.sale == sales.LAST,
            "rows": [
                {
                    "before": words_.points(effect.before[key], key),
                    "after": words_.points(effect.after[key], key),
                    "pending": words_.points(effect.pending[key], key) if effect.pending[key] else "",
                    "owed": words_.points(effect.owed[key], key) if effect.owed[key] > 0 else "",
                }
                for key in effect.before
            ],
        }
    }


def _qr(text: str) -> SafeString:
    return mark_safe(segno.make_qr(text, error="m").svg_inline(scale=5, border=2, omitsize=True))  # noqa: S308


def _portal(request: HttpRequest, program: str) -> str:
    return request.build_absolute_uri(reverse("portal:door", args=[program]))


# --- amounts and categories -----------------------------------------------------------------------------


def minor_of(made: TillVisit, text: str) -> int:
    """An amount in minor units; 0 for what is none."""
    try:
        return to_minor(text, made.runtime.latest.exponent)
    except AmountError:
        return 0


def amount_of(made: TillVisit, text: str) -> str | None:
    """An amount as it was typed, as plain decimal text; None for what is none, or zero."""
    exponent = made.runtime.latest.exponent
    plain = typed(text[:100], exponent)
    if not _AMOUNT.fullmatch(plain):
        return None
    try:
        minor = to_minor(plain, exponent)
    except AmountError:
        return None
    return from_minor(minor, exponent) if minor else None


def no_amount() -> str:
    """That what was typed is no amount, and how one is written."""
    return _(
        "The amount is not one. Write digits, with nothing between the thousands, such as 1250 or 12.50."
    )


def categories(program: Program, language: str) -> list[tuple[str, str]]:
    """The categories of goods that the program's own conditions name, as (key, word)."""
    found: list[str] = []

    def look(part: Any) -> None:
        if isinstance(part, dict):
            if part.get("field") == "category":
                for name in ("is", "in", "not_in"):
                    value = part.get(name)
                    found.extend(
                        value if isinstance(value, list) else [value] if isinstance(value, str) else []
                    )
            for value in part.values():
                look(value)
        elif isinstance(part, list):
            for value in part:
                look(value)

    look(msgspec.to_builtins(program))
    unique = list(dict.fromkeys(key for key in found if isinstance(key, str)))[:QUICK]
    return [(key, _category(program, key, language)) for key in unique]


def _category(program: Program, key: str, language: str) -> str:
    names = program.names.get("category", {}) if program.names else {}
    text = names.get(key)
    if text is None:
        return key
    return (text.fr or text.en) if language == "fr" else (text.en or text.fr)
