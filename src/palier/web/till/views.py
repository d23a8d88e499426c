"""The counter: a member on the left, a basket on the right, one big action below; and what its forms do."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial, wraps
from secrets import choice
from typing import Any, Final

import msgspec
import segno
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import override
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from palier.activities import batch, queries
from palier.activities.enrolment import enrol as enrol_member
from palier.activities.operations import NotDone
from palier.activities.runtime import Runtime
from palier.engine.amounts import AmountError, from_minor, to_minor
from palier.engine.program import Program
from palier.engine.words import ProgramWords
from palier.members import refs, signing
from palier.members.operations import NewMember
from palier.members.queries import IdentityError, normalized
from palier.rewards.refusals import OrderRefused
from palier.staff.session import AnyConnection
from palier.staff.throttle import Throttled
from palier.tills import baskets, journal, lookups, redeeming, sales, shifts
from palier.tills.journal import EntryLine, Sent, Taken
from palier.tills.lookups import Customer
from palier.tills.redeeming import Choice
from palier.tills.refusals import TillRefusal, TillRefused
from palier.tills.sales import Basket
from palier.vouchers.refusals import VoucherRefused
from palier.web.portal import telling
from palier.web.portal.visits import language_of
from palier.web.till import receipts, words
from palier.web.till.visits import (
    SWAPPED,
    TillVisit,
    finished,
    new_once,
    of_anyone,
    of_device,
    of_shift,
    place,
)
from palier.web.ui import pictures
from palier.web.ui.pictures import Shown

MOST_AMOUNT: Final = 12
"""Characters of an amount as it is typed."""
QUICK: Final = 9
"""Categories offered as keys."""


# --- the page ---------------------------------------------------------------------------------------------


@require_GET
@of_shift
def counter(made: TillVisit) -> HttpResponse:
    """The page of the till, as things lie on the counter."""
    return shown(made)


def shown(made: TillVisit, *, error: str = "", status: int = 200, fresh: bool = False) -> HttpResponse:
    """The counter, with what went wrong. `fresh`: what was done has just been done, and is heard."""
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
        "exponent": runtime.latest.exponent,
        "total": made.words.money(_minor(made, held.amount)) if held.amount else "",
        "lines": [
            {
                "number": number,
                "category": _category(made.program, line.category, made.language),
                "amount": made.words.money(_minor(made, line.amount)),
            }
            for number, line in enumerate(held.lines)
        ],
        "categories": categories(made.program, made.language),
        "error": error,
        "fresh": fresh,
        "done": _done(made),
        "undo": bool(held.done.get("undo")),
        "offline_words": [(str(code), words.refused(code)) for code in words.OFFLINE_CODES],
    }
    if customer is not None and not customer.own:
        choices = redeeming.choices(connection, runtime, customer.member_id, basket, now=now)
        drawn = pictures.of_rewards(connection, runtime, [item.reward for item in choices], made.words)
        content["choices"] = [_choice(made, item, drawn) for item in choices]
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
        found = next((item for item in content.get("choices", []) if item["key"] == held.reward), None)
        if found is None:
            held.close()
            return {}
        return {"chosen": found}
    if held.panel == "voucher" and held.voucher:
        return _voucher(made, customer)
    if held.panel == "return" and held.sale:
        return _return(made)
    if held.panel == "join":
        return {
            "join_qr": _qr(_portal(made.request, made.runtime.key)),
            "terms_version": made.runtime.latest.version,
        }
    return {}


def _voucher(made: TillVisit, customer: Customer | None) -> dict[str, Any]:
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


def _return(made: TillVisit) -> dict[str, Any]:
    held, words_ = made.counter, made.words
    try:
        sale = (
            sales.last_sale(made.connection, made.runtime, made.device, made.worker)
            if held.sale == sales.LAST
            else sales.find_sale(made.connection, made.runtime, made.device, held.sale, now=made.now)
        )
        if sale.member_id == made.worker.own_member_id:
            raise TillRefused(TillRefusal.OWN_ACCOUNT)
        amount = _minor(made, held.back) if held.back else None
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
            "left": from_minor(sale.left, made.runtime.latest.exponent),
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


# --- amounts and categories -------------------------------------------------------------------------------


def _minor(made: TillVisit, text: str) -> int:
    try:
        return to_minor(text, made.runtime.latest.exponent)
    except AmountError:
        return 0


def amount_of(made: TillVisit, text: str) -> str | None:
    """An amount as it was typed, as plain decimal text; None for what is none, or zero."""
    plain = re.sub(r"[\s\u00a0\u202f]", "", text)[:MOST_AMOUNT].replace(",", ".")
    exponent = made.runtime.latest.exponent
    try:
        minor = to_minor(plain, exponent)
    except AmountError:
        return None
    return from_minor(minor, exponent) if minor else None


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


# --- what the forms do ------------------------------------------------------------------------------------

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


@acts
def find(made: TillVisit) -> HttpResponse | None:
    """The member whom a scan or an exact entry names; nobody is listed, and nothing is guessed."""
    text = made.request.POST.get("who", "")[: lookups.LONGEST].strip()
    made.counter.done = {}
    made.counter.unknown = ""
    if not text:
        return shown(made, error=_("Scan the card, or write a card number, phone or e-mail."), status=422)
    found = lookups.find(made.connection, made.runtime, made.device, made.worker, text, now=made.now)
    if found is None:
        made.counter.member = 0
        # What was typed helps to enrol; a card's code does not.
        made.counter.unknown = text if not text.upper().startswith("PAL") else "?"
        return shown(made, status=404)
    made.counter.member = found.member_id
    if made.counter.panel == "join":
        made.counter.close()
    return None


@acts
def clear(made: TillVisit) -> None:
    """The next customer: the counter is empty."""
    made.counter.clear()
    made.counter.done = {}


@acts
def close(made: TillVisit) -> None:
    """Closes what is open beside the basket."""
    made.counter.close()


@acts
def amount(made: TillVisit) -> HttpResponse | None:
    """The basket as one amount."""
    held = made.counter
    text = made.request.POST.get("amount", "")
    found = amount_of(made, text)
    held.done = {}
    held.lines, held.ticket = [], ""
    if found is None:
        held.amount = ""
        if text.strip() in ("", "0"):
            return None
        return shown(made, error=_("The amount is not one. Write digits, such as 12.50."), status=422)
    held.amount = found
    return None


@acts
def line(made: TillVisit) -> HttpResponse | None:
    """One more line of the basket, with its category; or (`drop`) one less."""
    held = made.counter
    held.done = {}
    dropped = made.request.POST.get("drop", "")
    if dropped.isascii() and dropped.isdigit():
        held.lines = [item for number, item in enumerate(held.lines) if number != int(dropped)]
    else:
        found = amount_of(made, made.request.POST.get("amount", ""))
        if found is None:
            return shown(made, error=_("The amount is not one. Write digits, such as 12.50."), status=422)
        if not held.lines and held.amount:
            held.lines = [EntryLine(held.amount)]
        if len(held.lines) >= journal.LINES:
            return shown(made, error=_("A basket has at most a hundred lines."), status=422)
        held.lines = [*held.lines, EntryLine(found, made.request.POST.get("category", "")[:100])]
    total = sum(_minor(made, item.amount) for item in held.lines)
    held.amount = from_minor(total, made.runtime.latest.exponent) if total else ""
    held.ticket = ""
    return None


@acts
def ticket(made: TillVisit) -> None:
    """The basket that a register announced."""
    held = made.counter
    wanted = made.request.POST.get("ticket", "")[:60].strip()
    found = baskets.read(made.connection, made.runtime.program_id, wanted, made.device.location, now=made.now)
    if found is None or found.state != "open":
        raise TillRefused(TillRefusal.UNKNOWN_TICKET)
    held.done = {}
    held.ticket = found.ticket
    held.amount = from_minor(found.amount, made.runtime.latest.exponent)
    held.lines = list(found.lines) if len(found.lines) > 1 or found.lines[0].category else []


@acts
def credit(made: TillVisit) -> HttpResponse | None:
    """Credits the sale: as the device signed it, or, where no script did, as it lies on the counter."""
    held, form = made.counter, made.request.POST
    once = form.get("once", "")
    basket = held.basket
    ticket = basket.ticket if basket is not None else None
    if form.get("entry") and form.get("signature"):
        sent = Sent(form["entry"], form["signature"])
        taken = journal.take(made.connection, made.runtime, made.device, [sent], now=made.now)[0]
    elif not held.member or basket is None or once != held.once:
        # The form was sent twice: what it did stands on the counter.
        return None
    else:
        taken = sales.credit(
            made.connection,
            made.runtime,
            made.device,
            made.worker,
            held.member,
            basket,
            once=f"F{once}",
            now=made.now,
        )
    if taken.status == "refused":
        return _marked(shown(made, error=words.refused(taken.code), status=422), taken)
    if form.get("entry") and form.get("signature"):
        # What was signed is what was credited, whatever lies on the counter by now.
        ticket = journal.ticket_of(form["entry"])
    sales.follow(made.connection, made.device, made.worker, [taken], ticket, now=made.now)
    _credited(made, taken)
    held.clear()
    if made.request.headers.get("X-Requested-With") == SWAPPED:
        return _marked(shown(made, fresh=True), taken)
    return None


def _marked(response: HttpResponse, taken: Taken) -> HttpResponse:
    """Says to the script what became of its entry, so that it forgets it, or keeps it."""
    response["X-Till"] = f"{taken.status} {taken.number}"
    return response


def _credited(made: TillVisit, taken: Taken) -> None:
    """What is said, and handed over, once a sale is credited: all of it by what the ledger has of it."""
    found = queries.find_activity(made.connection, made.runtime.program_id, made.device.source, taken.number)
    if found is None or found.line is None:
        made.counter.done = {"title": _("Credited."), "fresh": True}
        return
    brought = sales.told_of(found.line.trace)
    member_id = found.line.member_id
    wallets = queries.wallets(made.connection, made.runtime, member_id, now=made.now)
    assert wallets is not None
    points = [made.words.points(minor, key) for key, minor in brought.points.items()]
    money, _back = queries.sold_and_returned(made.connection, member_id, found.line.activity_id)
    number = sales.receipt_number(made.device, taken.number)
    made.counter.done = {
        "title": "+" + _(" and ").join(points) if points else _("Credited: no points this time."),
        "text": _said_balance(made, wallets),
        "rise": _("New tier: %(tier)s") % {"tier": made.words.tier(brought.tier_reached)}
        if brought.tier_reached
        else "",
        "number": number,
        "receipts": _receipts(
            made,
            number,
            money,
            brought.points,
            wallets,
        ),
        "undo": True,
        "fresh": True,
    }


def _said_balance(made: TillVisit, wallets: queries.Wallets) -> str:
    shown_ = [
        made.words.points(wallets.wallets[key].spendable, key)
        for number, key in enumerate(telling.currencies_of(made.runtime.latest, "points", "cash"))
        if key in wallets.wallets and (not number or wallets.wallets[key].spendable)
    ]
    return _("The member now has %(points)s.") % {"points": _(" and ").join(shown_)} if shown_ else ""


def _receipts(
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


# --- rewards and vouchers ---------------------------------------------------------------------------------


@acts
def reward(made: TillVisit) -> None:
    """A reward is chosen; the member agrees to it on his own phone."""
    made.counter.close()
    made.counter.done = {}
    made.counter.panel, made.counter.reward = "reward", made.request.POST.get("reward", "")[:100]


@acts
def give(made: TillVisit) -> None:
    """The member's code: his points are used for the reward, once."""
    held = made.counter
    if not held.member or not held.reward:
        return
    code = made.request.POST.get("code", "")[:100]
    key, basket, member_id, once = held.reward, held.basket, held.member, held.once
    given = batch.attempt(
        made.connection,
        lambda: redeeming.give(
            made.connection,
            made.runtime,
            made.device,
            made.worker,
            member_id,
            key,
            code,
            basket,
            once=once,
            now=made.now,
        ),
    )
    wallets = queries.wallets(made.connection, made.runtime, member_id, now=made.now)
    assert wallets is not None
    name = made.words.text(given.reward.name)
    used = _(" and ").join(made.words.points(minor, currency) for currency, minor in given.points.items())
    held.close()
    held.once = new_once()
    held.done = {
        "title": name,
        "text": (_("%(points)s used.") % {"points": used} + " " if used else "")
        + _said_balance(made, wallets),
        "rise": _("Take %(money)s off in the register.") % {"money": made.words.money(given.off)}
        if given.off is not None
        else _("Hand it over."),
        "fresh": True,
    }


@acts
def voucher(made: TillVisit) -> None:
    """The voucher's field is opened, or the voucher that was read is looked at."""
    made.counter.close()
    made.counter.done = {}
    made.counter.panel, made.counter.voucher = "voucher", made.request.POST.get("voucher", "")[:100].strip()


@acts
def use_voucher(made: TillVisit) -> None:
    """Uses the voucher that is shown."""
    held = made.counter
    if not held.voucher:
        return
    code, member_id, once = held.voucher, held.member or None, held.once
    found = _voucher(made, lookups.customer(made.connection, made.runtime, held.member, made.worker, now=made.now)
                     if held.member else None)  # fmt: skip
    if "shown_voucher" not in found:
        return
    batch.attempt(
        made.connection,
        lambda: redeeming.use_voucher(
            made.connection, made.runtime, made.device, made.worker, code, member_id, once=once, now=made.now
        ),
    )
    told = found["shown_voucher"]
    held.close()
    held.once = new_once()
    held.done = {
        "title": told["name"],
        "text": _("The voucher is used."),
        "rise": _("Take %(money)s off in the register.") % {"money": told["off"]} if told["off"] else "",
        "fresh": True,
    }


# --- returns ----------------------------------------------------------------------------------------------


@acts
def back(made: TillVisit) -> None:
    """A sale that is taken back, whole or in part; its effect is shown before anything is done."""
    form = made.request.POST
    held = made.counter
    sale = form.get("sale", "")[:80].strip()
    part = amount_of(made, form.get("back", "")) or ""
    held.close()
    held.done = {}
    held.panel, held.sale, held.back = "return", sale, part


@acts
def take_back(made: TillVisit) -> None:
    """Takes the sale back, as it was shown."""
    held = made.counter
    if not held.sale:
        return
    sale = (
        sales.last_sale(made.connection, made.runtime, made.device, made.worker)
        if held.sale == sales.LAST
        else sales.find_sale(made.connection, made.runtime, made.device, held.sale, now=made.now)
    )
    part = _minor(made, held.back) if held.back else None
    money = min(part, sale.left) if part is not None else sale.left
    seen = made.request.POST.get("seen")
    if seen is not None and seen != f"{sale.number} {money}" and sale.left:
        # Another sale was credited, or another till took some of this one back: what was agreed to is what was shown.
        raise TillRefused(TillRefusal.SALE_CHANGED)
    before = queries.wallets(made.connection, made.runtime, sale.member_id, now=made.now)
    made.connection.rollback()
    sales.take_back(
        made.connection, made.runtime, made.device, made.worker, sale, part, once=held.once, now=made.now
    )
    after = queries.wallets(made.connection, made.runtime, sale.member_id, now=made.now)
    assert before is not None
    assert after is not None
    taken = {
        key: wallet.spendable - before.wallets[key].spendable
        for key, wallet in after.wallets.items()
        if key in before.wallets and wallet.spendable != before.wallets[key].spendable
    }
    points = _(" and ").join(made.words.points(minor, key) for key, minor in taken.items())
    number = sales.receipt_number(made.device, f"R{held.once}")
    held.clear()
    held.done = {
        "title": points or _("Taken back."),
        "text": _("%(money)s of sale %(number)s were taken back.")
        % {"money": made.words.money(money), "number": sale.number}
        + " "
        + _said_balance(made, after),
        "number": number,
        "receipts": _receipts(made, number, -money, taken, after),
        "fresh": True,
    }


# --- enrolling --------------------------------------------------------------------------------------------


@acts
def join(made: TillVisit) -> None:
    """The field by which somebody is enrolled is opened, with what was typed before."""
    unknown = made.counter.unknown
    made.counter.close()
    made.counter.done = {}
    made.counter.panel = "join"
    made.counter.unknown = "" if unknown == "?" else unknown


@acts
def enrol(made: TillVisit) -> HttpResponse | None:
    """Enrols somebody: one field, and a first name if he likes. Without any, a card is made and printed."""
    held, form = made.counter, made.request.POST
    contact = form.get("contact", "").strip()[:200]
    name = " ".join(form.get("first_name", "").split())[:40]
    fresh_card = "" if contact else _new_card()
    try:
        kind = "card" if fresh_card else _kind(contact)
        normalized(kind, fresh_card or contact)
        if kind == "email":
            validate_email(contact)
    except (IdentityError, ValidationError):
        held.panel, held.unknown = "join", contact
        return shown(
            made,
            error=_(
                "Write an e-mail address, a phone or a card number, or nothing at all for a printed card."
            ),
            status=422,
        )
    new = NewMember({kind: fresh_card or contact}, {"first_name": name} if name else {}, made.language, None)
    # Counted before: who is enrolled twice is found, and finding has its limit.
    shifts.count_lookup(made.connection, made.worker, now=made.now)
    joined = batch.attempt(
        made.connection, lambda: enrol_member(made.connection, made.runtime, new, None, now=made.now)
    ).enrolled
    if joined.problem:
        raise TillRefused(TillRefusal.UNKNOWN_MEMBER)
    shifts.log_lookup(made.connection, made.worker, "enrolled", joined.member_id, now=made.now)
    if joined.created:
        shifts.followed(made.connection, made.worker)
    made.connection.commit()
    held.close()
    held.member = joined.member_id
    if not joined.created:
        held.done = {"title": _("Already a member."), "text": _("Nothing was changed; this is the account.")}
        return None
    held.done = {
        "title": _("Welcome!"),
        "text": _("Enrolled under the terms of version %(version)s, which are on the members' pages.")
        % {"version": made.runtime.latest.version},
        "card": fresh_card,
        "join": True,
        "fresh": True,
    }
    return None


def _kind(contact: str) -> str:
    """What a contact is: an address has an @, a phone begins with + or 0 and has digits alone; else it is a card."""
    if "@" in contact:
        return signing.kind_of(contact)
    return "phone" if re.fullmatch(r"(\+|00?)[0-9 .()-]{5,24}", contact) else "card"


def _new_card() -> str:
    """The number of a new card: sixty random bits, in groups as people read them."""
    letters = "".join(choice(refs.ALPHABET) for _ in range(12)).upper()
    return f"P-{letters[:4]}-{letters[4:8]}-{letters[8:]}"


# --- without the network ----------------------------------------------------------------------------------


class _Journal(msgspec.Struct, forbid_unknown_fields=True):
    entries: list[Sent]


# A forged call brings nothing: the cookie is not sent from other sites, and every entry bears the device's signature.
@csrf_exempt
@require_POST
@partial(of_device, revoked_too=True)
def kept(made: TillVisit) -> HttpResponse:
    """Takes what the device kept while the network was away; what became of each entry."""
    try:
        body = msgspec.json.decode(made.request.body, type=_Journal)
    except (msgspec.DecodeError, UnicodeDecodeError):
        ended = made.device.state == "revoked"
        return finished(JsonResponse({"error": "malformed"}, status=401 if ended else 400))
    try:
        taken = journal.take(made.connection, made.runtime, made.device, body.entries, now=made.now)
    except TillRefused as refused:
        return finished(
            JsonResponse({"error": refused.code, "said": words.refused(refused.code)}, status=401)
        )
    for sent, item in zip(body.entries, taken, strict=False):
        if item.status in ("applied", "duplicate"):
            ticket_ = journal.ticket_of(sent.text)
            if ticket_ is not None:
                baskets.done(made.connection, made.device, ticket_, item.number, now=made.now)
    made.connection.commit()
    return finished(
        JsonResponse(
            {
                "results": [
                    {
                        "number": item.number,
                        "status": item.status,
                        "code": item.code,
                        "said": words.refused(item.code) if item.code else "",
                    }
                    for item in taken
                ]
            }
        )
    )


@require_GET
@of_anyone
def shell(request: HttpRequest, connection: AnyConnection, found: Runtime, now: int) -> HttpResponse:
    """The till as it is without the network: nothing of anybody, and a place to keep sales."""
    content = place(request, connection, found, ProgramWords(found.latest.program, language_of(request)), now)
    content["offline_words"] = [(str(code), words.refused(code)) for code in words.OFFLINE_CODES]
    content["exponent"] = found.latest.exponent
    return finished(render(request, "till/shell.html", content))


@require_GET
@of_anyone
def worker(request: HttpRequest, connection: AnyConnection, found: Runtime, now: int) -> HttpResponse:
    """The script that keeps the till's shell on the tablet; it has to come from the till's own address."""
    logo = pictures.logo(connection, found, ProgramWords(found.latest.program, language_of(request)))
    response = finished(
        render(
            request,
            "till/sw.js",
            {
                "root": reverse("till:counter", args=[found.key]),
                "shell": reverse("till:shell", args=[found.key]),
                "files": [
                    static(f"ui/{name}")
                    for name in (
                        "tokens.css", "ui.css", "till.css", "till.js", "till-journal.js", "till-scan.js",
                        "icons.svg", "app.svg", "fonts/source-sans-3.woff2",
                    )
                ]
                + [reverse("portal:brand", args=[found.key])]
                + ([logo.small, logo.medium, logo.large] if logo is not None else []),
            },
            content_type="text/javascript; charset=utf-8",
        )
    )  # fmt: skip
    response["Cache-Control"] = "no-cache"
    return response


@require_GET
@of_anyone
def manifest(request: HttpRequest, connection: AnyConnection, found: Runtime, now: int) -> HttpResponse:
    """What installs the till on a tablet."""
    root = reverse("till:counter", args=[found.key])
    language = language_of(request)
    with override(language):
        name = _("Till")
    return finished(
        JsonResponse(
            {
                "name": f"{name} · {ProgramWords(found.latest.program, language).text(found.latest.program.name)}",
                "short_name": name,
                "start_url": root,
                "scope": root,
                "display": "standalone",
                "orientation": "any",
                "background_color": "#fbfaf7",
                "theme_color": "#fbfaf7",
                "icons": pictures.installed(
                    pictures.logo(connection, found, ProgramWords(found.latest.program, language))
                ),
            },
            content_type="application/manifest+json",
        )
    )
