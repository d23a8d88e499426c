"""The French of the pages: what templates and code say, gathered, compared with the catalogue, compiled.

`python -m tests.web.messages` brings the catalogue up to date (new sayings come in empty, those that are gone leave)
and compiles it; a guard fails while one is missing, empty or not compiled.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

PAGES = Path(__file__).parents[2] / "src" / "palier" / "web"
PO = PAGES / "locale" / "fr" / "LC_MESSAGES" / "django.po"
MO = PO.with_suffix(".mo")
KEYWORDS: dict[str, Any] = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "ngettext": (1, 2),
    "pgettext": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
    "gettext_noop": None,
}


def said() -> Iterator[tuple[str | tuple[str, ...], str | None, str]]:
    """Everything that pages say: text (or singular and plural), context, and the file."""
    for path in sorted(PAGES.rglob("*")):
        name = str(path.relative_to(PAGES))
        if path.suffix == ".html":
            # What is not said comes out as rows of letters; indentation would confuse the reader of Python.
            made = templatize(path.read_text(), origin=name)
            code = "\n".join(line.strip() for line in made.splitlines())
        elif path.suffix == ".py":
            code = path.read_text()
        else:
            continue
        for _, text, _, context in extract("python", io.BytesIO(code.encode()), keywords=KEYWORDS):
            yield text, context, name


def catalogue() -> Catalog:
    with PO.open("rb") as file:
        return read_po(file, locale="fr")


def compiled(found: Catalog) -> bytes:
    buffer = io.BytesIO()
    write_mo(buffer, found)
    return buffer.getvalue()


def update() -> list[str]:
    """Brings the catalogue up to date and compiles it; the sayings that have no French yet."""
    old = catalogue() if PO.exists() else Catalog(locale="fr")
    new = Catalog(
        locale="fr", project="Palier", charset="utf-8", fuzzy=False, header_comment="# French of the pages."
    )
    missing = []
    for text, context, name in said():
        known = old.get(text if isinstance(text, str) else text[0], context)
        string = known.string if known is not None else ("" if isinstance(text, str) else ("", ""))
        new.add(text, string, locations=[(name, 0)], context=context)
    for message in new:
        if message.id and not all([message.string] if isinstance(message.string, str) else message.string):
            missing.append(str(message.id))
    for field in ("POT-Creation-Date", "PO-Revision-Date"):
        new.mime_headers[:] = [(key, value) for key, value in new.mime_headers if key != field]
    PO.parent.mkdir(parents=True, exist_ok=True)
    with PO.open("wb") as file:
        write_po(file, new, width=110, sort_output=True, include_lineno=False)
    text = PO.read_text()
    PO.write_text("\n".join(line for line in text.splitlines() if "-Date:" not in line) + "\n")
    MO.write_bytes(compiled(catalogue()))
    return missing


if __name__ == "__main__":
    left = update()
    print("\n".join(f"no French yet: {text}" for text in left) or "The French is complete.")
    sys.exit(bool(left))
