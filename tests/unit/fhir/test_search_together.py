"""Several searches at once: in one batch where the server takes it, side by side where it does not."""

import json

import httpx
import pytest

from careplan_exchange.errors import (
    AuthenticationRefusedError,
    EndpointOverloadedError,
    RefusedError,
    SettingsError,
)
from careplan_exchange.fhir import BearerAuth, Query

from .wire import GOALS, Server, batch_response, client_of, fhir, goal, ids, outcome, searchset, statement

PLANS = Query("CarePlan", (("patient", "Patient/p1"),))


def answering(batch, **searches):
    """A server that answers a batch with `batch` and each search by its type; it claims both."""

    def handler(request):
        if request.url.path.endswith("/metadata"):
            return fhir(statement("Goal", "CarePlan"))
        if request.method == "POST":
            return batch(request) if callable(batch) else batch
        answer = searches[request.url.path.rpartition("/")[2]]
        return answer.pop(0) if isinstance(answer, list) else answer

    return Server(handler)


async def both(server, **settings):
    async with client_of(server, **settings) as client:
        return [ids(found) for found in await client.search_many([GOALS, PLANS], no_cache=True)]


def ok(bundle, status="200 OK"):
    return {"resource": bundle, "response": {"status": status}}


def plan(number=1):
    return {"resourceType": "CarePlan", "id": f"c{number}"}


async def test_one_batch_brings_all_searches():
    server = answering(fhir(batch_response(ok(searchset(goal(1))), ok(searchset(plan(1))))))
    assert await both(server) == [["g1"], ["c1"]]
    _, batch = server.requests
    assert (batch.method, batch.url.path, batch.headers["cache-control"]) == ("POST", "/r4", "no-cache")
    assert json.loads(batch.content) == {
        "resourceType": "Bundle",
        "type": "batch",
        "entry": [
            {"request": {"method": "GET", "url": "Goal?patient=Patient/p1&_count=2"}},
            {"request": {"method": "GET", "url": "CarePlan?patient=Patient/p1"}},
        ],
    }


async def test_a_search_of_a_batch_goes_on_with_its_next_link():
    server = answering(
        fhir(batch_response(ok(searchset(goal(1), next_link="?page=2", total=2)), ok(searchset(plan(1))))),
        Goal=fhir(searchset(goal(2), total=2)),
    )
    assert await both(server) == [["g1", "g2"], ["c1"]]
    assert server.paths[-1] == "/Goal?page=2"
    assert server.requests[-1].headers["cache-control"] == "no-cache"


async def test_a_page_of_a_batch_that_expired_begins_only_its_own_search_again():
    server = answering(
        fhir(batch_response(ok(searchset(goal(1), next_link="?page=2")), ok(searchset(plan(1))))),
        Goal=[fhir(status=410), fhir(searchset(goal(1), goal(2)))],
    )
    assert await both(server) == [["g1", "g2"], ["c1"]]


@pytest.mark.parametrize(
    "entry",
    [
        {"response": {"status": "503 Service Unavailable"}},
        {"response": {"status": "400 Bad Request"}},
        {"resource": searchset(), "response": {"status": "503"}},
        {"resource": searchset(), "response": {"status": "two hundred"}},
        {"resource": searchset()},
        {"response": {"status": "200"}},
        {"resource": goal(1), "response": {"status": "200"}},
        {},
    ],
)
async def test_an_entry_of_a_batch_that_is_no_plain_success_is_asked_for_on_its_own(entry):
    server = answering(fhir(batch_response(entry, ok(searchset(plan(1))))), Goal=fhir(searchset(goal(1))))
    assert await both(server) == [["g1"], ["c1"]]


@pytest.mark.parametrize(
    ("status", "error"), [(400, RefusedError), (403, AuthenticationRefusedError), (503, EndpointOverloadedError)]
)
async def test_a_search_of_a_batch_that_fails_for_good_is_named(status, error):
    server = answering(
        fhir(batch_response({"response": {"status": str(status)}}, ok(searchset(plan(1))))),
        Goal=fhir(outcome(), status),
    )
    with pytest.raises(error) as caught:
        await both(server)
    if status != 503:
        assert "The search for Goal (patient)" in caught.value.detail


@pytest.mark.parametrize(
    "answer",
    [
        fhir(outcome(), 400),
        fhir(outcome(), 403),
        fhir(outcome(), 404),
        fhir(outcome(), 405),
        fhir(outcome(), 501),
        fhir(b"<html>"),
        fhir(batch_response(ok(searchset(goal(1))))),
        fhir(searchset(goal(1), plan(1))),
    ],
)
async def test_a_server_that_claims_batch_and_lies_is_searched_side_by_side_from_then_on(answer):
    server = answering(answer, Goal=fhir(searchset(goal(1))), CarePlan=fhir(searchset(plan(1))))
    async with client_of(server) as client:
        for _ in range(2):
            found = await client.search_many([GOALS, PLANS], no_cache=True)
            assert [ids(matches) for matches in found] == [["g1"], ["c1"]]
    assert [request.method for request in server.requests].count("POST") == 1
    assert server.requests[-1].headers["cache-control"] == "no-cache"


async def test_a_batch_that_is_refused_for_its_credentials_is_an_authentication_matter():
    server = answering(fhir(outcome(), 401))
    with pytest.raises(AuthenticationRefusedError):
        await both(server)


async def test_a_batch_of_searches_is_repeated_like_a_read():
    answers = [fhir(status=503), fhir(batch_response(ok(searchset(goal(1))), ok(searchset())))]
    server = answering(lambda request: answers.pop(0))
    assert await both(server) == [["g1"], []]


async def test_a_server_without_batch_is_searched_side_by_side():
    def handler(request):
        if request.url.path.endswith("/metadata"):
            return fhir(statement("Goal", whole=()))
        return fhir(searchset(goal(1) if "Goal" in request.url.path else plan(1)))

    server = Server(handler)
    assert await both(server) == [["g1"], ["c1"]]
    assert {request.method for request in server.requests} == {"GET"}


async def test_one_failing_search_gives_up_the_others_and_its_error_is_raised_as_it_is():
    def handler(request):
        if request.url.path.endswith("/metadata"):
            return fhir(statement("Goal", whole=()))
        return fhir(outcome(), 400) if "Goal" in request.url.path else httpx.Response(200, stream=Never())

    class Never(httpx.AsyncByteStream):
        async def __aiter__(self):
            import asyncio

            await asyncio.Event().wait()
            yield b""

    with pytest.raises(RefusedError):
        await both(Server(handler))


async def test_a_setting_that_turns_bad_midway_is_raised_as_it_is():
    tokens = iter(["good", "good", "b a d", "b a d"])
    server = answering(fhir(outcome(), 400))
    with pytest.raises(SettingsError):
        await both(server, auth=BearerAuth(read_token=lambda: next(tokens)))
