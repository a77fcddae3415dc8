"""Exchanges that came to nothing, kept for a person."""

from typing import Any

import msgspec
from sqlalchemy import Connection, Row, Select, delete, select, update

from careplan_exchange.model.deadletter import DeadLetter, LetterState, may_close

from . import refusals
from .part import Part
from .tables import letters


class Letters(Part):
    async def put_letter(self, letter: DeadLetter) -> DeadLetter:
        def put(connection: Connection) -> DeadLetter:
            self._database.serialise(connection, "letter", letter.target, letter.patient)
            row = connection.execute(_letters("waiting", (letter.target, letter.patient))).one_or_none()
            kept = letter
            if row is not None:
                there = self._letter(row)
                kept = msgspec.structs.replace(
                    letter, id=there.id, created_at=there.created_at, failures=there.failures + 1
                )
                connection.execute(delete(letters).where(letters.c.id == there.id))
            connection.execute(
                letters.insert(),
                {
                    "id": kept.id,
                    "target": kept.target,
                    "patient": kept.patient,
                    "state": kept.state,
                    "document": self._document(kept),
                },
            )
            return kept

        return await self._database.write(put)

    async def letters(
        self, state: LetterState | None = "waiting", *, of: tuple[str, str] | None = None
    ) -> tuple[DeadLetter, ...]:
        query = _letters(state, of)
        return await self._database.read(
            lambda connection: tuple(self._letter(row) for row in connection.execute(query))
        )

    async def letter(self, letter_id: str) -> DeadLetter | None:
        query = select(letters).where(letters.c.id == letter_id)
        found = await self._database.read(lambda connection: [*map(self._letter, connection.execute(query))])
        return found[0] if found else None

    async def close_letter(
        self, letter_id: str, state: LetterState, at: str, *, by: str | None = None, reason: str | None = None
    ) -> None:
        def closed(connection: Connection) -> None:
            row = connection.execute(select(letters).where(letters.c.id == letter_id)).one_or_none()
            if row is None or not may_close(row.state, state):
                raise refusals.closed(row.state if row else None)
            there = self._letter(row)
            after = msgspec.structs.replace(there, state=state, closed_at=at, closed_by=by, reason=reason)
            connection.execute(
                update(letters)
                .where(letters.c.id == letter_id)
                .values(state=state, document=self._document(after))
            )

        await self._database.write(closed)

    def _letter(self, row: Row[Any]) -> DeadLetter:
        return self._database.documents.from_text(row.document, DeadLetter, letters.c.document, row.id)

    def _document(self, letter: DeadLetter) -> str:
        return self._database.documents.to_text(letter, letters.c.document, letter.id)


def _letters(state: LetterState | None, of: tuple[str, str] | None) -> Select[Any]:
    query = select(letters).order_by(letters.c.place)
    if state is not None:
        query = query.where(letters.c.state == state)
    if of is not None:
        query = query.where(letters.c.target == of[0], letters.c.patient == of[1])
    return query
