"""What a variable holds: the newest that is current, ties, ranges, presence, absence, and nothing known."""

from datetime import date
from decimal import Decimal

import msgspec
import pytest

from careplan_exchange.model.issue import Issue
from careplan_exchange.model.snapshot import Evidence
from careplan_exchange.planner.bindings import Bindings
from careplan_exchange.planner.expressions import EvaluationError
from careplan_exchange.planner.intervals import Interval
from careplan_exchange.planner.variables import Binding
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


def test_a_diagnosis_that_nobody_recorded_is_absent_where_the_list_was_read():
    found = bind("type_2_diabetes")
    assert (found.value, found.shown) == (False, "not recorded")
    assert bind("type_2_diabetes", categories=ALL - {"Condition"}).value is None
    assert bind("type_2_diabetes", categories=frozenset({"Condition"})).value is False


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


def test_a_past_status_counts_for_ever_whatever_holds_now():
    smoked = fact("smoking", date="2015-01-01")
    assert bind("smoking_ever", smoked).value is True
    assert bind("smoking_ever", smoked, fact("smoking", state="absent", id="no")).value is True
    assert bind("smoking", smoked, fact("smoking", state="absent", id="no")).value is False


def test_a_status_that_does_not_hold_now_may_have_held_once():
    does_not = fact("smoking", state="absent")
    assert bind("smoking", does_not).value is False
    assert bind("smoking_ever", does_not).value is None


def test_statements_of_a_status_that_agree_count_all():
    assert references(
        bind("pregnancy", fact("pregnancy", id="b"), fact("pregnancy", date="2026-10-03", id="a"))
    ) == [
        "Condition/b",
        "Condition/a",
    ]


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
    assert (exam.value, exam.shown) == (10, "(2026-11-14)")
    vague = bind("diabetic_foot_exam_days", fact("diabetic_foot_exam", date="2026-10"))
    assert vague.value == Interval(Decimal(24), Decimal(54))
    assert vague.shown == "(2026-10)"
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
        ("2026-11-24", Decimal(0), "0 years"),
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


@pytest.mark.parametrize("name", ["subject", "patient", "context", "resource"])
def test_the_subject_by_any_name_holds_what_planning_knows_and_no_more(name):
    patient = {"resourceType": "Patient", "gender": "male"}
    assert Bindings(snapshot(birth=None), vocabulary()).value(name) == patient
    assert Bindings(snapshot(), vocabulary()).value(name) == {**patient, "birthDate": "1976-05-01"}


def test_what_the_patients_sex_or_age_rules_out_is_shown_without_a_date():
    ruled_out = msgspec.structs.replace(fact("pregnancy", state="absent"), evidence=snapshot().patient.evidence)
    assert bind("pregnancy", ruled_out).shown == "absent"


def bind_where(concept, *facts, categories=ALL, **rule):
    """As `bind`, where a site's profile has another rule for the concept."""
    ours = vocabulary()
    theirs = {**ours.concepts, concept: msgspec.structs.replace(ours.concepts[concept], **rule)}
    found = snapshot(*facts, categories=categories)
    return Bindings(found, msgspec.structs.replace(ours, concepts=theirs)).binding(concept)


@pytest.mark.parametrize(
    ("concept", "needed"),
    [
        ("hypertension", {"Condition"}),
        ("metformin", {"MedicationRequest"}),
        ("metformin_allergy", {"AllergyIntolerance"}),
        ("retinal_screening", {"Procedure"}),
        ("family_diabetes", {"FamilyMemberHistory"}),
        ("pregnancy", {"Condition", "Observation"}),
    ],
)
def test_what_nobody_recorded_is_absent_only_where_all_of_its_places_were_read_whole(concept, needed):
    rule = {"when_absent": "absent"}
    assert bind_where(concept, categories=frozenset(needed), **rule).value is False
    for part in needed:
        assert bind_where(concept, categories=ALL - {part}, **rule).value is None


def test_a_measurement_without_plausible_bounds_or_a_unit_is_open_and_bare():
    found = bind_where("hba1c", fact("hba1c", "<7"), plausible=None)
    assert (found.value, found.shown) == (Interval(None, Decimal(7), high_open=True), "<7 % (2026-10-02)")
    found = bind_where("hba1c", fact("hba1c", ">7"), plausible=None)
    assert found.value == Interval(Decimal(7), None, low_open=True)
    assert bind_where("hba1c", fact("hba1c", "7"), unit=None).shown == "7 (2026-10-02)"


def test_a_concept_whose_name_ends_like_a_suffix_is_its_own():
    ours = vocabulary()
    own = msgspec.structs.replace(ours.concepts["metformin"], id="metformin_days", title="Days on metformin")
    theirs = msgspec.structs.replace(ours, concepts={**ours.concepts, "metformin_days": own})
    assert Bindings(snapshot(), theirs).binding("metformin_days").title == "Days on metformin"


def test_what_a_presence_was_read_from_stands_by_date_and_then_by_name():
    facts = [
        fact("metformin", date=date, id=name) for date, name in (("2026", "c"), ("2025", "b"), ("2025", "a"))
    ]
    assert references(bind("metformin", *facts)) == [f"MedicationRequest/{name}" for name in "abc"]


def test_a_doubt_that_is_too_old_is_no_statement_and_one_of_the_past_counts_for_ever():
    assert bind("pregnancy", fact("pregnancy", state="unknown", date="2020")).evidence == ()
    past = bind("angioedema_ever", fact("angioedema", state="unknown", active=False))
    assert past.gap == "Angioedema, ever: does it hold? What is recorded leaves it open."


def test_undated_only_a_condition_is_current_where_there_is_a_limit_of_age():
    limit = {"max_age_days": 365}
    assert bind_where("hypertension", fact("hypertension", date=None), **limit).value is True
    assert bind_where("metformin", fact("metformin", date=None), **limit).value is None


def test_a_status_without_a_limit_of_age_contradicts_itself_where_a_statement_has_no_date():
    no, undated = fact("pregnancy", state="absent", id="no"), fact("pregnancy", date=None)
    found = bind_where("pregnancy", no, undated, max_age_days=None)
    assert (found.value, found.gap) == (None, "Pregnancy: what holds now? The record says both.")


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
    open_now = bind("pregnancy", earlier, fact("pregnancy", state="unknown", date="2026-11-22", id="open"))
    assert (open_now.value, references(open_now)) == (None, ["Condition/open"])
    assert open_now.gap == "Pregnancy: does it hold? What is recorded leaves it open."
    assert bind("pregnancy", fact("pregnancy", state="unknown", date="2026-11-18"), earlier).value is False
    later = fact("pregnancy", date="2026-11-22")
    assert bind("pregnancy", fact("pregnancy", state="unknown", date="2026-11-20"), later).value is True


UNDATED = [fact("hba1c", "8.1", date=None, id="b"), fact("hba1c", "7.9", date=None, id="a")]
BOTH_WAYS = [fact("pregnancy"), fact("pregnancy", state="absent", id="no")]


@pytest.mark.parametrize(
    ("variable", "facts", "gap"),
    [
        ("hba1c", [], "Measure haemoglobin A1c (NGSP): no value is recorded."),
        (
            "hba1c",
            UNDATED,
            "Measure haemoglobin A1c (NGSP) again: what is recorded has no date.",
        ),
        (
            "hba1c",
            [fact("hba1c", "8.1", date="2020-05-06T10:00:00Z")],
            "Measure haemoglobin A1c (NGSP) again: the latest is of 2020-05-06 and too old to rely on.",
        ),
        ("metformin_days", [], "When was the latest: metformin? The record does not say."),
        ("frailty", [], "Does the patient have frailty? The record does not say."),
        (
            "angioedema_ever",
            [],
            "Does the patient have angioedema, ever? The record does not say.",
        ),
        (
            "metformin_allergy",
            [],
            "Is there allergy or intolerance to metformin? The record does not say.",
        ),
        (
            "family_diabetes",
            [],
            "Is there diabetes in a first-degree relative? The record does not say.",
        ),
        (
            "retinal_screening",
            [],
            "Was it done: diabetic retinopathy screening? The record does not say.",
        ),
        (
            "metformin",
            [fact("metformin", state="unknown")],
            "Metformin: does it hold? What is recorded leaves it open.",
        ),
        ("pregnancy", [], "Pregnancy: what holds now? The record does not say."),
        ("pregnancy", BOTH_WAYS, "Pregnancy: what holds now? The record says both."),
        (
            "smoking",
            [fact("smoking", date="2021", id="b"), fact("smoking", date="2020", id="a")],
            "Ask for tobacco smoking, current again: the latest is of 2021 and too old to rely on.",
        ),
    ],
)
def test_what_is_unknown_says_so_whole_with_its_question_and_all_it_was_read_from(variable, facts, gap):
    concept = variable.removesuffix("_days").removesuffix("_ever")
    assert bind(variable, *facts) == Binding(
        variable=variable,
        concept=concept,
        value=None,
        title=vocabulary().concepts[concept].title,
        shown="not known",
        gap=gap,
        evidence=tuple(found.evidence for found in facts),
    )


@pytest.mark.parametrize(
    ("variable", "facts", "value", "told"),
    [
        (
            "bmi",
            [fact("bmi", 31, date="2026-10-02T08:00:00Z")],
            Decimal(31),
            "Body mass index|31 kg/m2 (2026-10-02)|Measure body mass index exactly: what was recorded on 2026-10-02 does not decide this.",
        ),
        (
            "metformin_days",
            [fact("metformin", date="2026-11-20T08:00:00Z")],
            Decimal(4),
            "Time since metformin|(2026-11-20)|When was the latest: metformin? The record does not say.",
        ),
        (
            "metformin",
            [
                fact("metformin", date=None, id="b"),
                fact("metformin", date="2025"),
                fact("metformin", date="2026"),
            ],
            True,
            "Metformin|present (2026)|Does the patient take metformin? The record does not say.",
        ),
        (
            "angioedema_ever",
            [fact("angioedema", active=False)],
            True,
            "Angioedema, ever|present (2026-10-02)|Does the patient have angioedema, ever? The record does not say.",
        ),
        (
            "angioedema",
            [fact("angioedema", state="absent")],
            False,
            "Angioedema, ever|absent (2026-10-02)|Does the patient have angioedema, ever? The record does not say.",
        ),
        (
            "metformin",
            [],
            False,
            "Metformin|not recorded|Does the patient take metformin? The record does not say.",
        ),
    ],
)
def test_what_is_known_is_told_whole_with_its_date_and_all_it_was_read_from(variable, facts, value, told):
    title, shown, gap = told.split("|")
    assert bind(variable, *facts) == Binding(
        variable=variable,
        concept=variable.removesuffix("_days").removesuffix("_ever"),
        value=value,
        title=title,
        shown=shown,
        gap=gap,
        evidence=tuple(found.evidence for found in facts),
    )


def test_age_and_sex_are_told_whole_with_the_patient_they_were_read_from():
    patient = snapshot().patient.evidence
    known = {"variable": "age", "concept": "age", "title": "Age", "evidence": (patient,)}
    asked = "What is the patient's full date of birth?"
    assert bind("age") == Binding(**known, value=Decimal(50), shown="50 years", gap=asked)
    assert bind("age", birth=None) == Binding(**known, value=None, shown="not known", gap=asked)
    known = {"variable": "sex", "concept": "sex", "title": "Recorded sex", "evidence": (patient,)}
    asked = "What is the patient's sex?"
    assert bind("sex") == Binding(**known, value="male", shown="male", gap=asked)
    assert bind("sex", gender="unknown") == Binding(**known, value=None, shown="not known", gap=asked)


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
