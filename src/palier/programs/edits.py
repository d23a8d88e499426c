"""Edits of a YAML document that leave everything else as it is written: comments, order, quotes, line ends.

A form knows what its document says now and what it should say. The differences are written into the text where they
stand: a value in its own place, a new setting behind its neighbours, a new item at the end of its list. What was
written is read again and must say exactly what was meant; where it does not, the document is written anew as a whole
(`files.write` has no comments to keep), and the answer says so.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

import yaml
from msgspec import Struct

from palier.programs import files
from palier.programs.source import Source, SourceError, read_yaml

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INDENT: Final = 2


class Edited(Struct, frozen=True):
    """A text that says what was meant; `whole` where it had to be written anew, so that its comments are gone."""

    text: str
    whole: bool = False


class _Replacement(Struct, frozen=True):
    """Text from `start` to before `end` becomes `text`."""

    start: int
    end: int
    text: str


class _Cannot(Exception):
    """What is to be changed stands where it cannot be changed in place."""


def edit(text: str, data: Any) -> Edited:
    """The text of a YAML document changed so that it says `data` (plain mappings, lists and scalars).

    Raises SourceError where the text itself cannot be read.
    """
    source = read_yaml(text.encode())
    if source.data == data:
        return Edited(text)
    try:
        changed = _in_place(text, source.data, data)
        if _says(changed, data):
            return Edited(changed)
    except _Cannot:
        pass
    return Edited(files.write_plain(data), whole=True)


def _says(text: str, data: Any) -> bool:
    """Whether a text says exactly this, types and order of settings included."""
    try:
        found: Source = read_yaml(text.encode())
    except SourceError:
        return False
    return _same(found.data, data)


def _same(one: Any, two: Any) -> bool:
    if type(one) is not type(two):
        return False
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(_same(one[key], two[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(two) and all(map(_same, one, two))
    return bool(one == two)


def _in_place(text: str, old: Any, new: Any) -> str:
    if "\t" in text or not isinstance(old, dict) or not isinstance(new, dict):
        raise _Cannot
    root = yaml.compose(text, Loader=_Loader)
    if not isinstance(root, yaml.MappingNode):
        raise _Cannot
    editor = _Editor(text)
    editor.mapping(root, old, new)
    for change in sorted(editor.changes, key=lambda item: (item.start, item.end), reverse=True):
        text = text[: change.start] + change.text + text[change.end :]
    return text


class _Editor:
    """Finds the replacements that turn what a node says into what it should say."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.changes: list[_Replacement] = []
        self.lines = [0, *(found.end() for found in re.finditer("\n", text))]

    # --- where things stand -------------------------------------------------------------------------------

    def line_start(self, at: int) -> int:
        return self.text.rfind("\n", 0, at) + 1

    def line_end(self, at: int) -> int:
        """Where the next line begins, or the end of the text."""
        found = self.text.find("\n", at)
        return len(self.text) if found < 0 else found + 1

    def end_of(self, node: yaml.Node) -> int:
        """Just behind the last character that belongs to a node: blocks end in the line of their last value."""
        if isinstance(node, yaml.ScalarNode):
            end: int = node.end_mark.index
            if node.style in ("|", ">"):
                # A block scalar's mark lies behind the empty lines and comments that follow it.
                return len(self.text[:end].rstrip("\n ")) if end > node.start_mark.index else end
            return end
        if isinstance(node, yaml.CollectionNode) and node.flow_style:
            found: int = node.end_mark.index
            return found
        last = node.value[-1]
        return self.end_of(last[1] if isinstance(node, yaml.MappingNode) else last)

    def own_line(self, at: int) -> bool:
        """Whether nothing but space stands before this place in its line."""
        return not self.text[self.line_start(at) : at].strip()

    def with_comments(self, start: int) -> int:
        """The start of a line, or of the first of the comments that stand right above it."""
        while start:
            above = self.line_start(start - 1)
            if not self.text[above:start].lstrip().startswith("#"):
                break
            start = above
        return start

    def after(self, end: int) -> int:
        """The start of the line behind the one in which something ends."""
        return self.line_end(end)

    # --- values ------------------------------------------------------------------------------------------

    def value(self, node: yaml.Node, old: Any, new: Any, indent: int) -> None:
        """`indent` is the column of the key or dash that the value belongs to."""
        if _same(old, new):
            return
        if isinstance(old, dict) and isinstance(new, dict) and new and isinstance(node, yaml.MappingNode):
            self.mapping(node, old, new)
        elif isinstance(old, list) and isinstance(new, list) and new and isinstance(node, yaml.SequenceNode):
            self.sequence(node, old, new)
        elif isinstance(new, (dict, list)) and new and not self._in_flow(node):
            self.replace(node, _value(new, indent))
        else:
            self.replace(node, f" {_flow(new)}")

    def _in_flow(self, node: yaml.Node) -> bool:
        return node in self._flowing

    _flowing: frozenset[yaml.Node] = frozenset()

    def replace(self, node: yaml.Node, text: str) -> None:
        """A node's text becomes another, which begins behind a key's colon or a dash."""
        start, end = node.start_mark.index, self.end_of(node)
        before = self.text[:start].rstrip(" \n") if self.own_line(start) else self.text[:start].rstrip(" ")
        if not before.endswith((":", "-", ",", "[", "{")):
            raise _Cannot
        if node.start_mark.index == node.end_mark.index:  # nothing stands behind the colon
            start = end = len(before)
        if before.endswith(("[", "{")):
            text = text.lstrip()
        self.changes.append(_Replacement(len(before), end, text))

    # --- mappings ----------------------------------------------------------------------------------------

    def mapping(self, node: yaml.MappingNode, old: dict[str, Any], new: dict[str, Any]) -> None:
        if node.flow_style:
            self.flow(node, old, new)
            return
        parts = {key.value: (key, value) for key, value in node.value}
        indent = node.start_mark.column
        gone = [key for key in old if key not in new]
        if len(gone) == len(old):
            raise _Cannot
        for key in gone:
            self.remove(parts[key][0].start_mark.index, self.end_of(parts[key][1]))
        for key, value in new.items():
            if key in old:
                self.value(parts[key][1], old[key], value, indent)
        # A new setting comes behind the one before it that is there already.
        before: str | None = None
        inserted: dict[str | None, str] = {}
        for key, value in new.items():
            if key in old:
                before = key
            else:
                inserted[before] = inserted.get(before, "") + _entry(key, value, indent)
        for at, text in inserted.items():
            if at is None:
                first = node.value[0][0].start_mark.index
                if not self.own_line(first):
                    raise _Cannot  # behind a dash: `- key: ...`
                self.insert(self.line_start(first), text)
            else:
                self.insert(self.after(self.end_of(parts[at][1])), text)

    # --- lists -------------------------------------------------------------------------------------------

    def sequence(self, node: yaml.SequenceNode, old: list[Any], new: list[Any]) -> None:
        if node.flow_style:
            self.flow(node, old, new)
            return
        indent = node.start_mark.column
        if len(old) == len(new) and not _moved(old, new):
            for item, before, after in zip(node.value, old, new, strict=True):
                self.value(item, before, after, indent)
            return
        chunks = self._items(node)
        found: list[int | None] = []
        left = list(range(len(old)))
        for index, item in enumerate(new):
            match = next((at for at in left if _same(old[at], item)), None)
            if match is None and _keyed(item):
                match = next((at for at in left if _keyed(old[at]) == _keyed(item)), None)
            if match is None and len(old) == len(new) and index in left:
                match = index
            found.append(match)
            if match is not None:
                left.remove(match)
        kept = [at for at in found if at is not None]
        if kept == sorted(kept):
            for at in left:
                self.changes.append(_Replacement(*chunks[at], ""))
            self._kept_items(node, old, new, found, chunks, indent)
        elif len(kept) == len(new) and all(_same(old[at], new[i]) for i, at in enumerate(kept)) and not left:
            # Moved as they are, each with the comments above it.
            parts = [_ended(self.text[slice(*chunks[at])]).lstrip("\n") for at in kept]
            whole = ("\n" if self._apart(chunks) else "").join(parts)
            self.changes.append(_Replacement(chunks[0][0], chunks[-1][1], whole))
        else:
            raise _Cannot

    def _kept_items(
        self,
        node: yaml.SequenceNode,
        old: list[Any],
        new: list[Any],
        found: Sequence[int | None],
        chunks: Sequence[tuple[int, int]],
        indent: int,
    ) -> None:
        place = chunks[0][0]
        if all(at is None for at in found):
            raise _Cannot
        apart = self._apart(chunks)
        for index, at in enumerate(found):
            if at is None:
                text = f"{' ' * indent}-{_value(new[index], indent, in_list=True)}\n"
                self.insert(place, f"\n{text}" if apart and index else text)
            else:
                self.value(node.value[at], old[at], new[index], indent)
                place = chunks[at][1]

    def _apart(self, chunks: Sequence[tuple[int, int]]) -> bool:
        """Whether the items of a list stand apart by empty lines."""
        return len(chunks) > 1 and self.text[chunks[1][0]] == "\n"

    def _items(self, node: yaml.SequenceNode) -> list[tuple[int, int]]:
        """The lines of each item, with the comments and empty lines above it."""
        ends = [self.after(self.end_of(item)) for item in node.value]
        first = self.line_start(node.start_mark.index)
        if self.text[first : node.start_mark.index].strip():
            raise _Cannot  # a list within a list's own line: `- - a`
        return list(zip([self.with_comments(first), *ends[:-1]], ends, strict=True))

    # --- on one line -------------------------------------------------------------------------------------

    def flow(self, node: yaml.Node, old: Any, new: Any) -> None:
        """A collection on one line is changed value by value, or written anew where its entries change."""
        children = [value for _, value in node.value] if isinstance(node, yaml.MappingNode) else node.value
        pairs: list[tuple[yaml.Node, Any, Any]] | None = None
        if isinstance(old, dict) and list(old) == list(new):
            pairs = [(child, old[key], new[key]) for child, key in zip(children, old, strict=True)]
        elif isinstance(old, list) and len(old) == len(new):
            pairs = list(zip(children, old, new, strict=True))
        if pairs is not None:
            self._flowing = self._flowing | frozenset(children)
            for child, before, after in pairs:
                self.value(child, before, after, 0)
            return
        start, end = node.start_mark.index, node.end_mark.index
        if "#" in self.text[start:end]:
            raise _Cannot
        if not new:
            self.changes.append(_Replacement(start, end, _flow(new)))
            return
        line = self.text[self.line_start(start) : start]
        written = _flow(new)
        key = re.fullmatch(r"( *)((?:- )*)[^\s#:]+: *", line)
        if (
            len(line) + len(written) > files.WIDTH
            and key is not None
            and self.text[end : self.line_end(end)].strip() == ""
        ):
            indent = len(key[1]) + len(key[2])
            self.changes.append(_Replacement(len(self.text[:start].rstrip(" ")), end, _block(new, indent)))
            return
        self.changes.append(_Replacement(start, end, written))

    # --- lines -------------------------------------------------------------------------------------------

    def remove(self, start: int, end: int) -> None:
        """A setting goes with its lines and the comments that stand right above it."""
        if not self.own_line(start):
            raise _Cannot
        first, last = self.line_start(start), self.after(end)
        first = self.with_comments(first)
        if (
            self.text[last - 1 : last] == "\n"
            and self.text[:first].endswith("\n\n")
            and self.text[last : last + 1] == "\n"
        ):
            last += 1  # one empty line between two parts is enough
        self.changes.append(_Replacement(first, last, ""))

    def insert(self, at: int, text: str) -> None:
        if at == len(self.text) and self.text and not self.text.endswith("\n"):
            text = f"\n{text}"
        if any(change.start < at < change.end for change in self.changes):
            raise _Cannot
        self.changes.append(_Replacement(at, at, text))


def _moved(old: list[Any], new: list[Any]) -> bool:
    """Whether lists of the same length have their keyed items elsewhere."""
    return [_keyed(item) for item in old] != [_keyed(item) for item in new]


def _keyed(item: Any) -> Any:
    return item.get("key") if isinstance(item, dict) else None


def _ended(text: str) -> str:
    return text if text.endswith("\n") else f"{text}\n"


# --- new text -----------------------------------------------------------------------------------------


def _flow(value: Any) -> str:
    """A value on one line, in quotes where YAML would take it for something else."""
    return files.on_one_line(value)


def _entry(key: str, value: Any, indent: int) -> str:
    """A setting with its value, as lines."""
    name = files.on_one_line(key)
    return f"{' ' * indent}{name}:{_value(value, indent)}\n"


def _value(value: Any, indent: int, *, in_list: bool = False) -> str:
    """What stands behind a colon or a dash at this column: on the same line, or as a block below it."""
    written = _flow(value)
    plain = not isinstance(value, (dict, list)) or not value
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    short = len(written) + indent <= files.FLOW and not any(isinstance(item, (dict, list)) for item in items)
    if plain or (short and not (in_list and isinstance(value, dict) and "key" in value)):
        return f" {written}"
    if in_list:
        block = files.write_block(value)
        lines = block.rstrip("\n").split("\n")
        inner = " " * (indent + _INDENT)
        return " " + f"\n{inner}".join(lines).replace(f"{inner}\n", "\n")
    return _block(value, indent)


def _block(value: Any, indent: int) -> str:
    inner = " " * (indent + _INDENT)
    lines = files.write_block(value).rstrip("\n").split("\n")
    return "".join(f"\n{inner}{line}" if line else "\n" for line in lines)
