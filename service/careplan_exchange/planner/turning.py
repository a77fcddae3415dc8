"""What would turn a condition's answer: the smallest sets of changes of the record, each tried before it is told.

A change is an answer that a part of the condition would have to give (`%egfr >= 30` true). The parts are found by
the logic of the tree; then the whole condition is evaluated with values that give these answers, so that a change
which upsets another part of the same condition is never named.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from careplan_exchange.model.proposal import Truth

from . import phrases
from .bindings import Bindings
from .expressions import EvaluationError, Expression, alone, truth
from .intervals import Interval
from .syntax import Both, Comparison, Constant, Flag, Not, Tree

_MOST_CHANGES = 3
_MOST_WAYS = 64


class Demand(NamedTuple):
    """A part of the condition and the answer that it would have to give."""

    atom: Flag | Comparison
    answer: bool


Way = frozenset[Demand]


def turns(expression: Expression, bindings: Bindings, *, to: Truth) -> tuple[str, ...]:
    """In words, the smallest changes after which the condition answers `to` ("true" or "false"); each by itself
    is enough. Empty where it answers so already, or where no change of at most three values does it."""
    if to == "unknown" or bindings.truth(expression) == to:
        return ()
    ways = sorted(
        (_changed(way, bindings) for way in _ways(expression.tree, answer=to == "true")),
        key=lambda way: (len(way), sorted(demand.atom.source for demand in way)),
    )
    smallest: list[Way] = []
    for way in ways:
        if not way or len(way) > _MOST_CHANGES or any(kept <= way for kept in smallest):
            continue
        if _holds(expression, way, bindings, to):
            smallest.append(way)
    return tuple(_words(way, bindings) for way in smallest)


def _ways(tree: Tree, *, answer: bool) -> list[Way]:
    """Every combination of answers of the parts that gives the whole this answer."""
    if isinstance(tree, Not):
        return _ways(tree.operand, answer=not answer)
    if isinstance(tree, Both):
        return _joined(tree, answer=answer)[:_MOST_WAYS]
    if isinstance(tree, Constant):
        return [frozenset()] if tree.value == answer else []
    if isinstance(tree, Flag | Comparison):
        return [frozenset({Demand(tree, answer)})]
    return []  # what is recorded at all, and what cannot be taken apart, has no value to name


def _joined(tree: Both, *, answer: bool) -> list[Way]:
    def both(left: bool, right: bool) -> list[Way]:
        return _together(_ways(tree.left, answer=left), _ways(tree.right, answer=right))

    def either(left: bool, right: bool) -> list[Way]:
        return _ways(tree.left, answer=left) + _ways(tree.right, answer=right)

    if tree.operator == "xor":
        return both(left=True, right=not answer) + both(left=False, right=answer)
    if tree.operator == "implies":
        return either(left=False, right=True) if answer else both(left=True, right=False)
    # A true `and` and a false `or` need both sides; the others need one.
    needs_both = (tree.operator == "and") == answer
    return both(left=answer, right=answer) if needs_both else either(left=answer, right=answer)


def _together(first: list[Way], second: list[Way]) -> list[Way]:
    return [one | other for one in first for other in second][:_MOST_WAYS]


def _changed(way: Way, bindings: Bindings) -> Way:
    """Without what holds already."""
    return frozenset(
        demand for demand in way if _now(demand.atom, bindings) != ("true" if demand.answer else "false")
    )


def _now(atom: Flag | Comparison, bindings: Bindings) -> Truth:
    try:
        return bindings.truth(alone(atom))
    except EvaluationError:
        return "unknown"


class _Supposed:
    """The patient's values with some of them replaced."""

    def __init__(self, bindings: Bindings, values: Mapping[str, Any]) -> None:
        self._bindings = bindings
        self._values = values
        self.resource = bindings.resource
        self.day = bindings.day
        self.release = bindings.release
        self.budget = bindings.budget

    def value(self, variable: str) -> Any:
        return self._values[variable] if variable in self._values else self._bindings.value(variable)


def _holds(expression: Expression, way: Way, bindings: Bindings, to: Truth) -> bool:
    """Whether some values that meet these demands do give the answer."""
    chosen: dict[str, Any] = {}
    for variable in sorted({demand.atom.variable for demand in way}):
        witness = next(_witnesses(variable, way, expression), None)
        if witness is None:
            return False
        chosen[variable] = witness
    try:
        return truth(expression, _Supposed(bindings, chosen)) == to
    except EvaluationError:
        return False


def _witnesses(variable: str, way: Way, expression: Expression) -> Iterator[Any]:
    """Values of a variable that meet every demand on it."""
    demands = [demand for demand in way if demand.atom.variable == variable]
    numbers = [d.atom.literal for d in demands if isinstance(d.atom, Comparison)]
    if all(isinstance(number, Decimal) for number in numbers) and numbers:
        everything = Interval(low=None, high=None)
        candidates: list[Any] = list(everything.points(expression.thresholds.get(variable, frozenset())))
    else:
        texts = [n for n in numbers if isinstance(n, str)]
        candidates = [*texts, *([""] if texts else []), True, False]
    for candidate in candidates:
        if all(_meets(candidate, demand) for demand in demands):
            yield candidate


def _meets(value: Any, demand: Demand) -> bool:
    atom = demand.atom
    if isinstance(atom, Flag):
        return value is demand.answer
    literal: Any = atom.literal
    if type(value) is not type(literal):
        return False
    found = {
        "=": value == literal,
        "!=": value != literal,
        ">": not isinstance(value, str) and value > literal,
        ">=": not isinstance(value, str) and value >= literal,
        "<": not isinstance(value, str) and value < literal,
        "<=": not isinstance(value, str) and value <= literal,
    }
    return found[atom.operator] is demand.answer


def _words(way: Way, bindings: Bindings) -> str:
    ordered = sorted(way, key=lambda demand: demand.atom.source)
    return " and ".join(_demand(demand, bindings) for demand in ordered)


def _demand(demand: Demand, bindings: Bindings) -> str:
    """`estimated glomerular filtration rate at or above 30 mL/min/1.73 m2 (now 22 …)`."""
    atom = demand.atom
    binding = bindings.binding(atom.variable)
    title = phrases.inline(binding.title)
    if isinstance(atom, Flag):
        wanted = "present" if demand.answer else "absent"
        return f"{title} {wanted} (now {binding.shown})"
    literal = atom.literal
    if isinstance(literal, bool):
        wanted = "present" if (literal == (atom.operator == "=")) == demand.answer else "absent"
        return f"{title} {wanted} (now {binding.shown})"
    limit = literal if isinstance(literal, str) else phrases.quantity(literal, bindings.unit(atom.variable))
    wanted = phrases.bound(atom.operator, limit, holds=demand.answer)
    return f"{title} {wanted} (now {binding.shown})"
