"""What the tests of bad input share: a loop to run clients on, and quiet."""

import asyncio
from collections.abc import Iterator

import pytest
import structlog

from careplan_exchange import logs


@pytest.fixture(scope="module", autouse=True)
def _quiet() -> Iterator[None]:
    """A line of log for each request of each example would be most of what a failure shows."""
    logs.configure("CRITICAL")
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    """One event loop for all examples: a new one for each would cost more than the example."""
    with asyncio.Runner() as running:
        yield running
