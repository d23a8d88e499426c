"""Edits in place: what is meant is said afterwards, and every other byte stays as it was written."""

from __future__ import annotations

import copy
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palier.programs import gallery
from palier.programs.edits import edit
from palier.programs.source import SourceError, read_yaml

CAFE = """\
# A cafe's stars.
palier: 1
key: cafe   # never changes
name: {en: Cafe, fr: Café}

rules:
  # The one everybody knows.
  - key: base
    on: sale
    per_spend: {points: "1", every: "1.00"}
    caps:
      day: "100"   # a hundred a day

  # On Mondays.
  - key: monday
    on: sale
    fixed: "5"
    when:
      all:
        - {field: weekday, is: monday}
        - {field: amount, at_least: "10"}
  - key: plain
    on: visit
    fixed: '1'
languages: [en, fr]
"""


def data() -> dict[str, Any]:
    found: dict[str, Any] = read_yaml(CAFE.encode()).data
    return found


def changed(text: str, wanted: Any) -> tuple[list[str], list[str]]:
    """The lines that left and the lines that came, after an edit in place that says what was wanted."""
    found = edit(text, wanted)
    assert not found.whole
    assert read_yaml(found.text.encode()).data == wanted
    before, after = text.splitlines(), found.text.splitlines()
    gone, come = list(before), list(after)
    for line in before:
        if line in come:
            come.remove(line)
            gone.remove(line)
    return gone, come


def test_a_value_is_changed_where_it_stands() -> None:
    wanted = data()
    wanted["rules"][0]["caps"]["day"] = "120"
    wanted["rules"][1]["when"]["all"][1]["at_least"] = "15"
    wanted["name"]["fr"] = 'Le « café »: "bon"'
    wanted["rules"][2]["fixed"] = "2"
    assert changed(CAFE, wanted) == (
        [
            "name: {en: Cafe, fr: Café}",
            '      day: "100"   # a hundred a day',
            '        - {field: amount, at_least: "10"}',
            "    fixed: '1'",
        ],
        [
            """name: {en: Cafe, fr: 'Le « café »: "bon"'}""",
            '      day: "120"   # a hundred a day',
            '        - {field: amount, at_least: "15"}',
            '    fixed: "2"',
        ],
    )


def test_settings_come_behind_their_neighbours_and_go_with_their_comments() -> None:
    wanted = data()
    rule = wanted["rules"][0]
    wanted["rules"][0] = {**rule, "tenders": {"card": "2"}, "tier_multipliers": {"gold": "1.5"}}
    del wanted["rules"][1]["when"]
    wanted["languages"] = ["en"]
    gone, come = changed(CAFE, wanted)
    assert come == ['    tenders: {card: "2"}', '    tier_multipliers: {gold: "1.5"}', "languages: [en]"]
    assert gone == [
        "    when:",
        "      all:",
        "        - {field: weekday, is: monday}",
        '        - {field: amount, at_least: "10"}',
        "languages: [en, fr]",
    ]


def test_items_are_added_removed_and_moved_with_the_comments_above_them() -> None:
    wanted = data()
    added = {"key": "new", "on": "sale", "multiply": "2", "when": {"field": "weekday", "is": "friday"}}
    wanted["rules"].append(added)
    assert changed(CAFE, wanted) == (
        [],
        ["", "  - key: new", "    on: sale", '    multiply: "2"', "    when: {field: weekday, is: friday}"],
    )
    wanted = data()
    del wanted["rules"][1]
    gone, come = changed(CAFE, wanted)
    assert "  # On Mondays." in gone
    assert "  # The one everybody knows." not in gone
    assert come == []
    wanted = data()
    wanted["rules"] = [wanted["rules"][1], wanted["rules"][0], wanted["rules"][2]]
    text = edit(CAFE, wanted).text
    assert text.index("# On Mondays.") < text.index("key: monday") < text.index("# The one everybody knows.")
    wanted = data()
    wanted["rules"][1]["when"]["all"].insert(0, {"field": "channel", "is": "web"})
    assert changed(CAFE, wanted) == ([], ["        - {field: channel, is: web}"])


def test_what_cannot_be_changed_in_place_is_written_anew_and_said() -> None:
    text = "palier: 1\nrules: [\n  {key: a, fixed: '1'}, # a comment\n  {key: b}]\n"
    wanted = read_yaml(text.encode()).data
    wanted["rules"].append({"key": "c"})
    found = edit(text, wanted)
    assert found.whole
    assert read_yaml(found.text.encode()).data == wanted
    with pytest.raises(SourceError):
        edit("a: [", {})


PATHS = st.integers(0, 10**6)
SCALARS = st.sampled_from(
    ["1", "12.50", "on", "yes", "x: y", "# no", "é\nb", "", "2026-01-01", True, 3, "-", "a'b\"c"]
)


def mutated(value: Any, dice: random.Random, scalar: Any) -> Any:
    """Plain data with one thing changed, removed, added or moved somewhere in it."""
    if isinstance(value, dict) and value:
        key = dice.choice(list(value))
        act = dice.random()
        if act < 0.1 and len(value) > 1:
            return {name: item for name, item in value.items() if name != key}
        if act < 0.25:
            return {**value, "added": dice.choice([scalar, [scalar], {"a": scalar, "b": [{"c": scalar}]}])}
        return {**value, key: mutated(value[key], dice, scalar)}
    if isinstance(value, list) and value:
        index = dice.randrange(len(value))
        act = dice.random()
        if act < 0.15 and len(value) > 1:
            return value[:index] + value[index + 1 :]
        if act < 0.3:
            return [*value[:index], copy.deepcopy(dice.choice([scalar, value[index]])), *value[index:]]
        if act < 0.4:
            return value[::-1]
        return [*value[:index], mutated(value[index], dice, scalar), *value[index + 1 :]]
    return scalar


@settings(max_examples=120, deadline=None)
@given(st.sampled_from([entry.key for entry in gallery.entries()]), PATHS, SCALARS, st.integers(1, 3))
def test_any_edit_of_any_gallery_program_says_what_was_meant(
    key: str, seed: int, scalar: Any, times: int
) -> None:
    entry = gallery.find(key)
    assert entry is not None
    text = entry.document.read_text()
    wanted = read_yaml(text.encode()).data
    dice = random.Random(seed)
    for _ in range(times):
        wanted = mutated(wanted, dice, scalar)
    found = edit(text, wanted)
    assert read_yaml(found.text.encode()).data == wanted


def test_most_edits_of_the_gallery_keep_its_comments() -> None:
    whole = 0
    for seed in range(200):
        dice = random.Random(seed)
        entry = dice.choice(gallery.entries())
        text = entry.document.read_text()
        whole += edit(text, mutated(read_yaml(text.encode()).data, dice, "7")).whole
    assert whole <= 10
