"""Baskets at the till: what a member shows and chooses, as offers of `palier.engine.baskets`. Writes nothing.

A voucher brings what its effect says: that of a reward names the reward's kind, a percentage, an amount or a product.
A reward of such a kind may be chosen too before it is ordered: its price in points is then part of what is redeemed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct
from psycopg import Connection

from palier.activities.runtime import Runtime
from palier.engine.amounts import ratio, to_minor
from palier.engine.baskets import Amount, Chosen, Effect, Free, Offer, Percent, Points, Reason
from palier.engine.conditions import check, compile_line_condition, line_fields
from palier.engine.facts import Line
from palier.engine.plan import Plan
from palier.engine.program import Condition
from palier.rewards import catalogue
from palier.rewards.catalogue import MemberStanding
from palier.rewards.document import AmountOff, PercentOff, Product, Reward, Stacking
from palier.vouchers.operations import Standing
from palier.vouchers.refusals import VoucherRefusal, VoucherRefused

Gives = PercentOff | AmountOff | Product
"""What of all that rewards give takes something off a basket."""

NOT_FOR_BASKETS: Final = Reason(
    "not_for_baskets", "it takes nothing off a basket", "elle ne déduit rien d'un panier"
)
UNKNOWN_REWARD: Final = Reason(
    "unknown_reward", "the catalogue has no such reward", "le catalogue n'a pas cette récompense"
)

_FRENCH: Final = {
    VoucherRefusal.MISTYPED_CODE: "ce n'est pas un code ; relisez-le",
    VoucherRefusal.UNKNOWN_VOUCHER: "aucun bon n'a ce code et cette preuve",
    VoucherRefusal.MEMBER_NOT_ACTIVE: "le membre du bon n'est pas actif",
    VoucherRefusal.VOUCHER_CANCELLED: "le bon a été annulé",
    VoucherRefusal.VOUCHER_NOT_YET_VALID: "le bon n'est pas encore valable",
    VoucherRefusal.VOUCHER_EXPIRED: "le bon a expiré",
    VoucherRefusal.VOUCHER_USED_UP: "le bon a été utilisé",
}


class Choice(Struct, frozen=True):
    """A chosen reward as an offer, and what it costs in points (minor units by currency) if it is ordered."""

    offer: Offer
    points: dict[str, int] = {}


def nothing(key: str, reason: Reason, name: tuple[str, str] | None = None) -> Offer:
    """An offer that cannot be used, for this reason."""
    return Offer(key, Amount(0), refused=reason, name=name)


def refused(key: str, why: VoucherRefused) -> Offer:
    """A code that cannot be used, as the vouchers room says it."""
    return nothing(
        key, Reason(why.code.value, why.message, _FRENCH.get(why.code, "le bon n'est pas utilisable"))
    )


def of_voucher(
    connection: Connection[Any], runtime: Runtime, key: str, found: Standing, *, before: int, now: int
) -> Offer:
    """One use of a voucher; `before` counts the uses of it that stand before this one in the same basket."""
    if found.uses_left <= before:
        return nothing(
            key, Reason("voucher_used_up", "the voucher has no use left", "le bon n'a plus d'utilisation")
        )
    try:
        gives = msgspec.convert(found.effect.get("gives"), Gives)
        stacking = msgspec.convert(found.effect.get("stacking", {}), Stacking)
    except msgspec.ValidationError:
        return nothing(key, NOT_FOR_BASKETS)
    named = found.effect.get("reward")
    terms = catalogue.terms(connection, runtime.program_id, named, now) if isinstance(named, str) else None
    name = _names(terms.reward) if terms is not None else None
    return _offer(runtime.latest, key, gives, stacking, name)


def of_reward(
    connection: Connection[Any],
    runtime: Runtime,
    key: str,
    reward_key: str,
    member: MemberStanding | None,
    *,
    now: int,
) -> Choice:
    """A reward of the catalogue, as if it were ordered now and used at once.

    What keeps the member from having it is why it does not apply. `spendable` of the member is what is left to him
    beside the rewards chosen before this one: it is lowered by the price.
    """
    terms = catalogue.terms(connection, runtime.program_id, reward_key, now)
    if terms is None or terms.reward.state in ("draft", "retired"):
        return Choice(nothing(key, UNKNOWN_REWARD))
    return of_known(runtime, key, terms.reward, member, now=now)


def of_known(
    runtime: Runtime, key: str, reward: Reward, member: MemberStanding | None, *, now: int
) -> Choice:
    """As `of_reward`, for a reward that was read already. Asks no database."""
    name = _names(reward)
    gives = reward.gives
    if not isinstance(gives, PercentOff | AmountOff | Product):
        return Choice(nothing(key, NOT_FOR_BASKETS, name))
    offered = catalogue.offer(runtime, reward, member, at=now)
    if offered.reasons:
        why = offered.reasons[0]
        return Choice(nothing(key, Reason(why.code, why.en, why.fr), name))
    price = offered.price(None)
    points = dict(price.points) if price is not None else {}
    if member is not None:
        for currency, minor in points.items():
            member.spendable[currency] = member.spendable.get(currency, 0) - minor
    return Choice(_offer(runtime.latest, key, gives, reward.stacking, name), points)


def _names(reward: Reward) -> tuple[str, str]:
    return reward.name.en or reward.name.fr, reward.name.fr or reward.name.en


def _offer(plan: Plan, key: str, gives: Gives, stacking: Stacking, name: tuple[str, str] | None) -> Offer:
    effect: Effect
    minimum = None
    chosen: Chosen
    match gives:
        case PercentOff():
            effect = Percent(
                ratio(gives.percent),
                to_minor(gives.maximum, plan.exponent) if gives.maximum is not None else None,
                gives.base.shipping == "in",
                gives.base.gift_cards == "in",
            )
            minimum, chosen = gives.minimum_basket, _chosen(plan, gives.lines)
        case AmountOff():
            effect = Amount(to_minor(gives.amount, plan.exponent) if gives.amount is not None else 0)
            minimum, chosen = gives.minimum_basket, _chosen(plan, gives.lines)
        case Product():
            cap = to_minor(gives.price_cap, plan.exponent) if gives.price_cap is not None else None
            effect, chosen = Free(1, cap), _product(gives)
    return Offer(
        key,
        effect,
        chosen,
        to_minor(minimum, plan.exponent) if minimum is not None else 0,
        stacking.group,
        stacking.exclusive,
        stacking.priority,
        None,
        name,
    )


def _chosen(plan: Plan, condition: Condition | None) -> Callable[[Line], bool]:
    """The lines that a condition picks; one that the program no longer understands picks none."""
    if condition is not None and check(condition, line_fields(plan.program), ""):
        return lambda line: False
    return compile_line_condition(condition, plan.program)


def _product(gives: Product) -> Callable[[Line], bool]:
    def chosen(line: Line) -> bool:
        if gives.sku is not None:
            return line.sku == gives.sku
        return gives.category is None or line.category == gives.category

    return chosen


def value_of(plan: Plan, currency: str) -> tuple[int, int] | None:
    """What one minor unit of points is worth in minor units of money, exactly; None where the program says nothing."""
    declared = next((item for item in plan.program.point_currencies if item.key == currency), None)
    if declared is None:
        return None
    text = declared.value if declared.value is not None else "1" if declared.kind == "cash" else None
    if text is None:
        return None
    worth, per = ratio(text)
    return worth * 10**plan.exponent, per * 10**declared.scale


def part_payment(plan: Plan, currency: str, offered: int) -> Points | None:
    """So many minor units of points as part payment; None for points that are worth nothing in money."""
    value = value_of(plan, currency)
    return Points(offered, value) if value is not None else None


def cost(choices: Sequence[Choice], applied: Sequence[str]) -> dict[str, int]:
    """What the chosen rewards that apply cost in points, by currency."""
    total: dict[str, int] = {}
    for choice in choices:
        if choice.offer.key in applied:
            for currency, minor in choice.points.items():
                total[currency] = total.get(currency, 0) + minor
    return total
