"""Who a request is about, and whom a resource is about. No error repeats the reference of another patient."""

from collections.abc import Collection, Iterable, Mapping
from typing import Literal, NamedTuple

import msgspec

from careplan_exchange.errors import (
    CareplanError,
    NotFhirError,
    PatientAmbiguousError,
    PatientMergedError,
    PatientNotFoundError,
    UsageError,
    WrongPatientError,
)
from careplan_exchange.fhir import ID
from careplan_exchange.model.issue import Issue
from careplan_exchange.model.record import Resource

from . import kinds, references


class BusinessIdentifier(NamedTuple):
    """`system|value`, as in a search; an empty system means an identifier without one."""

    system: str
    value: str


class _Reference(msgspec.Struct, frozen=True):
    reference: str | None = None


class _Participant(msgspec.Struct, frozen=True):
    actor: _Reference | None = None


class _About(msgspec.Struct, frozen=True):
    """R4 and R5 name the patient of these resources in one of the first three, that of an Appointment among those
    who take part."""

    subject: _Reference | None = None
    patient: _Reference | None = None
    beneficiary: _Reference | None = None
    participant: list[_Participant] = []


class _Link(msgspec.Struct, frozen=True):
    type: str = ""


class _Identifier(msgspec.Struct, frozen=True):
    system: str = ""
    value: str = ""


class _Patient(msgspec.Struct, frozen=True):
    link: list[_Link] = []
    identifier: list[_Identifier] = []


_abouts = msgspec.json.Decoder(_About)
_patients = msgspec.json.Decoder(_Patient)


def parse_patient(text: str) -> str | BusinessIdentifier:
    """An id, or `system|value`. Raises UsageError for what is neither, before anything is asked of a server."""
    system, bar, value = text.partition("|")
    if bar:
        if not value.strip():
            raise UsageError(
                "The patient's identifier has no value.", mend="Give it as system|value, in quotes for a shell."
            )
        return BusinessIdentifier(system=system, value=value)
    if not ID.fullmatch(text):
        raise UsageError(
            "The patient is named by something that is no FHIR id.",
            mend="Give the id alone (1 to 64 letters, digits, '-' and '.'), or an identifier as system|value.",
        )
    return text


def only_one(found: Iterable[str], where: str) -> str:
    """The one id of those that answer to an identifier. Raises PatientNotFoundError, PatientAmbiguousError."""
    ids = sorted(set(found))
    if not ids:
        raise PatientNotFoundError(
            f"No patient with this identifier is on {where}.",
            mend="Check system and value: both must be written as the server has them.",
        )
    if len(ids) > 1:
        raise PatientAmbiguousError(
            f"{len(ids)} patients with this identifier are on {where}.",
            mend="Give the id of the right one; have the duplicates merged by those who keep the patient index.",
        )
    return ids[0]


def refuse_merged(patient: Resource) -> None:
    """Raises PatientMergedError where another record replaces this one
    (http://hl7.org/fhir/R4/patient.html#merging)."""
    if any(link.type == "replaced-by" for link in _read(patient.content).link):
        raise PatientMergedError(
            f"{patient.reference} was replaced by another record.",
            mend="Run it for the patient that Patient.link (replaced-by) of this record names.",
        )


def has_identifier(patient: bytes | msgspec.Raw, wanted: BusinessIdentifier) -> bool:
    return any((each.system, each.value) == wanted for each in _read(patient).identifier)


def _read(patient: bytes | msgspec.Raw) -> _Patient:
    try:
        return _patients.decode(patient)
    except msgspec.DecodeError:
        raise NotFhirError(
            "A Patient has links or identifiers that are not FHIR.", mend="Have the record mended at its source."
        ) from None


def subjects_of(content: bytes | msgspec.Raw) -> tuple[str, ...]:
    """The references to whom the resource is about: one, none, or the patients who take part in an Appointment.
    Raises NotFhirError."""
    try:
        about = _abouts.decode(content)
    except msgspec.DecodeError:
        raise NotFhirError(
            "A resource has a subject that is no Reference.", mend="Have the record mended at its source."
        ) from None
    named = about.subject or about.patient or about.beneficiary
    if named is not None:
        return (named.reference,) if named.reference else ()
    actors = (each.actor.reference for each in about.participant if each.actor is not None)
    return tuple(actor for actor in actors if actor and _kind(actor) in {"", "Patient"})


Belonging = Literal["ours", "unnamed", "no-patient", "another"]


def belonging(subjects: Collection[str], patient_id: str, base_url: str) -> Belonging:
    """Whether one of the subjects is the patient: `Patient/<id>`, with or without version, relative or below the
    base."""
    if not subjects:
        return "unnamed"
    relatives = [subject.removeprefix(f"{base_url}/").partition("/_history/")[0] for subject in subjects]
    if f"Patient/{patient_id}" in relatives:
        return "ours"
    return "another" if any(_kind(relative) in {"", "Patient"} for relative in relatives) else "no-patient"


def _kind(reference: str) -> str:
    """The type in a reference, empty where none can be told."""
    return reference.partition("/_history/")[0].rpartition("/")[0].rpartition("/")[2]


def refuse_another(resource_type: str) -> WrongPatientError:
    return WrongPatientError(
        f"The answer holds a {resource_type} of another patient; nothing of it is used.",
        mend="Do not use this source until those who run it have explained it: its records may be mixed up.",
    )


def left_out(resource: Resource, why: Belonging) -> Issue:
    """The Issue for a resource that is about no known patient."""
    names = "names no subject" if why == "unnamed" else "is about something that is no patient"
    return Issue(
        severity="warning",
        code="incomplete",
        key=f"source.subject.{why}",
        detail=f"A {resource.type} was left out: it {names}.",
        source=resource.versioned_reference,
        mend="Have its subject mended at the source if it is this patient's.",
    )


def not_searched(resource_type: str) -> Issue:
    """The Issue for a type that the server does not have."""
    return Issue(
        severity="information",
        code="not-supported",
        key="source.category.missing",
        detail=f"The server has no search for {resource_type}: what it may hold of this type is not known.",
    )


def in_part(resource_type: str, reason: str) -> Issue:
    """The Issue for a type of which the server's query plan does not show everything."""
    return Issue(
        severity="information",
        code="incomplete",
        key="source.category.part",
        detail=f"Not every {resource_type} can be searched for at this server. {reason}",
    )


def withheld(resource_type: str, error: CareplanError) -> Issue:
    """The Issue for a type that the server has and does not give."""
    return Issue(
        severity="warning",
        code="forbidden" if error.status == 403 else "not-supported",
        key="source.category.withheld",
        detail=f"The server gave no {resource_type} ({error.status}): what it may hold of it is not known.",
        mend=error.mend,
    )


def in_order(resources: Iterable[Resource]) -> tuple[Resource, ...]:
    """By type, then id: the same record is the same value, in whichever order a server sends it."""
    return tuple(sorted(resources, key=lambda resource: (kinds.place(resource.type), resource.id)))


def belongings(
    resources: Iterable[Resource],
    subjects: Mapping[str, Collection[str]],
    patient_id: str,
    base_url: str,
) -> tuple[tuple[Resource, ...], tuple[Issue, ...]]:
    """The patient's resources in order, and an Issue for each that is about nobody known. `subjects` is by
    reference. What belongs to nobody by itself (a Medication, a Device) is the patient's where one of theirs
    refers to it, and an Issue names what is referred to and not there. Raises WrongPatientError for another
    patient's."""
    ours, issues = [], []
    unclaimed: dict[str, Resource] = {}
    for resource in resources:
        match belonging(subjects[resource.reference], patient_id, base_url):
            case "ours":
                ours.append(resource)
            case "another":
                raise refuse_another(resource.type)
            case "unnamed" if resource.type in kinds.REFERRED:
                unclaimed[resource.reference] = resource
            case why:
                issues.append(left_out(resource, why))
    who = references.referred(ours, base_url)
    ours += [resource for place, resource in unclaimed.items() if place in who]
    issues += [left_out(resource, "unnamed") for place, resource in unclaimed.items() if place not in who]
    issues += references.missing(who, [resource.reference for resource in ours])
    return in_order(ours), tuple(issues)
