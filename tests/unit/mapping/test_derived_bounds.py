"""Bounds of values: their mean and their hull, and what a fact keeps of them."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from careplan_exchange.mapping.derived.bounds import Bounds, as_fields, bounds_of, hull, mean_of
from careplan_exchange.model.snapshot import Evidence, Fact

positive = st.decimals(min_value=0, max_value=1000, places=2)

# Means.


@given(values=st.lists(positive, min_size=1, max_size=9))
def test_a_mean_lies_between_the_least_and_the_most(values):
    bounds = mean_of([Bounds(value, value) for value in values])
    assert min(values) - Decimal("1e-9") <= bounds.low == bounds.high <= max(values) + Decimal("1e-9")


@given(pairs=st.lists(st.tuples(positive, positive), min_size=1, max_size=9), share=st.decimals(0, 1, places=2))
def test_the_mean_of_ranges_holds_the_mean_of_any_values_in_them(pairs, share):
    ranges = [Bounds(min(pair), max(pair)) for pair in pairs]
    inside = [one.low + (one.high - one.low) * share for one in ranges]
    bounds = mean_of(ranges)
    assert bounds.low - Decimal("1e-9") <= sum(inside) / len(inside) <= bounds.high + Decimal("1e-9")


# Bounds as facts.


@given(low=positive, width=positive, decimals=st.integers(0, 2))
def test_what_is_rounded_holds_what_was_not(low, width, decimals):
    half = Decimal(1).scaleb(-decimals) / 2
    fields = as_fields(Bounds(low, low + width), decimals)
    assert fields is not None
    fact = Fact(concept="x", kind="measurement", evidence=Evidence(reference="Observation/1"), **fields)
    found = bounds_of(fact)
    assert found is not None
    assert found.low <= low + half
    assert found.high >= low + width - half


def test_bounds_that_say_nothing_are_no_fact():
    assert as_fields(Bounds(Decimal(0), Decimal("Infinity")), 1) is None
    assert as_fields(Bounds(Decimal("NaN"), Decimal(1)), 1) is None
    assert as_fields(Bounds(Decimal("Infinity"), Decimal("Infinity")), 1) is None


def test_a_fact_without_a_number_has_no_bounds():
    assert bounds_of(Fact(concept="x", kind="measurement", evidence=Evidence(reference="Observation/1"))) is None


@pytest.mark.parametrize(("comparator", "open_"), [("<", True), ("<=", False), (">", True), (">=", False)])
def test_a_hull_excludes_an_end_only_where_all_do(comparator, open_):
    fact = Fact(
        concept="x",
        kind="measurement",
        evidence=Evidence(reference="Observation/1"),
        value=Decimal(7),
        comparator=comparator,
    )
    bounds = bounds_of(fact)
    assert (bounds.low_open or bounds.high_open) is open_
    with_end = hull([bounds, Bounds(Decimal(7), Decimal(7))])
    assert not with_end.low_open
    assert not with_end.high_open
    assert hull([bounds]) == bounds
