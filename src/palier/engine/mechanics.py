"""The mechanics of a program document beside rules and tiers, as types: goals, streaks, games, referral,
memberships, partners and leaderboards.

All of them give the same thing: units of point currencies (`Grant`). A stamp, a badge, a free coffee, a spin of
the wheel and a cent of cashback are units of a currency of that kind, so that each is in the ledger, can be
taken back by a return, can expire, and is explained like points.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from palier.engine.document import (
    Base,
    Condition,
    Days,
    Decimal,
    Key,
    PositiveDays,
    Strict,
    Text,
    WindowLifetime,
)

Count = Annotated[int, Meta(ge=1, le=1_000_000)]


class Grant(Strict, frozen=True):
    """Units of a point currency that a mechanic gives: points, a badge, a free unit, a token."""

    currency: Key
    """The point currency."""
    points: Decimal = "1"
    """How many units."""


class Budget(Strict, frozen=True):
    """The most that something may bring to all members together, in points or in money. Exactly one of the two.

    Money counts by the value of the point currency. What a return takes back is free again, and so is what an
    activity no longer brings because it is decided anew (a late one came before it, another version judges it).
    """

    points: Decimal | None = None
    """In units of the point currency."""
    money: Decimal | None = None
    """In the program's money, by the currency's value."""


# --- goals --------------------------------------------------------------------------------------------


class Step(Strict, frozen=True):
    """One landing of a goal: where it stands, and what it gives."""

    at: Decimal
    """What must be reached, in the goal's measure."""
    name: Text
    """What members read."""
    grants: list[Grant] = []
    """What reaching it gives."""


class WindowDates(Strict, frozen=True, tag="dates", tag_field="kind"):
    """From a date or instant through another."""

    from_: str = msgspec.field(name="from")
    """First local date, or instant with its offset."""
    until: str
    """Last local date, or the instant before which it ends."""


class WindowFromStart(Strict, frozen=True, tag="from_start", tag_field="kind"):
    """N local days from the first activity that counts, or from opting in."""

    days: PositiveDays
    """Local days."""


class WindowPeriod(Strict, frozen=True, tag="each", tag_field="kind"):
    """Each calendar period anew, in the program's zone."""

    period: Literal["day", "week", "month", "quarter", "year"]
    """Which calendar period."""


GoalWindow = WindowLifetime | WindowDates | WindowFromStart | WindowPeriod


class Goal(Strict, frozen=True):
    """Something to reach by steps, each with its own reward: a goal, a stamp card, a challenge, a milestone.

    Every activity of a type in `on` that meets `when` counts by `measure`: activities (one each), spend (money of
    `base`), units (quantities of the lines that count), points (of `currency`, earned by rules), or distinct (new
    values of `distinct`). Steps reached give their grants at once, and a return that falls below a step takes
    its grants back. A goal without steps only measures (see Leaderboard and Dividend).
    """

    key: Key
    """Unique name of the goal."""
    name: Text
    """What members read."""
    kind: Literal["goal", "stamp_card", "challenge", "milestone", "levels"] = "goal"
    """How it is shown; it changes nothing in what it gives."""
    icon: str = ""
    """Name of a drawing."""
    on: list[Key] = msgspec.field(default_factory=lambda: ["sale"])
    """Activity types that count."""
    when: Condition | None = None
    """The condition an activity needs to count."""
    lines: Condition | None = None
    """Which lines count, for spend, units and distinct."""
    measure: Literal["activities", "spend", "units", "points", "distinct"] = "activities"
    """What is counted."""
    currency: Key | None = None
    """The point currency, for points."""
    distinct: Literal["category", "sku", "partner", "location", "channel", "day"] | None = None
    """Of what new values are counted, for distinct."""
    base: Base = msgspec.field(default_factory=Base)
    """What part of a sale counts, for spend."""
    most_per_day: Count | None = None
    """The most that counts in a local day, in whole units of the measure."""
    window: GoalWindow = msgspec.field(default_factory=WindowLifetime)
    """The time in which it counts."""
    opt_in: bool = False
    """Whether activities count only after the member has opted in."""
    head_start: Decimal = "0"
    """What the member has from the beginning (in the first round of a window)."""
    repeat: bool = False
    """Whether it begins anew after the last step; one activity fills it 1,000 times at most."""
    most_rounds: Count | None = None
    """How many times it can be finished in a window, where it repeats."""
    surplus: Literal["roll_over", "reset"] = "roll_over"
    """What one activity brings beyond the last step: it counts for the next round, or is dropped."""
    free_unit: Literal["cheapest", "average"] | None = None
    """For cards that count units: what a free unit is worth at most, of the prices of the units that filled it."""
    steps: Annotated[list[Step], Meta(max_length=100)] = []
    """The steps, lowest first."""


# --- streaks ------------------------------------------------------------------------------------------


class StreakStep(Strict, frozen=True):
    """A length that gives something."""

    at: Count
    """Consecutive periods."""
    grants: list[Grant]
    """What reaching it gives."""


class Streak(Strict, frozen=True):
    """Consecutive periods with an activity each, of one member or of a pair who must both act.

    The streak lapses when a period ends without enough; a freeze token in the member's wallet, where `freeze`
    names its currency, is used up instead. Days are those of the member's own zone unless `zone` says otherwise.
    A period all of which comes back is as if it had been missed: what the periods before it earned stays, and those
    behind it are a streak of their own.
    """

    key: Key
    """Unique name of the streak."""
    name: Text
    """What members read."""
    icon: str = "flame"
    """Name of a drawing."""
    on: list[Key] = msgspec.field(default_factory=lambda: ["visit"])
    """Activity types that count."""
    when: Condition | None = None
    """The condition an activity needs to count."""
    period: Literal["day", "week", "month"] = "day"
    """What must not be missed."""
    least: Count = 1
    """Activities needed in each period."""
    zone: Literal["member", "program"] = "member"
    """Whose local days count."""
    of: Literal["member", "pair"] = "member"
    """Whether one member acts, or both of a pair."""
    freeze: Key | None = None
    """The point currency of tokens that save a missed period; not of a pair."""
    at_risk_hours: Annotated[int, Meta(ge=1, le=720)] = 6
    """Hours before the lapse from which the streak is said to be at risk."""
    repeat: bool = False
    """Whether the last step gives again each time its length is added."""
    steps: Annotated[list[StreakStep], Meta(max_length=100)] = []
    """Lengths that give something, lowest first; a streak needs none."""


# --- games --------------------------------------------------------------------------------------------


class Prize(Strict, frozen=True):
    """One field of a wheel: its share of the draws and what it gives. Without grants it is a blank."""

    key: Key
    """Unique name in its game."""
    name: Text
    """What members read."""
    weight: Count
    """Its chance is this over the sum of all weights."""
    grants: list[Grant] = []
    """What it gives."""
    stock: Count | None = None
    """How many times it can be won by all members together; then its draws bring nothing."""


class PlayLimits(Strict, frozen=True):
    """The most plays of one member, by local period."""

    day: Count | None = None
    """In a local day."""
    week: Count | None = None
    """In a local week."""
    month: Count | None = None
    """In a local month."""
    lifetime: Count | None = None
    """In all."""


class Game(Strict, frozen=True):
    """A weighted draw: a wheel or scratch card that a member plays, or a surprise drawn with an activity.

    Its odds are published. The seed of each period is committed to before and shown after, and the bytes drawn
    are recorded with the play, so anyone can draw again and find the same prize.
    """

    key: Key
    """Unique name of the game."""
    name: Text
    """What members read."""
    prizes: Annotated[list[Prize], Meta(min_length=1, max_length=50)]
    """The fields, each with its weight."""
    kind: Literal["wheel", "scratch_card", "surprise"] = "wheel"
    """A wheel and a scratch card are played; a surprise comes with an activity of a type in `on`."""
    on: list[Key] = []
    """For a surprise: activity types with which it is drawn."""
    when: Condition | None = None
    """The condition for playing, or for the surprise."""
    price: Grant | None = None
    """What a play costs."""
    limits: PlayLimits | None = None
    """The most plays of one member."""
    cool_down_days: Days = 0
    """Local days between two wins of one member."""
    budget: Budget | None = None
    """The most its prizes bring to all members together, of one point currency."""
    active_from: str | None = None
    """First local date, or instant with its offset."""
    active_until: str | None = None
    """Last local date, or the instant before which it ends."""


class Answer(Strict, frozen=True):
    """One answer to a question."""

    text: Text
    """What members read."""
    right: bool = False
    """Whether it scores."""


class Question(Strict, frozen=True):
    """One question, with its answers in order."""

    text: Text
    """What members read."""
    answers: Annotated[list[Answer], Meta(min_length=2, max_length=10)]
    """The answers to choose from."""


class Quiz(Strict, frozen=True):
    """Questions scored one point each; steps give by the best score of the attempts allowed."""

    key: Key
    """Unique name of the quiz."""
    name: Text
    """What members read."""
    questions: Annotated[list[Question], Meta(min_length=1, max_length=50)]
    """The questions."""
    steps: list[Step]
    """Scores that give something, lowest first."""
    attempts: Count = 1
    """How many times a member may answer; the best counts."""


# --- referral, membership -----------------------------------------------------------------------------


class Referral(Strict, frozen=True):
    """A member brings a friend: when the friend converts, both are rewarded.

    What is given waits `wait_days` after the converting activity, so that its return can take it back. Rules and
    goals may count `friend_joined` and `friend_converted` too: that is how ambassadors rise.
    """

    on: list[Key] = msgspec.field(default_factory=lambda: ["sale"])
    """Activity types of the friend that convert."""
    when: Condition | None = None
    """The condition the converting activity needs."""
    within_days: Days = 0
    """Local days from joining within which it must come; 0 for no limit."""
    wait_days: Days = 14
    """Local days that what is given waits, as long as the activity can be returned."""
    most: Count | None = None
    """Friends for whom one member is rewarded, in a local year."""
    referrer: list[Grant] = []
    """What the member who brought the friend receives."""
    friend: list[Grant] = []
    """What the friend receives."""


class Dividend(Strict, frozen=True):
    """A yearly share of what members bought, at a rate that is decided afterwards."""

    goal: Key
    """The goal that measures eligible spend; its window is each year."""
    currency: Key
    """The point currency in which it is paid; of kind cash, or points."""
    least: Decimal | None = None
    """The eligible spend below which nothing is paid."""


class Membership(Strict, frozen=True):
    """A paid membership: what it costs, how long it lasts, and what each payment brings.

    An activity `fee` that names it begins or prolongs it.
    """

    key: Key
    """Unique name of the membership."""
    name: Text
    """What members read."""
    fee: Decimal
    """What one payment is, in the program's money."""
    months: Annotated[int, Meta(ge=1, le=1200)] | None = None
    """Months that a payment covers; without it, for life."""
    grants: list[Grant] = []
    """What each payment brings: uses of a service, vouchers, points."""
    benefits: list[Text] = []
    """What members read that it brings."""
    dividend: Dividend | None = None
    """A yearly dividend for those who are members at the end of the year."""


# --- coalition, leaderboards --------------------------------------------------------------------------


class Agreement(Strict, frozen=True):
    """What a partner pays for a point issued and is paid for a point used, from a date on."""

    from_: str = msgspec.field(name="from")
    """First local date."""
    issue_price: Decimal = "0"
    """What the partner owes for one whole point earned with it, in the program's money."""
    burn_price: Decimal = "0"
    """What the partner is owed for one whole point used with it."""
    most_points_month: Decimal | None = None
    """The most points that may be earned with it in a local month, by all members together."""
    prepaid: Decimal | None = None
    """What the partner has paid ahead from this date: points worth more at its issue price are not earned."""


class Partner(Strict, frozen=True):
    """A company of a coalition, with its agreements and the benefits it offers to choose from."""

    key: Key
    """Unique name; activities name it in `partner`."""
    name: Text
    """What members read."""
    currency: Key
    """The point currency that it issues and takes."""
    agreements: Annotated[list[Agreement], Meta(min_length=1)]
    """Its agreements, the earliest first."""
    benefits: list[Text] = []
    """What a member can choose there."""


class RankPrize(Strict, frozen=True):
    """What ranks through `through` win; the ranks before belong to the prize before."""

    through: Count
    """Last rank."""
    grants: list[Grant]
    """What each wins."""


class Leaderboard(Strict, frozen=True):
    """Members ranked by a goal's measure at the end of each of its periods, under their pseudonyms."""

    key: Key
    """Unique name of the leaderboard."""
    name: Text
    """What members read."""
    goal: Key
    """The goal that measures; its window is a calendar period."""
    ties: Literal["shared", "earliest"] = "shared"
    """Equal measures share the better rank, or who reached it first stands above."""
    shown: Annotated[int, Meta(ge=1, le=1000)] = 10
    """Ranks that are shown."""
    prizes: list[RankPrize] = []
    """What ranks win, best first."""


class Notice(Strict, frozen=True):
    """What members are told of a change before it comes."""

    announced_on: str
    """The local date on which members are told, YYYY-MM-DD."""
    text: Text
    """What changes, in a sentence or two."""
    keep_value: list[Key] = []
    """Point currencies of which lots earned before keep their old value: more points make up for it."""


__all__ = [
    "Agreement",
    "Answer",
    "Budget",
    "Dividend",
    "Game",
    "Goal",
    "GoalWindow",
    "Grant",
    "Leaderboard",
    "Membership",
    "Notice",
    "Partner",
    "PlayLimits",
    "Prize",
    "Question",
    "Quiz",
    "RankPrize",
    "Referral",
    "Step",
    "Streak",
    "StreakStep",
    "WindowDates",
    "WindowFromStart",
    "WindowPeriod",
]
