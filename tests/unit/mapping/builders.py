"""Small wire resources for the mapping tests, and the way through `map_record`."""

from datetime import date
from typing import Any

from careplan_exchange.model.codec import encode
from careplan_exchange.model.record import PatientRecord, Resource
from careplan_exchange.model.snapshot import Fact, Snapshot

TODAY = date(2026, 11, 24)
LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
ICD = "http://hl7.org/fhir/sid/icd-10-cm"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
UCUM = "http://unitsofmeasure.org"
ME = {"reference": "Patient/me"}


def patient(**more: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": "me", "gender": "female", "birthDate": "1980-05-17", **more}


def concept(*codings: tuple[str, str], text: str | None = None, display: str | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if codings:
        found["coding"] = [{"system": system, "code": code} for system, code in codings]
        if display is not None:
            found["coding"][0]["display"] = display
    if text is not None:
        found["text"] = text
    return found


def quantity(value: Any, unit: str | None = "%", **more: Any) -> dict[str, Any]:
    given = {"system": UCUM, "code": unit, "unit": unit} if unit is not None else {}
    return {"value": value, **given, **more}


def observation(code: Any = "4548-4", **more: Any) -> dict[str, Any]:
    body = {
        "resourceType": "Observation",
        "status": "final",
        "subject": ME,
        "code": concept((LOINC, code)) if isinstance(code, str) else code,
        "effectiveDateTime": "2026-10-01T08:00:00Z",
    }
    return without_none(body | more)


def condition(*codings: tuple[str, str], **more: Any) -> dict[str, Any]:
    body = {
        "resourceType": "Condition",
        "subject": ME,
        "code": concept(*codings),
        "clinicalStatus": status("active"),
        "onsetDateTime": "2020-03-01",
    }
    return without_none(body | more)


def order(*codings: tuple[str, str], **more: Any) -> dict[str, Any]:
    body = {
        "resourceType": "MedicationRequest",
        "status": "active",
        "intent": "order",
        "subject": ME,
        "authoredOn": "2026-01-01",
    }
    if codings:
        body["medicationCodeableConcept"] = concept(*codings)
    return without_none(body | more)


def allergy(*codings: tuple[str, str], **more: Any) -> dict[str, Any]:
    body = {
        "resourceType": "AllergyIntolerance",
        "patient": ME,
        "code": concept(*codings),
        "clinicalStatus": status("active"),
        "recordedDate": "2019-01-01",
    }
    return without_none(body | more)


def procedure(*codings: tuple[str, str], **more: Any) -> dict[str, Any]:
    body = {
        "resourceType": "Procedure",
        "status": "completed",
        "subject": ME,
        "code": concept(*codings),
        "performedDateTime": "2026-06-01",
    }
    return without_none(body | more)


def relative(role: str, *codings: tuple[str, str], **more: Any) -> dict[str, Any]:
    body = {
        "resourceType": "FamilyMemberHistory",
        "status": "completed",
        "patient": ME,
        "date": "2026-02-02",
        "relationship": concept(("http://terminology.hl7.org/CodeSystem/v3-RoleCode", role)),
        "condition": [{"code": concept(*codings)}],
    }
    return without_none(body | more)


def status(code: str) -> dict[str, Any]:
    return {"coding": [{"code": code}]}


def without_none(body: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in body.items() if value is not None}


def resource(body: dict[str, Any], number: int, *, version: str | None = "3") -> Resource:
    id_ = body.get("id", str(number))
    return Resource(
        type=body["resourceType"],
        id=id_,
        version_id=version,
        last_updated=None,
        content=encode(body | {"id": id_}),
    )


def record(*bodies: dict[str, Any], of: dict[str, Any] | None = None, **more: Any) -> PatientRecord:
    whole: dict[str, Any] = {
        "endpoint": "https://ehr.example/fhir",
        "identity": "ehr",
        "release": "R4",
        "categories": frozenset({"Condition"}),
    }
    return PatientRecord(
        patient=resource(of or patient(), 0),
        resources=tuple(resource(body, number) for number, body in enumerate(bodies, start=1)),
        **(whole | more),
    )


def keys(snapshot: Snapshot) -> list[str]:
    """The keys of the issues, without the prefix that all have."""
    return [issue.key.removeprefix("mapping.") for issue in snapshot.issues]


def states(snapshot: Snapshot) -> dict[str, str]:
    """What each concept that was read comes to, "ended" where only the past is told."""
    return {fact.concept: fact.state if fact.active else "ended" for fact in read(snapshot)}


def read(snapshot: Snapshot) -> tuple[Fact, ...]:
    """The facts that were read, without those that a rule derived from them."""
    return tuple(fact for fact in snapshot.facts if fact.rule is None)


def only(snapshot: Snapshot, concept_id: str) -> Fact:
    (found,) = snapshot.of(concept_id)
    return found
