"""The OpenAPI document against what is sent: every answer is of the documented form, every route has an example."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from careplan_exchange.api import ApiAuth, create_app
from careplan_exchange.errors import EndpointOverloadedError, PatientNotFoundError
from careplan_exchange.model.ledger import Entry
from tests.support.exchanges import FakeExchanges
from tests.support.json_schema import complaints
from tests.support.service import KEY, body, service


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return create_app(FakeExchanges(), auth=ApiAuth(api_key=KEY)).openapi()


def misfits(value: Any, schema: dict[str, Any], document: dict[str, Any]) -> list[str]:
    return complaints(value, schema, document["components"]["schemas"])


def responses(document: dict[str, Any]) -> Iterator[tuple[str, str, str, str, dict[str, Any]]]:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for status, response in operation["responses"].items():
                for media_type, content in response["content"].items():
                    yield path, method, status, media_type, content


def test_the_check_itself_finds_what_is_wrong(document):
    wrong = [
        ({}, "lacks"),
        ({"id": 1}, "not of type"),
        ({"state": "lost"}, "not one of"),
        ({"x": 1}, "not described"),
    ]
    for value, word in wrong:
        assert any(word in found for found in misfits(value, {"$ref": "#/components/schemas/Exchange"}, document))


def test_every_response_has_an_example_of_its_own_form(document):
    found = list(responses(document))
    assert len(found) > 30
    for path, method, status, media_type, content in found:
        where = f"{method} {path} {status}"
        assert misfits(content["example"], content["schema"], document) == [], where
        if status >= "400":
            assert media_type == "application/problem+json", where
            assert content["example"]["status"] == int(status), where


def test_every_request_body_and_parameter_is_described(document):
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"], path
            assert operation["description"], path
            for parameter in operation.get("parameters", []):
                assert parameter.get("description") or parameter["schema"].get("description"), (
                    path,
                    parameter["name"],
                )
            if "requestBody" in operation:
                content = operation["requestBody"]["content"]["application/json"]
                for example in content["examples"].values():
                    assert misfits(example["value"], content["schema"], document) == [], method


def test_every_reference_leads_somewhere(document):
    for name in re.findall(r"#/components/schemas/(\w+)", json.dumps(document)):
        assert name in document["components"]["schemas"]


def test_every_route_but_health_and_our_public_keys_says_that_it_needs_credentials(document):
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert ("security" in operation) == (not path.startswith(("/health/", "/.well-known/"))), path
    assert set(document["components"]["securitySchemes"]) == {"bearer", "key"}


def test_an_open_service_asks_for_no_credentials():
    assert "security" not in json.dumps(create_app(FakeExchanges(), auth=ApiAuth()).openapi())


def test_the_document_names_no_clinical_number(document):
    proposal = document["paths"]["/api/v1/patients/{patient_id}/proposal"]["get"]["responses"]["200"]
    example = proposal["content"]["application/json"]["example"]
    assert all(goal["targets"] == [] for goal in example["goals"])


async def answers(client, exchanges) -> list[tuple[str, str, Any]]:
    """One answer of every kind that a client can bring about, with the route it came from."""
    await exchanges.ledger.append([Entry(exchange="x", event="e", at="2026-11-24T08:00:00Z", data={"n": 1})])
    headers = {"X-API-Key": KEY}
    post, row = "/api/v1/exchanges", "/api/v1/exchanges/{exchange_id}"
    dry, audit = "/api/v1/patients/{patient_id}/proposal", "/api/v1/audit"
    accepted = await client.post(post, json=body(), headers=headers | {"Idempotency-Key": "1"})
    found = [
        ("post", post, accepted),
        ("post", post, await client.post(post, json=body(endpoint="x"), headers=headers)),
        ("post", post, await client.post(post, json=body())),
        ("post", post, await client.post(post, json={}, headers=headers)),
        (
            "post",
            post,
            await client.post(post, json=body(patient="p2"), headers=headers | {"Idempotency-Key": "1"}),
        ),
        ("post", post, await client.post(post, content=b"x" * 2_000_000, headers=headers)),
        ("get", row, await client.get(accepted.headers["location"], headers=headers)),
        ("get", row, await client.get(f"{post}/00000000-0000-4000-8000-000000000000", headers=headers)),
        ("get", row, await client.get(f"{post}/x", headers=headers)),
        ("get", dry, await client.get("/api/v1/patients/p1/proposal?endpoint=hospital", headers=headers)),
        ("get", dry, await client.get("/api/v1/patients/p1/proposal?endpoint=x", headers=headers)),
        ("get", audit, await client.get(audit, headers=headers)),
        ("get", audit, await client.get(f"{audit}?limit=0", headers=headers)),
        ("get", audit, await client.get(audit)),
        ("get", "/metrics", await client.get("/metrics")),
        ("get", "/health/live", await client.get("/health/live")),
        ("get", "/.well-known/jwks.json", await client.get("/.well-known/jwks.json")),
        ("get", "/health/ready", await client.get("/health/ready")),
    ]
    exchanges.health = {"database": False}
    found.append(("get", "/health/ready", await client.get("/health/ready")))
    for error in (PatientNotFoundError, EndpointOverloadedError):
        exchanges.propose = raising(error("Example.", mend="Example."))
        answer = await client.get("/api/v1/patients/p1/proposal?endpoint=hospital", headers=headers)
        found.append(("get", dry, answer))
    return found


def raising(error: Exception):
    def fail(*_args):
        raise error

    return fail


async def test_every_answer_is_documented_and_of_the_documented_form(document):
    exchanges = FakeExchanges()
    async with service(exchanges, ApiAuth(api_key=KEY)) as client:
        for method, path, answer in await answers(client, exchanges):
            where = f"{method} {path} {answer.status_code}"
            documented = document["paths"][path][method]["responses"]
            assert str(answer.status_code) in documented, where
            content = documented[str(answer.status_code)]["content"]
            media_type = answer.headers["content-type"].partition(";")[0]
            assert media_type in content, where
            assert misfits(answer.json(), content[media_type]["schema"], document) == [], where


async def test_the_served_document_is_the_documented_one(document):
    async with service(FakeExchanges(), ApiAuth(api_key=KEY)) as client:
        assert (await client.get("/openapi.json")).json() == document
