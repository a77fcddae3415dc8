"""Who a request is about, and whom a resource is about. No error repeats the reference of another patient."""

from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

import msgspec

from careplan_exchange.errors import (
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

from .queries import CATEGORIES

_PLACES = {category.type: place for place, category in enumerate(CATEGORIES)}


class BusinessIdentifier(NamedTuple):
    """`system|value`, as in a search; an empty system means an identifier without one."""

    system: str
    value: str


class _Reference(msgspec.Struct, frozen=True):
    reference: str | None = None


class _About(msgspec.Struct, frozen=True):
    """R4 and R5 name the patient of these resources in one of the two."""

    subject: _Reference | None = None
    patient: _Reference | None = None


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


def subject_of(content: bytes | msgspec.Raw) -> str | None:
    """The reference to whom the resource is about, if it has one. Raises NotFhirError."""
    try:
        about = _abouts.decode(content)
    except msgspec.DecodeError:
        raise NotFhirError(
            "A resource has a subject that is no Reference.", mend="Have the record mended at its source."
        ) from None
    named = about.subject or about.patient
    return named.reference if named is not None else None


Belonging = Literal["ours", "unnamed", "no-patient", "another"]


def belonging(subject: str | None, patient_id: str, base_url: str) -> Belonging:
    """Whether a subject is the patient: `Patient/<id>`, with or without version, relative or below the base."""
    if not subject:
        return "unnamed"
    relative = subject.removeprefix(f"{base_url}/").partition("/_history/")[0]
    if relative == f"Patient/{patient_id}":
        return "ours"
    kind = relative.rpartition("/")[0].rpartition("/")[2]
    return "another" if kind in {"", "Patient"} else "no-patient"


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


def in_order(resources: Iterable[Resource]) -> tuple[Resource, ...]:
    """By type, then id: the same record is the same value, in whichever order a server sends it."""
    return tuple(sorted(resources, key=lambda resource: (_PLACES[resource.type], resource.id)))


def belongings(
    resources: Iterable[Resource], subjects: Mapping[str, str | None], patient_id: str, base_url: str
) -> tuple[tuple[Resource, ...], tuple[Issue, ...]]:
    """The patient's resources in order, and an Issue for each that is about nobody known. `subjects` is by
    reference. Raises WrongPatientError for another patient's."""
    ours, issues = [], []
    for resource in resources:
        match belonging(subjects[resource.reference], patient_id, base_url):
            case "ours":
                ours.append(resource)
            case "another":
                raise refuse_another(resource.type)
            case why:
                issues.append(left_out(resource, why))
    return in_order(ours), tuple(issues)
