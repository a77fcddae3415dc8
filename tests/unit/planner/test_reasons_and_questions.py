"""What a reason says in words, with values and evidence, and what is asked where something is missing."""

import pytest

from careplan_exchange.model.proposal import Used
from tests.cases.snapshots import fact
from tests.unit.planner.plans import condition, plan_of


def reason_of(expression, *facts, **more):
    patient = {name: more.pop(name) for name in ("birth", "gender") if name in more}
    action = {"id": "a", "title": "A", "condition": [condition(expression, **more)]}
    proposal = plan_of({"id": "p", "action": [action, {"id": "b", "title": "B"}]}, facts=facts, **patient)
    lines = [*proposal.activities, *proposal.not_applied, *proposal.withheld]
    return next(line for line in lines if line.key == "p/action/a").reasons[0]


@pytest.mark.parametrize(
    ("expression", "facts", "text"),
    [
        ("%hba1c > 7", {"hba1c": "8.1"}, "Haemoglobin A1c (NGSP) 8.1 % (2026-10-02) is above 7 %."),
        ("%hba1c > 7", {"hba1c": "6.9"}, "Haemoglobin A1c (NGSP) 6.9 % (2026-10-02) is not above 7 %."),
        ("%hba1c >= 7", {"hba1c": "7.0"}, "Haemoglobin A1c (NGSP) 7.0 % (2026-10-02) is at or above 7 %."),
        ("%hba1c >= 7", {"hba1c": "6.9"}, "Haemoglobin A1c (NGSP) 6.9 % (2026-10-02) is below 7 %."),
        ("%hba1c < 7", {"hba1c": "6.9"}, "Haemoglobin A1c (NGSP) 6.9 % (2026-10-02) is below 7 %."),
        ("%hba1c < 7", {"hba1c": "7.0"}, "Haemoglobin A1c (NGSP) 7.0 % (2026-10-02) is not below 7 %."),
        ("%hba1c <= 7", {"hba1c": "7.0"}, "Haemoglobin A1c (NGSP) 7.0 % (2026-10-02) is at or below 7 %."),
        ("%hba1c <= 7", {"hba1c": "7.1"}, "Haemoglobin A1c (NGSP) 7.1 % (2026-10-02) is above 7 %."),
        ("%hba1c = 7", {"hba1c": "7.0"}, "Haemoglobin A1c (NGSP) 7.0 % (2026-10-02) is 7 %."),
        ("%hba1c = 7", {"hba1c": "7.1"}, "Haemoglobin A1c (NGSP) 7.1 % (2026-10-02) is not 7 %."),
        ("%hba1c != 7", {"hba1c": "7.1"}, "Haemoglobin A1c (NGSP) 7.1 % (2026-10-02) is not 7 %."),
        ("%hba1c != 7", {"hba1c": "7.0"}, "Haemoglobin A1c (NGSP) 7.0 % (2026-10-02) is 7 %."),
        (
            "%hba1c = 7",
            {"hba1c": "<8"},
            "Haemoglobin A1c (NGSP) <8 % (2026-10-02) does not show whether it is 7 %.",
        ),
        ("%hba1c > 7", {}, "Haemoglobin A1c (NGSP) is not known."),
        (
            "%hba1c > 7",
            {"hba1c": "<8"},
            "Haemoglobin A1c (NGSP) <8 % (2026-10-02) does not show whether it is above 7 %.",
        ),
        (
            "%egfr < 30",
            {"egfr": 22},
            "Estimated glomerular filtration rate 22 mL/min/1.73 m2 (2026-10-02) is below 30 mL/min/1.73 m2.",
        ),
        (
            "%systolic_bp > 130",
            {"systolic_bp": 150},
            "Systolic blood pressure 150 mmHg (2026-10-02) is above 130 mmHg.",
        ),
        ("%metformin", {"metformin": None}, "Metformin is present (2026-10-02)."),
        ("%metformin.not()", {}, "Metformin is not recorded."),
        ("%metformin = false", {}, "Metformin is not recorded."),
        ("%frailty", {}, "Frailty is not known."),
        ("%ace_inhibitor", {}, "ACE inhibitor is not recorded."),
        ("%age >= 18", {}, "Age 50 years is at or above 18 years."),
        ("%sex = 'male'", {}, "Recorded sex is male."),
        ("%sex = 'female'", {}, "Recorded sex male is not female."),
        (
            "%metformin_days > 30",
            {"metformin": None},
            "Time since metformin (2026-10-02) is above 30 days.",
        ),
        ("true", {}, "This always holds."),
        ("false", {}, "This never holds."),
        ("Patient.gender = 'male'", {}, "It is true that Patient.gender = 'male'."),
        ("Patient.gender = 'female'", {}, "It is not true that Patient.gender = 'female'."),
        ("%hba1c + 1 > 7", {}, "It is not known that %hba1c + 1 > 7."),
        # An `and` that is false tells its false side, a true `or` its true one; two that are alike both.
        ("%metformin and %insulin", {"metformin": None}, "Insulin is not recorded."),
        ("%metformin or %insulin", {"metformin": None}, "Metformin is present (2026-10-02)."),
        ("%metformin or %insulin", {}, "Metformin is not recorded; insulin is not recorded."),
        ("%metformin and %hba1c > 7", {"metformin": None}, "Haemoglobin A1c (NGSP) is not known."),
        ("%metformin or %hba1c > 7", {}, "Haemoglobin A1c (NGSP) is not known."),
        ("(%metformin or %insulin).not()", {}, "Metformin is not recorded; insulin is not recorded."),
        ("(%metformin or %insulin).not()", {"insulin": None}, "Insulin is present (2026-10-02)."),
        ("%metformin.not() and %insulin.not()", {"metformin": None}, "Metformin is present (2026-10-02)."),
        (
            "%metformin xor %insulin",
            {"metformin": None},
            "Metformin is present (2026-10-02); insulin is not recorded.",
        ),
        ("%metformin xor %frailty", {"metformin": None}, "Frailty is not known."),
        (
            "%metformin implies %insulin",
            {"metformin": None},
            "Metformin is present (2026-10-02); insulin is not recorded.",
        ),
        ("%frailty implies %metformin", {}, "Frailty is not known."),
        (
            "%metformin or (%insulin and %frailty.not())",
            {},
            "Metformin is not recorded; insulin is not recorded.",
        ),
    ],
)
def test_a_reason_is_told_in_words_with_the_values(expression, facts, text):
    found = reason_of(expression, *(fact(concept, value) for concept, value in facts.items()))
    assert found.text == text
    assert found.rule == expression


def test_a_description_stands_before_the_words():
    found = reason_of("%egfr >= 30", fact("egfr", 22), description="Metformin is contraindicated.")
    assert found.text == (
        "Metformin is contraindicated: estimated glomerular filtration rate 22 mL/min/1.73 m2 (2026-10-02) is below "
        "30 mL/min/1.73 m2."
    )


def test_a_description_keeps_its_words_before_more_than_one_of_ours():
    facts = [fact("metformin"), fact("insulin")]
    found = reason_of("%metformin and %insulin", *facts, description="Bleeds for want of factor X.")
    assert found.text == (
        "Bleeds for want of factor X: metformin is present (2026-10-02); insulin is present (2026-10-02)."
    )


def test_a_reason_names_every_variable_with_its_value_and_exact_evidence():
    hba1c = fact("hba1c", "8.1")
    found = reason_of("%hba1c > 7 and %frailty and %subject.exists()", hba1c)
    assert found.used == (
        Used(variable="hba1c", value="8.1 % (2026-10-02)", evidence=(hba1c.evidence,)),
        Used(variable="frailty", value="not known"),
    )
    assert found.result == "unknown"


@pytest.mark.parametrize(
    ("expression", "asked"),
    [
        ("%frailty or %dementia or (%hba1c > 7 and %metformin)", ["dementia", "frailty"]),
        ("%dementia or %frailty", ["dementia", "frailty"]),
        ("%hba1c + %egfr > 7", ["hba1c"]),
    ],
)
def test_what_is_known_or_does_not_matter_is_not_asked_for(expression, asked):
    action = {"id": "a", "title": "A", "condition": [condition(expression, "ask")]}
    (activity,) = plan_of({"id": "p", "action": [action]}, facts=[fact("egfr", 40)]).activities
    assert [gap.concept for gap in activity.missing] == asked
    assert len(activity.questions) == len(asked)
    assert list(activity.questions) == [gap.ask for gap in activity.missing]


@pytest.mark.parametrize(
    ("expression", "ask"),
    [
        ("%metformin and %metformin_days > 3", "Metformin: does it hold? What is recorded leaves it open."),
        ("%metformin_days > 3 and %metformin", "When was the latest: metformin? The record does not say."),
    ],
)
def test_of_two_questions_about_one_concept_the_first_in_the_condition_is_asked(expression, ask):
    action = {"id": "a", "title": "A", "condition": [condition(expression, "ask")]}
    proposal = plan_of({"id": "p", "action": [action]}, facts=[fact("metformin", state="unknown")])
    assert [(gap.concept, gap.ask) for gap in proposal.gaps] == [("metformin", ask)]


def test_a_gap_asks_only_for_what_the_answer_hangs_on():
    action = {"id": "a", "title": "A", "condition": [condition("%frailty or (%hba1c > 7 and %metformin)", "ask")]}
    proposal = plan_of({"id": "p", "action": [action]})
    assert [gap.concept for gap in proposal.gaps] == ["frailty"]
    whole = {
        "id": "a",
        "title": "A",
        "condition": [condition("%frailty.exists().not() and %hba1c + 1 > 7", "ask")],
    }
    assert [gap.concept for gap in plan_of({"id": "p", "action": [whole]}).gaps] == ["frailty", "hba1c"]


def test_a_condition_asks_its_own_question_where_one_thing_is_missing():
    one = {"id": "a", "title": "A", "condition": [condition("%pregnancy.not()", "ask", question="Is she?")]}
    two = {"id": "b", "title": "B", "condition": [condition("%frailty and %dementia", "ask", question="Is she?")]}
    proposal = plan_of({"id": "p", "action": [one, two]})
    assert proposal.activities[0].questions == ("Is she?",)
    assert proposal.activities[1].questions == (
        "Does the patient have dementia? The record does not say.",
        "Does the patient have frailty? The record does not say.",
    )


def test_ranges_that_are_too_many_to_reason_about_are_all_asked_for():
    ranges = ["bmi", "creatinine", "diastolic_bp", "egfr", "hba1c", "potassium", "systolic_bp", "uacr"]
    parts = [f"(%{name} >= 0 and %{name} <= 12 and %{name} != 20)" for name in ranges]
    for expression in (" and ".join(["true", *parts]), f"%metformin or ({' and '.join(parts)})"):
        action = {"id": "a", "title": "A", "condition": [condition(expression, "ask")]}
        facts = [fact("metformin"), *(fact(name, "0..12") for name in ranges)]
        (activity,) = plan_of({"id": "p", "action": [action]}, facts=facts).activities
        assert [gap.concept for gap in activity.missing] == ranges
        assert len(activity.questions) == len(ranges)


def test_a_question_asked_by_a_parent_is_asked_of_the_child():
    child = {"id": "c", "title": "C", "condition": [condition("%frailty", "ask")]}
    parent = {"id": "a", "title": "A", "condition": [condition("%pregnancy.not()", "ask")], "action": [child]}
    (activity,) = plan_of({"id": "p", "action": [parent]}).activities
    assert [gap.concept for gap in activity.missing] == ["frailty", "pregnancy"]
    assert len(activity.questions) == 2
    assert [reason.rule for reason in activity.reasons] == ["%pregnancy.not()", "%frailty"]


def test_a_part_that_cannot_be_evaluated_does_not_stop_the_telling():
    ranges = ["hba1c", "systolic_bp", "diastolic_bp", "egfr", "uacr", "potassium", "creatinine", "bmi"]
    parts = [f"(%{name} > 1 and %{name} < 9 and %{name} != 5)" for name in ranges]
    facts = [fact(name, "0..12") for name in ranges]
    found = reason_of(" and ".join([*parts, "%age > 'x'"]), *facts)
    assert found.result == "unknown"
    assert found.text.endswith("is not 5 kg/m2; age 50 years does not show whether it is above x.")
