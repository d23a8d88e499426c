"""The forms of the catalogue in the API. Documents of rewards have the types of `palier.rewards.document`."""

from __future__ import annotations

from typing import Annotated, Any

from ninja import Path, Query
from pydantic import AfterValidator, Field, WithJsonSchema

from palier.api.calls import text_only
from palier.api.schemas import Answered, DecimalText, FieldProblem, ReasonText

RewardPath = Annotated[
    str,
    Path(min_length=1, max_length=80, description="A reward's key."),
    AfterValidator(text_only),
]
Word = Annotated[str, Field(min_length=1, max_length=80), AfterValidator(text_only)]
PageCursor = Annotated[
    str | None,
    Query(min_length=1, max_length=80, description="`next` of the page before; without it, the first page."),
]
Reason = Annotated[
    ReasonText | None,
    Query(description="Why, for the version and the audit log."),
]
Document = Annotated[dict[str, Any], WithJsonSchema({"type": "object", "title": "Reward document"})]


class PictureAnswer(Answered):
    """`sizes`: the addresses by the longest edge in points, where it is stored here."""

    source: str
    alt: str
    sizes: dict[str, str] | None


class PictureKept(Answered):
    """A picture that is stored. `source` is what documents name; `sizes` has addresses by longest edge."""

    source: str
    sha256: str
    width: int
    height: int
    sizes: dict[str, str]


class PictureWritten(Answered):
    """A reward's version with its picture; `source` is null where it has none."""

    reward: str
    version: int
    valid_from: str
    source: str | None


class MoneyAnswer(Answered):
    amount: DecimalText
    currency: str


class PriceAnswer(Answered):
    """One way to pay; for a member, whether his tier may, and what he lacks."""

    key: str
    points: dict[str, DecimalText]
    money: MoneyAnswer | None
    tiers: list[str] | None
    allowed: bool | None = None
    missing: dict[str, DecimalText] | None = None


class WhyNot(Answered):
    code: str
    text: str


class OfferAnswer(Answered):
    """What the reward is to the member: whether it can be had now, and if not, why. Stock is not looked at."""

    reachable: bool
    reasons: list[WhyNot]


class RewardLine(Answered):
    """A reward as it stands in a list."""

    reward: str
    kind: str
    version: int
    state: str
    name: str
    summary: str | None
    picture: PictureAnswer | None
    category: str | None
    tags: list[str]
    prices: list[PriceAnswer]
    list_price: MoneyAnswer | None
    partner: str | None
    new: bool
    ending: bool
    visible_until: str | None
    offer: OfferAnswer | None = None


class SuitedLine(RewardLine):
    """A reward with the reason why it is shown to this member."""

    because: WhyNot


class VariantAnswer(Answered):
    key: str
    name: str
    worth: DecimalText | None
    prices: list[PriceAnswer]


class SlotAnswer(Answered):
    key: str
    starts_at: str
    ends_at: str
    capacity: int
    place: str


class RewardAnswer(RewardLine):
    """A reward with all that a member may know of it."""

    terms: str | None
    countries: list[str]
    variants: list[VariantAnswer]
    slots: list[SlotAnswer]
    gives: Annotated[dict[str, Any], WithJsonSchema({"type": "object"})]
    limits: Annotated[dict[str, Any], WithJsonSchema({"type": "object"})]
    minimum_points: dict[str, DecimalText]
    giving_back: Annotated[dict[str, Any], WithJsonSchema({"type": "object"})]


class RewardsAnswer(Answered):
    rewards: list[RewardLine]
    next: str | None


class SuitingAnswer(Answered):
    member: str
    rewards: list[SuitedLine]


class RewardFinding(Answered):
    code: str
    path: str
    message: str
    remedy: str


class WrittenAnswer(Answered):
    """A version as it stands, and what keeps the reward from being a good one."""

    reward: str
    version: int
    valid_from: str
    findings: list[RewardFinding]


class RewardChange(Answered):
    path: str
    kind: str
    en: str
    fr: str


class RewardVersionAnswer(Answered):
    """One version: since when it holds, who wrote it and why, what it changed, and its document."""

    version: int
    valid_from: str
    made_at: str
    made_by: str
    reason: str
    sha256: str
    changes: list[RewardChange]
    document: Document


class RewardVersionsAnswer(Answered):
    reward: str
    versions: list[RewardVersionAnswer]


class RefusedReward(FieldProblem):
    line: int
    reward: str
    remedy: str


class ImportedRewards(Answered):
    """What became of the rewards that were sent: new, changed, same and refused add up to `sent`."""

    sent: int
    new: int
    changed: int
    same: int
    refused: int
    problems: list[RefusedReward]
