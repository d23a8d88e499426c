"""Components of the design system, as template tags with stated arguments."""

from __future__ import annotations

from django import template
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from palier.engine.describe import page as described
from palier.web.ui.chart import Chart
from palier.web.ui.pictures import Shown

register = template.Library()


@register.filter
def typeset(text: str) -> str:
    """What the engine tells, with the apostrophes and spaces of print, as the page's own sentences have them."""
    return described.typeset(text, (get_language() or "en")[:2])


@register.simple_tag
def icon(name: str) -> SafeString:
    """A drawing of the sprite by its name, beside a word; it is not read aloud."""
    return format_html(
        '<svg class="icon" aria-hidden="true"><use href="{}#{}"></use></svg>', static("ui/icons.svg"), name
    )


@register.inclusion_tag("ui/way.html")
def way(found: object, level: int = 2) -> dict[str, object]:
    """A stair with its title, sentence and note; `level` is that of its heading."""
    return {"way": found, "level": level}


@register.inclusion_tag("ui/chart.html")
def chart(found: Chart, level: int = 2) -> dict[str, object]:
    """A chart with its sentence, source and table; `level` is that of its heading. The page loads ui/chart.css."""
    return {"chart": found, "level": level}


@register.inclusion_tag("ui/empty.html")
def empty(symbol: str, title: str, text: str = "") -> dict[str, str]:
    """What is not there yet, and the first step to it."""
    return {"symbol": symbol, "title": title, "text": text}


@register.inclusion_tag("ui/notice.html")
def notice(kind: str, text: str) -> dict[str, str]:
    """What happened, what did not, what to do. Kinds: good, warn, bad, or empty."""
    symbols = {"good": "check", "warn": "circle-alert", "bad": "circle-alert"}
    return {"kind": kind, "text": text, "symbol": symbols.get(kind, "info")}


@register.inclusion_tag("ui/picture.html")
def picture(
    found: Shown | None, symbol: str = "gift", sizes: str = "", beside: bool = False
) -> dict[str, object]:
    """A picture, or a drawing where there is none. `sizes`: how wide it is drawn, such as "6rem"; `beside`: the same
    is said in words next to it, so that it is not read aloud."""
    return {"picture": found, "symbol": symbol, "sizes": sizes, "beside": beside}


@register.inclusion_tag("ui/logo.html")
def logo(
    found: Shown | None, name: str, says_name: bool = False, symbol: str = "footprints"
) -> dict[str, object]:
    """A program's logo and name: the name is written beside a logo that does not say it. Without a logo, a drawing."""
    return {"logo": found, "name": name, "says_name": says_name, "symbol": symbol}
