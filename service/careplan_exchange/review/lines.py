"""The lines of a proposal as the policy asks about them: protocol, severity, kind of thing."""

from collections.abc import Collection, Mapping

import msgspec

from careplan_exchange.model.identity import identity_of
from careplan_exchange.model.issue import Issue
from careplan_exchange.model.proposal import Proposal
from careplan_exchange.model.record import PatientRecord
from careplan_exchange.model.review import Part, Severity

NEVER = "review.never"
_OURS = "urn:careplan-exchange:PlanDefinition:"

_SEVERITIES: Mapping[str, Severity] = {
    # http://terminology.hl7.org/CodeSystem/goal-priority
    "high-priority": "high",
    "medium-priority": "moderate",
    "low-priority": "low",
    # http://hl7.org/fhir/R4/valueset-request-priority.html
    "stat": "high",
    "asap": "high",
    "urgent": "high",
    "routine": "low",
    # http://hl7.org/fhir/R4/valueset-detectedissue-severity.html
    "high": "high",
    "moderate": "moderate",
    "low": "low",
}


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """`protocol` is the protocol's id; "" where a thing belongs to none, None where that is not known. The same
    holds of `severity`."""

    key: str
    of: Part
    protocol: str | None
    severity: Severity | None


class Lines(msgspec.Struct, frozen=True, kw_only=True):
    """By the identity of the resource that a line becomes, and by its key."""

    by_identity: Mapping[str, Line] = msgspec.field(default_factory=dict)
    by_key: Mapping[str, Line] = msgspec.field(default_factory=dict)


def severity_of(word: object) -> Severity | None:
    return _SEVERITIES.get(str(word))


def protocol_of(key: str) -> str:
    """`t2dm/goal/hba1c` → `t2dm`."""
    return key.split("/", 1)[0]


def protocol_in(canonical: str) -> str | None:
    """The protocol's id, where its address is one of ours and names it; of another address it is not known."""
    url = canonical.partition("|")[0]
    return url.removeprefix(_OURS) if url.startswith(_OURS) else None


def lines_of(proposal: Proposal, record: PatientRecord) -> Lines:
    """What the proposal says of each of its lines."""
    found: dict[tuple[str, str], Line] = {}
    for goal in proposal.goals:
        found["Goal", goal.key] = _line(goal.key, "goal", goal.priority)
    for activity in proposal.activities:
        medication = activity.resource_kind == "MedicationRequest"
        part: Part = "medication" if medication else "activity"
        for kind in activity.stands_as:
            found[kind, activity.key] = _line(activity.key, part, activity.priority)
    for issue in proposal.detected:
        found["DetectedIssue", issue.key] = _line(issue.key, "finding", issue.severity)
    source = record.patient.reference
    return Lines(
        by_identity={
            identity_of(record.identity, source, kind, key): line for (kind, key), line in found.items()
        },
        by_key={line.key: line for line in found.values() if line.of != "finding"},
    )


def _line(key: str, of: Part, severity: str) -> Line:
    return Line(key=key, of=of, protocol=protocol_of(key), severity=severity_of(severity))


def without_lines(proposal: Proposal, keys: Collection[str]) -> Proposal:
    """The proposal without these goals and activities, without what only stands with them, and without a protocol
    of which nothing is left; without any line it is no plan. Each line is told."""
    if not keys:
        return proposal
    kept = tuple(one for one in proposal.activities if one.key not in keys)
    activities = tuple(
        msgspec.structs.replace(one, goals=tuple(goal for goal in one.goals if goal not in keys)) for one in kept
    )
    goals = tuple(one for one in proposal.goals if one.key not in keys)
    standing = {protocol_of(one.key) for one in goals} | {protocol_of(one.key) for one in kept}
    emptied = {protocol_of(key) for key in keys} - standing
    left = tuple(one for one in proposal.protocols if protocol_in(one.url) not in emptied)
    return msgspec.structs.replace(
        proposal,
        protocols=left if goals or activities else (),
        goals=goals,
        activities=activities,
        restrictions=tuple(
            one for one in proposal.restrictions if one.goal not in keys and one.activity not in keys
        ),
        start_with=tuple(key for key in proposal.start_with if key not in keys),
        issues=(*proposal.issues, *(_told(key) for key in sorted(keys))),
    )


def _told(key: str) -> Issue:
    return Issue(
        severity="information",
        code="business-rule",
        key=NEVER,
        detail=f"'{key}' is proposed, and the review policy of this site never lets it be written.",
        mend="See protocols/review/policy.yaml.",
    )
