"""The ports of the data path. An adapter is one module; `bootstrap.py` alone joins it to its port.

Every port has one contract suite in `tests/contract`, run over each of its adapters.
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from careplan_exchange.model.changes import Base, Held, Intent, Json, Settlement, WrittenResource
from careplan_exchange.model.exchange import ExchangeRequest, ExchangeRow, ExchangeState
from careplan_exchange.model.ledger import Entry, Link, Verdict
from careplan_exchange.model.receipt import Receipt
from careplan_exchange.model.record import FhirRelease, PatientRecord
from careplan_exchange.model.review import Pending, ReviewState


class Clock(Protocol):
    """The only way to learn the time."""

    def now(self) -> datetime:
        """The current moment, aware, in UTC."""
        ...


class Ids(Protocol):
    """The only way to a fresh identifier."""

    def new(self) -> str:
        """A new UUID (version 4 in production) in its canonical form."""
        ...


class Source(Protocol):
    """Where a patient's record comes from. `endpoint` and `identity` are those of every record it hands on."""

    @property
    def endpoint(self) -> str: ...

    @property
    def identity(self) -> str: ...

    async def pull(self, patient_id: str) -> PatientRecord:
        """The whole record of `Patient/<patient_id>`, or an error: never a part of it.

        Raises RecordError and its kind (nothing may be planned), RefusedError, UnavailableError.
        """
        ...


class PlanWriter(Protocol):
    """Where plans are written. One adapter serves one target endpoint."""

    @property
    def target(self) -> str:
        """The target's base URL, without a trailing slash."""
        ...

    async def release(self) -> FhirRelease:
        """The FHIR release in which this target takes resources."""
        ...

    async def subject(self, record: PatientRecord) -> str:
        """`Patient/<id>` on the target for the record's patient: the same where source and target are one
        server, otherwise the one patient there who shares a business identifier.

        Raises PatientNotFoundError, PatientAmbiguousError.
        """
        ...

    async def current(self, identities: Mapping[str, Collection[str]]) -> tuple[Held, ...]:
        """What the target holds now for these identities (by resource type), read without any cache.

        Raises DuplicateError where one identity stands more than once.
        """
        ...

    async def write(self, intent: Intent, companions: Sequence[Json]) -> tuple[WrittenResource, ...]:
        """Write every change of `intent.changes` that is a create or an update, all or nothing where the target
        can, with `companions` (Provenance, AuditEvent; bodies without an id) in the same transaction.

        Creates are conditional on our identifier, updates carry `If-Match`. Returns the resources as stored, in
        the order of the changes. Raises VersionConflictError (nothing was written; read and merge again),
        RefusedError (nothing was written), OutcomeUnknownError (call `settle` before anything is sent again).
        """
        ...

    async def settle(self, intent: Intent) -> Settlement:
        """Find out, without any cache, what became of an intent whose outcome is unknown. Sends nothing."""
        ...


class PlanStore(Protocol):
    """Our own memory: bases, intents, pending reviews, exchanges. Keys are (target URL, patient reference)."""

    def patient_lock(self, target: str, patient: str) -> AbstractAsyncContextManager[None]:
        """Holds off every other exchange for this patient, in this process and every process that shares the
        store. It is released when its holder dies, however it dies."""
        ...

    async def bases(self, target: str, patient: str) -> Mapping[str, Base]:
        """What was written last, by identity."""
        ...

    async def save_bases(self, target: str, patient: str, bases: Sequence[Base]) -> None: ...

    async def open_intent(self, intent: Intent) -> None:
        """Store the intent. It is durable when this returns."""
        ...

    async def open_intents(self, target: str, patient: str) -> tuple[Intent, ...]:
        """Intents that were neither committed nor abandoned, oldest first."""
        ...

    async def close_intent(self, intent: Intent, bases: Sequence[Base]) -> None:
        """In one transaction: the intent is closed and `bases` are what was written last. Without bases it was
        abandoned: nothing of it stands on the server."""
        ...

    async def put_pending(self, pending: Pending) -> Pending:
        """Keep a change that waits, and supersede an older pending one of the same target and patient. Where
        the newest pending one holds the same ChangeSet, that one is returned and nothing is stored."""
        ...

    async def pendings(
        self, state: ReviewState | None = "pending", *, of: tuple[str, str] | None = None
    ) -> tuple[Pending, ...]:
        """Those in this state (None: in any), oldest first; with `of` only those of that target and patient."""
        ...

    async def pending(self, pending_id: str) -> Pending | None: ...

    async def decide_pending(self, pending_id: str, state: ReviewState, by: str, at: str) -> None: ...

    async def clear_pending(self, target: str, patient: str, at: str) -> None:
        """Supersede what still waits for this patient: a later exchange found nothing to decide."""
        ...

    async def accept_exchange(
        self, exchange_id: str, request: ExchangeRequest, at: str, idempotency_key: str | None
    ) -> ExchangeRow:
        """Store a new exchange in state "accepted". The same key with the same request returns the row that is
        there; with another request it raises UsageError."""
        ...

    async def update_exchange(
        self, exchange_id: str, state: ExchangeState, at: str, receipt: Receipt | None = None
    ) -> None: ...

    async def exchange(self, exchange_id: str) -> ExchangeRow | None: ...

    async def unfinished_exchanges(self) -> tuple[ExchangeRow, ...]:
        """Accepted or running, oldest first: to be taken up again after a crash."""
        ...


class Ledger(Protocol):
    """The append-only record of what was done."""

    async def append(self, entries: Sequence[Entry]) -> tuple[Link, ...]:
        """Add entries at the end of the chain, durable when this returns. Safe under concurrent writers."""
        ...

    async def links(
        self, *, exchange: str | None = None, after: int = 0, limit: int | None = None
    ) -> tuple[Link, ...]:
        """Entries in order, of one exchange or all, from the one after `after`."""
        ...

    async def verify(self) -> Verdict:
        """Walk the whole chain and say whether every hash fits."""
        ...
