"""Sealing what stands in the clear, and sealing anew what an older key has sealed.

Row by row, in small transactions, while others work: they must have both keys at hand. What the current key has
sealed is passed over, so that a run which was cut off goes on where it ended.
"""

from collections.abc import Callable
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, func, or_, select, tuple_, update
from sqlalchemy.sql import ColumnElement

from careplan_exchange.errors import StoreUnavailableError

from .cipher import mark_of
from .database import Database
from .tables import SEALED, Sealed, installation

Progress = Callable[[int, int], None]
"""Told how many documents are done, of how many."""

_BATCH = 100
_PASSES = 5
"""A process that still seals with an older key, or not at all, adds such documents behind our back."""


class Rekeyed(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`documents` is how many were sealed anew; `key` the id of the key under which all of them stand."""

    documents: int
    key: str


async def rekey(database: Database, progress: Progress) -> Rekeyed:
    """Everything that is clinical stands under the current key afterwards, and nothing in the clear is accepted
    any more. `database` must have been unlocked with keys.

    Raises ConfigurationError where a document cannot be opened (nothing is lost: what was done is done, and the
    rest stands as it was), StoreUnavailableError where another process goes on with an older key.
    """
    cipher = database.documents.cipher
    if cipher is None:
        raise AssertionError("There is no key to seal with.")
    mark, done = mark_of(cipher.key), 0
    for _ in range(_PASSES):
        total = done + await database.read(lambda connection: _left(connection, mark))
        if total == done:
            await database.write(lambda c: c.execute(update(installation).values(sealed_with=cipher.key)))
            return Rekeyed(documents=done, key=cipher.key)
        for each in SEALED:
            last: tuple[Any, ...] | None = None
            while True:
                found, last = await database.write(_batch(database, each, mark, last))
                done += found
                if last is None:
                    break
                progress(done, max(done, total))
    raise StoreUnavailableError(
        "Another process keeps storing documents under an older key, or in the clear.",
        mend="Give every process the new key as `store.key_file`, restart it, then run this command again.",
    )


def _left(connection: Connection, mark: str) -> int:
    return sum(
        connection.scalar(select(func.count()).select_from(each.table).where(_not_under(each, mark))) or 0
        for each in SEALED
    )


def _not_under(each: Sealed, mark: str) -> ColumnElement[bool]:
    columns = [each.table.c[name] for name in each.documents]
    return or_(*(and_(column.is_not(None), ~column.startswith(mark, autoescape=True)) for column in columns))


def _batch(
    database: Database, each: Sealed, mark: str, last: tuple[Any, ...] | None
) -> Callable[[Connection], tuple[int, tuple[Any, ...] | None]]:
    """The transaction that seals the next rows after `last`; gives how many, and the last one of them."""
    row_key = [each.table.c[name] for name in each.row]
    query = (
        select(*row_key, *(each.table.c[name] for name in each.documents))
        .where(_not_under(each, mark))
        .order_by(*row_key)
        .limit(_BATCH)
        .with_for_update()
    )
    if last is not None:
        query = query.where(tuple_(*row_key) > tuple_(*last))

    def sealed(connection: Connection) -> tuple[int, tuple[Any, ...] | None]:
        rows = connection.execute(query).all()
        for row in rows:
            key = tuple(row)[: len(row_key)]
            values = {
                name: database.documents.resealed(text, each.table.c[name], *key)
                for name in each.documents
                if (text := getattr(row, name)) is not None
            }
            where = [column == value for column, value in zip(row_key, key, strict=True)]
            connection.execute(update(each.table).where(*where).values(**values))
        return len(rows), tuple(rows[-1])[: len(row_key)] if rows else None

    return sealed
