"""Reading as the product does it, from a server that a test has made difficult."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from careplan_exchange import config, inquiries
from careplan_exchange.fhir import Connection, FhirClient, Pacing, connect
from careplan_exchange.model.exchange import ExchangeRequest
from careplan_exchange.model.record import PatientRecord
from tests.support.patients import synthetic
from tests.support.product import SYNTHETIC_TODAY, Server, product
from tests.support.servers import SandboxServer

TIMEOUT = 1.5
NAME, BIRTH_DATE = "Zyxwvutsrq", "1949-07-31"


class Ids:
    def new(self) -> str:
        return str(uuid.uuid4())


class Waits:
    """Waits that were asked for, and not waited for."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.seconds.append(seconds)
        await asyncio.sleep(0)


def person() -> dict[str, Any]:
    """A patient with six Observations, one of which was changed since, and a name that occurs nowhere else."""
    bundle = synthetic("02-older-adult-si-units")
    for entry in bundle["entry"]:
        if entry["resource"]["resourceType"] == "Patient":
            entry["resource"] |= {
                "name": [{"family": NAME}],
                "birthDate": BIRTH_DATE,
                "identifier": [{"system": "urn:careplan-exchange:faults", "value": str(uuid.uuid4())}],
            }
    return bundle


def load(server: SandboxServer, bundle: dict[str, Any]) -> str:
    """Loads the patient, and changes the Observation that comes second in the server's order, as the last write."""
    outside = Server(server.url)
    patient = outside.load(bundle)
    second = outside.search(f"Observation?patient=Patient/{patient}")[1]
    assert outside.put({**second, "note": [{"text": "amended"}]}).status_code == 200
    return patient


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[FhirClient]:
    async with connect(Connection(base_url=url), ids=Ids(), pacing=Pacing(sleep=Waits().sleep)) as client:
        yield client


Read = Callable[[str], Awaitable[PatientRecord]]


@asynccontextmanager
async def reader(folder: Path, url: str, waits: Waits | None = None, **changes: Any) -> AsyncIterator[Read]:
    """Reads records as the product does, without the waits between attempts."""
    unhurried = partial(connect, pacing=Pacing(sleep=(waits or Waits()).sleep))
    endpoints = endpoint(url, **{"attempts": 2, "max_response_mb": 64} | changes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inquiries, "connect", unhurried)
        async with product(folder, url, endpoints=endpoints) as services:

            async def read(patient: str) -> PatientRecord:
                request = ExchangeRequest(endpoint="main", patient=patient, today=SYNTHETIC_TODAY)
                record, _ = await services.snapshot(request)
                return record

            yield read


def endpoint(url: str, **changes: Any) -> dict[str, config.Endpoint]:
    given = {"url": url, "timeout_seconds": TIMEOUT, "attempts": 1, "max_response_mb": 1} | changes
    return {"main": config.Endpoint.model_validate(given)}


def assert_nothing_personal(text: str, patient: str) -> None:
    for personal in (NAME, BIRTH_DATE, f"Patient/{patient}", "somebody-else"):
        assert personal not in text
