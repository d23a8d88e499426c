"""The design system: contrast whatever the brand, the stair's drawing, and pages wholly in both languages."""

from __future__ import annotations

import re
from gettext import GNUTranslations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palier.web.ui import colour
from palier.web.ui.stair import Landing, stair, window
from tests.web import messages

CHANNEL = st.integers(0, 255)
STATIC = messages.PAGES / "static" / "ui"


def test_contrast_is_that_of_wcag() -> None:
    """Pairs from the understanding document of 1.4.3: black on white is 21, #767676 on white just passes."""
    assert colour.contrast_reaches((0, 0, 0), (255, 255, 255), 210)
    assert not colour.contrast_reaches((0, 0, 0), (255, 255, 255), 211)
    assert colour.contrast_reaches((0x76, 0x76, 0x76), colour.WHITE, 45)
    assert not colour.contrast_reaches((0x77, 0x77, 0x77), colour.WHITE, 45)


@given(st.tuples(CHANNEL, CHANNEL, CHANNEL))
def test_no_brand_makes_text_unreadable(given_accent: colour.Colour) -> None:
    sheet = colour.theme(colour.written(given_accent))
    found = [
        {name: colour.parse(value) for name, value in re.findall(r"--([a-z-]+):(#[0-9a-f]{6})", part)}
        for part in sheet.split("@media")
    ]
    for names, ground in zip(found, (colour.PAPER, colour.NIGHT), strict=True):
        assert colour.contrast_reaches(names["accent"], ground, 45)
        assert colour.contrast_reaches(names["accent"], names["on-accent"], 45)
        assert colour.contrast_reaches(names["accent"], names["accent-soft"], 45)


@pytest.mark.parametrize("text", ["red", "#12345", "#1234567", "#12345g", "url(x)", ""])
def test_what_is_no_colour_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no colour"):
        colour.theme(text)


def test_the_themes_own_colours_can_be_read() -> None:
    """Every text colour of the style sheet on every ground it stands on, in both themes."""
    light, _, dark = (STATIC / "tokens.css").read_text().partition("@media (prefers-color-scheme: dark)")
    for sheet in (light, dark):
        names = {
            name: colour.parse(value) for name, value in re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6});", sheet)
        }
        for ground in ("paper", "raised", "sunken"):
            for ink in ("ink", "ink-2", "ink-3", "accent", "good", "warn", "bad"):
                assert colour.contrast_reaches(names[ink], names[ground], 45), (ink, ground)
        for kind in ("good", "warn", "bad"):
            assert colour.contrast_reaches(names[kind], names[f"{kind}-soft"], 45), kind
        assert colour.contrast_reaches(names["on-accent"], names["accent"], 45)


def test_a_stair_names_where_one_stands() -> None:
    landings = [Landing("Vert", "reached"), Landing("Argent", "present"), Landing("Or", "ahead")]
    drawn = stair(landings, "Argent. Encore 3 visites.", share=(1, 2))
    assert drawn.count("<circle") == 3
    assert 'aria-label="Argent. Encore 3 visites."' in drawn
    assert re.findall(r'circle class="landing (\w+)"', drawn) == ["reached", "present", "ahead"]
    # Half of the way from the middle of the second landing to that of the third is the foot of the riser.
    walked = re.search(r'class="done" points="([^"]+)"', drawn)
    assert walked is not None
    assert walked[1].split()[-1].split(",")[0] == "234"


def test_a_long_stair_shows_what_is_near() -> None:
    landings = [Landing(str(i), "reached" if i < 7 else "present" if i == 7 else "ahead") for i in range(12)]
    assert [landing.name for landing in window(landings)] == ["6", "7", "8", "9", "10"]
    assert stair([], "") == ""


def test_names_are_written_as_text() -> None:
    drawn = stair([Landing("<script>", "present")], 'a "quoted" <name>')
    assert "<script>" not in drawn
    assert "&lt;script&gt;" in drawn
    assert 'aria-label="a &quot;quoted&quot; &lt;name&gt;"' in drawn


@pytest.mark.guard
def test_everything_said_is_said_in_french() -> None:
    """Repair: python -m tests.web.messages, and write what is missing into the catalogue."""
    found = {area: messages.catalogue(area) for area in messages.areas()}
    for area, (text, context, name) in messages.said():
        message = found[area].get(text if isinstance(text, str) else text[0], context)
        assert message is not None, f"{name}: {text!r} is not in the catalogue"
        strings = [message.string] if isinstance(message.string, str) else list(message.string)
        assert all(strings), f"{name}: {text!r} has no French"
        places = re.compile(r"%\((\w+)\)[sdr]")
        english = set(places.findall(text if isinstance(text, str) else text[1]))
        for string in strings:
            assert set(places.findall(string)) == english, f"{name}: {string!r} has other places"


@pytest.mark.guard
def test_the_catalogues_are_compiled_and_of_one_mind() -> None:
    """What two areas say alike is one saying when the site runs: it has one French, or a context."""
    everywhere: dict[tuple[object, str | None], tuple[object, Path]] = {}
    for area in messages.areas():
        with messages.mo(area).open("rb") as file:
            compiled = GNUTranslations(file)
        for message in messages.catalogue(area):
            if not message.id:
                continue
            first = everywhere.setdefault((message.id, message.context), (message.string, area))
            assert first[0] == message.string, f"{message.id!r} is said otherwise in {first[1]} and {area}"
            if isinstance(message.id, str):
                plain = compiled.pgettext(message.context, message.id) if message.context else None
                assert (plain or compiled.gettext(message.id)) == message.string, f"{area} is not compiled"
            elif not message.context:
                for count, string in ((1, message.string[0]), (2, message.string[1])):
                    assert compiled.ngettext(*message.id, count) == string, f"{area} is not compiled"


@pytest.mark.guard
def test_pages_bring_nothing_of_their_own_style_or_script() -> None:
    """The content security policy allows neither; a page that needs them would be broken only in a browser."""
    for path in messages.PAGES.rglob("*.html"):
        text = path.read_text()
        assert not re.search(r"\sstyle=|<style|\son[a-z]+=|javascript:", text), path.name
        for script in re.findall(r"<script\b[^>]*>", text):
            assert "src=" in script, path.name


@pytest.mark.guard
def test_every_icon_is_in_the_sprite() -> None:
    there = set(re.findall(r'<symbol id="([^"]+)"', (STATIC / "icons.svg").read_text()))
    asked = set()
    for path in messages.PAGES.rglob("*.html"):
        asked |= set(re.findall(r'{% icon "([^"]+)" %}', path.read_text()))
    assert asked - there == set()


@pytest.mark.guard
def test_vendored_files_have_their_licences() -> None:
    for name in ("LICENSE-lucide.txt", "fonts/LICENSE-source-sans-3.txt"):
        assert (STATIC / name).stat().st_size > 500
    assert sum(path.stat().st_size for path in STATIC.glob("*.js")) < 150_000
    assert isinstance(STATIC, Path)


@pytest.mark.guard
def test_french_is_set_as_french_is() -> None:
    """Apostrophes are curved, and what stands before ; : ! ? and inside « » is kept on the line."""
    for area in messages.areas():
        for message in messages.catalogue(area):
            for string in [message.string] if isinstance(message.string, str) else message.string:
                assert not re.search(r"\w'\w| [;:!?»](?!\w)|« ", string), f"{area}: {string!r}"
