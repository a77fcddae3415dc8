"""Patient to the few things that planning needs, or the reason why nothing may be planned."""

from typing import Literal

import msgspec

from careplan_exchange.errors import NotFhirError, PatientMergedError, PatientNotEligibleError
from careplan_exchange.model.record import Resource
from careplan_exchange.model.snapshot import Evidence, Fact, PatientProfile

from .circumstances import interpreter
from .context import Context
from .dates import ages, fault, span_of
from .rows import Demographic
from .wire import Patient

_DECODER = msgspec.json.Decoder(Patient)
Gender = Literal["male", "female", "other", "unknown"]

_GENDERS: dict[str | None, Gender] = {"male": "male", "female": "female", "other": "other", "unknown": "unknown"}


def read_patient(context: Context, resource: Resource, *, anyone: bool = False) -> PatientProfile:
    """The profile. Raises PatientMergedError, NotFhirError, and unless `anyone` may be read
    PatientNotEligibleError (deceased, inactive)."""
    patient = context.decode(resource, _DECODER)
    if patient is None:
        raise NotFhirError(
            f"{resource.reference} does not have the shape of a Patient.",
            mend="Correct the resource on the server, or report the server.",
            issues=tuple(context.notes.issues()),
        )
    for link in patient.link:
        if link.type == "replaced-by":
            other = link.other.reference if link.other is not None else None
            raise PatientMergedError(
                f"{resource.reference} was merged into another record.",
                mend=f"Ask for {other} instead."
                if other
                else "Find the record that replaces it, and ask for that.",
            )
    if not anyone:
        _refuse_ineligible(resource, patient)
    context.born = _birth_date(context, resource, patient)
    return PatientProfile(
        evidence=Evidence(reference=resource.reference, version_id=resource.version_id),
        birth_date=context.born,
        gender=_gender(context, resource, patient),
        language=_language(patient),
    )


def _refuse_ineligible(resource: Resource, patient: Patient) -> None:
    if patient.deceased_boolean or patient.deceased_date_time is not None:
        raise PatientNotEligibleError(
            f"{resource.reference} is recorded as deceased.",
            mend="If that is wrong, correct the record. Otherwise close the plan by hand.",
        )
    if patient.active is False:
        raise PatientNotEligibleError(
            f"{resource.reference} is recorded as inactive.",
            mend="If the record is in use, make it active; otherwise ask for the one that is.",
        )


def read_needs(context: Context, resource: Resource) -> list[Fact]:
    """What the Patient says of the person's needs: an interpreter."""
    return list(interpreter(context, resource, _DECODER.decode(resource.content)))


def excluded_by_demographics(
    context: Context, resource: Resource, profile: PatientProfile, facts: list[Fact]
) -> list[Fact]:
    """The absences that recorded sex and age stand for, where no fact of the record says otherwise."""
    absences = []
    for rule in context.mappings.demographics:
        if not _excludes(context, rule, profile):
            continue
        if any(
            fact.concept == rule.concept
            and fact.state == "present"
            and fact.active
            and _is_current(context, fact)
            for fact in facts
        ):
            context.note(
                resource,
                "demographics.conflict",
                f"Recorded sex or age excludes '{rule.concept}', and the record holds it: it was not excluded.",
                code="conflict",
                expression="Patient",
                mend="Correct whichever is wrong in the record.",
            )
            continue
        # As of today: it is today's age that speaks.
        today = context.today.isoformat()
        absences.append(context.fact(resource, context.concepts[rule.concept], None, today, state="absent"))
    return absences


def _excludes(context: Context, rule: Demographic, profile: PatientProfile) -> bool:
    span = ages(profile.birth_date, context.today) if profile.birth_date is not None else None
    limits = rule.excluded_for
    return (
        profile.gender in limits.genders
        or (span is not None and limits.ages_below is not None and span[1] < limits.ages_below)
        or (span is not None and limits.ages_above is not None and span[0] > limits.ages_above)
    )


def _is_current(context: Context, fact: Fact) -> bool:
    limit = context.concepts[fact.concept].max_age_days
    span = span_of(fact.effective[:10]) if fact.effective is not None else None
    return limit is None or span is None or (context.today - span[0]).days <= limit


def _birth_date(context: Context, resource: Resource, patient: Patient) -> str | None:
    birth = patient.birth_date
    if birth is None:
        problem, mend = "is missing: every rule that needs the age stays open", "Enter it in the record."
    elif (wrong := "unreadable" if len(birth) > 10 else fault(birth, context.today)) is not None:
        problem = "lies in the future" if wrong == "future" else "is no date"
        birth, mend = None, "Correct it in the record."
    elif len(birth) < 10:
        problem, mend = "is not a full date: the age is a span", "Complete it in the record, if it is known."
    else:
        return birth
    context.note(
        resource,
        "patient.birth-date",
        f"The birth date {problem}.",
        code="incomplete",
        expression="Patient.birthDate",
        mend=mend,
    )
    return birth


def _gender(context: Context, resource: Resource, patient: Patient) -> Gender | None:
    if patient.gender in _GENDERS:
        return _GENDERS[patient.gender]
    context.note(
        resource,
        "patient.gender",
        "The recorded sex is missing or not one that FHIR knows.",
        severity="information",
        code="incomplete",
        expression="Patient.gender",
        mend="Enter it in the record.",
    )
    return None


def _language(patient: Patient) -> str | None:
    ordered = sorted(patient.communication, key=lambda communication: not communication.preferred)
    for communication in ordered:
        for coding in communication.language.coding if communication.language is not None else ():
            if coding.code:
                return coding.code
    return None
