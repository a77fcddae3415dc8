"""Fixtures for every suite. Servers start once a session, on first use, and are always stopped."""

import gc
import os
import shutil
import tempfile
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.support.servers import LOGS, SandboxServer, TestServer, hapi, medplum_router, sandbox_process

# A failure must say something of the change at hand: examples are the same in every run, until somebody explores.
settings.register_profile("fixed", derandomize=True)
settings.register_profile("explore", max_examples=1000, print_blob=True)
settings.register_profile("fuzz", max_examples=int(os.environ.get("FUZZ_EXAMPLES", "1000")), print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))


def pytest_collection_finish() -> None:
    """Tens of thousands of tests and the knowledge last: looking through them for garbage again and again is a
    good part of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    failed = terminalreporter.stats.get("failed") or terminalreporter.stats.get("error")
    for log in filter(lambda one: one.exists(), LOGS):
        if failed:
            terminalreporter.write_line(f"A server's log: {log}")
        else:
            shutil.rmtree(log.parent)


@pytest.fixture(scope="session", autouse=True)
def _own_runtime_folder() -> Iterator[None]:
    """What processes of one host share about a server is shared by this session's alone, and gone at its end."""
    before = os.environ.get("XDG_RUNTIME_DIR")
    with tempfile.TemporaryDirectory(prefix="runtime-") as folder:
        os.environ["XDG_RUNTIME_DIR"] = folder
        yield
    os.environ.pop("XDG_RUNTIME_DIR")
    if before is not None:
        os.environ["XDG_RUNTIME_DIR"] = before


@pytest.fixture(scope="session")
def hapi_r4() -> Iterator[TestServer]:
    with hapi("r4") as server:
        yield server


@pytest.fixture(scope="session")
def hapi_r5() -> Iterator[TestServer]:
    with hapi("r5") as server:
        yield server


@pytest.fixture(scope="session")
def medplum() -> Iterator[TestServer]:
    with medplum_router() as server:
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
def _sandbox_r5() -> Iterator[SandboxServer]:
    with sandbox_process("R5") as server:
        yield server


@pytest.fixture
def sandbox_r5(_sandbox_r5: SandboxServer) -> Iterator[SandboxServer]:
    """The session's R5 sandbox, with every fault disarmed before and after."""
    _sandbox_r5.calm()
    yield _sandbox_r5
    _sandbox_r5.calm()
