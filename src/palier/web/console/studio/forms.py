"""A form for any part of a program document, made from the document's types, and what was filled in as plain data.

A form knows plain data (what the text of a draft says, valid or not) and a path in it ("rules[2]"). Its fields are
named by their paths; what is not in a form stays as it is. Nothing is refused here: what does not fit is written as it
was typed, and the checks of documents say what is wrong with it, with its line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

import msgspec
from msgspec import NODEFAULT, inspect

from palier.engine import conditions
from palier.engine.currencies import EXPONENTS, ISO_4217
from palier.engine.facts import BUILT_IN
from palier.engine.program import Program
from palier.programs.source import Fractional, child_path
from palier.programs.structure import convert, faults
from palier.web.console.studio.wording import FIELDS, choice, consequence, field_name, name_of
from palier.web.numbers import typed

SECTIONS: Final = (
    "point_currencies",
    "activity_types",
    "rules",
    "groups",
    "tiers",
    "campaigns",
    "goals",
    "streaks",
    "games",
    "quizzes",
    "referral",
    "memberships",
    "partners",
    "leaderboards",
    "adjustments",
    "notice",
)
"""Parts of a document that stand apart in the outline, in its order; the rest is the program itself."""
FIRST: Final[dict[str, frozenset[str]]] = {
    "Program": frozenset({"name", "description", "time_zone", "currency", "languages", "key"}),
    "Rule": frozenset({"key", "name", "on", "currency", "when", "per_spend", "fixed", "multiply", "caps"}),
    "PointCurrency": frozenset({"key", "name", "kind", "value", "expiry"}),
    "Campaign": frozenset({"key", "name", "active_from", "active_until", "audience", "budget", "rules"}),
    "Goal": frozenset({"key", "name", "kind", "on", "measure", "window", "steps", "repeat"}),
    "Streak": frozenset({"key", "name", "on", "period", "least", "steps"}),
    "Game": frozenset({"key", "name", "kind", "price", "limits", "prizes"}),
    "Tier": frozenset({"key", "name", "qualify", "benefits"}),
    "TierLadder": frozenset({"tiers", "window", "grace_days"}),
}
"""Settings of a type that are shown at once; others that are not set stand under "more"."""
_REFERS: Final = {
    "currency": "point_currencies",
    "points_currency": "point_currencies",
    "freeze": "point_currencies",
    "keep_value": "point_currencies",
    "group": "groups",
    "goal": "goals",
    "withdraws": "activity_types",
}
_LONG: Final = frozenset({"description", "text", "invitation"})
_HIDDEN: Final = frozenset({"palier"})
_MOST_DEEP: Final = 24
MOST_DECIMALS: Final = 6
"""Decimals of a number in a document."""


@dataclass(slots=True)
class Node:
    """One field or group of a form. `kind` names its template; `path` is its place, and its fields' name."""

    kind: str
    path: str
    label: str
    hint: str = ""
    value: str = ""
    checked: bool = False
    options: list[tuple[str, str, bool]] = field(default_factory=list)
    children: list[Node] = field(default_factory=list)
    more: list[Node] = field(default_factory=list)
    required: bool = False
    removable: bool = False
    movable: bool = False
    shape: bool = False
    lang: str = ""
    problems: list[str] = field(default_factory=list)

    @property
    def id(self) -> str:
        """The field's id in the page."""
        return id_of(self.path)


def id_of(path: str) -> str:
    """A path as the id of an element."""
    return "f-" + re.sub(r"[^a-z0-9]+", "-", path.lower()).strip("-")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the outline: a section (level 1) or a part of it, its path, and whether it is open."""

    path: str
    label: str
    level: int
    here: bool
    add: bool = False
    problems: int = 0


# --- types --------------------------------------------------------------------------------------------


@cache
def _program() -> inspect.StructType:
    found = inspect.type_info(Program)
    assert isinstance(found, inspect.StructType)
    return found


def _bare(kind: inspect.Type) -> inspect.Type:
    """A type without what is said about it, and without None."""
    while True:
        if isinstance(kind, inspect.Metadata):
            kind = kind.type
        elif isinstance(kind, inspect.UnionType):
            options = [item for item in kind.types if not isinstance(item, inspect.NoneType)]
            if len(options) != 1:
                return kind
            kind = options[0]
        else:
            return kind


def _structs(kind: inspect.Type) -> list[inspect.StructType]:
    """The types a tagged part may have."""
    if isinstance(kind, inspect.UnionType):
        return [item for item in map(_bare, kind.types) if isinstance(item, inspect.StructType)]
    return []


def _struct_of(kind: inspect.Type, value: Any) -> inspect.StructType | None:
    """The type that a part has: its only one, or the one its tag names."""
    if isinstance(kind, inspect.StructType):
        return kind
    options = _structs(kind)
    if isinstance(value, dict) and options:
        return next((item for item in options if item.tag == value.get(item.tag_field or "kind")), options[0])
    return None


def _is_condition(kind: inspect.Type) -> bool:
    return isinstance(kind, inspect.StructType) and kind.cls.__name__ == "Condition"


def type_at(data: Any, path: str) -> inspect.Type | None:
    """The type of the part at a path, as the data beside it tells; None where the types know no such part."""
    kind: inspect.Type = _program()
    value = data
    for name in parts_of(path):
        kind = _bare(kind)
        if isinstance(kind, inspect.ListType) and isinstance(name, int):
            kind = kind.item_type
        elif isinstance(kind, inspect.DictType):
            kind = kind.value_type
        else:
            struct = _struct_of(kind, value)
            found = (
                next((item for item in struct.fields if item.encode_name == name), None) if struct else None
            )
            if found is None:
                return None
            kind = found.type
        value = _child(value, name)
    return _bare(kind)


def parts_of(path: str) -> list[str | int]:
    """ "rules[2].fixed" as its names and numbers."""
    return [
        int(number) if number else name for name, number in re.findall(r"([^.\[\]]+)|\[(\d{1,6})\]", path)
    ]


def _child(value: Any, name: str | int) -> Any:
    if isinstance(value, list) and isinstance(name, int):
        return value[name] if name < len(value) else None
    if isinstance(value, dict) and isinstance(name, str):
        return value.get(name)
    return None


def at(data: Any, path: str) -> Any:
    """What stands at a path; None where nothing does."""
    for name in parts_of(path):
        data = _child(data, name)
    return data


def shown_text(value: Any) -> str:
    """A scalar as it stands in a field."""
    if value is None or isinstance(value, (dict, list)):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return value.text if isinstance(value, Fractional) else str(value)


# --- building -----------------------------------------------------------------------------------------


class Builder:
    """Builds the nodes of a form over plain data, in a language; `problems`: path -> sentences."""

    def __init__(self, data: dict[str, Any], language: str, problems: Mapping[str, list[str]]) -> None:
        self.data = data
        self.language = language
        self.problems = problems
        self.program = convert(data, Program) if not faults(data) else None

    def part(self, path: str) -> Node | None:
        """The form of the part at a path; "" is the program itself. None where there is no such part."""
        if not path:
            node = self.struct(_program(), self.data, "", "")
            node.children = [child for child in node.children if child.path not in SECTIONS]
            node.more = [child for child in node.more if child.path not in SECTIONS]
            return node
        kind, value = type_at(self.data, path), at(self.data, path)
        if kind is None or value is None:
            return None
        last = parts_of(path)[-1]
        name = last if isinstance(last, str) else ""
        parent = parts_of(path)[-2] if isinstance(last, int) else ""
        node = self.node(kind, value, path, name_of(name or str(parent), self.language), "", name)
        node.removable = True
        return node

    def node(self, kind: inspect.Type, value: Any, path: str, label: str, hint: str, name: str) -> Node:
        if len(parts_of(path)) > _MOST_DEEP:
            return Node("text-only", path, label, hint)
        kind = _bare(kind)
        made: Node
        if _is_condition(kind):
            made = self.condition(value, path, label, hint)
        elif isinstance(kind, inspect.StructType):
            made = (
                self.struct(kind, value, path, label, hint)
                if isinstance(value, dict)
                else self.odd(path, label)
            )
        elif _structs(kind):
            made = self.variant(kind, value, path, label, hint)
        elif isinstance(kind, inspect.ListType):
            made = self.many(kind, value, path, label, hint, name)
        elif isinstance(kind, inspect.DictType):
            made = self.pairs(kind, value, path, label, hint)
        elif isinstance(kind, inspect.BoolType):
            made = Node("flag", path, label, hint, checked=value is True)
        elif isinstance(kind, inspect.LiteralType):
            made = Node("choice", path, label, hint, options=self.choices(kind.values, value))
        elif isinstance(kind, inspect.IntType):
            made = Node("number", path, label, hint, shown_text(value))
        elif isinstance(kind, inspect.StrType) and kind.pattern == ISO_4217:
            made = Node("choice", path, label, hint, options=self.choices(sorted(EXPONENTS), value))
        elif (known := self.referred(name, value)) is not None:
            made = Node("choice", path, label, hint, options=known)
        else:
            decimal = (
                isinstance(kind, inspect.StrType)
                and kind.pattern is not None
                and "[0-9]{1,13}" in kind.pattern
            )
            made = Node("decimal" if decimal else "text", path, label, hint, shown_text(value))
        made.problems = list(self.problems.get(path, ()))
        return made

    def odd(self, path: str, label: str) -> Node:
        """Something stands here that no form can show."""
        return Node("text-only", path, label)

    def choices(self, values: Sequence[Any], value: Any) -> list[tuple[str, str, bool]]:
        given = shown_text(value)
        found = [(str(item), choice(str(item), self.language), str(item) == given) for item in values]
        if given and given not in {item for item, _, _ in found}:
            found.append((given, given, True))
        return found

    def activity_types(self) -> list[str]:
        declared = [item.get("key") for item in _dicts(self.data.get("activity_types"))]
        return [*sorted(BUILT_IN), *(key for key in declared if isinstance(key, str))]

    def referred(self, name: str, value: Any) -> list[tuple[str, str, bool]] | None:
        """What a setting that names another part can be chosen from."""
        if name in ("on", "of", "activity"):
            keys = self.activity_types()
            named = {item.get("key"): item.get("name") for item in _dicts(self.data.get("activity_types"))}
        elif name in _REFERS:
            parts = _dicts(self.data.get(_REFERS[name]))
            keys = [item["key"] for item in parts if isinstance(item.get("key"), str)]
            named = {item.get("key"): item.get("name") for item in parts}
        else:
            return None
        given = shown_text(value)
        if given not in keys:
            keys = [given, *keys]
        return [
            (key, self.called(named.get(key)) or choice(key, self.language), key == given) for key in keys
        ]

    def called(self, name: Any) -> str:
        """A name in the reader's language: of a text, or of a currency with its plural."""
        if not isinstance(name, dict):
            return ""
        found = name.get(self.language) or name.get("en") or name.get("fr") or ""
        return str(found.get("other", "")) if isinstance(found, dict) else str(found)

    def struct(self, kind: inspect.StructType, value: Any, path: str, label: str, hint: str = "") -> Node:
        """A group: settings that are set or come first, and under `more` those that might be."""
        type_name = kind.cls.__name__
        node = Node("text" if type_name == "Text" else "group", path, label, hint)
        if type_name == "Text":
            node.kind = "words"
        first = FIRST.get(type_name)
        for item in kind.fields:
            name = item.encode_name
            own = child_path(path, name)
            if own in _HIDDEN:
                continue
            given: Any = value.get(name)
            hint = consequence(type_name, name, self.language)
            called = name_of(name, self.language)
            bare = _bare(item.type)
            if given is None and (
                isinstance(bare, (inspect.StructType, inspect.DictType))
                or _structs(bare)
                or (isinstance(bare, inspect.ListType) and _many_parts(bare))
            ):
                child = Node("absent", own, called, hint)
                if isinstance(bare, inspect.DictType) and isinstance(
                    _bare(bare.value_type), inspect.DictType
                ):
                    child.kind = "text-only"
                if isinstance(bare, inspect.StructType) and bare.cls.__name__ == "Text":
                    child = self.struct(bare, {}, own, called, hint)
            else:
                if given is None and item.default is not NODEFAULT:
                    given = item.default
                elif given is None and item.default_factory is not NODEFAULT:
                    given = msgspec.to_builtins(item.default_factory())
                child = self.node(item.type, given, own, called, hint, name)
                child.hint = hint
                child.removable = not item.required and child.kind in (
                    "group",
                    "condition",
                    "variant",
                    "list",
                    "pairs",
                )
            child.required = item.required
            if child.kind == "choice" and item.default is None and all(key for key, _, _ in child.options):
                child.options.insert(0, ("", "–", not shown_text(given)))
            if type_name in ("Text", "Noun", "UnitName"):
                child.hint = ""  # its label says it
            if type_name == "Text":
                child.lang = name
                child.kind = "long" if parts_of(path)[-1:] and parts_of(path)[-1] in _LONG else child.kind
            few = len(kind.fields) <= 6 if first is None else name in first
            shown = item.required or name in value or few or bool(child.problems)
            (node.children if shown else node.more).append(child)
        return node

    def variant(self, kind: inspect.Type, value: Any, path: str, label: str, hint: str) -> Node:
        options = _structs(kind)
        tag = options[0].tag_field or "kind"
        if not isinstance(value, dict):
            return self.odd(path, label)
        chosen = _struct_of(kind, value)
        assert chosen is not None
        node = self.struct(chosen, value, path, label, hint)
        node.kind = "variant"
        select = Node("choice", child_path(path, tag), name_of("kind", self.language), shape=True)
        select.options = self.choices([item.tag for item in options], value.get(tag))
        select.problems = list(self.problems.get(select.path, ()))
        node.children = [select, *node.children, *node.more]
        node.more = []
        return node

    def many(self, kind: inspect.ListType, value: Any, path: str, label: str, hint: str, name: str) -> Node:
        given = value if isinstance(value, list) else []
        item_type = _bare(kind.item_type)
        if isinstance(item_type, inspect.LiteralType):
            options = [(str(v), choice(str(v), self.language), v in given) for v in item_type.values]
            return Node("checks", path, label, hint, options=options)
        if isinstance(item_type, inspect.StrType) and (known := self.referred(name, None)) is not None:
            options = [(key, text, key in given) for key, text, _ in known if key]
            return Node("checks", path, label, hint, options=options)
        if _many_parts(kind):
            node = Node("list", path, label, hint)
            for index, item in enumerate(given):
                own = child_path(path, index)
                child = self.node(item_type, item, own, self.title(item, index), "", "")
                child.removable, child.movable = True, len(given) > 1
                node.children.append(child)
            return node
        return Node("lines", path, label, hint, "\n".join(shown_text(item) for item in given))

    def title(self, item: Any, index: int) -> str:
        if isinstance(item, dict):
            found = self.called(item.get("name")) or self.called(item)
            found = found or next(
                (str(item[k]) for k in ("key", "metric", "currency", "at") if item.get(k)), ""
            )
            if found:
                return found
        return str(index + 1)

    def pairs(self, kind: inspect.DictType, value: Any, path: str, label: str, hint: str) -> Node:
        """A mapping: of scalars as rows of two fields, of parts as a list with their names."""
        given = value if isinstance(value, dict) else {}
        item_type = _bare(kind.value_type)
        if isinstance(item_type, inspect.StructType) and item_type.cls.__name__ == "Attribute":
            node = Node("list", path, label, hint)
            for key, item in given.items():
                child = self.node(item_type, item, child_path(path, key), key, "", "")
                child.removable = True
                node.children.append(child)
            return node
        if isinstance(item_type, (inspect.StructType, inspect.DictType)):
            return Node("text-only", path, label, hint)
        node = Node("pairs", path, label, hint)
        for index, (key, item) in enumerate([*given.items(), ("", "")]):
            row = Node("pair", f"{path}#{index}", str(key), value=shown_text(item))
            row.options = self.suggested(path, str(key))
            row.problems = list(self.problems.get(child_path(path, str(key)), ())) if key else []
            node.children.append(row)
        return node

    def suggested(self, path: str, key: str) -> list[tuple[str, str, bool]]:
        if parts_of(path)[-1] != "tier_multipliers":
            return []
        tiers = self.data.get("tiers")
        parts = _dicts(tiers.get("tiers")) if isinstance(tiers, dict) else []
        keys = [str(item.get("key")) for item in parts]
        keys += [key] if key not in keys else []
        named = {item.get("key"): self.called(item.get("name")) for item in parts}
        return [("", "–", not key), *((k, named.get(k) or k, k == key) for k in keys if k)]

    # --- conditions --------------------------------------------------------------------------------------

    def fields(self, path: str) -> dict[str, conditions.FieldType]:
        """The fields that a condition at this path may compare."""
        if self.program is None:
            return {name: conditions.FieldType(name, "text") for name in FIELDS}
        names = parts_of(path)
        if names and names[-1] == "lines":
            return conditions.line_fields(self.program)
        above = at(self.data, _path_of(names[:-1]))
        on = above.get("on") if isinstance(above, dict) else None
        first = on[0] if isinstance(on, list) and on else on
        return conditions.fields(self.program, str(first or "sale"))

    def condition(self, value: Any, path: str, label: str, hint: str = "") -> Node:
        node = Node("condition", path, label, hint)
        node.children = [self.clause(value, path, self.fields(path), 0)]
        return node

    def clause(self, value: Any, path: str, known: Mapping[str, conditions.FieldType], deep: int) -> Node:
        if not isinstance(value, dict) or deep > 8:
            return Node("text-only", path, "")
        for join in ("all", "any"):
            if isinstance(value.get(join), list):
                node = Node("join", path, "", value=join)
                node.options = [(j, name_of(j, self.language), j == join) for j in ("all", "any")]
                for index, item in enumerate(value[join]):
                    child = self.clause(item, f"{child_path(path, join)}[{index}]", known, deep + 1)
                    child.removable = True
                    node.children.append(child)
                break
        else:
            if isinstance(value.get("not"), dict):
                node = Node("not", path, name_of("not", self.language))
                node.children = [self.clause(value["not"], child_path(path, "not"), known, deep + 1)]
            else:
                node = self.comparison(value, path, known)
        node.problems = [text for at_, said in self.problems.items() if at_ == path for text in said]
        return node

    def comparison(self, value: dict[str, Any], path: str, known: Mapping[str, conditions.FieldType]) -> Node:
        name = shown_text(value.get("field"))
        node = Node("comparison", path, name)
        node.options = [(key, self.field_name(key), key == name) for key in known]
        if name not in known:
            node.options.insert(0, (name, name, True))
        kind = known.get(name)
        operators: tuple[str, ...] = conditions.operators_for(kind) if kind is not None else _OPERATORS
        given = [key for key in _OPERATORS if key in value] or [operators[0]]
        for key in given:
            row = Node("operator", f"{path}#{key}", key)
            keys: list[str] = [*operators, *([key] if key not in operators else [])]
            row.options = [(op, name_of(op, self.language), op == key) for op in keys]
            held = value.get(key)
            row.value = ", ".join(map(shown_text, held)) if isinstance(held, list) else shown_text(held)
            row.problems = list(self.problems.get(child_path(path, key), ()))
            if kind is not None and key in ("is", "is_not"):
                choices = ("true", "false") if kind.kind == "boolean" else kind.choices
                row.children = [
                    Node("option", "", self.value_name(name, item), value=item, checked=item == row.value)
                    for item in choices or ()
                ]
            node.children.append(row)
        if name in ("nth", "count"):
            per = Node("choice", child_path(path, "per"), name_of("per", self.language))
            per.options = self.choices(conditions.COUNTING, value.get("per"))
            node.more.append(per)
        if name == "count":
            of = Node("choice", child_path(path, "of"), name_of("of", self.language))
            of.options = self.referred("of", value.get("of")) or []
            node.more.append(of)
        return node

    def field_name(self, key: str) -> str:
        return field_name(key, self.language)

    def value_name(self, name: str, value: str) -> str:
        if name == "tier" and self.program is not None and self.program.tiers is not None:
            found = next((tier for tier in self.program.tiers.tiers if tier.key == value), None)
            if found is not None:
                return self.called({"en": found.name.en, "fr": found.name.fr}) or value
        return {"true": ("yes", "oui"), "false": ("no", "non")}.get(
            value, (choice(value, self.language),) * 2
        )[self.language == "fr"]

    # --- the outline -------------------------------------------------------------------------------------

    def outline(self, here: str, program_label: str) -> list[Entry]:
        """All parts of the document, those that can be added, and which is open."""
        entries = [Entry("", program_label, 1, here == "")]
        for section in SECTIONS:
            value = self.data.get(section)
            label = name_of(section, self.language)
            kind = type_at(self.data, section)
            if isinstance(kind, inspect.ListType):
                entries.append(Entry(section, label, 1, False, add=True))
                for index, item in enumerate(value if isinstance(value, list) else []):
                    path = child_path(section, index)
                    entries.append(
                        Entry(path, self.title(item, index), 2, here == path, problems=self.wrong(path))
                    )
            else:
                entries.append(
                    Entry(section, label, 1, here == section, add=value is None, problems=self.wrong(section))
                )
        return entries

    def wrong(self, path: str) -> int:
        return sum(
            len(said)
            for key, said in self.problems.items()
            if key == path or key.startswith((f"{path}.", f"{path}["))
        )


_OPERATORS: Final[tuple[str, ...]] = (
    "is", "is_not", "in", "not_in", "at_least", "at_most", "above", "below", "from", "until", "every",
)  # fmt: skip


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _many_parts(kind: inspect.ListType) -> bool:
    """Whether a list holds parts rather than scalars."""
    item = _bare(kind.item_type)
    return isinstance(item, inspect.StructType) or bool(_structs(item))


def _path_of(names: Sequence[str | int]) -> str:
    path = ""
    for name in names:
        path = child_path(path, name)
    return path


# --- reading what was filled in -----------------------------------------------------------------------


def filled(
    data: dict[str, Any], posted: Mapping[str, str], lists: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    """The data with everything that a form says of it. `posted`: the last value of each field; `lists`: all of them."""
    found: dict[str, Any] = _Reader(posted, lists).struct(_program(), data, "")
    return found


class _Reader:
    def __init__(self, posted: Mapping[str, str], lists: Mapping[str, Sequence[str]]) -> None:
        self.posted = posted
        self.lists = lists
        self.prefixes = {
            _path_of(parts_of(name.split("#")[0])[:n]) for name in posted for n in range(1, 30)
        } | {""}

    def struct(self, kind: inspect.StructType, value: dict[str, Any], path: str) -> Any:
        if path not in self.prefixes:
            return value
        new: dict[str, Any] = dict(value)
        for item in kind.fields:
            name = item.encode_name
            own = child_path(path, name)
            if own not in self.prefixes:
                continue
            default = item.default
            if item.default_factory is not NODEFAULT:
                default = msgspec.to_builtins(item.default_factory())
            before = value[name] if name in value else default if isinstance(default, (dict, list)) else None
            found = self.value(_bare(item.type), before, own)
            if found is None:
                new.pop(name, None)
                continue
            if name in value or item.required or found != default:
                new[name] = found
        if kind.tag_field is not None and kind.tag is not None and kind.tag_field in value:
            new = {kind.tag_field: kind.tag, **{k: v for k, v in new.items() if k != kind.tag_field}}
        return new

    def value(self, kind: inspect.Type, value: Any, path: str) -> Any:
        """What a field says; None: nothing."""
        if _is_condition(kind):
            return self.condition(value, path) if isinstance(value, dict) else value
        if isinstance(kind, inspect.StructType):
            if not isinstance(value, dict) and kind.cls.__name__ != "Text":
                return value
            found = self.struct(kind, value if isinstance(value, dict) else {}, path)
            return found or None
        if _structs(kind):
            return self.variant(kind, value, path)
        if isinstance(kind, inspect.ListType):
            return self.many(kind, value, path)
        if isinstance(kind, inspect.DictType):
            return self.pairs(kind, value, path)
        if isinstance(kind, inspect.BoolType):
            return self.posted[path] == "true" if path in self.posted else value
        if path not in self.posted:
            return value
        given = (
            self.posted[path].strip() if "\n" not in self.posted[path] else self.posted[path].strip("\r\n ")
        )
        given = given.replace("\r\n", "\n")
        if not given:
            return None
        if isinstance(kind, inspect.IntType):
            return int(given) if re.fullmatch(r"-?[0-9]{1,15}", given) else given
        if isinstance(kind, inspect.LiteralType):
            return next((item for item in kind.values if str(item) == given), given)
        if isinstance(kind, inspect.StrType) and kind.pattern is not None and "[0-9]{1,13}" in kind.pattern:
            return decimal(given)
        return given

    def variant(self, kind: inspect.Type, value: Any, path: str) -> Any:
        options = _structs(kind)
        tag = options[0].tag_field or "kind"
        before = _struct_of(kind, value)
        if not isinstance(value, dict) or before is None:
            return value
        wanted = self.posted.get(child_path(path, tag), value.get(tag))
        chosen = next((item for item in options if item.tag == wanted), None)
        if chosen is None or chosen.tag == value.get(tag):
            return self.struct(before, value, path)
        made = blank(chosen)
        known = {item.encode_name for item in chosen.fields}
        return {**made, **{key: item for key, item in value.items() if key in known}}

    def many(self, kind: inspect.ListType, value: Any, path: str) -> Any:
        item_type = _bare(kind.item_type)
        if f"{path}#list" in self.posted:
            if self.posted[f"{path}#list"] == "checks":
                given: list[Any] = [text for text in self.lists.get(path, ()) if text]
                if isinstance(value, list):  # in the order in which they were
                    given.sort(key=lambda text: value.index(text) if text in value else len(value))
                return given or None
            lines = [line.strip() for line in self.posted.get(path, "").split("\n") if line.strip()]
            if isinstance(item_type, inspect.IntType):
                return [int(line) if re.fullmatch("[0-9]{1,9}", line) else line for line in lines] or None
            return lines or None
        if not isinstance(value, list):
            return value
        return [
            self.value(item_type, item, child_path(path, index))
            if isinstance(item, dict) and child_path(path, index) in self.prefixes
            else item
            for index, item in enumerate(value)
        ]

    def pairs(self, kind: inspect.DictType, value: Any, path: str) -> Any:
        item_type = _bare(kind.value_type)
        given = value if isinstance(value, dict) else {}
        if isinstance(item_type, (inspect.StructType, inspect.DictType)):
            if not isinstance(item_type, inspect.StructType):
                return value
            return {
                key: self.value(item_type, item, child_path(path, key)) if isinstance(item, dict) else item
                for key, item in given.items()
            } or None
        if f"{path}#0.key" not in self.posted:
            return value
        found = {}
        for index in range(len(given) + 1):
            key = self.posted.get(f"{path}#{index}.key", "").strip()
            text = self.posted.get(f"{path}#{index}.value", "").strip()
            if key and text:
                found[key] = decimal(text)
        return found or None

    # --- conditions --------------------------------------------------------------------------------------

    def condition(self, value: dict[str, Any], path: str) -> Any:
        for join in ("all", "any"):
            if isinstance(value.get(join), list):
                items = [
                    self.condition(item, f"{child_path(path, join)}[{index}]")
                    if isinstance(item, dict)
                    else item
                    for index, item in enumerate(value[join])
                ]
                wanted = self.posted.get(f"{path}#join", join)
                return {(wanted if key == join and wanted in ("all", "any") else key): (items if key == join else item)
                        for key, item in value.items()}  # fmt: skip
        if isinstance(value.get("not"), dict):
            return {**value, "not": self.condition(value["not"], child_path(path, "not"))}
        return self.comparison(value, path) if child_path(path, "field") in self.posted else value

    def comparison(self, value: dict[str, Any], path: str) -> dict[str, Any]:
        name = self.posted[child_path(path, "field")].strip()
        new: dict[str, Any] = {"field": name}
        new.update(
            {key: item for key, item in value.items() if key not in (*_OPERATORS, "field", "per", "of")}
        )
        for key in _OPERATORS:
            chosen = self.posted.get(f"{path}#{key}.operator", "")
            if chosen not in _OPERATORS:
                continue
            text = self.posted.get(f"{path}#{key}.value", "").strip()
            if text:
                new[chosen] = self.scalar(chosen, text, value.get(key))
        if name in ("nth", "count"):
            new["per"] = self.posted.get(child_path(path, "per")) or value.get("per") or "month"
        if name == "count":
            new["of"] = self.posted.get(child_path(path, "of")) or value.get("of") or "sale"
        if name != value.get("field"):
            # Another field has other operators: only its name is kept, and a first value to start from.
            for key in _OPERATORS:
                new.pop(key, None)
            new.update(_first_of(name))
        return new

    @staticmethod
    def scalar(operator: str, text: str, before: Any) -> Any:
        if operator in ("in", "not_in"):
            return [_typed(item.strip(), None) for item in text.split(",") if item.strip()]
        return _typed(text, before, whole=operator == "every")


def _typed(text: str, before: Any, *, whole: bool = False) -> Any:
    """A value as its kind: true, a whole number where it was one, else the text."""
    if text in ("true", "false"):
        return text == "true"
    if (whole or (isinstance(before, int) and not isinstance(before, bool))) and re.fullmatch(
        "-?[0-9]{1,15}", text
    ):
        return int(text)
    return decimal(text)


def _first_of(name: str) -> dict[str, Any]:
    """A first comparison of a field, which its author changes."""
    starts: dict[str, dict[str, Any]] = {
        "weekday": {"is": "monday"},
        "time": {"from": "09:00", "until": "12:00"},
        "date": {"from": "2026-01-01"},
        "nth": {"is": 1},
        "count": {"at_least": 1},
        "amount": {"at_least": "10.00"},
        "quantity": {"at_least": 1},
        "lines": {"at_least": 1},
        "day_of_month": {"is": 1},
    }
    return starts.get(name, {})


def decimal(text: str) -> str:
    """A number as documents write it: "1 234,50" is 1234.50. What is no number stays as it is."""
    plain = typed(text, MOST_DECIMALS)
    return plain if re.fullmatch(r"[0-9]+(\.[0-9]+)?", plain) else text


# --- adding, removing, moving -------------------------------------------------------------------------


def blank(kind: inspect.Type) -> Any:
    """The least that a part of a type needs, for its author to change."""
    kind = _bare(kind)
    if _is_condition(kind):
        return {"all": [{"field": "amount", "at_least": "10.00"}]}
    if options := _structs(kind):
        tags = {item.tag: item for item in options}
        return blank(next((tags[tag] for tag in ("rolling", "days", "each") if tag in tags), options[0]))
    if isinstance(kind, inspect.StructType):
        made: dict[str, Any] = {kind.tag_field: kind.tag} if kind.tag_field is not None else {}
        for item in kind.fields:
            if item.required:
                made[item.encode_name] = blank(item.type)
        return made or _STARTS.get(kind.cls.__name__, {})
    if isinstance(kind, inspect.ListType):
        return [blank(kind.item_type) for _ in range(kind.min_length or 0)]
    if isinstance(kind, inspect.DictType):
        return {}
    if isinstance(kind, inspect.LiteralType):
        return kind.values[0]
    if isinstance(kind, inspect.BoolType):
        return False
    if isinstance(kind, inspect.IntType):
        return kind.ge if kind.ge is not None else 0
    return "1" if isinstance(kind, inspect.StrType) and "[0-9]{1,13}" in (kind.pattern or "") else ""


_STARTS: Final[dict[str, dict[str, Any]]] = {
    "Text": {"en": "New", "fr": "Nouveau"},
    "UnitName": {"en": {"one": "point", "other": "points"}, "fr": {"one": "point", "other": "points"}},
    "Caps": {"day": "100"},
    "Base": {"tax": "out"},
    "RoundingRule": {"mode": "half_up"},
    "Qualify": {"all": [{"metric": "spend", "at_least": "100"}]},
    "Budget": {"points": "1000"},
    "Calendar": {"weekdays": ["monday"]},
    "PlayLimits": {"day": 1},
    "Referral": {"most": 10},
    "Adjustments": {"approval_days": 7},
}


def added(data: dict[str, Any], path: str) -> tuple[dict[str, Any], str]:
    """The data with a new part at a path (at the end of a list), and the path of what is new."""
    kind = type_at(data, path)
    if kind is None:
        return data, path
    if isinstance(kind, inspect.ListType):
        items = at(data, path)
        items = list(items) if isinstance(items, list) else []
        new = _in_place(data, kind.item_type, path, len(items))
        return put(data, path, [*items, new]), child_path(path, len(items))
    if isinstance(kind, inspect.DictType):
        items = at(data, path)
        items = dict(items) if isinstance(items, dict) else {}
        key = _fresh("attribute", set(items))
        item_type = _bare(kind.value_type)
        start = blank(item_type) if isinstance(item_type, inspect.StructType) else "1"
        first = _tier_keys(data)[:1] if path.endswith("tier_multipliers") else ["card"]
        if not isinstance(item_type, inspect.StructType):
            key = next(iter(first), "key")
        return put(data, path, {**items, key: start}), path
    names = parts_of(path)
    if names[-1] == "per_spend":
        # A rule has one effect: the one that is added takes the place of the one there was.
        for other in ("per_unit", "fixed", "multiply"):
            data = put(data, child_path(_path_of(names[:-1]), other), None)
    return put(data, path, _in_place(data, kind, path, 0)), path


def _in_place(data: dict[str, Any], kind: inspect.Type, path: str, index: int) -> Any:
    """A new part that fits where it comes: a fresh key, and what its document has for what it names."""
    made = blank(kind)
    if not isinstance(made, dict):
        return made
    if _is_condition(_bare(kind)):
        return {"all": [dict(_COMPARED.get(parts_of(path)[-1], _COMPARED["when"]))]}
    section = next((name for name in reversed(parts_of(path)) if isinstance(name, str)), "part")
    currencies = [item.get("key") for item in _dicts(data.get("point_currencies"))]
    _fit(made, currencies[0] if currencies else "points", data)
    if "key" in made:
        made["key"] = _fresh(_SINGULAR.get(section, section.rstrip("s")), _keys_in(data))
    if isinstance(made.get("name"), dict):
        label = _CALLED.get(section, ("New", "Nouveau"))
        if "one" not in made["name"].get("en", {}) or isinstance(made["name"].get("en"), str):
            made["name"] = {"en": label[0], "fr": label[1]}
    for rule in [made] if section == "rules" else _dicts(made.get("rules")):
        rule.update({"on": "sale", "per_spend": {"points": "1", "every": "1.00"}})
    if section == "tiers" and "window" in made:
        made["tiers"] = [
            _tier("start", "Start", "Départ"),
            {**_tier("next", "Next", "Suite"), "qualify": _QUALIFY},
        ]
    elif section == "tiers":
        made["qualify"] = _QUALIFY
    if section == "goals":
        made["steps"] = [
            {
                "at": "10",
                "name": {"en": "Done", "fr": "Atteint"},
                "grants": [{"currency": made_currency(currencies)}],
            }
        ]
    return made


def _tier(key: str, english: str, french: str) -> dict[str, Any]:
    return {"key": key, "name": {"en": english, "fr": french}}


_QUALIFY: Final = {"all": [{"metric": "spend", "at_least": "100"}]}
_COMPARED: Final[dict[str | int, dict[str, Any]]] = {
    "when": {"field": "weekday", "is": "monday"},
    "lines": {"field": "category", "is": "bakery"},
    "audience": {"field": "segment", "is": "regulars"},
}
"""What a new condition compares first, by the setting it is for; its author changes it."""


def made_currency(currencies: Sequence[Any]) -> str:
    """The first point currency of a document."""
    return str(currencies[0]) if currencies else "points"


_SINGULAR: Final = {"quizzes": "quiz", "point_currencies": "points", "activity_types": "activity"}
_CALLED: Final = {
    "rules": ("New rule", "Nouvelle règle"),
    "campaigns": ("New campaign", "Nouvelle campagne"),
    "goals": ("New goal", "Nouvel objectif"),
    "tiers": ("New tier", "Nouveau niveau"),
    "games": ("New game", "Nouveau jeu"),
    "prizes": ("New prize", "Nouveau lot"),
    "streaks": ("New streak", "Nouvelle série"),
    "steps": ("New step", "Nouvelle étape"),
    "quizzes": ("New quiz", "Nouveau quiz"),
    "partners": ("New partner", "Nouveau partenaire"),
    "memberships": ("New membership", "Nouvelle adhésion"),
    "leaderboards": ("New ranking", "Nouveau classement"),
    "activity_types": ("New activity", "Nouvelle activité"),
    "reasons": ("New reason", "Nouveau motif"),
}


def _fit(made: Any, currency: Any, data: dict[str, Any]) -> None:
    """Fills in what a new part names of its document, and texts that must not be empty."""
    if isinstance(made, list):
        for item in made:
            _fit(item, currency, data)
    if not isinstance(made, dict):
        return
    for key, item in list(made.items()):
        if item == "" and key in ("currency", "points_currency"):
            made[key] = currency
        elif item == "" and key == "on":
            made[key] = "sale"
        elif item == "" and key == "goal":
            goals = _dicts(data.get("goals"))
            made[key] = goals[0].get("key", "") if goals else ""
        elif key == "metric":
            made[key] = "spend"
        elif item == "" and key == "accent":
            made[key] = "#1c5d45"
        elif item == [""] and key == "origins":
            made[key] = ["https://shop.example.org"]
        elif key == "key" and item == "":
            made[key] = _fresh("part", _keys_in(data))
        elif item == "" and key in ("from", "until", "date", "announced_on"):
            made[key] = "2026-12-31" if key != "from" else "2026-01-01"
        else:
            _fit(item, currency, data)


def _keys_in(value: Any) -> set[str]:
    """All keys of parts in a document."""
    if isinstance(value, list):
        return {key for item in value for key in _keys_in(item)}
    if isinstance(value, dict):
        own = {value["key"]} if isinstance(value.get("key"), str) else set()
        return own | {key for item in value.values() for key in _keys_in(item)}
    return set()


def _tier_keys(data: dict[str, Any]) -> list[str]:
    tiers = data.get("tiers")
    return [str(item.get("key")) for item in _dicts(tiers.get("tiers"))] if isinstance(tiers, dict) else []


def _fresh(name: str, taken: set[str]) -> str:
    stem = re.sub("[^a-z0-9_]", "", name.lower()) or "part"
    return next(key for key in _numbered(f"new_{stem}") if key not in taken)


def _numbered(stem: str) -> Iterator[str]:
    yield stem
    number = 2
    while True:
        yield f"{stem}_{number}"
        number += 1


def put(data: Any, path: str, value: Any) -> Any:
    """The data with a value at a path whose parents are there; None takes it out."""
    names = parts_of(path)
    if not names:
        return value
    return _put(data, names, value)


def _put(data: Any, names: Sequence[str | int], value: Any) -> Any:
    first, *rest = names
    if isinstance(data, list) and isinstance(first, int) and first < len(data):
        if rest:
            return [_put(item, rest, value) if index == first else item for index, item in enumerate(data)]
        left, right = data[:first], data[first + 1 :]
        return [*left, *right] if value is None else [*left, value, *right]
    if isinstance(data, dict) and isinstance(first, str):
        if rest:
            return {**data, first: _put(data[first], rest, value)} if first in data else data
        if value is None:
            return {key: item for key, item in data.items() if key != first}
        return {**data, first: value}
    return data


def removed(data: dict[str, Any], path: str) -> dict[str, Any]:
    """The data without the part at a path. A condition left without comparisons goes too, an empty list as well."""
    found: dict[str, Any] = put(data, path, None)
    names = parts_of(path)
    while len(names) > 1:
        names = names[:-1]
        above = at(found, _path_of(names))
        if above in ([], {}) and names[-1] not in ("tiers",):
            found = put(found, _path_of(names), None)
        else:
            break
    return found


def moved(data: dict[str, Any], path: str, by: int) -> dict[str, Any]:
    """The data with an item of a list one place further (1) or back (-1)."""
    *above, index = parts_of(path)
    items = at(data, _path_of(above))
    if not isinstance(items, list) or not isinstance(index, int) or not 0 <= index + by < len(items):
        return data
    items = list(items)
    items[index], items[index + by] = items[index + by], items[index]
    found: dict[str, Any] = put(data, _path_of(above), items)
    return found


def with_comparison(data: dict[str, Any], path: str) -> dict[str, Any]:
    """The data with one more comparison in the condition at a path."""
    value: Any = at(data, path)
    more: Any = {"field": "weekday", "is": "monday"}
    if not isinstance(value, dict):
        return data
    for join in ("all", "any"):
        if isinstance(value.get(join), list):
            return dict(put(data, child_path(path, join), [*value[join], more]))
    return dict(put(data, path, {"all": [value, more]}))


__all__ = [
    "SECTIONS",
    "Builder",
    "Entry",
    "Node",
    "added",
    "at",
    "blank",
    "decimal",
    "filled",
    "id_of",
    "moved",
    "parts_of",
    "put",
    "removed",
    "type_at",
    "with_comparison",
]
