"""The application: routes, errors, and the runner that lives as long as it does."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI

from careplan_exchange.jobs import Exchanges, Runner

from . import audit, exchanges, openapi, patients, problems, system
from .auth import ApiAuth
from .middleware import Envelope

KeySet = Mapping[str, Sequence[Mapping[str, Any]]]

TAGS = [
    {"name": "exchanges", "description": "The whole path for one patient, in the background."},
    {"name": "patients", "description": "Dry runs: what would be planned, and why."},
    {"name": "audit", "description": "The append-only ledger."},
    {"name": "system", "description": "Health and metrics."},
]


def _no_keys() -> KeySet:
    return {"keys": []}


def create_app(services: Exchanges, *, auth: ApiAuth, published_keys: Callable[[], KeySet] = _no_keys) -> FastAPI:
    """The HTTP service over `services`. `published_keys` gives the JWK Set of now. Its lifespan
    runs the exchanges, and takes up those left from before."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with Runner(services) as runner:
            app.state.runner = runner
            yield

    app = FastAPI(
        title="careplan-exchange",
        version=version("careplan-exchange"),
        description=openapi.DESCRIPTION,
        openapi_tags=TAGS,
        lifespan=lifespan,
        docs_url=None,  # both pages load scripts from elsewhere, which our Content-Security-Policy forbids
        redoc_url=None,
        redirect_slashes=False,  # a redirect would repeat the path to whatever host the request named
    )
    app.state.exchanges = services
    app.state.auth = auth
    app.state.published_keys = published_keys
    for slice_ in (exchanges, patients, audit, system):
        app.include_router(slice_.router)
    problems.install(app)
    openapi.install(app, secured=auth.required)
    app.add_middleware(Envelope, ids=services.ids, loopback_only=not auth.required)
    return app
