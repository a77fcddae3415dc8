"""PostgreSQL, through asyncpg, with URLs as libpq takes them (`sslmode`, `sslrootcert`, several hosts).

The reasons for the settings stand in docs/decisions/0005-store-engines.md.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from sqlalchemy import Connection, Table, select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from careplan_exchange.errors import StoreVersionError

from . import schema
from .address import ServerAddress
from .database import Database, T, Work, to_the_end
from .faults import translated
from .leases import LEASE_SECONDS, lost
from .leases import settings as lease_settings
from .locks import SessionLocks, digest, name_of
from .tables import leases

_CONNECT_SECONDS = 10.0
_STATEMENT_SECONDS = 60.0

_SESSION = {
    "application_name": "careplan-exchange",
    "synchronous_commit": "on",  # an intent must outlive a power loss, also where the server is set to be quick
    # A machine that dies takes no leave: the server notices within a minute, and frees its locks.
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
    # A process that was stopped inside a transaction does not keep its rows from the others.
    "idle_in_transaction_session_timeout": "30000",
}


class PostgresDatabase(Database):
    def __init__(self, engine: AsyncEngine, locks: SessionLocks, label: str) -> None:
        super().__init__(locks, label)
        self._sessions = locks
        # One snapshot for all statements of a reading transaction, as SQLite gives anyway.
        self._reader, self._writer = engine.execution_options(isolation_level="REPEATABLE READ"), engine

    @to_the_end
    async def read(self, work: Work[T]) -> T:
        with translated(self.label):
            async with self._reader.begin() as connection:
                return await connection.run_sync(work)

    @to_the_end
    async def write(self, work: Work[T]) -> T:
        with translated(self.label):
            async with self._writer.begin() as connection:
                return await connection.run_sync(work)

    def insert(self, table: Table) -> Any:
        return postgresql.insert(table)

    def fence(self, connection: Connection, *key: str) -> None:
        token = self._sessions.token(*key)
        if token is None:
            return
        there = select(leases.c.token).where(leases.c.key == name_of(*key)).with_for_update(read=True)
        if connection.scalar(there) != token:
            raise lost(self.label)

    def serialise(self, connection: Connection, *key: str) -> None:
        number = int.from_bytes(digest(*key)[:8], signed=True)
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": number})


@asynccontextmanager
async def opened(
    address: ServerAddress, lock_seconds: float, lease_seconds: float = LEASE_SECONDS
) -> AsyncIterator[Database]:
    """The database as it is; see `bring_up`."""

    async def connect(*_: Any, **__: Any) -> Any:
        return await asyncpg.connect(
            address.dsn,
            password=address.password,
            timeout=_CONNECT_SECONDS,
            command_timeout=_STATEMENT_SECONDS,
            server_settings=_SESSION,
        )

    async def connect_to_wait() -> Any:
        return await asyncpg.connect(
            address.dsn,
            password=address.password,
            timeout=_CONNECT_SECONDS,
            server_settings={**_SESSION, **lease_settings(lease_seconds)},
        )

    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=connect,
        pool_size=5,
        max_overflow=5,
        pool_timeout=300,
        pool_pre_ping=True,
        hide_parameters=True,
    )
    try:
        locks = SessionLocks(connect_to_wait, lock_seconds, address.label, lease_seconds)
        yield PostgresDatabase(engine, locks, address.label)
    finally:
        await engine.dispose()


async def bring_up(database: Database, *, migrate: bool) -> str:
    """Makes the tables of an empty database; migrates an older one only where `migrate` says so, because others
    may be working on it. Returns the revision. Raises StoreVersionError."""
    state = await database.read(lambda connection: schema.state_of(connection, database.label))
    if state == "current":
        return schema.REVISIONS[-1]
    if state == "older" and not migrate:
        raise StoreVersionError(
            f"In {database.label} the tables are of an older version than this code.",
            mend="Back the database up, stop every other careplan-exchange on it, and run `careplan doctor "
            "--migrate`.",
        )

    def upgraded(connection: Connection) -> str:
        database.serialise(connection, "migrate")
        # Another process may have done it while this one waited.
        if schema.state_of(connection, database.label) == "current":
            return schema.REVISIONS[-1]
        return schema.upgrade(connection)

    return await database.write(upgraded)
