"""Mechanics through the real intake: stamps and returns, budgets and prizes shared by all, friends and occasions."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from typing import Any

import msgspec
import pytest

from palier.activities import backtest, batch, delivery, draws, occasions, queries, sharing
from palier.activities.answers import NotDone
from palier.activities.rerate import rerate
from palier.activities.runtime import Runtime
from palier.activities.runtime import runtime as runtime_of
from palier.engine.clock import DAY, instant
from palier.engine.facts import Fact, Reference
from palier.ledger.verify import verify
from palier.members import refs
from palier.programs.operations import rerate_judging
from palier.site import database as platform_database
from tests.activities.program import BEGINNING, Connection, line, member, program, published

MARCH = instant(datetime.fromisoformat("2026-03-02T10:00:00+01:00"))


def text(words: str) -> dict[str, str]:
    return {"en": words, "fr": words}


def currency(key: str, kind: str) -> dict[str, Any]:
    return {
        "key": key,
        "kind": kind,
        "name": {"en": {"one": key, "other": key}, "fr": {"one": key, "other": key}},
    }


def shop(more: tuple[Any, ...] | list[Any] = (), **settings: Any) -> Any:
    plain = program()
    own = [
        {"key": "stars", "name": {"en": {"one": "star", "other": "stars"}, "fr": {"one": "é", "other": "é"}}}
    ]
    assert plain.point_currencies[0].key == "stars"
    return program(
        point_currencies=[*own, currency("coffee", "reward"), currency("spin", "token"), *more], **settings
    )


def sale(number: int, at: int, amount: int = 1_000, **more: Any) -> Fact:
    return Fact("till", f"s{number}", "sale", at, amount, **more)


def send(
    connection: Connection, runtime: Runtime, *facts: Fact, now: int, card: str = "c1"
) -> list[batch.Result]:
    return batch.apply(connection, runtime, [line(fact, card) for fact in facts], now=now)


def posted(connection: Connection, member_id: int) -> dict[str, int]:
    rows = connection.execute(
        "select currency, posted + pending - debt from wallet where member_id = %s", (member_id,)
    ).fetchall()
    connection.rollback()
    return {key: amount for key, amount in rows if amount}


CARD = {
    "key": "card",
    "kind": "stamp_card",
    "name": text("Card"),
    "when": {"field": "amount", "at_least": "5"},
    "repeat": True,
    "steps": [{"at": "3", "name": text("Free"), "grants": [{"currency": "coffee"}]}],
}


def test_a_stamp_card_fills_and_a_return_takes_the_free_unit_back(connection: Connection) -> None:
    runtime = published(connection, shop(goals=[CARD]))
    who = member(connection, runtime.program_id, "c1")
    for number in range(4):
        send(connection, runtime, sale(number, MARCH + number * DAY), now=MARCH + number * DAY)
    assert posted(connection, who) == {"stars": 40, "coffee": 1}
    # The second stamp comes back: three are left, and the card stays full.
    back = Fact("till", "r1", "return", MARCH + 5 * DAY, sale=Reference("till", "s1"), whole=True)
    assert send(connection, runtime, back, now=back.at)[0].status == "applied"
    assert posted(connection, who) == {"stars": 30, "coffee": 1}
    # A return that leaves less than the least basket takes its stamp, and with it the free unit.
    less = Fact("till", "r2", "return", MARCH + 6 * DAY, amount=600, sale=Reference("till", "s2"))
    assert send(connection, runtime, less, now=less.at)[0].status == "applied"
    assert posted(connection, who) == {"stars": 24}


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1)])
def test_stamps_do_not_depend_on_arrival(connection: Connection, order: tuple[int, ...]) -> None:
    runtime = published(connection, shop(goals=[CARD]))
    who = member(connection, runtime.program_id, "c1")
    now = MARCH + 10 * DAY
    for number in order:
        send(connection, runtime, sale(number, MARCH + number * DAY, 400 if number == 1 else 1_000), now=now)
    assert posted(connection, who) == {"stars": 34, "coffee": 1}


CAMPAIGN = {
    "key": "spring",
    "name": text("Spring"),
    "budget": {"points": "25"},
    "rules": [
        {"key": "spring_bonus", "name": text("Bonus"), "on": "sale", "currency": "stars", "fixed": "10"}
    ],
}


def at_once(work: list[Callable[[], Any]]) -> list[Any]:
    with ThreadPoolExecutor(len(work)) as pool:
        return [future.result() for future in [pool.submit(call) for call in work]]


def test_a_budget_is_never_overrun_and_returns_give_it_back(connection: Connection, database: str) -> None:
    runtime = published(connection, shop(campaigns=[CAMPAIGN]))
    members = [member(connection, runtime.program_id, f"c{number}") for number in range(8)]

    def buy(number: int) -> None:
        with contextlib.closing(platform_database.connect("app")) as own:
            send(own, runtime, sale(number, MARCH), now=MARCH, card=f"c{number}")

    at_once([lambda number=number: buy(number) for number in range(8)])
    bonus = sorted(posted(connection, who)["stars"] - 10 for who in members)
    assert bonus == [0, 0, 0, 0, 0, 5, 10, 10]
    assert sharing.used(connection, runtime.program_id) == {"campaign:spring": 25}
    lucky = next(n for n, who in enumerate(members) if posted(connection, who)["stars"] == 20)
    back = Fact("till", "r", "return", MARCH + 1, sale=Reference("till", f"s{lucky}"), whole=True)
    send(connection, runtime, back, now=MARCH + 1, card=f"c{lucky}")
    assert sharing.used(connection, runtime.program_id) == {"campaign:spring": 15}
    send(connection, runtime, sale(99, MARCH + 2), now=MARCH + 2, card="c0")
    assert sharing.used(connection, runtime.program_id) == {"campaign:spring": 25}


ONCE_A_DAY = {
    **CAMPAIGN,
    "rules": [{**CAMPAIGN["rules"][0], "per_spend": {"points": "1"}, "caps": {"day": "10"}}],
}
del ONCE_A_DAY["rules"][0]["fixed"]


def test_what_a_late_activity_leaves_to_later_ones_is_free_for_all(connection: Connection) -> None:
    """Of a day's room that a late sale takes, the later sale gives back to the campaign what it no longer uses."""
    runtime = published(connection, shop(campaigns=[ONCE_A_DAY]))
    who, other = (member(connection, runtime.program_id, card) for card in ("c1", "c2"))
    send(connection, runtime, sale(9, MARCH + 9), now=MARCH + 9)
    assert sharing.used(connection, runtime.program_id) == {"campaign:spring": 10}
    send(connection, runtime, sale(1, MARCH, 700), now=MARCH + 9)
    assert posted(connection, who) == {"stars": 17 + 10}
    assert sharing.used(connection, runtime.program_id) == {"campaign:spring": 10}
    # What it gave up is another's: it does not come back to it when it is decided again.
    for number, card in ((20, "c2"), (21, "c3")):
        if card == "c3":
            member(connection, runtime.program_id, card)
        send(connection, runtime, sale(number, MARCH + 10), now=MARCH + 10, card=card)
    assert posted(connection, other) == {"stars": 20}
    assert sharing.used(connection, runtime.program_id) == {"campaign:spring": 25}
    back = Fact("till", "r1", "return", MARCH + 2, sale=Reference("till", "s1"), whole=True)
    send(connection, runtime, back, now=MARCH + 11)
    assert sharing.used(connection, runtime.program_id) == {"campaign:spring": 18}
    assert posted(connection, who) == {"stars": 10 + 3}
    order = backtest.Order(backtest.judges_of(runtime), MARCH + 30 * DAY, exact=True)
    assert backtest.live(connection, runtime, order, workers=1).differences == []
    # As it was then, and as it was known then.
    wallets = queries.wallets(connection, runtime, who, now=MARCH + 12, as_of=MARCH + 11)
    assert wallets is not None
    assert wallets.wallets["stars"].spendable == 13


def judged_by(connection: Connection, runtime: Runtime, version: int) -> Runtime:
    """The program with a version judging everything that was, and the differences posted."""
    rerate_judging(
        connection,
        runtime.key,
        from_at=BEGINNING,
        until_at=None,
        version=version,
        now=MARCH + 20 * DAY,
        reason="promised",
    )
    connection.commit()
    found = runtime_of(connection, runtime.key)
    assert found is not None
    connection.rollback()
    rerate(connection, found, BEGINNING, now=MARCH + 20 * DAY, post=True)
    assert rerate(connection, found, BEGINNING, now=MARCH + 20 * DAY, post=True).changed == 0
    return found


def test_judged_again_by_another_version_a_budget_is_given_anew(connection: Connection) -> None:
    """What the new version uses less is free again; what it could use more is there as far as the budget goes."""
    runtime = published(connection, shop(campaigns=[CAMPAIGN]))
    members = [member(connection, runtime.program_id, f"c{number}") for number in range(3)]
    for number in range(3):
        send(connection, runtime, sale(number, MARCH + number), now=MARCH + number, card=f"c{number}")
    half = Fact("till", "r", "return", MARCH + 9, amount=500, sale=Reference("till", "s2"))
    send(connection, runtime, half, now=MARCH + 9, card="c2")

    def bonuses() -> list[int]:
        return [
            posted(connection, who)["stars"] - base for who, base in zip(members, (10, 10, 5), strict=True)
        ]

    assert sorted(bonuses()) == [5, 10, 10]
    assert sharing.used(connection, runtime.program_id) == {"campaign:spring": 25}
    less = {**CAMPAIGN["rules"][0], "fixed": "4"}
    for version, rule, budget, brought in (
        (2, less, "25", [4, 4, 4]),
        (3, CAMPAIGN["rules"][0], "100", [10, 10, 10]),
        (4, CAMPAIGN["rules"][0], "25", [5, 10, 10]),
    ):
        runtime = published(
            connection,
            shop(campaigns=[{**CAMPAIGN, "budget": {"points": budget}, "rules": [rule]}]),
            now=MARCH + (15 + version) * DAY,
        )
        runtime = judged_by(connection, runtime, version)
        assert sum(bonuses()) == sharing.used(connection, runtime.program_id)["campaign:spring"]
        assert sorted(bonuses()) == brought


def test_what_judging_again_would_bring_of_a_budget_is_what_it_brings(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Members are judged some at a time, and each preview of them leaves less for those who follow."""
    runtime = published(connection, shop())
    for number in range(5):
        member(connection, runtime.program_id, f"c{number}")
        send(connection, runtime, sale(number, MARCH + number), now=MARCH + number, card=f"c{number}")
    runtime = published(connection, shop(campaigns=[CAMPAIGN]), now=MARCH + 15 * DAY)
    now = MARCH + 20 * DAY
    given = (connection, runtime.judged_by(2, BEGINNING, now), BEGINNING)
    monkeypatch.setattr("palier.activities.rerate.CHUNK", 2)
    shown = rerate(*given, now=now, post=False)
    assert (shown.members, shown.points, sharing.used(connection, runtime.program_id)) == (
        5,
        {"stars": 25},
        {},
    )
    connection.rollback()
    assert rerate(*given, now=now, post=False).points == {"stars": 25}
    rerate_judging(
        connection, runtime.key, from_at=BEGINNING, until_at=now, version=2, now=now, reason="promised"
    )
    connection.commit()
    found = runtime_of(connection, runtime.key)
    assert found is not None
    done = rerate(connection, found, BEGINNING, now=now, post=True)
    assert (done.members, done.changed, done.points) == (shown.members, shown.changed, shown.points)
    assert sharing.used(connection, runtime.program_id) == {"campaign:spring": 25}


def test_what_judging_again_would_bring_too_much_of_is_refused_when_it_is_shown(
    connection: Connection,
) -> None:
    runtime = published(connection, program())
    member(connection, runtime.program_id, "c1")
    send(connection, runtime, sale(1, MARCH, 100_000), now=MARCH)
    vast = {
        **msgspec.to_builtins(program().rules[0]),
        "per_spend": {"points": "1000000000000", "every": "0.01"},
    }
    runtime = published(connection, program(rules=[vast]), now=MARCH + DAY)
    now = MARCH + 2 * DAY
    with pytest.raises(NotDone, match="more points than can be kept"):
        rerate(connection, runtime.judged_by(2, BEGINNING, now), BEGINNING, now=now, post=False)


def test_late_sales_and_returns_of_several_at_once_leave_the_budget_as_it_is_used(
    connection: Connection,
) -> None:
    runtime = published(connection, shop(campaigns=[{**ONCE_A_DAY, "budget": {"points": "45"}}]))
    members = [member(connection, runtime.program_id, f"c{number}") for number in range(6)]

    def shop_around(who: int) -> None:
        chance = random.Random(who)
        with contextlib.closing(platform_database.connect("app")) as own:
            for number in range(12):
                at = MARCH + chance.randrange(3) * DAY + chance.randrange(1_000)
                identifier = 100 * who + number
                amount = chance.choice((300, 800, 2_000))
                facts = [sale(identifier, at, amount)]
                if chance.random() < 0.5:
                    named = Reference("till", f"s{100 * who + chance.randrange(number + 1)}")
                    back = {"whole": True} if chance.random() < 0.5 else {"amount": 200}
                    facts.append(Fact("till", f"r{identifier}", "return", at + DAY, sale=named, **back))
                send(own, runtime, *facts, now=MARCH + 4 * DAY, card=f"c{who}")

    at_once([lambda who=who: shop_around(who) for who in range(6)])
    used = sharing.used(connection, runtime.program_id)["campaign:spring"]
    assert 0 < used <= 45
    order = backtest.Order(backtest.judges_of(runtime), MARCH + 30 * DAY, exact=True)
    totals = backtest.live(connection, runtime, order, workers=1)
    assert (totals.compared, totals.differences) == (len(members), [])
    assert totals.mechanics.used["campaign:spring"] == used


def test_several_late_lines_share_one_room(connection: Connection) -> None:
    runtime = published(connection, shop(campaigns=[CAMPAIGN]))
    who = member(connection, runtime.program_id, "c1")
    send(connection, runtime, sale(9, MARCH + 9 * DAY), now=MARCH + 9 * DAY)
    send(connection, runtime, *(sale(n, MARCH + n * DAY) for n in range(3)), now=MARCH + 9 * DAY)
    assert posted(connection, who) == {"stars": 40 + 25}
    assert sharing.used(connection, runtime.program_id) == {"campaign:spring": 25}


def test_lines_of_one_member_in_one_batch_share_the_room(connection: Connection) -> None:
    """Each finds what those before it have left; what a return among them frees is there for those after it."""
    runtime = published(connection, shop(campaigns=[CAMPAIGN]))
    who = member(connection, runtime.program_id, "c1")
    back = Fact("till", "r", "return", MARCH + 3 * DAY, sale=Reference("till", "s0"), whole=True)
    lines = [*(sale(n, MARCH + n * DAY) for n in range(3)), back, *(sale(n, MARCH + n * DAY) for n in (4, 5))]
    sent = send(connection, runtime, *lines, now=MARCH + 9 * DAY)
    assert {result.status for result in sent} == {"applied"}
    used = [result.trace.budgets.get("campaign:spring", 0) for result in sent if result.trace is not None]
    assert used == [10, 10, 5, 0, 10, 0]
    assert posted(connection, who) == {"stars": 40 + 25}
    assert sharing.used(connection, runtime.program_id) == {"campaign:spring": 25}


@pytest.mark.plants_violation
def test_a_budget_that_is_overrun_is_found(connection: Connection) -> None:
    """By the most that any version allowed: a smaller budget that comes later makes no fault of what was given."""
    runtime = published(connection, shop(campaigns=[CAMPAIGN]))
    member(connection, runtime.program_id, "c1")
    send(connection, runtime, *(sale(n, MARCH + n * DAY) for n in range(3)), now=MARCH + 9 * DAY)
    published(connection, shop(campaigns=[{**CAMPAIGN, "budget": {"points": "20"}}]), now=MARCH + 10 * DAY)
    with platform_database.connect("auditor") as auditor:
        assert verify(auditor) == []
    with platform_database.connect("owner") as owner:
        owner.execute("update shared_limit set used = 26")
    with platform_database.connect("auditor") as auditor:
        [found] = verify(auditor)
    assert (found.invariant, found.expected, found.found) == ("state.shared_limit", "at most 25", "26")
    assert found.place == f"program {runtime.key} campaign:spring"


WHEEL = {
    "key": "wheel",
    "name": text("Wheel"),
    "price": {"currency": "stars", "points": "5"},
    "limits": {"day": 2},
    "prizes": [
        {"key": "coffee", "name": text("Coffee"), "weight": 1, "stock": 1, "grants": [{"currency": "coffee"}]}
    ],
}


def play(number: int, at: int) -> Fact:
    return Fact("app", f"p{number}", "play", at, attributes={"game": "wheel"})


def test_a_prize_is_drawn_once_and_its_stock_is_kept(connection: Connection) -> None:
    runtime = published(connection, shop(games=[WHEEL]))
    who = member(connection, runtime.program_id, "c1")
    send(connection, runtime, sale(1, MARCH, 2_000), now=MARCH)
    first, second, third = (
        send(connection, runtime, play(n, MARCH + n), now=MARCH + n)[0] for n in (1, 2, 3)
    )
    assert first.trace is not None
    assert first.trace.draws == [("wheel", 0, "coffee")]
    assert second.trace is not None
    assert second.trace.draws == [("wheel", 0, "")]
    assert third.refusal is not None
    assert third.refusal.code.value == "limit_reached"
    assert posted(connection, who) == {"stars": 10, "coffee": 1}
    again = send(connection, runtime, play(1, MARCH + 1), now=MARCH + 9)[0]
    assert (again.status, again.trace) == ("duplicate", first.trace)
    months = draws.months(connection, runtime.program_id, runtime.latest.clock, MARCH)
    assert [(month.period, month.seed) for month in months] == [("2026-04", ""), ("2026-03", "")]
    later = draws.months(connection, runtime.program_id, runtime.latest.clock, MARCH + 40 * DAY)
    assert len(later[1].seed) == 64


def test_plays_of_one_member_in_one_batch_share_the_stock(connection: Connection) -> None:
    runtime = published(connection, shop(games=[WHEEL]))
    who = member(connection, runtime.program_id, "c1")
    send(connection, runtime, sale(1, MARCH, 2_000), now=MARCH)
    plays = send(connection, runtime, play(1, MARCH + 1), play(2, MARCH + 2), now=MARCH + 2)
    assert [result.trace.draws for result in plays if result.trace is not None] == [
        [("wheel", 0, "coffee")],
        [("wheel", 0, "")],
    ]
    assert posted(connection, who) == {"stars": 10, "coffee": 1}


def test_a_return_that_waited_takes_back_what_a_tier_gave_though_it_has_expired(
    connection: Connection,
) -> None:
    """The first tier's cup expired before the sale that leads further, which is returned whole."""
    cup = {**currency("cup", "reward"), "expiry": {"kind": "rolling", "days": 30}}
    ladder = {
        "tiers": [
            {"key": "green", "name": text("Green")},
            {"key": "gold", "name": text("Gold"), "qualify": {"all": [{"metric": "spend", "at_least": "25"}]},
             "grants": [{"currency": "cup"}]},
            {"key": "black", "name": text("Black"), "qualify": {"all": [{"metric": "spend", "at_least": "60"}]},
             "grants": [{"currency": "stars", "points": "100"}]},
        ],
        "window": {"kind": "rolling", "days": 60},
    }  # fmt: skip
    runtime = published(connection, shop([cup], tiers=ladder, rules=[]))
    first, second, third = (
        sale(1, MARCH, 4_960),
        sale(2, MARCH + 61 * DAY, 360),
        sale(3, MARCH + 62 * DAY, 9_600),
    )
    back = Fact("till", "r", "return", third.at - 1, sale=Reference("till", "s3"), whole=True)
    ends = []
    for number, order in enumerate(([first, second, third, back], [first, second, back, third])):
        card = f"c{number}"
        who = member(connection, runtime.program_id, card)
        for fact in order:
            own = msgspec.structs.replace(
                fact, id=f"{card}-{fact.id}", sale=fact.sale and Reference("till", f"{card}-s3")
            )
            send(connection, runtime, own, now=max(each.at for each in order), card=card)
        ends.append(
            connection.execute(
                "select currency, earned, expired, reversed, remaining from lot where member_id = %s order by 1",
                (who,),
            ).fetchall()
        )
        connection.rollback()
    assert ends[0] == ends[1]
    assert ("cup", 1, 0, 1, 0) in ends[0]


def test_a_play_beside_a_late_sale_is_judged_after_it(connection: Connection) -> None:
    runtime = published(connection, shop(games=[WHEEL]))
    who = member(connection, runtime.program_id, "c1")
    now = MARCH + 9 * DAY
    send(connection, runtime, sale(1, now, 300), now=now)
    late, played = send(connection, runtime, sale(2, MARCH, 100), play(1, now), now=now + 1)
    assert (late.status, played.status) == ("applied", "refused")
    assert played.refusal is not None
    assert played.refusal.code.value == "insufficient_points"
    assert posted(connection, who) == {"stars": 4}
    late, played = send(connection, runtime, sale(3, MARCH + DAY, 100), play(2, now), now=now + 2)
    assert (late.status, played.status) == ("applied", "applied")
    assert posted(connection, who) == {"coffee": 1}


def test_a_play_without_its_price_is_refused(connection: Connection) -> None:
    runtime = published(connection, shop(games=[WHEEL]))
    member(connection, runtime.program_id, "c1")
    answer = send(connection, runtime, play(1, MARCH), now=MARCH)[0]
    assert answer.refusal is not None
    assert answer.refusal.code.value == "insufficient_points"


REFERRAL = {
    "when": {"field": "amount", "at_least": "5"},
    "within_days": 30,
    "wait_days": 14,
    "referrer": [{"currency": "stars", "points": "100"}],
    "friend": [{"currency": "stars", "points": "50"}],
}


def test_both_sides_of_a_referral_wait_and_lose_it_with_the_return(connection: Connection) -> None:
    runtime = published(connection, shop(referral=REFERRAL))
    who, friend = (member(connection, runtime.program_id, card) for card in ("c1", "c2"))
    occasions.join(connection, runtime, [occasions.Joined(friend, MARCH, who)], now=MARCH)
    connection.commit()
    at = MARCH + DAY
    send(connection, runtime, sale(1, at), now=at, card="c2")
    assert posted(connection, friend) == {"stars": 60}
    assert delivery.deliver(connection, runtime, now=at) == 2
    assert delivery.deliver(connection, runtime, now=at) == 0
    assert posted(connection, who) == {"stars": 100}
    back = Fact("till", "r", "return", at + DAY, amount=600, sale=Reference("till", "s1"))
    send(connection, runtime, back, now=at + DAY, card="c2")
    delivery.deliver(connection, runtime, now=at + DAY)
    assert (posted(connection, friend), posted(connection, who)) == ({"stars": 4}, {})
    # Another purchase of the friend converts after all.
    send(connection, runtime, sale(2, at + 2 * DAY), now=at + 2 * DAY, card="c2")
    delivery.deliver(connection, runtime, now=at + 2 * DAY)
    assert posted(connection, who) == {"stars": 100}


def test_a_late_first_purchase_moves_the_conversion_and_pays_once(connection: Connection) -> None:
    runtime = published(connection, shop(referral=REFERRAL))
    who, friend = (member(connection, runtime.program_id, card) for card in ("c1", "c2"))
    occasions.join(connection, runtime, [occasions.Joined(friend, MARCH, who)], now=MARCH)
    connection.commit()
    for number, at in ((1, MARCH + 3 * DAY), (2, MARCH + DAY)):
        send(connection, runtime, sale(number, at), now=MARCH + 3 * DAY, card="c2")
        while delivery.deliver(connection, runtime, now=MARCH + 3 * DAY):
            pass
    assert (posted(connection, friend), posted(connection, who)) == ({"stars": 70}, {"stars": 100})


def test_a_conversion_told_undone_and_told_again_pays_again(connection: Connection) -> None:
    """Late sales and returns move the conversion to and fro; both sides always come out as if told at once."""
    runtime = published(connection, shop(referral=REFERRAL))
    who, friend = (member(connection, runtime.program_id, card) for card in ("c1", "c2"))
    occasions.join(connection, runtime, [occasions.Joined(friend, MARCH, who)], now=MARCH)
    connection.commit()
    now = MARCH + 20 * DAY

    def tell(fact: Fact) -> None:
        send(connection, runtime, fact, now=max(now, fact.at), card="c2")
        while delivery.deliver(connection, runtime, now=max(now, fact.at)):
            pass

    def back(number: int, at: int) -> Fact:
        named = Reference("till", f"s{number}")
        return Fact("till", f"r{number}", "return", at, sale=named, whole=True)

    tell(sale(9, MARCH + 9 * DAY))
    for early in (8, 7, 6):
        # An earlier sale converts instead; it comes back before the first one, which then converts again.
        tell(sale(early, MARCH + early * DAY))
        assert posted(connection, who) == {"stars": 100}
        tell(back(early, MARCH + early * DAY + 1))
        assert (posted(connection, friend), posted(connection, who)) == ({"stars": 60}, {"stars": 100})
    tell(back(9, now + DAY))
    assert (posted(connection, friend), posted(connection, who)) == ({}, {})
    tell(sale(10, now + 2 * DAY))
    assert (posted(connection, friend), posted(connection, who)) == ({"stars": 60}, {"stars": 100})
    names = connection.execute(
        "select external_id from activity"
        " where member_id = %s and type = 'friend_converted' and external_id like '%%s9'",
        (who,),
    ).fetchall()
    assert sorted(name for (name,) in names) == [
        "friend_converted#2:till:s9", "friend_converted#3:till:s9", "friend_converted#4:till:s9",
        "friend_converted:till:s9",
    ]  # fmt: skip


def test_a_birthday_is_kept_once_a_year(connection: Connection) -> None:
    gift = {"key": "gift", "name": text("Gift"), "on": "birthday", "currency": "stars", "fixed": "100"}
    runtime = published(
        connection,
        shop(rules=[gift], member_attributes={"born": {"type": "date"}}, birth_date="born"),
    )
    who = member(connection, runtime.program_id, "c1")
    connection.execute("update member set attributes = '{\"born\": 722874}' where member_id = %s", (who,))
    connection.commit()
    day = date(2026, 2, 28).toordinal()
    assert occasions.keep(connection, runtime, day - 1, now=MARCH) == 0
    assert occasions.keep(connection, runtime, day, now=MARCH) == 1
    connection.execute("update member set attributes = '{\"born\": 722875}' where member_id = %s", (who,))
    connection.commit()
    assert occasions.keep(connection, runtime, day + 1, now=MARCH) == 0
    assert posted(connection, who) == {"stars": 100}


def mixed() -> dict[str, Any]:
    """A program in which members share a budget and a stock, bring friends, fill cards and play."""
    played = {**WHEEL, "price": {"currency": "spin"}}
    spin = {"key": "spin", "name": text("Spin"), "on": "sale", "currency": "spin", "fixed": "1"}
    base = {
        "key": "base",
        "name": text("Base"),
        "on": "sale",
        "currency": "stars",
        "per_spend": {"points": "1"},
    }
    return {
        "goals": [CARD],
        "campaigns": [CAMPAIGN],
        "games": [played],
        "referral": REFERRAL,
        "rules": [base, spin],
    }


def history(connection: Connection, runtime: Runtime, members: int, days: int, seed: int) -> None:
    """Sales, late sales, returns and plays of several members, one of whom brought another."""
    chance = random.Random(seed)
    ids = [member(connection, runtime.program_id, f"c{number}") for number in range(members)]
    occasions.join(connection, runtime, [occasions.Joined(ids[1], MARCH, ids[0])], now=MARCH)
    connection.commit()
    for number in range(days):
        now = MARCH + number * DAY
        who = chance.randrange(members)
        at = now - chance.choice((0, 0, 5 * DAY)) if number > 5 else now
        send(
            connection, runtime, sale(number, at, chance.choice((400, 1_000, 2_500))), now=now, card=f"c{who}"
        )
        if chance.random() < 0.3:
            back = Fact("till", f"r{number}", "return", now, sale=Reference("till", f"s{number}"), whole=True)
            send(connection, runtime, back, now=now, card=f"c{who}")
        send(connection, runtime, play(number, now), now=now, card=f"c{who}")
        while delivery.deliver(connection, runtime, now=now):
            pass


@pytest.mark.parametrize("seed", range(3))
def test_the_backtest_of_what_was_decided_is_the_ledger(connection: Connection, seed: int) -> None:
    runtime = published(connection, shop(**mixed()))
    history(connection, runtime, 4, 30, seed)
    order = backtest.Order(backtest.judges_of(runtime), MARCH + 30 * DAY, exact=True)
    totals = backtest.live(connection, runtime, order, workers=1)
    assert (totals.compared, totals.differences) == (4, [])
    assert totals.mechanics.used["campaign:spring"] <= 25


def test_a_draft_shares_its_budget_out_in_order_of_time(connection: Connection) -> None:
    runtime = published(connection, shop())
    members = [member(connection, runtime.program_id, f"c{number}") for number in range(4)]
    for number in (3, 2, 1, 0):
        send(connection, runtime, sale(number, MARCH + number * DAY), now=MARCH + 9 * DAY, card=f"c{number}")
    draft = shop(campaigns=[CAMPAIGN])
    order = backtest.Order(backtest.judges_by(draft), MARCH + 30 * DAY)
    for workers in (1, 2):
        totals = backtest.live(connection, runtime, order, workers=workers)
        changes = {change.member: change.points for change in totals.changes}
        assert changes == dict(zip(map(refs.encode, members), (10, 10, 5), strict=False))
        assert totals.mechanics.used == {"campaign:spring": 25}


def test_a_draft_carries_friends_between_members(connection: Connection) -> None:
    runtime = published(connection, shop(referral=REFERRAL))
    who, friend = (member(connection, runtime.program_id, card) for card in ("c1", "c2"))
    occasions.join(connection, runtime, [occasions.Joined(friend, MARCH, who)], now=MARCH)
    connection.commit()
    send(connection, runtime, sale(1, MARCH + DAY), now=MARCH + DAY, card="c2")
    while delivery.deliver(connection, runtime, now=MARCH + DAY):
        pass
    draft = shop(referral={**REFERRAL, "when": {"field": "amount", "at_least": "50"}})
    order = backtest.Order(backtest.judges_by(draft), MARCH + 30 * DAY)
    totals = backtest.live(connection, runtime, order, workers=1)
    assert {change.member: change.points for change in totals.changes} == {
        refs.encode(who): -100, refs.encode(friend): -50,
    }  # fmt: skip
    assert totals.mechanics.converted == 0
