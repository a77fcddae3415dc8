"""Condition to diagnoses, to states such as pregnancy, and to family history that is coded as a condition."""

from collections.abc import Iterator

import msgspec

from careplan_exchange.model.record import Resource
from careplan_exchange.model.snapshot import Fact, FactKind, FactState

from .coding import read_concept
from .context import Context
from .dates import latest
from .notes import a, shown_code
from .readings import Reading
from .wire import CodeableConcept, Condition

_DECODER = msgspec.json.Decoder(Condition)
_KINDS: tuple[FactKind, ...] = ("condition", "status", "family-history", "circumstance", "device")

_ACTIVE = {"active", "recurrence", "relapse"}
_ENDED = {"inactive", "remission", "resolved"}
_UNCERTAIN = {"unconfirmed", "provisional", "differential"}


def read_condition(context: Context, resource: Resource) -> Iterator[Fact]:
    """The facts of one Condition: present, absent where it is refuted or told as absent, unknown where it is not
    sure or its codes leave it open. `active` is false once it ended, or where it is told as history."""
    condition = context.decode(resource, _DECODER)
    if condition is None or not context.is_about_patient(resource, condition.subject):
        return
    verification = status_code(condition.verification_status)
    if verification == "entered-in-error":
        note_entered_in_error(context, resource)
        return
    readings, agree = read_concept(context, resource, condition.code, _KINDS)
    if not readings:
        return
    state: FactState = "present" if agree else "unknown"
    if verification in _UNCERTAIN or verification not in (None, "confirmed", "refuted"):
        state = "unknown"
        shown = verification if verification in _UNCERTAIN else "of no verification status that FHIR knows"
        context.note(
            resource,
            "status.uncertain",
            f"A Condition is {shown}: {_names(readings)} counts as unknown.",
            code="incomplete",
            expression="Condition.verificationStatus",
            mend="Confirm or refute it in the record.",
        )
    active = _is_active(context, resource, condition)
    onset, _ = context.dated(
        resource,
        "onset",
        condition.onset_date_time,
        condition.onset_period.start if condition.onset_period else None,
        condition.recorded_date,
    )
    for reading in readings:
        if verification == "refuted" or reading.situation == "absent":
            if not _refutes(context, resource, reading, is_refuted=verification == "refuted"):
                continue
            yield context.fact(
                resource,
                context.concepts[reading.concept],
                reading.coding,
                onset,
                state="absent" if state == "present" else state,
            )
            continue
        if not reading.certain:
            note_narrower(context, resource, reading)
        if reading.situation == "suspected":
            _note_suspected(context, resource, reading)
        yield context.fact(
            resource,
            context.concepts[reading.concept],
            reading.coding,
            onset,
            state=state if reading.certain and reading.situation in ("present", "ended") else "unknown",
            active=active and reading.situation != "ended",
        )


def status_code(concept: CodeableConcept | None) -> str | None:
    """The code of a clinicalStatus or verificationStatus; a text counts where there is no code."""
    if concept is None:
        return None
    for coding in concept.coding:
        if coding.code:
            return coding.code
    return (concept.text or "").strip().casefold() or None


def note_entered_in_error(context: Context, resource: Resource) -> None:
    context.note(
        resource,
        "status.entered-in-error",
        f"{a(resource.type)} is entered-in-error and was not used.",
        severity="information",
        code="informational",
        expression=f"{resource.type}.status",
    )


def note_narrower(context: Context, resource: Resource, reading: Reading) -> None:
    shown = f"'{reading.text}'" if reading.text is not None else shown_code(*context.key(reading.coding))
    context.note(
        resource,
        "code.wider",
        f"{shown} may mean '{reading.concept}' and may not: it counts as unknown.",
        code="incomplete",
        expression=f"{resource.type}.code",
        mend="Enter a code that says it, if it is so.",
    )


def _is_active(context: Context, resource: Resource, condition: Condition) -> bool:
    """Whether it still holds. An abatement ends it whatever the status says (FHIR invariant con-4)."""
    clinical = status_code(condition.clinical_status)
    abated = _has_abated(context, resource, condition)
    if clinical in _ENDED:
        return False
    if abated and clinical in _ACTIVE:
        context.note(
            resource,
            "status.conflict",
            "A Condition is active and has abated: it was read as ended.",
            code="conflict",
            expression="Condition.abatement",
            mend="Correct its status or its abatement in the record.",
        )
    if clinical not in _ACTIVE and not abated:
        context.note(
            resource,
            "status.missing",
            "A Condition has no clinical status that FHIR knows: it was read as active.",
            severity="information",
            code="incomplete",
            expression="Condition.clinicalStatus",
            mend="Enter the status in the record.",
        )
    return not abated


def _has_abated(context: Context, resource: Resource, condition: Condition) -> bool:
    if any(
        value is not None
        for value in (condition.abatement_age, condition.abatement_range, condition.abatement_string)
    ):
        return True
    if condition.abatement_date_time is None and not (
        condition.abatement_period and condition.abatement_period.end
    ):
        return False
    abatement, _ = context.dated(
        resource, "abatement", condition.abatement_date_time, *latest(condition.abatement_period)
    )
    return abatement is not None


def _note_suspected(context: Context, resource: Resource, reading: Reading) -> None:
    context.note(
        resource,
        "status.uncertain",
        f"A Condition is told as suspected: '{reading.concept}' counts as unknown.",
        code="incomplete",
        expression="Condition.code",
        mend="Confirm or refute it in the record.",
    )


def _refutes(context: Context, resource: Resource, reading: Reading, *, is_refuted: bool) -> bool:
    """Whether the concept as a whole is denied: by verification status, or in the words of the text. Only one of
    the two denies; what refutes an absence, a past or a suspicion says nothing of today."""
    mappings = context.mappings
    key = context.key(reading.coding)
    whole = mappings.refutations.get(key, frozenset()) | mappings.refuted_texts.get(
        reading.text or "", frozenset()
    )
    if reading.concept in whole and is_refuted == (reading.situation == "present"):
        return True
    shown = f"'{reading.text}'" if reading.text is not None else shown_code(*key)
    context.note(
        resource,
        "status.refuted",
        f"{'A refuted' if is_refuted else 'That there is no'} {shown} does not rule out '{reading.concept}' as a "
        "whole, so it says nothing.",
        severity="information",
        code="informational",
        expression="Condition.verificationStatus",
    )
    return False


def _names(readings: tuple[Reading, ...]) -> str:
    return ", ".join(f"'{reading.concept}'" for reading in readings)
