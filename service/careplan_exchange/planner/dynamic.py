"""`dynamicValue`: elements of an activity that an expression fills in for this patient."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, get_args

import msgspec

from careplan_exchange.model.issue import Issue

from .bindings import Bindings
from .expressions import EvaluationError, evaluated
from .protocol import DynamicValue, Priority

_TEXTS = ("title", "description", "priority")
_TIMINGS = ("timing", "timingTiming", "occurrenceTiming")
_NUMBERS = ("frequency", "frequencyMax", "period", "periodMax", "count", "countMax", "duration", "durationMax")
PATHS = frozenset({*_TEXTS, *(f"{timing}.repeat.{number}" for timing in _TIMINGS for number in _NUMBERS)})
"""Every path that a dynamicValue may fill."""


class Filled(msgspec.Struct, frozen=True, kw_only=True):
    """What the expressions may change of an activity, before and after."""

    title: str
    description: str
    priority: Priority
    timing: Mapping[str, Any] | None


def fill(
    start: Filled, values: Iterable[DynamicValue], key: str, bindings: Bindings
) -> tuple[Filled, tuple[Issue, ...]]:
    """Each value in its order, a later one over an earlier one. One that comes to nothing, or to a thing that
    the element cannot hold, changes nothing and is an Issue."""
    issues: list[Issue] = []
    for value in values:
        if value.path not in PATHS:
            issues.append(_issue(key, value, "the path is not one that an activity has here"))
            continue
        if value.expression is None:
            issues.append(_issue(key, value, value.problem or "it has no expression"))
            continue
        try:
            found = evaluated(value.expression, bindings)
        except EvaluationError as error:
            issues.append(_issue(key, value, str(error)))
            continue
        changed = _put(start, value.path, found[0]) if len(found) == 1 else None
        if changed is None:
            issues.append(_issue(key, value, "it gives nothing that fits the element"))
        else:
            start = changed
    return start, tuple(issues)


def _put(filled: Filled, path: str, value: Any) -> Filled | None:
    if path in _TEXTS:
        if not isinstance(value, str) or (path == "priority" and value not in get_args(Priority)):
            return None
        return msgspec.structs.replace(filled, **{path: value})
    if not isinstance(value, int | Decimal) or isinstance(value, bool):
        return None
    timing = filled.timing or {}
    repeat = {**timing.get("repeat", {}), path.rsplit(".", 1)[-1]: value}
    return msgspec.structs.replace(filled, timing={**timing, "repeat": repeat})


def _issue(key: str, value: DynamicValue, said: str) -> Issue:
    return Issue(
        severity="warning",
        code="processing",
        key="planner.apply.dynamic-value",
        detail=f"Action '{key}' keeps its own {value.path}: {said}.",
        expression=value.source,
        mend="Mend the dynamicValue in the protocol, or fill the element in by hand.",
    )
