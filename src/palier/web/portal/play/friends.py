"""Friends: the link with the member's code, what both get, and what came of it, without a word about who they are."""

from __future__ import annotations

import segno
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils.safestring import mark_safe
from django.views.decorators.http import require_http_methods

from palier.activities import batch, enrolment, queries
from palier.engine.words import ProgramWords
from palier.staff.session import leave_snapshot
from palier.web.portal.visits import Visit, of_member

LATEST = 10


def _given(words: ProgramWords, grants: list[tuple[str, int]]) -> str:
    return ", ".join(words.points(minor, currency) for currency, minor in grants)


@require_http_methods(["GET"])
@of_member
def friends(made: Visit) -> HttpResponse:
    """The link to share, as text, as a code to scan, and by the phone's own sharing where it has one."""
    plan = made.runtime.timeline.at(made.now) or made.runtime.latest
    referral = plan.referral
    if referral is None:
        raise Http404
    words = ProgramWords(plan.program, made.language)
    # The code is made when it is first asked for; after that this only reads it.
    leave_snapshot(made.connection)
    code, _path, _new = batch.attempt(
        made.connection,
        lambda: enrolment.referral_code(made.connection, made.runtime, made.member_id, now=made.now),
    )
    link = made.request.build_absolute_uri(reverse("portal:door", args=[made.runtime.key]) + f"?from={code}")
    counts = queries.count_of(
        made.connection, made.runtime.program_id, made.member_id, ["friend_joined", "friend_converted"]
    )
    lines = [
        *queries.of_type(
            made.connection, made.runtime.program_id, made.member_id, "friend_joined", limit=LATEST
        ),
        *queries.of_type(
            made.connection, made.runtime.program_id, made.member_id, "friend_converted", limit=LATEST
        ),
    ]
    lines.sort(key=lambda line: -line.acts_at)
    drawing = segno.make_qr(link, error="m").svg_inline(scale=6, border=2, omitsize=True)
    return made.page(
        "portal/play/friends.html",
        {
            "here": "me",
            "code": f"{code[:4]} {code[4:]}",
            "link": link,
            "qr": mark_safe(drawing),  # noqa: S308
            "for_you": _given(words, referral.referrer),
            "for_friend": _given(words, referral.friend),
            "wait_days": referral.wait_days,
            "within_days": referral.within_days,
            "most": referral.most,
            "joined": counts.get("friend_joined", 0),
            "converted": counts.get("friend_converted", 0),
            "lines": [
                {
                    "day": words.day(line.acts_at),
                    "converted": line.type == "friend_converted",
                    "given": ", ".join(
                        words.points(item.points, item.currency)
                        for item in line.trace.grants
                        if item.points > 0
                    ),
                }
                for line in lines[:LATEST]
                if line.corrects is None
            ],
        },
    )
