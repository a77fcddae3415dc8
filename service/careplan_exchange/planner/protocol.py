"""Protocols as compiled from FHIR, ready to be applied any number of times. Values only; nothing acts here."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal

import msgspec

from careplan_exchange.model.issue import Issue
from careplan_exchange.model.proposal import ActivityKind, Citation, ProtocolRef, RequestKind
from careplan_exchange.model.snapshot import Coding

from .expressions import Expression

Unknown = Literal["ask", "withhold", "go-on", "leave-out"]
Severity = Literal["high", "moderate", "low"]
Selection = Literal["any", "all", "all-or-none", "exactly-one", "at-most-one", "one-or-more"]
Priority = Literal["routine", "urgent", "asap", "stat"]
Grouping = Literal["visual-group", "logical-group", "sentence-group"]

MOST_LEVELS = 24
"""How deep actions and nested plans may stand inside each other."""
MOST_ACTIONS = 2000
"""How many actions one protocol may have, those of nested plans counted as often as they are used."""


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """`PlanDefinition.action.condition`. `expression` is None where it cannot be evaluated; `problem` says why.

    `unknown` is what happens when the record does not decide it: propose with the question ("ask"), hold back
    ("withhold"), propose all the same ("go-on"), or leave out as FHIR has it ("leave-out"). `safety` marks a
    contraindication: where it is false the action is withheld, with this severity.
    """

    kind: Literal["applicability", "start", "stop"]
    source: str
    expression: Expression | None
    problem: str | None
    unknown: Unknown
    safety: Severity | None
    question: str | None
    description: str | None


class TargetTemplate(msgspec.Struct, frozen=True, kw_only=True):
    """`due` is the interval from the day of the plan: a number and a calendar unit in UCUM."""

    measure: Coding
    unit: str
    low: Decimal | None
    high: Decimal | None
    due: tuple[Decimal, str] | None


class GoalTemplate(msgspec.Struct, frozen=True, kw_only=True):
    """`id` is the variant (`t2dm/goal/hba1c.older`), `key` what all variants of it share (`t2dm/goal/hba1c`)."""

    id: str
    key: str
    description: str
    patient_text: str
    patient_texts: Mapping[str, str]
    category: str
    priority: str
    citations: tuple[Citation, ...]
    targets: tuple[TargetTemplate, ...]
    addresses: tuple[Coding, ...]


class DynamicValue(msgspec.Struct, frozen=True, kw_only=True):
    path: str
    source: str
    expression: Expression | None
    problem: str | None


class Note(msgspec.Struct, frozen=True):
    """Something that is told with an activity for whomever it is: in words, and the element that says it."""

    text: str
    rule: str


class Related(msgspec.Struct, frozen=True, kw_only=True):
    """`relatedAction`: `offset` in words, empty where there is none; `key` is the other action's."""

    relationship: str
    offset: str
    key: str


class ActivityTemplate(msgspec.Struct, frozen=True, kw_only=True):
    """An ActivityDefinition, as far as the core uses it. `avoid` marks a restriction and says what to avoid.
    `medicines` are medication concepts, `involves` codes of `protocols/safety/involves.yaml`. `at_age` is a FHIR
    Age, where the timing depends on the patient's. `url` is its canonical without the version."""

    url: str | None = None
    title: str
    description: str
    patient_text: str
    patient_texts: Mapping[str, str]
    kind: ActivityKind
    resource_kind: RequestKind
    priority: Priority
    codings: tuple[Coding, ...]
    timing: Mapping[str, Any] | None
    dosage: tuple[Mapping[str, Any], ...]
    dynamic_values: tuple[DynamicValue, ...]
    citations: tuple[Citation, ...]
    avoid: str | None
    medicines: tuple[str, ...]
    involves: tuple[str, ...]
    at_age: Mapping[str, Any] | None = None
    notes: tuple[Note, ...] = ()


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """One action with what it points at already resolved. `title` is its own, or else that of its definition;
    what the action leaves to its definition is None. `goals` are ids of the variants that it selects, `supports`
    keys of goals that it serves. `problems` are reported whenever the action applies. `refused` says why it is
    proposed to nobody, though it applies: its definition says what is not to be done. `required`: the plan wants
    it done, or its reason told. `around` are the variables of the place where it stands (`%action`), for its
    dynamicValues."""

    key: str
    title: str
    title_given: bool
    description: str | None
    patient_text: str | None
    patient_texts: Mapping[str, str]
    benefit: int | None
    red_flag: str | None
    priority: Priority | None
    timing: Mapping[str, Any] | None
    codings: tuple[Coding, ...]
    conditions: tuple[Condition, ...]
    goals: tuple[str, ...]
    supports: tuple[str, ...]
    dynamic_values: tuple[DynamicValue, ...]
    citations: tuple[Citation, ...]
    selection: Selection
    related: tuple[Related, ...]
    definition: ActivityTemplate | None
    children: tuple["Action", ...]
    problems: tuple[Issue, ...]
    at_age: Mapping[str, Any] | None = None
    grouping: Grouping | None = None
    required: bool = False
    refused: str | None = None
    notes: tuple[Note, ...] = ()
    around: Mapping[str, Mapping[str, Any]] = {}


class Protocol(msgspec.Struct, frozen=True, kw_only=True):
    """One PlanDefinition with everything it points at. `valid_from` and `valid_to` are its effectivePeriod.

    `faults` are what makes it unfit as a whole: with one of them nothing of it is proposed to anybody. `problems`
    are told with every plan. `foreign`: it was given by hand, and its paths walk over the record as it was sent.
    """

    id: str
    ref: ProtocolRef
    valid_from: str | None
    valid_to: str | None
    goals: tuple[GoalTemplate, ...]
    actions: tuple[Action, ...]
    citations: tuple[Citation, ...]
    faults: tuple[Issue, ...] = ()
    problems: tuple[Issue, ...] = ()
    foreign: bool = False
