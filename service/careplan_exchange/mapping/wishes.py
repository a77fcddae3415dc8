"""Goals of the record that the patient, somebody near, or a professional on the patient's behalf expressed.

They are no facts: they are somebody's own resources, shown first in a plan and never changed by us. Goals that we
wrote, and those of a professional that name nobody, stay where they are.
"""

from collections.abc import Iterator
from typing import Literal

import msgspec

from careplan_exchange.model.record import PatientRecord, Resource
from careplan_exchange.model.snapshot import Evidence, Wish

from .conditions import note_entered_in_error
from .context import Context
from .understanding import note_not_used
from .wire import CodeableConcept, DomainResource, Reference


class Goal(DomainResource, frozen=True):
    """R4 `expressedBy` is R5 `source` (http://hl7.org/fhir/R5/goal.html)."""

    lifecycle_status: str | None = None
    description: CodeableConcept | None = None
    subject: Reference | None = None
    start_date: str | None = None
    status_date: str | None = None
    expressed_by: Reference | None = None
    source: Reference | None = None


_DECODER = msgspec.json.Decoder(Goal)
_OPEN = {"proposed", "planned", "accepted", "active", "on-hold"}
_CLOSED = {"completed", "cancelled", "rejected"}
_BY: dict[str, Literal["patient", "related-person", "professional"]] = {
    "Patient": "patient",
    "RelatedPerson": "related-person",
    "PractitionerRole": "professional",
}


def read_wishes(context: Context, record: PatientRecord, *, ours: frozenset[str]) -> Iterator[Wish]:
    """The open ones, in the order of their references. `ours` are references of what we wrote. The words are the
    patient's: they stand in the Wish and in no issue. Raises WrongPatientError."""
    for resource in sorted(record.of("Goal"), key=lambda one: one.reference):
        if resource.reference not in ours and (wish := _wish(context, resource)) is not None:
            yield wish


def _wish(context: Context, resource: Resource) -> Wish | None:
    goal = context.decode(resource, _DECODER)
    if goal is None:
        return None
    expressed = goal.expressed_by or goal.source
    by = _BY.get(_type_of(expressed))
    if by is None or not context.is_about_patient(resource, goal.subject):
        return None
    if goal.lifecycle_status == "entered-in-error":
        note_entered_in_error(context, resource)
        return None
    if goal.lifecycle_status not in _OPEN:
        note_not_used(context, resource, goal.lifecycle_status, _CLOSED)
        return None
    described = goal.description or CodeableConcept()
    text = described.text or next((coding.display for coding in described.coding if coding.display), None)
    if not text or not text.strip():
        context.note(
            resource,
            "wish.no-text",
            "A Goal of the patient's own says nothing that can be shown.",
            code="required",
            expression="Goal.description",
            mend="Enter the patient's words in the record.",
        )
        return None
    evidence = Evidence(
        reference=resource.reference, version_id=resource.version_id, date=goal.start_date or goal.status_date
    )
    return Wish(text=text.strip(), by=by, evidence=evidence)


def _type_of(reference: Reference | None) -> str:
    """`Patient` of `https://server/Patient/1/_history/2`; empty where the type cannot be told."""
    head, _, _ = ((reference.reference if reference is not None else None) or "").partition("/_history/")
    return (["", *head.split("/")])[-2]
