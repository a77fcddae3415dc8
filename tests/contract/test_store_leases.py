"""PostgreSQL: a lock cannot be held by a machine that is gone, and whoever lost it stores nothing more."""

import asyncio
import contextlib
import signal
import sys
import time
from pathlib import Path

import pytest

from careplan_exchange.errors import StoreUnavailableError
from careplan_exchange.store import open_store
from tests.support.blackhole import black_hole
from tests.support.stored import AT, PATIENT, TARGET, a_base, a_pending, an_intent

pytestmark = pytest.mark.postgres

LEASE = 0.6
BOUND = 10.0
"""How long another may have to wait: the lease, a pause of the waiter, and the slowness of a busy machine."""

WORKER = Path(__file__).with_name("store_worker.py")


@pytest.fixture
def url(postgres) -> str:
    return postgres.new_database()


def opened(postgres, url: str, lease: float = LEASE):
    return open_store(url, password=postgres.password, lease_seconds=lease, lock_seconds=30)


async def time_to_get(store) -> float:
    began = time.monotonic()
    async with store.plans.patient_lock(TARGET, PATIENT):
        return time.monotonic() - began


@pytest.fixture
async def stopped(postgres, url):
    """A process that holds the lock and was stopped by SIGSTOP: its kernel goes on answering for it."""
    async with opened(postgres, url):
        pass
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", WORKER, "write when woken", url, postgres.password, str(LEASE),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        while b"held" not in (line := await process.stdout.readline()):
            assert line, (await process.communicate())[1].decode()
        process.send_signal(signal.SIGSTOP)
        yield process
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.communicate()


async def test_another_takes_over_from_a_process_that_was_stopped_and_it_cannot_write_when_it_wakes(
    postgres, url, stopped
):
    async with opened(postgres, url) as store:
        waited = await time_to_get(store)
        assert LEASE / 4 < waited < BOUND
        stopped.send_signal(signal.SIGCONT)
        output, error = await asyncio.wait_for(stopped.communicate(), 30)
        assert output.split() == [b"refused"], error.decode()
        assert await store.plans.open_intents(TARGET, PATIENT) == ()


async def test_another_takes_over_from_a_machine_that_lost_its_network_and_it_is_told(postgres, url):
    async with opened(postgres, url) as here, black_hole(postgres.port) as hole:
        through = url.replace(f":{postgres.port}/", f":{hole.port}/")
        held, told = asyncio.Event(), asyncio.Event()

        async def hold(store) -> None:
            async with store.plans.patient_lock(TARGET, PATIENT):
                held.set()
                await asyncio.Event().wait()

        async def elsewhere() -> None:
            async with opened(postgres, through) as store:
                with pytest.raises(StoreUnavailableError, match="broke"):
                    await hold(store)
                told.set()

        task = asyncio.create_task(elsewhere())
        await asyncio.wait_for(held.wait(), BOUND)
        hole.swallow()
        assert await time_to_get(here) < BOUND
        await asyncio.wait_for(told.wait(), BOUND)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, StoreUnavailableError):
            await task


async def test_a_holder_that_lives_keeps_its_lock_for_longer_than_a_lease(postgres, url):
    async with opened(postgres, url, 0.3) as holder, opened(postgres, url, 0.3) as other:
        async with holder.plans.patient_lock(TARGET, PATIENT):
            waiter = asyncio.create_task(time_to_get(other))
            await asyncio.sleep(1.2)
            assert not waiter.done()
            await holder.plans.open_intent(an_intent("i"))
        assert await waiter > 1
        assert await holder.plans.open_intents(TARGET, PATIENT) == (an_intent("i"),)


async def test_whoever_lost_the_lock_stores_nothing_more_of_the_patient(postgres, url):
    async with opened(postgres, url, 60) as store:
        plans = store.plans
        async with plans.patient_lock(TARGET, PATIENT):
            await plans.open_intent(an_intent("before"))
            await plans.save_bases(TARGET, PATIENT, [a_base()])
            await plans.put_pending(a_pending("p1"))
            admin = await postgres.connect(url)
            await admin.execute("UPDATE careplan_lease SET token = 'somebody else'")
            for stored in (
                lambda: plans.open_intent(an_intent("after")),
                lambda: plans.commit_intent(an_intent("before"), [a_base(version_id="2")], [], AT),
                lambda: plans.abandon_intent(an_intent("before")),
                lambda: plans.save_bases(TARGET, PATIENT, [a_base(version_id="2")]),
                lambda: plans.put_pending(a_pending("p2")),
                lambda: plans.clear_pending(TARGET, PATIENT, AT),
            ):
                with pytest.raises(StoreUnavailableError, match="took over"):
                    await stored()
            await plans.open_intent(an_intent("other", "Patient/2"))
            assert await plans.open_intents(TARGET, PATIENT) == (an_intent("before"),)
            assert await plans.bases(TARGET, PATIENT) == {"goal-1": a_base()}
            assert [pending.id for pending in await plans.pendings(None)] == ["p1"]
            await admin.close()


async def test_a_lease_counts_by_the_clock_of_the_database_alone(postgres, url, monkeypatch):
    """A clock of ours that jumps by a year neither ends a lease nor makes one last."""
    async with opened(postgres, url, 5) as store, store.plans.patient_lock(TARGET, PATIENT):
        monkeypatch.setattr(time, "time", lambda: 4e9)
        admin = await postgres.connect(url)
        left = await admin.fetchval("SELECT until - extract(epoch FROM clock_timestamp()) FROM careplan_lease")
        await admin.close()
        assert 0 < left <= 5


async def test_no_lease_is_left_when_nobody_holds_a_lock(postgres, url):
    async with opened(postgres, url) as store:
        await time_to_get(store)
        admin = await postgres.connect(url)
        assert await admin.fetchval("SELECT count(*) FROM careplan_lease") == 0
        await admin.close()
