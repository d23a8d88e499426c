"""Cases and surveys through the API, and what is refused of them; wishes and their pace."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from palier.activities import batch
from palier.activities.runtime import Runtime, runtime
from palier.care import cases, operations, surveys, wishes
from palier.care.refusals import CareRefusal, CareRefused
from palier.care.wishes import Pace, days_until
from palier.engine.clock import DAY, instant
from palier.members import refs
from palier.site import clock, database
from palier.staff.session import AnyConnection
from tests.api.shop import Shop, document, now_text

CARD = "4111 1111 1111 1111"


def said(words: str) -> dict[str, str]:
    return {"en": words, "fr": words}


SURVEY: dict[str, Any] = {
    "key": "visit",
    "name": said("Your visit"),
    "questions": [
        {"key": "again", "kind": "nps", "text": said("Again?")},
        {"key": "where", "kind": "choice", "text": said("Where?"), "options": [said("Here"), said("There")]},
        {"key": "why", "kind": "text", "text": said("Why?")},
    ],
    "activity": "asked",
}


CHOICE: dict[str, Any] = {"key": "a", "kind": "choice", "text": said("?")}


def rewarding(key: str = "asking") -> Shop:
    """A program that gives two gifts for answering a survey."""
    data = document(key)
    data["activity_types"] = [
        {"key": "asked", "name": said("Asked"), "attributes": {"survey": {"type": "text", "required": True}}}
    ]
    del data["point_currencies"][1]["pending"]
    data["rules"].append(
        {"key": "thanks", "name": said("Thanks"), "on": "asked", "currency": "gifts", "fixed": "2"}
    )
    return Shop(key, data)


def act(shop: Shop, do: Callable[[AnyConnection, Runtime], Any]) -> Any:
    with database.connect("app") as connection:
        found = runtime(connection, shop.key)
        assert found is not None
        return batch.attempt(connection, lambda: do(connection, found))


def refused(shop: Shop, do: Callable[[AnyConnection, Runtime], Any]) -> CareRefusal:
    with pytest.raises(CareRefused) as found:
        act(shop, do)
    return found.value.code


def test_a_case_goes_to_and_fro_and_ends(shop: Shop, member: str) -> None:
    """The shop's turn, the member's, the shop's again; what was closed stays closed, said twice is said once."""
    shop.sale(member, "42.10", id="t1")
    opened = shop.post(f"/members/{member}/cases", {"text": " Not my ticket. ", "source": "till", "id": "t1"})
    assert opened.status == 201, opened.json
    case = opened.json["case"]
    assert opened.json["activity"] == {"source": "till", "id": "t1"}
    assert [item["text"] for item in opened.json["messages"]] == ["Not my ticket."]
    assert [item["case"] for item in shop.get("/cases").json["cases"]] == [case]
    with database.connect("app") as connection:
        known = cases.read(connection, shop.program_id, *(cases.decode_case_ref(case) or (0, 0)))
        assert known is not None
        assert not known.unread
    answered = shop.post(f"/cases/{case}/answer", {"text": "We look."}, idempotency="one")
    again = shop.post(f"/cases/{case}/answer", {"text": "We look."}, idempotency="one")
    assert answered.json == again.json
    assert answered.json["state"] == "answered"
    assert shop.get("/cases").json["cases"] == []
    with database.connect("app") as connection:
        known = cases.read(connection, shop.program_id, known.member_id, known.case_id)
        assert known is not None
        assert known.unread
    for _ in range(2):
        found = act(
            shop, lambda c, r: cases.follow_up(c, known, text="Thank you", once="form-1", now=clock.now())
        )
        assert (found.state, found.unread) == ("open", False)
    assert len(shop.get(f"/cases/{case}").json["messages"]) == 3
    assert shop.post(f"/cases/{case}/answer", {"text": "Done.", "close": True}).json["state"] == "closed"
    shop.post(f"/cases/{case}/answer", {"text": "More"}).problem(409, "case_closed")
    assert shop.post(f"/cases/{case}/close", {}).json["state"] == "closed"
    with database.connect("app") as connection:
        logged = connection.execute(
            "select action from audit_log where object = %s order by seq", (case,)
        ).fetchall()
    assert [row[0] for row in logged] == ["case.open", "case.answer", "case.answer"]


def test_what_a_case_refuses_leaves_nothing(shop: Shop, member: str) -> None:
    other = shop.enrol("other")
    shop.sale(other, "1.00", id="theirs")
    path = f"/members/{member}/cases"
    shop.post(path, {"text": "   "}).problem(422, "invalid_text", "text")
    shop.post(path, {"text": f"I paid with {CARD}"}).problem(422, "payment_card_number")
    shop.post(path, {"text": "That one", "source": "till", "id": "theirs"}).problem(422, "unknown_line")
    shop.get(f"/cases/{member}.0000000000000").problem(404, "unknown_case")
    shop.get("/cases/nonsense").problem(404, "unknown_case")
    shop.get("/cases?cursor=nonsense").problem(422, "malformed", "cursor")
    assert shop.get("/cases").json["cases"] == []
    for number in range(cases.MOST_OPEN):
        assert shop.post(path, {"text": f"Case {number}"}).status == 201
    shop.post(path, {"text": "One more"}).problem(409, "too_many_cases")
    page = shop.get("/cases?limit=3").json
    rest = shop.get(f"/cases?limit=3&cursor={page['next']}").json
    assert [len(page["cases"]), len(rest["cases"]), rest["next"]] == [3, 2, None]
    refs_seen = [item["case"] for item in page["cases"] + rest["cases"]]
    assert len(set(refs_seen)) == cases.MOST_OPEN
    foreign = Shop("other", document("other"))
    foreign.get(f"/cases/{refs_seen[0]}").problem(404, "unknown_case")
    foreign.post(f"/cases/{refs_seen[0]}/answer", {"text": "Hello"}).problem(404, "unknown_case")


def test_a_survey_is_asked_once_after_a_purchase(shop: Shop) -> None:
    """Nobody is asked before he bought; answered or declined, never again; answering is an activity, once."""
    own = rewarding()
    assert own.call("PUT", "/surveys/visit", SURVEY).status == 201
    assert own.call("PUT", "/surveys/visit", SURVEY).status == 200
    buyer, other, idle = own.enrol(), own.enrol("2"), own.enrol("3")
    for ref in (buyer, other):
        own.sale(ref, "5.00", id=f"sale-{ref}")
    ids = {ref: refs.decode(ref) for ref in (buyer, other, idle)}

    def due(ref: str, at: int = 0) -> surveys.Survey | None:
        found: surveys.Survey | None = act(
            own, lambda c, r: surveys.due(c, r, ids[ref], now=at or clock.now())
        )
        return found

    assert due(idle) is None
    asked = due(buyer)
    assert asked is not None
    assert due(buyer, clock.now() + surveys.ASKED_WITHIN + DAY) is None
    given = {"again": "9", "where": "2", "why": "Good bread.", "unknown": "x"}
    for wrong in ({"again": "11"}, {"where": "3"}, {"where": "0"}, {"again": "x"}, {}):
        code = refused(own, lambda c, r, w=wrong: surveys.answer(c, r, ids[buyer], asked, w, now=clock.now()))
        assert code is CareRefusal.INVALID_ANSWER
    with_card = {"why": CARD}
    code = refused(own, lambda c, r: surveys.answer(c, r, ids[buyer], asked, with_card, now=clock.now()))
    assert code is CareRefusal.PAYMENT_CARD_NUMBER
    told = act(own, lambda c, r: surveys.answer(c, r, ids[buyer], asked, given, now=clock.now()))
    assert told.status == "applied"
    assert own.get(f"/members/{buyer}/wallets").json["wallets"][1]["spendable"] == "2"
    code = refused(own, lambda c, r: surveys.answer(c, r, ids[buyer], asked, given, now=clock.now()))
    assert code is CareRefusal.SURVEY_ANSWERED
    act(own, lambda c, r: surveys.refuse(c, r, ids[other], asked, now=clock.now()))
    assert due(buyer) is None
    assert due(other) is None
    shown = own.get("/surveys/visit/results").json
    assert (shown["answered"], shown["refused"]) == (1, 1)
    again, where, why = shown["questions"]
    assert (again["counts"], again["net_promoters"]) == ({"9": 1}, "1/1")
    assert (where["counts"], why["texts"]) == ({"2": 1}, ["Good bread."])
    # A later version does not ask anybody again who was asked.
    assert own.call("PUT", "/surveys/visit", {**SURVEY, "intro": said("Once more")}).json["version"] == 2
    assert due(other) is None


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"questions": []}, "questions"),
        ({"questions": [{"key": "a", "kind": "stars", "text": said("?")}]}, "questions[0].kind"),
        ({"questions": [{"key": "a", "kind": "choice", "text": said("?")}]}, "questions[0]"),
        ({"questions": [{"key": "a", "kind": "nps", "text": {}}]}, "questions[0].text"),
        ({"questions": [{"key": "a", "kind": "nps", "text": said("?")}] * 2}, "questions"),
        ({"questions": [{"key": "a", "kind": "nps", "text": said(" ")}]}, "questions[0].text"),
        ({"questions": [{"key": "a", "kind": "nps", "text": said("x" * 501)}]}, "questions[0].text.en"),
        ({"questions": [CHOICE | {"options": [said("Yes"), {}]}]}, "questions[0].options[1]"),
        (
            {"questions": [CHOICE | {"options": [said("Yes"), {"fr": "x" * 201}]}]},
            "questions[0].options[1].fr",
        ),
        ({"name": said("x" * 201)}, "name.en"),
        ({"intro": {"fr": "x" * 501}}, "intro.fr"),
        ({"intro": said("Show 4111 1111 1111 1111")}, "intro.en"),
        ({"activity": "nothing_such"}, "activity"),
        ({"asked_from": "2026-02-30"}, "asked_from"),
        ({"asked_from": "2026-03-02", "asked_until": "2026-03-01"}, "asked_until"),
        ({"more": 1}, ""),
        ({"key": "other"}, "key"),
    ],
)
def test_a_survey_that_is_none_is_refused_with_its_place(
    shop: Shop, change: dict[str, Any], field: str
) -> None:
    own = {name: value for name, value in SURVEY.items() if name != "activity"}
    answer = shop.call("PUT", "/surveys/visit", {**own, **change})
    found = answer.problem(422, "invalid_survey")
    assert found.get("field", "") == field
    assert shop.get("/surveys").json["surveys"] == []


def test_a_wish_is_kept_told_to_the_engine_and_taken_back(shop: Shop, member: str) -> None:
    mug = {"key": "mug", "name": said("Mug"), "gives": {"kind": "merchandise"}, "state": "live"}
    shop.call("PUT", "/rewards/mug", {**mug, "prices": [{"points": {"stars": "12.50"}}]})
    shop.call("PUT", "/rewards/free", {**mug, "key": "free", "prices": [{"money": "3"}]})
    shop.sale(member, "5.00")
    own = refs.decode(member)

    def choose(reward: str, id: str) -> Any:
        return act(shop, lambda c, r: wishes.choose(c, r, own, reward, id=id, now=clock.now()))

    assert choose("mug", "w1").status == "applied"
    saving = shop.get(f"/members/{member}/progress").json["saving"]
    assert saving == {"currency": "stars", "name": "Mug", "points": "13.00", "missing": "8.00"}
    for reward in ("free", "nothing"):
        with pytest.raises(CareRefused):
            choose(reward, f"w-{reward}")
    with database.connect("app") as connection:
        assert getattr(wishes.read(connection, shop.program_id, own), "reward", "") == "mug"
        assert wishes.read(connection, shop.program_id + 1, own) is None
    act(shop, lambda c, r: wishes.stop(c, r, own, id="w2", now=clock.now()))
    assert shop.get(f"/members/{member}/progress").json["saving"] is None
    with database.connect("app") as connection:
        assert wishes.read(connection, shop.program_id, own) is None


def test_an_estimate_needs_a_history_and_rounds_up() -> None:
    assert days_until(Pace(300, 30, 8), 100) == 10
    assert days_until(Pace(300, 30, 8), 101) == 11
    assert days_until(Pace(300, 30, 8), 0) == 0
    assert days_until(Pace(300, 30, 3), 100) is None
    assert days_until(Pace(300, 27, 8), 100) is None
    assert days_until(Pace(-5, 90, 8), 100) is None
    assert days_until(Pace(1, 180, 8), 100) is None


def test_the_pace_is_what_was_earned_less_what_was_returned(shop: Shop, member: str) -> None:
    shop.sale(member, "100.00", id="a")
    shop.sale(member, "50.00", id="b")
    shop.post(
        "/activities",
        {"source": "till", "id": "back", "type": "return", "occurred_at": now_text(),
         "sale": {"source": "till", "id": "b"}, "whole": True},
    )  # fmt: skip
    shop.post("/redemptions", {"member": member, "currency": "stars", "points": "30"})
    # Half past ten of a winter's evening in Paris: as many times 24 hours before is a day later on the calendar.
    evening = instant(datetime(2000, 1, 15, 22, 30, tzinfo=UTC))
    for now in (clock.now() + 1, evening):
        found = act(
            shop,
            lambda c, r, now=now: wishes.pace(c, r, refs.decode(member), "stars", enrolled_at=0, now=now),
        )
        assert (found.points, found.days, found.times) == (10_000, wishes.LOOKED_BACK_DAYS, 1)


def test_nothing_of_the_erased_is_kept(shop: Shop, member: str) -> None:
    shop.sale(member, "5.00")
    shop.post(f"/members/{member}/cases", {"text": "Mine"})
    own, other = refs.decode(member), refs.decode(shop.enrol("other"))
    shop.call("PUT", "/surveys/visit", {k: v for k, v in SURVEY.items() if k != "activity"})
    asked = act(shop, lambda c, r: surveys.due(c, r, own, now=clock.now()))
    act(shop, lambda c, r: surveys.refuse(c, r, own, asked, now=clock.now()))
    shop.post(f"/members/{refs.encode(other)}/cases", {"text": "Theirs"})
    gone = act(shop, lambda c, r: operations.forget(c, own))
    assert gone == {"case_message": 1, "support_case": 1, "survey_answer": 1, "wish": 0}
    assert [item["member"] for item in shop.get("/cases").json["cases"]] == [refs.encode(other)]
