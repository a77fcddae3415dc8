"""FHIRPath with a third answer: true, false, or unknown because something is not in the record.

An empty collection is unknown, and goes through `and`, `or`, `xor`, `implies`, `not()` and the comparisons as
the specification has it (http://hl7.org/fhirpath/N1/#boolean-logic; tests/unit/planner hold every cell of the
tables); `exists()`, `empty()`, `iif()` and `~` turn it into an answer, which is why the lint asks where they
stand.

A condition that compares variables with literals is worked out here, everything else by fhirpathpy
(`fhirpath.py`). The tests hold both to the same answers.
"""

import operator
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from functools import lru_cache
from itertools import product
from math import prod
from typing import Any, Protocol

import msgspec

from careplan_exchange.model.proposal import Truth

from .fhirpath import Budget, ExpressionRefusedError, run
from .intervals import Interval
from .syntax import (
    Atom,
    Both,
    Comparison,
    Constant,
    Flag,
    Not,
    Opaque,
    Presence,
    Tree,
    atoms,
    functions,
    parse,
    variables,
    walks_entries,
)

RECORD = "resource.entry"
"""What is asked of Values for `%resource` where the path goes on with `.entry`: the record as a Bundle."""

_MOST_COMBINATIONS = 4096
_COMPARED: Mapping[str, Callable[[Decimal, Decimal], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    "!=": operator.ne,
}


class EvaluationError(Exception):
    """The expression cannot be evaluated, or does not come to a boolean. The message holds no patient's value."""


class Expression(msgspec.Struct, frozen=True):
    """One compiled expression. `thresholds` are the numbers that each variable is compared with; where they
    lack a variable it may be used in another way, and a range of its values cannot be reasoned about.
    `walks_entries`: its `%resource` is a Bundle (see syntax.walks_entries). What fhirpathpy evaluates is parsed
    anew in a process that needs it: most conditions are worked out by their tree."""

    source: str
    tree: Tree
    variables: tuple[str, ...]
    functions: tuple[str, ...]
    thresholds: Mapping[str, frozenset[Decimal]]
    walks_entries: bool = False


class Values(Protocol):
    """What the expression's variables hold."""

    def value(self, variable: str) -> Any:
        """A plain value, an Interval, or None for unknown. Raises EvaluationError for a name that is none."""
        ...

    @property
    def resource(self) -> Mapping[str, Any]:
        """The root that paths without a variable start from."""
        ...

    @property
    def day(self) -> date:
        """What `today()` is."""
        ...

    @property
    def release(self) -> str:
        """The FHIR release of `resource`, "R4" or "R5"."""
        ...

    @property
    def budget(self) -> Budget:
        """How much work may still be done for this patient."""
        ...


_parsed = lru_cache(maxsize=4096)(parse)


@lru_cache(maxsize=4096)
def compiled(source: str) -> Expression:
    """Parse once. Raises SyntaxProblemError."""
    ast, tree = _parsed(source)
    return Expression(
        source=source,
        tree=tree,
        variables=variables(ast),
        functions=functions(ast),
        thresholds=_thresholds(tuple(atoms(tree))),
        walks_entries=walks_entries(ast),
    )


def alone(atom: Atom) -> Expression:
    """What `compiled` makes of the atom's own text, for what is taken apart without asking the parser.
    Raises SyntaxProblemError."""
    return compiled(atom.source) if isinstance(atom, Opaque) else _alone(atom.source, atom)


@lru_cache(maxsize=4096)
def _alone(source: str, atom: Flag | Comparison | Presence | Constant) -> Expression:
    """Kept by the text as well: to be equal to 1 and to be equal to `true` are the same atom to Python."""
    return Expression(
        source=source,
        tree=atom,
        variables=() if isinstance(atom, Constant) else (atom.variable,),
        functions=(atom.function,) if isinstance(atom, Presence) else (),
        thresholds=_thresholds((atom,)),
    )


def _thresholds(parts: tuple[Atom, ...]) -> Mapping[str, frozenset[Decimal]]:
    found: dict[str, set[Decimal]] = {}
    for part in () if any(isinstance(part, Opaque) for part in parts) else parts:
        if isinstance(part, Comparison | Flag | Presence):
            limits = found.setdefault(part.variable, set())
            if isinstance(part, Comparison) and isinstance(part.literal, Decimal):
                limits.add(part.literal)
    return {name: frozenset(limits) for name, limits in found.items()}


def truth(expression: Expression, values: Values) -> Truth:
    """True or false only if every value that the variables may have agrees, otherwise unknown.

    Raises EvaluationError where the expression fails or gives something that is no boolean.
    """
    context: dict[str, Any] = {}
    ranges: dict[str, tuple[Decimal, ...]] = {}
    for name in expression.variables:
        value = _value(name, expression, values)
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


def evaluated(
    expression: Expression, values: Values, around: Mapping[str, Mapping[str, Any]] | None = None
) -> list[Any]:
    """The collection that the expression gives, for `dynamicValue`. A range counts as unknown here. `around` are
    variables of the place where it stands (`%action`), before those of the patient.

    Raises EvaluationError.
    """
    known = around or {}
    found = {
        name: known[name] if name in known else _value(name, expression, values) for name in expression.variables
    }
    context = {n: [] if v is None or isinstance(v, Interval) else [v] for n, v in found.items()}
    return _run(expression, values, context)


def _value(name: str, expression: Expression, values: Values) -> Any:
    return values.value(RECORD if name == "resource" and expression.walks_entries else name)


def _once(expression: Expression, values: Values, context: dict[str, Any]) -> Truth:
    if (known := _decided(expression.tree, context)) is not None:
        return known
    match _run(expression, values, context):
        case []:
            return "unknown"
        case [True]:
            return "true"
        case [False]:
            return "false"
    raise EvaluationError("it does not come to true or false")


def _decided(tree: Tree, context: Mapping[str, list[Any]]) -> Truth | None:
    """The answer by Kleene's tables, or None where a part is more than a comparison of two values of one kind."""
    if isinstance(tree, Not):
        inner = _decided(tree.operand, context)
        return None if inner is None else _NOT[inner]
    if isinstance(tree, Both):
        one, other = _decided(tree.left, context), _decided(tree.right, context)
        return None if one is None or other is None else _join(tree.operator, one, other)
    return _decided_alone(tree, context)


def _decided_alone(part: Atom, context: Mapping[str, list[Any]]) -> Truth | None:
    match part:
        case Constant(value=value):
            return _TRUTHS[value]
        case Presence(variable=variable, function=function):
            return _TRUTHS[bool(context[variable]) is (function == "exists")]
        case Flag(variable=variable):
            return _flag(context[variable])
        case Comparison(variable=variable, operator=symbol, literal=literal):
            return _compare(context[variable], symbol, literal)
    return None


_TRUTHS: Mapping[bool, Truth] = {True: "true", False: "false"}
_NOT: Mapping[Truth, Truth] = {"true": "false", "false": "true", "unknown": "unknown"}


def _flag(held: list[Any]) -> Truth | None:
    if not held:
        return "unknown"
    return _TRUTHS[held[0]] if isinstance(held[0], bool) else None


def _compare(held: list[Any], symbol: str, literal: Decimal | str | bool) -> Truth | None:  # the literal itself
    if not held:
        return "unknown"
    value = held[0]
    if isinstance(literal, Decimal) and isinstance(value, Decimal):
        return _TRUTHS[_COMPARED[symbol](value, literal)]
    alike = (isinstance(literal, bool) and isinstance(value, bool)) or (
        isinstance(literal, str) and isinstance(value, str) and "\\" not in literal
    )
    return _TRUTHS[(value == literal) is (symbol == "=")] if alike and symbol in {"=", "!="} else None


def _join(joined: str, one: Truth, other: Truth) -> Truth:
    if joined == "implies":
        return _join("or", _NOT[one], other)
    if joined == "xor":
        return "unknown" if "unknown" in {one, other} else _TRUTHS[one != other]
    decisive: Truth = "false" if joined == "and" else "true"
    if decisive in {one, other}:
        return decisive
    return "unknown" if "unknown" in {one, other} else _NOT[decisive]


def _run(expression: Expression, values: Values, context: dict[str, Any]) -> list[Any]:
    allowed = values.budget.part()
    try:
        return run(
            _parsed(expression.source)[0],
            values.resource,
            context,
            day=values.day,
            release=values.release,
            budget=allowed,
        )
    except ExpressionRefusedError as refusal:
        raise EvaluationError(str(refusal)) from None
    except Exception as error:  # noqa: BLE001 # fhirpathpy raises bare Exceptions
        # Their text may hold a patient's value: only their kind is passed on.
        raise EvaluationError(f"it fails with {type(error).__name__}") from None
    finally:
        values.budget.settle(allowed)
