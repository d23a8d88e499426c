"""The first set-up: from an empty installation to a published program and a first member.

Where one stands follows from what is there already (an account, a program, a member, an activity), so whoever stops
goes on where he was, on any device. Only an owner of all programs is led through it.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from palier.activities import batch, queries, wire
from palier.activities.enrolment import enrol
from palier.activities.operations import NotDone
from palier.activities.previews import yearly
from palier.activities.runtime import Runtime, runtime
from palier.engine.amounts import AmountError, from_minor, ratio, to_minor
from palier.engine.clock import moment
from palier.engine.currencies import exponent
from palier.engine.describe import describe
from palier.engine.plan import Plan
from palier.engine.program import Program, Text
from palier.engine.refusals import Refusal, RefusalCode
from palier.engine.words import ProgramWords
from palier.members import queries as members
from palier.members import refs
from palier.members.operations import NewMember
from palier.members.queries import IdentityError
from palier.programs import files
from palier.programs import gallery as programs
from palier.programs.operations import publish
from palier.programs.queries import list_programs
from palier.rewards import files as reward_files
from palier.rewards import operations as rewards
from palier.site import clock
from palier.site.refusal import Refused
from palier.staff import accounts, admission, signing_in
from palier.staff.operations import write_log
from palier.staff.session import AnyConnection, session
from palier.staff.signing_in import NotSignedIn
from palier.staff.throttle import Throttled
from palier.web.console import views
from palier.web.console.visits import NEXT, StaffVisit, of_staff, to_the_door
from palier.web.numbers import typed
from palier.web.portal.visits import language_of, visit
from palier.web.portal.visits import sign_in as sign_in_member
from palier.web.refusals import part, told
from palier.web.ui.stair import Landing, stair

RIGHT: Final = "programs:write"
Step = Literal["owner", "program", "member", "activity", "done"]
STEPS: Final[tuple[Step, ...]] = ("owner", "program", "member", "activity", "done")
FIRST: Final = "first_member"
"""Where a session keeps the member that was enrolled here: (program, reference)."""
SIMPLEST: Final = ("simple_points", "stamp_card", "cafe_stars", "cashback", "three_tiers")
"""What is shown first in the gallery: what most begin with."""
LONGEST_NAME: Final = 60


def _names() -> dict[Step, str]:
    return {
        "owner": _("You"),
        "program": _("Rules"),
        "member": _("Member"),
        "activity": _("Points"),
        "done": _("Open"),
    }


def _stair(step: Step) -> SafeString:
    """How far the set-up is, as the stair."""
    names = _names()
    at = STEPS.index(step)
    landings = [
        Landing(names[key], "reached" if index < at else "present" if index == at else "ahead")
        for index, key in enumerate(STEPS)
    ]
    left = len(STEPS) - 1 - at
    described = ngettext("%(count)d step to go.", "%(count)d steps to go.", left) % {"count": left}
    return mark_safe(stair(landings, described))  # noqa: S308 - drawn here; names are escaped there


def _first_program(connection: AnyConnection) -> Runtime | None:
    """The program that was published first; None where there is none."""
    found = list_programs(connection)
    return runtime(connection, found[0].key) if found else None


def _stands(made: StaffVisit) -> tuple[Step, Runtime | None]:
    found = _first_program(made.connection)
    if found is None:
        return "program", None
    if not members.any_member(made.connection, found.program_id):
        return "member", found
    if not queries.any_activity(made.connection, found.program_id):
        return "activity", found
    return "done", found


def _page(
    made: StaffVisit, template: str, step: Step, content: dict[str, Any], status: int = 200
) -> HttpResponse:
    return made.page(
        f"console/desk/{template}.html", {"stair": _stair(step), "step": step, **content}, status
    )


# --- the owner --------------------------------------------------------------------------------------------


@require_GET
def begin(request: HttpRequest) -> HttpResponseBase:
    """On to the step at which the set-up stands."""
    with session() as connection:
        if accounts.is_empty(connection):
            return HttpResponseRedirect(reverse("console:set-up-first"))
    return _on(request)


@require_GET
@of_staff(RIGHT, program=False)
def _on(made: StaffVisit) -> HttpResponse:
    step, _found = _stands(made)
    names = {
        "program": "set-up-gallery",
        "member": "set-up-member",
        "activity": "set-up-activity",
        "done": "set-up-done",
    }
    return HttpResponseRedirect(reverse(f"console:{names[step]}"))


@require_http_methods(["GET", "POST"])
def first(request: HttpRequest) -> HttpResponse:
    """The first account, for whoever has the code that the server prints; then its second factor."""
    with session() as connection:
        if not accounts.is_empty(connection):
            return to_the_door(request)
        form = request.POST
        content: dict[str, Any] = {
            "stair": _stair("owner"),
            "email": form.get("email", "")[:254],
            "name": form.get("name", "")[: admission.LONGEST_NAME],
            "shortest": signing_in.SHORTEST_PASSWORD,
        }
        if request.method == "GET":
            return views.bare_page(request, "console/desk/first.html", content)
        connection.rollback()
        address = str(request.META.get("REMOTE_ADDR", ""))
        now = clock.now()
        status = 422
        try:
            account = admission.make_first(
                connection,
                code=form.get("code", "")[:40],
                email=content["email"],
                name=content["name"],
                password=form.get("password", ""),
                language="fr" if language_of(request) == "fr" else "en",
                address=address,
                now=now,
            )
        except NotSignedIn:
            content["error"] = _(
                "This code is not the one that the server prints. Nothing was made; try again."
            )
        except Throttled as throttled:
            content["error"] = views.too_often(throttled)
            status = 429
        except Refused as refused:
            connection.rollback()
            content["error"] = told(refused)
        else:
            session_id = signing_in.open_session(
                connection, account, face="console", address=address,
                agent=request.headers.get("User-Agent", ""), now=now,
            )  # fmt: skip
            connection.commit()
            views.begin(request, account, session_id)
            request.session[NEXT] = reverse("console:set-up")
            return HttpResponseRedirect(reverse("console:second"))
        return views.bare_page(request, "console/desk/first.html", content, status)


# --- the program ------------------------------------------------------------------------------------------


@require_GET
@of_staff(RIGHT, program=False)
def gallery(made: StaffVisit) -> HttpResponse:
    """The programs to begin with, each with what it is; the simplest first."""
    entries = sorted(
        programs.entries(),
        key=lambda entry: (SIMPLEST.index(entry.key) if entry.key in SIMPLEST else len(SIMPLEST), entry.key),
    )
    shown = []
    for entry in entries:
        program = entry.program()
        words = ProgramWords(program, made.language)
        shown.append(
            {
                "key": entry.key,
                "name": words.text(program.name),
                "text": words.text(program.description) if program.description is not None else "",
                "kinds": _kinds(program),
                "simple": entry.key in SIMPLEST,
            }
        )
    return _page(made, "gallery", "program", {"programs": shown, "there": _stands(made)[1]})


def _kinds(program: Program) -> list[str]:
    """What it plays with, in a word each."""
    parts = [
        (program.tiers, _("tiers")),
        (program.goals, _("goals")),
        (program.streaks, _("streaks")),
        (program.games, _("games")),
        (program.memberships, _("membership")),
        (program.partners, _("partners")),
        (program.referral, _("referral")),
    ]
    return [name for part, name in parts if part]


def _entry(key: str) -> programs.Entry:
    found = programs.find(key)
    if found is None:
        raise Http404
    return found


@require_http_methods(["GET", "POST"])
@of_staff(RIGHT, program=False)
def chosen(made: StaffVisit, key: str) -> HttpResponse:
    """One program of the gallery: in plain words, what a year of it brings a customer, its name; published here."""
    entry = _entry(key)
    program = entry.program()
    form = made.request.POST
    given = made.request.GET
    words = ProgramWords(program, made.language)
    content: dict[str, Any] = {
        "key": key,
        "name": words.text(program.name),
        "plain": describe(program, made.language),
        "simulated": _simulated(program, words, given.get("amount", "25"), given.get("times", "4"), made.now),
        "wanted_en": form.get("name_en", program.name.en or "")[:LONGEST_NAME],
        "wanted_fr": form.get("name_fr", program.name.fr or "")[:LONGEST_NAME],
        "wanted_key": form.get("key", key)[:48],
        "has_rewards": entry.rewards is not None,
    }
    if made.request.method == "GET":
        return _page(made, "chosen", "program", content)
    made.connection.rollback()
    content["error"] = _published(made, entry, content, with_rewards=form.get("rewards") == "yes")
    if content["error"]:
        made.connection.rollback()
        return _page(made, "chosen", "program", content, 422)
    return HttpResponseRedirect(reverse("console:set-up-member"))


def _published(
    made: StaffVisit, entry: programs.Entry, content: dict[str, Any], *, with_rewards: bool
) -> str:
    """Publishes the program under its new name and key, with its rewards; why not, where it cannot be."""
    names = {"en": content["wanted_en"].strip(), "fr": content["wanted_fr"].strip()}
    document = entry.program()
    if not all(names[language] for language in document.languages):
        return _("Write the name in both languages; members read it.")
    text = programs.with_key(entry.document.read_text(encoding="utf-8"), content["wanted_key"])
    read = files.read(text.encode())
    if read.program is None:
        return _("The key is lower-case letters, digits and _, and begins with a letter.")
    if any(one.key == content["wanted_key"] for one in list_programs(made.connection)):
        return _("There is a program with this key already. Take another.")
    program = msgspec.structs.replace(read.program, name=Text(**names))
    try:
        publish(made.connection, program, now=made.now, published_by=made.account.actor)
    except Refused as refused:
        return told(refused)
    write_log(
        made.connection, made.account.actor, "staff", "program.publish", f"program:{program.key}", at=made.now,
        reason=f"begun from {entry.key}",
    )  # fmt: skip
    made.connection.commit()
    if with_rewards and entry.rewards is not None:
        found = runtime(made.connection, program.key)
        assert found is not None
        read_rewards = reward_files.read(entry.rewards, program)
        made.connection.rollback()
        if not read_rewards.errors:
            rewards.write(
                made.connection, found, read_rewards.rewards, by=made.account.actor,
                reason=f"begun from {entry.key}", now=made.now,
            )  # fmt: skip
            made.connection.commit()
    return ""


_MOST_AMOUNT: Final = 10**9
_MOST_TIMES: Final = 30
"""What a purchase of a simulation comes to at most, in minor units, and how often a month there is one."""


def _simulated(program: Program, words: ProgramWords, amount: str, times: str, now: int) -> dict[str, Any]:
    """A customer who buys for so much so many times a month: what a year brings, decided by the engine."""
    plan = Plan(program, 1)
    asked = {"amount": amount[:20], "times": times[:2]}
    try:
        minor = to_minor(typed(amount, plan.exponent), plan.exponent)
    except AmountError:
        minor = 0
    count = int(times) if times.isascii() and times.isdigit() and len(times) < 9 else 0
    count = count if count <= _MOST_TIMES else 0
    error = ""
    if not 0 < minor <= _MOST_AMOUNT:
        error = _("Write what a purchase comes to: more than nothing, and %(most)s at most.")
        error %= {"most": words.money(_MOST_AMOUNT)}
    elif not count:
        error = _("Write how often a month: from 1 to %(most)s times.") % {"most": _MOST_TIMES}
    if error:
        return {"asked": asked, "error": error}
    year = yearly(program, minor, count, now=now)
    lines = [
        (words.points(points, key), _worth(words, points, key))
        for key, points in year.points.items()
        if points
    ]
    return {
        "asked": asked,
        "spent": words.money(year.spent),
        "sales": year.sales,
        "lines": lines,
        "tier": words.tier(year.tier) if year.tier and program.tiers is not None else "",
    }


def _worth(words: ProgramWords, points: int, currency: str) -> str:
    """What points are worth in money, where the program gives them a value; rounded down."""
    declared = words.units[currency]
    if declared.value is None:
        return ""
    top, bottom = ratio(declared.value)
    return words.money(points * top * 10 ** exponent(words.program.currency) // (bottom * 10**declared.scale))


# --- the first member and his first points ----------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@of_staff(RIGHT, program=False)
def member(made: StaffVisit) -> HttpResponse:
    """The first member: an address is enough, and one's own is the best to try with."""
    step, found = _stands(made)
    if found is None:
        return HttpResponseRedirect(reverse("console:set-up"))
    words = ProgramWords(found.latest.program, made.language)
    content: dict[str, Any] = {
        "program_title": words.text(found.latest.program.name),
        "email": made.request.POST.get("email", made.account.email)[:254],
        "error": "",
    }
    if made.request.method == "GET":
        return _page(made, "member", "member", content)
    made.connection.rollback()
    new = NewMember({"email": content["email"].strip()}, {}, made.language, None)
    try:
        members.normalized("email", content["email"].strip())
        joined = batch.attempt(
            made.connection, lambda: enrol(made.connection, found, new, None, now=made.now).enrolled
        )
    except IdentityError:
        content["error"] = _("Write an e-mail address, such as name@example.org.")
        return _page(made, "member", "member", content, 422)
    ref = refs.encode(joined.member_id)
    write_log(
        made.connection, made.account.actor, "staff", "member.enrol", f"member:{ref}", at=made.now,
        reason="first set-up",
    )  # fmt: skip
    made.connection.commit()
    made.request.session[FIRST] = [found.key, ref]
    del step
    return HttpResponseRedirect(reverse("console:set-up-activity"))


def _own_member(made: StaffVisit, found: Runtime) -> str:
    """The member that was enrolled in this session for this program; "" where there is none."""
    kept = made.request.session.get(FIRST)
    if isinstance(kept, list) and len(kept) == 2 and kept[0] == found.key:
        return str(kept[1])
    return ""


def _acts(program: Program) -> list[tuple[str, str, bool]]:
    """What a first activity may be: its type, its name, whether it has an amount. By what the rules look at."""
    wanted = dict.fromkeys(rule.on for rule in program.rules)
    known = {"sale": (_("Purchase"), True), "visit": (_("Visit"), False)}
    return [(kind, *known[kind]) for kind in wanted if kind in known] or [("sale", *known["sale"])]


@require_http_methods(["GET", "POST"])
@of_staff(RIGHT, program=False)
def activity(made: StaffVisit) -> HttpResponse:
    """The first activity, sent as a shop would send it."""
    step, found = _stands(made)
    if found is None or step != "activity":
        return HttpResponseRedirect(reverse("console:set-up"))
    words = ProgramWords(found.latest.program, made.language)
    ref = _own_member(made, found)
    if not ref:
        # Another browser goes on: who knows the member's address shows it once more.
        return HttpResponseRedirect(reverse("console:set-up-member"))
    acts = _acts(found.latest.program)
    kind = made.request.POST.get("kind", acts[0][0])
    content: dict[str, Any] = {
        "program_title": words.text(found.latest.program.name),
        "acts": [(key, name, key == kind) for key, name, _money in acts],
        "priced": any(money for _key, _name, money in acts),
        "money": found.latest.program.currency,
        "amount": made.request.POST.get("amount", "25")[:20],
        "error": "",
    }
    if made.request.method == "GET":
        return _page(made, "activity", "activity", content)
    made.connection.rollback()
    content["error"] = _sent(made, found, ref, kind, content["amount"], {key for key, _n, _m in acts})
    if content["error"]:
        return _page(made, "activity", "activity", content, 422)
    return HttpResponseRedirect(reverse("console:set-up-done"))


def _sent(made: StaffVisit, found: Runtime, ref: str, kind: str, amount: str, kinds: set[str]) -> str:
    """Sends the activity, which is one however often its form is sent; why it was not taken, where it was not."""
    row: dict[str, Any] = {
        "source": "set-up",
        "id": f"first-{ref}",
        "type": kind if kind in kinds else "sale",
        "occurred_at": moment(made.now).isoformat(),
        "member": ref,
    }
    if row["type"] == "sale":
        try:
            decimals = found.latest.exponent
            minor = to_minor(typed(amount, decimals), decimals)
            if minor <= 0:
                raise AmountError("nothing is bought")
            row["amount"] = from_minor(minor, decimals)
        except AmountError:
            return _("Write an amount, such as 25 or 24.90.")
    read = wire.from_mapping(row)
    if isinstance(read, Refusal):
        return told(read.whole)
    line = wire.to_fact(read, found.timeline, found.key, now=made.now)
    [result] = batch.apply(made.connection, found, [line], now=made.now)
    if result.refusal is not None and result.refusal.code is not RefusalCode.CONTENT_DIFFERS:
        return _("It was not taken: %(why)s.") % {"why": part(result.refusal.whole)}
    return ""


@require_GET
@of_staff(RIGHT, program=False)
def done(made: StaffVisit) -> HttpResponse:
    """What stands now, and where to go on."""
    step, found = _stands(made)
    if found is None or step != "done":
        return HttpResponseRedirect(reverse("console:set-up"))
    words = ProgramWords(found.latest.program, made.language)
    ref = _own_member(made, found)
    balances = []
    if ref:
        try:
            wallets = queries.wallets(made.connection, found, refs.decode(ref), now=made.now)
        except NotDone:
            wallets = None
        if wallets is not None:
            balances = [
                words.points(item.spendable + item.pending, key)
                for key, item in wallets.wallets.items()
                if item.spendable + item.pending
            ]
    return _page(
        made,
        "done",
        "done",
        {"program_title": words.text(found.latest.program.name), "first_key": found.key, "balances": balances,
         "known": bool(ref)},
    )  # fmt: skip


@require_POST
@of_staff(RIGHT, program=False)
def as_member(made: StaffVisit) -> HttpResponse:
    """To the portal, as the member who was enrolled here in this browser, and as nobody else."""
    found = _first_program(made.connection)
    ref = _own_member(made, found) if found is not None else ""
    if found is None or not ref:
        raise Http404
    made.connection.rollback()
    with visit(made.request, found.key) as there:
        sign_in_member(there, ref, "link")
    return HttpResponseRedirect(reverse("portal:home", args=[found.key]))
