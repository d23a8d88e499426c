"""What is taken as a picture and what is kept of it: the points alone; attacks are refused by a stable reason."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

import pytest

from palier.connectors import pictures
from palier.connectors.pictures import MOST_BYTES, REASONS, NotAPicture, drawn
from tests.connectors.drawings import chunk, file, image, opened, png, somewhere


def refused(raw: bytes, declared: str = "") -> str:
    with pytest.raises(NotAPicture) as found:
        drawn(raw, "reward", declared)
    assert str(found.value) == REASONS[found.value.code]
    return found.value.code


@pytest.mark.parametrize(
    ("kind", "declared"),
    [("PNG", "mug.PNG"), ("PNG", "image/png"), ("JPEG", "a.photo.jpeg"), ("JPEG", "image/jpeg; q=1"),
     ("WEBP", "mug.webp"), ("WEBP", ""), ("PNG", "no ending"), ("PNG", "application/octet-stream")],
)  # fmt: skip
def test_three_sizes_are_cut_of_what_people_bring(kind: str, declared: str) -> None:
    found = drawn(file(kind, image(1600, 1000)), "reward", declared)
    assert (found.width, found.height, found.icon) == (960, 600, b"")
    sizes = [opened(part) for part in (found.small, found.medium, found.large)]
    assert [(size.format, size.size) for size in sizes] == [
        ("WEBP", (96, 60)), ("WEBP", (480, 300)), ("WEBP", (960, 600)),
    ]  # fmt: skip
    red, green, blue = sizes[2].convert("RGB").getpixel((700, 500))  # type: ignore[misc]
    assert abs(red - 200) < 12
    assert max(abs(green - 30), abs(blue - 30)) < 12
    assert drawn(file(kind, image(1600, 1000)), "reward", declared) == found


def test_what_is_small_stays_so_and_what_is_clear_stays_clear() -> None:
    found = drawn(file("PNG", image(80, 40, "RGBA")), "reward")
    large = opened(found.large)
    assert (large.mode, large.size, found.width, found.height) == ("RGBA", (80, 40), 80, 40)
    assert large.getpixel((2, 2))[3] == 0  # type: ignore[index]
    assert found.small == found.medium == found.large


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16", "CMYK"])
def test_every_way_of_writing_points_is_read(mode: str) -> None:
    from PIL import Image

    if mode == "I;16":
        raw = file("PNG", Image.new("I;16", (64, 64), 128 * 256))
    else:
        raw = file(
            "JPEG" if mode == "CMYK" else "PNG",
            image(64, 64).convert("RGB" if mode == "CMYK" else "L").convert(mode),
        )
    found = opened(drawn(raw, "reward").large)
    assert found.size == (64, 64)
    if mode == "I;16":
        assert found.convert("L").getpixel((9, 9)) in range(124, 133)


def test_nothing_of_the_file_comes_along() -> None:
    """Where it was taken, by which camera, notes: gone; the photo stands upright, as it was to be seen."""
    raw = somewhere()
    assert b"Camera of Somebody" in raw
    found = drawn(raw, "logo")
    assert (found.width, found.height) == (400, 640)
    top_right = opened(found.large).convert("RGB").getpixel((390, 10))
    assert min(top_right) > 240  # type: ignore[type-var, arg-type]
    for part in (found.small, found.medium, found.large, found.icon):
        for trace in (b"Exif", b"EXIF", b"XMP", b"ICCP", b"iCCP", b"Somebody", b"secret", b"tEXt", b"eXIf"):
            assert trace not in part
        assert not opened(part).getexif()


def test_a_logo_has_an_icon_with_room_around_it() -> None:
    icon = opened(drawn(file("PNG", image(600, 200)), "logo").icon)
    assert (icon.format, icon.size) == ("PNG", (512, 512))
    plain = icon.convert("RGB")
    assert [plain.getpixel(at) for at in ((5, 5), (256, 150), (506, 506))] == [(255, 255, 255)] * 3
    assert plain.getpixel((256, 256)) != (255, 255, 255)


# --- attacks ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw",
    [
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"<?xml version='1.0'?><svg/>", b"<html>", b"GIF89a" + bytes(60), b"BM" + bytes(60), b"II*\0" + bytes(60),
        b"%PDF-1.7", b"\0\0\1\0" + bytes(60), b"8BPS" + bytes(40), b"RIFF\x10\0\0\0AVI " + bytes(40), b"\x89PNG", b"x",
        b" " + file("PNG"),
    ],
)  # fmt: skip
def test_other_kinds_are_not_taken(raw: bytes) -> None:
    assert refused(raw, "logo.png") == "picture_type"


def test_nothing_and_too_much_are_not_taken() -> None:
    assert refused(b"") == "picture_missing"
    assert refused(file("PNG") + bytes(MOST_BYTES)) == "picture_too_large"


@pytest.mark.parametrize(
    ("kind", "declared"),
    [("PNG", "logo.svg"), ("PNG", "photo.jpg"), ("JPEG", "image/png"), ("WEBP", "page.html"),
     ("JPEG", "text/html"), ("PNG", "image/svg+xml"), ("JPEG", "x.php")],
)  # fmt: skip
def test_a_name_that_says_something_else_is_not_taken(kind: str, declared: str) -> None:
    assert refused(file(kind), declared) == "picture_name"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize(
    "behind", [b"PK\x03\x04 a zip", b"<script>alert(1)</script>", b"\xff\xd8\xff second"]
)
def test_nothing_hides_behind_the_end(kind: str, behind: bytes) -> None:
    assert refused(file(kind) + behind) == "picture_holds_more"


def test_zeros_behind_the_end_are_harmless() -> None:
    assert drawn(file("JPEG", progressive=True) + bytes(16), "reward").width == 640


def _noise() -> bytes:
    from PIL import Image

    return file("JPEG", Image.effect_noise((300, 300), 60).convert("RGB"), quality=95, restart_marker_rows=1)


@pytest.mark.parametrize("make", [lambda: file("PNG"), lambda: file("JPEG"), lambda: file("WEBP"), _noise])
def test_a_file_that_is_cut_off_is_refused_wherever_it_is_cut(make: Callable[[], bytes]) -> None:
    whole = make()
    assert drawn(whole, "reward").width >= 300
    for share in range(13, 100, 3):
        cut = whole[: len(whole) * share // 100]
        assert refused(cut) in ("picture_broken", "picture_type"), share
    assert refused(whole[:-1]) == "picture_broken"


def test_points_that_are_broken_are_refused() -> None:
    whole = bytearray(file("PNG"))
    whole[len(whole) // 2] ^= 0xFF
    assert refused(bytes(whole)) == "picture_broken"
    assert refused(png(64, 64, b"no zlib")) == "picture_broken"
    assert refused(b"\xff\xd8\xff\xe0" + bytes(40)) == "picture_broken"


def test_bombs_are_refused_before_they_are_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few kilobytes that would fill gigabytes: the size that is said decides, and nothing is unpacked."""
    from PIL import ImageFile

    def unpack(*_: object) -> None:
        raise AssertionError("it was unpacked")

    monkeypatch.setattr(ImageFile.ImageFile, "load", unpack)
    bomb = png(60_000, 60_000, zlib.compress(bytes(1_000_000)))
    assert len(bomb) < 2_000
    assert refused(bomb) == "picture_too_many_pixels"
    assert refused(png(2**31 - 1, 2**31 - 1, zlib.compress(b"0"))) == "picture_too_many_pixels"
    assert refused(png(6000, 4001, zlib.compress(b"0"))) == "picture_too_many_pixels"


def test_texts_that_unpack_without_end_are_refused() -> None:
    text = chunk(b"zTXt", b"note\0\0" + zlib.compress(bytes(80_000_000), 9))
    assert len(text) < 100_000
    assert refused(png(64, 64, zlib.compress(bytes(65 * 64)), text)) == "picture_broken"


def test_sizes_at_the_edges() -> None:
    content = zlib.compress(bytes(33 * 32))
    assert drawn(png(32, 32, content), "reward").width == 32
    assert refused(png(31, 32, zlib.compress(bytes(32 * 32)))) == "picture_too_small"
    assert refused(png(32, 31, content)) == "picture_too_small"
    assert refused(png(0, 0, content)) in ("picture_broken", "picture_too_small")


def test_what_moves_is_refused() -> None:
    frames = [image(64, 64), image(64, 65).resize((64, 64)).rotate(90)]
    assert refused(file("WEBP", frames[0], save_all=True, append_images=frames[1:])) == "picture_moves"
    assert refused(file("PNG", frames[0], save_all=True, append_images=frames[1:])) == "picture_moves"


def test_lengths_that_lead_nowhere_end() -> None:
    """Chunks that point before their own start, past the end, or at themselves do not hold the reader up."""
    start = b"\x89PNG\r\n\x1a\n"
    assert refused(start + struct.pack(">I4s", 2**32 - 1, b"IHDR") + bytes(40)) == "picture_broken"
    assert refused(start + struct.pack(">I4s", 0, b"junk") * 1000) == "picture_broken"
    assert refused(b"\xff\xd8\xff\xe0\x00\x00" + bytes(400)) == "picture_broken"
    assert refused(b"\xff\xd8" + b"\xff" * 100_000) == "picture_broken"
    assert refused(b"RIFF\xff\xff\xff\xffWEBP" + bytes(40)) == "picture_broken"


def test_one_is_drawn_at_a_time() -> None:
    assert pictures._one_at_a_time.acquire(blocking=False)
    pictures._one_at_a_time.release()
    refused(png(64, 64, b"no zlib"))
    assert not pictures._one_at_a_time.locked()
