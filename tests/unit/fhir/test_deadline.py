"""One patient takes no longer than the endpoint allows, whatever the time was spent on."""

import asyncio
from contextlib import suppress

import httpx
import pytest

from careplan_exchange.errors import CareplanError, EndpointUnreachableError
from careplan_exchange.fhir import Connection, Pacing, Query, connect

from .wire import BASE, NOW, CountingIds, client_of, fhir, goal, searchset, statement

GOALS = Query("Goal", (("patient", "Patient/p1-secret"),))
PLANS = Query("CarePlan", (("patient", "Patient/p1-secret"),))


async def slow(request):
    if request.url.path.endswith("/metadata"):
        return fhir(statement("Goal", whole=()))
    if "Goal" in request.url.path:
        return fhir(searchset(goal()))
    await asyncio.sleep(30)
    return None


async def test_when_the_time_of_one_patient_is_over_the_error_names_what_was_under_way():
    async with client_of(slow, patient_deadline_seconds=0.05) as client:
        with pytest.raises(EndpointUnreachableError, match=r"not read within 0\.05 seconds") as caught:
            async with client.one_patient():
                await client.search_many([GOALS, PLANS])
    assert caught.value.detail.endswith("Under way: The search for CarePlan (patient).")
    assert "patient_deadline_seconds" in caught.value.mend
    assert "secret" not in caught.value.detail


async def test_the_waits_between_attempts_count_too():
    pacing = Pacing(now=lambda: NOW, chance=lambda: 1.0)
    transport = httpx.MockTransport(lambda request: fhir(status=503, retry_after="50"))
    connection = Connection(base_url=BASE, patient_deadline_seconds=0.05)
    async with connect(connection, ids=CountingIds(), transport=transport, pacing=pacing) as client:
        with pytest.raises(EndpointUnreachableError, match="The read of Goal"):
            async with client.one_patient():
                await client.read("Goal", "g1")


async def test_waiting_for_a_slot_counts_too():
    async with client_of(slow, concurrency=1, patient_deadline_seconds=0.05) as client:
        hog = asyncio.create_task(client.search(PLANS))
        await asyncio.sleep(0)
        with pytest.raises(EndpointUnreachableError, match="The read of Goal"):
            async with client.one_patient():
                await client.read("Goal", "g1")
        hog.cancel()
        await asyncio.gather(hog, return_exceptions=True)


async def test_each_patient_has_a_time_and_a_list_of_its_own():
    async def handler(request):
        await asyncio.sleep(0.03)
        return fhir(goal())

    async with client_of(handler, patient_deadline_seconds=0.2) as client:

        async def pull():
            async with client.one_patient():
                for _ in range(4):
                    await client.read("Goal", "g1")

        async def hang():
            async with client.one_patient():
                await asyncio.sleep(30)

        results = await asyncio.gather(pull(), pull(), hang(), return_exceptions=True)
    assert results[:2] == [None, None]
    assert results[2].detail.endswith("Under way: no request.")


async def test_many_requests_are_not_all_named():
    queries = [Query(kind) for kind in ("A", "B", "C", "D", "E", "F", "G")]
    async with client_of(slow, patient_deadline_seconds=0.05, concurrency=10) as client:
        with pytest.raises(EndpointUnreachableError, match="and 2 more"):
            async with client.one_patient():
                await client.search_many(queries)


async def test_a_request_that_failed_by_itself_is_not_said_to_be_under_way():
    async with client_of(slow, patient_deadline_seconds=0.05) as client:

        async def pull():
            async with client.one_patient():
                with suppress(CareplanError):
                    await client.read("Goal", "g1")  # it answers with a Bundle
                await client.search(PLANS)

        with pytest.raises(EndpointUnreachableError) as caught:
            await pull()
    assert "read of Goal" not in caught.value.detail


async def test_a_timeout_of_the_callers_own_stays_what_it_is():
    async with client_of(slow, patient_deadline_seconds=30) as client:
        with pytest.raises(TimeoutError):
            async with client.one_patient(), asyncio.timeout(0.01):
                await client.search(PLANS)
