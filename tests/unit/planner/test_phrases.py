"""The words for values, as they stand in a plan."""

from decimal import Decimal

import pytest

from careplan_exchange.planner import phrases
from careplan_exchange.planner.intervals import Interval

SEVEN = Decimal("7.0")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (SEVEN, "7.0 %"),
        (Decimal("1E+2"), "100 %"),
        (Interval(Decimal("5E+1"), Decimal("1E+2")), "50 to 100 %"),
        (Interval(None, Decimal("1E+2")), "≤100 %"),
        (Interval(Decimal("1E+2"), None), "≥100 %"),
        (Interval(None, SEVEN, high_open=True), "<7.0 %"),
        (Interval(SEVEN, None, low_open=True), ">7.0 %"),
        (Interval(None, None), "any value"),
    ],
)
def test_a_number_and_a_range_are_shown_with_their_unit(value, shown):
    assert phrases.quantity(value, "%") == shown


def test_a_number_without_a_unit_ends_with_the_number():
    assert phrases.quantity(SEVEN, "") == "7.0"
    assert phrases.quantity(Interval(None, SEVEN), "") == "≤7.0"


@pytest.mark.parametrize(
    ("title", "inside"),
    [
        ("Metformin", "metformin"),
        ("ACE inhibitor", "ACE inhibitor"),
        ("Time Since Then", "time Since Then"),
        ("B12 level", "B12 level"),
        ("LDL", "LDL"),
        ("pH of urine", "pH of urine"),
        ("ApoB level", "ApoB level"),
    ],
)
def test_a_title_in_a_sentence_begins_small_unless_it_is_an_abbreviation(title, inside):
    assert phrases.inline(title) == inside


def test_a_sentence_says_each_part_once_and_keeps_the_rest_as_it_is():
    assert (
        phrases.sentence(["haemoglobin A1c is 8", "LDL is low", "LDL is low"])
        == "Haemoglobin A1c is 8; LDL is low."
    )


def test_a_state_is_shown_with_the_newest_date_there_is():
    assert phrases.state(value=True, dates=["2025", None, "2026-01-02T10:00:00Z", ""], recorded=True) == (
        "present (2026-01-02)"
    )
    assert phrases.state(value=False, dates=[None], recorded=True) == "absent"
