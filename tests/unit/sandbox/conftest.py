"""A sandbox in this process: over ASGI for what it answers, on a port for what happens to connections."""

import itertools
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from careplan_exchange.sandbox import Faults, Sandbox, create_app, serve_in_background

BASE = "http://sandbox.test/fhir"
FHIR = {"Content-Type": "application/fhir+json"}
START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture(params=["R4"])
def release(request) -> str:
    return request.param


@pytest.fixture
async def http(faults, release) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a fresh sandbox whose ids are 1x, 2x … and whose clock goes on a second with every look at it."""
    ids, seconds = itertools.count(1), itertools.count()
    app = create_app(
        release=release,
        faults=faults,
        control=True,
        ids=lambda: f"{next(ids)}x",
        clock=lambda: START + timedelta(seconds=next(seconds)),
    )
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url=BASE, headers=FHIR) as client:
        yield client
    app.state.server.close()


@pytest.fixture
def served() -> Iterator[Sandbox]:
    with serve_in_background() as sandbox:
        yield sandbox
