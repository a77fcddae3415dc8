"""The requests of one exchange on their way into the outbox, and the refusals among them into the ledger.

`following` is put around whatever is done for one patient. What was heard is kept beside the reading as soon as
it is known whom it is about, then at most once a second, before anything is written (`Notes.flush` asks for it),
and at the end: a process that dies in between loses the record of the last second, and has not yet written.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any

import msgspec

from careplan_exchange import logs
from careplan_exchange.errors import CareplanError
from careplan_exchange.fhir import listening
from careplan_exchange.model.requested import Parcel, Requested
from careplan_exchange.ports import Clock, Ids, Outbox

_ABSENT = frozenset({404, 410})
_PATIENT = re.compile(r"Patient(?:\?(?:.*&)?_id=|/)([A-Za-z0-9\-.]{1,64})(?:[/&?]|$)", re.ASCII)
"""A request for one patient by id: nobody has to say whom what follows it is about."""

EVERY_SECONDS = 1.0
"""So often at most is kept beside the reading: each time is a parcel of its own."""

_trail: ContextVar["Trail | None"] = ContextVar("trail", default=None)


class About(msgspec.Struct, frozen=True, kw_only=True):
    """Whose requests these are; the fields are those of model.requested.Parcel."""

    exchange: str
    version: str
    by: str | None = None
    installation: str = ""


class Trail:
    """What was heard since it was kept last."""

    def __init__(self, outbox: Outbox, clock: Clock, ids: Ids, about: About) -> None:
        self._outbox = outbox
        self._clock = clock
        self._ids = ids
        self._about = about
        self._subjects: dict[str, str] = {}
        self._heard: list[Requested] = []
        self._refusals: list[dict[str, Any]] = []
        self._keeping = asyncio.Lock()
        self._beside: asyncio.Task[None] | None = None
        self._due = 0.0

    def concerns(self, server: str, subject: str) -> None:
        """Who the patient is on this server: one person may have an id on each."""
        self._subjects[server] = subject

    def hear(self, requested: Requested) -> None:
        self._note_refusals(requested)
        if requested.told:
            return
        self._heard.append(requested)
        for act in requested.acts:
            if found := _PATIENT.match(act.query or act.reference or ""):
                self._subjects.setdefault(requested.server, f"Patient/{found[1]}")

    def hear_and_keep(self, requested: Requested) -> None:
        """Hear it, and have it kept soon, beside whatever else is done; `rest` must be called at the end."""
        self.hear(requested)
        if self._of_somebody() and (self._beside is None or self._beside.done()):
            self._beside = asyncio.create_task(self._keep_beside())

    def _of_somebody(self) -> list[str]:
        """The servers of whose requests it is known whom they are about: an event that names nobody is worth
        less, so the others wait for the end."""
        return [name for name in dict.fromkeys(each.server for each in self._heard) if name in self._subjects]

    async def _keep_beside(self) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, self._due - loop.time()))
        self._due = loop.time() + EVERY_SECONDS
        try:
            async with self._keeping:
                await self._put(self._of_somebody())
        except CareplanError as error:  # it is still there, and is asked for again before anything is written
            logs.get_logger().warning(logs.AUDIT_UNKEPT, error=error.key)

    async def rest(self) -> None:
        """Keep nothing more beside. Call it after `keep`, when nothing is left that could be cut off."""
        if self._beside is not None:
            self._beside.cancel()
            await asyncio.wait([self._beside])

    def _note_refusals(self, requested: Requested) -> None:
        asked: dict[tuple[str, int | None], set[str]] = {}
        for act in requested.acts:
            error, status = requested.error or act.error, act.status or requested.status
            if error is not None and status not in _ABSENT:
                asked.setdefault((error, status), set()).add(f"{act.interaction} {act.type}")
        self._refusals += [
            {"error": error, "status": status, "asked": sorted(what)} for (error, status), what in asked.items()
        ]

    def refusals(self) -> list[dict[str, Any]]:
        """What servers refused since this was asked last: keys, statuses, types."""
        found, self._refusals = self._refusals, []
        return found

    async def keep(self) -> None:
        """Put what was heard into the outbox; durable when this returns. Raises what the outbox raises, and has
        it still then."""
        async with self._keeping:
            await self._put(dict.fromkeys(requested.server for requested in self._heard))

    async def _put(self, servers: Iterable[str]) -> None:
        about, now = self._about, self._clock.now().isoformat()
        for server in servers:
            requests = tuple(requested for requested in self._heard if requested.server == server)
            parcel = Parcel(
                id=self._ids.new(),
                exchange=about.exchange,
                subject=self._subjects.get(server),
                version=about.version,
                requests=requests,
                by=about.by,
                installation=about.installation,
            )
            await self._outbox.put(parcel, now)
            kept = set(map(id, requests))  # more of this server may have been heard meanwhile
            self._heard = [requested for requested in self._heard if id(requested) not in kept]


def trail() -> Trail | None:
    """The trail that is followed here, if any."""
    return _trail.get()


@asynccontextmanager
async def following(new: Trail) -> AsyncIterator[None]:
    """Every request that is made here is kept, also where what is done fails. A trail that cannot be kept does
    not hide why."""
    token = _trail.set(new)
    try:
        with listening(new.hear_and_keep):
            yield
    except BaseException:
        try:
            await new.keep()
        except CareplanError as error:
            logs.get_logger().error(logs.AUDIT_UNKEPT, error=error.key)
        raise
    else:
        await new.keep()
    finally:
        await new.rest()
        _trail.reset(token)
