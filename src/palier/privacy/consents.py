"""Consents: a row for each change, of which the latest holds; nothing is given unless it was given in so many words."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final, Literal

from msgspec import Struct
from psycopg import Connection

from palier.activities.operations import lock_member
from palier.activities.runtime import Runtime
from palier.engine.clock import instant, moment
from palier.privacy.purposes import Question, questions
from palier.site.ids import new_id
from palier.staff.approvals import Person

Via = Literal["portal", "till", "import", "api", "cli"]

KEEP_TEXT: Final = """
-- privacy.keep_consent_text
insert into consent_text (program_id, sha256, text_id, language, body, first_shown_at)
values (%(program)s, %(sha256)s, %(text_id)s, %(language)s, %(body)s, %(now)s)
on conflict (program_id, sha256) do nothing
"""

ADD: Final = """
-- privacy.add_consent
insert into consent (member_id, consent_id, program_id, purpose, channel, recipient, state, basis, text_id, language,
                     text_sha256, via, actor, at, proof)
values (%(member)s, %(consent)s, %(program)s, %(purpose)s, %(channel)s, %(recipient)s, %(state)s, 'consent',
        %(text_id)s, %(language)s, %(sha256)s, %(via)s, %(actor)s, %(now)s, %(proof)s)
"""

STANDING: Final = """
-- privacy.consents
select distinct on (c.purpose, c.channel, c.recipient)
  c.purpose, c.channel, c.recipient, c.state, c.basis, c.text_id, c.language, c.via, c.at, c.proof
from consent c where c.member_id = %(member)s and c.program_id = %(program)s
order by c.purpose, c.channel, c.recipient, c.consent_id desc
"""

HISTORY: Final = """
-- privacy.consent_history
select c.purpose, c.channel, c.recipient, c.state, c.basis, c.text_id, c.language, c.via, c.at, c.proof, t.body
from consent c
left join consent_text t on t.program_id = c.program_id and t.sha256 = c.text_sha256
where c.member_id = %(member)s and c.program_id = %(program)s
order by c.consent_id
"""


class Consent(Struct, frozen=True):
    """One change of what a member allows; `at` in microseconds UTC. `body` is the words that were shown."""

    purpose: str
    channel: str
    recipient: str
    state: str
    basis: str
    text_id: str
    language: str
    via: str
    at: int
    proof: str
    body: str = ""

    @property
    def key(self) -> str:
        return ".".join((self.purpose, self.channel, self.recipient))


class UnknownPurpose(ValueError):
    """Nothing of the kind is asked for by the program."""


def standing(connection: Connection[Any], program_id: int, member_id: int) -> dict[str, Consent]:
    """What holds of a member's consents, by the question's key; what is not there was never given."""
    rows = connection.execute(STANDING, {"member": member_id, "program": program_id}).fetchall()
    found = [_consent((*row, "")) for row in rows]
    return {consent.key: consent for consent in found}


def history(connection: Connection[Any], program_id: int, member_id: int) -> list[Consent]:
    """Every change of a member's consents with the words that were shown, the first first."""
    rows = connection.execute(HISTORY, {"member": member_id, "program": program_id}).fetchall()
    return [_consent(row) for row in rows]


def _consent(row: Sequence[Any]) -> Consent:
    values = list(row)
    values[8], values[10] = instant(row[8]), row[10] or ""
    return Consent(*values)


def allowed(
    connection: Connection[Any],
    program_id: int,
    member_id: int,
    purpose: str,
    channel: str,
    recipient: str = "",
) -> bool:
    """Whether a member allows this now. Whoever sends asks it for each message, when it is sent."""
    found = standing(connection, program_id, member_id).get(f"{purpose}.{channel}.{recipient}")
    return found is not None and found.state == "given"


def question_of(runtime: Runtime, key: str, language: str) -> Question:
    """The question of a key, as the program asks it now. Raises UnknownPurpose for another."""
    for question in questions(runtime.latest.program, language):
        if question.key == key:
            return question
    raise UnknownPurpose(key[:80])


def set_consent(
    connection: Connection[Any],
    runtime: Runtime,
    member_id: int,
    question: Question,
    *,
    given: bool,
    via: Via,
    by: Person,
    proof: str = "",
    now: int,
) -> bool:
    """Gives or withdraws a consent by the words of `question`; False where that is how it stood. Does not commit.

    `proof` says what shows it where no page does: a form's number, a ticket. It names nobody.
    """
    lock_member(connection, member_id)
    known = standing(connection, runtime.program_id, member_id).get(question.key)
    if (known is not None and known.state == "given") == given:
        return False
    digest = sha256(question.body.encode()).digest()
    parameters = {
        "member": member_id,
        "consent": new_id(),
        "program": runtime.program_id,
        "purpose": question.purpose,
        "channel": question.channel,
        "recipient": question.recipient,
        "state": "given" if given else "withdrawn",
        "text_id": question.text_id,
        "language": question.language,
        "body": question.body,
        "sha256": digest,
        "via": via,
        "actor": by.actor,
        "now": moment(now),
        "proof": proof,
    }
    connection.execute(KEEP_TEXT, parameters)
    connection.execute(ADD, parameters)
    return True
