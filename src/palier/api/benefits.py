"""Benefits: what a member is entitled to, for shop and till, and its uses."""

from __future__ import annotations

from typing import Annotated, Any, Final

from django.http import HttpRequest, HttpResponse
from ninja import Path, Query, Router
from pydantic import AfterValidator

from palier.activities import queries
from palier.api.basket_schemas import BenefitsAnswer, BenefitUse, BenefitUsed
from palier.api.calls import ApiKey, Call, answer, call, encode, text_only, write, written
from palier.api.problems import not_found
from palier.api.schemas import IdempotencyKey, Ref, problems
from palier.engine.document import Text
from palier.engine.state import NEVER
from palier.members import refs
from palier.rewards import benefits
from palier.rewards.benefits import Benefit
from palier.staff.operations import Answer

router = Router(tags=["Rewards"])
READ: Final = ApiKey("members:read")
USE: Final = ApiKey("vouchers:use")
BenefitRef = Annotated[
    str,
    Path(min_length=1, max_length=120, description="A benefit's id, as the list of benefits says it."),
    AfterValidator(text_only),
]


@router.get(
    "/members/{ref}/benefits",
    auth=READ,
    operation_id="read_benefits",
    summary="Read what a member is entitled to",
    response={200: BenefitsAnswer, **problems(404)},
    by_alias=True,
)
def read_benefits(
    request: HttpRequest,
    ref: Ref,
    language: Annotated[str | None, Query(pattern="^(en|fr)$", description="Language of the texts.")] = None,
) -> HttpResponse:
    """What the tier and memberships entitle to, units of services to be used, and rights from orders with uses left."""
    with call(request, snapshot=True) as made:
        member_id = made.acting(ref)
        standing = queries.standing(made.connection, made.runtime, member_id, now=made.now)
        wallets = queries.wallets(made.connection, made.runtime, member_id, now=made.now)
        if standing is None or wallets is None:
            raise not_found()
        found = benefits.of_member(
            made.connection, made.runtime, member_id, standing, wallets.wallets, now=standing.as_of
        )
        return answer(
            {
                "member": refs.encode(member_id),
                "as_of": written(standing.as_of),
                "benefits": [_shown(made, benefit, language) for benefit in found],
            }
        )


def _shown(made: Call, benefit: Benefit, language: str | None) -> dict[str, Any]:
    told = language or made.runtime.latest.program.languages[0]

    def said(text: Text) -> str:
        return (text.fr or text.en) if told == "fr" else (text.en or text.fr)

    return {
        "benefit": benefit.ref,
        "from": benefit.where,
        "key": benefit.key,
        "name": said(benefit.name),
        "texts": [said(text) for text in benefit.texts],
        "uses_left": benefit.uses_left,
        "since": written(benefit.since) if benefit.since else None,
        "until": written(benefit.until) if benefit.until < NEVER else None,
        "usable": benefit.usable,
    }


@router.post(
    "/members/{ref}/benefits/{benefit}/use",
    auth=USE,
    operation_id="use_benefit",
    summary="Use a benefit",
    response={200: BenefitUsed, **problems(404, 409, 413, 415)},
)
def use_benefit(
    request: HttpRequest,
    ref: Ref,
    benefit: BenefitRef,
    body: BenefitUse | None = None,
    idempotency_key: IdempotencyKey = None,
) -> HttpResponse:
    """Counts a use, exactly once for an Idempotency-Key: units of a service are redeemed, a right has a use less.

    What a tier or a membership entitles to is not counted, and is no benefit to be used here.
    """

    def act(made: Call, identifier: str) -> Answer:
        member_id = made.acting(ref)
        uses = body.uses if body is not None else 1
        try:
            left = benefits.use(
                made.connection,
                made.runtime,
                member_id,
                benefit,
                uses=uses,
                source=made.source,
                id=identifier,
                now=made.now,
            )
        except LookupError:
            raise not_found("benefit") from None
        shown = {"member": refs.encode(member_id), "benefit": benefit, "uses": uses, "uses_left": left}
        return Answer(200, encode(shown))

    return write(request, "benefit-use", idempotency_key, act)
