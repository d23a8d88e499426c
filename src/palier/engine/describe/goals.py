"""Goals, stamp cards and challenges, streaks, and rankings."""

from __future__ import annotations

from typing import Final

from palier.engine import mechanics as made
from palier.engine.amounts import ratio
from palier.engine.describe.levels import Levels
from palier.engine.describe.page import Part
from palier.engine.document import WindowLifetime
from palier.engine.facts import SALE
from palier.engine.phrases import activities

_KINDS: Final = {
    "goal": ("goal", "objectif"),
    "stamp_card": ("stamp card", "carte à tampons"),
    "challenge": ("challenge", "défi"),
    "milestone": ("milestone", "étape"),
    "levels": ("levels", "paliers"),
}
_DISTINCT: Final = {
    "category": (("department", "departments"), ("rayon", "rayons")),
    "sku": (("different item", "different items"), ("article différent", "articles différents")),
    "partner": (("partner", "partners"), ("partenaire", "partenaires")),
    "location": (("shop", "shops"), ("magasin", "magasins")),
    "channel": (("way to buy", "ways to buy"), ("façon d'acheter", "façons d'acheter")),
    "day": (("different day", "different days"), ("jour différent", "jours différents")),
}
_NEW: Final = {
    "category": ("new department", "nouveau rayon"),
    "sku": ("new item", "nouvel article"),
    "partner": ("new partner", "nouveau partenaire"),
    "location": ("new shop", "nouveau magasin"),
    "channel": ("new way to buy", "nouvelle façon d'acheter"),
    "day": ("new day", "nouveau jour"),
}
_EACH: Final = {
    "day": ("each day", "chaque jour"),
    "week": ("each week", "chaque semaine"),
    "month": ("each month", "chaque mois"),
    "quarter": ("each quarter", "chaque trimestre"),
    "year": ("each year", "chaque année"),
}
_LENGTHS: Final = {
    "day": (("day in a row", "days in a row"), ("jour de suite", "jours de suite")),
    "week": (("week in a row", "weeks in a row"), ("semaine de suite", "semaines de suite")),
    "month": (("month in a row", "months in a row"), ("mois de suite", "mois de suite")),
}
_PERIODS: Final = {
    "day": (("day", "days"), ("jour", "jours")),
    "week": (("week", "weeks"), ("semaine", "semaines")),
    "month": (("month", "months"), ("mois", "mois")),
}


class Goals(Levels):
    """What is reached by steps, and what must not be missed."""

    # --- goals ----------------------------------------------------------------------------------------

    def goal_parts(self) -> list[Part]:
        return [self.goal_part(goal) for goal in self.program.goals]

    def goal_name(self, key: str) -> str:
        found = next((goal for goal in self.program.goals if goal.key == key), None)
        return self.quoted(key.replace("_", " ") if found is None else self.name_or(found.name, key))

    def goal_part(self, goal: made.Goal) -> Part:
        title = self.name_or(goal.name, goal.key)
        kind = self.say(*_KINDS[goal.kind])
        if kind.lower() not in title.lower():
            title = f"{title} ({kind})"
        texts = [
            self.say("first choose to take part", "d'abord, choisissez de participer") if goal.opt_in else ""
        ]
        texts += [self.counts(goal), self.only(goal.on, goal.when), self.lines(goal.lines)]
        if goal.measure == "spend" and goal.base != self.common_base():
            texts.append(self.base(goal.base))
        if goal.most_per_day is not None:
            most = self.target(goal, str(goal.most_per_day))
            texts.append(self.say(f"at most {most} a day", f"au plus {most} par jour"))
        texts.append(self.goal_window(goal.window, goal.opt_in))
        if ratio(goal.head_start)[0]:
            start = self.target(goal, goal.head_start)
            texts.append(
                self.say(
                    f"to help you begin, you already have {start}",
                    f"pour bien commencer, vous avez déjà {start}",
                )
            )
        if goal.repeat:
            texts += self.again(goal)
        if goal.free_unit is not None:
            price = {
                "cheapest": ("the cheapest", "le moins cher"),
                "average": ("the average price", "le prix moyen"),
            }[goal.free_unit]
            texts.append(
                self.say(
                    f"the free one is worth at most {price[0]} of those that filled the card",
                    f"l'article offert vaut au plus {price[1]} de ceux qui ont rempli la carte",
                )
            )
        items = []
        for step in goal.steps:
            reached = self.target(goal, step.at)
            name = self.text(step.name)
            given = self.say("you get ", "vous recevez ") + self.grants(step.grants) if step.grants else ""
            joint = self.say(": ", " : ")
            said = f"{reached}{joint}{name}" if name else reached
            items.append(
                self.sentence(
                    f"{said}. {self.sentence(given)}"
                    if name and given
                    else f"{said}{joint if given else ''}{given}"
                )
            )
        return Part(title, self.sentences(*texts), items)

    def counts(self, goal: made.Goal) -> str:
        """What one counts, as a sentence."""
        nouns = self.nouns(goal.on)
        match goal.measure:
            case "spend":
                if goal.on == [SALE]:
                    return self.say("what you spend counts", "ce que vous dépensez compte")
                return self.say(f"what you pay counts, of {nouns}", f"ce que vous payez compte : {nouns}")
            case "units":
                tail = "" if goal.on == [SALE] else f" ({nouns})"
                return self.say(f"each item that you buy counts{tail}", f"chaque article acheté compte{tail}")
            case "points":
                currency = goal.currency or self.program.point_currencies[0].key
                names = self.many(currency)
                tail = "" if goal.on == [SALE] else f" ({nouns})"
                return self.say(
                    f"the {names} that you earn count{tail}", f"vos gains {self.of(names)} comptent{tail}"
                )
            case "distinct":
                tail = "" if goal.on == [SALE] else f" ({nouns})"
                new = self.say(*_NEW[goal.distinct or "category"])
                return self.say(f"each {new} counts once{tail}", f"chaque {new} compte une fois{tail}")
        if len(goal.on) == 1 and goal.on[0] in {"birthday", "anniversary", "joined"}:
            return self.say(f"it counts {self.triggers(goal.on)}", f"cela compte {self.triggers(goal.on)}")
        one = [
            activities(1, key, self.program, self.language)
            .partition(self.say(" ", " "))[2]
            .removeprefix("× ")
            for key in goal.on
        ]
        said = self.joined(one, last=("or", "ou"))
        return self.say(f"each {said} counts as one", f"chaque {said} compte pour un")

    def target(self, goal: made.Goal, at: str) -> str:
        """A place of the goal in its measure: "5 visits", "€100", "10 stars"."""
        match goal.measure:
            case "spend":
                return self.price(at)
            case "points":
                return self.rate_points(at, goal.currency or self.program.point_currencies[0].key)
            case "units":
                return self.measured(at, ("item", "items"), ("article", "articles"))
            case "distinct":
                return self.measured(at, *_DISTINCT[goal.distinct or "category"])
        if len(goal.on) == 1 and ratio(at)[1] == 1:
            return activities(ratio(at)[0], goal.on[0], self.program, self.language)
        return self.measured(at, ("time", "times"), ("fois", "fois"))

    def measured(self, at: str, english: tuple[str, str], french: tuple[str, str]) -> str:
        top, bottom = ratio(at)
        noun = french[top >= 2 * bottom] if self.fr else english[top != bottom]
        return f"{self.decimal(at)} {noun}"

    def goal_window(self, window: made.GoalWindow, opt_in: bool) -> str:
        match window:
            case WindowLifetime():
                return ""
            case made.WindowDates():
                dates = self.dates(window.from_, window.until)
                return self.say(f"it counts {dates}", f"cela compte {dates}")
            case made.WindowFromStart():
                days = self.days(window.days)
                since = (
                    self.say("from the moment you take part", "à partir de votre participation")
                    if opt_in
                    else self.say("from the first time", "à partir de la première fois")
                )
                return self.say(f"you have {days} {since}", f"vous avez {days} {since}")
            case made.WindowPeriod():
                return self.say(
                    f"it starts anew {_EACH[window.period][0]}", f"tout recommence {_EACH[window.period][1]}"
                )

    def again(self, goal: made.Goal) -> list[str]:
        texts = [self.say("after the last step it begins again", "après la dernière étape, tout recommence")]
        if goal.most_rounds is not None:
            times = self.times(goal.most_rounds)
            texts[0] += self.say(
                f", so you can finish it {times} at most", f" ; on peut finir {times} au plus"
            )
        texts.append(
            self.say(
                "what you have too much counts for the next round",
                "ce qui dépasse compte pour le tour suivant",
            )
            if goal.surplus == "roll_over"
            else self.say(
                "what you have too much does not count for the next round",
                "ce qui dépasse ne compte pas pour le tour suivant",
            )
        )
        return texts

    # --- streaks --------------------------------------------------------------------------------------

    def streak_parts(self) -> list[Part]:
        return [self.streak_part(streak) for streak in self.program.streaks]

    def streak_part(self, streak: made.Streak) -> Part:
        each = self.say(*_EACH[streak.period])
        if len(streak.on) == 1:
            least = activities(streak.least, streak.on[0], self.program, self.language)
        else:
            least = self.times(streak.least) + self.say(" ", " ") + f"({self.nouns(streak.on)})"
        texts = [
            self.say(
                f"to keep it going: at least {least} {each}", f"pour continuer : au moins {least} {each}"
            ),
            self.only(streak.on, streak.when),
        ]
        if streak.of == "pair":
            texts.append(
                self.say(
                    "you do it with a friend, and both of you must do it",
                    "cela se fait à deux, et chacun doit le faire",
                )
            )
        texts.append(
            self.say("we go by the clock where you are", "c'est l'heure de l'endroit où vous êtes qui compte")
            if streak.zone == "member"
            else self.say(
                f"we go by the clock in {self.place()}", f"c'est l'heure de {self.place()} qui compte"
            )
        )
        english, french = _PERIODS[streak.period]
        missed = self.say(english[0], french[0])
        if streak.freeze is not None:
            token = self.rate_points("1", streak.freeze)
            texts.append(
                self.say(
                    f"if you miss a {missed}, {token} is used up and your streak goes on; without one it ends",
                    f"en cas d'oubli, {token} part à la place et la série continue ; sinon, elle s'arrête",
                )
            )
        else:
            texts.append(
                self.say(
                    f"if you miss a {missed}, it starts again at zero",
                    "si vous en manquez, elle repart de zéro",
                )
            )
        hours = self.counted(streak.at_risk_hours, ("hour", "hours"), ("heure", "heures"))
        texts.append(
            self.say(f"we tell you {hours} before it ends", f"nous vous prévenons {hours} avant la fin")
        )
        items = []
        joint = self.say(": ", " : ")
        for step in streak.steps:
            length = self.counted(step.at, *_LENGTHS[streak.period])
            items.append(
                self.sentence(
                    f"{length}{joint}{self.say('you get ', 'vous recevez ')}{self.grants(step.grants)}"
                )
            )
        if streak.repeat and streak.steps:
            again = self.counted(streak.steps[-1].at, *_PERIODS[streak.period])
            texts.append(
                self.say(
                    f"every {again} more, you get the last reward again",
                    f"ensuite, à chaque fois que vous ajoutez {again}, vous recevez encore le dernier cadeau",
                )
            )
        return Part(self.name_or(streak.name, streak.key), self.sentences(*texts), items)

    # --- rankings -------------------------------------------------------------------------------------

    def ranking_parts(self) -> list[Part]:
        return [self.ranking_part(board) for board in self.program.leaderboards]

    def ranking_part(self, board: made.Leaderboard) -> Part:
        texts = [
            self.say(
                f"members are ranked by {self.goal_name(board.goal)}, under names that hide who they are",
                f"le classement suit {self.goal_name(board.goal)}, sous des noms qui cachent qui est qui",
            ),
            self.say(f"it shows the first {board.shown}", f"il montre les {board.shown} premiers"),
            self.say("who has the same shares the better place", "à égalité, on partage la meilleure place")
            if board.ties == "shared"
            else self.say(
                "of those who have the same, the first to get there stands above",
                "à égalité, le plus rapide est devant",
            ),
        ]
        items = []
        before = 0
        joint = self.say(": ", " : ")
        for prize in board.prizes:
            first, last = before + 1, prize.through
            place = (
                self.say(f"place {last}", f"place {last}")
                if first >= last
                else self.say(f"places {first} to {last}", f"places {first} à {last}")
            )
            items.append(self.sentence(f"{place}{joint}{self.grants(prize.grants)}"))
            before = prize.through
        return Part(self.name_or(board.name, board.key), self.sentences(*texts), items)
