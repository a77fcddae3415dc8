"""The runner: nothing that was accepted is forgotten, and nothing runs more often than it must."""

import asyncio

import pytest
from prometheus_client import REGISTRY

from careplan_exchange.errors import EndpointOverloadedError, StoreUnavailableError, UsageError
from careplan_exchange.jobs import Runner
from careplan_exchange.model.exchange import ExchangeRequest
from tests.support.exchanges import FakeExchanges

REQUEST = ExchangeRequest(endpoint="hospital", patient="p1")


async def until(condition) -> None:
    """Let the loop turn until something holds; a condition that never comes fails the test."""
    for _ in range(1000):
        if await condition() if asyncio.iscoroutinefunction(condition) else condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came to that")


async def is_done(exchanges: FakeExchanges, exchange_id: str) -> bool:
    row = await exchanges.plans.exchange(exchange_id)
    return row is not None and row.state == "done"


async def wait_done(exchanges: FakeExchanges, *ids: str) -> None:
    for exchange_id in ids:
        for _ in range(1000):
            if await is_done(exchanges, exchange_id):
                break
            await asyncio.sleep(0)
        assert await is_done(exchanges, exchange_id)


async def test_a_request_is_stored_at_once_and_ends_with_its_receipt():
    exchanges = FakeExchanges()
    async with Runner(exchanges) as runner:
        row = await runner.submit(REQUEST)
        stored = await exchanges.plans.exchange(row.id)
        assert stored == row
        assert row.state == "accepted"
        await wait_done(exchanges, row.id)
    finished = await exchanges.plans.exchange(row.id)
    assert finished.receipt.outcome == "written"
    assert finished.receipt.exchange == row.id
    assert exchanges.synced == [(row.id, REQUEST)]


async def test_the_row_says_running_while_it_runs():
    exchanges = FakeExchanges()
    exchanges.gate.clear()
    async with Runner(exchanges) as runner:
        row = await runner.submit(REQUEST)
        await exchanges.entered.wait()
        assert (await exchanges.plans.exchange(row.id)).state == "running"
        exchanges.gate.set()
        await wait_done(exchanges, row.id)


async def test_no_more_than_the_cap_run_side_by_side_and_all_of_them_finish():
    exchanges = FakeExchanges()
    exchanges.gate.clear()
    async with Runner(exchanges, concurrency=3) as runner:
        rows = [await runner.submit(ExchangeRequest(endpoint="hospital", patient=f"p{n}")) for n in range(10)]
        await until(lambda: exchanges.side_by_side == 3)
        for _ in range(50):
            await asyncio.sleep(0)
        assert exchanges.most_side_by_side == 3
        exchanges.gate.set()
        await wait_done(exchanges, *(row.id for row in rows))
    assert exchanges.most_side_by_side == 3
    assert len(exchanges.synced) == 10


async def test_the_same_key_at_once_gives_one_exchange_that_runs_once():
    exchanges = FakeExchanges()
    async with Runner(exchanges) as runner:
        rows = await asyncio.gather(*(runner.submit(REQUEST, "key") for _ in range(20)))
        assert len({row.id for row in rows}) == 1
        await wait_done(exchanges, rows[0].id)
        again = await runner.submit(REQUEST, "key")
        assert again.state == "done"
    assert len(exchanges.synced) == 1


async def test_a_key_with_another_request_is_refused_and_runs_nothing():
    exchanges = FakeExchanges()
    async with Runner(exchanges) as runner:
        row = await runner.submit(REQUEST, "key")
        with pytest.raises(UsageError):
            await runner.submit(ExchangeRequest(endpoint="hospital", patient="p2"), "key")
        await wait_done(exchanges, row.id)
    assert len(exchanges.synced) == 1


async def test_a_request_beyond_the_backlog_is_refused_before_it_is_stored():
    exchanges = FakeExchanges()
    exchanges.gate.clear()
    async with Runner(exchanges, concurrency=1, backlog=2) as runner:
        first = await runner.submit(REQUEST)
        await exchanges.entered.wait()
        waiting = [await runner.submit(REQUEST) for _ in range(2)]
        with pytest.raises(EndpointOverloadedError):
            await runner.submit(REQUEST)
        assert len(await exchanges.plans.unfinished_exchanges()) == 3
        exchanges.gate.set()
        await wait_done(exchanges, first.id, *(row.id for row in waiting))


async def test_what_a_crash_left_is_taken_up_at_the_next_start():
    exchanges = FakeExchanges()
    await exchanges.plans.accept_exchange("accepted", REQUEST, "2026-11-24T08:00:00+00:00", None)
    await exchanges.plans.accept_exchange("running", REQUEST, "2026-11-24T08:00:01+00:00", None)
    await exchanges.plans.update_exchange("running", "running", "2026-11-24T08:00:02+00:00")
    async with Runner(exchanges):
        await wait_done(exchanges, "accepted", "running")
    assert [exchange_id for exchange_id, _ in exchanges.synced] == ["accepted", "running"]
    assert await exchanges.plans.unfinished_exchanges() == ()


async def test_a_stop_waits_for_what_is_under_way():
    exchanges = FakeExchanges()
    exchanges.gate.clear()
    async with Runner(exchanges) as runner:
        row = await runner.submit(REQUEST)
        await exchanges.entered.wait()
        asyncio.get_running_loop().call_soon(exchanges.gate.set)
    assert await is_done(exchanges, row.id)


async def test_a_stop_that_has_waited_long_enough_leaves_the_rows_for_the_next_start():
    exchanges = FakeExchanges()
    exchanges.gate.clear()
    async with Runner(exchanges, concurrency=1, grace_seconds=0.01) as runner:
        begun = await runner.submit(REQUEST)
        await exchanges.entered.wait()
        queued = await runner.submit(REQUEST)
    assert [row.id for row in await exchanges.plans.unfinished_exchanges()] == [begun.id, queued.id]
    assert len(exchanges.synced) == 1

    exchanges.gate.set()
    async with Runner(exchanges):
        await wait_done(exchanges, begun.id, queued.id)
    assert len(exchanges.synced) == 3


async def test_an_error_nobody_foresaw_ends_in_a_failed_receipt_without_its_text(capsys):
    exchanges = FakeExchanges()

    def fail(_: str):
        raise RuntimeError("Jane Doe born 1970-01-01")

    exchanges.behave = fail
    async with Runner(exchanges) as runner:
        row = await runner.submit(REQUEST)
        await wait_done(exchanges, row.id)
    receipt = (await exchanges.plans.exchange(row.id)).receipt
    assert receipt.outcome == "failed"
    assert receipt.issues[0].mend
    printed = capsys.readouterr()
    assert "RuntimeError" in printed.out + printed.err
    assert "Jane" not in printed.out + printed.err + repr(receipt)


async def test_a_receipt_the_database_refuses_leaves_the_row_for_the_next_start():
    exchanges = FakeExchanges()
    update = exchanges.plans.update_exchange

    async def refuse(exchange_id, state, at, receipt=None):
        if state == "done":
            raise StoreUnavailableError("The database is full.", mend="Make room.")
        await update(exchange_id, state, at, receipt)

    exchanges.plans.update_exchange = refuse
    async with Runner(exchanges) as runner:
        row = await runner.submit(REQUEST)
        await until(lambda: exchanges.synced and exchanges.side_by_side == 0)
    exchanges.plans.update_exchange = update
    assert [left.id for left in await exchanges.plans.unfinished_exchanges()] == [row.id]

    async with Runner(exchanges):
        await wait_done(exchanges, row.id)


async def test_outcomes_are_counted_and_the_gauges_end_at_nothing():
    exchanges = FakeExchanges()

    def count() -> float:
        return REGISTRY.get_sample_value("careplan_exchanges_total", {"outcome": "written"}) or 0

    before = count()
    async with Runner(exchanges) as runner:
        row = await runner.submit(REQUEST)
        await wait_done(exchanges, row.id)
    assert count() == before + 1
    assert REGISTRY.get_sample_value("careplan_exchanges_running") == 0
    assert REGISTRY.get_sample_value("careplan_exchanges_waiting") == 0
