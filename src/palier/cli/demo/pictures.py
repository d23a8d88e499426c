"""The demonstration's pictures: a logo and things of a grocery, drawn here of plain shapes.

Coordinates are of a sheet 320 wide and 240 high; it is drawn several times as large, so that edges are smooth.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw
    from psycopg import Connection

    from palier.activities.runtime import Runtime

WIDTH: Final = 320
HEIGHT: Final = 240
_SCALE: Final = 6
_SHOWN: Final = 3

Shape = tuple[str, str, tuple[float, ...]]
"""A shape: disc (left, top, right, bottom), box (and its radius), poly (points), arc (box, from, to, width), line."""

_BROWN: Final = "#7a4a2b"
_DARK: Final = "#3b2a20"
_CREAM: Final = "#fff7e8"
_GREEN: Final = "#2f7d4f"
_LEAF: Final = "#5da765"
_RED: Final = "#c8452f"
_YELLOW: Final = "#f0b93a"
_GREY: Final = "#6d7780"
_SILVER: Final = "#c9d1d6"
_BLUE: Final = "#2f5f8a"
_WHITE: Final = "#ffffff"

SHEETS: Final[dict[str, tuple[str, str, str, tuple[Shape, ...]]]] = {
    "coffee_cup": (
        "#f3e3cf", "A cup of coffee on its saucer", "Une tasse de café sur sa soucoupe",
        (("disc", "#dcc4a5", (50, 178, 270, 214)), ("arc", _CREAM, (190, 92, 252, 152, -90, 90, 14)),
         ("box", _CREAM, (88, 80, 214, 190, 34)), ("box", _CREAM, (88, 80, 214, 120, 6)),
         ("disc", _BROWN, (94, 70, 208, 98)), ("disc", "#a9734a", (112, 76, 176, 92))),
    ),
    "fresh_bread": (
        "#f6ead6", "A loaf of bread, cut three times", "Une miche de pain, entaillée trois fois",
        (("disc", "#e2c99c", (40, 168, 280, 206)), ("box", "#c98a4b", (56, 84, 264, 188, 52)),
         ("line", "#f0d3a4", (110, 98, 92, 150, 10)), ("line", "#f0d3a4", (164, 94, 146, 150, 10)),
         ("line", "#f0d3a4", (218, 98, 200, 150, 10))),
    ),
    "fruit_basket": (
        "#e6f0e2", "A basket with apples and an orange", "Un panier de pommes et une orange",
        (("arc", _BROWN, (80, 40, 240, 220, 180, 360, 9)), ("disc", _RED, (92, 84, 156, 148)),
         ("disc", "#e58a2b", (142, 78, 206, 142)), ("disc", _LEAF, (186, 92, 240, 146)),
         ("poly", "#b07a43", (64, 124, 256, 124, 232, 204, 88, 204)), ("line", "#8d5d2f", (70, 150, 250, 150, 5)),
         ("line", "#8d5d2f", (78, 176, 242, 176, 5))),
    ),
    "salad_lunch": (
        "#e9f3ea", "A bowl of green salad with tomatoes", "Un saladier de salade verte et de tomates",
        (("disc", _LEAF, (78, 76, 168, 150)), ("disc", _GREEN, (140, 70, 236, 150)),
         ("disc", "#8cc68f", (112, 66, 186, 136)), ("disc", _RED, (170, 92, 206, 128)),
         ("disc", _RED, (98, 102, 130, 134)), ("poly", _WHITE, (58, 122, 262, 122, 226, 204, 94, 204))),
    ),
    "bouquet": (
        "#f4e6ec", "Three flowers, tied together", "Trois fleurs liées ensemble",
        (("line", _GREEN, (160, 214, 106, 100, 6)), ("line", _GREEN, (160, 214, 160, 84, 6)),
         ("line", _GREEN, (160, 214, 214, 100, 6)), ("disc", "#d4587f", (78, 66, 134, 122)),
         ("disc", _YELLOW, (132, 42, 188, 98)), ("disc", "#8a63b3", (186, 66, 242, 122)),
         ("disc", _CREAM, (96, 84, 116, 104)), ("disc", _BROWN, (150, 60, 170, 80)),
         ("disc", _CREAM, (204, 84, 224, 104)), ("box", _RED, (136, 166, 184, 180, 5))),
    ),
    "salmon_dinner": (
        "#e3edf2", "A fish on a white plate", "Un poisson sur une assiette blanche",
        (("disc", _WHITE, (44, 52, 276, 204)), ("disc", "#eef2f3", (70, 72, 250, 186)),
         ("disc", "#e58f76", (92, 98, 214, 160)), ("poly", "#e58f76", (200, 128, 240, 98, 240, 158)),
         ("disc", _DARK, (112, 118, 122, 128)), ("disc", _YELLOW, (150, 160, 186, 182))),
    ),
    "tote_bag": (
        "#efe9dc", "A cloth bag with a leaf on it", "Un sac en toile orné d'une feuille",
        (("arc", _BROWN, (116, 28, 204, 148, 180, 360, 9)), ("box", _CREAM, (84, 88, 236, 216, 10)),
         ("disc", _GREEN, (132, 122, 192, 176)), ("line", _CREAM, (140, 172, 186, 128, 4))),
    ),
    "apron": (
        "#e4e8ee", "A blue linen apron", "Un tablier de lin bleu",
        (("arc", _BLUE, (130, 16, 190, 80, 180, 360, 7)), ("poly", _BLUE, (124, 48, 196, 48, 206, 104, 232, 112,
          232, 222, 88, 222, 88, 112, 114, 104)), ("box", "#41719c", (122, 140, 198, 188, 8))),
    ),
    "iron_pan": (
        "#f3ebdd", "A black iron pan with an egg in it", "Une poêle en fonte et son œuf",
        (("line", "#2b2e33", (202, 120, 300, 120, 20)), ("disc", "#2b2e33", (48, 36, 216, 204)),
         ("disc", "#43474e", (64, 52, 200, 188)), ("disc", _WHITE, (92, 84, 172, 156)),
         ("disc", _YELLOW, (116, 102, 150, 136))),
    ),
    "steel_bottle": (
        "#e2ebee", "A steel bottle with a green cap", "Une gourde en acier au bouchon vert",
        (("box", _GREEN, (138, 28, 182, 62, 8)), ("box", _SILVER, (118, 58, 202, 216, 24)),
         ("box", "#e3e8eb", (132, 76, 148, 196, 8))),
    ),
    "bookshop_card": (
        "#ece6f1", "A gift card with a book", "Une carte cadeau ornée d'un livre",
        (("box", "#6a4f8f", (52, 60, 268, 190, 16)), ("poly", _CREAM, (112, 96, 158, 106, 158, 162, 112, 152)),
         ("poly", "#efe2c8", (208, 96, 162, 106, 162, 162, 208, 152))),
    ),
    "cinema_card": (
        "#f2e5e3", "A gift card with a cinema ticket", "Une carte cadeau ornée d'un billet de cinéma",
        (("box", "#8f3b35", (52, 60, 268, 190, 16)), ("box", _YELLOW, (100, 98, 220, 154, 6)),
         ("disc", "#8f3b35", (92, 118, 108, 134)), ("disc", "#8f3b35", (212, 118, 228, 134)),
         ("line", "#8f3b35", (186, 102, 186, 150, 3))),
    ),
    "winter_meals": (
        "#e6edf5", "A bowl of hot soup with a spoon", "Un bol de soupe chaude et sa cuillère",
        (("line", _SILVER, (136, 36, 136, 66, 6)), ("line", _SILVER, (160, 26, 160, 66, 6)),
         ("line", _GREY, (206, 108, 250, 40, 9)), ("disc", "#d98a3d", (70, 84, 250, 132)),
         ("poly", _BLUE, (62, 108, 258, 108, 222, 204, 98, 204))),
    ),
    "fruit_tree": (
        "#e4f1e6", "A young apple tree", "Un jeune pommier",
        (("disc", "#b9d8a9", (40, 190, 280, 226)), ("box", _BROWN, (150, 120, 170, 208, 5)),
         ("disc", _GREEN, (92, 40, 190, 134)), ("disc", _LEAF, (138, 34, 232, 130)), ("disc", _RED, (118, 76, 138, 96)),
         ("disc", _RED, (176, 62, 196, 82)), ("disc", _RED, (160, 100, 180, 120))),
    ),
}  # fmt: skip
"""Key of a reward -> its ground, what it shows in English and in French, and its shapes from back to front."""
LOGO: Final[tuple[Shape, ...]] = (
    ("poly", "#1c5d45", (40, 200, 40, 160, 100, 160, 100, 120, 160, 120, 160, 80, 220, 80, 220, 200)),
    ("disc", "#5da765", (150, 16, 204, 70)), ("line", "#1c5d45", (164, 62, 200, 24, 6)),
)  # fmt: skip
LOGO_SAYS: Final = (
    "Stairs with a leaf on the third step",
    "Un escalier, une feuille sur la troisième marche",
)


def sheet(ground: str | None, shapes: tuple[Shape, ...]) -> bytes:
    """Shapes on a ground (None: clear) as a PNG."""
    from PIL import Image, ImageDraw

    size = (WIDTH * _SCALE, HEIGHT * _SCALE)
    drawn = Image.new("RGB", size, ground) if ground else Image.new("RGBA", size, (255, 255, 255, 0))
    pen = ImageDraw.Draw(drawn)
    for kind, colour, numbers in shapes:
        _draw(pen, kind, colour, [number * _SCALE for number in numbers], numbers)
    shown = drawn.resize((WIDTH * _SHOWN, HEIGHT * _SHOWN), Image.Resampling.LANCZOS)
    if ground is None:
        shown = shown.crop((30 * _SHOWN, 6 * _SHOWN, 230 * _SHOWN, 206 * _SHOWN))
    out = io.BytesIO()
    shown.save(out, "PNG")
    return out.getvalue()


def _draw(pen: ImageDraw, kind: str, colour: str, at: list[float], plain: tuple[float, ...]) -> None:
    match kind:
        case "disc":
            pen.ellipse(at, fill=colour)
        case "box":
            pen.rounded_rectangle(at[:4], radius=at[4], fill=colour)
        case "poly":
            pen.polygon(at, fill=colour)
        case "arc":
            pen.arc(at[:4], plain[4], plain[5], fill=colour, width=round(at[6]))
        case "line":
            pen.line(at[:4], fill=colour, width=round(at[4]))
            for end in (at[:2], at[2:4]):
                half = at[4] / 2
                pen.ellipse((end[0] - half, end[1] - half, end[0] + half, end[1] + half), fill=colour)


def dress(connection: Connection[Any], program: Runtime) -> None:
    """Gives the demonstration its logo and pictures, where it has neither; what somebody changed is left. Commits."""
    from msgspec.structs import replace

    from palier.engine.document import Picture, Text
    from palier.programs import branding, pictures
    from palier.rewards import catalogue, operations
    from palier.site import clock

    if program.latest.program.brand is not None:
        return
    now = clock.now()

    def kept(raw: bytes, use: Any, en: str, fr: str) -> Picture:
        found = pictures.keep(
            connection, program.program_id, program.key, raw, use=use, by="demo", role="operator", now=now
        )
        return Picture(found.source, Text(en, fr.replace("'", "’")))

    changed = []
    for item in catalogue.latest(connection, program.program_id, list(SHEETS)):
        if item.reward.picture is None:
            ground, en, fr, shapes = SHEETS[item.reward.key]
            changed.append(replace(item.reward, picture=kept(sheet(ground, shapes), "reward", en, fr)))
    operations.write(connection, program, changed, by="demo", reason="the demo's pictures", now=now)
    logo = kept(sheet(None, LOGO), "logo", *LOGO_SAYS)
    branding.set_logo(connection, program.key, logo, by="demo", role="operator", now=now)
    connection.commit()
