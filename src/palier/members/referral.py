"""Referral codes: short, safe to read aloud, with a check character; and mailboxes with many spellings.

A code is a function of the member and the instance's secret. Its keyed hash is an identity of kind `referral`, so
that whose it is is one read by key, and the code itself is stored nowhere.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any, Final

from psycopg import Connection

from palier.engine.clock import moment
from palier.engine.sentences import sentence
from palier.members.queries import REFERRAL, find_hashes, keyed
from palier.site.environment import derived_key

ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
"""No 0, 1, I, L or O. Its length is prime, so that the check finds any one wrong character and any two swapped."""
LENGTH: Final = 8
_DRAWN: Final = LENGTH - 1
_ATTEMPTS: Final = 20


class CodeError(ValueError):
    """A text that is no referral code; the text says why."""


def read_code(text: str) -> str:
    """A code as it is stored: upper case, without spaces and hyphens. Refuses (CodeError) what cannot be one."""
    code = text.upper().replace("-", "").replace(" ", "")
    if len(code) != LENGTH or any(character not in ALPHABET for character in code):
        raise CodeError(
            sentence(
                "a referral code has %(length)s letters and digits, without 0, 1, I, L and O", length=LENGTH
            )
        )
    if code[-1] != _check(code[:-1]):
        raise CodeError(sentence("the check character is wrong: something is mistyped"))
    return code


def _check(drawn: str) -> str:
    total = sum(place * ALPHABET.index(character) for place, character in enumerate(drawn, start=1))
    return ALPHABET[total % len(ALPHABET)]


def _code(program_id: int, member_id: int, attempt: int) -> str:
    key = derived_key("referral codes", "identity")
    drawn = hmac.new(key, f"{program_id} {member_id} {attempt}".encode(), hashlib.sha256).digest()
    number = int.from_bytes(drawn, "big")
    characters = []
    for _ in range(_DRAWN):
        number, place = divmod(number, len(ALPHABET))
        characters.append(ALPHABET[place])
    text = "".join(characters)
    return text + _check(text)


def code_of(connection: Connection[Any], program_id: int, member_id: int, *, now: int) -> tuple[str, bool]:
    """A member's code and whether it is new; the same at every call. Does not commit.

    Where another member has a code of the same characters, the next one that is free is taken.
    """
    for attempt in range(_ATTEMPTS):
        code = _code(program_id, member_id, attempt)
        value_hash = keyed(REFERRAL, code)
        made = connection.execute(
            """
            -- members.claim_code
            insert into identity (value_hash, kind, program_id, member_id, created_at)
            values (%s, %s, %s, %s, %s) on conflict (value_hash, kind, program_id) do nothing
            """,
            (value_hash, REFERRAL, program_id, member_id, moment(now)),
        ).rowcount
        if made or find_hashes(connection, program_id, [value_hash]).get(value_hash) == member_id:
            return code, bool(made)
    raise RuntimeError("no referral code is free")


def member_of(connection: Connection[Any], program_id: int, code: str) -> int | None:
    """The member whose code this is (as `read_code` gives it); None where it is nobody's."""
    value_hash = keyed(REFERRAL, code)
    return find_hashes(connection, program_id, [value_hash]).get(value_hash)


def link(program: str, code: str) -> str:
    """The path under which a friend joins with a code."""
    return f"/join/{program}/{code}"
