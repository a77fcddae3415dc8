"""Plans of a few lines, and what they come to for a patient."""

from careplan_exchange import knowledge, planner
from careplan_exchange.model.codec import encode
from careplan_exchange.planner.loading import compile_protocols
from tests.cases.snapshots import snapshot, vocabulary

CODED = {"code": {"coding": [{"system": "urn:s", "code": "1"}], "text": "Coded"}}
GOAL = {
    "id": "hba1c.adult",
    "description": {"text": "Below 7"},
    "category": {"coding": [{"code": "dietary"}]},
    "priority": {"coding": [{"code": "high-priority"}]},
    "addresses": [{"coding": [{"system": "http://snomed.info/sct", "code": "44054006"}]}],
    "documentation": [
        {
            "type": "citation",
            "citation": "G",
            "url": "u",
            "extension": [
                {
                    "url": "http://hl7.org/fhir/StructureDefinition/cqf-strengthOfRecommendation",
                    "valueCodeableConcept": {"text": "A"},
                }
            ],
        },
        {"type": "depends-on", "display": "no citation"},
        {"type": "justification", "display": "Shown"},
    ],
}


def condition(expression, unknown=None, safety=None, **more):
    named = (("unknown", unknown), ("safety", safety), ("question", more.get("question")))
    values = [(name, value) for name, value in named if value]
    return {
        "kind": more.get("kind", "applicability"),
        "expression": {
            "language": more.get("language", "text/fhirpath"),
            "expression": expression,
            **({"description": more["description"]} if "description" in more else {}),
        },
        "extension": [
            {"url": f"urn:careplan-exchange:{name}", "valueString" if name == "question" else "valueCode": value}
            for name, value in values
        ],
    }


def definition(url, **more):
    return {"resourceType": "ActivityDefinition", "url": url, "kind": "ServiceRequest", **more}


def uses(plan, url, **more):
    return {"id": plan, "action": [{"id": "x", "definitionCanonical": url, **more}]}


def compiled_of(*plans, definitions=()):
    files = [
        (f"protocols/{number}/plan.json", {"resourceType": "PlanDefinition", "status": "active", **plan})
        for number, plan in enumerate(plans)
    ]
    files += [
        (f"protocols/d{number}.json", {"status": "active", **found}) for number, found in enumerate(definitions)
    ]
    return compile_protocols([knowledge.parse(name, encode(content)) for name, content in files])


def plan_of(*plans, definitions=(), facts=(), **patient):
    protocols = compiled_of(*plans, definitions=definitions)
    return planner.plan(snapshot(*facts, **patient), protocols, vocabulary(), planner.Policies())
