"""One request and its answer: headers, the caps on size, time and concurrency, retries, logs and metrics.

Everything that the client says to a server goes through `Session.send`.
"""

import asyncio
import time

import httpx

from careplan_exchange import logs
from careplan_exchange.errors import CareplanError, CircuitOpenError
from careplan_exchange.ports import Ids

from . import heard, metrics
from .ask import Answer, Ask, answer_to
from .circuit import watched
from .connection import Connection
from .credentials import credentials_for
from .deadline import under_way
from .failures import busy, nothing_was_sent, outcome_unknown, unreachable
from .link import origin_of
from .retry import RETRIED_STATUSES, Pacing, Transient, parse_date, parse_retry_after, persist
from .slots import folder_of, open_slots
from .versions import FhirVersion

FHIR_JSON = "application/fhir+json"

WHOLE_ANSWER = 10
"""An answer may take this many times `timeout_seconds` in all; a server that drips bytes is not waited for."""


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
        self._format = FHIR_JSON
        self._where = origin_of(connection.base_url)
        self._endpoint = logs.hashed(connection.base_url)
        self.host_folder = folder_of(connection.host_folder, self._where)
        self.circuit = watched(self._where, self._endpoint, self.host_folder, pacing.now)
        self._slots = open_slots(self.host_folder, connection.concurrency, pacing)
        self._log = logs.get_logger()

    def close(self) -> None:
        """What is shared with other processes is let go."""
        self._slots.close()

    def speak(self, fhir_version: FhirVersion | None) -> None:
        """Name the FHIR version in every request from now on, or in none."""
        self._format = f"{FHIR_JSON}; fhirVersion={fhir_version}" if fhir_version else FHIR_JSON

    async def send(self, ask: Ask) -> Answer:
        """The server's answer, whatever its status, after retries by kind of request.

        Raises EndpointUnreachableError, EndpointOverloadedError, CircuitOpenError, UnavailableError (other
        processes hold every slot), NotFhirError (larger than an answer may be) and, for a write only,
        OutcomeUnknownError. After a 401 it signs in once more, where that can give another token.
        """
        request_id = ask.request_id or self._ids.new()
        listener = heard.listener()
        if listener is None:
            return await self._persistently(ask, request_id, None)
        telling = heard.Telling(ask=ask, base_url=self.base_url, request_id=request_id, at=self._pacing.now())
        requested = None
        try:
            answer = await self._persistently(ask, request_id, telling)
            requested = telling.answered(answer)
        except CircuitOpenError:
            raise  # nothing was sent
        except (CareplanError, asyncio.CancelledError) as error:
            requested = telling.unanswered(heard.error_key(error))
            raise
        finally:
            if requested is not None:
                listener(requested)
        return answer

    async def _persistently(self, ask: Ask, request_id: str, telling: heard.Telling | None) -> Answer:
        async def attempt() -> Answer:
            token = await self.credentials.header()
            if telling is not None:
                telling.authorization = token
            answer = await self._once(ask, request_id, token)
            if answer.status == 401:
                renewed = await self.credentials.after_refusal(token)
                if renewed is not None:
                    answer = await self._once(ask, request_id, renewed)
            self._raise_where_another_may_do_better(ask, answer)
            return answer

        def on_failure(reason: str, number: int, wait: float | None) -> None:
            if wait is not None:
                metrics.RETRIES.labels(self._endpoint, reason).inc()
            self._log.warning(
                logs.FHIR_GIVEN_UP if wait is None else logs.FHIR_RETRY,
                endpoint=self._endpoint,
                method=ask.method,
                type=ask.label,
                reason=reason,
                attempt=number,
                attempts=self.connection.attempts,
                wait=None if wait is None else round(wait, 3),
                request_id=request_id,
            )

        with under_way(ask.what), self.circuit.request() as decides:
            return await persist(
                attempt,
                kind=ask.kind,
                attempts=1 if decides else self.connection.attempts,
                pacing=self._pacing,
                on_failure=on_failure,
            )

    def _raise_where_another_may_do_better(self, ask: Ask, answer: Answer) -> None:
        if answer.status not in RETRIED_STATUSES:
            return
        now = parse_date(answer.headers.get("date")) or self._pacing.now()
        wait = parse_retry_after(answer.headers.get("retry-after"), now)
        nothing_done = answer.status == 429 or (answer.status == 503 and wait is not None)
        if ask.kind == "write" and not nothing_done:
            raise outcome_unknown(f"{self._where} answered {answer.status} to it")
        error = busy(answer.status, self._where, self.connection.attempts, wait)
        raise Transient(str(answer.status), error, nothing_done=nothing_done, wait=wait)

    async def _once(self, ask: Ask, request_id: str, token: str | None) -> Answer:
        headers = {
            **dict(self.connection.headers),
            "Accept": self._format,
            "Accept-Encoding": "gzip",
            "X-Request-Id": request_id,
            **dict(ask.headers),
        }
        if token is not None:
            headers["Authorization"] = token
        if ask.body is not None:
            headers["Content-Type"] = self._format
        slot = await self._slots.take()
        started = time.perf_counter()
        outcome, size = "error", 0
        try:
            async with (
                asyncio.timeout(self.connection.timeout_seconds * WHOLE_ANSWER),
                self._http.stream(ask.method, ask.url, content=ask.body, headers=headers) as response,
            ):
                answer = await answer_to(ask, response, self.connection.max_response_bytes)
            outcome, size = str(answer.status), len(answer.body)
        except (httpx.TransportError, TimeoutError) as error:
            raise self._transport_failure(ask, error) from error
        else:
            return answer
        finally:
            self._slots.give(slot)
            self._measure(ask, request_id, outcome, time.perf_counter() - started, size)

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
