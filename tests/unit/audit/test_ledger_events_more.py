"""The AuditEvent of one entry, element by element, and of which entries there are events of writes."""

import json

import pytest

from careplan_exchange import audit, logs
from careplan_exchange.audit.balp import Event, as_resource
from careplan_exchange.audit.ledger_events import event_of
from careplan_exchange.model import chain
from careplan_exchange.model.ledger import Entry
from careplan_exchange.store import MemoryLedger

SERVER = "https://fhir.hospital.example/r4"
AT = "2026-03-04T06:06:07.5+01:00"
DCM = "http://dicom.nema.org/resources/ontology/DCM"
ENTITY = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
ROLE = "http://terminology.hl7.org/CodeSystem/object-role"
SOFTWARE = {
    "identifier": {"system": "urn:careplan-exchange:software", "value": "careplan-exchange/1.2.3"},
    "display": "careplan-exchange 1.2.3",
}


def an_entry(event: str = logs.EXCHANGE_STARTED, exchange: str = "x1", **data: object) -> Entry:
    return Entry(exchange=exchange, event=event, at=AT, data=data)


def started(**data: object) -> Entry:
    return an_entry(**{"patient": "Patient/p1", "target": SERVER, **data})


def written(*resources: object) -> Entry:
    return an_entry(logs.EXCHANGE_WRITTEN, resources=list(resources))


def finished(*resources: object) -> Entry:
    return an_entry(logs.EXCHANGE_FINISHED, resources=list(resources))


async def told(*entries: Entry) -> list[dict]:
    ledger = MemoryLedger("north")
    await ledger.append(entries)
    return [json.loads(line) async for line in audit.to_audit_events(ledger, "1.2.3")]


def writes_of(events: list[dict]) -> list[dict]:
    return [one for one in events if one["type"]["code"] == "rest"]


def test_the_event_of_an_entry_is_this():
    link = chain.link(chain.GENESIS, 7, an_entry(logs.REVIEW_DECIDED, by="Dr Who", state="approved"))
    assert event_of(link, "north", "1.2.3", patient="Patient/p1") == {
        "resourceType": "AuditEvent",
        "id": link.hash,
        "type": {"system": DCM, "code": "110100", "display": "Application Activity"},
        "subtype": [{"system": "urn:careplan-exchange:event", "code": "review.decided"}],
        "action": "E",
        "recorded": "2026-03-04T05:06:07.500Z",
        "outcome": "0",
        "agent": [
            {
                "type": {"coding": [{"system": DCM, "code": "110150", "display": "Application"}]},
                "who": SOFTWARE,
                "requestor": False,
                "network": {"address": "urn:careplan-exchange:software", "type": "5"},
            },
            {"who": {"display": "Dr Who"}, "requestor": True},
        ],
        "source": {
            "observer": SOFTWARE,
            "type": [
                {
                    "system": "http://terminology.hl7.org/CodeSystem/security-source-type",
                    "code": "4",
                    "display": "Application Server",
                }
            ],
        },
        "entity": [
            {
                "what": {"identifier": {"system": "urn:careplan-exchange:ledger:north", "value": "7"}},
                "type": {"system": ENTITY, "code": "2", "display": "System Object"},
                "role": {"system": ROLE, "code": "13", "display": "Security Resource"},
                "detail": [
                    {"type": "hash", "valueString": link.hash},
                    {"type": "previous", "valueString": chain.GENESIS},
                    {"type": "entry", "valueString": '{"by":"Dr Who","state":"approved"}'},
                ],
            },
            {
                "what": {"identifier": {"system": "urn:careplan-exchange:exchange", "value": "x1"}},
                "type": {
                    "system": "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType",
                    "code": "XrequestId",
                },
            },
            {
                "what": {"type": "Patient", "identifier": {"value": "Patient/p1"}},
                "type": {"system": ENTITY, "code": "1", "display": "Person"},
                "role": {"system": ROLE, "code": "1", "display": "Patient"},
            },
        ],
    }


@pytest.mark.parametrize("by", [None, "", 7])
def test_where_no_person_is_named_the_software_began(by):
    event = event_of(chain.link(chain.GENESIS, 1, an_entry(by=by)), "north", "1.2.3")
    assert [agent["requestor"] for agent in event["agent"]] == [True]
    assert len(event["entity"]) == 2


async def test_a_write_is_told_like_the_event_that_went_with_it():
    events = await told(
        started(),
        written(
            {"reference": "Goal/7", "versionId": "2", "action": "update"},
            {"reference": "Goal/8", "versionId": None, "action": "create"},
            {"reference": "Goal/9", "versionId": "1", "action": "unchanged"},
            {"reference": "CarePlan/1", "versionId": "1", "action": "pending"},
        ),
    )
    common = {
        "at": "2026-03-04T05:06:07.500Z",
        "server": SERVER,
        "request_id": "x1",
        "version": "1.2.3",
        "patient": {"reference": "Patient/p1"},
        "meta": {"tag": [{"system": "urn:careplan-exchange:exchange", "code": "x1"}]},
    }
    update = Event(interaction="update", what={"reference": "Goal/7/_history/2"}, **common)
    create = Event(interaction="create", what={"reference": "Goal/8"}, **common)
    assert [{**event, "id": ""} for event in writes_of(events)] == [
        {**as_resource(event, "R4"), "id": ""} for event in (update, create)
    ]


WRITTEN = {"reference": "Goal/7", "versionId": "2", "action": "update"}


@pytest.mark.parametrize(
    "entries",
    [
        (written(WRITTEN),),
        (started(patient=None), written(WRITTEN)),
        (started(target=""), written(WRITTEN)),
        (started(), an_entry(logs.EXCHANGE_WRITTEN)),
        (started(), an_entry(logs.WRITE_INTENT, resources=["Goal/7"])),
        (started(), finished(WRITTEN)),
    ],
)
async def test_what_is_not_known_to_have_been_written_about_somebody_has_no_event_of_its_own(entries):
    events = await told(*entries)
    assert len(events) == len(entries)
    assert writes_of(events) == []


async def test_every_page_of_a_long_ledger_is_told_and_the_patient_is_known_on_the_next():
    events = await told(started(), *[an_entry(logs.EXCHANGE_REFUSED)] * 1000)
    assert [event["entity"][0]["what"]["identifier"]["value"] for event in events] == [
        str(number) for number in range(1, 1002)
    ]
    assert {len(event["entity"]) for event in events} == {3}


async def test_what_is_appended_while_it_is_told_is_left_for_the_next_time():
    ledger = MemoryLedger()
    await ledger.append([started(), finished()])
    seen = []
    async for line in audit.to_audit_events(ledger, "1.2.3"):
        seen.append(json.loads(line))
        await ledger.append([started()])
    assert len(seen) == 2
