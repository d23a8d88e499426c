"""Everything wrong with a program document that its types cannot say.

Errors are what the engine could not do, or what cannot have been meant; warnings are what works but is
probably not what was meant. Only documents without errors are published.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Final
from zoneinfo import available_timezones

from palier.engine import conditions
from palier.engine.check_dates import DatesChecker
from palier.engine.check_mechanics import MechanicsChecker
from palier.engine.checker import CODES, MAX_NAME, MAX_TEXT, SIZES, less
from palier.engine.clock import LocalClock, is_zone
from palier.engine.conditions import Problem, nearest
from palier.engine.currencies import EXPONENTS, exponent
from palier.engine.facts import BUILT_IN, COMMANDS, DERIVED, RETURN, SALE
from palier.engine.instants import parse_instant
from palier.engine.program import (
    ActivityType,
    AdjustmentLimit,
    Adjustments,
    Attribute,
    Base,
    Caps,
    Expiry,
    ExpiryFixedDate,
    ExpiryInactivity,
    Noun,
    Pending,
    PendingUntilActivity,
    PointCurrency,
    Program,
    Qualify,
    RoundingRule,
    Rule,
    Tier,
)
from palier.engine.sentences import all_of, sentence

__all__ = ["CODES", "Problem", "check", "errors"]

_CAP_PERIODS: Final = ("activity", "day", "week", "month", "year", "lifetime")
_EFFECTS: Final = ("per_spend", "per_unit", "fixed", "multiply")


def check(program: Program, now: int | None = None) -> list[Problem]:
    """All problems of the document, in its own order: path, code, message, remedy and severity.

    `now` (microseconds UTC) is when a version starts that names no instant: what is past by then is told.
    """
    checker = _Checker(program)
    checker.published_at = now
    checker.run()
    return checker.problems


def errors(problems: Iterable[Problem]) -> list[Problem]:
    """Only the problems that keep a document from being published."""
    return [problem for problem in problems if problem.severity == "error"]


class _Checker(MechanicsChecker, DatesChecker):
    """One pass over one document, in its own order."""

    def run(self) -> None:
        program = self.program
        self.head()
        for index, currency in enumerate(program.point_currencies):
            self.point_currency(currency, f"point_currencies[{index}]")
        self.attributes(program.member_attributes, "member_attributes", member=True)
        self.size(program.activity_types, "activity_types", "activity_types")
        for index, activity_type in enumerate(program.activity_types):
            path = f"activity_types[{index}]"
            if activity_type.key in BUILT_IN | COMMANDS | DERIVED:
                message = sentence(
                    '"%(key)s" is a type of activity that every program has', key=activity_type.key
                )
                self.add(f"{path}.key", "reserved_name", message, sentence("choose another key"))
            self.text(activity_type.name, f"{path}.name")
            self.attributes(activity_type.attributes, f"{path}.attributes", member=False)
            self.shadowed(activity_type, f"{path}.attributes")
        self.withdrawals()
        for index, rule in enumerate(program.rules):
            self.rule(rule, f"rules[{index}]")
        self.member_caps()
        self.ladder()
        for index, campaign in enumerate(program.campaigns):
            self.campaign(campaign, f"campaigns[{index}]")
            for number, rule in enumerate(campaign.rules):
                self.rule(rule, f"campaigns[{index}].rules[{number}]")
        self.exclusives()
        self.groups()
        self.mechanics()
        self.by_hand()
        self.dates()
        self.unique([currency.key for currency in program.point_currencies], "point_currencies")
        self.unique([activity_type.key for activity_type in program.activity_types], "activity_types")
        self.unique([rule.key for rule in program.rules], "rules")
        self.unique([group.key for group in program.groups], "groups")
        self.unique(self.tiers, "tiers.tiers")
        self.unique([campaign.key for campaign in program.campaigns], "campaigns")
        self.campaign_keys()

    # --- the head -------------------------------------------------------------------------------------

    def head(self) -> None:
        program = self.program
        if not program.languages:
            self.add(
                "languages",
                "missing_text",
                sentence("no language is declared"),
                sentence("write languages: [en, fr]"),
            )
        if len(set(program.languages)) < len(program.languages):
            self.add(
                "languages",
                "duplicate_key",
                sentence("a language is declared twice"),
                sentence("name each once"),
            )
        self.text(program.name, "name")
        if program.description is not None:
            self.text(program.description, "description", MAX_TEXT)
        if program.brand is not None and program.brand.logo is not None:
            self.source(program.brand.logo.source, "brand.logo.source", uploaded=True)
            self.text(program.brand.logo.alt, "brand.logo.alt")
        if program.widget is not None:
            if program.widget.invitation is not None:
                self.text(program.widget.invitation, "widget.invitation")
            if len(set(program.widget.origins)) < len(program.widget.origins):
                self.add(
                    "widget.origins",
                    "duplicate_key",
                    sentence("an origin is named twice"),
                    sentence("name each once"),
                )
        for field, names in program.names.items():
            for key, name in names.items():
                self.text(name, f"names.{field}.{key[:60]}")
        if program.sale_key and "ticket_number" not in program.sale_key:
            self.add(
                "sale_key",
                "contradiction",
                sentence("a sale has no name without its ticket number"),
                sentence("add ticket_number"),
            )
        if len(set(program.sale_key)) < len(program.sale_key):
            self.add(
                "sale_key", "duplicate_key", sentence("a field is named twice"), sentence("name each once")
            )
        if is_zone(program.time_zone):
            self.clock = LocalClock(program.time_zone)
        else:
            self.zone_problem()
        if program.currency not in EXPONENTS:
            close = nearest(program.currency.lower(), [code.lower() for code in EXPONENTS])
            remedy = (
                sentence("did you mean %(close)s?", close=close.upper())
                if close
                else sentence("write an ISO 4217 code, such as EUR")
            )
            self.add(
                "currency",
                "unknown_currency",
                sentence("%(currency)s is no currency code", currency=program.currency),
                remedy,
            )
        if program.effective_from is not None:
            try:
                parse_instant(program.effective_from)
            except ValueError:
                message = sentence(
                    '"%(effective_from)s" is no instant with its offset',
                    effective_from=program.effective_from[:40],
                )
                self.add(
                    "effective_from", "date", message, sentence('write it like "2026-01-01T00:00:00+01:00"')
                )

    def zone_problem(self) -> None:
        name = self.program.time_zone
        lower = {zone.lower(): zone for zone in available_timezones() if is_zone(zone)}
        close = nearest(name, sorted(lower))
        remedy = (
            sentence('did you mean "%(close)s"?', close=lower[close])
            if close
            else sentence('write an IANA name, such as "Europe/Paris"')
        )
        self.add(
            "time_zone",
            "unknown_time_zone",
            sentence('there is no time zone "%(name)s"', name=name[:60]),
            remedy,
        )

    def point_currency(self, currency: PointCurrency, path: str) -> None:
        names: tuple[tuple[str, Noun | None], ...] = (("en", currency.name.en), ("fr", currency.name.fr))
        for language, noun in names:
            if language not in self.program.languages:
                continue
            if noun is None or not noun.one.strip() or not noun.other.strip():
                message = sentence(
                    'there is no "%(language)s" name, which `languages` declares', language=language
                )
                remedy = sentence(
                    'add %(language)s: {one: "point", other: "points"} in your words', language=language
                )
                self.add(f"{path}.name.{language}", "missing_text", message, remedy)
            elif max(len(noun.one), len(noun.other)) > MAX_NAME:
                message = sentence("the name is longer than %(max_name)s characters", max_name=MAX_NAME)
                self.add(f"{path}.name.{language}", "too_long", message, sentence("shorten it"))
        self.unit(currency, path)
        self.expiry(currency.expiry, f"{path}.expiry")
        if currency.pending is not None:
            self.pending(currency.pending, f"{path}.pending")
            self.pending_against_expiry(currency.pending, currency.expiry, f"{path}.pending")

    def expiry(self, expiry: Expiry, path: str) -> None:
        if isinstance(expiry, ExpiryFixedDate):
            self.date(expiry.date, f"{path}.date")

    def shadowed(self, activity_type: ActivityType, path: str) -> None:
        """A type with an amount has the amount's fields: an attribute of that name could not be asked for."""
        for name in ("amount", "tender"):
            if activity_type.money and name in activity_type.attributes:
                message = sentence('"%(name)s" is a field of every activity with an amount', name=name)
                self.add(f"{path}.{name}", "reserved_name", message, sentence("choose another name"))

    def pending(self, pending: Pending, path: str) -> None:
        if isinstance(pending, PendingUntilActivity):
            self.reference(
                pending.activity, sorted(self.types), f"{path}.activity", sentence("declared activity type")
            )

    def attributes(self, attributes: Mapping[str, Attribute], path: str, *, member: bool) -> None:
        self.size(attributes, path, "attributes")
        for name, attribute in attributes.items():
            where = f"{path}.{name}"
            if not member and name in conditions.COMMON_FIELDS:
                message = sentence('"%(name)s" is a field that every activity has', name=name)
                self.add(where, "reserved_name", message, sentence("choose another name"))
            if attribute.description is not None:
                self.text(attribute.description, f"{where}.description", MAX_TEXT)
            if attribute.product_code and (attribute.type != "text" or attribute.choices is not None):
                message = sentence("product_code is for type text without choices")
                self.add(f"{where}.product_code", "contradiction", message, sentence("leave it out"))
            if attribute.choices is None:
                continue
            if attribute.type != "text":
                message = sentence("choices are for type text, not %(type)s", type=attribute.type)
                self.add(
                    f"{where}.choices",
                    "contradiction",
                    message,
                    sentence("leave choices out, or use type text"),
                )
            self.size(attribute.choices, f"{where}.choices", "choices")
            if not attribute.choices:
                self.add(
                    f"{where}.choices",
                    "contradiction",
                    sentence("no value is allowed"),
                    sentence("name the choices"),
                )
            if len(set(attribute.choices)) < len(attribute.choices):
                self.add(
                    f"{where}.choices",
                    "duplicate_key",
                    sentence("a choice is there twice"),
                    sentence("name each once"),
                )

    # --- rules ----------------------------------------------------------------------------------------

    def rule(self, rule: Rule, path: str) -> None:
        self.text(rule.name, f"{path}.name")
        known_type = self.rule_type(rule, f"{path}.on")
        currency = None
        if self.reference(
            rule.currency, sorted(self.currencies), f"{path}.currency", sentence("point currency")
        ):
            currency = self.currencies[rule.currency]
        scale = currency.scale if currency is not None else 6
        effects = [name for name in _EFFECTS if getattr(rule, name) is not None]
        if len(effects) != 1:
            message = (
                sentence("the rule has %(names)s", names=all_of(effects))
                if effects
                else sentence("the rule has no effect")
            )
            remedy = sentence(
                "keep one of per_spend, per_unit, fixed, multiply; write another rule for another effect"
            )
            self.add(path if not effects else f"{path}.{effects[1]}", "one_effect", message, remedy)
        else:
            self.effect(rule, effects[0], scale, path)
        if known_type:
            known = conditions.fields(self.program, rule.on)
            if rule.when is not None:
                self.problems += conditions.check(rule.when, known, f"{path}.when")
        if rule.lines is not None:
            self.problems += conditions.check(
                rule.lines, conditions.line_fields(self.program), f"{path}.lines"
            )
        self.caps(rule.caps, scale, f"{path}.caps")
        self.cut_bonus(rule, path)
        if rule.group is not None:
            groups = [group.key for group in self.program.groups]
            self.reference(rule.group, groups, f"{path}.group", sentence("group"))
        self.rule_fate(rule, currency, path)
        self.funder(rule, path)
        self.before.append(rule)
        self.active(rule.active_from, rule.active_until, path, sentence("rule"))

    def rule_type(self, rule: Rule, path: str) -> bool:
        if rule.on == RETURN:
            message = sentence(
                "a return earns nothing: what is kept of its sale is rated again by the sale's rules"
            )
            self.add(path, "reserved_name", message, sentence("write on: sale"))
            return False
        return self.acts(rule.on, path)

    def funder(self, rule: Rule, path: str) -> None:
        """What a partner pays for must be in a currency that some partner issues."""
        if rule.funded_by == "partner" and rule.currency in self.currencies:
            issued = {partner.currency for partner in self.program.partners}
            if rule.currency not in issued:
                message = sentence("no partner issues %(currency)s", currency=rule.currency)
                remedy = sentence(
                    "declare partners whose currency is %(currency)s, or leave funded_by out",
                    currency=rule.currency,
                )
                self.add(f"{path}.funded_by", "contradiction", message, remedy)

    def effect(self, rule: Rule, effect: str, scale: int, path: str) -> None:
        if rule.per_spend is not None:
            self.positive(rule.per_spend.points, f"{path}.per_spend.points", sentence("a rate"))
            places = exponent(self.program.currency)
            where = f"{path}.per_spend.every"
            if self.positive(rule.per_spend.every, where, sentence("a step")):
                self.decimals(
                    rule.per_spend.every,
                    places,
                    where,
                    sentence("amounts in %(currency)s", currency=self.program.currency),
                )
        elif rule.per_unit is not None:
            self.positive(rule.per_unit, f"{path}.per_unit", sentence("a rate"))
        elif rule.fixed is not None:
            if self.positive(rule.fixed, f"{path}.fixed", sentence("a bonus")):
                self.decimals(
                    rule.fixed,
                    scale,
                    f"{path}.fixed",
                    sentence("points of %(currency)s", currency=rule.currency),
                    scaled=True,
                )
        else:
            self.multiply(rule, path)
        if effect == "per_spend" and not conditions.carries_money(self.program, rule.on):
            if rule.on in self.types | BUILT_IN:
                message = sentence("per_spend needs an amount, and %(on)s has none", on=rule.on)
                remedy = sentence("write money: true in the activity type, or use fixed")
                self.add(f"{path}.per_spend", "contradiction", message, remedy)
        elif effect == "per_unit" and rule.on != SALE and rule.on in self.types | BUILT_IN:
            message = sentence("per_unit needs the lines of a sale, and %(on)s is no sale", on=rule.on)
            self.add(f"{path}.per_unit", "contradiction", message, sentence("write on: sale, or use fixed"))
        self.beside_effect(rule, effect, path)

    def multiply(self, rule: Rule, path: str) -> None:
        factor = rule.multiply or "0"
        if not less("1", factor):
            message = sentence("multiplying by %(factor)s adds nothing", factor=factor)
            self.add(
                f"{path}.multiply", "no_effect", message, sentence('write a factor above 1, such as "2"')
            )
        earlier = [
            other
            for other in self.before
            if other.on == rule.on
            and other.currency == rule.currency
            and (other.per_spend is not None or other.per_unit is not None)
        ]
        if not earlier:
            message = sentence(
                "no rule before this one brings %(currency)s per spend or per unit on %(on)s",
                currency=rule.currency,
                on=rule.on,
            )
            self.add(
                f"{path}.multiply", "contradiction", message, sentence("move it after the rule it multiplies")
            )

    def beside_effect(self, rule: Rule, effect: str, path: str) -> None:
        """Settings that the rule's effect does not use are refused: they would be read as if they worked."""
        if rule.tenders is not None:
            if effect != "per_spend":
                self.no_effect(
                    f"{path}.tenders", sentence("tender rates scale per_spend, not %(effect)s", effect=effect)
                )
            self.size(rule.tenders, f"{path}.tenders", "tenders")
            if not rule.tenders:
                self.no_effect(f"{path}.tenders", sentence("tenders names no tender"))
        if rule.tier_multipliers is not None:
            if effect in ("fixed", "multiply"):
                self.no_effect(
                    f"{path}.tier_multipliers",
                    sentence("%(effect)s is never multiplied by tier", effect=effect),
                )
            elif all(
                not less(factor, "1") and not less("1", factor) for factor in rule.tier_multipliers.values()
            ):
                message = sentence("no tier is multiplied by anything but 1")
                remedy = sentence("write a factor other than 1, or leave it out")
                self.add(f"{path}.tier_multipliers", "no_effect", message, remedy)
            self.size(rule.tier_multipliers, f"{path}.tier_multipliers", "tiers")
            for key in list(rule.tier_multipliers)[: SIZES["tiers"]]:
                self.reference(key, self.tiers, f"{path}.tier_multipliers.{key}", sentence("tier"))
        if rule.lines is not None and effect not in ("per_spend", "per_unit"):
            message = sentence("lines limit what per_spend and per_unit count, not %(effect)s", effect=effect)
            self.add(
                f"{path}.lines",
                "no_effect",
                message,
                sentence("leave it out, or use `when` with category or sku"),
            )
        if rule.base != Base() and effect != "per_spend":
            self.no_effect(
                f"{path}.base",
                sentence("base says what per_spend counts; %(effect)s does not use it", effect=effect),
            )
        if rule.rounding != RoundingRule() and effect == "fixed":
            self.no_effect(f"{path}.rounding", sentence("fixed is exact and is not rounded"))
        if rule.rounding.per == "line" and effect == "multiply":
            message = sentence("multiply rounds once per basket: it acts on points, not on lines")
            self.add(f"{path}.rounding.per", "no_effect", message, sentence("write per: basket"))
        if rule.rounding.per == "line" and rule.lines is None and effect in ("per_spend", "per_unit"):
            message = sentence("a sale sent without lines is rounded as a whole")
            remedy = sentence("send lines with every sale, or round per basket")
            self.add(f"{path}.rounding.per", "rounding", message, remedy, "warning")
        if rule.rounding.per == "carry" and rule.rounding.mode != "floor":
            message = sentence(
                "a carried remainder is what the floor leaves; another mode would count it twice"
            )
            self.add(f"{path}.rounding.mode", "contradiction", message, sentence("write mode: floor"))

    def rule_fate(self, rule: Rule, currency: PointCurrency | None, path: str) -> None:
        if rule.expiry is not None:
            self.expiry(rule.expiry, f"{path}.expiry")
            if isinstance(rule.expiry, ExpiryInactivity):
                message = sentence(
                    "inactivity is counted for a whole point currency, not for one rule's points"
                )
                remedy = sentence("put it on the point currency, or choose another expiry here")
                self.add(f"{path}.expiry.kind", "contradiction", message, remedy)
        if rule.pending is not None:
            self.pending(rule.pending, f"{path}.pending")
        if currency is not None and (rule.pending is not None or rule.expiry is not None):
            where = f"{path}.pending" if rule.pending is not None else f"{path}.expiry"
            self.pending_against_expiry(
                rule.pending or currency.pending, rule.expiry or currency.expiry, where
            )

    def caps(self, caps: Caps | None, scale: int, path: str) -> None:
        if caps is None:
            return
        written: list[tuple[str, str]] = []
        for period in _CAP_PERIODS:
            cap: str | None = getattr(caps, period)
            if cap is None:
                continue
            where = f"{path}.{period}"
            if self.open(cap, where, sentence("a cap")) and self.decimals(
                cap, scale, where, sentence("points of this currency"), scaled=True
            ):
                written.append((period, cap))
        if caps == Caps():
            self.no_effect(path, sentence("caps limits nothing"))
        for (shorter, low), (longer, high) in pairwise(written):
            if less(high, low):
                message = sentence(
                    "the %(shorter)s cap of %(low)s is never reached: the %(longer)s cap is %(high)s",
                    shorter=shorter,
                    low=low,
                    longer=longer,
                    high=high,
                )
                remedy = sentence("lower it to %(high)s or less, or leave it out", high=high)
                self.add(f"{path}.{shorter}", "contradiction", message, remedy, "warning")

    def cut_bonus(self, rule: Rule, path: str) -> None:
        """A bonus beyond a cap of its own rule is never brought whole."""
        for period in _CAP_PERIODS:
            cap: str | None = getattr(rule.caps, period, None)
            if cap is not None and rule.fixed is not None and less(cap, rule.fixed):
                message = sentence(
                    "the bonus of %(bonus)s is never brought whole: the %(period)s cap is %(cap)s",
                    bonus=rule.fixed,
                    period=period,
                    cap=cap,
                )
                remedy = sentence("lower the bonus, or raise the cap")
                self.add(f"{path}.caps.{period}", "contradiction", message, remedy, "warning")

    def groups(self) -> None:
        self.size(self.program.groups, "groups", "groups")
        for index, group in enumerate(self.program.groups):
            path = f"groups[{index}]"
            members = [rule for rule in self.before if rule.group == group.key]
            if not members:
                message = sentence('no rule is in the group "%(key)s"', key=group.key)
                self.add(
                    path,
                    "no_effect",
                    message,
                    sentence("write group: %(key)s in its rules", key=group.key),
                    "warning",
                )
            paid = sorted({rule.currency for rule in members})
            if len(paid) > 1 and (group.stacking == "best" or group.caps is not None):
                message = sentence(
                    "the group's rules bring %(names)s, which cannot be compared or added", names=all_of(paid)
                )
                self.add(path, "contradiction", message, sentence("make one group for each point currency"))
            scales = [self.currencies[key].scale for key in paid if key in self.currencies]
            self.caps(group.caps, min(scales, default=6), f"{path}.caps")

    def member_caps(self) -> None:
        self.size(self.program.caps, "caps", "caps")
        seen: set[str] = set()
        for index, cap in enumerate(self.program.caps):
            path = f"caps[{index}]"
            scale = 6
            if self.reference(
                cap.currency, sorted(self.currencies), f"{path}.currency", sentence("point currency")
            ):
                scale = self.currencies[cap.currency].scale
            if cap.currency in seen:
                message = sentence("%(currency)s has caps already", currency=cap.currency)
                self.add(
                    f"{path}.currency", "duplicate_key", message, sentence("put them together in one entry")
                )
            seen.add(cap.currency)
            self.caps(cap.caps, scale, f"{path}.caps")

    # --- by hand --------------------------------------------------------------------------------------

    def by_hand(self) -> None:
        adjustments = self.program.adjustments
        if adjustments is None:
            return
        if not adjustments.reasons and not adjustments.limits:
            self.no_effect("adjustments", sentence("adjustments names no reason and no limit"))
        for index, reason in enumerate(adjustments.reasons):
            self.text(reason.name, f"adjustments.reasons[{index}].name")
        self.unique([reason.key for reason in adjustments.reasons], "adjustments.reasons")
        seen: set[str] = set()
        for index, limit in enumerate(adjustments.limits):
            self.hand_limit(limit, f"adjustments.limits[{index}]", again=limit.currency in seen)
            seen.add(limit.currency)
        above = [limit.approval_above for limit in adjustments.limits if limit.approval_above is not None]
        if adjustments.approval_days != Adjustments().approval_days and not above:
            self.no_effect("adjustments.approval_days", sentence("no adjustment waits for a second person"))

    def hand_limit(self, limit: AdjustmentLimit, path: str, *, again: bool) -> None:
        scale = 6
        if self.reference(
            limit.currency, sorted(self.currencies), f"{path}.currency", sentence("point currency")
        ):
            scale = self.currencies[limit.currency].scale
        if again:
            message = sentence("%(currency)s has limits already", currency=limit.currency)
            self.add(f"{path}.currency", "duplicate_key", message, sentence("put them together in one entry"))
        written: list[tuple[str, str]] = []
        for name in ("approval_above", "at_once", "day"):
            most: str | None = getattr(limit, name)
            where = f"{path}.{name}"
            if most is not None and self.open(most, where, sentence("a limit")):
                self.decimals(most, scale, where, sentence("points of this currency"), scaled=True)
                written.append((name, most))
        if limit == AdjustmentLimit(limit.currency):
            self.no_effect(path, sentence("the entry limits nothing"))
        for (name, low), (wider, high) in pairwise(written):
            if not less(low, high) and (name == "approval_above" or less(high, low)):
                message = sentence(
                    "%(name)s of %(low)s is never reached: %(wider)s is %(high)s",
                    name=name,
                    low=low,
                    wider=wider,
                    high=high,
                )
                self.add(
                    f"{path}.{name}",
                    "contradiction",
                    message,
                    sentence("lower %(name)s, or raise %(wider)s", name=name, wider=wider),
                )

    # --- tiers ----------------------------------------------------------------------------------------

    def ladder(self) -> None:
        ladder = self.program.tiers
        if ladder is None:
            return
        if not ladder.tiers:
            self.add(
                "tiers.tiers",
                "tiers",
                sentence("the ladder has no tier"),
                sentence("add tiers, or leave out `tiers`"),
            )
            return
        self.size(ladder.tiers, "tiers.tiers", "tiers")
        if not ladder.counts:
            self.add(
                "tiers.counts", "tiers", sentence("no activity counts"), sentence("write counts: [sale]")
            )
        for index, key in enumerate(ladder.counts):
            self.reference(key, self.earning_types(), f"tiers.counts[{index}]", sentence("activity type"))
        if len(set(ladder.counts)) < len(ladder.counts):
            self.add(
                "tiers.counts", "duplicate_key", sentence("a type is there twice"), sentence("name each once")
            )
        if ladder.points_currency is not None:
            known = sorted(self.currencies)
            self.reference(ladder.points_currency, known, "tiers.points_currency", sentence("point currency"))
        metrics: set[str] = set()
        for index, tier in enumerate(ladder.tiers):
            metrics |= self.tier(tier, index, f"tiers.tiers[{index}]")
        if ladder.points_currency is not None and "points" not in metrics:
            message = sentence("no tier has a threshold in points")
            self.add("tiers.points_currency", "no_effect", message, sentence("leave it out"), "warning")
        for index in range(1, len(ladder.tiers)):
            self.above(ladder.tiers[:index], ladder.tiers[index], f"tiers.tiers[{index}]")

    def tier(self, tier: Tier, index: int, path: str) -> set[str]:
        """Checks one tier and gives the metrics that it uses."""
        self.text(tier.name, f"{path}.name")
        self.size(tier.benefits, f"{path}.benefits", "benefits")
        for number, benefit in enumerate(tier.benefits):
            self.text(benefit, f"{path}.benefits[{number}]", MAX_TEXT)
        self.grants(tier.grants, f"{path}.grants")
        if index == 0:
            for name in ("qualify", "keep"):
                if getattr(tier, name) is not None:
                    message = sentence("the first tier is where members start: nothing grants it")
                    remedy = sentence("leave out %(name)s, or add a first tier without it", name=name)
                    self.add(f"{path}.{name}", "tiers", message, remedy)
            return set()
        if tier.qualify is None:
            message = sentence('nothing grants the tier "%(key)s"', key=tier.key)
            self.add(path, "tiers", message, sentence("add qualify: {all: [{metric: spend, at_least: ...}]}"))
        metrics = self.qualify(tier.qualify, f"{path}.qualify") | self.qualify(tier.keep, f"{path}.keep")
        if tier.qualify is not None and tier.keep is not None:
            asked, kept = _thresholds(tier.qualify), _thresholds(tier.keep)
            for metric in asked.keys() & kept.keys():
                if asked[metric] < kept[metric]:
                    message = sentence(
                        "keeping %(key)s takes more %(metric)s than reaching it", key=tier.key, metric=metric
                    )
                    self.add(
                        f"{path}.keep",
                        "contradiction",
                        message,
                        sentence("lower keep, or raise qualify"),
                        "warning",
                    )
        return metrics

    def qualify(self, qualify: Qualify | None, path: str) -> set[str]:
        ladder = self.program.tiers
        if qualify is None or ladder is None:
            return set()
        if (qualify.all is None) == (qualify.any is None):
            message = (
                sentence("qualify needs one of all and any")
                if qualify.all is None
                else sentence("qualify has all and any")
            )
            self.add(path, "tiers", message, sentence("keep one of the two"))
        metrics: set[str] = set()
        for name, thresholds in (("all", qualify.all), ("any", qualify.any)):
            if thresholds is None:
                continue
            if not thresholds:
                self.add(
                    f"{path}.{name}",
                    "tiers",
                    sentence("there is no threshold"),
                    sentence("add {metric: spend, at_least: ...}"),
                )
            self.size(thresholds, f"{path}.{name}", "thresholds")
            for index, threshold in enumerate(thresholds):
                where = f"{path}.{name}[{index}]"
                if threshold.metric in metrics:
                    message = sentence("%(metric)s is there twice", metric=threshold.metric)
                    self.add(
                        f"{where}.metric",
                        "duplicate_key",
                        message,
                        sentence("keep one threshold for each metric"),
                    )
                metrics.add(threshold.metric)
                self.positive(threshold.at_least, f"{where}.at_least", sentence("a threshold"))
                places, what = 0, sentence("visits")
                if threshold.metric == "spend":
                    places, what = (
                        exponent(self.program.currency),
                        sentence("amounts in %(currency)s", currency=self.program.currency),
                    )
                    if not any(conditions.carries_money(self.program, key) for key in ladder.counts):
                        message = sentence(
                            "spend comes from activities with an amount, and `counts` has none"
                        )
                        self.add(f"{where}.metric", "contradiction", message, sentence("add sale to counts"))
                elif threshold.metric == "points":
                    if ladder.points_currency is None:
                        message = sentence("points of which currency is not said")
                        remedy = sentence("add points_currency beside tiers")
                        self.add(f"{where}.metric", "tiers", message, remedy)
                    currency = self.currencies.get(ladder.points_currency or "")
                    places, what = (
                        (currency.scale if currency is not None else 6),
                        sentence("points of this currency"),
                    )
                scaled = threshold.metric == "points"
                self.decimals(threshold.at_least, places, f"{where}.at_least", what, scaled=scaled)
        return metrics

    def above(self, lower_tiers: Sequence[Tier], tier: Tier, path: str) -> None:
        """A tier must ask for more than every tier below it, or that tier would never be held."""
        if tier.qualify is None:
            return
        asked = _thresholds(tier.qualify)
        for lower in reversed(lower_tiers):
            if lower.qualify is None:
                continue
            below = _thresholds(lower.qualify)
            for metric in sorted(asked.keys() & below.keys()):
                if asked[metric] < below[metric]:
                    message = sentence(
                        "%(key)s asks for less %(metric)s than %(key_2)s, which stands below it",
                        key=tier.key,
                        metric=metric,
                        key_2=lower.key,
                    )
                    self.add(
                        f"{path}.qualify", "tiers", message, sentence("put the tiers in order, lowest first")
                    )
                    return
            if tier.qualify == lower.qualify or (asked == below and len(asked) == 1):
                message = sentence(
                    "%(key)s asks for the same as %(key_2)s, which would never be held",
                    key=tier.key,
                    key_2=lower.key,
                )
                self.add(
                    f"{path}.qualify", "tiers", message, sentence("raise the threshold of the higher tier")
                )
                return


def _thresholds(qualify: Qualify) -> dict[str, Fraction]:
    """Metric to threshold, for comparing."""
    thresholds = (*(qualify.all or ()), *(qualify.any or ()))
    return {threshold.metric: Fraction(threshold.at_least) for threshold in thresholds}
