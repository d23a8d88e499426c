"""The catalogue, an order in three taps, and what the member holds from it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from secrets import token_hex
from typing import Any, Final

import segno
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from palier.activities import batch
from palier.activities.operations import NotDone
from palier.care import wishes
from palier.engine.instants import parse_instant
from palier.engine.refusals import RefusalCode
from palier.engine.words import ProgramWords
from palier.rewards import addresses, browsing, catalogue, handing_out, order_queries, order_store, orders
from palier.rewards.browsing import Filters, Line, Position
from palier.rewards.catalogue import Asked, MemberStanding, Terms
from palier.rewards.document import Merchandise, Reward, Slot, Sweepstake
from palier.rewards.kinds.goods import SHIPMENT
from palier.rewards.kinds.sets import CHOICE
from palier.rewards.order_store import Item, Order
from palier.rewards.orders import Wanted
from palier.rewards.refusals import OrderRefusal, OrderRefused
from palier.rewards.states import OPEN
from palier.site.ids import read_id
from palier.web.portal import handing, limits, telling
from palier.web.portal.visits import Visit, of_member
from palier.web.ui import pictures
from palier.web.ui.pictures import Shown

TILES: Final = 24
"""Rewards on a page."""
SOURCE: Final = "portal"
_NUMBER: Final = re.compile(r"-?[0-9]{1,18}", re.ASCII)
REVEALED: Final = ("voucher", "code")
"""What has a code to show at the till."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A reward in a list: what it is, what it costs, how far it is; `gone` where limits or stock leave none."""

    key: str
    name: str
    summary: str
    price: str
    reachable: bool
    gone: bool
    distance: str
    new: bool
    ending: str
    symbol: str
    picture: Shown | None


def price_words(words: ProgramWords, asked: Asked) -> str:
    """A price as it is paid: "150 stars", "500 stars and $3"."""
    parts = [words.points(minor, currency) for currency, minor in asked.points.items()]
    if asked.money_currency:
        parts.append(words.money(asked.money))
    return _(" and ").join(parts) or _("free")


def _tile(made: Visit, line: Line, shown: Mapping[str, Shown], gone: Mapping[str, str]) -> Tile:
    words, reward = made.words, line.terms.reward
    asked = line.offer.price(None)
    distance = gone.get(reward.key, "")
    if not distance and asked is not None and asked.missing:
        currency, minor = next(iter(asked.missing.items()))
        distance = _("%(points)s more") % {"points": words.points(minor, currency)}
    elif not distance and line.offer.reasons:
        said = line.offer.reasons[0].said(made.language)
        distance = said[:1].upper() + said[1:]
    return Tile(
        reward.key,
        words.text(reward.name),
        words.text(reward.summary) if reward.summary is not None else "",
        price_words(words, asked) if asked is not None else "",
        line.offer.reachable and reward.key not in gone,
        reward.key in gone,
        distance,
        line.is_new,
        telling.until(words, line.ends_at, made.now) if line.ending(made.now) else "",
        pictures.drawing_for(reward),
        shown.get(reward.key),
    )


def _paid(line: Line, currency: str) -> int:
    """The points that this member pays, as his tile says them; of what has no price for him the lowest there is."""
    asked = line.offer.price(None)
    return line.points if asked is None else asked.points.get(currency, 0)


def _standing(made: Visit) -> MemberStanding:
    found = catalogue.standing(made.connection, made.runtime, made.member_id, now=made.now)
    if found is None:
        raise Http404
    return found


@require_GET
@of_member
def shelf(made: Visit) -> HttpResponse:
    """What can be had: within reach, then near, each cheapest first by his own prices; then what there is none of."""
    words = made.request.GET.get("q", "")[:100]
    currency = next(iter(telling.currencies_of(made.runtime.latest, "points", "cash")), None)
    after = _position(made.request.GET.get("after", ""))
    member = _standing(made)
    page = browsing.browse(
        made.connection,
        made.runtime,
        Filters(words=words, language=made.language, currency=currency if not words else None),
        now=made.now,
        limit=TILES,
        sort="price" if currency and not words else "newest",
        after=after,
        member=member,
    )
    shown = pictures.of_rewards(
        made.connection, made.runtime, [line.terms.reward for line in page.lines], made.words
    )
    gone = limits.of_list(made, [line.terms for line in page.lines])
    lines: Sequence[Line] = page.lines
    if currency and not words:
        # A page's rewards come by their lowest price, which may be another tier's, or paid in money too.
        lines = sorted(lines, key=lambda line: _paid(line, currency))
    tiles = [_tile(made, line, shown, gone) for line in lines]
    follow = page.next
    return made.page(
        "portal/shelf.html",
        {
            "here": "rewards",
            "near": [tile for tile in tiles if tile.reachable],
            "far": [tile for tile in tiles if not tile.reachable and not tile.gone],
            "gone": [tile for tile in tiles if tile.gone],
            # Where everything is new, saying so of each says nothing.
            "newer": not all(tile.new for tile in tiles),
            "words": words,
            "next": f"{follow.value}.{follow.reward_id}" if follow is not None else "",
            "have": made.words.points(member.spendable.get(currency, 0), currency) if currency else "",
            "held": bool(
                order_queries.of_member(
                    made.connection, made.runtime.program_id, made.member_id, before=None, limit=1
                )
            ),
        },
    )


def _position(text: str) -> Position | None:
    value, _dot, named = text.partition(".")
    reward_id = read_id(named)
    if reward_id is None or not _NUMBER.fullmatch(value):
        return None
    return Position(int(value), reward_id)


@require_http_methods(["GET", "POST"])
@of_member
def reward(made: Visit, key: str) -> HttpResponse:
    """One reward: what it is, what it costs, what is left after it; and the order."""
    terms = catalogue.terms(made.connection, made.runtime.program_id, key, made.now)
    if terms is None:
        raise Http404
    found, form = terms.reward, made.request.POST
    variant = form.get("variant") or (found.variants[0].key if found.variants else None)
    member = _standing(made)
    offered = catalogue.offer(made.runtime, found, member, at=made.now, variant=variant)
    if not offered.seen:
        raise Http404
    handed = handing.of_reward(made, terms)
    content = {
        **_shown(made, terms, member, form.get("variant", "")), "once": token_hex(12), "form": form,
        "as_of": terms.version, "sent": handed.sent, "pickups": handed.pickups,
        "parts": handing.made_of(made, terms), "picks": getattr(found.gives, "pick", 0),
    }  # fmt: skip
    if made.request.method == "GET":
        return made.page("portal/reward.html", content)
    if form.get("as_of", str(terms.version)) != str(terms.version):
        # What was agreed to is what was shown.
        content["error"] = _("It was changed meanwhile. Nothing was taken from you; look at it again.")
        return made.page("portal/reward.html", content, 409)
    address, lacking = handing.address(made) if handed.sent else (None, "")
    if lacking:
        content["error"] = lacking
        return made.page("portal/reward.html", content, 422)
    wanted = Wanted(
        found.key,
        points_alone=True,
        variant=variant if found.variants else None,
        slot=form.get("slot") or None,
        address=address,
        wait=form.get("wait") == "yes",
        channel="portal",
    )
    once = form.get("once", "")[:64]
    content["once"] = once or content["once"]
    try:
        placed = batch.attempt(
            made.connection,
            lambda: orders.place(
                made.connection,
                made.runtime,
                member_id=made.member_id,
                wanted=wanted,
                source=SOURCE,
                id=made.act_id(once),
                confirm=True,
                actor="member",
                now=made.now,
            ),
        )
    except OrderRefused as refused:
        content |= _shown(made, terms, _standing(made), variant or "")
        content["error"] = _refused(made, terms, refused, content["options"], variant or "")
        return made.page("portal/reward.html", content, 422)
    except NotDone as refused:
        # The points say no by a refusal of their own; the words are those of orders.
        short = refused.refusal.code is RefusalCode.INSUFFICIENT_POINTS
        content["error"] = refusal_words(
            OrderRefusal.INSUFFICIENT_POINTS if short else OrderRefusal.INVALID_ORDER
        )
        return made.page("portal/reward.html", content, 422)
    made.request.session["said"] = _("Yours. It is kept under “My rewards”.")
    return _to_order(made, placed.order)


def _to_order(made: Visit, order: Order) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("portal:order", args=[made.runtime.key, order.ref]))


def _shown(made: Visit, terms: Terms, member: MemberStanding, chosen: str) -> dict[str, Any]:
    """A reward as its page shows it, in its forms; `chosen` is the form that was chosen, if one was."""
    words, plan, found = made.words, made.runtime.latest, terms.reward
    options: list[dict[str, Any]] = []
    forms = [(item.key, words.text(item.name)) for item in found.variants] or [("", "")]
    beyond = limits.in_the_way(made, terms, [variant for variant, _name in forms])
    for variant, name in forms:
        offered = catalogue.offer(made.runtime, found, member, at=made.now, variant=variant or None)
        asked = offered.in_points
        after = ""
        if asked is not None and len(asked.points) == 1 and not asked.missing:
            currency, minor = next(iter(asked.points.items()))
            after = words.points(member.spendable.get(currency, 0) - minor, currency)
        reasons = [reason for reason in offered.reasons if reason.code != "too_few_points"]
        said = reasons[0].said(made.language) if reasons else beyond[variant]
        hindered = said
        if not said and asked is not None and asked.missing:
            said = catalogue.too_few(plan, asked.missing).said(made.language)
        options.append(
            {
                "variant": variant,
                "name": name,
                "price": price_words(words, asked) if asked is not None else "",
                "after": after,
                "reachable": asked is not None and not said,
                "why": said[:1].upper() + said[1:],
                "hindered": hindered[:1].upper() + hindered[1:],
                "paid": [
                    price_words(words, price) for price in offered.prices if price.money and price.allowed
                ],
            }
        )
    ready = [option["variant"] for option in options if option["reachable"]]
    offered = catalogue.offer(
        made.runtime, found, member, at=made.now, variant=found.variants[0].key if found.variants else None
    )
    wish = wishes.read(made.connection, made.runtime.program_id, made.member_id)
    asked = offered.in_points
    return {
        "here": "rewards",
        "reward": {
            "key": found.key,
            "name": words.text(found.name),
            "summary": words.text(found.summary) if found.summary is not None else "",
            "terms": words.text(found.terms) if found.terms is not None else "",
            "elsewhere": words.money(catalogue.money_minor(found.list_price))
            if found.list_price is not None and found.list_price.currency == plan.program.currency
            else "",
            "symbol": pictures.drawing_for(found),
            "picture": pictures.of_rewards(made.connection, made.runtime, [found], words).get(found.key),
        },
        "saved_for": wish is not None and wish.reward == found.key,
        "can_save": asked is not None and len(asked.points) == 1,
        "options": options,
        "chosen": chosen if chosen in ready or not ready else ready[0],
        "slots": [
            {"key": slot.key, "when": words.moment(parse_instant(slot.starts_at)), "place": slot.place}
            for slot in found.slots
        ],
        "dates": _dates(made, found),
        "any": any(option["reachable"] for option in options),
    }


def _refused(
    made: Visit, terms: Terms, refused: OrderRefused, options: Sequence[Mapping[str, Any]], variant: str
) -> str:
    """Why an order was not taken: what stands against the reward itself, where that is why."""
    about_it = (OrderRefusal.REWARD_NOT_AVAILABLE, OrderRefusal.LIMIT_REACHED)
    why = next((option["hindered"] for option in options if option["variant"] == variant), "")
    if refused.code is OrderRefusal.REWARD_NOT_AVAILABLE:
        why = why or limits.unavailable(terms, variant, refused)
    if not why or refused.code not in about_it:
        return refusal_words(refused.code)
    return _("%(why)s. Nothing was taken from you.") % {"why": why}


def refusal_words(code: OrderRefusal) -> str:
    """Why an order was not taken, and what to do, for the member."""
    return {
        OrderRefusal.OUT_OF_STOCK: _(
            "The last one has just gone. Nothing was taken from you; choose another."
        ),
        OrderRefusal.INSUFFICIENT_POINTS: _("You do not have enough for it yet. Nothing was taken from you."),
        OrderRefusal.LIMIT_REACHED: _(
            "You have had as many of these as there are for one person. Nothing was taken."
        ),
        OrderRefusal.MEMBER_NOT_ACTIVE: _(
            "Your account is on hold, so nothing can be ordered. Ask the shop."
        ),
        OrderRefusal.ADDRESS_NEEDED: _("Fill in where it is to be sent. Nothing was taken from you."),
        OrderRefusal.UNKNOWN_OPTION: _("Choose one of the forms or dates. Nothing was taken from you."),
    }.get(code, _("It could not be ordered. Nothing was taken from you."))


# --- what is held -----------------------------------------------------------------------------------------


@require_GET
@of_member
def mine(made: Visit) -> HttpResponse:
    """What the member has ordered, the latest first."""
    before = made.request.GET.get("after", "")
    start = read_id(before)
    found = order_queries.of_member(
        made.connection, made.runtime.program_id, made.member_id, before=start, limit=TILES + 1
    )
    listed = found[:TILES]
    held = orders.held_of(made.connection, made.runtime, listed, now=made.now)
    return made.page(
        "portal/orders.html",
        {
            "here": "rewards",
            "orders": _orders(made, listed, held),
            "next": listed[-1].order_id if len(found) > TILES else None,
        },
    )


def _orders(made: Visit, found: Sequence[Order], held: Mapping[int, Sequence[Item]]) -> list[dict[str, Any]]:
    rewards = order_queries.rewards_of(made.connection, made.runtime.program_id, found)
    shown = pictures.of_rewards(made.connection, made.runtime, list(rewards.values()), made.words)
    return [
        {
            **_order(made, order, rewards[order.reward], held.get(order.order_id, ())),
            "symbol": pictures.drawing_for(rewards[order.reward]),
            "picture": shown.get(order.reward),
        }
        for order in found
    ]


def _order(made: Visit, order: Order, reward: Reward, held: Sequence[Item]) -> dict[str, Any]:
    """An order as its line says it; one whose things are all at one end, or on their way, says where they are."""
    state = order.state_at(made.now)
    kinds = {"done": "good", "fulfilling": "accent", "reserved": "accent", "waiting": "warn"}
    ends = {(item.state_at(made.now), handing.waits(item), item.kind) for item in held}
    told = ends.pop() if state == "done" and len(ends) == 1 else ("", False, "")
    over = told[0] in ("used", "expired", "void", "returned")
    sent = not isinstance(reward.gives, Merchandise) or reward.gives.shipped
    return {
        "ref": order.ref,
        "name": made.words.text(reward.name),
        "day": made.words.day(order.created_at),
        "state": item_words(*told) if over or told[0] in SHIPMENT else state_words(state, sent),
        "kind": "" if over else kinds.get(state, ""),
        "price": ", ".join(made.words.points(paid.points, paid.currency) for paid in order.points),
        "dates": _dates(made, reward, [slot for slot in reward.slots if slot.key == order.slot]),
    }


def _dates(made: Visit, reward: Reward, slots: Sequence[Slot] = ()) -> list[str]:
    """When something of a reward happens: the date that was chosen, and when the draw is."""
    found = [
        " · ".join(filter(None, (made.words.moment(parse_instant(slot.starts_at)), slot.place)))
        for slot in slots
    ]
    if isinstance(reward.gives, Sweepstake):
        found.append(_("Draw: %(when)s") % {"when": made.words.moment(parse_instant(reward.gives.draw_at))})
    return found


def state_words(state: str, sent: bool = True) -> str:
    """How an order stands; what is not `sent` is got ready where it will be picked up."""
    return {
        "waiting": _("in line"),
        "reserved": _("reserved"),
        "fulfilling": _("on its way") if sent else _("being got ready"),
        "done": _("yours"),
        "failed": _("not delivered, given back"),
        "released": _("let go"),
        "cancelled": _("cancelled"),
        "expired": _("lapsed"),
        "refunded": _("given back"),
    }.get(state, state)


@require_GET
@of_member
def order(made: Visit, ref: str) -> HttpResponse:
    """One order: its state, what the member holds from it, and what can be done with it."""
    return _order_page(made, _find(made, ref), made.request.session.pop("wrong", None))


def _order_page(made: Visit, found: Order, error: str | None, status: int = 200) -> HttpResponse:
    items = orders.held(made.connection, made.runtime, found, now=made.now)
    content = {
        "here": "rewards",
        "order": _orders(made, [found], {found.order_id: items})[0],
        "items": _items(made, found, items),
        "said": made.request.session.pop("said", None),
        "error": error,
        "form": made.request.POST,
        "pickups": handing.of_order(made, found, items),
        "open": found.state_at(made.now) in OPEN,
    }
    return made.page("portal/order.html", content, status)


def _find(made: Visit, ref: str) -> Order:
    """An order of this member; Http404 for anybody else's, as for one that is not there."""
    ids = order_store.decode_order_ref(ref)
    found = (
        order_store.read(made.connection, made.runtime.program_id, *ids)
        if ids is not None and ids[0] == made.member_id
        else None
    )
    if found is None:
        raise Http404
    return found


Find = Callable[[str], Reward | None]


def _items(made: Visit, order: Order, held: Sequence[Item]) -> list[dict[str, Any]]:
    """What is held from an order, each thing by its name; a thing alone that is called as the order goes without."""
    find = catalogue.known(made.connection, made.runtime.program_id)
    alone = len(held) == 1 and held[0].reward == order.reward
    found = [_item(made, item, find, named=not alone) for item in held]
    if any(one["sent"] for one in found) and addresses.there(made.connection, order):
        # Where to is known.
        for one in found:
            one["sent"] = False
    return found


def _named(made: Visit, find: Find, key: str, variant: str | None) -> str:
    """What a reward is called, with the form in which it comes where there is one."""
    reward = find(key)
    if reward is None:
        return key
    form = reward.variant(variant) if variant is not None else None
    name = made.words.text(reward.name)
    return f"{name} · {made.words.text(form.name)}" if form is not None else name


def _item(made: Visit, item: Item, find: Find, *, named: bool) -> dict[str, Any]:
    words, state = made.words, item.state_at(made.now)
    uses = ""
    is_open = state in ("open", "revealed")
    choices = [
        (
            number,
            _named(made, find, part["reward"], part.get("variant")),
            part.get("quantity", 1),
            handing.is_sent(find(part["reward"])),
        )
        for number, part in enumerate(item.details["among"] if item.kind == CHOICE and is_open else ())
    ]
    if choices:
        uses = _("Choose %(count)d of these.") % {"count": item.uses_left}
    elif is_open and item.uses_left is not None and item.kind not in ("voucher",):
        uses = ngettext("%(count)d use left", "%(count)d uses left", item.uses_left) % {
            "count": item.uses_left
        }
    return {
        "id": item.item_id,
        "name": _named(made, find, item.reward, item.details.get("variant")) if named else "",
        "choices": choices,
        "sent": any(choice[3] for choice in choices),
        "all_sent": all(choice[3] for choice in choices),
        "state": item_words(state, handing.waits(item), item.kind),
        "open": is_open or state in SHIPMENT,
        "code": item.kind in REVEALED and is_open,
        "uses": uses,
        "until": words.last(item.valid_until) if item.valid_until and state != "used" else "",
    }


def item_words(state: str, waits: bool = False, kind: str = "") -> str:
    """How something that the member holds stands; `waits`: whether it lies ready where it is picked up."""
    return {
        "planned": _("planned"),
        "preparing": _("waiting for you") if waits else _("being got ready"),
        "shipped": _("on its way"),
        "delivered": _("delivered"),
        "handed_out": _("picked up"),
        "returned": _("sent back"),
        "open": _("to be chosen") if kind == CHOICE else _("ready to use"),
        "revealed": _("shown"),
        "used": _("chosen") if kind == CHOICE else _("used"),
        "expired": _("lapsed"),
        "void": _("taken back"),
    }.get(state, state)


@require_http_methods(["GET", "POST"])
@of_member
def show(made: Visit, ref: str, item: int) -> HttpResponse:
    """The code of a voucher or card, large enough for a reader. It is shown once asked for; else its order is."""
    found = _find(made, ref)
    if made.request.method == "GET":
        return _to_order(made, found)
    try:
        told = batch.attempt(
            made.connection,
            lambda: handing_out.reveal(
                made.connection, made.runtime, made.member_id, item, actor="member", now=made.now
            ),
        )
    except OrderRefused:
        made.request.session["wrong"] = _("There is no code to show any more.")
        return _to_order(made, found)
    code = told.get("code", "")
    return made.page(
        "portal/code_shown.html",
        {
            "here": "rewards",
            "again": _to_order(made, found).url,
            "order": _orders(made, [found], {})[0],
            "code": code,
            "pin": told.get("pin", ""),
            "address": told.get("url", ""),
            "qr": _qr(code) if code else "",
        },
    )


def _qr(text: str) -> SafeString:
    return mark_safe(segno.make_qr(text, error="m").svg_inline(scale=8, border=2, omitsize=True))  # noqa: S308


@require_POST
@of_member
def choose(made: Visit, ref: str, item: int) -> HttpResponse:
    """The member picks one of the rewards of a choice that he holds."""
    found = _find(made, ref)
    held = next(
        (
            one
            for one in orders.held(made.connection, made.runtime, found, now=made.now)
            if one.item_id == item and one.kind == CHOICE
        ),
        None,
    )
    if held is None:
        raise Http404
    text = made.request.POST.get("choice", "")
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 3 else -1
    among = held.details["among"]
    if not 0 <= number < len(among):
        made.request.session["wrong"] = _("Choose one of those shown.")
        return _to_order(made, found)
    find = catalogue.known(made.connection, made.runtime.program_id)
    address = None
    if handing.is_sent(find(among[number]["reward"])) and not addresses.there(made.connection, found):
        address, lacking = handing.address(made)
        if lacking:
            return _order_page(made, found, lacking, 422)
    try:
        batch.attempt(
            made.connection,
            lambda: handing_out.choose(
                made.connection, made.runtime, made.member_id, found.order_id, item_id=item,
                reward=among[number]["reward"], variant=among[number].get("variant"), address=address,
                actor="member", now=made.now,
            ),
        )  # fmt: skip
        made.request.session["said"] = _("Chosen. It is kept here.")
    except OrderRefused as refused:
        made.request.session["wrong"] = {
            OrderRefusal.OUT_OF_STOCK: _("None of it is left. Choose another."),
            OrderRefusal.ADDRESS_NEEDED: refusal_words(refused.code),
            OrderRefusal.PAYMENT_CARD_NUMBER: refusal_words(refused.code),
        }.get(refused.code, _("There is nothing to choose any more, or it is too late."))
    return _to_order(made, found)


@require_POST
@of_member
def cancel(made: Visit, ref: str) -> HttpResponse:
    """Gives an order up while that is allowed; the same points come back."""
    found = _find(made, ref)
    try:
        batch.attempt(
            made.connection,
            lambda: orders.cancel(
                made.connection, made.runtime, made.member_id, found.order_id, actor="member", now=made.now
            ),
        )
        made.request.session["said"] = _("Cancelled. What it cost is yours again.")
    except OrderRefused:
        made.request.session["wrong"] = _("It can no longer be cancelled here. Ask the shop.")
    return _to_order(made, found)
