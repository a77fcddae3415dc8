"""How often a FHIR Timing comes round. Pure arithmetic; a month is a twelfth of a year."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

_A_YEAR: Mapping[str, Decimal] = {
    "s": Decimal(31_536_000),
    "min": Decimal(525_600),
    "h": Decimal(8_760),
    "d": Decimal(365),
    "wk": Decimal(365) / Decimal(7),
    "mo": Decimal(12),
    "a": Decimal(1),
}
"""How many of each UCUM unit (Timing.repeat.periodUnit) make a year."""

_LEAST, _MOST = Decimal("0.001"), Decimal(100_000)
"""Bounds of a frequency and a period, wide on purpose."""
_MOMENTS = ("when", "timeOfDay", "dayOfWeek")
"""Lists of moments: it is done at each of them."""


def times_a_year(timing: Any) -> Decimal | None:
    """How often a year, None where the timing is none, does not come round (an event, a count), or has not the
    shape that FHIR gives it (http://hl7.org/fhir/R4/datatypes.html#Timing)."""
    repeat = timing.get("repeat") if isinstance(timing, Mapping) else None
    if not isinstance(repeat, Mapping) or "count" in repeat or "countMax" in repeat:
        return None
    unit = _A_YEAR.get(str(repeat.get("periodUnit")))
    period = _number(repeat.get("period"))
    frequency = _number(repeat.get("frequency", 1))
    if unit is None or period is None or frequency is None:
        return None
    moments = [len(found) for name in _MOMENTS if isinstance(found := repeat.get(name), list)]
    return max(frequency, Decimal(max(moments, default=0))) * unit / period


def _number(value: Any) -> Decimal | None:
    """A number that a timing of a person can have; another is none."""
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() and _LEAST <= number <= _MOST else None
