"""From a Quantity in any unit that `mappings/units.yaml` knows to a Decimal in the canonical one."""

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal
from decimal import Context as Arithmetic

from careplan_exchange.model.record import Resource
from careplan_exchange.model.vocabulary import Concept

from .context import Context
from .notes import shown_unit
from .systems import UCUM
from .tables import Conversion, Key
from .wire import Quantity

# More digits than any instrument has, and few enough for a factor's rounding to stay out of sight. Without traps:
# a number too large to work with comes out as no number, which no plausible range holds.
ARITHMETIC = Arithmetic(prec=12, rounding=ROUND_HALF_UP, traps=[])


def apply(conversion: Conversion, value: Decimal) -> Decimal:
    """The value in the canonical unit. A value that is in it already keeps its own digits (7.20 stays 7.20)."""
    if conversion.is_identity:
        return value
    result = ARITHMETIC.divide(ARITHMETIC.multiply(value, conversion.factor), conversion.divisor)
    result = ARITHMETIC.add(result, conversion.offset)
    if conversion.decimals is not None:
        result = ARITHMETIC.quantize(result, Decimal(1).scaleb(-conversion.decimals))
    return result


def to_canonical(
    context: Context,
    resource: Resource,
    concept: Concept,
    quantity: Quantity,
    *,
    codes: Iterable[Key],
    expression: str,
) -> Decimal | None:
    """The value in `concept.unit`, or None with an issue: no number, a unit that is not known, a value that no
    living person has. Without a unit a value is used where only one of the units we know makes it plausible,
    with an issue. `codes` are the keys of the measurement's codings."""
    value = quantity.value
    if value is None or not value.is_finite():
        context.note(
            resource,
            "value.missing",
            f"A value of '{concept.id}' has no number.",
            code="required",
            expression=expression,
            mend="Enter the number in the record.",
        )
        return None
    if not (quantity.code or "").strip() and not (quantity.unit or "").strip():
        conversion = _only_reading(context, resource, concept, value, expression)
    else:
        conversion = _conversion(context, resource, concept, quantity, expression)
    if conversion is None:
        return None
    if not conversion.except_codes.isdisjoint(codes):
        context.note(
            resource,
            "unit.ambiguous",
            f"A value of '{concept.id}' came in {shown_unit(quantity.code or quantity.unit or '')} under a code "
            "where that unit can mean two scales.",
            code="value",
            expression=expression,
            mend="Correct the code or the unit in the record.",
        )
        return None
    canonical = apply(conversion, value)
    return canonical if _can_be(context, resource, concept, (value, canonical), expression) else None


def _can_be(
    context: Context, resource: Resource, concept: Concept, values: tuple[Decimal, Decimal], expression: str
) -> bool:
    """Whether a living person can have the value (as sent, and in `concept.unit`); notes an issue otherwise."""
    sent, canonical = values
    low, high = concept.plausible or (Decimal(0), Decimal("Infinity"))
    if sent < 0 <= low:
        context.note(
            resource,
            "value.negative",
            f"A value of '{concept.id}' is below zero.",
            code="value",
            expression=expression,
            mend="Correct the value in the record.",
        )
        return False
    if not canonical.is_finite() or not low <= canonical <= high:
        context.note(
            resource,
            "value.implausible",
            f"A value of '{concept.id}' lies outside {low} to {high} {concept.unit}.",
            code="value",
            expression=expression,
            mend="Check value and unit in the record: a unit that was mixed up is the usual cause.",
        )
        return False
    return True


def quietly(context: Context, concept: Concept, quantity: Quantity) -> Decimal | None:
    """The value in `concept.unit`, plausible or not, where its unit is known; no issue otherwise. For what stands
    beside a value, such as a reference range."""
    conversion, *_ = choose(context, concept, quantity)
    value = quantity.value
    return None if conversion is None or value is None or not value.is_finite() else apply(conversion, value)


def _is_plausible(concept: Concept, value: Decimal) -> bool:
    low, high = concept.plausible or (value, value)
    return value.is_finite() and low <= value <= high


def _only_reading(
    context: Context, resource: Resource, concept: Concept, value: Decimal, expression: str
) -> Conversion | None:
    """The conversion of a value without a unit, where all that give something plausible give the same."""
    memo = ("readings", concept.id)
    if memo not in context.known:
        context.known[memo] = [
            conversion for (id_, _), conversion in context.mappings.units.items() if id_ == concept.id
        ]
    conversions: list[Conversion] = context.known[memo]
    readings = [
        (apply(conversion, value), conversion)
        for conversion in conversions
        if _is_plausible(concept, apply(conversion, value))
    ]
    if len({reading for reading, _ in readings}) == 1:
        context.note(
            resource,
            "unit.inferred",
            f"A value of '{concept.id}' has no unit; only one of the units that are known makes it plausible.",
            severity="information",
            code="informational",
            expression=expression,
            mend="Enter the unit in the record.",
        )
        return min((conversion for _, conversion in readings), key=lambda found: not found.is_identity)
    context.note(
        resource,
        "unit.missing",
        f"A value of '{concept.id}' has no unit, and "
        + ("several units make it plausible." if readings else "none that is known makes it plausible."),
        code="value",
        expression=expression,
        mend="Enter the unit in the record.",
    )
    return None


def _conversion(
    context: Context, resource: Resource, concept: Concept, quantity: Quantity, expression: str
) -> Conversion | None:
    memo = ("unit", concept.id, quantity.system, quantity.code, quantity.unit)
    if memo not in context.known:
        context.known[memo] = choose(context, concept, quantity)
    conversion, key, detail, mend = context.known[memo]
    if key is not None:
        context.note(
            resource,
            key,
            detail,
            severity="information" if conversion else "warning",
            code="informational" if conversion else "value",
            expression=expression,
            mend=mend,
        )
    found: Conversion | None = conversion
    return found


def choose(
    context: Context, concept: Concept, quantity: Quantity
) -> tuple[Conversion | None, str | None, str, str | None]:
    """The conversion, and what is to be noted: key, detail, mend. The code counts before the unit as it is
    displayed; where both are known they must say the same."""
    units = context.mappings.units
    code, unit = ((text or "").strip() for text in (quantity.code, quantity.unit))
    if not code and not unit:
        return None, "unit.missing", f"A value of '{concept.id}' has no unit.", "Enter the unit in the record."
    by_code, by_unit = units.get((concept.id, code)), units.get((concept.id, unit))
    if by_code is not None and by_unit is not None and not _same(by_code, by_unit):
        return (
            None,
            "unit.conflict",
            f"A value of '{concept.id}' has the unit code {shown_unit(code)} and displays {shown_unit(unit)}.",
            "Correct the unit in the record.",
        )
    if by_code is None and code and quantity.system == UCUM:
        by_unit = None  # a UCUM code is exact: what is displayed beside it cannot overrule it
    found = by_code or by_unit
    if found is None:
        return (
            None,
            "unit.unknown",
            f"No mapping takes '{concept.id}' from {shown_unit(code or unit)} to {concept.unit}.",
            "Add the unit to mappings/units.yaml with its factor and source, or correct it in the record.",
        )
    if found.assumes is not None:
        return (
            found,
            "unit.assumed",
            f"'{concept.id}' in {shown_unit(code or unit)} was read on the assumption {found.assumes}.",
            "Nothing, if it is right; otherwise correct the unit in the record.",
        )
    return found, None, "", None


def _same(one: Conversion, other: Conversion) -> bool:
    return one.factor * other.divisor == other.factor * one.divisor and one.offset == other.offset
