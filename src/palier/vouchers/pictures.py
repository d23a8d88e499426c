"""Codes as pictures that tills and phones read: QR codes and bar codes, as SVG or PNG."""

from __future__ import annotations

import io
from typing import Final, Literal

import segno
from zint import OutputOptions, Symbol, Symbology

from palier.vouchers.refusals import VoucherRefusal, VoucherRefused

Kind = Literal["qr", "code128", "ean13", "pdf417", "aztec"]
Form = Literal["svg", "png"]

MEDIA_TYPES: Final[dict[str, str]] = {"svg": "image/svg+xml", "png": "image/png"}
LONGEST: Final = 500
_QUIET: Final = 4
"""Empty modules around a QR code: its standard asks for four."""
_SYMBOLS: Final = {
    "code128": Symbology.CODE128,
    "ean13": Symbology.EANX_CHK,
    "pdf417": Symbology.PDF417,
    "aztec": Symbology.AZTEC,
}
_EAN: Final = 13


def picture(text: str, kind: Kind, form: Form, *, scale: int = 4) -> bytes:
    """The picture of a text, black on white, with the empty space around it that readers need.

    `scale` is the width of the narrowest bar or dot, 1 to 20 pixels. Refuses (INVALID_VOUCHER) a text that the kind
    of code cannot hold: EAN-13 holds 13 digits with a right check digit, bar codes no accents.
    """
    if not 1 <= len(text) <= LONGEST or not text.isprintable():
        raise _unfit(f"a picture holds 1 to {LONGEST} printable characters")
    if not 1 <= scale <= 20:
        raise _unfit("the scale is 1 to 20")
    return _qr(text, form, scale) if kind == "qr" else _bars(text, kind, form, scale)


def _qr(text: str, form: Form, scale: int) -> bytes:
    out = io.BytesIO()
    # `make_qr`, since `make` may give a Micro QR code, which phones do not read.
    segno.make_qr(text, error="m").save(out, kind=form, scale=scale, border=_QUIET)
    return out.getvalue()


def _bars(text: str, kind: Kind, form: Form, scale: int) -> bytes:
    if kind == "ean13" and not (len(text) == _EAN and text.isascii() and text.isdigit()):
        raise _unfit("an EAN-13 has 13 digits")
    if not text.isascii():
        raise _unfit("a bar code holds plain Latin letters, digits and signs")
    symbol = Symbol()
    symbol.symbology = _SYMBOLS[kind]
    symbol.output_options = OutputOptions.BARCODE_MEMORY_FILE | OutputOptions.BARCODE_QUIET_ZONES
    symbol.outfile = f"memory.{form}"
    symbol.scale = scale / 2
    try:
        symbol.encode(text)
        symbol.print()
    except (RuntimeError, ValueError) as error:
        raise _unfit(f"it does not fit into this kind of code ({str(error)[:100]})") from None
    drawn = symbol.memfile
    assert drawn is not None
    return bytes(drawn)


def _unfit(why: str) -> VoucherRefused:
    return VoucherRefused(VoucherRefusal.INVALID_VOUCHER, why, field="text", remedy="choose another kind")
