"""Encounter and Appointment to visits: those that took place, those for an acute event, and the next one."""

from collections.abc import Iterator

import msgspec

from careplan_exchange.model.record import Resource
from careplan_exchange.model.snapshot import Coding, Fact

from .coding import meanings
from .conditions import note_entered_in_error
from .context import Context
from .dates import fault, latest, span_of
from .understanding import facts_of, note_not_used, understand
from .wire import CodeableConcept, Reference
from .wire_care import Appointment, Encounter, Stay, concepts_in

_ENCOUNTER = msgspec.json.Decoder(Encounter)
_APPOINTMENT = msgspec.json.Decoder(Appointment)

PLANNED = Coding(system="http://hl7.org/fhir/encounter-status", code="planned")
BOOKED = Coding(system="http://hl7.org/fhir/appointmentstatus", code="booked")

_TOOK_PLACE = {
    "arrived",
    "triaged",
    "in-progress",
    "onleave",
    "finished",
    "on-hold",
    "discharged",
    "completed",
}
_DID_NOT = {"cancelled", "discontinued", "unknown"}
_APPOINTMENTS = {"proposed", "pending", "arrived", "fulfilled", "cancelled", "noshow", "checked-in", "waitlist"}


def read_encounter(context: Context, resource: Resource) -> Iterator[Fact]:
    """The visit, by its class and dated by its end; a planned one by its start, where that lies ahead."""
    encounter = context.decode(resource, _ENCOUNTER)
    if encounter is None or not context.is_about_patient(resource, encounter.subject):
        return
    period = encounter.period or encounter.actual_period
    if encounter.status == "entered-in-error":
        note_entered_in_error(context, resource)
    elif encounter.status == "planned":
        start = encounter.planned_start_date or (period.start if period is not None else None)
        yield from _ahead(context, resource, PLANNED, start, "Encounter.period")
    elif encounter.status not in _TOOK_PLACE:
        note_not_used(context, resource, encounter.status, _DID_NOT)
    else:
        on, future = context.dated(resource, "period", *latest(period))
        if future:
            return
        if on is None:
            _no_date(context, resource, "An Encounter does not say when it was.", "Encounter.period")
        classes = concepts_in(encounter.class_)
        concept = CodeableConcept(coding=tuple(coding for one in classes for coding in one.coding))
        understood = understand(context, resource, concept, ("visit",), "Encounter.class")
        yield from facts_of(context, resource, understood, on)
        diets = (*encounter.diet_preference, *(encounter.hospitalization or Stay()).diet_preference)
        for diet in diets:
            preferred = understand(context, resource, diet, ("circumstance",), "Encounter.dietPreference")
            for fact in facts_of(context, resource, preferred, on):
                yield msgspec.structs.replace(fact, answer=fact.coding, origin="patient")


def read_appointment(context: Context, resource: Resource) -> Iterator[Fact]:
    """The next visit: a booked appointment whose start lies ahead. A past one is told by its Encounter."""
    appointment = context.decode(resource, _APPOINTMENT)
    if appointment is None or not context.is_about_patient(resource, _whose(appointment)):
        return
    if appointment.status == "entered-in-error":
        note_entered_in_error(context, resource)
    elif appointment.status != "booked":
        note_not_used(context, resource, appointment.status, _APPOINTMENTS)
    else:
        yield from _ahead(context, resource, BOOKED, appointment.start, "Appointment.start")


def _whose(appointment: Appointment) -> Reference | None:
    """The subject, else the one patient among the participants; nobody where there are several."""
    if appointment.subject is not None:
        return appointment.subject
    patients = [
        participant.actor
        for participant in appointment.participant
        if participant.actor is not None and "Patient/" in (participant.actor.reference or "")
    ]
    return patients[0] if len(patients) == 1 else None


def _ahead(
    context: Context, resource: Resource, status: Coding, start: str | None, element: str
) -> Iterator[Fact]:
    if start is None or fault(start, context.today) == "unreadable":
        _no_date(context, resource, f"A planned {resource.type} has no start that is a date.", element)
        return
    span = span_of(start[:10])
    if span is None or span[1] < context.today:
        context.note(
            resource,
            "visit.past",
            f"A planned {resource.type} lies in the past, and its status does not say what became of it.",
            code="business-rule",
            expression=element,
            mend="Enter in the record whether it took place.",
        )
        return
    for meaning in meanings(context, "visit", status):
        yield context.fact(resource, context.concepts[meaning.concept], status, start)


def _no_date(context: Context, resource: Resource, detail: str, element: str) -> None:
    context.note(
        resource,
        "date.missing",
        detail,
        code="required",
        expression=element,
        mend="Enter the date in the record.",
    )
