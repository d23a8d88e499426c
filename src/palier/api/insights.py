"""The figures of a program: members, points, cost, retention, what rules brought."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router
from pydantic import Field

from palier.api.calls import ApiKey, answer, call
from palier.api.problems import not_found
from palier.api.schemas import Answered, DecimalText, InstantText, Key, problems
from palier.insights import queries
from palier.insights.answers import plain

router = Router(tags=["Insights"])
READ: Final = ApiKey("insights:read")

Days = Annotated[
    Literal["30", "90", "365"], Query(description="The last so many days, today the last of them.")
]
Month = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}$")]
Day = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]


class CountCompared(Answered):
    """A count of the period, and of the period before; null where that was not all counted."""

    now: int
    before: int | None


class AmountCompared(Answered):
    """An amount of the period, and of the period before; null where that was not all counted."""

    now: DecimalText
    before: DecimalText | None


class BreakageAnswer(Answered):
    """The share of what is outstanding that may never be used, with its range; null where it is not estimated."""

    answer: Literal["estimated", "never", "too_little_history", "nothing_redeemed"]
    months: int = Field(description="Whole months on which the estimate stands.")
    share_percent: DecimalText | None
    low_percent: DecimalText | None
    high_percent: DecimalText | None
    points: DecimalText | None


class CurrencyInsightAnswer(Answered):
    """One point currency: flows of the period, and what stands at its end."""

    currency: str
    issued: AmountCompared
    taken_back: AmountCompared
    redeemed: AmountCompared
    expired: AmountCompared
    adjusted: AmountCompared
    outstanding: AmountCompared
    pending: AmountCompared
    held: AmountCompared
    debt: AmountCompared
    liability: AmountCompared = Field(description="Outstanding and pending points in the program's money.")
    breakage: BreakageAnswer


class TierInsightAnswer(Answered):
    tier: str
    members: CountCompared


class TierMoveAnswer(Answered):
    from_: str = Field(alias="from")
    to: str
    members: CountCompared


class WithinAnswer(Answered):
    days: int
    members: int


class FirstRewardAnswer(Answered):
    """How long a first reward takes, of the members who had one."""

    members: int
    median_days: int | None
    within_days: list[WithinAnswer]


class CohortAnswer(Answered):
    """Who joined in a month, and how many of them were active in it and in each month since."""

    joined: Month
    members: int
    active: list[int]


class RuleInsightAnswer(Answered):
    """What a rule brought, as first decided; `members`: to how many it ever brought points."""

    rule: str
    currency: str
    times: CountCompared
    points: AmountCompared
    members: int


class RewardInsightAnswer(Answered):
    reward: str
    ordered: CountCompared


class InsightsAnswer(Answered):
    """A program's figures. `counting`: newer activities are being added at this moment."""

    program: str
    from_: Day = Field(alias="from")
    through: Day
    counted_at: InstantText | None
    counting: bool
    members: CountCompared
    joined: CountCompared
    active_30_days: CountCompared
    active_90_days: CountCompared
    sales: CountCompared
    money: str
    spend: AmountCompared
    currencies: list[CurrencyInsightAnswer]
    tiers: list[TierInsightAnswer]
    tier_moves: list[TierMoveAnswer]
    first_reward: FirstRewardAnswer
    cohorts: list[CohortAnswer]
    rules: list[RuleInsightAnswer]
    rewards: list[RewardInsightAnswer]


@router.get(
    "/programs/{program}/insights",
    auth=READ,
    operation_id="read_insights",
    summary="Read a program's figures",
    response={200: InsightsAnswer, **problems(404)},
    by_alias=True,
)
def read_insights(request: HttpRequest, program: Key, days: Days = "30") -> HttpResponse:
    """Figures of a period beside the period before, by the day on which things happened.

    They are counted from the ledger as it is sealed, seconds behind it.
    """
    with call(request, snapshot=True) as made:
        if program != made.key.program:
            raise not_found("program")
        period = queries.period_of(made.runtime, int(days), now=made.now)
        found = queries.read(made.connection, made.runtime, period, now=made.now)
        cohorts = queries.cohorts(made.connection, made.runtime, period.last)
        shown: dict[str, Any] = {"program": program, **plain(made.runtime.at(made.now), found, cohorts)}
        return answer(shown)
