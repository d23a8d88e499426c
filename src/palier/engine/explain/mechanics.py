"""What goals, streaks, games, quizzes, memberships and friends made of an activity, told with its arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from hashlib import sha256
from typing import Final

from palier.engine import mechanics as doc
from palier.engine.amounts import divide, from_minor
from palier.engine.compiled import CompiledGoal
from palier.engine.currencies import localized
from palier.engine.explain.telling import Step, Telling
from palier.engine.facts import FRIEND_CONVERTED, MADE_SOURCE, RETURN
from palier.engine.phrases import activities, date_words, ordinal, word
from palier.engine.state import NEVER
from palier.engine.trace import GoalTrace, GrantTrace, StreakTrace
from palier.engine.words import NO_BREAK

_UNITS: Final = {
    "units": (("item", "items"), ("article", "articles")),
    "category": (("department", "departments"), ("rayon", "rayons")),
    "sku": (("item", "items"), ("article", "articles")),
    "partner": (("partner", "partners"), ("partenaire", "partenaires")),
    "location": (("shop", "shops"), ("magasin", "magasins")),
    "channel": (("channel", "channels"), ("canal", "canaux")),
    "day": (("day", "days"), ("jour", "jours")),
    "week": (("week", "weeks"), ("semaine", "semaines")),
    "month": (("month", "months"), ("mois", "mois")),
}
_STAMPS: Final = (("stamp", "stamps"), ("tampon", "tampons"))


class Mechanics(Telling):
    """One step for each goal, streak, draw, quiz and payment, with what it gave or took back."""

    def mechanics(self) -> list[Step]:
        """All that mechanics did, in the order in which they act; empty where none did."""
        steps = [*self.acts(), *self.drawn(), *self.scored(), *self.joined_membership()]
        for goal in self.trace.goals:
            if goal.before != goal.after or self.told.type != RETURN:
                steps.append(self.counted(goal))
            steps += self.gave(f"goal:{goal.goal}:")
        for streak in self.trace.streaks:
            steps.append(self.ran(streak))
            steps += self.gave(f"streak:{streak.streak}:")
        for prefix in ("tier:", "referral", "prize:"):
            steps += self.gave(prefix)
        return steps

    # --- words ----------------------------------------------------------------------------------------

    def colon(self) -> str:
        return f"{NO_BREAK}: " if self.fr else ": "

    def named(
        self, parts: Sequence[doc.Goal | doc.Streak | doc.Game | doc.Quiz | doc.Membership], key: str
    ) -> str:
        """The name of a part of the program by its key."""
        found = next((part for part in parts if part.key == key), None)
        return key if found is None else self.text(found.name) or key

    def rank(self, number: int) -> str:
        """ "10th", of a masculine noun in French: "1er", "10e"."""
        if self.fr:
            return "1er" if number == 1 else f"{number}e"
        return ordinal(number, "en") if number > 1 else "1st"

    def gave(self, prefix: str) -> list[Step]:
        """What grants of a cause gave, and took back."""
        return [self.grant(item) for item in self.trace.grants if item.cause.startswith(prefix)]

    def grant(self, item: GrantTrace) -> Step:
        title, why = self.cause(item.cause)
        said = self.points(abs(item.points), item.currency)
        if item.points < 0:
            text = self.say(f"{said} taken back", f"reprise de {said}")
            text += f" ({why})" if why else ""
            text += self.say(", because ", ", car ") + self.returned_thing()
            return Step(title, text, 0, item.currency)
        text = f"{why}{self.colon()}{said}" if why else f"+{said}"
        if item.worth:
            worth = self.money(item.worth)
            text += self.say(f", worth at most {worth}", f", d'une valeur de {worth} au plus")
        if item.pending:
            text += self.waiting(item)
        points = 0 if self.told.type == RETURN else item.points
        return Step(title, text, points, item.currency)

    def returned_thing(self) -> str:
        """ "s1 was returned"."""
        fact = self.told.fact
        if fact is not None and fact.sale is not None and fact.type == RETURN:
            if self.friends_deed():
                return self.say("what the friend had done was returned", "ce qu'avait fait l'ami a été rendu")
            name = fact.sale.id
            return self.say(f"{name} was returned", f"{name} a été rendu")
        return self.say("what brought it no longer stands", "ce qui l'avait apporté ne tient plus")

    def friends_deed(self) -> bool:
        """Whether it is about what a friend did whom this member brought, or about its return."""
        fact = self.told.fact
        sale = fact.sale if fact is not None and fact.type == RETURN else None
        return self.told.type == FRIEND_CONVERTED or (
            sale is not None and sale.source == MADE_SOURCE and sale.id.startswith(FRIEND_CONVERTED)
        )

    def waiting(self, item: GrantTrace) -> str:
        referral = self.plan.referral
        if item.cause == "referral" and referral is not None and self.told.at:
            when = self.day(self.plan.clock.add_days(self.told.at, referral.wait_days))
            return self.say(
                f", to spend from {when}",
                f", utilisable{'s' * self.several(item.points, item.currency)} à partir du {when}",
            )
        return self.say(", pending", ", en attente")

    def cause(self, cause: str) -> tuple[str, str]:
        """The name of what gave, and at which step of it."""
        kind, _, rest = cause.partition(":")
        key, _, step = rest.rpartition(":")
        program = self.program
        if kind == "goal":
            lasts = self.told.type == RETURN and key in self.acting.plan.goals
            steps = self.acting if lasts else self
            return self.named(program.goals, key), steps.goal_step(key, int(step))
        if kind == "streak":
            streak = next((s for s in program.streaks if s.key == key.partition(":")[0]), None)
            length = self.counted_noun(int(step), _UNITS[streak.period if streak is not None else "day"])
            why = self.say(f"streak of {length}", f"série de {length}")
            return self.named(program.streaks, key.partition(":")[0]), why
        if kind == "game":
            return self.named(program.games, key), self.prize_name(key, step)
        if kind == "quiz":
            quiz = next((quiz for quiz in program.quizzes if quiz.key == key), None)
            why = self.text(quiz.steps[int(step) - 1].name) if quiz is not None else ""
            return self.named(program.quizzes, key), why
        if kind == "membership":
            return self.named(program.memberships, rest), ""
        if kind == "tier":
            reached = self.acting.tier(rest)
            return "", self.say(
                f"{reached} reached for the first time", f"niveau {reached} atteint pour la première fois"
            )
        if kind == "prize":
            board = next((board for board in program.leaderboards if board.key == key), None)
            title = key if board is None else self.text(board.name) or key
            return title, self.say(f"place {step}", f"place {step}")
        if self.friends_deed():
            return "", self.say("a friend brought here", "pour un ami venu grâce à ce membre")
        return "", self.say("for coming through a friend", "pour être venu grâce à un ami")

    # --- goals ----------------------------------------------------------------------------------------

    def goal_document(self, key: str) -> doc.Goal | None:
        return next((goal for goal in self.program.goals if goal.key == key), None)

    def amount(self, goal: doc.Goal, minor: int) -> str:
        """A place of a goal in its measure: "€62.10", "42 stars", "7"."""
        if goal.measure == "spend":
            return self.money(minor)
        if goal.measure == "points" and goal.currency is not None:
            return self.number(minor, goal.currency)
        return localized(str(minor), self.language)

    def goal_step(self, key: str, step: int) -> str:
        """Which step of a goal: "10th stamp", "There (€250.00)"; with its round where it is not the first."""
        written, goal = self.goal_document(key), self.plan.goals.get(key)
        if written is None or goal is None or not goal.thresholds:
            return ""
        rounds, index = divmod(step - 1, len(goal.thresholds))
        at = goal.thresholds[index]
        name = self.text(written.steps[index].name)
        if self.stamped(written):
            said = self.say(f"{self.rank(at)} stamp", f"{self.rank(at)} tampon")
        else:
            said = f"{name} ({self.place(written, at)})" if name else self.place(written, at)
        if rounds:
            said += self.say(f", {self.rank(rounds + 1)} time", f", {ordinal(rounds + 1, 'fr')} fois")
        return said

    @staticmethod
    def stamped(goal: doc.Goal) -> bool:
        """Whether its places are stamps: neither money nor points, whatever it is shown as."""
        return goal.kind == "stamp_card" and goal.measure not in ("spend", "points")

    def place(self, goal: doc.Goal, minor: int) -> str:
        """A place with its noun: "5 purchases", "€250.00"."""
        if goal.measure == "spend":
            return self.money(minor)
        if goal.measure == "points" and goal.currency is not None:
            return self.points(minor, goal.currency)
        if goal.measure == "activities":
            if len(goal.on) == 1:
                return activities(minor, goal.on[0], self.program, self.language)
            return self.counted_noun(minor, (("time", "times"), ("fois", "fois")))
        return self.counted_noun(
            minor, _UNITS[(goal.distinct or "day") if goal.measure == "distinct" else "units"]
        )

    def counted(self, item: GoalTrace) -> Step:
        """What an activity counted: "€20.00 + €42.10 = €62.10 of €100.00", "stamp 7 of 10"."""
        written, goal = self.goal_document(item.goal), self.plan.goals.get(item.goal)
        if written is None or goal is None:
            return Step(item.goal, f"{item.before} → {item.after}")
        moved = item.after - item.before
        last = goal.last if goal.repeat and goal.last else 0
        final = last * (goal.most_rounds or 0)
        if final and min(item.before, item.after) >= final:
            done = self.say("finished, nothing more to reach", "terminé, plus rien à atteindre")
            return Step(self.named(self.program.goals, item.goal), done)
        # Counted from the beginning of a round: the one that is left, or, going back, the one come to.
        began = item.before if moved > 0 else max(item.after - 1, 0)
        start = began // last * last if last else 0
        target = self.target(goal, item.after)
        of = self.say(" of ", " sur ") + self.amount(written, target) if target else ""
        before, after = item.before - start, item.after - start
        if self.stamped(written) and moved == 1 and target:
            text = self.say("stamp ", "tampon ") + self.amount(written, after) + of
        else:
            sign = "−" if moved < 0 else "+"
            text = f"{self.amount(written, before)} {sign} {self.amount(written, abs(moved))}"
            text += f" = {self.amount(written, after)}"
            full, over = divmod(after, last) if last and moved > 0 else (0, 0)
            if full > 1 or (full and over):
                text += self.colon() + (f"{full} × " if full > 1 else "") + self.amount(written, last)
                rest = self.amount(written, over)
                if over and final and item.after >= final:
                    text += self.say(f" and {rest} beyond the end", f" et {rest} au-delà de la fin")
                elif over:
                    text += self.say(f" and {rest} for the next round", f" et {rest} pour le tour suivant")
            else:
                text += of
            if self.stamped(written) and moved > 0:
                text = self.say("stamps", "tampons") + self.colon() + text
        if item.keys:
            seen = [self.called(goal.distinct, key) for key in item.keys]
            text = ", ".join(seen) + self.colon() + text
        if written.most_per_day is not None and moved >= 0 and self.cut(written, item):
            most = self.amount(written, goal.most_per_day)
            text += self.say(f" (at most {most} a day)", f" (au plus {most} par jour)")
        elif item.counted == goal.at_once:
            most = self.amount(written, goal.at_once)
            text += self.say(f" (at most {most} at once)", f" (au plus {most} à la fois)")
        return Step(self.named(self.program.goals, item.goal), text)

    def called(self, distinct: str, key: str) -> str:
        """What a goal counted once: a department, a product, a shop by its name, a day by its date."""
        if distinct == "day":
            return date_words(date.fromordinal(int(key)).isoformat(), self.language)
        return word(distinct, key, self.program, self.language)

    @staticmethod
    def cut(goal: doc.Goal, item: GoalTrace) -> bool:
        """Whether the day's cap may have cut what was counted: it took all the room there was."""
        return item.counted == item.room and (goal.measure != "activities" or not item.counted)

    def in_round(self, goal: CompiledGoal, position: int) -> int:
        """The place within its round; the last place of a round is its end, not the next one's beginning."""
        if not goal.repeat or not goal.last or position <= goal.last:
            return position
        return (position - 1) % goal.last + 1

    def target(self, goal: CompiledGoal, position: int) -> int:
        """What is to be reached next (or was, just now) in the round; 0 where there is no step left."""
        here = self.in_round(goal, position)
        return next((at for at in goal.thresholds if at >= here), 0)

    # --- streaks --------------------------------------------------------------------------------------

    def ran(self, item: StreakTrace) -> Step:
        """How a streak stands: "streak of 7 days"; saved by a token, or ended."""
        key = item.streak.partition(":")[0]
        streak = next((streak for streak in self.program.streaks if streak.key == key), None)
        nouns = _UNITS[streak.period if streak is not None else "day"]
        before, after = self.counted_noun(item.before, nouns), self.counted_noun(item.after, nouns)
        title = self.named(self.program.streaks, key)
        if self.told.type == "streak_saved":
            token = (
                self.points(10 ** self.plan.currencies[streak.freeze].scale, streak.freeze)
                if streak and streak.freeze
                else ""
            )
            return Step(
                title,
                self.say(f"{token} saved the streak of {after}", f"{token} a sauvé la série de {after}"),
            )
        if self.told.type == "streak_lapsed":
            return Step(title, self.say(f"the streak of {before} ended", f"fin de la série de {before}"))
        if item.after == item.before:
            if not item.after and streak is not None and streak.of == "pair":
                text = self.say("the other of the pair has yet to act", "l'autre du duo doit encore agir")
                return Step(title, text)
            if not item.after:
                least = streak.least if streak is not None else 1
                return Step(
                    title,
                    self.say(
                        f"a beginning: it takes {least} for the first",
                        f"un début{NO_BREAK}: il en faut {least} pour commencer",
                    ),
                )
            return Step(title, self.say(f"streak of {after}, as before", f"série de {after}, comme avant"))
        if item.after < item.before:
            return Step(title, self.say(f"streak of {before} → {after}", f"série de {before} → {after}"))
        return Step(title, self.say(f"streak of {after}", f"série de {after}"))

    # --- games, quizzes -------------------------------------------------------------------------------

    def prize_name(self, game: str, prize: str) -> str:
        written = next((item for item in self.program.games if item.key == game), None)
        found = next((item for item in written.prizes if item.key == prize), None) if written else None
        return prize if found is None else self.text(found.name) or prize

    def drawn(self) -> list[Step]:
        """Each draw: the number, its field and chance, and what it brought; and what a play cost."""
        steps = []
        if self.told.type == "play" and self.trace.taken:
            game = (
                self.plan.games.get(str(self.told.fact.attributes.get("game", "")))
                if self.told.fact
                else None
            )
            currency = (
                game.price[0]
                if game is not None and game.price is not None
                else self.told.transfers[0][3]
                if self.told.transfers
                else ""
            )
            total = sum(amount for _, amount in self.trace.taken)
            said = self.points(total, currency)
            steps.append(Step("", self.say(f"{said} to play", f"{said} pour jouer"), -total, currency))
        for key, field, prize in self.trace.draws:
            game = self.plan.games.get(key)
            if game is None or not 0 <= field < len(game.prizes):
                continue
            number = field + 1
            lead = ""
            if self.told.draw:
                value = int.from_bytes(sha256(f"{self.told.draw}:{key}".encode()).digest(), "big")
                figure = self.decimal(from_minor(value * 10_000 >> 256, 4))
                lead = self.say(f"drew {figure}: ", f"tirage {figure}{NO_BREAK}: ")
            weight = game.cumulative[field] - (game.cumulative[field - 1] if field else 0)
            text = lead + self.say(
                f"field {number} of {len(game.prizes)}, chance {self.chance(weight, game.total)}",
                f"case {number} sur {len(game.prizes)}, {self.chance(weight, game.total)}",
            )
            if not prize:
                text += self.say("; sold out, nothing won", f"{NO_BREAK}; épuisé, rien de gagné")
            elif not game.prizes[field][1]:
                text += f"{self.colon()}{self.prize_name(key, prize)}"
            steps.append(Step(self.named(self.program.games, key), text))
            steps += self.gave(f"game:{key}:")
        if not self.trace.draws:
            steps += self.gave("game:")
        return steps

    def chance(self, weight: int, total: int) -> str:
        if total % weight == 0:
            return self.say(f"1 in {total // weight}", f"1 chance sur {total // weight}")
        percent = self.decimal(from_minor(divide(weight * 10_000, total, "half_even"), 2))
        return self.say(f"{percent}%", f"{percent}\u202f% de chances")

    def scored(self) -> list[Step]:
        if self.trace.score < 0:
            return self.gave("quiz:")
        key = str(self.told.fact.attributes.get("quiz", "")) if self.told.fact is not None else ""
        quiz = next((quiz for quiz in self.program.quizzes if quiz.key == key), None)
        score = self.trace.score
        right = self.say("right", "bonne réponse" if score < 2 else "bonnes réponses")
        text = f"{score} {right}"
        if quiz is not None:
            text += self.say(" of ", " sur ") + str(len(quiz.questions))
        return [Step(self.named(self.program.quizzes, key), text), *self.gave("quiz:")]

    # --- memberships and what members choose ----------------------------------------------------------

    def joined_membership(self) -> list[Step]:
        if self.trace.membership is None:
            return self.gave("membership:")
        key, before, after = self.trace.membership
        if after >= NEVER:
            text = self.say("member for life", "adhésion à vie")
        else:
            end = self.through(after)
            longer = before > self.told.at
            text = (
                self.say(f"prolonged {end}", f"adhésion prolongée {end}")
                if longer
                else self.say(f"member {end}", f"adhésion {end}")
            )
        return [Step(self.named(self.program.memberships, key), text), *self.gave("membership:")]

    def acts(self) -> list[Step]:
        """What a member chose: to take part, to stop, what to save for, a partner for a streak."""
        fact = self.told.fact
        if fact is None:
            return []
        goal = self.named(self.program.goals, str(fact.attributes.get("goal", "")))
        if fact.type == "opt_in":
            return [Step(goal, self.say("taking part from now on", "participe à partir de maintenant"))]
        if fact.type == "opt_out":
            return [Step(goal, self.say("no longer taking part", "ne participe plus"))]
        if fact.type == "paired":
            streak = self.named(self.program.streaks, str(fact.attributes.get("streak", "")))
            return [
                Step(
                    streak, self.say("goes on as a pair from now on", "se fait à deux à partir de maintenant")
                )
            ]
        if fact.type == "save_for":
            if not fact.attributes.get("points"):
                return [Step("", self.say("saves for nothing any more", "n'économise plus pour rien"))]
            names = fact.attributes
            name = str((self.fr and names.get("name_fr")) or names.get("name", ""))
            name = name or self.say("a wish", "un souhait")
            return [Step("", self.say(f"saves for {name}", f"économise pour {name}"))]
        return []

    def dividend(self) -> list[Step]:
        """The yearly share of what a member bought."""
        fact = self.told.fact
        steps = []
        for currency, amount in self.moved_by("earn").items():
            said = self.points(amount, currency)
            reason = f" ({fact.reason})" if fact is not None and fact.reason else ""
            steps.append(
                Step(
                    "",
                    self.say(f"yearly share: +{said}", f"part annuelle{NO_BREAK}: +{said}") + reason,
                    amount,
                    currency,
                )
            )
        return steps
