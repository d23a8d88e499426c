"""Leaderboards: places under pseudonyms, one's own place, and whether and how one is shown at all."""

from __future__ import annotations

from django.http import Http404, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from palier.activities import batch, rankings
from palier.activities.pursuits import decimals_of
from palier.activities.rankings import Place, Ranking
from palier.engine.amounts import from_minor, to_minor
from palier.engine.currencies import localized
from palier.engine.plan import Plan
from palier.members import operations as membership
from palier.web.portal.visits import Visit, of_member


def _measure(made: Visit, plan: Plan, found: Ranking, minor: int) -> str:
    """So much of what a board counts."""
    goal = plan.goals[found.board.goal]
    if goal.measure == "spend":
        return made.words.money(minor)
    if goal.currency:
        return made.words.points(minor, goal.currency)
    return localized(from_minor(minor, decimals_of(plan, goal)), made.language)


@require_GET
@of_member
def boards(made: Visit) -> HttpResponse:
    """Every board of the program in its present period, with the member's own place."""
    assert made.member is not None
    plan = made.runtime.timeline.at(made.now) or made.runtime.latest
    if not plan.program.leaderboards:
        raise Http404
    shown = []
    for board in plan.program.leaderboards:
        found = rankings.ranking(
            made.connection, made.runtime, board.key, member_id=made.member_id, now=made.now
        )
        if found is None:
            continue

        def row(place: Place, found: Ranking = found) -> dict[str, object]:
            return {
                "rank": localized(str(place.rank), made.language),
                "name": found.names[place.member_id],
                "value": _measure(made, plan, found, place.value),
                "own": place.member_id == made.member_id,
            }

        places = [row(place) for place in found.places]
        shown.append(
            {
                "name": made.words.text(board.name),
                "until": made.words.day(found.period.ends_at - 1),
                "places": places,
                "own": row(found.own) if found.own is not None else None,
                "among": any(place["own"] for place in places),
                "prizes": [
                    (
                        prize.through,
                        ", ".join(
                            made.words.points(
                                to_minor(grant.points, plan.currencies[grant.currency].scale), grant.currency
                            )
                            for grant in prize.grants
                        ),
                    )
                    for prize in board.prizes
                ],
                "complete": found.complete,
            }
        )
    choice = rankings.choice_of(made.connection, made.runtime.program_id, made.member_id)
    return made.page(
        "portal/play/boards.html",
        {
            "here": "home",
            "boards": shown,
            "choices": [
                (number, rankings.pseudonym(made.runtime.program_id, made.member_id, number))
                for number in range(rankings.CHOICES + 1)
            ],
            "choice": choice,
            "told": made.request.session.pop("told", None),
        },
    )


@require_POST
@of_member
def choose(made: Visit) -> HttpResponse:
    """Whether the member is ranked, and what he is called there."""
    text = made.request.POST.get("choice", "")
    choice = int(text) if text.isascii() and text.isdigit() and len(text) == 1 else -1
    ranked = made.request.POST.get("ranked") == "yes"

    def act() -> None:
        membership.set_ranked(made.connection, made.runtime.program_id, made.member_id, ranked, now=made.now)
        if 0 <= choice <= rankings.CHOICES:
            rankings.choose_name(made.connection, made.runtime.program_id, made.member_id, choice)

    batch.attempt(made.connection, act)
    made.request.session["told"] = [
        "good",
        _("You are shown under the name that you chose.") if ranked else _("You are in no ranking any more."),
    ]
    return made.go("boards")
