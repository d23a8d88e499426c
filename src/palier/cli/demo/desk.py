"""What waits for the demo's staff: cases, an approval, a draft, a survey with answers, what members save for.

All of it by the platform's own operations, once: what a second run finds there it leaves as it is.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
import psycopg

from palier.activities import adjustments
from palier.activities.operations import NotDone
from palier.activities.queries import history
from palier.activities.runtime import Runtime
from palier.care import cases, surveys, wishes
from palier.care.refusals import CareRefused
from palier.cli.demo import PROGRAM
from palier.cli.demo.doors import SUPPORT, account_of, members_shown
from palier.engine.clock import DAY, HOUR, MINUTE
from palier.engine.document import Text
from palier.programs import drafts, files, queries

SURVEY: Final = surveys.SurveyDocument(
    key="shop",
    name=Text(en="Your last visit", fr="Votre dernier passage"),
    intro=Text(en="Two questions; each may be left out.", fr="Deux questions, chacune facultative."),
    questions=[
        surveys.Question(
            key="recommend",
            kind="nps",
            text=Text(en="Would you recommend us to a friend?", fr="Nous recommanderiez-vous à un ami ?"),
        ),
        surveys.Question(
            key="missed",
            kind="choice",
            text=Text(en="What did you miss?", fr="Qu'est-ce qui vous a manqué ?"),
            options=[
                Text(en="Nothing", fr="Rien"),
                Text(en="A shorter line", fr="Une file plus courte"),
                Text(en="Something on the shelf", fr="Un article en rayon"),
            ],
        ),
    ],
)
ANSWERED: Final = 120
"""How many members answer the survey, besides those whose pages are shown."""


def lay_out(connection: psycopg.Connection[Any], program: Runtime, *, now: int) -> None:
    """Lays out what waits for staff, where nothing does yet."""
    shown = members_shown(connection, program.program_id)
    support = account_of(connection, SUPPORT, "Demo support", "support", program.program_id)
    connection.commit()
    if surveys.read(connection, program.program_id, SURVEY.key) is not None:
        connection.rollback()
        return
    _cases(connection, program, shown, support.person, now)
    _approval(connection, program, shown, support.person, now)
    _survey(connection, program, shown, support.person, now)
    for standing, reward in (("middle", "iron_pan"), ("top", "cooking_evening")):
        if standing in shown:
            _wish(connection, program, shown[standing], reward, now)
    connection.commit()
    _draft(connection, program, support.person, now)


def _cases(
    connection: psycopg.Connection[Any], program: Runtime, shown: dict[str, int], by: Any, now: int
) -> None:
    """Two wait for the shop, one for the member: each about a line of his account, in two languages."""
    said = (
        ("middle", 2 * DAY, "My last basket had flowers in it, and I see no star for them. Did I miss something?"),
        ("top", 5 * HOUR, "Mon ami a fait ses premières courses : quand viennent ses étoiles et les miennes ?"),
        ("new", 3 * DAY, "Does the bakery card run out if I do not come for a month?"),
    )  # fmt: skip
    for standing, ago, text in said:
        if standing not in shown:
            continue
        member_id = shown[standing]
        lines = history(connection, program.program_id, member_id, before=None, limit=20)
        sale = next((line.activity_id for line in lines if line.type == "sale"), None)
        case = cases.open_case(
            connection,
            program,
            member_id=member_id,
            text=text,
            once=f"demo:{standing}",
            activity_id=sale if standing == "middle" else None,
            now=now - ago,
        )
        if standing == "new":
            cases.answer(
                connection,
                case,
                text="No: its stamps stay until the card is full. (An answer of the demonstration.)",
                once="demo:answer",
                by=by,
                now=now - ago + HOUR,
            )


def _approval(
    connection: psycopg.Connection[Any], program: Runtime, shown: dict[str, int], by: Any, now: int
) -> None:
    if "middle" in shown:
        wanted = adjustments.Adjustment(
            shown["middle"],
            "stars",
            1500,
            "Demonstration: a spoilt delivery, made good",
            "",
            by.actor,
            "demo",
            "goodwill",
        )
        adjustments.adjust(connection, program, wanted, by=by, now=now - 20 * MINUTE)


def _survey(
    connection: psycopg.Connection[Any], program: Runtime, shown: dict[str, int], by: Any, now: int
) -> None:
    surveys.write(connection, program, SURVEY, by=by, now=now - 20 * DAY)
    survey = surveys.read(connection, program.program_id, SURVEY.key)
    assert survey is not None
    rows = connection.execute(
        """
        -- demo.asked
        -- all members: some of the demo, who answer its survey
        select member_id from member where program_id = %s and not member_id = any(%s) order by member_id limit %s
        """,
        (program.program_id, list(shown.values()), ANSWERED),
    ).fetchall()
    for place, (member_id,) in enumerate(rows):
        # Of ten, six would recommend, three are of two minds, one would not.
        given = {
            "recommend": str((9, 10, 9, 8, 10, 7, 9, 8, 4, 10)[place % 10]),
            "missed": str(place % 3 + 1),
        }
        surveys.answer(connection, program, member_id, survey, given, now=now - (place % 20) * DAY)


def _wish(
    connection: psycopg.Connection[Any], program: Runtime, member_id: int, reward: str, now: int
) -> None:
    try:
        with connection.transaction():
            wishes.choose(connection, program, member_id, reward, id=f"demo:{reward}", now=now)
    except (CareRefused, NotDone):
        return


def _draft(connection: psycopg.Connection[Any], program: Runtime, by: Any, now: int) -> None:
    """A draft in the studio: silver from a smaller spend on, so that there is a difference to look at."""
    document = queries.document(connection, PROGRAM)
    if document is None or document.tiers is None:
        return
    document = msgspec.structs.replace(document, effective_from=None, notice=None)
    text = files.write(document).replace('"400.00"', '"300.00"')
    drafts.begin(
        connection,
        program.program_id,
        name="Silver from 300 dollars / Argent dès 300 dollars (demo)",
        text=text,
        began_from=f"version:{program.latest.version}",
        by=by,
        now=now - 2 * HOUR,
    )
