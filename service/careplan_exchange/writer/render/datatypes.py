"""FHIR datatypes that look the same in R4 and R5: concepts, references, quantities, annotations."""

from collections.abc import Iterable

from careplan_exchange.model.changes import Json
from careplan_exchange.model.detected import DetectedIssue, RedFlag
from careplan_exchange.model.proposal import (
    ActivityProposal,
    GoalProposal,
    Proposal,
    Reason,
    Restriction,
    Target,
    Withheld,
)
from careplan_exchange.model.snapshot import Coding, Evidence

from .context import RenderContext, compact

UCUM = "http://unitsofmeasure.org"

Line = GoalProposal | ActivityProposal | Restriction | Withheld | DetectedIssue | RedFlag


def coding(of: Coding) -> Json:
    return compact({"system": of.system, "code": of.code, "display": of.display})


def concept(codings: Iterable[Coding], text: str | None = None) -> Json:
    return compact({"coding": [coding(each) for each in codings], "text": text})


def coded(system: str, code: str) -> Json:
    return {"coding": [{"system": system, "code": code}]}


def reference(to: Evidence, context: RenderContext) -> Json:
    """A reference to a resource of the source. The version it was read in stands in Provenance, not here: a
    plan points at the living resource (http://hl7.org/fhir/R4/references.html#logical for the other server)."""
    if context.same_server:
        return {"reference": to.reference}
    resource_type = type_of(to)
    return {
        "type": resource_type,
        "identifier": {"system": context.source_endpoint, "value": to.reference},
        "display": f"{resource_type} on the server that the plan was made from",
    }


def references(
    to: Iterable[Evidence], context: RenderContext, *, types: frozenset[str] | None = None
) -> list[Json]:
    """One reference a resource, in the order first met; only to `types`, where an element takes no others."""
    unique = {each.reference: each for each in to if types is None or type_of(each) in types}
    return [reference(each, context) for each in unique.values()]


def type_of(evidence: Evidence) -> str:
    return evidence.reference.split("/", 1)[0]


def evidence_of(reasons: Iterable[Reason]) -> list[Evidence]:
    return [evidence for reason in reasons for used in reason.used for evidence in used.evidence]


def without_patient(evidence: Iterable[Evidence]) -> list[Evidence]:
    """A plan names its patient as its subject, not as something that it rests on."""
    return [each for each in evidence if type_of(each) != "Patient"]


def evidence_of_plan(proposal: Proposal) -> list[Evidence]:
    """Everything any line of the plan rests on, whatever list of the proposal names it."""
    addressed = [
        *(evidence for goal in proposal.goals for evidence in goal.addresses),
        *(evidence for activity in proposal.activities for evidence in activity.addresses),
    ]
    used = evidence_of(reason for line in lines(proposal) for reason in line.reasons)
    return [*proposal.evidence, *used, *addressed]


def lines(proposal: Proposal) -> tuple[Line, ...]:
    """Everything in the plan that has reasons and citations of its own."""
    return (
        *proposal.red_flags,
        *proposal.goals,
        *proposal.activities,
        *proposal.restrictions,
        *proposal.withheld,
        *found(proposal),
    )


def found(proposal: Proposal) -> tuple[DetectedIssue, ...]:
    """The hazards that stand beside the plan. A question is no finding: it stands on the activity that waits."""
    return tuple(item for item in proposal.detected if item.action != "asked")


def target(of: Target) -> Json:
    """Goal.target. A bound that is missing leaves the range open on that side; both bounds alike are a value."""
    low, high = (None if bound is None else _quantity(bound, of.unit) for bound in (of.low, of.high))
    exact = of.low is not None and of.low == of.high
    return compact(
        {
            "id": of.measure.code,
            "measure": concept([of.measure]),
            "detailQuantity": high if exact else None,
            "detailRange": None if exact else compact({"low": low, "high": high}),
            "dueDate": of.due.isoformat() if of.due else None,
        }
    )


def _quantity(value: object, unit: str) -> Json:
    return {"value": value, "unit": unit, "system": UCUM, "code": unit}
