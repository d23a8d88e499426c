"""Program documents as files: read with every problem's place, written so that people can read them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import yaml
from msgspec import Struct

from palier.engine.check import check
from palier.engine.conditions import Problem
from palier.engine.program import Program
from palier.engine.sentences import Advised, Sentence
from palier.programs.source import (
    MAX_BYTES,
    Fractional,
    Place,
    Source,
    SourceError,
    read_json,
    read_yaml,
    unquoted,
)
from palier.programs.structure import convert, faults

Format = Literal["yaml", "json"]
WIDTH: Final = 110
FLOW: Final = 90
_TEXT_TAG: Final = "tag:yaml.org,2002:str"


class DocumentProblem(Struct, Advised, frozen=True):
    """A problem of a document and its place: 1-based line and column, 0 where there is no text."""

    path: str
    line: int
    column: int
    said: Sentence
    advice: Sentence
    code: str
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        return f"{where}{self.message}. {self.remedy[:1].upper()}{self.remedy[1:]}"


class Document(Struct, frozen=True):
    """What was read: the program (None where there is an error), all problems, the places of its parts."""

    program: Program | None
    problems: tuple[DocumentProblem, ...]
    places: dict[str, Place]

    @property
    def errors(self) -> tuple[DocumentProblem, ...]:
        """The problems that keep the document from being published."""
        return tuple(problem for problem in self.problems if problem.severity == "error")


def read(source: Path | str | bytes, format: Format | None = None, *, now: int | None = None) -> Document:
    """A document from a file (a path) or from text (bytes).

    `format` defaults to json for a path that ends in .json and for bytes that start with a brace, else yaml. `now` is
    when the version would start, where the document does not say.
    Nothing is raised for bad content: the problems say what is wrong, all of them where the text can be read.
    Raises OSError where the file cannot be opened.
    """
    if isinstance(source, bytes):
        raw = source
        format = format or ("json" if raw.lstrip()[:1] == b"{" else "yaml")
    else:
        path = Path(source)
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
        format = format or ("json" if path.suffix.lower() == ".json" else "yaml")
    found = source_of(raw, format)
    return Document(None, (found,), {}) if isinstance(found, DocumentProblem) else _judged(found, now)


def source_of(raw: bytes, format: Format) -> Source | DocumentProblem:
    """The plain data of a text with its places, or what keeps it from being read."""
    try:
        return read_json(raw) if format == "json" else read_yaml(raw)
    except SourceError as error:
        place = error.place
        return DocumentProblem(error.path, place.line, place.column, error.said, error.advice, "unreadable")


def from_builtins(data: Any) -> Document:
    """A document from plain data, such as a decoded form; its problems have no line."""
    return _judged(Source(data, {}))


def _judged(source: Source, now: int | None = None) -> Document:
    found = faults(source.data)
    program = None
    if not found:
        program = convert(source.data, Program)
        found = check(program, now)
    problems = tuple(placed(problem, source) for problem in found)
    if any(problem.severity == "error" for problem in problems):
        program = None
    return Document(program, problems, source.places)


def placed(problem: Problem, source: Source) -> DocumentProblem:
    """A problem with the place of what it is about."""
    place = source.place(problem.path) if source.places else Place(0, 0)
    return DocumentProblem(
        problem.path,
        place.line,
        place.column,
        problem.said,
        problem.advice,
        problem.code,
        problem.severity,
    )


class _Top(dict[str, Any]):
    """The outermost mapping, never written on one line."""


class _TopList(list[Any]):
    """The outermost list, never written on one line."""


class _Dumper(yaml.SafeDumper):
    """Writes texts that any YAML reader would take for something else in quotes, but `on`, a key of rules."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
        if kind is yaml.ScalarNode and value == "on" and implicit[0]:
            return _TEXT_TAG
        return super().resolve(kind, value, implicit)  # type: ignore[no-untyped-call]

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> Any:
        return super().increase_indent(flow, False)

    def represent_text(self, text: str) -> yaml.ScalarNode:
        # Readers of YAML 1.1 and of 1.2 take different texts for numbers: quote what either would.
        plain = self.resolve(yaml.ScalarNode, text, (True, False)) == _TEXT_TAG and unquoted(text) == text
        return yaml.ScalarNode(_TEXT_TAG, text, style=None if plain and "\n" not in text else '"')

    def represent_fractional(self, value: Fractional) -> yaml.ScalarNode:
        return yaml.ScalarNode("tag:yaml.org,2002:float", value.text)

    def represent_collection(self, data: Any) -> yaml.Node:
        """A small collection of plain values goes on one line, any other on several."""
        if isinstance(data, dict):
            node: Any = self.represent_dict(data)
            parts = [part for pair in node.value for part in pair]
        else:
            node = self.represent_list(data)
            parts = node.value
        short = sum(len(part.value) + 4 for part in parts if isinstance(part, yaml.ScalarNode)) <= FLOW
        plain = all(isinstance(part, yaml.ScalarNode) for part in parts)
        node.flow_style = short and plain and not isinstance(data, (_Top, _TopList))
        found: yaml.Node = node
        return found


_Dumper.add_representer(str, _Dumper.represent_text)
_Dumper.add_representer(_Top, _Dumper.represent_collection)
_Dumper.add_representer(dict, _Dumper.represent_collection)
_Dumper.add_representer(list, _Dumper.represent_collection)
_Dumper.add_representer(_TopList, _Dumper.represent_collection)
_Dumper.add_representer(Fractional, _Dumper.represent_fractional)


class _FlowDumper(_Dumper):
    """Writes everything on one line."""

    def represent_collection(self, data: Any) -> yaml.Node:
        node: Any = self.represent_dict(data) if isinstance(data, dict) else self.represent_list(data)
        node.flow_style = True
        found: yaml.Node = node
        return found


_FlowDumper.add_representer(dict, _FlowDumper.represent_collection)
_FlowDumper.add_representer(list, _FlowDumper.represent_collection)


def _written(value: Any) -> Any:
    """A document part as plain data without what is default, so that an export shows what was chosen."""
    if isinstance(value, Struct):
        config = value.__struct_config__
        data: dict[str, Any] = {config.tag_field: config.tag} if config.tag_field is not None else {}
        for field in msgspec.structs.fields(value):
            item = getattr(value, field.name)
            if field.default is not msgspec.NODEFAULT and item == field.default:
                continue
            if field.default_factory is not msgspec.NODEFAULT and item == field.default_factory():
                continue
            data[field.encode_name] = _written(item)
        return data
    if isinstance(value, dict):
        return {key: _written(item) for key, item in value.items()}
    return [_written(item) for item in value] if isinstance(value, list) else value


def write(document: Struct) -> str:
    """The document as YAML, in the order of its types, defaults left out. `read` gives a program back."""
    parts = []
    for key, value in _written(document).items():
        part = _Top({key: value})
        text = yaml.dump(part, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=WIDTH)
        parts.append(f"\n{text}" if text.count("\n") > 1 else text)
    return "".join(parts)


def write_plain(data: dict[str, Any]) -> str:
    """A document that is plain data, and perhaps no valid program, as YAML: settings in the order they are in."""
    parts: list[str] = []
    for key, value in data.items():
        text = write_block(_Top({key: value}))
        parts.append(f"\n{text}" if text.count("\n") > 1 and parts else text)
    return "".join(parts)


def write_block(value: Any) -> str:
    """A value as lines of YAML, its own entries each on a line of its own."""
    top = _Top(value) if isinstance(value, dict) else _TopList(value) if isinstance(value, list) else value
    found: str = yaml.dump(top, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=WIDTH)
    return found


def on_one_line(value: Any) -> str:
    """A value as YAML on one line, however long."""
    found: str = yaml.dump(value, Dumper=_FlowDumper, sort_keys=False, allow_unicode=True, width=10**9)
    return found.removesuffix("\n").removesuffix("\n...")


def write_json(document: Struct) -> str:
    """The document as indented JSON, in the order of its types, defaults left out."""
    return msgspec.json.format(msgspec.json.encode(_written(document)), indent=2).decode() + "\n"
