"""How many requests are under way at one server at one time, over every process of this user on this host.

A slot is a file with a lock on it (flock): the kernel takes the lock off when its process ends, however it ends.
Where no such files can be made the cap holds for this process alone, and the log says so.
"""

import asyncio
import hashlib
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from careplan_exchange import logs
from careplan_exchange.errors import UnavailableError

from .retry import Pacing

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows has no flock
    fcntl = None  # type: ignore[assignment]  # said once, and looked at before every use

SHORTEST_POLL = 0.002
LONGEST_POLL = 0.05
LONGEST_WAIT = 120.0
"""Seconds. A process that holds its slots for longer hangs; whoever waits for it must hear of that."""


class Slots(Protocol):
    """What `take` gave is given back with `give`, whatever happened in between."""

    async def take(self) -> int:
        """Waits for a slot. Raises UnavailableError where other processes give none back."""
        ...

    def give(self, slot: int) -> None: ...

    def close(self) -> None: ...


class OwnSlots:
    """The cap of this process alone."""

    def __init__(self, count: int) -> None:
        self._free = asyncio.Semaphore(count)

    async def take(self) -> int:
        await self._free.acquire()
        return 0

    def give(self, slot: int) -> None:  # noqa: ARG002 - one is like another
        self._free.release()

    def close(self) -> None:
        """Nothing is held open."""


class HostSlots:
    """The cap shared by all that open the same `folder`. Raises OSError where its files cannot be opened.

    Within the process whoever came first is served first. Between processes it is chance: each that waits looks
    again after a short random time, and as long as one waits, no other takes a slot without waiting, too.
    """

    def __init__(self, folder: Path, count: int, pacing: Pacing) -> None:
        self._pacing = pacing
        self._own = asyncio.Semaphore(count)
        self._free = list(range(count))  # of this process; others may hold them
        self._files: list[int] = []
        self._waiting = 0
        try:
            for name in (*(f"slot-{number}" for number in range(count)), "waiting", "waiting"):
                self._files.append(os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError:
            self.close()
            raise
        # Two openings of one file: a lock of ours must be told from one of others.
        self._says_waiting, self._asks_waiting = self._files[-2:]

    async def take(self) -> int:
        await self._own.acquire()
        try:
            if not self._waiting and not self._others_wait():
                slot = self._free_slot()
                if slot is not None:
                    return slot
            return await self._waited_for()
        except BaseException:
            self._own.release()
            raise

    def give(self, slot: int) -> None:
        fcntl.flock(self._files[slot], fcntl.LOCK_UN)
        self._free.append(slot)
        self._own.release()

    def close(self) -> None:
        """Lets go of every slot."""
        while self._files:
            os.close(self._files.pop())

    async def _waited_for(self) -> int:
        self._waiting += 1
        began, longest = self._pacing.now(), SHORTEST_POLL
        try:
            while True:
                _locked(self._says_waiting, fcntl.LOCK_EX)  # where another says it already, that will do
                await self._pacing.sleep(longest * (0.5 + self._pacing.chance() / 2))
                slot = self._free_slot()
                if slot is not None:
                    return slot
                longest = min(LONGEST_POLL, 1.5 * longest)
                if (self._pacing.now() - began).total_seconds() > LONGEST_WAIT:
                    raise _none_free(len(self._files) - 2)
        finally:
            self._waiting -= 1
            if not self._waiting:
                fcntl.flock(self._says_waiting, fcntl.LOCK_UN)

    def _free_slot(self) -> int | None:
        for place, slot in enumerate(self._free):
            if _locked(self._files[slot], fcntl.LOCK_EX):
                del self._free[place]
                return slot
        return None

    def _others_wait(self) -> bool:
        if not _locked(self._asks_waiting, fcntl.LOCK_SH):
            return True
        fcntl.flock(self._asks_waiting, fcntl.LOCK_UN)
        return False


def open_slots(folder: Path | None, count: int, pacing: Pacing) -> Slots:
    """The slots in `folder`, which is made; those of this process alone where it is None or cannot be had."""
    if folder is not None:
        reason = "this system has no file locks of the kind that is needed"
        try:
            if fcntl is not None:
                make_private(folder)
                return HostSlots(folder, count, pacing)
        except OSError as error:
            reason = error.strerror or type(error).__name__
        logs.get_logger().warning(logs.FHIR_SLOTS, reason=reason, count=count)
    return OwnSlots(count)


def folder_of(host_folder: Path | None, origin: str) -> Path | None:
    """Where the processes of this host keep what they share of one server."""
    return None if host_folder is None else host_folder / hashlib.sha256(origin.encode()).hexdigest()[:16]


def make_private(folder: Path) -> None:
    """Make the folder and the one above it for this user alone. Raises OSError, also where somebody else could
    write into one of them."""
    for place in (folder.parent, folder):
        with suppress(FileExistsError):
            place.mkdir(mode=0o700, parents=True)
        found = place.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
            raise PermissionError(1, "a folder there is not this user's alone")


def _locked(file: int, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _none_free(count: int) -> UnavailableError:
    return UnavailableError(
        f"Other processes on this host have held all {count} slots of this server for {LONGEST_WAIT:.0f} s.",
        mend="Look for a process of this product that hangs, and end it; or raise `concurrency` of the endpoint.",
    )
