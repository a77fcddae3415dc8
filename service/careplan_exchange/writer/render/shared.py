"""The parts of a plan that R4 and R5 write alike: Goal, and most of CarePlan and DetectedIssue."""

from careplan_exchange.model.changes import Json, Rendered
from careplan_exchange.model.identity import PLAN_KEY
from careplan_exchange.model.proposal import GoalProposal, Proposal, Withheld

from . import wording
from .context import RenderContext
from .datatypes import coded, evidence_of, evidence_of_plan, references, target, without_patient
from .narrative import narrative

GOAL_CATEGORY = "http://terminology.hl7.org/CodeSystem/goal-category"
GOAL_PRIORITY = "http://terminology.hl7.org/CodeSystem/goal-priority"


def goal(proposed: GoalProposal, context: RenderContext, *, addressable: frozenset[str]) -> Rendered:
    """`addressable` are the types that Goal.addresses takes in this release; the plan names the others."""
    return context.rendered(
        "Goal",
        proposed.key,
        {
            "lifecycleStatus": "active" if context.status == "active" else "proposed",
            "category": [coded(GOAL_CATEGORY, proposed.category)],
            "priority": coded(GOAL_PRIORITY, proposed.priority),
            "description": {"text": proposed.description},
            "subject": {"reference": context.subject},
            "startDate": proposed.start.isoformat(),
            "target": [target(each) for each in proposed.targets],
            "addresses": references(proposed.addresses, context, types=addressable),
            "note": [
                note("reason", wording.explanation(
                    proposed.reasons, proposed.citations, proposed.missing, proposed.protocol
                ))
            ],
        },
    )  # fmt: skip


def plan_head(proposal: Proposal, context: RenderContext) -> Json:
    """CarePlan up to its subject and dates."""
    title = "Plan of care: " + ", ".join(protocol.title for protocol in proposal.protocols)
    today = context.now.date().isoformat()
    return {
        "text": narrative(proposal, title),
        "instantiatesCanonical": [protocol.canonical for protocol in proposal.protocols],
        "status": context.status,
        "intent": "plan",
        "title": title,
        "subject": {"reference": context.subject},
        "period": {"start": today},
        "created": today,
    }


def plan_support(proposal: Proposal, context: RenderContext) -> list[Json]:
    """CarePlan.supportingInfo: the evidence other than the patient and the problems that the plan addresses, and
    the issues that were found on the way."""
    addressed = {evidence.reference for evidence in proposal.addresses}
    used = [each for each in without_patient(evidence_of_plan(proposal)) if each.reference not in addressed]
    return [
        *references(used, context),
        *(context.link("DetectedIssue", item.key) for item in proposal.withheld),
    ]


def goal_links(keys: tuple[str, ...], context: RenderContext) -> list[Json]:
    return [context.link("Goal", key) for key in keys]


def plan(elements: Json, context: RenderContext) -> Rendered:
    return context.rendered("CarePlan", PLAN_KEY, elements)


def issue_elements(item: Withheld, context: RenderContext, *, subject: str) -> Json:
    """DetectedIssue: `subject` names the element that holds the patient in this release."""
    why = wording.explanation(item.reasons, item.citations, item.missing, item.protocol)
    return {
        "status": "preliminary",
        "code": {"text": wording.withheld_title(item)},
        "severity": item.severity,
        subject: {"reference": context.subject},
        "identifiedDateTime": context.now.date().isoformat(),
        "implicated": references(without_patient(evidence_of(item.reasons)), context),
        "detail": f"{item.detail}\n{why}",
    }


def note(element_id: str, text: str) -> Json:
    """An Annotation with an id of its own, by which a later merge tells it from a clinician's notes."""
    return {"id": element_id, "text": text}
