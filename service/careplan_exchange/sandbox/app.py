"""The HTTP side: one route for FHIR, one for the faults where it is asked for.

Everything runs on the event loop, one request at a time: a sandbox has one writer, and its answers take a
millisecond or two.
"""

import base64
import hmac
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl

import msgspec
from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware

from careplan_exchange.logs import SANDBOX_FAULT, get_logger
from careplan_exchange.model.codec import decode, encode
from careplan_exchange.model.record import FhirRelease

from .bundles import carry_out
from .calls import Answer, Call, Wish
from .faults import Fault, Faults
from .interactions import answer
from .outcomes import Json, Problem, RefusalError, outcome_of, refusal
from .scopes import Scopes
from .smart import CONFIGURATION_PATH, TOKEN_PATH, TOKEN_SECONDS, Authorizer, TokenRefusedError
from .state import Server
from .striking import FaultMiddleware
from .taking import Takes
from .vendors import OWN_NAME

BASE = "/fhir"
CONTROL = "$faults"
FHIR_JSON = "application/fhir+json"
LARGEST_BODY = 64 * 1024**2
_WORTH_PACKING = 2048

_JSON_TYPES = frozenset({FHIR_JSON, "application/json", "text/json"})
_ACCEPTED = _JSON_TYPES | {"*/*", "application/*", ""}
_FORMATS = _JSON_TYPES | {"json"}
_WISHES: dict[str, Wish] = {
    "return=minimal": "minimal",
    "return=representation": "representation",
    "return=OperationOutcome": "OperationOutcome",
}


def utc_now() -> datetime:
    return datetime.now(UTC)


def new_id() -> str:
    return str(uuid.uuid4())


def create_app(
    *,
    release: FhirRelease = "R4",
    database: Path | None = None,
    faults: Faults | None = None,
    control: bool = False,
    bearer: str | None = None,
    basic: tuple[str, str] | None = None,
    smart: Path | None = None,
    smart_scopes: str = "system/*.cruds",
    token_seconds: int = TOKEN_SECONDS,
    clock: Callable[[], datetime] = utc_now,
    ids: Callable[[], str] = new_id,
    software: str | None = None,
    takes: Takes = "references",
) -> FastAPI:
    """The application; its state is at `app.state.server`. FHIR is below `/fhir`.

    `database` None keeps the data in memory. `control` mounts `/fhir/$faults`: POST arms a Fault, GET lists,
    DELETE disarms all. `bearer` or `basic` (name, password): who may do anything but read the
    CapabilityStatement. `smart`: a JWK Set file; whoever signs with one of its keys gets a token for as many of
    `smart_scopes` as asked for (SMART Backend Services), and without one nothing else is answered. `software` is
    its name in the CapabilityStatement; by that of a vendor in `vendors.py` it demands what theirs does. `takes`:
    what of a plan can be written here (taking.py); what is loaded is there all the same. Raises
    StoreVersionError, StoreUnavailableError, SettingsError (no such keys).
    """
    armed = faults if faults is not None else Faults()
    server = Server(
        release=release,
        database=database,
        faults=armed,
        clock=clock,
        ids=ids,
        software=software or OWN_NAME,
        takes=takes,
    )
    app = FastAPI(openapi_url=None)
    app.state.server = server
    if smart is not None:
        server.authorizer = Authorizer(smart, clock, seconds=token_seconds, allowed=smart_scopes)
        app.add_api_route(f"{BASE}/{CONFIGURATION_PATH}", _configuration(server.authorizer), methods=["GET"])
        app.add_api_route(f"{BASE}/{TOKEN_PATH}", _token(server.authorizer), methods=["POST"])
    if control:
        app.add_api_route(f"{BASE}/{CONTROL}", _control(armed), methods=["GET", "POST", "DELETE"])

    async def fhir(request: Request, path: str = "") -> Response:
        try:
            _require_credentials(request, path, bearer, basic)
            scopes = None
            if server.authorizer is not None and path != "metadata":
                scopes = server.authorizer.scopes_of(request.headers.get("authorization", ""))
            return _respond(await _carried_out(server, request, path, scopes), request)
        except RefusalError as problem:
            return _refused(problem)

    for route in (BASE, f"{BASE}/{{path:path}}"):
        app.add_api_route(route, fhir, methods=["GET", "POST", "PUT", "DELETE"])
    app.add_exception_handler(HTTPException, _no_route)
    app.add_middleware(GZipMiddleware, minimum_size=_WORTH_PACKING, compresslevel=1)
    app.add_middleware(FaultMiddleware, faults=armed, base=BASE, control=CONTROL if control else None)
    return app


async def _carried_out(server: Server, request: Request, path: str, scopes: Scopes | None) -> Answer:
    _require_json_wanted(request)
    call = msgspec.structs.replace(await _call(request, path), scopes=scopes)
    if call.method == "POST" and not call.segments:
        return carry_out(server, call)
    return answer(server, call)


async def _call(request: Request, path: str) -> Call:
    headers = request.headers
    prefer = [one.strip() for one in headers.get("prefer", "").replace(";", ",").split(",")]
    query, body = request.url.query, None
    if request.method in {"POST", "PUT"}:
        data = await _body(request)
        if path.endswith("/_search"):
            query = "&".join(part for part in (query, data.decode()) if part)
        else:
            body = _resource(request, data)
    return Call(
        method=request.method,
        path=path.strip("/"),
        query=query,
        base_url=_base_url(request),
        body=body,
        if_match=headers.get("if-match"),
        if_none_match=headers.get("if-none-match"),
        if_none_exist=headers.get("if-none-exist"),
        wish=next((_WISHES[one] for one in prefer if one in _WISHES), None),
        lenient="handling=lenient" in prefer,
    )


async def _body(request: Request) -> bytes:
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > LARGEST_BODY:
            raise refusal(413, "too-long", "The body is larger than 64 MiB.")
    return bytes(data)


def _resource(request: Request, data: bytes) -> Json:
    content_type = request.headers.get("content-type", "").split(";")[0].strip()
    if content_type not in _JSON_TYPES:
        raise refusal(415, "not-supported", f"The body is sent as {FHIR_JSON}.")
    try:
        body = decode(data)
    except msgspec.DecodeError:
        raise refusal(400, "structure", "The body is not JSON.") from None
    if not isinstance(body, dict) or not isinstance(body.get("resourceType"), str):
        raise refusal(400, "structure", "The body is not a resource.")
    return body


def _require_json_wanted(request: Request) -> None:
    accept = [one.split(";")[0].strip() for one in request.headers.get("accept", "").split(",")]
    wanted = parse_qs(request.url.query).get("_format", ["json"])[-1].split(";")[0].replace(" ", "+")
    if wanted not in _FORMATS or not _ACCEPTED.intersection(accept):
        raise refusal(406, "not-supported", f"The sandbox answers {FHIR_JSON} only.")


def _require_credentials(request: Request, path: str, bearer: str | None, basic: tuple[str, str] | None) -> None:
    if (bearer is None and basic is None) or path == "metadata":
        return
    scheme, _, sent = request.headers.get("authorization", "").partition(" ")
    expected = {"bearer": bearer, "basic": base64.b64encode(":".join(basic).encode()).decode() if basic else None}
    wanted = expected.get(scheme.lower())
    if wanted is None or not hmac.compare_digest(wanted.encode(), sent.strip().encode()):
        challenge = "Bearer" if bearer is not None else 'Basic realm="sandbox"'
        raise refusal(
            401, "login", "The credentials are missing or wrong.", headers={"WWW-Authenticate": challenge}
        )


def _configuration(authorizer: Authorizer) -> Callable[[Request], Any]:
    async def configuration(request: Request) -> Response:
        return Response(encode(authorizer.configuration(_base_url(request))), media_type="application/json")

    return configuration


def _token(authorizer: Authorizer) -> Callable[[Request], Any]:
    async def token(request: Request) -> Response:
        headers = {"Cache-Control": "no-store"}
        try:
            form = dict(parse_qsl((await _body(request)).decode("utf-8", "replace")))
            given = authorizer.grant(form, f"{_base_url(request)}/{TOKEN_PATH}")
        except TokenRefusedError as error:
            body = encode({"error": error.error, "error_description": error.description})
            return Response(body, error.status, headers, "application/json")
        except RefusalError as problem:
            return _refused(problem)
        return Response(encode(given), headers=headers, media_type="application/json")

    return token


def _base_url(request: Request) -> str:
    return str(request.base_url).rstrip("/") + BASE


def _respond(done: Answer, request: Request) -> Response:
    headers = {}
    if done.stored is not None and done.etag is not None:
        moment = datetime.fromisoformat(done.stored.updated)
        headers = {"ETag": done.etag, "Last-Modified": format_datetime(moment.astimezone(UTC), usegmt=True)}
    base_url = _base_url(request)
    if (location := done.location(base_url)) is not None:
        headers["Location"] = location
    content = done.content
    if content is None:
        return Response(status_code=done.status, headers=headers)
    return Response(encode(content), status_code=done.status, headers=headers, media_type=FHIR_JSON)


def _refused(problem: RefusalError) -> Response:
    body = encode(outcome_of(problem.problems))
    return Response(body, status_code=problem.status, headers=problem.headers, media_type=FHIR_JSON)


async def _no_route(_: Request, error: Exception) -> Response:
    """What Starlette refuses by itself: an unknown path, a method that no route has."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    code = "not-supported" if status == 405 else "not-found"
    body = encode(outcome_of([Problem(code, "There is no such interaction here.")]))
    return Response(body, status_code=status, media_type=FHIR_JSON)


def _control(faults: Faults) -> Callable[[Request], Any]:
    async def control(request: Request) -> Response:
        if request.method == "DELETE":
            faults.clear()
        elif request.method == "POST":
            try:
                fault = msgspec.json.decode(await request.body(), type=Fault)
            except msgspec.DecodeError as error:
                return _refused(refusal(400, "structure", f"This is no fault: {error}"))
            faults.arm(fault)
            get_logger().info(SANDBOX_FAULT, fault=fault.kind, count=fault.times)
        return Response(encode(faults.armed()), media_type="application/json")

    return control
