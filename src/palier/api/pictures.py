"""Pictures: stored for rewards, shown of one, and the logo of the program."""

from __future__ import annotations

import io
from typing import Annotated, Any, Final

from django.core.exceptions import TooManyFilesSent
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, QueryDict
from django.http.multipartparser import MultiPartParserError
from django.utils.datastructures import MultiValueDict
from ninja import Query, Router
from pydantic import AfterValidator, Field

from palier.api.bodies import raw_body
from palier.api.calls import ApiKey, Call, encode, text_only, write, written
from palier.api.problems import Problem, not_found
from palier.api.reward_schemas import PictureKept, PictureWritten, Reason, RewardPath
from palier.api.schemas import IdempotencyKey, Key, VersionAnswer, problems
from palier.api.views import version as shown
from palier.connectors.pictures import REASONS, NotAPicture, Use
from palier.engine.document import Picture, Text
from palier.programs import branding, pictures
from palier.programs.pictures import Kept
from palier.rewards import operations, picturing
from palier.rewards.refusals import OrderRefused
from palier.site.refusal import Refused
from palier.staff.operations import Answer

router = Router(tags=["Pictures"])
REWARDS: Final = ApiKey("rewards:write")
PROGRAMS: Final = ApiKey("programs:write")
FILE: Final = "picture"
_TYPES: Final = ("image/png", "image/jpeg", "image/webp")
BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": "The file: its bytes, or a form with it as `picture`. PNG, JPEG or WebP, below 2 MB.",
        "content": {
            **{kind: {"schema": {"type": "string", "format": "binary"}} for kind in _TYPES},
            "multipart/form-data": {
                "schema": {
                    "title": "Picture file",
                    "type": "object",
                    "required": [FILE],
                    "properties": {FILE: {"type": "string", "format": "binary"}},
                    "additionalProperties": False,
                }
            },
        },
    }
}
Said = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(text_only)]
English = Annotated[Said | None, Query(description="What the picture shows, in English.")]
French = Annotated[Said | None, Query(description="What the picture shows, in French.")]


def _file(request: HttpRequest) -> tuple[bytes, str]:
    """The file of a call, and what its sender says it is."""
    raw = raw_body(request, *_TYPES, "multipart/form-data")
    if request.content_type != "multipart/form-data":
        return raw, request.content_type or ""
    try:
        # Django itself reads forms of POST alone.
        fields, sent = request.parse_file_upload(request.META, io.BytesIO(raw))
    except (MultiPartParserError, TooManyFilesSent):
        fields, sent = QueryDict(), MultiValueDict()
    found = sent.get(FILE)
    if not isinstance(found, UploadedFile) or len(sent) != 1 or fields:
        raise Problem(
            422, "malformed", f"The form has not one file, called {FILE}.",
            field=FILE, remedy=f"send the file alone, as {FILE}",
        )  # fmt: skip
    return found.read(), found.name or ""


def _keep(made: Call, request: HttpRequest, use: Use) -> Kept:
    raw, declared = _file(request)
    try:
        return pictures.keep(
            made.connection, made.key.program_id, made.key.program, raw,
            use=use, by=f"key:{made.key.prefix}", role="integration", now=made.now, declared=declared,
        )  # fmt: skip
    except NotAPicture as refused:
        detail, _semicolon, remedy = REASONS[refused.code].rpartition("; ")
        raise Problem(422, refused.code, f"{detail}.", field=FILE, remedy=remedy.rstrip(".")) from None
    except Refused as refused:
        raise Problem(422, "too_many_pictures", str(refused), field=FILE) from None


def _view(kept: Kept) -> dict[str, Any]:
    return {
        "source": kept.source,
        "sha256": kept.sha256,
        "width": kept.width,
        "height": kept.height,
        "sizes": {"96": kept.address("small"), "480": kept.address("medium"), "960": kept.address("large")},
    }


@router.post(
    "/pictures",
    auth=REWARDS,
    operation_id="upload_picture",
    summary="Store a picture",
    response={201: PictureKept, 200: PictureKept, **problems(409, 413, 415)},
    openapi_extra=BODY,
)
def upload_picture(request: HttpRequest, idempotency_key: IdempotencyKey = None) -> HttpResponse:
    """Stores a picture for rewards: drawn anew in three sizes, without what else the file held.

    `source` is what documents of rewards name. The same file is stored once: 200 where it was there.
    """

    def act(made: Call, identifier: str) -> Answer:
        kept = _keep(made, request, "reward")
        return Answer(201 if kept.is_new else 200, encode(_view(kept)))

    return write(request, "picture", idempotency_key, act)


def _reward(made: Call, reward: str, picture: Picture | None, reason: str | None) -> Answer:
    try:
        found = picturing.set_picture(
            made.connection, made.runtime, reward, picture,
            by=f"key:{made.key.prefix}", reason=reason or "picture", now=made.now,
        )  # fmt: skip
    except OrderRefused:
        raise not_found("reward") from None
    except operations.NotTaken as refused:
        raise Problem(
            422, "invalid_reward", "The reward has errors.", remedy="correct the places that are named",
            errors=[{"field": item.path, "message": f"{item.message}; {item.remedy}"} for item in refused.problems],
        ) from None  # fmt: skip
    content = {
        "reward": found.key,
        "version": found.number,
        "valid_from": written(found.valid_from),
        "source": picture.source if picture is not None else None,
    }
    return Answer(201 if found.is_new else 200, encode(content))


@router.put(
    "/rewards/{reward}/picture",
    auth=REWARDS,
    operation_id="put_reward_picture",
    summary="Give a reward its picture",
    response={201: PictureWritten, 200: PictureWritten, **problems(404, 409, 413, 415)},
    openapi_extra=BODY,
)
def put_reward_picture(
    request: HttpRequest,
    reward: RewardPath,
    alt_en: English = None,
    alt_fr: French = None,
    reason: Reason = None,
    idempotency_key: IdempotencyKey = None,
) -> HttpResponse:
    """Stores a picture, and writes the reward's next version with it; 200 when it has it already.

    At least one of `alt_en` and `alt_fr` says what it shows. Versions that begin later are written again with it.
    """

    def act(made: Call, identifier: str) -> Answer:
        if alt_en is None and alt_fr is None:
            raise Problem(
                422, "malformed", "What the picture shows is not said, for those who do not see it.",
                field="alt_en", remedy="add alt_en or alt_fr, best both",
            )  # fmt: skip
        kept = _keep(made, request, "reward")
        return _reward(made, reward, Picture(kept.source, Text(alt_en or "", alt_fr or "")), reason)

    return write(request, "reward-picture", idempotency_key, act)


@router.delete(
    "/rewards/{reward}/picture",
    auth=REWARDS,
    operation_id="remove_reward_picture",
    summary="Take a reward's picture away",
    response={201: PictureWritten, 200: PictureWritten, **problems(404, 409)},
)
def remove_reward_picture(
    request: HttpRequest, reward: RewardPath, reason: Reason = None, idempotency_key: IdempotencyKey = None
) -> HttpResponse:
    """Writes the reward's next version without a picture; 200 when it has none. Earlier versions keep theirs."""

    def act(made: Call, identifier: str) -> Answer:
        return _reward(made, reward, None, reason)

    return write(request, "reward-picture", idempotency_key, act)


# --- the logo ---------------------------------------------------------------------------------------------


def _logo(made: Call, logo: Picture | None, *, says_name: bool = False, reason: str | None = None) -> Answer:
    try:
        found = branding.set_logo(
            made.connection, made.key.program, logo,
            says_name=says_name, by=f"key:{made.key.prefix}", role="integration", now=made.now,
            reason=reason or "",
        )  # fmt: skip
    except Refused as refused:
        raise Problem(422, "not_publishable", str(refused)) from None
    return Answer(201 if found.is_new else 200, encode(shown(found)))


def _own(made: Call, program: str) -> None:
    if program != made.key.program:
        raise not_found("program")


@router.put(
    "/programs/{program}/logo",
    auth=PROGRAMS,
    operation_id="put_logo",
    summary="Give the program its logo",
    response={201: VersionAnswer, 200: VersionAnswer, **problems(404, 409, 413, 415)},
    openapi_extra=BODY,
)
def put_logo(
    request: HttpRequest,
    program: Key,
    alt_en: English = None,
    alt_fr: French = None,
    says_name: Annotated[
        bool,
        Query(
            description="Whether the program's name can be read in it, so that it is not written beside it."
        ),
    ] = False,
    reason: Reason = None,
    idempotency_key: IdempotencyKey = None,
) -> HttpResponse:
    """Stores a logo, and publishes what is in force with it, from now on; 200 when the program has it already.

    What it shows is said in each of the program's languages. Versions that take effect later are published again
    with it.
    """

    def act(made: Call, identifier: str) -> Answer:
        _own(made, program)
        kept = _keep(made, request, "logo")
        logo = Picture(kept.source, Text(alt_en or "", alt_fr or ""))
        return _logo(made, logo, says_name=says_name, reason=reason)

    return write(request, "logo", idempotency_key, act)


@router.delete(
    "/programs/{program}/logo",
    auth=PROGRAMS,
    operation_id="remove_logo",
    summary="Take the program's logo away",
    response={201: VersionAnswer, 200: VersionAnswer, **problems(404, 409)},
)
def remove_logo(
    request: HttpRequest, program: Key, reason: Reason = None, idempotency_key: IdempotencyKey = None
) -> HttpResponse:
    """Publishes what is in force without a logo; 200 when it has none. Earlier versions keep theirs."""

    def act(made: Call, identifier: str) -> Answer:
        _own(made, program)
        return _logo(made, None, reason=reason)

    return write(request, "logo", idempotency_key, act)
