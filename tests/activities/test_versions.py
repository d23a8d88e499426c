"""What a version that is published changes for members, and what it leaves as it was."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec
import pytest

from palier.activities import due, enrolment, operations, queries, rerate
from palier.activities import runtime as runtimes
from palier.activities.answers import Result
from palier.activities.runtime import Runtime
from palier.activities.telling import tell
from palier.engine.clock import DAY, HOUR
from palier.engine.facts import Fact, Reference
from palier.engine.program import Program
from palier.engine.words import NO_BREAK
from palier.members.operations import NewMember
from palier.programs.operations import publish, rerate_judging
from palier.site.refusal import Refused
from tests.activities.program import Connection, member, program, published
from tests.activities.test_commands_late import MARCH, back, order, sale, send, wallet
from tests.docs.stories import Played
from tests.docs.test_stories import base

_numbers = itertools.count(900)


def later(connection: Connection, document: Program, now: int) -> Runtime:
    publish(connection, document, now=now, published_by="test")
    connection.commit()
    found = runtimes.runtime(connection, document.key)
    assert found is not None
    return found


def text(words: str) -> dict[str, str]:
    return {"en": words, "fr": words}


def daily(least: int) -> Program:
    steps = [{"at": 2, "grants": [{"currency": "stars", "points": "5"}]}]
    return program(
        streaks=[
            {
                "key": "daily",
                "name": text("Daily"),
                "on": ["sale"],
                "period": "day",
                "least": least,
                "steps": steps,
            }
        ]
    )


def ladder(window: dict[str, Any], **tiers: str) -> Program:
    """Tiers in order, each from so much spent; points that expire after three days, so that work is due."""
    stars = msgspec.to_builtins(program())["point_currencies"][0]
    steps: list[dict[str, Any]] = [{"key": "green", "name": text("Green")}]
    for key, spend in tiers.items():
        qualify = {"all": [{"metric": "spend", "at_least": spend}]}
        steps.append({"key": key, "name": text(key), "qualify": qualify})
    if "white" in tiers:
        # A step below the one that all began with.
        steps = [{"key": "white", "name": text("White")}, {**steps[1], **steps[0]}, *steps[2:]]
    return program(
        point_currencies=[stars | {"expiry": {"kind": "rolling", "days": 3}}],
        tiers={"window": window, "tiers": steps},
    )


ROLLING = {"kind": "rolling", "days": 30}
YEAR = {"kind": "calendar", "period": "year"}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (daily(1), daily(2)),
        (ladder(ROLLING, gold="10"), ladder(ROLLING, white="5", gold="10")),
        (ladder(ROLLING, gold="10"), ladder(ROLLING, silver="20")),
        (ladder(YEAR, gold="10"), ladder(YEAR, gold="11")),
        (ladder(YEAR, gold="10"), program()),
    ],
    ids=["streak", "a tier below", "a tier removed", "a tier dearer", "no tiers"],
)
def test_work_goes_on_after_a_version(connection: Connection, first: Program, second: Program) -> None:
    """With a fact between its beginning and the next due work, by which nothing of it was looked at."""
    runtime = published(connection, first)
    who = member(connection, runtime.program_id, "c1")
    send(connection, runtime, sale(1, MARCH, 1_000), now=MARCH)
    runtime = later(connection, second, MARCH + DAY + 2 * HOUR)
    spent = Fact("desk", "x1", "redeem", 0, points=1, currency="stars")
    assert order(connection, runtime, who, spent, MARCH + DAY + 3 * HOUR).status == "applied"
    due.advance_all(connection, runtime, MARCH + 40 * DAY, now=MARCH + 40 * DAY)
    assert due.advance_all(connection, runtime, MARCH + 40 * DAY, now=MARCH + 40 * DAY) == 0
    assert send(connection, runtime, sale(2, MARCH + 41 * DAY, 100), now=MARCH + 41 * DAY) == ["applied"]
    assert queries.wallets(connection, runtime, who, now=MARCH + 42 * DAY).wallets["stars"].spendable > 0


def test_a_tier_that_is_removed_is_lost_as_the_version_begins(connection: Connection) -> None:
    runtime = published(connection, ladder(ROLLING, gold="100"))
    who = member(connection, runtime.program_id, "c1")
    send(connection, runtime, sale(1, MARCH, 10_000), now=MARCH)

    def tier(now: int) -> str:
        found = queries.standing(connection, runtime, who, now=now)
        connection.rollback()
        assert found is not None
        return found.tier

    assert tier(MARCH + HOUR) == "gold"
    runtime = later(connection, ladder(ROLLING, silver="50", platinum="200"), MARCH + DAY)
    assert tier(MARCH + DAY + 1) == "silver"
    send(connection, runtime, sale(2, MARCH + 2 * DAY, 10_000), now=MARCH + 2 * DAY)
    assert tier(MARCH + 2 * DAY + 1) == "platinum"
    due.advance_all(connection, runtime, MARCH + 60 * DAY, now=MARCH + 60 * DAY)
    assert tier(MARCH + 60 * DAY + 1) == "green"


@pytest.mark.parametrize("window", [{"kind": "rolling", "days": 31}, YEAR, {"kind": "lifetime"}])
def test_the_window_of_tiers_stays(connection: Connection, window: dict[str, Any]) -> None:
    """Also where a version between has no tiers: what members gathered is still there."""
    published(connection, ladder(ROLLING, gold="100"))
    for now in (MARCH, MARCH + 2 * DAY):
        with pytest.raises(Refused, match=r"^tiers\.window cannot change"):
            publish(connection, ladder(window, gold="100"), now=now, published_by="test")
        connection.rollback()
        later(connection, program(), now + DAY)
    later(connection, ladder(ROLLING, gold="200"), MARCH + 4 * DAY)


def test_rated_again_a_hold_ends_as_it_was_granted(connection: Connection) -> None:
    """What was captured of it stays spent, though the version that judges now would have ended it before."""
    runtime = published(connection, program())
    who = member(connection, runtime.program_id, "c1")
    send(connection, runtime, sale(1, MARCH, 5_000), now=MARCH)
    asked = Fact("api", "h1", "hold", 0, points=30, currency="stars")
    assert order(connection, runtime, who, asked, MARCH + HOUR).status == "applied"
    taken = Fact("api", "x1", "capture", 0, currency="stars", hold=Reference("api", "h1"))
    assert order(connection, runtime, who, taken, MARCH + HOUR + HOUR // 2).status == "applied"
    rules = msgspec.to_builtins(program())["rules"]
    rules[0]["per_spend"]["points"] = "2"
    runtime = later(connection, program(rules=rules, hold_minutes=5), MARCH + DAY)
    rated(connection, runtime, 2)
    assert wallet(connection, who) == (70, 0, 0, 0)


def rated(connection: Connection, runtime: Runtime, version: int) -> None:
    now = MARCH + 5 * DAY
    rerate_judging(
        connection, runtime.key, from_at=MARCH - DAY, until_at=now, version=version, now=now, reason="test"
    )
    connection.commit()
    found = runtimes.runtime(connection, runtime.key)
    assert found is not None
    rerate.rerate(connection, found, MARCH - DAY, now=now, post=True)


GEMS = {
    "key": "gems",
    "name": {"en": {"one": "gem", "other": "gems"}, "fr": {"one": "gemme", "other": "gemmes"}},
}


def with_gems(**settings: Any) -> Program:
    plain = msgspec.to_builtins(program())
    rule = {"key": "gems", "name": text("Gems"), "on": "sale", "currency": "gems", "fixed": "5"}
    return program(
        point_currencies=[*plain["point_currencies"], GEMS], rules=[*plain["rules"], rule], **settings
    )


def redeem(
    connection: Connection, runtime: Runtime, who: int, points: int, now: int, partner: str | None = None
) -> Result:
    return operations.redeem(
        connection, runtime, member_id=who, currency="gems", points=points, source="desk", id="x1", now=now,
        partner=partner,
    )  # fmt: skip


def test_rated_again_what_was_redeemed_of_points_that_are_not_there_is_owed(connection: Connection) -> None:
    runtime = published(connection, program())
    who = member(connection, runtime.program_id, "c1")
    runtime = later(connection, with_gems(), MARCH)
    send(connection, runtime, sale(1, MARCH + DAY, 5_000), now=MARCH + DAY)
    assert redeem(connection, runtime, who, 3, MARCH + 2 * DAY).status == "applied"
    connection.commit()
    rated(connection, runtime, 1)
    row = connection.execute("select posted, debt from wallet where currency = 'gems'").fetchone()
    connection.rollback()
    assert row == (0, 3)


def test_what_the_program_has_not_yet_settles_no_id(connection: Connection) -> None:
    """A command that names a point currency to come, or a partner there is not, is sent again once it fits."""
    runtime = published(connection, program())
    who = member(connection, runtime.program_id, "c1")
    runtime = later(connection, with_gems(effective_from="2026-04-01T00:00:00+02:00"), MARCH)

    def refused(now: int, partner: str | None = None) -> str:
        found = redeem(connection, runtime, who, 1, now, partner)
        connection.commit()
        assert found.refusal is not None
        assert not found.refusal.code.claims
        return found.refusal.code.value

    assert refused(MARCH + DAY) == "unknown_point_currency"
    now = MARCH + 40 * DAY
    send(connection, runtime, sale(1, now, 5_000), now=now)
    assert refused(now, "bakery") == "unknown_partner"
    assert redeem(connection, runtime, who, 1, now).status == "applied"
    connection.commit()
    # What was granted is answered again, whatever the program has by then.
    again = operations.redeem(
        connection, later(connection, program(point_currencies=msgspec.to_builtins(with_gems())["point_currencies"]),
                          now + DAY),
        member_id=who, currency="gems", points=1, source="desk", id="x1", now=now + DAY,
    )  # fmt: skip
    connection.rollback()
    assert (again.status, again.replayed) == ("duplicate", "applied")


WELCOME = {"key": "welcome", "name": text("Welcome"), "on": "joined", "currency": "stars", "fixed": "100"}


def test_a_version_to_come_changes_nothing_yet(connection: Connection) -> None:
    """Who joins has what the version in force gives, and a hold lasts as long as it says."""
    rules = msgspec.to_builtins(program())["rules"]
    runtime = published(connection, program(rules=[*rules, WELCOME]))
    coming = program(hold_minutes=5, effective_from="2026-04-01T00:00:00+02:00")
    runtime = later(connection, coming, MARCH)
    joined = enrolment.enrol(connection, runtime, NewMember({"card": "c2"}), now=MARCH + DAY)
    connection.commit()
    who = joined.enrolled.member_id
    assert wallet(connection, who) == (100, 0, 0, 0)
    asked = Fact("api", "h1", "hold", 0, points=30, currency="stars")
    held = order(connection, runtime, who, asked, MARCH + 2 * DAY)
    found = queries.redemption(
        connection, runtime.program_id, who, held.activity_id, now=MARCH + 2 * DAY + HOUR // 2
    )
    connection.rollback()
    assert found is not None
    assert (found.status, found.expires_at) == ("open", MARCH + 2 * DAY + HOUR)
    after = enrolment.enrol(connection, runtime, NewMember({"card": "c3"}), now=MARCH + 40 * DAY)
    connection.commit()
    rows = connection.execute(
        "select posted from wallet where member_id = %s", (after.enrolled.member_id,)
    ).fetchall()
    connection.rollback()
    assert rows == []


DELIVERED = """activity_types: [{key: delivered, name: {en: Delivered, fr: Livré}}]
rule: {pending: {kind: activity, activity: delivered}}
"""
STEPS = '{green: null, gold: {all: [{metric: spend, at_least: "100"}]}}'
MONTH = "{expiry: {kind: rolling, days: 30}}"
GRACE = "{expiry: {kind: rolling, days: 30, grace_days: 60}}"
STORIES = {
    "a release beyond the late window takes the room of its own day": DELIVERED
    + """rules: [{on: delivered, fixed: "5", caps: {day: "5"}}]
---
2026-03-01 09:00  sale s1 10.00             -> earned 10
2026-03-01 10:00  delivered d1 of s1        -> earned 5
2026-06-01 09:00  sale s2 10.00             -> earned 10
2026-06-01 10:00  delivered d2 of s2        -> earned 5
2026-03-01 12:00  delivered d3 of s1        -> earned 0
2026-06-01 12:00  delivered d4 of s2        -> earned 0
""",
    "by the tier of its instant": DELIVERED
    + f"""rules: [{{on: delivered, fixed: "5", when: {{field: tier, is: gold}}}}]
tiers: {{window: {{kind: rolling, days: 30}}, steps: {STEPS}}}
---
2026-03-01 09:00  sale s1 100.00            -> tier gold
2026-06-01 09:00  sale s2 10.00             -> tier green
2026-03-02 10:00  delivered d1 of s1        -> earned 5
""",
    "by the version of its instant": DELIVERED
    + """rules: [{key: thanks, on: delivered, fixed: "5"}]
---
2026-03-01 09:00  sale s1 10.00             -> earned 10
2026-05-01 00:00  publish {rules: [{key: thanks2, on: delivered, fixed: "50"}]}
2026-06-01 09:00  sale s2 10.00             -> earned 10
2026-03-02 10:00  delivered d1 of s1        -> earned 5
""",
    "by the memberships of its instant": """memberships:
  - {key: coop, name: {en: Co-op, fr: Coop}, fee: "20.00", months: 12}
rules: [{key: more, fixed: "50", when: {field: membership, is: coop}}]
---
2026-03-01 10:00  sale s1 10.00                      -> earned 10
2026-06-01 10:00  fee f1 20.00 membership=coop       -> applied
2026-06-02 10:00  sale s2 10.00                      -> earned 60
2026-03-15 10:00  sale s3 10.00                      -> earned 10
""",
    "points that come back to a lapsed lot have the grace that it had": f"""points: {MONTH}
---
2026-03-01 10:00  sale s1 50.00                                  -> spendable 50
2026-03-02 10:00  redeem r1 50                                   -> spendable 0
2026-03-02 10:01  sale s2 30.00 paid=card:10.00+points:20.00@r1  -> spendable 10
2026-04-02 00:00  look                                           -> spendable 0, expired 10
2026-04-05 00:00  publish {{effective_from: "2026-07-01T00:00:00+02:00", points: {GRACE}}}
2026-04-10 10:00  return b1 of s2 30.00                          -> spendable 0
2026-04-11 10:00  sale s3 1.00                                   -> spendable 1
2026-04-11 09:00  sale s4 1.00                                   -> spendable 2
""",
    "and no less": f"""points: {GRACE}
---
2026-03-01 10:00  sale s1 50.00                                  -> spendable 50
2026-03-02 10:00  redeem r1 50                                   -> spendable 0
2026-03-02 10:01  sale s2 30.00 paid=card:10.00+points:20.00@r1  -> spendable 10
2026-04-02 00:00  look                                           -> spendable 10
2026-04-05 00:00  publish {{points: {MONTH}}}
2026-04-10 10:00  return b1 of s2 30.00                          -> spendable 50
""",
    "a tier whose end is past is refused, and its id stays free": f"""tiers:
  window: {{kind: rolling, days: 365}}
  steps: {STEPS}
---
2026-03-03 10:00  grant_tier g1 gold until 2026-03-02      -> refused invalid_instant
2026-03-03 10:01  grant_tier g1 gold until 2026-03-31      -> tier gold
""",
}


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_it_is_judged_as_of_its_own_instant(connection: Connection, story: str) -> None:
    assert Played(connection, base(), next(_numbers)).play(story)


TIERS = """tiers: {window: {kind: lifetime}, %s steps: {green: null, gold: {all: [{metric: %s, at_least: "100"}]}}}"""

QUARTER = """tiers:
  window: {kind: calendar, period: quarter}
  steps: {green: null, gold: {all: [{metric: spend, at_least: "100"}]}}"""


def test_a_zone_further_west_takes_no_period_back(connection: Connection) -> None:
    """In Paris the quarter has turned; by the zone of the next version it is still the one before."""
    assert Played(connection, base(), next(_numbers)).play(f"""{QUARTER}
---
2026-03-31 23:30  sale s1 100.00            -> tier gold
2026-04-01 00:10  publish {{time_zone: America/New_York}}
2026-03-31 18:20  sale s2 1.00              -> tier gold
2026-06-30 23:59  look                      -> tier gold
2026-07-01 00:00  look                      -> tier green
""")


RETURNS: dict[str, str] = {
    "of a sale before there were tiers": f"""late_window_days: 31
---
2026-03-01 10:00  sale s1 100.00            -> earned 100
2026-03-02 00:00  publish {{{TIERS % ("", "spend")}}}
2026-03-03 10:00  sale s2 99.00             -> earned 99
2026-03-04 10:00  return b1 of s1 whole     -> spendable 99
2026-03-05 10:00  publish {{rule: {{tier_multipliers: {{gold: "2"}}}}}}
2026-03-06 10:00  sale s3 1.00              -> earned 1
2026-03-07 10:00  sale s4 1.00              -> earned 2
""",
    "of spend that counts otherwise now": f"""{TIERS % ("", "spend")}
---
2026-03-01 10:00  sale s1 60.00 tax=10.00   -> tier green
2026-03-02 00:00  publish {{{TIERS % ("spend_base: {tax: out},", "spend")}}}
2026-03-03 10:00  return b1 of s1 whole     -> tier green
2026-03-04 10:00  sale s2 99.99             -> tier green
2026-03-05 10:00  sale s3 0.01              -> tier gold
""",
    "of a type that counts no more": f"""{TIERS % ("", "visits")}
---
2026-03-01 10:00  sale s1 60.00             -> tier green
2026-03-02 00:00  publish {{{(TIERS % ("counts: [visit],", "visits")).replace("100", "3")}}}
2026-03-03 10:00  return b1 of s1 whole     -> tier green
2026-03-04 10:00  visit v1                  -> tier green
2026-03-05 10:00  visit v2                  -> tier green
2026-03-06 10:00  visit v3                  -> tier gold
""",
}


@pytest.mark.parametrize("story", RETURNS.values(), ids=RETURNS)
def test_a_return_takes_off_the_tier_what_its_sale_counted(connection: Connection, story: str) -> None:
    assert Played(connection, base(), next(_numbers)).play(story)


def test_what_waits_is_released_by_what_it_waits_for(connection: Connection) -> None:
    """Also where a later version lets nothing new wait for it."""
    assert Played(connection, base(), next(_numbers)).play("""points: {pending: {kind: activity, activity: delivered}}
activity_types: [{key: delivered, name: {en: Delivered, fr: Livré}}]
---
2026-03-01 10:00  sale s1 42.00            -> pending 42, spendable 0
2026-03-02 00:00  publish {points: {pending: null}}
2026-03-03 10:00  sale s2 8.00             -> pending 42, spendable 8
2026-03-04 10:00  delivered d1 of s1       -> pending 0, spendable 50
2026-03-05 10:00  delivered d2             -> applied, spendable 50
""")


def test_a_tier_of_another_version_is_told_by_its_name(connection: Connection) -> None:
    """A return, and what came too late, are judged by an older version than the one whose tiers they move."""
    runtime = published(connection, program())
    who = member(connection, runtime.program_id, "c1")
    send(connection, runtime, sale(1, MARCH, 1_000), now=MARCH)
    named = {"green": "Vert", "gold": "Or"}
    steps = [{"key": key, "name": {"en": key.title(), "fr": name}} for key, name in named.items()]
    qualify = {"all": [{"metric": "spend", "at_least": "100"}]}
    tiers = {"window": {"kind": "lifetime"}, "tiers": [steps[0], {**steps[1], "qualify": qualify}]}
    runtime = later(connection, program(tiers=tiers), MARCH + DAY)
    send(connection, runtime, sale(2, MARCH + 80 * DAY, 9_500), now=MARCH + 80 * DAY)
    send(connection, runtime, sale(3, MARCH + HOUR, 500), now=MARCH + 90 * DAY)
    send(connection, runtime, back(3, 3, MARCH + 91 * DAY), now=MARCH + 91 * DAY)
    stories = []
    for source_id in ("s3", "r3"):
        known = queries.find_activity(connection, runtime.program_id, "till", source_id)
        assert known is not None
        assert known.line is not None
        stories += tell(connection, runtime, who, [known.line])
    connection.rollback()
    said = [[step.text for step in story.steps(language)] for story in stories for language in ("en", "fr")]
    now = f"niveau désormais{NO_BREAK}: "
    for texts, told in zip(said, ("tier now Gold", f"{now}Or", "tier now Green", f"{now}Vert"), strict=True):
        assert told in texts
