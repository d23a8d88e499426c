"""What a program asks leave for, and the words it asks with.

A purpose is asked for by channel and, where somebody else receives something, by recipient. Its words have a number:
whoever changes them gives them a new one, and the old ones stay with the consents that were given to them.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from palier.engine.program import Program
from palier.engine.words import ProgramWords

CHANNELS: Final = ("email", "sms", "phone", "post", "push", "")
"""How somebody is reached; "" for a purpose that reaches nobody."""
NO_ONE: Final = ""
"""The recipient where the program itself uses it."""

_CHANNEL: Final = {
    "email": ("by e-mail", "par courriel"),
    "sms": ("by text message", "par SMS"),
    "phone": ("by telephone", "par téléphone"),
    "post": ("by letter", "par courrier"),
    "push": ("on my phone", "sur mon téléphone"),
}
_OWN: Final = (
    "{program} may tell me {channel} about its own offers and news.",
    "{program} peut m'informer {channel} de ses propres offres et nouveautés.",
)
_PARTNER: Final = (
    "{program} may give my contact to {partner}, who may tell me {channel} about its offers.",
    "{program} peut transmettre mes coordonnées à {partner}, qui peut m'informer {channel} de ses offres.",
)
_PROFILE: Final = (
    "{program} may choose offers for me by what I buy. Without it I earn the same and have the same rewards; the "
    "offers are those that everybody has.",
    "{program} peut choisir des offres pour moi d'après mes achats. Sans cela, je gagne autant et j'ai les mêmes "
    "récompenses\u00a0; les offres sont alors celles de tout le monde.",
)


class Question(Struct, frozen=True):
    """One leave that is asked for: what a consent names, and the words in one language."""

    purpose: str
    channel: str
    recipient: str
    text_id: str
    language: str
    body: str

    @property
    def key(self) -> str:
        """The name of the question in a form."""
        return ".".join((self.purpose, self.channel, self.recipient))


def questions(program: Program, language: str) -> list[Question]:
    """All that a program asks leave for, in a language ("en" or "fr")."""
    words, french = ProgramWords(program, language), language == "fr"
    name = words.text(program.name)

    def ask(purpose: str, channel: str, recipient: str, text: tuple[str, str], partner: str = "") -> Question:
        said = _CHANNEL[channel][french] if channel else ""
        body = text[french].format(program=name, channel=said, partner=partner)
        return Question(purpose, channel, recipient, f"{purpose}-1", language, body)

    found = [ask("marketing_own", channel, NO_ONE, _OWN) for channel in ("email", "sms", "phone", "post")]
    found.append(ask("profiling_offers", "", NO_ONE, _PROFILE))
    found += [
        ask("marketing_partner", "email", partner.key, _PARTNER, words.text(partner.name))
        for partner in program.partners
    ]
    return found
