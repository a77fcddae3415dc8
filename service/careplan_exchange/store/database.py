"""A database that is open: transactions that read, transactions that write, locks by patient."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from sqlalchemy import Table, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from .faults import translated
from .locks import Locks, TaskLocks, digest

P = ParamSpec("P")
T = TypeVar("T")


def to_the_end(work: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """A transaction that was begun ends, also where its caller is cancelled; the cancellation goes on after it.

    A statement runs in a thread or on a server, and goes on there when its await is cancelled. Its connection,
    given up at that moment, could keep SQLite's write lock for good.
    """

    @wraps(work)
    async def run(*args: P.args, **kwargs: P.kwargs) -> T:
        task = asyncio.create_task(work(*args, **kwargs))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            while not task.done():
                with suppress(asyncio.CancelledError):
                    await asyncio.wait([task])
            if not task.cancelled():
                task.exception()  # looked at, so that nobody is told of an error that nobody waits for
            raise

    return run


class Database:
    """One engine of either kind, behind one face. `label` names it for a person, in errors."""

    def __init__(self, engine: AsyncEngine, locks: Locks, label: str, *, write_turn: TaskLocks | None) -> None:
        self.label = label
        self._locks = locks
        self._write_turn = write_turn
        if engine.dialect.name == "sqlite":
            self._reader, self._writer = engine, engine.execution_options(careplan_write=True)
        else:
            # One snapshot for all statements of a reading transaction, as SQLite gives anyway.
            self._reader, self._writer = engine.execution_options(isolation_level="REPEATABLE READ"), engine

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that sees one state of the database throughout."""
        with translated(self.label):
            async with self._reader.connect() as connection, connection.begin():
                yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that is durable when the block has ended, or did not happen where it raised."""
        with translated(self.label):
            if self._write_turn is None:
                async with self._writer.begin() as connection:
                    yield connection
            else:
                # SQLite has one writer at a time and makes the others poll: queue them where that can be done.
                async with self._write_turn.turn(), self._writer.begin() as connection:
                    yield connection

    def hold(self, *key: str) -> AbstractAsyncContextManager[None]:
        return self._locks.hold(*key)

    def insert(self, table: Table) -> Any:
        """INSERT of this engine, with `on_conflict_do_update` and `on_conflict_do_nothing`."""
        return sqlite.insert(table) if self._reader.dialect.name == "sqlite" else postgresql.insert(table)

    async def serialise(self, connection: AsyncConnection, *key: str) -> None:
        """Until this writing transaction ends, every other that names `key` waits here."""
        if connection.dialect.name == "postgresql":
            number = int.from_bytes(digest(*key)[:8], signed=True)
            await connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": number})
