"""`timing[x]` of an action or an ActivityDefinition, whatever its type, as the Timing that an activity has.

An Age needs the patient's birth date, so it is kept until a plan is made. R5 has no dateTime and no Period here;
the other types are those of R4 (http://hl7.org/fhir/R4/plandefinition-definitions.html#PlanDefinition.action.timing_x_).
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from .dates import CALENDAR_UNITS, after, days_of
from .elements import Element

Timing = Mapping[str, Any]

_BOUNDS = {"timingPeriod": "boundsPeriod", "timingDuration": "boundsDuration", "timingRange": "boundsRange"}
_NUMBERS = frozenset(
    {
        *("count", "countMax", "frequency", "frequencyMax", "period", "periodMax"),
        *("duration", "durationMax", "offset"),
    }
)


class When(msgspec.Struct, frozen=True, kw_only=True):
    """`timing` where it is the same for everybody, `age` (a FHIR Age) where it depends on the birth date."""

    timing: Timing | None = None
    age: Element | None = None


ALWAYS = When()


def when_of(element: Element) -> When:
    """A date is an event of its day. A Period, a Duration and a Range bound the time in which it is to be done: a
    Duration and a Range count from the start of the plan."""
    if "timingTiming" in element:
        return When(timing=_numbers_mended(element["timingTiming"]))
    if "timingDateTime" in element:
        return When(timing={"event": [element["timingDateTime"]]})
    if "timingAge" in element:
        return When(age=element["timingAge"])
    for name, bounds in _BOUNDS.items():
        if name in element:
            return When(timing={"repeat": {bounds: element[name]}})
    return ALWAYS


def at_age(age: Element, birth_date: str | None) -> Timing | str:
    """The day on which the patient is so old, or in words why it cannot be told."""
    days = days_of(birth_date or "")
    unit, value = age.get("code") or age.get("unit"), age.get("value")
    if unit not in CALENDAR_UNITS or not isinstance(value, int | Decimal) or isinstance(value, bool):
        return "its age is not a number of days, weeks, months or years (d, wk, mo, a)"
    if days is None or days[0] != days[1]:
        return "the patient's full date of birth is not known"
    return {"event": [after(days[0], Decimal(value), unit).isoformat()]}


def _numbers_mended(timing: Timing) -> Timing:
    """Numbers that are written as text, as some plans have them."""
    repeat = timing.get("repeat")
    if not isinstance(repeat, Mapping):
        return timing
    mended = {
        name: int(value) if name in _NUMBERS and isinstance(value, str) and value.isdecimal() else value
        for name, value in repeat.items()
    }
    return {**timing, "repeat": mended} if mended != repeat else timing
