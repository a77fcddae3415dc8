"""What a resource is found by: the values behind a search parameter, in the form in which a query names them."""

from calendar import isleap, monthrange
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from .outcomes import Json
from .parameters import Parameter, parameters
from .references import local

_BAR = "\x1f"  # between system and code: neither can hold it


class Span(NamedTuple):
    """A stretch of time, from `low` up to, not including, `high`."""

    low: datetime
    high: datetime


EARLIEST = datetime.min.replace(tzinfo=UTC)
LATEST = datetime.max.replace(tzinfo=UTC)


def terms(body: Json, base_url: str) -> Mapping[str, frozenset[str]]:
    """Every value under which this resource is found, by parameter; dates and texts are compared, not indexed."""
    return {
        parameter.name: found
        for parameter in parameters(body["resourceType"]).values()
        if parameter.kind not in {"date", "string"} and (found := keys(parameter, body, base_url))
    }


def keys(parameter: Parameter, body: Json, base_url: str) -> frozenset[str]:
    """The values of a token, reference or uri parameter."""
    return frozenset(key for node in nodes(parameter, body) for key in _keys(parameter, node, base_url))


def nodes(parameter: Parameter, body: Json) -> Iterator[Any]:
    """The elements that a parameter reads, lists taken apart."""
    for path in parameter.paths:
        yield from _walk(body, path)


def _walk(node: Any, path: tuple[str, ...]) -> Iterator[Any]:
    if isinstance(node, list):
        for each in node:
            yield from _walk(each, path)
    elif not path:
        yield node
    elif isinstance(node, dict):
        first, rest = path[0], path[1:]
        if not first.endswith("[x]"):
            if first in node:
                yield from _walk(node[first], rest)
            return
        stem = first.removesuffix("[x]")
        for name, value in node.items():
            if name.startswith(stem) and name[len(stem) : len(stem) + 1].isupper():
                yield from _walk(value, rest)


def _keys(parameter: Parameter, node: Any, base_url: str) -> Iterator[str]:
    if parameter.kind == "uri":
        if isinstance(node, str):
            yield node
    elif parameter.kind == "reference":
        reference = node.get("reference") if isinstance(node, dict) else None
        target = local(reference, base_url) if isinstance(reference, str) else None
        if target is not None and parameter.target in {None, target.type}:
            yield f"{target.type}/{target.id}"
            yield target.id
    else:
        yield from _token_keys(node)


def _token_keys(node: Any) -> Iterator[str]:
    if isinstance(node, bool):
        yield from _token(None, str(node).lower())
    elif isinstance(node, str):
        yield from _token(None, node)
    elif isinstance(node, dict):
        for coding in node.get("coding", ()):
            yield from _token(coding.get("system"), coding.get("code"))
        yield from _token(node.get("system"), node.get("code", node.get("value")))


def _token(system: str | None, code: Any) -> Iterator[str]:
    if system is not None:
        yield token_key(system, None)
    if isinstance(code, str):
        yield token_key(None, code)
        yield token_key(system or "", code)


def token_key(system: str | None, code: str | None) -> str:
    """How a token is asked for: `system|code`, `system|` (no code), `|code` (empty system), `code` (no
    system)."""
    if system is None:
        return code or ""
    return f"{system}{_BAR}{code or ''}"


def texts(parameter: Parameter, body: Json) -> Iterator[str]:
    """The words of a string parameter, folded for comparing."""
    for node in nodes(parameter, body):
        for value in _leaves(node):
            yield value.casefold()


def _leaves(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        for name in ("text", "family", "given", "prefix", "suffix"):
            yield from _leaves(node.get(name))
    elif isinstance(node, list):
        for each in node:
            yield from _leaves(each)


def spans(parameter: Parameter, body: Json) -> Iterator[Span]:
    """The stretches of time of a date parameter: a date or time with its precision, a Period, a Timing's
    events. What is no time that can be compared (a leap second) is found at none."""
    for node in nodes(parameter, body):
        with suppress(ValueError):
            yield from _spans(node)


def _spans(node: Any) -> Iterator[Span]:
    if isinstance(node, str):
        yield span_of(node)
    elif isinstance(node, dict) and ("start" in node or "end" in node):
        yield Span(
            span_of(node["start"]).low if "start" in node else EARLIEST,
            span_of(node["end"]).high if "end" in node else LATEST,
        )
    elif isinstance(node, dict):
        yield from (span_of(event) for event in node.get("event", ()))


def span_of(text: str) -> Span:
    """A FHIR date, dateTime or instant as the time that it covers; without a zone in UTC. Raises ValueError."""
    try:
        low, duration = _moment(text) if "T" in text else _day(text)
    except OverflowError:
        raise ValueError("beyond the calendar") from None
    try:
        return Span(low, low + duration)
    except OverflowError:
        return Span(low, LATEST)  # 9999-12-31 has an end that cannot be written


def _moment(text: str) -> tuple[datetime, timedelta]:
    low = datetime.fromisoformat(text)
    low = low.replace(tzinfo=UTC) if low.tzinfo is None else low.astimezone(UTC)
    # To the precision that is written: a second, or what stands behind the point.
    digits = len(text.partition(".")[2].rstrip("Z").split("+")[0].split("-")[0])
    return low, timedelta(microseconds=max(1, 10 ** (6 - min(digits, 6))))


def _day(text: str) -> tuple[datetime, timedelta]:
    parts = [int(part) for part in text.split("-")]
    year, month, day = (*parts, *(1,) * (3 - len(parts)))
    low = datetime(year, month, day, tzinfo=UTC)
    days = {1: 366 if isleap(year) else 365, 2: monthrange(year, month)[1]}
    return low, timedelta(days=days.get(len(parts), 1))
