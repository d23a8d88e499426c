"""Baskets: what offers and points take off, to the last cent, and the same whoever asks."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palier.engine import baskets
from palier.engine.baskets import (
    Amount,
    Basket,
    Capped,
    Free,
    FreeShipping,
    Item,
    Offer,
    Percent,
    Points,
    Reason,
    Total,
    calculate,
)
from palier.engine.facts import Line

CENT = (1, 1)
"""A point with no decimals that is worth a cent."""


def item(
    amount: int, quantity: int = 1, sku: str = "", rate: tuple[int, int] = (20, 1), kind: str = "product"
) -> Item:
    return Item(Line("", sku, quantity, amount, kind), rate)


def basket(*items: Item, taxed: bool = True) -> Basket:
    return Basket(items, "EUR", taxed)


def sku(*names: str) -> baskets.Chosen:
    return lambda line: line.sku in names


def lines(total: Total, what: str) -> list[int]:
    return [getattr(line, what) for line in total.lines]


# --- golden rows: complaints about others that must not be ours -------------------------------------


def test_an_amount_off_lowers_the_tax_of_each_line_by_its_share() -> None:
    """10.00 off 40.00 of goods at 20 % and 5.5 %: the tax is that in what is paid, line by line."""
    mixed = basket(item(3000, rate=(20, 1)), item(1000, rate=(55, 10)))
    total = calculate(mixed, [Offer("ten", Amount(1000))])
    assert lines(total, "to_pay") == [2250, 750]
    assert lines(total, "tax") == [375, 39]
    assert total.taxes == (((20, 1), 375), ((55, 10), 39))


def test_points_lower_the_tax_where_they_are_money_off_and_not_where_they_are_a_payment() -> None:
    mixed = basket(item(3000, rate=(20, 1)), item(1000, rate=(55, 10)))
    total = calculate(mixed, points=Points(1000, CENT))
    assert (total.points, total.paid, total.to_pay) == (1000, 1000, 3000)
    assert lines(total, "paid") == [750, 250]
    assert (lines(total, "tax"), lines(total, "tax_to_pay")) == ([500, 52], [375, 39])


def test_before_tax_prices_are_free_of_a_cent_left_over() -> None:
    """Three of 3.33 before 20 %: 9.99 and 2.00 of tax; all of it is paid by points, to exactly nothing."""
    total = calculate(basket(item(333), item(333), item(333), taxed=False), points=Points(10**6, CENT))
    assert (total.gross, lines(total, "gross")) == (1199, [400, 400, 399])
    assert (total.points, total.to_pay, lines(total, "tax_to_pay")) == (1199, 0, [0, 0, 0])


@pytest.mark.parametrize(
    ("due", "offered", "value", "step", "points", "paid"),
    [
        (2000, 30, (100, 1), 1, 20, 2000),  # 30 points of 1.00 for an order of 20.00: 20 are taken
        (2050, 30, (100, 1), 1, 20, 2000),  # 0.50 stay to be paid
        (2050, 3000, (1, 1), 500, 2000, 2000),  # in steps of 500
        (2050, 3000, (1, 10), 1, 3000, 300),
        (2050, 3005, (1, 10), 1, 3000, 300),  # five points that pay nothing are not taken
        (1, 7, (1, 10), 1, 0, 0),
        (10, 5, (3, 1), 1, 3, 9),
        (0, 5, (3, 1), 1, 0, 0),
        (10, 5, (0, 1), 1, 0, 0),
        (26828, 26828, (1, 1), 1, 26828, 26828),  # what binary fractions write as 268.28000000000003
    ],
)
def test_no_more_points_than_what_they_pay_is_worth(
    due: int, offered: int, value: tuple[int, int], step: int, points: int, paid: int
) -> None:
    total = calculate(basket(item(due)), points=Points(offered, value, step))
    assert (total.points, total.paid, total.to_pay) == (points, paid, due - paid)


def test_a_minimum_is_met_by_exactly_as_much() -> None:
    """0.10 three times is 0.30."""
    dimes = basket(item(10), item(10), item(10))
    assert calculate(dimes, [Offer("v", Amount(5), minimum=30)]).off == 5
    missed = calculate(dimes, [Offer("v", Amount(5), minimum=31)]).inapplicable[0]
    assert missed.reason == Reason(
        "below_minimum",
        "its lines must come to €0.31; €0.01 are missing",
        "ses articles doivent atteindre 0,31\xa0€ ; il manque 0,01\xa0€",
    )


def test_till_and_server_round_alike() -> None:
    """10 % off 86.67 is 8.67 (half up on the sum), not 8.66 or 8.68 by way of its lines: 78.00 are paid."""
    total = calculate(basket(item(2889), item(2889), item(2889)), [Offer("v", Percent((10, 1)))])
    assert (total.off, total.to_pay, lines(total, "off")) == (867, 7800, [289, 289, 289])


def test_the_free_one_is_the_dearest_that_fits_and_of_equal_ones_the_first() -> None:
    coffee = basket(item(300, sku="tea"), item(450, sku="latte"), item(900, 2, sku="mocha"))
    free = Offer("v", Free(1), chosen=sku("tea", "latte", "mocha"))
    for _ in range(3):
        assert lines(calculate(coffee, [free]), "off") == [0, 450, 0]
    capped = Offer("v", Free(1, cap=300), chosen=sku("tea", "latte", "mocha"))
    assert lines(calculate(coffee, [capped]), "off") == [300, 0, 0]
    over = Offer("v", Free(1, cap=299), chosen=sku("tea", "latte", "mocha"))
    assert calculate(coffee, [over]).inapplicable[0].reason.code == "above_price_cap"


def test_two_free_ones_of_a_line_are_two_of_its_units() -> None:
    three = basket(item(1000, 3))
    ones = [Offer(f"v{n}", Free(1)) for n in range(4)]
    total = calculate(three, ones)
    assert [each.amount for each in total.applied] == [334, 333, 333]
    assert (total.to_pay, [passed.reason.code for passed in total.skipped]) == (0, ["nothing_left"])
    assert calculate(three, [Offer("v", Free(2))]).off == 667


def test_a_price_is_capped_by_the_unit() -> None:
    two = basket(item(900, 2), item(180))
    assert lines(calculate(two, [Offer("v", Capped(200, units=3))]), "off") == [500, 0]
    assert (
        calculate(two, [Offer("v", Capped(450, units=3))]).inapplicable[0].reason.code == "nothing_to_reduce"
    )


def test_shipping_and_gift_cards_are_touched_only_by_what_says_so() -> None:
    all_kinds = basket(item(1000), item(500, kind="shipping"), item(2000, kind="gift_card"))
    assert lines(calculate(all_kinds, [Offer("v", Percent((100, 1)))]), "off") == [1000, 0, 0]
    both = Offer("v", Percent((100, 1), shipping=True, gift_cards=True))
    assert lines(calculate(all_kinds, [both]), "off") == [1000, 500, 2000]
    assert lines(calculate(all_kinds, [Offer("v", FreeShipping())]), "off") == [0, 500, 0]
    assert lines(calculate(all_kinds, [Offer("v", FreeShipping(400))]), "off") == [0, 400, 0]
    assert lines(calculate(all_kinds, [Offer("v", Free(9))]), "off") == [1000, 0, 0]


# --- which offers apply -----------------------------------------------------------------------------


def test_of_a_group_the_best_and_alone_or_together() -> None:
    bought = basket(item(10000))
    five = Offer("five", Amount(500), group="one")
    ten = Offer("ten", Percent((10, 1)), group="one")
    total = calculate(bought, [five, ten])
    assert [each.key for each in total.applied] == ["ten"]
    assert [(passed.key, passed.reason.code) for passed in total.skipped] == [("five", "stacking_group")]
    alone = Offer("alone", Amount(1200), exclusive=True)
    total = calculate(bought, [five, ten, alone])
    assert [each.key for each in total.applied] == ["alone"]
    assert [passed.reason.code for passed in total.skipped] == ["stacking_group", "exclusive"]
    more = Offer("more", Amount(201))
    total = calculate(bought, [ten, more, alone])
    assert [each.key for each in total.applied] == ["ten", "more"]
    assert [(passed.key, passed.reason.code) for passed in total.skipped] == [("alone", "exclusive")]


def test_priority_says_which_comes_first() -> None:
    bought = basket(item(10000))
    half, ten = Offer("half", Percent((50, 1))), Offer("ten", Amount(1000))
    assert calculate(bought, [half, ten]).to_pay == 4000
    assert calculate(bought, [half, Offer("ten", Amount(1000), priority=1)]).to_pay == 4500


def test_what_is_refused_already_is_told_as_it_came() -> None:
    gone = Reason("voucher_expired", "it has expired", "il est expiré")
    total = calculate(basket(item(100)), [Offer("v", Amount(10), refused=gone)])
    assert (total.off, total.inapplicable[0].reason) == (0, gone)


@pytest.mark.parametrize(
    ("wrong", "offers"),
    [
        (basket(item(-1)), []),
        (basket(item(1, -1)), []),
        (basket(item(1, rate=(-1, 1))), []),
        (basket(*[item(1)] * 501), []),
        (basket(item(1)), [Offer("v", Amount(1)), Offer("v", Amount(2))]),
        (basket(item(1)), [Offer(f"v{n}", Amount(1)) for n in range(51)]),
    ],
)
def test_what_is_no_basket_is_refused(wrong: Basket, offers: list[Offer]) -> None:
    with pytest.raises(ValueError, match=r"basket|key"):
        calculate(wrong, offers)


# --- properties -------------------------------------------------------------------------------------

RATES = [(0, 1), (21, 10), (55, 10), (10, 1), (20, 1)]


def some_items() -> st.SearchStrategy[Item]:
    line = st.builds(
        Line,
        st.just(""),
        st.sampled_from(["a", "b", "c"]),
        st.integers(0, 7),
        st.integers(0, 20_000),
        st.sampled_from(["product", "product", "product", "shipping", "gift_card"]),
    )
    return st.builds(Item, line, st.sampled_from(RATES))


def some_effects() -> st.SearchStrategy[baskets.Effect]:
    maximum = st.none() | st.integers(0, 5000)
    return st.one_of(
        st.builds(
            Percent,
            st.tuples(st.integers(0, 1000), st.just(10)),
            maximum,
            st.booleans(),
            st.booleans(),
        ),
        st.builds(Amount, st.integers(0, 30_000), st.booleans(), st.booleans()),
        st.builds(Free, st.integers(1, 5), st.none() | st.integers(0, 9000)),
        st.builds(Capped, st.integers(0, 9000), st.integers(1, 5)),
        st.builds(FreeShipping, maximum),
    )


@st.composite
def some_offers(draw: st.DrawFn) -> list[Offer]:
    return [
        Offer(
            f"o{n}",
            draw(some_effects()),
            draw(st.sampled_from([baskets.everything, sku("a"), sku("b", "c")])),
            draw(st.sampled_from([0, 0, 1, 4000])),
            draw(st.sampled_from([None, None, "g"])),
            draw(st.sampled_from([False, False, False, True])),
            draw(st.sampled_from([1, 100, 100])),
        )
        for n in range(draw(st.integers(0, 6)))
    ]


def some_baskets() -> st.SearchStrategy[Basket]:
    return st.builds(
        Basket, st.lists(some_items(), min_size=1, max_size=6).map(tuple), st.just("EUR"), st.booleans()
    )


@settings(max_examples=400, deadline=None)
@given(some_baskets(), some_offers(), st.integers(0, 50_000), st.sampled_from([(1, 1), (1, 10), (7, 3), (100, 1)]),
       st.sampled_from([1, 10, 500]))  # fmt: skip
def test_every_sum_is_exact(
    bought: Basket, offers: list[Offer], offered: int, value: tuple[int, int], step: int
) -> None:
    total = calculate(bought, offers, Points(offered, value, step))
    for line in total.lines:
        assert line.gross - line.off - line.paid == line.to_pay >= 0
        assert min(line.off, line.paid) >= 0
        assert 0 <= line.tax <= line.gross - line.off
        assert 0 <= line.tax_to_pay <= line.to_pay
    for name in ("gross", "off", "paid", "to_pay"):
        assert getattr(total, name) == sum(lines(total, name))
    assert total.off == sum(each.amount for each in total.applied)
    for number, line in enumerate(total.lines):
        assert line.off == sum(each.lines[number] for each in total.applied)
    said = [each.key for each in (*total.applied, *total.inapplicable, *total.skipped)]
    assert sorted(said) == sorted(offer.key for offer in offers), "each offer is on one list"
    # Points: whole steps, no more than offered, never more than what is due, and none for nothing.
    assert total.points % step == 0
    assert total.points <= offered
    worth = Fraction(total.points * value[0], value[1])
    assert total.paid == worth.numerator // worth.denominator
    assert total.paid <= total.gross - total.off
    if total.points:
        fewer = Fraction((total.points - step) * value[0], value[1])
        assert fewer.numerator // fewer.denominator < total.paid
    more = Fraction((total.points + step) * value[0], value[1])
    if total.points + step <= offered and more.numerator // more.denominator > total.paid:
        assert more.numerator // more.denominator > total.gross - total.off, "as much is paid as can be"
    for rate, tax in total.taxes:
        base = sum(
            line.gross - line.off
            for line, each in zip(total.lines, bought.items, strict=True)
            if each.tax == rate
        )
        exact = Fraction(base * rate[0], 100 * rate[1] + rate[0])
        assert abs(tax - exact) <= Fraction(1, 2)


@settings(max_examples=200, deadline=None)
@given(some_baskets(), some_offers())
def test_it_is_the_same_however_often_it_is_asked(bought: Basket, offers: list[Offer]) -> None:
    first = calculate(bought, offers)
    assert calculate(bought, offers) == first
    kept = [offer for offer in offers if offer.key in {each.key for each in first.applied}]
    alone = calculate(bought, kept)
    assert (alone.lines, alone.applied) == (first.lines, first.applied), (
        "what was passed over changes nothing"
    )


@settings(max_examples=200, deadline=None)
@given(some_baskets())
def test_all_of_it_is_nothing(bought: Basket) -> None:
    """A full discount, or points enough, leave exactly 0.00 in total, on each line, and of tax."""
    off = calculate(bought, [Offer("v", Percent((100, 1), shipping=True, gift_cards=True))])
    paid = calculate(bought, points=Points(10**12, (1, 1)))
    for total in (off, paid):
        assert (total.to_pay, sum(lines(total, "to_pay")), sum(lines(total, "tax_to_pay"))) == (0, 0, 0)
    assert paid.points == paid.gross


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 6), st.integers(0, 3000)), min_size=1, max_size=5),
    st.integers(1, 8),
    st.none() | st.integers(0, 2000),
)
def test_free_units_are_the_dearest(bought: list[tuple[int, int]], units: int, cap: int | None) -> None:
    """Against every unit written down by itself, dearest first."""
    priced = basket(*[item(amount, quantity) for quantity, amount in bought])
    total = calculate(priced, [Offer("v", Free(units, cap))])
    fitting = [(q, a) for q, a in bought if cap is None or -(-a // q) <= cap]
    every = sorted((a // q + (1 if n < a % q else 0) for q, a in fitting for n in range(q)), reverse=True)
    assert total.off == sum(every[:units])


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 6), st.integers(0, 3000)), min_size=1, max_size=5),
    st.integers(1, 8),
    st.integers(0, 1000),
)
def test_capped_units_are_the_dearest(bought: list[tuple[int, int]], units: int, price: int) -> None:
    priced = basket(*[item(amount, quantity) for quantity, amount in bought])
    total = calculate(priced, [Offer("v", Capped(price, units))])
    every = sorted((a // q + (1 if n < a % q else 0) for q, a in bought for n in range(q)), reverse=True)
    assert total.off == sum(max(0, each - price) for each in every[:units])


def test_of_units_that_differ_by_a_cent_the_dearer_are_free() -> None:
    """Five for 1.51 and five for 1.53: one unit of the first costs 0.31, and three of the second."""
    total = calculate(basket(item(151, 5), item(153, 5)), [Offer("v", Free(4))])
    assert lines(total, "off") == [31, 93]
