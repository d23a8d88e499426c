"""Straight deciding: one activity type of one version, written out as one Python function.

`Earning` and `rating` say what an activity brings, for every rule there can be; they are the reference. Most
activities need little of it: no part payment, no gift card, no debt. For these the rules of a type are written
out here as one function, each condition, rate, cap and threshold in its place as a local or a number, which
is several times as fast. What such a function cannot do it leaves alone, before it has changed anything, and
the reference decides; where it decides, the decision and the standing are the reference's to the last byte.

Nothing of a document enters the source: numbers are written by `int`, every other value is a constant under a
name of our own. So the text of `source` is the same for every program of the same shape.

Two functions come of one text:

- *told* gives the Decision with its trace, for whoever keeps it;
- *silent* only moves the standing and gives the points that were earned, for whoever adds up (a backtest).
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import msgspec

from palier.engine import program as doc
from palier.engine.amounts import divide
from palier.engine.clock import DAY, EPOCH_DAY, MINUTE, LocalClock
from palier.engine.conditions import Source, fields, line_fields
from palier.engine.decisions import ISSUANCE, WALLET, Decision, Position, SaleRecord, key_of
from palier.engine.facts import ACTS, OCCASIONS, RELAYED, SALE, Fact, Inputs, Known, Line
from palier.engine.plan import (
    FIXED,
    MULTIPLY,
    PER_SPEND,
    PER_UNIT,
    PERIODS,
    PLAIN_BASE,
    ActivityPlan,
    CapSet,
    CompiledRule,
    Ladder,
    Plan,
)
from palier.engine.rating import Basket, limit
from palier.engine.state import NEVER
from palier.engine.trace import RuleTrace, Trace

if TYPE_CHECKING:
    from palier.engine.earning import Earning

Told = Callable[["Earning", Fact, Inputs, int, Position], Decision | None]
"""(fold, fact, inputs, the instant at which it acts, position) -> the decision, or None: not to be had here."""
Silent = Callable[
    ["Earning", Known, Iterator[Known], int, Container[tuple[str, str]], int],
    tuple[Known | None, int, int, int, int],
]
"""(fold, an activity, those that follow, until, named, most) -> (next, how many, points, money, reached at).

Decides activities in order up to the first that is not to be had here: of another type, at or after `until` or
an instant at which something is due, `named` by a return, or unusual. That one is the next, None where there is
none. `points` and `money` were earned and spent in all; the instant is that at which `most` points were reached
(0: not). It does not set the position `last` of the standing.
"""

_READ: Final[dict[type, str]] = {
    doc.Program: "palier key name time_zone currency point_currencies languages description brand widget "
    "effective_from late_window_days hold_minutes member_attributes activity_types names rules groups caps tiers "
    "campaigns goals streaks games quizzes referral memberships partners leaderboards adjustments sale_key "
    "birth_date leap_day notice",
    doc.PointCurrency: "key name kind icon scale value taking_back expiry pending return_grace_days transferable "
    "pay_out_from",
    doc.Rule: "key name on currency when per_spend per_unit fixed multiply lines base tenders tier_multipliers "
    "rounding caps group expiry pending active_from active_until funded_by",
    doc.Group: "key stacking caps",
    doc.MemberCap: "currency caps",
    doc.Caps: "activity day week month year lifetime",
    doc.TierLadder: "tiers window counts spend_base points_currency grace_days soft_landing",
    doc.Tier: "key name qualify keep benefits grants hidden",
}
"""The settings that are known here. A program that sets another one is left to the reference."""


def _unknown(part: Any) -> bool:
    """Whether a part of a document sets what is not known here, so that a new mechanic is never passed over."""
    known = _READ[type(part)].split()
    for field in msgspec.structs.fields(type(part)):
        if field.name not in known:
            made = field.default_factory
            plain = field.default if made is msgspec.NODEFAULT else made()
            if getattr(part, field.name) != plain:
                return True
    return False


def _parts(program: doc.Program, kind: str) -> Iterator[Any]:
    """The parts of a document that an activity type meets while earning."""
    yield program
    yield from program.point_currencies
    rules = [rule for rule in program.rules if rule.on == kind]
    yield from rules
    yield from program.groups
    yield from program.caps
    every = [*(r.caps for r in rules), *(g.caps for g in program.groups), *(c.caps for c in program.caps)]
    yield from (caps for caps in every if caps is not None)
    if program.tiers is not None:
        yield program.tiers
        yield from program.tiers.tiers


class _Skies(dict[int, tuple[int, int] | None]):
    """UTC day since 1970 -> (offset to local time, time until the tier's window ends); None: the clock changes."""

    def __init__(self, clock: LocalClock, window_days: int) -> None:
        super().__init__()
        self.clock, self.window_days = clock, window_days

    def __missing__(self, day: int) -> tuple[int, int] | None:
        before, after = self.clock.calm(day), self.clock.calm(day + self.window_days)
        found = None
        if before is not None and after is not None:
            found = (before, self.window_days * DAY + before - after)
        self[day] = found
        return found


class _Days(dict[int, tuple[Any, ...]]):
    """Local day -> what the function asks about it, in its order."""

    def __init__(self, plan: Plan, rule: CompiledRule | None, columns: Sequence[str]) -> None:
        super().__init__()
        self.plan, self.rule, self.columns = plan, rule, columns

    def __missing__(self, day: int) -> tuple[Any, ...]:
        week, month, year = self.plan.clock.calendar(day)
        values: dict[str, Any] = {"weekday": (day - 1) % 7, "week": week, "month": month, "year": year}
        ladder = self.plan.ladder
        if ladder is not None:
            values["period"] = {"month": month, "quarter": month // 3, "year": year}[ladder.period]
        if self.rule is not None:
            values["fate"], values["lot_id"] = self.plan.destination(self.rule, 0, day, month)
        found = self[day] = tuple(values[column] for column in self.columns)
        return found


ACTING: Final = ACTS | OCCASIONS | RELAYED
"""Activity types that do something beside what rules bring for them."""
_PERIOD_NAMES: Final = ("day", "week", "month", "year", "0")


class _Text:
    """Lines of Python, indented by their blocks."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.depth = 0

    def __call__(self, *lines: str) -> None:
        self.lines += ["    " * self.depth + line for line in lines]

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        self(head)
        self.depth += 1
        yield
        self.depth -= 1

    def __str__(self) -> str:
        return "\n".join([*self.lines, ""])


class _Writer:
    """Writes the function of one activity type. `told` says which of the two.

    Its parts: `_load` brings what is read and moved into locals, `_decide` is one activity, `_store` puts back
    what it moved. Told, they follow one another; silent, `_decide` stands in a loop over activities.
    """

    def __init__(self, plan: Plan, kind: str, *, told: bool) -> None:
        self.plan, self.kind, self.told = plan, kind, told
        self.activity: ActivityPlan = plan.activities[kind]
        self.rules = rules = self.activity.rules
        written = {rule.key: rule for rule in plan.program.rules}
        self.written = [written[rule.key] for rule in rules]
        self.known = fields(plan.program, kind)
        self.uses = {field for rule in rules for field in rule.uses}
        # A type that no rule is about is not counted, whoever asks.
        self.ordinals = self.activity.nth if rules else []
        # Conditions of goals and streaks are not written out: they read the fold's context.
        conditions = [goal.when for goal in self.activity.goals]
        conditions += [streak.when for streak in self.activity.streaks]
        self.reads = any(when is not None for when in conditions)
        self.constants: dict[str, Any] = {}
        self.text = _Text()
        self.leave = "return None" if told else "break"
        everyone = range(len(rules))
        # All that is earned goes to one lot, except what waits.
        self.alike = len({(rule.currency, rule.expiry) for rule in rules}) == 1 and not plan.idle
        self.moving_expiry = any(isinstance(plan.expiries[rule.expiry], doc.ExpiryRolling) for rule in rules)
        waiting = [n for n in everyone if rules[n].pending_days or rules[n].pending_until]
        self.sums: dict[frozenset[int], str] = {}
        self.total = self._sum_of([n for n in everyone if n not in waiting])
        self.waits = self._sum_of(waiting) if waiting else ""
        ladder = plan.ladder
        self.windowed = ladder is not None and ladder.kind == "rolling"
        counted = [n for n in everyone if ladder is not None and rules[n].currency == ladder.points_currency]
        self.points = self._sum_of(counted) if counted else ""
        limits: dict[str, tuple[CapSet, list[int]]] = {}
        for number, rule in enumerate(rules):
            for caps in plan.caps_of(rule):
                limits.setdefault(caps.name, (caps, []))[1].append(number)
        # In the order in which they cut: of rules, of groups, of the member.
        order = {"rule": 0, "group": 1, "member": 2}
        self.limits = sorted(limits.values(), key=lambda item: order[item[0].name.partition(":")[0]])
        self.cap_numbers = {key: number for number, (key, _, _) in enumerate(self.activity.caps)}
        contested = sorted({rule.group or "" for rule in rules if rule.group in plan.best})
        self.contested = {group: f"matched_{number}" for number, group in enumerate(contested)}
        multiplied = sorted({rule.currency for rule in rules if rule.kind == MULTIPLY})
        self.multiplied = {currency: f"base_{number}" for number, currency in enumerate(multiplied)}
        tests = []
        for caps, members in self.limits:
            name = self._sum_of(members)
            if caps.activity is not None:
                tests.append(f"{name} > {int(caps.activity)}")
            tests += [f"{name} > room_{self.cap_numbers[cap.key]}" for cap in caps.periods]
        self.capped = " or ".join(tests)
        self.competes = " or ".join(f"{name} > 1" for name in self.contested.values())

    def constant(self, value: Any) -> str:
        """A name for a value, after what it is; the same for the same object or text."""
        for name, known in self.constants.items():
            if known is value or (type(value) is str and known == value):
                return name
        word = getattr(value, "__name__", type(value).__name__).strip("_").upper()
        name = f"{word}_{len(self.constants)}"
        self.constants[name] = value
        return name

    def _sum_of(self, indices: Sequence[int]) -> str:
        """The name of the running sum over these rules."""
        return self.sums.setdefault(frozenset(indices), f"sum_{len(self.sums)}")

    def possible(self) -> bool:
        """Whether this activity type can be written out."""
        plan, activity = self.plan, self.activity
        if any(_unknown(part) for part in _parts(plan.program, self.kind)):
            return False
        # What moves more than points and tiers, draws on what all members share, or counts other activities.
        only_counted = bool(activity.nth) and not activity.rules
        if activity.shared or activity.counts_of or only_counted or self.kind in ACTING:
            return False
        if activity.mechanics and not self._counts_at_most():
            return False
        if "membership" in self.uses or (plan.ladder is not None and plan.ladder.gives):
            return False
        if not self.told and self.rules and not self.alike:
            return False
        for rule in self.rules:
            if rule.per_line or rule.carry or rule.numerator < 0:
                return False
            if rule.kind == PER_SPEND and rule.base is not PLAIN_BASE:
                return False
            # What a multiplying rule finds in a group that keeps only its best is left to the reference.
            if rule.group in plan.best and rule.kind in (PER_SPEND, PER_UNIT) and self.multiplied:
                return False
        return True

    def _counts_at_most(self) -> bool:
        """Whether mechanics only count for goals and for streaks of one member, and decisions are wanted."""
        plan, activity = self.plan, self.activity
        converts = plan.referral is not None and self.kind in plan.referral.matches
        pairs = any(streak.pair for streak in activity.streaks)
        return self.told and not (activity.games or converts or pairs)

    def function(self) -> str:
        """The source; `constants` is then filled in."""
        text, compiled = self.text, self.constant(self.plan)
        if self.told:
            with text.block("def decide(fold, fact, inputs, at, position):"):
                self._load()
                self._activity()
                self._store()
                self._count()
                text(f"if rises: fold._rise({compiled}, at, trace)")
                self._answer()
            return str(text)
        with text.block("def decide(fold, known, rest, until, named, most):"):
            self._load()
            text("lot_in_hand = None", "number = earned_in_all = spent_in_all = reached_at = latest = 0")
            with text.block(f"for known in {self.constant(chain)}((known,), rest):"):
                text("fact = known.fact", "inputs = known.inputs")
                text("if fact.at >= due_at or fact.at >= until: break")
                text(f"if fact.type != {self.constant(self.kind)}: break")
                text("if named and (fact.source, fact.id) in named: break")
                self._activity()
                text("latest = at", "number += 1", "spent_in_all += amount", f"earned_in_all += {self.total}")
                text("if earned_in_all >= most and not reached_at: reached_at = at")
                text("if rises: break")
            text("else: known = None")
            text("if latest > state.latest: state.latest = latest")
            self._store()
            with text.block("if rises:"):
                text(f"fold._rise({compiled}, latest, {self.constant(Trace)}({int(self.plan.version)}))")
                text("known = next(rest, None)")
            text("return known, number, earned_in_all, spent_in_all, reached_at")
        return str(text)

    # --- the standing, into locals and back ---

    def _load(self) -> None:
        text, plan = self.text, self.plan
        ladder = plan.ladder
        text("state = fold.state", "due_at = state.due_at", "standing = state.tier", "held = standing.key")
        text(
            f"if state.memberships or standing.given: {'return None' if self.told else 'return known, 0, 0, 0, 0'}"
        )
        text(f"if not held: held = standing.key = {self.constant(plan.levels[0])}")
        if ladder is None:
            text("tier = 0")
        else:
            text(f"tier = {self.constant(ladder.index)}.get(held, 0)", "totals = standing.current")
            if ladder.kind == "rolling":
                text(f"above = held != {self.constant(ladder.keys[0])}", "entries = standing.entries")
                text(f"oldest, newest = (entries[0][0], entries[-1][0]) if entries else ({NEVER}, 0)")
            if ladder.kind == "calendar":
                text("former = standing.previous", "of_period = standing.period")
        text("rises = False")
        for name, table, key, _ in self._counters():
            text(f"count = {table}.get({key})")
            text(f"of_{name}, {name} = (-1, 0) if count is None else count")

    def _counters(self) -> Iterator[tuple[str, str, str, str]]:
        """The counters of caps and ordinals: (local, table, key, the local of the period that it should count)."""
        for number, (key, period, _) in enumerate(self.activity.caps):
            yield f"used_{number}", "state.used", self.constant(key), _PERIOD_NAMES[period]
        for window in self.ordinals:
            key = self.constant(f"{self.kind}:{window}")
            yield f"times_{PERIODS[window]}", "state.nth", key, window if window != "lifetime" else "0"

    def _store(self) -> None:
        for name, table, key, _ in self._counters():
            self.text(f"if of_{name} >= 0: {table}[{key}] = [of_{name}, {name}]")
        self.text("if due_at < state.due_at: state.due_at = due_at")

    # --- one activity ---

    def _activity(self) -> None:
        """One activity. It is left to the reference before anything is moved, or not at all."""
        text = self.text
        text(f"if fact.tenders or inputs.acts_at or inputs.judgement is not None: {self.leave}")
        text("amount = fact.amount")
        if self.kind == SALE:
            text(f"if not amount: {self.leave}")
        if self.kind in self.plan.declared:
            text(f"if fact.sale is not None: {self.leave}")
        self._money()
        self._when()
        self._rooms()
        self._earned()
        self._limits()
        self._credit()
        self._take()
        self._measure()

    def _money(self) -> None:
        """The goods, the part of them that each rule with a condition on lines counts, and the quantity."""
        text = self.text
        text("lines = fact.lines", "goods = amount - fact.shipping")
        source = Source(line_fields(self.plan.program), "line.", self.constants, line=True)
        parts: dict[int, tuple[str, str]] = {}
        for number, (rule, written) in enumerate(zip(self.rules, self.written, strict=True)):
            if rule.kind == PER_UNIT or (rule.kind == PER_SPEND and written.lines is not None):
                test = source.node(written.lines) if written.lines is not None else ""
                parts[number] = (test, "paid" if rule.kind == PER_SPEND else "line.quantity")
        sums = [f"part_{number}" for number in parts] + (["quantity"] if "quantity" in self.uses else [])
        text(" = ".join([*sums, "listed", "0"]))
        # A sale told without lines is one line of which nothing but the amount is known.
        all_lines = f"lines or ({self.constant(Line)}(amount=goods),)" if sums else "lines"
        with text.block(f"for line in {all_lines}:"):
            with text.block("if line.kind != 'product':"):
                text("listed = -1", "break")
            text("paid = line.amount", "listed += paid")
            if "quantity" in self.uses:
                text("quantity += line.quantity")
            for number, (test, money) in parts.items():
                text(f"if {test}: part_{number} += {money}" if test else f"part_{number} += {money}")
        told = "listed != goods" if sums else "(lines and listed != goods)"
        text(f"if goods < 0 or {told}: {self.leave}")

    def _when(self) -> None:
        """The local day and what is asked about it; what conditions read."""
        text, plan = self.text, self.plan
        ladder = plan.ladder
        window = ladder.window_days if ladder is not None and self.windowed else 0
        needs = {"weekday"} & self.uses
        needs |= {period for *_, period in self._counters()}
        rule = None
        if self.alike:
            if self.moving_expiry:
                needs.add("month")
            else:
                rule = self.rules[0]
                needs |= {"fate", "lot_id"}
        if ladder is not None and ladder.kind == "calendar":
            needs.add("period")
        columns = sorted(needs - {"day", "0"})
        clock = plan.clock
        if not self.told:
            text("at = fact.at")
        text(f"sky = {self.constant(_Skies(clock, window))}[at // {DAY}]")
        with text.block("if sky is None:"):
            text(f"day, minute = {self.constant(clock.local)}(at)")
            if self.windowed:
                text(f"leaves = {self.constant(clock.add_days)}(at, {window})")
        with text.block("else:"):
            text("offset, stay = sky", f"day = (at + offset) // {DAY} + {EPOCH_DAY}")
            if "time" in self.uses or self.reads:
                text(f"minute = (at + offset) // {MINUTE} % 1440")
            if self.windowed:
                text("leaves = at + stay")
        if columns:
            text(f"{', '.join(columns)}, = {self.constant(_Days(plan, rule, columns))}[day]")
        if self.alike and self.moving_expiry:
            destination = f"{self.constant(plan.destination)}({self.constant(self.rules[0])}, at, day, month)"
            text(f"fate, lot_id = {destination}")
        for name in ("channel", "location", "partner"):
            if name in self.uses:
                text(f"{name} = fact.{name}")
        if "segment" in self.uses:
            text("segments = frozenset(inputs.segments)")
        if "tender" in self.uses:
            text("tenders = ()")
        places = {self.known[name].place for name in self.uses}
        if "member" in places:
            text("member = inputs.member")
        if "attribute" in places:
            text("attributes = fact.attributes")

    def _rooms(self) -> None:
        """The room under each cap, and how often this type came; what counted another period counts nothing."""
        text = self.text
        for name, _, _, period in self._counters():
            text(f"now_{name} = {name} if of_{name} == {period} else 0")
        for number, (_, _, most) in enumerate(self.activity.caps):
            text(f"room_{number} = {int(most)} - now_used_{number}")
        for window in self.ordinals:
            text(f"nth_{PERIODS[window]} = now_times_{PERIODS[window]} + 1")

    def _earned(self) -> None:
        """Each rule in its order: whether it matches, its base, its points; and the sums that they go into."""
        text = self.text
        # What each rule brought is kept apart only for cutting it.
        self.apart = bool(self.capped) and not self.told
        apart = [f"earned_{number}" for number in range(len(self.rules))] if self.apart else []
        names = [*self.sums.values(), *self.contested.values(), *self.multiplied.values(), *apart]
        text(" = ".join([*names, "0"]))
        if self.told:
            text("results = []")
        source = Source(self.known, "", self.constants)
        for number, (rule, written) in enumerate(zip(self.rules, self.written, strict=True)):
            tests = []
            if rule.active_from or rule.active_until != NEVER:
                tests.append(f"{rule.active_from} <= at < {rule.active_until}")
            if written.when is not None:
                tests.append(source.node(written.when))
            if tests:
                with text.block(f"if {' and '.join(tests)}:"):
                    self._rule(number, rule)
            else:
                self._rule(number, rule)

    def _rule(self, number: int, rule: CompiledRule) -> None:
        text = self.text
        if rule.kind == FIXED:
            base, raw = "1", str(int(rule.numerator))
        else:
            if rule.kind == MULTIPLY:
                base = self.multiplied[rule.currency]
            else:
                base = "goods" if rule.kind == PER_SPEND and rule.lines is None else f"part_{number}"
            text(f"raw = {self._divided(base, rule.numerator, rule.denominator, rule.mode)}")
            raw = "raw"
        earned = raw
        if rule.kind in (PER_SPEND, PER_UNIT):
            multipliers = [
                (level, each) for level, each in enumerate(rule.multipliers or ()) if each is not None
            ]
            for position, (level, multiplier) in enumerate(multipliers):
                value = self._divided(raw, *multiplier, rule.mode)
                text(f"{'elif' if position else 'if'} tier == {level}: earned = {value}")
            if multipliers:
                text("else: earned = raw")
                earned = "earned"
            if rule.currency in self.multiplied:
                text(f"{self.multiplied[rule.currency]} += {earned}")
        for members, name in self.sums.items():
            if number in members:
                text(f"{name} += {earned}")
        if rule.group in self.plan.best:
            text(f"{self.contested[rule.group or '']} += 1")
        if self.apart:
            text(f"earned_{number} = {earned}")
        if self.told:
            where = ""
            if self.alike and not (rule.pending_days or rule.pending_until):
                where = ", lot_id" if earned.isdigit() and int(earned) else f", lot_id if {earned} else 0"
            key, currency = self.constant(rule.key), self.constant(rule.currency)
            made = f"{self.constant(RuleTrace)}({key}, {currency}, {base}, {raw}, {earned}, {earned}{where})"
            text(f"results.append({made})")

    def _divided(self, base: str, numerator: int, denominator: int, mode: str) -> str:
        product = base if numerator == 1 else f"{base} * {int(numerator)}"
        if denominator == 1:
            return product
        if mode == "floor":
            return f"{product} // {int(denominator)}"
        return f"{self.constant(divide)}({product}, {int(denominator)}, {self.constant(mode)})"

    def _limits(self) -> None:
        """Cuts to the room there is. Of rules that compete, and told, the reference does it."""
        text, plan = self.text, self.plan
        if not self.told:
            refused = " or ".join(filter(None, (self.competes, self.waits)))
            if refused:
                text(f"if {refused}: {self.leave}")
            if self.capped:
                with text.block(f"if {self.capped}:"):
                    self._cut()
            return
        rooms = ", ".join(f"{self.constant(key)}: room_{n}" for key, n in self.cap_numbers.items())
        ordinals = ", ".join(f"{self.constant(each)}: nth_{PERIODS[each]}" for each in self.ordinals)
        text(f"rooms = {{{rooms}}}")
        text(
            f"trace = {self.constant(Trace)}"
            f"({int(plan.version)}, held, '', results, rooms, {{}}, {{}}, {{{ordinals}}})"
        )
        if self.capped or self.competes:
            compiled, activity = self.constant(plan), self.constant(self.activity)
            with text.block(f"if {' or '.join(filter(None, (self.capped, self.competes)))}:"):
                text(f"brought = {self.constant(_limited)}({compiled}, {activity}, results, rooms)")
                for number, rule in enumerate(self.rules):
                    text(f"earned_{number} = brought.get({self.constant(rule.key)}, 0)")
                self._sum_up()

    def _sum_up(self) -> None:
        for summed, name in self.sums.items():
            self.text(f"{name} = {' + '.join(f'earned_{number}' for number in sorted(summed)) or '0'}")

    def _cut(self) -> None:
        text = self.text
        for caps, members in self.limits:
            most = [f"room_{self.cap_numbers[cap.key]}" for cap in caps.periods]
            if caps.activity is not None:
                most.append(str(int(caps.activity)))
            text(f"left = {most[0]}")
            for each in most[1:]:
                text(f"if {each} < left: left = {each}")
            text("if left < 0: left = 0")
            for position, number in enumerate(members):
                text(f"if earned_{number} > left: earned_{number} = left")
                if position < len(members) - 1:
                    text(f"left -= earned_{number}")
        self._sum_up()

    def _credit(self) -> None:
        """Into the lot. What waits, a wallet that owes, a lot that has lapsed: these are the reference's."""
        text = self.text
        if self.told:
            text("transfers = []")
        if not self.rules:
            return
        by_rule = f"fold._credit_results({self.constant(self.plan)}, fact, trace, transfers, at, day)"
        if not self.alike:
            text(f"if results: {by_rule}")
            return
        word = "if"
        if self.told and self.waits:
            text(f"if {self.waits}: {by_rule}")
            word = "elif"
        currency = self.constant(self.rules[0].currency)
        with text.block(f"{word} {self.total}:"):
            with nullcontext() if self.told else text.block("if lot_id != lot_in_hand:"):
                text(f"wallet = state.wallets.get({currency}) or fold._wallet({currency})")
                text("lots = wallet.lots", "lot = lots[-1] if lots else None")
                with text.block("if lot is None or lot.id != lot_id or lot.first_earned > at:"):
                    text(f"lot = fold._lot({currency}, lot_id, fate, '', at)")
                if self.told:
                    with text.block("if wallet.debt or lot.lapses_at <= at:"):
                        arguments = f"{currency}, lot, {self.total}, at, transfers, 'earn', {ISSUANCE!r}"
                        text(f"fold._credit({arguments})")
                    text("else:")
                    text.depth += 1
                else:
                    text(f"if wallet.debt or lot.lapses_at <= at: {self.leave}", "lot_in_hand = lot_id")
                text("if lot.lapses_at < due_at: due_at = lot.lapses_at")
            text(f"lot.earned += {self.total}", f"lot.remaining += {self.total}")
            if self.told:
                moved = f"'earn', {ISSUANCE!r}, {WALLET!r}, {currency}, lot_id, {self.total}, at"
                text(f"transfers.append(({moved}))")
                text.depth -= 1

    def _take(self) -> None:
        """Counts this activity, and takes the room that it uses."""
        text = self.text
        for window in self.ordinals:
            number = PERIODS[window]
            period = window if window != "lifetime" else "0"
            text(f"of_times_{number} = {period}", f"times_{number} = nth_{number}")
        for caps, members in self.limits:
            name = self._sum_of(members)
            if caps.periods:
                with text.block(f"if {name}:"):
                    for cap in caps.periods:
                        used = f"used_{self.cap_numbers[cap.key]}"
                        text(f"of_{used} = {_PERIOD_NAMES[cap.period]}", f"{used} = now_{used} + {name}")

    def _measure(self) -> None:
        """The metrics of the tier move; whether the member may rise by them."""
        ladder = self.plan.ladder
        if ladder is None:
            return
        if self.kind in ladder.counts:
            spend = "goods"
            if ladder.base is not PLAIN_BASE:
                spend = "spend"
                self.text(f"spend = {self.constant(Basket)}(fact).spend({self.constant(ladder.base)})")
            self._add_up(ladder, spend, self.points or "0", "1")
        elif self.points:
            with self.text.block(f"if {self.points}:"):
                self._add_up(ladder, "0", self.points, "0")

    def _add_up(self, ladder: Ladder, *added: str) -> None:
        text, compiled = self.text, self.constant(self.plan)
        if ladder.kind == "rolling":
            entry = f"(leaves, {', '.join(added)})"
            with text.block("if oldest <= at:"):
                text(f"fold._roll({compiled}, at)", f"oldest = entries[0][0] if entries else {NEVER}")
            text(f"if leaves < newest: {self.constant(insort)}(entries, {entry})")
            with text.block("else:"):
                text(f"entries.append({entry})", "newest = leaves")
            text("if leaves < oldest: oldest = leaves")
            text("if above and leaves < due_at: due_at = leaves")
        elif ladder.kind == "calendar":
            with text.block("if of_period != period:"):
                text(f"fold._roll({compiled}, at)", "of_period = period")
                text("totals = standing.current", "former = standing.previous")
        for index, value in enumerate(added):
            text(
                f"total_{index} = totals[{index}]"
                if value == "0"
                else f"total_{index} = totals[{index}] = totals[{index}] + {value}"
            )
        tests = ["standing.held_until"]
        for names in (["total_0", "total_1", "total_2"], ["former[0]", "former[1]", "former[2]"]):
            for level in range(1, len(ladder.keys)):
                tests.append(f"tier < {level} and ({ladder.reach_texts[level].format(*names)})")
            if ladder.kind != "calendar":
                break
        text(f"if {' or '.join(tests)}: rises = True")

    def _count(self) -> None:
        """Counts the activity for goals and streaks, by their floors, behind all that rules bring."""
        text, activity = self.text, self.activity
        if not activity.mechanics:
            return
        compiled, moved = self.constant(self.plan), self.constant(activity)
        text(f"basket = {self.constant(Basket)}(fact)", "context = fold._context")
        if self.reads:
            text(f"fold._set_context(fact, inputs, basket, tier, day, minute, {moved})")
            text("context.nth = trace.nth.__getitem__", f"context.memberships = {self.constant(frozenset())}")
        if activity.goals:
            text(f"fold._count_goals({compiled}, {moved}, context, fact, basket, at, day, transfers, trace)")
        if activity.streaks:
            text(f"fold._count_streaks({compiled}, {moved}, context, fact, inputs, at, transfers, trace, [])")

    def _answer(self) -> None:
        text = self.text
        with text.block("if fold.keep_records:"):
            record = f"{self.constant(SaleRecord)}(fact, inputs, trace, position)"
            text(f"fold.sales[{self.constant(key_of)}(fact.source, fact.id)] = {record}")
        version = int(self.plan.version)
        decision = f"fact.source, fact.id, fact.type, at, {version}, standing.key, transfers, trace"
        text(f"return {self.constant(Decision)}({decision})")


def _limited(
    plan: Plan, activity: ActivityPlan, results: list[RuleTrace], rooms: dict[str, int]
) -> dict[str, int]:
    """Cuts what rules brought to the room there is: what is left of each."""
    limit(plan, activity, [plan.rules[result.rule] for result in results], results, rooms)
    for result in results:
        if not result.earned:
            result.lot = 0
    return {result.rule: result.earned for result in results}


def source(plan: Plan, kind: str, *, told: bool) -> tuple[str, dict[str, Any]] | None:
    """The text of the function for an activity type, and its constants; None where it cannot be written out."""
    if kind not in plan.activities:
        return None
    writer = _Writer(plan, kind, told=told)
    return (writer.function(), writer.constants) if writer.possible() else None


def _function(plan: Plan, kind: str, *, told: bool) -> Any:
    written = source(plan, kind, told=told)
    if written is None:
        return None
    text, constants = written
    names: dict[str, Any] = {"__builtins__": _BUILTINS, **constants}
    # The text is made of our own words, integers and constant names alone.
    eval(compile(text, "<straight>", "exec"), names)  # noqa: S307
    return names["decide"]


_BUILTINS: Final = {"frozenset": frozenset, "len": len, "next": next}


def told(plan: Plan, kind: str) -> Told | None:
    """The function that decides activities of this type with their traces; None: only the reference can."""
    try:
        found: Told | None = plan.told[kind]
    except KeyError:
        found = plan.told[kind] = _function(plan, kind, told=True)
    return found


def silent(plan: Plan, kind: str) -> tuple[Silent, str] | None:
    """The function that only moves the standing, and the currency of the points that it tells."""
    try:
        found: tuple[Silent, str] | None = plan.silent[kind]
    except KeyError:
        function = _function(plan, kind, told=False)
        rules = plan.activities[kind].rules if kind in plan.activities else []
        currency = rules[0].currency if rules else ""
        found = plan.silent[kind] = (function, currency) if function is not None else None
    return found
