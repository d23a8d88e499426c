"""A whole program in plain words, made from its document: what you get, how, until when, at which odds.

The page is data (`Page`: sections of parts), so that a portal, a console, terms and a terminal show the same
words. Every setting that changes what a member gets is said, in short sentences, in English and French.
"""

from __future__ import annotations

from palier.engine.describe.page import Page, Part, Section, markdown, plain_text, prose, readability, typeset
from palier.engine.describe.people import People
from palier.engine.program import Program


def describe(program: Program, language: str) -> Page:
    """The page of a valid program in "en" or "fr"."""
    people = People(program, language)
    say = people.say
    told = (
        ("get", say("What you get", "Ce que vous recevez"), people.value_parts()),
        ("earn", say("How you earn", "Comment en gagner"), people.earning_parts()),
        ("use", say("When you can use it", "Quand vous pouvez vous en servir"), people.use_parts()),
        ("levels", say("Levels", "Les niveaux"), people.level_parts()),
        ("goals", say("Goals and cards", "Les objectifs et les cartes"), people.goal_parts()),
        ("streaks", say("Streaks", "Les séries"), people.streak_parts()),
        ("games", say("Games", "Les jeux"), people.game_parts()),
        ("quizzes", say("Quizzes", "Les quiz"), people.quiz_parts()),
        ("friend", say("Bring a friend", "Faites venir un ami"), people.friend_parts()),
        ("membership", say("Membership", "L'adhésion"), people.membership_parts()),
        ("partners", say("Partners", "Les partenaires"), people.partner_parts()),
        ("campaigns", say("Special offers", "Les offres spéciales"), people.campaign_parts()),
        ("rankings", say("Rankings", "Les classements"), people.ranking_parts()),
        (
            "returns",
            say("When you bring something back", "Si vous rapportez un achat"),
            people.return_parts(),
        ),
        ("changes", say("What changes", "Ce qui change"), people.change_parts()),
        ("other", say("Good to know", "Bon à savoir"), people.other_parts()),
    )
    sections = [Section(key, title, parts) for key, title, parts in told if parts]
    intro = people.text(program.description) if program.description is not None else ""
    return _typeset(Page(language, people.name_or(program.name, program.key), intro, sections))


def _typeset(page: Page) -> Page:
    def set_(text: str) -> str:
        return typeset(text, page.language)

    sections = [
        Section(
            section.key,
            set_(section.title),
            [Part(set_(p.title), set_(p.text), [set_(item) for item in p.items]) for p in section.parts],
        )
        for section in page.sections
    ]
    return Page(page.language, set_(page.title), set_(page.intro), sections)


__all__ = ["Page", "Part", "Section", "describe", "markdown", "plain_text", "prose", "readability"]
