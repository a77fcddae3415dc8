"""What the safety gate found: hazards beside the plan (FHIR's DetectedIssue), and what must be seen first."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from .grounds import Citation, Gap, Reason

Hazard = Literal[
    "allergy",
    "drug-disease",
    "drug-laboratory",
    "drug-drug",
    "duplicate",
    "pregnancy",
    "lactation",
    "age",
    "kidney",
    "liver",
    "gene-drug",
    "alcohol",
    "diet",
    "activity",
    "missing",
]
Effect = Literal["withheld", "warned", "asked", "reported"]


class DetectedIssue(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One hazard that one rule found.

    `key` is stable over runs and unique in the plan. `rule` is the id of the rule, or the key of the action whose
    protocol has the condition. `action` is what was done about it: the activities (`activities` are their keys)
    were withheld, stand with a warning, or wait for the answer to a question; "reported" is of what the patient
    takes already, which nobody but a person stops. `certain` is false where the deciding fact is unknown.
    `detail` says what the hazard is, `mitigation` what to do, `alternative` what a source names instead.
    """

    key: str
    rule: str
    hazard: Hazard
    severity: Literal["high", "moderate", "low"]
    action: Effect
    certain: bool
    title: str
    detail: str
    mitigation: str
    reasons: tuple[Reason, ...]
    citations: tuple[Citation, ...]
    alternative: str | None = None
    activities: tuple[str, ...] = ()
    missing: tuple[Gap, ...] = ()


class RedFlag(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Somebody must look at this patient now, or today: it stands before everything else of the plan.

    `banner` says what was found, `action` what to do. With `holds_routine` the routine part of the plan waits
    until that was done. `patient_texts` are translations of `patient_text` by language (BCP 47); `activity` is
    the key of the activity that raised it, where no rule did.
    """

    key: str
    within: Literal["now", "today"]
    banner: str
    action: str
    holds_routine: bool
    patient_text: str
    reasons: tuple[Reason, ...]
    citations: tuple[Citation, ...]
    patient_texts: Mapping[str, str] = msgspec.field(default_factory=dict)
    activity: str | None = None
