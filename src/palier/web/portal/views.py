"""The pages of the portal: what each needs, and what its forms do."""

from __future__ import annotations

from typing import Any, Final

import segno
from django.core.exceptions import ValidationError
from django.core.signing import BadSignature, loads
from django.core.validators import validate_email
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.templatetags.static import static
from django.urls import reverse
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from palier.activities import batch, queries
from palier.activities.enrolment import enrol
from palier.activities.operations import NotDone
from palier.engine.describe import describe
from palier.engine.state import NEVER
from palier.members import card, refs, signing
from palier.members import operations as membership
from palier.members import queries as members
from palier.members.operations import NewMember
from palier.members.queries import IdentityError
from palier.site.environment import environment
from palier.staff.throttle import Throttled
from palier.web.portal import letters, telling
from palier.web.portal.visits import Visit, of_anyone, of_member, sign_in, sign_out
from palier.web.ui.colour import theme

LINES: Final = 20
"""Lines of history on a page."""
CONTACT: Final = "contact"
"""Where a session keeps the contact that a code was asked for, by program."""


# --- the door ---------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@of_anyone
def door(made: Visit) -> HttpResponse:
    """One field: whoever is a member signs in by it, whoever is not joins."""
    if made.member is not None:
        return made.go("home")
    request = made.request
    content: dict[str, Any] = {"page": describe(made.program, made.language), "referred_by": _referred(made)}
    if request.method == "GET":
        return made.page("portal/door.html", content)
    contact = request.POST.get("contact", "").strip()
    content["contact"] = contact
    try:
        if not contact:
            raise IdentityError("empty")
        members.normalized(signing.kind_of(contact), contact)
        if "@" in contact and not _is_address(contact):
            raise IdentityError("address")
        if not letters.can_send(contact) and not environment().demo:
            content["error"] = (
                _("No letters can be sent from here yet. Whoever runs this site sets up a mail server first.")
                if signing.kind_of(contact) == "email"
                else _("Codes go to e-mail addresses for now. Write yours.")
            )
            return made.page("portal/door.html", content, 422)
        code = signing.ask(made.connection, made.runtime.program_id, contact, _address(request), now=made.now)
        if letters.can_send(contact):
            letters.send_code(contact, code, made.words.text(made.program.name))
    except IdentityError:
        content["error"] = _("Write an e-mail address, such as name@example.org.")
        return made.page("portal/door.html", content, 422)
    except Throttled as throttled:
        minutes = max(1, round(throttled.wait_s / 60))
        content["error"] = _(
            "Too many codes were asked for. Use the last one, or try again in %(minutes)d minutes."
        ) % {"minutes": minutes}
        return made.page("portal/door.html", content, 429)
    except letters.NotSent:
        content["error"] = _("The letter could not be sent. Nothing was changed; try again in a moment.")
        return made.page("portal/door.html", content, 503)
    _keep(request, made.runtime.key, contact)
    if environment().demo and not letters.can_send(contact):
        request.session["demo_code"] = code
    return made.go("code")


@require_http_methods(["GET", "POST"])
@of_anyone
def enter(made: Visit) -> HttpResponse:
    """The code that was sent: right, it signs in, and enrols whoever was no member."""
    request = made.request
    contact = request.session.get(CONTACT, {}).get(made.runtime.key, "")
    if not contact:
        return made.go("door")
    content: dict[str, Any] = {
        "contact": signing.shown(contact),
        "minutes": 10,
        "demo_code": request.session.get("demo_code") if environment().demo else None,
    }
    if request.method == "GET":
        return made.page("portal/code.html", content)
    given = "".join(request.POST.get("code", "").split())
    proved = signing.prove(made.connection, made.runtime.program_id, contact, given, now=made.now)
    if not proved:
        content["error"] = _("This code is not right, or its ten minutes are over. Ask for a new one.")
        return made.page("portal/code.html", content, 422)
    joined = _join(made, contact, _referred(made))
    if joined is None:
        content["error"] = _("This account cannot be used here. Ask the shop.")
        return made.page("portal/code.html", content, 422)
    ref, created = joined
    request.session.pop("demo_code", None)
    sign_in(request, made.runtime.key, ref)
    if created:
        request.session["welcome"] = made.runtime.key
    return made.go("home")


def _join(made: Visit, contact: str, referred_by: str) -> tuple[str, bool] | None:
    """The member of a contact that was proved, enrolled now where there was none; None where that is refused."""
    new = NewMember({signing.kind_of(contact): contact}, {}, made.language, None)

    def act(code: str | None) -> tuple[str, bool] | None:
        found = enrol(made.connection, made.runtime, new, code, now=made.now).enrolled
        if found.problem:
            return None
        view = members.read(made.connection, made.runtime.program_id, found.member_id)
        if view is None or view.status == "erased":
            return None
        return refs.encode(found.member_id), found.created

    try:
        return batch.attempt(made.connection, lambda: act(referred_by or None))
    except NotDone:
        # A code that is wrong, or one's own, keeps nobody from joining.
        return batch.attempt(made.connection, lambda: act(None))


def _keep(request: HttpRequest, program: str, contact: str) -> None:
    held = request.session.get(CONTACT, {})
    request.session[CONTACT] = {**held, program: contact}


def _referred(made: Visit) -> str:
    """The referral code of a link (`?from=CODE`), kept for the session."""
    given = made.request.GET.get("from", "")[:40]
    if given:
        made.request.session["from"] = {made.runtime.key: given}
    kept = made.request.session.get("from", {})
    return str(kept.get(made.runtime.key, "")) if isinstance(kept, dict) else ""


def _is_address(contact: str) -> bool:
    try:
        validate_email(contact)
    except ValidationError:
        return False
    return True


def _address(request: HttpRequest) -> str:
    return str(request.META.get("REMOTE_ADDR", ""))


@require_POST
@of_anyone
def leave(made: Visit) -> HttpResponse:
    """Ends the session on this device."""
    sign_out(made.request)
    return made.go("door")


@require_GET
@of_anyone
def demonstrate(made: Visit) -> HttpResponse:
    """Signs in by a link that `palier demo` prints; there is no such page outside a demonstration."""
    if not environment().demo:
        raise Http404
    try:
        ref = loads(made.request.GET.get("as", ""), salt=f"demo {made.runtime.key}")
    except BadSignature:
        raise Http404 from None
    sign_in(made.request, made.runtime.key, str(ref))
    return made.go("home")


# --- the member's pages -----------------------------------------------------------------------------------


@require_GET
@of_member
def home(made: Visit) -> HttpResponse:
    """Where I stand, what I have, the next step, how far."""
    words, plan = made.words, made.runtime.latest
    wallets = queries.wallets(made.connection, made.runtime, made.member_id, now=made.now)
    standing = queries.standing(made.connection, made.runtime, made.member_id, now=made.now)
    assert wallets is not None
    assert standing is not None
    balances = [
        telling.balance(words, wallets, key)
        for key in telling.currencies_of(plan, "points", "cash")
        if key in wallets.wallets
    ]
    have = [
        (words.points(wallets.wallets[key].spendable, key), telling.balance(words, wallets, key).expiry)
        for key in telling.currencies_of(plan, "reward", "token")
        if key in wallets.wallets and wallets.wallets[key].spendable > 0
    ]
    goals = [
        telling.goal_way(words, goal, made.now)
        for goal in standing.pursuits.goals
        if goal.state in ("open", "planned") and goal.joining in ("none", "joined")
    ]
    first = next((item for item in balances if not item.empty), balances[0] if balances else None)
    return made.page(
        "portal/home.html",
        {
            "here": "home",
            "balance": first,
            "others": [item for item in balances if item is not first and not item.empty],
            "have": have,
            "tier": telling.tier_way(plan, words, standing),
            "goals": goals[:3],
            "streaks": [
                (words.text(item.name), telling.streak_words(words, item, made.now), item.state)
                for item in standing.pursuits.streaks
            ],
            "welcome": made.request.session.pop("welcome", None) == made.runtime.key,
            "first_name": _first_name(made),
        },
    )


def _first_name(made: Visit) -> str:
    assert made.member is not None
    for key in ("first_name", "given_name", "name"):
        value = made.member.attributes.get(key)
        if isinstance(value, str) and value.strip():
            return value.split()[0]
    return ""


@require_GET
@of_member
def history(made: Visit) -> HttpResponse:
    """Every movement, a line each; a line opens to its arithmetic."""
    after = made.request.GET.get("after", "")
    before = int(after) if after.isascii() and after.isdigit() and len(after) < 19 else None
    stories, following = telling.told_lines(made, before, LINES)
    words = made.words
    lines = []
    for story in stories:
        steps = story.steps(made.language)
        moved: dict[str, int] = {}
        for step in steps:
            if step.currency:
                moved[step.currency] = moved.get(step.currency, 0) + step.points
        lines.append(
            {
                "day": words.day(story.line.acts_at),
                "heading": telling.heading(words, story),
                "sentence": story.sentence(made.language),
                "moved": [
                    {"text": ("+" if minor > 0 else "") + words.points(minor, key), "plus": minor > 0}
                    for key, minor in moved.items()
                    if minor
                ],
                "steps": steps,
                "why_not": story.why_not(made.language),
                "id": story.line.activity_id,
            }
        )
    return made.page(
        "portal/history.html",
        {
            "here": "history",
            "lines": lines,
            "next": following,
            "later": before is not None,
        },
    )


@require_GET
@of_member
def pursuits(made: Visit) -> HttpResponse:
    """Goals, stamp cards, streaks, badges, games with their odds."""
    words = made.words
    standing = queries.standing(made.connection, made.runtime, made.member_id, now=made.now)
    assert standing is not None
    found = standing.pursuits
    return made.page(
        "portal/pursuits.html",
        {
            "here": "home",
            "tier": telling.tier_way(made.runtime.latest, words, standing),
            "goals": [
                telling.goal_way(words, goal, made.now) for goal in found.goals if goal.state != "ended"
            ],
            "streaks": [
                {
                    "name": words.text(item.name),
                    "sentence": telling.streak_words(words, item, made.now),
                    "length": item.length,
                    "risk": item.state == "at_risk",
                    "tokens": item.tokens,
                }
                for item in found.streaks
            ],
            "badges": [
                {
                    "name": telling.name_of(item.name, words),
                    "count": item.count,
                    "day": words.day(item.earned_at),
                }
                for item in found.badges
            ],
            "games": [
                {
                    "name": words.text(game.name),
                    "price": words.points(game.price[1], game.price[0]) if game.price else "",
                    "left": game.plays_left,
                    "until": words.day(game.ends_at - 1) if game.ends_at < NEVER else "",
                    "prizes": [
                        {
                            "name": words.text(prize.name) or telling.given_words(words, prize.given),
                            "chance": words.decimal(
                                _percent(prize.chance.numerator, prize.chance.denominator)
                            ),
                        }
                        for prize in game.prizes
                    ],
                }
                for game in found.games
            ],
        },
    )


def _percent(top: int, bottom: int) -> str:
    """A chance in percent with two decimals, rounded down: nothing is promised above what it is."""
    hundredths = 10_000 * top // bottom
    return f"{hundredths // 100}.{hundredths % 100:02d}"


@require_GET
@of_member
def membership_card(made: Visit) -> HttpResponse:
    """The card to show at the till; it renews itself. `?for=use`: a code by which points may be used, once."""
    purpose: card.Purpose = "use" if made.request.GET.get("for") == "use" else "earn"
    return made.page("portal/card.html", {"here": "card", "using": purpose == "use", **_card(made, purpose)})


def _card(made: Visit, purpose: card.Purpose) -> dict[str, Any]:
    text = card.code(made.runtime.key, made.member_id, made.now, purpose)
    drawing = segno.make_qr(text, error="m").svg_inline(scale=8, border=2, omitsize=True)
    seconds = (card.LASTS - made.now % card.LASTS) // 1_000_000 + 1
    return {"qr": mark_safe(drawing), "ref": made.member.ref if made.member else "", "seconds": seconds}  # noqa: S308


@require_GET
@of_anyone
def program_page(made: Visit) -> HttpResponse:
    """The program in plain words, with the version they belong to."""
    return made.page("portal/program.html", {"here": "me", "page": describe(made.program, made.language)})


@require_http_methods(["GET", "POST"])
@of_member
def me(made: Visit) -> HttpResponse:
    """Preferences, rankings, one's data, and the way out."""
    assert made.member is not None
    if made.request.method == "POST":
        ranked = made.request.POST.get("ranked") == "yes"

        def act() -> None:
            membership.set_ranked(
                made.connection, made.runtime.program_id, made.member_id, ranked, now=made.now
            )

        batch.attempt(made.connection, act)
        made.request.session["said"] = _("Saved.")
        return made.go("me")
    return made.page(
        "portal/me.html",
        {
            "here": "me",
            "since": made.words.day(made.member.enrolled_at),
            "rankings": bool(made.program.leaderboards),
            "said": made.request.session.pop("said", None),
        },
    )


@require_GET
@of_member
def export(made: Visit) -> HttpResponse:
    """All that is known of the member, as JSON to take along."""
    assert made.member is not None
    lines: list[dict[str, Any]] = []
    before: int | None = None
    while True:
        stories, before = telling.told_lines(made, before, 500)
        lines += [
            {
                "at": story.line.acts_at // 1_000_000,
                "type": story.line.type,
                "id": story.line.id,
                "said": story.sentence(made.language),
                "steps": [step.text for step in story.steps(made.language)],
            }
            for story in stories
        ]
        if before is None:
            break
    wallets = queries.wallets(made.connection, made.runtime, made.member_id, now=made.now)
    words = made.words
    content = {
        "program": made.runtime.key,
        "member": made.member.ref,
        "status": made.member.status,
        "enrolled_at": made.member.enrolled_at // 1_000_000,
        "language": made.member.locale,
        "attributes": dict(made.member.attributes),
        "wallets": {key: words.points(item.posted, key) for key, item in wallets.wallets.items()}
        if wallets
        else {},
        "history": lines,
        "note": _(
            "Times are seconds since 1970-01-01 UTC. Cards, addresses and phones are kept as hashes only."
        ),
    }
    response = JsonResponse(content, json_dumps_params={"ensure_ascii": False, "indent": 1})
    response["Content-Disposition"] = f'attachment; filename="{made.runtime.key}-{made.member.ref}.json"'
    response["Cache-Control"] = "private, no-store"
    return response


# --- what belongs to no member ----------------------------------------------------------------------------


@require_GET
@of_anyone
def brand(made: Visit) -> HttpResponse:
    """The style sheet with the program's accent, made readable on both grounds."""
    declared = made.program.brand
    text = theme(declared.accent) if declared is not None and declared.accent else ""
    response = HttpResponse(text, content_type="text/css; charset=utf-8")
    response["Cache-Control"] = "public, max-age=300"
    return response


@require_GET
@of_anyone
def manifest(made: Visit) -> HttpResponse:
    """What installs the portal on a phone."""
    name = made.words.text(made.program.name)
    home = reverse("portal:home", args=[made.runtime.key])
    content = {
        "name": name,
        "short_name": name[:12],
        "start_url": home,
        "scope": home,
        "display": "standalone",
        "lang": made.language,
        "background_color": "#fbfaf7",
        "theme_color": "#fbfaf7",
        "icons": [{"src": static("ui/app.svg"), "sizes": "any", "type": "image/svg+xml", "purpose": "any"}],
    }
    return JsonResponse(content, content_type="application/manifest+json")
