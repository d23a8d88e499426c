"""The catalogue for those who keep it: what is on the shelf, each reward with its versions, and making a new one.

A reward is edited as its document, checked as it is typed. Writing it makes a version that says who, when and why.
"""

from __future__ import annotations

from typing import Any, Final

from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from palier.insights import queries
from palier.insights.queries import Compared
from palier.rewards import catalogue, changes, files, operations, stock
from palier.rewards.catalogue import Terms
from palier.rewards.document import Reward
from palier.rewards.operations import NotTaken
from palier.rewards.stock import Level
from palier.web.console.board.answers import NONE, Answer, Cell, Column, Table, Telling, period_asked, shown
from palier.web.console.stock_words import part_words
from palier.web.console.visits import StaffVisit, of_staff
from palier.web.refusals import told
from palier.web.ui import pictures

ON_A_PAGE: Final = 50
MOST_BYTES: Final = 200_000
KINDS_TO_BEGIN: Final = ("product", "percent_off", "amount_off", "service", "experience", "donation")

_STATES: Final = {"live": "good", "draft": "plain", "paused": "warn", "retired": "plain"}


def _state(reward: Reward) -> Cell:
    words = {"live": _("live"), "draft": _("draft"), "paused": _("paused"), "retired": _("retired")}
    return Cell(words.get(reward.state, reward.state), chip=_STATES.get(reward.state, "plain"))


@require_GET
@of_staff("rewards:read")
def rewards(made: StaffVisit) -> HttpResponse:
    """The catalogue: every reward with its price, what is left of it, and how often it was ordered."""
    told, period = Telling(made), period_asked(made)
    asked = made.request.GET.get("q", "")[:80]
    after = made.request.GET.get("after", "")[:80]
    found = queries.read(made.connection, made.runtime, period, now=made.now)
    terms = catalogue.shelf(made.connection, made.program_id, words=asked, after=after, limit=ON_A_PAGE + 1)
    levels = stock.read(made.connection, made.program_id, [stock.of_reward(one.reward.key) for one in terms])
    question = _("Which rewards are wanted?")
    content: dict[str, Any] = {"asked": asked, "may_write": made.may("rewards:write"), "next": ""}
    if not terms and not asked and not after:
        answer = Answer(
            question,
            empty=(
                "gift",
                _("The shelf is empty"),
                _(
                    "A reward is what members save for. The first one can be small: a coffee, a "
                    "delivery, a thank-you."
                ),
            ),
        )
        if made.may("rewards:write"):
            answer.step = (_("Make the first reward"), told.address("reward-new"))
        return shown(made, answer, template="console/board/rewards.html", content={**content, "bare": True})
    ordered = found.ordered
    total = sum(figure.now for figure in ordered.values())
    if total:
        most = max(ordered, key=lambda key: ordered[key].now)
        named = catalogue.terms(made.connection, made.program_id, most, made.now)
        sentence = ngettext(
            "%(count)s reward was ordered in the last %(days)s days; most wanted is “%(name)s” with %(most)s.",
            "%(count)s rewards were ordered in the last %(days)s days; most wanted is “%(name)s” with %(most)s.",
            total,
        ) % {
            "count": told.count(total),
            "days": told.count(period.days),
            "name": told.words.text(named.reward.name) if named is not None else most,
            "most": told.count(ordered[most].now),
        }
    else:
        sentence = _("No reward was ordered in the last %(days)s days.") % {"days": told.count(period.days)}
    listed = [one.reward for one in terms[:ON_A_PAGE]]
    drawn = pictures.of_rewards(made.connection, made.runtime, listed, made.words)
    rows = [
        [
            Cell(
                told.words.text(one.reward.name),
                told.address("reward", one.reward.key),
                note=one.reward.key,
                picture=drawn.get(one.reward.key),
                symbol=pictures.drawing_for(one.reward),
            ),
            _state(one.reward),
            Cell(_prices(told, one.reward)),
            Cell(_left(told, levels, one.reward)),
            Cell(told.count(ordered.get(one.reward.key, Compared()).now)),
            Cell(told.change(ordered.get(one.reward.key, Compared()), found.comparable)),
            Cell(told.count(one.version)),
        ]
        for one in terms[:ON_A_PAGE]
    ]
    answer = Answer(question, sentence)
    answer.tables.append(
        Table(
            "rewards",
            _("The shelf"),
            (
                Column(_("Reward"), figure=False),
                Column(_("State"), figure=False),
                Column(_("Price"), figure=False),
                Column(_("Left")),
                Column(_("Ordered")),
                Column(_("Change")),
                Column(_("Version")),
            ),
            rows,
        )
    )
    if len(terms) > ON_A_PAGE:
        content["next"] = terms[ON_A_PAGE - 1].reward.key
    return shown(made, answer, period, template="console/board/rewards.html", content=content)


def _prices(told: Telling, reward: Reward) -> str:
    """The prices of a reward in words, the first ones."""
    said = []
    for price in reward.prices[:3]:
        parts = [told.words.rate_points(amount, key) for key, amount in price.points.items()]
        if price.money is not None:
            parts.append(f"{told.words.decimal(price.money.amount)} {price.money.currency}")
        said.append(" + ".join(parts) or _("free"))
    return " · ".join(said) or NONE


def _left(told: Telling, levels: dict[str, Level], reward: Reward) -> str:
    level = levels.get(stock.of_reward(reward.key))
    if level is not None and level.total is not None:
        return told.count(max(0, level.total - level.held - level.sold))
    return told.count(reward.stock) if reward.stock is not None else _("without end")


@require_GET
@of_staff("rewards:read")
def reward(made: StaffVisit, reward: str) -> HttpResponse:
    """One reward: what it says now, what is left, and each of its versions with who, when, why and what changed."""
    told = Telling(made)
    versions = catalogue.versions(made.connection, made.program_id, reward)
    if not versions:
        raise Http404
    latest = versions[-1]
    in_force = catalogue.terms(made.connection, made.program_id, reward, made.now)
    shown_versions = []
    before: Reward | None = None
    for version in versions:
        shown_versions.append(
            {
                "number": version.number,
                "begins": told.words.day(version.valid_from),
                "made": told.words.day(version.made_at),
                "by": version.made_by,
                "reason": version.reason,
                "changes": [
                    change.said(told.language) for change in changes.difference(before, version.reward)
                ],
                "in_force": in_force is not None and in_force.version == version.number,
            }
        )
        before = version.reward
    levels = stock.with_parts(made.connection, made.program_id, reward)
    rows = [
        [
            Cell(part_words(stock.part_of(level.key), latest.reward, told.words) or _("the whole reward")),
            Cell(told.count(level.total) if level.total is not None else _("without end")),
            Cell(told.count(level.held)),
            Cell(told.count(level.sold)),
            Cell(
                told.count(max(0, level.total - level.held - level.sold))
                if level.total is not None
                else _("without end")
            ),
        ]
        for level in levels
    ]
    table = Table(
        "stock",
        _("Stock"),
        (
            Column(_("Of what"), figure=False),
            Column(_("In all")),
            Column(_("Held")),
            Column(_("Handed out")),
            Column(_("Left")),
        ),
        rows,
    )
    return made.page(
        "console/board/reward.html",
        {
            "reward": latest.reward,
            "name": told.words.text(latest.reward.name),
            "summary": told.words.text(latest.reward.summary) if latest.reward.summary is not None else "",
            "state": _state(latest.reward),
            "prices": _prices(told, latest.reward),
            **_pictured(made, latest.reward),
            "versions": shown_versions[::-1],
            "table": table if rows else None,
            "may_write": made.may("rewards:write"),
        },
    )


def _pictured(made: StaffVisit, reward: Reward) -> dict[str, Any]:
    """A reward's picture, or the drawing that stands in for it."""
    shown = pictures.of_rewards(made.connection, made.runtime, [reward], made.words)
    return {"shown": shown.get(reward.key), "symbol": pictures.drawing_for(reward)}


@require_http_methods(["GET", "POST"])
@of_staff("rewards:write")
def edit(made: StaffVisit, reward: str | None = None) -> HttpResponse:
    """The document of a reward, to be changed or made: written as a version, with a reason."""
    latest: Terms | None = None
    if reward is not None:
        latest = next(catalogue.latest(made.connection, made.program_id, [reward]), None)
        if latest is None:
            raise Http404
    began = latest.version if latest is not None else 0
    content: dict[str, Any] = {
        "key": reward,
        "name": made.words.text(latest.reward.name) if latest is not None else "",
        "version": began,
        "reason": made.request.POST.get("reason", "")[: operations.LONGEST_REASON],
        "kinds": KINDS_TO_BEGIN,
    }
    if latest is not None:
        content |= _pictured(made, latest.reward)
    if made.request.method == "GET":
        text = files.write_one(latest.reward) if latest is not None else _beginning(made)
        content["text"] = text
        content |= _judged(made, text, reward)
        return made.page("console/board/reward_edit.html", content)
    text = made.request.POST.get("document", "")[:MOST_BYTES]
    content["text"] = text
    content |= _judged(made, text, reward)
    error = ""
    if made.request.POST.get("version", str(began)) != str(began):
        error = _("Somebody wrote a newer version meanwhile. Look at it, then write yours again.")
    elif content["read"] is None:
        error = _("Nothing was written: the document has errors.")
    elif not content["reason"].strip():
        error = _("Say why: it stands with the version for whoever looks later.")
    else:
        try:
            written = operations.put(
                made.connection,
                made.runtime,
                content["read"],
                by=made.person.actor,
                reason=content["reason"].strip(),
                now=made.now,
            )
        except NotTaken as refused:
            made.connection.rollback()
            content["problems"] = [_problem(problem) for problem in refused.problems]
            error = _("Nothing was written: the document has errors.")
        else:
            made.connection.commit()
            values = {"number": written.number, "key": written.key}
            made.say(
                _("Version %(number)d of %(key)s is written.") % values
                if written.is_new
                else _("Nothing changed: version %(number)d says the same.") % values
            )
            return made.go("reward", written.key)
    content["error"] = error
    return made.page("console/board/reward_edit.html", content, 422)


@require_POST
@of_staff("rewards:write")
def judge(made: StaffVisit) -> HttpResponse:
    """What is wrong with the document of a reward as it is typed: a part of the page."""
    key = made.request.POST.get("key") or None
    text = made.request.POST.get("document", "")[:MOST_BYTES]
    return made.page("console/board/reward_problems.html", _judged(made, text, key))


def _judged(made: StaffVisit, text: str, key: str | None) -> dict[str, Any]:
    """The reward that a text says, its problems, and what it would change."""
    found = files.read_one(text.encode(), made.program, catalogue.known(made.connection, made.program_id))
    problems = [{**_problem(item), "line": item.line, "severity": item.severity} for item in found.problems]
    latest = None
    if found.reward is not None and key is not None and found.reward.key != key:
        problems.append(
            {
                "path": "key",
                "line": 1,
                "message": _("The key of a reward stays: %(key)s.") % {"key": key},
                "remedy": _("Make a new reward for another key."),
                "severity": "error",
            }
        )
        return {"read": None, "problems": problems, "changes": []}
    if found.reward is not None:
        latest = next(catalogue.latest(made.connection, made.program_id, [found.reward.key]), None)
    said = (
        [
            change.said(made.language)
            for change in changes.difference(latest.reward if latest else None, found.reward)
        ]
        if found.reward is not None
        else []
    )
    return {"read": found.reward, "problems": problems, "changes": said}


def _problem(problem: Any) -> dict[str, Any]:
    """A problem of a document, as pages name it."""
    return {
        "path": problem.path,
        "message": told(problem.said),
        "remedy": told(problem.advice),
        "severity": getattr(problem, "severity", "error"),
        "line": getattr(problem, "line", None),
    }


def _beginning(made: StaffVisit) -> str:
    """A document to begin from: a product for points of the program's first currency."""
    currencies = [item.key for item in made.program.point_currencies if item.kind == "points"]
    currency = currencies[0] if currencies else "points"
    return (
        "key: free_coffee\n"
        "name: {en: A coffee on us, fr: Un café offert}\n"
        "summary: {en: Any coffee of the menu., fr: Un café de la carte au choix.}\n"
        "gives: {kind: product, sku: COFFEE}\n"
        "prices:\n"
        f'  - points: {{{currency}: "100"}}\n'
        "state: draft\n"
    )


def edit_address(key: str, reward: str | None) -> str:
    """Where a reward is edited, or a new one made."""
    return (
        reverse("console:reward-edit", args=[key, reward])
        if reward
        else reverse("console:reward-new", args=[key])
    )


__all__ = ["edit", "judge", "reward", "rewards"]
