"""What the linter says of a condition: what could guess, and where a policy for unknown is due."""

import pytest

from tests.unit.planner.linted import changed, in_condition


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("%age >=", "This is not FHIRPath"),
        ("%age >= 18 %egfr", "This is not FHIRPath"),
        ("%frailty.exists()", "turns 'unknown' into an answer"),
        ("%frailty.empty()", "turns 'unknown' into an answer"),
        ("%hba1c.exists()", "turns 'unknown' into an answer"),
        ("%metformin_days.exists()", "turns 'unknown' into an answer"),
        ("%age.exists()", "turns 'unknown' into an answer"),
        ("%pregnancy.exists()", "turns 'unknown' into an answer"),
        ("iif(%age > 18, true, false)", "'iif()' may not stand in a condition"),
        ("today() > @2026-01-01", "'today()' may not stand in a condition"),
        ("%age + 1 > 18", "not a comparison of one variable with one literal"),
        ("%age ~ 18", "not a comparison of one variable with one literal"),
        ("%hba1c > %egfr", "not a comparison of one variable with one literal"),
        ("Patient.active", "not a comparison of one variable with one literal"),
        ("%hba1c", "'%hba1c' is a number, not true or false"),
        ("%sex", "'%sex' is a text, not true or false"),
        ("%pregnancy > 7", "'%pregnancy' is a boolean and is compared with a number"),
        ("%hba1c > 'high'", "'%hba1c' is a number and is compared with a text"),
        ("%pregnancy_days = true", "'%pregnancy_days' is a number and is compared with a boolean"),
        ("%sex = 'f'", "'f' is no recorded sex"),
        ("%hba1c_ever", "There is no variable '%hba1c_ever'"),
    ],
)
def test_a_condition_that_could_guess_is_refused(expression, message):
    found = changed("plan.yaml", in_condition(expression=expression))
    assert [message in finding.message for finding in found].count(True) == 1


@pytest.mark.parametrize(
    "expression",
    [
        "%metformin.exists()",
        "%metformin_ever.empty()",
        "%sex = 'female'",
        "%pregnancy = true",
        "%frailty_ever or %dementia",
        "true",
        "%retinal_screening_days > 365",
    ],
)
def test_a_condition_that_cannot_guess_is_let_through(expression):
    assert changed("plan.yaml", in_condition(expression=expression)) == ()


def without_policy(content):
    del content["action"][0]["action"][0]["condition"][0]["extension"]


@pytest.mark.parametrize(
    ("expression", "needed"),
    [
        ("%age >= 18", True),
        ("%sex = 'male'", True),
        ("%hba1c < 7", True),
        ("%frailty", True),
        ("%pregnancy", True),
        ("%diabetic_foot_exam", True),
        ("%metformin_days > 30", True),
        ("%metformin", False),
        ("%metformin and %type_1_diabetes.not()", False),
        ("%hyperkalemia_ever", False),
        ("%metformin and %age >= 18", True),
    ],
)
def test_a_policy_for_unknown_is_asked_for_where_it_can_be(expression, needed):
    def change(content):
        in_condition(expression=expression)(content)
        without_policy(content)

    found = changed("plan.yaml", change)
    assert [f.message for f in found] == (
        ["The record may not decide this condition, and nothing says what then."] if needed else []
    )
