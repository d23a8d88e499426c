"""Oneself: the hub of the account's pages, and the settings."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.conf import settings as site
from django.http import HttpResponse
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from palier.activities import batch
from palier.activities import operations as activities
from palier.activities.wire import attribute_value
from palier.members import operations as membership
from palier.members import queries as members
from palier.privacy import consents, erasure
from palier.web.portal.account import inbox
from palier.web.portal.account.leaving import waiting_words
from palier.web.portal.play.giving import movable
from palier.web.portal.visits import Visit, of_member


@require_GET
@of_member
def me(made: Visit) -> HttpResponse:
    """What one may look at and change of oneself, each in its place."""
    assert made.member is not None
    unread = inbox.look(made)
    asked = erasure.request_of(made.connection, made.runtime.program_id, made.member_id)
    given = consents.standing(made.connection, made.runtime.program_id, made.member_id)
    return made.page(
        "portal/account/me.html",
        {
            "here": "me",
            "gives": bool(movable(made.program)),
            "since": made.words.day(made.member.enrolled_at),
            "unread": unread,
            "allowed": sum(consent.state == "given" for consent in given.values()),
            "erased_on": made.words.day(asked.due_at) if asked is not None else "",
            "waits": waiting_words(asked.waits_for) if asked is not None else "",
            "said": made.request.session.pop("said", None),
        },
    )


@require_http_methods(["GET", "POST"])
@of_member
def settings(made: Visit) -> HttpResponse:
    """Language, birthday where the program keeps it, and whether one is shown in rankings."""
    assert made.member is not None
    birthday = made.program.birth_date or ""
    content: dict[str, Any] = {
        "here": "me",
        "rankings": bool(made.program.leaderboards),
        "birthday": birthday,
        "born": made.member.attributes.get(birthday, "") if birthday else "",
        "today": date.fromordinal(made.words.clock.local(made.now)[0]).isoformat(),
        "locale": made.member.locale,
        "said": made.request.session.pop("said", None),
    }
    if made.request.method == "GET":
        return made.page("portal/account/settings.html", content)
    form = made.request.POST
    language = form.get("language", "")
    born = form.get("born", "").strip()
    # A birthday is given once: whoever could change it would have one each day.
    if birthday and born and not content["born"]:
        try:
            right = born == date.fromisoformat(born).isoformat() and "1900-01-01" < born < content["today"]
        except ValueError:
            right = False
        if not right:
            content["error"] = _("Write the day of your birth as a date that has passed, or leave it out.")
            return made.page("portal/account/settings.html", content, 422)
    else:
        born = ""

    def act() -> None:
        program_id, connection = made.runtime.program_id, made.connection
        activities.lock_member(connection, made.member_id)
        assert made.member is not None
        if language in ("en", "fr"):
            membership.set_locale(connection, program_id, made.member_id, language)
        held = members.read(connection, program_id, made.member_id)
        # Looked at again under the lock: two forms at once give one birthday, and nothing written meanwhile is lost.
        if born and held is not None and not held.attributes.get(birthday):
            declared = made.program.member_attributes[birthday]
            kept = {**held.attributes, birthday: attribute_value(birthday, born, declared)}
            membership.set_attributes(connection, program_id, made.member_id, kept)
        if content["rankings"]:
            ranked = form.get("ranked") == "yes"
            membership.set_ranked(connection, program_id, made.member_id, ranked, now=made.now)

    batch.attempt(made.connection, act)
    if language in ("en", "fr"):
        translation.activate(language)
    made.request.session["said"] = _("Saved.")
    answer = made.go("settings")
    if language in ("en", "fr"):
        answer.set_cookie(
            site.LANGUAGE_COOKIE_NAME, language, max_age=365 * 24 * 3600, samesite="Lax",
            secure=site.SESSION_COOKIE_SECURE, httponly=True,
        )  # fmt: skip
    return answer
