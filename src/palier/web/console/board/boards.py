"""What is in force, each kind with its figures: rules, tiers, goals, campaigns, partners, games."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from django.http import Http404, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from palier.activities import campaigns as campaigns_now
from palier.activities import sharing
from palier.activities.campaigns import CampaignNow
from palier.engine.brought import limit_of
from palier.engine.describe import describe
from palier.engine.plan import Plan
from palier.engine.program import Text
from palier.engine.state import NEVER
from palier.insights import queries
from palier.insights.queries import Compared, Insights, Period
from palier.programs.operations import pause_campaign
from palier.site.refusal import Refused
from palier.staff.operations import write_log
from palier.web.console.board.answers import (
    NONE,
    Answer,
    Cell,
    Column,
    Table,
    Telling,
    period_asked,
    shown,
)
from palier.web.console.board.figures import known_address, studio_of
from palier.web.console.board.meanings import means
from palier.web.console.visits import StaffVisit, of_staff
from palier.web.refusals import told
from palier.web.ui.chart import Bar, across

MOST_BARS: Final = 12
"""More bars than these are no drawing; the table tells them all."""


class _Board:
    """What the pages of this module share: the figures, the words, and what members read of each thing."""

    def __init__(self, made: StaffVisit) -> None:
        self.made = made
        self.told = Telling(made)
        self.period: Period = period_asked(made)
        self.plan: Plan = made.runtime.at(made.now)
        self.found: Insights = queries.read(made.connection, made.runtime, self.period, now=made.now)
        self._read: dict[str, str] | None = None

    def read(self, name: str) -> str:
        """What members read of the thing with this name."""
        if self._read is None:
            sections = describe(self.plan.program, self.told.language).sections
            self._read = {
                part.title: part.text for section in sections for part in section.parts if part.title
            }
        return self._read.get(name, "")

    def text(self, text: Text) -> str:
        return self.told.words.text(text)

    def change(self, figure: Compared) -> str:
        return self.told.change(figure, self.found.comparable)

    def answer(self, question: str, sentence: str) -> Answer:
        answer = Answer(question, sentence)
        studio = self.studio
        if studio:
            answer.act = (_("Change it in the studio"), studio)
        return answer

    @property
    def studio(self) -> str:
        """The address of the studio, for whoever may open it."""
        return studio_of(self.made)

    def without(self, question: str, symbol: str, title: str, text: str) -> HttpResponse:
        """The page where the program has nothing of the kind."""
        answer = Answer(question, empty=(symbol, title, text))
        if self.studio and self.made.may("programs:write"):
            answer.step = (_("Open the studio"), self.studio)
        return shown(self.made, answer)

    def shown(self, answer: Answer, **more: Any) -> HttpResponse:
        return shown(self.made, answer, self.period, **more)

    def days(self) -> str:
        """The period in words, in the middle of a sentence."""
        days = self.period.days
        return ngettext("in the last %(days)d day", "in the last %(days)d days", days) % {"days": days}

    def grants(self, kind: str, key: str) -> dict[str, Compared]:
        """What a mechanic gave, by currency, whatever its step or prize."""
        sums: dict[str, Compared] = {}
        for (cause, currency), figure in self.found.granted.items():
            of, _bar, rest = cause.partition(":")
            if of == kind and rest.partition(":")[0] == key:
                known = sums.get(currency, Compared())
                sums[currency] = Compared(known.now + figure.now, known.before + figure.before)
        return sums

    def units(self, amounts: dict[str, Compared]) -> str:
        """Amounts of several currencies in words."""
        said = [self.told.points(figure.now, key) for key, figure in amounts.items() if figure.now]
        return " · ".join(said) or NONE


# --- rules --------------------------------------------------------------------------------------------


@require_GET
@of_staff("programs:read")
def rules(made: StaffVisit) -> HttpResponse:
    """The rules in force: how often each brought points, how many, and whom it reached."""
    board = _Board(made)
    question = _("What brings points?")
    if not board.plan.rules:
        return board.without(
            question,
            "list-checks",
            _("No rule yet"),
            _(
                "A rule says what brings points. Begin with a program of the gallery, or write the first rule."
            ),
        )
    told, found = board.told, board.found
    names = {rule.key: board.text(rule.name) for rule in board.plan.program.rules}
    campaigns = {rule.key: campaign for campaign in board.plan.document.campaigns for rule in campaign.rules}
    figures = {item.rule: item for item in found.rules}
    total: dict[str, int] = {}
    for item in found.rules:
        total[item.currency] = total.get(item.currency, 0) + item.brought.now
    most = max(found.rules, key=lambda item: (item.brought.now, item.fired.now), default=None)
    if most is None or not most.brought.now:
        sentence = _("No rule brought points %(days)s.") % {"days": board.days()}
    else:
        sentence = _("“%(rule)s” brought most %(days)s: %(points)s, %(share)s of what rules brought.") % {
            "rule": names[most.rule],
            "days": board.days(),
            "points": told.points(most.brought.now, most.currency),
            "share": told.share(most.brought.now, total[most.currency]),
        }
    answer = board.answer(question, sentence)
    if most is not None and most.brought.now:
        of_one = [item for item in found.rules if item.currency == most.currency and item.brought.now]
        of_one.sort(key=lambda item: -item.brought.now)
        unit = told.words.noun(most.currency, False)
        answer.charts.append(
            across(
                [
                    Bar(
                        names[item.rule],
                        item.brought.now,
                        item.brought.before if found.comparable else None,
                    )
                    for item in of_one[:MOST_BARS]
                ],
                title=_("What rules brought (%(unit)s)") % {"unit": unit},
                described=_("%(points)s in all.")
                % {"points": told.points(total[most.currency], most.currency)},
                said=lambda minor: told.words.number(minor, most.currency),
                head=(_("Rule"), unit, *([_("period before")] if found.comparable else [])),
                source=means("brought")[0][1],
            )
        )
    rows = []
    for rule in board.plan.program.rules:
        of = figures.get(rule.key)
        if of is None:
            continue
        campaign = campaigns.get(rule.key)
        rows.append(
            [
                Cell(names[rule.key], note=board.read(names[rule.key])),
                Cell(
                    board.text(campaign.name) if campaign is not None else NONE,
                    told.address("campaigns") if campaign is not None else "",
                ),
                Cell(told.count(of.fired.now)),
                Cell(board.change(of.fired)),
                Cell(told.points(of.brought.now, of.currency)),
                Cell(board.change(of.brought)),
                Cell(told.count(of.members)),
                Cell(told.count(of.reached.now)),
            ]
        )
    answer.tables.append(
        Table(
            "rules",
            _("Rules in force"),
            (
                Column(_("Rule"), figure=False),
                Column(_("Campaign"), figure=False),
                Column(_("Times")),
                Column(_("Change")),
                Column(_("Points brought")),
                Column(_("Change")),
                Column(_("Members reached")),
                Column(_("New ones")),
            ),
            rows,
        )
    )
    answer.means = means("fired", "brought", "reached")
    return board.shown(answer)


# --- tiers --------------------------------------------------------------------------------------------


@require_GET
@of_staff("programs:read")
def tiers(made: StaffVisit) -> HttpResponse:
    """The ladder in force, with who holds what."""
    board = _Board(made)
    question = _("Who holds which tier?")
    ladder = board.plan.program.tiers
    if ladder is None:
        return board.without(
            question,
            "layers",
            _("No tiers"),
            _(
                "Tiers reward those who come often. A program works without them; add them when you need them."
            ),
        )
    told, found = board.told, board.found
    held = found.tiers
    whole = sum(figure.now for figure in held.values())
    top = ladder.tiers[-1].key
    keys = [tier.key for tier in ladder.tiers]
    share = dict(zip(keys, told.shares([held.get(key, Compared()).now for key in keys]), strict=True))
    sentence = ngettext(
        "%(count)s of %(members)s (%(share)s) holds %(tier)s, the highest tier.",
        "%(count)s of %(members)s (%(share)s) hold %(tier)s, the highest tier.",
        held.get(top, Compared()).now,
    ) % {
        "count": told.count(held.get(top, Compared()).now),
        "members": told.members(whole),
        "share": share[top],
        "tier": told.words.tier(top),
    }
    answer = board.answer(question, sentence)
    answer.charts.append(
        across(
            [
                Bar(told.words.tier(key), figure.now, figure.before if found.comparable else None)
                for key, figure in held.items()
            ],
            title=_("Members by tier"),
            described=_("%(members)s in all.") % {"members": told.members(whole)},
            said=told.count,
            head=(_("Tier"), _("Members now"), *([_("period before")] if found.comparable else [])),
            source=means("tier")[0][1],
        )
    )
    rows = []
    for tier in ladder.tiers:
        figure = held.get(tier.key, Compared())
        came = sum(count.now for (_from, to), count in found.moves.items() if to == tier.key)
        went = sum(count.now for (of, _to), count in found.moves.items() if of == tier.key)
        name = board.text(tier.name)
        rows.append(
            [
                Cell(name, note=board.read(name)),
                Cell("; ".join(board.text(benefit) for benefit in tier.benefits) or NONE),
                Cell(told.count(figure.now)),
                Cell(share[tier.key]),
                Cell(board.change(figure)),
                Cell(told.count(came)),
                Cell(told.count(went)),
            ]
        )
    answer.tables.append(
        Table(
            "tiers",
            _("Tiers in force"),
            (
                Column(_("Tier"), figure=False),
                Column(_("Benefits"), figure=False),
                Column(_("Members")),
                Column(_("Of all members")),
                Column(_("Change")),
                Column(_("Came")),
                Column(_("Went")),
            ),
            rows,
        )
    )
    answer.means = means("tier")
    return board.shown(answer)


# --- goals --------------------------------------------------------------------------------------------


@require_GET
@of_staff("programs:read")
def goals(made: StaffVisit) -> HttpResponse:
    """Goals, cards and challenges in force: how often each step was reached, and what it gave."""
    board = _Board(made)
    question = _("Which goals are reached?")
    plan, told, found = board.plan, board.told, board.found
    if not plan.document.goals and not plan.document.streaks:
        return board.without(
            question,
            "target",
            _("No goals yet"),
            _(
                "A goal leads to a reward step by step; a stamp card is the simplest one. Add one in the studio."
            ),
        )
    rows = []
    reached = 0
    for goal in plan.document.goals:
        name = board.text(goal.name)
        for number, step in enumerate(goal.steps, 1):
            rounds = [
                figure
                for (key, at), figure in found.stepped.items()
                if key == goal.key and (at - 1) % len(goal.steps) == number - 1
            ]
            figure = Compared(sum(one.now for one in rounds), sum(one.before for one in rounds))
            reached += figure.now
            rows.append(
                [
                    Cell(name if number == 1 else "", note=board.read(name) if number == 1 else ""),
                    Cell(board.text(step.name)),
                    Cell(told.decimal(step.at)),
                    Cell(told.count(figure.now)),
                    Cell(board.change(figure)),
                    Cell(board.units(board.grants("goal", goal.key)) if number == 1 else ""),
                ]
            )
        if not goal.steps:
            rows.append(
                [
                    Cell(name, note=board.read(name)),
                    Cell(_("measures only")),
                    *[Cell(NONE) for _each in range(4)],
                ]
            )
    for streak in plan.document.streaks:
        name = board.text(streak.name)
        rows.append(
            [
                Cell(name, note=board.read(name)),
                Cell(_("streak")),
                *[Cell(NONE) for _each in range(3)],
                Cell(board.units(board.grants("streak", streak.key))),
            ]
        )
    sentence = ngettext(
        "%(count)s step was reached %(days)s.", "%(count)s steps were reached %(days)s.", reached
    ) % {"count": told.count(reached), "days": board.days()}
    answer = board.answer(question, sentence)
    answer.tables.append(
        Table(
            "goals",
            _("Goals in force"),
            (
                Column(_("Goal"), figure=False),
                Column(_("Step"), figure=False),
                Column(_("At")),
                Column(_("Times reached")),
                Column(_("Change")),
                Column(_("Given in all")),
            ),
            rows,
        )
    )
    return board.shown(answer)


# --- campaigns ----------------------------------------------------------------------------------------


@require_GET
@of_staff("programs:read")
def campaigns(made: StaffVisit) -> HttpResponse:
    """Campaigns: where they stand, what they brought, and what of their budgets is used."""
    board = _Board(made)
    question = _("What do campaigns bring, and what is left of them?")
    told, found = board.told, board.found
    standing = campaigns_now.campaigns(made.connection, made.runtime, now=made.now)
    if not standing:
        return board.without(
            question,
            "megaphone",
            _("No campaign yet"),
            _("A campaign is a few rules for a while, with a budget that cannot be exceeded."),
        )
    figures = {item.rule: item for item in found.rules}
    written = {campaign.key: campaign for campaign in board.plan.document.campaigns}
    rows = []
    for campaign in standing:
        brought: dict[str, Compared] = {}
        fired = Compared()
        for rule in written[campaign.key].rules:
            of = figures.get(rule.key)
            if of is not None:
                known = brought.get(of.currency, Compared())
                brought[of.currency] = Compared(known.now + of.brought.now, known.before + of.brought.before)
                fired = Compared(fired.now + of.fired.now, fired.before + of.fired.before)
        name = board.text(campaign.name)
        rows.append(
            [
                Cell(name, note=board.read(name)),
                Cell(*_state(campaign)),
                Cell(_span(told, campaign)),
                Cell(told.count(fired.now)),
                Cell(board.units(brought)),
                Cell(_budget(told, campaign)),
                Cell(
                    told.points(campaign.budget.left, campaign.budget.currency) if campaign.budget else NONE
                ),
            ]
        )
    running = [campaign for campaign in standing if campaign.state == "running"]
    sentence = ngettext(
        "%(count)s campaign is running.", "%(count)s campaigns are running.", len(running)
    ) % {"count": told.count(len(running))}
    tight = [item for item in running if item.budget is not None and item.budget.limit]
    if tight:
        fullest = max(tight, key=_used)
        sentence += " " + _("The fullest budget is that of “%(name)s”: %(share)s is used.") % {
            "name": board.text(fullest.name),
            "share": told.percent(_used(fullest)),
        }
    answer = board.answer(question, sentence)
    drawn = [
        Bar(board.text(item.name), _used(item)) for item in standing if item.budget and item.budget.limit
    ]
    if drawn:
        answer.charts.append(
            across(
                drawn[:MOST_BARS],
                title=_("How much of its budget each has used"),
                described=ngettext(
                    "%(count)s campaign has a budget.", "%(count)s campaigns have a budget.", len(drawn)
                )
                % {"count": told.count(len(drawn))},
                said=told.percent,
                head=(_("Campaign"), _("Used")),
                source=means("budget")[0][1],
            )
        )
    answer.tables.append(
        Table(
            "campaigns",
            _("Campaigns of the version in force"),
            (
                Column(_("Campaign"), figure=False),
                Column(_("State"), figure=False),
                Column(_("When"), figure=False),
                Column(_("Times")),
                Column(_("Points brought")),
                Column(_("Budget used")),
                Column(_("Left")),
            ),
            rows,
        )
    )
    answer.means = means("budget", "fired", "brought")
    switches = [
        {"key": item.key, "name": board.text(item.name), "paused": item.state == "paused"}
        for item in standing
        if item.state in ("running", "paused", "planned")
    ]
    return board.shown(
        answer,
        template="console/board/campaigns.html",
        content={"switches": switches if made.may("programs:write") else []},
    )


def _used(campaign: CampaignNow) -> int:
    """What of a budget is used, in basis points."""
    budget = campaign.budget
    return budget.used * 10_000 // budget.limit if budget is not None and budget.limit else 0


def _state(campaign: CampaignNow) -> tuple[str, str, str]:
    """The state in a word, no address, and its colour."""
    return {
        "planned": (_("planned"), "", "plain"),
        "running": (_("running"), "", "good"),
        "paused": (_("paused"), "", "warn"),
        "ended": (_("ended"), "", "plain"),
    }[campaign.state]


def _span(told: Telling, campaign: CampaignNow) -> str:
    begins = told.words.day(campaign.starts_at) if campaign.starts_at else ""
    ends = told.words.day(campaign.ends_at - 1) if campaign.ends_at < NEVER else ""
    if begins and ends:
        return _("%(begins)s to %(ends)s") % {"begins": begins, "ends": ends}
    if begins:
        return _("from %(day)s on") % {"day": begins}
    return _("until %(day)s") % {"day": ends} if ends else _("always")


def _budget(told: Telling, campaign: CampaignNow) -> str:
    budget = campaign.budget
    if budget is None:
        return _("no budget")
    return f"{told.points(budget.used, budget.currency)} ({told.percent(_used(campaign))})"


@require_POST
@of_staff("programs:write")
def pause(made: StaffVisit, campaign: str) -> HttpResponse:
    """Lets a campaign stand still, or act again, from now on: a version that says so is published."""
    paused = made.request.POST.get("do") == "pause"
    plan = made.runtime.at(made.now)
    if all(item.key != campaign for item in plan.document.campaigns):
        raise Http404
    actor = made.person.actor
    try:
        version = pause_campaign(
            made.connection, made.runtime.key, campaign, paused=paused, now=made.now, by=actor
        )
    except Refused as refused:
        made.connection.rollback()
        made.say(told(refused), "bad")
        return made.go("campaigns")
    if version.is_new:
        write_log(
            made.connection,
            actor,
            made.person.role,
            "campaign.pause" if paused else "campaign.resume",
            f"program:{version.key}:{version.version}:{campaign}",
            at=made.now,
            reason=made.request.POST.get("reason", "")[:500],
        )
    made.connection.commit()
    values = {"version": version.version}
    made.say(
        _("The campaign is paused from now on, by version %(version)d.") % values
        if paused
        else _("The campaign acts again from now on, by version %(version)d.") % values
    )
    return made.go("campaigns")


# --- partners -----------------------------------------------------------------------------------------


@require_GET
@of_staff("programs:read")
def partners(made: StaffVisit) -> HttpResponse:
    """Partners with the agreement in force, and what was issued and used with each."""
    board = _Board(made)
    question = _("What do partners bring and take?")
    told, plan = board.told, board.plan
    if not plan.document.partners:
        return board.without(
            question,
            "handshake",
            _("No partners"),
            _(
                "Partners give and take the same points at agreed prices. Add one in the studio "
                "when you have an agreement."
            ),
        )
    now_day = plan.clock.local(made.now)[0]
    rows = []
    net = 0
    for partner in plan.document.partners:
        figures = board.found.partners.get(partner.key)
        terms = [item for item in partner.agreements if item.from_ <= _iso(now_day)]
        agreement = max(terms, key=lambda item: item.from_) if terms else None
        issued = figures.issued if figures is not None else Compared()
        used = figures.used if figures is not None else Compared()
        net += issued.now - used.now
        rows.append(
            [
                Cell(board.text(partner.name)),
                Cell(
                    _("%(issue)s per point issued, %(burn)s per point used")
                    % {
                        "issue": told.words.decimal(agreement.issue_price),
                        "burn": told.words.decimal(agreement.burn_price),
                    }
                    if agreement is not None
                    else _("none in force"),
                    note=_("since %(day)s") % {"day": agreement.from_} if agreement is not None else "",
                ),
                Cell(told.points(issued.now, partner.currency)),
                Cell(board.change(issued)),
                Cell(told.points(used.now, partner.currency)),
                Cell(board.change(used)),
                Cell(told.points(issued.now - used.now, partner.currency)),
            ]
        )
    busiest = max(
        plan.document.partners,
        key=lambda item: board.found.partners[item.key].issued.now if item.key in board.found.partners else 0,
    )
    figures = board.found.partners.get(busiest.key)
    if figures is None or not (figures.issued.now or figures.used.now):
        sentence = _("Nothing was earned or used with a partner %(days)s.") % {"days": board.days()}
    else:
        sentence = _("“%(partner)s” paid for most: %(points)s %(days)s.") % {
            "partner": board.text(busiest.name),
            "points": told.points(figures.issued.now, busiest.currency),
            "days": board.days(),
        }
    answer = board.answer(question, sentence)
    answer.more = _("What is owed is settled by month, from the rows of the ledger itself.")
    settlements = known_address(made, "people:settlements", "settlements:read")
    if settlements:
        answer.act = (_("See the settlements"), settlements)
    answer.tables.append(
        Table(
            "partners",
            _("Partners and their agreements"),
            (
                Column(_("Partner"), figure=False),
                Column(_("Agreement"), figure=False),
                Column(_("Issued, less taken back")),
                Column(_("Change")),
                Column(_("Used, less given back")),
                Column(_("Change")),
                Column(_("Difference")),
            ),
            rows,
        )
    )
    return board.shown(answer)


def _iso(ordinal: int) -> str:
    return date.fromordinal(ordinal).isoformat()


# --- games --------------------------------------------------------------------------------------------


@require_GET
@of_staff("programs:read")
def games(made: StaffVisit) -> HttpResponse:
    """Games in force: draws, what was won beside the odds that are published, and what is left of each prize."""
    board = _Board(made)
    question = _("What do games give away?")
    told, plan, found = board.told, board.plan, board.found
    if not plan.document.games:
        return board.without(
            question,
            "dices",
            _("No games"),
            _("A wheel or a scratch card gives prizes at published odds. Add one in the studio."),
        )
    used = sharing.used(made.connection, made.runtime.program_id)
    rows = []
    draws = won = 0
    for game in plan.document.games:
        total = plan.games[game.key].total
        drawn = {prize: figure for (key, prize), figure in found.drawn.items() if key == game.key}
        plays = sum(figure.now for figure in drawn.values())
        draws += plays
        came = [drawn.get(prize.key, Compared()) for prize in game.prizes]
        # What came up when it was sold out is of no prize.
        shares = told.shares([*(times.now for times in came), plays - sum(times.now for times in came)])
        for number, (prize, times, share) in enumerate(zip(game.prizes, came, shares[:-1], strict=True)):
            won += times.now if prize.grants else 0
            limit = f"prize:{game.key}:{prize.key}"
            stock, _currency = limit_of(plan, limit)
            left = (
                told.count(max(0, stock - used.get(limit, 0)))
                if prize.stock is not None
                else _("without end")
            )
            rows.append(
                [
                    Cell(board.text(game.name) if not number else ""),
                    Cell(board.text(prize.name)),
                    Cell(told.percent(prize.weight * 10_000 // total)),
                    Cell(share),
                    Cell(told.count(times.now)),
                    Cell(board.change(times)),
                    Cell(left),
                ]
            )
    sentence = ngettext(
        "%(count)s draw %(days)s, %(won)s of them with a prize.",
        "%(count)s draws %(days)s, %(won)s of them with a prize.",
        draws,
    ) % {"count": told.count(draws), "days": board.days(), "won": told.count(won)}
    answer = board.answer(question, sentence)
    answer.tables.append(
        Table(
            "games",
            _("Games and their prizes"),
            (
                Column(_("Game"), figure=False),
                Column(_("Prize"), figure=False),
                Column(_("Published odds")),
                Column(_("Came up")),
                Column(_("Times")),
                Column(_("Change")),
                Column(_("Left")),
            ),
            rows,
        )
    )
    return board.shown(answer)


__all__ = ["campaigns", "games", "goals", "partners", "pause", "rules", "tiers"]
