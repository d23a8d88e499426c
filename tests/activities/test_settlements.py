"""Settlements on a database: what partners owe and are owed, line by line, over any history."""

from __future__ import annotations

import contextlib
import random
from datetime import datetime
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from palier.activities import batch, due, merging, operations, queries, settlements
from palier.activities.runtime import Runtime, runtime
from palier.activities.settlements import After, Question
from palier.engine.amounts import from_minor
from palier.engine.clock import DAY, instant
from palier.engine.facts import Fact, Reference, Tender
from palier.engine.settlement import EXACT, Line
from palier.engine.story import parts, play
from palier.ledger.verify import verify
from palier.programs import gallery
from palier.programs.operations import publish
from palier.site import database as platform_database
from tests.activities.program import BEGINNING, Connection, line, member, program, published
from tests.docs.stories import DatabaseStage

PARTNERS = ("bakery", "cinema", "garage")
HOUR = 3600 * 1_000_000


def at(text: str) -> int:
    return instant(datetime.fromisoformat(f"{text}+01:00"))


def partner(key: str, *agreements: dict[str, str], **more: Any) -> dict[str, Any]:
    return {
        "key": key,
        "name": {"en": key, "fr": key},
        "currency": "tokens",
        "agreements": list(agreements),
        **more,
    }


def agreement(since: str, issue: str, burn: str, **more: str) -> dict[str, str]:
    return {"from": since, "issue_price": issue, "burn_price": burn, **more}


def coalition(**settings: Any) -> Any:
    """A token for a euro, paid for by the partner; a tenth beside it, paid for by the program."""
    name = {"en": {"one": "token", "other": "tokens"}, "fr": {"one": "jeton", "other": "jetons"}}

    def rule(key: str, points: str, funder: str, **more: Any) -> dict[str, Any]:
        return {
            "key": key, "name": {"en": key, "fr": key}, "on": "sale", "currency": "tokens",
            "per_spend": {"points": points, "every": "1"}, "funded_by": funder, **more,
        }  # fmt: skip

    document: dict[str, Any] = {
        "point_currencies": [
            {
                "key": "tokens", "name": name, "scale": 1, "transferable": True, "taking_back": "debt",
                "expiry": {"kind": "rolling", "days": 40},
            },
            {"key": "stars", "name": name},
        ],
        "rules": [rule("own", "1", "partner", pending={"kind": "days", "days": 0}), rule("extra", "0.1", "program")],
        "partners": [
            partner("bakery", agreement("2026-01-01", "0.011", "0.009"), agreement("2026-03-15", "0.0125", "0.0095")),
            partner("cinema", agreement("2026-01-01", "0.012345", "0.007777")),
            partner("garage", agreement("2026-03-05", "0.01", "0.008", prepaid="1000")),
        ],
        "late_window_days": 60,
        **settings,
    }  # fmt: skip
    document["rules"] = [
        {name: value for name, value in item.items() if name != "pending"} for item in document["rules"]
    ]
    return program(**document)


class Town:
    """The coalition, its members, and what happens to them."""

    def __init__(self, connection: Connection, document: Any = None) -> None:
        self.connection = connection
        self.runtime: Runtime = published(connection, document or coalition())
        self.members = {
            card: member(connection, self.runtime.program_id, card) for card in ("100", "101", "102")
        }
        self.made = 0

    def name(self) -> str:
        self.made += 1
        return f"n{self.made:04}"

    def send(self, card: str, fact: Fact, now: int) -> str:
        return batch.apply(self.connection, self.runtime, [line(fact, card)], now=now)[0].status

    def sale(self, card: str, where: str | None, amount: int, when: int, *, now: int = 0, **more: Any) -> str:
        identifier = self.name()
        fact = Fact("till", identifier, "sale", when, amount, partner=where, **more)
        assert self.send(card, fact, now or when) == "applied"
        return identifier

    def back(self, card: str, sale: str, when: int, amount: int = 0, now: int = 0) -> str:
        fact = Fact(
            "till", self.name(), "return", when, amount, sale=Reference("till", sale), whole=not amount
        )
        return self.send(card, fact, now or when)

    def command(self, operation: Any, card: str, points: int, now: int, **more: Any) -> Any:
        identifier = self.name()
        who = "sender_id" if operation is operations.transfer else "member_id"

        def act() -> Any:
            return operation(
                self.connection, self.runtime, currency="tokens", points=points, source="desk",
                id=identifier, now=now, **{who: self.members[card]}, **more,
            )  # fmt: skip

        try:
            return batch.attempt(self.connection, act)
        except operations.NotDone as refused:
            return refused

    def redeem(self, card: str, points: int, now: int, where: str | None) -> Any:
        return self.command(operations.redeem, card, points, now, partner=where)

    def refund(self, used: Any, points: int | None, now: int) -> Any:
        redemption = queries.redemption(
            self.connection, self.runtime.program_id, used.member_id, used.activity_id, now=now
        )
        assert redemption is not None
        identifier = self.name()

        def act() -> Any:
            return operations.refund(
                self.connection,
                self.runtime,
                redemption,
                points=points,
                source="desk",
                id=identifier,
                now=now,
            )

        return batch.attempt(self.connection, act)

    def question(self, month: str, partner: str | None = None, **more: int) -> Question:
        period = settlements.month(self.runtime, month)
        return Question(period, more.pop("known_at", 4_000_000_000_000_000), **more, partner=partner)

    def lines(self, question: Question, **more: Any) -> list[Line]:
        return [found for _, found in settlements.lines(self.connection, self.runtime, question, **more)]

    def settle(self, month: str, partner: str | None = None, **more: int) -> settlements.Settled:
        found = settlements.settle(self.connection, self.runtime, self.question(month, partner, **more))
        self.connection.rollback()
        return found


def told(lines: list[Line]) -> list[tuple[str, str, int, str, int]]:
    return [
        (item.entry.partner, item.entry.kind, item.entry.points, item.agreement, item.amount)
        for item in lines
    ]


def exact(text: str) -> int:
    whole, _, fraction = text.partition(".")
    return int(whole + fraction.ljust(EXACT, "0"))


def test_lines_have_the_price_of_their_day_and_returns_that_of_their_sale(connection: Connection) -> None:
    town = Town(connection)
    early = town.sale("100", "bakery", 100_00, at("2026-03-14T23:59:59"))
    late = town.sale("100", "bakery", 100_00, at("2026-03-15T00:00:00"))
    assert town.back("100", early, at("2026-03-20T10:00")) == "applied"
    assert town.back("100", late, at("2026-03-20T11:00"), 50_00) == "applied"
    assert told(town.lines(town.question("2026-03"))) == [
        ("bakery", "issued", 1000, "2026-01-01", exact("1.1")),
        ("bakery", "issued", 1000, "2026-03-15", exact("1.25")),
        ("bakery", "reversed", 1000, "2026-01-01", -exact("1.1")),
        ("bakery", "reversed", 500, "2026-03-15", -exact("0.625")),
    ]
    statement = town.settle("2026-03").statements[0]
    assert (statement.owed, statement.owing, statement.net) == (63, 0, 63)
    assert [(day, sums.earned_amount) for day, sums in statement.days.items()] == [
        (datetime.fromisoformat("2026-03-14").toordinal(), exact("1.1")),
        (datetime.fromisoformat("2026-03-15").toordinal(), exact("1.25")),
        (datetime.fromisoformat("2026-03-20").toordinal(), -exact("1.725")),
    ]


def test_a_partner_without_an_agreement_in_force_pays_for_nothing_and_takes_nothing(
    connection: Connection,
) -> None:
    town = Town(connection)
    town.sale("100", "garage", 100_00, at("2026-03-04T23:00"))
    assert told(town.lines(town.question("2026-03"))) == []
    refused = town.redeem("100", 100, at("2026-03-04T23:30"), "garage")
    assert refused.refusal.code.value == "unknown_partner"
    assert town.redeem("100", 100, at("2026-03-04T23:40"), "florist").refusal.code.value == "unknown_partner"
    assert town.redeem("100", 100, at("2026-03-05T00:10"), "garage").status == "applied"


def test_points_used_with_a_partner_are_owed_to_it_and_given_back_at_their_price(
    connection: Connection,
) -> None:
    town = Town(connection)
    town.sale("100", "cinema", 500_00, at("2026-03-10T10:00"))
    used = town.redeem("100", 2000, at("2026-03-14T12:00"), "bakery")
    tenders = (Tender("points", 20_00, Reference("desk", used.id)), Tender("cash", 80_00))
    sale = town.sale("100", "bakery", 100_00, at("2026-03-16T10:00"), tenders=tenders)
    town.back("100", sale, at("2026-03-17T10:00"), 50_00)
    assert _used(town, "2026-03") == {
        ("used", "2026-01-01"): (2000, -exact("1.8")),
        ("given_back", "2026-01-01"): (1000, exact("0.9")),
    }


def test_held_points_have_the_price_of_the_day_on_which_they_are_captured(connection: Connection) -> None:
    town = Town(connection)
    town.sale("100", "cinema", 500_00, at("2026-03-10T10:00"))
    held = town.command(
        operations.hold, "100", 1000, at("2026-03-14T13:00"), minutes=60 * 24 * 9, partner="bakery"
    )
    redemption = queries.redemption(
        connection, town.runtime.program_id, town.members["100"], held.activity_id, now=at("2026-03-14T14:00")
    )
    assert redemption is not None
    assert redemption.partner == "bakery"
    assert _used(town, "2026-03") == {}

    def capture() -> Any:
        now = at("2026-03-18T10:00")
        return operations.capture(
            connection, town.runtime, redemption, points=600, source="desk", id="cap", now=now
        )

    assert batch.attempt(connection, capture).status == "applied"
    tenders = (Tender("points", 6_00, Reference("desk", held.id)), Tender("cash", 4_00))
    sale = town.sale("100", "bakery", 10_00, at("2026-03-18T11:00"), tenders=tenders)
    town.back("100", sale, at("2026-04-02T11:00"))
    assert _used(town, "2026-03") == {("used", "2026-03-15"): (600, -exact("0.57"))}
    assert _used(town, "2026-04") == {("given_back", "2026-03-15"): (600, exact("0.57"))}


def test_refunded_points_have_the_price_at_which_they_were_used(connection: Connection) -> None:
    town = Town(connection)
    town.sale("100", "cinema", 500_00, at("2026-03-10T10:00"))
    used = town.redeem("100", 2000, at("2026-03-14T12:00"), "bakery")
    held = town.command(
        operations.hold, "100", 1000, at("2026-03-14T13:00"), minutes=60 * 24 * 9, partner="bakery"
    )

    def found(of: Any) -> Any:
        return queries.redemption(
            connection,
            town.runtime.program_id,
            town.members["100"],
            of.activity_id,
            now=at("2026-03-14T14:00"),
        )

    def act(operation: Any, of: Any, points: int | None, name: str, when: str) -> str:
        redemption = found(of)
        return str(
            batch.attempt(
                connection,
                lambda: operation(
                    connection, town.runtime, redemption, points=points, source="desk", id=name, now=at(when)
                ),
            ).status
        )

    assert act(operations.capture, held, 600, "cap", "2026-03-18T10:00") == "applied"
    assert act(operations.refund, used, 500, "part", "2026-03-20T10:00") == "applied"
    assert act(operations.refund, used, None, "rest", "2026-04-02T10:00") == "applied"
    assert act(operations.refund, held, None, "held", "2026-04-02T11:00") == "applied"
    assert found(used).refunded == 2000
    assert _used(town, "2026-03") == {
        ("used", "2026-01-01"): (2000, -exact("1.8")),
        ("used", "2026-03-15"): (600, -exact("0.57")),
        ("given_back", "2026-01-01"): (500, exact("0.45")),
    }
    assert _used(town, "2026-04") == {
        ("given_back", "2026-01-01"): (1500, exact("1.35")),
        ("given_back", "2026-03-15"): (600, exact("0.57")),
    }
    with contextlib.closing(platform_database.connect("auditor")) as auditor:
        assert list(verify(auditor)) == []


def _used(town: Town, month: str) -> dict[tuple[str, str], tuple[int, int]]:
    """Points and amounts by kind and agreement: a redemption has a line for each lot that it takes."""
    sums: dict[tuple[str, str], tuple[int, int]] = {}
    for item in town.lines(town.question(month)):
        if item.entry.kind in ("used", "given_back"):
            key = (item.entry.kind, item.agreement)
            points, amount = sums.get(key, (0, 0))
            sums[key] = (points + item.entry.points, amount + item.amount)
    return sums


def test_points_taken_back_after_they_were_spent_are_reversed_with_their_funder(
    connection: Connection,
) -> None:
    town = Town(connection)
    sale = town.sale("100", "bakery", 100_00, at("2026-03-01T10:00"))
    assert town.redeem("100", 1000, at("2026-03-02T10:00"), "cinema").status == "applied"
    assert town.back("100", sale, at("2026-03-03T10:00")) == "applied"
    bakery = town.settle("2026-03", "bakery").statements[0]
    assert (bakery.sums.issued, bakery.sums.reversed, bakery.owed) == (1000, 1000, 0)
    assert town.settle("2026-03", "cinema").statements[0].owing == 78
    kinds = connection.execute(
        "select kind, debit, credit, amount from transfer where kind = 'debt'"
    ).fetchall()
    assert ("debt", "debt", "partner:bakery", 900) in kinds or (
        "debt",
        "debt",
        "partner:bakery",
        1000,
    ) in kinds


def test_a_merged_members_sales_and_redemptions_keep_their_price(connection: Connection) -> None:
    town = Town(connection)
    early = town.sale("101", "bakery", 100_00, at("2026-03-10T10:00"))
    used = town.redeem("101", 300, at("2026-03-14T12:00"), "bakery")
    tenders = (Tender("points", 3_00, Reference("desk", used.id)), Tender("cash", 97_00))
    paid = town.sale("101", "cinema", 100_00, at("2026-03-14T13:00"), tenders=tenders)
    for number, (gone, into) in enumerate((("101", "100"), ("100", "102"))):

        def merge(gone: str = gone, into: str = into, number: int = number) -> Any:
            return merging.merge(
                connection, town.runtime, from_id=town.members[gone], into_id=town.members[into], reason="one",
                actor="desk", role="staff", source="desk", id=f"m{number}", now=at("2026-03-16T10:00") + number * HOUR,
            )  # fmt: skip

        batch.attempt(connection, merge)
    assert town.back("102", early, at("2026-03-20T10:00")) == "applied"
    assert town.back("102", paid, at("2026-03-21T10:00")) == "applied"
    lines = [
        (kind, agreed, amount) for _, kind, _, agreed, amount in told(town.lines(town.question("2026-03")))
    ]
    assert sum(amount for kind, _, amount in lines if kind in ("issued", "reversed")) == 0
    assert {agreed for kind, agreed, _ in lines if kind == "reversed"} == {"2026-01-01"}
    assert _used(town, "2026-03") == {
        ("used", "2026-01-01"): (300, -exact("0.27")),
        ("given_back", "2026-01-01"): (300, exact("0.27")),
    }
    assert all(statement.net == 0 for statement in town.settle("2026-03").statements)


def test_an_advance_pays_for_what_is_earned(connection: Connection) -> None:
    town = Town(connection)
    town.sale("100", "garage", 300_00, at("2026-03-06T10:00"))
    town.redeem("100", 100, at("2026-03-07T10:00"), "garage")
    found = town.settle("2026-03").statements[0]
    assert (found.owed, found.paid_ahead, found.owing, found.net) == (300, 300, 8, -8)


def test_what_expires_stays_with_its_funder(connection: Connection) -> None:
    town = Town(connection)
    town.sale("100", "bakery", 100_00, at("2026-03-01T10:00"))
    due.advance(
        connection, town.runtime, [town.members["100"]], at("2026-05-01T10:00"), now=at("2026-05-01T10:00")
    )
    connection.commit()
    april = town.settle("2026-04")
    assert [(item.partner, item.expired, item.net) for item in april.statements] == [("bakery", 1000, 0)]
    assert april.expired == {"tokens": 100}
    assert town.settle("2026-04", "cinema").statements == []


def test_new_prices_are_for_what_comes_and_statements_of_before_stay(connection: Connection) -> None:
    town = Town(connection)
    town.sale("100", "bakery", 100_00, at("2026-03-01T10:00"))
    before = town.settle("2026-03")
    changed = coalition(
        partners=[
            partner("bakery", agreement("2026-01-01", "0.5", "0.4")),
            partner("cinema", agreement("2026-01-01", "1", "1")),
        ]
    )
    publish(connection, changed, now=at("2026-03-10T10:00"), published_by="test")
    connection.commit()
    town.runtime = runtime(connection, "shop") or town.runtime
    town.sale("101", "bakery", 10_00, at("2026-03-11T10:00"))
    after = town.settle("2026-03")
    assert (before.statements[0].owed, after.statements[0].owed) == (110, 110 + 500)
    sale = town.lines(town.question("2026-03"))[0].entry.activity
    town.back("100", sale, at("2026-03-12T10:00"))
    assert town.settle("2026-03").statements[0].owed == 500


@pytest.mark.parametrize("seed", range(6))
def test_any_history_settles_to_the_ledger_and_to_nothing(connection: Connection, seed: int) -> None:
    """Issues, uses at other partners, returns, expiry, transfers and late corrections leave no unmatched line."""
    town = Town(connection)
    _live(town, random.Random(seed))
    months = ("2026-03", "2026-04", "2026-05", "2026-06")
    everything: list[Line] = []
    for month in months:
        settled = town.settle(month)
        assert settled.clearing + sum(item.net for item in settled.statements) == 0
        operator = town.lines(town.question(month))
        mine = [found for key in PARTNERS for found in town.lines(town.question(month, key))]
        assert {item.entry.id: item for item in operator} == {item.entry.id: item for item in mine}
        assert len(mine) == len(operator) == len({item.entry.id for item in mine})
        pages = _pages(town, month)
        assert [item.entry.id for item in pages] == [item.entry.id for item in operator]
        for statement in settled.statements:
            own = town.settle(month, statement.partner)
            assert own.statements == [statement]
            half = 10 ** (EXACT - 2) // 2
            assert abs(statement.owed * 2 * half - statement.sums.earned_amount) <= half
            assert abs(statement.owing * 2 * half - statement.sums.used_amount) <= half
            for side in (True, False):
                shown = [
                    settlements.line_shown(town.runtime, item, operator=side)["amount"]
                    for item in operator
                    if item.entry.partner == statement.partner
                ]
                total = sum(exact(text.lstrip("-")) * (-1 if text.startswith("-") else 1) for text in shown)
                sign = -1 if side else 1
                assert total == sign * (statement.sums.earned_amount - statement.sums.used_amount)
        assert not any(item.unpriced for item in settled.statements)
        everything += operator
    assert len(everything) > 20
    _equals_ledger(connection, everything)
    # Each undone line costs nothing: what was reversed of a sale is priced as the sale was.
    prices: dict[tuple[str, str], set[int]] = {}
    for item in everything:
        if item.entry.correction:
            prices.setdefault((item.entry.source, item.entry.activity), set()).add(item.price)
    assert all(len(found) == 1 for key, found in prices.items() if key[0] == "till")
    with contextlib.closing(platform_database.connect("auditor")) as auditor:
        assert list(verify(auditor)) == []


def _live(town: Town, chance: random.Random) -> None:
    now = at("2026-03-01T08:00")
    sales: list[tuple[str, str, int]] = []
    refundable: list[Any] = []
    corrected = 0
    for _ in range(60):
        now += chance.randrange(1, 30) * HOUR
        card = chance.choice(list(town.members))
        where = chance.choice([*PARTNERS, None])
        what = chance.random()
        if what < 0.35:
            amount = chance.randrange(1, 20_000)
            sales.append((card, town.sale(card, where, amount, now), amount))
        elif what < 0.5:
            amount = chance.randrange(1, 20_000)
            late = max(now - chance.randrange(1, 20) * DAY, at("2026-03-01T07:00"))
            sales.append((card, town.sale(card, where, amount, late, now=now), amount))
            corrected += 1
        elif what < 0.7:
            used = town.redeem(card, chance.randrange(1, 900), now, where)
            if chance.random() < 0.5 and getattr(used, "status", "") == "applied":
                tenders = (Tender("points", 500, Reference("desk", used.id)), Tender("cash", 500))
                sales.append((card, town.sale(card, where, 1000, now + HOUR, tenders=tenders), 1000))
            elif getattr(used, "status", "") == "applied":
                refundable.append(used)
        elif what < 0.77 and refundable:
            town.refund(chance.choice(refundable), chance.choice([None, 10, 100]), now)
        elif what < 0.9 and sales:
            buyer, sale, amount = chance.choice(sales)
            town.back(buyer, sale, now, chance.choice([0, max(1, amount // 3)]))
        else:
            other = town.members[chance.choice([name for name in town.members if name != card])]
            town.command(operations.transfer, card, chance.randrange(1, 500), now, receiver_id=other)
    due.advance(
        town.connection,
        town.runtime,
        sorted(town.members.values()),
        at("2026-06-20T10:00"),
        now=at("2026-06-20T10:00"),
    )
    town.connection.commit()
    assert corrected


def _pages(town: Town, month: str) -> list[Line]:
    found: list[Line] = []
    after: After | None = None
    while True:
        page = list(
            settlements.lines(town.connection, town.runtime, town.question(month), after=after, limit=7)
        )
        found += [item for _, item in page]
        if not page:
            return found
        after = page[-1][0]


def _equals_ledger(connection: Connection, lines: list[Line]) -> None:
    """The sums of lines are those of the ledger's rows on the accounts, found by another way: the audit view."""
    ledger = dict(
        connection.execute(
            "select account, sum(amount)::bigint from audit.posting where partner is not null group by account"
        ).fetchall()
    )
    sums: dict[str, int] = {}
    for item in lines:
        used = item.entry.kind in ("used", "given_back")
        account = f"partner:{item.entry.partner}" + (":used" if used else "")
        sign = 1 if item.entry.kind in ("reversed", "used") else -1
        sums[account] = sums.get(account, 0) + sign * item.entry.points
    assert sums == ledger
    counted = connection.execute(
        "select count(*) from audit.posting where partner in ('bakery', 'cinema', 'garage')"
    ).fetchone()
    assert counted == (len(lines),)


def test_what_is_known_then_stays_and_what_came_since_is_the_rest(connection: Connection) -> None:
    town = Town(connection)
    for hour in range(5):
        town.sale("100", "bakery", 33_33 + hour, at("2026-03-02T10:00") + hour * HOUR)
    closing = at("2026-04-05T00:00")
    first = town.settle("2026-03", known_at=closing)
    late = town.sale("100", "bakery", 77_77, at("2026-03-01T10:00"), now=closing + DAY)
    assert town.settle("2026-03", known_at=closing).statements == first.statements
    since = town.lines(town.question("2026-03", known_after=closing))
    assert {item.entry.activity for item in since} >= {late}
    both = town.lines(town.question("2026-03", known_at=closing)) + since
    assert sorted(item.entry.id for item in both) == sorted(
        item.entry.id for item in town.lines(town.question("2026-03"))
    )


def test_the_gallery_coalition_settles(connection: Connection) -> None:
    """Every table of the gallery's stories: the statements say what the ledger says, and net to nothing."""
    entry = next(item for item in gallery.entries() if item.key == "coalition")
    found = 0
    for path in entry.stories:
        for number, part in enumerate(parts(path.read_text(encoding="utf-8"))):
            name = path.stem.replace(".", "_")
            own = msgspec.structs.replace(entry.program(), key=f"town_{name}_{number}"[:40])
            stage = DatabaseStage(connection, own)
            assert all(item.ok for item in play(part.text, stage, gallery.language_of(path)))
            for month in (f"{year}-{number:02d}" for year in (2026, 2027, 2028) for number in range(1, 13)):
                question = Question(settlements.month(stage.runtime, month), 4_000_000_000_000_000)
                settled = settlements.settle(connection, stage.runtime, question)
                operator = [item for _, item in settlements.lines(connection, stage.runtime, question)]
                assert settled.clearing == -sum(item.net for item in settled.statements)
                assert sum(item.lines for item in settled.statements) == len(operator)
                assert not any(item.unpriced for item in settled.statements)
                found += len(operator)
            connection.rollback()
    assert found > 10
    # The ordinary path: what each shop owes for March, by hand.
    own = msgspec.structs.replace(entry.program(), key="town_by_hand")
    stage = DatabaseStage(connection, own)
    page = entry.stories[0]
    first = next(iter(parts(page.read_text(encoding="utf-8"))))
    play(first.text, stage, gallery.language_of(page))
    question = Question(settlements.month(stage.runtime, "2026-03"), 4_000_000_000_000_000)
    settled = settlements.settle(connection, stage.runtime, question)
    owed = {item.partner: from_minor(item.owed, 2) for item in settled.statements}
    assert owed == {"grocer": "1.98", "chemist": "3.60", "station": "0.20"}


def test_both_ends_of_a_month_belong_to_one_period(connection: Connection) -> None:
    town = Town(connection)
    months = [settlements.month(town.runtime, f"2026-{number:02d}") for number in range(1, 13)]
    assert all(one.ends == two.starts for one, two in pairwise(months))
    # The clocks change on 29 March: the month is an hour short.
    assert months[2].ends - months[2].starts == 31 * DAY - HOUR
    assert months[0].starts > BEGINNING
