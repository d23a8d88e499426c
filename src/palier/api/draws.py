"""Draws: the published odds of the games, and the months with their commitments and seeds."""

from __future__ import annotations

from typing import Final

from django.http import HttpRequest, HttpResponse
from ninja import Router

from palier.activities import draws, sharing
from palier.activities.pursuits import odds
from palier.api.calls import ApiKey, answer, call, written
from palier.api.pursuits import PursuitViews, text
from palier.api.schemas import DrawsAnswer, problems

router = Router(tags=["Games"])
READ: Final = ApiKey("programs:read")


@router.get(
    "/draws",
    auth=READ,
    operation_id="read_draws",
    summary="Read odds, commitments and seeds",
    response={200: DrawsAnswer, **problems()},
)
def read_draws(request: HttpRequest) -> HttpResponse:
    """The games with their odds and what is left of each prize, and the months of draws, the latest first.

    The commitment of a month is the SHA-256 of its seed; the seed itself is shown once the month has passed.
    """
    with call(request, snapshot=True) as made:
        plan = made.runtime.timeline.at(made.now) or made.runtime.latest
        views = PursuitViews(plan)
        used = sharing.used(made.connection, made.key.program_id)
        games = []
        for written_game in plan.program.games:
            game = plan.games[written_game.key]
            prizes = views.prizes(odds(written_game, game))
            for shown, (key, _, stock) in zip(prizes, game.prizes, strict=True):
                shown["left"] = max(0, stock - used.get(f"prize:{game.key}:{key}", 0)) if stock else None
            games.append(
                {
                    "game": game.key,
                    "name": text(written_game.name),
                    "kind": written_game.kind,
                    "starts_at": written(game.active_from) if game.active_from else None,
                    "ends_at": written(game.active_until),
                    "weights": [prize.weight for prize in written_game.prizes],
                    "prizes": prizes,
                }
            )
        months = draws.months(made.connection, made.key.program_id, plan.clock, made.now)
        return answer(
            {
                "games": games,
                "months": [
                    {"month": item.period, "commitment": item.commitment, "seed": item.seed or None}
                    for item in months
                ],
            }
        )
