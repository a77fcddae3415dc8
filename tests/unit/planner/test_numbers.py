"""How numbers are shown: as recorded, unless that is longer than anybody reads."""

from decimal import Decimal

import pytest

from careplan_exchange.planner import phrases
from careplan_exchange.planner.intervals import Interval


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("8.1", "8.1 %"),
        ("7", "7 %"),
        ("7.20", "7.20 %"),
        ("7.125", "7.125 %"),
        ("7.1250000", "7.1250000 %"),
        ("169.10258056724334", "about 169.10 %"),
        ("2.9951", "about 3.00 %"),
        ("2.995000000001", "about 3.00 %"),
        ("-13.98765", "about -13.99 %"),
        ("0.0123456", "about 0.012 %"),
        ("0.00012345", "about 0.00012 %"),
    ],
)
def test_a_number_with_more_than_three_decimals_is_shown_with_two_that_count(value, shown):
    assert phrases.quantity(Decimal(value), "%") == shown


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [
        ("5.6", "7.0", "5.6 to 7.0 %"),
        ("5.61234", "7.0", "about 5.61 to 7.0 %"),
        (None, "7.01234", "about ≤7.01 %"),
        ("5.61234", None, "about ≥5.61 %"),
        (None, None, "any value"),
    ],
)
def test_so_are_the_bounds_of_a_range(low, high, shown):
    bounds = (None if bound is None else Decimal(bound) for bound in (low, high))
    assert phrases.quantity(Interval(*bounds), "%") == shown
