"""The service over a product of memory, without authentication, called as a program on the same machine would."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.support.exchanges import FakeExchanges
from tests.support.service import service


@pytest.fixture
def exchanges() -> FakeExchanges:
    return FakeExchanges()


@pytest.fixture
async def client(exchanges: FakeExchanges) -> AsyncIterator[httpx.AsyncClient]:
    async with service(exchanges) as client:
        yield client
