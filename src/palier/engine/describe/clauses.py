"""Conditions as a neighbour would say them: "each time you buy online on Saturday, if you spend at least €20".

What fits behind the verb stands there (a day, an hour, a place: `asides`), the rest follows as clauses with "if"
and "except if". Names of the shop's own system (a category, a group) are said as the document
calls them (`names`), else as they are written, in small letters.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from palier.engine.amounts import ratio
from palier.engine.conditions import Value, carries_money, operators_of
from palier.engine.describe.speaking import Speaker
from palier.engine.document import Condition
from palier.engine.facts import SALE, VISIT
from palier.engine.phrases import activities, either, explain, ordinal, own_name, word

_ASIDES: Final = frozenset(
    {"weekday", "day_of_month", "time", "date", "channel", "location", "partner", "nth"}
)
"""Fields whose phrase stands right behind the verb."""
# Clauses around a value, by field and operator: (English, French). "if" and "si" come before them.
_CLAUSES: Final[dict[str, dict[str, tuple[str, str]]]] = {
    "quantity": {
        "is": ("you buy exactly {} items", "vous achetez exactement {} articles"),
        "is_not": ("you do not buy exactly {} items", "vous n'achetez pas exactement {} articles"),
        "at_least": ("you buy at least {} items", "vous achetez au moins {} articles"),
        "at_most": ("you buy at most {} items", "vous achetez au plus {} articles"),
        "above": ("you buy more than {} items", "vous achetez plus de {} articles"),
        "below": ("you buy fewer than {} items", "vous achetez moins de {} articles"),
    },
    "lines": {
        "is": ("you buy exactly {} different items", "vous achetez exactement {} articles différents"),
        "is_not": (
            "you do not buy exactly {} different items",
            "vous n'achetez pas exactement {} articles différents",
        ),
        "at_least": ("you buy at least {} different items", "vous achetez au moins {} articles différents"),
        "at_most": ("you buy at most {} different items", "vous achetez au plus {} articles différents"),
        "above": ("you buy more than {} different items", "vous achetez plus de {} articles différents"),
        "below": ("you buy fewer than {} different items", "vous achetez moins de {} articles différents"),
    },
    "category": {
        "is": ("you buy something {}", "vous prenez un article {}"),
        "is_not": ("you buy nothing {}", "vous ne prenez rien {}"),
    },
    "sku": {
        "is": ("you buy {}", "vous prenez {}"),
        "is_not": ("you do not buy {}", "vous ne prenez pas {}"),
    },
    "tender": {
        "is": ("you pay {}", "vous payez {}"),
        "is_not": ("you do not pay {}", "vous ne payez pas {}"),
    },
    "segment": {
        "is": ("you are in the group {}", "vous faites partie du groupe {}"),
        "is_not": ("you are not in the group {}", "vous ne faites pas partie du groupe {}"),
    },
    "membership": {
        "is": ("you have {}", "vous avez {}"),
        "is_not": ("you do not have {}", "vous n'avez pas {}"),
    },
    "tier": {
        "is": ("your level is {}", "votre niveau est {}"),
        "is_not": ("your level is not {}", "votre niveau n'est pas {}"),
        "at_least": ("your level is {} or higher", "votre niveau est {} ou plus haut"),
        "at_most": ("your level is {} or lower", "votre niveau est {} ou plus bas"),
        "above": ("your level is higher than {}", "votre niveau est plus haut que {}"),
        "below": ("your level is lower than {}", "votre niveau est plus bas que {}"),
    },
    "count": {
        "is": ("you have had exactly {}", "vous avez déjà eu exactement {}"),
        "at_least": ("you have had at least {}", "vous avez déjà eu au moins {}"),
        "at_most": ("you have had at most {}", "vous avez eu au plus {}"),
        "above": ("you have had more than {}", "vous avez déjà eu plus de {}"),
        "below": ("you have had fewer than {}", "vous avez eu moins de {}"),
    },
}
_AMOUNTS: Final = {
    "is": ("exactly {}", "exactement {}"),
    "is_not": ("something other than {}", "autre chose que {}"),
    "at_least": ("at least {}", "au moins {}"),
    "at_most": ("at most {}", "au plus {}"),
    "above": ("more than {}", "plus de {}"),
    "below": ("less than {}", "moins de {}"),
}
_ATTRIBUTES: Final = {
    "is": ("{} is {}", "{} est {}"),
    "is_not": ("{} is not {}", "{} n'est pas {}"),
    "at_least": ("{} is at least {}", "{} est au moins {}"),
    "at_most": ("{} is at most {}", "{} est au plus {}"),
    "above": ("{} is more than {}", "{} est plus grand que {}"),
    "below": ("{} is less than {}", "{} est plus petit que {}"),
    "from": ("{} is {} or later", "{} est le {} ou après"),
    "until": ("{} is {} or earlier", "{} est le {} ou avant"),
}
_TENDERS: Final = {
    "card": ("by card", "par carte"),
    "cash": ("in cash", "en espèces"),
    "points": ("with points", "en points"),
    "gift_card": ("with a gift card", "avec une carte cadeau"),
    "voucher": ("with a voucher", "avec un bon"),
    "cheque": ("by cheque", "par chèque"),
    "app": ("with the app", "avec l'application"),
    "stored_value": ("with your prepaid card", "avec votre carte prépayée"),
}
_TRIGGERS: Final = {
    "sale": ("each time you buy", "à chaque achat"),
    "visit": ("each time you come", "à chaque passage"),
    "fee": ("each time you pay for a membership", "à chaque paiement d'adhésion"),
    "opt_in": ("when you choose to take part", "quand vous choisissez de participer"),
    "opt_out": ("when you stop taking part", "quand vous arrêtez de participer"),
    "save_for": ("when you choose what to save for", "quand vous choisissez votre but"),
    "play": ("each time you play", "à chaque partie"),
    "quiz": ("each time you answer a quiz", "à chaque quiz"),
    "paired": ("when you team up with a friend", "quand vous formez un duo"),
    "joined": ("when you join", "à votre inscription"),
    "birthday": ("on your birthday", "le jour de votre anniversaire"),
    "anniversary": ("each year on the day you joined", "chaque année, le jour de votre inscription"),
    "friend_joined": ("when a friend joins thanks to you", "quand un ami s'inscrit grâce à vous"),
    "friend_converted": (
        "when a friend you brought does what it takes",
        "quand un ami venu grâce à vous remplit la condition",
    ),
}
_PERIODS: Final = {
    "day": (" of the day", " de la journée"),
    "week": (" of the week", " de la semaine"),
    "month": (" of the month", " du mois"),
    "year": (" of the year", " de l'année"),
    "lifetime": ("", ""),
}
_KINDS: Final = {
    "product": ("goods", "des produits"),
    "gift_card": ("gift cards", "des cartes cadeaux"),
    "shipping": ("shipping", "la livraison"),
    "service": ("services", "des services"),
    "fee": ("fees", "des frais"),
}
_ARTICLE: Final = re.compile(r"l[ae] |les |l['’]", re.IGNORECASE)
"""The article with which a French name begins; without one it is the name of a department alone."""


class Clauses(Speaker):
    """Conditions of rules, goals, games and campaigns."""

    # --- the whole ----------------------------------------------------------------------------------

    def occasion(self, on: str, condition: Condition | None, verb: bool = True) -> str:
        """When something happens: "each time you buy online, if you spend at least €20, except if …".

        `verb` False leaves the trigger out: "online, if you spend at least €20".
        """
        asides, clauses, exceptions = self.sorted_parts(on, condition)
        trigger = ""
        if verb:
            trigger, asides = self.trigger(on, asides, condition)
            paid = self.paid(on, condition)
            if paid is not None and trigger == self.say(*_TRIGGERS[SALE]):
                trigger, clause = paid
                clauses.remove(clause)
        said = " ".join(filter(None, [trigger, *asides]))
        if self.is_long(clauses, exceptions):
            return said
        if clauses:
            said += self.say(", if ", ", si ") + self.say(" and ", " et si ").join(clauses)
        for clause in exceptions:
            said += self.say(f", except if {clause}", f", sauf si {clause}")
        return said.removeprefix(", ")

    @staticmethod
    def is_long(clauses: Sequence[str], exceptions: Sequence[str]) -> bool:
        """Whether clauses are too many for one sentence, or could be read in two ways."""
        either_or = any(" or " in clause or " ou " in clause for clause in clauses)
        return len(clauses) + len(exceptions) > 2 or (either_or and len(clauses) > 1)

    def terms(self, on: str, condition: Condition | None, verb: bool = True) -> str:
        """The clauses that `occasion` left out because they are many, as a list; else empty."""
        _, clauses, exceptions = self.sorted_parts(on, condition)
        if not self.is_long(clauses, exceptions):
            return ""
        paid = self.paid(on, condition) if verb and self.nth(condition) is None else None
        if paid is not None:
            clauses.remove(paid[1])
        listed = clauses + [
            self.say(f"it is not so that {clause}", f"pas si {clause}") for clause in exceptions
        ]
        return self.say("on these conditions: ", "à ces conditions : ") + self.say("; ", " ; ").join(
            clause.replace(" ou si ", " ou ").replace(" et si ", " et ") for clause in listed
        )

    def only(self, on: Sequence[str], condition: Condition | None) -> str:
        """The condition alone as a sentence: "Only online, if you spend at least €20."; empty for None."""
        if condition is None:
            return ""
        kind = on[0] if on else SALE
        said = self.occasion(kind, condition, verb=False)
        first = self.say(f"only {said}", f"seulement {said}") if said else ""
        return self.sentences(first, self.terms(kind, condition, verb=False))

    def trigger(self, on: str, asides: list[str], condition: Condition | None) -> tuple[str, list[str]]:
        """The verb, with which time it is where the condition counts; and the asides that are left."""
        leaf = self.nth(condition)
        if leaf is not None and on in (SALE, VISIT):
            said = self.nth_words(leaf, on)
            # nth stood among the asides in its own words
            plain = self.aside(leaf)
            return said, [words for words in asides if words != plain]
        if on in _TRIGGERS:
            return self.say(*_TRIGGERS[on]), asides
        named = self.activity_name(on)
        return self.say(f"for each {named}", f"pour chaque {named}"), asides

    def paid(self, on: str, condition: Condition | None) -> tuple[str, str] | None:
        """An amount that a purchase must have, said with the verb: "each time you spend at least €20"."""
        if on != SALE or condition is None:
            return None
        for leaf in condition.all if condition.all is not None else [condition]:
            operators = list(operators_of(leaf))
            if leaf.field == "amount" and len(operators) == 1 and not isinstance(operators[0][1], list):
                clause = self.clause(on, leaf)
                operator, written = operators[0]
                if operator == "above" and ratio(str(written))[0] == 0:
                    return self.say("each time you pay something", "à chaque achat payé"), clause
                how = self.say(*_AMOUNTS[operator]).format(self.price(str(written)))
                return self.say(f"each time you spend {how}", f"à chaque achat {self.of(how)}"), clause
        return None

    def triggers(self, on: Sequence[str]) -> str:
        """Several types of activity: "each time you buy or each time you come"."""
        return self.joined([self.trigger(key, [], None)[0] for key in on], last=("or", "ou"))

    def nouns(self, on: Sequence[str]) -> str:
        """Types of activity as a member's own: "your purchases and your visits"."""
        own = self.say("your ", "vos ")
        named = [activities(None, key, self.program, self.language) for key in on]
        return self.joined([name if name.startswith(("“", "«")) else own + name for name in named])

    # --- taking a condition apart ---------------------------------------------------------------------

    def sorted_parts(self, on: str, condition: Condition | None) -> tuple[list[str], list[str], list[str]]:
        """What stands behind the verb, the clauses that must hold, and those that must not."""
        asides: list[str] = []
        clauses: list[str] = []
        exceptions: list[str] = []
        if condition is None:
            return asides, clauses, exceptions
        for child in condition.all if condition.all is not None else [condition]:
            if child.not_ is not None and self.is_aside(child.not_) and child.not_.field != "nth":
                said = self.aside(child.not_)
                asides.append(self.say(f"except {said}", f"sauf {said}"))
            elif child.not_ is not None:
                exceptions.append(self.clause(on, child.not_))
            elif child.all is not None:
                inner = self.sorted_parts(on, child)
                asides += inner[0]
                clauses += inner[1]
                exceptions += inner[2]
            elif self.is_aside(child):
                asides.append(self.aside(child))
            else:
                clauses.append(self.clause(on, child))
        return asides, clauses, exceptions

    def is_aside(self, condition: Condition) -> bool:
        if condition.any is not None:
            return all(child.field in _ASIDES for child in condition.any)
        return condition.field in _ASIDES

    def aside(self, condition: Condition) -> str:
        if condition.any is not None:
            return either([self.aside(child) for child in condition.any], self.language)
        if condition.field in ("location", "channel", "partner"):
            return self.where(condition)
        return explain(condition, self.program, self.language)

    def where(self, condition: Condition) -> str:
        parts = []
        for operator, written in operators_of(condition):
            values = written if isinstance(written, list) else [written]
            said = self.values(condition.field or "", values)
            negative = operator in ("is_not", "not_in")
            if condition.field == "partner":
                said = self.say(f"at {said}", f"chez {said}")
            elif condition.field == "location":
                said = self.say(f"at {said}", f"à {said}")
            parts.append(self.say(f"except {said}", f"sauf {said}") if negative else said)
        return ", ".join(parts)

    def nth(self, condition: Condition | None) -> Condition | None:
        """The comparison of nth that must hold, where there is exactly one."""
        if condition is None:
            return None
        found = [c for c in (condition.all if condition.all is not None else [condition]) if c.field == "nth"]
        return found[0] if len(found) == 1 and len(list(operators_of(found[0]))) == 1 else None

    def nth_words(self, leaf: Condition, on: str) -> str:
        """ "for your first purchase of the month", "for every 10th visit"."""
        operator, written = next(iter(operators_of(leaf)))
        numbers = [int(value) for value in (written if isinstance(written, list) else [written])]
        if operator in ("above", "below"):
            numbers = [number + (1 if operator == "above" else -1) for number in numbers]
            operator = "at_least" if operator == "above" else "at_most"
        span = self.say(*_PERIODS[leaf.per or "lifetime"])
        first = numbers[0]
        one = activities(1, on, self.program, self.language).partition(" ")[2]
        several = activities(None, on, self.program, self.language)
        if operator == "every":
            return self.say(
                f"for every {ordinal(first, 'en')} {one}{span}", f"tous les {first} {several}{span}"
            )
        if operator == "at_least":
            return self.say(
                f"from your {ordinal(first, 'en')} {one}{span} on",
                f"à partir du {self.rank(first)} {one}{span}",
            )
        if operator == "at_most":
            return self.say(
                f"for your first {first} {several}{span}", f"pour vos {first} premiers {several}{span}"
            )
        ranks = either([self.rank(number) for number in numbers], self.language)
        return self.say(f"for your {ranks} {one}{span}", f"pour votre {ranks} {one}{span}")

    def rank(self, number: int) -> str:
        """ "first", "2nd"; of a masculine noun in French: "1er", "2e"."""
        return "1er" if self.fr and number == 1 else ordinal(number, self.language)

    # --- clauses --------------------------------------------------------------------------------------

    def clause(self, on: str, condition: Condition) -> str:
        """A clause with its verb, for after "if"."""
        if condition.all is not None:
            return self.say(" and ", " et si ").join(self.clause(on, child) for child in condition.all)
        if condition.any is not None:
            return self.say(" or ", " ou si ").join(self.clause(on, child) for child in condition.any)
        if condition.not_ is not None:
            inner = self.clause(on, condition.not_)
            return self.say(f"this is not so: {inner}", f"ceci n'est pas le cas : {inner}")
        if condition.field in _ASIDES:
            said = self.aside(condition)
            return self.say(f"it is {said}", f"c'est {said}")
        parts = []
        for operator, written in operators_of(condition):
            values = written if isinstance(written, list) else [written]
            parts.append(self.comparison(on, condition, operator, values))
        return self.say(" and ", " et si ").join(parts)

    def comparison(self, on: str, condition: Condition, operator: str, values: Sequence[Value]) -> str:
        name = condition.field or ""
        operator = {"in": "is", "not_in": "is_not"}.get(operator, operator)
        if name == "amount":
            return self.amount(on, operator, [str(value) for value in values])
        if name == "count":
            return self.count(condition, operator, [int(value) for value in values])
        if name == "membership":
            said = self.values(name, values)
            said = self.say(f"the membership {said}", f"l'adhésion {said}")
            return self.say(*_CLAUSES[name][operator]).format(said)
        if name in _CLAUSES:
            said = self.shelf(values) if name == "category" else self.values(name, values)
            return self.say(*_CLAUSES[name][operator]).format(said)
        return self.attribute(on, name, operator, values)

    def amount(self, on: str, operator: str, values: Sequence[str]) -> str:
        if operator == "above" and ratio(values[0])[0] == 0:
            return self.say("you pay something", "vous payez quelque chose")
        how = self.say(*_AMOUNTS[operator]).format(
            either([self.price(value) for value in values], self.language)
        )
        if on == SALE or not carries_money(self.program, on):
            return self.say(f"you spend {how}", f"vous dépensez {how}")
        return self.say(f"you pay {how}", f"vous payez {how}")

    def count(self, condition: Condition, operator: str, numbers: Sequence[int]) -> str:
        of = condition.of or ""
        said = activities(numbers[-1], of, self.program, self.language)
        if len(numbers) > 1:
            said = either([*(str(number) for number in numbers[:-1]), said], self.language)
        span = {
            "day": ("today", "aujourd'hui"),
            "week": ("this week", "cette semaine"),
            "month": ("this month", "ce mois-ci"),
            "year": ("this year", "cette année"),
        }.get(condition.per or "", ("so far", "depuis le début"))
        return f"{self.say(*_CLAUSES['count'][operator]).format(said)} {self.say(*span)}"

    def attribute(self, on: str, name: str, operator: str, values: Sequence[Value]) -> str:
        """ "your age is at least 18"; an attribute that has a description is named by it, in quotes."""
        own = name.removeprefix("member.")
        known = (
            self.program.member_attributes
            if own != name
            else next((kind.attributes for kind in self.program.activity_types if kind.key == on), {})
        )
        attribute = known.get(own)
        described = (
            self.text(attribute.description).rstrip(".") if attribute and attribute.description else ""
        )
        plain = own.replace("_", " ")
        title = self.quoted(described or plain)
        if isinstance(values[0], bool):
            if values[0] == (operator == "is"):
                return self.say(f"this is so: {title}", f"ceci est vrai : {title}")
            return self.say(f"this is not so: {title}", f"ceci n'est pas vrai : {title}")
        if own != name and not described:
            title = self.say(f"your {plain}", f"votre {plain}")
        return self.say(*_ATTRIBUTES[operator]).format(title, self.values(name, values))

    def values(self, name: str, values: Sequence[Value]) -> str:
        return either([self.value(name, value) for value in values], self.language)

    def value(self, name: str, value: Value) -> str:
        """One value as read by a person."""
        if name == "tender" and isinstance(value, str):
            return self.tender(value)
        said = word(name, value, self.program, self.language)
        if (
            said != value
            or own_name(name, value, self.program, self.language) is not None
            or name in ("tier", "membership")
        ):
            return said
        return self.plain(said)

    def tender(self, kind: str) -> str:
        """How one pays: "in cash", "by card"."""
        called = own_name("tender", kind, self.program, self.language)
        if called is not None:
            return self.say(f"with {called}", f"avec {called}")
        known = _TENDERS.get(kind)
        return self.say(*known) if known else self.say(f"with {self.plain(kind)}", f"avec {self.plain(kind)}")

    def plain(self, text: str) -> str:
        """A name of the shop's own system, without its underscores and capitals."""
        text = text.replace("_", " ")
        return text.lower() if text.isupper() else text

    # --- lines ----------------------------------------------------------------------------------------

    def lines(self, condition: Condition | None) -> str:
        """Which items count, as a sentence; empty for None."""
        if condition is None:
            return ""
        if condition.not_ is not None:
            which = self.which(condition.not_)
            return self.sentence(
                self.say(f"items {which} do not count", f"les articles {which} ne comptent pas")
            )
        operators = [operator for operator, _ in operators_of(condition)]
        if condition.field is not None and operators in (["not_in"], ["is_not"]):
            values = condition.not_in if condition.not_in is not None else [condition.is_not or ""]
            which = self.which(Condition(field=condition.field, in_=list(values)))
            return self.sentence(
                self.say(f"items {which} do not count", f"les articles {which} ne comptent pas")
            )
        which = self.which(condition)
        return self.sentence(self.say(f"only items {which} count", f"seuls les articles {which} comptent"))

    def which(self, condition: Condition) -> str:
        """What follows "items": "from bakery or deli that cost at least €5"."""
        if condition.all is not None:
            return self.say(" and ", " et ").join(self.which(child) for child in condition.all)
        if condition.any is not None:
            return self.say(" or ", " ou ").join(self.which(child) for child in condition.any)
        if condition.not_ is not None:
            return self.say("that are not ", "qui ne sont pas ") + self.which(condition.not_)
        parts = []
        for operator, written in operators_of(condition):
            values = written if isinstance(written, list) else [written]
            parts.append(self.of_line(condition.field or "", operator, values))
        return self.say(" and ", " et ").join(parts)

    def of_line(self, name: str, operator: str, values: Sequence[Value]) -> str:
        negative = operator in ("is_not", "not_in")
        operator = {"in": "is", "not_in": "is_not"}.get(operator, operator)
        if name == "amount":
            prices = either([self.price(str(value)) for value in values], self.language)
            how = self.say(*_AMOUNTS[operator]).format(prices)
            return self.say(f"that cost {how}", f"qui coûtent {how}")
        if name == "quantity":
            how = self.say(*_AMOUNTS[operator]).format(self.values(name, values))
            return self.say(f"of which you take {how}", f"que vous prenez par {how}")
        said = self.values(name, values)
        if name == "kind":
            kinds = [self.say(*_KINDS[str(v)]) if str(v) in _KINDS else self.plain(str(v)) for v in values]
            said = either(kinds, self.language)
            return self.say(
                f"that are {'not ' * negative}{said}", f"qui {'ne ' * negative}sont {'pas ' * negative}{said}"
            )
        if name == "sku":
            return self.say(f"{'not ' * negative}called {said}", f"{'non ' * negative}appelés {said}")
        return self.say("not ", "hors ") * negative + self.shelf(values)

    def shelf(self, values: Sequence[Value]) -> str:
        """Where goods come from: "from the bakery or deli"; "de la boulangerie ou du rayon traiteur"."""
        named = [self.value("category", value) for value in values]
        if not self.fr:
            return f"from {either(named, self.language)}"
        called = [name for name in named if _ARTICLE.match(name)]
        bare = [name for name in named if name not in called]
        from_the = [self.of(name) for name in called]
        return either(
            [*from_the, *([f"du rayon {either(bare, self.language)}"] if bare else [])], self.language
        )
