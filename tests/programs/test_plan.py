"""The difference of two versions, in words."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings

from palier.engine.program import Program
from palier.programs import gallery
from palier.programs.plan import difference
from tests.engine.documents import plain, program, text
from tests.engine.test_check import put
from tests.model.cases import programs


def test_equal_versions_have_no_difference() -> None:
    assert difference(program(), program()) == []


@settings(max_examples=40, deadline=None)
@given(programs(), programs())
def test_a_difference_where_and_only_where_versions_differ(one: Program, other: Program) -> None:
    assert (difference(one, other) == []) is (one == other)
    for change in difference(one, other):
        assert change.sentence_en
        assert change.sentence_fr


@pytest.mark.parametrize(
    ("where", "value", "path", "kind", "english", "french"),
    [
        (
            "rules.1.fixed",
            "7",
            "rules.bonus.fixed",
            "changed",
            "Rule bonus, bonus: 5 becomes 7",
            "Règle bonus, bonus : 5 devient 7",
        ),
        (
            "rules.0.per_spend.points",
            "2",
            "rules.base.per_spend.points",
            "changed",
            "Rule base, points per spend, points: 1 becomes 2",
            "Règle base, points par montant, points : 1 devient 2",
        ),
        (
            "rules.0.when",
            {"field": "weekday", "is": "monday"},
            "rules.base.when",
            "added",
            'Rule base, condition: nothing becomes "on Monday"',
            "Règle base, condition : rien devient « le lundi »",
        ),
        (
            "tiers.window.days",
            180,
            "tiers.window.days",
            "changed",
            "Tiers, window, days: 365 becomes 180",
            "Niveaux, période, jours : 365 devient 180",
        ),
        (
            "tiers.tiers.1.qualify.all.0.at_least",
            "200",
            "tiers.tiers.gold.qualify.all",
            "changed",
            "Tier gold, what grants it, all of: metric spend at least 100 becomes metric spend at least 200",
            "Niveau gold, condition d'accès, tout de : "
            "mesure dépense au moins 100 devient mesure dépense au moins 200",
        ),
        (
            "member_attributes.city",
            {"type": "text"},
            "member_attributes.city",
            "added",
            "Member attribute city: nothing becomes type text",
            "Attribut de membre city : rien devient type text",
        ),
        (
            "rules.+",
            {
                "key": "coins",
                "name": text("Coins"),
                "on": "visit",
                "currency": "cash",
                "fixed": "1.50",
                "when": {"field": "weekday", "is": "monday"},
            },
            "rules.coins",
            "added",
            "Rule coins is added: a bonus of 1.50 stars, on Monday",
            "Règle coins est ajoutée : un bonus de 1,50 star, le lundi",
        ),
    ],
)
def test_sentences(where: str, value: Any, path: str, kind: str, english: str, french: str) -> None:
    data = plain()
    put(where, value)(data)
    (change,) = difference(program(), program(data))
    assert (change.path, change.kind) == (path, kind)
    assert (change.sentence_en, change.sentence_fr) == (english, french)


def by_hand(reasons: list[str], most: str, days: int = 7) -> Program:
    """A program whose staff give at most `most` stars at once, for these reasons."""
    data = plain()
    data["adjustments"] = {
        "reasons": [{"key": key, "name": text(key)} for key in reasons],
        "limits": [{"currency": "stars", "at_once": most, "approval_above": "1"}],
        "approval_days": days,
    }
    return program(data)


def test_what_staff_may_do_is_told_by_reason_and_currency() -> None:
    changes = difference(by_hand(["a", "b"], "9"), by_hand(["a", "c"], "5", 8))
    assert [(change.path, change.sentence_en, change.sentence_fr) for change in changes] == [
        (
            "adjustments.reasons.b",
            "Reason for adjustments b is removed",
            "Motif d'ajustement b est retiré",
        ),
        ("adjustments.reasons.c", "Reason for adjustments c is added", "Motif d'ajustement c est ajouté"),
        (
            "adjustments.limits.stars.at_once",
            "Limit of adjustments in stars, at once: 9 becomes 5",
            "Limite des ajustements en stars, en une fois : 9 devient 5",
        ),
        (
            "adjustments.approval_days",
            "Program, adjustments by staff, days to approve an adjustment: 7 becomes 8",
            "Programme, ajustements par l'équipe, jours pour approuver un ajustement : 7 devient 8",
        ),
    ]


def test_every_kind_of_part_has_its_noun() -> None:
    """No part that has a key is a mere "part" of the program, and each agrees with its verb in French."""
    found: dict[str, tuple[str, str]] = {}
    for entry in gallery.entries():
        whole = entry.program()
        for field in (
            "campaigns",
            "goals",
            "streaks",
            "games",
            "quizzes",
            "memberships",
            "partners",
            "leaderboards",
        ):
            parts = getattr(whole, field)
            if parts:
                change = difference(msgspec.structs.replace(whole, **{field: parts[1:]}), whole)[0]
                key = parts[0].key
                found[field] = (change.sentence_en.replace(key, "K"), change.sentence_fr.replace(key, "K"))
    assert found == {
        "campaigns": ("Campaign K is added", "Campagne K est ajoutée"),
        "goals": ("Goal K is added", "Objectif K est ajouté"),
        "streaks": ("Streak K is added", "Série K est ajoutée"),
        "games": ("Game K is added", "Jeu K est ajouté"),
        "quizzes": ("Quiz K is added", "Quiz K est ajouté"),
        "memberships": ("Membership K is added", "Adhésion K est ajoutée"),
        "partners": ("Partner K is added", "Partenaire K est ajouté"),
        "leaderboards": ("Leaderboard K is added", "Classement K est ajouté"),
    }


def test_parts_are_known_by_key() -> None:
    data = plain()
    data["rules"].reverse()
    (change,) = difference(program(), program(data))
    assert (change.path, change.kind, change.new) == ("rules", "moved", ["bonus", "base"])
    del data["rules"][0]
    (change,) = difference(program(), program(data))
    assert (change.path, change.kind) == ("rules.bonus", "removed")
    assert change.sentence_fr == "Règle bonus est retirée"


def test_a_new_program_lists_its_parts() -> None:
    changes = difference(None, program())
    assert changes[0].sentence_en == 'The program "Club" (club) is new'
    assert [change.path for change in changes[1:]] == [
        "point_currencies.stars",
        "point_currencies.cash",
        "activity_types.review",
        "rules.base",
        "rules.bonus",
        "groups.extra",
        "tiers.tiers.green",
        "tiers.tiers.gold",
    ]
    assert {change.kind for change in changes} == {"added"}
