"""Games with their odds, and quizzes."""

from __future__ import annotations

from typing import Final

from palier.engine import mechanics as made
from palier.engine.amounts import ratio
from palier.engine.describe.goals import Goals
from palier.engine.describe.page import Part

_KINDS: Final = {
    "wheel": ("wheel", "roue"),
    "scratch_card": ("scratch card", "carte à gratter"),
    "surprise": ("surprise", "surprise"),
}
_PERIODS: Final = {
    "day": ("a day", "par jour"),
    "week": ("a week", "par semaine"),
    "month": ("a month", "par mois"),
    "lifetime": ("in all", "en tout"),
}


class Games(Goals):
    """What chance gives, and what knowing gives."""

    def game_parts(self) -> list[Part]:
        return [self.game_part(game) for game in self.program.games]

    def game_part(self, game: made.Game) -> Part:
        title = self.name_or(game.name, game.key)
        kind = self.say(*_KINDS[game.kind])
        if kind not in title.lower():
            title = f"{title} ({kind})"
        texts = []
        if game.kind == "surprise":
            occasion = self.occasion(game.on[0], game.when) if len(game.on) == 1 else self.triggers(game.on)
            texts.append(self.say(f"it is drawn {occasion}", f"elle est tirée au sort {occasion}"))
            texts.append(self.terms(game.on[0], game.when) if len(game.on) == 1 else "")
            if len(game.on) != 1:
                texts.append(self.only(game.on, game.when))
        else:
            texts.append(self.only(["play"], game.when))
        if game.price is not None:
            price = self.grants([game.price])
            texts.append(self.say(f"a turn costs {price}", f"une partie coûte {price}"))
        if game.limits is not None:
            limits = [
                f"{self.times(count)} {self.say(*words)}"
                for period, words in _PERIODS.items()
                if (count := getattr(game.limits, period)) is not None
            ]
            if limits:
                texts.append(
                    self.say("you can play at most ", "vous pouvez jouer au plus ") + self.joined(limits)
                )
        if game.cool_down_days:
            days = self.days(game.cool_down_days)
            texts.append(
                self.say(
                    f"after you win, you cannot win again for {days}",
                    f"après un gain, il faut attendre {days} avant le suivant",
                )
            )
        dates = self.dates(game.active_from, game.active_until)
        texts.append(self.say(f"it runs {dates}", f"c'est valable {dates}") if dates else "")
        currency = next((grant.currency for prize in game.prizes for grant in prize.grants), "")
        texts.append(self.budget(game.budget, currency))
        texts.append(
            self.say(
                "the draw is locked away before and shown afterwards, so that everyone can check it",
                "le tirage est mis sous clé avant et montré après : chacun peut le vérifier",
            )
        )
        total = sum(prize.weight for prize in game.prizes)
        return Part(title, self.sentences(*texts), [self.prize(prize, total) for prize in game.prizes])

    def prize(self, prize: made.Prize, total: int) -> str:
        odds = self.percent(prize.weight, total)
        name = self.name_or(prize.name, prize.key)
        joint = self.say(": ", " : ")
        said = self.say(f"{name}{joint}a chance of {odds}", f"{name}{joint}{odds} de chances")
        given = self.grants(prize.grants) if prize.grants else ""
        texts = [
            said,
            self.say(f"you win {given}", f"vous gagnez {given}")
            if given
            else self.say("you win nothing", "rien à gagner"),
        ]
        if prize.stock is not None:
            times = self.times(prize.stock)
            texts.append(
                self.say(
                    f"it can be won {times} in all, then no more",
                    f"elle peut sortir {times} en tout, puis plus",
                )
                if not self.fr
                else f"cela peut se gagner {times} en tout, pas plus"
            )
        return self.sentences(*texts)

    def quiz_parts(self) -> list[Part]:
        return [self.quiz_part(quiz) for quiz in self.program.quizzes]

    def quiz_part(self, quiz: made.Quiz) -> Part:
        questions = self.counted(len(quiz.questions), ("question", "questions"), ("question", "questions"))
        times = self.times(quiz.attempts)
        tries = (
            self.say("you may try once", "vous pouvez essayer une fois")
            if quiz.attempts == 1
            else self.say(
                f"you may try {times}, and your best score counts",
                f"vous pouvez essayer {times}, le meilleur score compte",
            )
        )
        items = []
        joint = self.say(": ", " : ")
        for step in quiz.steps:
            right = self.measured(
                step.at, ("right answer", "right answers"), ("bonne réponse", "bonnes réponses")
            )
            name = self.text(step.name)
            given = self.say("you get ", "vous recevez ") + self.grants(step.grants) if step.grants else ""
            said = f"{self.say('at least ', 'au moins ')}{right}{joint}{name or given}"
            items.append(self.sentences(said, given if name else ""))
        assert all(ratio(step.at) for step in quiz.steps)
        return Part(self.name_or(quiz.name, quiz.key), self.sentences(questions, tries), items)
