"""What a variable holds: the newest that is current, ties, ranges, presence, absence, and nothing known."""

from datetime import date
from decimal import Decimal

import pytest

from careplan_exchange.planner.bindings import Bindings
from careplan_exchange.planner.expressions import EvaluationError
from careplan_exchange.planner.intervals import Interval
from tests.cases.snapshots import ALL, fact, snapshot, vocabulary


def bind(variable, *facts, **more):
    return Bindings(snapshot(*facts, **more), vocabulary()).binding(variable)


def references(binding):
    return [evidence.reference for evidence in binding.evidence]


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


def test_equal_values_of_one_instant_are_that_value():
    assert bind("egfr", fact("egfr", 40, id="a"), fact("egfr", 40, id="b")).value == 40


@pytest.mark.parametrize(
    ("value", "interval", "shown"),
    [
        ("<7", Interval(Decimal(2), Decimal(7), high_open=True), "<7 % (2026-10-02)"),
        ("<=7", Interval(Decimal(2), Decimal(7)), "<=7 % (2026-10-02)"),
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
    assert found.value == Interval(Decimal(2), Decimal(25), low_open=False, high_open=False)
    open_end = bind("hba1c", fact("hba1c", "5..", id="a"), fact("hba1c", "..4", id="b"))
    assert open_end.value == Interval(None, None)
    closed_wins = bind("hba1c", fact("hba1c", "<7", id="a"), fact("hba1c", "<=7", id="b"))
    assert closed_wins.value == Interval(Decimal(2), Decimal(7))


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


def test_a_diagnosis_that_nobody_recorded_is_absent_where_the_list_was_read():
    found = bind("type_2_diabetes")
    assert (found.value, found.shown) == (False, "not recorded")
    assert bind("type_2_diabetes", categories=ALL - {"Condition"}).value is None


def test_a_recorded_diagnosis_is_present_with_its_date_and_evidence():
    found = bind("type_2_diabetes", fact("type_2_diabetes", date="2019-03-01"))
    assert (found.value, found.shown) == (True, "present (2019-03-01)")
    assert references(found) == ["Condition/type-2-diabetes"]


def test_what_is_seldom_recorded_is_unknown_when_absent():
    found = bind("frailty")
    assert found.value is None
    assert found.gap == "Does the patient have frailty? The record does not say."


def test_a_past_condition_is_not_there_now_and_was_there_once():
    past = fact("angioedema", active=False, date="2011-03-01")
    assert bind("angioedema", past).value is None
    assert bind("angioedema_ever", past).value is True
    assert bind("hyperkalemia", fact("hyperkalemia", active=False)).value is False


def test_a_recorded_absence_is_absent():
    found = bind("angioedema", fact("angioedema", state="absent", date="2026-01-05"))
    assert (found.value, found.shown) == (False, "absent (2026-01-05)")


def test_a_presence_outweighs_a_recorded_absence_for_allergies_and_diagnoses():
    both = [
        fact("metformin_allergy", date="2020-01-01"),
        fact("metformin_allergy", state="absent", date="2026-01-01", id="none"),
    ]
    assert bind("metformin_allergy", *both).value is True


def test_the_newest_status_counts():
    yes, no = fact("pregnancy", date="2026-08-01"), fact("pregnancy", state="absent", date="2026-10-01", id="no")
    assert bind("pregnancy", yes, no).value is False
    assert references(bind("pregnancy", yes, no)) == ["Condition/no"]
    again = fact("pregnancy", date="2026-11-01", id="again")
    assert bind("pregnancy", yes, no, again).value is True
    assert references(bind("pregnancy", yes, no, again)) == ["Condition/again"]


def test_a_status_that_is_recorded_both_ways_at_once_is_unknown():
    found = bind("pregnancy", fact("pregnancy"), fact("pregnancy", state="absent", id="no"))
    assert found.value is None
    assert found.gap == "Pregnancy: what holds now? The record says both."
    assert references(found) == ["Condition/pregnancy", "Condition/no"]


def test_an_old_status_is_unknown_and_says_of_when_it_is():
    found = bind("pregnancy", fact("pregnancy", date="2025-01-01"))
    assert found.value is None
    assert found.gap == "Ask for pregnancy again: the latest is of 2025-01-01 and too old to rely on."
    assert bind("pregnancy", fact("pregnancy", state="absent", date="2025-01-01")).value is None


def test_an_undated_status_is_not_current_and_an_undated_diagnosis_is():
    undated = bind("pregnancy", fact("pregnancy", date=None))
    assert undated.value is None
    assert undated.gap == "Ask for pregnancy again: the latest is of an unknown date and too old to rely on."
    assert bind("hypertension", fact("hypertension", date=None)).value is True


def test_days_since_the_latest_such_fact():
    exam = bind(
        "diabetic_foot_exam_days",
        fact("diabetic_foot_exam", date="2026-11-14"),
        fact("diabetic_foot_exam", date="2026-01-01", id="x"),
    )
    assert (exam.value, exam.shown) == (10, "since 2026-11-14")
    vague = bind("diabetic_foot_exam_days", fact("diabetic_foot_exam", date="2026-10"))
    assert vague.value == Interval(Decimal(24), Decimal(54))
    assert vague.shown == "since 2026-10"
    this_month = bind("diabetic_foot_exam_days", fact("diabetic_foot_exam", date="2026-11"))
    assert this_month.value == Interval(Decimal(0), Decimal(23))
    tomorrow = bind("diabetic_foot_exam_days", fact("diabetic_foot_exam", date="2026-11-25"))
    assert tomorrow.value == 0


def test_days_since_nothing_are_unknown():
    for facts in ([], [fact("diabetic_foot_exam", date=None)], [fact("diabetic_foot_exam", state="absent")]):
        found = bind("diabetic_foot_exam_days", *facts)
        assert found.value is None
        assert found.gap == "When was the latest: diabetic foot examination? The record does not say."


@pytest.mark.parametrize(
    ("birth", "value", "shown"),
    [
        ("1976-11-24", Decimal(50), "50 years"),
        ("1976-11-25", Decimal(49), "49 years"),
        ("1976-11", Interval(Decimal(49), Decimal(50)), "49 to 50 years"),
        ("1976", Interval(Decimal(49), Decimal(50)), "49 to 50 years"),
        ("1976-03", Decimal(50), "50 years"),
        ("2026", Decimal(0), "0 years"),
        (None, None, "not known"),
        ("2027", None, "not known"),
        ("76", None, "not known"),
        ("1976-13-01", None, "not known"),
    ],
)
def test_age_is_what_the_date_of_birth_allows(birth, value, shown):
    found = bind("age", birth=birth)
    assert (found.value, found.shown) == (value, shown)
    assert found.evidence == (snapshot().patient.evidence,)


def test_a_leap_day_birthday_is_in_march_in_other_years():
    assert bind("age", birth="2008-02-29", today=date(2026, 2, 28)).value == 17
    assert bind("age", birth="2008-02-29", today=date(2026, 3, 1)).value == 18


@pytest.mark.parametrize(
    ("gender", "value"), [("female", "female"), ("other", "other"), ("unknown", None), (None, None)]
)
def test_sex_is_as_recorded(gender, value):
    assert bind("sex", gender=gender).value == value


@pytest.mark.parametrize("name", ["hba1cc", "hba1c_ever", "_days", "nothing_days", "age_days"])
def test_a_name_that_no_concept_has_is_an_error(name):
    with pytest.raises(EvaluationError, match="there is no variable"):
        bind(name)


def test_units_of_comparisons():
    bindings = Bindings(snapshot(), vocabulary())
    assert [bindings.unit(name) for name in ("hba1c", "age", "pregnancy_days", "pregnancy", "sex")] == [
        "%",
        "years",
        "days",
        "",
        "",
    ]


def test_the_subject_holds_what_planning_knows_and_no_more():
    bindings = Bindings(snapshot(birth=None), vocabulary())
    assert bindings.value("subject") == {"resourceType": "Patient", "gender": "male"}


def test_an_order_that_cannot_be_read_makes_a_medicine_unknown_and_not_absent():
    found = bind("metformin", fact("metformin", state="unknown"))
    assert found.value is None
    assert found.gap == "Metformin: does it hold? What is recorded leaves it open."
    assert len(found.evidence) == 1


def test_a_certain_presence_outweighs_a_doubtful_one_and_a_doubt_outweighs_an_absence():
    doubtful = fact("type_2_diabetes", state="unknown")
    assert bind("type_2_diabetes", doubtful, fact("type_2_diabetes")).value is True
    assert bind("type_2_diabetes", doubtful, fact("type_2_diabetes", state="absent")).value is None
    assert bind("type_2_diabetes", fact("type_2_diabetes", state="unknown", active=False)).value is False


def test_the_latest_statement_of_a_status_holds_also_when_it_is_that_nobody_knows():
    earlier = fact("pregnancy", state="absent", date="2026-11-20")
    assert bind("pregnancy", earlier, fact("pregnancy", state="unknown", date="2026-11-22")).value is None
    assert bind("pregnancy", fact("pregnancy", state="unknown", date="2026-11-18"), earlier).value is False
    later = fact("pregnancy", date="2026-11-22")
    assert bind("pregnancy", fact("pregnancy", state="unknown", date="2026-11-20"), later).value is True
