"""Vouchers from their issue to their end, and how little a wrong code is told."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from palier.activities import merging
from palier.engine.clock import DAY
from palier.members import operations as members
from palier.vouchers import codes, operations, queries
from palier.vouchers.operations import Presented
from palier.vouchers.refusals import VoucherRefusal, VoucherRefused
from tests.activities.program import Connection, program, published
from tests.vouchers.conftest import EFFECT, Desk


def refused(code: VoucherRefusal) -> Any:
    """Expects exactly this refusal."""

    def is_it(error: BaseException) -> bool:
        return isinstance(error, VoucherRefused) and error.code is code

    return pytest.RaisesExc(VoucherRefused, check=is_it)


def test_a_voucher_is_used_once(desk: Desk) -> None:
    made = desk.issue()
    used = desk.use(made.code, "t1")
    assert (used.effect, used.uses_left, used.replayed) == (EFFECT, 0, False)
    with refused(VoucherRefusal.VOUCHER_USED_UP):
        desk.use(made.code, "t2")
    again = desk.use(made.code, "t1")
    assert (again.used_at, again.uses_left, again.replayed) == (used.used_at, 0, True)
    found = queries.read(desk.connection, desk.program_id, made.voucher_ref)
    assert found is not None
    assert (found.uses, found.state) == (1, "used")


def test_several_uses_and_two_codes_in_turn(desk: Desk) -> None:
    """Not the last one used is not enough: each code is counted for itself."""
    first, second = desk.issue(max_uses=3), desk.issue(max_uses=3)
    for number in range(3):
        assert desk.use(first.code, f"a{number}").uses_left == 2 - number
        assert desk.use(second.code, f"b{number}").uses_left == 2 - number
    for made in (first, second):
        with refused(VoucherRefusal.VOUCHER_USED_UP):
            desk.use(made.code, "more")


def test_vouchers_of_one_basket_share_its_id(desk: Desk) -> None:
    first, second = desk.issue(), desk.issue()
    assert desk.use(first.code, "basket").uses_left == 0
    assert not desk.use(second.code, "basket").replayed


def test_another_till_under_the_same_id_is_another_content(desk: Desk) -> None:
    made = desk.issue(max_uses=2)
    desk.use(made.code, "t1", location="paris")
    with refused(VoucherRefusal.CONTENT_DIFFERS):
        desk.use(made.code, "t1", location="lyon")


def test_a_use_is_given_back_once(desk: Desk) -> None:
    made = desk.issue()
    desk.use(made.code, "t1")

    def give_back(id: str = "t1") -> operations.Use:
        found = operations.release(
            desk.connection, desk.program_id, made.voucher_ref, source="till-3", id=id, now=desk.now
        )
        desk.connection.commit()
        return found

    back = give_back()
    assert (back.uses_left, back.replayed) == (1, False)
    again = give_back()
    assert (again.uses_left, again.replayed) == (1, True)
    with refused(VoucherRefusal.USE_RELEASED):
        desk.use(made.code, "t1")
    assert desk.use(made.code, "t2").uses_left == 0
    with refused(VoucherRefusal.UNKNOWN_USE):
        give_back("never")
    kinds = [item.kind for item in queries.uses(desk.connection, desk.program_id, made.voucher_ref)]
    assert sorted(kinds) == ["release", "use", "use"]


def test_a_voucher_that_expired_after_its_use_stays_expired(desk: Desk) -> None:
    made = desk.issue(expires_at=desk.later(1))
    desk.use(made.code, "t1")
    operations.release(
        desk.connection, desk.program_id, made.voucher_ref, source="till-3", id="t1", now=desk.later(2)
    )
    desk.connection.commit()
    with refused(VoucherRefusal.VOUCHER_EXPIRED):
        desk.use(made.code, "t2", now=desk.later(2))


def test_its_time(desk: Desk) -> None:
    made = desk.issue(valid_from=desk.later(1), expires_at=desk.later(3))
    with refused(VoucherRefusal.VOUCHER_NOT_YET_VALID):
        desk.use(made.code, "early")
    shown = Presented(made.code)
    assert (
        operations.check(desk.connection, desk.program_id, shown, now=desk.later(1)).voucher_ref
        == made.voucher_ref
    )
    with refused(VoucherRefusal.VOUCHER_EXPIRED):
        operations.check(desk.connection, desk.program_id, shown, now=desk.later(3))
    # Marked or not, it is expired.
    assert operations.expire(desk.connection, now=desk.later(3) - 1) == 0
    assert operations.expire(desk.connection, now=desk.later(3)) == 1
    with refused(VoucherRefusal.VOUCHER_EXPIRED):
        operations.check(desk.connection, desk.program_id, shown, now=desk.later(2))
    desk.connection.commit()
    found = queries.read(desk.connection, desk.program_id, made.voucher_ref)
    assert found is not None
    assert found.state == "expired"


def test_cancelling(desk: Desk) -> None:
    def cancel(ref: str, **settings: bool) -> str:
        found = operations.cancel(desk.connection, desk.program_id, ref, now=desk.now, **settings)
        desk.connection.commit()
        return found.state

    made = desk.issue(max_uses=2)
    desk.use(made.code, "t1")
    with refused(VoucherRefusal.VOUCHER_IN_USE):
        cancel(made.voucher_ref, unused=True)
    assert cancel(made.voucher_ref) == "cancelled"
    assert cancel(made.voucher_ref) == "cancelled"
    with refused(VoucherRefusal.VOUCHER_CANCELLED):
        desk.use(made.code, "t2")
    # A use that was made before can still be given back, and opens nothing again.
    operations.release(
        desk.connection, desk.program_id, made.voucher_ref, source="till-3", id="t1", now=desk.now
    )
    desk.connection.commit()
    with refused(VoucherRefusal.VOUCHER_CANCELLED):
        desk.use(made.code, "t3")
    spent = desk.issue()
    desk.use(spent.code, "t4")
    with refused(VoucherRefusal.VOUCHER_USED_UP):
        cancel(spent.voucher_ref)
    for ref in ("v_nonsense", codes.encode_ref(bytes(20))):
        with refused(VoucherRefusal.UNKNOWN_VOUCHER):
            cancel(ref)


# --- proofs -----------------------------------------------------------------------------------------------


def test_a_bound_voucher_needs_its_member(desk: Desk) -> None:
    ann, bob = desk.member("ann"), desk.member("bob")
    made = desk.issue(member_id=ann, proof="member")
    assert len(codes.read(made.code)) == codes.PROVEN + 1
    for shown in (None, bob):
        with refused(VoucherRefusal.UNKNOWN_VOUCHER):
            desk.use(made.code, "t1", member_id=shown)
    assert desk.use(made.code, "t1", member_id=ann).uses_left == 0


def test_a_pin_is_needed(desk: Desk) -> None:
    made = desk.issue(proof="pin")
    assert len(made.pin) == codes.PIN_DIGITS
    wrong = f"{(int(made.pin) + 1) % 10**6:06d}"
    for pin in ("", wrong, made.pin[:-1], made.pin + "0"):
        with refused(VoucherRefusal.UNKNOWN_VOUCHER):
            desk.use(made.code, "t1", pin=pin)
    assert desk.use(made.code, "t1", pin=made.pin).uses_left == 0


def test_the_vouchers_of_a_frozen_member_rest(desk: Desk) -> None:
    ann = desk.member("ann")
    made = desk.issue(member_id=ann)
    members.set_status(desk.connection, desk.program_id, ann, "frozen")
    desk.connection.commit()
    with refused(VoucherRefusal.MEMBER_NOT_ACTIVE):
        desk.use(made.code, "t1")
    members.set_status(desk.connection, desk.program_id, ann, "active")
    desk.connection.commit()
    assert desk.use(made.code, "t1").uses_left == 0


def test_a_voucher_goes_with_its_member_into_another(desk: Desk) -> None:
    ann, bob, eve = desk.member("ann"), desk.member("bob"), desk.member("eve")
    made = desk.issue(member_id=ann, proof="member", max_uses=2)
    merging.merge(
        desk.connection, desk.runtime, from_id=ann, into_id=bob, reason="one", actor="test", role="operator",
        source="test", id="m1", now=desk.now,
    )  # fmt: skip
    desk.connection.commit()
    for number, shown in enumerate((ann, bob)):
        assert desk.use(made.code, f"t{number}", member_id=shown).voucher_ref == made.voucher_ref
    with refused(VoucherRefusal.UNKNOWN_VOUCHER):
        desk.use(made.code, "t3", member_id=eve)
    read = queries.code_of(desk.connection, desk.program_id, made.voucher_ref, member_id=bob)
    assert read is not None
    assert read.code == made.code
    assert queries.code_of(desk.connection, desk.program_id, made.voucher_ref, member_id=eve) is None
    listed = queries.of_member(desk.connection, desk.program_id, bob)
    assert [item.voucher_ref for item in listed] == [made.voucher_ref]
    assert queries.of_member(desk.connection, desk.program_id, eve) == []


def test_wrong_codes_are_answered_alike(desk: Desk, connection: Connection) -> None:
    """Unknown, foreign, without its proof, with a wrong one, expired and without it: the same words."""
    other = published(connection, program(key="other"))
    ann = desk.member("ann")
    bound = desk.issue(member_id=ann, proof="member")
    old = desk.issue(member_id=ann, proof="member", expires_at=desk.later(1))
    pinned = desk.issue(proof="pin")
    foreign = operations.issue(
        connection, other.program_id, member_id=None, effect=EFFECT, origin="test", now=desk.now
    )
    told_to_partner = desk.issue()
    connection.commit()
    said = set()
    for shown, partner in (
        (Presented(codes.new_code()), ""),
        (Presented(codes.new_code(codes.PROVEN)), ""),
        (Presented(bound.code), ""),
        (Presented(old.code), ""),
        (Presented(pinned.code, ann, "000000" if pinned.pin != "000000" else "1"), ""),
        (Presented(foreign.code), ""),
        (Presented(told_to_partner.code), "bakery"),
    ):
        with pytest.raises(VoucherRefused) as error:
            operations.check(connection, desk.program_id, shown, partner=partner, now=desk.later(2))
        found = error.value
        said.add((found.code, found.message, found.field, found.remedy))
    assert len(said) == 1


def test_a_mistyped_code_asks_no_database(desk: Desk) -> None:
    desk.connection.close()
    code = codes.new_code()
    wrong = ("0" if code[0] != "0" else "1") + code[1:]
    with refused(VoucherRefusal.MISTYPED_CODE):
        operations.check(desk.connection, desk.program_id, Presented(wrong), now=desk.now)


def test_a_partner_takes_its_own(desk: Desk) -> None:
    made = desk.issue(partner="bakery")
    shown = Presented(made.code)
    assert operations.check(desk.connection, desk.program_id, shown, partner="bakery", now=desk.now)
    assert operations.check(desk.connection, desk.program_id, shown, now=desk.now)
    with refused(VoucherRefusal.UNKNOWN_VOUCHER):
        operations.check(desk.connection, desk.program_id, shown, partner="florist", now=desk.now)


# --- what is kept -----------------------------------------------------------------------------------------


def test_no_code_stands_in_the_database(
    desk: Desk, superuser_connection: psycopg.Connection[tuple[Any, ...]]
) -> None:
    ann = desk.member()
    made = [
        desk.issue(),
        desk.issue(member_id=ann, proof="member"),
        desk.issue(proof="pin", max_uses=2),
        *operations.issue_many(
            desk.connection, desk.program_id, 3, effect=EFFECT, origin="batch", now=desk.now
        ),
    ]
    desk.connection.commit()
    desk.use(made[0].code, "t1")
    rows = superuser_connection.execute(
        "select v::text from voucher v union all select u::text from voucher_use u"
    ).fetchall()
    dump = "\n".join(row[0] for row in rows)
    assert len(rows) == 7
    for item in made:
        plain = codes.read(item.code)
        for form in (plain, plain.lower(), item.code, plain.encode().hex()):
            assert form not in dump
        if item.pin:
            assert f",{item.pin}," not in dump


def test_a_code_is_shown_again_to_its_own_member_alone(desk: Desk) -> None:
    ann, bob = desk.member("ann"), desk.member("bob")
    made = desk.issue(member_id=ann, proof="member")
    nobodys = desk.issue(proof="pin")

    def again(ref: str, member_id: int | None) -> operations.Issued | None:
        return queries.code_of(desk.connection, desk.program_id, ref, member_id=member_id)

    assert again(made.voucher_ref, ann) == made
    assert again(made.voucher_ref, bob) is None
    assert again(made.voucher_ref, None) is None
    assert again(nobodys.voucher_ref, None) == nobodys
    assert again(nobodys.voucher_ref, ann) is None
    assert operations.forget_codes(desk.connection, before=desk.later(1)) == 1
    assert again(nobodys.voucher_ref, None) is None
    assert again(made.voucher_ref, ann) == made
    assert operations.forget_member(desk.connection, desk.program_id, ann) == 1
    assert again(made.voucher_ref, ann) is None
    desk.connection.commit()


def test_a_sealed_code_is_bound_to_its_row(
    desk: Desk, superuser_connection: psycopg.Connection[tuple[Any, ...]]
) -> None:
    from palier.site.ciphers import Unreadable

    first, second = desk.issue(), desk.issue()
    keys = [codes.decode_ref(made.voucher_ref) for made in (first, second)]
    superuser_connection.execute(
        "update voucher set sealed = (select sealed from voucher where code_hash = %s) where code_hash = %s",
        (keys[0], keys[1]),
    )
    with pytest.raises(Unreadable):
        queries.code_of(desk.connection, desk.program_id, second.voucher_ref, member_id=None)


def test_many_at_once(desk: Desk) -> None:
    made = operations.issue_many(
        desk.connection, desk.program_id, 6_000, effect=EFFECT, origin="flyer", proof="pin", now=desk.now
    )
    desk.connection.commit()
    assert len({item.code for item in made}) == len({item.voucher_ref for item in made}) == 6_000
    assert queries.code_of(desk.connection, desk.program_id, made[0].voucher_ref, member_id=None) is None
    assert desk.use(made[-1].code, "t1", pin=made[-1].pin).uses_left == 0


def test_a_code_drawn_twice_is_drawn_anew(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    first = desk.issue()
    other = codes.new_code()
    drawn = iter([codes.read(first.code), other])
    monkeypatch.setattr(codes, "new_code", lambda length: next(drawn))
    assert codes.read(desk.issue().code) == other


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"max_uses": 0}, "max_uses"),
        ({"max_uses": operations.MOST_USES + 1}, "max_uses"),
        ({"expires_at": 1}, "expires_at"),
        ({"valid_from": 3 * 10**15, "expires_at": 2 * 10**15}, "expires_at"),
        ({"proof": "member"}, "member"),
        ({"origin": "x" * 201}, "origin"),
        ({"origin": "a\nb"}, "origin"),
        ({"effect": {"x": "y" * 9_000}}, "effect"),
    ],
)
def test_bad_vouchers_are_not_issued(desk: Desk, settings: dict[str, Any], field: str) -> None:
    with refused(VoucherRefusal.INVALID_VOUCHER) as error:
        desk.issue(**settings)
    assert error.value.field == field
    assert desk.connection.execute("select count(*) from voucher").fetchone() == (0,)


def test_numbers_of_payment_cards_are_refused(desk: Desk) -> None:
    made = desk.issue()
    with refused(VoucherRefusal.PAYMENT_CARD_NUMBER):
        desk.use(made.code, "4111 1111 1111 1111")
    with refused(VoucherRefusal.PAYMENT_CARD_NUMBER):
        desk.use(made.code, "t1", actor="4111111111111111")


def test_instants_do_not_depend_on_the_clock(desk: Desk) -> None:
    assert desk.issue(expires_at=desk.now + DAY).code
