"""What suppliers sell, taken into the catalogue: each article a reward with its cost, price in points, and margin."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any, Final

from msgspec import Struct
from psycopg import Connection

from palier.activities.runtime import Runtime
from palier.connectors.suppliers.contract import Article, Money, Page, Supplier
from palier.connectors.suppliers.mapping import Shelf, SupplierDocument
from palier.engine.amounts import divide, from_minor, ratio, to_minor
from palier.engine.currencies import exponent
from palier.engine.plan import Plan
from palier.engine.sentences import Thousands, sentence
from palier.rewards import operations
from palier.site.refusal import Refused

MOST_PAGES: Final = 100_000
_CATEGORY: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}(/[a-z0-9][a-z0-9_-]{0,39}){0,4}")
_COUNTRY: Final = re.compile(r"[A-Z]{2}")
_NOT_IN_KEY: Final = re.compile(r"[^a-z0-9_.-]+")


class Offer(Struct, frozen=True):
    """An article as it would be a reward: `reward` as plain data, or None and why not.

    `margin` is what its value leaves over its cost, in minor units of the program's money; None where either is not
    told. `margin_percent` is of the value, rounded down.
    """

    article: Article
    reward: dict[str, Any] | None
    why_not: str = ""
    points: str = ""
    margin: int | None = None
    margin_percent: int | None = None


def articles(supplier: Supplier) -> Iterator[Article]:
    """All that a supplier sells, page by page. Refused where it does not answer."""
    cursor: str | None = None
    seen: set[str] = set()
    for _ in range(MOST_PAGES):
        page = supplier.catalogue(cursor)
        if not isinstance(page, Page):
            raise Refused(
                sentence("The supplier's catalogue cannot be read: %(reason)s.", reason=page.reason)
            )
        yield from page.articles
        cursor = page.next
        if cursor is None:
            return
        if cursor in seen:
            raise Refused(
                sentence("The supplier's catalogue turns in a circle; correct calls.catalogue.answer.next.")
            )
        seen.add(cursor)
    raise Refused(
        sentence(
            "The supplier's catalogue has more than %(most_pages)s pages.", most_pages=Thousands(MOST_PAGES)
        )
    )


def offered(article: Article, document: SupplierDocument, plan: Plan) -> Offer:
    """An article as a reward of the program, by the supplier's `shelf`."""
    money = plan.program.currency
    margin = percent = None
    if _in(article.cost, money) and _in(article.value, money):
        assert article.cost is not None
        assert article.value is not None
        margin = article.value.minor - article.cost.minor
        percent = divide(100 * margin, article.value.minor, "floor") if article.value.minor > 0 else None
    shelf = document.shelf
    if shelf is None:
        return Offer(article, None, "the supplier's document has no shelf", "", margin, percent)
    why_not = _why_not(article, shelf, plan, percent)
    if why_not:
        return Offer(article, None, why_not, "", margin, percent)
    assert article.value is not None
    points = price(article.value.minor, shelf, plan)
    return Offer(article, _reward(article, document, shelf, points), "", points, margin, percent)


def _in(amount: Money | None, currency: str) -> bool:
    return amount is not None and amount.currency == currency


def _why_not(article: Article, shelf: Shelf, plan: Plan, percent: int | None) -> str:
    if shelf.price.currency not in plan.currencies:
        return f"the program has no points {shelf.price.currency}"
    if article.value is None or article.value.minor <= 0:
        return "the supplier does not say what it is worth"
    if article.value.currency != plan.program.currency:
        return f"its value is in {article.value.currency}, the program's money is {plan.program.currency}"
    if shelf.least_margin_percent > -100 and (percent is None or percent < shelf.least_margin_percent):
        told = "is not known" if percent is None else f"is {percent} %"
        return f"its margin {told}, and at least {shelf.least_margin_percent} % is wanted"
    return ""


def price(value_minor: int, shelf: Shelf, plan: Plan) -> str:
    """What an article of this value costs in points, as decimal text: rounded up, never down."""
    found = plan.currencies[shelf.price.currency]
    points, points_scale = ratio(shelf.price.points)
    every = to_minor(shelf.price.every, exponent(plan.program.currency))
    if every <= 0:
        raise Refused(
            sentence("The supplier's shelf has a price for every 0; write shelf.price.every above 0.")
        )
    unit = 10**found.scale
    minor = divide(value_minor * points * unit, every * points_scale, "ceiling")
    step = shelf.price.round_up_to * unit
    if step:
        minor = divide(minor, step, "ceiling") * step
    return from_minor(minor, found.scale)


def key_of(supplier: str, sku: str) -> str:
    """The key of a supplier's article in the catalogue; another one for each number, however it is written."""
    plain = _NOT_IN_KEY.sub("-", sku.lower()).strip("-.") or "article"
    key = f"{supplier}-{plain}"
    if plain != sku.lower() or sku != sku.upper() or len(key) > 80:
        key = f"{key[:67]}-{sha256(sku.encode()).hexdigest()[:12]}"
    return key


def _reward(article: Article, document: SupplierDocument, shelf: Shelf, points: str) -> dict[str, Any]:
    assert article.value is not None
    value = from_minor(article.value.minor, exponent(article.value.currency))
    gives: dict[str, Any] = {"kind": shelf.kind}
    if shelf.kind == "gift_card":
        gives["worth"] = value
    if shelf.kind == "subscription":
        gives["deliveries"] = 1
    found: dict[str, Any] = {
        "key": key_of(document.key, article.sku),
        "name": {"en": article.name_en, "fr": article.name_fr or article.name_en},
        "gives": gives,
        "category": article.category if _CATEGORY.fullmatch(article.category) else shelf.category,
        "prices": [{"points": {shelf.price.currency: points}}],
        "list_price": {"amount": value, "currency": article.value.currency},
        "supplier": {"key": document.key, "sku": article.sku},
    }
    if article.summary_en:
        found["summary"] = {"en": article.summary_en, "fr": article.summary_fr or article.summary_en}
    countries = sorted({country for country in article.countries if _COUNTRY.fullmatch(country)})
    if countries:
        found["countries"] = countries
    if article.cost is not None and article.cost.minor >= 0:
        cost = from_minor(article.cost.minor, exponent(article.cost.currency))
        found["cost"] = {"amount": cost, "currency": article.cost.currency}
    if article.picture.startswith("https://"):
        found["picture"] = {"source": article.picture, "alt": found["name"]}
    if article.available == 0:
        # What is left there is no stock here: others buy it too. It is shown, and not ordered.
        found["state"] = "paused"
    return found


def take_in(
    connection: Connection[Any],
    runtime: Runtime,
    document: SupplierDocument,
    supplier: Supplier,
    *,
    by: str,
    now: Callable[[], int],
    on_left_out: Callable[[Offer], None] = lambda _: None,
    on_refused: Callable[[operations.Refusal], None] = lambda _: None,
) -> operations.Loaded:
    """Takes all that a supplier sells into the catalogue, as new versions where something changed. Commits.

    Run again, it changes nothing. What cannot be a reward is told to `on_left_out`, what the catalogue refuses to
    `on_refused`; all else is taken.
    """

    def lines() -> Iterator[dict[str, Any]]:
        for article in articles(supplier):
            offer = offered(article, document, runtime.latest)
            if offer.reward is None:
                on_left_out(offer)
            else:
                yield offer.reward

    return operations.load(
        connection,
        runtime,
        enumerate(lines(), 1),
        by=by,
        reason=f"catalogue of {document.key}",
        now=now,
        on_refused=on_refused,
    )
