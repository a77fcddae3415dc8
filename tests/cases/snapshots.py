"""Snapshots from a few lines of YAML or Python: what a clinical case says of a patient, and nothing else."""

from datetime import date
from functools import cache
from typing import Any

from careplan_exchange import knowledge, planner
from careplan_exchange.authoring import facts
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


@cache
def vocabulary() -> Vocabulary:
    return load_vocabulary(knowledge.documents("profiles"))


@cache
def protocol_documents() -> tuple[knowledge.Document, ...]:
    """The files of protocols/, read once. Not to be changed."""
    return knowledge.documents("protocols")


@cache
def policies() -> planner.Policies:
    """What stands over all protocols, as the product loads it."""
    return planner.load_policies({name: knowledge.documents(name) for name in knowledge.FOLDERS}, vocabulary())


def fact(concept: str, value: Any = None, *, date: str | None = "2026-10-02", **more: Any) -> Fact:
    """`fact("hba1c", "8.1")`, `fact("egfr", "<60")`, `fact("hba1c", "5.6..7.0")`, `fact("hypertension")`."""
    return facts.fact(vocabulary(), concept, value, date=date, **more)


def snapshot(
    *found: Fact,
    birth: str | None = "1976-05-01",
    gender: Any = "male",
    today: date = TODAY,
    categories: frozenset[str] = ALL,
) -> Snapshot:
    patient = PatientProfile(
        evidence=Evidence(reference="Patient/p", version_id="7"), birth_date=birth, gender=gender
    )
    return Snapshot(patient=patient, facts=found, as_of=today, categories=categories)
