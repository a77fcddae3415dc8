"""The variables of conditions: what each kind of concept has, and what one of them holds for a patient."""

from collections.abc import Mapping
from typing import Any

import msgspec

from careplan_exchange.model.snapshot import Evidence
from careplan_exchange.model.vocabulary import Concept, Vocabulary

DAYS, EVER = "_days", "_ever"
PATIENT_VARIABLES = ("age", "sex")
CATEGORIES: Mapping[str, frozenset[str]] = {
    "condition": frozenset({"Condition"}),
    # Statements, dispenses and administrations only add to what the orders say: a server that has none of these
    # types still shows an absence by its orders, as it always did.
    "medication": frozenset({"MedicationRequest"}),
    "allergy": frozenset({"AllergyIntolerance"}),
    "procedure": frozenset({"Procedure"}),
    "family-history": frozenset({"FamilyMemberHistory"}),
    "status": frozenset({"Condition", "Observation"}),
    "gene-finding": frozenset({"Observation"}),
    "immunization": frozenset({"Immunization"}),
    "device": frozenset({"Device", "Condition"}),
    "visit": frozenset({"Encounter", "Appointment"}),
    "order": frozenset({"ServiceRequest", "NutritionOrder"}),
    "circumstance": frozenset({"Condition", "Observation", "QuestionnaireResponse", "Consent"}),
}
"""Where a fact of each kind would stand: only a record in which all of these were read whole shows an absence.
A measurement and a stage have no absence."""

VALUED = frozenset({"measurement", "stage"})
"""Kinds whose variable holds a value, not true or false."""


class Binding(msgspec.Struct, frozen=True, kw_only=True):
    """One variable. `value` None is unknown; `shown` is the value in words, `gap` what to ask where it is
    unknown or only a range. `evidence` is what it was read from."""

    variable: str
    concept: str
    value: Any
    title: str
    shown: str
    gap: str
    evidence: tuple[Evidence, ...]


def concept_of(variable: str, vocabulary: Vocabulary) -> Concept | None:
    """The concept that a variable speaks of: its own, or that before `_days` or `_ever`."""
    concepts = vocabulary.concepts
    if variable in concepts:
        return concepts[variable]
    for suffix in (DAYS, EVER):
        concept = concepts.get(variable.removesuffix(suffix))
        if concept is not None and (suffix == DAYS or concept.kind not in VALUED):
            return concept
    return None
