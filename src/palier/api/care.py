"""Care: cases that members open about their account, and short surveys. Nobody must answer one to earn."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec
from django.http import HttpRequest, HttpResponse
from ninja import Query, Router
from pydantic import AfterValidator, Field

from palier.api.bodies import read_body
from palier.api.calls import ApiKey, Call, answer, call, encode, text_only, write, written
from palier.api.cursors import read_cursor, write_cursor
from palier.api.problems import Problem, not_found
from palier.api.schemas import PAGE, Answered, Body, IdempotencyKey, InstantText, Key, Limit, Ref, problems
from palier.care import cases, surveys
from palier.care.cases import Case
from palier.members import refs
from palier.staff.operations import Answer

router = Router(tags=["Care"])
READ: Final = ApiKey("members:read")
WRITE: Final = ApiKey("members:write")
READ_SURVEYS: Final = ApiKey("programs:read")
WRITE_SURVEYS: Final = ApiKey("programs:write")

CaseRef = Annotated[
    str,
    Field(
        min_length=1, max_length=64, description="A case's id.", examples=["m_01h2xcejqtf2n.00q5d2m8x4k7s"]
    ),
    AfterValidator(text_only),
]
CaseState = Literal["open", "answered", "closed"]
Said = Annotated[str, Field(min_length=1, max_length=cases.LONGEST_TEXT), AfterValidator(text_only)]


# --- cases ------------------------------------------------------------------------------------------------


class NewCase(Body):
    """What a member says is wrong, taken down for him; `activity` names the line, by source and id."""

    text: Said
    source: Annotated[str | None, Field(min_length=1, max_length=200)] = None
    id: Annotated[str | None, Field(min_length=1, max_length=200)] = None


class NewAnswer(Body):
    """What the shop says; with `close` the case is over."""

    text: Said
    close: bool = False


class MessageAnswer(Answered):
    author: Literal["member", "shop"]
    by: str
    text: str
    at: InstantText


class CaseAnswer(Answered):
    case: str
    member: str
    state: CaseState
    opened_at: InstantText
    changed_at: InstantText
    activity: dict[str, str] | None = Field(description="Source and id of the line it is about.")
    messages: list[MessageAnswer] | None = Field(None, description="Told where one case is read.")


class CasesAnswer(Answered):
    cases: list[CaseAnswer]
    next: str | None


def _shown(made: Call, case: Case, *, whole: bool = False) -> dict[str, Any]:
    named = cases.line_of(made.connection, case)
    shown: dict[str, Any] = {
        "case": case.ref,
        "member": refs.encode(case.member_id),
        "state": case.state,
        "opened_at": written(case.opened_at),
        "changed_at": written(case.changed_at),
        "activity": {"source": named[0], "id": named[1]} if named is not None else None,
    }
    if whole:
        shown["messages"] = [
            {"author": item.author, "by": item.actor, "text": item.text, "at": written(item.at)}
            for item in cases.messages(made.connection, case)
        ]
    return shown


def _case(made: Call, ref: str) -> Case:
    ids = cases.decode_case_ref(ref)
    found = cases.read(made.connection, made.key.program_id, *ids) if ids is not None else None
    if found is None:
        raise not_found("case")
    return found


@router.get(
    "/cases",
    auth=READ,
    operation_id="list_cases",
    summary="List cases",
    response={200: CasesAnswer, **problems()},
)
def list_cases(
    request: HttpRequest,
    state: Annotated[CaseState, Query(description="Open: the shop's turn. Answered: the member's.")] = "open",
    limit: Limit = PAGE,
    cursor: Annotated[
        str | None, Query(min_length=1, max_length=80, description="`next` of the page before.")
    ] = None,
) -> HttpResponse:
    """Cases in a state, those that wait longest first."""
    after = read_cursor(request, cursor, 2) or (0, 0)
    with call(request, snapshot=True) as made:
        found = cases.in_state(
            made.connection, made.key.program_id, state, after=(after[0], after[1]), limit=limit + 1
        )
        page = found[:limit]
        more = write_cursor(request, page[-1].changed_at, page[-1].case_id) if len(found) > limit else None
        return answer({"cases": [_shown(made, case) for case in page], "next": more})


@router.get(
    "/cases/{case}",
    auth=READ,
    operation_id="read_case",
    summary="Read a case",
    response={200: CaseAnswer, **problems(404)},
)
def read_case(request: HttpRequest, case: CaseRef) -> HttpResponse:
    """A case with all that was said."""
    with call(request, snapshot=True) as made:
        return answer(_shown(made, _case(made, case), whole=True))


@router.post(
    "/members/{ref}/cases",
    auth=WRITE,
    operation_id="open_case",
    summary="Open a case",
    response={201: CaseAnswer, **problems(404, 409, 413, 415)},
)
def open_case(
    request: HttpRequest, ref: Ref, body: NewCase, idempotency_key: IdempotencyKey = None
) -> HttpResponse:
    """Opens a case for a member, as he said it at the counter or on the phone.

    The text is kept as it is, without the numbers of payment cards, which are refused.
    """

    def act(made: Call, identifier: str) -> Answer:
        member_id = made.acting(ref)
        line = (
            cases.line_named(
                made.connection, made.key.program_id, member_id, body.source or "", body.id or ""
            )
            if body.source is not None or body.id is not None
            else None
        )
        found = cases.open_case(
            made.connection, made.runtime, member_id=member_id, text=body.text, once=f"api:{identifier}",
            activity_id=line, by=made.person, now=made.now,
        )  # fmt: skip
        return Answer(201, encode(_shown(made, found, whole=True)))

    return write(request, "case-open", idempotency_key, act)


@router.post(
    "/cases/{case}/answer",
    auth=WRITE,
    operation_id="answer_case",
    summary="Answer a case",
    response={200: CaseAnswer, **problems(404, 409, 413, 415)},
)
def answer_case(
    request: HttpRequest, case: CaseRef, body: NewAnswer, idempotency_key: IdempotencyKey = None
) -> HttpResponse:
    """Answers the member, who reads it in the portal. Correcting the line is an adjustment or a return."""

    def act(made: Call, identifier: str) -> Answer:
        found = cases.answer(
            made.connection, _case(made, case), text=body.text, once=f"api:{identifier}", by=made.person,
            now=made.now, close=body.close,
        )  # fmt: skip
        return Answer(200, encode(_shown(made, found, whole=True)))

    return write(request, "case-answer", idempotency_key, act)


@router.post(
    "/cases/{case}/close",
    auth=WRITE,
    operation_id="close_case",
    summary="Close a case",
    response={200: CaseAnswer, **problems(404, 409, 413, 415)},
)
def close_case(request: HttpRequest, case: CaseRef, idempotency_key: IdempotencyKey = None) -> HttpResponse:
    """Closes a case; one that is closed stays as it is."""

    def act(made: Call, identifier: str) -> Answer:
        found = cases.close(made.connection, _case(made, case), by=made.person, now=made.now)
        return Answer(200, encode(_shown(made, found, whole=True)))

    return write(request, "case-close", idempotency_key, act)


# --- surveys ----------------------------------------------------------------------------------------------


class SurveyShown(Answered):
    survey: str
    version: int
    created_at: InstantText
    document: dict[str, Any]


class SurveysAnswer(Answered):
    surveys: list[SurveyShown]


class TallyAnswer(Answered):
    question: str
    kind: Literal["nps", "csat", "choice", "text"]
    answered: int
    counts: dict[str, int] = Field(description="How often each was answered; options are counted from 1.")
    net_promoters: str | None = Field(
        description="Of `nps`: promoters (9, 10) less detractors (0 to 6) over all that answered, as a fraction."
    )
    texts: list[str] | None = Field(description="The latest 50 free answers, without who wrote them.")


class ResultsAnswer(Answered):
    survey: str
    version: int
    answered: int
    refused: int
    questions: list[TallyAnswer]


def _texts(most: int) -> dict[str, Any]:
    """The form of a text in both languages."""
    text = {"type": "string", "maxLength": most}
    return {"type": "object", "properties": {"en": text, "fr": text}, "additionalProperties": False}


DOCUMENT: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["key", "name", "questions"],
                    "properties": {
                        "key": {"type": "string"},
                        "name": _texts(surveys.LONGEST_NAME),
                        "intro": _texts(surveys.LONGEST_SAID),
                        "questions": {
                            "type": "array",
                            "minItems": 1,
                            "maxItems": 5,
                            "items": {"type": "object"},
                        },
                        "activity": {"type": "string"},
                        "asked_from": {"type": "string", "format": "date"},
                        "asked_until": {"type": "string", "format": "date"},
                    },
                    "additionalProperties": False,
                },
                "example": {
                    "key": "visit",
                    "name": {"en": "Your last visit", "fr": "Votre dernière visite"},
                    "questions": [
                        {
                            "key": "again",
                            "kind": "nps",
                            "text": {"en": "Would you recommend us?", "fr": "Nous recommanderiez-vous ?"},
                        }
                    ],
                },
            }
        },
    }
}
"""The documented body: what is refused of it is named with its place."""


def _survey(found: surveys.Survey) -> dict[str, Any]:
    return {
        "survey": found.document.key,
        "version": found.version,
        "created_at": written(found.created_at),
        "document": msgspec.to_builtins(found.document),
    }


@router.get(
    "/surveys",
    auth=READ_SURVEYS,
    operation_id="list_surveys",
    summary="List surveys",
    response={200: SurveysAnswer, **problems()},
)
def list_surveys(request: HttpRequest) -> HttpResponse:
    """The program's surveys, each as it is asked now."""
    with call(request, snapshot=True) as made:
        found = surveys.surveys(made.connection, made.key.program_id)
        return answer({"surveys": [_survey(item) for item in found]})


@router.put(
    "/surveys/{survey}",
    auth=WRITE_SURVEYS,
    operation_id="put_survey",
    summary="Write a survey",
    response={201: SurveyShown, 200: SurveyShown, **problems(413, 415)},
    openapi_extra=DOCUMENT,
)
def put_survey(request: HttpRequest, survey: Key, idempotency_key: IdempotencyKey = None) -> HttpResponse:
    """Writes a survey, new or as the next version of the one with its key; 200 when the latest says the same.

    Members are asked once, within 30 days of a purchase; whoever was asked before is not asked again.
    """

    def act(made: Call, identifier: str) -> Answer:
        document = surveys.read_document(read_body(request))
        if document.key != survey:
            raise Problem(
                422, "invalid_survey", "The document is of another survey than the address.",
                field="key", remedy="send the document of this survey",
            )  # fmt: skip
        made_of = surveys.write(made.connection, made.runtime, document, by=made.person, now=made.now)
        return Answer(201 if made_of.is_new else 200, encode(_survey(made_of.survey)))

    return write(request, "survey", idempotency_key, act)


@router.get(
    "/surveys/{survey}/results",
    auth=READ_SURVEYS,
    operation_id="read_survey_results",
    summary="Read what came of a survey",
    response={200: ResultsAnswer, **problems(404)},
)
def read_survey_results(request: HttpRequest, survey: Key) -> HttpResponse:
    """Counts of each answer, in all versions together. Nobody is named."""
    with call(request, snapshot=True) as made:
        found = surveys.results(made.connection, made.key.program_id, survey)
        if found is None:
            raise not_found("survey")
        questions = []
        for tally in found.tallies:
            net = surveys.net_promoters(tally) if tally.question.kind == "nps" and tally.answered else None
            questions.append(
                {
                    "question": tally.question.key,
                    "kind": tally.question.kind,
                    "answered": tally.answered,
                    "counts": tally.counts,
                    "net_promoters": f"{net[0]}/{net[1]}" if net is not None else None,
                    "texts": list(tally.texts) if tally.question.kind == "text" else None,
                }
            )
        return answer(
            {
                "survey": survey,
                "version": found.survey.version,
                "answered": found.answered,
                "refused": found.refused,
                "questions": questions,
            }
        )
