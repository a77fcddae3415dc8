"""Patients with several diseases and with lives of their own: the one plan that they get. What a clinician should
read is in `combined/*.yaml`."""

import pytest

from careplan_exchange.authoring.cases import target_as_written as shown
from careplan_exchange.model.burden import in_words
from tests.cases.combined.reading import FOLDER, proposed, read
from tests.cases.snapshots import policies

CASES = [case for name in ("diseases", "circumstances") for case in read(f"{name}.yaml")["cases"]]


def line(proposal, key):
    return next(one for one in (*proposal.goals, *proposal.activities, *proposal.restrictions) if one.key == key)


def activities(proposal):
    return [one.key for one in proposal.activities]


def goal(proposal, key):
    """Its targets; "absent" where it is told of as no goal of this plan."""
    found = [one for one in proposal.goals if one.key == key]
    if not found and key in {one.key for one in proposal.not_applied}:
        return "absent"
    return [shown(target) for target in found[0].targets]


def said(proposal, key, words):
    reasons = " ".join(reason.text for reason in line(proposal, key).reasons)
    return [word for word in words if word in reasons]


# What each part of a case expects is read from the plan in the same shape, and compared as a whole.
READERS = {
    "has": lambda plan, keys: [key for key in keys if key in activities(plan)],
    "gone": lambda plan, keys: [key for key in keys if key not in activities(plan)],
    "goals": lambda plan, goals: {key: goal(plan, key) for key in goals},
    "avoid": lambda plan, lines: {key: line(plan, key).avoid for key in lines},
    "withheld": lambda plan, lines: {one.key: one.severity for one in plan.withheld},
    "conflicts": lambda plan, lines: {one.key: one.policy for one in plan.conflicts},
    "barriers": lambda plan, lines: {one.key: f"{one.outcome} {one.by or ''}".strip() for one in plan.barriers},
    "questions": lambda plan, lines: {key: list(line(plan, key).questions) for key in lines},
    "says": lambda plan, lines: {key: said(plan, key, words) for key, words in lines.items()},
    "sources": lambda plan, lines: {key: [one.label for one in line(plan, key).citations] for key in lines},
    "order": lambda plan, keys: activities(plan),
    "startWith": lambda plan, keys: list(plan.start_with),
    "takes": lambda plan, words: in_words(plan.burden),
    "issues": lambda plan, keys: [issue.key for issue in plan.issues],
    "wishes": lambda plan, words: [wish.text for wish in plan.wishes],
}


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_a_patient_with_several_diseases_gets_this_plan(case):
    proposal = proposed(case)
    expected = {name: wanted for name, wanted in case.items() if name in READERS}
    assert {name: READERS[name](proposal, wanted) for name, wanted in expected.items()} == expected


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_every_line_of_a_combined_plan_has_a_reason_and_a_source_and_names_what_stands(case):
    proposal = proposed(case)
    goals = {goal.key for goal in proposal.goals}
    activities = {activity.key for activity in proposal.activities}
    known = goals | activities | {line.key for line in (*proposal.not_applied, *proposal.withheld)}
    for line in (*proposal.goals, *proposal.activities, *proposal.restrictions, *proposal.withheld):
        assert line.reasons, line.key
        assert line.citations, line.key
    for activity in proposal.activities:
        assert set(activity.goals) <= goals, activity.key
    for line in proposal.restrictions:
        assert line.goal in goals
        assert line.activity in activities
    for conflict in proposal.conflicts:
        assert conflict.text
        assert conflict.citations
    for barrier in proposal.barriers:
        assert barrier.reasons
        assert barrier.by is None or barrier.by in activities
        assert set(barrier.lines) <= known
    assert set(proposal.start_with) <= activities
    assert len(activities) == len(proposal.activities)
    assert len(goals) == len(proposal.goals)


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_the_order_of_the_protocols_does_not_matter(case):
    assert proposed({**case, "plans": case["plans"][::-1]}) == proposed(case)


def test_every_case_says_why_and_expects_something():
    assert len(CASES) >= 30
    for case in CASES:
        assert case["why"]
        assert set(READERS) & set(case), case["case"]
        assert not set(case) - set(READERS) - {"case", "why", "plans", "patient", "facts", "language"}, case[
            "case"
        ]
    assert len({case["case"] for case in CASES}) == len(CASES)
    assert {path.name for path in FOLDER.glob("*.yaml")} == {
        "plans.yaml",
        "diseases.yaml",
        "circumstances.yaml",
        "read.yaml",
    }


def test_every_rule_is_at_work_in_some_case():
    plans = [proposed(case) for case in CASES]
    seen = {one.key for plan in plans for one in (*plan.conflicts, *plan.barriers)}
    rules = policies()
    conflicts = {f"combine/conflict/{rule.id}" for rule in rules.combining.conflicts}
    choices = {f"combine/choice/{choice.id}" for choice in rules.combining.choices}
    barriers = {
        f"circumstances/{row.id}/{number}"
        for row in rules.circumstances.circumstances
        for number in range(1, len(row.changes) + 1)
    }
    assert not (conflicts | choices | barriers) - seen
    helps = {line.key for plan in plans for line in plan.activities if line.key.startswith("circumstances/")}
    assert {f"circumstances/action/{each.id}" for each in rules.circumstances.activities} == helps
