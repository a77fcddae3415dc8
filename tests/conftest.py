"""Fixtures for every suite. Servers start once a session, on first use, and are always stopped."""

from collections.abc import Iterator

import pytest

from tests.support.servers import SandboxServer, TestServer, hapi, sandbox_process


@pytest.fixture(scope="session")
def hapi_r4() -> Iterator[TestServer]:
    with hapi("r4") as server:
        yield server


@pytest.fixture(scope="session")
def hapi_r5() -> Iterator[TestServer]:
    with hapi("r5") as server:
        yield server


@pytest.fixture(scope="session")
def _sandbox_r4() -> Iterator[SandboxServer]:
    with sandbox_process("R4") as server:
        yield server


@pytest.fixture
def sandbox(_sandbox_r4: SandboxServer) -> Iterator[SandboxServer]:
    """The session's R4 sandbox, with every fault disarmed before and after."""
    _sandbox_r4.calm()
    yield _sandbox_r4
    _sandbox_r4.calm()


@pytest.fixture(scope="session")
def sandbox_r5() -> Iterator[SandboxServer]:
    with sandbox_process("R5") as server:
        yield server
