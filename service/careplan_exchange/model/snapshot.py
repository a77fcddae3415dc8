"""The normalised snapshot: what mapping understood of a record, every fact traceable to its resource."""

from datetime import date
from decimal import Decimal
from typing import Literal

import msgspec

from .issue import Issue

FactKind = Literal[
    "measurement",
    "condition",
    "medication",
    "allergy",
    "procedure",
    "family-history",
    "status",
    "stage",
    "gene-finding",
    "immunization",
    "device",
    "visit",
    "order",
    "circumstance",
]
Origin = Literal["clinic", "home", "patient", "device"]
FactState = Literal["present", "absent", "unknown"]


class Coding(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    system: str | None = None
    code: str | None = None
    display: str | None = None


class Evidence(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The exact resource and version a fact was read from, and the date it speaks of (FHIR date or dateTime)."""

    reference: str
    version_id: str | None = None
    date: str | None = None


class Fact(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One thing known about the patient.

    `concept` is the id of a concept in `profiles/` (`hba1c`). A measurement has `value` in `unit`, the
    concept's canonical UCUM unit; with a `comparator` the true value lies beyond it; a measured range has
    `low` and `high` instead of `value`. `state` tells a recorded absence ("refuted", "no known allergy") from
    a presence. `effective` is a FHIR date or dateTime, of the precision it was recorded with. `coding` is the
    coding as recorded that led to the concept.

    `answer` is a result that is told by a code (a stage, a variant's significance, the relationship of a
    relative, whose age at onset is `value`). `origin` is where it was measured or who told it, where the record
    says so. A derived fact has `inputs`, the evidence of everything it was worked out from, and `rule`, the id of
    the rule in `mappings/derived/`.
    """

    concept: str
    kind: FactKind
    evidence: Evidence
    state: FactState = "present"
    coding: Coding | None = None
    value: Decimal | None = None
    low: Decimal | None = None
    high: Decimal | None = None
    unit: str | None = None
    comparator: Literal["<", "<=", ">=", ">"] | None = None
    effective: str | None = None
    active: bool = True
    answer: Coding | None = None
    origin: Origin | None = None
    inputs: tuple[Evidence, ...] = ()
    rule: str | None = None


class PatientProfile(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The few things about the person that planning needs. No name: a plan is addressed by reference."""

    evidence: Evidence
    birth_date: str | None = None  # FHIR date: YYYY, YYYY-MM or YYYY-MM-DD
    gender: Literal["male", "female", "other", "unknown"] | None = None
    language: str | None = None


class Wish(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A goal in the words of the patient, of somebody near, or of a professional on the patient's behalf, as a
    Goal of the record has it. It is that person's own: nothing here changes, merges or writes it."""

    text: str
    by: Literal["patient", "related-person", "professional"]
    evidence: Evidence


class Snapshot(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`as_of` is the run's "today". `categories` are the resource types read whole (see PatientRecord). `wishes`
    are the patient's own open goals, in the order of their references."""

    patient: PatientProfile
    facts: tuple[Fact, ...]
    as_of: date
    categories: frozenset[str]
    issues: tuple[Issue, ...] = ()
    wishes: tuple[Wish, ...] = ()

    def of(self, concept: str) -> tuple[Fact, ...]:
        return tuple(fact for fact in self.facts if fact.concept == concept)
