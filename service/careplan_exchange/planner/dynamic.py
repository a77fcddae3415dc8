"""`dynamicValue`: elements of an activity that an expression fills in for this patient."""

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, cast, get_args

import msgspec

from careplan_exchange.model.issue import Issue
from careplan_exchange.model.snapshot import Coding

from . import elements
from .bindings import Bindings
from .expressions import EvaluationError, evaluated
from .protocol import Action, DynamicValue, Priority

_TEXTS: Mapping[str, str] = {
    "title": "title",
    "code.text": "title",
    "description": "description",
    "priority": "priority",
}
_TIMINGS = ("timing", "timingTiming", "occurrenceTiming")
_DATES = ("timingDateTime", "occurrenceDateTime", "timing.event")
_NUMBERS = ("frequency", "frequencyMax", "period", "periodMax", "count", "countMax", "duration", "durationMax")
_DOSES = (
    "dosage.text",
    "dosage.patientInstruction",
    "dosage.doseAndRate.doseQuantity.value",
    *(f"dosage.timing.repeat.{number}" for number in _NUMBERS),
)
PATHS = frozenset(
    {
        *_TEXTS,
        *(f"{timing}.repeat.{number}" for timing in _TIMINGS for number in _NUMBERS),
        *_DATES,
        *_DOSES,
        "code",
    }
)
"""Every path that a dynamicValue may fill. `action.` before one says the same: the reference implementation and
CDS Hooks write it so."""

_OWN = re.compile(r"^(?:action\.)+")


class Filled(msgspec.Struct, frozen=True, kw_only=True):
    """What the expressions may change of an activity, before and after."""

    title: str
    description: str
    priority: Priority
    timing: Mapping[str, Any] | None
    codings: tuple[Coding, ...] = ()
    dosage: tuple[Mapping[str, Any], ...] = ()


def fill(
    start: Filled, values: Iterable[DynamicValue], action: Action, bindings: Bindings
) -> tuple[Filled, tuple[Issue, ...]]:
    """Each value in its order, a later one over an earlier one. One that comes to nothing, or to a thing that
    the element cannot hold, changes nothing and is an Issue."""
    issues: list[Issue] = []
    elsewhere: list[DynamicValue] = []
    for value in values:
        path = _OWN.sub("", value.path)
        if path not in PATHS:
            elsewhere.append(value)
            continue
        if value.expression is None:
            issues.append(_issue(action.key, value, value.problem or "it has no expression"))
            continue
        try:
            found = evaluated(value.expression, bindings, action.around)
        except EvaluationError as error:
            issues.append(_issue(action.key, value, str(error)))
            continue
        changed = _put(start, path, found[0]) if len(found) == 1 else None
        if changed is None:
            issues.append(_issue(action.key, value, "it gives nothing that fits the element"))
        else:
            start = changed
    if elsewhere:
        paths = ", ".join(value.path or "(no path)" for value in elsewhere)
        issues.append(_issue(action.key, elsewhere[0], "an activity has no such path here", paths))
    return start, tuple(issues)


def _put(filled: Filled, path: str, value: Any) -> Filled | None:
    """The activity with this value at this path, or None where it cannot hold it."""
    if path in _TEXTS:
        if not isinstance(value, str) or (path == "priority" and value not in get_args(Priority)):
            return None
        return msgspec.structs.replace(filled, **{_TEXTS[path]: value})
    if path == "code":
        return _coded(filled, value)
    if path in _DATES:
        return msgspec.structs.replace(filled, timing={"event": [value]}) if isinstance(value, str) else None
    if path.startswith("dosage."):
        first, *others = filled.dosage or ({},)
        dosage = _placed(first, path.removeprefix("dosage.").split("."), value)
        return None if dosage is None else msgspec.structs.replace(filled, dosage=(dosage, *others))
    timing = _placed(filled.timing or {}, path.split(".")[1:], value)
    return None if timing is None else msgspec.structs.replace(filled, timing=timing)


def _coded(filled: Filled, value: Any) -> Filled | None:
    if not isinstance(value, Mapping):
        return None
    codings = elements.codings(value if "coding" in value else {"coding": [value]})
    return msgspec.structs.replace(filled, codings=codings) if any(found.code for found in codings) else None


def _placed(element: Mapping[str, Any], steps: list[str], value: Any) -> Mapping[str, Any] | None:
    """The element with the value below it; `doseAndRate` repeats, and its first counts."""
    name, *rest = steps
    if not rest:
        is_number = isinstance(value, int | Decimal) and not isinstance(value, bool)
        fits = isinstance(value, str) if name in {"text", "patientInstruction"} else is_number
        return {**element, name: value} if fits else None
    held = element.get(name)
    if name == "doseAndRate":
        first, *others = held or [{}]
        below = _placed(first, rest, value)
        return None if below is None else {**element, name: [below, *others]}
    below = _placed(cast("Mapping[str, Any]", held or {}), rest, value)
    return None if below is None else {**element, name: below}


def _issue(key: str, value: DynamicValue, said: str, paths: str | None = None) -> Issue:
    return Issue(
        severity="warning",
        code="processing",
        key="planner.apply.dynamic-value",
        detail=f"Action '{key}' keeps its own {paths or value.path}: {said}.",
        expression=value.source,
        mend="Mend the dynamicValue in the protocol, or fill the element in by hand.",
    )
