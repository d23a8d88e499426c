"""Everything wrong with the document of a reward that its types cannot say, each with its path and a remedy.

Errors are what could not be given, priced or shown, or what cannot have been meant. What only keeps a reward from
being a good one is in `quality`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Final

from palier.engine import conditions
from palier.engine.checker import MAX_TEXT, Checker
from palier.engine.clock import LocalClock
from palier.engine.conditions import Problem
from palier.engine.currencies import EXPONENTS, exponent
from palier.engine.document import Picture
from palier.engine.instants import parse_instant
from palier.engine.payment_cards import holds_number
from palier.engine.program import Program, Text
from palier.engine.sentences import Sentence, sentence
from palier.rewards.catalogue import audience_fields
from palier.rewards.document import (
    AmountOff,
    Audience,
    Donation,
    Entitlement,
    Experience,
    GiftCard,
    Merchandise,
    Money,
    Payout,
    PercentOff,
    Price,
    Product,
    Reward,
    Slot,
    Sweepstake,
    TierUpgrade,
    Variant,
    parts_of,
)

LONGEST_SUMMARY: Final = 500
LONGEST_NUMBER: Final = 100
_WHOLE: Final = frozenset({"bundle", "mystery", "choice", "sweepstake", "subscription"})
"""Kinds that are made of others, and so are no part of any themselves."""
_WORTHY: Final = frozenset({"amount_off", "gift_card", "donation", "payout"})
"""Kinds of which a variant can be a denomination."""

Known = Callable[[str], Reward | None]
"""The reward of the catalogue with a key, as it was written last; None where there is none."""


def check(reward: Reward, program: Program, known: Known = lambda key: None) -> list[Problem]:
    """All problems of a reward's document, in its own order. `known` finds the rewards that it is made of."""
    checker = _RewardChecker(program)
    checker.reward(reward, known)
    return checker.problems


class _RewardChecker(Checker):
    """One pass over one reward."""

    def __init__(self, program: Program) -> None:
        super().__init__(program)
        self.clock = LocalClock(program.time_zone)

    def reward(self, reward: Reward, known: Known) -> None:
        self.said(reward.name, "name")
        self.gives(reward)
        self.parts(reward, known)
        if reward.summary is not None:
            self.said(reward.summary, "summary", LONGEST_SUMMARY)
        if reward.terms is not None:
            self.said(reward.terms, "terms", MAX_TEXT)
        self.picture(reward.picture)
        self.twice(reward.tags, "tags", "tag")
        self.twice(reward.countries, "countries", "country")
        self.prices(reward.prices, "prices")
        self.variants(reward)
        self.slots(reward)
        self.money(reward.cost, "cost", zero=True)
        self.money(reward.list_price, "list_price")
        if reward.partner is not None:
            self.reference(
                reward.partner, [item.key for item in self.program.partners], "partner", sentence("partner")
            )
        self.supplier(reward)
        if reward.visible is not None:
            visible = reward.visible
            self.period(
                (("from", visible.from_), ("until", visible.until)),
                "visible",
                sentence("it is gone before it comes"),
            )
        self.audience(reward.audience)
        self.stock(reward)
        self.limits(reward)
        for key, text in reward.minimum_points.items():
            self.points(key, text, f"minimum_points.{key}")
        self.giving_back(reward)
        if reward.effective_from is not None:
            self.instant(reward.effective_from, "effective_from")

    # --- small parts ----------------------------------------------------------------------------------

    def said(self, text: Text, path: str, limit: int = 200) -> None:
        """A text in one language at least; that another is missing makes a reward poorer, not impossible."""
        if not text.en.strip() and not text.fr.strip():
            self.add(path, "missing_text", sentence("there is no text"), sentence("write it in en and fr"))
        for language, words in (("en", text.en), ("fr", text.fr)):
            if len(words) > limit:
                message = sentence("the text is longer than %(limit)s characters", limit=limit)
                self.add(f"{path}.{language}", "too_long", message, sentence("shorten it"))
            if holds_number(words):
                message = sentence("the text holds the number of a payment card")
                self.add(f"{path}.{language}", "format", message, sentence("leave the number out"))

    def number(self, text: str, path: str) -> None:
        """The number of something in another system."""
        if not text.strip() or len(text) > LONGEST_NUMBER or not text.isprintable():
            message = sentence(
                "it is 1 to %(longest_number)s printable characters", longest_number=LONGEST_NUMBER
            )
            self.add(path, "format", message, sentence("write the number as the other system does"))

    def twice(self, items: Sequence[str], path: str, what: str) -> None:
        for index, item in enumerate(items):
            if item in items[:index]:
                self.add(
                    f"{path}[{index}]",
                    "duplicate_key",
                    sentence("the %(what)s %(item)s is there already", what=what, item=item),
                    sentence("keep one"),
                )

    def instant(self, text: str, path: str) -> int | None:
        try:
            return parse_instant(text)
        except (ValueError, OverflowError):
            message = sentence('"%(given)s" is no instant with its offset', given=text[:40])
            self.add(path, "date", message, sentence('write it like "2026-12-31T18:00:00+01:00"'))
            return None

    def amount(self, text: str | None, path: str, what: Sentence) -> None:
        """An amount of the program's money above 0, where it is said."""
        if text is not None and self.positive(text, path, what):
            self.decimals(
                text,
                exponent(self.program.currency),
                path,
                sentence("amounts in %(currency)s", currency=self.program.currency),
            )

    def money(self, money: Money | None, path: str, *, zero: bool = False) -> None:
        if money is None:
            return
        if money.currency not in EXPONENTS:
            message = sentence('there is no currency "%(currency)s"', currency=money.currency)
            self.add(
                f"{path}.currency",
                "unknown_currency",
                message,
                sentence("write an ISO 4217 code such as EUR"),
            )
            return
        if zero or self.positive(money.amount, f"{path}.amount", sentence("an amount")):
            self.decimals(
                money.amount,
                exponent(money.currency),
                f"{path}.amount",
                sentence("amounts in %(currency)s", currency=money.currency),
            )

    def points(self, key: str, text: str, path: str) -> None:
        if not self.reference(key, sorted(self.currencies), path, sentence("point currency")):
            return
        if self.currencies[key].kind == "badge":
            self.add(
                path,
                "contradiction",
                sentence("%(key)s are badges, which nobody spends", key=key),
                sentence("name other points"),
            )
        if self.positive(text, path, sentence("a price")):
            scale = self.currencies[key].scale
            self.decimals(text, scale, path, sentence("points of this currency"), scaled=True)

    def picture(self, picture: Picture | None) -> None:
        if picture is None:
            return
        self.source(picture.source, "picture.source")
        self.said(picture.alt, "picture.alt")

    # --- what it gives --------------------------------------------------------------------------------

    def gives(self, reward: Reward) -> None:
        gives = reward.gives
        match gives:
            case PercentOff():
                percent = Fraction(gives.percent)
                if percent <= 0 or percent > 100:
                    message = sentence("%(percent)s percent cannot be taken off", percent=gives.percent)
                    self.add(
                        "gives.percent", "range", message, sentence("write a number above 0 and at most 100")
                    )
                self.decimals(gives.percent, 2, "gives.percent", sentence("percentages"))
                self.amount(gives.maximum, "gives.maximum", sentence("a maximum"))
                self.off(gives)
            case AmountOff():
                self.amount(gives.amount, "gives.amount", sentence("an amount"))
                self.worth(reward, gives.amount, "gives.amount")
                self.off(gives)
            case Product():
                if (gives.sku is None) == (gives.category is None):
                    message = sentence("a product needs one of sku and category")
                    self.add(
                        "gives",
                        "missing",
                        message,
                        sentence("say which product, or of which category one is free"),
                    )
                for name, text in (("sku", gives.sku), ("category", gives.category)):
                    if text is not None:
                        self.number(text, f"gives.{name}")
                self.amount(gives.price_cap, "gives.price_cap", sentence("a cap"))
            case Entitlement():
                self.entitlement(gives)
            case GiftCard():
                self.amount(gives.worth, "gives.worth", sentence("a worth"))
                if reward.supplier is None and gives.pool is None:
                    for index, variant in enumerate(reward.variants):
                        if variant.pool is None:
                            self.add(
                                f"variants[{index}]",
                                "missing",
                                sentence("it has no codes"),
                                sentence("name its pool, or a supplier"),
                            )
                    if not reward.variants:
                        message = sentence("where the codes come from is not said")
                        self.add(
                            "gives", "missing", message, sentence("name a pool, or a supplier beside gives")
                        )
            case Merchandise():
                if gives.pickup is not None:
                    self.said(gives.pickup, "gives.pickup")
                    if gives.shipped:
                        message = sentence("it is sent, and handed out")
                        self.add(
                            "gives.pickup",
                            "contradiction",
                            message,
                            sentence("write shipped: false, or leave it out"),
                        )
            case Experience():
                if not reward.slots:
                    self.add(
                        "slots",
                        "missing",
                        sentence("an experience needs dates"),
                        sentence("add a slot with its capacity"),
                    )
            case Donation():
                self.said(gives.beneficiary, "gives.beneficiary")
                self.amount(gives.worth, "gives.worth", sentence("a worth"))
                self.amount(gives.target, "gives.target", sentence("a target"))
                self.worth(reward, gives.worth, "gives.worth")
                if gives.target is not None and gives.campaign is None:
                    self.add(
                        "gives.target",
                        "missing",
                        sentence("a target is that of a campaign"),
                        sentence("name the campaign"),
                    )
            case TierUpgrade():
                if (
                    self.reference(gives.tier, self.tiers, "gives.tier", sentence("tier"))
                    and gives.tier == self.tiers[0]
                ):
                    message = sentence("%(tier)s is where members start", tier=gives.tier)
                    self.add("gives.tier", "no_effect", message, sentence("name a higher tier"))
            case Sweepstake():
                self.instant(gives.draw_at, "gives.draw_at")
            case Payout():
                self.amount(gives.worth, "gives.worth", sentence("a worth"))
                self.worth(reward, gives.worth, "gives.worth")
            case _:
                module = getattr(gives, "module", None)
                if module is not None:
                    self.number(module, "gives.module")

    def off(self, gives: PercentOff | AmountOff) -> None:
        self.amount(gives.minimum_basket, "gives.minimum_basket", sentence("a minimum"))
        if gives.lines is not None:
            known = conditions.line_fields(self.program)
            self.problems += conditions.check(gives.lines, known, "gives.lines")

    def worth(self, reward: Reward, own: str | None, path: str) -> None:
        """What one is worth is said once: of the whole, or of each variant."""
        said = [variant.worth is not None for variant in reward.variants]
        if own is None and not (said and all(said)):
            message = sentence("what one is worth is not said")
            self.add(path, "missing", message, sentence("write it, or give every variant its worth"))
        if own is not None and any(said):
            message = sentence("what one is worth is said of it, and of its variants")
            self.add(path, "contradiction", message, sentence("leave it out here"))

    def entitlement(self, gives: Entitlement) -> None:
        if gives.ends is not None and gives.valid_days is not None:
            message = sentence("it ends on a date, and after some days")
            self.add(
                "gives.valid_days", "contradiction", message, sentence("keep one of ends and valid_days")
            )
        self.period(
            (("starts", gives.starts), ("ends", gives.ends)),
            "gives",
            sentence("the right ends before it starts"),
        )

    def parts(self, reward: Reward, known: Known) -> None:
        """The other rewards that it is made of: there, whole in themselves, and without a date to choose."""
        for path, part in parts_of(reward):
            where = f"{path}.reward"
            if part.reward == reward.key:
                self.add(
                    where,
                    "contradiction",
                    sentence("it would contain itself"),
                    sentence("name another reward"),
                )
                continue
            found = known(part.reward)
            if found is None:
                message = sentence('there is no reward "%(reward)s"', reward=part.reward[:60])
                self.add(
                    where,
                    "unknown_reference",
                    message,
                    sentence("write that reward first, or beside this one"),
                )
            elif found.kind in _WHOLE:
                message = sentence("%(reward)s is made of others itself", reward=part.reward)
                self.add(where, "contradiction", message, sentence("name what it is made of"))
            elif found.slots:
                message = sentence(
                    "%(reward)s takes place on a date, which nobody could choose here", reward=part.reward
                )
                self.add(where, "contradiction", message, sentence("name a reward without slots"))
            elif part.variant is not None and found.variant(part.variant) is None:
                message = sentence(
                    '%(reward)s has no variant "%(variant)s"', reward=part.reward, variant=part.variant
                )
                known_variants = ", ".join(variant.key for variant in found.variants) or "none"
                self.add(
                    f"{path}.variant",
                    "unknown_reference",
                    message,
                    sentence("its variants: %(known_variants)s", known_variants=known_variants),
                )
            elif part.variant is None and found.variants:
                message = sentence("%(reward)s comes in several variants", reward=part.reward)
                self.add(path, "missing", message, sentence("say which variant"))

    # --- what it costs --------------------------------------------------------------------------------

    def prices(self, prices: Sequence[Price], path: str) -> None:
        self.unique([price.key for price in prices], path)
        for index, price in enumerate(prices):
            where = f"{path}[{index}]"
            for key, text in price.points.items():
                self.points(key, text, f"{where}.points.{key}")
            self.money(price.money, f"{where}.money")
            self.levels(price.tiers, f"{where}.tiers")

    def levels(self, tiers: Sequence[str] | None, path: str) -> None:
        if tiers is None:
            return
        if not tiers:
            self.add(
                path,
                "contradiction",
                sentence("it is for members of no tier"),
                sentence("name tiers, or leave it out"),
            )
        self.twice(tiers, path, "tier")
        for index, tier in enumerate(tiers):
            self.reference(tier, self.tiers, f"{path}[{index}]", sentence("tier"))

    def variants(self, reward: Reward) -> None:
        self.unique([variant.key for variant in reward.variants], "variants")
        for index, variant in enumerate(reward.variants):
            path = f"variants[{index}]"
            self.said(variant.name, f"{path}.name")
            if variant.prices is not None:
                self.prices(variant.prices, f"{path}.prices")
                if not variant.prices:
                    self.add(
                        f"{path}.prices",
                        "missing",
                        sentence("it has no price"),
                        sentence("add one, or leave prices out"),
                    )
            self.denomination(reward, variant, path)
            if variant.sku:
                self.number(variant.sku, f"{path}.sku")

    def denomination(self, reward: Reward, variant: Variant, path: str) -> None:
        self.amount(variant.worth, f"{path}.worth", sentence("a worth"))
        if variant.worth is not None and reward.kind not in _WORTHY:
            self.no_effect(f"{path}.worth", sentence("a %(kind)s has no denominations", kind=reward.kind))
        if variant.pool is not None and reward.kind != "gift_card":
            self.no_effect(f"{path}.pool", sentence("a %(kind)s takes no code of a pool", kind=reward.kind))

    def slots(self, reward: Reward) -> None:
        if reward.slots and reward.kind != "experience":
            self.no_effect("slots", sentence("a %(kind)s has no dates", kind=reward.kind))
        self.unique([slot.key for slot in reward.slots], "slots")
        for index, slot in enumerate(reward.slots):
            self.slot(slot, f"slots[{index}]")

    def slot(self, slot: Slot, path: str) -> None:
        starts, ends = (
            self.instant(slot.starts_at, f"{path}.starts_at"),
            self.instant(slot.ends_at, f"{path}.ends_at"),
        )
        if starts is not None and ends is not None and ends <= starts:
            self.add(
                f"{path}.ends_at",
                "contradiction",
                sentence("it ends before it starts"),
                sentence("correct one of the two"),
            )
        if slot.place:
            self.number(slot.place, f"{path}.place")

    # --- who, how many, and back ----------------------------------------------------------------------

    def supplier(self, reward: Reward) -> None:
        if reward.supplier is not None:
            self.number(reward.supplier.sku, "supplier.sku")
        elif reward.fulfilled_by == "supplier":
            message = sentence("no supplier is named")
            self.add("fulfilled_by", "contradiction", message, sentence("add supplier, or leave it out"))

    def audience(self, audience: Audience | None) -> None:
        if audience is None:
            return
        if audience.tiers is None and audience.members is None:
            self.no_effect("audience", sentence("an audience without tiers and members is everyone"))
        self.levels(audience.tiers, "audience.tiers")
        if audience.members is not None:
            known = audience_fields(self.program)
            self.problems += conditions.check(audience.members, known, "audience.members")

    def stock(self, reward: Reward) -> None:
        if reward.stock is None:
            return
        if reward.slots:
            message = sentence("the places of the slots are its stock")
            self.add("stock", "contradiction", message, sentence("leave stock out"))
        elif any(variant.stock is not None for variant in reward.variants):
            message = sentence("its variants have their own stock")
            self.add("stock", "contradiction", message, sentence("leave stock out here, or at the variants"))

    def limits(self, reward: Reward) -> None:
        limits = reward.limits
        ever, once = limits.per_member, limits.per_order
        if ever is not None and once is not None and once > ever:
            message = sentence("an order may have %(once)s, a member only %(ever)s", once=once, ever=ever)
            self.add("limits.per_order", "contradiction", message, sentence("lower it"))
        for name, period in (
            ("per_member_period", limits.per_member_period),
            ("per_period", limits.per_period),
        ):
            if period is not None and ever is not None and name == "per_member_period" and period.n > ever:
                message = sentence(
                    "a member may have %(n)s a %(period)s, and %(ever)s ever",
                    n=period.n,
                    period=period.period,
                    ever=ever,
                )
                self.add(f"limits.{name}.n", "contradiction", message, sentence("lower it"))

    def giving_back(self, reward: Reward) -> None:
        back = reward.giving_back
        if back.hours_before is not None and not reward.slots:
            self.no_effect("giving_back.hours_before", sentence("there is no date before which it could be"))
        if back.cancellable == "never" and back.cancellable_days is not None:
            self.no_effect("giving_back.cancellable_days", sentence("an order can never be cancelled"))
