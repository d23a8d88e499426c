"""What of a reward is browsed: its labels, its words in both languages, its cheapest points; and writing that.

A label is a filter's value under a letter: `k:` kind, `c:` a category and each above it, `t:` tag, `n:` country,
`l:` tier of the audience, `p:` partner, `s:` supplier. Countries and tiers have the label `*` where there is no
limit, so that a filter asks for its own or `*`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, Final

from msgspec import Struct
from psycopg import Connection

from palier.engine.plan import Plan
from palier.engine.program import Text
from palier.engine.state import NEVER
from palier.rewards.catalogue import price_points, window
from palier.rewards.document import Donation, Reward
from palier.site.arrays import Instants

ANY: Final = "*"
SEVERAL: Final = "m:+"
"""The label of what can be paid in several point currencies."""
LISTED_STATES: Final = ("live", "paused")
_SEPARATOR: Final = "\x1f"
_MOST_WORDS: Final = 600
_LONGEST_WORD: Final = 60
_LIGATURES: Final = str.maketrans({"œ": "oe", "æ": "ae", "ø": "o", "ł": "l", "đ": "d"})
_WORD: Final = re.compile(r"[^\W_]+")


def folded(text: str) -> list[str]:
    """The words of a text as they are looked for: lower case, without accents, punctuation or ligatures.

    The same for what is stored and for what is asked, so that "Café", "cafe" and "CAFÉ" are one word.
    """
    plain = unicodedata.normalize("NFKD", text.casefold().translate(_LIGATURES))
    bare = "".join(character for character in plain if not unicodedata.combining(character))
    return [word[:_LONGEST_WORD] for word in _WORD.findall(bare)[:_MOST_WORDS]]


class Listed(Struct, frozen=True):
    """One version of a reward on its way into the listing."""

    reward_id: int
    version: int
    made_at: int
    reward: Reward


def labels(reward: Reward) -> list[str]:
    """The labels by which a reward is filtered."""
    found = [f"k:{reward.kind}"]
    if reward.category is not None:
        parts = reward.category.split("/")
        found += [f"c:{'/'.join(parts[: number + 1])}" for number in range(len(parts))]
    found += [f"t:{tag}" for tag in reward.tags]
    found += [f"n:{country}" for country in reward.countries] or [f"n:{ANY}"]
    tiers = reward.audience.tiers if reward.audience is not None else None
    found += [f"l:{tier}" for tier in tiers] if tiers is not None else [f"l:{ANY}"]
    if reward.partner is not None:
        found.append(f"p:{reward.partner}")
    if reward.supplier is not None:
        found.append(f"s:{reward.supplier.key}")
    return found


def cheapest(plan: Plan, reward: Reward) -> dict[str, int]:
    """The least points, in minor units, by each currency in which the reward can be paid, the first price first.

    Of a reward that is free, or paid in money alone: one entry without currency.
    """
    found: dict[str, int] = {}
    lists = [reward.prices, *(item.prices for item in reward.variants if item.prices is not None)]
    for prices in lists:
        for price in prices:
            for key, minor in price_points(plan, price).items():
                found[key] = min(found.get(key, minor), minor)
    return found or {"": 0}


def words(reward: Reward, language: str) -> tuple[str, str]:
    """(words of the name, other words) of a reward in a language, or in the other where there are none."""

    def said(text: Text | None) -> str:
        if text is None:
            return ""
        return (text.fr or text.en) if language == "fr" else (text.en or text.fr)

    rest = [said(reward.summary), said(reward.terms), (reward.category or ""), *reward.tags, reward.key]
    rest += [f"{said(variant.name)} {variant.sku}" for variant in reward.variants[:50]]
    if isinstance(reward.gives, Donation):
        rest.append(said(reward.gives.beneficiary))
    return " ".join(folded(said(reward.name))), " ".join(folded(" ".join(rest)))


UNLIST: Final = """
-- rewards.unlist
delete from reward_listing where program_id = %s and reward_id = any(%s)
"""

LIST: Final = """
-- rewards.list
insert into reward_listing
  (program_id, reward_id, currency, main, version, points, listed_at, visible_from, visible_until, labels,
   words_en, words_fr)
select %(program)s, u.reward_id, u.currency, u.main = 1, u.version, u.points, u.listed_at, u.visible_from,
       u.visible_until, string_to_array(u.labels, %(separator)s),
       setweight(to_tsvector('english', u.name_en) || to_tsvector('simple', u.name_en), 'A')
         || to_tsvector('english', u.rest_en),
       setweight(to_tsvector('french', u.name_fr) || to_tsvector('simple', u.name_fr), 'A')
         || to_tsvector('french', u.rest_fr)
from unnest(%(ids)s::bigint[], %(currencies)s::text[], %(mains)s::bigint[], %(versions)s::bigint[],
            %(points)s::bigint[], %(listed)s::timestamptz[], %(from)s::timestamptz[], %(until)s::timestamptz[],
            %(labels)s::text[], %(name_en)s::text[], %(rest_en)s::text[], %(name_fr)s::text[],
            %(rest_fr)s::text[])
  as u (reward_id, currency, main, version, points, listed_at, visible_from, visible_until, labels,
        name_en, rest_en, name_fr, rest_fr)
"""


def relist(connection: Connection[Any], program_id: int, plan: Plan, items: Sequence[Listed]) -> None:
    """Lists these versions in place of whatever was listed of their rewards."""
    if not items:
        return
    connection.execute(UNLIST, (program_id, sorted(item.reward_id for item in items)))
    rows = [row for item in items if _listed(item.reward) for row in _rows(plan, item)]
    if not rows:
        return
    columns = list(zip(*rows, strict=True))
    connection.execute(
        LIST,
        {
            "program": program_id,
            "separator": _SEPARATOR,
            "ids": list(columns[0]),
            "currencies": list(columns[1]),
            "mains": list(columns[2]),
            "versions": list(columns[3]),
            "points": list(columns[4]),
            "listed": Instants(columns[5]),
            "from": Instants(columns[6]),
            "until": Instants(columns[7]),
            "labels": list(columns[8]),
            "name_en": list(columns[9]),
            "rest_en": list(columns[10]),
            "name_fr": list(columns[11]),
            "rest_fr": list(columns[12]),
        },
    )


def _listed(reward: Reward) -> bool:
    """Whether a reward is browsed: drafts and retired ones are not, nor what only comes with another."""
    priced = reward.prices or any(variant.prices for variant in reward.variants)
    return reward.state in LISTED_STATES and bool(priced)


def _rows(plan: Plan, item: Listed) -> Iterable[tuple[Any, ...]]:
    reward = item.reward
    since, until = window(reward, plan)
    said = (*words(reward, "en"), *words(reward, "fr"))
    paid = cheapest(plan, reward)
    marks = _SEPARATOR.join([*labels(reward), *([SEVERAL] if len(paid) > 1 else [])])
    for number, (currency, points) in enumerate(paid.items()):
        yield (
            item.reward_id,
            currency,
            int(number == 0),
            item.version,
            points,
            max(item.made_at, since),
            since or None,
            until if until < NEVER else None,
            marks,
            *said,
        )
