"""Sentences that can be said again in another language: the English text, and what stands in its places.

Whoever refuses something says so by `sentence("there is no %(what)s", what=...)`. As text it is English, for logs, the
command line and programs; a page that has a reader says the same by its catalogue (`in_words`). The English text is
the name of the sentence there, so it holds no value itself, only places for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, Union

import msgspec
from msgspec import Struct

Saying = Callable[[str], str]
"""What gives the text of another language for an English one, its places kept."""


class Sentence(Struct, frozen=True, tag="sentence"):
    """A sentence, or a part of one: its English text with places such as %(key)s, and what stands in them."""

    text: str
    values: dict[str, Value] = {}

    def __str__(self) -> str:
        return in_words(self)

    def __bool__(self) -> bool:
        return bool(self.text)


class Thousands(Struct, frozen=True, tag="thousands"):
    """A large number, written in groups of three digits."""

    number: int


class Begun(Struct, frozen=True, tag="begun"):
    """What a sentence begins with: a part that is told with a capital."""

    part: Value


class Both(Struct, frozen=True, tag="both"):
    """What whoever says it has in both languages itself."""

    english: str
    french: str


class Advised:
    """What is told with a remedy, by its sentences `said` and `advice`; both in English as well."""

    __slots__ = ()
    said: Sentence
    advice: Sentence

    @property
    def message(self) -> str:
        """What is wrong, in English."""
        return str(self.said)

    @property
    def remedy(self) -> str:
        """What to do about it, in English; "" where nothing can be done."""
        return str(self.advice)


Value = Union[str, int, Sentence, Thousands, Begun, Both]  # noqa: UP007 - read before the names are known
NOTHING: Final = Sentence("")
"""What is said where there is nothing to say."""


def sentence(text: str, /, **values: object) -> Sentence:
    """A sentence of English text and what stands in its places; a guard holds that each text has its French.

    An exception stands for the sentence it was raised with; whatever else is no text is written as it prints.
    """
    return Sentence(text, {name: _value(value) for name, value in values.items()})


OF_THE_SYSTEM: Final = (
    sentence("No such file or directory"),
    sentence("Permission denied"),
    sentence("Is a directory"),
    sentence("Not a directory"),
    sentence("File exists"),
    sentence("No space left on device"),
    sentence("Read-only file system"),
    sentence("Address already in use"),
)
"""Reasons that the system gives in English, as they are: so that their French is in the catalogue too."""


def in_words(told: Value, language: str = "en", saying: Saying | None = None) -> str:
    """A sentence in a language, "en" or "fr", by a catalogue of that language; what stands in its places too."""
    match told:
        case Thousands():
            return f"{told.number:,}".replace(",", "\u202f") if language == "fr" else f"{told.number:,}"
        case Begun():
            text = in_words(told.part, language, saying)
            return f"{text[:1].upper()}{text[1:]}"
        case Both():
            return told.french if language == "fr" else told.english
        case Sentence():
            text = told.text if saying is None or not told.text else saying(told.text)
            if not told.values:
                return text
            return text % {
                name: in_words(value, language, saying) if isinstance(value, Struct) else value
                for name, value in told.values.items()
            }
    return str(told)


def whole(said: Value | BaseException, advice: Value = "") -> Sentence:
    """What is wrong and what to do about it, where there is something, as a sentence of its own."""
    begun = Begun(_value(said))
    if not advice:
        return sentence("%(begun)s.", begun=begun)
    return sentence("%(begun)s; %(advice)s.", begun=begun, advice=advice)


def all_of(parts: Iterable[Value]) -> Value:
    """Names in a row, the last two with "and" between them."""
    return _joined(
        list(parts), lambda first, last: sentence("%(first)s and %(last)s", first=first, last=last)
    )


def one_of(parts: Iterable[Value]) -> Value:
    """Names in a row, the last two with "or" between them."""
    return _joined(list(parts), lambda first, last: sentence("%(first)s or %(last)s", first=first, last=last))


def changed(told: Sentence, change: Callable[[str], str]) -> Sentence:
    """The same sentence with every text in its places changed so."""
    values: dict[str, Value] = {}
    for name, value in told.values.items():
        if isinstance(value, Sentence):
            values[name] = changed(value, change)
        else:
            values[name] = change(value) if isinstance(value, str) else value
    return Sentence(told.text, values)


def packed(told: Sentence) -> str:
    """A sentence as a line of text that is kept, to be read by `unpacked`."""
    return msgspec.json.encode(told).decode()


def unpacked(text: str) -> Sentence:
    """What was kept of a sentence; text that is none, of an older release, is said as it is."""
    if not text:
        return NOTHING
    try:
        return msgspec.json.decode(text, type=Sentence)
    except msgspec.MsgspecError:
        return Sentence("%(error)s", {"error": text})


def reason_of(error: BaseException) -> Sentence:
    """What an exception says: the sentence it was raised with, the reason that the system gave, or else its text."""
    first = error.args[0] if len(error.args) == 1 else None
    if isinstance(error, OSError) and error.strerror:
        return Sentence(error.strerror)
    return first if isinstance(first, Sentence) else Sentence("%(error)s", {"error": str(error)})


def _value(given: object) -> Value:
    if isinstance(given, str | int | Sentence | Thousands | Begun | Both):
        return given
    return reason_of(given) if isinstance(given, BaseException) else str(given)


def _joined(parts: list[Value], joint: Callable[[Value, Value], Sentence]) -> Value:
    if not parts:
        return ""
    found = parts[0]
    for place, part in enumerate(parts[1:], 2):
        last = place == len(parts)
        found = joint(found, part) if last else sentence("%(first)s, %(last)s", first=found, last=part)
    return found
