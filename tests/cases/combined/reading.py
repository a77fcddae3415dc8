"""The small protocols of `plans.yaml`, and the patients of the cases, as the planner takes them."""

from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from careplan_exchange import knowledge, planner
from careplan_exchange.model.codec import encode
from careplan_exchange.model.proposal import Proposal
from careplan_exchange.model.snapshot import Evidence, Snapshot, Wish
from careplan_exchange.planner.loading import compile_protocols
from tests.cases.snapshots import policies, snapshot, vocabulary
from tests.cases.test_clinical_cases import protocols, read_fact

FOLDER = Path(__file__).parent
_UNITS = {"systolic_bp": "mm[Hg]", "ldl_cholesterol": "mg/dL", "body_weight": "kg", "diastolic_bp": "mm[Hg]"}
_MEASURES = {
    "systolic_bp": "8480-6",
    "diastolic_bp": "8462-4",
    "ldl_cholesterol": "13457-7",
    "body_weight": "29463-7",
}
_URN = "urn:careplan-exchange:"


@cache
def without_gate() -> planner.Policies:
    """What combines and adapts. What the safety gate does after it has suites of its own."""
    return msgspec.structs.replace(policies(), safety=None)


def read(name: str) -> Any:
    return knowledge.parse(name, (FOLDER / name).read_bytes()).content


def plan_definition(name: str, short: dict[str, Any]) -> list[dict[str, Any]]:
    """The PlanDefinition and its ActivityDefinitions."""
    source = {"type": "citation", "label": short["source"]["citation"], **short["source"]}
    plan = {
        "resourceType": "PlanDefinition",
        "status": "active",
        "id": name,
        "url": f"urn:plan:{name}",
        "version": "1",
        "title": short["title"],
        "relatedArtifact": [source],
        "goal": [_goal(goal, source) for goal in short.get("goals", [])],
        "action": [
            {
                "id": name,
                "title": short["title"],
                "condition": [_condition(short["when"])],
                "action": [_action(name, one) for one in short["activities"]],
                "goalId": [goal["id"] for goal in short.get("goals", [])],
            }
        ],
    }
    return [plan, *(_activity(name, one, source) for one in short["activities"])]


def _condition(expression: str) -> dict[str, Any]:
    return {"kind": "applicability", "expression": {"language": "text/fhirpath", "expression": expression}}


def _safety() -> list[dict[str, Any]]:
    return [
        {"url": f"{_URN}safety", "valueCode": "high"},
        {"url": f"{_URN}unknown", "valueCode": "withhold"},
    ]


def _extensions(**values: Any) -> list[dict[str, Any]]:
    named = [(name.replace("_", "-"), one) for name, value in values.items() for one in value]
    return [{"url": _URN + name, "valueInteger" if isinstance(v, int) else "valueCode": v} for name, v in named]


def _goal(short: dict[str, Any], source: dict[str, Any]) -> dict[str, Any]:
    targets = []
    for written in short.get("targets", []):
        concept, _, bounds = written.partition(" ")
        low, _, high = bounds.partition("..")
        system, _, code = short.get("code", f"http://loinc.org|{_MEASURES[concept]}").partition("|")
        found = {
            name: {"value": Decimal(v), "code": _UNITS[concept]}
            for name, v in (("low", low), ("high", high))
            if v
        }
        targets.append({"measure": {"coding": [{"system": system, "code": code}]}, "detailRange": found})
    return {
        "id": short["id"],
        "description": {"text": short["text"]},
        "category": {"coding": [{"code": short.get("category", "behavioral")}]},
        "target": targets,
        "documentation": [source],
    }


def _action(name: str, short: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": short["id"],
        "title": short["title"],
        "goalId": short.get("goals", []),
        "definitionCanonical": f"urn:def:{name}:{short['id']}",
        "extension": _extensions(supports=short.get("supports", []), benefit=[short["benefit"]]),
        "condition": [
            *([_condition(short["when"])] if "when" in short else []),
            *([_condition(short["safety"]) | {"extension": _safety()}] if "safety" in short else []),
        ],
    }


def _activity(name: str, short: dict[str, Any], source: dict[str, Any]) -> dict[str, Any]:
    system, _, code = short.get("code", f"urn:s|{name}-{short['id']}").partition("|")
    concept = {"coding": [{"system": system, "code": code}], "text": short["title"]}
    medicine = "medicines" in short
    found: dict[str, Any] = {
        "resourceType": "ActivityDefinition",
        "status": "active",
        "url": f"urn:def:{name}:{short['id']}",
        "title": short["title"],
        "description": short["title"],
        "kind": "MedicationRequest" if medicine else "ServiceRequest",
        "productCodeableConcept" if medicine else "code": concept,
        "topic": [{"coding": [{"system": "urn:careplan-exchange:activity-kind", "code": short["kind"]}]}],
        "relatedArtifact": [source],
        "extension": _extensions(medicine=short.get("medicines", []), involves=short.get("involves", [])),
    }
    if "avoid" in short:
        found["extension"].append({"url": f"{_URN}avoid", "valueString": short["avoid"]})
    if "timing" in short:
        often, _, rest = short["timing"].partition("/")
        number = rest.rstrip("adwkmo")
        repeat = {"frequency": int(often), "period": int(number), "periodUnit": rest[len(number) :]}
        found["timingTiming"] = {"repeat": repeat}
    return found


@cache
def small(name: str) -> planner.Protocol:
    files = plan_definition(name, read("plans.yaml")["plans"][name])
    documents = [
        knowledge.parse(f"protocols/{name}/{'plan' if number == 0 else number}.json", encode(found))
        for number, found in enumerate(files)
    ]
    (protocol,) = compile_protocols(documents)
    return protocol


def chosen(names: list[str]) -> tuple[planner.Protocol, ...]:
    """The protocols of these names: ours where there is one, else the small one."""
    ours = {protocol.id: protocol for protocol in protocols()}
    return tuple(small(name) if name in read("plans.yaml")["plans"] else ours[name] for name in names)


def patient_of(case: dict[str, Any]) -> Snapshot:
    found = snapshot(*(read_fact(written) for written in case.get("facts", [])), **case.get("patient", {}))
    wishes = tuple(
        Wish(text=text, by="patient", evidence=Evidence(reference=f"Goal/{number}", version_id="1"))
        for number, text in enumerate(case.get("wishes", []), 1)
    )
    profile = msgspec.structs.replace(found.patient, language=case.get("language"))
    return msgspec.structs.replace(found, patient=profile, wishes=wishes)


def proposed(case: dict[str, Any]) -> Proposal:
    return planner.plan(patient_of(case), chosen(case["plans"]), vocabulary(), without_gate())
