"""The client of one FHIR endpoint: what the rest of the product may ask of a server."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import httpx

from careplan_exchange.errors import NotFhirError
from careplan_exchange.model.changes import Json
from careplan_exchange.model.record import Resource
from careplan_exchange.ports import Ids

from . import apply, writes
from . import everything as everythings
from . import search as searches
from .ask import NO_CACHE, Answer, Ask, require_json
from .breaker import Note
from .bundle import NOT_FHIR_MEND, identified, read_header, refuse_outcome
from .capabilities import Capabilities
from .circuit import noted
from .connection import Connection
from .credentials import Smart
from .deadline import deadline
from .failures import refused
from .metadata import discover
from .retry import Pacing
from .search import Found, Query
from .session import Session
from .token_endpoint import Token
from .transport import http_client
from .writes import Written


class FhirClient:
    """Open one with `connect`. Safe for many tasks at once; `concurrency` of the connection caps their requests.

    Every method raises, beside what it says: AuthenticationRefusedError, EndpointUnreachableError,
    EndpointOverloadedError, CircuitOpenError, NotFhirError, SettingsError (no usable credentials).
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
                self._capabilities = await discover(self._session)
            return self._capabilities

    @property
    def circuit(self) -> Note:
        """The state of this client's circuit breaker."""
        return self._session.circuit.note

    def circuit_elsewhere(self) -> Note | None:
        """What another process of this host met last, where that was a server that it left alone."""
        return noted(self._session.host_folder)

    def one_patient(self) -> AbstractAsyncContextManager[None]:
        """The time for reading one record. Raises EndpointUnreachableError, which names what was under way, where
        it is over: `patient_deadline_seconds`."""
        return deadline(self.connection.patient_deadline_seconds)

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

    async def was_deleted(self, resource_type: str, resource_id: str, version_id: str) -> bool:
        """Whether that version is a deletion (410); where the server does not know it, it is none."""
        return (
            await self._get(resource_type, f"{resource_id}/_history/{version_id}", no_cache=True)
        ).status == 410

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

    @property
    def refused_batch(self) -> bool:
        """Whether the server turned a batch of searches away: it is not asked for one again."""
        return self._session.batch_refused

    async def search_each(
        self,
        queries: Sequence[Query],
        *,
        batch: bool,
        may_be_withheld: frozenset[str] = frozenset(),
        no_cache: bool = False,
    ) -> tuple[Found, ...]:
        """What came of each query, in order; one of a type that may be withheld does not end the others."""
        return await searches.search_each(
            self._session, queries, batch=batch, may_be_withheld=may_be_withheld, no_cache=no_cache
        )

    async def everything(
        self, patient_id: str, *, types: Sequence[str] = (), since: str | None = None, count: int | None = None
    ) -> tuple[Resource, ...]:
        """See `everything.everything`: what the server counts as this patient's record, past any cache."""
        asked = everythings.Everything(patient_id=patient_id, types=tuple(types), since=since, count=count)
        return await everythings.everything(self._session, asked)

    async def apply_plan(self, plan: Json, patient: str) -> Json:
        """See `apply.apply_plan`: what the server's own engine makes of this PlanDefinition for this patient."""
        return await apply.apply_plan(self._session, await self.capabilities(), plan, patient)

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

    async def delete(self, resource_type: str, resource_id: str, *, version_id: str, request_id: str) -> None:
        """See `writes.delete`."""
        await writes.delete(
            self._session, resource_type, resource_id, version_id=version_id, request_id=request_id
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
        session = Session(connection, http, ids, pacing or Pacing())
        try:
            yield FhirClient(session)
        finally:
            session.close()


def _one(answer: Answer, resource_type: str, resource_id: str) -> Resource:
    what = f"The read of {resource_type}: the answer"
    require_json(answer, what)
    header = read_header(answer.body, what)
    if resource_type != "OperationOutcome":
        refuse_outcome(header.resource_type, answer.body, what)
    resource = identified(header, answer.body, what)
    if (resource.type, resource.id) != (resource_type, resource_id):
        raise NotFhirError(f"{what} is another resource than was asked for.", mend=NOT_FHIR_MEND)
    return resource
