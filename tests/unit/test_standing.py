"""A record in which nothing has changed is not planned again, and everything that matters is a change."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from careplan_exchange import exchange, logs
from careplan_exchange.exchange.standing import Seen, Standing
from careplan_exchange.model.exchange import ExchangeRequest
from careplan_exchange.model.receipt import Receipt
from careplan_exchange.writer import MemoryPlanWriter
from tests.support.hospital import TODAY, URL, Hospital, HospitalSource


async def settled() -> Hospital:
    """A plan that stands, and a sync that found nothing to do."""
    hospital = Hospital()
    assert (await hospital.sync()).outcome == "written"
    assert (await hospital.sync()).outcome == "unchanged"
    return hospital


async def was_planned(hospital: Hospital, receipt: Receipt) -> bool:
    events = await hospital.events(receipt.exchange)
    assert (logs.EXCHANGE_PLANNED in events) != (logs.EXCHANGE_UNCHANGED in events)
    return logs.EXCHANGE_PLANNED in events


async def test_the_second_sync_that_changes_nothing_is_not_planned_and_says_the_same():
    hospital = await settled()
    planned = await hospital.sync()
    again = await hospital.sync()
    assert not await was_planned(hospital, again)
    assert again == msgspec.structs.replace(planned, exchange=again.exchange)
    assert (await hospital.events(again.exchange))[-1] == logs.EXCHANGE_FINISHED


async def another_value(hospital: Hospital) -> Receipt:
    reading = hospital.source.resources("Observation")[0]
    reading["note"] = [{"text": "Taken in the evening"}]
    return await hospital.sync()


async def a_clinicians_edit(hospital: Hospital) -> Receipt:
    hospital.edit(hospital.goals()[0], note=[{"text": "Agreed"}])
    return await hospital.sync()


async def another_day(hospital: Hospital) -> Receipt:
    return await hospital.sync(today=TODAY + timedelta(days=1))


async def an_approval(hospital: Hospital) -> Receipt:
    return await hospital.sync(approve=True)


async def other_knowledge(hospital: Hospital) -> Receipt:
    steps = hospital.steps()
    steps = msgspec.structs.replace(steps, knowledge=msgspec.structs.replace(steps.knowledge, digest="other"))
    return await with_steps(hospital, steps)


async def other_software(hospital: Hospital) -> Receipt:
    return await with_steps(hospital, msgspec.structs.replace(hospital.steps(), version="0.0.1"))


async def a_base_that_is_gone(hospital: Hospital) -> Receipt:
    hospital.plans._bases.clear()
    return await hospital.sync()


async def a_new_process(hospital: Hospital) -> Receipt:
    hospital.standing = Standing()
    return await hospital.sync()


async def with_steps(hospital: Hospital, steps: exchange.Steps) -> Receipt:
    asked = ExchangeRequest(endpoint="hospital", patient=hospital.source.patient)
    request = exchange.Request(exchange=hospital.ids.new(), asked=asked, today=TODAY)
    return await exchange.sync(steps, request)


@pytest.mark.parametrize(
    "change",
    [
        another_value,
        a_clinicians_edit,
        another_day,
        an_approval,
        other_knowledge,
        other_software,
        a_base_that_is_gone,
        a_new_process,
    ],
)
async def test_everything_that_a_plan_rests_on_makes_it_planned_again(change: Any):
    hospital = await settled()
    assert await was_planned(hospital, await change(hospital))


async def test_where_another_server_holds_the_plan_it_is_always_planned():
    writer = MemoryPlanWriter("https://other.example.org/fhir")
    hospital = Hospital(writer=writer, source=HospitalSource("02-older-adult-si-units", written_here=None))
    await hospital.sync()
    for _ in range(3):
        assert await was_planned(hospital, await hospital.sync())


async def test_nothing_but_unchanged_is_kept():
    hospital = Hospital()
    written = await hospital.sync()
    seen = Seen(URL, "Patient/1", b"1")
    standing = Standing()
    standing.keep(seen, written)
    assert standing.found(seen, "x") is None


def test_the_oldest_finding_goes_first():
    standing, receipt = Standing(), Receipt(outcome="unchanged", resources=(), issues=(), exchange="x")
    for number in range(2_001):
        standing.keep(Seen(URL, f"Patient/{number}", b"1"), receipt)
    assert standing.found(Seen(URL, "Patient/0", b"1"), "y") is None
    assert standing.found(Seen(URL, "Patient/1", b"1"), "y") is not None
    assert standing.found(Seen(URL, "Patient/1", b"2"), "y") is None
