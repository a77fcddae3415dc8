"""From a YAML element to a typed row, or to a finding that says file, line and mend."""

import re
from collections.abc import Collection, Iterator
from typing import Annotated, Any, TypeVar

import msgspec

from careplan_exchange.knowledge import Document
from careplan_exchange.model.issue import Finding
from careplan_exchange.spelling import did_you_mean

Row = TypeVar("Row")
Text = Annotated[str, msgspec.Meta(min_length=1, pattern=r"\S")]
"""Text that says something: a title, a reason, a source."""

METADATA = frozenset(
    {
        *("resourceType", "id", "meta", "implicitRules", "language", "text", "contained", "extension"),
        *("modifierExtension", "identifier", "name", "experimental", "publisher", "contact", "description"),
        *("useContext", "jurisdiction", "immutable", "purpose", "copyright", "expansion"),
        *("sourceUri", "sourceCanonical", "targetUri", "targetCanonical"),
    }
)
"""Elements that a ValueSet or a ConceptMap may have and nothing here reads (http://hl7.org/fhir/R4/valueset.html,
http://hl7.org/fhir/R4/conceptmap.html)."""

_WHERE = re.compile(r"^(?P<what>.*?)(?: - at `(?P<path>[^`]*)`)?$", re.DOTALL)
_STEP = re.compile(r"\.(?P<key>[^.\[\]]+)|\[(?P<index>\d+)\]")
_UNKNOWN_FIELD = re.compile(r"Object contains unknown field `(?P<word>[^`]*)`")
_INVALID_VALUE = re.compile(r"Invalid enum value '(?P<word>[^']*)'")
_MEND = "Compare with the worked example in the folder's README."


def element(document: Document, *path: str | int) -> Any:
    """The element at this path, which must exist."""
    value = document.content
    for step in path:
        value = value[step]
    return value


def read_row(
    document: Document,
    kind: type[Row],
    findings: list[Finding],
    *path: str | int,
    beside: Collection[str] = frozenset(),
) -> Row | None:
    """The element at `path` as a `kind`; None, and a finding, where it does not have that shape.

    `beside` are keys that may stand there and are not read; with any, every other key of the element is a
    finding too. A misspelt key or value is told at its own line, with the word that was probably meant.
    """
    value = element(document, *path)
    if beside and isinstance(value, dict):
        strangers = set(value) - set(_fields(kind, ())) - set(beside)
        for key in sorted(strangers):
            mend = f"Remove it, or mend its name.{did_you_mean(key, [*_fields(kind, ()), *beside])}"
            findings.append(document.finding(f"'{key}' is no element of this resource.", mend, *path, key))
        if strangers:
            return None
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        findings.append(_finding(document, kind, str(error), path))
        return None


def read_rows(
    document: Document, kind: type[Row], findings: list[Finding], *path: str | int
) -> list[tuple[tuple[str | int, ...], Row]]:
    """Every element of the list at `path` that has the shape, each with its own path."""
    elements = element(document, *path)
    if not isinstance(elements, list) or not elements:
        findings.append(
            document.finding("Expected a list with at least one element.", "Add one, or remove the key.", *path)
        )
        return []
    rows = []
    for index in range(len(elements)):
        row = read_row(document, kind, findings, *path, index)
        if row is not None:
            rows.append(((*path, index), row))
    return rows


def _finding(document: Document, kind: type[Any], error: str, path: tuple[str | int, ...]) -> Finding:
    """What msgspec says, at the line of what it says it of."""
    match = _WHERE.match(error)
    what, where = (match["what"], match["path"] or "") if match else (error, "")
    inner = tuple(step["key"] or int(step["index"]) for step in _STEP.finditer(where.lstrip("$")))
    mend = _MEND
    if "regex" in what or "length >= 1" in what:
        what = "This text is blank"
    elif found := _UNKNOWN_FIELD.match(what):
        mend = f"{_MEND}{did_you_mean(found['word'], _fields(kind, inner))}"
        inner = (*inner, found["word"])
    elif found := _INVALID_VALUE.match(what):
        mend = f"{_MEND}{did_you_mean(found['word'], _values(kind, inner))}"
    return document.finding(f"{what.rstrip('.')}.", mend, *path, *inner)


def _fields(kind: type[Any], path: tuple[str | int, ...]) -> tuple[str, ...]:
    """The keys that the element at this path of a `kind` may have."""
    return tuple(
        field.encode_name
        for found in _types(msgspec.inspect.type_info(kind), path)
        if isinstance(found, msgspec.inspect.StructType)
        for field in found.fields
    )


def _values(kind: type[Any], path: tuple[str | int, ...]) -> tuple[str, ...]:
    """The words that may stand at this path of a `kind`."""
    return tuple(
        str(value)
        for found in _types(msgspec.inspect.type_info(kind), path)
        if isinstance(found, msgspec.inspect.LiteralType)
        for value in found.values
    )


def _types(found: msgspec.inspect.Type, path: tuple[str | int, ...]) -> Iterator[msgspec.inspect.Type]:
    """Every type that can be at this path below a type."""
    match found:
        case msgspec.inspect.UnionType(types=types):
            for one in types:
                yield from _types(one, path)
        case _ if not path:
            yield found
        case msgspec.inspect.StructType(fields=fields):
            for field in fields:
                if field.encode_name == path[0]:
                    yield from _types(field.type, path[1:])
        case msgspec.inspect.VarTupleType(item_type=item):
            yield from _types(item, path[1:])
