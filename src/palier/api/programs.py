"""Programs: the key's own program, its versions, and publishing a new one."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from django.http import HttpRequest, HttpResponse
from ninja import Path, Query, Router
from pydantic import Field

from palier.api.bodies import raw_body
from palier.api.calls import ApiKey, Call, answer, call, encode, write, written
from palier.api.problems import Problem, not_found
from palier.api.schemas import (
    PAGE,
    DocumentAnswer,
    IdempotencyKey,
    Key,
    Limit,
    PlanAnswer,
    ProgramChangesAnswer,
    ProgramsAnswer,
    ValidationAnswer,
    VersionAnswer,
    VersionsAnswer,
    problems,
)
from palier.api.views import version as shown
from palier.engine.lint import lint
from palier.engine.program import Program, to_builtins
from palier.programs import files, queries
from palier.programs.changes import changes
from palier.programs.operations import ApprovalNeeded, publish
from palier.programs.plan import difference, planned
from palier.site.refusal import Refused
from palier.staff.operations import Answer, write_log

router = Router(tags=["Programs"])
READ: Final = ApiKey("programs:read")
WRITE: Final = ApiKey("programs:write")
_TYPES: Final = ("application/json", "application/yaml")
DOCUMENT: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": "A program document; `palier schema` prints its JSON Schema.",
        "content": {
            "application/json": {"schema": {"title": "Program document"}},
            "application/yaml": {"schema": {"title": "Program document in YAML"}},
        },
    }
}


def _own(made: Call, program: str) -> str:
    """The key's own program; any other is answered as if it did not exist."""
    if program != made.key.program:
        raise not_found("program")
    return program


@router.get(
    "/programs",
    auth=READ,
    operation_id="list_programs",
    summary="List programs",
    response={200: ProgramsAnswer, **problems()},
)
def list_programs(request: HttpRequest) -> HttpResponse:
    """The program of this key, with its latest version."""
    with call(request) as made:
        versions = queries.list_versions(made.connection, made.key.program)
        return answer({"programs": [shown(found) for found in versions[-1:]]})


@router.get(
    "/programs/{program}/versions",
    auth=READ,
    operation_id="list_versions",
    summary="List a program's versions",
    response={200: VersionsAnswer, **problems(404)},
)
def list_versions(request: HttpRequest, program: Key) -> HttpResponse:
    """All versions, first to last. A version is immutable and named by its hash."""
    with call(request) as made:
        versions = queries.list_versions(made.connection, _own(made, program))
        return answer({"versions": [shown(found) for found in versions]})


@router.get(
    "/programs/{program}/versions/{version}",
    auth=READ,
    operation_id="read_version",
    summary="Read a version's document",
    response={200: DocumentAnswer, **problems(404)},
)
def read_version(
    request: HttpRequest, program: Key, version: Annotated[int, Path(), Field(ge=1, le=2**31 - 1)]
) -> HttpResponse:
    """One version with its whole document."""
    with call(request) as made:
        key = _own(made, program)
        found = [item for item in queries.list_versions(made.connection, key) if item.version == version]
        document = queries.document(made.connection, key, version)
        if not found or document is None:
            raise not_found("version")
        return answer({**shown(found[0]), "document": to_builtins(document)})


@router.get(
    "/programs/{program}/changes",
    auth=READ,
    operation_id="list_changes",
    summary="Read what versions changed, in words",
    response={200: ProgramChangesAnswer, **problems(404)},
)
def list_changes(
    request: HttpRequest,
    program: Key,
    lang: Annotated[
        Literal["en", "fr"] | None, Query(description="Language; the program's first by default.")
    ] = None,
    limit: Limit = PAGE,
) -> HttpResponse:
    """The latest versions, the latest first: since when, announced when, and what reads differently for members."""
    with call(request, snapshot=True) as made:
        key = _own(made, program)
        language = lang or made.runtime.latest.program.languages[0]
        told = []
        for item in changes(made.connection, key, language, limit):
            notice = item.notice
            told.append(
                {
                    "version": item.version.version,
                    "published_at": written(item.version.published_at),
                    "effective_from": written(item.version.effective_from),
                    "notice": None
                    if notice is None
                    else {
                        "announced_on": notice.announced_on,
                        "text": notice.text.fr if language == "fr" else notice.text.en,
                    },
                    "reads": [
                        {
                            "subject": part.key,
                            "title": part.title,
                            "before": list(part.before),
                            "after": list(part.after),
                        }
                        for part in item.reads
                    ],
                    "settings": [
                        {
                            "path": change.path,
                            "kind": change.kind,
                            "text": change.sentence_fr if language == "fr" else change.sentence_en,
                        }
                        for change in item.settings
                    ],
                }
            )
        return answer({"language": language, "versions": told})


def _document(request: HttpRequest) -> files.Document:
    raw = raw_body(request, *_TYPES)
    return files.read(raw, "json" if request.content_type == _TYPES[0] else "yaml")


def _problems(document: files.Document) -> list[dict[str, Any]]:
    return [
        {
            "path": problem.path,
            "line": problem.line,
            "column": problem.column,
            "message": problem.message,
            "remedy": problem.remedy,
            "code": problem.code,
            "severity": problem.severity,
        }
        for problem in document.problems
    ]


def _valid(made: Call, request: HttpRequest, program: str) -> Program:
    key = _own(made, program)
    document = _document(request)
    if document.program is None:
        raise Problem(
            422, "invalid_program", "The document has errors.", remedy="correct the places that are named",
            errors=[{"field": item.path, "message": str(item)} for item in document.errors],
        )  # fmt: skip
    if document.program.key != key:
        raise Problem(
            422, "other_program", "The document is of another program than the address.",
            field="key", remedy="send a document of this program",
        )  # fmt: skip
    return document.program


@router.post(
    "/programs/{program}/validate",
    auth=WRITE,
    operation_id="validate_program",
    summary="Check a document",
    response={200: ValidationAnswer, **problems(404, 413, 415)},
    openapi_extra=DOCUMENT,
)
def validate_program(request: HttpRequest, program: Key) -> HttpResponse:
    """All problems of a program document, each with its place and remedy. Writes nothing."""
    with call(request) as made:
        _own(made, program)
        document = _document(request)
        return answer({"valid": document.program is not None, "problems": _problems(document)})


@router.post(
    "/programs/{program}/plan",
    auth=WRITE,
    operation_id="plan_program",
    summary="See what a document would change",
    response={200: PlanAnswer, **problems(404, 413, 415)},
    openapi_extra=DOCUMENT,
)
def plan_program(request: HttpRequest, program: Key) -> HttpResponse:
    """What publishing a document would change, in words, and the version it would be. Writes nothing.

    `findings` tell what may make the program fail, against the latest version; publishing refuses one with an error.
    """
    with call(request) as made:
        document = _valid(made, request, program)
        before = queries.document(made.connection, made.key.program)
        planned_changes = planned(made.connection, document, now=made.now)
        report = lint(document, now=made.now, before=before)
        found = _publish(made, document, approved=True)
        # What publishing wrote goes with the transaction, which nobody commits.
        return answer(
            {
                "version": found.version,
                "effective_from": written(found.effective_from),
                "approval_needed": found.is_new and before is not None and before.approval_to_publish,
                "changes": [
                    {
                        "path": change.path,
                        "kind": change.kind,
                        "en": change.sentence_en,
                        "fr": change.sentence_fr,
                    }
                    for change in planned_changes
                ],
                "complexity": {"score": report.complexity.score, "level": report.complexity.level},
                "findings": [
                    {
                        "code": item.code,
                        "name": item.name,
                        "severity": item.severity,
                        "path": item.path,
                        "reason": {"en": item.reason, "fr": item.reason_fr},
                        "remedy": {"en": item.remedy, "fr": item.remedy_fr},
                    }
                    for item in report.findings
                ],
            }
        )


def _harmless(made: Call, document: Program) -> Program:
    """The document, refused where it is another than the latest and a finding against that one is an error."""
    before = queries.document(made.connection, made.key.program)
    if before is None or not difference(before, document):
        return document
    wrong = [
        item for item in lint(document, now=made.now, before=before).findings if item.severity == "error"
    ]
    if wrong:
        raise Problem(
            422, "not_publishable", "The document makes members worse off without telling them.",
            field=wrong[0].path, remedy=wrong[0].remedy,
            errors=[
                {"field": item.path, "message": f"{item.code} {item.name}: {item.reason}; {item.remedy}"}
                for item in wrong
            ],
        )  # fmt: skip
    return document


def _publish(made: Call, document: Program, *, approved: bool = False) -> queries.Version:
    actor = f"key:{made.key.prefix}"
    try:
        return publish(made.connection, document, now=made.now, published_by=actor, approved=approved)
    except ApprovalNeeded:
        raise Problem(
            409, "approval_needed", "The latest version asks for a second person before the next one.",
            remedy="publish it from the studio of the console, where that person is asked",
        ) from None  # fmt: skip
    except Refused as refused:
        raise Problem(422, "not_publishable", str(refused)) from None


@router.post(
    "/programs/{program}/publish",
    auth=WRITE,
    operation_id="publish_program",
    summary="Publish a document",
    response={201: VersionAnswer, 200: VersionAnswer, **problems(404, 409, 413, 415)},
    openapi_extra=DOCUMENT,
)
def publish_program(
    request: HttpRequest, program: Key, idempotency_key: IdempotencyKey = None
) -> HttpResponse:
    """Publishes a document as the program's next version; 200 when the latest says the same already.

    A document that lowers what points are worth, and gives members no notice of it, is refused (`not_publishable`).
    While the latest version says `approval_to_publish`, any is (`approval_needed`): a second person approves it in the
    console.
    """

    def act(made: Call, identifier: str) -> Answer:
        found = _publish(made, _harmless(made, _valid(made, request, program)))
        if found.is_new:
            write_log(
                made.connection,
                f"key:{made.key.prefix}",
                "integration",
                "program.publish",
                f"program:{found.key}:{found.version}",
                at=made.now,
            )
        return Answer(201 if found.is_new else 200, encode(shown(found)))

    return write(request, "publish", idempotency_key, act)
