"""Exchanges that were asked for over HTTP: accepted, running, done."""

from typing import Any

from sqlalchemy import Connection, Row, select, update

from careplan_exchange.model.exchange import ExchangeRequest, ExchangeRow, ExchangeState
from careplan_exchange.model.receipt import Receipt

from . import refusals
from .part import Part
from .tables import exchanges


class Exchanges(Part):
    async def accept_exchange(
        self, exchange_id: str, request: ExchangeRequest, at: str, idempotency_key: str | None
    ) -> ExchangeRow:
        """As the port. The same id with the same request and key returns the row that is there, too."""
        values = {
            "id": exchange_id,
            "state": "accepted",
            "request": self._database.documents.to_text(request, exchanges.c.request, exchange_id),
            "created_at": at,
            "updated_at": at,
            "idempotency_key": idempotency_key,
        }
        same = exchanges.c.id == exchange_id
        if idempotency_key is not None:
            same |= exchanges.c.idempotency_key == idempotency_key

        def accepted(connection: Connection) -> list[ExchangeRow]:
            self._insert_new(connection, exchanges, None, values)
            return [self._exchange(row) for row in connection.execute(select(exchanges).where(same))]

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
            values["receipt"] = self._database.documents.to_text(receipt, exchanges.c.receipt, exchange_id)
        statement = update(exchanges).where(exchanges.c.id == exchange_id).values(**values)
        if await self._database.write(lambda connection: connection.execute(statement).rowcount) == 0:
            raise refusals.no_exchange()

    async def exchange(self, exchange_id: str) -> ExchangeRow | None:
        query = select(exchanges).where(exchanges.c.id == exchange_id)
        found = await self._database.read(lambda connection: [*map(self._exchange, connection.execute(query))])
        return found[0] if found else None

    async def unfinished_exchanges(self) -> tuple[ExchangeRow, ...]:
        query = select(exchanges).where(exchanges.c.state != "done").order_by(exchanges.c.place)
        return await self._database.read(lambda connection: tuple(map(self._exchange, connection.execute(query))))

    def _exchange(self, row: Row[Any]) -> ExchangeRow:
        from_text = self._database.documents.from_text
        return ExchangeRow(
            id=row.id,
            request=from_text(row.request, ExchangeRequest, exchanges.c.request, row.id),
            state=row.state,
            created_at=row.created_at,
            updated_at=row.updated_at,
            idempotency_key=row.idempotency_key,
            receipt=None if row.receipt is None else from_text(row.receipt, Receipt, exchanges.c.receipt, row.id),
        )
