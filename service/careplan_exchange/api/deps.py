"""What a route can ask for: the product, the runner, and a caller with a scope, named in the argument's type."""

from collections.abc import Awaitable, Callable
from typing import Annotated, cast

from fastapi import Depends, Request

from careplan_exchange.jobs import Exchanges, Runner

from .auth import ApiAuth, Caller, Scope, forbidden
from .problems import ProblemError


def _exchanges(request: Request) -> Exchanges:
    return cast("Exchanges", request.app.state.exchanges)


def _runner(request: Request) -> Runner:
    return cast("Runner", request.app.state.runner)


def _with(scope: Scope) -> Callable[[Request], Awaitable[Caller]]:
    async def caller(request: Request) -> Caller:
        auth = cast("ApiAuth", request.app.state.auth)
        found = await auth.caller(request.headers)
        if scope not in found.scopes:
            raise forbidden(scope)
        return found

    return caller


def _json(request: Request) -> None:
    """A browser sends a body without this header across sites unasked, so its absence is never read as JSON."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise ProblemError(
            415, "http.415", "The body is not declared as JSON.", mend="Send Content-Type: application/json."
        )


JsonBody = Depends(_json)
ExchangesDep = Annotated[Exchanges, Depends(_exchanges)]
RunnerDep = Annotated[Runner, Depends(_runner)]
Reader = Annotated[Caller, Depends(_with("careplan.read"))]
Writer = Annotated[Caller, Depends(_with("careplan.write"))]
Auditor = Annotated[Caller, Depends(_with("careplan.audit"))]
Operator = Annotated[Caller, Depends(_with("careplan.metrics"))]


def configured(exchanges: Exchanges, name: str | None) -> str:
    """The endpoint of that name, or the only one. A URL or path from a client would have the service fetch what
    the client chooses, so the configured names are the whole list. Raises ProblemError (400)."""
    chosen = name if name is not None else exchanges.default_endpoint
    if chosen is None:
        raise ProblemError(
            400,
            "endpoint.missing",
            "The request names no endpoint, and there is not exactly one configured.",
            mend="Name a configured endpoint.",
        )
    if chosen not in exchanges.endpoint_names:
        raise ProblemError(
            400,
            "endpoint.unknown",
            "The request names an endpoint that is not configured here.",
            mend="Name an endpoint of this service's settings. URLs are not taken over HTTP.",
        )
    return chosen
