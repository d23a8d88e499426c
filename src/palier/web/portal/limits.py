"""What keeps a reward from being ordered beside its terms and price: limits and stock, said before and after."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.translation import gettext as _

from palier.rewards import order_limits, stock
from palier.rewards.catalogue import Terms
from palier.rewards.document import Reward, Sweepstake
from palier.rewards.kinds import Leaf
from palier.rewards.order_limits import Beyond
from palier.rewards.refusals import OrderRefused
from palier.rewards.stock import Need
from palier.web.portal import handing
from palier.web.portal.visits import Visit


def in_the_way(made: Visit, terms: Terms, forms: Sequence[str]) -> dict[str, str]:
    """What limits and stock say against one more of a reward, by its forms ("" for one that has none).

    A sentence without its last point; nothing where one can be had.
    """
    beyond = order_limits.beyond(made.connection, made.runtime, made.member_id, terms.reward, made.now)
    if beyond is not None:
        return dict.fromkeys(forms, _of_one(beyond))
    needs = {
        form: order_limits.needs(
            made.runtime, terms.reward, handing.leaves(made, terms, form or None), 1, made.now
        )
        for form in forms
    }
    levels = stock.read(
        made.connection, made.runtime.program_id, {key for taken in needs.values() for key in taken}
    )
    found = {}
    for form, taken in needs.items():
        short = stock.short(levels, taken)
        found[form] = _gone(terms.reward, taken[short]) if short is not None else ""
    return found


def of_list(made: Visit, listed: Sequence[Terms]) -> dict[str, str]:
    """What limits and stock say against rewards of a list, by key; those that can be had are left out.

    Asked for all of them together.
    """
    rewards = [terms.reward for terms in listed]
    each = order_limits.beyond_each(made.connection, made.runtime, made.member_id, rewards, made.now)
    found = {key: _of_one(beyond) for key, beyond in each.items()}
    plain = [
        Leaf(terms.reward_id, terms.version, terms.reward, form)
        for terms in listed
        if terms.reward.key not in found
        for form in terms.reward.variants or (None,)
    ]
    needs: dict[str, list[dict[str, Need]]] = {}
    for leaf, leaves in zip(plain, handing.leaves_of_each(made, plain), strict=True):
        taken = order_limits.needs(made.runtime, leaf.reward, leaves, 1, made.now)
        needs.setdefault(leaf.reward.key, []).append(taken)
    keys = {key for forms in needs.values() for taken in forms for key in taken}
    levels = stock.read(made.connection, made.runtime.program_id, keys) if keys else {}
    for reward in rewards:
        forms = needs.get(reward.key, [])
        short = [key for taken in forms if (key := stock.short(levels, taken)) is not None]
        if forms and len(short) == len(forms):
            found[reward.key] = _gone(reward, forms[0][short[0]])
    return found


def _gone(reward: Reward, need: Need) -> str:
    if need.what == "period" and reward.limits.per_period is not None:
        return _of_all(reward.limits.per_period.period)
    return _("None of it is left")


def _of_one(beyond: Beyond) -> str:
    return {
        "day": _("That was all for today: one person may have %(count)d of these in a day"),
        "week": _("That was all for this week: one person may have %(count)d of these in a week"),
        "month": _("That was all for this month: one person may have %(count)d of these in a month"),
        "year": _("That was all for this year: one person may have %(count)d of these in a year"),
    }.get(beyond.of, _("That was all: one person may have %(count)d of these")) % {"count": beyond.most}


def _of_all(period: str) -> str:
    return {
        "day": _("All there were for today are taken"),
        "week": _("All there were for this week are taken"),
        "month": _("All there were for this month are taken"),
        "year": _("All there were for this year are taken"),
    }[period]


def unavailable(terms: Terms, variant: str, refused: OrderRefused) -> str:
    """Why a reward cannot be had that nothing said of it kept from being ordered, without the last point."""
    if refused.field == "slot":
        return _("This date has begun: choose a later one")
    if isinstance(terms.reward.gives, Sweepstake):
        return _("The draw is closed")
    if all(price.money for price in terms.reward.prices_of(variant or None)):
        return _("It takes money beside the points: order it where the shop takes the money")
    return _("It cannot be had just now")
