"""Whether a laboratory's own reading of a value agrees with it (Observation.interpretation, referenceRange).

An interpretation is never a value: it can only make one a bound (off the scale) or show that something is wrong.
"""

from decimal import Decimal
from typing import NamedTuple

from careplan_exchange.model.record import Resource
from careplan_exchange.model.vocabulary import Concept

from .context import Context
from .quantities import quietly
from .values import Value
from .wire import Quantity, Valued

_SYSTEMS = {
    "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation",
    "http://hl7.org/fhir/v2/0078",
    "http://terminology.hl7.org/CodeSystem/v2-0078",
    None,
}
_HIGH, _LOW, _NORMAL = {"H", "HH", "HU"}, {"L", "LL", "LU"}, {"N"}


class _Side(NamedTuple):
    high: bool
    low: bool
    normal: bool


def judged(
    context: Context, resource: Resource, concept: Concept, valued: Valued, value: Value, *, expression: str
) -> Value | None:
    """The value, made a bound where its interpretation says that it is off the instrument's scale. None with an
    issue where comparator and interpretation point opposite ways."""
    codes = {
        coding.code for said in valued.interpretation for coding in said.coding if coding.system in _SYSTEMS
    } - {None}
    if not codes:
        return value
    off_scale = codes & {"<", ">"}
    if off_scale:
        return _off_scale(context, resource, concept, value, off_scale, expression=expression)
    side = _Side(high=bool(codes & _HIGH), low=bool(codes & _LOW), normal=bool(codes & _NORMAL))
    if sum(side) > 1 or _disagrees(context, concept, valued, value, side):
        context.note(
            resource,
            "interpretation.conflict",
            f"A value of '{concept.id}' and its interpretation disagree. The value was used.",
            code="conflict",
            expression=f"{expression}.interpretation",
            mend="Check the value, its unit and its interpretation in the record.",
        )
    return value


def _off_scale(
    context: Context,
    resource: Resource,
    concept: Concept,
    value: Value,
    codes: set[str | None],
    *,
    expression: str,
) -> Value | None:
    below = "<" in codes
    sense = "<" if below else ">"
    opposed = len(codes) > 1 or (value.comparator is not None and value.comparator[0] != sense)
    if opposed or value.value is None:
        context.note(
            resource,
            "interpretation.off-scale",
            f"The interpretation 'off the scale' does not fit a value of '{concept.id}'.",
            code="conflict",
            expression=f"{expression}.interpretation",
            mend="Correct the value in the record. Until then it is not used.",
        )
        return None
    if value.comparator is not None:
        return value
    context.note(
        resource,
        "interpretation.bound",
        f"A value of '{concept.id}' is off the instrument's scale by its interpretation: it was read as a bound.",
        severity="information",
        code="informational",
        expression=f"{expression}.interpretation",
        mend="Nothing, if it is right; otherwise correct the interpretation in the record.",
    )
    return value._replace(comparator="<=" if below else ">=")


def _disagrees(context: Context, concept: Concept, valued: Valued, value: Value, side: _Side) -> bool:
    """Whether an exact value lies on the other side of its one reference range than the interpretation says."""
    if value.value is None or value.comparator is not None or len(valued.reference_range) != 1:
        return False
    (reference,) = valued.reference_range
    low, high = (_end(context, concept, valued, end) for end in (reference.low, reference.high))
    under, over = (low is not None and value.value < low), (high is not None and value.value > high)
    within_high = high is not None and value.value < high
    within_low = low is not None and value.value > low
    return (side.high and within_high) or (side.low and within_low) or (side.normal and (under or over))


def _end(context: Context, concept: Concept, valued: Valued, end: Quantity | None) -> Decimal | None:
    """A bound of the reference range in the concept's unit; one without a unit is in that of the value."""
    if end is None or end.value is None:
        return None
    sent = valued.value_quantity
    if sent is not None and end.code is None and end.unit is None:
        end = Quantity(value=end.value, unit=sent.unit, system=sent.system, code=sent.code)
    return quietly(context, concept, end)
