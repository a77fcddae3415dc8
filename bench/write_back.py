"""What writing back costs, on one server and in one run.

    python bench/write_back.py URL [--patients N]

URL is a FHIR server that may be written to (HAPI, or `careplan sandbox`). For each of N synthetic patients:

- the first sync, which writes: the wall time of its write (transaction and what is verified after it) over a bare
  httpx client that posts the same transaction for a twin of the patient; and how much of the sync's wall went to
  audit (ledger, AuditEvents, Provenance, outbox) and review (policy, what waits);
- syncs that change nothing: their wall time over the same reads sent again by httpx, for the first one in this
  process (planned) and for the next (found unchanged), and how many requests wrote anything.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
from _figures import line
from sync_vs_replay import PLANNED, Recorder, kind_of, replay

from careplan_exchange import connections, logs
from careplan_exchange.exchange import deciding, path, writing
from careplan_exchange.fhir import connect
from careplan_exchange.writer import FhirPlanWriter

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.support.patients import synthetic
from tests.support.product import Server, product, sync


class Stopwatch:
    """Wall time spent inside the functions that it is put around; nested calls count once."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._depth = 0

    def around(self, owner: Any, name: str) -> None:
        inner = getattr(owner, name)

        async def awaited(*args: Any, **kwargs: Any) -> Any:
            with self:
                return await inner(*args, **kwargs)

        def called(*args: Any, **kwargs: Any) -> Any:
            with self:
                return inner(*args, **kwargs)

        setattr(owner, name, awaited if asyncio.iscoroutinefunction(inner) else called)

    def __enter__(self) -> None:
        self._depth += 1
        self._begin = time.perf_counter() if self._depth == 1 else self._begin

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        if self._depth == 0:
            self.seconds += time.perf_counter() - self._begin

    def taken(self) -> float:
        taken, self.seconds = self.seconds, 0.0
        return taken


async def timed(work: Callable[[], Awaitable[Any]]) -> float:
    start = time.perf_counter()
    await work()
    return time.perf_counter() - start


async def main(url: str, patients: int) -> None:
    logs.configure("WARNING")
    server, recorder = Server(url), Recorder()
    wrote, recorded = Stopwatch(), Stopwatch()
    wrote.around(FhirPlanWriter, "write")
    for owner, name in (
        (deciding, "decide"),
        (path, "keep_what_waits"),
        (path, "receipt_of"),
        (writing, "companions"),
    ):
        recorded.around(owner, name)
    figures: dict[str, list[float]] = {}

    def note(what: str, value: float) -> None:
        figures.setdefault(what, []).append(value)

    with tempfile.TemporaryDirectory() as place:
        async with (
            product(Path(place), url) as services,
            connect(
                connections.connection(services.settings, "main"), ids=services.ids, transport=recorder
            ) as client,
            httpx.AsyncClient(timeout=120) as bare,
        ):
            services._clients["main"] = client  # noqa: SLF001  # the requests have to be seen
            recorded.around(services.ledger, "append")

            async def once(patient: str, twin: str) -> tuple[float, list, float]:
                """One sync, its requests, and the wall time of these sent again for the twin."""
                recorder.requests.clear()
                took = await timed(lambda: sync(services, patient))
                requests = [one for one in recorder.requests if not one[1].endswith("/metadata")]
                reads = [one for one in requests if kind_of(one[0], one[1], one[3]) == "read"]
                return took, requests, await timed(lambda: replay(bare, reads, patient, twin))

            for number in range(patients + 2):
                bundle = synthetic(PLANNED[number % len(PLANNED)])
                patient, twin = server.load(bundle), server.load(bundle)
                wrote.taken(), recorded.taken()
                took, requests, _ = await once(patient, twin)
                writes = [one for one in requests if kind_of(one[0], one[1], one[3]) == "write"]
                posted = await timed(lambda: replay(bare, writes, patient, twin))  # noqa: B023 - awaited at once
                write, audit = wrote.taken(), recorded.taken()
                planned, requests, reads = await once(patient, twin)
                found, again, reads_again = await once(patient, twin)
                changed = [one for one in (*requests, *again) if one[0] != "GET"]
                written = [one for one in changed if kind_of(one[0], one[1], one[3]) == "write"]
                if number < 2:
                    continue  # imports, and the server's own warming up
                note("write, ms", write * 1000)
                note("bare POST of the same transaction, ms", posted * 1000)
                note("write over bare POST, x", write / posted)
                note("audit and review, % of the writing sync's wall", 100 * audit / took)
                note("sync that changes nothing, planned, ms", planned * 1000)
                note("the same reads, bare, ms", reads * 1000)
                note("planned over bare reads, x", planned / reads)
                note("sync that changes nothing, found unchanged, ms", found * 1000)
                note("found unchanged over bare reads, x", found / reads_again)
                note("writes in syncs that change nothing", float(len(written)))
    for what, values in figures.items():
        print(line(what, values, ""))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("--patients", type=int, default=30)
    given = parser.parse_args()
    asyncio.run(main(given.url.rstrip("/"), given.patients))
