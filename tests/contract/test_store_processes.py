"""Several processes on one store: locks, the ledger, the first opening, and what remains of one that was killed."""

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from careplan_exchange.errors import StoreUnavailableError
from careplan_exchange.store import open_store

TARGET, PATIENT = "https://t.example/fhir", "Patient/1"
WORKER = Path(__file__).with_name("store_worker.py")


async def start(place, what: str, argument: str = "") -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", WORKER, what, place.url, place.password or "", argument,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def results(processes) -> list[str]:
    outputs = [await process.communicate() for process in processes]
    failures = [
        error.decode() for (_, error), process in zip(outputs, processes, strict=True) if process.returncode
    ]
    assert failures == []
    return [output.decode().split()[-1] if output.strip() else "" for output, _ in outputs]


async def kill(process) -> None:
    process.send_signal(signal.SIGKILL)
    await process.communicate()


@pytest.fixture
async def holder(place):
    """A process that holds the patient's lock, and will never let it go by itself."""
    process = await start(place, "hold")
    while b"held" not in (line := await process.stdout.readline()):
        assert line, (await process.communicate())[1].decode()
    yield process
    if process.returncode is None:
        await kill(process)


async def test_a_lock_held_by_another_process_is_waited_for_only_so_long(place, holder):
    async with open_store(place.url, password=place.password, lock_seconds=0.2) as store:
        with pytest.raises(StoreUnavailableError, match=r"within 0\.2 seconds"):
            async with store.plans.patient_lock(TARGET, PATIENT):
                pytest.fail("the other process holds it")
        async with store.plans.patient_lock(TARGET, "Patient/2"):
            pass


async def test_kill_9_of_the_holder_frees_the_lock(place, holder):
    async with open_store(place.url, password=place.password) as store:
        entered = asyncio.Event()

        async def wait() -> None:
            async with store.plans.patient_lock(TARGET, PATIENT):
                entered.set()

        waiter = asyncio.create_task(wait())
        await asyncio.sleep(0.1)
        assert not entered.is_set()
        await kill(holder)
        async with asyncio.timeout(20):
            await waiter


async def test_eight_processes_take_turns(place, tmp_path):
    counter = tmp_path / "counter"
    counter.write_text("0")
    await results([await start(place, "count", str(counter)) for _ in range(8)])
    assert counter.read_text() == "40"


async def test_eight_processes_append_to_one_chain(place):
    await results([await start(place, "append", f"x{number}") for number in range(8)])
    async with open_store(place.url, password=place.password) as store:
        verdict = await store.ledger.verify()
        assert (verdict.entries, verdict.problem) == (160, None)
        one = await store.ledger.links(exchange="x3")
        assert [link.entry.data["n"] for link in one] == [n for n in range(10) for _ in range(2)]


async def test_eight_processes_with_one_idempotency_key_get_one_exchange(place):
    ids = await results([await start(place, "accept", f"x{number}") for number in range(8)])
    assert len(set(ids)) == 1
    async with open_store(place.url, password=place.password) as store:
        assert [row.id for row in await store.plans.unfinished_exchanges()] == ids[:1]


async def test_eight_processes_may_be_the_first_to_open_an_empty_database(place):
    await results([await start(place, "nothing") for _ in range(8)])
    async with open_store(place.url, password=place.password) as store:
        assert (await store.ledger.verify()).problem is None


async def test_processes_killed_while_they_append_leave_a_chain_that_fits(place):
    for number in range(4):
        process = await start(place, "append", f"x{number}")
        await asyncio.sleep(0.35 + number * 0.1)
        if process.returncode is None:
            await kill(process)
        async with open_store(place.url, password=place.password) as store:
            verdict = await store.ledger.verify()
            assert verdict.problem is None
            assert verdict.entries % 2 == 0, "an append is whole or not there"
            await store.ledger.append([])


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
async def test_the_folder_of_locks_stays_empty_when_nobody_holds_one(place, tmp_path):
    counter = tmp_path / "counter"
    counter.write_text("0")
    await results([await start(place, "count", str(counter)) for _ in range(3)])
    folder = tmp_path / "careplan.db.locks"
    assert list(folder.iterdir()) == []
    assert folder.stat().st_mode & 0o777 == 0o700
    async with open_store(place.url) as store, store.plans.patient_lock(TARGET, PATIENT):
        (file,) = folder.iterdir()
        assert "Patient" not in file.name
        assert file.stat().st_size == 0


@pytest.mark.postgres
@pytest.mark.parametrize("place", ["postgres"], indirect=True)
async def test_a_holder_whose_connection_breaks_is_stopped_and_told(place, postgres):
    """It has lost the lock, and another process may hold it already."""

    async def hold_while_it_breaks(plans) -> None:
        async with plans.patient_lock(TARGET, PATIENT):
            admin = await postgres.connect(place.url)
            try:  # word of the break may come before the answer, and end this wait too
                await admin.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_locks "
                    "WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
                )
            finally:
                await admin.close()
            async with asyncio.timeout(20):
                await asyncio.Event().wait()

    async with open_store(place.url, password=place.password) as store:
        with pytest.raises(StoreUnavailableError, match="lock broke"):
            await hold_while_it_breaks(store.plans)
        assert asyncio.current_task().cancelling() == 0
        async with store.plans.patient_lock(TARGET, PATIENT):
            pass


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
async def test_a_stopped_process_keeps_the_file_lock_until_it_is_ended(place, holder):
    """It lives, on this very machine: a person ends it. Nobody takes what it may still write over."""
    holder.send_signal(signal.SIGSTOP)
    async with open_store(place.url, lock_seconds=0.5) as store:
        with pytest.raises(StoreUnavailableError) as raised:
            async with store.plans.patient_lock(TARGET, PATIENT):
                pytest.fail("the stopped process holds it")
        assert "Look for a run that hangs" in raised.value.mend
        await kill(holder)
        async with store.plans.patient_lock(TARGET, PATIENT):
            pass
