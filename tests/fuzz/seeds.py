"""Valid resources about `Patient/me`, of every type that a record may hold, in the shapes of R4 and of R5: what the
mutations of this folder start from. Where the shared fixtures are present, some of theirs are added."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from careplan_exchange.model.codec import encode
from tests.support.records import FIXTURES, record_of
from tests.unit.mapping.builders import (
    ICD,
    LOINC,
    ME,
    RXNORM,
    SNOMED,
    allergy,
    concept,
    condition,
    observation,
    order,
    patient,
    procedure,
    quantity,
    relative,
    status,
)

CVX = "http://hl7.org/fhir/sid/cvx"
ROLE = "http://terminology.hl7.org/CodeSystem/observation-category"
VISIT = {"start": "2026-09-01T09:00:00+02:00", "end": "2026-09-01T09:30:00+02:00"}
DOSE = {"text": "1 tablet", "timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}}}

PERSON = patient(
    meta={"versionId": "7", "lastUpdated": "2026-10-01T00:00:00Z"},
    active=True,
    identifier=[{"system": "urn:test", "value": "1"}],
    name=[{"family": "Test", "given": ["Person"]}],
    communication=[{"language": concept(("urn:ietf:bcp:47", "en")), "preferred": True}],
    link=[{"type": "seealso", "other": {"reference": "Patient/other"}}],
)

PRESSURE = [
    {"code": concept((LOINC, "8480-6")), "valueQuantity": quantity(142, "mm[Hg]")},
    {"code": concept((LOINC, "8462-4")), "valueQuantity": quantity(91, "mm[Hg]")},
]
AT_HOME = [{"url": "http://hl7.org/fhir/StructureDefinition/observation-deviceCode", "valueString": "home"}]


def of(kind: str, /, **elements: Any) -> dict[str, Any]:
    return {"resourceType": kind, **elements}


OBSERVATIONS = (
    observation(valueQuantity=quantity(7.2)),
    observation("59261-8", valueQuantity=quantity(55, "mmol/mol")),
    observation("2160-0", valueQuantity=quantity(88.4, "umol/L"), interpretation=[concept(text="H")]),
    observation("33914-3", valueQuantity={"value": 60, "comparator": ">", "unit": "mL/min/{1.73_m2}"}),
    observation("13457-7", valueRange={"low": quantity(2.1, "mmol/L"), "high": quantity(2.9, "mmol/L")}),
    observation("2823-3", valueString="5.1"),
    observation("2823-3", valueInteger=5),
    observation("14959-1", valueRatio={"numerator": quantity(30, "mg"), "denominator": quantity(1, "g")}),
    observation("85354-9", component=PRESSURE, bodySite=concept(text="arm"), method=concept(text="cuff")),
    observation("55284-4", component=PRESSURE, extension=AT_HOME, performer=[ME]),
    observation("82810-3", valueCodeableConcept=concept((LOINC, "LA15173-0"))),
    observation("72166-2", valueCodeableConcept=concept(text="Former smoker")),
    observation("29463-7", effectiveDateTime=None, effectivePeriod=VISIT, valueQuantity=quantity(82, "kg")),
    observation("8302-2", effectiveDateTime=None, effectiveInstant="2026-05-01T00:00:00Z", valueQuantity=quantity(171, "cm")),
    observation(valueQuantity=quantity(7.2), valueString="7.2"),
    observation("4548-4", dataAbsentReason=concept(text="unknown")),
    observation("44261-6", category=[concept((ROLE, "survey"))], valueInteger=12),
    observation("44261-6", valueQuantity=quantity(12, "{score}"), hasMember=[{"reference": "Observation/3"}]),
    observation("53037-8", valueCodeableConcept=concept((LOINC, "LA6668-3")), component=[
        {"code": concept((LOINC, "48018-6")), "valueCodeableConcept": concept(("http://www.genenames.org/geneId", "HGNC:1100"))},
    ]),
)  # fmt: skip

CONDITIONS = (
    condition((SNOMED, "44054006"), (ICD, "E11.9"), verificationStatus=status("confirmed")),
    condition((ICD, "I10"), onsetDateTime=None, onsetPeriod=VISIT, abatementString="last year"),
    condition((ICD, "N18.30"), clinicalStatus=status("resolved"), abatementDateTime="2025"),
    condition((SNOMED, "38341003"), verificationStatus=status("refuted"), onsetDateTime=None, onsetAge=quantity(40, "a")),
    condition(code=concept(text="Hypertension"), recordedDate="2019-04", severity=concept(text="mild")),
    condition((SNOMED, "84114007"), stage=[{"summary": concept(text="NYHA II")}], evidence=[{"detail": [ME]}]),
)  # fmt: skip

MEDICINES = (
    order((RXNORM, "860975"), dosageInstruction=[DOSE]),
    order((RXNORM, "29046"), status="stopped", intent="plan"),
    order(medicationReference={"reference": "#m"}, contained=[of("Medication", id="m", code=concept((RXNORM, "6809")))]),
    order(medicationReference={"reference": "Medication/m1"}),
    order(medication={"concept": concept((RXNORM, "6809")), "reference": {"reference": "Medication/m1"}}),
    of("Medication", id="m1", code=concept((RXNORM, "314076")), ingredient=[
        {"itemCodeableConcept": concept((RXNORM, "29046"))}, {"item": {"concept": concept((RXNORM, "5487"))}},
    ]),
    of("MedicationStatement", status="active", subject=ME, medicationCodeableConcept=concept((RXNORM, "6809")), effectivePeriod=VISIT),
    of("MedicationStatement", status="recorded", subject=ME, medication={"concept": concept((RXNORM, "6809"))}),
    of("MedicationDispense", status="completed", subject=ME, medicationCodeableConcept=concept((RXNORM, "6809")), whenHandedOver="2026-08-01"),
    of("MedicationAdministration", status="completed", subject=ME, medicationCodeableConcept=concept((RXNORM, "6809")), effectiveDateTime="2026-08-01"),
)  # fmt: skip

OTHERS = (
    allergy((RXNORM, "29046"), category=["medication"], reaction=[{"manifestation": [concept(text="cough")]}]),
    allergy(("http://hl7.org/fhir/uv/ips/CodeSystem/absent-unknown-uv-ips", "no-known-allergies")),
    allergy(code=concept(text="No known drug allergies"), verificationStatus=status("unconfirmed")),
    procedure((SNOMED, "401191002")),
    procedure((SNOMED, "134395001"), performedDateTime=None, occurrencePeriod=VISIT),
    relative("FTH", (SNOMED, "53741008"), sex=concept(text="male"), bornPeriod=VISIT),
    relative("MTH", condition=[{"code": concept(text="diabetes"), "onsetAge": quantity(50, "a"), "contributedToDeath": True}]),
    of("Immunization", status="completed", patient=ME, vaccineCode=concept((CVX, "140")), occurrenceDateTime="2026-10-01"),
    of("Encounter", status="finished", subject=ME, **{"class": {"code": "AMB"}}, period=VISIT, type=[concept(text="visit")]),
    of("Encounter", status="completed", subject=ME, **{"class": [concept(text="AMB")]}, actualPeriod=VISIT),
    of("DiagnosticReport", status="final", subject=ME, code=concept((LOINC, "58410-2")), result=[{"reference": "Observation/1"}]),
    of("CarePlan", status="active", intent="plan", subject=ME, activity=[{"detail": {"code": concept(text="diet")}}]),
    of("CarePlan", status="active", intent="plan", subject=ME, addresses=[{"reference": {"reference": "Condition/1"}}]),
    of("Goal", lifecycleStatus="active", subject=ME, description={"text": "HbA1c"}, target=[
        {"measure": concept((LOINC, "4548-4")), "detailQuantity": quantity(7), "dueDate": "2027-01-01"},
    ]),
    of("CareTeam", status="active", subject=ME, participant=[{"role": [concept(text="nurse")], "member": ME}]),
    of("ServiceRequest", status="active", intent="order", subject=ME, code=concept((LOINC, "4548-4"))),
    of("ServiceRequest", status="active", intent="order", subject=ME, code={"concept": concept((LOINC, "4548-4"))}),
    of("Appointment", status="booked", start="2026-12-24T08:00:00Z", participant=[{"actor": ME, "status": "accepted"}]),
    of("NutritionOrder", status="active", intent="order", patient=ME, subject=ME, oralDiet={"type": [concept(text="low salt")]}),
    of("QuestionnaireResponse", status="completed", subject=ME, authored="2026-09-01T00:00:00Z", questionnaire="http://loinc.org/q/44249-1", item=[
        {"linkId": "/44250-9", "text": "q", "answer": [{"valueCoding": {"system": LOINC, "code": "LA6569-3"}}]},
        {"linkId": "/44261-6", "answer": [{"valueDecimal": 12.0}], "item": [{"linkId": "x", "answer": [{"valueInteger": 1}]}]},
    ]),
    of("Consent", status="active", patient=ME, subject=ME, scope=concept(text="adr"), category=[concept((LOINC, "75320-2"))], dateTime="2020-01-01"),
    of("Coverage", status="active", beneficiary=ME, payor=[{"display": "Payer"}], kind="insurance"),
    of("Device", status="active", patient=ME, type=concept(text="pump"), deviceName=[{"name": "Pump", "type": "other"}]),
    of("DeviceUseStatement", status="active", subject=ME, device={"reference": "Device/1"}),
    of("DetectedIssue", status="final", patient=ME, identified="2026-01-01"),
    of("SomethingNew", status="active", subject=ME),
)  # fmt: skip

RESOURCES: tuple[dict[str, Any], ...] = (*OBSERVATIONS, *CONDITIONS, *MEDICINES, *OTHERS)


def _of_the_fixtures(of_each: int = 3) -> Iterator[dict[str, Any]]:
    """Some of each type of one record of the fixtures, made to be about `Patient/me`."""
    for path in FIXTURES[:1]:
        resources = [entry["resource"] for entry in json.loads(encode(record_of(path)))["entry"]]
        person = next(one["id"] for one in resources if one["resourceType"] == "Patient")
        seen: Counter[str] = Counter()
        for resource in resources:
            seen[resource["resourceType"]] += 1
            if resource["resourceType"] != "Patient" and seen[resource["resourceType"]] <= of_each:
                yield _about_me(resource, f"urn:uuid:{person}")


def _about_me(value: Any, person: str) -> Any:
    if isinstance(value, dict):
        return {k: ME["reference"] if one == person else _about_me(one, person) for k, one in value.items()}
    return [_about_me(one, person) for one in value] if isinstance(value, list) else value


SEEDS: tuple[dict[str, Any], ...] = (*RESOURCES, *_of_the_fixtures())
