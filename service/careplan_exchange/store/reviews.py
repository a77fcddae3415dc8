"""What waits for a person, and what was done with it."""

from typing import Any

import msgspec
from sqlalchemy import Connection, Row, delete, func, select, update

from careplan_exchange.model.review import Pending, ReviewState, ReviewStep

from . import refusals
from .documents import to_text
from .part import Part
from .tables import pendings, review_steps


class Reviews(Part):
    async def put_pending(self, pending: Pending) -> Pending:
        """As the port. A change that a person has decided is not overwritten under its id: UsageError."""
        return await self._database.write(lambda connection: self._put_pending(connection, pending))

    def _put_pending(self, connection: Connection, pending: Pending) -> Pending:
        self._database.fence(connection, "patient", pending.target, pending.patient)
        self._database.serialise(connection, "pending", pending.target, pending.patient)
        waiting = connection.execute(
            select(pendings).where(
                pendings.c.target == pending.target,
                pendings.c.patient == pending.patient,
                pendings.c.state == "pending",
            )
        ).one_or_none()
        if waiting is not None:
            there = self._with_steps(connection, waiting)
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
            "document": self._database.documents.to_text(pending, pendings.c.document, pending.id),
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
        return await self._database.read(
            lambda connection: tuple(self._with_steps(connection, row) for row in connection.execute(query).all())
        )

    async def pending(self, pending_id: str) -> Pending | None:
        query = select(pendings).where(pendings.c.id == pending_id)
        found = await self._database.read(
            lambda connection: [self._with_steps(connection, row) for row in connection.execute(query).all()]
        )
        return found[0] if found else None

    async def add_step(self, pending_id: str, step: ReviewStep) -> Pending:
        def added(connection: Connection) -> Pending:
            # Whoever else adds a step to this one waits here.
            query = select(pendings).where(pendings.c.id == pending_id).with_for_update()
            row = connection.execute(query).one_or_none()
            if row is None or row.state != "pending":
                raise refusals.decided(row.state if row else None)
            number = connection.scalar(
                select(func.count()).select_from(review_steps).where(review_steps.c.review == pending_id)
            )
            document = self._database.documents.to_text(step, review_steps.c.document, pending_id, number or 0)
            connection.execute(
                review_steps.insert(), {"review": pending_id, "number": number or 0, "document": document}
            )
            return self._with_steps(connection, row)

        return await self._database.write(added)

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

        def cleared(connection: Connection) -> None:
            self._database.fence(connection, "patient", target, patient)
            _supersede(connection, target, patient, at)

        await self._database.write(cleared)

    def _with_steps(self, connection: Connection, row: Row[Any]) -> Pending:
        from_text, column = self._database.documents.from_text, review_steps.c.document
        steps = connection.execute(
            select(review_steps.c.number, column)
            .where(review_steps.c.review == row.id)
            .order_by(review_steps.c.number)
        )
        return msgspec.structs.replace(
            from_text(row.document, Pending, pendings.c.document, row.id),
            state=row.state,
            decided_by=row.decided_by,
            decided_at=row.decided_at,
            steps=tuple(from_text(step.document, ReviewStep, column, row.id, step.number) for step in steps),
        )


def _supersede(connection: Connection, target: str, patient: str, at: str) -> None:
    connection.execute(
        update(pendings)
        .where(pendings.c.target == target, pendings.c.patient == patient, pendings.c.state == "pending")
        .values(state="superseded", decided_at=at)
    )
