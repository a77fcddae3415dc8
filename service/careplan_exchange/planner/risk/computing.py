"""One equation over one patient's variables. Full precision is kept; nothing is clamped, nothing imputed."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Protocol

import msgspec

from careplan_exchange.model.proposal import Truth
from careplan_exchange.model.risk import RiskState
from careplan_exchange.planner.expressions import Expression, compiled
from careplan_exchange.planner.intervals import Interval

from .models import Logistic, Model, Term

_PERCENT = 100


class Variables(Protocol):
    """The patient's variables, as bindings.Bindings has them."""

    def value(self, variable: str) -> Any:
        """A value, an Interval, or None for unknown."""
        ...

    def truth(self, expression: Expression) -> Truth:
        """True, false or unknown."""
        ...


class Worked(msgspec.Struct, frozen=True, kw_only=True):
    """`value` at full precision, or a range where points may be missing. `reasons` as in model.risk. `used` names
    the variables that were looked at."""

    state: RiskState
    value: Decimal | Interval | None
    reasons: tuple[str, ...]
    used: tuple[str, ...]


def work_out(model: Model, values: Variables) -> Worked:
    """The result within the model's validity. Raises EvaluationError where an expression of the model fails."""
    used = variables_of(model)
    barred = [
        f"excluded:{name}"
        for exclusion in model.excluded
        if values.truth(compiled(exclusion.when)) in _bars(exclusion.unknown)
        for name in _naming(exclusion.when, values)
    ]
    if barred:
        return Worked(state="excluded", value=None, reasons=tuple(dict.fromkeys(barred)), used=used)
    if model.points:
        return _points(model, values, used)
    numbers, missing, outside = _numbers(model, values)
    if outside:
        return Worked(state="out-of-range", value=None, reasons=tuple(outside), used=used)
    if missing:
        return Worked(state="unknown", value=None, reasons=tuple(missing), used=used)
    found = _formula(model, values)(numbers)
    if found is None or not math.isfinite(found):
        return Worked(state="unknown", value=None, reasons=("range:result",), used=used)
    return Worked(state="computed", value=Decimal(repr(found)), reasons=(), used=used)


def _bars(unknown: str) -> frozenset[Truth]:
    return frozenset({"true", "unknown"} if unknown == "excludes" else {"true"})


def _naming(source: str, values: Variables) -> Iterator[str]:
    """The variables on which an exclusion rests: those that are there, else all that are not known."""
    names = compiled(source).variables
    there = [name for name in names if values.value(name) is True]
    yield from there or [name for name in names if values.value(name) is None] or names


def variables_of(model: Model) -> tuple[str, ...]:
    """Every variable that the result itself hangs on."""
    found: list[str] = []
    if model.logistic is not None:
        found += ["sex"]
        for term in _needed_terms(model.logistic).values():
            found += [part.of for part in term.sum]
            found += list(compiled(term.flag).variables) if term.flag else []
    if model.product is not None:
        found += [power.of for power in model.product.powers]
    for point in model.points:
        found += compiled(point.when).variables
    return tuple(dict.fromkeys(found))


def _needed_terms(logistic: Logistic) -> Mapping[str, Term]:
    """The terms whose column is not empty for either sex."""
    rows = zip(columns_of(logistic), logistic.female, logistic.male, strict=True)
    names = {name for names, female, male in rows if female or male for name in names}
    return {name: term for name, term in logistic.terms.items() if name in names}


def columns_of(logistic: Logistic) -> tuple[tuple[str, ...], ...]:
    """The terms of each column; none for the constant."""
    return tuple(() if word == "1" else tuple(word.split("*")) for word in logistic.columns.split())


def _numbers(model: Model, values: Variables) -> tuple[dict[str, float], list[str], list[str]]:
    """What is known exactly, what is missing, and what lies outside the model's range."""
    numbers: dict[str, float] = {}
    missing: list[str] = []
    outside: list[str] = []
    for name in variables_of(model):
        value = values.value(name)
        if isinstance(value, Decimal):
            bounds = model.ranges.get(name)
            if bounds is not None and not bounds.low <= value <= bounds.high:
                outside.append(f"range:{name}")
            numbers[name] = float(value)
        elif isinstance(value, Interval) or (value is None and name not in _flagged(model)):
            missing.append(f"missing:{name}")
    if model.logistic is not None:
        if values.value("sex") not in {"female", "male"}:
            missing.append("missing:sex")
        for term in _needed_terms(model.logistic).values():
            if term.flag and values.truth(compiled(term.flag)) == "unknown":
                names = [name for name in compiled(term.flag).variables if values.value(name) is None]
                missing += [f"missing:{name}" for name in names]
    return numbers, list(dict.fromkeys(missing)), outside


def _flagged(model: Model) -> frozenset[str]:
    """Variables that only flags look at: one of several may be unknown and the flag known all the same."""
    if model.logistic is None:
        return frozenset()
    terms = model.logistic.terms.values()
    return frozenset(name for term in terms if term.flag for name in compiled(term.flag).variables)


def _formula(model: Model, values: Variables) -> Callable[[Mapping[str, float]], float | None]:
    if model.logistic is not None:
        row = model.logistic.female if values.value("sex") == "female" else model.logistic.male
        logistic = model.logistic
        return lambda numbers: _logistic(logistic, row, numbers, values)
    return lambda numbers: _product(model, numbers)


def _logistic(
    logistic: Logistic, row: Iterable[Decimal], numbers: Mapping[str, float], values: Variables
) -> float:
    terms = {name: _term(term, numbers, values) for name, term in _needed_terms(logistic).items()}
    predictor = sum(
        float(coefficient) * math.prod(terms[name] for name in names)
        for names, coefficient in zip(columns_of(logistic), row, strict=True)
        if coefficient
    )
    return _PERCENT / (1 + math.exp(-predictor))


def _term(term: Term, numbers: Mapping[str, float], values: Variables) -> float:
    if term.flag is not None:
        return 1.0 if values.truth(compiled(term.flag)) == "true" else 0.0
    total = float(term.plus)
    for part in term.sum:
        value = numbers[part.of]
        if part.at_most is not None:
            value = min(value, float(part.at_most))
        if part.at_least is not None:
            value = max(value, float(part.at_least))
        total += value * float(part.times)
    return total / float(term.divided_by)


def _product(model: Model, numbers: Mapping[str, float]) -> float | None:
    product = model.product
    if product is None or any(numbers[one.of] <= 0 for one in product.powers):
        return None
    return float(product.constant) * math.prod(math.pow(numbers[one.of], one.power) for one in product.powers)


def _points(model: Model, values: Variables, used: tuple[str, ...]) -> Worked:
    """The sum of what is known; where something that could add to it is not known, a range."""
    low = high = 0
    open_: list[str] = []
    for point in model.points:
        expression = compiled(point.when)
        match values.truth(expression):
            case "true":
                low, high = low + point.points, high + point.points
            case "unknown":
                high += point.points
                open_ += [f"missing:{name}" for name in expression.variables if values.value(name) is None]
    if low == high:
        return Worked(state="computed", value=Decimal(low), reasons=(), used=used)
    return Worked(
        state="at-least",
        value=Interval(low=Decimal(low), high=Decimal(high)),
        reasons=tuple(dict.fromkeys(open_)),
        used=used,
    )
