"""What the ledger is exported as is valid to a real server."""

import json
from typing import Any

import msgspec
import pytest

from careplan_exchange import logs
from careplan_exchange.audit import to_audit_events
from careplan_exchange.model.codec import encode
from careplan_exchange.model.ledger import Entry
from tests.support.hospital import Hospital
from tests.support.product import Server

pytestmark = pytest.mark.hapi


async def test_every_kind_of_event_that_an_exchange_leaves_is_valid(hapi_r4: Any) -> None:
    hospital = Hospital()
    receipt = await hospital.sync()
    one = receipt.resources[0]
    undone = {"reference": one.reference, "action": "delete", "of": one.version_id}
    at = hospital.clock.now().isoformat()
    started = (await hospital.entries())[0]
    taken_back = Entry(exchange="-", event=logs.WRITE_TAKEN_BACK, at=at, data={"resources": [undone]})
    await hospital.ledger.append([msgspec.structs.replace(started, exchange="-"), taken_back])
    server = Server(hapi_r4.url)
    kinds = {}
    async for line in to_audit_events(hospital.ledger, "1.2.3"):
        event = json.loads(line)
        kinds[event["type"]["code"], event["subtype"][0]["code"]] = event
    assert {("rest", "create"), ("rest", "delete")} <= kinds.keys()
    for kind, event in kinds.items():
        answer = server.http.post(
            f"{server.url}/AuditEvent/$validate",
            content=encode(event),
            headers={"Content-Type": "application/fhir+json"},
            timeout=60,
        )
        wrong = [one for one in answer.json()["issue"] if one["severity"] in {"error", "fatal"}]
        assert wrong == [], kind
