"""The cap on requests at one time holds over processes, which are real ones here, and never outlives them."""

import asyncio
import subprocess
import sys
import textwrap
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import structlog

from careplan_exchange import logs
from careplan_exchange.errors import UnavailableError
from careplan_exchange.fhir import Connection, Pacing, connect
from careplan_exchange.fhir.slots import LONGEST_WAIT, HostSlots, OwnSlots, folder_of, open_slots

from .wire import CountingIds, fhir, goal

HOLDER = """
import asyncio, sys
from pathlib import Path
from careplan_exchange.fhir import Pacing
from careplan_exchange.fhir.slots import open_slots

async def main():
    slots = open_slots(Path(sys.argv[1]), int(sys.argv[2]), Pacing())
    for _ in range(int(sys.argv[3])):
        await slots.take()
        print("held", flush=True)
    sys.stdin.read()

asyncio.run(main())
"""

WORKER = """
import asyncio, sys, time
from pathlib import Path
from careplan_exchange.fhir import Pacing
from careplan_exchange.fhir.slots import open_slots

async def main():
    slots = open_slots(Path(sys.argv[1]), 3, Pacing())

    async def work():
        slot = await slots.take()
        began = time.monotonic()
        await asyncio.sleep(0.01)
        print(began, time.monotonic(), flush=True)
        slots.give(slot)

    await asyncio.gather(*(work() for _ in range(20)))

asyncio.run(main())
"""


def process(script, *arguments):
    command = [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.fixture
def holder(tmp_path):
    """A process that holds slots until it is killed."""
    started = []

    def start(count, held):
        started.append(process(HOLDER, tmp_path / "s", count, held))
        for _ in range(held):
            assert started[-1].stdout.readline() == "held\n"
        return started[-1]

    yield start
    for one in started:
        one.kill()
        one.communicate()


@pytest.fixture
def slots(tmp_path):
    opened = []

    def make(count, pacing=None):
        opened.append(open_slots(tmp_path / "s", count, pacing or Pacing()))
        assert isinstance(opened[-1], HostSlots)
        return opened[-1]

    yield make
    for one in opened:
        one.close()


async def is_free(slots):
    try:
        slots.give(await asyncio.wait_for(slots.take(), 0.2))
    except TimeoutError:
        return False
    return True


async def test_a_slot_that_another_process_holds_is_not_given(slots, holder):
    holder(3, held=2)
    mine = slots(3)
    taken = await mine.take()
    assert not await is_free(mine)
    mine.give(taken)
    assert await is_free(mine)


async def test_what_a_process_held_is_free_once_it_is_killed(slots, holder):
    other = holder(2, held=2)
    mine = slots(2)
    assert not await is_free(mine)
    waiting = asyncio.create_task(mine.take())
    await asyncio.sleep(0.05)
    assert not waiting.done()
    other.kill()
    other.wait()
    mine.give(await asyncio.wait_for(waiting, 5))


def test_over_four_processes_no_more_are_at_work_than_the_cap_and_every_one_gets_its_turn(tmp_path):
    workers = [process(WORKER, tmp_path / "s") for _ in range(4)]
    spans = [
        tuple(map(float, line.split()))
        for worker in workers
        for line in worker.communicate(timeout=60)[0].splitlines()
    ]
    assert len(spans) == 80
    changes = sorted([(began, 1) for began, _ in spans] + [(ended, -1) for _, ended in spans])
    at_work = most = 0
    for _, change in changes:
        at_work += change
        most = max(most, at_work)
    assert most == 3


async def test_a_process_that_is_always_busy_does_not_keep_another_one_waiting(slots):
    busy, other = slots(1), slots(1)

    async def work():
        while True:
            slot = await busy.take()
            await asyncio.sleep(0.001)
            busy.give(slot)

    crowd = [asyncio.create_task(work()) for _ in range(5)]
    await asyncio.sleep(0.02)
    other.give(await asyncio.wait_for(other.take(), 5))
    for one in crowd:
        one.cancel()
    await asyncio.gather(*crowd, return_exceptions=True)


async def test_a_task_that_is_cancelled_while_it_waits_takes_no_slot(slots):
    mine, other = slots(1), slots(1)
    held = await other.take()
    waiting = asyncio.create_task(mine.take())
    await asyncio.sleep(0.02)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    other.give(held)
    for one in (mine, other):
        assert await is_free(one)


async def test_nobody_waits_for_ever_for_a_process_that_hangs(slots):
    moments = iter(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=LONGEST_WAIT / 3 * n) for n in range(100))
    pauses = []

    async def sleep(seconds):
        pauses.append(seconds)

    mine = slots(1, Pacing(sleep=sleep, now=lambda: next(moments), chance=lambda: 0.5))
    held = await slots(1).take()
    assert held == 0
    with pytest.raises(UnavailableError, match="held all 1 slots") as caught:
        await mine.take()
    assert "concurrency" in caught.value.mend
    assert pauses == sorted(pauses)
    assert 0 < pauses[0] <= pauses[-1] <= 0.05


async def test_waiting_costs_no_processor_time(slots):
    mine = slots(1)
    await slots(1).take()
    began = time.process_time()
    assert not await is_free(mine)
    assert time.process_time() - began < 0.1  # of 0.2 seconds


async def test_clients_of_one_server_share_its_cap_whatever_their_base_url(tmp_path):
    at_work = most = 0

    async def handler(request):
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        await asyncio.sleep(0.005)
        at_work -= 1
        return fhir(goal())

    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(
                connect(
                    Connection(
                        base_url=f"https://fhir.example.org/{tenant}", concurrency=2, host_folder=tmp_path
                    ),
                    ids=CountingIds(),
                    transport=httpx.MockTransport(handler),
                )
            )
            for tenant in ("a", "b", "c")
        ]
        await asyncio.gather(*(client.read("Goal", "g1") for client in clients for _ in range(5)))
    assert most == 2


async def test_servers_do_not_take_each_others_slots(tmp_path):
    one, other = (open_slots(folder_of(tmp_path, f"http://{name}"), 1, Pacing()) for name in "ab")
    await one.take()
    await asyncio.wait_for(other.take(), 1)
    one.close()
    other.close()


@pytest.mark.parametrize("fault", ["a file in its place", "open to others", "somewhere else"])
async def test_where_no_folder_can_be_had_the_cap_is_that_of_this_process_and_the_log_says_so(tmp_path, fault):
    folder = tmp_path / "shared" / "s"
    if fault == "a file in its place":
        (tmp_path / "shared").write_text("")
    else:
        (tmp_path / "shared").mkdir()
        if fault == "open to others":
            folder.mkdir()
            folder.chmod(0o777)
        else:
            folder.symlink_to(tmp_path)
    with structlog.testing.capture_logs() as said:
        slots = open_slots(folder, 1, Pacing())
    assert isinstance(slots, OwnSlots)
    assert [entry["event"] for entry in said] == [logs.FHIR_SLOTS]
    assert said[0]["reason"]
    slots.give(await slots.take())
    held = await slots.take()
    assert not await is_free(slots)
    slots.give(held)
    slots.close()


async def test_without_a_folder_nothing_is_written_and_nothing_is_said():
    with structlog.testing.capture_logs() as said:
        assert isinstance(open_slots(folder_of(None, "http://a"), 5, Pacing()), OwnSlots)
    assert said == []
