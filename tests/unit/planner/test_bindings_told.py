"""What a variable holds of days, age and sex, and how each is told: title, words, question and evidence."""

from datetime import date
from decimal import Decimal

import msgspec
import pytest

from careplan_exchange.planner.bindings import Bindings
from careplan_exchange.planner.expressions import EvaluationError
from careplan_exchange.planner.intervals import Interval
from careplan_exchange.planner.variables import Binding
from tests.cases.snapshots import fact, snapshot, vocabulary
from tests.unit.planner.bound import bind


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


def test_a_concept_whose_name_ends_like_a_suffix_is_its_own():
    ours = vocabulary()
    own = msgspec.structs.replace(ours.concepts["metformin"], id="metformin_days", title="Days on metformin")
    theirs = msgspec.structs.replace(ours, concepts={**ours.concepts, "metformin_days": own})
    assert Bindings(snapshot(), theirs).binding("metformin_days").title == "Days on metformin"


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
