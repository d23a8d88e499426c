"""What every section says alike: amounts, days, caps, what counts of a sale, how long points last."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from palier.engine import program as doc
from palier.engine.amounts import divide, from_minor, ratio
from palier.engine.clock import MINUTE
from palier.engine.conditions import DATE
from palier.engine.currencies import exponent, localized, money
from palier.engine.instants import parse_instant
from palier.engine.mechanics import Budget
from palier.engine.phrases import MONTHS, date_words, time_words
from palier.engine.words import ProgramWords

_PERIODS: Final = {
    "activity": ("each time", "à chaque fois"),
    "day": ("a day", "par jour"),
    "week": ("a week", "par semaine"),
    "month": ("a month", "par mois"),
    "year": ("a year", "par an"),
    "lifetime": ("in all", "en tout"),
}
_ROUNDING: Final = {
    "floor": ("We round down", "Nous arrondissons en dessous"),
    "ceiling": ("We round up", "Nous arrondissons au-dessus"),
    "half_up": (
        "We round to the nearest, halves up",
        "Nous arrondissons au plus proche, la moitié au-dessus",
    ),
    "half_even": (
        "We round to the nearest, halves to the even one",
        "Nous arrondissons au plus proche, la moitié au nombre pair",
    ),
}
_OF_A_PURCHASE: Final = ("What counts of a purchase", "Ce qui compte dans un achat")
_ROUNDED: Final = {
    "basket": ("once for the whole basket", "une fois pour tout le panier"),
    "line": ("for each item on its own", "article par article"),
    "carry": ("and what is left over counts next time", "et le reste compte la fois suivante"),
}


class Speaker(ProgramWords):
    """Sentences about one program, for its members."""

    # --- words ------------------------------------------------------------------------------------

    def joined(self, words: Sequence[str], *, last: tuple[str, str] = ("and", "et")) -> str:
        """ "a, b and c"."""
        joint = f" {self.say(*last)} "
        return joint.join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)

    def sentences(self, *texts: str) -> str:
        """Texts as sentences: each begins with a capital and ends with a stop; empty ones are left out."""
        return " ".join(self.sentence(text) for text in texts if text)

    def sentence(self, text: str) -> str:
        text = text[:1].upper() + text[1:]
        return text if text.endswith((".", "!", "?", "…")) else f"{text}."

    def quoted(self, text: str) -> str:
        return self.say(f"“{text}”", f"« {text} »")

    def many(self, currency: str) -> str:
        """The name of points, several of them: "stars"."""
        return self.noun(currency, singular=False)

    def times(self, count: int) -> str:
        return self.say("once" if count == 1 else f"{count} times", f"{count} fois")

    def counted(self, count: int, english: tuple[str, str], french: tuple[str, str]) -> str:
        """A number with its noun, one or several."""
        number = localized(str(count), self.language)
        noun = french[count > 1] if self.fr else english[count != 1]
        return f"{number} {noun}"

    def days(self, count: int) -> str:
        return self.counted(count, ("day", "days"), ("jour", "jours"))

    def price(self, text: str) -> str:
        """Money as a person writes it: "€1", "€0.50", "1 €"; with all decimals where it has more than the currency."""
        top, bottom = ratio(text)
        digits = 0 if bottom == 1 else max(len(str(bottom)) - 1, exponent(self.program.currency))
        number = localized(from_minor(top * 10**digits // bottom, digits), self.language)
        zero = localized(from_minor(0, exponent(self.program.currency)), self.language)
        return money(0, self.program.currency, self.language).replace(zero, number)

    def percent(self, part: int, whole: int) -> str:
        """A share in percent, to two decimals, or as many more as its first figure takes."""
        digits = 2
        while digits < 8 and part * 100 * 10**digits < whole:
            digits += 1
        text = from_minor(divide(part * 100 * 10**digits, whole, "half_even"), digits)
        return self.decimal(text) + self.say("%", " %")

    def name_or(self, text: doc.Text, key: str) -> str:
        return self.text(text) or key.replace("_", " ")

    # --- instants ---------------------------------------------------------------------------------

    def point_in_time(self, text: str) -> str:
        """A local date, or the local day and time of an instant, in words; at midnight the day alone."""
        if DATE.fullmatch(text):
            return date_words(text, self.language)
        try:
            at = parse_instant(text)
        except ValueError:
            return text
        _, minute = self.clock.local(at)
        if at == self.clock.start_of_day(self.clock.local(at)[0]) or (minute == 0 and at % MINUTE == 0):
            return self.day(at)
        time = time_words(f"{minute // 60:02d}:{minute % 60:02d}", self.language)
        return self.say(f"{self.day(at)} at {time}", f"{self.day(at)} à {time}")

    def dates(self, start: str | None, end: str | None) -> str:
        """ "from 1 March 2026 through 31 March 2026"; empty where neither is given."""
        words = []
        if start is not None and end is not None and self.fr:
            closed = " inclus" if DATE.fullmatch(end) else ""
            return f"du {self.point_in_time(start)} au {self.point_in_time(end)}{closed}"
        if start is not None:
            said = self.point_in_time(start)
            words.append(self.say(f"from {said}", f"à partir du {said}"))
        if end is not None:
            said = self.point_in_time(end)
            if DATE.fullmatch(end):
                words.append(self.say(f"through {said}", f"jusqu'au {said} inclus"))
            else:
                words.append(self.say(f"until {said}", f"jusqu'au {said}"))
        return " ".join(words)

    def place(self) -> str:
        """The program's time zone as people name it: "Paris"."""
        return self.program.time_zone.rpartition("/")[2].replace("_", " ")

    # --- what is given, and how much at most --------------------------------------------------------

    def grants(self, grants: Iterable[doc.Grant]) -> str:
        """ "10 stars and 1 free coffee"; "nothing" where there is none."""
        given = [self.rate_points(grant.points, grant.currency) for grant in grants]
        return self.joined(given) or self.say("nothing", "rien")

    def caps(self, caps: doc.Caps | None, currency: str, lead: tuple[str, str] = ("", "")) -> str:
        """ "At most 50 stars a day and 150 stars a month"."""
        if caps is None:
            return ""
        parts = [
            f"{self.rate_points(limit, currency)} {self.say(*_PERIODS[period])}"
            for period in _PERIODS
            if (limit := getattr(caps, period)) is not None
        ]
        if not parts:
            return ""
        return self.say(f"{lead[0]}at most ", f"{lead[1]}au plus ") + self.joined(parts)

    def budget(self, budget: Budget | None, currency: str) -> str:
        if budget is None:
            return ""
        most = (
            self.rate_points(budget.points, currency)
            if budget.points is not None
            else self.price(budget.money or "0")
        )
        return self.say(
            f"for all members together there are {most}; when they are gone, it is over",
            f"pour tous les membres ensemble, il y a {most} ; quand c'est épuisé, c'est fini",
        )

    # --- what counts of a sale ------------------------------------------------------------------------

    def base(self, base: doc.Base, lead: tuple[str, str] = _OF_A_PURCHASE) -> str:
        """What part of a purchase counts, in two sentences at most."""
        price = self.say(
            f"the price ({'with' if base.tax == 'in' else 'without'} tax, "
            + ("after discounts)" if base.discounts == "deducted" else "before discounts)"),
            f"le prix ({'avec' if base.tax == 'in' else 'sans'} les taxes, "
            + ("après remises)" if base.discounts == "deducted" else "avant remises)"),
        )
        parts = (
            (base.shipping, self.say("shipping", "la livraison")),
            (base.gift_cards, self.say("gift cards that you buy", "les cartes cadeaux que vous achetez")),
            (base.points_part, self.say("what you pay with points", "ce que vous payez en points")),
        )
        counted = [price, *(words for choice, words in parts if choice == "in")]
        ignored = [words for choice, words in parts if choice == "out"]
        said = self.sentence(self.say(f"{lead[0]}: ", f"{lead[1]} : ") + self.joined(counted))
        if ignored:
            what = self.joined(ignored, last=("and", "et"))
            said += " " + self.sentence(
                self.say(
                    f"What does not count: {what}",
                    f"{'Ne compte' if len(ignored) == 1 else 'Ne comptent'} pas : {what}",
                )
            )
        return said

    def rounding(self, rounding: doc.RoundingRule, currency: str) -> str:
        """How a part of a point is rounded, and over what."""
        scale = self.units[currency].scale if currency in self.units else 0
        least = self.rate_points(from_minor(1, scale), currency)
        unit = self.say(f" to {least}" if scale else f" to whole {self.many(currency)}", f", à {least} près")
        mode, _, halves = self.say(*_ROUNDING[rounding.mode]).partition(",")
        over = self.say(*_ROUNDED[rounding.per])
        return f"{mode}{unit}{',' + halves if halves else ''}, {over}"

    # --- how long points last ---------------------------------------------------------------------------

    def expiry(self, expiry: doc.Expiry, what: str) -> str:
        """How long points last, with an example where it helps; `what` is whose: "your stars"."""
        said = ""
        match expiry:
            case doc.ExpiryNever():
                return self.sentence(self.say(f"{what} never expire", f"{what} n'expirent jamais"))
            case doc.ExpiryRolling():
                days = self.days(expiry.days)
                said = self.say(
                    f"{what} last {days} from the moment you earn them",
                    f"{what} restent valables {days} à partir du moment où vous les gagnez",
                )
            case doc.ExpiryEndOfMonth():
                said = self._to_month_end(expiry.after_months, what)
            case doc.ExpiryEndOfYear():
                said = self._to_year_end(expiry.after_years, what)
            case doc.ExpiryFixedDate():
                day = date_words(expiry.date, self.language)
                said = self.say(
                    f"{what} can be used through {day}", f"{what} restent valables jusqu'au {day} inclus"
                )
            case doc.ExpiryInactivity():
                days = self.days(expiry.days)
                said = self.say(
                    f"if you earn none for {days}, {what} all expire",
                    f"si vous n'en gagnez pas pendant {days}, {what} expirent d'un seul coup",
                )
        if expiry.grace_days:
            days = self.days(expiry.grace_days)
            return self.sentences(
                said,
                self.say(
                    f"after that you still have {days} to use them",
                    f"ensuite, il vous reste {days} pour les utiliser",
                ),
            )
        return self.sentence(said)

    def _to_month_end(self, months: int, what: str) -> str:
        if not months:
            return self.say(
                f"{what} last until the end of the month in which you earn them",
                f"{what} restent valables jusqu'à la fin du mois où vous les gagnez",
            )
        years, month = divmod(months, 12)
        last = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)[month]
        names = MONTHS[self.language]
        later = (
            ""
            if not years
            else self.say(" of the next year", " de l'année suivante")
            if years == 1
            else self.say(f", {years} years later", f", {years} ans plus tard")
        )
        if month == 1:
            end = self.say(f"the end of February{later}", f"à la fin de février{later}")
            end = self.say(end, f"jusqu'{end}")
        else:
            end = self.say(f"{last} {names[month]}{later}", f"jusqu'au {last} {names[month]}{later}")
        after = self.counted(months, ("month", "months"), ("mois", "mois"))
        return self.sentence(
            self.say(
                f"{what} last until the end of the month, plus {after}",
                f"{what} restent valables jusqu'à la fin du mois, plus {after}",
            )
        ) + self.say(
            f" What you earn in January can be used through {end}",
            f" Ce que vous gagnez en janvier peut servir {end}",
        )

    def _to_year_end(self, years: int, what: str) -> str:
        if not years:
            return self.say(
                f"{what} last until 31 December of the year in which you earn them",
                f"{what} restent valables jusqu'au 31 décembre de l'année où vous les gagnez",
            )
        later = (
            self.say("of the next year", "de l'année suivante")
            if years == 1
            else self.say(f"{years} years later", f"{years} ans plus tard")
        )
        return self.say(
            f"{what} last until 31 December {later}", f"{what} restent valables jusqu'au 31 décembre {later}"
        )

    def pending(self, pending: doc.Pending | None) -> str:
        """When points can first be used; empty for at once."""
        match pending:
            case doc.PendingDays():
                days = self.days(pending.days)
                return self.say(
                    f"you can use them {days} after you earn them",
                    f"vous pouvez les utiliser au bout de {days}",
                )
            case doc.PendingUntilActivity():
                named = self.activity_name(pending.activity)
                return self.say(
                    f"you can use them as soon as this has happened: {named}",
                    f"vous pouvez les utiliser dès que ceci a eu lieu : {named}",
                )
        return ""

    def activity_name(self, key: str) -> str:
        """A declared type of activity by its name, in quotes."""
        kind = next((kind for kind in self.program.activity_types if kind.key == key), None)
        return self.quoted(key.replace("_", " ") if kind is None else self.name_or(kind.name, key))
