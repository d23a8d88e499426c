"""Codes: what is drawn, what is read back, which mistakes are told, and what is stored of them."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from palier.vouchers import codes


@pytest.mark.parametrize("length", [codes.ALONE, codes.PROVEN])
def test_a_code_is_read_as_it_was_made(length: int) -> None:
    for _ in range(500):
        code = codes.new_code(length)
        assert len(code) == length + 1
        assert codes.read(code) == code
        assert codes.read(codes.grouped(code)) == code


def test_entry_is_forgiving() -> None:
    code = "0101ABCDEFGH"
    code += codes.ALPHABET[codes._check_value([codes._VALUES[c] for c in code])]
    wide = "".join(chr(ord(c) + 0xFEE0) for c in code)
    for entered in (
        code.lower(),
        f" {code[:4]} {code[4:8]}\t{code[8:]}\n",
        code.replace("0", "o").replace("1", "l"),
        code.replace("0", "O").replace("1", "I"),
        "—".join((code[:6], code[6:])),
        "_".join(code),
        wide,
    ):
        assert codes.read(entered) == code


@pytest.mark.parametrize("length", [codes.ALONE, codes.PROVEN])
def test_every_wrong_character_and_every_exchange_is_told(length: int) -> None:
    """Not most of them: all."""
    for _ in range(5):
        code = codes.new_code(length)
        for place in range(len(code)):
            for other in codes.ALPHABET:
                if other != code[place]:
                    with pytest.raises(codes.Mistyped):
                        codes.read(code[:place] + other + code[place + 1 :])
            for second in range(place):
                if code[place] != code[second]:
                    typed = list(code)
                    typed[place], typed[second] = typed[second], typed[place]
                    with pytest.raises(codes.Mistyped):
                        codes.read("".join(typed))


@pytest.mark.parametrize(
    ("entered", "said"),
    [
        ("", "0 were entered"),
        ("ABCD", "4 were entered"),
        ("U" * 13, "letters other than u"),
        ("é" * 27, "letters other than u"),
        ("0" * 201, "13 or 27"),
        ("0" * 12 + "1", "wrong, or two are exchanged"),
    ],
)
def test_what_is_no_code_is_told(entered: str, said: str) -> None:
    with pytest.raises(codes.Mistyped, match=said):
        codes.read(entered)


def test_groups() -> None:
    assert codes.grouped("0123456789ABC") == "0123-4567-89ABC"
    assert codes.grouped("0123456789ABCDEFGHJKMNPQRST") == "0123-4567-89AB-CDEF-GHJK-MNPQ-RST"


def test_codes_are_drawn_evenly() -> None:
    """Chi-square over the characters of every place: far outside only for a generator that is not one."""
    drawn = [codes.new_code(codes.PROVEN) for _ in range(6_400)]
    assert len(set(drawn)) == len(drawn)
    for place in range(codes.PROVEN + 1):
        found = Counter(code[place] for code in drawn)
        chi_square = sum((found[c] - 200) ** 2 / 200 for c in codes.ALPHABET)
        # 31 degrees of freedom: beyond 80 once in several hundred thousand times.
        assert chi_square < 80, (place, chi_square)
    pins = Counter(codes.new_pin()[0] for _ in range(5_000))
    assert len(pins) == 10


def test_the_hash_needs_the_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    code = codes.new_code()
    before = codes.hashed(code)
    assert len(before) == codes.HASH_BYTES
    assert codes.hashed(code) == before
    codes._key.cache_clear()
    monkeypatch.setenv("PALIER_IDENTITY_SECRET", "another-secret-0123456789-abcdefghijklmnopqrstuvwxyz")
    from palier.site.environment import environment

    environment.cache_clear()
    try:
        assert codes.hashed(code) != before
    finally:
        monkeypatch.undo()
        environment.cache_clear()
        codes._key.cache_clear()
    assert codes.hashed(code) == before


def test_a_reference_stands_for_the_hash() -> None:
    for _ in range(100):
        key = random.randbytes(codes.HASH_BYTES)
        ref = codes.encode_ref(key)
        assert codes.decode_ref(ref) == key
        assert codes.decode_ref(ref.upper()) == key
    for wrong in ("", "v_", "m_0000000000000", ref[:-1], ref + "0", ref.replace("v_", "w_"), ref[:-1] + "u"):
        assert codes.decode_ref(wrong) is None
