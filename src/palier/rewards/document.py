"""The document of a reward: everything that can be said of what members may have, as types.

The same types validate a file, a body of the API and a supplier's catalogue. Amounts in a document are decimal
texts ("1.50"); what they come to in minor units is asked of `terms`. What the types alone cannot check is in
`check`.
"""

from __future__ import annotations

import sys
from functools import cache
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from palier.engine import document
from palier.engine.currencies import ISO_4217
from palier.engine.document import (
    Base,
    Condition,
    Days,
    Decimal,
    Key,
    Picture,
    PositiveDays,
    Strict,
    Text,
)
from palier.engine.program import described, meanings_in

RewardKey = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9][a-z0-9_.-]{0,79}$",
        description="lower-case name of at most 80 letters, digits and _ . -",
    ),
]
Tag = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$",
        description="lower-case word of at most 40 letters, digits and _ -",
    ),
]
CategoryPath = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9][a-z0-9_-]{0,39}(/[a-z0-9][a-z0-9_-]{0,39}){0,4}$",
        description="path of at most five lower-case names, such as food/coffee",
    ),
]
Country = Annotated[str, Meta(pattern=r"^[A-Z]{2}$", description="ISO 3166 code of two capitals, such as FR")]
MoneyCode = Annotated[str, Meta(pattern=ISO_4217, description="ISO 4217 code of three capitals")]
Count = Annotated[int, Meta(ge=1, le=1_000_000)]
Stock = Annotated[int, Meta(ge=0, le=1_000_000_000)]
Period = Literal["day", "week", "month", "year"]

KINDS: Final = (
    "percent_off", "amount_off", "product", "service", "entitlement", "gift_card", "merchandise", "experience",
    "donation", "tier_upgrade", "subscription", "bundle", "mystery", "choice", "sweepstake", "payout", "course",
)  # fmt: skip
"""Every kind of reward: the `kind` of what it gives."""


class Money(Strict, frozen=True):
    """An amount of money."""

    amount: Decimal
    """How much."""
    currency: MoneyCode
    """Of which currency."""


# --- what a reward gives ------------------------------------------------------------------------------


class PercentOff(Strict, frozen=True, tag="percent_off", tag_field="kind"):
    """A part of a basket is taken off."""

    percent: Decimal
    """How much of a hundred, above 0 and at most 100."""
    base: Base = msgspec.field(default_factory=Base)
    """What part of the basket it is taken of."""
    lines: Condition | None = None
    """Which lines of the basket; without it, all."""
    minimum_basket: Decimal | None = None
    """The least that the lines must come to, in the program's money."""
    maximum: Decimal | None = None
    """The most that is taken off, in the program's money."""
    uses: Count = 1
    """In how many baskets."""
    valid_days: PositiveDays | None = None
    """Local days in which it can be used; without it, without end."""


class AmountOff(Strict, frozen=True, tag="amount_off", tag_field="kind"):
    """An amount is taken off a basket, never more than the basket comes to."""

    amount: Decimal | None = None
    """How much, in the program's money; without it, the `worth` of the variant."""
    lines: Condition | None = None
    """Which lines of the basket; without it, all."""
    minimum_basket: Decimal | None = None
    """The least that the lines must come to, in the program's money."""
    uses: Count = 1
    """In how many baskets."""
    valid_days: PositiveDays | None = None
    """Local days in which it can be used; without it, without end."""


class Product(Strict, frozen=True, tag="product", tag_field="kind"):
    """Something of the shop's own shelf, free at the till."""

    sku: str | None = None
    """The product; or any of `category`."""
    category: str | None = None
    """The category of which the member chooses one."""
    quantity: Count = 1
    """How many of it."""
    price_cap: Decimal | None = None
    """The most that one may cost, in the program's money."""
    valid_days: PositiveDays | None = None
    """Local days in which it can be had; without it, without end."""


class Service(Strict, frozen=True, tag="service", tag_field="kind"):
    """A service that can be used so many times."""

    uses: Count = 1
    """How many times."""
    valid_days: PositiveDays | None = None
    """Local days in which it can be used; without it, without end."""


class Entitlement(Strict, frozen=True, tag="entitlement", tag_field="kind"):
    """A right for a time: early access, a lounge, free delivery."""

    starts: str | None = None
    """First local date, or instant with its offset; without it, when it is ordered."""
    ends: str | None = None
    """Last local date, or the instant before which it holds."""
    valid_days: PositiveDays | None = None
    """Local days for which it holds, in place of `ends`."""
    uses: Count | None = None
    """How many times it can be used; without it, as often as wanted."""


class GiftCard(Strict, frozen=True, tag="gift_card", tag_field="kind"):
    """The code of a gift card: of a pool of codes brought in, or of the reward's supplier."""

    pool: Key | None = None
    """The pool that the code is taken of; a variant may name its own."""
    worth: Decimal | None = None
    """What it is worth, in the program's money; without it, the `worth` of the variant."""
    valid_days: PositiveDays | None = None
    """Local days for which it is good; without it, the end that came with the code."""


class Merchandise(Strict, frozen=True, tag="merchandise", tag_field="kind"):
    """Something that is sent, or handed out."""

    shipped: bool = True
    """Whether it is sent to an address; else it is handed out at `pickup`."""
    pickup: Text | None = None
    """Where it is handed out."""
    weight_grams: Annotated[int, Meta(ge=0, le=1_000_000)] | None = None
    """What one weighs."""


class Experience(Strict, frozen=True, tag="experience", tag_field="kind"):
    """A date with so many places: the `slots` of the reward."""

    waiting_list: bool = False
    """Whether members can wait for a place that becomes free."""
    transferable: bool = False
    """Whether the place can be given to somebody else."""


class Donation(Strict, frozen=True, tag="donation", tag_field="kind"):
    """Money given to a good cause in the member's name."""

    beneficiary: Text
    """Who receives it."""
    campaign: Key | None = None
    """The campaign whose total it adds to."""
    worth: Decimal | None = None
    """What is given for one, in the program's money; without it, the `worth` of the variant."""
    target: Decimal | None = None
    """What the campaign wants to reach, in the program's money."""
    receipt: bool = False
    """Whether the member receives a receipt."""


class TierUpgrade(Strict, frozen=True, tag="tier_upgrade", tag_field="kind"):
    """A tier for a time, whatever the member has reached."""

    tier: Key
    """Which tier."""
    days: PositiveDays
    """For how many local days."""


class Subscription(Strict, frozen=True, tag="subscription", tag_field="kind"):
    """Something that comes again and again."""

    deliveries: Annotated[int, Meta(ge=1, le=1000)]
    """How many times."""
    every: Literal["day", "week", "month", "year"] = "month"
    """How often."""
    reward: RewardKey | None = None
    """What comes each time; without it, what the text says, delivered by staff or the supplier."""


class Part(Strict, frozen=True):
    """One of the rewards of which another is made."""

    reward: RewardKey
    """Its key."""
    quantity: Count = 1
    """How many of it."""
    variant: Key | None = None
    """Which of its variants."""


class Bundle(Strict, frozen=True, tag="bundle", tag_field="kind"):
    """Several rewards together."""

    rewards: Annotated[list[Part], Meta(min_length=2, max_length=20)]
    """What is in it."""


class Chance(Strict, frozen=True):
    """One of the rewards that may come out."""

    reward: RewardKey
    """Its key."""
    weight: Count = 1
    """How often it comes out, in proportion to the others."""
    variant: Key | None = None
    """Which of its variants."""
    stock: Stock | None = None
    """How often it comes out at most; without it, without end."""


class Mystery(Strict, frozen=True, tag="mystery", tag_field="kind"):
    """One of several rewards, drawn when it is ordered."""

    options: Annotated[list[Chance], Meta(min_length=2, max_length=50)]
    """What may come out."""


class Choice(Strict, frozen=True, tag="choice", tag_field="kind"):
    """The member picks among several rewards, for some days."""

    rewards: Annotated[list[Part], Meta(min_length=2, max_length=50)]
    """Among what."""
    pick: Annotated[int, Meta(ge=1, le=20)] = 1
    """How many."""
    days_to_choose: PositiveDays = 30
    """Local days until it is too late to choose."""


class Sweepstake(Strict, frozen=True, tag="sweepstake", tag_field="kind"):
    """An entry in a draw."""

    draw_at: str
    """The instant of the draw, with its offset."""
    prizes: Annotated[list[Part], Meta(min_length=1, max_length=50)]
    """What is drawn, the first prize first."""


class Payout(Strict, frozen=True, tag="payout", tag_field="kind"):
    """Money to a bank account: cashback, a bill, a loan's instalment."""

    purpose: Literal["cashback", "bill", "loan"] = "cashback"
    """What for."""
    worth: Decimal | None = None
    """What is paid for one, in the program's money; without it, the `worth` of the variant."""


class Course(Strict, frozen=True, tag="course", tag_field="kind"):
    """Access to a product of one's own that costs nothing more to give: a module of a course."""

    module: str
    """Its number in the system that opens it."""
    valid_days: PositiveDays | None = None
    """Local days for which it stays open; without it, without end."""


Gives = (
    PercentOff | AmountOff | Product | Service | Entitlement | GiftCard | Merchandise | Experience | Donation
    | TierUpgrade | Subscription | Bundle | Mystery | Choice | Sweepstake | Payout | Course
)  # fmt: skip


# --- what is said of every reward ---------------------------------------------------------------------


class Price(Strict, frozen=True):
    """One way to pay: points of one or more currencies, and money beside them."""

    key: Key = "standard"
    """Unique name among the prices."""
    points: dict[Key, Decimal] = {}
    """Points for one, by point currency."""
    money: Money | None = None
    """Money for one, beside the points."""
    tiers: list[Key] | None = None
    """Only members of these tiers may pay it; without it, everyone."""


class Variant(Strict, frozen=True):
    """One of the forms in which it comes: a size, a colour, a denomination."""

    key: Key
    """Unique name among the variants."""
    name: Text
    """What members read."""
    prices: list[Price] | None = None
    """Its own prices, in place of the reward's."""
    worth: Decimal | None = None
    """What it is worth, in the program's money: the denomination of a card, a donation, a payment."""
    stock: Stock | None = None
    """How many there are; without it, without end."""
    sku: str = ""
    """Its number in the shop's or supplier's system."""
    pool: Key | None = None
    """The pool of its codes, for a gift card."""


class Slot(Strict, frozen=True):
    """A date with so many places."""

    key: Key
    """Unique name among the slots."""
    starts_at: str
    """Instant with its offset."""
    ends_at: str
    """Instant with its offset."""
    capacity: Stock
    """How many places."""
    place: str = ""
    """Where."""


class Supplier(Strict, frozen=True):
    """Who delivers it from outside."""

    key: Key
    """The supplier."""
    sku: str
    """Its number there."""


class Visible(Strict, frozen=True):
    """When it can be seen and ordered."""

    from_: str | None = msgspec.field(default=None, name="from")
    """First local date, or instant with its offset."""
    until: str | None = None
    """Last local date, or the instant before which it can be seen."""


class Audience(Strict, frozen=True):
    """Who sees it and may order it."""

    tiers: list[Key] | None = None
    """Members of these tiers."""
    members: Condition | None = None
    """Members who meet this; fields tier, segment, membership and member.<attribute>."""


class PerPeriod(Strict, frozen=True):
    """So many in each calendar period of the program's zone."""

    n: Count
    """How many."""
    period: Period
    """In each what."""


class Limits(Strict, frozen=True):
    """How many can be had."""

    per_member: Count | None = None
    """By one member, ever."""
    per_member_period: PerPeriod | None = None
    """By one member in a period."""
    per_period: PerPeriod | None = None
    """By all members together in a period."""
    per_order: Count | None = None
    """In one order."""


class Stacking(Strict, frozen=True):
    """How it stands beside others that apply to one basket."""

    group: Key | None = None
    """Of one group, the one that brings the member most applies."""
    exclusive: bool = False
    """Whether nothing else applies beside it."""
    priority: Annotated[int, Meta(ge=0, le=1000)] = 100
    """Which applies first: the lowest."""


class GivingBack(Strict, frozen=True):
    """What a member can undo."""

    cancellable: Literal["never", "until_done", "until_used"] = "until_done"
    """Until when an order can be cancelled: until it is fulfilled, or until something of it was used."""
    cancellable_days: Days | None = None
    """Local days after the order in which it can be; without it, without end."""
    hours_before: Annotated[int, Meta(ge=0, le=8760)] | None = None
    """Hours before its slot begins after which it no longer can be."""
    refundable_days: Days | None = None
    """Local days after fulfilment in which staff may give points back; without it, without end; 0: never."""


class Reward(Strict, frozen=True):
    """One reward of a program's catalogue.

    `effective_from` dates a version; without it, it holds as soon as it is written.
    """

    key: RewardKey
    """Unique name in the program; it never changes."""
    name: Text
    """What members read."""
    gives: Gives
    """What the member has from it; its `kind` is the kind of the reward."""
    summary: Text | None = None
    """A sentence or two."""
    terms: Text | None = None
    """The small print."""
    picture: Picture | None = None
    """How it looks."""
    category: CategoryPath | None = None
    """Its place in the tree of categories."""
    tags: Annotated[list[Tag], Meta(max_length=30)] = []
    """Words by which it is found, and matched to what members like."""
    countries: Annotated[list[Country], Meta(max_length=250)] = []
    """Where it can be had; without any, everywhere."""
    prices: Annotated[list[Price], Meta(max_length=20)] = []
    """The ways to pay for one. Without any it cannot be ordered by itself, only come with another reward."""
    variants: Annotated[list[Variant], Meta(max_length=200)] = []
    """The forms in which it comes; with any, an order names one."""
    slots: Annotated[list[Slot], Meta(max_length=500)] = []
    """The dates of an experience; with any, an order names one."""
    cost: Money | None = None
    """What one costs the program, 0 for what costs nothing more to give. Members never see it."""
    list_price: Money | None = None
    """What one is sold for elsewhere."""
    partner: Key | None = None
    """The partner of the program who gives it, and is paid for the points."""
    supplier: Supplier | None = None
    """Who delivers it from outside."""
    visible: Visible | None = None
    """When it can be seen and ordered; without it, always."""
    audience: Audience | None = None
    """Who sees it and may order it; without it, everyone."""
    stock: Stock | None = None
    """How many there are; without it, without end."""
    limits: Limits = msgspec.field(default_factory=Limits)
    """How many can be had."""
    minimum_points: dict[Key, Decimal] = {}
    """What a member must be able to spend before he may order, by point currency."""
    stacking: Stacking = msgspec.field(default_factory=Stacking)
    """How it stands beside others that apply to one basket."""
    giving_back: GivingBack = msgspec.field(default_factory=GivingBack)
    """What a member can undo."""
    hold_minutes: Annotated[int, Meta(ge=1, le=525_600)] | None = None
    """Minutes for which an order waits to be confirmed; without it, those of the program."""
    fulfilled_by: Literal["system", "staff", "supplier"] | None = None
    """Who hands it out. Without it: the supplier where there is one, staff for what is sent, else the system."""
    state: Literal["draft", "live", "paused", "retired"] = "live"
    """Live ones are seen and ordered; a paused one is seen."""
    effective_from: str | None = None
    """Instant with its offset from which this version holds; without it, when it is written."""

    @property
    def kind(self) -> str:
        """The kind of reward, one of KINDS."""
        return str(self.gives.__struct_config__.tag)

    @property
    def fulfilment(self) -> Literal["system", "staff", "supplier"]:
        """Who hands it out."""
        if self.fulfilled_by is not None:
            return self.fulfilled_by
        if self.supplier is not None:
            return "supplier"
        return "staff" if isinstance(self.gives, Merchandise) else "system"

    def variant(self, key: str) -> Variant | None:
        """The variant with this key; None where there is none."""
        return next((item for item in self.variants if item.key == key), None)

    def slot(self, key: str) -> Slot | None:
        """The slot with this key; None where there is none."""
        return next((item for item in self.slots if item.key == key), None)

    def prices_of(self, variant: str | None) -> list[Price]:
        """The prices of a variant, which are the reward's where it has none of its own."""
        found = self.variant(variant) if variant is not None else None
        return found.prices if found is not None and found.prices is not None else self.prices


class Catalogue(Strict, frozen=True):
    """A file of rewards of one program."""

    palier: Literal[1]
    """Version of this document format."""
    program: Key
    """Key of the program."""
    rewards: Annotated[list[Reward], Meta(max_length=5000)]
    """The rewards, each with a key of its own."""


def parts_of(reward: Reward) -> list[tuple[str, Part | Chance]]:
    """The other rewards that one is made of, each with its path in the document."""
    match reward.gives:
        case Bundle(rewards=parts) | Choice(rewards=parts):
            return [(f"gives.rewards[{number}]", part) for number, part in enumerate(parts)]
        case Mystery(options=options):
            return [(f"gives.options[{number}]", part) for number, part in enumerate(options)]
        case Sweepstake(prizes=prizes):
            return [(f"gives.prizes[{number}]", part) for number, part in enumerate(prizes)]
        case Subscription(reward=str(key)):
            return [("gives", Part(key))]
    return []


@cache
def meanings() -> dict[str, dict[str, str]]:
    """What each setting means: type name -> setting as written in a document -> the text below it."""
    return meanings_in(document, sys.modules[__name__])


def json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a file of rewards, with the meaning of every setting."""
    return described(msgspec.json.schema(Catalogue), meanings(), "Palier catalogue of rewards")


def to_builtins(reward: Reward) -> dict[str, Any]:
    """The document as plain mappings, defaults left out: what `export` writes and the hash covers."""
    data: dict[str, Any] = msgspec.to_builtins(reward)
    return data


def canonical(reward: Reward) -> bytes:
    """The byte form that is stored and hashed: JSON, keys in alphabetical order, defaults left out."""
    return msgspec.json.encode(to_builtins(reward), order="deterministic")
