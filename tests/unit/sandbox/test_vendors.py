"""A sandbox that goes by a vendor's name demands what their server does."""

import httpx
import pytest

from careplan_exchange.sandbox import create_app, serve_in_background

from .conftest import BASE, FHIR


@pytest.fixture
async def epic():
    app = create_app(software="Epic")
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url=BASE, headers=FHIR) as client:
        yield client
    app.state.server.close()


async def test_it_goes_by_that_name(epic):
    assert (await epic.get("/metadata")).json()["software"] == {"name": "Epic"}


@pytest.mark.parametrize("query", ["Observation?patient=1", "Observation", "CarePlan?patient=1&status=active"])
async def test_a_search_that_epic_would_not_carry_out_is_refused(epic, query):
    answer = await epic.get(f"/{query}")
    assert answer.status_code == 400
    assert answer.json()["issue"][0]["code"] == "required"


@pytest.mark.parametrize(
    "query",
    [
        "Observation?patient=1&category=laboratory",
        "Observation?patient=1&code=4548-4",
        "Observation?_id=1",
        "CarePlan?patient=1&category=assess-plan",
        "Condition?patient=1",
    ],
)
async def test_other_searches_are_carried_out(epic, query):
    assert (await epic.get(f"/{query}")).status_code == 200


async def test_an_entry_of_a_batch_is_held_to_the_same(epic):
    entry = {"request": {"method": "GET", "url": "Observation?patient=1"}}
    answer = await epic.post("", json={"resourceType": "Bundle", "type": "batch", "entry": [entry]})
    assert answer.json()["entry"][0]["response"]["status"] == "400 Bad Request"


def test_another_name_demands_nothing():
    with serve_in_background(software="Another EHR") as sandbox:
        assert httpx.get(f"{sandbox.url}/metadata").json()["software"]["name"] == "Another EHR"
        assert httpx.get(f"{sandbox.url}/Observation?patient=1").status_code == 200
