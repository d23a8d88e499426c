"""Readability: syllables against words counted by hand, and both formulas against texts worked out by hand."""

from __future__ import annotations

import pytest

from palier.engine.readability import grade, syllables

ENGLISH = {
    1: "star rate earned through the you buy bought spend wait free two 7 worth months",
    2: "table uses birthday wanted buying action people coffee every level purchase expire something 42 42.00 being",
    3: "radio membership another remember afterwards everything 250 calendar",
    4: "application january 1,000 anybody",
}
FRENCH = {
    1: "que les mois août pied fruit trois 7 qu'on jours plus",
    2: "étoile étoiles achat l'achat journée payer voyage euro client poème réel papier janvier niveau 42 42,00",
    3: "dépenser adhésion magasin semaine-là expirer février",
    4: "anniversaire utiliser européen récompenser",
}


@pytest.mark.parametrize(
    ("word", "count"), [(word, count) for count, words in ENGLISH.items() for word in words.split()]
)
def test_english_syllables(word: str, count: int) -> None:
    assert syllables(word, "en") == count


@pytest.mark.parametrize(
    ("word", "count"), [(word, count) for count, words in FRENCH.items() for word in words.split()]
)
def test_french_syllables(word: str, count: int) -> None:
    assert syllables(word, "fr") == count


def test_the_english_formula() -> None:
    # 2 sentences, 11 words; you get a star each time you buy (8) and it is free (3): 11 syllables.
    found = grade("You get a star each time you buy. It is free.", "en")
    assert (found.sentences, found.words, found.syllables) == (2, 11, 11)
    # 0.39 x 5.5 + 11.8 x 1 - 15.59 = 2.145 + 11.8 - 15.59 = -1.645; the first part rounds to 2.14.
    assert (found.hundredths, found.age) == (-165, 6)


def test_the_french_formula() -> None:
    # Vous gagnez une étoile par euro (1+2+1+2+1+2 = 9), elle reste un an (1+1+1+1 = 4).
    found = grade("Vous gagnez une étoile par euro ; elle reste un an.", "fr")
    assert (found.sentences, found.words, found.syllables) == (2, 10, 13)
    # 207 - 1.015 x 5 - 73.6 x 1.3 = 207 - 5.075 - 95.68 = 106.245, the two parts rounded to hundredths.
    assert (found.hundredths, found.age) == (20700 - 508 - 9568, 10)


def test_longer_words_and_sentences_are_harder() -> None:
    easy = "You get one star for each euro. You can use it at once."
    hard = "Accumulated remuneration is attributed proportionally to expenditure, notwithstanding any limitations."
    assert grade(easy, "en").hundredths < grade(hard, "en").hundredths
    assert grade(easy, "en").age < 10 < grade(hard, "en").age
    simple = "Vous gagnez un point par euro. Il sert tout de suite."
    heavy = "L'attribution proportionnelle des rémunérations accumulées demeure subordonnée aux limitations."
    assert grade(simple, "fr").hundredths > grade(heavy, "fr").hundredths
    assert grade(simple, "fr").age < 12 < grade(heavy, "fr").age


@pytest.mark.parametrize("language", ["en", "fr"])
def test_a_text_without_words(language: str) -> None:
    assert grade("... \n !", language).age == 6
