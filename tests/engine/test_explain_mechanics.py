"""Explanations of goals, streaks, games, quizzes, memberships, friends and shared limits, word for word."""

from __future__ import annotations

from typing import Any

import pytest

from palier.engine.explain import Told, why_not
from palier.engine.facts import Fact, Inputs, Line, Reference
from palier.engine.program import Program
from tests.engine.test_explain import BASE, Story, at, document, sale, spaced


def words(en: str, fr: str) -> dict[str, str]:
    return {"en": en, "fr": fr}


def gift(points: str = "1", currency: str = "coffees") -> dict[str, str]:
    return {"currency": currency, "points": points}


def program(*rules: dict[str, Any], **rest: Any) -> Program:
    made = {
        "point_currencies": [
            {
                "key": "stars",
                "name": {
                    "en": {"one": "star", "other": "stars"},
                    "fr": {"one": "étoile", "other": "étoiles"},
                },
            },
            {
                "key": "coffees",
                "kind": "reward",
                "name": {
                    "en": {"one": "free coffee", "other": "free coffees"},
                    "fr": {"one": "café offert", "other": "cafés offerts"},
                },
            },
        ],
        **rest,
    }
    return document(*(rules or (BASE,)), **made)


def visit(when: str, name: str, **content: Any) -> Fact:
    return Fact("till", name, "visit", at(when), **content)


def act(kind: str, when: str, name: str = "a1", **attributes: Any) -> Fact:
    return Fact("till", name, kind, at(when), attributes=attributes)


def back(sale_name: str, when: str, **content: Any) -> Fact:
    return Fact("till", f"back_{sale_name}", "return", at(when), sale=Reference("till", sale_name), **content)


CARD = {
    "key": "card",
    "name": words("Coffee card", "Carte café"),
    "kind": "stamp_card",
    "on": ["visit"],
    "repeat": True,
    "steps": [{"at": "3", "name": words("Full", "Pleine"), "grants": [gift()]}],
}


def test_a_stamp_card() -> None:
    story = Story(program(goals=[CARD]))
    said = [story.say(story.decide(visit(f"2026-03-0{day} 10:00", f"v{day}"))) for day in (1, 2, 3, 4)]
    assert [english for english, _ in said] == [
        "stamp 1 of 3",
        "stamp 2 of 3",
        "Coffee card: stamp 3 of 3; Coffee card: 3rd stamp: 1 free coffee",
        "stamp 1 of 3",
    ]
    assert said[2][1] == "Carte café : tampon 3 sur 3 ; Carte café : 3e tampon : 1 café offert"
    told = story.decide(back("v2", "2026-03-05 10:00", whole=True))
    english, french = story.say(told)
    assert english == ("what it names is taken back; Coffee card: 4 - 1 = 3 of 3")
    told = story.decide(back("v3", "2026-03-06 10:00", whole=True))
    english, french = story.say(told)
    assert "Coffee card: 3 - 1 = 2 of 3" in english
    assert "Coffee card: 1 free coffee taken back (3rd stamp), because v3 was returned" in english
    assert "Carte café : reprise de 1 café offert (3e tampon), car v3 a été rendu" in french


def test_a_card_that_counts_money_has_no_stamps() -> None:
    """Whatever a goal is shown as, 30.00 is no 3000th stamp."""
    card = CARD | {"on": ["sale"], "measure": "spend", "steps": [{**CARD["steps"][0], "at": "30"}]}
    english, french = Story(program(goals=[card])).say(Story(program(goals=[card])).decide(sale(3000)))
    assert english.split("; ")[1:] == [
        "Coffee card: €0.00 + €30.00 = €30.00 of €30.00",
        "Coffee card: Full (€30.00): 1 free coffee",
    ]
    assert french.endswith("Carte café : Pleine (30,00 €) : 1 café offert")


def test_a_card_that_is_filled_as_often_as_it_can_be_has_no_next_round() -> None:
    step = {**CARD["steps"][0], "at": "20"}
    card = CARD | {"on": ["sale"], "measure": "spend", "most_rounds": 2, "steps": [step]}
    story = Story(program(goals=[card]))
    told = [
        story.say(story.decide(sale(cents, f"2026-03-0{day} 10:00", f"s{day}")))
        for day, cents in ((3, 3000), (4, 1500), (5, 1000))
    ]
    assert [english.split("; ")[1] for english, _ in told] == [
        "Coffee card: €0.00 + €30.00 = €30.00: €20.00 and €10.00 for the next round",
        "Coffee card: €10.00 + €15.00 = €25.00: €20.00 and €5.00 beyond the end",
        "Coffee card: finished, nothing more to reach",
    ]
    assert "20,00 € et 5,00 € au-delà de la fin" in told[1][1].replace("\u00a0", " ")
    assert told[2][1].endswith("terminé, plus rien à atteindre")


def test_stamps_by_the_unit_that_pass_the_end_of_the_card() -> None:
    card = CARD | {"on": ["sale"], "measure": "units", "most_per_day": 4, "free_unit": "cheapest"}
    story = Story(program(goals=[card]))
    lines = (Line(sku="a", quantity=2, amount=800), Line(sku="b", quantity=3, amount=900))
    english, french = story.say(story.decide(sale(1700, lines=lines)))
    assert english == (
        "base: €17.00 × 1 star = 17; "
        "Coffee card: stamps: 0 + 4 = 4: 3 and 1 for the next round (at most 4 a day); "
        "Coffee card: 3rd stamp: 1 free coffee, worth at most €3.00"
    )
    assert "tampons : 0 + 4 = 4 : 3 et 1 pour le tour suivant (au plus 4 par jour)" in french


def test_spend_by_steps() -> None:
    goal = {
        "key": "year",
        "name": words("This year", "Cette année"),
        "measure": "spend",
        "steps": [
            {"at": "50", "name": words("Half way", "Mi-chemin"), "grants": [gift("20", "stars")]},
            {"at": "100", "name": words("There", "Arrivée"), "grants": [gift()]},
        ],
    }
    story = Story(program(goals=[goal]))
    assert story.say(story.decide(sale(2000))) == (
        "base: €20.00 × 1 star = 20; This year: €0.00 + €20.00 = €20.00 of €50.00",
        "base : 20,00 € × 1 étoile = 20 ; Cette année : 0,00 € + 20,00 € = 20,00 € sur 50,00 €",
    )
    english, _ = story.say(story.decide(sale(4210, "2026-03-04 10:00", "s2")))
    assert english == (
        "base: €42.10 × 1 star = 42; This year: €20.00 + €42.10 = €62.10 of €100.00; "
        "This year: Half way (€50.00): 20 stars"
    )
    english, french = story.say(story.decide(back("s1", "2026-03-05 10:00", whole=True)))
    assert "This year: €62.10 - €20.00 = €42.10 of €50.00" in english
    assert "This year: 20 stars taken back (Half way (€50.00)), because s1 was returned" in english
    assert "Cette année : reprise de 20 étoiles (Mi-chemin (50,00 €)), car s1 a été rendu" in french


def test_why_a_goal_did_not_count() -> None:
    card = CARD | {"on": ["sale"], "when": {"field": "amount", "at_least": "5"}}
    other = CARD | {"key": "other", "name": words("Other", "Autre"), "on": ["sale"], "opt_in": True}
    story = Story(program(goals=[card, other]))
    told = story.decide(sale(400))
    assert told.fact is not None
    said = [
        [spaced(text) for text in why_not(story.plan, told.fact, told.trace, language)]
        for language in ("en", "fr")
    ]
    assert said == [
        [
            "Coffee card: would have counted (amount: €4.00, needed at least €5.00)",
            "Other: counts for those who take part",
        ],
        [
            "Carte café : aurait compté (montant : 4,00 €, il fallait au moins 5,00 €)",
            "Autre : compte pour qui y participe",
        ],
    ]
    assert story.say(story.decide(act("opt_in", "2026-03-03 11:00", goal="other"))) == (
        "taking part from now on",
        "participe à partir de maintenant",
    )


STREAK = {
    "key": "daily",
    "name": words("Every day", "Tous les jours"),
    "freeze": "tokens",
    "steps": [{"at": 2, "grants": [gift("10", "stars")]}],
}
TOKENS = {
    "key": "tokens",
    "kind": "token",
    "name": {"en": {"one": "token", "other": "tokens"}, "fr": {"one": "jeton", "other": "jetons"}},
}


def with_tokens(**rest: Any) -> Program:
    currencies = [
        *({"key": c.key, "name": {"en": {"one": c.name.en.one, "other": c.name.en.other},
                                  "fr": {"one": c.name.fr.one, "other": c.name.fr.other}}}
          for c in program().point_currencies if c.name.en and c.name.fr),
        TOKENS,
    ]  # fmt: skip
    return program(point_currencies=currencies, **rest)


def test_a_streak_and_its_token() -> None:
    story = Story(with_tokens(streaks=[STREAK]))
    story.decide(Fact("console", "t", "adjust", at("2026-03-01 09:00"), points=1, currency="tokens"))
    assert story.say(story.decide(visit("2026-03-01 10:00", "v1")))[0] == "streak of 1 day"
    assert story.say(story.decide(visit("2026-03-01 11:00", "v2"))) == (
        "streak of 1 day, as before",
        "série de 1 jour, comme avant",
    )
    assert story.say(story.decide(visit("2026-03-02 10:00", "v3"))) == (
        "Every day: streak of 2 days; Every day: streak of 2 days: 10 stars",
        "Tous les jours : série de 2 jours ; Tous les jours : série de 2 jours : 10 étoiles",
    )
    story.decide(visit("2026-03-10 10:00", "v4"))
    assert story.say(story.due("streak_saved")) == (
        "1 token saved the streak of 2 days",
        "1 jeton a sauvé la série de 2 jours",
    )
    assert story.say(story.due("streak_lapsed")) == (
        "the streak of 2 days ended",
        "fin de la série de 2 jours",
    )


GAME = {
    "key": "wheel",
    "name": words("Wheel", "Roue"),
    "price": gift("5", "stars"),
    "prizes": [
        {"key": "none", "name": words("Nothing", "Rien"), "weight": 15},
        {"key": "cup", "name": words("Coffee", "Café"), "weight": 5, "grants": [gift()], "stock": 1},
    ],
}


@pytest.mark.parametrize(
    ("draw", "stock", "english", "french"),
    [
        (
            "00",
            {},
            "5 stars to play; Wheel: drew 0.6271: field 1 of 2, chance 75%: Nothing",
            "5 étoiles pour jouer ; Roue : tirage 0,6271 : case 1 sur 2, 75 % de chances : Rien",
        ),
        (
            "03",
            {"prize:wheel:cup": 1},
            "5 stars to play; Wheel: drew 0.8512: field 2 of 2, chance 1 in 4; Wheel: Coffee: 1 free coffee",
            "5 étoiles pour jouer ; Roue : tirage 0,8512 : case 2 sur 2, 1 chance sur 4 ; Roue : Café : 1 café offert",
        ),
        (
            "03",
            {},
            "5 stars to play; Wheel: drew 0.8512: field 2 of 2, chance 1 in 4; sold out, nothing won",
            "5 étoiles pour jouer ; Roue : tirage 0,8512 : case 2 sur 2, 1 chance sur 4 ; épuisé, rien de gagné",
        ),
    ],
)
def test_a_play(draw: str, stock: dict[str, int], english: str, french: str) -> None:
    story = Story(program(games=[GAME]))
    story.decide(sale(1000))
    told = story.decide(
        act("play", "2026-03-03 11:00", game="wheel"), Inputs(draw=draw, allotted=stock), live=False
    )
    said = story.say(
        Told(told.type, told.trace, told.at, told.transfers, told.fact, told.expiries, draw=draw)
    )
    assert said == (english, french)


def test_a_quiz_a_membership_a_friend() -> None:
    quiz = {
        "key": "quiz",
        "name": words("Tea quiz", "Quiz du thé"),
        "questions": [
            {
                "text": words("?", "?"),
                "answers": [{"text": words("a", "a"), "right": True}, {"text": words("b", "b")}],
            }
        ]
        * 2,
        "steps": [{"at": "1", "name": words("Well done", "Bravo"), "grants": [gift("5", "stars")]}],
    }
    club = {
        "key": "club",
        "name": words("Club card", "Carte du club"),
        "fee": "30",
        "months": 12,
        "grants": [gift("2")],
    }
    friend = {"referrer": [gift("8", "stars")], "friend": [gift("9", "stars")], "wait_days": 14}
    story = Story(program(quizzes=[quiz], memberships=[club], referral=friend))
    assert story.say(story.decide(act("quiz", "2026-03-01 10:00", "q1", quiz="quiz", answers="1,2"))) == (
        "Tea quiz: 1 right of 2; Tea quiz: Well done: 5 stars",
        "Quiz du thé : 1 bonne réponse sur 2 ; Quiz du thé : Bravo : 5 étoiles",
    )
    fee = Fact("till", "f1", "fee", at("2026-03-02 10:00"), 3000, attributes={"membership": "club"})
    assert story.say(story.decide(fee)) == (
        "Club card: member until 2 March 2027, 10:00; Club card: +2 free coffees",
        "Carte du club : adhésion jusqu'au 2 mars 2027 à 10 h ; Carte du club : +2 cafés offerts",
    )
    story.decide(Fact("till", "j", "joined", at("2026-03-03 10:00"), other_member="m_1"))
    english, french = story.say(story.decide(sale(1000, "2026-03-03 11:00")))
    assert english == (
        "base: €10.00 × 1 star = 10; for coming through a friend: 9 stars, to spend from 17 March 2026"
    )
    assert french.endswith("pour être venu grâce à un ami : 9 étoiles, utilisables à partir du 17 mars 2026")
    english, french = story.say(story.decide(back("s1", "2026-03-04 10:00", whole=True)))
    assert "9 stars taken back (for coming through a friend), because s1 was returned" in english


def test_a_shared_limit_that_cut() -> None:
    spring = {
        "key": "spring",
        "name": words("Spring", "Printemps"),
        "rules": [
            {
                "key": "bonus",
                "name": words("Bonus", "Bonus"),
                "on": "sale",
                "currency": "stars",
                "fixed": "50",
            }
        ],
        "budget": {"points": "1000"},
    }
    story = Story(program(campaigns=[spring]))
    english, french = story.say(story.decide(sale(1000), Inputs(allotted={"campaign:spring": 12})))
    assert english.endswith("Bonus: bonus of 50 stars · budget of Spring: 12 left → 12")
    assert french.endswith("Bonus : bonus de 50 étoiles · budget de Printemps : reste 12 → 12")


def test_a_prize_a_dividend_a_gift_of_a_tier_and_a_friend_won() -> None:
    goal = {
        "key": "visits",
        "name": words("Visits", "Visites"),
        "on": ["visit"],
        "window": {"kind": "each", "period": "month"},
    }
    board = {
        "key": "best",
        "name": words("Best of the month", "Meilleurs du mois"),
        "goal": "visits",
        "prizes": [{"through": 3, "grants": [gift("2")]}],
    }
    tiers = {
        "tiers": [
            {"key": "green", "name": words("Green", "Vert")},
            {
                "key": "gold",
                "name": words("Gold", "Or"),
                "qualify": {"all": [{"metric": "spend", "at_least": "5"}]},
                "grants": [gift()],
            },
        ],
        "window": {"kind": "lifetime"},
    }
    friend = {"referrer": [gift("8", "stars")], "friend": [gift("9", "stars")], "wait_days": 0}
    story = Story(program(goals=[goal], leaderboards=[board], tiers=tiers, referral=friend))
    prize = act("prize", "2026-03-01 10:00", "p1", leaderboard="best", rank=2)
    assert story.say(story.decide(prize)) == ("place 2: 2 free coffees", "place 2 : 2 cafés offerts")
    share = Fact("palier", "d1", "dividend", at("2026-03-02 10:00"), points=120, currency="stars")
    assert story.say(story.decide(share)) == ("yearly share: +120 stars", "part annuelle : +120 étoiles")
    english, french = story.say(story.decide(sale(1000)))
    assert "Gold reached for the first time: 1 free coffee" in english
    assert "niveau Or atteint pour la première fois : 1 café offert" in french
    won = Fact("palier", "c1", "friend_converted", at("2026-03-04 10:00"))
    assert story.say(story.decide(won)) == (
        "a friend brought here: 8 stars",
        "pour un ami venu grâce à ce membre : 8 étoiles",
    )


def test_what_a_goal_counts_once_has_the_shops_names() -> None:
    def seen(distinct: str, fact: Fact) -> tuple[str, str]:
        goal = {
            "key": "tour",
            "name": words("Tour", "Tour"),
            "measure": "distinct",
            "distinct": distinct,
            "steps": [{"at": "9", "name": words("All", "Tous")}],
        }
        called = {
            "category": {"DELI": words("the deli counter", "traiteur")},
            "location": {"s1": words("Main Street", "Grand-Rue")},
        }
        story = Story(program(goals=[goal], names=called))
        english, french = story.say(story.decide(fact))
        return english.rpartition("Tour: ")[2], french.rpartition("Tour : ")[2]

    lines = (Line("DELI", amount=500), Line("DRUG GM", amount=500))
    assert seen("category", sale(1000, lines=lines)) == (
        "the deli counter, DRUG GM: 0 + 2 = 2 of 9",
        "traiteur, DRUG GM : 0 + 2 = 2 sur 9",
    )
    assert seen("location", sale(1000, location="s1")) == (
        "Main Street: 0 + 1 = 1 of 9",
        "Grand-Rue : 0 + 1 = 1 sur 9",
    )
    assert seen("day", sale(1000, "2026-03-02 10:00")) == (
        "2 March 2026: 0 + 1 = 1 of 9",
        "2 mars 2026 : 0 + 1 = 1 sur 9",
    )
