"""The forms of vouchers and pools in the API."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from ninja import Path
from pydantic import AfterValidator, Field, WithJsonSchema

from palier.api.bodies import Number
from palier.api.calls import text_only
from palier.api.schemas import (
    Answered,
    Body,
    CommandId,
    Instant,
    InstantText,
    Key,
    ReasonText,
    Ref,
    Short,
    Source,
)
from palier.vouchers import codes, pictures
from palier.vouchers.operations import MOST_USES

Code = Annotated[
    str,
    Field(
        min_length=1,
        max_length=codes.LONGEST_ENTRY,
        description="As entered: case, spaces and dashes do not matter.",
        examples=["8H2K-0QXV-7T4MB"],
    ),
    AfterValidator(text_only),
]
VoucherRef = Annotated[
    str,
    Field(
        min_length=1,
        max_length=64,
        description="A voucher's reference: no code, and no proof of having one.",
        examples=["v_9k4m0q7zt2xw5cjhd8rb1yg6fnv3es0a"],
    ),
    AfterValidator(text_only),
]
PoolKey = Annotated[
    str, Path(min_length=1, max_length=64, description="A pool's key.", examples=["cinema-20"])
]


def _exact(value: dict[str, Any]) -> dict[str, Any]:
    """What can be kept as it was sent: a number with decimals is written as text."""

    def look(item: object) -> None:
        if isinstance(item, Number):
            raise ValueError('write decimals in quotes, such as "5.00"')
        for part in item.values() if isinstance(item, dict) else item if isinstance(item, list) else ():
            look(part)

    look(value)
    return value


Effect = Annotated[
    dict[str, Any],
    AfterValidator(_exact),
    WithJsonSchema(
        {
            "type": "object",
            "description": "What the voucher brings, in the words of whoever issues and takes it: at most 8 KB,"
            " decimals in quotes.",
            "examples": [{"kind": "amount_off", "amount": "5.00"}],
        }
    ),
]
Holder = Annotated[
    str | None,
    Field(
        min_length=1,
        max_length=200,
        description="The member who shows it: a reference, or an identity such as card:2801.",
        examples=["m_01h2xcejqtf2n"],
    ),
    AfterValidator(lambda value: None if value is None else text_only(value)),
]
Actor = Annotated[
    Short | None, Field(description="The till or person that tries the code; failed tries count for it.")
]
Proof = Literal["code", "member", "pin"]
State = Literal["active", "used", "expired", "cancelled"]


class NewVoucher(Body):
    """A voucher to issue. Without a member it is for whoever shows it."""

    effect: Effect
    member: Ref | None = None
    proof: Annotated[
        Proof,
        Field(description="What must be shown: the (long) code, or a short one with its member or a PIN."),
    ] = "code"
    max_uses: Annotated[int, Field(ge=1, le=MOST_USES)] = 1
    valid_from: Instant | None = None
    expires_at: Instant | None = None
    partner: Annotated[Key | None, Field(description="A partner of the program that takes it too.")] = None
    origin: Annotated[
        Short | None, Field(description="Where it comes from, such as campaign:spring; the key by default.")
    ] = None


class ShownVoucher(Body):
    """A code as it is shown, with the member or PIN that it needs."""

    code: Code
    member: Holder = None
    pin: Annotated[str | None, Field(pattern=r"^[0-9]{1,12}$")] = None
    actor: Actor = None


class NewVoucherUse(ShownVoucher):
    """A use of a voucher. Several vouchers of one basket may have the same source and id."""

    source: Source = None
    id: CommandId = None
    channel: Short | None = None
    location: Short | None = None


class VoucherRelease(Body):
    """The use that is given back."""

    voucher: VoucherRef
    source: Source = None
    id: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(text_only)]
    actor: Short | None = None


class VoucherCancel(Body):
    """Why a voucher is cancelled, for the audit log."""

    reason: ReasonText | None = None


class Picture(Body):
    """What is drawn, and how."""

    text: Annotated[str, Field(min_length=1, max_length=pictures.LONGEST), AfterValidator(text_only)]
    kind: pictures.Kind = "qr"
    form: pictures.Form = "svg"
    scale: Annotated[int, Field(ge=1, le=20, description="Pixels of the narrowest bar or dot.")] = 4


class NewPool(Body):
    """What a pool is called, and when it is low."""

    name: Short
    low_at: Annotated[int, Field(ge=0, le=10_000_000, description="Free codes at which the pool is low.")]


class SuppliedCode(Body):
    """A code as the supplier gave it."""

    code: Short
    pin: Annotated[Short | None, Field(description="Its PIN, where it has one.")] = None
    url: Annotated[str | None, Field(max_length=2_000), AfterValidator(lambda v: v and text_only(v))] = None
    expires_on: Annotated[
        str | None, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", description="The last day it can be used.")
    ] = None


class NewCodes(Body):
    """Codes for a pool."""

    codes: Annotated[list[SuppliedCode], Field(min_length=1, max_length=10_000)]
    dry_run: bool = False


# --- answers ----------------------------------------------------------------------------------------------

AnyEffect = Annotated[dict[str, Any], WithJsonSchema({"type": "object"})]


class VoucherAnswer(Answered):
    voucher: str
    member: str | None
    proof: Proof
    state: State
    effect: AnyEffect
    max_uses: int
    uses: int
    uses_left: int
    partner: str | None
    valid_from: InstantText
    expires_at: InstantText | None
    origin: str | None
    issued_at: InstantText


class VoucherIssued(VoucherAnswer):
    """`code` in groups, as people read it; null once it is kept no more. `pin` where it has one."""

    code: str | None
    pin: str | None


class VoucherUseAnswer(Answered):
    voucher: str
    source: str
    id: str
    effect: AnyEffect
    used_at: InstantText
    released_at: InstantText | None
    uses_left: int


class PoolAnswer(Answered):
    pool: str
    name: str
    state: Literal["stocked", "low", "empty"]
    low_at: int
    imported: int
    free: int
    taken: int
    revealed: int
    withdrawn: int
    expired: int


class PoolsAnswer(Answered):
    pools: list[PoolAnswer]


class LineNotTaken(Answered):
    line: int
    reason: str


class CodesImported(Answered):
    lines: int
    added: int
    dry_run: bool
    duplicates: list[LineNotTaken]
    refused: list[LineNotTaken]
