"""What every part of a program document is made of: names, decimals, conditions, bases, expiries, windows."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

Key = Annotated[
    str, Meta(pattern=r"^[a-z][a-z0-9_]{0,47}$", description="lower-case name, unique in its list")
]
DECIMAL_FORM: Final = r"^[0-9]{1,13}(\.[0-9]{1,6})?$"
Decimal = Annotated[str, Meta(pattern=DECIMAL_FORM, description='decimal string, such as "1.50"')]
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


class Picture(Strict, frozen=True):
    """A picture, and what it shows."""

    source: str
    """The address that its upload told, or one that begins with https://, which the pages of Palier do not load."""
    alt: Text
    """What it shows, for those who do not see it."""


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


# --- how long points last, and what they wait for -----------------------------------------------------


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


# --- conditions -------------------------------------------------------------------------------------

Scalar = str | int | bool


class Condition(Strict, frozen=True):
    """A condition: either a combination (`all`, `any`, `not`) or one comparison of a field.

    Fields: amount, quantity, lines, category, sku, channel, location, partner, tender, tier, segment, membership,
    weekday (monday..sunday), day_of_month, time ("HH:MM"), date ("YYYY-MM-DD"), nth (with `per`), count (of
    activities of the type `of`, with `per`),
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
    """The window in which nth and count count."""
    of: Key | None = None
    """Of which type activities are counted, for count."""


# --- what counts, and when ----------------------------------------------------------------------------


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
