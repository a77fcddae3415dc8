"""The adapters over which the suites of the store run, and the servers over which that of FHIR does."""

import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import httpx
import pytest

from careplan_exchange.store import (
    Keys,
    MemoryLedger,
    MemoryOutbox,
    MemoryPlanStore,
    Store,
    key_of,
    new_key,
    open_store,
)
from tests.support.postgres import postgres  # noqa: F401 - a fixture: importing it here is how it is offered
from tests.support.rest import HAPI, MEDPLUM, SANDBOX, Rest


@dataclass(frozen=True)
class Place:
    """A database that several stores can open."""

    url: str
    password: str | None = None
    keys: Keys | None = None


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def place(request, tmp_path) -> Iterator[Place]:
    if request.param == "sqlite":
        yield Place(f"sqlite:///{tmp_path}/careplan.db")
    else:
        server = request.getfixturevalue("postgres")
        yield Place(server.new_database(), server.password)


@pytest.fixture(
    params=[
        "memory",
        "sqlite in memory",
        "sqlite",
        "sqlite, sealed",
        pytest.param("postgres", marks=pytest.mark.postgres),
    ]
)
def adapter(request, tmp_path) -> str | Place:
    if request.param == "postgres":
        server = request.getfixturevalue("postgres")
        return Place(server.new_database(), server.password)
    return {
        "memory": "memory",
        "sqlite in memory": Place("sqlite://"),
        "sqlite": Place(f"sqlite:///{tmp_path}/careplan.db"),
        "sqlite, sealed": Place(f"sqlite:///{tmp_path}/careplan.db", keys=Keys(key_of(new_key(), "key"))),
    }[request.param]


@pytest.fixture
async def store(adapter) -> AsyncIterator[Store]:
    async with contextlib.AsyncExitStack() as stack:
        if isinstance(adapter, Place):
            yield await stack.enter_async_context(
                open_store(adapter.url, password=adapter.password, keys=adapter.keys)
            )
        else:
            yield Store(MemoryPlanStore(), MemoryLedger(), MemoryOutbox())


@pytest.fixture(
    params=[
        pytest.param(("sandbox", SANDBOX), id="sandbox-r4"),
        pytest.param(("sandbox_r5", SANDBOX), id="sandbox-r5"),
        pytest.param(("hapi_r4", HAPI), id="hapi-r4", marks=pytest.mark.hapi),
        pytest.param(("hapi_r5", HAPI), id="hapi-r5", marks=pytest.mark.hapi),
        pytest.param(("medplum", MEDPLUM), id="medplum", marks=pytest.mark.medplum),
    ],
)
def server(request):
    name, expected = request.param
    with httpx.Client(timeout=60) as http:
        yield Rest(request.getfixturevalue(name).url, expected, http)
