"""A Proposal in FHIR R4 and R4B (http://hl7.org/fhir/R4/careplan.html) and US Core 3.1.1 to 8.

On rung "references" a service is a ServiceRequest or NutritionOrder of its own, and the plan points at it; on
rung "detail" it is a line of the plan, `activity.detail`, for a server without request resources. Never both in
one activity (cpl-3). A medicine stays a line of the plan on both: a MedicationRequest is listed among a patient's
medicines by clients that look at no intent, and US Core wants a requester, which a proposal by software has not.
"""

from careplan_exchange.model.changes import Json, Rendered
from careplan_exchange.model.proposal import ActivityProposal, Proposal
from careplan_exchange.model.target import TargetForm

from . import wording
from .context import RenderContext, compact
from .datatypes import coded, concept, references
from .requests import kind_of, request
from .shared import detected, goal, goal_links, plan, plan_goals, plan_head, plan_support

US_CORE_CATEGORY = "http://hl7.org/fhir/us/core/CodeSystem/careplan-category"
RETIRED_IN = 9
"""The category is required by US Core until 7, optional in 8, and its code system retired in 9. Servers that list
a
patient's plans by category want it too; it is left out only where the server names 9 or later."""

GOAL_ADDRESSES = frozenset(
    {"Condition", "Observation", "MedicationStatement", "NutritionOrder", "ServiceRequest"}
)
ACTIVITY_REASONS = frozenset({"Condition", "Observation", "DiagnosticReport", "DocumentReference"})


def render(proposal: Proposal, context: RenderContext, form: TargetForm) -> tuple[Rendered, ...]:
    return (
        *(goal(proposed, context, addressable=GOAL_ADDRESSES) for proposed in proposal.goals),
        *(
            request(proposed, context, form, "R4")
            for proposed in proposal.activities
            if not _stays_a_line(proposed, form)
        ),
        *detected(proposal, context, form, subject="patient"),
        _plan(proposal, context, form),
    )


def _stays_a_line(proposed: ActivityProposal, form: TargetForm) -> bool:
    return form.rung == "detail" or proposed.resource_kind == "MedicationRequest"


def _plan(proposal: Proposal, context: RenderContext, form: TargetForm) -> Rendered:
    return plan(
        {
            **plan_head(proposal, context),
            "category": _category(form),
            "addresses": references(proposal.addresses, context, types=frozenset({"Condition"})),
            "supportingInfo": plan_support(proposal, context, form),
            "goal": plan_goals(proposal, context),
            "activity": [_activity(proposed, context, form) for proposed in proposal.activities],
        },
        context,
    )


def _category(form: TargetForm) -> list[Json]:
    retired = form.us_core is not None and int(form.us_core.split(".")[0]) >= RETIRED_IN
    return [] if retired else [coded(US_CORE_CATEGORY, "assess-plan")]


def _activity(proposed: ActivityProposal, context: RenderContext, form: TargetForm) -> Json:
    if not _stays_a_line(proposed, form):
        return {"id": proposed.key, "reference": context.link(kind_of(proposed, form), proposed.key)}
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
            "description": wording.instruction(proposed),
        }
    )
    return {"id": proposed.key, "detail": detail}
