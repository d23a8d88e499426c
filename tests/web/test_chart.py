"""Charts: what is drawn stands in the proportion of its values, labels are text, and the table says the same."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from django.template import engines
from hypothesis import given
from hypothesis import strategies as st

from palier.web.ui.chart import NARROW, WIDTH, Bar, Chart, Line, Point, across, bars, lines, scale

VALUE = st.integers(-(10**12), 10**12)
HEAD = ("Month", "Draft", "Published")


def said(value: int) -> str:
    return f"{value:,}"


def drawn(chart: Chart) -> ElementTree.Element:
    """The drawing as a tree: it is well formed, and nothing in it is given a look in place; nor in the narrow one."""
    assert "style=" not in chart.drawing + chart.narrow
    ElementTree.fromstring(chart.narrow)
    return ElementTree.fromstring(chart.drawing)


def lengths(chart: Chart, kind: str, side: str) -> list[int]:
    return [int(item.get(side, "")) for item in drawn(chart).iter("rect") if item.get("class") == kind]


def test_bars_start_at_nothing_and_are_as_long_as_their_values() -> None:
    three = [Bar("Gold", 400, 100), Bar("Silver", 200, 0), Bar("Green", -100, 50)]
    made = across(three, title="Members", described="More gold.", said=said, head=HEAD)
    mine, other = lengths(made, "subject", "width"), lengths(made, "rest", "width")
    assert mine[0] > 0
    assert abs(mine[0] - 2 * mine[1]) <= 1
    assert abs(mine[0] - 4 * mine[2]) <= 3
    assert other[1] == 0
    starts = lengths(made, "subject", "x")
    assert starts[0] == starts[1] == starts[2] + mine[2]  # what is below nothing ends where the others begin
    assert made.rows == (("Gold", "400", "100"), ("Silver", "200", "0"), ("Green", "-100", "50"))
    upright = bars(three, title="Members", described="More gold.", said=said, head=HEAD)
    tall, top = lengths(upright, "subject", "height"), lengths(upright, "subject", "y")
    assert abs(tall[0] - 4 * tall[2]) <= 3
    assert top[0] + tall[0] == top[1] + tall[1] == top[2]


def test_a_line_has_its_name_its_interval_and_no_bridge_over_a_gap() -> None:
    points = (Point("1 May", 10, 5, 15), Point("2 May", 20, 15, 25), Point("3 May", None), Point("4 May", 40))
    made = lines(
        [Line("This year", points), Line("Last year", tuple(Point(p.label, 8) for p in points), False)],
        title="Visits",
        described="Rising.",
        said=said,
        head=("Day", "This year", "Last year"),
    )
    tree = drawn(made)
    assert [item.get("class") for item in tree.iter("polyline")] == ["rest", "subject"]
    assert [item.get("class") for item in tree.iter("polygon")] == ["band subject"]
    assert len(list(tree.iter("circle"))) == 1  # the last point stands alone behind its gap
    texts = [item.text for item in tree.iter("text")]
    assert {"This year", "Last year", "1 May", "4 May", "0"} <= set(texts)
    narrow = [item.text for item in ElementTree.fromstring(made.narrow).iter("text")]
    assert {"This year", "Last year", "1 May", "4 May", "0"} <= set(narrow)
    assert made.rows[1] == ("2 May", "20 (15 – 25)", "8")
    assert made.rows[2] == ("3 May", "–", "8")


@given(VALUE, VALUE)
def test_scales_hold_all_values_and_nothing_with_few_round_ticks(one: int, two: int) -> None:
    low, high = min(0, one, two), max(0, one, two)
    first, last, ticks = scale(low, high)
    assert first <= low <= 0 <= high <= last
    assert 0 in ticks
    assert 2 <= len(ticks) <= 7
    assert re.fullmatch("[125]0*", str(ticks[1] - ticks[0]))


@given(st.lists(st.builds(Bar, st.text(max_size=60), VALUE, st.none() | VALUE), max_size=40))
def test_whatever_is_drawn_is_well_formed_and_within_the_drawing(some: list[Bar]) -> None:
    some = [Bar("".join(c for c in b.label if c.isprintable()), b.value, b.beside) for b in some]
    for draw in (across, bars):
        made = draw(some, title="", described="", said=said, head=HEAD)
        for tree, width in ((drawn(made), WIDTH), (ElementTree.fromstring(made.narrow), NARROW)):
            for item in tree.iter("rect"):
                assert (
                    0
                    <= int(item.get("x", ""))
                    <= int(item.get("x", "")) + int(item.get("width", ""))
                    <= width
                )
                assert int(item.get("height", "")) >= 0


def test_names_are_written_as_text_and_the_table_is_offered() -> None:
    evil = '<img src=x onerror="alert(1)">'
    made = across([Bar(evil, 1)], title=evil, described=evil, said=said, head=(evil, evil), source=evil)
    page = engines["django"].from_string("{% load ui %}{% chart made %}").render({"made": made})
    for found in (
        made.drawing,
        page,
        bars([Bar(evil, 1)], title="", described=evil, said=said, head=("",)).drawing,
    ):
        assert "<img" not in found
        assert "&lt;img" in found
    assert "<table>" in page
    assert '<th scope="row">' in page


def test_empty_charts_are_drawn_too() -> None:
    for made in (
        across([], title="", described="", said=said, head=HEAD),
        bars([], title="", described="", said=said, head=HEAD),
        lines([], title="", described="", said=said, head=HEAD),
    ):
        assert made.rows == ()
        drawn(made)
