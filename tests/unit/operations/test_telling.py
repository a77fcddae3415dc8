"""Telling a repository: at least once, under the same ids, and never in the way of anything else."""

import asyncio
from datetime import timedelta

import pytest

from careplan_exchange.errors import EndpointUnreachableError, RefusedError
from careplan_exchange.fhir import Capabilities
from careplan_exchange.operations import Teller
from careplan_exchange.operations.telling import AT_ONCE, batch_of, wait_after
from careplan_exchange.store import MemoryOutbox
from tests.support.exchanges import CountingIds, TickingClock
from tests.support.parcels import READ, SERVER, a_parcel, a_request


class Repository:
    """Keeps what it is sent, by id or tag. `fail` is asked before anything is kept, `late` after."""

    base_url = "https://arr.example.org/fhir"

    def __init__(self, *, client_ids=()):
        self.client_ids = frozenset(client_ids)
        self.events = {}
        self.batches = []
        self.fail = lambda: None
        self.late = lambda: None

    async def capabilities(self):
        return Capabilities(
            release="R4",
            fhir_version="4.0.1",
            software=None,
            transaction=True,
            batch=True,
            interactions={},
            parameters={},
            client_ids=self.client_ids,
        )

    async def transaction(self, bundle, *, request_id):
        self.batches.append(bundle)
        self.fail()
        for entry in bundle["entry"]:
            request, event = entry["request"], entry["resource"]
            key = request["url"] if request["method"] == "PUT" else request["ifNoneExist"]
            self.events[key] = event
        self.late()
        return {}


class World:
    def __init__(self, **settings):
        self.outbox, self.clock, self.repository = MemoryOutbox(), TickingClock(), Repository(**settings)
        self.teller = Teller(self.outbox, self.clock, CountingIds(), self.open)

    async def open(self):
        return self.repository

    async def put(self, *numbers):
        for number in numbers:
            await self.outbox.put(a_parcel(number), self.clock.now().isoformat())


def raising(error):
    def fail():
        raise error

    return fail


def away():
    return EndpointUnreachableError("Away.", mend="Wait.")


async def test_what_is_due_is_sent_once_and_stays_known():
    world = World()
    await world.put(1, 2)
    told = await world.teller.send()
    assert (told.sent, told.failed, told.depth.waiting) == (2, 0, 0)
    assert len(world.repository.events) == 2
    assert (await world.teller.send()).sent == 0
    assert len(world.repository.batches) == 2


@pytest.mark.parametrize("client_ids", [(), ("AuditEvent",)])
async def test_a_lost_answer_makes_no_second_event(client_ids):
    world = World(client_ids=client_ids)
    await world.put(1)
    world.repository.late = raising(away())
    assert (await world.teller.send()).failed == 1
    world.repository.late = lambda: None
    assert (await world.teller.send(even_later=True)).sent == 1
    assert len(world.repository.batches) == 2
    assert len(world.repository.events) == 1


async def test_what_failed_waits_for_its_time_and_longer_each_time():
    world = World()
    await world.put(1)
    world.repository.fail = raising(away())
    assert (await world.teller.send()).failed == 1
    assert (await world.teller.send()).failed == 0, "it is not due"
    world.clock.pass_time(seconds=31)
    assert (await world.teller.send()).failed == 1
    world.clock.pass_time(seconds=31)
    assert (await world.teller.send()).failed == 0
    world.clock.pass_time(seconds=60)
    world.repository.fail = lambda: None
    assert (await world.teller.send()).sent == 1


def test_no_parcel_waits_longer_than_six_hours():
    waits = [wait_after(failures) for failures in range(100)]
    assert waits == sorted(waits)
    assert (waits[0], waits[1], waits[-1]) == (
        timedelta(seconds=30),
        timedelta(seconds=60),
        timedelta(hours=6),
    )


async def test_one_parcel_that_is_refused_does_not_hold_up_the_others():
    world = World()
    await world.put(1, 2, 3)
    first = []

    def only_the_first():
        if not first:
            first.append(1)
            raise RefusedError("No.", mend="Look.")

    world.repository.fail = only_the_first
    told = await world.teller.send()
    assert (told.sent, told.failed, told.depth.failed) == (2, 1, 1)


async def test_at_the_second_attempt_references_name_the_server_instead_of_pointing_into_the_repository():
    world = World()
    world.repository.base_url = SERVER
    await world.put(1)
    world.repository.fail = raising(RefusedError("Unknown reference.", mend="Look."))
    await world.teller.send()
    world.repository.fail = lambda: None
    await world.teller.send(even_later=True)
    whats = [batch["entry"][0]["resource"]["entity"][0]["what"] for batch in world.repository.batches]
    assert whats[0] == {"reference": "Goal/7/_history/3"}
    assert whats[1]["identifier"]["value"] == "Goal/7/_history/3"


async def test_many_events_go_in_several_batches():
    world = World()
    parcel = a_parcel(1, a_request(*[READ] * (AT_ONCE + 1)))
    await world.outbox.put(parcel, world.clock.now().isoformat())
    await world.teller.send()
    assert [len(batch["entry"]) for batch in world.repository.batches] == [AT_ONCE, 1]
    assert len(world.repository.events) == AT_ONCE + 1


async def test_a_limit_is_kept():
    world = World()
    await world.put(1, 2, 3)
    assert (await world.teller.send(limit=2)).depth.waiting == 1


async def test_without_a_repository_everything_is_kept():
    world = World()
    kept = Teller(world.outbox, world.clock, CountingIds(), None)
    await world.put(1)
    kept.begin()
    await kept.end(within=0)
    assert not kept.sends
    assert (await kept.send()).depth.waiting == 1


async def test_what_is_begun_goes_on_beside_and_is_left_when_its_time_is_over():
    world = World()
    await world.put(1)
    gate = asyncio.Event()
    sent = world.repository.transaction

    async def slow(bundle, *, request_id):
        await gate.wait()
        return await sent(bundle, request_id=request_id)

    world.repository.transaction = slow
    world.teller.begin()
    world.teller.begin()
    await world.teller.end(within=0.01)
    assert (await world.teller.depth()).waiting == 1
    gate.set()
    world.teller.begin()
    await world.teller.end(within=5)
    assert (await world.teller.depth()).waiting == 0


async def test_nobody_hears_of_a_repository_that_cannot_be_opened():
    world = World()

    async def refused():
        raise away()

    teller = Teller(world.outbox, world.clock, CountingIds(), refused)
    await world.put(1)
    teller.begin()
    await teller.end(within=5)
    assert (await teller.depth()).waiting == 1


def test_an_id_is_put_where_a_client_may_choose_it_and_else_a_condition_of_the_create():
    event = {"resourceType": "AuditEvent", "id": "e1"}
    (put,) = batch_of([event], client_ids=True)["entry"]
    assert put == {"resource": event, "request": {"method": "PUT", "url": "AuditEvent/e1"}}
    (post,) = batch_of([event], client_ids=False)["entry"]
    assert post["resource"] == {"resourceType": "AuditEvent"}
    assert post["request"]["ifNoneExist"] == "_tag=urn:careplan-exchange:event|e1"
