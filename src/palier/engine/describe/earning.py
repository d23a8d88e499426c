"""What members get, how they earn it, and for how long; campaigns; what a return takes back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from palier.engine import program as doc
from palier.engine.amounts import ratio
from palier.engine.conditions import WEEKDAYS
from palier.engine.currencies import exponent
from palier.engine.describe.clauses import Clauses
from palier.engine.describe.page import Part
from palier.engine.facts import FEE, SALE
from palier.engine.phrases import DAY_NAMES, day_of_month, either, explain

_USABLE: Final = frozenset({"points", "cash", "reward", "token"})


class Earning(Clauses):
    """Points and rules."""

    # --- what you get ---------------------------------------------------------------------------------

    def value_parts(self) -> list[Part]:
        return [Part("", self.value_text(currency)) for currency in self.program.point_currencies]

    def value_text(self, currency: doc.PointCurrency) -> str:
        key = currency.key
        kind = {
            "points": ("you collect {}", "vous collectionnez des {}"),
            "cash": (
                "{} are real money that we keep for you",
                "les {} sont de l'argent que nous gardons pour vous",
            ),
            "reward": ("{} are gifts for you to use", "les {} sont des cadeaux à utiliser"),
            "badge": ("{} show what you have done", "les {} montrent ce que vous avez fait"),
            "token": (
                "you collect {} and use them one by one",
                "vous collectionnez des {} et vous vous en servez peu à peu",
            ),
        }[currency.kind]
        texts = [self.say(*kind).format(self.many(key))]
        if currency.value is not None:
            texts.append(self.worth(currency.value, key))
        if currency.scale:
            least = self.rate_points("0." + "0" * (currency.scale - 1) + "1", key)
            texts.append(self.say(f"the smallest part is {least}", f"la plus petite part est {least}"))
        if currency.transferable:
            texts.append(
                self.say("you may give them to another member", "vous pouvez en donner à un autre membre")
            )
        if currency.pay_out_from is not None:
            least = self.rate_points(currency.pay_out_from, key)
            texts.append(
                self.say(
                    f"from {least} on, you can have them paid to you",
                    f"à partir de {least}, vous pouvez vous les faire verser",
                )
            )
        return self.sentences(*texts)

    def worth(self, value: str, key: str) -> str:
        """What so many points are worth, with the fewest that make a whole unit of money: "100 stars are worth €1"."""
        top, bottom = ratio(value)
        places = 10 ** exponent(self.program.currency)
        count = next(
            (n for n in (1, 10, 100, 1000, 10_000) if top * n >= bottom and top * n * places % bottom == 0), 1
        )
        money = self.price(
            str(top * count // bottom) if top * count % bottom == 0 else _decimal(top * count, bottom)
        )
        said = self.rate_points(str(count), key)
        return self.say(
            f"{said} {'is' if count == 1 else 'are'} worth {money}",
            f"{said} {'vaut' if count == 1 else 'valent'} {money}",
        )

    # --- how to earn ----------------------------------------------------------------------------------

    def earning_parts(self) -> list[Part]:
        program = self.program
        parts = [self.rule_part(rule) for rule in program.rules]
        parts += [part for group in program.groups if (part := self.group_part(group)) is not None]
        for cap in program.caps:
            said = self.caps(cap.caps, cap.currency)
            if said:
                parts.append(
                    Part(
                        "", self.sentence(self.say(f"in all, you get {said}", f"en tout, vous gagnez {said}"))
                    )
                )
        return parts + self.common_parts()

    def all_rules(self) -> list[doc.Rule]:
        return [
            *self.program.rules,
            *(rule for campaign in self.program.campaigns for rule in campaign.rules),
        ]

    def common_parts(self) -> list[Part]:
        """What counts of a purchase and how rules round, said once where rules agree."""
        parts = []
        base, rounding = self.common_base(), self.common_rounding()
        if base is not None:
            parts.append(Part("", self.base(base)))
        if rounding is not None:
            currency = next(rule.currency for rule in self.all_rules() if self.rounds(rule))
            parts.append(Part("", self.sentence(self.rounding(rounding, currency))))
        return parts

    def common_base(self) -> doc.Base | None:
        """The base that most rules by amount have, where there is such a rule."""
        bases = Counter(
            rule.base for rule in self.all_rules() if rule.per_spend is not None and rule.on == SALE
        )
        return bases.most_common(1)[0][0] if bases else None

    def common_rounding(self) -> doc.RoundingRule | None:
        found = Counter(
            (rule.rounding.mode, rule.rounding.per) for rule in self.all_rules() if self.rounds(rule)
        )
        if not found:
            return None
        mode, per = found.most_common(1)[0][0]
        return doc.RoundingRule(mode, per)

    @staticmethod
    def rounds(rule: doc.Rule) -> bool:
        return rule.fixed is None

    def rule_part(self, rule: doc.Rule) -> Part:
        return Part(self.name_or(rule.name, rule.key), self.rule_text(rule))

    def rule_text(self, rule: doc.Rule) -> str:
        texts = [
            self.effect(rule),
            self.terms(rule.on, rule.when, rule.per_spend is None),
            self.lines(rule.lines),
        ]
        if rule.tenders:
            for tender, rate in rule.tenders.items():
                said = self.rate_points(rate, rule.currency)
                how = self.tender(tender)
                texts.append(
                    self.say(
                        f"if you pay {how}, you get {said} instead",
                        f"si vous payez {how}, vous gagnez {said} à la place",
                    )
                )
        if rule.tier_multipliers:
            hidden = {t.key for t in self.program.tiers.tiers if t.hidden} if self.program.tiers else set()
            times = [
                f"{self.tier(key)} × {self.decimal(factor)}"
                for key, factor in rule.tier_multipliers.items()
                if key not in hidden
            ]
            if times:
                said = self.joined(times)
                texts.append(
                    self.say(
                        f"at a higher level you get more: {said}", f"votre niveau multiplie ce gain : {said}"
                    )
                )
        if rule.per_spend is not None and rule.base != self.common_base():
            texts.append(self.base(rule.base))
        if self.rounds(rule) and rule.rounding != self.common_rounding():
            texts.append(self.rounding(rule.rounding, rule.currency))
        said = self.caps(rule.caps, rule.currency)
        texts.append(self.say(f"you get {said}", f"vous gagnez {said}") if said else "")
        texts.append(self.pending(rule.pending))
        if rule.expiry is not None:
            texts.append(
                self.expiry(
                    rule.expiry,
                    self.say(f"these {self.many(rule.currency)}", f"ces {self.many(rule.currency)}"),
                )
            )
        dates = self.dates(rule.active_from, rule.active_until)
        texts.append(self.say(f"this holds {dates}", f"c'est valable {dates}") if dates else "")
        return self.sentences(*texts)

    def effect(self, rule: doc.Rule) -> str:
        """The one thing a rule does, with its condition."""
        if rule.per_spend is not None:
            return self.spend_effect(rule, rule.per_spend)
        if rule.multiply is not None:
            said = self.occasion(rule.on, rule.when)
            times = self.decimal(rule.multiply)
            names = self.many(rule.currency)
            return self.say(
                f"{said}, the {names} from what you buy are multiplied by {times}; fixed bonuses stay as they are",
                f"{said}, nous multiplions par {times} les {names} de vos achats ; les bonus fixes ne changent pas",
            )
        said = self.occasion(rule.on, rule.when)
        if rule.per_unit is not None:
            points = self.rate_points(rule.per_unit, rule.currency)
            plain = said == self.say("each time you buy", "à chaque achat")
            each = self.say("for each item you buy", "par article acheté")
            return self.say(f"you get {points} {each}", f"vous gagnez {points} {each}") + (
                "" if plain else f", {said}"
            )
        points = self.rate_points(rule.fixed or "0", rule.currency)
        return self.say(f"you get {points} {said}", f"vous gagnez {points} {said}")

    def spend_effect(self, rule: doc.Rule, per: doc.PerSpend) -> str:
        points = self.rate_points(per.points, rule.currency)
        step = self.price(per.every)
        several = ratio(per.every)[0] >= 2 * ratio(per.every)[1]
        if rule.on == SALE:
            spent = self.say(f"for every {step} you spend", f"pour {step} dépensé{'s' if several else ''}")
        elif rule.on == FEE:
            spent = self.say(f"for every {step} of membership fee", f"pour {step} d'adhésion")
        else:
            named = self.activity_name(rule.on)
            spent = self.say(f"for every {step} of {named}", f"pour {step} de {named}")
        leaf = self.nth(rule.when)
        said = self.occasion(rule.on, rule.when, verb=leaf is not None)
        gap = "" if not said else ", " if said.startswith(("if ", "si ", "except", "sauf")) else " "
        return self.say(f"you get {points} {spent}{gap}{said}", f"vous gagnez {points} {spent}{gap}{said}")

    def group_part(self, group: doc.Group) -> Part | None:
        rules = [rule for rule in self.all_rules() if rule.group == group.key]
        if not rules:
            return None
        names = self.joined([self.quoted(self.name_or(rule.name, rule.key)) for rule in rules])
        if group.stacking == "best" and len(rules) > 1:
            said = self.say(
                f"of {names}, you get only the one that brings you more",
                f"entre {names}, seul le plus avantageux compte",
            )
        else:
            said = self.say(f"{names} add up", f"{names} s'additionnent") if len(rules) > 1 else ""
        caps = self.caps(group.caps, rules[0].currency)
        together = self.say(f"together, they bring {caps}", f"ensemble, cela rapporte {caps}") if caps else ""
        text = self.sentences(said, together)
        return Part("", text) if text else None

    # --- when they can be used ------------------------------------------------------------------------

    def use_parts(self) -> list[Part]:
        alike: dict[str, list[doc.PointCurrency]] = {}
        for currency in self.program.point_currencies:
            usable = currency.kind in _USABLE
            alike.setdefault(f"{currency.pending} {currency.expiry} {usable}", []).append(currency)
        parts = []
        for group in alike.values():
            first = group[0]
            names = self.joined([self.many(currency.key) for currency in group])
            own = self.joined([self.say("", "vos ") + self.many(currency.key) for currency in group])
            start = self.pending(first.pending)
            if not start and first.kind in _USABLE:
                start = self.say("you can use them at once", "vous pouvez les utiliser tout de suite")
            lasting = self.expiry(first.expiry, self.say(f"your {own}", own))
            parts.append(Part(self._title(names), self.sentences(start, lasting)))
        return parts

    # --- returns --------------------------------------------------------------------------------------

    def return_parts(self) -> list[Part]:
        parts = []
        if self.earns_by_sale():
            parts.append(
                Part(
                    "",
                    self.sentence(
                        self.say(
                            "if you bring back what you bought, what it gave you goes back too; "
                            "what you keep counts as before",
                            "si vous rapportez un achat, ce qu'il vous a donné repart aussi ; "
                            "ce que vous gardez compte comme avant",
                        )
                    ),
                )
            )
        for kind in self.program.activity_types:
            if kind.withdraws is not None:
                given, taken = self.activity_name(kind.withdraws), self.activity_name(kind.key)
                parts.append(
                    Part(
                        "",
                        self.sentence(
                            self.say(
                                f"{taken} takes back what {given} gave you",
                                f"{taken} reprend ce que {given} vous a donné",
                            )
                        ),
                    )
                )
        if not parts and not self.program.memberships and self.program.referral is None:
            return []
        alike: dict[str, list[str]] = {}
        for currency in self.program.point_currencies:
            if currency.kind in _USABLE:  # a badge is never used up
                alike.setdefault(self.taking_back(currency), []).append(self.many(currency.key))
        parts += [Part(self._title(self.joined(names)), text) for text, names in alike.items()]
        return parts

    def earns_by_sale(self) -> bool:
        goals = any(SALE in goal.on for goal in self.program.goals)
        return goals or any(rule.on == SALE for rule in self.all_rules())

    @staticmethod
    def _title(text: str) -> str:
        return text[:1].upper() + text[1:]

    def taking_back(self, currency: doc.PointCurrency) -> str:
        said = {
            "debt": (
                "if you have already used them, you owe them; what you earn next pays them back",
                "si vous vous en êtes déjà servi, vous nous les devez ; vos prochains gains les remboursent",
            ),
            "write_off": (
                "if you have already used them, we let it go",
                "si vous vous en êtes déjà servi, nous n'en demandons rien",
            ),
            "refuse": (
                "we can take the purchase back only as long as you still have them",
                "nous ne pouvons reprendre l'achat que si vous les avez encore",
            ),
        }[currency.taking_back]
        texts = [self.say(*said)]
        if currency.return_grace_days is not None:
            days = self.days(currency.return_grace_days)
            texts.append(
                self.say(
                    f"if a return gives some back to you, you have at least {days} to use them",
                    f"si un retour vous en rend, vous avez au moins {days} pour les utiliser",
                )
            )
        return self.sentences(*texts)

    # --- campaigns ------------------------------------------------------------------------------------

    def campaign_parts(self) -> list[Part]:
        return [self.campaign_part(campaign) for campaign in self.program.campaigns]

    def campaign_part(self, campaign: doc.Campaign) -> Part:
        texts = []
        if campaign.paused:
            texts.append(self.say("this is on hold for now", "c'est en pause pour le moment"))
        dates = self.dates(campaign.active_from, campaign.active_until)
        texts.append(self.say(f"it runs {dates}", f"c'est valable {dates}") if dates else "")
        times = self.calendar(campaign.calendar)
        texts.append(self.say(f"it counts {times}", f"cela compte {times}") if times else "")
        if campaign.audience is not None:
            texts.append(self.only([], campaign.audience))
        texts.append(self.budget(campaign.budget, campaign.rules[0].currency))
        if campaign.exclusive is not None:
            others = [
                self.quoted(self.name_or(other.name, other.key))
                for other in self.program.campaigns
                if other.exclusive == campaign.exclusive and other.key != campaign.key
            ]
            if others:
                names = self.joined(others, last=("or", "ou"))
                texts.append(
                    self.say(
                        f"it does not add up with {names}: only the one that gives you more counts",
                        f"cela ne s'ajoute pas à {names} : seul le plus avantageux compte",
                    )
                )
        items = []
        own = self.name_or(campaign.name, campaign.key)
        for rule in campaign.rules:
            title = self.name_or(rule.name, rule.key)
            joint = self.say(": ", " : ")
            items.append((f"{title}{joint}" if title != own else "") + self.rule_text(rule))
        return Part(own, self.sentences(*texts), items)

    def calendar(self, calendar: doc.Calendar | None) -> str:
        """ "on Saturday or Sunday, on the 1st of the month, from 17:00 to 19:00"."""
        if calendar is None:
            return ""
        words = []
        if calendar.weekdays:
            names = DAY_NAMES[self.language]
            article = self.say("", "le ")
            days = either([article + names[WEEKDAYS.index(day)] for day in calendar.weekdays], self.language)
            words.append(self.say(f"on {days}", days))
        if calendar.days_of_month:
            article = self.say("the ", "le ")
            days = either(
                [article + day_of_month(day, self.language) for day in calendar.days_of_month], self.language
            )
            words.append(self.say(f"on {days} of the month", f"{days} du mois"))
        if calendar.from_ is not None or calendar.until is not None:
            hours = doc.Condition(field="time", from_=calendar.from_, until=calendar.until)
            words.append(explain(hours, self.program, self.language))
        return ", ".join(words)


def _decimal(top: int, bottom: int) -> str:
    """A fraction over a power of ten as decimal text."""
    digits = len(str(bottom)) - 1
    whole, rest = divmod(top, bottom)
    return f"{whole}.{rest:0{digits}d}"


__all__: Sequence[str] = ["Earning"]
