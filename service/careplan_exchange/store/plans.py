"""Plans in a database: what was written last, what is being written, what stands. Reviews, dead letters,
exchanges and habits of servers are parts of the same store, in files of their own.

Every method is one transaction. Rows come back in the order in which they came in. Whatever an exchange stores of
a patient while it holds the patient's lock is refused once it has lost that lock (Database.fence).
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, delete, exists, select, update

from careplan_exchange.model.changes import Base, Commit, Intent, WrittenResource
from careplan_exchange.model.outline import BaseOutline, Outline, WaitingOutline

from . import refusals
from .documents import to_text
from .exchanges import Exchanges
from .habits import KeptHabits
from .letters import Letters
from .reviews import Reviews
from .tables import bases as base_table
from .tables import installation, intents, pendings, review_steps

_touched = exists().where(review_steps.c.review == pendings.c.id).correlate(pendings).label("touched")


class SqlPlanStore(Reviews, Letters, Exchanges, KeptHabits):
    """ports.PlanStore."""

    def patient_lock(self, target: str, patient: str) -> AbstractAsyncContextManager[None]:
        return self._database.hold("patient", target, patient)

    async def installation(self) -> str:
        query = select(installation.c.name)
        return await self._database.read(lambda connection: str(connection.scalar(query)))

    async def bases(self, target: str, patient: str) -> Mapping[str, Base]:
        query = select(base_table.c.identity, base_table.c.document).where(
            base_table.c.target == target, base_table.c.patient == patient
        )
        from_text, column = self._database.documents.from_text, base_table.c.document
        return await self._database.read(
            lambda connection: {
                identity: from_text(document, Base, column, target, patient, identity)
                for identity, document in connection.execute(query)
            }
        )

    async def save_bases(self, target: str, patient: str, bases: Sequence[Base]) -> None:
        if bases:

            def saved(connection: Connection) -> None:
                self._database.fence(connection, "patient", target, patient)
                self._save_bases(connection, target, patient, bases)

            await self._database.write(saved)

    async def outline(self, target: str, patient: str) -> Outline:
        held = (
            select(base_table.c.identity, base_table.c.document)
            .where(base_table.c.target == target, base_table.c.patient == patient)
            .order_by(base_table.c.identity)
        )
        asked = (
            select(pendings.c.id, pendings.c.document, _touched)
            .where(pendings.c.target == target, pendings.c.patient == patient, pendings.c.state == "pending")
            .order_by(pendings.c.place)
        )
        part = self._database.documents.part_from_text

        def outlined(connection: Connection) -> Outline:
            return Outline(
                bases=tuple(
                    part(row.document, BaseOutline, base_table.c.document, target, patient, row.identity)
                    for row in connection.execute(held)
                ),
                waiting=tuple(
                    msgspec.structs.replace(
                        part(row.document, WaitingOutline, pendings.c.document, row.id), touched=row.touched
                    )
                    for row in connection.execute(asked)
                ),
            )

        return await self._database.read(outlined)

    async def open_intent(self, intent: Intent) -> None:
        """As the port. The same intent may be opened again; another one under its id is a UsageError."""
        values = {
            "id": intent.id,
            "target": intent.target,
            "patient": intent.patient,
            "document": self._database.documents.to_text(intent, intents.c.document, intent.id),
            "exchange": intent.exchange,
        }

        def opened(connection: Connection) -> None:
            self._database.fence(connection, "patient", intent.target, intent.patient)
            if self._insert_new(connection, intents, "id", values):
                return
            there = connection.scalar(select(intents.c.document).where(intents.c.id == intent.id))
            if there is None or to_text(self._intent(there, intent.id)) != to_text(intent):
                raise refusals.other_intent()

        await self._database.write(opened)

    async def open_intents(self, target: str, patient: str) -> tuple[Intent, ...]:
        query = (
            select(intents.c.id, intents.c.document)
            .where(intents.c.target == target, intents.c.patient == patient, intents.c.written.is_(None))
            .order_by(intents.c.place)
        )
        return await self._database.read(
            lambda connection: tuple(self._intent(row.document, row.id) for row in connection.execute(query))
        )

    async def commit_intent(
        self, intent: Intent, bases: Sequence[Base], written: Sequence[WrittenResource], at: str
    ) -> None:
        text = self._database.documents.to_text(tuple(written), intents.c.written, intent.id)

        def committed(connection: Connection) -> None:
            self._database.fence(connection, "patient", intent.target, intent.patient)
            connection.execute(
                update(intents).where(intents.c.id == intent.id).values(written=text, committed_at=at)
            )
            self._save_bases(connection, intent.target, intent.patient, bases)

        await self._database.write(committed)

    async def abandon_intent(self, intent: Intent) -> None:
        """As the port. That it was is in the ledger."""

        def abandoned(connection: Connection) -> None:
            self._database.fence(connection, "patient", intent.target, intent.patient)
            connection.execute(delete(intents).where(intents.c.id == intent.id, intents.c.written.is_(None)))

        await self._database.write(abandoned)

    async def commits(
        self, *, exchange: str | None = None, of: tuple[str, str] | None = None
    ) -> tuple[Commit, ...]:
        query = select(intents).where(intents.c.written.is_not(None)).order_by(intents.c.place)
        if exchange is not None:
            query = query.where(intents.c.exchange == exchange)
        if of is not None:
            query = query.where(intents.c.target == of[0], intents.c.patient == of[1])
        return await self._database.read(lambda connection: tuple(map(self._commit, connection.execute(query))))

    def _save_bases(self, connection: Connection, target: str, patient: str, bases: Sequence[Base]) -> None:
        if not bases:
            return
        # One statement may not name a row twice: of one identity the last counts.
        last = {base.identity: base for base in bases}
        statement = self._database.insert(base_table)
        statement = statement.on_conflict_do_update(
            index_elements=["target", "patient", "identity"], set_={"document": statement.excluded.document}
        )
        connection.execute(
            statement,
            [
                {
                    "target": target,
                    "patient": patient,
                    "identity": identity,
                    "document": self._database.documents.to_text(
                        base, base_table.c.document, target, patient, identity
                    ),
                }
                for identity, base in sorted(last.items())
            ],
        )

    def _intent(self, document: str, intent_id: str) -> Intent:
        return self._database.documents.from_text(document, Intent, intents.c.document, intent_id)

    def _commit(self, row: Row[Any]) -> Commit:
        from_text = self._database.documents.from_text
        return Commit(
            intent=self._intent(row.document, row.id),
            written=from_text(row.written, tuple[WrittenResource, ...], intents.c.written, row.id),
            committed_at=row.committed_at,
        )
