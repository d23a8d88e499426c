"""What the widget asks: one call for a page, from origins that the program names, without cookies.

The answer is data and texts; the script puts them into the page as text, never as markup.
"""

from __future__ import annotations

import secrets
import threading
import time
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from django.contrib.staticfiles import finders
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import translation
from django.utils.http import http_date
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST
from msgspec import Meta, Struct

from palier.activities import queries, wire
from palier.activities.previews import Preview, previews
from palier.engine.amounts import AmountError, from_minor, to_minor
from palier.engine.clock import MINUTE, moment
from palier.engine.program import Program
from palier.engine.refusals import Refusal
from palier.engine.words import ProgramWords
from palier.members import page_tokens, refs
from palier.members import queries as members
from palier.programs.branding import accent_of
from palier.site.environment import environment
from palier.web.portal import telling
from palier.web.portal.visits import Visit, of_anyone, visit
from palier.web.refusals import told
from palier.web.ui import pictures
from palier.web.ui.colour import BLACK, NIGHT, PAPER, WHITE, parse, readable_on, written
from palier.web.widget import rates

MOST_PRICES: Final = 60
"""Prices that one call may ask about."""
LONGEST_BODY: Final = 32 * 1024
KEPT_FOR_S: Final = 30.0
"""How long what nobody in particular is shown is kept: all visitors of one page of a shop are answered alike."""
_MOST_KEPT: Final = 500
_kept: dict[tuple[Any, ...], tuple[float, list[str]]] = {}
_lock = threading.Lock()

Short = Annotated[str, Meta(max_length=100)]


class Price(Struct, frozen=True, forbid_unknown_fields=True):
    """A price on the page; `amount` is what is paid for all `quantity` pieces, as a plain decimal."""

    amount: Annotated[str, Meta(max_length=30)]
    category: Short = ""
    sku: Short = ""
    quantity: Annotated[int, Meta(ge=1, le=1_000_000)] = 1


class Asked(Struct, frozen=True, forbid_unknown_fields=True):
    """What the script sends: the page's language, the member's page token, the prices that it shows."""

    language: Literal["en", "fr"] = "en"
    token: Annotated[str, Meta(max_length=200)] = ""
    prices: Annotated[list[Price], Meta(max_length=MOST_PRICES)] = []


_decode = msgspec.json.Decoder(Asked).decode
encode = msgspec.json.Encoder().encode


def origins(program: Program, request: HttpRequest) -> frozenset[str]:
    """The origins whose pages may show this program; in the demonstration also the installation's own."""
    named = program.widget.origins if program.widget is not None else []
    own = [f"{request.scheme}://{request.get_host()}"] if environment().demo else []
    return frozenset([*named, *own])


@require_GET
@of_anyone
def script(made: Visit) -> HttpResponse:
    """The one script. It is the same for every program: it finds its program in its own address."""
    if not origins(made.program, made.request):
        raise Http404
    found = finders.find("ui/widget.js")
    assert isinstance(found, str)
    file = Path(found)
    response = HttpResponse(file.read_bytes(), content_type="text/javascript; charset=utf-8")
    response["Cache-Control"] = "public, max-age=300"
    response["Last-Modified"] = http_date(file.stat().st_mtime)
    # Pages of other origins may load it, also those that isolate themselves or name its hash (integrity).
    response["Cross-Origin-Resource-Policy"] = "cross-origin"
    response["Access-Control-Allow-Origin"] = "*"
    return response


@csrf_exempt  # nothing is changed, and no cookie is looked at
@require_POST
def show(request: HttpRequest, program: str) -> HttpResponse:
    """What one page of a shop shows: texts, the member of its token, what its prices bring.

    Asked by a page whose origin the program does not name, it is refused, and the answer says nothing of the program.
    """
    origin = request.headers.get("Origin", "")
    wait_s = rates.wait(str(request.META.get("REMOTE_ADDR", "")))
    if wait_s:
        response = _answer({"problem": "Too many questions from this address; ask again later."}, 429)
        response["Retry-After"] = str(wait_s)
        # The script may read why, wherever it runs: the answer says nothing of any program.
        response["Access-Control-Allow-Origin"] = "*"
        return response
    with visit(request, program, snapshot=True) as made:
        if made.program.widget is None and not environment().demo:
            raise Http404
        if origin not in origins(made.program, request):
            return _answer({"problem": "This origin is not among the widget's origins of the program."}, 403)
        try:
            if len(request.body) > LONGEST_BODY:
                raise msgspec.ValidationError(f"more than {LONGEST_BODY} bytes")
            asked = _decode(request.body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            response = _answer({"problem": f"The widget's question is not understood: {error}."}, 422)
        else:
            with translation.override(asked.language):
                response = _answer(_shown(made, asked))
    response["Access-Control-Allow-Origin"] = origin
    return response


def _answer(content: dict[str, Any], status: int = 200) -> HttpResponse:
    response = HttpResponse(encode(content), status=status, content_type="application/json")
    response["Cache-Control"] = "private, no-store"
    response["Vary"] = "Origin"
    return response


def _shown(made: Visit, asked: Asked) -> dict[str, Any]:
    words = ProgramWords(made.program, asked.language)
    member_id, why = _member(made, asked.token)
    plan = made.runtime.latest
    name = words.text(made.program.name)
    declared = made.program.widget
    invitation = (declared.invitation if declared is not None else None) or made.program.description
    accent = parse(accent_of(made.program))
    found = queries.wallets(made.connection, made.runtime, member_id, now=made.now) if member_id else None
    member = None
    if member_id and found is not None:
        standing = queries.standing(made.connection, made.runtime, member_id, now=made.now)
        assert standing is not None
        currencies = telling.currencies_of(plan, "points", "cash") or list(plan.currencies)
        balances = [telling.balance(words, found, key) for key in currencies if key in found.wallets]
        shown = next((item for item in balances if not item.empty), balances[0])
        way = telling.tier_way(plan, words, standing)
        member = {
            "number": shown.number,
            "unit": shown.unit,
            "note": shown.expiry,
            "tier": way.title if way is not None else "",
            "next": way.sentence if way is not None else "",
        }
    logo = pictures.logo(made.connection, made.runtime, words)
    return {
        "program": name,
        "logo": None
        if logo is None
        else {
            "source": made.request.build_absolute_uri(logo.medium),
            "text": logo.alt,
            "width": logo.width,
            "height": logo.height,
        },
        "portal": made.request.build_absolute_uri(reverse("portal:home", args=[made.runtime.key])),
        "accent": {
            "light": written(readable_on(accent, PAPER, BLACK)),
            "dark": written(readable_on(accent, NIGHT, WHITE)),
        },
        "invitation": words.text(invitation) if invitation is not None else "",
        "words": {
            "join": _("Join"),
            "see": _("See my page"),
            "close": _("Close"),
            "title": _("Your %(program)s balance") % {"program": name},
        },
        "member": member,
        "token": why or ("accepted" if member is not None else "none"),
        "prices": _prices(made, words, asked, member_id if member is not None else None),
    }


def _member(made: Visit, token: str) -> tuple[int | None, str]:
    """The member of a token, or why there is none: whatever is not right is told alike, but for its end."""
    if not token:
        return None, ""
    generation = page_tokens.generation(made.connection, made.runtime.program_id)
    read = page_tokens.read(made.runtime.key, generation, token, made.now)
    if isinstance(read, str):
        return None, read
    for _step in range(2):
        view = members.read(made.connection, made.runtime.program_id, read)
        if view is None or view.status == "erased":
            return None, "refused"
        if view.merged_into is None:
            return read, ""
        read = refs.decode(view.merged_into)
    return None, "refused"


# --- points beside prices ---------------------------------------------------------------------------------


def _prices(made: Visit, words: ProgramWords, asked: Asked, member_id: int | None) -> list[str]:
    """What each price brings, as it is read beside it; "" for one that brings nothing."""
    if not asked.prices:
        return []
    if member_id is not None:
        return _said(made, words, asked.prices, member_id)
    key = (made.runtime.key, made.runtime.latest.version, asked.language, tuple(asked.prices))
    with _lock:
        kept = _kept.get(key)
    if kept is not None and kept[0] > time.monotonic():
        return kept[1]
    said = _said(made, words, asked.prices, None)
    with _lock:
        if len(_kept) >= _MOST_KEPT:
            _kept.clear()
        _kept[key] = (time.monotonic() + KEPT_FOR_S, said)
    return said


def _said(made: Visit, words: ProgramWords, prices: list[Price], member_id: int | None) -> list[str]:
    facts = [_fact(made, price) for price in prices]
    right = [fact for fact in facts if not isinstance(fact, str)]
    found = iter(previews(made.connection, made.runtime, member_id, right, now=made.now))
    said = []
    for fact in facts:
        preview = None if isinstance(fact, str) else next(found)
        said.append(_brings(words, preview, member_id is not None) if preview is not None else "")
    return said


def _brings(words: ProgramWords, preview: Preview, own: bool) -> str:
    """ "brings you 49 stars"; of several currencies one after the other, in the order of the document."""
    ordered = [key for key in words.units if preview.points.get(key, 0) > 0]
    if not ordered:
        return ""
    points = _(" and ").join(words.points(preview.points[key], key) for key in ordered)
    said = _("brings you %(points)s") if own else _("brings members %(points)s")
    return said % {"points": points}


def _fact(made: Visit, price: Price) -> Any:
    """The sale that a price would be; a text that says what is wrong with it."""
    plan = made.runtime.latest
    try:
        minor = to_minor(price.amount, plan.exponent)
    except AmountError as error:
        return told(error)
    line = {
        "category": price.category or None,
        "sku": price.sku or None,
        "quantity": price.quantity,
        "amount": from_minor(minor, plan.exponent),
    }
    sale: dict[str, Any] = {
        "source": "widget",
        "id": f"price-{secrets.token_hex(12)}",
        "type": "sale",
        "occurred_at": moment(made.now).isoformat(),
        "amount": from_minor(minor, plan.exponent),
        "lines": [{name: value for name, value in line.items() if value is not None}],
    }
    read = wire.from_mapping(sale)
    if isinstance(read, Refusal):
        return told(read.whole)
    fact = wire.to_fact(read, made.runtime.timeline, made.runtime.key, now=made.now)
    return told(fact.whole) if isinstance(fact, Refusal) else fact.fact


# --- the sample -------------------------------------------------------------------------------------------


@require_GET
@of_anyone
def sample(made: Visit) -> HttpResponse:
    """A small shop that shows the widget; in the demonstration alone."""
    if not environment().demo:
        raise Http404
    token = ""
    ref = made.request.GET.get("as", "")
    member = made.member
    if member is not None and ref != "nobody":
        generation = page_tokens.generation(made.connection, made.runtime.program_id)
        token = page_tokens.make(
            made.runtime.key, generation, refs.decode(member.ref), made.now + 15 * MINUTE
        )
    return render(
        made.request,
        "widget/sample.html",
        {
            "program_key": made.runtime.key,
            "token": token,
            "known": bool(token),
            "can_be_known": member is not None,
            "goods": [
                {"name": name, "price": made.words.money(to_minor(amount, made.runtime.latest.exponent)),
                 "amount": amount}
                for name, amount in _goods()
            ],
        },
    )  # fmt: skip


def _goods() -> list[tuple[str, str]]:
    """What the sample sells, with its price."""
    return [
        (_("Coffee beans, 1 kg"), "19"),
        (_("Olive oil, 50 cl"), "12"),
        (_("Chocolate, 12 bars"), "36"),
        (_("Espresso machine"), "249"),
    ]
