"""What keeps a reward from being a good one: a missing text or picture, an unknown cost, a price below it.

Findings are advice. Nothing is refused for them.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from msgspec import Struct

from palier.engine.currencies import exponent
from palier.engine.plan import Plan
from palier.engine.program import Text
from palier.rewards.catalogue import money_minor, price_points
from palier.rewards.document import AmountOff, Donation, GiftCard, Payout, PercentOff, Reward

FINDINGS: Final = {
    "missing_text": "A text is missing in one of the program's languages.",
    "no_summary": "Nothing says in a sentence what it is.",
    "no_picture": "There is no picture.",
    "no_category": "It is in no category, so nobody comes across it.",
    "no_tags": "No word matches it to what members like.",
    "no_terms": "It runs out or is limited, and no small print says how.",
    "cost_unknown": "What one costs is not said, so nobody can tell what the catalogue costs.",
    "below_cost": "The points and money asked are worth less than it costs.",
    "free_without_limit": "It costs a member nothing, and nothing limits how many he takes.",
    "unlimited_value": "It takes a part of any basket off, without a maximum.",
    "too_dear": "It asks for far more points than it is sold for elsewhere.",
}
"""Every finding, and what it means."""
_DEAR: Final = 3


class Finding(Struct, frozen=True):
    """One finding: its code, the setting it is about, a sentence without its last point, and a remedy."""

    code: str
    path: str
    message: str
    remedy: str


def quality(reward: Reward, plan: Plan) -> list[Finding]:
    """All findings on a reward, in the order of its document."""
    found: list[Finding] = []
    languages = plan.document.languages

    def add(code: str, path: str, message: str, remedy: str) -> None:
        found.append(Finding(code, path, message, remedy))

    def said(text: Text | None, path: str) -> None:
        for language, words in (("en", text.en), ("fr", text.fr)) if text is not None else ():
            if language in languages and not words.strip():
                add("missing_text", f"{path}.{language}", f"there is no text in {language}", "translate it")

    said(reward.name, "name")
    if isinstance(reward.gives, Donation):
        said(reward.gives.beneficiary, "gives.beneficiary")
    if reward.summary is None:
        add("no_summary", "summary", "nothing says in a sentence what it is", "write a summary")
    said(reward.summary, "summary")
    said(reward.terms, "terms")
    if reward.terms is None and (reward.visible is not None or reward.limits.per_member is not None):
        add("no_terms", "terms", "it is limited, and no small print says how", "write terms")
    if reward.picture is None:
        add("no_picture", "picture", "there is no picture", "add one, with a text that says what it shows")
    else:
        said(reward.picture.alt, "picture.alt")
    if reward.category is None:
        add("no_category", "category", "it is in no category", "put it into the tree, such as food/coffee")
    if not reward.tags:
        add("no_tags", "tags", "no word matches it to what members like", "add tags")
    for number, variant in enumerate(reward.variants):
        said(variant.name, f"variants[{number}].name")
    if isinstance(reward.gives, PercentOff) and reward.gives.maximum is None:
        add("unlimited_value", "gives.maximum", "a part of any basket is taken off", "set a maximum")
    _worth(reward, plan, add)
    return found


def points_worth(plan: Plan, points: dict[str, int]) -> Fraction | None:
    """What points are worth in minor units of the program's money; None where a currency has no value."""
    total = Fraction(0)
    values = {item.key: item.value for item in plan.program.point_currencies}
    for key, minor in points.items():
        value = values.get(key)
        if value is None:
            return None
        total += (
            Fraction(value) * 10 ** exponent(plan.program.currency) * minor / 10 ** plan.currencies[key].scale
        )
    return total


def _worth(reward: Reward, plan: Plan, add: object) -> None:
    """What it costs, and what is asked for it."""
    assert callable(add)
    money = plan.program.currency
    cost = money_minor(reward.cost) if reward.cost is not None and reward.cost.currency == money else None
    if reward.cost is None and not isinstance(
        reward.gives, AmountOff | GiftCard | Donation | Payout | PercentOff
    ):
        add(
            "cost_unknown",
            "cost",
            "what one costs is not said",
            'write cost, "0" for what costs nothing more',
        )
    for number, price in enumerate(reward.prices):
        path = f"prices[{number}]"
        points = price_points(plan, price)
        paid = money_minor(price.money) if price.money is not None else 0
        if not points and not paid:
            limits = reward.limits
            if limits.per_member is None and limits.per_member_period is None and reward.stock is None:
                add(
                    "free_without_limit",
                    path,
                    "it costs a member nothing",
                    "limit it by member, or ask for points",
                )
            continue
        worth = points_worth(plan, points)
        if worth is None or (price.money is not None and price.money.currency != money):
            continue
        asked = worth + paid
        if cost is not None and asked < cost:
            add(
                "below_cost",
                path,
                "what is asked is worth less than it costs",
                "ask for more, or buy it for less",
            )
        listed = reward.list_price
        if listed is not None and listed.currency == money and asked > _DEAR * money_minor(listed):
            add("too_dear", path, f"it asks for more than {_DEAR} times what it is sold for", "ask for less")
