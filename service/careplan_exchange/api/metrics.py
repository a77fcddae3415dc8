"""Requests by route template, method and status. The path itself, which may name a patient, is never a label."""

from prometheus_client import Counter, Histogram
from starlette.types import Scope

REQUESTS = Counter("careplan_http_requests", "Requests answered.", ["method", "route", "status"])
REQUEST_SECONDS = Histogram(
    "careplan_http_request_seconds", "Time to answer a request in seconds.", ["method", "route"]
)

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def method_of(scope: Scope) -> str:
    """The method, or "other": a client must not be able to make new labels."""
    method = scope["method"]
    return method if method in _METHODS else "other"


def route_of(scope: Scope) -> str:
    """The template of the route (`/api/v1/exchanges/{exchange_id}`), or "unmatched"."""
    return getattr(scope.get("route"), "path", "unmatched")


def count(scope: Scope, status: int, seconds: float) -> None:
    method, route = method_of(scope), route_of(scope)
    REQUESTS.labels(method, route, str(status)).inc()
    REQUEST_SECONDS.labels(method, route).observe(seconds)
