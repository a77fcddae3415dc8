"""Exchanges over HTTP: asked for once, run once, never to an address that a client chose."""

import asyncio

import pytest

from careplan_exchange.errors import StoreUnavailableError
from careplan_exchange.model.exchange import ExchangeRequest
from tests.support.exchanges import FakeExchanges
from tests.support.service import body, problem, service

PATH = "/api/v1/exchanges"


async def finished(client, location: str) -> dict:
    for _ in range(200):
        row = (await client.get(location)).json()
        if row["state"] == "done":
            return row
        await asyncio.sleep(0)
    raise AssertionError("the exchange did not finish")


async def test_an_exchange_is_accepted_and_found_at_its_location_with_its_receipt(client, exchanges):
    accepted = await client.post(PATH, json=body(today="2026-11-24", target="companion"))
    assert accepted.status_code == 202
    row = accepted.json()
    assert accepted.headers["location"] == f"{PATH}/{row['id']}"
    assert row["state"] == "accepted"
    done = await finished(client, accepted.headers["location"])
    assert done["receipt"] == {
        "outcome": "written",
        "resources": [{"reference": "CarePlan/1", "versionId": "1", "action": "create"}],
        "issues": [],
        "exchange": row["id"],
        "review": None,
    }
    asked = ExchangeRequest(endpoint="hospital", target="companion", patient="p1", today="2026-11-24")
    assert exchanges.synced == [(row["id"], asked)]


async def test_a_client_is_told_to_look_again_until_the_exchange_is_done(client, exchanges):
    exchanges.gate.clear()
    accepted = await client.post(PATH, json=body())
    assert (await client.get(accepted.headers["location"])).headers["retry-after"] == "1"
    exchanges.gate.set()
    await finished(client, accepted.headers["location"])
    assert "retry-after" not in (await client.get(accepted.headers["location"])).headers


async def test_the_same_key_and_body_give_the_same_exchange_even_at_once(client, exchanges):
    headers = {"Idempotency-Key": "order-17"}
    answers = await asyncio.gather(*(client.post(PATH, json=body(), headers=headers) for _ in range(8)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.headers["location"] for answer in answers}) == 1
    await finished(client, answers[0].headers["location"])
    again = await client.post(PATH, json=body(), headers=headers)
    assert again.json()["state"] == "done"
    assert len(exchanges.synced) == 1


async def test_without_a_key_every_request_is_an_exchange_of_its_own(client):
    first, second = [await client.post(PATH, json=body()) for _ in range(2)]
    assert first.json()["id"] != second.json()["id"]


async def test_the_same_key_with_another_body_is_refused(client, exchanges):
    headers = {"Idempotency-Key": "order-17"}
    first = await client.post(PATH, json=body(), headers=headers)
    await finished(client, first.headers["location"])
    other = await client.post(PATH, json=body(patient="p2"), headers=headers)
    problem(other, 422, "idempotency.other-request")
    assert len(exchanges.synced) == 1


async def test_a_key_is_stored_as_a_hash_only(client, exchanges):
    accepted = await client.post(PATH, json=body(), headers={"Idempotency-Key": "doe-jane-1970"})
    row = await exchanges.plans.exchange(accepted.json()["id"])
    assert "doe" not in row.idempotency_key
    assert row.idempotency_key not in accepted.text


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://evil.example/fhir",
        "http://169.254.169.254/latest",
        "file:///etc/passwd",
        "/etc/bundle.json",
        "../bundle.json",
        "HOSPITAL",
        "hospital ",
    ],
)
@pytest.mark.parametrize("field", ["endpoint", "target"])
async def test_an_endpoint_that_is_not_configured_is_refused_and_not_repeated(client, exchanges, endpoint, field):
    answer = await client.post(PATH, json=body(**{field: endpoint}))
    problem(answer, 400, "endpoint.unknown")
    assert endpoint not in answer.text
    assert exchanges.synced == []


async def test_the_only_configured_endpoint_need_not_be_named():
    exchanges = FakeExchanges(endpoint_names=("hospital",))
    async with service(exchanges) as client:
        accepted = await client.post(PATH, json={"patient": "p1"})
        assert accepted.json()["request"]["endpoint"] == "hospital"


async def test_of_several_endpoints_one_must_be_named(client):
    problem(await client.post(PATH, json={"patient": "p1"}), 400, "endpoint.missing")


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ({"patient": "Jane|Doe"}, "body.patient"),
        ({"patient": "x" * 65}, "body.patient"),
        ({"patient": 7}, "body.patient"),
        ({"patient": None}, "body.patient"),
        ({"today": "24.11.2026"}, "body.today"),
        ({"today": "2026-02-30"}, "body.today"),
        ({"today": 1764028800}, "body.today"),
        ({"approve": "yes"}, "body.approve"),
        ({"Jane Doe": "1970-01-01"}, "body"),
    ],
)
async def test_a_body_of_another_form_is_refused_by_element_without_its_values(client, exchanges, wrong, where):
    answer = await client.post(PATH, json=body(**wrong))
    found = problem(answer, 422, "request.invalid")
    assert [issue.expression for issue in found.issues] == [where]
    for value in (*wrong, *wrong.values()):
        assert value in {"patient", "today", "approve", None} or str(value) not in answer.text
    assert exchanges.synced == []


async def test_a_body_without_a_patient_says_what_is_missing(client):
    found = problem(await client.post(PATH, json={"endpoint": "hospital"}), 422, "request.invalid")
    assert [(issue.code, issue.expression) for issue in found.issues] == [("required", "body.patient")]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"<html>Jane Doe</html>", b"\xff\xfe", b"[]", b"null", b'"Jane Doe"']
)
async def test_a_body_that_is_not_the_json_asked_for_is_refused(client, content):
    answer = await client.post(PATH, content=content, headers={"Content-Type": "application/json"})
    problem(answer, 422, "request.invalid")
    assert "Jane" not in answer.text


@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/x-www-form-urlencoded", "application/fhir+json"]
)
async def test_a_body_that_a_browser_would_send_unasked_is_not_read_as_json(client, exchanges, media_type):
    content = b'{"endpoint":"hospital","patient":"p1"}'
    answer = await client.post(PATH, content=content, headers={"Content-Type": media_type})
    assert answer.status_code in {415, 422}
    assert answer.headers["content-type"] == "application/problem+json"
    untyped = await client.post(PATH, content=content)
    assert untyped.status_code in {415, 422}
    assert exchanges.synced == []


@pytest.mark.parametrize("key", ["", "x" * 256, "two words", "schlüssel".encode()])
async def test_an_idempotency_key_of_another_form_is_refused(client, key):
    answer = await client.post(PATH, json=body(), headers={"Idempotency-Key": key})
    problem(answer, 422, "request.invalid")


async def test_an_exchange_that_does_not_exist_is_a_problem(client):
    problem(await client.get(f"{PATH}/00000000-0000-4000-8000-000000000000"), 404, "exchange.not-found")
    problem(await client.get(f"{PATH}/1%20OR%201"), 422, "request.invalid")


async def test_a_database_that_cannot_be_used_says_when_to_come_back(client, exchanges):
    async def refuse(*_args):
        raise StoreUnavailableError("The database is locked.", mend="Try again.")

    exchanges.plans.accept_exchange = refuse
    answer = await client.post(PATH, json=body())
    problem(answer, 503, "unavailable.store")
    assert answer.headers["retry-after"]
