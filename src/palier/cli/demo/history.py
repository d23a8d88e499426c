"""The demo's history: the program as it was and as it was extended, its catalogue, the year's baskets and coupons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
import psycopg
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from palier.activities.imports import Progress as Imported
from palier.activities.imports import import_rows
from palier.activities.runtime import Runtime
from palier.cli.demo import BASKETS, PROGRAM, year
from palier.connectors import complete_journey
from palier.engine.clock import DAY, HOUR, instant, moment
from palier.engine.document import Text
from palier.engine.mechanics import Notice
from palier.engine.program import Program
from palier.engine.sentences import sentence
from palier.members import queries as members
from palier.programs import gallery
from palier.programs.files import read
from palier.programs.operations import publish
from palier.rewards import catalogue, files, handing_out, operations, orders
from palier.rewards.document import Price, Reward, Service, Variant, Visible
from palier.site import clock
from palier.site.refusal import Refused

FIRST_BASKET: Final = "2017-01-01T11:53:26+00:00"
LAST_BASKET: Final = "2018-01-01T04:01:20+00:00"
EXTENDED_WEEKS: Final = 5
"""For how long the program has had its campaign and its friends: a second version, published that long ago."""
COUPONS_AT_ONCE: Final = 100


def opened_at(weeks: int) -> int:
    """When the program opens: the day before the first basket."""
    return instant(datetime.fromisoformat(FIRST_BASKET) + timedelta(weeks=weeks)) - DAY


def ended_at(weeks: int) -> int:
    """Just after the last basket."""
    return instant(datetime.fromisoformat(LAST_BASKET) + timedelta(weeks=weeks, seconds=1))


def extended_at(weeks: int) -> int:
    """When the program was extended: a Monday night, some weeks before the last basket."""
    return ended_at(weeks) - EXTENDED_WEEKS * 7 * DAY


def publish_both(connection: psycopg.Connection[Any], weeks: int) -> None:
    """Publishes the gallery's program twice: first without its campaign and its friends, then as it is."""
    whole = _document()
    notice = Notice(
        announced_on=moment(extended_at(weeks) - 14 * DAY).date().isoformat(),
        text=Text(
            en="Lunch weeks at the deli and the salad bar, and stars for friends whom you bring.",
            fr="Des semaines du déjeuner au traiteur et au bar à salades, et des étoiles pour les amis amenés.",
        ),
    )
    begun = min(opened_at(weeks), clock.now())
    publish(
        connection,
        msgspec.structs.replace(whole, campaigns=[], referral=None),
        now=begun,
        published_by="demo",
    )
    extended = min(extended_at(weeks), clock.now())
    publish(
        connection,
        msgspec.structs.replace(whole, effective_from=moment(extended).isoformat(), notice=notice),
        now=max(begun, extended - 14 * DAY),
        published_by="demo",
    )
    connection.commit()


def _document() -> Program:
    entry = gallery.find(PROGRAM)
    if entry is None:
        raise Refused(
            sentence(
                "The gallery's program %(program)s is not installed; install the package again.",
                program=PROGRAM,
            )
        )
    document = read(entry.document)
    if document.program is None:
        raise Refused(
            sentence(
                "The demo's program does not fit this release: %(problems)s", problems=document.problems[0]
            )
        )
    return document.program


def stock(connection: psycopg.Connection[Any], program: Runtime, *, now: int) -> None:
    """Fills an empty catalogue from the gallery, as of an instant; one that is there is left as it was changed."""
    entry = gallery.find(PROGRAM)
    if entry is None or entry.rewards is None:
        raise Refused(
            sentence(
                "The rewards of the gallery's program %(program)s are not installed; install the "
                "package again.",
                program=PROGRAM,
            )
        )
    if next(catalogue.latest(connection, program.program_id), None) is None:
        found = files.read(entry.rewards, program.latest.document)
        if found.errors:
            raise Refused(
                sentence("The demo's rewards do not fit this release: %(errors)s", errors=found.errors[0])
            )
        operations.write(
            connection, program, found.rewards, by="demo", reason="the demo's catalogue", now=now
        )
    connection.commit()


def weeks_to_now() -> int:
    """Whole weeks by which the year is moved so that its last basket lies within the last seven days."""
    last = datetime.fromisoformat(LAST_BASKET)
    return (datetime.fromtimestamp(clock.now() // 1_000_000, last.tzinfo) - last) // timedelta(weeks=1)


def weeks_moved(connection: psycopg.Connection[Any], program: Runtime) -> int | None:
    """By how many weeks the year that is being imported, or was, is moved; None before the first import."""
    begun = connection.execute(
        "-- demo.begun\nselect name from import_file where program_id = %s and name like 'complete-journey+%%'"
        " order by created_at limit 1",
        (program.program_id,),
    ).fetchone()
    connection.rollback()
    return None if begun is None else int(begun[0].removeprefix("complete-journey+").removesuffix("w"))


def is_imported(connection: psycopg.Connection[Any], program: Runtime) -> bool:
    """Whether every basket is there."""
    row = connection.execute(
        "-- demo.imported\nselect count(*) from activity_claim where program_id = %s and source = %s",
        (program.program_id, complete_journey.SOURCE),
    ).fetchone()
    connection.rollback()
    return row is not None and row[0] >= BASKETS


def import_year(
    connection: psycopg.Connection[Any], program: Runtime, *, quiet: bool, weeks: int
) -> dict[str, Any]:
    """Imports the baskets: of most households at once, of those who use their stars by spans (`year`)."""
    name = f"complete-journey+{weeks}w"
    refused: list[dict[str, str]] = []
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=Console(stderr=True, quiet=quiet),
    )  # fmt: skip
    try:
        baskets = complete_journey.Baskets(weeks)
    except complete_journey.DatasetMissing as error:
        raise Refused(str(error)) from None
    active = year.who_acts(baskets, extended_at(weeks))
    own, others = baskets.of(active), baskets.of(active, others=True)
    extended = year.written(extended_at(weeks))
    # What draws on the campaign's budget is decided by one process: two would wait for each other at its row.
    before, after = others.between("", extended), others.between(extended, "9")
    with bar:
        task = bar.add_task("Importing a year of baskets", total=BASKETS)

        def on_progress(progress: Imported) -> None:
            bar.update(task, completed=progress.done)

        summary = import_rows(
            connection,
            program,
            complete_journey.reader(baskets=before),
            clock=clock.now,
            name=name,
            sha256=sha256(name.encode()).hexdigest(),
            enrol_unknown=True,
            workers=2,
            on_progress=on_progress,
            on_refused=lambda lines: refused.extend(
                {"line": str(item.row.line), "code": item.code, "reason": item.reason} for item in lines
            ),
        )
        later = import_rows(
            connection, program, complete_journey.reader(baskets=after), clock=clock.now, enrol_unknown=True,
            on_progress=lambda progress: bar.update(task, completed=len(before) + progress.done),
        )  # fmt: skip
        lived = year.Year(
            connection, program, own, active, ended=ended_at(weeks), extended=extended_at(weeks)
        )
        for done in lived.lived():
            bar.update(task, completed=BASKETS - len(own) + done)
    sent = summary.sent + summary.resumed + later.sent + lived.sent
    seconds = summary.seconds + later.seconds + lived.import_seconds
    return {
        "sent": sent,
        "applied": summary.applied + later.applied + lived.applied,
        "duplicate": summary.duplicate + later.duplicate + lived.duplicate,
        "refused": summary.refused + later.refused + lived.refused,
        "parked": summary.parked,
        "seconds": round(seconds, 1),
        "per_second": round(sent / max(seconds, 0.001)),
        "moved_weeks": weeks,
        "refused_lines": refused[:20],
    }


def redeem_coupons(
    connection: psycopg.Connection[Any], program: Runtime, *, quiet: bool, weeks: int
) -> dict[str, int]:
    """The year's paper coupons, for what they are: rewards that cost no points, ordered and used at the till that day.

    A coupon that a household used twice on a day is two redemptions. Run again it changes nothing.
    """
    used = complete_journey.redemptions()
    households = sorted({item.household for item in used})
    told = {"redemptions": len(used), "households": len(households)}
    row = connection.execute(
        "-- demo.redeemed\nselect count(*) from order_claim where program_id = %s and source = %s",
        (program.program_id, complete_journey.SOURCE),
    ).fetchone()
    connection.rollback()
    if row is not None and row[0] == len(used):
        return told
    zone = ZoneInfo("America/New_York")

    def noon(day: date) -> int:
        return instant(datetime(day.year, day.month, day.day, 12, tzinfo=zone) + timedelta(weeks=weeks))

    first, last = noon(used[0].day) - DAY, noon(used[-1].day) + DAY
    operations.write(
        connection,
        program,
        [_coupons(sorted({item.campaign for item in used}, key=int), first, last)],
        by="demo",
        reason="the paper coupons of the year",
        now=clock.now(),
    )
    connection.commit()
    hashes = {members.hashed("external_id", name): name for name in households}
    found = members.find_hashes(connection, program.program_id, hashes)
    ids = {hashes[value]: member_id for value, member_id in found.items()}
    connection.rollback()
    times: Counter[complete_journey.CouponRedemption] = Counter()
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
        console=Console(stderr=True, quiet=quiet),
    )  # fmt: skip
    with bar:
        task = bar.add_task("Redeeming the year's coupons", total=len(used))
        for start in range(0, len(used), COUPONS_AT_ONCE):
            for item in used[start : start + COUPONS_AT_ONCE]:
                times[item] += 1
                # Twice on a day is twice, an hour apart.
                at = noon(item.day) + (times[item] - 1) * HOUR
                placed = orders.place(
                    connection,
                    program,
                    member_id=ids[item.household],
                    wanted=orders.Wanted(
                        "paper_coupon", variant=f"campaign_{item.campaign}", channel="store"
                    ),
                    source="complete-journey",
                    id=f"coupon:{item.household}:{item.day}:{item.campaign}:{item.coupon}:{times[item]}",
                    confirm=True,
                    actor="demo",
                    now=at,
                )
                if placed.items and not placed.replayed:
                    handing_out.use(
                        connection,
                        program,
                        ids[item.household],
                        placed.items[0].item_id,
                        uses=1,
                        now=at,
                    )
            connection.commit()
            bar.update(task, advance=min(COUPONS_AT_ONCE, len(used) - start))
    return told


def _coupons(campaigns: Sequence[str], first: int, last: int) -> Reward:
    """The reward that stands for the paper coupons: seen and ordered only while they were good."""
    return Reward(
        key="paper_coupon",
        name=Text(en="A paper coupon", fr="Un bon de réduction papier"),
        summary=Text(en="Cut out, and used at the till.", fr="Découpé, et utilisé en caisse."),
        gives=Service(uses=1, valid_days=1),
        category="coupons",
        prices=[Price()],
        variants=[
            Variant(key=f"campaign_{number}", name=Text(en=f"Campaign {number}", fr=f"Campagne {number}"))
            for number in campaigns
        ],
        visible=Visible(moment(first).isoformat(), moment(last).isoformat()),
        effective_from=moment(first).isoformat(),
    )
