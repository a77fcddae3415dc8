"""The ledger in a database: an append-only table (its triggers refuse anything else) and the row of its head."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from careplan_exchange.errors import ConfigurationError
from careplan_exchange.model import chain
from careplan_exchange.model.chain import Head, Mark, Settled, Walk
from careplan_exchange.model.ledger import Entry, Link, Verdict
from careplan_exchange.model.seals import Seal
from careplan_exchange.ports import Progress

from . import refusals
from .database import Database
from .documents import from_text, to_text
from .tables import ledger, ledger_head, ledger_seals
from .together import Together

_PAGE = 1000
_BROKEN = "Run `careplan audit verify`: somebody changed the ledger. Keep the database as it is, for evidence."

_SQLITE_TRIGGER = "careplan_ledger_no_delete"
_POSTGRESQL_TRIGGER = "careplan_ledger_no_change"


class SqlLedger:
    """ports.Ledger. What the chain can and cannot show is said in model/chain.py."""

    def __init__(self, database: Database, tenant: str = chain.DEFAULT_TENANT) -> None:
        self._database = database
        self._tenant = tenant
        self._start = chain.start_of(tenant)
        self._appends: Together[Sequence[Settled], tuple[Link, ...]] = Together(self._append_all)

    @property
    def tenant(self) -> str:
        return self._tenant

    async def append(self, entries: Sequence[Entry]) -> tuple[Link, ...]:
        """As the port; all of `entries` or none. Raises ConfigurationError where the head and the entries do not
        fit together any more."""
        if not entries:
            return ()
        # What is no JSON is refused here, so that it spoils nobody else's append.
        return await self._appends.do([chain.settle(entry) for entry in entries])

    async def links(
        self, *, exchange: str | None = None, after: int = 0, limit: int | None = None
    ) -> tuple[Link, ...]:
        query = self._entries(after).limit(limit)
        if exchange is not None:
            query = query.where(ledger.c.exchange == exchange)
        return await self._database.read(lambda connection: tuple(map(_link, connection.execute(query))))

    async def head(self) -> Head:
        """As the port. Raises ConfigurationError where the head is lost."""
        return await self._database.read(self._kept_head)

    async def verify(
        self,
        *,
        start: Head | None = None,
        since: Head | None = None,
        marks: Sequence[Mark] = (),
        progress: Progress | None = None,
    ) -> Verdict:
        """As the port, in pages, over one state of the database; the head must be the last entry."""
        start = start or self._start
        return await self._database.read(
            lambda connection: self._verified(connection, start, since, marks, progress)
        )

    async def seals(self, *, newest: int | None = None) -> tuple[Seal, ...]:
        """As the port. One that cannot be read raises StoreVersionError."""
        query = (
            select(ledger_seals.c.document)
            .where(ledger_seals.c.tenant == self._tenant)
            .order_by(ledger_seals.c.place.desc())
            .limit(newest)
        )
        found = await self._database.read(
            lambda connection: [from_text(text, Seal) for text in connection.scalars(query)]
        )
        return tuple(reversed(found))

    async def add_seal(self, seal: Seal) -> None:
        await self._database.write(lambda connection: self._sealed(connection, "head", seal))

    async def remove(self, tombstone: Seal) -> int:
        """As the port. On PostgreSQL only the owner of the tables may: anybody else gets ConfigurationError."""
        return await self._database.write(lambda connection: self._removed(connection, tombstone))

    def _entries(self, after: int) -> Select[Any]:
        return select(ledger).where(ledger.c.tenant == self._tenant, ledger.c.seq > after).order_by(ledger.c.seq)

    async def _append_all(self, appends: Sequence[Sequence[Settled]]) -> Sequence[tuple[Link, ...]]:
        return await self._database.write(lambda connection: self._appended(connection, appends))

    def _appended(
        self, connection: Connection, appends: Sequence[Sequence[Settled]]
    ) -> Sequence[tuple[Link, ...]]:
        # Whoever else appends waits here: at this row on PostgreSQL, at BEGIN IMMEDIATE on SQLite.
        last = self._head_row(connection, lock=True) or self._begun(connection)
        rows: list[dict[str, object]] = []
        results = []
        for entries in appends:
            links = []
            for settled in entries:
                links.append(link := chain.place(last, settled))
                rows.append(self._row(link, settled.text))
                last = Head(seq=link.seq, hash=link.hash)
            results.append(tuple(links))
        try:
            connection.execute(insert(ledger), rows)
        except IntegrityError:
            raise ConfigurationError("The ledger goes on past its head.", mend=_BROKEN) from None
        connection.execute(
            update(ledger_head).where(ledger_head.c.tenant == self._tenant).values(seq=last.seq, hash=last.hash)
        )
        return results

    def _begun(self, connection: Connection) -> Head:
        """The head of a tenant who has none yet; two processes may begin at once."""
        self._database.serialise(connection, "ledger", self._tenant)
        if (head := self._head_row(connection, lock=True)) is not None:
            return head
        head = self._kept_head(connection)
        connection.execute(insert(ledger_head).values(tenant=self._tenant, seq=head.seq, hash=head.hash))
        return head

    def _kept_head(self, connection: Connection) -> Head:
        head = self._head_row(connection)
        if head is None and self._was_begun(connection):
            raise ConfigurationError("The ledger has lost its head.", mend=_BROKEN)
        return head or self._start

    def _was_begun(self, connection: Connection) -> bool:
        """Whether this tenant has a chain. The default tenant has one from the first."""
        if self._tenant == chain.DEFAULT_TENANT:
            return True
        rows = [select(table.c.seq).where(table.c.tenant == self._tenant) for table in (ledger, ledger_seals)]
        return any(connection.execute(query.limit(1)).first() is not None for query in rows)

    def _head_row(self, connection: Connection, *, lock: bool = False) -> Head | None:
        query = select(ledger_head.c.seq, ledger_head.c.hash).where(ledger_head.c.tenant == self._tenant)
        row = connection.execute(query.with_for_update() if lock else query).one_or_none()
        return None if row is None else Head(seq=row.seq, hash=row.hash)

    def _verified(
        self,
        connection: Connection,
        start: Head,
        since: Head | None,
        marks: Sequence[Mark],
        progress: Progress | None,
    ) -> Verdict:
        head = self._head_row(connection)
        begin = since if since is not None and since.seq > start.seq else start
        walk = Walk(begin, marks)
        below = select(ledger.c.seq).where(ledger.c.tenant == self._tenant, ledger.c.seq <= start.seq).limit(1)
        if connection.execute(below).first() is not None:
            walk.break_at(start.seq + 1, "An entry stands before the first.")
        if begin is since:
            one = select(ledger.c.hash).where(ledger.c.tenant == self._tenant, ledger.c.seq == since.seq)
            walk.stand_on(connection.scalar(one))
        while walk.problem is None:
            page = connection.execute(self._entries(walk.seq).limit(_PAGE)).all()
            for seq, exchange, entry, previous, digest, _ in page:
                if not walk.step(seq, previous, digest, entry.encode(), exchange):
                    break
            if progress is not None:
                progress(walk.seq, max(walk.seq, head.seq if head else 0))
            if len(page) < _PAGE:
                break
        if walk.problem is None and head is None and self._was_begun(connection):
            walk.break_at(walk.seq, "The head is missing.")
        return walk.close(head)

    def _sealed(self, connection: Connection, kind: str, seal: Seal) -> None:
        connection.execute(
            insert(ledger_seals).values(
                tenant=self._tenant, kind=kind, seq=seal.statement.seq, document=to_text(seal)
            )
        )

    def _removed(self, connection: Connection, seal: Seal) -> int:
        self._head_row(connection, lock=True)  # nobody appends meanwhile, and nobody else removes
        told = refusals.tombstone_in(seal)
        refusals.must_cover(told, self._after(connection, 0), self._after(connection, told.seq - 1))
        with _allowed(connection):
            gone = connection.execute(
                delete(ledger).where(ledger.c.tenant == self._tenant, ledger.c.seq <= told.seq)
            )
        self._sealed(connection, "tombstone", seal)
        return gone.rowcount

    def _after(self, connection: Connection, seq: int) -> Link | None:
        row = connection.execute(self._entries(seq).limit(1)).one_or_none()
        return None if row is None else _link(row)

    def _row(self, link: Link, text: bytes) -> dict[str, object]:
        return {
            "tenant": self._tenant,
            "seq": link.seq,
            "exchange": link.entry.exchange,
            "entry": text.decode(),
            "previous": link.previous,
            "hash": link.hash,
        }


@contextmanager
def _allowed(connection: Connection) -> Iterator[None]:
    """For this statement of this transaction nothing forbids to delete; where it fails, all of it is undone."""
    if connection.dialect.name == "sqlite":
        query = text("SELECT sql FROM sqlite_master WHERE type = 'trigger' AND name = :name")
        trigger = connection.scalar(query, {"name": _SQLITE_TRIGGER})
        if trigger is None:
            raise ConfigurationError("The ledger has lost the trigger that protects it.", mend=_BROKEN)
        before, after = f"DROP TRIGGER {_SQLITE_TRIGGER}", str(trigger)
    else:
        change = f"ALTER TABLE careplan_ledger {{}} TRIGGER {_POSTGRESQL_TRIGGER}"
        before, after = change.format("DISABLE"), change.format("ENABLE")
    connection.exec_driver_sql(before)
    yield
    connection.exec_driver_sql(after)


def _link(row: Row[Any]) -> Link:
    return Link(seq=row.seq, entry=from_text(row.entry, Entry), previous=row.previous, hash=row.hash)
