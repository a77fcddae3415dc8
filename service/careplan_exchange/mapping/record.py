"""The whole mapping step: every resource of a record is read, skipped for a stated reason, or is an issue."""

from collections.abc import Callable, Iterator, Mapping
from datetime import date

import msgspec

from careplan_exchange.errors import WrongPatientError
from careplan_exchange.model.identity import IDENTITY_SYSTEM
from careplan_exchange.model.record import PatientRecord, Resource
from careplan_exchange.model.snapshot import Fact, Snapshot
from careplan_exchange.model.vocabulary import Vocabulary

from .allergies import Allergies
from .conditions import read_condition
from .context import Context
from .family import read_family_history
from .medications import Medications
from .observations import read_observation
from .patient import excluded_by_demographics, read_patient
from .procedures import read_procedure
from .tables import Mappings
from .wire import About, Authored

_AUTHORED = msgspec.json.Decoder(Authored)
_ABOUT = msgspec.json.Decoder(About)
_OURS = IDENTITY_SYSTEM.encode()

# Types that no concept is read from, and that later steps read: they must be about the patient too.
_READ_LATER = {"CarePlan", "Goal", "ServiceRequest", "DetectedIssue"}


def map_record(
    record: PatientRecord, mappings: Mappings, vocabulary: Vocabulary, *, today: date, anyone: bool = False
) -> Snapshot:
    """The normalised snapshot of a record. The order of facts and issues does not depend on that of the record.

    What this product wrote itself is no evidence and yields neither fact nor issue. Raises PatientMergedError,
    WrongPatientError, NotFhirError (the Patient is none), and unless `anyone` may be mapped
    PatientNotEligibleError (deceased, inactive).
    """
    context = Context(record, mappings, vocabulary, today)
    profile = read_patient(context, record.patient, anyone=anyone)
    facts = list(_facts(context, record))
    facts += excluded_by_demographics(context, record.patient, profile, facts)
    facts.sort(key=_order)
    return Snapshot(
        patient=profile,
        facts=tuple(facts),
        as_of=today,
        categories=record.categories,
        issues=(*record.issues, *context.notes.issues()),
    )


def _facts(context: Context, record: PatientRecord) -> Iterator[Fact]:
    medications = Medications(context, _medications(record))
    allergies = Allergies(context)
    readers: dict[str, Callable[[Resource], Iterator[Fact]]] = {
        "Observation": lambda resource: read_observation(context, resource),
        "Condition": lambda resource: read_condition(context, resource),
        "MedicationRequest": medications.read,
        "AllergyIntolerance": allergies.read,
        "Procedure": lambda resource: read_procedure(context, resource),
        "FamilyMemberHistory": lambda resource: read_family_history(context, resource),
    }
    facts: list[Fact] = []
    others: list[Resource] = []
    for resource in record.resources:
        read = readers.get(resource.type)
        if read is None:
            others.append(resource)
        elif not is_ours(resource):
            facts += read(resource)
    yield from facts
    yield from medications.unread(facts)
    yield from allergies.absent(facts)
    for resource in others:
        if resource.reference not in medications.referred:
            _skip(context, record, resource)


def _medications(record: PatientRecord) -> Mapping[str, Resource]:
    return {resource.reference: resource for resource in record.resources if resource.type == "Medication"}


def _skip(context: Context, record: PatientRecord, resource: Resource) -> None:
    """Say of a resource that nothing reads it. Raises WrongPatientError where it shows another patient."""
    if resource.type == "Patient":
        if resource.id != record.patient.id:
            raise WrongPatientError(
                "The record holds more than one Patient.",
                mend="Nothing was planned. Ask for one patient at a time, or report the server.",
            )
        return
    if resource.type in _READ_LATER:
        try:
            about = _ABOUT.decode(resource.content)
        except msgspec.MsgspecError:
            about = About()
        if about.subject is not None or about.patient is not None:
            context.is_about_patient(resource, about.subject or about.patient)
    if is_ours(resource):
        return
    known = context.mappings.not_read.get(resource.type)
    severity, reason = known if known is not None else ("warning", "No mapping has judged this type yet.")
    context.note(
        resource,
        "type.not-read",
        f"{resource.type} is not read. {reason}",
        severity=severity,
        code="not-supported",
    )


def is_ours(resource: Resource) -> bool:
    """Whether this product wrote it. A look at the bytes spares reading the identifiers of all others."""
    if _OURS not in resource.content:
        return False
    try:
        identifiers = _AUTHORED.decode(resource.content).identifier
    except msgspec.MsgspecError:
        return False
    return any(identifier.system == IDENTITY_SYSTEM for identifier in identifiers)


def _order(fact: Fact) -> tuple[str, str, str, str]:
    return fact.concept, fact.effective or "", fact.evidence.reference, str(fact.value)
