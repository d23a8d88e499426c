"""Writes of vouchers: issued, used, given back, cancelled, expired. None commits, unless it says so.

A voucher's uses are counted by one conditional UPDATE beside an append-only row for each, so that however many tills
show one code at one moment it is used `max_uses` times. Who uses several vouchers in one transaction does so in the
order of `codes.hashed` of their codes, after members and stock are locked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hmac import compare_digest
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct
from psycopg import Connection
from psycopg.types.json import Json

from palier.engine.clock import instant, moment
from palier.engine.payment_cards import holds_number
from palier.members import queries as members
from palier.site.ciphers import encrypted
from palier.vouchers import codes
from palier.vouchers.refusals import VoucherRefusal, VoucherRefused

Proof = Literal["code", "member", "pin"]
"""What must be shown: the code alone, the code and its member, the code and its PIN."""

SEALED: Final = "voucher codes"
MOST_USES: Final = 1_000_000
LARGEST_EFFECT: Final = 8_192
LONGEST_NAME: Final = 200
MOST_AT_ONCE: Final = 100_000
KEPT_SEALED_FOR_DAYS: Final = 30
"""How long the code of a voucher without a member can be read again by whoever had it issued."""
_CHUNK: Final = 5_000
_NO_HASH: Final = bytes(32)


class Issued(Struct, frozen=True):
    """A voucher just issued: its code in groups, as people read it, its reference, and its PIN if it has one."""

    code: str
    voucher_ref: str
    pin: str = ""


class Presented(Struct, frozen=True):
    """What somebody shows of a voucher: the code as entered, and a second proof where there is one."""

    code: str
    member_id: int | None = None
    pin: str = ""


class Standing(Struct, frozen=True):
    """A voucher as it stands. Instants are microseconds UTC; `expires_at` None: without end."""

    voucher_ref: str
    member_id: int | None
    proof: Proof
    effect: dict[str, Any]
    max_uses: int
    uses: int
    state: str
    partner: str
    valid_from: int
    expires_at: int | None
    origin: str
    issued_at: int

    @property
    def uses_left(self) -> int:
        """How often it could be used still, were it valid."""
        return self.max_uses - self.uses


class Use(Struct, frozen=True):
    """A use that stands, or (`released_at`) was given back. `replayed`: an earlier call made it."""

    voucher_ref: str
    source: str
    id: str
    effect: dict[str, Any]
    used_at: int
    uses_left: int
    released_at: int | None = None
    replayed: bool = False


# --- issuing ----------------------------------------------------------------------------------------------


INSERT: Final = """
-- vouchers.insert
insert into voucher (code_hash, program_id, member_id, proof, proof_hash, effect, max_uses, uses, state, partner,
                     valid_from, expires_at, origin, issued_at, closed_at, sealed)
select u.code_hash, %(program)s, %(member)s, %(proof)s, u.proof_hash, %(effect)s, %(max_uses)s, 0, 'active',
       %(partner)s, %(valid_from)s, %(expires_at)s, %(origin)s, %(now)s, null, u.sealed
from unnest(%(hashes)s::bytea[], %(pins)s::bytea[], %(sealed)s::bytea[]) as u (code_hash, proof_hash, sealed)
on conflict (code_hash, program_id) do nothing
returning code_hash
"""


def issue(
    connection: Connection[Any],
    program_id: int,
    *,
    member_id: int | None,
    effect: Mapping[str, Any],
    max_uses: int = 1,
    valid_from: int | None = None,
    expires_at: int | None = None,
    origin: str,
    proof: Proof = "code",
    partner: str = "",
    now: int,
) -> Issued:
    """A new voucher that brings `effect` (JSON that this room does not read), `max_uses` times.

    `member_id`: whose it is, and to whom alone its code is shown again; with proof "member" nobody else may use it,
    else whoever shows it. `origin` says where it comes from: `order:REF`, `campaign:KEY`. With a `partner`, that
    partner's keys may use it too. Instants are microseconds UTC.

    Refuses (INVALID_VOUCHER) uses outside 1 .. MOST_USES, an end before its beginning or now, an effect above 8 KB,
    and proof "member" without one.
    """
    return _issue(
        connection, program_id, 1, True, member_id=member_id, effect=effect, max_uses=max_uses,
        valid_from=valid_from, expires_at=expires_at, origin=origin, proof=proof, partner=partner, now=now,
    )[0]  # fmt: skip


def issue_many(
    connection: Connection[Any],
    program_id: int,
    count: int,
    *,
    effect: Mapping[str, Any],
    max_uses: int = 1,
    valid_from: int | None = None,
    expires_at: int | None = None,
    origin: str,
    proof: Proof = "code",
    partner: str = "",
    now: int,
) -> list[Issued]:
    """As `issue`, for nobody in particular and many at once: their codes can never be read again."""
    if not 1 <= count <= MOST_AT_ONCE:
        raise _invalid("count", f"ask for 1 to {MOST_AT_ONCE:,} vouchers at a time")
    if proof == "member":
        raise _invalid("proof", "vouchers for nobody in particular have proof code or pin")
    return _issue(
        connection, program_id, count, False, member_id=None, effect=effect, max_uses=max_uses,
        valid_from=valid_from, expires_at=expires_at, origin=origin, proof=proof, partner=partner, now=now,
    )  # fmt: skip


def _issue(
    connection: Connection[Any],
    program_id: int,
    count: int,
    kept: bool,
    *,
    member_id: int | None,
    effect: Mapping[str, Any],
    max_uses: int,
    valid_from: int | None,
    expires_at: int | None,
    origin: str,
    proof: Proof,
    partner: str,
    now: int,
) -> list[Issued]:
    begins = now if valid_from is None else valid_from
    if not 1 <= max_uses <= MOST_USES:
        raise _invalid("max_uses", f"a voucher is used 1 to {MOST_USES:,} times")
    if expires_at is not None and expires_at <= max(begins, now):
        raise _invalid("expires_at", "it would end before it begins, or has ended already")
    if proof == "member" and member_id is None:
        raise _invalid("member", "a voucher that is bound to a member names the member")
    _refuse_unfit(origin=origin, partner=partner)
    if len(msgspec.json.encode(effect)) > LARGEST_EFFECT:
        raise _invalid("effect", f"an effect has at most {LARGEST_EFFECT:,} bytes")
    made: list[Issued] = []
    while len(made) < count:
        drafts = _drafts(min(count - len(made), _CHUNK), proof)
        rows = connection.execute(
            INSERT,
            {
                "program": program_id,
                "member": member_id,
                "proof": proof,
                "effect": Json(dict(effect)),
                "max_uses": max_uses,
                "partner": partner,
                "valid_from": moment(begins),
                "expires_at": moment(expires_at) if expires_at is not None else None,
                "origin": origin,
                "now": moment(now),
                "hashes": list(drafts),
                "pins": [codes.pin_hash(key, pin) if pin else None for key, (_, pin) in drafts.items()],
                "sealed": [_sealed(key, *draft) if kept else None for key, draft in drafts.items()],
            },
        ).fetchall()
        # A code that exists already is drawn anew: with 60 bits that may happen once in a very great many.
        for (key,) in rows:
            code, pin = drafts[bytes(key)]
            made.append(Issued(codes.grouped(code), codes.encode_ref(bytes(key)), pin))
    return made


def _drafts(count: int, proof: Proof) -> dict[bytes, tuple[str, str]]:
    """Codes and PINs of new vouchers by the codes' hashes."""
    drafts = {}
    for _ in range(count):
        code = codes.new_code(codes.ALONE if proof == "code" else codes.PROVEN)
        drafts[codes.hashed(code)] = (code, codes.new_pin() if proof == "pin" else "")
    return drafts


def _sealed(code_hash: bytes, code: str, pin: str) -> bytes:
    return encrypted(SEALED, msgspec.json.encode([code, pin]), code_hash)


def _invalid(field: str, why: str) -> VoucherRefused:
    return VoucherRefused(VoucherRefusal.INVALID_VOUCHER, why, field=field, remedy="correct it")


def _refuse_unfit(**texts: str) -> None:
    for field, text in texts.items():
        if len(text) > LONGEST_NAME or not text.isprintable():
            raise _invalid(field, f"it has at most {LONGEST_NAME} printable characters")
        if holds_number(text, "id"):
            raise VoucherRefused(
                VoucherRefusal.PAYMENT_CARD_NUMBER,
                "this holds the number of a payment card",
                field=field,
                remedy="send the payment provider's token, or an id of your own",
            )


# --- what is shown ----------------------------------------------------------------------------------------


FIND: Final = """
-- vouchers.find
select code_hash, member_id, proof, proof_hash, effect::text, max_uses, uses, state, partner, valid_from, expires_at,
       origin, issued_at
from voucher where code_hash = %(hash)s and program_id = %(program)s
"""


def standing_of(row: Sequence[Any]) -> Standing:
    """A voucher of the columns that FIND reads."""
    return Standing(
        codes.encode_ref(bytes(row[0])),
        row[1],
        row[2],
        msgspec.json.decode(row[4]),
        row[5],
        row[6],
        row[7],
        row[8],
        instant(row[9]),
        instant(row[10]) if row[10] is not None else None,
        row[11],
        instant(row[12]),
    )


def read_code(entered: str) -> bytes:
    """The hash of a code as entered. Refuses (MISTYPED_CODE) what no code can be, without asking the database."""
    try:
        return codes.hashed(codes.read(entered))
    except codes.Mistyped as wrong:
        raise VoucherRefused(
            VoucherRefusal.MISTYPED_CODE,
            str(wrong),
            field="code",
            remedy="read the code again and correct it",
        ) from None


def unknown_voucher() -> VoucherRefused:
    """The one answer for a code that does not exist, is another's, or comes without its second proof."""
    return VoucherRefused(
        VoucherRefusal.UNKNOWN_VOUCHER,
        "no voucher of the program has this code and proof",
        field="code",
        remedy="check the code, and the member or PIN it needs",
    )


def proven(
    connection: Connection[Any], program_id: int, presented: Presented, *, partner: str = ""
) -> Standing:
    """The voucher that somebody may use who shows this, whatever its state; has no effect.

    With a `partner`, only what that partner takes exists. Refused as MISTYPED_CODE, and as UNKNOWN_VOUCHER alike for
    a code that does not exist and for one whose second proof is missing or wrong, after the same work.
    """
    code_hash = read_code(presented.code)
    row = connection.execute(FIND, {"hash": code_hash, "program": program_id}).fetchone()
    proof = row[2] if row is not None else "pin"
    owner = row[1] if row is not None and row[1] is not None else -1
    shown_by = presented.member_id if presented.member_id is not None else -2
    heirs = members.heirs(connection, program_id, [owner, shown_by])
    same_member = heir(heirs, owner) == heir(heirs, shown_by)
    stored_pin = bytes(row[3]) if row is not None and row[3] is not None else _NO_HASH
    same_pin = compare_digest(codes.pin_hash(code_hash, presented.pin), stored_pin)
    shown = {"code": True, "member": same_member, "pin": same_pin}[proof]
    if row is None or not shown or (partner and row[8] != partner):
        raise unknown_voucher()
    return standing_of(row)


def heir(heirs: Mapping[int, members.Heir], member_id: int) -> int:
    """Who has taken a member over, or the member."""
    return heirs[member_id].member_id if member_id in heirs else member_id


def refuse_unusable(connection: Connection[Any], program_id: int, found: Standing, *, now: int) -> None:
    """Refuses a voucher that cannot be used now, saying why: whoever asks has shown that it is his to use.

    In this order: its member is not active, it is cancelled, not valid yet, expired, used up.
    """
    if found.member_id is not None:
        heirs = members.heirs(connection, program_id, [found.member_id])
        owner = members.read(connection, program_id, heir(heirs, found.member_id))
        if owner is None or owner.status != "active":
            raise VoucherRefused(
                VoucherRefusal.MEMBER_NOT_ACTIVE, "the voucher's member is not active", field="code",
                remedy="nothing of his can be used until he is active again",
            )  # fmt: skip
    if found.state == "cancelled":
        raise VoucherRefused(VoucherRefusal.VOUCHER_CANCELLED, "the voucher was cancelled", field="code")
    if found.valid_from > now:
        raise VoucherRefused(
            VoucherRefusal.VOUCHER_NOT_YET_VALID,
            f"the voucher is valid from {moment(found.valid_from).isoformat(timespec='seconds')}",
            field="code",
        )
    if found.state == "expired" or (found.expires_at is not None and found.expires_at <= now):
        raise VoucherRefused(VoucherRefusal.VOUCHER_EXPIRED, "the voucher has expired", field="code")
    if found.uses >= found.max_uses:
        raise VoucherRefused(
            VoucherRefusal.VOUCHER_USED_UP,
            "the voucher was used" if found.max_uses == 1 else f"the voucher was used {found.max_uses} times",
            field="code",
        )


def check(
    connection: Connection[Any], program_id: int, presented: Presented, *, partner: str = "", now: int
) -> Standing:
    """The voucher, if it could be used now; nothing is written. Refused like `use`."""
    found = proven(connection, program_id, presented, partner=partner)
    refuse_unusable(connection, program_id, found, now=now)
    return found


# --- using and giving back --------------------------------------------------------------------------------


CLAIM_USE: Final = """
-- vouchers.claim_use
insert into voucher_use (code_hash, program_id, external_id, source, kind, channel, location, actor, at)
values (%(hash)s, %(program)s, %(id)s, %(source)s, 'use', %(channel)s, %(location)s, %(actor)s, %(now)s)
on conflict (code_hash, program_id, external_id, source, kind) do nothing
returning at
"""

COUNT_USE: Final = """
-- vouchers.count_use
update voucher
set uses = uses + 1, state = case when uses + 1 = max_uses then 'used' else 'active' end,
    closed_at = case when uses + 1 = max_uses then %(now)s else null end
where code_hash = %(hash)s and program_id = %(program)s and state = 'active' and uses < max_uses
  and valid_from <= %(now)s and (expires_at is null or expires_at > %(now)s)
returning max_uses - uses
"""

LOCK: Final = """
-- vouchers.lock
select from voucher where code_hash = %(hash)s and program_id = %(program)s for no key update
"""

READ_USE: Final = """
-- vouchers.read_use
select u.channel, u.location, u.actor, u.at, r.at, v.effect::text, v.max_uses - v.uses
from voucher_use u
join voucher v on v.code_hash = u.code_hash and v.program_id = u.program_id
left join voucher_use r on r.code_hash = u.code_hash and r.program_id = u.program_id
  and r.external_id = u.external_id and r.source = u.source and r.kind = 'release'
where u.code_hash = %(hash)s and u.program_id = %(program)s and u.external_id = %(id)s and u.source = %(source)s
  and u.kind = 'use'
"""


def use(
    connection: Connection[Any],
    program_id: int,
    presented: Presented,
    *,
    source: str,
    id: str,
    channel: str = "",
    location: str = "",
    actor: str = "",
    partner: str = "",
    now: int,
) -> Use:
    """Uses a voucher once. `source` and `id` name the use for ever: sent again it is answered, not made again.

    Several vouchers may be used under one source and id, such as those of one basket. What is refused is taken back by
    rolling back. Refused as `proven` and
    `refuse_unusable` say; with CONTENT_DIFFERS where the id was used on this voucher at another place, and with
    USE_RELEASED where that use was given back since.
    """
    _refuse_unfit(source=source, id=id, channel=channel, location=location, actor=actor)
    found = proven(connection, program_id, presented, partner=partner)
    key = _hash_of(found.voucher_ref)
    values = {
        "hash": key, "program": program_id, "source": source, "id": id, "channel": channel,
        "location": location, "actor": actor, "now": moment(now),
    }  # fmt: skip
    if connection.execute(CLAIM_USE, values).fetchone() is None:
        return _replayed(connection, found.voucher_ref, values)
    counted = connection.execute(COUNT_USE, values).fetchone()
    if counted is None:
        # A use may be given back between the count and the look at why it failed: locked, both are of one moment.
        connection.execute(LOCK, values)
        counted = connection.execute(COUNT_USE, values).fetchone()
    if found.member_id is not None or counted is None:
        # Read again: what was found before may have been used up meanwhile.
        row = connection.execute(FIND, values).fetchone()
        assert row is not None
        standing = standing_of(row)
        if counted is not None:
            standing = msgspec.structs.replace(standing, uses=standing.uses - 1, state="active")
        refuse_unusable(connection, program_id, standing, now=now)
    assert counted is not None
    return Use(found.voucher_ref, source, id, found.effect, now, counted[0])


def _replayed(connection: Connection[Any], voucher_ref: str, values: Mapping[str, Any]) -> Use:
    row = connection.execute(READ_USE, values).fetchone()
    assert row is not None
    if tuple(row[:3]) != (values["channel"], values["location"], values["actor"]):
        raise VoucherRefused(
            VoucherRefusal.CONTENT_DIFFERS,
            "this source and id were used on this voucher with other content",
            field="id",
            remedy="use a new id for a new use",
        )
    if row[4] is not None:
        raise VoucherRefused(
            VoucherRefusal.USE_RELEASED,
            "the use with this source and id was given back",
            field="id",
            remedy="use a new id for a new use",
        )
    return Use(
        voucher_ref,
        values["source"],
        values["id"],
        msgspec.json.decode(row[5]),
        instant(row[3]),
        row[6],
        replayed=True,
    )


CLAIM_RELEASE: Final = """
-- vouchers.claim_release
insert into voucher_use (code_hash, program_id, external_id, source, kind, channel, location, actor, at)
select u.code_hash, u.program_id, u.external_id, u.source, 'release', u.channel, u.location, %(actor)s, %(now)s
from voucher_use u
where u.code_hash = %(hash)s and u.program_id = %(program)s and u.external_id = %(id)s and u.source = %(source)s
  and u.kind = 'use'
on conflict (code_hash, program_id, external_id, source, kind) do nothing
returning at
"""

COUNT_RELEASE: Final = """
-- vouchers.count_release
update voucher
set uses = uses - 1, state = case when state = 'used' then 'active' else state end,
    closed_at = case when state = 'used' then null else closed_at end
where code_hash = %(hash)s and program_id = %(program)s and uses > 0
returning max_uses - uses
"""


def release(
    connection: Connection[Any],
    program_id: int,
    voucher_ref: str,
    *,
    source: str,
    id: str,
    actor: str = "",
    now: int,
) -> Use:
    """Gives a use back, once: the basket it stood in was cancelled. Sent again it is answered alike.

    A voucher that has expired meanwhile stays expired. Refuses (UNKNOWN_USE) what was not used under this id.
    """
    _refuse_unfit(actor=actor)
    values = {
        "hash": _hash_of(voucher_ref), "program": program_id, "source": source, "id": id, "actor": actor,
        "now": moment(now),
    }  # fmt: skip
    # Twice, since a use may be committed between the look for it and the look at it.
    for _ in range(2):
        won = connection.execute(CLAIM_RELEASE, values).fetchone() is not None
        if won:
            counted = connection.execute(COUNT_RELEASE, values).fetchone()
            assert counted is not None
        row = connection.execute(READ_USE, values).fetchone()
        if row is None:
            break
        if row[4] is not None:
            effect, used_at, released_at = msgspec.json.decode(row[5]), instant(row[3]), instant(row[4])
            return Use(voucher_ref, source, id, effect, used_at, row[6], released_at, not won)
    raise VoucherRefused(
        VoucherRefusal.UNKNOWN_USE,
        "the voucher was not used under this source and id",
        field="id",
        remedy="send the source and id of the use",
    )


def _hash_of(voucher_ref: str) -> bytes:
    """What a reference stands for; UNKNOWN_VOUCHER for a text that is none."""
    found = codes.decode_ref(voucher_ref)
    if found is None:
        raise no_such_voucher()
    return found


def no_such_voucher() -> VoucherRefused:
    """The answer to a reference that no voucher of the program has."""
    return VoucherRefused(
        VoucherRefusal.UNKNOWN_VOUCHER, "no voucher of the program has this reference", field="voucher"
    )


# --- ending -----------------------------------------------------------------------------------------------


CANCEL: Final = """
-- vouchers.cancel
update voucher set state = 'cancelled', closed_at = %(now)s, sealed = null
where code_hash = %(hash)s and program_id = %(program)s and state = 'active' and (uses = 0 or not %(unused)s)
returning code_hash
"""


def cancel(
    connection: Connection[Any], program_id: int, voucher_ref: str, *, unused: bool = False, now: int
) -> Standing:
    """Ends a voucher for good; one that was cancelled already is answered alike.

    Refuses one that is used up or expired, and with `unused` (VOUCHER_IN_USE) one of which a use stands.
    """
    values = {"hash": _hash_of(voucher_ref), "program": program_id, "now": moment(now), "unused": unused}
    done = connection.execute(CANCEL, values).fetchone() is not None
    row = connection.execute(FIND, values).fetchone()
    if row is None:
        raise no_such_voucher()
    found = standing_of(row)
    if done or found.state == "cancelled":
        return found
    if found.state == "expired":
        raise VoucherRefused(VoucherRefusal.VOUCHER_EXPIRED, "the voucher has expired", field="voucher")
    if unused and found.uses:
        raise VoucherRefused(
            VoucherRefusal.VOUCHER_IN_USE, "the voucher was used", field="voucher",
            remedy="give its uses back first",
        )  # fmt: skip
    raise VoucherRefused(VoucherRefusal.VOUCHER_USED_UP, "the voucher is used up", field="voucher")


EXPIRE: Final = """
-- vouchers.expire
update voucher v set state = 'expired', closed_at = %(now)s, sealed = null
from (
  select code_hash, program_id from voucher where state = 'active' and expires_at <= %(now)s
  order by code_hash, program_id limit %(most)s for update skip locked
) as e
where v.code_hash = e.code_hash and v.program_id = e.program_id
"""


def expire(connection: Connection[Any], *, now: int, most: int = 5_000) -> int:
    """Marks vouchers whose end has passed; how many. A use looks at the instant itself and waits for no mark."""
    return connection.execute(EXPIRE, {"now": moment(now), "most": most}).rowcount


FORGET: Final = """
-- vouchers.forget_codes
update voucher v set sealed = null
from (
  select code_hash, program_id from voucher
  where sealed is not null and (state <> 'active' and closed_at <= %(before)s
                                or member_id is null and issued_at <= %(before)s)
  order by code_hash, program_id limit %(most)s for update skip locked
) as e
where v.code_hash = e.code_hash and v.program_id = e.program_id
"""


def forget_codes(connection: Connection[Any], *, before: int, most: int = 5_000) -> int:
    """Drops the encrypted codes of vouchers closed before an instant, or issued before it to nobody; how many."""
    return connection.execute(FORGET, {"before": moment(before), "most": most}).rowcount


def forget_member(connection: Connection[Any], program_id: int, member_id: int) -> int:
    """Drops the encrypted codes of a member who is to be forgotten; how many."""
    return connection.execute(
        "-- vouchers.forget_member\nupdate voucher set sealed = null"
        " where member_id = %s and program_id = %s and sealed is not null",
        (member_id, program_id),
    ).rowcount
