"""A server that fails again and again is left alone for a while, tried by one request, and taken up again."""

import asyncio
from datetime import timedelta

import httpx
import pytest
import structlog
from prometheus_client import REGISTRY

from careplan_exchange import logs
from careplan_exchange.errors import (
    CareplanError,
    CircuitOpenError,
    EndpointOverloadedError,
    EndpointUnreachableError,
    NotFhirError,
    OutcomeUnknownError,
    RefusedError,
    UnavailableError,
)
from careplan_exchange.fhir import Connection, Pacing, connect
from careplan_exchange.fhir.breaker import COOL_DOWN, FAILURES, Breaker
from careplan_exchange.fhir.circuit import noted
from careplan_exchange.fhir.slots import folder_of

from .wire import BASE, NOW, CountingIds, Pauses, Server, client_of, fhir, goal, outcome

ORIGIN = "https://fhir.example.org"
DOWN = httpx.ConnectError("refused")


class Clock:
    def __init__(self):
        self.moment = NOW

    def now(self):
        return self.moment

    def tick(self, seconds=30):
        self.moment += timedelta(seconds=seconds)


@pytest.fixture
def clock():
    return Clock()


def client(server, clock, **settings):
    pacing = Pacing(sleep=Pauses(), now=clock.now, chance=lambda: 1.0)
    connection = Connection(base_url=BASE, **{"attempts": 1, **settings})
    return connect(connection, ids=CountingIds(), transport=httpx.MockTransport(server), pacing=pacing)


async def fail(client, times=FAILURES, error=UnavailableError):
    for _ in range(times):
        with pytest.raises(error) as caught:
            await client.read("Goal", "g1")
        assert not isinstance(caught.value, CircuitOpenError)


def gauge():
    return REGISTRY.get_sample_value("careplan_fhir_circuit", {"endpoint": logs.hashed(BASE)})


@pytest.mark.parametrize(
    "answer", [DOWN, httpx.ReadTimeout("slow"), *(lambda r, s=s: fhir(status=s) for s in (429, 500, 503, 504))]
)
async def test_after_so_many_failures_in_a_row_nothing_is_sent_and_the_error_says_when_it_is_tried_again(
    answer, clock
):
    server = Server(answer)
    async with client(server, clock) as one:
        await fail(one)
        clock.tick(10)
        with pytest.raises(CircuitOpenError, match="left alone, and nothing was sent") as caught:
            await one.read("Goal", "g1")
    assert len(server.requests) == FAILURES
    assert "at 12:00:30 UTC, in 20 seconds" in caught.value.mend
    assert "doctor" in caught.value.mend
    assert caught.value.exit_code == 5


async def test_the_attempts_of_one_request_are_one_failure(clock):
    server = Server(DOWN)
    async with client(server, clock, attempts=4) as one:
        await fail(one)
        with pytest.raises(CircuitOpenError):
            await one.read("Goal", "g1")
    assert len(server.requests) == 4 * FAILURES


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (lambda r: fhir(goal()), None),
        (lambda r: fhir(outcome(), 400), RefusedError),
        (lambda r: fhir(outcome(), 401), RefusedError),
        (lambda r: fhir(b" " * 2_000_000), NotFhirError),
    ],
)
async def test_any_answer_is_a_sign_of_life_and_the_count_begins_anew(answer, error, clock):
    said = [DOWN]
    server = Server(lambda request: said[0] if isinstance(said[0], Exception) else said[0](request))
    async with client(server, clock, max_response_bytes=1_000_000) as one:
        await fail(one, FAILURES - 1)
        said[0] = answer
        if error is None:
            await one.read("Goal", "g1")
        else:
            with pytest.raises(error):
                await one.read("Goal", "g1")
        said[0] = DOWN
        await fail(one, FAILURES)
        with pytest.raises(CircuitOpenError):
            await one.read("Goal", "g1")


async def test_when_the_time_is_over_one_request_tries_the_server_and_the_others_do_not(clock):
    release = asyncio.Event()
    away = True

    async def handler(request):
        if away:
            raise DOWN
        await release.wait()
        return fhir(goal())

    async with client(handler, clock) as one:
        await fail(one)
        clock.tick()
        away = False
        probe = asyncio.create_task(one.read("Goal", "g1"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert one.circuit.state == "half-open"
        with pytest.raises(CircuitOpenError) as caught:
            await one.read("Goal", "g1")
        assert "once the one request that is under way" in caught.value.mend
        release.set()
        await probe
        assert one.circuit.state == "closed"
        await asyncio.gather(*(one.read("Goal", "g1") for _ in range(10)))


async def test_the_request_that_tries_it_makes_one_attempt_and_a_failure_leaves_it_alone_anew(clock):
    server = Server(DOWN)
    async with client(server, clock, attempts=4) as one:
        await fail(one)
        for _ in range(2):
            clock.tick()
            before = len(server.requests)
            await fail(one, 1)
            assert len(server.requests) == before + 1
            with pytest.raises(CircuitOpenError):
                await one.read("Goal", "g1")


async def test_a_request_that_tries_it_and_is_given_up_leaves_the_next_one_to_try(clock):
    hang = asyncio.Event()
    away = True

    async def handler(request):
        if away:
            raise DOWN
        await hang.wait()

    async with client(handler, clock) as one:
        await fail(one)
        clock.tick()
        away = False
        probe = asyncio.create_task(one.read("Goal", "g1"))
        await asyncio.sleep(0.01)
        probe.cancel()
        await asyncio.gather(probe, return_exceptions=True)
        assert one.circuit.state == "open"
        away = True
        await fail(one, 1)


async def test_what_was_under_way_when_it_opened_changes_nothing_by_failing_but_all_by_succeeding(clock):
    changes = []
    breaker = Breaker(ORIGIN, clock.now, changes.append)
    error = EndpointUnreachableError("The connection broke.", mend="Wait.")

    def run(outcome):
        try:
            with breaker.request():
                if outcome is not None:
                    raise outcome
        except CareplanError:
            pass

    under_way = [breaker.request() for _ in range(2)]
    for one in under_way:
        assert not one.__enter__()
    for _ in range(FAILURES):
        run(error)
    until = breaker.note.until
    clock.tick(5)
    assert not under_way[0].__exit__(type(error), error, None)
    assert (breaker.note.state, breaker.note.until) == ("open", until)
    under_way[1].__exit__(None, None, None)
    assert breaker.note.state == "closed"
    assert [note.state for note in changes] == ["open", "closed"]


async def test_a_write_that_is_not_sent_has_no_unknown_outcome(clock):
    server = Server(httpx.ReadError("broke"))
    async with client(server, clock) as one:
        for _ in range(FAILURES):
            with pytest.raises(OutcomeUnknownError):
                await one.create("Goal", goal(), if_none_exist=None, request_id="x")
        with pytest.raises(CircuitOpenError):
            await one.create("Goal", goal(), if_none_exist=None, request_id="x")
    assert len(server.requests) == FAILURES


async def test_each_change_is_logged_and_the_gauge_follows(clock):
    said = [DOWN]
    server = Server(lambda request: said[0])
    with structlog.testing.capture_logs() as kept:
        async with client(server, clock) as one:
            assert gauge() == 0
            await fail(one)
            assert gauge() == 2
            clock.tick()
            said[0] = fhir(goal())
            await one.read("Goal", "g1")
            assert gauge() == 0
    changes = [entry for entry in kept if entry["event"] == logs.FHIR_CIRCUIT]
    assert [entry["state"] for entry in changes] == ["open", "half-open", "closed"]
    assert changes[0]["error"] == "unavailable.endpoint"
    assert "example" not in repr(changes)
    assert all(set(entry) <= logs._ALLOWED_KEYS | {"log_level"} for entry in changes)


async def test_another_process_can_tell_what_this_one_met(clock, tmp_path):
    folder = folder_of(tmp_path, ORIGIN)
    async with client(Server(DOWN), clock, host_folder=tmp_path) as one:
        await fail(one)
    found = noted(folder)
    assert (found.state, found.until) == ("open", NOW + COOL_DOWN)
    assert str(found).startswith("open since 12:00:00 UTC, left alone until 12:00:30 UTC: The connection to")
    server = Server(fhir(goal()))
    async with client(server, clock, host_folder=tmp_path) as other:
        assert other.circuit_elsewhere() == found
        await other.read("Goal", "g1")  # each process decides for itself
    assert len(server.requests) == 1


async def test_a_note_is_gone_once_the_server_answers_its_writer(clock, tmp_path):
    said = [DOWN]
    async with client(Server(lambda request: said[0]), clock, host_folder=tmp_path) as one:
        await fail(one)
        clock.tick()
        said[0] = fhir(goal())
        await one.read("Goal", "g1")
        assert one.circuit_elsewhere() is None


@pytest.mark.parametrize("content", [b"", b"[]", b'{"state":"ajar","since":"2026-01-01T00:00:00Z"}', b"\xff"])
def test_a_note_that_cannot_be_read_says_nothing(tmp_path, content):
    (tmp_path / "circuit.json").write_bytes(content)
    assert noted(tmp_path) is None
    assert noted(tmp_path / "nowhere") is None


async def test_a_folder_that_cannot_be_written_is_no_reason_to_fail(clock, tmp_path):
    (tmp_path / "file").write_text("")
    async with client(Server(DOWN), clock, host_folder=tmp_path / "file") as one:
        await fail(one, error=EndpointUnreachableError)
        assert one.circuit.state == "open"


async def test_a_server_that_recovers_within_the_attempts_never_opens_it():
    answers = []
    for _ in range(2 * FAILURES):
        answers += [fhir(status=503), fhir(goal())]
    async with client_of(Server(answers)) as one:
        for _ in range(2 * FAILURES):
            await one.read("Goal", "g1")
        assert one.circuit.state == "closed"


async def test_a_busy_server_is_named_as_busy_by_the_error_of_the_open_circuit(clock):
    async with client(Server(lambda r: fhir(status=503)), clock) as one:
        await fail(one, error=EndpointOverloadedError)
        with pytest.raises(CircuitOpenError, match="answers 503"):
            await one.read("Goal", "g1")
