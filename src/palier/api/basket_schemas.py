"""The forms of baskets and benefits in the API."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from palier.api.calls import text_only
from palier.api.schemas import (
    Answered,
    Body,
    DecimalText,
    InstantText,
    Key,
    PointsByCurrency,
    Ref,
    Short,
)
from palier.api.schemas import Points as Decimal
from palier.engine.baskets import MOST_LINES

Word = Annotated[str, Field(max_length=200), AfterValidator(text_only)]


class BasketLine(Body):
    """One line: what its units cost together."""

    amount: Decimal
    quantity: Annotated[int, Field(ge=0, le=1_000_000)] = 1
    sku: Word = ""
    category: Word = ""
    kind: Literal["product", "shipping", "gift_card"] = "product"
    tax_rate: Annotated[Decimal, Field(description="In percent, such as 5.5.")] = "0"


class BasketVoucher(Body):
    """A code as it is shown. A code that is shown twice is used twice."""

    code: Annotated[str, Field(min_length=1, max_length=100), AfterValidator(text_only)]
    pin: Annotated[str | None, Field(pattern=r"^[0-9]{1,12}$")] = None


class BasketPoints(Body):
    """Points as part payment: so many at most, or all that can be spent."""

    currency: Key
    points: Decimal | None = None


class NewBasket(Body):
    """A basket, with what the member shows and chooses."""

    lines: Annotated[list[BasketLine], Field(min_length=1, max_length=MOST_LINES)]
    member: Ref | None = None
    prices_include_tax: bool = True
    vouchers: Annotated[list[BasketVoucher], Field(max_length=20)] = []
    rewards: Annotated[
        list[Short],
        Field(max_length=20, description="Rewards of the catalogue to be ordered and used at once."),
    ] = []
    points: BasketPoints | None = None
    channel: Short | None = None
    location: Short | None = None
    actor: Annotated[
        Short | None, Field(description="The till or person that tries codes; failed tries count for it.")
    ] = None
    language: Literal["en", "fr"] | None = None


class BasketLineAnswer(Answered):
    """A line, tax included: `gross` less `off` less `paid` in points is `to_pay`.

    `tax` is that in `gross` less `off`; `tax_to_pay` that in `to_pay`, for a shop whose points are money off.
    """

    gross: DecimalText
    off: DecimalText
    paid: DecimalText
    to_pay: DecimalText
    tax: DecimalText
    tax_to_pay: DecimalText


class OfferApplied(Answered):
    """What took something off: `offer` names its place in the call, such as vouchers[0]."""

    offer: str
    name: str | None
    voucher: str | None
    reward: str | None
    amount: DecimalText
    lines: list[DecimalText]


class OfferPassed(Answered):
    offer: str
    name: str | None
    voucher: str | None
    reward: str | None
    code: str
    text: str


class TaxAnswer(Answered):
    rate: str
    tax: DecimalText


class PartPayment(Answered):
    currency: str
    points: DecimalText
    worth: DecimalText


class BasketEarns(Answered):
    """What the sale would bring, decided as it would be and not written."""

    points: PointsByCurrency
    tier_reached: str | None


class BasketAnswer(Answered):
    """What a basket comes to."""

    member: str | None
    currency: str
    lines: list[BasketLineAnswer]
    applicable: list[OfferApplied]
    inapplicable: list[OfferPassed]
    skipped: list[OfferPassed]
    gross: DecimalText
    off: DecimalText
    paid: DecimalText
    to_pay: DecimalText
    taxes: list[TaxAnswer]
    points: PartPayment | None = Field(
        description="Points that pay a part: redeem these, and name them in the sale."
    )
    price: PointsByCurrency = Field(description="What the chosen rewards that apply cost in points.")
    earns: BasketEarns | None


# --- benefits ---------------------------------------------------------------------------------------------


class BenefitAnswer(Answered):
    """Something that the member is entitled to.

    `uses_left` null: not counted. `until` null: without end. A benefit without `usable` is told, and needs no use.
    """

    benefit: str
    from_: Literal["tier", "membership", "units", "order"] = Field(alias="from")
    key: str
    name: str
    texts: list[str]
    uses_left: int | None
    since: InstantText | None
    until: InstantText | None
    usable: bool


class BenefitsAnswer(Answered):
    member: str
    as_of: InstantText
    benefits: list[BenefitAnswer]


class BenefitUse(Body):
    """How many times a benefit is used."""

    uses: Annotated[int, Field(ge=1, le=1000)] = 1


class BenefitUsed(Answered):
    member: str
    benefit: str
    uses: int
    uses_left: int | None
