"""Browsing the catalogue: filters, words in two languages, pages by position, and what suits a member.

A page begins behind a position (a value of the sort and a reward), never at a count: items that come, go or change
meanwhile never push another one twice onto a page, or past it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

from msgspec import Struct
from psycopg import Connection

from palier.activities.runtime import Runtime
from palier.engine.clock import DAY, instant, moment
from palier.engine.state import NEVER
from palier.rewards.catalogue import MemberStanding, Offer, Terms, offer, remember, remembered
from palier.rewards.document import Reward
from palier.rewards.listing import ANY, SEVERAL, folded

Sort = Literal["newest", "price", "ending"]
NEW_FOR: Final = 30 * DAY
"""How long a reward is called new, from when it can be seen."""
ENDING_WITHIN: Final = 14 * DAY
"""How long before its end a reward is called ending."""
MOST_WORDS: Final = 8
_ROUNDS: Final = 6
"""How many times more rows are read for a page of which a member sees only some."""


class Filters(Struct, frozen=True):
    """What is looked for; all that is said must hold. `most` is in minor units of `currency`.

    All of `tags` must be there, and one of `any_tags`.
    """

    kind: str | None = None
    category: str | None = None
    tags: tuple[str, ...] = ()
    any_tags: tuple[str, ...] = ()
    country: str | None = None
    partner: str | None = None
    supplier: str | None = None
    currency: str | None = None
    most: int | None = None
    words: str = ""
    language: str = "en"
    reachable: bool = False


class Position(Struct, frozen=True):
    """Behind which a page begins: the value of the sort there, and the reward."""

    value: int
    reward_id: int


class Line(Struct, frozen=True):
    """One reward of a page: its terms, the cheapest points (minor units) in `currency`, what it is to the member."""

    terms: Terms
    currency: str
    points: int
    offer: Offer
    is_new: bool
    ends_at: int

    def ending(self, now: int) -> bool:
        """Whether it soon can no longer be had."""
        return self.ends_at - now <= ENDING_WITHIN


class Page(Struct, frozen=True):
    """Rewards, and where the next page begins; None where there is no more."""

    lines: tuple[Line, ...]
    next: Position | None


def browse(
    connection: Connection[Any],
    runtime: Runtime,
    filters: Filters,
    *,
    now: int,
    limit: int,
    sort: Sort = "newest",
    after: Position | None = None,
    member: MemberStanding | None = None,
) -> Page:
    """A page of what can be seen at `now` (microseconds UTC), by a member or by anyone.

    Sorted by price, it is of one point currency, which `filters` must name. Of what a member does not see nothing
    is shown; where much of it lies in a row, a page has fewer lines than asked for, and goes on.
    """
    lines: list[Line] = []
    for _ in range(_ROUNDS):
        wanted = limit - len(lines) + 1
        rows = _rows(connection, runtime, filters, now, wanted, sort, after, member)
        for line, position in _lines(connection, runtime, rows, sort, now, member):
            if line is not None and (not filters.reachable or line.offer.reachable):
                if len(lines) == limit:
                    return Page(tuple(lines), after)
                lines.append(line)
            after = position
        if len(rows) < wanted:
            return Page(tuple(lines), None)
    return Page(tuple(lines), after)


def begun(connection: Connection[Any], program_id: int, *, now: int) -> bool:
    """Whether a dated version has begun that is not listed yet: `operations.take_effect` lists it."""
    row = connection.execute(
        """
        -- rewards.any_begun
        select exists (select from reward where program_id = %s and next_at <= %s)
        """,
        (program_id, moment(now)),
    ).fetchone()
    return bool(row is not None and row[0])


_SELECT: Final = """
-- rewards.browse
select l.reward_id, l.version, l.currency, l.points, l.listed_at, l.visible_until
from reward_listing l
where l.program_id = %(program)s
  and (l.visible_from is null or l.visible_from <= %(now)s)
  and (l.visible_until is null or l.visible_until > %(now)s)
"""

_ORDERS: Final[dict[Sort, tuple[str, str]]] = {
    "newest": ("l.listed_at desc, l.reward_id desc", "(l.listed_at, l.reward_id) < (%(at)s, %(after)s)"),
    "price": ("l.points, l.reward_id", "(l.points, l.reward_id) > (%(value)s, %(after)s)"),
    "ending": ("l.visible_until, l.reward_id", "(l.visible_until, l.reward_id) > (%(at)s, %(after)s)"),
}
"""How a page is ordered, and what comes behind a position."""


def _rows(
    connection: Connection[Any],
    runtime: Runtime,
    filters: Filters,
    now: int,
    limit: int,
    sort: Sort,
    after: Position | None,
    member: MemberStanding | None,
) -> list[tuple[Any, ...]]:
    order, behind = _ORDERS[sort]
    values: dict[str, Any] = {"program": runtime.program_id, "now": moment(now), "limit": limit}
    clauses = _clauses(runtime, filters, member, values)
    if sort == "ending":
        clauses.append("l.visible_until is not null")
    if after is not None:
        values |= {"after": after.reward_id, "value": after.value}
        if sort != "price":
            values["at"] = moment(after.value)
        clauses.append(behind)
    statement = f"{_SELECT}  and {' and '.join(clauses)}\norder by {order} limit %(limit)s"
    # Never prepared: what to read first depends on how frequent the very words and labels are.
    return connection.execute(statement, values, prepare=False).fetchall()


def _clauses(
    runtime: Runtime, filters: Filters, member: MemberStanding | None, values: dict[str, Any]
) -> list[str]:
    """The conditions that filters come to, constants of this module all of them; what they compare with in `values`."""
    clauses = []
    if filters.currency is None:
        clauses.append("l.main")
    else:
        clauses.append("l.currency = %(currency)s")
        values["currency"] = filters.currency
        if filters.most is not None:
            clauses.append("l.points <= %(most)s")
            values["most"] = filters.most
    labels = [
        f"{letter}:{value}"
        for letter, value in (
            ("k", filters.kind),
            ("c", filters.category),
            ("p", filters.partner),
            ("s", filters.supplier),
        )
        if value is not None
    ]
    labels += [f"t:{tag}" for tag in filters.tags]
    if labels:
        clauses.append("l.labels @> %(labels)s::text[]")
        values["labels"] = labels
    if filters.any_tags:
        clauses.append("l.labels && %(any_tags)s::text[]")
        values["any_tags"] = [f"t:{tag}" for tag in filters.any_tags]
    country = filters.country or (member.country if member is not None else None)
    if country is not None:
        clauses.append("l.labels && %(countries)s::text[]")
        values["countries"] = [f"n:{country}", f"n:{ANY}"]
    if member is not None:
        clauses.append("l.labels && %(tiers)s::text[]")
        values["tiers"] = [f"l:{member.tier}", f"l:{ANY}"]
    asked = folded(filters.words)[:MOST_WORDS]
    if asked:
        clauses.append(_matching(asked, filters.language, values))
    elif filters.words.strip():
        clauses.append("false")
    if filters.reachable and member is not None:
        clauses.append(_within_reach(runtime, filters, member, values))
    return clauses


def _matching(asked: Sequence[str], language: str, values: dict[str, Any]) -> str:
    """Every word in some form, or as the beginning of a word of the name; the last may still be being written."""
    dictionary, column = ("french", "words_fr") if language == "fr" else ("english", "words_en")
    parts = []
    for number, word in enumerate(asked):
        values[f"w{number}"], values[f"b{number}"] = word, f"{word}:*"
        stem = f"plainto_tsquery('{dictionary}', %(w{number})s)"
        either = f"({stem} || to_tsquery('simple', %(b{number})s))"
        if number < len(asked) - 1:
            # A word that says nothing ("the", "de") is not looked for.
            either = f"case when numnode({stem}) = 0 then ''::tsquery else {either} end"
        parts.append(f"({either})")
    return f"l.{column} @@ ({' && '.join(parts)})"


def _within_reach(runtime: Runtime, filters: Filters, member: MemberStanding, values: dict[str, Any]) -> str:
    """What the member's points may suffice for; `offer` then says whether they do."""
    has = {key: member.spendable.get(key, 0) for key in runtime.latest.currencies}
    if filters.currency is not None:
        values["reach"] = has.get(filters.currency, 0)
        return "l.points <= %(reach)s"
    either = ["l.currency = ''"]
    for number, (key, minor) in enumerate(has.items()):
        values[f"rc{number}"], values[f"rp{number}"] = key, minor
        either.append(f"(l.currency = %(rc{number})s and l.points <= %(rp{number})s)")
    own = " or ".join(either)
    values["several"] = SEVERAL
    other = own.replace("l.", "o.")
    return (
        f"({own} or (%(several)s = any(l.labels) and exists (select from reward_listing o"
        f" where o.program_id = %(program)s and o.reward_id = l.reward_id and ({other}))))"
    )


def _lines(
    connection: Connection[Any],
    runtime: Runtime,
    rows: Sequence[tuple[Any, ...]],
    sort: Sort,
    now: int,
    member: MemberStanding | None,
) -> list[tuple[Line | None, Position]]:
    """The lines of rows with their positions; None for what the member does not see."""
    read = documents(connection, runtime.program_id, [(row[0], row[1]) for row in rows])
    found: list[tuple[Line | None, Position]] = []
    for reward_id, version, currency, points, listed, until in rows:
        reward = read[reward_id, version]
        listed_at = instant(listed)
        ends_at = instant(until) if until is not None else NEVER
        value = {"newest": listed_at, "price": points, "ending": ends_at}[sort]
        offered = offer(runtime, reward, member, at=now)
        line = Line(
            Terms(reward_id, version, reward),
            currency,
            points,
            offered,
            now - listed_at < NEW_FOR,
            ends_at,
        )
        found.append((line if offered.seen else None, Position(value, reward_id)))
    return found


def documents(
    connection: Connection[Any], program_id: int, named: Sequence[tuple[int, int]]
) -> dict[tuple[int, int], Reward]:
    """The documents of these versions (reward, number), read where this process has not read them."""
    found = {}
    missing = []
    for pair in named:
        reward = remembered((program_id, *pair))
        if reward is None:
            missing.append(pair)
        else:
            found[pair] = reward
    if missing:
        rows = connection.execute(
            """
            -- rewards.documents_of_page
            select v.reward_id, v.number, v.document::text
            from unnest(%s::bigint[], %s::bigint[]) as u (reward_id, number)
            join reward_version v on v.program_id = %s and v.reward_id = u.reward_id and v.number = u.number
            """,
            ([pair[0] for pair in missing], [pair[1] for pair in missing], program_id),
        )
        for reward_id, number, text in rows:
            found[reward_id, number] = remember((program_id, reward_id, number), text)
    return found
