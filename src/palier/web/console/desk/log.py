"""The audit log: who did what to what, when and why. It is one for all programs, so the right must hold in all."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from palier.engine.clock import moment
from palier.site.ids import read_id
from palier.staff import accounts
from palier.staff.log import LogFilter, Logged, logged
from palier.staff.operations import write_log
from palier.web.console.desk import telling
from palier.web.console.people.sheets import PART, Rows, sheet
from palier.web.console.visits import StaffVisit, of_staff

RIGHT: Final = "audit:read"
LINES: Final = 50


def _wanted(made: StaffVisit) -> tuple[LogFilter, dict[str, str]]:
    """The filter of the address, and its texts as they were written."""
    given = made.request.POST if made.request.method == "POST" else made.request.GET
    texts = {
        name: given.get(name, "").strip()[:200] for name in ("actor", "action", "object", "from", "until")
    }
    return (
        LogFilter(
            texts["actor"],
            texts["action"],
            texts["object"],
            _day(made, texts["from"], 0),
            _day(made, texts["until"], 1),
        ),
        texts,
    )


def _day(made: StaffVisit, text: str, after: int) -> int:
    """The instant at which a local day of the program begins, or the day after it; 0 for what is no day."""
    try:
        day = date.fromisoformat(text) + timedelta(days=after)
    except (ValueError, OverflowError):
        return 0
    # Nothing was logged before there were computers, and nothing is after the next centuries.
    return made.words.clock.start_of_day(day.toordinal()) if 1970 <= day.year < 3000 else 0


@require_GET
@of_staff(RIGHT, everywhere=True)
def shown(made: StaffVisit) -> HttpResponse:
    """A page of the log, the latest first."""
    wanted, texts = _wanted(made)
    before = made.request.GET.get("before", "")
    found = logged(
        made.connection,
        wanted,
        before=read_id(before),
        limit=LINES + 1,
    )
    page = found[:LINES]
    people = {account.actor: account.name for account in accounts.listed(made.connection)}
    query = urlencode({name: text for name, text in texts.items() if text})
    return made.page(
        "console/desk/log.html",
        {
            "lines": [_line(made, row, people) for row in page],
            "texts": texts,
            "filtered": any(texts.values()),
            "query": query,
            "following": page[-1].seq if len(found) > LINES else None,
            "people": sorted(people.items(), key=lambda item: item[1].lower()),
            "later": bool(before),
        },
    )


def _line(made: StaffVisit, row: Logged, people: dict[str, str]) -> dict[str, Any]:
    return {
        "row": row,
        "day": made.words.day(row.at),
        "time": telling.time_of_day(made.words, row.at),
        "who": people.get(row.actor, row.actor),
        "what": people.get(row.object, row.object),
    }


@require_POST
@of_staff(RIGHT, everywhere=True)
def exported(made: StaffVisit) -> HttpResponseBase:
    """The filtered log as CSV, the latest first; that it was taken out is logged too."""
    wanted, texts = _wanted(made)
    made.connection.rollback()
    filters = ", ".join(f"{name} {text}" for name, text in texts.items() if text)
    write_log(
        made.connection,
        made.account.actor,
        "staff",
        "log.export",
        "audit_log",
        at=made.now,
        reason=filters[:500],
    )
    made.connection.commit()

    def part(made: StaffVisit, before: int | None) -> tuple[Rows, int | None]:
        found = logged(made.connection, wanted, before=before, limit=PART)
        rows: Rows = [
            [row.seq, moment(row.at).isoformat(), row.actor, row.role, row.action, row.object, row.reason]
            for row in found
        ]
        return rows, found[-1].seq if len(found) == PART else None

    header = (_("number"), _("instant"), _("who"), _("role"), _("act"), _("object"), _("reason"))
    return sheet(made, "audit-log", header, part)
