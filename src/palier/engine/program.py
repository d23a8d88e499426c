"""The program document: every setting a program can have, as types.

These types validate the YAML file, the API body and the console form, and publish the JSON Schema.
Amounts in a document are decimal strings ("1.50"), so that no binary fraction ever enters a program.
Meaning that types alone cannot check (unknown keys referred to, contradictions) is in `check.py`.
"""

from __future__ import annotations

import ast
import inspect
import sys
from functools import cache
from itertools import pairwise
from types import ModuleType
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from palier.engine import document, mechanics
from palier.engine.currencies import ISO_4217
from palier.engine.document import (
    Base,
    Condition,
    Days,
    Decimal,
    Expiry,
    ExpiryEndOfMonth,
    ExpiryEndOfYear,
    ExpiryFixedDate,
    ExpiryInactivity,
    ExpiryNever,
    ExpiryRolling,
    Key,
    Language,
    Noun,
    Pending,
    PendingDays,
    PendingUntilActivity,
    Picture,
    Rounding,
    Scalar,
    Strict,
    Text,
    TierWindow,
    UnitName,
    WindowCalendar,
    WindowLifetime,
    WindowRolling,
)
from palier.engine.mechanics import (
    Budget,
    Game,
    Goal,
    Grant,
    Leaderboard,
    Membership,
    Notice,
    Partner,
    Quiz,
    Referral,
    Streak,
)

__all__ = [
    "ActivityType",
    "AdjustmentLimit",
    "AdjustmentReason",
    "Adjustments",
    "Attribute",
    "Base",
    "Brand",
    "Campaign",
    "Caps",
    "Condition",
    "Decimal",
    "Expiry",
    "ExpiryEndOfMonth",
    "ExpiryEndOfYear",
    "ExpiryFixedDate",
    "ExpiryInactivity",
    "ExpiryNever",
    "ExpiryRolling",
    "Goal",
    "Grant",
    "Group",
    "Key",
    "Language",
    "MemberCap",
    "Noun",
    "Pending",
    "PendingDays",
    "PendingUntilActivity",
    "PerSpend",
    "PointCurrency",
    "Program",
    "Qualify",
    "Rounding",
    "RoundingRule",
    "Rule",
    "Scalar",
    "Strict",
    "Text",
    "Threshold",
    "Tier",
    "TierLadder",
    "TierWindow",
    "UnitName",
    "Widget",
    "WindowCalendar",
    "WindowLifetime",
    "WindowRolling",
    "canonical",
    "json_schema",
    "meanings",
    "to_builtins",
]

# --- point currencies -------------------------------------------------------------------------------


class PointCurrency(Strict, frozen=True):
    """One kind of points.

    `scale` is the number of decimals (0 to 6). `value` is what one whole point is worth in the program's
    money. `taking_back` says what happens to the part of a reversal that the member has already spent.
    """

    key: Key
    """Unique name of these points."""
    name: UnitName
    """What members call them, one and several."""
    kind: Literal["points", "cash", "reward", "badge", "token"] = "points"
    """What a unit is: a point, money's minor units (cash), a reward or use of a service, a badge, a token."""
    icon: str = ""
    """Name of a drawing."""
    scale: Annotated[int, Meta(ge=0, le=6)] = 0
    """Decimals of an amount of points, 0 to 6."""
    value: Decimal | None = None
    """What one whole point is worth in the program's money."""
    taking_back: Literal["debt", "write_off", "refuse"] = "debt"
    """A reversal of spent points: owed (debt), let go (write_off), or no return (refuse)."""
    expiry: Expiry = msgspec.field(default_factory=ExpiryNever)
    """When earned points expire."""
    pending: Pending | None = None
    """What earned points wait for before they can be spent."""
    return_grace_days: Days | None = None
    """Local days in which points that a return gives back can be spent, at least."""
    transferable: bool = False
    """Whether members may transfer these points to each other."""
    pay_out_from: Decimal | None = None
    """For cash: the least that is paid out."""


# --- activities -------------------------------------------------------------------------------------


class Attribute(Strict, frozen=True):
    """A declared attribute of an activity or a member. `decimals` applies to type decimal."""

    type: Literal["text", "integer", "decimal", "boolean", "date"]
    """What it holds; dates are YYYY-MM-DD."""
    required: bool = False
    """Whether an activity or member without it is refused."""
    decimals: Annotated[int, Meta(ge=0, le=6)] = 2
    """Places after the point, for type decimal."""
    choices: list[str] | None = None
    """The only texts allowed, for type text."""
    product_code: bool = False
    """Whether it holds product codes, for type text: numbers of 13 and 14 digits are then never taken for a
    payment card's."""
    description: Text | None = None
    """What it means, for those who send it."""


class ActivityType(Strict, frozen=True):
    """A type of activity that this program knows, beyond the built-in sale, return and visit."""

    key: Key
    """Unique name; activities are sent with it."""
    name: Text
    """What members read."""
    attributes: dict[Key, Attribute] = {}
    """What activities of this type carry, by name."""
    money: bool = False
    """Whether they carry an amount, as a sale does: rent, a loan's instalment, a bill, a top-up."""
    withdraws: Key | None = None
    """The declared type of which an activity of this type takes back one: a review that was removed."""


# --- rules ------------------------------------------------------------------------------------------


class PerSpend(Strict, frozen=True):
    """`points` for every `every` of the base amount, in the program's money."""

    points: Decimal
    """Points for each step."""
    every: Decimal = "1"
    """The step, in the program's money."""


class RoundingRule(Strict, frozen=True):
    """How a rule rounds: the mode, and whether once per basket, per line, or with the remainder carried."""

    mode: Rounding = "floor"
    """How a fraction of a point is rounded."""
    per: Literal["basket", "line", "carry"] = "basket"
    """Once for the basket, for each line, or with the remainder carried to the next sale."""


class Caps(Strict, frozen=True):
    """The most that may be earned, in whole points, by period of the program's zone."""

    activity: Decimal | None = None
    """By one activity."""
    day: Decimal | None = None
    """In a local day."""
    week: Decimal | None = None
    """In a local week, from Monday."""
    month: Decimal | None = None
    """In a local month."""
    year: Decimal | None = None
    """In a local year."""
    lifetime: Decimal | None = None
    """Since enrolment."""


class Rule(Strict, frozen=True):
    """When an activity of type `on` meets `when`, it earns.

    Exactly one effect: `per_spend` (points per amount, scaled by `tenders` and `tier_multipliers`),
    `per_unit` (points per unit of the matching lines), `fixed` (a bonus, never multiplied), or `multiply`
    (what the per_spend and per_unit rules before it brought is multiplied).
    `lines` limits the base to the lines that meet it (fields: category, sku, amount, quantity, kind).
    `group` puts rules together: see Group. Rules act in the order of the document.
    """

    key: Key
    """Unique name of the rule."""
    name: Text
    """What members read."""
    on: Key
    """Activity type: sale, visit or a declared one."""
    currency: Key
    """The point currency it brings."""
    when: Condition | None = None
    """The condition it needs; without it, always."""
    per_spend: PerSpend | None = None
    """Effect: points for an amount spent."""
    per_unit: Decimal | None = None
    """Effect: points for each unit of the lines that count."""
    fixed: Decimal | None = None
    """Effect: a bonus."""
    multiply: Decimal | None = None
    """Effect: what the rules before it brought is multiplied by this."""
    lines: Condition | None = None
    """Which lines count."""
    base: Base = msgspec.field(default_factory=Base)
    """What part of the sale counts."""
    tenders: dict[str, Decimal] | None = None
    """Rate in place of `points` for what was paid by a tender, by its kind."""
    tier_multipliers: dict[Key, Decimal] | None = None
    """Multiplier by tier; other tiers have 1."""
    rounding: RoundingRule = msgspec.field(default_factory=RoundingRule)
    """How it rounds."""
    caps: Caps | None = None
    """The most this rule brings."""
    group: Key | None = None
    """The group it stands in."""
    expiry: Expiry | None = None
    """Expiry of what it brings, in place of the currency's."""
    pending: Pending | None = None
    """Wait of what it brings, in place of the currency's."""
    active_from: str | None = None
    """First local date, or instant with its offset."""
    active_until: str | None = None
    """Last local date, or the instant before which it acts."""
    funded_by: Literal["program", "partner"] = "program"
    """Who pays for what it brings: the program, or the partner that the activity names."""


class Group(Strict, frozen=True):
    """Rules that stand together: `add` sums them, `best` keeps only the one that brings the most.

    `caps` limit what the group brings as a whole.
    """

    key: Key
    """Unique name of the group."""
    stacking: Literal["add", "best"] = "add"
    """The sum of its rules, or only the one that brings most."""
    caps: Caps | None = None
    """The most the group brings."""


class MemberCap(Strict, frozen=True):
    """A cap over everything a member earns of one currency."""

    currency: Key
    """The point currency."""
    caps: Caps
    """The most of it."""


# --- tiers ------------------------------------------------------------------------------------------


class Threshold(Strict, frozen=True):
    """A metric and the least it must reach: spend (money), points (of `currency`) or visits (a count)."""

    metric: Literal["spend", "points", "visits"]
    """What is measured in the window."""
    at_least: Decimal
    """The least it must be."""


class Qualify(Strict, frozen=True):
    """What grants a tier: all thresholds of `all`, or at least one of `any`. Exactly one of the two."""

    all: list[Threshold] | None = None
    """Every threshold is needed."""
    any: list[Threshold] | None = None
    """One threshold is enough."""


class Tier(Strict, frozen=True):
    """One level. The first tier of a ladder is where members start and has no `qualify`.

    `keep` (default: `qualify`) is what it takes to stay.
    """

    key: Key
    """Unique name of the tier."""
    name: Text
    """What members read."""
    qualify: Qualify | None = None
    """What grants it."""
    keep: Qualify | None = None
    """What it takes to stay."""
    benefits: list[Text] = []
    """What members read that it brings."""
    grants: list[Grant] = []
    """What reaching it gives, the first time in the member's life."""
    hidden: bool = False
    """Whether only those who hold it see it."""


class TierLadder(Strict, frozen=True):
    """The ordered tiers, lowest first, and the window in which their metrics count.

    `counts` names the activity types that count as visits and spend. `points_currency` is the currency of
    the `points` metric. A member who no longer qualifies keeps the tier for `grace_days`, then falls to
    the tier he qualifies for, or, with `soft_landing`, one tier at a time.
    """

    tiers: list[Tier]
    """The tiers, lowest first."""
    window: TierWindow
    """The window in which metrics count."""
    counts: list[Key] = msgspec.field(default_factory=lambda: ["sale"])
    """Activity types that count as visits and spend."""
    spend_base: Base = msgspec.field(default_factory=Base)
    """What part of a sale counts as spend."""
    points_currency: Key | None = None
    """The currency of the metric points."""
    grace_days: Days = 0
    """Local days for which a tier no longer deserved is kept."""
    soft_landing: bool = False
    """Fall one tier at a time."""


# --- campaigns --------------------------------------------------------------------------------------


class Calendar(Strict, frozen=True):
    """Recurring local times in which a campaign acts; all that are given must hold."""

    days_of_month: list[Annotated[int, Meta(ge=1, le=31)]] | None = None
    """Such as [1] for the first of the month."""
    weekdays: (
        list[Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]] | None
    ) = None
    """Days of the week."""
    from_: str | None = msgspec.field(default=None, name="from")
    """Time of day from which it acts, "17:00"."""
    until: str | None = None
    """Time of day before which it acts; it may pass midnight."""


class Campaign(Strict, frozen=True):
    """Rules that act in a period, for an audience, within a budget.

    They come after the program's own rules, in order. Of the campaigns with the same `exclusive` group only the
    one that brings most acts on an activity, each with what is left of its budget: one whose budget is used up leaves
    its place to the next best.
    """

    key: Key
    """Unique name of the campaign."""
    name: Text
    """What members read."""
    rules: Annotated[list[Rule], Meta(min_length=1, max_length=20)]
    """What it brings; keys are unique in the whole program."""
    active_from: str | None = None
    """First local date, or instant with its offset."""
    active_until: str | None = None
    """Last local date, or the instant before which it acts."""
    audience: Condition | None = None
    """Which members; fields tier, segment, membership and member.<attribute>."""
    calendar: Calendar | None = None
    """Recurring times."""
    exclusive: Key | None = None
    """The group of campaigns of which one acts."""
    budget: Budget | None = None
    """The most its rules bring to all members together; they then all bring the same point currency."""
    paused: bool = False
    """Whether it stands still."""


# --- by hand ----------------------------------------------------------------------------------------


class AdjustmentReason(Strict, frozen=True):
    """Why points are given or taken by hand: what staff choose from, and members read."""

    key: Key
    """Unique name; adjustments are sent with it."""
    name: Text
    """What members read."""
    direction: Literal["give", "take", "both"] = "both"
    """Whether points are given for it, taken, or either."""


class AdjustmentLimit(Strict, frozen=True):
    """How far one person alone may give or take points of a currency by hand, in whole points.

    The person is whoever's API key or account on the server it is. Given and taken count alike.
    """

    currency: Key
    """The point currency."""
    at_once: Decimal | None = None
    """The most of one adjustment, also of one that a second person approves."""
    day: Decimal | None = None
    """The most that one person gives and takes together in a local day."""
    approval_above: Decimal | None = None
    """An adjustment of more waits until a second person approves it."""


class Adjustments(Strict, frozen=True):
    """What staff may do to points by hand. Without it every key with the right may, without limit."""

    reasons: Annotated[list[AdjustmentReason], Meta(max_length=50)] = []
    """The reasons to choose from; where there are any, every adjustment names one."""
    limits: Annotated[list[AdjustmentLimit], Meta(max_length=200)] = []
    """How far one person may go, by point currency."""
    approval_days: Annotated[int, Meta(ge=1, le=90)] = 7
    """Days for which an adjustment waits for the second person; then it is refused."""


Named = Literal["category", "sku", "tender", "location", "segment"]
"""Fields whose values are keys of the shop's own system."""

# --- the document -----------------------------------------------------------------------------------


class Brand(Strict, frozen=True):
    """How members' pages look. The accent is darkened or lightened until text in it can be read."""

    accent: Annotated[str, Meta(pattern=r"^#[0-9a-fA-F]{6}$", description="colour, such as #1a7f37")]
    """The colour of buttons and of what is reached, as #rrggbb."""
    logo: Picture | None = None
    """The logo, by the address that its upload told; its text says what is drawn, not the name."""
    logo_says_name: bool = False
    """Whether the name can be read in the logo, so that it is not written beside it."""


Origin = Annotated[
    str,
    Meta(
        pattern=r"^(https://[a-z0-9]([a-z0-9.-]{0,250}[a-z0-9])?|http://(localhost|127\.0\.0\.1))(:[0-9]{1,5})?$",
        description="origin, such as https://shop.example.org, without a path; http only for localhost",
    ),
]


class Widget(Strict, frozen=True):
    """Where pages of a shop may show the program: balance, points beside a price, an invitation."""

    origins: Annotated[list[Origin], Meta(min_length=1, max_length=50)]
    """The pages' origins: scheme, host and port."""
    invitation: Text | None = None
    """What the banner and the pop-up say to who is no member; without it, the program's description."""


class Program(Strict, frozen=True):
    """A whole program.

    `effective_from` (an instant with its offset) dates the version; without it, it starts when applied.
    `late_window_days`: an activity arriving later than this after the member's latest one is judged as of
    its instant but re-decides nothing.
    """

    palier: Literal[1]
    """Version of this document format."""
    key: Key
    """Unique name of the program; it never changes."""
    name: Text
    """What members read."""
    time_zone: str
    """IANA zone in which days, months and hours are meant, such as Europe/Paris."""
    currency: Annotated[str, Meta(pattern=ISO_4217, description="ISO 4217 code")]
    """ISO 4217 code of the program's money."""
    point_currencies: Annotated[list[PointCurrency], Meta(min_length=1, max_length=200)]
    """The kinds of points."""
    languages: list[Language] = msgspec.field(default_factory=lambda: ["en", "fr"])
    """Languages in which every text must be given."""
    description: Text | None = None
    """What the program is, in a few sentences."""
    brand: Brand | None = None
    """How members' pages look."""
    widget: Widget | None = None
    """Which pages of a shop may show it."""
    effective_from: str | None = None
    """Instant with its offset from which this version judges; without it, when it is applied."""
    late_window_days: Days = 31
    """Days within which a late activity has what came after it decided again."""
    hold_minutes: Annotated[int, Meta(ge=1, le=525600)] = 60
    """Minutes after which points set aside are released."""
    member_attributes: dict[Key, Attribute] = {}
    """What the program knows of a member, by name."""
    activity_types: list[ActivityType] = []
    """Activity types beyond sale, return and visit."""
    names: dict[Named, Annotated[dict[str, Text], Meta(max_length=1000)]] = {}
    """What members read for keys of the shop's own system, by field and key: it stands behind "from" or "with"."""
    rules: Annotated[list[Rule], Meta(max_length=200)] = []
    """How points are earned, in the order in which they act."""
    groups: list[Group] = []
    """Rules that stand together."""
    caps: list[MemberCap] = []
    """The most a member earns, over all rules."""
    tiers: TierLadder | None = None
    """The ladder of tiers."""
    campaigns: Annotated[list[Campaign], Meta(max_length=100)] = []
    """Rules for a time, an audience and a budget."""
    goals: Annotated[list[Goal], Meta(max_length=100)] = []
    """Goals, stamp cards, challenges and milestones."""
    streaks: Annotated[list[Streak], Meta(max_length=20)] = []
    """Consecutive days, weeks or months."""
    games: Annotated[list[Game], Meta(max_length=20)] = []
    """Wheels, scratch cards and surprises."""
    quizzes: Annotated[list[Quiz], Meta(max_length=50)] = []
    """Quizzes."""
    referral: Referral | None = None
    """What bringing a friend gives."""
    memberships: Annotated[list[Membership], Meta(max_length=10)] = []
    """Paid memberships."""
    partners: Annotated[list[Partner], Meta(max_length=500)] = []
    """The companies of a coalition."""
    leaderboards: Annotated[list[Leaderboard], Meta(max_length=20)] = []
    """Rankings."""
    adjustments: Adjustments | None = None
    """What staff may do to points by hand."""
    sale_key: list[Literal["source", "channel", "location", "partner", "date", "ticket_number"]] = []
    """What together names a sale beside its id, `ticket_number` among it: a second sale that states the same is
    refused. A sale that does not say all of it is taken by its id alone. `date` is the day of the sale."""
    birth_date: Key | None = None
    """The member attribute of type date that is the date of birth, for rules and goals on birthday."""
    leap_day: Literal["february_28", "march_1"] = "february_28"
    """When a birthday or anniversary of 29 February is kept in other years."""
    notice: Notice | None = None
    """What members are told of this version before it takes effect."""
    approval_to_publish: bool = False
    """Whether the version that follows this one waits for a second person's approval, which the console asks for."""


@cache
def meanings() -> dict[str, dict[str, str]]:
    """What each setting means: type name -> setting as written in a document -> the text below it here."""
    return meanings_in(document, mechanics, sys.modules[__name__])


def meanings_in(*modules: ModuleType) -> dict[str, dict[str, str]]:
    """The same for the document types of these modules."""
    found: dict[str, dict[str, str]] = {}
    for part in [part for module in modules for part in ast.parse(inspect.getsource(module)).body]:
        if not isinstance(part, ast.ClassDef):
            continue
        for field, text in pairwise(part.body):
            match field, text:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(words))):
                    # `is_`, `in_`, `from_` and `not_` stand for words that Python keeps for itself.
                    setting = name.rstrip("_")
                    found.setdefault(part.name, {})[setting] = words
                case _:
                    pass
    return found


def json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a program document, with the meaning of every setting."""
    return described(msgspec.json.schema(Program), meanings(), "Palier program document")


def described(schema: dict[str, Any], texts_of: dict[str, dict[str, str]], title: str) -> dict[str, Any]:
    """A JSON Schema of document types with the meaning of every setting and a title."""
    for name, texts in texts_of.items():
        properties = schema["$defs"].get(name, {}).get("properties", {})
        for setting, text in texts.items():
            if setting in properties:
                properties[setting]["description"] = text
    return {**schema, "$schema": "https://json-schema.org/draft/2020-12/schema", "title": title}


def to_builtins(program: Program) -> dict[str, Any]:
    """The document as plain mappings, defaults left out: what `export` writes and the hash covers."""
    data: dict[str, Any] = msgspec.to_builtins(program)
    return data


def canonical(program: Program) -> bytes:
    """The byte form that is hashed: JSON, keys in alphabetical order, defaults left out."""
    return msgspec.json.encode(to_builtins(program), order="deterministic")
