"""What is sent with each request, and what is made of each answer."""

import gzip
import json

import httpx
import pytest
import respx

from careplan_exchange.errors import (
    AuthenticationRefusedError,
    NotFhirError,
    RefusedError,
    SettingsError,
    UnsupportedServerError,
)
from careplan_exchange.fhir import BasicAuth, BearerAuth, Connection, connect

from .failing import Damaged, Endless, Torn
from .wire import BASE, CountingIds, Server, client_of, fhir, goal, outcome, read_goal

# --- what is sent ---------------------------------------------------------------------------------------------


@respx.mock
async def test_each_request_says_what_it_takes_and_has_an_id_of_its_own():
    route = respx.get(url__startswith=BASE).mock(return_value=fhir(goal()))
    async with connect(Connection(base_url=BASE), ids=CountingIds()) as client:
        await client.read("Goal", "g1")
        await client.read("Goal", "g1", no_cache=True)
    first, second = (call.request.headers for call in route.calls)
    assert first["accept"] == "application/fhir+json"
    assert (first["x-request-id"], second["x-request-id"]) == ("id-1", "id-2")
    assert "cache-control" not in first
    assert second["cache-control"] == "no-cache"
    assert "authorization" not in first


async def test_fixed_headers_go_with_every_request_and_change_none_of_ours():
    server = Server(fhir(goal()))
    await read_goal(server, headers=(("Epic-Client-ID", "e-1"), ("X-Tenant", "ward")))
    (request,) = server.requests
    assert (request.headers["epic-client-id"], request.headers["x-tenant"]) == ("e-1", "ward")
    assert request.headers["accept"] == "application/fhir+json"


@respx.mock
async def test_basic_credentials_are_sent_through_the_one_factory():
    route = respx.get(f"{BASE}/Goal/g1").mock(return_value=fhir(goal()))
    connection = Connection(base_url=BASE, auth=BasicAuth(username="nurse", password="pw"))
    async with connect(connection, ids=CountingIds()) as client:
        await client.read("Goal", "g1")
    assert route.calls[0].request.headers["authorization"] == "Basic bnVyc2U6cHc="


@respx.mock
async def test_a_token_that_is_renewed_in_its_file_is_used_at_the_next_request():
    tokens = iter(["one", "two"])
    route = respx.get(f"{BASE}/Goal/g1").mock(return_value=fhir(goal()))
    connection = Connection(base_url=BASE, auth=BearerAuth(read_token=lambda: next(tokens)))
    async with connect(connection, ids=CountingIds()) as client:
        await client.read("Goal", "g1")
        await client.read("Goal", "g1")
    assert [call.request.headers["authorization"] for call in route.calls] == ["Bearer one", "Bearer two"]


async def test_a_token_renewed_while_the_server_refused_the_old_one_is_tried_once():
    tokens = iter(["old", "new"])
    server = Server([fhir(outcome(), 401), fhir(goal())])
    await read_goal(server, auth=BearerAuth(read_token=lambda: next(tokens)))
    assert [request.headers["authorization"] for request in server.requests] == ["Bearer old", "Bearer new"]


async def test_a_refused_token_that_nobody_renewed_is_not_sent_again():
    server = Server(fhir(outcome(), 401))
    with pytest.raises(AuthenticationRefusedError) as caught:
        await read_goal(server, auth=BearerAuth(read_token=lambda: "sesame"))
    assert len(server.requests) == 1
    assert "sesame" not in caught.value.detail + caught.value.mend


async def test_an_unusable_token_is_a_setting_to_mend_and_nothing_is_sent():
    server = Server(fhir(goal()))
    with pytest.raises(SettingsError):
        await read_goal(server, auth=BearerAuth(read_token=lambda: "a b"))
    assert server.requests == []


# --- what comes back ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed_and_the_token_stays(status):
    server = Server(fhir(status=status, location="https://evil.example.org/r4/Goal/g1"))
    with pytest.raises(NotFhirError, match="redirect") as caught:
        await read_goal(server, auth=BearerAuth(read_token=lambda: "t"))
    assert [request.url.host for request in server.requests] == ["fhir.example.org"]
    assert "evil" not in caught.value.detail


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, RefusedError),
        (401, AuthenticationRefusedError),
        (403, AuthenticationRefusedError),
        (404, RefusedError),
        (405, UnsupportedServerError),
        (410, RefusedError),
        (418, RefusedError),
        (501, UnsupportedServerError),
        (505, RefusedError),
    ],
)
async def test_a_refusal_is_raised_at_once_with_the_servers_codes_and_a_mend(status, error):
    server = Server(fhir(outcome(code="forbidden", diagnostics="Mr Smith may not"), status))
    with pytest.raises(error) as caught:
        await read_goal(server)
    assert len(server.requests) == 1
    assert caught.value.issues[0].code == "forbidden"
    assert caught.value.mend
    assert "Smith" not in caught.value.detail + repr(caught.value.issues)


async def test_find_gives_nothing_where_a_resource_is_not_there_or_was_deleted():
    server = Server([fhir(outcome(), 404), fhir(outcome(), 410), fhir(goal()), fhir(outcome(), 403)])
    async with client_of(server) as client:
        assert await client.find("Goal", "g1") is None
        assert await client.find("Goal", "g1") is None
        assert (await client.find("Goal", "g1")).reference == "Goal/g1"
        with pytest.raises(AuthenticationRefusedError):
            await client.find("Goal", "g1")


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>Sign in</html>", b'{"resourceType":"Goal"', b"{}", json.dumps(goal(2)).encode(),
     b'{"resourceType":"Goal","id":"../1"}'],
)  # fmt: skip
async def test_a_success_without_the_resource_asked_for_is_not_fhir(body):
    with pytest.raises(NotFhirError) as caught:
        await read_goal(Server(fhir(body)))
    assert caught.value.mend


async def test_an_answer_of_two_gigabytes_is_given_up_early():
    stream = Endless()
    with pytest.raises(NotFhirError, match="larger than 1 MB"):
        await read_goal(Server(httpx.Response(200, stream=stream)), max_response_bytes=1024 * 1024)
    assert stream.given <= 1024 * 1024 + 65536


async def test_a_stated_length_over_the_limit_is_not_even_begun():
    stream = Endless()
    with pytest.raises(NotFhirError):
        await read_goal(Server(httpx.Response(200, stream=stream, headers={"content-length": str(2 * 1024**3)})))
    assert stream.given == 0


async def test_the_limit_holds_after_decompression():
    packed = gzip.compress(b" " * 5_000_000)
    assert len(packed) < 10_000
    with pytest.raises(NotFhirError, match="larger"):
        await read_goal(Server(fhir(packed, content_encoding="gzip")), max_response_bytes=1_000_000)


async def test_damaged_compression_is_not_fhir():
    answer = httpx.Response(200, stream=Damaged(), headers={"content-encoding": "gzip"})
    with pytest.raises(NotFhirError, match="packed, and damaged"):
        await read_goal(Server(answer))


async def test_the_status_of_a_refusal_counts_even_where_its_body_breaks_off():
    with pytest.raises(RefusedError):
        await read_goal(Server(httpx.Response(400, stream=Torn())))


async def test_a_huge_body_of_a_refusal_is_not_read_to_its_end():
    stream = Endless()
    with pytest.raises(RefusedError):
        await read_goal(Server(httpx.Response(400, stream=stream)))
    assert stream.given < 2 * 1024 * 1024
