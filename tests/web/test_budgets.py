"""What each page asks of the database: an exact number of statements, however much there is to show.

The pages are those that the resolver knows. Each is reached by links over a program with something of everything and
is counted twice: over what there is, and over twice as much.
"""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from bench import visits
from palier.activities.runtime import runtime
from palier.care import cases
from palier.engine.clock import moment
from palier.insights import operations as insights
from palier.ledger.seal import seal
from palier.members import refs
from palier.site import clock, database
from palier.site.environment import environment
from palier.staff import accounts, admission
from palier.web.widget import views as widget
from tests.api.paying import CASH, Paying
from tests.api.shop import Shop
from tests.web.addresses import Address, addresses
from tests.web.arcade import MUG, arcade, said
from tests.web.statements import counted
from tests.web.test_board import everything

FACES = ("", "portal", "till", "console", "widget")
BUDGET = {
    "console:brand": 4, "console:campaigns": 8, "console:component-themes": 0, "console:components": 2,
    "console:cost": 8, "console:desk:act": 5, "console:desk:approvals": 4, "console:desk:end-till": 7,
    "console:desk:end-tokens": 3, "console:desk:invite": 4, "console:desk:keys": 4, "console:desk:log": 5,
    "console:desk:new-key": 3, "console:desk:new-till": 4, "console:desk:person": 5,
    "console:desk:revoke-key": 4, "console:desk:staff": 4, "console:desk:till": 7,
    "console:desk:till-review": 8, "console:desk:tills": 8, "console:front": 7, "console:games": 8,
    "console:goals": 7, "console:leaving": 9, "console:own": 3, "console:own-authenticator": 2,
    "console:own-password": 2, "console:own-pin": 2, "console:own-recovery": 2, "console:partners": 7,
    "console:people:adjust": 7, "console:people:batch": 6, "console:people:case": 10,
    "console:people:cases": 6, "console:people:erase": 8, "console:people:export": 36,
    "console:people:history": 11, "console:people:history-sheet": 9, "console:people:import": 5,
    "console:people:import-progress": 5, "console:people:imports": 5, "console:people:member": 17,
    "console:people:members": 3, "console:people:merge": 7, "console:people:order": 8,
    "console:people:orders": 5, "console:people:orders-sheet": 4, "console:people:payout": 5,
    "console:people:payouts": 6, "console:people:payouts-sheet": 4, "console:people:persons": 7,
    "console:people:settlement-lines": 5, "console:people:settlements": 7, "console:people:statement": 7,
    "console:people:stock": 5, "console:people:suppliers": 5, "console:people:transfer": 7,
    "console:program": 15, "console:progress": 7, "console:prove-again": 2, "console:reward": 6,
    "console:reward-edit": 5, "console:reward-new": 4, "console:reward-picture": 4, "console:rewards": 10,
    "console:rules": 7, "console:set-up-chosen": 2, "console:set-up-gallery": 5, "console:set-up-member": 5,
    "console:sign-in": 1, "console:studio:backtest": 7, "console:studio:desk": 7, "console:studio:file": 5,
    "console:studio:front": 7, "console:studio:publish": 16, "console:studio:saves": 6,
    "console:studio:version": 6, "console:studio:version-file": 5, "console:tiers": 7, "front": 3,
    "health": 2, "portal:ask": 5, "portal:boards": 11, "portal:brand": 4, "portal:card": 5,
    "portal:case": 7, "portal:cases": 7, "portal:consents": 6, "portal:data": 5, "portal:devices": 9,
    "portal:door": 1, "portal:earn": 21, "portal:erase": 11, "portal:erased": 5, "portal:export": 32,
    "portal:friends": 10, "portal:game": 9, "portal:give": 8, "portal:goals": 6, "portal:history": 10,
    "portal:home": 11, "portal:inbox": 11, "portal:manifest": 4, "portal:me": 12, "portal:mine": 7, "portal:offline": 5,
    "portal:order": 7, "portal:pocket": 5, "portal:program": 5, "portal:quiz": 6, "portal:reward": 10,
    "portal:settings": 5, "portal:shelf": 9, "portal:survey": 6, "portal:terms": 9, "portal:worker": 4,
    "till:counter": 27, "till:enrol": 1, "till:manifest": 1, "till:shell": 1, "till:sign-in": 3,
    "till:unlock": 4, "till:worker": 1, "widget:sample": 5, "widget:script": 4,
}  # fmt: skip
"""Statements of each page, asked for again by somebody who is signed in."""
UNCOUNTED = {
    "picture": "bytes found by their hash, kept by whoever asked for a year",
    "set_language": "changes the language and goes back to where one was",
    "join": "leads on to the door",
    "portal:again": "shown once, of a form that came after its session had ended; it lists nothing",
    "portal:code": "shown while a code is waited for; it leads to the door otherwise",
    "portal:show": "leads on to the order, unless its form asks for the code",
    "portal:demo": "signs in by a link of a demonstration, and leads on",
    "portal:played": "what a play drew, whose address comes of the play alone; it lists nothing",
    "till:demo": "answers a link of a demonstration alone",
    "till:second": "shown between password and shift; it lists nothing",
    "till:pin": "shown between password and shift; it lists nothing",
    "console:second": "shown between password and console; it lists nothing",
    "console:welcome": "answers the link of an invitation alone; it lists nothing",
    "console:demo": "signs in by a link of a demonstration, and leads on",
    "console:set-up": "leads on to the next step of setting up",
    "console:set-up-first": "there while nobody has an account",
    "console:set-up-activity": "there until the first activity was sent",
    "console:set-up-done": "there for the program that was just set up",
    "console:people:import-refused": "a file that is sent as it is stored",
    "console:studio:run": "a backtest that was played; its result is one row, whatever it played",
    "console:studio:publish-version": "asked for a version that is not in force; it lists nothing",
    "console:desk:approval": "one question to a second person; it lists nothing",
}
"""Pages without a number, and why."""
FORMS = 405
"""What a page that only takes forms answers to whoever opens it."""


def program() -> dict[str, Any]:
    """The arcade, with campaigns and partners of a coalition, money to pay out, and pages that may show it."""
    made = arcade("full")
    full = everything()
    made["point_currencies"].append(CASH)
    made["campaigns"] = full["campaigns"]
    made["partners"] = full["partners"]
    made["widget"] = {"origins": ["https://shop.example.org"]}
    return made


class World:
    """A program with something of everything, that can have more of it."""

    def __init__(self) -> None:
        self.shop = Shop("full", program())
        self.member = self.shop.enrol()
        self.times = 0
        self.upload = ""
        survey = {
            "key": "visit",
            "name": said("Visit"),
            "questions": [{"key": "a", "kind": "nps", "text": said("?")}],
        }
        assert self.shop.call("PUT", "/surveys/visit", survey).status in (200, 201)
        self.paying = Paying(self.shop, self.member)
        self.owner = visits.owner_browser()
        self.grow()

    def grow(self) -> None:
        """As much again of everything that a page lists."""
        self.times += 1
        shop, times = self.shop, self.times
        for number in range(4):
            reward = {**MUG, "key": f"mug-{times}-{number}", "prices": [{"points": {"stars": "2"}}]}
            assert shop.call("PUT", f"/rewards/{reward['key']}", reward).status == 201
            shop.sale(self.member, "6.00", id=f"s{times}-{number}")
            other = shop.enrol(f"other-{times}-{number}")
            shop.sale(other, "30.00", id=f"o{times}-{number}")
            body = {"member": self.member, "reward": reward["key"]}
            assert shop.post("/orders", body, idempotency=f"order-{times}-{number}").status == 201
            if times > 1:
                self.paying.asked(other)
            shop.new_key(name=f"key-{times}-{number}")
            self._post("studio/begin", {"name": f"Draft {times}-{number}", "start": "version:1"})
            file = {"name": f"file-{times}-{number}.csv", "length": "40"}
            self.upload = str(self._post("imports/begin", file).json()["then"])
        with database.connect() as connection:
            found = runtime(connection, shop.key)
            assert found is not None
            for number in range(2):
                cases.open_case(
                    connection, found, member_id=refs.decode(self.member), text="Where?", once=f"c{times}-{number:09}",
                    now=clock.now(),
                )  # fmt: skip
                admission.invite(
                    connection, email=f"p{times}-{number}@example.org", name="P", now=clock.now(), actor="test",
                    grants=[accounts.Grant(shop.program_id, "analyst")],
                )  # fmt: skip
            connection.commit()
            seal(connection, now=moment(clock.now()))
            connection.commit()
            insights.count_all(connection, found, now=clock.now())

    def _post(self, path: str, form: dict[str, str]) -> Any:
        answer = self.owner.post(f"/console/full/{path}", form)
        assert answer.status_code in (200, 201, 302), (path, answer.status_code, answer.content[:300])
        return answer


@pytest.fixture
def world(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(environment(), "demo", True)
    widget._kept.clear()
    return World()


def reached(world: World) -> dict[str, tuple[Client, str]]:
    """Each page that is found by links, as somebody who may open it: one address of each name."""
    program = "full"
    member = visits.member_browser(program, refs.decode(world.member))
    with database.connect() as connection:
        found = runtime(connection, program)
        assert found is not None
        connection.rollback()
    tablet = visits.till_browser(found)
    till = f"/till/{program}/"
    tablet.post(f"{till}find", {"who": "2801"})
    tablet.post(f"{till}amount", {"amount": "25.00"})
    plain = {
        face: [one.path for one in addresses(face, program=program) if not one.objects] for face in FACES
    }
    member_page = f"/console/{program}/members/{world.member}"
    console = [
        "/console/",
        member_page,
        f"{member_page}/history",
        f"{world.upload}/progress",
        *plain["console"],
    ]
    pages: dict[str, tuple[Client, str]] = {}
    for browser, starts, spaces in (
        (member, [f"/portal/{program}/", *plain["portal"], *plain["widget"]], ("portal", "widget")),
        (world.owner, console, ("console",)),
        (tablet, plain["till"], ("till",)),
        (visits.browser(), ["/", "/console/sign-in", *plain["portal"], *plain["till"], *plain[""]],
         ("front", "health", "portal", "till", "console", "join")),
    ):  # fmt: skip
        for found_one in visits.crawl(browser, starts, spaces, few=1):
            pages.setdefault(found_one.name, (browser, found_one.path))
    return pages


def statements(browser: Client, path: str) -> int:
    """How many statements the page sends when it is opened again."""
    with counted() as sent:
        answer = browser.get(path)
        # What is sent in parts is read in parts.
        b"".join(answer)
    assert answer.status_code == 200, (path, answer.status_code)
    return len(sent)


def counts(pages: dict[str, tuple[Client, str]]) -> dict[str, int]:
    """The statements of each page, all having been opened once since anything changed."""
    with pytest.MonkeyPatch.context() as patch:
        # No minute passes meanwhile: that somebody is still there is noted once in so many.
        at = clock.now()
        patch.setattr(clock, "now", lambda: at)
        for browser, path in pages.values():
            browser.get(path)
        return {name: statements(*page) for name, page in pages.items()}


def test_every_page_keeps_to_its_budget_however_much_there_is(world: World) -> None:
    pages = reached(world)
    few = counts(pages)
    world.grow()
    many = counts(pages)
    assert {name: (few[name], count) for name, count in many.items() if count != few[name]} == {}
    other = {name: few.get(name) for name in few.keys() | BUDGET.keys() if few.get(name) != BUDGET.get(name)}
    assert not other, f"write these into BUDGET, or send fewer (None: not reached any more): {other}"


def test_no_page_is_without_a_budget_or_a_reason(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment(), "demo", True)
    owner = visits.owner_browser()

    def takes_forms_alone(one: Address) -> bool:
        return bool(owner.get(one.path).status_code == FORMS)

    missing = [
        one.name
        for one in addresses(*FACES)
        if one.name not in BUDGET and one.name not in UNCOUNTED and not takes_forms_alone(one)
    ]
    assert missing == [], "count its statements in BUDGET, or say in UNCOUNTED why not"
    assert not BUDGET.keys() & UNCOUNTED.keys()
