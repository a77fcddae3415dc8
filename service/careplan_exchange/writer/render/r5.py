"""A Proposal in FHIR R5 (http://hl7.org/fhir/R5/careplan.html).

R5 has no `activity.detail`: every activity is a request of its own, a draft and a proposal whatever the status of
the plan, and the plan points at it with `plannedActivityReference`.
"""

from collections.abc import Iterable

from careplan_exchange.model.changes import Json, Rendered
from careplan_exchange.model.proposal import Proposal
from careplan_exchange.model.snapshot import Evidence
from careplan_exchange.model.target import TargetForm

from .context import RenderContext
from .datatypes import references
from .requests import kind_of, request
from .shared import detected, goal, plan, plan_goals, plan_head, plan_support

GOAL_ADDRESSES = frozenset(
    {
        "Condition", "Observation", "MedicationStatement", "MedicationRequest", "NutritionOrder",
        "ServiceRequest", "Procedure",
    }
)  # fmt: skip


def render(proposal: Proposal, context: RenderContext, form: TargetForm) -> tuple[Rendered, ...]:
    return (
        *(goal(proposed, context, addressable=GOAL_ADDRESSES) for proposed in proposal.goals),
        *(request(proposed, context, form, "R5") for proposed in proposal.activities),
        *detected(proposal, context, form, subject="subject"),
        _plan(proposal, context, form),
    )


def _plan(proposal: Proposal, context: RenderContext, form: TargetForm) -> Rendered:
    return plan(
        {
            **plan_head(proposal, context),
            "addresses": _codeable(proposal.addresses, context, frozenset({"Condition"})),
            "supportingInfo": plan_support(proposal, context, form),
            "goal": plan_goals(proposal, context),
            "activity": [
                {
                    "id": proposed.key,
                    "plannedActivityReference": context.link(kind_of(proposed, form), proposed.key),
                }
                for proposed in proposal.activities
            ],
        },
        context,
    )


def _codeable(to: Iterable[Evidence], context: RenderContext, types: frozenset[str]) -> list[Json]:
    return [{"reference": link} for link in references(to, context, types=types)]
