"""Observations that tell a preference: that one was told is the fact, its words are read at the source."""

from collections.abc import Iterator

import msgspec

from careplan_exchange.model.record import Resource
from careplan_exchange.model.snapshot import Fact

from .conditions import note_entered_in_error
from .context import Context
from .dates import latest
from .understanding import note_not_used
from .wire_care import ToldObservation

_DECODER = msgspec.json.Decoder(ToldObservation)
_FINAL = {"final", "amended", "corrected"}
_OPEN = {"registered", "preliminary", "cancelled", "unknown"}


def read_told(context: Context, resource: Resource, concept: str) -> Iterator[Fact]:
    """A preference of the patient's (US Core treatment intervention and care experience preference). `answer` is
    its coded value; free text stays where it is, and an issue says so."""
    observation = context.decode(resource, _DECODER)
    if observation is None or not context.is_about_patient(resource, observation.subject):
        return
    if observation.status == "entered-in-error":
        note_entered_in_error(context, resource)
        return
    if observation.status not in _FINAL:
        note_not_used(context, resource, observation.status, _OPEN)
        return
    on, future = context.dated(
        resource, "effective", observation.effective_date_time, *latest(observation.effective_period)
    )
    if future:
        return
    value = observation.value_codeable_concept
    if not observation.value_string and (value is None or not (value.coding or value.text)):
        context.note(
            resource,
            "value.missing",
            f"There is no value of '{concept}'.",
            code="required",
            expression="Observation.value",
            mend="Enter it in the record.",
        )
        return
    coding = next(iter(value.coding), None) if value is not None else None
    if coding is None:
        context.note(
            resource,
            "preference.text",
            f"'{concept}' is told in words, which are not copied: read them at the source.",
            severity="information",
            code="informational",
            expression="Observation.value",
        )
    code = observation.code.coding[0] if observation.code is not None and observation.code.coding else None
    yield context.fact(resource, context.concepts[concept], code, on, answer=coding, origin="patient")
