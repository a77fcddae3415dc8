"""Patients with all protocols and the safety gate: what a person found who read whole plans, and must not come back.
What a clinician should read is in `combined/read.yaml`."""

import pytest

from careplan_exchange import planner
from tests.cases.combined.reading import patient_of, read
from tests.cases.snapshots import policies, vocabulary
from tests.cases.test_clinical_cases import protocols

CASES = read("read.yaml")["cases"]


def proposed(case):
    return planner.plan(patient_of(case), protocols(), vocabulary(), policies())


def line(proposal, key):
    return next(one for one in (*proposal.goals, *proposal.activities) if one.key == key)


def reasons(one):
    return " ".join(reason.text for reason in one.reasons)


def said(one):
    return " ".join((one.title, one.description, one.patient_text, *one.patient_texts.values()))


def kept(words, text):
    return [word for word in words if word in text]


def withheld(proposal, key):
    return next(one for one in proposal.withheld if one.key == key)


def often(activity):
    repeat = activity.timing["repeat"]
    return f"{repeat['frequency']} per {repeat['period']} {repeat['periodUnit']}"


# What each part of a case expects is read from the plan in the same shape, and compared as a whole.
READERS = {
    "has": lambda plan, keys: [key for key in keys if key in {one.key for one in plan.activities}],
    "gone": lambda plan, keys: [key for key in keys if key not in {one.key for one in plan.activities}],
    "goal-gone": lambda plan, keys: [key for key in keys if key not in {one.key for one in plan.goals}],
    "says": lambda plan, lines: {key: kept(words, reasons(line(plan, key))) for key, words in lines.items()},
    "text": lambda plan, lines: {key: kept(words, said(line(plan, key))) for key, words in lines.items()},
    "text-gone": lambda plan, lines: {
        key: [word for word in words if word not in said(line(plan, key))] for key, words in lines.items()
    },
    "timing": lambda plan, lines: {key: often(line(plan, key)) for key in lines},
    "conflicts": lambda plan, lines: {one.key: one.policy for one in plan.conflicts},
    "withheld-once": lambda plan, title: " and again ".join(
        one.title for one in plan.withheld if one.title == title
    ),
    "withheld-says": lambda plan, lines: {
        key: kept(words, reasons(withheld(plan, key))) for key, words in lines.items()
    },
    "detected": lambda plan, lines: {one.key: one.detail for one in plan.detected if one.key in lines},
    "red-flags": lambda plan, keys: [flag.key for flag in plan.red_flags],
    "startWith": lambda plan, keys: list(plan.start_with),
}


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_what_a_reader_found_does_not_come_back(case):
    proposal = proposed(case)
    expected = {name: wanted for name, wanted in case.items() if name in READERS}
    assert expected
    assert {name: READERS[name](proposal, wanted) for name, wanted in expected.items()} == expected


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_every_line_has_a_reason_and_a_source_and_stands_once(case):
    proposal = proposed(case)
    for one in (*proposal.goals, *proposal.activities, *proposal.restrictions, *proposal.withheld):
        assert one.reasons, one.key
        assert one.citations, one.key
    for lines in (proposal.goals, proposal.activities, proposal.restrictions):
        assert len({one.key for one in lines}) == len(lines)
    assert {goal for one in proposal.activities for goal in one.goals} <= {one.key for one in proposal.goals}


def test_every_case_says_why():
    for case in CASES:
        assert case["why"]
        assert not set(case) - set(READERS) - {"case", "why", "patient", "facts"}, case["case"]
