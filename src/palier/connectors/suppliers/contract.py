"""The contract with a supplier of rewards: five questions, and the answers that each may have.

A supplier gives what members order: gift cards, goods, subscriptions. Whoever connects one writes a class with the
methods of `Supplier`; for a supplier that speaks JSON over HTTP a document is enough (`mapping`).

An order is named by the platform's **request id**, which is the same however often it is sent. What matters most
about an answer is what may have happened, so there are three ways of not getting what was asked for:

- `Declined`: the supplier says no, and did nothing. The order fails; the member has the points back.
- `TryLater`: nothing was done, and the same question may be asked again: no connection, too many questions.
- `NotKnown`: something may have been done: the connection was lost under way, an error after the request was read,
  an answer that cannot be read. The same request id is asked again, never another.

Questions are asked outside any transaction and never raise for what a supplier does or says.
"""

from __future__ import annotations

from typing import Literal, Protocol, TypeAlias

from msgspec import Struct

LONGEST_REASON = 300
"""Characters kept of what a supplier says about itself."""


class Money(Struct, frozen=True):
    """An amount of money in minor units (cents) of a currency."""

    minor: int
    currency: str


class Article(Struct, frozen=True):
    """One thing that a supplier offers: its number there (`sku`), and what it costs the program.

    `value` is what the article is worth to the member, such as the amount on a gift card; `available` is what the
    supplier has left, None where it does not say or has no end.
    """

    sku: str
    name_en: str
    name_fr: str = ""
    cost: Money | None = None
    value: Money | None = None
    summary_en: str = ""
    summary_fr: str = ""
    category: str = ""
    picture: str = ""
    countries: tuple[str, ...] = ()
    available: int | None = None


class Page(Struct, frozen=True):
    """One page of a supplier's catalogue; `next` asks for the one behind it, None at the end."""

    articles: tuple[Article, ...]
    next: str | None = None


class Order(Struct, frozen=True):
    """What is ordered: so many units of an article for one member.

    `request_id` names the order for ever. `amount` is the value of each unit where the article comes in several.
    `delivery` is where goods go, or an address to write to; nothing else is told of the member.
    """

    request_id: str
    sku: str
    quantity: int = 1
    amount: Money | None = None
    delivery: dict[str, str] = {}
    language: str = "en"
    country: str = ""


class Unit(Struct, frozen=True):
    """One unit of an order, as it was delivered. `valid_until` is the supplier's text, such as 2027-01-31."""

    code: str = ""
    pin: str = ""
    link: str = ""
    tracking: str = ""
    valid_until: str = ""


State: TypeAlias = Literal["accepted", "delivered", "refused", "cancelled"]
"""Where an order stands: taken and under way, done, turned down, called off. The last three are final."""


class Standing(Struct, frozen=True):
    """Where an order stands with its supplier. `reference` is the supplier's own number of it.

    `cost` is what the supplier takes for it; `units` what it delivered: as many as were ordered, or none where there
    is nothing to hand over (goods that travel by themselves).
    """

    state: State
    reference: str = ""
    reason: str = ""
    cost: Money | None = None
    units: tuple[Unit, ...] = ()


class Absent(Struct, frozen=True):
    """The supplier knows no order of this request id."""


class Declined(Struct, frozen=True):
    """A definite no: nothing was done. `code` is the supplier's, in its own words."""

    code: str
    reason: str = ""


class TryLater(Struct, frozen=True):
    """Nothing was done and it may be asked again, after so many seconds where the supplier says how many."""

    reason: str
    after_s: int | None = None


class NotKnown(Struct, frozen=True):
    """Whether anything was done cannot be told."""

    reason: str


Unanswered: TypeAlias = Declined | TryLater | NotKnown


class Supplier(Protocol):
    """The five questions. A question that a supplier cannot answer at all is answered `Declined("unsupported")`."""

    def catalogue(self, cursor: str | None = None) -> Page | Unanswered:
        """A page of what it offers, from the beginning or from a page's `next`."""

    def place(self, order: Order) -> Standing | Unanswered:
        """Orders. Asked again with the same request id it answers where that order stands, and orders nothing."""

    def status(self, request_id: str, reference: str = "") -> Standing | Absent | Unanswered:
        """Where an order stands."""

    def cancel(self, request_id: str, reference: str = "") -> Standing | Absent | Unanswered:
        """Calls an order off: `cancelled` where that was in time, else where it stands, or Declined."""

    def balance(self) -> Money | Unanswered:
        """What is left of the money paid ahead to the supplier."""


def shortened(text: str) -> str:
    """What a supplier said, on one line of printable characters, at most LONGEST_REASON of them."""
    plain = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    return plain if len(plain) <= LONGEST_REASON else plain[: LONGEST_REASON - 1] + "…"
