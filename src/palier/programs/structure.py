"""Whether plain data has the shape of the document types: every fault, each with its path and a remedy.

The types themselves would stop at the first fault, and cannot name a key inside a mapping; this walks them.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Final, TypeVar

import msgspec
from msgspec import inspect

from palier.engine.characters import UNSEEN
from palier.engine.conditions import Problem, nearest
from palier.engine.document import DECIMAL_FORM
from palier.engine.program import Program
from palier.engine.sentences import Sentence, Value, one_of, sentence
from palier.programs.source import Fractional, child_path

_MOST_PROBLEMS: Final = 100
_FORMS: Final = {
    str(told): told
    for told in (
        sentence("lower-case name, unique in its list"),
        sentence('decimal string, such as "1.50"'),
        sentence("colour, such as #1a7f37"),
        sentence("ISO 3166 code of two capitals, such as FR"),
        sentence("ISO 4217 code of three capitals"),
        sentence("ISO 4217 code"),
        sentence("lower-case name of at most 80 letters, digits and _ . -"),
        sentence("lower-case word of at most 40 letters, digits and _ -"),
        sentence("name of a secret in capitals, such as TOKEN"),
        sentence("origin, such as https://shop.example.org, without a path; http only for localhost"),
        sentence("path of at most five lower-case names, such as food/coffee"),
    )
}
"""What the types say of the form of a text, by which a page can say it in French."""

_PLAIN_NUMBER: Final = re.compile(r"[0-9]+(\.[0-9]+)?", re.ASCII)
_CONTROL: Final = re.compile(rf"[{UNSEEN}\r]")
"""Control characters but tab and line feed: PostgreSQL takes no NUL, and nobody can read the others."""


@cache
def _type(document: type) -> inspect.Type:
    return inspect.type_info(document)


def faults(data: Any, document: type = Program) -> list[Problem]:
    """All structural faults of `data` as a document of this type; empty where it can be converted."""
    problems: list[Problem] = []
    _walk(data, _type(document), "", "", problems)
    return problems[:_MOST_PROBLEMS]


def _add(problems: list[Problem], path: str, code: str, message: Sentence, remedy: Sentence) -> None:
    problems.append(Problem(path, message, remedy, code))


def _shown(value: Any) -> str | Sentence:
    """A value, named for a message."""
    if value is None:
        return sentence("nothing")
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Fractional):
        return sentence("the number %(given)s", given=value.text[:40])
    if isinstance(value, int):
        return sentence("the number %(value)s", value=value)
    if isinstance(value, str):
        return sentence('the text "%(value)s"', value=value[:40])
    return sentence("a mapping") if isinstance(value, dict) else sentence("a list")


def _expected(kind: inspect.Type) -> Value:
    if isinstance(kind, inspect.Metadata):
        return _expected(kind.type)
    if isinstance(kind, inspect.UnionType):
        named = [_expected(item) for item in kind.types if not isinstance(item, inspect.NoneType)]
        return one_of(item for place, item in enumerate(named) if item not in named[:place])
    if isinstance(kind, inspect.LiteralType):
        return _among([str(value) for value in kind.values])
    if isinstance(kind, inspect.StrType):
        return sentence("a text")
    if isinstance(kind, inspect.IntType):
        return sentence("a whole number")
    if isinstance(kind, inspect.BoolType):
        return sentence("true or false")
    return sentence("a list") if isinstance(kind, inspect.ListType) else sentence("a mapping")


def _numeric(kind: inspect.Type) -> bool:
    """Whether a text of this kind is a number: an amount, or what a condition compares with."""
    if isinstance(kind, inspect.UnionType):
        return any(isinstance(item, inspect.IntType) for item in kind.types)
    return isinstance(kind, inspect.StrType) and kind.pattern == DECIMAL_FORM


def _among(names: list[str]) -> Value:
    return sentence("one of %(names)s", names=", ".join(names)) if len(names) > 1 else names[0]


def _mismatch(value: Any, kind: inspect.Type, path: str, problems: list[Problem]) -> None:
    expected = _expected(kind)
    remedy = sentence("write %(expected)s", expected=expected)
    if isinstance(value, Fractional) and not value.is_finite and _numeric(kind):
        expected = sentence("a number")
        remedy = sentence('write a decimal in quotes, such as "1.50"')
    elif isinstance(value, Fractional):
        remedy = (
            sentence('write "%(given)s" in quotes', given=value.text[:40])
            if "a text" in str(expected)
            else sentence("write %(expected)s", expected=expected)
        )
    elif isinstance(value, (int, bool)) and "a text" in str(expected):
        remedy = sentence('write "%(value)s" in quotes', value=str(value).lower())
    elif isinstance(value, str) and str(expected) in ("a whole number", "true or false"):
        remedy = sentence("write %(expected)s, without quotes", expected=expected)
    elif value is None:
        remedy = sentence("write %(expected)s behind the colon", expected=expected)
    elif str(expected) == "a list":
        remedy = sentence("write a list: each item on its own line behind a dash")
    _add(
        problems,
        path,
        "type",
        sentence("expected %(expected)s, got %(value)s", expected=expected, value=_shown(value)),
        remedy,
    )


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
                _add(
                    problems,
                    path,
                    "size",
                    sentence("at least %(min_length)s is needed", min_length=kind.min_length),
                    sentence("add one"),
                )
            if kind.max_length is not None and len(value) > kind.max_length:
                _add(
                    problems,
                    path,
                    "size",
                    sentence("at most %(max_length)s are allowed", max_length=kind.max_length),
                    sentence("remove some"),
                )
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
                _add(
                    problems,
                    path,
                    "range",
                    sentence("%(value)s is below %(ge)s", value=value, ge=kind.ge),
                    sentence("write %(ge)s or more", ge=kind.ge),
                )
            elif kind.le is not None and value > kind.le:
                _add(
                    problems,
                    path,
                    "range",
                    sentence("%(value)s is above %(le)s", value=value, le=kind.le),
                    sentence("write %(le)s or less", le=kind.le),
                )
        case inspect.StrType():
            if not isinstance(value, str):
                _mismatch(value, kind, path, problems)
            elif not _readable(value, path, problems):
                return
            elif kind.pattern is not None and not re.search(kind.pattern, value):
                _add(
                    problems,
                    path,
                    "format",
                    sentence('"%(value)s" is not allowed', value=value[:40]),
                    _form(value, kind.pattern, description),
                )
            elif kind.pattern is not None and value.endswith("\n"):  # $ would let one line end through
                _add(
                    problems, path, "format", sentence("the text ends with a line end"), sentence("remove it")
                )
        case _:  # pragma: no cover - a new kind of type must be taught to this walk
            raise TypeError(f"no rule for {kind}")


def _readable(value: str, path: str, problems: list[Problem]) -> bool:
    """Whether a text holds no control character; if it does, a problem."""
    found = _CONTROL.search(value)
    if found is None:
        return True
    message = sentence("the text holds a control character, %(code)s", code=f"U+{ord(found[0]):04X}")
    _add(problems, path, "format", message, sentence("remove it"))
    return False


def _form(value: str, pattern: str, description: str) -> Sentence:
    """How a text that is not allowed is written."""
    if not description:
        return sentence("write it in the form %(pattern)s", pattern=pattern)
    if pattern == DECIMAL_FORM and _PLAIN_NUMBER.fullmatch(value):
        return sentence("write at most 13 digits before the point and at most 6 behind it")
    told = _FORMS.get(description, description)
    if description[:1] in "AEIOaeio":
        return sentence("write an %(description)s", description=told)
    return sentence("write a %(description)s", description=told)


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
    elif isinstance(value, str):
        _readable(value, path, problems)
    elif not isinstance(value, int):
        _mismatch(value, kind, path, problems)


def _tagged(value: Any, options: list[inspect.StructType], path: str, problems: list[Problem]) -> None:
    field = options[0].tag_field or "kind"
    tags = {str(option.tag): option for option in options}
    if not isinstance(value, dict):
        remedy = sentence(
            "write a mapping with %(field)s: one of %(names)s", field=field, names=", ".join(tags)
        )
        _add(
            problems, path, "type", sentence("expected a mapping, got %(value)s", value=_shown(value)), remedy
        )
        return
    tag = value.get(field)
    if tag is None:
        _add(
            problems,
            path,
            "missing",
            sentence("%(field)s is missing", field=field),
            sentence("add %(field)s: one of %(names)s", field=field, names=", ".join(tags)),
        )
    elif not isinstance(tag, str) or tag not in tags:
        _add(
            problems,
            child_path(path, field),
            "choice",
            sentence("%(tag)s is no %(field)s here", tag=_shown(tag), field=field),
            _instead(str(tag), list(tags)),
        )
    else:
        _struct(value, tags[tag], path, problems)


def _instead(written: str, names: list[str]) -> Sentence:
    """What to write in place of a name that is not known: the nearest one, or one of all."""
    close = nearest(written, names)
    if close is not None:
        return sentence('did you mean "%(close)s"?', close=close)
    return sentence("use one of %(names)s", names=", ".join(names))


def _struct(value: dict[str, Any], kind: inspect.StructType, path: str, problems: list[Problem]) -> None:
    fields = {field.encode_name: field for field in kind.fields}
    known = [*([kind.tag_field] if kind.tag_field is not None else []), *fields]
    for key in value:
        if len(problems) >= _MOST_PROBLEMS:
            return
        if key not in known:
            _add(
                problems,
                child_path(path, key),
                "unknown_key",
                sentence('"%(key)s" is no setting here', key=key[:60]),
                _instead(key, known),
            )
    for name, field in fields.items():
        if name in value:
            _walk(value[name], field.type, child_path(path, name), "", problems)
        elif field.required:
            what = _expected(field.type)
            _add(
                problems,
                path,
                "missing",
                sentence("%(name)s is missing", name=name),
                sentence("add %(name)s: %(what)s", name=name, what=what),
            )


def _literal(value: Any, kind: inspect.LiteralType, path: str, problems: list[Problem]) -> None:
    allowed = list(kind.values)
    if any(type(value) is type(item) and value == item for item in allowed):
        return
    names = [str(item) for item in allowed]
    close = nearest(value, names) if isinstance(value, str) else None
    if close is not None and any(isinstance(item, str) for item in allowed):
        remedy = sentence('did you mean "%(close)s"?', close=close)
    else:
        remedy = sentence("write %(expected)s", expected=_among(names))
    _add(problems, path, "choice", sentence("%(value)s is not allowed here", value=_shown(value)), remedy)


Converted = TypeVar("Converted")


def convert(data: Any, document: type[Converted]) -> Converted:
    """Plain data without faults as a document of this type."""
    return msgspec.convert(data, document)
