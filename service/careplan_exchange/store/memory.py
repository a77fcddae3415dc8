"""The store in memory: adapters of the same rank, for tests and for work that need not outlive the process."""

import uuid
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager

import msgspec

from careplan_exchange.model import chain, codec
from careplan_exchange.model.chain import Head, Mark
from careplan_exchange.model.changes import Base, Commit, Intent, WrittenResource
from careplan_exchange.model.deadletter import DeadLetter, LetterState, may_close
from careplan_exchange.model.exchange import ExchangeRequest, ExchangeRow, ExchangeState
from careplan_exchange.model.ledger import Entry, Link, Verdict
from careplan_exchange.model.outline import BaseOutline, Outline, RequestOutline, WaitingOutline
from careplan_exchange.model.receipt import Receipt
from careplan_exchange.model.requested import Depth, Outgoing, Parcel
from careplan_exchange.model.review import Pending, ReviewState, ReviewStep
from careplan_exchange.model.seals import Seal
from careplan_exchange.ports import Progress

from . import refusals
from .locks import TaskLocks


class MemoryPlanStore:
    """ports.PlanStore. `lock_seconds` as in open_store; `installation` names it (a fresh UUID by default)."""

    def __init__(self, *, lock_seconds: float = 300.0, installation: str | None = None) -> None:
        self._installation = installation or str(uuid.uuid4())
        self._locks = TaskLocks(lock_seconds)
        self._bases: dict[tuple[str, str], dict[str, Base]] = {}
        self._intents: dict[str, Intent] = {}
        self._commits: dict[str, Commit] = {}
        self._letters: dict[str, DeadLetter] = {}
        self._pendings: dict[str, Pending] = {}
        self._exchanges: dict[str, ExchangeRow] = {}
        self._ignoring: set[str] = set()

    def patient_lock(self, target: str, patient: str) -> AbstractAsyncContextManager[None]:
        return self._locks.hold(target, patient)

    async def installation(self) -> str:
        return self._installation

    async def ignores_if_match(self, target: str) -> bool:
        return target in self._ignoring

    async def note_if_match(self, target: str, *, ignored: bool) -> None:
        (self._ignoring.add if ignored else self._ignoring.discard)(target)

    async def bases(self, target: str, patient: str) -> Mapping[str, Base]:
        return dict(self._bases.get((target, patient), {}))

    async def save_bases(self, target: str, patient: str, bases: Sequence[Base]) -> None:
        self._bases.setdefault((target, patient), {}).update({base.identity: base for base in bases})

    async def outline(self, target: str, patient: str) -> Outline:
        bases = sorted(self._bases.get((target, patient), {}).items())
        return Outline(
            bases=tuple(
                BaseOutline(identity=identity, type=one.type, id=one.id, version_id=one.version_id)
                for identity, one in bases
            ),
            waiting=tuple(
                WaitingOutline(
                    id=one.id, request=RequestOutline(reverts=one.request.reverts), touched=bool(one.steps)
                )
                for one in self._waiting(target, patient)
            ),
        )

    async def open_intent(self, intent: Intent) -> None:
        there = self._intents.setdefault(intent.id, intent)
        if codec.canonical(there) != codec.canonical(intent):
            raise refusals.other_intent()

    async def open_intents(self, target: str, patient: str) -> tuple[Intent, ...]:
        return tuple(i for i in self._intents.values() if (i.target, i.patient) == (target, patient))

    async def commit_intent(
        self, intent: Intent, bases: Sequence[Base], written: Sequence[WrittenResource], at: str
    ) -> None:
        self._intents.pop(intent.id, None)
        self._commits[intent.id] = Commit(intent=intent, written=tuple(written), committed_at=at)
        await self.save_bases(intent.target, intent.patient, bases)

    async def abandon_intent(self, intent: Intent) -> None:
        self._intents.pop(intent.id, None)

    async def commits(
        self, *, exchange: str | None = None, of: tuple[str, str] | None = None
    ) -> tuple[Commit, ...]:
        return tuple(
            commit
            for commit in self._commits.values()
            if exchange in {None, commit.intent.exchange}
            and of in {None, (commit.intent.target, commit.intent.patient)}
        )

    async def put_pending(self, pending: Pending) -> Pending:
        change_set = codec.canonical(pending.change_set)
        for waiting in self._waiting(pending.target, pending.patient):
            if codec.canonical(waiting.change_set) == change_set:
                return waiting
        there = self._pendings.get(pending.id)
        if there is not None and there.state in {"approved", "rejected"}:
            raise refusals.decided(there.state)
        await self.clear_pending(pending.target, pending.patient, pending.created_at)
        self._pendings.pop(pending.id, None)
        self._pendings[pending.id] = pending
        return pending

    async def pendings(
        self, state: ReviewState | None = "pending", *, of: tuple[str, str] | None = None
    ) -> tuple[Pending, ...]:
        return tuple(
            p for p in self._pendings.values() if state in {None, p.state} and of in {None, (p.target, p.patient)}
        )

    async def pending(self, pending_id: str) -> Pending | None:
        return self._pendings.get(pending_id)

    async def decide_pending(self, pending_id: str, state: ReviewState, by: str, at: str) -> None:
        there = self._pendings.get(pending_id)
        if there is None or there.state not in {"pending", state}:
            raise refusals.decided(there.state if there else None)
        if there.state == "pending":
            self._pendings[pending_id] = msgspec.structs.replace(there, state=state, decided_by=by, decided_at=at)

    async def add_step(self, pending_id: str, step: ReviewStep) -> Pending:
        there = self._pendings.get(pending_id)
        if there is None or there.state != "pending":
            raise refusals.decided(there.state if there else None)
        after = msgspec.structs.replace(there, steps=(*there.steps, step))
        self._pendings[pending_id] = after
        return after

    async def clear_pending(self, target: str, patient: str, at: str) -> None:
        for waiting in self._waiting(target, patient):
            self._pendings[waiting.id] = msgspec.structs.replace(waiting, state="superseded", decided_at=at)

    async def put_letter(self, letter: DeadLetter) -> DeadLetter:
        for there in await self.letters(of=(letter.target, letter.patient)):
            letter = msgspec.structs.replace(
                letter, id=there.id, created_at=there.created_at, failures=there.failures + 1
            )
        self._letters[letter.id] = letter
        return letter

    async def letters(
        self, state: LetterState | None = "waiting", *, of: tuple[str, str] | None = None
    ) -> tuple[DeadLetter, ...]:
        return tuple(
            x for x in self._letters.values() if state in {None, x.state} and of in {None, (x.target, x.patient)}
        )

    async def letter(self, letter_id: str) -> DeadLetter | None:
        return self._letters.get(letter_id)

    async def close_letter(
        self, letter_id: str, state: LetterState, at: str, *, by: str | None = None, reason: str | None = None
    ) -> None:
        there = self._letters.get(letter_id)
        if there is None or not may_close(there.state, state):
            raise refusals.closed(there.state if there else None)
        self._letters[letter_id] = msgspec.structs.replace(
            there, state=state, closed_at=at, closed_by=by, reason=reason
        )

    async def accept_exchange(
        self, exchange_id: str, request: ExchangeRequest, at: str, idempotency_key: str | None
    ) -> ExchangeRow:
        new = ExchangeRow(
            id=exchange_id,
            request=request,
            state="accepted",
            created_at=at,
            updated_at=at,
            idempotency_key=idempotency_key,
        )
        rows = [
            row
            for row in self._exchanges.values()
            if row.id == exchange_id or (idempotency_key is not None and row.idempotency_key == idempotency_key)
        ]
        if not rows:
            self._exchanges[exchange_id] = new
            return new
        if len(rows) != 1 or rows[0].request != request or rows[0].idempotency_key != idempotency_key:
            raise refusals.other_request(by_key=idempotency_key is not None)
        return rows[0]

    async def update_exchange(
        self, exchange_id: str, state: ExchangeState, at: str, receipt: Receipt | None = None
    ) -> None:
        there = self._exchanges.get(exchange_id)
        if there is None:
            raise refusals.no_exchange()
        self._exchanges[exchange_id] = msgspec.structs.replace(
            there, state=state, updated_at=at, receipt=receipt or there.receipt
        )

    async def exchange(self, exchange_id: str) -> ExchangeRow | None:
        return self._exchanges.get(exchange_id)

    async def unfinished_exchanges(self) -> tuple[ExchangeRow, ...]:
        return tuple(row for row in self._exchanges.values() if row.state != "done")

    def _waiting(self, target: str, patient: str) -> list[Pending]:
        return [
            p for p in self._pendings.values() if (p.target, p.patient, p.state) == (target, patient, "pending")
        ]


class MemoryLedger:
    """ports.Ledger."""

    def __init__(self, tenant: str = chain.DEFAULT_TENANT) -> None:
        self._tenant = tenant
        self._links: list[Link] = []
        self._seals: list[Seal] = []
        self._head = chain.start_of(tenant)

    @property
    def tenant(self) -> str:
        return self._tenant

    async def append(self, entries: Sequence[Entry]) -> tuple[Link, ...]:
        links: list[Link] = []
        last = self._head
        for entry in entries:
            links.append(chain.link(last.hash, last.seq + 1, entry))
            last = Head(seq=links[-1].seq, hash=links[-1].hash)
        self._links.extend(links)
        self._head = last
        return tuple(links)

    async def links(
        self, *, exchange: str | None = None, after: int = 0, limit: int | None = None
    ) -> tuple[Link, ...]:
        found = [x for x in self._links if x.seq > after and exchange in {None, x.entry.exchange}]
        return tuple(found[:limit])

    async def head(self) -> Head:
        return self._head

    async def verify(
        self,
        *,
        start: Head | None = None,
        since: Head | None = None,
        marks: Sequence[Mark] = (),
        progress: Progress | None = None,
    ) -> Verdict:
        begin = start or chain.start_of(self._tenant)
        later = since is not None and since.seq > begin.seq
        begin = since if since is not None and later else begin
        walk = chain.Walk(begin, marks)
        if later:
            walk.stand_on(next((link.hash for link in self._links if link.seq == begin.seq), None))
        for link in self._links:
            if link.seq > begin.seq:
                walk.step(link.seq, link.previous, link.hash, codec.canonical(link.entry))
        verdict = walk.close(self._head)
        if progress is not None:
            progress(verdict.entries, self._head.seq)
        return verdict

    async def seals(self, *, newest: int | None = None) -> tuple[Seal, ...]:
        return tuple(self._seals if newest is None else self._seals[-newest:])

    async def add_seal(self, seal: Seal) -> None:
        self._seals.append(seal)

    async def remove(self, tombstone: Seal) -> int:
        covered = refusals.tombstone_in(tombstone)
        gone = [x for x in self._links if x.seq <= covered.seq]
        refusals.must_cover(covered, gone[0] if gone else None, gone[-1] if gone else None)
        self._links = self._links[len(gone) :]
        self._seals.append(tombstone)
        return len(gone)


class MemoryOutbox:
    """ports.Outbox."""

    def __init__(self) -> None:
        self._parcels: dict[str, Outgoing] = {}

    async def put(self, parcel: Parcel, due_at: str) -> None:
        self._parcels.setdefault(parcel.id, Outgoing(parcel=parcel, due_at=due_at))

    async def due(self, now: str, *, limit: int) -> tuple[Outgoing, ...]:
        found = [each for each in self._parcels.values() if each.sent_at is None and each.due_at <= now]
        return tuple(sorted(found, key=lambda each: each.due_at)[:limit])

    async def sent(self, parcel_id: str, at: str) -> None:
        self._change(parcel_id, sent_at=at)

    async def failed(self, parcel_id: str, due_at: str) -> None:
        if parcel_id in self._parcels:
            self._change(parcel_id, attempts=self._parcels[parcel_id].attempts + 1, due_at=due_at)

    async def parcels(
        self, *, exchange: str | None = None, after: int = 0, limit: int
    ) -> tuple[tuple[int, Outgoing], ...]:
        found = [
            (place, each)
            for place, each in enumerate(self._parcels.values(), start=1)
            if place > after and exchange in {None, each.parcel.exchange}
        ]
        return tuple(found[:limit])

    async def depth(self) -> Depth:
        waiting = [each for each in self._parcels.values() if each.sent_at is None]
        if not waiting:
            return Depth(waiting=0)
        return Depth(
            waiting=len(waiting),
            failed=sum(each.attempts > 0 for each in waiting),
            oldest=min((requested.at for requested in waiting[0].parcel.requests), default=None),
        )

    def _change(self, parcel_id: str, **fields: object) -> None:
        there = self._parcels.get(parcel_id)
        if there is not None and there.sent_at is None:
            self._parcels[parcel_id] = msgspec.structs.replace(there, **fields)
