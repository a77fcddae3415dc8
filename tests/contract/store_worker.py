"""One process on the store, started by the tests: `worker.py <what> <url> <password> <argument>`."""

import asyncio
import sys
from pathlib import Path

from careplan_exchange.model.exchange import ExchangeRequest
from careplan_exchange.model.ledger import Entry
from careplan_exchange.store import Store, open_store


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


async def nothing(store: Store, argument: str) -> None:
    """Opening was the test."""


async def main(what: str, url: str, password: str, argument: str) -> None:
    async with open_store(url, password=password or None) as store:
        await {"hold": hold, "count": count, "append": append, "accept": accept, "nothing": nothing}[what](
            store, argument
        )


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:5]))
