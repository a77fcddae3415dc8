"""The golden cases: for each patient exactly these goals, activities, restrictions, withheld lines and gaps."""

from functools import cache
from pathlib import Path
from typing import Any

import pytest

from careplan_exchange import knowledge, planner
from careplan_exchange.model.proposal import Proposal, Target
from tests.cases.snapshots import ALL, fact, protocol_documents, snapshot, vocabulary

FOLDER = Path(__file__).parent / "clinical"
SHARED = ["dietitian-referral", "physical-activity", "uacr", "egfr", "medication-review"]
T2DM = ["foot-exam", "retinal-screening", "foot-care-education", "self-management-education", "sugary-drinks"]
HYPERTENSION = ["home-monitoring", "measuring-education", "sodium", "alcohol"]
STANDING = {
    ("t2dm", "standing"): T2DM + SHARED,
    ("t2dm", "standing-beside-hypertension"): T2DM,
    ("hypertension", "standing"): [*HYPERTENSION, "dash-diet", *SHARED],
    ("hypertension", "standing-without-dash"): HYPERTENSION + SHARED,
}
CASES = [
    case
    for path in sorted(FOLDER.glob("*.yaml"))
    for case in knowledge.parse(path.name, path.read_bytes()).content
]


@cache
def protocols() -> tuple[planner.Protocol, ...]:
    return planner.load_protocols(protocol_documents(), vocabulary())


def read_fact(written: Any):
    if isinstance(written, str):
        return fact(written)
    (concept, value), *more = written.items()
    if value in {"absent", "present"}:
        return fact(concept, state=value, **dict(more))
    return fact(concept, value, **dict(more))


def proposed(case: dict[str, Any]) -> Proposal:
    facts = [read_fact(written) for written in case["facts"]]
    categories = frozenset(case.get("categories", ALL))
    found = snapshot(*facts, **case["patient"], categories=categories)
    return planner.plan(found, protocols(), vocabulary())


def shown(target: Target) -> str:
    low, high = ("" if bound is None else f"{bound:f}" for bound in (target.low, target.high))
    return f"{low}..{high} {target.unit}"


def keyed(lines: dict[str, Any], what: str) -> dict[str, Any]:
    return {f"{name}/{what}/{key}": value for name, inner in lines.items() for key, value in inner.items()}


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_a_patient_gets_exactly_these_lines(case):
    proposal = proposed(case)
    expect = case["expect"]

    assert {g.key: [shown(t) for t in g.targets] for g in proposal.goals} == keyed(
        expect.get("goals", {}), "goal"
    )
    assert sorted(activity.key for activity in proposal.activities) == sorted(
        f"{name}/action/{key}"
        for name, keys in expect.get("activities", {}).items()
        for written in keys
        for key in STANDING.get((name, written), [written])
    )
    assert [line.key for line in proposal.restrictions] == [
        f"{name}/avoid/{key}" for name, keys in expect.get("restrictions", {}).items() for key in keys
    ]
    assert {
        line.key: f"{'certain' if line.certain else 'unknown'} {line.severity}" for line in proposal.withheld
    } == keyed(expect.get("withheld", {}), "action")
    questions = {activity.key: list(activity.questions) for activity in proposal.activities if activity.questions}
    for key, wanted in keyed(expect.get("questions", {}), "action").items():
        assert questions[key] == wanted
    assert [gap.concept for gap in proposal.gaps] == expect.get("gaps", [])
    assert not [issue for issue in proposal.issues if issue.severity == "error"]


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_every_line_has_a_reason_and_a_citation_and_evidence_that_stands_in_the_record(case):
    proposal = proposed(case)
    known = {read_fact(written).evidence for written in case["facts"]} | {proposal.patient}
    for line in (*proposal.goals, *proposal.activities, *proposal.restrictions, *proposal.withheld):
        assert line.reasons, line.key
        assert all(reason.text and reason.rule for reason in line.reasons), line.key
        assert line.citations, line.key
        assert all(citation.url for citation in line.citations), line.key
    assert set(proposal.evidence) <= known
    assert set(proposal.addresses) <= known
    for line in proposal.not_applied:
        assert line.reasons, line.key


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_the_same_record_in_another_order_gives_the_same_plan(case):
    backwards = {**case, "facts": case["facts"][::-1]}
    assert proposed(backwards) == proposed(case)


def test_every_case_says_why():
    assert len(CASES) >= 20
    assert all(case["why"] and case["case"] for case in CASES)
    assert len({case["case"] for case in CASES}) == len(CASES)


def test_every_action_of_the_protocols_is_proposed_in_some_case():
    seen = {line.key for case in CASES for line in (*proposed(case).activities, *proposed(case).withheld)}
    gone = {"t2dm/action/" + name for name in SHARED}
    every = {
        action.key
        for protocol in protocols()
        for action in _all(protocol.actions)
        if action.definition is not None
    }
    assert every <= seen | gone


def _all(actions):
    for action in actions:
        yield action
        yield from _all(action.children)
