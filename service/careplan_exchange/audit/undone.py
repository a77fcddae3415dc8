"""Provenance of an exchange that was taken back: who wished it, and which versions it rests on no more.

R4 after US Core (http://hl7.org/fhir/us/core/StructureDefinition/us-core-provenance), R5 after
http://hl7.org/fhir/R5/provenance.html. The AuditEvents are those of any update.
"""

from collections.abc import Iterable

from careplan_exchange.model.changes import Json, ResourceChange
from careplan_exchange.model.record import FhirRelease

from .balp import audit_event
from .context import CompanionContext, person
from .provenance import OPERATION, agent, replaced


def companions_of_undo(
    changes: Iterable[ResourceChange], context: CompanionContext, release: FhirRelease
) -> tuple[Json, ...]:
    """One Provenance, whose `entity` are the versions that were taken back, and an AuditEvent per resource.
    `context.approvals` names the persons who wished it."""
    sent = tuple(change for change in changes if change.action == "update")
    body: Json = {
        "resourceType": "Provenance",
        "meta": context.tags,
        "target": [{"reference": change.reference} for change in sent],
        "recorded": context.instant,
        "activity": {"coding": [{"system": OPERATION, "code": "UPDATE"}]},
        "agent": [
            *(agent("author", person(by)) for by in context.persons),
            agent("assembler", context.software),
        ],
        "entity": [{"role": "revision", "what": replaced(change)} for change in sent],
    }
    if release == "R5":
        body["patient"] = {"reference": context.subject}
    return (body, *(audit_event(change, context, release) for change in sent if context.events))
