"""SQLite: how the file is made, how every connection is set, what is checked before it migrates itself.

The reasons stand in docs/decisions/0005-store-engines.md.
"""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from careplan_exchange.errors import ConfigurationError

from . import schema
from .address import FileAddress
from .database import Database, to_the_end
from .faults import translated
from .locks import FileLocks, TaskLocks

BUSY_SECONDS = 10.0
"""How long a statement waits for another process to end its write."""

_OPENING_SECONDS = 60.0

SETTINGS = (
    "PRAGMA synchronous = FULL",  # an intent must outlive a power loss
    "PRAGMA fullfsync = ON",  # the same on macOS, where fsync alone does not reach the disk
    "PRAGMA temp_store = MEMORY",  # no clinical data in temporary files
    "PRAGMA trusted_schema = OFF",
)


@asynccontextmanager
async def opened(address: FileAddress, lock_seconds: float) -> AsyncIterator[Database]:
    """The database, in WAL mode and of the current version: a new one is made, an older one migrated."""
    if address.path is None:
        async with _engine(":memory:", connections=1) as engine:
            database = Database(engine, TaskLocks(lock_seconds), address.label, write_turn=None)
            await _bring_up(database)
            yield database
        return
    path = address.path.absolute()
    folder = path.with_name(f"{path.name}.locks")
    with translated(address.label):
        _create(path, folder)
    opening = FileLocks(folder, _OPENING_SECONDS, address.label)
    async with _engine(str(path), connections=5) as engine:
        locks = FileLocks(folder, lock_seconds, address.label)
        database = Database(engine, locks, address.label, write_turn=TaskLocks(lock_seconds))
        async with opening.hold("open"):
            await _use_wal(engine, address.label)
            if await _is_older(database):
                with translated(address.label):
                    await asyncio.to_thread(_check_and_copy, path, address.label)
            await _bring_up(database)
        yield database


@to_the_end
async def look(address: FileAddress) -> tuple[schema.State, str | None]:
    """The state and revision of a file, which is neither made nor changed."""
    path = address.path
    if path is None or not path.exists() or path.stat().st_size == 0:
        return "empty", None
    with translated(address.label), path.open("rb"):
        pass  # a folder, or a file that may not be read, says so itself; SQLite would not
    async with _engine(str(path.absolute()), connections=1) as engine:
        database = Database(engine, TaskLocks(BUSY_SECONDS), address.label, write_turn=None)
        async with database.read() as connection:
            state = await connection.run_sync(schema.state_of, database.label)
            return state, None if state == "empty" else await connection.run_sync(schema.revision_of)


@asynccontextmanager
async def _engine(path: str, *, connections: int) -> AsyncIterator[AsyncEngine]:
    engine = create_async_engine(
        URL.create("sqlite+aiosqlite", database=path),
        connect_args={"timeout": BUSY_SECONDS},
        poolclass=AsyncAdaptedQueuePool,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=300,
        hide_parameters=True,
    )
    event.listen(engine.sync_engine, "connect", _set_up)
    event.listen(engine.sync_engine, "begin", _begin)
    try:
        yield engine
    finally:
        await engine.dispose()


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


@to_the_end
async def _use_wal(engine: AsyncEngine, label: str) -> None:
    # Outside any transaction: the mode cannot be changed inside one, and SQLAlchemy would begin one.
    with translated(label):
        async with engine.connect() as connection:
            raw = (await connection.get_raw_connection()).driver_connection
            if raw is not None:
                cursor = await raw.execute("PRAGMA journal_mode = WAL")
                await cursor.close()


@to_the_end
async def _is_older(database: Database) -> bool:
    async with database.read() as connection:
        return await connection.run_sync(schema.state_of, database.label) == "older"


@to_the_end
async def _bring_up(database: Database) -> None:
    async with database.write() as connection:
        if await connection.run_sync(schema.state_of, database.label) != "current":
            await connection.run_sync(schema.upgrade)


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
