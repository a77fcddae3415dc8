"""The token endpoint: where it is found, what is never sent to it, and what is made of each of its answers."""

import socket

import httpx
import pytest

from careplan_exchange.errors import (
    AuthenticationRefusedError,
    EndpointOverloadedError,
    EndpointUnreachableError,
    SettingsError,
    UnsupportedServerError,
)
from careplan_exchange.fhir import Connection, SmartAuth, connect
from careplan_exchange.fhir.discovery import OAUTH_URIS

from .smart import KEY, TOKEN_URL, Place, read, refusal, smart_client, token_answer
from .wire import BASE, CountingIds, Server, fhir, goal, outcome

# --- where it is asked ------------------------------------------------------------------------------------------


async def test_the_token_endpoint_is_discovered_once_without_credentials():
    place = Place()
    async with smart_client(place, token_url=None) as client:
        await client.read("Goal", "g1")
        place.current = "revoked"
        await client.read("Goal", "g1")
    asked = [one for one in place.requests if "well-known" in one.url.path]
    assert [str(one.url) for one in asked] == [f"{BASE}/.well-known/smart-configuration"]
    assert "authorization" not in asked[0].headers


def statement(token_url):
    extension = {"url": OAUTH_URIS, "extension": [{"url": "token", "valueUri": token_url}]}
    return {
        "resourceType": "CapabilityStatement",
        "rest": [{"mode": "server", "security": {"extension": [extension]}}],
    }


@pytest.mark.parametrize("configuration", [(404, b""), (200, b"<html>"), (200, b"{}")])
async def test_where_there_is_no_smart_configuration_the_capability_statement_says_it(configuration):
    place = Place()

    def answer(request):
        if "well-known" in request.url.path:
            return httpx.Response(configuration[0], content=configuration[1])
        if request.url.path.endswith("/metadata"):
            return fhir(statement(TOKEN_URL))
        return place.answer(request)

    await read(Server(answer), token_url=None)
    assert len(place.assertions) == 1


async def test_a_server_that_says_it_nowhere_is_named_with_the_setting_to_give():
    with pytest.raises(UnsupportedServerError, match="token endpoint") as caught:
        await read(Server(fhir(outcome(), 404)), token_url=None)
    assert "token_url" in caught.value.mend
    assert caught.value.exit_code == 4


@pytest.mark.parametrize(
    "url", ["http://login.example.org/token", "ftp://x", "nonsense", "https://u:p@login.example.org/token", ""]
)
async def test_no_assertion_goes_to_a_discovered_address_that_is_not_https(url):
    server = Server(lambda _: httpx.Response(200, json={"token_endpoint": url, "resourceType": "X"}))
    with pytest.raises(UnsupportedServerError):
        await read(server, token_url=None)
    assert {one.method for one in server.requests} == {"GET"}


@pytest.mark.parametrize("url", ["http://login.example.org/token", "https://u:p@login.example.org/token"])
def test_a_token_url_that_is_not_https_is_a_setting_to_mend(url):
    auth = SmartAuth(client_id="c", read_key=lambda: KEY, scopes="s", token_url=url)
    with pytest.raises(SettingsError, match="token_url"):
        Connection(base_url=BASE, auth=auth)


def test_an_endpoint_in_the_clear_takes_no_smart_token_unless_it_is_this_machine():
    auth = SmartAuth(client_id="c", read_key=lambda: KEY, scopes="s")
    with pytest.raises(SettingsError, match="https"):
        Connection(base_url="http://fhir.example.org/r4", auth=auth)
    for url in ("http://127.0.0.1:8090/fhir", "http://localhost/fhir", "http://[::1]:1/fhir"):
        Connection(base_url=url, auth=auth)


# --- what comes back --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "mend"),
    [
        ("invalid_client", "client_id"),
        ("invalid_scope", "scopes"),
        ("unauthorized_client", "client_credentials"),
        ("unsupported_grant_type", "token_url"),
        ("invalid_grant", "client_id"),
        ("invalid_request", "token_url"),
        ("made up: sesame", "client_id"),
    ],
)
async def test_a_refusal_names_the_code_and_a_mend_and_repeats_nothing_else(error, mend):
    place = Place(refusal(error))
    with pytest.raises(AuthenticationRefusedError) as caught:
        await read(place)
    said = caught.value.detail + caught.value.mend
    assert (error in said) == (error != "made up: sesame")
    assert mend in caught.value.mend
    assert caught.value.exit_code == 4
    assert "https://login.example.org" in said
    assert "sesame" not in said
    assert len(place.assertions) == 1


async def test_an_algorithm_that_the_server_does_not_list_is_named_when_it_refuses():
    def answer(request):
        if "well-known" in request.url.path:
            listed = {"token_endpoint_auth_signing_alg_values_supported": ["RS384"]}
            return httpx.Response(200, json={"token_endpoint": TOKEN_URL, **listed})
        return refusal("invalid_client", 401)

    with pytest.raises(AuthenticationRefusedError) as caught:
        await read(Server(answer), token_url=None)
    assert "does not take ES384" in caught.value.mend


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, content=b"<html>Sign in</html>"),
        httpx.Response(200, content=b""),
        httpx.Response(200, json={"access_token": "x"}),
        httpx.Response(200, json=["x"]),
        token_answer("two words"),
        token_answer(""),
        token_answer("x", token_type="mac"),
        httpx.Response(200, content=b"[" * 5000),
        httpx.Response(200, content=b" " * 400_000),
        httpx.Response(302, headers={"location": "https://evil.example.org/"}),
        httpx.Response(404, content=b"not here"),
    ],
)
async def test_an_answer_that_is_no_token_response_is_said_to_be_none(answer):
    place = Place(answer)
    with pytest.raises(UnsupportedServerError, match="no token response") as caught:
        await read(place)
    assert "token_url" in caught.value.mend
    assert {one.url.host for one in place.requests} == {"login.example.org"}


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx.Response(503), EndpointOverloadedError),
        (httpx.Response(429), EndpointOverloadedError),
        (httpx.Response(502), EndpointUnreachableError),
    ],
)
async def test_a_token_endpoint_that_is_busy_is_asked_again_and_then_named(answer, error):
    place = Place(answer, answer)
    with pytest.raises(error, match=r"token endpoint at https://login\.example\.org") as caught:
        await read(place, attempts=2)
    assert caught.value.exit_code == 5
    assert len(place.assertions) == 2


async def test_a_token_endpoint_that_is_down_is_named_and_a_write_is_then_known_not_to_be_sent():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    auth = SmartAuth(client_id="c", read_key=lambda: KEY, scopes="s", token_url=f"http://127.0.0.1:{port}/token")
    connection = Connection(base_url="http://127.0.0.1:1/fhir", auth=auth, attempts=1)
    async with connect(connection, ids=CountingIds()) as client:
        with pytest.raises(EndpointUnreachableError, match="token endpoint"):
            await client.create("Goal", goal(), if_none_exist=None, request_id="r")
