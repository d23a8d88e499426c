"""A supplier's catalogue for the benches: rewards that differ as real ones do, always the same."""

from __future__ import annotations

from itertools import product
from random import Random
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote

from palier.api.cursors import cursor_of, list_asked
from palier.engine.clock import instant

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

_ADJECTIVES = (
    ("Light", "Léger"), ("Green", "Vert"), ("Classic", "Classique"), ("Large", "Grand"), ("Small", "Petit"),
    ("Soft", "Doux"), ("Folding", "Pliant"), ("Wooden", "En bois"), ("Steel", "En acier"), ("Travel", "De voyage"),
    ("Winter", "D'hiver"), ("Summer", "D'été"), ("Family", "Familial"), ("Double", "Double"), ("Silent", "Silencieux"),
    ("Organic", "Bio"), ("Painted", "Peint"), ("Woven", "Tissé"), ("Glass", "En verre"), ("Ceramic", "En céramique"),
)  # fmt: skip
_NOUNS = (
    ("coffee maker", "cafetière"), ("backpack", "sac à dos"), ("lamp", "lampe"), ("umbrella", "parapluie"),
    ("headphones", "casque audio"), ("blanket", "couverture"), ("kettle", "bouilloire"), ("mug", "tasse"),
    ("chair", "chaise"), ("tent", "tente"), ("gift card", "carte cadeau"), ("towel", "serviette"),
    ("puzzle", "puzzle"), ("notebook", "carnet"), ("bicycle light", "éclairage de vélo"), ("knife", "couteau"),
    ("frying pan", "poêle"), ("cushion", "coussin"), ("clock", "horloge"), ("suitcase", "valise"),
    ("tea set", "service à thé"), ("board game", "jeu de société"), ("scarf", "écharpe"), ("vase", "vase"),
    ("speaker", "enceinte"), ("thermometer", "thermomètre"), ("camera bag", "sacoche photo"), ("rug", "tapis"),
    ("garden chair", "chaise de jardin"), ("hammock", "hamac"),
)  # fmt: skip
_SHELVES = (
    "home",
    "kitchen",
    "garden",
    "travel",
    "sport",
    "leisure",
    "office",
    "children",
    "wellness",
    "gifts",
)
_PLACES = tuple("".join(pair) for pair in product("ABCDEFGHIJKLM", "ABCDEFGHIJKL"))[:150]
_KINDS = ("merchandise", "gift_card", "service", "course")
_COMMON = 0.9


def items(count: int, currency: str) -> Iterator[dict[str, Any]]:
    """Documents of `count` rewards in 150 countries, by their number in a supplier's catalogue."""
    draw = Random(20)
    for number in range(count):
        adjective, noun = draw.choice(_ADJECTIVES), draw.choice(_NOUNS)
        model = f"{draw.choice('BCDFGLMNPRST')}{draw.randrange(1000, 10_000)}"
        shelf = draw.choice(_SHELVES)
        kind = draw.choices(_KINDS, (70, 20, 7, 3))[0]
        gives = {"kind": kind, "module": model} if kind == "course" else {"kind": kind}
        yield {
            "key": f"s-{number:07}",
            "name": {
                "en": f"{adjective[0]} {noun[0]} {model}",
                "fr": f"{noun[1].capitalize()} {adjective[1]} {model}",
            },
            "summary": {
                "en": f"A {adjective[0].lower()} {noun[0]} for every day, number {model} of the range.",
                "fr": f"Pour tous les jours, référence {model} de la gamme {adjective[1].lower()}.",
            },
            "gives": gives,
            "category": f"{shelf}/{noun[0].replace(' ', '_')}",
            "tags": sorted({draw.choice(_SHELVES), adjective[0].lower(), f"brand-{draw.randrange(400)}"}),
            "countries": []
            if draw.random() < _COMMON
            else sorted({draw.choice(_PLACES) for _ in range(draw.randrange(1, 12))}),
            "prices": [{"points": {currency: str(draw.randrange(50, 60_000))}}],
            "supplier": {"key": "wholesale", "sku": f"W{number}"},
        }


def questions(connection: psycopg.Connection[Any], currency: str, count: int, seed: int) -> list[str]:
    """Paths as browsers ask for them: pages with filters, words in both languages, and pages far behind the first.

    A third of each. A page far behind begins at a reward that is drawn from the whole catalogue.
    """
    draw = Random(seed)
    spread = connection.execute(
        "-- bench.spread\nselect program_id, reward_id, points, listed_at from reward_listing order by reward_id"
    ).fetchall()
    paths = []
    for number in range(count):
        adjective, noun = draw.choice(_ADJECTIVES), draw.choice(_NOUNS)
        kind = number % 3
        if kind == 0:
            wanted = [
                f"category={draw.choice(_SHELVES)}",
                f"tag={adjective[0].lower()}",
                f"kind={draw.choice(_KINDS)}",
                f"country={draw.choice(_PLACES)}",
                f"currency={currency}&max_points={draw.randrange(100, 60_000)}",
                f"supplier=wholesale&tag={adjective[0].lower()},brand-{draw.randrange(400)}",
            ]
            del wanted[draw.choice((1, 5))]
            asked = "&".join(draw.sample(wanted, draw.randrange(1, 4)))
            if "currency" in asked and draw.random() < 0.5:
                asked += "&sort=price"
        elif kind == 1:
            language, words = draw.choice(
                (("en", f"{adjective[0]} {noun[0]}"), ("fr", f"{noun[1]} {adjective[1]}"))
            )
            if draw.random() < 0.5:
                words = words.split()[0][: draw.randrange(3, 9)]
            asked = f"lang={language}&q={quote(words)}"
        else:
            program_id, reward_id, points, listed = draw.choice(spread)
            by_price = draw.random() < 0.5
            wanted = [f"sort=price&currency={currency}"] if by_price else []
            if draw.random() < 0.5:
                wanted.append(f"category={draw.choice(_SHELVES)}")
            asked = "&".join(wanted)
            shelf = list_asked(program_id, None, "/v1/rewards", parse_qs(asked))
            cursor = cursor_of(shelf, points if by_price else instant(listed), reward_id)
            asked = "&".join((*wanted, f"cursor={cursor}"))
        paths.append(f"/v1/rewards?{asked}")
    return paths
