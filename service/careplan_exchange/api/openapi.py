"""The OpenAPI document: our structs as its schemas, so that what is described is what is sent."""

from collections.abc import Mapping
from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from careplan_exchange.model.codec import encode
from careplan_exchange.model.proposal import Proposal

from .problems import MEDIA_TYPE
from .schemas import AuditPage, Exchange, KeySet, Liveness, Problem, Readiness

_SENT = (Exchange, Proposal, AuditPage, KeySet, Liveness, Readiness, Problem)
OPEN = ("/health/", "/.well-known/")
"""What is answered without credentials."""

_REF = "#/components/schemas/{name}"

DESCRIPTION = """Pulls a patient's record from a FHIR server, plans from clinical protocols, and writes CarePlan
and Goal back. Everything leaves as a draft or proposal until a person approves it.

Credentials: an API key as `X-API-Key` or `Authorization: Bearer`, or an access token of the configured issuer
with the scopes `careplan.read`, `careplan.write`, `careplan.approve`, `careplan.audit`, `careplan.metrics`.
A service without either answers on loopback names only (else 421), and to no page of another site (403).
Every answer has an `X-Request-Id`; every error is `application/problem+json` (RFC 9457) with a `mend` that says
what to do."""


def documented(
    kind: type[msgspec.Struct],
    description: str,
    example: msgspec.Struct,
    *,
    headers: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """One response of a route: its struct, an example of it, and headers of note."""
    response: dict[str, Any] = {
        "description": description,
        "content": {
            "application/json": {"schema": {"$ref": _REF.format(name=kind.__name__)}, "example": _plain(example)}
        },
    }
    if headers:
        response["headers"] = {
            name: {"description": text, "schema": {"type": "string"}} for name, text in headers.items()
        }
    return response


def problem(description: str, example: Problem) -> dict[str, Any]:
    """One error response of a route."""
    return {
        "description": description,
        "content": {MEDIA_TYPE: {"schema": {"$ref": _REF.format(name="Problem")}, "example": _plain(example)}},
    }


def install(app: FastAPI, *, secured: bool) -> None:
    """Have `app.openapi()` give the document with our structs in it."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app, secured=secured)
        return app.openapi_schema

    # FastAPI's own way to extend the document: https://fastapi.tiangolo.com/how-to/extending-openapi/
    app.openapi = openapi  # type: ignore[method-assign]


def _document(app: FastAPI, *, secured: bool) -> dict[str, Any]:
    document = get_openapi(
        title=app.title,
        version=app.version,
        description=app.description,
        routes=app.routes,
        tags=app.openapi_tags,
    )
    _, components = msgspec.json.schema_components(_SENT, ref_template=_REF)
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas.update({name: _with_numbers(schema) for name, schema in _plain(components).items()})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    if secured:
        document["components"]["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer"},
            "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        }
        for path, operations in document["paths"].items():
            if not path.startswith(OPEN):
                for operation in operations.values():
                    operation["security"] = [{"bearer": []}, {"key": []}]
    return document


def _with_numbers(schema: Any) -> Any:
    """Decimals are sent as numbers (model/codec.py); msgspec describes its own default, a string."""
    if isinstance(schema, dict):
        if schema == {"type": "string", "format": "decimal"}:
            return {"type": "number"}
        return {key: _with_numbers(value) for key, value in schema.items()}
    return [_with_numbers(one) for one in schema] if isinstance(schema, list) else schema


def _plain(example: Any) -> Any:
    return msgspec.json.decode(encode(example))
