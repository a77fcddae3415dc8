"""The ledger as AuditEvents: every entry and every written resource once, under an id that stays."""

import json
import re

import pytest
from fhir.resources.R4B.auditevent import AuditEvent

from careplan_exchange import audit, logs
from careplan_exchange.audit.balp import BALP
from careplan_exchange.model.ledger import Entry
from careplan_exchange.store import MemoryLedger
from tests.support.hospital import Hospital

TARGET = "https://fhir.hospital.example/r4"


async def events(ledger) -> list[dict]:
    return [json.loads(line) async for line in audit.to_audit_events(ledger, "1.2.3")]


def of(found: list[dict], kind: str) -> list[dict]:
    return [one for one in found if one["type"]["code"] == kind]


@pytest.fixture
async def synced():
    hospital = Hospital()
    await hospital.sync()
    return hospital.ledger


async def test_every_entry_is_told_once_under_the_id_of_its_hash(synced):
    links = await synced.links()
    told = of(await events(synced), "110100")
    assert [one["id"] for one in told] == [link.hash for link in links]
    assert [one["subtype"][0]["code"] for one in told] == [link.entry.event for link in links]
    assert await events(synced) == await events(synced)
    assert {one["entity"][2]["what"]["identifier"]["value"] for one in told} == {links[0].entry.data["patient"]}


async def test_every_resource_that_was_written_has_an_event_of_its_own(synced):
    finished = next(x.entry for x in await synced.links() if x.entry.event == logs.EXCHANGE_FINISHED)
    written = [one for one in finished.data["resources"] if one["action"] in {"create", "update"}]
    told = of(await events(synced), "rest")
    assert written
    assert [one["entity"][0]["what"]["reference"] for one in told] == [
        f"{one['reference']}/_history/{one['versionId']}" for one in written
    ]
    assert {one["action"] for one in told} == {"C"}
    assert len({one["id"] for one in told}) == len(told)
    codes = [entity.get("type", {}).get("system") for entity in told[0]["entity"]]
    assert f"{BALP}/CodeSystem/BasicAuditEntityType" in codes


async def test_they_are_audit_events_of_r4_with_ids_that_fhir_takes(synced):
    for one in await events(synced):
        AuditEvent.model_validate(one)
        assert re.fullmatch(r"[A-Za-z0-9\-.]{1,64}", one["id"])


async def test_a_failure_and_a_person_are_told():
    ledger = MemoryLedger("north")
    at = "2026-01-01T01:00:00+01:00"
    await ledger.append(
        [
            Entry(exchange="x", event=logs.EXCHANGE_FAILED, at=at, data={"error": "record"}),
            Entry(exchange="y", event=logs.REVIEW_DECIDED, at=at, data={"state": "approved", "by": "Dr Who"}),
        ]
    )
    failed, decided = await events(ledger)
    assert (failed["outcome"], failed["recorded"]) == ("8", "2026-01-01T00:00:00.000Z")
    assert [agent["requestor"] for agent in decided["agent"]] == [False, True]
    assert decided["agent"][1]["who"]["display"] == "Dr Who"
    assert decided["entity"][0]["what"]["identifier"] == {
        "system": "urn:careplan-exchange:ledger:north",
        "value": "2",
    }


async def of_entries(*said: tuple[str, list[dict]]) -> list[dict]:
    """The BALP events of an exchange that noted these."""
    ledger = MemoryLedger("north")
    at = "2026-01-01T01:00:00+01:00"
    started = Entry(
        exchange="x", event=logs.EXCHANGE_STARTED, at=at, data={"patient": "Patient/1", "target": TARGET}
    )
    noted = [Entry(exchange="x", event=event, at=at, data={"resources": lines}) for event, lines in said]
    await ledger.append([started, *noted])
    return of(await events(ledger), "rest")


MADE = {"reference": "Goal/7", "versionId": "3", "action": "update"}


async def test_what_was_put_back_or_taken_back_has_an_event_for_each_version():
    put_back = {"reference": "Goal/7", "versionId": "4", "action": "update", "of": "3", "restores": "2"}
    deleted = {"reference": "Goal/8", "action": "delete", "of": "1"}
    told = await of_entries((logs.WRITE_PUT_BACK, [MADE, put_back]), (logs.WRITE_TAKEN_BACK, [deleted]))
    assert [(one["action"], one["entity"][0]["what"]["reference"]) for one in told] == [
        ("U", "Goal/7/_history/3"),
        ("U", "Goal/7/_history/4"),
        ("D", "Goal/8/_history/1"),
    ]
    assert "detail" not in told[0]["entity"][0]
    assert told[1]["entity"][0]["detail"] == [{"type": "If-Match", "valueString": 'W/"3"'}]
    assert "detail" not in told[2]["entity"][0]
    assert {one["meta"]["tag"][0]["code"] for one in told} == {"x"}
    for one in told:
        AuditEvent.model_validate(one)


async def test_a_version_that_is_told_again_when_it_is_settled_is_the_same_event():
    written, settled = await of_entries((logs.EXCHANGE_WRITTEN, [MADE]), (logs.EXCHANGE_SETTLED, [MADE]))
    assert written == settled
    other, later = await of_entries((logs.WRITE_PARTLY, [MADE, {**MADE, "versionId": "4"}]))
    assert other["id"] == written["id"] != later["id"]


async def test_what_is_unchanged_or_only_repeated_by_the_receipt_has_none():
    unchanged = {**MADE, "action": "unchanged"}
    assert await of_entries((logs.EXCHANGE_WRITTEN, [unchanged]), (logs.EXCHANGE_FINISHED, [MADE])) == []
