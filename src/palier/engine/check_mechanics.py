"""Checks of the mechanics: campaigns, goals, streaks, games, quizzes, referral, memberships, coalition, rankings.

The engine compiles what passes here without looking again, so whatever it takes for granted is refused here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date
from fractions import Fraction
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

from palier.engine import conditions
from palier.engine.checker import MAX_TEXT, Checker, less
from palier.engine.clock import moment
from palier.engine.compiled import PRICE_DECIMALS
from palier.engine.currencies import exponent
from palier.engine.document import Base, Condition
from palier.engine.facts import BUILT_IN, COMMANDS, DERIVED, SALE
from palier.engine.instants import parse_instant
from palier.engine.mechanics import (
    Agreement,
    Budget,
    Dividend,
    Game,
    Goal,
    Grant,
    Leaderboard,
    Membership,
    Partner,
    PlayLimits,
    Quiz,
    Referral,
    Step,
    Streak,
    WindowDates,
    WindowFromStart,
    WindowPeriod,
)
from palier.engine.program import Calendar, Campaign, PointCurrency
from palier.engine.sentences import Sentence, all_of, sentence

AUDIENCE_FIELDS: Final = ("tier", "segment", "membership")
"""What a campaign's audience may ask, beside attributes of the member: what is known before the activity."""

_ICON: Final = re.compile(r"[a-z][a-z0-9_]{0,47}", re.ASCII)
_TIME: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]|24:00", re.ASCII)
_PERIOD_DAYS: Final = {"day": 1, "week": 7, "month": 31, "quarter": 92, "year": 366}
_PERIOD_HOURS: Final = {"day": 23, "week": 167, "month": 671}
"""The shortest that a period can be, in hours: a day of 23 hours, and what has one."""
_WHOLE_KINDS: Final = ("reward", "badge", "token")


class MechanicsChecker(Checker):
    """The checks of everything beside rules and tiers."""

    def mechanics(self) -> None:
        """Everything beside rules and tiers, in the order of the document."""
        program = self.program
        every: tuple[tuple[str, Sequence[object], Callable[..., None]], ...] = (
            ("goals", program.goals, self.goal),
            ("streaks", program.streaks, self.streak),
            ("games", program.games, self.game),
            ("quizzes", program.quizzes, self.quiz),
            ("memberships", program.memberships, self.membership),
            ("partners", program.partners, self.partner),
            ("leaderboards", program.leaderboards, self.leaderboard),
        )
        for name, parts, check in every:
            for index, part in enumerate(parts):
                check(part, f"{name}[{index}]")
            self.unique([part.key for part in parts], name)  # type: ignore[attr-defined]
            if name == "quizzes" and program.referral is not None:
                self.referral(program.referral, "referral")
        self.notice()

    # --- what mechanics share -------------------------------------------------------------------------

    def icon(self, icon: str, path: str) -> None:
        if icon and not _ICON.fullmatch(icon):
            message = sentence('"%(icon)s" is no name of a drawing', icon=icon[:40])
            self.add(path, "icon", message, sentence("write a short lower-case name, such as cup or flame"))

    def grants(self, grants: Sequence[Grant], path: str) -> None:
        """What something gives: known currencies, each once, exact and above 0."""
        self.size(grants, path, "grants")
        seen: set[str] = set()
        for index, grant in enumerate(grants):
            self.grant(grant, f"{path}[{index}]")
            if grant.currency in seen:
                message = sentence("%(currency)s is given twice here", currency=grant.currency)
                self.add(
                    f"{path}[{index}].currency",
                    "duplicate_key",
                    message,
                    sentence("write the sum in one entry"),
                )
            seen.add(grant.currency)

    def grant(self, grant: Grant, path: str) -> None:
        currency = self.currency(grant.currency, f"{path}.currency")
        scale = currency.scale if currency is not None else 6
        if self.positive(grant.points, f"{path}.points", sentence("a grant")):
            self.decimals(
                grant.points,
                scale,
                f"{path}.points",
                sentence("points of %(currency)s", currency=grant.currency),
                scaled=True,
            )

    def currency(self, key: str, path: str) -> PointCurrency | None:
        """The point currency that is named, or None and a problem."""
        self.reference(key, sorted(self.currencies), path, sentence("point currency"))
        return self.currencies.get(key)

    def acts_on(self, types: Sequence[str], path: str, refused: Sequence[str] = ()) -> list[str]:
        """The activity types of an `on` list that exist; the others are problems."""
        self.size(types, path, "on")
        if not types:
            self.add(path, "missing", sentence("no activity type is named"), sentence("write on: [sale]"))
        known = []
        for index, key in enumerate(types):
            where = f"{path}[{index}]"
            if key in types[:index]:
                self.add(
                    where,
                    "duplicate_key",
                    sentence("%(key)s is there twice", key=key),
                    sentence("name each once"),
                )
            elif self.acts(key, where, refused):
                known.append(key)
        return known

    def acts(self, key: str, path: str, refused: Sequence[str] = ()) -> bool:
        """Whether something may come of activities of this type; if not, a problem."""
        if key in self.withdrawing:
            message = sentence(
                "an activity of type %(key)s takes back another and brings nothing itself", key=key
            )
            self.add(
                path,
                "contradiction",
                message,
                sentence("write %(withdrawing)s, which it takes back", withdrawing=self.withdrawing[key]),
            )
            return False
        if key in refused or (key in BUILT_IN | COMMANDS | DERIVED and key not in self.earning_types()):
            message = sentence('nothing comes of activities of type "%(key)s" here', key=key)
            self.add(
                path,
                "reserved_name",
                message,
                sentence("use sale, visit, an occasion, or a declared activity type"),
            )
            return False
        return self.reference(key, self.earning_types(), path, sentence("activity type"))

    def condition(self, condition: Condition | None, types: Sequence[str], path: str) -> None:
        """A condition must be judged alike on each of the activity types; the first that cannot is told."""
        if condition is None:
            return
        for key in types:
            found = conditions.check(condition, conditions.fields(self.program, key), path)
            if found:
                if len(types) > 1:
                    found = [
                        conditions.Problem(
                            p.path,
                            sentence("%(message)s (on %(key)s)", message=p.said, key=key),
                            p.advice,
                            p.code,
                        )
                        for p in found
                    ]
                self.problems += found
                return

    def steps(
        self, steps: Sequence[Step], places: int, path: str, what: Sentence, *, scaled: bool = False
    ) -> None:
        """Steps must rise, be exact at the measure's scale, and say what they are called."""
        for index, step in enumerate(steps):
            where = f"{path}[{index}]"
            if self.positive(step.at, f"{where}.at", sentence("a step")):
                self.decimals(step.at, places, f"{where}.at", what, scaled=scaled)
            self.text(step.name, f"{where}.name")
            self.grants(step.grants, f"{where}.grants")
        self.rising([step.at for step in steps], path, "at", sentence("step"))

    def rising(self, values: Sequence[str | int], path: str, name: str, what: Sentence) -> None:
        for index, (low, high) in enumerate(pairwise([Fraction(value) for value in values]), 1):
            if high <= low:
                relation = sentence("the same as") if high == low else sentence("below")
                message = sentence(
                    "this %(what)s of %(values)s is %(relation)s the one before it, %(values_2)s",
                    what=what,
                    values=values[index],
                    relation=relation,
                    values_2=values[index - 1],
                )
                self.add(
                    f"{path}[{index}].{name}",
                    "order",
                    message,
                    sentence("put them in order, lowest first, each once"),
                )

    def budget(self, budget: Budget | None, currencies: Sequence[str], path: str, of: Sentence) -> None:
        """A budget in points or money, of one point currency."""
        if budget is None:
            return
        if (budget.points is None) == (budget.money is None):
            message = (
                sentence("the budget has points and money")
                if budget.points is not None
                else sentence("the budget has no amount")
            )
            code = "contradiction" if budget.points is not None else "missing"
            self.add(path, code, message, sentence("write one of points and money"))
        paid = sorted(set(currencies))
        if len(paid) > 1:
            message = sentence(
                "%(of)s bring %(names)s, which one budget cannot add", of=of, names=all_of(paid)
            )
            self.add(
                path, "contradiction", message, sentence("bring one point currency, or leave the budget out")
            )
        if not paid:
            self.no_effect(path, sentence("%(of)s bring nothing that a budget could limit", of=of))
        currency = self.currencies.get(paid[0]) if len(paid) == 1 else None
        if budget.points is not None and self.open(budget.points, f"{path}.points", sentence("a budget")):
            scale = currency.scale if currency is not None else 6
            what = sentence("points of this currency")
            self.decimals(budget.points, scale, f"{path}.points", what, scaled=True)
        if budget.money is not None:
            if self.open(budget.money, f"{path}.money", sentence("a budget")):
                self.money(budget.money, f"{path}.money", sentence("a budget"))
            if currency is not None and (currency.value is None or not less("0", currency.value)):
                message = sentence("what money is in %(key)s is not said", key=currency.key)
                self.add(
                    f"{path}.money",
                    "missing",
                    message,
                    sentence("give %(key)s a value, or write points", key=currency.key),
                )

    def money(self, text: str, path: str, what: Sentence, *, zero: bool = False) -> None:
        """An amount of the program's money, exact at its decimals."""
        if zero or self.positive(text, path, what):
            self.decimals(
                text,
                exponent(self.program.currency),
                path,
                sentence("amounts in %(currency)s", currency=self.program.currency),
            )

    # --- currencies and activity types ------------------------------------------------------------------

    def unit(self, currency: PointCurrency, path: str) -> None:
        """What the kind of a point currency asks of it."""
        self.icon(currency.icon, f"{path}.icon")
        places = exponent(self.program.currency)
        if currency.kind == "cash":
            if currency.scale != places:
                message = sentence(
                    "cash counts %(currency)s, which has %(places)s decimals",
                    currency=self.program.currency,
                    places=places,
                )
                self.add(f"{path}.scale", "cash", message, sentence("write scale: %(places)s", places=places))
            if currency.value is None or Fraction(currency.value) != 1:
                message = sentence("one unit of cash is one %(currency)s", currency=self.program.currency)
                self.add(f"{path}.value", "cash", message, sentence('write value: "1"'))
        if currency.kind in _WHOLE_KINDS and currency.scale:
            message = sentence("a %(kind)s has no fraction", kind=currency.kind)
            self.add(f"{path}.scale", "contradiction", message, sentence("write scale: 0"))
        if currency.pay_out_from is not None:
            if currency.kind != "cash":
                self.no_effect(
                    f"{path}.pay_out_from",
                    sentence("only cash is paid out, not %(kind)s", kind=currency.kind),
                )
            self.money(currency.pay_out_from, f"{path}.pay_out_from", sentence("a threshold"))

    def withdrawals(self) -> None:
        """What takes back another activity must name a declared type that itself takes back nothing."""
        for index, kind in enumerate(self.program.activity_types):
            if kind.withdraws is None:
                continue
            path = f"activity_types[{index}].withdraws"
            if kind.withdraws == kind.key:
                message = sentence("%(key)s would take back itself", key=kind.key)
                self.add(path, "contradiction", message, sentence("name the type that it takes back"))
            elif kind.withdraws == SALE:
                message = sentence("a sale is taken back by a return")
                self.add(path, "reserved_name", message, sentence("send a return, or name a declared type"))
            elif kind.withdraws in self.withdrawing:
                message = sentence("%(withdraws)s itself takes back another", withdraws=kind.withdraws)
                self.add(path, "contradiction", message, sentence("name the type that brings something"))
            else:
                self.reference(kind.withdraws, sorted(self.types), path, sentence("declared activity type"))

    # --- campaigns ------------------------------------------------------------------------------------

    def campaign(self, campaign: Campaign, path: str) -> None:
        """A campaign without its rules, which are checked as all rules are."""
        self.text(campaign.name, f"{path}.name")
        self.active(campaign.active_from, campaign.active_until, path, sentence("campaign"))
        if campaign.audience is not None:
            known = {
                name: field
                for name, field in conditions.fields(self.program, SALE).items()
                if name in AUDIENCE_FIELDS or name.startswith("member.")
            }
            self.problems += conditions.check(campaign.audience, known, f"{path}.audience")
        self.calendar(campaign.calendar, f"{path}.calendar")
        self.budget(
            campaign.budget,
            [rule.currency for rule in campaign.rules],
            f"{path}.budget",
            sentence("the campaign's rules"),
        )
        if campaign.exclusive is not None:
            if len(campaign.rules) > 1:
                message = sentence("which of two campaigns brings most is told of one rule each")
                remedy = sentence("keep one rule, or put the others in a campaign that is not exclusive")
                self.add(f"{path}.rules", "contradiction", message, remedy)
            for index, rule in enumerate(campaign.rules):
                if rule.group is not None:
                    message = sentence(
                        "the campaign stands in the exclusive group %(exclusive)s already",
                        exclusive=campaign.exclusive,
                    )
                    self.add(
                        f"{path}.rules[{index}].group",
                        "contradiction",
                        message,
                        sentence("keep one of the two"),
                    )

    def exclusives(self) -> None:
        """Campaigns that exclude each other must be comparable, and be at least two."""
        groups: dict[str, list[int]] = {}
        for index, campaign in enumerate(self.program.campaigns):
            if campaign.exclusive is not None:
                groups.setdefault(campaign.exclusive, []).append(index)
        for key, members in groups.items():
            path = f"campaigns[{members[-1]}].exclusive"
            if len(members) == 1:
                message = sentence('no other campaign is in the exclusive group "%(key)s"', key=key)
                self.add(
                    path,
                    "no_effect",
                    message,
                    sentence("leave it out, or name the other campaign's group"),
                    "warning",
                )
            paid = sorted(
                {rule.currency for index in members for rule in self.program.campaigns[index].rules}
            )
            if len(paid) > 1:
                message = sentence(
                    "campaigns that exclude each other bring %(names)s, which cannot be compared",
                    names=all_of(paid),
                )
                self.add(
                    path,
                    "contradiction",
                    message,
                    sentence("make one exclusive group for each point currency"),
                )

    def campaign_keys(self) -> None:
        """Rules of campaigns share the keys of the program's rules: caps and traces name rules by them."""
        first: dict[str, str] = {}
        for index, rule in enumerate(self.program.rules):
            first.setdefault(rule.key, f"rules[{index}]")
        for number, campaign in enumerate(self.program.campaigns):
            for index, rule in enumerate(campaign.rules):
                path = f"campaigns[{number}].rules[{index}]"
                if rule.key in first:
                    message = sentence(
                        'the key "%(key)s" is already that of %(first)s', key=rule.key, first=first[rule.key]
                    )
                    self.add(f"{path}.key", "duplicate_key", message, sentence("give it a key of its own"))
                first.setdefault(rule.key, path)

    def calendar(self, calendar: Calendar | None, path: str) -> None:
        if calendar is None:
            return
        if calendar == Calendar():
            self.no_effect(path, sentence("the calendar names no time"))
        days: tuple[tuple[str, Sequence[object] | None], ...] = (
            ("days_of_month", calendar.days_of_month),
            ("weekdays", calendar.weekdays),
        )
        for name, named in days:
            if named is not None and not named:
                self.add(
                    f"{path}.{name}",
                    "contradiction",
                    sentence("no day is named"),
                    sentence("name the days, or leave it out"),
                )
            if named is not None and len(set(named)) < len(named):
                self.add(
                    f"{path}.{name}",
                    "duplicate_key",
                    sentence("a day is there twice"),
                    sentence("name each once"),
                )
        for name, text in (("from", calendar.from_), ("until", calendar.until)):
            if text is not None and (not _TIME.fullmatch(text) or (name == "from" and text == "24:00")):
                message = sentence('"%(given)s" is no time of day', given=text[:40])
                self.add(f"{path}.{name}", "time", message, sentence('write it like "17:00"'))
        if calendar.from_ is not None and calendar.from_ == calendar.until:
            message = sentence(
                "from and until are both %(given)s: no time is between them", given=calendar.from_
            )
            self.add(
                f"{path}.until", "contradiction", message, sentence("leave both out to mean the whole day")
            )
        if calendar.until == "00:00" and calendar.from_ is None:
            self.add(
                f"{path}.until",
                "contradiction",
                sentence("no time is before 00:00"),
                sentence('write "24:00"'),
            )

    # --- goals ----------------------------------------------------------------------------------------

    def goal(self, goal: Goal, path: str) -> None:
        self.text(goal.name, f"{path}.name")
        self.icon(goal.icon, f"{path}.icon")
        known = self.acts_on(goal.on, f"{path}.on")
        self.condition(goal.when, known, f"{path}.when")
        if goal.lines is not None:
            self.problems += conditions.check(
                goal.lines, conditions.line_fields(self.program), f"{path}.lines"
            )
        places, what = self.goal_measure(goal, path)
        self.goal_settings(goal, path)
        self.steps(goal.steps, places, f"{path}.steps", what, scaled=goal.measure == "points")
        self.goal_window(goal, path)
        self.goal_rounds(goal, places, what, path)
        if not goal.steps and goal.key not in self.measured:
            message = sentence("the goal has no step, and no dividend or leaderboard measures by it")
            self.add(
                f"{path}.steps", "no_effect", message, sentence("add steps, or leave the goal out"), "warning"
            )

    def goal_measure(self, goal: Goal, path: str) -> tuple[int, Sentence]:
        """Checks what the measure needs, and gives its decimals and what its amounts are called."""
        lineless = [key for key in goal.on if key != SALE and key in self.earning_types()]
        if goal.measure == "spend":
            for index, key in enumerate(goal.on):
                if key in self.earning_types() and not conditions.carries_money(self.program, key):
                    message = sentence("spend needs an amount, and %(key)s has none", key=key)
                    remedy = sentence("write money: true in the activity type, or leave it out here")
                    self.add(f"{path}.on[{index}]", "contradiction", message, remedy)
            return exponent(self.program.currency), sentence(
                "amounts in %(currency)s", currency=self.program.currency
            )
        if goal.measure == "points":
            if goal.currency is None:
                message = sentence("points of which currency is not said")
                self.add(
                    f"{path}.currency",
                    "missing",
                    message,
                    sentence("add currency: the point currency that counts"),
                )
                return 6, sentence("points")
            currency = self.currency(goal.currency, f"{path}.currency")
            return (currency.scale if currency is not None else 6), sentence(
                "points of %(currency)s", currency=goal.currency
            )
        if goal.measure == "units" and lineless:
            message = sentence(
                "units are those of a sale's lines, and %(lineless)s is no sale", lineless=lineless[0]
            )
            self.add(
                f"{path}.on[{goal.on.index(lineless[0])}]",
                "contradiction",
                message,
                sentence("write on: [sale]"),
            )
        if goal.measure == "distinct":
            if goal.distinct is None:
                message = sentence("new values of what are counted is not said")
                self.add(
                    f"{path}.distinct",
                    "missing",
                    message,
                    sentence("add distinct: category, sku, partner, ..."),
                )
            elif goal.distinct in ("category", "sku") and lineless:
                message = sentence(
                    "a %(distinct)s is that of a sale's line, and %(lineless)s is no sale",
                    distinct=goal.distinct,
                    lineless=lineless[0],
                )
                self.add(
                    f"{path}.on[{goal.on.index(lineless[0])}]",
                    "contradiction",
                    message,
                    sentence("write on: [sale]"),
                )
        return 0, {
            "activities": sentence("activities"),
            "units": sentence("units"),
            "distinct": sentence("distinct values"),
        }[goal.measure]

    def goal_settings(self, goal: Goal, path: str) -> None:
        """Settings of another measure are refused: they would be read as if they worked."""
        if goal.currency is not None and goal.measure != "points":
            self.no_effect(
                f"{path}.currency",
                sentence("currency goes with measure: points, not %(measure)s", measure=goal.measure),
            )
        if goal.distinct is not None and goal.measure != "distinct":
            self.no_effect(
                f"{path}.distinct",
                sentence("distinct goes with measure: distinct, not %(measure)s", measure=goal.measure),
            )
        if goal.base != Base() and goal.measure != "spend":
            self.no_effect(
                f"{path}.base",
                sentence("base says what spend counts; %(measure)s does not use it", measure=goal.measure),
            )
        if goal.free_unit is not None and goal.measure != "units":
            message = sentence(
                "free_unit goes by the units of lines that count, not by %(measure)s", measure=goal.measure
            )
            self.no_effect(f"{path}.free_unit", message)
        of_lines = goal.measure in ("units", "spend") or goal.distinct in ("category", "sku")
        if goal.lines is not None and not of_lines:
            message = sentence(
                "lines say which lines count for spend, units and distinct, not for %(measure)s",
                measure=goal.measure,
            )
            self.no_effect(f"{path}.lines", message)
        if goal.most_per_day is not None and goal.measure == "distinct":
            message = sentence(
                "a value that is new counts once anyway; a day's limit would forget which it was"
            )
            self.add(f"{path}.most_per_day", "contradiction", message, sentence("leave it out"))

    def goal_window(self, goal: Goal, path: str) -> None:
        window = goal.window
        days = None
        if isinstance(window, WindowDates):
            message = sentence("the window ends before it starts")
            self.period((("from", window.from_), ("until", window.until)), f"{path}.window", message)
        elif isinstance(window, WindowFromStart):
            days = window.days
        elif isinstance(window, WindowPeriod):
            days = _PERIOD_DAYS[window.period]
        if not goal.steps or (goal.measure == "distinct" and goal.distinct is None):
            return
        last = Fraction(goal.steps[-1].at) - Fraction(goal.head_start)
        most: int | None = None
        if days is not None and goal.most_per_day is not None:
            most, reason = days * goal.most_per_day, f"{goal.most_per_day} a day, {days} days"
        elif days is not None and goal.distinct == "day":
            most, reason = days, f"{days} days"
        elif goal.distinct == "partner" and self.program.partners:
            most, reason = len(self.program.partners), f"{len(self.program.partners)} partners"
        if most is not None and last > most:
            message = sentence(
                "%(at)s is out of reach: at most %(reason)s", at=goal.steps[-1].at, reason=reason
            )
            where = f"{path}.steps[{len(goal.steps) - 1}].at"
            self.add(where, "contradiction", message, sentence("lower the step, or lengthen the window"))

    def goal_rounds(self, goal: Goal, places: int, what: Sentence, path: str) -> None:
        if not goal.repeat:
            if goal.most_rounds is not None:
                self.no_effect(f"{path}.most_rounds", sentence("only a goal that repeats has rounds"))
            if goal.surplus != "roll_over":
                self.no_effect(f"{path}.surplus", sentence("only a goal that repeats has a next round"))
        elif not goal.steps:
            self.no_effect(f"{path}.repeat", sentence("a goal without steps has no round to repeat"))
        elif goal.most_rounds == 1:
            message = sentence("one round at most is what a goal without repeat has")
            self.add(
                f"{path}.most_rounds", "contradiction", message, sentence("raise it, or leave repeat out")
            )
        if not less("0", goal.head_start):
            return
        scaled = goal.measure == "points"
        self.decimals(goal.head_start, places, f"{path}.head_start", what, scaled=scaled)
        if not goal.steps:
            self.no_effect(f"{path}.head_start", sentence("a goal without steps needs no head start"))
        elif not less(goal.head_start, goal.steps[0].at):
            first = goal.steps[0].at
            message = sentence(
                "a head start of %(head_start)s reaches the first step, %(first)s, with nothing done",
                head_start=goal.head_start,
                first=first,
            )
            self.add(
                f"{path}.head_start", "contradiction", message, sentence("lower it, or raise the first step")
            )

    # --- streaks --------------------------------------------------------------------------------------

    def streak(self, streak: Streak, path: str) -> None:
        self.text(streak.name, f"{path}.name")
        self.icon(streak.icon, f"{path}.icon")
        known = self.acts_on(streak.on, f"{path}.on")
        self.condition(streak.when, known, f"{path}.when")
        if streak.of == "pair" and streak.zone != "program":
            message = sentence("two members may live in two zones: their days must be those of the program")
            self.add(f"{path}.zone", "contradiction", message, sentence("write zone: program"))
        if streak.of == "pair" and streak.freeze is not None:
            message = sentence("a token saves the streak of one member, and the other's would lapse")
            self.add(f"{path}.freeze", "contradiction", message, sentence("leave it out"))
        elif streak.freeze is not None:
            currency = self.currency(streak.freeze, f"{path}.freeze")
            if currency is not None and currency.kind != "token":
                message = sentence(
                    "a freeze is paid with a token, and %(freeze)s is of kind %(kind)s",
                    freeze=streak.freeze,
                    kind=currency.kind,
                )
                self.add(
                    f"{path}.freeze",
                    "contradiction",
                    message,
                    sentence("write kind: token in that point currency"),
                )
        if streak.at_risk_hours > _PERIOD_HOURS[streak.period]:
            message = sentence(
                "a %(period)s is no longer than that: the streak would always be at risk",
                period=streak.period,
            )
            self.add(
                f"{path}.at_risk_hours",
                "contradiction",
                message,
                sentence("write %(period_hours)s or less", period_hours=_PERIOD_HOURS[streak.period]),
            )
        for index, step in enumerate(streak.steps):
            where = f"{path}.steps[{index}].grants"
            if not step.grants:
                self.add(
                    where,
                    "missing",
                    sentence("the step gives nothing"),
                    sentence("add a grant, or leave the step out"),
                )
            self.grants(step.grants, where)
        self.rising([step.at for step in streak.steps], f"{path}.steps", "at", sentence("length"))
        if streak.repeat and not streak.steps:
            self.no_effect(f"{path}.repeat", sentence("a streak without steps has none to repeat"))

    # --- games and quizzes ------------------------------------------------------------------------------

    def game(self, game: Game, path: str) -> None:
        self.text(game.name, f"{path}.name")
        types = ["play"]
        if game.kind == "surprise":
            types = self.acts_on(game.on, f"{path}.on")
            if game.price is not None:
                message = sentence("a surprise comes with an activity: it costs nothing")
                self.add(
                    f"{path}.price", "contradiction", message, sentence("leave it out, or make it a wheel")
                )
        elif game.on:
            message = sentence("a %(kind)s is played: no activity draws it", kind=game.kind)
            self.add(
                f"{path}.on", "contradiction", message, sentence("leave it out, or write kind: surprise")
            )
        self.condition(game.when, types, f"{path}.when")
        for index, prize in enumerate(game.prizes):
            where = f"{path}.prizes[{index}]"
            self.text(prize.name, f"{where}.name")
            self.grants(prize.grants, f"{where}.grants")
            if prize.stock is not None and not prize.grants:
                self.no_effect(f"{where}.stock", sentence("a blank gives nothing, and never runs out"))
        self.unique([prize.key for prize in game.prizes], f"{path}.prizes")
        if not any(prize.grants for prize in game.prizes):
            message = sentence("nothing can be won")
            self.add(f"{path}.prizes", "missing", message, sentence("give one of the fields a grant"))
        if game.price is not None:
            self.grant(game.price, f"{path}.price")
        self.play_limits(game.limits, f"{path}.limits")
        brought = [grant.currency for prize in game.prizes for grant in prize.grants]
        self.budget(game.budget, brought, f"{path}.budget", sentence("the prizes"))
        self.active(game.active_from, game.active_until, path, sentence("game"))

    def play_limits(self, limits: PlayLimits | None, path: str) -> None:
        if limits is None:
            return
        if limits == PlayLimits():
            self.no_effect(path, sentence("limits limits nothing"))
        written = [
            (period, most)
            for period in ("day", "week", "month", "lifetime")
            if (most := getattr(limits, period)) is not None
        ]
        for (shorter, low), (longer, high) in pairwise(written):
            if high < low:
                message = sentence(
                    "%(low)s plays a %(shorter)s are never reached: at most %(high)s by %(longer)s",
                    low=low,
                    shorter=shorter,
                    high=high,
                    longer=longer,
                )
                self.add(
                    f"{path}.{shorter}",
                    "contradiction",
                    message,
                    sentence("write %(high)s or less", high=high),
                    "warning",
                )

    def quiz(self, quiz: Quiz, path: str) -> None:
        self.text(quiz.name, f"{path}.name")
        for number, question in enumerate(quiz.questions):
            where = f"{path}.questions[{number}]"
            self.text(question.text, f"{where}.text", MAX_TEXT)
            for index, answer in enumerate(question.answers):
                self.text(answer.text, f"{where}.answers[{index}].text", MAX_TEXT)
            if not any(answer.right for answer in question.answers):
                message = sentence("no answer is right")
                self.add(f"{where}.answers", "missing", message, sentence("write right: true on one of them"))
        self.size(quiz.steps, f"{path}.steps", "scores")
        self.steps(quiz.steps, 0, f"{path}.steps", sentence("scores"))
        if not quiz.steps:
            message = sentence("no score gives anything")
            self.add(
                f"{path}.steps",
                "no_effect",
                message,
                sentence("add a step, or leave the quiz out"),
                "warning",
            )
        elif less(str(len(quiz.questions)), quiz.steps[-1].at):
            message = sentence(
                "a score of %(at)s is out of reach: there are %(count)s questions",
                at=quiz.steps[-1].at,
                count=len(quiz.questions),
            )
            where = f"{path}.steps[{len(quiz.steps) - 1}].at"
            self.add(where, "contradiction", message, sentence("lower the step, or ask more"))

    # --- referral and memberships -----------------------------------------------------------------------

    def referral(self, referral: Referral, path: str) -> None:
        known = self.acts_on(referral.on, f"{path}.on", ("friend_joined", "friend_converted"))
        self.condition(referral.when, known, f"{path}.when")
        if not referral.referrer and not referral.friend:
            message = sentence("neither side receives anything")
            self.add(
                f"{path}.referrer",
                "missing",
                message,
                sentence("give a grant to referrer, to friend, or to both"),
            )
        for name, grants in (("referrer", referral.referrer), ("friend", referral.friend)):
            self.grants(grants, f"{path}.{name}")
            for index, grant in enumerate(grants):
                currency = self.currencies.get(grant.currency)
                days = getattr(currency.expiry, "days", None) if currency is not None else None
                if currency is not None and days is not None and referral.wait_days >= days:
                    grace = getattr(currency.expiry, "grace_days", 0)
                    if referral.wait_days >= days + grace:
                        message = sentence(
                            "it waits %(wait_days)s days and lives %(value)s: none is spent",
                            wait_days=referral.wait_days,
                            value=days + grace,
                        )
                        where = f"{path}.{name}[{index}]"
                        self.add(
                            where, "contradiction", message, sentence("shorten wait_days or lengthen expiry")
                        )

    def membership(self, membership: Membership, path: str) -> None:
        self.text(membership.name, f"{path}.name")
        self.money(membership.fee, f"{path}.fee", sentence("a fee"), zero=True)
        self.grants(membership.grants, f"{path}.grants")
        self.size(membership.benefits, f"{path}.benefits", "benefits")
        for index, benefit in enumerate(membership.benefits):
            self.text(benefit, f"{path}.benefits[{index}]", MAX_TEXT)
        if membership.dividend is not None:
            self.dividend(membership.dividend, f"{path}.dividend")

    def dividend(self, dividend: Dividend, path: str) -> None:
        goal = self.measuring(dividend.goal, f"{path}.goal")
        if goal is not None and goal.measure != "spend":
            message = sentence(
                "a dividend is a share of spend, and %(key)s measures %(measure)s",
                key=goal.key,
                measure=goal.measure,
            )
            self.add(f"{path}.goal", "contradiction", message, sentence("name a goal with measure: spend"))
        yearly = isinstance(goal.window, WindowPeriod) and goal.window.period == "year" if goal else True
        if goal is not None and not yearly:
            message = sentence(
                "a dividend is yearly, and the window of %(key)s is not each year", key=goal.key
            )
            self.add(
                f"{path}.goal",
                "contradiction",
                message,
                sentence("write window: {kind: each, period: year} there"),
            )
        currency = self.currency(dividend.currency, f"{path}.currency")
        if currency is not None and currency.kind not in ("cash", "points"):
            message = sentence(
                "a dividend is paid in cash or points, and %(key)s is of kind %(kind)s",
                key=currency.key,
                kind=currency.kind,
            )
            self.add(
                f"{path}.currency",
                "contradiction",
                message,
                sentence("name a point currency of kind cash or points"),
            )
        elif currency is not None and currency.value is None:
            message = sentence("what a share of money is in %(key)s is not said", key=currency.key)
            self.add(
                f"{path}.currency", "missing", message, sentence("give %(key)s a value", key=currency.key)
            )
        if dividend.least is not None:
            self.money(dividend.least, f"{path}.least", sentence("a least spend"))

    def measuring(self, key: str, path: str) -> Goal | None:
        """The goal that is named, or None and a problem."""
        self.reference(key, [goal.key for goal in self.program.goals], path, sentence("goal"))
        return next((goal for goal in self.program.goals if goal.key == key), None)

    # --- coalition, rankings, notice ----------------------------------------------------------------------

    def partner(self, partner: Partner, path: str) -> None:
        self.text(partner.name, f"{path}.name")
        currency = self.currency(partner.currency, f"{path}.currency")
        scale = currency.scale if currency is not None else 6
        self.size(partner.agreements, f"{path}.agreements", "agreements")
        dates: list[int | None] = []
        for index, agreement in enumerate(partner.agreements):
            where = f"{path}.agreements[{index}]"
            dates.append(self.date(agreement.from_, f"{where}.from"))
            self.agreement(agreement, scale, where)
        for index, (earlier, later) in enumerate(pairwise(dates), 1):
            if earlier is not None and later is not None and later <= earlier:
                relation = sentence("on the same day as") if later == earlier else sentence("before")
                message = sentence("this agreement begins %(relation)s the one above it", relation=relation)
                remedy = sentence("put them in order, the earliest first, one for each date")
                self.add(f"{path}.agreements[{index}].from", "order", message, remedy)
        self.size(partner.benefits, f"{path}.benefits", "benefits")
        for index, benefit in enumerate(partner.benefits):
            self.text(benefit, f"{path}.benefits[{index}]", MAX_TEXT)

    def agreement(self, agreement: Agreement, scale: int, path: str) -> None:
        for name in ("issue_price", "burn_price"):
            self.decimals(
                getattr(agreement, name), PRICE_DECIMALS, f"{path}.{name}", sentence("prices of a point")
            )
        most, where = agreement.most_points_month, f"{path}.most_points_month"
        if most is not None and self.open(most, where, sentence("a cap")):
            self.decimals(most, scale, where, sentence("points of this currency"), scaled=True)
        if agreement.prepaid is not None:
            self.money(agreement.prepaid, f"{path}.prepaid", sentence("an advance"))
            if not less("0", agreement.issue_price):
                message = sentence("an advance is used up at the issue price, and that is 0")
                self.add(
                    f"{path}.prepaid",
                    "contradiction",
                    message,
                    sentence("write issue_price, or leave prepaid out"),
                )

    def leaderboard(self, leaderboard: Leaderboard, path: str) -> None:
        self.text(leaderboard.name, f"{path}.name")
        goal = self.measuring(leaderboard.goal, f"{path}.goal")
        if goal is not None and not isinstance(goal.window, WindowPeriod):
            message = sentence(
                "a ranking is that of a calendar period, and the window of %(key)s is none", key=goal.key
            )
            self.add(
                f"{path}.goal",
                "contradiction",
                message,
                sentence("write window: {kind: each, period: month} there"),
            )
        self.size(leaderboard.prizes, f"{path}.prizes", "prizes")
        for index, prize in enumerate(leaderboard.prizes):
            where = f"{path}.prizes[{index}].grants"
            if not prize.grants:
                self.add(
                    where,
                    "missing",
                    sentence("these ranks win nothing"),
                    sentence("add a grant, or leave the entry out"),
                )
            self.grants(prize.grants, where)
        self.rising(
            [prize.through for prize in leaderboard.prizes], f"{path}.prizes", "through", sentence("rank")
        )
        if leaderboard.prizes and leaderboard.prizes[-1].through > leaderboard.shown:
            message = sentence(
                "ranks through %(through)s win, and %(shown)s are shown",
                through=leaderboard.prizes[-1].through,
                shown=leaderboard.shown,
            )
            where = f"{path}.shown"
            self.add(where, "contradiction", message, sentence("show every rank that wins"), "warning")

    def notice(self) -> None:
        notice = self.program.notice
        if notice is None:
            return
        self.text(notice.text, "notice.text", MAX_TEXT)
        announced = self.date(notice.announced_on, "notice.announced_on")
        if self.program.effective_from is None:
            message = sentence(
                "a version that members are told of before needs the instant at which it takes effect"
            )
            self.add(
                "effective_from", "missing", message, sentence('write it like "2026-01-01T00:00:00+01:00"')
            )
        elif announced is not None and self.clock is not None:
            try:
                starts = moment(parse_instant(self.program.effective_from))
                begins_on = starts.astimezone(ZoneInfo(self.program.time_zone)).date().toordinal()
            except (ValueError, OverflowError):
                begins_on = None  # told where effective_from is checked
            if begins_on is not None and announced >= begins_on:
                begins = date.fromordinal(begins_on)
                message = sentence(
                    "members are told on %(announced_on)s, and it takes effect on %(begins)s",
                    announced_on=notice.announced_on,
                    begins=begins,
                )
                self.add(
                    "notice.announced_on",
                    "contradiction",
                    message,
                    sentence("announce it before, or start it later"),
                )
        for index, key in enumerate(notice.keep_value):
            where = f"notice.keep_value[{index}]"
            currency = self.currency(key, where)
            if key in notice.keep_value[:index]:
                self.add(
                    where,
                    "duplicate_key",
                    sentence("%(key)s is there twice", key=key),
                    sentence("name each once"),
                )
            elif currency is not None and currency.value is None:
                message = sentence("%(key)s has no value that could be kept", key=key)
                self.add(
                    where,
                    "contradiction",
                    message,
                    sentence("give %(key)s a value, or leave it out here", key=key),
                )


__all__ = ["AUDIENCE_FIELDS", "MechanicsChecker"]
