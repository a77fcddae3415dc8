"""What the planner proposes for one patient, in no version of FHIR: each line with its reason."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Literal

import msgspec

from .burden import Burden
from .detected import DetectedIssue, RedFlag
from .grounds import Citation, Gap, Reason, Truth, Used
from .issue import Issue
from .progress import Achievement, Progress
from .risk import RiskAssessment
from .snapshot import Coding, Evidence, Wish

__all__ = [
    "DISCLAIMER",
    "ActivityKind",
    "ActivityProposal",
    "Barrier",
    "Citation",
    "Conflict",
    "Gap",
    "GoalProposal",
    "NotApplied",
    "Proposal",
    "ProtocolRef",
    "Reason",
    "RequestKind",
    "Restriction",
    "Target",
    "Truth",
    "Used",
    "Withheld",
]

DISCLAIMER = (
    "Draft for review by a clinician. It was made by software from the protocols named below and the record as "
    "it stood. Nothing in it is an order; it does not replace clinical judgement."
)
"""What stands on every plan, wherever it is shown."""

RequestKind = Literal["ServiceRequest", "MedicationRequest", "NutritionOrder"]
ActivityKind = Literal["lifestyle", "diet", "medication", "monitoring", "referral", "education"]


class ProtocolRef(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    url: str
    version: str
    title: str

    @property
    def canonical(self) -> str:
        return f"{self.url}|{self.version}"


class Target(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A range to reach, in UCUM `unit`; `low` and `high` are inclusive, as in Goal.target.detailRange."""

    measure: Coding
    unit: str
    low: Decimal | None = None
    high: Decimal | None = None
    due: date | None = None


class GoalProposal(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`key` is stable over runs and unique in the plan: `t2dm/goal/hba1c`. It, not the text, is the identity.
    `patient_texts` are translations of `patient_text` by language (BCP 47). `progress` is the trend of each
    target that has a measure, `achievement` what they come to together."""

    key: str
    protocol: ProtocolRef
    description: str
    patient_text: str
    category: str  # code of http://terminology.hl7.org/CodeSystem/goal-category
    priority: str  # code of http://terminology.hl7.org/CodeSystem/goal-priority
    start: date
    reasons: tuple[Reason, ...]
    citations: tuple[Citation, ...]
    patient_texts: Mapping[str, str] = msgspec.field(default_factory=dict)
    targets: tuple[Target, ...] = ()
    progress: tuple[Progress, ...] = ()
    achievement: Achievement | None = None
    addresses: tuple[Evidence, ...] = ()
    missing: tuple[Gap, ...] = ()


class ActivityProposal(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Something to do. `resource_kind` is the request it stands for; a MedicationRequest stays a proposal.

    `codings` may be empty: the text then says it. `timing` is a FHIR Timing as plain JSON. `goals` are keys of
    GoalProposals. `questions` must be answered by a person before the activity is accepted. `dosage` are FHIR
    Dosages of R5 as plain JSON. `medicines` are the medication concepts that it would start, `involves` what
    carrying it out takes or brings (codes of `protocols/involves.yaml`). `benefit` is 1 to 5. `red_flag` is the
    banner of what somebody must look at today. `definition` is its ActivityDefinition, as a canonical without
    version.
    """

    key: str
    protocol: ProtocolRef
    kind: ActivityKind
    resource_kind: RequestKind
    title: str
    description: str
    patient_text: str
    priority: Literal["routine", "urgent", "asap", "stat"]
    reasons: tuple[Reason, ...]
    citations: tuple[Citation, ...]
    codings: tuple[Coding, ...] = ()
    patient_texts: Mapping[str, str] = msgspec.field(default_factory=dict)
    timing: Mapping[str, Any] | None = None
    dosage: tuple[Mapping[str, Any], ...] = ()
    medicines: tuple[str, ...] = ()
    involves: tuple[str, ...] = ()
    benefit: int | None = None
    red_flag: str | None = None
    definition: str | None = None
    goals: tuple[str, ...] = ()
    addresses: tuple[Evidence, ...] = ()
    missing: tuple[Gap, ...] = ()
    questions: tuple[str, ...] = ()

    @property
    def stands_as(self) -> tuple[RequestKind, ...]:
        """The types of which it may be a request: a diet is a service where a target takes no NutritionOrder."""
        diet = self.resource_kind == "NutritionOrder"
        return ("NutritionOrder", "ServiceRequest") if diet else (self.resource_kind,)


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
    patient_texts: Mapping[str, str] = msgspec.field(default_factory=dict)
    missing: tuple[Gap, ...] = ()


class Withheld(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An activity that a protocol would have proposed and a safety condition holds back: a DetectedIssue.

    `certain` is false where it is held back because the deciding fact is unknown. `alternative` is what the
    source names instead, where it does.
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
    alternative: str | None = None


class NotApplied(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A protocol, goal or action that does not apply to this patient, and the condition that says so."""

    key: str
    title: str
    reasons: tuple[Reason, ...]


class Conflict(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Two lines that cannot both stand, or two sources that disagree, and what became of it.

    `policy` says who decided: the rule, for one of the two or for neither; the site, which chose a source; or
    nobody yet ("ask": a person must). `lines` are the keys concerned, also of lines that no longer stand.
    """

    key: str
    title: str
    text: str
    policy: Literal["first", "second", "neither", "choice", "ask"]
    lines: tuple[str, ...]
    citations: tuple[Citation, ...]
    reasons: tuple[Reason, ...] = ()


class Barrier(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A circumstance or preference that changes the plan: what stands against which lines, and what was done.

    "replaced": `by` stands in their place. "referral": they stay, and `by` helps. "declined": the patient refused
    them, and `by` is a talk. "noted": they stay, and a person has to think of it.
    """

    key: str
    title: str
    text: str
    outcome: Literal["replaced", "referral", "declined", "noted"]
    lines: tuple[str, ...]
    reasons: tuple[Reason, ...]
    citations: tuple[Citation, ...]
    by: str | None = None


class Proposal(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The whole plan as proposed. Empty `protocols` means that no protocol applies: there is nothing to write.

    `red_flags` come before everything else wherever a plan is shown. `detected` is what the safety gate found,
    one for each withheld activity among it.
    `assumed` are suppositions that it rests on: a plan with any is hypothetical and is never rendered.
    `wishes` are the patient's own goals and come first. Activities stand in the order of their worth, and
    `start_with` are the keys of the first three that can begin now. `language` (BCP 47) is the patient's, where
    the patient texts have it.
    """

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
    risks: tuple[RiskAssessment, ...] = ()
    assumed: tuple[str, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    barriers: tuple[Barrier, ...] = ()
    wishes: tuple[Wish, ...] = ()
    burden: Burden | None = None
    start_with: tuple[str, ...] = ()
    language: str | None = None
    detected: tuple[DetectedIssue, ...] = ()
    red_flags: tuple[RedFlag, ...] = ()
    disclaimer: str = DISCLAIMER

    @property
    def at_once(self) -> tuple[ActivityProposal, ...]:
        """The activities that wait for nothing: all of them, unless a red flag holds the routine part."""
        return tuple(activity for activity in self.activities if not self._waits(activity))

    @property
    def later(self) -> tuple[ActivityProposal, ...]:
        """The routine activities, where somebody must look at a red flag first."""
        return tuple(activity for activity in self.activities if self._waits(activity))

    def _waits(self, activity: ActivityProposal) -> bool:
        return activity.priority == "routine" and any(flag.holds_routine for flag in self.red_flags)
