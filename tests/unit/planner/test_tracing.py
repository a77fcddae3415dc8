"""Why each line is in the plan or is not, with its values, and what would change that."""

import pytest

from careplan_exchange import planner
from tests.cases.snapshots import fact, protocol_documents, snapshot, vocabulary
from tests.unit.planner.plans import compiled_of, condition, definition

DEFINITION = definition("urn:d", title="Do it")


def explained(*plans, facts=(), definitions=(DEFINITION,), **patient):
    protocols = compiled_of(*plans, definitions=definitions)
    return of_protocols(protocols, snapshot(*facts, **patient))


def of_protocols(protocols, found):
    proposal = planner.plan(found, protocols, vocabulary(), planner.Policies())
    items = planner.trace(proposal, found, protocols, vocabulary(), planner.Policies()).items
    return proposal, {item.key: item for item in items}


def one(*conditions, **more):
    action = {"id": "x", "definitionCanonical": "urn:d", "condition": list(conditions), **more}
    return {"id": "p", "action": [{"id": "top", "condition": [condition("%hypertension")], "action": [action]}]}


def test_a_condition_shows_its_rule_its_values_with_version_and_its_result():
    _, items = explained(one(condition("%egfr >= 30")), facts=[fact("hypertension"), fact("egfr", "45")])
    item = items["p/action/x"]
    (found,) = item.conditions
    assert (found.rule, found.result) == ("%egfr >= 30", "true")
    assert [(u.variable, [(e.reference, e.version_id) for e in u.evidence]) for u in found.used] == [
        ("egfr", [("Observation/egfr", "1")])
    ]
    assert [above.rule for above in item.above] == ["%hypertension"]
    assert item.status == "proposed"
    assert item.change == (
        "hypertension absent (now present (2026-10-02))",
        "estimated glomerular filtration rate below 30 mL/min/1.73 m2 (now 45 mL/min/1.73 m2 (2026-10-02))",
    )


def test_why_not_names_the_value_and_what_it_would_have_to_be():
    _, items = explained(one(condition("%egfr >= 30")), facts=[fact("hypertension"), fact("egfr", "22")])
    item = items["p/action/x"]
    assert item.status == "not-applied"
    assert "is below 30" in item.why[0]
    assert item.change == (
        "estimated glomerular filtration rate at or above 30 mL/min/1.73 m2 (now 22 mL/min/1.73 m2 (2026-10-02))",
    )


def test_several_conditions_that_stand_against_it_are_named_together():
    _, items = explained(
        one(condition("%egfr >= 30"), condition("%frailty.not()")),
        facts=[fact("hypertension"), fact("egfr", "22"), fact("frailty")],
    )
    (change,) = items["p/action/x"].change
    assert change.startswith("estimated glomerular filtration rate at or above 30 mL/min/1.73 m2 (now 22 ")
    assert change.endswith(" and frailty absent (now present (2026-10-02))")


def test_a_contraindication_shows_as_withheld_with_its_severity():
    _, items = explained(
        one(condition("%egfr >= 30", safety="high")), facts=[fact("hypertension"), fact("egfr", "22")]
    )
    assert items["p/action/x"].status == "withheld"
    assert items["p/action/x"].conditions[0].safety == "high"


def test_an_unknown_that_is_asked_about_does_not_stand_against_the_line():
    _, items = explained(one(condition("%egfr >= 30", unknown="ask")), facts=[fact("hypertension")])
    item = items["p/action/x"]
    assert (item.status, item.conditions[0].result) == ("proposed", "unknown")
    assert item.missing[0].concept == "egfr"


def test_below_a_group_that_does_not_apply_the_reason_is_the_groups():
    _, items = explained(one(condition("%egfr >= 30")), facts=[fact("hypertension", state="absent")])
    assert items["p"].status == "not-applied"
    assert items["p/action/x"].status == "not-applied"
    assert items["p/action/x"].why == ("It stands under 'top', which does not apply.",)
    assert items["p"].change == ("hypertension present (now absent (2026-10-02))",)


def test_a_condition_that_cannot_be_evaluated_says_so():
    _, items = explained(one(condition("x", language="text/cql")), facts=[fact("hypertension")])
    assert "cannot be evaluated" in items["p/action/x"].conditions[0].text
    assert items["p/action/x"].change == ()


@pytest.mark.parametrize(
    "facts",
    [
        [],
        ["type_2_diabetes"],
        ["type_2_diabetes", "hypertension", ("egfr", "22"), ("hba1c", "8.1"), ("systolic_bp", "150")],
        ["hypertension", ("egfr", "80"), ("potassium", "4.5"), ("systolic_bp", "150"), ("diastolic_bp", "95")],
    ],
)
def test_every_line_of_a_real_plan_is_explained_with_its_own_status(facts):
    protocols = planner.load_protocols(protocol_documents(), vocabulary())
    found = snapshot(*(fact(f) if isinstance(f, str) else fact(*f) for f in facts))
    proposal, items = of_protocols(protocols, found)
    for line in proposal.activities:
        assert items[line.key].status == "proposed", line.key
        assert items[line.key].why, line.key
    for line in proposal.withheld:
        assert items[line.key].status == "withheld", line.key
    goals = {
        item.key.rpartition(".")[0]: item
        for item in items.values()
        if item.kind == "goal" and item.status == "proposed"
    }
    assert set(goals) == {goal.key for goal in proposal.goals}
    assert {p.canonical for p in proposal.protocols} == {
        item.protocol.canonical
        for item in items.values()
        if item.kind == "protocol" and item.status == "proposed"
    }
