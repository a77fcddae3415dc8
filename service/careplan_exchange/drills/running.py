"""One run: a script carried out against a real server through the fault proxy, and what the checker counts."""

import asyncio
import random
import shutil
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from careplan_exchange import bootstrap, config, exchange
from careplan_exchange.errors import CareplanError
from careplan_exchange.model.exchange import ExchangeRequest
from careplan_exchange.sources import Plans

from .checker import Case, Count, check
from .clinician import Clinician
from .modes import MODES
from .outside import Outside
from .process import Killable
from .proxy import FaultProxy
from .script import Act, ClinicianEdits, GatewayResends, RecordGrows, Script, Sync, as_process, generator

TODAY = "2026-11-24"
"""The synthetic records were made for this day."""

ENDPOINT = "drilled"
PROCESS_EVERY = 50
"""Every so manieth run of a mode has an exchange in a process of its own. The others run in this process, and
where a process is to die they are cancelled in the middle of their request: it takes a hundredth of the time."""

_SETTLED = frozenset({"unchanged", "review"})
_CALM_SYNCS = 4
_LATEST = "2026-11-24T00:30:00Z"
_FIRST_DAY = 11
_SYSTOLIC = 150
"""Readings are of the days after the first in the record, each another one than that before, all too high."""

_READER_CHANCE = 0.3


@dataclass(frozen=True)
class Place:
    """Where it runs. A run with a process of its own plans with all of `knowledge`, as that does, every other
    with `small`. `endpoint` is the server and how to sign in; `store` a database URL, None for a SQLite file of
    its own for each run in `folder`, begun as a copy of `empty`."""

    settings: config.Settings
    endpoint: config.Endpoint
    knowledge: exchange.Knowledge
    small: exchange.Knowledge
    plans: Plans
    folder: Path
    empty: Path
    store: str | None
    password: str | None
    http: httpx.AsyncClient


@dataclass
class Result:
    """What one run came to. `told`: the run ended with a question to a person, as its script allows; `removed`:
    the server let its patients be removed."""

    mode: str
    run: int
    count: Count
    told: bool = False
    removed: bool = True
    seconds: float = 0.0
    outcomes: list[str] = field(default_factory=list)


async def run_once(place: Place, mode: str, run: int, seed: int) -> Result:
    """Make the patients, carry the script out, let things calm down, check, remove the patients."""
    started = time.perf_counter()
    rng = generator(seed, mode, run)
    script = MODES[mode](rng)
    if (run + list(MODES).index(mode)) % PROCESS_EVERY == 0 and place.endpoint.auth == "none":
        script = as_process(script)
    base = str(place.endpoint.url).rstrip("/")
    verify = str(place.endpoint.ca_bundle) if place.endpoint.ca_bundle else True
    proxy = FaultProxy(base, rng, habits=script.habits, verify=verify)
    folder = Path(tempfile.mkdtemp(prefix=f"{mode}-{run}-", dir=place.folder))
    result = Result(mode, run, Count())
    async with proxy.serving():
        drill = _Drill(place, script, proxy=proxy, folder=folder, rng=rng)
        try:
            await drill.arrange(f"{seed}-{mode}-{run}")
            for act in script.acts:
                await drill.act(act)
            asked = await drill.calm_down()
            if asked is not None:
                result.told = script.may_ask
                if not script.may_ask:
                    result.count.add("lost", f"no exchange goes through any more: {asked}")
            await drill.check(result)
        finally:
            await drill.stop()
            result.removed = await drill.remove()
    result.outcomes = drill.outcomes
    result.seconds = time.perf_counter() - started
    if not result.count.total:
        shutil.rmtree(folder, ignore_errors=True)
    return result


class _Drill:
    def __init__(
        self, place: Place, script: Script, *, proxy: FaultProxy, folder: Path, rng: random.Random
    ) -> None:
        self._place = place
        self._proxy = proxy
        self._outside = Outside(str(place.endpoint.url), place.http, {})
        self._rng = rng
        self._script = script
        self._folder = folder
        self._store = place.store or f"sqlite:///{shutil.copy(place.empty, folder / 'careplan.db')}"
        self._exchanges: list[str] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._process: Killable | None = None
        self._clinicians: dict[str, Clinician] = {}
        self._open = AsyncExitStack()
        self._product: bootstrap.Services | None = None
        self._half_seen = 0
        self._readings = 0
        self._last: dict[str, str] = {}
        self._tag = ""
        self.outcomes: list[str] = []
        proxy.on_kill = self._kill
        proxy.on_edit = self._edit

    @property
    def patients(self) -> Sequence[str]:
        return tuple(self._clinicians)

    async def arrange(self, tag: str) -> None:
        """The patients, and the credentials for whoever asks past the proxy: those that the product shows it."""
        self._tag = tag
        if self._place.endpoint.auth != "none" or self._place.endpoint.headers:
            self._outside.credentials |= await self._credentials()
        for number in range(self._script.patients):
            patient = await self._outside.make_patient(f"{tag}-{number}", doubled=self._script.doubled)
            self._clinicians[patient] = Clinician(self._outside, patient, self._rng)
        if self._script.patients > 1:
            found = await self._outside.search(f"Observation?patient=Patient/{self.patients[1]}")
            self._proxy.stranger = {**found[0].body, "effectiveDateTime": _LATEST} if found else None

    async def _credentials(self) -> dict[str, str]:
        client = await (await self._running()).client(ENDPOINT)
        await client.search(bootstrap.ANY_PATIENT, no_cache=True)
        return {**self._proxy.shown, **dict(self._place.endpoint.headers)}

    async def act(self, act: Act) -> None:
        match act:
            case Sync():
                await self._sync(act)
            case ClinicianEdits():
                for _ in range(act.times):
                    await self._edit()
            case RecordGrows():
                self._readings += 1
                at = f"2026-11-{_FIRST_DAY + self._readings}T{self._rng.randint(10, 19)}:00:00Z"
                systolic = _SYSTOLIC + 2 * self._rng.randint(0, 4) + 10 * (self._readings % 2)
                for patient in self.patients:
                    await self._outside.observe(patient, self._tag, systolic, at)
            case GatewayResends():
                await self._proxy.resend_kept()

    async def _sync(self, sync: Sync) -> None:
        self._proxy.plan.arm(sync.strikes)
        reader = asyncio.create_task(self._read_on_the_ward()) if self._rng.random() < _READER_CHANCE else None
        if sync.process:
            await self._in_a_process()
        else:
            product = await self._running()
            self._tasks = [
                asyncio.create_task(self._one(product, patient, approve=sync.approve))
                for patient in self.patients
                for _ in range(sync.at_once)
            ]
            before = len(self.outcomes)
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self._tasks = []
            if not {"written", *_SETTLED} >= set(self.outcomes[before:]):
                await self.stop()
        self._proxy.plan.calm()
        if reader is not None:
            await reader

    async def _in_a_process(self) -> None:
        """By the command line, for the first patient; killed by SIGKILL where a strike says so."""
        endpoint = self._place.endpoint.model_copy(update={"url": self._proxy.url})
        self._process = await Killable.start(
            self._folder,
            endpoint,
            store=self._store,
            password=self._place.password,
            patient=self.patients[0],
            today=TODAY,
        )
        exchange_id, outcome = await self._process.ended()
        self._process = None
        if exchange_id is not None:
            self._exchanges.append(exchange_id)
        self.outcomes.append(outcome)

    async def _one(self, product: bootstrap.Services, patient: str, *, approve: bool = False) -> None:
        request = ExchangeRequest(endpoint=ENDPOINT, patient=patient, today=TODAY, approve=approve)
        exchange_id = product.ids.new()
        self._exchanges.append(exchange_id)
        try:
            receipt = await product.run(request, exchange_id=exchange_id)
        except CareplanError as error:
            self.outcomes.append(error.key)
        except asyncio.CancelledError:
            self.outcomes.append("killed")
            raise
        else:
            self.outcomes.append(receipt.outcome)

    async def calm_down(self) -> str | None:
        """No fault any more: exchanges until nothing is left to write. The last one's error, if it failed."""
        self._proxy.plan.calm()
        for patient in self.patients:
            last = ""
            for _ in range(_CALM_SYNCS):
                await self._one(await self._running(), patient)
                last = self.outcomes[-1]
                if last in _SETTLED:
                    break
            self._last[patient] = last
            if last not in _SETTLED:
                return last
        return None

    async def check(self, result: Result) -> None:
        for patient, clinician in self._clinicians.items():
            case = Case(
                base=self._outside.base,
                credentials=self._outside.credentials,
                patient=patient,
                edits=clinician.edits,
                clinical=clinician.versions,
                store=self._store,
                password=self._place.password,
                exchanges=self._exchanges,
                others=frozenset(self.patients) - {patient},
                asked=result.told,
                waits=self._last.get(patient) == "review",
                keeps_evidence="forgetful" not in self._script.habits,
                unguarded="no-if-match" in self._script.habits,
            )
            found = await check(case, self._place.http)
            result.count.join(found)
        for _ in range(self._half_seen):
            result.count.add("half_written", "a reader on the ward saw a plan without its goals")
        for _ in range(self._proxy.strange_calls):
            result.count.add("misplaced", "a page of another server was followed")

    async def remove(self) -> bool:
        return all([await self._outside.remove_patient(patient) for patient in self.patients])

    async def _edit(self) -> None:
        clinician = self._clinicians[self._rng.choice(self.patients)]
        await clinician.edit()

    async def _kill(self) -> None:
        if self._process is not None:
            self._process.kill()
        for task in self._tasks:
            task.cancel()

    async def _read_on_the_ward(self) -> None:
        """Somebody looks at the plan while it is being written: each goal that it names must be there."""
        await asyncio.sleep(self._rng.uniform(0.0, 0.08))
        for patient in self.patients:
            for plan in await self._outside.search(f"CarePlan?patient=Patient/{patient}"):
                named = [one["reference"] for one in plan.body.get("goal", ()) if "reference" in one]
                found = await asyncio.gather(*(self._outside.read(_relative(one)) for one in named))
                now = await self._outside.read(plan.reference)
                if not all(found) and now is not None and now.version == plan.version:
                    self._half_seen += 1

    async def _running(self) -> bootstrap.Services:
        """The product as a process has it; a new one, without a memory, after one that was killed or failed."""
        if self._product is None:
            endpoint = self._place.endpoint.model_copy(
                update={
                    "url": self._proxy.url,
                    "identity": self._place.endpoint.identity or "drill",
                    "attempts": 3,
                }
            )
            settings = self._place.settings.model_copy(
                update={"endpoints": {ENDPOINT: endpoint}, "store": self._store_settings()}
            )
            self._product = await self._open.enter_async_context(bootstrap.services(settings))
            whole = any(isinstance(act, Sync) and act.process for act in self._script.acts)
            self._product.knowledge = self._place.knowledge if whole else self._place.small
            self._product.query_plans = self._place.plans
        return self._product

    def _store_settings(self) -> config.Store:
        """As the settings have it, with the drill's database; a SQLite file asks for no password."""
        store = self._place.settings.store.model_copy(update={"url": self._store})
        if self._place.store is None:
            store = store.model_copy(update={"password_env": None, "password_file": None})
        return store

    async def stop(self) -> None:
        """Whatever the product holds open is closed."""
        self._product = None
        await self._open.aclose()


def _relative(reference: str) -> str:
    return "/".join(reference.split("/")[-2:])
