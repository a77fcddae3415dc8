"""Where following begins and ends: nothing runs on beside it, and the trail around it is followed again."""

import asyncio
import time

import pytest

from careplan_exchange.audit import About, Trail, following
from careplan_exchange.audit.trail import trail
from careplan_exchange.errors import RefusedError
from careplan_exchange.fhir.heard import listener
from careplan_exchange.model.requested import Act
from careplan_exchange.store import MemoryOutbox
from tests.support.exchanges import CountingIds, TickingClock
from tests.support.parcels import SEARCH, a_request

PATIENT = Act(interaction="search-type", type="Patient", query="Patient?_id=p1&_count=1000")


def a_trail(outbox: MemoryOutbox) -> Trail:
    return Trail(outbox, TickingClock(), CountingIds(), About(exchange="x1", version="0.1.0"))


async def fails_in(followed: Trail) -> None:
    async with following(followed):
        listener()(a_request(PATIENT))
        await asyncio.sleep(0.01)
        listener()(a_request(SEARCH))
        raise RefusedError("No.", mend="-")


def beside() -> list[asyncio.Task[object]]:
    return [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]


async def test_whatever_waits_to_be_kept_is_kept_at_the_end_and_nothing_waits_on(monkeypatch):
    monkeypatch.setattr("careplan_exchange.audit.trail.EVERY_SECONDS", 60.0)
    outbox, started = MemoryOutbox(), time.monotonic()
    async with following(a_trail(outbox)):
        listener()(a_request(PATIENT))
        await asyncio.sleep(0.01)
        for _ in range(3):
            listener()(a_request(SEARCH))
            await asyncio.sleep(0.01)
            assert len(beside()) == 1
    assert beside() == []
    assert time.monotonic() - started < 30, "it did not wait for the next time"
    assert [len(each.parcel.requests) for _, each in await outbox.parcels(limit=9)] == [1, 3]


async def test_nothing_waits_on_where_what_was_done_failed():
    with pytest.raises(RefusedError):
        await fails_in(a_trail(MemoryOutbox()))
    assert beside() == []
    assert trail() is None


async def test_a_trail_is_followed_within_and_the_one_around_it_afterwards():
    outer, inner = a_trail(MemoryOutbox()), a_trail(MemoryOutbox())
    async with following(outer):
        async with following(inner):
            assert trail() is inner
        assert trail() is outer
    assert trail() is None
