"""Amounts, days and names of one program, in one language."""

from __future__ import annotations

import unicodedata
from datetime import date
from typing import Final

from palier.engine import program as doc
from palier.engine.amounts import from_minor, ratio
from palier.engine.clock import MINUTE, LocalClock, clock_of
from palier.engine.currencies import localized, money
from palier.engine.phrases import date_words, time_words
from palier.engine.state import NEVER

NO_BREAK: Final = "\u00a0"
_LAST_MINUTE: Final = 24 * 60 - 1
Nouns = tuple[tuple[str, str], tuple[str, str]]
"""A noun for one and for several: in English, in French."""


class ProgramWords:
    """Amounts, days and names of one program, in "en" or "fr"."""

    def __init__(self, program: doc.Program, language: str, clock: LocalClock | None = None) -> None:
        self.program = program
        self.fr = language == "fr"
        self.language = language
        self.clock = clock or clock_of(program.time_zone)
        self.units = {currency.key: currency for currency in program.point_currencies}

    def say(self, english: str, french: str) -> str:
        return french if self.fr else english

    def number(self, minor: int, currency: str) -> str:
        """Points as a bare number, at their scale; the minus is a true one."""
        found = self.units.get(currency)
        text = localized(from_minor(abs(minor), found.scale if found is not None else 0), self.language)
        return f"\u2212{text}" if minor < 0 else text

    def points(self, minor: int, currency: str) -> str:
        """Points with their name: "1 star", "42 stars"; "1,5 étoile", "2 étoiles"."""
        found = self.units.get(currency)
        one = 10**found.scale if found is not None else 1
        singular = abs(minor) < 2 * one if self.fr else abs(minor) == one
        return f"{self.number(minor, currency)}{NO_BREAK}{self.noun(currency, singular)}"

    def noun(self, currency: str, singular: bool) -> str:
        written = self.units.get(currency)
        if written is None:
            return currency
        names = (written.name.fr, written.name.en) if self.fr else (written.name.en, written.name.fr)
        name = names[0] or names[1]
        return currency if name is None else name.one if singular else name.other

    def rate_points(self, text: str, currency: str) -> str:
        """A rate as written in the document: "1 star", "1.5 stars"."""
        top, bottom = ratio(text)
        singular = top < 2 * bottom if self.fr else top == bottom
        return f"{self.decimal(text)}{NO_BREAK}{self.noun(currency, singular)}"

    def decimal(self, text: str) -> str:
        if "." in text:
            text = text.rstrip("0").rstrip(".")
        return localized(text, self.language)

    def money(self, minor: int) -> str:
        return money(minor, self.program.currency, self.language)

    def day(self, at: int) -> str:
        """The local day of an instant, in words."""
        day, _ = self.clock.local(at)
        return date_words(date.fromordinal(day).isoformat(), self.language)

    def through(self, end: int) -> str:
        """Until when something lasts that ends at an instant: "through 31 May 2026", "jusqu'au 31 mai 2026".

        With the time where it ends within a day: "until 9 April 2026, 10:00", "jusqu'au 9 avril 2026 à 10 h".
        """
        if self.with_its_day(end):
            return self.say("through ", "jusqu'au ") + self.day(end - 1)
        return self.say("until ", "jusqu'au ") + self.moment(end)

    def with_its_day(self, end: int) -> bool:
        """Whether what ends at an instant lasts as long as a whole local day."""
        day, minute = self.clock.local(end)
        return minute == _LAST_MINUTE or end - self.clock.start_of_day(day) < MINUTE

    def moment(self, at: int) -> str:
        """An instant with its time: "9 April 2026, 10:00", "9 avril 2026 à 10 h"."""
        _day, minute = self.clock.local(at)
        time = time_words(f"{minute // 60:02}:{minute % 60:02}", self.language)
        return self.day(at) + self.say(", ", " à ") + time

    def last(self, end: int) -> str:
        """The last day of what ends at an instant; with the time where it ends within a day."""
        return self.day(end - 1) if self.with_its_day(end) else self.moment(end)

    def tier(self, key: str) -> str:
        ladder = self.program.tiers
        for tier in ladder.tiers if ladder is not None else ():
            if tier.key == key:
                return self.text(tier.name) or key
        return key

    def text(self, text: doc.Text) -> str:
        return (text.fr or text.en) if self.fr else (text.en or text.fr)

    def good_through(self, expires_at: int, several: bool = True) -> str:
        """Until when points can be used; `several` where they are not one alone."""
        if expires_at >= NEVER:
            return self.say("without end", "sans échéance")
        return self.say("good ", f"valable{'s' * several} ") + self.through(expires_at)

    def still_good(self, expires_at: int, until: int, at: int, several: bool = True) -> str:
        """The same at an instant `at`: points whose day has passed live on in the grace, before `until`."""
        if expires_at > at:
            return self.good_through(expires_at, several)
        return self.say(
            "in the grace, to spend ", f"dans le délai de grâce, utilisable{'s' * several} "
        ) + self.through(until)

    def several(self, minor: int, currency: str) -> bool:
        """Whether so many points are read as a plural."""
        found = self.units.get(currency)
        one = 10**found.scale if found is not None else 1
        return abs(minor) >= 2 * one if self.fr else abs(minor) != one

    def counted_noun(self, count: int, nouns: Nouns) -> str:
        """A number with its noun: "1 day", "42 days"; "1 jour", "42 jours"."""
        english, french = nouns
        noun = french[count > 1] if self.fr else english[count != 1]
        return f"{localized(str(count), self.language)}{NO_BREAK}{noun}"

    def of(self, text: str) -> str:
        """ "de" before a French text: "d'" before a vowel, and one word with its article ("du", "des")."""
        for article, joined in (("le ", "du "), ("les ", "des ")):
            if text.lower().startswith(article):
                return joined + text[len(article) :]
        bare = unicodedata.normalize("NFD", text[:1].lower())
        return f"d'{text}" if bare[:1] in ("a", "e", "i", "o", "u", "y", "œ", "æ") else f"de {text}"
