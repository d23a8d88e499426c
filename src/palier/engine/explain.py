"""Decisions told as arithmetic one could do by hand, in English and French; and why a rule brought nothing.

Every number in a sentence is one of the trace, of the transfers, or of the program: "€42.10 × 1 star = 42 ·
Gold × 1.5 = 63 · daily cap 60 → 60". A fraction of a point is dropped unless the words say otherwise.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Final

import msgspec
from msgspec import Struct

from palier.engine import program as doc
from palier.engine.amounts import from_minor, ratio, shares, to_minor
from palier.engine.conditions import Miss, near_miss
from palier.engine.currencies import localized, money
from palier.engine.decisions import Transfer
from palier.engine.facts import NO_INPUTS, RETURN, SALE, Fact, Inputs, Line
from palier.engine.phrases import _date_words, _ordinal, explain, explain_miss
from palier.engine.plan import FIXED, MULTIPLY, PER_SPEND, ActivityPlan, CompiledRule, Plan
from palier.engine.rating import Basket, rate
from palier.engine.state import NEVER
from palier.engine.trace import RuleTrace, Trace

_NO_BREAK: Final = "\u00a0"
_NEAR_TIMES: Final = 2
"""How many times short of a counted one still counts as nearly."""


class Told(Struct, frozen=True):
    """What is told of one decision: its type, trace and transfers, and where known its fact.

    `expiries`: lot -> the instant at which it expires (NEVER: without end). A correction has the type and the
    instant of the decision it replaces in `corrected_type` and `corrected_at`; `withdrawn` where it replaces
    it by nothing.
    """

    type: str
    trace: Trace
    at: int = 0
    transfers: Sequence[Transfer] = ()
    fact: Fact | None = None
    expiries: Mapping[int, int] = {}
    corrected_type: str = ""
    corrected_at: int = 0
    withdrawn: bool = False


class Step(Struct, frozen=True):
    """One line of an explanation: what acted (a rule's name, or empty), the arithmetic, what it moved.

    `points` are minor units of `currency`: positive into the member's wallet or pending points, negative out.
    """

    title: str
    text: str
    points: int = 0
    currency: str = ""


def sentence(told: Told, plan: Plan, language: str) -> str:
    """The whole explanation in one line, in "en" or "fr". `plan` is the version that the trace names."""
    steps = lines(told, plan, language)
    if len(steps) == 1:
        return steps[0].text
    joint = f"{_NO_BREAK}: " if language == "fr" else ": "
    gap = f"{_NO_BREAK}; " if language == "fr" else "; "
    return gap.join(f"{step.title}{joint}{step.text}" if step.title else step.text for step in steps)


def lines(told: Told, plan: Plan, language: str) -> list[Step]:
    """One step for each rule that earned and each thing that moved; never empty."""
    return _Teller(told, plan, language).steps()


class Words:
    """Amounts, days and names of one version of a program, in one language."""

    def __init__(self, plan: Plan, language: str) -> None:
        self.plan = plan
        self.fr = language == "fr"
        self.language = language

    def say(self, english: str, french: str) -> str:
        return french if self.fr else english

    def number(self, minor: int, currency: str) -> str:
        """Points as a bare number, at their scale; the minus is a true one."""
        found = self.plan.currencies.get(currency)
        text = localized(from_minor(abs(minor), found.scale if found is not None else 0), self.language)
        return f"\u2212{text}" if minor < 0 else text

    def points(self, minor: int, currency: str) -> str:
        """Points with their name: "1 star", "42 stars"; "1,5 étoile", "2 étoiles"."""
        found = self.plan.currencies.get(currency)
        one = 10**found.scale if found is not None else 1
        singular = abs(minor) < 2 * one if self.fr else abs(minor) == one
        return f"{self.number(minor, currency)}{_NO_BREAK}{self.noun(currency, singular)}"

    def noun(self, currency: str, singular: bool) -> str:
        written = next((c for c in self.plan.program.point_currencies if c.key == currency), None)
        if written is None:
            return currency
        names = (written.name.fr, written.name.en) if self.fr else (written.name.en, written.name.fr)
        name = names[0] or names[1]
        return currency if name is None else name.one if singular else name.other

    def rate_points(self, text: str, currency: str) -> str:
        """A rate as written in the document: "1 star", "1.5 stars"."""
        top, bottom = ratio(text)
        singular = top < 2 * bottom if self.fr else top == bottom
        return f"{self.decimal(text)}{_NO_BREAK}{self.noun(currency, singular)}"

    def decimal(self, text: str) -> str:
        if "." in text:
            text = text.rstrip("0").rstrip(".")
        return localized(text, self.language)

    def money(self, minor: int) -> str:
        return money(minor, self.plan.program.currency, self.language)

    def day(self, at: int) -> str:
        """The local day of an instant, in words."""
        day, _ = self.plan.clock.local(at)
        return _date_words(date.fromordinal(day).isoformat(), self.language)

    def tier(self, key: str) -> str:
        ladder = self.plan.program.tiers
        for tier in ladder.tiers if ladder is not None else ():
            if tier.key == key:
                return self.text(tier.name) or key
        return key

    def text(self, text: doc.Text) -> str:
        return (text.fr or text.en) if self.fr else (text.en or text.fr)

    def good_through(self, expires_at: int) -> str:
        if expires_at >= NEVER:
            return self.say("without end", "sans échéance")
        return self.say("good through ", "valables jusqu'au ") + self.day(expires_at - 1)


class _Teller(Words):
    def __init__(self, told: Told, plan: Plan, language: str) -> None:
        super().__init__(plan, language)
        self.told = told
        self.trace = told.trace

    # --- what is told -----------------------------------------------------------------------------

    def steps(self) -> list[Step]:
        told = self.told
        if told.type == "correction":
            return self.correction()
        tellers: dict[str, Callable[[], list[Step]]] = {
            RETURN: self.returned,
            "redeem": self.spent,
            "hold": self.held,
            "capture": self.captured,
            "release": self.freed,
            "hold_expired": self.freed,
            "adjust": self.adjusted,
            "transfer_out": self.moved,
            "transfer_in": self.moved,
            "released": self.released,
            "expired": self.expired,
            "tier_changed": list,
        }
        steps = tellers.get(told.type, self.earned)()
        steps += self.standing()
        return steps or [Step("", self.say("nothing moved", "rien n'a bougé"))]

    def correction(self) -> list[Step]:
        told = self.told
        when = self.day(told.corrected_at) if told.corrected_at else ""
        if told.withdrawn:
            first = self.say(f"withdraws the decision of {when}", f"retire la décision du {when}")
        else:
            first = self.say(f"replaces the decision of {when}", f"remplace la décision du {when}")
        net = self.net()
        changes = ", ".join(
            ("+" if amount > 0 else "") + self.points(amount, currency)
            for currency, amount in net.items()
            if amount
        )
        unchanged = self.say("the amount stays", "le montant reste le même")
        joint = f"{_NO_BREAK}: " if self.fr else ": "
        steps = [Step("", first + joint + (changes or unchanged))]
        if told.withdrawn:
            return steps
        new = msgspec.structs.replace(told, type=told.corrected_type or SALE, transfers=())
        teller = _Teller(new, self.plan, self.language)
        return steps + (teller.earned() if new.type in (SALE, RETURN) or self.trace.rules else [])

    def net(self) -> dict[str, int]:
        """What the transfers change of the member's points, pending ones too, less what is owed."""
        sums: dict[str, int] = {}
        own = ("wallet", "pending", "hold", "debt")
        for _, debit, credit, currency, _, amount, _ in self.told.transfers:
            sums[currency] = sums.get(currency, 0) + amount * ((credit in own) - (debit in own))
        return sums

    def moved_by(self, kind: str, debit: str = "", credit: str = "") -> dict[str, int]:
        sums: dict[str, int] = {}
        for name, source, target, currency, _, amount, _ in self.told.transfers:
            if name == kind and debit in ("", source) and credit in ("", target):
                sums[currency] = sums.get(currency, 0) + amount
        return sums

    def standing(self) -> list[Step]:
        """What went along: a tier reached or lost, a debt paid, points released, lateness."""
        steps = []
        trace = self.trace
        if trace.tier_after:
            levels = self.plan.levels
            up = trace.tier in levels and levels.index(trace.tier_after) > levels.index(trace.tier)
            before, after = self.tier(trace.tier), self.tier(trace.tier_after)
            text = (
                self.say(f"{after} reached", f"niveau {after} atteint")
                if up
                else self.say(f"tier {before} → {after}", f"niveau {before} → {after}")
            )
            steps.append(Step("", text))
        if self.told.type not in ("released", "transfer_in", "adjust"):
            for currency, amount in self.moved_by("release").items():
                said = self.points(amount, currency)
                steps.append(
                    Step("", self.say(f"{said} released", f"libération de {said}"), amount, currency)
                )
        for currency, amount in self.moved_by("repay").items():
            if self.told.type != RETURN:
                said = self.points(amount, currency)
                steps.append(
                    Step(
                        "",
                        self.say(f"{said} paid what was owed", f"{said} ont réglé la dette"),
                        -amount,
                        currency,
                    )
                )
        if trace.late:
            text = self.say(
                "came late: judged as of its own date, posted when it came",
                "arrivé tard : jugé à sa propre date, passé à son arrivée",
            )
            steps.append(Step("", text))
        return steps

    # --- earning ----------------------------------------------------------------------------------

    def earned(self) -> list[Step]:
        steps = []
        for result in self.trace.rules:
            rule = self.plan.rules.get(result.rule)
            if rule is None or (not result.base and not result.earned):
                continue
            parts = [self.effect(rule, result)]
            if result.multiplied != result.raw or self.multiplier(rule) is not None:
                parts += self.multiplied(rule, result)
            if result.limit:
                parts.append(self.limited(result))
            if result.pending and result.earned and self.told.type != RETURN:
                parts.append(self.waits(rule))
            steps.append(Step(self.name(rule.key), " · ".join(parts), result.earned, result.currency))
        if not steps and self.told.type not in (RETURN, "correction"):
            steps.append(Step("", self.say("no rule brought points", "aucune règle n'a rapporté de points")))
        return steps

    def name(self, key: str) -> str:
        written = next((rule for rule in self.plan.program.rules if rule.key == key), None)
        return key if written is None else self.text(written.name) or key

    def document(self, key: str) -> doc.Rule:
        return next(rule for rule in self.plan.program.rules if rule.key == key)

    def effect(self, rule: CompiledRule, result: RuleTrace) -> str:
        written = self.document(rule.key)
        raw = self.number(result.raw, result.currency)
        if rule.kind == FIXED:
            return self.say("bonus of ", "bonus de ") + self.points(result.raw, result.currency)
        if rule.kind == MULTIPLY:
            base = self.number(result.base, result.currency)
            times = self.decimal(written.multiply or "1")
            rounding = self.rounding(rule, result)
            return f"{self.points(result.base, result.currency)} × {times} − {base} = {raw}{rounding}"
        if rule.kind != PER_SPEND:
            units = localized(str(result.base), self.language)
            item = self.say(
                "item" if result.base == 1 else "items", "article" if result.base < 2 else "articles"
            )
            each = self.rate_points(written.per_unit or "0", result.currency)
            return f"{units} {item} × {each} = {raw}{self.rounding(rule, result)}"
        assert written.per_spend is not None
        return self.spend(rule, written, written.per_spend, result, raw)

    def spend(
        self, rule: CompiledRule, written: doc.Rule, per: doc.PerSpend, result: RuleTrace, raw: str
    ) -> str:
        step = "" if ratio(per.every) == (1, 1) else f" ÷ {self.decimal_money(per.every)}"
        rounding = self.rounding(rule, result)
        simple = f"{self.money(result.base)}{step} × {self.rate_points(per.points, result.currency)}"
        if rule.per_line:
            return f"{simple}, {self.say('line by line', 'ligne par ligne')} = {raw}{rounding}"
        split = self.by_tender(rule, written, per, result, step)
        if rule.carry and rule.key in self.trace.carry:
            brought = self.fraction(self.trace.carry[rule.key], result.currency)
            left = self.fraction(self.trace.carry_out.get(rule.key, (0, 1)), result.currency)
            sign = "" if brought.startswith("\u2212") else "+ "
            carried = self.say(f"{sign}{brought} carried over", f"{sign}{brought} reporté")
            rest = self.say(f"{left} carried on", f"reste {left}")
            return f"{split or simple} {carried} = {raw} ({rest})"
        return f"{split or simple} = {raw}{rounding}"

    def by_tender(
        self, rule: CompiledRule, written: doc.Rule, per: doc.PerSpend, result: RuleTrace, step: str
    ) -> str:
        """The parts paid by each tender at its rate, where they make a difference and are known."""
        fact = self.told.fact
        points_out = rule.base.points_part == "out"
        if fact is None or not fact.tenders or self.told.type == RETURN:
            return ""
        if not rule.tender_rates and not (points_out and any(t.kind == "points" for t in fact.tenders)):
            return ""
        parts = []
        kept = shares(result.base, [tender.amount for tender in fact.tenders])
        for tender, part in zip(fact.tenders, kept, strict=True):
            if tender.kind == "points" and points_out:
                continue
            each = (written.tenders or {}).get(tender.kind, per.points)
            parts.append(
                f"{self.money(part)} ({tender.kind}){step} × {self.rate_points(each, result.currency)}"
            )
        return " + ".join(parts) or f"{self.money(0)} × {self.rate_points(per.points, result.currency)}"

    def decimal_money(self, text: str) -> str:
        """A step of money as written: "€5.00"; with more decimals than the currency has, as a bare number."""
        try:
            return self.money(to_minor(text, self.plan.exponent))
        except ValueError:
            return self.decimal(text)

    def fraction(self, value: tuple[int, int], currency: str) -> str:
        """A carried remainder in points: a decimal where it ends, else a fraction."""
        top, bottom = value
        found = self.plan.currencies.get(currency)
        bottom *= 10 ** (found.scale if found is not None else 0)
        sign = "\u2212" if top < 0 else ""
        digits = next((count for count in range(13) if abs(top) * 10**count % bottom == 0), None)
        if digits is None:
            return f"{sign}{abs(top)}/{bottom}"
        return sign + localized(from_minor(abs(top) * 10**digits // bottom, digits), self.language)

    def rounding(self, rule: CompiledRule, result: RuleTrace) -> str:
        if rule.mode == "floor" or rule.kind == FIXED:
            return ""
        words = {
            "ceiling": ("rounded up", "arrondi au-dessus"),
            "half_up": ("rounded to the nearest", "arrondi au plus proche"),
            "half_even": ("rounded to the nearest, halves to even", "arrondi au plus proche, demis au pair"),
        }
        return f" ({self.say(*words[rule.mode])})"

    def multiplier(self, rule: CompiledRule) -> tuple[int, int] | None:
        if rule.multipliers is None or rule.kind in (FIXED, MULTIPLY):
            return None
        ladder = self.plan.ladder
        level = ladder.index.get(self.trace.tier, 0) if ladder is not None else 0
        return rule.multipliers[level]

    def multiplied(self, rule: CompiledRule, result: RuleTrace) -> list[str]:
        multiplier = self.multiplier(rule)
        if multiplier is None or multiplier[0] == multiplier[1]:
            return []
        times = self.decimal((self.document(rule.key).tier_multipliers or {})[self.trace.tier])
        return [f"{self.tier(self.trace.tier)} × {times} = {self.number(result.multiplied, result.currency)}"]

    def limited(self, result: RuleTrace) -> str:
        """The cap that cut: its period, what it allows, what was left under it where that is less."""
        name, _, period = result.limit.rpartition(":")
        scope = name.partition(":")[0]
        limit = self.limit_of(name, period, result)
        words = {
            "activity": ("cap per activity", "plafond par activité"),
            "day": ("daily cap", "plafond du jour"),
            "week": ("weekly cap", "plafond de la semaine"),
            "month": ("monthly cap", "plafond du mois"),
            "year": ("yearly cap", "plafond de l'année"),
            "lifetime": ("lifetime cap", "plafond à vie"),
        }[period]
        said = self.say(*words)
        if scope == "group":
            said = self.say(f"{said} of the group", f"{said} du groupe")
        allowed = "" if limit is None else " " + self.number(limit, result.currency)
        left = ""
        if limit is not None and result.earned < limit:
            rest = self.number(result.earned, result.currency)
            left = self.say(f", {rest} left", f", reste {rest}")
        return f"{said}{allowed}{left} → {self.number(result.earned, result.currency)}"

    def limit_of(self, name: str, period: str, result: RuleTrace) -> int | None:
        rule = self.plan.rules[result.rule]
        for caps in self.plan.caps_of(rule):
            if caps.name == name:
                if period == "activity":
                    return caps.activity
                return next((cap.limit for cap in caps.periods if cap.key == f"{name}:{period}"), None)
        return None

    def waits(self, rule: CompiledRule) -> str:
        if rule.pending_until:
            kind = self.plan.declared.get(rule.pending_until)
            named = rule.pending_until if kind is None else self.text(kind.name) or rule.pending_until
            return self.say(f"waits for: {named}", f"en attente de{_NO_BREAK}: {named}")
        if self.told.at and rule.pending_days:
            when = self.day(self.plan.clock.add_days(self.told.at, rule.pending_days))
            return self.say(f"to spend from {when}", f"utilisable à partir du {when}")
        return self.say("pending", "en attente")

    # --- returns ----------------------------------------------------------------------------------

    def returned(self) -> list[Step]:
        trace = self.trace
        back = self.money(trace.returned)
        first = self.say(f"{back} returned of this sale", f"{back} rendus sur cet achat")
        if trace.cut:
            cut = self.money(trace.cut)
            first += self.say(f", {cut} beyond it ignored", f", {cut} au-delà ignorés")
        steps = [Step("", first)]
        kept = self.earned()
        for step in kept:
            steps.append(
                Step(self.say(f"kept, {step.title}", f"conservé, {step.title}"), step.text, 0, step.currency)
            )
        if not kept:
            steps.append(
                Step("", self.say("what is kept brings nothing", "ce qui est conservé ne rapporte rien"))
            )
        steps += self.taken_back()
        for currency, amount in self.moved_by("earn").items():
            said = self.points(amount, currency)
            steps.append(Step("", self.say(f"{said} more", f"{said} de plus"), amount, currency))
        return steps + self.given_back()

    def taken_back(self) -> list[Step]:
        """By currency: points taken back, and from where."""
        pending = self.moved_by("reverse", debit="pending")
        lapsed = self.moved_by("unexpire")
        wallet = self.moved_by("reverse", debit="wallet")
        owed = self.moved_by("debt")
        repaid = self.moved_by("repay")
        steps = []
        for currency in sorted({*pending, *wallet, *owed}):
            parts = []
            for amount, english, french in (
                (pending.get(currency, 0), "pending", "en attente"),
                (wallet.get(currency, 0) - lapsed.get(currency, 0), "from the balance", "sur le solde"),
                (lapsed.get(currency, 0), "that had expired", "après expiration"),
                (owed.get(currency, 0), "already spent, owed", "en dette, car déjà en usage"),
            ):
                if amount:
                    parts.append(f"{self.number(amount, currency)} {self.say(english, french)}")
            total = pending.get(currency, 0) + wallet.get(currency, 0) + owed.get(currency, 0)
            said = self.points(total, currency)
            text = self.say(f"{said} taken back: ", f"reprise de {said}{_NO_BREAK}: ") + " + ".join(parts)
            if repaid.get(currency):
                amount_text = self.number(repaid[currency], currency)
                text += self.say(
                    f" ({amount_text} settled at once)", f" (règlement immédiat de {amount_text})"
                )
            steps.append(Step("", text, -total, currency))
        if self.trace.written_off:
            currencies = [*pending, *wallet, *(rule.currency for rule in self.trace.rules)]
            currency = currencies[0] if currencies else next(iter(self.plan.currencies))
            said = self.points(self.trace.written_off, currency)
            steps.append(
                Step("", self.say(f"{said} already spent, let go", f"abandon de {said}, déjà en usage"))
            )
        return steps

    def given_back(self) -> list[Step]:
        steps = []
        for kind, english, french in (
            ("restore", "{} given back to where they came from", "restitution de {} à leur lot d'origine"),
            ("regrant", "{} given back with a new end", "restitution de {} avec une nouvelle échéance"),
        ):
            for currency, amount in self.moved_by(kind).items():
                text = self.say(english, french).format(self.points(amount, currency))
                steps.append(Step("", text, amount, currency))
        for currency, amount in self.moved_by("expire").items():
            said = self.points(amount, currency)
            text = self.say(f"{said} expired at once", f"expiration immédiate de {said}")
            steps.append(Step("", text, -amount, currency))
        return steps

    # --- spending ---------------------------------------------------------------------------------

    def currency(self) -> str:
        fact = self.told.fact
        if fact is not None and fact.currency:
            return fact.currency
        return self.told.transfers[0][3] if self.told.transfers else next(iter(self.plan.currencies))

    def from_lots(self, taken: Sequence[tuple[int, int]], currency: str) -> str:
        """The parts by lot with their end: "300 good through 30 June 2026 + 200 without end"."""
        parts = []
        for lot, amount in taken:
            expires_at = self.told.expiries.get(lot)
            end = f" {self.good_through(expires_at)}" if expires_at is not None else ""
            parts.append(f"{self.number(amount, currency)}{end}")
        return " + ".join(parts)

    def spent(self) -> list[Step]:
        return self.taken("{} spent", "dépense de {}")

    def taken(self, english: str, french: str) -> list[Step]:
        """Points that left their lots: which, until when they were good, and what was lacking."""
        currency = self.currency()
        trace = self.trace
        total = sum(amount for _, amount in trace.taken) + trace.owed + trace.written_off
        parts = [self.from_lots(trace.taken, currency)] if trace.taken else []
        if trace.owed:
            parts.append(self.number(trace.owed, currency) + self.say(" owed", " en dette"))
        if trace.written_off:
            parts.append(self.number(trace.written_off, currency) + self.say(" let go", " sans suite"))
        text = self.say(english, french).format(self.points(total, currency))
        if len(trace.taken) > 1 or len(parts) > 1 or self.told.expiries:
            text += (f"{_NO_BREAK}: " if self.fr else ": ") + " + ".join(parts)
        if self.told.fact is not None and self.told.fact.reason:
            text += f" ({self.told.fact.reason})"
        return [Step("", text, -total, currency)]

    def held(self) -> list[Step]:
        step = self.taken("{} set aside", "mise de côté de {}")[0]
        return [Step("", step.text, 0, step.currency)]

    def captured(self) -> list[Step]:
        steps = self.taken("{} spent of those set aside", "dépense de {} sur la mise de côté")
        return steps + self.freed()

    def freed(self) -> list[Step]:
        english, french = "{} set aside are free again", "{} de nouveau utilisables"
        if self.told.type == "hold_expired":
            english += ", not used in time"
            french += ", faute d'usage à temps"
        return [
            Step("", self.say(english, french).format(self.points(amount, currency)), 0, currency)
            for currency, amount in self.moved_by("unhold").items()
        ]

    def adjusted(self) -> list[Step]:
        fact = self.told.fact
        reason = self.trace.reason or (fact.reason if fact is not None else "")
        steps = []
        added = self.moved_by("adjust", credit="wallet")
        for currency, amount in added.items():
            text = f"+{self.points(amount, currency)}" + (f" ({reason})" if reason else "")
            steps.append(Step("", text, amount, currency))
        if added:
            return steps
        currency = self.currency()
        total = sum(amount for _, amount in self.trace.taken) + self.trace.owed
        text = self.points(-total, currency) + (f" ({reason})" if reason else "")
        return [Step("", text, -total, currency)]

    def moved(self) -> list[Step]:
        out = self.told.type == "transfer_out"
        currency = self.currency()
        fact = self.told.fact
        if out:
            total = sum(amount for _, amount in self.trace.taken)
        else:
            total = sum(self.moved_by("transfer_in").values()) or (fact.points if fact is not None else 0)
        other = fact.other_member if fact is not None else ""
        said = self.points(total, currency)
        if out:
            text = self.say(f"{said} given", f"don de {said}") + (
                self.say(f" to {other}", f" à {other}") if other else ""
            )
        else:
            text = self.say(f"{said} received", f"réception de {said}") + (
                self.say(f" from {other}", f" de {other}") if other else ""
            )
        return [Step("", text, -total if out else total, currency)]

    # --- due work ---------------------------------------------------------------------------------

    def released(self) -> list[Step]:
        return [
            Step(
                "",
                self.say(
                    f"{self.points(amount, currency)} can be spent from now on",
                    f"{self.points(amount, currency)} utilisables dès maintenant",
                ),
                amount,
                currency,
            )
            for currency, amount in self.moved_by("release").items()
        ]

    def expired(self) -> list[Step]:
        steps = []
        for kind, _, _, currency, lot, amount, _ in self.told.transfers:
            if kind != "expire":
                continue
            said = self.points(amount, currency)
            expires_at = self.told.expiries.get(lot)
            end = (
                f", {self.good_through(expires_at)}" if expires_at is not None and expires_at < NEVER else ""
            )
            steps.append(
                Step("", self.say(f"{said} expired{end}", f"expiration de {said}{end}"), -amount, currency)
            )
        return steps


# --- why not ------------------------------------------------------------------------------------------


class _Seen:
    """What conditions read of a fact, as it was when it was decided."""

    def __init__(self, plan: Plan, fact: Fact, trace: Trace, inputs: Inputs, basket: Basket) -> None:
        day, minute = plan.clock.local(fact.at)
        self.amount = basket.amount
        self.attributes = fact.attributes
        self.channel = fact.channel
        self.day = day
        self.lines = basket.lines
        self.location = fact.location
        self.member = inputs.member
        self.minute = minute
        self.nth: Callable[[str], int] = lambda per: trace.nth.get(per, 0)
        self.partner = fact.partner
        self.quantity = sum(line.quantity for line in basket.lines if line.kind != "shipping")
        self.segments = frozenset(inputs.segments)
        self.memberships = frozenset(trace.memberships)
        self.tenders = basket.tenders
        self.tier = plan.ladder.index.get(trace.tier, 0) if plan.ladder is not None else 0
        self.weekday = (day - 1) % 7


def why_not(plan: Plan, fact: Fact, trace: Trace, language: str, inputs: Inputs = NO_INPUTS) -> list[str]:
    """Rules of the fact's type that brought nothing but nearly did, nearest first.

    One comparison failed: the sentence tells the smallest change of it that would have earned, and how much
    (what that rule alone would have brought, under the caps as they stood). `plan` is the version that the
    trace names. Empty for returns and commands.
    """
    rules = plan.activities.get(fact.type)
    if rules is None or fact.type == RETURN or (fact.type == SALE and not fact.amount):
        return []
    teller = _Teller(Told(fact.type, trace, fact.at, (), fact), plan, language)
    brought = {result.rule for result in trace.rules if result.base or result.earned}
    found = []
    for rule in rules.rules:
        if rule.key in brought:
            continue
        told = _nearly(teller, rules, rule, fact, trace, inputs)
        if told is not None:
            found.append(told)
    found.sort(key=lambda item: item[0])
    return [text for _, text in found]


def _nearly(
    teller: _Teller, rules: ActivityPlan, rule: CompiledRule, fact: Fact, trace: Trace, inputs: Inputs
) -> tuple[int, str] | None:
    """How far (per mille, for ordering) the rule was from matching, and the sentence; None: not near."""
    plan = teller.plan
    written = teller.document(rule.key)
    if not rule.active_from <= fact.at < rule.active_until:
        return None
    basket = Basket(fact)
    seen = _Seen(plan, fact, trace, inputs, basket)
    misses = near_miss(written.when, seen, plan.program, fact.type)
    joint = f"{_NO_BREAK}: " if teller.fr else ": "
    title = teller.name(rule.key) + joint
    if not misses:
        # It matched, and no line of the basket counts for it; or another rule of its group brought more.
        if written.lines is None or (rule.group in plan.best and any(map(rule.lines or bool, basket.lines))):
            return None
        needed = explain(written.lines, plan.program, teller.language)
        text = teller.say(
            f"no line of the basket counts ({needed})", f"aucune ligne du panier ne compte ({needed})"
        )
        return 2000, title + text
    if len(misses) > 1:
        return None
    miss = misses[0]
    change = _change(teller, miss, fact)
    if change is None:
        return None
    distance, words, changed = change
    points = _would_earn(plan, rules, rule, changed, trace, inputs)
    if points <= 0:
        return None
    earned = teller.points(points, rule.currency)
    return distance, title + words.format(earned)


def _change(teller: _Teller, miss: Miss, fact: Fact) -> tuple[int, str, Fact] | None:
    """The smallest change that meets a failed comparison: (distance, phrase with room for points, fact)."""
    say, plan = teller.say, teller.plan
    if miss.field == "amount" and not isinstance(miss.wanted, tuple):
        wanted = to_minor(str(miss.wanted), plan.exponent)
        wanted += {"above": 1, "below": -1}.get(miss.op, 0)
        more = wanted - fact.amount
        if miss.op not in ("at_least", "above", "at_most", "below", "is") or abs(more) > max(fact.amount, 1):
            return None
        said = teller.money(abs(more))
        verb = "auraient" if abs(more) >= 2 * 10**plan.exponent else "aurait"
        words = (
            say(f"{said} more would have earned {{}}", f"{said} de plus {verb} rapporté {{}}")
            if more > 0
            else say(f"{said} less would have earned {{}}", f"{said} de moins {verb} rapporté {{}}")
        )
        return abs(more) * 1000 // max(fact.amount, 1), words, _with_amount(fact, more)
    if (
        miss.field in ("quantity", "lines")
        and miss.op in ("at_least", "above")
        and isinstance(miss.found, int)
    ):
        count = int(str(miss.wanted)) + (miss.op == "above") - miss.found
        if count > max(miss.found, 1):
            return None
        noun = (say("item", "article") if miss.field == "quantity" else say("line", "ligne")) + (
            "s" if count > 1 else ""
        )
        verb = "auraient" if count > 1 else "aurait"
        words = say(
            f"{count} more {noun} would have earned {{}}", f"{count} {noun} de plus {verb} rapporté {{}}"
        )
        return 500, words, fact
    if miss.field == "nth":
        return _later(teller, miss, fact)
    reason = explain_miss(miss, plan.program, teller.language)
    return 1000, say(f"would have earned {{}} ({reason})", f"aurait rapporté {{}} ({reason})"), fact


def _with_amount(fact: Fact, more: int) -> Fact:
    """The same basket with so much more, or less, of something that no rule asks for by name."""
    if not fact.lines:
        return msgspec.structs.replace(fact, amount=fact.amount + more)
    if more > 0:
        return msgspec.structs.replace(
            fact, amount=fact.amount + more, lines=(*fact.lines, Line(amount=more))
        )
    held = shares(fact.amount + more, [line.amount for line in fact.lines])
    cut = tuple(
        msgspec.structs.replace(line, amount=part) for line, part in zip(fact.lines, held, strict=True)
    )
    return msgspec.structs.replace(fact, amount=fact.amount + more, lines=cut)


def _later(teller: _Teller, miss: Miss, fact: Fact) -> tuple[int, str, Fact] | None:
    """A count that is reached a little later: "the 10th time would have earned .. (this was the 9th)"."""
    if not isinstance(miss.found, int) or isinstance(miss.wanted, tuple):
        return None
    wanted = int(str(miss.wanted))
    if miss.op == "every":
        wanted = -(-(miss.found + 1) // wanted) * wanted
    elif miss.op == "above":
        wanted += 1
    elif miss.op not in ("at_least", "is"):
        return None
    if not 0 < wanted - miss.found <= _NEAR_TIMES:
        return None
    then, now = _ordinal(wanted, teller.language), _ordinal(miss.found, teller.language)
    words = teller.say(
        f"the {then} time would have earned {{}} (this was the {now})",
        f"la {then} fois aurait rapporté {{}} (c'était la {now})",
    )
    return 500 + wanted - miss.found, words, fact


def _would_earn(
    plan: Plan, rules: ActivityPlan, rule: CompiledRule, fact: Fact, trace: Trace, inputs: Inputs
) -> int:
    """What the rule alone would have brought had it matched, in points minor units."""
    met = copy.copy(rule)
    met.match = None
    others = [met if item is rule else item for item in rules.rules]
    assumed = ActivityPlan(others, plan, counts=rules.counts)
    basket = Basket(fact)
    seen = _Seen(plan, fact, trace, inputs, basket)

    rated = rate(plan, assumed, seen, basket, fact.at, seen.tier, trace.rooms, trace.carry)
    return sum(result.earned for result in rated.results if result.rule == rule.key)


__all__ = ["Step", "Told", "Words", "lines", "sentence", "why_not"]
