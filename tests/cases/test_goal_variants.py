"""Which variant of a goal a patient gets where its words alone tell it, and which banner stands first."""

import pytest

from tests.cases.test_clinical_cases import CASES, outcomes

CHOSEN = [
    ("a BRCA1 carrier of 32 without cancer", "breast-cancer-and-brca/goal/surveillance", "Yearly breast MRI and"),
    ("a survivor of 58, eighteen months", "breast-cancer-and-brca/goal/surveillance", "Yearly mammogram"),
    ("a frail survivor of 78", "breast-cancer-and-brca/goal/surveillance", "Breast imaging by individual"),
    ("a woman of 40 with moderate depression", "depression/goal/phq9", "PHQ-9 below 5 (remission); a fall"),
    ("a frail woman of 80 on an SSRI", "depression/goal/phq9", "PHQ-9 below 5 (remission), in small steps"),
    ("a woman of 40 with moderate depression", "depression/goal/safety", "A written crisis plan"),
    ("PHQ-9 of 4 with item 9 at 1", "depression/goal/safety", "Seen today"),
    (
        "a man of 70 with a delusional",
        "mental-health-template/goal/treatment-plan/goals",
        "GOALS: one for each problem, in the patient's words, with a supporter",
    ),
    (
        "a man of 35 with a post-traumatic",
        "mental-health-template/goal/treatment-plan/goals",
        "GOALS: one for each problem, in the patient's words (to be",
    ),
]


def plan_of(beginning):
    (found,) = [case for case in CASES if case.name.startswith(beginning)]
    return outcomes()[found.name].proposal


@pytest.mark.parametrize(("case", "key", "words"), CHOSEN, ids=[f"{case}: {key}" for case, key, _ in CHOSEN])
def test_a_patient_gets_the_variant_that_is_meant(case, key, words):
    (goal,) = [goal for goal in plan_of(case).goals if goal.key == key]
    assert goal.description.startswith(words)


RED = [
    ("a pregnant survivor of 38 on tamoxifen", {"breast-cancer-and-brca/action/pregnancy-endocrine": "asap"}),
    ("PHQ-9 of 4 with item 9 at 1", {"depression/action/suicide-risk-today": "stat"}),
    ("a girl of 15 with item 9 at 2", {"depression/action/suicide-risk-today": "stat"}),
    ("a boy of 9 with suicidal thoughts", {"depression/action/suicide-risk-recorded": "stat"}),
    ("a MAO inhibitor beside an SSRI", {"depression/action/maoi-interaction": "asap"}),
    ("a woman of 40 with moderate depression", {}),
    ("a pregnant woman of 35 on trastuzumab", {"targeted-therapy/action/pregnancy-today": "asap"}),
    ("a man of 60 on a PARP inhibitor", {"targeted-therapy/action/neutropenia-today": "stat"}),
    (
        "a woman of 30 with schizophrenia",
        {"mental-health-template/action/treatment-plan/suicide-risk-today": "stat"},
    ),
]


@pytest.mark.parametrize(("case", "flagged"), RED, ids=[case for case, _ in RED])
def test_a_patient_in_danger_gets_the_banner_and_the_first_line(case, flagged):
    plan = plan_of(case)
    assert {line.key: line.priority for line in plan.activities if line.red_flag} == flagged
    assert all(line.resource_kind == "ServiceRequest" for line in plan.activities if line.red_flag)


def test_targeted_therapy_never_prescribes():
    plans = [outcomes()[case.name].proposal for case in CASES if case.protocols == ("targeted-therapy",)]
    lines = [line for plan in plans for line in plan.activities]
    assert len(lines) > 20
    assert {line.resource_kind for line in lines} == {"ServiceRequest"}
    assert not [line for line in lines if line.medicines or line.dosage]


def test_each_goal_that_the_cases_word_is_worded_in_more_than_one_way():
    found: dict[str, set[str]] = {}
    for case in CASES:
        for protocol, goals in (case.expect.get("worded") or {}).items():
            for key, words in goals.items():
                found.setdefault(f"{protocol}/{key}", set()).add(words)
    assert found
    assert all(len(words) > 1 for words in found.values())
