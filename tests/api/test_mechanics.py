"""Goals, games, rankings, campaigns, dividends and changes, as members and integrations see them."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from palier.activities import draws, rankings
from palier.activities.runtime import runtime
from palier.api import limits
from palier.engine.clock import DAY, instant, moment
from palier.site import clock, database
from palier.staff import session
from palier.staff.queries import forget_keys
from tests.api.shop import Shop, document, here, now_text, program_of
from tests.api.test_fast_reads import Desk, stand_still  # noqa: F401 (a fixture)
from tests.api.test_live import Served, serving

API_GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "api.md"


def words(text: str) -> dict[str, str]:
    return {"en": text, "fr": text}


def currency(key: str, **more: Any) -> dict[str, Any]:
    noun = {"one": key, "other": f"{key}s"}
    return {"key": key, "name": {"en": noun, "fr": noun}, **more}


def program(**changes: Any) -> dict[str, Any]:
    """The club with one of everything."""
    data = document()
    data["point_currencies"] += [
        currency("coffee", kind="reward"),
        currency("pin", kind="badge", icon="pin"),
        currency("cash", kind="cash", scale=2, value="1"),
    ]
    coffee = [{"currency": "coffee"}]
    data |= {
        "goals": [
            {
                "key": "card",
                "name": words("Card"),
                "kind": "stamp_card",
                "icon": "cup",
                "repeat": True,
                "steps": [{"at": "3", "name": words("Free"), "grants": coffee}],
            },
            {
                "key": "spend",
                "name": words("Spend"),
                "measure": "spend",
                "window": {"kind": "each", "period": "month"},
            },
            {
                "key": "eligible",
                "name": words("Eligible"),
                "measure": "spend",
                "window": {"kind": "each", "period": "year"},
            },
        ],
        "streaks": [{"key": "flame", "name": words("Flame"), "on": ["sale"]}],
        "games": [
            {
                "key": "wheel",
                "name": words("Wheel"),
                "limits": {"day": 2},
                "prizes": [
                    {"key": "coffee", "name": words("Coffee"), "weight": 3, "stock": 5, "grants": coffee},
                    {"key": "blank", "name": words("Blank"), "weight": 17},
                ],
            }
        ],
        "memberships": [
            {
                "key": "club",
                "name": words("Club"),
                "fee": "20.00",
                "grants": [{"currency": "pin"}],
                "dividend": {"goal": "eligible", "currency": "cash"},
            }
        ],
        "leaderboards": [{"key": "top", "name": words("Top"), "goal": "spend", "shown": 2}],
        "campaigns": [
            {
                "key": "spring",
                "name": words("Spring"),
                "budget": {"points": "25.00"},
                "rules": [
                    {
                        "key": "bonus",
                        "name": words("Bonus"),
                        "on": "sale",
                        "currency": "stars",
                        "fixed": "10.00",
                    }
                ],
            }
        ],
    }
    return {**data, **changes}


@pytest.fixture
def club(database: str) -> Iterator[Shop]:
    forget_keys()
    session.close()
    limits._buckets.clear()
    yield Shop(data=program())
    session.close()


def send(shop: Shop, member: str, kind: str, id: str, at: str | None = None, **more: Any) -> dict[str, Any]:
    body = {
        "source": "app",
        "id": id,
        "type": kind,
        "occurred_at": at or now_text(),
        "member": member,
        **more,
    }
    found = shop.post("/activities", body)
    assert found.status == 200, found.content
    answer: dict[str, Any] = found.json
    return answer


def test_progress_tells_what_a_member_is_after(club: Shop) -> None:
    who = club.enrol()
    send(club, who, "fee", "f", amount="20.00", attributes={"membership": "club"})
    wish = {"currency": "stars", "points": 50, "name": "lamp"}
    send(club, who, "save_for", "s", attributes=wish)
    club.sale(who, "42.10")
    found = club.get(f"/members/{who}/progress").json
    card, spend, _ = found["goals"]
    assert (card["position"], card["next"], card["icon"]) == ("1", {"at": "3", "missing": "2"}, "cup")
    assert (spend["position"], spend["steps"], spend["next"]) == ("42.10", [], None)
    assert [(item["state"], item["length"]) for item in found["streaks"]] == [("running", 1)]
    assert [(item["badge"], item["count"]) for item in found["badges"]] == [("pin", 1)]
    assert [prize["chance"] for prize in found["games"][0]["prizes"]] == ["3/20", "17/20"]
    assert found["games"][0]["plays_left"] == 2
    assert [(item["state"], item["ends_at"]) for item in found["memberships"]] == [("active", None)]
    assert found["saving"] == {"currency": "stars", "name": "lamp", "points": "50.00", "missing": "0.00"}


@pytest.mark.parametrize("later", [0, 1, 40], ids=lambda days: f"{days}d")
def test_both_paths_tell_the_same(
    club: Shop,
    stand_still: Callable[[int], None],  # noqa: F811
    later: int,
) -> None:
    who = club.enrol()
    club.sale(who, "42.10")
    send(club, who, "play", "p", attributes={"game": "wheel"})
    desk = Desk(club)
    # Not of an evening, when a streak is at risk.
    stand_still(instant(here(later).replace(hour=12)) if later else clock.now())
    forget_keys()
    ((fast, slow, quick),) = desk.both(desk.asked(f"/v1/members/{who}/progress"))
    desk.bridge.close()
    assert (fast, quick) == (slow, True)
    assert json.loads(fast[2])["streaks"][0]["state"] == ("lapsed" if later == 40 else "running")


def test_a_play_is_answered_with_its_prize_and_anyone_can_check_it(
    club: Shop,
    stand_still: Callable[[int], None],  # noqa: F811
) -> None:
    who = club.enrol()
    first = send(club, who, "play", "p1", attributes={"game": "wheel"})
    assert (first["draws"][0]["game"], len(first["draws"])) == ("wheel", 1)
    won = first["draws"][0]["prize"] == "coffee"
    given = [{"cause": "game:wheel:coffee", "currency": "coffee", "points": "1", "pending": False}]
    assert first.get("granted", []) == (given if won else [])
    again = club.post("/activities", {"source": "app", "id": "p1", "type": "play", "member": who,
                                      "occurred_at": now_text(), "attributes": {"game": "wheel"}})  # fmt: skip
    assert again.status == 422
    decision = club.get("/activities/app/p1").json["decision"]
    assert decision["trace"]["draws"] == first["draws"]
    told = club.get("/draws").json
    this = told["months"][-1]
    assert (this["seed"], len(this["commitment"])) == (None, 64)
    assert told["games"][0]["weights"] == [3, 17]
    assert [prize["left"] for prize in told["games"][0]["prizes"]] == [5 - won, None]
    stand_still(clock.now() + 40 * DAY)
    months = {item["month"]: item for item in club.get("/draws").json["months"]}
    month = months[this["month"]]
    assert month["commitment"] == this["commitment"]
    # The guide's own lines find the same field, and nothing else.
    (block,) = re.findall(r"```python\n(def field_drawn.*?)```", API_GUIDE.read_text(), re.S)
    names: dict[str, Any] = {}
    exec(block, names)
    for source in ("app", "till"):
        found = names["field_drawn"](
            month["seed"], month["commitment"], month["month"], source, "p1", "wheel", [3, 17]
        )
        if source == "app":
            assert (found[0], found[1]) == (decision["drawn"], first["draws"][0]["field"])
        else:
            assert found[0] != decision["drawn"]
    with pytest.raises(AssertionError):
        names["field_drawn"]("00" * 32, month["commitment"], month["month"], "app", "p1", "wheel", [3, 17])


def test_ten_thousand_draws_of_the_guide_follow_the_weights() -> None:
    (block,) = re.findall(r"```python\n(def field_drawn.*?)```", API_GUIDE.read_text(), re.S)
    names: dict[str, Any] = {}
    exec(block, names)
    from hashlib import sha256

    seed = bytes(32)
    fields = [
        names["field_drawn"](seed.hex(), sha256(seed).hexdigest(), "2026-03", "a", str(n), "g", [3, 17])[1]
        for n in range(10_000)
    ]
    assert 1_300 < fields.count(1) < 1_700
    assert fields.count(1) + fields.count(2) == 10_000


def test_a_leaderboard_shows_pseudonyms(club: Shop) -> None:
    members = [club.enrol(f"c{number}") for number in range(3)]
    for who, amount in zip(members, ("10.00", "30.00", "20.00"), strict=True):
        club.sale(who, amount)
    found = club.get(f"/leaderboards/top?member={members[0]}").json
    assert [(place["rank"], place["value"], place["own"]) for place in found["places"]] == [
        (1, "30.00", False),
        (2, "20.00", False),
    ]
    assert (found["own"]["rank"], found["own"]["value"]) == (3, "10.00")
    assert not set(members) & set(json.dumps(found["places"]).split('"'))
    assert club.get(f"/leaderboards/top?period={here():%Y-%m}").status == 200
    club.get("/leaderboards/top?period=2026-W01").problem(422, "malformed", "period")
    club.get("/leaderboards/none").problem(404, "unknown_leaderboard")
    club.get("/leaderboards/top?member=m_0000000000000").problem(404, "unknown_member", "member")
    changed = club.call("PATCH", f"/members/{members[1]}", {"ranked": False}).json
    assert changed["ranked"] is False
    assert club.get(f"/members/{members[1]}").json["ranked"] is False
    ranks = club.get(f"/leaderboards/top?member={members[1]}").json
    assert ([place["value"] for place in ranks["places"]], ranks["own"]) == (["20.00", "10.00"], None)


def test_campaigns_tell_their_state_and_budget(club: Shop) -> None:
    club.sale(club.enrol(), "5.00")
    (spring,) = club.get("/campaigns").json["campaigns"]
    assert (spring["state"], spring["budget"]) == (
        "running",
        {"currency": "stars", "points": "25.00", "used": "10.00", "left": "15.00"},
    )
    paused = club.post("/campaigns/spring/pause", {"reason": "a wrong price"}, idempotency="k1")
    assert (paused.status, paused.json["state"], paused.json["program_version"]) == (200, "paused", 2)
    assert (
        club.post("/campaigns/spring/pause", {"reason": "a wrong price"}, idempotency="k1").json
        == paused.json
    )
    assert club.post("/campaigns/spring/pause").json["program_version"] == 2
    with database.connect("app") as connection:
        rows = connection.execute("select actor, action, reason from audit_log order by seq").fetchall()
    assert [row[1:] for row in rows if row[1].startswith("campaign")] == [("campaign.pause", "a wrong price")]
    assert club.post("/campaigns/spring/resume").json["state"] == "running"
    club.post("/campaigns/none/pause").problem(404, "unknown_campaign")
    club.post("/campaigns/spring/pause", {"because": "x"}).problem(422, "malformed")


def test_pausing_takes_effect_within_a_second_of_a_running_intake(club: Shop) -> None:
    """The fast intake goes on applying sales while the campaign is stopped; no later sale gets its bonus."""
    data = program(campaigns=[{**program()["campaigns"][0], "budget": {"points": "1000000.00"}}])
    del data["effective_from"]
    assert club.call("POST", "/programs/club/publish", data).status == 201
    who = club.enrol()
    with serving(club) as running:
        _pause_while_selling(club, running, who)


def _pause_while_selling(club: Shop, running: Served, who: str) -> None:
    answers: list[tuple[float, int, str]] = []
    stop = threading.Event()

    def buy() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            sale = {"source": "till", "id": f"n{number}", "type": "sale", "occurred_at": now_text(),
                    "member": who, "amount": "1.00"}  # fmt: skip
            began = time.monotonic()
            status, _, answer = running.call("POST", "/v1/activities", sale)
            assert status == 200, answer
            answers.append((began, answer["program_version"], answer["points"]["stars"]))

    thread = threading.Thread(target=buy)
    thread.start()
    try:
        time.sleep(0.5)
        asked = time.monotonic()
        assert club.post("/campaigns/spring/pause").json["state"] == "paused"
        time.sleep(1.2)
    finally:
        stop.set()
        thread.join()
    before = [answer for answer in answers if answer[0] < asked]
    after = [answer for answer in answers if answer[0] > asked + 1.0]
    assert before
    assert after
    assert {answer[1:] for answer in before[:-1]} == {(2, "11.00")}
    assert {answer[1:] for answer in after} == {(3, "1.00")}


def test_pausing_holds_in_versions_that_come_later(club: Shop) -> None:
    coming = moment(clock.now() + 30 * DAY).isoformat()
    later = program(effective_from=coming, description=words("Next"))
    assert club.post("/programs/club/publish", later).status == 201
    assert club.post("/campaigns/spring/pause").json["program_version"] == 3
    versions = club.get("/programs/club/versions").json["versions"]
    assert [item["version"] for item in versions] == [1, 2, 3, 4]
    last = club.get("/programs/club/versions/4").json
    assert (last["effective_from"][:16], last["document"]["campaigns"][0]["paused"]) == (coming[:16], True)
    assert last["document"]["description"] == words("Next")


def test_a_dividend_is_paid_once(club: Shop, stand_still: Callable[[int], None]) -> None:  # noqa: F811
    who = club.enrol()
    year = here().year
    send(club, who, "fee", "f", amount="20.00", attributes={"membership": "club"})
    club.sale(who, "123.45")
    asked = {"membership": "club", "year": year, "rate": "0.10"}
    club.post("/dividends", asked).problem(422, "no_dividend")
    club.post("/dividends", {**asked, "rate": "2"}).problem(422, "malformed")
    stand_still(clock.now() + 400 * DAY)
    forget_keys()
    shown = club.post("/dividends", {**asked, "dry_run": True}).json
    assert (shown["members"], shown["spend"], shown["points"], shown["paid_now"]) == (1, "123.45", "12.34", 0)
    assert club.wallet(who, "cash")["spendable"] == "0.00"
    paid = club.post("/dividends", asked).json
    assert (paid["paid_now"], paid["finished"]) == (1, True)
    assert club.wallet(who, "cash")["spendable"] == "12.34"
    assert club.post("/dividends", asked).json["paid_before"] == 1
    assert club.wallet(who, "cash")["spendable"] == "12.34"
    sentence = club.get(f"/members/{who}/history").json["lines"][0]["sentence"]["en"]
    assert f"{year}: 123.45 EUR x 0.10" in sentence


def test_changes_are_told_in_words(club: Shop) -> None:
    notice = {"announced_on": "2026-01-01", "text": words("Two stars a euro from now on.")}
    data = program()
    data["rules"][0]["per_spend"]["points"] = "2"
    coming = moment(clock.now() + 90 * DAY).isoformat()
    found = club.post("/programs/club/publish", {**data, "notice": notice, "effective_from": coming})
    assert found.status == 201, found.content
    second, first = club.get("/programs/club/changes").json["versions"]
    assert (first["version"], first["reads"], first["settings"], first["notice"]) == (1, [], [], None)
    assert second["notice"]["text"] == "Two stars a euro from now on."
    (reads,) = second["reads"]
    assert reads["subject"] == "earn"
    assert [len(reads[side]) for side in ("before", "after")] == [1, 1]
    assert "2" in reads["after"][0]
    assert any(change["path"] == "rules.base.per_spend.points" for change in second["settings"])
    french = club.get("/programs/club/changes?lang=fr&limit=1").json
    assert (french["language"], len(french["versions"])) == ("fr", 1)
    assert french["versions"][0]["reads"][0]["after"] != reads["after"]
    club.get("/programs/other/changes").problem(404, "unknown_program")
    club.get("/programs/club/changes?lang=de").problem(422, "malformed", "lang")


def test_keys_without_the_right_see_none_of_it(club: Shop) -> None:
    token = club.new_key(["activities:write"]).token
    for method, path, body in (
        ("GET", "/draws", None),
        ("GET", "/campaigns", None),
        ("POST", "/campaigns/spring/pause", {}),
        ("GET", "/leaderboards/top", None),
        ("POST", "/dividends", {"membership": "club", "year": 2020, "rate": "0.1"}),
        ("GET", "/programs/club/changes", None),
    ):
        club.call(method, path, body, token=token).problem(403, "forbidden")


def test_the_worker_fills_a_board_and_gives_its_prizes(club: Shop) -> None:
    who = club.enrol()
    club.sale(who, "5.00")
    assert club.get("/leaderboards/top").json["complete"] is False
    with database.connect("app") as connection:
        found = runtime(connection, "club")
        assert found is not None
        assert rankings.complete(connection, found, now=clock.now())
        assert draws.month_of(found.latest.clock, clock.now()) == club.get("/leaderboards/top").json["period"]
    assert club.get("/leaderboards/top").json["complete"] is True
    assert program_of(program()).leaderboards
