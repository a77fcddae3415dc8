"""A Proposal in FHIR R5 (http://hl7.org/fhir/R5/careplan.html).

R5 has no `activity.detail`: every activity is a request of its own, a draft and a proposal whatever the status of
the plan, and the plan points at it with `plannedActivityReference`.
"""

from collections.abc import Iterable

from careplan_exchange.model.changes import Json, Rendered
from careplan_exchange.model.proposal import ActivityProposal, Proposal
from careplan_exchange.model.snapshot import Evidence

from . import wording
from .context import RenderContext
from .datatypes import concept, references
from .shared import detected, goal, goal_links, note, plan, plan_goals, plan_head, plan_support

PERTAINS_TO_GOAL = "http://hl7.org/fhir/StructureDefinition/resource-pertainsToGoal"

GOAL_ADDRESSES = frozenset(
    {
        "Condition", "Observation", "MedicationStatement", "MedicationRequest", "NutritionOrder",
        "ServiceRequest", "Procedure",
    }
)  # fmt: skip
REQUEST_REASONS = {
    "ServiceRequest": frozenset(
        {"Condition", "Observation", "DiagnosticReport", "DocumentReference", "DetectedIssue"}
    ),
    "MedicationRequest": frozenset({"Condition", "Observation"}),
}


def render(proposal: Proposal, context: RenderContext) -> tuple[Rendered, ...]:
    return (
        *(goal(proposed, context, addressable=GOAL_ADDRESSES) for proposed in proposal.goals),
        *(_request(proposed, context) for proposed in proposal.activities),
        *detected(proposal, context, subject="subject"),
        _plan(proposal, context),
    )


def _plan(proposal: Proposal, context: RenderContext) -> Rendered:
    return plan(
        {
            **plan_head(proposal, context),
            "addresses": _codeable(proposal.addresses, context, frozenset({"Condition"})),
            "supportingInfo": plan_support(proposal, context),
            "goal": plan_goals(proposal, context),
            "activity": [
                {
                    "id": proposed.key,
                    "plannedActivityReference": context.link(proposed.resource_kind, proposed.key),
                }
                for proposed in proposal.activities
            ],
        },
        context,
    )


def _request(proposed: ActivityProposal, context: RenderContext) -> Rendered:
    what = {"concept": concept(proposed.codings, proposed.title)}
    why = wording.explanation(proposed.reasons, proposed.citations, proposed.missing, proposed.protocol)
    elements: Json = {
        "extension": [
            {"url": PERTAINS_TO_GOAL, "valueReference": link} for link in goal_links(proposed.goals, context)
        ],
        "status": "draft",
        "intent": "proposal",
        "priority": proposed.priority,
        "subject": {"reference": context.subject},
        "reason": _codeable(proposed.addresses, context, REQUEST_REASONS[proposed.resource_kind]),
        "note": [
            note("instruction", wording.instruction(proposed.description, proposed.questions)),
            note("reason", why),
        ],
    }
    if proposed.resource_kind == "MedicationRequest":
        timing = [{"timing": proposed.timing}] if proposed.timing else []
        elements |= {"medication": what, "dosageInstruction": timing}
    else:
        elements |= {
            "instantiatesCanonical": [proposed.protocol.canonical],
            "code": what,
            "occurrenceTiming": proposed.timing,
            "patientInstruction": [{"id": "patient", "instructionMarkdown": proposed.patient_text}],
        }
    return context.rendered(proposed.resource_kind, proposed.key, elements)


def _codeable(to: Iterable[Evidence], context: RenderContext, types: frozenset[str]) -> list[Json]:
    return [{"reference": link} for link in references(to, context, types=types)]
