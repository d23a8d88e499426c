"""A program's figures, each page an answer: is it working, what does it cost, who is leaving, how far do they get."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from django.http import HttpResponse
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET

from palier.engine.decisions import plain_account
from palier.engine.words import NO_BREAK
from palier.insights import measures, queries
from palier.insights.attention import Matter, attention
from palier.insights.queries import Cohort, Compared, CurrencyInsight, Insights, Period, Series
from palier.web.console.board.answers import (
    NONE,
    Answer,
    Cell,
    Column,
    Table,
    Telling,
    nothing_yet,
    period_asked,
    points_of,
    shown,
)
from palier.web.console.board.meanings import MEANINGS, means
from palier.web.console.visits import StaffVisit, of_staff
from palier.web.ui.chart import Bar, Line, Point, across, bars, lines

BARS: Final = 12
"""Into so many parts a period is cut where bars show it."""


def studio_of(made: StaffVisit, right: str = "programs:read") -> str:
    """The address of the program's studio, for whoever may open it with this right."""
    return known_address(made, "studio:front", right)


def known_address(made: StaffVisit, name: str, right: str) -> str:
    """The address of a page of another area in this program; "" where there is none, or this person may not open it."""
    if not made.may(right):
        return ""
    try:
        return reverse(f"console:{name}", args=[made.runtime.key])
    except NoReverseMatch:
        return ""


def _columns(told: Telling, found: Insights) -> tuple[Column, ...]:
    days = found.period.days
    return (
        Column(_("Figure"), figure=False),
        Column(ngettext("Last %(days)d day", "Last %(days)d days", days) % {"days": days}),
        Column(ngettext("%(days)d day before", "%(days)d days before", days) % {"days": days}),
        Column(_("Change")),
    )


def _line(
    told: Telling, key: str, figure: Compared, say: Any, comparable: bool, *, url: str = "", name: str = ""
) -> list[Cell]:
    meaning = MEANINGS.get(key)
    return [
        Cell(name or (str(meaning[0]) if meaning else key), url),
        Cell(say(figure.now)),
        Cell(say(figure.before) if comparable else NONE),
        Cell(told.change(figure, comparable)),
    ]


def _counted(told: Telling, found: Insights) -> str:
    """Until when the figures go, where that is not now."""
    if found.counting:
        return _("New activities are being counted at this moment; the figures follow in seconds.")
    return ""


# --- is it working ------------------------------------------------------------------------------------


@require_GET
@of_staff(None)
def overview(made: StaffVisit) -> HttpResponse:
    """The program's front page: whether it works, and what waits for a person."""
    if not made.may("insights:read"):
        return made.page("console/program.html", {"acts": _acts(made)})
    told, period = Telling(made), period_asked(made)
    found = queries.read(made.connection, made.runtime, period, now=made.now)
    matters = [_matter(made, told, item) for item in attention(made.connection, made.runtime, now=made.now)]
    question = _("Is it working?")
    if found.begins is None:
        answer = nothing_yet(made, question)
        studio = studio_of(made, "programs:write")
        if studio:
            answer.step = (_("Look at the program"), studio)
    else:
        answer = Answer(question, _working(told, found), _counted(told, found))
        days = queries.series(made.connection, made.runtime, measures.STAYS.values(), period.last)
        answer.charts = [_activity(told, found, days.get((measures.STAYS[30], ""), Series([], [])))]
        answer.tables = [_at_a_glance(made, told, found)]
        answer.means = means("members", "active", "spend", "issued", "redeemed", "liability")
    return shown(made, answer, period, template="console/board/overview.html", content={"matters": matters})


def _acts(made: StaffVisit) -> list[dict[str, str]]:
    """What a person whose work is not the figures does here, by what he may do."""
    key = made.runtime.key
    acts = [
        ("till:use", "till:counter", "store", _("Open the till"), _("Sell, give points, hand out rewards.")),
        (
            "members:read", "console:people:members", "users", _("Find a member"),
            _("What they have, where it comes from, and what can be done for them."),
        ),
        (
            "members:write", "console:people:cases", "mail", _("Answer a question"),
            _("What members asked, the oldest first."),
        ),
        (
            "orders:write", "console:people:orders", "package", _("Hand out what was ordered"),
            _("Rewards that wait to be sent, and those that a supplier did not take."),
        ),
        (
            "settlements:read", "console:people:settlements", "handshake", _("Read a statement"),
            _("What was issued and used with each partner, month by month."),
        ),
    ]  # fmt: skip
    return [
        {"url": reverse(page, args=[key]), "icon": icon, "label": label, "text": text}
        for right, page, icon, label, text in acts
        if made.may(right)
    ]


def _working(told: Telling, found: Insights) -> str:
    active, members = found.active_30, found.members
    values = {
        "active": told.count(active.now),
        "members": told.members(members.now),
        "share": told.share(active.now, members.now),
        "days": told.count(found.period.days),
    }
    if not found.comparable:
        return _("%(active)s of %(members)s (%(share)s) did something in the last 30 days.") % values
    change = active.now - active.before
    values["change"] = told.count(abs(change))
    if change > 0:
        return (
            _(
                "%(active)s of %(members)s (%(share)s) did something in the last 30 days, "
                "%(change)s more than %(days)s days before."
            )
            % values
        )
    if change < 0:
        return (
            _(
                "%(active)s of %(members)s (%(share)s) did something in the last 30 days, "
                "%(change)s fewer than %(days)s days before."
            )
            % values
        )
    return (
        _(
            "%(active)s of %(members)s (%(share)s) did something in the last 30 days, as "
            "many as %(days)s days before."
        )
        % values
    )


def _activity(told: Telling, found: Insights, days: Series) -> Any:
    period = found.period
    at = points_of(period)
    now = Line(_("this period"), tuple(Point(told.day(day), days.up_to(day)) for day in at))
    drawn = [now]
    if found.comparable:
        earlier = [days.up_to(day - period.days) for day in at]
        drawn.append(
            Line(
                _("period before"),
                tuple(Point(told.day(day), value) for day, value in zip(at, earlier, strict=True)),
                subject=False,
            )
        )
    return lines(
        drawn,
        title=_("Members active within 30 days"),
        described=_("From %(first)s to %(last)s: %(from)s at the beginning, %(to)s at the end.")
        % {
            "first": told.day(at[0]),
            "last": told.day(at[-1]),
            "from": told.count(now.points[0].value or 0),
            "to": told.count(now.points[-1].value or 0),
        },
        said=told.count,
        head=(_("Day"), *(line.name for line in drawn)),
        source=str(MEANINGS["active"][1]),
    )


def _at_a_glance(made: StaffVisit, told: Telling, found: Insights) -> Table:
    known = found.comparable
    leaving, cost = told.address("leaving"), told.address("cost")
    rows = [
        _line(
            told,
            "members",
            found.members,
            told.count,
            known,
            url=known_address(made, "people:members", "members:read"),
        ),
        _line(told, "joined", found.joined, told.count, known),
        _line(
            told, "active", found.active_30, told.count, known, url=leaving, name=_("Active within 30 days")
        ),
        _line(
            told, "active", found.active_90, told.count, known, url=leaving, name=_("Active within 90 days")
        ),
        _line(told, "sales", found.sales, told.count, known, name=_("Sales")),
        _line(told, "spend", found.spend, told.money, known),
    ]
    for item in found.currencies:
        unit = told.words.noun(item.currency, False)

        def say(minor: int, currency: str = item.currency) -> str:
            return told.number(minor, currency)

        for key, figure in (
            ("issued", item.issued),
            ("redeemed", item.redeemed),
            ("expired", item.expired),
            ("outstanding", item.outstanding),
        ):
            name = f"{MEANINGS[key][0]} ({unit})"
            rows.append(_line(told, key, figure, say, known, url=cost, name=name))
    total = _sum(item.liability for item in found.currencies)
    rows.append(_line(told, "liability", total, told.money, known, url=cost))
    return Table("figures", _("At a glance"), _columns(told, found), rows)


def _sum(figures: Any) -> Compared:
    found = list(figures)
    return Compared(sum(item.now for item in found), sum(item.before for item in found))


def _matter(made: StaffVisit, told: Telling, matter: Matter) -> dict[str, str]:
    """What waits for a person, in words, with the page where it is done (where this console has it)."""
    count = told.count(matter.count)
    name = _campaign_name(made, told, matter.name) if matter.kind == "budget" else matter.name
    values = {"count": count, "name": name, "share": told.percent(matter.share)}
    number = matter.count
    said, page = {
        "clock": (_("The server's clock jumped: due work waits until somebody confirms it."), ""),
        "ledger": (
            ngettext(
                "The last proof of the ledger found %(count)s fault, in %(name)s: run palier verify and call whoever "
                "keeps the server.",
                "The last proof of the ledger found %(count)s faults, the first in %(name)s: run palier verify and "
                "call whoever keeps the server.",
                number,
            )
            % values,
            "",
        ),
        "till_sales": (
            ngettext(
                "%(count)s sale of a till waits for a review.",
                "%(count)s sales of tills wait for a review.",
                number,
            )
            % values,
            "desk:till-review",
        ),
        "orders_stuck": (
            ngettext(
                "%(count)s order is stuck with its supplier.",
                "%(count)s orders are stuck with their supplier.",
                number,
            )
            % values,
            "people:orders",
        ),
        "approvals": (
            ngettext(
                "%(count)s request waits for a second person.",
                "%(count)s requests wait for a second person.",
                number,
            )
            % values,
            "desk:approvals",
        ),
        "cases": (
            ngettext("%(count)s case of a member is open.", "%(count)s cases of members are open.", number)
            % values,
            "people:cases",
        ),
        "budget": (_("The budget of the campaign %(name)s is used to %(share)s.") % values, "campaigns"),
        "supplier_paused": (_("The supplier %(name)s is paused: its orders wait.") % values, "people:orders"),
        "balance_low": (
            _("The balance with the supplier %(name)s is low: pay more ahead.") % values,
            "people:orders",
        ),
        "pool_low": (
            ngettext(
                "The pool of codes %(name)s has %(count)s left.",
                "The pool of codes %(name)s has %(count)s left.",
                number,
            )
            % values,
            "rewards",
        ),
        "import_refused": (
            ngettext(
                "%(count)s line of %(name)s was not taken.",
                "%(count)s lines of %(name)s were not taken.",
                number,
            )
            % values,
            "people:imports",
        ),
        "import_failed": (_("The import of %(name)s stopped.") % values, "people:imports"),
    }[matter.kind]
    return {"text": said, "url": known_address(made, page, _DONE_BY[page]) if page else ""}


def _campaign_name(made: StaffVisit, told: Telling, key: str) -> str:
    """What a campaign in force is called, as this person reads it."""
    plan = made.runtime.at(made.now)
    names = (told.words.text(campaign.name) for campaign in plan.document.campaigns if campaign.key == key)
    return next(names, "") or key


_DONE_BY: Final = {
    "desk:till-review": "tills:write",
    "people:orders": "orders:write",
    "people:cases": "members:write",
    "people:imports": "imports:write",
    "desk:approvals": "approvals:write",
    "campaigns": "programs:read",
    "rewards": "rewards:read",
}
"""The right that each page asks for on which something that waits is done."""


# --- what does it cost --------------------------------------------------------------------------------


@require_GET
@of_staff("insights:read")
def cost(made: StaffVisit) -> HttpResponse:
    """What the program costs: what was used, what is owed, what of it may never be used, what campaigns spent."""
    told, period = Telling(made), period_asked(made)
    question = _("What does it cost?")
    found = queries.read(made.connection, made.runtime, period, now=made.now)
    if found.begins is None or not found.currencies:
        return shown(made, nothing_yet(made, question), period)
    answer = Answer(question, _costing(told, found), _expected(told, found))
    days = queries.series(made.connection, made.runtime, (measures.DEBIT, measures.CREDIT), period.last)
    first = next(
        (item for item in found.currencies if item.liability.now or item.issued.now), found.currencies[0]
    )
    answer.charts = [_flow(told, found, first, days)]
    answer.tables = [_roll_forward(told, found, item) for item in found.currencies]
    answer.means = means("issued", "taken_back", "redeemed", "expired", "liability", "breakage", "spend")
    return shown(made, answer, period)


def _costing(told: Telling, found: Insights) -> str:
    used = _sum(item.redeemed_worth for item in found.currencies)
    issued = _sum(item.issued_worth for item in found.currencies)
    days = found.period.days
    values = {
        "days": told.count(days),
        "used": told.money(used.now),
        "issued": told.money(issued.now),
        "share": told.share(used.now or issued.now, found.spend.now),
    }
    if not issued.now and not used.now:
        return (
            ngettext(
                "In the last %(days)s day nothing was issued or used.",
                "In the last %(days)s days nothing was issued or used.",
                days,
            )
            % values
        )
    if not found.spend.now:
        return (
            _(
                "Points worth %(used)s were used in the last %(days)s days, and points worth %(issued)s issued."
            )
            % values
        )
    if not used.now:
        return (
            _(
                "Nothing was used in the last %(days)s days; points worth %(issued)s were "
                "issued, %(share)s of members' sales."
            )
            % values
        )
    return (
        _(
            "Points worth %(used)s were used in the last %(days)s days, %(share)s of "
            "members' sales; points worth %(issued)s were issued."
        )
        % values
    )


def _expected(told: Telling, found: Insights) -> str:
    """What is owed, and what of it may never be asked for."""
    liability = _sum(item.liability for item in found.currencies)
    owed = _("Outstanding points are worth %(worth)s.") % {"worth": told.money(liability.now)}
    owing = [item for item in found.currencies if item.liability.now]
    said = [_breakage(told, item) for item in owing]
    if len(owing) > 1:
        # What is true of one kind of points is not of another.
        colon = f"{NO_BREAK}: " if told.language == "fr" else ": "
        nouns = [told.words.noun(item.currency, False) for item in owing]
        said = [
            f"{noun[:1].upper()}{noun[1:]}{colon}{text[:1].lower()}{text[1:]}"
            for noun, text in zip(nouns, said, strict=True)
        ]
    return " ".join([owed, *said])


def _breakage(told: Telling, item: CurrencyInsight) -> str:
    found = item.breakage
    if found.answer == "never":
        return _("They do not expire, so all of it may be asked for.")
    if found.answer == "too_little_history":
        return ngettext(
            "What will never be used cannot be told yet: points have been used or expired in "
            "%(count)s whole month, and it takes six.",
            "What will never be used cannot be told yet: points have been used or expired in "
            "%(count)s whole months, and it takes six.",
            found.months,
        ) % {"count": told.count(found.months)}
    if found.answer == "nothing_redeemed":
        return _("What will never be used cannot be told: nobody has used points yet.")
    return _("About %(share)s may never be used (%(low)s to %(high)s, from %(months)s months).") % {
        "share": told.percent(found.share),
        "low": told.percent(found.low),
        "high": told.percent(found.high),
        "months": told.count(found.months),
    }


def _flow(told: Telling, found: Insights, item: CurrencyInsight, days: dict[tuple[str, str], Series]) -> Any:
    parts = cut(found.period)
    drawn = []
    for part in parts:
        issued = _moved(days, item.currency, part, "issuance", out=True)
        used = _moved(days, item.currency, part, "redemption", out=False)
        drawn.append(Bar(told.day(part.first), issued, used))
    unit = told.words.noun(item.currency, False)
    return bars(
        drawn,
        title=_("Issued, and used (%(unit)s)") % {"unit": unit},
        described=_("%(issued)s issued, %(used)s used, %(expired)s expired.")
        % {
            "issued": told.points(item.issued.now, item.currency),
            "used": told.words.number(item.redeemed.now, item.currency),
            "expired": told.words.number(item.expired.now, item.currency),
        },
        said=lambda minor: told.words.number(minor, item.currency),
        head=(_("From"), _("Issued"), _("Used")),
        source=f"{MEANINGS['issued'][1]} {MEANINGS['redeemed'][1]}",
    )


def _moved(
    days: dict[tuple[str, str], Series], currency: str, part: Period, account: str, *, out: bool
) -> int:
    total = 0
    for (measure, key), item in days.items():
        of, _bar, name = key.partition("|")
        if of != currency or plain_account(name) != account:
            continue
        value = item.between(part.first, part.last)
        if measure == measures.DEBIT:
            total += value if out else -value
        elif not out:
            total += value
    return total


def cut(period: Period, most: int = BARS) -> list[Period]:
    """A period in parts of the same number of days, the last ones whole."""
    size = -(-period.days // most)
    ends = range(period.last, period.first - 1, -size)
    return [Period(max(period.first, end - size + 1), end) for end in ends][::-1]


def _roll_forward(told: Telling, found: Insights, item: CurrencyInsight) -> Table:
    """From what was outstanding before to what is now: the lines add up."""

    def say(minor: int) -> str:
        return told.number(minor, item.currency)

    opening = item.outstanding.before + item.pending.before - item.debt.before
    closing = item.outstanding.now + item.pending.now - item.debt.now
    known = item.issued.now - item.taken_back.now - item.redeemed.now - item.expired.now + item.adjusted.now
    rest = closing - opening - known
    rows = [
        [
            Cell(_("At the beginning, less what members owe")),
            Cell(say(opening)),
            Cell(told.money(told.worth(item.currency, opening))),
        ],
        [
            Cell(str(MEANINGS["issued"][0])),
            Cell(say(item.issued.now)),
            Cell(told.money(item.issued_worth.now)),
        ],
    ]
    for name, amount in (
        (str(MEANINGS["taken_back"][0]), -item.taken_back.now),
        (str(MEANINGS["redeemed"][0]), -item.redeemed.now),
        (str(MEANINGS["expired"][0]), -item.expired.now),
        (_("Adjusted by hand"), item.adjusted.now),
        (_("Between members, under way"), rest),
    ):
        rows.append([Cell(name), Cell(say(amount)), Cell(told.money(told.worth(item.currency, amount)))])
    rows.append(
        [
            Cell(_("At the end, less what members owe")),
            Cell(say(closing)),
            Cell(told.money(told.worth(item.currency, closing))),
        ]
    )
    return Table(
        f"rollforward-{item.currency}",
        _("From the beginning to the end (%(unit)s)") % {"unit": told.words.noun(item.currency, False)},
        (Column(_("Movement"), figure=False), Column(_("Points")), Column(_("Worth"))),
        rows,
        _(
            "The points add up. Each worth is at the value in force now and rounded by itself, so that these may "
            "differ from their sum by some cents."
        ),
    )


# --- who is leaving -----------------------------------------------------------------------------------

AFTER: Final = (1, 2, 3, 6, 9, 11)
"""Months after joining that the table shows."""


@require_GET
@of_staff("insights:read")
def leaving(made: StaffVisit) -> HttpResponse:
    """Who has not come for long, and who came back of those who joined."""
    told, period = Telling(made), period_asked(made)
    question = _("Who is leaving?")
    found = queries.read(made.connection, made.runtime, period, now=made.now)
    if found.begins is None:
        return shown(made, nothing_yet(made, question), period)
    away = found.members.now - found.active_90.now
    answer = Answer(
        question,
        _(
            "Away for 90 days: %(away)s of %(members)s (%(share)s); %(slipping)s more last came 31 to 90 "
            "days ago."
        )
        % {
            "away": told.count(away),
            "members": told.members(found.members.now),
            "share": told.share(away, found.members.now),
            "slipping": told.count(found.active_90.now - found.active_30.now),
        },
    )
    days = queries.series(
        made.connection, made.runtime, (measures.STAYS[90], measures.JOINED, measures.GONE), period.last
    )
    answer.charts = [_away(told, found, days)]
    joined = queries.cohorts(made.connection, made.runtime, period.last)
    if joined:
        answer.tables = [_cohorts(told, joined)]
    answer.means = means("active", "retention", "members")
    return shown(made, answer, period)


def _away(told: Telling, found: Insights, days: dict[tuple[str, str], Series]) -> Any:
    joined, gone, stays = (
        days.get((name, ""), Series([], [])) for name in (measures.JOINED, measures.GONE, measures.STAYS[90])
    )
    at = points_of(found.period)
    values = [max(0, joined.up_to(day) - gone.up_to(day) - stays.up_to(day)) for day in at]
    return lines(
        [
            Line(
                _("away for 90 days"),
                tuple(Point(told.day(day), value) for day, value in zip(at, values, strict=True)),
            )
        ],
        title=_("Members who have not come for 90 days"),
        described=_("From %(first)s to %(last)s: %(from)s at the beginning, %(to)s at the end.")
        % {
            "first": told.day(at[0]),
            "last": told.day(at[-1]),
            "from": told.count(values[0]),
            "to": told.count(values[-1]),
        },
        said=told.count,
        head=(_("Day"), _("Members")),
        source=str(MEANINGS["active"][1]),
    )


def _cohorts(told: Telling, joined: Sequence[Cohort]) -> Table:
    columns = (
        Column(_("Joined"), figure=False),
        Column(_("Members")),
        *(
            Column(ngettext("After %(count)d month", "After %(count)d months", months) % {"count": months})
            for months in AFTER
        ),
    )
    rows = []
    for cohort in joined:
        cells = [Cell(told.month(cohort.month)), Cell(told.count(cohort.size))]
        for months in AFTER:
            if months < len(cohort.active):
                count = cohort.active[months]
                cells.append(Cell(told.share(count, cohort.size), note=told.count(count)))
            else:
                cells.append(Cell(NONE))
        rows.append(cells)
    return Table(
        "cohorts",
        _("Who came back, by the month of joining"),
        columns,
        rows,
        _(
            "Of those who joined in a month, the share that was active in a later one, and "
            "how many that is. A month that is not over is not shown."
        ),
    )


# --- how far do members get ---------------------------------------------------------------------------


@require_GET
@of_staff("insights:read")
def progress(made: StaffVisit) -> HttpResponse:
    """Where members stand: tiers and the way between them, and how long a first reward takes."""
    told, period = Telling(made), period_asked(made)
    question = _("How far do members get?")
    found = queries.read(made.connection, made.runtime, period, now=made.now)
    if found.begins is None:
        return shown(made, nothing_yet(made, question), period)
    answer = Answer(question, _getting(told, found))
    if found.tiers:
        answer.charts.append(_tiers(told, found))
        answer.tables.append(_moves(told, found))
    answer.charts.append(_first_reward(told, found))
    answer.means = means("first_reward", "tier")
    return shown(made, answer, period)


def _getting(told: Telling, found: Insights) -> str:
    waited = found.rewarded
    if not waited.members or waited.median_days is None:
        return _("No member has had a reward yet.")
    return ngettext(
        "%(rewarded)s of %(members)s (%(share)s) has had a reward, within %(days)s of joining.",
        "%(rewarded)s of %(members)s (%(share)s) have had a reward, half of them within %(days)s of joining.",
        waited.members,
    ) % {
        "rewarded": told.count(waited.members),
        "members": told.members(found.members.now),
        "share": told.share(waited.members, found.members.now),
        "days": told.days(waited.median_days),
    }


def _tiers(told: Telling, found: Insights) -> Any:
    shown_bars = [
        Bar(told.words.tier(key), figure.now, figure.before if found.comparable else None)
        for key, figure in found.tiers.items()
    ]
    top = max(found.tiers, key=lambda key: found.tiers[key].now)
    head = (
        _("Tier"),
        _("Members now"),
        *([_("At the end of the period before")] if found.comparable else []),
    )
    return across(
        shown_bars,
        title=_("Members by tier"),
        described=_("The tier held by most is %(tier)s: %(members)s.")
        % {"members": told.members(found.tiers[top].now), "tier": told.words.tier(top)},
        said=told.count,
        head=head,
        source=str(MEANINGS["tier"][1]),
    )


def _moves(told: Telling, found: Insights) -> Table:
    order = {key: number for number, key in enumerate(found.tiers)}
    rows = []
    for (before, after), figure in sorted(
        found.moves.items(), key=lambda item: (order.get(item[0][0], 99), order.get(item[0][1], 99))
    ):
        if not figure.now and not (figure.before and found.comparable):
            continue
        up = order.get(after, 0) > order.get(before, 0)
        rows.append(
            [
                Cell(f"{told.words.tier(before)} → {told.words.tier(after)}"),
                Cell(_("up") if up else _("down")),
                Cell(told.count(figure.now)),
                Cell(told.count(figure.before) if found.comparable else NONE),
                Cell(told.change(figure, found.comparable)),
            ]
        )
    columns = _columns(told, found)
    return Table(
        "moves",
        _("From tier to tier"),
        (Column(_("From and to"), figure=False), Column(_("Way"), figure=False), *columns[1:]),
        rows,
    )


def _first_reward(told: Telling, found: Insights) -> Any:
    within = found.rewarded.within
    return across(
        [
            Bar(ngettext("within %(days)d day", "within %(days)d days", days) % {"days": days}, count)
            for days, count in within.items()
        ],
        title=_("Members who had their first reward"),
        described=_("%(count)s within 30 days of joining.") % {"count": told.members(within.get(30, 0))},
        said=told.count,
        head=(_("After joining"), _("Members")),
        source=str(MEANINGS["first_reward"][1]),
    )


__all__ = ["cost", "cut", "known_address", "leaving", "overview", "progress", "studio_of"]
