"""What one resource says of taking a medicine: by its kind, its status and its time.

http://hl7.org/fhir/R4/medicationstatement.html and http://hl7.org/fhir/R5/medicationstatement.html differ in what
`status` means; the readers below make one `Stand` of both.
"""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import NamedTuple

import msgspec

from careplan_exchange.model.record import Resource
from careplan_exchange.model.snapshot import FactState

from .circumstances import is_over
from .conditions import note_entered_in_error, status_code
from .context import Context
from .dates import latest, span_of
from .notes import a
from .wire import Medicated, MedicationRequest
from .wire_care import MedicationAdministration, MedicationDispense, MedicationStatement

_ORDERS = {"order", "original-order", "reflex-order", "filler-order", "instance-order"}
_IDEAS = {"proposal", "plan", "option"}
_ENDED = {"completed", "stopped", "cancelled", "ended"}


class Stand(NamedTuple):
    """`state` and `active` as in a Fact, `on` the date it speaks of. `denies`: somebody says that it is not
    taken. `stopped`: an order that was stopped before its time."""

    state: FactState
    active: bool
    on: str | None
    denies: bool = False
    stopped: bool = False


class Found(NamedTuple):
    """`medicated` is None where the resource cannot be read."""

    stand: Stand
    medicated: Medicated | None


def read_stand(context: Context, resource: Resource) -> Found | None:
    """What the resource says; None, with an issue, where it says nothing of what is taken."""
    decoder, stand_of = _READERS[resource.type]
    medicated = context.decode(resource, decoder)
    if medicated is None:
        return Found(Stand("unknown", True, None), None)
    if not context.is_about_patient(resource, medicated.subject):
        return None
    if medicated.status == "entered-in-error":
        note_entered_in_error(context, resource)
        return None
    stand = stand_of(context, resource, medicated)
    return Found(stand, medicated) if stand is not None else None


def _request(context: Context, resource: Resource, request: MedicationRequest) -> Stand | None:
    """An order stands until the record ends it: nothing in it says for certain when the last dose is. A proposal,
    a plan and a draft are ideas: nobody takes anything by them."""
    if request.do_not_perform:
        _not_taken(context, resource, "an order not to give something", "intent")
        return None
    if request.intent in _IDEAS or request.status == "draft":
        idea = request.intent if request.intent in _IDEAS else "draft"
        _not_taken(context, resource, f"a {idea}", "intent")
        return None
    state: FactState = "present"
    active = request.status not in _ENDED
    if active and not (request.status == "active" and request.intent in _ORDERS):
        state = "unknown"
        open_ = "on-hold" if request.status == "on-hold" else "of no status and intent that FHIR knows"
        _uncertain(context, resource, open_)
    on, _ = context.dated(resource, "authoredOn", request.authored_on)
    return Stand(state, active, on, stopped=request.status in ("stopped", "cancelled"))


def _statement(context: Context, resource: Resource, statement: MedicationStatement) -> Stand | None:
    told = _said(statement)
    if told in ("intended", "draft"):
        _not_taken(context, resource, "an intention" if told == "intended" else "a draft", "status")
        return None
    period = statement.effective_period
    start = period.start if period is not None else None
    on, future = context.dated(
        resource, "effective", statement.effective_date_time, start, statement.date_asserted
    )
    if future and on is None:
        return None
    if told in ("not-taking", "stopped"):
        what = "not taken" if told == "not-taking" else "stopped"
        _not_taken(context, resource, f"a statement that it is {what}", "status")
        # A denial speaks of the day it was told, not of the day the medicine was begun.
        asserted, _ = context.dated(resource, "dateAsserted", statement.date_asserted)
        return Stand("absent", False, asserted or on, denies=True)
    ended = told == "completed" or is_over(context, period)
    if not ended and told != "taking":
        _uncertain(
            context, resource, "on-hold" if told == "on-hold" else "of no status that says whether it is taken"
        )
        return Stand("unknown", True, on)
    return Stand("present", not ended, on)


def _said(statement: MedicationStatement) -> str | None:
    """One word for both releases: R5 tells by `adherence`, and without it a recorded statement is of taking."""
    adherence = status_code(statement.adherence.code) if statement.adherence is not None else None
    if adherence is not None:
        return next(
            (word for word in ("not-taking", "taking", "on-hold", "stopped") if adherence.startswith(word)), None
        )
    return {"active": "taking", "recorded": "taking", "not-taken": "not-taking"}.get(
        statement.status or "", statement.status
    )


def _dispense(context: Context, resource: Resource, dispense: MedicationDispense) -> Stand | None:
    """What was handed over is taken as long as the supply lasts; without a supply it tells of the past alone."""
    if dispense.status not in ("completed", "in-progress"):
        _not_taken(context, resource, "a dispense that did not take place or was stopped", "status")
        return None
    on, future = context.dated(resource, "whenHandedOver", dispense.when_handed_over, dispense.when_prepared)
    if future:
        return None
    days = dispense.days_supply.value if dispense.days_supply is not None else None
    return Stand("present", on is not None and days is not None and _lasts(on, days, context.today), on)


def _administration(
    context: Context, resource: Resource, administration: MedicationAdministration
) -> Stand | None:
    """A dose that was given is past; one that is being given is taken."""
    if administration.status not in ("completed", "in-progress", "stopped"):
        _not_taken(context, resource, "a dose that was not given", "status")
        return None
    on, future = context.dated(
        resource,
        "effective",
        administration.effective_date_time,
        administration.occurence_date_time,
        *latest(administration.effective_period),
        *latest(administration.occurence_period),
    )
    return None if future and on is None else Stand("present", administration.status == "in-progress", on)


def _lasts(on: str, days: Decimal, today: date) -> bool:
    span = span_of(on[:10])
    return span is not None and days.is_finite() and (today - span[1]).days <= days


def _not_taken(context: Context, resource: Resource, what: str, element: str) -> None:
    context.note(
        resource,
        "medication.not-taken",
        f"{a(resource.type)} is {what}: it does not say that the patient takes it.",
        severity="information",
        code="informational",
        expression=f"{resource.type}.{element}",
    )


def _uncertain(context: Context, resource: Resource, open_: str) -> None:
    context.note(
        resource,
        "medication.uncertain",
        f"{a(resource.type)} is {open_}: whether the patient takes it is unknown.",
        code="incomplete",
        expression=f"{resource.type}.status",
        mend="Ask the patient, and correct the "
        + ("order" if resource.type == "MedicationRequest" else "statement")
        + " in the record.",
    )


_READERS: dict[str, tuple[msgspec.json.Decoder, Callable[..., Stand | None]]] = {  # type: ignore[type-arg]  # of several types
    "MedicationRequest": (msgspec.json.Decoder(MedicationRequest), _request),
    "MedicationStatement": (msgspec.json.Decoder(MedicationStatement), _statement),
    "MedicationDispense": (msgspec.json.Decoder(MedicationDispense), _dispense),
    "MedicationAdministration": (msgspec.json.Decoder(MedicationAdministration), _administration),
}
MEDICATION_TYPES = tuple(_READERS)
