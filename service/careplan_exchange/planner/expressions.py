"""FHIRPath with a third answer: true, false, or unknown because something is not in the record.

An empty collection is unknown. fhirpathpy carries it through `and`, `or`, `xor`, `implies`, `not()` and the
comparisons as the specification has it (http://hl7.org/fhirpath/N1/#boolean-logic; tests/unit/planner hold
every cell of the tables); `exists()`, `empty()`, `iif()` and `~` turn it into an answer, which is why the lint
asks where they stand.
"""

from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from itertools import product
from math import prod
from typing import Any, Protocol

import msgspec
from fhirpathpy import apply_parsed_path
from fhirpathpy.models import models

from careplan_exchange.model.proposal import Truth

from .intervals import Interval
from .syntax import Ast, Comparison, Flag, Opaque, Presence, Tree, atoms, functions, parse, variables

_R4 = models["r4"]
_MOST_COMBINATIONS = 4096


class EvaluationError(Exception):
    """The expression cannot be evaluated, or does not come to a boolean. The message holds no patient's value."""


class Expression(msgspec.Struct, frozen=True):
    """One compiled expression. `thresholds` are the numbers that each variable is compared with; where they
    lack a variable it may be used in another way, and a range of its values cannot be reasoned about."""

    source: str
    ast: Ast
    tree: Tree
    variables: tuple[str, ...]
    functions: tuple[str, ...]
    thresholds: Mapping[str, frozenset[Decimal]]


class Values(Protocol):
    """What the expression's variables hold."""

    def value(self, variable: str) -> Any:
        """A plain value, an Interval, or None for unknown. Raises EvaluationError for a name that is none."""
        ...

    @property
    def resource(self) -> Mapping[str, Any]:
        """The root that paths without a variable start from."""
        ...


@lru_cache(maxsize=4096)
def compiled(source: str) -> Expression:
    """Parse once. Raises SyntaxProblemError."""
    ast, tree = parse(source)
    parts = tuple(atoms(tree))
    thresholds: dict[str, set[Decimal]] = {}
    for part in () if any(isinstance(part, Opaque) for part in parts) else parts:
        if isinstance(part, Comparison | Flag | Presence):
            found = thresholds.setdefault(part.variable, set())
            if isinstance(part, Comparison) and isinstance(part.literal, Decimal):
                found.add(part.literal)
    return Expression(
        source=source,
        ast=ast,
        tree=tree,
        variables=variables(ast),
        functions=functions(ast),
        thresholds={name: frozenset(found) for name, found in thresholds.items()},
    )


def truth(expression: Expression, values: Values) -> Truth:
    """True or false only if every value that the variables may have agrees, otherwise unknown.

    Raises EvaluationError where the expression fails or gives something that is no boolean.
    """
    context: dict[str, Any] = {}
    ranges: dict[str, tuple[Decimal, ...]] = {}
    for name in expression.variables:
        value = values.value(name)
        if isinstance(value, Interval):
            thresholds = expression.thresholds.get(name)
            points = () if thresholds is None else value.points(thresholds)
            if not points:
                return "unknown"
            ranges[name] = points
        else:
            context[name] = [] if value is None else [value]
    if prod(len(points) for points in ranges.values()) > _MOST_COMBINATIONS:
        return "unknown"
    answers: set[Truth] = set()
    for combination in product(*ranges.values()):
        chosen = {name: [value] for name, value in zip(ranges, combination, strict=True)}
        answers.add(_once(expression, values, context | chosen))
        if len(answers) > 1:
            return "unknown"
    return answers.pop()


def evaluated(expression: Expression, values: Values) -> list[Any]:
    """The collection that the expression gives, for `dynamicValue`. A range counts as unknown here.

    Raises EvaluationError.
    """
    found = {name: values.value(name) for name in expression.variables}
    context = {n: [] if v is None or isinstance(v, Interval) else [v] for n, v in found.items()}
    return _run(expression, values, context)


def _once(expression: Expression, values: Values, context: dict[str, Any]) -> Truth:
    match _run(expression, values, context):
        case []:
            return "unknown"
        case [True]:
            return "true"
        case [False]:
            return "false"
    raise EvaluationError("it does not come to true or false")


def _run(expression: Expression, values: Values, context: dict[str, Any]) -> list[Any]:
    try:
        answer: list[Any] = apply_parsed_path(values.resource, expression.ast, context, _R4)  # type: ignore[no-untyped-call] # fhirpathpy ships no types
    except Exception as error:  # noqa: BLE001 # fhirpathpy raises bare Exceptions
        # Their text may hold a patient's value: only their kind is passed on.
        raise EvaluationError(f"it fails with {type(error).__name__}") from None
    return answer
