"""An answer that does not come is asked for again, for a while, and then named; limits, logs, metrics."""

import asyncio
import logging
import socket

import httpx
import pytest
import structlog
from prometheus_client import REGISTRY

from careplan_exchange import logs
from careplan_exchange.errors import (
    AuthenticationRefusedError,
    EndpointOverloadedError,
    EndpointUnreachableError,
    UnsupportedServerError,
)
from careplan_exchange.fhir import BearerAuth, Connection, Query, connect
from careplan_exchange.fhir.transport import http_client

from .failing import FAILURES, Torn
from .wire import (
    BASE,
    CountingIds,
    Pauses,
    Server,
    client_of,
    fhir,
    goal,
    outcome,
    read_goal,
    searchset,
    statement,
)

# --- when it does not come ------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
async def test_a_read_is_repeated_after_a_passing_failure(status):
    server, pauses = Server([fhir(status=status), fhir(status=status), fhir(goal())]), Pauses()
    await read_goal(server, pauses=pauses)
    assert pauses == [0.5, 1.0]
    assert {request.headers["x-request-id"] for request in server.requests} == {"id-1"}


@pytest.mark.parametrize(
    ("status", "error"),
    [(408, EndpointOverloadedError), (429, EndpointOverloadedError), (500, EndpointOverloadedError),
     (503, EndpointOverloadedError), (502, EndpointUnreachableError), (504, EndpointUnreachableError)],
)  # fmt: skip
async def test_when_the_attempts_are_used_up_the_last_failure_is_named(status, error):
    server, pauses = Server(fhir(status=status)), Pauses()
    with pytest.raises(error, match=str(status)):
        await read_goal(server, attempts=3, pauses=pauses)
    assert (len(server.requests), len(pauses)) == (3, 2)


@pytest.mark.parametrize("wish", ["7", "Sun, 01 Mar 2026 12:00:07 GMT"])
async def test_both_forms_of_retry_after_are_honoured(wish):
    server, pauses = Server([fhir(status=429, retry_after=wish), fhir(goal())]), Pauses()
    await read_goal(server, pauses=pauses, chance=lambda: 0.0)
    assert pauses == [7.0]


async def test_a_server_that_wants_an_hour_is_left_alone_and_the_hour_is_named():
    server = Server(fhir(status=503, retry_after="3600"))
    with pytest.raises(EndpointOverloadedError, match="3600 seconds"):
        await read_goal(server)
    assert len(server.requests) == 1


@pytest.mark.parametrize("reason", FAILURES)
async def test_a_failure_below_http_is_repeated_and_counted_by_its_reason(reason):
    labels = {"endpoint": logs.hashed(BASE), "reason": reason}
    before = REGISTRY.get_sample_value("careplan_fhir_retries_total", labels) or 0
    server = Server(FAILURES[reason])
    with pytest.raises(EndpointUnreachableError) as caught:
        await read_goal(server, attempts=3)
    assert len(server.requests) == 3
    assert REGISTRY.get_sample_value("careplan_fhir_retries_total", labels) == before + 2
    assert "https://fhir.example.org" in caught.value.detail


async def test_each_of_these_failures_has_a_mend_of_its_own():
    mends = set()
    for failure in FAILURES.values():
        with pytest.raises(EndpointUnreachableError) as caught:
            await read_goal(Server(failure), attempts=1)
        mends.add(caught.value.mend)
    assert len(mends) == len(FAILURES)


async def test_an_answer_that_breaks_off_is_asked_for_again():
    server = Server([httpx.Response(200, stream=Torn()), fhir(goal())])
    assert (await read_goal(server)).id == "g1"


async def test_a_server_that_drips_its_answer_is_given_up():
    class Drip(httpx.AsyncByteStream):
        async def __aiter__(self):
            while True:
                await asyncio.sleep(0)
                yield b" "

    with pytest.raises(EndpointUnreachableError, match="in time"):
        await read_goal(Server(httpx.Response(200, stream=Drip())), attempts=1, timeout_seconds=0.002)


async def test_a_closed_port_is_said_to_refuse():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    connection = Connection(base_url=f"http://127.0.0.1:{port}/fhir", attempts=1)
    async with connect(connection, ids=CountingIds()) as client:
        with pytest.raises(EndpointUnreachableError, match="refused"):
            await client.read("Goal", "g1")


# --- limits, logs, metrics ------------------------------------------------------------------------------------


async def test_no_more_requests_are_under_way_than_the_endpoint_allows():
    under_way = most = 0

    async def handler(request):
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.001)
        under_way -= 1
        return fhir(goal())

    async with client_of(handler, concurrency=3) as client:
        await asyncio.gather(*(client.read("Goal", "g1") for _ in range(12)))
    assert most == 3


async def test_logs_and_metrics_name_no_patient_and_no_token():
    logs_kept = structlog.testing.LogCapture()
    structlog.configure(processors=[logs_kept])
    try:
        server = Server([fhir(status=503), fhir(searchset(goal(birthDate="1950-05-05")))])
        async with client_of(server, auth=BearerAuth(read_token=lambda: "sesame")) as client:
            await client.search(Query("Goal", (("patient.identifier", "urn:mrn|4711-secret"),)))
    finally:
        structlog.reset_defaults()
    events = [entry["event"] for entry in logs_kept.entries]
    assert events == [logs.FHIR_REQUEST, logs.FHIR_RETRY, logs.FHIR_REQUEST]
    retry = logs_kept.entries[1]
    assert (retry["reason"], retry["attempt"], retry["attempts"], retry["wait"]) == ("503", 1, 4, 0.5)
    metrics = [
        f"{sample.name} {sample.labels}"  # a value is a count or a time, and may hold any digits
        for metric in REGISTRY.collect()
        for sample in metric.samples
        if "careplan_fhir" in sample.name
    ]
    assert metrics
    for secret in ("4711", "sesame", "example.org", "1950"):
        assert secret not in repr(logs_kept.entries)
        assert secret not in "".join(metrics)
    assert all(set(entry) <= logs._ALLOWED_KEYS | {"log_level"} for entry in logs_kept.entries)


async def test_every_failed_attempt_is_in_the_log_with_its_reason_also_the_last():
    server = Server(
        [fhir(status=503), httpx.ReadTimeout("slow"), fhir(status=429, retry_after="2"), fhir(status=500)]
    )
    with structlog.testing.capture_logs() as said, pytest.raises(EndpointOverloadedError):
        await read_goal(server)
    failed = [entry for entry in said if entry["event"] in {logs.FHIR_RETRY, logs.FHIR_GIVEN_UP}]
    assert [(entry["attempt"], entry["reason"]) for entry in failed] == [
        (1, "503"),
        (2, "timeout"),
        (3, "429"),
        (4, "500"),
    ]
    assert [entry["event"] for entry in failed] == [logs.FHIR_RETRY] * 3 + [logs.FHIR_GIVEN_UP]
    assert len({entry["request_id"] for entry in failed}) == 1


async def test_requests_are_counted_by_method_type_and_class_of_the_answer():
    labels = {"endpoint": logs.hashed(BASE), "method": "GET", "type": "Goal", "status": "4xx"}
    before = REGISTRY.get_sample_value("careplan_fhir_requests_total", labels) or 0
    async with client_of(Server(fhir(outcome(), 404))) as client:
        await client.find("Goal", "g1")
    assert REGISTRY.get_sample_value("careplan_fhir_requests_total", labels) == before + 1


async def test_the_libraries_below_never_log_urls_or_headers():
    logging.getLogger("httpx").setLevel(logging.NOTSET)
    async with http_client(Connection(base_url=BASE)):
        assert not logging.getLogger("httpx").isEnabledFor(logging.INFO)
        assert not logging.getLogger("httpcore.http11").isEnabledFor(logging.DEBUG)


async def test_capabilities_are_asked_for_once_by_many_and_again_after_a_failure():
    server = Server([fhir(status=404), fhir(statement("Goal"))])
    async with client_of(server) as client:
        with pytest.raises(UnsupportedServerError, match="metadata"):
            await client.capabilities()
        found = await asyncio.gather(*(client.capabilities() for _ in range(5)))
    assert server.paths == ["/metadata", "/metadata"]
    assert found[0].release == "R4"


async def test_capabilities_behind_a_sign_in_are_an_authentication_matter():
    async with client_of(Server(fhir(outcome(), 401))) as client:
        with pytest.raises(AuthenticationRefusedError):
            await client.capabilities()
