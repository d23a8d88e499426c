"""Pools: codes of suppliers, brought in from files, kept encrypted, and handed out one by one.

A code is taken by an order, shown to one person, and given back only while nobody has seen it. Takers do not wait for
each other: each takes the next code that no other transaction has its hand on. None of these commits.
"""

from __future__ import annotations

import hmac
import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct
from psycopg import Connection

from palier.connectors.tables import FileProblem, Table
from palier.engine.clock import instant, moment
from palier.engine.sentences import sentence
from palier.site.ciphers import decrypted, encrypted
from palier.site.environment import derived_key
from palier.site.ids import new_id, new_ids
from palier.vouchers.refusals import VoucherRefusal, VoucherRefused

logger = logging.getLogger(__name__)

SEALED: Final = "supplier codes"
LONGEST_CODE: Final = 200
LONGEST_NAME: Final = 200
MOST_IN_POOL: Final = 10_000_000
_KEY: Final = re.compile(r"[a-z][a-z0-9_-]{0,63}", re.ASCII)
_DAY: Final = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})", re.ASCII)
_SHORTENED: Final = re.compile(r"[0-9](\.[0-9]+)?[eE]\+?[0-9]+", re.ASCII)
_CHUNK: Final = 5_000

SYNONYMS: Final[Mapping[str, tuple[str, ...]]] = {
    "code": ("code", "card_code", "card_number", "voucher", "voucher_code", "gift_code", "gift_card", "serial",
             "numero", "bon", "code_cadeau", "carte_cadeau"),
    "pin": ("pin", "pin_code", "security_code", "secret", "code_pin", "code_secret"),
    "url": ("url", "link", "redemption_url", "lien"),
    "expires_on": ("expires_on", "expires_at", "expiry", "expiry_date", "expiration", "expiration_date", "valid_until",
                   "date_expiration", "valable_jusqu_au"),
}  # fmt: skip
"""Names of columns that are understood for each field of a code."""


class Pool(Struct, frozen=True):
    """A pool and its stock. `state`: stocked, low (`low_at` or fewer are free) or empty, as it is now."""

    key: str
    name: str
    low_at: int
    state: str
    imported: int
    free: int
    taken: int
    revealed: int
    withdrawn: int
    expired: int


class Taken(Struct, frozen=True):
    """A code that an order has; the code itself is shown by `reveal`. `expires_at`: the supplier's end, or None."""

    code_id: int
    pool: str
    order_ref: str
    expires_at: int | None


class Revealed(Struct, frozen=True):
    """A supplier's code, shown. `first`: nobody had seen it before; `revealed_at` in microseconds UTC."""

    code: str
    pin: str
    url: str
    expires_at: int | None
    revealed_at: int
    first: bool


class NewCode(NamedTuple):
    """A code to bring in: where it stands (its line), and what the supplier gave."""

    line: int
    code: str
    pin: str = ""
    url: str = ""
    expires_on: str = ""


class NotTaken(NamedTuple):
    """A line that was not brought in, and why."""

    line: int
    reason: str


class Imported(Struct):
    """What an import came to: lines read = added + duplicates + refused."""

    lines: int = 0
    added: int = 0
    duplicates: list[NotTaken] = []
    refused: list[NotTaken] = []


# --- pools ------------------------------------------------------------------------------------------------


def create(
    connection: Connection[Any], program_id: int, key: str, *, name: str, low_at: int, now: int
) -> Pool:
    """A new pool, or one that is there with a new name and alert: `low_at` free codes or fewer are low.

    Refuses (INVALID_POOL) a key that is none, an empty or overlong name, and an alert below zero.
    """
    if not _KEY.fullmatch(key):
        raise _invalid("key", "a pool's key is small letters, digits, - and _, such as cinema-20")
    if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise _invalid("name", f"a pool's name is 1 to {LONGEST_NAME} printable characters")
    if not 0 <= low_at <= MOST_IN_POOL:
        raise _invalid("low_at", f"the alert is a number of codes, 0 to {MOST_IN_POOL:,}")
    connection.execute(
        """
        -- pools.create
        insert into code_pool (pool_id, program_id, key, name, low_at, state, state_at, imported, created_at)
        values (%(id)s, %(program)s, %(key)s, %(name)s, %(low_at)s, 'empty', %(now)s, 0, %(now)s)
        on conflict (program_id, key) do update set name = excluded.name, low_at = excluded.low_at
        """,
        {
            "id": new_id(),
            "program": program_id,
            "key": key,
            "name": name,
            "low_at": low_at,
            "now": moment(now),
        },
    )
    look_at_stock(connection, _pool(connection, program_id, key), now=now)
    return read(connection, program_id, key, now=now)


def _invalid(field: str, why: str) -> VoucherRefused:
    return VoucherRefused(VoucherRefusal.INVALID_POOL, why, field=field, remedy="correct it")


POOLS: Final = """
-- pools.list
select p.key, p.name, p.low_at, p.imported,
       count(c.code_id) filter (where c.state = 'free' and (c.expires_at is null or c.expires_at > %(now)s)),
       count(c.code_id) filter (where c.state = 'taken'), count(c.code_id) filter (where c.state = 'revealed'),
       count(c.code_id) filter (where c.state = 'withdrawn'),
       count(c.code_id) filter (where c.state = 'free' and c.expires_at <= %(now)s)
from code_pool p left join pool_code c on c.pool_id = p.pool_id
where p.program_id = %(program)s and (%(key)s::text is null or p.key = %(key)s)
group by p.pool_id, p.key, p.name, p.low_at, p.imported
order by p.key
"""


def list_pools(
    connection: Connection[Any], program_id: int, *, now: int, key: str | None = None
) -> list[Pool]:
    """A program's pools by key, or the one of this key, with their stock counted."""
    rows = connection.execute(POOLS, {"program": program_id, "key": key, "now": moment(now)})
    return [
        Pool(row[0], row[1], row[2], _state(row[4], row[2]), row[3], *row[4:9]) for row in rows.fetchall()
    ]


def read(connection: Connection[Any], program_id: int, key: str, *, now: int) -> Pool:
    """One pool; refused (UNKNOWN_POOL) where the program has none of this key."""
    found = list_pools(connection, program_id, now=now, key=key)
    if not found:
        raise unknown_pool(key)
    return found[0]


def _state(free: int, low_at: int) -> str:
    if not free:
        return "empty"
    return "low" if free <= low_at else "stocked"


def unknown_pool(key: str) -> VoucherRefused:
    """The program has no pool of this key."""
    return VoucherRefused(
        VoucherRefusal.UNKNOWN_POOL, f"the program has no pool {key[:64]!r}", field="pool",
        remedy="make it, or use the key of one that is there",
    )  # fmt: skip


def _pool(connection: Connection[Any], program_id: int, key: str) -> int:
    row = connection.execute(
        "-- pools.find\nselect pool_id from code_pool where program_id = %s and key = %s", (program_id, key)
    ).fetchone()
    if row is None:
        raise unknown_pool(key)
    return int(row[0])


# Free codes are counted no further than the alert needs.
STOCK: Final = """
-- pools.stock
select p.key, p.low_at, p.state,
  (select count(*) from (
     select 1 from pool_code c where c.pool_id = p.pool_id and c.state = 'free'
       and (c.expires_at is null or c.expires_at > %(now)s) limit p.low_at + 1) as counted)
from code_pool p where p.pool_id = %(pool)s
"""


def look_at_stock(connection: Connection[Any], pool_id: int, *, now: int) -> str:
    """A pool's state after its stock moved, written down where it changed; the log tells when it runs low."""
    row = connection.execute(STOCK, {"pool": pool_id, "now": moment(now)}).fetchone()
    assert row is not None
    key, low_at, before, free = row
    state = _state(free, low_at)
    if state != before:
        connection.execute(
            "-- pools.state\nupdate code_pool set state = %s, state_at = %s where pool_id = %s and state <> %s",
            (state, moment(now), pool_id, state),
        )
        if state != "stocked":
            logger.warning("the pool %s of codes is %s: %s are left", key, state, free)
    return state


def look_at_all(connection: Connection[Any], program_id: int, *, now: int) -> list[str]:
    """Looks at the stock of every pool of a program; the keys of those that are low or empty."""
    rows = connection.execute(
        "-- pools.all\nselect pool_id, key from code_pool where program_id = %s order by pool_id",
        (program_id,),
    ).fetchall()
    return [key for pool_id, key in rows if look_at_stock(connection, pool_id, now=now) != "stocked"]


# --- bringing codes in ------------------------------------------------------------------------------------


def lines_of(table: Table) -> Iterator[NewCode]:
    """The codes of a file with a header. Refuses (FileProblem) one without a column for the code, or with two."""
    places: dict[str, int] = {}
    for field, names in SYNONYMS.items():
        found = [place for place, name in enumerate(table.header) if _plain(name) in names]
        if len(found) > 1:
            columns = " and ".join(repr(table.header[place]) for place in found)
            raise FileProblem(
                sentence("the columns %(columns)s could both be the %(field)s", columns=columns, field=field),
                sentence("Rename one of them"),
            )
        if found:
            places[field] = found[0]
    if "code" not in places:
        raise FileProblem(
            sentence(
                "no column is the code among %(names)s",
                names=", ".join(name for name in table.header if name),
            ),
            sentence("Name it code; pin, url and expires_on may stand beside it"),
        )
    for line, cells in table.records():
        texts = {
            field: (cells[place] or "").strip() if place < len(cells) else ""
            for field, place in places.items()
        }
        yield NewCode(line, **texts)


def _plain(name: str) -> str:
    text = re.sub(r"[\s\-]+", "_", name.strip().lower())
    return text.translate(str.maketrans("éèêàâôîç", "eeeaaoic"))


@lru_cache(maxsize=1)
def _hash_key() -> bytes:
    return derived_key("supplier code hashes", "identity")


def hashed(code: str) -> bytes:
    """What tells a supplier's code that came before: its keyed hash, letters' case and spaces aside."""
    return hmac.new(_hash_key(), "".join(code.split()).upper().encode(), sha256).digest()[:20]


ADD: Final = """
-- pools.add
insert into pool_code (code_id, pool_id, program_id, code_hash, sealed, expires_at, state, imported_at)
select u.code_id, %(pool)s, %(program)s, u.code_hash, u.sealed, u.expires_at, 'free', %(now)s
from unnest(%(ids)s::bigint[], %(hashes)s::bytea[], %(sealed)s::bytea[], %(expires)s::timestamptz[])
  as u (code_id, code_hash, sealed, expires_at)
order by u.code_hash
on conflict (code_hash, program_id) do nothing
returning code_hash
"""

KNOWN: Final = """
-- pools.known
select c.code_hash, p.key from pool_code c join code_pool p on p.pool_id = c.pool_id
where c.code_hash = any(%(hashes)s) and c.program_id = %(program)s
"""


def import_codes(
    connection: Connection[Any],
    program_id: int,
    pool: str,
    lines: Iterable[NewCode],
    *,
    now: int,
    dry_run: bool = False,
) -> Imported:
    """Brings codes into a pool; each is in one pool of the program once, however often it is sent.

    Duplicates, in the lines themselves or in any pool, are told by line and leave the rest alone; so are lines whose
    code, PIN, address or end cannot be read. With `dry_run` all is judged alike and nothing written. The codes' own
    ends are days, the last on which they can be used, in UTC.
    """
    pool_id = _pool(connection, program_id, pool)
    result = Imported()
    seen: dict[bytes, int] = {}
    chunk: dict[bytes, tuple[NewCode, int | None]] = {}
    for line in lines:
        result.lines += 1
        try:
            expires_at = _checked(line, now)
        except ValueError as wrong:
            result.refused.append(NotTaken(line.line, str(wrong)))
            continue
        key = hashed(line.code)
        if key in seen:
            result.duplicates.append(NotTaken(line.line, f"the same code stands on line {seen[key]}"))
            continue
        seen[key] = line.line
        chunk[key] = (line, expires_at)
        if len(chunk) >= _CHUNK:
            _add(connection, program_id, pool_id, chunk, result, now, dry_run)
            chunk = {}
    if chunk:
        _add(connection, program_id, pool_id, chunk, result, now, dry_run)
    result.duplicates.sort()
    if not dry_run and result.added:
        connection.execute(
            "-- pools.count_imported\nupdate code_pool set imported = imported + %s where pool_id = %s",
            (result.added, pool_id),
        )
        look_at_stock(connection, pool_id, now=now)
    return result


def _checked(line: NewCode, now: int) -> int | None:
    """The end of a code to bring in; ValueError where it, or the code, cannot be taken."""
    for name, text, least in (("code", line.code, 1), ("PIN", line.pin, 0), ("address", line.url, 0)):
        if not least <= len(text) <= (2_000 if name == "address" else LONGEST_CODE):
            raise ValueError(f"the {name} is empty" if not text else f"the {name} is too long")
        if not text.isprintable():
            raise ValueError(f"the {name} has characters that cannot be shown")
    if _SHORTENED.fullmatch(line.code):
        raise ValueError(
            "a spreadsheet has shortened this number; give the column the format text and fill it anew"
        )
    if line.url and not line.url.startswith("https://"):
        raise ValueError("the address does not begin with https://")
    if not line.expires_on:
        return None
    found = _DAY.match(line.expires_on)
    try:
        if found is None:
            raise ValueError
        # The day itself still counts: the end is the midnight after it.
        end = instant_of_day(*(int(part) for part in found.groups()))
    except ValueError:
        raise ValueError("the end is no day such as 2027-12-31") from None
    if end <= now:
        raise ValueError(f"the code ended on {found.group(0)}")
    return end


def instant_of_day(year: int, month: int, day: int) -> int:
    """The end of a day in UTC, in microseconds. Raises ValueError for a day that does not exist."""
    from datetime import UTC, datetime, timedelta

    return instant(datetime(year, month, day, tzinfo=UTC) + timedelta(days=1))


def _add(
    connection: Connection[Any],
    program_id: int,
    pool_id: int,
    chunk: Mapping[bytes, tuple[NewCode, int | None]],
    result: Imported,
    now: int,
    dry_run: bool,
) -> None:
    hashes = list(chunk)
    added: set[bytes] = set()
    if not dry_run:
        ends = [end for _, end in chunk.values()]
        rows = connection.execute(
            ADD,
            {
                "pool": pool_id,
                "program": program_id,
                "ids": new_ids(len(hashes)),
                "hashes": hashes,
                "sealed": [_sealed(key, line) for key, (line, _) in chunk.items()],
                "expires": [moment(end) if end is not None else None for end in ends],
                "now": moment(now),
            },
        ).fetchall()
        added = {bytes(row[0]) for row in rows}
    rest = [key for key in hashes if key not in added]
    known = {
        bytes(key): pool
        for key, pool in connection.execute(KNOWN, {"hashes": rest, "program": program_id}).fetchall()
    }
    for key in rest:
        if key in known:
            result.duplicates.append(NotTaken(chunk[key][0].line, f"the code is in the pool {known[key]}"))
        else:
            assert dry_run
    result.added += len(chunk) - len(known)


def _sealed(code_hash: bytes, line: NewCode) -> bytes:
    return encrypted(SEALED, msgspec.json.encode([line.code, line.pin, line.url]), code_hash)


# --- handing out ------------------------------------------------------------------------------------------


OF_ORDER: Final = """
-- pools.of_order
select c.code_id, p.key, c.order_ref, c.expires_at, c.state, c.code_hash, c.sealed, c.revealed_to, c.revealed_at,
       c.pool_id
from pool_code c join code_pool p on p.pool_id = c.pool_id
where c.order_ref = %(order)s and c.program_id = %(program)s
"""

# Two takers never wait for each other, and never get the same code: each skips what another has locked.
TAKE: Final = """
-- pools.take
update pool_code c set state = 'taken', order_ref = %(order)s, taken_at = %(now)s
from (
  select code_id from pool_code
  where pool_id = %(pool)s and state = 'free' and (expires_at is null or expires_at > %(usable)s)
  order by expires_at, code_id limit 1 for update skip locked
) as f
where c.code_id = f.code_id
returning c.code_id, c.expires_at
"""


def take(
    connection: Connection[Any],
    program_id: int,
    pool: str,
    order_ref: str,
    now: int,
    *,
    usable_until: int | None = None,
) -> Taken | None:
    """Takes the code that ends soonest for one unit of an order; None where no code is free.

    `order_ref` names the unit: taken again under the same name, it is the same code. With `usable_until`, only codes
    that end later. Refused (UNKNOWN_POOL) where the program has no such pool.
    """
    pool_id = _pool(connection, program_id, pool)
    values = {
        "pool": pool_id, "program": program_id, "order": order_ref, "now": moment(now),
        "usable": moment(max(now, usable_until or 0)),
    }  # fmt: skip
    row = connection.execute(OF_ORDER, values).fetchone()
    if row is not None:
        return Taken(row[0], row[1], row[2], instant(row[3]) if row[3] is not None else None)
    found = connection.execute(TAKE, values).fetchone()
    look_at_stock(connection, pool_id, now=now)
    if found is None:
        return None
    return Taken(found[0], pool, order_ref, instant(found[1]) if found[1] is not None else None)


def give_back(connection: Connection[Any], program_id: int, order_ref: str, *, now: int) -> bool:
    """Frees the code that an order's unit has; False where somebody has seen it already, or there is none."""
    row = connection.execute(
        """
        -- pools.give_back
        update pool_code set state = 'free', order_ref = null, taken_at = null
        where order_ref = %s and program_id = %s and state = 'taken'
        returning pool_id
        """,
        (order_ref, program_id),
    ).fetchone()
    if row is None:
        return False
    look_at_stock(connection, row[0], now=now)
    return True


def reveal(connection: Connection[Any], program_id: int, order_ref: str, *, to: str, now: int) -> Revealed:
    """Shows the code of an order's unit to `to` (a member's reference, or a name), and notes who saw it and when.

    It is revealed once: the same person may look again, anyone else is refused (ALREADY_REVEALED). Refused as
    UNKNOWN_CODE where no code was taken under this name. `to` is no personal value but a reference.
    """
    values = {"order": order_ref, "program": program_id, "to": to, "now": moment(now)}
    first = connection.execute(
        """
        -- pools.reveal
        update pool_code set state = 'revealed', revealed_to = %(to)s, revealed_at = %(now)s
        where order_ref = %(order)s and program_id = %(program)s and state = 'taken'
        returning code_id
        """,
        values,
    ).fetchone()
    row = connection.execute(OF_ORDER, values).fetchone()
    if row is None:
        raise VoucherRefused(
            VoucherRefusal.UNKNOWN_CODE, "no code was taken for this order", field="order",
            remedy="check the order's reference",
        )  # fmt: skip
    if row[7] != to:
        raise VoucherRefused(
            VoucherRefusal.ALREADY_REVEALED,
            f"the code was shown to somebody else on {instant_text(row[8])}",
            field="order",
            remedy="ask the supplier for another one if it was not used",
        )
    code, pin, url = msgspec.json.decode(decrypted(SEALED, bytes(row[6]), bytes(row[5])))
    expires_at = instant(row[3]) if row[3] is not None else None
    return Revealed(code, pin, url, expires_at, instant(row[8]), first is not None)


def instant_text(at: Any) -> str:
    """An instant of the database as text."""
    return moment(instant(at)).isoformat(timespec="seconds").replace("+00:00", "Z")


def withdraw(connection: Connection[Any], program_id: int, pool: str, *, now: int) -> int:
    """Takes all free codes of a pool out of it for good (the supplier has blocked them); how many."""
    pool_id = _pool(connection, program_id, pool)
    gone = connection.execute(
        "-- pools.withdraw\nupdate pool_code set state = 'withdrawn' where pool_id = %s and state = 'free'",
        (pool_id,),
    ).rowcount
    look_at_stock(connection, pool_id, now=now)
    return gone


__all__: Sequence[str] = (
    "Imported", "NewCode", "NotTaken", "Pool", "Revealed", "Taken", "create", "give_back", "import_codes",
    "lines_of", "list_pools", "look_at_all", "look_at_stock", "read", "reveal", "take", "unknown_pool", "withdraw",
)  # fmt: skip
