"""What members play and work towards, as the pages' forms and addresses answer."""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from django.test import Client

from palier.activities import rankings
from palier.engine.clock import DAY, moment
from palier.engine.payment_cards import holds_number
from palier.engine.phrases import date_words
from palier.members import refs
from palier.programs.operations import publish
from palier.site import clock, database
from palier.web.ui.icons import drawing
from tests.api.shop import Shop, document, program_of
from tests.web.arcade import MUG, arcade, said, signed_in


@pytest.fixture
def own(shop: Shop) -> Shop:
    """The arcade, with a reward."""
    made = Shop("arcade", arcade())
    assert made.call("PUT", "/rewards/mug", MUG).status == 201
    return made


@pytest.fixture
def ref(own: Shop) -> str:
    return own.enrol()


@pytest.fixture
def client(own: Shop, ref: str, monkeypatch: pytest.MonkeyPatch) -> Client:
    return signed_in(own, ref, monkeypatch)


def page(client: Client, path: str = "", status: int = 200, language: str = "en") -> str:
    answer = client.get(f"/portal/arcade/{path}", headers={"accept-language": language})
    assert answer.status_code == status, (path, answer.status_code, answer.content[:500])
    found: str = answer.content.decode().replace("\u00a0", " ").replace("\u202f", " ")
    return found


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def post(client: Client, path: str, data: dict[str, Any] | None = None) -> Any:
    return client.post(f"/portal/arcade/{path}", data or {}, headers={"accept-language": "en"})


def stars(own: Shop, ref: str) -> str:
    found: str = own.wallet(ref)["spendable"]
    return found


def test_a_member_whose_number_looks_like_a_card_is_served_as_any_other(
    own: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Members have random numbers, and one in seventy has the digits of a payment card, which no id may hold."""
    number = next(n for n in range(4 * 10**18, 5 * 10**18) if holds_number(str(n), "id"))
    with monkeypatch.context() as patch:
        patch.setattr("palier.members.operations.secrets.randbits", lambda _: number)
        ref = own.enrol()
    assert ref == refs.encode(number)
    own.sale(ref, "200.00")
    client = signed_in(own, ref, monkeypatch)
    once = {"once": "q" * 12}
    assert post(client, "games/ticket", once).status_code == 302
    page(client, f"games/ticket/plays/{'q' * 12}")
    assert post(client, "rewards/mug", once).status_code == 302
    assert 'id="try"' in page(client, "earn")


# --- goals ------------------------------------------------------------------------------------------------


def test_goals_say_how_far_and_challenges_are_joined_and_left(own: Shop, ref: str, client: Client) -> None:
    for number in range(3):
        own.sale(ref, "4.00", id=f"s{number}")
    shown = text_of(page(client, "goals"))
    assert "3 of 10" in shown
    assert "2 times to go: 5 stars." in shown
    assert "regular badge" in shown.lower()
    assert "Take part" in shown
    assert post(client, "goals/explore/join", {"once": "aaaaaaaaaaaa"}).url.endswith("/goals")
    assert "You take part" in page(client, "goals")
    own.sale(ref, "4.00", id="s4")
    assert "2 times to go" in text_of(page(client, "goals"))
    post(client, "goals/explore/join", {"once": "bbbbbbbbbbbb", "leave": "yes"})
    assert "Take part" in page(client, "goals")
    assert post(client, "goals/card/join").status_code == 404
    assert "prochaine" not in page(client, "goals", language="en")
    assert "Objectifs" in page(client, "goals", language="fr")


def test_a_goal_names_what_it_counts(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    data = arcade()
    counted: dict[str, dict[str, Any]] = {
        "aisles": {"measure": "distinct", "distinct": "category"}, "days": {"measure": "distinct", "distinct": "day"},
        "things": {"measure": "units"}, "calls": {"on": ["visit"]},
    }  # fmt: skip
    data["goals"] += [
        {"key": key, "name": said(key), **what, "steps": [{"at": "8", "name": said("All")}]}
        for key, what in counted.items()
    ]
    own = Shop("arcade", data)
    client = signed_in(own, own.enrol(), monkeypatch)
    shown = text_of(page(client, "goals"))
    for words in ("8 categories to go", "8 days to go", "8 items to go", "8 visits to go"):
        assert words in shown, words
    shown = text_of(page(client, "goals", language="fr"))
    assert "Encore 8 rayons" in shown


def test_joining_is_told_as_joining(own: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    ref = own.post("/members", {"identities": {"card": "new"}}).json["member"]
    client = signed_in(own, ref, monkeypatch)
    assert "You joined" in page(client, "history")
    assert "Inscription" in page(client, "history", language="fr")


# --- games ------------------------------------------------------------------------------------------------


def test_a_play_is_drawn_once_and_shown_the_same(own: Shop, ref: str, client: Client) -> None:
    """Sent again, looked at again: one activity, one price, one prize; what was drawn can be drawn again."""
    own.sale(ref, "40.00")
    shown = text_of(page(client, "games/wheel"))
    for words in ("1 in 10", "10 %", "3 in 5", "60 %", "A play costs 5 stars", "2 in 5 wins something", "50"):
        assert words in shown, words
    once = "c" * 12
    first = post(client, "games/wheel", {"once": once})
    second = post(client, "games/wheel", {"once": once})
    assert first.url == second.url
    outcomes = {page(client, f"games/wheel/plays/{once}") for _ in range(2)}
    assert len({text_of(re.sub(r"fresh", "", outcome)) for outcome in outcomes}) == 1
    outcome = re.search(r'outcome-prize">([^<]+)<', next(iter(outcomes)))
    assert outcome is not None
    won = {"A coffee": 0, "Ten stars": 10, "Nothing this time": 0}[outcome[1]]
    assert (own.wallet(ref, "coffees")["spendable"] == "1") is (outcome[1] == "A coffee")
    assert stars(own, ref) == str(40 - 5 + won)
    with database.connect("app") as connection:
        row = connection.execute("select seed, commitment from draw_seed order by period limit 1").fetchone()
    assert row is not None
    assert hashlib.sha256(bytes(row[0])).digest() == bytes(row[1])
    drawn = hmac.new(bytes(row[0]), f"portal\0{ref}-{once}".encode(), hashlib.sha256).hexdigest()
    assert drawn in next(iter(outcomes))
    assert bytes(row[1]).hex() in page(client, "games/wheel")
    assert bytes(row[0]).hex() not in page(client, "games/wheel")


def test_limits_and_prices_hold_whatever_the_form_says(own: Shop, ref: str, client: Client) -> None:
    poor = post(client, "games/wheel", {"once": "d" * 12})
    assert poor.status_code == 422
    assert "do not have enough" in poor.content.decode()
    assert post(client, "games/ticket", {"once": "e" * 12}).status_code == 302
    again = post(client, "games/ticket", {"once": "f" * 12})
    assert again.status_code == 422
    assert "limit is reached" in again.content.decode()
    assert stars(own, ref) == "1"
    assert "as often as is allowed" in page(client, "games/ticket")
    assert post(client, "games/nothing").status_code == 404


def test_nobody_sees_the_play_of_another(
    own: Shop, ref: str, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    post(client, "games/ticket", {"once": "g" * 12})
    other = signed_in(own, own.enrol("other"), monkeypatch)
    page(client, f"games/ticket/plays/{'g' * 12}")
    page(other, f"games/ticket/plays/{'g' * 12}", 404)


def test_a_quiz_scores_and_counts_its_attempts(own: Shop, ref: str, client: Client) -> None:
    assert "2 attempts left" in text_of(page(client, "quizzes/coffee"))
    assert "À partir de 1 bonne réponse : 4 stars" in text_of(page(client, "quizzes/coffee", language="fr"))
    assert post(client, "quizzes/coffee", {"once": "h" * 12}).status_code == 422
    post(client, "quizzes/coffee", {"once": "i" * 12, "q1": "2"})
    assert "0 of 1 right" in page(client, "quizzes/coffee")
    post(client, "quizzes/coffee", {"once": "j" * 12, "q1": "1"})
    assert "1 of 1 right. You get 4 stars." in page(client, "quizzes/coffee")
    assert "as often as is allowed" in page(client, "quizzes/coffee")
    assert stars(own, ref) == "4"


# --- rankings ---------------------------------------------------------------------------------------------


def test_a_board_names_nobody_and_shows_ones_own_place(own: Shop, ref: str, client: Client) -> None:
    others = [own.enrol(f"card-{number}") for number in range(4)]
    for number, other in enumerate(others):
        own.sale(other, f"{90 - number}.00", id=f"o{number}")
    own.sale(ref, "3.00")
    shown = text_of(page(client, "rankings"))
    assert re.search(r"5 \S+ you €3", shown), shown
    for other in others:
        assert other not in shown
    names = re.findall(r'name="choice" value="(\d)"[^>]*>\s*<span>([^<]+)<', page(client, "rankings"))
    assert len(names) == 6
    assert re.fullmatch(r"[A-Z][a-z]+-[0-9A-Z]{5}", names[3][1])
    post(client, "rankings/name", {"ranked": "yes", "choice": "3"})
    assert f"{names[3][1]} you" in text_of(page(client, "rankings"))
    api = own.get(f"/leaderboards/best?member={ref}").json
    assert api["own"]["pseudonym"] == names[3][1]
    post(client, "rankings/name", {"choice": "9"})
    assert "You are not shown" in page(client, "rankings")
    assert own.get(f"/leaderboards/best?member={ref}").json["own"] is None


# --- friends ----------------------------------------------------------------------------------------------


def test_friends_are_counted_and_not_named(own: Shop, ref: str, client: Client) -> None:
    shown = page(client, "friends")
    found = re.search(r'value="(http://localhost/portal/arcade/door\?from=(\w+))"', shown)
    assert found is not None
    assert found[1] in page(client, "friends")
    assert "You get 20 stars, your friend gets 10 stars." in text_of(shown)
    friend = own.post("/members", {"identities": {"card": "friend"}, "referred_by": found[2]}).json["member"]
    own.sale(friend, "25.00", id="f1")
    deliver(own)
    shown = text_of(page(client, "friends"))
    assert "1 friend joined with your code, 1 has bought." in shown
    assert "20 stars" in shown
    assert friend not in shown


def deliver(own: Shop) -> None:
    """What one member's activity tells another is brought by the worker."""
    from palier.activities import delivery
    from palier.activities.runtime import runtime
    from palier.site import clock

    with database.connect("app") as connection:
        found = runtime(connection, own.key)
        assert found is not None
        delivery.deliver(connection, found, now=clock.now())


def test_a_far_place_is_written_as_a_number(own: Shop, ref: str, client: Client, monkeypatch: Any) -> None:
    own.sale(ref, "3.00")
    own.sale(own.enrol("first"), "30.00", id="more")
    ranking = rankings.ranking

    def far(*asked: Any, **more: Any) -> Any:
        found = ranking(*asked, **more)
        assert found is not None
        assert found.own is not None
        own_place = msgspec.structs.replace(found.own, rank=1458)
        return msgspec.structs.replace(found, places=found.places[:1], own=own_place)

    monkeypatch.setattr(rankings, "ranking", far)
    for language, place in (("en", "1,458"), ("fr", "1 458")):
        assert f'<span class="rank">{place}</span>' in page(client, "rankings", language=language)


# --- how to earn ------------------------------------------------------------------------------------------


def test_what_is_tried_out_explains_all_that_it_brings(own: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes for being brought by a friend has no rule to stand beside, and is part of the sum."""
    code = own.post(f"/members/{own.enrol()}/referral-code").json["code"]
    friend = own.post("/members", {"identities": {"card": "friend"}, "referred_by": code}).json["member"]
    client = signed_in(own, friend, monkeypatch)
    shown = text_of(page(client, "earn?amount=30"))
    assert "would bring you 40 stars" in shown
    assert "for coming through a friend: 10 stars" in shown
    assert "pour être venu grâce à un ami" in text_of(page(client, "earn?amount=30", language="fr"))


def test_how_to_earn_is_computed_for_this_member(own: Shop, ref: str, client: Client) -> None:
    shown = text_of(page(client, "earn?amount=40"))
    assert "€40 now would bring you 40 stars" in shown.replace("€40.00", "€40")
    assert "Big basket" in shown
    assert "€10" in shown  # what is missing to the big basket
    assert "120 stars left to earn today." in shown
    before = stars(own, ref)
    own.sale(ref, "130.00")
    shown = text_of(page(client, "earn?amount=40,00"))
    assert "Nothing more today" in shown
    assert "not now" in shown
    assert before == "0"
    assert stars(own, ref) == "130"
    for wrong in ("x", "0", "-3", "1e3", "99999999", "1.234"):
        assert "Write an amount" in page(client, f"earn?amount={wrong}", 422)
    for written in ("1\u202f500", "1\u00a0500,00", "1 500.00"):
        assert "€1,500" in page(client, f"earn?amount={written}"), written
    assert "par exemple 12,50" in page(client, "earn?amount=x", 422, "fr")
    assert "vous rapporteraient" in page(client, "earn", language="fr")
    with database.connect("app") as connection:
        row = connection.execute(
            "select count(*) from activity_claim where external_id like 'foretold%'"
        ).fetchone()
    assert row == (0,)


# --- saving for a reward ----------------------------------------------------------------------------------


def test_a_member_saves_for_a_reward_and_stops(own: Shop, ref: str, client: Client) -> None:
    own.sale(ref, "40.00")
    assert "Save for it" in page(client, "rewards/mug")
    assert post(client, "rewards/mug/save", {"once": "k" * 12}).url == "/portal/arcade/"
    shown = text_of(page(client))
    assert "Saving for Enamel mug" in shown
    assert "60 stars to go: Enamel mug." in shown
    assert "your history does not tell yet" in shown
    assert own.get(f"/members/{ref}/progress").json["saving"]["missing"] == "60"
    own.sale(ref, "70.00")
    assert "You have enough" in page(client)
    post(client, "rewards/mug/save", {"once": "l" * 12, "stop": "yes"})
    assert "Saving for" not in page(client)
    post(client, "rewards/nothing/save")
    assert "cannot be saved for" in page(client)


# --- cases and surveys ------------------------------------------------------------------------------------


def test_a_line_is_asked_about_and_answered(own: Shop, ref: str, client: Client) -> None:
    own.sale(ref, "12.00", id="ticket-1")
    found = re.search(r'questions/new\?line=(\d+)"', page(client, "history"))
    assert found is not None
    assert "Purchase of €12" in page(client, f"questions/new?line={found[1]}")
    data = {"line": found[1], "text": "<script>alert(1)</script> not mine", "once": "m" * 12}
    assert post(client, "questions/new", {**data, "text": "4111 1111 1111 1111"}).status_code == 422
    first = post(client, "questions/new", data)
    assert post(client, "questions/new", data).url == first.url
    # Gone back and sent again, the form has its words and another id: the question waits already.
    assert post(client, "questions/new", {**data, "once": "z" * 12}).url == first.url
    case = own.get("/cases").json["cases"]
    assert [item["activity"]["id"] for item in case] == ["ticket-1"]
    shown = page(client, first.url.removeprefix("/portal/arcade/"))
    assert "<script>alert" not in shown
    assert "&lt;script&gt;alert(1)" in shown
    own.post(f"/cases/{case[0]['case']}/answer", {"text": "You are right."})
    assert "The shop has answered" in page(client)
    assert "You are right." in page(client, first.url.removeprefix("/portal/arcade/"))
    assert "The shop has answered" not in page(client)
    assert post(client, first.url.removeprefix("/portal/arcade/"), {"close": "yes"}).status_code == 302
    assert "This question is closed." in page(client, first.url.removeprefix("/portal/arcade/"))


def test_a_question_is_kept_whole_or_refused(own: Shop, ref: str, client: Client) -> None:
    """A form sends a line break as two characters and counts it as one; nothing of what was written is cut."""
    text = "\n".join(["12345"] * 331)
    text += "x" * (2_000 - len(text))
    sent = text.replace("\n", "\r\n")
    where = post(client, "questions/new", {"text": sent, "once": "s" * 12}).url.removeprefix(
        "/portal/arcade/"
    )
    assert post(client, where, {"text": sent, "once": "t" * 12}).status_code == 302
    case = own.get("/cases").json["cases"][0]["case"]
    assert [said["text"] for said in own.get(f"/cases/{case}").json["messages"]] == [text, text]
    for path in ("questions/new", where):
        refused = post(client, path, {"text": sent + "y" * 300, "once": "u" * 12})
        assert refused.status_code == 422, path
        assert "in up to 2,000 characters. Nothing was sent." in refused.content.decode()
        assert text + "y" * 300 in refused.content.decode()


def test_a_survey_stands_on_the_home_page_until_it_is_answered_or_declined(
    own: Shop, ref: str, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    survey = {
        "key": "visit", "name": said("Your visit"), "activity": "asked",
        "questions": [{"key": "again", "kind": "nps", "text": said("Again?")}],
    }  # fmt: skip
    assert own.call("PUT", "/surveys/visit", survey).status == 201
    assert "Your visit" not in page(client)
    own.sale(ref, "10.00")
    assert "Your visit" in page(client)
    assert post(client, "survey/visit", {}).status_code == 422
    assert post(client, "survey/visit", {"again": "10"}).status_code == 302
    shown = page(client)
    assert "Thank you. You get 5 stars." in shown
    assert "Your visit" not in shown
    other = own.enrol("other")
    own.sale(other, "10.00", id="b")
    second = signed_in(own, other, monkeypatch)
    assert post(second, "survey/visit", {"decline": "yes"}).status_code == 302
    assert "Your visit" not in page(second)
    results = own.get("/surveys/visit/results").json
    assert (results["answered"], results["refused"]) == (1, 1)


# --- whose it is ------------------------------------------------------------------------------------------


def test_nothing_of_one_member_or_program_is_anothers(
    own: Shop, ref: str, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    own.sale(ref, "12.00")
    line = re.search(r'questions/new\?line=(\d+)"', page(client, "history"))
    assert line is not None
    case = post(client, "questions/new", {"line": line[1], "text": "Mine", "once": "n" * 12}).url
    other = signed_in(own, own.enrol("other"), monkeypatch)
    path = case.removeprefix("/portal/arcade/")
    page(other, path, 404)
    assert post(other, path, {"text": "x", "once": "o" * 12}).status_code == 404
    page(other, f"questions/new?line={line[1]}", 404)
    assert post(other, "questions/new", {"line": line[1], "text": "x"}).status_code == 404
    foreign = Shop("foreign", document("foreign"))
    stranger = signed_in(foreign, foreign.enrol(), monkeypatch)
    for name in ("goals", path, "rankings", "friends", "games/wheel", "earn", "questions"):
        answer = stranger.get(f"/portal/arcade/{name}")
        assert (answer.status_code, answer["Location"]) == (302, "/portal/arcade/door"), name
        assert Client(SERVER_NAME="localhost").get(f"/portal/arcade/{name}").status_code == 302
    for name in ("rankings", "friends", "games/wheel", "quizzes/coffee"):
        assert stranger.get(f"/portal/foreign/{name}").status_code == 404


def test_every_form_needs_its_token(own: Shop, ref: str, monkeypatch: pytest.MonkeyPatch) -> None:
    strict = signed_in(own, ref, monkeypatch, enforce_csrf_checks=True)
    for path in (
        "goals/explore/join", "games/wheel", "quizzes/coffee", "rankings/name", "rewards/mug/save", "questions/new",
        "questions/0000000000000", "survey/visit",
    ):  # fmt: skip
        assert post(strict, path, {"once": "p" * 12}).status_code == 403, path


def test_a_unit_has_its_drawing_and_no_other(own: Shop, ref: str, client: Client) -> None:
    """A program names a drawing that there is; what is none of them never becomes an address."""
    assert "icons.svg#star" in page(client)
    assert drawing("star", "award") == "star"
    assert drawing('x" onload="alert(1)', "award") == "award"


def test_names_are_never_markup(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    evil = '<img src=x onerror="alert(1)">'
    data = arcade("arcade")
    data["name"] = said(evil)
    for part in ("goals", "streaks", "games", "quizzes", "leaderboards", "rules"):
        for item in data[part]:
            item["name"] = said(evil)
    data["games"][0]["prizes"][0]["name"] = said(evil)
    own = Shop("arcade", data)
    own.call("PUT", "/rewards/mug", {**MUG, "name": said(evil)})
    client = signed_in(own, own.enrol(), monkeypatch)
    post(client, "games/ticket", {"once": "q" * 12})
    post(client, "rewards/mug/save", {"once": "r" * 12})
    for path in (
        "", "goals", "games/wheel", f"games/ticket/plays/{'q' * 12}", "quizzes/coffee", "rankings", "friends", "earn",
        "rewards/mug",
    ):  # fmt: skip
        assert "<img" not in page(client, path), path


def test_a_quiz_of_a_version_ahead_is_not_there_yet(own: Shop, client: Client) -> None:
    """What is published ahead is nobody's to take, and no defect."""
    data = arcade()
    ahead = {**data["quizzes"][0], "key": "coming"}
    data["quizzes"] = [*data["quizzes"], ahead]
    data["effective_from"] = moment(clock.now() + DAY).isoformat()
    with database.connect() as connection:
        publish(connection, program_of(data), now=clock.now(), published_by="test")
        connection.commit()
    page(client, "quizzes/coming", status=404)
    page(client, f"quizzes/{data['quizzes'][0]['key']}")


def test_points_that_end_within_a_day_are_told_with_the_hour(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gone at the clock time at which they came: "by tonight" would come too late."""
    kinds = arcade()["point_currencies"]
    kinds[0]["expiry"] = {"kind": "rolling", "days": 1}
    own = Shop("arcade", arcade(point_currencies=kinds))
    ref = own.enrol()
    own.sale(ref, "60.00")
    at = moment(clock.now() + DAY)
    client = signed_in(own, ref, monkeypatch)
    day = date_words(f"{at.astimezone(ZoneInfo('Europe/Paris')):%Y-%m-%d}", "en")
    assert re.search(rf"stars to use by {day}, [0-9]{{2}}:[0-9]{{2}}", text_of(page(client)))
    assert re.search(r"à utiliser d’ici au .* à [0-9]{1,2} h", text_of(page(client, language="fr")))
