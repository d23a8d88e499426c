"""Oneself: the hub of the account's pages."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from palier.activities import batch, queries
from palier.members import operations as membership
from palier.web.portal import telling
from palier.web.portal.visits import Visit, of_member


@require_http_methods(["GET", "POST"])
@of_member
def me(made: Visit) -> HttpResponse:
    """Preferences, rankings, one's data, and the way out."""
    assert made.member is not None
    if made.request.method == "POST":
        ranked = made.request.POST.get("ranked") == "yes"

        def act() -> None:
            membership.set_ranked(
                made.connection, made.runtime.program_id, made.member_id, ranked, now=made.now
            )

        batch.attempt(made.connection, act)
        made.request.session["said"] = _("Saved.")
        return made.go("me")
    return made.page(
        "portal/account/me.html",
        {
            "here": "me",
            "since": made.words.day(made.member.enrolled_at),
            "rankings": bool(made.program.leaderboards),
            "said": made.request.session.pop("said", None),
        },
    )


@require_GET
@of_member
def export(made: Visit) -> HttpResponse:
    """All that is known of the member, as JSON to take along."""
    assert made.member is not None
    lines: list[dict[str, Any]] = []
    before: int | None = None
    while True:
        stories, before = telling.told_lines(made, before, 500)
        lines += [
            {
                "at": story.line.acts_at // 1_000_000,
                "type": story.line.type,
                "id": story.line.id,
                "said": story.sentence(made.language),
                "steps": [step.text for step in story.steps(made.language)],
            }
            for story in stories
        ]
        if before is None:
            break
    wallets = queries.wallets(made.connection, made.runtime, made.member_id, now=made.now)
    words = made.words
    content = {
        "program": made.runtime.key,
        "member": made.member.ref,
        "status": made.member.status,
        "enrolled_at": made.member.enrolled_at // 1_000_000,
        "language": made.member.locale,
        "attributes": dict(made.member.attributes),
        "wallets": {key: words.points(item.posted, key) for key, item in wallets.wallets.items()}
        if wallets
        else {},
        "history": lines,
        "note": _(
            "Times are seconds since 1970-01-01 UTC. Cards, addresses and phones are kept as hashes only."
        ),
    }
    response = JsonResponse(content, json_dumps_params={"ensure_ascii": False, "indent": 1})
    response["Content-Disposition"] = f'attachment; filename="{made.runtime.key}-{made.member.ref}.json"'
    response["Cache-Control"] = "private, no-store"
    return response
