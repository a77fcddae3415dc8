"""The parts of a plan that R4 and R5 write alike: Goal, and most of CarePlan and DetectedIssue."""

from collections.abc import Mapping

from careplan_exchange.model.changes import Json, Rendered
from careplan_exchange.model.detected import DetectedIssue, Hazard
from careplan_exchange.model.identity import PLAN_KEY
from careplan_exchange.model.proposal import GoalProposal, Proposal
from careplan_exchange.model.target import TargetForm

from . import wording
from .context import RenderContext
from .datatypes import coded, evidence_of, evidence_of_plan, found, references, target, type_of, without_patient
from .narrative import narrative

GOAL_CATEGORY = "http://terminology.hl7.org/CodeSystem/goal-category"
GOAL_ACHIEVEMENT = "http://terminology.hl7.org/CodeSystem/goal-achievement"
GOAL_PRIORITY = "http://terminology.hl7.org/CodeSystem/goal-priority"
ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"

_HAZARDS: Mapping[Hazard, str] = {
    "allergy": "ALGY",
    "drug-disease": "COND",
    "drug-laboratory": "LAB",
    "drug-drug": "DRG",
    "duplicate": "DUPTHPY",
    "pregnancy": "PREG",
    "lactation": "LACT",
    "age": "AGE",
    "kidney": "LAB",
    "liver": "COND",
    "gene-drug": "GEN",
    "diet": "FOOD",
}
"""Codes of the preferred ValueSet (http://hl7.org/fhir/R4/valueset-detectedissue-category.html). The other
hazards have none there, and are told in words."""
_MEDICINES = frozenset(
    {"MedicationRequest", "MedicationStatement", "MedicationDispense", "MedicationAdministration"}
)


def goal(proposed: GoalProposal, context: RenderContext, *, addressable: frozenset[str]) -> Rendered:
    """`addressable` are the types that Goal.addresses takes in this release; the plan names the others."""
    return context.rendered(
        "Goal",
        proposed.key,
        {
            "lifecycleStatus": "active" if context.status == "active" else "proposed",
            "category": [coded(GOAL_CATEGORY, proposed.category)],
            "achievementStatus": coded(GOAL_ACHIEVEMENT, proposed.achievement) if proposed.achievement else None,
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


def plan_support(proposal: Proposal, context: RenderContext, form: TargetForm) -> list[Json]:
    """CarePlan.supportingInfo: the evidence other than the patient and the problems that the plan addresses, and
    the issues that were found on the way."""
    addressed = {
        evidence.reference for evidence in proposal.addresses if evidence.reference.startswith("Condition/")
    }
    used = [each for each in without_patient(evidence_of_plan(proposal)) if each.reference not in addressed]
    return [
        *references(used, context),
        *(context.link("DetectedIssue", item.key) for item in _written(proposal, form)),
    ]


def plan_goals(proposal: Proposal, context: RenderContext) -> list[Json]:
    """CarePlan.goal: first the patient's own, which stand on the source as somebody's own resources and are only
    referred to, then ours."""
    theirs = references((wish.evidence for wish in proposal.wishes), context)
    return [*theirs, *goal_links(tuple(proposed.key for proposed in proposal.goals), context)]


def goal_links(keys: tuple[str, ...], context: RenderContext) -> list[Json]:
    return [context.link("Goal", key) for key in keys]


def plan(elements: Json, context: RenderContext) -> Rendered:
    return context.rendered("CarePlan", PLAN_KEY, elements)


def detected(
    proposal: Proposal, context: RenderContext, form: TargetForm, *, subject: str
) -> tuple[Rendered, ...]:
    """The DetectedIssues, none where the target takes none. `subject` names the element that holds the patient in
    this release."""
    return tuple(
        context.rendered("DetectedIssue", item.key, _issue_elements(item, context, subject))
        for item in _written(proposal, form)
    )


def _written(proposal: Proposal, form: TargetForm) -> tuple[DetectedIssue, ...]:
    return () if "DetectedIssue" in form.without else found(proposal)


def _issue_elements(item: DetectedIssue, context: RenderContext, subject: str) -> Json:
    """What is taken is implicated, everything else that was looked at is the evidence."""
    why = wording.explanation(item.reasons, item.citations, item.missing, None)
    rests_on = without_patient(evidence_of(item.reasons))
    evidence = references((one for one in rests_on if type_of(one) not in _MEDICINES), context)
    code = _HAZARDS.get(item.hazard)
    return {
        "status": "preliminary",
        "code": {**(coded(ACT_CODE, code) if code else {}), "text": wording.issue_title(item)},
        "severity": item.severity,
        subject: {"reference": context.subject},
        "identifiedDateTime": context.now.date().isoformat(),
        "implicated": references(rests_on, context, types=_MEDICINES),
        "evidence": [{"detail": evidence}] if evidence else [],
        "detail": f"{item.detail}\n{why}",
        "mitigation": [{"action": {"text": text}} for text in wording.mitigations(item)],
    }


def note(element_id: str, text: str) -> Json:
    """An Annotation with an id of its own, by which a later merge tells it from a clinician's notes."""
    return {"id": element_id, "text": text}
