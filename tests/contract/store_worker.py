"""One process on the store, started by the tests: `worker.py <what> <url> <password> <argument>`."""

import asyncio
import sys
import time
from pathlib import Path

from careplan_exchange.errors import StoreUnavailableError
from careplan_exchange.model.changes import Intent
from careplan_exchange.model.exchange import ExchangeRequest
from careplan_exchange.model.ledger import Entry
from careplan_exchange.store import Store, open_store
from careplan_exchange.store.leases import LEASE_SECONDS


async def hold(store: Store, argument: str) -> None:
    async with store.plans.patient_lock("https://t.example/fhir", "Patient/1"):
        sys.stdout.write("held\n")
        sys.stdout.flush()
        await asyncio.sleep(3600)


async def count(store: Store, argument: str) -> None:
    """Adds 1 to the number in a file, five times, in a way that loses counts when two do it at once."""
    path = Path(argument)
    for _ in range(5):
        async with store.plans.patient_lock("https://t.example/fhir", "Patient/1"):
            number = int(path.read_text())
            await asyncio.sleep(0.002)
            path.write_text(str(number + 1))


async def append(store: Store, argument: str) -> None:
    for number in range(10):
        entry = Entry(exchange=argument, event="exchange.started", at="2026-01-01T00:00:00Z", data={"n": number})
        await store.ledger.append([entry, entry])


async def accept(store: Store, argument: str) -> None:
    request = ExchangeRequest(endpoint="https://s.example/fhir", patient="1")
    row = await store.plans.accept_exchange(argument, request, "2026-01-01T00:00:00Z", "one-key")
    sys.stdout.write(f"{row.id}\n")


async def write_when_woken(store: Store, argument: str) -> None:
    """Holds the lock; wherever it was stopped meanwhile, it begins a write as soon as it goes on."""
    intent = Intent(
        id="late", exchange="x", target="https://t.example/fhir", patient="Patient/1", changes=(), created_at=""
    )
    try:
        async with store.plans.patient_lock(intent.target, intent.patient):
            last = time.monotonic()
            sys.stdout.write("held\n")
            sys.stdout.flush()
            while time.monotonic() - last < float(argument) / 2:  # a process that runs is never so late
                last = time.monotonic()
                await asyncio.sleep(0.01)
            await store.plans.open_intent(intent)
            sys.stdout.write("stored\n")
    except StoreUnavailableError:
        sys.stdout.write("refused\n")


async def nothing(store: Store, argument: str) -> None:
    """Opening was the test."""


async def main(what: str, url: str, password: str, argument: str) -> None:
    lease = float(argument) if what == "write when woken" else LEASE_SECONDS
    work = {
        "hold": hold,
        "count": count,
        "append": append,
        "accept": accept,
        "nothing": nothing,
        "write when woken": write_when_woken,
    }
    async with open_store(url, password=password or None, lease_seconds=lease) as store:
        await work[what](store, argument)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:5]))
