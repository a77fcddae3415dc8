"""The engine's cases: the rules of `$apply`, one by one, on plans of a few lines."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from careplan_exchange import knowledge, planner
from careplan_exchange.model.codec import encode
from careplan_exchange.model.proposal import ActivityProposal, Proposal
from careplan_exchange.planner.loading import compile_protocols
from tests.cases.snapshots import snapshot, vocabulary
from tests.cases.test_clinical_cases import read_fact

CASES = knowledge.parse("cases.yaml", (Path(__file__).parent / "apply" / "cases.yaml").read_bytes()).content

DETAILS_OF_AN_ACTIVITY: dict[str, Callable[[ActivityProposal], Any]] = {
    "questions": lambda activity: list(activity.questions),
    "titles": lambda activity: activity.title,
    "descriptions": lambda activity: activity.description,
    "priorities": lambda activity: activity.priority,
    "codes": lambda activity: [coding.code for coding in activity.codings],
    "frequencies": lambda activity: activity.timing["repeat"]["frequency"],
    "related": lambda activity: [r.text for r in activity.reasons if r.rule.startswith("relatedAction")],
    "last_reason": lambda activity: activity.reasons[-1].text,
    "reasons": lambda activity: [reason.text for reason in activity.reasons],
    "timings": lambda activity: activity.timing,
    "dosages": lambda activity: list(activity.dosage),
    "kinds": lambda activity: f"{activity.resource_kind} {activity.kind}",
}
DETAILS = {"gaps", "goal_texts", "goal_addresses", *DETAILS_OF_AN_ACTIVITY}


def written_out(node: Any) -> Any:
    """Conditions are written as an expression, or as [expression, policy, severity]."""
    if isinstance(node, list):
        return [written_out(item) for item in node]
    if not isinstance(node, dict):
        return node
    filled = {name: written_out(value) for name, value in node.items() if name != "condition"}
    if "condition" in node:
        filled["condition"] = [_condition(found) for found in node["condition"]]
    return filled


def _condition(found: Any) -> Any:
    if isinstance(found, dict):
        return found
    expression, *rest = [found] if isinstance(found, str) else found
    names = ("urn:careplan-exchange:unknown", "urn:careplan-exchange:safety")
    return {
        "kind": "applicability",
        "expression": {"language": "text/fhirpath", "expression": expression},
        "extension": [{"url": url, "valueCode": code} for url, code in zip(names, rest, strict=False)],
    }


def protocols_of(case: dict[str, Any]) -> tuple[planner.Protocol, ...]:
    plan = {"resourceType": "PlanDefinition", "status": "active", **written_out(case["plan"])}
    files = [("protocols/p/plan.json", plan)]
    files += [(f"protocols/p/{n}.json", written_out(d)) for n, d in enumerate(case.get("definitions", []))]
    return compile_protocols([knowledge.parse(name, encode(content)) for name, content in files])


def _details(name: str, wanted: dict[str, Any], proposal: Proposal) -> Any:
    if name == "gaps":
        return {gap.concept: list(gap.needed_by) for gap in proposal.gaps}
    if name == "goal_texts":
        return [goal.description for goal in proposal.goals]
    if name == "goal_addresses":
        return [[evidence.reference for evidence in goal.addresses] for goal in proposal.goals]
    read = DETAILS_OF_AN_ACTIVITY[name]
    return {activity.key: read(activity) for activity in proposal.activities if activity.key in wanted}


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_a_plan_comes_to_exactly_this(case):
    found = snapshot(*(read_fact(written) for written in case.get("facts", [])))
    proposal = planner.plan(found, protocols_of(case), vocabulary(), planner.Policies())
    expect = case["expect"]
    activities = {activity.key: activity for activity in proposal.activities}

    assert [protocol.title for protocol in proposal.protocols] == expect.get(
        "protocols", [case["plan"].get("title", "p")]
    )
    assert list(activities) == expect.get("activities", [])
    assert [goal.key for goal in proposal.goals] == expect.get("goals", [])
    assert [line.key for line in proposal.not_applied] == expect.get("not_applied", [])
    held = {line.key: "certain" if line.certain else "unknown" for line in proposal.withheld}
    assert held == expect.get("withheld", {})
    assert [issue.key for issue in proposal.issues] == expect.get("issues", [])
    assert {name: _details(name, expect[name], proposal) for name in DETAILS & expect.keys()} == {
        name: expect[name] for name in DETAILS & expect.keys()
    }
    for line in (*proposal.goals, *proposal.activities, *proposal.withheld, *proposal.not_applied):
        assert line.reasons, line.key


def test_every_case_says_why():
    assert all(case["why"] for case in CASES)
    assert len({case["case"] for case in CASES}) == len(CASES)


def test_every_behaviour_has_a_case_and_a_row_on_the_page():
    page = (Path(__file__).parents[2] / "docs" / "apply.md").read_text()
    table = page.split("## What of the specification is honoured")[1].split("\n## ")[0]
    rows = {line.split(" | ")[0].removeprefix("| ") for line in table.splitlines() if line.startswith("| ")}
    assert rows - {"element"} == {row for case in CASES for row in case.get("rows", [])}
