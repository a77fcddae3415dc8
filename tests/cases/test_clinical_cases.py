"""The golden cases: for each patient exactly these goals, activities, restrictions, withheld lines and gaps."""

from functools import cache
from pathlib import Path

import msgspec
import pytest

from careplan_exchange import knowledge, planner
from careplan_exchange.authoring import read_cases, run_case
from careplan_exchange.authoring.facts import fact_of
from tests.cases.snapshots import protocol_documents, vocabulary

FOLDER = Path(__file__).parent / "clinical"
CASES = [
    case
    for path in sorted(FOLDER.glob("*.yaml"))
    for case in read_cases(knowledge.parse(path.name, path.read_bytes()), vocabulary())
]


@cache
def protocols() -> tuple[planner.Protocol, ...]:
    return planner.load_protocols(protocol_documents(), vocabulary())


def read_fact(written):
    return fact_of(written, vocabulary(), day="2026-10-02")


@cache
def outcomes():
    return {case.name: run_case(case, protocols(), vocabulary()) for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_patient_gets_exactly_these_lines(case):
    assert outcomes()[case.name].wrong == ()


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_every_line_has_a_reason_and_a_citation_and_evidence_that_stands_in_the_record(case):
    proposal = outcomes()[case.name].proposal
    known = {fact.evidence for fact in case.snapshot.facts} | {proposal.patient}
    for line in (*proposal.goals, *proposal.activities, *proposal.restrictions, *proposal.withheld):
        assert line.reasons, line.key
        assert all(reason.text and reason.rule for reason in line.reasons), line.key
        assert line.citations, line.key
        assert all(citation.url for citation in line.citations), line.key
    assert set(proposal.evidence) <= known
    assert set(proposal.addresses) <= known
    for line in proposal.not_applied:
        assert line.reasons, line.key


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_same_record_in_another_order_gives_the_same_plan(case):
    backwards = msgspec.structs.replace(case.snapshot, facts=case.snapshot.facts[::-1])
    other = run_case(msgspec.structs.replace(case, snapshot=backwards), protocols(), vocabulary())
    assert other.proposal == outcomes()[case.name].proposal


def test_every_case_says_why():
    assert len(CASES) >= 20
    assert all(case.why and case.name for case in CASES)
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("protocol", protocols(), ids=lambda protocol: protocol.id)
def test_every_action_of_the_protocol_is_proposed_in_some_case(protocol):
    cases = [case for case in CASES if protocol.id in case.protocols]
    found = [outcomes()[case.name].proposal for case in cases]
    seen = {line.key for each in found for line in (*each.activities, *each.withheld)}
    # What two protocols say alike stands once, under the key of the first.
    titles = {activity.title for each in found for activity in each.activities}
    every = [action for action in _all(protocol.actions) if action.definition is not None]
    assert not {action.key for action in every if action.title not in titles} - seen
    assert len(cases) >= 4


def _all(actions):
    for action in actions:
        yield action
        yield from _all(action.children)
