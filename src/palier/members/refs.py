"""Public references of members: `m_` and 13 characters of Crockford's base32, in lower case.

The alphabet has no i, l, o or u, so a reference survives being read aloud. The same function exists in SQL as
`audit.member_ref(bigint)`.
"""

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
LENGTH = 13
LIMIT = 1 << 63

_PAIRS = [high + low for high in ALPHABET for low in ALPHABET]
_BASE32 = "0123456789abcdefghijklmnopqrstuv"


class _Digits(dict[int, str]):
    """Characters of a reference as Python writes base 32; any other becomes one that is no digit."""

    def __missing__(self, character: int) -> str:
        return "!"


_DIGITS = _Digits(str.maketrans(ALPHABET + "oil", _BASE32 + "011"))  # type: ignore[arg-type]


def encode(member_id: int) -> str:
    """The public reference of a member. Refuses ids outside 0 .. 2**63 - 1 with ValueError."""
    if not 0 <= member_id < LIMIT:
        raise ValueError(f"member id {member_id} is outside 0 .. 2**63 - 1")
    pairs = [_PAIRS[member_id >> shift & 1023] for shift in (50, 40, 30, 20, 10, 0)]
    return f"m_{ALPHABET[member_id >> 60]}{''.join(pairs)}"


def decode(ref: str) -> int:
    """The member id of a public reference; upper case is read as lower, o as 0, i and l as 1.

    Refuses anything else with a ValueError that says what is wrong.
    """
    text = ref.lower()
    if not text.startswith("m_") or len(text) != 2 + LENGTH:
        raise ValueError(
            f"{ref[:40]!r} is not a member reference: expected m_ and {LENGTH} letters or digits, "
            "such as m_01h2xcejqtf2n"
        )
    digits = text[2:].translate(_DIGITS)
    if "!" in digits:
        character = text[2 + digits.index("!")]
        raise ValueError(f"{ref[:40]!r} is not a member reference: {character!r} is not in its alphabet")
    member_id = int(digits, 32)
    if member_id >= LIMIT:
        raise ValueError(f"{ref[:40]!r} is not a member reference: its first character is above 7")
    return member_id


def encode_as(prefix: str, identifier: int) -> str:
    """The public reference of something that is no member's, such as `ap_...` for an approval."""
    return f"{prefix}_{encode(identifier).removeprefix('m_')}"


def decode_as(prefix: str, ref: str) -> int | None:
    """The id of such a reference; None for a text that is none."""
    if not ref.lower().startswith(f"{prefix}_"):
        return None
    try:
        return decode("m_" + ref[len(prefix) + 1 :])
    except ValueError:
        return None
