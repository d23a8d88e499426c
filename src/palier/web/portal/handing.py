"""Where what is ordered is handed over: the address that it is sent to, or the place where it is picked up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
from django.utils.translation import gettext as _

from palier.engine.document import Text
from palier.rewards import catalogue, kinds, orders
from palier.rewards.addresses import Address
from palier.rewards.catalogue import Terms
from palier.rewards.document import Bundle, Choice, Merchandise, Reward
from palier.rewards.kinds import Leaf
from palier.rewards.order_store import Item, Order
from palier.rewards.refusals import OrderRefused
from palier.rewards.states import OPEN
from palier.web.portal.visits import Visit

LONGEST: Final = {"name": 200, "street": 200, "postcode": 20, "city": 100, "country": 2}
"""The fields of an address, with how many characters each holds."""


@dataclass(frozen=True, slots=True)
class Handed:
    """How a reward comes to the member: whether anything of it is `sent`, and where the rest is picked up."""

    sent: bool
    pickups: list[str]


def leaves(made: Visit, terms: Terms, variant: str | None) -> list[Leaf]:
    """What a reward would hand out to who orders it now, in one of its forms."""
    form = terms.reward.variant(variant) if variant is not None else None
    return leaves_of_each(made, [Leaf(terms.reward_id, terms.version, terms.reward, form)])[0]


def leaves_of_each(made: Visit, plain: Sequence[Leaf]) -> list[list[Leaf]]:
    """What rewards would hand out, each with its parts; one whose parts are gone stands for itself."""
    found = kinds.expand_each(made.connection, made.runtime.program_id, plain, at=made.now)
    return [
        [leaf] if isinstance(leaves, OrderRefused) else leaves
        for leaf, leaves in zip(plain, found, strict=True)
    ]


def of_reward(made: Visit, terms: Terms) -> Handed:
    """How a reward would come to the member who orders it now."""
    found = leaves(made, terms, None)
    goods = [leaf.reward.gives for leaf in found if isinstance(leaf.reward.gives, Merchandise)]
    try:
        sent = kinds.sent_of(made.connection, made.runtime.program_id, found, at=made.now)
    except OrderRefused:
        # A part of it is gone, so that it cannot be ordered.
        sent = None
    return Handed(sent is not None, _places(made, goods))


def made_of(made: Visit, terms: Terms) -> list[tuple[int, str]]:
    """What a bundle has in it, or a choice lets pick among: how many of each, and its name."""
    gives = terms.reward.gives
    if not isinstance(gives, Bundle | Choice):
        return []
    keys = {part.reward for part in gives.rewards}
    known = catalogue.terms_each(made.connection, made.runtime.program_id, keys, made.now)
    found = []
    for part in gives.rewards:
        reward = known[part.reward].reward if part.reward in known else None
        form = reward.variant(part.variant) if reward is not None and part.variant is not None else None
        if reward is not None:
            names = [
                made.words.text(reward.name),
                *([made.words.text(form.name)] if form is not None else []),
            ]
            found.append((part.quantity, ", ".join(names)))
    return found


def is_sent(reward: Reward | None) -> bool:
    """Whether a thing that stands for itself is sent to an address."""
    return reward is not None and isinstance(reward.gives, Merchandise) and reward.gives.shipped


def of_order(made: Visit, order: Order, held: Sequence[Item]) -> list[str]:
    """Where something of an order is still to be picked up."""
    if held:
        waiting = [item.details["pickup"] for item in held if waits(item) and "pickup" in item.details]
        return _distinct(made.words.text(msgspec.convert(place, Text)) for place in waiting)
    if order.state_at(made.now) not in OPEN:
        return []
    agreed = orders.leaves_of(made.connection, order)
    return _places(made, [leaf.reward.gives for leaf in agreed if isinstance(leaf.reward.gives, Merchandise)])


def _places(made: Visit, goods: Sequence[Merchandise]) -> list[str]:
    found = [one.pickup for one in goods if not one.shipped and one.pickup is not None]
    return _distinct(made.words.text(place) for place in found)


def _distinct(found: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(found))


def waits(item: Item) -> bool:
    """Whether a thing lies ready where the member picks it up."""
    return item.state == "preparing" and not item.details.get("shipped", True)


def address(made: Visit) -> tuple[Address | None, str]:
    """The address that the form gives; None with a sentence that names the field in the way, where one is."""
    form = made.request.POST
    given = {name: form.get(name, "").strip() for name in LONGEST}
    country = given["country"].upper()
    lacking = next((name for name, text in given.items() if not text), None)
    if lacking is not None:
        said = _("Fill in the field “%(field)s”. Nothing was taken from you.")
        return None, said % {"field": _label(lacking)}
    if not (len(given["country"]) == 2 and country.isascii() and country.isalpha()):
        return None, _("Give the country by its two letters, such as FR. Nothing was taken from you.")
    long = next((name for name, text in given.items() if len(text) > LONGEST[name]), None)
    if long is not None:
        said = _("The field “%(field)s” holds %(count)d characters at most. Nothing was taken from you.")
        return None, said % {"field": _label(long), "count": LONGEST[long]}
    return Address(given["name"], (given["street"],), given["postcode"], given["city"], country), ""


def _label(name: str) -> str:
    return {
        "name": _("Name"),
        "street": _("Street and number"),
        "postcode": _("Postcode"),
        "city": _("Town"),
        "country": _("Country, two letters"),
    }[name]
