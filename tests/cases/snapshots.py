"""Snapshots from a few lines of YAML or Python: what a clinical case says of a patient, and nothing else."""

from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any

from careplan_exchange import knowledge
from careplan_exchange.mapping import load_vocabulary
from careplan_exchange.model.snapshot import Evidence, Fact, PatientProfile, Snapshot
from careplan_exchange.model.vocabulary import Vocabulary

TODAY = date(2026, 11, 24)
ALL = frozenset(
    {
        "Condition",
        "Observation",
        "MedicationRequest",
        "AllergyIntolerance",
        "Procedure",
        "FamilyMemberHistory",
        "CarePlan",
        "Goal",
    }
)
_TYPES = {
    "measurement": "Observation",
    "condition": "Condition",
    "medication": "MedicationRequest",
    "allergy": "AllergyIntolerance",
    "procedure": "Procedure",
    "family-history": "FamilyMemberHistory",
    "status": "Condition",
    "stage": "Observation",
    "gene-finding": "Observation",
    "immunization": "Immunization",
    "device": "Device",
    "visit": "Encounter",
    "order": "ServiceRequest",
    "circumstance": "Observation",
}


@cache
def vocabulary() -> Vocabulary:
    return load_vocabulary(knowledge.documents("profiles"))


@cache
def protocol_documents() -> tuple[knowledge.Document, ...]:
    """The files of protocols/, read once. Not to be changed."""
    return knowledge.documents("protocols")


def fact(concept: str, value: Any = None, *, date: str | None = "2026-10-02", **more: Any) -> Fact:
    """`fact("hba1c", "8.1")`, `fact("egfr", "<60")`, `fact("hba1c", "5.6..7.0")`, `fact("hypertension")`."""
    found = vocabulary().concepts[concept]
    fields: dict[str, Any] = {"kind": found.kind, "effective": date, "unit": found.unit, **more}
    if value is not None:
        text = str(value)
        low, dots, high = text.partition("..")
        if dots:
            fields |= {"low": Decimal(low) if low else None, "high": Decimal(high) if high else None}
        else:
            number = text.lstrip("<>=")
            fields |= {"value": Decimal(number), "comparator": text[: len(text) - len(number)] or None}
    resource = fields.pop("id", concept.replace("_", "-"))
    evidence = Evidence(reference=f"{_TYPES[found.kind]}/{resource}", version_id="1", date=date)
    return Fact(concept=concept, evidence=evidence, **fields)


def snapshot(
    *facts: Fact,
    birth: str | None = "1976-05-01",
    gender: Any = "male",
    today: date = TODAY,
    categories: frozenset[str] = ALL,
) -> Snapshot:
    patient = PatientProfile(
        evidence=Evidence(reference="Patient/p", version_id="7"), birth_date=birth, gender=gender
    )
    return Snapshot(patient=patient, facts=facts, as_of=today, categories=categories)
