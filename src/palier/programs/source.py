"""YAML and JSON text as plain data that knows the line of each of its values.

YAML is read by its 1.2 core rules, so that `on:` is the word on, 18:00 a text and 2026-01-01 a text.
Numbers with a fraction are kept as they were written (`Fractional`): the types take none, and the remedy
can then quote the very text. Anchors, aliases and tags are refused, for a document of theirs can be small on
disk and huge in memory; so are duplicate keys, which other readers drop without a word.
"""

from __future__ import annotations

import re
from json import JSONDecodeError, JSONDecoder
from typing import Any, Final

import yaml
from msgspec import Struct

from palier.engine.sentences import Advised, Sentence, Thousands, sentence

MAX_BYTES: Final = 1_000_000
MAX_DEPTH: Final = 100

_MISWRITTEN: Final = {
    str(told): told
    for told in (
        sentence("mapping values are not allowed in this context"),
        sentence("block sequence entries are not allowed in this context"),
        sentence("could not find expected ':'"),
        sentence("did not find expected key"),
        sentence("did not find expected '-' indicator"),
        sentence("did not find expected ',' or ']'"),
        sentence("did not find expected ',' or '}'"),
        sentence("did not find expected node content"),
        sentence("did not find expected <document start>"),
        sentence("found unexpected end of stream"),
        sentence("found unexpected document indicator"),
        sentence("found character that cannot start any token"),
        sentence("found unknown escape character"),
    )
}
"""What the reader of YAML says of text that it cannot read."""

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C parser where it was built
_INTEGER: Final = re.compile(r"[-+]?[0-9]+", re.ASCII)
_FRACTIONAL: Final = re.compile(
    r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", re.ASCII
)
_JSON_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?", re.ASCII)
_JSON_SPACE: Final = re.compile(r"[ \t\n\r]*")
_LINE_END: Final = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_LONGEST_INTEGER: Final = 19
_json_text: Final = JSONDecoder().raw_decode


class Fractional(Struct, frozen=True):
    """A number that is no plain integer, as it was written."""

    text: str

    @property
    def is_finite(self) -> bool:
        """Whether it is a number at all, neither .inf nor .nan."""
        return any(digit in self.text for digit in "0123456789")


class Place(Struct, frozen=True):
    """A place in a file: 1-based line and column."""

    line: int
    column: int


class SourceError(Advised, Exception):
    """Text that cannot be read at all: the path and place reached, what is wrong, and the remedy."""

    def __init__(self, path: str, place: Place, said: Sentence, advice: Sentence) -> None:
        super().__init__(said)
        self.path, self.place, self.said, self.advice = path, place, said, advice


class Source(Struct, frozen=True):
    """Plain data and the place of each path in it, such as "rules[2].when"; "" is the whole document."""

    data: Any
    places: dict[str, Place]

    def place(self, path: str) -> Place:
        """The place of the path, or of the nearest part around it that was written."""
        while path and path not in self.places:
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return self.places.get(path, Place(1, 1))


def child_path(path: str, name: str | int) -> str:
    """The path of a key or an item."""
    if isinstance(name, int):
        return f"{path}[{name}]"
    return f"{path}.{name}" if path else name


def _decoded(raw: bytes) -> str:
    if len(raw) > MAX_BYTES:
        message = sentence(
            "the document has %(count)s bytes; at most %(max_bytes)s are read",
            count=Thousands(len(raw)),
            max_bytes=Thousands(MAX_BYTES),
        )
        raise SourceError("", Place(1, 1), message, sentence("shorten it"))
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise SourceError(
            "", Place(line, 1), sentence("the text is not UTF-8"), sentence("save the file as UTF-8")
        ) from None


# --- YAML ---------------------------------------------------------------------------------------------


class _Open:
    """A mapping or sequence being read, and, in a mapping, the key whose value comes next."""

    __slots__ = ("data", "key", "path")

    def __init__(self, data: dict[str, Any] | list[Any], path: str) -> None:
        self.data = data
        self.path = path
        self.key: str | None = None


def read_yaml(raw: bytes) -> Source:
    """One YAML document. Raises SourceError."""
    text = _decoded(raw)
    places: dict[str, Place] = {}
    open_parts: list[_Open] = []
    roots: list[Any] = []
    path = ""
    try:
        for event in yaml.parse(text, Loader=_Loader):
            mark = event.start_mark
            place = Place(mark.line + 1, mark.column + 1) if mark is not None else Place(1, 1)
            if isinstance(event, yaml.DocumentStartEvent) and roots:
                raise SourceError(
                    "",
                    place,
                    sentence("there is a second document"),
                    sentence("put each program in its own file"),
                )
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
                message = sentence("anchors (&) and aliases (*) are not read")
                raise SourceError(
                    _here(open_parts), place, message, sentence("write the value out, or quote the text")
                )
            if isinstance(event, yaml.CollectionEndEvent):
                open_parts.pop()
                continue
            if not isinstance(event, yaml.NodeEvent):
                continue
            if event.tag is not None:  # type: ignore[attr-defined]
                message = sentence("tags (!) are not read")
                raise SourceError(
                    _here(open_parts), place, message, sentence("leave the tag out, or quote the text")
                )
            parent = open_parts[-1] if open_parts else None
            if parent is not None and isinstance(parent.data, dict) and parent.key is None:
                parent.key = _key(event, parent, place, places)
                continue
            path = _here(open_parts)
            places.setdefault(path, place)
            value: Any
            if isinstance(event, yaml.ScalarEvent):
                value = unquoted(event.value) if event.implicit[0] else event.value
            else:
                value = {} if isinstance(event, yaml.MappingStartEvent) else []
            if parent is None:
                roots.append(value)
            elif isinstance(parent.data, dict):
                parent.data[parent.key or ""] = value
                parent.key = None
            else:
                parent.data.append(value)
            if not isinstance(event, yaml.ScalarEvent):
                if len(open_parts) >= MAX_DEPTH:
                    message = sentence(
                        "the document is nested more than %(max_depth)s deep", max_depth=MAX_DEPTH
                    )
                    raise SourceError(path[:120], place, message, sentence("flatten it"))
                open_parts.append(_Open(value, path))
    except yaml.MarkedYAMLError as error:
        found = error.problem_mark or error.context_mark
        place = Place(found.line + 1, found.column + 1) if found is not None else Place(1, 1)
        if found is not None and _character_at(text, found) == "\t":
            message = sentence("there is a tab where YAML takes spaces only")
            raise SourceError(
                _here(open_parts), place, message, sentence("indent with spaces, two for each level")
            ) from None
        problem = error.problem or error.context or "it cannot be read"
        message = sentence("this is not YAML: %(problem)s", problem=_MISWRITTEN.get(problem, problem))
        remedy = sentence("check the indentation, colons and quotes of this line and the one before")
        raise SourceError(_here(open_parts), place, message, remedy) from None
    except yaml.YAMLError as error:
        line = text.count("\n", 0, getattr(error, "position", 0)) + 1
        message = sentence("the text holds a character that YAML does not allow")
        raise SourceError("", Place(line, 1), message, sentence("remove control characters")) from None
    if not roots or roots[0] is None:
        raise SourceError(
            "", Place(1, 1), sentence("the document is empty"), sentence("write at least palier: 1 and a key")
        )
    return Source(roots[0], places)


def _character_at(text: str, mark: yaml.Mark) -> str:
    """The character that a reader's mark points at; "" at the end of a line."""
    lines = _LINE_END.split(text)
    return lines[mark.line][mark.column : mark.column + 1] if mark.line < len(lines) else ""


def _here(open_parts: list[_Open]) -> str:
    """The path of the value that comes next."""
    if not open_parts:
        return ""
    part = open_parts[-1]
    if isinstance(part.data, list):
        return child_path(part.path, len(part.data))
    return part.path if part.key is None else child_path(part.path, part.key)


def _key(event: yaml.NodeEvent, parent: _Open, place: Place, places: dict[str, Place]) -> str:
    if not isinstance(event, yaml.ScalarEvent):
        raise SourceError(
            parent.path, place, sentence("a key is not a text"), sentence("put the {braces} in quotes")
        )
    key: str = event.value
    path = child_path(parent.path, key)
    if key in parent.data:
        first = places[path].line
        message = sentence('"%(key)s" is there already, in line %(first)s', key=key[:60], first=first)
        raise SourceError(path, place, message, sentence("keep one of the two"))
    places[path] = place  # errors about a setting point at its key
    return key


def unquoted(text: str) -> Any:
    """A scalar without quotes, by the YAML 1.2 core rules."""
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text in ("true", "True", "TRUE"):
        return True
    if text in ("false", "False", "FALSE"):
        return False
    if _INTEGER.fullmatch(text):
        return int(text) if len(text) <= _LONGEST_INTEGER else Fractional(text)
    return Fractional(text) if _FRACTIONAL.fullmatch(text) else text


# --- JSON ---------------------------------------------------------------------------------------------


def read_json(raw: bytes) -> Source:
    """One JSON document (RFC 8259). Raises SourceError."""
    return _JsonReader(_decoded(raw)).document()


class _JsonReader:
    """A JSON reader that keeps places; the standard library's forgets them."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.places: dict[str, Place] = {}
        self.line = 1
        self.line_start = 0
        self.counted = 0

    def document(self) -> Source:
        self.space()
        data = self.value("", 0)
        self.space()
        if self.at < len(self.text):
            raise self.wrong(
                "", sentence("there is text after the end of the document"), sentence("remove it")
            )
        return Source(data, self.places)

    def place(self) -> Place:
        newlines = self.text.count("\n", self.counted, self.at)
        if newlines:
            self.line += newlines
            self.line_start = self.text.rfind("\n", self.counted, self.at) + 1
        self.counted = self.at
        return Place(self.line, self.at - self.line_start + 1)

    def wrong(self, path: str, message: Sentence, remedy: Sentence) -> SourceError:
        return SourceError(path, self.place(), message, remedy)

    def space(self) -> None:
        found = _JSON_SPACE.match(self.text, self.at)
        self.at = found.end() if found is not None else self.at

    def expect(self, path: str, character: str, what: Sentence) -> None:
        self.space()
        if self.text[self.at : self.at + 1] != character:
            raise self.wrong(
                path,
                sentence("this is not JSON: %(what)s is missing", what=what),
                sentence("write %(character)s here", character=character),
            )
        self.at += 1
        self.space()

    def string(self, path: str) -> str:
        try:
            found, self.at = _json_text(self.text, self.at)
        except JSONDecodeError as error:
            self.at = error.pos
            raise self.wrong(
                path,
                sentence("this is not JSON: %(msg)s", msg=error.msg),
                sentence("close or escape the text"),
            ) from None
        value = str(found)
        try:
            value.encode()
        except UnicodeEncodeError:
            raise self.wrong(
                path, sentence("the text holds half a surrogate pair"), sentence("remove the broken escape")
            ) from None
        return value

    def value(self, path: str, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise self.wrong(
                path[:120],
                sentence("the document is nested more than %(max_depth)s deep", max_depth=MAX_DEPTH),
                sentence("flatten it"),
            )
        self.places.setdefault(path, self.place())
        first = self.text[self.at : self.at + 1]
        if first == "{":
            return self.mapping(path, depth)
        if first == "[":
            return self.sequence(path, depth)
        if first == '"':
            return self.string(path)
        for word, value in (("true", True), ("false", False), ("null", None)):
            if self.text.startswith(word, self.at):
                self.at += len(word)
                return value
        number = _JSON_NUMBER.match(self.text, self.at)
        if number is None:
            raise self.wrong(
                path,
                sentence("this is not JSON: a value is missing"),
                sentence("write a value, texts in double quotes"),
            )
        self.at = number.end()
        text = number.group()
        return int(text) if _INTEGER.fullmatch(text) and len(text) <= _LONGEST_INTEGER else Fractional(text)

    def mapping(self, path: str, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        self.expect(path, "{", sentence("an opening brace"))
        while self.text[self.at : self.at + 1] != "}":
            if found:
                self.expect(path, ",", sentence("a comma"))
            if self.text[self.at : self.at + 1] != '"':
                raise self.wrong(
                    path,
                    sentence("this is not JSON: a key is missing"),
                    sentence("write a key in double quotes"),
                )
            place = self.place()
            key = self.string(path)
            own = child_path(path, key)
            if key in found:
                message = sentence(
                    '"%(key)s" is there already, in line %(line)s', key=key[:60], line=self.places[own].line
                )
                raise SourceError(own, place, message, sentence("keep one of the two"))
            self.places[own] = place
            self.expect(own, ":", sentence("a colon"))
            found[key] = self.value(own, depth + 1)
            self.space()
        self.at += 1
        return found

    def sequence(self, path: str, depth: int) -> list[Any]:
        found: list[Any] = []
        self.expect(path, "[", sentence("an opening bracket"))
        while self.text[self.at : self.at + 1] != "]":
            if found:
                self.expect(path, ",", sentence("a comma"))
            found.append(self.value(child_path(path, len(found)), depth + 1))
            self.space()
        self.at += 1
        return found
