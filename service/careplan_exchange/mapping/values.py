"""value[x] of an Observation or a component to a number, a bound or a range in the canonical unit."""

from collections.abc import Collection
from decimal import Decimal
from typing import Literal, NamedTuple

from careplan_exchange.model.record import Resource
from careplan_exchange.model.vocabulary import Concept

from .context import Context
from .numerals import quantity_in
from .quantities import ARITHMETIC, to_canonical
from .tables import Key
from .wire import Quantity, Range, Ratio, Valued

Comparator = Literal["<", "<=", ">=", ">"]

_COMPARATORS: dict[str, Comparator] = {"<": "<", "<=": "<=", ">=": ">=", ">": ">"}

# Kinds of value that are no measurement in a unit, by their FHIR name.
_OTHERS = (
    ("valueString", "value_string"),
    ("valueCodeableConcept", "value_codeable_concept"),
    ("valueRatio", "value_ratio"),
    ("valueBoolean", "value_boolean"),
    ("valueSampledData", "value_sampled_data"),
    ("valueTime", "value_time"),
    ("valueDateTime", "value_date_time"),
    ("valuePeriod", "value_period"),
    ("valueAttachment", "value_attachment"),
    ("valueReference", "value_reference"),
)


# All that an Observation can hold as a value.
VALUES = ("value_quantity", "value_range", "value_integer", *(attribute for _, attribute in _OTHERS))


class Value(NamedTuple):
    """In the concept's unit: a number, which a comparator makes a bound, or a range with both ends."""

    value: Decimal | None = None
    low: Decimal | None = None
    high: Decimal | None = None
    comparator: Comparator | None = None


def read_value(
    context: Context,
    resource: Resource,
    concept: Concept,
    valued: Valued,
    *,
    codes: Collection[Key],
    expression: str,
) -> Value | None:
    """The value, or None with an issue. A text is read only where the whole of it is one number."""
    if valued.data_absent_reason is not None and any(
        getattr(valued, attribute) is not None for attribute in VALUES
    ):
        context.note(
            resource,
            "value.conflict",
            f"A value of '{concept.id}' stands beside a reason why there is none (FHIR invariant obs-6).",
            code="conflict",
            expression=f"{expression}.dataAbsentReason",
            mend="Correct the resource in the record. Until then the value is not used.",
        )
        return None
    quantity = valued.value_quantity or _other_quantity(context, resource, concept, valued, expression)
    if quantity is not None:
        comparator = None
        if quantity.comparator is not None:
            comparator = _COMPARATORS.get(quantity.comparator)
            if comparator is None:
                context.note(
                    resource,
                    "value.comparator",
                    f"A value of '{concept.id}' has a comparator that is none of <, <=, >=, >.",
                    code="value",
                    expression=f"{expression}.value.comparator",
                    mend="Correct the value in the record.",
                )
                return None
        number = to_canonical(context, resource, concept, quantity, codes=codes, expression=f"{expression}.value")
        return None if number is None else Value(value=number, comparator=comparator)
    if valued.value_range is not None:
        return _range(
            context, resource, concept, valued.value_range, codes=codes, expression=f"{expression}.value"
        )
    note_no_value(context, resource, valued, what=f"'{concept.id}'", expression=expression)
    return None


def _other_quantity(
    context: Context, resource: Resource, concept: Concept, valued: Valued, expression: str
) -> Quantity | None:
    """The quantity that an integer, a text or a ratio stands for; None where it stands for none."""
    if valued.value_integer is not None:
        return Quantity(value=Decimal(valued.value_integer))
    if valued.value_ratio is not None:
        return _quotient(valued.value_ratio)
    text = valued.value_string
    said = valued.value_codeable_concept
    if text is None and said is not None and not said.coding:
        text = said.text
    quantity = quantity_in(text) if text is not None else None
    if quantity is None or (quantity.unit and (concept.id, quantity.unit.strip()) not in context.mappings.units):
        return None
    context.note(
        resource,
        "value.from-text",
        f"A value of '{concept.id}' is a text, and the whole of it is a number: it was read as one.",
        severity="information",
        code="informational",
        expression=f"{expression}.value",
        mend="Enter it as a quantity in the record.",
    )
    return quantity


def _quotient(ratio: Ratio) -> Quantity | None:
    """Numerator by denominator, in their units' quotient. A denominator that is a bound, is zero or has no
    number, and a numerator without a unit (a titre), make it none."""
    above, below = ratio.numerator, ratio.denominator
    if (
        above is None
        or below is None
        or above.value is None
        or below.value is None
        or below.comparator is not None
    ):
        return None
    over, under = (above.code or above.unit or "").strip(), (below.code or below.unit or "").strip()
    if not over or below.value <= 0 or not above.value.is_finite() or not below.value.is_finite():
        return None
    return Quantity(
        value=ARITHMETIC.divide(above.value, below.value),
        comparator=above.comparator,
        unit=f"{over}/{under}" if under not in ("", "1") else over,
    )


def note_no_value(context: Context, resource: Resource, valued: Valued, *, what: str, expression: str) -> None:
    """Why there is no value: the record says so, it is of a kind that cannot be read, or it is just not there."""
    if valued.data_absent_reason is not None:
        context.note(
            resource,
            "value.absent",
            f"The record says that the value of {what} is absent.",
            severity="information",
            code="informational",
            expression=f"{expression}.dataAbsentReason",
            mend="Measure it, if a rule asks for it.",
        )
        return
    for name, attribute in _OTHERS:
        if getattr(valued, attribute) is not None:
            context.note(
                resource,
                "value.kind",
                f"The value of {what} is a {name} that is no number with its unit.",
                code="value",
                expression=f"{expression}.value",
                mend="Enter it as a quantity in the record.",
            )
            return
    context.note(
        resource,
        "value.missing",
        f"There is no value of {what}.",
        code="required",
        expression=f"{expression}.value",
        mend="Enter it in the record.",
    )


def _range(
    context: Context,
    resource: Resource,
    concept: Concept,
    sent: Range,
    *,
    codes: Collection[Key],
    expression: str,
) -> Value | None:
    ends: dict[str, Decimal] = {}
    for name, quantity in (("low", sent.low), ("high", sent.high)):
        if quantity is None:
            continue
        end = to_canonical(context, resource, concept, quantity, codes=codes, expression=f"{expression}.{name}")
        if end is None:
            return None
        ends[name] = end
    low, high = ends.get("low"), ends.get("high")
    if low is None and high is None:
        wrong = "has neither end"
    elif low is not None and high is not None and low > high:
        wrong = "is reversed"
    elif low is not None and high is not None:
        return Value(low=low, high=high)
    elif low is not None:
        return Value(value=low, comparator=">=")
    else:
        return Value(value=high, comparator="<=")
    context.note(
        resource,
        "value.range",
        f"A range of '{concept.id}' {wrong}.",
        code="value",
        expression=expression,
        mend="Correct the range in the record.",
    )
    return None
