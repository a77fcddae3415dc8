"""Procedure to things done. What is planned, in progress or not done is not done."""

from collections.abc import Iterator

import msgspec

from careplan_exchange.model.record import Resource
from careplan_exchange.model.snapshot import Fact

from .coding import read_concept
from .conditions import note_entered_in_error, note_narrower
from .context import Context
from .dates import latest
from .wire import Procedure

_DECODER = msgspec.json.Decoder(Procedure)
_OPEN = {"preparation", "in-progress", "on-hold", "stopped", "not-done", "unknown"}


def read_procedure(context: Context, resource: Resource) -> Iterator[Fact]:
    """The facts of one Procedure: only a completed one, dated by its end. Where its codes disagree or leave it
    open, what was done is unknown: to take it for done would leave out what is still to do."""
    procedure = context.decode(resource, _DECODER)
    if procedure is None or not context.is_about_patient(resource, procedure.subject):
        return
    if procedure.status == "entered-in-error":
        note_entered_in_error(context, resource)
        return
    if procedure.status != "completed":
        shown = procedure.status if procedure.status in _OPEN else "of a status that FHIR does not know"
        context.note(
            resource,
            "status.not-done",
            f"A Procedure is {shown}, so it does not count as done.",
            severity="information",
            code="informational",
            expression="Procedure.status",
        )
        return
    readings, agree = read_concept(context, resource, procedure.code, ("procedure",))
    if not readings:
        return
    done, future = context.dated(
        resource,
        "performed",
        procedure.performed_date_time,
        procedure.occurrence_date_time,
        *latest(procedure.performed_period),
        *latest(procedure.occurrence_period),
    )
    if future:
        return
    if done is None:
        context.note(
            resource,
            "date.missing",
            "A Procedure does not say when it was done, so it cannot count as current.",
            code="required",
            expression="Procedure.performed",
            mend="Enter the date in the record.",
        )
    for reading in readings:
        if not reading.certain:
            note_narrower(context, resource, reading)
        yield context.fact(
            resource,
            context.concepts[reading.concept],
            reading.coding,
            done,
            state="present" if agree and reading.certain else "unknown",
        )
