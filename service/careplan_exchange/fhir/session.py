"""One request and its answer: headers, the caps on size, time and concurrency, retries, logs and metrics.

Everything that the client says to a server goes through `Session.send`.
"""

import asyncio
import time
from typing import NamedTuple

import httpx
import msgspec

from careplan_exchange import logs
from careplan_exchange.errors import NotFhirError
from careplan_exchange.ports import Ids

from . import metrics
from .connection import Connection
from .credentials import credentials_for
from .failures import busy, nothing_was_sent, outcome_unknown, unreachable
from .link import origin_of
from .retry import RETRIED_STATUSES, Kind, Pacing, Transient, parse_retry_after, persist

FHIR_JSON = "application/fhir+json"

WHOLE_ANSWER = 10
"""An answer may take this many times `timeout_seconds` in all; a server that drips bytes is not waited for."""

_ERROR_BYTES = 1024 * 1024
"""As much of the body of a failure is read; it is only asked for its OperationOutcome."""


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """A request. `what` names it without values, `label` is its type in metrics. `request_id` is made where it
    is not given. `kind` decides about retries: a batch of searches is a read."""

    method: str
    url: str
    what: str
    label: str
    kind: Kind = "read"
    body: bytes | None = None
    headers: tuple[tuple[str, str], ...] = ()
    request_id: str | None = None


class Answer(NamedTuple):
    """Any answer but those that a retry is made of; also a refusal."""

    status: int
    headers: httpx.Headers
    body: bytes

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


class Session:
    """The state shared by all requests to one endpoint. `batch_refused`: the server claims batch and lies."""

    def __init__(self, connection: Connection, http: httpx.AsyncClient, ids: Ids, pacing: Pacing) -> None:
        self.connection = connection
        self.base_url = connection.base_url
        self.batch_refused = False
        self.credentials = credentials_for(connection, http, ids, pacing)
        self._http = http
        self._ids = ids
        self._pacing = pacing
        self._slots = asyncio.Semaphore(connection.concurrency)
        self._where = origin_of(connection.base_url)
        self._endpoint = logs.hashed(connection.base_url)
        self._log = logs.get_logger()

    async def send(self, ask: Ask) -> Answer:
        """The server's answer, whatever its status, after retries by kind of request.

        Raises EndpointUnreachableError, EndpointOverloadedError, NotFhirError (larger than an answer may be) and,
        for a write only, OutcomeUnknownError. After a 401 it signs in once more, where
        that can give another token.
        """
        request_id = ask.request_id or self._ids.new()

        async def attempt() -> Answer:
            token = await self.credentials.header()
            answer = await self._once(ask, request_id, token)
            if answer.status == 401:
                renewed = await self.credentials.after_refusal(token)
                if renewed is not None:
                    answer = await self._once(ask, request_id, renewed)
            self._raise_where_another_may_do_better(ask, answer)
            return answer

        def on_retry(reason: str, number: int, wait: float) -> None:
            metrics.RETRIES.labels(self._endpoint, reason).inc()
            self._log.warning(
                logs.FHIR_RETRY,
                endpoint=self._endpoint,
                method=ask.method,
                type=ask.label,
                reason=reason,
                attempt=number,
                attempts=self.connection.attempts,
                wait=round(wait, 3),
                request_id=request_id,
            )

        return await persist(
            attempt,
            kind=ask.kind,
            attempts=self.connection.attempts,
            pacing=self._pacing,
            on_retry=on_retry,
        )

    def _raise_where_another_may_do_better(self, ask: Ask, answer: Answer) -> None:
        if answer.status not in RETRIED_STATUSES:
            return
        wait = parse_retry_after(answer.headers.get("retry-after"), self._pacing.now())
        nothing_done = answer.status == 429 or (answer.status == 503 and wait is not None)
        if ask.kind == "write" and not nothing_done:
            raise outcome_unknown(f"{self._where} answered {answer.status} to it")
        error = busy(answer.status, self._where, self.connection.attempts, wait)
        raise Transient(str(answer.status), error, nothing_done=nothing_done, wait=wait)

    async def _once(self, ask: Ask, request_id: str, token: str | None) -> Answer:
        headers = {
            **dict(self.connection.headers),
            "Accept": FHIR_JSON,
            "X-Request-Id": request_id,
            **dict(ask.headers),
        }
        if token is not None:
            headers["Authorization"] = token
        if ask.body is not None:
            headers["Content-Type"] = FHIR_JSON
        async with self._slots:
            started = time.perf_counter()
            outcome, size = "error", 0
            try:
                async with asyncio.timeout(self.connection.timeout_seconds * WHOLE_ANSWER):
                    answer = await self._exchange(ask, headers)
                outcome, size = str(answer.status), len(answer.body)
            except (httpx.TransportError, TimeoutError) as error:
                raise self._transport_failure(ask, error) from error
            else:
                return answer
            finally:
                self._measure(ask, request_id, outcome, time.perf_counter() - started, size)

    async def _exchange(self, ask: Ask, headers: dict[str, str]) -> Answer:
        async with self._http.stream(ask.method, ask.url, content=ask.body, headers=headers) as response:
            if response.status_code >= 400:
                return Answer(response.status_code, response.headers, await _what_can_be_read(response))
            limit = self.connection.max_response_bytes
            stated = response.headers.get("content-length", "")
            if stated.isascii() and stated.isdigit() and int(stated[:18]) > limit:
                raise self._too_large(ask)
            pieces, size = [], 0
            try:
                async for piece in response.aiter_bytes():
                    size += len(piece)
                    if size > limit:
                        raise self._too_large(ask)
                    pieces.append(piece)
            except httpx.DecodingError:
                if ask.kind == "write":
                    raise outcome_unknown("its answer is damaged") from None
                raise NotFhirError(
                    f"{ask.what}: the answer's compression is damaged.",
                    mend="Look for a proxy that rewrites answers.",
                ) from None
            return Answer(response.status_code, response.headers, b"".join(pieces))

    def _too_large(self, ask: Ask) -> Exception:
        megabytes = self.connection.max_response_bytes / (1024 * 1024)
        if ask.kind == "write":
            return outcome_unknown(f"its answer is larger than {megabytes:g} MB")
        return NotFhirError(
            f"{ask.what}: the answer is larger than {megabytes:g} MB and was not read to its end.",
            mend="Check that the URL is a FHIR base URL; if it is, raise max_response_mb of the endpoint.",
        )

    def _transport_failure(self, ask: Ask, error: Exception) -> Exception:
        reason, failure = unreachable(error, self._where)
        unsent = nothing_was_sent(error)
        if ask.kind == "write" and not unsent:
            return outcome_unknown(failure.detail.rstrip(".")[0].lower() + failure.detail.rstrip(".")[1:])
        return Transient(reason, failure, nothing_done=unsent)

    def _measure(self, ask: Ask, request_id: str, outcome: str, seconds: float, size: int) -> None:
        status = f"{outcome[0]}xx" if outcome.isdigit() else outcome
        metrics.REQUESTS.labels(self._endpoint, ask.method, ask.label, status).inc()
        metrics.SECONDS.labels(self._endpoint, ask.method).observe(seconds)
        self._log.debug(
            logs.FHIR_REQUEST,
            endpoint=self._endpoint,
            method=ask.method,
            type=ask.label,
            status=outcome,
            seconds=round(seconds, 4),
            bytes=size,
            request_id=request_id,
        )


async def _what_can_be_read(response: httpx.Response) -> bytes:
    """The beginning of a failure's body. The status decides; the body only explains, so it may break off."""
    pieces, size = [], 0
    try:
        async for piece in response.aiter_bytes():
            pieces.append(piece)
            size += len(piece)
            if size > _ERROR_BYTES:
                break
    except (httpx.TransportError, httpx.DecodingError):
        pass
    return b"".join(pieces)
