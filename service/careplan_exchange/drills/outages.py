"""The server, or the database of the store, killed and started again while exchanges are under way.

A script of the user's does it; this module decides when, and has everybody else wait until it is over. Only
the exchanges meet the outage as it comes: whoever makes patients, edits or checks waits, and does again what an
outage fell into, so that what is counted at the end was seen on a server that was there all the time.
"""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

from careplan_exchange.errors import CareplanError, ConfigurationError, UnavailableError, UsageError

from .faults import On
from .script import generator

T = TypeVar("T")

_SCRIPT_SECONDS = 600.0
_READY_SECONDS = 600.0
_PAUSE_SECONDS = 0.25
_LONGEST_AFTER = 0.3
"""From the request that a kill is tied to: the longest that an exchange takes for the rest of its way."""

_WRITE_CHANCE = 0.75
_FIRST_CHANCE = 0.7
_SAID = 300
_LEFT = "What the drill has made on the server is tagged urn:careplan-exchange:drill."


@dataclass(frozen=True)
class Restart:
    """`script` kills the server and starts it again, `times` in a drill."""

    script: Path
    times: int

    def require(self, syncs: int) -> None:
        """Before anything is made. Raises UsageError where the script cannot be run, or so many times are more
        than there are exchanges for it to fall into."""
        if not self.script.is_file() or not os.access(self.script, os.X_OK):
            raise UsageError(
                f"{self.script} is no file that can be run.", mend="Name a script, and make it executable."
            )
        if self.times > syncs:
            raise UsageError(
                f"{self.times} restarts are more than the {syncs} exchanges that they could fall into.",
                mend="Ask for fewer restarts, or for more runs.",
            )


class Moment:
    """When an outage begins: `after` seconds past the request number `nth` (from 0) of this kind."""

    def __init__(self, begin: Callable[[float], None], on: On, nth: int, after: float) -> None:
        self._begin = begin
        self._on = on
        self._left = nth
        self._after = after
        self._come = False

    def request(self, on: On) -> None:
        """A request goes to the server."""
        if on == self._on and not self._come:
            if self._left == 0:
                self.now()
            self._left -= 1

    def now(self) -> None:
        """At the latest, if the request never came."""
        if not self._come:
            self._come = True
            self._begin(self._after)


class Schedule:
    """Into which of all `syncs` of a drill an outage falls: into `times` of them, evenly spread, by the seed."""

    def __init__(self, times: int, syncs: int, seed: int) -> None:
        self._rng = generator(seed, "restart", times)
        edges = [syncs * place // times for place in range(times + 1)]
        self._points = {self._rng.randrange(low, high) for low, high in pairwise(edges)}
        self._begun = 0

    def next_sync(self, begin: Callable[[float], None]) -> Moment | None:
        """A sync begins: the moment of the outage that falls into it, if one does."""
        here, self._begun = self._begun in self._points, self._begun + 1
        if not here:
            return None
        on: On = "write" if self._rng.random() < _WRITE_CHANCE else "read"
        nth = 0 if self._rng.random() < _FIRST_CHANCE else self._rng.randint(1, 2)
        # Most of them soon: the request itself, and what is stored about it, are what is worth meeting.
        return Moment(begin, on, nth, self._rng.random() ** 2 * _LONGEST_AFTER)


class Outages:
    """Those of one event loop. `take_down` returns when everything is there again; without it, or a schedule,
    there are none, and nobody waits. `count` is how many have begun."""

    def __init__(
        self, schedule: Schedule | None = None, take_down: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        self._schedule = schedule
        self._take_down = take_down
        self._turn = asyncio.Lock()
        self._over = asyncio.Event()
        self._over.set()
        self._failed: CareplanError | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self.count = 0

    def next_sync(self) -> Moment | None:
        """A sync begins: the moment of the outage that falls into it, if one does."""
        return None if self._schedule is None else self._schedule.next_sync(self._begin)

    def _begin(self, after: float) -> None:
        self._tasks.append(asyncio.create_task(self._carry_out(after)))

    async def _carry_out(self, after: float) -> None:
        async with self._turn:
            await asyncio.sleep(after)
            if self._take_down is None or self._failed is not None:
                return
            self.count += 1
            self._over.clear()
            try:
                await self._take_down()
            except CareplanError as error:
                self._failed = error
            finally:
                self._over.set()

    async def over(self) -> None:
        """Returns when no outage is under way. Raises the CareplanError of one that did not come to its end."""
        while not self._over.is_set():
            await self._over.wait()
        if self._failed is not None:
            raise self._failed

    async def undisturbed(self, work: Callable[[], Awaitable[T]]) -> T:
        """What `work` comes to while no outage is under way: one that an outage fell into is done again, whatever
        came of it. `work` must be such that it can be."""
        while True:
            await self.over()
            before = self.count
            try:
                result = await work()
            except Exception:
                if before == self.count:
                    raise
                continue
            if before == self.count:
                return result

    async def ended(self) -> None:
        """Returns when those that have begun are over. Raises as `over`."""
        await asyncio.gather(*self._tasks)
        self._tasks.clear()
        await self.over()


async def restarted(script: Path, folder: Path, there: Sequence[Callable[[], Awaitable[bool]]]) -> None:
    """Run the script, and wait until each of `there` says that it is there. Raises ConfigurationError where the
    script fails, UnavailableError where it or the waiting takes too long."""
    await _run(script, folder)
    until = time.monotonic() + _READY_SECONDS
    for one in there:
        while not await one():
            if time.monotonic() > until:
                raise UnavailableError(
                    f"{_READY_SECONDS:.0f} seconds after {script} the server or the database is not there.",
                    mend=f"Start it. {_LEFT}",
                )
            await asyncio.sleep(_PAUSE_SECONDS)


async def _run(script: Path, folder: Path) -> None:
    """In a session of its own, so that the server it starts outlives us and an interrupt; and writing to a file,
    since the server may hold a pipe open for ever."""
    said = folder / "restart.log"
    with said.open("wb") as sink:
        process = await asyncio.create_subprocess_exec(
            script,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            start_new_session=True,
        )
    try:
        async with asyncio.timeout(_SCRIPT_SECONDS):
            code = await process.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        raise UnavailableError(
            f"{script} has not ended after {_SCRIPT_SECONDS:.0f} seconds.",
            mend="The script must end when the server is being started; let it start that in the background.",
        ) from None
    if code != 0:
        text = said.read_text(errors="replace").strip()[-_SAID:]
        raise ConfigurationError(
            f"{script} ended with {code}: {text or 'it said nothing'}",
            mend=f"Run the script alone until it works. {_LEFT}",
        )
