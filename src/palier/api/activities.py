"""Activities: reading one by its permanent id, and sending them.

Under `palier serve` sending is answered by the fast intake (palier.api.intake); the operation here is the
same one for any other server of the application, and what the reference is made from.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from palier.activities import batch, queries, wire
from palier.activities.answers import body, counts
from palier.activities.telling import tell
from palier.api import frames
from palier.api.bodies import raw_body
from palier.api.calls import ApiKey, answer, call
from palier.api.partners import own_answer, own_line
from palier.api.problems import Problem, not_found, refuse_when_full
from palier.api.schemas import ActivityAnswer, LineAnswer, LinesAnswer, Short, problems
from palier.api.views import Views
from palier.engine.refusals import Refusal

router = Router(tags=["Activities"])
READ: Final = ApiKey("members:read")
WRITE: Final = ApiKey("activities:write", partners=True)

_TEXT: Final = {"type": "string", "minLength": 1, "maxLength": wire.LONGEST_TEXT}
_AMOUNT: Final = {
    "description": "Money as decimal text. A JSON number is taken too, and read exactly.",
    "anyOf": [
        {"type": "string", "pattern": r"^[0-9]{1,20}(\.[0-9]{1,20})?$"},
        {"type": "number", "minimum": 0},
    ],
}
_NAMED: Final = {
    "type": "object",
    "additionalProperties": False,
    "required": ["source", "id"],
    "properties": {"source": _TEXT, "id": _TEXT},
}
ACTIVITY: Final[dict[str, Any]] = {
    "type": "object",
    "title": "Activity",
    "additionalProperties": False,
    "required": ["source", "id", "type", "occurred_at"],
    "properties": {
        "source": {**_TEXT, "description": "The system that sends, such as till-3."},
        "id": {
            **_TEXT,
            "description": "Its permanent id there: sent again, it is answered and not applied again.",
        },
        "type": {
            "type": "string",
            "description": "sale, return, visit, or a type that the program declares.",
        },
        "occurred_at": {"type": "string", "format": "date-time"},
        "member": {
            "description": 'A member\'s reference, or identities such as {"card": "2801"}.',
            "anyOf": [
                {"type": "string"},
                {"type": "object", "additionalProperties": {"type": "string"}},
                {"type": "null"},
            ],
        },
        "amount": {**_AMOUNT, "description": "All that was paid, tax and shipping inside."},
        "currency": {"type": ["string", "null"]},
        "tax": _AMOUNT,
        "shipping": _AMOUNT,
        "discount": _AMOUNT,
        "lines": {
            "type": "array",
            "maxItems": wire.MAX_ITEMS,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["amount"],
                "properties": {
                    "amount": _AMOUNT,
                    "category": {"type": "string", "maxLength": wire.LONGEST_TEXT},
                    "sku": {"type": "string", "maxLength": wire.LONGEST_TEXT},
                    "quantity": {"type": "integer", "minimum": 0, "maximum": 10**9},
                    "kind": {"enum": ["product", "shipping", "gift_card"]},
                },
            },
        },
        "tenders": {
            "type": "array",
            "maxItems": 20,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["kind", "amount"],
                "properties": {
                    "kind": _TEXT,
                    "amount": _AMOUNT,
                    "redemption": {"anyOf": [_NAMED, {"type": "null"}]},
                },
            },
        },
        "channel": {"type": ["string", "null"]},
        "location": {"type": ["string", "null"]},
        "ticket_number": {
            "type": ["string", "null"],
            "description": "What the till itself names a sale by, such as the register and the ticket's number.",
        },
        "partner": {"type": ["string", "null"]},
        "attributes": {
            "type": "object",
            "additionalProperties": {"type": ["string", "integer", "boolean", "number", "null"]},
        },
        "sale": {"anyOf": [_NAMED, {"type": "null"}], "description": "The sale that a return names."},
        "returned": {
            "type": "array",
            "maxItems": wire.MAX_ITEMS,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["line"],
                "properties": {
                    "line": {"type": "integer", "minimum": 1, "maximum": wire.MAX_ITEMS},
                    "amount": _AMOUNT,
                    "quantity": {"type": "integer", "minimum": 0, "maximum": 10**9},
                },
            },
        },
        "whole": {"type": "boolean", "description": "A return of all that is left of the sale."},
        "program": {"type": ["string", "null"]},
    },
}
SALE: Final[dict[str, Any]] = {
    "source": "till-3",
    "id": "2026-03-01-0042",
    "type": "sale",
    "occurred_at": "2026-03-01T10:00:00+01:00",
    "member": {"card": "2801234"},
    "amount": "42.10",
    "lines": [{"amount": "42.10", "category": "PRODUCE", "quantity": 3}],
}
REQUEST_BODY: Final[dict[str, Any]] = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "anyOf": [
                    {"$ref": "#/components/schemas/Activity"},
                    {
                        "type": "array",
                        "minItems": 1,
                        "maxItems": wire.MAX_LINES,
                        "description": "Each is read alone: what is no activity is refused in its line.",
                        "items": {"anyOf": [{"$ref": "#/components/schemas/Activity"}, {}]},
                    },
                ]
            },
            "examples": {
                "one": {"summary": "One sale", "value": SALE},
                "many": {
                    "summary": "A sale and its return",
                    "value": [
                        SALE,
                        {
                            "source": "till-3",
                            "id": "2026-03-04-0007",
                            "type": "return",
                            "occurred_at": "2026-03-04T16:20:00+01:00",
                            "sale": {"source": "till-3", "id": "2026-03-01-0042"},
                            "whole": True,
                        },
                    ],
                },
            },
        }
    },
}


@router.post(
    "/activities",
    auth=WRITE,
    operation_id="send_activities",
    summary="Send activities",
    response={200: LinesAnswer | LineAnswer, **problems(404, 413, 415)},
    openapi_extra={"requestBody": REQUEST_BODY},
)
def send_activities(
    request: HttpRequest,
    dry_run: Annotated[bool, Query(description="Decide and answer the same, and write nothing.")] = False,
) -> HttpResponse:
    """Applies one activity, or up to 1,000 in an array, durably before the answer.

    An array is answered line by line with counts of applied, duplicate, refused and parked, which add up to
    the lines sent. A single activity is answered alone; when it is refused, by a 422 problem. Ids are
    permanent: the same content sent again is a duplicate, answered with what was decided; other content
    under a used id is refused. A return that comes before its sale is parked until the sale comes.
    """
    refuse_when_full()
    raw = raw_body(request, "application/json")
    try:
        sent = wire.split(raw)
    except wire.BodyError as error:
        detail = f"{str(error)[:1].upper()}{str(error)[1:]}."
        raise Problem(400, "invalid_body", detail, remedy=frames.A_BODY) from None
    with call(request) as made:
        lines = [
            line
            if isinstance(line, Refusal)
            else own_line(
                made.key,
                wire.to_fact(line, made.runtime.timeline, made.runtime.key, now=made.now),
                made.runtime.latest,
            )
            for line in sent
        ]
        names = [("", "") if isinstance(line, Refusal) else wire.sent_as(line) for line in sent]
        results = batch.apply(made.connection, made.runtime, lines, now=made.now, dry_run=dry_run, sent=names)
        plan = made.runtime.latest
        if raw.lstrip()[:1] == b"[":
            return answer(
                {
                    "counts": counts(results),
                    "results": [own_answer(made.key, body(result, plan), plan) for result in results],
                }
            )
        result = results[0]
        refusal = result.refusal
        if refusal is not None:
            told = own_answer(made.key, body(result, plan), plan)
            raise Problem(
                422, refusal.code.value, told["message"], field=refusal.field, remedy=refusal.remedy
            )
        return answer(own_answer(made.key, body(result, plan), plan))


READ_RESPONSES: Final[dict[Any, Any]] = {200: ActivityAnswer, **problems(404, 409)}


@router.get(
    "/activities",
    auth=READ,
    operation_id="find_activity",
    summary="Read an activity by source and id",
    response=READ_RESPONSES,
)
def find_activity(
    request: HttpRequest,
    source: Annotated[Short, Query(description="The system that sent it.")],
    id: Annotated[Short, Query(description="Its id there; any characters.")],
) -> HttpResponse:
    """What became of an activity or command: applied (with trace and transfers), parked or refused.

    404 says that the id was never used; 409 with Retry-After, that it is being applied at this moment.
    """
    return _read(request, source, id)


@router.get(
    "/activities/{source}/{path:id}",
    auth=READ,
    operation_id="read_activity",
    summary="Read an activity",
    response=READ_RESPONSES,
)
def read_activity(request: HttpRequest, source: Short, id: Short) -> HttpResponse:
    """The same as `GET /v1/activities?source=..&id=..`, for sources without a slash."""
    return _read(request, source, id)


def _read(request: HttpRequest, source: str, identifier: str) -> HttpResponse:
    with call(request) as made:
        found = queries.find_activity(made.connection, made.key.program_id, source, identifier)
        if found is None:
            raise not_found("activity")
        if found.status == "in_progress":
            raise Problem(
                409, "in_progress", "This activity is being applied; ask again for what came of it.",
                retry_after_s=1,
            )  # fmt: skip
        lines = [found.line, *found.corrections] if found.line is not None else []
        stories = tell(made.connection, made.runtime, lines[0].member_id, lines) if lines else []
        return answer(Views(made.runtime).activity(found, stories))
