"""A long ledger is verified, exported and checked as a file without being held in memory."""

import resource
import tracemalloc
from datetime import UTC, datetime

import pytest

from careplan_exchange.audit import (
    Keyring,
    SigningKey,
    sign_head,
    to_audit_events,
    to_audit_ndjson,
    verify_audit_ndjson,
    verify_ledger,
)
from careplan_exchange.model.ledger import Entry, Verdict
from careplan_exchange.store import open_store

KEY = SigningKey.new()
KEYS = Keyring([KEY.public])


def an_entry(number: int) -> Entry:
    data = {"evidence": [f"Observation/{number}/_history/1"] * 4, "counts": {"goals": 4, "gaps": 1}}
    return Entry(exchange=f"x{number // 6}", event="exchange.planned", at="2026-01-01T00:00:00+00:00", data=data)


async def filled(store, count: int) -> None:
    for first in range(0, count, 2000):
        await store.ledger.append([an_entry(number) for number in range(first, min(first + 2000, count))])
    await sign_head(store.ledger, KEY, datetime(2026, 1, 1, tzinfo=UTC))


async def walked(store, folder, told) -> tuple[Verdict, Verdict]:
    """Everything that goes through the whole ledger; the verdicts on it and on its file."""
    verdict = await verify_ledger(store.ledger, KEYS, progress=lambda done, total: told.append((done, total)))
    with (folder / "ledger.ndjson").open("wb") as sink:
        async for line in to_audit_ndjson(store.ledger):
            sink.write(line)
    async for _ in to_audit_events(store.ledger, "1"):
        pass
    with (folder / "ledger.ndjson").open("rb") as lines:
        return verdict, verify_audit_ndjson(lines, KEYS, must_be_signed=True)


async def test_memory_does_not_grow_with_the_ledger(tmp_path):
    peaks = []
    for count in (1000, 3000):
        async with open_store(f"sqlite:///{tmp_path}/{count}.db") as store:
            await filled(store, count)
            tracemalloc.start()
            try:
                verdict, of_file = await walked(store, tmp_path, told := [])
                peaks.append(tracemalloc.get_traced_memory()[1])
            finally:
                tracemalloc.stop()
        assert (verdict.entries, verdict.problem, verdict.signed) == (count, None, count)
        assert of_file == verdict
        assert told == [(done, count) for done in (*range(1000, count + 1, 1000), count)]
    assert peaks[1] < peaks[0] * 1.2, peaks


@pytest.mark.slow
@pytest.mark.parametrize("count", [pytest.param(1_000_000, marks=pytest.mark.long), 200_000])
async def test_a_million_entries_are_verified_in_flat_memory(tmp_path, count):
    async with open_store(f"sqlite:///{tmp_path}/careplan.db") as store:
        await filled(store, count)
        before = resident()
        verdict, of_file = await walked(store, tmp_path, [])
        assert resident() - before < 24, "MiB"
    assert (verdict.entries, verdict.problem) == (count, None)
    assert of_file == verdict


def resident() -> float:
    """The peak of this process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
