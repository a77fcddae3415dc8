"""Unknown through nested actions: every answer of a parent and of its child, under every policy of both."""

from itertools import product

import pytest

from tests.cases.snapshots import fact
from tests.unit.planner.plans import condition, plan_of

ANSWERS = ("true", "false", "unknown")
POLICIES = ("ask", "withhold", "go-on", "leave-out")
FACTS = {"true": "present", "false": "absent"}


def status(answer, policy):
    """What becomes of an action by itself."""
    if answer == "unknown":
        return {"ask": "proposed", "go-on": "proposed", "withhold": "withheld", "leave-out": "not-applied"}[
            policy
        ]
    return "proposed" if answer == "true" else "not-applied"


def facts(**answers):
    return [fact(name, state=FACTS[answer]) for name, answer in answers.items() if answer != "unknown"]


def table(levels):
    return list(product(ANSWERS, POLICIES, repeat=levels))


def lines(proposal):
    found = {line.key: "proposed" for line in proposal.activities}
    found |= {line.key: "withheld" for line in proposal.withheld}
    found |= {line.key: "not-applied" for line in proposal.not_applied}
    return found


@pytest.mark.parametrize(("parent", "parent_policy", "child", "child_policy"), table(2))
def test_a_child_stands_only_under_a_parent_that_stands(parent, parent_policy, child, child_policy):
    inner = {"id": "c", "title": "C", "condition": [condition("%pregnancy", child_policy)]}
    outer = {"id": "p", "title": "P", "condition": [condition("%frailty", parent_policy)], "action": [inner]}
    free = {"id": "x", "title": "X"}  # so that the protocol applies
    proposal = plan_of({"id": "q", "action": [outer, free]}, facts=facts(frailty=parent, pregnancy=child))
    found = lines(proposal)
    above = status(parent, parent_policy)
    below = status(child, child_policy)
    assert found.get("q/action/p") == (None if above == "proposed" else above)  # a group is no line of its own
    assert found.get("q/action/c") == (below if above == "proposed" else None)
    needed = {gap.concept: gap.needed_by for gap in proposal.gaps}
    assert ("frailty" in needed) is (parent == "unknown")
    assert ("pregnancy" in needed) is (above == "proposed" and child == "unknown")
    for line in proposal.activities:
        if line.key == "q/action/c":
            asked = [
                answer == "unknown" and policy == "ask"
                for answer, policy in ((parent, parent_policy), (child, child_policy))
            ]
            assert len(line.questions) == sum(asked)
            assert {gap.concept for gap in line.missing} == set(needed)


@pytest.mark.parametrize(
    ("expression", "frailty", "pregnancy", "wanted"),
    [
        ("(%frailty or %pregnancy) and %age > 18", "unknown", "true", "proposed"),
        ("(%frailty or %pregnancy) and %age > 18", "unknown", "false", "not-applied"),
        ("(%frailty or %pregnancy) and %age > 99", "unknown", "unknown", "not-applied"),
        ("(%frailty and %pregnancy).not()", "unknown", "false", "proposed"),
        ("(%frailty and %pregnancy).not()", "unknown", "true", "not-applied"),
        ("%frailty implies %pregnancy", "unknown", "true", "proposed"),
        ("%frailty implies %pregnancy", "unknown", "false", "not-applied"),
        ("%frailty implies %pregnancy", "false", "unknown", "proposed"),
        ("(%frailty implies %pregnancy).not()", "true", "false", "proposed"),
        ("%frailty xor %pregnancy", "true", "unknown", "not-applied"),
        ("(%frailty xor %pregnancy) or %age > 18", "true", "unknown", "proposed"),
        ("(%frailty.not() and %pregnancy.not()).not()", "true", "unknown", "proposed"),
    ],
)
def test_nested_operators_carry_unknown_as_far_as_it_matters(expression, frailty, pregnancy, wanted):
    plan = {
        "id": "q",
        "action": [{"id": "a", "title": "A", "condition": [condition(expression)]}, {"id": "x", "title": "X"}],
    }
    proposal = plan_of(plan, facts=facts(frailty=frailty, pregnancy=pregnancy))
    assert lines(proposal)["q/action/a"] == wanted


def test_unknown_goes_through_a_nested_plan():
    inner = {
        "resourceType": "PlanDefinition",
        "url": "urn:n",
        "action": [{"id": "x", "title": "X", "condition": [condition("%pregnancy", "withhold")]}],
    }
    outer = {
        "id": "q",
        "action": [{"id": "a", "condition": [condition("%frailty", "ask")], "definitionCanonical": "urn:n"}],
    }
    proposal = plan_of(outer, definitions=[inner])
    assert lines(proposal) == {"q/action/a/x": "withheld"}
    assert [gap.concept for gap in proposal.gaps] == ["frailty", "pregnancy"]
