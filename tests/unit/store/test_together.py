"""What several ask for at once is done together, and nobody gets another's answer."""

import asyncio

import pytest

from careplan_exchange.errors import StoreUnavailableError
from careplan_exchange.store.together import Together


async def test_who_comes_while_a_batch_is_under_way_shares_the_next():
    batches = []

    async def work(items):
        batches.append(list(items))
        await asyncio.sleep(0)
        return [item * 10 for item in items]

    together = Together(work)
    assert await asyncio.gather(*(together.do(n) for n in range(9))) == [n * 10 for n in range(9)]
    assert sorted(item for batch in batches for item in batch) == list(range(9))
    assert len(batches) <= 2
    assert await together.do(9) == 90


async def test_a_failure_goes_to_those_of_its_batch_and_the_next_goes_on():
    calls = 0

    async def work(items):
        nonlocal calls
        calls += 1
        await asyncio.sleep(0)
        if calls == 1:
            raise StoreUnavailableError("It is locked.", mend="Wait.")
        return items

    together = Together(work)
    first = [asyncio.create_task(together.do(n)) for n in range(3)]
    for task in first:
        with pytest.raises(StoreUnavailableError):
            await task
    assert await together.do(7) == 7


async def test_who_is_cancelled_takes_nobody_with_them_and_ends_when_the_work_has_ended():
    begun, go_on, done = asyncio.Event(), asyncio.Event(), []

    async def work(items):
        begun.set()
        await go_on.wait()
        done.extend(items)
        return items

    together = Together(work)
    one, other = asyncio.create_task(together.do(1)), asyncio.create_task(together.do(2))
    await begun.wait()
    one.cancel()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await one
    assert await other == 2
    assert done == [1, 2]
