"""SMART Backend Services from the client's side: what is sent, how often, and what shows of it nowhere."""

import asyncio
import json
from datetime import timedelta

import httpx
import pytest
import structlog
from joserfc import jwt

from careplan_exchange.errors import AuthenticationRefusedError
from careplan_exchange.fhir import KeyFile
from tests.support.smart import START, Clock, write_key

from .smart import KEY, OTHER, TOKEN_URL, Place, read, refusal, smart_client, token_answer

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
