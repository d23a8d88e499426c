"""What staff do to a member: points by hand, transfers, freezing, merging, households.

Each is rehearsed first, so that what is asked names the figures as they will be; then it is asked once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from palier.activities import adjustments, freezing, merging, operations, queries
from palier.activities.adjustments import Adjustment
from palier.activities.answers import Result
from palier.care import cases
from palier.engine.plan import Plan
from palier.engine.program import AdjustmentLimit, Adjustments
from palier.members import queries as members
from palier.members import refs, sessions
from palier.members.queries import MemberView
from palier.privacy import erasure
from palier.staff.approvals import Approval
from palier.staff.operations import write_log
from palier.staff.throttle import Throttled
from palier.web.console.people.acts import (
    REFUSED,
    SOURCE,
    NotSaid,
    address,
    applied,
    ask,
    done,
    once,
    reason,
    rehearsed,
    sure,
    text,
    why_not,
)
from palier.web.console.people.seen import TooMany, found_by, head, of_ref, too_many
from palier.web.console.visits import Page, StaffVisit, of_staff
from palier.web.numbers import typed

Form = Callable[[StaffVisit, MemberView], HttpResponse]


def _of_member(right: str) -> Callable[[Form], Page]:
    """A page about one member, who is looked at; more looks than one may have are answered by their page."""

    def wrapped(page: Form) -> Page:
        @of_staff(right)
        @wraps(page)
        def shown(made: StaffVisit, ref: str) -> HttpResponse:
            try:
                return page(made, of_ref(made, ref))
            except TooMany as many:
                return many.page
            except Throttled as throttled:
                return too_many(made, throttled)

        return shown

    return wrapped


def _page(
    made: StaffVisit, view: MemberView, name: str, content: Mapping[str, Any], status: int = 200
) -> HttpResponse:
    return made.page(
        f"console/people/{name}.html",
        {**head(made, view), "form": made.request.POST, **content},
        status,
    )


def _spendable(made: StaffVisit, member_id: int) -> dict[str, int]:
    found = queries.wallets(made.connection, made.runtime, member_id, now=made.now)
    return {key: item.spendable for key, item in found.wallets.items()} if found is not None else {}


def _change(made: StaffVisit, before: int, after: int, currency: str) -> str:
    """A balance before and after: "1,200 stars → 1,700 stars"."""
    return f"{made.words.points(before, currency)} → {made.words.points(after, currency)}"


# --- points by hand ---------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@_of_member("points:write")
def adjust(made: StaffVisit, view: MemberView) -> HttpResponse:
    """Gives or takes points for one of the program's reasons; beyond what one person may, a second is asked."""
    plan = made.runtime.timeline.at(made.now) or made.runtime.latest
    content = _adjusting(made, plan)
    if made.request.method == "GET":
        return _page(made, view, "adjust", content)
    try:
        wanted = _wanted(made, view)

        def act() -> tuple[Result | Approval, dict[str, int]]:
            result = adjustments.adjust(made.connection, made.runtime, wanted, by=made.person, now=made.now)
            if isinstance(result, Result):
                applied(result)
                if result.status == "applied":
                    write_log(
                        made.connection, made.person.actor, made.person.role, "points.adjust", view.ref,
                        at=made.now, reason=wanted.code,
                    )  # fmt: skip
            return result, _spendable(made, view.member_id)

        if not sure(made):
            before = _spendable(made, view.member_id)
            made.connection.rollback()
            result, after = rehearsed(made, act)
            return _ask_adjustment(made, view, plan, wanted, result, before, after)
        result, _after = done(made, act)
    except (NotSaid, *REFUSED) as refused:
        return _page(made, view, "adjust", {**content, "error": why_not(refused)}, 422)
    if isinstance(result, Approval):
        made.say(_("Asked. It is done once a second person approves it."), "warn")
    else:
        made.say(_("Done: %(points)s.") % {"points": _signed(made, wanted)})
    return made.go("people:member", view.ref)


def _adjusting(made: StaffVisit, plan: Plan) -> dict[str, Any]:
    rules = plan.program.adjustments or Adjustments()
    words = made.words
    limits = []
    for limit in rules.limits:
        said = _limit_words(made, limit)
        if said:
            limits.append((words.noun(limit.currency, False), said))
    return {
        "currencies": [(item.key, words.noun(item.key, False)) for item in made.program.point_currencies],
        "reasons": [
            (
                item.key,
                words.text(item.name),
                {"give": _("gives"), "take": _("takes"), "both": _("gives or takes")}[item.direction],
            )
            for item in rules.reasons
        ],
        "limits": limits,
    }


def _limit_words(made: StaffVisit, limit: AdjustmentLimit) -> list[str]:
    words = made.words
    said = []
    if limit.at_once is not None:
        said.append(
            _("at most %(points)s at once") % {"points": words.rate_points(limit.at_once, limit.currency)}
        )
    if limit.day is not None:
        said.append(
            _("at most %(points)s a day for one person")
            % {"points": words.rate_points(limit.day, limit.currency)}
        )
    if limit.approval_above is not None:
        said.append(
            _("above %(points)s a second person approves")
            % {"points": words.rate_points(limit.approval_above, limit.currency)}
        )
    return said


def _points_typed(made: StaffVisit, currency: str) -> str:
    """The points of the form as plain decimal text, as a currency of so many decimals writes them."""
    known = made.runtime.latest.currencies.get(currency)
    given = text(made, "points", 40).replace("\u2212", "-")
    return typed(given, known.scale if known is not None else 0)


def _wanted(made: StaffVisit, view: MemberView) -> Adjustment:
    currency = made.request.POST.get("currency", "")[:64]
    amount = _points_typed(made, currency).lstrip("+")
    if made.request.POST.get("way") == "take":
        amount = f"-{amount.lstrip('-')}"
    points = operations.points_minor(made.runtime, currency, amount, signed=True)
    code = made.request.POST.get("code", "")[:64]
    return Adjustment(
        view.member_id,
        currency,
        points,
        reason(made),
        code,
        made.person.actor,
        SOURCE,
        f"adjust:{once(made)}",
    )


def _signed(made: StaffVisit, wanted: Adjustment) -> str:
    return ("+" if wanted.points > 0 else "") + made.words.points(wanted.points, wanted.currency)


def _ask_adjustment(
    made: StaffVisit,
    view: MemberView,
    plan: Plan,
    wanted: Adjustment,
    result: Result | Approval,
    before: dict[str, int],
    after: dict[str, int],
) -> HttpResponse:
    currency = wanted.currency
    will = [_("%(points)s for the member %(ref)s.") % {"points": _signed(made, wanted), "ref": view.ref}]
    if isinstance(result, Approval):
        days = (plan.program.adjustments or Adjustments()).approval_days
        will.append(
            _(
                "This is more than one person may do alone. It waits up to %(days)d days for a second person; "
                "until then nothing moves."
            )
            % {"days": days}
        )
        then = before.get(currency, 0) + wanted.points
        if then < 0 and wanted.points < 0:
            # No second person could say yes to it.
            raise NotSaid(_("The member has too few points for it. Nothing was changed."))
        will.append(
            _("Once approved: %(change)s.")
            % {"change": _change(made, before.get(currency, 0), then, currency)}
        )
        button = _("Ask a second person")
    else:
        change = _change(made, before.get(currency, 0), after.get(currency, 0), currency)
        will.append(_("Can be spent: %(change)s.") % {"change": change})
        button = _("Give %(points)s") if wanted.points > 0 else _("Take %(points)s")
        button %= {"points": made.words.points(abs(wanted.points), currency)}
    return ask(
        made,
        title=_("Adjust points"),
        will=will,
        button=button,
        back=address(made, "adjust", view.ref),
        danger=wanted.points < 0,
        note=wanted.reason,
        fields=("currency", "points", "way", "code", "reason"),
    )


# --- between two members ----------------------------------------------------------------------------------


def _other(made: StaffVisit, view: MemberView) -> MemberView:
    """The other member, by reference or identity; who was merged, by who took over."""
    given = text(made, "other", members.LONGEST)
    found = found_by(made, given) if given else {}
    if len(found) != 1:
        raise NotSaid(_("Nobody, or more than one, has this. Write the other member's reference."))
    other = members.read(made.connection, made.program_id, next(iter(found)))
    made.connection.rollback()
    if other is None or other.status == "erased":
        raise NotSaid(_("Nobody, or more than one, has this. Write the other member's reference."))
    return other


@require_http_methods(["GET", "POST"])
@_of_member("points:write")
def transfer(made: StaffVisit, view: MemberView) -> HttpResponse:
    """Moves points to another member, with their expiry."""
    movable = [item for item in made.program.point_currencies if item.transferable]
    content = {"currencies": [(item.key, made.words.noun(item.key, False)) for item in movable]}
    if made.request.method == "GET":
        return _page(made, view, "transfer", content)
    try:
        why = reason(made)
        other = _other(made, view)
        currency = made.request.POST.get("currency", "")[:64]
        amount = _points_typed(made, currency)
        points = operations.points_minor(made.runtime, currency, amount)
        name = f"transfer:{once(made)}"

        def act() -> tuple[int, int]:
            result = operations.transfer(
                made.connection, made.runtime, sender_id=view.member_id, receiver_id=other.member_id,
                currency=currency, points=points, source=SOURCE, id=name, now=made.now,
            )  # fmt: skip
            applied(result)
            if result.status == "applied":
                write_log(
                    made.connection, made.person.actor, made.person.role, "points.transfer",
                    f"{view.ref} to {other.ref}", at=made.now, reason=why,
                )  # fmt: skip
            return (
                _spendable(made, view.member_id).get(currency, 0),
                _spendable(made, other.member_id).get(currency, 0),
            )

        if not sure(made):
            mine = _spendable(made, view.member_id).get(currency, 0)
            theirs = _spendable(made, other.member_id).get(currency, 0)
            made.connection.rollback()
            mine_after, theirs_after = rehearsed(made, act)
            return ask(
                made,
                title=_("Transfer points"),
                will=[
                    _("%(ref)s: %(change)s.")
                    % {"ref": view.ref, "change": _change(made, mine, mine_after, currency)},
                    _("%(ref)s: %(change)s.")
                    % {"ref": other.ref, "change": _change(made, theirs, theirs_after, currency)},
                    _("The points keep the day on which they expire."),
                ],
                button=_("Transfer %(points)s") % {"points": made.words.points(points, currency)},
                back=address(made, "transfer", view.ref),
                note=why,
                fields=("other", "currency", "points", "reason"),
            )
        done(made, act)
    except (NotSaid, *REFUSED) as refused:
        return _page(made, view, "transfer", {**content, "error": why_not(refused)}, 422)
    made.say(_("Transferred: %(points)s.") % {"points": made.words.points(points, currency)})
    return made.go("people:member", view.ref)


# --- standing ---------------------------------------------------------------------------------------------


@require_POST
@_of_member("members:write")
def freeze(made: StaffVisit, view: MemberView) -> HttpResponse:
    """Freezes a member, or unfreezes him. The ledger does not change. Sent twice, it is done once."""
    wanted = made.request.POST.get("to", "")
    frozen = wanted == "frozen" if wanted in ("frozen", "active") else view.status == "active"
    if view.status == ("frozen" if frozen else "active"):
        made.say(_("The member is frozen already.") if frozen else _("The member is active already."), "warn")
        return made.go("people:member", view.ref)
    if not sure(made):
        held = [
            made.words.points(minor, key)
            for key, minor in _spendable(made, view.member_id).items()
            if minor and frozen
        ]
        will = (
            [
                _("%(ref)s goes on earning and can spend nothing, until somebody unfreezes the member.")
                % {"ref": view.ref},
                _("Cannot be spent meanwhile: %(points)s.") % {"points": ", ".join(held) or _("nothing")},
                _("No point moves. What expires goes on expiring."),
            ]
            if frozen
            else [_("%(ref)s can spend again. No point moves.") % {"ref": view.ref}]
        )
        return ask(
            made,
            title=_("Freeze the member") if frozen else _("Unfreeze the member"),
            will=will,
            button=_("Freeze") if frozen else _("Unfreeze"),
            back=address(made, "member", view.ref),
            danger=frozen,
            note=text(made, "reason"),
            fields=("reason",),
            more={"to": "frozen" if frozen else "active"},
        )
    try:
        why = reason(made)
        done(
            made,
            lambda: freezing.set_frozen(
                made.connection,
                made.runtime,
                view.member_id,
                frozen,
                reason=why,
                by=made.person,
                now=made.now,
            ),
        )
    except (NotSaid, *REFUSED) as refused:
        made.say(why_not(refused), "bad")
        return made.go("people:member", view.ref)
    made.say(_("The member is frozen.") if frozen else _("The member is active again."))
    return made.go("people:member", view.ref)


@require_POST
@_of_member("members:write")
def end_sessions(made: StaffVisit, view: MemberView) -> HttpResponse:
    """Ends the member's sessions on all devices: a phone that was lost, or a stranger in the account."""
    open_ones = sessions.listed(made.connection, made.program_id, view.member_id, now=made.now)
    made.connection.rollback()
    if not sure(made):
        return ask(
            made,
            title=_("End all sessions"),
            will=[
                ngettext(
                    "The member is signed out on %(count)d device and signs in anew.",
                    "The member is signed out on %(count)d devices and signs in anew.",
                    len(open_ones),
                )
                % {"count": len(open_ones)}
            ],
            button=_("End all sessions"),
            back=address(made, "member", view.ref),
        )

    def act() -> int:
        ended = sessions.end(made.connection, made.program_id, view.member_id, now=made.now)
        write_log(
            made.connection, made.person.actor, made.person.role, "member.end_sessions", view.ref, at=made.now
        )
        return ended

    done(made, act)
    made.say(_("The member is signed out everywhere."))
    return made.go("people:member", view.ref)


@require_http_methods(["GET", "POST"])
@_of_member("members:write")
def erase(made: StaffVisit, view: MemberView) -> HttpResponse:
    """Forgets a member who asks for it: rehearsed, said in figures, asked once, and for ever."""
    open_one = erasure.request_of(made.connection, made.program_id, view.member_id)
    content = {"due": made.words.day(open_one.due_at) if open_one is not None else ""}
    if made.request.method == "GET":
        return _page(made, view, "erase", content)
    try:
        why = reason(made)

        def act() -> erasure.Settled:
            return erasure.carry_out(
                made.connection,
                made.runtime,
                view.member_id,
                via="console",
                by=made.person,
                reason=why,
                now=made.now,
            )

        if not sure(made):
            made.connection.rollback()
            found = rehearsed(made, act)
            lapsed = [made.words.points(minor, key) for key, minor in found.lapsed.items() if minor]
            return ask(
                made,
                title=_("Erase the member"),
                will=[
                    _("%(ref)s is forgotten for ever; nobody can undo it.") % {"ref": view.ref},
                    _("Points that lapse: %(points)s.") % {"points": ", ".join(lapsed) or _("nothing")},
                    _("Cards and addresses that are forgotten: %(count)d; sessions that end: %(sessions)d.")
                    % {"count": found.identities, "sessions": found.sessions},
                    _("Orders that are let go: %(count)d.") % {"count": found.orders},
                    _("Amounts and days stay in the books, under a reference that finds nobody."),
                ],
                button=_("Erase for ever"),
                back=address(made, "member", view.ref),
                danger=True,
                note=why,
                fields=("reason",),
            )
        done(made, act)
    except erasure.NotErased as waits:
        said = {
            erasure.Waits.NOT_ACTIVE: _("The member is frozen or merged. Look into why, and unfreeze first."),
            erasure.Waits.ORDERS: _("Orders are on their way. Let them arrive, or take them back first."),
            erasure.Waits.PAYOUTS: _("Money is on its way to the bank. Wait until it has arrived."),
        }[waits.code]
        return _page(made, view, "erase", {**content, "error": said}, 422)
    except (NotSaid, *REFUSED) as refused:
        return _page(made, view, "erase", {**content, "error": why_not(refused)}, 422)
    made.say(_("The member is erased. The receipt is kept outside the database."))
    return made.go("people:members")


# --- members that are one ---------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@_of_member("members:merge")
def merge(made: StaffVisit, view: MemberView) -> HttpResponse:
    """Merges a duplicate into this member, with all it has. It can be undone for a while."""
    content = {"days": merging.UNDONE_WITHIN_DAYS}
    if made.request.method == "GET":
        return _page(made, view, "merge", content)
    try:
        why = reason(made)
        other = _other(made, view)
        name = f"merge:{once(made)}"

        def act() -> tuple[merging.Merged, dict[str, int], str]:
            found = merging.merge(
                made.connection, made.runtime, from_id=other.member_id, into_id=view.member_id, reason=why,
                actor=made.person.actor, role=made.person.role, source=SOURCE, id=name, now=made.now,
            )  # fmt: skip
            return found, _spendable(made, view.member_id), _tier(made, view.member_id)

        if not sure(made):
            mine, theirs = _spendable(made, view.member_id), _spendable(made, other.member_id)
            tiers = [_tier(made, member_id) for member_id in (view.member_id, other.member_id)]
            count = len(members.identities(made.connection, made.program_id, other.member_id))
            waiting = cases.not_closed(made.connection, made.program_id, other.member_id)
            made.connection.rollback()
            _merged, after, tier = rehearsed(made, act)
            will = [
                _("%(other)s is merged into %(ref)s and is no member of its own any more.")
                % {"other": other.ref, "ref": view.ref}
            ]
            will += [
                f"{made.words.points(mine.get(key, 0), key)} + {made.words.points(theirs.get(key, 0), key)}"
                f" = {made.words.points(after.get(key, 0), key)}"
                for key in after
                if after[key] or mine.get(key) or theirs.get(key)
            ]
            if made.program.tiers is not None:
                will.append(
                    _("Tier: %(mine)s and %(theirs)s become %(after)s.")
                    % {"mine": tiers[0], "theirs": tiers[1], "after": tier}
                )
            will.append(_("Cards and addresses that move: %(count)d.") % {"count": count})
            if waiting:
                will.append(
                    ngettext(
                        "%(count)d case that waits is shown with %(ref)s.",
                        "%(count)d cases that wait are shown with %(ref)s.",
                        waiting,
                    )
                    % {"count": waiting, "ref": view.ref}
                )
            will.append(
                _("It can be undone for %(days)d days, while nothing is done to what moved.")
                % {"days": merging.UNDONE_WITHIN_DAYS}
            )
            return ask(
                made,
                title=_("Merge two members"),
                will=will,
                button=_("Merge them"),
                back=address(made, "merge", view.ref),
                danger=True,
                note=why,
                fields=("other", "reason"),
            )
        done(made, act)
    except (NotSaid, *REFUSED) as refused:
        return _page(made, view, "merge", {**content, "error": why_not(refused)}, 422)
    made.say(_("Merged. It can be undone for %(days)d days.") % {"days": merging.UNDONE_WITHIN_DAYS})
    return made.go("people:member", view.ref)


def _tier(made: StaffVisit, member_id: int) -> str:
    standing = queries.standing(made.connection, made.runtime, member_id, now=made.now)
    return made.words.tier(standing.tier) if standing is not None else ""


@require_POST
@_of_member("members:merge")
def unmerge(made: StaffVisit, view: MemberView) -> HttpResponse:
    """Undoes the merge of this member: both stand as if it had never been."""
    try:
        why = reason(made)
        name = f"unmerge:{once(made)}"

        def act() -> tuple[merging.Merged, dict[str, int], dict[str, int]]:
            found = merging.unmerge(
                made.connection, made.runtime, from_id=view.member_id, reason=why, actor=made.person.actor,
                role=made.person.role, source=SOURCE, id=name, now=made.now,
            )  # fmt: skip
            return found, _spendable(made, view.member_id), _spendable(made, found.into_id)

        if not sure(made):
            found, mine, theirs = rehearsed(made, act)
            stays = refs.encode(found.into_id)
            before = _spendable(made, found.into_id)
            will = [
                _("%(ref)s is a member of its own again, beside %(other)s.")
                % {"ref": view.ref, "other": stays}
            ]
            will += [
                f"{stays}: {_change(made, before.get(key, 0), theirs.get(key, 0), key)} · "
                f"{view.ref}: {made.words.points(mine.get(key, 0), key)}"
                for key in before
                if before[key] or mine.get(key) or theirs.get(key)
            ]
            will.append(_("What came in since stays with %(other)s.") % {"other": stays})
            return ask(
                made,
                title=_("Undo the merge"),
                will=will,
                button=_("Undo the merge"),
                back=address(made, "member", view.ref),
                danger=True,
                note=why,
                fields=("reason",),
            )
        done(made, act)
    except (NotSaid, *REFUSED) as refused:
        made.say(why_not(refused), "bad")
        return made.go("people:member", view.ref)
    made.say(_("The merge is undone."))
    return made.go("people:member", view.ref)


@require_http_methods(["GET", "POST"])
@_of_member("members:merge")
def persons(made: StaffVisit, view: MemberView) -> HttpResponse:
    """A household: a person's card or address is added, or leaves with a member of its own."""
    if made.request.method == "GET":
        return _page(made, view, "persons", {})
    leaving = made.request.POST.get("way") == "leave"
    try:
        why = reason(made)
        kind = made.request.POST.get("kind", "")
        value = text(made, "value", members.LONGEST)
        members.normalized(kind, value)
        identities = {kind: value}
        name = f"person:{once(made)}"
        actor, role = made.person.actor, made.person.role

        def act() -> merging.Household | int:
            if leaving:
                return merging.let_leave(
                    made.connection, made.runtime, member_id=view.member_id, identities=identities, reason=why,
                    actor=actor, role=role, now=made.now,
                )  # fmt: skip
            return merging.add_person(
                made.connection, made.runtime, member_id=view.member_id, identities=identities, reason=why,
                actor=actor, role=role, source=SOURCE, id=name, now=made.now,
            )  # fmt: skip

        if not sure(made):
            return _ask_person(made, view, rehearsed(made, act), leaving=leaving)
        done(made, act)
    except (NotSaid, *REFUSED) as refused:
        return _page(made, view, "persons", {"error": why_not(refused)}, 422)
    made.say(_("The person has left the household.") if leaving else _("The person is in the household."))
    return made.go("people:member", view.ref)


def _ask_person(
    made: StaffVisit, view: MemberView, found: merging.Household | int, *, leaving: bool
) -> HttpResponse:
    if isinstance(found, int):
        will = [
            _("The person becomes a member of its own, with no points."),
            _("Points, tier and history stay with the household %(ref)s.") % {"ref": view.ref},
        ]
    elif found.merged:
        will = [
            _("%(other)s, whom this finds now, is merged into the household %(ref)s with all it has.")
            % {"other": ", ".join(refs.encode(member_id) for member_id in found.merged), "ref": view.ref},
            _("The merge can be undone for %(days)d days.") % {"days": merging.UNDONE_WITHIN_DAYS},
        ]
    else:
        will = [_("From now on this finds the household %(ref)s. No point moves.") % {"ref": view.ref}]
    return ask(
        made,
        title=_("Let a person leave") if leaving else _("Add a person"),
        will=will,
        button=_("Let leave") if leaving else _("Add"),
        back=address(made, "persons", view.ref),
        danger=leaving or (not isinstance(found, int) and bool(found.merged)),
        note=text(made, "reason"),
        fields=("way", "kind", "value", "reason"),
    )
