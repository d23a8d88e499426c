"""Characters that no text here holds: nobody sees them, and they change what stands around them.

A terminal obeys them, a log takes them for its own lines, and a word that turns the direction of writing makes the
rest of a sentence say something else (Unicode Technical Report 36, section 2; CVE-2021-42574).
"""

import re
from typing import Final

UNSEEN: Final = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069"
"""Control characters but tabulators and line ends, and those that turn the direction of writing; as in a pattern."""
_UNSEEN: Final = re.compile(f"[{UNSEEN}]")


def readable(text: str) -> str:
    """A text without such characters: for what a person wrote or pasted, who cannot see what to take out."""
    return _UNSEEN.sub("", text)


def unseen(text: str) -> str:
    """The first such character of a text as U+001B; empty where it has none."""
    if text.isprintable():
        return ""
    found = _UNSEEN.search(text)
    return f"U+{ord(found[0]):04X}" if found is not None else ""
