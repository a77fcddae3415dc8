"""Is this body valid FHIR? Asked of everything before anything of it is sent.

Structure and types are checked by fhir.resources (R4B models for R4, root models for R5); what it lets through,
required bindings (bindings.py) and the types that a reference may point to, is checked here. Problems name
elements, never values.
"""

import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel, ValidationError

from careplan_exchange.errors import InvalidResourceError
from careplan_exchange.model.changes import Json
from careplan_exchange.model.codec import decode
from careplan_exchange.model.issue import Issue
from careplan_exchange.model.record import FhirRelease

from .bindings import REQUIRED

_TYPE_OF_URL = re.compile(r"(?:^|/)([A-Z][A-Za-z]+)/[A-Za-z0-9\-.]{1,64}(?:/_history/[A-Za-z0-9\-.]{1,64})?$")


def require_valid(bodies: Iterable[Json], release: FhirRelease, links: Mapping[str, str]) -> None:
    """Raises InvalidResourceError with every problem of every body. `links` are the resource types behind the
    `urn:uuid:` references between them."""
    issues = [issue for body in bodies for issue in _lint_whole(body, release, links)]
    if issues:
        raise InvalidResourceError(
            f"{len(issues)} problem(s) in what would have been written, the first at {issues[0].expression}: "
            f"{issues[0].detail} Nothing was sent.",
            mend="If a person or another system put this element into the plan, correct it on the server; "
            "otherwise report the problem with the path above.",
            issues=issues,
        )


def _lint_whole(body: Json, release: FhirRelease, links: Mapping[str, str]) -> Iterator[Issue]:
    """Of a plan that goes as a document also what is in it."""
    yield from lint(body, release, links)
    entries = [entry for bundle in attached_bundles(body) for entry in bundle.get("entry", ())]
    inside = {entry["fullUrl"]: str(entry["resource"]["resourceType"]) for entry in entries}
    for entry in entries:
        yield from lint(entry["resource"], release, {**links, **inside})


def attached_bundles(body: Json) -> Iterator[Json]:
    """The FHIR documents that a DocumentReference carries."""
    for content in body.get("content", ()) if body.get("resourceType") == "DocumentReference" else ():
        attachment = content.get("attachment", {})
        if attachment.get("contentType") == "application/fhir+json" and "data" in attachment:
            yield decode(base64.b64decode(attachment["data"]))


def lint(body: Json, release: FhirRelease, links: Mapping[str, str]) -> tuple[Issue, ...]:
    """Every problem of one resource, empty where there is none."""
    name = str(body.get("resourceType"))
    try:
        model = _model_of(name, release).model_validate(body)
    except ValidationError as error:
        return tuple(
            _issue(
                ".".join((name, *map(str, problem["loc"]))), f"not as the structure has it ({problem['type']})."
            )
            for problem in error.errors(include_input=False, include_context=False, include_url=False)
        )
    except ValueError:  # fhir.resources has no model of that name
        return (_issue(name, f"{release} has no such resource type."),)
    return (
        *(
            _issue(path, "the code is not in the required value set.")
            for path, codes in REQUIRED[release].items()
            if path.startswith(f"{name}.")
            for value in _values(body, path.split(".")[1:])
            if value not in codes
        ),
        *_wrong_targets(model, name, links),
    )


@cache
def _model_of(name: str, release: FhirRelease) -> Any:
    # Half a second of imports that no dry run needs.
    if release != "R5":
        from fhir.resources.R4B import get_fhir_model_class
    else:
        from fhir.resources import get_fhir_model_class
    return get_fhir_model_class(name)


def _values(node: Any, path: list[str]) -> Iterator[Any]:
    if isinstance(node, list):
        for each in node:
            yield from _values(each, path)
    elif not path:
        yield node
    elif isinstance(node, dict) and path[0] in node:
        yield from _values(node[path[0]], path[1:])


def _wrong_targets(model: Any, path: str, links: Mapping[str, str]) -> Iterator[Issue]:
    """fhir.resources knows which types each reference takes and does not check them."""
    allowed_targets = _allowed_targets(model.__class__)
    for name in sorted(model.model_fields_set):
        value = getattr(model, name)
        for each in value if isinstance(value, list) else (value,):
            if not isinstance(each, BaseModel):
                continue
            here = f"{path}.{name}"
            if name in allowed_targets:
                target = _target_of(each, links)
                if target is not None and target not in allowed_targets[name]:
                    yield _issue(here, f"a reference to {target} is not allowed here.")
            yield from _wrong_targets(each, here, links)


@cache
def _allowed_targets(model: Any) -> Mapping[str, frozenset[str]]:
    """The elements of this model that may not point to every type, with those that they may point to."""
    listed = {
        name: frozenset((field.json_schema_extra or {}).get("enum_reference_types") or ())
        for name, field in model.model_fields.items()
    }
    return {name: types for name, types in listed.items() if types and "Resource" not in types}


def _target_of(value: Any, links: Mapping[str, str]) -> str | None:
    """The type that a Reference or CodeableReference points to, where that can be told."""
    inner = getattr(value, "reference", None)
    reference = inner if hasattr(inner, "reference") else value
    literal = getattr(reference, "reference", None)
    if isinstance(literal, str):
        if literal in links:
            return links[literal]
        if match := _TYPE_OF_URL.search(literal):
            return match[1]
    named = getattr(reference, "type", None)
    return named if isinstance(named, str) else None


def _issue(path: str, detail: str) -> Issue:
    return Issue(severity="error", code="invariant", key="write.invalid", detail=detail, expression=path)
