"""The store in memory: adapters of the same rank, for tests and for work that need not outlive the process."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager

import msgspec

from careplan_exchange.model import chain, codec
from careplan_exchange.model.changes import Base, Intent
from careplan_exchange.model.exchange import ExchangeRequest, ExchangeRow, ExchangeState
from careplan_exchange.model.ledger import Entry, Link, Verdict
from careplan_exchange.model.receipt import Receipt
from careplan_exchange.model.review import Pending, ReviewState

from . import refusals
from .locks import TaskLocks


class MemoryPlanStore:
    """ports.PlanStore. `lock_seconds` as in open_store."""

    def __init__(self, *, lock_seconds: float = 300.0) -> None:
        self._locks = TaskLocks(lock_seconds)
        self._bases: dict[tuple[str, str], dict[str, Base]] = {}
        self._intents: dict[str, Intent] = {}
        self._pendings: dict[str, Pending] = {}
        self._exchanges: dict[str, ExchangeRow] = {}

    def patient_lock(self, target: str, patient: str) -> AbstractAsyncContextManager[None]:
        return self._locks.hold(target, patient)

    async def bases(self, target: str, patient: str) -> Mapping[str, Base]:
        return dict(self._bases.get((target, patient), {}))

    async def save_bases(self, target: str, patient: str, bases: Sequence[Base]) -> None:
        self._bases.setdefault((target, patient), {}).update({base.identity: base for base in bases})

    async def open_intent(self, intent: Intent) -> None:
        there = self._intents.setdefault(intent.id, intent)
        if codec.canonical(there) != codec.canonical(intent):
            raise refusals.other_intent()

    async def open_intents(self, target: str, patient: str) -> tuple[Intent, ...]:
        return tuple(i for i in self._intents.values() if (i.target, i.patient) == (target, patient))

    async def close_intent(self, intent: Intent, bases: Sequence[Base]) -> None:
        self._intents.pop(intent.id, None)
        await self.save_bases(intent.target, intent.patient, bases)

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

    async def clear_pending(self, target: str, patient: str, at: str) -> None:
        for waiting in self._waiting(target, patient):
            self._pendings[waiting.id] = msgspec.structs.replace(waiting, state="superseded", decided_at=at)

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

    def __init__(self) -> None:
        self._links: list[Link] = []

    async def append(self, entries: Sequence[Entry]) -> tuple[Link, ...]:
        links: list[Link] = []
        previous = self._links[-1].hash if self._links else chain.GENESIS
        for seq, entry in enumerate(entries, start=len(self._links) + 1):
            links.append(chain.link(previous, seq, entry))
            previous = links[-1].hash
        self._links.extend(links)
        return tuple(links)

    async def links(
        self, *, exchange: str | None = None, after: int = 0, limit: int | None = None
    ) -> tuple[Link, ...]:
        found = [x for x in self._links if x.seq > after and exchange in {None, x.entry.exchange}]
        return tuple(found[:limit])

    async def verify(self) -> Verdict:
        return chain.verify(self._links)
