"""Cases and surveys: something is wrong with a line; a few questions after a purchase, which may be declined."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from palier.activities import batch, queries
from palier.care import cases, surveys
from palier.care.cases import Case
from palier.care.refusals import CareRefusal, CareRefused
from palier.site.ids import read_id
from palier.staff.session import leave_snapshot
from palier.web.portal import telling
from palier.web.portal.play import doing
from palier.web.portal.visits import Visit, of_member


def refused(code: CareRefusal) -> str:
    """Why something was refused, to the member."""
    words = {
        CareRefusal.INVALID_TEXT: _("Write what is wrong, in up to 2,000 characters. Nothing was sent."),
        CareRefusal.PAYMENT_CARD_NUMBER: _(
            "Your text holds the number of a payment card. Leave it out: we never need it, and nothing was sent."
        ),
        CareRefusal.TOO_MANY_CASES: _("Five of your questions are open. Add to one of them, or close it."),
        CareRefusal.CASE_CLOSED: _("This question is closed. Ask another one about the same line."),
        CareRefusal.INVALID_ANSWER: _("Answer one question at least, or choose “No, thank you”."),
        CareRefusal.SURVEY_ANSWERED: _("You have answered already. Thank you."),
    }
    return words.get(code, _("This did not work, and nothing was changed. Try again in a moment."))


def _written(made: Visit, name: str) -> str:
    """What was written into a field, whole, with the line breaks that its length is counted with."""
    return made.request.POST.get(name, "").replace("\r\n", "\n")


def _headings(made: Visit, found: list[Case]) -> dict[int, str]:
    """What the lines of cases are called, by their ids."""
    ids = sorted({case.activity_id for case in found if case.activity_id})
    lines = queries.named_lines(made.connection, made.runtime.program_id, made.member_id, ids)
    stories = telling.told(made, lines)
    words = made.words
    return {
        story.line.activity_id: f"{telling.heading(words, story)}, {words.day(story.line.acts_at)}"
        for story in stories
    }


@require_GET
@of_member
def my_cases(made: Visit) -> HttpResponse:
    """What the member asked, with how it stands."""
    found = cases.of_member(made.connection, made.runtime.program_id, made.member_id, limit=50)
    headings = _headings(made, found)
    return made.page(
        "portal/play/cases.html",
        {
            "here": "me",
            "cases": [
                {
                    "ref": case.own,
                    "about": headings.get(case.activity_id, _("Your account")),
                    "state": case.state,
                    "unread": case.unread,
                    "day": made.words.day(case.changed_at),
                }
                for case in found
            ],
            "said": made.request.session.pop("said", None),
        },
    )


@require_http_methods(["GET", "POST"])
@of_member
def ask(made: Visit) -> HttpResponse:
    """Opens a case, about the line that the address names or about the account."""
    text = made.request.GET.get("line", "") or made.request.POST.get("line", "")
    line = read_id(text)
    named = queries.named_lines(
        made.connection, made.runtime.program_id, made.member_id, [line] if line is not None else []
    )
    if text and not named:
        raise Http404
    stories = telling.told(made, named)
    content: dict[str, Any] = {
        "here": "me",
        "once": doing.once(made),
        "line": line or "",
        "story": {
            "heading": telling.heading(made.words, stories[0]),
            "day": made.words.day(stories[0].line.acts_at),
            "steps": stories[0].steps(made.language),
        }
        if stories
        else None,
        "text": _written(made, "text"),
        "again": reverse("portal:ask", args=[made.runtime.key]) + (f"?line={line}" if line else ""),
    }
    if made.request.method == "GET":
        return made.page("portal/play/ask.html", content)
    try:
        found = batch.attempt(
            made.connection,
            lambda: cases.open_case(
                made.connection, made.runtime, member_id=made.member_id,
                text=content["text"], once=content["once"], activity_id=line or None, now=made.now,
            ),
        )  # fmt: skip
    except CareRefused as error:
        content["error"] = refused(error.code)
        return made.page("portal/play/ask.html", content, 422)
    made.request.session["said"] = _("Sent. The answer will stand here.")
    return made.go("case", ref=found.own)


def _own(made: Visit, ref: str) -> Case:
    case_id = cases.decode_own(ref)
    found = (
        cases.read_own(made.connection, made.runtime.program_id, made.member_id, case_id)
        if case_id is not None
        else None
    )
    if found is None:
        raise Http404
    return found


@require_http_methods(["GET", "POST"])
@of_member
def case(made: Visit, ref: str) -> HttpResponse:
    """One case: what was said, saying more, and closing it."""
    found = _own(made, ref)
    error = ""
    text = _written(made, "text")
    if made.request.method == "POST":
        try:
            if made.request.POST.get("close") == "yes":
                batch.attempt(made.connection, lambda: cases.close(made.connection, found, now=made.now))
                made.request.session["said"] = _("Closed. Thank you.")
                return made.go("cases")
            once = doing.once(made)
            batch.attempt(
                made.connection,
                lambda: cases.follow_up(made.connection, found, text=text, once=once, now=made.now),
            )
            return made.go("case", ref=found.own)
        except CareRefused as refusal:
            error = refused(refusal.code)
    if found.unread:
        # Looking at it is what marks it as read, whatever else comes of the page.
        leave_snapshot(made.connection)
        batch.attempt(made.connection, lambda: cases.seen(made.connection, found, now=made.now))
    headings = _headings(made, [found])
    return made.page(
        "portal/play/case.html",
        {
            "here": "me",
            "case": {
                "ref": found.own,
                "state": found.state,
                "line": found.activity_id if found.member_id == made.member_id else 0,
            },
            "about": headings.get(found.activity_id, _("Your account")),
            "messages": [
                {"own": item.author == "member", "text": item.text, "day": made.words.day(item.at)}
                for item in cases.messages(made.connection, found)
            ],
            "once": doing.once(made) if not error else "",
            "error": error,
            "text": text if error else "",
            "said": made.request.session.pop("said", None),
        },
        422 if error else 200,
    )


# --- surveys ----------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@of_member
def survey(made: Visit, key: str) -> HttpResponse:
    """A survey's questions; answering and declining are equally near."""
    found = surveys.due(made.connection, made.runtime, made.member_id, now=made.now)
    if found is None or found.document.key != key:
        return made.go("home")
    words = made.words
    error = ""
    form = made.request.POST
    if made.request.method == "POST":
        try:
            if form.get("decline") == "yes":
                batch.attempt(
                    made.connection,
                    lambda: surveys.refuse(
                        made.connection, made.runtime, made.member_id, found, now=made.now
                    ),
                )
                made.request.session["said"] = _("We will not ask again.")
                return made.go("home")
            given = {question.key: _written(made, question.key) for question in found.document.questions}
            told = batch.attempt(
                made.connection,
                lambda: surveys.answer(
                    made.connection, made.runtime, made.member_id, found, given, now=made.now
                ),
            )
            said = _("Thank you.")
            earned: dict[str, int] = {}
            for rule in told.trace.rules if told is not None and told.trace is not None else ():
                earned[rule.currency] = earned.get(rule.currency, 0) + rule.earned
            brought = ", ".join(words.points(minor, item) for item, minor in earned.items() if minor)
            if brought:
                said += " " + _("You get %(given)s.") % {"given": brought}
            made.request.session["said"] = said
            return made.go("home")
        except CareRefused as refusal:
            error = refused(refusal.code)
    questions = []
    for question in found.document.questions:
        choices = []
        if question.kind in surveys.SCALES:
            choices = [(str(value), str(value)) for value in surveys.SCALES[question.kind]]
        elif question.kind == "choice":
            choices = [(str(place), words.text(text)) for place, text in enumerate(question.options, 1)]
        questions.append(
            {
                "key": question.key,
                "kind": question.kind,
                "text": words.text(question.text),
                "choices": choices,
                "given": _written(made, question.key),
            }
        )
    return made.page(
        "portal/play/survey.html",
        {
            "here": "home",
            "key": key,
            "name": words.text(found.document.name),
            "intro": words.text(found.document.intro),
            "questions": questions,
            "error": error,
        },
        422 if error else 200,
    )


def asked(made: Visit) -> dict[str, str] | None:
    """The survey to be shown on the home page, where there is one."""
    found = surveys.due(made.connection, made.runtime, made.member_id, now=made.now)
    if found is None:
        return None
    words = made.words
    return {
        "key": found.document.key,
        "name": words.text(found.document.name),
        "intro": words.text(found.document.intro),
    }


def answered(made: Visit) -> list[str]:
    """Cases that the shop has answered and that the member has not looked at."""
    found = cases.of_member(made.connection, made.runtime.program_id, made.member_id, limit=10)
    return [case.own for case in found if case.unread]
