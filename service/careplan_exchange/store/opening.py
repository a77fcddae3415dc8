"""Opening the store, looking at it, migrating it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

from careplan_exchange.model.chain import DEFAULT_TENANT
from careplan_exchange.ports import Ledger, Outbox, PlanStore

from . import postgres, schema, sqlite
from .address import FileAddress, address_of
from .cipher import Keys
from .installation import unlock
from .leases import LEASE_SECONDS
from .ledger import SqlLedger
from .outbox import SqlOutbox
from .plans import SqlPlanStore
from .rekey import Progress, Rekeyed, rekey

LOCK_SECONDS = 300.0
"""How long an exchange waits for another one of the same patient: longer than any exchange that still moves."""


@dataclass(frozen=True)
class Store:
    """`sealed_with` is the id of the key under which every document stands; None: they may stand in the clear."""

    plans: PlanStore
    ledger: Ledger
    outbox: Outbox
    sealed_with: str | None = None


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
    url: str,
    *,
    password: str | None = None,
    keys: Keys | None = None,
    lock_seconds: float = LOCK_SECONDS,
    lease_seconds: float = LEASE_SECONDS,
    tenant: str = DEFAULT_TENANT,
) -> AsyncIterator[Store]:
    """The store at `url` (see address.address_of), open until the block ends; the ledger is `tenant`'s.

    An empty database is made ready. An older SQLite file migrates itself, after a check and with a copy beside
    it; an older PostgreSQL raises StoreVersionError until `migrate` was run; a newer one of either raises it
    always. A patient's lock is waited for `lock_seconds`, then StoreUnavailableError; on PostgreSQL a holder that
    was silent for `lease_seconds` loses it. With `keys` what is clinical is sealed (installation.unlock). Raises
    SettingsError (URL), ConfigurationError (rights, not a database, damaged, unknown database or password, no key
    for it), StoreUnavailableError (locked, full, not reachable).
    """
    address = address_of(url, password=password)
    if isinstance(address, FileAddress):
        async with sqlite.opened(address, lock_seconds) as database:
            sealed_with = await unlock(database, keys)
            yield Store(SqlPlanStore(database), SqlLedger(database, tenant), SqlOutbox(database), sealed_with)
    else:
        async with postgres.opened(address, lock_seconds, lease_seconds) as database:
            await postgres.bring_up(database, migrate=False)
            sealed_with = await unlock(database, keys)
            yield Store(SqlPlanStore(database), SqlLedger(database, tenant), SqlOutbox(database), sealed_with)


async def migrate(url: str, *, password: str | None = None) -> str:
    """Bring the database to the current version, and return its revision. Raises as `open_store` does."""
    address = address_of(url, password=password)
    if isinstance(address, FileAddress):
        async with sqlite.opened(address, LOCK_SECONDS):
            return schema.REVISIONS[-1]
    async with postgres.opened(address, LOCK_SECONDS) as database:
        return await postgres.bring_up(database, migrate=True)


async def reseal(
    url: str, *, keys: Keys, password: str | None = None, progress: Progress = lambda _done, _total: None
) -> Rekeyed:
    """Seal everything that is clinical with `keys.current` (rekey.py), also while others work on the database; of
    a SQLite file no page is left then that held something else. Raises as `open_store` and `rekey` do."""
    address = address_of(url, password=password)
    if isinstance(address, FileAddress):
        async with sqlite.opened(address, LOCK_SECONDS) as database:
            await unlock(database, keys)
            done = await rekey(database, progress)
        await sqlite.wipe(address)
        return done
    async with postgres.opened(address, LOCK_SECONDS) as database:
        await postgres.bring_up(database, migrate=False)
        await unlock(database, keys)
        return await rekey(database, progress)


async def look(url: str, *, password: str | None = None) -> StoreFacts:
    """What is there now; makes and changes nothing. Raises as `open_store` does, but not for an older one."""
    address = address_of(url, password=password)
    if isinstance(address, FileAddress):
        state, revision = await sqlite.look(address)
        return StoreFacts("sqlite", address.label, state, revision, schema.REVISIONS[-1])
    async with postgres.opened(address, LOCK_SECONDS) as database:
        state, revision = await database.read(lambda connection: schema.look(connection, address.label))
        return StoreFacts("postgresql", address.label, state, revision, schema.REVISIONS[-1])
