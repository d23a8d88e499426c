"""Baskets: what one comes to with vouchers, rewards and points, before anything is used."""

from __future__ import annotations

import secrets
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from ninja import Router

from palier.activities import batch, wire
from palier.activities.operations import NotDone, points_minor
from palier.api.basket_schemas import BasketAnswer, BasketLine, BasketPoints, NewBasket
from palier.api.calls import ApiKey, Call, answer, call
from palier.api.problems import Problem, of_refusal
from palier.api.schemas import problems
from palier.engine.amounts import AmountError, from_minor, ratio, to_minor
from palier.engine.baskets import (
    Applied,
    Basket,
    Item,
    Offer,
    Passed,
    Points,
    Total,
    calculate,
)
from palier.engine.clock import moment
from palier.engine.facts import Line
from palier.engine.refusals import Refusal
from palier.members import refs
from palier.rewards import baskets, catalogue
from palier.rewards.baskets import Choice
from palier.rewards.catalogue import MemberStanding
from palier.staff.throttle import Throttled
from palier.vouchers import guesses
from palier.vouchers import operations as vouchers
from palier.vouchers.operations import Presented
from palier.vouchers.refusals import VoucherRefused

router = Router(tags=["Rewards"])
USE: Final = ApiKey("vouchers:use")
MOST_TAX: Final = 100


@router.post(
    "/baskets/calculate",
    auth=USE,
    operation_id="calculate_basket",
    summary="What a basket comes to",
    response={200: BasketAnswer, **problems(404, 413, 415)},
)
def calculate_basket(request: HttpRequest, body: NewBasket) -> HttpResponse:
    """What a basket comes to with the vouchers shown, the rewards chosen and points as part payment.

    Nothing is used, ordered or spent. Everything named is on one list: applicable, with what it takes off each line;
    inapplicable, and skipped for the sake of others, with the reason. Amounts are shared out to lines exactly, tax is
    that in what is left, and points are never more than what they pay is worth. `earns` is what the sale would bring.
    """
    with call(request) as made:
        member = _member(made, body.member) if body.member is not None else None
        basket = Basket(
            tuple(_item(made, number, line) for number, line in enumerate(body.lines)),
            made.runtime.latest.program.currency,
            body.prices_include_tax,
        )
        made.connection.rollback()
        offers, shown = _vouchers(made, body, member)
        choices = [
            baskets.of_reward(made.connection, made.runtime, f"rewards[{number}]", key, member, now=made.now)
            for number, key in enumerate(body.rewards)
        ]
        every = offers + [choice.offer for choice in choices]
        points = _points(made, body.points, member) if body.points is not None else None
        total = calculate(basket, every, points)
        shown |= {f"rewards[{number}]": ("reward", key) for number, key in enumerate(body.rewards)}
        earns = _earns(made, body, member, basket, total) if member is not None else None
        made.connection.rollback()
        return answer(_shown(made, body, member, total, every, choices, shown, earns))


def _member(made: Call, ref: str) -> MemberStanding:
    member_id = made.acting(ref)
    found = catalogue.standing(made.connection, made.runtime, member_id, now=made.now)
    assert found is not None
    return found


def _item(made: Call, number: int, line: BasketLine) -> Item:
    exponent = made.runtime.latest.exponent
    try:
        amount = to_minor(line.amount, exponent)
        rate = ratio(line.tax_rate)
        if rate[0] > MOST_TAX * rate[1]:
            raise AmountError(f"a rate of tax is at most {MOST_TAX}")
    except AmountError as error:
        raise Problem(
            422, "invalid_amount", f"{str(error)[:1].upper()}{str(error)[1:]}.", field=f"lines[{number}]",
            remedy=f"send plain decimals, amounts with at most {exponent}",
        ) from None  # fmt: skip
    return Item(Line(line.category, line.sku, line.quantity, amount, line.kind), rate)


def _vouchers(
    made: Call, body: NewBasket, member: MemberStanding | None
) -> tuple[list[Offer], dict[str, tuple[str, str]]]:
    """The vouchers shown, as offers, and what each place names. Failed tries count against whoever tries."""
    caller = guesses.Caller(made.key.program_id, made.key.prefix, body.actor or "")
    offers: list[Offer] = []
    shown: dict[str, tuple[str, str]] = {}
    seen: dict[str, int] = {}
    for number, voucher in enumerate(body.vouchers):
        key = f"vouchers[{number}]"
        presented = Presented(
            voucher.code, member.member_id if member is not None else None, voucher.pin or ""
        )

        def check(presented: Presented = presented) -> vouchers.Standing:
            return vouchers.check(made.connection, made.key.program_id, presented, now=made.now)

        try:
            found = guesses.guarded(made.connection, caller, voucher.code, check, now=made.now)
        except VoucherRefused as why:
            offers.append(baskets.refused(key, why))
            made.connection.rollback()
            continue
        except Throttled as throttled:
            raise Problem(
                429, "too_many_tries", "Too many codes that do not exist were tried; wait before the next.",
                remedy="check the codes before they are sent", retry_after_s=throttled.wait_s,
            ) from None  # fmt: skip
        before = seen.get(found.voucher_ref, 0)
        seen[found.voucher_ref] = before + 1
        shown[key] = ("voucher", found.voucher_ref)
        offers.append(
            baskets.of_voucher(made.connection, made.runtime, key, found, before=before, now=made.now)
        )
    return offers, shown


def _points(made: Call, wanted: BasketPoints, member: MemberStanding | None) -> Points:
    """The points that may pay: no more than the member has beside the price of the rewards chosen."""
    if member is None:
        raise Problem(
            422,
            "malformed",
            "Only a member has points.",
            field="points",
            remedy="name the member, or leave it out",
        )
    try:
        asked = (
            points_minor(made.runtime, wanted.currency, wanted.points)
            if wanted.points is not None
            else member.spendable.get(wanted.currency, 0)
        )
        found = baskets.part_payment(
            made.runtime.latest, wanted.currency, max(0, min(asked, member.spendable.get(wanted.currency, 0)))
        )
    except NotDone as refused:
        raise of_refusal(refused.refusal) from None
    if found is None:
        raise Problem(
            422, "points_pay_nothing", "These points are worth nothing in money.", field="points.currency",
            remedy="choose points to which the program gives a value",
        )  # fmt: skip
    return found if member.status == "active" else Points(0, found.value)


# --- what it would earn -----------------------------------------------------------------------------------


def _earns(
    made: Call, body: NewBasket, member: MemberStanding, basket: Basket, total: Total
) -> dict[str, Any] | None:
    """What the sale would bring: decided by the intake as any other, and rolled back."""
    plan = made.runtime.latest

    def money(minor: int) -> str:
        return from_minor(minor, plan.exponent)

    due = [line.gross - line.off for line in total.lines]
    kinds = [item.line.kind for item in basket.items]
    sale: dict[str, Any] = {
        "source": "basket",
        "id": f"basket-{secrets.token_hex(16)}",
        "type": "sale",
        "occurred_at": moment(made.now).isoformat(),
        "member": refs.encode(member.member_id),
        "amount": money(sum(due)),
        "tax": money(sum(line.tax for line in total.lines)),
        "shipping": money(sum(part for part, kind in zip(due, kinds, strict=True) if kind == "shipping")),
        "lines": [
            {
                "category": item.line.category,
                "sku": item.line.sku,
                "quantity": item.line.quantity,
                "amount": money(part),
                "kind": item.line.kind,
            }
            for item, part in zip(basket.items, due, strict=True)
        ],
    }
    if total.paid:
        sale["tenders"] = [{"kind": "points", "amount": money(total.paid)}]
        if total.to_pay:
            sale["tenders"].append({"kind": "other", "amount": money(total.to_pay)})
    sale |= {name: value for name, value in (("channel", body.channel), ("location", body.location)) if value}
    read = wire.from_mapping(sale)
    line = (
        read
        if isinstance(read, Refusal)
        else wire.to_fact(read, made.runtime.timeline, made.runtime.key, now=made.now)
    )
    result = batch.apply(made.connection, made.runtime, [line], now=made.now, dry_run=True)[0]
    trace = result.trace
    if result.refusal is not None or trace is None:
        return None
    earned: dict[str, int] = {}
    for rule in trace.rules:
        earned[rule.currency] = earned.get(rule.currency, 0) + rule.earned
    for grant in trace.grants:
        if not grant.cause.startswith("game:"):  # what chance brings is not told before
            earned[grant.currency] = earned.get(grant.currency, 0) + grant.points
    return {
        "points": {key: made.points(key, minor) for key, minor in earned.items()},
        "tier_reached": trace.tier_after or None,
    }


# --- as it is shown ---------------------------------------------------------------------------------------


def _shown(
    made: Call,
    body: NewBasket,
    member: MemberStanding | None,
    total: Total,
    offers: list[Offer],
    choices: list[Choice],
    shown: dict[str, tuple[str, str]],
    earns: dict[str, Any] | None,
) -> dict[str, Any]:
    plan = made.runtime.latest
    language = body.language or plan.program.languages[0]
    names = {offer.key: offer.name for offer in offers}

    def money(minor: int) -> str:
        return from_minor(minor, plan.exponent)

    def named(offer: Applied | Passed) -> dict[str, Any]:
        kind, value = shown.get(offer.key, ("", ""))
        name = names[offer.key]
        return {
            "offer": offer.key,
            "name": name[language == "fr"] if name is not None else None,
            "voucher": value if kind == "voucher" else None,
            "reward": value if kind == "reward" else None,
        }

    def passed(offers: tuple[Passed, ...]) -> list[dict[str, Any]]:
        return [
            {**named(offer), "code": offer.reason.code, "text": offer.reason.said(language)}
            for offer in offers
        ]

    paying = None
    if body.points is not None:
        currency = body.points.currency
        paying = {
            "currency": currency,
            "points": made.points(currency, total.points),
            "worth": money(total.paid),
        }
    applied = [offer.key for offer in total.applied]
    return {
        "member": refs.encode(member.member_id) if member is not None else None,
        "currency": plan.program.currency,
        "lines": [
            {
                name: money(getattr(line, name))
                for name in ("gross", "off", "paid", "to_pay", "tax", "tax_to_pay")
            }
            for line in total.lines
        ],
        "applicable": [
            {**named(offer), "amount": money(offer.amount), "lines": [money(part) for part in offer.lines]}
            for offer in total.applied
        ],
        "inapplicable": passed(total.inapplicable),
        "skipped": passed(total.skipped),
        "gross": money(total.gross),
        "off": money(total.off),
        "paid": money(total.paid),
        "to_pay": money(total.to_pay),
        "taxes": [{"rate": _rate(rate), "tax": money(tax)} for rate, tax in total.taxes],
        "points": paying,
        "price": {key: made.points(key, minor) for key, minor in baskets.cost(choices, applied).items()},
        "earns": earns,
    }


def _rate(rate: tuple[int, int]) -> str:
    """A rate as it was sent: (55, 10) is "5.5"."""
    return from_minor(rate[0], len(str(rate[1])) - 1)
