"""Documents as files: every fault with its line and remedy, and what is written can be read again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec import inspect

from palier.connectors.suppliers.mapping import SupplierDocument
from palier.engine.program import Program, Text, canonical
from palier.programs import files, structure
from palier.programs.source import MAX_BYTES
from palier.rewards.document import Catalogue
from tests.engine.documents import plain, program
from tests.model.cases import programs

GALLERY = Path(__file__).parents[2] / "gallery"

SMALL = """\
palier: 1
key: club
name: {en: Club, fr: Club}
time_zone: Europe/Paris
currency: EUR
point_currencies:
  - key: stars
    name:
      en: {one: star, other: stars}
      fr: {one: étoile, other: étoiles}
rules:
  - key: base
    name: {en: Base, fr: Base}
    on: sale
    currency: stars
    when: {field: time, from: 18:00, until: 20:00}
    per_spend: {points: "1"}
"""


def problems(text: str) -> list[tuple[int, str, str]]:
    return [(found.line, found.path, found.remedy) for found in files.read(text.encode()).problems]


def test_yaml_means_what_it_says() -> None:
    """`on`, times and dates stay texts: YAML 1.1 would read true, 1080 and a date object."""
    document = files.read(SMALL.encode())
    assert document.problems == ()
    assert document.program is not None
    rule = document.program.rules[0]
    assert rule.on == "sale"
    assert rule.when is not None
    assert rule.when.from_ == "18:00"


@pytest.mark.parametrize(
    ("old", "new", "line", "path", "remedy"),
    [
        ('points: "1"', "points: 1.5", 17, "rules[0].per_spend.points", 'write "1.5" in quotes'),
        ('points: "1"', "points: 1", 17, "rules[0].per_spend.points", 'write "1" in quotes'),
        (
            'points: "1"',
            'points: "1,5"',
            17,
            "rules[0].per_spend.points",
            'write a decimal string, such as "1.50"',
        ),
        (
            'points: "1"',
            "points: yes",
            17,
            "rules[0].per_spend.points",
            'write a decimal string, such as "1.50"',
        ),
        (
            'points: "1"',
            'points: "1000000000000000"',
            17,
            "rules[0].per_spend.points",
            "write at most 13 digits before the point and at most 6 behind it",
        ),
        (
            "time_zone: Europe/Paris",
            "time_zone: Europe/Paris\nbrand: {accent: red}",
            5,
            "brand.accent",
            "write a colour, such as #1a7f37",
        ),
        ('points: "1"', "points: true", 17, "rules[0].per_spend.points", 'write "true" in quotes'),
        ('points: "1"', "points: ~", 17, "rules[0].per_spend.points", "write a text behind the colon"),
        ('{points: "1"}', "[1]", 17, "rules[0].per_spend", "write a mapping"),
        ('points: "1"', 'ponts: "1"', 17, "rules[0].per_spend.ponts", 'did you mean "points"?'),
        ("currency: EUR", "currency: eur", 5, "currency", "write an ISO 4217 code"),
        ("currency: EUR", "curency: EUR", 5, "curency", 'did you mean "currency"?'),
        ("palier: 1", "palier: 2", 1, "palier", "write 1"),
        ("on: sale", "on: sael", 14, "rules[0].on", 'did you mean "sale"?'),
        ("from: 18:00", "from: 18h", 16, "rules[0].when.from", 'write it like "18:30"'),
        ("Europe/Paris", "Nowhere", 4, "time_zone", "write an IANA name"),
        ("key: base", "key: Base", 12, "rules[0].key", "write a lower-case name, unique in its list"),
        ("- key: stars", "- key: stars\n    scale: 7", 8, "point_currencies[0].scale", "write 6 or less"),
        (
            "- key: stars",
            "- key: stars\n    taking_back: dept",
            8,
            "point_currencies[0].taking_back",
            'did you mean "debt"?',
        ),
        (
            "- key: stars",
            "- key: stars\n    expiry: {kind: roling, days: 3}",
            8,
            "point_currencies[0].expiry.kind",
            'did you mean "rolling"?',
        ),
        (
            "- key: stars",
            "- key: stars\n    expiry: {days: 3}",
            8,
            "point_currencies[0].expiry",
            "add kind: one of never",
        ),
        (
            "- key: stars",
            "- key: stars\n    expiry: never",
            8,
            "point_currencies[0].expiry",
            "write a mapping with kind",
        ),
        ("    on: sale\n", "", 12, "rules[0]", "add on: a text"),
        ("time_zone: Europe/Paris\n", "", 1, "", "add time_zone: a text"),
        # what cannot be read
        ("currency: EUR", "currency: EUR\ncurrency: USD", 6, "currency", "keep one of the two"),
        ("name: {en: Club", "name: &a {en: Club", 3, "name", "write the value out, or quote the text"),
        ("on: sale", "on: *a", 14, "rules[0].on", "write the value out, or quote the text"),
        ("on: sale", "on: !!str sale", 14, "rules[0].on", "leave the tag out, or quote the text"),
        (
            "on: sale",
            "on: sale: now",
            14,
            "rules[0]",
            "check the indentation, colons and quotes of this line",
        ),
        (
            "on: sale",
            "\ton: sale",
            14,
            "rules[0]",
            "indent with spaces, two for each level",
        ),
        ("palier: 1", "---\na: 1\n---\npalier: 1", 3, "", "put each program in its own file"),
        ("palier: 1", "? {a: b}\n: 1", 1, "", "put the {braces} in quotes"),
    ],
)
def test_faults(old: str, new: str, line: int, path: str, remedy: str) -> None:
    assert old in SMALL
    found = problems(SMALL.replace(old, new, 1))
    assert [(at, where) for at, where, said in found if said.startswith(remedy)] == [(line, path)], found


def test_every_text_of_a_form_says_how_it_is_written() -> None:
    """A text that must have a form says which, in words that a page can say in both languages."""
    without: set[str] = set()

    def walk(kind: inspect.Type, description: str, seen: set[Any]) -> None:
        match kind:
            case inspect.Metadata():
                walk(kind.type, (kind.extra_json_schema or {}).get("description", description), seen)
            case inspect.UnionType():
                for item in kind.types:
                    walk(item, description, seen)
            case inspect.ListType():
                walk(kind.item_type, "", seen)
            case inspect.DictType():
                walk(kind.key_type, "", seen)
                walk(kind.value_type, "", seen)
            case inspect.StructType() if kind.cls not in seen:
                seen.add(kind.cls)
                for field in kind.fields:
                    walk(field.type, "", seen)
            case inspect.StrType() if kind.pattern is not None and description not in structure._FORMS:
                without.add(kind.pattern)

    for document in (Program, Catalogue, SupplierDocument):
        walk(inspect.type_info(document), "", set())
    assert not without


def test_all_faults_are_listed() -> None:
    found = problems(SMALL.replace("on: sale", "onn: sale").replace('"1"', "1").replace("EUR", "eur"))
    assert [path for _, path, _ in found] == [
        "currency",
        "rules[0].onn",
        "rules[0]",
        "rules[0].per_spend.points",
    ]


@pytest.mark.parametrize(
    ("raw", "line", "remedy"),
    [
        (b"", 1, "write at least"),
        (b"# nothing\n", 1, "write at least"),
        (b"\xff\xfe", 1, "save the file as UTF-8"),
        (b"a: 1\nb: \x00", 2, "remove control characters"),
        (b"- 1", 1, "write a mapping"),
        (b"x" * (MAX_BYTES + 1), 1, "shorten it"),
        (b"[" * 500, 1, "flatten it"),
        (b"{" + b'"a":{' * 500, 1, "flatten it"),
        (b'{"a": 1,\n "a": 2}', 2, "keep one of the two"),
        (b'{"palier": 1,\n}', 2, "write a key in double quotes"),
        (b'{"palier" 1}', 1, "write : here"),
        (b'{"palier": 1', 1, "write , here"),
        (b'{"palier": NaN}', 1, "write a value, texts in double quotes"),
        (b'{"palier": "\\ud800"}', 1, "remove the broken escape"),
        (b'{"palier": "a\nb"}', 1, "close or escape the text"),
        (b'{"palier": 1} {}', 1, "remove it"),
    ],
)
def test_unreadable(raw: bytes, line: int, remedy: str) -> None:
    document = files.read(raw)
    assert document.program is None
    assert document.problems[0].line == line
    assert document.problems[0].remedy.startswith(remedy)


@pytest.mark.parametrize("written", [".inf", "-.inf", ".nan", ".NaN"])
@pytest.mark.parametrize("setting", ["per_spend: {points: %s}", "when: {field: amount, at_least: %s}"])
def test_what_is_no_number_is_not_to_be_quoted(written: str, setting: str) -> None:
    old = (
        'per_spend: {points: "1"}'
        if setting.startswith("per")
        else "when: {field: time, from: 18:00, until: 20:00}"
    )
    found = files.read(SMALL.replace(old, setting % written).encode()).problems
    assert [(problem.message, problem.remedy) for problem in found] == [
        (f"expected a number, got the number {written}", 'write a decimal in quotes, such as "1.50"')
    ]


@pytest.mark.parametrize("text", ["club:\n\tkey: a\n", "club:\n  key: a\n\tname: b\n", "- a\r\n\t- b\r\n"])
def test_a_tab_is_named(text: str) -> None:
    found = files.read(text.encode()).problems[0]
    assert found.line == text.count("\n")
    assert str(found).endswith(
        "there is a tab where YAML takes spaces only. Indent with spaces, two for each level"
    )


@pytest.mark.parametrize("character", ["\0", "\x07", "\r", "\x1b", "\x7f", "\x9f"])
def test_control_characters_are_refused_everywhere(character: str) -> None:
    data = plain()
    bad = f"a{character}b"
    data["name"]["en"] = bad
    data["rules"][0]["when"] = {"field": "channel", "is": bad}
    data["member_attributes"]["age"]["description"] = {"en": bad, "fr": "a"}
    data["names"] = {"location": {bad: {"en": "a", "fr": "a"}}}
    found = files.read(msgspec.json.encode(data)).problems
    assert {(problem.path, problem.code, problem.message) for problem in found} == {
        (path, "format", f"the text holds a control character, U+{ord(character):04X}")
        for path in (
            "name.en",
            "rules[0].when.is",
            "member_attributes.age.description.en",
            f"names.location.{bad}",
        )
    }
    assert all(problem.line for problem in found)


def test_lines_and_tabs_of_a_text_are_not() -> None:
    data = plain()
    data["description"] = {"en": "a\n\tb", "fr": "a"}
    assert files.read(msgspec.json.encode(data)).problems == ()


def test_json_has_lines_too() -> None:
    text = files.write_json(program()).replace('"currency": "EUR"', '"currency": 1.5')
    (found,) = files.read(text.encode()).problems
    assert text.splitlines()[found.line - 1].strip() == '"currency": 1.5,'
    assert found.remedy == 'write "1.5" in quotes'


def test_numbers_that_hide_in_conditions() -> None:
    text = SMALL.replace("{field: time, from: 18:00, until: 20:00}", "{field: amount, at_least: 20.00}")
    ((line, path, remedy),) = problems(text)
    assert (line, path, remedy) == (16, "rules[0].when.at_least", 'write "20.00" in quotes')


@pytest.mark.parametrize("path", sorted(GALLERY.glob("*/program.yaml")), ids=lambda path: path.parent.name)
def test_the_gallery_is_valid(path: Path) -> None:
    document = files.read(path)
    assert document.problems == ()
    assert document.program is not None
    assert files.read(files.write(document.program).encode()).program == document.program


@settings(max_examples=60, deadline=None)
@given(programs())
def test_written_and_read_again(made: Program) -> None:
    for text in (files.write(made), files.write_json(made)):
        again = files.read(text.encode())
        assert again.errors == ()
        assert again.program == made
        assert canonical(again.program) == canonical(made)


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=200).filter(str.strip))
@example("on")
@example("yes")
@example("null")
@example("0E0")
@example("1.50")
@example("18:00")
@example("2026-01-01")
@example("&a *b !c # d")
@example("a: b")
@example(" leading and trailing ")
@example("\ufeffmark")
@example("\u2028line")
@example("long " * 39)
def test_any_text_survives(words: str) -> None:
    made = msgspec.structs.replace(
        program(), name=Text(en=words, fr=words), description=Text(en=words, fr=words)
    )
    for text in (files.write(made), files.write_json(made)):
        assert files.read(text.encode()).program == made


def test_defaults_are_left_out() -> None:
    text = files.write(program())
    assert "rounding" not in text
    assert "languages" not in text
    assert "\n    on: sale\n" in text


def test_plain_data_has_no_lines() -> None:
    data = plain()
    data["currency"] = "EU"
    (found,) = files.from_builtins(data).problems
    assert (found.path, found.line) == ("currency", 0)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_nothing_is_raised_for_bad_content(raw: bytes) -> None:
    for format in ("yaml", "json"):
        assert files.read(raw, format).program is None  # type: ignore[arg-type]
