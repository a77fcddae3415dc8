"""A made-up record of any size, of the types and codes that a large real one holds."""

import uuid
from collections.abc import Iterator
from typing import Any

import msgspec

from careplan_exchange.model.codec import encode
from careplan_exchange.model.record import PatientRecord, Resource

LOINC, SNOMED, UCUM = "http://loinc.org", "http://snomed.info/sct", "http://unitsofmeasure.org"
RXNORM, CATEGORY = (
    "http://www.nlm.nih.gov/research/umls/rxnorm",
    "http://terminology.hl7.org/CodeSystem/observation-category",
)

_MEASURED = (
    ("4548-4", "Hemoglobin A1c/Hemoglobin.total in Blood", 7.2, "%"),
    ("2160-0", "Creatinine [Mass/volume] in Serum or Plasma", 1.1, "mg/dL"),
    ("2823-3", "Potassium [Moles/volume] in Serum or Plasma", 4.4, "mmol/L"),
    ("13457-7", "Cholesterol in LDL [Mass/volume] by calculation", 101.3, "mg/dL"),
    ("29463-7", "Body weight", 82.4, "kg"),
    ("6690-2", "Leukocytes [#/volume] in Blood by Automated count", 6.3, "10*3/uL"),
)
_CONDITIONS = (
    ("44054006", "Type 2 diabetes mellitus"),
    ("38341003", "Hypertension"),
    ("195662009", "Sore throat"),
)
_MEDICINES = (("860975", "24 HR Metformin 500 MG"), ("29046", "lisinopril"), ("197361", "Amlodipine 5 MG"))


def bundle(resources: int) -> dict[str, Any]:
    """A transaction with one Patient and this many resources of theirs."""
    person = f"urn:uuid:{uuid.UUID(int=0)}"
    patient = {
        "resourceType": "Patient",
        "identifier": [{"system": "urn:careplan-exchange:bench", "value": str(resources)}],
        "gender": "female",
        "birthDate": "1961-05-17",
    }
    bodies = [patient, *_bodies(resources, person)]
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {
                "fullUrl": f"urn:uuid:{uuid.UUID(int=number)}",
                "resource": body,
                "request": {"method": "POST", "url": body["resourceType"]},
            }
            for number, body in enumerate(bodies)
        ],
    }


def record(resources: int) -> PatientRecord:
    """The same as a source would hand it on."""
    patient = {"resourceType": "Patient", "id": "p", "gender": "female", "birthDate": "1961-05-17"}
    return PatientRecord(
        endpoint="urn:bench",
        identity="bench",
        release="R4",
        patient=_held(patient, 0),
        resources=tuple(
            _held(body, number)
            for number, body in enumerate(_bodies(resources, "Patient/p", medications=True), start=1)
        ),
        categories=frozenset({"Condition", "Observation"}),
    )


_DIAGNOSES = (
    ("55822004", "Hyperlipidemia"),
    ("53741008", "Coronary arteriosclerosis"),
    ("84114007", "Heart failure"),
    ("433144002", "Chronic kidney disease stage 3"),
    ("414916001", "Obesity"),
    ("35489007", "Depressive disorder"),
    ("13645005", "Chronic obstructive lung disease"),
)


_OF_A_CHILD = (
    ("29463-7", "Body weight", 23.4, "kg"),
    ("8302-2", "Body height", 121.5, "cm"),
    ("8310-5", "Body temperature", 36.8, "Cel"),
    ("2823-3", "Potassium [Moles/volume] in Serum or Plasma", 4.2, "mmol/L"),
    ("6690-2", "Leukocytes [#/volume] in Blood by Automated count", 6.3, "10*3/uL"),
)


def with_diagnoses(one: PatientRecord) -> PatientRecord:
    """The same patient with seven diseases more."""
    subject = {"reference": "Patient/p"}
    more = tuple(
        _held(_condition(subject, "2019-03-03", code, display), len(one.resources) + number)
        for number, (code, display) in enumerate(_DIAGNOSES, start=1)
    )
    return msgspec.structs.replace(one, resources=one.resources[: -len(more)] + more)


def without_diseases(resources: int) -> PatientRecord:
    """A child of seven with as many resources: none is a disease, a medicine or a value out of order."""
    patient = {"resourceType": "Patient", "id": "p", "gender": "female", "birthDate": "2013-05-17"}
    subject = {"reference": "Patient/p"}
    bodies = []
    for n in range(resources):
        code, display, value, unit = _OF_A_CHILD[n % len(_OF_A_CHILD)]
        measured = {"value": value, "unit": unit, "system": UCUM, "code": unit}
        day = f"{2015 + n % 6}-{1 + n % 12:02}-{1 + n % 28:02}"
        bodies.append(_observation(subject, day, code, display, valueQuantity=measured))
    return PatientRecord(
        endpoint="urn:bench",
        identity="bench",
        release="R4",
        patient=_held(patient, 0),
        resources=tuple(_held(body, number) for number, body in enumerate(bodies, start=1)),
        categories=frozenset({"AllergyIntolerance", "Condition", "MedicationRequest", "Observation"}),
    )


def _held(body: dict[str, Any], number: int) -> Resource:
    id_ = body.get("id", str(number))
    content = encode(body | {"id": id_, "meta": {"versionId": "1", "lastUpdated": "2021-01-01T00:00:00Z"}})
    return Resource(type=body["resourceType"], id=id_, version_id="1", last_updated=None, content=content)


def _bodies(count: int, person: str, *, medications: bool = False) -> Iterator[dict[str, Any]]:
    """Of ten, six laboratory values, one blood pressure, one diagnosis, one order, one thing done. With
    `medications` every second order refers to a Medication, which comes next instead of a thing done."""
    subject = {"reference": person}
    for n in range(count):
        refers = medications and n // 10 % 2 == 1 and n - n % 10 + 9 < count
        day = f"{2012 + n % 9}-{1 + n % 12:02}-{1 + n % 28:02}"
        match n % 10:
            case 6:
                yield _observation(subject, day, "85354-9", "Blood pressure", component=_pressure(n))
            case 7:
                code, display = _CONDITIONS[n // 10 % len(_CONDITIONS)]
                yield _condition(subject, day, code, display)
            case 8:
                yield {
                    "resourceType": "MedicationRequest",
                    "status": "active",
                    "intent": "order",
                    "subject": subject,
                    "authoredOn": day,
                    **(
                        {"medicationReference": {"reference": f"Medication/{n + 2}"}}
                        if refers
                        else {"medicationCodeableConcept": _medicine(n)}
                    ),
                }
            case 9 if refers:
                yield {"resourceType": "Medication", "code": _medicine(n)}
            case 9:
                yield {
                    "resourceType": "Procedure",
                    "status": "completed",
                    "code": _concept(SNOMED, "401191002", "Diabetic foot examination"),
                    "subject": subject,
                    "performedPeriod": {"start": f"{day}T08:00:00Z", "end": f"{day}T08:30:00Z"},
                }
            case place:
                code, display, value, unit = _MEASURED[place]
                measured = {"value": round(value + n % 7 / 10, 2), "unit": unit, "system": UCUM, "code": unit}
                yield _observation(subject, day, code, display, valueQuantity=measured)


def _medicine(n: int) -> dict[str, Any]:
    return _concept(RXNORM, *_MEDICINES[n // 10 % len(_MEDICINES)])


def _observation(subject: Any, day: str, code: str, display: str, **value: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "status": "final",
        "category": [{"coding": [{"system": CATEGORY, "code": "laboratory", "display": "laboratory"}]}],
        "code": _concept(LOINC, code, display),
        "subject": subject,
        "effectiveDateTime": f"{day}T07:30:00+02:00",
        "issued": f"{day}T07:30:00.123+02:00",
        **value,
    }


def _pressure(n: int) -> list[dict[str, Any]]:
    unit = {"unit": "mm[Hg]", "system": UCUM, "code": "mm[Hg]"}
    return [
        {"code": _concept(LOINC, "8480-6", "Systolic"), "valueQuantity": {"value": 120 + n % 30, **unit}},
        {"code": _concept(LOINC, "8462-4", "Diastolic"), "valueQuantity": {"value": 70 + n % 20, **unit}},
    ]


def _condition(subject: Any, day: str, code: str, display: str) -> dict[str, Any]:
    system = "http://terminology.hl7.org/CodeSystem/condition-"
    return {
        "resourceType": "Condition",
        "clinicalStatus": _concept(f"{system}clinical", "active", "Active"),
        "verificationStatus": _concept(f"{system}ver-status", "confirmed", "Confirmed"),
        "code": _concept(SNOMED, code, display),
        "subject": subject,
        "onsetDateTime": day,
        "recordedDate": day,
    }


def _concept(system: str, code: str, display: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code, "display": display}], "text": display}
