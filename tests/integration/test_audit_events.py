"""Every read and write of a sync as an AuditEvent on a real server: all of them, each once, each valid."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from careplan_exchange import config
from careplan_exchange.audit import events_of, kept_events
from careplan_exchange.bootstrap import Services
from careplan_exchange.operations import Teller
from careplan_exchange.store import MemoryOutbox
from tests.support.balp import errors
from tests.support.patients import synthetic
from tests.support.product import Server, product, sync

pytestmark = [pytest.mark.hapi, pytest.mark.slow]

EXCHANGE = "urn:careplan-exchange:exchange"


def interactions(events: list[dict[str, Any]]) -> Counter[str]:
    return Counter(event["subtype"][0]["code"] for event in events)


def on_server(server: Server, exchange: str) -> list[dict[str, Any]]:
    return server.search(f"AuditEvent?_tag={EXCHANGE}|{exchange}&_count=200")


async def kept(services: Services, exchange: str) -> list[dict[str, Any]]:
    return [event async for event in kept_events(services.outbox, exchange=exchange)]


async def test_with_a_write_go_its_own_events_and_the_reads_are_kept(hapi_r4: Any, tmp_path: Path) -> None:
    server = Server(hapi_r4.url)
    patient = server.load(synthetic("02-older-adult-si-units"))
    async with product(tmp_path, hapi_r4.url) as services:
        receipt = await sync(services, patient)
        stored = on_server(server, receipt.exchange)
        assert interactions(stored) == {"create": len(receipt.resources)}
        events = await kept(services, receipt.exchange)
    assert set(interactions(events)) <= {"read", "search-type", "operation"}
    assert interactions(events)["search-type"] > 10
    assert [error for event in (*stored, *events[:3], *events[-3:]) for error in errors(server, event)] == []


async def test_a_repository_gets_every_event_once_however_often_it_is_told(hapi_r4: Any, tmp_path: Path) -> None:
    server = Server(hapi_r4.url)
    patient = server.load(synthetic("02-older-adult-si-units"))
    audit = config.Audit(events="repository", repository="main")
    async with product(tmp_path, hapi_r4.url, audit=audit) as services:
        receipt = await sync(services, patient)
        told = await services.teller.send(even_later=True)
        assert (told.failed, told.depth.waiting) == (0, 0)
        events = await kept(services, receipt.exchange)
        stored = on_server(server, receipt.exchange)
        assert len(stored) == len(events)
        assert interactions(stored) == interactions(events)
        assert interactions(stored)["create"] == len(receipt.resources)
        about = server.search(
            f"AuditEvent?patient=Patient/{patient}&_tag={EXCHANGE}|{receipt.exchange}&_count=200"
        )
        assert len(about) == len(stored)

        # The answer to the first sending was lost: all of it is told once more.
        again = MemoryOutbox()
        for _, outgoing in await services.outbox.parcels(exchange=receipt.exchange, limit=10):
            await again.put(outgoing.parcel, "2026-01-01T00:00:00+00:00")

        async def repository() -> Any:
            return await services.client("main")

        told = await Teller(again, services.clock, services.ids, repository).send()
        assert (told.failed, told.depth.waiting) == (0, 0)
    assert len(on_server(server, receipt.exchange)) == len(events)


async def test_a_reading_of_nobody_is_told_too_though_the_repository_knows_no_such_patient(
    hapi_r4: Any, tmp_path: Path
) -> None:
    server = Server(hapi_r4.url)
    audit = config.Audit(events="repository", repository="main")
    async with product(tmp_path, hapi_r4.url, audit=audit) as services:
        exchange = services.ids.new()
        receipt = await services.sync(_request("not-there"), exchange_id=exchange)
        assert receipt.outcome == "failed"
        first = await services.teller.send(even_later=True)
        second = await services.teller.send(even_later=True)
        assert first.sent + second.sent > 0
        assert second.depth.waiting == 0
    assert on_server(server, exchange)


async def test_where_nothing_is_atomic_the_events_of_a_write_are_kept(medplum: Any, tmp_path: Path) -> None:
    server = Server(medplum.url)
    patient = server.load(synthetic("02-older-adult-si-units"))
    async with product(tmp_path, medplum.url) as services:
        receipt = await sync(services, patient)
        events = await kept(services, receipt.exchange)
    assert receipt.outcome == "written"
    created = [event for event in events if event["subtype"][0]["code"] == "create"]
    assert len(created) == len(receipt.resources)
    named = {event["entity"][0]["what"]["identifier"]["value"].partition("/_history/")[0] for event in created}
    assert named == {resource.reference for resource in receipt.resources}


async def test_the_r5_form_of_what_is_told_is_valid_on_a_server_of_r5(hapi_r5: Any, tmp_path: Path) -> None:
    from tests.support.r5 import to_r5

    server = Server(hapi_r5.url)
    patient = server.load(to_r5(synthetic("02-older-adult-si-units")))
    async with product(tmp_path, hapi_r5.url) as services:
        receipt = await sync(services, patient)
        assert [error for event in on_server(server, receipt.exchange) for error in errors(server, event)] == []
        for _, outgoing in await services.outbox.parcels(exchange=receipt.exchange, limit=10):
            events = events_of(outgoing.parcel, "R5", here=hapi_r5.url)
            assert [error for event in events[:3] for error in errors(server, event)] == []


def _request(patient: str) -> Any:
    from careplan_exchange.model.exchange import ExchangeRequest

    return ExchangeRequest(endpoint="main", patient=patient)
