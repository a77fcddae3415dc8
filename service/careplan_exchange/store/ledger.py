"""The ledger in a database: an append-only table (its triggers refuse anything else) and the row of its head."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection, Row, func, select, update
from sqlalchemy.exc import IntegrityError

from careplan_exchange.errors import ConfigurationError
from careplan_exchange.model import chain
from careplan_exchange.model.chain import Head
from careplan_exchange.model.ledger import Entry, Link, Verdict

from .database import Database
from .documents import from_text, to_text
from .tables import ledger, ledger_head

_PAGE = 500
_BROKEN = "Run `careplan audit verify`: somebody changed the ledger. Keep the database as it is, for evidence."


class SqlLedger:
    """ports.Ledger. What the chain can and cannot show is said in model/chain.py."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, entries: Sequence[Entry]) -> tuple[Link, ...]:
        """As the port; all of `entries` or none. Raises ConfigurationError where the head and the entries do not
        fit together any more."""
        if not entries:
            return ()
        return await self._database.write(lambda connection: _appended(connection, entries))

    async def links(
        self, *, exchange: str | None = None, after: int = 0, limit: int | None = None
    ) -> tuple[Link, ...]:
        query = select(ledger).where(ledger.c.seq > after).order_by(ledger.c.seq).limit(limit)
        if exchange is not None:
            query = query.where(ledger.c.exchange == exchange)
        return await self._database.read(lambda connection: tuple(map(_link, connection.execute(query))))

    async def verify(self) -> Verdict:
        """As the port, in pages, over one state of the database; the head must be the last entry."""
        return await self._database.read(_verified)


def _appended(connection: Connection, entries: Sequence[Entry]) -> tuple[Link, ...]:
    # Whoever else appends waits here: at this row on PostgreSQL, at BEGIN IMMEDIATE on SQLite.
    head = _head(connection, lock=True)
    if head is None:
        raise ConfigurationError("The ledger has lost its head.", mend=_BROKEN)
    links, last = [], head
    for entry in entries:
        links.append(chain.link(last.hash, last.seq + 1, entry))
        last = Head(seq=links[-1].seq, hash=links[-1].hash)
    try:
        connection.execute(ledger.insert(), [_row(link) for link in links])
    except IntegrityError:
        raise ConfigurationError("The ledger goes on past its head.", mend=_BROKEN) from None
    connection.execute(update(ledger_head).values(seq=last.seq, hash=last.hash))
    return tuple(links)


def _verified(connection: Connection) -> Verdict:
    verdict, head = chain.START, _head(connection)
    while verdict.problem is None:
        after = verdict.entries
        page = connection.execute(
            select(ledger).where(ledger.c.seq > after).order_by(ledger.c.seq).limit(_PAGE)
        ).all()
        for row in page:
            verdict = _followed(verdict, row)
        if len(page) < _PAGE:
            break
    below = connection.scalar(select(func.count()).select_from(ledger).where(ledger.c.seq < 1))
    if verdict.problem is None and below:
        return chain.broken(verdict, 1, "An entry stands before the first.")
    if head is None:
        return verdict if verdict.problem else chain.broken(verdict, verdict.entries, "The head is missing.")
    return chain.close(verdict, head)


def _followed(verdict: Verdict, row: Row[tuple[object, ...]]) -> Verdict:
    try:
        link = _link(row)
    except msgspec.MsgspecError:
        return verdict if verdict.problem else chain.broken(verdict, row.seq, f"Entry {row.seq} cannot be read.")
    after = chain.follow(verdict, (link,))
    if after.problem is None and (row.entry != to_text(link.entry) or row.exchange != link.entry.exchange):
        # The chain covers the entry; the text may hold more than the entry, and the column is a copy of it.
        return chain.broken(verdict, row.seq, f"Entry {row.seq} was altered beside its content.")
    return after


def _head(connection: Connection, *, lock: bool = False) -> Head | None:
    query = select(ledger_head.c.seq, ledger_head.c.hash)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    return None if row is None else Head(seq=row.seq, hash=row.hash)


def _row(link: Link) -> dict[str, object]:
    return {
        "seq": link.seq,
        "exchange": link.entry.exchange,
        "entry": to_text(link.entry),
        "previous": link.previous,
        "hash": link.hash,
    }


def _link(row: Row[tuple[object, ...]]) -> Link:
    return Link(seq=row.seq, entry=from_text(row.entry, Entry), previous=row.previous, hash=row.hash)
