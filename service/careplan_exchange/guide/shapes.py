"""Which resource, and which of its elements, holds a fact of each kind: the form of the internal profiles.

A server may send the same fact in other forms; mapping reads those. The profile says the form that is meant.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from careplan_exchange.model.snapshot import FactKind

APPOINTMENT_STATUS = "http://hl7.org/fhir/appointmentstatus"
UCUM = "http://unitsofmeasure.org"


class Shape(NamedTuple):
    """`code` is the path of the element that the ValueSet binds; `required` are the other elements that must be
    there. `example` is what an instance has besides code, person and value. With `systems` the shape is only for
    a ValueSet whose codes are of one of them."""

    resource: str
    code: str
    person: str
    required: tuple[str, ...] = ()
    example: Mapping[str, Any] = {}
    systems: frozenset[str] = frozenset()


def _coded(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
_OBSERVATION = {"status": "final", "effectiveDateTime": "2026-01-15"}
_CONDITION = Shape(
    resource="Condition",
    code="code",
    person="subject",
    required=("clinicalStatus",),
    example={
        "clinicalStatus": _coded(f"{_TERMINOLOGY}/condition-clinical", "active"),
        "verificationStatus": _coded(f"{_TERMINOLOGY}/condition-ver-status", "confirmed"),
    },
)

SHAPES: Mapping[FactKind, tuple[Shape, ...]] = {
    "measurement": (Shape("Observation", "code", "subject", ("effective[x]", "value[x]"), example=_OBSERVATION),),
    "stage": (Shape("Observation", "code", "subject", ("effective[x]",), example=_OBSERVATION),),
    "gene-finding": (Shape("Observation", "code", "subject", (), example=_OBSERVATION),),
    "circumstance": (Shape("Observation", "code", "subject", (), example=_OBSERVATION),),
    "condition": (_CONDITION,),
    "status": (_CONDITION,),
    "medication": (
        Shape("MedicationRequest", "medication[x]", "subject", example={"status": "active", "intent": "order"}),
    ),
    "allergy": (
        Shape(
            "AllergyIntolerance",
            "code",
            "patient",
            example={"clinicalStatus": _coded(f"{_TERMINOLOGY}/allergyintolerance-clinical", "active")},
        ),
    ),
    "procedure": (
        Shape(
            "Procedure",
            "code",
            "subject",
            ("performed[x]",),
            example={"status": "completed", "performedDateTime": "2026-01-15"},
        ),
    ),
    "family-history": (
        Shape(
            "FamilyMemberHistory",
            "condition.code",
            "patient",
            ("condition",),
            example={"status": "completed", "relationship": _coded(f"{_TERMINOLOGY}/v3-RoleCode", "FTH")},
        ),
    ),
    "immunization": (
        Shape(
            "Immunization",
            "vaccineCode",
            "patient",
            example={"status": "completed", "occurrenceDateTime": "2026-01-15"},
        ),
    ),
    "device": (Shape("Device", "type", "patient", example={"status": "active"}),),
    "visit": (
        Shape(
            "Appointment",
            "status",
            "participant.actor",
            ("start", "end"),
            example={
                "start": "2026-02-15T09:00:00Z",
                "end": "2026-02-15T09:20:00Z",
                "participant": [{"status": "accepted"}],
            },
            systems=frozenset({APPOINTMENT_STATUS}),
        ),
        Shape(
            "Encounter",
            "class",
            "subject",
            ("period",),
            example={"status": "finished", "period": {"start": "2026-01-15"}},
        ),
    ),
    "order": (Shape("ServiceRequest", "code", "subject", (), example={"status": "active", "intent": "order"}),),
}


def shape_of(kind: FactKind, systems: frozenset[str]) -> Shape:
    """The shape for a concept of this kind whose codes are of these systems."""
    return next(shape for shape in SHAPES[kind] if not shape.systems or shape.systems & systems)
