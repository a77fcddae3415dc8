"""Means, the value before the latest, and slopes: of which readings, and where there is none."""

from datetime import date, timedelta
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from careplan_exchange.mapping import map_record
from careplan_exchange.mapping.derived.bounds import Bounds
from careplan_exchange.mapping.derived.desk import Point
from careplan_exchange.mapping.derived.rules import Days, Mean
from careplan_exchange.mapping.derived.series import slope_of
from careplan_exchange.model.snapshot import Evidence, Fact
from tests.unit.mapping.builders import TODAY, keys, observation, only, quantity, record
from tests.unit.mapping.series_builders import a1c, measured, pressure, sources, weight

SETTING = "http://hl7.org/fhir/us/vitals/StructureDefinition/MeasurementSettingExt"
AT_HOME = {"extension": [{"url": SETTING, "valueCodeableConcept": {"text": "Home"}}]}

# Means.


def test_the_mean_is_of_the_last_three_readings_and_names_them(mapped):
    snapshot = mapped(
        pressure(190, "2026-01-01"),
        pressure(150, "2026-08-01"),
        pressure(140, "2026-09-01"),
        pressure(131, "2026-10-01"),
    )
    fact = only(snapshot, "systolic_bp_mean")
    assert (fact.value, fact.unit, fact.rule) == (Decimal("140.3"), "mm[Hg]", "systolic-mean-clinic")
    assert sources(fact) == ["Observation/2", "Observation/3", "Observation/4"]
    assert fact.effective == "2026-10-01"
    assert only(snapshot, "diastolic_bp_mean").value == 80


@pytest.mark.parametrize(
    "bodies",
    [
        [pressure(140, "2026-10-01")],
        [pressure(140, "2026-10-01T08:00:00Z"), pressure(150, "2026-10-01T08:05:00Z")],
        [pressure(140, "2025-01-01"), pressure(150, "2026-10-01")],
    ],
    ids=["one", "one day", "too far apart"],
)
def test_one_occasion_has_no_mean(mapped, bodies):
    assert mapped(*bodies).of("systolic_bp_mean") == ()


def test_a_reading_that_was_sent_twice_counts_once(mapped):
    bodies = [pressure(150, "2026-09-01"), pressure(130, "2026-10-01"), pressure(130, "2026-10-01")]
    assert only(mapped(*bodies), "systolic_bp_mean").value == 140


def test_home_and_clinic_never_mix(mapped):
    clinic = [pressure(150, "2026-09-01"), pressure(160, "2026-10-01")]
    home = [
        pressure(120 + hour // 12, f"2026-10-{day:02}T{hour:02}:00:00Z", **AT_HOME)
        for day in (2, 3, 4)
        for hour in (7, 19)
    ]
    snapshot = mapped(*clinic, *home)
    assert only(snapshot, "systolic_bp_mean").value == 155
    at_home = only(snapshot, "home_systolic_bp_mean")
    assert (at_home.value, at_home.origin, len(at_home.inputs)) == (Decimal("120.5"), "home", 6)
    assert {fact.value for fact in snapshot.of("systolic_bp")} == {150, 160}
    assert {fact.origin for fact in snapshot.of("home_systolic_bp")} == {"home"}
    assert mapped(*clinic, *home[:4]).of("home_systolic_bp_mean") == ()


def test_a_bound_among_the_readings_is_carried_into_the_mean(mapped):
    high = observation(
        "8480-6", valueQuantity=quantity(250, "mm[Hg]", comparator=">"), effectiveDateTime="2026-10-01"
    )
    fact = only(mapped(pressure(150, "2026-09-01"), high), "systolic_bp_mean")
    assert (fact.value, fact.comparator) == (200, ">=")


# The value before the latest.


def test_the_previous_value_is_of_an_earlier_occasion(mapped):
    snapshot = mapped(a1c(9.1, "2026-03-01"), a1c(8.2, "2026-09-20"), a1c(7.4, "2026-10-01"))
    fact = only(snapshot, "hba1c_previous")
    assert (fact.value, fact.effective, sources(fact)) == (Decimal("9.1"), "2026-03-01", ["Observation/1"])


def test_a_single_value_has_no_previous_one(mapped):
    snapshot = mapped(a1c(9.1, "2026-03-01"))
    assert snapshot.of("hba1c_previous") == ()
    assert snapshot.issues == ()


def test_a_previous_value_keeps_its_comparator_and_two_of_one_moment_are_a_range(mapped):
    snapshot = mapped(a1c(5, "2026-03-01", comparator="<"), a1c(7.4, "2026-10-01"))
    assert (only(snapshot, "hba1c_previous").value, only(snapshot, "hba1c_previous").comparator) == (5, "<")
    fact = only(mapped(a1c(8.25, "2026-03-01"), a1c(8.1, "2026-03-01"), a1c(7, "2026-10-01")), "hba1c_previous")
    assert (fact.low, fact.high, len(fact.inputs)) == (Decimal("8.10"), Decimal("8.25"), 2)


# Slopes.


def test_the_slope_is_the_change_a_year(mapped):
    start = date(2024, 10, 1)
    bodies = [
        a1c(7 + half * 0.25, (start + timedelta(days=round(182.625 * half))).isoformat()) for half in range(5)
    ]
    fact = only(mapped(*bodies), "hba1c_slope")
    assert (fact.value, fact.unit, len(fact.inputs)) == (Decimal("0.50"), "%/a", 5)
    assert {one.date[:4] for one in fact.inputs} == {"2024", "2025", "2026"}


@pytest.mark.parametrize(
    "bodies",
    [
        [a1c(7, "2026-01-01"), a1c(8, "2026-10-01")],
        [a1c(7, "2026-07-01"), a1c(8, "2026-09-01"), a1c(8, "2026-10-01")],
        [a1c(7, "2015-07-01"), a1c(8, "2026-09-01"), a1c(8, "2026-10-01")],
    ],
    ids=["two points", "short span", "an old point"],
)
def test_too_few_points_or_too_short_a_span_have_no_slope(mapped, bodies):
    assert mapped(*bodies).of("hba1c_slope") == ()


def test_a_bound_among_the_points_leaves_no_slope_and_is_told(mapped):
    snapshot = mapped(a1c(7, "2026-01-01"), a1c(14, "2026-05-01", comparator=">"), a1c(8, "2026-10-01"))
    assert snapshot.of("hba1c_slope") == ()
    assert keys(snapshot) == ["derived.vague"]


@given(
    level=st.decimals(-100, 100, places=1),
    slope=st.decimals(-50, 50, places=1),
    days=st.lists(st.integers(0, 3000), min_size=2, max_size=8, unique=True),
)
def test_points_on_a_line_have_its_slope(level, slope, days):
    evidence = Evidence(reference="Observation/1")
    points = []
    for day in sorted(days):
        value = level + slope * Decimal(day) / Decimal("365.25")
        fact = Fact(concept="x", kind="measurement", evidence=evidence, value=value)
        points.append(Point(None, date(2010, 1, 1) + timedelta(days=day), fact, Bounds(value, value)))
    assert abs(slope_of(points) - slope) < Decimal("1e-6")


def test_a_slope_that_no_body_has_is_told_and_not_used(mapped):
    snapshot = mapped(weight(50, "2026-01-01"), weight(60, "2026-02-01"), weight(300, "2026-06-01"))
    assert snapshot.of("body_weight_slope") == ()
    assert "derived.implausible" in keys(snapshot)


def test_a_rule_of_the_sites_own_runs_and_a_mean_that_says_nothing_is_told(mappings, vocabulary):
    own = Mean(
        id="own",
        title="x",
        source="doi:10.1000/x",
        yields="uacr_previous",
        of="uacr",
        last=2,
        at_least=2,
        on_days=2,
        within=Days(days=365, reason="x"),
        decimals=0,
    )
    tables = msgspec.structs.replace(mappings, derived=(own,))
    low, high = (
        measured("9318-7", 30, "mg/g", "2026-09-01", comparator="<"),
        measured("9318-7", 0, "mg/g", comparator=">="),
    )
    snapshot = map_record(record(low, high), tables, vocabulary, today=TODAY)
    assert (snapshot.of("uacr_previous"), keys(snapshot)) == ((), ["derived.vague"])
    exact = map_record(record(low, measured("9318-7", 50, "mg/g")), tables, vocabulary, today=TODAY)
    (fact,) = exact.of("uacr_previous")
    assert (fact.low, fact.high, fact.rule) == (25, 40, "own")


def test_two_values_of_one_moment_that_together_say_nothing_have_no_previous(mapped):
    early = {"effectiveDateTime": "2026-01-01"}
    low, high = (
        observation("9318-7", valueQuantity=quantity(value, "mg/g", comparator=sign), **early)
        for value, sign in ((30, "<"), (0, ">="))
    )
    snapshot = mapped(low, high, measured("9318-7", 50, "mg/g"))
    assert snapshot.of("uacr_previous") == ()
    assert "derived.vague" in keys(snapshot)
