"""Roles of people who work with a program, and the rights each has: no more than its work needs."""

from __future__ import annotations

from typing import Final, Literal, get_args

from palier.staff.queries import PARTNER_RIGHTS, RIGHTS

Role = Literal["owner", "marketer", "analyst", "support", "cashier", "partner", "accountant"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)

PEOPLES_RIGHTS: Final = (
    "audit:read",
    "imports:write",
    "keys:write",
    "staff:write",
    "till:use",
    "tills:write",
)
"""Rights that people alone have: no API key bears them."""
ALL_RIGHTS: Final = frozenset((*RIGHTS, *PEOPLES_RIGHTS))

_RIGHTS_OF: Final[dict[Role, frozenset[str]]] = {
    "owner": ALL_RIGHTS,
    "marketer": frozenset(
        ("insights:read", "imports:write", "programs:read", "programs:write", "rewards:read", "rewards:write")
    ),
    "analyst": frozenset(("insights:read", "programs:read", "rewards:read", "settlements:read")),
    "support": frozenset(
        (
            "members:read",
            "members:write",
            "members:merge",
            "orders:write",
            "points:write",
            "programs:read",
            "rewards:read",
            "vouchers:use",
        )
    ),
    "cashier": frozenset(("till:use",)),
    # A partner sees its own statements; what its systems do, its keys do.
    "partner": frozenset(("settlements:read",)) & frozenset(PARTNER_RIGHTS),
    "accountant": frozenset(
        (
            "approvals:write",
            "audit:read",
            "insights:read",
            "payouts:write",
            "programs:read",
            "settlements:read",
        )
    ),
}


def rights_of(role: Role) -> frozenset[str]:
    """What people of a role may do in the programs for which they hold it."""
    return _RIGHTS_OF[role]
