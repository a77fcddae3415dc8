"""Search: a query read strictly, its matches, and their pages (http://hl7.org/fhir/R4/search.html)."""

import re
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from careplan_exchange.model.codec import decode

from .outcomes import Json, Problem, RefusalError, refusal
from .parameters import RESULT, Parameter, parameters
from .store import Condition, Store, Version
from .values import Span, keys, span_of, spans, texts, token_key

DEFAULT_PAGE = 20
LARGEST_PAGE = 1000

_PREFIX = re.compile(r"(eq|ne|gt|lt|ge|le|sa|eb)?(\d.*)")
_COMPARE: dict[str, Callable[[Span, Span], bool]] = {
    "eq": lambda own, asked: asked.low <= own.low and own.high <= asked.high,
    "ne": lambda own, asked: not (asked.low <= own.low and own.high <= asked.high),
    "gt": lambda own, asked: own.high > asked.high,
    "lt": lambda own, asked: own.low < asked.low,
    "ge": lambda own, asked: own.high > asked.high or own.low >= asked.low,
    "le": lambda own, asked: own.low < asked.low or own.high <= asked.high,
    "sa": lambda own, asked: own.low >= asked.high,
    "eb": lambda own, asked: own.high <= asked.low,
}


class Clause(msgspec.Struct, frozen=True):
    """One parameter of a query; its values are alternatives."""

    parameter: Parameter
    values: tuple[str, ...]
    negated: bool = False

    @property
    def indexed(self) -> bool:
        return self.parameter.kind not in {"date", "string"} and not self.negated

    def matches(self, body: Json, base_url: str) -> bool:
        if self.parameter.kind == "date":
            own = list(spans(self.parameter, body))
            return any(_in_time(span, value) for span in own for value in self.values)
        if self.parameter.kind == "string":
            words = list(texts(self.parameter, body))
            return any(word.startswith(value) for word in words for value in self.values)
        return keys(self.parameter, body, base_url).isdisjoint(self.values) == self.negated


class Search(msgspec.Struct, frozen=True):
    """A query that was understood. `ignored` are the parameters that a lenient client is told about."""

    type: str
    clauses: tuple[Clause, ...]
    count: int
    only_count: bool
    newest_first: bool | None
    ignored: tuple[Problem, ...]


def parse(resource_type: str, pairs: Sequence[tuple[str, str]], base_url: str, *, lenient: bool) -> Search:
    """Raises RefusalError (400) for a parameter or value that is not understood; `lenient` passes over
    parameters."""
    clauses: list[Clause] = []
    ignored: list[Problem] = []
    shape = dict.fromkeys(RESULT, "")
    for name, value in pairs:
        if not value:
            raise refusal(400, "invalid", f"The search parameter {name} has no value.")
        if name in RESULT:
            shape[name] = value
            continue
        try:
            clauses.append(_clause(resource_type, name, value, base_url))
        except RefusalError as problem:
            if not lenient or problem.problems[0].code != "not-supported":
                raise
            ignored += [msgspec.structs.replace(one, severity="warning") for one in problem.problems]
    count = _count(shape["_count"])
    return Search(
        type=resource_type,
        clauses=tuple(clauses),
        count=count,
        only_count=_summary(shape["_summary"]) or count == 0,
        newest_first=_order(shape["_sort"]),
        ignored=tuple(ignored),
    )


def found(store: Store, search: Search, base_url: str, *, stale: bool = False) -> list[Version]:
    """The matches; `stale` as they were before the last write."""
    if stale:
        candidates, clauses = store.before_last_write(search.type), search.clauses
    else:
        indexed = [clause for clause in search.clauses if clause.indexed]
        candidates = store.find(search.type, [Condition(one.parameter.name, one.values) for one in indexed])
        clauses = tuple(clause for clause in search.clauses if not clause.indexed)
    if clauses:
        bodies = ((one, decode(one.body or b"{}")) for one in candidates)
        candidates = [one for one, body in bodies if all(clause.matches(body, base_url) for clause in clauses)]
    return candidates[::-1] if search.newest_first else candidates


def _clause(resource_type: str, name: str, text: str, base_url: str) -> Clause:
    base, _, modifier = name.partition(":")
    parameter = parameters(resource_type).get(base)
    if parameter is None:
        raise refusal(400, "not-supported", f"{resource_type} has no search parameter {name} here.")
    values = _split(text)
    negated = modifier == "not" and parameter.kind == "token"
    if parameter.kind == "reference" and modifier[:1].isupper():
        values = [f"{modifier}/{value}" for value in values]
    elif modifier and not negated:
        raise refusal(400, "not-supported", f"The search parameter {name} has a modifier that is not known here.")
    return Clause(parameter, tuple(_value(parameter, value, base_url) for value in values), negated)


def _split(text: str) -> list[str]:
    return re.split(r"(?<!\\),", text)


def _unescaped(text: str) -> str:
    return re.sub(r"\\([\\,|$])", r"\1", text)


def _value(parameter: Parameter, text: str, base_url: str) -> str:
    if not text:
        raise refusal(400, "invalid", f"The search parameter {parameter.name} has an empty alternative.")
    if parameter.kind == "date":
        _asked(parameter.name, text)
        return text
    if parameter.kind == "string":
        return _unescaped(text).casefold()
    if parameter.kind == "reference":
        return _unescaped(text).removeprefix(f"{base_url}/")
    if parameter.kind == "token":
        parts = re.split(r"(?<!\\)\|", text)
        if len(parts) > 2:
            raise refusal(400, "invalid", f"A value of {parameter.name} has more than one bar.")
        system = _unescaped(parts[0]) if len(parts) == 2 else None
        return token_key(system, _unescaped(parts[-1]))
    return _unescaped(text)


def _asked(name: str, text: str) -> tuple[Callable[[Span, Span], bool], Span]:
    match = _PREFIX.fullmatch(text)
    prefix, date = (match[1] or "eq", match[2]) if match else ("", "")
    try:
        return _COMPARE[prefix], span_of(date)
    except (KeyError, ValueError):
        raise refusal(400, "invalid", f"A value of {name} is no date with a prefix that is known here.") from None


def _in_time(own: Span, value: str) -> bool:
    compare, asked = _asked("", value)
    return compare(own, asked)


def _count(text: str) -> int:
    if text and not text.isdecimal():
        raise refusal(400, "invalid", "_count is no number.")
    return min(int(text), LARGEST_PAGE) if text else DEFAULT_PAGE


def _summary(text: str) -> bool:
    if text not in {"", "count", "false"}:
        raise refusal(400, "not-supported", "_summary is supported with count and false.")
    return text == "count"


def _order(text: str) -> bool | None:
    orders: dict[str, Literal[False, True] | None] = {"": None, "_lastUpdated": False, "-_lastUpdated": True}
    if text not in orders:
        raise refusal(400, "not-supported", "_sort is supported by _lastUpdated and -_lastUpdated.")
    return orders[text]
