"""How one supplier speaks: a document that says where each question goes and where its answer stands.

Texts of a question may hold names in braces, such as {request_id}, from a closed list. A place in an answer is
written as a path: `order.state`, `cards[0].code`; "" is the whole answer. Nothing in the document is code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, Literal, TypeAlias
from urllib.parse import urlsplit

from msgspec import Meta, field

from palier.connectors.suppliers.contract import State
from palier.engine.amounts import AmountError, to_minor
from palier.engine.conditions import Problem, nearest
from palier.engine.currencies import EXPONENTS
from palier.engine.document import Decimal, Key, Strict, Text
from palier.engine.sentences import sentence

RETRIES_S: Final = (5, 30, 120, 600, 1800, 3600, 7200, 14400, 28800, 43200)
"""Seconds before the second, third, ... sending of an order that was not answered: over a day in all."""

Name = Annotated[
    str, Meta(pattern=r"^[A-Z][A-Z0-9_]{0,47}$", description="name of a secret in capitals, such as TOKEN")
]
Seconds = Annotated[int, Meta(ge=1, le=604_800)]
Status = Annotated[int, Meta(ge=200, le=599)]

_ORDERED: Final = (
    "request_id",
    "sku",
    "quantity",
    "amount",
    "amount_minor",
    "currency",
    "language",
    "country",
)
_DELIVERED: Final = ("name", "line1", "line2", "postcode", "city", "country", "email", "phone")
PLACEHOLDERS: Final[dict[str, tuple[str, ...]]] = {
    "place": (*_ORDERED, *(f"delivery.{part}" for part in _DELIVERED)),
    "status": ("request_id", "reference"),
    "cancel": ("request_id", "reference"),
    "balance": (),
    "catalogue": ("cursor",),
}
"""The names that a text of each question may hold in braces."""

_BRACES: Final = re.compile(r"\{([^{}]*)\}")
_PATH: Final = re.compile(r"[^.\[\]]+(\[[0-9]{1,4}\])*(\.[^.\[\]]+(\[[0-9]{1,4}\])*)*")
_STEP: Final = re.compile(r"[^.\[\]]+|\[[0-9]+\]")


# --- who we are -------------------------------------------------------------------------------------------


class Bearer(Strict, frozen=True, tag="bearer", tag_field="kind"):
    """`Authorization: Bearer SECRET`."""

    secret: Name


class Header(Strict, frozen=True, tag="header", tag_field="kind"):
    """A header of the supplier's own, such as X-Api-Key."""

    name: str
    secret: Name


class Basic(Strict, frozen=True, tag="basic", tag_field="kind"):
    """User and password; the user, too, is kept as a secret."""

    user: Name
    secret: Name


class Signed(Strict, frozen=True, tag="signed", tag_field="kind"):
    """A HMAC over a text made of {timestamp}, {method}, {path} (with the query) and {body}, in a header.

    `timestamp_header` carries the seconds since 1970 that were signed; `key_header` and `key` say whose signature it
    is where the supplier wants to know.
    """

    secret: Name
    header: str
    text: str = "{timestamp}\n{method}\n{path}\n{body}"
    algorithm: Literal["sha256", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = ""
    timestamp_header: str = ""
    key_header: str = ""
    key: Name | None = None


Authentication: TypeAlias = Bearer | Header | Basic | Signed


# --- what is asked ----------------------------------------------------------------------------------------


class UnitPaths(Strict, frozen=True):
    """Where the parts of one delivered unit stand, within the unit."""

    code: str = ""
    pin: str = ""
    link: str = ""
    tracking: str = ""
    valid_until: str = ""


class OrderPaths(Strict, frozen=True):
    """Where an answer about an order says what. `units` is a list, or one unit."""

    state: str = ""
    reference: str = ""
    reason: str = ""
    code: str = ""
    cost: str = ""
    currency: str = ""
    units: str = ""
    unit: UnitPaths = UnitPaths()


class BalancePaths(Strict, frozen=True):
    """Where the answer says what is left, and in which currency."""

    amount: str
    currency: str = ""


class ArticlePaths(Strict, frozen=True):
    """Where the parts of one article stand, within the article."""

    sku: str
    name_en: str
    name_fr: str = ""
    cost: str = ""
    value: str = ""
    currency: str = ""
    summary_en: str = ""
    summary_fr: str = ""
    category: str = ""
    picture: str = ""
    countries: str = ""
    available: str = ""


class PagePaths(Strict, frozen=True):
    """Where a page of the catalogue has its articles, and what asks for the next."""

    article: ArticlePaths
    articles: str = ""
    next: str = ""


class Call(Strict, frozen=True):
    """One question: method, path below `base_url`, query, headers, and a body as paths with their values.

    Statuses tell what an answer that is no success means: `refused` is a definite no, `absent` an order that is not
    known there, `later` that nothing was done. Any other error may have done something.
    """

    path: str
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    query: dict[str, str] = {}
    headers: dict[str, str] = {}
    body: dict[str, str | int | bool] = {}
    refused: list[Status] = field(default_factory=lambda: [400, 410, 422])
    absent: list[Status] = field(default_factory=lambda: [404])
    later: list[Status] = field(default_factory=lambda: [401, 403, 429])


class OrderCall(Call, frozen=True):
    """A question about an order."""

    answer: OrderPaths = OrderPaths()


class BalanceCall(Call, frozen=True, kw_only=True):
    """The question for the balance."""

    answer: BalancePaths


class CatalogueCall(Call, frozen=True, kw_only=True):
    """The question for a page of the catalogue."""

    answer: PagePaths


class Questions(Strict, frozen=True):
    """The questions that the supplier answers; `place` is the one that every supplier has."""

    place: OrderCall
    status: OrderCall | None = None
    cancel: OrderCall | None = None
    balance: BalanceCall | None = None
    catalogue: CatalogueCall | None = None


class Words(Strict, frozen=True):
    """The supplier's words for the states of an order."""

    accepted: list[str] = []
    delivered: list[str] = []
    refused: list[str] = []
    cancelled: list[str] = []


class Price(Strict, frozen=True):
    """What members pay for an article: `points` of a point currency for each `every` of its value.

    `round_up_to` whole points; 0 for none.
    """

    currency: Key
    points: Decimal
    every: Decimal
    round_up_to: Annotated[int, Meta(ge=0, le=1_000_000)] = 0


class Shelf(Strict, frozen=True, kw_only=True):
    """How articles become rewards: their kind and category, and what they cost in points."""

    kind: Literal["gift_card", "merchandise", "experience", "subscription"] = "gift_card"
    category: str
    price: Price
    least_margin_percent: Annotated[int, Meta(ge=-100, le=100)] = -100
    """An article that leaves less of its value over its cost than this is not taken in."""


class SupplierDocument(Strict, frozen=True, kw_only=True):
    """A supplier that speaks JSON over HTTP.

    `repeat` says what asking again does: `same_id` orders once however often it is asked; `look_first` needs a look
    whether the order is there, before it is placed again; `never` can tell neither, so a person must look.
    `settles_s` is how long after a question the supplier may still be about to act on it. `retries` are the seconds
    before each further sending, made up to a fifth longer by chance; after the last the order waits for a person.
    """

    supplier: Literal[1]
    key: Key
    name: Text
    base_url: str
    authentication: Authentication | None = None
    repeat: Literal["same_id", "look_first", "never"] = "same_id"
    amounts: Literal["decimal", "minor"] = "decimal"
    currency: str = "EUR"
    deadline_s: Annotated[int, Meta(ge=1, le=60)] = 10
    at_once: Annotated[int, Meta(ge=1, le=32)] = 4
    largest_answer_kb: Annotated[int, Meta(ge=1, le=65_536)] = 1024
    settles_s: Annotated[int, Meta(ge=0, le=86_400)] = 600
    retries: list[Seconds] = field(default_factory=lambda: list(RETRIES_S))
    look_every_s: Seconds = 60
    low_balance: Decimal | None = None
    states: Words = Words()
    without_state: Literal["accepted", "delivered"] = "accepted"
    calls: Questions
    shelf: Shelf | None = None


def check(document: SupplierDocument) -> list[Problem]:
    """What the types cannot see: addresses, names in braces, paths, words of states, amounts; empty if all is well."""
    return list(_problems(document))


def _problems(document: SupplierDocument) -> Iterator[Problem]:
    yield from _address(document.base_url)
    if document.currency not in EXPONENTS:
        yield Problem(
            "currency",
            sentence("%(currency)s is no currency", currency=document.currency[:20]),
            sentence("write a code such as EUR"),
            "choice",
        )
    elif document.low_balance is not None:
        try:
            to_minor(document.low_balance, EXPONENTS[document.currency])
        except AmountError as error:
            yield Problem(
                "low_balance",
                sentence("%(error)s", error=error),
                sentence("write it as an amount of the currency"),
                "too_many_decimals",
            )
    if isinstance(document.authentication, Signed):
        yield from _braces(
            "authentication.text", document.authentication.text, ("timestamp", "method", "path", "body")
        )
    if document.repeat == "look_first" and document.calls.status is None:
        yield Problem(
            "repeat",
            sentence("look_first needs a look"),
            sentence("add calls.status, or write never: a person will look"),
            "missing",
        )
    seen: dict[str, str] = {}
    for state, words in words_of(document).items():
        for word in words:
            if seen.setdefault(word, state) != state:
                path = f"states.{state}"
                yield Problem(
                    path,
                    sentence('"%(word)s" is %(seen)s too', word=word[:40], seen=seen[word]),
                    sentence("leave it in one state"),
                    "duplicate_key",
                )
    for name in PLACEHOLDERS:
        call: Call | None = getattr(document.calls, name)
        if call is not None:
            yield from _call(f"calls.{name}", name, call)


def words_of(document: SupplierDocument) -> Mapping[State, list[str]]:
    """The supplier's words of each state."""
    words = document.states
    return {
        "accepted": words.accepted,
        "delivered": words.delivered,
        "refused": words.refused,
        "cancelled": words.cancelled,
    }


def _address(url: str) -> Iterator[Problem]:
    try:
        parts = urlsplit(url)
        usable = (
            parts.scheme in ("https", "http") and parts.hostname and (parts.port is None or parts.port > 0)
        )
    except ValueError:
        usable = False
    if not usable:
        yield Problem(
            "base_url",
            sentence('"%(url)s" is no address', url=url[:80]),
            sentence("write https://host/path"),
            "format",
        )
    elif parts.username or parts.password or parts.query or parts.fragment:
        remedy = sentence("write only https://host/path; secrets go to `authentication`")
        yield Problem("base_url", sentence("it holds more than scheme, host and path"), remedy, "format")


def _call(path: str, name: str, call: Call) -> Iterator[Problem]:
    known = PLACEHOLDERS[name]
    if not call.path.startswith("/") or "//" in call.path or ".." in call.path or "?" in call.path:
        remedy = sentence("write it from its first slash on; the query goes to `query`")
        yield Problem(
            f"{path}.path", sentence('"%(path)s" is no path', path=call.path[:80]), remedy, "format"
        )
    yield from _braces(f"{path}.path", call.path, known)
    for part in ("query", "headers", "body"):
        for key, text in getattr(call, part).items():
            if isinstance(text, str):
                yield from _braces(f"{path}.{part}.{key}", text, known)
                if part == "headers" and not text.isprintable():
                    yield Problem(
                        f"{path}.headers.{key}",
                        sentence("it has unprintable characters"),
                        sentence("remove them"),
                        "format",
                    )
            if part == "body" and not _PATH.fullmatch(key):
                yield _no_path(f"{path}.body", key)
    if call.body and call.method in ("GET", "DELETE"):
        yield Problem(
            f"{path}.body",
            sentence("%(method)s has no body", method=call.method),
            sentence("use query, or method: POST"),
            "unknown_key",
        )
    for short in call.body:
        if any(long.startswith((f"{short}.", f"{short}[")) for long in call.body):
            yield Problem(
                f"{path}.body",
                sentence('"%(short)s" is both a value and a part', short=short[:60]),
                sentence("name one of them"),
                "duplicate_key",
            )
    yield from _paths(f"{path}.answer", call.answer)  # type: ignore[attr-defined]


def _paths(path: str, paths: Any) -> Iterator[Problem]:
    for name in paths.__struct_fields__:
        value = getattr(paths, name)
        if isinstance(value, str):
            if value and not _PATH.fullmatch(value):
                yield _no_path(f"{path}.{name}", value)
        else:
            yield from _paths(f"{path}.{name}", value)


def _no_path(path: str, text: str) -> Problem:
    return Problem(
        path,
        sentence('"%(given)s" is no path', given=text[:60]),
        sentence("write it like order.cards[0].code"),
        "format",
    )


def _braces(path: str, text: str, known: tuple[str, ...]) -> Iterator[Problem]:
    for found in _BRACES.finditer(text):
        name = found.group(1)
        if name not in known:
            close = nearest(name, known)
            remedy = (
                sentence("did you mean {%(close)s}?", close=close)
                if close
                else sentence("use one of %(names)s", names=", ".join(known) or "none")
            )
            yield Problem(
                path, sentence("there is no {%(name)s} here", name=name[:40]), remedy, "unknown_reference"
            )


# --- filling and reading ----------------------------------------------------------------------------------


def filled(text: str, values: Mapping[str, str | int]) -> str:
    """A text with the values in place of the names in braces; a name without a value becomes nothing."""
    return _BRACES.sub(lambda found: str(values.get(found.group(1), "")), text)


def filled_body(body: Mapping[str, str | int | bool], values: Mapping[str, str | int]) -> Any:
    """The body that these paths and values make. A text that is one name alone keeps its type: "{quantity}" is 2.

    A value that there is nothing to fill with is left out.
    """
    made: dict[str, Any] = {}
    for path, text in body.items():
        value: Any = text
        if isinstance(text, str):
            whole = _BRACES.fullmatch(text)
            value = values.get(whole.group(1)) if whole is not None else filled(text, values)
            if value is None:
                continue
        _put(made, _STEP.findall(path), value)
    return made


def _put(into: Any, steps: list[str], value: Any) -> None:
    for step, after in zip(steps, [*steps[1:], None], strict=True):
        fresh: Any = value if after is None else ([] if after.startswith("[") else {})
        if step.startswith("["):
            place = int(step[1:-1])
            into.extend({} for _ in range(place + 1 - len(into)))
            if after is None or not into[place]:
                into[place] = fresh
            into = into[place]
        else:
            if after is None:
                into[step] = fresh
            into = into.setdefault(step, fresh)


def at(answer: Any, path: str) -> Any:
    """What stands at a path of an answer; None where there is nothing. "" is the answer itself."""
    for step in _STEP.findall(path):
        if step.startswith("["):
            place = int(step[1:-1])
            answer = answer[place] if isinstance(answer, list) and place < len(answer) else None
        else:
            answer = answer.get(step) if isinstance(answer, dict) else None
    return answer
