"""fhirpathpy behind one door: on a given day, within a budget, and without what a library must not do here.

A plan from elsewhere may hold any FHIRPath. What this module adds:

- `today()` and `now()` are the day of the plan: nothing here reads a clock. `timeOfDay()` is refused.
- Every step and every element that a function takes or gives is counted against a `Budget`. The count is the
  same on every machine, a clock's is not.
- `where`, `select`, `all`, `exists`, `repeat`, `children`, `descendants` run in linear time, give `$this` back as
  they found it, and evaluate their argument once an element. `distinct` and its kin know equal elements.
- `trace()` writes nothing: a patient's values belong in no log.
"""

import json
import re
from collections import deque
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from functools import wraps
from math import prod
from typing import Any

from fhirpathpy.engine import do_eval
from fhirpathpy.engine.invocations import invocation_registry
from fhirpathpy.engine.invocations.navigation import create_reduce_children
from fhirpathpy.engine.nodes import FP_DateTime, ResourceNode, TypeInfo
from fhirpathpy.models import models

MOST_STEPS = 500_000
"""For one expression."""
MOST_STEPS_FOR_A_PATIENT = 6 * MOST_STEPS
"""For all that is planned for one patient in one run."""
_LONGEST_PATTERN = 200
_LARGEST_EXPONENT = 1000
_REPEATED_GROUP = re.compile(r"\)[*+{?]")
_OPEN_QUANTIFIER = re.compile(r"[*+]|\{\d*,\d*\}")

Function = Callable[..., Any]
_REGISTRY: Mapping[str, Any] = invocation_registry


class ExpressionRefusedError(Exception):
    """The expression asks for more than it may; the message says of what, and holds no patient's value."""


class Budget:
    """How much work may still be done: `part` of it for one expression, which is settled when it is through."""

    def __init__(self, steps: int = MOST_STEPS_FOR_A_PATIENT) -> None:
        self.left = steps
        self.given = steps

    def part(self) -> "Budget":
        return Budget(min(MOST_STEPS, self.left))

    def settle(self, part: "Budget") -> None:
        self.left = max(self.left - (part.given - max(part.left, 0)), 0)

    def spend(self, steps: int) -> None:
        """Raises ExpressionRefusedError where nothing is left."""
        self.left -= steps
        if self.left < 0:
            raise ExpressionRefusedError("it takes more steps than are allowed")


class Root(ResourceNode):
    """A resource that paths may start from: typed, so that `$this is Patient` holds, and found by its name, so
    that `Patient.active` does."""

    def __getitem__(self, name: str) -> Any:
        return self.data.get(name)


class _Context(dict[str, Any]):
    """What fhirpathpy looks things up in at every step; so it is where the steps are counted."""

    def __init__(self, budget: Budget, content: Mapping[str, Any]) -> None:
        super().__init__(content)
        self.budget = budget

    def __getitem__(self, name: str) -> Any:
        self.budget.spend(1)
        return super().__getitem__(name)


def run(
    ast: Mapping[str, Any],
    root: Mapping[str, Any],
    variables: Mapping[str, Any],
    *,
    day: date,
    release: str,
    budget: Budget,
) -> list[Any]:
    """The collection that the parsed expression gives, as plain values.

    A variable that is a resource (a mapping with a resourceType) is typed as one. Raises ExpressionRefusedError,
    and whatever fhirpathpy raises.
    """
    model = models["r5" if release == "R5" else "r4"]  # it has none of R4B, which has the shape of R4
    TypeInfo.model = model  # type: ignore[assignment] # fhirpathpy sets it itself, but only once an `is` was met
    start = [_typed(root)]
    shown = {"context": start, "ucum": "http://unitsofmeasure.org"}
    shown |= {name: _typed(value) for name, value in variables.items()}
    context = _Context(
        budget,
        {
            "dataRoot": start,
            "$this": start,
            "vars": shown,
            "model": model,
            "userInvocationTable": _TABLE,
            "day": day,
        },
    )
    found = do_eval(context, start, ast["children"][0])  # type: ignore[no-untyped-call] # ships no types
    return [_data(value) for value in _list(found)]


def _typed(value: Any) -> Any:
    if isinstance(value, list):
        return [_typed(item) for item in value]
    is_resource = isinstance(value, Mapping) and "resourceType" in value
    return Root(value, None) if is_resource else value  # type: ignore[no-untyped-call] # see above


def _data(value: Any) -> Any:
    """The plain value of a node."""
    found = value.data if isinstance(value, ResourceNode) else value
    return Decimal(str(found)) if isinstance(found, float) else found


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _counted(function: Function, *, every_pair: bool = False) -> Function:
    """The function with what it takes and gives counted, and with `$this` as it was before."""

    @wraps(function)
    def counted(context: _Context, *arguments: Any) -> Any:
        sizes = [_size(argument) for argument in arguments]
        context.budget.spend(prod(size + 1 for size in sizes) if every_pair else sum(sizes))
        this = context.get("$this")
        found = function(context, *arguments)
        context["$this"] = this
        context.budget.spend(_size(found))
        return found

    return counted


def _size(value: Any) -> int:
    """Elements of a collection, characters of a text, bits of a number."""
    if isinstance(value, list):
        return len(value) + sum(_size(item) for item in value if isinstance(item, str))
    if isinstance(value, str):
        return len(value)
    return value.bit_length() if isinstance(value, int) else 1


def _where(context: _Context, data: list[Any], criteria: Function) -> list[Any]:
    found = []
    for index, element in enumerate(data):
        context["$index"] = index
        answer = criteria(element)
        if answer and _data(answer[0]) is True:
            found.append(element)
    return found


def _select(context: _Context, data: list[Any], projection: Function) -> list[Any]:
    found: list[Any] = []
    for index, element in enumerate(data):
        context["$index"] = index
        given = projection(element)
        context.budget.spend(len(given))
        found.extend(given)
    return found


def _exists(context: _Context, data: list[Any], criteria: Function | None = None) -> bool:
    return bool(data if criteria is None else _where(context, data, criteria))


def _all(context: _Context, data: list[Any], criteria: Function) -> bool:
    return len(_where(context, data, criteria)) == len(data)


def _repeat(context: _Context, data: list[Any], projection: Function) -> list[Any]:
    found: list[Any] = []
    waiting = deque(data)
    seen: set[str] = set()
    while waiting:
        given = projection(waiting.popleft())
        context.budget.spend(1 + _size(given))
        for element in given:
            if (same := _same(element)) not in seen:
                seen.add(same)
                found.append(element)
                waiting.append(element)
    return found


def _children(context: _Context, data: list[Any], *, extensions_too: bool = False) -> list[Any]:
    below = create_reduce_children(context, not extensions_too)  # type: ignore[no-untyped-call] # ships no types
    found: list[Any] = []
    for element in data:
        given = below([], element)
        context.budget.spend(1 + len(given))
        found.extend(given)
    return found


def _descendants(context: _Context, data: list[Any]) -> list[Any]:
    found: list[Any] = []
    level = _children(context, data, extensions_too=True)
    while level:
        found.extend(level)
        level = _children(context, level, extensions_too=True)
    return found


def _same(element: Any) -> str:
    """Equal elements, equal text."""
    return json.dumps(_data(element), sort_keys=True, default=str)


def _distinct(_context: _Context, data: list[Any]) -> list[Any]:
    found: dict[str, Any] = {}
    for element in data:
        found.setdefault(_same(element), element)
    return list(found.values())


def _is_distinct(context: _Context, data: list[Any]) -> bool:
    return len(_distinct(context, data)) == len(data)


def _union(context: _Context, left: Any, right: Any) -> list[Any]:
    return _distinct(context, [*_list(left), *_list(right)])


def _intersect(context: _Context, left: Any, right: Any) -> list[Any]:
    other = {_same(element) for element in _list(right)}
    return [element for element in _distinct(context, _list(left)) if _same(element) in other]


def _exclude(_context: _Context, left: Any, right: Any) -> list[Any]:
    other = {_same(element) for element in _list(right)}
    return [element for element in _list(left) if _same(element) not in other]


def _matching(function: Function) -> Function:
    """A regular expression can take time without end on a short text: only patterns whose cost is known before
    are run. No group may be repeated; each `*` and `+` multiplies the cost by the length of the text."""

    @wraps(function)
    def bounded(context: _Context, text: Any, pattern: Any, *more: Any) -> Any:
        if isinstance(pattern, str):
            if len(pattern) > _LONGEST_PATTERN or _REPEATED_GROUP.search(pattern):
                raise ExpressionRefusedError("its regular expression may take time without end")
            length = max((len(str(_data(one))) for one in _list(text)), default=0) + 1
            context.budget.spend(length ** (len(_OPEN_QUANTIFIER.findall(pattern)) + 1))
        return function(context, text, pattern, *more)

    return bounded


def _today(context: _Context, _data: Any) -> str:
    return str(FP_DateTime(context["day"].isoformat()))  # type: ignore[no-untyped-call] # ships no types


def _now(context: _Context, _data: Any) -> str:
    """The last second of the day: all that is recorded of it has happened."""
    return str(FP_DateTime(f"{context['day'].isoformat()}T23:59:59Z"))  # type: ignore[no-untyped-call] # see above


def _no_time(_context: _Context, _data: Any) -> Any:
    raise ExpressionRefusedError("a plan has a day and no time of day")


def trace_fn(_context: _Context, data: Any, *_name: Any) -> Any:
    """Under this name: fhirpathpy looks at it to find out how many parameters to evaluate."""
    return data


def _power(context: _Context, base: Any, exponent: Any) -> Any:
    wanted = _data(exponent[0] if isinstance(exponent, list) and exponent else exponent)
    if isinstance(wanted, list) or abs(wanted) > _LARGEST_EXPONENT:
        raise ExpressionRefusedError("its exponent is too large")
    return _original("power")(context, base, exponent)


def _round(context: _Context, number: Any, digits: Any) -> Any:
    if not isinstance(digits, list) and abs(_data(digits)) > _LARGEST_EXPONENT:
        raise ExpressionRefusedError("it rounds to too many digits")
    return _original("round")(context, number, digits)


def _original(name: str) -> Function:
    function: Function = _REGISTRY[name]["fn"]
    return function


_OURS: Mapping[str, Function] = {
    "where": _where,
    "select": _select,
    "exists": _exists,
    "all": _all,
    "repeat": _repeat,
    "children": _children,
    "descendants": _descendants,
    "distinct": _distinct,
    "isDistinct": _is_distinct,
    "union": _union,
    "|": _union,
    "intersect": _intersect,
    "exclude": _exclude,
    "matches": _matching(_original("matches")),
    "replaceMatches": _matching(_original("replaceMatches")),
    "today": _today,
    "now": _now,
    "timeOfDay": _no_time,
    "trace": trace_fn,
    "power": _power,
    "round": _round,
}
_EVERY_PAIR = frozenset({"subsetOf", "supersetOf", "containsOp", "inOp", "=", "!=", "~", "!~"})


def _table() -> dict[str, dict[str, Any]]:
    return {
        name: {**entry, "fn": _counted(_OURS.get(name, entry["fn"]), every_pair=name in _EVERY_PAIR)}
        for name, entry in _REGISTRY.items()
    }


_TABLE = _table()
"""Every function of fhirpathpy, counted, with ours in place of some."""
