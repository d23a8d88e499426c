"""Whether plain data has the shape of the document types: every fault, each with its path and a remedy.

The types themselves would stop at the first fault, and cannot name a key inside a mapping; this walks them.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Final, TypeVar

import msgspec
from msgspec import inspect

from palier.engine.conditions import Problem, nearest
from palier.engine.program import Program
from palier.programs.source import Fractional, child_path

_MOST_PROBLEMS: Final = 100
_HINTS: Final = {"str": "a text", "int": "a whole number", "bool": "true or false"}


@cache
def _type(document: type) -> inspect.Type:
    return inspect.type_info(document)


def faults(data: Any, document: type = Program) -> list[Problem]:
    """All structural faults of `data` as a document of this type; empty where it can be converted."""
    problems: list[Problem] = []
    _walk(data, _type(document), "", "", problems)
    return problems[:_MOST_PROBLEMS]


def _add(problems: list[Problem], path: str, code: str, message: str, remedy: str) -> None:
    problems.append(Problem(path, message, remedy, code))


def _shown(value: Any) -> str:
    """A value, named for a message."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Fractional):
        return f"the number {value.text[:40]}"
    if isinstance(value, int):
        return f"the number {value}"
    if isinstance(value, str):
        return f'the text "{value[:40]}"'
    return "a mapping" if isinstance(value, dict) else "a list"


def _expected(kind: inspect.Type) -> str:
    if isinstance(kind, inspect.Metadata):
        return _expected(kind.type)
    if isinstance(kind, inspect.UnionType):
        named = [_expected(item) for item in kind.types if not isinstance(item, inspect.NoneType)]
        return " or ".join(dict.fromkeys(named))
    if isinstance(kind, inspect.LiteralType):
        return ("one of " if len(kind.values) > 1 else "") + ", ".join(str(value) for value in kind.values)
    if isinstance(kind, inspect.StrType):
        return "a text"
    if isinstance(kind, inspect.IntType):
        return "a whole number"
    if isinstance(kind, inspect.BoolType):
        return "true or false"
    return "a list" if isinstance(kind, inspect.ListType) else "a mapping"


def _mismatch(value: Any, kind: inspect.Type, path: str, problems: list[Problem]) -> None:
    expected = _expected(kind)
    remedy = f"write {expected}"
    if isinstance(value, Fractional):
        remedy = f'write "{value.text[:40]}" in quotes' if "a text" in expected else f"write {expected}"
    elif isinstance(value, (int, bool)) and "a text" in expected:
        remedy = f'write "{str(value).lower()}" in quotes'
    elif isinstance(value, str) and expected in ("a whole number", "true or false"):
        remedy = f"write {expected}, without quotes"
    elif value is None:
        remedy = f"write {expected} behind the colon"
    elif expected == "a list":
        remedy = "write a list: each item on its own line behind a dash"
    _add(problems, path, "type", f"expected {expected}, got {_shown(value)}", remedy)


def _walk(value: Any, kind: inspect.Type, path: str, description: str, problems: list[Problem]) -> None:
    if len(problems) >= _MOST_PROBLEMS:
        return
    match kind:
        case inspect.Metadata():
            about = (kind.extra_json_schema or {}).get("description", description)
            _walk(value, kind.type, path, about, problems)
        case inspect.UnionType():
            _union(value, kind, path, description, problems)
        case inspect.StructType():
            if isinstance(value, dict):
                _struct(value, kind, path, problems)
            else:
                _mismatch(value, kind, path, problems)
        case inspect.ListType():
            if not isinstance(value, list):
                _mismatch(value, kind, path, problems)
                return
            if kind.min_length is not None and len(value) < kind.min_length:
                _add(problems, path, "size", f"at least {kind.min_length} is needed", "add one")
            if kind.max_length is not None and len(value) > kind.max_length:
                _add(problems, path, "size", f"at most {kind.max_length} are allowed", "remove some")
            for index, item in enumerate(value):
                _walk(item, kind.item_type, child_path(path, index), "", problems)
        case inspect.DictType():
            if not isinstance(value, dict):
                _mismatch(value, kind, path, problems)
                return
            for key, item in value.items():
                own = child_path(path, key)
                _walk(key, kind.key_type, own, "", problems)
                _walk(item, kind.value_type, own, "", problems)
        case inspect.LiteralType():
            _literal(value, kind, path, problems)
        case inspect.BoolType():
            if not isinstance(value, bool):
                _mismatch(value, kind, path, problems)
        case inspect.IntType():
            if isinstance(value, bool) or not isinstance(value, int):
                _mismatch(value, kind, path, problems)
            elif kind.ge is not None and value < kind.ge:
                _add(problems, path, "range", f"{value} is below {kind.ge}", f"write {kind.ge} or more")
            elif kind.le is not None and value > kind.le:
                _add(problems, path, "range", f"{value} is above {kind.le}", f"write {kind.le} or less")
        case inspect.StrType():
            if not isinstance(value, str):
                _mismatch(value, kind, path, problems)
            elif kind.pattern is not None and not re.search(kind.pattern, value):
                _add(problems, path, "format", f'"{value[:40]}" is not allowed', f"write a {description}")
            elif kind.pattern is not None and value.endswith("\n"):  # $ would let one line end through
                _add(problems, path, "format", "the text ends with a line end", "remove it")
        case _:  # pragma: no cover - a new kind of type must be taught to this walk
            raise TypeError(f"no rule for {kind}")


def _union(value: Any, kind: inspect.UnionType, path: str, description: str, problems: list[Problem]) -> None:
    options = [item for item in kind.types if not isinstance(item, inspect.NoneType)]
    if value is None and len(options) < len(kind.types):
        return
    structs = [item for item in options if isinstance(item, inspect.StructType)]
    if len(options) == 1:
        _walk(value, options[0], path, description, problems)
    elif structs and len(structs) == len(options):
        _tagged(value, structs, path, problems)
    elif isinstance(value, bool):
        if not any(isinstance(item, inspect.BoolType) for item in options):
            _mismatch(value, kind, path, problems)
    elif not isinstance(value, (str, int)):
        _mismatch(value, kind, path, problems)


def _tagged(value: Any, options: list[inspect.StructType], path: str, problems: list[Problem]) -> None:
    field = options[0].tag_field or "kind"
    tags = {str(option.tag): option for option in options}
    if not isinstance(value, dict):
        remedy = f"write a mapping with {field}: one of {', '.join(tags)}"
        _add(problems, path, "type", f"expected a mapping, got {_shown(value)}", remedy)
        return
    tag = value.get(field)
    if tag is None:
        _add(problems, path, "missing", f"{field} is missing", f"add {field}: one of {', '.join(tags)}")
    elif not isinstance(tag, str) or tag not in tags:
        close = nearest(str(tag), list(tags))
        remedy = f'did you mean "{close}"?' if close is not None else f"use one of {', '.join(tags)}"
        _add(problems, child_path(path, field), "choice", f"{_shown(tag)} is no {field} here", remedy)
    else:
        _struct(value, tags[tag], path, problems)


def _struct(value: dict[str, Any], kind: inspect.StructType, path: str, problems: list[Problem]) -> None:
    fields = {field.encode_name: field for field in kind.fields}
    known = [*([kind.tag_field] if kind.tag_field is not None else []), *fields]
    for key in value:
        if len(problems) >= _MOST_PROBLEMS:
            return
        if key not in known:
            close = nearest(key, known)
            remedy = f'did you mean "{close}"?' if close is not None else f"use one of {', '.join(known)}"
            _add(problems, child_path(path, key), "unknown_key", f'"{key[:60]}" is no setting here', remedy)
    for name, field in fields.items():
        if name in value:
            _walk(value[name], field.type, child_path(path, name), "", problems)
        elif field.required:
            what = _expected(field.type)
            _add(problems, path, "missing", f"{name} is missing", f"add {name}: {what}")


def _literal(value: Any, kind: inspect.LiteralType, path: str, problems: list[Problem]) -> None:
    allowed = list(kind.values)
    if any(type(value) is type(item) and value == item for item in allowed):
        return
    names = [str(item) for item in allowed]
    close = nearest(value, names) if isinstance(value, str) else None
    if close is not None and any(isinstance(item, str) for item in allowed):
        remedy = f'did you mean "{close}"?'
    else:
        remedy = f"write {'one of ' if len(names) > 1 else ''}{', '.join(names)}"
    _add(problems, path, "choice", f"{_shown(value)} is not allowed here", remedy)


Converted = TypeVar("Converted")


def convert(data: Any, document: type[Converted]) -> Converted:
    """Plain data without faults as a document of this type."""
    return msgspec.convert(data, document)
