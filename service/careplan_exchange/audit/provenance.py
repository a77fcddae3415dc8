"""Provenance of what was written: which software, which protocols, which versions of which evidence.

R4 after US Core (http://hl7.org/fhir/us/core/StructureDefinition/us-core-provenance), R5 after
http://hl7.org/fhir/R5/provenance.html.
"""

from collections.abc import Sequence
from typing import Literal

from careplan_exchange.model.changes import Json, ResourceChange
from careplan_exchange.model.proposal import Proposal
from careplan_exchange.model.record import FhirRelease
from careplan_exchange.model.snapshot import Evidence

from .context import CompanionContext

PARTICIPANT = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
OPERATION = "http://terminology.hl7.org/CodeSystem/v3-DataOperation"


def provenance(
    changes: Sequence[ResourceChange],
    activity: Literal["CREATE", "UPDATE"],
    proposal: Proposal,
    context: CompanionContext,
    release: FhirRelease,
) -> Json:
    """One Provenance for all of `changes`. The protocols stand in `policy`, as url|version; the evidence that any
    line of the proposal rests on in `entity`, each in the version that was read."""
    applied = ", ".join(f"{protocol.title} {protocol.version}" for protocol in proposal.protocols)
    author = {**context.software, "display": f"{context.software['display']}, applying {applied}"}
    body: Json = {
        "resourceType": "Provenance",
        "target": [{"reference": change.reference} for change in changes],
        "recorded": context.instant,
        "policy": [protocol.canonical for protocol in proposal.protocols],
        "activity": {"coding": [{"system": OPERATION, "code": activity}]},
        "agent": [
            {"type": {"coding": [{"system": PARTICIPANT, "code": "author"}]}, "who": author},
            {"type": {"coding": [{"system": PARTICIPANT, "code": "assembler"}]}, "who": context.software},
        ],
    }
    entities = [{"role": "source", "what": _what(evidence, context)} for evidence in _evidence(proposal)]
    if entities:
        body["entity"] = entities
    if release == "R5":
        body["patient"] = {"reference": context.subject}
    return body


def _evidence(proposal: Proposal) -> tuple[Evidence, ...]:
    """Every resource and version once."""
    reasons = [
        *(reason for goal in proposal.goals for reason in goal.reasons),
        *(reason for activity in proposal.activities for reason in activity.reasons),
        *(reason for restriction in proposal.restrictions for reason in restriction.reasons),
        *(reason for item in proposal.withheld for reason in item.reasons),
    ]
    used = (evidence for reason in reasons for use in reason.used for evidence in use.evidence)
    unique = {
        (each.reference, each.version_id): each for each in (*proposal.evidence, *proposal.addresses, *used)
    }
    return tuple(unique.values())


def _what(evidence: Evidence, context: CompanionContext) -> Json:
    """A reference to the exact version. `display` repeats the version: servers may strip it off a reference."""
    resource_type = evidence.reference.split("/", 1)[0]
    versioned = (
        f"{evidence.reference}/_history/{evidence.version_id}" if evidence.version_id else evidence.reference
    )
    display = f"{resource_type}, version {evidence.version_id}" if evidence.version_id else resource_type
    if context.same_server:
        return {"reference": versioned, "display": display}
    return {
        "type": resource_type,
        "identifier": {"system": context.source_endpoint, "value": versioned},
        "display": f"{display}, on the source server",
    }
