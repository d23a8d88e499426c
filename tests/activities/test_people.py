"""Who joins and by whom, and pairs: enrolment with referral codes, rings and spellings, streaks of two."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
import pytest

from palier.activities import batch, delivery, due, enrolment, pairing
from palier.activities.operations import NotDone
from palier.activities.runtime import Runtime
from palier.engine.clock import DAY, instant
from palier.engine.facts import Fact
from palier.engine.program import Program
from palier.engine.refusals import RefusalCode
from palier.engine.state import decode_state
from palier.members import operations as members
from palier.members import queries, referral, refs
from palier.members.operations import NewMember
from tests.activities.program import Connection, line, member, published
from tests.activities.test_mechanics import MARCH, REFERRAL, posted, sale, shop, text

WELCOME = {"key": "welcome", "name": text("Welcome"), "on": "joined", "currency": "stars", "fixed": "5"}


def join(
    connection: Connection, runtime: Runtime, code: str | None = None, now: int = MARCH, **identities: str
) -> enrolment.Joining:
    new = NewMember(identities)
    return batch.attempt(connection, lambda: enrolment.enrol(connection, runtime, new, code, now=now))


def code_of(connection: Connection, runtime: Runtime, member_id: int) -> str:
    code, link, _ = enrolment.referral_code(connection, runtime, member_id, now=MARCH)
    connection.commit()
    assert link == f"/join/{runtime.key}/{code}"
    return code


def counts(connection: Connection) -> list[Any]:
    tables = ("member", "identity", "progress", "activity", "activity_claim", "relay")
    found = [connection.execute(f"select count(*) from {table}").fetchone() for table in tables]
    connection.rollback()
    return found


@pytest.fixture
def runtime(connection: Connection) -> Runtime:
    return published(connection, shop(referral=REFERRAL))


def test_a_code_is_the_members_own_at_every_call_and_bears_mistyping(
    connection: Connection, runtime: Runtime
) -> None:
    who = join(connection, runtime, card="c1").enrolled.member_id
    code = code_of(connection, runtime, who)
    assert code_of(connection, runtime, who) == code
    assert referral.read_code(f" {code[:4].lower()}-{code[4:]}") == code
    for place, character in enumerate(code):
        for other in referral.ALPHABET:
            if other != character:
                with pytest.raises(referral.CodeError):
                    referral.read_code(code[:place] + other + code[place + 1 :])
    for place in range(len(code) - 2):
        swapped = code[:place] + code[place + 1] + code[place] + code[place + 2 :]
        if swapped != code:
            with pytest.raises(referral.CodeError):
                referral.read_code(swapped)


def test_whoever_joins_with_a_code_is_brought_by_its_member(connection: Connection, runtime: Runtime) -> None:
    who = join(connection, runtime, card="c1").enrolled.member_id
    friend = join(connection, runtime, code_of(connection, runtime, who), card="c2")
    assert (friend.referral, friend.why) == ("recorded", "")
    at = MARCH + DAY
    batch.apply(connection, runtime, [line(sale(1, at), "c2")], now=at)
    while delivery.deliver(connection, runtime, now=at):
        pass
    assert posted(connection, who) == {"stars": 100}
    assert posted(connection, friend.enrolled.member_id) == {"stars": 60}


def test_joining_is_one_transaction_with_the_enrolment(connection: Connection) -> None:
    rules = msgspec.to_builtins(shop())["rules"]
    runtime = published(connection, shop(rules=[*rules, WELCOME]))
    who = join(connection, runtime, card="c1").enrolled.member_id
    assert posted(connection, who) == {"stars": 5}
    assert join(connection, runtime, card="c1").enrolled.member_id == who
    assert posted(connection, who) == {"stars": 5}
    # Taken back by the caller, nothing of it stays.
    before = counts(connection)
    enrolment.enrol(connection, runtime, NewMember({"card": "c2"}), now=MARCH)
    connection.rollback()
    assert counts(connection) == before


def refused(connection: Connection, runtime: Runtime, code: str, **identities: str) -> RefusalCode:
    """The refusal of joining with a code, having checked that nothing was written."""
    before = counts(connection)
    with pytest.raises(NotDone) as caught:
        join(connection, runtime, code, MARCH + DAY, **identities)
    assert counts(connection) == before
    return caught.value.refusal.code


def test_codes_that_nobody_has_are_refused(connection: Connection, runtime: Runtime) -> None:
    who = join(connection, runtime, card="c1").enrolled.member_id
    stranger = referral._code(runtime.program_id, who + 1, 0)
    for code in (stranger, "", "0000", "nonsense!", "A" * 500):
        assert refused(connection, runtime, code, card="c2") is RefusalCode.UNKNOWN_REFERRAL_CODE


@pytest.mark.parametrize(
    ("own", "given"),
    [
        ("ann@example.org", "ANN@example.org "),
        ("ann@example.org", "ann+friend@example.org"),
        ("ann+shop@example.org", "ann@example.org"),
        ("ann+shop@example.org", "ann+friend@example.org"),
        ("annlee@gmail.com", "ann.lee@gmail.com"),
        ("a.nnlee+x@gmail.com", "annlee@googlemail.com"),
    ],
)
def test_ones_own_code_is_refused_however_the_mailbox_is_spelled(
    connection: Connection, runtime: Runtime, own: str, given: str
) -> None:
    who = join(connection, runtime, email=own).enrolled.member_id
    code = code_of(connection, runtime, who)
    assert refused(connection, runtime, code, email=given) is RefusalCode.SELF_REFERRAL
    # Without the code there is no objection; dots mean something elsewhere.
    assert join(connection, runtime, code, email="an.n@example.org").referral == "recorded"


def test_a_ring_of_referrers_and_a_younger_referrer_are_refused(
    connection: Connection, runtime: Runtime
) -> None:
    first = join(connection, runtime, card="c1").enrolled.member_id
    second = join(connection, runtime, code_of(connection, runtime, first), card="c2").enrolled.member_id
    third = join(connection, runtime, code_of(connection, runtime, second), card="c3").enrolled.member_id
    for member_id in (second, third):
        code = code_of(connection, runtime, member_id)
        assert refused(connection, runtime, code, card="c1") is RefusalCode.REFERRAL_RING
    younger = join(connection, runtime, now=MARCH + DAY // 2, card="c4").enrolled.member_id
    code = code_of(connection, runtime, younger)
    assert refused(connection, runtime, code, card="c1") is RefusalCode.REFERRAL_RING


def test_what_is_only_doubtful_joins_without_referral(connection: Connection, runtime: Runtime) -> None:
    who = join(connection, runtime, card="c1").enrolled.member_id
    join(connection, runtime, email="bob@example.org")
    code = code_of(connection, runtime, who)
    doubtful = join(connection, runtime, code, email="bob+2@example.org")
    assert (doubtful.enrolled.created, doubtful.referral, doubtful.why) == (
        True, "not_recorded", "mailbox_known",
    )  # fmt: skip
    again = join(connection, runtime, code, MARCH + DAY, email="bob@example.org")
    assert (again.enrolled.created, again.why) == (False, "already_member")
    assert _state(connection, doubtful.enrolled.member_id).referral is None


def test_a_program_without_referral_says_so(connection: Connection) -> None:
    runtime = published(connection, shop())
    who = join(connection, runtime, card="c1").enrolled.member_id
    friend = join(connection, runtime, code_of(connection, runtime, who), card="c2")
    assert (friend.enrolled.created, friend.why) == (True, "no_referral")


def test_a_code_finds_nobody_for_an_activity(connection: Connection, runtime: Runtime) -> None:
    who = join(connection, runtime, card="c1").enrolled.member_id
    code = code_of(connection, runtime, who)
    with pytest.raises(queries.IdentityError):
        queries.find(connection, runtime.program_id, {"referral": code})


# --- pairs ------------------------------------------------------------------------------------------------

DUO = {
    "key": "duo", "name": text("Duo"), "of": "pair", "zone": "program",
    "steps": [{"at": 3, "grants": [{"currency": "coffee"}]}],
}  # fmt: skip
EVENING = instant(datetime.fromisoformat("2026-03-02T18:00:00+01:00"))


def duo(connection: Connection) -> tuple[Runtime, int, int]:
    plain = msgspec.to_builtins(shop())
    runtime = published(connection, msgspec.convert(plain | {"streaks": [DUO]}, Program))
    return (
        runtime,
        member(connection, runtime.program_id, "c1"),
        member(connection, runtime.program_id, "c2"),
    )


def _state(connection: Connection, member_id: int) -> Any:
    row = connection.execute("select state from progress where member_id = %s", (member_id,)).fetchone()
    connection.rollback()
    assert row is not None
    return decode_state(row[0])


def run_length(connection: Connection, member_id: int) -> int:
    """Periods in which both acted, of the only pair of a member."""
    (running,) = _state(connection, member_id).streaks.values()
    return sum(min(mine, theirs) > 0 for mine, theirs in zip(running.counts, running.theirs, strict=True))


def pair(connection: Connection, runtime: Runtime, one: int, other: int, at: int = MARCH) -> pairing.Pair:
    return batch.attempt(connection, lambda: pairing.pair(connection, runtime, "duo", one, other, now=at))


def visit(connection: Connection, runtime: Runtime, card: str, day: int, now: int | None = None) -> None:
    at = EVENING + day * DAY
    fact = Fact("till", f"v-{card}-{day}", "visit", at)
    result = batch.apply(connection, runtime, [line(fact, card)], now=now or at)[0]
    assert result.status == "applied", result


def settle(connection: Connection, runtime: Runtime, now: int) -> None:
    while delivery.deliver(connection, runtime, now=now):
        pass
    due.advance_all(connection, runtime, now, now=now)


def test_a_pair_runs_while_both_act_and_lapses_when_one_misses(connection: Connection) -> None:
    runtime, one, other = duo(connection)
    pair(connection, runtime, one, other)
    for day in range(3):
        visit(connection, runtime, "c1", day)
        visit(connection, runtime, "c2", day)
        settle(connection, runtime, EVENING + day * DAY)
    assert (run_length(connection, one), run_length(connection, other)) == (3, 3)
    assert posted(connection, one) == posted(connection, other) == {"coffee": 1}
    visit(connection, runtime, "c1", 3)
    settle(connection, runtime, EVENING + 4 * DAY)
    assert (run_length(connection, one), run_length(connection, other)) == (0, 0)
    assert posted(connection, one) == {"coffee": 1}


@pytest.mark.parametrize("late", [False, True])
def test_a_pair_does_not_depend_on_when_it_is_told(connection: Connection, late: bool) -> None:
    runtime, one, other = duo(connection)
    pair(connection, runtime, one, other)
    end = EVENING + 3 * DAY - 3600 * 1_000_000
    for day in range(3):
        visit(connection, runtime, "c1", day)
        if not late:
            visit(connection, runtime, "c2", day)
            settle(connection, runtime, EVENING + day * DAY)
    if late:
        # The other's visits and every message arrive days after the runs seemed to have lapsed.
        due.advance_all(connection, runtime, end, now=end)
        for day in (2, 0, 1):
            visit(connection, runtime, "c2", day, now=end)
    settle(connection, runtime, end)
    assert (run_length(connection, one), run_length(connection, other)) == (3, 3)
    assert posted(connection, one) == posted(connection, other) == {"coffee": 1}


def test_pairs_are_refused_where_they_cannot_be(connection: Connection) -> None:
    runtime, one, other = duo(connection)

    def code(streak: str, first: int, second: int, ends: bool = False) -> RefusalCode:
        operation = pairing.unpair if ends else pairing.pair
        before = counts(connection)
        with pytest.raises(NotDone) as caught:
            operation(connection, runtime, streak, first, second, now=MARCH)
        connection.rollback()
        assert counts(connection) == before
        return caught.value.refusal.code

    assert code("solo", one, other) is RefusalCode.UNKNOWN_STREAK
    assert code("duo", one, one) is RefusalCode.SAME_MEMBER
    assert code("duo", one, other, ends=True) is RefusalCode.NOT_PAIRED
    pair(connection, runtime, one, other)
    assert code("duo", other, one) is RefusalCode.ALREADY_PAIRED
    batch.attempt(connection, lambda: pairing.unpair(connection, runtime, "duo", other, one, now=MARCH + 1))
    assert code("duo", one, other, ends=True) is RefusalCode.NOT_PAIRED
    assert _state(connection, one).streaks == _state(connection, other).streaks == {}
    visit(connection, runtime, "c1", 0)
    settle(connection, runtime, EVENING)
    pair(connection, runtime, one, other, EVENING + 1)
    assert code("duo", one, other) is RefusalCode.ALREADY_PAIRED


def test_members_keep_their_addresses_apart(connection: Connection, runtime: Runtime) -> None:
    who = join(connection, runtime, card="c1").enrolled.member_id
    assert members.add_identity(connection, runtime.program_id, who, "email", "z+1@example.org", now=MARCH)
    connection.commit()
    assert members.owners_of_mailbox(connection, runtime.program_id, "z@example.org") == {who}
    assert refs.decode(refs.encode(who)) == who
