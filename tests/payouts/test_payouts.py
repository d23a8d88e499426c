"""Pay-outs: from the wallet to the file and back, exactly once, proved against the ledger."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable
from datetime import date
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import psycopg
import pytest

from palier.activities import operations as commands
from palier.activities.operations import NotDone
from palier.activities.queries import redemption
from palier.engine.clock import DAY
from palier.ledger.verify import Violation, verify
from palier.members import refs
from palier.payouts import accounts, operations, queries, vault
from palier.payouts.keeping import keep
from palier.payouts.queries import Payout
from palier.payouts.refusals import PayoutRefusal, PayoutRefused
from palier.payouts.vault import Destination, Unreadable
from palier.site import database as platform_database
from palier.staff import approvals
from palier.staff.approvals import NotDecided
from tests.activities.program import NOW, Connection
from tests.audit.race import together
from tests.payouts.shop import ANN, BEN, IBANS, OUTSIDE, Desk

NAMES = {"p": "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"}


def refused(act: Callable[[], object]) -> PayoutRefusal:
    with pytest.raises(PayoutRefused) as error:
        act()
    assert error.value.message
    return error.value.code


def told(content: bytes, path: str) -> list[str]:
    return [str(found.text) for found in ElementTree.fromstring(content).findall(f".//p:{path}", NAMES)]


def broken(connection: Connection) -> list[Violation]:
    with contextlib.closing(platform_database.connect("auditor")) as auditor:
        return verify(auditor)


def test_from_the_wallet_to_the_bank(desk: Desk) -> None:
    """The sums of the file are what the ledger took from the wallets."""
    people = [desk.member(euros) for euros in (25, 10, 40)]
    made = [desk.ask(people[0]), desk.ask(people[1], 1000), desk.ask(people[2], 1234)]
    assert [payout.amount for payout in made] == [2500, 1000, 1234]
    assert [desk.wallet(who) for who in people] == [(2500, 2500), (1000, 1000), (4000, 1234)]
    found = desk.propose()
    assert (found.payouts, found.total, found.state) == (3, 4734, "asked")
    assert refused(lambda: desk.file(found)) is PayoutRefusal.BATCH_NOT_OPEN
    with pytest.raises(NotDecided):
        desk.decide(found, ANN)
    desk.decide(found)
    assert desk.states() == ["approved"] * 3
    written = desk.file(found)
    assert told(written.content, "CtrlSum") == ["47.34", "47.34"]
    assert told(written.content, "InstdAmt") == ["25.00", "10.00", "12.34"]
    assert told(written.content, "EndToEndId") == [payout.reference for payout in made]
    assert told(written.content, "IBAN")[1:] == list(IBANS[:3])
    # 1,800,000,000 s is Friday 15 January 2027: the next day of TARGET is Monday.
    assert told(written.content, "ReqdExctnDt/p:Dt") == ["2027-01-18"]
    assert desk.spent() == 4734
    assert [desk.wallet(who) for who in people] == [(0, 0), (0, 0), (2766, 0)]
    assert desk.states() == ["in_file"] * 3
    again = desk.file(found, now=NOW + 9 * DAY, execution_on=date(2027, 2, 1))
    assert (again.content, again.again, again.name) == (written.content, True, written.name)
    assert desk.spent() == 4734
    desk.sent(found)
    assert desk.states() == ["sent"] * 3
    assert refused(lambda: desk.sent(found)) is PayoutRefusal.BATCH_NOT_OPEN
    desk.paid(found)
    assert desk.states() == ["paid"] * 3
    steps = queries.events(desk.connection, made[0])
    assert [step.to_state for step in steps] == ["asked", "approved", "in_file", "sent", "paid"]
    assert [step.actor for step in steps] == [ANN.actor, BEN.actor, BEN.actor, BEN.actor, BEN.actor]


def test_what_comes_back_is_in_the_same_lots(desk: Desk) -> None:
    who = desk.member(25)
    lots = desk.connection.execute("select lot_id, expires_at, remaining from lot").fetchall()
    payout = desk.ask(who)
    found = desk.propose()
    desk.decide(found)
    desk.file(found)
    desk.sent(found)
    assert desk.wallet(who) == (0, 0)
    back = desk.returned(payout)
    assert (back.state, back.reason, desk.wallet(who)) == ("returned", "AC04", (2500, 0))
    assert desk.connection.execute("select lot_id, expires_at, remaining from lot").fetchall() == lots
    assert desk.spent() == 0
    assert refused(lambda: desk.returned(payout)) is PayoutRefusal.PAYOUT_NOT_OPEN
    desk.paid(found)
    assert desk.states() == ["returned"]
    # It can be paid out again, by another file with another reference.
    desk.account(who, IBANS[3])
    once_more = desk.ask(who, id="again")
    second = desk.propose()
    desk.decide(second)
    assert told(desk.file(second).content, "IBAN")[1] == IBANS[3]
    assert once_more.reference != payout.reference


@pytest.mark.parametrize("paid", [False, True])
def test_money_comes_back_from_a_file_or_after_it_was_paid(desk: Desk, paid: bool) -> None:
    who = desk.member(25)
    payout = desk.ask(who)
    found = desk.propose()
    desk.decide(found)
    desk.file(found)
    if paid:
        desk.sent(found)
        desk.paid(found)
    desk.returned(payout)
    assert desk.wallet(who) == (2500, 0)


def test_what_is_not_paid_out(desk: Desk) -> None:
    who, poor, alone = desk.member(25), desk.member(9), desk.member(25, iban="")
    assert refused(lambda: desk.ask(who, 999)) is PayoutRefusal.BELOW_THRESHOLD
    assert refused(lambda: desk.ask(poor)) is PayoutRefusal.BELOW_THRESHOLD
    assert refused(lambda: desk.ask(alone)) is PayoutRefusal.NO_BANK_ACCOUNT
    with pytest.raises(NotDone):
        desk.ask(who, 2501)

    def stars() -> Payout:
        return operations.ask(
            desk.connection, desk.runtime, member_id=who, currency="stars", points=1, source="app", id="x",
            by=ANN, now=NOW,
        )  # fmt: skip

    assert refused(lambda: desk.do(stars)) is PayoutRefusal.NOT_CASH
    assert desk.states() == []
    assert refused(desk.propose) is PayoutRefusal.NOTHING_TO_PAY
    first = desk.ask(who, 1500, id="one")
    assert desk.ask(who, 1500, id="one") == first
    assert refused(lambda: desk.ask(who, 1600, id="one")) is PayoutRefusal.CONTENT_DIFFERS
    assert desk.wallet(who) == (2500, 1500)


def test_one_that_is_taken_back(desk: Desk) -> None:
    who = desk.member(25)
    payout = desk.ask(who)
    assert desk.cancel(payout).state == "refused"
    assert desk.wallet(who) == (2500, 0)
    assert refused(lambda: desk.cancel(payout)) is PayoutRefusal.PAYOUT_NOT_OPEN
    other = desk.ask(who, id="two")
    found = desk.propose()
    assert refused(lambda: desk.cancel(other)) is PayoutRefusal.PAYOUT_NOT_OPEN
    desk.decide(found, approve=False)
    assert desk.states() == ["refused", "asked"]
    # Refused as a batch, it waits again and may go into another one.
    second = desk.propose()
    desk.decide(second)
    batch = desk.do(
        lambda: operations.stop(
            desk.connection, desk.program_id, second.batch_id, reason="wrong month", by=BEN, now=NOW
        )
    )
    assert (batch.state, desk.states()) == ("refused", ["refused", "asked"])
    assert refused(lambda: desk.file(second)) is PayoutRefusal.BATCH_NOT_OPEN
    desk.cancel(other)
    assert desk.wallet(who) == (2500, 0)


def test_a_batch_that_nobody_approves(desk: Desk) -> None:
    desk.ask(desk.member(25))
    found = desk.propose()
    late = NOW + operations.APPROVAL_DAYS * DAY
    with pytest.raises(NotDecided):
        desk.decide(found, now=late)
    assert approvals.expire(desk.connection, desk.program_id, now=late) == 1
    assert desk.states() == ["asked"]
    assert desk.propose(now=late).payouts == 1


def test_nobody_else_closes_the_hold(desk: Desk) -> None:
    who = desk.member(25)
    payout = desk.ask(who)
    assert payout.hold_activity_id is not None
    found = redemption(desk.connection, desk.program_id, who, payout.hold_activity_id, now=NOW)
    assert found is not None
    with pytest.raises(NotDone) as error:
        commands.refuse_own_hold(found)
    assert error.value.refusal.code.value == "reserved_source"


def test_by_sepa_and_by_csv(desk: Desk) -> None:
    """Who is in SEPA goes into its file, others into CSV; changing the account later changes neither."""
    inside, outside = desk.member(25), desk.member(30, OUTSIDE, holder="=cmd|' /C calc'!A0")
    desk.ask(inside)
    desk.ask(outside)
    sepa = desk.propose()
    csv = desk.propose("csv")
    assert (sepa.total, csv.total) == (2500, 3000)
    desk.account(inside, IBANS[4])
    for found in (sepa, csv):
        desk.decide(found)
    written = desk.file(sepa)
    assert told(written.content, "IBAN")[1] == IBANS[0]
    table = desk.file(csv).content.decode().splitlines()
    assert table[1].startswith("PO-")
    assert f",'=cmd|' /C calc'!A0,{OUTSIDE},30.00,EUR,2027-01-15," in table[1]
    assert desk.file(sepa).content == written.content


def test_days_on_which_banks_do_not_settle(desk: Desk) -> None:
    desk.ask(desk.member(25))
    found = desk.propose()
    desk.decide(found)
    for day in (date(2027, 1, 16), date(2027, 1, 14), date(2027, 3, 26)):
        assert refused(lambda day=day: desk.file(found, execution_on=day)) is PayoutRefusal.NO_TARGET_DAY
    assert desk.states() == ["approved"]
    assert told(desk.file(found, execution_on=date(2027, 1, 20)).content, "ReqdExctnDt/p:Dt") == [
        "2027-01-20"
    ]


def test_a_hold_that_is_over_is_not_paid(desk: Desk) -> None:
    """A year later the points were free again: they are not in the file."""
    old, young = desk.member(25), desk.member(40)
    desk.ask(old)
    later = NOW + 300 * DAY
    desk.ask(young, now=later)
    found = desk.propose(now=later)
    desk.decide(found, now=later)
    written = desk.file(found, now=NOW + 370 * DAY)
    assert told(written.content, "CtrlSum") == ["40.00", "40.00"]
    assert (desk.states(), desk.wallet(old)) == (["refused", "in_file"], (2500, 0))
    assert (written.batch.payouts, written.batch.total) == (1, 4000)
    assert desk.file(found).content == written.content


def test_asking_for_everyone(desk: Desk) -> None:
    for euros in (25, 9, 10):
        desk.member(euros)
    desk.member(50, iban="")
    assert operations.ask_for_all(desk.connection, desk.runtime, "cash", by=ANN, now=NOW) == (2, 3500)
    assert operations.ask_for_all(desk.connection, desk.runtime, "cash", by=ANN, now=NOW + 1) == (0, 0)
    for other in ("points", "nothing_such"):
        with pytest.raises(PayoutRefused, match="only a currency of kind cash"):
            operations.ask_for_all(desk.connection, desk.runtime, other, by=ANN, now=NOW + 2)


# --- races and crashes ------------------------------------------------------------------------------------


def test_twenty_batches_at_once(desk: Desk) -> None:
    """Each pay-out is in one batch, and so in one file."""
    for _ in range(12):
        desk.ask(desk.member(10))

    def job(connection: Connection) -> int:
        try:
            return desk.propose(connection=connection, most=5).batch_id
        except PayoutRefused as error:
            return 0 if error.code is PayoutRefusal.NOTHING_TO_PAY else -1

    made = [batch_id for batch_id in together([job] * 20, 20) if batch_id]
    rows = desk.connection.execute("select batch_id, count(*) from payout group by batch_id").fetchall()
    desk.connection.rollback()
    assert sorted(count for _, count in rows) == [2, 5, 5]
    assert {batch_id for batch_id, _ in rows} == set(made)
    references: list[str] = []
    for batch_id in made:
        found = queries.read_batch(desk.connection, desk.program_id, batch_id)
        assert found is not None
        desk.decide(found)
        references += told(desk.file(found).content, "EndToEndId")
    assert len(references) == len(set(references)) == 12
    assert desk.spent() == 12_000


def test_twenty_files_at_once_are_one(desk: Desk) -> None:
    for _ in range(5):
        desk.ask(desk.member(10))
    found = desk.propose()
    desk.decide(found)
    contents = together([lambda inner: desk.file(found, inner).content] * 20, 20)
    assert len(set(contents)) == 1
    assert desk.spent() == 5_000


def test_twenty_returns_at_once(desk: Desk) -> None:
    who = desk.member(25)
    payout = desk.ask(who)
    found = desk.propose()
    desk.decide(found)
    desk.file(found)

    def job(connection: Connection) -> str:
        try:
            return desk.returned(payout, connection).state
        except PayoutRefused as error:
            return error.code.value

    assert Counter(together([job] * 20, 20)) == {"returned": 1, "payout_not_open": 19}
    assert desk.wallet(who) == (2500, 0)


def test_asking_cancelling_and_collecting_at_once(desk: Desk) -> None:
    """Whatever wins, the wallet holds what is asked for, and nothing else."""
    people = [desk.member(20) for _ in range(10)]

    def ask(who: int) -> Callable[[Connection], str]:
        def run(inner: Connection) -> str:
            try:
                payout = desk.ask(who, 1000, id=refs.encode(who), connection=inner)
                return desk.cancel(payout, inner).state
            except PayoutRefused as error:
                return error.code.value

        return run

    def collect(inner: Connection) -> str:
        try:
            return desk.propose(connection=inner).state
        except PayoutRefused as error:
            return error.code.value

    together([job for who in people for job in (ask(who), collect, ask(who))], 10)
    for who in people:
        rows = desk.connection.execute(
            "select coalesce(sum(points), 0) from payout where member_id = %s and state = 'asked'", (who,)
        ).fetchone()
        assert rows is not None
        assert desk.wallet(who) == (2000, int(rows[0]))


@pytest.mark.parametrize("place", ["_content", "_move", "_capture"])
def test_a_crash_while_the_file_is_made_leaves_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    who = desk.member(25)
    desk.ask(who)
    found = desk.propose()
    desk.decide(found)
    whole = getattr(operations, place)

    def crash(*args: object, **more: object) -> None:
        whole(*args, **more)
        raise RuntimeError("killed")

    monkeypatch.setattr(operations, place, crash)
    with pytest.raises(RuntimeError):
        desk.file(found)
    assert (desk.states(), desk.wallet(who)) == (["approved"], (2500, 2500))
    assert broken(desk.connection) == []
    monkeypatch.undo()
    assert told(desk.file(found).content, "CtrlSum") == ["25.00", "25.00"]


# --- bank details -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "iban",
    [
        "DE89370400440532013001", "DE8937040044053201300", "XX00", "", "FR7630006000011234567890188",
        "DE89 3704 0044 0532 0130 0O",
    ],
)  # fmt: skip
def test_no_iban(desk: Desk, iban: str) -> None:
    who = desk.member(1, iban="")
    assert refused(lambda: desk.account(who, iban)) is PayoutRefusal.INVALID_IBAN
    assert accounts.read_account(desk.connection, desk.program_id, who) is None


def test_holders(desk: Desk) -> None:
    who = desk.member(1, iban="")
    for holder in ("", " ", "&&", "x" * 71, "4111 1111 1111 1111"):
        assert refused(lambda holder=holder: desk.account(who, IBANS[0], holder)) is (
            PayoutRefusal.INVALID_HOLDER
        )
    desk.account(who, "de89 3704 0044 0532 0130 00", "  Zoë   Lefèvre ")
    found = accounts.destinations(desk.connection, desk.program_id, [who])[who]
    assert found == (Destination(IBANS[0], "Zoë Lefèvre"), "3000", "DE")


def test_bank_details_are_sealed(desk: Desk, superuser_connection: Connection) -> None:
    who, other = desk.member(25), desk.member(25)
    desk.ask(who)
    desk.propose()
    tables = ("bank_account", "payout", "payout_event", "payout_batch", "approval", "audit_log", "activity")
    for table in tables:
        rows = superuser_connection.execute(f"select t::text from {table} t").fetchall()  # type: ignore[arg-type]
        assert rows, table
        for secret in (IBANS[0], IBANS[1], "Lefèvre", IBANS[0].encode().hex(), "Lefèvre".encode().hex()):
            assert not any(secret in row[0] for row in rows), (table, secret)
    # One member's details open nowhere else.
    superuser_connection.execute(
        "update bank_account set sealed = (select sealed from bank_account where member_id = %s) where member_id = %s",
        (who, other),
    )
    with pytest.raises(Unreadable):
        accounts.destinations(desk.connection, desk.program_id, [other])
    sealed = vault.seal(Destination(IBANS[0], "Ann"), "x")
    with pytest.raises(Unreadable):
        vault.unseal(sealed[:-1] + bytes([sealed[-1] ^ 1]), "x")
    assert vault.seal(Destination(IBANS[0], "Ann"), "x") != sealed


def test_the_auditor_sees_no_bank_details(desk: Desk) -> None:
    desk.ask(desk.member(25))
    found = desk.propose()
    desk.decide(found)
    desk.file(found)
    with contextlib.closing(platform_database.connect("auditor")) as auditor:
        row = auditor.execute("select amount, state, batch_id from audit.payout").fetchone()
        assert row == (2500, "in_file", found.ref)
        row = auditor.execute("select total, asked_by, approved_by from audit.payout_batch").fetchone()
        assert row == (2500, ANN.actor, BEN.actor)
        for table, name in (("bank_account", "sealed"), ("payout", "sealed"), ("payer", "iban")):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                auditor.execute(f"select {name} from {table}")  # type: ignore[arg-type]
            auditor.rollback()


def test_a_member_who_is_erased(desk: Desk, superuser_connection: Connection) -> None:
    who = desk.member(25)
    payout = desk.ask(who)
    found = desk.propose()
    desk.decide(found)
    desk.file(found)
    desk.sent(found)
    superuser_connection.execute("update member set status = 'erased' where member_id = %s", (who,))
    assert [item.invariant for item in broken(desk.connection)] == ["payouts.gone"]
    assert desk.do(lambda: accounts.forget_members(desk.connection, desk.program_id)) == 1
    assert broken(desk.connection) == []
    # Where it goes is needed as long as the bank may send it back.
    assert desk.file(found).again
    desk.paid(found)
    assert desk.do(lambda: accounts.forget_members(desk.connection, desk.program_id)) == 1
    assert refused(lambda: desk.file(found)) is PayoutRefusal.FILE_REFUSED
    assert queries.again(desk.connection, payout) is not None


def test_the_file_on_the_disk(desk: Desk, tmp_path: Path) -> None:
    """Whole, for one user, never over another one; lost, it is written again."""
    desk.ask(desk.member(25))
    found = desk.propose()
    desk.decide(found)
    made = desk.file(found)
    path = keep(tmp_path, made)
    assert path.read_bytes() == made.content
    assert path.stat().st_mode & 0o777 == 0o600
    assert keep(tmp_path, desk.file(found)) == path
    path.unlink()
    assert keep(tmp_path, desk.file(found)).read_bytes() == made.content
    path.write_bytes(b"another")
    assert refused(lambda: keep(tmp_path, made)) is PayoutRefusal.FILE_REFUSED
    assert [item.name for item in tmp_path.iterdir()] == [made.name]


# --- planted faults ---------------------------------------------------------------------------------------

PLANTS = {
    "a pay-out that was never held": ("update payout set hold_activity_id = 1", "payouts.holds"),
    "more paid than was spent": ("update payout set points = points + 1", "payouts.holds"),
    "a step left out": ("update payout set state = 'paid'", "payouts.steps"),
    "a sum that is not its pay-outs": ("update payout_batch set total = total + 1", "payouts.batches"),
    "one amount": ("update payout set amount = amount + 1", "payouts.batches"),
    "a batch approved by its first person": ("delete from approval", "payouts.approved"),
}


@pytest.mark.plants_violation
@pytest.mark.parametrize("plant", PLANTS)
def test_a_planted_fault_is_found(desk: Desk, superuser_connection: Connection, plant: str) -> None:
    desk.ask(desk.member(25))
    found = desk.propose()
    desk.decide(found)
    desk.file(found)
    assert broken(desk.connection) == []
    statement, invariant = PLANTS[plant]
    superuser_connection.execute(statement)  # type: ignore[arg-type]
    assert invariant in {item.invariant for item in broken(desk.connection)}


def test_bytes_that_differ_are_not_written_again(desk: Desk, superuser_connection: Connection) -> None:
    desk.ask(desk.member(25))
    found = desk.propose()
    desk.decide(found)
    desk.file(found)
    superuser_connection.execute("update payout_batch set message_id = 'OTHER'")
    assert refused(lambda: desk.file(found)) is PayoutRefusal.FILE_REFUSED


def test_a_payout_says_all_of_itself(desk: Desk) -> None:
    """What is written is what is read."""
    payout = desk.ask(desk.member(25))
    assert queries.again(desk.connection, payout) == payout
    assert queries.decode_payout_ref(payout.ref) == (payout.member_id, payout.payout_id)
    found = desk.propose()
    assert queries.read_batch(desk.connection, desk.program_id, found.batch_id) == found
    (inside,) = queries.of_batch(desk.connection, desk.program_id, found.batch_id)
    assert msgspec.structs.replace(inside, sealed=None, batch_id=None) == payout
