"""Conditions: type-checked against a program, and compiled to fast functions. `phrases` reads them out.

A condition is data (see `program.Condition`). One comparison may carry several operators: all must hold.
A comparison of a value that is missing is false; `is_not` and `not_in` of a missing value are true.
A list-valued field (category, sku, tender, segment) matches when ANY of its values does; `is_not` and
`not_in` of it mean that NONE of its values is one of those named.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Final, Literal, Protocol

from msgspec import Struct

from palier.engine.amounts import MAXIMUM_MINOR, AmountError, from_minor, to_minor
from palier.engine.currencies import exponent
from palier.engine.facts import FEE, RETURN, SALE
from palier.engine.program import Attribute, Condition, Program
from palier.engine.sentences import Advised, Sentence, all_of, sentence

MAX_NODES: Final = 200
MAX_DEPTH: Final = 20
MAX_LIST: Final = 500
MAX_TEXT: Final = 4096

COUNTING: Final = ("day", "week", "month", "year", "lifetime")
"""The windows in which `nth` counts, in the order of their numbers."""
WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

COMMON_FIELDS: Final = frozenset(
    {
        "channel",
        "location",
        "partner",
        "tier",
        "segment",
        "membership",
        "weekday",
        "day_of_month",
        "time",
        "date",
        "nth",
        "count",
    }
)
"""Fields that activities of every type have; no declared attribute may take one of these names."""

Kind = Literal[
    "money", "integer", "decimal", "text", "tier", "weekday", "time", "date", "boolean", "nth", "count"
]
Place = Literal["context", "member", "attribute"]
Value = str | int | bool


class Problem(Struct, Advised, frozen=True):
    """Something wrong in a document: where, what, and what to do about it."""

    path: str
    said: Sentence
    advice: Sentence
    code: str = "condition"
    severity: Literal["error", "warning"] = "error"


class FieldType(Struct, frozen=True):
    """What a field of a condition holds.

    `decimals` is the scale of money and decimal fields, `choices` the only values there are (in ladder
    order for a tier), `many` whether the field holds several values, `least` its lowest possible value.
    """

    name: str
    kind: Kind
    place: Place = "context"
    decimals: int = 0
    choices: tuple[str, ...] | None = None
    many: bool = False
    least: int | None = None


class Line(Protocol):
    """What a condition reads of one line of a sale; `amount` in minor units."""

    @property
    def category(self) -> str | None: ...
    @property
    def sku(self) -> str | None: ...
    @property
    def amount(self) -> int: ...
    @property
    def quantity(self) -> int: ...
    @property
    def kind(self) -> str: ...


class Tender(Protocol):
    """What a condition reads of one tender of a sale."""

    @property
    def kind(self) -> str: ...


class Context(Protocol):
    """What a condition reads of an activity and its member.

    `tier` is the index in the ladder, `weekday` 0 for Monday, `minute` of the local day, `day` the ordinal
    of the local date. Attributes are already typed: an integer for integer, decimal (minor units of its
    decimals) and date (ordinal), else a boolean or a text.
    """

    @property
    def amount(self) -> int: ...
    @property
    def quantity(self) -> int: ...
    @property
    def lines(self) -> Sequence[Line]: ...
    @property
    def channel(self) -> str | None: ...
    @property
    def location(self) -> str | None: ...
    @property
    def partner(self) -> str | None: ...
    @property
    def tenders(self) -> Sequence[Tender]: ...
    @property
    def tier(self) -> int: ...
    @property
    def segments(self) -> frozenset[str]: ...
    @property
    def weekday(self) -> int: ...
    @property
    def minute(self) -> int: ...
    @property
    def day(self) -> int: ...
    @property
    def nth(self) -> Callable[[str], int]: ...
    @property
    def memberships(self) -> frozenset[str]: ...
    @property
    def member(self) -> Mapping[str, Value]: ...
    @property
    def attributes(self) -> Mapping[str, Value]: ...


class Miss(Struct, frozen=True):
    """A comparison that failed, in the words of the document: what was wanted, and what was found.

    `found` is None where the value was missing. `op` is an operator, "between" (a pair of from and until),
    or one of these behind "not_" where the comparison held under a negation.
    """

    field: str
    op: str
    wanted: Value | tuple[Value, ...]
    found: Value | tuple[Value, ...] | None


# --- the fields ---------------------------------------------------------------------------------------


def _attribute_field(name: str, attribute: Attribute, place: Place) -> FieldType:
    choices = tuple(attribute.choices) if attribute.choices is not None else None
    decimals = attribute.decimals if attribute.type == "decimal" else 0
    return FieldType(name, attribute.type, place, decimals, choices)


def fields(program: Program, activity_type_key: str) -> dict[str, FieldType]:
    """The fields that a condition on activities of this type may use, by name."""
    found = {
        field.name: field
        for field in (
            FieldType("channel", "text"),
            FieldType("location", "text"),
            FieldType("partner", "text"),
            FieldType("segment", "text", many=True),
            FieldType("weekday", "weekday", choices=WEEKDAYS),
            FieldType("time", "time"),
            FieldType("date", "date", least=1),
            FieldType("nth", "nth", least=1),
            FieldType("day_of_month", "integer", least=1),
            FieldType("count", "count", least=0),
        )
    }
    if program.memberships:
        held = tuple(membership.key for membership in program.memberships)
        found["membership"] = FieldType("membership", "text", choices=held, many=True)
    if program.tiers is not None:
        ladder = tuple(tier.key for tier in program.tiers.tiers)
        found["tier"] = FieldType("tier", "tier", choices=ladder, least=0)
    if activity_type_key in (SALE, RETURN):
        for field in (
            FieldType("amount", "money", decimals=exponent(program.currency), least=0),
            FieldType("quantity", "integer", least=0),
            FieldType("lines", "integer", least=0),
            FieldType("category", "text", many=True),
            FieldType("sku", "text", many=True),
            FieldType("tender", "text", many=True),
        ):
            found[field.name] = field
    elif carries_money(program, activity_type_key):
        found["amount"] = FieldType("amount", "money", decimals=exponent(program.currency), least=0)
        found["tender"] = FieldType("tender", "text", many=True)
    for name, attribute in program.member_attributes.items():
        found[f"member.{name}"] = _attribute_field(f"member.{name}", attribute, "member")
    for activity_type in program.activity_types:
        if activity_type.key == activity_type_key:
            for name, attribute in activity_type.attributes.items():
                found.setdefault(name, _attribute_field(name, attribute, "attribute"))
    return found


def carries_money(program: Program, activity_type_key: str) -> bool:
    """Whether activities of a type have an amount: sales, fees, and declared types that say so."""
    if activity_type_key in (SALE, FEE):
        return True
    return any(kind.money for kind in program.activity_types if kind.key == activity_type_key)


def line_fields(program: Program) -> dict[str, FieldType]:
    """The fields that a rule's `lines` condition may use, by name."""
    return {
        "category": FieldType("category", "text"),
        "sku": FieldType("sku", "text"),
        "amount": FieldType("amount", "money", decimals=exponent(program.currency), least=0),
        "quantity": FieldType("quantity", "integer", least=0),
        "kind": FieldType("kind", "text"),
    }


# --- operators and their values -----------------------------------------------------------------------

_EQUALITY: Final = ("is", "is_not", "in", "not_in")
_ORDER: Final = ("at_least", "at_most", "above", "below")
_OPERATORS: Final[dict[str, tuple[str, ...]]] = {
    "money": _EQUALITY + _ORDER,
    "integer": _EQUALITY + _ORDER,
    "decimal": _EQUALITY + _ORDER,
    "text": _EQUALITY,
    "tier": _EQUALITY + _ORDER,
    "weekday": _EQUALITY,
    "time": ("from", "until"),
    "date": (*_EQUALITY, *_ORDER, "from", "until"),
    "boolean": ("is", "is_not"),
    "nth": ("is", "in", *_ORDER, "every"),
    "count": ("is", "in", *_ORDER),
}
_TIME: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])|24:00", re.ASCII)
DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


def operators_for(field: FieldType) -> tuple[str, ...]:
    """The operators by which a field can be compared."""
    return _OPERATORS[field.kind]


def operators_of(condition: Condition) -> Iterator[tuple[str, Value | list[Value]]]:
    """The operators of one comparison with their values as written, in a fixed order."""
    for name, value in (
        ("is", condition.is_),
        ("is_not", condition.is_not),
        ("in", condition.in_),
        ("not_in", condition.not_in),
        ("at_least", condition.at_least),
        ("at_most", condition.at_most),
        ("above", condition.above),
        ("below", condition.below),
        ("from", condition.from_),
        ("until", condition.until),
        ("every", condition.every),
    ):
        if value is not None:
            yield name, value


class _Wrong(ValueError):
    """A value that its field cannot take; carries the remedy."""

    def __init__(self, said: Sentence, advice: Sentence) -> None:
        super().__init__(said)
        self.said = said
        self.advice = advice


def nearest(word: str, words: Iterable[str]) -> str | None:
    """The word most like `word`, where one is alike enough to suggest."""
    close = difflib.get_close_matches(word.lower()[:64], list(words)[:1000], n=1, cutoff=0.6)
    return close[0] if close else None


def _suggestion(word: str, words: Sequence[str], what: str | Sentence) -> Sentence:
    close = nearest(word, words)
    if close is not None:
        return sentence('did you mean "%(close)s"?', close=close)
    return (
        sentence("use one of %(names)s", names=", ".join(words[:40]))
        if words
        else sentence("declare %(what)s first", what=what)
    )


def _number(value: Value, field: FieldType) -> int:
    """An amount or count as its integer of minor units; refuses text that is no plain decimal."""
    example = "20.00" if field.decimals else "20"
    if isinstance(value, bool):
        raise _Wrong(
            sentence("%(name)s takes a number, not %(value)s", name=field.name, value=str(value).lower()),
            sentence('write it like "%(example)s"', example=example),
        )
    if isinstance(value, int) and abs(value) > MAXIMUM_MINOR:  # before str(), which is slow on huge integers
        raise _Wrong(
            sentence(
                "%(name)s takes at most %(maximum_minor)s", name=field.name, maximum_minor=MAXIMUM_MINOR
            ),
            sentence("write a smaller number"),
        )
    text = str(value)
    try:
        number = to_minor(text.removeprefix("-"), field.decimals)
    except AmountError:
        decimals = sentence("a plain decimal with at most %(decimals)s decimals", decimals=field.decimals)
        rule = decimals if field.decimals else sentence("a whole number")
        raise _Wrong(
            sentence('%(name)s takes %(rule)s, not "%(given)s"', name=field.name, rule=rule, given=text[:40]),
            sentence('write it like "%(example)s"', example=example),
        ) from None
    return -number if text.startswith("-") else number


def day_ordinal(text: str) -> int:
    """The ordinal of a date written YYYY-MM-DD. Raises ValueError for anything else."""
    if not DATE.fullmatch(text):
        raise ValueError(text)
    return date.fromisoformat(text).toordinal()


def _literal(value: Value, field: FieldType) -> Value:
    """A value as written, as the form that is compared at run time. Raises _Wrong."""
    kind = field.kind
    if kind in ("money", "integer", "decimal", "nth", "count"):
        return _number(value, field)
    if kind == "boolean":
        if not isinstance(value, bool):
            raise _Wrong(
                sentence('%(name)s is true or false, not "%(value)s"', name=field.name, value=value),
                sentence("write true or false, without quotes"),
            )
        return value
    if not isinstance(value, str):
        raise _Wrong(
            sentence("%(name)s takes a text, not %(value)s", name=field.name, value=str(value).lower()),
            sentence('write "%(value)s" in quotes', value=value),
        )
    if kind == "time":
        if not _TIME.fullmatch(value):
            raise _Wrong(
                sentence('"%(value)s" is no time of day', value=value[:40]), sentence('write it like "18:30"')
            )
        return int(value[:2]) * 60 + int(value[3:])
    if kind == "date":
        try:
            return day_ordinal(value)
        except ValueError:
            raise _Wrong(
                sentence('"%(value)s" is no date', value=value[:40]), sentence('write it like "2026-05-31"')
            ) from None
    if field.choices is not None and value not in field.choices:
        message = sentence('%(name)s has no value "%(value)s"', name=field.name, value=value[:40])
        raise _Wrong(message, _suggestion(value, field.choices, field.name))
    if kind in ("tier", "weekday") and field.choices is not None:
        return field.choices.index(value)
    if len(value) > MAX_TEXT:
        raise _Wrong(
            sentence("the text is longer than %(max_text)s characters", max_text=MAX_TEXT),
            sentence("shorten it"),
        )
    return value


def _shown(value: Value | None, field: FieldType) -> Value | None:
    """A run-time value in the words of the document: the opposite of `_literal`."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if field.kind in ("money", "decimal"):
        return from_minor(value, field.decimals)
    if field.kind in ("tier", "weekday") and field.choices is not None:
        return field.choices[value] if 0 <= value < len(field.choices) else value
    if field.kind == "time":
        return f"{value // 60:02d}:{value % 60:02d}"
    if field.kind == "date":
        return date.fromordinal(value).isoformat() if value > 0 else value
    return value


def uses(condition: Condition | None) -> set[str]:
    """The names of the fields that the condition reads."""
    return {node.field for node in leaves(condition) if node.field is not None}


def counting_windows(condition: Condition | None) -> set[str]:
    """The windows (`per`) in which the condition counts activities with `nth`."""
    return {node.per for node in leaves(condition) if node.field == "nth" and node.per is not None}


def counted_activities(condition: Condition | None) -> set[tuple[str, str]]:
    """The (activity type, window) pairs that the condition counts with `count`."""
    return {
        (node.of, node.per)
        for node in leaves(condition)
        if node.field == "count" and node.per is not None and node.of is not None
    }


def leaves(condition: Condition | None) -> Iterator[Condition]:
    """The comparisons of a condition, in its order."""
    if condition is None:
        return
    for child in (*(condition.all or ()), *(condition.any or ())):
        yield from leaves(child)
    yield from leaves(condition.not_)
    if condition.field is not None:
        yield condition


# --- checking -----------------------------------------------------------------------------------------


def check(condition: Condition, known: Mapping[str, FieldType], path: str) -> list[Problem]:
    """Everything wrong with the condition, each with its exact path, such as rules[2].when.all[0].at_least.

    Refuses unknown fields (suggesting the nearest), operators that a field has not, values of another type,
    what can never hold, and conditions beyond the bounds (nodes, depth, list and text sizes).
    """
    problems: list[Problem] = []
    count = _measure(condition, path, 1, problems)
    if count > MAX_NODES:
        message = sentence("the condition has more than %(max_nodes)s parts", max_nodes=MAX_NODES)
        problems.append(Problem(path, message, sentence("use `in` with a list in place of many comparisons")))
    if problems:
        return problems
    _check_node(condition, known, path, problems)
    return problems


def _measure(condition: Condition, path: str, depth: int, problems: list[Problem]) -> int:
    """Nodes of the condition, counted no further than the bounds; too deep a part is a problem."""
    if depth > MAX_DEPTH:
        message = sentence("conditions are nested more than %(max_depth)s deep", max_depth=MAX_DEPTH)
        problems.append(
            Problem(path, message, sentence("flatten it: put comparisons side by side in one `all`"))
        )
        return 1
    count = 1
    for child in (
        *(condition.all or ()),
        *(condition.any or ()),
        *([condition.not_] if condition.not_ else ()),
    ):
        count += _measure(child, path, depth + 1, problems)
        if count > MAX_NODES or problems:
            break
    return count


def _check_node(
    condition: Condition, known: Mapping[str, FieldType], path: str, problems: list[Problem]
) -> None:
    present = [
        name
        for name, value in (
            ("all", condition.all),
            ("any", condition.any),
            ("not", condition.not_),
            ("field", condition.field),
        )
        if value is not None
    ]
    operators = dict(operators_of(condition))
    if len(present) != 1:
        message = (
            sentence("a condition needs one of all, any, not or field")
            if not present
            else sentence("a condition cannot have %(names)s together", names=all_of(present))
        )
        problems.append(
            Problem(path, message, sentence("write each in its own item of an `all` or `any` list"))
        )
        return
    if condition.field is not None:
        _check_comparison(condition, operators, known, path, problems)
        return
    stray = [*operators, *(["per"] if condition.per is not None else [])]
    for name in stray:
        message = sentence("%(name)s needs a field beside it", name=name)
        problems.append(
            Problem(
                f"{path}.{name}",
                message,
                sentence("move it into the list of `%(present)s`", present=present[0]),
            )
        )
    before = len(problems)
    children = condition.all if condition.all is not None else condition.any
    if children is not None:
        if not children:
            message = sentence("`%(present)s` is empty", present=present[0])
            problems.append(
                Problem(f"{path}.{present[0]}", message, sentence("put a comparison in it, or leave it out"))
            )
        for index, child in enumerate(children):
            _check_node(child, known, f"{path}.{present[0]}[{index}]", problems)
    elif condition.not_ is not None:
        _check_node(condition.not_, known, f"{path}.not", problems)
    if condition.any is None and len(problems) == before:
        _check_together(condition, known, f"{path}.{present[0]}", problems)


def _check_comparison(
    condition: Condition,
    operators: dict[str, Value | list[Value]],
    known: Mapping[str, FieldType],
    path: str,
    problems: list[Problem],
) -> None:
    before = len(problems)
    name = condition.field or ""
    field = known.get(name)
    if field is None:
        message = sentence('there is no field "%(name)s" here', name=name[:60])
        problems.append(
            Problem(f"{path}.field", message, _suggestion(name, sorted(known), sentence("the attribute")))
        )
        return
    if not operators:
        allowed = ", ".join(_OPERATORS[field.kind])
        problems.append(
            Problem(
                path,
                sentence("%(name)s is compared with nothing", name=name),
                sentence("add one of %(allowed)s", allowed=allowed),
            )
        )
    if field.kind == "nth" and condition.per is None:
        remedy = sentence("add per: day, week, month, year or lifetime")
        problems.append(Problem(path, sentence("nth needs the window in which it counts"), remedy))
    if field.kind == "count" and (condition.per is None or condition.of is None):
        remedy = sentence("add of: an activity type, and per: day, week, month, year or lifetime")
        problems.append(Problem(path, sentence("count needs what it counts, and in which window"), remedy))
    if field.kind not in ("nth", "count") and condition.per is not None:
        problems.append(
            Problem(
                f"{path}.per",
                sentence("per goes with nth and count, not with %(name)s", name=name),
                sentence("leave it out"),
            )
        )
    if field.kind != "count" and condition.of is not None:
        problems.append(
            Problem(
                f"{path}.of",
                sentence("of goes with count, not with %(name)s", name=name),
                sentence("leave it out"),
            )
        )
    wrong = False
    for operator, value in operators.items():
        where = f"{path}.{operator}"
        if operator not in _OPERATORS[field.kind]:
            remedy = sentence("use one of %(names)s", names=", ".join(_OPERATORS[field.kind]))
            problems.append(
                Problem(
                    where,
                    sentence("%(name)s cannot be compared by %(operator)s", name=name, operator=operator),
                    remedy,
                )
            )
            wrong = True
            continue
        if isinstance(value, list):
            if not value:
                problems.append(
                    Problem(
                        where,
                        sentence("%(operator)s is empty", operator=operator),
                        sentence("name at least one value"),
                    )
                )
                wrong = True
            if len(value) > MAX_LIST:
                message = sentence(
                    "%(operator)s has more than %(max_list)s values", operator=operator, max_list=MAX_LIST
                )
                problems.append(Problem(where, message, sentence("group the values, or split the rule")))
                wrong = True
                continue
            seen: set[Value] = set()
            for index, item in enumerate(value):
                literal = _check_value(item, field, f"{where}[{index}]", problems)
                if literal is None:
                    wrong = True
                elif literal in seen:
                    problems.append(
                        Problem(
                            f"{where}[{index}]",
                            sentence('"%(item)s" is there twice', item=item),
                            sentence("remove one"),
                        )
                    )
                else:
                    seen.add(literal)
        elif operator != "every" and _check_value(value, field, where, problems) is None:
            wrong = True
    if not wrong and len(problems) == before:
        _check_possible([condition], field, path, problems)


def _check_value(value: Value, field: FieldType, path: str, problems: list[Problem]) -> Value | None:
    try:
        return _literal(value, field)
    except _Wrong as wrong:
        problems.append(Problem(path, wrong.said, wrong.advice))
        return None


def _check_together(
    condition: Condition, known: Mapping[str, FieldType], path: str, problems: list[Problem]
) -> None:
    """Comparisons of one single-valued field that must all hold must be possible together."""
    groups: dict[tuple[str, str | None, str | None], list[Condition]] = {}
    for child in _meant(condition, known):
        if child.field is not None and not known[child.field].many:
            groups.setdefault((child.field, child.per, child.of), []).append(child)
    for (name, _, _), members in groups.items():
        _check_possible(members, known[name], path, problems)


_OPPOSITES: Final = {
    "is": "is_not",
    "is_not": "is_",
    "in": "not_in",
    "not_in": "in_",
    "at_least": "below",
    "at_most": "above",
    "above": "at_most",
    "below": "at_least",
    "from": "below",
    "until": "above",
}
"""What holds where a comparison does not, by the names that conditions have here."""
_ALWAYS_THERE: Final = frozenset(("money", "integer", "tier", "weekday", "date", "nth", "count"))


def _meant(
    condition: Condition, known: Mapping[str, FieldType], *, negated: bool = False
) -> Iterator[Condition]:
    """Comparisons that all hold where the condition does (where it does not, if `negated`).

    Of a value that may be missing nothing follows from what it is not, nor of a comparison of two sides.
    """
    parts = condition.any if negated else condition.all
    if condition.not_ is not None:
        yield from _meant(condition.not_, known, negated=not negated)
    elif parts is not None:
        for part in parts:
            yield from _meant(part, known, negated=negated)
    elif condition.field is not None and not negated:
        yield condition
    elif condition.field is not None:
        field, operators = known[condition.field], list(operators_of(condition))
        opposite = _OPPOSITES.get(operators[0][0]) if len(operators) == 1 else None
        if opposite is not None and field.place == "context" and field.kind in _ALWAYS_THERE:
            given: dict[str, Any] = {opposite: operators[0][1]}
            yield Condition(field=condition.field, per=condition.per, of=condition.of, **given)


def _check_possible(
    comparisons: Sequence[Condition], field: FieldType, path: str, problems: list[Problem]
) -> None:
    """Whether any value at all meets the comparisons (of the same single-valued field)."""
    lower: int | None = field.least
    upper: int | None = len(field.choices) - 1 if field.kind == "tier" and field.choices else None
    wanted: set[Value] | None = None
    chosen: list[set[Value]] = []
    refused: set[Value] = set()
    steps: list[int] = []
    for comparison in comparisons:
        if field.kind == "time":
            if comparison.from_ is not None and comparison.from_ == comparison.until:
                message = sentence(
                    "from and until are both %(given)s: no time is between them", given=comparison.from_
                )
                problems.append(
                    Problem(f"{path}.until", message, sentence("leave both out to mean the whole day"))
                )
            if comparison.from_ == "24:00" or (comparison.until == "00:00" and comparison.from_ is None):
                problems.append(
                    Problem(path, sentence("no time of day meets this"), sentence("correct from or until"))
                )
            continue
        for operator, value in operators_of(comparison):
            if operator == "every":
                steps.append(int(comparison.every or 1))
                continue
            values = {_literal(item, field) for item in (value if isinstance(value, list) else [value])}
            if operator in ("is", "in"):
                chosen.append(values)
                wanted = values if wanted is None else wanted & values
            elif operator in ("is_not", "not_in"):
                refused |= values
            else:
                bound = int(next(iter(values)))
                if operator in ("at_least", "from", "above"):
                    bound += operator == "above"
                    lower = bound if lower is None else max(lower, bound)
                else:
                    bound -= operator == "below"
                    upper = bound if upper is None else min(upper, bound)
    if field.kind == "time" and len(comparisons) > 1:
        spans = [span for comparison in comparisons for _, span in _comparisons(comparison, field)]
        impossible = not any(all(_holds("between", span, minute) for span in spans) for minute in range(1440))
    elif field.many:
        # The field may hold several values at once: only what is asked for and refused alike is absurd.
        impossible = any(values <= refused for values in chosen)
    elif wanted is not None:
        impossible = not any(
            item not in refused
            and (isinstance(item, str) or lower is None or item >= lower)
            and (isinstance(item, str) or upper is None or item <= upper)
            and (isinstance(item, str) or all(item % step == 0 for step in steps))
            for item in wanted
        )
    else:
        impossible = lower is not None and upper is not None and lower > upper
        impossible = impossible or (upper is not None and any(step > upper for step in steps))
        impossible = impossible or (field.kind == "boolean" and len(refused) == 2)
        impossible = impossible or (
            field.choices is not None and len(refused) == len(field.choices) and field.place == "context"
        )
    if impossible:
        message = sentence(
            "no value of %(name)s can meet this: the comparisons contradict each other", name=field.name
        )
        problems.append(
            Problem(path, message, sentence("correct the bounds, or remove one of the comparisons"))
        )


# --- compiling ----------------------------------------------------------------------------------------


def _any_category(lines: Sequence[Line], wanted: frozenset[str]) -> bool:
    for line in lines:  # noqa: SIM110 - a plain loop is twice as fast as any() over a generator
        if line.category in wanted:
            return True
    return False


def _any_sku(lines: Sequence[Line], wanted: frozenset[str]) -> bool:
    for line in lines:  # noqa: SIM110 - a plain loop is twice as fast as any() over a generator
        if line.sku in wanted:
            return True
    return False


def _any_tender(tenders: Sequence[Tender], wanted: frozenset[str]) -> bool:
    for tender in tenders:  # noqa: SIM110
        if tender.kind in wanted:
            return True
    return False


def _day_of_month(day: int) -> int:
    return date.fromordinal(day).day


_SINGLE_SOURCES: Final = {
    "day_of_month": "_day_of_month({}day)",
    "amount": "{}amount",
    "quantity": "{}quantity",
    "lines": "len({}lines)",
    "channel": "{}channel",
    "location": "{}location",
    "partner": "{}partner",
    "tier": "{}tier",
    "weekday": "{}weekday",
    "time": "{}minute",
    "date": "{}day",
}
_MANY_SOURCES: Final = {
    "category": "_any_category({}lines, {})",
    "sku": "_any_sku({}lines, {})",
    "tender": "_any_tender({}tenders, {})",
    "segment": "not {1}.isdisjoint({0}segments)",
    "membership": "not {1}.isdisjoint({0}memberships)",
}
_SYMBOLS: Final = {
    "is": "==",
    "is_not": "!=",
    "at_least": ">=",
    "at_most": "<=",
    "above": ">",
    "below": "<",
    "from": ">=",
    "until": "<=",
}


class Source:
    """Writes a condition as one Python expression over a Context or a Line.

    `subject` stands before each thing read: "c." reads attributes of `c`, "" locals of the same names (the
    ordinals then are `nth_0` for the day to `nth_4` for all time). `line` is for a condition on one line.

    Nothing of the document is ever written into the source: integers are written by `int`, every other
    value goes in as a constant under a name of our own.
    """

    def __init__(
        self,
        known: Mapping[str, FieldType],
        subject: str = "c.",
        constants: dict[str, Any] | None = None,
        *,
        line: bool = False,
    ) -> None:
        self.known = known
        self.line = line
        self.subject = subject
        self.constants: dict[str, Any] = constants if constants is not None else {}
        self.constants |= {
            "_any_category": _any_category,
            "_any_sku": _any_sku,
            "_any_tender": _any_tender,
            "_day_of_month": _day_of_month,
        }

    def constant(self, value: Any) -> str:
        if type(value) is int:
            return f"({value})" if value < 0 else str(value)
        if isinstance(value, bool):
            return str(value)
        name = f"_k{len(self.constants)}"
        self.constants[name] = value
        return name

    def node(self, condition: Condition) -> str:
        if condition.all is not None:
            ordered = sorted(condition.all, key=_cost)  # sorted is stable: equal costs keep their order
            return "(" + " and ".join(self.node(child) for child in ordered) + ")"
        if condition.any is not None:
            ordered = sorted(condition.any, key=_cost)
            return "(" + " or ".join(self.node(child) for child in ordered) + ")"
        if condition.not_ is not None:
            return f"(not {self.node(condition.not_)})"
        return self.comparison(condition)

    def comparison(self, condition: Condition) -> str:
        field = self.known[condition.field or ""]
        if field.many:
            return self.many(condition, field)
        operators = list(operators_of(condition))
        value, nullable = self.value(condition, field)
        if field.kind == "time":
            return self.time(condition, field, value)
        parts: list[str] = []
        if nullable and any(name not in _EQUALITY for name, _ in operators):
            parts.append(f"(v := {value}) is not None")
            value = "v"
        elif len(operators) > 1 and "(" in value:
            parts.append(f"((v := {value}) is v)")  # read once, compare several times
            value = "v"
        for name, written in operators:
            if isinstance(written, list):
                word = "in" if name == "in" else "not in"
                parts.append(f"{value} {word} {self.group(written, field)}")
            elif name == "every":
                parts.append(f"{value} % {self.constant(int(written))} == 0")
            elif field.kind == "boolean":
                word = "is" if name == "is" else "is not"
                parts.append(f"{value} {word} {self.constant(_literal(written, field))}")
            else:
                parts.append(f"{value} {_SYMBOLS[name]} {self.constant(_literal(written, field))}")
        return "(" + " and ".join(parts) + ")"

    def value(self, condition: Condition, field: FieldType) -> tuple[str, bool]:
        """The expression that reads the field, and whether it may give None."""
        if self.line:
            return f"{self.subject}{field.name}", False
        if field.kind == "nth" and field.place == "context":
            if not self.subject:
                return f"nth_{COUNTING.index(condition.per or '')}", False
            return f"{self.subject}nth({self.constant(condition.per)})", False
        if field.kind == "count" and field.place == "context":
            return f"{self.subject}nth({self.constant(f'{condition.of}:{condition.per}')})", False
        if field.place == "member":
            name = self.constant(field.name.removeprefix("member."))
            return f"{self.subject}member.get({name})", True
        if field.place == "attribute":
            return f"{self.subject}attributes.get({self.constant(field.name)})", True
        return _SINGLE_SOURCES[field.name].format(self.subject), False

    def group(self, written: list[Value], field: FieldType) -> str:
        literals = [_literal(item, field) for item in written]
        if all(type(item) is int for item in literals):
            return "{" + ", ".join(str(item) for item in literals) + "}"  # a constant set in the byte code
        return self.constant(frozenset(literals))

    def many(self, condition: Condition, field: FieldType) -> str:
        parts = []
        for name, written in operators_of(condition):
            values = written if isinstance(written, list) else [written]
            wanted = frozenset(_literal(item, field) for item in values)
            found = _MANY_SOURCES[field.name].format(self.subject, self.constant(wanted))
            parts.append(f"(not ({found}))" if name in ("is_not", "not_in") else f"({found})")
        return "(" + " and ".join(parts) + ")"

    def time(self, condition: Condition, field: FieldType, value: str) -> str:
        start = int(_literal(condition.from_, field)) if condition.from_ is not None else 0
        end = int(_literal(condition.until, field)) if condition.until is not None else 1440
        if start < end:
            return f"({start} <= {value} < {end})"
        return f"({value} >= {start} or {value} < {end})"


def _cost(condition: Condition) -> int:
    """How dear a part is to evaluate: those that loop over lines or count activities go last."""
    names = uses(condition)
    if names & {"nth", "count"}:
        return 3
    return 2 if names & {"category", "sku"} else 1 if names & {"tender", "segment"} else 0


def _compiled(condition: Condition | None, source: Source) -> Callable[[Any], bool]:
    if condition is None:
        return lambda c: True
    text = f"lambda c: {source.node(condition)}"
    # The source is made of our own words, integers and constant names alone (see Source).
    function: Callable[[Any], bool] = eval(  # noqa: S307
        text, {"__builtins__": {"len": len}, **source.constants}
    )
    return function


def compile_condition(
    condition: Condition | None, program: Program, activity_type_key: str
) -> Callable[[Context], bool]:
    """The condition as a function of a Context. None is always true.

    The condition must have passed `check` against `fields(program, activity_type_key)`.
    """
    return _compiled(condition, Source(fields(program, activity_type_key)))


def compile_line_condition(condition: Condition | None, program: Program) -> Callable[[Line], bool]:
    """A rule's `lines` condition as a function of a Line. None is always true."""
    return _compiled(condition, Source(line_fields(program), line=True))


# --- why not ------------------------------------------------------------------------------------------


def _read(condition: Condition, field: FieldType, context: Any) -> Any:
    """The run-time value of a field: None where missing, a tuple where the field is list-valued."""
    name = field.name
    if name == "category" or name == "sku":
        found = (getattr(line, name) for line in context.lines)
        return tuple(dict.fromkeys(item for item in found if item))
    if name == "tender":
        return tuple(dict.fromkeys(tender.kind for tender in context.tenders))
    if name in ("segment", "membership"):
        return tuple(sorted(getattr(context, name + "s")))
    if name == "day_of_month":
        return _day_of_month(context.day)
    if field.kind == "count" and field.place == "context":
        return context.nth(f"{condition.of}:{condition.per}")
    if field.place == "member":
        return context.member.get(name.removeprefix("member."))
    if field.place == "attribute":
        return context.attributes.get(name)
    if field.kind == "nth":
        return context.nth(condition.per)
    if name == "lines":
        return len(context.lines)
    return getattr(context, {"time": "minute", "date": "day"}.get(name, name))


def _holds(name: str, wanted: Any, found: Any) -> bool:
    """One operator on run-time values; `found` is None where missing, a tuple where list-valued."""
    if isinstance(found, tuple):
        touched = any(item in wanted for item in found)
        return touched if name in ("is", "in") else not touched
    if name in ("is", "in"):
        return found is not None and found in wanted
    if name in ("is_not", "not_in"):
        return found is None or found not in wanted
    if found is None:
        return False
    if name == "between":
        start, end = wanted
        inside = start <= found < end if start < end else found >= start or found < end
        return bool(inside)
    if name == "every":
        return bool(found % wanted == 0)
    if name in ("at_least", "from"):
        return bool(found >= wanted)
    if name in ("at_most", "until"):
        return bool(found <= wanted)
    return bool(found > wanted) if name == "above" else bool(found < wanted)


def _comparisons(condition: Condition, field: FieldType) -> Iterator[tuple[str, Any]]:
    """The operators of a comparison with run-time values; a time's from and until are one, "between"."""
    if field.kind == "time":
        start = _literal(condition.from_, field) if condition.from_ is not None else 0
        end = _literal(condition.until, field) if condition.until is not None else 1440
        yield "between", (start, end)
        return
    for name, written in operators_of(condition):
        if isinstance(written, list):
            yield name, tuple(_literal(item, field) for item in written)
        elif name == "every":
            yield name, written
        else:
            literal = _literal(written, field)
            yield name, (literal,) if name in ("is", "is_not") else literal


def _shown_all(value: Any, field: FieldType) -> Any:
    if isinstance(value, tuple):
        return tuple(_shown(item, field) for item in value)
    return _shown(value, field)


def _misses(condition: Condition, known: Mapping[str, FieldType], context: Any, negated: bool) -> list[Miss]:
    """What keeps the condition (or its negation) from holding; empty where it holds."""
    children = condition.all if condition.all is not None else condition.any
    if condition.not_ is not None:
        return _misses(condition.not_, known, context, not negated)
    if children is not None:
        found = [_misses(child, known, context, negated) for child in children]
        if (condition.all is not None) != negated:
            return [miss for child in found for miss in child]
        return min(found, key=len)
    field = known[condition.field or ""]
    value = _read(condition, field, context)
    failed, held = [], []
    for name, wanted in _comparisons(condition, field):
        shown = wanted if name == "every" else _shown_all(wanted, field)
        if name in ("is", "is_not"):
            shown = shown[0]
        if _holds(name, wanted, value):
            held.append(Miss(condition.field or "", f"not_{name}", shown, _shown_all(value, field)))
        else:
            failed.append(Miss(condition.field or "", name, shown, _shown_all(value, field)))
    if negated:
        return [] if failed else held[:1]
    return failed


def near_miss(
    condition: Condition | None, context: Context, program: Program, activity_type_key: str
) -> list[Miss]:
    """The failed comparisons whose change would make the condition hold: the fewest. Empty where it holds."""
    if condition is None:
        return []
    return _misses(condition, fields(program, activity_type_key), context, False)
