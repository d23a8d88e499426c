"""What members are after, in the words of the API: places as decimals of their measure, chances as fractions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from palier.activities.pursuits import (
    GameNow,
    GoalNow,
    MembershipNow,
    PrizeNow,
    Pursuits,
    QuizNow,
    SavingNow,
    StepNow,
    StreakNow,
)
from palier.api.calls import written
from palier.engine.amounts import from_minor
from palier.engine.document import Text
from palier.engine.plan import Plan

JsonObject = dict[str, Any]


def text(words: Text) -> dict[str, str]:
    """A text by language, languages without words left out."""
    return {language: said for language, said in (("en", words.en), ("fr", words.fr)) if said}


class PursuitViews:
    """Writes pursuits of one program, with the scales of one of its versions."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    def points(self, currency: str, minor: int) -> str:
        """Points as decimal text."""
        found = self.plan.currencies.get(currency)
        return from_minor(minor, found.scale if found is not None else 0)

    def pursuits(self, found: Pursuits) -> JsonObject:
        """All that a member is after."""
        return {
            "goals": [self._goal(item) for item in found.goals],
            "streaks": [self._streak(item) for item in found.streaks],
            "badges": [
                {
                    "badge": item.currency,
                    "name": item.name,
                    "icon": item.icon,
                    "count": item.count,
                    "earned_at": written(item.earned_at),
                }
                for item in found.badges
            ],
            "games": [self._game(item) for item in found.games],
            "quizzes": [self._quiz(item) for item in found.quizzes],
            "memberships": [self._membership(item) for item in found.memberships],
            "saving": self._saving(found.saving) if found.saving is not None else None,
        }

    def given(self, given: Sequence[tuple[str, int]]) -> list[JsonObject]:
        """What something gives."""
        return [{"currency": key, "points": self.points(key, minor)} for key, minor in given]

    def _step(self, step: StepNow, decimals: int) -> JsonObject:
        return {
            "at": from_minor(step.at, decimals),
            "name": text(step.name),
            "gives": self.given(step.given),
            "reached": step.reached,
        }

    def _next(self, steps: Sequence[StepNow], missing: int | None, decimals: int) -> JsonObject | None:
        following = next((step for step in steps if not step.reached), None)
        if missing is None or following is None:
            return None
        return {"at": from_minor(following.at, decimals), "missing": from_minor(missing, decimals)}

    def _goal(self, item: GoalNow) -> JsonObject:
        return {
            "goal": item.key,
            "name": text(item.name),
            "kind": item.kind,
            "icon": item.icon,
            "measure": item.measure,
            "currency": item.currency or None,
            "state": item.state,
            "position": from_minor(item.position, item.decimals),
            "steps": [self._step(step, item.decimals) for step in item.steps],
            "next": self._next(item.steps, item.missing, item.decimals),
            "rounds": item.rounds,
            "starts_at": written(item.starts_at) if item.starts_at else None,
            "ends_at": written(item.ends_at),
            "joining": item.joining,
        }

    def _streak(self, item: StreakNow) -> JsonObject:
        return {
            "streak": item.key,
            "pair": item.pair or None,
            "with": item.other or None,
            "name": text(item.name),
            "icon": item.icon,
            "period": item.period,
            "state": item.state,
            "length": item.length,
            "best": item.best,
            "deadline": written(item.deadline),
            "freeze_tokens": item.tokens,
            "steps": [
                {"at": step.at, "gives": self.given(step.given), "reached": step.reached}
                for step in item.steps
            ],
            "next": None
            if item.missing is None
            else {"at": item.length + item.missing, "missing": item.missing},
        }

    def prizes(self, prizes: Sequence[PrizeNow]) -> list[JsonObject]:
        """The fields of a game with their exact chances."""
        return [
            {
                "prize": prize.key,
                "name": text(prize.name),
                "chance": f"{prize.chance.numerator}/{prize.chance.denominator}",
                "gives": self.given(prize.given),
            }
            for prize in prizes
        ]

    def _game(self, item: GameNow) -> JsonObject:
        return {
            "game": item.key,
            "name": text(item.name),
            "kind": item.kind,
            "price": self.given([item.price])[0] if item.price is not None else None,
            "affordable": item.affordable,
            "plays_left": item.plays_left,
            "wins_from": written(item.wins_from) if item.wins_from else None,
            "ends_at": written(item.ends_at),
            "prizes": self.prizes(item.prizes),
        }

    def _quiz(self, item: QuizNow) -> JsonObject:
        return {
            "quiz": item.key,
            "name": text(item.name),
            "questions": item.questions,
            "attempts_left": item.attempts_left,
            "best": item.best,
            "steps": [self._step(step, 0) for step in item.steps],
        }

    def _membership(self, item: MembershipNow) -> JsonObject:
        return {
            "membership": item.key,
            "name": text(item.name),
            "state": item.state,
            "ends_at": written(item.ends_at) if item.ends_at else None,
            "fee": from_minor(item.fee, self.plan.exponent),
            "months": item.months or None,
            "benefits": [text(words) for words in item.benefits],
        }

    def _saving(self, item: SavingNow) -> JsonObject:
        return {
            "currency": item.currency,
            "name": item.name,
            "points": self.points(item.currency, item.points),
            "missing": self.points(item.currency, item.missing),
        }
