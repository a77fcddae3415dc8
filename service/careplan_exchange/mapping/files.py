"""From a YAML element to a typed row, or to a finding that says file, line and mend."""

import re
from typing import Annotated, Any, TypeVar

import msgspec

from careplan_exchange.knowledge import Document
from careplan_exchange.model.issue import Finding

Row = TypeVar("Row")
Text = Annotated[str, msgspec.Meta(min_length=1, pattern=r"\S")]
"""Text that says something: a title, a reason, a source."""

_WHERE = re.compile(r"^(?P<what>.*?)(?: - at `(?P<path>[^`]*)`)?$", re.DOTALL)
_STEP = re.compile(r"\.(?P<key>[^.\[\]]+)|\[(?P<index>\d+)\]")


def element(document: Document, *path: str | int) -> Any:
    """The element at this path, which must exist."""
    value = document.content
    for step in path:
        value = value[step]
    return value


def read_row(document: Document, kind: type[Row], findings: list[Finding], *path: str | int) -> Row | None:
    """The element at `path` as a `kind`; None, and a finding, where it does not have that shape."""
    try:
        return msgspec.convert(element(document, *path), kind)
    except msgspec.ValidationError as error:
        match = _WHERE.match(str(error))
        what, where = (match["what"], match["path"] or "") if match else (str(error), "")
        if "regex" in what or "length >= 1" in what:
            what = "This text is blank"
        inner = [step["key"] or int(step["index"]) for step in _STEP.finditer(where.lstrip("$"))]
        findings.append(
            document.finding(
                f"{what.rstrip('.')}.", "Compare with the worked example in the folder's README.", *path, *inner
            )
        )
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
