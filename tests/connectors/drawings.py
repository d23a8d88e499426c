"""Files that people and attackers bring as pictures, made here point by point."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

from PIL import Image, ImageDraw


def image(width: int = 640, height: int = 400, mode: str = "RGB") -> Image.Image:
    """A red field with a white corner at the top left."""
    drawn = Image.new(
        mode, (width, height), {"RGB": (200, 30, 30), "RGBA": (200, 30, 30, 255), "L": 90}[mode]
    )
    corner = {"RGB": (255, 255, 255), "RGBA": (0, 0, 0, 0), "L": 255}[mode]
    ImageDraw.Draw(drawn).rectangle((0, 0, width // 4, height // 4), fill=corner)
    return drawn


def file(kind: str = "PNG", drawn: Image.Image | None = None, **how: Any) -> bytes:
    """A picture as a file."""
    out = io.BytesIO()
    (drawn or image()).save(out, kind, **how)
    return out.getvalue()


def opened(raw: bytes) -> Image.Image:
    """A file as its points."""
    found = Image.open(io.BytesIO(raw))
    found.load()
    return found


def chunk(name: bytes, content: bytes) -> bytes:
    """One chunk of a PNG, with its sum."""
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(width: int, height: int, content: bytes = b"", *more: bytes) -> bytes:
    """A PNG of grey that says its size, with whatever compressed content."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(more) + chunk(b"IDAT", content) + chunk(b"IEND", b"")


def somewhere() -> bytes:
    """A photo that tells where it was taken, by whom and with which camera, and lies on its side."""
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter to the right
    exif[0x010F] = "Camera of Somebody"
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[2] = (48.0, 51.0, 30.0)
    return file("JPEG", exif=exif, comment=b"secret comment", quality=90)
