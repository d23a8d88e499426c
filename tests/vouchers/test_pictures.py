"""Codes as pictures: of the right form, and refused where a kind of code cannot hold them."""

from __future__ import annotations

import struct
from xml.etree import ElementTree

import pytest

from palier.vouchers.pictures import Kind, picture
from palier.vouchers.refusals import VoucherRefused

KINDS: list[tuple[Kind, str]] = [
    ("qr", "8H2K-0QXV-7T4MB"),
    ("code128", "8H2K0QXV7T4MN"),
    ("ean13", "3017620422003"),
    ("pdf417", "8H2K-0QXV-7T4MB"),
    ("aztec", "8H2K-0QXV-7T4MB"),
]


@pytest.mark.parametrize(("kind", "text"), KINDS)
def test_an_svg(kind: Kind, text: str) -> None:
    root = ElementTree.fromstring(picture(text, kind, "svg"))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert picture(text, kind, "svg") == picture(text, kind, "svg")
    assert picture(text, kind, "svg") != picture("0" * 12 + "0" if kind == "ean13" else "other", kind, "svg")


@pytest.mark.parametrize(("kind", "text"), KINDS)
def test_a_png_grows_with_its_scale(kind: Kind, text: str) -> None:
    sizes = []
    for scale in (2, 4, 8):
        drawn = picture(text, kind, "png", scale=scale)
        assert drawn.startswith(b"\x89PNG\r\n\x1a\n")
        sizes.append(struct.unpack(">2I", drawn[16:24]))
    assert sizes[0] < sizes[1] < sizes[2]


def test_a_qr_code_is_no_micro_qr_code_and_has_its_quiet_zone() -> None:
    """The smallest QR code has 21 modules, and four empty ones on each side."""
    drawn = picture("1", "qr", "png", scale=1)
    assert struct.unpack(">2I", drawn[16:24]) == (29, 29)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("ean13", "3017620422004"),
        ("ean13", "301762042200"),
        ("ean13", "ABCDEFGHIJKLM"),
        ("code128", "日本"),
        ("qr", ""),
        ("qr", "x" * 501),
        ("qr", "a\nb"),
    ],
)
def test_what_cannot_be_drawn(kind: Kind, text: str) -> None:
    with pytest.raises(VoucherRefused):
        picture(text, kind, "svg")


def test_the_scale_has_bounds() -> None:
    for scale in (0, 21):
        with pytest.raises(VoucherRefused):
            picture("1", "qr", "png", scale=scale)


def test_markup_stays_text() -> None:
    drawn = picture("<script>&", "code128", "svg")
    assert b"<script>" not in drawn
    ElementTree.fromstring(drawn)
