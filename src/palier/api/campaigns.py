"""Campaigns: how they stand, what of their budgets is used, and pausing them at once."""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from ninja import Router

from palier.activities import campaigns
from palier.activities.campaigns import CampaignNow
from palier.activities.runtime import runtime
from palier.api.calls import ApiKey, Call, answer, call, encode, write, written
from palier.api.problems import Problem, not_found
from palier.api.pursuits import PursuitViews, text
from palier.api.schemas import (
    CampaignAnswer,
    CampaignsAnswer,
    IdempotencyKey,
    Key,
    PauseCampaign,
    problems,
)
from palier.engine.plan import Plan
from palier.programs.operations import pause_campaign as publish_paused
from palier.site.refusal import Refused
from palier.staff.operations import Answer, write_log

router = Router(tags=["Campaigns"])
READ: Final = ApiKey("programs:read")
WRITE: Final = ApiKey("programs:write")


def _shown(plan: Plan, found: CampaignNow) -> dict[str, Any]:
    views = PursuitViews(plan)
    budget = found.budget
    return {
        "campaign": found.key,
        "name": text(found.name),
        "state": found.state,
        "starts_at": written(found.starts_at) if found.starts_at else None,
        "ends_at": written(found.ends_at),
        "budget": None
        if budget is None
        else {
            "currency": budget.currency,
            "points": views.points(budget.currency, budget.limit),
            "used": views.points(budget.currency, budget.used),
            "left": views.points(budget.currency, budget.left),
        },
    }


@router.get(
    "/campaigns",
    auth=READ,
    operation_id="list_campaigns",
    summary="List campaigns",
    response={200: CampaignsAnswer, **problems()},
)
def list_campaigns(request: HttpRequest) -> HttpResponse:
    """The campaigns of the version in force: planned, running, paused or ended, and what of the budget is left."""
    with call(request, snapshot=True) as made:
        found = campaigns.campaigns(made.connection, made.runtime, now=made.now)
        plan = made.runtime.timeline.at(made.now) or made.runtime.latest
        return answer({"campaigns": [_shown(plan, item) for item in found]})


@router.post(
    "/campaigns/{campaign}/pause",
    auth=WRITE,
    operation_id="pause_campaign",
    summary="Pause a campaign",
    response={200: CampaignAnswer, **problems(404, 409, 413, 415)},
)
def pause_campaign(
    request: HttpRequest,
    campaign: Key,
    body: PauseCampaign | None = None,
    idempotency_key: IdempotencyKey = None,
) -> HttpResponse:
    """Lets a campaign stand still from this instant on, by publishing a version that says so.

    What happened before still counts as it did then, also when it is sent later.
    """
    return _set(request, campaign, body, idempotency_key, paused=True)


@router.post(
    "/campaigns/{campaign}/resume",
    auth=WRITE,
    operation_id="resume_campaign",
    summary="Resume a campaign",
    response={200: CampaignAnswer, **problems(404, 409, 413, 415)},
)
def resume_campaign(
    request: HttpRequest,
    campaign: Key,
    body: PauseCampaign | None = None,
    idempotency_key: IdempotencyKey = None,
) -> HttpResponse:
    """Lets a paused campaign act again from this instant on, by publishing a version that says so."""
    return _set(request, campaign, body, idempotency_key, paused=False)


def _set(
    request: HttpRequest,
    campaign: str,
    body: PauseCampaign | None,
    idempotency_key: str | None,
    *,
    paused: bool,
) -> HttpResponse:
    def act(made: Call, identifier: str) -> Answer:
        plan = made.runtime.timeline.at(made.now) or made.runtime.latest
        if all(item.key != campaign for item in plan.document.campaigns):
            raise not_found("campaign")
        actor = f"key:{made.key.prefix}"
        try:
            version = publish_paused(
                made.connection, made.key.program, campaign, paused=paused, now=made.now, by=actor
            )
        except Refused as refused:
            raise Problem(422, "not_publishable", str(refused)) from None
        if version.is_new:
            write_log(
                made.connection,
                actor,
                "integration",
                "campaign.pause" if paused else "campaign.resume",
                f"program:{version.key}:{version.version}:{campaign}",
                at=made.now,
                reason=body.reason if body is not None and body.reason is not None else "",
            )
        after = runtime(made.connection, made.key.program) or made.runtime
        plan = after.timeline.at(made.now) or after.latest
        found = campaigns.campaigns(made.connection, after, now=made.now)
        shown = next(item for item in found if item.key == campaign)
        return Answer(200, encode({**_shown(plan, shown), "program_version": version.version}))

    return write(request, "campaign", idempotency_key, act)
