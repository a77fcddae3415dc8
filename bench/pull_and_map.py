"""Pull + map of one record of 500 resources, against two other ways to get it typed, and against the bare bytes.

    python bench/pull_and_map.py [--url URL] [--resources N] [--rounds N]

Without --url our sandbox is started in a process of its own. All ways take turns on the same server and record:

- ours: a pull, then map_record to the snapshot;
- fhir.resources over httpx: the same searches side by side, each resource validated into its R4B class;
- fhirpy (typed): the same searches side by side through AsyncFHIRClient with the classes of fhirpy-types-r4b,
  which are no dependency of this project. `pip install fhirpy fhirpy-types-r4b` in the environment of the bench;
  without them it is left out, and this says so;
- bare: exactly the requests that our pull made, sent again by httpx, and the bytes read.

The other two do not map: what they are given is the smaller task.
"""

import argparse
import asyncio
import contextlib
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import date
from pathlib import Path
from types import ModuleType

import httpx
import msgspec
from _figures import line, ratios
from _record import bundle
from fhir.resources.R4B import get_fhir_model_class

from careplan_exchange import bootstrap, config, installed, logs
from careplan_exchange.fhir import Connection, connect
from careplan_exchange.mapping import map_record

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.support.product import Server
from tests.support.servers import sandbox_process
from tests.support.sources import endpoint_source

TODAY = date(2021, 4, 1)
KINDS = {
    "Patient": "_id",
    "Condition": "patient",
    "Observation": "patient",
    "MedicationRequest": "patient",
    "AllergyIntolerance": "patient",
    "Procedure": "patient",
}
"""What the two others ask for: fewer types than ours."""

Way = Callable[[], Awaitable[int]]


class Recorder(httpx.AsyncBaseTransport):
    """The real transport, with a memory of what was asked."""

    def __init__(self) -> None:
        self._inner = httpx.AsyncHTTPTransport()
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        self.requests.append(request)
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


def queries(patient: str) -> list[tuple[str, dict[str, str]]]:
    return [
        (kind, {parameter: patient if kind == "Patient" else f"Patient/{patient}", "_count": "1000"})
        for kind, parameter in KINDS.items()
    ]


async def validated(http: httpx.AsyncClient, url: str, patient: str) -> int:
    """By fhir.resources, which sees only the pages' resources, as bytes."""

    async def one(kind: str, params: dict[str, str]) -> int:
        model, found = get_fhir_model_class(kind), 0
        where: str | None = f"{url}/{kind}?{httpx.QueryParams(params)}"
        while where:
            page = msgspec.json.decode((await http.get(where)).content, type=Page)
            found += len([model.model_validate_json(bytes(entry.resource)) for entry in page.entry])
            where = next((link.url for link in page.link if link.relation == "next"), None)
        return found

    return sum(await asyncio.gather(*(one(kind, params) for kind, params in queries(patient))))


class Link(msgspec.Struct):
    relation: str
    url: str


class Entry(msgspec.Struct):
    resource: msgspec.Raw


class Page(msgspec.Struct):
    link: list[Link] = []
    entry: list[Entry] = []


def fhirpy_and_its_types() -> tuple[ModuleType, ModuleType] | None:
    try:
        import fhirpy  # type: ignore[import-not-found]  # not a dependency
        import fhirpy_types_r4b  # type: ignore[import-not-found]
    except ImportError:
        print("fhirpy is left out: `pip install fhirpy fhirpy-types-r4b` to measure it too.")
        return None
    return fhirpy, fhirpy_types_r4b


async def typed(fhirpy: ModuleType, types: ModuleType, url: str, patient: str) -> int:
    client = fhirpy.AsyncFHIRClient(url)
    searches = [
        client.resources(getattr(types, kind)).search(**params).fetch_all() for kind, params in queries(patient)
    ]
    return sum(map(len, await asyncio.gather(*searches)))


async def replayed(http: httpx.AsyncClient, requests: list[httpx.Request]) -> int:
    async def one(request: httpx.Request) -> int:
        headers = {k: v for k, v in request.headers.items() if k not in {"host", "content-length"}}
        answer = await http.request(request.method, request.url, headers=headers, content=request.content)
        return len(answer.content)

    return sum(await asyncio.gather(*(one(request) for request in requests)))


async def measure(ways: dict[str, Way], rounds: int) -> dict[str, tuple[list[float], list[float]]]:
    """Wall and CPU of this process, in ms, by way. The ways take turns; the first round warms up."""
    found: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            wall, cpu = time.perf_counter(), time.process_time()
            await way()
            if number:
                found[name][0].append((time.perf_counter() - wall) * 1000)
                found[name][1].append((time.process_time() - cpu) * 1000)
    return found


async def main(url: str, resources: int, rounds: int) -> None:
    logs.configure("WARNING")
    patient = Server(url).load(bundle(resources))
    knowledge = installed.load_knowledge(config.Settings())
    recorder = Recorder()
    async with (
        connect(Connection(base_url=url), ids=bootstrap.RandomIds(), transport=recorder) as watched,
        connect(Connection(base_url=url), ids=bootstrap.RandomIds()) as client,
        httpx.AsyncClient(timeout=60) as http,
    ):
        await endpoint_source(watched).pull(patient)
        recorder.requests.clear()
        record = await endpoint_source(watched).pull(patient)
        requests = list(recorder.requests)

        async def pull() -> int:
            return len((await endpoint_source(client).pull(patient)).resources)

        async def pull_and_map() -> int:
            pulled = await endpoint_source(client).pull(patient)
            return len(map_record(pulled, knowledge.mappings, knowledge.vocabulary, today=TODAY).facts)

        ways: dict[str, Way] = {
            "pull + map": pull_and_map,
            "fhir.resources over httpx": lambda: validated(http, url, patient),
            "pull": pull,
            "bare fetch of the same bytes": lambda: replayed(http, requests),
        }
        if (rival := fhirpy_and_its_types()) is not None:
            ways["fhirpy (typed)"] = lambda: typed(*rival, url, patient)
        print(f"{len(record.resources)} resources in {len(requests)} round trip(s)")
        found = await measure(ways, rounds)
    for name, (wall, cpu) in found.items():
        print(line(name, wall, "ms"))
        print(line("    of it CPU of the client", cpu, "ms"))
    for name in ("fhirpy (typed)", "fhir.resources over httpx"):
        if name in found:
            print(ratios(f"{name} / pull + map", found[name][0], found["pull + map"][0]))
            print(ratios("    the same by CPU of the client", found[name][1], found["pull + map"][1]))
    print(ratios("pull / bare fetch", found["pull"][0], found["bare fetch of the same bytes"][0]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", help="a FHIR R4 server that may be written to (default: our sandbox)")
    parser.add_argument("--resources", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=20)
    given = parser.parse_args()
    with contextlib.ExitStack() as stack:
        where = given.url or stack.enter_context(sandbox_process()).url
        asyncio.run(main(where.rstrip("/"), given.resources, given.rounds))
