"""The French of the pages: what templates and code say, gathered, compared with the catalogues, compiled.

Each area of the pages (a folder of `palier.web` with a `locale` folder, and the templates of the same name) has a
catalogue of its own; what is in no such folder belongs to the one of all pages. `python -m tests.web.messages` brings
them up to date (new sayings come in empty, those that are gone leave) and compiles them; a guard fails while one is
missing, empty or not compiled.

What the rooms and the engine refuse (`palier.engine.sentences`) has its French in the area `refusals`.
"""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

PALIER = Path(__file__).parents[2] / "src" / "palier"
PAGES = PALIER / "web"
REFUSALS = Path("refusals")
TEMPLATES = PAGES / "templates"
KEYWORDS: dict[str, Any] = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "ngettext": (1, 2),
    "pgettext": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
    "gettext_noop": None,
}
SAID: Final = frozenset(("sentence", "tell"))
"""What sentences of the rooms, the engine and commands are said by."""


Saying = tuple[str | tuple[str, ...], str | None, str]
"""A text (or its singular and plural), its context, and the file that says it."""


def areas() -> list[Path]:
    """The folders that have a catalogue of their own, as paths below `palier.web`; "." is that of all pages."""
    return sorted(found.parent.relative_to(PAGES) for found in PAGES.rglob("locale"))


def area_of(path: Path) -> Path:
    """The area that a template or module belongs to: the nearest folder above it that has a catalogue."""
    inside = path.relative_to(TEMPLATES if path.is_relative_to(TEMPLATES) else PAGES)
    return next(folder for folder in inside.parents if (PAGES / folder / "locale").is_dir())


def said() -> Iterator[tuple[Path, Saying]]:
    """Everything that pages say, by the area that says it."""
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
            yield area_of(path), (text, context, name)

    for path in sorted(PALIER.rglob("*.py")):
        if not path.is_relative_to(PAGES) and not SAID.isdisjoint(
            re.findall(r"\w+(?=\()", code := path.read_text())
        ):
            for _, text, _, context in extract(
                "python", io.BytesIO(code.encode()), keywords=dict.fromkeys(SAID)
            ):
                yield REFUSALS, (text, context, str(path.relative_to(PALIER)))


def po(area: Path) -> Path:
    return PAGES / area / "locale" / "fr" / "LC_MESSAGES" / "django.po"


def mo(area: Path) -> Path:
    return po(area).with_suffix(".mo")


def catalogue(area: Path) -> Catalog:
    with po(area).open("rb") as file:
        return read_po(file, locale="fr")


def compiled(found: Catalog) -> bytes:
    # The same sayings compile to the same bytes, whenever they do.
    found.creation_date = found.revision_date = datetime(2026, 1, 1, tzinfo=UTC)
    buffer = io.BytesIO()
    write_mo(buffer, found)
    return buffer.getvalue()


def update() -> list[str]:
    """Brings the catalogues up to date and compiles them; the sayings that have no French yet."""
    everything = list(said())
    return [
        text
        for area in areas()
        for text in _update(area, [saying for at, saying in everything if at == area])
    ]


def _update(area: Path, sayings: list[Saying]) -> list[str]:
    old = catalogue(area) if po(area).exists() else Catalog(locale="fr")
    new = Catalog(
        locale="fr", project="Palier", charset="utf-8", fuzzy=False, header_comment="# French of the pages."
    )
    missing = []
    for text, context, name in sayings:
        known = old.get(text if isinstance(text, str) else text[0], context)
        string = known.string if known is not None else ("" if isinstance(text, str) else ("", ""))
        new.add(text, string, locations=[(name, 0)], context=context)
    for message in new:
        if message.id and not all([message.string] if isinstance(message.string, str) else message.string):
            missing.append(str(message.id))
    for field in ("POT-Creation-Date", "PO-Revision-Date"):
        new.mime_headers[:] = [(key, value) for key, value in new.mime_headers if key != field]
    po(area).parent.mkdir(parents=True, exist_ok=True)
    with po(area).open("wb") as file:
        write_po(file, new, width=110, sort_output=True, include_lineno=False)
    text = po(area).read_text()
    po(area).write_text("\n".join(line for line in text.splitlines() if "-Date:" not in line) + "\n")
    mo(area).write_bytes(compiled(catalogue(area)))
    return missing


if __name__ == "__main__":
    left = update()
    print("\n".join(f"no French yet: {text}" for text in left) or "The French is complete.")
    sys.exit(bool(left))
