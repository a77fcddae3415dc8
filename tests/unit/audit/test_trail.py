"""From what is heard to the outbox and the ledger: nothing twice, nothing lost, also where something fails."""

import asyncio

import pytest

from careplan_exchange.audit import About, Notes, Trail, following
from careplan_exchange.errors import RefusedError, StoreUnavailableError
from careplan_exchange.fhir.heard import listener
from careplan_exchange.model.changes import ChangeSet
from careplan_exchange.model.requested import Act
from careplan_exchange.store import MemoryLedger, MemoryOutbox
from tests.support.exchanges import CountingIds, TickingClock
from tests.support.parcels import READ, SEARCH, SERVER, a_request

PATIENT = Act(interaction="search-type", type="Patient", query="Patient?_id=p1&_count=1000")
OTHER = "https://target.example.org/fhir"


class Broken(MemoryOutbox):
    def __init__(self):
        super().__init__()
        self.broken = True

    async def put(self, parcel, due_at):
        if self.broken:
            raise StoreUnavailableError("Full.", mend="Make room.")
        await super().put(parcel, due_at)


def a_trail(outbox, **about):
    return Trail(outbox, TickingClock(), CountingIds(), About(exchange="x1", version="0.1.0", **about))


def notes_of(ledger):
    return Notes(ledger, TickingClock(), exchange="x1", patient="Patient/p1", target=OTHER)


async def refused_in(trail):
    async with following(trail):
        listener()(a_request(READ))
        raise RefusedError("No.", mend="Ask.")


async def parcels(outbox):
    return [each.parcel for _, each in await outbox.parcels(limit=100)]


async def test_what_was_heard_is_kept_at_the_end():
    outbox = MemoryOutbox()
    async with following(a_trail(outbox, by="Dr Who", installation="i1")):
        listener()(a_request(SEARCH))
        assert await parcels(outbox) == []
    (parcel,) = await parcels(outbox)
    assert parcel.requests == (a_request(SEARCH),)
    assert (parcel.exchange, parcel.by, parcel.installation) == ("x1", "Dr Who", "i1")
    assert listener() is None


async def test_what_was_heard_is_kept_before_anything_is_written_and_only_once():
    outbox, ledger = MemoryOutbox(), MemoryLedger()
    async with following(a_trail(outbox)):
        listener()(a_request(SEARCH))
        await notes_of(ledger).flush()
        assert len(await parcels(outbox)) == 1
        listener()(a_request(READ))
    assert [parcel.requests for parcel in await parcels(outbox)] == [(a_request(SEARCH),), (a_request(READ),)]


async def test_nothing_heard_is_nothing_kept():
    outbox = MemoryOutbox()
    async with following(a_trail(outbox)):
        pass
    assert await parcels(outbox) == []


async def test_what_a_transaction_tells_of_itself_is_not_kept_a_second_time():
    outbox = MemoryOutbox()
    async with following(a_trail(outbox)):
        listener()(a_request(READ, told=True))
    assert await parcels(outbox) == []


async def test_what_was_heard_is_kept_where_what_was_done_fails():
    outbox = MemoryOutbox()
    with pytest.raises(RefusedError):
        await refused_in(a_trail(outbox))
    assert len(await parcels(outbox)) == 1


async def test_an_outbox_that_cannot_be_written_hides_no_failure_and_lets_no_success_pass():
    with pytest.raises(RefusedError):
        await refused_in(a_trail(Broken()))
    with pytest.raises(StoreUnavailableError):
        async with following(a_trail(Broken())):
            listener()(a_request(READ))


async def test_what_could_not_be_kept_is_kept_the_next_time():
    outbox = Broken()
    trail = a_trail(outbox)
    trail.hear(a_request(READ))
    with pytest.raises(StoreUnavailableError):
        await trail.keep()
    outbox.broken = False
    await trail.keep()
    await trail.keep()
    assert [parcel.requests for parcel in await parcels(outbox)] == [(a_request(READ),)]


async def test_what_was_kept_of_one_server_is_not_kept_again_where_that_of_another_could_not_be():
    outbox = Broken()
    outbox.broken = False
    trail = a_trail(outbox)
    put = outbox.put

    async def full_after_one(parcel, due_at):
        await put(parcel, due_at)
        outbox.broken = True

    outbox.put = full_after_one
    trail.hear(a_request(READ))
    trail.hear(a_request(READ, server=OTHER))
    with pytest.raises(StoreUnavailableError):
        await trail.keep()
    outbox.broken, outbox.put = False, put
    await trail.keep()
    assert [parcel.requests[0].server for parcel in await parcels(outbox)] == [SERVER, OTHER]


async def test_whom_it_is_about_is_learned_from_the_request_for_the_patient():
    outbox = MemoryOutbox()
    async with following(a_trail(outbox)):
        listener()(a_request(SEARCH))
        listener()(a_request(PATIENT, SEARCH))
    assert [parcel.subject for parcel in await parcels(outbox)] == ["Patient/p1"]


@pytest.mark.parametrize(
    "act",
    [
        Act(interaction="search-type", type="Patient", query="Patient?identifier=urn:mrn|12"),
        Act(interaction="search-type", type="Observation", query="Observation?_id=o1"),
        Act(interaction="search-type", type="Patient", query="Patient?_count=20"),
    ],
)
async def test_a_request_that_names_no_patient_by_id_says_nothing_of_whom_it_is_about(act):
    outbox = MemoryOutbox()
    async with following(a_trail(outbox)):
        listener()(a_request(act))
    assert [parcel.subject for parcel in await parcels(outbox)] == [None]


async def test_each_server_has_its_own_parcel_with_the_patient_as_that_server_knows_them():
    outbox = MemoryOutbox()
    async with following(a_trail(outbox)):
        listener()(a_request(PATIENT))
        listener()(a_request(READ, server=OTHER))
        notes_of(MemoryLedger()).compared(ChangeSet(patient="Patient/77", changes=()))
    assert [(parcel.requests[0].server, parcel.subject) for parcel in await parcels(outbox)] == [
        (SERVER, "Patient/p1"),
        (OTHER, "Patient/77"),
    ]


async def test_every_refusal_is_in_the_ledger_once_with_its_key_and_nothing_of_the_patients():
    ledger = MemoryLedger()
    async with following(a_trail(MemoryOutbox())):
        notes = notes_of(ledger)
        listener()(a_request(SEARCH, READ, status=403, error="refused.authentication"))
        listener()(a_request(SEARCH, status=None, error="unavailable.endpoint"))
        await notes.flush()
        await notes.flush()
    refused = [link.entry.data for link in await ledger.links() if link.entry.event == "exchange.refused"]
    assert refused == [
        {"error": "refused.authentication", "status": 403, "asked": ["read Goal", "search-type Observation"]},
        {"error": "unavailable.endpoint", "status": None, "asked": ["search-type Observation"]},
    ]


async def test_what_was_refused_within_a_batch_is_in_the_ledger():
    ledger = MemoryLedger()
    refused = Act(
        interaction="search-type", type="Goal", query="Goal", status=403, error="refused.authentication"
    )
    async with following(a_trail(MemoryOutbox())):
        listener()(a_request(SEARCH, refused))
        await notes_of(ledger).flush()
    (entry,) = (link.entry for link in await ledger.links() if link.entry.event == "exchange.refused")
    assert entry.data == {"error": "refused.authentication", "status": 403, "asked": ["search-type Goal"]}


@pytest.mark.parametrize("status", [404, 410])
async def test_what_is_not_there_is_no_refusal(status):
    ledger = MemoryLedger()
    async with following(a_trail(MemoryOutbox())):
        listener()(a_request(READ, status=status, error="refused"))
        await notes_of(ledger).flush()
    assert [link.entry.event for link in await ledger.links()] == ["exchange.started"]


async def test_without_a_trail_notes_are_appended_as_ever():
    ledger = MemoryLedger()
    await notes_of(ledger).flush()
    assert [link.entry.event for link in await ledger.links()] == ["exchange.started"]


async def test_what_is_read_of_a_patient_is_kept_beside_the_reading():
    outbox = MemoryOutbox()
    async with following(a_trail(outbox)):
        listener()(a_request(PATIENT))
        await asyncio.sleep(0.01)
        (parcel,) = await parcels(outbox)
        assert (parcel.requests, parcel.subject) == ((a_request(PATIENT),), "Patient/p1")
        listener()(a_request(SEARCH))
        await asyncio.sleep(0.01)
        assert len(await parcels(outbox)) == 1  # not one for every request
    assert [each.requests for each in await parcels(outbox)] == [(a_request(PATIENT),), (a_request(SEARCH),)]


async def test_a_long_reading_is_kept_again_and_again(monkeypatch):
    monkeypatch.setattr("careplan_exchange.audit.trail.EVERY_SECONDS", 0.02)
    outbox = MemoryOutbox()
    async with following(a_trail(outbox)):
        for number in range(3):
            listener()(a_request(PATIENT))
            await asyncio.sleep(0.05)
            assert len(await parcels(outbox)) == number + 1


async def test_until_it_is_known_whom_it_is_about_it_waits():
    outbox = MemoryOutbox()
    async with following(a_trail(outbox)):
        listener()(a_request(SEARCH))
        await asyncio.sleep(0.01)
        assert await parcels(outbox) == []
        listener()(a_request(PATIENT))
        await asyncio.sleep(0.01)
        (parcel,) = await parcels(outbox)
        assert (len(parcel.requests), parcel.subject) == (2, "Patient/p1")


async def test_an_outbox_that_fails_beside_the_reading_is_asked_again_at_the_end():
    outbox = Broken()
    async with following(a_trail(outbox)):
        listener()(a_request(PATIENT))
        await asyncio.sleep(0.01)
        outbox.broken = False
    assert len(await parcels(outbox)) == 1


class Slow(MemoryOutbox):
    async def put(self, parcel, due_at):
        await asyncio.sleep(0.02)
        await super().put(parcel, due_at)


async def test_what_is_being_kept_when_all_is_done_is_kept_once():
    outbox = Slow()
    async with following(a_trail(outbox)):
        listener()(a_request(PATIENT))
        await asyncio.sleep(0.01)
    assert [each.requests for each in await parcels(outbox)] == [(a_request(PATIENT),)]
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []
