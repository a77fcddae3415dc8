"""What the ledger costs: appending in batches as the product makes them, and verifying a long one.

    python bench/ledger.py [--entries N] [--rounds N] [--store URL]

Entries are made up in the shape of a sync's. Prints milliseconds an entry, entries a second, and by how much the
peak of resident memory grew while N entries were verified.
"""

import argparse
import asyncio
import contextlib
import resource
import tempfile
import time
from pathlib import Path

from _figures import line

from careplan_exchange import logs
from careplan_exchange.audit import (
    Keyring,
    SigningKey,
    sign_head,
    to_audit_ndjson,
    verify_audit_ndjson,
    verify_ledger,
)
from careplan_exchange.bootstrap import SystemClock
from careplan_exchange.model.ledger import Entry, Verdict
from careplan_exchange.ports import Ledger
from careplan_exchange.store import open_store

BATCHES = (3, 1, 2)
"""What one sync appends before it writes, with its intent, and at its end."""

_BULK = 2000


def entry(number: int) -> Entry:
    reference = f"Observation/{number % 9973}/_history/1"
    data = {
        "endpoint": "https://fhir.hospital.example/r4",
        "evidence": [reference] * 4,
        "counts": {"resources": 212, "goals": 4, "activities": 9, "gaps": 1},
        "patient": f"Patient/{number % 997}",
    }
    return Entry(
        exchange=f"00000000-0000-4000-8000-{number // 6:012d}",
        event=logs.EXCHANGE_PLANNED,
        at="2026-01-01T00:00:00+00:00",
        data=data,
    )


async def measure(url: str, entries: int, rounds: int) -> None:
    async with open_store(url) as store:
        print(line("append, a sync's batches", await appended(store.ledger, rounds), "ms an entry"))
        print(
            line("append, syncs of 20 patients at once", await at_once(store.ledger, rounds // 5), "ms an entry")
        )
        print(line("append, batches of 100", await appended(store.ledger, rounds // 10, (100,)), "ms an entry"))
        await fill(store.ledger, entries)
        key = SigningKey.new()
        await sign_head(store.ledger, key, SystemClock().now())
        keys = Keyring([key.public])
        wall, cpu, before = [], [], peak()
        for _ in range(3):
            begun = time.perf_counter(), time.process_time()
            verdict = await verify_ledger(store.ledger, keys)
            wall.append(verdict.entries / (time.perf_counter() - begun[0]))
            cpu.append(verdict.entries / (time.process_time() - begun[1]))
            must_hold(verdict)
        print(line(f"verify {verdict.entries} entries", wall, "entries a second"))
        print(line("the same, by CPU", cpu, "entries a second of CPU"))
        print(f"peak memory grew by {peak() - before:.1f} MiB while they were verified")
        with tempfile.TemporaryDirectory() as folder:
            await exported(store.ledger, Path(folder) / "ledger.ndjson", keys)


async def appended(ledger: Ledger, rounds: int, batches: tuple[int, ...] = BATCHES) -> list[float]:
    """Milliseconds an entry, of each append."""
    values, number = [], 0
    for _ in range(rounds):
        for size in batches:
            batch = [entry(number + each) for each in range(size)]
            number += size
            begun = time.perf_counter()
            await ledger.append(batch)
            values.append((time.perf_counter() - begun) * 1000 / size)
    return values


async def at_once(ledger: Ledger, rounds: int) -> list[float]:
    """Milliseconds an entry where 20 syncs append at the same time: they share the commit."""
    values = []
    for _ in range(rounds):
        batches = [[entry(each) for each in range(size)] for size in BATCHES * 7][:20]
        begun = time.perf_counter()
        await asyncio.gather(*(ledger.append(batch) for batch in batches))
        values.append((time.perf_counter() - begun) * 1000 / sum(map(len, batches)))
    return values


async def fill(ledger: Ledger, entries: int) -> None:
    there = (await ledger.head()).seq
    for first in range(there, entries, _BULK):
        await ledger.append([entry(number) for number in range(first, min(first + _BULK, entries))])


async def exported(ledger: Ledger, path: Path, keys: Keyring) -> None:
    with path.open("wb") as sink:
        async for text in to_audit_ndjson(ledger):
            sink.write(text)
    before, begun, cpu = peak(), time.perf_counter(), time.process_time()
    with path.open("rb") as lines:
        verdict = verify_audit_ndjson(lines, keys, must_be_signed=True)
    must_hold(verdict)
    print(line("verify the exported file", [verdict.entries / (time.perf_counter() - begun)], "entries a second"))
    print(line("the same, by CPU", [verdict.entries / (time.process_time() - cpu)], "entries a second of CPU"))
    print(f"peak memory grew by {peak() - before:.1f} MiB while it was verified")


def must_hold(verdict: Verdict) -> None:
    if verdict.problem is not None:
        raise SystemExit(verdict.problem)


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--store", help="an empty database (default: a SQLite file in a temporary folder)")
    asked = parser.parse_args()
    logs.configure()
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        url = asked.store or f"sqlite:///{folder}/careplan.db"
        asyncio.run(measure(url, asked.entries, asked.rounds))


if __name__ == "__main__":
    main()
