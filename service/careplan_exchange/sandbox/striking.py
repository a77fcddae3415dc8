"""How faults strike: a layer around the application that answers in its stead, spoils its answer, or hangs up."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from careplan_exchange.model.codec import encode

from .bodies import blanks, packed_blanks
from .connections import hang_up
from .faults import Fault, Faults, Kind
from .outcomes import Problem, outcome_of
from .smart import CONFIGURATION_PATH, TOKEN_PATH

_INSTEAD: tuple[Kind, ...] = (
    "status", "html", "empty", "huge", "gzip_bomb", "outcome_200", "reset_before_commit",
)  # fmt: skip
_AFTERWARDS: tuple[Kind, ...] = (
    "late_answer", "slow_drip", "reset_after_commit", "reset_in_answer", "cut_body", "wrong_type",
)  # fmt: skip
_HTML = b"<!doctype html><html><head><title>Sign in</title></head><body>Please sign in.</body></html>"


class FaultMiddleware:
    """Around every request but those to the control route and those of no FHIR path."""

    def __init__(self, app: ASGIApp, *, faults: Faults, base: str, control: str | None) -> None:
        self._app = app
        self._faults = faults
        self._base = base
        self._control = control

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        url = self._url(scope)
        if url is None:
            await self._app(scope, receive, send)
            return
        method = scope["method"]
        if fault := self._faults.take({"latency"}, method, url):
            await asyncio.sleep(fault.seconds)
        if fault := self._faults.take(_kinds_for(url), method, url):
            await _instead(fault, scope, receive, send)
        elif fault := self._faults.take(_AFTERWARDS, method, url):
            await self._afterwards(fault, scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _url(self, scope: Scope) -> str | None:
        """`path?query` below the base URL, None for what no fault can strike."""
        if scope["type"] != "http" or not scope["path"].startswith(self._base):
            return None
        path = scope["path"].removeprefix(self._base).strip("/")
        query = scope["query_string"].decode()
        if path == self._control:
            return None
        return f"{path}?{query}" if query else path

    async def _afterwards(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        messages: list[Message] = []

        async def keep(message: Message) -> None:
            messages.append(message)

        await self._app(_asking_plain(scope), receive, keep)
        if fault.kind == "reset_after_commit":
            await hang_up(scope, receive)
            return
        if fault.kind == "late_answer":
            if not await _gone_within(fault.seconds, receive):
                for message in messages:
                    await send(message)
            return
        start, body = messages[0], b"".join(message.get("body", b"") for message in messages[1:])
        if fault.kind == "wrong_type":
            await send(_with_header(start, b"content-type", b"text/plain; charset=utf-8"))
            await send({"type": "http.response.body", "body": body})
        elif fault.kind == "slow_drip":
            await send(start)
            await _drip(body, fault.seconds, receive, send)
        elif fault.kind == "cut_body":
            half = body[: len(body) // 2]
            await send(_with_header(start, b"content-length", str(len(half)).encode()))
            await send({"type": "http.response.body", "body": half})
        else:
            await send(start)
            await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
            await hang_up(scope, receive)


def _asking_plain(scope: Scope) -> Scope:
    """The request without its Accept-Encoding: what is spoiled is the JSON itself."""
    headers = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
    return {**scope, "headers": headers}


def _with_header(start: Message, wanted: bytes, value: bytes) -> Message:
    headers = [(name, value if name == wanted else held) for name, held in start["headers"]]
    return {**start, "headers": headers}


async def _drip(body: bytes, seconds: float, receive: Receive, send: Send) -> None:
    """Byte by byte, until the client has had enough."""
    for index in range(len(body)):
        if await _gone_within(seconds, receive):
            return
        piece = body[index : index + 1]
        await send({"type": "http.response.body", "body": piece, "more_body": index + 1 < len(body)})


def _kinds_for(url: str) -> tuple[Kind, ...]:
    """What may strike instead of an answer: the token endpoint has a switch of its own, and what needs no
    credentials is never unauthorised."""
    if url == TOKEN_PATH:
        return (*_INSTEAD, "token_down")
    return _INSTEAD if url.startswith((CONFIGURATION_PATH, "metadata")) else (*_INSTEAD, "unauthorized")


async def _gone_within(seconds: float, receive: Receive) -> bool:
    """Whether the client hangs up before the time is over. The request's body has been read by now."""
    try:
        async with asyncio.timeout(seconds):
            while (await receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return False
    return True


async def _instead(fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
    if fault.kind == "reset_before_commit":
        await hang_up(scope, receive)
        return
    response: Response
    if fault.kind == "unauthorized":
        body = encode(outcome_of([Problem("login", "A fault was asked for.")]))
        response = Response(body, 401, {"WWW-Authenticate": "Bearer"}, "application/fhir+json")
    elif fault.kind in {"status", "token_down"}:
        body = encode(outcome_of([Problem("transient", "A fault was asked for.")]))
        headers = {"Retry-After": _retry_after(fault)} if fault.retry_after is not None else {}
        response = Response(body, fault.status, headers, "application/fhir+json")
    elif fault.kind == "html":
        response = Response(_HTML, media_type="text/html")
    elif fault.kind == "empty":
        response = Response(media_type="application/fhir+json")
    elif fault.kind == "outcome_200":
        body = encode(outcome_of([Problem("exception", "A fault was asked for.")]))
        response = Response(body, media_type="application/fhir+json")
    elif fault.kind == "gzip_bomb":
        headers = {"Content-Encoding": "gzip"}
        response = StreamingResponse(
            packed_blanks(fault.size), headers=headers, media_type="application/fhir+json"
        )
    else:
        headers = {"Content-Length": str(fault.size)} if fault.size is not None else {}
        response = StreamingResponse(blanks(fault.size), headers=headers, media_type="application/fhir+json")
    await response(scope, receive, send)


def _retry_after(fault: Fault) -> str:
    seconds = fault.retry_after or 0
    if fault.retry_after_form == "seconds":
        return str(seconds)
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)
