"""A member's progress on a terminal: bars for goals, states of streaks, odds of games."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.table import Table

    from palier.activities.pursuits import GameNow, GoalNow, MembershipNow, QuizNow, SavingNow, StreakNow
    from palier.activities.queries import Standing
    from palier.activities.runtime import Runtime

WIDTH: Final = 20

_GOAL: Final = {
    "planned": ("planned", "à venir"),
    "open": ("", ""),
    "done": ("done", "atteint"),
    "ended": ("ended", "terminé"),
}
_STREAK: Final = {
    "not_begun": ("not begun", "pas commencée"),
    "running": ("running", "en cours"),
    "at_risk": ("at risk", "en danger"),
    "lapsed": ("lapsed", "interrompue"),
}
_COLOUR: Final = {"running": "green", "at_risk": "red", "lapsed": "dim", "not_begun": "dim"}
_MEMBERSHIP: Final = {
    "none": ("none", "aucune"),
    "active": ("active", "en cours"),
    "ended": ("ended", "terminée"),
}


class _Shown:
    """Rows of a table: name, state, amount, and what else is to be said."""

    def __init__(self, table: Table, program: Runtime, language: str, as_of: int) -> None:
        from palier.engine.explain import Words

        plan = program.timeline.at(as_of) or program.latest
        self.table = table
        self.words = Words(plan, language)
        self.fr = language == "fr"
        self.language = language
        self.zone = plan.clock.zone

    def say(self, english: str, french: str) -> str:
        return french if self.fr else english

    def row(self, name: str, state: str, amount: str, *said: str) -> None:
        from rich.markup import escape

        self.table.add_row(escape(name), state, amount, escape(", ".join(part for part in said if part)))

    def until(self, at: int) -> str:
        from palier.engine.state import NEVER

        if not at or at >= NEVER:
            return ""
        local = datetime.fromtimestamp(at // 1_000_000, UTC).astimezone(self.zone)
        return self.say("until ", "jusqu'au ") + local.strftime("%Y-%m-%d %H:%M")

    def amount(self, goal: GoalNow, minor: int) -> str:
        """A place of a goal in its measure."""
        if goal.measure == "spend":
            return self.words.money(minor)
        if goal.measure == "points":
            return self.words.number(minor, goal.currency)
        return str(minor)

    def goal(self, goal: GoalNow) -> None:
        last = goal.steps[-1].at if goal.steps else 0
        bar, place = "", self.amount(goal, goal.position)
        if last:
            full = min(WIDTH, goal.position * WIDTH // last)
            bar = f"[green]{'━' * full}[/green][dim]{'━' * (WIDTH - full)}[/dim]"
            place += f" / {self.amount(goal, last)}"
        missing = ""
        if goal.missing is not None:
            left = self.amount(goal, goal.missing)
            missing = self.say(f"{left} to the next step", f"encore {left} jusqu'à l'étape suivante")
        self.row(
            self.words.text(goal.name),
            bar,
            place,
            self.say(*_GOAL[goal.state]),
            missing,
            self.say(f"finished {goal.rounds} x", f"fini {goal.rounds} x") if goal.rounds else "",
            self.say("open to opt in", "ouvert à l'inscription") if goal.joining == "open" else "",
            self.until(goal.ends_at) if goal.state in ("open", "done") else "",
        )

    def streak(self, streak: StreakNow) -> None:
        colour = _COLOUR[streak.state]
        name = self.words.text(streak.name) + (f" ({streak.pair})" if streak.pair else "")
        tokens = streak.tokens
        self.row(
            name,
            f"[{colour}]{self.say(*_STREAK[streak.state])}[/{colour}]",
            str(streak.length),
            self.say(f"best {streak.best}", f"record {streak.best}") if streak.best else "",
            self.until(streak.deadline),
            "" if tokens is None else self.say(f"freeze tokens: {tokens}", f"jetons de gel : {tokens}"),
        )

    def game(self, game: GameNow) -> None:
        odds = [
            f"{self.words.text(prize.name)} {prize.chance.numerator}/{prize.chance.denominator}"
            for prize in game.prizes
        ]
        left = self.say("any number of plays", "parties sans limite")
        if game.plays_left is not None:
            left = self.say(f"plays left: {game.plays_left}", f"parties : {game.plays_left}")
        free = self.say("free", "gratuit")
        price = self.words.points(game.price[1], game.price[0]) if game.price is not None else free
        self.row(self.words.text(game.name), left, price, *odds, self.until(game.ends_at))

    def quiz(self, quiz: QuizNow) -> None:
        best = "" if quiz.best is None else f"{quiz.best} / {quiz.questions}"
        left = self.say(f"attempts left: {quiz.attempts_left}", f"essais : {quiz.attempts_left}")
        self.row(self.words.text(quiz.name), left, best)

    def membership(self, item: MembershipNow) -> None:
        benefits = [self.words.text(benefit) for benefit in item.benefits]
        state = self.say(*_MEMBERSHIP[item.state])
        self.row(
            self.words.text(item.name), state, self.words.money(item.fee), self.until(item.ends_at), *benefits
        )

    def saving(self, saving: SavingNow) -> None:
        missing = self.words.points(saving.missing, saving.currency)
        named = self.say("saving", "souhait")
        points = self.words.points(saving.points, saving.currency)
        self.row(saving.name or named, named, points, self.say(f"{missing} to go", f"encore {missing}"))


def show(program: Runtime, ref: str, found: Standing, language: str) -> None:
    """Prints it, part by part; what the program does not have is left out."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", overflow="fold")
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, justify="right")
    table.add_column(style="dim", overflow="fold")
    shown = _Shown(table, program, language, found.as_of)
    words = shown.words
    console = Console(highlight=False)
    head = f"[bold]{escape(ref)}[/bold] · {escape(words.text(words.program.name))}"
    console.print(head + (f" · {escape(words.tier(found.tier))}" if found.tier else ""))
    pursuits = found.pursuits
    for goal in pursuits.goals:
        shown.goal(goal)
    for streak in pursuits.streaks:
        shown.streak(streak)
    for badge in pursuits.badges:
        shown.row(badge.name.get(language) or badge.currency, shown.say("badge", "badge"), str(badge.count))
    for game in pursuits.games:
        shown.game(game)
    for quiz in pursuits.quizzes:
        shown.quiz(quiz)
    for item in pursuits.memberships:
        shown.membership(item)
    if pursuits.saving is not None:
        shown.saving(pursuits.saving)
    if table.row_count:
        console.print(table)
    else:
        console.print(shown.say("Nothing to reach in this program.", "Rien à atteindre dans ce programme."))
