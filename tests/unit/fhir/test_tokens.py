"""SMART Backend Services from the client's side: what is sent where, how often, and what is made of each answer."""

import asyncio
import json
import socket
from contextlib import asynccontextmanager
from datetime import timedelta
from urllib.parse import parse_qs

import httpx
import pytest
import structlog
from joserfc import jwt

from careplan_exchange.errors import (
    AuthenticationRefusedError,
    EndpointOverloadedError,
    EndpointUnreachableError,
    SettingsError,
    UnsupportedServerError,
)
from careplan_exchange.fhir import Connection, KeyFile, Pacing, SmartAuth, connect
from careplan_exchange.fhir.discovery import OAUTH_URIS
from tests.support.smart import START, Clock, new_key, write_key

from .wire import BASE, CountingIds, Pauses, Server, fhir, goal, outcome

TOKEN_URL = "https://login.example.org/token"
KEY = new_key("ES384")
OTHER = new_key("RS384")


def token_answer(value="t-1", **changes):
    content = {"access_token": value, "token_type": "bearer", "expires_in": 300, "scope": "system/*.rs"} | changes
    return httpx.Response(200, json={key: one for key, one in content.items() if one is not None})


def refusal(error, status=400):
    return httpx.Response(status, json={"error": error, "error_description": "Mr Smith's sesame is unknown"})


class Place(Server):
    """A FHIR server that takes the newest token, and the token endpoint beside it."""

    def __init__(self, *answers, wants_token=True):
        super().__init__(self.answer)
        self.answers = list(answers)
        self.assertions = []
        self.tokens = 0
        self.current = None
        self.wants_token = wants_token

    async def __call__(self, request):
        await asyncio.sleep(0.001)  # as a network would, so that requests are under way at one time
        return await super().__call__(request)

    def answer(self, request):
        if str(request.url) == TOKEN_URL:
            assert "authorization" not in request.headers
            form = parse_qs(request.content.decode())
            self.assertions.append(form)
            given = self.answers.pop(0) if self.answers else None
            if given is not None:
                return given
            self.tokens += 1
            self.current = f"t-{self.tokens}"
            return token_answer(self.current)
        if request.url.path.endswith("smart-configuration"):
            return httpx.Response(200, json={"token_endpoint": TOKEN_URL})
        if self.wants_token and request.headers.get("authorization") != f"Bearer {self.current}":
            return fhir(outcome(), 401)
        return fhir(goal())


@asynccontextmanager
async def smart_client(server, clock=None, *, key=KEY, token_url=TOKEN_URL, scopes="system/*.rs", **settings):
    clock, pauses = clock or Clock(), Pauses()
    read_key = key if callable(key) else lambda: key
    auth = SmartAuth(client_id="careplan", read_key=read_key, scopes=scopes, token_url=token_url)
    connection = Connection(base_url=settings.pop("base_url", BASE), auth=auth, **settings)
    pacing = Pacing(sleep=pauses, now=clock, chance=lambda: 1.0)
    async with connect(
        connection, ids=CountingIds(), transport=httpx.MockTransport(server), pacing=pacing
    ) as client:
        client.pauses = pauses
        yield client


async def read(server, **settings):
    async with smart_client(server, **settings) as client:
        return await client.read("Goal", "g1")


# --- what is asked ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [KEY, OTHER], ids=["ES384", "RS384"])
async def test_the_assertion_is_as_the_specification_has_it(key):
    place = Place()
    await read(place, key=key, scopes="system/Patient.rs system/Goal.cu")
    (form,) = place.assertions
    assert form["grant_type"] == ["client_credentials"]
    assert form["scope"] == ["system/Patient.rs system/Goal.cu"]
    assert form["client_assertion_type"] == ["urn:ietf:params:oauth:client-assertion-type:jwt-bearer"]
    token = jwt.decode(form["client_assertion"][0], key.key, algorithms=[key.alg])
    assert token.header == {"typ": "JWT", "alg": key.alg, "kid": key.kid}
    now = int(START.timestamp())
    assert {name: value for name, value in token.claims.items() if name != "jti"} == {
        "iss": "careplan",
        "sub": "careplan",
        "aud": TOKEN_URL,
        "iat": now,
        "exp": now + 240,
    }


async def test_each_assertion_has_a_new_jti():
    place = Place(httpx.Response(503), httpx.Response(503))
    await read(place)
    ids = [
        jwt.decode(form["client_assertion"][0], KEY.key, algorithms=["ES384"]).claims["jti"]
        for form in place.assertions
    ]
    assert len(ids) == len(set(ids)) == 3


async def test_the_token_goes_to_the_endpoint_and_the_assertion_to_the_token_endpoint_alone():
    place = Place()
    await read(place, headers=(("Epic-Client-ID", "e"),))
    for request in place.requests:
        assert ("client_assertion" in request.content.decode()) == (request.url.host == "login.example.org")
        assert ("authorization" in request.headers) == (request.url.host == "fhir.example.org")
        assert ("epic-client-id" in request.headers) == (request.url.host == "fhir.example.org")


# --- how often --------------------------------------------------------------------------------------------------


async def test_many_waiters_make_one_token_request():
    place = Place()
    async with smart_client(place, concurrency=20) as client:
        await asyncio.gather(*(client.read("Goal", "g1") for _ in range(50)))
        await client.read("Goal", "g1")
    assert len(place.assertions) == 1


async def test_many_waiters_share_a_refusal_and_the_next_request_asks_again():
    place = Place(refusal("invalid_scope"))
    async with smart_client(place) as client:
        found = await asyncio.gather(*(client.read("Goal", "g1") for _ in range(20)), return_exceptions=True)
        assert {type(one) for one in found} == {AuthenticationRefusedError}
        assert len(place.assertions) == 1
        await client.read("Goal", "g1")
    assert len(place.assertions) == 2


async def test_a_waiter_that_is_cancelled_leaves_the_others_with_a_token():
    place = Place()
    async with smart_client(place) as client:
        tasks = [asyncio.create_task(client.read("Goal", "g1")) for _ in range(5)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        found = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(found[0], asyncio.CancelledError)
    assert [one.id for one in found[1:]] == ["g1"] * 4


async def test_an_old_refusal_is_not_told_to_those_who_waited_for_a_task_that_was_cancelled():
    place = Place(refusal("invalid_scope"))
    async with smart_client(place) as client:
        with pytest.raises(AuthenticationRefusedError):
            await client.read("Goal", "g1")
        tasks = [asyncio.create_task(client.read("Goal", "g1")) for _ in range(3)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        found = await asyncio.gather(*tasks, return_exceptions=True)
    assert [one.id for one in found[1:]] == ["g1"] * 2


async def test_a_token_is_renewed_shortly_before_it_expires_and_not_sooner():
    place, clock = Place(), Clock()
    async with smart_client(place, clock) as client:
        for seconds, asked in ((0, 1), (269, 1), (1, 2), (269, 2), (2, 3)):
            clock.advance(seconds)
            await client.read("Goal", "g1")
            assert len(place.assertions) == asked
    assert len([one for one in place.requests if one.url.host == "fhir.example.org"]) == 5, "none was refused"


async def test_a_short_life_is_used_for_three_quarters():
    place, clock = Place(token_answer("a", expires_in=20), token_answer("b", expires_in="20")), Clock()
    place.wants_token = False
    async with smart_client(place, clock) as client:
        for seconds, asked in ((0, 1), (14, 1), (1, 2), (14, 2), (1, 3)):
            clock.advance(seconds)
            await client.read("Goal", "g1")
            assert len(place.assertions) == asked


async def test_a_life_that_is_not_stated_is_not_trusted_for_long():
    place, clock = Place(token_answer("a", expires_in=None), wants_token=False), Clock()
    async with smart_client(place, clock) as client:
        assert (await client.granted()).renew - START < timedelta(seconds=60)


async def test_a_refused_token_is_replaced_once_and_the_request_repeated():
    place = Place()
    async with smart_client(place) as client:
        await client.read("Goal", "g1")
        place.current = "revoked"
        await client.read("Goal", "g1")
    assert len(place.assertions) == 2


async def test_many_that_are_refused_at_once_make_one_new_token():
    place = Place()
    async with smart_client(place, concurrency=10) as client:
        await client.read("Goal", "g1")
        place.current = "revoked"
        await asyncio.gather(*(client.read("Goal", "g1") for _ in range(10)))
    assert len(place.assertions) == 2


async def test_a_server_that_refuses_the_new_token_too_is_the_usual_error():
    place = Place(token_answer("x"), token_answer("y"))
    with pytest.raises(AuthenticationRefusedError, match="401"):
        await read(place)
    assert len(place.assertions) == 2
    assert len([one for one in place.requests if one.url.host == "fhir.example.org"]) == 2


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


# --- rotation and secrecy ---------------------------------------------------------------------------------------


async def test_a_key_that_was_rotated_between_signature_and_check_is_signed_with_again():
    keys = iter([KEY, OTHER, OTHER])
    place = Place(refusal("invalid_client", 401))
    await read(place, key=lambda: next(keys))
    assert len(place.assertions) == 2
    jwt.decode(place.assertions[1]["client_assertion"][0], OTHER.key, algorithms=["RS384"])


async def test_no_token_assertion_or_key_shows_in_logs_errors_or_texts(tmp_path):
    file = KeyFile(write_key(tmp_path / "key", KEY))
    place = Place(httpx.Response(503), token_answer("sesame"), token_answer("sesame2"))
    with structlog.testing.capture_logs() as kept:
        async with smart_client(place, key=file.current) as client:
            token = await client.granted()
            with pytest.raises(AuthenticationRefusedError) as caught:
                await client.read("Goal", "g1")
            texts = repr(
                [kept, token, client.connection, client.connection.auth, vars(caught.value), caught.value]
            )
    assert [entry["event"] for entry in kept if entry["event"].startswith("fhir.token")]
    assert "sesame" not in texts
    assert json.loads((tmp_path / "key").read_text())["d"] not in texts
    for form in place.assertions:
        assert form["client_assertion"][0] not in texts
