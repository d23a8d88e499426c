"""Terms: the versions the member accepted or took note of, and what has changed since."""

from __future__ import annotations

from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from palier.activities import batch
from palier.privacy import terms
from palier.web.portal.visits import Visit, of_member


@require_http_methods(["GET", "POST"])
@of_member
def terms_page(made: Visit) -> HttpResponse:
    """What reads differently, before and after; the member takes note of it, and may leave if it does not suit."""
    assert made.member is not None
    enrolled_at = made.member.enrolled_at
    if made.request.method == "POST":
        seen = made.request.POST.get("version", "")

        def act() -> None:
            if seen == str(made.runtime.latest.version) and terms.unseen(
                made.connection, made.runtime, made.member_id, enrolled_at, made.language
            ):
                terms.accept(
                    made.connection, made.runtime, made.member_id,
                    kind="acknowledged", language=made.language, via="portal", now=made.now,
                )  # fmt: skip

        batch.attempt(made.connection, act)
        made.request.session["said"] = _("Noted. Thank you for reading.")
        return made.go("terms")
    unseen = terms.unseen(made.connection, made.runtime, made.member_id, enrolled_at, made.language)
    return made.page(
        "portal/account/terms.html",
        {
            "here": "me",
            "said": made.request.session.pop("said", None),
            "changes": [
                {
                    "day": made.words.day(told.version.effective_from),
                    "ahead": told.version.effective_from > made.now,
                    "reads": told.reads,
                }
                for told in unseen
            ],
            "accepted": [
                {
                    "version": item.version,
                    "day": made.words.day(item.at),
                    "joined": item.kind == "accepted",
                    "sha256": item.sha256[:16],
                }
                for item in terms.listed(made.connection, made.runtime.program_id, made.member_id)
            ],
        },
    )
