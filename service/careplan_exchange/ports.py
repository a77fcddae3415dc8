"""The ports of the data path. An adapter is one module; `bootstrap.py` alone joins it to its port.

Every port has one contract suite in `tests/contract`, run over each of its adapters.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from careplan_exchange.model.chain import Head, Mark
from careplan_exchange.model.changes import Base, Commit, Held, Intent, Json, Settlement, WrittenResource
from careplan_exchange.model.deadletter import DeadLetter, LetterState
from careplan_exchange.model.exchange import ExchangeRequest, ExchangeRow, ExchangeState
from careplan_exchange.model.ledger import Entry, Link, Verdict
from careplan_exchange.model.outline import Outline
from careplan_exchange.model.receipt import Receipt
from careplan_exchange.model.record import PatientRecord
from careplan_exchange.model.requested import Depth, Outgoing, Parcel
from careplan_exchange.model.review import Pending, ReviewState, ReviewStep
from careplan_exchange.model.seals import Seal
from careplan_exchange.model.target import TargetForm
from careplan_exchange.model.writing import Writing

Progress = Callable[[int, int], None]
"""Told how many entries are done, of how many; from any thread."""


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

    async def form(self) -> TargetForm:
        """The FHIR release and the rung of the write ladder in which this target takes a plan, and why."""
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
        RefusedError (nothing was written, or all is taken back), PartlyWrittenError (`written` stands: keep it as
        committed, then raise its `cause`), OutcomeUnknownError (call `settle` before anything is sent again).
        Whatever is raised names in `undone` what the write had made and took back itself.
        """
        ...

    async def settle(self, intent: Intent, booked: Mapping[str, Base]) -> Settlement:
        """Find out, without any cache, what became of an intent whose outcome is unknown. `booked`, by identity,
        is what is remembered of other writes: a version of theirs is not this one's. Sends nothing of the intent;
        where the server let it replace somebody else's version, that is put back."""
        ...

    async def writings(self, references: Collection[str]) -> tuple[Writing, ...]:
        """What the target's Provenances say of who of us wrote these resources (`Goal/12`), the newest first and
        without any cache; empty where it keeps none or cannot be asked."""
        ...


class Habits(Protocol):
    """What was learned about a server that no CapabilityStatement says, by its base URL. A server is trusted to
    check `If-Match` until it was seen not to: every update is compared afterwards anyway, so that the first time
    is noticed and mended."""

    async def ignores_if_match(self, target: str) -> bool: ...

    async def note_if_match(self, target: str, *, ignored: bool) -> None:
        """What was seen last counts: a server may be mended."""
        ...


class PlanStore(Habits, Protocol):
    """Our own memory: bases, intents, pending reviews, exchanges, habits of servers. Keys are (target URL,
    patient reference)."""

    def patient_lock(self, target: str, patient: str) -> AbstractAsyncContextManager[None]:
        """Holds off every other exchange for this patient, in this process and every process that shares the
        store. It is released when its holder dies, however it dies. A holder that was taken for dead has lost it:
        whatever it still wants to store of the patient raises StoreUnavailableError."""
        ...

    async def installation(self) -> str:
        """The name of this store, made once with it: a UUID. What we write says which store remembers it."""
        ...

    async def bases(self, target: str, patient: str) -> Mapping[str, Base]:
        """What was written last, by identity."""
        ...

    async def save_bases(self, target: str, patient: str, bases: Sequence[Base]) -> None: ...

    async def outline(self, target: str, patient: str) -> Outline:
        """The bases and what waits, as they are at one moment, without their bodies: it costs a small part of
        reading them."""
        ...

    async def open_intent(self, intent: Intent) -> None:
        """Store the intent. It is durable when this returns."""
        ...

    async def open_intents(self, target: str, patient: str) -> tuple[Intent, ...]:
        """Intents that were neither committed nor abandoned, oldest first."""
        ...

    async def commit_intent(
        self, intent: Intent, bases: Sequence[Base], written: Sequence[WrittenResource], at: str
    ) -> None:
        """In one transaction: the intent is closed, `bases` are what was written last, and what was `written` is
        kept as a Commit."""
        ...

    async def abandon_intent(self, intent: Intent) -> None:
        """The intent is closed: nothing of it stands on the server."""
        ...

    async def commits(
        self, *, exchange: str | None = None, of: tuple[str, str] | None = None
    ) -> tuple[Commit, ...]:
        """Writes that stand, oldest first: of one exchange, or of a target and patient."""
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

    async def add_step(self, pending_id: str, step: ReviewStep) -> Pending:
        """What a person did with a waiting change, kept in order. Raises UsageError where it does not wait."""
        ...

    async def clear_pending(self, target: str, patient: str, at: str) -> None:
        """Supersede what still waits for this patient: a later exchange found nothing to decide."""
        ...

    async def put_letter(self, letter: DeadLetter) -> DeadLetter:
        """Keep an exchange that failed. Where one waits for the same target and patient already, that one is
        brought up to date under its own id, and `failures` counts on."""
        ...

    async def letters(
        self, state: LetterState | None = "waiting", *, of: tuple[str, str] | None = None
    ) -> tuple[DeadLetter, ...]:
        """Those in this state (None: in any), oldest first; with `of` only those of that target and patient."""
        ...

    async def letter(self, letter_id: str) -> DeadLetter | None: ...

    async def close_letter(
        self, letter_id: str, state: LetterState, at: str, *, by: str | None = None, reason: str | None = None
    ) -> None:
        """Only what waits can be closed (and what was "resolved" be said to have been "replayed"): raises
        UsageError otherwise."""
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
    """The append-only record of what was done, of one tenant."""

    @property
    def tenant(self) -> str: ...

    async def append(self, entries: Sequence[Entry]) -> tuple[Link, ...]:
        """Add entries at the end of the chain, durable when this returns. Safe under concurrent writers."""
        ...

    async def links(
        self, *, exchange: str | None = None, after: int = 0, limit: int | None = None
    ) -> tuple[Link, ...]:
        """Entries in order, of one exchange or all, from the one after `after`."""
        ...

    async def head(self) -> Head:
        """The last entry's number and hash; of an empty chain 0 and its genesis."""
        ...

    async def verify(
        self,
        *,
        start: Head | None = None,
        since: Head | None = None,
        marks: Sequence[Mark] = (),
        progress: Progress | None = None,
    ) -> Verdict:
        """Walk the chain and say whether every hash fits, `marks` among them, in flat memory.

        The chain begins after `start` (by default at its genesis). With `since`, a later entry whose hash is
        known, only what comes after it is walked.
        """
        ...

    async def seals(self, *, newest: int | None = None) -> tuple[Seal, ...]:
        """Signed heads and tombstones in the order in which they came, all or the `newest` so many. Whether they
        are genuine is not asked."""
        ...

    async def add_seal(self, seal: Seal) -> None:
        """Keep a signed head, durable when this returns."""
        ...

    async def remove(self, tombstone: Seal) -> int:
        """Remove the entries that this tombstone covers and keep it in their place, both or neither; how many
        they were. Raises UsageError where the chain does not begin where the tombstone begins, or the last of
        them has another hash."""
        ...


class Outbox(Protocol):
    """What was asked of servers, until it is told as AuditEvents; kept afterwards too."""

    async def put(self, parcel: Parcel, due_at: str) -> None:
        """Keep it; durable when this returns. The same id again changes nothing."""
        ...

    async def due(self, now: str, *, limit: int) -> tuple[Outgoing, ...]:
        """Those that are not sent and due at `now`, the longest due first."""
        ...

    async def sent(self, parcel_id: str, at: str) -> None:
        """It was told, whole. Of one that was sent already the first moment stays."""
        ...

    async def failed(self, parcel_id: str, due_at: str) -> None:
        """It was not told: one failure more, and due again then."""
        ...

    async def parcels(
        self, *, exchange: str | None = None, after: int = 0, limit: int
    ) -> tuple[tuple[int, Outgoing], ...]:
        """All, sent or not, with their places, in the order in which they came: from the one after `after`."""
        ...

    async def depth(self) -> Depth: ...
