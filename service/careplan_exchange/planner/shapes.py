"""The shape of what is read of a plan from elsewhere: which element is a text, a list, a concept.

Our own protocols are validated as FHIR by the linter. A foreign one is taken as it is, so long as every element
that is used has the shape that R4 or R5 gives it; elements that are not used are not looked at.
"""

from decimal import Decimal
from typing import Any

import msgspec

from .elements import Element

Text = str | None
Number = int | Decimal | None
Anything = dict[str, Any]


class _Shape(msgspec.Struct, frozen=True, rename="camel"):
    """Elements that are missing are None; others are passed over."""


class _Coding(_Shape, frozen=True, rename="camel"):
    system: Text = None
    code: Text = None
    display: Text = None


class _Concept(_Shape, frozen=True, rename="camel"):
    coding: list[_Coding] | None = None
    text: Text = None


class _Quantity(_Shape, frozen=True, rename="camel"):
    value: Number = None
    comparator: Text = None
    unit: Text = None
    code: Text = None


class _Range(_Shape, frozen=True, rename="camel"):
    low: _Quantity | None = None
    high: _Quantity | None = None


class _Expression(_Shape, frozen=True, rename="camel"):
    language: Text = None
    expression: Text = None
    name: Text = None
    reference: Text = None
    description: Text = None


class _Condition(_Shape, frozen=True, rename="camel"):
    kind: Text = None
    expression: _Expression | None = None
    extension: list[Anything] | None = None


class _Dynamic(_Shape, frozen=True, rename="camel"):
    path: Text = None
    expression: _Expression | None = None


class _Document(_Shape, frozen=True, rename="camel"):
    url: Text = None


class _Artifact(_Shape, frozen=True, rename="camel"):
    type: Text = None
    citation: Text = None
    display: Text = None
    label: Text = None
    url: Text = None
    document: _Document | None = None


class _Related(_Shape, frozen=True, rename="camel"):
    relationship: Text = None
    action_id: Text = None
    target_id: Text = None
    offset_duration: _Quantity | None = None
    offset_range: _Range | None = None


class _Reference(_Shape, frozen=True, rename="camel"):
    reference: Text = None
    display: Text = None


class _Participant(_Shape, frozen=True, rename="camel"):
    type: Text = None
    type_canonical: Text = None
    type_reference: _Reference | None = None
    role: _Concept | None = None


class _Period(_Shape, frozen=True, rename="camel"):
    start: Text = None
    end: Text = None


class _Timing(_Shape, frozen=True, rename="camel"):
    event: list[str] | None = None
    repeat: Anything | None = None
    code: _Concept | None = None


class _Timed(_Shape, frozen=True, rename="camel"):
    timing_timing: _Timing | None = None
    timing_date_time: Text = None
    timing_age: _Quantity | None = None
    timing_period: _Period | None = None
    timing_duration: _Quantity | None = None
    timing_range: _Range | None = None
    extension: list[Anything] | None = None


class _Action(_Timed, frozen=True, rename="camel"):
    id: Text = None
    title: Text = None
    description: Text = None
    text_equivalent: Text = None
    priority: Text = None
    code: list[_Concept] | _Concept | None = None
    reason: list[_Concept] | None = None
    type: _Concept | None = None
    documentation: list[_Artifact] | None = None
    goal_id: list[str] | None = None
    condition: list[_Condition] | None = None
    related_action: list[_Related] | None = None
    participant: list[_Participant] | None = None
    grouping_behavior: Text = None
    selection_behavior: Text = None
    required_behavior: Text = None
    precheck_behavior: Text = None
    cardinality_behavior: Text = None
    definition_canonical: Text = None
    definition_uri: Text = None
    dynamic_value: list[_Dynamic] | None = None
    action: list["_Action"] | None = None


class _Target(_Shape, frozen=True, rename="camel"):
    measure: _Concept | None = None
    detail_range: _Range | None = None
    detail_quantity: _Quantity | None = None
    due: _Quantity | None = None


class _Goal(_Shape, frozen=True, rename="camel"):
    id: Text = None
    description: _Concept | None = None
    category: _Concept | None = None
    priority: _Concept | None = None
    addresses: list[_Concept] | None = None
    documentation: list[_Artifact] | None = None
    target: list[_Target] | None = None
    extension: list[Anything] | None = None


class _Definition(_Timed, frozen=True, rename="camel"):
    id: Text = None
    url: Text = None
    version: Text = None
    name: Text = None
    title: Text = None
    status: Text = None
    related_artifact: list[_Artifact] | None = None


class _Plan(_Definition, frozen=True, rename="camel"):
    experimental: bool | None = None
    subject_codeable_concept: _Concept | None = None
    subject_reference: _Reference | None = None
    subject_canonical: Text = None
    effective_period: _Period | None = None
    contained: list[Anything] | None = None
    goal: list[_Goal] | None = None
    action: list[_Action] | None = None


class _Ratio(_Shape, frozen=True, rename="camel"):
    numerator: _Quantity | None = None
    denominator: _Quantity | None = None


class _DoseAndRate(_Shape, frozen=True, rename="camel"):
    dose_range: _Range | None = None
    dose_quantity: _Quantity | None = None


class _Dosage(_Shape, frozen=True, rename="camel"):
    text: Text = None
    patient_instruction: Text = None
    timing: _Timing | None = None
    as_needed: bool | None = None
    as_needed_for: list[_Concept] | None = None
    as_needed_boolean: bool | None = None
    as_needed_codeable_concept: _Concept | None = None
    dose_and_rate: list[_DoseAndRate] | None = None
    max_dose_per_period: list[_Ratio] | _Ratio | None = None


class _Activity(_Definition, frozen=True, rename="camel"):
    description: Text = None
    kind: Text = None
    priority: Text = None
    do_not_perform: bool | None = None
    code: _Concept | None = None
    product_codeable_concept: _Concept | None = None
    topic: list[_Concept] | None = None
    as_needed_codeable_concept: _Concept | None = None
    participant: list[_Participant] | None = None
    dosage: list[_Dosage] | None = None
    dynamic_value: list[_Dynamic] | None = None


class _Questionnaire(_Definition, frozen=True, rename="camel"):
    description: Text = None
    code: list[_Coding] | None = None


_SHAPES: dict[str, type[_Shape]] = {
    "PlanDefinition": _Plan,
    "ActivityDefinition": _Activity,
    "Questionnaire": _Questionnaire,
}


def misshapen(resource: Element) -> str | None:
    """What has another shape than it must have, with its path, or None where nothing has."""
    shape = _SHAPES.get(str(resource.get("resourceType")))
    if shape is None:
        return None
    try:
        msgspec.convert(resource, shape, strict=True)
    except msgspec.ValidationError as error:
        return str(error)
    except RecursionError:
        return "it is nested too deeply"
    return None
