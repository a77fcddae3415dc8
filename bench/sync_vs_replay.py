"""Wall time of syncing patients over that of a bare replay of the very same requests on twins of these patients.

    python bench/sync_vs_replay.py URL [--patients N] [--bundles FOLDER]

URL is a FHIR server that may be written to (HAPI, or `careplan sandbox`). The patients are the synthetic ones of
the sandbox, small records; or the living ones of a folder of Bundles, one patient each. Two twins of each patient
are loaded. One is synced, and its requests are recorded; on the other the same requests are sent again by httpx
and nothing else, with the ids of the twin. All are loaded first; then sync and replay take turns, so that both
meet the same server in the same mood.
"""

import argparse
import asyncio
import sys
import tempfile
import time
import uuid
from collections import Counter
from pathlib import Path

import httpx
from _figures import line

from careplan_exchange import connections, logs
from careplan_exchange.fhir import connect
from careplan_exchange.model.codec import decode
from careplan_exchange.model.identity import IDENTITY_SYSTEM

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.support.patients import NAMES, synthetic
from tests.support.product import FIXTURE_TODAY, SYNTHETIC_TODAY, Server, product, sync

PLANNED = [name for name in NAMES if name != "08-nothing-applies"]


class Recorder(httpx.AsyncBaseTransport):
    """The real transport, with a memory."""

    def __init__(self) -> None:
        self._inner = httpx.AsyncHTTPTransport()
        self.requests: list[tuple[str, str, httpx.Headers, bytes]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        self.requests.append((request.method, str(request.url), request.headers, body))
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


def kind_of(method: str, url: str, body: bytes) -> str:
    if url.endswith("/metadata"):
        return "metadata"
    if method == "POST" and body and decode(body).get("type") == "transaction":
        return "write"
    return "read"


def for_the_twin(text: str, patient: str, twin: str, identities: dict[str, str]) -> str:
    for old, new in {f"Patient/{patient}": f"Patient/{twin}", **identities}.items():
        text = text.replace(old, new)
    return text


def identities_in(body: bytes) -> dict[str, str]:
    found = set()
    for entry in decode(body).get("entry", ()) if body else ():
        for one in entry.get("resource", {}).get("identifier", ()):
            if isinstance(one, dict) and one.get("system") == IDENTITY_SYSTEM:
                found.add(one["value"])
    return {value: uuid.uuid4().hex for value in found}


async def replay(client: httpx.AsyncClient, requests: list, patient: str, twin: str) -> None:
    for method, url, headers, body in requests:
        identities = identities_in(body)
        kept = {k: v for k, v in headers.items() if k.lower() not in {"host", "content-length"}}
        new_url = for_the_twin(url, patient, twin, {}).replace(f"_id={patient}", f"_id={twin}")
        text = for_the_twin(body.decode(), patient, twin, identities).replace(f"_id={patient}", f"_id={twin}")
        answer = await client.request(method, new_url, headers=kept, content=text.encode())
        answer.raise_for_status()


def records(folder: Path | None) -> tuple[list[dict], str]:
    """Bundles to load, and the day on which to plan for them."""
    if folder is None:
        return [synthetic(name) for name in PLANNED], SYNTHETIC_TODAY
    found = [decode(path.read_bytes()) for path in sorted(folder.glob("*.json"))]
    return [bundle for bundle in found if not is_deceased(bundle)], FIXTURE_TODAY


def is_deceased(bundle: dict) -> bool:
    resources = (entry["resource"] for entry in bundle["entry"])
    person = next(resource for resource in resources if resource["resourceType"] == "Patient")
    return any(name.startswith("deceased") for name in person)


async def main(url: str, patients: int, folder: Path | None) -> None:
    logs.configure("WARNING")
    server = Server(url)
    recorder = Recorder()
    synced, replayed, ratios, trips = [], [], [], []
    with tempfile.TemporaryDirectory() as place:
        async with (
            product(Path(place), url) as services,
            connect(
                connections.connection(services.settings, "main"), ids=services.ids, transport=recorder
            ) as client,
            httpx.AsyncClient(timeout=60) as bare,
        ):
            services._clients["main"] = client  # noqa: SLF001  # the requests have to be seen
            bundles, today = records(folder)
            chosen = [bundles[number % len(bundles)] for number in range(patients + 2)]
            for number, (patient, twin) in enumerate([(server.load(one), server.load(one)) for one in chosen]):
                recorder.requests.clear()
                start = time.perf_counter()
                receipt = await sync(services, patient, today=today)
                middle = time.perf_counter()
                if receipt.outcome not in {"written", "unchanged"}:
                    raise SystemExit(f"A sync ended as {receipt.outcome}: {receipt.issues}")
                requests = [one for one in recorder.requests if not one[1].endswith("/metadata")]
                begin = time.perf_counter()
                await replay(bare, requests, patient, twin)
                end = time.perf_counter()
                if number < 2:
                    continue  # imports, and the server's own warming up
                synced.append((middle - start) * 1000)
                replayed.append((end - begin) * 1000)
                ratios.append((middle - start) / (end - begin))
                trips.append(Counter(kind_of(method, url_, body) for method, url_, _, body in requests))
    print(line("sync", synced, "ms a patient"))
    print(line("replay of the same requests", replayed, "ms a patient"))
    print(line("ratio", ratios, "x"))
    print(f"{'ratio of the sums':<44} {sum(synced) / sum(replayed):10.2f} x")
    print(line("read round trips", [t["read"] for t in trips], "a patient"))
    print(line("write round trips", [t["write"] for t in trips], "a patient"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("--patients", type=int, default=30)
    parser.add_argument("--bundles", type=Path)
    given = parser.parse_args()
    asyncio.run(main(given.url.rstrip("/"), given.patients, given.bundles))
