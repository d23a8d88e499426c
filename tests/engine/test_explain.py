"""Explanations: exact sentences in both languages, each recomputed from the numbers of its trace."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from palier.engine.amounts import divide, ratio, to_minor
from palier.engine.check import check, errors
from palier.engine.clock import instant
from palier.engine.decide import Fold
from palier.engine.decisions import Decision
from palier.engine.explain import Told, lines, sentence, why_not
from palier.engine.facts import (
    BUILT_IN,
    COMMANDS,
    DERIVED,
    MADE,
    Fact,
    Inputs,
    Known,
    Line,
    Reference,
    Tender,
)
from palier.engine.phrases import activity_name
from palier.engine.plan import Plan, Timeline
from palier.engine.program import Program
from palier.engine.state import NEVER

PARIS = ZoneInfo("Europe/Paris")
NARROW, NBSP = "\u202f", "\u00a0"


def spaced(text: str) -> str:
    """A sentence as a person types it: here every no-break space is written as a plain one."""
    return text.replace(NARROW, " ").replace(NBSP, " ").replace("\u2212", "-")


def document(*rules: dict[str, Any], points: dict[str, Any] | None = None, **rest: Any) -> Program:
    made = msgspec.convert(
        {
            "palier": 1,
            "key": "club",
            "name": {"en": "Club", "fr": "Club"},
            "time_zone": "Europe/Paris",
            "currency": "EUR",
            "effective_from": "2020-01-01T00:00:00+00:00",
            "point_currencies": [
                {
                    "key": "stars",
                    "name": {
                        "en": {"one": "star", "other": "stars"},
                        "fr": {"one": "étoile", "other": "étoiles"},
                    },
                    **(points or {}),
                }
            ],
            "rules": [
                {"name": {"en": rule["key"], "fr": rule["key"]}, "on": "sale", "currency": "stars", **rule}
                for rule in rules
            ],
            "tiers": {
                "tiers": [
                    {"key": "green", "name": {"en": "Green", "fr": "Vert"}},
                    {
                        "key": "gold",
                        "name": {"en": "Gold", "fr": "Or"},
                        "qualify": {"all": [{"metric": "spend", "at_least": "500"}]},
                    },
                ],
                "window": {"kind": "lifetime"},
            },
            **rest,
        },
        Program,
    )
    assert errors(check(made)) == []
    return made


def at(text: str) -> int:
    return instant(datetime.fromisoformat(text).replace(tzinfo=PARIS))


def sale(cents: int, when: str = "2026-03-03 10:00", name: str = "s1", **content: Any) -> Fact:
    return Fact("till", name, "sale", at(when), cents, **content)


class Story:
    """One member's decisions, in order, and how they are told."""

    def __init__(self, program: Program) -> None:
        self.plan = Plan(program, 1)
        self.fold = Fold(Timeline([(0, NEVER, self.plan)]), keep_records=True)

    def decide(self, fact: Fact, inputs: Inputs | None = None, live: bool = False) -> Told:
        known = Known(fact, inputs or Inputs(), 7)
        answer = self.fold.decide(known, live=live)
        assert isinstance(answer, Decision), answer
        return self.told(answer, fact)

    def told(self, decision: Decision, fact: Fact | None = None) -> Told:
        lots = {lot.id: lot.expires_at for wallet in self.fold.state.wallets.values() for lot in wallet.lots}
        return Told(decision.type, decision.trace, decision.at, decision.transfers, fact, lots)

    def due(self, kind: str) -> Told:
        return self.told(next(item for item in self.fold.decisions if item.type == kind))

    def say(self, told: Told) -> tuple[str, str]:
        return spaced(sentence(told, self.plan, "en")), spaced(sentence(told, self.plan, "fr"))


BASE = {"key": "base", "per_spend": {"points": "1"}}


def recomputed(plan: Plan, told: Told) -> list[int]:
    """What each rule earned, from the numbers of the trace and the document alone."""
    earned = []
    trace = told.trace
    for item in trace.rules:
        rule = plan.rules[item.rule]
        written = next(r for r in plan.program.rules if r.key == item.rule)
        scale = plan.currencies[item.currency].scale
        if written.fixed is not None:
            raw = to_minor(written.fixed, scale)
        elif written.multiply is not None:
            top, bottom = ratio(written.multiply)
            raw = divide(item.base * (top - bottom), bottom, written.rounding.mode)
        elif written.per_unit is not None:
            top, bottom = ratio(written.per_unit)
            raw = divide(item.base * top * 10**scale, bottom, written.rounding.mode)
        else:
            assert written.per_spend is not None
            numerator = item.base * rule.numerator + trace.carry.get(item.rule, (0, 1))[0]
            raw = divide(numerator, rule.denominator, written.rounding.mode)
        assert raw == item.raw
        points = raw
        times = (written.tier_multipliers or {}).get(trace.tier)
        if times is not None:
            points = divide(raw * ratio(times)[0], ratio(times)[1], written.rounding.mode)
        assert points == item.multiplied
        if item.limit:
            points = min(points, trace.rooms.get(item.limit, points))
        earned.append(points)
    return earned


CASES: list[tuple[str, Program, list[Fact], str, str]] = [
    (
        "spend",
        document(BASE),
        [sale(4210)],
        "€42.10 × 1 star = 42",
        "42,10 € × 1 étoile = 42",
    ),
    (
        "a step of five euros",
        document({"key": "base", "per_spend": {"points": "2", "every": "5"}}),
        [sale(4210)],
        "€42.10 ÷ €5.00 × 2 stars = 16",
        "42,10 € ÷ 5,00 € × 2 étoiles = 16",
    ),
    (
        "tier and daily cap",
        document({**BASE, "tier_multipliers": {"gold": "1.5"}, "caps": {"day": "60"}}),
        [sale(50000, "2026-02-01 10:00", "s0"), sale(4210)],
        "€42.10 × 1 star = 42 · Gold × 1.5 = 63 · daily cap 60 → 60",
        "42,10 € × 1 étoile = 42 · Or × 1,5 = 63 · plafond du jour 60 → 60",
    ),
    (
        "what was left under a cap",
        document({**BASE, "caps": {"day": "60"}}),
        [sale(4800, "2026-03-03 09:00", "s0"), sale(4210)],
        "€42.10 × 1 star = 42 · daily cap 60, 12 left → 12",
        "42,10 € × 1 étoile = 42 · plafond du jour 60, reste 12 → 12",
    ),
    (
        "thousands",
        document(BASE, tiers=None),
        [sale(123456789)],
        "€1,234,567.89 × 1 star = 1,234,567",
        "1 234 567,89 € × 1 étoile = 1 234 567",
    ),
    (
        "decimals of points, rounded up",
        document(
            {"key": "base", "per_spend": {"points": "0.035"}, "rounding": {"mode": "ceiling"}},
            points={"scale": 2},
        ),
        [sale(4210)],
        "€42.10 × 0.035 stars = 1.48 (rounded up)",
        "42,10 € × 0,035 étoile = 1,48 (arrondi au-dessus)",
    ),
    (
        "units",
        document({"key": "units", "per_unit": "2.5", "lines": {"field": "category", "is": "BREAD"}}),
        [
            sale(
                1000,
                lines=(Line("BREAD", quantity=3, amount=600), Line("MILK", quantity=4, amount=400)),
            )
        ],
        "3 items × 2.5 stars = 7",
        "3 articles × 2,5 étoiles = 7",
    ),
    (
        "a bonus",
        document({"key": "bonus", "fixed": "75"}),
        [sale(4210)],
        "bonus of 75 stars",
        "bonus de 75 étoiles",
    ),
    (
        "carried remainder",
        document({"key": "base", "per_spend": {"points": "1"}, "rounding": {"per": "carry"}}),
        [sale(190, "2026-03-01 10:00", "s0"), sale(4210)],
        "€42.10 × 1 star + 0.9 carried over = 43 (0 carried on)",
        "42,10 € × 1 étoile + 0,9 reporté = 43 (reste 0)",
    ),
    (
        "tenders at their rates",
        document({**BASE, "tenders": {"card": "2"}}),
        [sale(4210, tenders=(Tender("card", 3000), Tender("cash", 1210)))],
        "€30.00 (card) × 2 stars + €12.10 (cash) × 1 star = 72",
        "30,00 € (card) × 2 étoiles + 12,10 € (cash) × 1 étoile = 72",
    ),
    (
        "pending",
        document({**BASE, "pending": {"kind": "days", "days": 2}}),
        [sale(4210)],
        "€42.10 × 1 star = 42 · to spend from 5 March 2026",
        "42,10 € × 1 étoile = 42 · utilisable à partir du 5 mars 2026",
    ),
    (
        "two rules",
        document(BASE, {"key": "double", "multiply": "2"}),
        [sale(4210)],
        "base: €42.10 × 1 star = 42; double: 42 stars × 2 - 42 = 42",
        "base : 42,10 € × 1 étoile = 42 ; double : 42 étoiles × 2 - 42 = 42",
    ),
    (
        "nothing",
        document({**BASE, "when": {"field": "amount", "at_least": "1000"}}),
        [sale(4210)],
        "no rule brought points",
        "aucune règle n'a rapporté de points",
    ),
    (
        "a tier reached",
        document(BASE),
        [sale(50000)],
        "base: €500.00 × 1 star = 500; Gold reached",
        "base : 500,00 € × 1 étoile = 500 ; niveau Or atteint",
    ),
]


@pytest.mark.parametrize(
    ("program", "facts", "english", "french"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_earning(program: Program, facts: list[Fact], english: str, french: str) -> None:
    story = Story(program)
    told = [story.decide(fact) for fact in facts][-1]
    assert story.say(told) == (english, french)
    if not told.fact or not any(t.kind == "card" for t in told.fact.tenders):
        assert recomputed(story.plan, told) == [item.earned for item in told.trace.rules]


def test_french_numbers_keep_together() -> None:
    story = Story(document(BASE, tiers=None))
    text = sentence(story.decide(sale(123456789)), story.plan, "fr")
    assert text == "1\u202f234\u202f567,89\u00a0€ × 1\u00a0étoile = 1\u202f234\u202f567"


def test_line_by_line() -> None:
    story = Story(document({**BASE, "rounding": {"per": "line"}}))
    told = story.decide(sale(300, lines=(Line(amount=150), Line(amount=150))))
    assert story.say(told)[0] == "€3.00 × 1 star, line by line = 2"


def test_part_paid_in_points_does_not_count() -> None:
    story = Story(document(BASE))
    told = story.decide(sale(4210, tenders=(Tender("cash", 3210), Tender("points", 1000))))
    assert story.say(told)[1] == "32,10 € (cash) × 1 étoile = 32"


def test_what_ends_within_a_day_is_told_with_its_time() -> None:
    story = Story(document({**BASE, "expiry": {"kind": "rolling", "days": 30}}, tiers=None))
    story.decide(sale(4210))
    told = story.decide(Fact("till", "r1", "redeem", at("2026-03-04 10:00"), points=40, currency="stars"))
    assert story.say(told) == (
        "40 stars spent: 40 good until 2 April 2026, 10:00",
        "dépense de 40 étoiles : 40 valables jusqu'au 2 avril 2026 à 10 h",
    )


def test_points_that_come_to_a_lapsed_lot_are_told_to_expire() -> None:
    """Released by an activity after their end, or freed of a hold that ended after it."""
    month = {"expiry": {"kind": "rolling", "days": 30}}
    pending = {"kind": "activity", "activity": "delivered"}
    types = [{"key": "delivered", "name": {"en": "Delivered", "fr": "Livré"}}]
    story = Story(document({**BASE, **month, "pending": pending}, tiers=None, activity_types=types))
    story.decide(sale(100))
    sent = Fact("till", "d1", "delivered", at("2026-05-01 10:00"), sale=Reference("till", "s1"))
    told = story.decide(sent)
    assert story.say(told) == (
        "no rule brought points; 1 star released; 1 star expired at once",
        "aucune règle n'a rapporté de points ; libération de 1 étoile ; expiration immédiate de 1 étoile",
    )
    assert sum(step.points for step in lines(told, story.plan, "en")) == 0
    story = Story(document({**BASE, **month}, tiers=None))
    story.decide(sale(100))
    until = at("2026-05-01 10:00")
    story.decide(
        Fact("till", "h1", "hold", at("2026-03-04 10:00"), points=1, currency="stars", hold_until=until)
    )
    story.decide(sale(100, "2026-05-02 10:00", "s2"))
    assert story.say(story.due("hold_expired"))[0] == (
        "1 star set aside is free again, not used in time; 1 star expired at once"
    )


@pytest.mark.parametrize(
    ("rule", "english"),
    [
        ({}, "kept, base: €6.67 (cash) × 1 star = 6"),
        (
            {"base": {"points_part": "in"}, "tenders": {"cash": "3"}},
            "kept, base: €6.67 (cash) × 3 stars + €3.33 (points) × 1 star = 23",
        ),
    ],
)
def test_what_is_kept_was_paid_as_the_sale_was(rule: dict[str, Any], english: str) -> None:
    story = Story(document({**BASE, **rule}))
    sold = sale(3000, tenders=(Tender("cash", 2000), Tender("points", 1000)))
    story.decide(sold)
    back = Fact("till", "b1", "return", at("2026-03-05 10:00"), 2000, sale=Reference("till", "s1"))
    told = msgspec.structs.replace(story.decide(back), sale=sold)
    assert story.say(told)[0].split("; ")[1] == english


def test_a_return_says_what_is_kept_and_what_is_taken_from_where() -> None:
    story = Story(document(BASE))
    story.decide(sale(4210))
    story.decide(Fact("till", "r1", "redeem", at("2026-03-04 10:00"), points=40, currency="stars"))
    back = Fact("till", "b1", "return", at("2026-03-05 10:00"), 1000, sale=Reference("till", "s1"))
    told = story.decide(back)
    assert story.say(told) == (
        "€10.00 returned of this sale; kept, base: €32.10 × 1 star = 32; "
        "10 stars taken back: 2 from the balance + 8 already spent, owed",
        "retour de 10,00 € sur cet achat ; conservé, base : 32,10 € × 1 étoile = 32 ; "
        "reprise de 10 étoiles : 2 sur le solde + 8 en dette, car déjà en usage",
    )
    assert sum(step.points for step in lines(told, story.plan, "en")) == 32 - 42
    earned = story.decide(sale(1000, "2026-03-06 10:00", "s2"))
    assert story.say(earned)[0] == "base: €10.00 × 1 star = 10; 8 stars paid what was owed"


def test_a_whole_return_of_pending_points() -> None:
    story = Story(document({**BASE, "pending": {"kind": "days", "days": 30}}))
    story.decide(sale(4210))
    told = story.decide(
        Fact("till", "b1", "return", at("2026-03-05 10:00"), sale=Reference("till", "s1"), whole=True)
    )
    assert story.say(told)[0] == (
        "€42.10 returned of this sale; what is kept brings nothing; 42 stars taken back: 42 pending"
    )


def test_spending_names_the_lots_and_their_end() -> None:
    story = Story(document(BASE, points={"expiry": {"kind": "end_of_month", "after_months": 3}}))
    story.decide(sale(30000, "2026-03-03 10:00", "s1"))
    story.decide(sale(40000, "2026-04-03 10:00", "s2"))
    told = story.decide(Fact("api", "r1", "redeem", at("2026-04-04 10:00"), points=500, currency="stars"))
    assert story.say(told) == (
        "500 stars spent: 300 good through 30 June 2026 + 200 good through 31 July 2026",
        "dépense de 500 étoiles : 300 valables jusqu'au 30 juin 2026 + 200 valables jusqu'au 31 juillet 2026",
    )
    story.fold.advance(at("2026-09-01 00:00"))
    assert story.say(story.due("expired")) == (
        "200 stars expired, good through 31 July 2026",
        "expiration de 200 étoiles, valables jusqu'au 31 juillet 2026",
    )


def test_holds() -> None:
    story = Story(document(BASE))
    story.decide(sale(30000))
    held = Fact("api", "h1", "hold", at("2026-03-04 10:00"), points=100, currency="stars")
    told = story.decide(held)
    assert story.say(told) == (
        "100 stars set aside: 100 without end",
        "mise de côté de 100 étoiles : 100 sans échéance",
    )
    taken = Fact("api", "c1", "capture", at("2026-03-04 10:05"), points=60, hold=Reference("api", "h1"))
    assert story.say(story.decide(taken)) == (
        "60 stars spent of those set aside: 60 without end; 40 stars set aside are free again",
        "dépense de 60 étoiles sur la mise de côté : 60 sans échéance ; 40 étoiles de nouveau utilisables",
    )


def test_given_tiers() -> None:
    story = Story(document(BASE))
    made: dict[str, str | int | bool] = {"tier": "gold", "until": at("2026-07-01 00:00")}
    given = Fact("api", "g1", "grant_tier", at("2026-03-04 10:00"), attributes=made, reason="welcome")
    assert story.say(story.decide(given)) == (
        "tier Gold given through 30 June 2026 (welcome)",
        "niveau Or accordé jusqu'au 30 juin 2026 (welcome)",
    )
    taken = Fact("api", "g2", "revoke_tier", at("2026-03-05 10:00"), undoes=Reference("api", "g1"))
    assert story.say(story.decide(taken)) == (
        "the given tier is taken back; tier Gold → Green",
        "le niveau accordé est repris ; niveau Or → Vert",
    )


def test_refunds() -> None:
    story = Story(document(BASE))
    story.decide(sale(30000))
    story.decide(Fact("api", "r1", "redeem", at("2026-03-04 10:00"), points=100, currency="stars"))
    named = Reference("api", "r1")
    part = Fact("api", "f1", "refund", at("2026-03-04 10:05"), points=40, currency="stars", undoes=named)
    assert story.say(story.decide(part)) == (
        "40 stars given back to where they came from",
        "restitution de 40 étoiles à leur lot d'origine",
    )
    rest = Fact(
        "api", "f2", "refund", at("2026-03-04 10:06"), points=60, currency="stars", undoes=named,
        reason="sold out",
    )  # fmt: skip
    assert story.say(story.decide(rest)) == (
        "60 stars given back to where they came from (sold out)",
        "restitution de 60 étoiles à leur lot d'origine (sold out)",
    )
    more = Fact("api", "f3", "refund", at("2026-03-04 10:07"), points=1, currency="stars", undoes=named)
    assert story.say(story.decide(more)) == (
        "nothing was left to give back",
        "il ne restait rien à restituer",
    )


def test_adjustments_transfers_and_releases() -> None:
    story = Story(document({**BASE, "pending": {"kind": "days", "days": 2}}))
    story.decide(sale(30000))
    day = "2026-03-03 11:00"
    plus = Fact("api", "a1", "adjust", at(day), points=50, currency="stars", reason="excuse us")
    assert story.say(story.decide(plus)) == ("+50 stars (excuse us)", "+50 étoiles (excuse us)")
    less = Fact("api", "a2", "adjust", at(day), points=-1, currency="stars", reason="typo")
    assert story.say(story.decide(less)) == ("-1 star (typo)", "-1 étoile (typo)")
    out = Fact("api", "t1", "transfer_out", at(day), points=9, currency="stars", other_member="m_2")
    assert story.say(story.decide(out)) == ("9 stars given to m_2", "don de 9 étoiles à m_2")
    story.fold.advance(at("2026-03-10 00:00"))
    assert story.say(story.due("released")) == (
        "300 stars can be spent from now on",
        "300 étoiles utilisables dès maintenant",
    )


def test_corrections_name_what_they_replace() -> None:
    story = Story(document(BASE))
    told = story.decide(sale(4210))
    undo = ("earn", "wallet", "issuance", "stars", 1, 30, 0)
    correction = msgspec.structs.replace(
        told,
        type="correction",
        transfers=[*told.transfers, undo],
        corrected_type="sale",
        corrected_at=at("2026-03-03 10:00"),
    )
    assert story.say(correction) == (
        "replaces the decision of 3 March 2026: +12 stars; base: €42.10 × 1 star = 42",
        "remplace la décision du 3 mars 2026 : +12 étoiles ; base : 42,10 € × 1 étoile = 42",
    )
    withdrawn = msgspec.structs.replace(correction, transfers=[undo], withdrawn=True)
    assert story.say(withdrawn)[1] == "retire la décision du 3 mars 2026 : -30 étoiles"


# --- why not ------------------------------------------------------------------------------------------

BIG = {"key": "big", "fixed": "75", "when": {"field": "amount", "at_least": "100"}}
WEDNESDAY = {"key": "midweek", "multiply": "2", "when": {"field": "weekday", "is": "wednesday"}}
TENTH = {"key": "tenth", "fixed": "50", "when": {"field": "nth", "every": 3, "per": "month"}}


def near(program: Program, *facts: Fact) -> tuple[list[str], list[str]]:
    story = Story(program)
    told = [story.decide(fact) for fact in facts][-1]
    assert told.fact is not None
    return (
        [spaced(text) for text in why_not(story.plan, told.fact, told.trace, "en")],
        [spaced(text) for text in why_not(story.plan, told.fact, told.trace, "fr")],
    )


def test_the_smallest_change_that_would_have_earned() -> None:
    assert near(document(BASE, BIG), sale(9580)) == (
        ["big: €4.20 more would have earned 75 stars"],
        ["big : 4,20 € de plus auraient rapporté 75 étoiles"],
    )
    assert near(document(BASE, BIG), sale(9900))[1] == ["big : 1,00 € de plus aurait rapporté 75 étoiles"]
    assert near(document(BASE, BIG), sale(10000)) == ([], [])
    assert near(document(BASE, BIG), sale(1200)) == ([], [])


def test_the_day_that_would_have_earned() -> None:
    assert near(document(BASE, WEDNESDAY), sale(4210)) == (
        ["midweek: would have earned 42 stars (day: Tuesday, needed Wednesday)"],
        ["midweek : aurait rapporté 42 étoiles (jour : mardi, il fallait mercredi)"],
    )


def test_the_count_that_would_have_earned() -> None:
    first, second = sale(4210, "2026-03-02 10:00", "s0"), sale(4210)
    assert near(document(BASE, TENTH), first, second) == (
        ["tenth: the 3rd time would have earned 50 stars (this was the 2nd)"],
        ["tenth : la 3e fois aurait rapporté 50 étoiles (c'était la 2e)"],
    )


def test_two_failed_comparisons_are_not_near() -> None:
    both = {"key": "both", "fixed": "9", "when": {"all": [BIG["when"], WEDNESDAY["when"]]}}
    assert near(document(BASE, both), sale(9580)) == ([], [])


def test_the_caps_as_they_stood_bound_what_would_have_been_earned() -> None:
    capped = {**BIG, "caps": {"day": "10"}}
    assert near(document(BASE, capped), sale(9580))[0] == ["big: €4.20 more would have earned 10 stars"]


@pytest.mark.parametrize(
    ("when", "english", "french"),
    [
        (
            {"field": "time", "from": "22:15", "until": "02:05"},
            "time: 10:00, needed 22:15 - 02:05",
            "heure : 10 h, il fallait 22 h 15 - 2 h 05",
        ),
        (
            {"not": {"field": "time", "from": "09:00", "until": "11:00"}},
            "time: 10:00, must not be 09:00 - 11:00",
            "heure : 10 h, il ne fallait pas 9 h - 11 h",
        ),
        (
            {"field": "date", "above": "2026-03-03"},
            "date: 3 March 2026, needed a day after 3 March 2026",
            "date : 3 mars 2026, il fallait un jour après le 3 mars 2026",
        ),
        (
            {"field": "date", "at_least": "2026-04-01"},
            "date: 3 March 2026, needed 1 April 2026 or later",
            "date : 3 mars 2026, il fallait le 1er avril 2026 ou après",
        ),
    ],
)
def test_times_and_dates_that_were_needed(when: dict[str, Any], english: str, french: str) -> None:
    told = near(document(BASE, {"key": "bonus", "fixed": "5", "when": when}), sale(1000))
    assert told == (
        [f"bonus: would have earned 5 stars ({english})"],
        [f"bonus : aurait rapporté 5 étoiles ({french})"],
    )


def test_no_line_that_counts() -> None:
    fresh = {"key": "fresh", "per_spend": {"points": "1"}, "lines": {"field": "category", "is": "FRUIT"}}
    told = near(document(BASE, fresh), sale(500, lines=(Line("MILK", amount=500),)))
    assert told[0] == ["fresh: no line of the basket counts (with something from FRUIT)"]


def test_lines_that_state_no_quantity() -> None:
    fresh = {"key": "fresh", "per_unit": "2", "lines": {"field": "category", "is": "FRUIT"}}
    told = near(document(BASE, fresh), sale(500, lines=(Line("FRUIT", amount=500),)))
    assert told == (
        ["fresh: the lines that count state no quantity"],
        ["fresh : les lignes qui comptent n'indiquent pas de quantité"],
    )
    told = near(document(BASE, fresh), sale(500, lines=(Line("MILK", amount=500),)))
    assert told[0] == ["fresh: no line of the basket counts (with something from FRUIT)"]


def test_every_type_of_activity_has_a_name() -> None:
    club = document(BASE, activity_types=[{"key": "review", "name": {"en": "A review", "fr": "Un avis"}}])
    own = BUILT_IN | MADE | COMMANDS | DERIVED
    named = {key: (activity_name(key, club, "en"), activity_name(key, club, "fr")) for key in own}
    # One without a name would be told by its key; of some the key is the very word.
    words = {"return", "visit", "birthday", "hold", "capture", "release", "refund", "correction", "prize"}
    assert [key for key in named if key in named[key] and key not in words] == []
    assert named["streak_lapsed"] == ("streak ended", "fin de série")
    assert named["joined"] == ("joining", "inscription")
    assert named["friend_converted"] == ("friend brought", "ami venu")
    assert [activity_name("review", club, language) for language in ("en", "fr")] == ["A review", "Un avis"]
    assert activity_name("other", club, "fr") == "other"
