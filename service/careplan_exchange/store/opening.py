"""Opening the store, looking at it, migrating it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

from careplan_exchange.ports import Ledger, PlanStore

from . import postgres, schema, sqlite
from .address import FileAddress, address_of
from .ledger import SqlLedger
from .plans import SqlPlanStore

LOCK_SECONDS = 300.0
"""How long an exchange waits for another one of the same patient: longer than any exchange that still moves."""


@dataclass(frozen=True)
class Store:
    plans: PlanStore
    ledger: Ledger


@dataclass(frozen=True)
class StoreFacts:
    """What `careplan doctor` says of the database. `revision` is None where it is empty or not yet there."""

    engine: Literal["sqlite", "postgresql"]
    place: str
    state: schema.State
    revision: str | None
    expected: str


@asynccontextmanager
async def open_store(
    url: str, *, password: str | None = None, lock_seconds: float = LOCK_SECONDS
) -> AsyncIterator[Store]:
    """The store at `url` (see address.address_of), open until the block ends.

    An empty database is made ready. An older SQLite file migrates itself, after a check and with a copy beside
    it; an older PostgreSQL raises StoreVersionError until `migrate` was run; a newer one of either raises it
    always. A patient's lock is waited for `lock_seconds`, then StoreUnavailableError. Raises SettingsError (URL),
    ConfigurationError (rights, not a database, damaged, unknown database or password), StoreUnavailableError
    (locked, full, not reachable).
    """
    address = address_of(url, password=password)
    if isinstance(address, FileAddress):
        async with sqlite.opened(address, lock_seconds) as database:
            yield Store(SqlPlanStore(database), SqlLedger(database))
    else:
        async with postgres.opened(address, lock_seconds) as database:
            await postgres.bring_up(database, migrate=False)
            yield Store(SqlPlanStore(database), SqlLedger(database))


async def migrate(url: str, *, password: str | None = None) -> str:
    """Bring the database to the current version, and return its revision. Raises as `open_store` does."""
    address = address_of(url, password=password)
    if isinstance(address, FileAddress):
        async with sqlite.opened(address, LOCK_SECONDS):
            return schema.REVISIONS[-1]
    async with postgres.opened(address, LOCK_SECONDS) as database:
        return await postgres.bring_up(database, migrate=True)


async def look(url: str, *, password: str | None = None) -> StoreFacts:
    """What is there now; makes and changes nothing. Raises as `open_store` does, but not for an older one."""
    address = address_of(url, password=password)
    if isinstance(address, FileAddress):
        state, revision = await sqlite.look(address)
        return StoreFacts("sqlite", address.label, state, revision, schema.REVISIONS[-1])
    async with postgres.opened(address, LOCK_SECONDS) as database:
        state, revision = await database.read(lambda connection: schema.look(connection, address.label))
        return StoreFacts("postgresql", address.label, state, revision, schema.REVISIONS[-1])
