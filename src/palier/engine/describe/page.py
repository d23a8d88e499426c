"""A page of plain words: sections of short parts, as data for every face, and as plain text or Markdown."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable

from msgspec import Struct

from palier.engine.readability import Readability, grade


class Part(Struct, frozen=True):
    """One thing told: its own name (or empty), sentences, and a list below them (or none)."""

    title: str
    text: str
    items: list[str] = []


class Section(Struct, frozen=True):
    """One subject, under a stable key: `key` names it in links and tests, `title` is read."""

    key: str
    title: str
    parts: list[Part]


class Page(Struct, frozen=True):
    """A whole program in plain words, in one language; sections of which there is nothing to say are left out."""

    language: str
    title: str
    intro: str
    sections: list[Section]


def typeset(text: str, language: str) -> str:
    """The text with the apostrophes and, in French, the unbreakable spaces of print."""
    text = text.replace("'", "\u2019")
    if language != "fr":
        return text
    text = re.sub(r" ([;!?%])", "\u202f\\1", text)
    text = text.replace(" :", "\u00a0:").replace("« ", "«\u00a0").replace(" »", "\u00a0»")
    return re.sub(r"(?<=[0-9]) (?=[^\W\d])", "\u00a0", text)


def prose(page: Page) -> str:
    """Everything on the page that is read as sentences, a line each: what its readability is measured on."""
    lines = [page.intro]
    for section in page.sections:
        for part in section.parts:
            lines += [part.text, *part.items]
    return "\n".join(line for line in lines if line)


def readability(page: Page) -> Readability:
    """How easily the page is read."""
    return grade(prose(page), page.language)


def plain_text(page: Page, width: int = 80) -> str:
    """The page for a terminal or an e-mail: titles underlined, paragraphs filled to `width`, lists with dashes."""
    lines = [page.title, "=" * len(page.title), ""]
    if page.intro:
        lines += [*_filled(page.intro, width), ""]
    for section in page.sections:
        lines += [section.title, "-" * len(section.title), ""]
        for part in section.parts:
            if part.title:
                lines.append(part.title)
            indent = "  " if part.title else ""
            lines += _filled(part.text, width, indent)
            for item in part.items:
                lines += _filled(item, width, f"{indent}- ", f"{indent}  ")
            lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def markdown(page: Page, level: int = 1) -> str:
    """The page as Markdown, its title at heading `level`."""
    mark = "#" * level
    lines = [f"{mark} {page.title}", ""]
    if page.intro:
        lines += [_escaped(page.intro), ""]
    for section in page.sections:
        lines += [f"{mark}# {section.title}", ""]
        for part in section.parts:
            title = f"**{_escaped(part.title)}**" if part.title else ""
            text = ". ".join(filter(None, [title, _escaped(part.text)])) if part.text else title
            lines += [*filter(None, [text]), ""]
            if part.items:
                lines += [*(f"- {_escaped(item)}" for item in part.items), ""]
    return "\n".join(lines).rstrip() + "\n"


def _escaped(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>])", r"\\\1", text)


def _filled(text: str, width: int, first: str = "", rest: str | None = None) -> Iterable[str]:
    # Only plain spaces may break: textwrap would also break at no-break ones, which are whitespace to Python.
    kept = text.replace("\u00a0", "\ue000").replace("\u202f", "\ue001")
    filled = textwrap.wrap(
        kept, width, initial_indent=first, subsequent_indent=first if rest is None else rest,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    return [line.replace("\ue000", "\u00a0").replace("\ue001", "\u202f") for line in filled]
