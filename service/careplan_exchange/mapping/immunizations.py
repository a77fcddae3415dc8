"""Immunization to vaccines given, and to a refusal that somebody recorded."""

from collections.abc import Iterator

import msgspec

from careplan_exchange.model.record import Resource
from careplan_exchange.model.snapshot import Fact

from .conditions import note_entered_in_error
from .context import Context
from .understanding import facts_of, note_not_used, understand
from .wire_care import Immunization

_DECODER = msgspec.json.Decoder(Immunization)


def read_immunization(context: Context, resource: Resource) -> Iterator[Fact]:
    """The vaccines of one Immunization, dated by `occurrence`. What was not done says nothing of what was given
    at another time; its reason may be a refusal (http://hl7.org/fhir/R4/immunization.html)."""
    immunization = context.decode(resource, _DECODER)
    if immunization is None or not context.is_about_patient(resource, immunization.patient):
        return
    if immunization.status == "entered-in-error":
        note_entered_in_error(context, resource)
        return
    given, future = context.dated(resource, "occurrence", immunization.occurrence_date_time)
    if future:
        return
    if immunization.status == "not-done":
        yield from _not_done(context, resource, immunization, given)
        return
    if immunization.status != "completed":
        note_not_used(context, resource, immunization.status, ())
        return
    understood = understand(
        context, resource, immunization.vaccine_code, ("immunization",), "Immunization.vaccineCode"
    )
    if understood.readings and given is None:
        told = "as text alone" if immunization.occurrence_string else "not at all"
        context.note(
            resource,
            "date.missing",
            f"When a vaccine was given is told {told}, so it cannot count as current.",
            code="required",
            expression="Immunization.occurrence",
            mend="Enter the date in the record.",
        )
    yield from facts_of(context, resource, understood, given)


def _not_done(context: Context, resource: Resource, immunization: Immunization, on: str | None) -> Iterator[Fact]:
    reason = immunization.status_reason
    refused = {
        concept: coding
        for coding in (reason.coding if reason is not None else ())
        if (concept := context.mappings.care.refusals.get(context.key(coding))) is not None
    }
    context.note(
        resource,
        "status.not-done",
        "An Immunization was refused."
        if refused
        else "An Immunization is not-done, so it does not count as given.",
        severity="information",
        code="informational",
        expression="Immunization.status",
    )
    for concept, coding in sorted(refused.items()):
        yield context.fact(resource, context.concepts[concept], coding, on)
