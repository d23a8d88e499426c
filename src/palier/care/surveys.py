"""Surveys: a few short questions that a program asks once after a purchase; answering is never needed for anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from hashlib import sha256
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct
from psycopg import Connection
from psycopg.types.json import Json

from palier.activities import batch, doing
from palier.activities import operations as commands
from palier.activities.answers import Result
from palier.activities.runtime import Runtime
from palier.care.cases import clean_text
from palier.care.refusals import CareRefusal, CareRefused
from palier.engine import payment_cards
from palier.engine.clock import DAY, instant, moment
from palier.engine.document import Key, Strict, Text
from palier.members import refs
from palier.staff.approvals import Person
from palier.staff.operations import write_log

ASKED_WITHIN: Final = 30 * DAY
"""How long after a purchase a member is asked."""
LONGEST_ANSWER: Final = 500
LONGEST_NAME: Final = 200
LONGEST_SAID: Final = 500
SCALES: Final = {"nps": range(11), "csat": range(1, 6)}
"""The answers of a question with a scale: 0 to 10 ("would you recommend us?"), 1 to 5 ("how satisfied?")."""


class Question(Strict, frozen=True):
    """One question. `nps` is answered by 0 to 10, `csat` by 1 to 5, `choice` by one of its options, `text` freely."""

    key: Key
    """Unique name in its survey."""
    kind: Literal["nps", "csat", "choice", "text"]
    """How it is answered."""
    text: Text
    """What members read; up to 500 characters."""
    options: Annotated[list[Text], Meta(max_length=10)] = []
    """What a choice is between, 2 at least; up to 200 characters each."""


class SurveyDocument(Strict, frozen=True):
    """A survey: what is asked, from when to when, and the activity that answering is, where it is to bring anything.

    Every question may be left out, and the whole be declined; neither takes anything away.
    """

    key: Key
    """Unique name in its program."""
    name: Text
    """What members read above it; up to 200 characters."""
    questions: Annotated[list[Question], Meta(min_length=1, max_length=5)]
    """The questions, in order."""
    intro: Text = Text()
    """A sentence before the questions: why they are asked, and what answering brings; up to 500 characters."""
    activity: Key | None = None
    """The activity type that a rule rewards: one that the program declares. It is sent once for each member."""
    asked_from: str | None = None
    """First local date, YYYY-MM-DD."""
    asked_until: str | None = None
    """Last local date, YYYY-MM-DD."""


class Survey(Struct, frozen=True):
    """A version of a survey."""

    document: SurveyDocument
    version: int
    created_at: int
    created_by: str


class Written(Struct, frozen=True):
    """What writing a survey came to: its version, and whether it is new."""

    survey: Survey
    is_new: bool


class Tally(Struct, frozen=True):
    """The answers to one question: how often each was given, and, of free text, the latest of them."""

    question: Question
    counts: dict[str, int]
    texts: tuple[str, ...]

    @property
    def answered(self) -> int:
        return sum(self.counts.values())


class Results(Struct, frozen=True):
    """What came of a survey: who answered, who declined, and the answers. Nobody is named."""

    survey: Survey
    answered: int
    refused: int
    tallies: tuple[Tally, ...]


# --- written ----------------------------------------------------------------------------------------------


def read_document(data: object) -> SurveyDocument:
    """A survey as it was sent. Refused (invalid_survey) with the place and the remedy."""
    try:
        found = msgspec.convert(data, SurveyDocument, strict=True)
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at `$")
        raise _invalid(message[:1].lower() + message[1:], place.rstrip("`").lstrip(".")) from None
    keys = [question.key for question in found.questions]
    if len(set(keys)) < len(keys):
        raise _invalid("two questions have the same key", "questions")
    for index, question in enumerate(found.questions):
        if (len(question.options) >= 2) is not (question.kind == "choice"):
            raise _invalid(
                "a choice has 2 options or more, and no other question has any", f"questions[{index}]"
            )
    for place, text, most in _texts(found):
        if place != "intro" and not text.en.strip() and not text.fr.strip():
            raise _invalid("there is nothing to read", place)
        for language, words in (("en", text.en), ("fr", text.fr)):
            if len(words) > most:
                raise _invalid(f"the text is longer than {most} characters", f"{place}.{language}")
            if payment_cards.holds_number(words):
                raise _invalid("the text holds the number of a payment card", f"{place}.{language}")
    return found


def _texts(document: SurveyDocument) -> Iterator[tuple[str, Text, int]]:
    """What members read: where it stands, and how long it may be."""
    yield "name", document.name, LONGEST_NAME
    yield "intro", document.intro, LONGEST_SAID
    for index, question in enumerate(document.questions):
        yield f"questions[{index}].text", question.text, LONGEST_SAID
        for number, option in enumerate(question.options):
            yield f"questions[{index}].options[{number}]", option, LONGEST_NAME


def _invalid(message: str, field: str) -> CareRefused:
    return CareRefused(
        CareRefusal.INVALID_SURVEY,
        message,
        field=field,
        remedy="see docs/guides/care.md for what a survey has",
    )


LATEST: Final = """
-- care.surveys
select distinct on (s.key) s.document, s.version, s.created_at, s.created_by, s.sha256
from survey s where s.program_id = %(program)s and (%(key)s::text is null or s.key = %(key)s)
order by s.key, s.version desc
"""


def _survey(row: tuple[Any, ...]) -> Survey:
    return Survey(msgspec.convert(row[0], SurveyDocument), row[1], instant(row[2]), row[3])


def surveys(connection: Connection[Any], program_id: int) -> list[Survey]:
    """The surveys of a program by key, each as it is asked now."""
    return [_survey(row) for row in connection.execute(LATEST, {"program": program_id, "key": None})]


def read(connection: Connection[Any], program_id: int, key: str) -> Survey | None:
    """A survey as it is asked now; None where there is none."""
    row = connection.execute(LATEST, {"program": program_id, "key": key}).fetchone()
    return _survey(row) if row is not None else None


def write(
    connection: Connection[Any], runtime: Runtime, document: SurveyDocument, *, by: Person, now: int
) -> Written:
    """Writes a survey, new or as the next version of the one with its key. Does not commit.

    A member who was asked is not asked again by a later version. Refused (invalid_survey): dates that are none or
    that are turned round, and an activity type that the program does not declare.
    """
    plan = runtime.latest
    declared = {item.key for item in plan.program.activity_types}
    if document.activity is not None and document.activity not in declared:
        raise _invalid(f"the program declares no activity type {document.activity}", "activity")
    _bounds(runtime, document)
    encoded = msgspec.to_builtins(document)
    digest = sha256(msgspec.json.encode(encoded, order="deterministic")).hexdigest()
    row = connection.execute(LATEST, {"program": runtime.program_id, "key": document.key}).fetchone()
    if row is not None and row[4] == digest:
        return Written(_survey(row), False)
    version = row[1] + 1 if row is not None else 1
    written = connection.execute(
        """
        -- care.write_survey
        insert into survey (program_id, key, version, document, sha256, created_at, created_by)
        values (%s, %s, %s, %s, %s, %s, %s) on conflict (program_id, key, version) do nothing
        """,
        (runtime.program_id, document.key, version, Json(encoded), digest, moment(now), by.actor),
    ).rowcount
    if not written:
        raise batch.Conflict("another version was written at this moment")
    write_log(
        connection, by.actor, by.role, "survey.write", f"{runtime.key}/{document.key}/{version}", at=now
    )
    return Written(Survey(document, version, now, by.actor), True)


def _bounds(runtime: Runtime, document: SurveyDocument) -> tuple[int, int]:
    """From when until before when it is asked."""
    clock = runtime.latest.clock
    bounds = [0, 1 << 62]
    for place, (name, text) in enumerate(
        (("asked_from", document.asked_from), ("asked_until", document.asked_until))
    ):
        if text is None:
            continue
        day = _day(text)
        if day is None:
            raise _invalid("write a date as 2026-03-01", name)
        bounds[place] = clock.start_of_day(day + place)
    if bounds[0] >= bounds[1]:
        raise _invalid("it ends before it begins", "asked_until")
    return bounds[0], bounds[1]


def _day(text: str) -> int | None:
    try:
        return date.fromisoformat(text).toordinal() if len(text) == 10 else None
    except ValueError:
        return None


# --- asked and answered -----------------------------------------------------------------------------------

NOT_ASKED: Final = """
-- care.not_asked
with asked as (
  select distinct on (s.key) s.key, s.document, s.version, s.created_at, s.created_by
  from survey s where s.program_id = %(program)s order by s.key, s.version desc
)
select k.document, k.version, k.created_at, k.created_by,
  (select max(a.acts_at) from activity a
   where a.member_id = %(member)s and a.program_id = %(program)s and a.type = 'sale' and a.acts_at > %(since)s)
from asked k
where not exists (
  select 1 from survey_answer n where n.member_id = %(member)s and n.survey = k.key)
order by k.created_at, k.key
"""


def due(connection: Connection[Any], runtime: Runtime, member_id: int, *, now: int) -> Survey | None:
    """The survey that this member is to be asked now: one he was not asked yet, within 30 days of a purchase.

    A purchase from before the survey's first day is not asked about.
    """
    parameters = {"program": runtime.program_id, "member": member_id, "since": moment(now - ASKED_WITHIN)}
    for row in connection.execute(NOT_ASKED, parameters):
        found = _survey(row)
        since, until = _bounds(runtime, found.document)
        if row[4] is not None and since <= now < until and instant(row[4]) >= since:
            return found
    return None


def read_answers(document: SurveyDocument, given: Mapping[str, str]) -> dict[str, str | int]:
    """Answers by question as they are stored; what was left empty is left out.

    Refused: what is no answer to its question (invalid_answer), numbers of payment cards, a text that is too long.
    """
    found: dict[str, str | int] = {}
    for question in document.questions:
        text = given.get(question.key, "").strip()
        if not text:
            continue
        if question.kind == "text":
            found[question.key] = clean_text(text, question.key, LONGEST_ANSWER)
            continue
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 4 else -1
        fits = (
            number in range(1, len(question.options) + 1)
            if question.kind == "choice"
            else number in SCALES[question.kind]
        )
        if not fits:
            raise CareRefused(
                CareRefusal.INVALID_ANSWER,
                "this is no answer to its question",
                field=question.key,
                remedy="choose one of those shown, or none",
            )
        found[question.key] = number
    return found


def answer(
    connection: Connection[Any],
    runtime: Runtime,
    member_id: int,
    survey: Survey,
    given: Mapping[str, str],
    *,
    now: int,
) -> Result | None:
    """Keeps a member's answers and sends the survey's activity, where it has one. Does not commit.

    The result is that of the activity; None where there is none. Refused: answers that are none (invalid_answer),
    nothing answered at all, and a survey that this member has answered or declined (survey_answered).
    """
    answers = read_answers(survey.document, given)
    if not answers:
        raise CareRefused(
            CareRefusal.INVALID_ANSWER, "nothing was answered", remedy="answer one question, or decline"
        )
    _keep(connection, runtime, member_id, survey, "answered", answers, now)
    kind = survey.document.activity
    declared = next((item for item in runtime.latest.program.activity_types if item.key == kind), None)
    if declared is None:
        return None
    attributes = {"survey": survey.document.key} if "survey" in declared.attributes else {}
    name = f"survey:{survey.document.key}:{refs.encode(member_id)}"
    return doing.act(connection, runtime, member_id, declared.key, attributes, id=name, now=now)


def refuse(
    connection: Connection[Any], runtime: Runtime, member_id: int, survey: Survey, *, now: int
) -> None:
    """The member declines, and is not asked this again. Does not commit. Refused where he has answered."""
    _keep(connection, runtime, member_id, survey, "refused", None, now)


def _keep(
    connection: Connection[Any],
    runtime: Runtime,
    member_id: int,
    survey: Survey,
    state: str,
    answers: dict[str, str | int] | None,
    now: int,
) -> None:
    commands.lock_member(connection, member_id)
    kept = connection.execute(
        """
        -- care.answer
        insert into survey_answer (member_id, survey, program_id, version, state, answers, at)
        values (%s, %s, %s, %s, %s, %s, %s)
        on conflict (member_id, survey) do nothing
        """,
        (
            member_id,
            survey.document.key,
            runtime.program_id,
            survey.version,
            state,
            Json(answers) if answers is not None else None,
            moment(now),
        ),
    ).rowcount
    if not kept:
        raise CareRefused(CareRefusal.SURVEY_ANSWERED, "this survey is behind you already")


# --- results ----------------------------------------------------------------------------------------------

STATES: Final = """
-- care.survey_states
-- all members: how many answered a survey and how many declined it
select state, count(*) from survey_answer where program_id = %s and survey = %s group by state
"""

COUNTS: Final = """
-- care.survey_counts
-- all members: how often each answer was given
select e.key, e.value, count(*)
from survey_answer n cross join lateral json_each_text(n.answers) e
where n.program_id = %s and n.survey = %s and n.state = 'answered' and e.key = any(%s)
group by e.key, e.value
"""

TEXTS: Final = """
-- care.survey_texts
-- all members: the latest free answers to a question
select n.answers ->> %(question)s from survey_answer n
where n.program_id = %(program)s and n.survey = %(survey)s and n.state = 'answered'
  and n.answers ->> %(question)s is not null
order by n.at desc limit %(limit)s
"""


def results(connection: Connection[Any], program_id: int, key: str, *, texts: int = 50) -> Results | None:
    """What came of a survey so far, in all its versions; None where there is none. `texts`: so many free answers."""
    survey = read(connection, program_id, key)
    if survey is None:
        return None
    states = dict(connection.execute(STATES, (program_id, key)).fetchall())
    closed = [question.key for question in survey.document.questions if question.kind != "text"]
    counted: dict[str, dict[str, int]] = {}
    for question, value, count in connection.execute(COUNTS, (program_id, key, closed)):
        counted.setdefault(question, {})[value] = count
    tallies = []
    for asked in survey.document.questions:
        said: tuple[str, ...] = ()
        if asked.kind == "text":
            rows = connection.execute(
                TEXTS, {"program": program_id, "survey": key, "question": asked.key, "limit": texts}
            )
            said = tuple(row[0] for row in rows)
        counts = counted.get(asked.key, {})
        tallies.append(Tally(asked, dict(sorted(counts.items(), key=lambda item: int(item[0]))), said))
    return Results(survey, states.get("answered", 0), states.get("refused", 0), tuple(tallies))


def net_promoters(tally: Tally) -> tuple[int, int]:
    """(promoters less detractors, all) of an `nps` question: 9 and 10 promote, 0 to 6 detract."""
    promoters = sum(count for value, count in tally.counts.items() if int(value) >= 9)
    detractors = sum(count for value, count in tally.counts.items() if int(value) <= 6)
    return promoters - detractors, tally.answered
