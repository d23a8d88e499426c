"""Random programs and histories for the small model and for the engine beside it.

`programs()` draws documents that mean something (`check` finds no error in them); `histories(program)` draws
the facts of one member. Both keep, unless `contested=True`, to what the meaning of the words settles: where
two careful readers could differ (a return of part of a sale whose shipping is a line, two rules of one
currency with different fates, ...) nothing is drawn. `batches`, `shuffled` and `split_returns` change how a
history is told without changing what it tells.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from hypothesis import strategies as st

from palier.engine import program as document
from tests.model.model import COMMANDS, EXPONENTS, Fact, instant, ref

Draw = Callable[[st.SearchStrategy[Any]], Any]

ZONES = ("Europe/Paris", "Australia/Lord_Howe", "UTC")
CATEGORIES = ("bread", "wine", "book")
CHANNELS = ("shop", "web")
SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def chance(draw: Draw, percent: int) -> bool:
    return bool(draw(st.integers(0, 99)) < percent)


def program_of(data: dict[str, Any]) -> document.Program:
    """A document from plain mappings, with the head that every document needs."""
    head = {
        "palier": 1,
        "key": "club",
        "name": {"en": "Club", "fr": "Club"},
        "time_zone": "Europe/Paris",
        "currency": "EUR",
        "point_currencies": [currency()],
    }
    return msgspec.convert({**head, **data}, document.Program)


def currency(key: str = "points", **settings: Any) -> dict[str, Any]:
    noun = {"one": key, "other": key}
    return {"key": key, "name": {"en": noun, "fr": noun}, **settings}


def named(key: str, **settings: Any) -> dict[str, Any]:
    return {"key": key, "name": {"en": key, "fr": key}, **settings}


# --- programs ---------------------------------------------------------------------------------------


@st.composite
def programs(draw: Draw, contested: bool = False) -> document.Program:
    """A small program. `contested` also draws what two careful readers could read differently."""
    money = draw(st.sampled_from(["EUR", "EUR", "JPY", "TND"]))
    currencies = [
        draw(point_currencies(key)) for key in ("points", "stars")[: draw(st.sampled_from([1, 1, 2]))]
    ]
    scales = {each["key"]: each["scale"] for each in currencies}
    ladder = draw(st.none() | ladders(money, scales))
    tiers = [tier["key"] for tier in ladder["tiers"]] if ladder else []

    groups: list[dict[str, Any]] = []
    best = chance(draw, 25)
    if chance(draw, 40):
        key = currencies[0]["key"]
        groups.append(
            {
                "key": "together",
                "stacking": "best" if best else "add",
                **({"caps": draw(caps(scales[key]))} if chance(draw, 60) else {}),
            }
        )
    rules: list[dict[str, Any]] = []
    for number in range(draw(st.integers(1, 5))):
        rule = draw(rules_of(f"rule{number}", currencies, tiers, money, rules, bool(groups), best, contested))
        rules.append(rule)
    groups = [group for group in groups if any(rule.get("group") == group["key"] for rule in rules)]
    limits = [
        {"currency": key, "caps": draw(caps(scale))} for key, scale in scales.items() if chance(draw, 25)
    ]
    return program_of(
        {
            "time_zone": draw(st.sampled_from(ZONES)),
            "currency": money,
            "point_currencies": currencies,
            "hold_minutes": draw(st.sampled_from([1, 60, 3 * 1440])),
            "activity_types": [
                named("review", attributes={"stars": {"type": "integer"}, "photo": {"type": "boolean"}}),
                named("shipped"),
            ],
            "rules": rules,
            "groups": groups,
            "caps": limits,
            **({"tiers": ladder} if ladder else {}),
        }
    )


def expiries(inactivity: bool = True) -> st.SearchStrategy[dict[str, Any]]:
    kinds: list[st.SearchStrategy[dict[str, Any]]] = [
        st.just({"kind": "never"}),
        st.fixed_dictionaries({"kind": st.just("rolling"), "days": st.sampled_from([30, 60, 90, 364])}),
        st.fixed_dictionaries({"kind": st.just("end_of_month"), "after_months": st.integers(0, 3)}),
        st.fixed_dictionaries({"kind": st.just("end_of_year"), "after_years": st.integers(0, 1)}),
        st.fixed_dictionaries(
            {
                "kind": st.just("fixed_date"),
                "date": st.sampled_from(["2026-03-31", "2026-12-31", "2028-02-29"]),
            }
        ),
    ]
    if inactivity:
        kinds.append(
            st.fixed_dictionaries({"kind": st.just("inactivity"), "days": st.sampled_from([20, 45])})
        )
    return st.one_of(kinds)


def pendings() -> st.SearchStrategy[dict[str, Any]]:
    return st.one_of(
        st.fixed_dictionaries({"kind": st.just("days"), "days": st.sampled_from([1, 14, 29])}),
        st.just({"kind": "activity", "activity": "shipped"}),
    )


@st.composite
def point_currencies(draw: Draw, key: str) -> dict[str, Any]:
    expiry = dict(draw(expiries()))
    if expiry["kind"] != "never" and chance(draw, 30):
        expiry["grace_days"] = draw(st.sampled_from([1, 10]))
    result = currency(
        key,
        scale=draw(st.sampled_from([0, 0, 2])),
        taking_back=draw(st.sampled_from(["debt", "debt", "write_off", "refuse"])),
        expiry=expiry,
    )
    if chance(draw, 40):
        result["pending"] = draw(pendings())
    if chance(draw, 40):
        result["return_grace_days"] = draw(st.sampled_from([0, 7]))
    return result


def decimal(value: int, scale: int) -> str:
    """`value` minor units as the document writes them."""
    if scale == 0:
        return str(value)
    return f"{value // 10**scale}.{value % 10**scale:0{scale}}"


@st.composite
def caps(draw: Draw, scale: int) -> dict[str, str]:
    names = draw(
        st.sets(st.sampled_from(["activity", "day", "week", "month", "year", "lifetime"]), min_size=1)
    )
    size = {"activity": 20, "day": 30, "week": 50, "month": 80, "year": 150, "lifetime": 250}
    factor = draw(st.sampled_from([1, 3]))
    return {name: decimal(size[name] * factor * 10**scale, scale) for name in size if name in names}


@st.composite
def ladders(draw: Draw, money: str, scales: dict[str, int]) -> dict[str, Any]:
    window = draw(
        st.one_of(
            st.fixed_dictionaries({"kind": st.just("rolling"), "days": st.sampled_from([1, 30, 90])}),
            st.fixed_dictionaries(
                {"kind": st.just("calendar"), "period": st.sampled_from(["month", "quarter", "year"])}
            ),
            st.just({"kind": "lifetime"}),
        )
    )
    metrics = draw(
        st.sampled_from([["spend"], ["visits"], ["points"], ["spend", "visits"], ["points", "visits"]])
    )
    points_currency = draw(st.sampled_from(sorted(scales)))
    exponent = EXPONENTS.get(money, 2)

    def thresholds(step: int, part: int) -> list[dict[str, str]]:
        sizes = {
            "spend": decimal(6_000 * step * part // 100, exponent),
            "points": decimal(
                40 * step * part // 100 * 10 ** scales[points_currency], scales[points_currency]
            ),
            "visits": str(2 * step * part // 100),
        }
        return [{"metric": metric, "at_least": sizes[metric]} for metric in metrics]

    how = draw(st.sampled_from(["all", "any"]))
    tiers: list[dict[str, Any]] = [named("base")]
    for step, key in enumerate(("silver", "gold", "black")[: draw(st.integers(1, 3))], start=1):
        tier = named(key, qualify={how: thresholds(step, 100)})
        if chance(draw, 30):
            tier["keep"] = {how: thresholds(step, 50)}
        tiers.append(tier)
    return {
        "tiers": tiers,
        "window": window,
        "counts": draw(st.sampled_from([["sale"], ["sale", "visit"]])),
        "spend_base": draw(bases(False)),
        "points_currency": points_currency,
        "grace_days": draw(st.sampled_from([0, 0, 1, 10])),
        "soft_landing": chance(draw, 30) and window["kind"] != "lifetime",
    }


@st.composite
def bases(draw: Draw, by_line: bool) -> dict[str, str]:
    if by_line or chance(draw, 50):
        return {}  # how tax and discounts fall on single lines is not settled by the meaning of the words
    return {
        "tax": draw(st.sampled_from(["in", "out"])),
        "shipping": draw(st.sampled_from(["in", "out"])),
        "discounts": draw(st.sampled_from(["deducted", "ignored"])),
        "gift_cards": draw(st.sampled_from(["in", "out"])),
        "points_part": draw(st.sampled_from(["in", "out"])),
    }


@st.composite
def conditions(draw: Draw, on: str, money: str, tiers: list[str]) -> dict[str, Any]:
    exponent = EXPONENTS.get(money, 2)
    choices: list[st.SearchStrategy[dict[str, Any]]] = [
        st.just({"field": "channel", "is": "shop"}),
        st.just({"field": "channel", "not_in": ["web"]}),
        st.just({"field": "weekday", "in": ["saturday", "sunday"]}),
        st.just({"field": "time", "from": "02:00", "until": "03:00"}),
        st.just({"field": "time", "from": "22:00", "until": "02:30"}),
        st.just({"field": "date", "from": "2026-02-28", "until": "2027-01-31"}),
        st.just({"field": "date", "at_most": "2026-12-31"}),
        st.builds(
            lambda per, n: {"field": "nth", "per": per, **n},
            st.sampled_from(["day", "week", "month", "year", "lifetime"]),
            st.sampled_from([{"is": 1}, {"every": 2}, {"at_least": 2}, {"at_most": 3}]),
        ),
    ]
    if tiers:
        choices.append(st.sampled_from(tiers).map(lambda key: {"field": "tier", "is": key}))
    if on == "sale":
        amounts = st.sampled_from([100, 1000, 2500]).map(lambda value: decimal(value, exponent))
        choices += [
            amounts.map(lambda value: {"field": "amount", "at_least": value}),
            amounts.map(lambda value: {"field": "amount", "above": value}),
            st.just({"field": "category", "is": "wine"}),
            st.just({"field": "tender", "is_not": "points"}),
            st.just({"field": "quantity", "at_least": 3}),
        ]
    if on == "review":
        choices += [st.just({"field": "stars", "at_least": 4}), st.just({"field": "photo", "is": True})]
    one = st.one_of(choices)
    shape = draw(st.integers(0, 9))
    if shape < 6:
        return dict(draw(one))
    if shape == 6:
        return {"not": draw(one)}
    # Of one field, two comparisons may leave nothing: a document that says so is refused.
    two = st.tuples(one, one).filter(lambda drawn: drawn[0]["field"] != drawn[1]["field"])
    return {"all" if shape < 9 else "any": list(draw(two))}


@st.composite
def rules_of(
    draw: Draw,
    key: str,
    currencies: list[dict[str, Any]],
    tiers: list[str],
    money: str,
    before: list[dict[str, Any]],
    grouped: bool,
    best: bool,
    contested: bool,
) -> dict[str, Any]:
    chosen = draw(st.sampled_from(currencies))
    scale = chosen["scale"]
    effects = ["per_spend", "per_spend", "per_spend", "per_unit", "fixed"]
    multiplied = any(
        rule["currency"] == chosen["key"] and ("per_spend" in rule or "per_unit" in rule) for rule in before
    )
    if multiplied and (contested or not best):
        effects += ["multiply", "multiply"]
    effect = draw(st.sampled_from(effects))
    on = draw(st.sampled_from(["sale", "sale", "visit", "review"])) if effect == "fixed" else "sale"
    rule = named(key, on=on, currency=chosen["key"])
    if effect == "per_spend":
        exponent = EXPONENTS.get(money, 2)
        rule["per_spend"] = {
            "points": draw(st.sampled_from(["1", "0.5", "3", "1.25"])),
            "every": decimal(draw(st.sampled_from([100, 100, 700, 1000])), exponent),
        }
    elif effect == "per_unit":
        rule["per_unit"] = draw(st.sampled_from(["1", "2.5", "10"]))
    elif effect == "fixed":
        rule["fixed"] = decimal(draw(st.sampled_from([1, 5, 25])) * 10**scale, scale)
    else:
        rule["multiply"] = draw(st.sampled_from(["2", "1.5", "3"]))

    if effect in ("per_spend", "per_unit"):
        if chance(draw, 30):
            rule["lines"] = draw(
                st.sampled_from(
                    [
                        {"field": "category", "is": "wine"},
                        {"field": "category", "not_in": ["bread", "book"]},
                        {"field": "kind", "is": "product"},
                        {"not": {"field": "sku", "is": "s1"}},
                    ]
                )
            )
        if tiers and chance(draw, 40):
            rule["tier_multipliers"] = {
                tier: draw(st.sampled_from(["1.5", "2", "1.1"])) for tier in tiers[1:]
            }
        rounding = draw(st.sampled_from(["basket", "basket", "line", "carry"]))
        mode = draw(st.sampled_from(["floor", "floor", "ceiling", "half_up", "half_even"]))
        rule["rounding"] = {"mode": "floor" if rounding == "carry" else mode, "per": rounding}
    if effect == "per_spend":
        rule["base"] = draw(bases(rule["rounding"]["per"] == "line" and not contested))
        if chance(draw, 25):
            rule["tenders"] = draw(st.sampled_from([{"card": "2"}, {"cash": "0.5", "card": "1.5"}]))
    if effect == "multiply":
        rule["rounding"] = {"mode": draw(st.sampled_from(["floor", "half_up", "ceiling"])), "per": "basket"}

    if chance(draw, 40):
        rule["when"] = draw(conditions(on, money, tiers))
    in_group = (
        grouped and chosen is currencies[0] and chance(draw, 60) and (effect != "multiply" or contested)
    )
    if in_group:
        rule["group"] = "together"
    if chance(draw, 30) and (contested or not (in_group and best)):
        rule["caps"] = draw(caps(scale))
    if chance(draw, 10):
        rule["active_from"] = "2026-02-01"
    if chance(draw, 10):
        rule["active_until"] = draw(st.sampled_from(["2026-10-24", "2028-03-01"]))
    if contested and chance(draw, 30):
        grace = chosen["expiry"].get("grace_days", 0)
        expiry = dict(draw(expiries(inactivity=False)))
        rule["expiry"] = expiry if expiry["kind"] == "never" else {**expiry, "grace_days": grace}
    if contested and chance(draw, 30):
        rule["pending"] = draw(pendings())
    return rule


# --- histories --------------------------------------------------------------------------------------

STARTS = (date(2025, 12, 20), date(2027, 12, 1))  # the second has a 29 February
TURNS = {  # nights when clocks change, within 400 days of a start, and other days that matter
    STARTS[0]: [
        date(2026, 3, 29),
        date(2026, 10, 25),
        date(2026, 4, 5),
        date(2026, 10, 4),
        date(2026, 1, 31),
    ],
    STARTS[1]: [
        date(2028, 3, 26),
        date(2028, 10, 29),
        date(2028, 4, 2),
        date(2028, 10, 1),
        date(2028, 2, 29),
    ],
}
CLOCKS = ((0, 0, 0), (1, 45, 0), (2, 15, 0), (2, 30, 0), (3, 0, 0), (9, 0, 0), (18, 30, 0), (23, 59, 59))


@st.composite
def instants(draw: Draw, zone: ZoneInfo, start: date) -> int:
    if chance(draw, 25):
        day = draw(st.sampled_from(TURNS[start]))
    else:
        day = start + timedelta(days=draw(st.integers(0, 400)))
        if chance(draw, 20):
            day = (day.replace(day=28) + timedelta(days=4)).replace(day=1)
            day -= timedelta(days=draw(st.integers(0, 1)))  # first or last of a month
    hour, minute, second = draw(st.sampled_from(CLOCKS))
    at = instant(datetime.combine(day, time(hour, minute, second)), zone)
    if chance(draw, 15):
        at += HOUR  # in autumn, the second of two equal clock times
    if chance(draw, 10):
        at -= 1
    return at


@st.composite
def histories(draw: Draw, program: document.Program, most: int = 25, contested: bool = False) -> list[Fact]:
    """1 to `most` facts of one member, in no particular order of time."""
    zone = ZoneInfo(program.time_zone)
    start = draw(st.sampled_from(STARTS))
    keys = [each.key for each in program.point_currencies]
    scales = {each.key: each.scale for each in program.point_currencies}
    facts: list[Fact] = []
    ids = iter(draw(st.permutations(range(10, 10 + 2 * most + 10))))

    def fact(kind: str, at: int, **content: Any) -> Fact:
        source = "palier" if kind in COMMANDS else draw(st.sampled_from(["till", "web"]))
        made = {"type": kind, "source": source, "id": f"f{next(ids)}", "at": at, **content}
        facts.append(made)
        return made

    def named_as(of: Fact) -> dict[str, str]:
        return {"source": of["source"], "id": of["id"]}

    def some_instant() -> int:
        if facts and chance(draw, 15):
            return int(draw(st.sampled_from([each["at"] for each in facts])))
        return int(draw(instants(zone, start)))

    def points(key: str) -> int:
        return int(draw(st.sampled_from([1, 3, 10, 40])) * 10 ** scales[key])

    size = draw(st.integers(1, most))
    while len(facts) < size:
        sales = [each for each in facts if each["type"] == "sale"]
        shape = draw(st.integers(0, 99))
        if shape < 45 or not sales:
            sale = fact("sale", some_instant(), **draw(sales_of(contested)))
            tender = next((t for t in sale.get("tenders", []) if t["kind"] == "points"), None)
            if tender is not None and len(facts) < size:
                key = draw(st.sampled_from(keys))
                paid = fact("redeem", sale["at"] - draw(st.sampled_from([1, SECOND, DAY])), currency=key)
                paid["points"] = points(key)
                tender["redemption"] = named_as(paid)
        elif shape < 70:
            fact("return", **draw(returns_of(draw(st.sampled_from(sales)), contested)))
        elif shape < 76:
            fact("visit", some_instant())
        elif shape < 81:
            attributes = {"stars": draw(st.integers(1, 5)), "photo": draw(st.booleans())}
            fact("review", some_instant(), attributes=attributes)
        elif shape < 86:
            sale = draw(st.sampled_from(sales))
            later = draw(st.sampled_from([1, DAY, 15 * DAY, 40 * DAY]))
            fact("shipped", sale["at"] + later, sale=named_as(sale))
        elif shape < 92:
            key = draw(st.sampled_from(keys))
            fact("redeem", some_instant(), currency=key, points=points(key))
        elif shape < 94 and program.tiers is not None:
            given = [each for each in facts if each["type"] == "grant_tier"]
            if given and chance(draw, 40):
                last = draw(st.sampled_from(given))
                later = draw(st.sampled_from([1, DAY, 20 * DAY, 100 * DAY]))
                fact("revoke_tier", last["at"] + later, undoes=named_as(last))
            else:
                at = some_instant()
                until = at + draw(st.sampled_from([1, DAY, 30 * DAY, 90 * DAY, 300 * DAY]))
                tier = draw(st.sampled_from([each.key for each in program.tiers.tiers]))
                fact("grant_tier", at, attributes={"tier": tier, "until": until})
        elif shape < 95:
            key = draw(st.sampled_from(keys))
            idle = any(
                each.key == key and isinstance(each.expiry, document.ExpiryInactivity)
                for each in program.point_currencies
            )
            sign = draw(st.sampled_from([1, -1])) if contested or not idle else -1
            fact("adjust", some_instant(), currency=key, points=sign * points(key))
        elif shape < 97 and any(each["type"] in ("redeem", "capture") for each in facts):
            spent = draw(st.sampled_from([each for each in facts if each["type"] in ("redeem", "capture")]))
            later = draw(st.sampled_from([1, HOUR, DAY, 20 * DAY, 60 * DAY, 200 * DAY]))
            back = fact("refund", spent["at"] + later, undoes=spent.get("hold") or named_as(spent))
            held = next((each for each in facts if named_as(each) == back["undoes"]), spent)
            most = spent.get("points", held["points"])
            back["points"] = draw(st.sampled_from([1, max(1, most // 3), max(1, most // 2), most]))
            back["currency"] = held["currency"]
        else:
            key = draw(st.sampled_from(keys))
            hold = fact("hold", some_instant(), currency=key, points=points(key))
            open_for = program.hold_minutes * MINUTE
            end = draw(st.sampled_from(["capture", "capture", "release", "expire"]))
            if end != "expire" and len(facts) < size:
                closing = fact(end, hold["at"] + draw(st.sampled_from([1, open_for // 2, open_for - 1])))
                closing["hold"] = named_as(hold)
                if contested and end == "capture" and chance(draw, 30):
                    closing["points"] = max(1, hold["points"] // 2)
    if chance(draw, 15):
        # Once gone, a member does nothing: what is refused by the platform is no matter of arithmetic.
        gone = max(each["at"] for each in facts) + draw(st.sampled_from([1, HOUR, 15 * DAY, 100 * DAY]))
        fact("left", gone)
    return facts if contested else covered_holds(program, facts)


def covered_holds(program: document.Program, facts: list[Fact]) -> list[Fact]:
    """The facts without holds that the wallet could not cover (what such a hold lacks is a contested matter).

    Dropping a hold leaves more for the others, so one pass in the order of time, again until none is left.
    """
    while True:
        lacking = set()
        for each in facts:
            if each["type"] == "hold":
                held = holding(program, facts, each)
                if held < each["points"]:
                    lacking.add(ref(each))
        if not lacking:
            return facts
        facts = [
            each
            for each in facts
            if ref(each) not in lacking and not ("hold" in each and ref(each["hold"]) in lacking)
        ]


def holding(program: document.Program, facts: list[Fact], hold: Fact) -> int:
    """How much of a hold the lots covered."""
    from tests.model.model import Member, in_order

    member = Member(program)
    for at, each in in_order(facts):
        member.act(at, each)
        if each is hold:
            break
    return sum(part for _, part in member.holds[ref(hold)]["taken"])


@st.composite
def sales_of(draw: Draw, contested: bool) -> Fact:
    """The content of a sale: amounts that agree with each other."""
    amount = draw(st.sampled_from([0, 1, 99, 100, 999, 1000, 2500, 3333, 7001, 20_000]))
    sale: Fact = {"amount": amount}
    if chance(draw, 60):
        sale["channel"] = draw(st.sampled_from(CHANNELS))
    shipping = 0
    if amount >= 999 and chance(draw, 20):
        shipping = draw(st.sampled_from([1, 490]))
        sale["shipping"] = shipping
    if chance(draw, 60):
        count = draw(st.integers(1, 4))
        weights = [draw(st.integers(0, 3)) for _ in range(count)]
        weights[0] += 1
        parts = [(amount - shipping) * weight // sum(weights) for weight in weights]
        parts[0] += amount - shipping - sum(parts)
        sale["lines"] = [
            {
                "category": draw(st.sampled_from(CATEGORIES)),
                "sku": draw(st.sampled_from(["s1", "s2"])),
                "quantity": draw(st.integers(1, 3)),
                "amount": part,
                "kind": "gift_card" if chance(draw, 12) else "product",
            }
            for part in parts
        ]
        if contested and chance(draw, 20):
            sale["lines"].append(
                {"category": "post", "sku": "p", "quantity": 1, "amount": 100, "kind": "shipping"}
            )
        if contested and chance(draw, 20):
            for line in sale["lines"]:
                line["amount"] = line["amount"] * 11 // 10  # before the basket's discount
    if chance(draw, 50):
        kinds = draw(
            st.lists(st.sampled_from(["card", "cash", "points"]), min_size=1, max_size=3, unique=True)
        )
        part = amount // len(kinds)
        sale["tenders"] = [
            {"kind": kind, "amount": part if i else amount - part * (len(kinds) - 1)}
            for i, kind in enumerate(kinds)
        ]
    if chance(draw, 40):
        sale["tax"] = amount // draw(st.sampled_from([6, 11]))
    if chance(draw, 30):
        sale["discount"] = draw(st.sampled_from([1, 250]))
    return sale


@st.composite
def returns_of(draw: Draw, sale: Fact, contested: bool) -> Fact:
    """The content of a return of a sale: by line or amount, at times too much or before the sale."""
    at = sale["at"] + draw(
        st.sampled_from([-40 * DAY, -1, 0, 1, HOUR, DAY, 3 * DAY, 20 * DAY, 60 * DAY, 60 * DAY, 200 * DAY])
    )
    content: Fact = {"at": at, "sale": {"source": sale["source"], "id": sale["id"]}}
    lines = sale.get("lines") or []
    shape = draw(st.integers(0, 99))
    if shape < 15:
        return {**content, "whole": True}
    by_line = lines and shape < 60
    if sale.get("shipping") and lines and not contested:
        return {**content, "whole": True}  # how shipping falls on partly returned lines is contested
    if by_line:
        chosen = draw(st.lists(st.integers(0, len(lines) - 1), min_size=1, max_size=2, unique=True))
        content["lines"] = [{"line": i, "amount": draw(part_of(lines[i]["amount"]))} for i in chosen]
    else:
        content["amount"] = draw(part_of(sale["amount"]))
    return content


def part_of(amount: int) -> st.SearchStrategy[int]:
    parts = [amount, amount // 2, amount // 3, 1, amount * 6 // 5]
    return st.sampled_from(sorted({max(1, part) for part in parts}))


# --- the same history, told otherwise ---------------------------------------------------------------


@st.composite
def cases(draw: Draw, most: int = 25, contested: bool = False) -> tuple[document.Program, list[Fact]]:
    """A program and a history in it."""
    program = draw(programs(contested))
    return program, draw(histories(program, most, contested))


def shuffled(facts: list[Fact]) -> st.SearchStrategy[list[Fact]]:
    """The facts in another order of arrival."""
    return st.permutations(facts)


@st.composite
def batches(draw: Draw, facts: list[Fact], repeated: bool = True) -> list[list[Fact]]:
    """The facts in another order, cut into batches, some of them sent twice."""
    sent = list(draw(st.permutations(facts)))
    if repeated:
        for _ in range(draw(st.integers(0, 3))):
            sent.insert(draw(st.integers(0, len(sent))), draw(st.sampled_from(facts)))
    result: list[list[Fact]] = [[]]
    for each in sent:
        if result[-1] and chance(draw, 40):
            result.append([])
        result[-1].append(each)
    return result


@st.composite
def split_returns(draw: Draw, facts: list[Fact]) -> list[Fact]:
    """The same facts, where returns by amount come in two parts of the same instant."""
    told = []
    for each in facts:
        if each["type"] == "return" and each.get("amount", 0) > 1 and chance(draw, 70):
            first = draw(st.integers(1, each["amount"] - 1))
            one, other = copy.deepcopy(each), copy.deepcopy(each)
            one["amount"], other["amount"] = first, each["amount"] - first
            other["id"] = each["id"] + "b"
            told += [one, other]
        else:
            told.append(each)
    return told
