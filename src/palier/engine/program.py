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
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

Key = Annotated[
    str, Meta(pattern=r"^[a-z][a-z0-9_]{0,47}$", description="lower-case name, unique in its list")
]
Decimal = Annotated[
    str, Meta(pattern=r"^[0-9]{1,13}(\.[0-9]{1,6})?$", description='decimal string, such as "1.50"')
]
Days = Annotated[int, Meta(ge=0, le=36500)]
PositiveDays = Annotated[int, Meta(ge=1, le=36500)]
Rounding = Literal["floor", "ceiling", "half_up", "half_even"]
Language = Literal["en", "fr"]


class Strict(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base of all document types: immutable, unknown keys refused, defaults left out on export."""


class Text(Strict, frozen=True):
    """A text in both languages. Members read it; both are required where both languages are declared."""

    en: str = ""
    """The English text."""
    fr: str = ""
    """The French text."""


class Noun(Strict, frozen=True):
    """A name with its singular and plural."""

    one: str
    """The singular."""
    other: str
    """The plural."""


class UnitName(Strict, frozen=True):
    """The name of a point currency in both languages, with plurals."""

    en: Noun | None = None
    """In English."""
    fr: Noun | None = None
    """In French."""


# --- point currencies -------------------------------------------------------------------------------


class ExpiryNever(Strict, frozen=True, tag="never", tag_field="kind"):
    """Points never expire."""


class ExpiryRolling(Strict, frozen=True, tag="rolling", tag_field="kind"):
    """Points expire N local days after the instant of earning, at the same clock time."""

    days: PositiveDays
    """Local days from the instant of earning."""
    grace_days: Days = 0
    """Local days after expiry in which points can still be spent."""


class ExpiryEndOfMonth(Strict, frozen=True, tag="end_of_month", tag_field="kind"):
    """Points expire at the first local instant after the Nth month following the month of earning."""

    after_months: Annotated[int, Meta(ge=0, le=1200)]
    """Whole months after the month of earning."""
    grace_days: Days = 0
    """Local days after expiry in which points can still be spent."""


class ExpiryEndOfYear(Strict, frozen=True, tag="end_of_year", tag_field="kind"):
    """Points expire at the first local instant after the Nth year following the year of earning."""

    after_years: Annotated[int, Meta(ge=0, le=100)]
    """Whole years after the year of earning."""
    grace_days: Days = 0
    """Local days after expiry in which points can still be spent."""


class ExpiryFixedDate(Strict, frozen=True, tag="fixed_date", tag_field="kind"):
    """Points are good through a date (YYYY-MM-DD), and expire at the first local instant of the day after."""

    date: str
    """The last local day, YYYY-MM-DD."""
    grace_days: Days = 0
    """Local days after expiry in which points can still be spent."""


class ExpiryInactivity(Strict, frozen=True, tag="inactivity", tag_field="kind"):
    """All points expire N local days after the member's last earning activity."""

    days: PositiveDays
    """Local days without an earning activity."""
    grace_days: Days = 0
    """Local days after expiry in which points can still be spent."""


Expiry = ExpiryNever | ExpiryRolling | ExpiryEndOfMonth | ExpiryEndOfYear | ExpiryFixedDate | ExpiryInactivity


class PendingDays(Strict, frozen=True, tag="days", tag_field="kind"):
    """Points become spendable N local days after the sale, at the same clock time."""

    days: PositiveDays
    """Local days from the sale."""


class PendingUntilActivity(Strict, frozen=True, tag="activity", tag_field="kind"):
    """Points become spendable when an activity of this type names the sale."""

    activity: Key
    """A declared activity type; an activity of it names the sale."""


Pending = PendingDays | PendingUntilActivity


class PointCurrency(Strict, frozen=True):
    """One kind of points.

    `scale` is the number of decimals (0 to 6). `value` is what one whole point is worth in the program's
    money. `taking_back` says what happens to the part of a reversal that the member has already spent.
    """

    key: Key
    """Unique name of these points."""
    name: UnitName
    """What members call them, one and several."""
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


# --- conditions -------------------------------------------------------------------------------------

Scalar = str | int | bool


class Condition(Strict, frozen=True):
    """A condition: either a combination (`all`, `any`, `not`) or one comparison of a field.

    Fields: amount, quantity, lines, category, sku, channel, location, partner, tender, tier, segment,
    weekday (monday..sunday), time ("HH:MM"), date ("YYYY-MM-DD"), nth (with `per`),
    member.<attribute>, and the declared attributes of the activity type.
    """

    all: list[Condition] | None = None
    """Holds when every one of these does."""
    any: list[Condition] | None = None
    """Holds when at least one of these does."""
    not_: Condition | None = msgspec.field(default=None, name="not")
    """Holds when this does not."""
    field: str | None = None
    """What is compared."""
    is_: Scalar | None = msgspec.field(default=None, name="is")
    """Equal to this."""
    is_not: Scalar | None = None
    """Not equal to this."""
    in_: list[Scalar] | None = msgspec.field(default=None, name="in")
    """Equal to one of these."""
    not_in: list[Scalar] | None = None
    """Equal to none of these."""
    at_least: Scalar | None = None
    """This or more."""
    at_most: Scalar | None = None
    """This or less."""
    above: Scalar | None = None
    """More than this."""
    below: Scalar | None = None
    """Less than this."""
    from_: str | None = msgspec.field(default=None, name="from")
    """Time or date from here on; a time may pass midnight."""
    until: str | None = None
    """Before this time, or through this date."""
    every: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None
    """Every so many times, for nth."""
    per: Literal["day", "week", "month", "year", "lifetime"] | None = None
    """The window in which nth counts."""


# --- rules ------------------------------------------------------------------------------------------


class Base(Strict, frozen=True):
    """What part of a sale counts. The defaults: what was paid, tax in, shipping, gift cards and points out.

    `discounts`: "deducted" counts what is left after discounts, "ignored" adds them back.
    """

    tax: Literal["in", "out"] = "in"
    """Tax counts or not."""
    shipping: Literal["in", "out"] = "out"
    """Shipping counts or not."""
    discounts: Literal["deducted", "ignored"] = "deducted"
    """What is left after discounts counts, or what was before them."""
    gift_cards: Literal["in", "out"] = "out"
    """Bought gift cards count or not."""
    points_part: Literal["in", "out"] = "out"
    """What was paid in points counts or not."""


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


class WindowRolling(Strict, frozen=True, tag="rolling", tag_field="kind"):
    """The last N local days: a sale counts while t < sale + N days."""

    days: PositiveDays
    """How many local days."""


class WindowCalendar(Strict, frozen=True, tag="calendar", tag_field="kind"):
    """A calendar period: the better of the present period so far and the one before (carry-over)."""

    period: Literal["month", "quarter", "year"] = "year"
    """Which calendar period."""


class WindowLifetime(Strict, frozen=True, tag="lifetime", tag_field="kind"):
    """Everything since enrolment."""


TierWindow = WindowRolling | WindowCalendar | WindowLifetime


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


# --- the document -----------------------------------------------------------------------------------


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
    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}$", description="ISO 4217 code")]
    """ISO 4217 code of the program's money."""
    point_currencies: Annotated[list[PointCurrency], Meta(min_length=1, max_length=20)]
    """The kinds of points."""
    languages: list[Language] = msgspec.field(default_factory=lambda: ["en", "fr"])
    """Languages in which every text must be given."""
    description: Text | None = None
    """What the program is, in a few sentences."""
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
    rules: Annotated[list[Rule], Meta(max_length=200)] = []
    """How points are earned, in the order in which they act."""
    groups: list[Group] = []
    """Rules that stand together."""
    caps: list[MemberCap] = []
    """The most a member earns, over all rules."""
    tiers: TierLadder | None = None
    """The ladder of tiers."""


@cache
def meanings() -> dict[str, dict[str, str]]:
    """What each setting means: type name -> setting as written in a document -> the text below it here."""
    found: dict[str, dict[str, str]] = {}
    for part in ast.parse(inspect.getsource(sys.modules[__name__])).body:
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
    schema: dict[str, Any] = msgspec.json.schema(Program)
    for name, texts in meanings().items():
        properties = schema["$defs"].get(name, {}).get("properties", {})
        for setting, text in texts.items():
            properties[setting]["description"] = text
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
