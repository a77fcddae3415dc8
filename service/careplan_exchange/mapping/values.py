"""value[x] of an Observation or a component to a number, a bound or a range in the canonical unit."""

from collections.abc import Collection
from decimal import Decimal
from typing import Literal, NamedTuple

from careplan_exchange.model.record import Resource
from careplan_exchange.model.vocabulary import Concept

from .context import Context
from .quantities import to_canonical
from .tables import Key
from .wire import Range, Valued

Comparator = Literal["<", "<=", ">=", ">"]

_COMPARATORS: dict[str, Comparator] = {"<": "<", "<=": "<=", ">=": ">=", ">": ">"}

# Kinds of value that are no measurement in a unit, by their FHIR name.
_OTHERS = (
    ("valueString", "value_string"),
    ("valueInteger", "value_integer"),
    ("valueCodeableConcept", "value_codeable_concept"),
    ("valueBoolean", "value_boolean"),
    ("valueRatio", "value_ratio"),
    ("valueSampledData", "value_sampled_data"),
    ("valueTime", "value_time"),
    ("valueDateTime", "value_date_time"),
    ("valuePeriod", "value_period"),
    ("valueAttachment", "value_attachment"),
    ("valueReference", "value_reference"),
)


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
    """The value, or None with an issue. A number inside a text is not read, and no unit is guessed."""
    quantity = valued.value_quantity
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
                f"The value of {what} is a {name}, and only a number with its unit is read.",
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
