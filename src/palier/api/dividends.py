"""Dividends: a year's share for the members of a membership, at the rate that was decided."""

from __future__ import annotations

import time
from typing import Final

from django.http import HttpRequest, HttpResponse
from ninja import Router

from palier.activities import dividends
from palier.api.calls import ApiKey, answer, call
from palier.api.problems import Problem, refuse_when_full
from palier.api.schemas import DividendAnswer, NewDividend, problems
from palier.engine.amounts import from_minor
from palier.site.environment import environment
from palier.site.refusal import Refused
from palier.staff.operations import write_log

router = Router(tags=["Points"])
WRITE: Final = ApiKey("points:write")


@router.post(
    "/dividends",
    auth=WRITE,
    operation_id="pay_dividend",
    summary="Pay a yearly dividend",
    response={200: DividendAnswer, **problems(413, 415)},
)
def pay_dividend(request: HttpRequest, body: NewDividend) -> HttpResponse:
    """Pays every member of a membership at the end of a year a share of what he bought, rounded down.

    Exactly once for each member and year, at one rate for all. With `dry_run` nothing is written, and the answer
    tells what it would come to. A run that takes longer than a call may is answered with `finished`: false and goes
    on when the same is sent again.
    """
    if not body.dry_run:
        refuse_when_full()
    until = time.monotonic() + environment().web_deadline_s / 2
    with call(request) as made:
        actor = f"key:{made.key.prefix}"
        try:
            wanted = dividends.decided(made.runtime, body.membership, body.year, body.rate, made.now)
            if not body.dry_run:
                write_log(
                    made.connection,
                    actor,
                    "integration",
                    "dividend.pay",
                    f"{made.key.program}:{body.membership}:{body.year}",
                    at=made.now,
                    reason=body.rate,
                )
                made.connection.commit()
            sums = dividends.run(
                made.connection,
                made.runtime,
                wanted,
                by=actor,
                now=made.now,
                dry_run=body.dry_run,
                go_on=lambda: time.monotonic() < until,
            )
        except Refused as refused:
            raise Problem(422, "no_dividend", str(refused), remedy="correct what is named") from None
        plan = made.runtime.latest
        return answer(
            {
                "membership": body.membership,
                "year": body.year,
                "rate": body.rate,
                "currency": wanted.currency,
                "dry_run": body.dry_run,
                "finished": sums.finished,
                "members": sums.paid,
                "spend": from_minor(sums.spend, plan.exponent),
                "points": made.points(wanted.currency, sums.points),
                "paid_now": sums.given,
                "paid_before": sums.paid_before,
            }
        )
