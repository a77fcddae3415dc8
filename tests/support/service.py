"""The HTTP service in this process, over a product of memory."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec

from careplan_exchange.api import ApiAuth, create_app
from careplan_exchange.api.schemas import Problem
from tests.support.exchanges import FakeExchanges

KEY = "0123456789abcdef0123456789abcdef"
OPEN = ApiAuth()


@asynccontextmanager
async def service(
    exchanges: FakeExchanges, auth: ApiAuth = OPEN, *, base_url: str = "http://127.0.0.1:8000"
) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(exchanges, auth=auth)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=base_url) as client,
    ):
        yield client


def problem(answer: httpx.Response, status: int, key: str) -> Problem:
    """The answer as the problem it must be."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found = msgspec.json.decode(answer.content, type=Problem)
    assert found.status == status
    assert found.type == f"urn:careplan-exchange:problem:{key}"
    assert found.instance == f"urn:careplan-exchange:request:{answer.headers['x-request-id']}"
    assert found.title
    assert found.detail
    assert found.mend
    assert "Traceback" not in answer.text
    return found


def body(**fields: Any) -> dict[str, Any]:
    return {"endpoint": "hospital", "patient": "p1", **fields}
