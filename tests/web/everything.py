"""One program with something of everything, and people who did all of it: what the tour of the faces goes through."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Final

import msgspec
from django.core.files.uploadedfile import SimpleUploadedFile

from palier.activities.runtime import runtime
from palier.connectors.suppliers.sample import DOCUMENT
from palier.insights import operations as insights
from palier.jobs.backtests import play_next
from palier.ledger import seal
from palier.programs import gallery
from palier.rewards import files, operations, suppliers
from palier.site import clock, database
from tests.api.paying import CASH, Paying
from tests.api.shop import Shop, now_text, program_of
from tests.web.arcade import arcade, said
from tests.web.staff import staff_client

KEY: Final = "everything"
LONG: Final = "Marie-Antoinette de la Rochefoucauld-Dupré"
"""A name of forty letters and a little more."""
MUCH: Final = 1_234_567
"""Points that make a number long."""
ADDRESS: Final = {
    "name": LONG, "lines": ["12 rue de la République"], "postcode": "69002", "city": "Lyon", "country": "FR",
}  # fmt: skip
ORDERED: Final[dict[str, dict[str, Any]]] = {
    "coffee_cup": {}, "dollars_off": {"variant": "five"}, "deliveries": {},
    "apron": {"variant": "medium", "address": ADDRESS}, "your_choice": {}, "winter_meals": {},
    "steel_bottle": {"address": ADDRESS},
    "fruit_box": {}, "breakfast_for_two": {}, "surprise_bag": {},
}  # fmt: skip
"""Rewards that the member has ordered: of every kind that looks otherwise."""


def program() -> dict[str, Any]:
    """The grocery of the gallery with what the arcade plays, money, partners, a campaign, and rules for staff."""
    entry = gallery.find("grocery")
    assert entry is not None
    made: dict[str, Any] = msgspec.to_builtins(entry.program())
    games = arcade()
    made["key"] = KEY
    # Money goes to bank accounts in euros.
    made["currency"] = "EUR"
    made["effective_from"] = "2020-01-01T00:00:00+01:00"
    for key in ("goals", "streaks", "games", "quizzes", "referral", "leaderboards", "activity_types"):
        made[key] = games[key]
    there = {one["key"] for one in made["point_currencies"]}
    made["point_currencies"] += [one for one in [*games["point_currencies"], CASH] if one["key"] not in there]
    made["rules"] += [games["rules"][-1]]
    made["member_attributes"] = {"first_name": {"type": "text"}, "birthday": {"type": "date"}}
    made["birth_date"] = "birthday"
    made["brand"] = {"accent": "#7a2e8e"}
    made["widget"] = {"origins": ["https://shop.example.org"]}
    made["campaigns"] = [
        {
            "key": "spring", "name": said("Spring", "Printemps"), "budget": {"points": "5000"},
            "rules": [{"key": "spring_bonus", "name": said("A spring bonus", "Un bonus de printemps"), "on": "sale",
                       "currency": "stars", "fixed": "19"}],
        }
    ]  # fmt: skip
    made["partners"] = [
        {
            "key": "bakery", "name": said("The bakery", "La boulangerie"), "currency": "stars",
            "agreements": [{"from": "2020-01-01", "issue_price": "0.012", "burn_price": "0.009"}],
            "benefits": [said("A loaf for 300 stars", "Un pain pour 300 étoiles")],
        }
    ]  # fmt: skip
    made["adjustments"] = {
        "limits": [{"currency": "stars", "at_once": "2000000", "approval_above": "1500000"}]
    }
    return made


class Everything:
    """The program and what happened in it. `member` did everything, `newcomer` nothing at all."""

    def __init__(self) -> None:
        self.program = program()
        self.shop = Shop(KEY, self.program)
        self._stock()
        self.member = self._enrolled(LONG, card="2801", email="camille@example.org")
        self.newcomer = self._enrolled("Ada", card="2802", email="ada@example.org")
        self._bought()
        self._ordered()
        self.paying = Paying(self.shop, self.member)
        self.owner = staff_client("owner", self.shop.program_id)
        self._told()
        self._staffed()
        with database.connect("app") as connection:
            while seal.seal(connection, now=datetime.now(UTC)):
                connection.commit()
            found = runtime(connection, KEY)
            assert found is not None
            insights.count_all(connection, found, now=clock.now())
            connection.commit()

    def _stock(self) -> None:
        entry = gallery.find("grocery")
        assert entry is not None
        assert entry.rewards is not None
        with database.connect("app") as connection:
            found = runtime(connection, KEY)
            assert found is not None
            with NamedTemporaryFile("w", suffix=".yaml") as file:
                file.write(entry.rewards.read_text().replace("USD", "EUR"))
                file.flush()
                read = files.read(Path(file.name), program_of(self.program))
            operations.write(connection, found, read.rewards, by="test", reason="test", now=clock.now())
            suppliers.put(
                connection, self.shop.program_id, suppliers.read(DOCUMENT), by="test", now=clock.now()
            )
            connection.commit()

    def _enrolled(self, name: str, **identities: str) -> str:
        found = self.shop.post("/members", {"identities": identities, "attributes": {"first_name": name}})
        assert found.status == 201, found.content
        return str(found.json["member"])

    def _bought(self) -> None:
        for number in range(12):
            self.shop.sale(self.member, "11.50", at=now_text(-40 + 3 * number))
        for number in range(5):
            self.shop.sale(self._enrolled(f"N{number}", card=f"29{number}"), f"{100 + 70 * number}.00")
        self.shop.post("/activities", {"source": "bakery", "id": "b1", "type": "sale", "occurred_at": now_text(),
                                       "member": self.member, "amount": "80.00", "partner": "bakery"})  # fmt: skip
        self.shop.post("/activities", {"source": "till", "id": "v1", "type": "visit", "member": self.member,
                                       "occurred_at": now_text()})  # fmt: skip
        given = {"member": self.member, "currency": "stars", "points": str(MUCH), "reason": "goodwill"}
        found = self.shop.post("/adjustments", given)
        assert found.status == 201, found.content

    def _ordered(self) -> None:
        for reward, more in ORDERED.items():
            found = self.shop.post("/orders", {"member": self.member, "reward": reward, **more})
            assert found.status == 201, (reward, found.content)

    def _told(self) -> None:
        """Questions of the member, and a survey that he is asked."""
        survey = {
            "key": "visit", "name": said("Your last visit", "Votre dernière visite"), "activity": "asked",
            "intro": said("Two questions, five stars.", "Deux questions, cinq étoiles."),
            "questions": [
                {"key": "again", "kind": "nps",
                 "text": said("Would you recommend us?", "Nous recommanderiez-vous ?")},
                {"key": "why", "kind": "text", "text": said("Why?", "Pourquoi ?")},
            ],
        }  # fmt: skip
        assert self.shop.call("PUT", "/surveys/visit", survey).status in (200, 201)
        opened = self.shop.post(f"/members/{self.member}/cases", {"text": "Two stars are missing."})
        assert opened.status == 201, opened.content

    def _staffed(self) -> None:
        """What staff leave behind: a draft that was played and one to approve, a file, an approval, an invitation."""
        root = f"/console/{KEY}"
        draft = self.owner.post(f"{root}/studio/begin", {"name": "Summer", "start": "version:1"})["Location"]
        self.owner.post(f"{draft.partition('?')[0]}/backtest", {"amount": "", "points": ""})
        with database.connect("app") as connection:
            play_next(connection)
        body = b"id,date,customer,total\nT1,2026-03-01T10:00:00Z,k1,5.00\n"
        self.owner.post(f"{root}/imports/begin", {"file": SimpleUploadedFile("march.csv", body)})
        asked = {"currency": "stars", "points": "1600000", "reason": "goodwill", "direction": "give"}
        self.owner.post(f"{root}/members/{self.newcomer}/adjust", {**asked, "sure": "yes"})
        bob = {"role": "cashier", "language": "fr", "email": "bob@example.org", "name": "Bob"}
        invited = self.owner.post(f"{root}/staff/invite", bob).content.decode()
        link = re.search(r"/console/welcome-to/[\w-]+", invited)
        assert link is not None
        self.welcome = link[0]
