"""A Proposal in FHIR R4 (http://hl7.org/fhir/R4/careplan.html) and US Core 3.1.1 to 8.

Activities are `activity.detail`, never beside `activity.reference` (cpl-3): a server without request resources
takes them too, and a medication stays a line of a draft plan instead of becoming a request of its own.
"""

from careplan_exchange.model.changes import Json, Rendered
from careplan_exchange.model.proposal import ActivityProposal, Proposal

from . import wording
from .context import RenderContext, compact
from .datatypes import coded, concept, references
from .shared import detected, goal, goal_links, plan, plan_goals, plan_head, plan_support

US_CORE_CATEGORY = "http://hl7.org/fhir/us/core/CodeSystem/careplan-category"
"""Required by US Core until 7, and by servers that list a patient's plans by category; harmless elsewhere."""

GOAL_ADDRESSES = frozenset(
    {"Condition", "Observation", "MedicationStatement", "NutritionOrder", "ServiceRequest"}
)
ACTIVITY_REASONS = frozenset({"Condition", "Observation", "DiagnosticReport", "DocumentReference"})


def render(proposal: Proposal, context: RenderContext) -> tuple[Rendered, ...]:
    return (
        *(goal(proposed, context, addressable=GOAL_ADDRESSES) for proposed in proposal.goals),
        *detected(proposal, context, subject="patient"),
        _plan(proposal, context),
    )


def _plan(proposal: Proposal, context: RenderContext) -> Rendered:
    return plan(
        {
            **plan_head(proposal, context),
            "category": [coded(US_CORE_CATEGORY, "assess-plan")],
            "addresses": references(proposal.addresses, context, types=frozenset({"Condition"})),
            "supportingInfo": plan_support(proposal, context),
            "goal": plan_goals(proposal, context),
            "activity": [_activity(proposed, context) for proposed in proposal.activities],
        },
        context,
    )


def _activity(proposed: ActivityProposal, context: RenderContext) -> Json:
    medication = proposed.resource_kind == "MedicationRequest"
    what = concept(proposed.codings, proposed.title)
    detail = compact(
        {
            "kind": proposed.resource_kind,
            "instantiatesCanonical": [proposed.protocol.canonical],
            "code": None if medication else what,
            "reasonReference": references(proposed.addresses, context, types=ACTIVITY_REASONS),
            "goal": goal_links(proposed.goals, context),
            "status": "not-started",
            "scheduledTiming": proposed.timing,
            "productCodeableConcept": what if medication else None,
            "description": wording.instruction(proposed.description, proposed.questions),
        }
    )
    return {"id": proposed.key, "detail": detail}
