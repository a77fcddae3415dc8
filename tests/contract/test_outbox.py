"""What every ports.Outbox does: the memory, SQLite (file and memory) and PostgreSQL."""

from careplan_exchange.model.requested import Depth
from careplan_exchange.store import open_store
from tests.support.parcels import ACTS, a_parcel, a_request

NOON, ONE, TWO = (f"2026-03-04T{hour}:00:00+00:00" for hour in (12, 13, 14))


async def due(store, now=NOON, limit=10):
    return [each.parcel.id for each in await store.outbox.due(now, limit=limit)]


async def test_an_empty_outbox_has_nothing_due_and_no_depth(store):
    assert await store.outbox.due(NOON, limit=10) == ()
    assert await store.outbox.depth() == Depth(waiting=0)
    assert await store.outbox.parcels(limit=10) == ()


async def test_a_parcel_comes_back_as_it_was_put(store):
    parcel = a_parcel(
        1, a_request(*ACTS, jti="j1"), a_request(status=None, error="unavailable.endpoint"), by="Dr Who"
    )
    await store.outbox.put(parcel, NOON)
    (outgoing,) = await store.outbox.due(NOON, limit=10)
    assert outgoing.parcel == parcel
    assert (outgoing.attempts, outgoing.due_at, outgoing.sent_at) == (0, NOON, None)


async def test_the_same_parcel_put_twice_is_one(store):
    await store.outbox.put(a_parcel(1), NOON)
    await store.outbox.put(a_parcel(1), TWO)
    assert len(await store.outbox.parcels(limit=10)) == 1
    assert await due(store) == [a_parcel(1).id]


async def test_what_is_due_comes_longest_due_first_and_no_more_than_asked_for(store):
    for number, at in ((1, ONE), (2, NOON), (3, TWO)):
        await store.outbox.put(a_parcel(number), at)
    assert await due(store, ONE) == [a_parcel(2).id, a_parcel(1).id]
    assert await due(store, TWO, limit=1) == [a_parcel(2).id]
    assert await due(store, "2026-03-04T11:00:00+00:00") == []


async def test_what_was_sent_is_never_due_again_and_stays(store):
    await store.outbox.put(a_parcel(1), NOON)
    await store.outbox.sent(a_parcel(1).id, ONE)
    await store.outbox.sent(a_parcel(1).id, TWO)
    await store.outbox.failed(a_parcel(1).id, TWO)
    assert await due(store, TWO) == []
    ((_, outgoing),) = await store.outbox.parcels(limit=10)
    assert (outgoing.sent_at, outgoing.attempts) == (ONE, 0)


async def test_what_failed_is_due_later_and_counted(store):
    await store.outbox.put(a_parcel(1), NOON)
    await store.outbox.put(a_parcel(2), NOON)
    await store.outbox.failed(a_parcel(1).id, TWO)
    assert await due(store, ONE) == [a_parcel(2).id]
    assert [each.attempts for each in await store.outbox.due(TWO, limit=10)] == [0, 1]
    assert await store.outbox.depth() == Depth(waiting=2, failed=1, oldest="2026-03-04T05:06:07.000Z")


async def test_all_are_walked_in_order_by_exchange_and_in_pages(store):
    for number in range(1, 6):
        await store.outbox.put(a_parcel(number, exchange="odd" if number % 2 else "even"), NOON)
    await store.outbox.sent(a_parcel(1).id, ONE)
    odd = await store.outbox.parcels(exchange="odd", limit=10)
    assert [each.parcel.id for _, each in odd] == [a_parcel(n).id for n in (1, 3, 5)]
    first = await store.outbox.parcels(limit=2)
    rest = await store.outbox.parcels(after=first[-1][0], limit=10)
    assert [each.parcel.id for _, each in (*first, *rest)] == [a_parcel(n).id for n in range(1, 6)]


async def test_what_was_put_is_there_after_the_store_was_opened_anew(place):
    async with open_store(place.url, password=place.password) as store:
        await store.outbox.put(a_parcel(1), NOON)
    async with open_store(place.url, password=place.password) as store:
        assert await due(store) == [a_parcel(1).id]
