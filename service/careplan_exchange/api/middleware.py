"""Around every request: its id, the size limit, the address check, security headers, the count, the log, and a
last net for errors, so that no stack trace reaches a client or the log."""

import re
import time

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from careplan_exchange import logs
from careplan_exchange.ports import Ids

from . import metrics, problems
from .hosts import names_loopback

MAX_BODY_BYTES = 1024 * 1024
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
_REQUEST_ID = re.compile(r"[A-Za-z0-9._\-]{1,64}")


class Envelope:
    """The outermost layer of ours. `loopback_only` adds the checks that keep a web page from reaching an open
    service on its reader's own machine (DNS rebinding, requests from another site)."""

    def __init__(self, app: ASGIApp, *, ids: Ids, loopback_only: bool) -> None:
        self._app = app
        self._ids = ids
        self._loopback_only = loopback_only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else self._ids.new()
        scope.setdefault("state", {})["request_id"] = request_id
        status = 0

        async def send_wrapped(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                added = MutableHeaders(scope=message)
                added["X-Request-Id"] = request_id
                for name, value in SECURITY_HEADERS.items():
                    added.setdefault(name, value)
            await send(message)

        begun = time.perf_counter()  # a duration, not a point in time: no clock of the product's
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                if refusal := self._refusal(headers):
                    await problems.render(refusal, request_id)(scope, receive, send_wrapped)
                else:
                    await self._app(scope, _limited(receive), send_wrapped)
            except Exception as error:  # noqa: BLE001 - or its values are printed
                logs.get_logger().error(
                    logs.API_REQUEST, route=metrics.route_of(scope), status=500, error=type(error).__name__
                )
                if status == 0:
                    await problems.render(problems.unforeseen(), request_id)(scope, receive, send_wrapped)
            seconds = time.perf_counter() - begun
            metrics.count(scope, status, seconds)
            logs.get_logger().info(
                logs.API_REQUEST,
                method=metrics.method_of(scope),
                route=metrics.route_of(scope),
                status=status,
                seconds=round(seconds, 4),
            )

    def _refusal(self, headers: Headers) -> problems.ProblemError | None:
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > MAX_BODY_BYTES:
            return problems.ProblemError(413, "http.413", "The body is too large.", mend="Send less than 1 MB.")
        if not self._loopback_only:
            return None
        if not names_loopback(f"//{headers.get('host', '')}"):
            return problems.ProblemError(
                421,
                "http.421",
                "Without authentication this service answers on loopback names only.",
                mend="Call it as localhost, 127.0.0.1 or [::1], or set an API key or an OIDC issuer.",
            )
        if (origin := headers.get("origin")) is not None and not names_loopback(origin):
            return problems.ProblemError(
                403,
                "http.403",
                "Without authentication this service takes no requests from pages of another site.",
                mend="Set an API key or an OIDC issuer.",
            )
        return None


def _limited(receive: Receive) -> Receive:
    """`receive` that stops a body without a (true) Content-Length at the limit."""
    seen = 0

    async def limited() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > MAX_BODY_BYTES:
            raise HTTPException(413)
        return message

    return limited
