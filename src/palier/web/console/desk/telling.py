"""Roles, rights and what was asked, in the reader's language."""

from __future__ import annotations

from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from palier.engine.amounts import AmountError, to_minor
from palier.engine.clock import DAY, HOUR, MINUTE
from palier.engine.words import ProgramWords
from palier.staff.roles import Role

ROLES: Final[dict[Role, tuple[Promise, Promise]]] = {
    "owner": (_("Owner"), _("everything, people and API keys too")),
    "marketer": (
        _("Marketer"),
        _("program, campaigns, rewards, imports and figures; no member's personal values"),
    ),
    "analyst": (_("Analyst"), _("figures, and the program to read")),
    "support": (
        _("Support"),
        _("members, their orders and cases; points by hand within the program's limits"),
    ),
    "cashier": (_("Cashier"), _("the till, and nothing else")),
    "partner": (_("Partner"), _("one partner's own statements")),
    "accountant": (_("Accountant"), _("figures, settlements, pay-outs, approvals, the audit log")),
}
"""Each role's name, and what it may do."""

RIGHTS: Final[dict[str, Promise]] = {
    "activities:write": _("send activities"),
    "approvals:write": _("see what waits for a second person; approve and refuse it"),
    "insights:read": _("read figures"),
    "members:read": _("find and read members, their wallets and history"),
    "members:write": _("enrol and change members, keep their cases"),
    "members:merge": _("merge members; add persons to a household"),
    "orders:write": _("order rewards, hand them out, refund them"),
    "payouts:write": _("bank accounts, pay-outs and their batches"),
    "points:write": _("redeem, hold, adjust and transfer points"),
    "programs:read": _("read the program and its versions"),
    "programs:write": _("check, plan and publish versions; pause campaigns"),
    "settlements:read": _("read what partners owe and are owed"),
    "rewards:read": _("read vouchers by reference, and stock"),
    "rewards:write": _("issue and cancel vouchers, keep the catalogue and pools"),
    "vouchers:use": _("check and use vouchers, calculate baskets"),
}
"""What each right of an API key allows."""

KINDS: Final[dict[str, Promise]] = {
    "adjustment": _("Points by hand"),
    "payout": _("Pay-outs to bank accounts"),
    "payout_batch": _("Pay-outs to bank accounts"),
    "publish": _("A new version of the program"),
    "publication": _("A new version of the program"),
}
"""What may wait for a second person."""

FIELDS: Final[dict[str, Promise]] = {
    "member": _("Member"),
    "currency": _("Kind of points"),
    "points": _("Points"),
    "reason": _("Reason"),
    "reason_code": _("Reason, by the program's list"),
    "batch": _("Batch"),
    "method": _("Way of payment"),
    "payouts": _("Pay-outs"),
    "total": _("Total"),
    "money": _("Money"),
    "from_account": _("From account"),
    "version": _("Version"),
    "effective_from": _("Begins"),
}
"""What a request says, by the names under which it is kept; those that are not here are for machines."""

STATES: Final[dict[str, tuple[Promise, str]]] = {
    "asked": (_("waits"), "warn"),
    "approved": (_("approved"), "good"),
    "refused": (_("refused"), "bad"),
    "expired": (_("nobody decided in time"), ""),
}
"""The states of a request, with the colour of their chip."""


def role_name(role: str) -> Promise | str:
    """A role's name; its key where this release knows it not."""
    return next((name for key, (name, _may) in ROLES.items() if key == role), role)


def said(payload: dict[str, Any], words: ProgramWords) -> list[tuple[Promise, Any]]:
    """What was asked, as lines of a name and a value; what is empty or for machines is left out."""
    told = {**payload, **_points(payload, words)}
    lines = [(name, told[key]) for key, name in FIELDS.items() if told.get(key) not in (None, "", [])]
    changes = payload.get("changes_fr" if words.language == "fr" else "changes")
    if isinstance(changes, list) and changes:
        lines.append((_("What changes"), "; ".join(map(str, changes))))
    return lines


def _points(payload: dict[str, Any], words: ProgramWords) -> dict[str, str]:
    """Points with the name of their kind in one line; as they were written where the program has it no more."""
    currency, text = payload.get("currency"), payload.get("points")
    known = words.units.get(str(currency))
    if known is None or not isinstance(text, str):
        return {}
    try:
        minor = to_minor(text.removeprefix("-"), known.scale)
    except AmountError:
        return {}
    return {"points": words.points(-minor if text.startswith("-") else minor, known.key), "currency": ""}


def time_of_day(words: ProgramWords, at: int) -> str:
    """The local time of an instant, as clocks show it."""
    _day, minute = words.clock.local(at)
    return f"{minute // 60:02d}:{minute % 60:02d}"


def ago(gone: int) -> str:
    """How long ago something was, in words; `gone` in microseconds."""
    if gone < 2 * MINUTE:
        return gettext("just now")
    if gone < HOUR:
        count = gone // MINUTE
        said = ngettext("%(count)d minute ago", "%(count)d minutes ago", count)
    elif gone < 2 * DAY:
        count = gone // HOUR
        said = ngettext("%(count)d hour ago", "%(count)d hours ago", count)
    else:
        count = gone // DAY
        said = ngettext("%(count)d day ago", "%(count)d days ago", count)
    return said % {"count": count}
