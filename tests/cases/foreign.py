"""Plans from elsewhere, applied to the record of a few resources: as `careplan plan --protocol FILE` does."""

from collections.abc import Iterable
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from careplan_exchange import knowledge, planner
from careplan_exchange.mapping import load_mappings, map_record
from careplan_exchange.mapping.tables import Mappings
from careplan_exchange.model.codec import decode, encode
from careplan_exchange.model.proposal import Proposal
from careplan_exchange.model.record import PatientRecord, Resource
from tests.cases.snapshots import vocabulary

PATIENT = {"resourceType": "Patient", "id": "p", "gender": "female", "birthDate": "1976-05-01", "active": True}
DAILY_MOST = {"numerator": {"value": 4000, "code": "mg"}, "denominator": {"value": 1, "code": "d"}}


@cache
def mappings() -> Mappings:
    return load_mappings(knowledge.documents("mappings"), vocabulary())


def record(*resources: dict[str, Any], release: Any = "R4") -> PatientRecord:
    """The patient first; an id as FHIR has it is made of one that names a version."""
    wire = [_wire(resource, number) for number, resource in enumerate(resources)]
    patient = next(found for found in wire if found.type == "Patient")
    return PatientRecord(
        endpoint="urn:e",
        identity="e",
        release=release,
        patient=patient,
        resources=tuple(found for found in wire if found is not patient),
        categories=frozenset(found.type for found in wire),
    )


def _wire(resource: dict[str, Any], number: int) -> Resource:
    name = str(resource.get("id", f"r{number}")).split("/")[
        -1 if "/_history" not in resource.get("id", "") else 1
    ]
    return Resource(
        type=resource["resourceType"],
        id=name,
        version_id="1",
        last_updated=None,
        content=encode({**resource, "id": name}),
    )


def applied(
    plans: Iterable[knowledge.Document], resources: Iterable[dict[str, Any]], today: date, release: Any = "R4"
) -> Proposal:
    found = record(*resources, release=release)
    snapshot = map_record(found, mappings(), vocabulary(), today=today)
    protocols = planner.compile_foreign(list(plans))
    return planner.plan(snapshot, protocols, vocabulary(), planner.Policies(), found)


def plan_file(content: Any, name: str = "plan.json") -> knowledge.Document:
    return knowledge.parse(name, encode(content))


def resources_of(path: Path) -> list[dict[str, Any]]:
    """A file's resources: itself, or the entries of a Bundle."""
    content = decode(path.read_bytes())
    return [entry["resource"] for entry in content.get("entry", [{"resource": content}])]


def fhirpath(expression: str) -> dict[str, Any]:
    return {"kind": "applicability", "expression": {"language": "text/fhirpath", "expression": expression}}


def plan(*actions: dict[str, Any], **more: Any) -> knowledge.Document:
    return plan_file({"resourceType": "PlanDefinition", "id": "p", "status": "active", "action": actions, **more})


R5_PLAN = {
    "resourceType": "PlanDefinition",
    "id": "p",
    "status": "active",
    "url": "urn:p",
    "subjectCanonical": "http://hl7.org/fhir/StructureDefinition/Patient",
    "relatedArtifact": [{"type": "citation", "label": "G", "document": {"url": "https://example.org/g"}}],
    "goal": [
        {
            "id": "g",
            "description": {"text": "Below 7"},
            "target": [
                {
                    "measure": {"coding": [{"system": "http://loinc.org", "code": "4548-4"}]},
                    "detailQuantity": {"value": 7, "comparator": "<=", "code": "%"},
                }
            ],
        }
    ],
    "action": [
        {
            "id": "a",
            "title": "A",
            "goalId": ["g"],
            "code": {"coding": [{"system": "urn:s", "code": "1"}]},
            "condition": [fhirpath("Patient.active")],
            "definitionCanonical": "#d",
        },
        {"id": "b", "title": "B", "relatedAction": [{"targetId": "a", "relationship": "after-end"}]},
    ],
    "contained": [
        {
            "resourceType": "ActivityDefinition",
            "id": "d",
            "status": "active",
            "kind": "MedicationRequest",
            "asNeededCodeableConcept": {"text": "pain"},
            "dosage": [
                {"asNeeded": True},
                {"asNeededFor": [{"text": "pain"}]},
                {"maxDosePerPeriod": [DAILY_MOST]},
            ],
        }
    ],
}
