"""The resource types and search parameters of the sandbox, as data.

A row is `name: kind path|path…`; a path is element names from the resource on, `x[x]` stands for a choice
element in any type. `@Patient` after a reference path keeps references to that type only, and lets the bare
id name one. R4 and R5 names stand side by side (http://hl7.org/fhir/R4/searchparameter-registry.html,
http://hl7.org/fhir/R5/searchparameter-registry.html): an element that a release does not have is never there.
"""

from collections.abc import Mapping
from functools import cache
from typing import Literal, cast

import msgspec

Kind = Literal["token", "reference", "date", "string", "uri"]


class Parameter(msgspec.Struct, frozen=True):
    """How one search parameter is read from a resource."""

    name: str
    kind: Kind
    paths: tuple[tuple[str, ...], ...]
    target: str | None = None


_EVERY_TYPE = """
_id: token id
_lastUpdated: date meta.lastUpdated
_profile: uri meta.profile
_tag: token meta.tag
identifier: token identifier
"""

_PLANNED = """
status: token status
intent: token intent
category: token category
code: token code|code.concept
subject: reference subject
patient: reference subject @Patient
encounter: reference encounter
based-on: reference basedOn
instantiates-canonical: uri instantiatesCanonical
"""

_BY_TYPE = {
    "Patient": """
        active: token active
        family: string name.family
        given: string name.given
        name: string name
        birthdate: date birthDate
        gender: token gender
        telecom: token telecom
        link: reference link.other
        general-practitioner: reference generalPractitioner
        organization: reference managingOrganization
    """,
    "Condition": """
        subject: reference subject
        patient: reference subject @Patient
        encounter: reference encounter
        code: token code
        category: token category
        clinical-status: token clinicalStatus
        verification-status: token verificationStatus
        onset-date: date onset[x]
        recorded-date: date recordedDate
    """,
    "Observation": """
        subject: reference subject
        patient: reference subject @Patient
        encounter: reference encounter
        code: token code
        combo-code: token code|component.code
        category: token category
        status: token status
        date: date effective[x]
        based-on: reference basedOn
    """,
    "MedicationRequest": """
        subject: reference subject
        patient: reference subject @Patient
        encounter: reference encounter
        code: token medicationCodeableConcept|medication.concept
        medication: reference medicationReference|medication.reference
        category: token category
        status: token status
        intent: token intent
        authoredon: date authoredOn
    """,
    "AllergyIntolerance": """
        patient: reference patient @Patient
        code: token code|reaction.substance
        category: token category
        clinical-status: token clinicalStatus
        verification-status: token verificationStatus
        date: date recordedDate
    """,
    "Procedure": """
        subject: reference subject
        patient: reference subject @Patient
        encounter: reference encounter
        code: token code
        category: token category
        status: token status
        date: date performed[x]|occurrence[x]
        based-on: reference basedOn
    """,
    "FamilyMemberHistory": """
        patient: reference patient @Patient
        status: token status
        relationship: token relationship
        code: token condition.code
        date: date date
    """,
    "CarePlan": f"""
        {_PLANNED}
        date: date period
        goal: reference goal
        condition: reference addresses|addresses.reference
        care-team: reference careTeam
        replaces: reference replaces
        activity-reference: reference activity.reference|activity.plannedActivityReference
    """,
    "Goal": """
        subject: reference subject
        patient: reference subject @Patient
        lifecycle-status: token lifecycleStatus
        achievement-status: token achievementStatus
        category: token category
        description: token description
        addresses: reference addresses
        start-date: date startDate
        target-date: date target.dueDate
    """,
    "ServiceRequest": f"""
        {_PLANNED}
        priority: token priority
        authored: date authoredOn
        requester: reference requester
        replaces: reference replaces
    """,
    "DetectedIssue": """
        subject: reference subject|patient
        patient: reference subject|patient @Patient
        status: token status
        code: token code
        category: token category
        identified: date identified[x]
        author: reference author
        implicated: reference implicated
    """,
    "Provenance": """
        target: reference target
        patient: reference target|patient @Patient
        agent: reference agent.who
        entity: reference entity.what
        recorded: date recorded
        activity: token activity
    """,
    "AuditEvent": """
        action: token action
        agent: reference agent.who
        code: token code
        date: date recorded
        entity: reference entity.what
        outcome: token outcome|outcome.code
        patient: reference agent.who|entity.what|patient @Patient
        subtype: token subtype
        type: token type
    """,
}

_SUBJECT = """
    status: token status
    code: token code
    category: token category
    subject: reference subject|patient|beneficiary|for
    patient: reference subject|patient|beneficiary|for @Patient
    encounter: reference encounter
"""
_NAMED = """
    name: string name
    active: token active
"""
for _type in (
    "Appointment", "CareTeam", "Claim", "Communication", "CommunicationRequest", "Coverage", "Device",
    "DeviceRequest", "DiagnosticReport", "DocumentReference", "Encounter", "EpisodeOfCare",
    "ExplanationOfBenefit", "Flag", "ImagingStudy", "Immunization", "MedicationAdministration",
    "MedicationStatement", "NutritionOrder", "QuestionnaireResponse", "RelatedPerson", "RiskAssessment",
    "Specimen", "Task",
):  # fmt: skip
    _BY_TYPE[_type] = _SUBJECT
for _type in (
    "Group",
    "Location",
    "Medication",
    "Organization",
    "Practitioner",
    "PractitionerRole",
    "Questionnaire",
):
    _BY_TYPE[_type] = _NAMED

TYPES = tuple(sorted(_BY_TYPE))
"""The resource types that the sandbox takes."""

RESULT = frozenset({"_count", "_format", "_pretty", "_sort", "_summary", "_total"})
"""Parameters that shape the answer and select nothing."""


@cache
def parameters(resource_type: str) -> Mapping[str, Parameter]:
    """The search parameters of one of TYPES, by name."""
    rows = (_EVERY_TYPE + _BY_TYPE[resource_type]).splitlines()
    found = [_parameter(row.strip()) for row in rows if row.strip()]
    return {parameter.name: parameter for parameter in found}


def _parameter(row: str) -> Parameter:
    name, _, rest = row.partition(": ")
    kind, paths, *target = rest.split(" ")
    return Parameter(
        name=name,
        kind=cast(Kind, kind),
        paths=tuple(tuple(path.split(".")) for path in paths.split("|")),
        target=target[0].removeprefix("@") if target else None,
    )
