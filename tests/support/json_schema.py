"""JSON Schema as far as our OpenAPI document uses it: what of a value does not fit."""

import re
from collections.abc import Iterator
from typing import Any

_TYPES: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "null": type(None),
}
_KEYWORDS = {
    *("$ref", "anyOf", "type", "enum", "const", "properties", "required", "items", "additionalProperties"),
    *("$defs", "$schema", "uniqueItems"),
    *("title", "description", "default", "format", "pattern", "minLength", "maxLength", "minimum", "maximum"),
}


def complaints(value: Any, schema: dict[str, Any], schemas: dict[str, Any], path: str = "$") -> list[str]:
    """Every misfit of `value`, with its path. `schemas` are the document's components; a keyword that this check does
    not know is an error, never passed over."""
    assert set(schema) <= _KEYWORDS, f"teach this check about {set(schema) - _KEYWORDS}"
    if "$ref" in schema:
        return complaints(value, schemas[schema["$ref"].rpartition("/")[2]], schemas, path)
    if "anyOf" in schema:
        tries = [complaints(value, one, schemas, path) for one in schema["anyOf"]]
        return [f"{path}: fits none of {tries}"] if all(tries) else []
    return [
        *_of_scalar(value, schema, path),
        *_of_array(value, schema, schemas, path),
        *_of_object(value, schema, schemas, path),
    ]


def _of_scalar(value: Any, schema: dict[str, Any], path: str) -> Iterator[str]:
    allowed = schema.get("enum", [schema["const"]] if "const" in schema else [value])
    if value not in allowed:
        yield f"{path}: {value!r} is not one of {allowed}"
    kind = schema.get("type")
    if kind and (not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "boolean")):
        yield f"{path}: {value!r} is not of type {kind}"
    if isinstance(value, str) and not re.search(schema.get("pattern", ""), value):
        yield f"{path}: {value!r} does not match {schema['pattern']}"


def _of_array(value: Any, schema: dict[str, Any], schemas: dict[str, Any], path: str) -> Iterator[str]:
    if isinstance(value, list) and "items" in schema:
        for number, one in enumerate(value):
            yield from complaints(one, schema["items"], schemas, f"{path}[{number}]")


def _of_object(value: Any, schema: dict[str, Any], schemas: dict[str, Any], path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        return
    yield from (f"{path}: lacks {name}" for name in schema.get("required", []) if name not in value)
    properties = schema.get("properties", {})
    others = schema.get("additionalProperties", not properties)
    for name, one in value.items():
        if name in properties:
            yield from complaints(one, properties[name], schemas, f"{path}.{name}")
        elif isinstance(others, dict):
            yield from complaints(one, others, schemas, f"{path}.{name}")
        elif not others:
            yield f"{path}: {name} is not described"
