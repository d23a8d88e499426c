"""Plain words: every setting that changes what a member gets changes the page, in both languages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import inspect

from palier.engine.check import check, errors
from palier.engine.describe import describe, markdown, plain_text, prose, readability
from palier.engine.program import Program
from palier.programs import files

LANGUAGES = ("en", "fr")


def spaced(text: str) -> str:
    """A sentence as a person types it."""
    return text.replace("\u202f", " ").replace("\u00a0", " ").replace("\u2019", "'")


def words(en: str, fr: str) -> dict[str, str]:
    return {"en": en, "fr": fr}


def unit(key: str, en: str, fr: str, **rest: Any) -> dict[str, Any]:
    return {
        "key": key,
        "name": {
            "en": {"one": en, "other": f"{en}s"},
            "fr": {"one": fr, "other": " ".join(f"{word}s" for word in fr.split())},
        },
        **rest,
    }


def gift(points: str = "1", currency: str = "coffees") -> dict[str, Any]:
    return {"currency": currency, "points": points}


BASE = {
    "tax": "out",
    "shipping": "in",
    "discounts": "ignored",
    "gift_cards": "in",
    "points_part": "in",
}


def everything() -> dict[str, Any]:
    """A document in which every setting of every type has a value that is not its default."""
    rule = {
        "key": "base",
        "name": words("Stars", "Étoiles"),
        "on": "sale",
        "currency": "stars",
        "when": {
            "all": [
                {"field": "weekday", "in": ["saturday", "sunday"]},
                {"any": [{"field": "tier", "is": "gold"}, {"field": "membership", "is": "club"}]},
                {"not": {"field": "channel", "is": "online"}},
                {"field": "amount", "at_least": "20"},
                {"field": "quantity", "above": 2},
                {"field": "lines", "at_most": 9},
                {"field": "member.age", "below": 99},
                {"field": "tender", "is_not": "cash"},
                {"field": "segment", "not_in": ["staff", "press"]},
                {"field": "time", "from": "08:00", "until": "20:00"},
                {"field": "count", "at_least": 2, "of": "review", "per": "month"},
            ]
        },
        "per_spend": {"points": "2", "every": "5"},
        "lines": {"field": "category", "in": ["bakery", "deli"]},
        "base": BASE,
        "tenders": {"prepaid": "4"},
        "tier_multipliers": {"gold": "1.5"},
        "rounding": {"mode": "ceiling", "per": "line"},
        "caps": {"activity": "10", "day": "20", "week": "30", "month": "40", "year": "50", "lifetime": "60"},
        "group": "extra",
        "expiry": {"kind": "rolling", "days": 30, "grace_days": 3},
        "pending": {"kind": "days", "days": 4},
        "active_from": "2026-01-01",
        "active_until": "2026-12-31",
        "funded_by": "partner",
    }
    small = {"name": words("More", "Plus"), "on": "sale", "currency": "stars"}
    rules = [
        rule,
        {
            **small,
            "key": "units",
            "per_unit": "3",
            "lines": {"all": [{"field": "amount", "above": "2"}, {"field": "quantity", "is": 3}]},
            "expiry": {"kind": "end_of_year", "after_years": 1, "grace_days": 5},
        },
        {
            **small,
            "key": "bonus",
            "fixed": "7",
            "on": "review",
            "when": {"field": "score", "at_least": "4"},
            "expiry": {"kind": "fixed_date", "date": "2027-05-31", "grace_days": 6},
            "pending": {"kind": "activity", "activity": "delivered"},
        },
        {
            **small,
            "key": "double",
            "multiply": "2",
            "when": {"field": "nth", "every": 10, "per": "month"},
            "expiry": {"kind": "rolling", "days": 100},
            "group": "extra",
        },
        {**small, "key": "birthday", "fixed": "9", "on": "birthday"},
    ]
    return {
        "palier": 1,
        "key": "everything",
        "name": words("Club", "Le club"),
        "description": words("All there is.", "Tout ce qu'il y a."),
        "time_zone": "Europe/Paris",
        "currency": "EUR",
        "languages": ["en", "fr"],
        "effective_from": "2026-01-01T00:00:00+01:00",
        "late_window_days": 10,
        "hold_minutes": 30,
        "birth_date": "born",
        "brand": {
            "accent": "#1c5d45",
            "logo": {"source": "/pictures/all/logo.webp", "alt": words("A cup", "Une tasse")},
            "logo_says_name": True,
        },
        "approval_to_publish": True,
        "widget": {
            "origins": ["https://shop.example.org"],
            "invitation": words("Join us.", "Rejoignez-nous."),
        },
        "leap_day": "march_1",
        "sale_key": ["ticket_number"],
        "names": {
            "category": {"bakery": words("fresh bread", "pain frais"), "deli": words("cheese", "fromage")},
            "tender": {"cash": words("coins", "monnaie")},
            "location": {"centre": words("the old town", "la vieille ville")},
            "segment": {"staff": words("our people", "notre équipe")},
        },
        "member_attributes": {
            "age": {
                "type": "integer",
                "required": True,
                "decimals": 1,
                "description": words("Age in years", "Âge en années"),
            },
            "born": {"type": "date"},
            "size": {"type": "text", "choices": ["s", "m"]},
            "way": {"type": "text", "product_code": True},
        },
        "activity_types": [
            {
                "key": "review",
                "name": words("Review", "Avis"),
                "attributes": {
                    "score": {"type": "integer", "description": words("Stars given", "Note donnée")}
                },
            },
            {"key": "unreview", "name": words("Review removed", "Avis retiré"), "withdraws": "review"},
            {"key": "delivered", "name": words("Delivered", "Livré")},
            {"key": "rent", "name": words("Rent", "Loyer"), "money": True},
        ],
        "point_currencies": [
            unit(
                "stars",
                "star",
                "étoile",
                icon="star",
                scale=1,
                value="0.05",
                taking_back="write_off",
                expiry={"kind": "end_of_month", "after_months": 6, "grace_days": 2},
                pending={"kind": "days", "days": 14},
                return_grace_days=30,
                transferable=True,
            ),
            unit("coffees", "free coffee", "café offert", kind="reward", value="2"),
            unit("cash", "euro", "euro gagné", kind="cash", scale=2, value="1", pay_out_from="1000"),
            unit(
                "tokens",
                "token",
                "jeton",
                kind="token",
                expiry={"kind": "inactivity", "days": 90, "grace_days": 7},
            ),
        ],
        "rules": rules,
        "groups": [{"key": "extra", "stacking": "best", "caps": {"month": "500"}}],
        "caps": [{"currency": "stars", "caps": {"day": "1000"}}],
        "tiers": {
            "tiers": [
                {"key": "green", "name": words("Green", "Vert")},
                {
                    "key": "secret",
                    "name": words("Secret", "Secret"),
                    "hidden": True,
                    "qualify": {"all": [{"metric": "spend", "at_least": "90"}]},
                },
                {
                    "key": "gold",
                    "name": words("Gold", "Or"),
                    "qualify": {"all": [{"metric": "spend", "at_least": "100"}]},
                    "keep": {
                        "any": [{"metric": "points", "at_least": "50"}, {"metric": "visits", "at_least": "5"}]
                    },
                    "benefits": [words("Free delivery", "Livraison offerte")],
                    "grants": [gift()],
                },
            ],
            "window": {"kind": "rolling", "days": 365},
            "counts": ["sale", "visit"],
            "spend_base": BASE | {"tax": "in"},
            "points_currency": "stars",
            "grace_days": 15,
            "soft_landing": True,
        },
        "campaigns": [
            {
                "key": "happy",
                "name": words("Happy hour", "Heure heureuse"),
                "rules": [{**small, "key": "happy_bonus", "fixed": "1"}],
                "active_from": "2026-06-01T17:00:00+02:00",
                "active_until": "2026-06-30T19:00:00+02:00",
                "audience": {"field": "tier", "at_least": "gold"},
                "calendar": {
                    "days_of_month": [1, 15],
                    "weekdays": ["monday"],
                    "from": "17:00",
                    "until": "19:00",
                },
                "exclusive": "season",
                "budget": {"points": "1000"},
                "paused": True,
            },
            {
                "key": "spring",
                "name": words("Spring", "Printemps"),
                "rules": [{**small, "key": "spring_bonus", "fixed": "4"}],
                "exclusive": "season",
                "budget": {"money": "300"},
            },
        ],
        "goals": [
            {
                "key": "card",
                "name": words("Coffee", "Café"),
                "kind": "stamp_card",
                "icon": "cup",
                "on": ["sale"],
                "when": {"field": "location", "is": "centre"},
                "lines": {"field": "sku", "is": "coffee"},
                "measure": "units",
                "most_per_day": 5,
                "window": {"kind": "from_start", "days": 60},
                "opt_in": True,
                "head_start": "2",
                "repeat": True,
                "most_rounds": 3,
                "surplus": "reset",
                "free_unit": "cheapest",
                "steps": [{"at": "10", "name": words("Full", "Pleine"), "grants": [gift("1")]}],
            },
            {
                "key": "spent",
                "name": words("Year", "Année"),
                "measure": "spend",
                "base": BASE,
                "window": {"kind": "each", "period": "year"},
                "steps": [{"at": "250", "name": words("There", "Voilà"), "grants": [gift("2")]}],
            },
            {
                "key": "gained",
                "name": words("Gains", "Gains"),
                "measure": "points",
                "currency": "stars",
                "window": {"kind": "dates", "from": "2026-01-01", "until": "2026-03-31"},
                "steps": [{"at": "90", "name": words("Good", "Bien")}],
            },
            {
                "key": "places",
                "name": words("Places", "Lieux"),
                "measure": "distinct",
                "distinct": "location",
                "window": {"kind": "each", "period": "month"},
                "steps": [{"at": "3", "name": words("Three", "Trois"), "grants": [gift("3", "tokens")]}],
            },
        ],
        "streaks": [
            {
                "key": "daily",
                "name": words("Every day", "Tous les jours"),
                "icon": "sun",
                "on": ["visit"],
                "when": {"field": "location", "is": "centre"},
                "period": "week",
                "least": 2,
                "zone": "program",
                "freeze": "tokens",
                "at_risk_hours": 12,
                "repeat": True,
                "steps": [{"at": 7, "grants": [gift("5")]}],
            },
            {
                "key": "together",
                "name": words("Together", "Ensemble"),
                "zone": "program",
                "of": "pair",
            },
        ],
        "games": [
            {
                "key": "wheel",
                "name": words("Luck", "Chance"),
                "kind": "surprise",
                "on": ["sale"],
                "when": {"field": "amount", "at_least": "30"},
                "prizes": [
                    {
                        "key": "win",
                        "name": words("Win", "Gagné"),
                        "weight": 1,
                        "grants": [gift()],
                        "stock": 9,
                    },
                    {"key": "blank", "name": words("Blank", "Perdu"), "weight": 19},
                ],
                "limits": {"day": 1, "week": 2, "month": 3, "lifetime": 4},
                "cool_down_days": 8,
                "budget": {"points": "70"},
                "active_from": "2026-02-01",
                "active_until": "2026-02-28",
            },
            {
                "key": "spin",
                "name": words("Spin", "Tour"),
                "prizes": [
                    {"key": "some", "name": words("Some", "Un peu"), "weight": 1, "grants": [gift()]},
                    {"key": "more", "name": words("More", "Plus"), "weight": 1, "grants": [gift("2")]},
                ],
                "price": gift("2", "tokens"),
            },
        ],
        "quizzes": [
            {
                "key": "quiz",
                "name": words("Quiz", "Quiz"),
                "questions": [
                    {
                        "text": words("Which?", "Lequel ?"),
                        "answers": [{"text": words("A", "A"), "right": True}, {"text": words("B", "B")}],
                    }
                ],
                "steps": [{"at": "1", "name": words("Right", "Juste"), "grants": [gift("4", "stars")]}],
                "attempts": 2,
            }
        ],
        "referral": {
            "on": ["rent"],
            "when": {"field": "amount", "at_least": "40"},
            "within_days": 45,
            "wait_days": 21,
            "most": 6,
            "referrer": [gift("8", "stars")],
            "friend": [gift("9", "stars")],
        },
        "memberships": [
            {
                "key": "club",
                "name": words("Club card", "Carte du club"),
                "fee": "30",
                "months": 12,
                "grants": [gift("11", "stars")],
                "benefits": [words("Early sales", "Ventes avant les autres")],
                "dividend": {"goal": "spent", "currency": "cash", "least": "80"},
            }
        ],
        "partners": [
            {
                "key": "baker",
                "name": words("The baker", "Le boulanger"),
                "currency": "stars",
                "agreements": [
                    {
                        "from": "2026-01-01",
                        "issue_price": "0.05",
                        "burn_price": "0.04",
                        "most_points_month": "900",
                        "prepaid": "120",
                    }
                ],
                "benefits": [words("A roll", "Un petit pain")],
            }
        ],
        "leaderboards": [
            {
                "key": "best",
                "name": words("Best", "Les meilleurs"),
                "goal": "places",
                "ties": "earliest",
                "shown": 25,
                "prizes": [{"through": 3, "grants": [gift("12", "stars")]}],
            }
        ],
        "adjustments": {
            "reasons": [
                {"key": "goodwill", "name": words("Goodwill", "Geste commercial"), "direction": "give"},
                {"key": "mistake", "name": words("A mistake", "Une erreur")},
            ],
            "limits": [{"currency": "stars", "at_once": "50", "day": "90", "approval_above": "20"}],
            "approval_days": 5,
        },
        "notice": {
            "announced_on": "2025-12-01",
            "text": words("Coffee costs more.", "Le café coûte plus."),
            "keep_value": ["stars"],
        },
    }


EXCEPTIONS = {
    "Program.brand",
    "Brand.accent",
    "Brand.logo",
    "Brand.logo_says_name",
    "Picture.source",
    "Picture.alt",
    # What tells documents, parts and systems apart, and what is only drawn.
    *(
        "Program.palier",
        "Program.languages",
        "Program.sale_key",
        "PointCurrency.icon",
        "Goal.icon",
        "Streak.icon",
    ),
    # What shops must send of a member or an activity: nobody gets more or less by it.
    *(
        "Attribute.type",
        "Attribute.required",
        "Attribute.decimals",
        "Attribute.choices",
        "Attribute.product_code",
        "ActivityType.money",
    ),
    # Prices between companies, and who of them pays.
    *("Agreement.burn_price", "Rule.funded_by"),
    # How far staff may go alone.
    *("AdjustmentReason.direction", "AdjustmentLimit.currency", "AdjustmentLimit.at_once"),
    *("AdjustmentLimit.day", "AdjustmentLimit.approval_above", "Adjustments.limits"),
    "Adjustments.approval_days",
}
"""Settings that the page need not say."""

# What a value becomes where the next number, letter or choice would not do.
OTHERS = {
    "Program.time_zone": "Asia/Tokyo",
    "Program.currency": "JPY",
    "Program.effective_from": "2026-02-01T00:00:00+01:00",
    "Rule.on": "visit",
    "Rule.active_from": "2026-01-02",
    "Rule.active_until": "2026-12-30",
    "Campaign.active_from": "2026-06-02T17:00:00+02:00",
    "Campaign.active_until": "2026-06-29T19:00:00+02:00",
    "Campaign.exclusive": "other",
    "Game.active_from": "2026-02-02",
    "Game.active_until": "2026-02-27",
    "ExpiryFixedDate.date": "2027-06-30",
    "WindowDates.from": "2026-01-02",
    "WindowDates.until": "2026-03-30",
    "Agreement.from": "2026-01-02",
    "Notice.announced_on": "2025-12-02",
    "Calendar.from": "16:00",
    "Calendar.until": "20:00",
    "Condition.from": "09:00",
    "Condition.until": "21:00",
    "Condition.of": "rent",
    "Condition.field": None,
    "PendingUntilActivity.activity": "review",
    "ActivityType.withdraws": "rent",
    "Leaderboard.goal": "spent",
    "Dividend.goal": "card",
    "Rule.group": None,
}


def typed(
    value: Any, kind: Any, path: tuple[Any, ...] = ()
) -> Iterator[tuple[tuple[Any, ...], str, Any, Any]]:
    """Every setting below a value: (path to it, "Type.setting", its type, its value)."""
    match kind:
        case inspect.Metadata():
            yield from typed(value, kind.type, path)
        case inspect.UnionType():
            for item in kind.types:
                if isinstance(item, inspect.StructType | inspect.ListType | inspect.DictType) and _is(
                    value, item
                ):
                    yield from typed(value, item, path)
        case inspect.ListType():
            for index, item in enumerate(value):
                yield from typed(item, kind.item_type, (*path, index))
        case inspect.DictType():
            for key, item in value.items():
                yield from typed(item, kind.value_type, (*path, key))
        case inspect.StructType():
            for field in kind.fields:
                name = field.encode_name
                if name in value:
                    own = (*path, name)
                    yield own, f"{kind.cls.__name__}.{name}", field.type, value[name]
                    yield from typed(value[name], field.type, own)


def _is(value: Any, kind: Any) -> bool:
    if isinstance(kind, inspect.StructType):
        return isinstance(value, dict) and (kind.tag_field is None or value.get(kind.tag_field) == kind.tag)
    return isinstance(value, list) if isinstance(kind, inspect.ListType) else isinstance(value, dict)


def other(name: str, kind: Any, value: Any) -> Any:
    """Another value of a setting, as small a change as there is."""
    if name in OTHERS:
        return OTHERS[name]
    if isinstance(kind, inspect.Metadata):
        return other(name, kind.type, value)
    if isinstance(kind, inspect.UnionType):
        inner = [item for item in kind.types if not isinstance(item, inspect.NoneType)]
        plain = [item for item in inner if not isinstance(item, inspect.StructType)]
        kind = inner[0] if len(inner) == 1 else plain[0] if plain else inner[0]
        if isinstance(kind, inspect.Metadata):
            kind = kind.type
        if isinstance(kind, inspect.StructType | inspect.DictType | inspect.ListType):
            return {"kind": "never"} if name.endswith("expiry") else None
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(kind, inspect.LiteralType):
        return next(item for item in sorted(kind.values, key=str) if item != value)
    if isinstance(value, list):
        return value[:-1] if len(value) > 1 else [*value, *value] if name.endswith("questions") else []
    if isinstance(value, dict):
        return {}
    if name.endswith(".currency") or name in ("Streak.freeze", "TierLadder.points_currency"):
        return "tokens" if value != "tokens" else "stars"
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", str(value)):
        return str(int(value) + 1) if str(value).isdigit() else "0.1"
    return f"{value}x"


def placed(data: Any, path: tuple[Any, ...], value: Any) -> Any:
    """A copy of the document with one setting changed; None takes it out."""
    head, *rest = path
    copied = dict(data) if isinstance(data, dict) else list(data)
    if rest:
        copied[head] = placed(data[head], tuple(rest), value)
    elif value is None:
        del copied[head]
    else:
        copied[head] = value
    return copied


ROOT = inspect.type_info(Program)
SETTINGS = list(typed(everything(), ROOT))


def told(data: dict[str, Any], language: str) -> str:
    page = describe(msgspec.convert(data, Program), language)
    return "\n".join([page.title, page.intro, plain_text(page)])


BEFORE = {language: told(everything(), language) for language in LANGUAGES}


def test_the_sample_has_every_setting_of_every_type() -> None:
    def fields(kind: Any, seen: set[str]) -> set[str]:
        match kind:
            case inspect.Metadata():
                return fields(kind.type, seen)
            case inspect.UnionType():
                return set().union(*(fields(item, seen) for item in kind.types))
            case inspect.ListType():
                return fields(kind.item_type, seen)
            case inspect.DictType():
                return fields(kind.value_type, seen)
            case inspect.StructType() if kind.cls.__name__ not in seen:
                seen.add(kind.cls.__name__)
                found = {f"{kind.cls.__name__}.{field.encode_name}" for field in kind.fields}
                return found.union(*(fields(field.type, seen) for field in kind.fields))
        return set()

    there = {name for _, name, _, _ in SETTINGS}
    missing = fields(ROOT, set()) - there - {"Condition.is_not", "WindowCalendar.period"}
    assert missing == set(), "give these a value in everything()"


def _is_singular(path: tuple[Any, ...]) -> bool:
    """Names of points of which the page happens to say only one, or only several."""
    return path[0] == "point_currencies" and path[-1] in ("one", "other") and path[1] > 0


def varied() -> list[Any]:
    found = []
    for path, name, kind, value in SETTINGS:
        last = str(path[-1])
        told_elsewhere = (
            last in ("key", "name")
            # What others' pages show of it, and who publishes it: not what anybody gets.
            or path[0] in ("widget", "approval_to_publish")
            or path[:2] == ("brand", "logo")
            or name in EXCEPTIONS
            or name in ("Rule.group", "Condition.field")
        )
        hidden = path[:3] == ("tiers", "tiers", 1) and path[3:4] != ("hidden",)
        if not (told_elsewhere or hidden or "questions" in path[:-1] or _is_singular(path)):
            found.append(pytest.param(path, name, kind, value, id=".".join(map(str, path))))
    return found


@pytest.mark.parametrize(
    ("names", "english", "french"),
    [
        (["the bakery"], "from the bakery", "de la boulangerie"),
        (["the fish"], "from the fish", "du poisson"),
        (["the papers", "the bakery"], "from the papers or the bakery", "des journaux ou de la boulangerie"),
        (["grocery"], "from grocery", "de l'épicerie"),
        (["deli", "the bakery"], "from deli or the bakery", "de la boulangerie ou du rayon traiteur"),
    ],
)
def test_a_department_is_called_with_its_article(names: list[str], english: str, french: str) -> None:
    called = {
        "the bakery": "la boulangerie", "the fish": "le poisson", "the papers": "les journaux",
        "grocery": "l'épicerie", "deli": "traiteur",
    }  # fmt: skip
    known = {"category": {key: {"en": key, "fr": called[key]} for key in called}}
    bought = {"fixed": "1", "when": {"field": "category", "in": names}}
    assert sentences(bought, names=known) == (
        f"You get 1 free coffee each time you buy, if you buy something {english}.",
        f"Vous gagnez 1 café offert à chaque achat, si vous prenez un article {french}.",
    )
    without = {"fixed": "1", "lines": {"field": "category", "not_in": names}}
    assert sentences(without, names=known)[1].endswith(f"Les articles {french} ne comptent pas.")


@pytest.mark.parametrize(("path", "name", "kind", "value"), varied())
def test_a_setting_that_changes_what_a_member_gets_changes_the_page(
    path: tuple[Any, ...], name: str, kind: Any, value: Any
) -> None:
    changed = placed(everything(), path, other(name, kind, value))
    try:
        msgspec.convert(changed, Program)
    except msgspec.ValidationError:
        pytest.skip("the last of a list that cannot be empty")
    named = [language for language in LANGUAGES if language in path]
    unsaid = [language for language in named or LANGUAGES if told(changed, language) == BEFORE[language]]
    assert unsaid == []


def test_the_sample_is_a_program() -> None:
    assert errors(check(msgspec.convert(everything(), Program))) == []


def sentences(rule: dict[str, Any], **rest: Any) -> tuple[str, str]:
    """What the page says of one rule, in English and French."""
    data = everything() | rest
    data["rules"] = [
        {"key": "it", "name": words("It", "Ceci"), "on": "sale", "currency": "coffees", **rule},
    ]
    made = msgspec.convert(data | {"campaigns": []}, Program)
    found = []
    for language in LANGUAGES:
        earn = next(section for section in describe(made, language).sections if section.key == "earn")
        found.append(spaced(earn.parts[0].text))
    return found[0], found[1]


def test_keys_of_the_shop_are_called_as_the_document_says() -> None:
    rule = {
        "fixed": "1",
        "when": {"field": "tender", "in": ["cash", "app"]},
        "lines": {"field": "category", "in": ["bakery", "SALAD_BAR"]},
    }
    assert sentences(rule) == (
        "You get 1 free coffee each time you buy, if you pay with coins or with the app. "
        "Only items from fresh bread or salad bar count.",
        "Vous gagnez 1 café offert à chaque achat, si vous payez avec monnaie ou avec l'application. "
        "Seuls les articles du rayon pain frais ou salad bar comptent.",
    )
    plain = {field: {} for field in ("category", "tender", "location", "segment")}
    english, _ = sentences(rule, names=plain)
    assert "if you pay in cash or with the app. Only items from bakery or" in english


@pytest.mark.parametrize(
    ("rule", "english", "french"),
    [
        (
            {"per_spend": {"points": "1", "every": "1.50"}},
            "You get 1 free coffee for every €1.50 you spend.",
            "Vous gagnez 1 café offert pour 1,50 € dépensé.",
        ),
        (
            {"fixed": "2", "when": {"field": "amount", "at_least": "1000"}},
            "You get 2 free coffees each time you spend at least €1,000.",
            "Vous gagnez 2 cafés offerts à chaque achat d'au moins 1 000 €.",
        ),
        (
            {"fixed": "1", "when": {"field": "nth", "in": [1, 2], "per": "year"}},
            "You get 1 free coffee for your first or 2nd purchase of the year.",
            "Vous gagnez 1 café offert pour votre 1er ou 2e achat de l'année.",
        ),
        (
            {"fixed": "1", "on": "visit", "when": {"field": "nth", "every": 10, "per": "lifetime"}},
            "You get 1 free coffee for every 10th visit.",
            "Vous gagnez 1 café offert tous les 10 passages.",
        ),
        (
            {
                "fixed": "1",
                "when": {
                    "all": [
                        {"field": "weekday", "in": ["saturday", "sunday"]},
                        {"field": "tier", "at_least": "gold"},
                        {"not": {"field": "channel", "is": "online"}},
                    ]
                },
            },
            "You get 1 free coffee each time you buy on Saturday or Sunday except online, "
            "if your level is Gold or higher.",
            "Vous gagnez 1 café offert à chaque achat le samedi ou le dimanche sauf en ligne, "
            "si votre niveau est Or ou plus haut.",
        ),
        (
            {"per_unit": "1", "lines": {"field": "category", "not_in": ["FUEL", "gift_card"]}},
            "You get 1 free coffee for each item you buy. Items from fuel or gift card do not count.",
            "Vous gagnez 1 café offert par article acheté. Les articles du rayon fuel ou gift card ne comptent pas.",
        ),
        (
            {
                "fixed": "1",
                "on": "friend_joined",
                "caps": {"month": "1", "lifetime": "12"},
                "pending": {"kind": "days", "days": 1},
            },
            "You get 1 free coffee when a friend joins thanks to you. "
            "You get at most 1 free coffee a month and 12 free coffees in all. "
            "You can use them 1 day after you earn them.",
            "Vous gagnez 1 café offert quand un ami s'inscrit grâce à vous. "
            "Vous gagnez au plus 1 café offert par mois et 12 cafés offerts en tout. "
            "Vous pouvez les utiliser au bout de 1 jour.",
        ),
        (
            {"fixed": "1", "when": {"field": "membership", "is": "club"}, "active_until": "2026-12-24"},
            "You get 1 free coffee each time you buy, if you have the membership Club card. "
            "This holds through 24 December 2026.",
            "Vous gagnez 1 café offert à chaque achat, si vous avez l'adhésion Carte du club. "
            "C'est valable jusqu'au 24 décembre 2026 inclus.",
        ),
    ],
)
def test_a_rule_in_words(rule: dict[str, Any], english: str, french: str) -> None:
    assert sentences(rule) == (english, french)


@pytest.mark.parametrize(
    ("weights", "odds"),
    [([1, 19], ["5%", "95%"]), ([1, 2], ["33.33%", "66.67%"]), ([1, 999_999], ["0.0001%", "100%"])],
)
def test_odds_in_percent(weights: list[int], odds: list[str]) -> None:
    data = everything()
    data["games"][0]["prizes"] = [
        {"key": f"p{index}", "name": words("A", "A"), "weight": weight}
        for index, weight in enumerate(weights)
    ]
    games = next(s for s in describe(msgspec.convert(data, Program), "en").sections if s.key == "games")
    assert [item.partition("chance of ")[2].partition(". ")[0] for item in games.parts[0].items] == odds


def test_french_is_set_with_spaces_that_do_not_break() -> None:
    text = prose(describe(msgspec.convert(everything(), Program), "fr"))
    assert re.search(r" [;:!?%»]|« |[0-9] [a-zé€]", text) is None
    assert "'" not in text
    for piece in ("\u202f; ", "5\u202f%", "«\u00a0", "2\u202f400\u00a0étoiles"):
        assert piece in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_key_of_the_document_is_read(language: str) -> None:
    text = prose(describe(msgspec.convert(everything(), Program), language))
    assert re.findall(r"[a-z]+_[a-z_]+", text) == []


def test_lines_of_a_terminal_break_at_plain_spaces_only() -> None:
    page = describe(msgspec.convert(everything(), Program), "fr")
    lines = plain_text(page, 60).splitlines()
    assert max(map(len, lines)) <= 60
    assert not any(line.rstrip().endswith("«") or line.lstrip().startswith((";", ":", "»")) for line in lines)


def test_markdown_takes_no_sign_of_a_name_for_its_own() -> None:
    data = everything()
    data["rules"][4]["name"] = words("*Stars* [here]", "*Étoiles* [ici]")
    text = markdown(describe(msgspec.convert(data, Program), "en"))
    assert "**\\*Stars\\* \\[here\\]**" in text


@pytest.mark.parametrize(("language", "age"), [("en", 10), ("fr", 11)])
def test_everything_is_read_by_a_child(language: str, age: int) -> None:
    assert readability(describe(msgspec.convert(everything(), Program), language)).age <= age


GALLERY = sorted((Path(__file__).parents[2] / "gallery").glob("*/program.yaml"))
FALSE_FRENCH = re.compile(
    r"\b(de|que|ne|se|le|la|me) (?!un\b|onz|oui)[aeiouéèêàâœ]|\b(de le|de les|à le|à les|si il)\b", re.I
)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("path", GALLERY, ids=lambda path: path.parent.name)
def test_every_program_of_the_gallery_is_told(path: Path, language: str) -> None:
    document = files.read(path).program
    assert document is not None
    page = describe(document, language)
    text = spaced(prose(page))
    assert re.findall(r"[a-z]+_[a-z_]+|\{|\}|None", text) == []
    assert readability(page).age <= (11 if language == "fr" else 10)
    if language == "fr":
        assert [found.group() for found in FALSE_FRENCH.finditer(text)] == []
