"""The resource types and search parameters of the sandbox, read from the rows in `parameter_rows.py`.

A row is `name: kind path|path…`; a path is element names from the resource on, `x[x]` stands for a choice
element in any type. `@Patient` after a reference path keeps references to that type only, and lets the bare
id name one.
"""

from collections.abc import Mapping
from functools import cache
from typing import Literal, cast

import msgspec

from careplan_exchange.model.record import FhirRelease, shape_of

from .parameter_rows import BY_TYPE, EVERY_TYPE, ONLY_IN

Kind = Literal["token", "reference", "date", "string", "uri"]


class Parameter(msgspec.Struct, frozen=True):
    """How one search parameter is read from a resource."""

    name: str
    kind: Kind
    paths: tuple[tuple[str, ...], ...]
    target: str | None = None


TYPES = tuple(sorted(BY_TYPE))
"""The resource types that the sandbox takes, in one release or the other."""

ABOUT_A_PATIENT = tuple(kind for kind in TYPES if "patient: " in BY_TYPE[kind])
"""The types whose resources belong to somebody's record."""

SHARED = frozenset(TYPES) - {*ABOUT_A_PATIENT, "Patient", "Group"}
"""The types that are nobody's: medications, organizations and the like. A Group names other patients."""

RESULT = frozenset({"_count", "_elements", "_format", "_include", "_pretty", "_sort", "_summary", "_total"})
"""Parameters that shape the answer and select nothing."""


@cache
def types_of(release: FhirRelease) -> tuple[str, ...]:
    """The resource types that it takes in this release."""
    return tuple(kind for kind in TYPES if ONLY_IN.get(kind, shape_of(release)) == shape_of(release))


@cache
def parameters(resource_type: str) -> Mapping[str, Parameter]:
    """The search parameters of one of TYPES, by name."""
    rows = (EVERY_TYPE + BY_TYPE[resource_type]).splitlines()
    found = [_parameter(row.strip()) for row in rows if row.strip()]
    return {parameter.name: parameter for parameter in found}


def _parameter(row: str) -> Parameter:
    name, _, rest = row.partition(": ")
    kind, paths, *target = rest.split(" ")
    return Parameter(
        name=name,
        kind=cast(Kind, kind),
        paths=tuple(tuple(path.split(".")) for path in paths.split("|")),
        target=target[0].removeprefix("@") if target else None,
    )
