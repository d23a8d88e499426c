"""How easily a text is read: a published formula for each language, over syllables counted by stated rules.

English: the grade level of Kincaid, Fishburne, Rogers and Chissom, "Derivation of new readability formulas for
Navy enlisted personnel" (Research Branch Report 8-75, 1975): 0.39 words/sentence + 11.8 syllables/word - 15.59,
a school year of the United States. French: Kandel and Moles, "Application de l'indice de Flesch à la langue
française" (Cahiers d'études de radio-télévision 19, 1958): 207 - 1.015 words/sentence - 73.6 syllables/word,
0 (hard) to 100 (easy) on the scale of Flesch, whose own table ("The Art of Readable Writing", 1949) gives the age.

What is counted. A *sentence* ends with one of . ! ? : ; (as Flesch counted units of thought) or with its line.
A *word* is letters with their hyphens and apostrophes ("l'achat", "don't"), or a figure. A figure has one
syllable for each digit, decimals that are only zeros left out.

English *syllables*: each group of the vowels a e i o u y is one, but: a y before a vowel at the beginning is none;
a last e is none ("rate"), except in -le after a consonant ("table"); -es is none except after s x z c g or h
("uses"); -ed is none except after t or d ("wanted"); a vowel and -ing are two ("buying"); ia, io, iu are two
unless after t, s, c, g or x ("radio", but "action"); "some-" has no e; and the few words of a list.

French *syllables*: each group of vowels is one, but: a last e or es is none ("étoiles"); é, è, ê, ë, ï after a, e,
o or é begin anew ("poème"), as does any vowel after é ("réel"); a y between vowels divides ("payer"); an i between
a consonant with l or r and a vowel divides ("client"). Verbs in -ent count as nouns do.
"""

from __future__ import annotations

import re
from typing import Final, Literal

from msgspec import Struct

from palier.engine.amounts import divide

_SENTENCE: Final = re.compile(r"[.!?:;…]+(?=\s|$)|\n+")
_WORD: Final = re.compile(r"[0-9]+(?:[.,\u202f\u00a0][0-9]+)*|[^\W\d_]+(?:['’\-][^\W\d_]+)*")
_ENGLISH_KNOWN: Final = {
    "every": 2,
    "january": 4,
    "february": 4,
    "everyone": 3,
    "everything": 3,
    "business": 2,
    "create": 2,
    "created": 3,
    "area": 3,
    "idea": 3,
    "quiet": 2,
    "science": 2,
    "being": 2,
    "people": 2,
    "euros": 2,
    "real": 1,
    "coffee": 2,
    "minute": 2,
    "minutes": 2,
}
_FRENCH_VOWELS: Final = "aeiouyàâäéèêëîïôöùûüœæ"
_FRENCH_BREAK: Final = re.compile(r"(?<=[aeoéèê])(?=[éèêëï])|(?<=é)(?=[aeiouâ])")
_FRENCH_CLUSTER: Final = re.compile(r"(?<=[bcdfgptv][lr]i)(?=[aeoéèê])")
_FRENCH_GLIDE: Final = re.compile(rf"(?<=[{_FRENCH_VOWELS}])y(?=[{_FRENCH_VOWELS}])")
_FRENCH_AGES: Final = ((9000, 10), (8000, 11), (7000, 12), (6000, 13), (5000, 15), (3000, 18))


class Readability(Struct, frozen=True):
    """A measured text. `hundredths` is the formula's figure x 100; `age` the youngest reader at ease with it, in years.

    English figures are school years (lower is easier), French ones points of 100 (higher is easier).
    """

    formula: Literal["flesch_kincaid", "kandel_moles"]
    hundredths: int
    age: int
    sentences: int
    words: int
    syllables: int


def grade(text: str, language: str) -> Readability:
    """How easily a text in "en" or "fr" is read. A text without words is as easy as can be: age 6."""
    sentences = [part for part in _SENTENCE.split(text) if part and _WORD.search(part)]
    words = [word for sentence in sentences for word in _WORD.findall(sentence)]
    total = sum(syllables(word, language) for word in words)
    count, units = max(len(words), 1), max(len(sentences), 1)
    if language == "fr":
        points = 20700 - divide(10150 * len(words), 100 * units, "half_even")
        points -= divide(7360 * total, count, "half_even")
        age = next((years for least, years in _FRENCH_AGES if points >= least), 20) if words else 6
        return Readability("kandel_moles", points, age, len(sentences), len(words), total)
    years = divide(39 * len(words), units, "half_even") + divide(1180 * total, count, "half_even") - 1559
    age = max(6, years // 100 + 5) if words else 6
    return Readability("flesch_kincaid", years, age, len(sentences), len(words), total)


def syllables(word: str, language: str) -> int:
    """Syllables of one word or figure, by the rules above; at least 1."""
    if word[:1].isdigit():
        whole, _, decimals = word.replace(",", ".").rpartition(".")
        if decimals and whole and not decimals.strip("0") and len(decimals) < 3:
            word = whole
        return max(1, sum(character.isdigit() for character in word))
    counted = _french if language == "fr" else _english
    return max(1, sum(counted(part) for part in word.lower().split("-")))


def _english(word: str) -> int:
    word = word.replace("’", "'").removesuffix("'s").replace("'", "")
    if word in _ENGLISH_KNOWN:
        return _ENGLISH_KNOWN[word]
    if word.startswith("some") and len(word) > 4:
        return 1 + _english(word[4:])
    count = 0
    if re.search(r"[aeiouy]ing$", word):
        word, count = word[:-3], 1
    elif re.search(r"[^szxcgh]es$|[^td]ed$", word) and not re.search(
        r"[^aeiouy]les$|ied$|eed$|ies$|ees$", word
    ):
        word = word[:-2]
    elif word.endswith("e") and not re.search(r"[^aeiouy]le$", word):
        word = word[:-1] if re.search(r"[aeiouy].*e$", word) and not word.endswith("ee") else word
    word = re.sub(r"^y(?=[aeiou])", "", word)
    word = re.sub(r"(?<![tscgx])i(?=[aou])", "i-", word)
    return max(1, count + len(re.findall(r"[aeiouy]+", word)))


def _french(word: str) -> int:
    word = word.replace("’", "'").replace("'", "")
    shortened = re.sub(r"es?$", "", word)
    if re.search(f"[{_FRENCH_VOWELS}]", shortened):
        word = shortened
    for gap in (_FRENCH_GLIDE, _FRENCH_BREAK, _FRENCH_CLUSTER):
        word = gap.sub("-", word)
    return max(1, len(re.findall(f"[{_FRENCH_VOWELS}]+", word)))
