"""The forms of orders: bodies are strict, amounts are decimal texts."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from ninja import Query
from pydantic import AfterValidator, Field, WithJsonSchema

from palier.api.calls import text_only
from palier.api.reward_schemas import MoneyAnswer
from palier.api.schemas import (
    Answered,
    Body,
    CommandId,
    DecimalText,
    InstantText,
    Key,
    PointsByCurrency,
    ReasonText,
    Ref,
    Short,
    Source,
)
from palier.rewards.orders import MOST_UNITS

State = Literal[
    "waiting", "reserved", "fulfilling", "done", "partly_refunded", "refunded", "released", "expired", "failed",
    "cancelled",
]  # fmt: skip
OrderRef = Annotated[
    str,
    Field(
        min_length=1,
        max_length=64,
        description="An order's reference.",
        examples=["m_01h2xcejqtf2n.00q5d2m8x4k7s"],
    ),
    AfterValidator(text_only),
]
ItemRef = Annotated[
    str,
    Field(
        min_length=1,
        max_length=64,
        description="The reference of something that a member holds.",
        examples=["m_01h2xcejqtf2n.00q5d2m8x4k7v"],
    ),
    AfterValidator(text_only),
]
RewardName = Annotated[
    str,
    Field(min_length=1, max_length=80, description="A reward's key.", examples=["free_coffee"]),
    AfterValidator(text_only),
]
OpenState = Annotated[
    Literal["waiting", "reserved", "fulfilling"], Query(description="Which orders are asked for.")
]
Line = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(text_only)]


class DeliveryAddress(Body):
    """Where something is sent. It is kept encrypted, and forgotten with the member."""

    name: Short
    lines: Annotated[list[Line], Field(min_length=1, max_length=4)]
    postcode: Annotated[str, Field(min_length=1, max_length=20), AfterValidator(text_only)]
    city: Short
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$", description="ISO 3166 code.", examples=["FR"])]
    phone: Annotated[str, Field(max_length=40), AfterValidator(text_only)] = ""


class NewOrder(Body):
    """A reward to order, so many. With `confirm`: false it is only reserved."""

    member: Ref
    reward: RewardName
    quantity: Annotated[int, Field(ge=1, le=MOST_UNITS, description="How many.")] = 1
    price: Annotated[
        Key | None, Field(description="Which of its prices; the first that the member can pay by default.")
    ] = None
    variant: Annotated[Key | None, Field(description="Which of its variants, where it has any.")] = None
    slot: Annotated[Key | None, Field(description="Which of its dates, where it has any.")] = None
    address: Annotated[DeliveryAddress | None, Field(description="Where it is sent, if it is sent.")] = None
    confirm: Annotated[bool, Field(description="Whether it is wanted for certain, or only held for now.")] = (
        True
    )
    wait: Annotated[bool, Field(description="Whether to stand in line where its date is full.")] = False
    channel: Short | None = None
    location: Short | None = None
    source: Source = None
    id: CommandId = None


class Why(Body):
    """Why it is done, for the order's history."""

    reason: ReasonText | None = None


class Failure(Body):
    """Why it cannot be fulfilled."""

    reason: ReasonText


class Fulfilment(Body):
    """What staff tells of what it handed out."""

    reason: ReasonText | None = None


class NewRefund(Body):
    """How many units are taken back; all that are left by default."""

    units: Annotated[int | None, Field(ge=1, description="How many units.")] = None
    also_used: Annotated[bool, Field(description="Also units of which something was used.")] = False
    restock: Annotated[bool, Field(description="Whether the units can be had again.")] = True
    reason: ReasonText


class Shipping(Body):
    """How far what is sent has come."""

    state: Literal["shipped", "handed_out", "delivered", "returned"]
    carrier: Short | None = None
    tracking: Short | None = None
    items: Annotated[
        list[ItemRef] | None,
        Field(min_length=1, max_length=1000, description="Which of the order; all by default."),
    ] = None


class NewChoice(Body):
    """What the member picks among the rewards of a choice."""

    reward: RewardName
    variant: Key | None = None
    item: Annotated[ItemRef | None, Field(description="Which choice, where the order has several.")] = None
    address: Annotated[
        DeliveryAddress | None,
        Field(description="Where it is sent, where it is and the order has no address."),
    ] = None


class NewUse(Body):
    """How often something is used."""

    uses: Annotated[int, Field(ge=1, le=1_000_000)] = 1


# --- answers ------------------------------------------------------------------------------------------------------


class OrderPrice(Answered):
    """What the whole order costs."""

    price: str
    points: PointsByCurrency
    money: MoneyAnswer | None


class OrderPoints(Answered):
    """The points of one currency that the order holds or spent, and the redemption that did."""

    redemption: str
    currency: str
    points: DecimalText
    status: Literal["held", "spent", "free"]
    refunded: DecimalText


class ItemAnswer(Answered):
    """Something that the member holds from the order. `details` says what is particular to its kind."""

    item: str
    unit: int
    reward: str
    kind: str
    state: str
    uses_left: int | None
    valid_from: InstantText | None
    valid_until: InstantText | None
    details: Annotated[dict[str, Any], WithJsonSchema({"type": "object"})]


class OrderEventAnswer(Answered):
    """One step of the order."""

    state: State
    at: InstantText
    actor: str
    reason: str
    units: int


class DispatchAnswer(Answered):
    """What a supplier was told of one part of the order, and what came of it.

    `state`: queued, sent, unknown (it did not answer), accepted; delivered, refused, cancelled; dead (waits for a
    person).
    """

    part: int
    supplier: str
    state: str
    attempts: int
    reference: str
    reason: str
    created_at: InstantText
    next_at: InstantText | None
    done_at: InstantText | None


class OrderAnswer(Answered):
    """An order. `waits_for` says who has to hand out a part: staff, supplier."""

    order: str
    member: str
    reward: str
    reward_version: int
    kind: str
    state: State
    quantity: int
    units: int
    refunded_units: int
    price: OrderPrice
    points: list[OrderPoints]
    variant: str | None
    slot: str | None
    partner: str | None
    channel: str | None
    location: str | None
    waits_for: list[str]
    draw: Annotated[
        dict[str, Any] | None,
        WithJsonSchema({"type": ["object", "null"]}),
        Field(description="Of a mystery: the bytes drawn, and what came out of each field."),
    ]
    created_at: InstantText
    expires_at: InstantText | None
    done_at: InstantText | None
    source: str
    id: str
    items: list[ItemAnswer]
    events: list[OrderEventAnswer] | None = None
    dispatches: list[DispatchAnswer] | None = None


class OrdersAnswer(Answered):
    orders: list[OrderAnswer]
    next: str | None


class AddressAnswer(Answered):
    order: str
    name: str
    lines: list[str]
    postcode: str
    city: str
    country: str
    phone: str


class SecretAnswer(Answered):
    """What only the member may see."""

    item: str
    code: str | None = None
    pin: str | None = None
    url: str | None = None


class WinnerAnswer(Answered):
    prize: int
    order: str
    item: str


class SweepstakeAnswer(Answered):
    """A draw: the commitment is public from the first entry on, the seed when its month has passed."""

    reward: str
    draw_at: InstantText
    period: str
    commitment: str
    drawn: str | None
    entries: int | None
    entries_sha256: str | None
    winners: list[WinnerAnswer]
    drawn_at: InstantText | None


class SweepstakesAnswer(Answered):
    sweepstakes: list[SweepstakeAnswer]
