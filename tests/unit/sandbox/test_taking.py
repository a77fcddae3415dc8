"""A sandbox that plays a weaker target: what it says and what it does agree."""

import httpx
import pytest

from careplan_exchange.sandbox import create_app
from careplan_exchange.sandbox.taking import WRITES

from .conftest import BASE, FHIR

TAKEN = {
    "references": {"CarePlan", "Goal", "ServiceRequest", "DocumentReference"},
    "detail": {"CarePlan", "Goal", "DocumentReference"},
    "document": {"DocumentReference"},
    "nothing": set(),
}
BODIES = {
    "CarePlan": {"status": "draft", "intent": "plan"},
    "Goal": {"lifecycleStatus": "proposed", "description": {"text": "x"}},
    "ServiceRequest": {"status": "draft", "intent": "proposal"},
    "DocumentReference": {"status": "current", "content": [{"attachment": {"title": "x"}}]},
}


@pytest.fixture(params=list(TAKEN))
async def weak(request):
    app = create_app(takes=request.param)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url=BASE, headers=FHIR) as client:
        yield client, TAKEN[request.param]
    app.state.server.close()


async def test_what_it_declares_is_what_it_does(weak):
    client, taken = weak
    patient = (await client.post("/Patient", json={"resourceType": "Patient"})).json()["id"]
    statement = (await client.get("/metadata")).json()
    declared = {
        one["type"]: {code["code"] for code in one["interaction"]} for one in statement["rest"][0]["resource"]
    }
    for kind, elements in BODIES.items():
        body = {"resourceType": kind, "subject": {"reference": f"Patient/{patient}"}, **elements}
        answer = await client.post(f"/{kind}", json=body)
        assert answer.status_code == (201 if kind in taken else 405), answer.text
        assert set(WRITES) <= declared[kind] if kind in taken else declared[kind].isdisjoint(WRITES)
        assert (await client.get(f"/{kind}")).json()["total"] == int(kind in taken)


async def test_a_transaction_with_what_it_does_not_take_is_refused_whole_and_names_the_entry(weak):
    client, taken = weak
    entries = [
        {"resource": {"resourceType": "Patient"}, "request": {"method": "POST", "url": "Patient"}},
        {
            "resource": {"resourceType": "Goal", "subject": {"display": "x"}, **BODIES["Goal"]},
            "request": {"method": "POST", "url": "Goal"},
        },
    ]
    answer = await client.post("", json={"resourceType": "Bundle", "type": "transaction", "entry": entries})
    assert answer.status_code == (200 if "Goal" in taken else 405)
    assert (await client.get("/Patient")).json()["total"] == int("Goal" in taken)
    if "Goal" not in taken:
        assert answer.json()["issue"][0]["expression"] == ["Bundle.entry[1]"]
