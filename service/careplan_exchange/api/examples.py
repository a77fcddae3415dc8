"""Examples for the OpenAPI document, built of the structs that are sent. The patient and every id are made up."""

from datetime import date
from typing import Any

from careplan_exchange.model.exchange import ExchangeRequest
from careplan_exchange.model.issue import Issue
from careplan_exchange.model.ledger import Entry, Link
from careplan_exchange.model.proposal import Citation, Gap, GoalProposal, Proposal, ProtocolRef, Reason, Used
from careplan_exchange.model.receipt import Receipt, ReceiptResource
from careplan_exchange.model.snapshot import Evidence

from .problems import TYPE_PREFIX
from .schemas import AuditPage, Exchange, KeySet, Liveness, Problem, Readiness

_ID = "6f2d3f0e-52c6-4f0c-9a51-3d6c6f1f8a10"
_REQUEST = ExchangeRequest(endpoint="hospital", patient="example-1", today="2026-11-24")
_OBSERVATION = Evidence(reference="Observation/hba1c-1", version_id="1", date="2026-11-02")
_PROTOCOL = ProtocolRef(url="https://example.org/PlanDefinition/t2dm", version="1.0.0", title="Type 2 diabetes")
_CITATION = Citation(label="The guideline that the protocol cites, with its year", grade="A")


def _problem(
    status: int, key: str, title: str, detail: str, mend: str, *, issues: tuple[Issue, ...] = ()
) -> Problem:
    return Problem(
        type=TYPE_PREFIX + key,
        title=title,
        status=status,
        detail=detail,
        instance="urn:careplan-exchange:request:0b9f4c1e-7a55-4d0e-8f43-2f6a0e0a9d21",
        mend=mend,
        issues=issues,
    )


NEW_EXCHANGES: dict[str, Any] = {
    "default endpoint": {"summary": "The only configured endpoint, today", "value": {"patient": "example-1"}},
    "companion server": {
        "summary": "Read from one server, write to another, approved by the caller",
        "value": {"endpoint": "hospital", "target": "companion", "patient": "example-1", "approve": True},
    },
}
ACCEPTED = Exchange(
    id=_ID,
    state="accepted",
    request=_REQUEST,
    created_at="2026-11-24T08:00:00+00:00",
    updated_at="2026-11-24T08:00:00+00:00",
)
DONE = Exchange(
    id=_ID,
    state="done",
    request=_REQUEST,
    created_at="2026-11-24T08:00:00+00:00",
    updated_at="2026-11-24T08:00:02+00:00",
    receipt=Receipt(
        outcome="written",
        resources=(
            ReceiptResource(reference="CarePlan/31", version_id="1", action="create"),
            ReceiptResource(reference="Goal/32", version_id="1", action="create"),
        ),
        issues=(),
        exchange=_ID,
    ),
)
PROPOSAL = Proposal(
    patient=Evidence(reference="Patient/example-1", version_id="3"),
    as_of=date(2026, 11, 24),
    protocols=(_PROTOCOL,),
    goals=(
        GoalProposal(
            key="t2dm/goal/hba1c",
            protocol=_PROTOCOL,
            description="Bring HbA1c to the range that the protocol sets for this patient",
            patient_text="Bring your long-term blood sugar into the range that you and your team agreed.",
            category="physiological",
            priority="high-priority",
            start=date(2026, 11, 24),
            reasons=(
                Reason(
                    text="Type 2 diabetes is on the problem list.",
                    rule="%type_2_diabetes",
                    result="true",
                    used=(Used(variable="%type_2_diabetes", value="present", evidence=(_OBSERVATION,)),),
                ),
            ),
            citations=(_CITATION,),
        ),
    ),
    activities=(),
    restrictions=(),
    withheld=(),
    not_applied=(),
    gaps=(Gap(concept="pregnancy", ask="Is the patient pregnant?", needed_by=("t2dm/goal/hba1c",)),),
    evidence=(_OBSERVATION,),
)
AUDIT = AuditPage(
    links=(
        Link(
            seq=1,
            entry=Entry(
                exchange=_ID,
                event="exchange.started",
                at="2026-11-24T08:00:00+00:00",
                data={"patient": "Patient/example-1"},
            ),
            previous="0" * 64,
            hash="5d41402abc4b2a76b9719d911017c592ae2c8d1e3f4a5b6c7d8e9f0a1b2c3d4e",
        ),
    ),
    next="/api/v1/audit?after=1&limit=1",
)
LIVE = Liveness(status="ok")
KEYS = KeySet(
    keys=[{"kty": "EC", "crv": "P-384", "x": "…", "y": "…", "kid": "2026-11", "alg": "ES384", "use": "sig"}]
)
READY = Readiness(ready=True, checks={"database": True, "knowledge": True})
METRICS = 'careplan_exchanges_total{outcome="written"} 12.0\n'

UNKNOWN_ENDPOINT = _problem(
    400,
    "endpoint.unknown",
    "Bad Request",
    "The request names an endpoint that is not configured here.",
    "Name an endpoint of this service's settings. URLs are not taken over HTTP.",
)
UNAUTHENTICATED = _problem(
    401,
    "auth.credentials",
    "Unauthorized",
    "The request carries no credentials that this service knows.",
    "Send the API key as `X-API-Key` or a valid token as `Authorization: Bearer …`.",
)
FORBIDDEN = _problem(
    403,
    "auth.scope",
    "Forbidden",
    "The token does not have the scope `careplan.read`.",
    "Ask the issuer for a token with the scope `careplan.read`.",
)
NO_EXCHANGE = _problem(
    404,
    "exchange.not-found",
    "Not Found",
    "There is no exchange with this id.",
    "Use the address that the answer to POST /api/v1/exchanges gave in `Location`.",
)
NO_PATIENT = _problem(
    404, "record.patient-not-found", "Unknown patient", "The server holds no such patient.", "Check the id."
)
NOT_ELIGIBLE = _problem(
    409,
    "decision.patient-not-eligible",
    "A person must decide",
    "The patient's record is inactive.",
    "Ask who keeps the record.",
)
TOO_LARGE = _problem(413, "http.413", "Content Too Large", "The body is too large.", "Send less than 1 MB.")
NOT_JSON = _problem(
    415,
    "http.415",
    "Unsupported Media Type",
    "The body is not declared as JSON.",
    "Send Content-Type: application/json.",
)
OTHER_REQUEST = _problem(
    422,
    "idempotency.other-request",
    "The key is taken",
    "This idempotency key was used for another request.",
    "Send the request as it was the first time, or choose a new key.",
)
INVALID = _problem(
    422,
    "request.invalid",
    "Unprocessable Content",
    "The request does not have the form that this route takes.",
    "Mend what `issues` name; /openapi.json describes the form.",
    issues=(
        Issue(
            severity="error",
            code="value",
            key="request.value-error",
            detail="give it as YYYY-MM-DD",
            expression="query.today",
        ),
    ),
)
INTERNAL = _problem(
    500,
    "configuration.store-version",
    "The database does not fit this version",
    "The database's schema is of another version than this code.",
    "Run `careplan doctor --migrate` where the service runs.",
)
INCOMPLETE = _problem(
    502,
    "record.incomplete",
    "The record could not be read whole",
    "A page of the search for Observation expired.",
    "Ask again; nothing was planned.",
)
BUSY = _problem(
    503, "unavailable.store", "The database cannot be used now", "The database is locked.", "Send it again later."
)
OVERLOADED = _problem(
    503,
    "unavailable.overloaded",
    "The server is overloaded",
    "The server kept answering 503.",
    "Ask again later.",
)
UNREACHABLE = _problem(
    504,
    "unavailable.endpoint",
    "The server cannot be reached",
    "No connection could be made.",
    "Run `careplan doctor` where the service runs.",
)
NOT_READY = _problem(
    503,
    "not-ready",
    "Service Unavailable",
    "Not ready: database.",
    "Run `careplan doctor` where the service runs.",
    issues=(
        Issue(
            severity="error", code="not-supported", key="not-ready.database", detail="The database check failed."
        ),
    ),
)
