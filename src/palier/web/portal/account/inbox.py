"""Messages: what the program told the member, said in the language he reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from palier.activities import batch
from palier.engine.clock import DAY, MINUTE
from palier.privacy import messages, terms
from palier.privacy.messages import Message
from palier.rewards import catalogue, order_queries
from palier.rewards.order_store import Order
from palier.site.ids import read_id
from palier.web.portal import telling
from palier.web.portal.visits import Visit, of_member

LINES: Final = 30
LOOKED_BACK: Final = 60 * DAY
"""How long ago an order may have ended of which a member is told."""


@dataclass(frozen=True, slots=True)
class Line:
    """One message as it is read."""

    icon: str
    text: str
    day: str
    new: bool
    link: str


def line(made: Visit, message: Message) -> Line:
    """A message in the reader's language, with where it leads."""
    facts = message.facts
    values = {name: facts.get(name, "") for name in ("reward", "benefit", "day", "text", "device")}
    values["points"] = _points(made, facts)
    program = made.words.text(made.program.name)
    told: dict[str, tuple[str, str, str]] = {
        "welcome": (
            "handshake",
            _("Welcome to %(program)s. You begin with %(benefit)s.") % {"program": program, **values}
            if values["benefit"]
            else _("Welcome to %(program)s.") % {"program": program},
            "",
        ),
        "program_changed": ("file-text", _("The program changes. Read what is different."), "terms"),
        "reward_ready": ("gift", _("%(reward)s is ready for you.") % values, "mine"),
        "reward_cancelled": (
            "undo-2",
            _("%(reward)s could not be had. Your points are back.") % values,
            "mine",
        ),
        "case_answered": ("mail", _("Your question was answered."), "cases"),
        "erasure_asked": (
            "circle-alert",
            _("You asked to be erased. Until it is done you may change your mind."),
            "erase",
        ),
        "new_device": (
            "lock",
            _("Somebody signed in to your account: %(device)s. Was it you?") % values,
            "devices",
        ),
        "points_given": (
            "gift",
            _("You gave %(points)s to another member. If it was not you, ask the shop.") % values,
            "history",
        ),
        "points_received": ("gift", _("Another member gave you %(points)s.") % values, "history"),
    }
    icon, text, page = told.get(message.kind, ("bell", values["text"], ""))
    link = facts.get("link", "")
    return Line(
        icon,
        text,
        telling.ago(made.words, message.told_at, made.now),
        not message.read_at,
        link
        if link.startswith("/portal/")
        else reverse(f"portal:{page}", args=[made.runtime.key])
        if page
        else "",
    )


def _points(made: Visit, facts: Mapping[str, str]) -> str:
    """The points that a message is about; those of a kind that the program has no more stand without their unit."""
    currency, minor = facts.get("currency", ""), facts.get("minor", "")
    return made.words.points(int(minor), currency) if currency in made.words.units else minor


def look(made: Visit) -> int:
    """Tells the member what has come since he looked last, each thing once; how many messages are unread."""
    connection, program_id, member_id = made.connection, made.runtime.program_id, made.member_id
    assert made.member is not None
    due: list[tuple[messages.Kind, dict[str, str], str]] = []
    for order in order_queries.of_member(connection, program_id, member_id, before=None, limit=10):
        kind = _became(order, made.now)
        if kind is not None:
            due.append((kind, {"reward": _name(made, order)}, f"order:{order.order_id}:{order.state}"))
    for told in terms.unseen(connection, made.runtime, member_id, made.member.enrolled_at, made.language)[:1]:
        due.append(("program_changed", {}, f"version:{told.version.version}"))
    if due:
        known = {
            message.once
            for message in messages.listed(connection, program_id, member_id, before=None, limit=200)
        }
        fresh = [item for item in due if item[2] not in known]
        if fresh:

            def tell() -> None:
                for kind, facts, once in fresh:
                    messages.tell(connection, program_id, member_id, kind, facts, once=once, now=made.now)

            connection.rollback()
            batch.attempt(connection, tell)
    return messages.unread(connection, program_id, member_id)


def _became(order: Order, now: int) -> messages.Kind | None:
    """What there is to tell of an order that somebody else ended; nothing of one that was done at once."""
    ended = order.done_at or 0
    if ended < now - LOOKED_BACK or ended - order.created_at < MINUTE:
        return None
    if order.state == "done":
        return "reward_ready"
    return "reward_cancelled" if order.state in ("failed", "expired") else None


def _name(made: Visit, order: Order) -> str:
    found = catalogue.terms(made.connection, made.runtime.program_id, order.reward, made.now)
    return made.words.text(found.reward.name) if found is not None else order.reward


@require_GET
@of_member
def inbox(made: Visit) -> HttpResponse:
    """What the program told the member, the latest first; it is marked as read by the form below it."""
    unread = look(made)
    after = made.request.GET.get("after", "")
    before = read_id(after)
    found = messages.listed(
        made.connection, made.runtime.program_id, made.member_id, before=before, limit=LINES + 1
    )
    shown = found[:LINES]
    return made.page(
        "portal/account/inbox.html",
        {
            "here": "me",
            "lines": [line(made, message) for message in shown],
            "unread": unread,
            "through": found[0].message_id if found and before is None else None,
            "next": shown[-1].message_id if len(found) > LINES else None,
        },
    )


@require_POST
@of_member
def read(made: Visit) -> HttpResponse:
    """Marks all that was shown as read."""
    given = made.request.POST.get("through", "")
    through = read_id(given) or 0

    def act() -> None:
        messages.mark_read(
            made.connection, made.runtime.program_id, made.member_id, through=through, now=made.now
        )

    batch.attempt(made.connection, act)
    return made.go("inbox")
