"""A database that is open: transactions that read, transactions that write, locks by patient.

A transaction is one function of a connection. It runs from begin to commit in one place, a thread of ours or the
driver's greenlet: a hop between event loop and thread for each statement would cost more than the statement.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager, suppress
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from sqlalchemy import Connection, Table

from .documents import Documents
from .locks import Locks

P = ParamSpec("P")
T = TypeVar("T")

Work = Callable[[Connection], T]
"""What a transaction does. It must not await, and everything that it raises undoes it."""


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


class Database(ABC):
    """One engine of either kind, behind one face. `label` names it for a person, in errors; `documents` is how
    what is clinical stands in it, in the clear until `installation.unlock` was given keys."""

    def __init__(self, locks: Locks, label: str) -> None:
        self.label = label
        self.documents = Documents()
        self._locks = locks

    @abstractmethod
    async def read(self, work: Work[T]) -> T:
        """What `work` gives, in a transaction that sees one state of the database throughout."""

    @abstractmethod
    async def write(self, work: Work[T]) -> T:
        """What `work` gives, in a transaction that is durable then; where it raises, nothing of it happened."""

    @abstractmethod
    def insert(self, table: Table) -> Any:
        """INSERT of this engine, with `on_conflict_do_update` and `on_conflict_do_nothing`."""

    @abstractmethod
    def fence(self, connection: Connection, *key: str) -> None:
        """Refuses this writing transaction (StoreUnavailableError) where this process believes to hold `key`
        and has lost it. Until the transaction ends nobody else can take it over."""

    @abstractmethod
    def serialise(self, connection: Connection, *key: str) -> None:
        """Until this writing transaction ends, every other that names `key` waits here."""

    def hold(self, *key: str) -> AbstractAsyncContextManager[None]:
        """One holder of `key` at a time, among all processes on the database."""
        return self._locks.hold(*key)
