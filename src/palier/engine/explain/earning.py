"""What rules earned, told as arithmetic."""

from __future__ import annotations

from palier.engine import program as doc
from palier.engine.amounts import from_minor, ratio, shares, to_minor
from palier.engine.currencies import localized
from palier.engine.explain.mechanics import Mechanics
from palier.engine.explain.telling import Step
from palier.engine.facts import RETURN
from palier.engine.phrases import own_name
from palier.engine.plan import FIXED, MULTIPLY, PER_SPEND, CompiledRule
from palier.engine.trace import RuleTrace
from palier.engine.words import NO_BREAK


class Earning(Mechanics):
    """Each rule that earned: base, rate, rounding, tier, cap, wait."""

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
        if not steps and self.told.type not in (RETURN, "correction") and not self.mechanics():
            steps.append(Step("", self.say("no rule brought points", "aucune règle n'a rapporté de points")))
        return steps

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
        fact = self.told.fact if self.told.type != RETURN else self.told.sale
        points_out = rule.base.points_part == "out"
        if fact is None or not fact.tenders:
            return ""
        if not rule.tender_rates and not (points_out and any(t.kind == "points" for t in fact.tenders)):
            return ""
        parts = []
        paid = [tender.amount for tender in fact.tenders]
        if self.told.type == RETURN:
            paid = shares(fact.amount - self.trace.returned, paid)
        for tender, part in zip(fact.tenders, shares(result.base, paid), strict=True):
            if tender.kind == "points" and points_out:
                continue
            each = (written.tenders or {}).get(tender.kind, per.points)
            called = own_name("tender", tender.kind, self.plan.program, self.language)
            kind = called or tender.kind.replace("_", " ")
            parts.append(f"{self.money(part)} ({kind}){step} × {self.rate_points(each, result.currency)}")
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
        if result.limit.startswith(("campaign:", "partner:")):
            return self.shared_limit(result)
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

    def shared_limit(self, result: RuleTrace) -> str:
        """A limit that all members share, of which this was the rest: "budget of Spring: 12 left → 12"."""
        kind, key, *_ = result.limit.split(":")
        left = self.number(result.earned, result.currency)
        parts = {
            "campaign": {item.key: item.name for item in self.program.campaigns},
            "partner": {item.key: item.name for item in self.program.partners},
        }[kind]
        name = self.text(parts[key]) if key in parts else key
        budget = (
            self.say(f"budget of {name}", f"budget de {name}")
            if kind == "campaign"
            else self.say(f"limit of {name}", f"limite de {name}")
        )
        return self.say(f"{budget}: {left} left → {left}", f"{budget}{NO_BREAK}: reste {left} → {left}")

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
            return self.say(f"waits for: {named}", f"en attente de{NO_BREAK}: {named}")
        if self.told.at and rule.pending_days:
            when = self.day(self.plan.clock.add_days(self.told.at, rule.pending_days))
            return self.say(f"to spend from {when}", f"utilisable à partir du {when}")
        return self.say("pending", "en attente")
