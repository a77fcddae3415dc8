"""Search: a query read strictly, its matches, and their pages (http://hl7.org/fhir/R4/search.html)."""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

import msgspec

from careplan_exchange.model.codec import decode
from careplan_exchange.model.record import FhirRelease

from .calls import Call
from .outcomes import Json, Problem, RefusalError, refusal
from .parameters import RESULT, Parameter, parameters
from .shaping import LARGEST_PAGE, Shape
from .store import Condition, Store, Version
from .values import Span, keys, span_of, spans, texts, token_key

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

    @property
    def of_the_version(self) -> bool:
        """Whether the store knows the answer without the resource."""
        return self.parameter.name == "_lastUpdated"

    def covers(self, own: Span) -> bool:
        return any(_in_time(own, value) for value in self.values)

    def matches(self, body: Json, base_url: str) -> bool:
        if self.parameter.kind == "date":
            return any(self.covers(own) for own in spans(self.parameter, body))
        if self.parameter.kind == "string":
            words = list(texts(self.parameter, body))
            return any(word.startswith(value) for word in words for value in self.values)
        return keys(self.parameter, body, base_url).isdisjoint(self.values) == self.negated


class Search(msgspec.Struct, frozen=True):
    """A query that was understood. `ignored` are the parameters that a lenient client is told about."""

    type: str
    clauses: tuple[Clause, ...]
    shape: Shape
    ignored: tuple[Problem, ...]


def parse(call: Call, resource_type: str, release: FhirRelease) -> Search:
    """Raises RefusalError (400) for a parameter or value that is not understood; a lenient client has its
    parameters passed over."""
    clauses: list[Clause] = []
    ignored: list[Problem] = []
    shape = Shape()
    for name, value in call.pairs:
        if not value:
            raise refusal(400, "invalid", f"The search parameter {name} has no value.")
        try:
            if name.partition(":")[0] in RESULT:
                shape = shape.changed(name, value, resource_type, release)
            else:
                clauses.append(_clause(resource_type, name, value, call.base_url))
        except RefusalError as problem:
            if not call.lenient or problem.problems[0].code != "not-supported":
                raise
            ignored += [msgspec.structs.replace(one, severity="warning") for one in problem.problems]
    return Search(resource_type, tuple(clauses), shape, tuple(ignored))


def found(store: Store, search: Search, base_url: str, *, stale: bool = False) -> list[int]:
    """The numbers of the matching versions; `stale` as they were before the last write."""
    if stale:
        hits, clauses = store.before_last_write(search.type), search.clauses
    else:
        indexed = [clause for clause in search.clauses if clause.indexed]
        hits = store.find(search.type, [Condition(one.parameter.name, one.values) for one in indexed])
        clauses = tuple(clause for clause in search.clauses if not clause.indexed)
    for clause in (one for one in clauses if one.of_the_version):
        hits = [hit for hit in hits if clause.covers(span_of(hit.updated))]
    seqs = [hit.seq for hit in hits]
    if rest := [clause for clause in clauses if not clause.of_the_version]:
        seqs = [one.seq for one in _read(store, seqs) if _meets(one, rest, base_url)]
    return seqs[::-1] if search.shape.newest_first else seqs


def _read(store: Store, seqs: Sequence[int]) -> Iterator[Version]:
    """A thousand at a time: a record may be larger than what should be held at once."""
    for start in range(0, len(seqs), LARGEST_PAGE):
        yield from store.versions(seqs[start : start + LARGEST_PAGE])


def _meets(version: Version, clauses: Sequence[Clause], base_url: str) -> bool:
    body = decode(version.body or b"{}")
    return all(clause.matches(body, base_url) for clause in clauses)


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


@lru_cache(maxsize=1024)
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
