"""What suits a member: rewards ranked by what is known of him, each with the reason why it stands where it does.

Known are the words that he, or the shop for him, chose (the member attribute `interests`, words between commas, and
attributes of yes and no that bear the name of a tag), and the categories of what he bought last. The scores are
small whole numbers, added up; nothing is learnt, and the same facts always give the same order.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct
from psycopg import Connection

from palier.activities.runtime import Runtime
from palier.engine.clock import moment
from palier.engine.facts import decode_fact
from palier.engine.phrases import date_words
from palier.engine.state import NEVER
from palier.rewards.browsing import ENDING_WITHIN, Filters, Line, Position, browse
from palier.rewards.catalogue import MemberStanding, points_words
from palier.rewards.listing import folded

INTERESTS: Final = "interests"
"""The member attribute that holds what a member likes: words between commas."""
LAST_SALES: Final = 50
MOST_TAGS: Final = 40
_CANDIDATES: Final = 120
_NEAR_PERCENT: Final = 80

Because = Literal["interest", "bought", "tier", "reachable", "nearly", "ending", "new", "other"]


class Suited(Struct, frozen=True):
    """A reward and why it is shown here: the code of its strongest reason, a sentence in each language, its score."""

    line: Line
    because: Because
    en: str
    fr: str
    score: int


class Tastes(Struct, frozen=True):
    """What is known of a member's likings: words, and how often he bought of a category, by tags."""

    interests: frozenset[str]
    bought: dict[str, int]


def tastes(connection: Connection[Any], runtime: Runtime, member: MemberStanding) -> Tastes:
    """What is known of a member's likings, by his attributes and his last purchases."""
    liked = set()
    for name, value in member.attributes.items():
        if name == INTERESTS and isinstance(value, str):
            liked |= {_tag(word) for word in re.split(r"[,;]", value)[:MOST_TAGS]}
        elif value is True:
            liked.add(name)
    rows = connection.execute(
        """
        -- rewards.last_sales
        select payload::text from activity
        where member_id = %s and program_id = %s and type = 'sale'
        order by acts_at desc, activity_id desc limit %s
        """,
        (member.member_id, runtime.program_id, LAST_SALES),
    )
    bought: Counter[str] = Counter()
    for (payload,) in rows:
        # A sale counts once for each category, so that one large basket does not decide.
        bought.update({_tag(line.category) for line in decode_fact(payload).lines if line.category})
    return Tastes(frozenset(liked - {""}), dict(bought.most_common(MOST_TAGS)))


def _tag(text: str) -> str:
    return "_".join(folded(text))


def suiting(
    connection: Connection[Any],
    runtime: Runtime,
    member: MemberStanding,
    filters: Filters,
    *,
    now: int,
    limit: int,
) -> list[Suited]:
    """The rewards that suit a member best, at most `limit`, with the reason of each. `now` in microseconds UTC.

    Looked at are what bears one of his words, what his points come nearest to, what is new and what soon ends.
    """
    known = tastes(connection, runtime, member)
    found: dict[int, Line] = {}

    def look(
        chosen: Filters, sort: Literal["newest", "price", "ending"], after: Position | None = None
    ) -> None:
        page = browse(
            connection, runtime, chosen, now=now, limit=_CANDIDATES, sort=sort, after=after, member=member
        )
        for line in page.lines:
            found.setdefault(line.terms.reward_id, line)

    words = sorted(known.interests) + [tag for tag in known.bought if tag not in known.interests]
    if words:
        either = tuple(dict.fromkeys(form for word in words for form in (word, word.replace("_", "-"))))
        look(msgspec.structs.replace(filters, any_tags=either), "newest")
    for currency, minor in sorted(member.spendable.items()):
        if minor > 0 and currency in runtime.latest.currencies:
            within = msgspec.structs.replace(filters, currency=currency)
            # From four fifths of what he has upwards: what is in reach, and what nearly is.
            look(within, "price", Position(minor * _NEAR_PERCENT // 100, -1))
            look(within, "price")
    look(filters, "newest")
    look(filters, "ending")
    ranked = [_suited(runtime, member, known, line, now) for line in found.values()]
    ranked.sort(key=lambda item: (-item.score, item.line.points, item.line.terms.reward_id))
    return ranked[:limit]


def _suited(runtime: Runtime, member: MemberStanding, known: Tastes, line: Line, now: int) -> Suited:
    plan = runtime.latest
    reward = line.terms.reward
    tags = {tag.replace("-", "_") for tag in reward.tags}
    if reward.category is not None:
        tags |= {part.replace("-", "_") for part in reward.category.split("/")}
    reasons: list[tuple[int, Because, str, str]] = []
    liked = sorted(tags & known.interests)
    if liked:
        word = liked[0].replace("_", " ")
        reasons.append((40 + 5 * min(len(liked), 3), "interest", f"you like {word}", f"vous aimez : {word}"))
    bought = sorted((tags & known.bought.keys()), key=lambda tag: (-known.bought[tag], tag))
    if bought:
        times = known.bought[bought[0]]
        word = bought[0].replace("_", " ")
        reasons.append(
            (20 + min(times, 10), "bought", f"you often buy {word}", f"vous achetez souvent : {word}")
        )
    if reward.audience is not None and reward.audience.tiers is not None:
        reasons.append((12, "tier", "only for your tier", "réservée à votre niveau"))
    if line.offer.reachable:
        reasons.append((10, "reachable", "within your reach", "à votre portée"))
    else:
        nearly = _nearly(line)
        if nearly is not None:
            currency, missing = nearly
            reasons.append(
                (
                    8,
                    "nearly",
                    f"only {points_words(plan, currency, missing, 'en')} more",
                    f"plus que {points_words(plan, currency, missing, 'fr')}",
                )
            )
    if line.ends_at < NEVER and line.ends_at - now <= ENDING_WITHIN:
        last = moment(line.ends_at - 1).astimezone(plan.clock.zone).date().isoformat()
        reasons.append(
            (6, "ending", f"only until {date_words(last, 'en')}", f"jusqu'au {date_words(last, 'fr')}")
        )
    if line.is_new:
        reasons.append((4, "new", "new in the catalogue", "nouveau au catalogue"))
    if not reasons:
        return Suited(line, "other", "in the catalogue", "au catalogue", 0)
    score, because, en, fr = reasons[0]
    return Suited(line, because, en, fr, score + sum(other[0] for other in reasons[1:]))


def _nearly(line: Line) -> tuple[str, int] | None:
    """The one currency of which little is missing, and how much; None where it is more, or more than one."""
    for price in line.offer.prices:
        if price.allowed and len(price.missing) == 1:
            currency, missing = next(iter(price.missing.items()))
            if missing * 100 <= price.points[currency] * (100 - _NEAR_PERCENT):
                return currency, missing
    return None
