"""Reads of members: finding them by an identity, and what is known of one."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Final

import msgspec
from msgspec import Struct
from psycopg import Connection

from palier.engine.clock import instant
from palier.engine.payment_cards import SHORTEST, holds_number
from palier.engine.sentences import sentence
from palier.members import refs
from palier.site.environment import derived_key, environment

KINDS: Final = ("card", "email", "phone", "external_id")
"""The kinds of identity by which a member is found."""
LONGEST: Final = 200
REFERRAL: Final = "referral"
"""The kind of identity that a referral code is: it names a member, and finds none for an activity."""
MAILBOX: Final = "mailbox"
"""The kind under which the plain spelling of an e-mail address with another spelling is kept."""
_DOTLESS: Final = frozenset({"gmail.com", "googlemail.com"})
"""Providers for which dots in the name make no difference."""

_SEPARATORS = re.compile(r"[\s.\-()]")


class IdentityError(ValueError):
    """An identity that cannot be one; the text says why and what to do."""


class PaymentCardNumber(IdentityError):
    """An identity that is the number of a payment card: such numbers are not taken, hashed or not."""


@lru_cache(maxsize=1)
def _key() -> bytes:
    return derived_key("identity hashes", "identity")


def normalized(kind: str, value: str) -> str:
    """The form of an identity that is compared: e-mails in lower case, phones without separators, accents composed
    (Unicode's NFC), since some systems write é as one character and others as two.

    Where the installation has a country for phones (PALIER_PHONE_COUNTRY), they are told apart as international
    numbers: 06 12 34 56 78 and +33 (0)6 12 34 56 78 are one. An extension or short code stays as it is written.

    Refuses (IdentityError) an unknown kind, an empty or overlong value, and control characters.
    """
    if kind not in KINDS:
        raise IdentityError(
            sentence(
                "%(kind)r is not a kind of identity; use one of %(names)s",
                kind=kind[:40],
                names=", ".join(KINDS),
            )
        )
    text = value.strip()
    if kind == "email":
        text = text.lower()
        if text.count("@") != 1 or text.startswith("@") or text.endswith("@"):
            raise IdentityError(sentence("an e-mail address has one @ with text on both sides"))
    elif kind == "phone":
        text = _SEPARATORS.sub("", text)
        if text.startswith("00"):
            text = "+" + text[2:]
        if not re.fullmatch(r"\+?[0-9]{4,20}", text, re.ASCII):
            raise IdentityError(sentence("a phone number is written with digits, such as +33 6 12 34 56 78"))
        country = environment().phone_country
        if country is not None:
            text = _international(text, country)
    text = unicodedata.normalize("NFC", text)
    if len(text) >= SHORTEST and holds_number(text, "phone" if kind == "phone" else "id"):
        raise PaymentCardNumber(
            sentence(
                "this %(kind)s holds the number of a payment card; use the payment provider's token instead",
                kind=kind,
            )
        )
    if not text or len(text) > LONGEST or not text.isprintable():
        raise IdentityError(
            sentence("a %(kind)s is 1 to %(longest)s printable characters", kind=kind, longest=LONGEST)
        )
    return text


def _international(text: str, country: str) -> str:
    """A phone number as the world writes it (E.164), read as in this country; as it is where it can be none."""
    import phonenumbers

    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return text
    possible = phonenumbers.is_possible_number(number)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) if possible else text


def hashed(kind: str, value: str) -> bytes:
    """The stored form of an identity: keyed, so that the table alone does not tell who is enrolled."""
    return keyed(kind, normalized(kind, value))


def keyed(kind: str, text: str) -> bytes:
    """The stored form of a text that is normalized already, of any kind."""
    return hashlib.blake2b(f"{kind}\0{text}".encode(), key=_key(), digest_size=20).digest()


def mailbox(email: str) -> str:
    """The mailbox of an e-mail address: without what follows a plus, and without dots where they mean nothing."""
    name, _, domain = normalized("email", email).partition("@")
    name = name.partition("+")[0] or name
    if domain in _DOTLESS:
        name, domain = name.replace(".", "") or name, "gmail.com"
    return f"{name}@{domain}"


FIND_HASHES: Final = """
-- members.find_hashes
select value_hash, member_id from identity where value_hash = any(%(hashes)b) and program_id = %(program)s
"""


def find_hashes(connection: Connection[Any], program_id: int, hashes: Iterable[bytes]) -> dict[bytes, int]:
    """Members by identity hash, for the hashes that are known in the program."""
    wanted = sorted(set(hashes))
    if not wanted:
        return {}
    rows = connection.execute(FIND_HASHES, {"hashes": wanted, "program": program_id}, binary=True)
    return dict(rows.fetchall())


def find(connection: Connection[Any], program_id: int, identities: dict[str, str]) -> int | None:
    """The member that has all of these identities; None where any is unknown or they name two members."""
    hashes = [hashed(kind, value) for kind, value in identities.items()]
    found = find_hashes(connection, program_id, hashes)
    members = {found.get(value_hash) for value_hash in hashes}
    return members.pop() if len(members) == 1 else None


class Heir(Struct, frozen=True):
    """The member that took another one over, at the end of a chain of merges, and the latest merge's instant."""

    member_id: int
    merged_at: int


def successors(connection: Connection[Any], program_id: int, member_id: int) -> list[int]:
    """The members into which one was merged, then the one it was merged into, and so on; none where it stands."""
    found: list[int] = []
    while True:
        row = connection.execute(
            """
            -- members.successor
            select g.into_id from member_merge g
            where g.member_id = %s and g.program_id = %s and g.ended_at is null
            """,
            (found[-1] if found else member_id, program_id),
        ).fetchone()
        if row is None:
            return found
        found.append(row[0])


def heirs(connection: Connection[Any], program_id: int, member_ids: Sequence[int]) -> dict[int, Heir]:
    """Into whom members were merged, for those that were."""
    into: dict[int, tuple[int, int]] = {}
    asked = sorted(set(member_ids))
    while asked:
        rows = connection.execute(
            """
            -- members.heirs
            select g.member_id, g.into_id, g.merged_at from member_merge g
            where g.member_id = any(%s) and g.program_id = %s and g.ended_at is null
            """,
            (asked, program_id),
        ).fetchall()
        into.update((member_id, (into_id, instant(at))) for member_id, into_id, at in rows)
        asked = sorted({row[1] for row in rows} - into.keys())
    found = {}
    for member_id in member_ids:
        heir, merged_at = member_id, 0
        while heir in into:
            heir, at = into[heir]
            merged_at = max(merged_at, at)
        if heir != member_id:
            found[member_id] = Heir(heir, merged_at)
    return found


def merged(connection: Connection[Any], program_id: int) -> dict[int, int]:
    """All members of a program that were merged into others, each with who has taken it over in the end."""
    rows = connection.execute(
        "-- members.merged\n-- all members: those that were merged, which are few\n"
        "select g.member_id, g.into_id from member_merge g where g.program_id = %s and g.ended_at is null",
        (program_id,),
    ).fetchall()
    into: dict[int, int] = dict(rows)
    found = {}
    for member_id, heir in into.items():
        while heir in into:
            heir = into[heir]
        found[member_id] = heir
    return found


class MemberView(Struct, frozen=True):
    """What is known of a member: instants are microseconds UTC."""

    member_id: int
    ref: str
    program_id: int
    status: str
    enrolled_at: int
    attributes: dict[str, str | int | bool]
    locale: str
    time_zone: str | None
    ranked: bool = True
    merged_into: str | None = None


def read(connection: Connection[Any], program_id: int, member_id: int) -> MemberView | None:
    """One member of a program; None where there is none (or it is another program's)."""
    row = connection.execute(
        """
        -- members.read
        select m.status, m.enrolled_at, m.attributes::text, m.locale, m.time_zone,
               m.left_rankings_at is null, g.into_id
        from member m
        left join member_merge g on g.member_id = m.member_id and g.ended_at is null
        where m.member_id = %s and m.program_id = %s
        """,
        (member_id, program_id),
    ).fetchone()
    if row is None:
        return None
    return MemberView(
        member_id,
        refs.encode(member_id),
        program_id,
        row[0],
        instant(row[1]),
        msgspec.json.decode(row[2]),
        row[3],
        row[4],
        row[5],
        refs.encode(row[6]) if row[6] is not None else None,
    )


class Known(Struct, frozen=True):
    """One identity by which a member is found: its kind, and since when. Its value is not kept."""

    kind: str
    since: int


def identities(connection: Connection[Any], program_id: int, member_id: int) -> list[Known]:
    """The identities that find a member, by kind and age; mailboxes and referral codes are none."""
    rows = connection.execute(
        """
        -- members.identities
        select kind, created_at from identity
        where member_id = %s and program_id = %s and kind = any(%s) order by kind, created_at
        """,
        (member_id, program_id, list(KINDS)),
    ).fetchall()
    return [Known(row[0], instant(row[1])) for row in rows]


class TakenOver(Struct, frozen=True):
    """A member that was merged into another and is still: when, why and by whom."""

    member_id: int
    merged_at: int
    reason: str
    actor: str

    @property
    def ref(self) -> str:
        return refs.encode(self.member_id)


def taken_over(
    connection: Connection[Any], program_id: int, into_id: int, limit: int = 50
) -> list[TakenOver]:
    """The members that one has taken over, the latest first."""
    rows = connection.execute(
        """
        -- members.taken_over
        -- all members: those that were merged into one, by an index of their own
        select g.member_id, g.merged_at, g.reason, g.actor from member_merge g
        where g.into_id = %s and g.program_id = %s and g.ended_at is null order by g.merged_at desc limit %s
        """,
        (into_id, program_id, limit),
    ).fetchall()
    return [TakenOver(row[0], instant(row[1]), row[2], row[3]) for row in rows]


def merged_into(connection: Connection[Any], program_id: int, member_id: int) -> list[int]:
    """All members that are this one now: those merged into it, those merged into these, and so on; without itself."""
    gone: set[int] = set()
    asked = [member_id]
    while asked:
        rows = connection.execute(
            "-- members.merged_before\n-- all members: whoever was merged into these, by an index of their own\n"
            "select g.member_id from member_merge g"
            " where g.into_id = any(%s) and g.program_id = %s and g.ended_at is null",
            (asked, program_id),
        ).fetchall()
        asked = sorted({row[0] for row in rows} - gone)
        gone.update(asked)
    return sorted(gone)


def resolve(connection: Connection[Any], program_id: int, ref: str) -> int | None:
    """The member id of a public reference, or of `kind:value` (card:123, email:..), in this program."""
    kind, colon, value = ref.partition(":")
    if colon:
        return find(connection, program_id, {kind: value})
    try:
        member_id = refs.decode(ref)
    except ValueError:
        return None
    row = connection.execute(
        "select 1 from member where member_id = %s and program_id = %s", (member_id, program_id)
    ).fetchone()
    return member_id if row is not None else None


def any_member(connection: Connection[Any], program_id: int) -> bool:
    """Whether anybody was ever enrolled in a program."""
    row = connection.execute(
        """
        -- members.any
        -- all members: the first row found is enough; asked while a program is being set up
        select exists (select 1 from member where program_id = %s)
        """,
        (program_id,),
    ).fetchone()
    return row is not None and bool(row[0])


def list_members(
    connection: Connection[Any], program_id: int, after: int = -1, limit: int = 50
) -> Sequence[MemberView]:
    """A page of members in the order of their ids, after one of them (keyset paging)."""
    rows = connection.execute(
        """
        -- members.list_members
        -- all members: a page of a program's members by key
        select member_id, status, enrolled_at, attributes::text, locale, time_zone
        from member where program_id = %s and member_id > %s order by member_id limit %s
        """,
        (program_id, after, limit),
    ).fetchall()
    return [
        MemberView(
            row[0],
            refs.encode(row[0]),
            program_id,
            row[1],
            instant(row[2]),
            msgspec.json.decode(row[3]),
            row[4],
            row[5],
        )
        for row in rows
    ]
