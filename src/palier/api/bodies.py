"""Reading request bodies: JSON taken strictly, its numbers with decimals kept as the text that was sent."""

from __future__ import annotations

import json
from typing import Any, Final

from django.http import HttpRequest
from ninja.parser import Parser

from palier.activities.wire import MAX_BYTES
from palier.api.problems import Problem
from palier.engine.characters import unseen

MAX_DEPTH: Final = 40


class Number:
    """A JSON number with a fraction or an exponent, as its text: it never becomes a binary fraction."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


class StrictParser(Parser):
    """Reads the bodies of all operations."""

    def parse_body(self, request: HttpRequest) -> Any:
        return read_body(request)


def raw_body(request: HttpRequest, *types: str) -> bytes:
    """The bytes of a body of one of these media types; 413 and 415 problems otherwise."""
    if len(request.body) >= MAX_BYTES:
        raise too_large()
    if request.content_type not in types:
        raise Problem(
            415, "unsupported_media_type", "The body is not of a type that is read here.",
            field="Content-Type", remedy=f"send {' or '.join(types)}",
        )  # fmt: skip
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Problem(
            415, "unsupported_media_type", "A packed body is not read here.",
            field="Content-Encoding", remedy="send the body as it is, without Content-Encoding",
        )  # fmt: skip
    return request.body


def read_body(request: HttpRequest) -> Any:
    """The JSON of a request's body; 400, 413 and 415 problems otherwise."""
    return read_json(raw_body(request, "application/json"))


def too_large() -> Problem:
    """The body is 2 MB or more."""
    return Problem(413, "body_too_large", "A body must be smaller than 2 MB; send less at a time.")


def read_json(raw: bytes) -> Any:
    """The value of a JSON text; a 400 problem for anything else.

    Refused beyond JSON's grammar: NaN and infinities, a name given twice, texts that are no Unicode, and nesting
    deeper than MAX_DEPTH; with the place (422), texts with characters that nobody sees.
    """
    try:
        value = json.loads(
            raw.decode(), parse_float=Number, parse_constant=_no_constant, object_pairs_hook=_object
        )
    except UnicodeDecodeError:
        raise _malformed("it is not UTF-8") from None
    except RecursionError:
        raise _malformed(f"it is nested deeper than {MAX_DEPTH} levels") from None
    except json.JSONDecodeError as error:
        raise _malformed(f"{error.msg.lower()} at line {error.lineno}, column {error.colno}") from None
    except ValueError as error:
        raise _malformed(str(error) if isinstance(error, _NotTaken) else "a number is too long") from None
    _check(value, 0, "")
    return value


class _NotTaken(ValueError):
    """JSON that Python reads and this API does not."""


def _malformed(why: str) -> Problem:
    return Problem(400, "malformed", f"The body cannot be read: {why}.", remedy="send a JSON object in UTF-8")


def _no_constant(text: str) -> Any:
    raise _NotTaken(f"{text} is not JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _NotTaken("an object has a name twice")
    return found


def _check(value: Any, depth: int, place: str) -> None:
    if depth > MAX_DEPTH:
        raise _malformed(f"it is nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, str):
        if not value.isprintable():
            _check_text(value, place)
    elif isinstance(value, dict):
        for name, item in value.items():
            _check(name, depth, place)
            _check(item, depth + 1, f"{place}.{name}" if place else name)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _check(item, depth + 1, f"{place}.{index}" if place else str(index))


def _check_text(value: str, place: str) -> None:
    if not _is_unicode(value):
        raise _malformed("a text is not Unicode")
    if character := unseen(value):
        raise Problem(
            422, "malformed", f"A text holds a character that is not allowed, {character}.",
            field=place[:200], remedy="remove it",
        )  # fmt: skip


def is_text(value: str) -> bool:
    """Whether a text can be stored: Unicode without lone surrogates and without characters that nobody sees."""
    return _is_unicode(value) and not unseen(value)


def _is_unicode(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
