"""Numbers as people type them, in the language of their page."""

from __future__ import annotations

import re
from typing import Final

from django.utils.translation import get_language

_SPACES: Final = re.compile(r"\s")
_GROUPED: Final = re.compile(r"[-+]?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?", re.ASCII)
_UNCLEAR: Final = re.compile(r"[-+]?[1-9][0-9]*,[0-9]{3}", re.ASCII)


def typed(text: str) -> str:
    """A number with a point and without groups: "1 234,5" and, in English, "1,234.5" are "1234.5".

    A comma before three digits is a thousand to some and a thousandth to others: elsewhere than in English such a text
    stays as it is, which is no number. So does whatever else is none.
    """
    plain = _SPACES.sub("", text)
    if (get_language() or "en").startswith("en") and _GROUPED.fullmatch(plain):
        return plain.replace(",", "")
    return plain if _UNCLEAR.fullmatch(plain) else plain.replace(",", ".")
