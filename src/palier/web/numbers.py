"""Numbers as people type them, in the language of their page."""

from __future__ import annotations

import re
from typing import Final

from django.utils.translation import get_language

_SPACES: Final = re.compile(r"\s")
_GROUPED: Final = re.compile(r"[-+]?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?", re.ASCII)
_UNCLEAR: Final = re.compile(r"[-+]?[1-9][0-9]*,[0-9]{3}", re.ASCII)
_POINTED: Final = re.compile(r"[-+]?[1-9][0-9]{0,2}\.[0-9]{3}", re.ASCII)


def typed(text: str, decimals: int) -> str:
    """A number with a point and without groups: "1 234,5" and, in English, "1,234.5" are "1234.5".

    A comma before three digits is a thousand to some and a thousandth to others: elsewhere than in English such a text
    has a comma still, which is no number. So has "10.000" where a number has fewer `decimals` than three: nobody writes
    ten so, and many write ten thousand. Whatever else is no number stays as it is.
    """
    plain = _SPACES.sub("", text)
    if decimals < 3 and _POINTED.fullmatch(plain):
        return plain.replace(".", ",")
    if (get_language() or "en").startswith("en") and _GROUPED.fullmatch(plain):
        return plain.replace(",", "")
    return plain if _UNCLEAR.fullmatch(plain) else plain.replace(",", ".")
