"""Pictures that people bring: read with suspicion, drawn anew, and cut to the sizes that pages show.

Only the points of the picture pass: what else a file holds (where it was taken, by which camera, a second file behind
the first) stays outside, because nothing of the file itself is kept. Pillow reads it, and one at a time, so that
what is unpacked never adds up.
"""

from __future__ import annotations

import io
import struct
import threading
from typing import TYPE_CHECKING, Any, Final, Literal

from msgspec import Struct

if TYPE_CHECKING:
    from PIL.Image import Image

Use = Literal["reward", "logo"]

MOST_BYTES: Final = 2_000_000
MOST_PIXELS: Final = 24_000_000
LEAST_EDGE: Final = 32
EDGES: Final[dict[str, int]] = {"small": 96, "medium": 480, "large": 960}
"""The longest edge of each size, in points; a smaller picture is not blown up."""
ICON_EDGE: Final = 512
_ICON_ROOM: Final = 400
"""What of the icon the logo fills: systems cut its corners round."""
_FEW_COLOURS: Final = 4096
_NAMES: Final[dict[str, tuple[str, ...]]] = {
    "PNG": (".png", "image/png"),
    "JPEG": (".jpg", ".jpeg", ".jfif", "image/jpeg", "image/jpg", "image/pjpeg"),
    "WEBP": (".webp", "image/webp"),
}

REASONS: Final[dict[str, str]] = {
    "picture_missing": "There is no picture in what was sent; choose a file.",
    "picture_too_large": "The file has more than 2 MB; save the picture smaller, and send that.",
    "picture_type": "The file is no PNG, JPEG or WebP, and no other kind is taken; save the picture as one of these.",
    "picture_name": "The file's name or type says another kind of picture than its bytes; save it anew as what it is.",
    "picture_broken": "The picture is broken or cut off, so it cannot be read to its end; save it anew.",
    "picture_too_many_pixels": "The picture has more than 24 million pixels; scale it down.",
    "picture_too_small": "The picture is narrower or lower than 32 pixels; take a larger one.",
    "picture_moves": "The picture moves, and pages show one that stands still; save one image of it.",
    "picture_holds_more": "Something else is hidden behind the end of the picture; save the picture anew.",
}
"""Why a file is not taken, and what to do."""


class NotAPicture(Exception):
    """The file is not taken; `code` is one of REASONS."""

    def __init__(self, code: str) -> None:
        super().__init__(REASONS[code])
        self.code = code


class Drawn(Struct, frozen=True):
    """A picture as it is kept: WebP of three sizes, and for a logo a square PNG; `width` and `height` of `large`."""

    width: int
    height: int
    small: bytes
    medium: bytes
    large: bytes
    icon: bytes


_one_at_a_time = threading.Lock()


def drawn(raw: bytes, use: Use, declared: str = "") -> Drawn:
    """A file as the picture that is kept of it. `declared` is its name or media type, where it has any.

    The same bytes give the same picture. Refuses (NotAPicture), in this order: nothing, more than MOST_BYTES, what is
    no PNG, JPEG or WebP, what is declared as something else, what goes on behind its end or ends before it, more than
    MOST_PIXELS, an edge below LEAST_EDGE, what moves, and what cannot be read.
    """
    if not raw:
        raise NotAPicture("picture_missing")
    if len(raw) > MOST_BYTES:
        raise NotAPicture("picture_too_large")
    kind = _kind(raw)
    _named(kind, declared)
    try:
        end = _END[kind](raw)
    except (struct.error, IndexError, ValueError):
        raise NotAPicture("picture_broken") from None
    if end > len(raw):
        raise NotAPicture("picture_broken")
    if raw[end:].strip(b"\0"):
        raise NotAPicture("picture_holds_more")
    with _one_at_a_time:
        return _cut(_read(raw, kind), use)


def _kind(raw: bytes) -> str:
    if raw.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if raw.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if raw[:4] == b"RIFF" and raw[8:12] == b"WEBP":
        return "WEBP"
    raise NotAPicture("picture_type")


def _named(kind: str, declared: str) -> None:
    """Refuses a name or media type of another kind; one that says nothing of a kind is let pass."""
    said = declared.strip().lower().partition(";")[0]
    if "/" not in said:
        _stem, dot, ending = said.rpartition(".")
        said = dot + ending if dot else ""
    if not said or said == "application/octet-stream" or said in _NAMES[kind]:
        return
    raise NotAPicture("picture_name")


# --- where a file ends -------------------------------------------------------------------------------------


def _png_end(raw: bytes) -> int:
    """Behind the chunk IEND (PNG 3rd edition, section 5.3)."""
    at = 8
    while True:
        length: int
        name: bytes
        length, name = struct.unpack_from(">I4s", raw, at)
        if name in (b"acTL", b"fdAT"):
            raise NotAPicture("picture_moves")
        at += 12 + length
        if name == b"IEND":
            return at


def _jpeg_end(raw: bytes) -> int:
    """Behind the marker EOI (ITU T.81, annex B): segments by their length, scans by their next marker."""
    at = 2
    while True:
        if raw[at] != 0xFF:
            raise ValueError("no marker")
        marker = raw[at + 1]
        if marker == 0xFF:  # fill bytes
            at += 1
        elif marker == 0xD9:
            return at + 2
        elif marker == 0x01 or 0xD0 <= marker <= 0xD7:
            at += 2
        else:
            at += 2 + struct.unpack_from(">H", raw, at + 2)[0]
            if marker == 0xDA:
                at = _scan_end(raw, at)


def _scan_end(raw: bytes, at: int) -> int:
    """The next marker behind entropy-coded data, in which FF00 is a byte and FFD0 to FFD7 go on."""
    while True:
        at = raw.index(b"\xff", at)
        if raw[at + 1] == 0 or 0xD0 <= raw[at + 1] <= 0xD7:
            at += 2
        else:
            return at


def _webp_end(raw: bytes) -> int:
    """Behind the RIFF chunk, which is padded to an even length (RFC 9649)."""
    length = int(struct.unpack_from("<I", raw, 4)[0])
    return 8 + length + length % 2


_END: Final = {"PNG": _png_end, "JPEG": _jpeg_end, "WEBP": _webp_end}


# --- reading and drawing -----------------------------------------------------------------------------------


def _read(raw: bytes, kind: str) -> Image:
    """The points of a picture, upright, in RGB or RGBA, and nothing beside them."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(raw), formats=(kind,)) as found:
            width, height = found.size
            if width * height > MOST_PIXELS:
                raise NotAPicture("picture_too_many_pixels")
            if min(width, height) < LEAST_EDGE:
                raise NotAPicture("picture_too_small")
            if getattr(found, "n_frames", 1) > 1:
                raise NotAPicture("picture_moves")
            # A JPEG is unpacked at half or a quarter of its size where that is still enough.
            found.draft(None, (2 * EDGES["large"], 2 * EDGES["large"]))
            found.load()
            upright = ImageOps.exif_transpose(found)
            if upright.mode.startswith("I;16"):
                # Sixteen bits of grey: the upper eight are what a screen shows.
                upright = upright.point(lambda value: value / 256).convert("L")
            clear = "A" in upright.getbands() or "transparency" in upright.info
            plain = upright.convert("RGBA" if clear else "RGB")
    except NotAPicture:
        raise
    except Image.DecompressionBombError:
        raise NotAPicture("picture_too_many_pixels") from None
    except UnidentifiedImageError:
        raise NotAPicture("picture_broken") from None
    except Exception:
        # Whatever a reader of untrusted bytes stumbles over is the file's fault, and nothing was written.
        raise NotAPicture("picture_broken") from None
    plain.info = {}
    return plain


def _cut(image: Image, use: Use) -> Drawn:
    sizes: dict[str, Any] = {}
    large = image
    for name, edge in sorted(EDGES.items(), key=lambda item: -item[1]):
        image = _within(image, edge)
        large = image if name == "large" else large
        sizes[name] = _webp(image, use)
    return Drawn(large.width, large.height, icon=_icon(large) if use == "logo" else b"", **sizes)


def _within(image: Image, edge: int) -> Image:
    from PIL.Image import Resampling

    if max(image.size) <= edge:
        return image
    width, height = image.size
    longest = max(width, height)
    return image.resize(
        (max(1, width * edge // longest), max(1, height * edge // longest)),
        Resampling.LANCZOS,
        reducing_gap=3,
    )


def _webp(image: Image, use: Use) -> bytes:
    """WebP with nothing beside the points; of drawings, which have few colours, whichever way is shorter."""

    def written(**how: Any) -> bytes:
        out = io.BytesIO()
        image.save(out, "WEBP", exif=b"", xmp=b"", icc_profile=b"", **how)
        return out.getvalue()

    usual = written(quality=82, method=4)
    if use == "reward" and image.getcolors(_FEW_COLOURS) is None:
        return usual
    return min(usual, written(lossless=True, quality=60, method=4), key=len)


def _icon(image: Image) -> bytes:
    """The logo in the middle of a white square: what a phone puts on its screen."""
    from PIL import Image

    ground = Image.new("RGB", (ICON_EDGE, ICON_EDGE), "white")
    longest = max(image.size)
    size = (max(1, image.width * _ICON_ROOM // longest), max(1, image.height * _ICON_ROOM // longest))
    logo = image.resize(size, Image.Resampling.LANCZOS)
    place = ((ICON_EDGE - size[0]) // 2, (ICON_EDGE - size[1]) // 2)
    ground.paste(logo, place, logo if logo.mode == "RGBA" else None)
    out = io.BytesIO()
    ground.quantize(256).save(out, "PNG", optimize=True)
    return out.getvalue()
