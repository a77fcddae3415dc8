"""Many runs: several at one time in a process, several processes beside each other, one total.

A process keeps what is dear (the knowledge, the embedded sandbox) from one chunk of runs to the next.
"""

import asyncio
import gc
import multiprocessing
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import httpx
import msgspec

from careplan_exchange import config, exchange, installed, logs
from careplan_exchange.connections import store_password
from careplan_exchange.errors import (
    CareplanError,
    EndpointUnreachableError,
    StoreUnavailableError,
    UsageError,
)
from careplan_exchange.model.review import ReviewPolicy
from careplan_exchange.planner.protocol import Action
from careplan_exchange.sandbox import serve_in_background
from careplan_exchange.store import open_store

from .checker import COUNTS, Count
from .modes import MODES
from .outages import Outages, Restart, Schedule, restarted
from .running import Place, Result, run_once
from .script import Sync, generator

AT_ONCE = 6
"""Runs under way at one time in one process: most of a run is waiting."""

_SHARED = "XDG_RUNTIME_DIR"
"""Where processes of one host share what they know about a server: in a drill, nothing outlives it."""

_NEEDED = "hypertension"
_PART = frozenset({"bp-goal", "help-today", "home-monitoring", "measuring-education", "follow-up", "dash-diet"})
"""Lines of it that make every kind of resource, with what is due when a new blood pressure comes."""

_CHUNK = 12
_SECONDS = 120.0
_FRESH_SANDBOX = 400
"""Runs after which the embedded sandbox is begun anew: it keeps the versions of what was deleted."""


@dataclass(frozen=True)
class Order:
    """What is to be drilled. `endpoint` None: a sandbox of our own in each process. `store` None: a SQLite file
    of its own for each run. `run`: only this one, of each mode. `restart`: what kills the server or the database
    meanwhile, which one process alone can wait for."""

    settings: config.Settings
    modes: Sequence[str]
    runs: int
    seed: int
    endpoint: config.Endpoint | None = None
    store: str | None = None
    run: int | None = None
    processes: int = 1
    at_once: int = AT_ONCE
    restart: Restart | None = None

    @property
    def pieces(self) -> list[tuple[str, int]]:
        """Mode and number of each run, the modes in turn."""
        numbers = range(self.runs) if self.run is None else (self.run,)
        return [(mode, number) for number in numbers for mode in self.modes]

    @property
    def syncs(self) -> int:
        """How often the scripts of all runs begin exchanges."""
        scripts = (MODES[mode](generator(self.seed, mode, number)) for mode, number in self.pieces)
        return sum(isinstance(act, Sync) for script in scripts for act in script.acts)

    def require_sound(self) -> None:
        """Raises UsageError where it cannot be carried out as it is, before anything is made."""
        if self.restart is None:
            return
        if self.endpoint is None and self.store is None:
            raise UsageError(
                "There is nothing to restart: a sandbox of the drill's own, and a SQLite file, die with it.",
                mend="Name a server (--endpoint), or a database (--store), that the script restarts.",
            )
        if self.processes > 1:
            raise UsageError(
                "Several processes cannot wait for one restart.", mend="Leave --processes out; give more --runs."
            )
        self.restart.require(self.syncs)


def require_modes(names: Sequence[str]) -> tuple[str, ...]:
    """The modes of these names in their order, all where none is named. Raises UsageError."""
    unknown = [name for name in names if name not in MODES]
    if unknown:
        raise UsageError(f"There is no mode {unknown[0]}.", mend=f"The modes are {', '.join(MODES)}.")
    return tuple(mode for mode in MODES if not names or mode in names)


def drill(order: Order) -> Iterator[Result]:
    """Every run's result, as it ends. A run that itself fails (not what it drills) counts as lost, with why.

    Raises CareplanError where nothing can be drilled: an order that is not sound, no server, no database, no
    patients, a server that a restart has not brought back.
    """
    order.require_sound()
    pieces = order.pieces
    chunks = [pieces[start : start + _CHUNK] for start in range(0, len(pieces), _CHUNK)]
    if order.processes == 1:
        worker = _Worker(order)
        try:
            for chunk in chunks:
                yield from worker.work(chunk)
        finally:
            worker.close()
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(order.processes, mp_context=context, initializer=_begin, initargs=(order,)) as pool:
        waiting: set[Future[list[Result] | _Failed]] = {pool.submit(_work, chunk) for chunk in chunks}
        try:
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for one in done:
                    came = one.result()
                    if isinstance(came, _Failed):
                        raise came.kind(came.detail, mend=came.mend)
                    yield from came
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


_worker: "_Worker | None" = None


def _begin(order: Order) -> None:
    global _worker  # noqa: PLW0603 - a process of the pool has one
    _worker = _Worker(order)


class _Failed(NamedTuple):
    """An error of ours on its way between processes, which cannot carry it as it is."""

    kind: type[CareplanError]
    detail: str
    mend: str


def _work(chunk: Sequence[tuple[str, int]]) -> list[Result] | _Failed:
    if _worker is None:
        raise RuntimeError("the process was not begun")
    try:
        return _worker.work(chunk)
    except CareplanError as error:
        return _Failed(type(error), error.detail, error.mend)


class _Worker:
    """One process, its folder, and its sandbox where there is no endpoint."""

    def __init__(self, order: Order) -> None:
        logs.configure("CRITICAL")
        self._order = order
        self._folder = Path(tempfile.mkdtemp(prefix="careplan-drill-"))
        self._before = os.environ.get(_SHARED)
        os.environ[_SHARED] = str(self._folder)
        # The drills know what the default policy lets through, whatever this site has set.
        self._knowledge = msgspec.structs.replace(installed.load_knowledge(order.settings), review=ReviewPolicy())
        self._small = _small(self._knowledge)
        self._part = _part(self._small)
        self._plans = installed.load_query_plans(order.settings)
        gc.freeze()  # the knowledge lasts: looking through it for garbage again and again is a tenth of the time
        self._empty = self._folder / "empty.db"
        asyncio.run(self._make_store())
        self._sandbox = ExitStack()
        self._url = ""
        self._since = 0
        self._ready: int | None = None
        restart = order.restart
        self._schedule = Schedule(restart.times, order.syncs, order.seed) if restart is not None else None
        self._script = restart.script.resolve() if restart is not None else None

    def work(self, chunk: Sequence[tuple[str, int]]) -> list[Result]:
        if self._order.endpoint is None and (not self._url or self._since >= _FRESH_SANDBOX):
            self._sandbox.close()
            self._url = self._sandbox.enter_context(serve_in_background()).url
            self._since = 0
        self._since += len(chunk)
        return asyncio.run(self._all(chunk))

    def close(self) -> None:
        self._sandbox.close()
        os.environ.pop(_SHARED, None)
        if self._before is not None:
            os.environ[_SHARED] = self._before
        shutil.rmtree(self._folder, ignore_errors=True)

    async def _make_store(self) -> None:
        """An empty database, brought to its schema once, and before several runs open it."""
        url = self._order.store or f"sqlite:///{self._empty}"
        password = store_password(self._order.settings) if self._order.store else None
        async with open_store(url, password=password):
            pass

    async def _all(self, chunk: Sequence[tuple[str, int]]) -> list[Result]:
        order = self._order
        endpoint = order.endpoint or config.endpoint_at(self._url)
        verify = str(endpoint.ca_bundle) if endpoint.ca_bundle else True
        gate = asyncio.Semaphore(order.at_once)
        async with httpx.AsyncClient(verify=verify, timeout=_SECONDS) as http:
            metadata = f"{str(endpoint.url).rstrip('/')}/metadata"
            if self._ready is None:
                self._ready = await _require_reachable(http, metadata)
            outages = Outages(self._schedule, partial(self._restart, http, metadata))
            place = Place(
                settings=order.settings,
                endpoint=endpoint,
                knowledge=self._knowledge,
                small=self._small,
                part=self._part,
                plans=self._plans,
                folder=self._folder,
                empty=self._empty,
                store=order.store,
                password=store_password(order.settings) if order.store else None,
                http=http,
                outages=outages,
            )

            async def one(mode: str, run: int) -> Result:
                async with gate:
                    return await _whatever_happens(place, mode, run, order.seed)

            try:
                async with asyncio.TaskGroup() as group:
                    tasks = [group.create_task(one(mode, run)) for mode, run in chunk]
            except* CareplanError as errors:
                await outages.ended()  # its error, where that is why
                raise _first(errors) from None
            await outages.ended()
            return [task.result() for task in tasks]

    async def _restart(self, http: httpx.AsyncClient, metadata: str) -> None:
        """The script, until the server answers as it did at the beginning, and the database takes us."""

        async def server() -> bool:
            try:
                return (await http.get(metadata)).status_code == self._ready
            except httpx.HTTPError:
                return False

        async def database() -> bool:
            try:
                await self._make_store()
            except StoreUnavailableError:
                return False
            return True

        if self._script is not None:
            await restarted(self._script, self._folder, (server, database))


def _first(errors: BaseExceptionGroup[CareplanError]) -> BaseException:
    """One error that stands for those of all runs: they have one reason."""
    one: BaseException = errors
    while isinstance(one, BaseExceptionGroup):
        one = one.exceptions[0]
    return one


async def _require_reachable(http: httpx.AsyncClient, metadata: str) -> int:
    """The status that it answers with. A server that is not there would look like a thousand findings."""
    try:
        return (await http.get(metadata)).status_code
    except httpx.HTTPError:
        base = metadata.removesuffix("/metadata")
        raise EndpointUnreachableError(
            f"The server at {base} does not answer.", mend="Check the URL, and that the server runs."
        ) from None


def _small(knowledge: exchange.Knowledge) -> exchange.Knowledge:
    """Only the protocol that the drilled patient needs: planning would take most of the time. All, where a site
    has taken that one out."""
    needed = tuple(one for one in knowledge.protocols if one.id == _NEEDED)
    return msgspec.structs.replace(knowledge, protocols=needed or knowledge.protocols)


def _part(knowledge: exchange.Knowledge) -> exchange.Knowledge:
    """The same with a few of each protocol's lines: half as many resources, and a quarter less time. All of them,
    where a site has named them otherwise."""
    protocols = []
    for protocol in knowledge.protocols:
        actions = tuple(
            msgspec.structs.replace(action, children=kept) if (kept := _kept(action.children)) else action
            for action in protocol.actions
        )
        protocols.append(msgspec.structs.replace(protocol, actions=actions))
    return msgspec.structs.replace(knowledge, protocols=tuple(protocols))


def _kept(lines: Sequence[Action]) -> tuple[Action, ...]:
    return tuple(line for line in lines if line.key.rpartition("/")[2] in _PART)


async def _whatever_happens(place: Place, mode: str, run: int, seed: int) -> Result:
    try:
        return await run_once(place, mode, run, seed)
    except CareplanError:
        raise
    except Exception as error:  # noqa: BLE001 - a run that broke has shown nothing, and must not look like a zero
        count = Count()
        count.add("lost", f"the run itself failed: {type(error).__name__}: {error}")
        return Result(mode, run, count)


@dataclass
class Line:
    """A mode in the table: `counts` in the order of COUNTS."""

    mode: str
    runs: int
    counts: tuple[int, ...]
    told: int
    put_back: int
    seconds: float

    @property
    def total(self) -> int:
        return sum(self.counts)


def lines_of(results: Sequence[Result], modes: Sequence[str]) -> list[Line]:
    """One line a mode, in their order."""
    lines = []
    for mode in modes:
        some = [result for result in results if result.mode == mode]
        counts = tuple(sum(getattr(result.count, name) for result in some) for name in COUNTS)
        told = sum(result.told for result in some)
        put_back = sum(result.count.put_back for result in some)
        lines.append(Line(mode, len(some), counts, told, put_back, sum(result.seconds for result in some)))
    return lines
