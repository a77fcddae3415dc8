"""The client of one FHIR endpoint: what the rest of the product may ask of a server."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import httpx

from careplan_exchange import logs
from careplan_exchange.errors import NotFhirError, UnsupportedServerError
from careplan_exchange.model.changes import Json
from careplan_exchange.model.record import Resource
from careplan_exchange.ports import Ids

from . import search as searches
from . import writes
from .bundle import NOT_FHIR_MEND, read_resource
from .capabilities import Capabilities, read_capabilities
from .connection import Connection
from .credentials import Smart
from .failures import refused
from .retry import Pacing
from .search import NO_CACHE, Query
from .session import Answer, Ask, Session
from .tokens import Token
from .transport import http_client
from .writes import Written


class FhirClient:
    """Open one with `connect`. Safe for many tasks at once; `concurrency` of the connection caps their requests.

    Every method raises, beside what it says: AuthenticationRefusedError, EndpointUnreachableError,
    EndpointOverloadedError, NotFhirError, SettingsError (no usable credentials).
    """

    def __init__(self, session: Session) -> None:
        self.connection: Connection = session.connection
        self.base_url: str = session.base_url
        self._session = session
        self._capabilities: Capabilities | None = None
        self._discovering = asyncio.Lock()

    async def capabilities(self) -> Capabilities:
        """What the server says of itself, asked once for each client. Raises UnsupportedServerError."""
        async with self._discovering:
            if self._capabilities is None:
                self._capabilities = await self._discover()
            return self._capabilities

    async def granted(self) -> Token | None:
        """The token that is in use, asked for where there is none yet; None where we ask for none ourselves."""
        credentials = self._session.credentials
        return await credentials.granted() if isinstance(credentials, Smart) else None

    async def read(self, resource_type: str, resource_id: str, *, no_cache: bool = False) -> Resource:
        """The current version. Raises RefusedError where there is none (404, 410); `find` does not."""
        answer = await self._get(resource_type, resource_id, no_cache=no_cache)
        if not answer.ok:
            raise refused(answer.status, answer.body, f"The read of {resource_type}")
        return _one(answer, resource_type, resource_id)

    async def find(self, resource_type: str, resource_id: str, *, no_cache: bool = False) -> Resource | None:
        """The current version, or None where the server has none: never there (404) or deleted (410)."""
        answer = await self._get(resource_type, resource_id, no_cache=no_cache)
        if answer.status in {404, 410}:
            return None
        if not answer.ok:
            raise refused(answer.status, answer.body, f"The read of {resource_type}")
        return _one(answer, resource_type, resource_id)

    async def history(self, resource_type: str, resource_id: str) -> tuple[Resource, ...]:
        """Every version that the server keeps, newest first. Raises IncompleteRecordError, RefusedError."""
        return await searches.history(self._session, resource_type, resource_id)

    async def search(self, query: Query, *, no_cache: bool = False) -> tuple[Resource, ...]:
        """All matches over all pages, each once. Raises IncompleteRecordError, RefusedError."""
        return await searches.search(self._session, query, no_cache=no_cache)

    async def sample(self, query: Query, limit: int) -> tuple[Resource, ...]:
        """The first `limit` matches in the server's order: never for a record, which must be whole."""
        return await searches.first_matches(self._session, query, limit)

    async def search_many(
        self, queries: Sequence[Query], *, no_cache: bool = False
    ) -> tuple[tuple[Resource, ...], ...]:
        """The matches of each query, in order: in one batch where the server takes it, else side by side."""
        batch = (await self.capabilities()).batch
        return await searches.search_many(self._session, queries, batch=batch, no_cache=no_cache)

    async def transaction(self, bundle: Json, *, request_id: str) -> Json:
        """See `writes.transaction`: all or nothing, sent once. OutcomeUnknownError means: look first."""
        return await writes.transaction(self._session, bundle, request_id=request_id)

    async def create(
        self, resource_type: str, body: Json, *, if_none_exist: str | None, request_id: str
    ) -> Written:
        """See `writes.create`."""
        return await writes.create(
            self._session, resource_type, body, if_none_exist=if_none_exist, request_id=request_id
        )

    async def update(
        self, resource_type: str, resource_id: str, body: Json, *, version_id: str, request_id: str
    ) -> Written:
        """See `writes.update`."""
        return await writes.update(
            self._session, resource_type, resource_id, body, version_id=version_id, request_id=request_id
        )

    async def _get(self, resource_type: str, resource_id: str, *, no_cache: bool) -> Answer:
        return await self._session.send(
            Ask(
                method="GET",
                url=f"{self.base_url}/{resource_type}/{resource_id}",
                what=f"The read of {resource_type}",
                label=resource_type,
                headers=NO_CACHE if no_cache else (),
            )
        )

    async def _discover(self) -> Capabilities:
        what = "The CapabilityStatement"
        ask = Ask(method="GET", url=f"{self.base_url}/metadata", what=what, label="metadata")
        answer = await self._session.send(ask)
        if answer.status in {404, 410}:
            raise UnsupportedServerError(
                f"There is no CapabilityStatement at {self.base_url}/metadata ({answer.status}).",
                mend="Check the endpoint's URL: it is the FHIR base URL, often with a path such as /fhir or /r4.",
            )
        if not answer.ok:
            raise refused(answer.status, answer.body, what)
        capabilities = read_capabilities(answer.body)
        logs.get_logger().info(
            logs.FHIR_CAPABILITIES,
            endpoint=logs.hashed(self.base_url),
            release=capabilities.release,
            software=capabilities.software,
        )
        return capabilities


@asynccontextmanager
async def connect(
    connection: Connection,
    *,
    ids: Ids,
    transport: httpx.AsyncBaseTransport | None = None,
    pacing: Pacing | None = None,
) -> AsyncIterator[FhirClient]:
    """A client that is closed at the end. Nothing is sent yet. `transport` replaces the network, `pacing` time
    and chance. Raises SettingsError where the CA bundle, certificate or proxy cannot be used."""
    async with http_client(connection, transport) as http:
        yield FhirClient(Session(connection, http, ids, pacing or Pacing()))


def _one(answer: Answer, resource_type: str, resource_id: str) -> Resource:
    what = f"The read of {resource_type}: the answer"
    resource = read_resource(answer.body, what)
    if (resource.type, resource.id) != (resource_type, resource_id):
        raise NotFhirError(f"{what} is another resource than was asked for.", mend=NOT_FHIR_MEND)
    return resource
