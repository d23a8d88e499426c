"""A program with everything to play and to work towards, and a browser signed in as one of its members."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.signing import dumps
from django.test import Client

from palier.site.environment import environment
from tests.api.shop import Shop, document


def said(words: str, french: str = "") -> dict[str, str]:
    return {"en": words, "fr": french or words}


def noun(key: str, one: str, other: str, **more: Any) -> dict[str, Any]:
    unit = {"one": one, "other": other}
    return {"key": key, "name": {"en": unit, "fr": unit}, **more}


def arcade(key: str = "arcade", **changes: Any) -> dict[str, Any]:
    """One star for each euro, a daily cap, a stamp card, a challenge, a streak with freezes, games, a quiz, friends."""
    made = document(key, name=said("The Arcade", "L'arcade"))
    made["point_currencies"] = [
        noun("stars", "star", "stars", value="0.05", icon="star",
             expiry={"kind": "end_of_month", "after_months": 12}, transferable=True),
        noun("coffees", "free coffee", "free coffees", kind="reward", value="2.5"),
        noun("explorer", "explorer badge", "explorer badges", kind="badge"),
        noun("regular", "regular badge", "regular badges", kind="badge"),
        noun("freezes", "freeze", "freezes", kind="token"),
    ]  # fmt: skip
    made["activity_types"] = [{"key": "asked", "name": said("A survey", "Une enquête")}]
    made["rules"] = [
        {
            "key": "base", "name": said("A star for every euro", "Une étoile par euro"), "on": "sale",
            "currency": "stars", "per_spend": {"points": "1", "every": "1"},
            "tier_multipliers": {"gold": "1.5"}, "caps": {"day": "120"},
        },
        {
            "key": "big", "name": said("Big basket", "Grand panier"), "on": "sale", "currency": "stars",
            "when": {"field": "amount", "at_least": "50"}, "fixed": "10",
        },
        {
            "key": "thanks", "name": said("Thanks for answering", "Merci de répondre"), "on": "asked",
            "currency": "stars", "fixed": "5",
        },
    ]  # fmt: skip
    made["goals"] = [
        {
            "key": "card", "name": said("Coffee card", "Carte de cafés"), "kind": "stamp_card", "on": ["sale"],
            "repeat": True,
            "steps": [
                {"at": "5", "name": said("Half way", "Moitié"), "grants": [{"currency": "stars", "points": "5"}]},
                {"at": "10", "name": said("A coffee", "Un café"), "grants": [{"currency": "coffees"}]},
            ],
        },
        {
            "key": "explore", "name": said("Explore three aisles", "Trois rayons à découvrir"), "kind": "challenge",
            "measure": "activities", "opt_in": True, "window": {"kind": "from_start", "days": 30},
            "steps": [{"at": "3", "name": said("Explorer", "Explorateur"), "grants": [{"currency": "explorer"}]}],
        },
        {
            "key": "month", "name": said("Spent this month", "Dépensé ce mois-ci"), "measure": "spend",
            "window": {"kind": "each", "period": "month"},
        },
    ]  # fmt: skip
    made["streaks"] = [
        {
            "key": "daily", "name": said("Every day", "Chaque jour"), "on": ["visit"], "freeze": "freezes",
            "steps": [
                {"at": 3, "grants": [{"currency": "stars", "points": "3"}]},
                {"at": 7, "grants": [{"currency": "regular"}]},
            ],
        }
    ]  # fmt: skip
    made["games"] = [
        {
            "key": "wheel", "name": said("The wheel", "La roue"), "kind": "wheel",
            "price": {"currency": "stars", "points": "5"}, "limits": {"day": 2},
            "prizes": [
                {"key": "coffee", "name": said("A coffee", "Un café"), "weight": 1, "stock": 50,
                 "grants": [{"currency": "coffees"}]},
                {"key": "ten", "name": said("Ten stars", "Dix étoiles"), "weight": 3,
                 "grants": [{"currency": "stars", "points": "10"}]},
                {"key": "none", "name": said("Nothing this time", "Rien cette fois"), "weight": 6},
            ],
        },
        {
            "key": "ticket", "name": said("Scratch card", "Carte à gratter"), "kind": "scratch_card",
            "limits": {"lifetime": 1},
            "prizes": [
                {"key": "star", "name": said("A star", "Une étoile"), "weight": 1, "grants": [{"currency": "stars"}]}
            ],
        },
    ]  # fmt: skip
    made["quizzes"] = [
        {
            "key": "coffee", "name": said("Do you know your coffee?", "Connaissez-vous votre café ?"), "attempts": 2,
            "questions": [
                {"text": said("Where does it grow?", "Où pousse-t-il ?"),
                 "answers": [{"text": said("On trees", "Sur des arbres"), "right": True},
                             {"text": said("In the sea", "Dans la mer")}]},
            ],
            "steps": [{"at": "1", "name": said("Well known", "Bien vu"),
                       "grants": [{"currency": "stars", "points": "4"}]}],
        }
    ]  # fmt: skip
    made["referral"] = {
        "when": {"field": "amount", "at_least": "20"}, "within_days": 60, "wait_days": 0, "most": 10,
        "referrer": [{"currency": "stars", "points": "20"}], "friend": [{"currency": "stars", "points": "10"}],
    }  # fmt: skip
    made["leaderboards"] = [
        {
            "key": "best", "name": said("Most bought this month", "Les plus gros achats du mois"), "goal": "month",
            "shown": 3, "prizes": [{"through": 1, "grants": [{"currency": "coffees"}]}],
        }
    ]  # fmt: skip
    return {**made, **changes}


MUG = {
    "key": "mug", "name": said("Enamel mug", "Tasse en émail"), "state": "live", "gives": {"kind": "service"},
    "prices": [{"points": {"stars": "100"}}],
}  # fmt: skip


def signed_in(shop: Shop, ref: str, monkeypatch: pytest.MonkeyPatch, **more: Any) -> Client:
    """A browser with the member's session, by the demonstration's own way in."""
    client = Client(SERVER_NAME="localhost", **more)
    with monkeypatch.context() as patch:
        patch.setattr(environment(), "demo", True)
        answer = client.get(f"/portal/{shop.key}/demo?as={dumps(ref, salt=f'demo {shop.key}')}")
    assert answer.status_code == 302
    return client
