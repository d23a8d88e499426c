"""Levels: how one rises, what each brings, how one stays."""

from __future__ import annotations

from palier.engine import program as doc
from palier.engine.describe.earning import Earning
from palier.engine.describe.page import Part
from palier.engine.facts import SALE


class Levels(Earning):
    """The ladder of tiers; hidden ones are not spoken of."""

    def level_parts(self) -> list[Part]:
        ladder = self.program.tiers
        if ladder is None:
            return []
        shown = [tier for tier in ladder.tiers if not tier.hidden]
        names = self.joined([self.name_or(tier.name, tier.key) for tier in shown])
        first = self.name_or(shown[0].name, shown[0].key) if shown else ""
        count = self.counted(len(shown), ("level", "levels"), ("niveau", "niveaux"))
        intro = self.sentences(
            self.say(
                f"there {'is' if len(shown) == 1 else 'are'} {count}: {names}", f"il y a {count} : {names}"
            ),
            self.say(f"you begin at {first}", f"vous commencez au niveau {first}") if first else "",
        )
        parts = [Part("", intro), *(self.level_part(tier, ladder) for tier in shown), self.stay_part(ladder)]
        return [part for part in parts if part.text or part.items]

    def level_part(self, tier: doc.Tier, ladder: doc.TierLadder) -> Part:
        texts = []
        if tier.qualify is not None:
            said = self.qualify(tier.qualify, ladder)
            texts.append(self.say(f"you reach it when {said}", f"vous y arrivez quand {said}"))
        if tier.keep is not None:
            said = self.qualify(tier.keep, ladder)
            texts.append(self.say(f"you keep it as long as {said}", f"vous y restez tant que {said}"))
        if tier.grants:
            given = self.grants(tier.grants)
            texts.append(
                self.say(f"the first time, you get {given}", f"la première fois, vous recevez {given}")
            )
        benefits = [self.sentence(self.text(benefit)) for benefit in tier.benefits if self.text(benefit)]
        return Part(self.name_or(tier.name, tier.key), self.sentences(*texts), benefits)

    def qualify(self, qualify: doc.Qualify, ladder: doc.TierLadder) -> str:
        thresholds = qualify.all if qualify.all is not None else qualify.any or []
        last = ("and", "et que") if qualify.all is not None else ("or", "ou que")
        said = self.joined([self.threshold(item, ladder) for item in thresholds], last=last)
        return f"{said} {self.window(ladder.window)}"

    def threshold(self, threshold: doc.Threshold, ladder: doc.TierLadder) -> str:
        least = threshold.at_least
        if threshold.metric == "spend":
            return self.say(
                f"you spend at least {self.price(least)}", f"vous dépensez au moins {self.price(least)}"
            )
        if threshold.metric == "points":
            currency = ladder.points_currency or self.program.point_currencies[0].key
            points = self.rate_points(least, currency)
            return self.say(f"you earn at least {points}", f"vous gagnez au moins {points}")
        number = self.decimal(least)
        if ladder.counts == [SALE]:
            return self.say(f"you buy at least {number} times", f"vous achetez au moins {number} fois")
        return self.say(f"you come at least {number} times", f"vous venez au moins {number} fois")

    def window(self, window: doc.TierWindow) -> str:
        match window:
            case doc.WindowRolling():
                return self.say(f"within {self.days(window.days)}", f"en {self.days(window.days)}")
            case doc.WindowCalendar():
                return self.say(
                    {"month": "in a month", "quarter": "in three months", "year": "in a year"}[window.period],
                    {"month": "en un mois", "quarter": "en trois mois", "year": "en un an"}[window.period],
                )
            case doc.WindowLifetime():
                return self.say("since you joined", "depuis votre inscription")

    def stay_part(self, ladder: doc.TierLadder) -> Part:
        texts = []
        match ladder.window:
            case doc.WindowRolling():
                days = self.days(ladder.window.days)
                texts.append(
                    self.say(
                        f"we always look at the last {days}", f"nous regardons toujours les {days} passés"
                    )
                )
            case doc.WindowCalendar():
                spans = {
                    "month": ("the months of the calendar", "les mois du calendrier"),
                    "quarter": (
                        "quarters, which begin in January, April, July and October",
                        "les trimestres, qui commencent en janvier, avril, juillet et octobre",
                    ),
                    "year": ("years from January to December", "les années de janvier à décembre"),
                }
                span = self.say(*spans[ladder.window.period])
                texts.append(
                    self.say(
                        f"we look at {span}: this one and the one before, and the better counts",
                        f"nous regardons {span} : la période en cours et celle d'avant, la meilleure compte",
                    )
                )
            case doc.WindowLifetime():
                pass
        if any(item.metric == "visits" for item in self.thresholds(ladder)) or ladder.counts != [SALE]:
            nouns = self.nouns(ladder.counts)
            texts.append(self.say(f"what counts: {nouns}", f"ce qui compte : {nouns}"))
        if (
            any(item.metric == "spend" for item in self.thresholds(ladder))
            and ladder.spend_base != self.common_base()
        ):
            texts.append(
                self.base(
                    ladder.spend_base, ("What counts for your level", "Ce qui compte pour votre niveau")
                )
            )
        if len(ladder.tiers) > 1:
            down = (
                self.say("you go down one level at a time", "vous descendez d'un seul niveau à la fois")
                if ladder.soft_landing
                else self.say(
                    "you go to the level that you reach then",
                    "vous passez au niveau que vous atteignez alors",
                )
            )
            if ladder.grace_days:
                days = self.days(ladder.grace_days)
                texts.append(
                    self.say(
                        f"if you no longer reach your level, you keep it for {days} more; then {down}",
                        f"si vous n'atteignez plus votre niveau, vous le gardez encore {days} ; ensuite, {down}",
                    )
                )
            else:
                texts.append(
                    self.say(
                        f"if you no longer reach your level, {down}",
                        f"si vous n'atteignez plus votre niveau, {down}",
                    )
                )
        return Part("", self.sentences(*texts))

    def thresholds(self, ladder: doc.TierLadder) -> list[doc.Threshold]:
        found = []
        for tier in ladder.tiers:
            for qualify in (tier.qualify, tier.keep):
                if qualify is not None:
                    found += [*(qualify.all or []), *(qualify.any or [])]
        return found
