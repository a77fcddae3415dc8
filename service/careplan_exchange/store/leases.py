"""A lease beside PostgreSQL's advisory lock, which the living renew and the dead cannot hold.

The advisory lock ends with its session. That is not enough: a machine that lost its power or its network, or a
process that was stopped, may keep its session for minutes or for good. So the holder writes a row with a token of
its own, and renews it on the same session. Who waits ends the session of a holder that has not renewed in time,
by the database's clock, and takes the lock. The token is checked in the transaction of everything that is stored
under the lock (Database.fence): a holder that wakes up later cannot begin a write, nor end one in the store.

Only the database's clock counts. A holder renews by a clock that no one can set.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg

from careplan_exchange.errors import StoreUnavailableError

LEASE_SECONDS = 30.0
"""How long a holder may be silent: longer than any pause of a process that works, shorter than a person waits."""

_NOW = "extract(epoch FROM clock_timestamp())"

_TAKE = f"""
INSERT INTO careplan_lease (key, token, session, until) VALUES ($1, $2, pg_backend_pid(), {_NOW} + $3)
ON CONFLICT (key) DO UPDATE SET token = excluded.token, session = excluded.session, until = excluded.until
"""  # noqa: S608 - constants
_RENEW = f"UPDATE careplan_lease SET until = {_NOW} + $3 WHERE key = $1 AND token = $2"  # noqa: S608 - constants
_GIVE_BACK = "DELETE FROM careplan_lease WHERE key = $1 AND token = $2"
# The session that holds the lock must be the one that wrote the row: nobody else's is ended, also where the lock
# has just changed hands. A lock's 64-bit key stands in pg_locks as two halves.
_END_SILENT = f"""
SELECT pg_terminate_backend(l.session) FROM careplan_lease l JOIN pg_locks k ON k.pid = l.session
WHERE l.key = $1 AND l.until < {_NOW} AND k.locktype = 'advisory' AND k.granted AND k.objsubid = 1
  AND k.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND k.classid::bigint = ($2::bigint >> 32) & 4294967295 AND k.objid::bigint = $2::bigint & 4294967295
"""  # noqa: S608 - constants


def settings(seconds: float) -> dict[str, str]:
    """Of a session that takes leases of so many seconds: how long it waits before it looks whether a holder is
    silent; and a lease need not outlive the server, since every session, and every lock, ends with it."""
    return {"lock_timeout": str(max(50, round(seconds * 250))), "synchronous_commit": "off"}


async def take(connection: Any, key: str, number: int, seconds: float) -> str:
    """Waits for the advisory lock `number`, ends the session of a holder that has been silent for `seconds`, and
    leaves the row of a new holder, whose token it returns."""
    token = uuid.uuid4().hex
    while True:
        with suppress(asyncpg.LockNotAvailableError):
            await connection.execute("SELECT pg_advisory_lock($1)", number)
            break
        await connection.execute(_END_SILENT, key, number)
    while True:
        # A holder that was stopped inside a transaction keeps the row until the server ends its idle transaction.
        with suppress(asyncpg.LockNotAvailableError):
            await connection.execute(_TAKE, key, token, seconds)
            return token


@asynccontextmanager
async def kept(connection: Any, key: str, token: str, seconds: float) -> AsyncIterator[None]:
    """Renews the lease until the block ends, then gives it back. A renewal that finds another holder, or hears
    nothing from the database, breaks the session: its termination listener tells the holder."""

    async def renew() -> None:
        while True:
            await asyncio.sleep(seconds / 3)
            try:
                done = await connection.execute(_RENEW, key, token, seconds, timeout=seconds / 3)
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
                done = ""
            if done != "UPDATE 1":
                connection.terminate()
                return

    renewing = asyncio.create_task(renew())
    try:
        yield
    finally:
        renewing.cancel()
        await asyncio.wait([renewing])
        # The lock ends with the session in any case, and the next holder writes its own token over this one.
        with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
            await connection.execute(_GIVE_BACK, key, token, timeout=seconds / 3)


def lost(label: str) -> StoreUnavailableError:
    return StoreUnavailableError(
        f"This run was silent for so long that another one took over this patient ({label}).",
        mend="Repeat the command: what was begun is settled before anything is sent again.",
    )
