"""The outbox in a database: one row a parcel, in the order in which they came."""

from sqlalchemy import Connection, Row, func, select, update

from careplan_exchange.model.requested import Depth, Outgoing, Parcel

from .database import Database
from .tables import outbox


class SqlOutbox:
    """ports.Outbox."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, parcel: Parcel, due_at: str) -> None:
        values = {
            "id": parcel.id,
            "exchange": parcel.exchange,
            "document": self._database.documents.to_text(parcel, outbox.c.document, parcel.id),
            "due_at": due_at,
        }
        insert = self._database.insert(outbox).values(values).on_conflict_do_nothing(index_elements=["id"])
        await self._database.write(lambda connection: connection.execute(insert))

    async def due(self, now: str, *, limit: int) -> tuple[Outgoing, ...]:
        query = (
            select(outbox)
            .where(outbox.c.sent_at.is_(None), outbox.c.due_at <= now)
            .order_by(outbox.c.due_at, outbox.c.place)
            .limit(limit)
        )
        return await self._database.read(lambda connection: tuple(map(self._outgoing, connection.execute(query))))

    async def sent(self, parcel_id: str, at: str) -> None:
        done = update(outbox).where(outbox.c.id == parcel_id, outbox.c.sent_at.is_(None)).values(sent_at=at)
        await self._database.write(lambda connection: connection.execute(done))

    async def failed(self, parcel_id: str, due_at: str) -> None:
        again = (
            update(outbox)
            .where(outbox.c.id == parcel_id, outbox.c.sent_at.is_(None))
            .values(attempts=outbox.c.attempts + 1, due_at=due_at)
        )
        await self._database.write(lambda connection: connection.execute(again))

    async def parcels(
        self, *, exchange: str | None = None, after: int = 0, limit: int
    ) -> tuple[tuple[int, Outgoing], ...]:
        query = select(outbox).where(outbox.c.place > after).order_by(outbox.c.place).limit(limit)
        if exchange is not None:
            query = query.where(outbox.c.exchange == exchange)
        return await self._database.read(
            lambda connection: tuple((row.place, self._outgoing(row)) for row in connection.execute(query))
        )

    async def depth(self) -> Depth:
        return await self._database.read(self._depth)

    def _depth(self, connection: Connection) -> Depth:
        waiting = outbox.c.sent_at.is_(None)
        query = select(func.count(), func.count().filter(outbox.c.attempts > 0), func.min(outbox.c.place)).where(
            waiting
        )
        count, failed, first = connection.execute(query).one()
        if not count:
            return Depth(waiting=0)
        row = connection.execute(select(outbox).where(outbox.c.place == first)).one()
        asked = self._outgoing(row).parcel.requests
        return Depth(
            waiting=count, failed=failed, oldest=min((requested.at for requested in asked), default=None)
        )

    def _outgoing(self, row: Row[tuple[object, ...]]) -> Outgoing:
        return Outgoing(
            parcel=self._database.documents.from_text(row.document, Parcel, outbox.c.document, row.id),
            attempts=row.attempts,
            due_at=row.due_at,
            sent_at=row.sent_at,
        )
