"""Health and metrics."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest

from careplan_exchange.model.codec import encode
from careplan_exchange.model.issue import Issue

from . import examples
from .deps import ExchangesDep, Operator
from .openapi import documented, problem
from .problems import ProblemError
from .schemas import KeySet, Liveness, Readiness, answer

router = APIRouter(tags=["system"])


@router.get(
    "/health/live",
    summary="Whether the process answers",
    responses={200: documented(Liveness, "It does.", examples.LIVE)},
)
async def live() -> Response:
    """Looks at nothing but itself: a failing database is no reason to restart. No credentials needed."""
    return answer(Liveness(status="ok"))


@router.get(
    "/health/ready",
    summary="Whether an exchange could run now",
    responses={
        200: documented(Readiness, "Everything that an exchange needs can be used.", examples.READY),
        503: problem("Something cannot be used; `issues` name it.", examples.NOT_READY),
    },
)
async def ready(exchanges: ExchangesDep) -> Response:
    """Database and knowledge. FHIR servers are not asked: `careplan doctor` does that. No credentials needed."""
    checks = dict(await exchanges.ready())
    failed = sorted(name for name, well in checks.items() if not well)
    if failed:
        raise ProblemError(
            503,
            "not-ready",
            f"Not ready: {', '.join(failed)}.",
            mend="Run `careplan doctor` where the service runs.",
            issues=[
                Issue(
                    severity="error",
                    code="not-supported",
                    key=f"not-ready.{name}",
                    detail=f"The {name} check failed.",
                )
                for name in failed
            ],
            headers={"Retry-After": "5"},
        )
    return answer(Readiness(ready=True, checks=checks))


@router.get(
    "/.well-known/jwks.json",
    summary="The public keys of our sign-in to FHIR servers",
    responses={200: documented(KeySet, "A JWK Set (RFC 7517); empty where none signs in so.", examples.KEYS)},
)
async def keys(request: Request) -> Response:
    """To register as this client's `jwks_uri` for SMART Backend Services. Public parts only, of the keys in use
    and, while they are rotated, of the next and the last. No credentials needed."""
    published = request.app.state.published_keys()
    return Response(encode(published), media_type="application/json", headers={"Cache-Control": "max-age=60"})


@router.get(
    "/metrics",
    response_class=PlainTextResponse,
    summary="Counts and durations for Prometheus",
    responses={
        200: {
            "description": "Text exposition format. No label names a patient, an exchange or an address.",
            "content": {"text/plain": {"schema": {"type": "string"}, "example": examples.METRICS}},
        },
        401: problem("No valid credentials.", examples.UNAUTHENTICATED),
        403: problem("The token lacks `careplan.metrics`.", examples.FORBIDDEN),
    },
)
async def metrics(_: Operator) -> Response:
    """HTTP requests by route template, exchanges by outcome, requests to FHIR servers by kind, and
    whether one is left alone after too many failures."""
    return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)
