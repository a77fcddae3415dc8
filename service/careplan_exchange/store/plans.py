"""Plans in a database: what was written last, what is being written, what waits, what was asked for.

Every method is one transaction. Rows come back in the order in which they came in.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, delete, select, update

from careplan_exchange.model.changes import Base, Intent
from careplan_exchange.model.exchange import ExchangeRequest, ExchangeRow, ExchangeState
from careplan_exchange.model.receipt import Receipt
from careplan_exchange.model.review import Pending, ReviewState

from . import refusals
from .database import Database
from .documents import from_text, to_text
from .tables import bases as base_table
from .tables import exchanges, intents, pendings


class SqlPlanStore:
    """ports.PlanStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def patient_lock(self, target: str, patient: str) -> AbstractAsyncContextManager[None]:
        return self._database.hold("patient", target, patient)

    async def bases(self, target: str, patient: str) -> Mapping[str, Base]:
        query = select(base_table.c.document).where(
            base_table.c.target == target, base_table.c.patient == patient
        )
        found = await self._database.read(
            lambda connection: [from_text(document, Base) for document in connection.scalars(query)]
        )
        return {base.identity: base for base in found}

    async def save_bases(self, target: str, patient: str, bases: Sequence[Base]) -> None:
        if bases:
            await self._database.write(lambda connection: self._save_bases(connection, target, patient, bases))

    async def open_intent(self, intent: Intent) -> None:
        """As the port. The same intent may be opened again; another one under its id is a UsageError."""
        values = {
            "id": intent.id,
            "target": intent.target,
            "patient": intent.patient,
            "document": to_text(intent),
        }

        def opened(connection: Connection) -> None:
            if self._insert_new(connection, intents, "id", values):
                return
            there = connection.scalar(select(intents.c.document).where(intents.c.id == intent.id))
            if there != values["document"]:
                raise refusals.other_intent()

        await self._database.write(opened)

    async def open_intents(self, target: str, patient: str) -> tuple[Intent, ...]:
        query = (
            select(intents.c.document)
            .where(intents.c.target == target, intents.c.patient == patient)
            .order_by(intents.c.place)
        )
        return await self._database.read(
            lambda connection: tuple(from_text(document, Intent) for document in connection.scalars(query))
        )

    async def close_intent(self, intent: Intent, bases: Sequence[Base]) -> None:
        """As the port. A closed intent is removed: what it held is in `bases`, that it was is in the ledger."""

        def closed(connection: Connection) -> None:
            connection.execute(delete(intents).where(intents.c.id == intent.id))
            if bases:
                self._save_bases(connection, intent.target, intent.patient, bases)

        await self._database.write(closed)

    async def put_pending(self, pending: Pending) -> Pending:
        """As the port. A change that a person has decided is not overwritten under its id: UsageError."""
        return await self._database.write(lambda connection: self._put_pending(connection, pending))

    def _put_pending(self, connection: Connection, pending: Pending) -> Pending:
        self._database.serialise(connection, "pending", pending.target, pending.patient)
        waiting = connection.execute(
            select(pendings).where(
                pendings.c.target == pending.target,
                pendings.c.patient == pending.patient,
                pendings.c.state == "pending",
            )
        ).one_or_none()
        if waiting is not None:
            there = _pending(waiting)
            if to_text(there.change_set) == to_text(pending.change_set):
                return there
        state = connection.scalar(select(pendings.c.state).where(pendings.c.id == pending.id))
        if state in {"approved", "rejected"}:
            raise refusals.decided(state)
        _supersede(connection, pending.target, pending.patient, pending.created_at)
        connection.execute(delete(pendings).where(pendings.c.id == pending.id))
        values = {
            "id": pending.id,
            "target": pending.target,
            "patient": pending.patient,
            "state": pending.state,
            "document": to_text(pending),
            "decided_by": pending.decided_by,
            "decided_at": pending.decided_at,
        }
        connection.execute(pendings.insert(), values)
        return pending

    async def pendings(
        self, state: ReviewState | None = "pending", *, of: tuple[str, str] | None = None
    ) -> tuple[Pending, ...]:
        query = select(pendings).order_by(pendings.c.place)
        if state is not None:
            query = query.where(pendings.c.state == state)
        if of is not None:
            query = query.where(pendings.c.target == of[0], pendings.c.patient == of[1])
        return await self._database.read(lambda connection: tuple(map(_pending, connection.execute(query))))

    async def pending(self, pending_id: str) -> Pending | None:
        query = select(pendings).where(pendings.c.id == pending_id)
        found = await self._database.read(lambda connection: [*map(_pending, connection.execute(query))])
        return found[0] if found else None

    async def decide_pending(self, pending_id: str, state: ReviewState, by: str, at: str) -> None:
        """Only what waits can be decided. The same decision again changes nothing; any other is a UsageError."""

        def decided(connection: Connection) -> None:
            changed = connection.execute(
                update(pendings)
                .where(pendings.c.id == pending_id, pendings.c.state == "pending")
                .values(state=state, decided_by=by, decided_at=at)
            )
            if changed.rowcount == 0:
                there = connection.scalar(select(pendings.c.state).where(pendings.c.id == pending_id))
                if there != state:
                    raise refusals.decided(there)

        await self._database.write(decided)

    async def clear_pending(self, target: str, patient: str, at: str) -> None:
        if not await self.pendings(of=(target, patient)):
            return  # nearly always; a look costs less than a write
        await self._database.write(lambda connection: _supersede(connection, target, patient, at))

    async def accept_exchange(
        self, exchange_id: str, request: ExchangeRequest, at: str, idempotency_key: str | None
    ) -> ExchangeRow:
        """As the port. The same id with the same request and key returns the row that is there, too."""
        values = {
            "id": exchange_id,
            "state": "accepted",
            "request": to_text(request),
            "created_at": at,
            "updated_at": at,
            "idempotency_key": idempotency_key,
        }
        same = exchanges.c.id == exchange_id
        if idempotency_key is not None:
            same |= exchanges.c.idempotency_key == idempotency_key

        def accepted(connection: Connection) -> list[ExchangeRow]:
            self._insert_new(connection, exchanges, None, values)
            return [_exchange(row) for row in connection.execute(select(exchanges).where(same))]

        rows = await self._database.write(accepted)
        if len(rows) != 1 or rows[0].request != request or rows[0].idempotency_key != idempotency_key:
            raise refusals.other_request(by_key=idempotency_key is not None)
        return rows[0]

    async def update_exchange(
        self, exchange_id: str, state: ExchangeState, at: str, receipt: Receipt | None = None
    ) -> None:
        """Without `receipt` the one that is there stays. UsageError where there is no such exchange."""
        values: dict[str, str] = {"state": state, "updated_at": at}
        if receipt is not None:
            values["receipt"] = to_text(receipt)
        statement = update(exchanges).where(exchanges.c.id == exchange_id).values(**values)
        if await self._database.write(lambda connection: connection.execute(statement).rowcount) == 0:
            raise refusals.no_exchange()

    async def exchange(self, exchange_id: str) -> ExchangeRow | None:
        query = select(exchanges).where(exchanges.c.id == exchange_id)
        found = await self._database.read(lambda connection: [*map(_exchange, connection.execute(query))])
        return found[0] if found else None

    async def unfinished_exchanges(self) -> tuple[ExchangeRow, ...]:
        query = select(exchanges).where(exchanges.c.state != "done").order_by(exchanges.c.place)
        return await self._database.read(lambda connection: tuple(map(_exchange, connection.execute(query))))

    def _save_bases(self, connection: Connection, target: str, patient: str, bases: Sequence[Base]) -> None:
        # One statement may not name a row twice: of one identity the last counts.
        last = {base.identity: base for base in bases}
        statement = self._database.insert(base_table)
        statement = statement.on_conflict_do_update(
            index_elements=["target", "patient", "identity"], set_={"document": statement.excluded.document}
        )
        connection.execute(
            statement,
            [
                {"target": target, "patient": patient, "identity": identity, "document": to_text(base)}
                for identity, base in sorted(last.items())
            ],
        )

    def _insert_new(self, connection: Connection, table: Any, key: str | None, values: Mapping[str, Any]) -> bool:
        """Whether the row was new. `key` names the unique column that may be there already; None: any."""
        statement = self._database.insert(table).values(**values)
        elements = None if key is None else [key]
        result = connection.execute(statement.on_conflict_do_nothing(index_elements=elements))
        return bool(result.rowcount)


def _supersede(connection: Connection, target: str, patient: str, at: str) -> None:
    connection.execute(
        update(pendings)
        .where(pendings.c.target == target, pendings.c.patient == patient, pendings.c.state == "pending")
        .values(state="superseded", decided_at=at)
    )


def _pending(row: Row[Any]) -> Pending:
    pending = from_text(row.document, Pending)
    return msgspec.structs.replace(pending, state=row.state, decided_by=row.decided_by, decided_at=row.decided_at)


def _exchange(row: Row[Any]) -> ExchangeRow:
    return ExchangeRow(
        id=row.id,
        request=from_text(row.request, ExchangeRequest),
        state=row.state,
        created_at=row.created_at,
        updated_at=row.updated_at,
        idempotency_key=row.idempotency_key,
        receipt=None if row.receipt is None else from_text(row.receipt, Receipt),
    )
