"""Conditions, and comparisons that failed, as phrases that members and staff read, in English and French."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final, cast

from palier.engine.amounts import to_minor
from palier.engine.conditions import DATE, WEEKDAYS, Miss, Value, operators_of
from palier.engine.currencies import exponent, localized, money
from palier.engine.program import Condition, Named, Program, Text

_PERIODS: Final = {
    "en": {"day": " of the day", "week": " of the week", "month": " of the month", "year": " of the year"},
    "fr": {"day": " de la journée", "week": " de la semaine", "month": " du mois", "year": " de l'année"},
}
DAY_NAMES: Final = {
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "fr": ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"),
}
MONTHS: Final = {
    "en": (
        *("January", "February", "March", "April", "May", "June"),
        *("July", "August", "September", "October", "November", "December"),
    ),
    "fr": (
        *("janvier", "février", "mars", "avril", "mai", "juin"),
        *("juillet", "août", "septembre", "octobre", "novembre", "décembre"),
    ),
}
_CHANNELS: Final = {
    "en": {
        "store": "in store",
        "online": "online",
        "web": "online",
        "app": "in the app",
        "phone": "by phone",
    },
    "fr": {
        "store": "en magasin",
        "online": "en ligne",
        "web": "en ligne",
        "app": "dans l'application",
        "phone": "par téléphone",
    },
}
# The phrases around a value, by field and operator: (English, French).
_PHRASES: Final[dict[str, dict[str, tuple[str, str]]]] = {
    "amount": {
        "is": ("for exactly {}", "pour exactement {}"),
        "is_not": ("not for {}", "sauf pour {}"),
        "at_least": ("for at least {}", "pour au moins {}"),
        "at_most": ("for at most {}", "pour au plus {}"),
        "above": ("for more than {}", "pour plus de {}"),
        "below": ("for less than {}", "pour moins de {}"),
    },
    "quantity": {
        "is": ("with exactly {} items", "avec exactement {} articles"),
        "is_not": ("not with {} items", "sauf avec {} articles"),
        "at_least": ("with at least {} items", "avec au moins {} articles"),
        "at_most": ("with at most {} items", "avec au plus {} articles"),
        "above": ("with more than {} items", "avec plus de {} articles"),
        "below": ("with fewer than {} items", "avec moins de {} articles"),
    },
    "lines": {
        "is": ("with exactly {} lines", "avec exactement {} lignes"),
        "is_not": ("not with {} lines", "sauf avec {} lignes"),
        "at_least": ("with at least {} lines", "avec au moins {} lignes"),
        "at_most": ("with at most {} lines", "avec au plus {} lignes"),
        "above": ("with more than {} lines", "avec plus de {} lignes"),
        "below": ("with fewer than {} lines", "avec moins de {} lignes"),
    },
    "category": {
        "is": ("with something from {}", "avec un article de {}"),
        "is_not": ("with nothing from {}", "sans article de {}"),
    },
    "sku": {"is": ("with item {}", "avec l'article {}"), "is_not": ("without item {}", "sans l'article {}")},
    "location": {"is": ("at {}", "à {}"), "is_not": ("except at {}", "sauf à {}")},
    "partner": {
        "is": ("at partner {}", "chez le partenaire {}"),
        "is_not": ("except at partner {}", "sauf chez {}"),
    },
    "tender": {"is": ("paid with {}", "payé avec {}"), "is_not": ("not paid with {}", "non payé avec {}")},
    "segment": {
        "is": ("for members of segment {}", "pour les membres du segment {}"),
        "is_not": ("except for members of segment {}", "sauf pour les membres du segment {}"),
    },
    "tier": {
        "is": ("for {} members", "pour les membres {}"),
        "is_not": ("except for {} members", "sauf pour les membres {}"),
        "at_least": ("for {} members and above", "pour les membres {} et plus"),
        "at_most": ("for members up to {}", "pour les membres jusqu'à {}"),
        "above": ("for members above {}", "pour les membres au-dessus de {}"),
        "below": ("for members below {}", "pour les membres en dessous de {}"),
    },
    "membership": {
        "is": ("with membership {}", "avec l'adhésion {}"),
        "is_not": ("without membership {}", "sans l'adhésion {}"),
    },
    "day_of_month": {
        "is": ("on the {} of the month", "le {} du mois"),
        "is_not": ("except on the {} of the month", "sauf le {} du mois"),
        "at_least": ("from the {} of the month on", "à partir du {} du mois"),
        "at_most": ("through the {} of the month", "jusqu'au {} du mois"),
        "above": ("after the {} of the month", "après le {} du mois"),
        "below": ("before the {} of the month", "avant le {} du mois"),
    },
    "count": {
        "is": ("with exactly {}", "avec exactement {}"),
        "at_least": ("with at least {}", "avec au moins {}"),
        "at_most": ("with at most {}", "avec au plus {}"),
        "above": ("with more than {}", "avec plus de {}"),
        "below": ("with fewer than {}", "avec moins de {}"),
    },
    "weekday": {"is": ("on {}", "le {}"), "is_not": ("except on {}", "sauf le {}")},
    "date": {
        "is": ("on {}", "le {}"),
        "is_not": ("except on {}", "sauf le {}"),
        "at_least": ("from {} on", "à partir du {}"),
        "at_most": ("until {}", "jusqu'au {}"),
        "above": ("after {}", "après le {}"),
        "below": ("before {}", "avant le {}"),
        "from": ("from {} on", "à partir du {}"),
        "until": ("until {}", "jusqu'au {}"),
    },
    "channel": {"is": ("{}", "{}"), "is_not": ("except {}", "sauf {}")},
    "kind": {"is": ("of kind {}", "de type {}"), "is_not": ("not of kind {}", "hors type {}")},
}
# Activities by their type, counted: English one and several, French one and several.
_ACTIVITIES: Final = {
    "sale": ("purchase", "purchases", "achat", "achats"),
    "return": ("return", "returns", "retour", "retours"),
    "visit": ("visit", "visits", "passage", "passages"),
    "fee": ("membership payment", "membership payments", "paiement d'adhésion", "paiements d'adhésion"),
    "opt_in": ("sign-up", "sign-ups", "participation", "participations"),
    "opt_out": ("withdrawal", "withdrawals", "abandon", "abandons"),
    "save_for": ("wish", "wishes", "souhait", "souhaits"),
    "play": ("game played", "games played", "partie jouée", "parties jouées"),
    "quiz": ("quiz answered", "quizzes answered", "quiz rempli", "quiz remplis"),
    "paired": ("pairing", "pairings", "mise en duo", "mises en duo"),
    "unpaired": ("end of a pair", "ends of pairs", "fin de duo", "fins de duo"),
    "joined": ("joining", "joinings", "inscription", "inscriptions"),
    "birthday": ("birthday", "birthdays", "anniversaire", "anniversaires"),
    "anniversary": (
        "anniversary of joining",
        "anniversaries of joining",
        "anniversaire d'inscription",
        "anniversaires d'inscription",
    ),
    "friend_joined": ("friend who joined", "friends who joined", "ami inscrit", "amis inscrits"),
    "friend_converted": ("friend brought", "friends brought", "ami venu", "amis venus"),
}
# What only commands and the platform itself do, never counted: English, French.
_COMMANDS: Final = {
    "pair_act": ("the other of the pair", "l'autre du duo"),
    "redeem": ("redemption", "dépense"),
    "hold": ("hold", "mise de côté"),
    "capture": ("capture", "encaissement"),
    "release": ("release", "libération"),
    "refund": ("refund", "remboursement"),
    "adjust": ("adjustment", "ajustement"),
    "grant_tier": ("tier given", "niveau accordé"),
    "revoke_tier": ("tier taken back", "niveau repris"),
    "transfer_out": ("transfer", "transfert"),
    "transfer_in": ("transfer", "transfert"),
    "dividend": ("yearly share", "part annuelle"),
    "prize": ("prize", "prix"),
    "merge_out": ("merge", "fusion"),
    "merge_in": ("merge", "fusion"),
    "unmerged": ("merge undone", "fusion annulée"),
    "left": ("end of membership", "fin d'adhésion"),
    "released": ("release", "libération"),
    "expired": ("expiry", "expiration"),
    "tier_changed": ("tier", "niveau"),
    "hold_expired": ("hold ended", "fin de mise de côté"),
    "streak_saved": ("streak saved", "série sauvée"),
    "streak_lapsed": ("streak ended", "fin de série"),
    "correction": ("correction", "correction"),
}
_SPANS: Final = {
    "en": {"day": " in the day", "week": " in the week", "month": " in the month", "year": " in the year"},
    "fr": {
        "day": " dans la journée",
        "week": " dans la semaine",
        "month": " dans le mois",
        "year": " dans l'année",
    },
}
_ATTRIBUTE_PHRASES: Final = {
    "is": ("where {} is {}", "où {} est {}"),
    "is_not": ("where {} is not {}", "où {} n'est pas {}"),
    "at_least": ("where {} is at least {}", "où {} est au moins {}"),
    "at_most": ("where {} is at most {}", "où {} est au plus {}"),
    "above": ("where {} is more than {}", "où {} est plus que {}"),
    "below": ("where {} is less than {}", "où {} est moins que {}"),
    "from": ("where {} is from {} on", "où {} est à partir du {}"),
    "until": ("where {} is until {}", "où {} est jusqu'au {}"),
}


def either(words: Sequence[str], language: str) -> str:
    """ "a, b or c"."""
    joint = " ou " if language == "fr" else " or "
    return joint.join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]


def ordinal(number: int, language: str) -> str:
    """ "first", "2nd", "11th"; in French of a feminine noun: "1re", "2e"."""
    if language == "fr":
        return "1re" if number == 1 else f"{number}e"
    suffix = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return "first" if number == 1 else f"{number}{suffix}"


def date_words(text: str, language: str) -> str:
    """A date written YYYY-MM-DD as people read it: "31 May 2026", "1er mai 2026"; other text as it is."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return text
    number = "1er" if language == "fr" and day.day == 1 else str(day.day)
    return f"{number} {MONTHS[language][day.month - 1]} {day.year}"


def text_of(text: Text, language: str) -> str:
    """A text in the language, or in the other where it is given in that one only."""
    return (text.fr or text.en) if language == "fr" else (text.en or text.fr)


def day_of_month(number: int, language: str) -> str:
    """A day of the month: "1st", "22nd"; "1er", "22"."""
    if language == "fr":
        return "1er" if number == 1 else str(number)
    return "1st" if number == 1 else ordinal(number, language)


def activities(count: int | None, key: str, program: Program, language: str) -> str:
    """A counted noun for activities of a type: "5 purchases", "1 visit", "3 × Review"; without number for None."""
    fr = language == "fr"
    number = "" if count is None else localized(str(count), language) + " "
    words = _ACTIVITIES.get(key)
    if words is not None:
        singular = count is not None and (count < 2 if fr else count == 1)
        return number + words[(2 if fr else 0) + (0 if singular else 1)]
    named = next((text_of(kind.name, language) for kind in program.activity_types if kind.key == key), "")
    quoted = f"« {named or key} »" if fr else f"“{named or key}”"
    return f"{number}× {quoted}" if number else quoted


def activity_name(key: str, program: Program, language: str) -> str:
    """What an activity of a type is called where it stands alone: "purchase", "expiry", "Review"."""
    fr = language == "fr"
    if (counted := _ACTIVITIES.get(key)) is not None:
        return counted[2 if fr else 0]
    if (own := _COMMANDS.get(key)) is not None:
        return own[1 if fr else 0]
    named = next((text_of(kind.name, language) for kind in program.activity_types if kind.key == key), "")
    return named or key


def _count_words(
    condition: Condition, operator: str, values: Sequence[Value], program: Program, language: str
) -> str:
    """A count of activities: "with at least 5 purchases in the month"."""
    operator = {"in": "is"}.get(operator, operator)
    numbers = [int(value) for value in values]
    said = activities(numbers[-1], condition.of or "", program, language)
    if len(numbers) > 1:
        said = either([*(str(number) for number in numbers[:-1]), said], language)
    phrase = _PHRASES["count"][operator][1 if language == "fr" else 0].format(said)
    return phrase + _SPANS[language].get(condition.per or "", "")


def time_words(text: str, language: str) -> str:
    """A time of day: "08:30"; "8 h 30", "18 h"."""
    if language == "fr":
        return f"{int(text[:2])} h" + ("" if text.endswith(":00") else f" {text[3:]}")
    return text


def own_name(name: str, value: Value, program: Program, language: str) -> str | None:
    """What the program calls a key of the shop's own system; None where it does not say."""
    found = program.names.get(cast("Named", name), {}).get(str(value))
    return text_of(found, language) if found is not None else None


def word(name: str, value: Value, program: Program, language: str) -> str:
    """One value of a field, as read by a person."""
    if (called := own_name(name, value, program, language)) is not None:
        return called
    if isinstance(value, bool):
        yes, no = ("oui", "non") if language == "fr" else ("yes", "no")
        return yes if value else no
    if name == "amount":
        try:
            return money(to_minor(str(value), exponent(program.currency)), program.currency, language)
        except ValueError:
            return str(value)
    if name == "day_of_month":
        return day_of_month(int(value), language)
    if isinstance(value, int):
        return localized(str(value), language)
    if name in ("partner", "membership"):
        named: dict[str, Text] = {partner.key: partner.name for partner in program.partners}
        if name == "membership":
            named = {membership.key: membership.name for membership in program.memberships}
        found = named.get(value)
        return value if found is None else text_of(found, language) or value
    if name == "tier" and program.tiers is not None:
        for tier in program.tiers.tiers:
            if tier.key == value:
                return text_of(tier.name, language) or tier.key
    if name == "weekday" and value in WEEKDAYS:
        return DAY_NAMES[language][WEEKDAYS.index(value)]
    if name == "channel":
        return _CHANNELS[language].get(value, f"par {value}" if language == "fr" else f"by {value}")
    if DATE.fullmatch(value):
        return date_words(value, language)
    return value


def _nth_words(operator: str, value: Value | list[Value], per: str | None, language: str) -> str:
    period = _PERIODS[language].get(per or "", "")
    fr = language == "fr"
    numbers = [int(item) for item in (value if isinstance(value, list) else [value])]
    if operator in ("above", "below"):  # counts are whole: above 2 is at least 3
        numbers = [number + (1 if operator == "above" else -1) for number in numbers]
        operator = "at_least" if operator == "above" else "at_most"
    first = numbers[0]
    if operator == "every":
        return f"toutes les {first} fois{period}" if fr else f"every {ordinal(first, 'en')} time{period}"
    if operator == "at_least":
        words = ordinal(first, language)
        return f"à partir de la {words} fois{period}" if fr else f"from the {words} time{period} on"
    if operator == "at_most":
        return f"les {first} premières fois{period}" if fr else f"the first {first} times{period}"
    words = either([ordinal(number, language) for number in numbers], language)
    return f"pour la {words} fois{period}" if fr else f"for the {words} time{period}"


def _comparison_words(condition: Condition, program: Program, language: str) -> str:
    name = condition.field or ""
    fr = language == "fr"
    if name == "time":
        start, end = condition.from_, condition.until
        if start is not None and end is not None:
            words = (time_words(start, language), time_words(end, language))
            return "de {} à {}".format(*words) if fr else "from {} to {}".format(*words)
        if start is not None:
            words_start = time_words(start, language)
            return f"à partir de {words_start}" if fr else f"from {words_start} on"
        words_end = time_words(end or "24:00", language)
        return f"avant {words_end}" if fr else f"before {words_end}"
    operators = list(operators_of(condition))
    if name == "date" and condition.from_ is not None and condition.until is not None:
        words = (date_words(condition.from_, language), date_words(condition.until, language))
        text = "du {} au {}".format(*words) if fr else "from {} to {}".format(*words)
        rest = [
            _operator_words(condition, pair, program, language)
            for pair in operators
            if pair[0] not in ("from", "until")
        ]
        return ", ".join([text, *rest])
    return ", ".join(_operator_words(condition, pair, program, language) for pair in operators)


def _operator_words(
    condition: Condition, pair: tuple[str, Value | list[Value]], program: Program, language: str
) -> str:
    name = condition.field or ""
    operator, written = pair
    if name == "nth":
        return _nth_words(operator, written, condition.per, language)
    values = written if isinstance(written, list) else [written]
    if name == "count":
        return _count_words(condition, operator, values, program, language)
    article = "le " if language == "fr" and name in ("weekday", "day_of_month") else ""
    words = [article + word(name, value, program, language) for value in values]
    joined = either(words, language).removeprefix(article)  # the phrase brings the first article
    operator = {"in": "is", "not_in": "is_not"}.get(operator, operator)
    column = 1 if language == "fr" else 0
    if name in _PHRASES and operator in _PHRASES[name]:
        return _PHRASES[name][operator][column].format(joined)
    return _ATTRIBUTE_PHRASES[operator][column].format(_field_words(name, language), joined)


def _field_words(name: str, language: str) -> str:
    if name.startswith("member."):
        own = name.removeprefix("member.")
        return f"l'attribut {own} du membre" if language == "fr" else f"the member's {own}"
    return name


def explain(condition: Condition | None, program: Program, language: str) -> str:
    """The condition as a phrase in "en" or "fr": "on Saturday or Sunday, for at least €20.00, in store".

    The empty text for None.
    """
    if condition is None:
        return ""
    if condition.all is not None:
        return ", ".join(_nested(child, program, language, "all") for child in condition.all)
    if condition.any is not None:
        joint = " ou " if language == "fr" else " or "
        return joint.join(_nested(child, program, language, "any") for child in condition.any)
    if condition.not_ is not None:
        inner = explain(condition.not_, program, language)
        return f"sauf ({inner})" if language == "fr" else f"except ({inner})"
    return _comparison_words(condition, program, language)


def _nested(child: Condition, program: Program, language: str, outer: str) -> str:
    """A child's phrase, in brackets where leaving them out would change what is read."""
    text = explain(child, program, language)
    mixed = child.any is not None if outer == "all" else child.all is not None
    return f"({text})" if mixed and len(child.any or child.all or ()) > 1 else text


def explain_miss(miss: Miss, program: Program, language: str) -> str:
    """A failed comparison as a phrase: what was needed and what was found."""
    column = 1 if language == "fr" else 0
    label = _FIELD_LABELS.get(miss.field, None)
    name = label[column] if label is not None else _field_words(miss.field, language)
    negated = miss.op.startswith("not_") and miss.op != "not_in"
    operator = miss.op.removeprefix("not_") if negated else miss.op

    def said(value: Value | tuple[Value, ...] | None, field: str = miss.field) -> str:
        if value is None or value == ():
            return "rien" if language == "fr" else "nothing"
        values = value if isinstance(value, tuple) else (value,)
        return either([word(field, item, program, language) for item in values], language)

    wanted = said(miss.wanted)
    if operator == "between" and isinstance(miss.wanted, tuple):
        start, end = (time_words(str(item), language) for item in miss.wanted)
        wanted = f"{start} - {end}"
    phrases = _MISS_DATES if operator in _MISS_DATES and _is_date(miss.wanted) else _MISS_PHRASES
    phrase = phrases[operator][column].format(wanted)
    found = time_words(str(miss.found), language) if operator == "between" else said(miss.found)
    needed = ("must not be", "il ne fallait pas") if negated else ("needed", "il fallait")
    return f"{name}{' :' if language == 'fr' else ':'} {found}, {needed[column]} {phrase}"


def _is_date(value: Value | tuple[Value, ...] | None) -> bool:
    return isinstance(value, str) and date_words(value, "en") != value


_FIELD_LABELS: Final = {
    "amount": ("amount", "montant"),
    "quantity": ("quantity", "quantité"),
    "lines": ("lines", "lignes"),
    "category": ("category", "rayon"),
    "sku": ("item", "article"),
    "channel": ("channel", "canal"),
    "location": ("location", "lieu"),
    "partner": ("partner", "partenaire"),
    "tender": ("tender", "moyen de paiement"),
    "tier": ("tier", "niveau"),
    "segment": ("segment", "segment"),
    "weekday": ("day", "jour"),
    "time": ("time", "heure"),
    "date": ("date", "date"),
    "nth": ("count", "nombre"),
    "count": ("how many so far", "nombre jusqu'ici"),
    "membership": ("membership", "adhésion"),
    "day_of_month": ("day of the month", "jour du mois"),
}
_MISS_DATES: Final = {
    "is": ("{}", "le {}"),
    "at_least": ("{} or later", "le {} ou après"),
    "at_most": ("{} or earlier", "le {} ou avant"),
    "above": ("a day after {}", "un jour après le {}"),
    "below": ("a day before {}", "un jour avant le {}"),
}
_MISS_PHRASES: Final = {
    "is": ("{}", "{}"),
    "is_not": ("something other than {}", "autre chose que {}"),
    "in": ("{}", "{}"),
    "not_in": ("something other than {}", "autre chose que {}"),
    "at_least": ("at least {}", "au moins {}"),
    "at_most": ("at most {}", "au plus {}"),
    "above": ("more than {}", "plus de {}"),
    "below": ("less than {}", "moins de {}"),
    "from": ("{} or later", "le {} ou après"),
    "until": ("{} or earlier", "le {} ou avant"),
    "between": ("{}", "{}"),
    "every": ("a multiple of {}", "un multiple de {}"),
}
