"""Members found to be one: nothing is lost or made by a merge, by its undoing, or by what comes late to either."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from palier.activities import batch, delivery, due, merging, operations, pairing
from palier.activities import queries as activities
from palier.activities.answers import Result
from palier.activities.operations import NotDone
from palier.activities.rerate import rerate
from palier.activities.runtime import Runtime
from palier.activities.wire import Read
from palier.engine.clock import DAY
from palier.engine.facts import Fact, Reference, encode_fact
from palier.engine.program import Program
from palier.engine.refusals import RefusalCode
from palier.engine.state import NEVER, MemberState, decode_state
from palier.members import queries, refs
from tests.activities.program import Connection, line, member, program, published
from tests.activities.test_mechanics import CARD, MARCH, currency, sale, shop, text
from tests.audit.race import together

HOUR = 3600 * 1_000_000
STAR = {"en": {"one": "star", "other": "stars"}, "fr": {"one": "é", "other": "é"}}


def document(expiry: dict[str, Any] | None = None, **settings: Any) -> Program:
    """Stars that expire, a stamp card, and a bonus that waits two weeks."""
    plain = msgspec.to_builtins(shop(goals=[CARD]))
    plain["point_currencies"][0] = {
        "key": "stars", "name": STAR, "expiry": expiry or {"kind": "rolling", "days": 60}, "transferable": True,
    }  # fmt: skip
    plain["point_currencies"].append(currency("later", "points") | {"pending": {"kind": "days", "days": 14}})
    plain["rules"].append(
        {"key": "wait", "name": text("Later"), "on": "sale", "currency": "later", "fixed": "3"}
    )
    return msgspec.convert(plain | settings, Program)


class Two:
    """Two members of a program, by the cards a and b."""

    def __init__(self, connection: Connection, program: Program | None = None) -> None:
        self.connection = connection
        self.runtime: Runtime = published(connection, program or document())
        self.a = member(connection, self.runtime.program_id, "a")
        self.b = member(connection, self.runtime.program_id, "b")
        self.merges = 0

    def send(self, card: str, *facts: Fact, now: int | None = None) -> list[Result]:
        lines = [line(fact, card) for fact in facts]
        at = now or max(fact.at for fact in facts)
        return batch.apply(self.connection, self.runtime, lines, now=at)

    def sale(self, card: str, number: int, at: int, euros: int = 10, now: int | None = None) -> Result:
        return self.send(card, sale(number, at, euros * 100), now=now)[0]

    def back(self, number: int, at: int, now: int | None = None, card: str = "", **given: Any) -> Result:
        given = given or {"whole": True}
        fact = Fact("till", f"r{number}-{at}", "return", at, sale=Reference("till", f"s{number}"), **given)
        payload = encode_fact(fact)
        read = Read(fact, {"card": card} if card else None, payload, batch.sha256(payload).digest())
        return batch.apply(self.connection, self.runtime, [read], now=now or at)[0]

    def redeem(self, who: int, points: int, at: int) -> Result:
        self.merges += 1
        return batch.attempt(
            self.connection,
            lambda: operations.redeem(
                self.connection, self.runtime, member_id=who, currency="stars", points=points * 1,
                source="desk", id=f"redeem-{self.merges}", now=at,
            ),
        )  # fmt: skip

    def refund(self, spent: Result, points: int | None, at: int) -> Result:
        self.merges += 1
        found = activities.redemption(
            self.connection, self.runtime.program_id, spent.member_id, spent.activity_id, now=at
        )
        assert found is not None
        return batch.attempt(
            self.connection,
            lambda: operations.refund(
                self.connection, self.runtime, found, points=points, source="desk",
                id=f"refund-{self.merges}", now=at,
            ),
        )  # fmt: skip

    def merge(self, at: int, gone: int | None = None, into: int | None = None) -> merging.Merged:
        self.merges += 1
        return batch.attempt(
            self.connection,
            lambda: merging.merge(
                self.connection, self.runtime, from_id=gone or self.b, into_id=into or self.a,
                reason="the same person", actor="desk", role="staff", source="desk",
                id=f"merge-{self.merges}", now=at,
            ),
        )  # fmt: skip

    def unmerge(self, at: int, gone: int | None = None) -> merging.Merged:
        self.merges += 1
        return batch.attempt(
            self.connection,
            lambda: merging.unmerge(
                self.connection, self.runtime, from_id=gone or self.b, reason="a mistake", actor="desk",
                role="staff", source="desk", id=f"unmerge-{self.merges}", now=at,
            ),
        )  # fmt: skip

    def state(self, who: int) -> MemberState:
        row = self.connection.execute("select state from progress where member_id = %s", (who,)).fetchone()
        self.connection.rollback()
        assert row is not None
        return decode_state(row[0])

    def wallets(self, *who: int) -> dict[str, list[int]]:
        """Posted, pending, held and debt by currency, over members."""
        rows = self.connection.execute(
            "select currency, posted, pending, held, debt from wallet where member_id = any(%s)",
            (list(who) or [self.a, self.b],),
        ).fetchall()
        self.connection.rollback()
        found: dict[str, list[int]] = {}
        for key, *amounts in rows:
            sums = found.setdefault(key, [0] * 4)
            found[key] = [one + more for one, more in zip(sums, amounts, strict=True)]
        return {key: sums for key, sums in found.items() if any(sums)}

    def breakage(self) -> int:
        row = self.connection.execute(
            "select coalesce(sum(case 'breakage' when credit then amount when debit then -amount else 0 end), 0)"
            " from transfer"
        ).fetchone()
        self.connection.rollback()
        assert row is not None
        return int(row[0])

    def advance(self, at: int) -> None:
        while delivery.deliver(self.connection, self.runtime, now=at):
            pass
        due.advance_all(self.connection, self.runtime, at, now=at)

    def refold(self) -> int:
        """Corrections that folding every history anew would post: none where the ledger is what the fold says."""
        return rerate(self.connection, self.runtime, 0, now=MARCH + 200 * DAY, post=False).changed


def test_everything_moves_and_nothing_is_made_or_lost(connection: Connection) -> None:
    two = Two(connection)
    two.sale("a", 1, MARCH)
    two.sale("b", 2, MARCH + HOUR, 20)
    two.sale("b", 3, MARCH + DAY, 30)
    before, ends = two.wallets(), [lot.expires_at for lot in two.state(two.b).wallets["stars"].lots]
    made = two.merge(MARCH + 2 * DAY)
    assert made.done
    assert two.wallets() == two.wallets(two.a) == before
    assert two.wallets(two.b) == {}
    assert set(ends) <= {lot.expires_at for lot in two.state(two.a).wallets["stars"].lots}
    # The stamps of both are on one card, which was full with the third: the next purchase brings its gift.
    assert "coffee" not in two.wallets()
    two.sale("b", 4, MARCH + 3 * DAY)
    assert two.wallets(two.a)["coffee"] == [1, 0, 0, 0]
    assert two.refold() == 0


def test_a_merged_member_says_where_it_went_and_its_identities_follow(connection: Connection) -> None:
    two = Two(connection)
    two.merge(MARCH)
    view = queries.read(connection, two.runtime.program_id, two.b)
    assert view is not None
    assert (view.status, view.merged_into) == ("merged", refs.encode(two.a))
    for card in ("a", "b"):
        assert queries.find(connection, two.runtime.program_id, {"card": card}) == two.a
    connection.rollback()


def test_debt_stays_owed_until_the_next_credit(connection: Connection) -> None:
    two = Two(connection)
    two.sale("b", 1, MARCH, 50)
    two.redeem(two.b, 40, MARCH + HOUR)
    two.back(1, MARCH + 2 * HOUR)
    two.sale("a", 2, MARCH + 3 * HOUR, 100)
    before = two.wallets()
    assert before["stars"] == [100, 0, 0, 40]
    two.merge(MARCH + DAY)
    assert two.wallets(two.a) == before
    two.sale("a", 3, MARCH + 2 * DAY, 1)
    assert two.wallets(two.a)["stars"] == [61, 0, 0, 0]
    assert two.refold() == 0


@pytest.mark.parametrize("late", [False, True])
def test_returns_of_its_sales_act_on_the_member_that_took_over(connection: Connection, late: bool) -> None:
    two = Two(connection)
    two.sale("a", 1, MARCH)
    two.sale("b", 2, MARCH + HOUR, 20)
    two.sale("b", 3, MARCH + 2 * HOUR, 5)
    two.merge(MARCH + DAY)
    at = MARCH + 12 * HOUR if late else MARCH + 2 * DAY
    now = MARCH + 2 * DAY
    answer = two.back(2, at, now, amount=500)
    assert (answer.status, answer.member_id) == ("applied", two.a)
    assert two.wallets(two.a)["stars"] == [30, 0, 0, 0]
    assert two.back(2, at + 1, now, card="b").status == "applied"
    assert two.wallets(two.a) == {"stars": [15, 0, 0, 0], "later": [0, 6, 0, 0]}
    assert two.wallets(two.b) == {}
    assert two.refold() == 0


def test_a_return_of_what_expired_before_the_merge_costs_nothing(connection: Connection) -> None:
    two = Two(connection)
    two.sale("b", 1, MARCH, 50)
    at = MARCH + 70 * DAY
    two.advance(at)
    assert two.breakage() == 50
    two.sale("a", 2, at, 10)
    two.merge(at + HOUR)
    assert two.breakage() == 50
    assert two.back(1, at + 2 * HOUR).status == "applied"
    assert two.wallets(two.a)["stars"] == [10, 0, 0, 0]
    assert two.breakage() == 0
    assert two.refold() == 0


def test_points_that_paid_a_part_come_back_to_the_member_that_took_over(connection: Connection) -> None:
    two = Two(connection)
    two.sale("b", 1, MARCH, 50)
    spent = two.redeem(two.b, 20, MARCH + HOUR)
    paid = sale(
        2, MARCH + 2 * HOUR, 3_000,
        tenders=(_tender("card", 1_000), _tender("points", 2_000, Reference("desk", spent.id))),
    )  # fmt: skip
    assert two.send("b", paid)[0].status == "applied"
    assert two.wallets(two.b)["stars"] == [40, 0, 0, 0]
    two.merge(MARCH + DAY)
    assert two.back(2, MARCH + 2 * DAY).status == "applied"
    assert two.wallets(two.a)["stars"] == [50, 0, 0, 0]
    assert two.refold() == 0


def _tender(kind: str, amount: int, redemption: Reference | None = None) -> Any:
    from palier.engine.facts import Tender

    return Tender(kind, amount, redemption)


def test_a_redemption_of_the_merged_member_is_refunded_to_the_one_that_took_over(
    connection: Connection,
) -> None:
    """Before the merge, after it, and after that one was merged into a third; in all what was spent."""
    two = Two(connection)
    two.sale("b", 1, MARCH, 50)
    two.sale("a", 2, MARCH + 1, 10)
    spent = two.redeem(two.b, 40, MARCH + HOUR)
    assert two.refund(spent, 5, MARCH + 2 * HOUR).status == "applied"
    two.merge(MARCH + DAY)
    assert two.refund(spent, 10, MARCH + 2 * DAY).status == "applied"
    assert two.wallets(two.a)["stars"] == [35, 0, 0, 0]
    refused = two.refund(spent, 26, MARCH + 2 * DAY + HOUR)
    assert refused.refusal is not None
    assert refused.refusal.code is RefusalCode.REFUND_DOES_NOT_FIT
    third = member(connection, two.runtime.program_id, "c")
    two.merge(MARCH + 3 * DAY, gone=two.a, into=third)
    assert two.refund(spent, None, MARCH + 4 * DAY).status == "applied"
    assert two.wallets(third)["stars"] == [60, 0, 0, 0]
    found = activities.redemption(connection, two.runtime.program_id, two.b, spent.activity_id, now=MARCH)
    assert found is not None
    assert found.refunded == 40
    more = two.refund(spent, None, MARCH + 5 * DAY)
    assert more.refusal is not None
    assert more.refusal.code is RefusalCode.REFUND_DOES_NOT_FIT
    assert two.refold() == 0


def test_a_given_tier_goes_with_the_member_and_is_taken_back_there(connection: Connection) -> None:
    gold = {"key": "gold", "name": text("Gold"), "qualify": {"all": [{"metric": "visits", "at_least": "9"}]}}
    tiers = {"tiers": [{"key": "base", "name": text("Base")}, gold], "window": {"kind": "lifetime"}}
    two = Two(connection, document(tiers=tiers))

    def ask(operation: Any, at: int, **what: Any) -> str:
        two.merges += 1
        result = batch.attempt(
            connection,
            lambda: operation(
                connection, two.runtime, member_id=two.b, source="desk", id=f"tier-{at}", now=at, **what
            ),
        )
        return str(result.status)

    assert ask(operations.grant_tier, MARCH, tier="gold", until=MARCH + 50 * DAY) == "applied"
    two.merge(MARCH + DAY)
    assert (two.state(two.a).tier.key, two.state(two.b).tier.key) == ("gold", "")
    two.unmerge(MARCH + 2 * DAY)
    assert (two.state(two.a).tier.key, two.state(two.b).tier.key) == ("base", "gold")
    two.merge(MARCH + 3 * DAY)
    given = Reference("desk", f"tier-{MARCH}")
    assert ask(operations.revoke_tier, MARCH + 4 * DAY, given=given) == "applied"
    assert two.state(two.a).tier.key == "base"
    assert two.refold() == 0


def test_a_redemption_of_the_merged_member_pays_once(connection: Connection) -> None:
    two = Two(connection)
    two.sale("b", 1, MARCH, 50)
    spent = Reference("desk", two.redeem(two.b, 20, MARCH + HOUR).id)
    two.merge(MARCH + DAY)
    answers = [
        two.send("a", sale(number, MARCH + number * DAY, 2_000, tenders=(_tender("points", 2_000, spent),)))[
            0
        ]
        for number in (2, 3)
    ]
    assert answers[0].status == "applied"
    assert answers[1].refusal is not None
    assert answers[1].refusal.code is RefusalCode.REDEMPTION_ALREADY_USED


def test_what_is_sent_again_is_answered_as_before(connection: Connection) -> None:
    two = Two(connection)
    first = two.sale("b", 1, MARCH)
    two.merge(MARCH + DAY)
    again = two.sale("b", 1, MARCH, now=MARCH + 2 * DAY)
    assert (again.status, again.activity_id) == ("duplicate", first.activity_id)
    other = two.sale("b", 1, MARCH, 11, now=MARCH + 2 * DAY)
    assert other.refusal is not None
    assert other.refusal.code is RefusalCode.CONTENT_DIFFERS
    spent = two.redeem(two.b, 3, MARCH + 2 * DAY)
    assert (spent.status, spent.member_id) == ("applied", two.a)


def test_a_parked_return_of_its_sale_finds_the_member_that_took_over(connection: Connection) -> None:
    two = Two(connection)
    assert two.back(1, MARCH + DAY).status == "parked"
    two.merge(MARCH + 2 * DAY)
    two.sale("b", 1, MARCH, now=MARCH + 3 * DAY)
    assert two.wallets() == {}
    assert two.refold() == 0


def test_merged_again_nothing_happens_and_merged_elsewhere_is_refused(connection: Connection) -> None:
    two = Two(connection)
    third = member(connection, two.runtime.program_id, "c")
    two.sale("b", 1, MARCH)
    first = two.merge(MARCH + DAY)
    again = two.merge(MARCH + 2 * DAY)
    assert (again.done, again.merged_at) == (False, first.merged_at)

    def code(gone: int, into: int) -> RefusalCode:
        with pytest.raises(NotDone) as caught:
            two.merge(MARCH + 2 * DAY, gone, into)
        return caught.value.refusal.code

    assert code(two.b, third) is RefusalCode.MEMBER_MERGED
    assert code(third, two.b) is RefusalCode.MEMBER_MERGED
    assert code(third, third) is RefusalCode.SAME_MEMBER
    batch.attempt(
        connection,
        lambda: operations.hold(
            connection, two.runtime, member_id=two.a, currency="stars", points=5, minutes=60, source="desk",
            id="h", now=MARCH + 2 * DAY,
        ),
    )  # fmt: skip
    assert code(two.a, third) is RefusalCode.HOLDS_OPEN
    assert two.wallets(two.a)["stars"] == [10, 0, 5, 0]


def test_a_chain_of_merges_ends_at_the_last(connection: Connection) -> None:
    two = Two(connection, document({"kind": "inactivity", "days": 30}))
    third = member(connection, two.runtime.program_id, "c")
    two.sale("c", 1, MARCH, 10)
    two.sale("b", 2, MARCH + HOUR, 20)
    two.sale("a", 3, MARCH + 2 * HOUR, 30)
    two.merge(MARCH + DAY, third, two.b)
    two.merge(MARCH + 2 * DAY)
    assert two.wallets(two.a)["stars"] == [60, 0, 0, 0]
    for number, left in ((1, 50), (2, 30), (3, 0)):
        assert two.back(number, MARCH + (3 + number) * DAY).status == "applied"
        assert two.wallets(two.a, two.b, third).get("stars", [0])[0] == left
    assert two.refold() == 0


def test_time_without_activity_is_that_of_both(connection: Connection) -> None:
    two = Two(connection, document({"kind": "inactivity", "days": 30}))
    two.sale("b", 1, MARCH, 10)
    two.sale("a", 2, MARCH + 20 * DAY, 30)
    two.merge(MARCH + 21 * DAY)
    two.advance(MARCH + 45 * DAY)
    assert two.wallets(two.a)["stars"] == [40, 0, 0, 0]
    two.advance(MARCH + 51 * DAY)
    assert "stars" not in two.wallets()
    # What lapsed after the merge is found by a return of the merged member's sale.
    two.back(1, MARCH + 52 * DAY)
    assert two.breakage() == 30
    assert two.refold() == 0


def test_late_activities_of_either_are_folded_with_the_merge(connection: Connection) -> None:
    two = Two(connection)
    two.sale("a", 1, MARCH)
    two.sale("b", 2, MARCH + 2 * DAY)
    two.merge(MARCH + 3 * DAY)
    two.sale("a", 3, MARCH + DAY, now=MARCH + 4 * DAY)
    two.sale("b", 4, MARCH + DAY, now=MARCH + 4 * DAY)
    # Four stamps make one gift.
    assert two.wallets(two.a) == {"stars": [40, 0, 0, 0], "later": [0, 12, 0, 0], "coffee": [1, 0, 0, 0]}
    assert two.refold() == 0


GOLD = {"all": [{"metric": "spend", "at_least": "100"}]}
TIERS = {
    "window": {"kind": "rolling", "days": 365},
    "tiers": [
        {"key": "green", "name": text("Green")},
        {"key": "gold", "name": text("Gold"), "qualify": GOLD, "grants": [{"currency": "coffee"}]},
    ],
}


def test_what_comes_too_late_is_judged_by_what_came_back_of_inherited_sales(connection: Connection) -> None:
    plain = msgspec.to_builtins(program())
    plain["rules"][0]["tier_multipliers"] = {"gold": "2"}
    gold = {"qualify": {"all": [{"metric": "spend", "at_least": "100"}]}}
    tiers = [
        {"key": "green", "name": {"en": "Green", "fr": "Vert"}},
        {"key": "gold", "name": {"en": "Gold", "fr": "Or"}, **gold},
    ]
    ladder = {"window": {"kind": "lifetime"}, "tiers": tiers}
    two = Two(connection, program(rules=plain["rules"], tiers=ladder))
    two.sale("b", 1, MARCH, 100)
    two.merge(MARCH + 5 * DAY)
    assert two.back(1, MARCH + 10 * DAY).status == "applied"
    two.sale("a", 2, MARCH + 60 * DAY, 1)
    late = two.sale("a", 3, MARCH + 20 * DAY, 10, now=MARCH + 61 * DAY)
    assert late.trace is not None
    assert (late.trace.tier, late.trace.late) == ("green", True)


def test_metrics_add_up_and_a_tier_reached_gives_with_the_next_activity(connection: Connection) -> None:
    two = Two(connection, document(tiers=TIERS, goals=[]))
    two.sale("a", 1, MARCH, 60)
    two.sale("b", 2, MARCH + 10 * DAY, 60)
    before = two.wallets()
    two.merge(MARCH + 11 * DAY)
    assert two.state(two.a).tier.key == "gold"
    assert two.wallets(two.a) == before
    two.sale("a", 3, MARCH + 12 * DAY, 1)
    assert two.wallets(two.a)["coffee"] == [1, 0, 0, 0]
    # The older purchase leaves the window on its own day.
    two.advance(MARCH + 366 * DAY)
    assert two.state(two.a).tier.key == "green"


def test_a_cap_counts_what_both_used(connection: Connection) -> None:
    rules = msgspec.to_builtins(document())["rules"]
    rules[0]["caps"] = {"month": "50"}
    two = Two(connection, document(rules=rules))
    two.sale("a", 1, MARCH, 30)
    two.sale("b", 2, MARCH, 30)
    two.merge(MARCH + DAY)
    two.sale("a", 3, MARCH + 2 * DAY, 30)
    assert two.wallets(two.a)["stars"] == [60, 0, 0, 0]


def test_fees_of_both_run_beside_each_other_and_each_may_come_back(connection: Connection) -> None:
    club = {"key": "club", "name": text("Club"), "fee": "20.00", "months": 12}
    life = {"key": "life", "name": text("Life"), "fee": "30.00"}
    two = Two(connection, document(memberships=[club, life]))

    def fee(card: str, identifier: str, key: str, at: int) -> None:
        two.send(card, Fact("till", identifier, "fee", at, 2_000, attributes={"membership": key}))

    def days() -> dict[str, int]:
        ends = two.state(two.a).memberships
        return {key: (end - MARCH) // DAY if end < NEVER else -1 for key, end in ends.items()}

    fee("a", "s1", "club", MARCH)
    fee("b", "s2", "club", MARCH + 10 * DAY)
    fee("a", "s3", "life", MARCH + 1)
    fee("b", "s4", "life", MARCH + 2)
    two.merge(MARCH + 20 * DAY)
    assert days() == {"club": 375, "life": -1}
    fee("a", "s5", "club", MARCH + 30 * DAY)
    assert days() == {"club": 375 + 366, "life": -1}
    assert two.back(3, MARCH + 40 * DAY).status == "applied"
    assert two.back(2, MARCH + 41 * DAY).status == "applied"
    assert days() == {"club": 365 + 366, "life": -1}
    assert two.back(4, MARCH + 42 * DAY).status == "applied"
    assert days() == {"club": 365 + 366}
    assert two.refold() == 0


def test_undone_both_stand_as_before(connection: Connection) -> None:
    two = Two(connection, document({"kind": "inactivity", "days": 60}, tiers=TIERS))
    for number, card in enumerate("abbab"):
        two.sale(card, number, MARCH + number * HOUR, 7 + number)
    two.redeem(two.b, 5, MARCH + 10 * HOUR)
    two.back(1, MARCH + 11 * HOUR, amount=300)
    states, wallets = [two.state(who) for who in (two.a, two.b)], [two.wallets(w) for w in (two.a, two.b)]
    two.merge(MARCH + DAY)
    two.unmerge(MARCH + 2 * DAY)
    for who, state, held in zip((two.a, two.b), states, wallets, strict=True):
        assert two.wallets(who) == held
        now = two.state(who)
        for name in set(MemberState.__struct_fields__) - {"last", "latest", "due_done", "due_at"}:
            assert getattr(now, name) == getattr(state, name), name
        view = queries.read(connection, two.runtime.program_id, who)
        assert view is not None
        assert (view.status, view.merged_into) == ("active", None)
    assert queries.find(connection, two.runtime.program_id, {"card": "b"}) == two.b
    assert two.sale("b", 90, MARCH + 3 * DAY).member_id == two.b
    assert two.back(2, MARCH + 4 * DAY).member_id == two.b
    assert two.refold() == 0
    # And merged again, under another id.
    assert two.merge(MARCH + 5 * DAY).done
    assert two.wallets(two.b) == {}
    assert two.refold() == 0


def test_undone_what_was_spent_meanwhile_is_owed_by_who_spent_it(connection: Connection) -> None:
    two = Two(connection)
    two.sale("a", 1, MARCH, 10)
    two.sale("b", 2, MARCH, 30)
    two.merge(MARCH + DAY)
    two.redeem(two.a, 25, MARCH + 2 * DAY)
    two.unmerge(MARCH + 3 * DAY)
    assert two.wallets(two.a)["stars"] == [0, 0, 0, 15]
    assert two.wallets(two.b)["stars"] == [30, 0, 0, 0]


def test_undoing_has_its_limits(connection: Connection) -> None:
    two = Two(connection)
    third = member(connection, two.runtime.program_id, "c")
    two.sale("b", 1, MARCH, 30)

    def refused(at: int) -> str:
        with pytest.raises(NotDone) as caught:
            two.unmerge(at)
        assert caught.value.refusal.code is RefusalCode.NOT_MERGED
        return caught.value.refusal.message

    assert "not merged" in refused(MARCH + DAY)
    two.merge(MARCH + DAY)
    assert "30 days" in refused(MARCH + 32 * DAY)
    two.merge(MARCH + 2 * DAY, two.a, third)
    assert "undo that merge first" in refused(MARCH + 3 * DAY)
    two.unmerge(MARCH + 3 * DAY, two.a)
    two.back(1, MARCH + 4 * DAY, amount=100)
    assert "sale" in refused(MARCH + 5 * DAY)


def test_a_pair_of_the_merged_member_goes_on(connection: Connection) -> None:
    from tests.activities.test_people import EVENING, duo, run_length, settle, visit

    runtime, one, other = duo(connection)
    third = member(connection, runtime.program_id, "c3")
    batch.attempt(connection, lambda: pairing.pair(connection, runtime, "duo", one, other, now=MARCH))
    for card in ("c1", "c2"):
        visit(connection, runtime, card, 0)
    settle(connection, runtime, EVENING)
    batch.attempt(
        connection,
        lambda: merging.merge(
            connection, runtime, from_id=other, into_id=third, reason="one person", actor="desk", role="staff",
            source="desk", id="m", now=EVENING + HOUR,
        ),
    )  # fmt: skip
    for card in ("c1", "c3"):
        visit(connection, runtime, card, 1)
    settle(connection, runtime, EVENING + DAY)
    assert run_length(connection, one) == run_length(connection, third) == 2


@pytest.mark.parametrize("seed", range(6))
def test_random_histories_keep_their_sums(connection: Connection, seed: int) -> None:
    draw = random.Random(seed)
    expiry = draw.choice(
        [{"kind": "rolling", "days": 20}, {"kind": "inactivity", "days": 15}, {"kind": "never"}]
    )
    two = Two(connection, document(expiry, tiers=TIERS))
    sent: list[int] = []
    at = MARCH

    def some(count: int) -> None:
        nonlocal at
        for _ in range(count):
            at += draw.randrange(4 * DAY)
            kind = draw.choice(["sale", "sale", "sale", "return", "redeem", "late"])
            if kind in ("sale", "late"):
                number = len(sent)
                sent.append(number)
                when = at - draw.randrange(6 * DAY) if kind == "late" else at
                two.sale(draw.choice("ab"), number, max(when, MARCH), draw.randrange(1, 40), now=at)
            elif kind == "return" and sent:
                two.back(draw.choice(sent), at, amount=draw.randrange(100, 2_000))
            elif kind == "redeem":
                two.redeem(draw.choice([two.a, two.b]), draw.randrange(1, 20), at)

    some(14)
    two.advance(at)
    before, broken = two.wallets(), two.breakage()
    two.merge(at)
    assert (two.wallets(), two.wallets(two.b), two.breakage()) == (before, {}, broken)
    some(14)
    assert two.wallets(two.b) == {}
    assert two.refold() == 0


def test_a_race_with_activities_of_both_loses_nothing(connection: Connection) -> None:
    two = Two(connection, document({"kind": "never"}))
    two.sale("b", 0, MARCH, 5)
    jobs: list[Any] = []
    for number in range(1, 41):
        card, at = "ab"[number % 2], MARCH + number * HOUR

        def job(own: Connection, number: int = number, card: str = card, at: int = at) -> Result:
            answer = batch.apply(
                own, two.runtime, [line(sale(number, at, 1_000), card)], now=MARCH + 50 * HOUR
            )
            return answer[0]

        jobs.append(job)

    def merge(own: Connection) -> Any:
        return batch.attempt(
            own,
            lambda: merging.merge(
                own, two.runtime, from_id=two.b, into_id=two.a, reason="one", actor="desk", role="staff",
                source="desk", id="race", now=MARCH + 50 * HOUR,
            ),
        )  # fmt: skip

    jobs.insert(13, merge)
    answers = together(jobs, 8)
    assert all(answer.status == "applied" for answer in answers if isinstance(answer, Result))
    assert two.wallets(two.b) == {}
    assert two.wallets(two.a)["stars"] == [405, 0, 0, 0]
    assert two.refold() == 0


# --- households -------------------------------------------------------------------------------------------


def test_persons_join_a_household_and_leave_it(connection: Connection) -> None:
    two = Two(connection)
    two.sale("a", 1, MARCH)
    two.sale("b", 2, MARCH)

    def add(at: int, **identities: str) -> merging.Household:
        return batch.attempt(
            connection,
            lambda: merging.add_person(
                connection, two.runtime, member_id=two.a, identities=identities, reason="family", actor="desk",
                role="staff", source="desk", id=f"person-{at}", now=at,
            ),
        )  # fmt: skip

    assert add(MARCH + DAY, email="kid@example.org") == merging.Household(two.a, 1)
    assert add(MARCH + DAY + 1, email="kid@example.org") == merging.Household(two.a, 0)
    joined = add(MARCH + 2 * DAY, card="b", phone="+33612345678")
    assert joined == merging.Household(two.a, 1, (two.b,))
    assert two.wallets(two.a)["stars"] == [20, 0, 0, 0]

    def leave(**identities: str) -> int:
        return batch.attempt(
            connection,
            lambda: merging.let_leave(
                connection, two.runtime, member_id=two.a, identities=identities, reason="moved out",
                actor="desk", role="staff", now=MARCH + 3 * DAY,
            ),
        )  # fmt: skip

    person = leave(card="b", phone="+33612345678")
    assert person not in (two.a, two.b)
    assert two.wallets(person) == {}
    assert two.wallets(two.a)["stars"] == [20, 0, 0, 0]
    assert two.sale("b", 3, MARCH + 4 * DAY).member_id == person
    with pytest.raises(NotDone):
        leave(card="b")
    with pytest.raises(NotDone):
        leave(card="a", email="kid@example.org")
