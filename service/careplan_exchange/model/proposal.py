"""What the planner proposes for one patient, in no version of FHIR: each line with its reason."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Literal

import msgspec

from .issue import Issue
from .snapshot import Coding, Evidence

Truth = Literal["true", "false", "unknown"]
ActivityKind = Literal["lifestyle", "diet", "medication", "monitoring", "referral", "education"]


class Citation(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Where a recommendation comes from: guideline or label, year, DOI or URL, and its grade if it has one."""

    label: str
    url: str | None = None
    grade: str | None = None


class ProtocolRef(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    url: str
    version: str
    title: str

    @property
    def canonical(self) -> str:
        return f"{self.url}|{self.version}"


class Used(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One value a rule looked at: the variable, what it held ("8.1 %", "present", "unknown"), and its source."""

    variable: str
    value: str
    evidence: tuple[Evidence, ...] = ()


class Reason(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Why a line is, or is not, in the plan. `rule` is the FHIRPath of the condition as the protocol has it."""

    text: str
    rule: str
    result: Truth
    used: tuple[Used, ...] = ()


class Gap(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Something a rule needed and the record does not say. `ask` is the question to put to a person."""

    concept: str
    ask: str
    needed_by: tuple[str, ...]


class Target(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A range to reach, in UCUM `unit`; `low` and `high` are inclusive, as in Goal.target.detailRange."""

    measure: Coding
    unit: str
    low: Decimal | None = None
    high: Decimal | None = None
    due: date | None = None


class GoalProposal(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`key` is stable over runs and unique in the plan: `t2dm/goal/hba1c`. It, not the text, is the identity."""

    key: str
    protocol: ProtocolRef
    description: str
    patient_text: str
    category: str  # code of http://terminology.hl7.org/CodeSystem/goal-category
    priority: str  # code of http://terminology.hl7.org/CodeSystem/goal-priority
    start: date
    reasons: tuple[Reason, ...]
    citations: tuple[Citation, ...]
    targets: tuple[Target, ...] = ()
    addresses: tuple[Evidence, ...] = ()
    missing: tuple[Gap, ...] = ()


class ActivityProposal(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Something to do. `resource_kind` is the request it stands for; a MedicationRequest stays a proposal.

    `codings` may be empty: the text then says it. `timing` is a FHIR Timing as plain JSON. `goals` are keys of
    GoalProposals. `questions` must be answered by a person before the activity is accepted.
    """

    key: str
    protocol: ProtocolRef
    kind: ActivityKind
    resource_kind: Literal["ServiceRequest", "MedicationRequest"]
    title: str
    description: str
    patient_text: str
    priority: Literal["routine", "urgent", "asap", "stat"]
    reasons: tuple[Reason, ...]
    citations: tuple[Citation, ...]
    codings: tuple[Coding, ...] = ()
    timing: Mapping[str, Any] | None = None
    goals: tuple[str, ...] = ()
    addresses: tuple[Evidence, ...] = ()
    missing: tuple[Gap, ...] = ()
    questions: tuple[str, ...] = ()


class Restriction(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Something to avoid, and why. It is written as a goal of avoidance and a counselling activity (the keys
    `goal` and `activity` name both in the same proposal) and listed under "Avoid" in the narrative."""

    key: str
    protocol: ProtocolRef
    avoid: str
    patient_text: str
    goal: str
    activity: str
    reasons: tuple[Reason, ...]
    citations: tuple[Citation, ...]
    missing: tuple[Gap, ...] = ()


class Withheld(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An activity that a protocol would have proposed and a safety condition holds back: a DetectedIssue.

    `certain` is false where it is held back because the deciding fact is unknown.
    """

    key: str
    protocol: ProtocolRef
    title: str
    severity: Literal["high", "moderate", "low"]
    certain: bool
    detail: str
    reasons: tuple[Reason, ...]
    citations: tuple[Citation, ...]
    codings: tuple[Coding, ...] = ()
    missing: tuple[Gap, ...] = ()


class NotApplied(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A protocol, goal or action that does not apply to this patient, and the condition that says so."""

    key: str
    title: str
    reasons: tuple[Reason, ...]


class Proposal(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The whole plan as proposed. Empty `protocols` means that no protocol applies: there is nothing to write."""

    patient: Evidence
    as_of: date
    protocols: tuple[ProtocolRef, ...]
    goals: tuple[GoalProposal, ...]
    activities: tuple[ActivityProposal, ...]
    restrictions: tuple[Restriction, ...]
    withheld: tuple[Withheld, ...]
    not_applied: tuple[NotApplied, ...]
    gaps: tuple[Gap, ...]
    addresses: tuple[Evidence, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    issues: tuple[Issue, ...] = ()
