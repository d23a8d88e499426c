"""Consents: what the member allows, given and withdrawn on the same page by the same touch."""

from __future__ import annotations

from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from palier.activities import batch
from palier.privacy import consents
from palier.privacy.purposes import questions
from palier.staff.approvals import Person
from palier.web.portal.visits import Visit, of_member

MEMBER = Person("member", "member", "member")


@require_http_methods(["GET", "POST"])
@of_member
def consents_page(made: Visit) -> HttpResponse:
    """Every question with its answer; an answer is one touch, either way."""
    if made.request.method == "POST":
        return _answer(made)
    held = consents.standing(made.connection, made.runtime.program_id, made.member_id)
    asked = []
    for question in questions(made.program, made.language):
        known = held.get(question.key)
        asked.append(
            {
                "key": question.key,
                "body": question.body,
                "given": known is not None and known.state == "given",
                "since": made.words.day(known.at) if known is not None else "",
            }
        )
    return made.page(
        "portal/account/consents.html",
        {"here": "me", "asked": asked, "said": made.request.session.pop("said", None)},
    )


def _answer(made: Visit) -> HttpResponse:
    form = made.request.POST
    try:
        question = consents.question_of(made.runtime, form.get("question", ""), made.language)
    except consents.UnknownPurpose:
        return made.go("consents")
    given = form.get("answer") == "give"

    def act() -> bool:
        return consents.set_consent(
            made.connection, made.runtime, made.member_id, question,
            given=given, via="portal", by=MEMBER, now=made.now,
        )  # fmt: skip

    batch.attempt(made.connection, act)
    made.request.session["said"] = (
        _("Thank you. You can withdraw it here at any time.") if given else _("Withdrawn, from now on.")
    )
    return made.go("consents")
