"""The forms of the API: bodies are strict (unknown names are refused), amounts are decimal texts."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from ninja import Header, Query, Schema
from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, WithJsonSchema

from palier.activities.operations import LONGEST_HOLD_MINUTES, LONGEST_REASON
from palier.api.bodies import Number
from palier.api.calls import text_only
from palier.engine.clock import instant

PAGE: Final = 50
LARGEST_PAGE: Final = 200
LATEST: Final = instant(datetime.fromisoformat("9900-01-01T00:00:00+00:00"))
_PLAIN: Final = r"^[0-9]{1,20}(\.[0-9]{1,6})?$"
_SIGNED: Final = r"^-?[0-9]{1,20}(\.[0-9]{1,6})?$"
_WORD: Final = re.compile(r"\S")
_INSTANT: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(\.[0-9]+)?"
    r"([Zz]|[ +-][0-9]{2}:[0-9]{2})",
    re.ASCII,
)


class Body(Schema):
    """A body: names that are not declared are refused, and no text is taken for a number."""

    model_config = ConfigDict(extra="forbid", strict=True, populate_by_name=False)


# --- fields -----------------------------------------------------------------------------------------------


def _decimal(pattern: str) -> Any:
    plain = re.compile(pattern, re.ASCII)

    def read(value: object) -> str:
        if isinstance(value, Number):
            value = value.text
        elif isinstance(value, int) and not isinstance(value, bool):
            value = str(value) if abs(value) < 10**20 else ""
        if not isinstance(value, str) or plain.fullmatch(value) is None:
            raise ValueError('write a plain decimal in quotes, such as "42.10"')
        return value

    return BeforeValidator(read)


def _amount_schema(pattern: str, least: int) -> dict[str, Any]:
    return {
        "description": "A decimal as text. A JSON number is taken too, and read exactly.",
        "anyOf": [
            {"type": "string", "pattern": pattern},
            {"type": "integer", "minimum": least, "maximum": 10**13},
        ],
        "examples": ["12.50"],
    }


Points = Annotated[str, _decimal(_PLAIN), WithJsonSchema(_amount_schema(_PLAIN, 0))]
SignedPoints = Annotated[str, _decimal(_SIGNED), WithJsonSchema(_amount_schema(_SIGNED, -(10**13)))]


def _instant(value: object) -> int:
    """Microseconds UTC of an RFC 3339 instant; beyond what can be computed with, the nearest that can."""
    found = _INSTANT.fullmatch(value) if isinstance(value, str) and len(value) <= 64 else None
    if found is None:
        raise ValueError("write an instant with its offset, such as 2026-03-01T10:00:00+01:00")
    year, month, day, hour, minute, second = (int(found.group(number)) for number in range(1, 7))
    # An unescaped + in an address arrives as a space.
    offset = found.group(8).replace(" ", "+").upper().replace("Z", "+00:00")
    if int(offset[1:3]) > 23 or int(offset[4:]) > 59:
        raise ValueError("the offset is not one")
    try:
        start = datetime.fromisoformat(
            f"{max(year, 1):04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{min(second, 59):02}{offset}"
        )
    except ValueError:
        raise ValueError("there is no such instant") from None
    if second > 60:
        raise ValueError("there is no such instant")
    micro = int((found.group(7) or ".0")[1:7].ljust(6, "0"))
    at = instant(start) + (second - min(second, 59)) * 1_000_000 + micro
    return min(max(at, 0), LATEST) if year else 0


Instant = Annotated[
    int,
    BeforeValidator(_instant),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-03-01T10:00:00+01:00"]}),
]

Key = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(text_only)]
Short = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(text_only)]
Ref = Annotated[
    str,
    Field(min_length=1, max_length=64, description="A member's reference.", examples=["m_01h2xcejqtf2n"]),
    AfterValidator(text_only),
]
RedemptionRef = Annotated[
    str,
    Field(
        min_length=1,
        max_length=64,
        description="A redemption's id.",
        examples=["m_01h2xcejqtf2n.00q5d2m8x4k7s"],
    ),
    AfterValidator(text_only),
]
AttributeValue = Annotated[Any, WithJsonSchema({"type": ["string", "integer", "number", "boolean", "null"]})]
Attributes = Annotated[
    dict[Key, AttributeValue],
    Field(max_length=100, description="As the program declares them for members; null leaves one out."),
]


def _said(value: str) -> str:
    if _WORD.search(value) is None:
        raise ValueError("say why in words; blanks alone say nothing")
    return value


ReasonText = Annotated[
    str,
    Field(
        min_length=1,
        max_length=LONGEST_REASON,
        description="Why, for who asks later.",
        json_schema_extra={"pattern": r"\S"},
    ),
    AfterValidator(text_only),
    AfterValidator(_said),
]
Cursor = Annotated[
    str | None,
    Query(min_length=1, max_length=40, description="`next` of the page before; without it, the first page."),
]
Limit = Annotated[int, Query(ge=1, le=LARGEST_PAGE, description="Lines in the page.")]
Source = Annotated[
    str | None,
    Field(min_length=1, max_length=100, description="The system that sends; the key's own by default."),
]
CommandId = Annotated[
    str | None,
    Field(
        min_length=1,
        max_length=200,
        description="Your permanent id for this. Sent again with the same content it is answered with what"
        " was decided. Without it, it follows from the Idempotency-Key.",
    ),
]

IdempotencyKey = Annotated[
    Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[ -~]+$")] | None,
    Header(
        alias="Idempotency-Key",
        description="Makes repetitions safe: the first call with this key is decided, all others with the"
        " same content get its answer (`Idempotency-Replayed: true`), and other calls with it are refused. "
        "Kept for 30 days.",
    ),
]

# --- bodies -----------------------------------------------------------------------------------------------


class NewMember(Body):
    """A member to enrol: at least one identity, by kind."""

    identities: Annotated[
        dict[Literal["card", "email", "phone", "external_id"], Short], Field(min_length=1, max_length=4)
    ]
    attributes: Attributes = {}
    locale: Annotated[str, Field(pattern=r"^[a-z]{2}(-[A-Z]{2})?$")] = "en"
    time_zone: Annotated[str | None, Field(max_length=64, description="IANA zone.")] = None
    referred_by: Annotated[
        Short | None, Field(description="The referral code of the member who brought this one.")
    ] = None


class NewPair(Body):
    """Two members of a streak of pairs."""

    streak: Key
    other: Annotated[Ref, Field(alias="with")]


class NewMerge(Body):
    """A member that is found to be the same as the one addressed."""

    member: Annotated[Ref, Field(alias="from")]
    reason: ReasonText
    actor: Annotated[str | None, Field(min_length=1, max_length=200, description="Who decided it.")] = None


class Unmerge(Body):
    """Why a merge is undone."""

    reason: ReasonText
    actor: Annotated[str | None, Field(min_length=1, max_length=200, description="Who decided it.")] = None


class Person(Body):
    """A person of a household: the identities that find him."""

    identities: Annotated[
        dict[Literal["card", "email", "phone", "external_id"], Short], Field(min_length=1, max_length=4)
    ]
    reason: ReasonText
    actor: Annotated[str | None, Field(min_length=1, max_length=200, description="Who decided it.")] = None


class MemberChange(Body):
    """What changes of a member; attributes that are not named stay."""

    attributes: Attributes | None = None
    status: Literal["active", "frozen"] | None = None
    ranked: Annotated[bool | None, Field(description="Whether rankings show the member.")] = None


class NewPageToken(Body):
    """For how long a shop's page may show where a member stands."""

    minutes: Annotated[int, Field(ge=1, le=60, description="Minutes until the token's end.")] = 30


class NewRedemption(Body):
    """Points to spend at once, or (`capture`: false) to hold until they are captured or released."""

    member: Ref
    currency: Key
    points: Points
    capture: bool = True
    partner: Annotated[
        Key | None, Field(description="The partner with whom they are used, who is paid for them.")
    ] = None
    hold_minutes: Annotated[
        int | None,
        Field(ge=1, le=LONGEST_HOLD_MINUTES, description="How long a hold lasts; only with capture: false."),
    ] = None
    source: Source = None
    id: CommandId = None


class Capture(Body):
    """How much of a hold is spent; all of it by default. The rest is free again."""

    points: Points | None = None


class Release(Body):
    """Nothing needs to be said."""


class Refund(Body):
    """How much of what was spent is given back; all that is left of it by default."""

    points: Points | None = None
    reason: ReasonText | None = None


class NewAdjustment(Body):
    """Points given (positive) or taken (negative) by hand, with the reason."""

    member: Ref
    currency: Key
    points: SignedPoints
    reason: ReasonText
    reason_code: Annotated[
        Key | None, Field(description="One of the program's reasons; needed where it has any.")
    ] = None
    actor: Annotated[str | None, Field(min_length=1, max_length=200, description="Who decided it.")] = None
    source: Source = None
    id: CommandId = None


class NewDividend(Body):
    """A year's dividend of a membership, at the rate that was decided."""

    membership: Key
    year: Annotated[int, Field(ge=1970, le=9000)]
    rate: Annotated[str, Field(pattern=r"^(0\.[0-9]{1,6}|1(\.0{1,6})?)$", examples=["0.10"])]
    dry_run: bool = False


class Decision(Body):
    """Why a request is approved or refused, for the audit log."""

    reason: ReasonText | None = None


class PauseCampaign(Body):
    """Why a campaign is paused or resumed, for the audit log."""

    reason: ReasonText | None = None


class NewTransfer(Body):
    """Points that one member gives another; they keep their expiry."""

    sender: Annotated[Ref, Field(alias="from")]
    to: Ref
    currency: Key
    points: Points
    source: Source = None
    id: CommandId = None


# --- answers ----------------------------------------------------------------------------------------------


class Answered(Schema):
    """An answer. Fields may be added in time."""


class FieldProblem(Answered):
    field: str
    message: str


class ProblemDocument(Answered):
    """A refusal or error (RFC 9457). `code` is stable; `detail` and `remedy` are for people."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    field: str = ""
    remedy: str = ""
    errors: list[FieldProblem] = []


DecimalText = Annotated[str, Field(pattern=r"^-?[0-9]+(\.[0-9]+)?$")]
InstantText = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
PointsByCurrency = dict[str, DecimalText]


class ReferralAnswer(Answered):
    status: Literal["recorded", "not_recorded"]
    why: Literal["already_member", "mailbox_known", "no_referral"] | None = Field(
        description="Enrolled before; somebody else has an address of the same mailbox; the program rewards none."
    )


class MemberAnswer(Answered):
    member: str
    status: Literal["active", "frozen", "erased", "merged"]
    enrolled_at: InstantText
    attributes: dict[str, Annotated[Any, WithJsonSchema({"type": ["string", "integer", "boolean"]})]]
    locale: str
    time_zone: str | None
    ranked: bool = Field(description="Whether rankings show the member, under a pseudonym.")
    merged_into: str | None = Field(None, description="The member that took this one over.")
    referral: ReferralAnswer | None = Field(
        None, description="Only when enrolled with a code: what came of it."
    )


class MemberKnown(Answered):
    """What a partner's key is told of a member."""

    member: str
    status: Literal["active", "frozen"]


class ReferralCodeAnswer(Answered):
    member: str
    code: str
    link: str = Field(description="The path under which a friend joins with the code.")


class PairAnswer(Answered):
    member: str
    other: str = Field(alias="with")
    streak: str
    status: Literal["paired", "ended"]


class MergeAnswer(Answered):
    member: str = Field(description="The member that took the other over.")
    merged: str
    status: Literal["merged", "undone"]
    merged_at: InstantText


class NewErasure(Body):
    """That a member is to be forgotten. `reason` goes to the audit log, where it stays: it names nobody."""

    wait_days: Annotated[
        int, Field(ge=0, le=90, description="Days until it is carried out; 0 (the default) does it now.")
    ] = 0
    reason: Annotated[str, Field(max_length=LONGEST_REASON)] = ""


class NewConsent(Body):
    """That a member allows something, or does not any more, as he said elsewhere."""

    purpose: Annotated[str, Field(min_length=1, max_length=60)]
    channel: Literal["email", "sms", "phone", "post", "push", ""] = ""
    recipient: Annotated[str, Field(max_length=60, description="A partner's key; empty for the program.")] = (
        ""
    )
    state: Literal["given", "withdrawn"]
    language: Literal["en", "fr"] = "en"
    via: Annotated[Literal["till", "import", "api"], Field(description="Where he said it.")] = "api"
    proof: Annotated[
        str, Field(max_length=200, description="What shows it: a form's number, a ticket. Needed to give.")
    ] = ""


class ConsentAnswer(Answered):
    purpose: str
    channel: str
    recipient: str
    state: Literal["given", "withdrawn", "never_given"]
    since: InstantText | None
    via: str | None
    text: str = Field(description="The words with which it is asked for.")


class ConsentsAnswer(Answered):
    member: str
    consents: list[ConsentAnswer]


class ErasureFigures(Answered):
    """What was settled and forgotten, in figures."""

    lapsed: dict[str, str] = Field(description="Points that lapsed, by currency, as decimals.")
    members: int = Field(description="The member, and those that had been merged into it.")
    identities: int
    addresses: int
    codes: int
    accounts: int
    messages: int
    sessions: int
    decisions: int = Field(description="Decisions that lost baskets, places and typed words.")
    orders: int = Field(description="Orders that had only been reserved, let go.")
    answers: int = Field(description="Stored answers of repeated calls that named the member.")


class ErasureAnswer(Answered):
    member: str
    status: Literal["asked", "erased", "undone"]
    due_at: InstantText | None
    settled: ErasureFigures | None


class HouseholdAnswer(Answered):
    member: str
    identities: int = Field(description="How many identities are new to the household.")
    merged: list[str] = Field(description="Members that were merged in.")


class LotAnswer(Answered):
    expires_at: InstantText | None
    spendable_until: InstantText | None
    earned_at: InstantText
    spendable: DecimalText
    held: DecimalText
    moving: bool = Field(description="Whether the expiry moves with the member's activity.")
    funder: str


class PendingAnswer(Answered):
    source: str
    id: str
    points: DecimalText
    release_at: InstantText | None
    until_activity: str | None
    expires_at: InstantText | None


class WalletAnswer(Answered):
    currency: str
    spendable: DecimalText
    pending: DecimalText
    held: DecimalText
    debt: DecimalText
    posted: DecimalText
    lots: list[LotAnswer]
    waiting: list[PendingAnswer]


class WalletsAnswer(Answered):
    member: str
    as_of: InstantText
    known_at: InstantText
    wallets: list[WalletAnswer]


class ExpiryLine(Answered):
    currency: str
    expires_at: InstantText
    spendable_until: InstantText
    spendable: DecimalText
    held: DecimalText
    pending: DecimalText
    moving: bool


class PageTokenAnswer(Answered):
    token: str
    expires_at: InstantText


class ExpiryAnswer(Answered):
    member: str
    as_of: InstantText
    expiries: list[ExpiryLine]


class ThresholdAnswer(Answered):
    metric: Literal["spend", "points", "visits"]
    at_least: DecimalText
    current: DecimalText
    missing: DecimalText


class NextTierAnswer(Answered):
    tier: str
    needs: Literal["all", "any"]
    thresholds: list[ThresholdAnswer]


class WaitingAnswer(PendingAnswer):
    currency: str


TextByLanguage = Annotated[dict[str, str], Field(description="By language.")]
Chance = Annotated[
    str, Field(pattern=r"^[0-9]+/[0-9]+$", description="An exact fraction.", examples=["3/20"])
]


class GivenAnswer(Answered):
    currency: str
    points: DecimalText


class StepAnswer(Answered):
    at: DecimalText
    name: TextByLanguage
    gives: list[GivenAnswer]
    reached: bool


class NextStepAnswer(Answered):
    at: DecimalText
    missing: DecimalText


class GoalAnswer(Answered):
    goal: str
    name: TextByLanguage
    kind: Literal["goal", "stamp_card", "challenge", "milestone", "levels"]
    icon: str
    measure: Literal["activities", "spend", "units", "points", "distinct"]
    currency: str | None
    state: Literal["planned", "open", "done", "ended"]
    position: DecimalText = Field(description="The place in the present round, in the goal's measure.")
    steps: list[StepAnswer]
    next: NextStepAnswer | None
    rounds: int = Field(description="Rounds finished in this window.")
    starts_at: InstantText | None
    ends_at: InstantText | None
    joining: Literal["none", "open", "joined", "closed"] = Field(
        description="Whether the member needs to opt in, may, has, or is too late."
    )


class StreakStepAnswer(Answered):
    at: int
    gives: list[GivenAnswer]
    reached: bool


class NextLengthAnswer(Answered):
    at: int
    missing: int


class StreakAnswer(Answered):
    streak: str
    pair: str | None
    other: Annotated[str | None, Field(alias="with", description="The other member of a pair.")]
    name: TextByLanguage
    icon: str
    period: Literal["day", "week", "month"]
    state: Literal["not_begun", "running", "at_risk", "lapsed"]
    length: int
    best: int
    deadline: InstantText | None = Field(description="The instant at which it lapses unless somebody acts.")
    freeze_tokens: int | None
    steps: list[StreakStepAnswer]
    next: NextLengthAnswer | None


class BadgeAnswer(Answered):
    badge: str
    name: TextByLanguage
    icon: str
    count: int
    earned_at: InstantText


class PrizeAnswer(Answered):
    prize: str
    name: TextByLanguage
    chance: Chance
    gives: list[GivenAnswer]


class GameAnswer(Answered):
    game: str
    name: TextByLanguage
    kind: Literal["wheel", "scratch_card"]
    price: GivenAnswer | None
    affordable: bool
    plays_left: int | None = Field(description="Plays that the limits leave; null without a limit.")
    wins_from: InstantText | None = Field(description="Until then the member wins nothing, because he won.")
    ends_at: InstantText | None
    prizes: list[PrizeAnswer]


class QuizAnswer(Answered):
    quiz: str
    name: TextByLanguage
    questions: int
    attempts_left: int
    best: int | None
    steps: list[StepAnswer]


class MembershipAnswer(Answered):
    membership: str
    name: TextByLanguage
    state: Literal["none", "active", "ended"]
    ends_at: InstantText | None = Field(description="Null for life, or where there was none.")
    fee: DecimalText
    months: int | None
    benefits: list[TextByLanguage]


class SavingAnswer(Answered):
    currency: str
    name: str
    points: DecimalText
    missing: DecimalText


class ProgressAnswer(Answered):
    member: str
    as_of: InstantText
    tier: str | None
    spend: DecimalText
    points: DecimalText
    visits: int
    held_until: InstantText | None
    given_until: InstantText | None = Field(
        description="The end of a tier that was given; null of one's own."
    )
    period_ends_at: InstantText | None
    next: NextTierAnswer | None
    waiting: list[WaitingAnswer]
    goals: list[GoalAnswer]
    streaks: list[StreakAnswer]
    badges: list[BadgeAnswer]
    games: list[GameAnswer] = Field(description="Games that are open now, with their published odds.")
    quizzes: list[QuizAnswer]
    memberships: list[MembershipAnswer]
    saving: SavingAnswer | None


class RuleAnswer(Answered):
    rule: str
    currency: str
    base: DecimalText | None
    raw: DecimalText
    multiplied: DecimalText
    earned: DecimalText
    pending: bool
    limit: str | None


class DrawAnswer(Answered):
    game: str
    field: int = Field(description="Which field was drawn, from 1.")
    prize: str | None = Field(description="What it brought; null where it was sold out.")


class GrantAnswer(Answered):
    cause: str = Field(description="Such as goal:card:1, game:wheel:coffee, membership:club.")
    currency: str
    points: DecimalText = Field(description="Below zero where it was taken back.")
    pending: bool


class TraceAnswer(Answered):
    """Why a decision came out as it did."""

    version: int
    tier: str | None
    tier_after: str | None
    rules: list[RuleAnswer]
    returned: DecimalText = Field(description="Money given back so far of the sale.")
    not_returned: DecimalText = Field(description="Money that a return asked beyond what was left.")
    owed: DecimalText
    written_off: DecimalText
    late: bool
    reason: str
    draws: list[DrawAnswer]
    granted: list[GrantAnswer]
    score: int | None


class TransferAnswer(Answered):
    kind: str
    debit: str
    credit: str
    currency: str
    points: DecimalText
    lot: str | None
    effective_at: InstantText
    recorded_at: InstantText
    correction: bool


class ActivityName(Answered):
    source: str
    id: str


class HistoryLine(Answered):
    type: str
    source: str
    id: str
    occurred_at: InstantText
    recorded_at: InstantText
    program_version: int
    tier: str | None
    points: PointsByCurrency = Field(description="Change of all that the member has, less what is owed.")
    spendable: PointsByCurrency = Field(description="Change of what can be spent.")
    corrects: ActivityName | None
    sentence: dict[str, str] = Field(description="The decision in words, by language.")
    trace: TraceAnswer


class HistoryAnswer(Answered):
    member: str
    lines: list[HistoryLine]
    next: str | None


class DecidedLine(HistoryLine):
    why_not: dict[str, list[str]] = Field(description="Rules that nearly brought something, by language.")
    transfers: list[TransferAnswer]
    drawn: str | None = Field(None, description="The bytes drawn for it, with their month, in hexadecimal.")


class ActivityAnswer(Answered):
    """One activity or command by its permanent id. `decision` where it was applied."""

    source: str
    id: str
    status: Literal["applied", "parked", "refused"]
    received_at: InstantText
    member: str | None = None
    decision: DecidedLine | None = None
    corrections: list[DecidedLine] = []
    code: str | None = None
    sale: ActivityName | None = None
    deadline_at: InstantText | None = None


class RedemptionAnswer(Answered):
    redemption: str
    member: str
    partner: str | None
    currency: str
    points: DecimalText
    captured: DecimalText
    refunded: DecimalText = Field(description="Given back of what was captured, by refunds.")
    status: Literal["open", "captured", "released", "expired"]
    created_at: InstantText
    expires_at: InstantText | None
    source: str
    id: str


class AdjustmentAnswer(Answered):
    member: str
    currency: str
    points: DecimalText
    spendable: DecimalText
    reason: str
    reason_code: str
    actor: str
    source: str
    id: str


class ApprovalAnswer(Answered):
    approval: str
    kind: str = Field(description="What is asked: adjustment, payout_batch.")
    object: str = Field(description="Whom or what it concerns.")
    details: dict[str, Any] = Field(description="What was asked, in the words of its kind.")
    reason: str
    state: Literal["asked", "approved", "refused", "expired"]
    asked_by: str
    asked_name: str
    asked_at: InstantText
    expires_at: InstantText
    decided_by: str
    decided_at: InstantText | None
    decision: str = Field(description="The reason given for the decision.")


class ApprovalsAnswer(Answered):
    approvals: list[ApprovalAnswer]
    next: str | None


class TransferMade(Answered):
    sender: str = Field(alias="from")
    to: str
    currency: str
    points: DecimalText
    spendable: DecimalText
    source: str
    id: str


class OddsAnswer(PrizeAnswer):
    left: int | None = Field(description="How many times it can still be won; null without a stock.")


class DrawnGameAnswer(Answered):
    game: str
    name: TextByLanguage
    kind: Literal["wheel", "scratch_card", "surprise"]
    starts_at: InstantText | None
    ends_at: InstantText | None
    weights: list[int]
    prizes: list[OddsAnswer]


class MonthAnswer(Answered):
    month: str
    commitment: str = Field(description="SHA-256 of the seed, in hexadecimal.")
    seed: str | None = Field(description="In hexadecimal, once the month has passed.")


class DrawsAnswer(Answered):
    games: list[DrawnGameAnswer]
    months: list[MonthAnswer]


class BudgetAnswer(Answered):
    currency: str
    points: DecimalText
    used: DecimalText
    left: DecimalText


class CampaignAnswer(Answered):
    campaign: str
    name: TextByLanguage
    state: Literal["planned", "running", "paused", "ended"]
    starts_at: InstantText | None
    ends_at: InstantText | None
    budget: BudgetAnswer | None
    program_version: int | None = Field(None, description="The version that says so, after a change.")


class CampaignsAnswer(Answered):
    campaigns: list[CampaignAnswer]


class PlaceAnswer(Answered):
    rank: int
    pseudonym: str
    value: DecimalText
    own: bool = Field(description="Whether it is that of the member who was named.")


class LeaderboardAnswer(Answered):
    leaderboard: str
    name: TextByLanguage
    goal: str
    measure: Literal["activities", "spend", "units", "points", "distinct"]
    currency: str | None
    ties: Literal["shared", "earliest"]
    period: str
    starts_at: InstantText
    ends_at: InstantText
    complete: bool
    places: list[PlaceAnswer]
    own: PlaceAnswer | None


class DividendAnswer(Answered):
    membership: str
    year: int
    rate: str
    currency: str
    dry_run: bool
    finished: bool
    members: int = Field(description="Members who get a share, of those looked at by this call.")
    spend: DecimalText
    points: DecimalText
    paid_now: int
    paid_before: int


class NoticeAnswer(Answered):
    announced_on: str
    text: str


class SettingChange(Answered):
    path: str
    kind: Literal["added", "removed", "changed", "moved"]
    text: str


class ReadsAnswer(Answered):
    subject: str
    title: str
    before: list[str] = Field(description="Sentences of the program in words that are gone.")
    after: list[str] = Field(description="Sentences that are new.")


class VersionChangeAnswer(Answered):
    version: int
    published_at: InstantText
    effective_from: InstantText
    notice: NoticeAnswer | None
    reads: list[ReadsAnswer]
    settings: list[SettingChange]


class ProgramChangesAnswer(Answered):
    language: Literal["en", "fr"]
    versions: list[VersionChangeAnswer]


class VersionAnswer(Answered):
    program: str
    version: int
    sha256: str
    effective_from: InstantText
    published_at: InstantText
    published_by: str


class ProgramsAnswer(Answered):
    programs: list[VersionAnswer]


class VersionsAnswer(Answered):
    versions: list[VersionAnswer]


class DocumentAnswer(VersionAnswer):
    document: dict[str, Any]


class DocumentProblemAnswer(Answered):
    path: str
    line: int
    column: int
    message: str
    remedy: str
    code: str
    severity: Literal["error", "warning"]


class ValidationAnswer(Answered):
    valid: bool
    problems: list[DocumentProblemAnswer]


class ChangeAnswer(Answered):
    path: str
    kind: Literal["added", "removed", "changed", "moved"]
    en: str
    fr: str


class BothLanguages(Answered):
    en: str
    fr: str


class FindingAnswer(Answered):
    """What may make the program fail: its code and name, its place, why, and what to do."""

    code: str
    name: str
    severity: Literal["error", "warning", "notice"]
    path: str
    reason: BothLanguages
    remedy: BothLanguages


class ComplexityAnswer(Answered):
    """How much a member has to keep in mind."""

    score: int
    level: Literal["simple", "moderate", "complex"]


class PlanAnswer(Answered):
    """`approval_needed`: publishing it is refused here, for a second person approves it in the console."""

    version: int
    effective_from: InstantText
    approval_needed: bool
    changes: list[ChangeAnswer]
    complexity: ComplexityAnswer
    findings: list[FindingAnswer]


class DayAnswer(Answered):
    """The sums of a local day; money exact, not rounded."""

    day: str
    issued: DecimalText
    reversed: DecimalText
    used: DecimalText
    given_back: DecimalText
    owed: DecimalText
    owing: DecimalText


class StatementAnswer(Answered):
    """What a partner owes for points earned with it, and is owed for points used with it."""

    partner: str
    currency: str
    lines: int
    unpriced: Annotated[int, Field(description="Lines without an agreement in force; they cost nothing.")]
    issued: DecimalText
    reversed: DecimalText
    used: DecimalText
    given_back: DecimalText
    expired: Annotated[
        DecimalText, Field(description="Points it funded that nobody used; they stay its cost.")
    ]
    owed: Annotated[DecimalText, Field(description="For points issued less reversed, rounded once.")]
    paid_ahead: Annotated[DecimalText, Field(description="Of that, out of its advance.")]
    owing: Annotated[DecimalText, Field(description="To it, for points used less given back, rounded once.")]
    net: Annotated[
        DecimalText, Field(description="owed - paid_ahead - owing: what it pays; below 0, is paid.")
    ]
    days: list[DayAnswer]


class SettlementLine(Answered):
    """One row of the ledger, with its price. The amount is what this side owes; below 0, is owed."""

    line: str
    partner: str
    day: str
    at: InstantText
    recorded_at: InstantText
    kind: Literal["issued", "reversed", "used", "given_back"]
    points: DecimalText
    currency: str
    funder: str
    source: str
    id: str
    agreement: str
    price: DecimalText
    amount: DecimalText
    correction: bool


class SettlementAnswer(Answered):
    program: str
    period: str
    side: Literal["partner", "operator"]
    money: str
    known_at: InstantText
    known_after: InstantText | None
    statements: list[StatementAnswer] | None
    clearing: DecimalText | None = Field(description="What the operator pays for all statements together.")
    expired: PointsByCurrency | None = Field(description="The program's own points that expired.")
    lines: list[SettlementLine]
    next: str | None


class LineAnswer(Answered):
    """The outcome of one activity."""

    source: str
    id: str
    status: Literal["applied", "duplicate", "refused", "parked"]
    code: str | None = None
    message: str | None = None
    field: str | None = None
    remedy: str | None = None
    program_version: int | None = None
    tier: str | None = None
    points: PointsByCurrency | None = None
    spendable: PointsByCurrency | None = None
    tier_reached: str | None = Field(
        None,
        description="The tier held from now on, where that has changed: reached, or fallen to by a return.",
    )
    draws: list[DrawAnswer] | None = Field(None, description="What a play, or a surprise, drew.")
    granted: list[GrantAnswer] | None = Field(None, description="What goals, games and other mechanics gave.")
    score: int | None = Field(None, description="That of a quiz.")
    warning: str | None = None


class CountsAnswer(Answered):
    applied: int
    duplicate: int
    refused: int
    parked: int


class LinesAnswer(Answered):
    counts: CountsAnswer
    results: list[LineAnswer]


PROBLEMS: Final = frozenset({400, 401, 403, 404, 409, 413, 415, 422, 429, 503})
"""The statuses whose answer is a problem document."""


def problems(*statuses: int) -> dict[Any, Any]:
    """The responses of an operation besides its results: every one may also be 400, 401, 403, 422, 429, 503."""
    return {frozenset({400, 401, 403, 422, 429, 503, *statuses}): ProblemDocument}
