"""The page of components: each with what it is for and its arguments, in both themes and both languages.

Tags are told by their own signature and docstring, so that what is shown is what there is; a test finds one that is
missing here.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from django.contrib.staticfiles import finders
from django.http import HttpResponse
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, override
from django.views.decorators.http import require_GET
from msgspec import Struct

from palier.web.console.visits import StaffVisit, of_staff
from palier.web.templatetags import ui
from palier.web.ui import pictures
from palier.web.ui.chart import Bar, Chart, Line, Point, across, bars, lines
from palier.web.ui.stair import Landing, stair

THEMES: Final = (("light", "en"), ("dark", "fr"))
"""What stands beside each other: a theme, and the language in which it is shown."""


class Shown(Struct, frozen=True):
    """A component: its name, what it is for, its arguments, and what it looks like in each frame."""

    name: str
    purpose: str
    arguments: list[str]
    frames: list[dict[str, Any]]


class _Stair(Struct, frozen=True):
    title: str
    drawing: SafeString
    sentence: str
    note: str = ""


def _way() -> dict[str, Any]:
    landings = [
        Landing(_("Green"), "reached"),
        Landing(_("Silver"), "present"),
        Landing(_("Gold"), "ahead"),
    ]
    sentence = _("12 stars to go until Gold.")
    drawing = SafeString(stair(landings, sentence, share=(3, 4)))
    return {
        "found": _Stair(_("Silver"), drawing, sentence, _("Counted until the end of the month.")),
        "level": 3,
    }


def _charts() -> list[dict[str, Any]]:
    said = str
    week = [_("Mon"), _("Tue"), _("Wed"), _("Thu"), _("Fri")]
    head = (_("Day"), _("this week"), _("week before"))
    values, before = (4, 7, 3, 9, 12), (5, 5, 6, 6, 8)
    pairs = [Bar(label, now, then) for label, now, then in zip(week, values, before, strict=True)]
    points = tuple(Point(label, now, now - 2, now + 2) for label, now in zip(week, values, strict=True))
    source = _("Figures made up for this page.")
    described = _("12 on Friday, the most of the week.")
    return [
        _drawn(
            across(pairs, title=_("Bars across"), described=described, said=said, head=head, source=source)
        ),
        _drawn(
            bars(pairs, title=_("Upright bars"), described=described, said=said, head=head, source=source)
        ),
        _drawn(
            lines(
                [Line(_("this week"), points)],
                title=_("A line with its interval"),
                described=described,
                said=said,
                head=head[:2],
                source=source,
            )
        ),
    ]


def _drawn(chart: Chart) -> dict[str, Any]:
    return {"found": chart, "level": 3}


def _picture() -> pictures.Shown:
    """The drawing of Palier itself, in the place of a picture that somebody brought."""
    drawing = static("ui/app.svg")
    return pictures.Shown(drawing, drawing, drawing, _("Stairs"), 128, 128)


EXAMPLES: Final[dict[str, Callable[[], list[dict[str, Any]]]]] = {
    "icon": lambda: [{"name": name} for name in ("house", "gift", "star", "check", "circle-alert")],
    "way": lambda: [_way()],
    "chart": _charts,
    "empty": lambda: [
        {"symbol": "gift", "title": _("Nothing here yet"), "text": _("The first step stands here.")}
    ],
    "logo": lambda: [
        {"found": None, "name": _("The corner grocer")},
        {"found": _picture(), "name": _("The corner grocer")},
        {"found": _picture(), "name": _("The corner grocer"), "says_name": True},
    ],
    "picture": lambda: [
        {"found": _picture(), "sizes": "8rem"},
        {"found": None, "symbol": "package", "sizes": "8rem"},
    ],
    "notice": lambda: [
        {"kind": "good", "text": _("It is done.")},
        {"kind": "warn", "text": _("It is done, and something is to be looked at.")},
        {"kind": "bad", "text": _("It was not done, and nothing was changed. Try again.")},
        {"kind": "", "text": _("Something to know.")},
    ],
}
"""Tag -> arguments with which it is shown."""

ELEMENTS: Final = {
    "button": gettext_lazy("What is done from here: primary for the one act of a page, danger for what "
        "cannot be taken back."),
    "chip": gettext_lazy("A state in a word: plain, accent, good, warn, bad."),
    "field": gettext_lazy("A question with its label, a hint, and what was wrong with the answer."),
    "card": gettext_lazy("One subject, set apart by a border."),
    "number": gettext_lazy("The largest thing on its page, with its unit."),
    "receipt": gettext_lazy("One line for one movement, which opens to its arithmetic."),
    "stamps": gettext_lazy("A card of stamps, those given filled."),
    "bar": gettext_lazy("How far, where one line is enough."),
    "table": gettext_lazy("Rows with a head; figures stand right. It scrolls in a box of its own, never the page."),
}  # fmt: skip
"""Classes of ui.css that are components without a tag: what each is for."""

FRAME: Final = "base.html"
"""The template that is no component: the page around them."""


@require_GET
@of_staff(None, program=False)
def components(made: StaffVisit) -> HttpResponse:
    """Every component of the design system."""
    tags = [_tag(name, getattr(ui, name)) for name in sorted(EXAMPLES)]
    elements = [
        Shown(
            name,
            str(purpose),
            [],
            [
                {
                    "theme": theme,
                    "language": language,
                    "html": _rendered(f"console/board/elements/{name}.html", language, {"place": theme}),
                }
                for theme, language in THEMES
            ],
        )
        for name, purpose in ELEMENTS.items()
    ]
    return made.page("console/board/components.html", {"tags": tags, "elements": elements, "frame": FRAME})


def _tag(name: str, tag: Callable[..., Any]) -> Shown:
    signature = inspect.signature(tag)
    arguments = [_argument(parameter) for parameter in signature.parameters.values()]
    frames = []
    for theme, language in THEMES:
        with override(language):
            made = [_one(tag, values) for values in EXAMPLES[name]()]
        frames.append({"theme": theme, "language": language, "html": SafeString("\n".join(made))})
    return Shown(name, inspect.getdoc(tag) or "", arguments, frames)


def _argument(parameter: inspect.Parameter) -> str:
    """An argument as its tag declares it: name, type, and what it is where it is left out."""
    default = "" if parameter.default is inspect.Parameter.empty else f" = {parameter.default!r}"
    return f"{parameter.name}: {str(parameter.annotation).strip(chr(39))}{default}"


def _one(tag: Callable[..., Any], values: dict[str, Any]) -> str:
    """What a tag makes: of itself, or by its template."""
    found = tag(**values)
    return render_to_string(f"ui/{tag.__name__}.html", found) if isinstance(found, dict) else str(found)


def _rendered(template: str, language: str, values: dict[str, Any]) -> SafeString:
    with override(language):
        return render_to_string(template, values)


@require_GET
def themes(request: object) -> HttpResponse:
    """The tokens of each theme as classes, made from tokens.css itself, so that both stand on one page."""
    path = finders.find("ui/tokens.css")
    assert isinstance(path, str)
    sheet = Path(path).read_text(encoding="utf-8")
    found = re.findall(r":root \{(.*?)\}", sheet, re.S)
    light, dark = found[0], found[1]
    text = f".shown-light {{{light}}}\n.shown-dark {{{light}{dark}}}\n".replace(
        "color-scheme: light dark;", ""
    )
    response = HttpResponse(text, content_type="text/css; charset=utf-8")
    response["Cache-Control"] = "private, max-age=300"
    return response


__all__ = ["ELEMENTS", "EXAMPLES", "FRAME", "components", "themes"]
