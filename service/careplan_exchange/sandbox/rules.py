"""Is this a valid resource? Structure by fhir.resources; what it lets through is checked here, by data in
`rules/`.

Checked besides: JSON types (`"true"` is no boolean), empty values, required bindings, the types a reference
may point to, invariants, the narrative. Problems name elements, never values.
"""

import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError

from careplan_exchange.model.codec import decode
from careplan_exchange.model.record import FhirRelease, shape_of

from .invariants import INVARIANTS
from .outcomes import Json, Problem
from .references import local

_FOLDER = Path(__file__).parent / "rules"
_XHTML = "{http://www.w3.org/1999/xhtml}"
_ACTIVE = frozenset(
    {"script", "head", "body", "form", "base", "link", "frame", "iframe", "object", "input", "style"}
)
"""Elements that a narrative must not have (http://hl7.org/fhir/R4/narrative.html#xhtml)."""


@cache
def _rules(release: FhirRelease) -> Mapping[str, Mapping[str, Any]]:
    rules: Mapping[str, Mapping[str, Any]] = decode((_FOLDER / f"{shape_of(release)}.json").read_bytes())
    return rules


class Verdict(NamedTuple):
    """`syntax`: what makes it no FHIR resource of this release (structure, JSON types, codes). `business`:
    what is FHIR and still not right (reference targets, invariants, narrative); not looked for where the
    syntax is wrong."""

    syntax: list[Problem]
    business: list[Problem]


def judge(body: Json, release: FhirRelease, type_behind: Callable[[str], str | None]) -> Verdict:
    """Judges a resource of one of the sandbox's types. `type_behind` gives the resource type behind a
    reference that is no `Type/id`: a `urn:uuid:` of the same Bundle, `#id` of a contained resource."""
    name = body["resourceType"]
    rules = _rules(release)
    try:
        model = model_class(name, release).model_validate(body)
    except ValidationError as error:
        return Verdict([_structure(name, problem) for problem in _readable(error)], [])
    syntax = [*_empty(body, name), *_codes(model, body, name, rules["codes"])]
    if syntax:
        return Verdict(syntax, [])
    business = [
        *_targets(model, name, rules["targets"], type_behind),
        *_narrative(body, name),
        *_broken_invariants(body, release),
    ]
    return Verdict([], business)


def _readable(error: ValidationError) -> list[Any]:
    return list(error.errors(include_input=False, include_context=False, include_url=False))


def _structure(name: str, problem: Any) -> Problem:
    path = ".".join((name, *map(str, problem["loc"])))
    return Problem("structure", f"Not as the structure has it: {problem['type']}.", path)


def _broken_invariants(body: Json, release: FhirRelease) -> Iterator[Problem]:
    for invariant in INVARIANTS:
        name, *path = invariant.path.split(".")
        if name == body["resourceType"] and shape_of(release) in invariant.releases:
            for node in _at(body, path):
                if not invariant.holds(node):
                    yield Problem("invariant", f"{invariant.key}: {invariant.human}.", invariant.path)


@cache
def model_class(name: str, release: FhirRelease) -> type[BaseModel]:
    """The model of a resource type of the sandbox, in fhir.resources."""
    if release != "R5":
        from fhir.resources.R4B import get_fhir_model_class
    else:
        from fhir.resources import get_fhir_model_class
    found: type[BaseModel] = get_fhir_model_class(name)
    return found


def _elements(model: BaseModel) -> Iterator[tuple[str, Any]]:
    """The elements that are there, by their JSON names."""
    for field, value in model.__dict__.items():
        if value is not None and field not in {"resource_type", "fhir_comments"}:
            # Python's own words carry a suffix there: `class_fhir`.
            yield field.removesuffix("_fhir"), value


def _path_below(model: BaseModel, path: str) -> str:
    """A data type's rules stand under its own name, a nested element's under the path to it. fhir.resources
    names a nested element's class by its path: `CarePlan.activity.detail` is a CarePlanActivityDetail."""
    name = type(model).__name__
    nested = "".join(part[0].upper() + part[1:] for part in path.split("."))
    return path if name == nested else name


def _each(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _codes(model: BaseModel, raw: Any, path: str, codes: Mapping[str, Any]) -> Iterator[Problem]:
    """JSON types and required bindings, walking the validated model beside the JSON it came from."""
    if not isinstance(raw, dict):
        return
    for name, value in _elements(model):
        here = f"{path}.{name}"
        allowed = codes.get(here)
        for one, sent in zip(_each(value), _each(raw.get(name)), strict=False):
            if isinstance(one, BaseModel):
                if isinstance(allowed, dict) and not _coded(one, allowed):
                    yield Problem("code-invalid", "No coding of it is in the required value set.", here)
                yield from _codes(one, sent, _path_below(one, here), codes)
            elif sent is not None:
                if not _same_json_type(one, sent):
                    yield Problem("structure", "The JSON value has the wrong type.", here)
                if isinstance(allowed, str) and sent not in allowed.split(" "):
                    yield Problem("code-invalid", "The code is not in the required value set.", here)


def _same_json_type(value: Any, sent: Any) -> bool:
    if isinstance(value, bool):
        return isinstance(sent, bool)
    if isinstance(value, int | Decimal | float):
        return isinstance(sent, int | Decimal) and not isinstance(sent, bool)
    return isinstance(sent, str)


def _coded(value: BaseModel, allowed: Mapping[str, str]) -> bool:
    codings: list[Any] = (value.coding or []) if hasattr(value, "coding") else [value]
    return any(one.code in allowed.get(one.system or "", "").split(" ") for one in codings)


def _empty(node: Any, path: str) -> Iterator[Problem]:
    """No value is empty, and null stands only in a list of primitives, beside its extensions."""
    if node in ({}, [], "") or node is None:
        yield Problem("structure", "An element cannot be empty.", path)
    elif isinstance(node, dict):
        for name, value in node.items():
            yield from _empty(value, f"{path}.{name}")
    elif isinstance(node, list):
        for index, value in enumerate(node):
            if value is not None:
                yield from _empty(value, f"{path}[{index}]")


def _targets(
    model: BaseModel, path: str, targets: Mapping[str, str], type_behind: Callable[[str], str | None]
) -> Iterator[Problem]:
    for name, value in _elements(model):
        here = f"{path}.{name}"
        for one in _each(value):
            if not isinstance(one, BaseModel):
                continue
            target = _target_of(one, type_behind)
            if here in targets and target is not None and target not in targets[here].split(" "):
                yield Problem("invariant", f"A reference to {target} is not allowed here.", here)
            yield from _targets(one, _path_below(one, here), targets, type_behind)


def _target_of(value: BaseModel, type_behind: Callable[[str], str | None]) -> str | None:
    """The type that a Reference, or the one in a CodeableReference, points to."""
    inner = getattr(value, "reference", None)
    literal = getattr(inner, "reference", None) if isinstance(inner, BaseModel) else inner
    if not isinstance(literal, str):
        return None
    found = local(literal, "")
    return found.type if found else type_behind(literal)


def _at(node: Any, path: list[str]) -> Iterator[Any]:
    if isinstance(node, list):
        for each in node:
            yield from _at(each, path)
    elif not path:
        yield node
    elif isinstance(node, dict) and path[0] in node:
        yield from _at(node[path[0]], path[1:])


def _narrative(body: Json, name: str) -> Iterator[Problem]:
    div = body.get("text", {}).get("div")
    if div is not None and not _is_safe_xhtml(div):
        yield Problem(
            "invariant", "txt-1: a narrative is one XHTML div without active content.", f"{name}.text.div"
        )


def _is_safe_xhtml(div: str) -> bool:
    if "<!" in div:  # no comment or CDATA is needed, and no entity is ever defined
        return False
    try:
        root = ET.fromstring(div)  # noqa: S314 - without a DOCTYPE there are no entities to blow up
    except ET.ParseError:
        return False
    return root.tag == f"{_XHTML}div" and all(
        element.tag.startswith(_XHTML)
        and element.tag.removeprefix(_XHTML) not in _ACTIVE
        and not any(attribute.lower().startswith("on") for attribute in element.attrib)
        for element in root.iter()
    )
