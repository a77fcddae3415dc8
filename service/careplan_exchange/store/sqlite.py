"""SQLite: how the file is made, how every connection is set, what is checked before it migrates itself.

The reasons stand in docs/decisions/0005-store-engines.md.
"""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event
from sqlalchemy.dialects import sqlite
from sqlalchemy.pool import QueuePool

from careplan_exchange.errors import ConfigurationError, StoreUnavailableError

from . import schema
from .address import FileAddress
from .database import Database, T, Work, to_the_end
from .faults import translated
from .locks import FileLocks, Locks, TaskLocks

BUSY_SECONDS = 10.0
"""How long a statement waits for another process to end its write."""

_OPENING_SECONDS = 60.0

_CONNECTIONS = 5

SETTINGS = (
    "PRAGMA synchronous = FULL",  # an intent must outlive a power loss
    "PRAGMA fullfsync = ON",  # the same on macOS, where fsync alone does not reach the disk
    "PRAGMA temp_store = MEMORY",  # no clinical data in temporary files
    "PRAGMA trusted_schema = OFF",
)


class SqliteDatabase(Database):
    """A transaction runs in a thread of its own pool. SQLite has one writer at a time and makes the others poll:
    those of this process queue before it."""

    def __init__(self, engine: Engine, threads: ThreadPoolExecutor, locks: Locks, label: str) -> None:
        super().__init__(locks, label)
        self._reader, self._writer = engine, engine.execution_options(careplan_write=True)
        self._threads = threads
        self._turn = asyncio.Lock()

    @to_the_end
    async def read(self, work: Work[T]) -> T:
        return await self._run(self._reader, work)

    @to_the_end
    async def write(self, work: Work[T]) -> T:
        async with self._turn:
            return await self._run(self._writer, work)

    async def _run(self, engine: Engine, work: Work[T]) -> T:
        def transaction() -> T:
            with translated(self.label), engine.begin() as connection:
                return work(connection)

        return await asyncio.get_running_loop().run_in_executor(self._threads, transaction)

    def insert(self, table: Table) -> Any:
        return sqlite.insert(table)

    def fence(self, connection: Connection, *key: str) -> None:
        """Nothing to do: `flock` cannot be taken from a process that lives."""

    def serialise(self, connection: Connection, *key: str) -> None:
        """Nothing to do: a transaction that writes has the whole file to itself."""


@asynccontextmanager
async def opened(address: FileAddress, lock_seconds: float) -> AsyncIterator[Database]:
    """The database, in WAL mode and of the current version: a new one is made, an older one migrated."""
    if address.path is None:
        async with _database(":memory:", TaskLocks(lock_seconds), address.label, connections=1) as database:
            await _bring_up(database)
            yield database
        return
    path = address.path.absolute()
    folder = path.with_name(f"{path.name}.locks")
    with translated(address.label):
        _create(path, folder)
    opening = FileLocks(folder, _OPENING_SECONDS, address.label)
    locks = FileLocks(folder, lock_seconds, address.label)
    async with _database(str(path), locks, address.label, connections=_CONNECTIONS) as database:
        async with opening.hold("open"):
            await asyncio.to_thread(_use_wal, path, address.label)
            if await database.read(lambda connection: schema.state_of(connection, address.label)) == "older":
                with translated(address.label):
                    await asyncio.to_thread(_check_and_copy, path, address.label)
            await _bring_up(database)
        yield database


async def look(address: FileAddress) -> tuple[schema.State, str | None]:
    """The state and revision of a file, which is neither made nor changed."""
    path = address.path
    if path is None or not path.exists() or path.stat().st_size == 0:
        return "empty", None
    with translated(address.label), path.open("rb"):
        pass  # a folder, or a file that may not be read, says so itself; SQLite would not
    locks = TaskLocks(BUSY_SECONDS)
    async with _database(str(path.absolute()), locks, address.label, connections=1) as database:
        return await database.read(lambda connection: schema.look(connection, address.label))


async def wipe(address: FileAddress) -> None:
    """The file written anew and the journal emptied: what was deleted or written over is gone from both. Raises
    StoreUnavailableError where another process is in the middle of something."""
    path = address.path
    if path is not None:
        await asyncio.to_thread(_wipe, path, address.label)


def _wipe(path: Path, label: str) -> None:
    with translated(label), closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as connection:
        connection.execute("VACUUM")
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise StoreUnavailableError(
            f"Everything is sealed, but the journal of {label} still holds what was there before: it is in use.",
            mend="Run the same command again when no exchange is running.",
        )


@asynccontextmanager
async def _database(path: str, locks: Locks, label: str, *, connections: int) -> AsyncIterator[Database]:
    engine = create_engine(
        URL.create("sqlite", database=path),
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
        poolclass=QueuePool,
        pool_size=connections,
        max_overflow=0,
        hide_parameters=True,
    )
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin)
    with ThreadPoolExecutor(connections, thread_name_prefix="careplan-store") as threads:
        try:
            yield SqliteDatabase(engine, threads, locks, label)
        finally:
            engine.dispose()


def _set_up(connection: Any, _: Any) -> None:
    # The driver would begin transactions by itself, late and never IMMEDIATE: _begin does it.
    connection.isolation_level = None
    cursor = connection.cursor()
    for setting in SETTINGS:
        cursor.execute(setting)
    cursor.close()


def _begin(connection: Connection) -> None:
    """A writer takes the write lock at once: one that began by reading could be refused half-way (SQLITE_BUSY,
    without waiting)."""
    writes = connection.get_execution_options().get("careplan_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _create(path: Path, folder: Path) -> None:
    """The file, readable by its owner alone from its first moment (SQLite gives -wal and -shm the same mode)."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        with path.open("r+b"):
            pass
    folder.mkdir(mode=0o700, exist_ok=True)


def _use_wal(path: Path, label: str) -> None:
    # Outside any transaction, because the mode cannot be changed inside one.
    with translated(label), closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")


async def _bring_up(database: Database) -> None:
    def upgraded(connection: Connection) -> None:
        if schema.state_of(connection, database.label) != "current":
            schema.upgrade(connection)

    await database.write(upgraded)


def _check_and_copy(path: Path, label: str) -> None:
    """Before a migration: the file is whole, and a copy of it as it is stands beside it."""
    with closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as source:
        if source.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            raise ConfigurationError(
                f"{label[0].upper()}{label[1:]} is damaged, and was not migrated.",
                mend="Keep a copy of the file as it is, then restore the last backup or use SQLite's `.recover`.",
            )
        copy = path.with_name(f"{path.name}.before-{schema.REVISIONS[-1]}")
        fresh = path.with_name(f"{copy.name}.part")
        fresh.unlink(missing_ok=True)
        os.close(os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        with closing(sqlite3.connect(fresh)) as target:
            source.backup(target)
        fresh.replace(copy)
