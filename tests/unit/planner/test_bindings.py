"""What a variable holds of measurements: the newest that is current, ties, ranges, and nothing known."""

from decimal import Decimal

import msgspec
import pytest

from careplan_exchange.model.issue import Issue
from careplan_exchange.model.snapshot import Evidence
from careplan_exchange.planner.bindings import Bindings
from careplan_exchange.planner.intervals import Interval
from tests.cases.snapshots import fact, snapshot, vocabulary
from tests.unit.planner.bound import bind, bind_where, references


def test_the_newest_value_counts():
    found = bind(
        "hba1c",
        fact("hba1c", "9.0", date="2026-03-01", id="old"),
        fact("hba1c", "8.1", date="2026-10-02", id="new"),
        fact("hba1c", "8.8", date="2026-06-01", id="middle"),
    )
    assert found.value == Decimal("8.1")
    assert found.shown == "8.1 % (2026-10-02)"
    assert references(found) == ["Observation/new"]


def test_the_instant_decides_on_one_day_and_offsets_count():
    found = bind(
        "systolic_bp",
        fact("systolic_bp", 150, date="2026-10-02T23:30:00+02:00", id="earlier"),
        fact("systolic_bp", 140, date="2026-10-02T22:00:00Z", id="later"),
    )
    assert found.value == 140


def test_a_vague_date_never_outranks_a_precise_one():
    found = bind(
        "hba1c",
        fact("hba1c", "9.0", date="2026-10", id="vague"),
        fact("hba1c", "8.1", date="2026-10-02", id="day"),
    )
    assert references(found) == ["Observation/day"]
    year = fact("hba1c", "9.0", date="2026", id="year")
    assert references(bind("hba1c", year, fact("hba1c", "8.1", date="2026-10-02"))) == ["Observation/hba1c"]


def test_a_time_is_later_than_its_day_alone():
    day, hour = fact("egfr", 40, id="day"), fact("egfr", 41, date="2026-10-02T08:00:00Z", id="hour")
    assert references(bind("egfr", hour, day)) == references(bind("egfr", day, hour)) == ["Observation/hour"]


def test_values_of_one_instant_count_as_the_range_they_span():
    found = bind(
        "systolic_bp",
        fact("systolic_bp", 150, id="b"),
        fact("systolic_bp", 128, id="a"),
        fact("systolic_bp", 140, id="c"),
    )
    assert found.value == Interval(Decimal(128), Decimal(150))
    assert found.shown == "128 to 150 mmHg (2026-10-02)"
    assert references(found) == ["Observation/a", "Observation/b", "Observation/c"]


def test_the_range_does_not_hang_on_which_of_the_values_is_named_first():
    pressures = [fact("systolic_bp", value, id=name) for name, value in (("a", 140), ("b", 128), ("c", 150))]
    assert bind("systolic_bp", *pressures).value == Interval(Decimal(128), Decimal(150))


def test_equal_values_of_one_instant_are_that_value():
    assert bind("egfr", fact("egfr", 40, id="a"), fact("egfr", 40, id="b")).value == 40


def test_one_resource_that_gives_a_value_in_two_spellings_is_shown_the_same_in_any_order():
    long, short = fact("egfr", "40.0"), fact("egfr", "40")
    assert bind("egfr", long, short).shown == bind("egfr", short, long).shown


@pytest.mark.parametrize(
    ("value", "interval", "shown"),
    [
        ("<7", Interval(Decimal("2.5"), Decimal(7), high_open=True), "<7 % (2026-10-02)"),
        ("<=7", Interval(Decimal("2.5"), Decimal(7)), "<=7 % (2026-10-02)"),
        (">7", Interval(Decimal(7), Decimal(25), low_open=True), ">7 % (2026-10-02)"),
        (">=7", Interval(Decimal(7), Decimal(25)), ">=7 % (2026-10-02)"),
        ("5.6..7", Interval(Decimal("5.6"), Decimal(7)), "5.6 to 7 % (2026-10-02)"),
        ("..7", Interval(None, Decimal(7)), "≤7 % (2026-10-02)"),
        ("7..", Interval(Decimal(7), None), "≥7 % (2026-10-02)"),
    ],
)
def test_comparators_and_measured_ranges_are_ranges(value, interval, shown):
    found = bind("hba1c", fact("hba1c", value))
    assert found.value == interval
    assert found.shown == shown
    assert (
        found.gap
        == "Measure haemoglobin A1c (NGSP) exactly: what was recorded on 2026-10-02 does not decide this."
    )


def test_ties_of_ranges_span_all_of_them():
    found = bind("hba1c", fact("hba1c", "<7", id="a"), fact("hba1c", "7", id="b"), fact("hba1c", ">8", id="c"))
    assert found.value == Interval(Decimal("2.5"), Decimal(25), low_open=False, high_open=False)
    open_end = bind("hba1c", fact("hba1c", "5..", id="a"), fact("hba1c", "..4", id="b"))
    assert open_end.value == Interval(None, None)
    below_zero = bind("hba1c", fact("hba1c", "-5..1", id="a"), fact("hba1c", "..4", id="b"))
    assert below_zero.value == Interval(None, Decimal(4))
    part = bind("hba1c", fact("hba1c", "<7", id="a"), fact("hba1c", "6", id="b"))
    assert part.shown == "2.5 to 7 % (2026-10-02)"
    closed_too = bind("hba1c", fact("hba1c", ">7", id="a"), fact("hba1c", ">=7", id="b"))
    assert closed_too.value == Interval(Decimal(7), Decimal(25))
    closed_wins = bind("hba1c", fact("hba1c", "<7", id="a"), fact("hba1c", "<=7", id="b"))
    assert closed_wins.value == Interval(Decimal("2.5"), Decimal(7))


def test_a_value_at_the_limit_of_its_age_is_current_and_a_day_later_it_is_not():
    assert bind("hba1c", fact("hba1c", "8.1", date="2025-11-24")).value == Decimal("8.1")
    old = bind("hba1c", fact("hba1c", "8.1", date="2025-11-23"))
    assert old.value is None
    assert old.shown == "not known"
    assert old.gap == "Measure haemoglobin A1c (NGSP) again: the latest is of 2025-11-23 and too old to rely on."
    assert references(old) == ["Observation/hba1c"]


def test_a_vague_date_is_as_old_as_it_may_be():
    assert bind("hba1c", fact("hba1c", "8.1", date="2025")).value is None


def test_an_undated_value_is_not_current():
    found = bind("hba1c", fact("hba1c", "8.1", date=None))
    assert found.value is None
    assert found.gap == "Measure haemoglobin A1c (NGSP) again: what is recorded has no date."


def test_no_value_is_unknown():
    found = bind("hba1c")
    assert (found.value, found.shown, found.evidence) == (None, "not known", ())
    assert found.gap == "Measure haemoglobin A1c (NGSP): no value is recorded."


def test_a_fact_without_a_number_or_not_present_is_no_value():
    assert bind("hba1c", fact("hba1c")).value is None
    assert bind("hba1c", fact("hba1c", "8.1", state="unknown")).value is None


def test_a_fact_of_the_future_is_not_used_and_told():
    bindings = Bindings(
        snapshot(fact("hba1c", "9.0", date="2026-11-26", id="future"), fact("hba1c", "8.1")), vocabulary()
    )
    assert bindings.binding("hba1c").value == Decimal("8.1")
    assert [issue.key for issue in bindings.issues] == ["planner.fact.future"]
    assert "9.0" not in bindings.issues[0].detail


def test_a_local_date_of_tomorrow_is_not_the_future():
    assert bind("hba1c", fact("hba1c", "9.0", date="2026-11-25")).value == Decimal("9.0")


def test_a_measurement_without_plausible_bounds_or_a_unit_is_open_and_bare():
    found = bind_where("hba1c", fact("hba1c", "<7"), plausible=None)
    assert (found.value, found.shown) == (Interval(None, Decimal(7), high_open=True), "<7 % (2026-10-02)")
    found = bind_where("hba1c", fact("hba1c", ">7"), plausible=None)
    assert found.value == Interval(Decimal(7), None, low_open=True)
    assert bind_where("hba1c", fact("hba1c", "7"), unit=None).shown == "7 (2026-10-02)"


def test_the_future_is_told_once_with_how_many_facts_of_which_concept():
    future = [fact("hba1c", "9.0", date="2026-11-26", id="x"), fact("hba1c", "9.1", date="2027", id="y")]
    bindings = Bindings(snapshot(*future, fact("hba1c", "8.1")), vocabulary())
    assert [bindings.binding(name).concept for name in ("hba1c", "hba1c_days")] == ["hba1c", "hba1c"]
    assert bindings.issues == [
        Issue(
            severity="warning",
            code="business-rule",
            key="planner.fact.future",
            detail="2 fact(s) of 'hba1c' are in the future and not used.",
            mend="Correct the date in the record, or plan for a later day.",
        )
    ]


def test_a_derived_value_is_said_to_be_calculated_and_names_what_it_rests_on_once():
    creatinine = Evidence(reference="Observation/creatinine", version_id="1", date="2026-10-02")
    person = Evidence(reference="Patient/p", version_id="7")
    derived = msgspec.structs.replace(
        fact("egfr", "41"), evidence=creatinine, inputs=(creatinine, person), rule="egfr-ckd-epi-2021"
    )
    found = bind("egfr", derived)
    assert found.shown == "41 mL/min/1.73 m2 (2026-10-02, calculated)"
    assert found.evidence == (creatinine, person)
    assert bind("egfr", fact("egfr", "41")).shown == "41 mL/min/1.73 m2 (2026-10-02)"
