"""Goals: stairs, stamp cards, challenges with opt-in, streaks with freezes, badges, quizzes, and games to play."""

from __future__ import annotations

from dataclasses import dataclass
from secrets import token_hex
from typing import Any, Literal

from django.http import Http404, HttpResponse
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from palier.activities import queries
from palier.activities.pursuits import GoalNow, Pursuits, QuizNow, StreakNow
from palier.engine import mechanics
from palier.engine.program import PointCurrency
from palier.engine.state import NEVER
from palier.engine.words import ProgramWords
from palier.web.portal import telling
from palier.web.portal.play import doing
from palier.web.portal.telling import Way
from palier.web.portal.visits import Visit, of_member
from palier.web.ui.icons import drawing
from palier.web.ui.stair import Landing, stair

MOST_STAMPS = 20
"""A card with more is drawn as a stair."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """One place on a stamp card: given or not, and what reaching it gives."""

    number: int
    given: bool
    gives: str


@dataclass(frozen=True, slots=True)
class Goal:
    """A goal as its card shows it."""

    key: str
    kind: str
    way: Way
    stamps: list[Stamp]
    count: str
    rounds: str
    joining: str
    state: str


@dataclass(frozen=True, slots=True)
class Streak:
    """A streak: its stair where lengths give something, and how to keep it."""

    name: str
    length: int
    sentence: str
    drawing: SafeString
    following: str
    freezes: str
    risk: bool
    running: bool
    best: str


@dataclass(frozen=True, slots=True)
class Badge:
    """A badge of the shelf, earned (with its day) or still to be earned (by what)."""

    name: str
    earned: bool
    count: int
    said: str
    icon: str


def goal_card(words: ProgramWords, goal: GoalNow, now: int) -> Goal:
    """A goal with its stamps where it is a card that fits."""
    last = goal.steps[-1].at if goal.steps else 0
    stamps: list[Stamp] = []
    if goal.kind == "stamp_card" and not goal.decimals and 0 < last <= MOST_STAMPS:
        gives = {
            step.at: telling.given_words(words, step.given) or words.text(step.name) for step in goal.steps
        }
        stamps = [
            Stamp(number, number <= goal.position, gives.get(number, "")) for number in range(1, last + 1)
        ]
    rounds = ""
    if goal.rounds and goal.kind in ("stamp_card", "challenge") and goal.state != "done":
        rounds = ngettext("%(count)d filled already", "%(count)d filled already", goal.rounds) % {
            "count": goal.rounds
        }
    return Goal(
        goal.key,
        goal.kind,
        telling.goal_way(words, goal, now),
        stamps,
        _("%(have)s of %(all)s") % {"have": min(goal.position, last), "all": last} if stamps else "",
        rounds,
        goal.joining,
        goal.state,
    )


def streak_card(words: ProgramWords, streak: StreakNow, now: int) -> Streak:
    """A streak with the lengths that give something as a stair."""
    drawing = mark_safe("")
    following = ""
    sentence = telling.streak_words(words, streak, now)
    if streak.steps:
        landings: list[Landing] = []
        reached = sum(step.reached for step in streak.steps)
        if not reached:
            landings.append(Landing(_("Start"), "present"))
        for index, step in enumerate(streak.steps):
            state: Literal["reached", "present", "ahead"] = (
                "present" if index == reached - 1 else "reached" if step.reached else "ahead"
            )
            landings.append(Landing(str(step.at), state))
        before = streak.steps[reached - 1].at if reached else 0
        share = (0, 1)
        if reached < len(streak.steps):
            step = streak.steps[reached]
            share = (max(0, streak.length - before), max(1, step.at - before))
            missing = step.at - streak.length
            more = {
                "day": ngettext("%(count)d more day", "%(count)d more days", missing),
                "week": ngettext("%(count)d more week", "%(count)d more weeks", missing),
                "month": ngettext("%(count)d more month", "%(count)d more months", missing),
            }[streak.period] % {"count": missing}
            gives = telling.given_words(words, step.given)
            following = _("%(distance)s to go: %(reward)s.") % {"distance": more, "reward": gives}
        described = f"{words.text(streak.name)}. {sentence} {following}"
        drawing = mark_safe(stair(landings, described, share=share))  # noqa: S308
    freezes = ""
    if streak.tokens is not None:
        freezes = (
            ngettext(
                "%(count)d freeze in hand: one missed turn does not end it.",
                "%(count)d freezes in hand: each saves one missed turn.",
                streak.tokens,
            )
            % {"count": streak.tokens}
            if streak.tokens
            else _("No freeze in hand: a missed turn ends it.")
        )
    best = ""
    if streak.best > streak.length and streak.state != "lapsed":
        best = _("Best so far: %(count)d.") % {"count": streak.best}
    return Streak(
        words.text(streak.name),
        streak.length,
        sentence,
        drawing,
        following,
        freezes,
        streak.state == "at_risk",
        streak.state in ("running", "at_risk"),
        best,
    )


def shelf(words: ProgramWords, found: Pursuits) -> list[Badge]:
    """All badges of the program: those earned first, then those still to be earned and how."""
    held = {badge.currency: badge for badge in found.badges}
    earned = [
        Badge(
            telling.name_of(badge.name, words),
            True,
            badge.count,
            _("since %(day)s") % {"day": words.day(badge.earned_at)},
            drawing(badge.icon, "award"),
        )
        for badge in found.badges
    ]
    program = words.program
    return earned + [
        Badge(words.noun(currency.key, True).capitalize(), False, 0, _way_to(words, currency), "lock")
        for currency in program.point_currencies
        if currency.kind == "badge" and currency.key not in held
    ]


def _way_to(words: ProgramWords, badge: PointCurrency) -> str:
    """What gives a badge: the goal or the tier that does, by its name."""
    for goal in words.program.goals:
        if any(grant.currency == badge.key for step in goal.steps for grant in step.grants):
            return words.text(goal.name)
    for streak in words.program.streaks:
        if any(grant.currency == badge.key for step in streak.steps for grant in step.grants):
            return words.text(streak.name)
    for game in words.program.games:
        if any(grant.currency == badge.key for prize in game.prizes for grant in prize.grants):
            return words.text(game.name)
    return _("not yet")


@require_GET
@of_member
def goals(made: Visit) -> HttpResponse:
    """Everything that a member works towards, the challenges he may join, and what there is to play."""
    words = made.words
    standing = queries.standing(made.connection, made.runtime, made.member_id, now=made.now)
    assert standing is not None
    found = standing.pursuits
    cards = [goal_card(words, goal, made.now) for goal in found.goals if goal.steps and goal.state != "ended"]
    return made.page(
        "portal/play/goals.html",
        {
            "here": "home",
            "tier": telling.tier_way(made.runtime.latest, words, standing),
            "goals": [card for card in cards if card.joining in ("none", "joined")],
            "open": [card for card in cards if card.joining == "open"],
            "streaks": [streak_card(words, item, made.now) for item in found.streaks],
            "badges": shelf(words, found),
            "games": [
                {
                    "key": game.key,
                    "name": words.text(game.name),
                    "kind": game.kind,
                    "price": words.points(game.price[1], game.price[0]) if game.price else "",
                    "left": game.plays_left,
                    "until": words.last(game.ends_at) if game.ends_at < NEVER else "",
                }
                for game in found.games
            ],
            "quizzes": [
                {"key": quiz.key, "name": words.text(quiz.name), "left": quiz.attempts_left, "best": quiz.best,
                 "questions": quiz.questions}
                for quiz in found.quizzes
            ],
            "boards": bool(made.program.leaderboards),
            "friends": made.program.referral is not None,
            "once": token_hex(12),
            "told": made.request.session.pop("told", None),
        },
    )  # fmt: skip


@require_POST
@of_member
def opt(made: Visit, key: str) -> HttpResponse:
    """Takes part in a challenge, or no more."""
    written = next((goal for goal in made.program.goals if goal.key == key and goal.opt_in), None)
    if written is None:
        raise Http404
    leaves = made.request.POST.get("leave") == "yes"
    result = doing.act(made, "opt_out" if leaves else "opt_in", {"goal": key}, doing.once(made))
    if result.refusal is not None and result.status != "duplicate":
        made.request.session["told"] = ["bad", doing.refused(result.refusal.code)]
    else:
        text = _("You no longer take part.") if leaves else _("You take part from now on.")
        made.request.session["told"] = ["good", text]
    return made.go("goals")


# --- quizzes ----------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@of_member
def quiz(made: Visit, key: str) -> HttpResponse:
    """A quiz: its questions, its score at once, and the attempts that are left."""
    # The version in force: one that is published ahead may bring a quiz that nobody can take yet.
    plan = made.runtime.timeline.at(made.now) or made.runtime.latest
    written = next((item for item in plan.program.quizzes if item.key == key), None)
    if written is None:
        raise Http404
    content: dict[str, Any] = {"here": "home", "once": doing.once(made)}
    if made.request.method == "POST":
        answers = [made.request.POST.get(f"q{number}", "") for number in range(1, len(written.questions) + 1)]
        if not all(answer.isascii() and answer.isdigit() and len(answer) < 3 for answer in answers):
            content["error"] = _("Answer every question first. Nothing was counted.")
            return made.page(
                "portal/play/quiz.html",
                {**content, **_quiz_shown(made, written), "chosen": answers},
                422,
            )
        result = doing.act(made, "quiz", {"quiz": key, "answers": ",".join(answers)}, content["once"])
        if result.trace is not None:
            given = _given(made.words, result.trace.grants)
            made.request.session["told"] = [
                "good",
                ngettext("%(score)d of %(all)d right.", "%(score)d of %(all)d right.", result.trace.score)
                % {"score": result.trace.score, "all": len(written.questions)}
                + (" " + _("You get %(given)s.") % {"given": given} if given else ""),
            ]
        elif result.refusal is not None:
            made.request.session["told"] = ["bad", doing.refused(result.refusal.code)]
        return made.go("quiz", key=key)
    content["told"] = made.request.session.pop("told", None)
    return made.page("portal/play/quiz.html", {**content, **_quiz_shown(made, written)})


def _given(words: ProgramWords, grants: Any) -> str:
    return ", ".join(words.points(item.points, item.currency) for item in grants if item.points > 0)


def _quiz_shown(made: Visit, written: mechanics.Quiz) -> dict[str, Any]:
    words = made.words
    standing = queries.standing(made.connection, made.runtime, made.member_id, now=made.now)
    assert standing is not None
    now: QuizNow = next(item for item in standing.pursuits.quizzes if item.key == written.key)
    return {
        "quiz": {
            "key": written.key,
            "name": words.text(written.name),
            "left": now.attempts_left,
            "best": now.best,
            "count": now.questions,
            "steps": [(step.at, telling.given_words(words, step.given), step.reached) for step in now.steps],
        },
        "questions": [
            {
                "name": f"q{number}",
                "text": words.text(question.text),
                "answers": [
                    (str(place), words.text(answer.text)) for place, answer in enumerate(question.answers, 1)
                ],
            }
            for number, question in enumerate(written.questions, 1)
        ],
    }
