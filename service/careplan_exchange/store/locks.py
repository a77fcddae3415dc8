"""One holder at a time, per patient: among the tasks of a process, and among all processes on one store.

A waiter gives up after `seconds` with StoreUnavailableError. Nothing has to be cleaned up after a holder that
died: the operating system drops a file lock, PostgreSQL a session's lock, with the process or the connection.
"""

import asyncio
import fcntl
import hashlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol
from weakref import WeakValueDictionary

from careplan_exchange.errors import StoreUnavailableError

from . import leases
from .faults import translated

_FIRST_PAUSE, _LONGEST_PAUSE = 0.005, 0.1


class Locks(Protocol):
    def hold(self, *key: str) -> AbstractAsyncContextManager[None]:
        """Entered when nobody else holds `key`, here or in any process on the same store."""
        ...


def name_of(*key: str) -> str:
    """What stands for the key in files and rows."""
    return digest(*key).hex()[:40]


def digest(*key: str) -> bytes:
    """32 bytes that stand for the key, for file names and numbers that show no patient."""
    return hashlib.sha256("\x1f".join(key).encode()).digest()


class TaskLocks:
    """Among the tasks of one event loop, first come first served."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._locks: WeakValueDictionary[tuple[str, ...], asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def hold(self, *key: str) -> AsyncIterator[None]:
        async with AsyncExitStack() as held:
            async with waiting(self._seconds):
                await held.enter_async_context(self.turn(*key))
            yield

    @asynccontextmanager
    async def turn(self, *key: str) -> AsyncIterator[None]:
        """As `hold`, with no limit to the waiting."""
        lock = self._locks.get(key)
        if lock is None:
            lock = self._locks[key] = asyncio.Lock()
        async with lock:
            yield


class FileLocks:
    """Between processes of one machine, by `flock` on a file of its own in `folder`, removed when released.

    The folder must stand on a local disk, as the SQLite file beside it must.
    """

    def __init__(self, folder: Path, seconds: float, label: str) -> None:
        self._folder = folder
        self._seconds = seconds
        self._label = label
        self._tasks = TaskLocks(seconds)

    @asynccontextmanager
    async def hold(self, *key: str) -> AsyncIterator[None]:
        path = self._folder / f"{name_of(*key)}.lock"
        async with AsyncExitStack() as held:
            async with waiting(self._seconds):
                await held.enter_async_context(self._tasks.turn(*key))
                with translated(self._label):
                    descriptor = await _lock_file(path)
            held.callback(_unlock_file, path, descriptor)
            yield


class SessionLocks:
    """Between all processes on one PostgreSQL, by `pg_advisory_lock` on a connection that nothing else uses, with
    a lease beside it (leases.py).

    A connection that breaks while the lock is held has lost it: the holder is cancelled at its next await, and
    gets StoreUnavailableError.
    """

    def __init__(
        self, connect: Callable[[], Awaitable[Any]], seconds: float, label: str, lease_seconds: float
    ) -> None:
        self._connect = connect
        self._seconds = seconds
        self._label = label
        self._lease_seconds = lease_seconds
        self._tasks = TaskLocks(seconds)
        self._tokens: dict[str, str] = {}

    def token(self, *key: str) -> str | None:
        """Of the lease under which this process believes to hold `key`; None where it does not hold it."""
        return self._tokens.get(name_of(*key))

    @asynccontextmanager
    async def hold(self, *key: str) -> AsyncIterator[None]:
        number, name = int.from_bytes(digest(*key)[:8], signed=True), name_of(*key)
        async with AsyncExitStack() as held:
            async with waiting(self._seconds):
                await held.enter_async_context(self._tasks.turn(*key))
                with translated(self._label):
                    connection = await self._connect()
                    held.push_async_callback(_close, connection)
                    token = await leases.take(connection, name, number, self._lease_seconds)
            async with _while_alive(connection, self._label):
                self._tokens[name] = token
                held.callback(self._tokens.pop, name)
                async with leases.kept(connection, name, token, self._lease_seconds):
                    yield


@asynccontextmanager
async def waiting(seconds: float) -> AsyncIterator[None]:
    """Limits what is inside to `seconds`."""
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            yield
    except TimeoutError:
        if not limit.expired():
            raise
        raise StoreUnavailableError(
            f"Another exchange for this patient did not end within {seconds:g} seconds.",
            mend="Look for a run that hangs, and end it; its lock ends with it. Then repeat the command.",
        ) from None


async def _lock_file(path: Path) -> int:
    pause = _FIRST_PAUSE
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            while not _try_lock(descriptor):
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
            if _is_still(path, descriptor):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        # The holder removed the file before it let go: whoever comes next locks a new one.
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    return os.path.samestat(there, os.fstat(descriptor))


def _unlock_file(path: Path, descriptor: int) -> None:
    try:
        path.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


async def _close(connection: Any) -> None:
    """Ends the session, and its lock with it; a session that is broken already has ended."""
    try:
        await connection.close(timeout=5)
    except Exception:  # noqa: BLE001 - whatever the driver says of a dead session, the lock is gone
        connection.terminate()
    except asyncio.CancelledError:
        connection.terminate()
        raise


@asynccontextmanager
async def _while_alive(connection: Any, label: str) -> AsyncIterator[None]:
    holder = asyncio.current_task()
    lost = False

    def end(_: Any) -> None:
        nonlocal lost
        lost = True
        if holder is not None:
            holder.cancel()

    connection.add_termination_listener(end)
    try:
        yield
    except asyncio.CancelledError:
        if not lost:
            raise
    finally:
        connection.remove_termination_listener(end)
    if lost:
        if holder is not None:
            holder.uncancel()
        raise StoreUnavailableError(
            f"The connection that held this patient's lock broke ({label}).",
            mend="Repeat the command: what was begun is settled before anything is sent again.",
        )
