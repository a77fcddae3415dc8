"""The requests of one exchange on their way into the outbox, and the refusals among them into the ledger.

`following` is put around whatever is done for one patient. What was heard is kept before anything is written
(`Notes.flush` asks for it), and at the end: a process that dies in between has read, and not yet written.
"""

import re
from collections.abc import AsyncIterator
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
        about, now = self._about, self._clock.now().isoformat()
        for server in dict.fromkeys(requested.server for requested in self._heard):
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
        with listening(new.hear):
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
        _trail.reset(token)
