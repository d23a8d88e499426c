"""What lists have in common: pages by key, and instants as people write and read them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from urllib.parse import urlencode

from palier.staff import accounts
from palier.web.console.visits import StaffVisit

ROWS: Final = 50
"""Rows of a page."""
_KEY: Final = re.compile(r"[0-9]{1,19}(\.[0-9]{1,19})?", re.ASCII)
_DAY: Final = re.compile(r"[12][0-9]{3}-[01][0-9]-[0-3][0-9]", re.ASCII)


def after(made: StaffVisit, places: int = 1) -> tuple[int, ...] | None:
    """The key from which a page goes on (`?after=`); None for the first page, and for what is no key."""
    given = made.request.GET.get("after", "")
    if not _KEY.fullmatch(given):
        return None
    found = tuple(int(part) for part in given.split("."))
    return found if len(found) == places and all(part < 2**63 for part in found) else None


@dataclass(frozen=True, slots=True)
class Pages:
    """The way through a list: to its first page from a later one, and to the next."""

    first: str
    next: str


def pages(made: StaffVisit, more: Sequence[object] | None, **kept: str) -> Pages:
    """The addresses of other pages of this list; `more` is the key of this one's last row, if there are more."""
    told = {name: value for name, value in kept.items() if value}
    following = {**told, "after": ".".join(str(part) for part in more)} if more is not None else {}
    later = "after" in made.request.GET
    return Pages(
        f"{made.request.path}?{urlencode(told)}" if later else "",
        f"?{urlencode(following)}" if following else "",
    )


def as_of(made: StaffVisit) -> tuple[int | None, str]:
    """The end of the day that is asked for (`?as_of=2026-03-01`), and that day; (None, "") for now."""
    given = made.request.GET.get("as_of", "")
    if not _DAY.fullmatch(given):
        return None, ""
    try:
        day = date.fromisoformat(given)
    except ValueError:
        return None, ""
    if not 1970 <= day.year < 3000:
        return None, ""
    return made.words.clock.start_of_day(day.toordinal() + 1) - 1, given


def moment_words(made: StaffVisit, at: int) -> str:
    """A local day and time: "3 March 2026, 14:05"."""
    hours, minutes = divmod(made.words.clock.local(at)[1], 60)
    return f"{made.words.day(at)}, {hours:02d}:{minutes:02d}"


def actor_words(made: StaffVisit, actor: str) -> str:
    """Who acted: a person of the staff by name, anything else as it stands in the log, shortened."""
    if actor.startswith("staff:"):
        names: dict[str, str] | None = getattr(made.request, "staff_names", None)
        if names is None:
            found = accounts.listed(made.connection, made.program_id)
            names = {account.actor: account.name for account in found}
            made.request.staff_names = names  # type: ignore[attr-defined]
        actor = names.get(actor, actor)
    return actor if len(actor) <= 40 else f"{actor[:39]}…"


Row = dict[str, Any]
"""One row as a template shows it."""


def step_row(made: StaffVisit, state: str, at: int, actor: str, reason: str) -> Row:
    """One step of an order's or a pay-out's way: the state in words, when, by whom and why."""
    return {
        "state": state,
        "when": moment_words(made, at),
        "actor": actor_words(made, actor),
        "reason": reason,
    }
