"""Bodies and parameters of our routes. What goes out is the model's structs, encoded with every digit kept."""

import re
from datetime import date
from typing import Annotated, Any

import msgspec
from fastapi import Header, Path, Query, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, StringConstraints

from careplan_exchange.model.codec import encode
from careplan_exchange.model.exchange import ExchangeRequest, ExchangeRow, ExchangeState
from careplan_exchange.model.issue import Issue
from careplan_exchange.model.ledger import Link
from careplan_exchange.model.receipt import Receipt

UUID = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"


def _calendar_date(value: str) -> str:
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        raise ValueError("give it as YYYY-MM-DD")
    try:
        date.fromisoformat(value)
    except ValueError:
        raise ValueError("there is no such day") from None
    return value


EndpointName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200),
    Field(description="Name of a configured endpoint; may be left out where exactly one is configured."),
]
PatientId = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9.\-]{1,64}$"),
    Field(description="`Patient.id` on the endpoint (https://hl7.org/fhir/R4/datatypes.html#id)."),
]
Today = Annotated[
    str,
    AfterValidator(_calendar_date),
    Field(
        description="The day to plan for (YYYY-MM-DD); the service's own day if left out.",
        json_schema_extra={"format": "date"},
    ),
]


class NewExchange(BaseModel):
    """One exchange to run: pull from `endpoint`, plan, write to `target` (the same endpoint if left out)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    patient: PatientId
    endpoint: EndpointName | None = None
    target: EndpointName | None = None
    today: Today | None = None
    approve: StrictBool = Field(
        default=False, description="Write as approved by the caller, instead of as a draft or a pending review."
    )


PatientPath = Annotated[str, Path(pattern=r"^[A-Za-z0-9.\-]{1,64}$", description="`Patient.id` on the endpoint.")]
ExchangePath = Annotated[str, Path(pattern=UUID, description="The exchange's id, as in its receipt.")]
EndpointQuery = Annotated[EndpointName | None, Query(description="Name of a configured endpoint.")]
TodayQuery = Annotated[Today | None, Query(description="The day to plan for (YYYY-MM-DD).")]
ExchangeQuery = Annotated[str | None, Query(pattern=UUID, description="Entries of this exchange only.")]
AfterQuery = Annotated[int, Query(ge=0, le=2**53, description="Entries after this `seq`.")]
LimitQuery = Annotated[int, Query(ge=1, le=1000, description="At most so many entries.")]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="The same key with the same body gives the same exchange, however often it is sent. "
        "Only a hash of it is stored.",
    ),
]


class Exchange(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An exchange as a client sees it. `receipt` is there when `state` is "done"."""

    id: str
    state: ExchangeState
    request: ExchangeRequest
    created_at: str
    updated_at: str
    receipt: Receipt | None = None


class AuditPage(msgspec.Struct, frozen=True, kw_only=True):
    """Entries in their order. `next` is the address of the following page; null on the last."""

    links: tuple[Link, ...]
    next: str | None


class Liveness(msgspec.Struct, frozen=True, kw_only=True):
    status: str


class KeySet(msgspec.Struct, frozen=True, kw_only=True):
    """A JWK Set (RFC 7517 §5), public parts only."""

    keys: list[dict[str, str | list[str]]]


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """What an exchange needs, and whether it can be used now."""

    ready: bool
    checks: dict[str, bool]


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An error (RFC 9457). `mend` says what to do next; `instance` names the request without naming anybody."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    mend: str
    issues: tuple[Issue, ...] = ()


def exchange_of(row: ExchangeRow) -> Exchange:
    return Exchange(
        id=row.id,
        state=row.state,
        request=row.request,
        created_at=row.created_at,
        updated_at=row.updated_at,
        receipt=row.receipt,
    )


def answer(value: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A struct as JSON, decimals as numbers with their own digits."""
    return Response(encode(value), status_code=status, headers=headers, media_type="application/json")
