"""Reads of the catalogue: what a reward says at an instant, and what it offers one member.

`terms` and `offer` are what orders and baskets decide by; `browse` is in `palier.rewards.browsing`.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct
from psycopg import Connection

from palier.activities.queries import carried
from palier.activities.runtime import Runtime
from palier.engine.amounts import AmountError, from_minor, to_minor
from palier.engine.check_mechanics import AUDIENCE_FIELDS
from palier.engine.clock import instant, moment
from palier.engine.conditions import FieldType, check, compile_condition, fields
from palier.engine.currencies import exponent, localized
from palier.engine.facts import SALE
from palier.engine.instants import ends_at, starts_at
from palier.engine.plan import Plan
from palier.engine.program import Condition, Program
from palier.engine.sentences import sentence
from palier.engine.state import NEVER, MemberState, decode_state
from palier.members import queries as members
from palier.rewards.document import Money, Price, Reward

COUNTRY: Final = "country"
"""The member attribute that tells where a member lives, for rewards that can be had in some countries only."""
_CACHED: Final = 4096


class Terms(Struct, frozen=True):
    """A reward as it holds at an instant: the version that an order names, and its document."""

    reward_id: int
    version: int
    reward: Reward


_documents: OrderedDict[tuple[int, int, int], Reward] = OrderedDict()
_lock = threading.Lock()
_decode = msgspec.json.Decoder(Reward).decode

_HEADS: Final = """
-- rewards.terms_heads
select distinct on (r.key) r.key, r.reward_id, v.number
from reward r
join reward_version v on v.program_id = r.program_id and v.reward_id = r.reward_id
where r.program_id = %(program)s and r.key = any(%(keys)s::text[]) and v.valid_from <= %(at)s
order by r.key, v.valid_from desc, v.number desc
"""
_DOCUMENTS: Final = """
-- rewards.version_documents
select v.reward_id, v.number, v.document::text
from unnest(%s::bigint[], %s::integer[]) as wanted (reward_id, number)
join reward_version v on v.reward_id = wanted.reward_id and v.number = wanted.number
where v.program_id = %s
"""


def terms(connection: Connection[Any], program_id: int, key: str, at: int) -> Terms | None:
    """What a reward says at an instant (microseconds UTC); None where there is none that has begun by then.

    Drafts, paused and retired ones are answered too: whether it can be ordered is `offer`'s to say. Versions never
    change, so a document that this process has read is not read again.
    """
    return terms_each(connection, program_id, [key], at).get(key)


def terms_each(
    connection: Connection[Any], program_id: int, keys: Iterable[str], at: int
) -> dict[str, Terms]:
    """The same of several rewards at once, by key; those there are not are left out."""
    heads = connection.execute(
        _HEADS, {"program": program_id, "keys": sorted(keys), "at": moment(at)}
    ).fetchall()
    read = documents(connection, program_id, [(reward_id, number) for _, reward_id, number in heads])
    return {key: Terms(reward_id, number, read[reward_id, number]) for key, reward_id, number in heads}


def document(connection: Connection[Any], program_id: int, reward_id: int, number: int) -> Reward:
    """The document of one version, which there must be."""
    return documents(connection, program_id, [(reward_id, number)])[reward_id, number]


def documents(
    connection: Connection[Any], program_id: int, versions: Iterable[tuple[int, int]]
) -> dict[tuple[int, int], Reward]:
    """The documents of versions (reward id, number), which there must be; what is not known is read at once."""
    wanted = set(versions)
    found = {one: known for one in wanted if (known := remembered((program_id, *one))) is not None}
    missing = sorted(wanted - found.keys())
    if missing:
        ids, numbers = [one[0] for one in missing], [one[1] for one in missing]
        for reward_id, number, text in connection.execute(_DOCUMENTS, (ids, numbers, program_id)):
            found[reward_id, number] = remember((program_id, reward_id, number), text)
    return found


class RewardVersion(Struct, frozen=True):
    """One version with who wrote it, when and why. Instants are microseconds UTC."""

    number: int
    reward: Reward
    sha256: str
    valid_from: int
    made_at: int
    made_by: str
    reason: str


def versions(connection: Connection[Any], program_id: int, key: str) -> list[RewardVersion]:
    """All versions of a reward, first to last; empty where there is no such reward."""
    rows = connection.execute(
        """
        -- rewards.versions
        select v.number, v.document::text, v.sha256, v.valid_from, v.made_at, v.made_by, v.reason
        from reward r
        join reward_version v on v.program_id = r.program_id and v.reward_id = r.reward_id
        where r.program_id = %s and r.key = %s
        order by v.number
        """,
        (program_id, key),
    ).fetchall()
    return [
        RewardVersion(row[0], _decode(row[1]), row[2], instant(row[3]), instant(row[4]), row[5], row[6])
        for row in rows
    ]


_LATEST: Final = """
-- rewards.latest_versions
select r.reward_id, r.latest, v.document::text
from reward r
join reward_version v on v.program_id = r.program_id and v.reward_id = r.reward_id and v.number = r.latest
where r.program_id = %(program)s and (%(keys)s::text[] is null or r.key = any(%(keys)s::text[]))
order by r.key
"""


def latest(
    connection: Connection[Any], program_id: int, keys: Sequence[str] | None = None
) -> Iterator[Terms]:
    """The latest version of every reward of a program, or of those with these keys, by key; retired ones too."""
    with connection.cursor() as cursor:
        for row in cursor.execute(
            _LATEST, {"program": program_id, "keys": list(keys) if keys is not None else None}
        ):
            yield Terms(row[0], row[1], _decode(row[2]))


def shelf(
    connection: Connection[Any], program_id: int, *, words: str = "", after: str = "", limit: int = 50
) -> list[Terms]:
    """The latest versions by key, those of every state, behind a key: for those who keep the catalogue.

    `words` must stand in the key or in a name, in either language; case does not count.
    """
    pattern = "%" + words.strip().replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_") + "%"
    rows = connection.execute(
        """
        -- rewards.shelf
        select r.reward_id, r.latest, v.document::text
        from reward r
        join reward_version v on v.program_id = r.program_id and v.reward_id = r.reward_id and v.number = r.latest
        where r.program_id = %(program)s and r.key > %(after)s
          and (r.key ilike %(pattern)s or v.document->'name'->>'en' ilike %(pattern)s
               or v.document->'name'->>'fr' ilike %(pattern)s)
        order by r.key limit %(limit)s
        """,
        {"program": program_id, "pattern": pattern, "after": after, "limit": limit},
    ).fetchall()
    return [Terms(row[0], row[1], _decode(row[2])) for row in rows]


def known(connection: Connection[Any], program_id: int) -> Callable[[str], Reward | None]:
    """Finds the latest version of a reward by its key; each is asked for once."""
    seen: dict[str, Reward | None] = {}

    def find(key: str) -> Reward | None:
        if key not in seen:
            seen[key] = next((item.reward for item in latest(connection, program_id, [key])), None)
        return seen[key]

    return find


def remembered(known_as: tuple[int, int, int]) -> Reward | None:
    """The document of (program, reward, version) if this process has read it."""
    with _lock:
        found = _documents.get(known_as)
        if found is not None:
            _documents.move_to_end(known_as)
        return found


def remember(known_as: tuple[int, int, int], text: str | bytes) -> Reward:
    """Reads a stored document and keeps it for the next who asks."""
    found = _decode(text)
    with _lock:
        _documents[known_as] = found
        while len(_documents) > _CACHED:
            _documents.popitem(last=False)
    return found


# --- amounts ----------------------------------------------------------------------------------------------


def price_points(plan: Plan, price: Price) -> dict[str, int]:
    """What a price asks in points, in minor units by point currency. Raises AmountError for one it cannot say."""
    found = {}
    for key, text in price.points.items():
        currency = plan.currencies.get(key)
        if currency is None:
            raise AmountError(sentence("the program has no point currency %(key)s", key=key[:48]))
        found[key] = to_minor(text, currency.scale)
    return found


def money_minor(money: Money) -> int:
    """An amount of money in minor units of its currency."""
    return to_minor(money.amount, exponent(money.currency))


# --- what a member is offered -----------------------------------------------------------------------------


class MemberStanding(Struct):
    """What an offer asks of a member, at an instant: microseconds UTC; `spendable` in minor units."""

    member_id: int
    at: int
    status: str
    tier: str
    spendable: dict[str, int]
    attributes: dict[str, str | int | bool]
    memberships: frozenset[str]

    @property
    def country(self) -> str | None:
        """Where the member lives, if that is known."""
        found = self.attributes.get(COUNTRY)
        return found.upper() if isinstance(found, str) and found else None


def standing(
    connection: Connection[Any], runtime: Runtime, member_id: int, *, now: int
) -> MemberStanding | None:
    """A member as offers see him now, with what is due done; None for an unknown or erased one. Locks nothing."""
    view = members.read(connection, runtime.program_id, member_id)
    if view is None or view.status == "erased":
        return None
    row = connection.execute(
        """
        -- rewards.member_state
        select state from progress where member_id = %s and program_id = %s
        """,
        (member_id, runtime.program_id),
    ).fetchone()
    state = decode_state(row[0]) if row is not None else MemberState()
    return standing_of(runtime, view, state, now=now)


def standing_of(
    runtime: Runtime, view: members.MemberView, state: MemberState, *, now: int
) -> MemberStanding:
    """The same by a state that was read already (under the member's lock); it is carried forward in place."""
    at = max(now, state.latest, state.due_done)
    carried(runtime, state, at)
    plan = runtime.timeline.at(at) or runtime.latest
    return MemberStanding(
        view.member_id,
        at,
        view.status,
        state.tier.key or plan.levels[0],
        {key: wallet.spendable for key, wallet in state.wallets.items()},
        view.attributes,
        frozenset(key for key, until in state.memberships.items() if until > at),
    )


Why = Literal[
    "member_not_active", "not_live", "not_yet", "no_longer", "not_in_country", "not_for_tier", "not_for_member",
    "below_minimum", "not_for_sale", "no_price_for_tier", "too_few_points",
]  # fmt: skip


class Reason(Struct, frozen=True):
    """Why a reward cannot be had now: a stable code, and a sentence in each language without its last point."""

    code: Why
    en: str
    fr: str

    def said(self, language: str) -> str:
        return self.fr if language == "fr" else self.en


class Asked(Struct, frozen=True):
    """One price as it stands for a member: `points` and `missing` in minor units, money in its minor units.

    `allowed`: the member's tier may pay it.
    """

    key: str
    points: dict[str, int]
    money: int
    money_currency: str
    allowed: bool
    missing: dict[str, int]

    @property
    def reachable(self) -> bool:
        return self.allowed and not self.missing


class Offer(Struct, frozen=True):
    """What a reward is to a member: its prices, and all that keeps it from being ordered now, weightiest first.

    `seen`: whether it is shown to the member at all. Stock and limits are not looked at here.
    """

    prices: tuple[Asked, ...]
    reasons: tuple[Reason, ...]
    seen: bool

    @property
    def reachable(self) -> bool:
        """Whether nothing keeps the member from ordering it."""
        return not self.reasons

    def price(self, key: str | None) -> Asked | None:
        """The price with this key, or the first that the member can pay, else the first allowed to him."""
        if key is not None:
            return next((item for item in self.prices if item.key == key), None)
        return _best(self.prices)

    @property
    def in_points(self) -> Asked | None:
        """The price that takes no money beside the points: for where nobody collects money."""
        return _best([item for item in self.prices if not item.money])


def _best(prices: Sequence[Asked]) -> Asked | None:
    best = next((item for item in prices if item.reachable), None)
    return best or next((item for item in prices if item.allowed), None)


def offer(
    runtime: Runtime,
    reward: Reward,
    member: MemberStanding | None,
    *,
    at: int,
    variant: str | None = None,
    quantity: int = 1,
    by_itself: bool = True,
) -> Offer:
    """What a reward is to a member at an instant, `quantity` times. None for a member: what anyone sees.

    With `by_itself` false the price is not asked for: it comes with another reward.
    """
    # A reward is checked against the latest version of the program, which knows all its currencies.
    plan = runtime.latest
    found: list[Reason] = []
    seen = _seen(plan, reward, member, at, found)
    prices: list[Asked] = []
    for price in reward.prices_of(variant):
        points = {key: minor * quantity for key, minor in price_points(plan, price).items()}
        missing = {}
        if member is not None:
            missing = {
                key: minor - member.spendable.get(key, 0)
                for key, minor in points.items()
                if member.spendable.get(key, 0) < minor
            }
        allowed = price.tiers is None or (member is not None and member.tier in price.tiers)
        prices.append(
            Asked(
                price.key,
                points,
                money_minor(price.money) * quantity if price.money is not None else 0,
                price.money.currency if price.money is not None else "",
                allowed,
                missing,
            )
        )
    if by_itself:
        _affordable(plan, reward, member, prices, found)
    return Offer(tuple(prices), tuple(found), seen)


def window(reward: Reward, plan: Plan) -> tuple[int, int]:
    """From when until before when a reward can be seen: microseconds UTC, 0 and NEVER where it does not say."""
    visible = reward.visible
    if visible is None:
        return 0, NEVER
    return (
        starts_at(visible.from_, plan.clock) if visible.from_ is not None else 0,
        ends_at(visible.until, plan.clock) if visible.until is not None else NEVER,
    )


def _seen(plan: Plan, reward: Reward, member: MemberStanding | None, at: int, found: list[Reason]) -> bool:
    """Whether the member sees the reward; all that keeps him from ordering it beside its price is added."""
    seen = reward.state in ("live", "paused")
    if member is not None and member.status != "active":
        found.append(Reason("member_not_active", "the account is frozen", "le compte est gelé"))
    if reward.state != "live":
        found.append(Reason("not_live", "it is not offered now", "elle n'est pas proposée en ce moment"))
    since, until = window(reward, plan)
    if at < since:
        seen = False
        found.append(Reason("not_yet", "it is not offered yet", "elle n'est pas encore proposée"))
    if at >= until:
        seen = False
        found.append(Reason("no_longer", "it is no longer offered", "elle n'est plus proposée"))
    if member is None:
        return seen
    country = member.country
    if reward.countries and country is not None and country not in reward.countries:
        seen = False
        found.append(
            Reason(
                "not_in_country", f"it cannot be had in {country}", f"elle n'est pas disponible en {country}"
            )
        )
    audience = reward.audience
    if audience is not None and audience.tiers is not None and member.tier not in audience.tiers:
        seen = False
        tiers_en, tiers_fr = (_tiers(plan.program, audience.tiers, language) for language in ("en", "fr"))
        found.append(Reason("not_for_tier", f"it is for {tiers_en}", f"elle est réservée à {tiers_fr}"))
    if audience is not None and audience.members is not None and not _meets(plan, audience.members, member):
        seen = False
        found.append(
            Reason("not_for_member", "it is for other members", "elle est réservée à d'autres membres")
        )
    return seen


def _affordable(
    plan: Plan, reward: Reward, member: MemberStanding | None, prices: list[Asked], found: list[Reason]
) -> None:
    if not prices:
        found.append(
            Reason(
                "not_for_sale",
                "it comes only with another reward",
                "elle ne vient qu'avec une autre récompense",
            )
        )
        return
    if member is None:
        return
    for key, text in reward.minimum_points.items():
        least, has = to_minor(text, plan.currencies[key].scale), member.spendable.get(key, 0)
        if has < least:
            found.append(
                Reason(
                    "below_minimum",
                    f"it takes a balance of {points_words(plan, key, least, 'en')}",
                    f"il faut un solde de {points_words(plan, key, least, 'fr')}",
                )
            )
    allowed = [price for price in prices if price.allowed]
    if not allowed:
        found.append(
            Reason("no_price_for_tier", "no price is for this tier", "aucun prix n'est prévu pour ce niveau")
        )
        return
    if all(price.missing for price in allowed):
        nearest = min(allowed, key=lambda price: (len(price.missing), sum(price.missing.values())))
        found.append(too_few(plan, nearest.missing))


def too_few(plan: Plan, missing: Mapping[str, int]) -> Reason:
    """Why a price cannot be paid yet: the points that are missing, in minor units by currency."""
    return Reason(
        "too_few_points",
        f"{_together(plan, missing, 'en')} are missing",
        f"il manque {_together(plan, missing, 'fr')}",
    )


def points_words(plan: Plan, currency: str, minor: int, language: str) -> str:
    """An amount of points for reading, with the currency's own noun: "120 stars", "1,5 étoile"."""
    known = plan.currencies[currency]
    unit = 10**known.scale
    declared = next(item for item in plan.program.point_currencies if item.key == currency)
    noun = declared.name.fr if language == "fr" else declared.name.en
    # French counts everything below 2 as one, English only 1 itself.
    single = minor < 2 * unit if language == "fr" else minor == unit
    text = from_minor(minor, known.scale)
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return f"{localized(text, language)} {currency if noun is None else noun.one if single else noun.other}"


def _together(plan: Plan, amounts: Mapping[str, int], language: str) -> str:
    words = [points_words(plan, key, minor, language) for key, minor in amounts.items()]
    return (" et " if language == "fr" else " and ").join(words)


def _tiers(program: Program, keys: list[str], language: str) -> str:
    ladder = program.tiers.tiers if program.tiers is not None else []
    named = {tier.key: tier.name for tier in ladder}
    words = [
        (named[key].fr or named[key].en if language == "fr" else named[key].en or named[key].fr)
        if key in named
        else key
        for key in keys
    ]
    return (" ou " if language == "fr" else " or ").join(words)


_conditions: OrderedDict[tuple[str, int, bytes], Callable[[Any], bool]] = OrderedDict()


def _meets(plan: Plan, condition: Condition, member: MemberStanding) -> bool:
    """Whether a member meets a condition. One that the program no longer understands is met by nobody."""
    known_as = (plan.program.key, plan.version, msgspec.json.encode(condition))
    with _lock:
        compiled = _conditions.get(known_as)
    if compiled is None:
        wrong = check(condition, audience_fields(plan.program), "")
        compiled = _nobody if wrong else compile_condition(condition, plan.program, SALE)
        with _lock:
            _conditions[known_as] = compiled
            while len(_conditions) > _CACHED:
                _conditions.popitem(last=False)
    asked: Any = _AsAsked(plan, member)
    return compiled(asked)


def _nobody(_: Any) -> bool:
    return False


def audience_fields(program: Program) -> dict[str, FieldType]:
    """What the condition of an audience may ask: what is known of a member before he does anything."""
    return {
        name: field
        for name, field in fields(program, SALE).items()
        if name in AUDIENCE_FIELDS or name.startswith("member.")
    }


class _AsAsked:
    """A member as a condition of an audience reads him."""

    __slots__ = ("member", "memberships", "segments", "tier")

    def __init__(self, plan: Plan, standing: MemberStanding) -> None:
        levels = list(plan.levels)
        self.tier = levels.index(standing.tier) if standing.tier in levels else 0
        self.memberships = standing.memberships
        self.segments: frozenset[str] = frozenset()
        self.member = standing.attributes
