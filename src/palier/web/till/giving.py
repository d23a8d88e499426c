"""Forms of the counter by which a member has something: rewards, vouchers, and a sale that is taken back."""

from __future__ import annotations

from django.http import HttpResponse
from django.utils.translation import gettext as _

from palier.activities import batch, queries
from palier.tills import lookups, redeeming, sales
from palier.tills.refusals import TillRefusal, TillRefused
from palier.web.till.acts import acts, receipts_of, said_balance
from palier.web.till.counter import amount_of, minor_of, no_amount, shown, voucher_looked_at
from palier.web.till.visits import (
    TillVisit,
    new_once,
)

# --- rewards and vouchers -------------------------------------------------------------------------------


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
        + said_balance(made, wallets),
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
    customer = (
        lookups.customer(made.connection, made.runtime, held.member, made.worker, now=made.now)
        if held.member
        else None
    )
    found = voucher_looked_at(made, customer)
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


# --- returns --------------------------------------------------------------------------------------------


@acts
def back(made: TillVisit) -> HttpResponse | None:
    """A sale that is taken back, whole or in part; its effect is shown before anything is done."""
    form = made.request.POST
    held = made.counter
    sale = form.get("sale", "")[:80].strip()
    text = form.get("back", "").strip()
    part = amount_of(made, text) if text else ""
    held.close()
    held.done = {}
    held.panel, held.sale, held.back = "return", sale, part or ""
    if part is None:
        return shown(made, error=no_amount(), status=422, typed={"back": text})
    return None


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
    part = minor_of(made, held.back) if held.back else None
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
        + said_balance(made, after),
        "number": number,
        "receipts": receipts_of(made, number, -money, taken, after),
        "fresh": True,
    }
