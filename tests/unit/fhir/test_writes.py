import json

import httpx
import pytest
import respx

from careplan_exchange.errors import (
    AuthenticationRefusedError,
    DuplicateError,
    EndpointOverloadedError,
    EndpointUnreachableError,
    OutcomeUnknownError,
    RefusedError,
    UnsupportedServerError,
    VersionConflictError,
)
from careplan_exchange.fhir import BearerAuth, Connection, connect
from careplan_exchange.model import codec

from .failing import FAILURES, Damaged, Endless, Torn
from .wire import BASE, CountingIds, Pauses, Server, client_of, fhir, goal, outcome

BUNDLE = {
    "resourceType": "Bundle",
    "type": "transaction",
    "entry": [
        {"resource": {"resourceType": "Goal"}, "request": {"method": "POST", "url": "Goal"}},
        {"resource": {"resourceType": "CarePlan"}, "request": {"method": "POST", "url": "CarePlan"}},
    ],
}


def response(*statuses, outcomes=None):
    entries = [{"response": {"status": status, "etag": 'W/"1"'}} for status in statuses]
    for place, said in (outcomes or {}).items():
        entries[place]["response"]["outcome"] = said
    return {"resourceType": "Bundle", "type": "transaction-response", "entry": entries}


DONE = response("201 Created", "200 OK")


async def transact(server, **settings):
    async with client_of(server, **settings) as client:
        return await client.transaction(BUNDLE, request_id="intent-1")


@respx.mock
async def test_a_transaction_is_sent_once_with_the_callers_id_and_asks_for_the_stored_resources():
    route = respx.post(BASE).mock(return_value=fhir(DONE))
    async with connect(Connection(base_url=BASE), ids=CountingIds()) as client:
        answer = await client.transaction(BUNDLE, request_id="intent-1")
    assert answer == DONE
    (call,) = route.calls
    headers = call.request.headers
    assert (headers["x-request-id"], headers["prefer"]) == ("intent-1", "return=representation")
    assert headers["content-type"] == "application/fhir+json"
    assert "x-retry-on-version-conflict" not in headers
    assert json.loads(call.request.content) == BUNDLE


async def test_decimals_keep_their_digits_both_ways():
    value = codec.decode(b'{"value": 7.20}')["value"]
    server = Server(fhir(b'{"resourceType":"Goal","id":"g1","x":7.20}', 201))
    async with client_of(server) as client:
        written = await client.create(
            "Goal", {"resourceType": "Goal", "x": value}, if_none_exist=None, request_id="i"
        )
    assert b"7.20" in server.requests[0].content
    assert str(written.body["x"]) == "7.20"


AMBIGUOUS = {
    "a read timeout": httpx.ReadTimeout("x"),
    "a write timeout": httpx.WriteTimeout("x"),
    "a reset while sending": httpx.WriteError("x"),
    "a reset before the answer": httpx.ReadError("x"),
    "a connection closed without an answer": httpx.RemoteProtocolError("x"),
    "an answer that breaks off": httpx.Response(200, stream=Torn()),
    "an answer without end": httpx.Response(200, stream=Endless()),
    "an answer with damaged compression": httpx.Response(
        200, stream=Damaged(), headers={"content-encoding": "gzip"}
    ),
    "an empty answer": fhir(b""),
    "a page of HTML": fhir(b"<html>"),
    "an answer that is no Bundle": fhir(goal()),
    "an answer with too few entries": fhir(response("201 Created")),
    "408": fhir(status=408),
    "500": fhir(outcome(), 500),
    "502": fhir(status=502),
    "503 without a time": fhir(status=503),
    "504": fhir(status=504),
    "a part carried out": fhir(response("201 Created", "412 Precondition Failed")),
}


@pytest.mark.parametrize("failure", AMBIGUOUS)
async def test_after_an_ambiguous_failure_nothing_is_sent_again_and_the_caller_must_look(failure):
    answer = AMBIGUOUS[failure]
    server, pauses = Server(lambda request: answer), Pauses()
    with pytest.raises(OutcomeUnknownError) as caught:
        await transact(server, pauses=pauses, max_response_bytes=100_000)
    assert (len(server.requests), pauses) == (1, [])
    assert caught.value.mend


@pytest.mark.parametrize("reason", ["tls", "dns", "refused", "connect-timeout", "proxy"])
async def test_where_no_connection_was_made_nothing_was_sent_and_the_write_is_tried_again(reason):
    server = Server([FAILURES[reason], fhir(DONE)])
    assert await transact(server) == DONE
    with pytest.raises(EndpointUnreachableError):
        await transact(Server(FAILURES[reason]))


@pytest.mark.parametrize(("status", "wish"), [(429, None), (429, "2"), (503, "2")])
async def test_a_server_that_says_it_did_nothing_is_asked_again(status, wish):
    headers = {"retry_after": wish} if wish else {}
    server, pauses = Server([fhir(status=status, **headers), fhir(DONE)]), Pauses()
    assert await transact(server, pauses=pauses, chance=lambda: 0.0) == DONE
    assert pauses == [float(wish or 0)]
    assert {request.headers["x-request-id"] for request in server.requests} == {"intent-1"}
    with pytest.raises(EndpointOverloadedError):
        await transact(Server(fhir(status=status, **headers)))


async def test_what_was_certain_at_first_is_unknown_once_a_later_attempt_is():
    server = Server([fhir(status=503, retry_after="1"), httpx.ReadTimeout("x"), fhir(DONE)])
    with pytest.raises(OutcomeUnknownError):
        await transact(server)
    assert len(server.requests) == 2


async def test_a_renewed_token_is_tried_since_a_401_did_nothing():
    tokens = iter(["old", "new"])
    server = Server([fhir(status=401), fhir(DONE)])
    assert await transact(server, auth=BearerAuth(read_token=lambda: next(tokens))) == DONE


STALE = "HAPI-0550: HAPI-0989: Trying to update Goal/5/_history/7 but this is not the current version"
SEVERAL = (
    'HAPI-0958: Failed to CREATE Goal with match URL "identifier=x|4711" because this search matched 2 resources'
)


@pytest.mark.parametrize(
    ("status", "said", "error"),
    [
        (409, outcome(diagnostics=STALE), VersionConflictError),
        (409, None, VersionConflictError),
        (412, None, VersionConflictError),
        (412, outcome(code="conflict"), VersionConflictError),
        (412, outcome(diagnostics=SEVERAL), DuplicateError),
        (412, outcome(code="multiple-matches"), DuplicateError),
        (400, outcome(code="value"), RefusedError),
        (422, outcome(code="invariant"), RefusedError),
        (404, outcome(code="not-found"), RefusedError),
        (413, None, RefusedError),
        (307, None, RefusedError),
        (401, None, AuthenticationRefusedError),
        (403, None, AuthenticationRefusedError),
        (405, None, UnsupportedServerError),
        (501, None, UnsupportedServerError),
    ],
)
async def test_a_refused_transaction_is_classified_and_sent_once(status, said, error):
    server = Server(fhir(said, status))
    with pytest.raises(error) as caught:
        await transact(server)
    assert type(caught.value) is error
    assert len(server.requests) == 1
    assert "4711" not in caught.value.detail + repr(caught.value.issues)
    assert len(caught.value.issues) == (said is not None)
    assert caught.value.mend


@pytest.mark.parametrize(
    ("statuses", "said", "error"),
    [
        (("409 Conflict", "400 Bad Request"), None, VersionConflictError),
        (("400 Bad Request", "412 Precondition Failed"), None, VersionConflictError),
        (("412 Precondition Failed", "412"), outcome(code="multiple-matches"), DuplicateError),
        (("422", "422"), outcome(code="invariant"), RefusedError),
    ],
)
async def test_failures_inside_a_200_are_no_success(statuses, said, error):
    body = response(*statuses, outcomes={0: said} if said else None)
    with pytest.raises(error) as caught:
        await transact(Server(fhir(body)))
    assert type(caught.value) is error


@pytest.mark.parametrize(
    "entry",
    [
        None,
        {},
        {"response": None},
        {"response": {"status": "fine"}},
        {"response": {}},
        {"response": {"status": 500}},
    ],
)
async def test_an_entry_without_a_status_that_tells_is_neither_success_nor_refusal(entry):
    for other in (DONE["entry"][0], entry):
        with pytest.raises(OutcomeUnknownError):
            await transact(Server(fhir({"resourceType": "Bundle", "entry": [entry, other]})))


# --- single writes --------------------------------------------------------------------------------------------


async def create(answer, condition="identifier=urn:x|1"):
    server = Server(answer)
    async with client_of(server) as client:
        body = {"resourceType": "Goal"}
        return await client.create("Goal", body, if_none_exist=condition, request_id="i"), server


async def update(answer):
    server = Server(answer)
    async with client_of(server) as client:
        body = goal(1)
        return await client.update("Goal", "g1", body, version_id="3", request_id="i"), server


async def test_a_create_is_conditional_and_tells_a_new_resource_from_one_that_was_there():
    written, server = await create(fhir(goal(7, "1"), 201))
    assert (written.created, written.id, written.version_id) == (True, "g7", "1")
    request = server.requests[0]
    assert (request.method, request.url.path) == ("POST", "/r4/Goal")
    assert request.headers["if-none-exist"] == "identifier=urn:x|1"
    written, server = await create(fhir(goal(7, "4"), 200), condition=None)
    assert (written.created, written.version_id) == (False, "4")
    assert "if-none-exist" not in server.requests[0].headers


@pytest.mark.parametrize(
    ("location", "etag", "found"),
    [
        (f"{BASE}/Goal/7/_history/2", None, ("7", "2")),
        ("Goal/7", 'W/"2"', ("7", "2")),
        ("/r4/Goal/7", '"2"', ("7", "2")),
        ("Goal/7", "2", ("7", "2")),
        (None, None, (None, None)),
        ("https://h/somewhere", 'W/"a b"', (None, None)),
    ],
)
async def test_a_success_without_a_body_is_read_from_its_headers(location, etag, found):
    headers = {name: value for name, value in (("location", location), ("etag", etag)) if value}
    written, _ = await create(fhir(b"", 201, **headers))
    assert (written.id, written.version_id) == found
    assert (written.created, written.body) == (True, None)


@pytest.mark.parametrize(
    "body",
    [
        outcome("information"),
        b"<html>",
        {"resourceType": "Patient", "id": "7"},
        {"resourceType": "Goal", "meta": 5},
    ],
)
async def test_another_body_in_place_of_the_stored_resource_is_not_taken_for_it(body):
    written, _ = await create(fhir(body, 201, location="Goal/7/_history/1"))
    assert (written.id, written.version_id, written.body) == ("7", "1", None)


async def test_a_412_to_a_conditional_create_means_several_matches_and_nothing_else():
    with pytest.raises(DuplicateError):
        await create(fhir(None, 412))


async def test_an_update_is_sent_for_the_version_that_was_read():
    written, server = await update(fhir(goal(1, "4"), 200))
    assert (written.created, written.id, written.version_id) == (False, "g1", "4")
    request = server.requests[0]
    assert (request.method, request.url.path, request.headers["if-match"]) == ("PUT", "/r4/Goal/g1", 'W/"3"')


@pytest.mark.parametrize("status", [409, 412])
async def test_a_stale_update_is_a_version_conflict(status):
    with pytest.raises(VersionConflictError):
        await update(fhir(None, status))


async def test_an_update_whose_answer_is_lost_is_not_sent_again():
    with pytest.raises(OutcomeUnknownError):
        await update(httpx.ReadTimeout("x"))


async def test_an_update_that_made_a_new_resource_says_so():
    written, _ = await update(fhir(goal(1, "1"), 201))
    assert written.created
