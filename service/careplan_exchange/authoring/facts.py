"""A fact as a golden case writes it: `hypertension`, `{egfr: "28"}`, `{pregnancy: absent, date: "2026-10"}`."""

from decimal import Decimal, InvalidOperation
from typing import Any

from careplan_exchange.model.snapshot import Coding, Evidence, Fact, FactKind
from careplan_exchange.model.vocabulary import Concept, Vocabulary
from careplan_exchange.spelling import did_you_mean

SOURCES: dict[FactKind, str] = {
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
"""The resource type that a made-up fact of each kind is said to come from."""

_STATES = ("present", "absent", "unknown")


class FactError(Exception):
    """What is written is no fact; the message says why, and what to write."""


def fact_of(written: Any, vocabulary: Vocabulary, *, day: str) -> Fact:
    """The fact, of `day` unless it has a `date` of its own. Raises FactError."""
    if isinstance(written, str):
        return fact(vocabulary, written, date=day)
    if not isinstance(written, dict) or not written:
        raise FactError("A fact is a concept, or a concept with its value.")
    (concept, value), *rest = written.items()
    more = {"date": day, **dict(rest)}
    unknown = set(more) - {"date", "active", "state", "id"}
    if unknown:
        raise FactError(f"A fact has no '{min(unknown)}': only a value, a date, active, state and id.")
    if value in _STATES:
        return fact(vocabulary, concept, state=value, **more)
    return fact(vocabulary, concept, value, **more)


def fact(vocabulary: Vocabulary, concept: str, value: Any = None, *, date: str | None, **more: Any) -> Fact:
    """One fact of a concept. A number may have a comparator (`<60`) or be a range (`5.6..7`); of a stage the
    value is its answer's code. Raises FactError."""
    found = vocabulary.concepts.get(concept)
    if found is None:
        raise FactError(f"There is no concept '{concept}'.{did_you_mean(concept, vocabulary.concepts)}")
    fields: dict[str, Any] = {"kind": found.kind, "effective": date, "unit": found.unit, **more}
    fields |= {} if value is None else _valued(found, str(value))
    resource = fields.pop("id", concept.replace("_", "-"))
    evidence = Evidence(reference=f"{SOURCES[found.kind]}/{resource}", version_id="1", date=date)
    return Fact(concept=concept, evidence=evidence, **fields)


def _valued(concept: Concept, text: str) -> dict[str, Any]:
    if concept.kind == "stage":
        return {"answer": Coding(code=text)}
    if concept.kind not in {"measurement", "family-history"}:
        raise FactError(f"'{concept.id}' has no number: write present, absent or unknown.")
    low, dots, high = text.partition("..")
    if dots:
        return {"low": _number(low) if low else None, "high": _number(high) if high else None}
    number = text.lstrip("<>=")
    return {"value": _number(number), "comparator": text[: len(text) - len(number)] or None}


def _number(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise FactError(f"'{text}' is no number; a value stands without its unit.") from None
