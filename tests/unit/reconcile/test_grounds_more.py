"""What counts as another reason, and what does not."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from careplan_exchange.model.proposal import Proposal
from careplan_exchange.reconcile.grounds import ground_of_plan, grounds_of
from tests.support.plans import a_proposal

PROPOSAL = a_proposal()
GOAL = PROPOSAL.goals[0]
METFORMIN, TEST = PROPOSAL.activities[:2]
ISSUE = PROPOSAL.detected[0]
WHY = GOAL.reasons[0]
replace = msgspec.structs.replace


def digest(line: Any, **changes: Any) -> str:
    """Of one line, with other values in it."""
    (name,) = [each for each in ("goals", "activities", "detected") if line in getattr(PROPOSAL, each)]
    return grounds_of(replace(PROPOSAL, **{name: (replace(line, **changes),)}))[line.key].digest


def test_every_goal_activity_and_detected_issue_has_a_reason_by_its_key():
    lines = (*PROPOSAL.goals, *PROPOSAL.activities, *PROPOSAL.detected)
    grounds = grounds_of(PROPOSAL)
    assert set(grounds) == {line.key for line in lines}
    assert len({ground.digest for ground in grounds.values()}) == len(lines)
    assert {len(ground.digest) for ground in grounds.values()} == {20}


def other_reason(**changes: Any) -> tuple[Any, ...]:
    return (replace(WHY, **changes),)


@pytest.mark.parametrize(
    ("line", "changes"),
    [
        (GOAL, {"protocol": replace(GOAL.protocol, version="2.0.0")}),
        (GOAL, {"reasons": other_reason(rule="%hba1c > 8")}),
        (GOAL, {"reasons": other_reason(result="unknown")}),
        (GOAL, {"reasons": (WHY, *other_reason(rule="other"))}),
        (GOAL, {"targets": (replace(GOAL.targets[0], high=Decimal("6.5")),)}),
        (GOAL, {"targets": (replace(GOAL.targets[0], low=Decimal(4)),)}),
        (GOAL, {"targets": (replace(GOAL.targets[0], unit="mmol/mol"),)}),
        (GOAL, {"targets": (replace(GOAL.targets[0], measure=METFORMIN.codings[0]),)}),
        (GOAL, {"targets": ()}),
        (METFORMIN, {"kind": "monitoring"}),
        (METFORMIN, {"priority": "urgent"}),
        (METFORMIN, {"codings": TEST.codings}),
        (METFORMIN, {"timing": TEST.timing}),
        (METFORMIN, {"dosage": ({"text": "500 mg"},)}),
        (TEST, {"timing": {"repeat": {"frequency": 2, "period": 3, "periodUnit": "mo"}}}),
        (TEST, {"timing": None}),
        (ISSUE, {"rule": "other"}),
        (ISSUE, {"action": "other"}),
        (ISSUE, {"reasons": other_reason(rule="other")}),
    ],
)
def test_another_rule_result_or_proposal_is_another_reason(line, changes):
    assert digest(line, **changes) != digest(line)


@pytest.mark.parametrize(
    ("line", "changes"),
    [
        (GOAL, {"description": "worded otherwise", "priority": "low-priority", "citations": ()}),
        (GOAL, {"reasons": other_reason(text="HbA1c 8.4 %", used=())}),
        (GOAL, {"targets": (replace(GOAL.targets[0], high=Decimal(7), due=None),)}),
        (METFORMIN, {"title": "Another", "description": "Another", "goals": ()}),
        (TEST, {"reasons": other_reason(text="HbA1c 8.4 %", used=())}),
    ],
)
def test_other_words_values_or_days_are_the_same_reason(line, changes):
    assert digest(line, **changes) == digest(line)


def test_the_order_of_reasons_says_nothing():
    other = replace(WHY, rule="a", text="Other.")
    assert digest(GOAL, reasons=(WHY, other)) == digest(GOAL, reasons=(other, WHY))


def test_a_person_is_told_what_holds_once_and_by_which_protocol():
    reasons = (
        WHY,
        WHY,
        replace(WHY, rule="x", text="Not so.", result="false"),
        replace(WHY, rule="y", text="Also."),
    )
    proposal = replace(PROPOSAL, goals=(replace(GOAL, reasons=reasons),))
    assert grounds_of(proposal)[GOAL.key].because == (
        WHY.text,
        "Also.",
        f"{GOAL.protocol.title}, version 1.0.0.",
    )
    of_issue = grounds_of(replace(PROPOSAL, detected=(replace(ISSUE, reasons=(WHY,)),)))[ISSUE.key]
    assert of_issue.because == (WHY.text,)


def of_plan(proposal: Proposal) -> str:
    return ground_of_plan(grounds_of(proposal), proposal).digest


def test_the_reason_of_the_plan_is_that_of_its_goals_and_activities_in_whatever_order():
    whole = of_plan(PROPOSAL)
    turned = replace(PROPOSAL, goals=PROPOSAL.goals[::-1], activities=PROPOSAL.activities[::-1])
    assert of_plan(turned) == whole
    assert of_plan(replace(PROPOSAL, detected=())) == whole
    assert of_plan(replace(PROPOSAL, goals=PROPOSAL.goals[1:])) != whole
    assert of_plan(replace(PROPOSAL, activities=PROPOSAL.activities[1:])) != whole
    assert of_plan(replace(PROPOSAL, goals=(replace(GOAL, targets=()), *PROPOSAL.goals[1:]))) != whole


def test_the_plan_is_there_because_of_its_protocols():
    ground = ground_of_plan(grounds_of(PROPOSAL), PROPOSAL)
    assert ground.because == (f"{GOAL.protocol.title}, version 1.0.0.",)
