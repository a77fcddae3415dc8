"""What counts as the reason of a line, and what does not."""

from datetime import date
from decimal import Decimal

import msgspec
import pytest

from careplan_exchange.model.detected import DetectedIssue
from careplan_exchange.model.grounds import Reason, Used
from careplan_exchange.model.proposal import ActivityProposal, GoalProposal, Proposal, ProtocolRef, Target
from careplan_exchange.model.snapshot import Coding, Evidence
from careplan_exchange.reconcile import ground_of_plan, grounds_of

PROTOCOL = ProtocolRef(url="http://example.org/t2dm", version="1.0.0", title="Type 2 diabetes")
REASON = Reason(
    text="HbA1c is 8.1 %",
    rule="%hba1c > 7",
    result="true",
    used=(
        Used(variable="hba1c", value="8.1 %", evidence=(Evidence(reference="Observation/1", version_id="1"),)),
    ),
)
A1C = Coding(system="http://loinc.org", code="4548-4", display="HbA1c")
TARGET = Target(measure=A1C, unit="%", high=Decimal("7.0"), due=date(2027, 2, 1))
GOAL = GoalProposal(
    key="goal",
    protocol=PROTOCOL,
    description="HbA1c below 7 %",
    patient_text="Your sugar",
    category="physiologic",
    priority="high-priority",
    start=date(2026, 11, 24),
    reasons=(REASON, Reason(text="Not pregnant", rule="%pregnant.not()", result="false")),
    citations=(),
    targets=(TARGET,),
)
ACTIVITY = ActivityProposal(
    key="walk",
    protocol=PROTOCOL,
    kind="lifestyle",
    resource_kind="ServiceRequest",
    title="Walk",
    description="Half an hour a day",
    patient_text="Go for a walk",
    priority="routine",
    reasons=(REASON,),
    citations=(),
    codings=(Coding(system="http://snomed.info/sct", code="129006008"),),
    timing={"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}},
    dosage=({"text": "once"},),
)
ISSUE = DetectedIssue(
    key="issue",
    rule="rule-1",
    hazard="kidney",
    severity="high",
    action="warned",
    certain=True,
    title="Kidney",
    detail="Too much",
    mitigation="Less",
    reasons=(REASON,),
    citations=(),
)
OTHER_VALUE = msgspec.structs.replace(
    REASON,
    text="HbA1c is 9 %",
    used=(Used(variable="hba1c", value="9 %", evidence=(Evidence(reference="Observation/2"),)),),
)


def proposal(*lines):
    return Proposal(
        patient=Evidence(reference="Patient/1"),
        as_of=date(2026, 11, 24),
        protocols=(PROTOCOL,),
        goals=tuple(line for line in lines if isinstance(line, GoalProposal)),
        activities=tuple(line for line in lines if isinstance(line, ActivityProposal)),
        detected=tuple(line for line in lines if isinstance(line, DetectedIssue)),
        restrictions=(),
        withheld=(),
        not_applied=(),
        gaps=(),
    )


def digest(line):
    return grounds_of(proposal(line))[line.key].digest


SAME = [
    (GOAL, {"reasons": (OTHER_VALUE, GOAL.reasons[1])}),
    (GOAL, {"reasons": GOAL.reasons[::-1]}),
    (GOAL, {"description": "Otherwise", "patient_text": "Otherwise", "start": date(2027, 1, 1)}),
    (GOAL, {"targets": (msgspec.structs.replace(TARGET, high=Decimal(7), due=date(2028, 1, 1)),)}),
    (ACTIVITY, {"title": "Otherwise", "description": "Otherwise", "reasons": (OTHER_VALUE,)}),
    (ACTIVITY, {"codings": (Coding(system="http://snomed.info/sct", code="129006008", display="Walking"),)}),
    (ISSUE, {"title": "Otherwise", "detail": "Otherwise", "reasons": (OTHER_VALUE,)}),
]
OTHER = [
    (GOAL, {"reasons": GOAL.reasons[:1]}),
    (GOAL, {"reasons": (msgspec.structs.replace(REASON, result="unknown"), GOAL.reasons[1])}),
    (GOAL, {"reasons": (msgspec.structs.replace(REASON, rule="%hba1c > 8"), GOAL.reasons[1])}),
    (GOAL, {"protocol": msgspec.structs.replace(PROTOCOL, version="1.0.1")}),
    (GOAL, {"targets": ()}),
    (GOAL, {"targets": (msgspec.structs.replace(TARGET, high=Decimal("6.5")),)}),
    (GOAL, {"targets": (msgspec.structs.replace(TARGET, low=Decimal("6.5")),)}),
    (GOAL, {"targets": (msgspec.structs.replace(TARGET, unit="mmol/mol"),)}),
    (GOAL, {"targets": (msgspec.structs.replace(TARGET, measure=Coding(system="http://loinc.org", code="1")),)}),
    (ACTIVITY, {"protocol": msgspec.structs.replace(PROTOCOL, url="http://example.org/other")}),
    (ACTIVITY, {"reasons": ()}),
    (ACTIVITY, {"kind": "diet"}),
    (ACTIVITY, {"priority": "urgent"}),
    (ACTIVITY, {"codings": ()}),
    (ACTIVITY, {"timing": None}),
    (ACTIVITY, {"dosage": ()}),
    (ISSUE, {"rule": "rule-2"}),
    (ISSUE, {"hazard": "liver"}),
    (ISSUE, {"severity": "low"}),
    (ISSUE, {"action": "withheld"}),
    (ISSUE, {"reasons": ()}),
]


@pytest.mark.parametrize(("line", "changed"), SAME)
def test_other_values_words_and_days_are_the_same_reason(line, changed):
    assert digest(msgspec.structs.replace(line, **changed)) == digest(line)


@pytest.mark.parametrize(("line", "changed"), OTHER)
def test_another_rule_result_protocol_or_proposal_is_another_reason(line, changed):
    assert digest(msgspec.structs.replace(line, **changed)) != digest(line)


def test_the_sentences_are_those_of_the_reasons_that_hold_and_the_protocol():
    grounds = grounds_of(proposal(GOAL, ACTIVITY, ISSUE))

    assert grounds["goal"].because == ("HbA1c is 8.1 %", "Type 2 diabetes, version 1.0.0.")
    assert grounds["walk"].because == ("HbA1c is 8.1 %", "Type 2 diabetes, version 1.0.0.")
    assert grounds["issue"].because == ("HbA1c is 8.1 %",)


def whole(*lines):
    made = proposal(*lines)
    return ground_of_plan(grounds_of(made), made)


def test_the_reason_of_a_plan_is_that_of_its_lines_in_whatever_order():
    second = msgspec.structs.replace(ACTIVITY, key="swim", kind="diet")

    assert whole(ACTIVITY, second).digest == whole(second, ACTIVITY).digest
    assert whole(GOAL, ACTIVITY, ISSUE).digest == whole(GOAL, ACTIVITY).digest
    assert len({whole(GOAL, ACTIVITY).digest, whole(GOAL).digest, whole(ACTIVITY).digest, whole().digest}) == 4
    assert whole(GOAL).because == ("Type 2 diabetes, version 1.0.0.",)
