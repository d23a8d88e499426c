"""What a basket comes to with offers and points: pure, exact, and the same for whoever asks.

Offers are vouchers, rewards and benefits that take something off. The order in which it all happens:

1. each offer is judged by itself, on the basket as it is: does it fit at all, and what would it take off;
2. of the offers of one stacking group, the one that takes most off by itself stays (of equal ones, that with the
   lowest priority number, then the one named first);
3. an exclusive offer stands alone: the best one is taken if it takes more off than all the others do together;
4. what is left applies one after the other, by priority, then as named, each to what those before it left;
5. points pay of what then is to pay, never more points than the money they pay is worth.

All reductions are off what the customer pays, tax included. A percentage is rounded half up on the sum of its lines.
Every amount is shared out to lines in proportion to what they still come to, by largest remainder, ties to the first
line, so that the shares add up exactly. Tax is that in what is left of the lines of one rate together, rounded half
up, shared out to them in the same way; with prices before tax, what tax adds is found the same way first.

A free or capped unit is one of the dearest that fit, ties to the first line.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Literal

from msgspec import Struct

from palier.engine.amounts import divide, shares
from palier.engine.currencies import money
from palier.engine.facts import Line

SHIPPING: Final = "shipping"
GIFT_CARD: Final = "gift_card"
MOST_LINES: Final = 500
MOST_OFFERS: Final = 50


class Item(Struct, frozen=True):
    """One line of a basket. `tax` is its rate in percent as an exact fraction: 5.5 % is (55, 10)."""

    line: Line
    tax: tuple[int, int] = (0, 1)


class Basket(Struct, frozen=True):
    """What is to be bought: amounts in minor units of `currency`; `taxed` tells that prices include tax."""

    items: tuple[Item, ...]
    currency: str
    taxed: bool = True


# --- offers -----------------------------------------------------------------------------------------------

Chosen = Callable[[Line], bool]


def everything(_: Line) -> bool:
    """Chooses every line."""
    return True


class Percent(Struct, frozen=True, tag=True):
    """A percentage (an exact fraction of it: 12.5 % is (125, 10)), at most `maximum`; of shipping and gift cards
    only where it says so."""

    percent: tuple[int, int]
    maximum: int | None = None
    shipping: bool = False
    gift_cards: bool = False


class Amount(Struct, frozen=True, tag=True):
    """An amount, never more than what its lines come to; of shipping and gift cards only where it says so."""

    amount: int
    shipping: bool = False
    gift_cards: bool = False


class Free(Struct, frozen=True, tag=True):
    """So many units for nothing, each of a list price of at most `cap`."""

    units: int = 1
    cap: int | None = None


class Capped(Struct, frozen=True, tag=True):
    """So many units for at most `price` each."""

    price: int
    units: int = 1


class FreeShipping(Struct, frozen=True, tag=True):
    """Shipping for nothing, up to `maximum`."""

    maximum: int | None = None


Effect = Percent | Amount | Free | Capped | FreeShipping


class Reason(Struct, frozen=True):
    """Why an offer does nothing: a stable code, and a sentence in each language without its last point."""

    code: str
    en: str
    fr: str

    def said(self, language: str) -> str:
        return self.fr if language == "fr" else self.en


class Offer(Struct, frozen=True):
    """Something that may take money off a basket.

    `key` names it, uniquely in the basket, and `name` in English and French, for sentences. `chosen` picks its lines.
    `minimum` is the least that these come to before any offer, 0 for none. Lower `priority` applies first. `refused`
    says why it cannot be used, where that is known already.
    """

    key: str
    effect: Effect
    chosen: Chosen = everything
    minimum: int = 0
    group: str | None = None
    exclusive: bool = False
    priority: int = 100
    refused: Reason | None = None
    name: tuple[str, str] | None = None

    @property
    def names(self) -> tuple[str, str]:
        """What it is called in English and in French."""
        return self.name if self.name is not None else (self.key, self.key)


class Points(Struct, frozen=True):
    """Points as part payment: `offered` minor units at most, in whole `step`s, worth `value` (money minor units for
    one minor unit of points, an exact fraction)."""

    offered: int
    value: tuple[int, int]
    step: int = 1


# --- what comes out ---------------------------------------------------------------------------------------


class Applied(Struct, frozen=True):
    """An offer that took something off: `amount` in all, `lines` by line."""

    key: str
    amount: int
    lines: tuple[int, ...]


class Passed(Struct, frozen=True):
    """An offer that did nothing, and why."""

    key: str
    reason: Reason


class LineTotal(Struct, frozen=True):
    """A line as it comes out, tax included: `gross` - `off` - `paid` (in points) = `to_pay`.

    `tax` is that in `gross` - `off`; `tax_to_pay` that in `to_pay`, for a shop whose points are money off.
    """

    gross: int
    off: int
    paid: int
    to_pay: int
    tax: int
    tax_to_pay: int


class Total(Struct, frozen=True):
    """What a basket comes to. `points` are the minor units that pay `paid`; `taxes` by rate as it was given."""

    lines: tuple[LineTotal, ...]
    applied: tuple[Applied, ...]
    inapplicable: tuple[Passed, ...]
    skipped: tuple[Passed, ...]
    gross: int
    off: int
    paid: int
    to_pay: int
    points: int
    taxes: tuple[tuple[tuple[int, int], int], ...]


# --- the calculation --------------------------------------------------------------------------------------


def calculate(basket: Basket, offers: Sequence[Offer] = (), points: Points | None = None) -> Total:
    """What a basket comes to with these offers and points (see the head of the module).

    Raises ValueError for amounts or quantities below 0, for keys that are named twice, and beyond MOST_LINES lines or
    MOST_OFFERS offers.
    """
    _refuse_unfit(basket, offers)
    gross = _gross(basket)
    inapplicable = []
    worth: dict[str, int] = {}
    for offer in offers:
        reason = offer.refused or _unfit(basket, offer, gross)
        if reason is None:
            worth[offer.key] = sum(_lower(basket, offer, gross, _untouched(basket, gross)))
        else:
            inapplicable.append(Passed(offer.key, reason))
    ranked = sorted(
        (offer for offer in offers if offer.key in worth), key=lambda offer: offer.priority
    )  # stable: as named
    skipped: list[Passed] = []
    staying = _best_of_groups(ranked, worth, skipped)
    staying = _alone_or_together(basket, staying, gross, worth, skipped)
    left, applied = _apply(basket, staying, gross, skipped)
    order = {offer.key: place for place, offer in enumerate(offers)}
    skipped.sort(key=lambda passed: order[passed.key])
    due = sum(left)
    spent, paid = _payable(points, due) if points is not None else (0, 0)
    by_points = shares(paid, left)
    to_pay = [amount - part for amount, part in zip(left, by_points, strict=True)]
    tax, tax_to_pay = _taxes(basket, left), _taxes(basket, to_pay)
    rates: dict[tuple[int, int], int] = {}
    for item, amount in zip(basket.items, tax, strict=True):
        rates[item.tax] = rates.get(item.tax, 0) + amount
    lines = tuple(
        LineTotal(gross[n], gross[n] - left[n], by_points[n], to_pay[n], tax[n], tax_to_pay[n])
        for n in range(len(gross))
    )
    return Total(
        lines,
        tuple(applied),
        tuple(inapplicable),
        tuple(skipped),
        sum(gross),
        sum(gross) - due,
        paid,
        due - paid,
        spent,
        tuple(rates.items()),
    )


def _refuse_unfit(basket: Basket, offers: Sequence[Offer]) -> None:
    if len(basket.items) > MOST_LINES or len(offers) > MOST_OFFERS:
        raise ValueError(f"a basket has at most {MOST_LINES} lines and {MOST_OFFERS} offers")
    if any(item.line.amount < 0 or item.line.quantity < 0 or item.tax[0] < 0 for item in basket.items):
        raise ValueError("amounts, quantities and rates of a basket are not below 0")
    if len({offer.key for offer in offers}) < len(offers):
        raise ValueError("two offers have one key")


# --- tax --------------------------------------------------------------------------------------------------


def _by_rate(basket: Basket) -> dict[tuple[int, int], list[int]]:
    """The lines of each rate, in the order in which the rates come."""
    found: dict[tuple[int, int], list[int]] = {}
    for number, item in enumerate(basket.items):
        found.setdefault(item.tax, []).append(number)
    return found


def _gross(basket: Basket) -> list[int]:
    """What each line costs with its tax."""
    amounts = [item.line.amount for item in basket.items]
    if basket.taxed:
        return amounts
    for (rate, per), numbers in _by_rate(basket).items():
        before = [amounts[number] for number in numbers]
        added = divide(sum(before) * rate, 100 * per, "half_up")
        for number, part in zip(numbers, shares(added, before), strict=True):
            amounts[number] += part
    return amounts


def _taxes(basket: Basket, amounts: Sequence[int]) -> list[int]:
    """The tax in what each line comes to."""
    found = [0] * len(amounts)
    for (rate, per), numbers in _by_rate(basket).items():
        within = [amounts[number] for number in numbers]
        tax = divide(sum(within) * rate, 100 * per + rate, "half_up")
        for number, part in zip(numbers, shares(tax, within), strict=True):
            found[number] = part
    return found


# --- offers -----------------------------------------------------------------------------------------------


def _counts(effect: Effect, line: Line) -> bool:
    """Whether an effect touches lines of this kind at all."""
    match effect:
        case Percent() | Amount():
            if line.kind == SHIPPING:
                return effect.shipping
            return line.kind != GIFT_CARD or effect.gift_cards
        case FreeShipping():
            return line.kind == SHIPPING
        case _:
            return line.kind not in (SHIPPING, GIFT_CARD)


def _fitting(basket: Basket, offer: Offer) -> list[int]:
    return [
        number
        for number, item in enumerate(basket.items)
        if _counts(offer.effect, item.line) and offer.chosen(item.line)
    ]


def _unfit(basket: Basket, offer: Offer, gross: Sequence[int]) -> Reason | None:
    """Why an offer has no effect on a basket before any other."""
    numbers = _fitting(basket, offer)
    if not numbers:
        return Reason(
            "no_line_fits", "nothing in the basket is what it is for", "rien dans le panier n'y correspond"
        )
    comes_to = sum(gross[number] for number in numbers)
    if comes_to < offer.minimum:
        least = [money(offer.minimum, basket.currency, language) for language in ("en", "fr")]
        missing = [money(offer.minimum - comes_to, basket.currency, language) for language in ("en", "fr")]
        return Reason(
            "below_minimum",
            f"its lines must come to {least[0]}; {missing[0]} are missing",
            f"ses articles doivent atteindre {least[1]} ; il manque {missing[1]}",
        )
    effect = offer.effect
    if isinstance(effect, Free) and effect.cap is not None:
        units = [_list_price(basket, gross, n) for n in numbers if basket.items[n].line.quantity]
        if units and min(units) > effect.cap:
            most = [money(effect.cap, basket.currency, language) for language in ("en", "fr")]
            return Reason(
                "above_price_cap",
                f"it is for what costs at most {most[0]}",
                f"elle vaut pour ce qui coûte au plus {most[1]}",
            )
    if not sum(_lower(basket, offer, gross, _untouched(basket, gross))):
        return Reason("nothing_to_reduce", "there is nothing to take off", "il n'y a rien à déduire")
    return None


def _list_price(basket: Basket, gross: Sequence[int], number: int) -> int:
    """What one unit of a line (of at least one) costs before offers; of units that differ by a cent, the dearest."""
    return -(-gross[number] // basket.items[number].line.quantity)


class _Left:
    """What is left of a line: all of it, and of that its units that no offer for units has touched."""

    __slots__ = ("amount", "fresh", "units")

    def __init__(self, amount: int, units: int) -> None:
        self.amount = self.fresh = amount
        self.units = units

    def less(self, off: int) -> None:
        """Takes an amount off all units alike."""
        if off:
            self.fresh -= shares(off, [self.fresh, self.amount - self.fresh])[0]
            self.amount -= off

    def priced(self) -> list[tuple[int, int]]:
        """The untouched units by their price, dearest first: (price, how many).

        The first units of a line cost a cent more where it does not divide, so that all of them come to it exactly.
        """
        if not self.units:
            return []
        each, more = divmod(self.fresh, self.units)
        return [(each + 1, more), (each, self.units - more)]

    def lower(self, count: int, price: int) -> int:
        """Lowers so many of the dearest untouched units, all above a price, to it; what came off."""
        cost = 0
        wanted = count
        for each, alike in self.priced():
            part = min(alike, wanted)
            wanted -= part
            cost += part * each
        off = cost - count * price
        self.units -= count
        self.fresh -= cost
        self.amount -= off
        return off


def _untouched(basket: Basket, gross: Sequence[int]) -> list[_Left]:
    return [_Left(amount, item.line.quantity) for item, amount in zip(basket.items, gross, strict=True)]


def _lower(basket: Basket, offer: Offer, gross: Sequence[int], left: list[_Left]) -> list[int]:
    """Takes an offer off what is left of the lines; what it took off each."""
    numbers = _fitting(basket, offer)
    found = [0] * len(left)
    effect = offer.effect
    if isinstance(effect, Free | Capped):
        cap = effect.cap if isinstance(effect, Free) else None
        price = effect.price if isinstance(effect, Capped) else 0
        fit = [n for n in numbers if left[n].units and (cap is None or _list_price(basket, gross, n) <= cap)]
        for number, units in _dearest(left, fit, effect.units, price).items():
            found[number] = left[number].lower(units, price)
        return found
    weights = [0] * len(left)
    for number in numbers:
        weights[number] = left[number].amount
    whole = sum(weights)
    match effect:
        case Percent(percent=(rate, per), maximum=maximum):
            amount = divide(whole * rate, 100 * per, "half_up")
        case Amount(amount=amount):
            maximum = None
        case FreeShipping(maximum=maximum):
            amount = whole
    amount = min(amount, whole)
    for number, part in enumerate(shares(amount if maximum is None else min(amount, maximum), weights)):
        left[number].less(part)
        found[number] = part
    return found


def _dearest(left: list[_Left], fit: Sequence[int], units: int, above: int) -> dict[int, int]:
    """How many of the dearest untouched units above a price are of which line; of equal ones, the first lines'."""
    found: dict[int, int] = {}
    alike = sorted(
        (-price, number, count) for number in fit for price, count in left[number].priced() if price > above
    )
    for _, number, count in alike:
        taken = min(count, units)
        units -= taken
        found[number] = found.get(number, 0) + taken
    return found


def _best_of_groups(ranked: Sequence[Offer], worth: dict[str, int], skipped: list[Passed]) -> list[Offer]:
    best: dict[str, Offer] = {}
    for offer in ranked:
        if offer.group is not None:
            known = best.get(offer.group)
            if known is None or worth[offer.key] > worth[known.key]:
                best[offer.group] = offer
    staying = []
    for offer in ranked:
        if offer.group is None or best[offer.group] is offer:
            staying.append(offer)
        else:
            english, french = best[offer.group].names
            skipped.append(
                Passed(
                    offer.key,
                    Reason(
                        "stacking_group",
                        f"of these only the best counts, which is {english}",
                        f"de celles-ci, seule la meilleure compte : {french}",
                    ),
                )
            )
    return staying


def _alone_or_together(
    basket: Basket,
    staying: list[Offer],
    gross: Sequence[int],
    worth: dict[str, int],
    skipped: list[Passed],
) -> list[Offer]:
    """The best exclusive offer, or all that are not exclusive, whichever takes more off; of equals the former."""
    alone = [offer for offer in staying if offer.exclusive]
    if not alone:
        return staying
    others = [offer for offer in staying if not offer.exclusive]
    best = max(alone, key=lambda offer: worth[offer.key])  # the first of equal ones
    together = sum(gross) - sum(_apply(basket, others, gross, [])[0])
    english, french = best.names
    kept = [best] if worth[best.key] >= together else others
    for offer in staying:
        if offer not in kept:
            if kept == [best]:
                reason = Reason(
                    "exclusive",
                    f"{english} stands alone",
                    f"ne se cumule pas avec {french}",
                )
            else:
                reason = Reason(
                    "exclusive", "it stands alone, and the others take more off",
                    "elle ne se cumule pas, et les autres déduisent davantage",
                )  # fmt: skip
            skipped.append(Passed(offer.key, reason))
    return kept


def _apply(
    basket: Basket, offers: Sequence[Offer], gross: Sequence[int], skipped: list[Passed]
) -> tuple[list[int], list[Applied]]:
    """Offers one after the other: what is left of each line, and what each took off."""
    left = _untouched(basket, gross)
    applied = []
    for offer in offers:
        off = _lower(basket, offer, gross, left)
        if not sum(off):
            skipped.append(
                Passed(
                    offer.key,
                    Reason(
                        "nothing_left", "those before it left nothing to take off",
                        "les précédentes n'ont rien laissé à déduire",
                    ),
                )
            )  # fmt: skip
            continue
        applied.append(Applied(offer.key, sum(off), tuple(off)))
    return [line.amount for line in left], applied


# --- points -----------------------------------------------------------------------------------------------


def _payable(points: Points, due: int) -> tuple[int, int]:
    """(points, money): the most that points can pay of what is due, by no more points than that takes."""
    value, per = points.value
    if value <= 0 or points.offered <= 0 or due <= 0:
        return 0, 0
    step = max(1, points.step)
    # The most steps whose worth, rounded down, is within what is due: worth < due + 1.
    most = min(points.offered // step, ((due + 1) * per - 1) // (value * step))
    paid = min(most * step * value // per, due)
    # As few steps as are worth that much.
    least = -(-(paid * per) // (value * step))
    return least * step, paid


Kind = Literal["percent", "amount", "free", "capped", "free_shipping"]
KINDS: Final[dict[type, Kind]] = {
    Percent: "percent",
    Amount: "amount",
    Free: "free",
    Capped: "capped",
    FreeShipping: "free_shipping",
}
"""What an effect is called."""
