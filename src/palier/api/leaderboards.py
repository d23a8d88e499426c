"""Leaderboards: members by a goal's measure in one of its periods, under pseudonyms."""

from __future__ import annotations

from typing import Annotated, Any, Final

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from palier.activities import rankings
from palier.activities.pursuits import decimals_of
from palier.activities.rankings import Place
from palier.api.calls import ApiKey, answer, call, written
from palier.api.problems import Problem, not_found
from palier.api.pursuits import text
from palier.api.schemas import Key, LeaderboardAnswer, Ref, problems
from palier.engine.amounts import from_minor

router = Router(tags=["Leaderboards"])
READ: Final = ApiKey("members:read")


@router.get(
    "/leaderboards/{leaderboard}",
    auth=READ,
    operation_id="read_leaderboard",
    summary="Read a leaderboard",
    response={200: LeaderboardAnswer, **problems(404)},
)
def read_leaderboard(
    request: HttpRequest,
    leaderboard: Key,
    period: Annotated[
        str | None,
        Query(
            max_length=20,
            description="2026-03-01, 2026-W10, 2026-03, 2026-Q1 or 2026, by the board's period; the present one"
            " by default.",
        ),
    ] = None,
    member: Annotated[Ref | None, Query(description="Whose own place is told beside.")] = None,
) -> HttpResponse:
    """The ranks that the program shows, under pseudonyms that members choose from a few and that tell nobody
    who it is.

    A member who does not want to be ranked (`ranked`: false) is left out. `complete` is false for the moment in
    which a new board is still being filled with what was there before it.
    """
    with call(request, snapshot=True) as made:
        member_id = made.member(member) if member is not None else None
        try:
            found = rankings.ranking(
                made.connection, made.runtime, leaderboard, period, member_id=member_id, now=made.now
            )
        except ValueError as error:
            raise Problem(
                422, "malformed", "This is no period of the leaderboard.", field="period", remedy=str(error)
            ) from None
        if found is None:
            raise not_found("leaderboard")
        plan = made.runtime.timeline.at(made.now) or made.runtime.latest
        goal = plan.goals[found.board.goal]
        decimals = decimals_of(plan, goal)

        def shown(place: Place) -> dict[str, Any]:
            return {
                "rank": place.rank,
                "pseudonym": found.names[place.member_id],
                "value": from_minor(place.value, decimals),
                "own": place.member_id == member_id,
            }

        return answer(
            {
                "leaderboard": found.board.key,
                "name": text(found.board.name),
                "goal": found.board.goal,
                "measure": goal.measure,
                "currency": goal.currency or None,
                "ties": found.board.ties,
                "period": found.period.name,
                "starts_at": written(found.period.starts_at),
                "ends_at": written(found.period.ends_at),
                "complete": found.complete,
                "places": [shown(place) for place in found.places],
                "own": shown(found.own) if found.own is not None else None,
            }
        )
