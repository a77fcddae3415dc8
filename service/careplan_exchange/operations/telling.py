"""Telling an Audit Record Repository what was asked of servers: from the outbox, at least once, nothing twice.

An event has an id of ours. Where the repository lets a client choose ids, it is put there (`PUT
AuditEvent/<id>`); elsewhere its create is conditional on a tag that holds the id. Sending it again therefore
makes no second one.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Protocol

import msgspec

from careplan_exchange import logs
from careplan_exchange.audit import EVENT_SYSTEM, events_of
from careplan_exchange.errors import CareplanError
from careplan_exchange.fhir import Capabilities
from careplan_exchange.model.changes import Json
from careplan_exchange.model.requested import Depth, Outgoing
from careplan_exchange.ports import Clock, Ids, Outbox

AT_ONCE = 100
"""So many events go in one batch."""

_PARCELS = 20
_FIRST_WAIT = timedelta(seconds=30)
_LONGEST_WAIT = timedelta(hours=6)


class Repository(Protocol):
    """The server that takes AuditEvents; fhir.FhirClient is one."""

    base_url: str

    async def capabilities(self) -> Capabilities: ...

    async def transaction(self, bundle: Json, *, request_id: str) -> Json: ...


class Told(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What one flush came to: parcels sent and failed, and what waits now."""

    sent: int
    failed: int
    depth: Depth


class Teller:
    """`repository` opens the client of the one repository, None where none is set: everything is kept then."""

    def __init__(
        self,
        outbox: Outbox,
        clock: Clock,
        ids: Ids,
        repository: Callable[[], Awaitable[Repository]] | None,
    ) -> None:
        self._outbox = outbox
        self._clock = clock
        self._ids = ids
        self._repository = repository
        self._sending = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    @property
    def sends(self) -> bool:
        return self._repository is not None

    async def depth(self) -> Depth:
        return await self._outbox.depth()

    async def send(self, *, limit: int | None = None, even_later: bool = False) -> Told:
        """Send what is due, oldest first, up to `limit` parcels; with `even_later` also what failed and waits for
        its time. A parcel that cannot be sent is left for later. Raises CareplanError where the repository's
        settings cannot be used."""
        sent = failed = 0
        if self._repository is None:
            return Told(sent=0, failed=0, depth=await self.depth())
        async with self._sending:
            repository = await self._repository()
            tried: set[str] = set()
            while limit is None or sent + failed < limit:
                now = _FAR if even_later else self._clock.now().isoformat()
                page = await self._outbox.due(now, limit=_PARCELS + len(tried))
                due = next((each for each in page if each.parcel.id not in tried), None)
                if due is None:
                    break
                tried.add(due.parcel.id)
                if await self._sent(repository, due):
                    sent += 1
                else:
                    failed += 1
        return Told(sent=sent, failed=failed, depth=await self.depth())

    def begin(self) -> None:
        """Send what is due beside whatever else is done; nobody waits for it, and nobody hears of a failure."""
        if self.sends and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._quietly())

    async def end(self, within: float) -> None:
        """Give what was begun so many seconds more, then leave it: what was not told stays in the outbox."""
        task, self._task = self._task, None
        if task is None:
            return
        await asyncio.wait([task], timeout=within)
        if not task.done():
            task.cancel()
            await asyncio.wait([task])

    async def _quietly(self) -> None:
        try:
            await self.send()
        except CareplanError as error:
            logs.get_logger().warning(logs.AUDIT_UNSENT, error=error.key)

    async def _sent(self, repository: Repository, due: Outgoing) -> bool:
        parcel = due.parcel
        try:
            capabilities = await repository.capabilities()
            # One that refuses a reference to what it does not hold gets logical references the second time.
            here = repository.base_url if due.attempts == 0 else None
            events = events_of(parcel, capabilities.release, here=here)
            chosen = "AuditEvent" in capabilities.client_ids
            for start in range(0, len(events), AT_ONCE):
                bundle = batch_of(events[start : start + AT_ONCE], client_ids=chosen)
                await repository.transaction(bundle, request_id=self._ids.new())
        except CareplanError as error:
            later = self._clock.now() + wait_after(due.attempts)
            await self._outbox.failed(parcel.id, later.isoformat())
            logs.get_logger().warning(logs.AUDIT_UNSENT, error=error.key, attempts=due.attempts + 1)
            return False
        await self._outbox.sent(parcel.id, self._clock.now().isoformat())
        logs.get_logger().info(logs.AUDIT_SENT, count=len(events))
        return True


_FAR = "9999"


def wait_after(failures: int) -> timedelta:
    """How long a parcel waits that has failed so many times before: doubled each time, six hours at most."""
    return min(_FIRST_WAIT * (1 << min(failures, 20)), _LONGEST_WAIT)


def batch_of(events: Sequence[Json], *, client_ids: bool) -> Json:
    """A batch, so that one event that is refused does not undo the others."""
    return {
        "resourceType": "Bundle",
        "type": "batch",
        "entry": [_put(event) if client_ids else _conditional(event) for event in events],
    }


def _put(event: Json) -> Json:
    return {"resource": event, "request": {"method": "PUT", "url": f"AuditEvent/{event['id']}"}}


def _conditional(event: Json) -> Json:
    body = {name: value for name, value in event.items() if name != "id"}
    condition = f"_tag={EVENT_SYSTEM}|{event['id']}"
    return {"resource": body, "request": {"method": "POST", "url": "AuditEvent", "ifNoneExist": condition}}
