"""The pages of the portal: what each needs, and what its forms do."""

from __future__ import annotations

from typing import Any, Final

import segno
from django.http import HttpResponse, JsonResponse
from django.urls import reverse
from django.utils.safestring import mark_safe
from django.views.decorators.http import require_GET

from palier.activities import queries
from palier.engine.describe import describe
from palier.members import card
from palier.site.ids import read_id
from palier.web.portal import telling
from palier.web.portal.play import saving, support
from palier.web.portal.visits import Visit, of_anyone, of_member
from palier.web.ui import pictures
from palier.web.ui.colour import theme

LINES: Final = 20
"""Lines of history on a page."""


# --- the member's pages -----------------------------------------------------------------------------------


@require_GET
@of_member
def home(made: Visit) -> HttpResponse:
    """Where I stand, what I have, the next step, how far."""
    words, plan = made.words, made.runtime.latest
    wallets = queries.wallets(made.connection, made.runtime, made.member_id, now=made.now)
    standing = queries.standing(made.connection, made.runtime, made.member_id, now=made.now)
    assert wallets is not None
    assert standing is not None
    balances = [
        telling.balance(words, wallets, key)
        for key in telling.currencies_of(plan, "points", "cash")
        if key in wallets.wallets
    ]
    have = [
        (words.points(wallets.wallets[key].spendable, key), telling.balance(words, wallets, key).expiry)
        for key in telling.currencies_of(plan, "reward", "token")
        if key in wallets.wallets and wallets.wallets[key].spendable > 0
    ]
    goals = [
        telling.goal_way(words, goal, made.now)
        for goal in standing.pursuits.goals
        if goal.steps and goal.state in ("open", "planned") and goal.joining in ("none", "joined")
    ]
    first = next((item for item in balances if not item.empty), balances[0] if balances else None)
    return made.page(
        "portal/home.html",
        {
            "here": "home",
            "balance": first,
            "others": [item for item in balances if item is not first and not item.empty],
            "have": have,
            "tier": telling.tier_way(plan, words, standing),
            "goals": goals[:3],
            "streaks": [
                (words.text(item.name), telling.streak_words(words, item, made.now), item.state)
                for item in standing.pursuits.streaks
            ],
            "saving": saving.saving(made, wallets),
            "expiries": telling.expiries(words, wallets),
            "survey": support.asked(made),
            "answered": support.answered(made),
            "said": made.request.session.pop("said", None),
            "welcome": made.request.session.pop("welcome", None) == made.runtime.key,
            "first_name": telling.first_name(made.member.attributes) if made.member is not None else "",
        },
    )


@require_GET
@of_member
def history(made: Visit) -> HttpResponse:
    """Every movement, a line each; a line opens to its arithmetic."""
    after = made.request.GET.get("after", "")
    before = read_id(after)
    stories, following = telling.told_lines(made, before, LINES)
    words, rewards = made.words, telling.rewards_of(made, stories)
    lines = []
    for story in stories:
        said = story.said(made.language)
        lines.append(
            {
                "day": words.day(story.line.acts_at),
                "heading": telling.heading(words, story, rewards.get(story.line.activity_id, "")),
                "sentence": said.sentence,
                "moved": [
                    {"text": ("+" if minor > 0 else "") + words.points(minor, key), "plus": minor > 0}
                    for key, minor in said.moved.items()
                    if minor
                ],
                "steps": said.steps,
                "why_not": story.why_not(made.language),
                "id": story.line.activity_id,
            }
        )
    return made.page(
        "portal/history.html",
        {
            "here": "history",
            "lines": lines,
            "next": following,
            "later": before is not None,
        },
    )


@require_GET
@of_member
def membership_card(made: Visit) -> HttpResponse:
    """The card to show at the till; it renews itself. `?for=use`: a code by which points may be used, once."""
    purpose: card.Purpose = "use" if made.request.GET.get("for") == "use" else "earn"
    return made.page("portal/card.html", {"here": "card", "using": purpose == "use", **_card(made, purpose)})


def _card(made: Visit, purpose: card.Purpose) -> dict[str, Any]:
    text = card.code(made.runtime.key, made.member_id, made.now, purpose)
    drawing = segno.make_qr(text, error="m").svg_inline(scale=8, border=2, omitsize=True)
    seconds = (card.LASTS - made.now % card.LASTS) // 1_000_000 + 1
    return {"qr": mark_safe(drawing), "ref": made.member.ref if made.member else "", "seconds": seconds}  # noqa: S308


@require_GET
@of_anyone
def program_page(made: Visit) -> HttpResponse:
    """The program in plain words, with the version they belong to."""
    page = describe(made.runtime.latest.document, made.language)
    return made.page("portal/program.html", {"here": "me", "page": page})


# --- what belongs to no member ----------------------------------------------------------------------------


@require_GET
@of_anyone
def brand(made: Visit) -> HttpResponse:
    """The style sheet with the program's accent, made readable on both grounds."""
    declared = made.program.brand
    text = theme(declared.accent) if declared is not None and declared.accent else ""
    response = HttpResponse(text, content_type="text/css; charset=utf-8")
    response["Cache-Control"] = "public, max-age=300"
    return response


@require_GET
@of_anyone
def manifest(made: Visit) -> HttpResponse:
    """What installs the portal on a phone."""
    name = made.words.text(made.program.name)
    home = reverse("portal:home", args=[made.runtime.key])
    content = {
        "name": name,
        "short_name": name[:12],
        "start_url": home,
        "scope": home,
        "display": "standalone",
        "lang": made.language,
        "background_color": "#fbfaf7",
        "theme_color": "#fbfaf7",
        "icons": pictures.installed(pictures.logo(made.connection, made.runtime, made.words)),
    }
    return JsonResponse(content, content_type="application/manifest+json")
