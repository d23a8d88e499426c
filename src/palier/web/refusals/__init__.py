"""What rooms and the engine refuse, said to whoever reads the page: their sentences, by a catalogue of their own."""

from __future__ import annotations

from django.utils.translation import get_language, gettext

from palier.engine.sentences import Sentence, Value, in_words, reason_of


def told(why: Value | BaseException) -> str:
    """A sentence, or what an exception was raised with, in the reader's language: as whole sentences.

    The rooms write refusals as parts of a log line, "there is no column x; name another": here they begin with a
    capital and end with a point.
    """
    text = part(why)
    if not text:
        return ""
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "?", "!")) else f"{text}."


def part(why: Value | BaseException) -> str:
    """The same as a part of a sentence, as the room wrote it."""
    said = reason_of(why) if isinstance(why, BaseException) else why
    if isinstance(said, Sentence) and not said:
        return ""
    language = "fr" if (get_language() or "").startswith("fr") else "en"
    return in_words(said, language, gettext if language == "fr" else None)


__all__ = ["part", "told"]
