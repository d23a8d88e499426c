"""The program document: every setting a program can have, as types.

These types validate the YAML file, the API body and the console form, and publish the JSON Schema.
Amounts in a document are decimal strings ("1.50"), so that no binary fraction ever enters a program.
Meaning that types alone cannot check (unknown keys referred to, contradictions) is in `check.py`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

Key = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,47}$", description="lower-case name, unique in its list")]
Decimal = Annotated[
    str, Meta(pattern=r"^[0-9]{1,13}(\.[0-9]{1,6})?$", description='decimal string, such as "1.50"')
]
Days = Annotated[int, Meta(ge=0, le=36500)]
PositiveDays = Annotated[int, Meta(ge=1, le=36500)]
Rounding = Literal["floor", "ceiling", "half_up", "half_even"]
Language = Literal["en", "fr"]


class Strict(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base of all document types: immutable, unknown keys refused, defaults left out on export."""


class Text(Strict):
    """A text in both languages. Members read it; both are required where both languages are declared."""

    en: str = ""
    fr: str = ""


class Noun(Strict):
    """A name with its singular and plural."""

    one: str
    other: str


class UnitName(Strict):
    """The name of a point currency in both languages, with plurals."""

    en: Noun | None = None
    fr: Noun | None = None


# --- point currencies -------------------------------------------------------------------------------


class ExpiryNever(Strict, tag="never", tag_field="kind"):
    """Points never expire."""


class ExpiryRolling(Strict, tag="rolling", tag_field="kind"):
    """Points expire N local days after the instant of earning, at the same clock time."""

    days: PositiveDays
    grace_days: Days = 0


class ExpiryEndOfMonth(Strict, tag="end_of_month", tag_field="kind"):
    """Points expire at the first local instant after the Nth month following the month of earning."""

    after_months: Annotated[int, Meta(ge=0, le=1200)]
    grace_days: Days = 0


class ExpiryEndOfYear(Strict, tag="end_of_year", tag_field="kind"):
    """Points expire at the first local instant after the Nth year following the year of earning."""

    after_years: Annotated[int, Meta(ge=0, le=100)]
    grace_days: Days = 0


class ExpiryFixedDate(Strict, tag="fixed_date", tag_field="kind"):
    """Points are good through a date (YYYY-MM-DD), and expire at the first local instant of the day after."""

    date: str
    grace_days: Days = 0


class ExpiryInactivity(Strict, tag="inactivity", tag_field="kind"):
    """All points expire N local days after the member's last earning activity."""

    days: PositiveDays
    grace_days: Days = 0


Expiry = ExpiryNever | ExpiryRolling | ExpiryEndOfMonth | ExpiryEndOfYear | ExpiryFixedDate | ExpiryInactivity


class PendingDays(Strict, tag="days", tag_field="kind"):
    """Points become spendable N local days after the sale, at the same clock time."""

    days: PositiveDays


class PendingUntilActivity(Strict, tag="activity", tag_field="kind"):
    """Points become spendable when an activity of this type names the sale."""

    activity: Key


Pending = PendingDays | PendingUntilActivity


class PointCurrency(Strict):
    """One kind of points.

    `scale` is the number of decimals (0 to 6). `value` is what one whole point is worth in the program's
    money. `taking_back` says what happens to the part of a reversal that the member has already spent.
    """

    key: Key
    name: UnitName
    scale: Annotated[int, Meta(ge=0, le=6)] = 0
    value: Decimal | None = None
    taking_back: Literal["debt", "write_off", "refuse"] = "debt"
    expiry: Expiry = msgspec.field(default_factory=ExpiryNever)
    pending: Pending | None = None
    return_grace_days: Days | None = None
    transferable: bool = False


# --- activities -------------------------------------------------------------------------------------


class Attribute(Strict):
    """A declared attribute of an activity or a member. `decimals` applies to type decimal."""

    type: Literal["text", "integer", "decimal", "boolean", "date"]
    required: bool = False
    decimals: Annotated[int, Meta(ge=0, le=6)] = 2
    choices: list[str] | None = None
    description: Text | None = None


class ActivityType(Strict):
    """A type of activity that this program knows, beyond the built-in sale, return and visit."""

    key: Key
    name: Text
    attributes: dict[Key, Attribute] = {}


# --- conditions -------------------------------------------------------------------------------------

Scalar = str | int | bool


class Window(Strict):
    """A counting window: a calendar period in the program's zone, or the whole life of the member."""

    per: Literal["day", "week", "month", "year", "lifetime"]


class Condition(Strict):
    """A condition: either a combination (`all`, `any`, `not`) or one comparison of a field.

    Fields: amount, quantity, lines, category, sku, channel, location, partner, tender, tier, segment,
    weekday (monday..sunday), time ("HH:MM"), date ("YYYY-MM-DD"), nth (with `per`),
    member.<attribute>, and the declared attributes of the activity type.
    """

    all: list[Condition] | None = None
    any: list[Condition] | None = None
    not_: Condition | None = msgspec.field(default=None, name="not")
    field: str | None = None
    is_: Scalar | None = msgspec.field(default=None, name="is")
    is_not: Scalar | None = None
    in_: list[Scalar] | None = msgspec.field(default=None, name="in")
    not_in: list[Scalar] | None = None
    at_least: Scalar | None = None
    at_most: Scalar | None = None
    above: Scalar | None = None
    below: Scalar | None = None
    from_: str | None = msgspec.field(default=None, name="from")
    until: str | None = None
    every: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None
    per: Literal["day", "week", "month", "year", "lifetime"] | None = None


# --- rules ------------------------------------------------------------------------------------------


class Base(Strict):
    """What part of a sale counts. The defaults: what was paid, tax in, shipping, gift cards and points out.

    `discounts`: "deducted" counts what is left after discounts, "ignored" adds them back.
    """

    tax: Literal["in", "out"] = "in"
    shipping: Literal["in", "out"] = "out"
    discounts: Literal["deducted", "ignored"] = "deducted"
    gift_cards: Literal["in", "out"] = "out"
    points_part: Literal["in", "out"] = "out"


class PerSpend(Strict):
    """`points` for every `every` of the base amount, in the program's money."""

    points: Decimal
    every: Decimal = "1"


class RoundingRule(Strict):
    """How a rule rounds: the mode, and whether once per basket, per line, or with the remainder carried."""

    mode: Rounding = "floor"
    per: Literal["basket", "line", "carry"] = "basket"


class Caps(Strict):
    """The most that may be earned, in whole points, by period of the program's zone."""

    activity: Decimal | None = None
    day: Decimal | None = None
    week: Decimal | None = None
    month: Decimal | None = None
    year: Decimal | None = None
    lifetime: Decimal | None = None


class Rule(Strict):
    """When an activity of type `on` meets `when`, it earns.

    Exactly one effect: `per_spend` (points per amount, scaled by `tenders` and `tier_multipliers`),
    `per_unit` (points per unit of the matching lines), `fixed` (a bonus, never multiplied), or `multiply`
    (what the per_spend and per_unit rules before it brought is multiplied).
    `lines` limits the base to the lines that meet it (fields: category, sku, amount, quantity, kind).
    `group` puts rules together: see Group. Rules act in the order of the document.
    """

    key: Key
    name: Text
    on: Key
    currency: Key
    when: Condition | None = None
    per_spend: PerSpend | None = None
    per_unit: Decimal | None = None
    fixed: Decimal | None = None
    multiply: Decimal | None = None
    lines: Condition | None = None
    base: Base = msgspec.field(default_factory=Base)
    tenders: dict[str, Decimal] | None = None
    tier_multipliers: dict[Key, Decimal] | None = None
    rounding: RoundingRule = msgspec.field(default_factory=RoundingRule)
    caps: Caps | None = None
    group: Key | None = None
    expiry: Expiry | None = None
    pending: Pending | None = None
    active_from: str | None = None
    active_until: str | None = None


class Group(Strict):
    """Rules that stand together: `add` sums them, `best` keeps only the one that brings the most.

    `caps` limit what the group brings as a whole.
    """

    key: Key
    stacking: Literal["add", "best"] = "add"
    caps: Caps | None = None


class MemberCap(Strict):
    """A cap over everything a member earns of one currency."""

    currency: Key
    caps: Caps


# --- tiers ------------------------------------------------------------------------------------------


class Threshold(Strict):
    """A metric and the least it must reach: spend (money), points (of `currency`) or visits (a count)."""

    metric: Literal["spend", "points", "visits"]
    at_least: Decimal


class Qualify(Strict):
    """What grants a tier: all thresholds of `all`, or at least one of `any`. Exactly one of the two."""

    all: list[Threshold] | None = None
    any: list[Threshold] | None = None


class WindowRolling(Strict, tag="rolling", tag_field="kind"):
    """The last N local days: a sale counts while t < sale + N days."""

    days: PositiveDays


class WindowCalendar(Strict, tag="calendar", tag_field="kind"):
    """A calendar period: the better of the present period so far and the one before (carry-over)."""

    period: Literal["month", "quarter", "year"] = "year"


class WindowLifetime(Strict, tag="lifetime", tag_field="kind"):
    """Everything since enrolment."""


TierWindow = WindowRolling | WindowCalendar | WindowLifetime


class Tier(Strict):
    """One level. The first tier of a ladder is where members start and has no `qualify`.

    `keep` (default: `qualify`) is what it takes to stay.
    """

    key: Key
    name: Text
    qualify: Qualify | None = None
    keep: Qualify | None = None
    benefits: list[Text] = []


class TierLadder(Strict):
    """The ordered tiers, lowest first, and the window in which their metrics count.

    `counts` names the activity types that count as visits and spend. `points_currency` is the currency of
    the `points` metric. A member who no longer qualifies keeps the tier for `grace_days`, then falls to
    the tier he qualifies for, or, with `soft_landing`, one tier at a time.
    """

    tiers: list[Tier]
    window: TierWindow
    counts: list[Key] = msgspec.field(default_factory=lambda: ["sale"])
    spend_base: Base = msgspec.field(default_factory=Base)
    points_currency: Key | None = None
    grace_days: Days = 0
    soft_landing: bool = False


# --- the document -----------------------------------------------------------------------------------


class Program(Strict):
    """A whole program.

    `effective_from` (an instant with its offset) dates the version; without it, it starts when applied.
    `late_window_days`: an activity arriving later than this after the member's latest one is judged as of
    its instant but re-decides nothing.
    """

    palier: Literal[1]
    key: Key
    name: Text
    time_zone: str
    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}$", description="ISO 4217 code")]
    point_currencies: Annotated[list[PointCurrency], Meta(min_length=1, max_length=20)]
    languages: list[Language] = msgspec.field(default_factory=lambda: ["en", "fr"])
    description: Text | None = None
    effective_from: str | None = None
    late_window_days: Days = 31
    hold_minutes: Annotated[int, Meta(ge=1, le=525600)] = 60
    member_attributes: dict[Key, Attribute] = {}
    activity_types: list[ActivityType] = []
    rules: Annotated[list[Rule], Meta(max_length=200)] = []
    groups: list[Group] = []
    caps: list[MemberCap] = []
    tiers: TierLadder | None = None


def json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a program document."""
    schema: dict[str, Any] = msgspec.json.schema(Program)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "Palier program document"
    return schema


def to_builtins(program: Program) -> dict[str, Any]:
    """The document as plain mappings, defaults left out: what `export` writes and the hash covers."""
    data: dict[str, Any] = msgspec.to_builtins(program)
    return data


def canonical(program: Program) -> bytes:
    """The byte form that is hashed: JSON, keys in alphabetical order, defaults left out."""
    return msgspec.json.encode(to_builtins(program), order="deterministic")
