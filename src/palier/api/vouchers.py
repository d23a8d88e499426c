"""Vouchers: issued, shown, used, given back; and pools of suppliers' codes.

Codes come in bodies, never in addresses, which are logged. What is answered about a code is the same whether it does
not exist or is not the caller's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec
from django.http import HttpRequest, HttpResponse
from ninja import Router

from palier.activities.operations import NotDone, refuse_foreign_source
from palier.api.calls import ApiKey, Call, answer, call, encode, write, written
from palier.api.partners import foreign_source
from palier.api.problems import Problem, of_refusal
from palier.api.schemas import IdempotencyKey, problems
from palier.api.voucher_schemas import (
    CodesImported,
    NewCodes,
    NewPool,
    NewVoucher,
    NewVoucherUse,
    Picture,
    PoolAnswer,
    PoolKey,
    PoolsAnswer,
    ShownVoucher,
    VoucherAnswer,
    VoucherCancel,
    VoucherIssued,
    VoucherRef,
    VoucherRelease,
    VoucherUseAnswer,
)
from palier.members import queries as members
from palier.members import refs
from palier.staff.operations import Answer, write_log
from palier.staff.throttle import Throttled
from palier.vouchers import guesses, operations, pictures, pools, queries
from palier.vouchers.operations import Presented, Standing, Use
from palier.vouchers.pools import NewCode, Pool

router = Router(tags=["Vouchers"])
USE: Final = ApiKey("vouchers:use", partners=True)
READ: Final = ApiKey("rewards:read")
WRITE: Final = ApiKey("rewards:write")


def _guarded(
    request: HttpRequest, code: str, actor: str | None, run: Callable[[], HttpResponse]
) -> HttpResponse:
    """Runs a call that looks a code up, within the limits of failed tries."""

    def tried() -> HttpResponse:
        with call(request) as made:
            caller = guesses.Caller(made.key.program_id, made.key.prefix, actor or "")
            return guesses.guarded(made.connection, caller, code, run, now=made.now)

    try:
        return tried()
    except Throttled as throttled:
        raise Problem(
            429, "too_many_tries", "Too many codes that do not exist were tried; wait before the next.",
            remedy="check the codes before they are sent", retry_after_s=throttled.wait_s,
        ) from None  # fmt: skip


def _presented(made: Call, body: ShownVoucher) -> Presented:
    """What is shown; a member that does not exist proves nothing, and is answered like a wrong proof."""
    member_id: int | None = None
    if body.member is not None:
        try:
            member_id = members.resolve(made.connection, made.key.program_id, body.member)
        except members.IdentityError:
            member_id = None
    return Presented(body.code, member_id, body.pin or "")


# --- issuing ----------------------------------------------------------------------------------------------


@router.post(
    "/vouchers",
    auth=WRITE,
    operation_id="issue_voucher",
    summary="Issue a voucher",
    response={201: VoucherIssued, **problems(404, 409, 413, 415)},
)
def issue_voucher(
    request: HttpRequest, body: NewVoucher, idempotency_key: IdempotencyKey = None
) -> HttpResponse:
    """Makes a voucher and shows its code.

    The code of a member's voucher can be shown to the member again; that of a voucher for nobody in particular only
    by repeating this call with its Idempotency-Key within 30 days. With `proof` member or pin the code is short, and
    is used together with the member or the PIN.
    """

    def act(made: Call, identifier: str) -> Answer:
        member_id = made.acting(body.member) if body.member is not None else None
        if body.partner is not None and body.partner not in made.runtime.latest.partners:
            raise Problem(
                404, "unknown_partner", "The program has no such partner.", field="partner",
                remedy="use a partner of the program",
            )  # fmt: skip
        issued = operations.issue(
            made.connection,
            made.key.program_id,
            member_id=member_id,
            effect=body.effect,
            max_uses=body.max_uses,
            valid_from=body.valid_from,
            expires_at=body.expires_at,
            origin=body.origin or made.source,
            proof=body.proof,
            partner=body.partner or "",
            now=made.now,
        )
        found = queries.read(made.connection, made.key.program_id, issued.voucher_ref)
        assert found is not None
        # What is stored with the Idempotency-Key holds no code: it is read from the voucher, where it is encrypted.
        return Answer(201, encode(_shown(found, made.now)))

    def run() -> HttpResponse:
        response = write(request, "voucher", idempotency_key, act)
        shown = msgspec.json.decode(response.content)
        with call(request) as made:
            found = queries.read(made.connection, made.key.program_id, shown["voucher"])
            member_id = found.member_id if found is not None else None
            kept = queries.code_of(
                made.connection, made.key.program_id, shown["voucher"], member_id=member_id
            )
        shown["code"] = kept.code if kept is not None else None
        shown["pin"] = (kept.pin or None) if kept is not None else None
        response.content = encode(shown)
        return response

    return run()


def _shown(found: Standing, now: int) -> dict[str, Any]:
    return {
        "voucher": found.voucher_ref,
        "member": refs.encode(found.member_id) if found.member_id is not None else None,
        "proof": found.proof,
        "state": queries.state_at(found, now),
        "effect": found.effect,
        "max_uses": found.max_uses,
        "uses": found.uses,
        "uses_left": found.uses_left,
        "partner": found.partner or None,
        "valid_from": written(found.valid_from),
        "expires_at": written(found.expires_at) if found.expires_at is not None else None,
        "origin": found.origin,
        "issued_at": written(found.issued_at),
    }


# --- at the till ------------------------------------------------------------------------------------------


@router.post(
    "/vouchers/check",
    auth=USE,
    operation_id="check_voucher",
    summary="See what a voucher is good for",
    response={200: VoucherAnswer, **problems(404, 413, 415)},
)
def check_voucher(request: HttpRequest, body: ShownVoucher) -> HttpResponse:
    """What a voucher brings, if it could be used now. Nothing is changed.

    A code that does not exist and one whose member or PIN is missing or wrong are answered alike
    (`unknown_voucher`), and count as failed tries, of which there may not be many (429).
    """

    def run() -> HttpResponse:
        with call(request) as made:
            shown = _presented(made, body)
            found = operations.check(
                made.connection, made.key.program_id, shown, partner=made.key.partner, now=made.now
            )
            shown_of = _shown(found, made.now)
            if made.key.partner:
                # Whose it is and why it was issued is the program's own.
                shown_of["member"] = shown_of["origin"] = None
            return answer(shown_of)

    return _guarded(request, body.code, body.actor, run)


@router.post(
    "/vouchers/use",
    auth=USE,
    operation_id="use_voucher",
    summary="Use a voucher",
    response={201: VoucherUseAnswer, **problems(404, 409, 413, 415)},
)
def use_voucher(
    request: HttpRequest, body: NewVoucherUse, idempotency_key: IdempotencyKey = None
) -> HttpResponse:
    """Uses a voucher once, for ever under `source` and `id`: sent again it is answered and not used again.

    However many tills show a code at one moment, it is used as often as it may be and no more. Codes that do not
    exist are answered as by `check`.
    """

    def act(made: Call, identifier: str) -> Answer:
        if body.source is not None:
            refuse_foreign_source(body.source, made.source)
            refusal = foreign_source(made.key, body.source, "source")
            if refusal is not None:
                raise NotDone(refusal)
        used = operations.use(
            made.connection,
            made.key.program_id,
            _presented(made, body),
            source=body.source or made.source,
            id=body.id or identifier,
            channel=body.channel or "",
            location=body.location or "",
            actor=body.actor or "",
            partner=made.key.partner,
            now=made.now,
        )
        return Answer(201, encode(_use(used)), used.replayed)

    return _guarded(
        request, body.code, body.actor, lambda: write(request, "voucher_use", idempotency_key, act)
    )


def _use(used: Use) -> dict[str, Any]:
    return {
        "voucher": used.voucher_ref,
        "source": used.source,
        "id": used.id,
        "effect": used.effect,
        "used_at": written(used.used_at),
        "released_at": written(used.released_at) if used.released_at is not None else None,
        "uses_left": used.uses_left,
    }


@router.post(
    "/vouchers/release",
    auth=USE,
    operation_id="release_voucher",
    summary="Give a use of a voucher back",
    response={200: VoucherUseAnswer, **problems(404, 409, 413, 415)},
)
def release_voucher(
    request: HttpRequest, body: VoucherRelease, idempotency_key: IdempotencyKey = None
) -> HttpResponse:
    """Gives back a use whose basket was cancelled, once; a voucher that has expired meanwhile stays expired."""

    def act(made: Call, identifier: str) -> Answer:
        if body.source is not None:
            refuse_foreign_source(body.source, made.source)
            refusal = foreign_source(made.key, body.source, "source")
            if refusal is not None:
                raise of_refusal(refusal)
        found = queries.read(made.connection, made.key.program_id, body.voucher)
        if found is None or (made.key.partner and found.partner != made.key.partner):
            raise operations.no_such_voucher()
        released = operations.release(
            made.connection,
            made.key.program_id,
            body.voucher,
            source=body.source or made.source,
            id=body.id,
            actor=body.actor or "",
            now=made.now,
        )
        return Answer(200, encode(_use(released)), released.replayed)

    return write(request, "voucher_release", idempotency_key, act)


@router.post(
    "/vouchers/picture",
    auth=USE,
    operation_id="draw_voucher",
    summary="A code as a QR code or bar code",
    response=problems(413, 415),
    openapi_extra={
        "responses": {
            200: {
                "content": {
                    kind: {"schema": {"type": "string", "format": "binary"}}
                    for kind in pictures.MEDIA_TYPES.values()
                }
            }
        }
    },
)
def draw_voucher(request: HttpRequest, body: Picture) -> HttpResponse:
    """Draws a text, such as a code, for a till or a phone to read. Nothing is looked up or stored."""

    def run() -> HttpResponse:
        drawn = pictures.picture(body.text, body.kind, body.form, scale=body.scale)
        return HttpResponse(drawn, content_type=pictures.MEDIA_TYPES[body.form])

    return run()


# --- by reference: after the addresses that a reference could be taken for -----------------------------------


@router.get(
    "/vouchers/{voucher}",
    auth=READ,
    operation_id="read_voucher",
    summary="Read a voucher by its reference",
    response={200: VoucherAnswer, **problems(404)},
)
def read_voucher(request: HttpRequest, voucher: VoucherRef) -> HttpResponse:
    """A voucher as it stands. Its code is not shown."""
    with call(request, snapshot=True) as made:
        found = queries.read(made.connection, made.key.program_id, voucher)
        if found is None:
            raise operations.no_such_voucher()
        return answer(_shown(found, made.now))


@router.post(
    "/vouchers/{voucher}/cancel",
    auth=WRITE,
    operation_id="cancel_voucher",
    summary="Cancel a voucher",
    response={200: VoucherAnswer, **problems(404, 409, 413, 415)},
)
def cancel_voucher(
    request: HttpRequest, voucher: VoucherRef, body: VoucherCancel, idempotency_key: IdempotencyKey = None
) -> HttpResponse:
    """Ends a voucher for good; uses that were made stay. One that is used up or expired is refused."""

    def act(made: Call, identifier: str) -> Answer:
        found = operations.cancel(made.connection, made.key.program_id, voucher, now=made.now)
        write_log(
            made.connection, f"key:{made.key.prefix}", "integration", "voucher.cancel", found.voucher_ref,
            at=made.now, reason=body.reason or "",
        )  # fmt: skip
        return Answer(200, encode(_shown(found, made.now)))

    return write(request, "voucher_cancel", idempotency_key, act)


# --- pools ------------------------------------------------------------------------------------------------


@router.get(
    "/pools",
    auth=READ,
    operation_id="list_pools",
    summary="List pools of codes",
    response={200: PoolsAnswer, **problems()},
)
def list_pools(request: HttpRequest) -> HttpResponse:
    """The pools of suppliers' codes with their stock, and which of them are low. No code is shown."""
    with call(request, snapshot=True) as made:
        found = pools.list_pools(made.connection, made.key.program_id, now=made.now)
        return answer({"pools": [_pool(pool) for pool in found]})


def _pool(pool: Pool) -> dict[str, Any]:
    return {
        "pool": pool.key,
        "name": pool.name,
        "state": pool.state,
        "low_at": pool.low_at,
        "imported": pool.imported,
        "free": pool.free,
        "taken": pool.taken,
        "revealed": pool.revealed,
        "withdrawn": pool.withdrawn,
        "expired": pool.expired,
    }


@router.put(
    "/pools/{pool}",
    auth=WRITE,
    operation_id="keep_pool",
    summary="Make or change a pool of codes",
    response={200: PoolAnswer, **problems(409, 413, 415)},
)
def keep_pool(
    request: HttpRequest, pool: PoolKey, body: NewPool, idempotency_key: IdempotencyKey = None
) -> HttpResponse:
    """A pool with its name, and the number of free codes at which it is low."""

    def act(made: Call, identifier: str) -> Answer:
        kept = pools.create(
            made.connection, made.key.program_id, pool, name=body.name, low_at=body.low_at, now=made.now
        )
        write_log(
            made.connection, f"key:{made.key.prefix}", "integration", "pool.keep",
            f"{made.key.program}:{pool}", at=made.now, reason=f"low at {body.low_at}",
        )  # fmt: skip
        return Answer(200, encode(_pool(kept)))

    return write(request, "pool", idempotency_key, act)


@router.post(
    "/pools/{pool}/codes",
    auth=WRITE,
    operation_id="add_codes",
    summary="Bring a supplier's codes into a pool",
    response={200: CodesImported, **problems(404, 409, 413, 415)},
)
def add_codes(
    request: HttpRequest, pool: PoolKey, body: NewCodes, idempotency_key: IdempotencyKey = None
) -> HttpResponse:
    """Adds codes to a pool, kept encrypted. What was sent before is told as a duplicate, by its place from 1.

    With `dry_run` nothing is written. Files are brought in by `palier vouchers pool import`.
    """

    def act(made: Call, identifier: str) -> Answer:
        lines = [
            NewCode(number, item.code, item.pin or "", item.url or "", item.expires_on or "")
            for number, item in enumerate(body.codes, start=1)
        ]
        found = pools.import_codes(
            made.connection, made.key.program_id, pool, lines, now=made.now, dry_run=body.dry_run
        )
        if found.added and not body.dry_run:
            write_log(
                made.connection, f"key:{made.key.prefix}", "integration", "pool.import",
                f"{made.key.program}:{pool}", at=made.now, reason=f"{found.added} codes",
            )  # fmt: skip
        shown = {
            "lines": found.lines,
            "added": found.added,
            "dry_run": body.dry_run,
            "duplicates": [{"line": item.line, "reason": item.reason} for item in found.duplicates],
            "refused": [{"line": item.line, "reason": item.reason} for item in found.refused],
        }
        return Answer(200, encode(shown))

    return write(request, "pool_codes", idempotency_key, act)
