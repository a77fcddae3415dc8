"""The blank treatment plan: a site switches it on for whom it wants, and off, without a copy of it."""

from careplan_exchange import knowledge, planner
from tests.cases.snapshots import fact, protocol_documents, snapshot, vocabulary

TEMPLATE = "urn:careplan-exchange:PlanDefinition:mental-health-treatment-plan|1.0.0"
SITE = f"""
resourceType: PlanDefinition
id: st-elsewhere
url: urn:st-elsewhere:PlanDefinition:mental-health
version: 1.0.0
title: Mental health at St Elsewhere
status: active
approvalDate: "2026-11-24"
lastReviewDate: "2026-11-24"
effectivePeriod: {{start: "2026-01-01", end: "2028-12-31"}}
author: [{{name: St Elsewhere}}]
extension: [{{url: "urn:careplan-exchange:disclaimer", valueString: "For review."}}]
relatedArtifact: [{{type: citation, citation: "Decision of the site", url: "https://st-elsewhere.example/decision"}}]
action:
  - id: treatment-plan
    title: Mental health treatment plan
    condition:
      - kind: applicability
        extension: [{{url: "urn:careplan-exchange:unknown", valueCode: leave-out}}]
        expression: {{language: text/fhirpath, expression: "%opioid_use_disorder"}}
    definitionCanonical: {TEMPLATE}
"""


def plan_of(documents, *facts):
    protocols = planner.load_protocols(documents, vocabulary())
    chosen = tuple(one for one in protocols if one.id in {"st-elsewhere", "mental-health-template"})
    return planner.plan(snapshot(*facts), chosen, vocabulary(), planner.Policies())


def site_documents(text, path="protocols/st-elsewhere/plan.yaml"):
    found = knowledge.parse(path, text.encode())
    return (*(one for one in protocol_documents() if one.path != path), found)


def test_a_site_switches_it_on_for_others_with_a_plan_of_its_own():
    documents = site_documents(SITE)
    assert planner.lint(documents, vocabulary()) == ()

    proposal = plan_of(documents, fact("opioid_use_disorder"))
    ours = plan_of(documents, fact("other_mental_disorder"), fact("opioid_use_disorder", state="absent"))

    def lines(plan):
        return {line.key.split("/", 1)[1] for line in (*plan.goals, *plan.activities)}

    assert {line.key.split("/")[0] for line in proposal.goals} == {"st-elsewhere"}
    assert lines(proposal) == lines(ours)
    assert "action/treatment-plan/crisis-plan" in lines(proposal)


def test_without_the_site_s_plan_such_a_patient_gets_none():
    assert plan_of(protocol_documents(), fact("opioid_use_disorder")).goals == ()


def test_a_site_switches_it_off_with_a_retired_file_in_its_place():
    path = "protocols/mental-health-template/plan.yaml"
    ours = next(one for one in protocol_documents() if one.path == path)
    text = (knowledge.root() / ours.path).read_text().replace("status: active", "status: retired", 1)
    assert plan_of(protocol_documents(), fact("other_mental_disorder")).goals
    assert plan_of(site_documents(text, path), fact("other_mental_disorder")).goals == ()


def test_every_line_is_to_be_filled_in_and_none_is_a_medicine():
    proposal = plan_of(protocol_documents(), fact("other_mental_disorder"))
    assert {line.resource_kind for line in proposal.activities} == {"ServiceRequest"}
    blank = [line.description for line in proposal.goals if "to be filled in" in line.description]
    assert [text.split(":")[0] for text in blank] == ["PROBLEMS", "GOALS", "OBJECTIVES"]
