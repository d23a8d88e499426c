"""What rooms refuse, told in the reader's language: they say it in English, for logs and integrations."""

from __future__ import annotations

import re
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

KNOWN: Final[tuple[tuple[str, Promise], ...]] = (
    (r"A draft needs a name", _("A draft needs a name, so that others know what it is for.")),
    (
        r"The name has (?P<count>\d+) letters",
        _("The name has %(count)s letters; a draft's name has at most 80."),
    ),
    (
        r"The document has (?P<count>[\d,]+) bytes",
        _("The text has %(count)s bytes; at most 1,000,000 are kept."),
    ),
    (r"The document holds a character", _("The text holds a character that no text has. Remove it.")),
    (r"There are (?P<count>\d+) drafts already", _("There are %(count)s drafts already; put one away.")),
    (r"This draft was discarded", _("This draft was put away. Begin another one.")),
    (
        r"The draft cannot be published yet: line (?P<line>\d+)",
        _("The draft has an error at line %(line)s; mend it, then publish."),
    ),
    (
        r"The draft says key: (?P<key>[a-z0-9_]+)",
        _("The key of the draft is “%(key)s”: it is the key of another program. Write this program's key."),
    ),
    (
        r"effective_from .* is past",
        _("This day has passed, and what happened since was judged already. Choose a later one, or now."),
    ),
    (
        r"currency cannot change from (?P<old>\w+) to (?P<new>\w+)",
        _("The money cannot change from %(old)s to %(new)s: recorded amounts would change their meaning."),
    ),
    (
        r"point currency (?P<key>\w+) cannot be removed",
        _("The points “%(key)s” cannot be removed: members may hold them. Remove the rules that bring them."),
    ),
    (
        r"scale of (?P<key>\w+) cannot change",
        _("The decimals of “%(key)s” cannot change: recorded amounts would change their meaning."),
    ),
    (
        r"Another version .* at the same moment",
        _("Another version was published at the same moment. Look again."),
    ),
    (r"(?P<count>\d+) backtests wait", _("%(count)s backtests wait or run already. Wait until one is done.")),
    (r".* has no version (?P<number>\d+)", _("There is no version %(number)s.")),
)
"""Pattern of a refusal -> what it says; the first that fits."""


def said(refused: object, language: str) -> str:
    """A refusal in the reader's language; one that is not known here as it was said."""
    text = str(refused)
    if language != "fr":
        return text
    for pattern, told in KNOWN:
        found = re.match(pattern, text)
        if found is not None:
            return str(told) % found.groupdict()
    return text


__all__ = ["KNOWN", "said"]
