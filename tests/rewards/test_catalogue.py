"""The catalogue: versions, what holds when, filters, words in both languages, and pages that do not slip."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from palier.engine.clock import DAY, MINUTE
from palier.jobs import tasks
from palier.rewards.browsing import Filters, Page, Position, browse
from palier.rewards.catalogue import MemberStanding, offer, standing, terms
from palier.rewards.document import Reward
from palier.rewards.operations import NotTaken, put, take_effect
from palier.site import clock, database
from tests.ledger.rows import Connection
from tests.rewards.shelf import NOW, at, member, program, reward, several, stocked


def keys(page: Page) -> list[str]:
    return [line.terms.reward.key for line in page.lines]


def who(tier: str = "green", *, stars: int = 0, gifts: int = 0, **attributes: Any) -> MemberStanding:
    held = {"stars": stars, "gifts": gifts}
    return MemberStanding(1, NOW, "active", tier, held, attributes, frozenset())


# --- versions ---------------------------------------------------------------------------------------------


def test_the_same_document_is_no_new_version_and_a_price_is_one(connection: Connection) -> None:
    club = program(connection)
    first = put(connection, club, reward(), by="ana", reason="first", now=NOW)
    again = put(connection, club, reward(), by="ben", reason="again", now=NOW + MINUTE)
    dearer = reward(prices=[{"points": {"stars": "600"}}])
    second = put(connection, club, dearer, by="ben", reason="dearer", now=NOW + 2 * MINUTE)
    assert [(item.number, item.is_new) for item in (first, again, second)] == [
        (1, True),
        (1, False),
        (2, True),
    ]
    rows = connection.execute("select number, made_by, reason from reward_version order by number").fetchall()
    assert rows == [(1, "ana", "first"), (2, "ben", "dearer")]
    logged = connection.execute("select actor, action, object from audit_log order by seq").fetchall()
    assert logged == [("ana", "reward.put", "reward:club:mug:1"), ("ben", "reward.put", "reward:club:mug:2")]


def test_terms_are_those_of_the_instant(connection: Connection) -> None:
    club = program(connection)
    later = reward(prices=[{"points": {"stars": "900"}}], effective_from="2027-02-01T00:00:00Z")
    stocked(connection, club, reward(), later)

    def price(at_: int) -> str | None:
        found = terms(connection, club.program_id, "mug", at_)
        return found.reward.prices[0].points["stars"] if found is not None else None

    begins = at("2027-02-01T00:00:00+00:00")
    assert [price(when) for when in (NOW - 1, NOW, begins - 1, begins)] == [None, "500", "500", "900"]
    assert terms(connection, club.program_id, "no-such", NOW) is None


def test_what_is_written_now_holds_until_the_dated_version_begins(connection: Connection) -> None:
    club = program(connection)
    dated = reward(prices=[{"points": {"stars": "900"}}], effective_from="2027-02-01T00:00:00Z")
    stocked(connection, club, reward(), dated)
    stocked(connection, club, reward(state="paused"), now=NOW + DAY)
    states = [
        terms(connection, club.program_id, "mug", when)
        for when in (NOW, NOW + DAY, at("2027-02-01T00:00:00+00:00"))
    ]
    assert [(found.version, found.reward.state) for found in states if found] == [
        (1, "live"), (3, "paused"), (2, "live"),
    ]  # fmt: skip


def test_a_dated_version_is_browsed_from_its_instant_on(connection: Connection) -> None:
    club = program(connection)
    dated = reward(prices=[{"points": {"stars": "900"}}], effective_from="2027-02-01T00:00:00Z")
    stocked(connection, club, reward(), dated)
    begins = at("2027-02-01T00:00:00+00:00")
    assert take_effect(connection, club, now=begins - 1) == 0
    assert [line.points for line in browse(connection, club, Filters(), now=NOW, limit=9).lines] == [50000]
    assert take_effect(connection, club, now=begins) == 1
    assert take_effect(connection, club, now=begins) == 0
    assert [line.points for line in browse(connection, club, Filters(), now=begins, limit=9).lines] == [90000]


def test_two_who_write_one_reward_at_a_time_write_two_versions(connection: Connection) -> None:
    club = program(connection)
    connection.commit()

    def write(number: int) -> int:
        with contextlib.closing(database.connect("app")) as own:
            written = put(own, club, reward(stock=number), by=f"w{number}", reason="", now=NOW + number)
            own.commit()
            return written.number

    with ThreadPoolExecutor(8) as pool:
        numbers = sorted(pool.map(write, range(24)))
    assert numbers == list(range(1, 25))
    # The one that began last is listed, whichever was written last: who writes lists what holds at its own instant,
    # and who browses later what has begun since.
    take_effect(connection, club, now=NOW + 99)
    page = browse(connection, club, Filters(), now=NOW + 99, limit=9)
    assert [line.terms.reward.stock for line in page.lines] == [23]
    rows = connection.execute("select latest, version, next_at from reward").fetchall()
    assert rows[0][0] == 24
    found = terms(connection, club.program_id, "mug", NOW + 99)
    assert found is not None
    assert (found.version, found.reward.stock) == (rows[0][1], 23)


def test_the_worker_lists_what_began(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    club = program(connection)
    dated = reward(prices=[{"points": {"stars": "900"}}], effective_from="2027-02-01T00:00:00Z")
    stocked(connection, club, reward(), dated)
    connection.commit()
    begins = at("2027-02-01T00:00:00+00:00")
    monkeypatch.setattr(clock, "now", lambda: begins)
    tasks.list_what_began()
    listed = connection.execute("select version, points from reward_listing").fetchall()
    assert listed == [(2, 90000)]


def test_a_later_version_does_not_begin_in_the_past(connection: Connection) -> None:
    club = program(connection)
    stocked(connection, club, reward(effective_from="2026-06-01T00:00:00Z"))
    with pytest.raises(NotTaken, match="is past"):
        stocked(connection, club, reward(stock=3, effective_from="2026-07-01T00:00:00Z"))
    # The very same document again is no change, whenever it began.
    assert not stocked(connection, club, reward(effective_from="2026-06-01T00:00:00Z"))[0].is_new


def test_the_kind_of_a_reward_stays(connection: Connection) -> None:
    club = program(connection)
    stocked(connection, club, reward())
    with pytest.raises(NotTaken, match="is a merchandise"):
        stocked(connection, club, reward(gives={"kind": "service"}))


@pytest.mark.parametrize("state", ["draft", "retired"])
def test_drafts_and_retired_ones_are_not_browsed(connection: Connection, state: str) -> None:
    club = program(connection)
    stocked(connection, club, reward())
    stocked(connection, club, reward(state=state), now=NOW + 1)
    assert keys(browse(connection, club, Filters(), now=NOW + 1, limit=9)) == []
    found = terms(connection, club.program_id, "mug", NOW + 1)
    assert found is not None
    assert found.reward.state == state


def test_what_only_comes_with_another_is_not_browsed(connection: Connection) -> None:
    club = program(connection)
    stocked(connection, club, reward("prize", prices=[]), reward("free", prices=[{}]))
    assert keys(browse(connection, club, Filters(), now=NOW, limit=9)) == ["free"]


def test_what_is_made_of_others_needs_them(connection: Connection) -> None:
    club = program(connection)
    both = reward("both", gives={"kind": "bundle", "rewards": [{"reward": "mug"}, {"reward": "tea"}]})
    stocked(connection, club, reward())
    with pytest.raises(NotTaken, match='no reward "tea"'):
        stocked(connection, club, both)
    stocked(connection, club, reward("tea"), both)
    with pytest.raises(NotTaken, match="made of others"):
        stocked(
            connection, club,
            reward("more", gives={"kind": "bundle", "rewards": [{"reward": "both"}, {"reward": "tea"}]}),
        )  # fmt: skip


# --- browsing ---------------------------------------------------------------------------------------------


@pytest.fixture
def shelf(connection: Connection) -> Any:
    club = program(connection)
    stocked(
        connection, club,
        reward("cafe", name={"en": "Café crème", "fr": "Café crème"}, category="food/coffee", tags=["coffee"],
               gives={"kind": "product", "category": "COFFEE"}, countries=["FR", "BE"]),
        reward("beans", name={"en": "Roasted coffee beans", "fr": "Grains de café torréfiés"},
               summary={"en": "A bag of 250 g", "fr": "Un sachet de 250 g"},
               category="food/coffee", tags=["coffee", "home"], prices=[{"points": {"stars": "900"}}]),
        reward("spa", name={"en": "A day at the spa", "fr": "Une journée aux thermes"}, category="wellness",
               gives={"kind": "service"}, prices=[{"points": {"gifts": "2"}}]),
        reward("heart", name={"en": "Œuvre for children", "fr": "Œuvre pour les enfants"}, category="giving",
               gives={"kind": "donation", "beneficiary": {"en": "A hospital", "fr": "Un hôpital"}, "worth": "5"},
               prices=[{"points": {"stars": "500"}}, {"key": "gift", "points": {"gifts": "1"}}]),
    )  # fmt: skip
    return club


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (Filters(), ["heart", "spa", "beans", "cafe"]),
        (Filters(kind="product"), ["cafe"]),
        (Filters(category="food"), ["beans", "cafe"]),
        (Filters(category="food/coffee"), ["beans", "cafe"]),
        (Filters(category="foo"), []),
        (Filters(tags=("coffee", "home")), ["beans"]),
        (Filters(any_tags=("home", "coffee")), ["beans", "cafe"]),
        (Filters(country="FR"), ["heart", "spa", "beans", "cafe"]),
        (Filters(country="US"), ["heart", "spa", "beans"]),
        (Filters(currency="gifts"), ["heart", "spa"]),
        (Filters(currency="stars", most=50000), ["heart", "cafe"]),
        (Filters(words="CAFE"), ["cafe"]),
        (Filters(words="cafés", language="fr"), ["beans", "cafe"]),
        (Filters(words="torrefie", language="fr"), ["beans"]),
        (Filters(words="roast", language="en"), ["beans"]),
        (Filters(words="œuvre"), ["heart"]),
        (Filters(words="oeuvre enfants", language="fr"), ["heart"]),
        (Filters(words="the day at spa"), ["spa"]),
        (Filters(words="hôpital", language="fr"), ["heart"]),
        (Filters(words="sachet", language="en"), []),
        (Filters(words="bea"), ["beans"]),
        (Filters(words="coffee spa"), []),
        (Filters(words="!!! & | :* '"), []),
        (Filters(words="'; drop table reward; --"), []),
    ],
)
def test_filters_and_words(connection: Connection, shelf: Any, filters: Filters, found: list[str]) -> None:
    assert keys(browse(connection, shelf, filters, now=NOW, limit=20)) == found


def test_prices_sort_in_their_currency(connection: Connection, shelf: Any) -> None:
    page = browse(connection, shelf, Filters(currency="stars"), now=NOW, limit=20, sort="price")
    assert [(line.terms.reward.key, line.points) for line in page.lines] == [
        ("cafe", 50000), ("heart", 50000), ("beans", 90000),
    ]  # fmt: skip
    page = browse(connection, shelf, Filters(currency="gifts"), now=NOW, limit=20, sort="price")
    assert [(line.terms.reward.key, line.points) for line in page.lines] == [("heart", 1), ("spa", 2)]


def test_visibility_has_its_instants(connection: Connection) -> None:
    club = program(connection)
    stocked(
        connection, club,
        reward("soon", visible={"from": "2027-01-02"}),
        reward("brief", visible={"until": "2027-01-01"}),
    )  # fmt: skip
    # The program's day is that of Paris: it begins at 23:00 UTC.
    midnight = at("2027-01-02T00:00:00+01:00")
    assert keys(browse(connection, club, Filters(), now=midnight - 1, limit=9)) == ["brief"]
    assert keys(browse(connection, club, Filters(), now=midnight, limit=9)) == ["soon"]
    ending = browse(connection, club, Filters(), now=NOW, limit=9, sort="ending")
    assert [(line.terms.reward.key, line.ending(NOW), line.is_new) for line in ending.lines] == [
        ("brief", True, True)
    ]


def walk(connection: Connection, club: Any, limit: int, sort: Any, filters: Filters) -> list[str]:
    """The keys of all pages, one after the other."""
    found: list[str] = []
    after: Position | None = None
    while True:
        page = browse(connection, club, filters, now=NOW, limit=limit, sort=sort, after=after)
        found += keys(page)
        after = page.next
        if after is None:
            return found
        assert len(found) < 1000, "pages that have no end"


@pytest.mark.parametrize(("sort", "filters"), [("newest", Filters()), ("price", Filters(currency="stars"))])
def test_pages_put_together_are_the_whole(connection: Connection, sort: Any, filters: Filters) -> None:
    club = program(connection)
    stocked(connection, club, *several(23))
    whole = keys(browse(connection, club, filters, now=NOW, limit=100, sort=sort))
    assert sorted(whole) == sorted(item.key for item in several(23))
    for limit in (1, 7, 23, 24):
        assert walk(connection, club, limit, sort, filters) == whole


def test_pages_do_not_slip_while_items_come_and_go(connection: Connection) -> None:
    club = program(connection)
    stocked(connection, club, *several(30))
    filters = Filters(currency="stars")
    seen: list[str] = []
    after: Position | None = None
    for number in range(100):
        page = browse(connection, club, filters, now=NOW, limit=5, sort="price", after=after)
        seen += keys(page)
        after = page.next
        if after is None:
            break
        # One cheaper than all comes, one that was seen goes: neither moves what is still to come.
        stocked(
            connection, club,
            reward(f"cheap-{number}", prices=[{"points": {"stars": "1"}}]),
            reward(seen[0], prices=[{"points": {"stars": "100"}}], state="retired"),
            now=NOW + number + 1,
        )  # fmt: skip
    assert seen == [item.key for item in several(30)]


# --- what a member is offered -----------------------------------------------------------------------------


def reasons(
    connection: Connection, item: Reward, seen_by: MemberStanding | None, **options: Any
) -> list[str]:
    club = program(connection)
    return [reason.code for reason in offer(club, item, seen_by, at=NOW, **options).reasons]


@pytest.mark.parametrize(
    ("changes", "seen_by", "expected"),
    [
        ({}, who(stars=50000), []),
        ({}, who(stars=49999), ["too_few_points"]),
        ({}, None, []),
        ({"prices": []}, who(stars=50000), ["not_for_sale"]),
        ({"state": "paused"}, who(stars=50000), ["not_live"]),
        ({"visible": {"from": "2027-02-01"}}, who(stars=50000), ["not_yet"]),
        ({"visible": {"until": "2026-12-31"}}, who(stars=50000), ["no_longer"]),
        ({"audience": {"tiers": ["gold"]}}, who(stars=50000), ["not_for_tier"]),
        ({"audience": {"tiers": ["gold"]}}, who("gold", stars=50000), []),
        (
            {"audience": {"members": {"field": "member.age", "at_least": 18}}},
            who(stars=50000, age=17),
            ["not_for_member"],
        ),
        ({"audience": {"members": {"field": "member.age", "at_least": 18}}}, who(stars=50000, age=18), []),
        ({"countries": ["FR"]}, who(stars=50000, country="US"), ["not_in_country"]),
        ({"countries": ["FR"]}, who(stars=50000, country="fr"), []),
        ({"countries": ["FR"]}, who(stars=50000), []),
        ({"minimum_points": {"stars": "1000"}}, who(stars=50000), ["below_minimum"]),
        (
            {"prices": [{"points": {"stars": "5"}, "tiers": ["gold"]}]},
            who(stars=50000),
            ["no_price_for_tier"],
        ),
        (
            {"prices": [{"points": {"stars": "900"}}, {"key": "g", "points": {"gifts": "1"}}]},
            who(stars=100, gifts=1),
            [],
        ),
        ({"prices": [{"points": {"stars": "5", "gifts": "1"}}]}, who(stars=500), ["too_few_points"]),
    ],
)
def test_why_a_reward_cannot_be_had(
    connection: Connection, changes: dict[str, Any], seen_by: MemberStanding | None, expected: list[str]
) -> None:
    assert reasons(connection, reward(**changes), seen_by) == expected


def test_an_offer_counts_what_is_missing(connection: Connection) -> None:
    club = program(connection)
    item = reward(prices=[{"points": {"stars": "500"}, "money": {"amount": "2.50", "currency": "EUR"}}])
    found = offer(club, item, who(stars=38050), at=NOW, quantity=2)
    assert found.prices[0].points == {"stars": 100000}
    assert (found.prices[0].money, found.prices[0].money_currency) == (500, "EUR")
    assert found.prices[0].missing == {"stars": 61950}
    assert found.reasons[0].en == "619.5 stars are missing"
    assert found.reasons[0].fr == "il manque 619,5 stars"


def test_a_member_sees_his_own_catalogue(connection: Connection) -> None:
    club = program(connection)
    stocked(
        connection, club,
        reward("all"), reward("golden", audience={"tiers": ["gold"]}), reward("french", countries=["FR"]),
        reward("adult", audience={"members": {"field": "member.age", "at_least": 18}}),
        reward("free", prices=[{"key": "free"}]),
    )  # fmt: skip
    found = standing(connection, club, member(connection, club, country="US", age=20), now=NOW)
    assert found is not None
    page = browse(connection, club, Filters(), now=NOW, limit=9, member=found)
    assert keys(page) == ["free", "adult", "all"]
    reachable = browse(connection, club, Filters(reachable=True), now=NOW, limit=9, member=found)
    assert keys(reachable) == ["free"]


def test_reach_is_found_in_any_currency(connection: Connection, shelf: Any) -> None:
    def reach(**held: int) -> list[str]:
        return keys(browse(connection, shelf, Filters(reachable=True), now=NOW, limit=9, member=who(**held)))

    assert reach(stars=50000) == ["heart", "cafe"]
    assert reach(gifts=1) == ["heart"]
    assert reach(gifts=2, stars=90000) == ["heart", "spa", "beans", "cafe"]
    assert reach() == []


def test_a_page_of_which_a_member_sees_little_goes_on(connection: Connection) -> None:
    club = program(connection)
    grown = {"members": {"field": "member.age", "at_least": 18}}
    stocked(connection, club, *(reward(f"r-{n:03}", audience=grown if n % 20 else None) for n in range(100)))
    found: list[str] = []
    after: Position | None = None
    pages = 0
    while pages < 200:
        page = browse(connection, club, Filters(), now=NOW, limit=3, after=after, member=who(age=3))
        found, after, pages = found + keys(page), page.next, pages + 1
        if after is None:
            break
    assert found == [f"r-{n:03}" for n in (80, 60, 40, 20, 0)]


def test_the_worker_goes_on_after_the_server_ended_its_connection(connection: Connection) -> None:
    tasks.list_what_began()
    ended = connection.execute(
        "select count(pg_terminate_backend(pid, 5000)) from pg_stat_activity "
        "where datname = current_database() and pid <> pg_backend_pid() and usename = current_user"
    ).fetchone()
    connection.commit()
    assert ended is not None
    assert ended[0] >= 1
    tasks.list_what_began()
