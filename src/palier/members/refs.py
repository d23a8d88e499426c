"""Public references of members: `m_` and 13 characters of Crockford's base32, in lower case.

The alphabet has no i, l, o or u, so a reference survives being read aloud. The same function exists in SQL as
`audit.member_ref(bigint)`.
"""

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
LENGTH = 13
LIMIT = 1 << 63

_VALUES = {character: value for value, character in enumerate(ALPHABET)} | {"o": 0, "i": 1, "l": 1}


def encode(member_id: int) -> str:
    """The public reference of a member. Refuses ids outside 0 .. 2**63 - 1 with ValueError."""
    if not 0 <= member_id < LIMIT:
        raise ValueError(f"member id {member_id} is outside 0 .. 2**63 - 1")
    return "m_" + "".join(ALPHABET[member_id >> shift & 31] for shift in range(5 * (LENGTH - 1), -1, -5))


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
    member_id = 0
    for character in text[2:]:
        value = _VALUES.get(character)
        if value is None:
            raise ValueError(f"{ref[:40]!r} is not a member reference: {character!r} is not in its alphabet")
        member_id = member_id << 5 | value
    if member_id >= LIMIT:
        raise ValueError(f"{ref[:40]!r} is not a member reference: its first character is above 7")
    return member_id
