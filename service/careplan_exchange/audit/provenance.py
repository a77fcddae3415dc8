"""Provenance of what was written: which software, whose approval, which protocols, which versions of evidence.

R4 after US Core (http://hl7.org/fhir/us/core/StructureDefinition/us-core-provenance), R5 after
http://hl7.org/fhir/R5/provenance.html.
"""

from collections.abc import Iterator, Sequence
from typing import Literal

from careplan_exchange.model.changes import Json, ResourceChange
from careplan_exchange.model.proposal import Proposal
from careplan_exchange.model.record import FhirRelease
from careplan_exchange.model.snapshot import Evidence

from .context import CompanionContext, person

PARTICIPANT = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
OPERATION = "http://terminology.hl7.org/CodeSystem/v3-DataOperation"


def provenance(
    changes: Sequence[ResourceChange],
    activity: Literal["CREATE", "UPDATE"],
    proposal: Proposal,
    context: CompanionContext,
    release: FhirRelease,
) -> Json:
    """One Provenance for all of `changes`. The protocols stand in `policy`, as url|version; the evidence that any
    line of the proposal rests on in `entity`, each in the version that was read, and beside it the version that
    an update was made over."""
    applied = ", ".join(f"{protocol.title} {protocol.version}" for protocol in proposal.protocols)
    display = f"{context.software['display']}, applying {applied}" if applied else context.software["display"]
    body: Json = {
        "resourceType": "Provenance",
        "meta": context.tags,
        "target": [{"reference": change.reference} for change in changes],
        "recorded": context.instant,
        **({"policy": [protocol.canonical for protocol in proposal.protocols]} if applied else {}),
        "activity": {"coding": [{"system": OPERATION, "code": activity}]},
        "agent": [
            agent("author", {**context.software, "display": display}),
            agent("assembler", context.software),
            *_persons(context),
        ],
    }
    entities = [
        *({"role": "source", "what": _what(evidence, context)} for evidence in _evidence(proposal)),
        *({"role": "revision", "what": replaced(change)} for change in changes if change.version_id),
    ]
    if entities:
        body["entity"] = entities
    if release == "R5":
        body["patient"] = {"reference": context.subject}
    return body


def _persons(context: CompanionContext) -> Iterator[Json]:
    """Whoever modified is an author of what is written, whoever approved has verified it; each once."""
    steps = ((step.kind, step.by) for step in context.approvals if step.kind in {"approve", "modify"})
    for kind, by in dict.fromkeys(steps):
        found = agent("author" if kind == "modify" else "verifier", person(by))
        if by.startswith("Practitioner/"):
            # US Core asks for whom a Practitioner acts (provenance-1). Nobody told us.
            found["onBehalfOf"] = {"extension": [{"url": ABSENT, "valueCode": "unknown"}]}
        yield found


def agent(kind: str, who: Json) -> Json:
    return {"type": {"coding": [{"system": PARTICIPANT, "code": kind}]}, "who": who}


def replaced(change: ResourceChange) -> Json:
    """The version that an update was made over; `display` repeats it, as in `_what`."""
    return {
        "reference": f"{change.reference}/_history/{change.version_id}",
        "display": f"{change.type}, version {change.version_id}",
    }


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
