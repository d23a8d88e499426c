"""What a member's pages say, made of what the rooms tell: numbers with their units, distances in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from msgspec.structs import replace

from palier.activities import queries
from palier.activities.pursuits import GoalNow, StepNow, StreakNow
from palier.activities.queries import Line, NextTier, Standing, Wallets
from palier.activities.telling import Story, tell
from palier.engine.amounts import from_minor, ratio
from palier.engine.currencies import exponent, localized
from palier.engine.facts import RETURN, SALE, VISIT
from palier.engine.plan import Plan
from palier.engine.state import NEVER
from palier.engine.words import NO_BREAK, ProgramWords
from palier.rewards import order_queries
from palier.web.portal.visits import Visit
from palier.web.ui.icons import drawing
from palier.web.ui.stair import Landing, stair


@dataclass(frozen=True, slots=True)
class Balance:
    """What a member has of one point currency, ready to be read."""

    currency: str
    number: str
    unit: str
    expiry: str
    pending: str
    debt: str
    worth: str
    empty: bool
    icon: str = ""


@dataclass(frozen=True, slots=True)
class Way:
    """A stair with its sentence."""

    title: str
    drawing: SafeString
    sentence: str
    note: str = ""
    steps: list[Step] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a goal: its name, what it gives, whether it is reached."""

    name: str
    gives: str
    reached: bool


def _days(days: int) -> str:
    if days <= 0:
        return _("today")
    if days == 1:
        return _("tomorrow")
    return ngettext("in %(count)d day", "in %(count)d days", days) % {"count": days}


def when(words: ProgramWords, at: int, now: int, near: int = 14) -> str:
    """An instant that lies ahead: relative when near ("tomorrow", "in 3 days"), else its day."""
    days = words.clock.local(at)[0] - words.clock.local(now)[0]
    return _days(days) if 0 <= days <= near else words.day(at)


def ago(words: ProgramWords, at: int, now: int) -> str:
    """An instant that has passed: "today", "yesterday", else its day."""
    days = words.clock.local(now)[0] - words.clock.local(at)[0]
    return _("today") if days <= 0 else _("yesterday") if days == 1 else words.day(at)


def until(words: ProgramWords, end: int, now: int) -> str:
    """Until when something lasts: its last day, relative when near; the time too where it ends within a day."""
    return when(words, end - 1, now) if words.with_its_day(end) else words.moment(end)


def balance(words: ProgramWords, found: Wallets, currency: str) -> Balance:
    """One wallet; `currency` is a point currency of the program."""
    wallet = found.wallets[currency]
    spendable = wallet.spendable
    ends = sorted((lot.spendable_until, lot.spendable) for lot in wallet.lots if lot.spendable)
    expiry = ""
    if ends and ends[0][0] < NEVER:
        first = ends[0][0]
        amount = sum(points for until, points in ends if until == first)
        expiry = _("%(points)s to use by %(day)s") % {
            "points": words.points(amount, currency),
            "day": until(words, first, found.as_of),
        }
        near = words.clock.local(first - 1)[0] - words.clock.local(found.as_of)[0] <= 14
        if near and words.with_its_day(first):
            expiry = _("%(points)s to use %(day)s") % {
                "points": words.points(amount, currency),
                "day": _by(words, first, found.as_of),
            }
    elif spendable:
        expiry = _("They do not expire.") if words.several(spendable, currency) else _("It does not expire.")
    declared = words.units[currency]
    worth = ""
    if declared.value is not None and spendable > 0 and declared.kind == "points":
        top, bottom = ratio(declared.value)
        cents = spendable * top * 10 ** exponent(words.program.currency) // (bottom * 10**declared.scale)
        worth = words.money(cents) if cents else ""
    return Balance(
        currency,
        words.number(spendable, currency),
        words.noun(currency, not words.several(spendable, currency)),
        expiry,
        _("%(points)s on the way") % {"points": words.points(wallet.pending, currency)}
        if wallet.pending > 0
        else "",
        _("%(points)s owed after a return") % {"points": words.points(wallet.debt, currency)}
        if wallet.debt
        else "",
        worth,
        not (spendable or wallet.pending or wallet.debt),
        drawing(declared.icon),
    )


@dataclass(frozen=True, slots=True)
class Ending:
    """What ends on one day unless it is used: how much, and when."""

    points: str
    day: str


MOST_ENDINGS = 6


def expiries(words: ProgramWords, found: Wallets) -> list[Ending]:
    """What of these wallets ends when, soonest first, what ends on one day together; one entry is no list."""
    sums: dict[tuple[int, str], int] = {}
    first: dict[tuple[int, str], int] = {}
    for item in queries.expiries(found):
        points = item.spendable + item.held + item.pending
        if points and item.spendable_until < NEVER and item.currency in words.units:
            key = (words.clock.local(item.spendable_until - 1)[0], item.currency)
            sums[key] = sums.get(key, 0) + points
            first[key] = min(first.get(key, NEVER), item.spendable_until)
    if len(sums) < 2:
        return []
    return [
        Ending(words.points(points, currency), words.last(first[day, currency]))
        for (day, currency), points in sorted(sums.items())[:MOST_ENDINGS]
    ]


def _by(words: ProgramWords, end: int, now: int) -> str:
    days = words.clock.local(end - 1)[0] - words.clock.local(now)[0]
    if days <= 0:
        return _("by tonight")
    if days == 1:
        return _("by tomorrow")
    return ngettext("within %(count)d day", "within %(count)d days", days) % {"count": days}


def currencies_of(plan: Plan, *kinds: str) -> list[str]:
    """The program's point currencies of these kinds, in the order of the document."""
    return [item.key for item in plan.program.point_currencies if item.kind in kinds]


# --- tiers ------------------------------------------------------------------------------------------------


def tier_way(plan: Plan, words: ProgramWords, found: Standing) -> Way | None:
    """The ladder as a stair, with what is missing to the next tier; None where the program has no tiers."""
    ladder = plan.program.tiers
    if ladder is None:
        return None
    keys = [tier.key for tier in ladder.tiers]
    names = [words.tier(key) for key in keys]
    base = plan.levels[0]
    if base not in keys:
        keys, names = [base, *keys], [_("Start"), *names]
    at = keys.index(found.tier) if found.tier in keys else 0
    landings = [
        Landing(name, "reached" if index < at else "present" if index == at else "ahead")
        for index, name in enumerate(names)
    ]
    share = (0, 1)
    if found.next is None:
        sentence = _("You hold the highest tier, %(tier)s.") % {"tier": names[at]}
    else:
        sentence = _distance(plan, words, found.next)
        share = _share(found.next)
    note = ""
    if found.held_until:
        note = _("%(tier)s is kept until %(day)s.") % {
            "tier": names[at],
            "day": words.day(found.held_until - 1),
        }
    elif found.period_ends_at < NEVER and found.next is not None:
        note = _("Counted until %(day)s.") % {"day": words.day(found.period_ends_at - 1)}
    described = ", ".join(names[: at + 1]) + ". " + sentence
    return Way(names[at], mark_safe(stair(landings, described, share=share)), sentence, note)  # noqa: S308


def _distance(plan: Plan, words: ProgramWords, following: NextTier) -> str:
    parts = []
    for threshold in following.thresholds:
        if not threshold.missing:
            if following.needs == "any":
                return _("Your next activity takes you to %(tier)s.") % {"tier": words.tier(following.key)}
            continue
        parts.append(metric_words(plan, words, threshold.metric, threshold.missing))
    joined = (_(" or ") if following.needs == "any" else _(" and ")).join(parts)
    return _("%(distance)s to go until %(tier)s.") % {"distance": joined, "tier": words.tier(following.key)}


def metric_words(plan: Plan, words: ProgramWords, metric: str, minor: int) -> str:
    """So much of a tier's metric: money spent, points earned, visits."""
    if metric == "spend":
        return words.money(minor)
    if metric == "visits":
        return ngettext("%(count)s visit", "%(count)s visits", minor) % {
            "count": localized(str(minor), words.language)
        }
    ladder = plan.program.tiers
    currency = ladder.points_currency if ladder is not None else None
    return words.points(minor, currency) if currency else str(minor)


def _share(following: NextTier) -> tuple[int, int]:
    """How far: the nearest threshold where one is enough, else the furthest."""
    shares = [
        (min(item.current, item.at_least), item.at_least) for item in following.thresholds if item.at_least
    ]
    if not shares:
        return 0, 1
    ordered = sorted(shares, key=lambda pair: pair[0] * 10**6 // pair[1])
    return ordered[-1] if following.needs == "any" else ordered[0]


# --- goals and streaks ------------------------------------------------------------------------------------


def given_words(words: ProgramWords, given: tuple[tuple[str, int], ...]) -> str:
    """What something gives: "50 stars", "1 free coffee"."""
    return ", ".join(words.points(minor, currency) for currency, minor in given)


def measure_words(words: ProgramWords, goal: GoalNow, minor: int) -> str:
    """So much of what a goal measures."""
    if goal.measure == "spend":
        return words.money(minor)
    if goal.currency:
        return words.points(minor, goal.currency)
    number = localized(from_minor(minor, goal.decimals), words.language)
    one = 10**goal.decimals
    several = minor >= 2 * one if words.fr else minor != one
    names = {
        "visit": (_("visit"), _("visits")),
        "unit": (_("item"), _("items")),
        "category": (_("category"), _("categories")),
        "sku": (_("product"), _("products")),
        "partner": (_("partner"), _("partners")),
        "location": (_("place"), _("places")),
        "channel": (_("channel"), _("channels")),
        "day": (_("day"), _("days")),
    }.get(goal.counts, (_("time"), _("times")))
    return f"{number}{NO_BREAK}{names[several]}"


def goal_way(words: ProgramWords, goal: GoalNow, now: int) -> Way:
    """A goal as a stair, its next step, and how far it is in words."""
    landings: list[Landing] = []
    reached = [step for step in goal.steps if step.reached]
    for index, step in enumerate(goal.steps):
        state: Literal["reached", "present", "ahead"] = "reached" if step.reached else "ahead"
        if step.reached and index == len(reached) - 1 and goal.missing is not None:
            state = "present"
        landings.append(Landing(_step_name(words, goal, step), state))
    if not reached or len(goal.steps) == 1:
        landings = [Landing(_("Start"), "present"), *landings] if not reached else landings
    before = reached[-1].at if reached else 0
    following = next((step for step in goal.steps if not step.reached), None)
    share = (0, 1)
    note = ""
    if goal.state == "planned":
        sentence = _("Begins %(day)s.") % {"day": words.day(goal.starts_at)}
    elif goal.missing is None or following is None:
        sentence = _("Reached. Well done.")
    else:
        share = (max(0, goal.position - before), max(1, following.at - before))
        gives = given_words(words, following.given) or words.text(following.name)
        distance = measure_words(words, goal, goal.missing)
        sentence = (
            _("%(distance)s to go: %(reward)s.") % {"distance": distance, "reward": gives}
            if gives
            else _("%(distance)s to go until the next step.") % {"distance": distance}
        )
    if goal.ends_at < NEVER and goal.state == "open":
        note = _("Counts until %(day)s.") % {"day": words.last(goal.ends_at)}
    title = words.text(goal.name)
    described = f"{title}. {sentence}"
    steps = [
        Step(_step_name(words, goal, step), given_words(words, step.given), step.reached)
        for step in goal.steps
    ]
    return Way(title, mark_safe(stair(landings, described, share=share)), sentence, note, steps)  # noqa: S308


def _step_name(words: ProgramWords, goal: GoalNow, step: StepNow) -> str:
    return words.text(step.name) or measure_words(words, goal, step.at)


def streak_words(words: ProgramWords, streak: StreakNow, now: int) -> str:
    """How a streak stands, in a sentence."""
    count = streak.length
    length = {
        "day": ngettext("%(count)d day in a row", "%(count)d days in a row", count),
        "week": ngettext("%(count)d week in a row", "%(count)d weeks in a row", count),
        "month": ngettext("%(count)d month in a row", "%(count)d months in a row", count),
    }.get(streak.period, ngettext("%(count)d time in a row", "%(count)d times in a row", count)) % {
        "count": count
    }
    if streak.state == "not_begun":
        return _("Not begun yet.")
    if streak.state == "lapsed":
        return _("It ended; the best was %(count)d.") % {"count": streak.best}
    if streak.state == "at_risk" and streak.deadline < NEVER:
        return _("%(length)s. It ends %(day)s unless you come.") % {
            "length": length,
            "day": when(words, streak.deadline - 1, now),
        }
    return length + "."


def told_lines(visit: Visit, before: int | None, limit: int) -> tuple[list[Story], int | None]:
    """A page of the member's history: stories, and where the next page begins."""
    lines = queries.history(
        visit.connection, visit.runtime.program_id, visit.member_id, before=before, limit=limit + 1
    )
    shown = lines[:limit]
    return told(visit, shown), shown[-1].activity_id if len(lines) > limit else None


def told(visit: Visit, lines: Sequence[Line]) -> list[Story]:
    """Lines of the member's history as stories; who gave points, or was given them, is nobody's to read there."""
    return [_nameless(story) for story in tell(visit.connection, visit.runtime, visit.member_id, lines)]


def _nameless(story: Story) -> Story:
    if story.fact is None or story.line.type not in ("transfer_out", "transfer_in"):
        return story
    fact = replace(story.fact, other_member="")
    return replace(story, fact=fact, told=replace(story.told, fact=fact))


def rewards_of(visit: Visit, stories: Sequence[Story]) -> dict[int, str]:
    """What a line's points went to, where that was a reward: line -> its name."""
    found = order_queries.of_lines(
        visit.connection,
        visit.runtime.program_id,
        visit.member_id,
        {story.line.activity_id: (story.line.source, story.line.id) for story in stories},
    )
    if not found:
        return {}
    known = order_queries.rewards_of(visit.connection, visit.runtime.program_id, list(found.values()))
    return {line: visit.words.text(known[order.reward].name) for line, order in found.items()}


def name_of(texts: dict[str, str], words: ProgramWords) -> str:
    """A text that is stored by language."""
    return texts.get(words.language) or next(iter(texts.values()), "")


def _played(words: ProgramWords, story: Story) -> str:
    """The game that was played and what came out, by the version that judged it."""
    for key, place, _prize in story.line.trace.draws:
        for game in story.plan.program.games:
            if game.key == key and place < len(game.prizes):
                return f"{words.text(game.name)}{words.say(': ', NO_BREAK + ': ')}{words.text(game.prizes[place].name)}"
    return ""


def heading(words: ProgramWords, story: Story, reward: str = "") -> str:
    """What happened, in a few words, with the reward that it was about; how it was counted stands below it."""
    fact = story.fact
    if fact is not None and story.line.corrects is None:
        if story.line.type == SALE:
            return _("Purchase of %(money)s") % {"money": words.money(fact.amount)}
        if story.line.type == RETURN:
            return (
                _("Return of %(money)s") % {"money": words.money(fact.amount)} if fact.amount else _("Return")
            )
        if story.line.type == VISIT:
            return _("Visit")
        if story.line.type == "joined":
            return _("You joined")
        if story.line.type == "transfer_out":
            return _("Given to another member")
        if story.line.type == "transfer_in":
            return _("Given by another member")
        if story.line.type == "play":
            played = _played(words, story)
            if played:
                return played
    # What happened is the first thing told; the others, and out of which lots, stand below.
    step = story.steps(words.language)[0]
    colon = words.say(": ", NO_BREAK + ": ")
    text = step.text.partition(colon)[0] if story.line.type in ("redeem", "capture") else step.text
    title = step.title or reward
    text = f"{title}{colon}{text}" if title else text
    return text[:1].upper() + text[1:]


def first_name(attributes: Mapping[str, object]) -> str:
    """What a member is greeted with, where the program keeps a name of his; "" otherwise."""
    for key in ("first_name", "given_name", "name"):
        value = attributes.get(key)
        if isinstance(value, str) and value.strip():
            return value.split()[0]
    return ""
