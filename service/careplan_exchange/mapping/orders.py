"""ServiceRequest and NutritionOrder to orders that stand: referrals, education, diets."""

from collections.abc import Iterator

import msgspec

from careplan_exchange.model.record import Resource
from careplan_exchange.model.snapshot import Fact, FactState

from .conditions import note_entered_in_error
from .context import Context
from .notes import a
from .understanding import facts_of, note_idea, note_not_used, of_code, understand
from .wire_care import NutritionOrder, ServiceRequest, concepts_in

_SERVICE = msgspec.json.Decoder(ServiceRequest)
_NUTRITION = msgspec.json.Decoder(NutritionOrder)

RESOURCE_TYPES = "http://hl7.org/fhir/resource-types"

_ORDERS = {"order", "original-order", "reflex-order", "filler-order", "instance-order"}
_IDEAS = {"proposal", "plan", "option", "directive"}


def read_service_request(context: Context, resource: Resource) -> Iterator[Fact]:
    """What was ordered by one ServiceRequest: active while it stands, ended once it is completed."""
    request = context.decode(resource, _SERVICE)
    if request is None or not context.is_about_patient(resource, request.subject):
        return
    if request.do_not_perform:
        note_idea(context, resource, "an order not to do something", "doNotPerform")
        return
    standing = _standing(context, resource, request.status, request.intent)
    if standing is None:
        return
    on, future = context.dated(resource, "authoredOn", request.authored_on)
    if future:
        return
    concept = next(iter(concepts_in(request.code)), None)
    understood = understand(context, resource, concept, ("order",), "ServiceRequest.code")
    yield from facts_of(context, resource, understood, on, state=standing[0], active=standing[1])


def read_nutrition_order(context: Context, resource: Resource) -> Iterator[Fact]:
    """That a diet was ordered; `answer` is the first code that says which."""
    order = context.decode(resource, _NUTRITION)
    if order is None or not context.is_about_patient(resource, order.patient or order.subject):
        return
    # R4 has NutritionOrder.intent since 4.0; where it is left out the resource type itself says "order".
    standing = _standing(context, resource, order.status, order.intent or "order")
    if standing is None:
        return
    if order.oral_diet is None:
        context.note(
            resource,
            "order.no-diet",
            "A NutritionOrder orders no oral diet: supplements and tube feeding are not read.",
            severity="information",
            code="informational",
            expression="NutritionOrder.oralDiet",
        )
        return
    on, future = context.dated(resource, "dateTime", order.date_time)
    if future:
        return
    codings = [coding for concept in order.oral_diet.type for coding in concept.coding]
    for concept_id in of_code(context, "order", RESOURCE_TYPES, "NutritionOrder"):
        yield context.fact(
            resource,
            context.concepts[concept_id],
            None,
            on,
            state=standing[0],
            active=standing[1],
            answer=codings[0] if codings else None,
        )


def _standing(
    context: Context, resource: Resource, status: str | None, intent: str | None
) -> tuple[FactState, bool] | None:
    """State and whether it stands; None, with an issue, where it is no order or no longer one."""
    if status == "entered-in-error":
        note_entered_in_error(context, resource)
        return None
    if status == "draft" or intent in _IDEAS:
        note_idea(context, resource, f"a {'draft' if status == 'draft' else intent}", "intent")
        return None
    if status in ("revoked", "cancelled"):
        note_not_used(context, resource, status, (status,))
        return None
    if status == "completed":
        return "present", False
    if status == "active" and intent in _ORDERS:
        return "present", True
    open_ = "on-hold" if status == "on-hold" else "of no status and intent that FHIR knows"
    context.note(
        resource,
        "order.uncertain",
        f"{a(resource.type)} is {open_}: whether it is to be done is unknown.",
        code="incomplete",
        expression=f"{resource.type}.status",
        mend="Correct the order in the record.",
    )
    return "unknown", True
