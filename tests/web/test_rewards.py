"""Ordering in the portal: three taps, once however often sent, nobody else's, and what is said when it cannot be."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from django.core.signing import dumps
from django.test import Client

from palier.members import operations as members
from palier.site import database
from palier.site.environment import environment
from tests.api.shop import Shop

COFFEE = {
    "key": "coffee",
    "name": {"en": "A coffee", "fr": "Un café"},
    "gives": {"kind": "product", "sku": "coffee"},
    "prices": [{"points": {"stars": "50"}}],
}


@pytest.fixture
def shelf(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """The club with one reward, and sign-in by the links of a demonstration."""
    monkeypatch.setattr(environment(), "demo", True)
    put(shop, COFFEE)
    return shop


def put(shop: Shop, reward: dict[str, Any]) -> None:
    found = shop.call("PUT", f"/rewards/{reward['key']}", reward)
    assert found.status in (200, 201), found.json


def visitor(ref: str) -> Client:
    client = Client(SERVER_NAME="localhost")
    assert client.get(f"/portal/club/demo?as={dumps(ref, salt='demo club')}").status_code == 302
    return client


def once(page: str) -> str:
    found = re.search(r'name="once" value="([0-9a-f]+)"', page)
    assert found is not None
    return found[1]


def test_three_taps(shelf: Shop) -> None:
    """Pick, confirm with what is left shown, show the code; the till takes that code once."""
    ref = shelf.enrol()
    shelf.sale(ref, "80.00")
    client = visitor(ref)
    assert "A coffee" in client.get("/portal/club/rewards").content.decode()
    page = client.get("/portal/club/rewards/coffee").content.decode()
    assert "You will have 30.00\u00a0stars left." in page
    assert "Use 50.00\u00a0stars" in page
    ordered = client.post("/portal/club/rewards/coffee", {"once": once(page)})
    assert ordered.status_code == 302, ordered.content.decode()
    order = client.get(ordered.url).content.decode()
    show = re.search(r'action="(/portal/club/mine/[^"]+/show/\d+)"', order)
    assert show is not None
    shown = client.post(show[1]).content.decode()
    code = re.search(r'shown-code">([^<]+)<', shown)
    assert code is not None
    assert shelf.wallet(ref)["spendable"] == "30.00"
    used = shelf.post("/vouchers/use", {"code": code[1], "source": "till", "id": "1"})
    assert used.status in (200, 201), used.json
    history = client.get("/portal/club/history")
    assert "A coffee: 50.00\u00a0stars spent" in history.content.decode()
    french = client.get("/portal/club/history", headers={"accept-language": "fr"}).content.decode()
    assert "Un café\u00a0: dépense de 50,00\u00a0stars" in french
    # What is used up says so, and so does its line among all.
    for address in (ordered.url, "/portal/club/mine"):
        assert '<span class="chip ">used</span>' in client.get(address).content.decode(), address


def test_sent_twice_is_ordered_once(shelf: Shop) -> None:
    ref = shelf.enrol()
    shelf.sale(ref, "200.00")
    client = visitor(ref)
    form = {"once": once(client.get("/portal/club/rewards/coffee").content.decode())}
    first, again = (client.post("/portal/club/rewards/coffee", form) for _ in range(2))
    assert first.url == again.url
    assert shelf.wallet(ref)["spendable"] == "150.00"
    other = {"once": once(client.get("/portal/club/rewards/coffee").content.decode())}
    assert client.post("/portal/club/rewards/coffee", other).url != first.url
    assert shelf.wallet(ref)["spendable"] == "100.00"


def test_what_somebody_else_holds_is_not_there(shelf: Shop) -> None:
    ref, other = shelf.enrol("1"), shelf.enrol("2")
    shelf.sale(ref, "80.00")
    client = visitor(ref)
    form = {"once": once(client.get("/portal/club/rewards/coffee").content.decode())}
    address = client.post("/portal/club/rewards/coffee", form).url
    show = re.search(r'action="([^"]+/show/\d+)"', client.get(address).content.decode())
    assert show is not None
    stranger = visitor(other)
    assert stranger.get(address).status_code == 404
    assert stranger.post(show[1]).status_code == 404
    assert stranger.post(f"{address}/cancel").status_code == 404
    assert "A coffee" not in stranger.get("/portal/club/mine").content.decode()
    assert client.get("/portal/club/mine/o_nonsense").status_code == 404


def test_too_few_points_says_how_many_are_missing(shelf: Shop) -> None:
    ref = shelf.enrol()
    shelf.sale(ref, "20.00")
    client = visitor(ref)
    assert "30.00\u00a0stars more" in client.get("/portal/club/rewards").content.decode()
    page = client.get("/portal/club/rewards/coffee").content.decode()
    assert "Use 50" not in page
    refused = client.post("/portal/club/rewards/coffee", {"once": "ab"})
    assert refused.status_code == 422
    assert "You do not have enough for it yet." in refused.content.decode()
    assert shelf.wallet(ref)["spendable"] == "20.00"


def test_where_nobody_collects_money_points_alone_pay(shelf: Shop) -> None:
    """A price with money beside the points is shown, and not to be had here, whatever a form says."""
    mixed = {"key": "mixed", "points": {"stars": "20"}, "money": {"amount": "3.00", "currency": "EUR"}}
    put(shelf, {**COFFEE, "prices": [*COFFEE["prices"], mixed]})
    put(shelf, {**COFFEE, "key": "only_mixed", "prices": [mixed]})
    ref = shelf.enrol()
    shelf.sale(ref, "30.00")
    client = visitor(ref)
    page = client.get("/portal/club/rewards/coffee").content.decode()
    assert "20 stars are missing" in page
    assert "Where the shop takes the money: 20.00\u00a0stars and €3.00." in page
    for key in ("coffee", "only_mixed"):
        refused = client.post(f"/portal/club/rewards/{key}", {"once": "ab" * 6, "price": "mixed"})
        assert refused.status_code == 422, key
    assert "Get it" not in client.get("/portal/club/rewards/only_mixed").content.decode()
    assert shelf.wallet(ref)["spendable"] == "30.00"
    shelf.sale(ref, "40.00", id="more")
    other = {"key": "other", "points": {"stars": "15"}}
    put(shelf, {**COFFEE, "prices": [mixed, *COFFEE["prices"], other]})
    form = {"once": once(client.get("/portal/club/rewards/coffee").content.decode())}
    # Sent twice it is one order, though what he could pay is another price by then.
    first, again = (client.post("/portal/club/rewards/coffee", form) for _ in range(2))
    assert (first.status_code, again.status_code) == (302, 302)
    assert first.url == again.url
    assert shelf.wallet(ref)["spendable"] == "20.00"


def test_a_shelf_is_sorted_by_what_the_member_pays(shelf: Shop) -> None:
    """Not by a lower price that is for others, or that takes money too."""
    for key, name, points, less in (
        ("a", "Late one", "90", "10"),
        ("b", "First one", "60", ""),
        ("c", "Next", "75", ""),
    ):
        prices = [{"points": {"stars": points}}]
        if less:
            prices.append(
                {"key": "mixed", "points": {"stars": less}, "money": {"amount": "2.00", "currency": "EUR"}}
            )  # type: ignore[dict-item]
        put(shelf, {**COFFEE, "key": key, "name": {"en": name, "fr": name}, "prices": prices})
    client = visitor(shelf.enrol())
    shown = re.findall("Late one|First one|Next", client.get("/portal/club/rewards").content.decode())
    assert list(dict.fromkeys(shown)) == ["First one", "Next", "Late one"]


def test_the_last_one_is_had_once(shelf: Shop) -> None:
    put(shelf, {**COFFEE, "key": "last", "stock": 1})
    refs = [shelf.enrol(card) for card in ("1", "2")]
    answers = []
    for ref in refs:
        shelf.sale(ref, "80.00")
        client = visitor(ref)
        form = {"once": once(client.get("/portal/club/rewards/last").content.decode())}
        answers.append(client.post("/portal/club/rewards/last", form))
    assert [answer.status_code for answer in answers] == [302, 422]
    assert "The last one has just gone." in answers[1].content.decode()
    assert [shelf.wallet(ref)["spendable"] for ref in refs] == ["30.00", "80.00"]


def test_a_member_on_hold_orders_nothing(shelf: Shop) -> None:
    ref = shelf.enrol()
    shelf.sale(ref, "80.00")
    client = visitor(ref)
    form = {"once": once(client.get("/portal/club/rewards/coffee").content.decode())}
    with database.connect("app") as connection:
        members.set_status(connection, shelf.program_id, int(_id(ref)), "frozen")
        connection.commit()
    refused = client.post("/portal/club/rewards/coffee", form)
    assert refused.status_code == 422
    assert shelf.wallet(ref)["spendable"] == "80.00"


def _id(ref: str) -> int:
    from palier.members import refs

    return refs.decode(ref)


@pytest.mark.parametrize("query", ["?after=x", "?after=1.", "?after=.", "?q=" + "x" * 300, "?after=9.9"])
def test_hostile_pages_of_the_shelf(shelf: Shop, query: str) -> None:
    client = visitor(shelf.enrol())
    assert client.get(f"/portal/club/rewards{query}").status_code == 200
    assert client.get(f"/portal/club/history{query}").status_code == 200
    assert client.get(f"/portal/club/mine{query}").status_code == 200


@pytest.mark.parametrize("after", ["--5.5", "1." + "9" * 39, "-.1", "²"])
def test_a_place_that_is_none_is_the_first_page(shelf: Shop, after: str) -> None:
    client = visitor(shelf.enrol())
    answer = client.get("/portal/club/rewards", {"after": after})
    assert answer.status_code == 200
    assert "A coffee" in answer.content.decode()


def test_nothing_is_taken_at_a_price_that_was_not_shown(shelf: Shop) -> None:
    ref = shelf.enrol()
    shelf.sale(ref, "80.00")
    client = visitor(ref)
    page = client.get("/portal/club/rewards/coffee").content.decode()
    seen = re.search(r'name="as_of" value="(\d+)"', page)
    assert seen is not None
    put(shelf, {**COFFEE, "prices": [{"points": {"stars": "70"}}]})
    form = {"once": once(page), "as_of": seen[1]}
    refused = client.post("/portal/club/rewards/coffee", form)
    assert refused.status_code == 409
    assert "Use 70.00\u00a0stars" in refused.content.decode()
    assert shelf.wallet(ref)["spendable"] == "80.00"
    fresh = re.search(r'name="as_of" value="(\d+)"', refused.content.decode())
    assert fresh is not None
    assert client.post("/portal/club/rewards/coffee", {**form, "as_of": fresh[1]}).status_code == 302
    assert shelf.wallet(ref)["spendable"] == "10.00"


# --- goods --------------------------------------------------------------------------------------------------

DESK = {"en": "The desk at the entrance", "fr": "L'accueil à l'entrée"}
MUG = {
    **COFFEE,
    "key": "mug",
    "name": {"en": "A mug", "fr": "Un mug"},
    "gives": {"kind": "merchandise", "shipped": False, "pickup": DESK},
}
HOME = {"name": "A. B.", "street": "1 rue Haute", "postcode": "75001", "city": "Paris", "country": "fr"}


def rich(shelf: Shop) -> tuple[str, Client]:
    """A member with 400 stars, and his browser."""
    ref = shelf.enrol()
    shelf.sale(ref, "400.00")
    return ref, visitor(ref)


def order_of(client: Client, key: str, **form: str) -> Any:
    """Orders as the page's form does."""
    token = once(client.get(f"/portal/club/rewards/{key}").content.decode())
    return client.post(f"/portal/club/rewards/{key}", {"once": token, **form})


def test_what_is_picked_up_asks_for_no_address_and_says_where(shelf: Shop) -> None:
    put(shelf, MUG)
    _, client = rich(shelf)
    page = client.get("/portal/club/rewards/mug").content.decode()
    assert "Street and number" not in page
    assert "Pick it up here: The desk at the entrance" in page
    ordered = order_of(client, "mug").url
    page = client.get(ordered).content.decode()
    assert "Pick it up here: The desk at the entrance" in page
    assert '<span class="chip accent">being got ready</span>' in page
    order = ordered.rsplit("/", 1)[1]
    assert shelf.post(f"/orders/{order}/fulfil").status == 200
    for address in (ordered, "/portal/club/mine"):
        assert "waiting for you" in client.get(address).content.decode(), address
    assert "Pick it up here: The desk at the entrance" in client.get(ordered).content.decode()
    assert shelf.post(f"/orders/{order}/ship", {"state": "handed_out"}).status == 200
    page = client.get(ordered).content.decode()
    assert "picked up" in page
    assert "Pick it up here" not in page


def test_an_address_is_whole_or_its_lack_is_named(shelf: Shop) -> None:
    put(shelf, {**MUG, "gives": {"kind": "merchandise"}})
    both = [{"reward": "mug"}, {"reward": "coffee"}]
    put(shelf, {**COFFEE, "key": "set", "gives": {"kind": "bundle", "rewards": both}})
    ref, client = rich(shelf)
    for wrong, said in (
        ({"country": "  "}, "Fill in the field “Country, two letters”."),
        ({"city": ""}, "Fill in the field “Town”."),
        ({"country": "é1"}, "Give the country by its two letters"),
        ({"country": "fra"}, "Give the country by its two letters"),
        ({"street": "x" * 201}, "The field “Street and number” holds 200 characters at most."),
    ):
        refused = order_of(client, "mug", **{**HOME, **wrong})
        assert refused.status_code == 422, wrong
        assert said in refused.content.decode(), wrong
    assert shelf.wallet(ref)["spendable"] == "400.00"
    for key in ("mug", "set"):
        ordered = order_of(client, key, **HOME)
        assert ordered.status_code == 302, ordered.content.decode()
        kept = shelf.get(f"/orders/{ordered.url.rsplit('/', 1)[1]}/address").json
        assert (kept["city"], kept["country"]) == ("Paris", "FR")


def test_what_was_cancelled_is_not_being_got_ready(shelf: Shop) -> None:
    put(shelf, MUG)
    _, client = rich(shelf)
    ordered = order_of(client, "mug").url
    assert "It is being got ready." in client.get(ordered).content.decode()
    assert client.post(f"{ordered}/cancel").status_code == 302
    page = client.get(ordered).content.decode()
    assert "Cancelled." in page
    assert "got ready" not in page
    assert "Pick it up here" not in page


# --- limits and stock ---------------------------------------------------------------------------------------


def test_a_limit_is_said_before_the_order_and_after(shelf: Shop) -> None:
    put(shelf, {**COFFEE, "limits": {"per_member_period": {"n": 1, "period": "day"}}})
    ref, client = rich(shelf)
    other = once(client.get("/portal/club/rewards/coffee").content.decode())
    assert order_of(client, "coffee").status_code == 302
    page = client.get("/portal/club/rewards/coffee").content.decode()
    said = "That was all for today: one person may have 1 of these in a day."
    assert said in page
    assert "Use 50" not in page
    refused = client.post("/portal/club/rewards/coffee", {"once": other})
    assert refused.status_code == 422
    assert f"{said} Nothing was taken from you." in refused.content.decode()
    assert "Use 50" not in refused.content.decode()
    assert shelf.wallet(ref)["spendable"] == "350.00"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"limits": {"per_member": 1}}, "That was all: one person may have 1 of these."),
        ({"limits": {"per_period": {"n": 1, "period": "month"}}}, "All there were for this month are taken."),
        ({"stock": 1}, "None of it is left."),
    ],
)
def test_what_is_used_up_is_not_offered(shelf: Shop, more: dict[str, Any], said: str) -> None:
    put(shelf, {**COFFEE, **more})
    _, client = rich(shelf)
    assert order_of(client, "coffee").status_code == 302
    page = client.get("/portal/club/rewards/coffee").content.decode()
    assert said in page
    assert "Use 50" not in page
    listed = client.get("/portal/club/rewards").content.decode()
    gone = listed.split("Not to be had just now")[1]
    assert said.rstrip(".") in gone
    assert "A coffee" in gone
    assert "A coffee" not in listed.split("Not to be had just now")[0]


def test_a_form_that_is_used_up_leaves_the_others(shelf: Shop) -> None:
    sizes = [{"key": key, "name": {"en": key, "fr": key}, "stock": 1} for key in ("small", "large")]
    put(shelf, {**COFFEE, "variants": sizes})
    _, client = rich(shelf)
    assert order_of(client, "coffee", variant="small").status_code == 302
    page = client.get("/portal/club/rewards/coffee").content.decode()
    small, large = re.findall(r'<input type="radio"[^>]*>', page)
    assert ("disabled" in small, "checked" in small) == (True, False)
    assert ("disabled" in large, "checked" in large) == (False, True)
    assert "Not to be had" not in client.get("/portal/club/rewards").content.decode()
    assert order_of(client, "coffee", variant="large").status_code == 302
    assert "None of it is left" in client.get("/portal/club/rewards").content.decode()


def test_a_bundle_is_used_up_with_a_part_of_it(shelf: Shop) -> None:
    """Those that have nothing of it stand as before."""
    put(shelf, {**COFFEE, "stock": 1})
    put(shelf, TEA)
    put(shelf, {**TEA, "key": "cake"})

    def bundle(key: str, *parts: str) -> None:
        of = {"kind": "bundle", "rewards": [{"reward": part} for part in parts]}
        put(shelf, {**COFFEE, "key": key, "name": {"en": f"The {key}", "fr": key}, "gives": of})

    bundle("pair", "tea", "coffee")
    bundle("teas", "tea", "cake")
    _, client = rich(shelf)
    page = client.get("/portal/club/rewards/pair").content.decode()
    assert re.findall(r"<li>(.*?)</li>", page.split("What is in it")[1]) == ["A tea", "A coffee"]
    assert "Not to be had" not in client.get("/portal/club/rewards").content.decode()
    assert order_of(client, "coffee").status_code == 302
    there, gone = client.get("/portal/club/rewards").content.decode().split("Not to be had just now")
    assert [name in gone for name in ("A coffee", "The pair", "The teas")] == [True, True, False]
    assert "The teas" in there
    assert "The pair" not in there


def test_why_it_is_not_available_is_the_true_reason(shelf: Shop) -> None:
    ref, client = rich(shelf)
    token = once(client.get("/portal/club/rewards/coffee").content.decode())
    put(shelf, {**COFFEE, "state": "paused"})
    for language, said in (
        ("en", "It is not offered now. Nothing was taken"),
        ("fr", "proposée en ce moment. Rien"),
    ):
        refused = client.post(
            "/portal/club/rewards/coffee", {"once": token}, headers={"accept-language": language}
        )
        assert refused.status_code == 422
        assert said in refused.content.decode().replace("&#x27;", "'")
    assert shelf.wallet(ref)["spendable"] == "400.00"


# --- several things -----------------------------------------------------------------------------------------

TEA = {**COFFEE, "key": "tea", "name": {"en": "A tea", "fr": "Un thé"}}


def test_a_choice_is_made_in_the_portal(shelf: Shop) -> None:
    put(shelf, {**TEA, "stock": 1})
    among = [{"reward": "coffee"}, {"reward": "tea", "quantity": 2}]
    put(
        shelf,
        {**COFFEE, "key": "either", "gives": {"kind": "choice", "rewards": among, "days_to_choose": 14}},
    )
    _, client = rich(shelf)
    page = client.get("/portal/club/rewards/either").content.decode()
    assert re.findall(r"<li>(.*?)</li>", page.split("To choose: 1 of these")[1]) == [
        "A coffee",
        "2 × A tea",
    ]
    ordered = order_of(client, "either").url
    page = client.get(ordered).content.decode()
    assert "to be chosen" in page
    choose = re.search(r'action="([^"]+/choose/\d+)"', page)
    assert choose is not None
    assert "2 × A tea" in page
    for wrong, said in (
        ("7", "Choose one of those shown."),
        ("²", "Choose one"),
        ("1", "None of it is left."),
    ):
        assert client.post(choose[1], {"choice": wrong}).url == ordered
        assert said in client.get(ordered).content.decode(), wrong
    assert visitor(shelf.enrol("other")).post(choose[1], {"choice": "0"}).status_code == 404
    assert client.post(choose[1], {"choice": "0"}).url == ordered
    page = client.get(ordered).content.decode()
    assert "Chosen." in page
    assert "<h2>A coffee</h2>" in page
    assert "Show the code" in page
    assert "/choose/" not in page
    client.post(choose[1], {"choice": "0"})
    assert "There is nothing to choose any more" in client.get(ordered).content.decode()


def test_what_is_chosen_and_sent_asks_where_to(shelf: Shop) -> None:
    lamp = {**COFFEE, "key": "lamp", "name": {"en": "A lamp"}, "gives": {"kind": "merchandise"}}
    put(shelf, lamp)
    among = [{"reward": "coffee"}, {"reward": "lamp"}]
    put(shelf, {**COFFEE, "key": "either", "gives": {"kind": "choice", "rewards": among, "pick": 2}})
    put(shelf, {**COFFEE, "key": "lucky", "gives": {"kind": "mystery", "options": among}})
    _, client = rich(shelf)
    assert 'name="street"' in client.get("/portal/club/rewards/lucky").content.decode()
    assert 'name="street"' not in client.get("/portal/club/rewards/either").content.decode()
    page = client.get("/portal/club/rewards/either").content.decode()
    assert re.findall(r"<li>(.*?)</li>", page.split("To choose: 2 of these")[1]) == ["A coffee", "A lamp"]
    ordered = order_of(client, "either").url
    page = client.get(ordered).content.decode()
    choose = re.search(r'action="([^"]+/choose/\d+)"', page)
    assert choose is not None
    assert page.count(">is sent to you<") == 1
    assert "Only if it is sent to you." in page
    # Not whole: the page is shown again with what was written, and nothing is chosen.
    where = {"name": "Ada", "street": "Rue Haute 1", "postcode": "1000", "city": "", "country": "be"}
    again = client.post(choose[1], {"choice": "1", **where})
    assert again.status_code == 422
    assert "“Town”" in again.content.decode()
    assert 'value="Rue Haute 1"' in again.content.decode()
    assert re.search(r'value="1" required checked', again.content.decode())
    assert client.post(choose[1], {"choice": "1", **where, "city": "Bruxelles"}).url == ordered
    page = client.get(ordered).content.decode()
    assert "<h2>A lamp</h2>" in page
    assert 'name="street"' not in page
    kept = shelf.get(f"/orders/{ordered.rsplit('/', 1)[1]}/address").json
    assert (kept["city"], kept["country"]) == ("Bruxelles", "BE")
    client.post(choose[1], {"choice": "1"})
    assert client.get(ordered).content.decode().count("<h2>A lamp</h2>") == 2


def test_things_of_one_order_are_told_apart(shelf: Shop) -> None:
    put(shelf, TEA)
    parts = [{"reward": "coffee"}, {"reward": "tea"}]
    put(shelf, {**COFFEE, "key": "both", "gives": {"kind": "bundle", "rewards": parts}})
    put(shelf, {**COFFEE, "key": "bag", "gives": {"kind": "mystery", "options": [{"reward": "tea"}] * 2}})
    _, client = rich(shelf)
    both = client.get(order_of(client, "both").url).content.decode()
    assert ("<h2>A coffee</h2>" in both, "<h2>A tea</h2>" in both) == (True, True)
    assert "<h2>A tea</h2>" in client.get(order_of(client, "bag").url).content.decode()
    assert "<h2>" not in client.get(order_of(client, "coffee").url).content.decode()


# --- the other language -------------------------------------------------------------------------------------


def switched(client: Client, page: Any, language: str = "fr") -> Any:
    """Where the language switch of a page leads."""
    again = re.search(r'name="next" value="([^"]*)"', page.content.decode())
    assert again is not None
    answer = client.post("/language", {"next": unescape(again[1]), "language": language})
    assert answer.status_code == 302
    return client.get(answer.url, follow=True)


def test_the_language_switch_keeps_what_the_page_is_about(shelf: Shop) -> None:
    """Also from a page that answers a form: to the page behind it, never to an address that is none."""
    _, client = rich(shelf)
    card = switched(client, client.get("/portal/club/card?for=use"))
    assert card.request["QUERY_STRING"] == "for=use"
    line = re.search(r'questions/new\?line=(\d+)"', client.get("/portal/club/history").content.decode())
    assert line is not None
    address = f"/portal/club/questions/new?line={line[1]}"
    asked = client.get(address)
    refused = client.post("/portal/club/questions/new", {"line": line[1], "text": ""})
    assert refused.status_code == 422
    for page in (asked, refused):
        found = switched(client, page)
        assert (found.status_code, found.request["QUERY_STRING"]) == (200, f"line={line[1]}")
    ordered = order_of(client, "coffee").url
    show = re.search(r'action="([^"]+/show/\d+)"', client.get(ordered).content.decode())
    assert show is not None
    assert switched(client, client.post(show[1])).request["PATH_INFO"] == ordered
    assert client.get(show[1]).url == ordered


def test_what_happens_at_an_hour_is_told_with_it(shelf: Shop) -> None:
    """A date that was chosen, a draw, a card whose end falls within a day: the day alone would come too late."""
    kitchen = {
        **COFFEE, "key": "kitchen", "gives": {"kind": "experience"},
        "slots": [{"key": "one", "starts_at": "2099-03-07T19:30:00+01:00", "ends_at": "2099-03-07T22:00:00+01:00",
                   "capacity": 5, "place": "Lyon"}],
    }  # fmt: skip
    put(shelf, kitchen)
    draw = {"kind": "sweepstake", "draw_at": "2099-12-20T18:00:00+01:00", "prizes": [{"reward": "coffee"}]}
    put(shelf, {**COFFEE, "key": "ticket", "gives": draw})
    ref = shelf.enrol()
    shelf.sale(ref, "100.00")
    client = visitor(ref)
    page = client.get("/portal/club/rewards/kitchen").content.decode()
    assert "7 March 2099, 19:30" in page
    placed = client.post("/portal/club/rewards/kitchen", {"once": once(page), "slot": "one"})
    assert placed.status_code == 302, placed.content.decode()
    order = client.get(placed.url, headers={"accept-language": "fr"}).content.decode()
    assert "7 mars 2099 à 19 h 30 · Lyon" in order
    assert "Draw: 20 December 2099, 18:00" in client.get("/portal/club/rewards/ticket").content.decode()
