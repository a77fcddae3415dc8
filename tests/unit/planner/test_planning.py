"""From outcomes to the whole proposal: what activities carry, merging, and what one protocol forbids."""

import msgspec
import pytest

from careplan_exchange import knowledge, planner
from careplan_exchange.model.codec import encode
from careplan_exchange.model.proposal import Citation
from careplan_exchange.planner.bindings import Bindings
from careplan_exchange.planner.dynamic import Filled, fill
from careplan_exchange.planner.loading import compile_protocols
from careplan_exchange.planner.protocol import DynamicValue
from tests.cases.snapshots import fact, protocol_documents, snapshot, vocabulary
from tests.unit.planner.plans import CODED, GOAL, compiled_of, condition, definition, plan_of, uses

DAILY = {"timingTiming": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}}}


def test_the_very_same_activity_of_two_protocols_stands_once_with_both_reasons():
    first = {**uses("a", "urn:x", condition=[condition("%metformin")], goalId=["g"]), "goal": [{"id": "g"}]}
    second = {**uses("b", "urn:x", condition=[condition("%frailty", "ask")], goalId=["h"]), "goal": [{"id": "h"}]}
    proposal = plan_of(first, second, definitions=[definition("urn:x", **CODED)], facts=[fact("metformin")])
    (line,) = proposal.activities
    assert line.key == "a/action/x"
    assert [reason.rule for reason in line.reasons] == ["%metformin", "%frailty"]
    assert line.goals == ("a/goal/g", "b/goal/h")
    assert [gap.concept for gap in line.missing] == ["frailty"]
    assert line.questions == ("Does the patient have frailty? The record does not say.",)
    assert [gap.needed_by for gap in proposal.gaps] == [("a/action/x",)]
    assert [protocol.title for protocol in proposal.protocols] == ["a", "b"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({**CODED}, {**CODED, "title": "Another"}),
        ({**CODED}, {**CODED, **DAILY}),
        ({**CODED}, {"code": {"coding": [{"system": "urn:s", "code": "2"}], "text": "Coded"}}),
        ({**CODED}, {"code": {"coding": [{"system": "urn:t", "code": "1"}], "text": "Coded"}}),
        ({"code": {"text": "Coded"}}, {"code": {"text": "Coded"}}),
        ({"code": {"coding": [{"display": "Shown"}]}}, {"code": {"coding": [{"display": "Shown"}]}}),
        ({**CODED}, {**CODED, "kind": "MedicationRequest"}),
    ],
)
def test_activities_that_differ_stand_both(one, other):
    proposal = plan_of(
        uses("a", "urn:x"),
        uses("b", "urn:y"),
        definitions=[definition("urn:x", **one), definition("urn:y", **other)],
    )
    assert [line.key for line in proposal.activities] == ["a/action/x", "b/action/x"]


def test_one_protocol_may_ask_for_the_same_twice():
    plan = {
        "id": "a",
        "action": [{"id": "x", "definitionCanonical": "urn:x"}, {"id": "y", "definitionCanonical": "urn:x"}],
    }
    assert len(plan_of(plan, definitions=[definition("urn:x", **CODED)]).activities) == 2


def test_a_restriction_names_its_goal_and_the_activity_that_stands_for_it():
    avoid = definition(
        "urn:x", **CODED, extension=[{"url": "urn:careplan-exchange:avoid", "valueString": "Sugar"}]
    )
    first = {**uses("a", "urn:x", goalId=["g"]), "goal": [{"id": "g"}]}
    second = {**uses("b", "urn:x", goalId=["h"]), "goal": [{"id": "h"}]}
    proposal = plan_of(first, second, definitions=[avoid])
    assert [(line.key, line.avoid, line.goal, line.activity) for line in proposal.restrictions] == [
        ("a/avoid/x", "Sugar", "a/goal/g", "a/action/x"),
    ]


def test_what_one_protocol_holds_back_no_other_proposes():
    drug = definition("urn:x", kind="MedicationRequest", productCodeableConcept=CODED["code"])
    held = uses(
        "a", "urn:x", condition=[condition("%angioedema.not()", "ask", "high", description="Not after it")]
    )
    held["action"].append({**held["action"][0], "id": "y"})
    proposal = plan_of(held, uses("b", "urn:x"), definitions=[drug], facts=[fact("angioedema")])
    assert proposal.activities == ()
    line, _ = proposal.withheld
    assert (line.key, line.severity, line.certain, line.title) == ("a/action/x", "high", True, "Coded")
    assert line.detail == "Not after it: angioedema, ever is present (2026-10-02)."
    assert [coding.code for coding in line.codings] == ["1"]
    assert [(found.key, found.reasons) for found in proposal.not_applied] == [("b/action/x", line.reasons)]


def test_a_medicine_named_by_a_display_alone_is_held_back_by_no_other():
    one, other = ({"coding": [{"display": name}]} for name in ("One", "Other"))
    drugs = [
        definition("urn:x", kind="MedicationRequest", productCodeableConcept=one),
        definition("urn:y", kind="MedicationRequest", productCodeableConcept=other),
    ]
    held = uses("a", "urn:x", condition=[condition("%angioedema.not()", "ask", "high")])
    proposal = plan_of(held, uses("b", "urn:y"), definitions=drugs, facts=[fact("angioedema")])
    assert [line.key for line in proposal.activities] == ["b/action/x"]


def test_a_service_that_shares_a_code_with_something_withheld_is_still_proposed():
    held = uses("a", "urn:x", condition=[condition("%angioedema.not()", "ask", "high")])
    services = [definition("urn:x", **CODED), definition("urn:y", **CODED, title="Other")]
    proposal = plan_of(held, uses("b", "urn:y"), definitions=services, facts=[fact("angioedema")])
    assert [line.key for line in proposal.activities] == ["b/action/x"]


def test_the_gravest_of_several_contraindications_counts():
    conditions = [
        condition("%frailty.not()", "ask", "low"),
        condition("%angioedema.not()", "ask", "high"),
        condition("%dementia.not()", "withhold", "moderate"),
    ]
    action = {"id": "x", "title": "X", "condition": conditions}
    both = plan_of({"id": "a", "action": [action]}, facts=[fact("frailty"), fact("angioedema")])
    assert (both.withheld[0].severity, both.withheld[0].certain) == ("high", True)
    assert [reason.rule for reason in both.withheld[0].reasons] == [
        "%frailty.not()",
        "%angioedema.not()",
        "%dementia.not()",
    ]
    mild = plan_of({"id": "a", "action": [action]}, facts=[fact("frailty")])
    assert (mild.withheld[0].severity, mild.withheld[0].certain) == ("moderate", True)
    unmarked = {"id": "x", "title": "X", "condition": [condition("%dementia.not()", "withhold")]}
    held = plan_of({"id": "a", "action": [unmarked]}).withheld[0]
    assert (held.severity, held.certain) == ("moderate", False)


def test_an_activity_is_carried_with_everything():
    full = definition(
        "urn:x",
        title="Title",
        description="Described",
        priority="asap",
        topic=[{"coding": [{"code": "other"}]}, {"coding": [{"code": "diet"}]}],
        relatedArtifact=[{"type": "citation", "label": "L"}],
        extension=[{"url": "urn:careplan-exchange:patient-text", "valueString": "For you"}],
        **CODED,
        **DAILY,
    )
    (line,) = plan_of(
        {**uses("a", "urn:x"), "url": "urn:a", "version": "3", "title": "T"}, definitions=[full]
    ).activities
    assert (line.kind, line.resource_kind, line.title, line.description) == (
        "diet",
        "ServiceRequest",
        "Title",
        "Described",
    )
    assert (line.priority, line.patient_text, line.timing) == ("asap", "For you", DAILY["timingTiming"])
    assert line.citations == (Citation(label="L"),)
    assert line.protocol.canonical == "urn:a|3"
    assert [reason.text for reason in line.reasons] == ["It is for every patient to whom 'T' applies."]
    over = uses(
        "a",
        "urn:x",
        documentation=[{"type": "citation", "url": "only"}],
        extension=[{"url": "urn:careplan-exchange:patient-text", "valueString": "Just you"}],
    )
    (line,) = plan_of(over, definitions=[full]).activities
    assert (line.citations, line.patient_text) == ((Citation(label="only", url="only"),), "Just you")


def test_what_a_definition_leaves_out_has_a_plain_default():
    drug = definition("urn:x", kind="MedicationRequest", name="Named")
    plan = {**uses("a", "urn:x"), "relatedArtifact": [{"type": "citation", "label": "Plan"}]}
    (line,) = plan_of(plan, definitions=[drug]).activities
    assert (line.kind, line.title, line.description, line.patient_text) == (
        "medication",
        "Named",
        "Named",
        "Named",
    )
    assert (line.priority, line.codings, line.timing, line.citations) == (
        "routine",
        (),
        None,
        (Citation(label="Plan"),),
    )
    (text,) = plan_of({"id": "a", "action": [{"id": "x", "title": "X", "description": "Say it"}]}).activities
    assert (text.kind, text.description, text.patient_text) == ("monitoring", "Say it", "Say it")


@pytest.mark.parametrize("name", ["plan.yaml", "plan.yml", "plan.json"])
def test_a_plan_is_a_file_of_this_name_in_any_folder(name):
    content = encode({"resourceType": "PlanDefinition", "id": "p", "status": "active"})
    documents = [knowledge.parse(path, content) for path in (f"protocols/a/b/{name}", f"protocols/other-{name}")]
    assert [protocol.id for protocol in compile_protocols(documents)] == ["p"]


def test_protocols_are_applied_in_the_order_of_their_ids():
    proposal = plan_of({"id": "b", "action": [{"id": "x"}]}, {"id": "a", "action": [{"id": "x"}]})
    assert [line.key for line in proposal.activities] == ["a/action/x", "b/action/x"]


def test_a_protocol_with_nothing_but_a_withheld_action_applies():
    held = {"id": "a", "title": "A", "condition": [condition("%dementia.not()", "withhold", "high")]}
    proposal = plan_of({"id": "p", "goal": [{"id": "whole"}], "action": [held]})
    assert [protocol.title for protocol in proposal.protocols] == ["p"]
    assert [(line.key, [r.rule for r in line.reasons]) for line in proposal.not_applied] == [
        ("p/goal/whole", ["%dementia.not()"])
    ]


def test_planning_changes_nothing_and_repeats_itself():
    facts = [fact("type_2_diabetes"), fact("hba1c", "8.1"), fact("hypertension")]
    protocols = planner.load_protocols(protocol_documents(), vocabulary())
    found = snapshot(*facts)
    before = msgspec.json.encode(found, order="deterministic")
    first = planner.plan(found, protocols, vocabulary(), planner.Policies())
    assert planner.plan(found, protocols, vocabulary(), planner.Policies()) == first
    assert msgspec.json.encode(found, order="deterministic") == before


def test_a_dynamic_value_without_an_expression_changes_nothing_and_is_told():
    start = Filled(title="T", description="D", priority="routine", timing=None)
    empty = DynamicValue(path="title", source="", expression=None, problem=None)
    (protocol,) = compiled_of({"id": "p", "action": [{"id": "a", "title": "A"}]})
    filled, (issue,) = fill(start, [empty], protocol.actions[0], Bindings(snapshot(), vocabulary()))
    assert filled == start
    assert issue.detail == "Action 'p/action/a' keeps its own title: it has no expression."


def test_what_two_ways_lead_to_is_told_once():
    needed = [condition("%frailty", "ask"), condition("%frailty.not()", "ask")]
    goals = [{**GOAL, "id": "g"}, {**GOAL, "id": "h"}]
    twice = {
        "id": "a",
        "title": "A",
        "condition": needed,
        "goalId": ["g", "h"],
        "definitionCanonical": "urn:x",
        "extension": [{"url": "urn:careplan-exchange:supports", "valueId": "g"}],
    }
    again = {"id": "b", "title": "B", "condition": needed, "goalId": ["g"]}
    diabetes = fact("type_2_diabetes")
    proposal = plan_of(
        {"id": "p", "goal": goals, "action": [twice, again]},
        definitions=[definition("urn:x", **CODED)],
        facts=[diabetes],
    )
    (activity,) = proposal.activities
    assert activity.goals == ("p/goal/g", "p/goal/h")
    assert activity.addresses == (diabetes.evidence,)
    assert activity.questions == ("Does the patient have frailty? The record does not say.",)
    assert [reason.rule for reason in proposal.goals[0].reasons] == ["%frailty", "%frailty.not()"]
