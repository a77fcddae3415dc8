"""The golden patients as a server would send them: facts back to FHIR R4 resources, by a code of ours or another."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any

from careplan_exchange.mapping import map_record
from careplan_exchange.model.codec import decode, encode
from careplan_exchange.model.record import PatientRecord, Resource
from careplan_exchange.model.snapshot import Coding, Fact, Snapshot
from tests.cases.foreign import mappings
from tests.cases.golden import PATIENTS
from tests.cases.snapshots import ALL, TODAY, vocabulary
from tests.support.r5 import resource_in_r5

Body = dict[str, Any]
Code = tuple[str, str]
ME = {"reference": "Patient/p"}
_UCUM, _CLINICAL = "http://unitsofmeasure.org", "http://terminology.hl7.org/CodeSystem/condition-clinical"
_READ = {
    "measurement": "Observation",
    "condition": "Condition",
    "medication": "MedicationRequest",
    "procedure": "Procedure",
    "allergy": "AllergyIntolerance",
}


@cache
def codes_of(concept: str) -> tuple[Code, ...]:
    """The codes of its ValueSet that mean this concept and no other, in a stable order."""
    found = vocabulary().value_sets.get(vocabulary().concepts[concept].value_set or "")
    return tuple(code for code in sorted(found.codes if found else ()) if _means(code) == {concept})


@cache
def _means(code: Code) -> frozenset[str]:
    coding = Coding(system=code[0], code=code[1])
    known = vocabulary()
    return frozenset(
        one.id
        for one in known.concepts.values()
        if (held := known.value_sets.get(one.value_set or "")) is not None and held.contains(coding)
    )


def written(name: str) -> list[Body]:
    """The Patient, and a resource for each fact of the golden patient that a plain code can tell."""
    snapshot = PATIENTS[name]
    who = {"gender": snapshot.patient.gender, "birthDate": snapshot.patient.birth_date}
    bodies = (_body(fact, number) for number, fact in enumerate(snapshot.facts))
    return [{"resourceType": "Patient", "id": "p", **who}, *(body for body in bodies if body is not None)]


def _body(fact: Fact, number: int) -> Body | None:
    codes = codes_of(fact.concept)
    plain = fact.state == "present" and fact.active and fact.comparator is None
    if not codes or not plain or fact.kind not in _READ or (fact.kind == "measurement" and fact.value is None):
        return None
    code = {"coding": [{"system": codes[0][0], "code": codes[0][1]}]}
    active = {"coding": [{"system": _CLINICAL, "code": "active"}]}
    amount = {"value": fact.value, "unit": fact.unit, "system": _UCUM, "code": fact.unit}
    on = fact.effective
    of_kind: dict[str, Body] = {
        "measurement": {"status": "final", "code": code, "effectiveDateTime": on, "valueQuantity": amount},
        "condition": {"clinicalStatus": active, "code": code, "recordedDate": on},
        "medication": {
            "status": "active",
            "intent": "order",
            "authoredOn": on,
            "medicationCodeableConcept": code,
        },
        "procedure": {"status": "completed", "code": code, "performedDateTime": on},
        "allergy": {"clinicalStatus": active, "code": code, "recordedDate": on},
    }
    whose = "patient" if fact.kind == "allergy" else "subject"
    return {"resourceType": _READ[fact.kind], "id": f"r{number}", whose: ME, **of_kind[fact.kind]}


def record(bodies: Iterable[Body], release: Any = "R4") -> PatientRecord:
    held = [
        Resource(
            type=body["resourceType"], id=body["id"], version_id="1", last_updated=None, content=encode(body)
        )
        for body in bodies
    ]
    patient = next(one for one in held if one.type == "Patient")
    return PatientRecord(
        endpoint="urn:e",
        identity="e",
        release=release,
        patient=patient,
        resources=tuple(one for one in held if one is not patient),
        categories=ALL,
    )


def mapped(bodies: Iterable[Body], release: Any = "R4", *, today: date = TODAY) -> Snapshot:
    return map_record(record(bodies, release), mappings(), vocabulary(), today=today, anyone=True)


def in_r5(bodies: Iterable[Body]) -> list[Body]:
    return [resource_in_r5(body) for body in bodies]


def recoded(body: Body, choose: Callable[[tuple[Code, ...]], Code]) -> Body:
    """The same with another code that means the same concept."""
    name = "medicationCodeableConcept" if "medicationCodeableConcept" in body else "code"
    if body["resourceType"] == "Patient":
        return body
    (coding,) = body[name]["coding"]
    (concept,) = _means((coding["system"], coding["code"]))
    system, code = choose(codes_of(concept))
    return body | {name: {"coding": [{"system": system, "code": code}]}}


def with_unit(body: Body, unit: str, convert: Callable[[Decimal], Decimal]) -> Body:
    amount = body["valueQuantity"]
    value = convert(Decimal(amount["value"]))
    return body | {"valueQuantity": {**amount, "value": value, "unit": unit, "code": unit}}


def renamed(bodies: Iterable[Body]) -> tuple[list[Body], dict[str, str]]:
    """Every id but the Patient's replaced by one that sorts elsewhere; and the old reference of each new one."""
    bodies = list(bodies)
    new = {
        f"{body['resourceType']}/{body['id']}": f"{body['resourceType']}/{_digest(body['id'])}"
        for body in bodies
        if body["resourceType"] != "Patient"
    }
    changed = [_replaced(body, new) for body in bodies]
    for body, old in zip(changed, bodies, strict=True):
        body["id"] = new.get(f"{old['resourceType']}/{old['id']}", f"/{old['id']}").partition("/")[2]
    return changed, {there: here for here, there in new.items()}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def _replaced(value: Any, new: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _replaced(inner, new) for key, inner in value.items()}
    if isinstance(value, list):
        return [_replaced(inner, new) for inner in value]
    return new.get(value, value) if isinstance(value, str) else value


def bodies_of(pulled: PatientRecord) -> Iterator[Body]:
    """A record's resources as JSON, the Patient first."""
    yield from (decode(one.content) for one in (pulled.patient, *pulled.resources))
