"""Conditions: what they mean, what is refused, and how they read."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palier.engine import conditions
from palier.engine.conditions import (
    WEEKDAYS,
    check,
    compile_condition,
    compile_line_condition,
    fields,
    near_miss,
)
from palier.engine.facts import Line, Tender
from palier.engine.phrases import explain, explain_miss
from palier.engine.program import Condition
from tests.engine.documents import Context, plain, program

PROGRAM = program(
    {
        **plain(),
        "memberships": [{"key": "club", "name": {"en": "Club card", "fr": "Carte du club"}, "fee": "10"}],
    }
)


def condition(**parts: Any) -> Condition:
    return msgspec.convert(parts, Condition)


def holds(on: str = "sale", parts: dict[str, Any] | None = None, **context: Any) -> bool:
    made = condition(**(parts or {}))
    assert check(made, fields(PROGRAM, on), "when") == []
    answer = compile_condition(made, PROGRAM, on)(Context(**context))
    # near_miss evaluates by itself: it misses nothing exactly where the compiled condition holds.
    assert (near_miss(made, Context(**context), PROGRAM, on) == []) is answer
    return answer


SATURDAY = 5
MEAT, BREAD = Line(category="meat", sku="1", quantity=1, amount=500), Line(category="bread", amount=250)


@pytest.mark.parametrize(
    ("parts", "context", "expected"),
    [
        ({"field": "amount", "at_least": "20.00"}, {"amount": 2000}, True),
        ({"field": "amount", "at_least": "20.00"}, {"amount": 1999}, False),
        ({"field": "amount", "above": 20}, {"amount": 2000}, False),
        ({"field": "amount", "below": "20"}, {"amount": 1999}, True),
        ({"field": "amount", "at_least": "5", "at_most": "6"}, {"amount": 601}, False),
        ({"field": "amount", "in": ["1.5", 2]}, {"amount": 150}, True),
        ({"field": "quantity", "is": 3}, {"quantity": 3}, True),
        ({"field": "lines", "at_least": 2}, {"lines": (MEAT,)}, False),
        ({"field": "lines", "at_least": 2, "at_most": 3}, {"lines": (MEAT, BREAD)}, True),
        ({"field": "category", "is": "bread"}, {"lines": (MEAT, BREAD)}, True),
        ({"field": "category", "is_not": "bread"}, {"lines": (MEAT, BREAD)}, False),
        ({"field": "category", "in": ["fish", "meat"]}, {"lines": (MEAT,)}, True),
        ({"field": "category", "not_in": ["fish", "bread"]}, {"lines": (MEAT,)}, True),
        ({"field": "category", "is": "meat", "is_not": "bread"}, {"lines": (MEAT, BREAD)}, False),
        ({"field": "category", "is": "meat", "in": ["bread"]}, {"lines": (MEAT, BREAD)}, True),
        ({"field": "sku", "is": "1"}, {"lines": (MEAT,)}, True),
        ({"field": "tender", "is": "cash"}, {"tenders": (Tender("card", 1), Tender("cash", 2))}, True),
        ({"field": "tender", "not_in": ["cash"]}, {"tenders": (Tender("card", 1),)}, True),
        ({"field": "segment", "in": ["new", "lost"]}, {"segments": frozenset({"lost"})}, True),
        ({"field": "segment", "is_not": "lost"}, {"segments": frozenset({"lost"})}, False),
        ({"field": "channel", "is": "store"}, {"channel": "store"}, True),
        ({"field": "channel", "is": "store"}, {}, False),
        ({"field": "channel", "is_not": "store"}, {}, True),
        ({"field": "channel", "not_in": ["store"]}, {}, True),
        ({"field": "tier", "at_least": "gold"}, {"tier": 1}, True),
        ({"field": "tier", "is": "green"}, {"tier": 1}, False),
        ({"field": "weekday", "in": ["saturday", "sunday"]}, {"weekday": SATURDAY}, True),
        ({"field": "weekday", "not_in": ["saturday", "sunday"]}, {"weekday": SATURDAY}, False),
        ({"field": "time", "from": "18:00", "until": "20:00"}, {"minute": 18 * 60}, True),
        ({"field": "time", "from": "18:00", "until": "20:00"}, {"minute": 20 * 60}, False),
        ({"field": "time", "from": "22:00", "until": "02:00"}, {"minute": 60}, True),
        ({"field": "time", "from": "22:00", "until": "02:00"}, {"minute": 2 * 60}, False),
        ({"field": "time", "from": "22:00", "until": "24:00"}, {"minute": 1439}, True),
        ({"field": "time", "until": "09:00"}, {"minute": 539}, True),
        (
            {"field": "date", "from": "2026-05-01", "until": "2026-05-31"},
            {"day": date(2026, 5, 31).toordinal()},
            True,
        ),
        ({"field": "date", "above": "2026-05-31"}, {"day": date(2026, 5, 31).toordinal()}, False),
        ({"field": "nth", "is": 1, "per": "month"}, {"nth": {"month": 1}.__getitem__}, True),
        ({"field": "nth", "every": 10, "per": "week"}, {"nth": lambda per: 20}, True),
        ({"field": "nth", "every": 10, "at_least": 11, "per": "week"}, {"nth": lambda per: 10}, False),
        ({"field": "member.age", "at_least": 18}, {"member": {"age": 18}}, True),
        ({"field": "member.age", "at_least": 18}, {}, False),
        ({"field": "member.age", "is_not": 18}, {}, True),
        ({"field": "member.vip", "is": True}, {"member": {"vip": True}}, True),
        ({"field": "member.vip", "is": False}, {}, False),
        ({"field": "member.vip", "is_not": True}, {}, True),
        ({"not": {"field": "member.age", "at_least": 18}}, {}, True),
        ({"not": {"field": "amount", "at_least": 1, "at_most": 2}}, {"amount": 150}, False),
    ],
)
def test_meaning(parts: dict[str, Any], context: dict[str, Any], expected: bool) -> None:
    assert holds("sale", parts, **context) is expected


@pytest.mark.parametrize(
    ("parts", "attributes", "expected"),
    [
        ({"field": "rating", "at_least": 4}, {"rating": 4}, True),
        ({"field": "rating", "at_least": 4}, {}, False),
        ({"field": "score", "at_least": "4.5"}, {"score": 45}, True),
        ({"field": "score", "below": "-1"}, {"score": -11}, True),
        ({"field": "kind_of", "is": "long"}, {"kind_of": "long"}, True),
        ({"field": "written", "until": "2026-01-01"}, {"written": date(2026, 1, 2).toordinal()}, False),
    ],
)
def test_declared_attributes(parts: dict[str, Any], attributes: dict[str, Any], expected: bool) -> None:
    assert holds("review", parts, attributes=attributes) is expected


def test_line_condition_reads_one_line() -> None:
    made = condition(all=[{"field": "category", "in": ["meat"]}, {"field": "amount", "at_least": "5.00"}])
    assert check(made, conditions.line_fields(PROGRAM), "lines") == []
    test = compile_line_condition(made, PROGRAM)
    assert [test(line) for line in (MEAT, BREAD)] == [True, False]
    assert compile_line_condition(None, PROGRAM)(MEAT)


@pytest.mark.parametrize(
    ("parts", "path", "remedy"),
    [
        ({"field": "amont", "is": 1}, "w.field", 'did you mean "amount"?'),
        ({"all": [{"field": "amount", "at_least": "1.005"}]}, "w.all[0].at_least", 'write it like "20.00"'),
        ({"field": "amount", "at_least": "1e3"}, "w.at_least", 'write it like "20.00"'),
        ({"field": "amount", "at_least": "１"}, "w.at_least", 'write it like "20.00"'),
        ({"field": "amount", "at_least": True}, "w.at_least", 'write it like "20.00"'),
        ({"field": "amount", "at_least": 10**30}, "w.at_least", "write a smaller number"),
        ({"field": "amount", "below": 0}, "w", "correct the bounds, or remove one of the comparisons"),
        ({"field": "amount", "at_least": 5, "at_most": 4}, "w", "correct the bounds"),
        ({"field": "amount", "is": 5, "above": 5}, "w", "correct the bounds"),
        (
            {"all": [{"field": "amount", "at_least": 5}, {"field": "amount", "below": 5}]},
            "w.all",
            "correct the bounds",
        ),
        ({"field": "weekday", "is": "saterday"}, "w.is", 'did you mean "saturday"?'),
        ({"field": "weekday", "at_least": "monday"}, "w.at_least", "use one of is, is_not, in, not_in"),
        ({"field": "tier", "is": "golden"}, "w.is", 'did you mean "gold"?'),
        ({"field": "tier", "above": "gold"}, "w", "correct the bounds"),
        ({"field": "channel", "is": 5}, "w.is", 'write "5" in quotes'),
        ({"field": "segment", "in": []}, "w.in", "name at least one value"),
        ({"field": "segment", "in": ["a", "a"]}, "w.in[1]", "remove one"),
        ({"field": "segment", "is": "a", "is_not": "a"}, "w", "correct the bounds"),
        ({"field": "segment", "in": [str(n) for n in range(501)]}, "w.in", "group the values"),
        ({"field": "channel", "is": "x" * 4097}, "w.is", "shorten it"),
        ({"field": "date", "from": "2026-02-30"}, "w.from", 'write it like "2026-05-31"'),
        ({"field": "date", "from": "2026-03-01", "until": "2026-02-01"}, "w", "correct the bounds"),
        ({"field": "time", "from": "25:00"}, "w.from", 'write it like "18:30"'),
        ({"field": "time", "from": "9:00"}, "w.from", 'write it like "18:30"'),
        ({"field": "time", "from": "09:00", "until": "09:00"}, "w.until", "leave both out"),
        ({"field": "nth", "is": 1}, "w", "add per: day, week, month, year or lifetime"),
        ({"field": "nth", "is": 0, "per": "day"}, "w", "correct the bounds"),
        ({"field": "nth", "every": 10, "at_most": 9, "per": "day"}, "w", "correct the bounds"),
        ({"field": "amount", "is": 1, "per": "day"}, "w.per", "leave it out"),
        ({"field": "amount"}, "w", "add one of is"),
        ({"field": "member.vip", "is": "true"}, "w.is", "write true or false, without quotes"),
        ({"field": "member.agge", "is": 1}, "w.field", 'did you mean "member.age"?'),
        ({"field": "zzz", "is": 1}, "w.field", "use one of"),
        ({"field": "rating", "is": 1}, "w.field", "use one of"),
        ({"all": []}, "w.all", "put a comparison in it"),
        ({"any": [{"not": {"field": "amount"}}]}, "w.any[0].not", "add one of"),
        ({"field": "amount", "is": 1, "all": []}, "w", "write each in its own item"),
        ({"all": [{"field": "amount", "is": 1}], "at_least": 2}, "w.at_least", "move it into the list"),
        ({}, "w", "write each in its own item"),
    ],
)
def test_refused(parts: dict[str, Any], path: str, remedy: str) -> None:
    problems = check(condition(**parts), fields(PROGRAM, "sale"), "w")
    assert problems
    assert problems[0].path == path
    assert problems[0].remedy.startswith(remedy)


def test_all_problems_are_listed() -> None:
    made = condition(all=[{"field": "amont", "is": 1}, {"field": "weekday", "is": "x"}, {"field": "amount"}])
    assert [problem.path for problem in check(made, fields(PROGRAM, "sale"), "w")] == [
        "w.all[0].field",
        "w.all[1].is",
        "w.all[2]",
    ]


def test_bounds() -> None:
    leaf = {"field": "amount", "is": 1}
    deep: dict[str, Any] = leaf
    for _ in range(conditions.MAX_DEPTH - 1):
        deep = {"not": deep}
    assert check(condition(**deep), fields(PROGRAM, "sale"), "w") == []
    assert "nested" in check(condition(**{"not": deep}), fields(PROGRAM, "sale"), "w")[0].message
    wide = [{"field": "amount", "is_not": number} for number in range(conditions.MAX_NODES)]
    assert "more than 200" in check(condition(all=wide), fields(PROGRAM, "sale"), "w")[0].message
    assert check(condition(all=wide[:-1]), fields(PROGRAM, "sale"), "w") == []
    assert compile_condition(condition(**deep), PROGRAM, "sale")(Context(amount=100)) is False


def test_texts_never_become_code() -> None:
    hostile = '"); __import__("os").abort() #'
    assert holds("sale", {"field": "channel", "is": hostile}, channel=hostile)
    assert not holds("sale", {"field": "channel", "in": [hostile, "\\", "'"]}, channel="store")


def test_what_a_condition_reads() -> None:
    made = condition(
        any=[{"not": {"field": "nth", "is": 1, "per": "month"}}, {"field": "member.age", "is": 1}]
    )
    assert conditions.uses(made) == {"nth", "member.age"}
    assert conditions.counting_windows(made) == {"month"}
    assert conditions.uses(None) == set()


WEEKEND = condition(
    all=[
        {"field": "weekday", "in": ["saturday", "sunday"]},
        {"field": "amount", "at_least": "20.00"},
        {"field": "channel", "is": "store"},
    ]
)


def test_phrases() -> None:
    assert explain(WEEKEND, PROGRAM, "en") == "on Saturday or Sunday, for at least €20.00, in store"
    assert (
        explain(WEEKEND, PROGRAM, "fr") == "le samedi ou le dimanche, pour au moins 20,00\u00a0€, en magasin"
    )
    assert explain(None, PROGRAM, "en") == ""


@pytest.mark.parametrize(
    ("parts", "english", "french"),
    [
        ({"field": "tier", "at_least": "gold"}, "for Gold members and above", "pour les membres Or et plus"),
        (
            {"field": "nth", "is": 1, "per": "month"},
            "for the first time of the month",
            "pour la 1re fois du mois",
        ),
        ({"field": "nth", "every": 3, "per": "lifetime"}, "every 3rd time", "toutes les 3 fois"),
        (
            {"field": "nth", "below": 4, "per": "day"},
            "the first 3 times of the day",
            "les 3 premières fois de la journée",
        ),
        ({"field": "time", "from": "18:00", "until": "20:00"}, "from 18:00 to 20:00", "de 18 h à 20 h"),
        (
            {"field": "date", "from": "2026-01-01", "until": "2026-01-31"},
            "from 1 January 2026 to 31 January 2026",
            "du 1er janvier 2026 au 31 janvier 2026",
        ),
        ({"not": {"field": "channel", "is": "web"}}, "except (online)", "sauf (en ligne)"),
        (
            {"any": [{"all": [{"field": "quantity", "above": 2}, {"field": "lines", "is": 1}]}]},
            "(with more than 2 items, with exactly 1 lines)",
            "(avec plus de 2 articles, avec exactement 1 lignes)",
        ),
        (
            {"field": "day_of_month", "in": [1, 15]},
            "on the 1st or 15th of the month",
            "le 1er ou le 15 du mois",
        ),
        (
            {"field": "day_of_month", "above": 24},
            "after the 24th of the month",
            "après le 24 du mois",
        ),
        (
            {"field": "count", "of": "sale", "per": "month", "at_least": 5},
            "with at least 5 purchases in the month",
            "avec au moins 5 achats dans le mois",
        ),
        (
            {"field": "count", "of": "review", "per": "lifetime", "is": 1},
            "with exactly 1 × “Review”",
            "avec exactement 1 × « Review »",
        ),
        (
            {"field": "membership", "is": "club"},
            "with membership Club card",
            "avec l'adhésion Carte du club",
        ),
        (
            {"field": "member.vip", "is": True},
            "where the member's vip is yes",
            "où l'attribut vip du membre est oui",
        ),
    ],
)
def test_phrase_of(parts: dict[str, Any], english: str, french: str) -> None:
    made = condition(**parts)
    assert (explain(made, PROGRAM, "en"), explain(made, PROGRAM, "fr")) == (english, french)


def test_near_miss_names_the_fewest_changes() -> None:
    context = Context(weekday=1, amount=1950, channel="store", tier=0)
    missed = near_miss(WEEKEND, context, PROGRAM, "sale")
    assert [(miss.field, miss.op, miss.wanted, miss.found) for miss in missed] == [
        ("weekday", "in", ("saturday", "sunday"), "tuesday"),
        ("amount", "at_least", "20.00", "19.50"),
    ]
    assert explain_miss(missed[1], PROGRAM, "en") == "amount: €19.50, needed at least €20.00"
    assert (
        explain_miss(missed[1], PROGRAM, "fr") == "montant : 19,50\u00a0€, il fallait au moins 20,00\u00a0€"
    )
    either = condition(any=[msgspec.to_builtins(WEEKEND), {"field": "tier", "is": "gold"}])
    assert [miss.field for miss in near_miss(either, context, PROGRAM, "sale")] == ["tier"]
    refused = condition(**{"not": {"field": "channel", "is": "store"}})
    assert [miss.op for miss in near_miss(refused, context, PROGRAM, "sale")] == ["not_is"]


# --- the compiled condition against an independent reading of the document --------------------------------


def leaves() -> st.SearchStrategy[dict[str, Any]]:
    order = st.sampled_from(["at_least", "at_most", "above", "below"])
    return st.one_of(
        st.builds(lambda op, n: {"field": "amount", op: f"{n}.00"}, order, st.integers(0, 3)),
        st.builds(lambda op, n: {"field": "member.age", op: n}, order, st.integers(-1, 3)),
        st.builds(
            lambda op, values: {"field": "category", op: values},
            st.sampled_from(["in", "not_in"]),
            st.lists(st.sampled_from("abc"), min_size=1, unique=True),
        ),
        st.builds(
            lambda op, value: {"field": "channel", op: value},
            st.sampled_from(["is", "is_not"]),
            st.sampled_from("ab"),
        ),
        st.builds(lambda n: {"field": "nth", "every": n, "per": "day"}, st.integers(1, 3)),
    )


TREES = st.recursive(
    leaves(),
    lambda inner: st.one_of(
        st.builds(lambda items: {"all": items}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda items: {"any": items}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda item: {"not": item}, inner),
    ),
    max_leaves=8,
)


def read(parts: dict[str, Any], context: Context) -> bool:
    """The meaning of a condition, written as plainly as possible."""
    if "all" in parts:
        return all(read(part, context) for part in parts["all"])
    if "any" in parts:
        return any(read(part, context) for part in parts["any"])
    if "not" in parts:
        return not read(parts["not"], context)
    ((operator, wanted),) = [(k, v) for k, v in parts.items() if k not in ("field", "per")]
    match parts["field"]:
        case "category":
            touched = bool({line.category for line in context.lines} & set(wanted))
            return touched if operator == "in" else not touched
        case "channel":
            return (context.channel == wanted) == (operator == "is")
        case "nth":
            return context.nth("day") % wanted == 0
        case "amount":
            value: Any = context.amount
            wanted = int(wanted.split(".")[0]) * 100
        case _:
            value = context.member.get("age")
    if value is None:
        return False
    low, high = {"at_least": (wanted, None), "above": (wanted + 1, None)}.get(
        operator, (None, wanted - (operator == "below"))
    )
    return (low is None or value >= low) and (high is None or value <= high)


@given(
    TREES,
    st.integers(0, 400),
    st.none() | st.integers(-1, 3),
    st.lists(st.sampled_from("abcd"), max_size=3),
    st.sampled_from([None, "a", "b"]),
    st.integers(1, 6),
)
def test_compiled_means_what_is_written(
    parts: dict[str, Any], amount: int, age: int | None, categories: list[str], channel: str | None, nth: int
) -> None:
    context = Context(
        amount=amount,
        member={} if age is None else {"age": age},
        lines=tuple(Line(category=category) for category in categories),
        channel=channel,
        nth=lambda per: nth,
    )
    made = condition(**parts)
    expected = read(parts, context)
    assert compile_condition(made, PROGRAM, "sale")(context) is expected
    assert (near_miss(made, context, PROGRAM, "sale") == []) is expected
    for language in ("en", "fr"):
        assert explain(made, PROGRAM, language)


@given(TREES, st.integers(0, 400))
def test_a_condition_called_impossible_never_holds(parts: dict[str, Any], amount: int) -> None:
    """check may miss an impossible condition, and never calls a possible comparison one."""
    made = condition(**parts)
    problems = check(made, fields(PROGRAM, "sale"), "w")
    if problems and (made.field is not None or problems[-1].path == "w.all"):
        assert not compile_condition(made, PROGRAM, "sale")(Context(amount=amount))


MORNING = {"field": "time", "from": "08:00", "until": "10:00"}
ABOVE_50 = {"field": "amount", "above": "50"}


@pytest.mark.parametrize(
    ("parts", "path"),
    [
        ({"not": {"any": [ABOVE_50, {"field": "amount", "at_most": "50"}]}}, "w.not"),
        ({"not": {"field": "amount", "at_least": "0"}}, "w.not"),
        ({"not": {"field": "weekday", "in": list(WEEKDAYS)}}, "w.not"),
        ({"all": [ABOVE_50, {"not": {"field": "amount", "above": "40"}}]}, "w.all"),
        ({"all": [ABOVE_50, {"all": [{"field": "amount", "below": "20"}]}]}, "w.all"),
        ({"all": [MORNING, {"field": "time", "from": "10:00", "until": "07:00"}]}, "w.all"),
        ({"all": [MORNING, {"field": "time", "from": "22:00", "until": "09:00"}]}, None),
        # Of a value that may be missing, both can be untrue at once.
        (
            {"not": {"any": [{"field": "member.age", "above": 5}, {"field": "member.age", "at_most": 5}]}},
            None,
        ),
        ({"not": {"all": [ABOVE_50, {"field": "weekday", "is": "monday"}]}}, None),
    ],
)
def test_what_can_never_hold_is_found_through_its_parts(parts: dict[str, Any], path: str | None) -> None:
    problems = check(condition(**parts), fields(PROGRAM, "sale"), "w")
    assert [problem.path for problem in problems] == ([path] if path else [])
