"""What goes with an activity that is held back, what is to be checked by hand, what a protocol withheld itself."""

import msgspec
import pytest

from careplan_exchange.model.issue import Issue
from careplan_exchange.model.proposal import Gap, Reason, Used, Withheld
from tests.cases.snapshots import ALL, fact, snapshot
from tests.support.gates import (
    CITATION,
    METFORMIN,
    PROTOCOL,
    activity,
    goal,
    keys,
    metformin,
    restriction,
    through,
)

WEIGHT = """
rules:
  - id: weight-loss-pregnancy
    hazard: pregnancy
    severity: high
    effect: withhold
    involves: [weight-loss]
    when: "%pregnancy"
    unknown: ask
    says: "Weight loss in pregnancy."
    mitigation: "Wait."
    source: s
"""


def test_what_an_activity_involves_is_held_back_with_its_goal_and_restriction():
    slim = activity("slim", involves=("weight-loss",), goals=("test/goal/weight",))
    plan = through(
        WEIGHT,
        snapshot(fact("pregnancy"), gender="female"),
        slim,
        goals=(goal("weight"), goal("other")),
        restrictions=(restriction("sugar", slim, "test/goal/weight"),),
    )
    assert keys(plan.withheld) == ["test/action/slim"]
    assert keys(plan.goals) == ["test/goal/other"]
    assert not plan.restrictions
    assert sorted(keys(plan.not_applied)) == ["test/avoid/sugar", "test/goal/weight"]
    assert all(line.reasons for line in plan.not_applied)


def test_a_goal_of_a_medicine_that_is_withheld_stays_and_a_person_is_told():
    plan = through(
        METFORMIN, snapshot(fact("egfr", "20")), metformin(goals=("test/goal/sugar",)), goals=(goal("sugar"),)
    )
    assert keys(plan.goals) == ["test/goal/sugar"]
    assert [issue.key for issue in plan.issues] == ["planner.safety.goal-unserved"]


def test_an_unknown_that_is_to_be_asked_puts_the_question_on_the_activity():
    plan = through(WEIGHT, snapshot(gender="female"), activity("slim", involves=("weight-loss",)))
    (left,) = plan.activities
    assert left.questions
    assert [gap.concept for gap in left.missing] == ["pregnancy"]
    assert [gap.concept for gap in plan.gaps] == ["pregnancy"]


def test_what_a_protocol_withheld_has_a_detected_issue_too():
    line = Withheld(
        key="p/action/x",
        protocol=PROTOCOL,
        title="X",
        severity="high",
        certain=True,
        detail="Not safe.",
        reasons=(),
        citations=(CITATION,),
    )
    plan = through(METFORMIN, snapshot(), withheld=(line,))
    assert [(found.key, found.action, found.detail) for found in plan.detected] == [
        ("p/action/x", "withheld", "Not safe.")
    ]


@pytest.mark.parametrize(
    ("key", "reference", "severity"),
    [
        ("mapping.code.no-concept", "AllergyIntolerance/a1", "information"),
        ("mapping.code.text-only", "AllergyIntolerance/a1", "information"),
        ("mapping.medication.unmapped", "MedicationRequest/m1", "warning"),
        ("mapping.resource.unreadable", "MedicationStatement/m2", "error"),
    ],
)
def test_an_entry_that_nobody_recognised_is_named_on_every_medicine(key, reference, severity):
    found = msgspec.structs.replace(
        snapshot(fact("egfr", "80")),
        issues=(Issue(severity=severity, code="x", key=key, detail="d", source=f"{reference}/_history/3"),),
    )
    plan = through(METFORMIN, found, metformin(), activity("walk", involves=("walking",)))
    medicine, walk = plan.activities
    assert len(medicine.questions) == 1
    assert reference in medicine.questions[0]
    assert not walk.questions


@pytest.mark.parametrize(
    ("key", "reference"),
    [
        ("mapping.medication.unmapped", "MedicationRequest/m1"),
        ("mapping.code.no-concept", "MedicationRequest/m1"),
        ("mapping.code.no-concept", "Condition/c1"),
    ],
)
def test_what_is_understood_or_over_is_not_asked_about(key, reference):
    found = msgspec.structs.replace(
        snapshot(fact("egfr", "80")),
        issues=(Issue(severity="information", code="x", key=key, detail="d", source=reference),),
    )
    assert not through(METFORMIN, found, metformin()).activities[0].questions


def test_a_list_that_was_not_read_whole_is_named_on_every_medicine():
    found = snapshot(fact("egfr", "80"), categories=ALL - {"AllergyIntolerance"})
    assert through(METFORMIN, found, metformin()).activities[0].questions == (
        "The allergy list was not read whole: check it by hand.",
    )


def test_a_medicine_that_the_rules_do_not_know_is_to_be_checked_by_hand():
    (left,) = through(METFORMIN, snapshot(), activity("novel", rxnorm="999999999")).activities
    assert left.questions == ("This medicine is not known to the safety rules: check it by hand.",)


def test_what_the_protocol_asks_already_is_not_asked_twice():
    asked = Gap(concept="pregnancy", ask="Is she pregnant?", needed_by=("test/action/slim",))
    slim = activity("slim", involves=("weight-loss",), questions=("Is she pregnant?",), missing=(asked,))
    (left,) = through(WEIGHT, snapshot(gender="female"), slim).activities
    assert left.questions == ("Is she pregnant?",)


@pytest.mark.parametrize(
    ("variable", "hazard"),
    [
        ("pregnancy", "pregnancy"),
        ("age", "age"),
        ("egfr", "drug-laboratory"),
        ("statin", "drug-drug"),
        ("metformin_allergy", "allergy"),
        ("hypertension", "drug-disease"),
    ],
)
def test_the_hazard_of_a_protocols_condition_is_told_by_what_it_looked_at(variable, hazard):
    why = Reason(text="t", rule="r", result="false", used=(Used(variable=variable, value="v"),))
    line = Withheld(
        key="p/action/x", protocol=PROTOCOL, title="X", severity="high", certain=False, detail="d",
        reasons=(why,), citations=(CITATION,),
    )  # fmt: skip
    (found,) = through(METFORMIN, snapshot(), withheld=(line,)).detected
    assert found.hazard == hazard
    assert not found.certain


def test_a_goal_that_another_activity_serves_stays_without_a_word():
    slim = activity("slim", involves=("weight-loss",), goals=("test/goal/weight",))
    walk = activity("walk", involves=("walking",), goals=("test/goal/weight",))
    plan = through(WEIGHT, snapshot(fact("pregnancy"), gender="female"), slim, walk, goals=(goal("weight"),))
    assert keys(plan.goals) == ["test/goal/weight"]
    assert not plan.issues


def test_a_goal_of_an_activity_that_is_the_hazard_goes_and_nobody_is_told_to_find_another_way():
    slim = activity("slim", involves=("weight-loss",), goals=("test/goal/weight",))
    plan = through(WEIGHT, snapshot(fact("pregnancy"), gender="female"), slim, goals=(goal("weight"),))
    assert not plan.goals
    assert keys(plan.not_applied) == ["test/goal/weight"]
    assert not plan.issues


def test_a_restriction_goes_with_its_counselling_and_its_goal_stays_where_another_serves_it():
    counsel = metformin(goals=("test/goal/sugar",))
    other = activity("other", involves=("walking",), goals=("test/goal/sugar",))
    more = {"goals": (goal("sugar"),), "restrictions": (restriction("sugar", counsel, "test/goal/sugar"),)}
    alone = through(METFORMIN, snapshot(fact("egfr", "20")), counsel, **more)
    assert sorted(keys(alone.not_applied)) == ["test/avoid/sugar", "test/goal/sugar"]
    assert not alone.issues
    served = through(METFORMIN, snapshot(fact("egfr", "20")), counsel, other, **more)
    assert keys(served.not_applied) == ["test/avoid/sugar"]
    assert keys(served.goals) == ["test/goal/sugar"]
